"""What the panel remembers between two kernels: where it was, and what the user wrote.

A small JSON file, and per clip one text file for notes and one JSON file for what is known to be
genuine, each replaced in one step. A JSON file that cannot be read is set aside under another name,
never overwritten; notes are kept apart from it, so that nothing that happens to the state can touch
them.
"""

from __future__ import annotations

import contextlib
import json
import math
import re
import time
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any, TypeVar

from toolkit.files import atomic_write, parse_json

SCHEMA = 1
NO_CLIP = "general"
"""Notes that were written before any clip was analysed."""

T = TypeVar("T", "Position", "Genuine")

_DAMAGED = (ValueError, KeyError, TypeError, RecursionError)
"""What reading a JSON file raises that holds something else than it should."""

_CLIP = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True)
class Position:
    """Where the panel was.

    Attributes
    ----------
    language
        Code of the interface language; empty = as the environment says.
    video
        Name of a sample, or a path; `is_path` tells which.
    detector, frames
        What was chosen; 0 frames = by length.
    entry
        Name of the cache entry of the report on screen; empty = none.
    person, frame, view
        Whose evidence, which frame of the display copy (-1 = none), which part of the panel.
    """

    language: str = ""
    video: str = ""
    is_path: bool = False
    detector: str = "seamnet"
    frames: int = 0
    entry: str = ""
    person: str = ""
    frame: int = -1
    view: str = ""


@dataclass(frozen=True)
class Genuine:
    """What the user knows to be genuine, to hold a person of a clip against.

    Attributes
    ----------
    start_s, end_s
        Seconds of the clip itself; both 0 when another clip is meant.
    clip, name
        SHA-256 and file name of another clip of the same person; empty = the clip itself.
    at_s, x, y
        A moment, and where the middle of the person's face was then, in pixels: another analysis
        may give another person the same letter.
    """

    start_s: float = 0.0
    end_s: float = 0.0
    clip: str = ""
    name: str = ""
    at_s: float = 0.0
    x: float = 0.0
    y: float = 0.0


class Memory:
    """The folder in which one user's panel remembers.

    Parameters
    ----------
    folder
        Made when there is something to remember.

    Attributes
    ----------
    set_aside
        Where a state file went that could not be read; None when all was well.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.set_aside: Path | None = None
        self._unwritten: dict[tuple[str, str], Genuine | None] = {}

    @property
    def _file(self) -> Path:
        return self.folder / "state.json"

    def read(self) -> Position:
        """Return the last position; the default where there is none, or none that can be read."""
        try:
            found = self._get(self._file)
            return Position() if found is None else _filled(Position, found["position"])
        except (OSError, *_DAMAGED):
            self._set_aside(self._file)
            return Position()

    def write(self, position: Position) -> bool:
        """Remember a position; return whether that worked."""
        text = json.dumps({"schema": SCHEMA, "position": asdict(position)}, indent=1)
        return self._put(self._file, text + "\n")

    def notes(self, clip: str) -> str:
        """Return what was written about a clip (its SHA-256, or `NO_CLIP`)."""
        with contextlib.suppress(OSError):
            return self._notes_file(clip).read_text(encoding="utf-8", errors="replace")
        return ""

    def write_notes(self, clip: str, text: str) -> bool:
        """Keep what was written about a clip; return whether that worked."""
        return self._put(self._notes_file(clip), text)

    def genuine(self, clip: str) -> dict[str, Genuine]:
        """Return what is known to be genuine, by person of a clip (its SHA-256).

        What could not be written is known as long as this memory lives.
        """
        with contextlib.suppress(OSError):  # it cannot be read now: no reason to move it away
            return self._genuine(clip)
        return self._overlaid(clip, {})

    def write_genuine(self, clip: str, person: str, said: Genuine | None) -> bool:
        """Keep what is known to be genuine of a person, None = nothing; return if that worked."""
        self._unwritten[clip, person] = said
        file = self._genuine_file(clip)
        try:
            persons = self._genuine(clip)
        except OSError:  # what others said in it must not be lost
            return False
        written = {who: asdict(what) for who, what in sorted(persons.items())}
        text = json.dumps({"schema": SCHEMA, "persons": written}, indent=1, allow_nan=False)
        if file is None or not self._put(file, text + "\n"):
            return False
        self._unwritten = {k: v for k, v in self._unwritten.items() if k[0] != clip}
        return True

    def _genuine(self, clip: str) -> dict[str, Genuine]:
        file, persons = self._genuine_file(clip), {}
        if file is not None:
            try:
                found = self._get(file)
                rows = {} if found is None else dict(found["persons"])
                persons = {str(who): _filled(Genuine, said) for who, said in rows.items()}
            except _DAMAGED:
                self._set_aside(file)
        return self._overlaid(clip, persons)

    def _overlaid(self, clip: str, persons: dict[str, Genuine]) -> dict[str, Genuine]:
        mine = {who: said for (of, who), said in self._unwritten.items() if of == clip}
        return {who: said for who, said in (persons | mine).items() if said is not None}

    def _genuine_file(self, clip: str) -> Path | None:
        return self.folder / "genuine" / f"{clip}.json" if _CLIP.fullmatch(clip) else None

    def _notes_file(self, clip: str) -> Path:
        return self.folder / "notes" / f"{clip if _CLIP.fullmatch(clip) else NO_CLIP}.txt"

    @staticmethod
    def _put(path: Path, text: str) -> bool:
        try:
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            atomic_write(path, text.encode("utf-8", "replace"))
        except OSError:
            return False
        return True

    @staticmethod
    def _get(path: Path) -> dict[str, Any] | None:
        """Return what a JSON file of this schema holds, None where there is no file."""
        try:
            found = parse_json(path.read_text(encoding="utf-8"))
        except FileNotFoundError:
            return None
        if found["schema"] != SCHEMA:
            raise ValueError(found["schema"])
        return dict(found)

    def _set_aside(self, path: Path) -> None:
        aside = path.with_name(f"{path.stem}.damaged-{time.strftime('%Y%m%d-%H%M%S')}.json")
        with contextlib.suppress(OSError):
            path.replace(aside)
            self.set_aside = aside


def _filled(kind: type[T], found: Any) -> T:
    """Return a record from JSON; an unknown field is ignored, a wrong type is refused."""
    known = {f.name: type(f.default) for f in fields(kind)}
    given = {name: value for name, value in dict(found).items() if name in known}
    for name, value in given.items():
        if type(value) is not known[name]:
            raise TypeError(name)
        if isinstance(value, float) and not math.isfinite(value):
            raise ValueError(name)
    return kind(**given)
