"""The planted grid: fixed, balanced, and right on a detector that knows."""

from __future__ import annotations

from collections import Counter

import pytest

from toolkit.evaluation.explanations import benchmark as explanations
from toolkit.evaluation.explanations import planted, tables
from toolkit.evaluation.explanations.planted import KINDS, REGION_SETS, STRENGTHS, Cell, cells
from toolkit.forge.plant import DECOYS
from toolkit.forge.plant import KINDS as KNOWN


def test_the_grid_is_fixed_and_balanced():
    grid = list(cells())
    forged = [c for c in grid if c.role == "forged"]
    assert set(KINDS) == set(KNOWN)
    assert Counter((c.kind, c.strength) for c in forged) == {
        (k, s): 1 for k in KINDS for s in STRENGTHS
    }
    sets = Counter(c.regions for c in forged)
    assert set(sets) == set(REGION_SETS)
    assert set(sets.values()) == {len(forged) // len(REGION_SETS)}
    assert Counter(c.role for c in grid) == {
        "forged": 24,
        "decoy+forged": 8,
        "decoy": 3,
        "nothing": 1,
    }
    assert all(not set(c.regions) & set(c.beside) for c in grid)


@pytest.fixture(scope="module")
def result(sample, knowing):
    grid = [
        Cell("forged", ("mouth",), "colour", 3.0),
        Cell("forged", ("mouth",), "noise", 1.0),
        Cell("decoy+forged", ("mouth",), "colour", 3.0, "light", ("left_eye",)),
        Cell("decoy", (), "blend", 0.0, "freckles", ("left_eye",)),
        Cell("nothing", (), "blend", 0.0),
    ]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(planted, "cells", lambda: iter(grid))
        patch.setattr(planted, "SECONDS", 2.5)
        return explanations.planted([sample("cap12_edit")], detector=knowing(), methods=["ledger"])


@pytest.mark.slow
def test_a_detector_that_knows_is_graded_right(result):
    summary = result["planted_summary"]
    assert [r["called_fake"] for r in result["planted"]] == [True, False, True, False, False]
    assert summary["called_forged"]["rate"] == 0.5  # it sees colour, and nothing else
    assert summary["nothing"]["called_forged"] == 0
    assert summary["decoys_alone"]["freckles"] == summary["decoys_alone"]["freckles"] | {
        "clips": 1,
        "called_forged": 0,
    }
    ledger = summary["methods"]["ledger"]
    assert ledger["region_hit"] == {"n": 1, "mean": 1.0, "interval": None}
    assert ledger["temporal_iou"]["mean"] > 0.9
    assert ledger["mass"]["mean"] > 0.5
    assert ledger["decoy_mass"]["mean"] < 0.02
    area = summary["methods"]["control.area"]
    assert area["mass"]["mean"] == pytest.approx(area["area"]["mean"])
    assert area["decoy_mass"]["mean"] == pytest.approx(area["decoy_area"]["mean"])
    assert area["temporal_iou"]["mean"] == pytest.approx(1 / 3, abs=0.03)
    row = result["planted"][0]
    assert row["track_region"] == "mouth"
    assert "temporal" not in result["planted"][3]
    assert "methods" not in result["planted"][4]


def test_the_table_prints_the_strength_grid(result):
    text = tables.planted_table(result)
    for word in (*KINDS, *(str(s) for s in STRENGTHS)):
        assert word in text
    assert "1 of 2 planted clips are called forged" in text
    assert all(f"{kind} " in text for kind in DECOYS)
