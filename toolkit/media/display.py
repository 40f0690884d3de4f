"""A copy of a video that browsers play: for looking at, never for judging.

The original is what is analysed and hashed. The copy is H.264 in MP4, at most 720p, upright, with
square pixels and no sound. It keeps the time of every frame, so a variable frame rate stays
variable, and it knows which original frame each of its frames shows.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from toolkit._i18n import N_
from toolkit.errors import OutOfRangeError, ShapeError, VideoError
from toolkit.media.video import read, show_name
from toolkit.media.write import TIME_BASE, write_h264
from toolkit.messages import phrase
from toolkit.types import Notice, Tick, Video, no_tick

LINES = 720
"""Most pixels of the shorter side; the longer side may have 16/9 of it."""
LIMIT_BYTES = 20 << 20
"""Largest copy. It goes to the browser whole: what is much larger stalls the page."""
LONGEST_S = 600.0
"""Longest stretch that is copied when the caller names none."""

_RUNGS = ((720, 23), (720, 28), (480, 29), (360, 31))  # lines and CRF, tried in this order
_GOP = 25  # a seek decodes at most so many frames
_SAMPLED_FROM = 1500  # frames; below that a whole copy costs little more than a sample
_WINDOWS = 4  # a sample is so many stretches of one GOP each
_NOTICE = ("code", "template", "at_s", "values")  # as `DisplayCopy.to_dict` writes them


@dataclass(frozen=True, eq=False, repr=False)
class DisplayCopy:
    """A written copy and how it belongs to its original.

    Attributes
    ----------
    path, size
        The MP4 file and its length in bytes.
    width, height
        Of its pictures, in pixels.
    pts : (T,) float64
        Time of each frame in the copy, seconds, strictly increasing from 0.
    indices : (T,) int64
        The original frame that each frame shows, increasing.
    start_s
        Original time of the copy's first frame: ``pts + start_s`` is original time.
    notices
        How the copy differs from what was asked.
    """

    path: Path
    size: int
    width: int
    height: int
    pts: NDArray[np.float64]
    indices: NDArray[np.int64]
    start_s: float
    notices: tuple[Notice, ...] = ()

    def __post_init__(self) -> None:
        rises = len(self.pts) and self.pts[0] == 0 and (np.diff(self.pts) > 0).all()
        if not rises or self.pts.shape != self.indices.shape:
            raise ShapeError(
                "the times of a display copy do not fit",
                phrase(
                    "{times} times, {frames} frames", times=len(self.pts), frames=len(self.indices)
                ),
                "One increasing time per frame is needed, the first 0.",
            )

    def __repr__(self) -> str:
        size = f"{self.width}x{self.height}, {len(self.pts)} frames, {self.size} bytes"
        return f"DisplayCopy({show_name(self.path)}, {size})"

    def frame_of(self, index: int) -> int | None:
        """Return the frame of the copy that shows original frame `index`; None if none does."""
        at = int(np.searchsorted(self.indices, index))
        return at if at < len(self.indices) and self.indices[at] == index else None

    def read_bytes(self) -> bytes:
        """Return the content of the file."""
        return self.path.read_bytes()

    def to_dict(self) -> dict[str, Any]:
        """Return plain values, without the path; `from_dict` makes the same of them again."""
        return {
            "size": self.size,
            "width": self.width,
            "height": self.height,
            "pts": self.pts.tolist(),
            "indices": self.indices.tolist(),
            "start_s": self.start_s,
            "notices": [[n.code, n.template, n.at_s, dict(n.values)] for n in self.notices],
        }

    @classmethod
    def from_dict(cls, path: Path, facts: dict[str, Any]) -> DisplayCopy:
        """Return the copy at `path` that `to_dict` described.

        Raises
        ------
        ShapeError
            If the facts do not fit together.
        """
        try:
            return cls(
                path=path,
                size=int(facts["size"]),
                width=int(facts["width"]),
                height=int(facts["height"]),
                pts=np.asarray(facts["pts"], np.float64),
                indices=np.asarray(facts["indices"], np.int64),
                start_s=float(facts["start_s"]),
                notices=tuple(
                    Notice.from_plain(dict(zip(_NOTICE, n, strict=False))) for n in facts["notices"]
                ),
            )
        except (KeyError, TypeError, ValueError) as error:
            if isinstance(error, ShapeError):
                raise
            raise ShapeError("the facts of a display copy do not fit", show_name(path)) from error


def display_copy(
    video: Video,
    out: Path | str,
    *,
    lines: int = LINES,
    limit_bytes: int = LIMIT_BYTES,
    start_s: float | None = None,
    end_s: float | None = None,
    longest_s: float = LONGEST_S,
    tick: Tick = no_tick,
) -> DisplayCopy:
    """Write a copy that browsers play.

    A copy that would be larger than `limit_bytes` is made with fewer lines and fewer bits, and
    says so in its notices.

    Parameters
    ----------
    video
        From `probe`.
    out
        MP4 file to write: complete, or not at all.
    lines
        Most pixels of the shorter side, up to 720; nothing is enlarged.
    limit_bytes
        Largest size of the file.
    start_s, end_s
        Stretch to copy, in original seconds; None = from the first frame, to the last.
    longest_s
        With no `end_s`, a longer video is copied for so many seconds only; a notice says which.
    tick
        Called with the stage ``"display"`` and numbers of frames.

    Returns
    -------
    DisplayCopy
        Frames that cannot be decoded are left out.

    Raises
    ------
    UsageError
        If the stretch holds no frame, or `lines` is too small.
    VideoError
        If the video cannot be read, or its copy stays above `limit_bytes`.
    OSError
        If the file cannot be written.
    Cancelled
        If `tick` raises it.
    """
    out = Path(out)
    if lines < 16:
        raise OutOfRangeError("too few lines for a picture", str(lines), "Use at least 16.")
    wanted = _stretch(video, start_s, end_s, longest_s)
    rungs = [(min(lines, most), crf) for most, crf in _RUNGS if most <= lines or crf < 29]
    asked = rungs[0]
    if len(wanted) > _SAMPLED_FROM:
        rungs = _fitting(
            video, wanted, rungs, limit_bytes=limit_bytes, folder=out.parent, tick=tick
        )
    size = 0
    for rung in rungs:
        with tempfile.TemporaryDirectory(dir=out.parent) as folder:
            trial = Path(folder, "copy.mp4")
            shown, notices = _write(video, wanted, trial, rung, tick)
            size = trial.stat().st_size
            if size <= limit_bytes:
                trial.replace(out)
                if rung != asked:
                    notices.append(_smaller(video, rung))
                return _describe(video, out, size, shown, lines=rung[0], notices=notices)
    raise _too_large(video, size, limit_bytes)


def _stretch(
    video: Video, start_s: float | None, end_s: float | None, longest_s: float
) -> NDArray[np.int64]:
    """Return the indices to copy: within the stretch, each at least one tick after the last."""
    first = float(video.pts[0]) if start_s is None else start_s
    last = first + longest_s if end_s is None else end_s
    inside = np.flatnonzero((video.pts >= first) & (video.pts <= last)).astype(np.int64)
    if not len(inside):
        stretch = N_("{start:.2f} to {end:.2f} s")
        raise OutOfRangeError(
            "no frame lies in this stretch",
            phrase(stretch, start=first, end=last),
            "The video has {stretch}.",
            stretch=phrase(stretch, start=video.pts[0], end=video.pts[-1]),
        )
    return inside[_advancing(video.pts[inside])]


def _advancing(pts: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Tell which times differ by a tick from the one before, counted from the first."""
    ticks = _ticks(pts)
    return np.concatenate([[True], np.diff(np.maximum.accumulate(ticks)) > 0])


