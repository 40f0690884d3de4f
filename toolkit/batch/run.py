"""Lead a batch: hand out the files, keep what comes back, and say how far it is."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, Protocol

from toolkit._i18n import N_
from toolkit.analysis import cached
from toolkit.batch import table, triage
from toolkit.batch.journal import PAGE, STATUSES, TABLE, Journal, KnownRow, Row
from toolkit.batch.plan import BatchPlan, FileTask
from toolkit.batch.process import Done
from toolkit.casework.lock import Lock
from toolkit.detectors import registry
from toolkit.errors import DetectorError

WAIT_S = 0.5
"""How often progress is told and, with `more`, new files are looked for."""

PUBLISH_EVERY_S = 60.0
"""How often table and page are made again while the work goes on, at most."""

_RECENT = 200
_PUBLISH_PART = 20  # making the page may take this part of the time: 1 in 20


class Workers(Protocol):
    """Judge files somewhere: `local.LocalWorkers`, `cluster.ClusterWorkers`."""

    @property
    def workers(self) -> int:
        """How many files are judged at once; 0 while nobody is there."""

    @property
    def room(self) -> int:
        """How many more tasks are wanted now."""

    @property
    def in_flight(self) -> int:
        """Tasks that were submitted and are not done."""

    @property
    def may_still_write(self) -> bool:
        """Whether a file under work may still get its row after `close`."""

    def submit(self, task: FileTask) -> None:
        """Have a file judged."""

    def wait(self, timeout_s: float) -> list[Done]:
        """Return what was done since the last call; wait for something if there is nothing."""

    def close(self) -> None:
        """End all work."""


@dataclass(frozen=True)
class BatchPosition:
    """How far a batch is.

    Attributes
    ----------
    done, total
        Files, those included that were known before.
    known
        Files that were known before.
    counts
        Of each status, among those done.
    forged
        Files that were called forged, among those done.
    workers
        How many work; 0 while nobody is there.
    left_s
        Seconds to go, at the pace so far; None while that is unknown.
    saved_s
        What the cache saved: seconds that its results took when they were made.
    last
        The row that was just finished, or None.
    """

    done: int
    total: int
    known: int
    counts: dict[str, int]
    forged: int
    workers: int
    left_s: float | None
    saved_s: float
    last: Row | None = None


OnProgress = Callable[[BatchPosition], None]


def to_nobody(progress: BatchPosition) -> None:
    """Tell nobody: the default."""


@dataclass
class _Tally:
    """Counts what is done, and guesses the time left from the files that came last."""

    total: int = 0
    done: int = 0
    known: int = 0
    forged: int = 0
    saved_s: float = 0.0
    counts: dict[str, int] = field(default_factory=lambda: dict.fromkeys(STATUSES, 0))
    ended_at: deque[float] = field(default_factory=lambda: deque(maxlen=_RECENT))

    def count(self, row: Row, *, is_new: bool) -> None:
        self.done += 1
        self.counts[row["status"]] += 1
        self.forged += bool(row["forged"])
        if is_new:
            self.saved_s += float(row.get("saved_s") or 0.0)
            self.ended_at.append(time.monotonic())
        else:
            self.known += 1

    def progress(self, workers: int, last: Row | None) -> BatchPosition:
        return BatchPosition(
            done=self.done,
            total=self.total,
            known=self.known,
            counts=dict(self.counts),
            forged=self.forged,
            workers=workers,
            left_s=self._left(workers),
            saved_s=self.saved_s,
            last=last,
        )

    def _left(self, workers: int) -> float | None:
        """Return the seconds to go; the first files of each worker also loaded the libraries."""
        n = len(self.ended_at)
        if workers == 0 or n < workers + 1:
            return None
        pace = (time.monotonic() - self.ended_at[0]) / (n - 1)
        return pace * (self.total - self.done)


def run(
    tasks: Iterable[FileTask],
    plan: BatchPlan,
    make_workers: Callable[[BatchPlan], Workers],
    *,
    more: Callable[[], Iterable[FileTask]] | None = None,
    again: bool = False,
    on_progress: OnProgress = to_nobody,
) -> BatchPosition:
    """Judge every file that was not judged before, and make table and page.

    Whatever ends it, an interrupt included, what is done is kept, and the same call goes on there.

    Parameters
    ----------
    tasks
        The files.
    plan
        How, and where the results go.
    make_workers
        Starts those who judge; not called where there is nothing to judge.
    more
        Asked again and again for files that came since; then this only ends by an interrupt.
    again
        Whether files that failed or took too long are tried again.
    on_progress
        Called at the start, after each file, and at least every second.

    Raises
    ------
    UsageError
        If the folder holds results that were made otherwise.
    BusyError
        If another process works on this folder.
    DetectorError, ModelError, OSError
        If nothing can be judged: the installation, the device or the disk is not in order.
    """
    if plan.detector not in registry.names():
        raise DetectorError(
            "there is no detector of that name",
            plan.detector,
            "Choose one of {known}.",
            known=", ".join(registry.names()),
        )
    journal = Journal(plan.folder)
    journal.check()
    plan.folder.mkdir(parents=True, exist_ok=True)
    with Lock(plan.folder, "batch", cause=N_("another process works on these results")):
        journal.begin(plan, cached.identity(plan.detector))
        lead = _Lead(journal, plan, make_workers, on_progress, again=again)
        try:
            lead.take(tasks)
            lead.go(more)
        finally:
            lead.end()
        return lead.on_result()


class _Lead:
    """One run: what waits, who works, what is known."""

    def __init__(
        self,
        journal: Journal,
        plan: BatchPlan,
        make_workers: Callable[[BatchPlan], Workers],
        on_progress: OnProgress,
        *,
        again: bool,
    ) -> None:
        journal.clear_parts()
        self._journal, self._plan, self._on_progress = journal, plan, on_progress
        self._make_workers, self._workers = make_workers, _nobody()
        self._rows = KnownRow(journal.rows(), again=again)
        self._waiting: deque[FileTask] = deque()
        self._tally = _Tally()
        self._published_at, self._publish_s = time.monotonic(), 0.0
        self._is_stale = True

    def take(self, tasks: Iterable[FileTask]) -> None:
        """Take in files: those that have a row are done, the others wait."""
        for task in tasks:
            self._tally.total += 1
            row = self._rows.find(task)
            if row is None:
                self._waiting.append(task)
            else:
                self._tally.count(row, is_new=False)

    def go(self, more: Callable[[], Iterable[FileTask]] | None) -> None:
        """Work until all is done; with `more`, until somebody stops it."""
        self.on_result()
        while self._waiting or self._workers.in_flight or more is not None:
            if self._waiting and isinstance(self._workers, _Nobody):
                self._workers = self._make_workers(self._plan)
            while self._waiting and self._workers.room > 0:
                self._workers.submit(self._waiting.popleft())
            finished = self._workers.wait(WAIT_S)
            for done in finished:
                self._record(done)
            if not finished:
                self.on_result()
            if more is not None:
                self.take(more())
            self._publish_now_and_then(is_idle=not self._waiting and not self._workers.in_flight)

    def _record(self, done: Done) -> None:
        done.check()
        if done.row is None:
            return
        self._rows.add(done.row)
        self._tally.count(done.row, is_new=done.is_new)
        self._is_stale = True
        self.on_result(done.row)

    def on_result(self, last: Row | None = None) -> BatchPosition:
        """Say how far it is."""
        progress = self._tally.progress(self._workers.workers, last)
        self._on_progress(progress)
        return progress

    def end(self) -> None:
        """End all work, and make table and page of what is done."""
        try:
            self._workers.close()
        finally:
            if not self._workers.may_still_write:
                self._journal.clear_parts()
            for row in self._journal.rows():  # a worker may have written one that nobody took in
                self._rows.add(row)
            self._publish()

    def _publish_now_and_then(self, *, is_idle: bool) -> None:
        since = time.monotonic() - self._published_at
        wanted = 1.0 if is_idle else PUBLISH_EVERY_S
        if self._is_stale and since > max(wanted, _PUBLISH_PART * self._publish_s):
            self._publish()

    def _publish(self) -> None:
        start = time.monotonic()
        publish(self._journal, list(self._rows.by_key.values()), self._plan.language)
        self._published_at = time.monotonic()
        self._publish_s, self._is_stale = self._published_at - start, False


class _Nobody:
    """Those who work before there is anything to do."""

    workers = room = in_flight = 0
    may_still_write = False

    def submit(self, task: FileTask) -> None:
        raise NotImplementedError

    def wait(self, timeout_s: float) -> list[Done]:
        time.sleep(timeout_s)
        return []

    def close(self) -> None:
        pass


def _nobody() -> Workers:
    return _Nobody()


def publish(journal: Journal, rows: Iterable[Row], language: str) -> None:
    """Make table and page from rows, each in one step."""
    ordered = table.ordered(rows)
    table.write(ordered, journal.folder / TABLE)
    triage.write(ordered, journal.folder / PAGE, language=language)


class Watch:
    """Finds files that came since, once each has stopped growing.

    A file counts as complete when two looks in a row find the same size and time.

    Parameters
    ----------
    look
        Lists all files there are.
    every_s
        Time between two looks.
    """

    def __init__(self, look: Callable[[], Iterable[FileTask]], *, every_s: float = 2.0) -> None:
        self._look, self._every_s = look, every_s
        self._looked_at = float("-inf")
        self._before: dict[str, tuple[Any, ...]] = {}
        self._given: dict[str, tuple[Any, ...]] = {}

    def __call__(self) -> list[FileTask]:
        """Return the files that are complete and were not returned before in this state."""
        from toolkit.batch.journal import facts_of

        if time.monotonic() - self._looked_at < self._every_s:
            return []
        complete, now = [], {}
        with suppress(OSError):
            for task in self._look():
                facts = tuple(facts_of(task.path).values())
                now[task.path] = facts
                is_steady = self._before.get(task.path) == facts
                if is_steady and facts[0] is not None and self._given.get(task.path) != facts:
                    self._given[task.path] = facts
                    complete.append(task)
        self._before, self._looked_at = now, time.monotonic()
        return complete
