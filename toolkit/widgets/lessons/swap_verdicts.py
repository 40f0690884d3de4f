"""What the detector said of swaps that were made beforehand."""

from __future__ import annotations

from collections.abc import Mapping
from html import escape
from pathlib import Path
from typing import Any

import ipywidgets

from toolkit import _i18n, models
from toolkit.detectors import registry
from toolkit.errors import DetectorError
from toolkit.figures import forge as words
from toolkit.files import parse_json
from toolkit.widgets.lessons import forge_html

VERDICTS = models.ROOT / "notebooks" / "lessons" / "swap_verdicts.json"
"""What the detector said of swaps like these: `python -m toolkit study swaps detect`."""


class SwapVerdicts(ipywidgets.VBox):  # type: ignore[misc]  # ipywidgets ships no types
    """What the detector said of swaps that were made beforehand: sentences and a table.

    Parameters
    ----------
    path
        The measurement; None = the one that comes with the lesson.
    """

    def __init__(self, path: Path | None = None) -> None:
        text = (path or VERDICTS).read_text(encoding="utf-8")
        self._found: dict[str, Any] = parse_json(text)
        self._shown = ipywidgets.HTML()
        super().__init__([self._shown])
        for name in ("dz-lesson", "dz-verdicts"):
            self.add_class(name)
        self.retranslate()

    def __repr__(self) -> str:
        return "SwapVerdicts()"

    def retranslate(self) -> None:
        """Say everything in the language in use."""
        lines = words.verdicts_sentences(
            self._found, weights_sha256=_weights_here(self._found["detector"])
        )
        items = "".join(f"<li>{escape(line)}</li>" for line in lines)
        shown = words.verdicts_table(self._found)
        table = (
            f'<div tabindex="0" role="region" aria-label="{escape(shown.caption)}" '
            f'style="overflow-x:auto">{forge_html.table(shown)}</div>'
        )
        self._shown.value = f'<div lang="{_i18n.language()}"><ul>{items}</ul>{table}</div>'


def _weights_here(detector: Mapping[str, Any]) -> str | None:
    """Return the hash of the weights that a bundled detector has now, or None without them."""
    name = registry.name_now(str(detector["name"]), str(detector["weights_sha256"]))
    try:
        path = registry.weights(name).with_suffix(".json")
        return str(parse_json(path.read_text(encoding="utf-8"))["sha256"])
    except (DetectorError, OSError, ValueError, KeyError):  # nobody has a detector of that name
        return None
