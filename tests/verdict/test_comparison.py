"""What is known to be genuine beside what is in question: known answers, limits, refusals."""

import json
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.verdict.test_abstention import make
from toolkit.errors import ModelError, UsageError
from toolkit.types import Aggregate, Evidence, TrackResult, Verdict
from toolkit.verdict import comparison
from toolkit.verdict.comparison import Halves

HALVES = Halves(tuple(i / 10 for i in range(1, 21)), "ab" * 32, "20 recordings")


def judged(logits, *, abstained=False, **more):
    """Return a person's result with these frame logits, four a second, and the crops."""
    made = make(len(logits), **more)
    logits = np.asarray(logits, np.float32)
    result = TrackResult(
        made["track"],
        Verdict(float(logits.max()), 1.0, abstained=abstained, reason="Too small."),
        Aggregate("top_k", 3),
        Evidence(logits, np.stack([np.arange(len(logits))] * 2, axis=1)),
    )
    return result, made["crops"]


def test_the_difference_is_that_of_the_highest_quarters():
    logits = np.r_[np.zeros(16), np.full(16, 2.0)]
    logits[[3, 5, 20]] = -9.0  # a quarter decides, so single moments do not
    found = comparison.within(*judged(logits), (0.0, 3.9), HALVES)
    assert (found.known.moments, found.questioned.moments) == (16, 16)
    assert (found.known.logit, found.questioned.logit, found.difference) == (0, 2, 2)
    assert (found.known.span, found.questioned.span) == ((0.0, 3.75), (4.0, 7.75))
    assert found.is_higher
    assert (found.at_least, found.of, found.population) == (1, 20, "20 recordings")
    assert found.unlike == ()
    turned = comparison.within(*judged(logits), (4.0, 9.0), HALVES)
    assert (turned.difference, turned.is_higher, turned.at_least) == (-2, False, 1)
    kept = json.loads(json.dumps(found.to_dict()))
    assert (kept["difference"], kept["false_alarms"]) == (2, 0.05)


def test_seconds_in_the_middle_leave_both_ends_in_question():
    logits = np.zeros(40)
    logits[10:26] = -1.0
    found = comparison.within(*judged(logits), (2.5, 6.25), HALVES)
    assert (found.known.logit, found.questioned.logit) == (-1, 0)
    assert found.questioned.span == (0.0, 9.75)


@given(st.lists(st.floats(0, 50), min_size=comparison.LEAST, max_size=200))
def test_few_new_recordings_exceed_the_limit(apart):
    halves = Halves(tuple(sorted(apart)), "", "")
    rank = sum(a <= halves.limit for a in apart)
    # a new recording falls into each of the n + 1 gaps alike, and half of the time upwards
    assert (1 - rank / (len(apart) + 1)) / 2 <= comparison.FALSE_ALARMS + 1e-12
    lower = sum(a < halves.limit for a in apart)
    assert (1 - lower / (len(apart) + 1)) / 2 > comparison.FALSE_ALARMS  # no higher than need be


def test_no_distribution_gives_more_false_alarms():
    rng = np.random.default_rng(5)
    draws = np.sort(rng.standard_cauchy((4000, 21)), axis=1)
    new = rng.standard_cauchy(4000)
    limits = [Halves(tuple(np.sort(np.abs(d))), "", "").limit for d in draws]
    assert np.mean(new > np.array(limits)) < comparison.FALSE_ALARMS


def test_without_figures_there_is_no_limit():
    found = comparison.within(*judged(np.arange(40)), (0, 4.25), None)
    assert (found.limit, found.is_higher, found.of) == (None, None, 0)
    assert found.to_dict()["false_alarms"] is None


