"""Cover faces in everything that leaves a case: the person filmed may be the victim.

A cover is a solid rectangle over the face's box grown by 30 % on each side. It is drawn before
anything is encoded, so the encoder never sees what lies beneath. Every frame is searched for faces,
with a lower bar than the analysis uses; a box is held for a second before and after each sighting.
Faces of nobody that is known are covered too. Only a face that stands where a revealed person was
tracked *and* resembles that person stays visible; the embeddings for that are never kept.

What this cannot do: a face that the detector misses for more than a second stays visible, and a
person may be known by clothes, hair, surroundings or movements. A person has to look.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from toolkit import media
from toolkit.errors import ToolkitError, UsageError
from toolkit.faces.detect import Detection, FaceDetector, iou
from toolkit.faces.identity import HEIGHT_MIN, SAME_PERSON_MIN, Identity
from toolkit.files import atomic_path
from toolkit.messages import phrase
from toolkit.types import FaceCrops, FaceTrack, KeyFrame, Report, Tick, TrackResult, Video, no_tick

Picture = NDArray[np.uint8]
Box = tuple[int, int, int, int]

GROW = 0.30
"""How far a cover reaches beyond the face's box, on each side, in sides of the box."""
HOLD_S = 1.0
"""How long a box is held before and after each sighting."""
ROUNDING_S = 1e-6
SCORE_MIN = 0.35  # below the analysis' 0.6: a cover too many costs nothing, one too few a face
LINK_IOU = 0.3
COLOUR = (64, 64, 64)
LETTER = (224, 224, 224)
CHECKS_PER_SECOND = 4.0
FINE_S = 0.2  # how often small and large faces get a search of their own; held in between
FINE_SIDES = (320, 1280)
ON_COVER = 0.6  # of a detection's area; then it is the cover that was taken for a face
ROUNDS_MAX = 3
CRF = 20


class RedactionError(ToolkitError, RuntimeError):
    """A face that must be covered was found in an export; nothing was written."""


@dataclass(frozen=True)
class Cover:
    """One cover: frame index, person (None = nobody that is known), box x, y, width, height."""

    index: int
    person: str | None
    box: Box


@dataclass(frozen=True, eq=False, repr=False)
class Covers:
    """The covers of every frame of a video.

    Attributes
    ----------
    reveal
        Persons who stay visible.
    by_index
        Covers by frame index; a frame that is not here shows no face that must be covered.
    visible
        Boxes of revealed faces by frame index, as detected: x, y, width, height.
    """

    reveal: frozenset[str]
    by_index: Mapping[int, tuple[Cover, ...]]
    visible: Mapping[int, tuple[Box, ...]]

    def __repr__(self) -> str:
        count = sum(map(len, self.by_index.values()))
        return f"Covers({count} covers in {len(self.by_index)} frames, reveal={set(self.reveal)})"

    def at(self, index: int) -> tuple[Cover, ...]:
        """Return the covers of a frame."""
        return self.by_index.get(index, ())

    def frame(self, rgb: Picture, index: int) -> Picture:
        """Return a copy of frame `index`, (H, W, 3) uint8, with its covers drawn."""
        out = rgb.copy()
        for cover in self.at(index):
            _draw(out, cover)
        return out

    def crop(self, rgb: Picture, crop_to_frame: NDArray[np.float64], index: int) -> Picture:
        """Return a copy of a crop of frame `index` with the frame's covers drawn.

        Parameters
        ----------
        rgb : (S, S, 3) uint8
        to_frame : (2, 3) float64
            Affine map from crop pixels to frame pixels.
        """
        out = rgb.copy()
        to_crop = cv2.invertAffineTransform(np.asarray(crop_to_frame, np.float64))
        for cover in self.at(index):
            x, y, width, height = cover.box
            corners = np.array([(x, y), (x + width, y), (x + width, y + height), (x, y + height)])
            inside = corners @ to_crop[:, :2].T + to_crop[:, 2]
            cv2.fillConvexPoly(out, np.rint(inside).astype(np.int32), COLOUR)
        return out

    def to_dict(self) -> dict[str, Any]:
        """Return plain values: which frames are covered for whom, no boxes."""
        frames: dict[str, int] = {}
        for covers in self.by_index.values():
            for person in {c.person or "?" for c in covers}:
                frames[person] = frames.get(person, 0) + 1
        return {
            "reveal": sorted(self.reveal),
            "frames_covered": dict(sorted(frames.items())),
            "grow": GROW,
            "hold_s": HOLD_S,
        }


