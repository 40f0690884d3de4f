"""What a class answered and measured, kept so that nothing is lost when a laptop is closed.

One small JSON file per lesson, replaced in one step after every answer. A file that cannot be read
is set aside under another name, never overwritten; so is what was there when a class starts anew.
"""

from __future__ import annotations

import contextlib
import json
import time
from pathlib import Path
from typing import Any

from toolkit.files import atomic_write, parse_json

SCHEMA = "doorzicht.answers/1"


class PupilAnswers:
    """Values by name, on disk after every change.

    Parameters
    ----------
    path
        The JSON file; its folder is made when there is something to keep.

    Attributes
    ----------
    set_aside
        Where a file went that could not be read, or that a new start put away; else None.
    is_saved
        Whether the last change reached the disk.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.set_aside: Path | None = None
        self.is_saved = True
        self._values: dict[str, Any] = self._read()

    def get(self, name: str, default: Any = None) -> Any:
        """Return what was kept under a name."""
        return self._values.get(name, default)

    def put(self, name: str, value: Any) -> bool:
        """Keep a JSON value; return whether it reached the disk. It is kept in memory either way.

        Raises
        ------
        TypeError, ValueError
            If it is no JSON value.
        """
        json.dumps(value, allow_nan=False)
        self._values[name] = value
        self.is_saved = self._write()
        return self.is_saved

    def names(self) -> list[str]:
        """Return the names under which something is kept."""
        return sorted(self._values)

    def start_anew(self) -> None:
        """Forget everything; what was on disk is put aside, not removed."""
        self._values = {}
        self._put_aside("before")

    def _read(self) -> dict[str, Any]:
        try:
            stored = parse_json(self.path.read_text(encoding="utf-8"))
            if stored["schema"] != SCHEMA or not isinstance(stored["values"], dict):
                raise ValueError(stored["schema"])
            return dict(stored["values"])
        except FileNotFoundError:
            return {}
        except (OSError, ValueError, KeyError, TypeError):
            self._put_aside("damaged")
            return {}

    def _write(self) -> bool:
        text = json.dumps(
            {"schema": SCHEMA, "values": self._values}, indent=1, ensure_ascii=False, sort_keys=True
        )
        try:
            self.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            atomic_write(self.path, text.encode("utf-8", "replace") + b"\n")
        except OSError:
            return False
        return True

    def _put_aside(self, why: str) -> None:
        stamp = time.strftime("%Y%m%d-%H%M%S")
        for number in range(1000):
            more = f"-{number}" if number else ""
            aside = self.path.with_name(f"{self.path.stem}.{why}-{stamp}{more}.json")
            if not aside.exists():
                break
        with contextlib.suppress(OSError):
            self.path.replace(aside)
            self.set_aside = aside
