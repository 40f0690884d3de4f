"""The quiz and the class in the notebook: made, written, counted; junk is listed."""

from __future__ import annotations

import dataclasses
import re

import pytest

from tests.lessons import made_up
from toolkit import _i18n
from toolkit.errors import UsageError
from toolkit.lessons import codes, quiz
from toolkit.lessons.codes import Given, Result
from toolkit.lessons.tally import Tally
from toolkit.widgets.lessons.quiz import ClassLab, QuizLab, bars_svg


@pytest.fixture(scope="module")
def made():
    return made_up.quiz()


def test_it_makes_a_quiz_and_the_page(made, tmp_path):
    lab = QuizLab(runs=tmp_path, make=lambda **_options: made)
    assert lab.quiz is None
    assert lab._page.disabled
    lab.task.start()
    lab.task.wait(30)
    assert lab.task.state == "done"
    assert "6 clips" in lab._about.value
    assert "wrong" not in lab._about.value  # it may be on the wall before the quiz
    assert lab.player.quiz["number"] == made.number
    out = lab.write()
    assert out.parent == quiz.folder(tmp_path)
    assert "Written" in lab._where.value
    _i18n.set_language("nl")
    lab.say()
    assert lab.player.language == "nl"
    assert f"Quiz {made.number:05d}: 6 clips" in lab._about.value
    assert QuizLab(runs=tmp_path).quiz.number == made.number


def test_what_fails_is_told(tmp_path):
    def fails(**_options):
        raise UsageError("there are no sample clips", "", "Run 'python start.py setup'.")

    lab = QuizLab(runs=tmp_path, make=fails)
    lab.task.start()
    lab.task.wait(30)
    assert lab.task.state == "error"
    assert "sample clips" in lab.task._words.value


def test_a_step_of_the_pupil_is_told(made, tmp_path):
    quiz.save(made, tmp_path)
    told = []
    lab = QuizLab(runs=tmp_path, on_state=told.append, state={"quiz": 3})
    assert lab.player.state == {"quiz": 3}
    lab.player.state = {"quiz": made.number, "at": 1}
    assert told == [{"quiz": made.number, "at": 1}]


def test_a_class_is_counted(made, tmp_path):
    quiz.save(made, tmp_path)
    # clip 2 is genuine and the detector calls it forged: two were right, one gave it up
    first = Given(False, 2, True)
    answers = [first, Given(False, 0, False), Given(True, 1, True)]
    pupils = [
        Result(made.number, n, (None, given, None, None, None, None))
        for n, given in enumerate(answers)
    ]
    other = Result((made.number + 1) % codes.QUIZZES, 1, pupils[0].given)
    text = "\n".join([*map(codes.encode, pupils), codes.encode(other), "<img src=x>", "hello"])
    kept = []
    lab = ClassLab(runs=tmp_path, on_text=kept.append)
    assert lab.misled is None
    lab.paste(text)
    assert kept == [text]
    assert lab.misled == 1
    html = lab._shown.value
    assert "3 pupils" in html
    assert "2 of 3 answers right" in html
    assert "1 of 2 times a pupil who was right" in html
    assert "1 code belongs to another quiz" in html
    assert "<img" not in html
    assert html.count("no code") == 2


def test_codes_of_an_unknown_quiz_are_told(tmp_path):
    lab = ClassLab(runs=tmp_path, text=codes.encode(Result(5, 1, (None,) * 6)))
    assert "not on this computer" in lab._shown.value
    assert lab.result is None


def test_only_junk(tmp_path):
    lab = ClassLab(runs=tmp_path)
    lab.paste("nothing to see")
    assert "no code" in lab._shown.value
    assert lab.misled is None


def test_the_class_is_drawn_as_three_bars():
    total = Tally(
        answers=8, alone=4, together=6, model=3, model_of=4, misled=0, could_mislead=1,
        helped=2, could_help=3, sure=2, sure_wrong=0, pointed=1, pointed_right=1,
    )  # fmt: skip
    drawn = bars_svg(total)
    widths = [float(w) for w in re.findall(r'width="([\d.]+)" height="24" fill="#', drawn)]
    room = max(float(w) for w in re.findall(r'width="([\d.]+)" height="24"', drawn))
    assert [round(w / room, 2) for w in widths] == [0.5, 0.75, 0.75]
    assert "3 of 4" in drawn
    assert bars_svg(dataclasses.replace(total, model=0, model_of=0)).count("no answer yet") == 1
