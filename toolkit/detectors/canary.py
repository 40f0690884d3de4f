"""The picture on which the bundled networks must answer as their cards say."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

SIZE = 224


def canary_picture() -> NDArray[np.uint8]:
    """Return the picture on which the weights must answer as their card says: (S, S, 3) uint8."""
    y, x = np.mgrid[:SIZE, :SIZE].astype(np.float64)
    waves = [
        np.sin(x / 7 + c) * np.cos(y / (5 + c)) + np.sin((x + y) / (11 + 3 * c)) for c in range(3)
    ]
    return np.rint(127.5 + 60 * np.stack(waves, axis=2)).clip(0, 255).astype(np.uint8)
