"""The ensemble's ledger adds up over detectors, frames and regions."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from toolkit import _i18n
from toolkit.errors import OutOfRangeError, UsageError
from toolkit.explain import ledger
from toolkit.explain.ensemble import LogitScale, compare_detectors, ensemble
from toolkit.figures.detectors_beside import beside_html, beside_sentences, ledger_sentences
from toolkit.types import REGIONS, Evidence, PatchHead
from toolkit.verdict.aggregate import aggregate, rule_for


def result(logits, *, times=None, patches=False, explain=True):
    """A track with some logits, by patches where asked."""
    n = len(logits)
    times = np.arange(n, dtype=float) / 2 if times is None else times
    if patches:
        head = PatchHead(2.0, 1.5, -0.3, np.zeros((2, 2), np.float32))
        maps = np.asarray(logits, np.float32)[:, None, None] * np.array([[1, 2], [0, -1]])
        maps = maps.astype(np.float32)
        evidence = Evidence.per_frame(head.logits(maps).astype(np.float32), maps, head)
        regions = np.array([[0, 1], [2, 9]], np.uint8).repeat(4, 0).repeat(4, 1)
        regions = np.broadcast_to(regions, (n, 8, 8)).copy()
    else:
        evidence, regions = Evidence.per_frame(np.asarray(logits, np.float32)), None
    rule = rule_for(n)
    explanation = ledger.explain(
        evidence, times, np.zeros(n, np.int64), regions, threshold=0.5, rule=rule
    )
    return SimpleNamespace(
        track=SimpleNamespace(pts=times, person="A"),
        evidence=evidence,
        explanation=explanation if explain else None,
        verdict=SimpleNamespace(logit=aggregate(evidence.logits, rule), threshold=0.5),
    )


numbers = st.lists(st.floats(-9, 9), min_size=1, max_size=12)


@settings(max_examples=40, deadline=None)
@given(numbers, numbers, st.floats(-5, 5), st.floats(0.1, 9))
def test_shares_add_up_whatever_the_logits_and_scales(a, b, mean, deviation):
    both = ensemble(
        {"a": result(a), "b": result(b, patches=True)},
        {"a": LogitScale(mean, deviation), "b": LogitScale(-mean, 1.0)},
    )
    assert both.residual == pytest.approx(0, abs=1e-6)
    assert both.detector_shares.sum() == pytest.approx(both.logit - both.reference, abs=1e-6)
    assert both.region_shares.sum() == pytest.approx(both.logit - both.reference, abs=1e-6)
    assert both.by_second()[1].sum() == pytest.approx(both.logit - both.reference, abs=1e-6)


def test_by_hand():
    both = ensemble(
        {"a": result([2.0, 2.0, 2.0]), "b": result([-1.0, -1.0, -1.0])},
        {"a": LogitScale(0.0, 2.0), "b": LogitScale(-3.0, 1.0)},
    )
    assert both.logit == pytest.approx((1.0 + 2.0) / 2)
    assert both.reference == pytest.approx((0.25 + 3.5) / 2)  # the threshold, 0.5, of each
    assert both.detector_shares == pytest.approx([(1 - 0.25) / 2, (2 - 3.5) / 2])
    assert both.members[0].shares.shape == (3, len(REGIONS) + 1)


def test_detectors_that_rise_and_fall_together_agree():
    wave = np.sin(np.arange(20))
    both = ensemble(
        {"a": result(wave), "b": result(3 * wave[::2] + 1, times=np.arange(10.0))},
        {"a": LogitScale(0, 1), "b": LogitScale(0, 1)},
    )
    assert both.agreement() == pytest.approx(np.ones((2, 2)))
    still = ensemble(
        {"a": result(wave), "b": result(np.zeros(20))},
        {"a": LogitScale(0, 1), "b": LogitScale(0, 1)},
    )
    assert np.isnan(still.agreement()[0, 1])


def test_it_is_told_in_both_languages():
    both = ensemble(
        {"a": result([1.0] * 4), "b": result([2.0] * 4, patches=True)},
        {"a": LogitScale(0, 1), "b": LogitScale(0, 1)},
    )
    english = both.lines()
    assert len(english) == 3
    assert "not divided" in english[1]
    _i18n.set_language("nl")
    assert both.lines() != english


def test_what_cannot_be_summed_is_refused():
    a, b = result([1.0, 2.0]), result([3.0, 4.0])
    scales = {"a": LogitScale(0, 1), "b": LogitScale(0, 1)}
    with pytest.raises(UsageError, match="two detectors"):
        ensemble({"a": a}, scales)
    with pytest.raises(UsageError, match="lacks its scale"):
        ensemble({"a": a, "c": b}, scales)
    with pytest.raises(UsageError, match="lacks its scale"):
        ensemble({"a": a, "b": result([1.0, 2.0], explain=False)}, scales)
    later = result([1.0, 2.0], times=np.array([90.0, 91.0]))
    with pytest.raises(UsageError, match="not the same"):
        ensemble({"a": a, "b": later}, scales)
    for mean, deviation in ((0, 0), (0, -1), (np.nan, 1), (0, np.inf)):
        with pytest.raises(OutOfRangeError):
            LogitScale(mean, deviation)


TITLES = {"a": "Alpha", "b": "<Beta>"}


def side_by_side(a, b, scales=None):
    scales = {"a": LogitScale(0, 1, 12), "b": LogitScale(0, 2, 30)} if scales is None else scales
    return compare_detectors({"a": a, "b": b}, {"a": None, "b": None} | scales)


def test_seconds_on_which_side_of_the_line_by_hand():
    # two frames a second; the line is 0.5
    found = side_by_side(result([2.0, 2.0, -1.0, -1.0]), result([1.0, 1.0, 3.0, 3.0]))
    assert found.seconds.tolist() == [0, 1]
    assert found.margins == pytest.approx(np.array([[1.5, -1.5], [0.5, 2.5]]))
    assert found.same_side.tolist() == [True, False]
    told = "\n".join(beside_sentences(found, TITLES))
    assert "In 1 of 2 seconds" in told
    assert "They differ at 0:01" in told
    assert "<Beta> is not divided over regions" in told


def test_shares_by_second_and_region_keep_the_sum_of_each_detector():
    found = side_by_side(
        result(np.arange(9.0), patches=True), result(-np.arange(9.0), patches=True)
    )
    for own, member in zip(found.shares, found.ledger.members, strict=True):
        scale = 2 * found.scales[member.name].deviation
        assert own.sum() == pytest.approx(member.shares.sum() * scale)
    assert found.is_divided == (True, True)
    same, against, alone = found.differences()
    assert alone > 0  # one rises where the other falls: they rest on other seconds
    assert same + against + alone <= 10 * len(found.seconds)
    twice = side_by_side(result([1.0, 2, 3, 4], patches=True), result([1.0, 2, 3, 4], patches=True))
    assert twice.differences()[1:] == (0, 0)


def test_a_stretch_fills_its_seconds():
    many = result([2.0] * 8)
    evidence = Evidence(np.array([1.0, -1.0], np.float32), np.array([[0, 3], [4, 7]]))
    rule = rule_for(2)
    few = SimpleNamespace(
        track=many.track,
        evidence=evidence,
        explanation=ledger.explain(
            evidence, many.track.pts, np.zeros(8, np.int64), None, threshold=0.5, rule=rule
        ),
        verdict=SimpleNamespace(logit=aggregate(evidence.logits, rule), threshold=0.5),
    )
    found = side_by_side(many, few)
    assert found.margins[1] == pytest.approx([0.5, 0.5, -1.5, -1.5])
    assert found.shares[1].sum() == pytest.approx(few.explanation.frame_shares.sum())


def test_without_a_scale_there_is_no_sum_and_the_command_is_told():
    found = side_by_side(result([1.0] * 4), result([2.0] * 4), {"a": LogitScale(0, 1, 12)})
    assert found.ledger is None
    (line,) = ledger_sentences(found, TITLES)
    assert "detector threshold b --genuine" in line
    assert "<table" not in beside_html(found, TITLES)


def test_the_page_is_escaped_and_speaks_both_languages():
    found = side_by_side(result([1.0] * 4, patches=True), result([2.0] * 4, patches=True))
    english = beside_html(found, TITLES)
    lines = {*beside_sentences(found, TITLES), *ledger_sentences(found, TITLES)}
    assert "<Beta>" not in english
    assert "&lt;Beta&gt;" in english
    assert english.count("<svg") == 1
    assert "deviations of genuine clips" in english
    _i18n.set_language("nl")
    assert beside_html(found, TITLES) != english
    assert lines.isdisjoint([*beside_sentences(found, TITLES), *ledger_sentences(found, TITLES)])


def test_a_long_clip_gets_columns_of_several_seconds():
    times = np.arange(400.0)
    wave = result(np.sin(times), times=times, patches=True)
    found = side_by_side(wave, result(np.cos(times), times=times, patches=True))
    assert len(found.seconds) == 400
    assert beside_html(found, TITLES).count("<rect") <= 2 * 60 * 11
