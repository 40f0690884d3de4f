"""Tables against the definitions: permutations, subsets and sums written out."""

from itertools import combinations, permutations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from toolkit.errors import ShapeError
from toolkit.explain import regions
from toolkit.types import PatchHead
from toolkit.verdict.aggregate import patch_logits

SEED = st.integers(0, 2**32 - 1)


def random_table(n, seed, *, whole=False):
    rng = np.random.default_rng(seed)
    return rng.integers(-3, 4, 1 << n).astype(float) if whole else rng.normal(0, 3, 1 << n)


def mask_of(region_map):
    return sum(1 << i for i in region_map)


def by_permutations(v, n):
    phi, orders = np.zeros(n), list(permutations(range(n)))
    for order in orders:
        mask = 0
        for i in order:
            phi[i] += v[mask | 1 << i] - v[mask]
            mask |= 1 << i
    return phi / len(orders)


@settings(deadline=None, max_examples=40)
@given(st.integers(1, 6), SEED)
def test_shapley_is_the_mean_over_all_orders(n, seed):
    v = random_table(n, seed)
    phi = regions.shapley(v)
    assert phi == pytest.approx(by_permutations(v, n), abs=1e-9)
    assert phi == pytest.approx(regions.table_weights(n) @ v, abs=1e-9)
    assert phi.sum() == pytest.approx(v[-1] - v[0], abs=1e-9)


def test_tables_are_computed_many_at_a_time():
    v = np.random.default_rng(0).normal(size=(3, 2, 16))
    for measure in (
        regions.shapley,
        regions.leave_one_out,
        regions.interactions,
        regions.additivity,
    ):
        assert measure(v)[2, 1] == pytest.approx(measure(v[2, 1]))
    phi = regions.shapley(v)
    assert regions.infidelity(v, phi)[2, 1] == pytest.approx(regions.infidelity(v[2, 1], phi[2, 1]))


@pytest.mark.parametrize("n", [1, 2, 3, 5])
def test_simple_values_by_their_definitions(n):
    v = random_table(n, n)
    full = (1 << n) - 1
    for i in range(n):
        others = [mask for mask in range(1 << n) if not mask >> i & 1]
        gains = [v[mask | 1 << i] - v[mask] for mask in others]
        assert regions.gain(v, i) == pytest.approx(gains)
        assert regions.leave_one_out(v)[i] == v[full] - v[full & ~(1 << i)]


@pytest.mark.parametrize("n", [2, 3, 5])
def test_interactions_are_shapley_of_the_pair(n):
    """The index is the Shapley value of i with j there, minus that with j away."""
    v = random_table(n, n)
    found = regions.interactions(v)
    assert np.array_equal(found, found.T)
    assert not found.diagonal().any()
    for i, j in combinations(range(n), 2):
        rest = [p for p in range(n) if p != j]  # the players of the smaller games
        smaller = np.arange(1 << (n - 1))
        wide = sum(((smaller >> at) & 1) << player for at, player in enumerate(rest))
        at = rest.index(i)
        with_j, without_j = regions.shapley(v[wide | 1 << j]), regions.shapley(v[wide])
        assert found[i, j] == pytest.approx(with_j[at] - without_j[at], abs=1e-9)


def test_interactions_of_and_or_and_one_player():
    assert regions.interactions(np.array([0.0, 0, 0, 1]))[0, 1] == 1  # needs both
    assert regions.interactions(np.array([0.0, 1, 1, 1]))[0, 1] == -1  # either will do
    assert regions.interactions(np.array([0.0, 1.0])).tolist() == [[0.0]]


@settings(deadline=None, max_examples=60)
@given(st.integers(1, 5), SEED)
def test_flip_sets_are_all_the_minimal_ones(n, seed):
    v = random_table(n, seed, whole=True)
    full = (1 << n) - 1
    flips = [s for r in range(n + 1) for s in combinations(range(n), r) if v[full ^ mask_of(s)] < 0]
    minimal = {s for s in flips if not any(set(t) < set(s) for t in flips)}
    found = regions.flip_sets(v, 0.0)
    assert {f.players for f in found} == minimal
    assert [(len(f.players), f.logit) for f in found] == sorted(
        (len(s), v[full ^ mask_of(s)]) for s in minimal
    )


def test_flip_sets_at_the_edges():
    assert regions.flip_sets(np.array([1.0, 1.0]), 1.0) == ()
    assert regions.flip_sets(np.array([0.0, 0.9]), 1.0) == (regions.FlipSet((), 0.9),)


