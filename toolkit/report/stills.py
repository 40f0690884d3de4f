"""Pictures of a report as PNG: the same bytes each time, and readable without colour."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from toolkit import figures
from toolkit.figures.pictures import EVEN_SHARES
from toolkit.types import KeyFrame

_SPACING = 10  # px between hatching lines
_SEEN = 0.15  # of the full colour; below that no hatching is drawn


def evidence_picture(key: KeyFrame, strength: float) -> NDArray[np.uint8]:
    """Return a key frame with its evidence laid over it, (S, S, 3) uint8.

    Besides the colour, lines rise to the right where the evidence speaks for forged and fall to the
    right where it speaks against, so that a grey copy keeps the sign. `strength` is that of
    `figures.strength_at`: one scale for the clip.
    """
    coloured = figures.overlay(key, strength)
    if key.heat is None:
        return coloured
    size = key.rgb.shape[0]
    cells = key.heat.astype(np.float32) * np.float32(strength * key.heat.size / EVEN_SHARES)
    value = cv2.resize(cells, (size, size), interpolation=cv2.INTER_LINEAR)
    y, x = np.mgrid[:size, :size]
    out = coloured.copy()
    for sign, line in ((1, (x + y) % _SPACING < 2), (-1, (x - y) % _SPACING < 2)):
        out[line & (sign * value >= _SEEN)] = (20, 20, 20) if sign > 0 else (245, 245, 245)
    return out


def png(rgb: NDArray[np.uint8]) -> bytes:
    """Return a picture (H, W, 3) as PNG, without time or text in it."""
    done, data = cv2.imencode(".png", np.ascontiguousarray(rgb[..., ::-1]))
    assert done
    return data.tobytes()
