"""Cut the square that a detector looks at. Training and analysis use this one function."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

import cv2
import numpy as np
from numpy.typing import NDArray

from toolkit.errors import OutOfRangeError, UnknownNameError
from toolkit.faces.detect import Detection
from toolkit.faces.regions import OVAL, region_map_of
from toolkit.types import FaceCrops

OVAL_INDEX = list(OVAL)
BLACK_MAX = 24  # of 255; coded black is noisy

Crop = Literal["oval", "box", "five_points"]
"""How a crop is laid round a face; see `InputSpec`."""
CROPS: tuple[Crop, ...] = get_args(Crop)

Outside = Literal["repeat", "black"]
"""What stands for pixels outside the picture: its edges, repeated, or black."""
OUTSIDES: tuple[Outside, ...] = get_args(Outside)

FIVE_POINTS = (468, 473, 1, 61, 291)
"""Points of the mesh that answer to a face detector's five, in its order."""

TEMPLATE = ((0.34, 0.46), (0.66, 0.46), (0.50, 0.64), (0.37, 0.82), (0.63, 0.82))
"""Where the five points go in an upright square of side 1 (yermandy/GenD at e03532d, MIT)."""

SIZE_MIN, SIZE_MAX, MARGIN_MAX = 16, 1024, 2.0


@dataclass(frozen=True)
class InputSpec:
    """The crops a detector looks at.

    Attributes
    ----------
    size
        Side in pixels.
    margin
        What is added on each side, in sides of what `crop` names.
    crop
        ``"oval"``: the upright square round the face oval of the mesh. ``"box"``: the upright
        square round the face detector's box. ``"five_points"``: turned and scaled so that eyes,
        nose and mouth corners come to lie on `TEMPLATE`, least median of squares, no reflection.
    outside
        From `OUTSIDES`.

    Raises
    ------
    OutOfRangeError, UnknownNameError
        If a number is not usable, or a word is none of those.
    """

    size: int
    margin: float
    crop: Crop = "oval"
    outside: Outside = "repeat"

    def __post_init__(self) -> None:
        if not SIZE_MIN <= self.size <= SIZE_MAX:
            raise OutOfRangeError(
                "the size of the crops is out of range",
                f"{self.size} px",
                "Use {least} to {most} px.",
                least=SIZE_MIN,
                most=SIZE_MAX,
            )
        if not 0 <= self.margin <= MARGIN_MAX:  # not a number fails as well
            raise OutOfRangeError(
                "the margin is out of range", f"{self.margin}", "Use 0 to {most}.", most=MARGIN_MAX
            )
        for word, known in ((self.crop, CROPS), (self.outside, OUTSIDES)):
            if word not in known:
                raise UnknownNameError(
                    "there is no such crop", str(word), "Choose from {known}.", known=known
                )


@dataclass(frozen=True)
class Square:
    """A square of whole source pixels: left, top, side. May leave the picture."""

    left: int
    top: int
    side: int

    def crop_to_frame(self, size: int) -> NDArray[np.float64]:
        """Return the 2x3 matrix from pixels of the `size` x `size` crop to source pixels."""
        scale = self.side / size
        shift = 0.5 * scale - 0.5  # pixel centres stay pixel centres, as cv2.resize has it
        return np.array([[scale, 0, self.left + shift], [0, scale, self.top + shift]])

    def padding(self, area: tuple[int, int, int, int]) -> float:
        """Return the share of the square outside an area (left, top, right, bottom), 0..1."""
        left, top, right, bottom = area
        inside_x = max(0, min(right, self.left + self.side) - max(left, self.left))
        inside_y = max(0, min(bottom, self.top + self.side) - max(top, self.top))
        return 1 - inside_x * inside_y / self.side**2

    def cut(
        self, picture: NDArray[np.uint8], size: int, *, outside: Outside = "repeat"
    ) -> NDArray[np.uint8]:
        """Return the square of an (H, W[, C]) picture as (size, size[, C])."""
        return cut(picture, self, size, outside=outside)


