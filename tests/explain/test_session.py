"""Questions to a verdict: answers of a detector whose truth is known."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest

from tests.widgets.workbench import made_up_inquiry as made_up
from toolkit.errors import Cancelled, DetectorError, UsageError
from toolkit.explain import answers, costs, perturbation, pixels, session
from toolkit.explain.baselines import References, ValidityTest
from toolkit.explain.trust import TrustFigure
from toolkit.figures import inquiry as words
from toolkit.messages import Message
from toolkit.types import REGIONS, Verdict
from toolkit.verdict.aggregate import aggregate
from toolkit.widgets.workbench import explain_html

pytestmark = pytest.mark.usefixtures("face_models")
MOUTH = REGIONS.index("mouth")


@pytest.fixture(scope="module")
def subject():
    return session.PersonExplainer(made_up.examination(), detector=made_up.Green())


def test_one_call_returns_everything():
    heard = []
    found = session.inquire(
        made_up.examination(),
        detector=made_up.Green(),
        on_result=lambda question, part: heard.append((question, part)),
    )
    assert found.person == "A"
    assert found.position in made_up.GREEN
    assert len(found.frames) == len({a.position for a in found.frames}) == 8
    assert found.exact.perturbation.method == "exact"
    assert found.exact.perturbation.shares.argmax() == MOUTH
    assert found.trust.intervention.table.tolist() == found.exact.perturbation.table.tolist()
    assert found.bands.residual == pytest.approx(0, abs=1e-9)
    closed = "the network itself is not open here"
    assert {m.method for m in found.methods if str(m.refused) != closed} == pixels.ASKS_ONLY
    assert all(m.found for m in found.methods if m.refused is None)
    assert set(found.seconds) == {"references", *session.QUESTIONS}
    for question, parts in (
        ("witnesses", found.frames),
        ("trust", found.trust.figures),
        ("methods", found.methods),
    ):
        assert tuple(part for name, part in heard if name == question) == parts


def test_both_witnesses_find_the_mouth(subject):
    for position in made_up.GREEN:
        answer = subject.ask(position)
        assert answer.may_name
        assert answer.agreement.same_top
        assert answer.perturbation.shares.argmax() == answer.intrinsic.argmax() == MOUTH
    assert subject.ask(position) is subject.ask(position)  # asked once


def test_the_second_witness_has_a_map_that_adds_up(subject):
    answer = subject.ask(3)
    told, mouth = answer.perturbation, subject.crops.region_map[3] == MOUTH
    assert answer.heat.sum() == pytest.approx(told.logit - told.reference_logit)
    assert answer.heat[mouth].sum() == pytest.approx(told.shares[MOUTH])
    assert mouth.ravel()[answer.heat.argmax()]
    forced = session.PersonExplainer(made_up.examination(), detector=made_up.Green())
    forced.use("grey")
    assert forced.ask(3).perturbation is not None
    assert forced.ask(3).heat is None  # it may name no region


def test_a_kind_chosen_meanwhile_is_not_mixed_with_the_one_in_use(monkeypatch):
    subject = session.PersonExplainer(made_up.examination(), detector=made_up.Green())
    choose = References.choose

    def impatient(references, position, **options):
        found = choose(references, position, **options)
        subject.use("blur_noise")
        return found

    monkeypatch.setattr(References, "choose", impatient)
    answer = subject.ask(3)
    assert answer.choice.reference.kind == "clean_frame"
    assert subject.answered(3) is None
    later = subject.ask(3)
    assert later.choice.tried[0].kind == "blur_noise"
    assert later.perturbation.reference_logit != answer.perturbation.reference_logit


def test_exact_replaces_the_sampled_answer_and_stays(subject):
    assert subject.ask(3).perturbation.method == "antithetic"
    exact = subject.ask(3, exact=True)
    assert exact.perturbation.method == "exact"
    assert subject.ask(3) is exact
    assert exact.perturbation.flip_sets(subject.threshold)[0].players == (MOUTH,)


def test_what_would_change_the_verdict_does(subject):
    change = subject.change()
    rule, reference = subject.result.aggregate, subject.result.explanation.reference_logit
    logits = subject.logits.copy()
    logits[list(change.frames)] = reference
    assert aggregate(logits, rule) < subject.threshold
    logits[change.frames[-1]] = subject.logits[change.frames[-1]]
    assert aggregate(logits, rule) >= subject.threshold
    assert change.region_sets[0].logit < subject.threshold
    assert 0 < change.chance <= 1


def test_nothing_changes_a_verdict_that_is_not_forged():
    genuine = session.PersonExplainer(made_up.examination(), "B", detector=made_up.Green())
    assert genuine.change() == answers.Change((), (), None)


def test_replacing_in_every_frame_turns_the_verdict(subject):
    found = subject.check(["mouth"])
    assert found.turned
    assert found.before == pytest.approx(subject.result.verdict.logit)
    assert found.after < subject.threshold
    assert (found.moments, found.of) == (8, 8)
    assert not subject.check(["forehead"]).turned


def test_a_reference_that_does_harm_replaces_nothing(monkeypatch):
    def harm(_references, kind, _tick):
        return ValidityTest("V2", False, 9.0, f"{kind} does harm")

    monkeypatch.setattr(References, "_harmless", harm)
    subject = session.PersonExplainer(made_up.examination(), detector=made_up.Green())
    assert subject.ask(3).choice.tried[0].validity_tests[0].passed  # it is judged genuine, no more
    seen = []
    found = subject.check(["mouth"], tick=lambda *told: seen.append(told))
    assert (found.moments, found.of, found.after) == (0, 8, found.before)
    assert {stage for stage, _, _ in seen} == {"check"}
    assert [done for _, done, _ in seen] == sorted(done for _, done, _ in seen)
    assert "nothing was replaced" in words.checked_sentence(found)
    subject.use("clean_frame")  # whoever insists on a kind may see what it does
    found = subject.check(["mouth"])
    assert (found.moments, found.turned, found.valid) == (8, True, False)
    assert "failed a test or is known to mislead" in words.checked_sentence(found)
    subject.use("grey")
    assert not subject.check(["mouth"]).valid


def test_a_region_is_replaced_in_at_most_one_pass(subject):
    game = subject.game(4)
    before = game.passes
    made = subject.replace(4, ["mouth", "nose"])
    assert game.passes - before <= 2
    assert made.logit < subject.threshold
    before = game.passes
    subject.replace(4, ["mouth", "nose"])
    assert game.passes == before
    assert subject.is_ready(4)
    assert not subject.is_ready(0) or subject.chosen(0) is not None


def test_where_no_reference_is_valid_no_region_is_named():
    """Every frame is green: no clean frame, no donor, and a blurred green mouth is green."""
    everywhere = made_up.examination(green=tuple(range(made_up.FRAMES)), persons="A")
    subject = session.PersonExplainer(everywhere, detector=made_up.Green())
    answer = subject.ask(3)
    assert answer.perturbation is None
    assert not answer.may_name
    assert answer.agreement is None
    assert subject.game(3) is None
    assert subject.replace(3, ["mouth"]) is None
    assert subject.bands(3) is None
    assert subject.trust(3).intervention is None
    heard = session.ask(subject, ["witnesses", "exact", "bands"], 3)
    assert not any(a.may_name for a in heard.frames)


def test_a_kind_on_request_is_shown_and_names_nothing():
    subject = session.PersonExplainer(made_up.examination(), detector=made_up.Green())
    subject.use("grey")
    answer = subject.ask(4)
    assert answer.perturbation is not None
    assert not answer.may_name
    assert answer.named_shares is None
    assert subject.replace(4, ["mouth"]).change < 0
    subject.use(None)
    assert subject.chosen(4) is None  # answers of kinds are kept apart
    assert subject.ask(4).may_name


def test_every_kind_is_made_and_judged(subject):
    made = subject.every_kind(4, ["clean_frame", "donor", "grey"])
    assert [m.kind for m in made] == ["clean_frame", "grey"]  # there is no donor
    assert all(m.validity_tests[0].name == "V1" for m in made)


def test_donors_are_read_only_when_they_are_needed(tmp_path, monkeypatch):
    calls = []

    def read(clips, spec, *, without, tick):
        calls.append((clips, without))

    monkeypatch.setattr(session, "read_donors", read)
    clip = tmp_path / "donor.mp4"
    subject = session.PersonExplainer(
        made_up.examination(), detector=made_up.Green(), donors=[clip]
    )
    subject.ask(4)
    assert calls == []
    everywhere = made_up.examination(green=tuple(range(made_up.FRAMES)), persons="A")
    subject = session.PersonExplainer(everywhere, detector=made_up.Green(), donors=[clip])
    subject.ask(4)
    subject.ask(5)
    assert calls == [((clip,), everywhere.report.video.sha256)]  # once
    subject.add_clips([clip])
    subject.ask(4)  # what was answered without a reference is asked anew
    assert len(calls) == 2


def test_donors_serve_whatever_is_asked_first(tmp_path, monkeypatch):
    donors = made_up.crops(green=())
    monkeypatch.setattr(session, "read_donors", lambda *_given, **_options: donors)
    everywhere = made_up.examination(green=tuple(range(made_up.FRAMES)), persons="A")
    clips = [tmp_path / "donor.mp4"]
    first = session.PersonExplainer(everywhere, detector=made_up.Green(), donors=clips)
    found = first.check(["mouth"])
    assert (found.moments, found.turned, found.valid) == (8, True, True)
    later = session.PersonExplainer(everywhere, detector=made_up.Green())
    assert later.ask(3).heat is None
    assert later.check(["mouth"]).moments == 0
    later.add_clips(clips)
    assert later.ask(3).choice.reference.kind == "donor"
    assert later.ask(3).heat is not None
    assert later.check(["mouth"]) == found


def test_donors_outlive_a_cancel_and_worse_ones_before_them(tmp_path, monkeypatch):
    good, bad = made_up.crops(green=()), made_up.crops(green=(1, 3, 5, 7))
    given = {"good.mp4": good, "bad.mp4": bad}
    impatient = [True]

    def read(clips, _spec, *, without, tick):
        tick("donors", 0, len(clips))
        if impatient:
            impatient.pop()
            raise Cancelled
        return given[clips[0].name]

    def harm(references, kind, _tick):
        worse = kind == "donor" and references._gallery.crops is bad
        return ValidityTest("V2", not worse, 9.0 if worse else 0.0, "made up")

    monkeypatch.setattr(session, "read_donors", read)
    monkeypatch.setattr(References, "_harmless", harm)
    everywhere = made_up.examination(green=tuple(range(made_up.FRAMES)), persons="A")
    subject = session.PersonExplainer(
        everywhere, detector=made_up.Green(), donors=[tmp_path / "bad.mp4"]
    )
    with pytest.raises(Cancelled):
        subject.ask(3)
    assert subject.ask(3).heat is None  # they are read now, and fail their test
    subject.add_clips([tmp_path / "good.mp4"])
    assert subject.generation == 1
    assert subject.answered(3) is subject.chosen(3) is None
    seen = []
    found = subject.check(["mouth"], tick=lambda *told: seen.append(told[0]))
    assert (found.moments, found.turned) == (8, True)
    assert set(seen) == {"check", "donors"}
    answer = subject.ask(3)
    assert answer.choice.reference.kind == "donor"
    subject.add_clips([tmp_path / "good.mp4"])
    assert subject.answered(3) is answer  # it rests on a valid reference


def test_donors_given_meanwhile_are_not_credited_with_what_was_measured_before(monkeypatch):
    bad, good = made_up.crops(green=(1, 3, 5, 7)), made_up.crops(green=())
    waiting = [good, bad]

    def harm(references, _kind, _tick):
        worse = references._gallery.crops is bad
        return ValidityTest("V2", not worse, 9.0 if worse else 0.0, "made up")

    def measured(game, **options):
        if waiting:
            subject.add_clips([Path("good.mp4")])  # from the panel, while the worker is at it
        return sampled(game, **options)

    sampled = perturbation.antithetic
    monkeypatch.setattr(session, "read_donors", lambda *_given, **_options: waiting.pop())
    monkeypatch.setattr(References, "_harmless", harm)
    monkeypatch.setattr(perturbation, "antithetic", measured)
    everywhere = made_up.examination(green=tuple(range(made_up.FRAMES)), persons="A")
    subject = session.PersonExplainer(
        everywhere, detector=made_up.Green(), donors=[Path("bad.mp4")]
    )
    subject.use("donor")
    assert not subject.ask(3).may_name
    assert subject.answered(3) is None
    answer = subject.ask(3)
    assert answer.may_name
    measured_at = answer.perturbation.reference_logit
    assert measured_at == pytest.approx(answer.choice.reference.logit, abs=1e-4)
    assert subject.answered(3) is answer


def test_known_faces_serve_where_no_frame_of_the_track_does():
    everywhere = made_up.examination(green=tuple(range(made_up.FRAMES)), persons="A")
    genuine = made_up.crops(green=())
    subject = session.PersonExplainer(everywhere, detector=made_up.Green(), known=genuine)
    answer = subject.ask(3)
    assert answer.choice.reference.kind == "known_frame"
    assert answer.may_name
    assert answer.perturbation.shares.argmax() == MOUTH
    half = {name: getattr(genuine, name)[:, ::2, ::2] for name in ("rgb", "region_map")}
    small = dataclasses.replace(genuine, **half)
    with pytest.raises(UsageError, match="another detector: 56 and 112 pixels"):
        session.PersonExplainer(everywhere, detector=made_up.Green(), known=small)


def test_progress_and_cancel():
    subject = session.PersonExplainer(made_up.examination(), detector=made_up.Green())
    seen = []
    session.ask(subject, ["witnesses"], 4, tick=lambda *told: seen.append(told))
    assert {stage for stage, _, _ in seen} == {"references", "witnesses"}
    assert all(0 < done < total for _, done, total in seen)

    def stop(stage, done, total):
        if stage == "exact":
            raise Cancelled

    with pytest.raises(Cancelled):
        session.ask(subject, ["exact"], 4, tick=stop)
    assert subject.answered(4).perturbation.method == "antithetic"  # what was known stays


def test_what_does_not_fit_is_refused():
    examination = made_up.examination()
    with pytest.raises(UsageError, match="no such person"):
        session.PersonExplainer(examination, "C")
    subject = session.PersonExplainer(examination, detector=made_up.Green())
    with pytest.raises(UsageError, match="unknown question"):
        session.ask(subject, ["why"], 0)
    with pytest.raises(UsageError, match="no such moment"):
        session.ask(subject, [], 8)
    other = {**examination.report.settings}
    other["detector"] = {"name": "seamnet", "weights_sha256": "ab" * 32, "threshold": 0.0}
    report = dataclasses.replace(examination.report, settings=other)
    stale = session.PersonExplainer(dataclasses.replace(examination, report=report))
    with pytest.raises(DetectorError, match="other weights"):
        _ = stale.detector


def test_without_an_explanation_the_largest_logit_is_in_view():
    bare = made_up.result(made_up.crops(), explained=False)
    assert session.strongest(bare) == int(np.argmax(bare.evidence.logits))
    abstained = dataclasses.replace(
        bare, verdict=Verdict(1.0, 0.0, abstained=True, reason="The face is too small.")
    )
    assert not abstained.verdict.is_fake


def test_methods_that_promise_to_add_up_are_held_to_it():
    from toolkit.explain.pixels import PixelAttribution

    def answer(method, value):
        empty = np.zeros(10)
        found = PixelAttribution(method, empty, empty, 1.0, 0.0, value, 1, 0, {})
        return answers.MethodAnswer(method, found, None, None, 0.1)

    refused = answers.MethodAnswer("deep_lift", None, Message("no_rule", "No rule."), None, 0.0)
    told = answers.completeness(
        [answer("gradient_shap", 0.3), answer("grad_cam", None), refused, answer("kernel_shap", 0)]
    )
    assert [(f.name, f.reads_well) for f in told] == [
        ("completeness_gradient_shap", False),
        ("completeness_kernel_shap", True),
    ]
    shown = explain_html.trust([TrustFigure("seam", 0.0, True, "One.")], None, told)
    assert "1 of 1 checks" in shown  # the maps of other methods do not count in it
    assert "Completeness of GradientShap" in shown


def test_what_a_question_costs_is_known_beforehand():
    seen = made_up.examination()
    subject = session.PersonExplainer(seen, detector=made_up.Green())
    assert np.isnan(costs.expected_seconds(subject, "exact"))  # it was not judged here
    moments = sum(len(r.track.pts) for r in seen.report.tracks)
    report = dataclasses.replace(seen.report, timings={"detect": 0.05 * moments})
    timed = session.PersonExplainer(
        dataclasses.replace(seen, report=report), detector=made_up.Green()
    )
    assert costs.expected_seconds(timed, "exact") == pytest.approx(1024 * 0.05)
    assert costs.expected_seconds(timed, "trust") > costs.expected_seconds(timed, "exact")
    assert costs.expected_seconds(timed, "nothing") == 0


def test_a_question_counts_what_its_calls_cost():
    """A gradient weighs as much as it takes: the bar does not stand at its end meanwhile."""
    ticks = []
    tick = costs.Counted(lambda *t: ticks.append(t), "trust", 100, batch=2, gradient_cost=20)
    tick("intervene", 0, 10)
    tick("captum integrated_gradients", 0, 0)
    tick("captum integrated_gradients", 2, 0)
    tick("captum occlusion", 0, 0)  # another method begins anew; it asks the detector only
    tick("captum occlusion", 3, 0)
    assert [done for _question, done, _of in ticks] == [2, 2, 42, 42, 45]
    tick("captum occlusion", 90, 0)
    assert ticks[-1] == ("trust", 99, 100)  # never finished before it is
    tick("donors", 1, 4)
    assert ticks[-1] == ("donors", 1, 4)


def test_a_bar_has_the_stages_of_what_is_asked(subject):
    weights = costs.stage_weights(subject, ["trust"], 0)
    assert list(weights) == ["donors", "references", "trust"]
    assert weights["trust"] > weights["references"]
    subject.choice(0)
    assert list(costs.stage_weights(subject, ["trust"], 0)) == ["trust"]
