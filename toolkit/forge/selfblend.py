"""Blend a face with an altered copy of itself: a forgery of which every pixel is known.

Self-blended images (Shiohara & Yamasaki, CVPR 2022, doi:10.1109/CVPR52688.2022.01816), written from
the paper's description. No forged data is needed, and the mask is the truth: the label of every
patch, the grade sheet of every heat map, the source of planted tests.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from toolkit.faces.regions import LEFT_BROW, LEFT_EYE, LIPS, NOSE, OVAL, RIGHT_BROW, RIGHT_EYE
from toolkit.forge.degrade import (
    Picture,
    Rng,
    down_up,
    jpeg,
    noise_like,
    sharpen,
    shift_colour,
    to_u8,
)

_LOWER = tuple(i for i in OVAL if i in {  # oval points at and below the nose tip
    323, 361, 288, 397, 365, 379, 378, 400, 377, 152, 148, 176, 149, 150, 136, 172, 58, 132, 93,
})  # fmt: skip
PARTS: dict[str, tuple[int, ...]] = {
    "mouth": LIPS,
    "left_eye": LEFT_EYE + LEFT_BROW,
    "right_eye": RIGHT_EYE + RIGHT_BROW,
    "nose": NOSE,
}
"""Mesh points whose hull makes a partial mask, by player."""

MASK_AREA_MIN = 0.005  # of the face box; a smaller mask teaches nothing


@dataclass(frozen=True, eq=False)
class Blend:
    """Truth of one self-blend: `mask` (H, W) float32 0..1, `ratio` 0..1, `regions` by name."""

    mask: NDArray[np.float32]
    ratio: float
    regions: tuple[str, ...]


@dataclass(frozen=True, eq=False)
class BlendPair:
    """A forged and a genuine picture (H, W, 3) uint8 made from the same photograph."""

    fake: Picture
    real: Picture
    blend: Blend


def hull_mask(
    points: NDArray[np.floating], shape: tuple[int, int], *, grow: float = 1.0
) -> NDArray[np.float32]:
    """Return 1 inside the convex hull of (n, 2) points grown about its centre, else 0."""
    centre = points.mean(axis=0)
    hull = cv2.convexHull(np.rint((points - centre) * grow + centre).astype(np.int32))
    out = np.zeros(shape, np.float32)
    cv2.fillConvexPoly(out, hull, 1.0)
    return out


def draw_mask(
    mesh: NDArray[np.floating], shape: tuple[int, int], rng: Rng
) -> tuple[NDArray[np.float32], tuple[str, ...]]:
    """Draw a hard mask: whole face, lower face, inner parts, or a single part.

    Partial masks are what makes a detector say where; without them mouth-only forgeries go unseen.
    """
    flat = mesh[:, :2]
    kind = rng.choice(["face", "lower", "inner", "part"], p=[0.42, 0.2, 0.18, 0.2])
    if kind == "face":
        return hull_mask(flat[list(OVAL)], shape, grow=rng.uniform(0.88, 1.06)), ("face",)
    if kind == "lower":
        points = flat[[*_LOWER, 168, 33, 263]] if rng.random() < 0.5 else flat[[*_LOWER, 4]]
        return hull_mask(points, shape, grow=rng.uniform(0.9, 1.05)), ("lower",)
    if kind == "inner":
        points = flat[[i for part in PARTS.values() for i in part]]
        return hull_mask(points, shape, grow=rng.uniform(1.0, 1.25)), ("inner",)
    part = str(rng.choice(list(PARTS)))
    return hull_mask(flat[list(PARTS[part])], shape, grow=rng.uniform(1.2, 1.8)), (part,)


def soften(mask: NDArray[np.float32], face_width: float, rng: Rng) -> NDArray[np.float32]:
    """Bend a mask's outline at random and give it a soft edge; the maximum stays 1."""
    if rng.random() < 0.8:
        grid = rng.standard_normal((2, 8, 8)).astype(np.float32)
        amplitude = np.float32(rng.uniform(0.01, 0.05) * face_width)
        x, y = _bent(grid, amplitude, mask.shape)
        mask = cv2.remap(mask, x, y, cv2.INTER_LINEAR)
    mask = cv2.GaussianBlur(mask, (0, 0), max(0.6, rng.uniform(0.008, 0.08) * face_width))
    if rng.random() < 0.5:
        mask = np.clip((mask - 0.5) * np.float32(rng.uniform(1, 3)) + 0.5, 0, 1)
    top = float(mask.max())
    return (mask / top if top > 0 else mask).astype(np.float32)


def mismatch(rgb: Picture, face_width: float, rng: Rng) -> Picture:
    """Return a copy that differs as a generated face differs from its surroundings.

    Colour; then resolution (a decoder of 48-160 px enlarged to the face), sharpening, or neither;
    then noise and a compression history of its own.
    """
    out = shift_colour(rgb, rng) if rng.random() < 0.85 else rgb
    what = rng.random()
    if what < 0.45:
        factor = (
            max(1.3, face_width / rng.uniform(48, 160))
            if rng.random() < 0.6
            else rng.uniform(1.3, 3)
        )
        out = down_up(out, min(factor, 6.0), rng)
    elif what < 0.65:
        out = sharpen(out, rng.uniform(0.2, 0.9), rng.uniform(0.8, 2))
    elif what < 0.75:
        out = cv2.medianBlur(out, 3 if face_width < 150 else 5)
    if rng.random() < 0.25:
        out = to_u8(out + noise_like(out.shape, rng.uniform(1, 5), rng.uniform(0, 0.8), rng))
    if rng.random() < 0.25:
        out = jpeg(out, int(rng.integers(35, 90)))
    return out


