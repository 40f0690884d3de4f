"""Five traces that forging a face leaves, each with a lens that makes it visible.

A lens is simple arithmetic on pixels: no network. It is run on the genuine and on the forged
picture, because a trace is a difference from what was there, never a bright spot alone.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import cv2
import numpy as np
from numpy.typing import NDArray

from toolkit.errors import OutOfRangeError, UnknownNameError
from toolkit.faces.crops import face_width
from toolkit.forge.plant import KINDS, forged_mask
from toolkit.forge.selfblend import blend
from toolkit.lessons.tiny_detector import Face
from toolkit.messages import phrase

Picture = NDArray[np.uint8]
Float = NDArray[np.float32]
Trace = Literal["seam", "resampling", "noise", "colour", "frequency"]
TRACES: tuple[Trace, ...] = ("seam", "resampling", "noise", "colour", "frequency")

_KIND = {
    "seam": "seam",
    "resampling": "resample",
    "noise": "noise",
    "colour": "colour",
    "frequency": "resample",
}
STRENGTH_MAX = 3.0
_BOX = 9


@dataclass(frozen=True, eq=False)
class Spectrum:
    """Strength of detail by its size: `cycles` per picture width, `genuine` and `forged` in dB."""

    cycles: Float
    genuine: Float
    forged: Float


@dataclass(frozen=True, eq=False)
class Seen:
    """A face before and after, and both through the lens of one trace.

    Attributes
    ----------
    genuine, forged : (H, W, 3) uint8
    mask : (H, W) float32
        Where it is forged, 0..1.
    lens_genuine, lens_forged : (H, W) float32
        What the lens shows, on one scale.
    before, after
        The lens's mean where it matters: across the edge of a seam, else inside what is forged.
    spectrum
        Of the forged part, before and after.
    """

    genuine: Picture
    forged: Picture
    mask: Float
    lens_genuine: Float
    lens_forged: Float
    before: float
    after: float
    spectrum: Spectrum


def look(face: Face, trace: Trace, *, regions: tuple[str, ...], strength: float) -> Seen:
    """Forge a part of a face with one kind of trace, and look at it through that trace's lens.

    Parameters
    ----------
    face
        A genuine picture with its mesh.
    trace
        Which.
    regions
        Parts to forge: mouth, nose, left_eye, right_eye.
    strength
        0 (nothing) to `STRENGTH_MAX`.

    Raises
    ------
    UsageError
        If there is no such trace, or the strength is out of range.
    """
    if trace not in TRACES:
        raise UnknownNameError(
            "there is no such trace", str(trace), "One of {known}.", known=TRACES
        )
    if not 0 <= strength <= STRENGTH_MAX:
        raise OutOfRangeError(
            "the strength is out of range",
            phrase("{value}", value=strength),
            "0 to {most:g}.",
            most=STRENGTH_MAX,
        )
    shape = (face.rgb.shape[0], face.rgb.shape[1])
    mask = forged_mask(face.mesh, shape, regions, _KIND[trace])
    forged = face.rgb
    if strength > 0:
        # beyond 1 the denoiser overshoots, and would add noise again
        how_much = strength / STRENGTH_MAX if trace == "noise" else strength
        source = KINDS[_KIND[trace]](face.rgb, face_width(face.mesh), how_much)
        forged = blend(source, face.rgb, mask, min(1.0, strength))
    lens = _LENSES[trace]
    before, after = lens(face.rgb, mask), lens(forged, mask)
    where = _edge(mask) if trace == "seam" else mask > 0.5
    return Seen(
        face.rgb,
        forged,
        mask,
        before,
        after,
        float(before[where].mean()),
        float(after[where].mean()),
        _spectrum(face.rgb, forged, mask),
    )


def _edge(mask: Float) -> NDArray[np.bool_]:
    kernel = np.ones((5, 5), np.uint8)
    ring = cv2.morphologyEx((mask > 0.5).astype(np.uint8), cv2.MORPH_GRADIENT, kernel)
    return np.asarray(ring > 0)


def _lab(rgb: Picture) -> Float:
    return np.asarray(cv2.cvtColor(rgb.astype(np.float32) / 255, cv2.COLOR_RGB2Lab), np.float32)


def _box(values: NDArray[np.floating]) -> Float:
    return np.asarray(cv2.blur(np.asarray(values, np.float32), (_BOX, _BOX)), np.float32)


def _steps_of_colour(rgb: Picture, _mask: Float) -> Float:
    """Return how fast colour changes from pixel to pixel, brightness left out."""
    colour = cv2.GaussianBlur(_lab(rgb)[..., 1:], (0, 0), 1.0)
    slopes = [cv2.Sobel(colour, cv2.CV_32F, dx, 1 - dx, scale=1 / 8) for dx in (1, 0)]
    return np.asarray(np.sqrt(sum((s**2).sum(axis=2) for s in slopes)), np.float32)


def _fine_detail(rgb: Picture, _mask: Float) -> Float:
    """Return how much a small blur takes away, averaged over a neighbourhood."""
    grey = cv2.cvtColor(rgb, cv2.COLOR_RGB2GRAY).astype(np.float32)
    return _box(np.abs(grey - cv2.GaussianBlur(grey, (0, 0), 1.0)))


def _noise(rgb: Picture, _mask: Float) -> Float:
    """Return how much each pixel differs from the middle one of its neighbours."""
    apart = np.abs(rgb.astype(np.float32) - cv2.medianBlur(rgb, 3)).mean(axis=2)
    return _box(apart)


def _colour_apart(rgb: Picture, mask: Float) -> Float:
    """Return how far each pixel's colour is from that of the skin round the forged part."""
    colour = cv2.GaussianBlur(_lab(rgb)[..., 1:], (0, 0), 2.0)
    near = cv2.dilate((mask > 0.05).astype(np.uint8), np.ones((25, 25), np.uint8)) > 0
    ring = near & (mask < 0.05)
    skin = np.median(colour[ring], axis=0) if ring.any() else np.zeros(2, np.float32)
    return np.asarray(np.linalg.norm(colour - skin, axis=2), np.float32)


