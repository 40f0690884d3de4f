"""Send a clip along a re-share chain: what reaches an investigator is rarely the upload.

A chain is a text such as ``crop25,scale480,crf33``; its steps are done in order, alike for genuine
and forged clips, and give the same file each time on the same machine. Sound is left out.

    chain = step ("," step)*          blanks round a step are allowed
    step  = word [whole number]       as in the table; no other number, sign or fraction

========== =====================================================================
crop25     25 % is cut from each side, above and below: 0 to 45
strip12    12 % is cut off below, as to remove a logo or a line of text: 1 to 40
scale480   480 lines, with an area filter when it shrinks: 64 to 2160
crf33      coded as H.264 and decoded again: 0 to 51; give it twice for two shares
caption    a white bar with black text is added on top, 12 % of the height
vertical   720 x 1280 with black bars
fps24      24 frames per second, whole frames dropped or repeated: 5 to 60
screen     a recording of a screen: shown at 90 %, enlarged again, softened, 30 per second
========== =====================================================================

Steps between two ``crf`` belong to one share and are coded once; a chain that does not end with
``crf`` is coded at CRF 18 at the end. Within one share the frame rate is changed first. So
``crop10,caption,scale480,crf28,crf28`` is cut, captioned, scaled and coded, then coded again.
"""

from __future__ import annotations

import re
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from toolkit._i18n import _
from toolkit.errors import OutOfRangeError, UsageError
from toolkit.media.video import probe, read
from toolkit.media.write import write_h264
from toolkit.types import Tick, Video, no_tick

Picture = NDArray[np.uint8]

PRESET = "medium"  # what platforms use is slower; live streams are faster
LAST_CRF = 18  # of a chain that does not end with a step crf
CAPTION_PART, CAPTION = 0.12, "WATCH THIS"
VERTICAL = (720, 1280)
SCREEN_PART, SCREEN_BLUR, SCREEN_FPS = 0.9, 0.7, 30

_RANGES: dict[str, tuple[int, int] | None] = {
    "crop": (0, 45),
    "scale": (64, 2160),
    "crf": (0, 51),
    "caption": None,
    "vertical": None,
    "fps": (5, 60),
    "strip": (1, 40),
    "screen": None,
}


@dataclass(frozen=True)
class ReshareStep:
    """One step of a chain; `value` is 0 for the steps that take none."""

    kind: str
    value: int = 0

    def __str__(self) -> str:
        return self.kind if _RANGES[self.kind] is None else f"{self.kind}{self.value}"


def parse(text: str) -> tuple[ReshareStep, ...]:
    """Return the steps of a chain.

    Raises
    ------
    UsageError
        If there is none, a step is unknown, or its number is out of range.

    Examples
    --------
    >>> ",".join(str(s) for s in parse("crop25, scale480,crf33,crf33"))
    'crop25,scale480,crf33,crf33'
    """
    steps = []
    for word in (w.strip() for w in text.split(",") if w.strip()):
        found = re.fullmatch(r"([a-z]+?)(\d{0,4})", word, re.ASCII)
        kind, number = found.groups() if found else ("", "")
        if kind not in _RANGES:
            known = ", ".join(k if r is None else f"{k}N" for k, r in _RANGES.items())
            raise UsageError(
                "unknown step of a re-share chain", repr(word), "Known: {known}.", known=known
            )
        limits = _RANGES[kind]
        if bool(number) != bool(limits) or (limits and not limits[0] <= int(number) <= limits[1]):
            raise OutOfRangeError(
                "a re-share step does not fit",
                repr(word),
                "Use {step}N, N from {low} to {high}." if limits else "Use {step}.",
                step=kind,
                low=limits[0] if limits else 0,
                high=limits[1] if limits else 0,
            )
        steps.append(ReshareStep(kind, int(number or 0)))
    if not steps:
        raise UsageError("the re-share chain is empty", repr(text), "For example: scale480,crf28.")
    return tuple(steps)


def describe(chain: str | Sequence[ReshareStep]) -> str:
    """Return what a chain does, in one sentence in the language in use.

    Raises
    ------
    UsageError
        If the chain cannot be read.
    """
    steps = parse(chain) if isinstance(chain, str) else chain
    words = {
        "crop": _("{value} % cut from each side"),
        "strip": _("{value} % cut off below"),
        "scale": _("scaled to {value} lines"),
        "crf": _("coded as H.264 at CRF {value}"),
        "caption": _("a caption bar on top"),
        "vertical": _("black bars to 9:16"),
        "fps": _("{value} frames per second"),
        "screen": _("recorded from a screen"),
    }
    return ", ".join(words[s.kind].format(value=s.value) for s in steps)


