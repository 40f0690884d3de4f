"""Replacing regions: detectors with a known answer, brute force, sampling against exact."""

from __future__ import annotations

from itertools import permutations

import numpy as np
import pytest

from tests.explain import planted
from toolkit.errors import Cancelled, DetectorError, UsageError
from toolkit.explain import perturbation, regions
from toolkit.explain.bands import band_shares, split
from toolkit.explain.perturbation import (
    Compositor,
    Game,
    agreement,
    antithetic,
    exact,
    leave_one_out,
    permutation_pairs,
    ranks,
    replace_regions,
)
from toolkit.runtime import BATCH
from toolkit.types import PLAYERS

MOUTH, LEFT_EYE, RIGHT_EYE = planted.MOUTH, planted.LEFT_EYE, planted.RIGHT_EYE


def game_of(function, *, crop=None, reference=None, **options):
    crop = planted.plain(150) if crop is None else crop
    detector = planted.Planted(function, threshold=5.0)
    reference = planted.plain(100) if reference is None else reference
    return Game(detector, planted.crops_of(crop[None]), 0, reference, **options), detector


def noisy(seed):
    return (
        np.random.default_rng(seed).integers(60, 190, (planted.SIZE,) * 2 + (3,)).astype(np.uint8)
    )


def mixed(rgb):
    """Return a logit with sums, products and a maximum of regions."""
    a, b, c, d = (planted.brightness(p)(rgb) for p in (0, 1, 4, 9))
    return a + 0.3 * a * b - c + np.maximum(b, d)


# --- the compositor


def test_all_and_none_are_the_two_pictures_and_masks_sum_to_one():
    crop, reference = noisy(1), noisy(2)
    made = Compositor(crop, reference, planted.PLAYER_MAP).pictures([1023, 0])
    assert (made[0] == crop).all()
    assert (made[1] == reference).all()
    same = Compositor(crop, crop, planted.PLAYER_MAP).pictures(range(0, 1024, 37))
    assert (same == crop).all()  # mixing equal pictures leaves no seam


def test_only_the_replaced_region_changes():
    crop, reference = noisy(1), noisy(2)
    made = Compositor(crop, reference, planted.PLAYER_MAP, feather=0).pictures([1023 ^ 1 << MOUTH])
    inside = planted.PLAYER_MAP == MOUTH
    assert (made[0][inside] == reference[inside]).all()
    assert (made[0][~inside] == crop[~inside]).all()


# --- planted detectors


@pytest.mark.parametrize("player", range(10))
def test_one_region_is_recovered(player):
    game, _ = game_of(planted.brightness(player))
    found = exact(game)
    assert found.shares[player] == pytest.approx(5.0, abs=1e-5)
    assert np.abs(np.delete(found.shares, player)).max() <= 1e-6
    assert found.residual == pytest.approx(0, abs=1e-9)


def test_sum_keeps_scale_and_sign():
    def function(rgb):
        return 2 * planted.brightness(MOUTH)(rgb) - planted.brightness(LEFT_EYE)(rgb)

    found = antithetic(game_of(function)[0])
    assert found.shares[[MOUTH, LEFT_EYE]] == pytest.approx([10, -5], abs=1e-4)
    assert found.error.max() <= 1e-6  # nothing to sample where players only add
    assert np.abs(np.delete(found.shares, [MOUTH, LEFT_EYE])).max() <= 1e-6


def test_or_hides_from_leave_one_out_but_not_from_shares():
    def function(rgb):
        eyes = (planted.brightness(p)(rgb) for p in (LEFT_EYE, RIGHT_EYE))
        return np.maximum(*eyes) - 5

    game, _ = game_of(function)
    assert np.abs(leave_one_out(game)).max() == 0
    found = exact(game)
    assert found.shares[[LEFT_EYE, RIGHT_EYE]] == pytest.approx([2.5, 2.5], abs=1e-5)
    (flip,) = found.flip_sets(7.5)
    assert flip.players == (LEFT_EYE, RIGHT_EYE)


# --- exact and sampled


