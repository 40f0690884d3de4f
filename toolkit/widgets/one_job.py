"""What panels that run one job at a time tell of it."""

from __future__ import annotations

from toolkit.widgets.jobs import JobBar


class RunsOneJob:
    """Of a panel with a job bar: its state, what went wrong, and how to stop. First of its bases.

    Attributes
    ----------
    state
        One of `jobs.STATES`; also a CSS class of the panel, as `JobBar.show_state` names it.
    error
        What the last job raised, or None.
    """

    _run: JobBar

    def __repr__(self) -> str:
        """Return a line; ipywidgets' own would print pictures into the notebook."""
        return f"{type(self).__name__}(state={self.state!r})"

    @property
    def state(self) -> str:
        """One of `jobs.STATES`."""
        return str(self._run.state)

    @property
    def error(self) -> BaseException | None:
        """What the last job raised, or None."""
        return self._run.error

    def cancel(self) -> None:
        """Ask the job to stop; the panel says when it has."""
        self._run.cancel()