@dataclass(frozen=True, eq=False)
class Turned:
    """A square of the frame that may be turned: `matrix` (2, 3) maps source to unit pixels.

    A unit pixel is a pixel of a crop of side 1: for a crop of side S, multiply by S.
    """

    matrix: NDArray[np.float64]

    def crop_to_frame(self, size: int) -> NDArray[np.float64]:
        """Return the 2x3 matrix from pixels of the `size` x `size` crop to source pixels."""
        return np.asarray(cv2.invertAffineTransform(self.matrix * size), np.float64)

    def cut(
        self, picture: NDArray[np.uint8], size: int, *, outside: Outside = "repeat"
    ) -> NDArray[np.uint8]:
        """Return the square of an (H, W[, C]) picture as (size, size[, C]), bilinear.

        Where the source is finer than the crop, it is cut as fine as it is and then shrunk over
        areas: a bilinear warp alone would alias.
        """
        native = max(size, round(1 / float(np.hypot(*self.matrix[:, 0]))))
        native = min(native, 4 * SIZE_MAX)
        matrix = self.matrix * native
        if native != size:  # pixel centres stay pixel centres when it is shrunk
            matrix = matrix + np.array([[0, 0, 1], [0, 0, 1]]) * (native / size - 1) / 2
        how = cv2.BORDER_REPLICATE if outside == "repeat" else cv2.BORDER_CONSTANT
        out = cv2.warpAffine(
            picture, matrix, (native, native), flags=cv2.INTER_LINEAR, borderMode=how
        )
        if native != size:
            out = cv2.resize(out, (size, size), interpolation=cv2.INTER_AREA)
        return np.asarray(out, picture.dtype)


Place = Square | Turned
"""Where a crop lies in its frame."""


def picture_area(rgb: NDArray[np.uint8]) -> tuple[int, int, int, int]:
    """Return left, top, right, bottom of what is not a black bar along an edge.

    An all-black picture has no bars. A black backdrop may count as one; the face before it does
    not, so what is said of faces stays right.
    """
    lit = rgb[..., 1] > BLACK_MAX  # green is most of the brightness
    rows, columns = np.flatnonzero(lit.any(axis=1)), np.flatnonzero(lit.any(axis=0))
    if not len(rows):
        return 0, 0, rgb.shape[1], rgb.shape[0]
    return int(columns[0]), int(rows[0]), int(columns[-1]) + 1, int(rows[-1]) + 1


def face_square(mesh: NDArray[np.floating], *, margin: float) -> Square:
    """Return the square round the face oval of a (478, 3) mesh, `margin` of it on each side."""
    oval = mesh[OVAL_INDEX, :2].astype(np.float64)
    low, high = oval.min(axis=0), oval.max(axis=0)
    side = max(8, round(float((high - low).max()) * (1 + 2 * margin)))
    left, top = np.rint((low + high) / 2 - side / 2).astype(int).tolist()
    return Square(left, top, side)


def place(spec: InputSpec, mesh: NDArray[np.floating], face: Detection | None = None) -> Place:
    """Return where the crop of a face lies that a detector wants.

    Parameters
    ----------
    spec
        Its crops.
    mesh : (478, 3) array
        In frame pixels.
    face
        What the face detector found there; without it, its box is that of the mesh, and its five
        points are `FIVE_POINTS` of the mesh.
    """
    if spec.crop == "oval":
        return face_square(mesh, margin=spec.margin)
    if spec.crop == "box":
        if face is not None:
            low, high = face.box[:2], face.box[:2] + face.box[2:]
        else:
            low, high = mesh[:, :2].min(axis=0), mesh[:, :2].max(axis=0)
        side = max(8, round(float((high - low).max()) * (1 + 2 * spec.margin)))
        left, top = np.rint((low + high) / 2 - side / 2).astype(int).tolist()
        return Square(left, top, side)
    points = face.points if face is not None else mesh[list(FIVE_POINTS), :2]
    return five_point_square(np.asarray(points, np.float64), margin=spec.margin)