@settings(deadline=None, max_examples=40)
@given(st.integers(1, 5), SEED)
def test_the_scale_of_deletion_holds_every_order(n, seed):
    v = random_table(n, seed)
    sums = [regions.deletion_curve(v, order).sum() for order in permutations(range(n))]
    scale = regions.deletion_scale(v)
    assert regions.deletion_curve(v, scale.best).sum() == pytest.approx(min(sums), abs=1e-9)
    assert regions.deletion_curve(v, scale.worst).sum() == pytest.approx(max(sums), abs=1e-9)
    assert regions.deletion_place(v, scale.best) == pytest.approx(1.0)
    if n > 1:
        assert regions.deletion_place(v, scale.worst) == pytest.approx(0.0, abs=1e-9)


def test_curves_start_and_end_at_the_two_pictures():
    v = random_table(3, 5)
    assert regions.deletion_curve(v, (2, 0, 1)).tolist() == [v[7], v[3], v[2], v[0]]
    assert regions.insertion_curve(v, (2, 0, 1)).tolist() == [v[0], v[4], v[5], v[7]]
    assert regions.deletion_place(np.zeros(8), (0, 1, 2)) == 1.0


def test_an_additive_table_is_described_by_its_bars():
    weights = np.array([1.0, -2.0, 0.5])
    v = np.array([sum(weights[i] for i in range(3) if s >> i & 1) for s in range(8)]) + 4
    phi = regions.shapley(v)
    assert phi == pytest.approx(weights)
    assert regions.additivity(v) == pytest.approx(1.0)
    assert regions.infidelity(v, phi) == pytest.approx(0.0, abs=1e-20)
    assert regions.additivity(np.full(8, 3.0)) == 1.0


def test_infidelity_and_additivity_by_their_definitions():
    n, v = 4, random_table(4, 9)
    phi = np.random.default_rng(2).normal(size=n)  # any attribution, also one that does not add up
    outside = [sum(phi[i] for i in range(n) if not s >> i & 1) for s in range(1 << n)]
    want = np.mean([(v[-1] - v[s] - outside[s]) ** 2 for s in range(1 << n)])
    assert regions.infidelity(v, phi) == pytest.approx(want)
    own = regions.shapley(v)
    bars = [v[0] + sum(own[i] for i in range(n) if s >> i & 1) for s in range(1 << n)]
    want = 1 - ((v - bars) ** 2).sum() / ((v - v.mean()) ** 2).sum()
    assert regions.additivity(v) == pytest.approx(want)
    odd_one_out = np.array([1.0, 0.0, 0.0, 1.0])  # bars of 0 say "always 1"
    assert regions.additivity(odd_one_out) == pytest.approx(-1.0)


def test_not_a_table():
    for v in (np.zeros(3), np.zeros(1), np.array(1.0)):
        with pytest.raises(ShapeError, match=r"2\^n"):
            regions.shapley(v)


# --- cover ------------------------------------------------------------------------------------


@settings(deadline=None, max_examples=40)
@given(st.integers(1, 9), st.integers(1, 6), st.integers(1, 6), SEED)
def test_cover_is_the_area_on_a_fine_grid(size, h, w, seed):
    region_map = np.random.default_rng(seed).integers(0, 3, (2, size, size)).astype(np.uint8)
    found = regions.cover(region_map, h, w, n_players=3)
    fine = region_map.repeat(h, 1).repeat(w, 2).reshape(2, h, size, w, size)
    want = np.stack([(fine == r).mean(axis=(2, 4)) for r in range(3)], axis=-1)
    assert found == pytest.approx(want.reshape(2, h * w, 3), abs=1e-12)
    assert found.sum(axis=-1) == pytest.approx(1, abs=1e-12)


def test_cover_counts_pixels_row_by_row():
    region_map = np.zeros((1, 4, 4), np.uint8)
    region_map[0, 0, 3] = 2
    found = regions.cover(region_map, 2, 2)
    assert found.shape == (1, 4, 10)
    assert found[0, 1].tolist() == [0.75, 0, 0.25] + [0] * 7
    assert found[0, [0, 2, 3], 0].tolist() == [1, 1, 1]


def test_cover_refuses_what_is_no_map():
    with pytest.raises(ShapeError, match="no such player"):
        regions.cover(np.full((1, 4, 4), 10, np.uint8), 2, 2)
    with pytest.raises(ShapeError, match="wrong shape"):
        regions.cover(np.zeros((4, 4), np.uint8), 2, 2)


# --- the table by construction ----------------------------------------------------------------


