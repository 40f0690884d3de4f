"""A worker process as its owner sees it: started when needed, timed, replaced when it dies."""

from __future__ import annotations

import contextlib
import json
import os
import queue
import signal
import subprocess
import sys
import tempfile
import threading
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import IO, Any

import toolkit
from toolkit import errors
from toolkit.batch.journal import Journal, Row, Status, empty_row
from toolkit.batch.plan import BatchPlan, FileTask, key_of
from toolkit.errors import ToolkitError
from toolkit.messages import Message, phrase
from toolkit.runtime import THREADS_VARIABLE

START_S = 300.0
"""Longest time in which a process starts."""

_TAIL = 300
"""Characters of what a dead worker last said."""


@dataclass(frozen=True)
class Done:
    """What came of a task.

    Attributes
    ----------
    task
        The file.
    row
        Its row; None where nothing can be judged at all.
    is_new
        Whether it was judged now, and not known before.
    stop
        Why nothing can be judged, as the worker told it.
    """

    task: FileTask
    row: Row | None
    is_new: bool = True
    stop: tuple[str, list[Any]] | None = None

    def check(self) -> None:
        """Raise what makes the whole batch impossible.

        Raises
        ------
        ToolkitError, OSError
            A missing model, a device that is not there, a full disk.
        """
        if self.stop is None:
            return
        raise error_from(*self.stop)


def error_from(name: str, parts: list[Any]) -> ToolkitError | OSError:
    """Return the error that a worker told: its class, and what it was made of."""
    kind = getattr(errors, name, None)
    if isinstance(kind, type) and issubclass(kind, errors.Cancelled):
        return kind()
    if isinstance(kind, type) and issubclass(kind, ToolkitError):
        return kind(*(p if isinstance(p, str) else Message.from_plain(p) for p in parts))
    return OSError(*parts)


