"""What the Save button writes: the report as data, as a page, and as a player."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

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
