"""Put one person's face on another's performance, step by step. For lessons.

The old way, which every program that swaps faces still ends with: search the other person's
pictures for the expression of this moment, warp that picture onto the face, match its colours, mask
it, blend it in. No network is trained and nothing is invented, so each step can be shown, turned
with a slider, and broken on purpose. The steps are pure functions of pictures and numbers; `steps`
runs them in order, `swap` makes a clip of them, marked as `toolkit.forge.marks` says.

    python -m toolkit swap TARGET --faces SOURCE --out synthetic_NAME.mp4

TARGET and SOURCE are names of samples or paths; SOURCE may be a folder of pictures.
"""

from __future__ import annotations

import argparse
import functools
import sys
import tempfile
import time
import zipfile
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Literal

import cv2
import numpy as np
from numpy.typing import NDArray

from toolkit import media
from toolkit.errors import (
    OutOfRangeError,
    ShapeError,
    ToolkitError,
    UnknownNameError,
    UsageError,
    VideoError,
)
from toolkit.faces.crops import face_square, face_width
from toolkit.faces.mesh import MeshCrop, canonical_face
from toolkit.files import atomic_path
from toolkit.forge import expression, marks
from toolkit.forge.degrade import h264, to_u8
from toolkit.forge.expression import (
    ExpressionFace,
    ExpressionGallery,
    ExpressionReader,
    ExpressionReading,
    Picture,
)
from toolkit.forge.marks import Place
from toolkit.messages import phrase, text_of
from toolkit.types import Tick, Video, no_tick

Float = NDArray[np.float64]
Mask = NDArray[np.float32]

Colour = Literal["none", "mean", "local"]
Blending = Literal["hard", "feather", "poisson"]
Mouth = Literal["gallery", "target", "auto"]
Match = Literal["best", "worst"]

COLOURS: tuple[Colour, ...] = ("local", "mean", "none")
BLENDINGS: tuple[Blending, ...] = ("feather", "poisson", "hard")
MOUTHS: tuple[Mouth, ...] = ("auto", "gallery", "target")
CROP_MARGIN = 0.125
"""Margin of the bundled detector's crop; the label keeps clear of it."""
SECONDS_MAX = 60.0
"""Longest swap: it is for lessons."""
JUMP = 1.5
"""Usual cost of changing the gallery picture, in squared distance."""
SMOOTH_FRAMES = 0.7
"""Standard deviation, in frames, of the smoothing of the target's mesh over time."""
SPECK_PART = 0.01
"""A hole inside the face smaller than this part of it is closed."""
FADE = (0.25, 0.5, 0.25)
"""Weights of the gallery pictures of the frame before, this one and the next: a change of picture
fades in over three frames. Longer would wash out blinks."""

# fmt: off
INNER_LIPS = (78, 191, 80, 81, 82, 13, 312, 311, 310, 415, 308, 324, 318, 402, 317, 14, 87, 178,
              88, 95)
"""Ring of mesh points round the opening of the mouth."""
# fmt: on


