"""The check of a detector: each planted mistake is named, each point can fail."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import nn

from toolkit.detectors import conformance, mesonet, registry
from toolkit.detectors.base import Card, FrameDetector, InputSpec
from toolkit.detectors.conformance import Canary, check
from toolkit.detectors.foreign import NetworkDetector
from toolkit.detectors.own import adapt
from toolkit.detectors.reading import Answer, Reading
from toolkit.errors import DetectorError, UsageError
from toolkit.evaluation.studies import detector_checks

SPEC = InputSpec(48, 0.15)
CARD = Card("x", "x", "", 0.0, "", (), threshold_measured=False)


class Net(nn.Module):
    """Weighs colours and a corner; two outputs."""

    def forward(self, x):
        fake = 3 * x[:, 0].mean((1, 2)) - 2 * x[:, 2].mean((1, 2)) + x[:, 1, :9, :9].mean((1, 2))
        return torch.stack([0 * fake, fake], 1)


def detector(**changes):
    reading = Reading.named("imagenet")
    made = NetworkDetector(Net(), CARD, SPEC, reading, Answer((1,), (0,)), device="cpu")
    return made.but(**changes) if changes else made


def crop(seed):
    rng = np.random.default_rng(seed)
    rgb = rng.integers(0, 256, (48, 48, 3)) * rng.uniform(0.2, 1, 3)
    return rgb.astype(np.uint8)


def pair():
    pictures = [crop(1), crop(2)]
    logits = detector().logits(np.stack(pictures))
    fake = int(logits.argmax())
    return [
        Canary(p, i == fake, round(float(z), 2))
        for i, (p, z) in enumerate(zip(pictures, logits, strict=True))
    ]


def test_a_right_detector_passes_every_point():
    found = check(detector(), pair(), other=detector)
    assert found.passed
    assert found.mistakes == ()
    states = {p.name: p.state for p in found.points}
    assert states.pop("margin") == "skipped"  # the canaries are finished crops
    assert set(states.values()) == {"passed"}
    assert found.seconds_per_face > 0
    assert {"as it is", "classes", "bgr", "half", "clip", "none"} == set(found.readings)
    assert found["canary"].state == "passed"
    with pytest.raises(KeyError):
        found["nothing"]


@pytest.mark.parametrize(
    ("changes", "mistake"),
    [
        ({"answer": Answer((0,), (1,))}, "classes"),
        ({"reading": Reading.named("half")}, "normalisation"),
        ({"reading": Reading.named("imagenet", "bgr")}, "colours"),
        ({"answer": Answer((0, 2), (1,))}, "outputs"),
        ({"answer": Answer((1,), (0,), "probabilities")}, "probability"),
    ],
)
def test_a_planted_mistake_is_named(changes, mistake):
    found = check(detector(**changes), pair())
    assert not found.passed
    assert found.mistakes[0] == mistake


def test_a_sigmoid_inside_is_named():
    class Squashed(Net):
        def forward(self, x):
            return torch.softmax(super().forward(x), 1)

    made = NetworkDetector(
        Squashed(), CARD, SPEC, Reading.named("imagenet"), Answer((1,), (0,)), device="cpu"
    )
    for canaries in ((), pair()):
        found = check(made, canaries)
        assert not found.passed
        assert found.mistakes == ("probability",)
    right = made.but(answer=replace(made.answer, scale="probabilities"))
    assert check(right, pair()).mistakes == ()


def test_with_labels_only_the_order_warns_and_does_not_stop():
    canaries = [replace(c, expected=None) for c in pair()]
    assert check(detector(), canaries)["order"].state == "passed"
    swapped = check(detector(answer=Answer((0,), (1,))), canaries)
    assert swapped["order"].state == "warning"
    assert swapped.mistakes == ("classes",)
    assert check(detector(), canaries[:1])["order"].state == "skipped"


class Odd(FrameDetector):
    """A detector with one fault."""

    card, spec = CARD, SPEC

    def __init__(self, fault):
        self.fault, self.calls = fault, 0

    def logits(self, rgb):
        self.calls += 1
        mean = rgb.mean(axis=(1, 2, 3), dtype=np.float64) / 255
        faults = {
            "shapes": lambda: mean,  # float64
            "repeats": lambda: np.float32(mean + self.calls),
            "batches": lambda: np.float32(mean - mean.mean()),
            "finite": lambda: np.float32(np.where(mean > 0, mean, np.nan)),
            "raises": lambda: 1 / 0,
        }
        return faults[self.fault]()


@pytest.mark.parametrize("fault", ["shapes", "repeats", "batches", "finite", "raises"])
def test_each_point_can_fail(fault):
    found = check(Odd(fault))
    assert not found.passed
    failed = [p.name for p in found.points if p.state == "failed"]
    assert (fault if fault != "raises" else "shapes") in failed


def test_gradients_and_devices_can_fail():
    class Flat(Net):
        def forward(self, x):
            return super().forward(x).round()

    made = NetworkDetector(Flat(), CARD, SPEC, Reading(), Answer((1,), (0,)), device="cpu")
    assert check(made)["gradients"].state == "failed"
    other = detector(reading=Reading.named("half"))
    assert check(detector(), other=lambda: other)["devices"].state == "failed"


def test_an_object_of_ones_own_is_checked_from_outside():
    class Mine:
        size, fake = 48, 1

        def __call__(self, crops):
            return np.stack([np.zeros(len(crops)), crops[..., 0].mean((1, 2)) / 16 - 8], 1)

    canary = Canary(crop(1), True, float(adapt(Mine()).logits(crop(1)[None])[0]))
    assert check(adapt(Mine()), [canary]).passed

    class Bgr(Mine):
        def __call__(self, crops):
            return super().__call__(crops[..., ::-1])

    assert check(adapt(Bgr()), [canary]).mistakes == ("colours",)


def test_the_bundled_detectors_pass():
    assert check(registry.load("seamnet-small", device="cpu")).passed


def test_the_published_figures_of_mesonet_catch_mistakes(shared):
    """The four published test pictures, P(real) to three digits, as canaries of a real network."""
    cv2 = pytest.importorskip("cv2")
    folder = shared / "data" / "weights" / "mesonet"
    name = "meso4"
    data = (folder / mesonet.PUBLISHED[name].file).read_bytes()
    from safetensors.torch import load

    net = mesonet.MesoNet(inception=False)
    net.load_state_dict(load(mesonet.convert(data, name)), strict=False)

    class Foreign(nn.Module):
        def __init__(self):
            super().__init__()
            self.net = net

        def forward(self, x):
            return -self.net(255 * x)  # the published network's own output: the logit of P(real)

    pictures = ("df/df00204", "df/df01254", "real/real00240", "real/real00772")
    published = (0.052, 0.020, 0.990, 0.997)
    canaries = []
    for picture, p in zip(pictures, published, strict=True):
        bgr = cv2.imread(str(folder / "test_images" / f"{picture}.jpg"))
        rgb = cv2.resize(bgr[..., ::-1].copy(), (256, 256))
        logit, within = float(np.log((1 - p) / p)), 0.01 / (p * (1 - p))  # of P, as the guide says
        canaries.append(Canary(rgb, p < 0.5, logit, within=within))
    spec = InputSpec(256, 0.06)
    right = NetworkDetector(Foreign(), CARD, spec, Reading(), Answer((), (0,)), device="cpu")
    found = check(right, canaries)
    assert found.passed
    assert found.mistakes == ()
    assert not check(right.but(answer=Answer((0,))), canaries).passed
    assert not check(right.but(reading=Reading.named("imagenet")), canaries).passed


def test_canaries_need_a_face_or_are_crops(face_models):
    with pytest.raises(DetectorError, match="no face"):
        conformance.read_canary(np.zeros((64, 64, 3), np.uint8), is_fake=True)
    assert conformance.read_canary(crop(1), is_fake=True, is_crop=True).mesh is None
    assert Canary(crop(1), True).crop(InputSpec(32, 0)).shape == (32, 32, 3)


# --- the study


@pytest.mark.slow
def test_the_study_finds_each_mistake_and_lets_right_ones_pass(sample, tmp_path, capsys):
    for name in (detector_checks.GENUINE, detector_checks.FORGED):
        sample(name)
    out = tmp_path / "out.json"
    # tries that are no multiple of 4 hold random networks, which are quick
    outcomes = [
        detector_checks.one(mistake, 1, detector_checks.faces(), published=True)
        for mistake in (*detector_checks.MISTAKES, None)
    ]
    assert all(o.is_right for o in outcomes), outcomes
    detector_checks._write(out, outcomes, published=True)
    assert detector_checks._read(out, published=True) == outcomes
    assert detector_checks._read(out, published=False) == []
    assert "alone in 1" in "\n".join(detector_checks.table(outcomes))
    out.write_text("{}")
    with pytest.raises(UsageError, match="no result"):
        detector_checks._read(out, published=True)
