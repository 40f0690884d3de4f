"""Questions to a verdict: the sum, two witnesses, what would change it, and how far to trust it.

It only shows and schedules: the answers are `toolkit.explain.session`, the words
`toolkit.figures.inquiry`. Whatever it shows, one call of `session.inquire` returns too. Nothing
takes a pass of the network before the user asks; what was answered is kept for as long as the same
person is shown.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any

import ipywidgets
import traitlets

from toolkit import _i18n
from toolkit._i18n import _
from toolkit.errors import ToolkitError
from toolkit.jobs import Job
from toolkit.types import PLAYERS, FaceCrops, Tick
from toolkit.widgets import html as fragments
from toolkit.widgets.status import Status, duration
from toolkit.widgets.styling import classed
from toolkit.widgets.turns import in_turn

if TYPE_CHECKING:
    from toolkit.detectors.base import Detector
    from toolkit.explain.session import Answers, Change, Checked, Subject
    from toolkit.figures.answer import Check
    from toolkit.types import Examination

STATES = ("idle", "running", "done", "cancelled", "error")
VIEWS = ("try", "reference", "trust", "bands", "methods")
"""What can be shown below the sum, in this order."""

AUTO = "auto"  # value of the menu of references: the tests choose

_HERE = Path(__file__).parent
_WEIGHTS = {
    "donors": 10.0,
    "references": 8.0,
    "witnesses": 20.0,
    "exact": 24.0,
    "trust": 32.0,
    "bands": 2.0,
    "methods": 24.0,
    "check": 6.0,
    "lookalikes": 4.0,
}
"""About how long each question takes beside the others; they only place the bar."""
LONG_S = 8.0
"""From here on a button says beforehand how long its question takes."""


class Line(Status):
    """The panel's line, with the panel's style sheet."""

    _css = (_HERE / "explain.css").read_text(encoding="utf-8")


_CLEAR, _MIDDLE = "rgba(0, 0, 0, 0)", "#76808a"

KEPT_MOST = 6
"""So many persons' answers are kept while others are looked at."""

_ANSWERS = (
    "_keys",
    "_figures",
    "_panels",
    "_band_shares",
    "_method_answers",
    "_every_kind",
    "_maps",
    "_found_out",
    "_change",
)