def test_exact_is_brute_force():
    """All orders of five players that matter; the other five change nothing."""

    def function(rgb):
        p = [planted.brightness(i)(rgb) for i in range(5)]
        return p[0] * p[1] / 10 + np.maximum(p[2], p[3]) - p[4] ** 2 / 20

    crop = noisy(3)
    game, _ = game_of(function, crop=crop, reference=noisy(4))
    found = exact(game)
    rest = 0b1111100000
    total = np.zeros(5)
    for order in permutations(range(5)):
        mask, before = rest, found.table[rest]
        for i in order:
            mask |= 1 << i
            total[i] += found.table[mask] - before
            before = found.table[mask]
    assert found.shares[:5] == pytest.approx(total / 120, abs=1e-9)
    assert np.abs(found.shares[5:]).max() <= 1e-9
    assert found.shares.sum() == pytest.approx(found.logit - found.reference_logit, abs=1e-9)
    assert found.passes == 1024


def test_sampling_adds_up_and_converges_to_exact():
    game, _ = game_of(mixed, crop=noisy(5), reference=noisy(6))
    truth = exact(game)
    size = abs(truth.shares).sum()
    errors = []
    for pairs in (2, 5, 80):
        fresh, _ = game_of(mixed, crop=noisy(5), reference=noisy(6))
        found = antithetic(fresh, pairs=pairs, seed=1)
        assert found.residual == pytest.approx(0, abs=1e-9)
        errors.append(np.abs(found.shares - truth.shares).max() / size)
    assert errors[1] <= 0.02
    assert errors[2] <= 0.003
    assert np.all(np.abs(found.shares - truth.shares) <= 5 * found.error + 1e-6)


def test_walking_back_makes_pairs_of_players_exact():
    """What two players do together goes to the later one: once to each, forwards and backwards."""

    def function(rgb):
        a, b, c = (planted.brightness(p)(rgb) for p in (0, 3, 7))
        return a * b - 0.5 * b * c + c

    found = antithetic(game_of(function)[0], pairs=2)
    truth = exact(game_of(function)[0])
    assert found.shares == pytest.approx(truth.shares, abs=1e-4)
    assert found.error.max() <= 1e-4


def test_five_pairs_cost_at_most_92_passes_and_put_everyone_everywhere():
    game, detector = game_of(mixed, crop=noisy(5))
    found = antithetic(game)
    assert found.passes == sum(detector.calls) == game.passes <= 92
    assert max(detector.calls) <= 8
    orders = permutation_pairs(10, 5, seed=3)
    places = np.argsort(np.concatenate([orders, orders[:, ::-1]]), axis=1)
    assert (np.sort(places, axis=0) == np.arange(10)[:, None]).all()
    assert antithetic(game).passes == 0  # everything is remembered


def test_the_same_seed_gives_the_same_numbers():
    runs = [antithetic(game_of(mixed, crop=noisy(5))[0], seed=s).shares for s in (4, 4, 5)]
    assert (runs[0] == runs[1]).all()
    assert (runs[0] != runs[2]).any()


def test_an_absent_player_costs_nothing():
    detector = planted.Planted(mixed)
    crops = planted.crops_of(noisy(5)[None])
    crops.players[crops.players == 4] = 9
    found = exact(Game(detector, crops, 0, planted.plain()))
    assert found.shares[4] == 0
    assert found.passes == sum(detector.calls) == 512


def test_telling_sets_come_first():
    game, _ = game_of(mixed, crop=noisy(5), batch=22)
    with pytest.raises(Cancelled):
        exact(game, tick=cancel_after(1))
    assert game.passes == 22  # none, all, every single and every all-but-one
    leave_one_out(game)
    assert game.passes == 22


def cancel_after(calls):
    seen = []

    def tick(stage, done, total):
        seen.append(stage)
        if len(seen) > calls:
            raise Cancelled

    return tick


@pytest.mark.parametrize("run", [exact, antithetic, leave_one_out])
def test_a_cancel_acts_within_one_batch(run):
    game, detector = game_of(mixed, crop=noisy(5))
    with pytest.raises(Cancelled):
        run(game, tick=cancel_after(1))
    assert detector.calls == [BATCH["cpu"]]


