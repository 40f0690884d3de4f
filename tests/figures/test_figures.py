"""What is said, drawn and tabulated is what the report holds, in the words the house allows."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from tests.widgets import made_up
from toolkit import _i18n, figures, samples
from toolkit.figures.charts import Table
from toolkit.figures.pictures import BLUE, ORANGE
from toolkit.types import PLAYERS, KeyFrame, Notice, Report

PACKAGE = Path(__file__).resolve().parents[2] / "toolkit"


@pytest.fixture
def result():
    return made_up.result()


@pytest.fixture
def report(result):
    return made_up.report(result, made_up.abstained())


def everything_said(report: Report) -> str:
    lines = [figures.verdict_sentence(report), *figures.not_judged(report), *figures.limits(report)]
    for r in report.tracks:
        lines += [figures.track_sentence(r), figures.region_sentence(r), figures.seen_sentence(r)]
        lines += [p.caption for p in figures.pictures(r)] + [p.alt for p in figures.pictures(r)]
        if r.explanation is not None:
            lines += [figures.interval_sentence(i) for i in r.explanation.intervals]
    return "\n".join(lines)


# -- sentences


def test_a_forged_verdict_says_where_when_and_how_far(report):
    text = figures.verdict_sentence(report)
    assert "forged: mostly the mouth, from 0:25.6 to 0:28.2 (person A)" in text
    assert figures.distance_sentence(report) == "The score is clearly above the line."
    verdict = report.verdict
    assert f"Score +{verdict.logit:.2f}, line +{verdict.threshold:.2f}" in figures.exact_sentence(
        report
    )


def test_no_verdict_forged_says_at_once_that_this_does_not_mean_genuine():
    report = made_up.report(made_up.result(forged=False))
    text = figures.verdict_sentence(report)
    assert text.startswith("The detector does not call this video forged. That does not make it")
    assert "clearly below the line" in figures.distance_sentence(report)


def test_an_abstention_says_why():
    report = made_up.report(made_up.abstained("A"))
    text = "The face is too small: its median width is 41.0 px"
    assert figures.verdict_sentence(report).startswith("No verdict. " + text)
    assert text in figures.track_sentence(report.tracks[0])
    assert any(text in line for line in figures.not_judged(report))


def test_a_video_without_anybody_has_a_verdict_sentence(report):
    reason = "There is no face in the 12 frames looked at."
    verdict = replace(report.verdict, logit=None, abstained=True, reason=reason)
    empty = replace(report, tracks=(), speaks=None, verdict=verdict)
    assert figures.verdict_sentence(empty) == f"No verdict. {reason}"
    assert figures.speaking(empty) is None
    assert figures.limits(empty)


@pytest.mark.parametrize("language", _i18n.LANGUAGES)
@pytest.mark.parametrize("forged", [True, False])
def test_wording_the_house_forbids_is_never_used(language, forged):
    _i18n.set_language(language)
    said = everything_said(made_up.report(made_up.result(forged=forged), made_up.abstained()))
    assert not re.search(r"tamper|fake|nep|manipul|gemanipuleerd|bewerkt", said, re.IGNORECASE)
    near = r"\d+([.,]\d+)?\s*%?\s*(forged|vervalst|genuine|echt)\b|(forged|vervalst):?\s*[+−-]?\d"
    assert not re.search(near, said, re.IGNORECASE)


def test_the_top_region_is_important_to_this_detector(result):
    assert figures.top_region(result) == "mouth"
    assert figures.region_sentence(result).startswith("Most important to this detector: mouth (+")


def test_no_region_is_named_when_the_reference_failed(result):
    broken = replace(result, explanation=replace(result.explanation, reference_valid=False))
    assert figures.top_region(broken) is None
    assert "fails the reference test; no region is named" in figures.region_sentence(broken)


def test_no_region_is_named_without_a_verdict_forged():
    genuine = made_up.result(forged=False)
    assert figures.top_region(genuine) is None
    assert "no region is named" in figures.region_sentence(genuine)
    assert figures.top_region(made_up.abstained()) is None


def test_the_strongest_key_frames_are_chosen_and_shown_in_order_of_time(result):
    logits = result.evidence.network_logits.copy()
    logits[[5, 20, 40, 60]] = [9.0, 1.0, 8.0, 10.0]
    blank = np.zeros((4, 4, 3), np.uint8)
    frames = tuple(KeyFrame(at, blank, None) for at in (5, 20, 40, 60))
    chosen = replace(
        result, evidence=replace(result.evidence, network_logits=logits), key_frames=frames
    )
    assert [f.position for f in figures.strongest(chosen)] == [5, 40, 60]
    assert [f.position for f in figures.strongest(chosen, count=1)] == [60]
    assert figures.strongest(replace(result, key_frames=())) == ()


def test_no_region_is_named_when_none_speaks_for_forged(result):
    e = result.explanation
    against = replace(result, explanation=replace(e, shares=-np.abs(e.shares)))
    assert figures.top_region(against) is None
    assert "No region speaks for forged" in figures.region_sentence(against)


def test_a_verdict_driven_by_the_background_says_so():
    text = figures.region_sentence(made_up.result(top="background"))
    assert "not driven by the face" in text


def test_evidence_that_was_not_divided_is_told(result):
    e = result.explanation
    whole = replace(e, shares=e.shares * 0.01, unsplit=e.frame_shares - 0.01 * e.shares.sum(axis=1))
    assert "could not be divided" in figures.region_sentence(replace(result, explanation=whole))


def test_left_and_right_are_the_subjects():
    for player in PLAYERS:
        name = figures.region_name(player)
        assert ("(subject's)" in name) == player.startswith(("left", "right"))
        assert player.split("_")[0] in name or player == "contour"
    assert len({figures.region_name(p) for p in PLAYERS}) == 10


def test_what_could_not_be_judged_is_listed_once_and_with_its_time(result):
    odd = Notice("frame_count", "The declared frame count is 9, but the file holds 7.", 3.0)
    report = made_up.report(result, made_up.abstained(), notices=(odd, odd))
    lines = figures.not_judged(report)
    assert len(lines) == len(set(lines))
    assert "The declared frame count is 9, but the file holds 7. (At 0:03.0.)" in lines
    assert "1 cut, at 0:17.4." in lines
    assert "2 persons were found; each is judged on their own." in lines


def test_an_abstention_is_said_in_dutch_with_dutch_numbers():
    _i18n.set_language("nl")
    report = made_up.report(made_up.abstained("A"))
    for said in (figures.verdict_sentence(report), figures.track_sentence(report.tracks[0])):
        assert "Het gezicht is te klein: de mediane breedte is 41,0 px" in said
        assert "64 px" in said


def test_a_reason_of_an_earlier_version_is_shown_as_it_was_written():
    _i18n.set_language("nl")
    report = made_up.report(made_up.abstained("A"))
    verdict = replace(report.verdict, reason="Something {new} happened.")
    said = figures.verdict_sentence(replace(report, verdict=verdict))
    assert said == "Geen oordeel. Something {new} happened."


def test_every_sample_has_a_dutch_title():
    _i18n.set_language("nl")
    for name in samples.names():
        title = samples.card(name).title
        assert _i18n._(title) != title


@pytest.mark.parametrize(
    ("seconds", "shown"),
    [(0, "0:00.0"), (59.96, "1:00.0"), (3599.99, "1:00:00.0"), (61.24, "1:01.2")],
)
def test_clock(seconds, shown):
    assert figures.clock(seconds) == shown


def test_numbers_are_written_as_the_language_does():
    assert figures.number(-0.001) == "0.00"
    assert figures.number(1.5, 1, signed=True) == "+1.5"
    _i18n.set_language("nl")
    assert figures.number(-1.25) == "−1,25"
    assert figures.clock(1.5) == "0:01,5"


# -- charts


def test_the_curve_breaks_at_a_cut_and_shows_every_moment(result):
    shown = figures.curve(result)
    assert len(shown.stretches) == 2
    assert sum(s.stop - s.start for s in shown.stretches) == len(result.track.pts)
    lines = [t for t in figures.evidence_curve(result).data if t.type == "scatter"]
    assert len(lines) == 2
    drawn = np.concatenate([t.y for t in lines])
    np.testing.assert_allclose(drawn, result.evidence.logits)


def test_a_block_stands_at_the_middle_of_its_moments(result):
    spans = np.array([[0, 3], [4, 9]], np.int64)
    evidence = replace(result.evidence, network_logits=np.zeros(2, np.float32), spans=spans)
    shown = figures.curve(replace(result, evidence=evidence, explanation=None))
    assert shown.times[0] == pytest.approx((result.track.pts[0] + result.track.pts[3]) / 2)


def test_interval_and_threshold_are_drawn(result):
    for figure in (figures.evidence_curve(result), figures.overview(result)):
        kinds = {shape.type: shape for shape in figure.layout.shapes}
        assert (kinds["rect"].x0, kinds["rect"].x1) == (25.6, 28.2)
        assert kinds["line"].y0 == made_up.THRESHOLD


def test_bars_add_up_to_the_evidence_above_the_reference(result):
    shown = figures.bars(result)
    total = shown.shares.sum() + shown.unsplit
    assert total == pytest.approx(result.verdict.logit - made_up.REFERENCE, abs=1e-6)
    (bar,) = figures.region_bars(result).data
    np.testing.assert_allclose(bar.x, [*shown.shares, shown.unsplit])
    assert list(bar.y) == figures.row_names()


def test_matrix_columns_add_up_to_frame_shares_and_zero_is_in_the_middle(result):
    shown = figures.matrix(result)
    np.testing.assert_allclose(shown.values.sum(axis=0), result.explanation.frame_shares, atol=1e-9)
    (heat,) = figures.region_matrix(result).data
    assert heat.zmin == -heat.zmax
    assert dict(heat.colorscale)[0.5] == "#f7f7f7"
    assert len(heat.x) == len(heat.z[0]) + 1  # edges, one more than columns
    assert list(heat.x) == sorted(heat.x)
    gap = [i for i, column in enumerate(zip(*heat.z, strict=True)) if column[0] is None]
    assert len(gap) == 1  # nobody was seen there


def test_without_an_explanation_only_the_curve_is_drawn(result):
    bare = replace(result, explanation=None, key_frames=())
    assert figures.bars(bare) is None
    assert figures.matrix(bare) is None
    assert len(figures.region_bars(bare).data) == len(figures.region_matrix(bare).data) == 0
    assert {t.type for t in figures.overview(bare).data} == {"scatter"}
    assert figures.table(bare, "regions").rows == figures.table(bare, "matrix").rows == ()
    assert figures.table(bare, "curve").rows[0][-1] == "–"


@pytest.mark.parametrize("moments", [1, 2, 3])
def test_few_moments_can_be_drawn(moments):
    few = made_up.result(moments=max(moments, made_up.K))
    n = moments
    e = few.explanation
    few = replace(
        few,
        evidence=replace(
            few.evidence,
            network_logits=few.evidence.network_logits[:n],
            spans=few.evidence.spans[:n],
        ),
        explanation=replace(
            e, frame_shares=e.frame_shares[:n], shares=e.shares[:n], unsplit=e.unsplit[:n]
        ),
        key_frames=(),
    )
    shown = figures.matrix(few)
    assert (shown.end_s > shown.start_s).all()
    json.loads(figures.overview(few).to_json())


@pytest.mark.parametrize("chart", ["curve", "regions", "matrix"])
def test_tables_are_the_charts_in_text(result, chart):
    table = figures.table(result, chart)
    assert isinstance(table, Table)
    assert {len(row) for row in table.rows} == {len(table.heads)}
    assert len(table.rows) == (11 if chart == "regions" else len(result.track.pts))


def test_region_table_says_what_the_bars_show(result):
    rows = dict(figures.table(result, "regions").rows)
    share = result.explanation.region_shares[PLAYERS.index("mouth")]
    assert rows["mouth"] == f"+{share:.4f}"
    assert rows["background"].startswith("−")


def test_ticks_are_round_and_inside():
    for low, high in ((-3.1, 4.2), (0, 0.004), (12.3, 12.4), (0, 3600)):
        shown = figures.ticks(low, high)
        assert 2 <= len(shown) <= 12
        assert all(low - 1e-9 <= t <= high + 1e-9 for t in shown)


# -- pictures


def test_overlay_is_orange_for_and_blue_against_and_clear_at_zero():
    rgb = np.full((224, 224, 3), 128, np.uint8)
    heat = np.zeros((14, 14), np.float32)
    heat[2, 2], heat[10, 10] = 0.5, -0.5
    out = figures.overlay(KeyFrame(0, rgb, heat))
    assert out.shape == (224, 224, 3)
    assert out.dtype == np.uint8
    warm, cold = out[40, 40].astype(int), out[168, 168].astype(int)
    assert warm[0] > 128 > warm[2]
    assert cold[2] > 128 > cold[0]
    np.testing.assert_array_equal(out[100:120, 20:40], 128)
    np.testing.assert_array_equal(rgb, 128)  # the crop itself is not touched


def test_overlay_shows_the_cell_where_it_is():
    rgb = np.zeros((224, 224, 3), np.uint8)
    heat = np.zeros((14, 14), np.float32)
    heat[3, 9] = 1.0
    strength = figures.overlay(KeyFrame(0, rgb, heat)).sum(axis=2)
    y, x = np.unravel_index(strength.argmax(), strength.shape)
    assert (y // 16, x // 16) == (3, 9)


def test_a_stronger_share_hides_more_of_the_face():
    rgb = np.full((224, 224, 3), 255, np.uint8)
    seen = []
    for value in (0.005, 0.02, 0.04):
        heat = np.full((14, 14), 0, np.float32)
        heat[7, 7] = value
        seen.append(int(figures.overlay(KeyFrame(0, rgb, heat)).min()))
    assert seen == sorted(seen, reverse=True)
    assert len(set(seen)) == 3


def test_without_a_heat_map_the_face_is_shown_as_it_is():
    rgb = made_up.face()
    assert figures.overlay(KeyFrame(0, rgb, None)) is rgb


def test_the_signed_scale_is_symmetric():
    low, middle, high = figures.diverging([-1, 0, 1])
    assert (tuple(low), tuple(high)) == (BLUE, ORANGE)
    assert len(set(middle.tolist())) == 1


def test_pictures_come_with_words(result):
    shown = figures.pictures(result)
    assert len(shown) == len(result.key_frames)
    assert all(re.match(r"\d+:\d\d\.\d: (above|below) the line", p.caption) for p in shown)
    assert all(("for comparison" in p.caption) is p.is_comparison for p in shown)
    assert all(p.face.startswith("data:image/jpeg;base64,") and p.alt for p in shown)


# -- planted truth


@pytest.fixture
def truth(tmp_path):
    def put(**facts):
        path = tmp_path / "clip.truth.json"
        path.write_text(json.dumps(facts), encoding="utf-8")
        return figures.read_truth(tmp_path / "clip.mp4")

    return put


def test_comparison_with_planted_truth(report, truth):
    found = figures.compare(report, truth(regions=["mouth"], start_s=25.6, end_s=29.5))
    assert found.is_region_right
    assert found.temporal_iou == pytest.approx(2.6 / 3.9)
    lines = figures.planted_sentences(found)
    assert lines[1] == "Region: correct, mouth."
    assert "0.67" in lines[2]


def test_a_wrong_region_and_a_missed_interval_are_said_to_be(report, truth):
    found = figures.compare(report, truth(regions=["nose"], start_s=1.0, end_s=2.0))
    assert not found.is_region_right
    assert found.temporal_iou == 0
    assert "not correct, mouth" in figures.planted_sentences(found)[1]


def test_nothing_named_is_not_right(truth):
    report = made_up.report(made_up.abstained("A"))
    found = figures.compare(report, truth(regions=["nose"], start_s=1.0, end_s=2.0))
    assert (found.top, found.temporal_iou, found.is_region_right) == (None, 0, False)
    assert "none was named" in figures.planted_sentences(found)[1]


@pytest.mark.parametrize(
    "facts", [{}, {"regions": ["ear"], "start_s": 0, "end_s": 1}, {"regions": [], "start_s": 0}]
)
def test_a_truth_that_makes_no_sense_is_none(truth, facts):
    assert truth(**facts) is None


def test_sentences_need_no_plotly():
    code = (
        "import sys, toolkit.figures; print([m for m in ('plotly', 'torch') if m in sys.modules])"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "[]"
