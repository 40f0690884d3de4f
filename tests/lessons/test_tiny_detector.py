"""The ten-line detector: seeded, it learns, and is counted on a person it never saw."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from tests.lessons.faces import face
from toolkit.errors import Cancelled, UsageError
from toolkit.lessons import tiny_detector

pytestmark = pytest.mark.usefixtures("face_models")


@pytest.fixture(scope="module")
def faces():
    return [face(p, seed=i) for i, p in enumerate(["one"] * 4 + ["two"] * 3)]


def learn(faces, **options):
    torch.manual_seed(0)
    net = tiny_detector.ten_lines()
    options = {"unseen": "two", "steps": 40, "seed": 3} | options
    return net, tiny_detector.train(net, faces, **options)


@pytest.mark.slow
@pytest.mark.timeout(240)
def test_it_learns_and_repeats(faces, monkeypatch):
    monkeypatch.setattr(tiny_detector, "TESTED", 40)
    net, first = learn(faces)
    losses = [m.loss for m in first.moments]
    assert np.mean(losses[-8:]) < np.mean(losses[:8])
    assert first.unseen.tested == tiny_detector.TESTED
    assert first.logits.shape == (2, tiny_detector.TESTED // 2)
    again = tiny_detector.count(net, first.tests)
    assert again[0] == first.unseen
    assert [m.step for m in first.moments if m.unseen] == list(range(6, 41, 6))
    monkeypatch.setattr(tiny_detector, "TESTED", 2)
    monkeypatch.setattr(tiny_detector, "PAIRS", 2)
    _net, second = learn(faces, steps=3)
    _net, third = learn(faces, steps=3)
    assert [m.loss for m in second.moments] == [m.loss for m in third.moments]


def test_test_pictures_are_of_the_person_it_never_saw(faces):
    pairs = tiny_detector.make_pairs(
        [f for f in faces if f.person == "two"], 6, np.random.default_rng(1)
    )
    assert pairs.fake.shape == (6, tiny_detector.SIZE, tiny_detector.SIZE, 3)
    changed = np.abs(pairs.fake.astype(int) - pairs.real).mean(axis=3)
    inside, outside = changed[pairs.mask > 0.5].mean(), changed[pairs.mask == 0].mean()
    assert inside > outside


@pytest.mark.parametrize("unseen", ["three", ""])
def test_two_people_are_needed(faces, unseen):
    with pytest.raises(UsageError, match="two people"):
        learn(faces, unseen=unseen)
    with pytest.raises(UsageError, match="two people"):
        learn([f for f in faces if f.person == "two"])


def test_it_can_be_cancelled(faces):
    def stop(stage, done, total):
        if stage == "learn" and done == 2:
            raise Cancelled

    with pytest.raises(Cancelled):
        learn(faces, tick=stop)


def test_patches_show_where(faces):
    net = tiny_detector.ten_lines()
    rgb = np.zeros((tiny_detector.SIZE, tiny_detector.SIZE, 3), np.uint8)
    before = tiny_detector.heat(net, rgb)
    rgb[:20, :20] = np.random.default_rng(0).integers(0, 255, (20, 20, 3))
    moved = np.argwhere(np.abs(tiny_detector.heat(net, rgb) - before) > 1e-6)
    assert moved.size
    assert moved.max() <= 8  # of 28: a patch looks at its neighbourhood only
    with pytest.raises(UsageError, match="patches"):
        tiny_detector.heat(torch.nn.Sequential(torch.nn.Flatten()), rgb)


def test_no_faces_are_told():
    with pytest.raises(UsageError, match="no faces"):
        tiny_detector.make_pairs([], 1, np.random.default_rng(0))
