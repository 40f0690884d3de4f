"""A button that starts a job in the background, with a bar, a cancel and a line of words."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from html import escape
from typing import Any, Generic, TypeVar

import ipywidgets

from toolkit._i18n import _, language
from toolkit.errors import ToolkitError
from toolkit.figures import stage_name
from toolkit.jobs import Job
from toolkit.types import Tick

T = TypeVar("T")


class Task(ipywidgets.VBox, Generic[T]):  # type: ignore[misc]  # ipywidgets ships no types
    """A button and what it sets going; one at a time.

    Parameters
    ----------
    name
        Returns what the button says, in the language in use.
    work
        ``work(tick)``; runs in a thread of its own.
    on_result
        Called with the result in that thread: set traits there, never print.
    weights
        Stages in order with their usual share of the time.

    Attributes
    ----------
    state
        ``"idle"``, ``"running"``, ``"done"``, ``"cancelled"`` or ``"error"``; also a CSS class
        ``dz-task-STATE``.
    """

    def __init__(
        self,
        name: Callable[[], str],
        work: Callable[[Tick], T],
        on_result: Callable[[T], None],
        *,
        weights: Mapping[str, float],
    ) -> None:
        self._name, self._work, self._on_result = name, work, on_result
        self._weights = dict(weights)
        self._job: Job[T] | None = None
        self.error: BaseException | None = None
        self.state = "idle"
        self.button = ipywidgets.Button(button_style="primary", layout={"width": "auto"})
        self.button.on_click(lambda _button: self.start())
        self._cancel = ipywidgets.Button(disabled=True, layout={"width": "auto"})
        self._cancel.on_click(lambda _button: self.cancel())
        self._bar = ipywidgets.FloatProgress(
            max=1, layout={"width": "220px", "visibility": "hidden"}
        )
        self._words = ipywidgets.HTML()
        row = ipywidgets.HBox(
            [self.button, self._cancel, self._bar], layout={"flex_flow": "row wrap"}
        )
        super().__init__([row, self._words])
        self.add_class("dz-task")
        self.add_class("dz-task-idle")
        self.retranslate()

    def __repr__(self) -> str:
        return f"Task(state={self.state!r})"

    def start(self) -> None:
        """Start the work; nothing happens while it is under way."""
        if self.state == "running":
            return
        self.error = None
        self._set("running")
        self._job = Job(
            self._work, on_update=self._on_update, on_end=self._on_end, weights=self._weights
        )
        self._job.start()

    def cancel(self) -> None:
        """Ask the work to stop."""
        if self._job is not None and self.state == "running":
            self._job.cancel()
            self._cancel.disabled = True

    def wait(self, timeout_s: float | None = None) -> None:
        """Wait for the end, whatever it is. For tests and scripts."""
        if self._job is not None:
            self._job._thread.join(timeout_s)  # noqa: SLF001 - `wait` would raise the error again

    def forget(self) -> None:
        """Take back what was said of work that failed or was cancelled."""
        if self.state in ("error", "cancelled"):
            self.error = None
            self._set("idle")

    def retranslate(self) -> None:
        """Say everything in the language in use."""
        self.button.description = self._name()
        self._cancel.description = _("Cancel")
        self._tell()

    def _set(self, state: str) -> None:
        self.remove_class(f"dz-task-{self.state}")
        self.state = state
        running = state == "running"
        self.button.disabled, self._cancel.disabled = running, not running
        self._cancel.layout.display = None if running else "none"
        self._bar.layout.visibility = "visible" if running else "hidden"
        if running:
            self._bar.value = 0
        self._tell()
        self.add_class(f"dz-task-{state}")

    def _tell(self) -> None:
        self._cancel.layout.display = None if self.state == "running" else "none"
        words = {
            "idle": "",
            "running": _("Working …"),
            "done": "",
            "cancelled": _("Cancelled."),
            "error": _problem(self.error),
        }[self.state]
        kind = "dz-box dz-wrong" if self.state == "error" else "dz-note"
        self._words.value = (
            f'<p class="{kind}" role="status" lang="{language()}">{escape(words)}</p>'
            if words
            else ""
        )

    def _on_update(self, stage: str, _done: int, _total: int, seconds: float | None) -> None:
        self._bar.value = self._job.fraction if self._job else 0
        from toolkit.widgets.status import duration

        name = stage_name(stage)
        number, of = _place(stage, self._weights)
        if seconds is None:
            text = _("{n} of {of}: {stage} …").format(n=number, of=of, stage=name)
        else:
            text = _("{n} of {of}: {stage} … about {left} left").format(
                n=number, of=of, stage=name, left=duration(seconds)
            )
        self._words.value = f'<p class="dz-note" lang="{language()}">{escape(text)}</p>'

    def _on_end(self, job: Job[T]) -> None:
        if job.is_cancelled:
            self._set("cancelled")
            return
        self.error = job.error
        if job.error is None:
            try:
                self._on_result(job.result)  # type: ignore[arg-type]  # T may itself be None
            except Exception as error:  # noqa: BLE001 - shown; a thread has no other place
                self.error = error
        self._set("error" if self.error is not None else "done")


def _place(stage: str, weights: Mapping[str, float]) -> tuple[int, int]:
    """Return which of how many stages one is; the last one where it is not known."""
    stages = list(weights)
    return (stages.index(stage) + 1 if stage in stages else len(stages)), len(stages)


def _problem(error: BaseException | None) -> str:
    if error is None:
        return ""
    what = error.text() if isinstance(error, ToolkitError) else f"{type(error).__name__}: {error}"
    return _("This did not work: {what}").format(what=what)


def pictures(shown: list[tuple[Any, str]], *, small: bool = False) -> str:
    """Return pictures (H, W, 3) uint8 with captions as HTML; the caption is the description too."""
    from toolkit.figures.pictures import data_address

    figures = "".join(
        f'<figure><img src="{data_address(rgb)}" alt="{escape(caption)}">'
        f"<figcaption>{escape(caption)}</figcaption></figure>"
        for rgb, caption in shown
    )
    kind = "dz-pictures dz-small" if small else "dz-pictures"
    return f'<div class="{kind}" lang="{language()}">{figures}</div>'
