"""Region × time as a chart: a click on a cell goes to that frame and region."""

from __future__ import annotations

from typing import Any

from toolkit import figures
from toolkit.types import REGIONS, TrackResult
from toolkit.widgets.chart import Chart
from toolkit.widgets.selection import Selection

_CLEAR, _MIDDLE = "rgba(0, 0, 0, 0)", "#76808a"


class SharesChart(Chart):
    """The shares of one person's regions over time.

    Parameters
    ----------
    selection
        Where a click goes.
    """

    def __init__(self, selection: Selection) -> None:
        super().__init__()
        self._selection = selection
        self._result: TrackResult | None = None
        self.add_class("dz-inquiry-chart")

    def show(self, result: TrackResult, row: int) -> None:
        """Draw a person's shares in the language in use, with a mark at a row of the track."""
        self._result = result
        figure = self.draw(figures.region_matrix(result))
        # the page shows through, light or dark; the ink can be read on either
        figure.update_layout(paper_bgcolor=_CLEAR, plot_bgcolor=_CLEAR, font_color=_MIDDLE)
        for trace in figure.data:
            trace.on_click(self.on_cell)
        self.mark(row)

    def mark(self, row: int) -> None:
        """Draw the line that says which frame is in view."""
        if self.figure is None or self._result is None:
            return
        at_s = float(self._result.track.pts[row])
        self.figure.layout.shapes = [
            {
                "type": "line",
                "x0": at_s,
                "x1": at_s,
                "yref": "paper",
                "y0": 0,
                "y1": 1,
                "line": {"color": _MIDDLE, "width": 2, "dash": "dot"},
            }
        ]

    def on_cell(self, _trace: Any, points: Any, _state: Any) -> None:
        """Select the frame and the region of a cell that was clicked; Plotly calls it."""
        if self._result is None or not points.xs:
            return
        self._selection.row = int(abs(self._result.track.pts - float(points.xs[0])).argmin())
        names = figures.row_names()
        row = names.index(points.ys[0]) if points.ys[0] in names else len(REGIONS)
        if row < len(REGIONS):
            self._selection.region = REGIONS[row]
