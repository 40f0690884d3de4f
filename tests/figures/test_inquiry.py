"""Words and pictures of the questions: true to the numbers, in two languages, within the rules."""

from __future__ import annotations

import dataclasses
import re

import numpy as np
import pytest

from tests.widgets import made_up
from toolkit import _i18n
from toolkit.explain.answers import Change, Checked, FrameAnswer, MethodAnswer
from toolkit.explain.bands import BandShares
from toolkit.explain.baselines import Choice, Reference, ValidityTest
from toolkit.explain.perturbation import Agreement, Composite, Intervention, agreement
from toolkit.explain.pixels import PixelAttribution
from toolkit.explain.regions import FlipSet
from toolkit.explain.trust import Panel, TrustFigure
from toolkit.figures import inquiry as words
from toolkit.messages import Message
from toolkit.types import REGIONS, Evidence, PatchHead

MOUTH, NOSE = REGIONS.index("mouth"), REGIONS.index("nose")


@pytest.fixture(autouse=True)
def english():
    _i18n.set_language("en")
    yield
    _i18n.set_language("en")


def table_of(shares, base=-3.0):
    """Return the table of an additive game."""
    has = (np.arange(1 << 10)[:, None] >> np.arange(10) & 1).astype(float)
    return base + has @ shares


def told(shares, *, method="exact", base=-3.0):
    shares = np.asarray(shares, float)
    table = table_of(shares, base) if method == "exact" else None
    error = np.zeros(10) if method == "exact" else np.full(10, 0.05)
    return Intervention(shares, error, base + shares.sum(), base, method, 9, 0, 5, table)


def reference(*, kind="clean_frame", passed=True):
    light = ValidityTest("V1", passed, -1.0 if passed else 2.0, "")
    return Reference(kind, 0, made_up.face(), -1.0, (light,), {}, kind != "grey")


def answer(own, shares=None, *, valid=True, method="exact", logit=2.0):
    said = None if shares is None else told(shares, method=method)
    made = reference(passed=valid)
    choice = Choice(made if valid else None, (made,))
    own = np.asarray(own, float)
    both = agreement(own, said.shares) if said and valid else None
    return FrameAnswer(3, 12.34, logit, choice, own, said, both)


def vector(**named):
    out = np.zeros(10)
    for name, value in named.items():
        out[REGIONS.index(name)] = value
    return out


def test_the_sum_is_the_verdict_and_its_rest_is_recomputed():
    result = made_up.result()
    text = words.sum_sentence(result)
    numbers = [
        float(n.replace("−", "-").replace(" ", "")) for n in re.findall(r"[−+]? ?\d+\.\d+", text)
    ]
    assert numbers[0] + numbers[1] == pytest.approx(numbers[2], abs=2e-3)
    assert numbers[2] == pytest.approx(result.verdict.logit, abs=1e-3)
    wrong = dataclasses.replace(
        result, verdict=dataclasses.replace(result.verdict, logit=result.verdict.logit + 0.25)
    )
    assert "2e-01 is left over" in words.sum_sentence(wrong)  # it does not trust the stored one
    assert "no explanation" in words.sum_sentence(made_up.abstained())
    assert words.matrix_sentence(made_up.abstained()) == ""
    verdict = result.verdict
    above = dataclasses.replace(verdict, logit=1.25, threshold=0.5)
    for told, side in ((above, "above"), (dataclasses.replace(above, threshold=1.5), "below")):
        said = words.threshold_sentence(dataclasses.replace(result, verdict=told))
        assert said == f"The sum lies {side} the threshold of {told.threshold:.3f}."
    assert words.threshold_sentence(made_up.abstained()) == ""


def test_a_frames_share_is_its_regions():
    result = made_up.result()
    position = int(result.explanation.frame_shares.argmax())
    text = words.frame_sum_sentence(result, position)
    share, *parts = (float(n.replace("−", "-")) for n in re.findall(r"[−+]\d+\.\d{3}", text))
    assert sum(parts) == pytest.approx(share, abs=0.01)
    nothing = int((result.explanation.frame_shares == 0).argmax())
    assert "carries nothing" in words.frame_sum_sentence(result, nothing)
    assert words.frame_sum_sentence(made_up.abstained(), 0) == ""


