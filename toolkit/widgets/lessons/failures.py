"""Lesson 7: treat clips and ask again, move the detector with a pattern, count rare forgeries."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING

import ipywidgets
import numpy as np
from numpy.typing import NDArray

from toolkit import _i18n, figures
from toolkit._i18n import _
from toolkit.figures import lessons as drawn
from toolkit.lessons import odds
from toolkit.lessons.clips import Plan
from toolkit.lessons.doubt import LEVELS_MAX, TREATMENTS, Treatment
from toolkit.messages import Message, text_of
from toolkit.types import Tick
from toolkit.widgets.task import Task, pictures

if TYPE_CHECKING:
    from toolkit.detectors.seamnet_small import SeamNetDetector
    from toolkit.lessons.doubt import Attacked

NOTHING = "nothing"
CLIPS = ("genuine", "suspicious", "strong", "careful")
_CLIPS_COUNTED = 1000


@dataclass(frozen=True, eq=False)
class ClipVerdict:
    """What the detector says of a clip: `gap` is its evidence minus the threshold, or None."""

    clip: str
    treatment: str
    called: bool | None
    gap: float | None
    reason: Message | None
    face: NDArray[np.uint8] | None

    @property
    def is_forged(self) -> bool:
        """Whether the clip is forged."""
        return self.clip in ("strong", "careful")


class FailureLab(ipywidgets.VBox):  # type: ignore[misc]  # ipywidgets ships no types
    """Treat a clip whose truth is known, and see whether the verdict holds.

    Attributes
    ----------
    heard
        Every verdict so far, the first first.
    """

    def __init__(self, *, on_heard: Callable[[ClipVerdict], None] | None = None) -> None:
        self._on_heard = on_heard
        self._judge: SeamNetDetector | None = None
        self._suspicious: Plan | None = None
        self.heard: list[ClipVerdict] = []
        self._clip = ipywidgets.Dropdown()
        self._treatment = ipywidgets.Dropdown()
        self.task: Task[ClipVerdict] = Task(
            lambda: _("Ask the detector"),
            self._work,
            self._arrive,
            weights={"make": 50.0, "scan": 18.0, "faces": 16.0, "detect": 16.0},
        )
        self._shown, self._table = ipywidgets.HTML(), ipywidgets.HTML()
        super().__init__([self._clip, self._treatment, self.task, self._shown, self._table])
        self.add_class("dz-lesson")
        self.add_class("dz-failures")
        self.retranslate()

    def __repr__(self) -> str:
        return f"FailureLab(heard={len(self.heard)})"

    def choose(self, clip: str, treatment: str = NOTHING) -> None:
        """Set the controls."""
        self._clip.value, self._treatment.value = clip, treatment

    def retranslate(self) -> None:
        """Say everything in the language in use."""
        clip, treatment = self._clip.value, self._treatment.value
        self._clip.options = [(name, key) for key, name in clip_names().items()]
        self._clip.value = clip or CLIPS[0]
        self._treatment.options = [(name, key) for key, name in treatment_names().items()]
        self._treatment.value = treatment or NOTHING
        self._clip.description, self._treatment.description = _("Clip"), _("Treatment")
        self.task.retranslate()
        self._show()

    def _work(self, tick: Tick) -> ClipVerdict:
        from toolkit.analysis.pipeline import examine
        from toolkit.lessons import clips, doubt
        from toolkit.types import Sampling

        def making(stage: str, done: int, total: int) -> None:
            tick("make", done, max(total, 1))

        judge = self._detector()
        clip, treatment = str(self._clip.value), str(self._treatment.value)
        with tempfile.TemporaryDirectory(prefix="doorzicht-") as folder:
            path = Path(folder, "clip.mp4")
            clips.make(self._plan(clip, judge, making), path, tick=making)
            if treatment != NOTHING:
                treated = Path(folder, "treated.mp4")
                doubt.treat(path, treated, _as_treatment(treatment), tick=making)
                path = treated
            found = examine(path, detector=judge, sampling=Sampling(frames=16), tick=tick)
        report = found.report
        verdict = report.verdict
        result = figures.speaking(report) or (report.tracks[0] if report.tracks else None)
        face = None
        if result is not None and len(result.evidence.logits):
            crops = found.crops[result.track.person]
            face = doubt.strongest(crops, result.evidence.logits)
        gap = None if verdict.logit is None else float(verdict.logit - verdict.threshold)
        called = None if verdict.abstained else verdict.is_fake
        return ClipVerdict(clip, treatment, called, gap, verdict.reason, face)

    def _detector(self) -> SeamNetDetector:
        if self._judge is None:
            from toolkit.detectors.seamnet_small import SeamNetDetector

            self._judge = SeamNetDetector()
        return self._judge

    def _plan(self, clip: str, judge: SeamNetDetector, tick: Tick) -> Plan:
        from toolkit.lessons import clips, quiz

        names = clips.sources()
        name = next((n for n in ("cap12_edit", "franck") if n in names), names[0])
        match clip:
            case "genuine":
                return Plan(name, 6.0, "genuine")
            case "suspicious":
                if self._suspicious is None:
                    self._suspicious = quiz.most_suspicious(names, judge, tick=tick)
                return self._suspicious
            case "strong":
                return Plan(name, 6.0, "planted", ("mouth",), 3.0)
            case _:
                return Plan(name, 6.0, "planted", ("mouth",), 0.35)

    def _arrive(self, heard: ClipVerdict) -> None:
        self.heard.append(heard)
        self._show()
        if self._on_heard is not None:
            self._on_heard(heard)

    def _show(self) -> None:
        if not self.heard:
            self._shown.value = self._table.value = ""
            return
        last = self.heard[-1]
        body = f'<p class="dz-box">{escape(heard_sentence(last))}</p>'
        if last.gap is not None:
            marks = [(treatment_names()[last.treatment], last.gap)]
            plain = next(
                (h for h in reversed(self.heard) if h.clip == last.clip and h.treatment == NOTHING),
                None,
            )
            if plain is not None and plain.gap is not None and last.treatment != NOTHING:
                marks.insert(0, (treatment_names()[NOTHING], plain.gap))
            body += drawn.scale(marks)
        if last.face is not None:
            body += pictures([(last.face, _("The moment that the detector found most suspicious"))])
        self._shown.value = _tagged(body)
        self._table.value = _tagged(_table(self.heard))


def _table(heard: list[ClipVerdict]) -> str:
    heads = (_("Clip"), _("Treatment"), _("Truth"), _("Detector"), "")
    title, truth = _("All that was tried"), {True: _("forged"), False: _("genuine")}
    rows = "".join(
        f"<tr><td>{escape(clip_names()[h.clip])}</td>"
        f"<td>{escape(treatment_names()[h.treatment])}</td>"
        f"<td>{escape(truth[h.is_forged])}</td>"
        f"<td>{escape(_called(h))}</td><td>{escape(_sign(h))}</td></tr>"
        for h in heard
    )
    head = "".join(f'<th scope="col">{escape(h)}</th>' for h in heads)
    return (
        f"<h4>{escape(title)}</h4>"
        f"<table><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table>"
    )


def _called(heard: ClipVerdict) -> str:
    if heard.called is None:
        return _("no verdict")
    return _("calls it forged") if heard.called else _("does not call it forged")


def _sign(heard: ClipVerdict) -> str:
    if heard.called is None:
        return "–"
    return _("✓ right") if heard.called == heard.is_forged else _("✗ wrong")


def heard_sentence(heard: ClipVerdict) -> str:
    """Return what the detector said of a clip, and what is true."""
    if heard.called is None:
        return _("No verdict. {reason}").format(reason=text_of(heard.reason or ""))
    where = drawn.gap_words(heard.gap or 0.0)
    if heard.called == heard.is_forged:
        text = (
            _("Right: the clip is forged, and the evidence is {where}.")
            if heard.is_forged
            else _("Right: the clip is genuine, and the evidence is {where}.")
        )
    else:
        text = (
            _("Missed: the clip is forged, but the evidence is {where}.")
            if heard.is_forged
            else _("False alarm: the clip is genuine, but the evidence is {where}.")
        )
    return text.format(where=where)


def clip_names() -> dict[str, str]:
    """Return what the clips are called."""
    return {
        "genuine": _("a genuine clip"),
        "suspicious": _("a genuine clip at its most suspicious moment"),
        "strong": _("a clip with a plainly changed mouth"),
        "careful": _("a clip with a carefully changed mouth"),
    }


def treatment_names() -> dict[str, str]:
    """Return what the treatments are called."""
    named = {
        "recode": _("made small and coded twice"),
        "crop": _("cropped and coded"),
        "screen": _("recorded from a screen"),
        "beauty": _("a beauty filter"),
        "cut": _("the middle cut out"),
    }
    return {NOTHING: _("nothing"), **{t: named[t] for t in TREATMENTS}}


def _as_treatment(name: str) -> Treatment:
    return next(t for t in TREATMENTS if t == name)


class PatternLab(ipywidgets.VBox):  # type: ignore[misc]  # ipywidgets ships no types
    """Put an adversarial pattern on one face, and see the detector change its mind.

    Attributes
    ----------
    attacked
        The last result, or None.
    """

    def __init__(self) -> None:
        self.attacked: Attacked | None = None
        self._face: dict[bool, NDArray[np.uint8]] = {}
        self._judge: SeamNetDetector | None = None
        self._goal = ipywidgets.ToggleButtons(style={"button_width": "auto"})
        self._levels = ipywidgets.IntSlider(value=2, min=0, max=LEVELS_MAX, continuous_update=False)
        self.task: Task[Attacked] = Task(
            lambda: _("Compute the pattern"),
            self._work,
            self._arrive,
            weights={"make": 45.0, "scan": 15.0, "faces": 15.0, "detect": 15.0, "pattern": 10.0},
        )
        self._shown = ipywidgets.HTML()
        super().__init__([self._goal, self._levels, self.task, self._shown])
        self.add_class("dz-lesson")
        self.add_class("dz-pattern")
        self.retranslate()

    def __repr__(self) -> str:
        return f"PatternLab(state={self.task.state!r})"

    def retranslate(self) -> None:
        """Say everything in the language in use."""
        goal = self._goal.value
        self._goal.options = [
            (_("hide a forgery"), True),
            (_("accuse a genuine face"), False),
        ]
        self._goal.value = True if goal is None else goal
        self._goal.description, self._levels.description = _("Goal"), _("Levels of 255")
        self.task.retranslate()
        if self.attacked is not None:
            self._show(self.attacked)

    def _work(self, tick: Tick) -> Attacked:
        from toolkit.lessons import doubt

        hide = bool(self._goal.value)
        rgb = self._picture(hide, tick)
        tick("pattern", 0, 1)
        assert self._judge is not None
        return doubt.attack(rgb, self._judge, levels=self._levels.value, hide=hide)

    def _picture(self, hide: bool, tick: Tick) -> NDArray[np.uint8]:
        """Return a forged face to hide, or a genuine one to accuse."""
        from toolkit.detectors.seamnet_small import SeamNetDetector
        from toolkit.lessons import clips, doubt
        from toolkit.lessons.quiz import crops_of

        self._judge = self._judge or SeamNetDetector()
        if hide not in self._face:
            names = clips.sources()
            name = next((n for n in ("cap12_edit", "franck") if n in names), names[0])
            plan = (
                Plan(name, 6.0, "planted", ("mouth",), 3.0) if hide else Plan(name, 6.0, "genuine")
            )
            crops = crops_of(plan, self._judge, tick=tick)
            logits = self._judge.evidence(crops).logits
            self._face[hide] = doubt.strongest(crops, logits)
        return self._face[hide]

    def _arrive(self, attacked: Attacked) -> None:
        self.attacked = attacked
        self._show(attacked)

    def _show(self, found: Attacked) -> None:
        from toolkit.lessons.doubt import magnified

        body = pictures(
            [
                (found.before, _("The face as it was")),
                (
                    magnified(found.pattern),
                    _("The pattern, sixteen times as strong; grey = nothing"),
                ),
                (found.after, _("The face with the pattern")),
            ]
        )
        body += drawn.scale(
            [
                (_("as it was"), found.gap_before),
                (_("with the pattern"), found.gap_after),
                (_("and coded once more"), found.gap_recoded),
            ],
            reach=6.0,
        )
        moved = (found.gap_before >= 0) != (found.gap_after >= 0)
        held = (found.gap_after >= 0) == (found.gap_recoded >= 0)
        sentences = [
            _("The verdict on this face changed.") if moved else _("The verdict did not change.")
        ]
        if moved:
            sentences.append(
                _("It stays changed after coding the picture once more.")
                if held
                else _("Coding the picture once more undid it.")
            )
        self._shown.value = _tagged(f'{body}<p class="dz-box">{escape(" ".join(sentences))}</p>')


class OddsLab(ipywidgets.VBox):  # type: ignore[misc]  # ipywidgets ships no types
    """Turn the share of forgeries, and see what "forged" means.

    Parameters
    ----------
    found_of_100, alarms_of_100
        Where the sliders stand; None for alarms = as the bundled detector's card counts them.
    """

    def __init__(self, *, found_of_100: int = 60, alarms_of_100: int | None = None) -> None:
        self._one_in = ipywidgets.SelectionSlider(
            options=[2, 5, 10, 50, 100, 1000], value=10, continuous_update=False
        )
        self._found = ipywidgets.IntSlider(found_of_100, 0, 100, continuous_update=False)
        if alarms_of_100 is None:
            alarms_of_100 = card_alarms()
        self._alarms = ipywidgets.IntSlider(alarms_of_100, 0, 100, continuous_update=False)
        self._shown = ipywidgets.HTML()
        for control in (self._one_in, self._found, self._alarms):
            control.observe(lambda _change: self._show(), "value")
        super().__init__([self._one_in, self._found, self._alarms, self._shown])
        self.add_class("dz-lesson")
        self.add_class("dz-odds")
        self.retranslate()

    def __repr__(self) -> str:
        return "OddsLab()"

    @property
    def counts(self) -> odds.Counts:
        """What is on screen."""
        return odds.expect(
            clips=_CLIPS_COUNTED,
            one_in=int(self._one_in.value),
            found_of_100=int(self._found.value),
            alarms_of_100=int(self._alarms.value),
        )

    def choose(self, *, one_in: int) -> None:
        """Set the share of forgeries."""
        self._one_in.value = one_in

    def retranslate(self) -> None:
        """Say everything in the language in use."""
        self._one_in.description = _("Forged: one clip in")
        self._found.description = _("Found, of 100 forged")
        self._alarms.description = _("Called forged, of 100 genuine")
        for control in (self._one_in, self._found, self._alarms):
            control.style = {"description_width": "19em"}
            control.layout = {"width": "min(44em, 100%)"}
        self._show()

    def _show(self) -> None:
        counts = self.counts
        chart = drawn.icons(
            [
                (_("forged, and called forged"), counts.found),
                (_("forged, and missed"), counts.missed),
                (_("genuine, but called forged"), counts.alarms),
                (_("genuine, and not called forged"), counts.genuine - counts.alarms),
            ]
        )
        text = _(
            "Of {clips} clips, forged: {forged}. Called forged by the detector: {called}. "
            "Among these, forged: {found}; genuine: {alarms}."
        ).format(
            clips=f"{_CLIPS_COUNTED:,}".replace(",", "\u202f"),
            forged=counts.forged,
            called=counts.called,
            found=counts.found,
            alarms=counts.alarms,
        )
        body = f'{chart}<p class="dz-box">{escape(text)}</p><p>{escape(self._ratio(counts))}</p>'
        self._shown.value = _tagged(body)

    def _ratio(self, counts: odds.Counts) -> str:
        found, alarms = int(self._found.value), int(self._alarms.value)
        ratio = odds.likelihood_ratio(found_of_100=found, alarms_of_100=alarms)
        if ratio is None:
            return _(
                "No genuine clip is called forged here. Nobody has seen enough clips to say that "
                "of "
                "a real detector: a likelihood ratio without a limit is not supported by any data."
            )
        times = figures.number(ratio, 0 if ratio >= 10 or ratio == round(ratio) else 1)
        return _(
            'The likelihood ratio: "forged" is said {found} times in 100 of a forged clip and '
            "{alarms} times in 100 of a genuine one, so it is {times} times as often said of a "
            "forged "
            "clip. Before: {forged} forged to {genuine} genuine. Among those called forged: "
            "{hits} to "
            "{wrong}. The ratio comes from the detector; the first numbers come from the world."
        ).format(
            found=found,
            alarms=alarms,
            times=times,
            forged=counts.forged,
            genuine=counts.genuine,
            hits=counts.found,
            wrong=counts.alarms,
        )


def card_alarms() -> int:
    """Return how many of 100 genuine clips the card lets expect to be called forged, else 10."""
    from toolkit.detectors.seamnet_small import WEIGHTS, read_card

    held = read_card(WEIGHTS.with_suffix(".json")).get("held_back")
    if not held or not held.get("genuine"):
        return 10
    return int(100 * held["called_forged"] / held["genuine"] + 0.5)


def _tagged(body: str) -> str:
    return f'<div lang="{_i18n.language()}">{body}</div>'
