"""Lesson 5's panels: lenses before and after, and a network that is counted on a stranger."""

from __future__ import annotations

import re
from html import escape

import pytest
import torch

from tests.lessons.faces import face
from toolkit import _i18n
from toolkit.lessons import tiny_detector
from toolkit.lessons.traces import TRACES
from toolkit.widgets.lessons import detecting
from toolkit.widgets.lessons.detecting import OwnForgeryLab, TinyLab, TraceLab

pytestmark = pytest.mark.usefixtures("face_models")


def images(html):
    return re.findall(r'<img src="([^"]+)"', html)


@pytest.mark.parametrize("trace", TRACES)
def test_a_trace_is_seen_before_and_after_through_its_lens(trace):
    lab = TraceLab([face("one"), face("two", seed=1)])
    lab.choose(trace, region="mouth", strength=3.0)
    before, after, lens_before, lens_after = images(lab._shown.value)
    assert before != after
    assert lens_before != lens_after
    assert escape(detecting.trace_sentences()[trace]) in lab._shown.value
    assert ("<svg" in lab._shown.value) == (trace == "frequency")
    lab._truth.value = True
    assert images(lab._shown.value)[1] != after  # the line is drawn in
    assert images(lab._shown.value)[0] == before


def test_the_controls_stay_when_the_language_turns():
    lab = TraceLab([face("one"), face("two", seed=1)])
    lab.choose("noise", region="nose", strength=1.5)
    lab._face.value = 1
    _i18n.set_language("nl")
    lab.retranslate()
    assert (lab._trace.value, lab._region.value, lab._face.value) == ("noise", "nose", 1)
    assert "Door de lens" in lab._shown.value


@pytest.mark.slow
def test_a_network_learns_and_is_counted_on_a_person_it_never_saw():
    people = [face(p, seed=i) for i, p in enumerate(["one"] * 3 + ["two"] * 3)]
    torch.manual_seed(0)
    lab = TinyLab(tiny_detector.ten_lines(), faces=people, steps=6)
    assert [v for _name, v in lab._unseen.options] == ["one", "two"]
    assert lab.unseen_right is None
    lab._unseen.value = "one"
    lab.task.start()
    lab.task.wait(60)
    assert lab.task.error is None
    assert lab.unseen_right == lab.learned.unseen.right
    assert f"{lab.unseen_right} of 100" in lab._result.value
    assert len(images(lab._result.value)) == 8
    assert all(" ✓" in c or " ✗" in c for c in re.findall("<figcaption>(.*?)<", lab._result.value))
    assert lab._curve.value.count("<svg") == 2


def test_a_forgery_of_ones_own_is_held_beside_the_mask(sample):
    sample("cap12_edit")
    lab = OwnForgeryLab()
    lab._clip.value = "cap12_edit"
    lab.task.start()
    lab.task.wait(200)
    assert lab.task.error is None, lab.task.error
    assert len(images(lab._shown.value)) == 3 * len(lab.made.shots) > 0
    gap = lab.made.result.verdict.logit - lab.made.result.verdict.threshold
    assert lab.made.gap == pytest.approx(gap)
    for shot in lab.made.shots:
        assert (shot.truth != shot.rgb).any()
        assert (shot.heat != shot.rgb).any()
    assert f"In {lab.hits} of {len(lab.made.shots)} of these frames" in lab._shown.value
    # three seconds of a plainly forged mouth: its strongest evidence must not lie elsewhere
    assert lab.hits >= 2
    _i18n.set_language("nl")
    lab.retranslate()
    assert 'lang="nl"' in lab._shown.value
