"""Rules over frames are compared on clips of which every moment is known."""

from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from toolkit.detectors import registry
from toolkit.training import frame_rules
from toolkit.training.frame_rules import IN_USE, SHARES, measure, spliced
from toolkit.training.stills import Levels

FLAT = [np.zeros(32)]


def made_up(n=40, *, gap, seed=0):
    """Return levels of `n` people whose forgeries lie `gap` higher."""
    genuine = np.random.default_rng(seed).normal(0, 1, n)
    return Levels(genuine, genuine + gap, tuple(f"p{i}" for i in range(n)))


def found(result, rule, alarms="0.05"):
    return result["rules"][rule][alarms]["found"]


@given(st.integers(1, 60), st.sampled_from([*SHARES, 0.01]), st.sampled_from([0, 0.3, 0.5, 0.9, 1]))
@settings(max_examples=200, deadline=None)
def test_a_splice_is_one_stretch_of_the_right_length(n, share, place):
    out = spliced(np.zeros(n), np.ones(n), share, place)
    at = np.flatnonzero(out)
    assert len(at) == max(1, round(share * n))
    assert (np.diff(at) == 1).all()
    assert place not in (0, 1) or at[0 if place == 0 else -1] == (0 if place == 0 else n - 1)


def test_on_flat_clips_a_rule_finds_what_its_share_covers():
    """Without ups and downs the highest eighth lies within a tenth of 32 moments but for one."""
    result = measure(made_up(gap=50.0), FLAT, threshold=0.0)
    assert found(result, "mean") == [1.0] * 4  # 50 / 10 is still far above everybody
    weak = measure(made_up(gap=6.0), FLAT, threshold=0.0)
    assert found(weak, "mean")[0] < 0.4
    assert found(weak, "highest 1/12")[0] == 1.0
    assert all(found(weak, rule)[3] == 1.0 for rule in weak["rules"])


def test_ups_and_downs_punish_rules_of_few_moments():
    """One odd moment in a genuine clip: its mean hardly moves, its highest three do."""
    odd = []
    for height in np.linspace(0, 6, 12):
        course = np.zeros(32)
        course[5] = height
        odd.append(course - course.mean())
    result = measure(made_up(gap=2.0), odd, threshold=0.0)
    assert found(result, "highest 1/12")[3] < found(result, "highest 1/2")[3]
    assert found(result, "median of 3, highest 1/8")[3] > found(result, "highest 1/8")[3]


def test_thresholds_keep_the_false_alarms():
    levels, wander = made_up(80, gap=1.0), [np.random.default_rng(1).normal(0, 0.5, 32)]
    result = measure(levels, wander, threshold=0.0)
    for name, rule in frame_rules.rules().items():
        values = np.array([rule(g + wander[0]) for g in levels.genuine])
        for alarms in (0.05, 0.02):
            share = (values >= result["rules"][name][f"{alarms:g}"]["threshold"]).mean()
            assert alarms - 1 / 80 - 1e-9 <= share <= alarms


def test_the_rule_in_use_is_that_of_the_product_and_ahead_of_itself_by_nothing():
    x = np.random.default_rng(3).normal(0, 1, 32)
    assert frame_rules.rules()[IN_USE](x) == pytest.approx(np.sort(x)[-8:].mean())
    result = measure(made_up(gap=1.0), FLAT, threshold=0.3)
    assert result["rules"][IN_USE]["0.05"]["ahead_interval"] == [0, 0]
    for per in result["rules"].values():
        for alarms, r in per.items():
            base = result["rules"][IN_USE][alarms]["found"]
            assert r["ahead"] == pytest.approx(np.mean(r["found"]) - np.mean(base))
    flat = np.mean(made_up(gap=1.0).genuine >= 0.3)
    assert result["alarms"]["rate"] == pytest.approx(flat)
    low, high = result["alarms"]["interval"]
    assert low < flat < high


def test_people_are_drawn_again_as_a_whole():
    """Forty clips of one person are one observation: no interval may look sure of them."""
    levels = made_up(40, gap=1.0)
    alone = Levels(levels.genuine, levels.forged, ("one",) * 40)
    assert np.ptp(measure(levels, FLAT, threshold=0.0)["alarms"]["interval"]) > 0.1
    assert np.ptp(measure(alone, FLAT, threshold=0.0)["alarms"]["interval"]) == 0


def test_the_command_tells_and_writes(faces_folder, tmp_path, monkeypatch, capsys):
    levels = made_up(12, gap=2.0)
    monkeypatch.setattr(frame_rules, "index_folder", lambda *_a, **_k: faces_folder)
    monkeypatch.setattr(frame_rules, "divide", lambda folders: (folders, []))
    monkeypatch.setattr(frame_rules, "ups_and_downs", lambda *_a, **_k: FLAT)
    monkeypatch.setattr(frame_rules, "levels", lambda *_a, **_k: levels)
    out = tmp_path / "new" / "rules.json"
    small = str(registry.weights("seamnet-small"))
    asked = ["--faces", "here", "--out", str(out), "--weights", small]
    assert frame_rules.main(asked) == 0
    told = capsys.readouterr().out
    written = json.loads(out.read_text())
    assert written["schema"] == frame_rules.SCHEMA
    assert len(written["weights_sha256"]) == 64
    assert all(name in told for name in frame_rules.rules())
    assert frame_rules.main([*asked, "--clips", "0"]) == 1
