"""Several detectors on one clip, from Python and from the command line."""

from __future__ import annotations

import json

import numpy as np
import pytest

import toolkit
from toolkit.cli import main as cli
from toolkit.detectors import listing, measured, own, registry
from toolkit.detectors.recipe import Measured
from toolkit.errors import UsageError


class Colour:
    """How much redder, or greener, a face is than its other colours."""

    size, fake = 64, 0

    def __init__(self, name, channel):
        self.name, self._channel = name, channel

    def __call__(self, crops):
        means = crops.mean(axis=(1, 2))
        return (means[:, self._channel] - means.mean(axis=1)) / 10 - 1


pytestmark = pytest.mark.slow  # a clip is read for each analysis

RED, GREEN = Colour("red", 0), Colour("green", 1)


@pytest.fixture(autouse=True)
def store(tmp_path, monkeypatch):
    monkeypatch.setenv(listing.VARIABLE, str(tmp_path / "store"))
    monkeypatch.setattr(registry, "_registered", {})
    for judge in (RED, GREEN):
        registry.register(judge.name, lambda device, judge=judge: own.adapt(judge, device=device))


@pytest.fixture(scope="module")
def both(sample):
    clip = sample("cap12_edit")
    return [toolkit.analyse(clip, detector=judge, frames=16) for judge in (RED, GREEN)]


def keep_scale(analysis, mean, deviation):
    facts = analysis.report.settings["detector"]
    how = Measured(12, 0.05, 0.0, 1.0, "2026-01-01", mean, deviation)
    measure = measured.OwnMeasure(facts["weights_sha256"], 0.5, how)
    measured.keep(facts["name"], measure)


def test_without_scales_they_are_compared_and_not_added(both):
    red, green = both
    found = red.beside(green)
    assert found.ledger is None
    assert any("detector threshold red" in line for line in found.sentences)
    assert "no common scale" in repr(found)
    plain = found.to_dict()
    json.dumps(plain, allow_nan=False)
    assert [d["name"] for d in plain["detectors"]] == ["red", "green"]
    assert len(plain["same_side"]) == len(plain["seconds"])


def test_with_measured_scales_the_shares_add_up(both):
    for analysis, mean, deviation in zip(both, (0.1, -0.2), (0.5, 2.0), strict=True):
        keep_scale(analysis, mean, deviation)
    found = both[0].beside(both[1])
    ledger = found.to_dict()["ledger"]
    total = ledger["reference"] + sum(np.sum(m["shares"]) for m in ledger["members"])
    assert total == pytest.approx(ledger["logit"])
    z = [
        (a.verdict.logit - mean) / deviation
        for a, mean, deviation in zip(both, (0.1, -0.2), (0.5, 2.0), strict=True)
    ]
    assert ledger["logit"] == pytest.approx(np.mean(z))
    assert "dz-beside-ledger" in found._repr_html_()


def test_what_is_not_the_same_clip_or_another_detector_is_refused(both, sample):
    with pytest.raises(UsageError, match="given twice"):
        both[0].beside(both[0])
    with pytest.raises(UsageError, match="two detectors"):
        both[0].beside()
    other = toolkit.analyse(sample("planted_cap12"), detector=GREEN, frames=16)
    with pytest.raises(UsageError, match="another clip"):
        both[0].beside(other)


def test_the_command_tells_and_writes_it(sample, tmp_path, capsys):
    clip, out = str(sample("cap12_edit")), tmp_path / "out"
    command = ["analyse", clip, "--out", str(out), "--detector", "red", "--frames", "16"]
    assert cli.main([*command, "--beside", "red"]) == cli.EXIT_USAGE
    assert cli.main([*command, "--beside", "green", "--no-explain"]) == cli.EXIT_USAGE
    assert not out.exists()
    capsys.readouterr()
    assert cli.main([*command, "--beside", "green"]) == 0
    assert "red:" in capsys.readouterr().out
    found = json.loads((out / "beside.json").read_text())
    assert [d["name"] for d in found["detectors"]] == ["red", "green"]
    assert cli.main(command) == 0  # another report: what lay beside the last one goes
    assert not (out / "beside.json").exists()