def _high_frequencies(rgb: Picture, _mask: Float) -> Float:
    """Return the strength of the finest third of all waves, in each neighbourhood."""
    grey = cv2.cvtColor(rgb, cv2.COLOR_RGB2GRAY).astype(np.float32)
    waves = np.fft.fft2(grey)
    fy, fx = (np.abs(np.fft.fftfreq(n)) for n in grey.shape)
    waves[np.hypot(fy[:, None], fx[None]) < 1 / 3] = 0
    return _box(np.abs(np.real(np.fft.ifft2(waves))))


_LENSES: dict[str, Callable[[Picture, Float], Float]] = {
    "seam": _steps_of_colour,
    "resampling": _fine_detail,
    "noise": _noise,
    "colour": _colour_apart,
    "frequency": _high_frequencies,
}


def _spectrum(genuine: Picture, forged: Picture, mask: Float) -> Spectrum:
    """Return the radial power spectra of the square round the forged part, in dB."""
    x, y, w, h = cv2.boundingRect((mask > 0.3).astype(np.uint8))
    side = max(32, w, h)
    left = int(np.clip(x + w // 2 - side // 2, 0, max(0, mask.shape[1] - side)))
    top = int(np.clip(y + h // 2 - side // 2, 0, max(0, mask.shape[0] - side)))
    powers = []
    for rgb in (genuine, forged):
        grey = cv2.cvtColor(rgb, cv2.COLOR_RGB2GRAY)[top : top + side, left : left + side]
        window = np.outer(np.hanning(grey.shape[0]), np.hanning(grey.shape[1]))
        waves = np.abs(np.fft.fft2((grey - grey.mean()) * window)) ** 2
        fy, fx = (np.fft.fftfreq(n) * side for n in grey.shape)
        radius = np.rint(np.hypot(fy[:, None], fx[None])).astype(int)
        total = np.bincount(radius.ravel(), waves.ravel())
        number = np.bincount(radius.ravel())
        powers.append(10 * np.log10(total / np.maximum(number, 1) + 1e-3))
    cycles = np.arange(1, side // 2, dtype=np.float32)
    before, after = (np.asarray(p[1 : side // 2], np.float32) for p in powers)
    return Spectrum(cycles, before, after)
