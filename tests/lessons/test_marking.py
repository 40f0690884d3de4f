"""Exercises: what is right is right, feedback is kind, a comma is a comma."""

from __future__ import annotations

import pytest

from toolkit.errors import UsageError
from toolkit.lessons import marking
from toolkit.lessons.text import Exercise, Option, Words

W = Words("e", "n")
OPTIONS = (
    Option(Words("no", "nee"), False, Words("almost", "bijna")),
    Option(Words("yes", "ja"), True, None),
    Option(Words("also", "ook"), True, None),
)


def exercise(kind, **more):
    return Exercise("x", kind, W, Words("hint", "hint"), Words("why", "why"), **more)


@pytest.mark.parametrize(
    ("made", "answer", "known", "right"),
    [
        (exercise("choice", options=OPTIONS[:2]), 1, None, True),
        (exercise("choice", options=OPTIONS[:2]), 0, None, False),
        (exercise("choice", options=OPTIONS[:2]), 0, 0, True),
        (exercise("many", options=OPTIONS), [2, 1], None, True),
        (exercise("many", options=OPTIONS), [1], None, False),
        (exercise("many", options=OPTIONS), [0, 1, 2], None, False),
        (exercise("number", number=2.5, within=0.5), "3,0", None, True),
        (exercise("number", number=2.5, within=0.5), "3.01", None, False),
        (exercise("number", within=1.0), "41", 42, True),
        (exercise("number", within=0.0), "0", 0, True),
        (exercise("number", number=0.0), "0", None, True),
        (exercise("number", number=1.0), "many", None, False),
        (exercise("region", regions=("mouth", "nose")), "nose", None, True),
        (exercise("region"), "nose", "mouth", False),
        (exercise("open"), "anything", None, None),
    ],
)
def test_known_answers(made, answer, known, right):
    assert marking.is_right(made, answer, known=known) is right


def test_nobody_said_what_is_right():
    with pytest.raises(UsageError):
        marking.is_right(exercise("region"), "nose")


def test_feedback_grows_kinder_not_louder():
    made = exercise("choice", options=OPTIONS[:2])
    first = marking.mark(made, 0, tries=1)
    second = marking.mark(made, 0, tries=2)
    assert ("almost" in first.text, "hint" in first.text, first.explains) == (True, True, False)
    assert ("hint" in second.text, second.explains) == (False, True)
    assert marking.mark(made, 1, tries=1).is_right


def test_no_number_is_no_try():
    found = marking.mark(exercise("number", number=3.0), "three", tries=5)
    assert "not a number" in found.text
    assert not found.explains