class _Watchful(FaceDetector):
    """The face detector with a lower bar."""

    def __init__(self) -> None:
        super().__init__()
        self._net.setScoreThreshold(SCORE_MIN)

    def search(self, rgb: Picture, *, is_fine: bool) -> list[Detection]:
        """Return the faces of a picture; a fine search looks for small and large ones too."""
        faces = self(rgb)
        longest = max(rgb.shape[:2])
        for side in FINE_SIDES if is_fine else ():
            if side < longest:
                more = self(rgb, long_side=side)
                faces += [f for f in more if all(iou(f.box, g.box) < LINK_IOU for g in faces)]
        return faces


# --- finding ------------------------------------------------------------------------------


@dataclass(frozen=True, eq=False)
class _Sighting:
    """A face found in a frame: its box, the revealed person whose place it stands in, embedding."""

    box: NDArray[np.float64]
    place_of: str | None
    vector: NDArray[np.float64] | None


def find_covers(
    video: Video,
    tracks: Sequence[FaceTrack],
    *,
    reveal: Collection[str] = (),
    tick: Tick = no_tick,
) -> Covers:
    """Search every frame for faces and decide what is covered.

    Parameters
    ----------
    video
        From `media.probe`, or a report's.
    tracks
        The persons that the analysis found.
    reveal
        Persons who stay visible, by letter.
    tick
        Called with the stage ``"cover"``.

    Raises
    ------
    UsageError
        If a person to reveal is not among `tracks`.
    ModelError
        If somebody is to be revealed and the identity network is missing, or the face detector is.
    VideoError
        If the video cannot be read.
    Cancelled
        If `tick` raises it.
    """
    uncovered = frozenset(reveal)
    if unknown := sorted(uncovered - {t.person for t in tracks}):
        known = ", ".join(t.person for t in tracks) or "nobody"
        raise UsageError(
            "no such person to reveal", ", ".join(unknown), "Known: {known}.", known=known
        )
    detector, identity = _Watchful(), Identity() if uncovered else None
    revealed = [t for t in tracks if t.person in uncovered]
    sightings: dict[int, list[_Sighting]] = {}
    every, finest = np.arange(len(video.pts), dtype=np.int64), -np.inf
    for frame in media.read(video, every, tick=tick, stage="cover"):
        is_fine = frame.pts_seconds >= finest + FINE_S
        finest = frame.pts_seconds if is_fine else finest
        faces = detector.search(frame.rgb, is_fine=is_fine)
        places = _places(revealed, faces, frame.pts_seconds)
        sightings[frame.index] = [
            _Sighting(
                face.box,
                place,
                identity(frame.rgb, face.points)
                if identity and place and face.box[3] >= HEIGHT_MIN
                else None,
            )
            for face, place in zip(faces, places, strict=True)
        ]
    visible = _visible(sightings, revealed)
    return _covers(video, tracks, sightings, visible, uncovered)


def _places(
    revealed: Sequence[FaceTrack], faces: Sequence[Detection], at_s: float
) -> list[str | None]:
    """Return for each face the revealed person who was tracked there, one face a person."""
    places: list[str | None] = [None] * len(faces)
    for track in revealed:
        expected = _expected(track, at_s)
        if expected is None:
            continue
        overlaps = [iou(f.box, expected) for f in faces]
        best = int(np.argmax(overlaps)) if overlaps else -1
        if best >= 0 and overlaps[best] >= LINK_IOU and places[best] is None:
            places[best] = track.person
    return places


def _expected(track: FaceTrack, at_s: float) -> NDArray[np.float64] | None:
    """Return where a person is between two sightings of one stretch, else None: never a guess."""
    after = int(np.searchsorted(track.pts, at_s))
    if after < len(track.pts) and track.pts[after] == at_s:
        return np.asarray(track.boxes[after])
    if after == 0 or after == len(track.pts):
        return None
    before = after - 1
    gap = float(track.pts[after] - track.pts[before])
    if track.shots[before] != track.shots[after] or gap > 2 * HOLD_S:
        return None
    part = (at_s - float(track.pts[before])) / gap
    return np.asarray((1 - part) * track.boxes[before] + part * track.boxes[after])


