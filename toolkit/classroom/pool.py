"""The queue of a class, and the few processes that analyse for it.

Kernels ask through a connection on this computer: a line with their session's secret and what they
want, then lines come back until the last one. The connection *is* the place in the queue. It ends
with the kernel, however that ends, and then the place is given back.
"""

from __future__ import annotations

import contextlib
import hmac
import json
import os
import queue
import select
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import toolkit
from toolkit.batch.process import WORKER_BYTES
from toolkit.classroom.session import ClassSession
from toolkit.classroom.turns import Ticket, Turns
from toolkit.classroom.worker import CANCEL
from toolkit.errors import ToolkitError, UsageError
from toolkit.files import parse_json
from toolkit.messages import phrase
from toolkit.runtime import THREADS_VARIABLE, crowding

# -P: what lies in the folder that happens to be the present one is not imported
COMMAND = (sys.executable, "-P", "-m", "toolkit.classroom.worker")

ASKED_MAX = 4
"""Places of one session in the queue: its analysis, and questions to results before."""

CANCEL_S = 20.0
"""Longest time that an analysis may take to stop, on a computer that is not crowded."""

LONGEST_S = 1800.0
"""Longest time of one analysis: a class cannot wait longer for a single clip."""

_REQUEST_MAX = 1 << 16  # bytes of a request
_REQUEST_S = 10.0  # until it has come
_SEND_S = 30.0  # until a kernel has taken a line
_LOOK_S = 0.5  # how often it is looked whether somebody still waits
_TAIL = 300  # characters of what a dead process last said

Answer = dict[str, Any]


class AnalysisPool:
    """Answers the kernels of a class, a few at once and the others in the order of asking.

    Parameters
    ----------
    workers
        How many analyse at once.
    shared
        Folder for results of clips that anybody may open.
    command
        Starts a process that analyses.

    Attributes
    ----------
    port
        Where it listens, on this computer only.
    turns
        The queue.
    """

    def __init__(self, workers: int, shared: Path, command: Sequence[str] = COMMAND) -> None:
        self._shared = shared
        self.turns = Turns(workers)
        self._workers = [AnalysisProcess(command) for _ in range(workers)]
        self._sessions: dict[str, ClassSession] = {}
        self._asked: dict[str, int] = {}
        self._lock = threading.Lock()
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=64)
        self.port = int(self._listener.getsockname()[1])
        threading.Thread(target=self._accept, name="class-pool", daemon=True).start()

    def register(self, session: ClassSession) -> None:
        """Answer a session from now on."""
        with self._lock:
            self._sessions[session.secret] = session

    def forget(self, session: ClassSession) -> None:
        """Answer a session no more."""
        with self._lock:
            self._sessions.pop(session.secret, None)

    @property
    def pids(self) -> list[int]:
        """Numbers of the processes that analyse."""
        return [worker.pid for worker in self._workers if worker.pid is not None]

    def close(self) -> None:
        """End everything that runs."""
        with contextlib.suppress(OSError):  # closed alone, it would let one more in
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for worker in self._workers:
            worker.close()

    # -- one connection, in a thread of its own

    def _accept(self) -> None:
        while True:
            try:
                connection, _address = self._listener.accept()
            except OSError:  # closed
                return
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        with connection, contextlib.suppress(OSError):  # whoever asked is gone
            asker = _Asker(connection)
            request = asker.request()
            session = self._session_of(request)
            if session is None:
                return
            with self._lock:
                asked = self._asked.get(session.secret, 0)
                self._asked[session.secret] = asked + 1
            try:
                if asked >= ASKED_MAX:
                    raise UsageError(
                        "you wait for several answers already",
                        phrase("{n} at once", n=ASKED_MAX),
                        "Wait for one of them, or cancel it.",
                    )
                self._take_turn(asker, request, session)
            except ToolkitError as error:
                asker.send(_told(error))
            finally:
                with self._lock:
                    self._asked[session.secret] -= 1
                    if not self._asked[session.secret]:
                        del self._asked[session.secret]

    def _session_of(self, request: Any) -> ClassSession | None:
        secret = request.get("secret") if isinstance(request, dict) else None
        if not isinstance(secret, str) or not secret.isascii():
            return None
        with self._lock:
            known = list(self._sessions.values())
        return next((s for s in known if hmac.compare_digest(s.secret, secret)), None)

    def _take_turn(self, asker: _Asker, request: Answer, session: ClassSession) -> None:
        ticket = self.turns.join()
        try:
            if not self._wait(asker, ticket):
                return
            assert ticket.slot is not None
            if request.get("do") == "turn":
                check_memory(is_loaded=bool(request.get("is_loaded")))
                asker.send({"go": True})
                asker.wait_until_gone()
            else:
                line = json.dumps(self._job(request, session))
                self._workers[ticket.slot].analyse(line, asker)
        finally:
            self.turns.leave(ticket)

    def _wait(self, asker: _Asker, ticket: Ticket) -> bool:
        """Tell the place in the queue until it is a turn; return False when nobody waits."""
        told = 0
        while (place := self.turns.place(ticket)) > 0:
            if place != told:
                asker.send({"place": [place, self.turns.waiting]})
                told = place
            self.turns.wait(_LOOK_S)
            if asker.is_gone():
                return False
        asker.send({"place": [0, 0]})  # a process may take a while to start
        return True

    def _job(self, request: Answer, session: ClassSession) -> Answer:
        """Return what a process is asked; the folders are the session's, whatever was said."""
        video = Path(str(request["video"]))
        session.check(video)
        own = video.resolve().is_relative_to(session.folder.resolve())
        return {
            "video": os.fspath(video),
            "detector": str(request["detector"]),
            "sampling": dict(request["sampling"]),
            "cache": os.fspath(session.folder / "cache"),
            "shared": None if own else os.fspath(self._shared),
        }


