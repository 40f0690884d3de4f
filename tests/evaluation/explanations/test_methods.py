"""All methods on one face, each picture judged once."""

from __future__ import annotations

import dataclasses
from collections import Counter

import numpy as np
import pytest
import torch

from toolkit.errors import UsageError
from toolkit.evaluation.explanations.methods import (
    WITNESSES,
    Explainer,
    OnceDetector,
    OnceNetwork,
    method_keys,
)
from toolkit.types import PLAYERS, FaceCrops


@pytest.fixture
def crops():
    """Return four made-up faces; in the last one the mouth is red."""
    rng = np.random.default_rng(0)
    rgb = rng.integers(90, 130, (4, 224, 224, 3)).astype(np.uint8)
    players = np.full((4, 224, 224), PLAYERS.index("background"), np.uint8)
    players[:, 128:176, 80:144] = PLAYERS.index("mouth")
    players[:, 64:96, 48:96] = PLAYERS.index("right_eye")
    rgb[3, 144:160, 100:124] = 250, 20, 20
    mesh = np.broadcast_to(rng.uniform(40, 180, (478, 3)).astype(np.float32), (4, 478, 3))
    eye = np.broadcast_to(np.eye(2, 3), (4, 2, 3)).copy()
    plain = (np.full(4, v) for v in (140.0, 100.0, 0.0))
    return FaceCrops(rgb, eye, mesh.copy(), players, *plain)


def rows(crops, positions):
    names = [f.name for f in dataclasses.fields(crops)]
    return FaceCrops(*(getattr(crops, n)[positions] for n in names))


def test_a_detector_is_asked_about_each_crop_once(blocks, crops):
    once = OnceDetector(blocks, known=(rows(crops, [0]), blocks.evidence(rows(crops, [0]))))
    blocks.seen = 0
    both = once.evidence(rows(crops, [0, 3]))
    assert blocks.seen == 1
    again = once.evidence(rows(crops, [3, 0, 3]))
    assert blocks.seen == 1
    assert (once.asked, once.computed) == (5, 1)
    plain = blocks.evidence(rows(crops, [3, 0, 3]))
    assert np.array_equal(again.logits, plain.logits)
    assert np.array_equal(again.patches, plain.patches)
    assert again.spans.tolist() == plain.spans.tolist()
    assert again.head is both.head
    assert once.card is blocks.card


def test_a_network_judges_each_picture_once_but_gives_gradients():
    net = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(12, 1), torch.nn.Flatten(0))
    once = OnceNetwork(net)
    x = torch.randn(3, 3, 2, 2)
    with torch.no_grad():
        first = once(torch.cat([x, x[:1]]))
        second = once(x[[2, 0]])
    assert torch.equal(first[:3], torch.cat([first[:1], first[1:3]]))
    assert torch.equal(second, first[[2, 0]])
    assert (once.asked, once.computed) == (6, 3)
    assert once.saved_seconds == pytest.approx(once.seconds)
    x.requires_grad_(True)
    once(x).sum().backward()
    assert x.grad.abs().sum() > 0


def test_every_witness_finds_the_region_that_the_detector_reads(blocks, crops):
    evidence = blocks.evidence(crops)
    explain = Explainer(blocks, crops, evidence, seed=0)
    keys = (*WITNESSES, "captum.feature_ablation", "captum.grad_cam")
    answers = explain(3, keys)
    # there is no network to attribute: what only asks about other pictures needs none
    assert set(answers.told) == {*WITNESSES, "captum.feature_ablation"}
    assert answers.reference == "clean_frame"
    for told in answers.told.values():
        assert PLAYERS[int(told.regions.argmax())] == "mouth"
    assert answers.told["ledger"].passes == 0
    assert explain.passes["computed"] < explain.passes["asked"]
    repeated = Explainer(blocks, crops, evidence, seed=0)(3, keys)
    for key, told in answers.told.items():
        assert np.array_equal(told.heat, repeated.told[key].heat)


def test_the_intervention_is_graded_by_its_map(blocks, crops):
    explain = Explainer(blocks, crops, blocks.evidence(crops), seed=0)
    told = explain(3, ["intervention"]).told["intervention"]
    mouth = crops.players[3] == PLAYERS.index("mouth")
    red = np.zeros_like(mouth)
    red[144:160, 100:124] = True  # what the reference lacks
    assert told.heat[mouth].sum() == pytest.approx(told.regions[PLAYERS.index("mouth")])
    assert told.heat[red].mean() > 3 * told.heat[mouth & ~red].mean()
    assert red[told.points].all()


def test_shares_on_other_regions_are_never_on_their_own(blocks, crops):
    answers = Explainer(blocks, crops, blocks.evidence(crops), seed=0)(3, ["intervention"])
    told, blind = answers.told["intervention"], answers.controls["control.dealt"]
    tops = Counter(PLAYERS[int(one.regions.argmax())] for one in blind)
    assert tops == {"right_eye": 2, "background": 2}  # the mouth leads, and these are in sight
    for one in blind:
        assert one.heat.sum() == pytest.approx(told.heat.sum())
    assert Explainer(blocks, crops, blocks.evidence(crops))(3, ["ledger"]).controls == {}


def test_names_are_checked():
    with pytest.raises(UsageError, match="unknown method"):
        method_keys(["lime"])
    assert "captum.occlusion" in method_keys()
    assert method_keys(["control.centre"]) == ()
