"""Files that are written completely or not at all, and JSON that is read without trust."""

from __future__ import annotations

import json
import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NoReturn

DIGITS_MAX = 20
"""Most digits of a whole number in a file: 64 bits have no more, and a float not many more."""


@contextmanager
def atomic_path(path: Path | str) -> Iterator[Path]:
    """Give a temporary path beside `path`; what is written there replaces `path` at the end.

    The temporary file exists and is empty. On any exception it is removed and `path` stays as
    it was.

    Yields
    ------
    Path
        Temporary file in the same folder, so that the replacement is one step.

    Raises
    ------
    OSError
        If the folder is missing, read-only or full.
    """
    target = Path(path)
    temporary = target.parent / f".{secrets.token_hex(8)}.part"
    # os.open instead of tempfile: the file gets the permissions any new file would get.
    os.close(os.open(temporary, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o666))
    try:
        yield temporary
        with temporary.open("rb+") as file:
            os.fsync(file.fileno())
        temporary.replace(target)
    except BaseException as error:
        temporary.unlink(missing_ok=True)
        if isinstance(error, OSError) and error.errno and not error.filename:
            error.filename = str(target)  # a full disk does not say which file it was
        raise
    sync_folder(target.parent)


def atomic_write(path: Path | str, data: bytes | str) -> None:
    """Write `data` (text as UTF-8) to `path`: complete, or not at all.

    Raises
    ------
    OSError
        If the folder is missing, read-only or full; `path` is then unchanged.

    Examples
    --------
    >>> import tempfile
    >>> folder = tempfile.mkdtemp()
    >>> atomic_write(Path(folder, "note.txt"), "seen")
    >>> [p.name for p in Path(folder).iterdir()]
    ['note.txt']
    """
    with atomic_path(path) as temporary:
        # half a character, of a broken name, is written as its escape: no text may stop the writing
        temporary.write_bytes(
            data.encode("utf-8", "backslashreplace") if isinstance(data, str) else data
        )


def sync_folder(folder: Path) -> None:
    """Make the new name survive a power cut, where the system can."""
    if os.name != "posix":
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def parse_json(text: str | bytes | bytearray) -> Any:
    """Return the value of a JSON text that somebody else may have written.

    Raises
    ------
    ValueError
        If it is no JSON, is nested deeper than can be read, or holds what JSON has no number for.

    Examples
    --------
    >>> parse_json('{"a": [1, 2.5]}')
    {'a': [1, 2.5]}
    >>> parse_json("[" * 100_000)
    Traceback (most recent call last):
    ...
    ValueError: nested too deep
    """
    try:
        return json.loads(text, parse_int=_whole, parse_constant=_refuse_constant)
    except RecursionError:
        msg = "nested too deep"
        raise ValueError(msg) from None


def _whole(digits: str) -> int:
    if len(digits.lstrip("-")) > DIGITS_MAX:
        msg = f"a number of {len(digits)} digits"
        raise ValueError(msg)
    return int(digits)


def _refuse_constant(name: str) -> NoReturn:
    msg = f"{name} is no number of JSON"
    raise ValueError(msg)
