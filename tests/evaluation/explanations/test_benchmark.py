"""The benchmark as a whole: on a planted pair, resumed, cancelled, and from the command line."""

from __future__ import annotations

import json

import pytest

from toolkit.cli import main as cli
from toolkit.errors import Cancelled, UsageError
from toolkit.evaluation.explanations import benchmark as explanations
from toolkit.evaluation.explanations import pairs, planted, tables, transplants
from toolkit.evaluation.explanations.adversarial import BUDGETS, Budget
from toolkit.evaluation.explanations.benchmark import benchmark, read_pairs
from toolkit.evaluation.explanations.scores import EVERY_CONTROL

WITNESSES = ["ledger", "intervention"]
SMALL = {"methods": WITNESSES, "frames": 4, "faces": 2, "parts": ["where"]}


def test_a_method_that_knows_beats_the_controls(pair_list, blocks):
    result = benchmark(read_pairs(pair_list), detector=blocks, **SMALL)
    json.dumps(result, allow_nan=False)
    assert result["complete"]
    assert set(result["methods"]) == {*WITNESSES, *EVERY_CONTROL}
    assert result["detected"] == {"pairs": 1, "called_fake": 1}
    told, centre = result["methods"]["ledger"], result["methods"]["control.centre"]
    assert told["mass"] > 0.5
    assert told["mass"] > centre["mass"] + 0.3
    assert told["lift_centre"] == pytest.approx(told["mass"] - centre["mass"])
    contrast = result["methods"]["control.contrast"]
    assert told["lift_contrast"] == pytest.approx(told["mass"] - contrast["mass"])
    assert told["hit_lift_contrast"] == pytest.approx(1 - contrast["hit"])
    assert told["hit"] == 1
    assert told["region_hit"] == 1
    ahead = result["ahead"]["ledger"]["control.centre"]
    assert ahead["mass"] == {"mean": pytest.approx(told["lift_centre"]), "interval": None}
    assert ahead["hit"]["mean"] == pytest.approx(told["hit_lift_centre"])
    other = result["ahead"]["intervention"]["ledger"]
    assert other["mass"]["mean"] == -result["ahead"]["ledger"]["intervention"]["mass"]["mean"]
    way = result["ways"]["planted"]["ledger"]
    assert way == {"pairs": 1, "mass": told["mass"], "hit": 1.0}
    assert told["passes"] == 0
    assert told["intervals"]["mass"] is None  # one scene says nothing about another
    assert told["flagged"]["pairs"] == told["common"]["pairs"] == 1
    assert centre["lift_centre"] == 0
    assert result["leads"]["ledger"] == {"planted": {"mouth": 1}}
    lower = result["lower_face"]["ledger"]
    assert lower["planted"]["leads"] == lower["kind: mouth"]["pairs"] == 1
    assert lower["planted"]["part"]["mean"] > 0.5
    (row,) = result["pairs"]
    assert row["truth"] == "pixels"
    assert "mouth" in row["changed"]
    assert row["methods"]["ledger"]["lift_random"] == pytest.approx(told["lift_random"])
    text = tables.table(result)
    assert text.index("pairs are called forged") < text.index("\ncalled forged ")
    # all pairs, called forged, answered by all; ahead of what, and what is ahead of it
    assert text.count("\nledger ") == 5
    assert f"\ncontrol.centre {' ' * 17}     1 {ahead['mass']['mean']:+.3f}" in text
    assert "from drawing 1 scenes: one" in text
    line = text.split("per way of forging")[1].splitlines()[1]
    assert line.startswith("planted  ")
    assert f"{told['mass']:.2f} (1.00)" in line


def test_seconds_of_the_original_may_be_known(pair_list, blocks, monkeypatch):
    monkeypatch.setattr(pairs, "KNOWN_APART_S", 0.2)
    known = benchmark(read_pairs(pair_list), detector=blocks, known=True, **SMALL)
    assert known["settings"]["known_originals"]
    assert set(known["pairs"][0]["references"]) == {"known_frame"}
    assert known["methods"]["intervention"]["region_hit"] == 1
    plain = benchmark(read_pairs(pair_list), detector=blocks, **SMALL)
    assert set(plain["pairs"][0]["references"]) == {"clean_frame"}
    assert known["pairs"][0]["key"] != plain["pairs"][0]["key"]


