"""Plant a forgery whose region and interval are known, into any clip with a face.

The whole clip is coded once more, forged frames and genuine ones alike, so that nothing but the
planted change tells them apart. The truth is written beside the clip.

**Decoys** are edits of the same size that nobody would call a forgery, put on another part of the
face: an explanation that points at whatever changed, and not at what was forged, falls for them.
What counts as harmless here: every pixel of the result is a function of the same pixel of the same
frame and of a mark drawn over it. Nothing comes from another picture, place or time; nothing is
shrunk and enlarged, moved, or robbed of its noise, which are the traces that forging a face leaves.

========  ==========================================================================================
light     the region gets lighter, all colours by the same factor, fading over a tenth of the face
          width, as under a lamp: no border, no change of hue
freckles  small dark spots that follow the face; the skin's own texture and noise go on in them
mark      a pale, half-transparent oval that follows the face, as stickers and watermarks do. It
          has a visible edge: the hardest of the three, and the one most open to dispute
========  ==========================================================================================
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
from toolkit.errors import OutOfRangeError, UnknownNameError, UsageError, VideoError
from toolkit.faces.crops import face_width
from toolkit.faces.mesh import LargestFace
from toolkit.files import atomic_write
from toolkit.forge.degrade import Picture, to_u8
from toolkit.forge.selfblend import PARTS, blend, region_mask
from toolkit.messages import phrase
from toolkit.types import Frame, Tick, Video, no_tick

CRF = 18
EDGE_S = 1e-6  # a frame this close to the border of an interval lies in it: times are rounded


@dataclass(frozen=True)
class PlantTruth:
    """What was planted where: stored as ``<clip>.truth.json``.

    Attributes
    ----------
    source_sha256, sha256
        Of the clip it was made from, and of the clip that was made.
    regions
        The forged parts of the face; empty when nothing was forged.
    kind, strength, seed
        How.
    start_s, end_s
        Times of the first and the last changed frame; 0 when nothing was changed.
    frames
        How many frames were changed.
    decoys, decoy_kind
        Parts that got a harmless edit, and which.
    fake_sha256
        Of the forgery that a transplant or a splice was cut from.
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
    decoys: tuple[str, ...] = ()
    decoy_kind: str = ""
    fake_sha256: str = ""


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
GROW = 1.3
"""How far the hull of a forged part reaches beyond its mesh points."""


def forged_mask(
    mesh: NDArray[np.floating], shape: tuple[int, int], regions: Sequence[str], kind: str = "blend"
) -> NDArray[np.float32]:
    """Return how much of each pixel is forged, (H, W) 0..1, with the soft edge of its kind."""
    mask = region_mask(mesh, shape, regions, grow=GROW)
    edge = 0.01 if kind in _HARD_EDGE else 0.03
    soft: NDArray[np.float32] = cv2.GaussianBlur(mask, (0, 0), max(0.8, edge * face_width(mesh)))
    return soft


def decoy_mask(
    mesh: NDArray[np.floating],
    shape: tuple[int, int],
    decoys: Sequence[str],
    regions: Sequence[str] = (),
) -> NDArray[np.float32]:
    """Return where a harmless edit lies, (H, W) 0 or 1: as large as what is forged, and beside it.

    The hulls of its parts grow or shrink to the area of the forged ones; what they share with
    those is left out.
    """
    mask = region_mask(mesh, shape, decoys, grow=GROW)
    if not regions:
        return mask
    forged = region_mask(mesh, shape, regions, grow=GROW)
    ratio = float(np.sqrt(forged.sum() / max(float(mask.sum()), 1.0)))
    mask = region_mask(mesh, shape, decoys, grow=float(np.clip(GROW * ratio, 0.8, 2.2)))
    clear = forged_mask(mesh, shape, regions) < 0.05  # the soft edge is forged as well
    return np.asarray(mask * clear, np.float32)


def _lit(rgb: Picture, mask: NDArray[np.float32], mesh: NDArray[np.floating]) -> Picture:
    soft = cv2.GaussianBlur(mask, (0, 0), 0.1 * face_width(mesh))
    gain = 1 + np.float32(0.25) * soft / max(float(soft.max()), 1e-6)
    return to_u8(rgb * gain[..., None])


