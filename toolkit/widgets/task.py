"""A button that starts a job in the background, with a bar, a cancel and a line of words."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from html import escape
from typing import Any, Generic, TypeVar

import ipywidgets

from toolkit._i18n import _, language
from toolkit.errors import ToolkitError
from toolkit.jobs import JobRecord
from toolkit.types import Tick
from toolkit.widgets.jobs import JobBar

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
        Stages in order with their usual share of the time; or what returns them when the work
        starts, where they depend on what is chosen.

    Attributes
    ----------
    state
        One of `jobs.STATES`; also a CSS class ``dz-task-STATE``.
    error
        What the work raised, or None.
    """

    def __init__(
        self,
        name: Callable[[], str],
        work: Callable[[Tick], T],
        on_result: Callable[[T], None],
        *,
        weights: Mapping[str, float] | Callable[[], Mapping[str, float]],
    ) -> None:
        self._weights = weights if callable(weights) else lambda: weights
        self._name, self._work, self._on_result = name, work, on_result
        self.button = ipywidgets.Button(button_style="primary", layout={"width": "auto"})
        self.button.on_click(lambda _button: self.start())
        self._run = JobBar(
            self.button,
            words=self._outcome,
            weights=self._weights(),
            is_numbered=True,
            prefix="dz-task",
        )
        self._run.cancel_button.layout.width, self._run.progress.layout.width = "auto", "220px"
        self._words = ipywidgets.HTML()
        super().__init__([self._run, self._words])
        self.add_class("dz-task")
        self._run.observe(self._on_state, "state")
        self._run.observe(lambda _change: self._show_words(), "text")
        self._run.show_state(self, "dz-task")
        self._on_state()
        self.retranslate()

    def __repr__(self) -> str:
        return f"Task(state={self.state!r})"

    @property
    def state(self) -> str:
        """One of `jobs.STATES`."""
        return str(self._run.state)

    @property
    def error(self) -> BaseException | None:
        """What the work raised, or None."""
        return self._run.error

    @property
    def record(self) -> JobRecord | None:
        """What was promised of the last run, and what happened; None before the first."""
        return self._run.record

    def start(self) -> None:
        """Start the work; nothing happens while it is under way."""
        self._run.start(self._work, self._on_result, weights=self._weights())

    def cancel(self) -> None:
        """Ask the work to stop."""
        self._run.cancel()

    def wait(self, timeout_s: float | None = None) -> None:
        """Wait for the end, whatever it is. For tests and scripts."""
        self._run.wait(timeout_s)

    def forget(self) -> None:
        """Take back what was said of work that failed or was cancelled."""
        if self.state in ("error", "cancelled"):
            self._run.forget()
            self._run.state = "idle"

    def retranslate(self) -> None:
        """Say everything in the language in use."""
        self.button.description = self._name()
        self._run.retranslate()
        self._show_words()

    def _on_state(self, _change: Any = None) -> None:
        self._run.cancel_button.layout.display = None if self.state == "running" else "none"

    def _outcome(self) -> dict[str, str]:
        return {
            "idle": "",
            "running": _("Working …"),
            "done": "",
            "cancelled": _("Cancelled."),
            "error": _problem(self.error),
        }

    def _show_words(self) -> None:
        text = self._run.text
        kind = "dz-box dz-wrong" if self.state == "error" else "dz-note"
        role = "" if self.state == "running" else ' role="status"'
        self._words.value = (
            f'<p class="{kind}"{role} lang="{language()}">{escape(text)}</p>' if text else ""
        )


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
