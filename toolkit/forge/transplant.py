"""Cut from a real forgery what its original lacks: a region for some time, or the whole picture.

A forgery that shows its original frame for frame can be pasted back into it in part. The result is
a real forgery whose region and interval are known. As with `plant`, the whole clip is coded once
more, so pasted frames and others differ in nothing else; pasting the original into itself is the
control that shows what the pasting alone does.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from toolkit import media
from toolkit.errors import OutOfRangeError, UnknownNameError, UsageError, VideoError
from toolkit.forge.plant import (
    CRF,
    FaceFinder,
    PlantTruth,
    check_interval,
    forged_mask,
    is_within,
    kept_frames,
    whole,
    write_truth,
)
from toolkit.forge.selfblend import PARTS, blend
from toolkit.messages import phrase
from toolkit.types import Tick, Video, no_tick

Picture = NDArray[np.uint8]
Paste = Callable[[Picture, Picture], Picture | None]
"""(original, fake) -> the changed frame, or None to leave it."""


@dataclass(frozen=True, eq=False)
class Aligned:
    """An original and a forgery of it, frame k showing frame k.

    Attributes
    ----------
    original, fake
        Both probed. They may be the same file: the control.
    left, width
        The columns of the original that the forgery shows; nothing is ever resized to fit.
    fake_left
        The same in the forgery's own file: 0, but for the control.
    frames
        How many frames they have in common, from the first.
    """

    original: Video
    fake: Video
    left: int
    width: int
    fake_left: int
    frames: int


def align(
    original: Path,
    fake: Path,
    *,
    crop_x: int = 0,
    frames: int | None = None,
    tick: Tick = no_tick,
) -> Aligned:
    """Open an original and its forgery.

    Parameters
    ----------
    original, fake
        Video files.
    crop_x
        Columns of the original left of the forgery's first.
    frames
        Common frames, if it is known that later ones do not correspond.

    Raises
    ------
    UsageError
        If the pictures do not lie on each other.
    VideoError
        If a file cannot be read.
    """
    a, b = media.probe(original, tick=tick), media.probe(fake, tick=tick)
    if a.height != b.height or not 0 <= crop_x <= a.width - b.width:
        have = phrase(
            "{w0} x {h0} and {w1} x {h1}, {columns} columns left out",
            w0=a.width,
            h0=a.height,
            w1=b.width,
            h1=b.height,
            columns=crop_x,
        )
        raise UsageError("the pictures do not lie on each other", have, "Set the columns.")
    common = min(len(a.pts), len(b.pts), frames or len(a.pts))
    return Aligned(a, b, crop_x, b.width, 0, common)


def itself(pair: Aligned) -> Aligned:
    """Return the control: the original, cut to the same columns, pasted into itself."""
    return replace(pair, fake=pair.original, fake_left=pair.left)


def transplant(
    pair: Aligned,
    out: Path,
    *,
    regions: Sequence[str],
    start_s: float,
    end_s: float,
    keep: tuple[float, float] | None = None,
    tick: Tick = no_tick,
) -> PlantTruth:
    """Write the original with some regions of its largest face taken from the forgery.

    Parameters
    ----------
    pair
        From `align`.
    out
        The H.264 file to write; the truth goes to ``out.with_suffix(".truth.json")``.
    regions
        Names from `PARTS`; their soft masks are those of `plant`.
    start_s, end_s
        Frames with start <= time <= end are changed, where a face is found.
    keep
        Write only this stretch, seconds of the original; other times then count from its start.

    Raises
    ------
    UsageError
        If an option is out of range.
    VideoError
        If a file cannot be read or shows no face in the interval.
    """
    unknown = [r for r in regions if r not in PARTS]
    if unknown or not regions:
        value = ", ".join(unknown) or phrase("none")
        raise UnknownNameError("unknown region", value, "Choose from {known}.", known=PARTS)
    find = FaceFinder()

    def paste(original: Picture, fake: Picture) -> Picture | None:
        mesh = find(original)
        if mesh is None:
            return None
        shape = (original.shape[0], original.shape[1])
        return blend(fake, original, forged_mask(mesh, shape, regions))

    when = _When(start_s, end_s, keep)
    return _write(pair, out, paste, when, regions=tuple(regions), kind="transplant", tick=tick)


def splice(
    pair: Aligned,
    out: Path,
    *,
    start_s: float,
    end_s: float,
    keep: tuple[float, float] | None = None,
    tick: Tick = no_tick,
) -> PlantTruth:
    """Write the original with a stretch of the forgery in its place; parameters as `transplant`.

    The truth names no region: the whole picture changes hands, and only the time is known.
    """
    when = _When(start_s, end_s, keep)
    return _write(pair, out, lambda _, fake: fake, when, regions=(), kind="splice", tick=tick)


@dataclass(frozen=True)
class _When:
    """The forged interval, and the stretch that is written."""

    start_s: float
    end_s: float
    keep: tuple[float, float] | None


def _write(
    pair: Aligned,
    out: Path,
    paste: Paste,
    when: _When,
    *,
    regions: tuple[str, ...],
    kind: str,
    tick: Tick,
) -> PlantTruth:
    check_interval(when.start_s, when.end_s)
    wanted = kept_frames(pair.original, when.keep)
    wanted = wanted[wanted < pair.frames]
    if not len(wanted):
        raise OutOfRangeError(
            "nothing of the clip is kept", f"{when.keep}", "Keep an earlier part."
        )
    times = pair.original.pts[wanted] - pair.original.pts[wanted[0]]
    forged = [is_within(at_s, when.start_s, when.end_s) for at_s in times.tolist()]
    inside = wanted[forged]
    changed_at: list[float] = []

    def frames() -> Iterator[Picture]:
        originals = whole(media.read(pair.original, wanted, tick=tick, stage=kind), wanted)
        fakes = whole(media.read(pair.fake, inside), inside)
        for at_s, is_forged, frame in zip(times.tolist(), forged, originals, strict=True):
            picture = frame.rgb[:, pair.left : pair.left + pair.width]
            if not is_forged:
                yield picture
                continue
            other = next(fakes).rgb[:, pair.fake_left : pair.fake_left + pair.width]
            changed = paste(picture, other)
            if changed is not None:
                changed_at.append(at_s)
            yield picture if changed is None else changed

    media.write_h264(out, frames(), times, crf=CRF)
    if not changed_at:
        out.unlink(missing_ok=True)
        value = phrase("{start} to {end} s", start=when.start_s, end=when.end_s)
        raise VideoError("no face was found in the interval", value, "Choose another interval.")
    truth = PlantTruth(
        source_sha256=pair.original.sha256,
        sha256=media.probe(out).sha256,
        regions=regions,
        kind=kind,
        strength=1.0,
        seed=0,
        start_s=changed_at[0],
        end_s=changed_at[-1],
        frames=len(changed_at),
        fake_sha256=pair.fake.sha256,
    )
    write_truth(out, truth)
    return truth
