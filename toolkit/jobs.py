"""A background job: one thread, progress with the time left, and a cancel that works.

A click may not reach the kernel while a cell runs, so a cell starts a job and returns at once.
Standard library only; scripts and tests use the same class as the notebook. Listeners run in the
worker thread: set widget traits there, never print.
"""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Generic, Protocol, TypeVar

from toolkit._i18n import _
from toolkit.errors import Cancelled
from toolkit.messages import shown
from toolkit.types import Tick

UPDATE_INTERVAL_S = 0.1

STAGE_WEIGHTS = {
    "hash": 1.0,
    "probe": 1.0,
    "scan": 38.0,
    "faces": 31.0,
    "detect": 90.0,
    "explain": 1.0,
}
"""The stages of an analysis in order, and how long each takes beside the others.

Measured on clips of 4 to 54 s on two busy cores; the small network detects in 28. They only place
the bar, and guess the stages that have not begun; a stage under way is timed by its own pace.
"""

_LEAST_S = 0.5  # a pace measured over less time than this is noise,
_LEAST_PART = 0.03  # and so is one over less of the work

T = TypeVar("T")


class OnUpdate(Protocol):
    """Called with each update, at most ten times a second."""

    def __call__(self, stage: str, done: int, total: int, seconds_left: float | None, /) -> None:
        """Show that `done` of `total` steps of `stage` are finished."""


PROMISE_FROM, PROMISE_RISE = 0.2, 1.2
"""From which part of the work on the time left is told, and how much longer it may become."""