def test_what_would_change_the_verdict():
    result = made_up.result()
    sets = (FlipSet((MOUTH,), -0.2), FlipSet((NOSE, 1), -0.1))
    lines = words.change_sentences(result, Change((60, 61), sets, 0.01))
    assert "2 of 120" in lines[0]
    assert "replacing mouth in every frame turns the verdict (to −0.20)" in lines[1]
    assert lines[-1] == "By chance alone a stretch as strong would turn up 10 times in 1000."
    assert not any("nose" in line for line in lines)  # only the smallest
    shared = words.change_sentences(result, Change(None, (FlipSet((0, 3), -0.1),), None))
    assert "Not even replacing all 120" in shared[0]
    assert "mouth and nose" in shared[1]
    assert "no single one" in shared[2]
    assert "no patch evidence" in words.change_sentences(result, Change((), (), None))[1]
    calm = made_up.result(forged=False)
    assert "not ‘forged’" in words.change_sentences(calm, Change((), (), None))[0]
    assert "no verdict" in words.change_sentences(made_up.abstained(), Change((), (), None))[0]


def test_the_second_witness_names_a_region_or_says_why_not():
    own, shares = vector(mouth=1.0, nose=0.2), vector(mouth=3.0, chin_jaw=0.4)
    text = words.frame_witness_sentence(answer(own, shares), 0.0)
    assert "mouth is most important to this detector here (+3.00; exact" in text
    assert "same region" in text
    sampled = words.frame_witness_sentence(answer(own, shares, method="antithetic"), 0.0)
    assert "standard error 0.05, 5 permutation pairs" in sampled
    apart = words.frame_witness_sentence(answer(vector(nose=1.0), shares), 0.0)
    assert "By construction it is nose: the witnesses differ" in apart
    below = words.frame_witness_sentence(answer(own, shares, logit=-1.0), 0.0)
    assert "no region is named" in below
    failed = words.frame_witness_sentence(answer(own, shares, valid=False), 0.0)
    assert "no region is named" in failed
    assert "mouth" not in failed
    without = words.frame_witness_sentence(answer(own, valid=False), 0.0)
    assert "it lies above the threshold itself" in without
    nobody = FrameAnswer(0, 0.0, 1.0, Choice(None, ()), own, None, None)
    told = words.frame_witness_sentence(nobody, 0.0)
    assert "There is no picture of this kind" in told
    assert "known to be genuine may give one" in told
    for count, text in ((1, "The 1 face that"), (3, "All 3 faces that")):
        rejected = dataclasses.replace(nobody, choice=Choice(None, (), unusable=count))
        told = words.frame_witness_sentence(rejected, 0.0)
        assert text in told
        assert "may give one" not in told  # it was named, and looks forged
    against = words.frame_witness_sentence(answer(own, vector(mouth=-1.0)), 0.0)
    assert "no region of this frame speaks for forged" in against


def test_agreement_counts_the_frames_above_the_threshold():
    own, other = vector(mouth=1.0, nose=0.5), vector(nose=1.0)
    heard = [
        answer(own, vector(mouth=2.0, nose=1.0)),
        answer(own, other),
        answer(own, other, logit=-2.0),
    ]
    assert "Of the 2 key frames above the threshold" in words.witness_sentence(heard, 0.0)
    assert "first on 1 " in words.witness_sentence(heard, 0.0)
    assert "No key frame lies above" in words.witness_sentence(heard, 5.0)
    assert words.witness_sentence([], 0.0) == ""
    assert "could both" in words.witness_sentence([answer(own, valid=False)], 0.0)


