"""The attack on a network whose answer is plain: it falls where it looks, and nowhere else."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

from toolkit.evaluation.explanations.adversarial import (
    BUDGETS,
    Budget,
    attack,
    attack_all,
    ranked,
    summarise,
    superpixels,
)

SMALL = Budget(segments=16, top=1, steps=6, step=2.0, bound=8.0, pairs=4)


class LooksAtACorner(nn.Module):
    """Its logit is the mean brightness of the upper left quarter, in units of 10 levels."""

    def __init__(self, size):
        super().__init__()
        self.size = size
        self.unused = nn.Parameter(torch.zeros(1))
        self.seen = 0

    def forward(self, x):
        self.seen += len(x)
        half = self.size // 2
        return x[:, :, :half, :half].mean(dim=(1, 2, 3)) / 10, None


@pytest.fixture
def picture():
    return np.random.default_rng(0).integers(90, 110, (64, 64, 3)).astype(np.uint8)


def test_superpixels_follow_edges_and_leave_no_gap():
    rgb = np.full((96, 96, 3), 60, np.uint8)
    rgb[:, 37:] = 200
    labels = superpixels(rgb, 36)
    count = int(labels.max()) + 1
    assert np.unique(labels).tolist() == list(range(count))
    assert 25 <= count <= 45
    left, right = set(np.unique(labels[:, :37])), set(np.unique(labels[:, 37:]))
    assert not left & right
    assert (superpixels(rgb, 36) == labels).all()
    assert superpixels(np.zeros((32, 32, 3), np.uint8), 1).max() == 0


def test_only_what_may_change_is_attacked_and_within_its_bound(picture):
    net = LooksAtACorner(64)
    where = np.zeros((64, 64), bool)
    where[40:60, 40:60] = True  # it does not look there
    before = float(net(torch.from_numpy(picture.transpose(2, 0, 1)[None]).float())[0])
    assert attack(net, picture, where, SMALL, seed=0) == pytest.approx(before, abs=1e-5)
    where[:] = False
    where[:32, :32] = True
    net.seen = 0
    after = attack(net, picture, where, SMALL, seed=0)
    assert net.seen == SMALL.passes
    assert 0 < before - after <= SMALL.bound / 10 + 1e-5
    assert attack(net, picture, where, SMALL, seed=0) == after
    many = Budget(segments=16, steps=60, step=2.0, bound=8.0, pairs=4)
    assert before - attack(net, picture, where, many, seed=0) <= many.bound / 10 + 1e-5


def test_a_map_that_knows_falls_further_than_chance(picture):
    net = LooksAtACorner(64)
    truth = np.zeros((64, 64), bool)
    truth[:32, :32] = True
    heats = {"knows": truth.astype(float), "wrong": -truth.astype(float)}
    found = attack_all(net, picture, heats, truth, SMALL, seed=0)
    drop = {k: found["before"] - v for k, v in found["after"].items()}
    assert drop["knows"] == drop["control.oracle"] > 0
    assert drop["wrong"] == pytest.approx(0, abs=1e-5)
    assert drop["knows"] > drop["control.random"]
    rows = [{"scene": "a", "attack": found}, {"scene": "b", "attack": None}, {"scene": "c"}]
    told = summarise(rows, ["knows"], threshold=found["after"]["knows"] + 1e-3, seed=0)
    assert (told["faces"], told["not_called_forged"]) == (1, 1)
    assert told["methods"]["knows"]["flipped"]["mean"] == 1
    assert told["methods"]["knows"]["lift_random"]["mean"] > 0


def test_segments_are_ranked_by_their_mean():
    segments = np.array([[0, 0, 1], [2, 2, 1]])
    assert ranked(np.array([[1.0, 1, 0], [9, -9, 4]]), segments) == [1, 0, 2]


def test_the_full_budget_has_the_published_numbers():
    full = BUDGETS["full"]
    assert (full.segments, full.top, full.steps, full.pairs, full.random_draws) == (
        50,
        3,
        50,
        40,
        20,
    )
    assert full.passes == 4001