class _Asker:
    """The other end of a connection: who asks, and whether somebody is still there."""

    def __init__(self, connection: socket.socket) -> None:
        self._connection = connection
        connection.settimeout(_REQUEST_S)

    def request(self) -> Any:
        """Return what is asked; None where it is no request."""
        data = b""
        while not data.endswith(b"\n") and len(data) < _REQUEST_MAX:
            part = self._connection.recv(_REQUEST_MAX)
            if not part:
                return None
            data += part
        self._connection.settimeout(_SEND_S)
        try:
            return parse_json(data)
        except ValueError:
            return None

    def send(self, answer: Answer) -> None:
        """Send a line; `OSError` where nobody takes it."""
        self.send_line(json.dumps(answer))

    def send_line(self, line: str) -> None:
        """Send a line as it is."""
        self._connection.sendall(line.rstrip("\n").encode() + b"\n")

    def is_gone(self, timeout_s: float = 0.0) -> bool:
        """Return whether the other end has closed; it says nothing after its request."""
        try:
            readable, _, _ = select.select([self._connection], [], [], timeout_s)
            return bool(readable) and not self._connection.recv(_REQUEST_MAX)
        except OSError:
            return True

    def wait_until_gone(self) -> None:
        """Wait until the other end has closed."""
        while not self.is_gone(60.0):
            pass


