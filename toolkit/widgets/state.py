"""What the panel remembers between two kernels: where it was, and what the user wrote.

A small JSON file and one text file per clip, each replaced in one step. A state file that cannot
be read is set aside under another name, never overwritten; notes are kept apart from it, so that
nothing that happens to the state can touch them.
"""

from __future__ import annotations

import contextlib
import json
import re
import time
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

from toolkit.files import atomic_write

SCHEMA = 1
NO_CLIP = "general"
"""Notes that were written before any clip was analysed."""

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

    @property
    def _file(self) -> Path:
        return self.folder / "state.json"

    def read(self) -> Position:
        """Return the last position; the default where there is none, or none that can be read."""
        try:
            text = self._file.read_text(encoding="utf-8")
        except FileNotFoundError:
            return Position()
        except (OSError, ValueError):
            return self._damaged()
        try:
            found = json.loads(text)
            if found["schema"] != SCHEMA:
                raise ValueError(found["schema"])
            return _position(found["position"])
        except (ValueError, KeyError, TypeError):
            return self._damaged()

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

    def _damaged(self) -> Position:
        aside = self.folder / f"state.damaged-{time.strftime('%Y%m%d-%H%M%S')}.json"
        with contextlib.suppress(OSError):
            self._file.replace(aside)
            self.set_aside = aside
        return Position()


def _position(found: Any) -> Position:
    """Return a position from JSON; an unknown field is ignored, a wrong type is refused."""
    known = {f.name: type(f.default) for f in fields(Position)}
    given = {name: value for name, value in dict(found).items() if name in known}
    for name, value in given.items():
        if type(value) is not known[name]:
            raise TypeError(name)
    return Position(**given)
