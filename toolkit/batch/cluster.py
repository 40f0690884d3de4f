"""Many workers on a Dask cluster: it says where a file is judged, a worker process of ours does it.

The process under the Dask worker may be stopped after too long a time or die without taking the
Dask worker with it, and several threads of one Dask worker do not stand in each other's way. A
Dask worker that dies is Dask's to replace: the file goes to another one, a few times at most.
"""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from toolkit.batch.plan import BatchPlan, FileTask
from toolkit.batch.process import Done, WorkerProcess, give_up
from toolkit.errors import ToolkitError, UsageError
from toolkit.messages import Message

if TYPE_CHECKING:
    from distributed import Client, Future

_AHEAD, _LEAST, _ASK_EVERY_S = 2, 4, 5.0
CONNECT_S = 15.0
"""Longest wait for a scheduler to answer."""


class SchedulerGoneError(ToolkitError, ConnectionError):
    """The scheduler ended, or cannot be reached any more."""

    __str__ = ToolkitError.__str__


def connect(address: str) -> Client:
    """Return a client of a Dask scheduler.

    Parameters
    ----------
    address
        Such as ``"tcp://10.0.0.5:8786"``.

    Raises
    ------
    UsageError
        If Dask is not installed, or nothing answers there.
    """
    distributed = _distributed()
    try:
        return distributed.Client(address, timeout=CONNECT_S, set_as_default=False)
    except (OSError, ValueError) as error:
        remedy = "Start one with: dask scheduler. Then give the address that it prints."
        raise UsageError("no Dask scheduler answers", address, remedy) from error


def _distributed() -> Any:
    try:
        import distributed
    except ImportError as error:
        remedy = "Install it: pip install 'doorzicht[batch]'."
        raise UsageError("Dask is not installed", "distributed", remedy) from error
    return distributed


class ClusterWorkers:
    """Judges files on a Dask cluster, whose workers see the same files at the same paths.

    Parameters
    ----------
    plan
        How.
    client
        Of the cluster; it stays open.
    """

    def __init__(self, plan: BatchPlan, client: Client) -> None:
        self._plan, self._client = plan, client
        self._futures: dict[str, tuple[Future, FileTask]] = {}
        self._done: queue.SimpleQueue[str] = queue.SimpleQueue()
        self._run = f"{time.time_ns():x}"  # tasks of an earlier client are none of ours
        self._count, self._asked_at = 0, float("-inf")

    may_still_write = True

    @property
    def workers(self) -> int:
        """Threads of all workers of the cluster; 0 while there are none."""
        now = time.monotonic()
        if now - self._asked_at > _ASK_EVERY_S:
            self._asked_at = now
            with self._reachable():
                known = self._client.scheduler_info(n_workers=-1)["workers"].values()
            self._count = sum(int(worker["nthreads"]) for worker in known)
        return self._count

    @property
    def room(self) -> int:
        """How many more tasks are wanted now."""
        return max(self.workers * _AHEAD, _LEAST) - len(self._futures)

    @property
    def in_flight(self) -> int:
        """Tasks that were submitted and are not done."""
        return len(self._futures)

    def submit(self, task: FileTask) -> None:
        """Have a file judged."""
        key = f"doorzicht-{self._run}-{task.name}"
        with self._reachable():
            future = self._client.submit(judge_here, task, self._plan, key=key, pure=False)
        self._futures[key] = (future, task)
        future.add_done_callback(lambda ended: self._done.put(ended.key))

    def wait(self, timeout_s: float) -> list[Done]:
        """Return what was done since the last call; wait for something if there is nothing.

        Raises
        ------
        SchedulerGoneError
            If the scheduler ended: what is done is kept.
        """
        keys = []
        try:
            keys.append(self._done.get(timeout=timeout_s))
            while True:
                keys.append(self._done.get_nowait())
        except queue.Empty:
            pass
        if not self._is_there:
            raise self._gone()
        results = []
        for key in keys:
            future, task = self._futures.pop(key)
            if future.status in ("cancelled", "lost"):
                raise self._gone()
            results.append(self._result(future, task))
            future.release()
        return results

    def close(self) -> None:
        """Take back what was submitted; a file under work may still get its row."""
        futures = [future for future, _task in self._futures.values()]
        self._futures.clear()
        if self._client.status == "running":
            self._client.cancel(futures)

    def _result(self, future: Future, task: FileTask) -> Done:
        if future.status == "finished":
            done: Done = future.result()
            return done
        error = future.exception()
        if isinstance(error, OSError | ToolkitError) and not _is_killed(error):
            raise error
        reason = Message(
            "failed",
            "The workers of the cluster that judged it ended: {why}",
            {"why": f"{type(error).__name__}: {error}"[:300]},
        )
        row = give_up(task, self._plan, "failed", self._plan.retries + 1, reason)
        return Done(task, row)

    @property
    def _is_there(self) -> bool:
        return self._client.status in ("running", "newly-created")

    @contextmanager
    def _reachable(self) -> Iterator[None]:
        """Say that the scheduler is gone, whatever the library makes of it."""
        try:
            yield
        except Exception as error:
            if self._is_there and not isinstance(error, OSError):
                raise
            raise self._gone() from error

    def _gone(self) -> SchedulerGoneError:
        address = str(getattr(self._client.scheduler, "addr", None) or "")
        remedy = "Start it again and give the same command: it goes on where it stopped."
        return SchedulerGoneError("the Dask scheduler is gone", address, remedy)


def _is_killed(error: BaseException) -> bool:
    return type(error).__name__ in ("KilledWorker", "CancelledError")


_local = threading.local()


def judge_here(task: FileTask, plan: BatchPlan) -> Done:
    """Judge a file in this computer's worker process; what a Dask worker runs."""
    kept: tuple[BatchPlan, WorkerProcess] | None = getattr(_local, "kept", None)
    if kept is None or kept[0] != plan:
        if kept is not None:
            kept[1].close()
        kept = (plan, WorkerProcess(plan, threads=1))
        _local.kept = kept
    return kept[1].judge(task)
