"""What the answers of `toolkit.explain.session` say in words, rows and pictures. Pure.

Every chart of these answers is a table whose cells hold the numbers, with bars beside them, so that
it needs no twin. The wording keeps to the rules of `sentences`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from toolkit._i18n import _, ngettext
from toolkit.explain import ledger, regions
from toolkit.explain.bands import BandShares
from toolkit.explain.baselines import AUTOMATIC, Choice, Reference
from toolkit.explain.perturbation import Composite
from toolkit.explain.trust import ADDITIVE_MIN, Panel, TrustFigure, validity_figures
from toolkit.figures.answer import Check
from toolkit.figures.charts import FigureTable
from toolkit.figures.pictures import BLUE, ORANGE, data_address
from toolkit.figures.sentences import clock, number, reference_name, region_name
from toolkit.messages import Message
from toolkit.types import REGIONS, Evidence, TrackResult

if TYPE_CHECKING:
    from toolkit.explain.answers import Change, Checked, FrameAnswer, MethodAnswer
    from toolkit.explain.lookalikes import Lookalike
    from toolkit.explain.session import PersonExplainer

Float = NDArray[np.float64]

_NAMED = 3  # regions named in a sentence
_SETS_NAMED = 3
_SHARP_PART = 0.995  # of the pixels of a heat map lie below its full colour
_ALPHA = 0.75


# -- the ledger


def sum_sentence(result: TrackResult) -> str:
    """Return the verdict as a sum: reference + frames = logit, with the residual recomputed."""
    explanation = result.explanation
    if explanation is None or result.verdict.logit is None:
        return _("There is no explanation of this verdict.")
    frames = float(explanation.frame_shares.sum())
    return _(
        "{reference} ({kind}) {frames} ({n} frames) = {logit} logit. Recomputed, {residual:.0e} is "
        "left over."
    ).format(
        reference=number(explanation.reference_logit, 3),
        kind=reference_name(explanation.reference_kind),
        frames=_plus(frames),
        n=len(explanation.frame_shares),
        logit=number(explanation.reference_logit + frames, 3),
        residual=abs(result.verdict.logit - explanation.reference_logit - frames),
    )


def threshold_sentence(result: TrackResult) -> str:
    """Return on which side of the threshold the sum lies; empty when there is no verdict."""
    verdict = result.verdict
    if result.explanation is None or verdict.logit is None or verdict.abstained:
        return ""
    text = (
        _("The sum lies above the threshold of {threshold}.")
        if verdict.is_fake
        else _("The sum lies below the threshold of {threshold}.")
    )
    return text.format(threshold=number(verdict.threshold, 3))


def matrix_sentence(result: TrackResult) -> str:
    """Return that the cells of region × time are the same sum, with what is left over."""
    explanation = result.explanation
    if explanation is None:
        return ""
    cells = float(explanation.shares.sum() + explanation.unsplit.sum())
    left = abs(cells - float(explanation.frame_shares.sum()))
    return _(
        "All cells of the chart together give {cells}: the frames' shares, with {left:.0e} left "
        "over."
    ).format(cells=number(cells, 3, signed=True), left=left)


def frame_sum_sentence(result: TrackResult, position: int) -> str:
    """Return one frame's share as the sum of its regions."""
    explanation = result.explanation
    if explanation is None:
        return ""
    row = result.row_at(position)
    time = clock(float(result.track.pts[position]), 2)
    share = float(explanation.frame_shares[row])
    logit = float(result.evidence.logits[row])
    if not share:
        text = _("Frame at {time}: logit {logit}. It carries nothing of the verdict.")
        return text.format(time=time, logit=number(logit, 2, signed=True))
    split = explanation.shares[row]
    parts = [
        f"{region_name(REGIONS[i])} {number(float(split[i]), 3, signed=True)}"
        for i in np.argsort(-np.abs(split), kind="stable").tolist()
        if split[i]
    ]
    unsplit = float(explanation.unsplit[row])
    if abs(unsplit) >= 5e-4 or not parts:
        parts.append(_("not divided") + " " + number(unsplit, 3, signed=True))
    return _("Frame at {time}: logit {logit}. Its share {share} = {parts}.").format(
        time=time,
        logit=number(logit, 2, signed=True),
        share=number(share, 3, signed=True),
        parts="; ".join(parts),
    )


def _plus(value: float) -> str:
    return f"{'+' if value >= 0 else '−'} {number(abs(value), 3)}"


