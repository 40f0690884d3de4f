"""Lesson 5: look for traces, teach a tiny detector, ask the bundled one about one's own forgery."""

from __future__ import annotations

from collections.abc import Callable
from html import escape
from typing import TYPE_CHECKING

import ipywidgets
import numpy as np

from toolkit import _i18n, figures
from toolkit._i18n import _
from toolkit.figures import lessons as drawn
from toolkit.forge.selfblend import PARTS
from toolkit.lessons.traces import STRENGTH_MAX, TRACES, Seen
from toolkit.types import Tick
from toolkit.widgets.task import Task, pictures

if TYPE_CHECKING:
    from torch import nn

    from toolkit.lessons.own import OwnForgery
    from toolkit.lessons.tiny_detector import Face, Learned, Moment

_ENDS = 2  # pictures from each end of the ranking


class TraceLab(ipywidgets.VBox):  # type: ignore[misc]  # ipywidgets ships no types
    """Forge one part of a face with one kind of trace, and look through that trace's lens.

    Parameters
    ----------
    faces
        Genuine faces to choose from; None = those of the samples.

    Attributes
    ----------
    seen
        What is on screen.
    """

    def __init__(self, faces: list[Face] | None = None) -> None:
        if faces is None:
            from toolkit.lessons import portraits

            faces = portraits.one_per_person(portraits.faces(per_clip=8))
        self._faces = faces
        self.seen: Seen | None = None
        self._face = ipywidgets.Dropdown(options=[(f.person, i) for i, f in enumerate(faces)])
        self._trace = ipywidgets.ToggleButtons(style={"button_width": "auto"})
        self._region = ipywidgets.Dropdown()
        self._strength = ipywidgets.FloatSlider(
            value=2.0, min=0, max=STRENGTH_MAX, step=0.5, continuous_update=False, readout=False
        )
        self._truth = ipywidgets.Checkbox(value=False, indent=False)
        self._shown = ipywidgets.HTML()
        self.say()
        for control in (self._face, self._trace, self._region, self._strength, self._truth):
            control.observe(lambda _change: self.look(), "value")
        rows = [self._face, self._trace, self._region, self._strength, self._truth]
        super().__init__([*rows, self._shown])
        self.add_class("dz-lesson")
        self.add_class("dz-traces")
        self.look()

    def __repr__(self) -> str:
        return f"TraceLab(trace={self._trace.value!r})"

    def choose(self, trace: str, *, region: str = "mouth", strength: float = 2.0) -> None:
        """Set the controls."""
        self._trace.value, self._region.value, self._strength.value = trace, region, strength

    def look(self) -> None:
        """Forge and look again."""
        from toolkit.lessons import traces

        if self._trace.value is None or self._region.value is None:
            return
        self.seen = traces.look(
            self._faces[self._face.value],
            self._trace.value,
            regions=(self._region.value,),
            strength=self._strength.value,
        )
        self._show(self.seen)

    def say(self) -> None:
        """Say everything in the language in use."""
        names = trace_names()
        trace, region = self._trace.value, self._region.value
        self._trace.options = [(names[t], t) for t in TRACES]
        self._trace.value = trace or TRACES[0]
        self._region.options = [(figures.region_name(r), r) for r in PARTS]
        self._region.value = region or "mouth"
        self._face.description, self._trace.description = _("Face"), _("Trace")
        self._region.description, self._strength.description = _("Part"), _("Strength")
        self._truth.description = _("Show where it was changed")
        if self.seen is not None:
            self._show(self.seen)

    def _show(self, seen: Seen) -> None:
        after = drawn.outlined(seen.forged, seen.mask) if self._truth.value else seen.forged
        top = float(np.percentile(np.maximum(seen.lens_genuine, seen.lens_forged), 99.5))
        lenses = [drawn.in_grey(v, top=top) for v in (seen.lens_genuine, seen.lens_forged)]
        if self._truth.value:
            lenses[1] = drawn.outlined(lenses[1], seen.mask)
        body = pictures(
            [
                (seen.genuine, _("As it was")),
                (after, _("With a changed part")),
                (lenses[0], _("Through the lens: as it was")),
                (lenses[1], _("Through the lens: with a changed part")),
            ]
        )
        what = trace_sentences()[self._trace.value]
        counted = _("The lens reads {before} before and {after} after.").format(
            before=figures.number(seen.before), after=figures.number(seen.after)
        )
        body += f"<p>{escape(what)} {escape(counted)}</p>"
        if self._trace.value == "frequency":
            s = seen.spectrum
            body += drawn.lines(
                _("Strength of waves by their fineness"),
                _("waves across the part, coarse to fine"),
                _("strength in decibel"),
                [
                    (_("as it was"), s.cycles.tolist(), s.genuine.tolist()),
                    (_("changed part"), s.cycles.tolist(), s.forged.tolist()),
                ],
            )
        self._shown.value = f'<div lang="{_i18n.language()}">{body}</div>'