def five_point_square(points: NDArray[np.float64], *, margin: float) -> Turned:
    """Return the square in which five points (5, 2) lie as on `TEMPLATE`, with a margin.

    The fit is that of a similarity without reflection, by least median of squares; where the points
    allow none (they fall on one spot), it is the upright square round them.
    """
    target = 0.5 + (np.array(TEMPLATE) - 0.5) / (1 + 2 * margin)
    # in hundreds of pixels, so that the tolerances of the fit are those of pictures
    fit, _inliers = cv2.estimateAffinePartial2D(points, 100 * target, method=cv2.LMEDS)
    if fit is None or not np.isfinite(fit).all() or not np.hypot(*fit[:, 0]) > 0:
        scale = 1 / max(8.0, float(np.ptp(points, axis=0).max()) * (1 + 2 * margin))
        return Turned(np.column_stack([np.eye(2) * scale, 0.5 - scale * points.mean(axis=0)]))
    return Turned(np.asarray(fit, np.float64) / 100)


def cut(
    rgb: NDArray[np.uint8], square: Square, size: int, *, outside: Outside = "repeat"
) -> NDArray[np.uint8]:
    """Return the square of an (H, W[, C]) picture as (size, size[, C]).

    The square is copied first and resized once: `cv2.warpAffine` would alias when it shrinks.
    """
    height, width = rgb.shape[:2]
    left, top, side = square.left, square.top, square.side
    x0, x1 = min(max(left, 0), width - 1), max(min(left + side, width), 1)
    y0, y1 = min(max(top, 0), height - 1), max(min(top + side, height), 1)
    part = rgb[y0:y1, x0:x1]
    if part.shape[:2] != (side, side):
        edges = (y0 - top, top + side - y1, x0 - left, left + side - x1)
        edges = tuple(max(0, e) for e in edges)
        if outside == "repeat":
            part = cv2.copyMakeBorder(part, *edges, cv2.BORDER_REPLICATE)[:side, :side]
        else:
            part = _on_black(rgb, square)
    how = cv2.INTER_AREA if side > size else cv2.INTER_CUBIC
    out: NDArray[np.uint8] = cv2.resize(part, (size, size), interpolation=how)
    return out


def _on_black(rgb: NDArray[np.uint8], square: Square) -> NDArray[np.uint8]:
    """Return the square as it is, black outside the picture (where it may lie altogether)."""
    left, top, side = square.left, square.top, square.side
    out = np.zeros((side, side, *rgb.shape[2:]), rgb.dtype)
    x, y = max(left, 0), max(top, 0)
    part = rgb[y : max(top + side, 0), x : max(left + side, 0)]
    out[y - top :, x - left :][: part.shape[0], : part.shape[1]] = part
    return out


def mesh_in_crop(mesh: NDArray[np.floating], where: Place, size: int) -> NDArray[np.float32]:
    """Return the (478, 3) mesh in crop pixels."""
    crop_to_frame = where.crop_to_frame(size)
    scale = float(np.hypot(*crop_to_frame[:, 0]))
    out = mesh.astype(np.float64) / scale
    out[:, :2] = (mesh[:, :2] - crop_to_frame[:, 2]) @ np.linalg.inv(crop_to_frame[:, :2]).T
    return np.asarray(out, np.float32)


def face_width(mesh: NDArray[np.floating]) -> float:
    """Return the width of the face oval of a (478, 3) mesh, in its own pixels."""
    return float(np.ptp(mesh[OVAL_INDEX, 0]))