# -- what would change the verdict


def change_sentences(result: TrackResult, change: Change) -> list[str]:
    """Return what would change the verdict, and what would not."""
    if result.verdict.abstained or result.explanation is None:
        return [_("There is no verdict, so nothing can change it.")]
    if not result.verdict.is_fake:
        return [
            _(
                "The verdict is not ‘forged’. Replacing parts by genuine ones can only show what "
                "speaks for forged, so nothing here would turn it."
            )
        ]
    lines = [_frames_line(result, change), *_region_lines(result, change)]
    if change.chance is not None:
        times = max(1, round(1000 * change.chance))
        text = ngettext(
            "By chance alone a stretch as strong would turn up {n} time in 1000.",
            "By chance alone a stretch as strong would turn up {n} times in 1000.",
            times,
        )
        lines.append(text.format(n=times))
    return lines


def _frames_line(result: TrackResult, change: Change) -> str:
    of = len(result.evidence.logits)
    if change.frames is None:
        return _("Not even replacing all {of} frames by the reference turns the verdict.").format(
            of=of
        )
    n = len(change.frames)
    pts = result.track.pts[result.evidence.spans[:, 0]]
    first = sorted(change.frames)[:6]
    times = ", ".join(clock(float(pts[i])) for i in first) + (" …" if n > len(first) else "")
    text = _("The smallest set of frames that turns the verdict: {n} of {of} ({times}).")
    return text.format(n=n, of=of, times=times)


def _region_lines(result: TrackResult, change: Change) -> list[str]:
    if not change.region_sets:
        if result.evidence.patches is None:
            return [_("This detector has no patch evidence to replace regions in by construction.")]
        return [_("By construction no set of regions turns the verdict.")]
    smallest = len(change.region_sets[0].players)
    shown = [s for s in change.region_sets if len(s.players) == smallest][:_SETS_NAMED]
    lines = [
        _(
            "By construction, replacing {regions} in every frame turns the verdict (to {logit})."
        ).format(regions=_joined(s.players), logit=number(s.logit, 2, signed=True))
        for s in shown
    ]
    if smallest > 1:
        lines.append(_("Several regions share the cue; no single one turns the verdict."))
    return lines


def flip_sentence(answer: FrameAnswer, threshold: float) -> str:
    """Return which regions turn this one frame, by intervention; they need the exact table."""
    told = answer.perturbation
    if not answer.may_name or told is None or told.table is None:
        return ""
    if told.logit < threshold:
        return ""
    sets = told.flip_sets(threshold)
    if not sets:
        return _("By intervention no set of regions brings this frame below the threshold.")
    smallest = len(sets[0].players)
    shown = [s for s in sets if len(s.players) == smallest][:_SETS_NAMED]
    names = "; ".join(_joined(s.players) for s in shown)
    return _("By intervention, replacing {regions} brings this frame below the threshold.").format(
        regions=names
    )


def pair_sentence(answer: FrameAnswer) -> str:
    """Return which two regions act together most, where bars do not describe the frame."""
    told = answer.perturbation
    if not answer.may_name or told is None or told.table is None:
        return ""
    fits = float(regions.additivity(told.table))
    if fits >= ADDITIVE_MIN:
        return ""
    pairs = regions.interactions(told.table)
    i, j = divmod(int(np.abs(pairs).argmax()), len(pairs))
    text = (
        _("Bars alone do not describe this frame: {pair} stand in for each other ({value}).")
        if pairs[i, j] < 0
        else _(
            "Bars alone do not describe this frame: the detector needs {pair} together ({value})."
        )
    )
    return text.format(pair=_joined((i, j)), value=number(float(pairs[i, j]), 2, signed=True))


def checked_sentence(found: Checked) -> str:
    """Return what replacing regions in every moment does to the verdict."""
    if not found.moments:
        return _("No moment has a reference that may be used, so nothing was replaced.")
    text = (
        _(
            "Replacing {regions} in {n} of {of} moments moves the logit from {before} to {after}: "
            "the verdict turns."
        )
        if found.turned
        else _(
            "Replacing {regions} in {n} of {of} moments moves the logit from {before} to {after}: "
            "the verdict stays."
        )
    )
    line = text.format(
        regions=_joined([REGIONS.index(p) for p in found.replaced]),
        n=found.moments,
        of=found.of,
        before=number(found.before, 2, signed=True),
        after=number(found.after, 2, signed=True),
    )
    if found.valid:
        return line
    more = _("The reference failed a test or is known to mislead, so this shows little.")
    return f"{line} {more}"


