"""``python -m toolkit detector``: from a file to a verdict, as a user does it."""

from __future__ import annotations

import json

import cv2
import numpy as np
import pytest

from tests.detectors.test_routes import onnx_bytes
from toolkit.analysis import pipeline
from toolkit.cli import main as cli
from toolkit.detectors import added, listing, registry
from toolkit.evaluation import own_threshold
from toolkit.types import Sampling

ADD = ("--fake", "1", "--real", "0", "--normalise", "half", "--crop", "box", "--margin", "0.15")


@pytest.fixture(autouse=True)
def store(tmp_path, monkeypatch):
    monkeypatch.setenv(listing.VARIABLE, str(tmp_path / "store"))
    return tmp_path / "store"


@pytest.fixture
def net(tmp_path):
    path = tmp_path / "net.onnx"
    path.write_bytes(onnx_bytes(size=64))
    return path


def test_add_list_check_and_remove(net, tmp_path, capsys):
    assert cli.main(["detector", "add", "mine", str(net)]) == 2
    told = capsys.readouterr().err
    assert "Which output means fake" in told
    assert "How are pictures normalised" in told
    assert registry.further() == ()
    assert cli.main(["detector", "add", "mine", str(net), *ADD, "--licence", "MIT"]) == 0
    told = capsys.readouterr().out
    assert "+ shapes" in told
    assert "- canary" in told
    assert "threshold is not measured" in told
    assert cli.main(["detector", "list"]) == 0
    told = capsys.readouterr().out
    assert "threshold not measured on genuine clips" in told
    assert cli.main(["detector", "list", "--json"]) == 0
    rows = {r["name"]: r for r in json.loads(capsys.readouterr().out)}
    assert rows["mine"]["kind"] == "added"
    assert rows["seamnet"]["kind"] == "bundled"
    assert cli.main(["detector", "list", "--presets"]) == 0
    assert "selimsef" in capsys.readouterr().out
    assert cli.main(["detector", "check", "mine"]) == 0
    assert cli.main(["detector", "--language", "nl", "check", "mine"]) == 0
    assert cli.main(["detector", "remove", "mine"]) == 0
    assert cli.main(["detector", "check", "mine"]) == 2
    assert net.is_file()


def test_a_canary_that_fits_makes_it_tested_and_one_that_does_not_is_named(net, tmp_path, capsys):
    pictures = []
    for seed in range(2):
        rgb = np.random.default_rng(seed).integers(0, 256, (64, 64, 3)) * (1 + seed) // 2
        rgb[..., seed] //= 3
        pictures.append(str(tmp_path / f"{seed}.png"))
        cv2.imwrite(pictures[-1], rgb.astype(np.uint8)[..., ::-1])
    cli.main(["detector", "add", "mine", str(net), *ADD])
    crops = np.stack([cv2.imread(p)[..., ::-1] for p in pictures])
    right = registry.load("mine").logits(crops)
    canary = ["--crops", "--canary-real", pictures[0], "--canary-fake", pictures[1], "--expect"]
    assert added.read("mine").is_untested
    assert cli.main(["detector", "check", "mine", *canary, *(f"{z:.2f}" for z in right)]) == 0
    assert not added.read("mine").is_untested
    capsys.readouterr()
    # the classes exchanged: it is named, and the detector is not kept
    wrong = ("--fake", "0", "--real", "1", *ADD[4:])
    asked = ["detector", "add", "other", str(net), *wrong, *canary, *(f"{z:.2f}" for z in right)]
    assert cli.main(asked) == 2
    told = capsys.readouterr()
    assert "classes exchanged" in told.out
    assert "was not added" in told.err
    assert "other" not in registry.names()
    assert cli.main(["detector", "check", "mine", *canary, "1"]) == 2
    (tmp_path / "no.png").write_text("x")
    assert cli.main(["detector", "check", "mine", "--canary-real", str(tmp_path / "no.png")]) == 2


def test_a_verdict_says_that_its_threshold_was_not_measured(
    net, genuine_piece, monkeypatch, capsys
):
    cli.main(["detector", "add", "mine", str(net), *ADD, "--trained-on", "FF++"])
    few = Sampling(frames=16)
    report = pipeline.analyse(genuine_piece, detector="mine", sampling=few)
    codes = {n.code for n in report.notices}
    assert {"threshold_not_measured", "untested_detector"} <= codes
    assert report.settings["detector"]["threshold_measured"] is False
    assert report.settings["detector"]["training"] == "FF++"
    assert report.tracks[0].explanation is not None
    # a folder of genuine clips: the same logit for each, which is then the threshold
    logit = report.verdict.logit

    class Judged:
        report = None

    monkeypatch.setattr(own_threshold, "examine", lambda *_a, **_k: Judged)
    person = type("P", (), {"verdict": type("V", (), {})})
    person.verdict.logit = logit
    monkeypatch.setattr(own_threshold, "speaking", lambda _report: person)
    folder = net.parent / "genuine"
    folder.mkdir()
    for i in range(own_threshold.CLIPS_MIN):
        (folder / f"{i}.mp4").touch()
    assert cli.main(["detector", "threshold", "mine", "--genuine", str(folder)]) == 0
    assert "10 genuine clips" in capsys.readouterr().out
    kept = added.read("mine")
    assert kept.threshold == pytest.approx(logit)
    assert kept.threshold > logit  # a genuine clip at it is not called forged
    assert kept.measured.clips == own_threshold.CLIPS_MIN
    card = registry.load("mine").card
    assert card.threshold_measured
    assert card.threshold == kept.threshold
    (folder / "0.mp4").unlink()
    assert cli.main(["detector", "threshold", "mine", "--genuine", str(folder)]) == 2
    assert "too few genuine clips" in capsys.readouterr().err


def test_thresholds_hold_their_share_of_genuine_clips():
    rng = np.random.default_rng(0)
    shares = []
    for _ in range(300):
        value, low, high = own_threshold.place_threshold(rng.normal(size=100), share=0.1)
        assert low <= value <= high
        shares.append((rng.normal(size=1000) >= value).mean())
    assert np.mean(shares) == pytest.approx(0.1, abs=0.015)
    assert own_threshold.place_threshold([1.0, 2, 3], share=0.05)[0] > 3
    with pytest.raises(ValueError, match="share"):
        own_threshold.place_threshold([1.0], share=0)


def test_benchmark_finds_an_added_detector(net, genuine_piece, planted_piece, tmp_path, capsys):
    cli.main(["detector", "add", "mine", str(net), *ADD])
    clips = tmp_path / "clips.csv"
    clips.write_text(
        "path,label,method,dataset,scene\n"
        f"{genuine_piece},real,,s,a\n{planted_piece},fake,plant,s,a\n"
    )
    out = tmp_path / "out.json"
    asked = ["benchmark", str(clips), "--out", str(out), "--detectors", "mine", "--frames", "16"]
    assert cli.main(asked) == 0
    assert "mine" in json.loads(out.read_text())["summary"]