class WorkerProcess:
    """One process that judges files, one at a time; its owner is one thread.

    Parameters
    ----------
    plan
        How.
    threads
        Of torch in the process; None = as the environment says.
    """

    def __init__(self, plan: BatchPlan, *, threads: int | None = None) -> None:
        self._plan, self._threads = plan, threads
        self._process: subprocess.Popen[str] | None = None
        self._answers: queue.SimpleQueue[str | None] = queue.SimpleQueue()
        self._log: IO[str] | None = None
        self._last_words = ""
        self._closed = threading.Event()

    @property
    def pid(self) -> int | None:
        """Number of the process, or None where none runs."""
        process = self._process
        return None if process is None else process.pid

    def judge(self, task: FileTask) -> Done:
        """Return what came of a file, after as many attempts as the plan allows.

        A process that dies is replaced. A file that takes too long is not tried again: it would
        take as long.
        """
        why = ""
        for attempt in range(1, self._plan.retries + 2):
            answer, why = self._ask(task)
            if self._closed.is_set():
                return Done(task, None)
            if answer is None and why == "":
                return Done(task, self._give_up(task, "timed_out", attempt, ""))
            if answer is None and (row := self._written(task, attempt)) is not None:
                return Done(task, row)
            if answer is None:
                continue
            if "stop" in answer:
                return Done(task, None, stop=(answer["stop"][0], answer["stop"][1]))
            if "row" in answer:
                return Done(task, {**answer["row"], "attempts": attempt}, bool(answer["is_new"]))
            why = answer["failed"]
        return Done(task, self._give_up(task, "failed", self._plan.retries + 1, why))

    def close(self) -> None:
        """End the process, also in the middle of its work. Safe from any thread."""
        self._closed.set()
        self._kill()

    # -- one attempt

    def _ask(self, task: FileTask) -> tuple[dict[str, Any] | None, str]:
        """Return the answer; else None and why the process died, empty where it took too long."""
        try:
            process = self._started()
            assert process.stdin is not None
            process.stdin.write(json.dumps(asdict(task)) + "\n")
            process.stdin.flush()
            line = self._answers.get(timeout=self._plan.timeout_s)
        except queue.Empty:
            self._kill()
            return None, ""
        except OSError:  # it is gone
            line = None
        if line is not None:
            with contextlib.suppress(ValueError):
                return json.loads(line), ""
        code = self._kill()
        return None, self._obituary(code)

    def _started(self) -> subprocess.Popen[str]:
        if self._process is not None:
            return self._process
        self._answers = queue.SimpleQueue()
        log = tempfile.TemporaryFile("w+", encoding="utf-8", errors="replace")  # noqa: SIM115 - until it dies
        self._log, self._last_words = log, ""
        root = os.fspath(Path(toolkit.__file__).resolve().parents[1])
        environment = {**os.environ, "PYTHONIOENCODING": "utf-8"}
        paths = [root, *environment.get("PYTHONPATH", "").split(os.pathsep)]
        environment["PYTHONPATH"] = os.pathsep.join(p for p in paths if p)
        if self._threads is not None:
            environment.setdefault(THREADS_VARIABLE, str(self._threads))
        # -P: what lies in the folder that happens to be the present one is not imported
        process = subprocess.Popen(
            [sys.executable, "-P", "-m", "toolkit.batch.worker"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=log,
            text=True,
            encoding="utf-8",
            env=environment,
            start_new_session=os.name == "posix",  # Ctrl+C is for us; and all of it can be ended
        )
        threading.Thread(target=_drain, args=(process, self._answers), daemon=True).start()
        self._process = process
        if self._closed.is_set():
            self._kill()
            return process
        assert process.stdin is not None
        process.stdin.write(json.dumps(asdict(self._plan)) + "\n")
        process.stdin.flush()
        with contextlib.suppress(queue.Empty):
            if self._answers.get(timeout=START_S) is not None:
                return process
        raise BrokenPipeError  # it died, or is stuck, before it could begin

    def _kill(self) -> int | None:
        """End the process and its children; return its exit code, None where none ran."""
        process, self._process = self._process, None
        if process is None:
            return None
        if os.name == "posix":
            with contextlib.suppress(OSError):
                os.killpg(process.pid, signal.SIGKILL)
        with contextlib.suppress(OSError):
            process.kill()
        code = process.wait()
        self._answers.put(None)  # wakes who waits for the answer of a process that was closed
        if process.stdin is not None:
            with contextlib.suppress(OSError):
                process.stdin.close()
        if self._log is not None:
            with self._log as log:
                log.seek(0)
                self._last_words = " ".join(log.read()[-_TAIL:].split())
            self._log = None
        return code

    def _obituary(self, code: int | None) -> str:
        return f"exit {code}: {self._last_words}" if self._last_words else f"exit {code}"

    # -- rows that the process could not write

    def _written(self, task: FileTask, attempt: int) -> Row | None:
        """Return the row that a process wrote before it died, without having told it."""
        row = _row_of(task, self._plan)
        return None if row is None else {**row, "attempts": attempt}

    def _give_up(self, task: FileTask, status: Status, attempts: int, why: str) -> Row:
        if status == "timed_out":
            seconds = self._plan.timeout_s or 0.0
            reason = Message("timed_out", "It took longer than {n:.0f} s.", {"n": seconds})
        else:
            reason = Message(
                "failed",
                "It could not be judged in {n} attempts: {why}",
                {"n": attempts, "why": why or phrase("the process ended")},
            )
        return give_up(task, self._plan, status, attempts, reason)


def give_up(task: FileTask, plan: BatchPlan, status: Status, attempts: int, reason: Message) -> Row:
    """Write and return the row of a file that has no result; an older result of it stays."""
    row = _row_of(task, plan)
    if row is not None:
        return row
    row = empty_row(task, _digest(task)) | {
        "status": status,
        "reason": str(reason),
        "reason_code": reason.code,
        "message": reason.to_plain(),
        "attempts": attempts,
        "seconds": plan.timeout_s if status == "timed_out" else None,
    }
    Journal(plan.folder).write(row)
    return row


def _row_of(task: FileTask, plan: BatchPlan) -> Row | None:
    row = Journal(plan.folder).read(key_of(task.path, _digest(task)))
    return row if row is not None and row["status"] in ("analysed", "refused") else None


def _digest(task: FileTask) -> str | None:
    from toolkit.analysis import cached

    return cached.digest(Path(task.path))


def _drain(process: subprocess.Popen[str], answers: queue.SimpleQueue[str | None]) -> None:
    assert process.stdout is not None
    with process.stdout, contextlib.suppress(ValueError, OSError):
        for line in process.stdout:
            answers.put(line)
    answers.put(None)


def default_workers() -> int:
    """Return how many processes fit: one per core, as long as there is memory for each."""
    import psutil

    try:
        cores = len(os.sched_getaffinity(0))
    except AttributeError:  # not on macOS and Windows
        cores = os.cpu_count() or 1
    room = int(psutil.virtual_memory().available // WORKER_BYTES)
    return max(1, min(cores, room))


WORKER_BYTES = 3 << 29
"""Memory of one worker with the large network: 1.5 GB, with some room."""