def composite_sentence(made: Composite, threshold: float) -> str:
    """Return what the ticked replacements do to the frame's logit."""
    if not made.replaced:
        return _("Nothing is replaced: logit {logit}. Tick regions to replace them.").format(
            logit=number(made.logit, 2, signed=True)
        )
    text = (
        _(
            "Replacing {regions} moves this frame's logit by {change}, to {logit}: above the "
            "threshold."
        )
        if made.logit >= threshold
        else _(
            "Replacing {regions} moves this frame's logit by {change}, to {logit}: below the "
            "threshold."
        )
    )
    return text.format(
        regions=_joined([REGIONS.index(p) for p in made.replaced]),
        change=number(made.change, 2, signed=True),
        logit=number(made.logit, 2, signed=True),
    )


def _joined(region_map: Sequence[int]) -> str:
    names = [region_name(REGIONS[i]) for i in region_map]
    if len(names) < 2:
        return "".join(names)
    return _("{first} and {last}").format(first=", ".join(names[:-1]), last=names[-1])


# -- two witnesses


@dataclass(frozen=True)
class RegionRow:
    """One region of one frame, or of the key frames together: both witnesses.

    Attributes
    ----------
    player, label
        Name for programs, and for people.
    construction, intervention, error
        Shares in logits and the standard error; None where there is none.
    single
        Change when only this region is replaced (leave one out), when known.
    """

    region: str
    label: str
    construction: float | None
    intervention: float | None
    error: float | None
    single: float | None


def region_rows(answer: FrameAnswer | None, own: Float | None = None) -> list[RegionRow]:
    """Return ten rows for one frame.

    Parameters
    ----------
    answer
        None before anything was asked: then `own` (10,) is shown alone.
    """
    told = answer.perturbation if answer else None
    own = answer.intrinsic if answer else own
    single = None
    if told is not None and told.table is not None:
        single = regions.leave_one_out(told.table)
    return [
        RegionRow(
            region,
            region_name(region),
            None if own is None else float(own[i]),
            None if told is None else float(told.shares[i]),
            None if told is None or told.method == "exact" else float(told.error[i]),
            None if single is None else float(single[i]),
        )
        for i, region in enumerate(REGIONS)
    ]


def top_region_name(shares: Float | None) -> str:
    """Return the region with the largest share; a dash where none speaks for forged."""
    if shares is None or shares.max() <= 0:
        return "–"
    return region_name(REGIONS[int(shares.argmax())])


def witness_sentence(answers: Sequence[FrameAnswer], threshold: float) -> str:
    """Return how far the two witnesses agree over the key frames above the threshold.

    What lies below it has little to explain; where no key frame lies above, all count.
    """
    if not answers:
        return ""
    above = [a for a in answers if a.logit >= threshold]
    both = [a.agreement for a in above or answers if a.agreement is not None]
    if not both:
        return _("On no key frame could both witnesses be heard.")
    same = sum(a.same_top for a in both)
    mean = float(np.mean([a.pearson for a in both]))
    text = (
        _(
            "Of the {n} key frames above the threshold, both witnesses put the same region first "
            "on {same} (mean correlation {value})."
        )
        if above
        else _(
            "No key frame lies above the threshold. Of all {n}, both witnesses put the same "
            "region first on {same} (mean correlation {value})."
        )
    )
    return text.format(same=same, n=len(both), value=number(mean))


def check_of(answers: Sequence[FrameAnswer], threshold: float) -> Check | None:
    """Return whether the second witness bears the explanation out, over the key frames.

    It agrees if both put the same region first on at least half of the key frames above the
    threshold on which both could be heard; None where there is no such frame.
    """
    both = [a.agreement for a in answers if a.logit >= threshold and a.agreement is not None]
    if not both:
        return None
    return "agrees" if 2 * sum(a.same_top for a in both) >= len(both) else "contested"


