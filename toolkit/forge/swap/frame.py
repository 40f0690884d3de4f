"""One frame of a swap, with a picture and a figure of each step."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from toolkit.errors import (
    UsageError,
)
from toolkit.faces.crops import face_square, face_width
from toolkit.faces.mesh import MeshCrop, canonical_face
from toolkit.forge import marks
from toolkit.forge.degrade import h264, to_u8
from toolkit.forge.expression import (
    ExpressionFace,
    Picture,
)
from toolkit.forge.swap.recipe import USUAL, SwapRecipe
from toolkit.forge.swap.steps import (
    Mask,
    blend,
    inside_mouth,
    make_mask,
    match_colour,
    mouth_from_target,
    warp,
)

CROP_MARGIN = 0.125
"""Margin of the bundled detector's crop; the label keeps clear of it."""


@dataclass(frozen=True, eq=False)
class SwapStep:
    """One step of a swap, to be shown: a picture, and what was measured (name, value)."""

    name: str
    rgb: Picture
    numbers: dict[str, float]


@dataclass(frozen=True, eq=False)
class Swapped:
    """One swapped frame.

    Attributes
    ----------
    rgb : (H, W, 3) uint8
        The whole frame.
    mask : (H, W) float32
        Where the face was put, and how much of it: the truth about this frame.
    steps
        face, search, warp, colour, mask, blend, back: in order, cut to the face but for the last.
        The forged ones, blend and back, carry the label.
    """

    rgb: Picture
    mask: Mask
    steps: tuple[SwapStep, ...]


@dataclass(frozen=True)
class _Window:
    """The part of a frame that a swap works in: left, top, right, bottom."""

    left: int
    top: int
    right: int
    bottom: int

    @classmethod
    def around(cls, mesh: NDArray[np.floating], shape: tuple[int, ...]) -> _Window:
        low, high = mesh[:468, :2].min(axis=0), mesh[:468, :2].max(axis=0)
        margin = 0.25 * float((high - low).max())
        left, top = np.maximum(np.floor(low - margin), 0).astype(int).tolist()
        right, bottom = (
            np.minimum(np.ceil(high + margin), (shape[1], shape[0])).astype(int).tolist()
        )
        return cls(left, top, right, bottom)

    @property
    def shape(self) -> tuple[int, int]:
        return self.bottom - self.top, self.right - self.left

    def of(self, picture: NDArray[np.uint8]) -> NDArray[np.uint8]:
        return picture[self.top : self.bottom, self.left : self.right]

    def local(self, mesh: NDArray[np.floating]) -> NDArray[np.float32]:
        return np.asarray(mesh - np.array([self.left, self.top, 0]), np.float32)


def swap_frame(
    rgb: Picture,
    mesh: NDArray[np.floating],
    faces: ExpressionFace | Sequence[tuple[ExpressionFace, float]],
    recipe: SwapRecipe = USUAL,
    *,
    show: bool = True,
) -> Swapped:
    """Put a gallery face on one frame.

    Parameters
    ----------
    rgb : (H, W, 3) uint8
        Frame of the target.
    mesh : (478, 3)
        Its face, in its pixels.
    faces
        A gallery face with its picture; or several with weights that sum to 1, laid over one
        another, while one picture fades into the next.
    recipe
        How; `match`, `jump` and `crf` do not matter here.
    show
        Whether to make the pictures of the steps.

    Raises
    ------
    UsageError
        If the gallery kept no pictures, or the face lies outside the frame.
    """
    mixed = [(faces, 1.0)] if isinstance(faces, ExpressionFace) else list(faces)
    if not mixed or not all(face.rgb.size for face, _weight in mixed):
        raise UsageError("this gallery has no pictures", "", "Make it with its pictures.")
    window = _Window.around(mesh, rgb.shape)
    if min(window.shape) < 8:
        raise UsageError("the face lies outside the picture", str(window), "Take another frame.")
    target, place = window.of(rgb), window.local(mesh)
    width = face_width(mesh)
    goal = place + np.array([*(s * width for s in recipe.shift), 0], np.float32)
    main = max(mixed, key=lambda pair: pair[1])[0]
    kept = 0.0
    laid, shows = np.zeros((*window.shape, 3), np.float32), np.ones(window.shape, bool)
    for face, weight in mixed:
        picture, kept = _at_resolution(face, recipe.resolution)
        one = warp(picture, face.mesh, goal, window.shape)
        laid += np.float32(weight) * one.rgb
        shows &= one.shows
        if face is main:
            warped = one
    flat = to_u8(laid)
    coloured = match_colour(
        flat, target, shows, method=recipe.colour, strength=recipe.colour_strength
    )
    mask = make_mask(shows, width, erode=recipe.erode, feather=recipe.feather)
    own_mouth = mouth_from_target(main.mesh, place, recipe.mouth)
    if own_mouth > 0:
        mask = mask * (1 - own_mouth * inside_mouth(place, window.shape, 0.012 * width))
    blended = blend(coloured.rgb, target, mask, how=recipe.blend)
    out = rgb.copy()
    out[window.top : window.bottom, window.left : window.right] = blended
    truth = np.zeros(rgb.shape[:2], np.float32)
    used = (mask >= 0.5).astype(np.float32) if recipe.blend == "hard" else mask
    truth[window.top : window.bottom, window.left : window.right] = used
    if not show:
        return Swapped(out, truth, ())
    shown_mask = np.repeat(np.rint(used * 255).astype(np.uint8)[..., None], 3, axis=2)
    steps = (
        SwapStep("face", _with_mesh(target, place), {"face_width_px": width}),
        SwapStep("search", main.rgb, {"gallery_width_px": main.width, "kept_width_px": kept}),
        SwapStep("warp", flat, {"hidden": float(warped.hidden), "stretch": warped.stretch}),
        SwapStep(
            "colour",
            coloured.rgb * shows[..., None],
            {"before": coloured.before, "after": coloured.after},
        ),
        SwapStep("mask", shown_mask, {"area_px": float(used.sum()), "own_mouth": own_mouth}),
        SwapStep("blend", labelled(blended), {"edge": _edge_step(blended, used)}),
        SwapStep("back", labelled(out, mesh), {"changed_part": float((truth > 0).mean())}),
    )
    return Swapped(out, truth, steps)


