"""Cut the square that a detector looks at. Training and analysis use this one function."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from toolkit.faces.regions import OVAL, region_map_of
from toolkit.types import FaceCrops

OVAL_INDEX = list(OVAL)
BLACK_MAX = 24  # of 255; coded black is noisy


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


def cut(rgb: NDArray[np.uint8], square: Square, size: int) -> NDArray[np.uint8]:
    """Return the square of an (H, W[, C]) picture as (size, size[, C]); edges repeat outwards.

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
        part = cv2.copyMakeBorder(part, *edges, cv2.BORDER_REPLICATE)[:side, :side]
    how = cv2.INTER_AREA if side > size else cv2.INTER_CUBIC
    out: NDArray[np.uint8] = cv2.resize(part, (size, size), interpolation=how)
    return out


def mesh_in_crop(mesh: NDArray[np.floating], square: Square, size: int) -> NDArray[np.float32]:
    """Return the (478, 3) mesh in crop pixels."""
    crop_to_frame = square.crop_to_frame(size)
    out = mesh.astype(np.float64) / crop_to_frame[0, 0]
    out[:, :2] = (mesh[:, :2] - crop_to_frame[:, 2]) / crop_to_frame[0, 0]
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

    def __init__(self, *, size: int, margin: float) -> None:
        self._size, self._margin = size, margin
        self._rows: list[tuple[NDArray[np.generic] | float, ...]] = []

    def add(self, rgb: NDArray[np.uint8], mesh: NDArray[np.float32]) -> None:
        """Cut one face of an (H, W, 3) frame."""
        square = face_square(mesh, margin=self._margin)
        local = mesh_in_crop(mesh, square, self._size)
        self._rows.append(
            (
                cut(rgb, square, self._size),
                square.crop_to_frame(self._size),
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