class Inquiry(ipywidgets.VBox):  # type: ignore[misc]  # ipywidgets ships no types
    """Panel that questions one person's verdict.

    Parameters
    ----------
    examination
        From `analysis.examine`; None = nothing yet, see `show`.
    detector
        The one that judged; None loads the one that the report names when it is first needed.
    donors
        Genuine clips of other persons; None = the samples, without the clip itself.
    switch
        Whether to show a language switch of its own.
    on_move
        Called with person, position and region when the user moves inside the panel.
    on_check
        Called with person and what the second witness says of the explanation, each time that it
        was asked; None while nothing is known.
    seed
        Of everything that draws.

    Attributes
    ----------
    person, position, region
        What is looked at; may be set from outside. Setting them takes no pass of the network.
    state
        Of the questions asked last; also a CSS class ``dz-inquiry-...``.
    subject
        Who is questioned; None while nothing is shown.
    """

    person = traitlets.Unicode("")
    position = traitlets.Int(0)
    region = traitlets.Unicode("")
    state = traitlets.Enum(STATES, "idle")
    _found_out: list[Checked]  # the last check in every frame, if any

    def __init__(
        self,
        examination: Examination | None = None,
        *,
        detector: Detector | None = None,
        donors: Sequence[Path] | None = None,
        switch: bool = False,
        on_move: Callable[[str, int, str], None] | None = None,
        on_check: Callable[[str, Check | None], None] | None = None,
        seed: int = 0,
    ) -> None:
        self.turns = threading.RLock()
        self._detector, self._donors, self._seed = detector, donors, seed
        self._on_move = on_move or (lambda _person, _position, _region: None)
        self._on_check = on_check or (lambda _person, _check: None)
        self._kept: dict[tuple[Any, ...], tuple[Subject, dict[str, Any]]] = {}
        self._job: Job[Any] | None = None
        self._stage = ""
        self._left: float | None = None
        self._chart: Any = None
        self._is_shown = examination is not None
        self._follows = False  # while traits are set together, the panel is filled once
        self._known: tuple[str, FaceCrops] | None = None
        self._key: tuple[Any, ...] | None = None
        self._asked_witnesses = False
        self.examination: Examination | None = None
        self.subject: Subject | None = None
        self.error: BaseException | None = None
        self._forget()
        self._make_head(switch=switch)
        self._make_views()
        super().__init__(
            [
                self._head,
                self._ledger,
                self._run,
                self._line,
                self._problem,
                self.views,
                *self._panes.values(),
            ]
        )
        self.add_class("dz-inquiry")
        self.add_class("dz-inquiry-idle")
        self.observe(self._mirror_state, "state")
        self.observe(self._on_trait, ["person", "position", "region"])
        self.show(examination)

    def __repr__(self) -> str:
        """Return a line; ipywidgets' own would print pictures into the notebook."""
        return f"Inquiry(person={self.person!r}, position={self.position}, state={self.state!r})"

    # -- what it is made of

    def _make_head(self, *, switch: bool) -> None:
        self._language = classed(
            ipywidgets.ToggleButtons(
                options=[("English", "en"), ("Nederlands", "nl")],
                value=_i18n.language(),
                style={"button_width": "auto"},
                layout={"display": None if switch else "none"},
            ),
            "dz-language",
        )
        self._language.observe(self._on_language, "value")
        self._persons = classed(
            ipywidgets.ToggleButtons(options=[], style={"button_width": "auto"}),
            "dz-inquiry-persons",
        )
        self._persons.observe(self._on_person, "value")
        self._moment = classed(
            ipywidgets.SelectionSlider(
                options=[("–", 0)],
                continuous_update=False,
                layout={"width": "min(100%, 560px)"},
                style={"description_width": "11em"},
            ),
            "dz-moment",
        )
        self._moment.observe(self._on_moment, "value")
        self._head = ipywidgets.VBox([self._language, self._persons, self._moment])
        self._charts = classed(ipywidgets.VBox(), "dz-inquiry-chart")
        self._sum = classed(ipywidgets.HTML(), "dz-sum")
        self._ledger = ipywidgets.VBox([self._charts, self._sum])
        self._cancel = classed(ipywidgets.Button(disabled=True), "dz-inquiry-cancel")
        self._cancel.on_click(lambda _button: self.cancel())
        self._bar = classed(
            ipywidgets.FloatProgress(max=1, layout={"width": "220px"}), "dz-inquiry-progress"
        )
        self._run = ipywidgets.HBox(
            [self._bar, self._cancel], layout={"flex_flow": "row wrap", "visibility": "hidden"}
        )
        self._line = classed(Line(), "dz-inquiry-line")
        self._problem = classed(ipywidgets.HTML(), "dz-inquiry-problem")

    def _make_views(self) -> None:
        from toolkit.widgets.workbench.regionboard import RegionBoard

        self.views = classed(
            ipywidgets.ToggleButtons(
                options=[(v, v) for v in VIEWS], style={"button_width": "auto"}
            ),
            "dz-inquiry-views",
        )
        self.views.observe(lambda _change: self._show_view(), "value")
        self._buttons: dict[str, Any] = {}
        self._changes = classed(ipywidgets.HTML(), "dz-changes")
        self._witnesses = classed(ipywidgets.HTML(), "dz-witnesses")
        self._board = RegionBoard()
        self._board.observe(self._on_tick, "ticked")
        self._board.observe(self._on_board, "current")
        self._picture = classed(ipywidgets.HTML(), "dz-composite")
        self._checked = classed(ipywidgets.HTML(), "dz-checked")
        self._key_frames = classed(ipywidgets.HTML(), "dz-key-table")
        self._kind = classed(
            ipywidgets.Dropdown(
                options=[(AUTO, AUTO)],
                layout={"width": "min(100%, 520px)"},
                style={"description_width": "11em"},
            ),
            "dz-kind",
        )
        self._kind.observe(self._on_kind, "value")
        self._folder = classed(
            ipywidgets.Text(
                continuous_update=False,
                layout={"width": "min(100%, 520px)"},
                style={"description_width": "11em"},
            ),
            "dz-donors",
        )
        self._folder.observe(self._on_folder, "value")
        self._reference = classed(ipywidgets.HTML(), "dz-reference")
        self._trust = classed(ipywidgets.HTML(), "dz-trust")
        self._bands = classed(ipywidgets.HTML(), "dz-bands")
        self._methods = classed(ipywidgets.HTML(), "dz-methods")
        self._lookalikes = classed(ipywidgets.HTML(), "dz-lookalikes")
        row = {"flex_flow": "row wrap"}
        beside = classed(ipywidgets.Box([self._board, self._picture]), "dz-try")
        buttons = [self._button("witnesses"), self._button("exact")]
        after = [self._button("untick"), self._button("check")]
        self._panes = {
            "try": ipywidgets.VBox(
                [
                    self._changes,
                    ipywidgets.HBox(buttons, layout=row),
                    self._witnesses,
                    beside,
                    ipywidgets.HBox(after, layout=row),
                    self._checked,
                    self._key_frames,
                ]
            ),
            "reference": ipywidgets.VBox(
                [
                    self._kind,
                    self._folder,
                    ipywidgets.HBox(
                        [self._button("references"), self._button("every_kind")], layout=row
                    ),
                    self._reference,
                ]
            ),
            "trust": ipywidgets.VBox(
                [ipywidgets.HBox([self._button("trust")], layout=row), self._trust]
            ),
            "bands": ipywidgets.VBox(
                [ipywidgets.HBox([self._button("bands")], layout=row), self._bands]
            ),
            "methods": ipywidgets.VBox(
                [
                    ipywidgets.HBox(
                        [self._button("methods"), self._button("lookalikes")], layout=row
                    ),
                    self._methods,
                    self._lookalikes,
                ]
            ),
        }
        for view, pane in self._panes.items():
            pane.add_class(f"dz-pane-{view}")

    def _button(self, name: str) -> Any:
        button = classed(ipywidgets.Button(layout={"width": "auto"}), f"dz-ask-{name}")
        work: dict[str, Callable[[], None]] = {
            "untick": lambda: setattr(self._board, "ticked", []),
            "check": self.check,
            "every_kind": self.compare_references,
            "lookalikes": self.look_alike,
        }
        act = work.get(name, lambda: self.ask(name))
        button.on_click(lambda _button: act())
        self._buttons[name] = button
        return button

    # -- what the host may do

    @in_turn
    def show(
        self, examination: Examination | None, *, person: str = "", position: int | None = None
    ) -> None:
        """Show another examination; None shows nothing. What runs is cancelled."""
        self.cancel()
        self._job = None  # what it still says is about somebody else
        self._keep()
        if examination is not self.examination:
            self._known = None
        self.examination, self.subject = examination, None
        people = [r.track.person for r in examination.report.tracks] if examination else []
        if examination is None or not people:
            self.layout.display = "none"
            return
        self.layout.display = None
        wanted = next((p for p in (person, examination.report.speaks) if p in people), people[0])
        self._persons.unobserve(self._on_person, "value")
        self._persons.options = [(p, p) for p in people]
        self._persons.observe(self._on_person, "value")
        self._persons.layout.display = None if len(people) > 1 else "none"
        self._question(wanted, position)

    @in_turn
    def know(self, person: str, faces: FaceCrops | None) -> None:
        """Take faces of a person, from `comparison.known_faces`, as known to be genuine; or None.

        They become the references that are tried first. What was answered without them about that
        person is forgotten, and what runs is cancelled.
        """
        before, self._known = self._known, None if faces is None else (person, faces)
        if before and before[0] == person and before[1] is faces:
            return  # the view was opened again
        told = {who for who, _faces in filter(None, (before, self._known))}
        if self.examination is not None and self.person in told:
            self.cancel()
            self._job = None
            self._question(self.person, self.position)

    def shown(self) -> None:
        """Draw the chart: call this when the panel can be seen."""
        self._is_shown = True
        self._draw_chart()

    @in_turn
    def say(self) -> None:
        """Say everything again in the language in use."""
        self._line.lang = _i18n.language()
        self._say_state()
        self._say_controls()
        if self.subject is not None:
            self._draw_chart()
            self._fill()

    def ask(self, *questions: str) -> None:
        """Ask some of `inquire.QUESTIONS`, or ``"references"``, in the background."""
        subject, position = self.subject, self.position
        if subject is None:
            return
        if self.state != "running":
            self._asked_witnesses = "witnesses" in questions

        def work(tick: Tick) -> Answers:
            from toolkit.explain import session as inquire

            deep = [q for q in questions if q in inquire.QUESTIONS]
            tell = self._hear(subject, position)
            answers = inquire.ask(subject, deep, position, tell=tell, tick=tick)
            if "trust" in deep and self.subject is subject:
                self._panels[subject.kind, position] = answers.trust
            subject.game(position)  # so that the next tick of a box costs one pass
            return answers

        self._start(work)

    def check(self) -> None:
        """Replace the ticked regions in every moment, and form the verdict again."""
        subject, names = self.subject, tuple(self._board.ticked)
        if subject is None or not names:
            return

        def work(tick: Tick) -> Checked:
            found = subject.check(names, tick=tick)
            self._found_out = [found]
            return found

        self._start(work)

    def compare_references(self) -> None:
        """Make a reference of every kind for the frame in view, and judge each."""
        subject, position = self.subject, self.position
        if subject is None:
            return

        def work(tick: Tick) -> Any:
            from toolkit.explain.baselines import AUTOMATIC, ON_REQUEST

            tick("references", 0, 1)
            kinds = (*AUTOMATIC, *ON_REQUEST)
            found = subject.every_kind(position, kinds, tick=tick)
            if self.subject is subject:
                self._every_kind[position] = found
            return found

        self._start(work)

    def look_alike(self) -> None:
        """Draw maps that look like an explanation, and check each with random weights."""
        subject, position = self.subject, self.position
        if subject is None:
            return

        def work(tick: Tick) -> Any:
            from toolkit.explain import session as inquire

            counted = inquire.Counted(tick, "lookalikes", 64)
            self._maps[position] = subject.look_alike(position, tick=counted)
            return self._maps[position]

        self._start(work)

    def cancel(self) -> None:
        """Ask what runs to stop; the panel says when it has."""
        if self._job is not None and self.state == "running":
            self._job.cancel()
            self._cancel.disabled = True
            self._line.text = _("Stopping …")

    def wait(self, timeout_s: float | None = None) -> None:
        """Wait until what was asked is answered; for scripts and tests.

        Raises
        ------
        TimeoutError
            If it is not after `timeout_s` seconds.
        """
        if self._job is not None:
            try:
                self._job.wait(timeout_s)
            except TimeoutError:
                raise
            except BaseException:  # noqa: BLE001 - it is shown in the panel, and kept in `error`
                return

    def answered(self) -> list[str]:
        """Return what was asked and answered of the person that is shown, as sentences."""
        from toolkit import figures
        from toolkit.figures import inquiry as words

        subject = self.subject
        if subject is None:
            return []
        who = _("Person {person}").format(person=self.person)
        lines = []
        if self._keys:
            lines.append(words.witness_sentence(self._keys, subject.threshold))
            lines += [
                f"{figures.clock(a.at_s)}: {words.frame_witness_sentence(a, subject.threshold)}"
                for a in self._keys
            ]
        times = subject.result.track.pts
        for (_kind, position), shown in self._figures.items():
            at = figures.clock(float(times[position]))
            lines.append(f"{at}: {words.trust_summary(shown)}")
            lines += [f"✗ {f.sentence}" for f in shown if f.reads_well is False]
        lines += [words.checked_sentence(found) for found in self._found_out]
        for (_kind, position), answers in self._method_answers.items():
            at = figures.clock(float(times[position]))
            lines += [
                f"{at}, {words.method_name(a.method)}: {words.method_sentence(a)}" for a in answers
            ]
        return [f"{who}. {line}" for line in lines if line]

    def close(self) -> None:
        """Stop what runs and take the panel away."""
        self.cancel()
        super().close()

    @in_turn
    def stand_alone(self, *, alone: bool) -> None:
        """Show chart and slider, or leave them to the player beside which the panel stands."""
        self._ledger.layout.display = None if alone else "none"
        self._moment.layout.display = None if alone else "none"

    # -- whom it questions

    def _forget(self) -> None:
        """Forget the answers: another person is questioned."""
        self._keys: list[Any] = []
        self._figures: dict[Any, list[Any]] = {}
        self._panels: dict[Any, Any] = {}
        self._band_shares: dict[Any, Any] = {}
        self._method_answers: dict[Any, list[Any]] = {}
        self._every_kind: dict[int, Any] = {}
        self._maps: dict[int, Any] = {}
        self._found_out = []
        self._change: Change | None = None

    def _question(self, person: str, position: int | None = None) -> None:
        """Turn to a person."""
        from toolkit.explain import session as inquire

        assert self.examination is not None
        self._keep()
        self._forget()
        self.error = None
        known = self._known[1] if self._known and self._known[0] == person else None
        entry = self.examination.entry or id(self.examination)
        self._key = (entry, person, id(known), self._clips())
        if self._key in self._kept:
            self.subject, answers = self._kept[self._key]
            for name, value in answers.items():
                setattr(self, name, value)
            chosen = str(self._kind.value)
            self.subject.use(None if chosen == AUTO else chosen)  # type: ignore[arg-type]
            self._turn_to(person, position)
            return
        try:
            self.subject = inquire.Subject(
                self.examination,
                person,
                detector=self._detector,
                donors=self._clips(),
                known=known,
                seed=self._seed,
            )
        except ToolkitError as error:
            self.subject = None
            self._fail(error)
            return
        chosen = str(self._kind.value)
        self.subject.use(None if chosen == AUTO else chosen)  # type: ignore[arg-type]
        self._change = self.subject.change()
        self._turn_to(person, position)

    def _keep(self) -> None:
        """Keep what was answered of whom is questioned now, so that coming back costs nothing."""
        if self.subject is None or self._key is None:
            return
        self._kept.pop(self._key, None)
        self._kept[self._key] = (self.subject, {name: vars(self)[name] for name in _ANSWERS})
        while len(self._kept) > KEPT_MOST:
            del self._kept[next(iter(self._kept))]

    def _turn_to(self, person: str, position: int | None) -> None:
        """Show the person that is questioned, at a moment; None = the strongest."""
        from toolkit.explain import session as inquire

        assert self.subject is not None
        last = len(self.subject.crops.rgb) - 1
        if position is None or not 0 <= position <= last:
            position = inquire.strongest(self.subject.result)
        self._set(person=person, position=position, region=self.region)
        self.state = "idle"
        self.say()

    def _set(self, **values: Any) -> None:
        self._follows = True
        try:
            for name, value in values.items():
                setattr(self, name, value)
        finally:
            self._follows = False

    def _clips(self) -> tuple[Path, ...]:
        """Return clips of other persons: the user's folder first, then the samples."""
        from toolkit import samples
        from toolkit.explain.donors import clips_in

        folder = str(self._folder.value).strip().strip("\"'")
        own = clips_in(Path(folder).expanduser()) if folder else ()
        if self._donors is not None:
            return (*own, *self._donors)
        assert self.examination is not None
        return (*own, *samples.donor_clips(self.examination.report.video.sha256))

    # -- the work; listeners run in the worker thread and only set traits

    def _start(self, work: Callable[[Tick], Any]) -> None:
        if self.state == "running":
            return
        self.error = None
        self._problem.value = ""
        self._bar.value = 0
        self._stage, self._left = "", None
        job: Job[Any] = Job(work, on_update=self._on_update, on_end=self._on_end, weights=_WEIGHTS)
        self._job = job
        self.state = "running"
        job.start()

    def _hear(self, subject: Subject, position: int) -> Callable[[str, Any], None]:
        """Return what takes in each part of an answer and shows it at once."""
        key = subject.kind, position
        fresh: set[str] = set()

        def tell(question: str, part: Any) -> None:
            if self.subject is not subject:  # somebody else, or other known material, by now
                return
            first = question not in fresh
            fresh.add(question)
            if question == "witnesses":
                self._keys = [part] if first else [*self._keys, part]
            elif question == "trust":
                self._figures[key] = [] if first else self._figures[key]
                self._figures[key].append(part)
            elif question == "bands":
                self._band_shares[key] = part
            elif question == "methods":
                self._method_answers[key] = [] if first else self._method_answers[key]
                self._method_answers[key].append(part)
            self._fill_answers()

        return tell

    def _on_update(self, stage: str, _done: int, _total: int, seconds_left: float | None) -> None:
        self._stage, self._left = stage, seconds_left
        if self._job is not None:
            self._bar.value = self._job.fraction
        if not self._cancel.disabled:  # else it says that it is stopping
            self._say_state()

    @in_turn
    def _on_end(self, job: Job[Any]) -> None:
        if job is not self._job:  # somebody else is shown by now
            return
        if self.subject is not None and self._keys:
            from toolkit.figures.inquiry import check_of

            self._on_check(self.person, check_of(self._keys, self.subject.threshold))
            asked = {a.position: a.logit for a in self._keys}
            if self._asked_witnesses and self.position not in asked:  # else the maps stay hidden
                self._move(position=max(asked, key=lambda at: asked[at]))
        self._asked_witnesses = False
        if job.is_cancelled:
            self.state = "cancelled"
        elif job.error is not None:
            self._fail(job.error)
            return
        else:
            self.state = "done"
        self._fill()

    def _fail(self, error: BaseException) -> None:
        self.error = error
        self._problem.value = fragments.problem(error)
        self.state = "error"

    # -- what it says

    def _mirror_state(self, change: Any) -> None:
        self.remove_class(f"dz-inquiry-{change['old']}")
        running = change["new"] == "running"
        self._cancel.disabled = not running
        self._run.layout.visibility = "visible" if running else "hidden"
        self._say_buttons()
        self._say_state()
        self.add_class(f"dz-inquiry-{change['new']}")

    def _say_state(self) -> None:
        if self.state == "running" and self._stage:
            what = _stage_name(self._stage)
            if self._left is None:
                self._line.text = _("Now {stage} …").format(stage=what)
            else:
                left = duration(self._left)
                self._line.text = _("Now {stage} … about {left} left").format(stage=what, left=left)
            return
        self._line.text = {
            "idle": _(
                "The sum above needs no further look. Questions below ask the detector again."
            ),
            "running": _("Starting …"),
            "done": _("Answered."),
            "cancelled": _("Cancelled. What was answered by then is shown."),
            "error": _("This did not work."),
        }[self.state]

    def _say_controls(self) -> None:
        from toolkit.explain.baselines import AUTOMATIC, ON_REQUEST
        from toolkit.figures.inquiry import kind_name

        self._language.tooltips = [_("Show everything in English"), _("Show everything in Dutch")]
        self._moment.description = _("Moment")
        self._cancel.description = _("Cancel")
        names = {
            "try": _("What if"),
            "reference": _("Reference"),
            "trust": _("Trust"),
            "bands": _("Frequencies"),
            "methods": _("Other methods"),
        }
        view = self.views.value
        self.views.options = [(names[v], v) for v in VIEWS]
        self.views.value = view
        chosen = self._persons.value
        self._persons.unobserve(self._on_person, "value")
        self._persons.options = [
            (_("Person {person}").format(person=p), p) for _label, p in self._persons.options
        ]
        self._persons.value = chosen
        self._persons.observe(self._on_person, "value")
        kind = self._kind.value
        self._kind.unobserve(self._on_kind, "value")
        self._kind.description = _("Reference")
        self._kind.options = [
            (_("chosen by the tests"), AUTO),
            *((kind_name(k), k) for k in AUTOMATIC),
            *((_("{kind} (only to see it fail)").format(kind=kind_name(k)), k) for k in ON_REQUEST),
        ]
        self._kind.value = kind
        self._kind.observe(self._on_kind, "value")
        self._folder.description = _("Folder of donors")
        self._folder.placeholder = _("genuine clips of other persons; the samples are known")
        self._say_buttons()
        self._show_view()

    def _say_buttons(self) -> None:
        names = {
            "witnesses": _("Ask the second witness about the key frames"),
            "exact": _("Exact for this frame"),
            "untick": _("Put all regions back"),
            "check": _("Replace them in every frame"),
            "references": _("Test a reference for this frame"),
            "every_kind": _("Show every kind"),
            "trust": _("Check how far this frame's explanation can be trusted"),
            "bands": _("Ask the frequencies of this frame"),
            "methods": _("Ask Captum's methods about this frame"),
            "lookalikes": _("Show maps that only look right"),
        }
        idle = self.subject is not None and self.state != "running"
        for name, button in self._buttons.items():
            button.description = names[name] + self._cost(name)
            button.disabled = not idle
        if not self._board.ticked:
            self._buttons["check"].disabled = self._buttons["untick"].disabled = True

    def _cost(self, name: str) -> str:
        """Return how long a question takes, where that is more than a few seconds."""
        if self.subject is None or name not in _WEIGHTS:
            return ""
        from toolkit.explain.session import expected_seconds

        seconds = expected_seconds(self.subject, name)
        if not seconds >= LONG_S:  # nor where nothing is known
            return ""
        return " " + _("(about {time})").format(time=duration(seconds))

    def _show_view(self) -> None:
        for view, pane in self._panes.items():
            pane.layout.display = None if view == self.views.value else "none"

    @in_turn
    def _fill(self) -> None:
        """Show all that is known of the person and the frame in view."""
        from toolkit import figures
        from toolkit.widgets.workbench import explain_html as html

        subject = self.subject
        if subject is None:
            return
        self._persons.unobserve(self._on_person, "value")
        self._persons.value = self.person
        self._persons.observe(self._on_person, "value")
        self._moment.unobserve(self._on_moment, "value")
        pts = subject.result.track.pts.tolist()
        self._moment.options = [(figures.clock(t, 2), i) for i, t in enumerate(pts)]
        self._moment.value = self.position
        self._moment.observe(self._on_moment, "value")
        self._sum.value = html.ledger(subject, self.position)
        assert self._change is not None
        self._changes.value = html.change(subject, self._change)
        self._board.current = self.region
        self._fill_answers()
        self._fill_composite()
        self._say_buttons()

    @in_turn
    def _fill_answers(self) -> None:
        """Show the answers; runs in the worker thread as well."""
        from toolkit import figures
        from toolkit.explain import session as inquire
        from toolkit.figures.inquiry import region_rows
        from toolkit.widgets.workbench import explain_html as html

        subject, position = self.subject, self.position
        if subject is None:
            return
        here = subject.answered(position)
        every = subject.construction
        self._board.show(region_rows(here, None if every is None else every[position]))
        time = figures.clock(float(subject.result.track.pts[position]), 2)
        title = _("Two witnesses; frame at {time}").format(time=time)
        self._witnesses.value = html.witnesses(subject, self._keys, here, chosen=title)
        self._key_frames.value = html.key_frames(self._keys)
        key = subject.kind, position
        choice = subject.chosen(position)
        shown = html.reference(choice, asked=subject.kind)
        if position in self._every_kind:
            title = _("Every kind, as the detector judges it")
            shown += f"<h4>{escape(title)}</h4>" + html.references(self._every_kind[position])
        self._reference.value = shown
        answers = self._method_answers.get(key, [])
        self._trust.value = html.trust(
            self._figures.get(key, []),
            self._panels.get(key),
            inquire.completeness(answers),
            is_complete=self.state != "running" or self._stage != "trust",
        )
        self._bands.value = html.bands(self._band_shares.get(key), asked=key in self._band_shares)
        self._methods.value = html.methods(subject, position, answers)
        self._lookalikes.value = html.lookalikes(subject, position, self._maps.get(position, ()))
        self._checked.value = "".join(map(html.checked, self._found_out))

    def _fill_composite(self) -> None:
        """Show the frame with the ticked regions replaced: one pass, or none when it is known."""
        from toolkit.widgets.workbench import explain_html as html

        subject = self.subject
        if subject is None:
            return
        choice = subject.chosen(self.position)
        barred = choice is not None and choice.reference is None and subject.kind is None
        self._board.enabled = not barred
        if subject.is_ready(self.position):
            made = subject.replace(self.position, self._board.ticked)
            assert made is not None
            self._picture.value = html.composite(subject, self.position, made)
        else:
            self._picture.value = html.original(subject, self.position, barred=barred)

    def _draw_chart(self) -> None:
        """Draw region × time; a click on a cell goes to that frame and region."""
        if not self._is_shown or self.subject is None:
            return
        import plotly.graph_objects as go

        from toolkit import figures

        figure = figures.region_matrix(self.subject.result)
        if self._chart is None:
            self._chart = go.FigureWidget(figure)
            self._chart._config = {"responsive": True, "displaylogo": False}  # noqa: SLF001 - no public way
        else:
            self._chart.data = ()
            self._chart.add_traces(figure.data)
            self._chart.layout = figure.layout
        # the page shows through, light or dark; the ink can be read on either
        self._chart.update_layout(paper_bgcolor=_CLEAR, plot_bgcolor=_CLEAR, font_color=_MIDDLE)
        for trace in self._chart.data:
            trace.on_click(self._on_cell)
        self._mark_moment()
        if self._charts.children != (self._chart,):
            self._charts.children = (self._chart,)

    def _mark_moment(self) -> None:
        if self._chart is None or self.subject is None:
            return
        at_s = float(self.subject.result.track.pts[self.position])
        self._chart.layout.shapes = [
            {
                "type": "line",
                "x0": at_s,
                "x1": at_s,
                "yref": "paper",
                "y0": 0,
                "y1": 1,
                "line": {"color": _MIDDLE, "width": 2, "dash": "dot"},
            }
        ]

    # -- what the user does

    def _move(self, **values: Any) -> None:
        """Follow the user, and tell the host."""
        for name, value in values.items():
            setattr(self, name, value)
        self._on_move(self.person, self.position, self.region)

    def _on_trait(self, change: Any) -> None:
        """Follow what was set, by the user or by the host."""
        subject = self.subject
        if self._follows or subject is None:
            return
        if change["name"] == "person":
            people = [value for _label, value in self._persons.options]
            if change["new"] in people:
                self._draw_after(change["new"])
            return
        if change["name"] == "position":
            if not 0 <= self.position < len(subject.crops.rgb):
                self._set(position=int(change["old"]))
                return
            self._mark_moment()
            self._fill()
        elif change["name"] == "region":
            if self.region not in ("", *PLAYERS):
                self._set(region="")
            self._board.current = self.region

    def _draw_after(self, person: str) -> None:
        self.cancel()
        self._job = None
        self._question(person)

    def _on_language(self, change: Any) -> None:
        _i18n.set_language(change["new"])
        self.say()

    def _on_person(self, change: Any) -> None:
        if change["new"] not in (None, self.person):
            self._move(person=change["new"])

    def _on_moment(self, change: Any) -> None:
        if change["new"] is not None:
            self._move(position=int(change["new"]))

    def _on_cell(self, _trace: Any, points: Any, _state: Any) -> None:
        subject = self.subject
        if subject is None or not points.xs:
            return
        pts = subject.result.track.pts
        values: dict[str, Any] = {"position": int(abs(pts - float(points.xs[0])).argmin())}
        from toolkit import figures

        names = figures.row_names()
        row = names.index(points.ys[0]) if points.ys[0] in names else len(PLAYERS)
        if row < len(PLAYERS):
            values["region"] = PLAYERS[row]
        self._move(**values)

    def _on_board(self, change: Any) -> None:
        if change["new"] != self.region:
            self._move(region=change["new"])

    def _on_tick(self, _change: Any) -> None:
        self._say_buttons()
        subject = self.subject
        if subject is None:
            return
        if subject.is_ready(self.position) or not self._board.ticked:
            self._fill_composite()
        else:
            self.ask("references")

    def _on_kind(self, change: Any) -> None:
        subject, chosen = self.subject, change["new"]
        if subject is None or chosen is None:
            return
        self.cancel()
        subject.use(None if chosen == AUTO else chosen)
        self._keys, self._found_out = [], []
        self._fill()

    def _on_folder(self, _change: Any) -> None:
        subject = self.subject
        if subject is None:
            return
        self.cancel()
        dropped = subject.add_clips(self._clips())
        self._keys = [a for a in self._keys if (subject.kind, a.position) not in dropped]
        self._found_out, self._every_kind = [], {}
        for kept in (self._figures, self._panels, self._band_shares, self._method_answers):
            for key in dropped:
                kept.pop(key, None)
        self._fill()


def _stage_name(stage: str) -> str:
    return {
        "donors": _("reading faces of other persons"),
        "references": _("making and testing a reference"),
        "witnesses": _("asking the second witness"),
        "exact": _("asking about all composites"),
        "trust": _("checking the explanation"),
        "bands": _("asking the frequencies"),
        "methods": _("asking Captum's methods"),
        "check": _("replacing in every frame"),
        "lookalikes": _("checking maps with random weights"),
    }.get(stage, stage)