def reshare(
    source: Path | str, out: Path | str, chain: str | Sequence[ReshareStep], *, tick: Tick = no_tick
) -> None:
    """Write what is left of a clip at the end of a chain.

    Parameters
    ----------
    source
        A local video file.
    out
        H.264 MP4 to write, without sound; complete, or not at all.
    chain
        A text, or what `parse` makes of it.
    tick
        Called with the stages of `media.probe`, and ``"reshare"``.

    Raises
    ------
    UsageError
        If the chain cannot be read.
    VideoError
        If the clip cannot be read.
    """
    steps = parse(chain) if isinstance(chain, str) else tuple(chain)
    if steps[-1].kind != "crf":
        steps = (*steps, ReshareStep("crf", LAST_CRF))
    with tempfile.TemporaryDirectory(prefix="doorzicht-") as folder:
        here, share = Path(source), list[ReshareStep]()
        for number, step in enumerate(steps):
            if step.kind != "crf":
                share.append(step)
                continue
            there = Path(out) if number == len(steps) - 1 else Path(folder, f"{number}.mp4")
            _share(here, there, share, step.value, tick)
            here, share = there, []


def _share(source: Path, out: Path, steps: Sequence[ReshareStep], crf: int, tick: Tick) -> None:
    """Do the steps of one share, and code once."""
    video = probe(source, tick=tick)
    indices, pts = np.arange(len(video.pts)), video.pts - video.pts[0]
    for rate in (_RATES[s.kind](s.value) for s in steps if s.kind in _RATES):
        count = int((pts[-1] + 1e-6) * rate) + 1
        wanted = np.arange(count) / rate
        shown = np.searchsorted(pts, wanted + 1e-6, side="right") - 1
        indices, pts = indices[shown], wanted
    changes = [(_CHANGES[s.kind], s.value) for s in steps if s.kind in _CHANGES]

    def pictures() -> Iterator[Picture]:
        for rgb in _frames(video, indices, tick):
            changed = rgb
            for change, value in changes:
                changed = change(changed, value)
            yield changed

    write_h264(out, pictures(), pts, crf=crf, preset=PRESET)


def _frames(video: Video, indices: NDArray[np.int64], tick: Tick) -> Iterator[Picture]:
    """Yield a picture per index (non-decreasing), a damaged one as the last whole one before."""
    wanted = indices.tolist()
    done = 0
    last: Picture | None = None
    for frame in read(video, np.unique(indices), tick=tick, stage="reshare"):
        while done < len(wanted) and wanted[done] < frame.index:
            yield frame.rgb if last is None else last
            done += 1
        last = frame.rgb
        while done < len(wanted) and wanted[done] == frame.index:
            yield last
            done += 1
    if last is not None:
        yield from (last for _ in wanted[done:])


def _crop(rgb: Picture, percent: int) -> Picture:
    height, width = rgb.shape[:2]
    y, x = round(height * percent / 100), round(width * percent / 100)
    return np.ascontiguousarray(rgb[y : height - y, x : width - x])


def _scale(rgb: Picture, lines: int) -> Picture:
    height, width = rgb.shape[:2]
    return _resize(rgb, max(2, 2 * round(width * lines / height / 2)), lines)


def _resize(rgb: Picture, width: int, height: int) -> Picture:
    # a bicubic kernel of fixed size would alias when it shrinks
    how = cv2.INTER_AREA if height < rgb.shape[0] else cv2.INTER_CUBIC
    out: Picture = cv2.resize(rgb, (width, height), interpolation=how)
    return out


def _caption(rgb: Picture, _value: int) -> Picture:
    height, width = rgb.shape[:2]
    bar = max(2, 2 * round(height * CAPTION_PART / 2))
    out: Picture = cv2.copyMakeBorder(rgb, bar, 0, 0, 0, cv2.BORDER_CONSTANT, value=(255, 255, 255))
    size = min(bar / 40, width / 220)
    at = (round(width * 0.04), round(bar * 0.7))
    black = (0, 0, 0)
    cv2.putText(out, CAPTION, at, cv2.FONT_HERSHEY_SIMPLEX, size, black, max(1, round(size * 2)))
    return out


def _vertical(rgb: Picture, _value: int) -> Picture:
    height, width = rgb.shape[:2]
    factor = min(VERTICAL[0] / width, VERTICAL[1] / height)
    inner = _resize(rgb, max(2, round(width * factor)), max(2, round(height * factor)))
    out = np.zeros((VERTICAL[1], VERTICAL[0], 3), np.uint8)
    y, x = ((a - b) // 2 for a, b in zip(out.shape[:2], inner.shape[:2], strict=True))
    out[y : y + inner.shape[0], x : x + inner.shape[1]] = inner
    return out


def _strip(rgb: Picture, percent: int) -> Picture:
    height = rgb.shape[0]
    return np.ascontiguousarray(rgb[: height - round(height * percent / 100)])


def _screen(rgb: Picture, _value: int) -> Picture:
    height, width = rgb.shape[:2]
    shown = _resize(rgb, max(2, round(width * SCREEN_PART)), max(2, round(height * SCREEN_PART)))
    return np.asarray(
        cv2.GaussianBlur(_resize(shown, width, height), (0, 0), SCREEN_BLUR), np.uint8
    )


_RATES: dict[str, Callable[[int], int]] = {
    "fps": lambda value: value,
    "screen": lambda _value: SCREEN_FPS,
}
_CHANGES: dict[str, Callable[[Picture, int], Picture]] = {
    "crop": _crop,
    "strip": _strip,
    "screen": _screen,
    "scale": _scale,
    "caption": _caption,
    "vertical": _vertical,
}
