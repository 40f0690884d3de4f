"""Long work in units that are kept: what was interrupted goes on where it stopped.

A unit is one row of the result, and its key is the hash of everything the row depends on. Rows of
an earlier, unfinished or differently composed run are used again when their key is the same.
"""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from toolkit.errors import Cancelled, ToolkitError, UsageError
from toolkit.files import parse_json
from toolkit.types import Tick

Row = dict[str, Any]
Sections = dict[str, list[Row]]


@dataclass(frozen=True, eq=False)
class Unit:
    """One row to make.

    Attributes
    ----------
    section
        Where the row goes.
    name
        What it is about, for people.
    facts
        What it is about: stands in the row. Plain values.
    depends
        What else its result depends on. Plain values.
    run
        Makes the rest of the row: plain values. A `ToolkitError` becomes the row's `reason`.
    """

    section: str
    name: str
    facts: Mapping[str, Any]
    depends: Mapping[str, Any]
    run: Callable[[Tick], Mapping[str, Any]]

    @property
    def key(self) -> str:
        """The hash under which its row is found again."""
        parts = [self.section, dict(self.facts), dict(self.depends)]
        text = json.dumps(parts, sort_keys=True, allow_nan=False)
        return hashlib.sha256(text.encode()).hexdigest()[:32]


@dataclass(frozen=True)
class UnitProgress:
    """How far the work is.

    Attributes
    ----------
    done, total
        Units.
    name
        Of the unit that was just finished.
    seconds
        It took; 0 when its row was kept from before.
    left_s
        Seconds to go, from what units of each section took so far; None while nothing is known.
    """

    done: int
    total: int
    name: str
    seconds: float
    left_s: float | None


OnResult = Callable[[UnitProgress], None]


def ignore(progress: UnitProgress) -> None:
    """Tell nobody: the default."""


def digest(path: Path) -> str | None:
    """Return the SHA-256 of a file; None when it cannot be read."""
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError:
        return None


def read_rows(path: Path, schemas: Sequence[str]) -> dict[str, Row]:
    """Return the rows of an earlier result by their key; none when there is no file.

    Raises
    ------
    UsageError
        If the file is something else: it would be lost.
    """
    if not path.exists():
        return {}
    try:
        stored = parse_json(path.read_text(encoding="utf-8"))
        known = stored["schema"] in schemas
    except (OSError, ValueError, KeyError, TypeError):
        known = False
    if not known:
        raise UsageError("the file holds something else", str(path), "Name another file.")
    lists = [value for value in stored.values() if isinstance(value, list)]
    rows = [row for rows in lists for row in rows if isinstance(row, dict) and "key" in row]
    return {str(row["key"]): row for row in rows}


def run_units(
    units: Sequence[Unit],
    *,
    kept: Mapping[str, Row],
    save: Callable[[Sections], None],
    on_result: OnResult = ignore,
    tick: Tick,
) -> Sections:
    """Make every unit's row, or take it from `kept`.

    Parameters
    ----------
    units
        In the order of the work.
    kept
        Earlier rows by key.
    save
        Called with all rows so far after each unit that was worked on, so that stopping at any
        moment loses at most the unit at work.
    tell
        Called after each unit.
    tick
        Progress within units; may raise `Cancelled`.

    Returns
    -------
    dict
        The rows by section, in order. Each holds `key`, the facts, what the unit made, and
        `wall_seconds`.
    """
    sections: Sections = {unit.section: [] for unit in units}
    pace = _Pace(units, kept)
    for number, unit in enumerate(units, 1):
        row = kept.get(unit.key)
        is_new = row is None
        if row is None:
            start = time.perf_counter()
            row = {"key": unit.key, **unit.facts, **_made(unit, tick)}
            row["wall_seconds"] = time.perf_counter() - start
        sections[unit.section].append(row)
        pace.finish(unit, row)
        if is_new:
            save(sections)
        seconds = float(row["wall_seconds"]) if is_new else 0.0
        on_result(
            UnitProgress(number, len(units), f"{unit.section}: {unit.name}", seconds, pace.left_s)
        )
    return sections


def _made(unit: Unit, tick: Tick) -> Mapping[str, Any]:
    try:
        return unit.run(tick)
    except Cancelled:
        raise
    except ToolkitError as error:
        return {"reason": str(error)}


class _Pace:
    """Guesses the time left from what the units of each section took."""

    def __init__(self, units: Sequence[Unit], kept: Mapping[str, Row]) -> None:
        self._open: dict[str, int] = {}
        self._spent: dict[str, list[float]] = {}
        self._kept = {unit.key for unit in units if unit.key in kept}
        for unit in units:
            if unit.key not in self._kept:
                self._open[unit.section] = self._open.get(unit.section, 0) + 1

    def finish(self, unit: Unit, row: Row) -> None:
        self._spent.setdefault(unit.section, []).append(float(row.get("wall_seconds", 0.0)))
        if unit.key not in self._kept:
            self._open[unit.section] -= 1

    @property
    def left_s(self) -> float | None:
        """Seconds to go; a section that nothing is known of counts like the mean of the others."""
        means = {s: sum(v) / len(v) for s, v in self._spent.items()}
        if not means:
            return None
        usual = sum(means.values()) / len(means)
        return sum(count * means.get(section, usual) for section, count in self._open.items())
