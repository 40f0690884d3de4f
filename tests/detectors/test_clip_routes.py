"""One real pretrained transformer, OpenAI's CLIP ViT-B/16, goes through three routes alike."""

from __future__ import annotations

import numpy as np
import pytest

from toolkit import models
from toolkit.detectors import clip_body, listing
from toolkit.detectors.clip_tower import float_body
from toolkit.evaluation.studies import clip_routes

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def tower():
    pytest.importorskip("transformers")
    pytest.importorskip("onnxscript")
    if not (models.CACHE / models.find(clip_body.ID).file).is_file():
        pytest.skip("CLIP's tower was not fetched")
    return float_body([clip_routes.DEPTH])


@pytest.fixture(scope="module")
def faces(sample):
    """Crops of a genuine and a planted sample, eight of each."""
    for name in (clip_routes.GENUINE, clip_routes.FORGED):
        sample(name)  # skips where it is not here
    return clip_routes.sample_faces()


@pytest.fixture(scope="module")
def head(tower, faces):
    return clip_routes.fit_head(tower, faces)


@pytest.mark.parametrize("route", clip_routes.ROUTES)
def test_each_route_gives_the_same_logits(route, tower, head, faces, tmp_path, monkeypatch):
    monkeypatch.setenv(listing.VARIABLE, str(tmp_path / "store"))
    rgb = np.concatenate([f[::3] for f in faces])
    truth = clip_routes.true_logits(tower, head, rgb)
    n = len(faces[0][::3])
    assert truth[:n].max() < truth[n:].min()  # the head does tell the two clips apart
    answers = clip_routes.route_logits(route, tower, head, rgb, tmp_path)
    assert float(np.abs(answers - truth).max()) < 1e-4