def sharpness(rgb: NDArray[np.uint8], mesh: NDArray[np.floating]) -> float:
    """Return the variance of the Laplacian of the grey face box, brought to 128 px width."""
    square = face_square(mesh, margin=0.0)
    grey = cv2.cvtColor(cut(rgb, square, 128), cv2.COLOR_RGB2GRAY)
    return float(cv2.Laplacian(grey, cv2.CV_64F).var())


class CropCollector:
    """Gathers crops one frame at a time, so that whole frames need not be kept."""

    def __init__(self, spec: InputSpec) -> None:
        self._spec, self._size = spec, spec.size
        self._rows: list[tuple[NDArray[np.generic] | float, ...]] = []

    def add(
        self, rgb: NDArray[np.uint8], mesh: NDArray[np.float32], face: Detection | None = None
    ) -> None:
        """Cut one face of an (H, W, 3) frame; `face` as for `place`."""
        where = place(self._spec, mesh, face)
        local = mesh_in_crop(mesh, where, self._size)
        self._rows.append(
            (
                where.cut(rgb, self._size, outside=self._spec.outside),
                where.crop_to_frame(self._size),
                local,
                region_map_of(local, self._size),
                face_width(mesh),
                sharpness(rgb, mesh),
                face_square(mesh, margin=0.0).padding(picture_area(rgb)),
            )
        )

    def crops(self) -> FaceCrops:
        """Return what was gathered, in the order of the calls."""
        n, size = len(self._rows), self._size
        if not n:
            return FaceCrops(
                np.zeros((0, size, size, 3), np.uint8),
                np.zeros((0, 2, 3)),
                np.zeros((0, 478, 3), np.float32),
                np.zeros((0, size, size), np.uint8),
                *(np.zeros(0) for _ in range(3)),
            )
        columns = [np.stack([np.asarray(row[i]) for row in self._rows]) for i in range(7)]
        return FaceCrops(*columns)


def upright(
    crop_to_frame: NDArray[np.float64], maps: NDArray[np.uint8], *, fill: int
) -> tuple[NDArray[np.float64], NDArray[np.uint8]]:
    """Return the upright squares round crops that may be turned, and maps brought into them.

    Parameters
    ----------
    to_frame : (N, 2, 3) float64
        From crop pixels to frame pixels.
    maps : (N, S, S) uint8
        One number per crop pixel.
    fill
        What stands where the upright square leaves the crop.

    Returns
    -------
    (N, 3) float64
        Left, top and side in frame pixels.
    (N, S, S) uint8
        The maps in pixels of those squares; crops that are upright keep theirs.
    """
    size = maps.shape[1]
    scale = np.hypot(crop_to_frame[:, 0, 0], crop_to_frame[:, 1, 0])
    corners = np.array([[-0.5, -0.5], [size - 0.5, -0.5], [-0.5, size - 0.5], [size - 0.5] * 2])
    placed = corners @ crop_to_frame[:, :, :2].transpose(0, 2, 1) + crop_to_frame[:, None, :, 2]
    low = placed.min(axis=1) + 0.5  # a pixel's edge, as left and top are meant
    squares = np.column_stack([low, np.ptp(placed[..., 0], axis=1)])
    if not np.any(crop_to_frame[:, 0, 1]):
        return np.column_stack([low, scale * size]), maps
    out = maps.copy()
    for i in np.flatnonzero(crop_to_frame[:, 0, 1]).tolist():
        step = squares[i, 2] / size
        shift = 0.5 * step - 0.5
        onto = np.array([[step, 0, low[i, 0] + shift], [0, step, low[i, 1] + shift]])
        back = cv2.invertAffineTransform(crop_to_frame[i])
        whole = back @ np.vstack([onto, [0, 0, 1]])
        how = cv2.INTER_NEAREST | cv2.WARP_INVERSE_MAP
        out[i] = cv2.warpAffine(
            maps[i],
            whole,
            (size, size),
            flags=how,
            borderMode=cv2.BORDER_CONSTANT,
            borderValue=fill,
        )
    return squares, out
