"""How far a call is, in the output of a notebook cell: plain HTML, which any front end shows."""

from __future__ import annotations

import time
from html import escape
from typing import Any, Protocol

from IPython import get_ipython
from IPython.display import HTML, display

from toolkit import figures
from toolkit.batch import telling
from toolkit.batch.run import BatchPosition
from toolkit.jobs import STAGE_WEIGHTS, Progress, Promise
from toolkit.widgets.jobs import progress_text

INTERVAL_S = 0.25
PATIENCE_S = 0.4  # shorter work shows nothing


class ShowsItself(Protocol):
    """A result that shows itself as a card."""

    def _repr_html_(self) -> str | None: ...

    def shown_in(self, cell: int | None) -> None:
        """Remember the number of the cell that shows it already."""


class NotebookProgress:
    """A bar with the stage and the time left; a `Tick` within a ``with`` block.

    The bar is gone at the end, also after an error. The notebook's stop button cancels the work.
    """

    def __init__(self) -> None:
        self._progress, self._promise = Progress(), Promise()
        self._began = self._last = time.monotonic()
        self._handle: Any = None

    def __call__(self, stage: str, done: int, total: int) -> None:
        """Say that `done` of `total` steps of `stage` are finished."""
        left = self._promise.told(
            self._progress.fraction, self._progress.update(stage, done, total)
        )
        now = time.monotonic()
        if now - self._began < PATIENCE_S or now - self._last < INTERVAL_S:
            return
        self._last = now
        is_known = stage in STAGE_WEIGHTS
        part = self._progress.fraction if is_known else (done / total if total else 0.0)
        self._put(_html(bar(part, progress_text(figures.stage_name(stage), left))))

    def show(self, analysis: ShowsItself) -> None:
        """Put the card of a result in the place of the bar."""
        self._put(analysis)
        self._handle = None  # it stays
        analysis.shown_in(get_ipython().execution_count)

    def _put(self, content: Any) -> None:
        if self._handle is None:
            self._handle = display(content, display_id=True)  # type: ignore[no-untyped-call]
        else:
            self._handle.update(content)

    def __enter__(self) -> NotebookProgress:
        return self

    def __exit__(self, *_error: object) -> None:
        if self._handle is not None:
            self._handle.update(_html(""))


class BatchProgress:
    """A bar for many videos: how many are done, what came of them, and the time left.

    It stays at the end, and says what came of it.
    """

    def __init__(self) -> None:
        self._last = float("-inf")
        self._progress: BatchPosition | None = None
        self._handle: Any = None

    def __call__(self, progress: BatchPosition) -> None:
        """Say how far it is."""
        self._progress = progress
        if time.monotonic() - self._last >= INTERVAL_S:
            self._last = time.monotonic()
            part = progress.done / progress.total if progress.total else 0.0
            self._put(_html(bar(part, telling.position(progress))))

    def _put(self, content: Any) -> None:
        if self._handle is None:
            self._handle = display(content, display_id=True)  # type: ignore[no-untyped-call]
        else:
            self._handle.update(content)

    def __enter__(self) -> BatchProgress:
        return self

    def __exit__(self, *_error: object) -> None:
        if self._progress is not None:
            lines = "<br>".join(escape(line) for line in telling.closing(self._progress))
            self._put(_html(f'<div class="dz-bar">{lines}</div>'))


def _html(text: str) -> Any:
    return HTML(text)  # type: ignore[no-untyped-call]


def bar(part: float, text: str) -> str:
    """Return a progress bar, 0..1, with its text beside it."""
    return (
        f'<div class="dz-bar"><progress max="1" value="{min(max(part, 0.0), 1.0):.3f}" '
        f'aria-label="{escape(text)}" style="width:16rem;vertical-align:middle"></progress> '
        f"<span>{escape(text)}</span></div>"
    )
