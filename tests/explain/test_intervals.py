"""Stretches of time against brute force over all runs."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from toolkit.errors import ShapeError
from toolkit.explain.intervals import (
    LONE_MOMENTS,
    MIN_SHARE,
    divide_time,
    find_intervals,
    interval_level,
    interval_p_value,
    maximal_runs,
)


def best_run(scores, lo, hi):
    """Return the best non-empty run within lo..hi: highest sum, then shortest."""
    runs = [
        (sum(scores[a : b + 1]), a - b, a, b) for a in range(lo, hi + 1) for b in range(a, hi + 1)
    ]
    return max(runs, default=None)


def by_recursion(scores, lo, hi):
    """Apply the definition: the best run, then the same left and right of it."""
    best = best_run(scores, lo, hi)
    if best is None or best[0] <= 0:
        return []
    _, _, a, b = best
    return [*by_recursion(scores, lo, a - 1), (a, b), *by_recursion(scores, b + 1, hi)]


@settings(deadline=None, max_examples=150)
@given(st.integers(0, 14), st.integers(0, 2**32 - 1))
def test_runs_are_those_of_the_definition(n, seed):
    scores = np.random.default_rng(seed).normal(0, 1, n).tolist()
    runs = maximal_runs(scores)
    assert [(run.first, run.last) for run in runs] == by_recursion(scores, 0, n - 1)
    for run in runs:
        assert run.score == pytest.approx(sum(scores[run.first : run.last + 1]))


@settings(deadline=None, max_examples=100)
@given(st.lists(st.integers(-3, 3), max_size=12))
def test_the_best_run_is_found_with_ties_too(scores):
    best = best_run(scores, 0, len(scores) - 1)
    runs = maximal_runs(scores)
    assert max((run.score for run in runs), default=0) == max(0, best[0] if best else 0)
    assert all(a.last < b.first for a, b in pairwise(runs))


MOMENTS = st.lists(
    st.tuples(st.floats(0.01, 2.0), st.booleans(), st.integers(-4, 4)), min_size=1, max_size=14
)


def unpack(moments):
    gaps, cuts, logits = (np.array(column) for column in zip(*moments, strict=True))
    return logits.astype(float), np.cumsum(gaps), np.cumsum(cuts).astype(np.int64)


@settings(deadline=None, max_examples=150)
@given(MOMENTS)
def test_cells_hold_their_moment_and_do_not_overlap(moments):
    _, pts, shots = unpack(moments)
    cells = divide_time(pts, shots)
    assert (cells.start_s <= pts).all()
    assert (pts <= cells.end_s).all()
    assert (cells.start_s[1:] >= cells.end_s[:-1] - 1e-12).all()
    assert (cells.start_s >= 0).all()
    cut = np.diff(shots) != 0
    assert (np.diff(cells.stretch)[cut] == 1).all()
    same = np.diff(cells.stretch) == 0
    assert cells.start_s[1:][same] == pytest.approx(cells.end_s[:-1][same])


@settings(deadline=None, max_examples=150)
@given(MOMENTS)
def test_the_strongest_interval_is_the_best_of_all(moments):
    logits, pts, shots = unpack(moments)
    cells = divide_time(pts, shots)
    scores = (cells.seconds * logits).tolist()
    best, ends = 0.0, None
    for stretch in np.unique(cells.stretch):
        where = np.flatnonzero(cells.stretch == stretch)
        run = best_run(scores, where[0], where[-1])
        if run[0] > best + 1e-9:
            best, ends = run[0], run[2:]
    found = find_intervals(logits, pts, shots, 0.0)
    above = [max(s, 0) for s in scores]
    if best <= 1e-6:
        return
    assert found, "14 moments or fewer: only a small share can be left out"
    own = sum(above[ends[0] : ends[1] + 1]) / sum(above)
    assert found[0].share >= own - 1e-9
    assert any(i.share == pytest.approx(own) for i in found) or own < MIN_SHARE
    assert sum(i.share for i in found) <= 1 + 1e-9
    assert [i.share for i in found] == sorted((i.share for i in found), reverse=True)
    assert cells.start_s[ends[0]] <= pts[ends[0]] <= pts[ends[1]] <= cells.end_s[ends[1]]


def test_boundaries_lie_halfway():
    pts = np.arange(8) * 0.5
    logits = np.array([-1.0, -1, 2, 2, 2, -1, -1, -1])
    (found,) = find_intervals(logits, pts, np.zeros(8, np.int64), 0.0)
    assert (found.start_s, found.end_s, found.share) == (0.75, 2.25, 1.0)


def test_a_run_stops_at_a_cut_and_at_a_gap():
    logits = np.full(8, 1.0)
    pts = np.arange(8.0)
    shots = np.array([0, 0, 0, 0, 1, 1, 1, 1])
    found = find_intervals(logits, pts, shots, 0.0)
    assert [(i.start_s, i.end_s) for i in found] == [(3.5, 7.5), (0.0, 3.5)]
    late = pts + np.where(pts >= 4, 6.0, 0.0)
    found = find_intervals(logits, late, np.zeros(8, np.int64), 0.0)
    assert [(i.start_s, i.end_s) for i in found] == [(9.5, 13.5), (0.0, 3.5)]


def test_time_counts_not_the_number_of_moments():
    """Many close moments are not more evidence than few distant ones over the same time."""
    pts = np.concatenate([np.arange(0, 2, 0.1), np.arange(2, 5, 0.25)])
    logits = np.where((pts < 0.55) | (pts > 3.9), 1.0, -1.0)
    first, second = find_intervals(logits, pts, np.zeros(len(pts), np.int64), 0.0)
    assert first.start_s > 3
    assert second.end_s < 1
    assert first.share == pytest.approx(0.925 / (0.925 + 0.55))


def test_a_lone_moment_among_many_is_left_out_unless_it_is_what_there_is():
    pts = np.arange(LONE_MOMENTS + 4.0)
    shots = np.zeros(len(pts), np.int64)
    logits = np.full(len(pts), -1.0)
    logits[3], logits[8:11] = 1.0, 2.0
    assert [(i.start_s, i.end_s) for i in find_intervals(logits, pts, shots, 0.0)] == [(7.5, 10.5)]
    logits[8:11] = -1.0
    (spike,) = find_intervals(logits, pts, shots, 0.0)
    assert (spike.start_s, spike.end_s, spike.share) == (2.5, 3.5, 1.0)
    few = slice(0, 12)
    logits[8:11] = 2.0
    assert len(find_intervals(logits[few], pts[few], shots[few], 0.0)) == 2


def test_small_shares_are_left_out():
    pts = np.arange(10.0)
    logits = np.array([0.1, 0.1, -1, 9, 9, 9, -1, -1, -1, -1])
    (found,) = find_intervals(logits, pts, np.zeros(10, np.int64), 0.0)
    assert found.start_s == 2.5


def test_nothing_above_the_threshold_and_single_moments():
    zero = np.zeros(5, np.int64)
    assert find_intervals(np.zeros(5), np.arange(5.0), zero, 1.0) == ()
    assert find_intervals(np.ones(1), np.ones(1), zero[:1], 0.0) == ()
    singles = divide_time(np.array([0.0, 1.0, 3.0]), np.array([0, 1, 2]))
    assert singles.seconds.tolist() == [0.5, 1.25, 1.5]


def test_a_forged_stretch_that_dips_below_the_threshold_stays_whole():
    """The clip is called forged: its weak forged moments are no genuine ones."""
    logits = np.array([-1.0] * 8 + [2.0, 0.8, 2.0, 0.5, 0.9, 2.0, 0.4, 0.6] + [-1.2] * 8)
    pts, shots = np.arange(len(logits)) * 0.25, np.zeros(len(logits), np.int64)
    level = interval_level(logits, 1.7, 1.0)
    assert level == pytest.approx((-1.0 + 1.7) / 2)
    (found,) = find_intervals(logits, pts, shots, 1.0, level=level)
    assert (found.start_s, found.end_s, found.share) == (1.875, 3.875, 1.0)
    first = find_intervals(logits, pts, shots, 1.0)[0]
    assert first.end_s < found.end_s  # by the threshold alone its weak end is lost


def test_the_level_is_never_above_the_threshold_and_only_for_what_is_called_forged():
    quiet = np.array([-1.0, -0.5, 0.9])
    assert interval_level(quiet, 0.9, 1.0) == 1.0
    assert interval_level(np.array([3.0, 4.0]), 3.5, 1.0) == 1.0
    assert interval_level(np.array([-1.0, 9.0]), 9.0, 1.0) == 1.0
    outlier = np.array([-40.0, -1.0, -1.0, -1.0, 2.0])
    assert interval_level(outlier, 2.0, 1.0) == 0.5  # one odd moment does not make all forged
    # a stretch without any evidence above the threshold is never named
    low = np.array([0.6, 0.6, -1.0, -1.0, -1.0, 2.0, 2.0, -1.0])
    found = find_intervals(low, np.arange(8.0), np.zeros(8, np.int64), 1.0, level=0.5)
    assert [(i.start_s, i.end_s) for i in found] == [(4.5, 6.5)]


def test_mistakes_are_named():
    zero = np.zeros(3, np.int64)
    with pytest.raises(ShapeError, match="order of time"):
        divide_time(np.array([0.0, 1.0, 1.0]), zero)
    with pytest.raises(ShapeError, match="one length"):
        divide_time(np.zeros(2), zero)
    with pytest.raises(ShapeError, match="one logit per moment"):
        find_intervals(np.zeros(2), np.arange(3.0), zero, 0.0)


def test_p_value_of_a_block_among_noise_and_of_noise():
    pts = np.arange(80) / 4
    zero = np.zeros(80, np.int64)
    noise = np.random.default_rng(0).normal(-1, 1, 80)
    forged = noise.copy()
    forged[20:40] += 4
    assert interval_p_value(forged, pts, zero, 0.0) <= 0.01
    values = [
        interval_p_value(np.random.default_rng(s).normal(-1, 1, 80), pts, zero, 0.0, draws=99)
        for s in range(60)
    ]
    assert np.mean(np.array(values) <= 0.1) <= 0.15
    assert np.mean(values) > 0.4
    assert interval_p_value(np.full(80, -1.0), pts, zero, 0.0) == 1.0
    assert interval_p_value(np.full(80, 1.0), pts, zero, 0.0) == 1.0


def test_p_value_shuffles_blocks_not_frames():
    """Noise that is alike over half a second looks significant only when frames are shuffled."""
    pts, zero = np.arange(80) / 20, np.zeros(80, np.int64)
    values = [
        (
            interval_p_value(x, pts, zero, 0.0, draws=99, block_s=0.5),
            interval_p_value(x, pts, zero, 0.0, draws=99, block_s=0.01),
        )
        for x in (np.random.default_rng(s).normal(-0.5, 1, 8).repeat(10) for s in range(30))
    ]
    blocks, frames = np.mean(values, axis=0)
    assert frames < 0.05
    assert blocks > 0.3


def test_p_value_is_the_same_twice():
    x = np.random.default_rng(2).normal(0, 1, 40)
    one, two = (
        interval_p_value(x, np.arange(40) / 4, np.arange(40) // 20, 0.0, draws=50, seed=7)
        for _ in range(2)
    )
    assert one == two


def test_p_value_lets_no_run_cross_a_cut():
    """Two strong blocks on either side of a cut are two runs, and any order has one of them."""
    pts, shots = np.arange(80) / 4, np.arange(80) // 40
    logits = np.full(80, -1.0)
    logits[38:42] = 3.0
    assert interval_p_value(logits, pts, shots, 0.0, draws=99) == 1.0
    assert interval_p_value(logits, pts, np.zeros(80, np.int64), 0.0, draws=99) < 0.2
