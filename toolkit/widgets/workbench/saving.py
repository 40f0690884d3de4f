"""The Save button, and what it writes: the report as data, as a page, and as a player."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import ipywidgets

from toolkit._i18n import _
from toolkit.widgets import html as fragments
from toolkit.widgets.saved import Saved, pages
from toolkit.widgets.styling import classed

if TYPE_CHECKING:
    from toolkit.media.display import DisplayCopy
    from toolkit.types import Examination


def save(
    examination: Examination,
    runs: Path,
    *,
    stamp: str,
    copy: DisplayCopy | None = None,
    notes: str = "",
    asked: Sequence[str] = (),
) -> Path:
    """Write a result's files into a new folder under `runs`; return the folder.

    The user's notes and what was asked of the explanation stand in the page.

    `report.json`, `run.json` and `report.html`; with a display copy also `player.html`, one file
    that plays without a network.

    Raises
    ------
    OSError
        If that cannot be written.
    """
    from toolkit.analysis import pipeline
    from toolkit.files import atomic_write
    from toolkit.report import html, playable

    report = examination.report
    name = re.sub(r"[^\w-]+", "_", report.video.path.stem).strip("_")[:60] or "video"
    folder, n = runs / f"{name}-{stamp}", 1
    while folder.exists():
        n += 1
        folder = runs / f"{name}-{stamp}-{n}"
    folder.mkdir(parents=True)
    for file, content in (
        ("report.json", pipeline.to_dict(report)),
        ("run.json", pipeline.run_facts(report)),
    ):
        atomic_write(folder / file, json.dumps(content, indent=1, allow_nan=False) + "\n")
    html.write(report, folder / "report.html", notes=notes, asked=asked)
    if copy is not None:
        playable.write(report, folder / "player.html", display=copy, crops=examination.crops)
    return folder


class SaveRow(ipywidgets.HBox):  # type: ignore[misc]  # ipywidgets ships no types
    """A button that saves, and what became of it.

    Parameters
    ----------
    write
        Writes under the time stamp that it is given; returns the folder, or None where there is
        nothing to save.
    """

    def __init__(self, write: Callable[[str], Path | None]) -> None:
        self._write = write
        self.button = classed(ipywidgets.Button(layout={"width": "auto"}), "dz-save")
        self.button.on_click(lambda _button: self.save())
        self._problem = classed(ipywidgets.HTML(), "dz-not-saved")
        self._saved = classed(Saved(), "dz-saved")
        super().__init__(
            [self.button, self._problem, self._saved],
            layout={"flex_flow": "row wrap", "display": "none"},
        )

    def save(self) -> Path | None:
        """Save into a new folder; return it, or None where that did not work."""
        try:
            folder = self._write(time.strftime("%Y%m%d-%H%M%S"))
        except OSError as error:
            self._problem.value = fragments.problem(error)
            self._saved.hide()
            return None
        self._problem.value = ""
        if folder is not None:
            self._saved.show(folder, pages(folder, "report.html", "player.html", "report.json"))
        return folder

    def offer(self, *, can_save: bool) -> None:
        """Show the button, or hide it and what was said of the last time."""
        self.layout.display = None if can_save else "none"
        if not can_save:
            self._saved.hide()
            self._problem.value = ""

    def retranslate(self) -> None:
        """Say everything in the language in use."""
        self.button.description = _("Save report")
        self._saved.retranslate()
