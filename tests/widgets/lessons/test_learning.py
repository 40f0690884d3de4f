"""Lesson 4's learning machine: what is shown, what is kept, and what is refused."""

from __future__ import annotations

import pytest

from tests.lessons.faces import face
from toolkit import _i18n
from toolkit.widgets.lessons import learning
from toolkit.widgets.lessons.learning import OWN, FaceLearningLab

FACES = [face(p, seed=i + 40 * (p == "two")) for p in ("one", "two") for i in range(8)]


@pytest.fixture
def lab(tmp_path, monkeypatch):
    monkeypatch.setattr(learning, "SHORT", 3)
    made = FaceLearningLab(FACES, keep_in=tmp_path)
    made._length.value = 3
    return made


def learn(lab):
    lab.task.start()
    lab.task.wait(60)


def test_faces_and_curve_are_shown_and_kept_for_the_next_time(lab, tmp_path):
    learn(lab)
    assert lab.task.error is None
    assert lab.steps == 3
    assert lab._shown.value.count("<img ") == 6
    assert "AI / SYNTHETIC" in lab._shown.value
    assert "<svg" in lab._curve.value
    learn(lab)
    assert lab.steps == 6  # it goes on
    again = FaceLearningLab(FACES, keep_in=tmp_path)
    again._length.options = [("", 3)]
    learn(again)
    assert again.steps == 9


def test_it_speaks_dutch(lab):
    learn(lab)
    _i18n.set_language("nl")
    lab.retranslate()
    assert "Persoon A, zoals opgenomen" in lab._shown.value
    assert lab._length.value == 3


def test_the_same_person_twice_is_refused(lab):
    lab._second.value = "one"
    learn(lab)
    assert lab.task.state == "error"
    assert "two people" in str(lab.task.error)


def test_own_pictures_need_consent(lab):
    assert lab._own.layout.display == "none"
    lab._second.value = OWN
    assert lab._own.layout.display is None
    assert lab._upload.disabled
    learn(lab)
    assert "agreed" in str(lab.task.error)
    lab._consent.value = True
    assert not lab._upload.disabled
    learn(lab)
    assert "no pictures" in str(lab.task.error)
