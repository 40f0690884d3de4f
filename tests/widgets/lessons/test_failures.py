"""Lesson 7's panels: every outcome is told as what it is, never by colour alone."""

from __future__ import annotations

import re

import numpy as np
import pytest

from toolkit import _i18n
from toolkit.lessons.doubt import TREATMENTS, Attacked
from toolkit.widgets.lessons.failures import (
    CLIPS,
    FailureLab,
    Heard,
    OddsLab,
    PatternLab,
    card_alarms,
)

FACE = np.full((32, 32, 3), 120, np.uint8)
OUTCOMES = [
    ("strong", 2.0, "Right: the clip is forged, and the evidence is far above", "✓ right"),
    ("careful", -0.2, "Missed: the clip is forged, but the evidence is just below", "✗ wrong"),
    ("genuine", -2.0, "Right: the clip is genuine, and the evidence is far below", "✓ right"),
    ("suspicious", 0.2, "False alarm: the clip is genuine, but the evidence is just", "✗ wrong"),
]


def heard(clip, gap, treatment="nothing"):
    return Heard(clip, treatment, gap >= 0, gap, None, FACE)


@pytest.mark.parametrize(("clip", "gap", "sentence", "sign"), OUTCOMES)
def test_each_outcome_is_told(clip, gap, sentence, sign):
    lab = FailureLab()
    lab._arrive(heard(clip, gap))
    assert sentence in lab._shown.value
    assert sign in lab._table.value


def test_the_same_clip_untreated_stands_beside_it():
    lab = FailureLab()
    lab._arrive(heard("genuine", -2.0))
    lab._arrive(heard("strong", 2.0))
    lab._arrive(heard("genuine", 0.4, "recode"))
    chart = re.search(r"<svg.*?</svg>", lab._shown.value, re.DOTALL).group()
    assert "nothing: far below the threshold" in chart
    assert "made small and coded twice: just above the threshold" in chart
    assert lab._table.value.count("<tr>") == 4


def test_no_verdict_says_why_and_counts_neither_way():
    lab = FailureLab()
    lab._arrive(Heard("genuine", "recode", None, None, "The face is too small.", None))
    assert "No verdict. The face is too small." in lab._shown.value
    assert "<td>no verdict</td><td>–</td>" in lab._table.value
    assert "<svg" not in lab._shown.value


def test_choices_stay_when_the_language_turns():
    lab = FailureLab()
    assert [v for _name, v in lab._clip.options] == list(CLIPS)
    assert {v for _name, v in lab._treatment.options} == {"nothing", *TREATMENTS}
    lab.choose("careful", "beauty")
    lab._arrive(heard("careful", -0.2, "beauty"))
    _i18n.set_language("nl")
    lab.say()
    assert (lab._clip.value, lab._treatment.value) == ("careful", "beauty")
    assert 'lang="nl"' in lab._table.value
    assert "schoonheidsfilter" in lab._table.value


@pytest.mark.parametrize(
    ("gaps", "says"),
    [
        ((1.0, -1.0, -0.5), ["changed.", "stays changed"]),
        ((1.0, -1.0, 0.5), ["changed.", "undid it"]),
        ((1.0, 0.5, 0.5), ["did not change"]),
    ],
)
def test_a_pattern_is_told_with_what_one_more_coding_does(gaps, says):
    lab = PatternLab()
    pattern = np.zeros(FACE.shape, np.int16)
    lab._arrive(Attacked(FACE, FACE, FACE, pattern, *gaps))
    assert all(s in lab._shown.value for s in says)
    assert lab._shown.value.count("<img") == 3


def test_rare_forgeries_are_counted_in_clips():
    lab = OddsLab(found_of_100=90, alarms_of_100=5)
    lab.choose(one_in=1000)
    assert (lab.counts.called, lab.counts.found, lab.counts.alarms) == (51, 1, 50)
    assert "detector: 51. Among these, forged: 1; genuine: 50." in lab._shown.value
    assert "18 times as often" in lab._shown.value
    lab.choose(one_in=2)
    assert "18 times as often" in lab._shown.value  # the ratio stays
    lab._alarms.value = 0
    assert "without a limit is not supported" in lab._shown.value
    assert not re.search(r"\d\s?%", lab._shown.value)


def test_the_card_gives_the_false_alarms():
    assert 0 < card_alarms() < 100
    assert OddsLab()._alarms.value == card_alarms()
