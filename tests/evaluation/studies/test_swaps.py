"""Measurements of the forge lab against known answers."""

from __future__ import annotations

import dataclasses
import json
from types import SimpleNamespace

import numpy as np
import pytest

from tests.forge import faces as made_up
from toolkit.evaluation.studies import swaps
from toolkit.figures import forge as words
from toolkit.forge import expression, marks, swap
from toolkit.forge.swap import Performance
from toolkit.lessons.text import FOLDER

VERDICTS = FOLDER / "swap_verdicts.json"


def performance(coefficients):
    count = len(coefficients)
    return Performance(
        path=swaps.Path("made_up.mp4"),
        sha256="0" * 64,
        indices=np.arange(count),
        pts=np.arange(count) / 25,
        mesh=np.zeros((count, 478, 3), np.float32),
        coefficients=np.asarray(coefficients, np.float32),
        poses=np.zeros((count, 3)),
        size=(400, 300),
    )


@pytest.fixture(scope="module")
def curve():
    gallery = made_up.gallery(made_up.coefficients(1000))
    return swaps.match_curve(
        performance(made_up.coefficients(60, seed=1)), gallery, sizes=(5, 50, 500, 4000), draws=20
    )


def test_more_pictures_make_a_better_match(curve):
    means = [row["mean"] for row in curve["sizes"]]
    assert [row["size"] for row in curve["sizes"]] == [5, 50, 500]
    assert means[0] > means[1] > means[2] > 0
    assert all(row["low"] <= row["mean"] <= row["high"] for row in curve["sizes"])
    assert curve["too_large"] == [4000]
    json.dumps(curve, allow_nan=False)


def test_the_whole_gallery_is_drawn_once_and_finds_its_own_faces():
    coefficients = made_up.coefficients(40)
    whole = swaps.match_curve(performance(coefficients), made_up.gallery(coefficients), sizes=(40,))
    assert whole["sizes"][0]["draws"] == 1
    assert whole["sizes"][0]["mean"] == pytest.approx(0, abs=1e-3)


def test_the_same_seed_gives_the_same_curve(curve):
    gallery = made_up.gallery(made_up.coefficients(1000))
    target = performance(made_up.coefficients(60, seed=1))
    again = swaps.match_curve(target, gallery, sizes=(5, 50, 500, 4000), draws=20)
    assert again == curve


@pytest.mark.parametrize("language", ["en", "nl"])
def test_the_curve_is_drawn_and_told_in_numbers(curve, language):
    from toolkit import _i18n

    _i18n.set_language(language)
    figure = words.curve_figure(curve, curve)
    assert figure.layout.xaxis.type == "log"
    assert list(figure.data[0].x) == [5, 50, 500]
    assert all(v >= 0 for v in figure.data[0].error_y.array)
    assert figure.data[0].line.dash != figure.data[1].line.dash  # not by colour alone
    table = words.curve_table(curve)
    assert [row[0] for row in table.rows] == ["5", "50", "500"]
    assert ("," in table.rows[0][1]) == (language == "nl")


def test_rates_leave_out_what_got_no_verdict():
    def row(way, *, forged=False, abstained=False, logit=0.5):
        return {
            "way": way, "target": "t", "forged": forged, "abstained": abstained, "logit": logit,
        }  # fmt: skip

    rows = [
        row("none", forged=True, logit=2.0),
        row("none"),
        row("none", abstained=True, logit=None),
    ]
    (found,) = swaps.rates(rows)
    assert (found["clips"], found["judged"], found["called_forged"]) == (3, 2, 1)
    assert found["median_logit"] == pytest.approx(1.25)


def test_grades_are_told_apart_for_clips_that_were_called_forged():
    def row(mass, *, forged):
        grade = {"heat": {"mass": mass}, "control.area": {"mass": 0.4}}
        return {"way": "none", "forged": forged, "regions": grade}

    rows = [row(0.2, forged=False), row(0.8, forged=True), {"way": "none", "forged": False}]
    found = {(r["clips"], r["says"]): r for r in swaps.mean_grades(rows)}
    assert found["all", "heat"]["mass"] == pytest.approx(0.5)
    assert found["called forged", "heat"]["n"] == 1


def test_a_table_lines_up():
    text = swaps.text_table([{"a": 1, "b": 0.5}, {"a": 100, "b": None}])
    lines = text.splitlines()
    assert len({len(line) for line in lines}) == 1
    assert lines[2].split() == ["100", "-"]


@pytest.fixture(scope="module")
def made(sample, tmp_path_factory):
    target = swap.read_performance(sample("cap12_edit"), start_s=10, end_s=12)
    gallery = expression.read_clip(sample("franck"), per_second=0.1, name="franck")
    folder = tmp_path_factory.mktemp("swaps")
    return swap.swap(target, gallery, folder / "synthetic_x.mp4"), target, gallery


def test_a_swap_follows_its_target_and_looks_like_the_other(made):
    clip, target, gallery = made
    found = swaps.follow(clip.path, target, gallery)
    assert found["with_face"] == found["frames"] == clip.frames
    assert found["correlation"]["jawOpen"] > 0.8
    assert found["place"] < 0.03
    assert found["likeness"]["clip_and_gallery"] > found["likeness"]["gallery_and_target"] + 0.2
    assert found["label"]["least_score"] > 0.95
    assert found["flicker"]["clip"]["p95"] < 3 * found["flicker"]["target"]["p95"]
    json.dumps(found, allow_nan=False)


def test_a_sheet_holds_25_frames(made, tmp_path):
    out = tmp_path / "sheet.png"
    assert swaps.main(["sheet", str(made[0].path), "--out", str(out)]) == 0
    rgb = expression.decode_picture(out.read_bytes())
    assert rgb.shape == (5 * 300, 5 * 400, 3)


