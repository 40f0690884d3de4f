"""Maps that only look right stay as they are when the network forgets; others change."""

from __future__ import annotations

import numpy as np
import torch
from torch import nn

from tests.explain.planted import PLAYER_MAP, SIZE
from toolkit.explain.lookalikes import NAMES, edges, look_alike


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        with torch.random.fork_rng():
            torch.manual_seed(3)
            self.body = nn.Sequential(nn.Conv2d(3, 8, 3, stride=2, padding=1), nn.ReLU())
            self.more = nn.Sequential(nn.Conv2d(8, 8, 3, stride=2, padding=1), nn.ReLU())
            self.head = nn.Conv2d(8, 1, 1)
        self.eval()

    def forward(self, x):
        patches = self.head(self.more(self.body(x / 255 - 0.5)))[:, 0]
        return patches.mean((1, 2)), patches


def test_edges_and_the_middle_fail_the_check_and_the_patches_hold():
    crop = np.random.default_rng(0).integers(0, 256, (SIZE, SIZE, 3)).astype(np.uint8)
    net = Net()
    before = {k: v.clone() for k, v in net.state_dict().items()}
    found = {one.name: one for one in look_alike(net, crop, PLAYER_MAP)}
    assert tuple(found) == NAMES
    for one in found.values():
        assert one.heat.shape == (SIZE, SIZE)
        assert 0 <= one.alike <= 1 + 1e-9
        assert one.mass.sum() == 0 or abs(one.mass.sum() - 1) < 1e-9
    assert not found["edges"].holds
    assert not found["centre"].holds
    assert found["patches"].holds
    assert found["edges"].alike == found["centre"].alike == 1
    assert all((before[k] == v).all() for k, v in net.state_dict().items())
    again = look_alike(net, crop, PLAYER_MAP)
    assert [one.alike for one in again] == [one.alike for one in found.values()]


def test_edges_lie_on_edges():
    crop = np.zeros((SIZE, SIZE, 3), np.uint8)
    crop[:, SIZE // 2 :] = 200
    found = edges(crop)
    assert found.shape == (SIZE, SIZE)
    assert abs(int(found.mean(axis=0).argmax()) - SIZE // 2) <= 1
    assert found[:, :8].max() < 1e-6 * found.max()
