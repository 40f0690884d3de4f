"""Scores with a known answer: a method that knows gets 1, one that knows nothing gets its prior."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from toolkit.evaluation.explanations.scores import (
    Told,
    blind_iou,
    by_region,
    controls,
    lower_part,
    mean_of,
    scene_interval,
    score,
    temporal_iou,
    top_overlap,
)
from toolkit.explain.trust import centre_prior
from toolkit.types import PLAYERS


def test_maps_with_a_known_answer():
    mask = np.zeros((20, 20), bool)
    mask[:5, :4] = True  # a twentieth
    regions = np.eye(10)[0]

    def of(heat):
        return score(Told(heat, regions, heat == heat.max(), 0, 0.0), mask, [0])

    assert of(mask.astype(float)) == {"mass": 1, "hit": 1, "rank": 1, "region_hit": 1}
    flat = of(np.ones((20, 20)))
    assert flat["mass"] == flat["hit"] == flat["rank"] == pytest.approx(0.05)
    assert of(-mask.astype(float))["mass"] == 0  # no positive mass counts 0
    half = np.zeros((20, 20))
    half[:10, :4] = 1.0
    assert of(half)["mass"] == pytest.approx(0.5)
    assert of(half)["rank"] == pytest.approx(0.5)
    assert top_overlap(half, np.zeros_like(mask)) == 0


def test_controls_score_their_priors_and_repeat():
    players = np.arange(10, dtype=np.uint8).repeat(10)[:, None].repeat(100, 1)
    mask = np.zeros((100, 100), bool)
    mask[:20] = True
    rgb = np.zeros((100, 100, 3), np.uint8)
    made = controls(rgb, players, seed=1)
    scores = [score(t, mask, []) for t in made["control.random"]]
    assert np.mean([s["mass"] for s in scores]) == pytest.approx(0.2, abs=0.03)
    assert score(made["control.area"][0], mask, [])["rank"] == pytest.approx(0.2)
    centre = score(made["control.centre"][0], mask, [])
    assert centre["mass"] == pytest.approx(centre_prior(100)[mask].sum())
    assert centre["mass"] < 0.15
    again = controls(rgb, players, seed=1)
    assert (again["control.random"][3].heat == made["control.random"][3].heat).all()


def test_the_contrast_control_points_at_the_edge_nearest_to_the_centre():
    rgb = np.full((100, 100, 3), 40, np.uint8)
    rgb[:, 70:] = 200  # upright edges at 70 and, as steep, at 90
    rgb[:, 90:] = 40
    told = controls(rgb, np.zeros((100, 100), np.uint8), seed=0)["control.contrast"][0]
    columns = np.flatnonzero(told.points.any(axis=0))
    assert set(columns.tolist()) <= {69, 70}
    near, far = np.zeros((100, 100), bool), np.zeros((100, 100), bool)
    near[:, 64:76], far[:, :50] = True, True
    assert score(told, near, [])["mass"] > 0.6  # the rest lies at the farther edge
    assert score(told, far, [])["mass"] == pytest.approx(0, abs=1e-9)
    flat = controls(np.full((50, 50, 3), 9, np.uint8), np.zeros((50, 50), np.uint8), seed=0)
    assert score(flat["control.contrast"][0], np.ones((50, 50), bool), [])["hit"] == 0


def test_a_region_vector_is_spread_over_its_pixels():
    players = np.array([[0, 0], [3, 9]], np.uint8)
    shares = np.zeros(10)
    shares[[0, 3, 5]] = 2.0, -1.0, 9.0  # region 5 is not in the picture and cannot be pointed at
    told = by_region(shares, players, 4, 0.5)
    assert told.heat.tolist() == [[1, 1], [-1, 0]]
    assert told.points.tolist() == [[True, True], [False, False]]


def test_the_lower_face_has_a_part():
    shares = np.zeros(10)
    shares[[PLAYERS.index("mouth"), PLAYERS.index("chin_jaw"), PLAYERS.index("nose")]] = 1, 2, 1
    shares[PLAYERS.index("contour")] = -5
    assert lower_part(shares) == pytest.approx(0.75)
    assert lower_part(-np.ones(10)) is None


spans = st.tuples(st.floats(0, 50), st.floats(0.01, 20)).map(lambda p: (p[0], p[0] + p[1]))


@given(st.lists(spans, max_size=5), spans)
def test_temporal_iou_is_a_share_and_right_on_a_grid(found, truth):
    value = temporal_iou(found, truth)
    at = np.linspace(0, 75, 30_001)
    inside = np.zeros(len(at), bool)
    for start, end in found:
        inside |= (at >= start) & (at <= end)
    forged = (at >= truth[0]) & (at <= truth[1])
    seconds = (inside | forged).sum()
    if seconds > 300:
        slack = 20 / seconds  # each border is known to a step of the grid
        assert value == pytest.approx((inside & forged).sum() / seconds, abs=slack)
    assert 0 <= value <= 1 + 1e-12
    assert temporal_iou([truth], truth) == pytest.approx(1)


def test_those_that_do_not_look_get_what_chance_gives():
    whole = blind_iou(10.0, (0.0, 10.0), seed=0)
    assert set(whole.values()) == {1.0}
    middle = blind_iou(10.0, (4.0, 6.0), seed=0)
    assert middle["control.centre"] == pytest.approx(1)
    assert middle["control.area"] == pytest.approx(0.2)
    assert 0.05 < middle["control.random"] < 0.5
    assert blind_iou(10.0, (0.0, 1.0), seed=0)["control.centre"] == 0


def test_intervals_are_over_scenes():
    values = np.array([0.0, 0.0, 0.0, 1.0])
    assert scene_interval(values, ["a"] * 4, seed=0) is None
    low, high = scene_interval(values, ["a", "a", "a", "b"], seed=0)
    assert (low, high) == (0, 1)
    assert scene_interval(np.full(4, 0.3), list("abcd"), seed=0) == pytest.approx((0.3, 0.3))
    assert mean_of([], [], seed=0) == {"n": 0, "mean": None, "interval": None}
