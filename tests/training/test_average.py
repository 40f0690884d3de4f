"""The mean of trained networks: what it holds, and what is refused."""

from __future__ import annotations

import json

import numpy as np
import pytest
from safetensors.torch import load_file

from toolkit import models
from toolkit.errors import ModelError, UsageError
from toolkit.training import average, train

SHIPPED = models.ROOT / "models" / "seamnet-small.safetensors"


class FewFaces(train.Trainer):
    """A trainer that needs no faces."""

    def validate(self):
        return {"val_auc": 0.5}

    def reference(self):
        return np.zeros((14, 14), np.float32)

    def genuine_logits(self):
        return np.linspace(0, 1, 101)


@pytest.fixture
def other(tmp_path, monkeypatch):
    """Return other weights: the shipped ones with a larger bias."""
    monkeypatch.setattr(average, "Trainer", FewFaces)
    trainer = FewFaces(
        [], tmp_path / "w", train.TrainingRecipe(seed=7), start=SHIPPED, device="cpu"
    )
    trainer.ema["b"] += 1.0
    trainer.export(tmp_path / "other.safetensors")
    return tmp_path / "other.safetensors"


def test_the_mean_lies_where_its_shares_say(other, tmp_path):
    out = tmp_path / "mean.safetensors"
    average.average([(SHIPPED, 1.0), (other, 3.0)], [], out, tmp_path / "w", device="cpu")
    one, mean = load_file(SHIPPED), load_file(out)
    for key, value in one.items():
        if key not in ("b", "reference"):
            assert np.allclose(mean[key], value, atol=1e-6), key
    assert float(mean["b"]) == pytest.approx(float(one["b"]) + 0.75, abs=1e-6)
    facts = json.loads(out.with_suffix(".json").read_text())
    assert facts["recipe"]["seed"] == 7  # that of the larger share
    assert facts["started_from"].count(" of ") == 2
    train.trained_network(out)  # weights and card belong together


def test_what_cannot_be_averaged_is_refused(other, tmp_path):
    for parts in ([], [(other, 0.0)]):
        with pytest.raises(UsageError):
            average.average(parts, [], tmp_path / "x.safetensors", tmp_path)
    large = models.ROOT / "models" / "seamnet.safetensors"
    with pytest.raises(ModelError, match=r"large network: seamnet\.safetensors"):
        average.average([(large, 1.0)], [], tmp_path / "x.safetensors", tmp_path)
    other.with_suffix(".json").write_text("{}")
    with pytest.raises(ModelError):
        average.average([(other, 1.0)], [], tmp_path / "x.safetensors", tmp_path)
    assert average.main([str(tmp_path / "none"), "--faces", "x", "--out", "y"]) == 2
