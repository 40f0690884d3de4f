"""The benchmark's arithmetic against brute force, and a small run of the whole."""

from __future__ import annotations

import csv

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from toolkit.errors import UsageError
from toolkit.evaluation import verdicts
from toolkit.types import Sampling

scores = st.lists(st.integers(-3, 3).map(float), min_size=1, max_size=6)


@given(fake=scores, real=scores)
def test_auc_counts_pairs(fake, real):
    pairs = [(f > r) + 0.5 * (f == r) for f in fake for r in real]
    assert verdicts.auc(np.array(fake), np.array(real)) == pytest.approx(np.mean(pairs))


def test_auc_needs_both():
    assert verdicts.auc(np.array([]), np.array([1.0])) is None


@pytest.mark.parametrize(("hits", "total"), [(0, 1), (1, 1), (3, 10), (10, 10), (0, 48)])
def test_wilson_solves_its_equation(hits, total):
    """Each end is where the share lies 1.96 standard errors away."""
    for end in verdicts.wilson(hits, total):
        if 1e-9 < end < 1 - 1e-9:
            z = (hits / total - end) / np.sqrt(end * (1 - end) / total)
            assert abs(z) == pytest.approx(1.95996, abs=1e-4)


def test_bootstrap_keeps_footage_together():
    fake = [(f"g{i}", 1.0 + i) for i in range(6)]
    real = [(f"g{i}", 0.5 + i) for i in range(6)]
    low, high = verdicts.bootstrap_auc(fake, real, seed=0)
    # drawn apart, fakes and reals would overlap; drawn as footage, each fake beats its original
    assert 0.5 < low < high <= 1
    assert verdicts.bootstrap_auc(fake[:1], real[:1], seed=0) is None


def write_list(path, rows):
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, rows[0])
        writer.writeheader()
        writer.writerows(rows)
    return path


def test_list_is_checked(tmp_path):
    good = {
        "path": "a.mp4",
        "label": "real",
        "method": "",
        "dataset": "d",
        "scene": "s",
        "usable": "yes",
    }
    path = write_list(tmp_path / "c.csv", [good, good | {"usable": "demo-only"}])
    (clip,) = verdicts.read_list(path)
    assert clip.path == tmp_path / "a.mp4"
    for wrong in ([good | {"label": "maybe"}], [{"path": "a.mp4"}]):
        with pytest.raises(UsageError):
            verdicts.read_list(write_list(tmp_path / "w.csv", wrong))
    with pytest.raises(UsageError):
        verdicts.read_list(tmp_path / "none.csv")


def test_small_run(sample, tmp_path):
    rows = [
        {
            "path": str(sample("planted_cap12")),
            "label": "fake",
            "method": "planted",
            "extra": "kept",
        },
        {"path": str(tmp_path / "absent.mp4"), "label": "real", "method": "", "extra": ""},
        {"path": str(sample("cap13_edit2")), "label": "real", "method": "", "extra": ""},
    ]
    rows = [r | {"dataset": "samples", "scene": r["path"]} for r in rows]
    clips = verdicts.read_list(write_list(tmp_path / "c.csv", rows))
    result = verdicts.benchmark(clips, device="cpu", sampling=Sampling(frames=16))
    planted, absent, genuine = result["clips"]
    assert planted["extra"] == "kept"
    assert planted["faces"] == genuine["faces"] == 1
    assert absent["abstained"]
    assert absent["logit"] is None
    assert "absent.mp4" in absent["reason"]
    source = result["summary"]["seamnet"]["per_source"]["samples"]
    assert source["real"]["clips"] == 2
    assert source["real"]["abstained"] == 1
    assert source["auc"] in (0.0, 1.0)
    assert "samples" in verdicts.table(result)
