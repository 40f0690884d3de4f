"""Quizzes: they round-trip, damaged ones are none, and some clips fool the detector."""

from __future__ import annotations

import copy
import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.lessons import made_up
from toolkit.errors import UsageError
from toolkit.lessons import clips, quiz
from toolkit.lessons.clips import Plan
from toolkit.lessons.tally import FACE
from toolkit.types import PLAYERS


@pytest.fixture(scope="module")
def made():
    return made_up.quiz()


def test_a_quiz_round_trips(made, tmp_path):
    path = quiz.save(made, tmp_path)
    found = quiz.find(made.number, tmp_path)
    assert found.to_dict() == made.to_dict()
    assert found.number == made.number
    assert quiz.latest(tmp_path).number == made.number
    assert path.parent == quiz.folder(tmp_path)


def test_keys_tell_truth_and_detector(made):
    assert [k.forged for k in made.keys] == [False, False, True, True, True, False]
    assert [k.model_is_right for k in made.keys] == [True, False, True, False, None, True]
    assert made.model_wrong == 2
    assert made.keys[3].regions == FACE


def test_a_damaged_quiz_is_none(made, tmp_path):
    path = quiz.save(made, tmp_path)
    path.write_text(path.read_text()[:-50])
    assert quiz.find(made.number, tmp_path) is None
    assert quiz.latest(tmp_path) is None
    assert quiz.latest(tmp_path / "nothing") is None


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("verdict", "maybe"),
        ("top", "ear"),
        ("clip", "no base64 !"),
        ("gap", "large"),
        ("plan", {"sample": "x"}),
        ("outlines", {"mouth": [[1, 2]]}),
    ],
)
def test_a_wrong_value_is_refused(made, key, value):
    found = copy.deepcopy(made.to_dict())
    found["questions"][0][key] = value
    with pytest.raises(UsageError):
        quiz.Quiz.from_dict(found)


def test_other_json_is_no_quiz():
    for found in ({}, {"schema": "x"}, json.loads("[]"), {"schema": quiz.SCHEMA, "questions": 3}):
        with pytest.raises(UsageError):
            quiz.Quiz.from_dict(found)


def test_outlines_cover_what_they_should():
    found = quiz.outlines(made_up.players())
    assert list(found) == list(PLAYERS)
    for number, name in enumerate(PLAYERS):
        ys = [y for ring in found[name] for _x, y in ring]
        assert 0.1 * number <= min(ys) <= max(ys) <= 0.1 * (number + 1)


def search(questions):
    return quiz._Search(None, np.random.default_rng(0), ["a"], questions, lambda *_: None)


@given(st.permutations([True, True, False, False, None, None, True, False]))
def test_the_choice_has_wrong_ones_but_not_only(outcomes):
    found = []
    for number, right in enumerate(outcomes):
        verdict = "none" if right is None else "not_forged" if right else "forged"
        found.append(
            quiz.Question(
                Plan("a", number, "genuine"), b"", b"", b"", b"", {}, verdict, 0, None, None
            )
        )
    chosen = search(8)._choose(found)
    right = [q.key.model_is_right for q in chosen]
    assert len(chosen) == 4
    assert 1 <= right.count(False) <= 2
    assert right.count(None) <= 1
    assert len({q.plan.start_s for q in chosen}) == 4


def test_too_few_usable_clips_are_told(monkeypatch):
    monkeypatch.setattr(quiz.clips, "draw", lambda *_a, **_k: Plan("a", 0, "planted"))

    def fails(*_arguments, **_options):
        raise UsageError("no face")

    monkeypatch.setattr(quiz, "ask", fails)
    with pytest.raises(UsageError, match="too few clips"):
        search(4).half(forged=True)


@pytest.mark.parametrize("questions", [0, 3, 14, -2])
def test_a_number_that_does_not_fit_is_refused(questions):
    with pytest.raises(UsageError, match="number of questions"):
        quiz.make_quiz(questions=questions, names=["a"])


def test_without_samples_there_is_no_quiz():
    with pytest.raises(UsageError, match="setup"):
        quiz.make_quiz(names=[])


def test_the_strip_is_above_the_picture_and_the_same_for_all():
    rng = np.random.default_rng(0)
    a, b = rng.integers(0, 255, (2, 90, 160, 3), dtype=np.uint8)
    high = clips.with_strip(a).shape[0] - 90
    assert (clips.with_strip(a)[high:] == a).all()
    assert (clips.with_strip(a)[:high] == clips.with_strip(b)[:high]).all()
    assert clips.with_strip(a)[:high].max() == 255
    assert high % 2 == 0


def test_draws_are_seeded_and_swap_two_people(monkeypatch):
    monkeypatch.setattr(clips, "_length", lambda _name: 60.0)
    names = ["cap12_edit", "cap13_edit2", "franck"]

    def plans():
        rng = np.random.default_rng(7)
        return [clips.draw("swapped", rng, names, reshared=i % 2 == 1) for i in range(40)]

    assert plans() == plans()
    for plan in plans():
        assert plan.faces[:3] != plan.sample[:3]
        assert 0 <= plan.start_s <= 60 - clips.SECONDS
        assert plan.forged_regions == FACE
    assert {bool(p.chain) for p in plans()} == {True, False}
    alone = clips.draw("swapped", np.random.default_rng(0), ["cap12_edit", "cap13_edit2"])
    assert alone.kind == "planted"  # one man alone cannot be swapped


@pytest.mark.timeout(300)
def test_a_real_clip_is_asked_about(sample):
    """One forged clip on the whole road: made, coded, judged, explained."""
    from toolkit.detectors.seamnet_small import SeamNetDetector

    sample("cap12_edit")
    plan = Plan("cap12_edit", 6.0, "planted", ("mouth",), 3.0)
    found = quiz.ask(plan, SeamNetDetector(device="cpu"))
    assert found.verdict == "forged"
    assert found.top == "mouth"
    assert found.mask
    assert {"mouth", "nose", "background"} <= set(found.outlines)
    assert len(found.clip) < 200_000