@pytest.mark.parametrize(
    ("more", "unlike"),
    [
        ({"width": 79.0}, ("face_px",)),
        ({"width": 81.0}, ()),
        ({"sharpness": 81.0}, ("sharpness",)),
        ({"width": 200.0, "sharpness": 90.0}, ("face_px", "sharpness")),
    ],
)
def test_pictures_that_differ_are_named(more, unlike):
    here, there = (comparison.stretch(*judged(np.zeros(16), **m)) for m in ({}, more))
    assert comparison.compare_stretches(here, there, HALVES).unlike == unlike
    assert comparison.compare_stretches(there, here, HALVES).unlike == unlike


def test_what_cannot_be_compared():
    with pytest.raises(UsageError, match=r"fewer than 16 moments .*: A: 15"):
        comparison.within(*judged(np.zeros(40)), (0.0, 3.5), HALVES)
    with pytest.raises(UsageError, match="A: 15"):
        comparison.within(*judged(np.zeros(40)), (0.0, 6.0), HALVES)  # too little is left
    with pytest.raises(UsageError, match="4 – 4"):
        comparison.within(*judged(np.zeros(40)), (4.0, 4.0), HALVES)
    with pytest.raises(UsageError, match="nan"):
        comparison.within(*judged(np.zeros(40)), (float("nan"), 4.0), HALVES)
    with pytest.raises(UsageError, match="not judged"):
        comparison.stretch(*judged(np.zeros(40), abstained=True))
    with pytest.raises(UsageError, match="nobody"):
        comparison.longest([judged(np.zeros(40), abstained=True)[0]])


def test_a_stretch_that_could_not_be_judged_alone_is_not_compared():
    turned = judged(np.zeros(64), yaw=np.repeat([0.0, 60.0], [48, 16]))
    with pytest.raises(UsageError, match=r"cannot be judged: A\. The face is turned"):
        comparison.within(*turned, (12.0, 15.9), HALVES)
    assert comparison.within(*turned, (0.0, 3.9), HALVES).difference == 0


def test_whoever_is_on_screen_most():
    short, long = (judged(np.zeros(20))[0] for _ in "ab")
    short, long = (
        replace(r, track=replace(r.track, person=p, seen=np.array([[0.0, s]])))
        for r, p, s in ((short, "A", 2.0), (long, "B", 9.0))
    )
    assert comparison.longest([short, long]) is long


def test_the_file_beside_the_weights(tmp_path, monkeypatch):
    monkeypatch.setattr(comparison, "path_for", lambda name: tmp_path / f"{name}.json")
    assert comparison.find("net", "ab" * 32) is None
    comparison.save(HALVES, tmp_path / "net.json")
    assert comparison.find("net", "ab" * 32) == HALVES
    assert comparison.find("net", "cd" * 32) is None  # measured with other weights
    more = replace(HALVES, sharper=(0.1,) * 9, softer=(3, 4))
    comparison.save(more, tmp_path / "net.json")
    assert comparison.find("net", "ab" * 32) == more
    assert more.sharpness_limit == pytest.approx(2**0.1)
    assert replace(more, sharper=(0.1,) * 8).sharpness_limit is None
    good = json.loads((tmp_path / "net.json").read_text())
    for bad in (
        {"apart": [0.1]},
        {"apart": [-1.0] * 20},
        {"schema": "x"},
        {"apart": None},
        {"softer": [5, 4]},
    ):
        (tmp_path / "net.json").write_text(json.dumps(good | bad))
        with pytest.raises(ModelError, match=r"net\.json"):
            comparison.find("net", "ab" * 32)


def test_the_shipped_figures_belong_to_the_shipped_weights():
    path = comparison.path_for("seamnet-small")
    card = json.loads((path.parent / "seamnet-small.json").read_text())
    found = comparison.find("seamnet-small", card["sha256"])
    assert found is not None
    assert "kept from training" in found.population


def test_a_stretch_is_not_blamed_for_the_moments_of_the_whole():
    """A third of the moments are all of their stretch, and not too few of the person's."""
    found = comparison.within(*judged(np.zeros(60), wanted=60), (0.0, 4.9), HALVES)
    assert (found.known.moments, found.questioned.moments) == (20, 40)