@dataclass(frozen=True)
class SwapRecipe:
    """How a swap is made; the usual values make the best one.

    Attributes
    ----------
    match
        ``"best"`` takes the gallery face with the closest expression, ``"worst"`` the farthest.
    jump
        Cost of changing the gallery picture from one frame to the next, see
        `expression.choose_path`; 0 takes the closest at every frame, which flickers.
    resolution
        Width in pixels to which the face is shrunk before it is warped; 0 = as it is.
    shift
        How far the face is put beside its place, in face widths: right, down.
    mouth
        Inside of the mouth: from the ``"gallery"`` picture, from the ``"target"`` clip, or
        ``"auto"``: from the clip as far as the picture's mouth is less open than the clip's.
    colour, colour_strength
        ``"mean"`` gives the face the target's mean and spread per colour, ``"local"`` its light
        as it changes over the face; 0 to 1, how much of it.
    erode, feather
        How far inside the outline of the face the mask begins, and over what width it grows, both
        in face widths.
    blend
        ``"hard"`` cuts along the mask's half, ``"feather"`` mixes by the mask, ``"poisson"``
        keeps the face's gradients and lets its border take the target's colours.
    crf
        Quality of the coded clip: 0 to 51, lower is better.
    seed
        Stored; nothing is drawn at random.
    """

    match: Match = "best"
    jump: float = JUMP
    resolution: int = 0
    shift: tuple[float, float] = (0.0, 0.0)
    mouth: Mouth = "auto"
    colour: Colour = "local"
    colour_strength: float = 1.0
    erode: float = 0.03
    feather: float = 0.10
    blend: Blending = "feather"
    crf: int = 20
    seed: int = 0

    def __post_init__(self) -> None:
        limits = {
            "jump": (0, 1000),
            "resolution": (0, 1024),
            "colour_strength": (0, 1),
            "erode": (0, 0.3),
            "feather": (0, 0.5),
            "crf": (0, 51),
        }
        for name, (low, high) in limits.items():
            if not low <= getattr(self, name) <= high:
                value = phrase("{name} = {value}", name=name, value=getattr(self, name))
                raise OutOfRangeError(
                    "a setting is out of range", value, "Use {low} to {high}.", low=low, high=high
                )
        if max(abs(s) for s in self.shift) > 1:
            raise OutOfRangeError(
                "a setting is out of range",
                f"shift = {self.shift}",
                "Use -1 to 1.",
            )
        choices = {
            "match": ("best", "worst"),
            "mouth": MOUTHS,
            "colour": COLOURS,
            "blend": BLENDINGS,
        }
        for name, known in choices.items():
            if getattr(self, name) not in known:
                value = phrase("{name} = {value}", name=name, value=getattr(self, name))
                raise UnknownNameError(
                    "unknown choice", value, "Choose one of {known}.", known=known
                )


USUAL = SwapRecipe()

BREAKS: dict[str, dict[str, object]] = {
    "none": {},
    "no_colour": {"colour": "none"},
    "hard_mask": {"blend": "hard", "erode": 0.0, "feather": 0.0},
    "wrong_expression": {"match": "worst", "mouth": "gallery"},
    "shifted": {"shift": (0.06, 0.03)},
    "low_resolution": {"resolution": 32},
}
"""One step broken on purpose: what is changed in a recipe."""


def broken(recipe: SwapRecipe, step: str) -> SwapRecipe:
    """Return the recipe with one step broken, by a name out of `BREAKS`.

    Raises
    ------
    UsageError
        If there is no such step.

    Examples
    --------
    >>> broken(USUAL, "no_colour").colour
    'none'
    """
    if step not in BREAKS:
        raise UnknownNameError(
            "unknown step to break", step, "Choose one of {known}.", known=BREAKS
        )
    return replace(recipe, **BREAKS[step])  # type: ignore[arg-type]  # values fit their fields


# -- warp


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


# -- colour, mask, blend


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


# -- one frame


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


# -- a clip


@dataclass(frozen=True, eq=False)
class Performance:
    """The face of a target clip, moment by moment.

    Attributes
    ----------
    path, sha256
        The clip.
    indices : (T,) int64
        Frames of the stretch.
    pts : (T,) float64
        Seconds from the start of the stretch.
    mesh : (T, 478, 3) float32
        NaN where no face was found.
    coefficients : (T, 52) float32
        Zero there.
    poses : (T, 3) float64
        Zero there.
    size
        Width and height of the frames.
    """

    path: Path
    sha256: str
    indices: NDArray[np.int64]
    pts: Float
    mesh: NDArray[np.float32]
    coefficients: NDArray[np.float32]
    poses: Float
    size: tuple[int, int]

    @property
    def has_face(self) -> NDArray[np.bool_]:
        """(T,) whether a face was found."""
        return np.asarray(np.isfinite(self.mesh[:, 0, 0]))

    @property
    def rest(self) -> Float:
        """(52,) the resting face of this stretch."""
        return expression.rest_of(self.coefficients[self.has_face].astype(np.float64))

    def at(self, moment: int) -> ExpressionReading:
        """Return what was read at one moment."""
        yaw, pitch, roll = self.poses[moment].tolist()
        return ExpressionReading(self.mesh[moment], self.coefficients[moment], (yaw, pitch, roll))