def _freckled(rgb: Picture, mask: NDArray[np.float32], mesh: NDArray[np.floating]) -> Picture:
    spots = np.zeros(mask.shape, np.float32)
    radius = max(1, round(0.012 * face_width(mesh)))
    for x, y in np.rint(mesh[:468:3, :2]).astype(int).tolist():  # every third point of the mesh
        if 0 <= y < mask.shape[0] and 0 <= x < mask.shape[1] and mask[y, x] > 0:
            cv2.circle(spots, (x, y), radius, 1.0, -1)
    soft = cv2.GaussianBlur(spots, (0, 0), max(0.6, 0.5 * radius))
    return to_u8(rgb * (1 - np.float32(0.35) * soft)[..., None])


def _marked(rgb: Picture, mask: NDArray[np.float32], _mesh: NDArray[np.floating]) -> Picture:
    alpha = (np.float32(0.25) * cv2.GaussianBlur(mask, (0, 0), 0.8))[..., None]
    return to_u8(rgb * (1 - alpha) + np.float32(230) * alpha)


DECOYS: dict[str, Callable[[Picture, NDArray[np.float32], NDArray[np.floating]], Picture]] = {
    "light": _lit,
    "freckles": _freckled,
    "mark": _marked,
}
"""Kinds of harmless edit: each takes the frame, where it goes, and the mesh of the face."""


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
    decoys: Sequence[str] = (),
    decoy_kind: str = "light",
    tick: Tick = no_tick,
) -> PlantTruth:
    """Write a copy of a clip in which the largest face is forged in some regions for some time.

    Parameters
    ----------
    source, out
        The clip, and the H.264 file to write; the truth goes to ``out.with_suffix(".truth.json")``.
    regions
        Names from `PARTS`; none = nothing is forged, the clip is only coded in the same way.
    start_s, end_s
        Frames with start <= time <= end are forged, where a face is found.
    kind, strength
        A name from `KINDS`; 0 changes nothing, 1 is plainly a forgery, more is allowed up to 3.
    seed
        Stored with the truth; the kinds that exist draw nothing.
    keep
        Write only this stretch of the clip, seconds of the source; the times of the truth, and the
        interval to forge, then count from its start.
    decoys, decoy_kind
        Names from `PARTS` that get a harmless edit in the same frames, and a name from `DECOYS`.

    Raises
    ------
    UsageError
        If an option is out of range.
    VideoError
        If the clip cannot be read or shows no face in the interval.
    """
    _check_parts(regions)
    _check_parts(decoys)
    if shared := sorted(set(regions) & set(decoys)):
        raise UsageError("a region cannot be forged and harmless", ", ".join(shared), "Choose one.")
    if kind not in KINDS:
        raise UnknownNameError(
            "unknown kind of forgery", kind, "Choose one of {known}.", known=KINDS
        )
    if decoy_kind not in DECOYS:
        raise UnknownNameError(
            "unknown kind of harmless edit", decoy_kind, "Choose one of {known}.", known=DECOYS
        )
    if not 0 <= strength <= 3:
        raise OutOfRangeError(
            "strength is out of range", phrase("{value}", value=strength), "Use 0 to 3."
        )
    check_interval(start_s, end_s)
    video = media.probe(source, tick=tick)
    wanted = kept_frames(video, keep)
    times = video.pts[wanted] - video.pts[wanted[0]]
    changed_at: list[float] = []
    artist = _Artist(tuple(regions), kind, strength, tuple(decoys), decoy_kind)
    wants_change = bool(regions or decoys)

    def frames() -> Iterator[NDArray[np.uint8]]:
        found = whole(media.read(video, wanted, tick=tick, stage="plant"), wanted)
        for at_s, frame in zip(times.tolist(), found, strict=True):
            wanted_here = wants_change and is_within(at_s, start_s, end_s)
            changed = artist.change(frame.rgb) if wanted_here else None
            if changed is not None:
                changed_at.append(at_s)
            yield frame.rgb if changed is None else changed

    media.write_h264(out, frames(), times, crf=CRF)
    if wants_change and not changed_at:
        out.unlink(missing_ok=True)
        raise VideoError(
            "no face was found in the interval",
            phrase("{start} to {end} s", start=start_s, end=end_s),
            "Choose another interval.",
        )
    truth = PlantTruth(
        source_sha256=video.sha256,
        sha256=media.probe(out).sha256,
        regions=tuple(regions),
        kind=kind,
        strength=strength,
        seed=seed,
        start_s=changed_at[0] if changed_at else 0.0,
        end_s=changed_at[-1] if changed_at else 0.0,
        frames=len(changed_at),
        decoys=tuple(decoys),
        decoy_kind=decoy_kind if decoys else "",
    )
    write_truth(out, truth)
    return truth


