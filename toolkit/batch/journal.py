"""The results on disk: one small file for each input, complete or not there at all.

A row is written last, in one step, after everything it speaks of: whatever is killed, and whenever,
a file has a row or is judged again. The name of a row follows from where the file lies and what it
holds, so two processes that judge the same file by accident write the same row, not two.

``RESULTS/batch.json`` says how the files are judged, ``rows/`` holds the rows, ``clips/`` a folder
for each report. ``results.parquet`` and ``triage.html`` are made from the rows and can be made
again from them at any time.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, Literal

from toolkit import __version__
from toolkit.batch.plan import BatchPlan, FileTask, key_of
from toolkit.casework.lock import NAME as LOCK
from toolkit.errors import UsageError
from toolkit.files import atomic_write

SCHEMA = "doorzicht.batch/1"
HEAD, ROWS, CLIPS, TABLE, PAGE = "batch.json", "rows", "clips", "results.parquet", "triage.html"

Status = Literal["analysed", "refused", "failed", "timed_out"]
STATUSES: tuple[Status, ...] = ("analysed", "refused", "failed", "timed_out")
UNFINISHED: tuple[Status, ...] = ("failed", "timed_out")
"""What may come out otherwise at another attempt."""

Row = dict[str, Any]

_NAME = re.compile(r"[0-9a-f]{32}\.json")
_PART = re.compile(r"\.[0-9a-f]{16}\.part")


class Journal:
    """The rows of a folder of results.

    Parameters
    ----------
    folder
        RESULTS; made by `begin`.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def __repr__(self) -> str:
        return f"Journal({str(self.folder)!r})"

    def check(self) -> None:
        """Make sure that nobody else's folder is taken for one of results; write nothing.

        Raises
        ------
        UsageError
            If it is no folder, or holds something else.
        """
        if not self.folder.exists() or self.head() is not None:
            return
        if not self.folder.is_dir():
            raise UsageError("this is not a folder", str(self.folder), "Name a folder.")
        if any(path.name != LOCK for path in self.folder.iterdir()):
            remedy = "Name a new folder."
            raise UsageError("this folder holds something else", str(self.folder), remedy)

    def begin(self, plan: BatchPlan, weights: Any) -> None:
        """Begin a folder of results, or make sure that these were made in the same way.

        Parameters
        ----------
        plan
            How the files are judged.
        weights
            Plain values that tell the detector's weights from all others.

        Raises
        ------
        UsageError
            If they were made with other settings or weights: logits of two detectors in one table
            would be compared with each other.
        OSError
            If it cannot be written.
        """
        head = {"schema": SCHEMA, "settings": plan.settings(), "weights": weights}
        head = json.loads(json.dumps(head))  # as it is read again
        before = self.head()
        if before is None:
            (self.folder / ROWS).mkdir(parents=True, exist_ok=True)
            text = json.dumps({**head, "toolkit": __version__}, indent=1)
            atomic_write(self.folder / HEAD, text + "\n")
            return
        for part in ("schema", "settings", "weights"):
            if before.get(part) != head[part]:
                raise UsageError(
                    "these results were made with other settings or another detector",
                    str(self.folder),
                    "Name another folder, or use the same options as before.",
                )

    def head(self) -> dict[str, Any] | None:
        """Return how the files were judged; None where the folder holds no results."""
        try:
            content = json.loads((self.folder / HEAD).read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return None
        is_head = isinstance(content, dict) and content.get("schema") == SCHEMA
        return content if is_head else None

    # -- rows

    def path_of(self, key: str) -> Path:
        """Return where the row of a key lies."""
        return self.folder / ROWS / key[:2] / f"{key}.json"

    def read(self, key: str) -> Row | None:
        """Return the row of a key, or None."""
        return _read(self.path_of(key))

    def write(self, row: Row) -> None:
        """Keep a row, in one step; an unreadable file's row goes once the file could be read."""
        path = self.path_of(row["key"])
        path.parent.mkdir(parents=True, exist_ok=True)
        atomic_write(path, json.dumps(row, allow_nan=False) + "\n")
        if row["sha256"] is not None:
            self.path_of(key_of(row["path"], None)).unlink(missing_ok=True)

    def rows(self) -> Iterator[Row]:
        """Yield every row, in no particular order."""
        for folder in sorted(_entries(self.folder / ROWS)):
            for path in _entries(folder):
                if _NAME.fullmatch(path.name) and (row := _read(path)) is not None:
                    yield row

    def clear_parts(self) -> None:
        """Remove what killed processes left half written. Only while nobody else is at work."""
        for folder, _folders, names in os.walk(self.folder):
            for name in names:
                if _PART.fullmatch(name):
                    with contextlib.suppress(OSError):
                        Path(folder, name).unlink()


def facts_of(path: str) -> dict[str, int | None]:
    """Return size and time of a file, by which it is known to be unchanged; None for neither."""
    try:
        facts = Path(path).lstat()
    except (OSError, ValueError):
        return {"bytes": None, "changed_ns": None}
    return {"bytes": facts.st_size, "changed_ns": facts.st_mtime_ns}


def empty_row(task: FileTask, sha256: str | None) -> Row:
    """Return the row of a file that nothing is known of yet."""
    return {
        "key": key_of(task.path, sha256),
        "path": task.path,
        "sha256": sha256,
        **facts_of(task.path),
        "source": task.source,
        "status": None,
        "reason": None,
        "reason_code": None,
        "message": None,
        "person": None,
        "persons": None,
        "logit": None,
        "threshold": None,
        "forged": None,
        "abstained": None,
        "duration_s": None,
        "width": None,
        "height": None,
        "codec": None,
        "moments": None,
        "face_px": None,
        "sharpness": None,
        "report": None,
        "seconds": None,
        "saved_s": 0.0,
        "attempts": 1,
    }


class KnownRow:
    """Which inputs have a row already.

    Parameters
    ----------
    rows
        All rows of the journal.
    again
        Whether files that failed or took too long count as new.
    """

    def __init__(self, rows: Iterable[Row], *, again: bool = False) -> None:
        self.by_key: dict[str, Row] = {}
        self._by_path: dict[str, list[Row]] = {}
        self._again = again
        for row in rows:
            self.add(row)

    def add(self, row: Row) -> None:
        """Take in a row; it takes the place of one with the same key."""
        others = [r for r in self._by_path.get(row["path"], ()) if r["key"] != row["key"]]
        if row["sha256"] is not None:  # the file can be read now
            for gone in [r for r in others if r["sha256"] is None]:
                self.by_key.pop(gone["key"], None)
            others = [r for r in others if r["sha256"] is not None]
        elif others:  # it could be read once, and that row stays
            return
        self._by_path[row["path"]] = [*others, row]
        self.by_key[row["key"]] = row

    def find(self, task: FileTask) -> Row | None:
        """Return the row of a file that did not change since; None = it is to be judged."""
        rows = self._by_path.get(task.path)
        if not rows:
            return None
        facts = facts_of(task.path)
        for row in rows:
            same = all(row.get(name) == value for name, value in facts.items())
            if same and not (self._again and row["status"] in UNFINISHED):
                return row
        return None


def _read(path: Path) -> Row | None:
    try:
        row = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    is_row = isinstance(row, dict) and row.get("status") in STATUSES
    return row if is_row and f"{row.get('key')}.json" == path.name else None


def _entries(folder: Path) -> list[Path]:
    try:
        return list(folder.iterdir())
    except OSError:
        return []