def labelled(rgb: Picture, mesh: NDArray[np.floating] | None = None) -> Picture:
    """Return a picture with the label outside its face; without a mesh, in a strip below."""
    height, width = rgb.shape[:2]
    if mesh is None:
        return marks.draw_label(rgb, marks.choose_place(rgb.shape, [(0, 0, width, height)]))
    crops, wider = looked_at(np.asarray(mesh, np.float32)[None])
    return marks.draw_label(rgb, marks.choose_place(rgb.shape, crops, wider))


def compress(rgb: Picture, crf: int) -> SwapStep:
    """Return the step that codes a frame as the last of a short H.264 video."""
    coded = h264(rgb, crf)
    error = float(np.sqrt(np.mean((coded.astype(np.float32) - rgb) ** 2)))
    return SwapStep("compress", coded, {"crf": float(crf), "error": error})


def _at_resolution(face: ExpressionFace, width: int) -> tuple[Picture, float]:
    """Return picture and width of a face, shrunk to `width` and enlarged back if asked."""
    own = face.width
    if not width or width >= own:
        return face.rgb, own
    size = (face.rgb.shape[1], face.rgb.shape[0])
    small = (max(4, round(size[0] * width / own)), max(4, round(size[1] * width / own)))
    shrunk = cv2.resize(face.rgb, small, interpolation=cv2.INTER_AREA)
    grown = cv2.resize(shrunk, size, interpolation=cv2.INTER_CUBIC)
    return np.asarray(grown, np.uint8), float(width)


def _with_mesh(rgb: Picture, mesh: NDArray[np.float32]) -> Picture:
    """Return the face enlarged, with the edges of its triangles drawn on it."""
    scale = 2 if rgb.shape[1] < 320 else 1
    out = cv2.resize(rgb, None, fx=scale, fy=scale, interpolation=cv2.INTER_CUBIC)
    corners = np.rint(mesh[:468, :2][canonical_face().triangles] * scale * 16).astype(np.int32)
    cv2.polylines(out, list(corners), True, (255, 255, 255), 1, cv2.LINE_AA, 4)
    return np.asarray(cv2.addWeighted(out, 0.45, cv2.resize(rgb, out.shape[1::-1]), 0.55, 0))


def _edge_step(rgb: Picture, mask: Mask) -> float:
    """Return the mean change of brightness across the mask's edge, in grey levels per pixel."""
    grey = cv2.cvtColor(rgb, cv2.COLOR_RGB2GRAY).astype(np.float32)
    slope = np.hypot(
        cv2.Sobel(grey, cv2.CV_32F, 1, 0, scale=1 / 8),
        cv2.Sobel(grey, cv2.CV_32F, 0, 1, scale=1 / 8),
    )
    edge = cv2.morphologyEx((mask > 0.5).astype(np.uint8), cv2.MORPH_GRADIENT, np.ones((3, 3)))
    return float(slope[edge > 0].mean()) if edge.any() else 0.0


def looked_at(
    mesh: NDArray[np.float32],
) -> tuple[list[tuple[float, ...]], list[tuple[float, ...]]]:
    """Return the areas (left, top, right, bottom) that networks look at in (T, 478, 3) meshes.

    Returns
    -------
    crops
        What a detector is shown: `CROP_MARGIN` round the face oval.
    wider
        From where the mesh itself is read; larger, and turned: its upright bounds.
    """
    crops: list[tuple[float, ...]] = []
    wider: list[tuple[float, ...]] = []
    for one in mesh[np.isfinite(mesh[:, 0, 0])]:
        square = face_square(one, margin=CROP_MARGIN)
        left, top, side = square.left, square.top, square.side
        crops.append((left - 1, top - 1, left + side + 1, top + side + 1))
        crop = MeshCrop.from_mesh(one)
        reach = crop.side / 2 * (abs(np.cos(crop.angle)) + abs(np.sin(crop.angle)))
        wider.append((crop.x - reach, crop.y - reach, crop.x + reach, crop.y + reach))
    return crops, wider