def test_an_untouched_stretch_is_written_with_the_same_label(made, tmp_path):
    _clip, target, _gallery = made
    out = tmp_path / "synthetic_untouched.mp4"
    swaps.write_untouched(target, out)
    from toolkit import media

    (frame,) = media.read(media.probe(out), np.array([3]))
    assert marks.find_label(frame.rgb).score > 0.95


def test_the_commands_refuse_what_does_not_fit(tmp_path, capsys, sample):
    clip = str(sample("cap12_edit"))
    assert swaps.main(["curve", clip, "--faces", "franck", "--sizes", "many", "--to", "1"]) == 2
    assert "not numbers" in capsys.readouterr().err
    assert swaps.main(["detect", "--pairs", "cap12_edit"]) == 2
    assert "lacks a part" in capsys.readouterr().err
    assert swaps.main(["weights", str(tmp_path / "no.mp4"), "--faces", clip]) == 3


GRADE = {says: {"mass": 0.5} for says in ("heat", "regions", "control.centre", "control.area")}


@pytest.fixture
def quick(monkeypatch):
    """Let `detect` run without clips; note which stretches are made."""
    made = []

    def judge_ways(target, _gallery, _judge, _tick):
        made.append((target.path.stem, float(target.pts[0])))
        for way in (swaps.UNTOUCHED, *swaps.BREAKS):
            row = {"way": way, "logit": 2.0, "threshold": 1.0, "abstained": False, "reason": None}
            row["forged"] = way == "no_colour"
            yield row if way == swaps.UNTOUCHED else row | {"regions": GRADE}

    def read(path, *, start_s, **_more):
        one = performance(made_up.coefficients(1))
        return dataclasses.replace(one, path=path, pts=one.pts + start_s)

    video = SimpleNamespace(pts=np.array([0.0, 10.0]))
    monkeypatch.setattr(swaps, "_judge_ways", judge_ways)
    monkeypatch.setattr(swaps.expression, "read_clip", lambda *_a, **_k: None)
    monkeypatch.setattr(swaps.forge, "read_performance", read)
    monkeypatch.setattr(swaps.media, "probe", lambda *_a, **_k: video)
    return made


def test_a_measurement_that_was_stopped_goes_on(quick, tmp_path, capsys):
    out, told = tmp_path / "detect.json", tmp_path / "told.json"
    command = ["detect", "--windows", "2", "--pairs", "a:b,b:a", "--out", str(out)]
    command += ["--detector", "seamnet-small"]
    assert swaps.main(command) == 0
    assert quick == [("a", 0.0), ("a", 6.0), ("b", 0.0), ("b", 6.0)]
    whole = json.loads(out.read_text())
    half = whole | {"clips": [r for r in whole["clips"] if r["target"] == "a"]}
    out.write_text(json.dumps(half))
    assert swaps.main([*command, "--summary", str(told)]) == 0
    assert quick[4:] == [("b", 0.0), ("b", 6.0)]
    assert json.loads(out.read_text()) == whole
    capsys.readouterr()
    summary = json.loads(told.read_text())
    assert summary["directions"] == [{"target": "a", "faces": "b"}, {"target": "b", "faces": "a"}]
    assert [w["way"] for w in summary["ways"]] == [swaps.UNTOUCHED, *swaps.BREAKS]
    assert summary["ways"][0]["inside"] is None
    assert summary["ways"][1]["inside"]["heat"] == pytest.approx(0.5)
    out.write_text(json.dumps(whole | {"detector": {"weights_sha256": "other"}}))
    assert swaps.main(command) == 0
    assert len(quick) == 10  # another detector's figures are not mixed in
    out.write_text("no result")
    assert swaps.main(command) == 2


def test_what_lesson_4_shows_is_of_both_directions_with_controls():
    found = json.loads(VERDICTS.read_text(encoding="utf-8"))
    assert {(d["target"], d["faces"]) for d in found["directions"]} == set(swaps.DIRECTIONS)
    assert [w["way"] for w in found["ways"]] == [swaps.UNTOUCHED, *swaps.BREAKS]
    for one in found["ways"]:
        assert all(r["clips"] == found["windows"] for r in one["rates"])
        assert all(r["called_forged"] <= r["judged"] <= r["clips"] for r in one["rates"])
        controls = {"control.centre", "control.area", "control.random"}
        assert one["inside"] is None or controls < set(one["inside"])


def test_lesson_4_claims_no_more_than_was_measured():
    """The sentences of its text and of the teacher's notes, against the counts beside them."""
    found = json.loads(VERDICTS.read_text(encoding="utf-8"))
    called, judged = (
        {w["way"]: sum(r[k] for r in w["rates"]) for w in found["ways"]}
        for k in ("called_forged", "judged")
    )
    assert judged["none"] == judged["no_colour"] == 8  # "of eight well-made swaps"
    assert called["none"] < judged["none"] / 2  # "a well-made swap is mostly missed"
    for way in ("no_colour", "low_resolution"):  # "finds those every time"
        assert called[way] == judged[way]
    way = "wrong_expression"  # "most wrong expressions"; "need not notice it"
    assert judged[way] / 2 < called[way] < judged[way]
    assert called["hard_mask"] == judged["hard_mask"] / 2  # "half of the hard edges"
    assert called["shifted"] < judged["shifted"] / 2  # "misses more than half"
    inside = next(w["inside"] for w in found["ways"] if w["way"] == "none")
    assert inside["heat"] > inside["control.centre"] > inside["control.area"]
