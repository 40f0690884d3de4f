"""The real body, where it was fetched: its cut, its two arithmetics, and the shipped head."""

from __future__ import annotations

import hashlib

import numpy as np
import pytest
import torch

from tests.detectors.test_seamnet_small import crops
from toolkit import models
from toolkit.detectors import clip_body, clip_tower, registry
from toolkit.detectors.canary import canary_picture
from toolkit.detectors.seamnet_clip import WEIGHTS, SeamNet2Detector, read_card
from toolkit.errors import ModelError
from toolkit.explain import ledger

pytest.importorskip("onnxruntime", reason="onnxruntime is not installed")


@pytest.fixture(scope="module", autouse=True)
def _body():
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv(clip_body.SMALL_VARIABLE, raising=False)
        if problem := clip_body.missing():
            pytest.skip(f"the body of SeamNet is not here: {problem}")
        yield


@pytest.fixture(scope="module")
def detector():
    return registry.load("seamnet", device="cpu")


@pytest.fixture(scope="module")
def blocks():
    return tuple(read_card(WEIGHTS.with_suffix(".json"))["blocks"])


def test_the_two_arithmetics_agree_where_rounding_has_not_run_wild(blocks):
    card = read_card(WEIGHTS.with_suffix(".json"))
    body = clip_body.integer_body(blocks, card["cut_sha256"], tuple(card["fingerprint"]))
    picture = canary_picture()
    first, *deeper = body.run(picture)
    assert len(deeper) == len(blocks)
    net = clip_tower.float_body((1, *blocks))
    with torch.inference_mode():
        x = torch.from_numpy(picture.transpose(2, 0, 1)[None].astype(np.float32))
        exact = net(x)[0].numpy()
    assert np.sqrt(((first - exact[0]) ** 2).mean()) < 0.15 * exact[0].std()
    for mine, theirs in zip(deeper, exact[1:], strict=True):
        assert np.corrcoef(mine.ravel(), theirs.ravel())[0, 1] > 0.9


def test_the_bundled_detector_adds_up_and_repeats(detector):
    made = crops(2)
    first, second = detector.evidence(made), detector.evidence(made)
    assert (first.logits == second.logits).all()
    assert first.network_logits[1] == detector.logits(made.rgb[1:])[0]
    assert ledger.frame_logits(first) == pytest.approx(first.logits, abs=1e-4)
    assert detector.card.name == "seamnet"
    assert detector.card.instead_of is None


def test_the_cut_is_kept_and_made_again_when_it_is_damaged(blocks, tmp_path, monkeypatch):
    data = clip_body.load_cut(blocks)
    known = hashlib.sha256(data).hexdigest()
    assert known == read_card(WEIGHTS.with_suffix(".json"))["cut_sha256"]
    source = models.CACHE / models.find(clip_body.ID).file
    monkeypatch.setattr(models, "CACHE", tmp_path)
    (tmp_path / source.name).symlink_to(source.resolve())
    assert clip_body.load_cut(blocks, known) == data
    kept = clip_body.cut_file(blocks)
    assert kept.read_bytes() == data
    kept.write_bytes(data[:-1])
    assert clip_body.load_cut(blocks, known) == data
    assert kept.read_bytes() == data
    with pytest.raises(ModelError, match="not the one of the card"):
        clip_body.load_cut(blocks, "0" * 64)
    with pytest.raises(ModelError, match="no such blocks"):
        clip_body.cut((13,))


def test_a_damaged_body_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(models, "CACHE", tmp_path)
    (tmp_path / models.find(clip_body.ID).file).write_bytes(b"not these")
    clip_body.integer_body.cache_clear()  # it is read once in a process
    with pytest.raises(ModelError, match="damaged"):
        SeamNet2Detector(device="cpu")


@pytest.mark.gpu
def test_the_gpu_agrees_with_float32_on_the_cpu(detector):
    from toolkit.detectors.seamnet_clip import float_logits

    if not torch.cuda.is_available():
        pytest.skip("no CUDA device")
    made = crops(5, seed=3)
    there = SeamNet2Detector(device="cuda").logits(made.rgb)
    assert there == pytest.approx(float_logits(detector, made.rgb), abs=0.01)