def _ticks(pts: NDArray[np.float64]) -> NDArray[np.int64]:
    return np.asarray(np.rint((pts - pts[0]) * TIME_BASE.denominator), np.int64)


def _size(video: Video, lines: int) -> tuple[int, int]:
    """Return even sides within `lines` and 16/9 of it; nothing is enlarged."""
    short, long = sorted((video.width, video.height))
    scale = min(1.0, lines / short, lines * 16 / 9 / long)
    width, height = (max(2, round(side * scale / 2) * 2) for side in (video.width, video.height))
    return width, height


def _write(
    video: Video, wanted: NDArray[np.int64], out: Path, rung: tuple[int, int], tick: Tick
) -> tuple[NDArray[np.int64], list[Notice]]:
    """Write the wanted frames; return those that could be decoded, and what was found."""
    while True:
        seen: list[int] = []
        notices: list[Notice] = []
        frames = _pictures(video, wanted, rung[0], seen=seen, notices=notices, tick=tick)
        pts = _ticks(video.pts[wanted]) / TIME_BASE.denominator
        try:
            # Not reordered: just before a key frame browsers would seek one frame too far.
            write_h264(out, frames, pts, crf=rung[1], gop=_GOP, reorder=False)
        except ShapeError:
            # The encoder needs the times beforehand, but which frames decode is known afterwards.
            if not 0 < len(seen) < len(wanted):
                raise
            wanted = np.asarray(seen, np.int64)
            continue
        return wanted, notices


