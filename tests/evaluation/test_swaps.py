"""Measurements of the forge lab against known answers."""

from __future__ import annotations

import json

import numpy as np
import pytest

from tests.forge import faces as made_up
from toolkit.evaluation import swaps
from toolkit.figures import forge as words
from toolkit.forge import expression, marks, swap
from toolkit.forge.swap import Performance


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