class Progress:
    """Turn ticks into a position of the bar and an honest guess of the time left.

    The time left is that of the present stage, by its own pace, plus that of the stages to come,
    by their weights at the pace of the stages so far. Time between stages, such as loading models,
    is no pace, and neither is a stage that is told as finished because the cache had its result.
    Without enough of a measured pace there is no guess.

    Parameters
    ----------
    weights
        Stages in order; a stage that is not listed moves nothing.
    clock
        Monotonic seconds.
    """

    def __init__(
        self,
        weights: Mapping[str, float] = STAGE_WEIGHTS,
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._weights, self._clock = dict(weights), clock
        self._order = list(weights)
        self._stage = ""
        self._stage_began = self._last = clock()
        self._done_at_start = 0
        self._spent = 0.0  # seconds inside stages, and
        self._earned = 0.0  # the weight of what was done in them
        self._part = 0.0  # of the present stage
        self.fraction = 0.0

    def update(self, stage: str, done: int, total: int) -> float | None:
        """Take in a tick; return the seconds left, or None while that is unknown."""
        now = self._clock()
        part = min(done / total, 1.0) if total > 0 else 0.0
        if stage == self._stage:
            self._spent += now - self._last if stage in self._weights else 0.0  # else it waits
            self._earned += max(0.0, part - self._part) * self._weights.get(stage, 0.0)
        else:  # what is done when a stage begins took no time: the cache had it
            self._stage, self._stage_began, self._done_at_start = stage, now, done
        self._last, self._part = now, part
        if stage not in self._weights or total <= 0:
            return None
        here, everything = self._order.index(stage), sum(self._weights.values())
        worked = sum(self._weights[s] for s in self._order[:here]) + part * self._weights[stage]
        # never backwards, also where stages take turns
        self.fraction = max(self.fraction, worked / everything)
        if self._spent < _LEAST_S or self._earned < _LEAST_PART * everything:
            return None
        pace = self._spent / self._earned  # seconds per unit of weight
        in_stage, advanced = now - self._stage_began, done - self._done_at_start
        if in_stage >= _LEAST_S and advanced > 0:
            rest = in_stage / advanced * (total - done)
        else:
            rest = pace * self._weights[stage] * (1 - part)
        return rest + pace * sum(self._weights[s] for s in self._order[here + 1 :])


class Promise:
    """The time left as it is told: only once it can be kept to.

    Nothing is told before a fifth of the work is done, nor while the estimate lies more than a
    fifth above the shortest that was told: a number that grows is worse than none. Within that
    fifth the shortest stands, for a rounded number would make a leap of a small rise.
    """

    def __init__(self) -> None:
        self._shortest = float("inf")

    def told(self, fraction: float, seconds: float | None) -> float | None:
        """Return the seconds to tell, or None.

        Parameters
        ----------
        fraction
            How much of the work is done, 0..1.
        seconds
            The estimate: `Progress.update`.
        """
        if seconds is None or fraction < PROMISE_FROM or seconds > PROMISE_RISE * self._shortest:
            return None
        self._shortest = min(self._shortest, seconds)
        return self._shortest


@dataclass
class JobRecord:
    """What was promised of a job, and what happened: for whoever measures how honest that was.

    Attributes
    ----------
    seconds
        How long it took; None while it runs.
    promised_s, promised_at_s, promised_at
        The first time left that was told, when that was, and the position of the bar then, 0..1;
        None where nothing was told.
    silence_s, silence_in
        The longest time without a word of the work, and the stage that broke it.
    stages
        Seconds by stage, those before its first word included.
    """

    seconds: float | None = None
    promised_s: float | None = None
    promised_at_s: float | None = None
    promised_at: float | None = None
    silence_s: float = 0.0
    silence_in: str = ""
    stages: dict[str, float] = field(default_factory=dict)
    _last_s: float = 0.0

    def hear(self, stage: str, at_s: float) -> None:
        """Note that the work gave a sign of life, `at_s` seconds after it began."""
        silence = at_s - self._last_s
        if silence > self.silence_s:
            self.silence_s, self.silence_in = silence, stage
        self.stages[stage] = self.stages.get(stage, 0.0) + silence
        self._last_s = at_s

    def promise(self, seconds: float | None, at_s: float, fraction: float) -> None:
        """Note the time left that was told; the first one counts."""
        if self.promised_s is None and seconds is not None:
            self.promised_s, self.promised_at_s, self.promised_at = seconds, at_s, fraction

    def end(self, at_s: float) -> None:
        """Note that the work is over."""
        self.hear("end", at_s)
        self.seconds = at_s

    @property
    def ratio(self) -> float | None:
        """Return how many times longer it took than was promised; None without a promise."""
        if self.seconds is None or not self.promised_s or self.promised_at_s is None:
            return None
        return (self.seconds - self.promised_at_s) / self.promised_s


def _nothing(*_: object) -> None:
    """Listen to nobody."""


def _wall_clock() -> float:
    return time.monotonic()


class Job(Generic[T]):
    """One run of ``work(tick)`` in a thread of its own.

    Parameters
    ----------
    work
        Gets the job's `Tick`, which reports progress and raises `Cancelled` after `cancel`.
    on_update
        Called with stage, done, total and the seconds left (None while unknown), at most ten
        times a second.
    on_end
        Called once with the job, whether it ended with a result, an error or a cancel.
    weights
        Stages in order with their usual share of the time.

    Attributes
    ----------
    result, error
        What the work returned or raised; both None while it runs.
    fraction
        Position of a progress bar, 0..1, never decreasing.
    record
        What was promised, and what happened.
    clock
        Monotonic seconds; a study of waiting may count processor time instead.

    Examples
    --------
    >>> Job(lambda tick: tick("hash", 1, 1) or "finished").start().wait()
    'finished'
    """

    clock: Callable[[], float] = staticmethod(_wall_clock)

    def __init__(
        self,
        work: Callable[[Tick], T],
        *,
        on_update: OnUpdate = _nothing,
        on_end: Callable[[Job[T]], None] = _nothing,
        weights: Mapping[str, float] = STAGE_WEIGHTS,
    ) -> None:
        self._work, self._on_update, self._on_end = work, on_update, on_end
        self._weights = weights
        self._progress = Progress(weights, clock=self.clock)
        self._promise = Promise()
        self._last = float("-inf")
        self._began = self.clock()
        self.record = JobRecord()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="doorzicht-job", daemon=True)
        self.result: T | None = None
        self.error: BaseException | None = None

    @property
    def fraction(self) -> float:
        """Position of a progress bar, 0..1."""
        return self._progress.fraction

    @property
    def is_running(self) -> bool:
        """Whether the thread is at work."""
        return self._thread.is_alive()

    @property
    def is_cancelled(self) -> bool:
        """Whether the work ended because it was asked to."""
        return isinstance(self.error, Cancelled)

    def start(self) -> Job[T]:
        """Start the thread and return at once."""
        self._thread.start()
        return self

    def cancel(self) -> None:
        """Ask the work to stop at its next tick. Safe from any thread, any number of times."""
        self._stop.set()

    def wait(self, timeout_s: float | None = None) -> T:
        """Wait for the end; return the result, or raise what the work raised.

        Raises
        ------
        TimeoutError
            If the job is still running after `timeout_s` seconds.
        """
        self._thread.join(timeout_s)
        if self.is_running:
            msg = f"the job is still running after {timeout_s} s"
            raise TimeoutError(msg)
        if self.error is not None:
            raise self.error
        return self.result  # type: ignore[return-value]  # T may itself be None

    def _tick(self, stage: str, done: int, total: int) -> None:
        if self._stop.is_set():
            raise Cancelled
        left = self._progress.update(stage, done, total)
        now = self.clock()
        self.record.hear(stage, now - self._began)
        if now - self._last >= UPDATE_INTERVAL_S:
            self._last = now
            told = self._promise.told(self.fraction, left)
            self.record.promise(told, now - self._began, self.fraction)
            self._on_update(stage, done, total, told)

    def _run(self) -> None:
        self._promise = Promise()
        self._progress = Progress(
            self._weights, clock=self.clock
        )  # time starts now, not when the job was made
        self._began = self.clock()
        try:
            self.result = self._work(self._tick)
        except BaseException as error:  # noqa: BLE001 - nobody sees a traceback in a thread: keep it
            self.error = error
        self.record.end(self.clock() - self._began)
        self._on_end(self)


