"""Genuine clips that were kept from training are counted; others are not."""

from __future__ import annotations

import json

import pytest

from toolkit.errors import UsageError
from toolkit.evaluation.verdicts import model_card


def row(path, label="real", logit=0.0, abstained=False):
    return {
        "detector": "seamnet",
        "path": path,
        "label": label,
        "logit": logit,
        "abstained": abstained,
    }


RESULT = {
    "clips": [
        row("a/seen.mp4", logit=5.0),
        row("a/new.mp4", logit=1.0),
        row("a/quiet.mp4", logit=0.99),
        row("a/none.mp4", logit=None, abstained=True),
        row("a/fake.mp4", label="fake", logit=9.0),
    ],
    "summary": {"seamnet": {"threshold": 1.0}},
    "settings": {"detectors": {"seamnet": "abc"}},
}


def test_counts_and_writes(tmp_path):
    where = tmp_path / "card.json"
    where.write_text(json.dumps({"sha256": "abc", "training_clips": ["seen"], "threshold": 1.0}))
    assert model_card.record(where, RESULT) == model_card.HeldBack(2, 1, 1)
    facts = json.loads(where.read_text())
    assert facts["held_back"] == {"genuine": 2, "called_forged": 1, "abstained": 1}
    assert facts["genuine_logits"] == [0.99, 1.0]
    assert facts["threshold"] == 1.0


@pytest.mark.parametrize("facts", [{"sha256": "abc"}, {"sha256": "x", "training_clips": []}])
def test_wrong_card_is_refused(tmp_path, facts):
    where = tmp_path / "card.json"
    where.write_text(json.dumps(facts))
    with pytest.raises(UsageError):
        model_card.record(where, RESULT)
