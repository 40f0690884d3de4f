"""Two made-up people, one encoder: it learns, goes on where it stopped, and marks what it draws."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from tests.lessons.faces import face
from toolkit.errors import Cancelled, UsageError
from toolkit.forge import marks
from toolkit.lessons import face_autoencoder as lesson
from toolkit.lessons.face_autoencoder import FACES_MIN, SIZE, FaceLearner

PEOPLE = [[face(p, seed=i + 40 * (p == "two")) for i in range(FACES_MIN)] for p in ("one", "two")]


@pytest.fixture
def learner():
    return FaceLearner(*PEOPLE)


@pytest.fixture(scope="module")
def learned():
    """One that has learned; nobody teaches it more."""
    learner = FaceLearner(*PEOPLE)
    learner.learn(40)
    return learner


@pytest.mark.slow
def test_it_learns_to_draw_both(learned):
    first, last = learned.moments[:5], learned.moments[-5:]
    for name in ("loss_a", "loss_b"):
        before, after = (np.mean([getattr(m, name) for m in part]) for part in (first, last))
        assert after < 0.8 * before
    assert learned.steps == 40
    assert [m.step for m in learned.moments] == list(range(1, 41))


@pytest.mark.slow
def test_each_decoder_draws_its_own_person(learned):
    means = [np.asarray(p).mean(axis=(0, 2, 3)) for p in learned.pictures]
    if np.abs(means[0] - means[1]).max() < 0.02:
        pytest.fail("the two made-up people must differ in colour for this test to say anything")
    x = learned.pictures[0]
    with torch.inference_mode():
        own, other = (learned.net(x, person).mean((0, 2, 3)).numpy() for person in (0, 1))
    assert np.abs(own - means[0]).sum() < np.abs(own - means[1]).sum()
    assert np.abs(other - means[1]).sum() < np.abs(other - means[0]).sum()


def test_it_goes_on_where_it_stopped(tmp_path):
    FaceLearner(*PEOPLE, keep_in=tmp_path).learn(3)
    again = FaceLearner(*PEOPLE, keep_in=tmp_path)
    assert again.steps == 3
    again.learn(2)
    assert [m.step for m in FaceLearner(*PEOPLE, keep_in=tmp_path).moments] == [1, 2, 3, 4, 5]
    turned = FaceLearner(*PEOPLE[::-1], keep_in=tmp_path)
    assert turned.steps == 0  # other pictures, in another order: another file
    (kept,) = tmp_path.iterdir()
    kept.write_bytes(b"not what it was")
    assert FaceLearner(*PEOPLE, keep_in=tmp_path).steps == 0


def test_what_was_learned_before_a_stop_is_kept(tmp_path):
    learner = FaceLearner(*PEOPLE, keep_in=tmp_path)

    def tick(_stage, done, _total):
        if done == 4:
            raise Cancelled

    with pytest.raises(Cancelled):
        learner.learn(50, tick=tick)
    assert learner.steps == FaceLearner(*PEOPLE, keep_in=tmp_path).steps == 4


def test_nothing_is_written_unless_a_folder_is_named(learner, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    learner.learn(1)
    assert not list(tmp_path.rglob("*"))


def test_what_is_drawn_is_marked_and_what_was_recorded_is_not(learner):
    learner.learn(1)
    recorded, rebuilt, swapped = lesson.sheet(learner.redraw(0))
    assert not marks.find_label(recorded).is_there
    assert marks.find_label(rebuilt).is_there
    assert marks.find_label(swapped).is_there
    drawn = learner.redraw(0).rebuilt
    strip = np.concatenate(list(drawn), axis=1).repeat(2, axis=0).repeat(2, axis=1)
    assert np.array_equal(rebuilt[: 2 * SIZE], strip)  # the mark covers no face


def test_too_few_pictures_and_no_steps_are_refused(learner):
    with pytest.raises(UsageError, match="too few pictures"):
        FaceLearner(PEOPLE[0], PEOPLE[1][:3])
    with pytest.raises(UsageError, match="no steps"):
        learner.learn(0)
