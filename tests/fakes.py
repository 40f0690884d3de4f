"""Faces and detectors whose answer is known without a network, for tests of every room."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from toolkit.detectors.base import Card, InputSpec
from toolkit.faces.mesh import canonical_face
from toolkit.types import Evidence, FaceCrops, PatchHead

GRID = 14


def crops_of(
    rgb: NDArray[np.uint8],
    *,
    mesh: NDArray[np.float32] | None = None,
    region_map: NDArray[np.uint8] | None = None,
    width: object = 120.0,
    sharpness: object = 100.0,
    padding: object = 0.0,
) -> FaceCrops:
    """Return crops (N, S, S, 3) that lie in their frames as they are.

    What is measured of a face is one number for all or one for each; a mesh or a map of regions
    that is not given means nothing.
    """
    n, side = rgb.shape[:2]
    return FaceCrops(
        rgb=rgb,
        crop_to_frame=np.tile(np.eye(2, 3), (n, 1, 1)),
        mesh=np.zeros((n, 478, 3), np.float32) if mesh is None else mesh,
        region_map=np.zeros((n, side, side), np.uint8) if region_map is None else region_map,
        face_width=np.broadcast_to(width, n).astype(float),
        sharpness=np.broadcast_to(sharpness, n).astype(float),
        padding=np.broadcast_to(padding, n).astype(float),
    )


def black_crops(n: int, *, side: int = 2, **measured: object) -> FaceCrops:
    """Return crops of nothing, for what looks at no pixel."""
    return crops_of(np.zeros((n, side, side, 3), np.uint8), **measured)


def front_mesh(
    side: int, *, scale: float = 5.2, shift: tuple[float, float] = (0.0, 0.0)
) -> NDArray[np.float32]:
    """Return the canonical face, seen from the front, in the pixels of a crop: (478, 3)."""
    face = canonical_face().vertices
    mesh = np.zeros((478, 3), np.float32)
    mesh[:468, 0] = face[:, 0] * scale + side / 2 + shift[0]
    mesh[:468, 1] = -face[:, 1] * scale + side / 2 + shift[1]
    mesh[:468, 2] = -face[:, 2] * scale
    mesh[468:] = mesh[1]
    return mesh


class TileDetector:
    """Calls a tile forged by its share of one colour: a ledger with a closed form.

    Attributes
    ----------
    seen
        How many crops it was asked about.
    """

    name = "tiles"
    spec = InputSpec(size=224, margin=0.125)
    device, batch = "cpu", 4

    def __init__(self) -> None:
        if not hasattr(self, "card"):  # a test may give its kind another one
            self.card = Card(self.name, "test", "0" * 64, 0.0, "none", ())
        self.seen = 0

    def is_paint(self, rgb: NDArray[np.int64]) -> NDArray[np.bool_]:
        """Return which pixels (N, S, S) of pictures count."""
        raise NotImplementedError

    def logits(self, rgb: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Return one logit per crop."""
        return self._judge(rgb)[0].astype(np.float32)

    def evidence(self, crops: FaceCrops, *, tick=lambda *_: None) -> Evidence:
        """Return one logit and one patch map per crop."""
        tick("detect", 0, 1)
        logits, patches = self._judge(crops.rgb)
        head = PatchHead(4.0, 1.0, 0.0, np.full((GRID, GRID), -2, np.float32))
        spans = np.stack([np.arange(len(logits))] * 2, axis=1)
        return Evidence(logits.astype(np.float32), spans, patches, head)

    def _judge(self, rgb: NDArray[np.uint8]) -> tuple[NDArray[np.float64], NDArray[np.float32]]:
        self.seen += len(rgb)
        paint = self.is_paint(rgb.astype(int))
        side = self.spec.size // GRID
        shape = (len(rgb), GRID, side, GRID, side)
        patches = 8 * paint.reshape(shape).mean(axis=(2, 4)).astype(np.float32) - 2
        return np.log(np.exp(4 * patches.astype(float)).mean(axis=(1, 2))) / 4, patches


class GreenDetector(TileDetector):
    """Finds pure green, which no face has."""

    name = "green"

    def is_paint(self, rgb: NDArray[np.int64]) -> NDArray[np.bool_]:
        """Return which pixels are green."""
        return (rgb[..., 1] > 180) & (rgb[..., 0] < 90) & (rgb[..., 2] < 90)


class RedDetector(TileDetector):
    """Finds red, which planted colour has and faces do not."""

    name = "blocks"

    def is_paint(self, rgb: NDArray[np.int64]) -> NDArray[np.bool_]:
        """Return which pixels are red."""
        return rgb[..., 0] - rgb[..., 1] > 100


class BrightnessDetector:
    """Calls bright pictures forged: a video that gets brighter goes up."""

    class card:
        """As much of a card as training asks for."""

        weights_sha256 = "a" * 64
        top_part = 2

    def logits(self, rgb: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Return the mean brightness (N,) in units of ten levels."""
        return rgb.astype(np.float32).mean(axis=(1, 2, 3)) / 10
