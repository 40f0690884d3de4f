"""Lesson 8's steps: in order, each on what the one before kept, and the case is a real case."""

from __future__ import annotations

import functools
import re

import pytest

from tests.casework import casework
from tests.lessons.test_text import FORBIDDEN
from toolkit import _i18n
from toolkit.casework import case as cases
from toolkit.casework import operations, verify
from toolkit.lessons.story import Story
from toolkit.widgets.lessons.case_study import STEPS, Dossier, step_names


@pytest.fixture
def dossier(tmp_path, monkeypatch):
    clip = casework.clip(tmp_path / "received.mp4")
    told = Story(clip, clip, "franck", "cap12_edit", 2.8, 5.2, "crop10")
    monkeypatch.setattr("toolkit.lessons.story.make_story", lambda _folder, **_tick: told)
    made_up = functools.partial(operations.analyse, examine=casework.examine_two)
    monkeypatch.setattr(operations, "analyse", made_up)
    return Dossier(runs=tmp_path / "runs")


def do(dossier, step):
    panel = dossier.step(step)
    panel.task.start()
    panel.task.wait(100)
    return panel


@pytest.mark.parametrize("step", STEPS[1:])
def test_a_step_before_its_turn_says_what_to_do_first(dossier, step):
    panel = do(dossier, step)
    assert panel.task.state == "error"
    assert "first" in panel.task._words.value
    assert panel._shown.value == ""


def test_the_clip_is_received_into_a_case_and_left_alone(dossier):
    panel = do(dossier, "receive")
    assert panel.task.error is None
    facts = dossier.case.exhibit("E1").facts
    assert facts["sha256"] in panel._shown.value
    received = dossier.story.received.read_bytes()
    assert dossier.case.path(dossier.case.exhibit("E1").working_copy).read_bytes() == received
    first = dossier.case.path(".")
    do(dossier, "receive")
    assert dossier.case.path(".") != first  # a case is never overwritten
    assert first.is_dir()


def test_who_when_and_where_are_those_of_the_report(dossier):
    do(dossier, "receive")
    assert dossier.persons is None
    panel = do(dossier, "judge")
    assert panel.task.error is None, panel.task.error
    assert dossier.persons == len(dossier.report.tracks) == 2
    shown = panel._shown.value
    assert [h for h in ("Who", "When", "Where in the face") if f"<h4>{h}</h4>" in shown] == [
        "Who", "When", "Where in the face"
    ]  # fmt: skip
    assert not FORBIDDEN.search(re.sub(r"<[^>]*>", " ", shown))
    _i18n.set_language("nl")
    panel.say()
    assert "<h4>Waar in het gezicht</h4>" in panel._shown.value
    # what was judged is in the case, so that another examiner finds it
    again = cases.Case(dossier.case.path("."))
    assert len(operations.examination(again, again.exhibit("E1")).report.tracks) == 2


def test_the_report_is_written_and_its_case_verifies(dossier):
    for step in ("receive", "judge", "report"):
        panel = do(dossier, step)
        assert panel.task.error is None, panel.task.error
    assert "report.html" in panel._shown.value
    assert "the face of cap12_edit was put on franck" in panel._shown.value
    assert (dossier._written / "report.html").is_file()
    assert verify.verify(dossier.case.path("."), hashes_only=True).is_intact


def test_every_step_has_a_name():
    assert set(step_names()) == set(STEPS)
