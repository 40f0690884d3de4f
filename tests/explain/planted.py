"""Detectors with a closed form and crops without a face model, shared by the tests beside it."""

from __future__ import annotations

import numpy as np

from toolkit.detectors.base import Card, InputSpec
from toolkit.types import REGIONS, Evidence, FaceCrops

TILE = 8
LAYOUT = np.array(
    [
        [9, 9, 9, 9, 9, 9],
        [9, 8, 4, 4, 8, 9],
        [9, 2, 2, 1, 1, 9],
        [9, 6, 3, 3, 5, 9],
        [9, 6, 0, 0, 5, 9],
        [9, 8, 7, 7, 8, 9],
    ],
    np.uint8,
)
PLAYER_MAP = LAYOUT.repeat(TILE, 0).repeat(TILE, 1)
SIZE = len(PLAYER_MAP)
MOUTH, LEFT_EYE, RIGHT_EYE = (REGIONS.index(p) for p in ("mouth", "left_eye", "right_eye"))
# eroded: what lies under the feather of the compositor belongs to two players
CORE = np.zeros_like(PLAYER_MAP, bool)
for _y in range(6):
    for _x in range(6):
        CORE[_y * TILE + 2 : _y * TILE + 6, _x * TILE + 2 : _x * TILE + 6] = True


def crops_of(rgb: np.ndarray) -> FaceCrops:
    """Return crops (N, S, S, 3) with the drawn layout and a mesh that means nothing."""
    n = len(rgb)
    mesh = np.random.default_rng(0).uniform(0, SIZE, (478, 3)).astype(np.float32)
    return FaceCrops(
        rgb,
        np.broadcast_to(np.eye(2, 3), (n, 2, 3)).copy(),
        np.broadcast_to(mesh, (n, 478, 3)).copy(),
        np.broadcast_to(PLAYER_MAP, (n, SIZE, SIZE)).copy(),
        *(np.full(n, v) for v in (float(SIZE), 100.0, 0.0)),
    )


class Planted:
    """A detector that is any function of pictures (N, S, S, 3) float64 -> logits (N,)."""

    spec = InputSpec(size=SIZE, margin=0.125)
    device, batch = "cpu", 4

    def __init__(self, function, threshold=0.0):
        self.function = function
        self.card = Card("planted", "test", "0" * 64, threshold, "none", ())
        self.calls = []

    def logits(self, rgb):
        return np.asarray(self.function(rgb.astype(np.float64)), np.float32)

    def evidence(self, crops, *, tick=lambda *_: None):
        n = len(crops.rgb)
        self.calls.append(n)
        logits = np.asarray(self.function(crops.rgb.astype(np.float64)), np.float32)
        return Evidence(logits, np.stack([np.arange(len(logits))] * 2, axis=1))


def brightness(player):
    """Return a function: mean brightness of the player's core, in units of 10 levels."""
    where = CORE & (player == PLAYER_MAP)
    return lambda rgb: rgb[:, where].mean(axis=(1, 2)) / 10


def plain(level=100):
    return np.full((SIZE, SIZE, 3), level, np.uint8)
