"""Answers: on disk at once, never overwritten by damage, never lost by a new start."""

from __future__ import annotations

import json

import pytest

from toolkit.lessons.answers import PupilAnswers


def test_what_is_put_is_there_for_the_next_kernel(tmp_path):
    path = tmp_path / "deep" / "lesson.json"
    assert PupilAnswers(path).put("exercise.a", {"answer": [1, 2], "naïve": "ja ☺"})
    assert PupilAnswers(path).get("exercise.a") == {"answer": [1, 2], "naïve": "ja ☺"}
    assert PupilAnswers(path).get("b", 3) == 3


@pytest.mark.parametrize(
    "text", ["", "{", "[]", '{"schema": "other"}', '{"schema": "doorzicht.answers/1", "values": 3}']
)
def test_a_damaged_file_is_set_aside(tmp_path, text):
    path = tmp_path / "lesson.json"
    path.write_text(text)
    answers = PupilAnswers(path)
    assert answers.names() == []
    assert answers.set_aside.read_text() == text
    assert answers.put("a", 1)
    assert json.loads(path.read_text())["values"] == {"a": 1}


def test_starting_anew_puts_the_old_answers_aside(tmp_path):
    answers = PupilAnswers(tmp_path / "lesson.json")
    for number in range(3):
        answers.put("a", number)
        answers.start_anew()
        assert answers.names() == []
    kept = [json.loads(p.read_text())["values"]["a"] for p in tmp_path.glob("lesson.before-*")]
    assert sorted(kept) == [0, 1, 2]


def test_a_full_disk_is_told_and_memory_goes_on(tmp_path):
    (tmp_path / "file").write_text("in the way")
    answers = PupilAnswers(tmp_path / "file" / "lesson.json")
    assert not answers.put("a", 1)
    assert not answers.is_saved
    assert answers.get("a") == 1


def test_what_is_no_json_is_refused(tmp_path):
    with pytest.raises((TypeError, ValueError)):
        PupilAnswers(tmp_path / "a.json").put("a", float("nan"))
