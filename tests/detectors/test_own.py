"""What a detector offers, how its outputs are read, and objects of one's own."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from torch import nn

from toolkit.detectors import kinds, registry
from toolkit.detectors.base import opens_network
from toolkit.detectors.own import adapt
from toolkit.detectors.reading import NORMALISATIONS, Answer, Reading, read_labels
from toolkit.errors import DetectorError, OutOfRangeError, UnknownNameError, UsageError

CROPS = np.random.default_rng(0).integers(0, 256, (3, 32, 32, 3)).astype(np.uint8)


class Mine:
    """Fake is as red as it is."""

    size = 32
    fake = 1

    def __call__(self, crops):
        red = crops[..., 0].mean(axis=(1, 2)) / 255
        return np.stack([np.zeros(len(crops)), red], axis=1)


def test_five_lines_are_a_detector():
    detector = registry.resolve(Mine())
    red = CROPS[..., 0].mean(axis=(1, 2)) / 255
    assert detector.logits(CROPS) == pytest.approx(red, abs=1e-6)
    assert kinds.kind_of(detector) == "black_box"
    assert detector.card.threshold_measured is False
    assert detector.spec.size == 32
    assert adapt(detector) is detector
    assert len(kinds.lacks(detector)) == 2


def test_a_module_is_open_to_gradients_and_normalised():
    class Net(nn.Module):
        size, fake = 32, 0
        mean, std = NORMALISATIONS["imagenet"]

        def forward(self, x):
            return x.mean(dim=(1, 2, 3))

    detector = adapt(Net(), device="cpu")
    assert kinds.kind_of(detector) == "network"
    assert opens_network(detector)
    mean, std = np.array(NORMALISATIONS["imagenet"])
    by_hand = ((CROPS / 255 - mean) / std).mean(axis=(1, 2, 3))
    assert detector.logits(CROPS) == pytest.approx(by_hand, abs=1e-5)
    x = torch.from_numpy(CROPS.transpose(0, 3, 1, 2).astype(np.float32)).requires_grad_()
    logits = detector.net(x)
    assert logits.detach().numpy() == pytest.approx(by_hand, abs=1e-5)
    logits.sum().backward()
    assert float(x.grad.abs().min()) > 0


def test_a_patch_additive_detector_lacks_nothing():
    detector = registry.load("seamnet-small", device="cpu")
    assert kinds.kind_of(detector) == "patch_additive"
    assert kinds.lacks(detector) == ()


@pytest.mark.parametrize(
    ("thing", "match"),
    [
        (object(), "lacks __call__, size, fake"),
        (lambda crops: crops, "lacks size, fake"),
        (type("A", (Mine,), {"__call__": lambda _s, c: c[:, 0, 0, 0]})(), "1 outputs, 2 named"),
        (type("B", (Mine,), {"__call__": lambda _s, c: np.zeros((len(c), 5))})(), "5 outputs"),
        (type("C", (Mine,), {"__call__": lambda _s, c: np.zeros((len(c), 2, 2))})(), "one row"),
        (type("D", (Mine,), {"__call__": lambda _s, c: 1 / 0})(), "grey picture.*ZeroDivision"),
        (type("E", (Mine,), {"size": 3})(), "size"),
    ],
)
def test_what_is_no_detector_is_told_what_it_lacks(thing, match):
    with pytest.raises((DetectorError, OutOfRangeError), match=match):
        adapt(thing)


# --- readings and answers


def test_readings_are_what_the_networks_own_code_does():
    x = torch.from_numpy(CROPS.transpose(0, 3, 1, 2).astype(np.float32))
    mean, std = np.array(NORMALISATIONS["clip"])
    by_hand = ((CROPS[..., ::-1] / 255 - mean) / std).transpose(0, 3, 1, 2)
    read = Reading.named("clip", "bgr").read(x).numpy()
    assert read == pytest.approx(by_hand, abs=1e-5)
    assert set(Reading.named("half").alternatives()) == {"bgr", "imagenet", "clip", "none"}
    for bad in ({"std": (1, 0, 1)}, {"mean": (1, 2)}):
        with pytest.raises(OutOfRangeError):
            Reading(**bad)
    with pytest.raises(UnknownNameError):
        Reading(colour="hsv")
    with pytest.raises(UnknownNameError, match="imagenet"):
        Reading.named("other")


def test_answers_are_log_odds_of_the_softmax():
    outputs = torch.tensor([[0.3, -1.0, 2.0, 0.1, 0.9]])
    p = torch.softmax(outputs, 1)[0].numpy()
    answer = Answer((0, 2), (1, 3, 4))
    expected = math.log((p[0] + p[2]) / (p[1] + p[3] + p[4]))
    assert answer.logits(outputs).item() == pytest.approx(expected, abs=1e-5)
    asked = Answer((0, 2), (1, 3, 4), "probabilities")
    assert asked.logits(torch.softmax(outputs, 1)).item() == pytest.approx(expected, abs=1e-5)
    assert answer.swapped.logits(outputs).item() == pytest.approx(-expected, abs=1e-5)
    one = torch.tensor([0.5, 2.0])
    assert Answer((), (0,)).logits(one).tolist() == [-0.5, -2.0]
    assert Answer((0,), scale="probabilities").logits(torch.sigmoid(one)).tolist() == pytest.approx(
        [0.5, 2.0], abs=1e-5
    )
    assert torch.isfinite(
        Answer((0,), scale="probabilities").logits(torch.tensor([0.0, 1.0]))
    ).all()
    for fake, real in (((), ()), ((0, 0), ()), ((1,), ()), ((0, 1), ()), ((0,), (2,))):
        with pytest.raises(UsageError):
            Answer(fake, real)
    with pytest.raises(DetectorError, match="5 outputs, 2 named"):
        Answer((1,), (0,)).logits(outputs)


@pytest.mark.parametrize(
    ("labels", "fake"),
    [
        ({"0": "Real", "1": "Fake"}, (1,)),
        ({0: "Deepfake", 1: "Realism"}, (0,)),
        ({0: "human", 1: "AI-generated"}, (1,)),
        ({0: "bona fide", 1: "spoof"}, (1,)),
        ({0: "real", 1: "FaceSwapFake", 2: "synthetic"}, (1, 2)),
        ({0: "LABEL_0", 1: "LABEL_1"}, None),
        ({0: "real", 1: "not real"}, None),
        ({0: "fake or real", 1: "real"}, None),
        ({0: "cat", 1: "fake"}, None),
        ({0: "real", 2: "fake"}, None),
        ({0: "fake", 1: "deepfake"}, None),
        ({}, None),
        ({"a": "real"}, None),
        ({0: "unrealistic", 1: "real"}, None),
    ],
)
def test_classes_are_read_or_asked_for_but_never_guessed(labels, fake):
    answer = read_labels(labels)
    assert (answer and answer.fake) == fake
