"""Separation and its intervals against brute force."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from toolkit.errors import UsageError
from toolkit.evaluation.verdicts import scores as s

few = st.lists(st.integers(-3, 3).map(float), min_size=1, max_size=6)


def made(fake, real, *, tag=""):
    """Fake i and real i share the footage g<i>."""
    return [
        s.Score(f"{label}{tag if is_fake else ''}{i}", f"g{i}", is_fake, float(v))
        for label, is_fake, values in (("f", True, fake), ("r", False, real))
        for i, v in enumerate(values)
    ]


@given(fake=few, real=few)
def test_auc_counts_pairs(fake, real):
    pairs = [(f > r) + 0.5 * (f == r) for f in fake for r in real]
    assert s.auc(np.array(fake), np.array(real)) == pytest.approx(np.mean(pairs))


def test_what_needs_both_labels_is_none_without():
    none, one = np.array([]), np.array([1.0])
    assert s.auc(none, one) is None
    assert s.equal_error_rate(one, none) is None
    assert s.Separation([made([1], [])]).value is None


@given(fake=few, real=few, alarms=st.sampled_from([0.0, 0.1, 0.25, 0.5, 1.0]))
def test_found_at_keeps_to_the_false_alarms(fake, real, alarms):
    fake, real = np.array(fake), np.array(real)
    at, found = s.found_at(fake, real, alarms)
    assert (real >= at).mean() <= alarms
    assert found == (fake >= at).mean()
    lower = np.nextafter(at, -np.inf)  # any lower, and there were too many
    assert not np.isfinite(lower) or (real >= lower).mean() > alarms


def test_a_forgery_is_held_against_the_highest_of_its_own_originals():
    one = [s.Score("a", "g", True, 2.0), s.Score("b", "g", False, 1.0)]
    more = [s.Score("c", "g", False, 2.0), s.Score("d", "other", True, 9.0)]
    assert s.above_own(one) == [("g", True)]
    assert s.above_own(one + more) == [("g", False)]  # equal is not above; d has no original


@given(fake=few, real=few)
def test_equal_error_rate_lies_on_the_curve(fake, real):
    rate = s.equal_error_rate(np.array(fake), np.array(real))
    points = [
        (np.mean([f < t for f in fake]), np.mean([r >= t for r in real]))
        for t in [*sorted({*fake, *real}), np.inf]
    ]
    # misses rise and alarms fall, so the joined line meets the diagonal once, or along one point
    met = [
        a + (b - a) * (u - a) / ((u - a) + (b - v)) if (u - a) + (b - v) else a
        for (a, u), (b, v) in itertools.pairwise(points)
        if a <= u and b >= v
    ]
    exact = [a for a, u in points if a == u]
    assert any(rate == pytest.approx(m) for m in [*exact, *met])
    assert s.equal_error_rate(-np.array(real), -np.array(fake)) == pytest.approx(rate)


@pytest.mark.parametrize(
    ("fake", "real", "rate"),
    [([2, 3], [0, 1], 0.0), ([0, 1], [2, 3], 1.0), ([1, 1], [1, 1], 0.5), ([0, 2], [1, 3], 0.5)],
)
def test_equal_error_rate_known(fake, real, rate):
    assert s.equal_error_rate(np.float64(fake), np.float64(real)) == pytest.approx(rate)


@pytest.mark.parametrize(("hits", "total"), [(0, 1), (1, 1), (3, 10), (10, 10), (0, 48)])
def test_wilson_solves_its_equation(hits, total):
    """Each end is where the share lies 1.96 standard errors away."""
    for end in s.wilson(hits, total):
        if 1e-9 < end < 1 - 1e-9:
            z = (hits / total - end) / np.sqrt(end * (1 - end) / total)
            assert abs(z) == pytest.approx(1.95996, abs=1e-4)


def test_resampling_is_drawing_whole_groups_again():
    """The kernel over counts is the AUC of the list in which each group stands that often."""
    rng = np.random.default_rng(3)
    one = made(rng.integers(0, 5, 6), rng.integers(0, 4, 6), tag="a")
    two = made(rng.integers(0, 5, 4), rng.integers(0, 4, 6), tag="b")
    both = s.Separation([one, two])
    counts = s.draw(6, seed=5)
    for n, value in enumerate(both.resampled(5)[:40]):
        areas = []
        for method in (one, two):
            drawn = [x for x in method for _ in range(int(counts[n, int(x.group[1:])]))]
            area = s.auc(
                np.array([x.value for x in drawn if x.is_fake]),
                np.array([x.value for x in drawn if not x.is_fake]),
            )
            areas += [] if area is None else [area]
        assert value == pytest.approx(np.mean(areas)) if areas else np.isnan(value)
    low, high = both.interval(5)
    assert low <= both.value <= high


def test_footage_stays_together():
    # drawn apart, fakes and reals would overlap; drawn as footage, each fake beats its original
    apart = s.Separation([made([1.0 + i for i in range(6)], [0.5 + i for i in range(6)])])
    low, high = apart.interval(0)
    assert 0.5 < low < high <= 1
    assert s.Separation([made([1], [0])]).interval(0) is None


def test_a_detector_does_not_differ_from_itself():
    mine = s.Separation([made([0, 2, 4], [1, 1, 3])])
    same = s.difference(mine, mine, seed=1)
    assert (same.difference, same.interval, same.clips, same.turned) == (0, (0, 0), 6, False)


def test_pairing_narrows_the_difference():
    rng = np.random.default_rng(0)
    hard = rng.normal(0, 2, 12)
    mine = s.Separation([made(hard + 1.5, hard)])
    other = s.Separation([made(hard + 1.0, hard + rng.normal(0, 0.1, 12))])
    paired = s.difference(mine, other, seed=0)
    low, high = paired.interval
    assert low <= paired.difference <= high
    a, b = mine.interval(0), other.interval(0)
    assert high - low < (a[1] - a[0]) + (b[1] - b[0])


def test_only_clips_that_both_scored_are_compared():
    mine = s.Separation([made([5, 5, 5], [0, 0, 0])])
    other = s.Separation([made([5, 5], [0, 0, 9])])
    assert s.difference(mine, other, seed=0).clips == 5
    assert s.difference(mine, s.Separation([made([1], [])]), seed=0) is None
    with pytest.raises(UsageError, match="1 and 0 methods"):
        s.difference(mine, s.Separation([]), seed=0)


def test_a_score_without_a_side_is_taken_the_better_way():
    mine = s.Separation([made([3, 1, 3], [0, 2, 0])])
    wrong = s.Separation([made([0, 0, 0], [1, 1, 1])])
    assert s.difference(mine, wrong, seed=0).difference > 0
    turned = s.difference(mine, wrong, seed=0, may_turn=True)
    assert turned.turned
    assert turned.difference == pytest.approx(mine.value - 1)


def test_cost_of_groups_by_drawing_them_one_by_one():
    rng = np.random.default_rng(2)
    rows = [(f"g{i % 5}", bool(i % 3), float(rng.random())) for i in range(20)]
    rows += [("g5", True, 3.0)]  # only forged
    found = []
    for times in s.draw(6, 0):
        drawn = [r for r in rows for _ in range(int(times[int(r[0][1])]))]
        sides = [[c for _, fake, c in drawn if fake == label] for label in (True, False)]
        if all(sides):
            found.append(np.mean([np.mean(side) for side in sides]))
    assert len(found) > 1000
    assert s.bootstrap_cost(rows, seed=0) == pytest.approx(np.percentile(found, [2.5, 97.5]))
    assert s.bootstrap_cost(rows[-1:], seed=0) is None
    one_genuine = [("g0", False, 1.0), ("g1", True, 1.0), ("g2", True, 2.0)]
    assert s.bootstrap_cost(one_genuine, seed=0) is None


def test_rate_of_groups():
    hits = [(f"g{i // 4}", i < 4) for i in range(16)]
    low, high = s.bootstrap_rate(hits, seed=0)
    assert low == 0
    assert 0.5 <= high <= 1
    assert s.bootstrap_rate(hits[:4], seed=0) is None
