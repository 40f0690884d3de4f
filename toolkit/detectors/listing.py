"""Which detectors a user added: names and titles, read without loading anything heavy."""

from __future__ import annotations

import json
import os
import re
from pathlib import Path

from toolkit import models

FILE = "detector.json"
"""What is known of an added detector, beside its weights."""

VARIABLE = "DOORZICHT_DETECTORS"
"""Environment variable: another folder for added detectors."""

NAME = re.compile(r"[a-z0-9][a-z0-9._-]{0,47}")
"""What a detector may be called."""


def added_folder() -> Path:
    """Return where added detectors lie: `models/cache/detectors`, or what `VARIABLE` names."""
    named = os.environ.get(VARIABLE)
    return Path(named) if named else models.CACHE / "detectors"


def added_names() -> tuple[str, ...]:
    """Return the names of the detectors that were added, in the order of the alphabet."""
    try:
        names = sorted(p.parent.name for p in added_folder().glob(f"*/{FILE}"))
    except OSError:
        return ()
    return tuple(n for n in names if NAME.fullmatch(n))


def added_title(name: str) -> str:
    """Return an added detector's title; empty where it has none or cannot be read."""
    try:
        content = json.loads((added_folder() / name / FILE).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return ""
    title = content.get("title") if isinstance(content, dict) else None
    return title if isinstance(title, str) else ""
