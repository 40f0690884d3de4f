"""Thresholds and scales that were measured here: kept by weights, applied, and never guessed."""

from __future__ import annotations

import pytest

from toolkit import models
from toolkit.detectors import listing, measured, registry
from toolkit.detectors.base import Card
from toolkit.detectors.recipe import Measured
from toolkit.errors import ModelError
from toolkit.evaluation import own_threshold
from toolkit.figures.detectors import list_detectors

FACTS = Measured(12, 0.05, 0.9, 1.4, "2026-01-01", -0.5, 0.25)


@pytest.fixture(autouse=True)
def store(tmp_path, monkeypatch):
    monkeypatch.setenv(listing.VARIABLE, str(tmp_path / "store"))
    return tmp_path / "store"


def card(**changes):
    return Card(
        **{
            "name": "meso4",
            "title": "",
            "weights_sha256": "aa",
            "threshold": 0.0,
            "licence": "",
            "blind_to": (),
            "threshold_measured": False,
        }
        | changes
    )


class Judge:
    def __init__(self, mine):
        self.card = mine


def threshold(value=1.25):
    return own_threshold.Threshold(value, FACTS, {}, {})


def test_what_was_measured_holds_for_these_weights_only():
    assert own_threshold.keep(Judge(card()), threshold())
    mine = measured.with_threshold(card())
    assert (mine.threshold, mine.threshold_measured) == (1.25, True)
    other = measured.with_threshold(card(weights_sha256="bb"))
    assert (other.threshold, other.threshold_measured) == (0.0, False)
    assert measured.genuine_scale("meso4", "aa") == (-0.5, 0.25, 12)
    assert measured.genuine_scale("meso4", "bb") is None
    own_threshold.keep(Judge(card(name="lrnet")), threshold(2.0))
    assert measured.with_threshold(card()).threshold == 1.25  # the others stay
    facts = {row["name"]: row["facts"] for row in list_detectors()}
    assert any("1.25" in line for line in facts["meso4"]) or "not here" in facts["meso4"][0]


def test_a_threshold_that_came_along_stays_and_the_scale_is_kept():
    shipped = card(name="seamnet", threshold=0.7, threshold_measured=True)
    assert not own_threshold.keep(Judge(shipped), threshold())
    assert measured.with_threshold(shipped).threshold == 0.7
    assert measured.genuine_scale("seamnet", "aa") == (-0.5, 0.25, 12)


def test_without_a_measure_of_ones_own_the_card_tells_the_scale():
    facts = models.ROOT / "models" / "seamnet.json"
    sha256 = measured.parse_json(facts.read_text(encoding="utf-8"))["sha256"]
    logits = measured.genuine_logits("seamnet", sha256)
    mean, deviation, clips = measured.genuine_scale("seamnet", sha256)
    assert clips == len(logits) > 20
    assert mean == pytest.approx(sum(logits) / clips)
    assert deviation > 0
    assert measured.genuine_scale("seamnet", "other weights") is None
    assert measured.genuine_logits("../manifest", "x") == ()


def test_a_teaching_example_says_that_nobody_measured_until_somebody_did(
    shared, tmp_path, monkeypatch
):
    monkeypatch.setattr(models, "CACHE", tmp_path / "cache")
    registry.add_weights(shared / "data" / "weights" / "mesonet" / "Meso4_DF.h5")
    before = registry.load("meso4", device="cpu")
    assert not before.card.threshold_measured
    known = registry.identity("meso4")
    assert own_threshold.keep(before, threshold())
    after = registry.load("meso4", device="cpu").card
    assert (after.threshold, after.threshold_measured) == (1.25, True)
    assert registry.identity("meso4") != known  # what was judged before is judged anew


@pytest.mark.parametrize(
    "content", ["", "{}", "[]", '{"schema": "other", "detectors": {}}', '{"schema": 1}']
)
def test_what_cannot_be_read_is_said_and_never_written_over(store, content):
    store.mkdir()
    (store / measured.FILE).write_text(content)
    with pytest.raises(ModelError, match="cannot be read"):
        measured.with_threshold(card())
    with pytest.raises(ModelError, match="cannot be read"):
        own_threshold.keep(Judge(card()), threshold())
    assert (store / measured.FILE).read_text() == content
    assert measured.genuine_scale("meso4", "aa") is None
    assert list_detectors()


@pytest.mark.parametrize("value", ["NaN", '"x"', "null"])
def test_a_number_that_is_none_is_refused(store, value):
    own_threshold.keep(Judge(card()), threshold())
    path = store / measured.FILE
    path.write_text(path.read_text().replace("1.25", value, 1))
    with pytest.raises(ModelError, match="cannot be read"):
        measured.with_threshold(card())