def _pictures(
    video: Video,
    wanted: NDArray[np.int64],
    lines: int,
    *,
    seen: list[int],
    notices: list[Notice],
    tick: Tick,
) -> Iterator[NDArray[np.uint8]]:
    import cv2

    size = _size(video, lines)
    for frame in read(video, wanted, tick=tick, stage="display", notices=notices):
        seen.append(frame.index)
        picture = frame.rgb
        if picture.shape[1::-1] != size:
            picture = cv2.resize(picture, size, interpolation=cv2.INTER_AREA)
        yield picture


def _fitting(
    video: Video,
    wanted: NDArray[np.int64],
    rungs: Sequence[tuple[int, int]],
    *,
    limit_bytes: int,
    folder: Path,
    tick: Tick,
) -> list[tuple[int, int]]:
    """Leave out the rungs whose sample says that the whole would be too large."""
    starts = np.linspace(0, len(wanted) - _GOP, _WINDOWS).astype(int)
    sample = np.unique(np.concatenate([wanted[s : s + _GOP] for s in starts]))
    expected = 0.0
    for position, rung in enumerate(rungs):
        with tempfile.TemporaryDirectory(dir=folder) as place:
            trial = Path(place, "sample.mp4")
            shown, _notices = _write(video, sample, trial, rung, tick)
            expected = trial.stat().st_size / len(shown) * len(wanted)
        if expected <= limit_bytes:
            return list(rungs[position:])
    raise _too_large(video, round(expected), limit_bytes)


def _too_large(video: Video, size: int, limit_bytes: int) -> VideoError:
    return VideoError(
        "the display copy is too large for a browser",
        phrase(
            "{name}, {size:.1f} MiB, limit {limit:.1f} MiB",
            name=show_name(video.path),
            size=size / 2**20,
            limit=limit_bytes / 2**20,
        ),
        "Choose a shorter stretch (start_s, end_s), or raise limit_bytes.",
    )


def _smaller(video: Video, rung: tuple[int, int]) -> Notice:
    width, height = _size(video, rung[0])
    text = "To stay small, the copy has {width}×{height} pixels and a lower quality."
    return Notice("display_quality", text, values={"width": width, "height": height})


def _describe(
    video: Video,
    out: Path,
    size: int,
    shown: NDArray[np.int64],
    *,
    lines: int,
    notices: list[Notice],
) -> DisplayCopy:
    width, height = _size(video, lines)
    start_s, end_s = float(video.pts[shown[0]]), float(video.pts[shown[-1]])
    if shown[0] > 0 or shown[-1] < len(video.pts) - 1:
        text = "The copy shows {start:.2f} to {end:.2f} s of {all:.2f} s."
        values = {"start": start_s, "end": end_s, "all": video.duration_s}
        notices.append(Notice("display_stretch", text, start_s, values))
    return DisplayCopy(
        path=out,
        size=size,
        width=width,
        height=height,
        pts=_ticks(video.pts[shown]) / TIME_BASE.denominator,
        indices=shown,
        start_s=start_s,
        notices=tuple(notices),
    )
