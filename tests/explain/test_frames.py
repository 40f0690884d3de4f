"""Frame shares against the definition: every closed form equals the sum over all 2^T sets."""

import itertools
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from toolkit.errors import ShapeError, UsageError
from toolkit.explain.frames import (
    PrecisionError,
    flip_frames,
    frame_shares,
    lme_shares,
    topk_shares,
)
from toolkit.types import Aggregate
from toolkit.verdict.aggregate import aggregate

# whole numbers as well, so that ties among frames and with the reference are common
LOGIT = st.one_of(st.integers(-3, 3).map(float), st.floats(-30, 30))


def enumerate_shapley(game, n):
    v = np.array([game([bool(mask >> i & 1) for i in range(n)]) for mask in range(1 << n)])
    phi = np.zeros(n)
    for i in range(n):
        for mask in range(1 << n):
            if not mask >> i & 1:
                s = mask.bit_count()
                weight = math.factorial(s) * math.factorial(n - s - 1) / math.factorial(n)
                phi[i] += weight * (v[mask | 1 << i] - v[mask])
    return phi


def by_enumeration(x, b, rule):
    return enumerate_shapley(lambda has: aggregate(np.where(has, x, b), rule), len(x))


@settings(deadline=None, max_examples=120)
@given(st.lists(LOGIT, min_size=1, max_size=8), LOGIT, st.data())
def test_topk_is_the_shapley_value(x, b, data):
    k = data.draw(st.integers(1, len(x)))
    shares = topk_shares(x, b, k)
    assert shares == pytest.approx(by_enumeration(np.array(x), b, Aggregate("top_k", k)), abs=1e-9)
    assert shares.sum() == pytest.approx(aggregate(x, Aggregate("top_k", k)) - b, abs=1e-12)


@pytest.mark.parametrize("k", [1, 2, 5, 8, 9])
def test_topk_of_nine_frames_on_both_sides_of_the_reference(k):
    x = np.array([2.0, -1.0, 0.5, 0.5, -4.0, 3.0, 3.0, -1.0, 0.0])
    for b in (-9.0, -1.0, 0.0, 0.7, 9.0):
        want = by_enumeration(x, b, Aggregate("top_k", k))
        assert topk_shares(x, b, k) == pytest.approx(want, abs=1e-12)


@settings(deadline=None, max_examples=40)
@given(st.lists(LOGIT, min_size=1, max_size=7), LOGIT)
def test_mean_is_the_shapley_value(x, b):
    rule = Aggregate("mean", len(x))
    want = by_enumeration(np.array(x), b, rule)
    assert frame_shares(x, b, rule) == pytest.approx(want, abs=1e-9)


@settings(deadline=None, max_examples=30)
@given(
    st.lists(st.one_of(st.integers(-2, 2).map(float), st.floats(-8, 8)), min_size=1, max_size=6),
    st.floats(-8, 8),
)
def test_log_mean_exp_is_the_shapley_value(x, b):
    rule = Aggregate("log_mean_exp", len(x))
    want = by_enumeration(np.array(x), b, rule)
    assert frame_shares(x, b, rule) == pytest.approx(want, abs=1e-8)


def test_log_mean_exp_of_nine_frames():
    x = np.array([1.0, 1.0, -0.5, 2.0, 0.0, -3.0, 0.25, 1.5, -1.0])
    want = by_enumeration(x, -0.75, Aggregate("log_mean_exp", 9))
    assert frame_shares(x, -0.75, Aggregate("log_mean_exp", 9)) == pytest.approx(want, abs=1e-9)


def test_log_mean_exp_needs_more_nodes_for_more_frames_and_still_adds_up():
    x = np.random.default_rng(3).normal(0, 2, 120)
    shares = lme_shares(x, -2.0, 4.0)
    assert shares.sum() + -2.0 == pytest.approx(
        aggregate(x, Aggregate("log_mean_exp", 0)), abs=1e-9
    )


def test_log_mean_exp_refuses_what_it_cannot_compute():
    with pytest.raises(PrecisionError, match="too far apart"):
        lme_shares([0.0, 500.0], 0.0, 4.0)
    with pytest.raises(PrecisionError, match="do not add up"):
        lme_shares([0.0, 1.0, 5.0], -1.0, 4.0, tolerance=0.0)


def test_log_mean_exp_of_the_reference_itself_shares_nothing():
    assert lme_shares([2.0, 2.0], 2.0, 4.0).tolist() == [0.0, 0.0]


def test_nine_hundred_frames_add_up_and_keep_order():
    x = np.random.default_rng(1).normal(-1, 5, 900)
    for b in (-20.0, -2.0, 0.0, 20.0):
        shares = topk_shares(x, b, 225)
        assert shares.sum() + b == pytest.approx(np.sort(x)[-225:].mean(), abs=1e-11)
        assert (np.diff(shares[np.argsort(x)]) >= -1e-15).all()


def test_equal_frames_share_equally_and_a_reference_frame_nothing():
    shares = topk_shares([2.0, 2.0, 0.0], 0.0, 2)
    assert shares[0] == shares[1] == 1.0
    assert shares[2] == 0.0


def test_mistakes_are_named():
    with pytest.raises(ShapeError, match="non-empty"):
        frame_shares([], 0.0, Aggregate("mean", 0))
    with pytest.raises(ShapeError, match="not finite"):
        frame_shares([np.nan], 0.0, Aggregate("mean", 0))
    with pytest.raises(UsageError, match="unknown rule"):
        frame_shares([1.0], 0.0, Aggregate("median", 1))
    with pytest.raises(UsageError, match="k = 2, 1 frames"):
        frame_shares([1.0], 0.0, Aggregate("top_k", 2))


# --- the smallest set of frames that turns the verdict


@settings(deadline=None, max_examples=80)
@given(
    st.lists(LOGIT, min_size=1, max_size=7),
    LOGIT,
    st.sampled_from(["top_k", "mean"]),
    LOGIT,
    st.data(),
)
def test_no_smaller_set_of_frames_turns_the_verdict(x, reference, name, threshold, data):
    rule = Aggregate(name, data.draw(st.integers(1, len(x))))
    found = flip_frames(x, reference, rule, threshold)
    sizes = [
        len(taken)
        for count in range(len(x) + 1)
        for taken in itertools.combinations(range(len(x)), count)
        if aggregate(np.where(np.isin(range(len(x)), taken), reference, x), rule) < threshold
    ]
    assert (found is None) == (not sizes)
    if found is not None:
        assert len(found) == min(sizes)
        replaced = np.where(np.isin(range(len(x)), found), reference, x)
        assert aggregate(replaced, rule) < threshold


def test_frames_below_the_reference_are_never_replaced():
    assert flip_frames([1.0, 0.0], 2.0, Aggregate("mean", 2), 0.4) is None
    assert flip_frames([1.0, 0.0], -2.0, Aggregate("mean", 2), 3.0) == ()
