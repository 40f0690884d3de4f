"""Captum's methods: right for a linear network, refused where wrong, repeatable, cancellable."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

from toolkit.errors import Cancelled, DetectorError, ShapeError, UsageError
from toolkit.explain import pixels
from toolkit.explain.pixels import METHODS, attribute, refusal
from toolkit.types import PLAYERS

SIZE = 20
PLAYER_MAP = np.arange(10, dtype=np.uint8).repeat(2)[:, None].repeat(SIZE, 1)
RNG = np.random.default_rng(0)
CROP = RNG.integers(0, 256, (SIZE, SIZE, 3)).astype(np.uint8)
REFERENCE = RNG.integers(0, 256, (SIZE, SIZE, 3)).astype(np.uint8)


class Linear(nn.Module):
    """A logit that is linear in the pixels: every complete method must give weight times gap."""

    def __init__(self):
        super().__init__()
        self.weight = nn.Parameter(torch.randn(3, SIZE, SIZE, generator=seeded()) / 500)

    def forward(self, x):
        return (x * self.weight).sum((1, 2, 3)) + 0.3, x[:, :1]


class Small(nn.Module):
    """A network with an activation of choice and a map for Grad-CAM."""

    def __init__(self, activation=nn.ReLU6):
        super().__init__()
        with torch.random.fork_rng():
            torch.manual_seed(1)
            self.body = nn.Sequential(nn.Conv2d(3, 4, 3, padding=1), activation())
            self.head = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, 1))
        self.eval()

    def forward(self, x):
        return self.head(self.body(x / 255 - 0.5))[:, 0]


def seeded():
    return torch.Generator().manual_seed(0)


def run(net, method, **options):
    options = {"players": PLAYER_MAP, "reference": REFERENCE} | options
    return attribute(net, CROP, method, **options)


@pytest.mark.parametrize("method", sorted(pixels.COMPLETE - {"deep_lift"}))
def test_complete_methods_are_exact_for_a_linear_network(method):
    net = Linear()
    found = run(net, method)
    gap = (CROP.astype(float) - REFERENCE).transpose(2, 0, 1)
    heat = (net.weight.detach().double().numpy() * gap).sum(axis=0)
    truth = pixels.region_sums(heat, PLAYER_MAP)
    assert found.regions == pytest.approx(truth, abs=2e-3)
    assert abs(found.completeness) <= 1e-3
    assert found.logit - found.reference_logit == pytest.approx(truth.sum(), abs=1e-3)
    if method == "integrated_gradients":
        assert found.heat == pytest.approx(heat, abs=1e-4)


def test_ablation_is_leave_one_out():
    net = Linear()
    exact = run(net, "integrated_gradients").regions
    found = run(net, "feature_ablation")
    assert found.regions == pytest.approx(exact, abs=2e-3)
    assert found.completeness is None
    assert found.passes == len(PLAYERS) + 3  # crop and reference for the record, crop for Captum


@pytest.mark.parametrize("method", METHODS)
def test_every_offered_method_runs_repeats_and_leaves_the_generators_alone(method):
    net = Small()
    options = {"samples": 30, "permutations": 3, "steps": 8, "draws": 5}
    torch.manual_seed(3)
    before = torch.random.get_rng_state(), np.random.get_state()[1].copy()  # noqa: NPY002
    first, second = (run(net, method, settings=options, seed=7) for _ in range(2))
    assert (first.heat == second.heat).all()
    assert first.heat.shape == (SIZE, SIZE)
    assert np.isfinite(first.heat).all()
    assert first.heat.any()
    assert first.regions.sum() == pytest.approx(first.heat.sum())
    assert (torch.random.get_rng_state() == before[0]).all()
    assert (np.random.get_state()[1] == before[1]).all()  # noqa: NPY002
    assert first.passes > 0


def test_players_that_are_not_there_get_nothing():
    players = np.where(PLAYER_MAP == 4, 5, PLAYER_MAP).astype(np.uint8)
    found = run(Linear(), "feature_ablation", players=players)
    assert found.regions[4] == 0
    assert found.passes == len(PLAYERS) + 2


@pytest.mark.parametrize("activation", [nn.ReLU6, nn.SiLU, nn.Hardswish, nn.GELU])
@pytest.mark.parametrize("method", ["deep_lift", "guided_backprop", "guided_grad_cam"])
def test_methods_without_a_rule_are_refused_with_the_reason(method, activation):
    net = Small(activation)
    assert activation.__name__ in str(refusal(net, method))
    with pytest.raises(DetectorError, match=activation.__name__):
        run(net, method)
    assert all(refusal(net, m) is None for m in METHODS)


@pytest.mark.parametrize("method", ["deep_lift", "guided_backprop", "guided_grad_cam"])
def test_they_run_where_they_are_right(method):
    found = run(Small(nn.ReLU), method)
    assert found.heat.any()
    if method == "deep_lift":
        assert abs(found.completeness) <= 1e-3


def test_the_bundled_network_is_refused_them():
    from toolkit.detectors.seamnet_small import SeamNet

    assert "ReLU6" in str(refusal(SeamNet(), "deep_lift"))
    assert refusal(SeamNet(), "integrated_gradients") is None


@pytest.mark.parametrize("method", METHODS[:3] + METHODS[4:])
def test_a_cancel_acts_within_one_batch(method):
    calls = []

    def tick(stage, done, total):
        calls.append(done)
        if len(calls) > 2:
            raise Cancelled

    net, seen = Small(), []
    net.register_forward_hook(lambda _m, inputs, _out: seen.append(len(inputs[0])))
    with pytest.raises(Cancelled):
        run(net, method, tick=tick, batch=4)
    assert len(seen) <= 2
    assert max(seen) <= 4


def test_grad_cam_uses_the_last_map():
    net = Small()
    assert pixels.last_map(net, torch.zeros(1, 3, SIZE, SIZE)) is net.body
    with pytest.raises(DetectorError, match="map"):
        run(nn.Sequential(nn.Flatten(), nn.Linear(3 * SIZE * SIZE, 1), nn.Flatten(0)), "grad_cam")


def test_wrong_calls_are_refused():
    with pytest.raises(UsageError, match="unknown method"):
        run(Small(), "lime")
    with pytest.raises(UsageError, match="reference"):
        run(Small(), "occlusion", reference=None)
    with pytest.raises(ShapeError):
        run(Small(), "smooth_grad", players=PLAYER_MAP[:5])
    assert run(Small(), "smooth_grad", reference=None).reference_logit is None