def reshape(rgb: Picture, face_width: float, rng: Rng) -> Picture:
    """Return the picture bent a little, as a face drawn with another expression is.

    Expression transfers leave colour and resolution nearly right; what remains is a face whose
    parts lie a per cent or two elsewhere, and that was drawn anew.
    """
    cells = max(4, round(4 * rgb.shape[1] / face_width))
    grid = rng.standard_normal((2, cells, cells)).astype(np.float32)
    x, y = _bent(grid, np.float32(rng.uniform(0.004, 0.02) * face_width), rgb.shape)
    how = (cv2.INTER_LINEAR, cv2.INTER_CUBIC)[rng.integers(2)]
    out: Picture = cv2.remap(rgb, x, y, how, borderMode=cv2.BORDER_REFLECT)
    return out


def _bent(
    grid: NDArray[np.float32], amplitude: np.float32, shape: tuple[int, ...]
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Return where each pixel comes from when a coarse grid (2, n, n) of shifts bends a picture."""
    height, width = shape[:2]
    dx, dy = (
        cv2.resize(g, (width, height), interpolation=cv2.INTER_CUBIC) * amplitude for g in grid
    )
    x, y = np.meshgrid(np.arange(width, dtype=np.float32), np.arange(height, dtype=np.float32))
    return x + dx, y + dy


def moved(rgb: Picture, move: NDArray[np.float64]) -> Picture:
    """Return the picture moved by a 2x3 matrix, mirrored beyond its edges."""
    size = (rgb.shape[1], rgb.shape[0])
    out: Picture = cv2.warpAffine(
        rgb, move, size, flags=cv2.INTER_CUBIC, borderMode=cv2.BORDER_REFLECT
    )
    return out


def small_move(centre: NDArray[np.floating], face_width: float, rng: Rng) -> NDArray[np.float64]:
    """Return a 2x3 matrix: a shift, scale and turn of a few per cent about the face's centre."""
    angle, scale = rng.uniform(-2.5, 2.5), rng.uniform(0.95, 1.05)
    matrix: NDArray[np.float64] = cv2.getRotationMatrix2D(
        (float(centre[0]), float(centre[1])), angle, scale
    )
    matrix[:, 2] += rng.uniform(-0.03, 0.03, 2) * face_width
    return matrix


def self_blend(rgb: Picture, mesh: NDArray[np.floating], rng: Rng) -> BlendPair | None:
    """Make one forged and one genuine picture of a photograph.

    Parameters
    ----------
    rgb : (H, W, 3) uint8
    mesh : (478, 2 or 3)
        Face mesh in pixels of the picture.
    rng
        Everything is drawn from it: the same generator gives the same bytes.

    Returns
    -------
    Pair or None
        None when the drawn mask is too small to teach anything; draw again. Where the mask is 0
        the two pictures are identical.
    """
    shape = rgb.shape[:2]
    size = np.ptp(mesh[list(OVAL), :2], axis=0)
    face_width = float(size[0])
    source = target = rgb
    if rng.random() < 0.5:
        source = mismatch(rgb, face_width, rng)
    else:
        target = mismatch(rgb, face_width, rng)
    if rng.random() < 0.4:
        source = reshape(source, face_width, rng)
    hard, regions = draw_mask(mesh, shape, rng)
    move = small_move(mesh[:, :2].mean(axis=0), face_width, rng)
    source = moved(source, move)
    mask = soften(cv2.warpAffine(hard, move, (shape[1], shape[0])), face_width, rng)
    if float(mask.sum()) < MASK_AREA_MIN * float(np.prod(size)):
        return None
    ratio = float(rng.choice([0.35, 0.5, 0.75, 1, 1, 1]))
    fake = blend(source, target, mask, ratio)
    return BlendPair(fake, target, Blend(mask, ratio, regions))


def blend(
    source: Picture, target: Picture, mask: NDArray[np.float32], ratio: float = 1.0
) -> Picture:
    """Return `source` laid over `target` where `mask` (H, W) is, rounded."""
    m = (np.float32(ratio) * mask)[..., None]
    return to_u8(source * m + target * (1 - m))


def region_mask(
    mesh: NDArray[np.floating], shape: tuple[int, int], regions: Sequence[str], *, grow: float = 1.3
) -> NDArray[np.float32]:
    """Return 1 inside the grown hulls of the named `PARTS`, else 0.

    Raises
    ------
    KeyError
        If a name is not in `PARTS`.
    """
    masks = [hull_mask(mesh[list(PARTS[r]), :2], shape, grow=grow) for r in regions]
    return np.asarray(np.max(masks, axis=0), np.float32)
