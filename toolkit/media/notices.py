"""What is odd about a file: a table of conditions, each with the sentence that tells of it.

All of it is said of every file that a probe or a reading finds to be so. Nothing here refuses.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from toolkit._i18n import N_
from toolkit.errors import VideoError
from toolkit.messages import Value, phrase
from toolkit.types import Notice, Video

LATE_S = 0.1
"""From this time of the first picture on it is said that there may have been more before it."""
MISSING_FACTOR = 2.5
"""Frames that are so many times farther apart than each is said to last may lack some between:
more than the two of a field rate that is taken for a frame rate."""
LONG_S = 3600.0
"""From this duration on a video is called long."""


@dataclass(frozen=True)
class Probed:
    """A video with what the decoder said of its file.

    Attributes
    ----------
    video
        Without notices yet.
    facts
        From `decoder.py`; distrusted.
    stored
        Width and height of a picture as it is stored.
    aspect
        Width of a pixel by its height.
    """

    video: Video
    facts: Mapping[str, Any]
    stored: tuple[int, int]
    aspect: float

    def number(self, fact: str) -> int:
        """Return a fact that is a whole number."""
        return whole(self.facts[fact])

    def has(self, fact: str) -> bool:
        """Whether the decoder said something of this, other than 0 or no."""
        return bool(self.facts.get(fact))

    @cached_property
    def gaps(self) -> NDArray[np.float64]:
        """Seconds between frames (N - 1,)."""
        return np.diff(self.video.pts)

    @cached_property
    def middle(self) -> float:
        """Median of the gaps in seconds; 0 where there is none."""
        return float(np.median(self.gaps)) if len(self.gaps) else 0.0

    @property
    def is_cut(self) -> bool:
        """Whether the file ends early. Rounding and an unsaid last length explain a little."""
        return "cut" in self.facts or float(self.facts["unfilled_s"]) > max(0.1, 3 * self.middle)

    @property
    def late_s(self) -> float:
        """Seconds from the beginning of the file to the first picture."""
        return float(self.facts.get("late_s", 0.0))

    @property
    def frame_s(self) -> float:
        """Seconds that the file says a frame lasts; 0 where it says nothing."""
        return float(self.facts.get("frame_s", 0.0))

    @property
    def declared_size(self) -> tuple[int, int]:
        """Width and height that the file declares."""
        return (
            whole(self.facts.get("declared_width", self.stored[0])),
            whole(self.facts.get("declared_height", self.stored[1])),
        )

    @property
    def is_uneven(self) -> bool:
        """Whether frames come unevenly. A quarter of a frame, or 2 ms, is rounded away."""
        if not len(self.gaps):
            return False
        return bool(np.abs(self.gaps - self.middle).max() > max(0.25 * self.middle, 0.002))


@dataclass(frozen=True)
class _Oddity:
    """One thing that can be odd: when it is, what to say, and where in the video."""

    code: str
    template: str
    holds: Callable[[Probed], bool]
    values: Callable[[Probed], Mapping[str, Value]] = lambda _probed: {}
    at_s: Callable[[Probed], float | None] = lambda _probed: None


def _size(pair: tuple[int, int]) -> str:
    return f"{pair[0]}×{pair[1]}"


_ODDITIES = (
    _Oddity(
        "truncated",
        N_("The file is truncated: {n} frames of {declared} declared are there."),
        lambda p: p.is_cut and bool(p.video.frames_declared),
        lambda p: {"n": p.number("packets"), "declared": p.video.frames_declared or 0},
    ),
    _Oddity(
        "truncated",
        N_("The file is truncated: {n} frames are there."),
        lambda p: p.is_cut and not p.video.frames_declared,
        lambda p: {"n": p.number("packets")},
    ),
    _Oddity(
        "damaged",
        N_("The file is damaged: not all of its data could be reached."),
        lambda p: (bool(p.facts["broken"]) or "lost_parts" in p.facts) and not p.is_cut,
    ),
    _Oddity(
        "frame_count",
        N_("The declared frame count is {declared}, but the file holds {packets}."),
        lambda p: p.video.frames_declared not in (None, p.number("packets")),
        lambda p: {"declared": p.video.frames_declared or 0, "packets": p.number("packets")},
    ),
    _Oddity(
        "container",
        N_("The container is damaged: a part claims to reach past the end."),
        lambda p: "overlong" in p.facts,
    ),
    _Oddity(
        "trailing_bytes",
        N_("{n} trailing bytes follow the video and are no part of it."),
        lambda p: "trailing" in p.facts,
        lambda p: {"n": p.number("trailing")},
    ),
    _Oddity(
        "frame_size",
        N_("The declared frame size is {declared}, but pictures are {size}."),
        lambda p: p.declared_size != p.stored,
        lambda p: {"declared": _size(p.declared_size), "size": _size(p.stored)},
    ),
    _Oddity(
        "several_streams",
        N_(
            "The file holds {n} video streams; the one read is number {number} ({size}, {count}"
            " frames)."
        ),
        lambda p: bool(p.facts["streams"] != 1),
        lambda p: {
            "n": p.number("streams"),
            "number": p.number("stream"),
            "size": _size(p.stored),
            "count": len(p.video.pts),
        },
    ),
    _Oddity(
        "no_timestamps",
        N_("There are no timestamps; 25 frames per second are assumed."),
        lambda p: "untimed" in p.facts,
    ),
    _Oddity(
        "no_timestamps",
        N_("There are no timestamps for the display order; they were put in order."),
        lambda p: bool(p.facts["disordered"]) and "untimed" not in p.facts,
    ),
    _Oddity(
        "unread_recordings",
        N_(
            "The file holds {n} recordings one after the other, each with its own index; only the"
            " first is read."
        ),
        lambda p: "unread_recordings" in p.facts,
        lambda p: {"n": p.number("unread_recordings") + 1},
    ),
    _Oddity(
        "clock_restarts",
        N_(
            "The file holds {n} recordings joined end to end: its clock starts anew. All frames are"
            " kept, and times are counted on from the first recording."
        ),
        lambda p: p.has("joins"),
        lambda p: {"n": p.number("recordings")},
        lambda p: (
            whole(p.facts["joins"][0])
            * (whole(p.facts["time_base"][0]) / whole(p.facts["time_base"][1]))
        ),
    ),
    _Oddity(
        "timestamps",
        N_("{n} frames repeat the timestamp of another and are left out."),
        lambda p: p.has("doubles"),
        lambda p: {"n": p.number("doubles")},
    ),
    _Oddity(
        "incomplete_start",
        N_("The first {n} frames need data that is not in the file and are left out."),
        lambda p: p.has("before_key"),
        lambda p: {"n": p.number("before_key")},
    ),
    _Oddity(
        "late_start",
        N_(
            "The first picture comes {seconds:.2f} s after the beginning of the file; what was"
            " before it, if anything, cannot be read."
        ),
        lambda p: p.late_s > max(LATE_S, 3 * p.middle),
        lambda p: {"seconds": p.late_s},
        lambda p: float(p.video.pts[0]),
    ),
    _Oddity(
        "variable_frame_rate",
        N_(
            "Variable frame rate: frames are {low:.0f} to {high:.0f} ms apart,"
            " most of them {middle:.0f} ms."
        ),
        lambda p: p.is_uneven,
        lambda p: {
            "low": 1000 * p.gaps.min(),
            "high": 1000 * p.gaps.max(),
            "middle": 1000 * p.middle,
        },
        lambda p: float(p.video.pts[int(p.gaps.argmax())]),
    ),
    _Oddity(
        "hidden_frames",
        N_("{n} more frames of the file are left out by its edit list; they are not read."),
        lambda p: p.has("hidden"),
        lambda p: {"n": p.number("hidden")},
    ),
    _Oddity(
        "missing_frames",
        N_(
            "Frames are {middle:.0f} ms apart, but the file says that each lasts {declared:.0f} ms:"
            " frames between may be missing."
        ),
        lambda p: 0 < p.frame_s * MISSING_FACTOR < p.middle,
        lambda p: {"middle": 1000 * p.middle, "declared": 1000 * p.frame_s},
    ),
    _Oddity(
        "rotation",
        N_("Frames are stored turned; the rotation of {angle}° is undone."),
        lambda p: bool(p.video.rotation),
        lambda p: {"angle": 90 * p.video.rotation},
    ),
    _Oddity(
        "rotation",
        N_("A rotation of {angle}° is ignored."),
        lambda p: not p.video.rotation and bool(p.facts["rotation"] % 360),
        lambda p: {"angle": p.number("rotation")},
    ),
    _Oddity(
        "pixel_aspect",
        N_("The pixel aspect is {aspect:.5g}:1; the width is changed to square pixels."),
        lambda p: not math.isclose(p.aspect, 1),
        lambda p: {"aspect": p.aspect},
    ),
    _Oddity(
        "interlaced",
        N_(
            "The video is interlaced; of each frame every second line is read, and the others are"
            " drawn from those."
        ),
        lambda p: bool(p.facts["interlaced"]),
    ),
    _Oddity(
        "colour_tag",
        N_(
            "The file names a rare or wrong colour matrix (number {n}); colours are read as usual"
            " for this size."
        ),
        lambda p: bool(p.number("odd_matrix")),
        lambda p: {"n": p.number("odd_matrix")},
    ),
    _Oddity(
        "alpha",
        N_("Frames have an alpha channel and are shown on black."),
        lambda p: bool(p.facts["alpha"]),
    ),
    _Oddity(
        "alpha_apart",
        N_("The file stores transparency apart; it is not read, frames are opaque."),
        lambda p: bool(p.facts["alpha_apart"]),
    ),
    _Oddity(
        "hdr",
        N_("The video has a high dynamic range (PQ); it is tone-mapped for ordinary screens."),
        lambda p: bool(p.facts["hdr"] == "pq"),
    ),
    _Oddity(
        "hdr",
        N_("The video has a high dynamic range; colours are read without tone mapping."),
        lambda p: bool(p.facts["hdr"]) and p.facts["hdr"] != "pq",
    ),
    _Oddity(
        "long_video",
        N_("This is a long video: {hours:.1f} hours, {n} frames."),
        lambda p: p.video.duration_s >= LONG_S,
        lambda p: {"hours": p.video.duration_s / 3600, "n": len(p.video.pts)},
    ),
)
"""In the order in which they are told."""


def notices_of(probed: Probed) -> tuple[Notice, ...]:
    """Return all that is odd about a file.

    Raises
    ------
    VideoError
        If the decoder's facts make no sense.
    """
    return tuple(
        Notice(odd.code, odd.template, odd.at_s(probed), odd.values(probed))
        for odd in _ODDITIES
        if odd.holds(probed)
    )


def whole(value: object) -> int:
    """Return a whole number that the decoder sent.

    Raises
    ------
    VideoError
        If it is none.
    """
    if not isinstance(value, int) or isinstance(value, bool):
        raise VideoError("decoder stopped", phrase("it sent facts that make no sense"))
    return value


def note_change(header: dict[str, Any], video: Video, index: int, notices: list[Notice]) -> None:
    """Report the first change of size and the first change of pixel format."""
    if "was" not in header or "is" not in header:
        return
    (w0, h0, f0), (w1, h1, f1) = header["was"], header["is"]
    told, at_s = {notice.code for notice in notices}, float(video.pts[index])
    if (w0, h0) != (w1, h1) and "size_changes" not in told:
        text = (
            "The frame size changes from {before} to {after};"
            " each picture keeps its shape, within {size}."
        )
        values = {
            "before": f"{whole(w0)}×{whole(h0)}",
            "after": f"{whole(w1)}×{whole(h1)}",
            "size": f"{video.width}×{video.height}",
        }
        notices.append(Notice("size_changes", text, at_s, values))
    if f0 != f1 and "pixel_format_changes" not in told:
        before, after = (re.sub(r"[^a-z0-9_]", "", str(name))[:20] for name in (f0, f1))
        text = "The pixel format changes from {before} to {after}."
        notices.append(
            Notice("pixel_format_changes", text, at_s, {"before": before, "after": after})
        )
