"""SeamNet: what the weights file must be, and what the network must answer."""

from __future__ import annotations

import json
import shutil

import numpy as np
import pytest
import torch

from toolkit.detectors import registry
from toolkit.detectors.readout import GRID
from toolkit.detectors.seamnet_small import (
    SIZE,
    WEIGHTS,
    SeamNet,
    SeamNetDetector,
    canary_picture,
)
from toolkit.errors import DetectorError, ModelError
from toolkit.explain import ledger
from toolkit.types import FaceCrops


@pytest.fixture(scope="module")
def detector():
    return registry.load("seamnet", device="cpu")


def crops(count: int, seed: int = 0) -> FaceCrops:
    rng = np.random.default_rng(seed)
    zeros = np.zeros(count)
    return FaceCrops(
        rng.integers(0, 256, (count, SIZE, SIZE, 3), dtype=np.uint8),
        np.zeros((count, 2, 3)),
        np.zeros((count, 478, 3), np.float32),
        rng.integers(0, 10, (count, SIZE, SIZE), dtype=np.uint8),
        zeros,
        zeros,
        zeros,
    )


def test_size_of_the_network():
    net = SeamNet()
    assert sum(p.numel() for p in net.parameters()) == 715_491
    assert WEIGHTS.stat().st_size < 20_000_000


def test_pooling_is_a_mean_of_exponentials():
    net = SeamNet().eval()
    with torch.inference_mode():
        logits, patches = net(torch.randint(0, 256, (2, 3, SIZE, SIZE)).float())
    assert patches.shape == (2, GRID, GRID)
    mean = torch.exp(net.tau * patches.double()).mean(dim=(1, 2))
    expected = net.log_a.exp().double() * mean.log() / net.tau + net.b
    assert torch.allclose(logits.double(), expected, atol=1e-5)


def test_batches_do_not_change_the_answer(detector):
    made = crops(11)
    together = detector.evidence(made)
    alone = [detector.logits(made.rgb[i : i + 1])[0] for i in range(11)]
    assert together.logits == pytest.approx(alone, abs=1e-4)
    assert together.spans.tolist() == [[i, i] for i in range(11)]


def test_ledger_logits_are_the_networks(detector):
    evidence = detector.evidence(crops(5, seed=1))
    assert ledger.frame_logits(evidence) == pytest.approx(evidence.logits, abs=1e-4)


def test_reference_is_judged_genuine(detector):
    head = detector.head
    pooled = np.log(np.exp(head.tau * head.reference.astype(float)).mean()) / head.tau
    assert head.scale * pooled + head.bias < detector.card.threshold


def test_cancel_reaches_the_batches(detector):
    class StopError(Exception):
        pass

    def tick(stage, done, total):
        if done >= 8:
            raise StopError

    with pytest.raises(StopError):
        detector.evidence(crops(20), tick=tick)


def test_unknown_detector():
    with pytest.raises(DetectorError, match="seamnet"):
        registry.load("oracle")


def test_card_and_weights_must_belong_together(tmp_path):
    copy = tmp_path / WEIGHTS.name
    shutil.copy(WEIGHTS, copy)
    facts = json.loads(WEIGHTS.with_suffix(".json").read_text())
    with pytest.raises(ModelError, match="card"):
        SeamNetDetector(device="cpu", weights=copy)
    copy.with_suffix(".json").write_text(json.dumps(facts | {"canary_logit": 99.0}))
    with pytest.raises(ModelError, match="canary logit"):
        SeamNetDetector(device="cpu", weights=copy)
    copy.with_suffix(".json").write_text(json.dumps(facts | {"sha256": "0" * 64}))
    with pytest.raises(ModelError):
        SeamNetDetector(device="cpu", weights=copy)


def test_canary_picture_is_fixed():
    picture = canary_picture()
    assert picture.shape == (SIZE, SIZE, 3)
    assert int(picture.astype(np.int64).sum()) == 19199438


@pytest.mark.gpu
def test_gpu_and_cpu_agree(detector):
    if not torch.cuda.is_available():
        pytest.skip("no CUDA device")
    made = crops(9, seed=2)
    other = SeamNetDetector(device="cuda").evidence(made)
    assert other.logits == pytest.approx(detector.evidence(made).logits, abs=1e-3)