def test_flip_sets_and_pairs_of_a_frame_need_the_exact_table():
    own = vector(mouth=1.0)
    exact = answer(own, vector(mouth=3.0, nose=1.0))
    assert "replacing mouth brings this frame below" in words.flip_sentence(exact, 0.0)
    assert "no set of regions" in words.flip_sentence(exact, -9.0)
    assert words.flip_sentence(exact, 9.0) == ""
    assert words.flip_sentence(answer(own, vector(mouth=3.0), method="antithetic"), 0.0) == ""
    assert words.pair_sentence(exact) == ""  # bars describe it
    has = (np.arange(1 << 10)[:, None] >> np.arange(10) & 1).astype(bool)
    both = np.where(has[:, 0] & has[:, 3], 4.0, 0.0)
    game = dataclasses.replace(exact.perturbation, table=both)
    assert "needs mouth and nose together (+4.00)" in words.pair_sentence(
        dataclasses.replace(exact, perturbation=game)
    )
    either = np.where(has[:, 0] | has[:, 3], 4.0, 0.0)
    game = dataclasses.replace(exact.perturbation, table=either)
    assert words.pair_sentence(dataclasses.replace(exact, perturbation=game)).count("nose") in (
        0,
        1,
    )


def test_rows_hold_what_is_known_and_nothing_else():
    own = vector(mouth=1.0)
    rows = words.region_rows(None, own)
    assert [r.region for r in rows] == list(REGIONS)
    assert rows[MOUTH].construction == 1.0
    assert rows[MOUTH].intervention is rows[MOUTH].error is rows[MOUTH].single is None
    exact = words.region_rows(answer(own, vector(mouth=3.0)))
    assert exact[MOUTH].single == pytest.approx(3.0)
    assert exact[MOUTH].error is None
    sampled = words.region_rows(answer(own, vector(mouth=3.0), method="antithetic"))
    assert sampled[MOUTH].error == 0.05
    assert sampled[MOUTH].single is None
    assert words.region_rows(None)[0].construction is None


def test_composites_and_checks():
    made = Composite(made_up.face(), -0.5, -2.5, ("mouth", "nose"))
    assert "mouth and nose" in words.composite_sentence(made, 0.0)
    assert "below the threshold" in words.composite_sentence(made, 0.0)
    assert "above the threshold" in words.composite_sentence(made, -1.0)
    assert "Nothing is replaced" in words.composite_sentence(Composite(made.rgb, 2.0, 0.0, ()), 0.0)
    assert "the verdict turns" in words.checked_sentence(Checked(("mouth",), 1.0, -1.0, 7, 8, True))
    stays = words.checked_sentence(Checked(("mouth",), 1.0, 0.9, 7, 8, False))
    assert "7 of 8 moments" in stays
    assert "stays" in stays


def test_a_composite_carries_a_burnt_in_label():
    rgb = np.full((224, 224, 3), 200, np.uint8)
    plain = words.composite_picture(Composite(rgb, 0.0, 0.0, ()))
    labelled = words.composite_picture(Composite(rgb, 0.0, 0.0, ("mouth",)))
    assert plain != labelled
    assert labelled.startswith("data:image/jpeg;base64,")
    _i18n.set_language("nl")
    assert words.composite_picture(Composite(rgb, 0.0, 0.0, ("mouth",))) != labelled
    assert (rgb == 200).all()


def test_a_heat_map_is_scaled_to_itself():
    rgb = np.full((64, 64, 3), 128, np.uint8)
    heat = np.zeros((64, 64))
    heat[10:20, 10:20] = 1.0
    assert words.heat_picture(rgb, heat) == words.heat_picture(rgb, 1e-3 * heat)
    assert words.heat_picture(rgb, heat) != words.heat_picture(rgb, -heat)
    words.heat_picture(rgb, np.zeros((64, 64)))  # nothing to scale by


def test_patches_are_drawn_where_they_are_or_not_at_all():
    rgb = np.full((64, 64, 3), 128, np.uint8)
    one = np.arange(1)
    spans = np.stack([one, one], axis=1)
    patches = np.full((1, 2, 2), -2.0, np.float32)
    patches[0, 0, 1] = 2.0
    head = PatchHead(4.0, 1.0, 0.0, np.full((2, 2), -2.0, np.float32))
    heat = np.zeros((64, 64))
    heat[:32, 32:] = 1.0
    drawn = words.patch_picture(rgb, Evidence(np.ones(1, np.float32), spans, patches, head), 0)
    assert drawn == words.heat_picture(rgb, heat)
    assert words.patch_picture(rgb, Evidence(np.ones(1, np.float32), spans), 0) is None


