"""The steps of a swap: warp, match colours, mask, blend. Pure functions of pictures."""

from __future__ import annotations

import functools
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from toolkit.errors import (
    ShapeError,
)
from toolkit.faces.mesh import canonical_face
from toolkit.forge.degrade import to_u8
from toolkit.forge.expression import (
    Picture,
)
from toolkit.forge.swap.recipe import Blending, Colour, Mouth

Float = NDArray[np.float64]
Mask = NDArray[np.float32]
SPECK_PART = 0.01
"""A hole inside the face smaller than this part of it is closed."""
# fmt: off
INNER_LIPS = (78, 191, 80, 81, 82, 13, 312, 311, 310, 415, 308, 324, 318, 402, 317, 14, 87, 178,
              88, 95)
"""Ring of mesh points round the opening of the mouth."""
# fmt: on


@dataclass(frozen=True, eq=False)
class Warped:
    """A gallery face laid onto the target's mesh.

    Attributes
    ----------
    rgb : (H, W, 3) uint8
        The face where `shows` is True; black elsewhere.
    shows : (H, W) bool
        Pixels that get something of the face.
    outline : (H, W) bool
        Pixels that the target's mesh covers, turned-away parts included.
    hidden
        Triangles of the target that the gallery picture does not show: turned away or folded.
    stretch
        Typical enlargement of the picture, 1 = as large as it was (median over triangles).
    """

    rgb: Picture
    shows: NDArray[np.bool_]
    outline: NDArray[np.bool_]
    hidden: int
    stretch: float


@functools.cache
def _front_sign() -> float:
    """Return the sign of the area of a triangle that faces the camera, y down."""
    face = canonical_face()
    flat = face.vertices[:, :2] * (1, -1)
    return float(np.sign(np.median(_areas(flat[face.triangles]))))


def _areas(corners: Float) -> Float:
    """Return twice the signed areas of (n, 3, 2) triangles."""
    a, b = corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]
    return np.asarray(a[:, 0] * b[:, 1] - a[:, 1] * b[:, 0])


def warp(
    source: Picture,
    source_mesh: NDArray[np.floating],
    target_mesh: NDArray[np.floating],
    shape: tuple[int, int],
) -> Warped:
    """Warp a picture of a face onto another mesh: one affine map per triangle.

    Every pixel of the target asks in which triangle it lies and fetches its colour from the same
    place of that triangle in the picture. So there is no gap and no overlap: the target's triangles
    are painted far to near into one map, and the picture is sampled once. Triangles that are turned
    away in the target are not painted; those that are turned away or folded flat in the picture
    have nothing to show and are left out of `shows`.

    Parameters
    ----------
    source : (h, w, 3) uint8
    source_mesh, target_mesh : (478, 3)
        In pixels of the source and of the result.
    shape
        Height and width of the result.

    Raises
    ------
    ShapeError
        If a mesh is not one.
    """
    for mesh in (source_mesh, target_mesh):
        if mesh.shape != (478, 3) or not np.isfinite(mesh).all():
            raise ShapeError("this is not a face mesh", str(mesh.shape), "Expected (478, 3).")
    triangles = canonical_face().triangles
    there = target_mesh[:468, :2].astype(np.float64)[triangles]
    here = source_mesh[:468, :2].astype(np.float64)[triangles]
    sign = _front_sign()
    area_there, area_here = _areas(there) * sign, _areas(here) * sign
    painted = _paint(there, target_mesh[:468, 2][triangles].mean(axis=1), area_there > 0, shape)
    # under a hundredth of its size in the target a triangle is seen edge-on: a smear, no picture
    usable = area_here > 0.01 * np.maximum(area_there, 0)
    outline = painted >= 0
    shows = _without_specks(outline & usable[np.where(outline, painted, 0)], outline)
    y, x = np.nonzero(outline)
    maps = _affine_maps(there, here)[painted[y, x]]
    at = np.stack([x, y, np.ones(len(x))], axis=1)[:, None]
    found = (maps * at).sum(axis=2)
    map_x, map_y = np.full(shape, -1, np.float32), np.full(shape, -1, np.float32)
    map_x[y, x], map_y[y, x] = found[:, 0], found[:, 1]
    seen = (area_there > 0) & usable
    stretch = float(np.sqrt(np.median(area_there[seen] / area_here[seen]))) if seen.any() else 0.0
    if stretch and stretch < 0.67:  # it shrinks: without smoothing the sampling would alias
        source = cv2.GaussianBlur(source, (0, 0), 0.5 * np.sqrt(1 / stretch**2 - 1))
    rgb = cv2.remap(source, map_x, map_y, cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE)
    rgb[~outline] = 0
    hidden = int(((area_there > 0) & ~usable).sum())
    return Warped(np.asarray(rgb, np.uint8), shows, outline, hidden, stretch)