def frame_witness_sentence(answer: FrameAnswer, threshold: float) -> str:
    """Return what the two witnesses say about a frame, or why the second names no region."""
    if answer.perturbation is None:
        return no_reference_sentence(answer.choice)
    if not answer.may_name:
        return _(
            "This reference failed a test or is known to mislead: its shares are shown, but no "
            "region is named."
        )
    if answer.logit < threshold:
        return _("This frame lies below the threshold, so no region is named.")
    told = answer.perturbation
    top = int(told.shares.argmax())
    if told.shares[top] <= 0:
        return _("By intervention no region of this frame speaks for forged.")
    mine = region_name(REGIONS[top])
    if told.method == "exact":
        how = _("exact, all {n} composites").format(
            n=len(told.table) if told.table is not None else 0
        )
    else:
        how = _("standard error {error}, {n} permutation pairs").format(
            error=number(float(told.error[top])), n=told.pairs
        )
    text = _("By intervention, {region} is most important to this detector here ({share}; {how}).")
    line = text.format(region=mine, share=number(float(told.shares[top]), 2, signed=True), how=how)
    if answer.agreement is None:
        return line
    if answer.agreement.same_top:
        return line + " " + _("By construction it is the same region.")
    other = region_name(REGIONS[answer.agreement.top[0]])
    return (
        line
        + " "
        + _(
            "By construction it is {region}: the witnesses differ, and the intervention, whose "
            "reference passed its tests, names the region."
        ).format(region=other)
    )


def no_reference_sentence(choice: Choice) -> str:
    """Return why the intervention names no region."""
    reasons = "; ".join(f"{kind_name(r.kind)}: {_failed(r)}" for r in choice.tried)
    text = (
        _("No reference is valid, so the intervention names no region. {reasons}.")
        if reasons
        else _(
            "There is no picture of this kind to replace regions by, so the intervention names no "
            "region."
        )
    ).format(reasons=reasons)
    if choice.unusable:
        more = ngettext(
            "The {n} face that is known to be genuine looks forged to this detector.",
            "All {n} faces that are known to be genuine look forged to this detector.",
            choice.unusable,
        )
        return f"{text} {more.format(n=choice.unusable)}"
    if any(r.kind == "known_frame" for r in choice.tried):
        return text
    more = _(
        "Seconds or a recording of this person that are known to be genuine may give one: name "
        "them in the workbench under “Compare”."
    )
    return f"{text} {more}"


def _failed(reference: Reference) -> str:
    bad = [light.name for light in reference.validity_tests if light.passed is False]
    what = {
        "V1": _("it lies above the threshold itself"),
        "V2": _("it does harm on genuine frames"),
        "V3": _("what was planted is not found with it"),
    }
    return ", ".join(what[name] for name in bad) or _("known to mislead")


# -- references


def kind_name(kind: str) -> str:
    """Return what people call a kind of reference."""
    return {
        "known_frame": _("this person, in what is known to be genuine"),
        "clean_frame": _("another frame of this person"),
        "donor": _("another person, from a genuine clip"),
        "blur_noise": _("this frame, blurred, with its own noise"),
        "blur": _("plain blur"),
        "mean_face": _("mean face of this person"),
        "grey": _("grey"),
        "black": _("black"),
    }[kind]


def reference_lines(reference: Reference) -> list[str]:
    """Return what was tested of a reference, a sentence a test, each with its sign."""
    lines = [f"{sign(f.reads_well)} {f.sentence}" for f in validity_figures(reference)]
    if reference.kind not in AUTOMATIC:
        lines.append("✗ " + _("Most detectors take such a picture for forged: only to show that."))
    return lines


def reference_sentence(choice: Choice, *, asked: str | None) -> str:
    """Return which reference is in use for a frame, and whether it may name regions."""
    chosen = choice.reference
    if chosen is not None:
        text = (
            _("In use: {kind}. It passed its tests.")
            if asked
            else _("Chosen by the tests: {kind}.")
        )
        return text.format(kind=kind_name(chosen.kind))
    if asked and choice.tried:
        text = _("In use because you asked for it: {kind}. It names no region.")
        return text.format(kind=kind_name(choice.tried[-1].kind))
    return no_reference_sentence(choice)


# -- the trust panel


def sign(reads_well: bool | None) -> str:
    """Return a sign for a figure: never colour alone."""
    return {True: "✓", False: "✗", None: "–"}[reads_well]


