"""Questions to a verdict: the sum, two witnesses, what would change it, and how far to trust it.

It only shows and schedules: the answers lie with `toolkit.explain.session.PersonExplainer`, the
words are `toolkit.figures.inquiry`. Whatever it shows, one call of `session.inquire` returns too.
Nothing takes a pass of the network before the user asks.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import ipywidgets
import traitlets

from toolkit import _i18n
from toolkit.errors import ToolkitError
from toolkit.figures import inquiry as words
from toolkit.types import FaceCrops
from toolkit.widgets import html as fragments
from toolkit.widgets.selection import Selection
from toolkit.widgets.status import StatusLine
from toolkit.widgets.styling import classed
from toolkit.widgets.turns import synchronized
from toolkit.widgets.workbench.explain_views import ExplainHead, ExplainViews
from toolkit.widgets.workbench.questions import Questions
from toolkit.widgets.workbench.shares_chart import SharesChart

if TYPE_CHECKING:
    from toolkit.detectors.base import Detector
    from toolkit.explain.session import PersonExplainer
    from toolkit.figures.answer import Check
    from toolkit.types import Examination

KEPT_MOST = 6
"""So many persons' answers are kept while others are looked at."""


class Line(StatusLine):
    """The panel's line, with the panel's style sheet."""

    _css = Path(__file__).with_name("explain.css").read_text(encoding="utf-8")


class Explainers:
    """Who answers for each person; those asked last are kept with all their answers.

    Parameters
    ----------
    detector
        The one that judged; None loads the one that the report names when it is first needed.
    seed
        Of everything that draws.
    """

    def __init__(self, detector: Detector | None, seed: int) -> None:
        self._detector, self._seed = detector, seed
        self._kept: dict[tuple[Any, ...], PersonExplainer] = {}

    def find(
        self,
        examination: Examination,
        person: str,
        *,
        clips: tuple[Path, ...],
        known: FaceCrops | None,
    ) -> PersonExplainer:
        """Return who answers, with what was answered before when the same was known."""
        from toolkit.explain import session

        # whoever is kept holds on to the report and the faces, so that these stay their own
        key = (examination.entry or id(examination.report), person, id(known), clips)
        explainer = self._kept.pop(key, None) or session.PersonExplainer(
            examination, person, detector=self._detector, donors=clips, known=known, seed=self._seed
        )
        self._kept[key] = explainer
        while len(self._kept) > KEPT_MOST:
            del self._kept[next(iter(self._kept))]
        return explainer


class _ScriptAccess:
    """What scripts ask a panel of questions for, and what they set."""

    selection: Selection
    _questions: Questions

    @property
    def person(self) -> str:
        """Letter of the person; setting it questions another one."""
        return str(self.selection.person)

    @person.setter
    def person(self, person: str) -> None:
        self.selection.person = person

    @property
    def position(self) -> int:
        """Row of the person's track in view."""
        return self._questions.row

    @position.setter
    def position(self, row: int) -> None:
        self.selection.row = row

    @property
    def region(self) -> str:
        """The region pointed out, or empty."""
        return str(self.selection.region)

    @region.setter
    def region(self, region: str) -> None:
        self.selection.region = region

    @property
    def state(self) -> str:
        """One of `jobs.STATES`, of what was asked last; also a CSS class ``dz-inquiry-...``."""
        return str(self._questions.bar.state)

    @property
    def error(self) -> BaseException | None:
        """What asking raised last, or None."""
        return self._questions.bar.error

    @property
    def subject(self) -> PersonExplainer | None:
        """Who is questioned; None while nothing is shown."""
        return self._questions.session

    def ask(self, *questions: str) -> None:
        """Ask some of `session.QUESTIONS`, or ``"references"``, in the background."""
        self._questions.ask(*questions)

    def compare_references(self) -> None:
        """Make a baseline of every kind for the frame in view, and judge each."""
        self._questions.compare_baselines()

    def look_alike(self) -> None:
        """Draw maps that look like an explanation, and check each with random weights."""
        self._questions.look_alike()

    def cancel(self) -> None:
        """Ask what runs to stop; the panel says when it has."""
        self._questions.bar.cancel()

    def wait(self, timeout_s: float | None = None) -> None:
        """Wait until what was asked is answered.

        Raises
        ------
        TimeoutError
            If it is not after `timeout_s` seconds.
        """
        self._questions.bar.wait(timeout_s)


