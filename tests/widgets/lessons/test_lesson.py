"""The lesson's pieces: one switch for all, answers that stay, feedback that is kind."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET

import pytest

from tests.lessons import test_text
from toolkit import _i18n
from toolkit.figures.lesson_pictures import lesson_strip
from toolkit.lessons import read_lesson, text
from toolkit.lessons.text import stems
from toolkit.widgets.lessons.lesson import Lesson, _opening

MORE = """
[[exercises]]
id = "count"
kind = "number"
within = 1
question = { en = "How many?", nl = "Hoeveel?" }
hint = { en = "Look above", nl = "Kijk hierboven" }
why = { en = "Because", nl = "Omdat" }
[[exercises]]
id = "where"
kind = "region"
answer = ["mouth"]
question = { en = "Where?", nl = "Waar?" }
why = { en = "There", nl = "Daar" }
[[exercises]]
id = "free"
kind = "open"
question = { en = "Say", nl = "Zeg" }
why = { en = "Example", nl = "Voorbeeld" }
"""


@pytest.fixture
def make(tmp_path, monkeypatch):
    (tmp_path / "demo.toml").write_text(test_text.MINIMAL + MORE, encoding="utf-8")
    monkeypatch.setattr(text, "FOLDER", tmp_path)
    return lambda: Lesson("demo", runs=tmp_path / "runs")


def words(widget):
    """Every text that a widget and what is in it shows."""
    own = [str(getattr(widget, name, "")) for name in ("value", "description", "placeholder")]
    own += [str(o) for o in getattr(widget, "options", ())]
    return " ".join(own + [words(child) for child in getattr(widget, "children", ())])


def test_the_switch_turns_everything(make):
    lesson = make()
    pieces = [
        lesson.opening(), lesson.text("a"), lesson.exercise("count"), lesson.exercise("where"),
        lesson.closing(),
    ]  # fmt: skip
    assert "How many?" in words(pieces[2])
    lesson.speak("nl")
    assert _i18n.language() == "nl"
    assert "Hoeveel?" in words(pieces[2])
    assert "mond" in words(pieces[3])
    assert "Voor de docent" in words(pieces[4])
    assert 'lang="nl"' in words(pieces[1])
    _i18n.set_language("en")
    assert make() is not None
    assert _i18n.language() == "nl"  # the lesson remembers


def test_the_control_turns_the_lesson(make):
    lesson = make()
    opening = lesson.opening()
    switch = opening.children[1].children[1]
    switch.value = "nl"
    assert "Na deze les" in words(opening)


def test_an_answer_is_marked_and_kept(make):
    lesson = make()
    asked = lesson.exercise("count", answer=lambda: 12, within=1)
    asked._input.widget.value = "15"
    asked.check()
    assert "dz-not-yet" in asked._dom_classes
    assert "Look above" in asked._feedback.value
    asked._input.widget.value = "11,5"
    asked.check()
    assert "dz-right" in asked._dom_classes
    assert "Because" in asked._feedback.value
    again = make().exercise("count", answer=lambda: 12, within=1)
    assert again._input.widget.value == "11,5"
    assert "dz-right" in again._dom_classes


def test_choices_regions_and_open_questions(make):
    lesson = make()
    choice, where, free = (lesson.exercise(n) for n in ("one", "where", "free"))
    choice.check()
    assert "Give an answer first" in choice._feedback.value
    choice._input.widget.index = 0
    choice.check()
    where._input.widget.value = "nose"
    where.check()
    assert "dz-not-yet" in where._dom_classes
    where._input.widget.value = "mouth"
    where.check()
    free._input.widget.value = "<b>mine</b>"
    free.check()
    assert "Example" in free._feedback.value
    summary = lesson.closing()._shown.value
    assert summary.count("✓ right") == 2
    assert "not answered yet" in summary  # the number


def test_what_is_not_known_yet_is_said(make):
    asked = make().exercise("count", answer=lambda: None)
    asked._input.widget.value = "3"
    asked.check()
    assert "First do the step above" in asked._feedback.value


def test_starting_anew_empties_but_keeps(make, tmp_path):
    lesson = make()
    asked = lesson.exercise("where")
    asked._input.widget.value = "mouth"
    asked.check()
    lesson.keep("codes", "A")
    lesson.start_anew()
    assert asked._input.widget.value == ""
    assert lesson.kept("codes") is None
    assert len(list((tmp_path / "runs" / "lessons").glob("demo.before-*.json"))) == 1


def test_texts_are_escaped(make):
    lesson = make()
    assert "<script" not in words(lesson.opening())


def test_a_shown_widget_speaks_too(make):
    class Shown:
        said = 0

        def retranslate(self):
            self.said += 1

    lesson = make()
    shown = lesson.show(Shown())
    lesson.speak("nl")
    assert shown.said == 1


@pytest.mark.usefixtures("make")
def test_answers_lie_where_everything_is_kept(tmp_path, monkeypatch):
    monkeypatch.setenv("DOORZICHT_RUNS", str(tmp_path / "elsewhere"))
    lesson = Lesson("demo")
    lesson.keep("x", 1)
    assert lesson.answers.path == tmp_path / "elsewhere" / "lessons" / "demo.json"
    assert lesson.answers.path.is_file()


def test_the_pupils_page_has_no_expected_answers(tmp_path, monkeypatch):
    from toolkit.widgets.lessons.lesson import PUPILS_VARIABLE

    def closing():
        lesson = Lesson("06_spot_the_fake", runs=tmp_path)
        return lesson.closing()._shown.value

    assert "dz-teacher" in closing()
    monkeypatch.setenv(PUPILS_VARIABLE, "1")
    assert "dz-teacher" not in closing()


@pytest.mark.parametrize("stem", stems())
@pytest.mark.parametrize("code", ["en", "nl"])
def test_the_first_screen_of_a_lesson_has_a_strip_of_pictures(stem, code):
    _i18n.set_language(code)
    strip = lesson_strip(stem)
    names = re.findall(r'role="img" aria-label="([^"]+)"', strip)
    assert len(set(names)) == 3
    assert ET.fromstring(strip).findall(".//figcaption")  # well formed
    assert strip in _opening(read_lesson(stem))


def test_a_lesson_without_a_strip_says_nothing():
    assert lesson_strip("99_something_else") == ""
