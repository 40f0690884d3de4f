"""A quiz of coloured rectangles: quick to make, every answer known, nobody's face."""

from __future__ import annotations

import tempfile
from pathlib import Path

import numpy as np

from toolkit import media
from toolkit.lessons.clips import Plan
from toolkit.lessons.quiz import Question, Quiz, jpeg, outlines
from toolkit.types import REGIONS

# truth, what the detector says, how far from the threshold
ANSWERS = (
    ("genuine", "not_forged", -2.0),
    ("genuine", "forged", 0.3),
    ("planted", "forged", 2.0),
    ("swapped", "not_forged", -0.4),
    ("planted", "none", 0.0),
    ("genuine", "not_forged", -1.5),
)


def clip(seed: int) -> bytes:
    rng = np.random.default_rng(seed)
    frames = [np.full((64, 96, 3), rng.integers(0, 255, 3), np.uint8) for _ in range(10)]
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "clip.mp4")
        media.write_h264(path, frames, np.arange(10) / 10)
        return path.read_bytes()


def region_map() -> np.ndarray:
    """A map of ten stripes, one per player."""
    rows = np.repeat(np.arange(len(REGIONS), dtype=np.uint8), 10)
    return np.tile(rows[:, None], (1, 100))


def question(number: int, kind: str, verdict: str, gap: float) -> Question:
    regions = {"planted": ("mouth",), "swapped": (), "genuine": ()}[kind]
    plan = Plan("franck", 1.0 + number, kind, regions, 2.0 if regions else 0.0)
    face = np.full((100, 100, 3), 20 * number + 40, np.uint8)
    return Question(
        plan=plan,
        clip=clip(number),
        face=jpeg(face),
        heat=jpeg(face),
        mask=jpeg(face) if kind != "genuine" else b"",
        outlines=outlines(region_map()),
        verdict=verdict,
        gap=gap,
        top="mouth" if verdict == "forged" else None,
        reason="face_too_small" if verdict == "none" else None,
    )


def quiz() -> Quiz:
    return Quiz(tuple(question(i, *a) for i, a in enumerate(ANSWERS)), "seamnet made up")
