"""A Plotly figure in a panel: made when it is first wanted, and then changed in place."""

from __future__ import annotations

from typing import Any

import ipywidgets


class Chart(ipywidgets.VBox):  # type: ignore[misc]  # ipywidgets ships no types
    """Shows one figure after the other in one Plotly widget, for each of those brings 5 MB along.

    Attributes
    ----------
    figure
        The Plotly widget; None before the first figure.
    """

    def __init__(self) -> None:
        super().__init__()
        self.figure: Any = None

    def draw(self, figure: Any) -> Any:
        """Show a figure; return the widget that holds it."""
        if self.figure is None:
            import plotly.graph_objects as go

            self.figure = go.FigureWidget(figure)
            self.figure._config = {"responsive": True, "displaylogo": False}  # noqa: SLF001 - no public way
            self.children = (self.figure,)
        else:
            self.figure.data = ()
            self.figure.add_traces(figure.data)
            self.figure.layout = figure.layout
        return self.figure