class ExplainPanel(_ScriptAccess, ipywidgets.VBox):  # type: ignore[misc]  # ipywidgets ships no types
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
    selection
        Who, when and where is looked at, shared with other panels; None = one of its own.
    on_check
        Called with person and what the second witness says of the explanation, each time that it
        was asked; None while nothing is known.
    seed
        Of everything that draws.

    Attributes
    ----------
    selection
        What is looked at. Setting it takes no pass of the network.
    examination
        What is shown, or None.
    """

    def __init__(
        self,
        examination: Examination | None = None,
        *,
        detector: Detector | None = None,
        donors: Sequence[Path] | None = None,
        switch: bool = False,
        selection: Selection | None = None,
        on_check: Callable[[str, Check | None], None] | None = None,
        seed: int = 0,
    ) -> None:
        self.turns = threading.RLock()
        self._explainers = Explainers(detector, seed)
        self._on_check = on_check or (lambda _person, _check: None)
        self._known: tuple[str, FaceCrops] | None = None
        self._is_shown, self._is_alone = selection is None, True
        self.examination: Examination | None = None
        self.selection = selection or Selection()
        self._questions = Questions(self._fill_answers)
        self._head = ExplainHead(self.selection, self.retranslate, switch=switch)
        self._chart = SharesChart(self.selection)
        self._sum = classed(ipywidgets.HTML(), "dz-sum")
        self._ledger = ipywidgets.VBox([self._chart, self._sum])
        self._line = classed(Line(), "dz-inquiry-line")
        self._problem = classed(ipywidgets.HTML(), "dz-inquiry-problem")
        self.views = ExplainViews(self._questions, self.selection, self._fill, donors)
        run = self._questions.bar
        super().__init__([self._head, self._ledger, run, self._line, self._problem, self.views])
        self.add_class("dz-inquiry")
        run.layout.visibility = "hidden"  # it keeps its place: nothing jumps when a job begins
        run.observe(self._on_state, "state")
        traitlets.dlink((run, "text"), (self._line, "text"))
        run.show_state(self, "dz-inquiry")
        self.selection.observe(self._on_person, "person")
        self.selection.observe(self._on_row, "row")
        self.show(examination)

    def __repr__(self) -> str:
        """Return a line; ipywidgets' own would print pictures into the notebook."""
        return (
            f"ExplainPanel(person={self.person!r}, position={self.position}, state={self.state!r})"
        )

    # -- what the host may do

    @synchronized
    def show(
        self, examination: Examination | None, *, person: str = "", position: int | None = None
    ) -> None:
        """Show another examination; None shows nothing. What runs is cancelled."""
        self._questions.bar.abandon()
        if examination is not self.examination:
            self._known = None
        self.examination, self._questions.session = examination, None
        people = self._people()
        if not people:
            self.layout.display = "none"
            return
        assert examination is not None
        self.layout.display = None
        wanted = next((p for p in (person, examination.report.decisive) if p in people), people[0])
        self._question(wanted, position)

    @synchronized
    def know(self, person: str, faces: FaceCrops | None) -> None:
        """Take faces of a person, from `comparison.known_faces`, as known to be genuine; or None.

        They become the references that are tried first. What was answered without them about that
        person is put aside, and what runs is cancelled.
        """
        before, self._known = self._known, None if faces is None else (person, faces)
        if before and before[0] == person and before[1] is faces:
            return  # the view was opened again
        concerned = {who for who, _faces in filter(None, (before, self._known))}
        subject = self.subject
        if subject is None or subject.person not in concerned:
            return
        if self._is_shown:
            self._question(subject.person, self.position)
        else:  # asked anew when the panel is seen again
            self._questions.bar.abandon()
            self._questions.session = None

    @synchronized
    def shown(self) -> None:
        """Follow the selection and draw the chart: call this when the panel can be seen."""
        self._is_shown = True
        if self.person in self._people():
            if self.subject is None or self.person != self.subject.person:
                self._question(self.person)
            elif self._has_row(self.selection.row) and self.selection.row != self.position:
                self._questions.row = self.selection.row
                self._fill()
        self._draw_chart()

    @synchronized
    def hidden(self) -> None:
        """Follow nobody until the panel can be seen again; what was asked goes on."""
        self._is_shown = False

    @synchronized
    def stand_alone(self, *, alone: bool) -> None:
        """Show chart and slider, or leave them to the player beside which the panel stands."""
        self._is_alone = alone
        self._ledger.layout.display = None if alone else "none"
        self._head.moment.layout.display = None if alone else "none"

    @synchronized
    def retranslate(self) -> None:
        """Say everything again in the language in use."""
        self._line.lang = _i18n.language()
        self._questions.bar.retranslate()
        self._head.retranslate()
        self.views.retranslate()
        if self.subject is not None:
            self._draw_chart()
            self._fill()

    def check(self) -> None:
        """Replace the ticked regions in every moment, and form the verdict again."""
        self.views.what_if.check()

    def replace(self, region: str) -> None:
        """Show what happens when a region of the frame in view is replaced; at first in a while."""
        if self.subject is not None:
            self.views.menu.value = "try"
            self.views.what_if.replace(region)

    def answered(self) -> list[str]:
        """Return what was asked and answered of the person that is shown, as sentences."""
        return [] if self.subject is None else words.answered_sentences(self.subject)

    def close(self) -> None:
        """Stop what runs and take the panel away."""
        self.cancel()
        super().close()

    # -- whom it questions

    def _people(self) -> list[str]:
        tracks = self.examination.report.tracks if self.examination else ()
        return [r.track.person for r in tracks]

    def _has_row(self, row: int) -> bool:
        return self.subject is not None and 0 <= row < len(self.subject.crops.rgb)

    def _question(self, person: str, row: int | None = None) -> None:
        """Turn to a person, at a row; None = the selected one, or alone the strongest."""
        from toolkit.explain import session

        assert self.examination is not None
        self._questions.bar.abandon()
        try:
            self._questions.session = self._explainers.find(
                self.examination,
                person,
                clips=self.views.baseline.clips(self.examination.report.video.sha256),
                known=self._known[1] if self._known and self._known[0] == person else None,
            )
        except ToolkitError as error:
            self._questions.session = None
            self._questions.bar.fail(error)
            return
        assert self.subject is not None
        self.subject.use(self.views.baseline.chosen_kind)
        if row is None and not self._is_alone:
            row = self.selection.row
        if row is None or not self._has_row(row):
            row = session.strongest(self.subject.result)
        self._questions.row = row
        self.selection.person = person
        if self._is_alone:
            self.selection.row = row
        self.retranslate()

    # -- what it shows

    def _draw_chart(self) -> None:
        if self._is_shown and self._is_alone and self.subject is not None:
            self._chart.show(self.subject.result, self.position)

    @synchronized
    def _fill(self) -> None:
        """Show all that is known of the person and the frame in view."""
        from toolkit.widgets.workbench import explain_html as html

        subject, row = self.subject, self.position
        if subject is None:
            return
        self._head.fill(self._people(), subject, row)
        self._chart.mark(row)
        self._sum.value = html.ledger(subject, row)
        self.views.fill(subject, row)

    @synchronized
    def _fill_answers(self) -> None:
        """Show the answers; runs in the worker thread as well."""
        if self.subject is not None:
            self.views.fill_answers(self.subject, self.position)

    # -- what happens

    @synchronized
    def _on_state(self, change: Any) -> None:
        is_running = change["new"] == "running"
        self._questions.bar.layout.visibility = "visible" if is_running else "hidden"
        self._problem.value = fragments.problem(self.error) if self.error else ""
        self.views.say_buttons()
        if change["old"] == "running" and change["new"] != "idle":
            self._take_answers()
        if change["new"] in ("done", "cancelled"):
            self._fill()

    def _take_answers(self) -> None:
        """Say what the second witness found, and go where it was asked, where its maps are."""
        subject = self.subject
        if subject is None or not subject.witnesses:
            return
        self._on_check(subject.person, words.check_of(subject.witnesses, subject.threshold))
        logits = {answer.position: answer.logit for answer in subject.witnesses}
        if "witnesses" in self._questions.asked and self.position not in logits:
            self.selection.row = max(logits, key=lambda row: logits[row])

    @synchronized
    def _on_person(self, change: Any) -> None:
        is_other = self.subject is not None and change["new"] != self.subject.person
        if self._is_shown and is_other and change["new"] in self._people():
            self._question(change["new"])

    @synchronized
    def _on_row(self, change: Any) -> None:
        row, subject = change["new"], self.subject
        if not self._is_shown or subject is None or self.person != subject.person:
            return  # of a person who is turned to next
        if self._has_row(row):
            if row != self.position:
                self._questions.row = row
                self._fill()
        elif self._is_alone:
            self.selection.row = self.position
