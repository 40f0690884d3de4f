"""Plant a forgery whose region and interval are known, into any clip with a face.

The whole clip is coded once more, forged frames and genuine ones alike, so that nothing but the
planted change tells them apart. The truth is written beside the clip.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from toolkit import media
from toolkit.errors import UsageError, VideoError
from toolkit.faces.crops import face_width
from toolkit.faces.mesh import LargestFace
from toolkit.files import atomic_write
from toolkit.forge.degrade import Picture, to_u8
from toolkit.forge.selfblend import PARTS, blend, region_mask
from toolkit.types import Tick, no_tick

CRF = 18


@dataclass(frozen=True)
class PlantTruth:
    """What was planted where: stored as ``<clip>.truth.json``.

    `start_s` and `end_s` are the times of the first and last forged frame; `frames` counts them.
    """

    source_sha256: str
    sha256: str
    regions: tuple[str, ...]
    kind: str
    strength: float
    seed: int
    start_s: float
    end_s: float
    frames: int


def _resampled(face: Picture, width: float, strength: float) -> Picture:
    """Shrink and enlarge, as the small decoder of a face generator does."""
    factor = 1 + strength * max(0.6, width / 90)
    height, wide = face.shape[:2]
    size = (max(8, round(wide / factor)), max(8, round(height / factor)))
    small = cv2.resize(face, size, interpolation=cv2.INTER_AREA)
    return np.asarray(cv2.resize(small, (wide, height), interpolation=cv2.INTER_CUBIC), np.uint8)


def _coloured(face: Picture, _width: float, strength: float) -> Picture:
    shift = np.array([14, -7, -11], np.float32) * np.float32(strength)
    return to_u8(face.astype(np.float32) + shift)


def _denoised(face: Picture, _width: float, strength: float) -> Picture:
    smooth = cv2.bilateralFilter(face, 7, 30, 5)
    return to_u8(face + np.float32(strength) * (smooth.astype(np.float32) - face))


def _warped(face: Picture, width: float, strength: float) -> Picture:
    move = np.array([[1, 0, 0.03 * width * strength], [0, 1, 0.02 * width * strength]], np.float32)
    size = (face.shape[1], face.shape[0])
    return np.asarray(
        cv2.warpAffine(face, move, size, flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT),
        np.uint8,
    )


def _blended(face: Picture, width: float, strength: float) -> Picture:
    """Do what a face swap leaves behind: coarser, of another colour, slightly out of place."""
    out = _resampled(face, width, strength)
    return _warped(_coloured(out, width, 0.7 * strength), width, 0.5 * strength)


KINDS: dict[str, Callable[[Picture, float, float], Picture]] = {
    "blend": _blended,
    "resample": _resampled,
    "seam": lambda face, width, strength: _coloured(face, width, 1.6 * strength),
    "noise": _denoised,
    "colour": _coloured,
    "warp": _warped,
}
"""Kinds of planted change: each takes the frame, the face width in pixels, and a strength."""

_HARD_EDGE = {"seam"}


def plant(
    source: Path,
    out: Path,
    *,
    regions: Sequence[str],
    start_s: float,
    end_s: float,
    kind: str = "blend",
    strength: float = 1.0,
    seed: int = 0,
    keep: tuple[float, float] | None = None,
    tick: Tick = no_tick,
) -> PlantTruth:
    """Write a copy of a clip in which the largest face is forged in some regions for some time.

    Parameters
    ----------
    source, out
        The clip, and the H.264 file to write; the truth goes to ``out.with_suffix(".truth.json")``.
    regions
        Names from `PARTS`.
    start_s, end_s
        Frames with start <= time <= end are forged, where a face is found.
    kind, strength
        A name from `KINDS`; 0 changes nothing, 1 is plainly a forgery, more is allowed up to 3.
    seed
        Stored with the truth; the kinds that exist draw nothing.
    keep
        Write only this stretch of the clip, seconds of the source; the times of the truth, and the
        interval to forge, then count from its start.

    Raises
    ------
    UsageError
        If an option is out of range.
    VideoError
        If the clip cannot be read or shows no face in the interval.
    """
    unknown = [r for r in regions if r not in PARTS]
    if unknown or not regions:
        value = ", ".join(unknown) or "none"
        raise UsageError("unknown region", value, f"Choose from {', '.join(PARTS)}.")
    if kind not in KINDS:
        raise UsageError("unknown kind of forgery", kind, f"Choose one of {', '.join(KINDS)}.")
    if not 0 <= strength <= 3:
        raise UsageError("strength is out of range", f"{strength}", "Use 0 to 3.")
    if not start_s < end_s:
        raise UsageError(
            "the interval is empty", f"{start_s} to {end_s} s", "Use --from below --to."
        )
    video = media.probe(source, tick=tick)
    low, high = keep or (-np.inf, np.inf)
    wanted = np.flatnonzero((video.pts >= low) & (video.pts <= high)).astype(np.int64)
    if not len(wanted):
        raise UsageError("nothing of the clip is kept", f"{low} to {high} s", "Keep a longer part.")
    times = video.pts[wanted] - video.pts[wanted[0]]
    forged: list[float] = []
    artist = _Artist(tuple(regions), kind, strength)

    def frames() -> Iterator[NDArray[np.uint8]]:
        found = media.read(video, wanted, tick=tick, stage="plant")
        for at_s, index in zip(times.tolist(), wanted.tolist(), strict=True):
            frame = next(found, None)
            if frame is None or frame.index != index:
                raise VideoError("the clip has frames that cannot be read", f"at {at_s:.2f} s")
            changed = artist.change(frame.rgb) if start_s <= at_s <= end_s else None
            if changed is not None:
                forged.append(at_s)
            yield frame.rgb if changed is None else changed

    media.write_h264(out, frames(), times, crf=CRF)
    if not forged:
        out.unlink(missing_ok=True)
        raise VideoError(
            "no face was found in the interval",
            f"{start_s} to {end_s} s",
            "Choose another interval.",
        )
    truth = PlantTruth(
        source_sha256=video.sha256,
        sha256=media.probe(out).sha256,
        regions=tuple(regions),
        kind=kind,
        strength=strength,
        seed=seed,
        start_s=forged[0],
        end_s=forged[-1],
        frames=len(forged),
    )
    atomic_write(out.with_suffix(".truth.json"), json.dumps(asdict(truth), indent=2) + "\n")
    return truth


class _Artist:
    """Forges one frame at a time; keeps the last mesh for frames in which the face is missed."""

    def __init__(self, regions: tuple[str, ...], kind: str, strength: float) -> None:
        self._regions, self._kind, self._strength = regions, kind, strength
        self._find = LargestFace()
        self._last: NDArray[np.float32] | None = None

    def change(self, rgb: Picture) -> Picture | None:
        """Return the forged frame, or None when no face was found yet."""
        found = self._find(rgb)
        mesh = self._last if found is None else found
        if mesh is None:
            return None
        self._last = mesh
        width = face_width(mesh)
        source = KINDS[self._kind](rgb, width, self._strength)
        mask = region_mask(mesh, rgb.shape[:2], self._regions)
        edge = 0.01 if self._kind in _HARD_EDGE else 0.03
        mask = cv2.GaussianBlur(mask, (0, 0), max(0.8, edge * width))
        return blend(source, rgb, mask, min(1.0, self._strength))
