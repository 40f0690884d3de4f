"""Read lists as people and their office programs write them."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from pathlib import Path

from toolkit.errors import UsageError
from toolkit.messages import Message, phrase

BYTES_MAX = 64 << 20
"""Largest list: more than a million rows."""
SEPARATORS = (",", ";", "\t")
_BOMS = ((b"\xef\xbb\xbf", "utf-8"), (b"\xff\xfe", "utf-16"), (b"\xfe\xff", "utf-16"))


def read_table(path: Path, columns: Sequence[str], *, what: Message) -> list[dict[str, str]]:
    """Read a table with a header row: comma, semicolon or tab; UTF-8, UTF-16 or Windows-1252.

    Office programs write a list as the language of the system has it; nobody is asked which.

    Parameters
    ----------
    path
        Text file with one row a line.
    columns
        Those that must be there, and be filled in every row.
    what
        The list in words, for messages: ``phrase("list of clips")``.

    Returns
    -------
    list of dict
        Rows by column; a cell that is not there is ``""``. Empty rows are left out.

    Raises
    ------
    UsageError
        If it cannot be read, is empty, or lacks a column or a value; the message names the line.
    """
    try:
        if path.is_file() and path.stat().st_size > BYTES_MAX:
            raise UsageError("the {what} is too large", str(path), "Is it a list?", what=what)
        data = path.read_bytes()
    except OSError as error:
        raise UsageError(
            "the {what} cannot be read", str(path), "Check the path.", what=what
        ) from error
    text = _decoded(data, path, what)
    first, _, rest = text.partition("\n")
    if first.strip().lower().startswith("sep="):  # Excel's own way to name the separator
        separator, text = first.strip()[4:5] or "\t", rest
    else:
        separator = max(SEPARATORS, key=first.count)
    try:
        table = list(csv.reader(io.StringIO(text, newline=""), delimiter=separator, strict=True))
    except csv.Error as error:
        where = f"{path}: {error}"
        raise UsageError("the {what} is no table", where, "Save it as CSV.", what=what) from error
    header = [name.strip() for name in table[0]] if table else []
    body = [(n, cells) for n, cells in enumerate(table[1:], 2) if any(c.strip() for c in cells)]
    if not body:
        raise UsageError("the {what} is empty", str(path), "Give at least one row.", what=what)
    if missing := [name for name in columns if name not in header]:
        value = phrase(
            "{missing} (there are: {header})",
            missing=", ".join(missing),
            header=", ".join(header)[:200],
        )
        remedy = "Add it; columns are separated by a comma, semicolon or tab."
        raise UsageError("the {what} lacks a column", value, remedy, what=what)
    rows = []
    for number, cells in body:
        row = dict.fromkeys(header, "") | dict(zip(header, cells, strict=False))
        if unfilled := [name for name in columns if not row[name].strip()]:
            value = phrase("{columns} in line {line}", columns=", ".join(unfilled), line=number)
            raise UsageError("a value is missing in the {what}", value, "Fill it in.", what=what)
        rows.append(row)
    return rows


def _decoded(data: bytes, path: Path, what: Message) -> str:
    for mark, encoding in _BOMS:
        if data.startswith(mark):
            try:
                return data.decode(encoding).removeprefix("\ufeff")
            except UnicodeDecodeError as error:
                raise _not_text(path, what) from error
    if b"\0" in data:
        raise _not_text(path, what)
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError:
        # What is not UTF-8 was written by a Western Windows; its five unused bytes are kept apart.
        return data.decode("cp1252", errors="replace")


def _not_text(path: Path, what: Message) -> UsageError:
    remedy = "Save it as CSV, in UTF-8."
    cause = "the encoding of the {what} is unknown, or it is no text"
    return UsageError(cause, str(path), remedy, what=what)
