"""What several commands share: arguments, files that are written, and lines of progress."""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from toolkit._i18n import _
from toolkit.jobs import TerminalLine

if TYPE_CHECKING:
    from toolkit.analysis.pipeline import Partial
    from toolkit.evaluation.resumable import UnitProgress

FRAMES_MIN, FRAMES_MAX = 16, 400
DETECTOR_HELP = (
    "seamnet (the default), seamnet-small (faster, misses more), meso4, ..., or one that was "
    "added: see detector list"
)

Command = Callable[[str, Any, str], argparse.ArgumentParser]
"""Adds a command: its name, what runs it, and what it does."""


def frames(text: str) -> int:
    """Return a number of frames per person that was given as text."""
    number = int(text)
    if not FRAMES_MIN <= number <= FRAMES_MAX:
        msg = f"{number} is not between {FRAMES_MIN} and {FRAMES_MAX}"
        raise argparse.ArgumentTypeError(msg)
    return number


def write_json(path: Path, content: Any) -> None:
    """Write a JSON file in one step; its folder is made."""
    from toolkit.files import atomic_write

    path.parent.mkdir(parents=True, exist_ok=True)
    atomic_write(path, json.dumps(content, indent=1, allow_nan=False) + "\n")


def check_writable(folder: Path) -> None:
    """Write a file in a folder to come, and undo it all: what is wrong there can be said now."""
    from toolkit.files import atomic_path

    new = [place for place in (folder, *folder.parents) if not place.exists()]
    folder.mkdir(parents=True, exist_ok=True)
    try:
        with suppress(_Checked), atomic_path(folder / "report.json") as temporary:
            temporary.write_bytes(b"0")
            raise _Checked
    finally:
        for place in new:
            place.rmdir()


class _Checked(Exception):  # noqa: N818 - ends a trial without leaving a file
    pass


def finished(unit: UnitProgress) -> str:
    """Return the line that says how far work of many parts is."""
    facts = [f"{unit.seconds:.0f} s" if unit.seconds else _("kept")]
    if unit.left_s is not None:
        minutes = round(unit.left_s / 60)
        text = _("about {n} min to go") if minutes else _("less than a minute to go")
        facts.append(text.format(n=minutes))
    return _("{done} of {total}: {name} ({facts})").format(
        done=unit.done, total=unit.total, name=unit.name, facts=", ".join(facts)
    )


class TellAhead:
    """Says once, before it begins, how long judging takes where that is long; an `OnPartial`.

    Parameters
    ----------
    write
        Leaves a line.
    clips
        How many clips like the first one there are.
    """

    def __init__(self, write: Callable[[str], None], *, clips: int = 1) -> None:
        self._write, self._clips, self._is_said = write, clips, False

    def __call__(self, partial: Partial) -> None:
        """Hear what is known so far."""
        if self._is_said or partial.seconds_ahead is None:
            return
        self._is_said = True
        from toolkit.figures.sentences import ahead_sentence

        seconds = partial.seconds_ahead * self._clips
        if line := ahead_sentence(partial.faces_ahead * self._clips, seconds):
            self._write(line)


def stage_line() -> TerminalLine:
    """Return the line that tells how far an analysis is, in the words of the panels."""

    def name(stage: str) -> str:
        from toolkit.figures import stage_name  # a refusal need not wait for it

        return stage_name(stage)

    return TerminalLine(name)