def _visible(
    found: Mapping[int, Sequence[_Sighting]], revealed: Sequence[FaceTrack]
) -> dict[int, list[tuple[str, NDArray[np.float64]]]]:
    """Return the faces that may be seen: in a revealed person's place, and alike that person."""
    means: dict[str, NDArray[np.float64]] = {}
    for track in revealed:
        sampled = [
            s.vector
            for index in track.indices.tolist()
            for s in found.get(index, ())
            if s.place_of == track.person and s.vector is not None
        ]
        if sampled:
            means[track.person] = np.mean(sampled, axis=0)
    return {
        index: [
            (s.place_of, s.box)
            for s in sightings
            if s.place_of is not None
            and s.vector is not None
            and s.place_of in means
            and _cosine(s.vector, means[s.place_of]) >= SAME_PERSON_MIN
        ]
        for index, sightings in found.items()
    }


def _cosine(a: NDArray[np.float64], b: NDArray[np.float64]) -> float:
    return float(a @ b / max(float(np.linalg.norm(a) * np.linalg.norm(b)), 1e-12))


def _covers(
    video: Video,
    tracks: Sequence[FaceTrack],
    found: Mapping[int, Sequence[_Sighting]],
    visible: Mapping[int, Sequence[tuple[str, NDArray[np.float64]]]],
    shown: frozenset[str],
) -> Covers:
    """Hold each sighting, add the tracked boxes, and take out what stands on a visible face."""
    hidden = [t for t in tracks if t.person not in shown]
    sightings: list[_Seen] = []
    for index, here in found.items():
        open_ = [box for _person, box in visible.get(index, ())]
        sightings += [
            _Seen(index, _name(hidden, s.box, float(video.pts[index])), s.box)
            for s in here
            if not any(s.box is box for box in open_)
        ]
    for track in hidden:
        sightings += [
            _Seen(int(i), track.person, box)
            for i, box in zip(track.indices, track.boxes, strict=True)
        ]
    held: dict[int, dict[Cover, None]] = {}
    for seen, first, last in _stretches(sightings, video.pts):
        cover_box = grow(seen.box, width=video.width, height=video.height)
        for i in range(first, last):
            # a held box gives way to a face that was identified in its place; a sighting never does
            if i != seen.index and any(
                iou(seen.box, b) >= LINK_IOU for _p, b in visible.get(i, ())
            ):
                continue
            held.setdefault(i, {})[Cover(i, seen.person, cover_box)] = None
    return Covers(
        shown,
        {i: _merged(tuple(covers), i) for i, covers in sorted(held.items())},
        {
            i: tuple(_whole_box(box) for _person, box in faces)
            for i, faces in visible.items()
            if faces
        },
    )


@dataclass(frozen=True, eq=False)
class _Seen:
    """A face to cover: where it was found, and who it is if that is known."""

    index: int
    person: str | None
    box: NDArray[np.float64]


def _stretches(
    sightings: Sequence[_Seen], pts: NDArray[np.float64]
) -> Iterator[tuple[_Seen, int, int]]:
    """Yield each sighting with the first frame it is held for, and the one after the last.

    It is held to the sightings of the same face next to it; where there is none within `HOLD_S`,
    for that long. So a frame between two sightings gets both boxes.
    """
    order = sorted(sightings, key=lambda s: (s.index, s.box.tolist()))
    for position, seen in enumerate(order):
        at_s = float(pts[seen.index])
        first = int(np.searchsorted(pts, at_s - HOLD_S - ROUNDING_S))
        last = int(np.searchsorted(pts, at_s + HOLD_S + ROUNDING_S, side="right"))
        for other in order[position + 1 :]:
            if other.index >= last:
                break
            if other.index > seen.index and iou(other.box, seen.box) >= LINK_IOU:
                last = other.index
                break
        for other in reversed(order[:position]):
            if other.index < first:
                break
            if other.index < seen.index and iou(other.box, seen.box) >= LINK_IOU:
                first = other.index + 1
                break
        yield seen, first, last


