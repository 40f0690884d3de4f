"""LRNet: the port against the published layout's check values, spans, and shares that add up."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from toolkit import models
from toolkit.cli import main as cli
from toolkit.detectors import kinds, lrnet, registry, weights
from toolkit.detectors.base import can_hold_still
from toolkit.detectors.lrnet import BLOCK
from toolkit.errors import ModelError, ShapeError
from toolkit.explain import spans
from toolkit.types import REGIONS, FaceCrops

VALUES = {
    "demo_g1": (2.13139, -0.96204),
    "demo_g2": (9.57726, -7.96338),
    "training_g1": (-1.27827, 0.87768),
    "training_g2": (5.61814, -4.00123),
}


def wave():
    t, j = np.arange(BLOCK)[:, None], np.arange(136)
    return (0.5 * np.sin(0.1 * t + 0.2 * j)).astype(np.float32)[None]


@pytest.fixture(scope="module")
def files(shared, tmp_path_factory):
    folder, found = tmp_path_factory.mktemp("lrnet"), {}
    for name in VALUES:
        found[name] = folder / f"{name}.safetensors"
        weights.convert(shared / "data" / "weights" / "lrnet" / f"{name}.pth", found[name])
    return found


@pytest.fixture(scope="module")
def cache(shared, tmp_path_factory):
    """Both published pairs, put where `registry.load` finds them by the command for it."""
    folder = tmp_path_factory.mktemp("cache")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(models, "CACHE", folder)
        source = shared / "data" / "weights" / "lrnet"
        assert cli.main(["weights", *(str(source / f"{name}.pth") for name in VALUES)]) == 0
    return folder


@pytest.fixture(scope="module")
def detector(cache):
    with pytest.MonkeyPatch.context() as patch:  # the face models stay where they are
        patch.setattr(models, "CACHE", cache)
        return registry.load("lrnet")


@pytest.mark.parametrize("name", registry.LRNETS)
def test_both_published_pairs_are_known_by_name(cache, name, monkeypatch):
    monkeypatch.setattr(models, "CACHE", cache)
    assert name in registry.available()
    detector = registry.load(name)
    assert detector.card.name == name
    assert "experimental" in detector.card.title
    assert can_hold_still(detector)
    known = lrnet.PUBLISHED[name]
    logits = [VALUES[file.removesuffix(".pth")] for file in known.files]
    p = np.mean([1 / (1 + np.exp(real - fake)) for real, fake in logits])
    assert known.canary_logit == pytest.approx(np.log(p / (1 - p)), abs=1e-4)


def test_half_a_pair_and_other_files_are_refused(shared, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(models, "CACHE", tmp_path)
    registry.add_weights(shared / "data" / "weights" / "lrnet" / "demo_g1.pth")
    assert "lrnet" not in registry.available()
    with pytest.raises(ModelError, match=r"demo_g2\.pth"):
        registry.load("lrnet")
    (tmp_path / "lrnet-steps.safetensors").write_bytes(b"not these")
    with pytest.raises(ModelError, match="damaged or another one"):
        registry.load("lrnet")
    other = tmp_path / "other.pth"
    other.write_bytes(b"no pickle of theirs")
    assert cli.main(["weights", str(other)]) == cli.EXIT_INSTALLATION
    assert "not a published LRNet file" in capsys.readouterr().err


@pytest.mark.slow
@pytest.mark.parametrize("name", list(VALUES))
def test_the_port_gives_the_check_values(files, name):
    x = torch.from_numpy(wave())
    if name.endswith("g2"):
        x = x[:, 1:] - x[:, :-1]
    net = lrnet.load_stream(files[name])
    assert sum(p.numel() for p in net.parameters()) == 41_154
    assert net(x)[0].tolist() == pytest.approx(VALUES[name], abs=1e-4)


def crops(n, rng=None):
    rng = rng or np.random.default_rng(0)
    face = rng.uniform(10, 54, (478, 3))
    mesh = (face + rng.normal(0, 0.4, (n, 478, 3))).astype(np.float32)
    matrix = np.tile(np.array([[2.0, 0, 30], [0, 2.0, 40]]), (n, 1, 1))
    return FaceCrops(
        np.zeros((n, 64, 64, 3), np.uint8),
        matrix,
        mesh,
        np.zeros((n, 64, 64), np.uint8),
        *(np.zeros(n) for _ in range(3)),
    )


def test_evidence_is_of_spans_and_a_short_last_block_is_dropped(detector):
    evidence = detector.evidence(crops(2 * BLOCK + 7))
    assert evidence.spans.tolist() == [[0, 29], [30, 59]]
    assert np.isfinite(evidence.logits).all()
    assert kinds.kind_of(detector) == "whole_clip"
    assert len(kinds.lacks(detector)) == 3
    with pytest.raises(ShapeError, match="30 moments"):
        detector.evidence(crops(BLOCK - 1))
    with pytest.raises(ModelError, match="stretches"):
        detector.logits(np.zeros((1, 64, 64, 3), np.uint8))


@pytest.mark.slow
def test_a_clip_is_explained_in_stretches(detector, sample):
    from toolkit.analysis import pipeline
    from toolkit.types import Sampling

    report = pipeline.analyse(sample("cap12_edit"), detector=detector, sampling=Sampling(frames=65))
    (track,) = pipeline.to_dict(report)["tracks"]
    assert len(track["frames"]) == 2
    assert all(f["last_pts"] > f["pts"] for f in track["frames"])
    assert track["frames"][1]["pts"] > track["frames"][0]["last_pts"]
    shares = sum(f["share"] for f in track["frames"])
    assert track["reference"]["logit"] + shares == pytest.approx(track["verdict"]["logit"])
    (result,) = report.tracks
    middles = {(a + b) // 2 for a, b in result.evidence.spans.tolist()}
    assert {k.position for k in result.key_frames} <= middles
    assert "threshold_not_measured" in {n.code for n in report.notices}
    explanation = result.explanation
    within = explanation.shares.sum(axis=1) + explanation.unsplit
    assert within == pytest.approx(explanation.frame_shares)
    assert (np.abs(explanation.shares).sum(axis=1) > 0).any()  # regions by stretches
    background = explanation.shares[:, REGIONS.index("background")]
    assert (background == 0).all()


def test_landmarks_do_not_depend_on_the_crop_or_its_place(detector):
    one = crops(BLOCK)
    moved = FaceCrops(
        one.rgb,
        one.crop_to_frame * 3 + np.array([[0, 0, 100], [0, 0, -50]]),
        one.mesh,
        one.region_map,
        one.face_width,
        one.sharpness,
        one.padding,
    )
    assert lrnet.landmarks(moved) == pytest.approx(lrnet.landmarks(one), abs=1e-4)
    assert np.abs(lrnet.landmarks(one)).max() < 1.3


def test_the_logit_is_that_of_the_mean_probability(detector):
    x = wave()
    p = [
        torch.softmax(net(part).double(), 1)[0, 1].item()
        for net, part in zip(
            detector.streams,
            (torch.from_numpy(x), torch.from_numpy(x[:, 1:] - x[:, :-1])),
            strict=True,
        )
    ]
    mean = sum(p) / 2
    assert detector.block_logits(x)[0] == pytest.approx(np.log(mean / (1 - mean)), abs=1e-6)
    assert np.isfinite(detector.block_logits(1e3 * x)).all()


def test_shares_of_regions_add_up_and_what_holds_still_has_none(detector):
    track = crops(2 * BLOCK)
    evidence = detector.evidence(track)
    shares = spans.span_shares(detector, track, evidence.spans)
    table, reads = spans.span_table(detector, track, evidence.spans)
    assert reads == lrnet.READS
    assert table[:, -1] == pytest.approx(evidence.logits, abs=1e-4)
    assert shares.sum(axis=1) == pytest.approx(table[:, -1] - table[:, 0], abs=1e-6)
    x = lrnet.landmarks(track).reshape(2, BLOCK, -1)
    still = np.broadcast_to(x.mean(axis=1, keepdims=True), x.shape)
    assert table[:, 0] == pytest.approx(detector.block_logits(still), abs=1e-6)
    assert (shares[:, REGIONS.index("mouth")] != 0).all()
    assert (shares[:, REGIONS.index("background")] == 0).all()


def test_a_region_that_does_not_move_has_no_share(detector, monkeypatch):
    track = crops(BLOCK)
    x = lrnet.landmarks(track)
    mouth = np.repeat(REGIONS.index("mouth") == lrnet.REGION_OF, 2)
    x[:, mouth] = x[:, mouth].mean(axis=0)
    monkeypatch.setattr(lrnet, "landmarks", lambda _crops: x)
    (shares,) = spans.span_shares(detector, track, np.array([[0, BLOCK - 1]]))
    assert shares[REGIONS.index("mouth")] == pytest.approx(0, abs=1e-6)
    assert shares[REGIONS.index("nose")] != 0


def test_smoothing_holds_what_stands_still_and_follows_what_moves():
    still = np.full((20, 68, 2), 7.0)
    assert lrnet.smooth(still) == pytest.approx(still)
    moving = np.arange(50.0)[:, None, None] * np.ones((1, 68, 2))
    assert (np.abs(lrnet.smooth(moving) - moving)[5:] < 2.5).all()
    noise = np.random.default_rng(0).normal(size=(200, 68, 2))
    assert lrnet.smooth(noise).std() < noise.std()


def test_the_points_are_68_and_each_belongs_to_a_region():
    assert len(lrnet.POINTS) == len(set(lrnet.POINTS)) == len(lrnet.REGION_OF) == 68
