"""The trust panel: each figure reads well where it should and badly where it should."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import nn

from tests.explain import planted
from toolkit._i18n import set_language
from toolkit.errors import Cancelled, UsageError
from toolkit.explain import regions, trust
from toolkit.explain.baselines import Light, Reference, SeamControl
from toolkit.explain.perturbation import Game, agreement, antithetic, exact
from toolkit.explain.pixels import PixelAttribution


def solved(function):
    crops = planted.crops_of(planted.plain(150)[None])
    game = Game(planted.Planted(function), crops, 0, planted.plain())
    return exact(game), game


def additive(rgb):
    return sum((k + 1) * planted.brightness(k)(rgb) for k in range(5))


def both_eyes(rgb):
    return planted.brightness(1)(rgb) * planted.brightness(2)(rgb) - 100


def light(name, passed, value=0.5):
    return Light(name, passed, value, "")


def reference(*lights):
    return Reference("clean_frame", 0, planted.plain(), -1.0, lights, {}, True)


def test_lights_tell_what_each_test_said():
    good = reference(light("V1", True), light("V2", True), light("V3", None, None))
    figures = trust.reference_lights(good)
    assert [f.reads_well for f in figures] == [True, True, None]
    assert good.is_valid
    bad = reference(light("V1", True), light("V2", False), light("V3", False))
    assert not bad.is_valid
    texts = [f.sentence for f in (*figures, *trust.reference_lights(bad))]
    assert len(set(texts)) == 5  # V1 is the same in both
    assert "limit 0.25" in texts[4]
    assert "only 50 %" in texts[5]
    failed = trust.reference_lights(reference(light("V1", False, 3.2)))
    assert "logit 3.20, above the threshold" in failed[0].sentence


def test_seam():
    quiet = SeamControl(np.zeros(10), 0.05, 0)
    loud = SeamControl(np.full(10, 0.2), 0.05, 2)
    assert trust.seam_figure(quiet).reads_well
    assert not trust.seam_figure(loud).reads_well
    assert "verdicts turned: 2" in trust.seam_figure(loud).sentence
    assert not SeamControl(np.zeros(10), 0.05, 1).passed


def test_the_area_prior_is_a_control():
    found, _ = solved(planted.brightness(9))  # the background is the largest region
    places = trust.order_places(found.table, -found.shares, planted.PLAYER_MAP)
    assert places.area == pytest.approx(1)
    assert not trust.order_figures(places)[0].reads_well


def test_the_right_order_is_best_and_a_wrong_one_is_told():
    found, _ = solved(additive)
    right = trust.order_places(found.table, found.shares, planted.PLAYER_MAP)
    assert right.deletion == pytest.approx(1)
    assert right.insertion == pytest.approx(1)
    assert right.random == pytest.approx(0.5, abs=0.15)
    assert all(f.reads_well for f in trust.order_figures(right))
    wrong = trust.order_places(found.table, -found.shares, planted.PLAYER_MAP)
    assert wrong.deletion == pytest.approx(0, abs=1e-9)
    assert not any(f.reads_well for f in trust.order_figures(wrong))


def test_additivity_and_infidelity():
    found, _ = solved(additive)
    assert trust.additivity_figure(found.table).value == pytest.approx(1)
    assert trust.infidelity_figure(found.table, found.shares).value == pytest.approx(0, abs=1e-6)
    even = np.full(10, found.shares.sum() / 10)
    assert not trust.infidelity_figure(found.table, even).reads_well
    game = np.zeros(8)
    game[7] = 1.0  # only all three together
    assert not trust.additivity_figure(game).reads_well
    assert regions.additivity(game) < trust.ADDITIVE_MIN


def test_stability_witnesses_context_and_references():
    found, game = solved(both_eyes)
    runs = [antithetic(game, seed=s).shares for s in range(3)]
    assert trust.stability_figure(runs).reads_well
    assert not trust.stability_figure([runs[0], runs[0][::-1]]).reads_well
    with pytest.raises(UsageError):
        trust.stability_figure(runs[:1])
    assert trust.witness_figure(agreement(found.shares, found.shares)).reads_well
    assert not trust.witness_figure(agreement(found.shares, found.shares[::-1])).reads_well
    assert trust.reference_agreement(found, found).reads_well
    assert trust.context_figure(found.shares).value == pytest.approx(0, abs=1e-6)
    ground, _ = solved(planted.brightness(9))
    figure = trust.context_figure(ground.shares)
    assert not figure.reads_well
    assert "not driven by the face" in figure.sentence


def test_completeness():
    def of(value):
        empty = np.zeros(10)
        return PixelAttribution("integrated_gradients", empty, empty, 1.0, 0.0, value, 1, 0, {})

    assert trust.completeness_figure(of(-0.01)).reads_well
    assert not trust.completeness_figure(of(0.3)).reads_well
    assert trust.completeness_figure(of(None)).reads_well is None
    assert "30.0" in trust.completeness_figure(of(-0.3)).sentence
    assert "_" not in trust.completeness_figure(of(0.3)).sentence  # no program's word for people


class Trained(nn.Module):
    def __init__(self):
        super().__init__()
        with torch.random.fork_rng():
            torch.manual_seed(0)
            self.body = nn.Sequential(nn.Conv2d(3, 8, 3, stride=2), nn.ReLU(), nn.BatchNorm2d(8))
            self.more = nn.Sequential(nn.Conv2d(8, 8, 3, stride=2), nn.ReLU())
            self.head = nn.Conv2d(8, 1, 1)
        self.eval()

    def forward(self, x):
        patches = self.head(self.more(self.body(x / 255 - 0.5)))[:, 0]
        return patches.mean((1, 2)), patches


def test_random_weights_change_what_was_learned_but_not_an_edge_detector():
    crop = np.random.default_rng(0).integers(0, 256, (64, 64, 3)).astype(np.uint8)
    net = Trained()
    before = {k: v.clone() for k, v in net.state_dict().items()}
    result = trust.randomise(net, trust.patch_explainer(crop), stages=3)
    assert result.alike.shape == (3,)
    assert result.stages == (2, 3, 4)  # four layers, head first
    assert trust.randomisation_figure(result).reads_well
    again = trust.randomise(net, trust.patch_explainer(crop), stages=3)
    assert (result.alike == again.alike).all()
    assert all((before[k] == v).all() for k, v in net.state_dict().items())
    edges = np.abs(np.diff(crop.astype(float).mean(axis=2), axis=0)).ravel()
    deaf = trust.randomise(net, lambda _net: edges, stages=3)
    assert deaf.alike == pytest.approx(1)
    assert not trust.randomisation_figure(deaf).reads_well
    assert trust.randomisation_figure(None).reads_well is None


def test_randomising_can_be_cancelled():
    def tick(*_):
        raise Cancelled

    with pytest.raises(Cancelled):
        trust.randomise(Trained(), lambda _net: np.arange(4.0), tick=tick)


class Recorded:
    """References that are ready-made: the panel's own work is what is tested here."""

    def __init__(self, made):
        self._made = made

    def choose(self, position, *, tick):
        from toolkit.explain.baselines import Choice

        return Choice(self._made if self._made.is_valid else None, (self._made,))

    def seam_control(self, reference, *, tick):
        return SeamControl(np.zeros(10), 0.1, 0)

    def make(self, kind, position, *, rank=0):
        made = reference(light("V1", True))
        return replace(made, rgb=planted.plain(90)) if kind == "blur_noise" else None


