"""A detector that knows the answer, and clips of which the answer is known."""

from __future__ import annotations

import numpy as np
import pytest

from toolkit.detectors.base import Card, InputSpec
from toolkit.types import Evidence, PatchHead


class Blocks:
    """Calls a tile forged by its share of red, which planted colour has and faces do not."""

    spec = InputSpec(size=224, margin=0.125)
    card = Card("blocks", "test", "0" * 64, 0.0, "none", ())
    device, batch = "cpu", 4

    def __init__(self):
        self.seen = 0

    def logits(self, rgb):
        return self._judge(rgb)[0].astype(np.float32)

    def evidence(self, crops, *, tick=lambda *_: None):
        logits, patches = self._judge(crops.rgb)
        head = PatchHead(4.0, 1.0, 0.0, np.full((14, 14), -2, np.float32))
        spans = np.stack([np.arange(len(logits))] * 2, axis=1)
        return Evidence(logits.astype(np.float32), spans, patches, head)

    def _judge(self, rgb):
        self.seen += len(rgb)
        rgb = rgb.astype(float)
        red = rgb[..., 0] - rgb[..., 1] > 100
        n = len(red)
        tiles = red.reshape(n, 14, 16, 14, 16).mean(axis=(2, 4)).astype(np.float32)
        patches = 8 * tiles - 2
        return np.log(np.exp(4 * patches.astype(float)).mean(axis=(1, 2))) / 4, patches


@pytest.fixture(scope="session")
def knowing():
    """Return the class of the detector that knows."""
    return Blocks


@pytest.fixture
def blocks():
    """Return a detector that knows, and has seen nothing yet."""
    return Blocks()


def _without_seconds(value):
    """Return a result without what depends on the clock."""
    if isinstance(value, dict):
        drop = ("seconds", "wall_seconds")
        return {k: _without_seconds(v) for k, v in value.items() if k not in drop}
    return [_without_seconds(v) for v in value] if isinstance(value, list) else value


@pytest.fixture
def without_seconds():
    """Return a function that takes out of a result what depends on the clock."""
    return _without_seconds