QUIET_S = 15.0
"""How long work says nothing where its lines cannot be rewritten, in a log for example."""


class TerminalLine:
    """One line on a terminal, rewritten in place; in a log a line now and then.

    Parameters
    ----------
    name_stage
        Returns what a stage does, in the language in use; None: its bare name.
    clock
        For tests: seconds that never go back.
    """

    def __init__(
        self,
        name_stage: Callable[[str], str] | None = None,
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._name_stage, self._clock = name_stage, clock
        self._last = 0.0
        self._noted = clock()
        self._shown = False

    def __call__(self, stage: str, done: int, total: int) -> None:
        """Say that `done` of `total` steps of `stage` are finished; a `Tick`."""
        name = self._name_stage(stage) if self._name_stage else stage
        text = _("{stage}: {done} of {total}").format(stage=name, done=done, total=total)
        if not sys.stderr.isatty() and self._clock() - self._noted >= QUIET_S:
            self._noted = self._clock()
            self.write(text)
        self.say(text, at_once=done >= total)

    def say(self, text: str, *, at_once: bool = False) -> None:
        """Put a text in the place of the line, at most five times a second."""
        now = self._clock()
        if not sys.stderr.isatty() or (not at_once and now - self._last < 0.2):
            return
        self._last, self._shown = now, True
        print(f"\r\x1b[K{text}", end="", file=sys.stderr, flush=True)

    def write(self, text: str) -> None:
        """Leave a line of its own, watched or not: for each finished part of long work."""
        self._clear()
        print(shown(text, but="\n\t"), file=sys.stderr, flush=True)

    def _clear(self) -> None:
        if self._shown:
            print("\r\x1b[K", end="", file=sys.stderr, flush=True)

    def __enter__(self) -> TerminalLine:
        return self

    def __exit__(self, *_error: object) -> None:
        self._clear()