def read_performance(
    path: Path | str, *, start_s: float = 0.0, end_s: float = np.inf, tick: Tick = no_tick
) -> Performance:
    """Read the largest face of every frame of a stretch of a clip. Pixels are not kept.

    Raises
    ------
    UsageError
        If the stretch is empty or longer than `SECONDS_MAX`.
    VideoError
        If the clip cannot be read or shows no face.
    """
    video = media.probe(path, tick=tick)
    times = video.pts - video.pts[0]
    wanted = np.flatnonzero((times >= start_s) & (times <= end_s)).astype(np.int64)
    if not len(wanted):
        value = phrase("{start:g} to {end:g} s", start=start_s, end=end_s)
        raise OutOfRangeError("nothing of the clip is chosen", value, "Choose a longer stretch.")
    pts = times[wanted] - times[wanted[0]]
    if pts[-1] > SECONDS_MAX:
        value = phrase("{seconds:.0f} s", seconds=pts[-1])
        raise OutOfRangeError(
            "this stretch is too long", value, "Use at most {most:.0f} s.", most=SECONDS_MAX
        )
    mesh = np.full((len(wanted), 478, 3), np.nan, np.float32)
    coefficients = np.zeros((len(wanted), len(expression.BLENDSHAPES)), np.float32)
    poses = np.zeros((len(wanted), 3))
    reader = ExpressionReader()
    for t, rgb in _frames(video, wanted, tick, "read"):
        reading = reader(rgb)
        if reading is not None:
            mesh[t], coefficients[t], poses[t] = reading.mesh, reading.coefficients, reading.pose
    if not np.isfinite(mesh).any():
        raise VideoError("the clip shows no face", media.show_name(path), "Choose another clip.")
    return Performance(
        Path(path),
        video.sha256,
        wanted,
        pts,
        mesh,
        coefficients,
        poses,
        (video.width, video.height),
    )


def _frames(
    video: Video, wanted: NDArray[np.int64], tick: Tick, stage: str
) -> Iterator[tuple[int, Picture]]:
    """Yield number and picture of each wanted frame; a frame that is missing is an error."""
    found = media.read(video, wanted, tick=tick, stage=stage)
    for number, index in enumerate(wanted.tolist()):
        frame = next(found, None)
        if frame is None or frame.index != index:
            at_s = float(video.pts[index] - video.pts[0])
            raise VideoError(
                "the clip has frames that cannot be read", phrase("at {at_s:.2f} s", at_s=at_s)
            )
        yield number, frame.rgb


def choose_faces(
    performance: Performance, gallery: ExpressionGallery, recipe: SwapRecipe = USUAL
) -> tuple[NDArray[np.int64], Float]:
    """Choose a gallery face for every moment of a performance.

    Returns
    -------
    chosen : (T,) int64
        Positions in the gallery; -1 where the target shows no face.
    distances : (T,) float64
        How far the chosen ones are; NaN there.
    """
    there = performance.has_face
    expressions, poses = expression.squared_distances(
        performance.coefficients[there].astype(np.float64), performance.poses[there], gallery
    )
    squared = expressions + poses
    costs = squared if recipe.match == "best" else squared.max() - squared
    path = expression.choose_path(costs, jump=recipe.jump, is_clip=gallery.is_clip)
    chosen = np.full(len(there), -1, np.int64)
    distances = np.full(len(there), np.nan)
    chosen[there] = path
    distances[there] = np.sqrt(squared[np.arange(len(path)), path])
    return chosen, distances