def test_a_share_is_spread_where_its_region_was_replaced():
    crop = noisy(8)
    reference = crop.copy()
    mouth, eye, nose = (p == planted.PLAYER_MAP for p in (MOUTH, LEFT_EYE, 3))
    y, x = np.argwhere(mouth).min(axis=0)
    reference[y + 1, x + 5] += 60
    reference[nose] = crop[nose] // 2  # the eye stays as it is
    shares = np.random.default_rng(7).normal(size=10)
    for feather in (0.01, 0):
        game, _ = game_of(mixed, crop=crop, reference=reference, feather=feather)
        heat = game.heat(shares)
        sums = np.bincount(planted.PLAYER_MAP.ravel(), heat.ravel(), minlength=10)
        assert sums == pytest.approx(shares, abs=1e-12)
        where = np.abs(heat) * mouth
        assert np.unravel_index(where.argmax(), where.shape) == (y + 1, x + 5)
    assert np.ptp(heat[eye]) == 0
    others = mouth.copy()
    others[y + 1, x + 5] = False
    assert heat[y + 1, x + 5] / heat[others] == pytest.approx(61)  # 60 levels, and one everywhere


def test_a_small_difference_beside_a_large_one_is_no_peak():
    crop, reference = noisy(8), noisy(8)
    reference[planted.PLAYER_MAP == MOUTH] += 60
    game, _ = game_of(mixed, crop=crop, reference=reference)
    shares = np.zeros(10)
    shares[[MOUTH, 3]] = 3.0, 0.1  # the soft border leaks into the nose
    heat = game.heat(shares)
    assert planted.PLAYER_MAP.ravel()[heat.argmax()] == MOUTH


def test_what_cannot_be_answered_is_refused():
    game, _ = game_of(mixed)
    with pytest.raises(UsageError, match="error bar"):
        antithetic(game, pairs=1)
    with pytest.raises(UsageError, match="exact table"):
        antithetic(game).flip_sets(0)
    with pytest.raises(UsageError, match="unknown region"):
        replace_regions(game, ["ear"])
    temporal = planted.Planted(lambda rgb: rgb.mean(axis=(1, 2, 3))[:1])  # one logit per clip
    with pytest.raises(DetectorError, match="single crops"):
        exact(Game(temporal, planted.crops_of(noisy(1)[None]), 0, noisy(2)))


def test_replacing_regions_shows_the_picture_and_what_it_scores():
    game, _ = game_of(planted.brightness(MOUTH))
    made = replace_regions(game, ["left_eye", "mouth"])
    assert made.replaced == ("mouth", "left_eye")
    assert made.change == pytest.approx(-5, abs=1e-5)
    core = planted.CORE & np.isin(planted.PLAYER_MAP, [MOUTH, LEFT_EYE])
    assert (made.rgb[core] == 100).all()
    assert replace_regions(game, []).change == 0


# --- two witnesses


def test_agreement_is_about_where_not_how_much():
    a = np.array([4.0, 1, 0, -1])
    assert agreement(a, 3 * a) == perturbation.Agreement(
        True, (0, 0), pytest.approx(1), pytest.approx(1), pytest.approx(0)
    )
    other = agreement(a, a[::-1])
    assert not other.same_top
    assert other.half_l1 == pytest.approx((5 + 1 + 1 + 5) / 6 / 2)
    assert agreement(a, np.zeros(4)).pearson == 0
    assert ranks(np.array([2.0, 2, 1])).tolist() == [1.5, 1.5, 0]


# --- bands


def test_bands_add_up_and_find_their_own():
    crop, reference = noisy(7), planted.plain()
    gap = crop.astype(np.float32) - reference
    assert np.abs(split(gap).sum(axis=0) - gap).max() <= 1e-4

    def fine(rgb):
        return np.abs(np.diff(rgb, axis=1)).mean(axis=(1, 2, 3)) / 10

    detector = planted.Planted(fine)
    found = band_shares(detector, planted.crops_of(crop[None]), 0, reference)
    assert found.residual == pytest.approx(0, abs=1e-9)
    assert found.shares.argmax() == 0
    assert sum(detector.calls) == 64
    assert (np.diff(found.edges) < 0).all()

    coarse = planted.Planted(lambda rgb: rgb.mean(axis=(1, 2, 3)) / 10)
    smooth = planted.plain(150)
    shares = band_shares(coarse, planted.crops_of(smooth[None]), 0, reference).shares
    assert shares[-1] == pytest.approx(5, abs=1e-3)
    assert np.abs(shares[:-1]).max() <= 1e-3
    with pytest.raises(Cancelled):
        band_shares(coarse, planted.crops_of(smooth[None]), 0, reference, tick=cancel_after(1))


def test_players_are_the_games_players():
    game, _ = game_of(mixed)
    assert game.n_players == len(PLAYERS)
    assert regions.players_of(exact(game).table) == 10
