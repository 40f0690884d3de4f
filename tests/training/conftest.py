from __future__ import annotations

import cv2
import numpy as np
import pytest

from toolkit.faces.mesh import canonical_face
from toolkit.training import data, stills


@pytest.fixture(scope="module")
def faces_folder(face_models, tmp_path_factory):
    """Return a source of 30 pictures: noise textures with the canonical mesh laid over them."""
    where = tmp_path_factory.mktemp("faces")
    rng = np.random.default_rng(0)
    mesh = np.zeros((478, 3), np.float32)
    mesh[:468] = canonical_face().vertices * (9, -9, -9) + (120, 120, 0)
    photos = []
    for i in range(30):
        coarse = rng.integers(0, 256, (24, 24, 3), dtype=np.uint8)
        picture = cv2.resize(coarse, (240, 240), interpolation=cv2.INTER_CUBIC).astype(int)
        picture = np.clip(picture + rng.normal(0, 12, picture.shape), 0, 255).astype(np.uint8)
        path = where / f"Face{i}_0001.png"
        path.write_bytes(cv2.imencode(".png", picture)[1].tobytes())
        photos.append(data.Photo(path, mesh))
    return data.Folder(tuple(photos), 1.0)


@pytest.fixture(autouse=True)
def _one_in_four(monkeypatch):
    """Keep enough of a small source for validation."""
    monkeypatch.setattr(data, "VALIDATION_PART", 4)


@pytest.fixture
def filmed(faces_folder, tmp_path):
    """Return the source with three people more, of whom there are videos that get brighter."""
    photo, picture = faces_folder.photos[0], data.read_picture(faces_folder.photos[0].path)
    frames = []
    # one name is that of a photographed person elsewhere; it is kept for validation
    for who, pace in (("Face1", 2), ("clip", 2), ("reel", 1)):
        (tmp_path / "frames").mkdir(exist_ok=True)
        for i in range(stills.MOMENTS):
            path = tmp_path / "frames" / f"{who}_{i:06d}.png"
            bright = np.clip(picture.astype(int) // 2 + pace * i, 0, 255).astype(np.uint8)
            path.write_bytes(cv2.imencode(".png", bright)[1].tobytes())
            frames.append(data.Photo(path, photo.mesh))
    return data.Folder((*faces_folder.photos, *reversed(frames)), 1.0)
