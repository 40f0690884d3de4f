"""The answer at a glance is what the report holds, and the gauge what the card holds."""

from __future__ import annotations

import json
import re
from dataclasses import replace

import numpy as np
import pytest

from tests.widgets import made_up
from toolkit import figures, models
from toolkit.types import Evidence, Interval


def with_detector(report, **facts):
    detector = report.settings["detector"] | facts
    return replace(report, settings=report.settings | {"detector": detector})


def with_intervals(result, *intervals):
    explanation = replace(result.explanation, intervals=tuple(Interval(*i) for i in intervals))
    return replace(result, explanation=explanation)


@pytest.mark.parametrize(
    ("intervals", "said"),
    [
        ([(4.0, 7.0, 0.9)], "from 0:04.0 to 0:07.0"),
        ([(1.0, 2.0, 0.2), (4.0, 7.0, 0.8)], "from 0:04.0 to 0:07.0 and in 1 other stretch"),
        ([(0.0, 54.0, 1.0)], "nearly all the time"),
        ([], ""),
    ],
)
def test_when(intervals, said):
    assert figures.when_phrase(with_intervals(made_up.result(), *intervals)) == said


def test_a_verdict_whose_explanation_names_nothing_names_nothing():
    result = with_intervals(made_up.result())
    explanation = replace(result.explanation, reference_valid=False)
    text = figures.headline(made_up.report(replace(result, explanation=explanation)))
    assert text == "The detector calls this video forged (person A)."


@pytest.mark.parametrize(
    ("gap", "said"),
    [(1.0, "clearly above"), (0.0, "just above"), (-0.01, "just below"), (-1.0, "clearly below")],
)
def test_how_far(gap, said):
    report = made_up.report()
    verdict = replace(report.verdict, logit=2.0, threshold=2.0 - gap)
    assert said in figures.distance_sentence(replace(report, verdict=verdict))


def test_the_gauge_has_a_dot_for_each_genuine_recording():
    logits = np.linspace(-3, 1, 34).tolist()
    report = with_detector(made_up.report(), genuine_logits=logits)
    shown = figures.gauge(report)
    assert (shown.below, shown.above) == (
        sum(v < 0.5 for v in logits),
        sum(v >= 0.5 for v in logits),
    )
    drawn = figures.gauge_svg(shown)
    assert drawn.count("<circle") == 34
    assert f"{shown.below} lie left of it and {shown.above} right" in drawn
    assert "34 of 34 genuine recordings" in figures.distance_sentence(report)


def test_the_gauge_with_counts_only_draws_no_dots():
    held_back = {"genuine": 34, "called_forged": 2, "abstained": 3}
    report = with_detector(made_up.report(), held_back=held_back)
    shown = figures.gauge(report)
    assert (shown.genuine, shown.below, shown.above) == ((), 32, 2)
    assert "<circle" not in figures.gauge_svg(shown)
    assert "32 genuine recordings" in figures.gauge_svg(shown)
    assert "Of 34 genuine recordings" in figures.known_sentence(report)


def test_the_card_counts_only_for_its_own_weights(tmp_path, monkeypatch):
    monkeypatch.setattr(models, "ROOT", tmp_path)
    (tmp_path / "models").mkdir()
    report = made_up.report()
    card = {"sha256": report.settings["detector"]["weights_sha256"], "genuine_logits": [0.25, -1]}
    (tmp_path / "models" / "seamnet.json").write_text(json.dumps(card))
    assert figures.gauge(report).genuine == (-1, 0.25)
    (tmp_path / "models" / "seamnet.json").write_text(json.dumps(card | {"sha256": "00"}))
    assert figures.gauge(report).genuine == ()


def test_without_a_verdict_there_is_no_gauge():
    report = made_up.nobody(made_up.report())
    assert figures.gauge(report) is None
    assert "<svg" not in figures.answer_html(report)


def test_the_mark_lies_on_the_side_of_the_verdict():
    for forged in (True, False):
        drawn = figures.gauge_svg(figures.gauge(made_up.report(made_up.result(forged=forged))))
        line = float(re.search(r'<rect x="([\d.]+)"', drawn).group(1))
        mark = float(re.search(r'<path d="M([\d.]+) [\d.]+V46" stroke="#', drawn).group(1))
        assert (mark > line) is forged


def test_a_stretch_that_chance_could_make_is_said_to_be():
    result = made_up.result()
    assert not figures.is_by_chance(result)
    rng = np.random.default_rng(3)
    logits = rng.normal(0, 1, len(result.evidence.logits)).astype(np.float32)
    evidence = Evidence.per_frame(logits)
    noisy = replace(
        result, evidence=evidence, verdict=replace(result.verdict, logit=2.0, threshold=0.0)
    )
    assert figures.is_by_chance(noisy)
    assert figures.when_phrase(noisy).endswith(", which could be chance")
