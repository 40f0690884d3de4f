"""Detectors whose true explanation is known in closed form.

They look at pixels: the energy of a region is the mean high-pass energy of its cells, and a
forgery adds a checkerboard there. A method that fails here is wrong beyond dispute.
"""

import numpy as np
import pytest

from tests.explain.planted import LAYOUT, LEFT_EYE, MOUTH, PLAYER_MAP, RIGHT_EYE, SIZE, TILE
from toolkit.explain import regions
from toolkit.explain.frames import topk_shares
from toolkit.explain.ledger import explain, frame_logits, heat
from toolkit.types import REGIONS, Aggregate, Evidence, PatchHead
from toolkit.verdict.aggregate import aggregate, patch_logits, rule_for

GRID = len(LAYOUT)
BACKGROUND = REGIONS.index("background")
CHECKER = np.where(np.indices((SIZE, SIZE)).sum(axis=0) % 2, 1, -1)


def plain_clip(n, seed=0):
    """Return n grey crops with a slow gradient and no energy that the detectors look for."""
    level = np.random.default_rng(seed).integers(80, 160, (n, 1, 1, 1))
    return np.broadcast_to(level, (n, SIZE, SIZE, 3)).astype(np.uint8)


def forge(clip, moments, region_map, strength=20):
    """Add a checkerboard to the given players in the given moments."""
    out = clip.astype(int)
    mark = np.isin(PLAYER_MAP, region_map) * CHECKER * strength
    out[moments] += mark[None, ..., None]
    return out.astype(np.uint8)