def write_truth(clip: Path, truth: PlantTruth) -> None:
    """Write what was planted beside the clip."""
    atomic_write(clip.with_suffix(".truth.json"), json.dumps(asdict(truth), indent=2) + "\n")


def check_interval(start_s: float, end_s: float) -> None:
    """Raise `UsageError` unless the interval holds time."""
    if not start_s < end_s:
        raise OutOfRangeError(
            "the interval is empty",
            phrase("{start} to {end} s", start=start_s, end=end_s),
            "Use --from below --to.",
        )


def is_within(at_s: float, start_s: float, end_s: float) -> bool:
    """Return whether a frame lies in an interval, borders included."""
    return start_s - EDGE_S <= at_s <= end_s + EDGE_S


def kept_frames(video: Video, keep: tuple[float, float] | None) -> NDArray[np.int64]:
    """Return the indices of the frames in a stretch of time; None keeps all.

    Raises
    ------
    UsageError
        If there is none.
    """
    low, high = keep or (-np.inf, np.inf)
    wanted = np.flatnonzero((video.pts >= low - EDGE_S) & (video.pts <= high + EDGE_S)).astype(
        np.int64
    )
    if not len(wanted):
        raise OutOfRangeError(
            "nothing of the clip is kept",
            phrase("{low} to {high} s", low=low, high=high),
            "Keep a longer part.",
        )
    return wanted


def whole(found: Iterator[Frame], wanted: NDArray[np.int64]) -> Iterator[Frame]:
    """Yield the frames of a reading, each of them: a copy with a gap would lie about time.

    Raises
    ------
    VideoError
        If one is left out.
    """
    for index in wanted.tolist():
        frame = next(found, None)
        if frame is None or frame.index != index:
            raise VideoError(
                "the clip has frames that cannot be read", phrase("frame {index}", index=index)
            )
        yield frame


def _check_parts(regions: Sequence[str]) -> None:
    unknown = [r for r in regions if r not in PARTS]
    if unknown:
        raise UnknownNameError(
            "unknown region", ", ".join(unknown), "Choose from {known}.", known=PARTS
        )


class FaceFinder:
    """Meshes the largest face, one frame after the other; keeps the last mesh for misses."""

    def __init__(self) -> None:
        self._find = LargestFace()
        self._last: NDArray[np.float32] | None = None

    def __call__(self, rgb: Picture) -> NDArray[np.float32] | None:
        """Return the mesh (478, 3) in pixels, or None when no face was found yet."""
        found = self._find(rgb)
        self._last = self._last if found is None else found
        return self._last


class _Artist:
    """Forges one frame at a time."""

    def __init__(
        self,
        regions: tuple[str, ...],
        kind: str,
        strength: float,
        decoys: tuple[str, ...],
        decoy_kind: str,
    ) -> None:
        self._regions, self._kind, self._strength = regions, kind, strength
        self._decoys, self._decoy_kind = decoys, decoy_kind
        self._find = FaceFinder()

    def change(self, rgb: Picture) -> Picture | None:
        """Return the changed frame, or None when no face was found yet."""
        mesh = self._find(rgb)
        if mesh is None:
            return None
        shape = (rgb.shape[0], rgb.shape[1])
        out = rgb
        if self._regions:
            source = KINDS[self._kind](rgb, face_width(mesh), self._strength)
            mask = forged_mask(mesh, shape, self._regions, self._kind)
            out = blend(source, rgb, mask, min(1.0, self._strength))
        if self._decoys:
            where = decoy_mask(mesh, shape, self._decoys, self._regions)
            out = DECOYS[self._decoy_kind](out, where, mesh)
        return out
