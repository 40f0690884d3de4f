"""The ledger adds up whatever it is given, and says what it could not split."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from toolkit.errors import ShapeError, UsageError
from toolkit.explain import regions
from toolkit.explain.ledger import (
    construction,
    drift,
    explain,
    frame_logits,
    heat,
    key_positions,
    track_table,
)
from toolkit.types import Aggregate, Evidence, Explanation, PatchHead
from toolkit.verdict.aggregate import aggregate, patch_logits, rule_for


def make(seed, m=7, *, grid=4, size=9, spread=2.0):
    """Return evidence on m single frames, their times, shots and region maps."""
    rng = np.random.default_rng(seed)
    head = PatchHead(4.0, 1.2, 0.1, rng.normal(-2, 0.3, (grid, grid)).astype(np.float32))
    patches = rng.normal(-1.5, spread, (m, grid, grid)).astype(np.float32)
    logits = patch_logits(patches, head).astype(np.float32)
    evidence = Evidence(logits, np.stack([np.arange(m)] * 2, axis=1), patches, head)
    region_map = rng.integers(0, 10, (m, size, size)).astype(np.uint8)
    return evidence, np.arange(m) / 4, np.zeros(m, np.int64), region_map


@settings(deadline=None, max_examples=40)
@given(
    st.integers(0, 2**32 - 1),
    st.integers(1, 12),
    st.sampled_from(["top_k", "mean", "log_mean_exp"]),
    st.floats(0.01, 6),
)
def test_everything_adds_up(seed, m, name, spread):
    evidence, pts, shots, region_map = make(seed, m, spread=spread)
    rule = Aggregate(name, rule_for(m).k)
    told = explain(evidence, pts, shots, region_map, threshold=0.0, rule=rule)
    logit = aggregate(frame_logits(evidence), rule)
    limit = 1e-9 if name == "log_mean_exp" else 1e-12
    assert told.reference_logit + told.frame_shares.sum() == pytest.approx(logit, abs=limit)
    assert abs(told.residual) < limit
    assert told.shares.sum(axis=1) + told.unsplit == pytest.approx(told.frame_shares, abs=1e-13)
    whole = told.shares.any(axis=1)
    assert np.abs(told.unsplit[whole]).max(initial=0.0) < 1e-12
    assert told.region_shares.shape == (10,)
    assert drift(evidence) < 1e-5


def test_a_frame_is_split_like_its_own_table():
    evidence, pts, shots, region_map = make(3)
    told = explain(evidence, pts, shots, region_map, threshold=0.0, rule=Aggregate("mean", 7))
    v = regions.patch_table(evidence.patches, regions.cover(region_map, 4, 4), evidence.head)
    assert told.reference_logit == pytest.approx(v[0, 0], abs=1e-12)
    assert frame_logits(evidence) == pytest.approx(v[:, -1], abs=1e-12)
    assert told.shares == pytest.approx(regions.shapley(v) / 7, abs=1e-12)  # the joint value


def test_regions_that_cancel_leave_the_frame_unsplit():
    head = PatchHead(4.0, 1.0, 0.0, np.zeros((1, 2), np.float32))
    up = 0.1  # half the cells gain what the other half loses, in the exponential domain
    down = np.log(2 - np.exp(4 * up)) / 4 + 1e-4
    patches = np.array([[[up, down]], [[up, up]]], np.float32)
    logits = patch_logits(patches, head).astype(np.float32)
    evidence = Evidence(logits, np.array([[0, 0], [1, 1]]), patches, head)
    region_map = np.tile(np.array([[0, 1], [0, 1]], np.uint8), (2, 1, 1))
    told = explain(
        evidence,
        np.arange(2.0),
        np.zeros(2, np.int64),
        region_map,
        threshold=0.5,
        rule=Aggregate("mean", 2),
    )
    assert not told.shares[0].any()
    assert told.unsplit[0] == told.frame_shares[0] > 0
    assert told.shares[1, :2] == pytest.approx(told.frame_shares[1] / 2)


def test_without_patches_the_threshold_is_the_reference_and_no_region_is_named():
    logits = np.array([-1.0, 3.0, 2.5, -2.0], np.float32)
    evidence = Evidence(logits, np.stack([np.arange(4)] * 2, axis=1))
    told = explain(
        evidence,
        np.arange(4.0),
        np.zeros(4, np.int64),
        np.zeros((4, 8, 8), np.uint8),
        threshold=0.5,
        rule=Aggregate("top_k", 2),
    )
    assert (told.reference_kind, told.reference_logit) == ("threshold", 0.5)
    assert not told.reference_valid
    assert not told.shares.any()
    assert np.array_equal(told.unsplit, told.frame_shares)
    assert told.frame_shares.sum() == pytest.approx(2.75 - 0.5, abs=1e-12)
    assert [(i.start_s, i.end_s) for i in told.intervals] == [(0.5, 2.5)]


def test_without_region_maps_the_heads_reference_still_stands():
    evidence, pts, shots, _ = make(5)
    told = explain(evidence, pts, shots, None, threshold=0.0, rule=rule_for(7))
    assert told.reference_kind == "training_median"
    assert not told.shares.any()
    assert abs(told.residual) < 1e-12


def test_the_reference_is_valid_when_the_detector_calls_it_genuine():
    evidence, pts, shots, region_map = make(6)
    reference = float(patch_logits(evidence.head.reference, evidence.head))
    for threshold, valid in ((reference + 1e-9, True), (reference, False)):
        told = explain(evidence, pts, shots, region_map, threshold=threshold, rule=rule_for(7))
        assert told.reference_valid is valid


def test_blocks_use_the_mean_cover_and_the_middle_of_their_span():
    evidence, *_ = make(7, m=2)
    evidence = Evidence(
        evidence.network_logits, np.array([[0, 2], [3, 5]]), evidence.patches, evidence.head
    )
    region_map = np.repeat(np.array([0, 0, 3, 1, 1, 1], np.uint8), 64).reshape(6, 8, 8)
    pts, shots = np.arange(6) / 2, np.zeros(6, np.int64)
    told = explain(evidence, pts, shots, region_map, threshold=-9.0, rule=Aggregate("mean", 2))
    assert set(np.flatnonzero(told.shares[0])) == {0, 3}
    assert np.flatnonzero(told.shares[1]).tolist() == [1]
    (found,) = told.intervals
    assert (found.start_s, found.end_s) == (0.0, 2.75)  # moments at 0.5 s and 2.0 s


def test_the_same_input_gives_the_same_bytes():
    first, second = (
        explain(*make(8), threshold=0.0, rule=rule_for(7)).shares.tobytes() for _ in range(2)
    )
    assert first == second


def test_mistakes_are_named():
    evidence, pts, shots, region_map = make(9)
    with pytest.raises(ShapeError, match="outside the track"):
        explain(evidence, pts[:5], shots[:5], region_map, threshold=0.0, rule=rule_for(7))
    with pytest.raises(ShapeError, match="every moment"):
        explain(evidence, pts, shots, region_map[:5], threshold=0.0, rule=rule_for(7))
    with pytest.raises(UsageError, match="k does not fit"):
        explain(evidence, pts, shots, region_map, threshold=0.0, rule=Aggregate("top_k", 8))
    nothing = Evidence(np.zeros(0, np.float32), np.zeros((0, 2), np.int64))
    with pytest.raises(ShapeError, match="non-empty"):
        explain(nothing, pts, shots, region_map, threshold=0.0, rule=rule_for(7))


def test_heat_is_signed_and_its_sizes_sum_to_one():
    evidence, *_ = make(10)
    cells = heat(evidence, 2)
    assert cells.dtype == np.float32
    assert np.abs(cells).sum() == pytest.approx(1, abs=1e-6)
    assert np.array_equal(cells > 0, evidence.patches[2] > evidence.head.reference)
    ratio = np.exp(4 * evidence.patches[2].astype(float)) - np.exp(
        4 * evidence.head.reference.astype(float)
    )
    assert cells == pytest.approx(ratio / np.abs(ratio).sum(), abs=1e-6)
    high = Evidence(evidence.network_logits, evidence.spans, evidence.patches + 300, evidence.head)
    assert np.isfinite(heat(high, 0)).all()


def test_heat_of_the_reference_is_nothing_and_needs_patches():
    head = PatchHead(4.0, 1.0, 0.0, np.ones((2, 2), np.float32))
    spans = np.zeros((1, 2), np.int64)
    same = Evidence(np.zeros(1, np.float32), spans, head.reference[None], head)
    assert not heat(same, 0).any()
    assert heat(Evidence(np.zeros(1, np.float32), spans), 0) is None


def told_with(shares):
    shares = np.array(shares, float)
    none = np.zeros((len(shares), 10))
    return Explanation("k", 0.0, True, shares, none, shares, (), 0.0)


def test_key_positions_are_the_largest_but_spread():
    shares = np.zeros(40)
    shares[[10, 11, 12, 30]] = [3.0, 4.0, 3.5, -1.0]
    assert key_positions(told_with(shares), 2) == (11, 30)
    six = key_positions(told_with(shares))
    assert len(six) == 6
    assert list(six) == sorted(six)
    assert {11, 30} <= set(six)
    assert np.diff(six).min() >= 39 / 12


def test_key_positions_count_in_seconds_when_times_are_given():
    shares = [5.0, 4.0, 3.0, 2.0]
    pts = np.array([0.0, 0.1, 0.2, 10.0])
    assert key_positions(told_with(shares), 2, pts=pts) == (0, 3)
    assert key_positions(told_with(shares), 2) == (0, 1)
    assert key_positions(told_with([1.0]), 6) == (0,)


@settings(deadline=None)
@given(st.integers(1, 60), st.integers(1, 8), st.integers(0, 99))
def test_even_moments_always_give_as_many_as_asked(m, n, seed):
    shares = np.random.default_rng(seed).normal(size=m)
    chosen = key_positions(told_with(shares), n)
    assert len(chosen) == n or m < 4 * n
    assert int(np.abs(shares).argmax()) in chosen


@pytest.mark.parametrize("name", ["top_k", "mean", "log_mean_exp"])
def test_the_tracks_table_replaces_players_in_every_frame(name):
    evidence, _, _, region_map = make(4)
    rule = Aggregate(name, 3)
    table = track_table(evidence, region_map, rule)
    frames = regions.patch_table(evidence.patches, regions.cover(region_map, 4, 4), evidence.head)
    for mask in (0, 5, 700, 1023):
        assert table[mask] == aggregate(frames[:, mask], rule)
    assert table[-1] == pytest.approx(aggregate(frame_logits(evidence), rule), abs=1e-12)
    bare = Evidence(evidence.network_logits, evidence.spans)
    assert track_table(bare, region_map, rule) is None


def test_construction_adds_up_to_each_frame():
    evidence, _, _, region_map = make(5)
    reference = patch_logits(evidence.head.reference, evidence.head)
    sums = construction(evidence, region_map).sum(axis=1)
    assert sums == pytest.approx(frame_logits(evidence) - reference, abs=1e-10)
    assert construction(Evidence(evidence.network_logits, evidence.spans), region_map) is None