def trace_names() -> dict[str, str]:
    """Return what the traces are called."""
    return {
        "seam": _("seam"),
        "resampling": _("resampling"),
        "noise": _("noise"),
        "colour": _("colour"),
        "frequency": _("frequency"),
    }


def trace_sentences() -> dict[str, str]:
    """Return what each lens shows."""
    return {
        "seam": _("Bright is where the colour changes quickly from one pixel to the next."),
        "resampling": _("Bright is where there is much fine detail."),
        "noise": _("Bright is where pixels differ from their neighbours: the camera's noise."),
        "colour": _("Bright is where the colour differs from the skin round the changed part."),
        "frequency": _("Bright is where the finest third of all waves is strong."),
    }


class TinyLab(ipywidgets.VBox):  # type: ignore[misc]  # ipywidgets ships no types
    """Teach a network self-blended faces while the class watches.

    Parameters
    ----------
    net
        What learns; it is trained in place, and goes on from where it is when started again.
    faces
        Genuine faces of at least two people; None = those of the samples.
    steps
        Gradient steps of one training.
    on_learned
        Called with the result.

    Attributes
    ----------
    learned
        What came of the last training, or None.
    """

    def __init__(
        self,
        net: nn.Sequential,
        *,
        faces: list[Face] | None = None,
        steps: int = 150,
        on_learned: Callable[[Learned], None] | None = None,
    ) -> None:
        self._net, self._faces, self._steps = net, faces, steps
        self._on_learned = on_learned
        self.learned: Learned | None = None
        self._moments: list[Moment] = []
        self._unseen = ipywidgets.Dropdown()
        self.task: Task[Learned] = Task(
            lambda: _("Let it learn"),
            self._learn,
            self._arrive,
            weights={"faces": 12.0, "blend": 18.0, "learn": 70.0},
        )
        self._curve, self._result = ipywidgets.HTML(), ipywidgets.HTML()
        super().__init__([self._unseen, self.task, self._curve, self._result])
        self.add_class("dz-lesson")
        self.add_class("dz-tiny")
        people = self._people()
        self._unseen.options = [(p, p) for p in people]
        if people:
            self._unseen.value = "franck" if "franck" in people else people[-1]
        self.say()

    def __repr__(self) -> str:
        return f"TinyLab(state={self.task.state!r})"

    @property
    def unseen_right(self) -> int | None:
        """How many of 100 pictures of the unseen person were called rightly; None before that."""
        return None if self.learned is None else self.learned.unseen.right

    def say(self) -> None:
        """Say everything in the language in use."""
        self._unseen.description = _("Person it never sees")
        self.task.say()
        if self._moments:
            self._show_curve()
        if self.learned is not None:
            self._show_result(self.learned)

    def _people(self) -> list[str]:
        if self._faces is not None:
            return sorted({f.person for f in self._faces})
        from toolkit.lessons import portraits
        from toolkit.lessons.clips import sources

        return sorted({portraits.person_of(n) for n in sources()})

    def _learn(self, tick: Tick) -> Learned:
        from toolkit.lessons import portraits, tiny_detector

        faces = self._faces or portraits.faces(tick=tick)
        self._moments = []
        return tiny_detector.train(
            self._net,
            faces,
            unseen=self._unseen.value,
            steps=self._steps,
            on_moment=self._on_moment,
            tick=tick,
        )

    def _on_moment(self, moment: Moment) -> None:
        self._moments.append(moment)
        if moment.step % max(1, self._steps // 25) == 0 or moment.seen is not None:
            self._show_curve()

    def _arrive(self, learned: Learned) -> None:
        self.learned = learned
        self._show_curve()
        self._show_result(learned)
        if self._on_learned is not None:
            self._on_learned(learned)

    def _show_curve(self) -> None:
        smooth = _smoothed([m.loss for m in self._moments])
        steps = [m.step for m in self._moments]
        body = drawn.lines(
            _("How wrong it is on what it learns from"),
            _("steps"),
            _("loss"),
            [(_("loss"), [float(s) for s in steps], smooth)],
        )
        counted = [m for m in self._moments if m.seen is not None and m.unseen is not None]
        if counted:
            at = [0.0, *(float(m.step) for m in counted)]
            body += drawn.lines(
                _("How many of 100 pictures it calls rightly"),
                _("steps"),
                _("pictures called rightly"),
                [
                    (_("people it knows"), at, [50.0, *_right(counted, "seen")]),
                    (_("never seen"), at, [50.0, *_right(counted, "unseen")]),
                ],
            )
        self._curve.value = f'<div lang="{_i18n.language()}">{body}</div>'

    def _show_result(self, learned: Learned) -> None:
        text = _(
            "New pictures of the people it knows: {seen} of {of} called rightly. Pictures of the "
            "person it never saw: {unseen} of {of}. Tossing a coin gives about {half}."
        ).format(
            seen=learned.seen.right,
            unseen=learned.unseen.right,
            of=learned.unseen.tested,
            half=learned.unseen.tested // 2,
        )
        body = f'<p class="dz-box">{escape(text)}</p>'
        self._result.value = f'<div lang="{_i18n.language()}">{body}{self._examples(learned)}</div>'

    def _examples(self, learned: Learned) -> str:
        """Return pictures of the unseen person with what the network says, mistakes first."""
        shown = []
        for is_real in (0, 1):
            rgb = (learned.tests.fake, learned.tests.real)[is_real]
            found = learned.logits[is_real]
            order = np.argsort(found if is_real == 0 else -found, kind="stable")
            few = [*order[:_ENDS], *order[-_ENDS:]]
            shown += [(rgb[i], _said(is_forged=is_real == 0, called=found[i] >= 0)) for i in few]
        return pictures(shown, small=True)


def _said(*, is_forged: bool, called: bool) -> str:
    if is_forged:
        text = _("forged; it says forged ✓") if called else _("forged; it says genuine ✗")
    else:
        text = _("genuine; it says forged ✗") if called else _("genuine; it says genuine ✓")
    return text


def _right(moments: list[Moment], which: str) -> list[float]:
    counts = [getattr(m, which) for m in moments]
    return [100 * c.right / c.tested for c in counts]


def _smoothed(values: list[float], keep: float = 0.85) -> list[float]:
    out: list[float] = []
    for value in values:
        out.append(value if not out else keep * out[-1] + (1 - keep) * value)
    return out


class OwnForgeryLab(ipywidgets.VBox):  # type: ignore[misc]  # ipywidgets ships no types
    """Forge a part of a clip, ask SeamNet, and hold its heat map beside the true mask.

    Nothing is kept: the clip is gone once it was judged.

    Attributes
    ----------
    made
        The last forgery with what the detector said, or None.
    """

    def __init__(self) -> None:
        from toolkit.lessons.clips import sources

        self.made: OwnForgery | None = None
        self._clip = ipywidgets.Dropdown(options=[(n, n) for n in sources()])
        self._region = ipywidgets.Dropdown()
        self._kind = ipywidgets.Dropdown()
        self._strength = ipywidgets.FloatSlider(
            value=3.0, min=0.5, max=STRENGTH_MAX, step=0.5, continuous_update=False, readout=False
        )
        self.task: Task[OwnForgery] = Task(
            lambda: _("Forge it, and ask SeamNet"),
            self._work,
            self._arrive,
            weights={"forge": 40.0, "scan": 20.0, "faces": 20.0, "detect": 20.0},
        )
        self._shown = ipywidgets.HTML()
        super().__init__(
            [self._clip, self._region, self._kind, self._strength, self.task, self._shown]
        )
        self.add_class("dz-lesson")
        self.add_class("dz-own-forgery")
        self.say()

    def __repr__(self) -> str:
        return f"OwnForgeryLab(state={self.task.state!r})"

    @property
    def hits(self) -> int | None:
        """In how many of the key frames the strongest evidence lies inside the mask."""
        return None if self.made is None else sum(s.is_hit for s in self.made.shots)

    def say(self) -> None:
        """Say everything in the language in use."""
        region, kind = self._region.value, self._kind.value
        self._region.options = [(figures.region_name(r), r) for r in PARTS]
        self._region.value = region or "mouth"
        kinds = _kinds()
        self._kind.options = [(name, k) for k, name in kinds.items()]
        self._kind.value = kind or "blend"
        for control, name in (
            (self._clip, _("Clip")),
            (self._region, _("Part")),
            (self._kind, _("How")),
            (self._strength, _("Strength")),
        ):
            control.description = name
        self.task.say()
        if self.made is not None:
            self._show(self.made)

    def _work(self, tick: Tick) -> OwnForgery:
        from toolkit.lessons import own

        return own.forge_and_ask(
            self._clip.value,
            region=self._region.value,
            kind=self._kind.value,
            strength=self._strength.value,
            tick=tick,
        )

    def _arrive(self, made: OwnForgery) -> None:
        self.made = made
        self._show(made)

    def _show(self, made: OwnForgery) -> None:
        words = figures.verdict_sentence(made.report)
        region = figures.region_sentence(made.result)
        body = f'<p class="dz-box">{escape(words)} {escape(region)}</p>'
        body += drawn.scale([(_("this clip"), made.gap)])
        for shot in made.shots:
            body += pictures(
                [
                    (shot.rgb, _("The face")),
                    (shot.heat, _("What the detector used")),
                    (shot.truth, _("What was forged (the line)")),
                ]
            )
        count = _(
            "In {n} of {of} of these frames the strongest evidence lies inside what was forged. "
            "A blind guess in the middle of the face would hit {blind} of {of}."
        ).format(n=self.hits, of=len(made.shots), blind=sum(s.blind_hit for s in made.shots))
        self._shown.value = (
            f'<div lang="{_i18n.language()}">{body}<p class="dz-box">{escape(count)}</p></div>'
        )


def _kinds() -> dict[str, str]:
    return {
        "blend": _("all traces together, as a face swap leaves them"),
        "seam": _("a hard seam"),
        "resample": _("shrunk and enlarged"),
        "noise": _("noise taken away"),
        "colour": _("another colour"),
        "warp": _("moved a little"),
    }
