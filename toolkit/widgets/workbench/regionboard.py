"""Ten regions with tick-boxes and what each witness gives them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import anywidget
import traitlets

from toolkit._i18n import _
from toolkit.figures.inquiry import RegionRow
from toolkit.figures.sentences import number


class RegionBoard(anywidget.AnyWidget):
    """A table of regions; ticking one asks for its replacement.

    Attributes
    ----------
    ticked
        Names of the regions to replace, both ways.
    current
        The region pointed out, or "".
    enabled
        Whether regions can be ticked.
    """

    _esm = Path(__file__).with_name("regionboard.js")
    rows: traitlets.List[Any] = traitlets.List().tag(sync=True)
    heads: traitlets.List[str] = traitlets.List().tag(sync=True)
    label = traitlets.Unicode("").tag(sync=True)
    ticked: traitlets.List[str] = traitlets.List().tag(sync=True)
    current = traitlets.Unicode("").tag(sync=True)
    enabled = traitlets.Bool(False).tag(sync=True)

    def __init__(self) -> None:
        super().__init__()
        self.add_class("dz-region-board")

    def show(self, rows: Sequence[RegionRow]) -> None:
        """Show rows in the language in use."""
        self.label = _("Regions of this frame: tick to replace, and what each witness says")
        self.heads = [
            _("replace"),
            _("region"),
            _("by construction (logit)"),
            _("by intervention (logit)"),
            _("replaced alone (logit)"),
        ]
        names = ("construction", "intervention", "single")
        axes = {name: _Axis.around([getattr(row, name) for row in rows]) for name in names}
        self.rows = [
            {
                "player": row.player,
                "label": row.label,
                "replace": _("replace {region}").format(region=row.label),
                "values": [
                    axes[name].place(
                        getattr(row, name), row.error if name == "intervention" else None
                    )
                    for name in names
                ],
            }
            for row in rows
        ]


@dataclass(frozen=True)
class _Axis:
    """The scale of one column of bars: from `low` (at most 0) to `low + span`."""

    low: float
    span: float

    @classmethod
    def around(cls, values: Sequence[float | None]) -> _Axis:
        known = [0.0, *(v for v in values if v is not None)]
        return cls(min(known), (max(known) - min(known)) or 1.0)

    def place(self, value: float | None, error: float | None) -> dict[str, Any] | None:
        """Return where the bar lies, in per cent of its track, and the number beside it."""
        if value is None:
            return None
        text = number(value, 2, signed=True)
        if error is not None:
            text += f" ± {number(error, 2)}"

        def at(v: float) -> float:
            return min(max(100 * (v - self.low) / self.span, 0.0), 100.0)

        ends = None if error is None else [at(value - error), at(value + error)]
        return {"zero": at(0), "end": at(value), "error": ends, "text": text}
