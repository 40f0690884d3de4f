"""Many workers on this computer: plain processes, each led by a thread."""

from __future__ import annotations

import queue
import threading

from toolkit.batch.plan import BatchPlan, FileTask
from toolkit.batch.process import Done, WorkerProcess

_AHEAD = 2
"""Tasks per worker that may wait: few, so that a file that is found late is not last."""


class LocalWorkers:
    """Judges files in processes on this computer.

    Parameters
    ----------
    plan
        How.
    workers
        How many processes.
    """

    def __init__(self, plan: BatchPlan, workers: int) -> None:
        self.workers = workers
        self._tasks: queue.SimpleQueue[FileTask | None] = queue.SimpleQueue()
        self._done: queue.SimpleQueue[Done | BaseException] = queue.SimpleQueue()
        self._in_flight = 0
        # one thread each, where several share the cores: the answers are the same to the last bit
        threads = 1 if workers > 1 else None
        self._processes = [WorkerProcess(plan, threads=threads) for _ in range(workers)]
        self._threads = [
            threading.Thread(target=self._lead, args=(process,), daemon=True)
            for process in self._processes
        ]
        for thread in self._threads:
            thread.start()

    may_still_write = False

    @property
    def room(self) -> int:
        """How many more tasks are wanted now."""
        return self.workers * _AHEAD - self._in_flight

    @property
    def in_flight(self) -> int:
        """Tasks that were submitted and are not done."""
        return self._in_flight

    @property
    def pids(self) -> list[int]:
        """Numbers of the processes that run."""
        return [p.pid for p in self._processes if p.pid is not None]

    def submit(self, task: FileTask) -> None:
        """Have a file judged."""
        self._in_flight += 1
        self._tasks.put(task)

    def wait(self, timeout_s: float) -> list[Done]:
        """Return what was done since the last call; wait for something if there is nothing."""
        finished = []
        try:
            finished.append(self._done.get(timeout=timeout_s))
            while True:
                finished.append(self._done.get_nowait())
        except queue.Empty:
            pass
        self._in_flight -= len(finished)
        results = []
        for one in finished:
            if isinstance(one, BaseException):
                raise one
            results.append(one)
        return results

    def close(self) -> None:
        """End all processes, also in the middle of their work."""
        for process in self._processes:
            self._tasks.put(None)
            process.close()
        for thread in self._threads:
            thread.join()

    def _lead(self, process: WorkerProcess) -> None:
        while (task := self._tasks.get()) is not None:
            try:
                self._done.put(process.judge(task))
            except BaseException as error:  # noqa: BLE001 - whoever waits for the result raises it
                self._done.put(error)