def test_methods_say_what_they_found_or_why_not():
    found = PixelAttribution(
        "integrated_gradients",
        np.zeros((4, 4)),
        vector(mouth=1.0),
        1.0,
        0.0,
        -0.013,
        52,
        0,
        {},
    )
    both = Agreement(same_top=True, top=(0, 0), pearson=0.9, spearman=0.8, half_l1=0.1)
    text = words.method_sentence(MethodAnswer("integrated_gradients", found, None, both, 1.0))
    assert text == (
        "First: mouth; rank correlation with the intervention 0.80; misses 1.3 % of what it should "
        "add up to; 52 passes."
    )
    loose = dataclasses.replace(found, completeness=None, regions=np.zeros(10))
    text = words.method_sentence(MethodAnswer("grad_cam", loose, None, None, 1.0))
    assert "No region speaks for forged" in text
    assert "does not promise" in text
    values = {"method": "deep_lift", "layers": "ReLU6, SiLU"}
    reason = Message("no_rule", "{method} has no rule for {layers}", values)
    text = words.method_sentence(MethodAnswer("deep_lift", None, reason, None, 0.0))
    assert text == "Not asked: it gives wrong answers on networks with ReLU6, SiLU."
    _i18n.set_language("nl")
    text = words.method_sentence(MethodAnswer("deep_lift", None, reason, None, 0.0))
    assert text == "Niet gevraagd: het geeft foute antwoorden bij netwerken met ReLU6, SiLU."


def test_bands_have_names_and_a_winner():
    shares = np.array([0.1, 2.0, 0.0, 0.0, -0.3, 0.2])
    edges = np.array([60.0, 30.0, 15.0, 7.5, 3.7])
    bands = BandShares(shares, edges, 1.0, -1.0, np.zeros(64))
    rows = words.band_rows(bands)
    assert [name for name, _ in rows] == [
        "finer than 60",
        "30 to 60",
        "15 to 30",
        "8 to 15",
        "4 to 8",
        "coarser than 4",
    ]
    assert "30 to 60" in words.band_sentence(bands)
    none = dataclasses.replace(bands, shares=-np.abs(shares))
    assert "No band" in words.band_sentence(none)


def test_references_tell_their_tests():
    chosen = reference()
    assert "another frame of this person" in words.reference_sentence(
        Choice(chosen, (chosen,)), asked=None
    )
    assert words.reference_lines(chosen)[0].startswith("✓")
    grey = reference(kind="grey")
    assert "names no region" in words.reference_sentence(Choice(None, (grey,)), asked="grey")
    assert words.reference_lines(grey)[-1].startswith("✗")
    assert "passed its tests" in words.reference_sentence(
        Choice(chosen, (chosen,)), asked="clean_frame"
    )


def test_the_trust_panel_is_summed_up_and_draws_its_curves():
    figures = (
        TrustFigure("seam", 0.0, True, "One."),
        TrustFigure("deletion", 0.0, False, "Two."),
        TrustFigure("completeness_integrated_gradients", None, None, "Three."),
    )
    assert words.trust_summary(figures) == (
        "1 of 3 checks speak for this explanation. Against it: Deletion."
    )
    assert words.trust_name(figures[2]) == "Completeness of Integrated Gradients"
    panel = Panel(figures, reference(), told(vector(mouth=3.0, nose=1.0)), 9, 1.0)
    table = words.curve_table(panel)
    assert len(table.rows) == 11
    assert table.rows[0][1:] == ("+1.00", "+1.00", "+1.00", "−3.00")
    assert table.rows[1][0] == "mouth"
    assert table.rows[1][1] == "−2.00"
    assert table.rows[-1][1:] == ("−3.00", "−3.00", "−3.00", "+1.00")
    assert words.curve_table(dataclasses.replace(panel, intervention=None)) is None
