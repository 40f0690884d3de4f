"""The questions of the panel: which run in the background, and the buttons that ask them."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import ipywidgets

from toolkit._i18n import _
from toolkit.types import Tick
from toolkit.widgets.jobs import JobBar
from toolkit.widgets.status import duration

if TYPE_CHECKING:
    from toolkit.explain.answers import Checked
    from toolkit.explain.session import PersonExplainer

LONG_S = 8.0
"""From here on a button says beforehand how long its question takes."""


class Questions:
    """Asks about the person and the frame in view; the answers lie with the session.

    Parameters
    ----------
    on_answer
        Called with each part of an answer that came; also in the worker thread.

    Attributes
    ----------
    session
        Who is questioned; None while nothing is shown.
    row
        The frame in view.
    bar
        The job that is asking.
    asked
        What was asked last.
    """

    def __init__(self, on_answer: Callable[[], None]) -> None:
        self._on_answer = on_answer
        self.session: PersonExplainer | None = None
        self.row = 0
        self.asked: tuple[str, ...] = ()
        self.bar = JobBar(words=_outcome, weights={}, name_stage=_stage_name, prefix="dz-inquiry")
        self.bar.progress.layout.width = "220px"

    @property
    def can_ask(self) -> bool:
        """Whether somebody can be asked now."""
        return self.session is not None and self.bar.state != "running"

    def is_asking(self, question: str) -> bool:
        """Whether a question is being answered now."""
        return self.bar.state == "running" and self.bar.stage == question

    def ask(self, *questions: str) -> None:
        """Ask some of `session.QUESTIONS`, or ``"references"``."""

        def work(session: PersonExplainer, row: int, tick: Tick) -> Any:
            from toolkit.explain.session import QUESTIONS, ask

            def on_result(_question: str, _part: Any) -> None:
                if self.session is session:  # else somebody else is shown by now
                    self._on_answer()

            deep = [question for question in questions if question in QUESTIONS]
            answers = ask(session, deep, row, on_result=on_result, tick=tick)
            session.game(row)  # so that the next tick of a box costs one pass
            return answers

        self._start(work, *questions)

    def check(self, regions: tuple[str, ...]) -> None:
        """Replace regions in every frame, and form the verdict again."""

        def work(session: PersonExplainer, _row: int, tick: Tick) -> Checked:
            return session.check(regions, tick=tick)

        if regions:
            self._start(work, "check")

    def compare_baselines(self) -> None:
        """Make a baseline of every kind for the frame in view, and judge each."""

        def work(session: PersonExplainer, row: int, tick: Tick) -> Any:
            from toolkit.explain.baselines import AUTOMATIC, ON_REQUEST

            tick("references", 0, 1)
            return session.every_kind(row, (*AUTOMATIC, *ON_REQUEST), tick=tick)

        self._start(work, "every_kind")

    def ask_spans(self) -> None:
        """Hold each region of each stretch still: for a detector of stretches."""

        def work(session: PersonExplainer, _row: int, tick: Tick) -> Any:
            return session.ask_spans(tick=tick)

        self._start(work, "spans")

    def look_alike(self) -> None:
        """Draw maps that look like an explanation, and check each with random weights."""

        def work(session: PersonExplainer, row: int, tick: Tick) -> Any:
            from toolkit.explain.costs import Counted

            return session.look_alike(row, tick=Counted(tick, "lookalikes", 64))

        self._start(work, "lookalikes")

    def _start(self, work: Callable[[PersonExplainer, int, Tick], Any], *questions: str) -> None:
        session, row = self.session, self.row
        if session is not None and self.can_ask:
            from toolkit.explain.costs import stage_weights

            self.asked = questions
            self.bar.start(
                lambda tick: work(session, row, tick),
                weights=stage_weights(session, questions, row),
            )


class AskButton(ipywidgets.Button):  # type: ignore[misc]  # ipywidgets ships no types
    """A button that asks, and says beforehand where that takes long.

    Parameters
    ----------
    name
        Of the question; the CSS class is ``dz-ask-NAME``.
    title
        Returns what it says, in the language in use.
    act
        What it does.
    """

    def __init__(self, name: str, title: Callable[[], str], act: Callable[[], None]) -> None:
        super().__init__(layout={"width": "auto"})
        self.add_class(f"dz-ask-{name}")
        self._question, self._title = name, title
        self.on_click(lambda _button: act())

    def offer(self, questions: Questions) -> None:
        """Say everything in the language in use, and be pressed only where somebody can answer."""
        self.description = self._title() + self._cost(questions.session)
        self.disabled = not questions.can_ask

    def _cost(self, session: PersonExplainer | None) -> str:
        """Return how long the question takes, where that is more than a few seconds."""
        if session is None:
            return ""
        from toolkit.explain.costs import expected_seconds

        seconds = expected_seconds(session, self._question)
        if not seconds >= LONG_S:  # nor where nothing is known
            return ""
        return " " + _("(about {time})").format(time=duration(seconds))


def _outcome() -> dict[str, str]:
    return {
        "idle": _("The sum above needs no further look. Questions below ask the detector again."),
        "running": _("Starting …"),
        "done": _("Answered."),
        "cancelled": _("Cancelled. What was answered by then is shown."),
        "error": _("This did not work."),
    }


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
        "spans": _("holding regions still"),
    }.get(stage, stage)