def trust_name(figure: TrustFigure) -> str:
    """Return what people call a figure of the trust panel."""
    name = figure.name
    if name.startswith("completeness"):
        return _("Completeness of {method}").format(method=method_name(name.partition("_")[2]))
    return {
        "reference_v1": _("Reference: judged genuine"),
        "reference_v2": _("Reference: harmless"),
        "reference_v3": _("Reference: finds what was planted"),
        "seam": _("Seam control"),
        "deletion": _("Deletion"),
        "insertion": _("Insertion"),
        "additivity": _("Additivity"),
        "infidelity": _("Infidelity"),
        "stability": _("Stability over seeds"),
        "context": _("Face or context"),
        "references_agree": _("Stability over references"),
        "witnesses": _("Two witnesses"),
        "key_frames": _("Stability over frames"),
        "randomisation": _("Random weights"),
    }[name]


def trust_summary(figures: Sequence[TrustFigure]) -> str:
    """Return how many figures speak for the explanation."""
    well = sum(f.reads_well is True for f in figures)
    badly = [trust_name(f) for f in figures if f.reads_well is False]
    text = _("{well} of {n} checks speak for this explanation.").format(well=well, n=len(figures))
    if badly:
        text += " " + _("Against it: {names}.").format(names=", ".join(badly))
    return text


def curve_table(panel: Panel) -> FigureTable | None:
    """Return the logit as regions are replaced, and put back, in the order of their shares."""
    told = panel.intervention
    if told is None or told.table is None:
        return None
    order = np.argsort(-told.shares, kind="stable").tolist()
    scale = regions.deletion_scale(told.table)
    columns = (
        regions.deletion_curve(told.table, order),
        regions.deletion_curve(told.table, scale.best),
        regions.deletion_curve(told.table, scale.worst),
        regions.insertion_curve(told.table, order),
    )
    names = [_("nothing"), *(region_name(REGIONS[i]) for i in order)]
    rows = tuple(
        (name, *(number(float(c[step]), 2, signed=True) for c in columns))
        for step, name in enumerate(names)
    )
    heads = (
        _("so far, in order of share"),
        _("replaced"),
        _("best order"),
        _("worst order"),
        _("put back"),
    )
    return FigureTable(_("Logit as regions are replaced one by one"), heads, rows)


# -- frequencies


def band_rows(bands: BandShares) -> list[tuple[str, float]]:
    """Return name and share of each band, finest first."""
    edges = bands.edges.tolist()
    names = [_("finer than {a}").format(a=number(edges[0], 0))]
    names += [
        _("{b} to {a}").format(b=number(low, 0), a=number(high, 0)) for high, low in pairwise(edges)
    ]
    names.append(_("coarser than {b}").format(b=number(edges[-1], 0)))
    return list(zip(names, bands.shares.tolist(), strict=True))


def band_sentence(bands: BandShares) -> str:
    """Return which band carries most, and what is left over."""
    names = band_rows(bands)
    top = int(bands.shares.argmax())
    if bands.shares[top] <= 0:
        return _("No band of frequencies speaks for forged in this frame.")
    return _(
        "Most important to this detector: the band {band} (cycles per face width), {share}. "
        "Exact over {n} composites; {left:.0e} is left over."
    ).format(
        band=names[top][0],
        share=number(float(bands.shares[top]), 2, signed=True),
        n=len(bands.table),
        left=abs(bands.residual),
    )


# -- Captum's methods


def method_name(method: str) -> str:
    """Return the name that the literature uses."""
    return {
        "integrated_gradients": "Integrated Gradients",
        "smooth_grad": "SmoothGrad",
        "gradient_shap": "GradientShap",
        "grad_cam": "Grad-CAM",
        "occlusion": "Occlusion",
        "feature_ablation": "Feature Ablation",
        "shapley_value_sampling": "Shapley Value Sampling",
        "kernel_shap": "KernelShap",
        "deep_lift": "DeepLift",
        "guided_backprop": "Guided Backprop",
        "guided_grad_cam": "Guided Grad-CAM",
    }.get(method, method)


def method_sentence(answer: MethodAnswer) -> str:
    """Return what a method says and how far it agrees, or why it is not asked."""
    if answer.found is None:
        return _("Not asked: {reason}.").format(reason=_refused(answer.refused))
    found = answer.found
    top = int(found.regions.argmax())
    if found.regions[top] <= 0:
        said = _("No region speaks for forged")
    else:
        said = _("First: {region}").format(region=region_name(REGIONS[top]))
    parts = [said]
    if answer.agreement is not None:
        parts.append(
            _("rank correlation with the intervention {value}").format(
                value=number(answer.agreement.spearman)
            )
        )
    if found.completeness is not None:
        parts.append(
            _("misses {value} of what it should add up to").format(
                value=number(100 * abs(found.completeness), 1) + " %"
            )
        )
    else:
        parts.append(_("does not promise to add up"))
    parts.append(_("{n} passes").format(n=found.passes))
    return "; ".join(parts) + "."