def _without_specks(shows: NDArray[np.bool_], outline: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Return `shows` with small holes inside the face closed.

    At a nostril a triangle or two are seen edge-on. What they smear is a few pixels, while a hole
    would be grown by the mask's soft edge until half the nose were the target's again.
    """
    _count, labels, facts, _centres = cv2.connectedComponentsWithStats(
        (outline & ~shows).astype(np.uint8), connectivity=4
    )
    border = np.unique(labels[cv2.dilate((~outline).astype(np.uint8), np.ones((3, 3))) > 0])
    small = facts[:, cv2.CC_STAT_AREA] < SPECK_PART * max(int(outline.sum()), 1)
    small[border] = False
    small[0] = False
    return np.asarray(shows | small[labels])


def _paint(
    corners: Float, depth: Float, front: NDArray[np.bool_], shape: tuple[int, int]
) -> NDArray[np.int32]:
    """Return which triangle each pixel lies in, -1 for none."""
    out = np.full(shape, -1, np.int32)
    fixed = np.rint(corners * 16).astype(np.int32)  # 4 fractional bits
    for k in np.argsort(-depth, kind="stable").tolist():
        if front[k]:
            cv2.fillConvexPoly(out, fixed[k], k, shift=4)
    return out


def _affine_maps(there: Float, here: Float) -> Float:
    """Return the (n, 2, 3) maps from `there` to `here`, both (n, 3, 2)."""
    ones = np.ones((*there.shape[:2], 1))
    matrix = np.concatenate([there, ones], axis=2)
    flat = np.abs(np.linalg.det(matrix)) < 1e-9
    matrix[flat] = np.eye(3)  # never painted
    return np.asarray(np.linalg.solve(matrix, here).transpose(0, 2, 1))


def mouth_opening(mesh: NDArray[np.floating]) -> float:
    """Return the height of the mouth's opening over the mouth's width."""
    height = float(np.linalg.norm(mesh[13, :2] - mesh[14, :2]))
    return height / max(float(np.linalg.norm(mesh[61, :2] - mesh[291, :2])), 1e-6)


def mouth_from_target(
    source_mesh: NDArray[np.floating], target_mesh: NDArray[np.floating], mouth: Mouth
) -> float:
    """Return how much of the inside of the mouth the target keeps, 0..1.

    A closed mouth has no teeth to show: pulled open, its lips smear. With ``"auto"`` the target's
    own mouth shows as far as the picture's is less open than needed, and continuously, so that it
    does not blink on and off.
    """
    if mouth != "auto":
        return float(mouth == "target")
    needed, there = mouth_opening(target_mesh), mouth_opening(source_mesh)
    if needed < 0.02:
        return 0.0
    return float(np.clip((0.9 - there / needed) / 0.4, 0, 1))


def inside_mouth(mesh: NDArray[np.floating], shape: tuple[int, int], soft: float) -> Mask:
    """Return the opening of the mouth as a mask (H, W), its edge `soft` pixels wide."""
    out = np.zeros(shape, np.float32)
    ring = np.rint(mesh[list(INNER_LIPS), :2] * 16).astype(np.int32)
    cv2.fillPoly(out, [ring], 1.0, shift=4)
    return np.asarray(cv2.GaussianBlur(out, (0, 0), max(0.5, soft)), np.float32)


@dataclass(frozen=True, eq=False)
class Coloured:
    """A face in the target's colours, and how far apart the colours are, before and after.

    `before` and `after` are distances of the mean colours in Lab units (2 to 3 is just visible).
    """

    rgb: Picture
    before: float
    after: float


def match_colour(
    source: Picture,
    target: Picture,
    where: NDArray[np.bool_],
    *,
    method: Colour = "local",
    strength: float = 1.0,
) -> Coloured:
    """Give a face the colours of the one it replaces.

    Parameters
    ----------
    source, target : (H, W, 3) uint8
        The warped face and what it is laid on, pixel on pixel.
    where : (H, W) bool
        Pixels to compare.
    method
        ``"none"``, ``"mean"`` (mean and spread per Lab channel) or ``"local"`` (brightness and
        colour as they change over the face, by the ratio of the two blurred pictures).
    strength
        0 to 1.
    """
    if not where.any():
        return Coloured(source, 0.0, 0.0)
    before = _colour_distance(source, target, where)
    if method == "none" or strength == 0:
        return Coloured(source, before, before)
    changed = (
        _by_mean(source, target, where) if method == "mean" else _by_light(source, target, where)
    )
    mixed = source + np.float32(strength) * (changed - source)
    rgb = to_u8(mixed)
    return Coloured(rgb, before, _colour_distance(rgb, target, where))


def _lab(rgb: Picture) -> NDArray[np.float32]:
    return np.asarray(cv2.cvtColor(rgb.astype(np.float32) / 255, cv2.COLOR_RGB2Lab), np.float32)


def _colour_distance(a: Picture, b: Picture, where: NDArray[np.bool_]) -> float:
    apart = _lab(a)[where].mean(axis=0) - _lab(b)[where].mean(axis=0)
    return float(np.linalg.norm(apart))


def _by_mean(source: Picture, target: Picture, where: NDArray[np.bool_]) -> NDArray[np.float32]:
    a, b = _lab(source), _lab(target)
    mean_a, mean_b = a[where].mean(axis=0), b[where].mean(axis=0)
    spread = b[where].std(axis=0) / np.maximum(a[where].std(axis=0), 1e-3)
    out = (a - mean_a) * np.clip(spread, 0.5, 2) + mean_b
    return np.asarray(cv2.cvtColor(out, cv2.COLOR_Lab2RGB) * 255, np.float32)


def _by_light(source: Picture, target: Picture, where: NDArray[np.bool_]) -> NDArray[np.float32]:
    """Give the face the target's light as it changes over it.

    Brightness by the ratio of the blurred pictures, so that contrast follows; colour by their
    difference, because a ratio would blow up the colour noise of a dark picture.
    """
    weight = where.astype(np.float32)
    sigma = 0.12 * float(np.sqrt(weight.sum()))
    area = cv2.GaussianBlur(weight, (0, 0), sigma)[..., None] + 1e-3
    a, b = _lab(source), _lab(target)
    light_a, light_b = (
        cv2.GaussianBlur(lab * weight[..., None], (0, 0), sigma) / area for lab in (a, b)
    )
    out = a - light_a + light_b
    gain = np.clip((light_b[..., 0] + 2) / (light_a[..., 0] + 2), 0.3, 3)
    out[..., 0] = a[..., 0] * gain
    return np.asarray(cv2.cvtColor(out, cv2.COLOR_Lab2RGB) * 255, np.float32)


def make_mask(shows: NDArray[np.bool_], width: float, *, erode: float, feather: float) -> Mask:
    """Return how much of the face is taken at each pixel: 0 at the outline, 1 well inside.

    Parameters
    ----------
    shows : (H, W) bool
        Where the warped face has something to show.
    width
        Width of the face in pixels.
    erode, feather
        The mask is 0 until `erode` face widths inside, and grows over `feather` face widths.
    """
    padded = np.pad(shows.astype(np.uint8), 1)
    inside = cv2.distanceTransform(padded, cv2.DIST_L2, cv2.DIST_MASK_PRECISE)[1:-1, 1:-1]
    ramp = (inside - erode * width) / max(feather * width, 1.0)
    t = np.clip(ramp, 0, 1)
    return np.asarray(t * t * (3 - 2 * t), np.float32)  # smooth at both ends: no visible edge


def blend(source: Picture, target: Picture, mask: Mask, *, how: Blending = "feather") -> Picture:
    """Lay `source` over `target` (H, W, 3) where `mask` (H, W) is.

    Where the mask is 0 the result is the target, to the bit.
    """
    if how == "hard":
        return np.where((mask >= 0.5)[..., None], source, target)
    mixed = source
    if how == "poisson":
        mixed = _poisson(source, target, mask)
    m = mask[..., None]
    out = to_u8(mixed * m + target * (1 - m))
    out[mask <= 0] = target[mask <= 0]
    return out


def _poisson(source: Picture, target: Picture, mask: Mask) -> Picture:
    """Return the face with its own gradients and the target's colours at the mask's border."""
    inside = (mask > 0.02).astype(np.uint8) * 255
    inside[[0, -1]] = 0
    inside[:, [0, -1]] = 0
    x, y, w, h = cv2.boundingRect(inside)
    if w < 3 or h < 3:
        return source
    # OpenCV centres the mask's bounding box on this point
    centre = (x + w // 2, y + h // 2)
    out: Picture = cv2.seamlessClone(source, target, inside, centre, cv2.NORMAL_CLONE)
    return out
