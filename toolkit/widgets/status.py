"""The line that says what is going on."""

from __future__ import annotations

from pathlib import Path

import anywidget
import traitlets

from toolkit import figures
from toolkit._i18n import _

_HERE = Path(__file__).parent


class Status(anywidget.AnyWidget):
    """One line that screen readers announce; carries the panel's style sheet."""

    _esm = _HERE / "status.js"
    _css = (_HERE / "workbench" / "workbench.css").read_text(
        encoding="utf-8"
    ) + figures.ANSWER_STYLE
    text = traitlets.Unicode().tag(sync=True)
    lang = traitlets.Unicode("en").tag(sync=True)
    reveal = traitlets.Int(0).tag(sync=True)  # counted up: the panel's top comes into view


def duration(seconds: float) -> str:
    """Return a rough duration: nobody knows the time left to the second."""
    if seconds < 10:
        return _("{n} s").format(n=max(1, round(seconds)))
    if seconds < 90:
        return _("{n} s").format(n=5 * round(seconds / 5))
    return _("{n} min").format(n=round(seconds / 60))
