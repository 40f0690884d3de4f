"""Decoders that start in a moment, for those who read thousands of files."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from toolkit.media import video

_SERVER = Path(__file__).with_name("decoder_server.py")
CAN_FORK = sys.platform == "linux"
"""Elsewhere a process that has loaded libraries is not safe to copy."""
POLL_S = 0.001


class _Forked:
    """A decoder's process, with what is asked of it."""

    def __init__(self, server: _Server, pid: int, stdin: IO[bytes], stdout: IO[bytes]) -> None:
        self.stdin: IO[bytes] | None = stdin
        self.stdout: IO[bytes] | None = stdout
        self._server, self._pid = server, pid
        self._status: int | None = None
        self._lock = threading.Lock()

    def kill(self) -> None:
        with self._lock:
            if self._status is None:  # it is not reaped yet: nobody else has its number
                os.kill(self._pid, signal.SIGKILL)

    def wait(self, timeout: float | None = None) -> int:
        until = None if timeout is None else time.monotonic() + timeout
        while self._status is None:
            with self._lock:  # once the server has reaped it the number may be another's
                self._status = self._server.ask({"ended": self._pid})
            if self._status is None:
                if until is not None and time.monotonic() > until:
                    raise subprocess.TimeoutExpired("decoder", timeout or 0)
                time.sleep(POLL_S)
        return self._status


class _Server:
    def __init__(self) -> None:
        self._line, other = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._script = video._DECODER  # noqa: SLF001 - the very program that is tried
        number = other.fileno()
        self._process = subprocess.Popen(
            [sys.executable, "-I", str(_SERVER), str(self._script), str(number)],
            stdin=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            pass_fds=[number],
            env={"OPENBLAS_NUM_THREADS": "1"},
        )
        other.close()
        self._turn = threading.Lock()
        self.pid = self._process.pid

    def ask(self, request: dict[str, object], descriptors: tuple[int, ...] = ()) -> int | None:
        with self._turn:
            socket.send_fds(self._line, [json.dumps(request).encode()], descriptors)
            answer: int | None = json.loads(self._line.recv(4096))
        return answer

    def start(self, script: Path, command: str, path: Path, fd: int) -> video.Process:
        """Stand in for `video.start_decoder`."""
        if script != self._script:
            return START(script, command, path, fd)
        (source, to_child), (from_child, sink) = os.pipe(), os.pipe()
        try:
            pid = self.ask({"command": command}, (fd, source, sink))
            assert pid is not None
        finally:
            os.close(source)
            os.close(sink)
        return _Forked(self, pid, os.fdopen(to_child, "wb"), os.fdopen(from_child, "rb"))

    def close(self) -> None:
        self._line.close()
        self._process.wait()


START = video.start_decoder
"""How a decoder is started as a program of its own."""


@contextmanager
def quick_decoders() -> Iterator[int | None]:
    """Have decoders start as copies of one that waits; where that is not possible, as ever.

    What a decoder does, what limits it and who ends it stay the same. Gives the number of the
    process that waits for them, which takes their processor time on itself; None without one.
    """
    if not CAN_FORK:
        yield None
        return
    server = _Server()
    try:
        video.start_decoder = server.start
        yield server.pid
    finally:
        video.start_decoder = START
        server.close()