class AnalysisProcess:
    """One process that analyses, started when it is first needed and again after it died.

    Whoever holds its turn asks it, so it is asked one thing at a time.

    Parameters
    ----------
    command
        Starts it.
    """

    def __init__(self, command: Sequence[str] = COMMAND) -> None:
        self._command = command
        self._process: subprocess.Popen[str] | None = None
        self._lines: queue.SimpleQueue[str | None] = queue.SimpleQueue()
        self._is_closed = False

    @property
    def pid(self) -> int | None:
        """Number of the process; None where none runs."""
        process = self._process
        return None if process is None else process.pid

    def analyse(self, request: str, asker: _Asker) -> None:
        """Pass a request on, and each answer back, until the last; stop when nobody waits."""
        try:
            try:
                self._write(request)
                is_ended = self._pass_on(asker)
            except (_DiedSilentError, BrokenPipeError):  # since it was last asked
                self._kill()
                self._write(request)
                is_ended = self._pass_on(asker, is_new=True)
        except BaseException:
            self._kill()
            raise
        if not is_ended or self._is_large():
            self._kill()

    def close(self) -> None:
        """End the process, in the middle of its work as well. Safe from any thread."""
        self._is_closed = True
        self._kill()

    def _pass_on(self, asker: _Asker, *, is_new: bool = False) -> bool:
        """Return whether the process answered to the end, and so can be asked again.

        `_DiedSilentError` tells of one that was there before and died without an answer: not this
        request need be at fault, so a new process gets it once more.
        """
        end = time.monotonic() + LONGEST_S
        is_told, is_silent = False, True  # told that nobody waits; without an answer so far
        while True:
            with contextlib.suppress(queue.Empty):
                line = self._lines.get(timeout=_LOOK_S)
                if line is None:
                    if is_silent and not is_new and not self._is_closed:
                        raise _DiedSilentError
                    if not is_told and not self._is_closed:
                        asker.send(_told(_died()))
                    return False
                is_silent = False
                if not is_told:
                    try:
                        asker.send_line(line)
                    except OSError:
                        is_told, end = self._cancel()
                if line.startswith('{"end"'):
                    return True
                continue  # to a second look only where nothing comes
            if not is_told and asker.is_gone():
                is_told, end = self._cancel()
            if time.monotonic() > end:
                if not is_told:
                    asker.send(_told(_too_long()))
                return False

    def _cancel(self) -> tuple[bool, float]:
        """Ask the process to stop; return True, and until when it may take for that."""
        with contextlib.suppress(OSError):
            self._write(CANCEL)
        return True, time.monotonic() + CANCEL_S * crowding()

    def _write(self, line: str) -> None:
        process = self._started()
        assert process.stdin is not None
        process.stdin.write(line + "\n")
        process.stdin.flush()

    def _started(self) -> subprocess.Popen[str]:
        process = self._process
        if process is not None and process.poll() is None:
            return process
        self._kill()
        root = os.fspath(Path(toolkit.__file__).resolve().parents[1])
        paths = [root, *os.environ.get("PYTHONPATH", "").split(os.pathsep)]
        environment = {
            **os.environ,
            "PYTHONIOENCODING": "utf-8",
            "PYTHONPATH": os.pathsep.join(p for p in paths if p),
            THREADS_VARIABLE: os.environ.get(THREADS_VARIABLE, "1"),
        }
        process = subprocess.Popen(
            self._command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            encoding="utf-8",
            env=environment,
            start_new_session=os.name == "posix",  # so that its decoder can be ended with it
        )
        self._lines = queue.SimpleQueue()
        threading.Thread(target=_drain, args=(process, self._lines), daemon=True).start()
        self._process = process
        return process

    def _is_large(self) -> bool:
        """Return whether the process has grown, so that a new one should take its place."""
        import psutil

        try:
            return bool(psutil.Process(self.pid).memory_info().rss > 2 * WORKER_BYTES)
        except psutil.Error:
            return True

    def _kill(self) -> None:
        process, self._process = self._process, None
        if process is None:
            return
        if os.name == "posix":
            with contextlib.suppress(OSError):
                os.killpg(process.pid, signal.SIGKILL)
        with contextlib.suppress(OSError):
            process.kill()
        process.wait()
        if process.stdin is not None:
            with contextlib.suppress(OSError):
                process.stdin.close()


class _DiedSilentError(Exception):
    """A process died before it answered anything."""


def check_memory(*, is_loaded: bool) -> None:
    """Refuse work in a kernel that has yet to load the network while there is no room for it.

    Raises
    ------
    UsageError
        If the memory that is free does not hold another network.
    """
    import psutil

    free = psutil.virtual_memory().available
    if not is_loaded and free < WORKER_BYTES:
        raise UsageError(
            "the computer of the class has no memory left for this",
            phrase("{free:.1f} GB free", free=free / 1e9),
            "Your result stays. Ask again when others have finished.",
        )


def _died() -> ToolkitError:
    return UsageError(
        "the analysis ended unexpectedly", "", "Start it again; if it ends again, try another clip."
    )


def _too_long() -> ToolkitError:
    return UsageError(
        "this takes too long for a class",
        phrase("more than {n:.0f} minutes", n=LONGEST_S / 60),
        "Take a shorter clip.",
    )


def _told(error: ToolkitError) -> Answer:
    """Return an error as the last line of an answer."""
    parts = [p if isinstance(p, str) else p.to_plain() for p in error.parts]
    return {"end": {"error": [type(error).__name__, parts]}}


def _drain(process: subprocess.Popen[str], lines: queue.SimpleQueue[str | None]) -> None:
    assert process.stdout is not None
    with process.stdout, contextlib.suppress(ValueError, OSError):
        for line in process.stdout:
            lines.put(line)
    lines.put(None)
