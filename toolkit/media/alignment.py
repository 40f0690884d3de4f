"""Lay a re-share on its presumed source: when, where, at what size, and what was cut away.

Three steps. *Where*: features of a few frames of each are matched, and the majority of matches
gives scale and shift (RANSAC); one common frame of the same scene is enough, whatever its moment.
*When*: both are looked at through that window as small pictures, what stands still is taken away,
and the shift in time with the highest correlation of what moves is chosen. *Exactly*: the features
of pairs of simultaneous frames, all together, give scale and shift to a part of a pixel. Captions
and bars differ from the source in every pair, and so are found as what does not belong to it.

What this does not do: turned or mirrored copies, changed speed, or a re-share that was edited
together from several parts; they are "not aligned".
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import cv2
import numpy as np
from numpy.typing import NDArray

from toolkit import media
from toolkit._i18n import _, language
from toolkit.errors import UsageError
from toolkit.types import Tick, Video, no_tick

Picture = NDArray[np.uint8]
Float = NDArray[np.float64]
Why = Literal["aligned", "no_common_picture", "no_common_time", "too_short"]

THRESHOLD = 0.5
"""Least correlation of what moves, at the best shift in time, of a pair that is called aligned."""

FEATURES = 1000
WORK_HEIGHT = 400  # features are sought in pictures of at most this many lines
SOURCE_LOOKS, SHARE_LOOKS = 40, 8
INLIERS_MIN = 12
INLIERS_PLENTY = 80  # no other pair of frames needs to be tried
SCALES = (0.05, 20.0)  # of re-share to source; outside, the fit is a coincidence
ANISOTROPY_MAX = 1.25
RATE = 12.5  # pictures per second in the search for the time
SOURCE_PICTURES, SHARE_PICTURES = 6000, 250
SIDE = 32  # of the small pictures, pixels
PAIRS = 8
DIFFERENT = 28.0  # grey levels, after matching contrast, that a caption or bar differs by
SECONDS_MIN = 1.0
EDGE_S = 0.5
FINE_S = 6.0
GAP = 16


@dataclass(frozen=True)
class Rect:
    """A rectangle in pixels, x to the right, y down."""

    x: float
    y: float
    width: float
    height: float


@dataclass(frozen=True)
class Alignment:
    """How a re-share lies on a source.

    Attributes
    ----------
    aligned, why
        Whether they show the same recording, and the word for the reason.
    offset_s
        Timestamp in the source = timestamp in the re-share + this.
    scale
        Pixels of the re-share per pixel of the source, across and down.
    kept
        What of the source's picture is left, in pixels of the source.
    shown
        Where in the re-share it stands, in pixels of the re-share.
    lost_percent
        Part of the area of the source's picture that is not left.
    score, threshold
        Correlation of what moves, and the least that counts as aligned.
    """

    aligned: bool
    why: Why
    offset_s: float | None = None
    scale: tuple[float, float] | None = None
    kept: Rect | None = None
    shown: Rect | None = None
    lost_percent: float | None = None
    score: float = 0.0
    threshold: float = THRESHOLD

    def line(self) -> str:
        """Return the result as a sentence in the language in use."""
        if not self.aligned or self.kept is None or self.scale is None:
            return {
                "no_common_picture": _("Not aligned: no common picture was found."),
                "no_common_time": _(
                    "Not aligned: the scenes resemble each other, but not what moves in them."
                ),
                "too_short": _("Not aligned: one of the clips is too short to tell."),
            }.get(self.why, _("Not aligned."))
        box = self.kept
        return _(
            "Aligned: the re-share begins {offset} s into the source and shows the rectangle from"
            " ({x}, {y}), {width} × {height} pixels; {lost} % of the picture's area was cut away."
        ).format(
            offset=f"{self.offset_s or 0.0:.2f}".replace(".", "," if language() == "nl" else "."),
            x=round(box.x),
            y=round(box.y),
            width=round(box.width),
            height=round(box.height),
            lost=round(self.lost_percent or 0.0),
        )

    def to_dict(self) -> dict[str, Any]:
        """Return plain values."""
        plain: dict[str, Any] = json.loads(json.dumps(dataclasses.asdict(self)))
        return plain


def align(source: Path | str, share: Path | str, *, tick: Tick = no_tick) -> Alignment:
    """Find out how a re-share lies on its presumed source.

    Parameters
    ----------
    source, share
        Local video files; the re-share may be a part of the source, not the other way round.
    tick
        Called with the stages of `media.probe` and ``"align"``.

    Raises
    ------
    VideoError
        If one of them cannot be read.
    Cancelled
        If `tick` raises it.
    """
    long_, short = media.probe(source, tick=tick), media.probe(share, tick=tick)
    if min(_length(long_), _length(short)) < SECONDS_MIN:
        return Alignment(aligned=False, why="too_short")
    window = _where(long_, short, tick)
    if window is None:
        return Alignment(aligned=False, why="no_common_picture")
    offset, score = _when(long_, short, window, tick)
    if score < THRESHOLD:
        return Alignment(aligned=False, why="no_common_time", score=score)
    pairs = list(_pairs(long_, short, offset, tick))
    window = _refined(window, pairs)
    shown = _shown(window, pairs)
    kept = _back(window, shown, long_)
    area = kept.width * kept.height / (long_.width * long_.height)
    return Alignment(
        aligned=True,
        why="aligned",
        offset_s=offset,
        scale=(float(window[0, 0]), float(window[1, 1])),
        kept=kept,
        shown=shown,
        lost_percent=100 * max(0.0, 1 - area),
        score=score,
    )


def _length(video: Video) -> float:
    return float(video.pts[-1] - video.pts[0])


def _grey(rgb: Picture) -> Picture:
    return np.asarray(cv2.cvtColor(rgb, cv2.COLOR_RGB2GRAY), np.uint8)


def _spread(video: Video, count: int) -> NDArray[np.int64]:
    """Return indices of up to `count` frames, evenly in time and not at the very ends."""
    wanted = np.linspace(video.pts[0], video.pts[-1], count + 2)[1:-1]
    return np.unique(np.searchsorted(video.pts, wanted).clip(0, len(video.pts) - 1))


# --- where --------------------------------------------------------------------------------


def _where(source: Video, share: Video, tick: Tick) -> Float | None:
    """Return the map from source to re-share pixels [[sx, 0, tx], [0, sy, ty]], or None."""
    sift = cv2.SIFT.create(FEATURES, contrastThreshold=0.02)
    right = list(_features(share, SHARE_LOOKS, sift, tick, 0))
    best: tuple[int, Float | None] = (INLIERS_MIN - 1, None)
    for points_a, words_a in _features(source, SOURCE_LOOKS, sift, tick, 25):
        for points_b, words_b in right:
            count, window = _fit(points_a, words_a, points_b, words_b)
            if count > best[0]:
                best = (count, window)
        if best[0] >= INLIERS_PLENTY:
            break
    return best[1]


def _features(
    video: Video, looks: int, sift: Any, tick: Tick, base: int
) -> Iterator[tuple[Float, NDArray[np.float32]]]:
    """Yield points in the video's own pixels, and their descriptors, frame by frame."""
    factor = min(1.0, WORK_HEIGHT / video.height)
    wanted = _spread(video, looks)
    for number, frame in enumerate(media.read(video, wanted, stage="align")):
        tick("align", base + 25 * number // len(wanted), 100)
        grey = _grey(frame.rgb)
        if factor < 1:
            grey = np.asarray(
                cv2.resize(grey, None, fx=factor, fy=factor, interpolation=cv2.INTER_AREA)
            )
        found, words = sift.detectAndCompute(grey, None)
        if words is not None and len(found) >= INLIERS_MIN:
            yield np.array([k.pt for k in found], np.float64) / factor, words


def _fit(
    points_a: Float,
    words_a: NDArray[np.float32],
    points_b: Float,
    words_b: NDArray[np.float32],
) -> tuple[int, Float | None]:
    """Match two frames; return how many matches agree on a scale and shift, and these."""
    matches = cv2.BFMatcher(cv2.NORM_L2).knnMatch(words_b, words_a, k=2)
    good = [m[0] for m in matches if len(m) == 2 and m[0].distance < 0.75 * m[1].distance]
    if len(good) < INLIERS_MIN:
        return 0, None
    a = points_a[[m.trainIdx for m in good]]
    b = points_b[[m.queryIdx for m in good]]
    reach = max(2.0, 0.006 * float(np.ptp(b, axis=0).max()))
    matrix, kept = cv2.estimateAffinePartial2D(
        a, b, method=cv2.RANSAC, ransacReprojThreshold=reach, maxIters=500, confidence=0.99
    )
    if matrix is None:
        return 0, None
    inside = kept[:, 0] > 0
    # the same spot matched again and again is one agreement
    spots = {tuple(p) for p in np.round(a[inside] / 4).astype(int).tolist()}
    if len(spots) < INLIERS_MIN or abs(matrix[0, 1]) > 0.05 * abs(matrix[0, 0]):
        return 0, None
    window = np.zeros((2, 3))
    for axis in (0, 1):
        slope, shift = np.polyfit(a[inside, axis], b[inside, axis], 1)
        window[axis, axis], window[axis, 2] = slope, shift
    ratio = window[0, 0] / window[1, 1] if window[1, 1] else 0.0
    sound = SCALES[0] < window[0, 0] < SCALES[1] and 1 / ANISOTROPY_MAX < ratio < ANISOTROPY_MAX
    return (len(spots), window) if sound else (0, None)


# --- when ---------------------------------------------------------------------------------


def _when(source: Video, share: Video, window: Float, tick: Tick) -> tuple[float, float]:
    """Return the shift in time, in seconds, and the correlation of what moves there."""
    common = _common(window, source, share)
    inside = _back(window, common, source)
    rate = min(RATE, SOURCE_PICTURES / _length(source))
    steps_b = min(SHARE_PICTURES, int(_length(share) * rate) + 1)
    # a re-share may end a moment after its source: times are rounded
    edge = int(np.ceil(EDGE_S * rate))
    times_a = source.pts[0] + np.arange(-edge, int(_length(source) * rate) + 1 + edge) / rate
    times_b = share.pts[0] + np.arange(steps_b) / rate
    if len(times_b) > len(times_a):
        return 0.0, 0.0
    a = _small(source, times_a, inside, tick, 50)
    b = _small(share, times_b, common, tick, 70)
    scores = _correlations(_moving(a, rate), _moving(b, rate))
    best = int(np.argmax(scores))
    rough = float(times_a[best] - times_b[0])
    return _finer(source, share, (inside, common), rough, 1 / rate)


def _finer(
    source: Video, share: Video, places: tuple[Rect, Rect], rough: float, step_s: float
) -> tuple[float, float]:
    """Return shift and correlation to the frame, from a few seconds at the frames' own times."""
    middle = (share.pts[0] + share.pts[-1]) / 2
    low, high = middle - FINE_S / 2, middle + FINE_S / 2
    times_b = share.pts[(share.pts >= low) & (share.pts <= high)]
    near = (source.pts >= times_b[0] + rough - 2 * step_s - 0.1) & (
        source.pts <= times_b[-1] + rough + 2 * step_s + 0.1
    )
    times_a = source.pts[near]
    if len(times_a) < 8 or len(times_b) < 8:
        return rough, 0.0
    a, b = _small(source, times_a, places[0]), _small(share, times_b, places[1])
    rate = 1 / float(np.median(np.diff(times_b)))
    moving_b = _moving(b, rate)
    gap = min(float(np.median(np.diff(times_a))), 1 / rate)
    shifts = rough + np.arange(-2 * step_s, 2 * step_s, gap / 4)
    scores = []
    for shift in shifts.tolist():
        moving_a = _moving(a[_nearest(times_a, times_b + shift)], rate)
        scores.append(float(_correlations(moving_a, moving_b)[0]))
    found = np.array(scores)
    top = shifts[found >= found.max() - 1e-6]  # shifts within one frame look the same
    return float(np.median(top)), float(found.max())


def _nearest(times: Float, wanted: Float) -> NDArray[np.int64]:
    middles = (times[1:] + times[:-1]) / 2
    return np.searchsorted(middles, wanted).astype(np.int64)


def _small(
    video: Video, times: Float, place: Rect, tick: Tick = no_tick, base: int = 0
) -> NDArray[np.float32]:
    """Return the picture on screen at each time, cut to a place and shrunk: (T, SIDE * SIDE)."""
    shown = np.searchsorted(video.pts, times + 1e-4, side="right") - 1
    shown = shown.clip(0, len(video.pts) - 1)
    wanted, rows = np.unique(shown, return_inverse=True)
    x, y = max(0, round(place.x)), max(0, round(place.y))
    right, bottom = round(place.x + place.width), round(place.y + place.height)
    out = np.zeros((len(wanted), SIDE * SIDE), np.float32)
    known = np.zeros(len(wanted), bool)
    for frame in media.read(video, wanted, stage="align"):
        row = int(np.searchsorted(wanted, frame.index))
        tick("align", base + 20 * row // len(wanted), 100)
        cut = _grey(frame.rgb)[y : max(y + 1, bottom), x : max(x + 1, right)]
        small = cv2.resize(cut, (SIDE, SIDE), interpolation=cv2.INTER_AREA)
        out[row], known[row] = small.ravel(), True
    for row in np.flatnonzero(~known).tolist():  # a frame that is lost shows the one before
        out[row] = out[max(row - 1, 0)]
    return np.asarray(out[rows])


def _moving(pictures: NDArray[np.float32], rate: float) -> NDArray[np.float32]:
    """Take away what stands still for two seconds; no moment, such as a cut, outweighs all."""
    half = max(1, round(rate))
    sums = np.cumsum(np.vstack([np.zeros_like(pictures[:1]), pictures]), axis=0, dtype=np.float64)
    first = np.maximum(np.arange(len(pictures)) - half, 0)
    last = np.minimum(np.arange(len(pictures)) + half + 1, len(pictures))
    still = (sums[last] - sums[first]) / (last - first)[:, None]
    moving = (pictures - still).astype(np.float32)
    size = np.linalg.norm(moving, axis=1)
    most = 3 * float(np.median(size)) + 1e-6
    return np.asarray(moving * np.minimum(1, most / np.maximum(size, 1e-6))[:, None], np.float32)


def _correlations(a: NDArray[np.float32], b: NDArray[np.float32]) -> Float:
    """Return the normalised correlation of `b` with each stretch of `a` of the same length."""
    count = len(a) - len(b) + 1
    products = np.zeros(count)
    for row, picture in enumerate(b):
        products += (a[row : row + count] @ picture).astype(np.float64)
    energy = np.concatenate([[0.0], np.cumsum((a.astype(np.float64) ** 2).sum(axis=1))])
    norms = np.sqrt((energy[len(b) :] - energy[:count]) * float((b.astype(np.float64) ** 2).sum()))
    return np.where(norms > 1e-6, products / np.maximum(norms, 1e-6), 0.0)


# --- exactly ------------------------------------------------------------------------------


def _common(window: Float, source: Video, share: Video) -> Rect:
    """Return where in the re-share the source can show at all."""
    left, top = (max(0.0, float(window[axis, 2])) for axis in (0, 1))
    right = min(float(share.width), float(window[0, 0] * source.width + window[0, 2]))
    bottom = min(float(share.height), float(window[1, 1] * source.height + window[1, 2]))
    return Rect(left, top, max(1.0, right - left), max(1.0, bottom - top))


def _back(window: Float, shown: Rect, source: Video) -> Rect:
    """Return the part of the source that a rectangle of the re-share shows."""
    left = max(0.0, (shown.x - window[0, 2]) / window[0, 0])
    top = max(0.0, (shown.y - window[1, 2]) / window[1, 1])
    right = min(float(source.width), (shown.x + shown.width - window[0, 2]) / window[0, 0])
    bottom = min(float(source.height), (shown.y + shown.height - window[1, 2]) / window[1, 1])
    return Rect(float(left), float(top), float(right - left), float(bottom - top))


def _pairs(
    source: Video, share: Video, offset: float, tick: Tick
) -> Iterator[tuple[Picture, Picture]]:
    """Yield simultaneous grey frames of both."""
    wanted = _spread(share, PAIRS)
    same = _nearest(source.pts, share.pts[wanted] + offset)
    left = {f.index: _grey(f.rgb) for f in media.read(source, np.unique(same), stage="align")}
    for number, frame in enumerate(media.read(share, wanted, stage="align")):
        tick("align", 90 + 10 * number // PAIRS, 100)
        partner = int(same[int(np.searchsorted(wanted, frame.index))])
        if partner in left:
            yield left[partner], _grey(frame.rgb)


def _refined(window: Float, pairs: list[tuple[Picture, Picture]]) -> Float:
    """Return scale and shift that fit the matches of all pairs together, axis by axis."""
    sift = cv2.SIFT.create(FEATURES, contrastThreshold=0.02)
    matched: list[Float] = []
    for one, other in pairs:
        points_a, words_a = sift.detectAndCompute(one, None)
        points_b, words_b = sift.detectAndCompute(other, None)
        if words_a is None or words_b is None:
            continue
        for pair in cv2.BFMatcher(cv2.NORM_L2).knnMatch(words_b, words_a, k=2):
            if len(pair) == 2 and pair[0].distance < 0.75 * pair[1].distance:
                a, b = points_a[pair[0].trainIdx].pt, points_b[pair[0].queryIdx].pt
                matched.append(np.array([*a, *b]))
    if not matched:
        return window
    points = np.stack(matched)
    out = window.copy()
    for reach in (4.0, 2.0, 1.0):  # pixels of the re-share; each fit narrows the next
        close = np.ones(len(points), bool)
        for axis in (0, 1):
            fitted = out[axis, axis] * points[:, axis] + out[axis, 2]
            close &= np.abs(fitted - points[:, 2 + axis]) < reach
        if close.sum() < INLIERS_MIN:
            break
        for axis in (0, 1):
            out[axis, axis], out[axis, 2] = np.polyfit(
                points[close, axis], points[close, 2 + axis], 1
            )
    return out


def _shown(window: Float, pairs: list[tuple[Picture, Picture]]) -> Rect:
    """Return where in the re-share the source's picture stands: captions and bars trimmed off."""
    height, width = pairs[0][1].shape
    source_height, source_width = pairs[0][0].shape
    left = max(0, round(float(window[0, 2])))
    top = max(0, round(float(window[1, 2])))
    right = min(width, round(float(window[0, 0] * source_width + window[0, 2])))
    bottom = min(height, round(float(window[1, 1] * source_height + window[1, 2])))
    apart = np.zeros((max(1, bottom - top), max(1, right - left)), np.float32)
    for one, other in pairs:
        # area averaging first where the re-share is smaller, or the difference is all aliasing
        smooth = 0.4 / max(float(window[0, 0]), 1e-3)
        soft = cv2.GaussianBlur(one, (0, 0), smooth) if smooth > 0.6 else one
        laid = cv2.warpAffine(soft, window, (width, height), flags=cv2.INTER_LINEAR)
        a = laid[top:bottom, left:right].astype(np.float32)
        b = other[top:bottom, left:right].astype(np.float32)
        a, b = (cv2.GaussianBlur(p, (0, 0), max(1.5, 0.01 * height)) for p in (a, b))
        core = tuple(slice(side // 4, max(side // 4 + 1, side - side // 4)) for side in a.shape)
        gain, lift = np.polyfit(a[core].ravel(), b[core].ravel(), 1)
        apart += np.abs(gain * a + lift - b)
    wrong = apart / len(pairs) > DIFFERENT
    rows, columns = wrong.mean(axis=1) > 0.5, wrong.mean(axis=0) > 0.5
    first_row, last_row = _trimmed(rows)
    first_column, last_column = _trimmed(columns)
    return Rect(
        float(left + first_column),
        float(top + first_row),
        float(last_column - first_column),
        float(last_row - first_row),
    )


def _trimmed(wrong: NDArray[np.bool_]) -> tuple[int, int]:
    """Return the first line and the one after the last, without the wrong ones at the ends."""
    right = ~wrong
    solid = np.convolve(right, np.ones(3), "same") >= min(3, len(right))
    good = np.flatnonzero(solid)
    if not len(good):
        return 0, len(wrong)
    first = int(good[0]) - 1 if good[0] > 0 else 0
    last = int(good[-1]) + 2 if good[-1] < len(wrong) - 1 else len(wrong)
    # the sum at the ends has only two lines to add up: they count when their neighbours do
    first = 0 if right[: first + 1].all() and first <= 1 else first
    last = len(wrong) if right[last - 1 :].all() and last >= len(wrong) - 1 else last
    return first, last


# --- for people ---------------------------------------------------------------------------


def side_by_side(
    source: Path | str, share: Path | str, alignment: Alignment, *, at_s: float | None = None
) -> Picture:
    """Return the source with the kept rectangle drawn, and the re-share laid on it, in one picture.

    Parameters
    ----------
    source, share
        As given to `align`.
    alignment
        What it returned.
    at_s
        Time in the re-share; None = its middle.

    Returns
    -------
    (H, 2 W + 16, 3) uint8
        RGB. Nothing is redacted in it.

    Raises
    ------
    UsageError
        If the two are not aligned.
    """
    if not alignment.aligned or alignment.kept is None or alignment.shown is None:
        raise UsageError("the clips are not aligned", alignment.why, "Check which source it is.")
    long_, short = media.probe(source), media.probe(share)
    at = float(short.pts[len(short.pts) // 2]) if at_s is None else at_s
    index = int(np.searchsorted(short.pts, at + 1e-4, side="right") - 1)
    index = min(max(index, 0), len(short.pts) - 1)
    then = float(short.pts[index]) + (alignment.offset_s or 0.0)
    left = _one(long_, int(_nearest(long_.pts, np.array([then]))[0])).copy()
    right = np.zeros_like(left)
    here = _cut(_one(short, index), alignment.shown)
    kept = alignment.kept
    x, y, width, height = (round(v) for v in (kept.x, kept.y, kept.width, kept.height))
    width, height = min(width, left.shape[1] - x), min(height, left.shape[0] - y)
    right[y : y + height, x : x + width] = cv2.resize(
        here, (width, height), interpolation=cv2.INTER_CUBIC
    )
    corner = (x + width - 1, y + height - 1)
    cv2.rectangle(left, (x, y), corner, (0, 0, 0), 5)
    cv2.rectangle(left, (x, y), corner, (255, 255, 255), 1)
    gap = np.full((left.shape[0], GAP, 3), 255, np.uint8)
    return np.asarray(np.hstack([left, gap, right]), np.uint8)


def _one(video: Video, index: int) -> Picture:
    return next(f.rgb for f in media.read(video, np.array([index], np.int64)))


def _cut(rgb: Picture, place: Rect) -> Picture:
    x, y = round(place.x), round(place.y)
    return rgb[y : y + max(1, round(place.height)), x : x + max(1, round(place.width))]