def test_the_second_reference_is_another_one():
    """The first was not the first of its kind that was tried; the next two are no use."""
    shades = {0: 100, 1: 120, 2: 120, 3: 130}  # the first is rank 1, and rank 2 looks like it

    class Several(Recorded):
        def make(self, kind, position, *, rank=0):
            if kind != "donor" or rank not in shades:
                return None
            made = reference(light("V1", rank > 0))
            source = object()  # where it comes from does not matter, only that it has one
            return replace(made, kind=kind, rgb=planted.plain(shades[rank]), source=source)

    refs = Several(None)
    second = trust._second(refs, refs.make("donor", 0, rank=1), 0)
    assert (second.rgb == planted.plain(130)).all()
    del shades[3]
    assert trust._second(refs, refs.make("donor", 0, rank=1), 0) is None


def test_the_panel_puts_it_together():
    crops = planted.crops_of(planted.plain(150)[None])
    detector = planted.Planted(additive)
    told = []
    found = trust.panel(
        detector,
        crops,
        Recorded(reference(light("V1", True))),
        0,
        by_construction=np.arange(10.0),
        frames=[np.arange(10.0), np.arange(10.0)[::-1]],
        tell=told.append,
    )
    assert tuple(told) == found.figures
    assert [f.name for f in found.figures] == [
        "reference_v1",
        "seam",
        "randomisation",
        "deletion",
        "insertion",
        "additivity",
        "infidelity",
        "stability",
        "context",
        "references_agree",
        "witnesses",
        "key_frames",
    ]
    assert found.intervention.method == "exact"
    assert found.passes > 1024
    assert all(f.sentence.endswith(".") for f in found.figures)


def test_without_a_valid_reference_the_panel_names_no_region():
    crops = planted.crops_of(planted.plain(150)[None])
    found = trust.panel(
        planted.Planted(additive), crops, Recorded(reference(light("V1", False))), 0
    )
    assert found.intervention is None
    assert [f.name for f in found.figures] == ["reference_v1", "seam", "randomisation"]


def test_what_is_known_already_costs_the_panel_nothing():
    crops = planted.crops_of(planted.plain(150)[None])
    detector = planted.Planted(additive)
    references = Recorded(reference(light("V1", True)))
    game = Game(detector, crops, 0, planted.plain())
    exact(game)
    choice = references.choose(0, tick=None)
    found = trust.panel(detector, crops, references, 0, choice=choice, game=game)
    assert found.passes < 200
    other = trust.panel(detector, crops, references, 0)
    assert other.intervention.shares.tolist() == found.intervention.shares.tolist()


def test_sentences_follow_the_language():
    figure = trust.stability_figure([np.arange(3.0), np.arange(3.0)])
    english = figure.sentence
    set_language("nl")
    try:
        assert figure.sentence != english
        assert "0,0 %" in figure.sentence
    finally:
        set_language("en")
    assert figure.sentence == english


def test_frames_agree_or_not():
    assert trust.frames_figure([np.arange(3.0)] * 3).value == 1
    assert not trust.frames_figure([np.arange(3.0), np.arange(3.0)[::-1]]).reads_well
    with pytest.raises(UsageError):
        trust.frames_figure([np.arange(3.0)])