def smooth_mesh(mesh: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return (T, 478, 3) meshes without their trembling; moments without a face stay NaN."""
    reach = 2
    kernel = np.exp(-0.5 * (np.arange(-reach, reach + 1) / SMOOTH_FRAMES) ** 2)
    there = np.isfinite(mesh[:, :1, :1])
    filled = np.where(there, mesh, 0)
    total, weight = np.zeros(mesh.shape), np.zeros(there.shape)
    count = len(mesh)
    for offset, part in zip(range(-reach, reach + 1), kernel, strict=True):
        to = slice(max(0, offset), count + min(0, offset))
        of = slice(max(0, -offset), count - max(0, offset))
        total[to] += part * filled[of]
        weight[to] += part * there[of]
    out = np.where(there, total / np.maximum(weight, 1e-9), np.nan)
    return np.asarray(out, np.float32)


@dataclass(frozen=True, eq=False)
class Made:
    """A synthetic clip that was written.

    Attributes
    ----------
    path, sidecar, masks
        The clip, the facts about it (JSON), and the mask of every frame (ZIP of PNG files).
    frames, forged
        Frames written, and those in which a face was put.
    chosen : (T,) int64
        Gallery face of each frame, -1 for none.
    distances : (T,) float64
        How far it was, NaN for none.
    place
        Where the label stands.
    """

    path: Path
    sidecar: Path
    masks: Path
    frames: int
    forged: int
    chosen: NDArray[np.int64]
    distances: Float
    place: Place

    @property
    def jumps(self) -> int:
        """How often the gallery picture changed to one that is not its neighbour."""
        used = self.chosen[self.chosen >= 0]
        return int((np.abs(np.diff(used)) > 3).sum())


def swap(
    performance: Performance,
    gallery: ExpressionGallery,
    out: Path | str,
    *,
    recipe: SwapRecipe = USUAL,
    consent: bool = False,
    tick: Tick = no_tick,
) -> Made:
    """Put a gallery's face on a performance and write the clip, marked in every way there is.

    Parameters
    ----------
    performance
        From `read_performance`: whose expression is kept.
    gallery
        Whose face is put on.
    out
        ``synthetic_*.mp4``; the truth is written beside it. Sound is left out.
    recipe
        How.
    consent
        Whether everybody who can be seen agreed to it; not needed for the samples.
    tick
        Stages of `media.probe`, then ``"swap"``.

    Raises
    ------
    UsageError
        If the name does not say that the clip is synthetic, a file lies in a case folder, consent
        is needed and was not given, or the gallery has no pictures.
    VideoError
        If the clip changed since it was read, or cannot be read.
    OSError
        If a file cannot be written.
    """
    path = marks.check_out(out)
    marks.refuse_case(performance.path)
    marks.check_consent((performance.sha256, *gallery.sources), consent=consent)
    video = media.probe(performance.path, tick=tick)
    if video.sha256 != performance.sha256:
        raise VideoError("the file has changed since it was read", media.show_name(video.path))
    chosen, distances = choose_faces(performance, gallery, recipe)
    mesh = smooth_mesh(performance.mesh)
    place = marks.choose_place((video.height, video.width), *looked_at(performance.mesh))
    masks_path = marks.masks_path(path)
    with (
        tempfile.TemporaryDirectory(prefix="doorzicht-") as folder,
        atomic_path(masks_path) as masks_part,
    ):
        coded = Path(folder, "coded.mp4")
        with zipfile.ZipFile(masks_part, "w") as file:
            writer = marks.MaskWriter(file, strip=place.strip)

            def frames() -> Iterator[Picture]:
                for t, rgb in _frames(video, performance.indices, tick, "swap"):
                    done = rgb
                    mask = np.zeros(rgb.shape[:2], np.float32)
                    if chosen[t] >= 0:
                        faces = _fading(gallery, chosen, t)
                        swapped = swap_frame(rgb, mesh[t], faces, recipe, show=False)
                        done, mask = swapped.rgb, swapped.mask
                    writer.add(mask)
                    yield marks.draw_label(done, place)

            media.write_h264(coded, frames(), performance.pts, crf=recipe.crf)
        signed = marks.seal(coded, path)
    forged = int((chosen >= 0).sum())
    sidecar = marks.write_sidecar(
        path,
        {
            "clip": {"name": path.name, "sha256": media.probe(path).sha256},
            "target": {
                "sha256": performance.sha256,
                "first_frame": int(performance.indices[0]),
                "frames": len(performance.indices),
            },
            "faces": {"name": gallery.name, "sha256": list(gallery.sources), "count": len(gallery)},
            "recipe": asdict(recipe),
            "seed": recipe.seed,
            "forged": (chosen >= 0).tolist(),
            "chosen": chosen.tolist(),
            "masks": masks_path.name,
            "label": {"box": list(place.box), "strip": place.strip, "is_clear": place.is_clear},
            "credentials": {"signed_with": signed},
            "consent_stated": consent,
        },
    )
    return Made(path, sidecar, masks_path, len(chosen), forged, chosen, distances, place)


def _fading(
    gallery: ExpressionGallery, chosen: NDArray[np.int64], moment: int
) -> list[tuple[ExpressionFace, float]]:
    """Return the faces that show at a moment, each once, with weights that sum to 1."""
    weights: dict[int, float] = {}
    for offset, weight in zip((-1, 0, 1), FADE, strict=True):
        at = min(max(moment + offset, 0), len(chosen) - 1)
        which = int(chosen[at] if chosen[at] >= 0 else chosen[moment])
        weights[which] = weights.get(which, 0.0) + weight
    return [(gallery.faces[which], weight) for which, weight in weights.items()]


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


# -- the command


def main(argv: Sequence[str] | None = None) -> int:
    """Put one person's face on another's performance; see the module's text."""
    parser = argparse.ArgumentParser(prog="python -m toolkit swap", description=main.__doc__)
    parser.add_argument("target", metavar="TARGET", help="sample or video: its expression is kept")
    parser.add_argument(
        "--faces", required=True, metavar="SOURCE", help="sample, video or folder: its face is used"
    )
    parser.add_argument("--out", required=True, metavar="synthetic_NAME.mp4")
    parser.add_argument("--from", type=float, default=0.0, dest="start", metavar="S")
    parser.add_argument("--to", type=float, default=None, dest="end", metavar="S")
    parser.add_argument("--per-second", type=float, default=5.0, help="gallery frames per second")
    parser.add_argument("--break", choices=BREAKS, default="none", dest="step", help="spoil a step")
    parser.add_argument("--blend", choices=BLENDINGS, default=USUAL.blend)
    parser.add_argument("--colour", choices=COLOURS, default=USUAL.colour)
    parser.add_argument("--mouth", choices=MOUTHS, default=USUAL.mouth)
    parser.add_argument("--jump", type=float, default=USUAL.jump, help="cost of changing picture")
    parser.add_argument("--crf", type=int, default=USUAL.crf)
    parser.add_argument(
        "--consent",
        action="store_true",
        help="everybody who can be seen agreed to it (not needed for the samples)",
    )
    options = parser.parse_args(argv)
    try:
        recipe = SwapRecipe(
            blend=options.blend,
            colour=options.colour,
            mouth=options.mouth,
            jump=options.jump,
            crf=options.crf,
        )
        made, seconds = _command(options, broken(recipe, options.step))
    except UsageError as error:
        print(f"swap: {text_of(error)}", file=sys.stderr)
        return 2
    except (ToolkitError, OSError) as error:
        print(f"swap: {text_of(error)}", file=sys.stderr)
        return 3
    print(
        f"{made.path}: {made.forged} of {made.frames} frames forged, {made.jumps} jumps, "
        f"mean distance {np.nanmean(made.distances):.2f}, "
        f"{made.frames / seconds:.1f} frames per second"
    )
    if not made.place.is_clear:
        print("the label lies inside a face crop: no other place was free")
    return 0


def _command(options: argparse.Namespace, recipe: SwapRecipe) -> tuple[Made, float]:
    marks.check_out(options.out)
    target, source = (marks.sample_path(t) or Path(t) for t in (options.target, options.faces))
    for path in (target, source):
        marks.refuse_case(path)
    gallery = (
        expression.read_folder(source)
        if source.is_dir()
        else expression.read_clip(source, per_second=options.per_second)
    )
    start = time.perf_counter()
    end = options.start + SECONDS_MAX if options.end is None else options.end
    performance = read_performance(target, start_s=options.start, end_s=end)
    made = swap(performance, gallery, options.out, recipe=recipe, consent=options.consent)
    return made, time.perf_counter() - start
