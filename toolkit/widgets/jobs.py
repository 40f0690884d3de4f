"""A bar, a cancel button and a line of words around one background job: the same in every panel."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import ipywidgets
import traitlets

from toolkit import figures
from toolkit._i18n import _, ngettext
from toolkit.classroom import client
from toolkit.errors import Cancelled
from toolkit.jobs import STAGE_WEIGHTS, Job, JobRecord
from toolkit.types import Tick
from toolkit.widgets.status import duration
from toolkit.widgets.styling import classed

STATES = ("idle", "running", "done", "cancelled", "error")


class JobBar(ipywidgets.HBox):  # type: ignore[misc]  # ipywidgets ships no types
    """Runs one job at a time, and shows how far it is.

    Parameters
    ----------
    *buttons
        What stands before the bar, such as the button that starts the job; off while one runs.
    words
        Returns what to say in each of `STATES`, in the language in use.
    weights
        Stages in order with their usual share of the time.
    name_stage
        Returns the name of a stage in the language in use.
    is_numbered
        Whether to say which of how many stages it is; else its name alone.
    takes_turn
        Whether work waits for its turn in the app for a class.
    prefix
        Of the CSS classes ``PREFIX-cancel`` and ``PREFIX-progress``.

    Attributes
    ----------
    state
        One of `STATES`.
    text
        What to say of the job now; the panel puts it where its line is.
    error
        What the last job raised, or None.
    cancel_button, progress
        The widgets themselves, for a panel that lays them out otherwise.
    """

    state = traitlets.Enum(STATES, "idle")
    text = traitlets.Unicode("")

    def __init__(
        self,
        *buttons: Any,
        words: Callable[[], Mapping[str, str]],
        weights: Mapping[str, float] = STAGE_WEIGHTS,
        name_stage: Callable[[str], str] = figures.stage_name,
        is_numbered: bool = False,
        takes_turn: bool = True,
        prefix: str = "dz",
    ) -> None:
        self._buttons, self._words, self._takes_turn = buttons, words, takes_turn
        self._weights = self._stages = weights
        self._name_stage, self._is_numbered = name_stage, is_numbered
        self._job: Job[Any] | None = None
        self._stage, self._place = "", 0
        self._seconds_left: float | None = None
        self._is_stopping = False
        self.error: BaseException | None = None
        self.cancel_button = classed(ipywidgets.Button(disabled=True), f"{prefix}-cancel")
        self.cancel_button.on_click(lambda _button: self.cancel())
        self.progress = classed(
            ipywidgets.FloatProgress(max=1, layout={"width": "260px", "display": "none"}),
            f"{prefix}-progress",
        )
        super().__init__(
            [*buttons, self.cancel_button, self.progress], layout={"flex_flow": "row wrap"}
        )
        self.observe(self._on_state, "state")

    def __repr__(self) -> str:
        return f"JobBar(state={self.state!r})"

    @property
    def stage(self) -> str:
        """The stage that the job is in; empty before the first."""
        return self._stage

    @property
    def record(self) -> JobRecord | None:
        """What was promised of the last job, and what happened; None before the first."""
        return self._job.record if self._job is not None else None

    def show_state(self, panel: Any, prefix: str) -> None:
        """Keep a CSS class ``PREFIX-STATE`` on a panel. Call it after all else listens to `state`.

        Who waits for the class then finds everything said and filled in.
        """
        panel.add_class(f"{prefix}-{self.state}")

        def on_state(change: Any) -> None:
            panel.remove_class(f"{prefix}-{change['old']}")
            panel.add_class(f"{prefix}-{change['new']}")

        self.observe(on_state, "state")

    # -- one job

    def start(
        self,
        work: Callable[[Tick], Any],
        then: Callable[[Any], None] = lambda _result: None,
        *,
        weights: Mapping[str, float] | None = None,
        handle: Callable[[BaseException], bool] = lambda _error: False,
    ) -> None:
        """Start a job; nothing happens while one is under way.

        Parameters
        ----------
        work
            ``work(tick)``, in a thread of its own.
        then
            Called with the result, in that thread: it sets traits and makes no widgets.
        weights
            Stages of this job; None = those of the bar.
        handle
            Called with what the work raised, also `Cancelled`; returns whether that is dealt with,
            so that the job counts as done.
        """
        if self.state == "running":
            return
        self.forget()
        self._stages = stages = self._weights if weights is None else weights

        def on_update(stage: str, done: int, _total: int, seconds_left: float | None) -> None:
            if job is self._job:
                self._stage, self._seconds_left = stage, seconds_left
                self._place = done if stage == client.QUEUE else 0
                self.progress.value = job.fraction
                self._say()

        def on_end(ended: Job[Any]) -> None:
            if ended is self._job:  # else nobody waits for it any more
                self._end(ended, then, handle)

        def in_turn(tick: Tick) -> Any:
            with client.turn(tick):
                return work(tick)

        job: Job[Any] = Job(
            in_turn if self._takes_turn else work,
            on_update=on_update,
            on_end=on_end,
            weights=stages,
        )
        self._job = job
        self.state = "running"
        job.start()

    def cancel(self) -> None:
        """Ask the job to stop; the bar says when it has."""
        if self._job is not None and self.state == "running":
            # said before it is done: a job that ends at once has the last word
            self._is_stopping = True
            self.cancel_button.disabled = True
            self.text = _("Stopping …")
            self._job.cancel()

    def abandon(self) -> None:
        """Stop the job and hear nothing of it any more: what it was about is not shown now."""
        self.cancel()
        self._job = None
        self.forget()
        self.state = "idle"

    def wait(self, timeout_s: float | None = None) -> None:
        """Wait for the end of the job, whatever it is; for scripts and tests.

        Raises
        ------
        TimeoutError
            If it is still running after `timeout_s` seconds.
        """
        job = self._job
        if job is None:
            return
        try:
            job.wait(timeout_s)
        except BaseException:
            if job.is_running:
                raise  # it did not end in time; what it raised itself is in `error`

    def fail(self, error: BaseException) -> None:
        """Be in the state 'error' without a job: what was asked for cannot be begun."""
        self.error = error
        self.state = "error"
        self._say()  # also when the state was 'error' before

    def forget(self) -> None:
        """Take back what is left of the job before."""
        self.error, self._stage, self._seconds_left, self._is_stopping = None, "", None, False
        self.progress.value = 0

    def _end(
        self,
        job: Job[Any],
        then: Callable[[Any], None],
        handle: Callable[[BaseException], bool],
    ) -> None:
        error = job.error
        try:
            if error is None:
                then(job.result)
            elif handle(error):
                error = None
        except Exception as problem:  # noqa: BLE001 - shown in the panel; a thread has no other place
            error = problem
        self.error = None if isinstance(error, Cancelled) else error
        if error is None:
            self.state = "done"
        else:
            self.state = "cancelled" if isinstance(error, Cancelled) else "error"

    # -- what it says

    def retranslate(self) -> None:
        """Say everything in the language in use."""
        self.cancel_button.description = _("Cancel")
        self._say()

    def _on_state(self, change: Any) -> None:
        is_running = change["new"] == "running"
        for button in self._buttons:
            button.disabled = is_running
        self.cancel_button.disabled = not is_running
        self.progress.layout.display = None if is_running else "none"
        self._say()

    def _say(self) -> None:
        if self.state != "running" or not self._stage:
            self.text = self._words()[self.state]
        elif self._is_stopping:
            pass  # it says so
        elif self._stage == client.QUEUE:
            self.text = queue_text(self._place)
        else:
            self.text = progress_text(
                self._name_stage(self._stage),
                self._seconds_left,
                _place(self._stage, self._stages) if self._is_numbered else None,
            )


def queue_text(place: int) -> str:
    """Return how long the queue is before a job, in the language in use.

    Parameters
    ----------
    place
        1 for whoever is next; 0 once it is a turn, and before the place is known.
    """
    if not place:
        return _("Starting …")
    before = ngettext(
        "Waiting for your turn: you are number {n} in the queue, so next.",
        "Waiting for your turn: you are number {n} in the queue.",
        place,
    )
    return f"{before.format(n=place)} {_('You can cancel.')}"


def progress_text(
    stage: str, seconds_left: float | None, place: tuple[int, int] | None = None
) -> str:
    """Return how far a job is, in the language in use.

    Parameters
    ----------
    stage
        Name of the stage.
    seconds_left
        None while nothing can be promised.
    place
        Which of how many stages it is; None leaves that away.
    """
    number, of = place or (0, 0)
    if seconds_left is None:
        text = _("{n} of {of}: {stage} …") if place else _("Now {stage} …")
        return text.format(n=number, of=of, stage=stage)
    text = (
        _("{n} of {of}: {stage} … about {left} left")
        if place
        else _("Now {stage} … about {left} left")
    )
    return text.format(n=number, of=of, stage=stage, left=duration(seconds_left))


def _place(stage: str, weights: Mapping[str, float]) -> tuple[int, int]:
    """Return which of how many stages one is; the last one where it is not known."""
    stages = list(weights)
    return (stages.index(stage) + 1 if stage in stages else len(stages)), len(stages)
