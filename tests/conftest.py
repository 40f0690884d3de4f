"""What every test shares: one thread, fixed seeds, and where the test data lies."""

from __future__ import annotations

import os
from pathlib import Path

os.environ.setdefault("DOORZICHT_THREADS", "1")

import cv2
import numpy as np
import pytest

from toolkit import _i18n, models

ROOT = Path(__file__).resolve().parents[1]


@pytest.fixture(autouse=True)
def _quiet() -> None:
    """Give every test the same seeds, one thread and English."""
    cv2.setNumThreads(1)
    np.random.seed(0)  # noqa: NPY002 - for libraries that still use it
    _i18n.set_language("en")


@pytest.fixture(scope="session")
def shared() -> Path:
    """Return the folder with clips for tests, or skip: it is not part of the project."""
    folder = Path(os.environ.get("DOORZICHT_SHARED", ROOT.parent / "shared"))
    if not (folder / "data" / "clips.csv").is_file():
        pytest.skip(f"test data is not here: {folder} (set DOORZICHT_SHARED)")
    return folder


@pytest.fixture(scope="session")
def face_models() -> None:
    """Skip when the face models were not fetched."""
    for name in ("face_detector", "face_mesh"):
        if not models.path(name).is_file():
            pytest.skip("face models are not here (run: python start.py setup)")