def _name(hidden: Sequence[FaceTrack], box: NDArray[np.float64], at_s: float) -> str | None:
    """Return the covered person who was tracked there, for the letter on the cover."""
    best, name = LINK_IOU, None
    for track in hidden:
        near = int(np.argmin(np.abs(track.pts - at_s)))
        if abs(float(track.pts[near]) - at_s) <= HOLD_S:
            overlap = iou(box, track.boxes[near])
            if overlap >= best:
                best, name = overlap, track.person
    return name


def _merged(covers: tuple[Cover, ...], index: int) -> tuple[Cover, ...]:
    """Join the overlapping covers of one person to one rectangle, so that a still face is one."""
    out: list[Cover] = []
    for person in sorted({c.person for c in covers}, key=lambda p: p or "?"):
        boxes = [c.box for c in covers if c.person == person]
        while boxes:
            box, rest = boxes[0], boxes[1:]
            touching = [b for b in rest if _touch(box, b)]
            if touching:
                rest = [b for b in rest if b not in touching]
                boxes = [_union(box, *touching), *rest]
            else:
                out.append(Cover(index, person, box))
                boxes = rest
    return tuple(out)


def _touch(a: Box, b: Box) -> bool:
    return a[0] < b[0] + b[2] and b[0] < a[0] + a[2] and a[1] < b[1] + b[3] and b[1] < a[1] + a[3]


def _union(*boxes: Box) -> Box:
    left, top = min(b[0] for b in boxes), min(b[1] for b in boxes)
    right, bottom = max(b[0] + b[2] for b in boxes), max(b[1] + b[3] for b in boxes)
    return left, top, right - left, bottom - top


