"""The log of a case: one JSON object a line, each with the hash of the line before.

The chain proves order and content only as far as its last hash, the head, is also known elsewhere:
it is printed in every report and can be signed. A line is written in one go and synced; one that a
power cut tore is no entry, and is set aside, never dropped.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from toolkit._i18n import _
from toolkit.errors import ToolkitError
from toolkit.files import atomic_write
from toolkit.media.provenance import printable
from toolkit.messages import phrase

SCHEMA = "doorzicht.log/1"
ZERO = "0" * 64
"""What the first line gives as the hash of the line before."""

_KEYS = {"schema", "n", "prev", "utc", "event", "facts", "files"}
_SHA256 = re.compile(r"[0-9a-f]{64}")


class IntegrityError(ToolkitError, RuntimeError):
    """Evidence, or the log that vouches for it, is not what it was."""


@dataclass(frozen=True)
class LogEntry:
    """One step.

    Attributes
    ----------
    n, prev, utc, event
        Number from 1, hash of the line before, time, and the word for what was done.
    facts
        Its parameters: plain values.
    files
        SHA-256 of each file that it made, by path within the case.
    sha256
        Hash of this line.
    """

    n: int
    prev: str
    utc: str
    event: str
    facts: dict[str, Any]
    files: dict[str, str]
    sha256: str


@dataclass(frozen=True)
class Problem:
    """One difference: where, and what, in the language in use when it was found."""

    where: str
    what: str

    def __str__(self) -> str:
        return f"{printable(self.where)}: {self.what}"  # names may come from a stranger


@dataclass(frozen=True)
class LogReading:
    """A log as it was found.

    Attributes
    ----------
    entries
        Up to the first line that cannot be read.
    problems
        Everything that breaks the chain; empty = it holds in itself.
    torn
        An unfinished last line.
    """

    entries: tuple[LogEntry, ...]
    problems: tuple[Problem, ...]
    torn: bytes

    @property
    def head(self) -> str:
        """Hash of the last entry."""
        return self.entries[-1].sha256 if self.entries else ZERO


def utc_now() -> str:
    """Return the time, to the second."""
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())


def read(path: Path) -> LogReading:
    """Read a log and check that each line follows from the one before."""
    return parse(path.read_bytes(), path.name)


def parse(data: bytes, name: str = "log.jsonl") -> LogReading:
    """Read the content of a log."""
    whole, end, torn = data.rpartition(b"\n")
    entries: list[LogEntry] = []
    problems: list[Problem] = []
    head = ZERO
    for number, line in enumerate(whole.split(b"\n") if end else [], 1):
        where = _("{name} line {n}").format(name=name, n=number)
        entry = _entry(line)
        if entry is None:
            problems.append(Problem(where, _("cannot be read")))
            break
        if entry.prev != head:
            problems.append(
                Problem(where, _("does not follow from the line before: altered, moved or missing"))
            )
        elif entry.n != number:
            problems.append(Problem(where, _("has the number {n}").format(n=entry.n)))
        entries.append(entry)
        head = entry.sha256
    return LogReading(tuple(entries), tuple(problems), torn)


def _entry(line: bytes) -> LogEntry | None:
    try:
        entry = json.loads(line)
        if set(entry) != _KEYS or entry["schema"] != SCHEMA or _line(entry) != line:
            return None
        fits = (
            type(entry["n"]) is int
            and all(type(entry[key]) is str for key in ("prev", "utc", "event"))
            and type(entry["facts"]) is dict
            and type(entry["files"]) is dict
            and all(_is_sha256(v) and is_inside(k) for k, v in entry["files"].items())
        )
    except (ValueError, TypeError, KeyError, RecursionError):
        return None
    if not fits:
        return None
    values = {key: entry[key] for key in ("n", "prev", "utc", "event", "facts", "files")}
    return LogEntry(**values, sha256=hashlib.sha256(line).hexdigest())


def _is_sha256(value: object) -> bool:
    return isinstance(value, str) and _SHA256.fullmatch(value) is not None


def is_inside(path: str) -> bool:
    """Tell whether a path stays within the case: a log is only trusted after this."""
    parts = path.split("/")
    return "\\" not in path and ":" not in path and not {"", ".", ".."} & set(parts)


def _line(entry: Mapping[str, Any]) -> bytes:
    """Return the one way in which an entry is written."""
    return json.dumps(entry, sort_keys=True, ensure_ascii=True, allow_nan=False).encode()


def append(
    path: Path,
    event: str,
    *,
    facts: Mapping[str, Any] | None = None,
    files: Mapping[str, str] | None = None,
) -> LogEntry:
    """Add an entry; when this returns it is on disk.

    Whoever calls holds the lock of the case.

    Raises
    ------
    IntegrityError
        If the chain is broken or the last line torn: nothing is added to a log that lies.
    OSError
        If it cannot be written.
    """
    reading = read(path) if path.exists() else LogReading((), (), b"")
    if reading.problems or reading.torn:
        what = str(reading.problems[0]) if reading.problems else phrase("the last line is torn")
        raise IntegrityError("the log is not in order", what, "Run `python -m toolkit verify`.")
    line = _line(
        {
            "schema": SCHEMA,
            "n": len(reading.entries) + 1,
            "prev": reading.head,
            "utc": utc_now(),
            "event": event,
            "facts": dict(facts or {}),
            "files": dict(files or {}),
        }
    )
    entry = _entry(line)
    assert entry is not None, "facts are plain values, files lie within the case"
    if not path.exists():  # the first line makes the file: it appears whole
        atomic_write(path, line + b"\n")
        return entry
    with path.open("ab") as file:
        file.write(line + b"\n")
        file.flush()
        os.fsync(file.fileno())
    return entry


def without_torn_line(path: Path) -> bytes:
    """Take an unfinished last line off a log and return it; empty = there is none."""
    reading = read(path)
    if reading.torn:
        with path.open("rb+") as file:
            file.truncate(path.stat().st_size - len(reading.torn))
            os.fsync(file.fileno())
    return reading.torn
