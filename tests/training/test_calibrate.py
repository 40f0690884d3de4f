"""The map is fitted on clips put together of people who were kept from training, and says so."""

from __future__ import annotations

import numpy as np
import pytest

from tests.fakes import BrightnessDetector
from toolkit.detectors import registry
from toolkit.errors import UsageError
from toolkit.training import calibrate, stills
from toolkit.verdict import calibration
from toolkit.verdict.aggregate import aggregate, rule_for, rule_text


@pytest.fixture
def sides(monkeypatch):
    """Return levels of 60 people whose forgeries lie higher, in place of those that are scored."""
    rng = np.random.default_rng(1)
    genuine, names = rng.normal(0, 1, 60), tuple(f"p{i}" for i in range(60))
    found = stills.Levels(genuine, rng.normal(2, 1, 60), names)

    def levels(_detector, folders, count, **_k):
        assert count == 60
        assert all("frames" not in str(p.path.parent) for f in folders for p in f.photos)
        return found

    monkeypatch.setattr(calibrate, "levels", levels)
    return found


def test_map_names_its_weights_and_its_people(filmed, sides, tmp_path):
    found = calibrate.calibrate(BrightnessDetector(), [filmed], count=60, date="2026-11-25")
    assert found.weights_sha256 == "a" * 64
    assert "kept from training" in found.population
    assert found.rule == rule_text(2)
    _rest, videos = stills.divide([filmed])
    shown = {photos[0].identity for photos in videos}
    assert set(found.groups) == {*sides.groups, *shown}  # a figure on any of them is no evidence
    calibration.save(found, tmp_path / "map.json")
    assert calibration.load(tmp_path / "map.json") == found


def test_the_map_is_that_of_clips_that_go_up_and_down(filmed, sides):
    """Fitted by hand: every level with one video's ups and downs, by the rule of the product."""
    found = calibrate.calibrate(BrightnessDetector(), [filmed], count=60, traceless=0)
    _rest, videos = stills.divide([filmed])
    assert len(videos) == 2
    wander = stills.ups_and_downs(BrightnessDetector(), videos)
    draws = np.random.default_rng(4)
    x = []
    for pair in zip(sides.genuine, sides.forged, strict=True):
        course = wander[int(draws.integers(0, len(wander), 1)[0])]
        x += [aggregate(level + course, rule_for(len(course), 2)) for level in pair]
    groups = np.repeat(sides.groups, 2).tolist()
    by_hand = calibration.fit(x, [False, True] * 60, groups)
    assert (found.alpha, found.beta) == pytest.approx((by_hand.alpha, by_hand.beta))


def test_photographs_support_no_more_than_limited_support(filmed, monkeypatch):
    rng = np.random.default_rng(1)
    names = tuple(f"p{i}" for i in range(400))
    found = stills.Levels(rng.normal(0, 1, 400), rng.normal(2, 1, 400), names)
    monkeypatch.setattr(calibrate, "levels", lambda *_a, **_k: found)
    made = calibrate.calibrate(BrightnessDetector(), [filmed], count=400)
    assert made.bounds == pytest.approx((np.log10(calibrate.TRACELESS), calibration.CAP))


def test_what_it_needs_is_said(faces_folder, filmed):
    with pytest.raises(UsageError, match="filmed"):
        calibrate.calibrate(BrightnessDetector(), [faces_folder], count=3)
    with pytest.raises(UsageError, match="one clip"):
        calibrate.calibrate(BrightnessDetector(), [filmed], count=0)


@pytest.mark.parametrize("traceless", [-0.1, 1.0, np.nan])
def test_a_share_out_of_range_is_refused_before_anything_is_scored(filmed, monkeypatch, traceless):
    monkeypatch.setattr(calibrate, "divide", lambda _folders: pytest.fail("too late"))
    with pytest.raises(UsageError, match="without traces"):
        calibrate.calibrate(BrightnessDetector(), [filmed], count=3, traceless=traceless)


def test_one_person_supports_nothing(filmed, monkeypatch):
    alone = stills.Levels(np.arange(5.0), np.arange(5.0) + 2, ("one",) * 5)
    monkeypatch.setattr(calibrate, "levels", lambda *_a, **_k: alone)
    with pytest.raises(UsageError, match="one person"):
        calibrate.calibrate(BrightnessDetector(), [filmed], count=5)


def test_the_command_writes_what_it_fitted(filmed, sides, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(calibrate, "index_folder", lambda *_a, **_k: filmed)
    out = tmp_path / "new" / "map.json"
    small = str(registry.weights("seamnet-small"))
    asked = ["--faces", "here", "--out", str(out), "--clips", "60", "--weights", small]
    assert calibrate.main([*asked, "--traceless", "2"]) == 1
    assert "without traces" in capsys.readouterr().err
    assert calibrate.main([*asked, "--traceless", "0.25"]) == 0
    assert "25% of forgeries reckoned to look genuine" in capsys.readouterr().out
    assert calibration.load(out).traceless == 0.25
