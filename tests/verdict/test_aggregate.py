"""Frame logits and the rules that make one logit of them."""

import math
import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from toolkit.errors import ShapeError, UsageError
from toolkit.types import Aggregate, Evidence, PatchHead
from toolkit.verdict.aggregate import (
    FRAME_TAU,
    RULE,
    aggregate,
    drift,
    frame_logits,
    log_mean_exp,
    rule_for,
    rule_text,
    same_part,
)


@pytest.mark.parametrize(
    ("n", "k"), [(0, 0), (1, 1), (2, 2), (3, 3), (8, 3), (12, 3), (13, 4), (40, 10), (900, 225)]
)
def test_the_rule_looks_at_a_quarter_but_at_three_at_least(n, k):
    assert rule_for(n) == Aggregate("top_k", k)


@given(st.integers(16, 400), st.integers(16, 400), st.sampled_from([1, 2, 3, 4, 8]))
def test_fewer_frames_are_summed_up_by_the_same_part(n, fewer, part):
    found = same_part(rule_for(n, part), n, fewer)
    # of few frames two parts can make the same rule; then either is right about the whole
    assert found == rule_for(fewer, part) or n < 40
    assert same_part(rule_for(n), n, fewer) == rule_for(fewer)
    assert rule_text(part) != rule_text(part + 1)


def test_a_rule_without_a_part_stays():
    assert same_part(Aggregate("mean", 1), 40, 20) == Aggregate("mean", 1)
    assert same_part(Aggregate("top_k", 1), 40, 20) == Aggregate("top_k", 1)


@given(st.lists(st.floats(-50, 50), min_size=1, max_size=30), st.data())
def test_top_k_lies_between_mean_and_maximum(x, data):
    k = data.draw(st.integers(1, len(x)))
    value = aggregate(x, Aggregate("top_k", k))
    assert value == pytest.approx(sum(sorted(x, reverse=True)[:k]) / k)
    assert aggregate(x, Aggregate("mean", 0)) - 1e-9 <= value <= max(x) + 1e-9
    assert aggregate(x, Aggregate("top_k", 1)) == max(x)


def test_log_mean_exp_by_its_definition_and_without_overflow():
    x = [0.5, -1.0, 2.0]
    want = np.log(np.mean(np.exp(FRAME_TAU * np.array(x)))) / FRAME_TAU
    assert aggregate(x, Aggregate("log_mean_exp", 0)) == pytest.approx(want)
    assert log_mean_exp(np.array([1e4, -1e4]), 4.0) == pytest.approx(1e4 - np.log(2) / 4)


def test_a_clip_forged_for_a_third_is_forged():
    x = np.full(30, -4.0)
    x[10:20] = 5.0
    assert aggregate(x, rule_for(30)) == 5.0
    assert aggregate(x, Aggregate("mean", 0)) < 0


def test_mistakes_are_named():
    for bad in ([], [[1.0]], [np.nan], [np.inf]):
        with pytest.raises(ShapeError):
            aggregate(bad, Aggregate("mean", 0))
    for k in (0, 3):
        with pytest.raises(UsageError, match="k does not fit"):
            aggregate([1.0, 2.0], Aggregate("top_k", k))
    with pytest.raises(UsageError, match="'median'"):
        aggregate([1.0], Aggregate("median", 1))


def test_frame_logits_come_from_the_patches_in_float64():
    rng = np.random.default_rng(0)
    head = PatchHead(4.0, 1.2, -0.3, np.zeros((2, 3), np.float32))
    patches = rng.normal(0, 2, (5, 2, 3)).astype(np.float32)
    spans = np.stack([np.arange(5)] * 2, axis=1)
    want = [
        1.2 / 4 * np.log(np.mean(np.exp(4 * p.astype(float)))) - 0.3 for p in patches
    ]  # detector's formula, written out
    evidence = Evidence(np.float32(want), spans, patches, head)
    assert frame_logits(evidence).dtype == np.float64
    assert frame_logits(evidence) == pytest.approx(want, abs=1e-12)
    assert 0 < drift(evidence) < 1e-5
    assert drift(Evidence(np.float32(want) + np.float32(0.5), spans, patches, head)) > 0.4


def test_frame_logits_without_patches_are_the_detectors():
    logits = np.array([1.5, -2.25], np.float32)
    evidence = Evidence(logits, np.zeros((2, 2), np.int64))
    assert frame_logits(evidence).tolist() == [1.5, -2.25]
    assert drift(evidence) == 0.0
    with pytest.raises(ShapeError, match="1 of 2"):
        frame_logits(Evidence(np.array([1, np.nan], np.float32), np.zeros((2, 2), np.int64)))


def test_the_rule_in_words_is_the_rule():
    """A likelihood ratio is bound to these words: another rule must have others."""
    part, least = map(
        int, re.fullmatch(r"mean of the highest 1/(\d+) .*, (\d+) at least", RULE).groups()
    )
    for n in range(1, 200):
        k = min(n, max(least, math.ceil(n / part)))
        x = np.arange(n, dtype=float)
        assert aggregate(x, rule_for(n)) == pytest.approx(x[-k:].mean())