def grow(box: NDArray[np.float64], *, width: int, height: int) -> Box:
    """Return a box x, y, width, height grown by `GROW` on each side, within the picture.

    Sides lie on multiples of 8 pixels, so that a cover tells as little as possible of the face's
    exact outline, and no block of the encoder mixes cover and face.

    Examples
    --------
    >>> grow(np.array([100.0, 100, 50, 60]), width=400, height=300)
    (80, 80, 88, 104)
    """
    x, y, w, h = (float(v) for v in box)
    left = max(0, int((x - GROW * w) // 8) * 8)
    top = max(0, int((y - GROW * h) // 8) * 8)
    right = min(width, -int(-(x + w + GROW * w) // 8) * 8)
    bottom = min(height, -int(-(y + h + GROW * h) // 8) * 8)
    return left, top, max(0, right - left), max(0, bottom - top)


def _whole_box(box: NDArray[np.float64]) -> Box:
    x, y, w, h = (round(float(v)) for v in box)
    return x, y, w, h


def _draw(rgb: Picture, cover: Cover) -> None:
    x, y, width, height = cover.box
    if width < 1 or height < 1:
        return
    rgb[y : y + height, x : x + width] = COLOUR
    size = min(width, height) / 60
    if size < 0.3:
        return
    letter, font, thick = cover.person or "?", cv2.FONT_HERSHEY_SIMPLEX, max(1, round(2 * size))
    (wide, tall), _base = cv2.getTextSize(letter, font, size, thick)
    at = (x + (width - wide) // 2, y + (height + tall) // 2)
    inside = rgb[y : y + height, x : x + width].copy()
    cv2.putText(inside, letter, (at[0] - x, at[1] - y), font, size, LETTER, thick, cv2.LINE_AA)
    rgb[y : y + height, x : x + width] = inside


# --- writing ------------------------------------------------------------------------------


def redact_video(
    video: Video,
    covers: Covers,
    out: Path | str,
    *,
    crf: int = CRF,
    max_height: int | None = None,
    tick: Tick = no_tick,
) -> Covers:
    """Write a covered copy: H.264, no sound, no metadata, the times of the frames kept.

    The copy is searched for faces before it appears under its name. A face that is found there is
    covered too and the copy is written again, at most `ROUNDS_MAX` times.

    Parameters
    ----------
    video, covers
        What to copy, and the covers of `find_covers`.
    out
        MP4 file; complete, or not written at all.
    crf, max_height
        Quality, and most lines of the copy; None = as the video.
    tick
        Called with the stages ``"redact"`` and ``"redact_check"``.

    Returns
    -------
    Covers
        Those that were used in the end: use them for every other picture of this video.

    Raises
    ------
    RedactionError
        If a face is still found after the last round.
    VideoError
        If the video cannot be read.
    Cancelled
        If `tick` raises it.
    """
    for _round in range(ROUNDS_MAX):
        try:
            with atomic_path(out) as temporary:
                _write(video, covers, temporary, crf=crf, max_height=max_height, tick=tick)
                missed = _uncovered(video, covers, temporary, tick)
                if missed:
                    raise _Missed
        except _Missed:
            more = [_Seen(index, None, box) for index, box in missed]
            covers = _with_more(video, covers, more)
        else:
            return covers
    raise RedactionError(
        "a face stayed uncovered; no copy was written",
        phrase(
            "{n} found, the first at {at_s:.2f} s",
            n=len(missed),
            at_s=float(video.pts[missed[0][0]]),
        ),
        "Cut that part out, or leave the video out of the report.",
    )


class _Missed(Exception):  # noqa: N818 - it undoes the copy, and never leaves this module
    """A face was found in the copy."""


def _write(
    video: Video, covers: Covers, out: Path, *, crf: int, max_height: int | None, tick: Tick
) -> None:
    def pictures() -> Iterator[Picture]:
        done, last = 0, np.full((video.height, video.width, 3), COLOUR, np.uint8)
        every = np.arange(len(video.pts), dtype=np.int64)
        for frame in media.read(video, every, tick=tick, stage="redact"):
            for _missing in range(done, frame.index):  # what cannot be decoded is never shown
                yield _fit(last, max_height)
            last, done = covers.frame(frame.rgb, frame.index), frame.index + 1
            yield _fit(last, max_height)
        for _missing in range(done, len(video.pts)):
            yield _fit(last, max_height)

    times = video.pts - min(0.0, float(video.pts[0]))
    media.write_h264(out, pictures(), times, crf=crf)


def _fit(rgb: Picture, max_height: int | None) -> Picture:
    height, width = rgb.shape[:2]
    if max_height is None or height <= max_height:
        return rgb
    size = (max(2, round(width * max_height / height)), max_height)
    return np.asarray(cv2.resize(rgb, size, interpolation=cv2.INTER_AREA), np.uint8)


def _uncovered(
    video: Video, covers: Covers, copy: Path, tick: Tick
) -> list[tuple[int, NDArray[np.float64]]]:
    """Return frame index and box, in the video's pixels, of faces that show in the copy."""
    detector, written = _Watchful(), media.probe(copy)
    step = max(1, round(len(video.pts) / max(1.0, CHECKS_PER_SECOND * video.duration_s)))
    wanted = np.arange(0, len(written.pts), step, dtype=np.int64)
    uncovered = []
    for frame in media.read(written, wanted, tick=tick, stage="redact_check"):
        height, width = frame.rgb.shape[:2]
        back = np.array([video.width / width, video.height / height] * 2)
        for face in detector(frame.rgb):
            box = face.box * back
            if not _is_settled(box, covers, frame.index):
                uncovered.append((frame.index, box))
    return uncovered


def _is_settled(box: NDArray[np.float64], covers: Covers, index: int) -> bool:
    """Tell whether a detection is a face that may be seen, or lies on a cover."""
    if any(iou(box, np.array(b, np.float64)) >= LINK_IOU for b in covers.visible.get(index, ())):
        return True
    x, y, w, h = (float(v) for v in box)
    area = max(w * h, 1e-9)
    for cover in covers.at(index):
        cx, cy, cw, ch = cover.box
        wide = min(x + w, cx + cw) - max(x, cx)
        tall = min(y + h, cy + ch) - max(y, cy)
        if wide > 0 and tall > 0 and wide * tall >= ON_COVER * area:
            return True
    return False


def _with_more(video: Video, covers: Covers, more: Sequence[_Seen]) -> Covers:
    by_index = {i: dict.fromkeys(c) for i, c in covers.by_index.items()}
    for seen, first, last in _stretches(more, video.pts):
        box = grow(seen.box, width=video.width, height=video.height)
        for i in range(first, last):
            by_index.setdefault(i, {})[Cover(i, seen.person, box)] = None
    merged = {i: _merged(tuple(sightings), i) for i, sightings in sorted(by_index.items())}
    return dataclasses.replace(covers, by_index=merged)


# --- single pictures ----------------------------------------------------------------------


def redact_frame(video: Video, covers: Covers, index: int) -> Picture:
    """Read one frame and return it covered.

    Raises
    ------
    RedactionError
        If a face is found in it that must be covered.
    VideoError
        If the frame cannot be read.
    """
    wanted = np.array([index], np.int64)
    rgb = next(covers.frame(f.rgb, index) for f in media.read(video, wanted))
    for face in _Watchful()(rgb):
        if not _is_settled(face.box, covers, index):
            raise RedactionError("a face stayed uncovered", phrase("frame {index}", index=index))
    return rgb


def check_picture(rgb: Picture, *, allowed: Sequence[Box] = ()) -> None:
    """Search a picture that is about to leave the case.

    Parameters
    ----------
    rgb : (H, W, 3) uint8
    allowed
        Boxes x, y, width, height of faces that may be seen.

    Raises
    ------
    RedactionError
        If there is a face outside of them.
    """
    for face in _Watchful()(rgb):
        if not any(iou(face.box, np.array(b, np.float64)) >= LINK_IOU for b in allowed):
            at = ", ".join(f"{v:.0f}" for v in face.box)
            raise RedactionError(
                "a face stayed uncovered", phrase("at {at}", at=at), "Cover it first."
            )


def blank_crop(size: int, person: str) -> Picture:
    """Return a solid (size, size, 3) picture with a person's letter, in place of a crop."""
    out = np.zeros((size, size, 3), np.uint8)
    _draw(out, Cover(0, person, (0, 0, size, size)))
    return out


def redact_report(report: Report, covers: Covers, crops: Mapping[str, FaceCrops]) -> Report:
    """Return the report as it may leave the case.

    The key frames of persons who are not revealed become `blank_crop`; those of revealed persons
    are covered where somebody else shows. Meshes, boxes and poses of covered persons become zero,
    and the path of the video a neutral name. Numbers of the verdict stay as they are.

    Parameters
    ----------
    report
        As `analysis.examine` gives it.
    covers
        As `redact_video` returned them.
    crops
        By person; a revealed person without crops is blanked.
    """
    neutral = dataclasses.replace(report.video, path=Path("exhibit" + report.video.path.suffix[:5]))
    tracks = tuple(_redact_track(r, covers, crops.get(r.track.person)) for r in report.tracks)
    return dataclasses.replace(report, video=neutral, tracks=tracks)


def _in_frame(
    faces: Sequence[Detection], crop_to_frame: NDArray[np.float64]
) -> Iterator[NDArray[np.float64]]:
    """Yield the boxes of faces found in a crop, in pixels of its frame."""
    for face in faces:  # a crop may be turned: its box becomes the upright one round it
        corners = face.box[:2] + face.box[2:] * np.array([[0, 0], [1, 0], [0, 1], [1, 1]])
        placed = corners @ crop_to_frame[:, :2].T + crop_to_frame[:, 2]
        yield np.concatenate([placed.min(axis=0), np.ptp(placed, axis=0)])


def _redact_track(result: TrackResult, covers: Covers, crops: FaceCrops | None) -> TrackResult:
    track = result.track
    if track.person in covers.reveal and crops is not None:
        detector = _Watchful()
        kept = []
        for key in result.key_frames:
            index, crop_to_frame = (
                int(track.indices[key.position]),
                crops.crop_to_frame[key.position],
            )
            rgb = covers.crop(key.rgb, crop_to_frame, index)
            if any(
                not _is_settled(b, covers, index) for b in _in_frame(detector(rgb), crop_to_frame)
            ):
                rgb = blank_crop(len(rgb), track.person)  # no picture rather than a bystander's
            kept.append(dataclasses.replace(key, rgb=rgb))
        return dataclasses.replace(result, key_frames=tuple(kept))
    blank = tuple(
        KeyFrame(key.position, blank_crop(key.rgb.shape[0], track.person), key.heat)
        for key in result.key_frames
    )
    anonymous = dataclasses.replace(
        track,
        boxes=np.zeros_like(track.boxes),
        mesh=np.zeros_like(track.mesh),
        pose=np.zeros_like(track.pose),
    )
    return dataclasses.replace(result, track=anonymous, key_frames=blank)
