"""Stretches: shares against a closed form, with landmarks and with pixels held still."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest

from toolkit import _i18n
from toolkit.detectors.base import Card, InputSpec
from toolkit.errors import DetectorError, ShapeError
from toolkit.explain import ledger, spans
from toolkit.explain.perturbation import Compositor
from toolkit.figures.spans import span_lines, span_sentence
from toolkit.types import REGIONS, Evidence, FaceCrops
from toolkit.verdict.aggregate import aggregate, rule_for

SIDE, LONG = 20, 6


class Mover:
    """Judges stretches of `LONG` crops: how much each region's brightness moves, weighted."""

    card = Card("mover", "mover", "", 0.0, "", ())
    spec = InputSpec(size=SIDE, margin=0.0)
    device, batch = "cpu", None
    weights = np.linspace(-2, 3, len(REGIONS))

    def movement(self, crops: FaceCrops, first: int, last: int, mask: int) -> float:
        grey = crops.rgb[first : last + 1].mean(axis=3)
        regions = crops.region_map[first : last + 1]
        return float(
            sum(
                weight * np.std([g[r == region].mean() for g, r in zip(grey, regions, strict=True)])
                for region, weight in enumerate(self.weights)
                if mask >> region & 1
            )
        )

    def evidence(self, crops, *, tick=lambda *_: None):
        n = len(crops.rgb) // LONG
        first = np.arange(n, dtype=np.int64) * LONG
        ends = np.stack([first, first + LONG - 1], axis=1)
        everything = (1 << len(REGIONS)) - 1
        logits = [self.movement(crops, a, b, everything) for a, b in ends.tolist()]
        return Evidence(np.array(logits, np.float32), ends)

    def logits(self, rgb):
        raise NotImplementedError


class Landmarked(Mover):
    """The same, which holds regions still itself; it reads four of them."""

    reads = (0, 3, 4, 7)

    def evidence(self, crops, *, tick=lambda *_: None):
        whole = super().evidence(crops)
        logits = [self.movement(crops, a, b, self.known) for a, b in whole.spans.tolist()]
        return replace(whole, network_logits=np.array(logits, np.float32))

    known = sum(1 << region for region in reads)

    def still_logits(self, crops, spans_, masks):
        return np.array(
            [
                [self.movement(crops, a, b, mask & self.known) for mask in masks]
                for a, b in spans_.tolist()
            ]
        )


@pytest.fixture
def crops():
    n, rng = 2 * LONG, np.random.default_rng(0)
    rows = np.repeat(np.arange(len(REGIONS)), SIDE // len(REGIONS))
    regions = np.broadcast_to(rows[:, None], (SIDE, SIDE)).astype(np.uint8)
    grey = rng.integers(40, 200, (n, len(REGIONS)))[:, rows]
    rgb = np.broadcast_to(grey[:, :, None, None], (n, SIDE, SIDE, 3)).astype(np.uint8)
    return FaceCrops(
        rgb.copy(),
        np.zeros((n, 2, 3)),
        np.zeros((n, 478, 3), np.float32),
        np.broadcast_to(regions, (n, SIDE, SIDE)).copy(),
        *(np.zeros(n) for _ in range(3)),
    )


def test_regions_that_add_up_get_what_they_add(crops):
    judge = Landmarked()
    evidence = judge.evidence(crops)
    shares = spans.span_shares(judge, crops, evidence.spans)
    for row, (first, last) in enumerate(evidence.spans.tolist()):
        for region in range(len(REGIONS)):
            alone = judge.movement(crops, first, last, (1 << region) & judge.known)
            assert shares[row, region] == pytest.approx(alone)
    assert shares.sum(axis=1) == pytest.approx(evidence.logits, abs=1e-5)


def test_pixels_held_still_give_a_reference_of_the_same_length(crops, monkeypatch):
    # soft borders would mix neighbours
    monkeypatch.setitem(Compositor.__init__.__kwdefaults__, "feather", 0.0)
    judge, everything = Mover(), (1 << len(REGIONS)) - 1
    span = (0, LONG - 1)
    whole, none, mouth = spans.hold_pictures_still(judge, crops, span, [everything, 0, 1])
    assert whole == pytest.approx(judge.evidence(crops).logits[0], abs=1e-4)
    assert none == pytest.approx(0, abs=1e-6)  # nothing moves
    assert mouth == pytest.approx(judge.movement(crops, *span, 1), abs=1e-4)


def test_each_stretch_is_told_with_what_its_strongest_region_does(crops):
    judge = Landmarked()
    evidence = judge.evidence(crops)
    track = SimpleNamespace(pts=np.arange(len(crops.rgb)) / 10)
    answers = spans.ask_spans(judge, crops, track, evidence)
    assert [(a.start_s, a.end_s) for a in answers] == [(0.0, 0.5), (0.6, 1.1)]
    for answer in answers:
        assert answer.residual == pytest.approx(0, abs=1e-9)
        assert answer.without[REGIONS.index("background")] == answer.logit
        nose = REGIONS.index("nose")
        assert answer.without[nose] == pytest.approx(answer.logit - answer.shares[nose])
    english = span_lines(answers, 0.0)
    assert "0:00.60" in english[1]
    _i18n.set_language("nl")
    assert all(a != b for a, b in zip(english, span_lines(answers, 0.0), strict=True))


def test_a_stretch_in_which_nothing_moves_is_told_as_such(crops):
    still = replace(crops, rgb=np.repeat(crops.rgb[:1], len(crops.rgb), axis=0))
    judge = Landmarked()
    track = SimpleNamespace(pts=np.arange(len(crops.rgb)) / 10)
    (answer, _second) = spans.ask_spans(judge, still, track, judge.evidence(still))
    assert "No movement" in span_sentence(answer, 0.5)


def test_the_ledger_is_split_by_regions_and_still_adds_up(crops):
    judge = Landmarked()
    evidence = judge.evidence(crops)
    explanation = ledger.explain(
        evidence,
        np.arange(len(crops.rgb)) / 10,
        np.zeros(len(crops.rgb), np.int64),
        None,
        threshold=-1.0,
        rule=rule_for(2),
        within=spans.span_shares(judge, crops, evidence.spans),
    )
    total = explanation.reference_logit + explanation.shares.sum() + explanation.unsplit.sum()
    assert total == pytest.approx(aggregate(evidence.logits, rule_for(2)))
    assert explanation.residual == pytest.approx(0, abs=1e-9)
    assert np.abs(explanation.shares).sum() > 0


def test_what_does_not_fit_is_refused(crops):
    judge, ends = Landmarked(), np.array([[0, 99]])
    with pytest.raises(ShapeError, match="outside the track"):
        spans.span_table(judge, crops, ends)
    frames = SimpleNamespace(batch=4, card=judge.card)
    with pytest.raises(DetectorError, match="frames, not stretches"):
        spans.span_table(frames, crops, ends)
    evidence = judge.evidence(crops)
    with pytest.raises(ShapeError, match="do not belong"):
        ledger.explain(
            evidence,
            np.arange(len(crops.rgb)) / 10,
            np.zeros(len(crops.rgb), np.int64),
            None,
            threshold=0.0,
            rule=rule_for(2),
            within=np.zeros((5, len(REGIONS))),
        )