def _refused(reason: Message | None) -> str:
    if reason is None:
        return ""
    if reason.code == "no_rule":
        layers = reason.values["layers"]
        return _("it gives wrong answers on networks with {layers}").format(layers=layers)
    if reason.code == "no_reference":
        return _("it needs a reference, and none is valid")
    return reason.text()


# -- maps that look like an explanation


def lookalike_name(name: str) -> str:
    """Return what people call a map."""
    return {
        "patches": _("the detector's own patches"),
        "grad_cam": "Grad-CAM",
        "edges": _("edges of the picture"),
        "centre": _("a blob in the middle"),
    }[name]


def lookalike_sentence(found: Lookalike) -> str:
    """Return whether a map holds the check with random weights."""
    text = (
        _("{sign} Changes with random weights (likeness {value}): it shows what was learned.")
        if found.holds
        else _(
            "{sign} Stays the same with random weights (likeness {value}): it says nothing about "
            "the detector, however right it looks."
        )
    )
    return text.format(sign=sign(found.holds), value=number(found.alike))


# -- pictures


def heat_picture(rgb: NDArray[np.uint8], heat: Float) -> str:
    """Return a face with a signed map (S, S) over it, as a ``data:`` address.

    Orange speaks for forged, blue against; scaled to the map's own largest values, because methods
    differ in unit.
    """
    size = float(np.quantile(np.abs(heat), _SHARP_PART)) or float(np.abs(heat).max()) or 1.0
    value = np.clip(heat / size, -1, 1)[..., None]
    alpha = _ALPHA * np.abs(value)
    mixed = (1 - alpha) * rgb + alpha * np.where(value >= 0, ORANGE, BLUE)
    return data_address(np.asarray(mixed.round(), np.uint8))


def patch_picture(rgb: NDArray[np.uint8], evidence: Evidence, position: int) -> str | None:
    """Return a face with its patch evidence over it, as `heat_picture`; None without patches."""
    import cv2

    cells = ledger.heat(evidence, position)
    if cells is None:
        return None
    size = (rgb.shape[1], rgb.shape[0])
    return heat_picture(rgb, cv2.resize(cells, size, interpolation=cv2.INTER_NEAREST))


def composite_picture(made: Composite) -> str:
    """Return a composite as a ``data:`` address, with a label burnt in that says what it is."""
    import cv2

    rgb = made.rgb.copy()
    if made.replaced:
        size = len(rgb)
        text, scale = _("replaced for analysis"), size / 480
        (width, height), base = cv2.getTextSize(text, cv2.FONT_HERSHEY_SIMPLEX, scale, 1)
        top = size - height - base - 6
        rgb[top:] = (rgb[top:] * 0.25).astype(np.uint8)
        where = (max(0, (size - width) // 2), size - base - 2)
        cv2.putText(
            rgb, text, where, cv2.FONT_HERSHEY_SIMPLEX, scale, (255, 255, 255), 1, cv2.LINE_AA
        )
    return data_address(rgb)


def answered_sentences(session: PersonExplainer) -> list[str]:
    """Return what was asked and answered of a person, each sentence with the person's name."""
    who = _("Person {person}").format(person=session.person)
    keys, times = session.witnesses, session.result.track.pts

    def clock_at(row: int) -> str:
        return clock(float(times[row]))

    lines = []
    if keys:
        lines.append(witness_sentence(keys, session.threshold))
        lines += [f"{clock(a.at_s)}: {frame_witness_sentence(a, session.threshold)}" for a in keys]
    for state in session.states():
        if state.figures:
            lines.append(f"{clock_at(state.row)}: {trust_summary(state.figures)}")
            lines += [f"✗ {f.sentence}" for f in state.figures if f.reads_well is False]
    if session.checked is not None:
        lines.append(checked_sentence(session.checked))
    for state in session.states():
        at = clock_at(state.row)
        lines += [f"{at}, {method_name(a.method)}: {method_sentence(a)}" for a in state.methods]
    return [f"{who}. {line}" for line in lines if line]