def test_each_way_of_forging_has_its_own_mean():
    def pair(way, **mass):
        methods = {k: {"mass": v, "hit": 1 - v} for k, v in mass.items()}
        return {"method": way, "methods": methods}

    rows = [pair("swap", a=0.2, b=0.5), pair("lips", a=0.9), pair("swap", a=0.4)]
    found = explanations._ways(rows, ["a", "b", "c"])
    assert list(found) == ["lips", "swap"]
    assert found["lips"] == {"a": {"pairs": 1, "mass": 0.9, "hit": pytest.approx(0.1)}}
    assert found["swap"]["a"] == {
        "pairs": 2,
        "mass": pytest.approx(0.3),
        "hit": pytest.approx(0.7),
    }
    assert found["swap"]["b"]["pairs"] == 1


@pytest.mark.slow
def test_when_and_transplants(pair_list, blocks, monkeypatch):
    monkeypatch.setattr(transplants, "FRACTIONS", (1.0,))
    parts = ["when", "transplants"]
    result = benchmark(
        read_pairs(pair_list), detector=blocks, methods=["ledger"], parts=parts, seed=1
    )
    temporal = result["temporal"]
    assert temporal["unforged"]["called_forged"] == 0
    # the planted forgery begins at 1 s of 2: a splice may miss it
    assert temporal["fractions"]["1.0"]["called_forged"] == 1
    row = next(r for r in result["splices"] if r["fraction"] == 1.0)
    assert row["temporal"]["found"][0][0] == pytest.approx(1.0, abs=0.15)
    pasted = result["transplanted"]
    assert pasted["detected"]["called_forged"] == 1
    when = pasted["temporal"]
    assert when["iou"]["n"] == 1
    assert when["iou"]["mean"] == when["iou_all"]["mean"] > when["control.random"]["mean"]
    assert pasted["control"] == pasted["control"] | {"clips": 1, "called_forged": 0}
    assert pasted["methods"]["ledger"]["region_hit"]["mean"] == 1
    assert result["methods"]["ledger"]["pairs"] == 0
    text = tables.table(result)
    assert "1 of 1 transplants are called forged, 0 of 1 originals" in text


@pytest.mark.slow
def test_stopped_work_goes_on_and_gives_the_same(pair_list, tmp_path, blocks, without_seconds):
    twice = read_pairs(pair_list) + read_pairs(pair_list)
    twice[1].row["method"] = "the same again"
    whole = benchmark(twice, detector=blocks, **SMALL)
    out, told = tmp_path / "out" / "file.json", []

    def stop(progress):
        told.append(progress)
        if len(told) == 1:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        benchmark(twice, detector=blocks, out=out, on_result=stop, **SMALL)
    half = json.loads(out.read_text())
    assert not half["complete"]
    assert len(half["pairs"]) == 1
    rest = benchmark(twice, detector=blocks, out=out, on_result=told.append, **SMALL)
    assert [p.seconds > 0 for p in told] == [True, False, True]
    assert without_seconds(rest) == without_seconds(whole)
    assert json.loads(out.read_text()) == json.loads(json.dumps(rest))
    blocks.seen = 0
    again = benchmark(twice, detector=blocks, out=out, **SMALL)
    assert blocks.seen == 0
    assert again == rest
    benchmark(twice[:1], detector=blocks, out=out, fresh=True, **SMALL)
    assert blocks.seen > 0
    with pytest.raises(UsageError, match="something else"):
        explanations.planted([], detector=blocks, out=out)


