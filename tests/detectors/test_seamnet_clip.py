"""The larger SeamNet on a made-up body: heads, pooling, cards, and who steps in for it."""

from __future__ import annotations

import dataclasses
import hashlib
import json

import numpy as np
import pytest
import torch
from torch import nn

from tests.detectors.test_seamnet_small import crops
from toolkit import models, runtime
from toolkit.detectors import clip_body, clip_tower, registry, seamnet_clip
from toolkit.detectors.base import network_of, opens_network
from toolkit.detectors.canary import SIZE
from toolkit.detectors.seamnet_clip import (
    GRID,
    Heads,
    SeamNet2Detector,
    Shape,
    float_logits,
    paths,
)
from toolkit.errors import DetectorError, ModelError, UsageError
from toolkit.explain import ledger, pixels
from toolkit.explain.fused import fuse_batch_norm
from toolkit.messages import phrase
from toolkit.training.clip_pack import pack

BLOCKS = (4, 6)


class FloatTokens(nn.Module):
    """Says of each patch its mean colours, spread over the 768 channels; both bodies do."""

    def __init__(self, blocks):
        super().__init__()
        self.count = len(blocks)
        self.mix = nn.Conv2d(3, clip_body.WIDTH, SIZE // GRID, SIZE // GRID, bias=False)
        generator = torch.Generator().manual_seed(5)
        with torch.no_grad():
            self.mix.weight.copy_(torch.randn(self.mix.weight.shape, generator=generator) / 100)

    def forward(self, x):
        flat = self.mix(x / 255).flatten(2).transpose(1, 2)
        return torch.stack([flat * (k + 1) for k in range(self.count)], 1)


class IntegerTokens:
    sha256 = "cd" * 32
    off = 0.0

    def __init__(self, blocks, sha256=None, *, wide=False):
        self.wide = wide
        self.net, self.seen = FloatTokens(blocks), 0

    def run(self, rgb):
        self.seen += 1
        x = torch.from_numpy(np.ascontiguousarray(rgb.transpose(2, 0, 1))[None]).float()
        with torch.inference_mode():
            found = self.net(x)[0].numpy()
        return [found[0] + self.off, *found]

    def tokens(self, rgb):
        return np.stack(self.run(rgb)[1:])


@pytest.fixture
def body(monkeypatch):
    """Put a made-up body in place of the real one; it needs no file."""
    monkeypatch.setattr(clip_body, "missing", lambda: None)
    monkeypatch.setattr(clip_body, "IntegerBody", IntegerTokens)
    clip_body.integer_body.cache_clear()
    monkeypatch.setattr(clip_tower, "float_body", lambda blocks: FloatTokens(blocks).eval())
    yield
    clip_body.integer_body.cache_clear()


def tensors(shape: Shape, seed: int = 0) -> dict[str, np.ndarray]:
    torch.manual_seed(seed)
    heads = Heads(shape)
    found = {k: v.detach().numpy().copy() for k, v in heads.state_dict().items()}
    rng = np.random.default_rng(seed)
    found["w1"] = rng.normal(0, 0.2, found["w1"].shape)
    found["mean"], found["std"] = rng.normal(0, 0.1, shape.width), np.full(shape.width, 0.5)
    found["log_a"] = np.float32(0.3)
    found["small_weight"] = np.float32(0.3 * shape.beside_small)
    found["reference"] = np.full((GRID, GRID), -3)
    return found


def write(folder, *, small=False, heads=2, **facts):
    shape = Shape(BLOCKS, small, heads, 8, 2.0)
    out = folder / "head.safetensors"
    given = {"blocks": BLOCKS, "tau": 2.0, "threshold": 1.0} | facts
    pack(tensors(shape), given, out)
    return out


@pytest.fixture
def head(body, tmp_path):
    return write(tmp_path)


@pytest.mark.parametrize("small", [False, True])
def test_both_paths_are_the_same_network(body, tmp_path, small):
    detector = SeamNet2Detector(device="cpu", weights=write(tmp_path, small=small))
    made = crops(3)
    evidence = detector.evidence(made)
    assert evidence.logits == pytest.approx(float_logits(detector, made.rgb), abs=1e-4)
    assert evidence.patches.shape == (3, GRID, GRID)
    assert ledger.frame_logits(evidence) == pytest.approx(evidence.logits, abs=1e-4)
    assert evidence.spans.tolist() == [[0, 0], [1, 1], [2, 2]]
    assert np.ptp(evidence.logits) > 1e-3


def test_how_far_the_paths_lie_apart_is_measured(head, monkeypatch):
    detector, made = SeamNet2Detector(device="cpu", weights=head), crops(6).rgb
    same = paths(detector, made)
    assert same["crops"] == 6
    assert same["largest"] < 1e-4
    assert same["same_verdict"] == 1
    exact = detector.logits(made)
    detector.card = dataclasses.replace(detector.card, threshold=float(exact[0]) + 0.25)
    monkeypatch.setattr(
        seamnet_clip, "float_logits", lambda _judge, rgb: detector.logits(rgb) + 0.5
    )
    apart = paths(detector, made)
    assert apart["median"] == pytest.approx(0.5, abs=1e-5)
    assert apart["largest"] == pytest.approx(0.5, abs=1e-5)
    assert apart["mean"] == pytest.approx(-0.5, abs=1e-5)
    turned = (exact < exact[0] + 0.25) & (exact + 0.5 >= exact[0] + 0.25)
    assert apart["same_verdict"] == pytest.approx(1 - turned.mean())
    assert turned.any()


def test_the_small_network_has_its_part(body, tmp_path):
    (tmp_path / "with").mkdir()
    alone = SeamNet2Detector(device="cpu", weights=write(tmp_path))
    both = SeamNet2Detector(device="cpu", weights=write(tmp_path / "with", small=True))
    made = crops(2)
    small = registry.load("seamnet-small", device="cpu").evidence(made).patches
    wanted = alone.evidence(made).patches + 0.3 * small
    assert both.evidence(made).patches == pytest.approx(wanted, abs=1e-4)


def test_heads_are_averaged_patch_by_patch(body):
    both, shape = Heads(Shape(BLOCKS, False, 2, 8, 2.0)), Shape(BLOCKS, False, 1, 8, 2.0)
    x = torch.randn(2, shape.width, GRID, GRID)
    alone = []
    for k in range(2):
        one = Heads(shape)
        with torch.no_grad():
            for name in ("w1", "b1", "w2", "b2"):
                getattr(one, name).copy_(getattr(both, name)[k : k + 1])
        alone.append(one(x))
    assert torch.allclose(both(x), (alone[0] + alone[1]) / 2, atol=1e-6)


def test_standardised_channels_are_cut_off():
    heads = Heads(Shape((4,), False, 1, 8, 2.0))
    far = torch.full((1, clip_body.WIDTH), 1e6)
    assert heads.standardise(far).max() == seamnet_clip.CLIP
    assert heads.standardise(-far).min() == -seamnet_clip.CLIP


def test_pooling_is_a_mean_of_exponentials():
    heads = Heads(Shape((4,), False, 1, 8, 2.0))
    patches = torch.randn(2, GRID, GRID)
    mean = torch.exp(2 * patches.double()).mean(dim=(1, 2))
    assert torch.allclose(heads.pool(patches).double(), mean.log() / 2, atol=1e-5)


def test_side_by_side_answers_are_the_same_bits(head, monkeypatch):
    detector, made = SeamNet2Detector(device="cpu", weights=head), crops(5)
    alone = detector.evidence(made)
    monkeypatch.setenv(runtime.THREADS_VARIABLE, "3")
    assert detector.batch == 3
    together = detector.evidence(made)
    assert (alone.logits == together.logits).all()
    assert (alone.patches == together.patches).all()


def test_no_crops_are_no_error(head):
    evidence = SeamNet2Detector(device="cpu", weights=head).evidence(crops(0))
    assert evidence.logits.shape == (0,)
    assert evidence.patches.shape == (0, GRID, GRID)


def test_the_network_is_built_only_when_somebody_asks(head, monkeypatch):
    detector = SeamNet2Detector(device="cpu", weights=head)
    assert opens_network(detector)
    assert (
        fuse_batch_norm(detector) is detector
    )  # the network does not judge: nothing to make faster
    assert "net" not in vars(detector)
    x = torch.rand(1, 3, SIZE, SIZE, requires_grad=True)
    network_of(detector)(x)[0].sum().backward()
    assert x.grad.abs().sum() > 0


def test_captums_methods_draw_on_the_map_that_the_heads_read(head):
    detector, made = SeamNet2Detector(device="cpu", weights=head), crops(1)
    layer = pixels.last_map(detector.net, torch.zeros(1, 3, SIZE, SIZE))
    assert layer is detector.net.reader
    found = pixels.attribute(
        detector.net, made.rgb[0], "grad_cam", region_map=made.region_map[0], reference=None
    )
    assert np.abs(found.heat).sum() > 0
    for method in ("deep_lift", "guided_backprop"):
        assert "GELU" in str(pixels.refusal(detector.net, method))
    asked = pixels.attribute(
        pixels.DetectorModule(detector),
        made.rgb[0],
        "feature_ablation",
        region_map=made.region_map[0],
        reference=made.rgb[0] // 2,
    )
    assert asked.logit == pytest.approx(float(detector.logits(made.rgb)[0]), abs=1e-6)


@pytest.mark.parametrize(
    ("change", "match"),
    [
        ({"canary": {"int8": {"logit": 99.0, "tolerance": 0.1}}}, "canary logit"),
        ({"canary": {"int8": {"logit": float("nan"), "tolerance": 0.1}}}, "cannot be read"),
        ({"fingerprint": [9.0] * 8}, "first block differs"),
        ({"sha256": "0" * 64}, "another one"),
        ({"tau": None}, "not complete"),
        ({"heads": 3}, "shape"),
    ],
)
def test_a_card_that_does_not_belong_is_refused(head, change, match):
    card = head.with_suffix(".json")
    facts = json.loads(card.read_text()) | change
    card.write_text(json.dumps({k: v for k, v in facts.items() if v is not None}))
    with pytest.raises(ModelError, match=match):
        SeamNet2Detector(device="cpu", weights=head)


def test_a_processor_that_cuts_sums_off_gets_wide_ones(head, monkeypatch):
    class CutsOff(IntegerTokens):
        """Right only with wide sums, as on x86-64 without VNNI."""

        @property
        def off(self):
            return 0.0 if self.wide else 0.5

    monkeypatch.setattr(clip_body, "IntegerBody", CutsOff)
    clip_body.integer_body.cache_clear()
    detector = SeamNet2Detector(device="cpu", weights=head)
    assert detector._body.wide


def test_a_head_trained_beside_another_small_network_is_refused(body, tmp_path):
    head = write(tmp_path, small=True)
    card = head.with_suffix(".json")
    card.write_text(json.dumps(json.loads(card.read_text()) | {"small_sha256": "0" * 64}))
    with pytest.raises(ModelError, match="trained beside"):
        SeamNet2Detector(device="cpu", weights=head)


def test_the_card_works_out_what_it_says(head):
    facts = json.loads(head.with_suffix(".json").read_text())
    assert facts["sha256"] == hashlib.sha256(head.read_bytes()).hexdigest()
    assert facts["body_sha256"] == models.find(clip_body.ID).sha256
    assert facts["canary"]["int8"]["tolerance"] >= 0.05
    assert (facts["heads"], facts["hidden"]) == (2, 8)


def test_heads_that_do_not_fit_are_not_written(body, tmp_path):
    shape = Shape(BLOCKS, False, 1, 8, 2.0)
    facts = {"blocks": (4,), "tau": 2.0, "threshold": 1.0}
    with pytest.raises(UsageError, match="do not fit"):
        pack(tensors(shape), facts, tmp_path / "a.safetensors")
    with pytest.raises(UsageError, match="tau"):
        pack(tensors(shape), {"blocks": BLOCKS}, tmp_path / "a.safetensors")
    assert not list(tmp_path.glob("a.*"))


# --- who judges


def test_without_its_body_the_small_network_steps_in(monkeypatch):
    monkeypatch.setattr(clip_body, "missing", lambda: phrase("It was not fetched."))
    judge = registry.load("seamnet", device="cpu")
    assert judge.card.name == "seamnet-small"
    assert (judge.card.instead_of, str(judge.card.because)) == ("seamnet", "It was not fetched.")
    assert registry.load("seamnet-small", device="cpu").card.instead_of is None
    other, why = registry.substitute("seamnet")
    assert (other, str(why)) == ("seamnet-small", "It was not fetched.")
    assert registry.substitute("meso4") is None
    with pytest.raises(ModelError, match=r"not here.*not fetched.*seamnet-small"):
        SeamNet2Detector(device="cpu")


def test_what_is_missing_is_said(monkeypatch, tmp_path):
    monkeypatch.delenv(clip_body.SMALL_VARIABLE, raising=False)
    monkeypatch.setattr(models, "CACHE", tmp_path)
    assert "was not fetched" in str(clip_body.missing())
    (tmp_path / models.find(clip_body.ID).file).write_bytes(b"anything")
    assert clip_body.missing() is None
    monkeypatch.setattr(clip_body, "find_spec", lambda _name: None)
    assert "onnxruntime" in str(clip_body.missing())
    monkeypatch.setenv(clip_body.SMALL_VARIABLE, "1")
    assert clip_body.SMALL_VARIABLE in str(clip_body.missing())


def test_reports_of_the_small_network_under_its_old_name_are_still_known():
    facts = json.loads(registry.weights("seamnet-small").with_suffix(".json").read_text())
    assert registry.name_now("seamnet", facts["sha256"]) == "seamnet-small"
    assert registry.name_now("seamnet", "ab" * 32) == "seamnet"


def test_a_detector_of_ones_own_is_loaded_by_name(monkeypatch):
    monkeypatch.setattr(registry, "_registered", {})
    registry.register("mine", lambda device: f"on {device}")
    assert registry.load("mine", device="cpu") == "on cpu"
    assert registry.names()[-1] == registry.available()[-1] == "mine"
    for name in ("seamnet", ""):
        with pytest.raises(DetectorError, match="cannot be registered"):
            registry.register(name, lambda _device: None)
    with pytest.raises(DetectorError, match="mine"):
        registry.load("other")
