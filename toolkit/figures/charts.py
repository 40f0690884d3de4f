"""The three charts of one person: evidence over time, region shares, region × time.

`curve`, `bars` and `matrix` are the geometry that the notebook (Plotly) and the report (SVG) both
draw; `table` is each chart's twin in text. Plotly is imported when a figure is asked for.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray

from toolkit._i18n import _, language
from toolkit.explain.intervals import divide_time
from toolkit.figures.pictures import BLUE, ORANGE, diverging
from toolkit.figures.sentences import clock, number, region_name
from toolkit.types import REGIONS, Interval, TrackResult

if TYPE_CHECKING:
    from plotly.graph_objects import Figure

Float = NDArray[np.float64]
Chart = Literal["curve", "regions", "matrix"]

_THINNEST_S = 0.02  # a single moment stands for no time, but must be seen
_INK, _FAINT, _SHADE = "#1f2933", "#d5d9de", "rgba(200, 84, 10, 0.16)"


@dataclass(frozen=True, eq=False)
class Curve:
    """Evidence over time.

    Attributes
    ----------
    times, logits : (M,) float64
        Seconds, and fake logits at those times.
    stretches
        Runs of moments without a cut or absence; the line is broken between them.
    threshold, intervals
        The dashed line; the shaded stretches of time.
    """

    times: Float
    logits: Float
    stretches: tuple[slice, ...]
    threshold: float
    intervals: tuple[Interval, ...]


@dataclass(frozen=True, eq=False)
class Bars:
    """Region shares in logits, (10,) float64 in the order of `REGIONS`, and what stayed unsplit."""

    shares: Float
    unsplit: float


@dataclass(frozen=True, eq=False)
class Matrix:
    """Region × time.

    Attributes
    ----------
    start_s, end_s : (M,) float64
        The time each column stands for.
    values : (11, M) float64
        Shares in logits: `REGIONS`, then unsplit.
    largest
        Largest size of a value, at least a tiny number: the end of the symmetric scale.
    """

    start_s: Float
    end_s: Float
    values: Float
    largest: float


@dataclass(frozen=True)
class FigureTable:
    """A chart in text: one heading per column, every cell as it is shown."""

    caption: str
    heads: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


def _moments(result: TrackResult) -> tuple[Float, NDArray[np.int64]]:
    """Return time and shot of each logit."""
    first, last = result.evidence.spans[:, 0], result.evidence.spans[:, 1]
    pts = result.track.pts
    return (pts[first] + pts[last]) / 2, result.track.shots[first]


def curve(result: TrackResult) -> Curve:
    """Return what the evidence curve shows."""
    times, shots = _moments(result)
    breaks = [0, *(np.flatnonzero(np.diff(shots)) + 1).tolist(), len(times)]
    return Curve(
        times=times,
        logits=result.evidence.logits,
        stretches=tuple(slice(a, b) for a, b in pairwise(breaks) if a < b),
        threshold=result.verdict.threshold,
        intervals=result.explanation.intervals if result.explanation else (),
    )


def bars(result: TrackResult) -> Bars | None:
    """Return what the region chart shows, or None without an explanation."""
    explanation = result.explanation
    if explanation is None:
        return None
    return Bars(explanation.region_shares, float(explanation.unsplit.sum()))


def matrix(result: TrackResult) -> Matrix | None:
    """Return what the region × time chart shows, or None without an explanation."""
    explanation = result.explanation
    if explanation is None:
        return None
    times, shots = _moments(result)
    cells = divide_time(times, shots)
    values = np.vstack([explanation.shares.T, explanation.unsplit])
    thin = np.maximum(0, _THINNEST_S - cells.seconds) / 2
    largest = float(np.abs(values).max(initial=1e-9))
    return Matrix(cells.start_s - thin, cells.end_s + thin, values, largest)


def row_names() -> list[str]:
    """Return the ten regions and what could not be divided over them."""
    return [*(region_name(region) for region in REGIONS), _("not divided")]


def ticks(low: float, high: float, wanted: int = 5) -> list[float]:
    """Return round numbers between `low` and `high`, about `wanted` of them.

    Examples
    --------
    >>> ticks(-1.2, 3.1)
    [-1.0, 0.0, 1.0, 2.0, 3.0]
    """
    rough = max(high - low, 1e-9) / wanted
    power = 10.0 ** math.floor(math.log10(rough))
    step = power * next(m for m in (1, 2, 5, 10) if m * power >= rough * 0.999)
    first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
    return [round(i * step, 10) + 0.0 for i in range(first, last + 1)]


def table(result: TrackResult, chart: Chart) -> FigureTable:
    """Return the text twin of a chart; empty rows where there is no explanation."""
    if chart == "curve":
        return _curve_table(result)
    return _region_table(result) if chart == "regions" else _matrix_table(result)


def _curve_table(result: TrackResult) -> FigureTable:
    points, explanation = curve(result), result.explanation
    rows = [
        (
            clock(t, 2),
            number(x, 3, signed=True),
            _("above") if x >= points.threshold else _("below"),
            number(float(explanation.frame_shares[i]), 4, signed=True) if explanation else "–",
        )
        for i, (t, x) in enumerate(zip(points.times.tolist(), points.logits.tolist(), strict=True))
    ]
    heads = (_("time"), _("evidence (logit)"), _("against the threshold"), _("share (logit)"))
    return FigureTable(_("Evidence over time"), heads, tuple(rows))


def _region_table(result: TrackResult) -> FigureTable:
    shown = bars(result)
    rows: list[tuple[str, ...]] = []
    if shown is not None:
        pairs = zip(row_names(), [*shown.shares, shown.unsplit], strict=True)
        rows = [(name, number(float(share), 4, signed=True)) for name, share in pairs]
    return FigureTable(_("Share of each region"), (_("region"), _("share (logit)")), tuple(rows))


def _matrix_table(result: TrackResult) -> FigureTable:
    cells = matrix(result)
    rows: list[tuple[str, ...]] = []
    if cells is not None:
        for t, column in zip(curve(result).times.tolist(), cells.values.T.tolist(), strict=True):
            rows.append((clock(t, 2), *(number(value, 4, signed=True) for value in column)))
    heads = (_("time"), *row_names())
    return FigureTable(_("Share of each region over time (logit)"), heads, tuple(rows))


# -- Plotly


def evidence_curve(result: TrackResult) -> Figure:
    """Return the evidence over time as a Plotly figure."""
    figure = _figure(_("Evidence over time"), height=300)
    _add_curve(figure, curve(result))
    return figure


def region_bars(result: TrackResult) -> Figure:
    """Return the share of each region as a Plotly figure; empty without an explanation."""
    figure = _figure(_("Share of each region"), height=380)
    rows = bars(result)
    if rows is not None:
        _add_bars(figure, rows)
        figure.update_yaxes(autorange="reversed", automargin=True)
    return figure


def region_matrix(result: TrackResult) -> Figure:
    """Return region × time as a Plotly figure; empty without an explanation."""
    figure = _figure(_("Share of each region over time"), height=380)
    cells = matrix(result)
    if cells is not None:
        _add_matrix(figure, cells)
        figure.update_yaxes(autorange="reversed", automargin=True)
    return figure


def overview(result: TrackResult) -> Figure:
    """Return the three charts in one figure with common axes: time across, regions down.

    One figure instead of three because each Plotly widget in a notebook brings its own copy of
    the library.
    """
    if result.explanation is None:
        return evidence_curve(result)
    from plotly.subplots import make_subplots

    figure = make_subplots(
        rows=2,
        cols=2,
        specs=[[{}, None], [{}, {}]],
        shared_xaxes="columns",
        shared_yaxes="rows",
        row_heights=[0.42, 0.58],
        column_widths=[0.72, 0.28],
        vertical_spacing=0.1,
        horizontal_spacing=0.02,
        subplot_titles=(
            _("Evidence over time"),
            _("Share of each region over time"),
            _("Share of each region"),
        ),
    )
    _style(figure, height=640)
    _add_curve(figure, curve(result), row=1, col=1)
    cells, sums = matrix(result), bars(result)
    assert cells is not None
    assert sums is not None
    _add_matrix(figure, cells, row=2, col=1)
    _add_bars(figure, sums, row=2, col=2)
    figure.update_xaxes(showticklabels=True, title_text="", row=1, col=1)
    figure.update_yaxes(autorange="reversed", automargin=True, row=2)
    return figure


def _figure(title: str, *, height: int) -> Figure:
    import plotly.graph_objects as go

    figure = go.Figure()
    _style(figure, height=height)
    figure.update_layout(title={"text": title, "font": {"size": 15}})
    return figure


def _style(figure: Figure, *, height: int) -> None:
    figure.update_layout(
        template="plotly_white",
        height=height,
        margin={"l": 60, "r": 20, "t": 40, "b": 50},
        paper_bgcolor="white",  # also in a dark notebook: the ink is dark
        plot_bgcolor="white",
        font={"color": _INK, "size": 13},
        showlegend=False,
        separators=",." if language() == "nl" else ".,",
        bargap=0.25,
        autosize=True,
    )


def _add_curve(figure: Figure, shown: Curve, **where: int) -> None:
    import plotly.graph_objects as go

    hover = "%{x:.2f} s: %{y:+.2f} logit<extra></extra>"
    for stretch in shown.stretches:
        x = shown.logits[stretch]
        figure.add_trace(
            go.Scatter(
                x=shown.times[stretch].tolist(),
                y=x.tolist(),
                mode="lines+markers",
                line={"color": _INK, "width": 1.5},
                marker={
                    "size": 7,
                    "color": [_css(ORANGE if v >= shown.threshold else BLUE) for v in x],
                    "symbol": ["diamond" if v >= shown.threshold else "circle" for v in x],
                },
                hovertemplate=hover,
            ),
            **where,
        )
    # after the lines, because Plotly adds no shapes to an empty part of a figure
    for interval in shown.intervals:
        figure.add_vrect(
            x0=interval.start_s,
            x1=interval.end_s,
            fillcolor=_SHADE,
            line_width=0,
            layer="below",
            **where,
        )
    figure.add_hline(
        y=shown.threshold,
        line={"color": _INK, "dash": "dash", "width": 1.5},
        annotation={
            "text": _("threshold {value}").format(value=number(shown.threshold, signed=True)),
            "font": {"size": 12},
            "bgcolor": "rgba(255, 255, 255, 0.8)",
        },
        annotation_position="top left",
        **where,
    )
    figure.update_xaxes(title_text=_("time (s)"), **where)
    figure.update_yaxes(title_text=_("evidence (logit)"), zeroline=False, **where)


def _add_bars(figure: Figure, shown: Bars, **where: int) -> None:
    import plotly.graph_objects as go

    values = [*shown.shares.tolist(), shown.unsplit]
    reach = max(1e-9, *(abs(v) for v in values))
    figure.add_trace(
        go.Bar(
            x=values,
            y=row_names(),
            orientation="h",
            marker={"color": [_css(ORANGE if v >= 0 else BLUE) for v in values]},
            text=[number(v, signed=True) for v in values],
            textposition="outside",
            cliponaxis=False,
            hovertemplate="%{y}: %{x:+.3f} logit<extra></extra>",
        ),
        **where,
    )
    # room for the numbers beside the longest bars
    low, high = min(0.0, *values), max(0.0, *values)
    figure.update_xaxes(
        title_text=_("share (logit)"),
        range=[low - (0.45 * reach if low < 0 else 0), high + (0.45 * reach if high > 0 else 0)],
        **where,
    )


def _add_matrix(figure: Figure, shown: Matrix, **where: int) -> None:
    import plotly.graph_objects as go

    edges, columns = [float(shown.start_s[0])], []
    for i in range(shown.values.shape[1]):
        if shown.start_s[i] > edges[-1] + 1e-9:  # nobody was seen here: an empty column
            edges.append(float(shown.start_s[i]))
            columns.append([None] * len(shown.values))
        edges.append(float(shown.end_s[i]))
        columns.append(shown.values[:, i].tolist())
    stops = np.linspace(-1, 1, 9)
    figure.add_trace(
        go.Heatmap(
            x=edges,
            y=row_names(),
            z=[list(row) for row in zip(*columns, strict=True)],
            colorscale=[
                [(s + 1) / 2, _css(c)] for s, c in zip(stops, diverging(stops), strict=True)
            ],
            zmin=-shown.largest,
            zmax=shown.largest,
            showscale=False,  # the numbers are in the hover text and in the table
            hoverongaps=False,
            hovertemplate="%{x:.2f} s, %{y}: %{z:+.3f} logit<extra></extra>",
        ),
        **where,
    )
    figure.update_xaxes(title_text=_("time (s)"), **where)


def _css(colour: Any) -> str:
    red, green, blue = (int(c) for c in colour)
    return f"#{red:02x}{green:02x}{blue:02x}"


def picture_guide() -> str:
    """Return how to read the pictures: one scale for the whole clip, quiet below the line."""
    return _(
        "One scale for the whole clip: the colours are strong where a frame lies above the line "
        "and faint where it lies below."
    )


def reading_guide() -> str:
    """Return how to read the colours of all charts."""
    return _(
        "Orange and a plus sign: speaks for forged. Blue and a minus sign: speaks against. The "
        "darker, the more. Shaded: the stretch of time that speaks for forged."
    )