def make_head(rng, *, tau=4.0, grid=(3, 2)):
    return PatchHead(tau, 1.3, -0.4, rng.normal(-1, 1, grid).astype(np.float32))


def make_cover(rng, n, cells, region_map):
    weights = rng.random((n, cells, region_map)) * (rng.random((n, cells, region_map)) > 0.5) + 1e-9
    return weights / weights.sum(axis=-1, keepdims=True)


@settings(deadline=None, max_examples=30)
@given(st.integers(1, 6), SEED)
def test_patch_table_is_the_written_formula(n_players, seed):
    rng = np.random.default_rng(seed)
    head = make_head(rng)
    patches = rng.normal(0, 1, (2, 3, 2)).astype(np.float32)
    cover = make_cover(rng, 2, 6, n_players)
    v = regions.patch_table(patches, cover, head)
    ref = np.exp(head.tau * head.reference.astype(float).ravel())
    for m in range(2):
        own = np.exp(head.tau * patches[m].astype(float).ravel())
        for mask in range(1 << n_players):
            has = np.array([mask >> r & 1 for r in range(n_players)], bool)
            total = cover[m][:, has].T @ own, cover[m][:, ~has].T @ ref
            mean = (total[0].sum() + total[1].sum()) / 6
            assert v[m, mask] == pytest.approx(1.3 / 4 * np.log(mean) - 0.4, abs=1e-12)
    phi = regions.patch_shares(patches, cover, head)
    want = [by_permutations(v[m], n_players) for m in range(2)]
    assert phi == pytest.approx(np.array(want), abs=1e-9)


def test_the_ends_of_the_table_are_the_two_logits():
    rng = np.random.default_rng(4)
    head = make_head(rng, grid=(14, 14))
    patches = rng.normal(0, 3, (70, 14, 14)).astype(np.float32)
    cover = make_cover(rng, 70, 196, 10)
    v = regions.patch_table(patches, cover, head)
    assert v[:, -1] == pytest.approx(patch_logits(patches, head), abs=1e-12)
    assert v[:, 0] == pytest.approx(float(patch_logits(head.reference, head)), abs=1e-12)
    shares = regions.patch_shares(patches, cover, head)  # more frames than one chunk
    assert shares.sum(axis=1) == pytest.approx(v[:, -1] - v[:, 0], abs=1e-12)
    assert shares[69] == pytest.approx(regions.shapley(v[69]), abs=1e-14)


def test_extreme_patch_logits_stay_finite():
    """Evidence so far apart that its exponentials would under- and overflow."""
    head = PatchHead(4.0, 1.0, 0.0, np.zeros((2, 2), np.float32))
    patches = np.array([[[900, -900], [-900, -900]], [[-900, -900], [-900, -900]]], np.float32)
    cover = np.stack([np.eye(4)] * 2)
    v = regions.patch_table(patches, cover, head)
    assert np.isfinite(v).all()
    assert v[:, -1] == pytest.approx(patch_logits(patches, head), abs=1e-9)
    assert regions.shapley(v).sum(axis=1) == pytest.approx(v[:, -1] - v[:, 0], abs=1e-9)


def test_a_player_without_cells_or_evidence_gets_exactly_nothing():
    rng = np.random.default_rng(5)
    head = make_head(rng)
    patches = head.reference.copy()[None]
    patches[0, 0, 0] += 3
    cover = np.zeros((1, 6, 4))
    cover[0, 0, 0] = 1
    cover[0, 1:, 1] = cover[0, 1:, 2] = 0.5
    phi = regions.patch_shares(patches, cover, head)[0]
    assert phi[0] == pytest.approx(
        float(patch_logits(patches, head)[0] - patch_logits(head.reference, head))
    )
    assert phi[1:].tolist() == [0.0, 0.0, 0.0]


def test_patch_table_names_mistakes():
    rng = np.random.default_rng(6)
    head, patches = make_head(rng), np.zeros((1, 3, 2), np.float32)
    cover = make_cover(rng, 1, 6, 3)
    with pytest.raises(ShapeError, match="do not fit"):
        regions.patch_table(np.zeros((1, 2, 2), np.float32), cover, head)
    with pytest.raises(ShapeError, match="do not fit"):
        regions.patch_table(patches, cover[:, :5], head)
    with pytest.raises(ShapeError, match="partition"):
        regions.patch_table(patches, cover * 1.01, head)
    with pytest.raises(ShapeError, match="not finite"):
        regions.patch_table(np.full((1, 3, 2), np.nan, np.float32), cover, head)
