"""Faces without people: a canonical mesh on a textured ground."""

from __future__ import annotations

import cv2
import numpy as np

from tests.forge.faces import mesh
from toolkit.lessons.tiny_detector import Face


def face(person: str = "one", *, seed: int = 0, side: int = 260) -> Face:
    """Return a skin-coloured square with fine grain, and the mesh of a face in its middle."""
    rng = np.random.default_rng(seed)
    coarse = rng.normal(0, 14, (12, 12, 3)).astype(np.float32)
    ground = np.array([196, 150, 128], np.float32) + rng.normal(0, 12, 3).astype(np.float32)
    rgb = cv2.resize(coarse, (side, side), interpolation=cv2.INTER_CUBIC) + ground
    rgb += rng.normal(0, 6, rgb.shape)
    points = mesh(width=0.5 * side, centre=(side / 2, side / 2)).astype(np.float32)
    full = np.zeros((478, 3), np.float32)
    full[: len(points)] = points
    return Face(np.clip(rgb, 0, 255).astype(np.uint8), full, person)