def test_the_command_runs_with_the_bundled_detector(pair_list, tmp_path, capsys, monkeypatch):
    small = Budget(segments=12, steps=2, pairs=2, random_draws=2)  # how well it does is told apart
    monkeypatch.setitem(BUDGETS, "quick", small)
    out = tmp_path / "out.json"
    keys = "ledger,captum.grad_cam,captum.feature_ablation"
    options = [
        "--methods",
        keys,
        "--faces",
        "1",
        "--parts",
        "where,attack",
        "--detector",
        "seamnet-small",
    ]
    assert cli.main(["explain-benchmark", str(pair_list), "--out", str(out), *options]) == 0
    result = json.loads(out.read_text())
    assert result["schema"] == explanations.SCHEMA
    assert {"ledger", "captum.grad_cam", "control.centre", "control.random"} <= set(
        result["methods"]
    )
    for key in ("mass", "hit", "rank", "lift_centre", "lift_random", "passes", "seconds"):
        assert result["methods"]["captum.grad_cam"][key] is not None
    assert result["settings"]["attack"]["steps"] == 2
    seen = result["attacked"]
    assert seen["faces"] + seen["not_called_forged"] == 1
    said = capsys.readouterr()
    assert "captum.grad_cam" in said.out
    assert "1 of 1: pairs: fake" in said.err


@pytest.mark.slow
def test_planted_from_the_command_line(sample, tmp_path, capsys, monkeypatch, blocks):
    grid = [
        planted.Cell("forged", ("mouth",), "colour", 3.0),
        planted.Cell("nothing", (), "blend", 0.0),
    ]
    monkeypatch.setattr(planted, "cells", lambda: iter(grid))
    monkeypatch.setattr(planted, "SECONDS", 2.0)
    monkeypatch.setattr(explanations.registry, "load", lambda name, **_more: blocks)
    out = tmp_path / "planted.json"
    clip = str(sample("carphone_pristine"))
    assert cli.main(["explain-benchmark", "--planted", clip, "--out", str(out)]) == 0
    result = json.loads(out.read_text())
    assert result["schema"] == explanations.PLANTED_SCHEMA
    assert [r["role"] for r in result["planted"]] == ["forged", "nothing"]
    assert "unforged copies are called forged" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("options", "wrong"),
    [
        ([], "give a list of pairs, or --planted"),
        (["x.csv", "--planted"], "give a list of pairs, or --planted"),
        (["PAIRS", "--parts", "who"], "unknown part"),
        (["PAIRS", "--methods", "lime"], "unknown method"),
        (["PAIRS", "--faces", "0"], "too few faces"),
        (["--planted", "x.mp4", "--known-originals"], "planted clips have no originals"),
    ],
)
def test_usage_errors(pair_list, tmp_path, capsys, options, wrong):
    given = [str(pair_list) if o == "PAIRS" else o for o in options]
    out = tmp_path / "out.json"
    assert cli.main(["explain-benchmark", *given, "--out", str(out)]) == 2
    assert wrong in capsys.readouterr().err
    assert not out.exists()


def test_pairs_that_cannot_be_scored_say_why(pair_list, tmp_path, blocks):
    (pair,) = read_pairs(pair_list)
    rows = [f"{pair.fake},{pair.fake},0", f"{pair.original},{pair.fake},20", "none.mp4,no.mp4,0"]
    (tmp_path / "list.csv").write_text("original,fake,crop_x\n" + "\n".join(rows) + "\n")
    result = benchmark(read_pairs(tmp_path / "list.csv"), detector=blocks, **SMALL)
    reasons = [r["reason"] for r in result["pairs"]]
    assert reasons[0] == "nothing was changed"
    assert "crop_x" in reasons[1]
    assert all(reasons)
    assert result["detected"]["pairs"] == 0
    assert result["methods"]["ledger"]["mass"] is None
    tables.table(result)


def test_it_can_be_cancelled(pair_list, blocks):
    def tick(stage, done, total):
        if stage == "intervene":
            raise Cancelled

    with pytest.raises(Cancelled):
        benchmark(read_pairs(pair_list), detector=blocks, tick=tick, **SMALL)
