"""One process at a time works on a case.

The system's own lock on an open file: it ends with the process that holds it, however that ends, so
a lock is never left behind. What is left is the name of the process that did not end well.
"""

from __future__ import annotations

import json
import os
import socket
from pathlib import Path
from types import TracebackType
from typing import Any

from toolkit._i18n import N_
from toolkit.casework.log import utc_now
from toolkit.errors import ToolkitError
from toolkit.files import parse_json
from toolkit.messages import phrase

NAME = ".lock"
_BYTE = 1 << 30  # locked far behind the text, so that others can read who holds it
_TEXT_MAX = 4096
ON_A_CASE = N_("another process works on this case")


class BusyError(ToolkitError, OSError):
    """Another process works on this case."""

    __str__ = ToolkitError.__str__  # OSError would print a tuple


class Lock:
    """The lock of a case, held within a ``with`` block.

    Parameters
    ----------
    folder
        The case.
    command
        What is being done, for whoever finds it locked.
    cause
        What is wrong where another process holds it: a template of the catalogue.

    Attributes
    ----------
    left_by
        What an earlier process wrote that ended without giving the lock back, or None.
    """

    def __init__(self, folder: Path, command: str, *, cause: str = ON_A_CASE) -> None:
        self._path, self._command, self._cause = folder / NAME, command, cause
        self._file = -1
        self.left_by: dict[str, Any] | None = None

    def __enter__(self) -> Lock:
        self._file = os.open(
            self._path, os.O_RDWR | os.O_CREAT | getattr(os, "O_CLOEXEC", 0), 0o600
        )
        try:
            _take(self._file)
        except OSError as error:
            text = os.read(self._file, _TEXT_MAX)
            os.close(self._file)
            raise _busy(text, self._cause) from error
        before = os.read(self._file, _TEXT_MAX)
        self.left_by = _holder(before) or ({"unreadable": True} if before.strip() else None)
        mine = {
            "pid": os.getpid(),
            "host": socket.gethostname(),
            "command": self._command,
            "utc": utc_now(),
        }
        self._write(json.dumps(mine).encode())
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._write(b"")
        os.close(self._file)  # which gives the lock back

    def _write(self, text: bytes) -> None:
        os.ftruncate(self._file, 0)
        os.lseek(self._file, 0, os.SEEK_SET)
        os.write(self._file, text)


def refuse_if_held(folder: Path) -> None:
    """Refuse to look at a case that is being worked on; write nothing.

    Raises
    ------
    BusyError
        If another process holds the lock. Not on Windows, where asking would mean taking it.
    """
    if os.name == "nt":
        return
    import fcntl

    try:
        file = os.open(folder / NAME, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK)
    except OSError:
        return
    try:
        fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except OSError as error:
        raise _busy(os.read(file, _TEXT_MAX)) from error
    finally:
        os.close(file)


def _busy(text: bytes, cause: str = ON_A_CASE) -> BusyError:
    held = _holder(text) or {}
    who = phrase(
        "process {pid}, {command}",
        pid=str(held.get("pid", "?")),
        command=str(held.get("command", "?")),
    )
    return BusyError(cause, who, "Wait for it to end, then try again.")


def _take(file: int) -> None:
    if os.name == "nt":
        import msvcrt

        os.lseek(file, _BYTE, os.SEEK_SET)
        msvcrt.locking(file, msvcrt.LK_NBLCK, 1)  # type: ignore[attr-defined,unused-ignore]
        os.lseek(file, 0, os.SEEK_SET)
    else:
        import fcntl

        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)


def _holder(text: bytes) -> dict[str, Any] | None:
    try:
        holder = parse_json(text)
    except ValueError:
        return None
    if not isinstance(holder, dict):
        return None
    return {
        k: holder[k]
        for k in ("pid", "host", "command", "utc")
        if isinstance(holder.get(k), str | int)
    }