def high_pass(clip):
    """Return the squared difference of each pixel to its 2 x 2 block: (N, S, S)."""
    grey = clip.astype(float).mean(axis=-1)
    blocks = grey.reshape(len(clip), SIZE // 2, 2, SIZE // 2, 2).mean(axis=(2, 4))
    return ((grey - blocks.repeat(2, 1).repeat(2, 2)) / 10) ** 2


def energy(clip, player):
    return high_pass(clip)[:, player == PLAYER_MAP].mean(axis=1)


def tiles(clip):
    return high_pass(clip).reshape(len(clip), GRID, TILE, GRID, TILE).mean(axis=(2, 4))


def patch_detector(clip, *, reads=None, tau=1.0):
    """Score like a patch-additive net: patch logit = energy of the cell - 2, where it reads."""
    seen = tiles(clip) if reads is None else tiles(clip) * np.isin(LAYOUT, reads)
    head = PatchHead(tau, 1.0, 0.0, np.full((GRID, GRID), -2, np.float32))
    patches = (seen - 2).astype(np.float32)
    logits = patch_logits(patches, head).astype(np.float32)
    return Evidence(logits, np.stack([np.arange(len(clip))] * 2, axis=1), patches, head)


def ledger_of(evidence, *, step=0.25, threshold=-1.0, rule=None):
    n = len(evidence.logits)
    return explain(
        evidence,
        np.arange(n) * step,
        np.zeros(n, np.int64),
        np.broadcast_to(PLAYER_MAP, (n, SIZE, SIZE)),
        threshold=threshold,
        rule=rule or rule_for(n),
    )


# --- the ledger of patch detectors -----------------------------------------------------------


@pytest.mark.parametrize("player", range(10))
def test_evidence_in_one_region_and_interval_is_found_there_alone(player):
    """Region r in moments 6..15 of 24: everything there, exactly 0 everywhere else."""
    forged = slice(6, 16)
    evidence = patch_detector(forge(plain_clip(24), forged, [player]))
    told = ledger_of(evidence, rule=Aggregate("mean", 24))
    assert told.reference_valid
    others = np.delete(np.arange(10), player)
    assert np.abs(told.shares[:, others]).max() <= 1e-12
    assert np.abs(np.delete(told.frame_shares, np.r_[forged])).max() <= 1e-12
    x = frame_logits(evidence)
    assert told.shares[forged, player] == pytest.approx((x[forged] + 2) / 24, abs=1e-12)
    assert told.region_shares.argmax() == player


def test_the_interval_is_the_planted_one_on_the_sampling_grid():
    """Temporal IoU 1.0: boundaries lie halfway to the moments beside the forgery."""
    for step in (0.04, 0.25, 1.5):
        evidence = patch_detector(forge(plain_clip(24), slice(6, 16), [MOUTH]))
        (found,) = ledger_of(evidence, step=step).intervals
        assert found.start_s == pytest.approx(5.5 * step)
        assert found.end_s == pytest.approx(15.5 * step)
        assert found.share == pytest.approx(1.0)


def test_a_clip_forged_for_a_part_is_forged_and_its_share_lies_in_that_part():
    evidence = patch_detector(forge(plain_clip(40), slice(10, 22), [MOUTH]))
    told = ledger_of(evidence)  # top 10 of 40
    assert aggregate(frame_logits(evidence), rule_for(40)) > -1 > told.reference_logit
    assert np.abs(np.delete(told.frame_shares, np.r_[10:22])).max() <= 1e-12
    assert told.frame_shares[10:22] == pytest.approx(np.ptp(frame_logits(evidence)) / 12)
    assert told.shares[:, MOUTH].sum() == pytest.approx(told.frame_shares.sum(), abs=1e-12)


def test_two_equal_regions_share_equally():
    """Both eyes, same size, same strength: the credit is split one to one."""
    told = ledger_of(patch_detector(forge(plain_clip(12), slice(0, 12), [LEFT_EYE, RIGHT_EYE])))
    left, right = told.region_shares[[LEFT_EYE, RIGHT_EYE]]
    assert left == pytest.approx(right, abs=1e-12)
    assert left + right == pytest.approx(told.frame_shares.sum(), abs=1e-12)


def test_two_regions_follow_the_logarithm():
    """Log-mean-exp is concave: two players get the mean of their first and second gain."""
    clip = forge(forge(plain_clip(1), slice(0, 1), [MOUTH], 20), slice(0, 1), [LEFT_EYE], 30)
    evidence = patch_detector(clip)
    told = ledger_of(evidence, rule=Aggregate("mean", 1))
    cells = (LAYOUT == MOUTH, LAYOUT == LEFT_EYE)

    def logit(mouth, eye):
        patches = np.where(cells[0] & mouth, 4.0 - 2, -2.0)
        return np.log(np.exp(np.where(cells[1] & eye, 9.0 - 2, patches)).mean())

    mouth = (logit(1, 0) - logit(0, 0) + logit(1, 1) - logit(0, 1)) / 2
    eye = (logit(0, 1) - logit(0, 0) + logit(1, 1) - logit(1, 0)) / 2
    assert told.shares[0, MOUTH] == pytest.approx(mouth, abs=1e-9)
    assert told.shares[0, LEFT_EYE] == pytest.approx(eye, abs=1e-9)


def test_a_detector_that_reads_the_background_is_shown_to():
    """The face is forged, the detector looks elsewhere: all on the background."""
    clip = forge(plain_clip(12), slice(0, 12), [MOUTH, BACKGROUND])
    told = ledger_of(patch_detector(clip, reads=[BACKGROUND]))
    assert np.abs(told.shares[:, :BACKGROUND]).max() <= 1e-12
    assert told.shares[:, BACKGROUND].sum() == pytest.approx(told.frame_shares.sum(), abs=1e-12)


def test_a_decoy_gets_nothing():
    """A brightness shift of a region is no evidence to this detector, whatever it looks like."""
    clip = forge(plain_clip(12), slice(0, 12), [MOUTH]).astype(int)
    clip[:, PLAYER_MAP == LEFT_EYE] += 40
    told = ledger_of(patch_detector(clip.astype(np.uint8)))
    assert told.region_shares[LEFT_EYE] == 0
    assert told.region_shares.argmax() == MOUTH


def test_a_clip_forged_nowhere_names_no_region_and_no_time():
    told = ledger_of(patch_detector(plain_clip(24)))
    assert np.abs(told.shares).max() <= 1e-12
    assert told.intervals == ()


def test_maximum_over_frames_with_one_spike():
    clip = forge(plain_clip(20), slice(7, 8), [MOUTH])
    evidence = patch_detector(clip)
    told = ledger_of(evidence, rule=Aggregate("top_k", 1))
    x = frame_logits(evidence)
    assert told.frame_shares == pytest.approx(topk_shares(x, told.reference_logit, 1), abs=1e-12)
    assert told.frame_shares[7] == pytest.approx(x[7] + 2, abs=1e-12)
    assert np.abs(np.delete(told.frame_shares, 7)).max() <= 1e-12
    (found,) = told.intervals
    assert (found.start_s, found.end_s) == (6.5 / 4, 7.5 / 4)


def test_heat_shows_the_planted_cells():
    evidence = patch_detector(forge(plain_clip(3), slice(0, 3), [MOUTH]))
    cells = heat(evidence, 1)
    assert cells[LAYOUT == MOUTH] == pytest.approx(0.5, abs=1e-6)
    assert np.abs(cells[LAYOUT != MOUTH]).max() <= 1e-7


# --- games on replaced pixels ----------------------------------------------------------------


def table(detector, crop, reference):
    """Fill the table of the region game by replacing players with the reference picture."""
    masks = np.arange(1 << 10)
    keep = (masks[:, None] >> np.arange(10) & 1).astype(bool)[:, PLAYER_MAP]
    return detector(np.where(keep[..., None], crop, reference))


@pytest.fixture(scope="module")
def pictures():
    """Return a crop forged in mouth and left eye, and a reference with some energy of its own."""
    one = slice(0, 1)
    crop = forge(forge(plain_clip(1), one, [MOUTH], 20), one, [LEFT_EYE], 30)
    reference = forge(plain_clip(1), one, [MOUTH, LEFT_EYE], 10)
    return crop, reference


def energies(pictures):
    crop, reference = pictures
    return [(float(energy(crop, p)[0]), float(energy(reference, p)[0])) for p in (MOUTH, LEFT_EYE)]


def others_are_zero(phi):
    return np.abs(np.delete(phi, [MOUTH, LEFT_EYE])).max() <= 1e-12


def test_planted_one_region(pictures):
    (e, e0), _ = energies(pictures)
    v = table(lambda clip: 1.5 * energy(clip, MOUTH) - 3, *pictures)
    phi = regions.shapley(v)
    assert phi[MOUTH] == pytest.approx(1.5 * (e - e0), abs=1e-12)
    assert np.abs(np.delete(phi, MOUTH)).max() <= 1e-12
    assert regions.additivity(v) == pytest.approx(1)
    assert regions.flip_sets(v, 1.0)[0].players == (MOUTH,)


def test_planted_sum_keeps_scale_and_sign(pictures):
    (e1, r1), (e2, r2) = energies(pictures)
    v = table(lambda clip: 2 * energy(clip, MOUTH) - 0.5 * energy(clip, LEFT_EYE), *pictures)
    phi = regions.shapley(v)
    assert phi[MOUTH] == pytest.approx(2 * (e1 - r1), abs=1e-12)
    assert phi[LEFT_EYE] == pytest.approx(-0.5 * (e2 - r2), abs=1e-12)
    assert others_are_zero(phi)
    assert np.abs(regions.interactions(v)).max() <= 1e-12


def test_planted_and(pictures):
    (e1, r1), (e2, r2) = energies(pictures)
    v = table(lambda clip: energy(clip, MOUTH) * energy(clip, LEFT_EYE), *pictures)
    phi = regions.shapley(v)
    assert phi[MOUTH] == pytest.approx((e1 - r1) * (e2 + r2) / 2, abs=1e-12)
    assert phi[LEFT_EYE] == pytest.approx((e2 - r2) * (e1 + r1) / 2, abs=1e-12)
    assert others_are_zero(phi)
    pair = regions.interactions(v)[MOUTH, LEFT_EYE]
    assert pair == pytest.approx((e1 - r1) * (e2 - r2), abs=1e-12)
    assert pair > 0


def test_planted_and_on_a_clean_reference_hides_from_keep_one_in(pictures):
    crop = pictures[0]
    v = table(lambda clip: energy(clip, MOUTH) * energy(clip, LEFT_EYE), crop, plain_clip(1))
    assert np.abs(v[1 << np.arange(10)] - v[0]).max() == 0
    assert regions.shapley(v)[MOUTH] == pytest.approx(v[-1] / 2, abs=1e-12)
    assert {f.players for f in regions.flip_sets(v, v[-1] / 2)} == {(MOUTH,), (LEFT_EYE,)}


def test_planted_or_hides_from_leave_one_out():
    crop = forge(plain_clip(1), slice(0, 1), [LEFT_EYE, RIGHT_EYE])
    v = table(
        lambda clip: np.maximum(energy(clip, LEFT_EYE), energy(clip, RIGHT_EYE)),
        crop,
        plain_clip(1),
    )
    e = float(energy(crop, LEFT_EYE)[0])
    phi = regions.shapley(v)
    assert phi[[LEFT_EYE, RIGHT_EYE]] == pytest.approx([e / 2, e / 2], abs=1e-12)
    assert np.abs(regions.leave_one_out(v)).max() == 0
    assert regions.interactions(v)[LEFT_EYE, RIGHT_EYE] == pytest.approx(-e, abs=1e-12)
    (flip,) = regions.flip_sets(v, e / 2)
    assert flip.players == (LEFT_EYE, RIGHT_EYE)


def test_planted_background():
    crop = forge(plain_clip(1), slice(0, 1), list(range(10)))
    v = table(lambda clip: 3 * energy(clip, BACKGROUND) + 1, crop, plain_clip(1))
    phi = regions.shapley(v)
    assert phi[BACKGROUND] == pytest.approx(3 * energy(crop, BACKGROUND)[0], abs=1e-12)
    assert not phi[:BACKGROUND].any()


def test_the_two_witnesses_agree_on_a_detector_that_is_local():
    """Replaced regions and patch logits give one table when a cell reads only itself."""
    one = slice(0, 1)
    crop = forge(forge(plain_clip(1), one, [MOUTH], 15), one, [LEFT_EYE], 25)
    evidence = patch_detector(crop)
    intrinsic = regions.patch_table(
        evidence.patches, regions.cover(PLAYER_MAP[None], GRID, GRID), evidence.head
    )[0]
    perturbation = table(lambda clip: frame_logits(patch_detector(clip)), crop, plain_clip(1))
    assert intrinsic == pytest.approx(perturbation, abs=1e-6)
