"""The charts of `figures` as inline SVG, coloured by the page's style sheet."""

from __future__ import annotations

from html import escape

import numpy as np

from toolkit import figures
from toolkit._i18n import _
from toolkit.figures.charts import Bars, Curve, Matrix

WIDTH = 880
_LEFT, _RIGHT = 60, 15
_ROW, _LABELS = 22, 185
_STROKE_FROM = 0.05  # of the largest share: below it, the sign of a share is of no account


def curve(shown: Curve) -> str:
    """Draw the evidence over time."""
    height, top, bottom = 260, 12, 42
    times, logits = shown.times, shown.logits
    start, end = float(times[0]), float(max(times[-1], times[0] + 0.1))
    low = float(min(logits.min(), shown.threshold))
    high = float(max(logits.max(), shown.threshold))
    low, high = low - 0.08 * (high - low) - 0.1, high + 0.08 * (high - low) + 0.1

    def x(t: float) -> float:
        return _LEFT + (min(max(t, start), end) - start) / (end - start) * (WIDTH - _LEFT - _RIGHT)

    def y(v: float) -> float:
        return top + (high - v) / (high - low) * (height - top - bottom)

    floor = height - bottom
    parts = [
        f'<rect class="shade" x="{x(i.start_s):.1f}" y="{top}" '
        f'width="{max(1.0, x(i.end_s) - x(i.start_s)):.1f}" height="{floor - top}"/>'
        for i in shown.intervals
    ]
    for v in figures.ticks(low, high):
        parts.append(_line(_LEFT, y(v), WIDTH - _RIGHT, y(v), "axis"))
        parts.append(_text(_LEFT - 6, y(v) + 4, _tick(v), "end"))
    for t in figures.ticks(start, end, 8):
        parts.append(_line(x(t), floor, x(t), floor + 4, "axis"))
        parts.append(_text(x(t), floor + 17, _tick(t), "middle"))
    parts.append(_text(WIDTH / 2, height - 6, _("time (s)"), "middle"))
    threshold = y(shown.threshold)
    parts.append(
        _line(_LEFT, threshold, WIDTH - _RIGHT, threshold, "ink", more=' stroke-dasharray="6 4"')
    )
    label = _("threshold {value}").format(value=figures.number(shown.threshold, signed=True))
    parts.append(_text(WIDTH - _RIGHT, threshold - 5, label, "end"))
    for stretch in shown.stretches:
        points = list(zip(times[stretch].tolist(), logits[stretch].tolist(), strict=True))
        line = " ".join(f"{x(t):.1f},{y(v):.1f}" for t, v in points)
        parts.append(f'<polyline class="ink" stroke-width="1.4" points="{line}"/>')
        parts += [_mark(x(t), y(v), is_above=v >= shown.threshold) for t, v in points]
    return _svg(height, _("Evidence over time"), parts)


def bars(shown: Bars) -> str:
    """Draw the share of each region."""
    values: list[float] = [*shown.shares.tolist(), shown.unsplit]
    low, high = min(0.0, *values), max(0.0, *values)
    span = (high - low) or 1.0
    first, last = _LABELS + 60, WIDTH - 70  # room for the numbers beside the bars

    def x(v: float) -> float:
        return first + (v - low) / span * (last - first)

    parts = []
    for i, (name, v) in enumerate(zip(figures.row_names(), values, strict=True)):
        top = 6 + i * _ROW
        kind = "for" if v >= 0 else "against"
        parts.append(_text(_LABELS - 8, top + 13, name, "end"))
        parts.append(
            f'<rect class="{kind}" x="{min(x(0), x(v)):.1f}" y="{top + 2}" '
            f'width="{abs(x(v) - x(0)):.1f}" height="{_ROW - 6}"/>'
        )
        end, anchor = (x(v) + 5, "start") if v >= 0 else (x(v) - 5, "end")
        parts.append(_text(end, top + 14, figures.number(v, 3, signed=True), anchor))
    height = 12 + len(values) * _ROW
    parts.append(_line(x(0), 4, x(0), height - 6, "ink"))
    return _svg(height, _("Share of each region"), parts)


def matrix(shown: Matrix) -> str:
    """Draw region × time; one colour per cell, zero is white, a stroke where a share is against."""
    rows = figures.row_names()
    start, end = float(shown.start_s[0]), float(shown.end_s[-1])
    first, last, top = _LABELS, WIDTH - _RIGHT, 6
    height = top + len(rows) * _ROW + 42

    def x(t: float) -> float:
        return first + (t - start) / (end - start) * (last - first)

    colours = figures.diverging(np.asarray(shown.values) / shown.largest)
    parts = []
    for i, name in enumerate(rows):
        y = top + i * _ROW
        parts.append(_text(_LABELS - 8, y + 15, name, "end"))
        for a, b, value, colour in zip(
            shown.start_s.tolist(),
            shown.end_s.tolist(),
            shown.values[i].tolist(),
            colours[i].tolist(),
            strict=True,
        ):
            parts.append(
                f'<rect x="{x(a):.1f}" y="{y}" width="{x(b) - x(a) + 0.3:.1f}" '
                f'height="{_ROW - 1}" shape-rendering="crispEdges" '
                f'fill="rgb({colour[0]},{colour[1]},{colour[2]})"/>'
            )
            if value <= -_STROKE_FROM * shown.largest:
                stroke = f"M{x(a):.1f} {y + _ROW - 2}L{x(b):.1f} {y + 1}"
                parts.append(f'<path d="{stroke}" stroke="#1f2933" stroke-width="0.8"/>')
    floor = top + len(rows) * _ROW
    for t in figures.ticks(start, end, 8):
        parts.append(_line(x(t), floor, x(t), floor + 4, "axis"))
        parts.append(_text(x(t), floor + 17, _tick(t), "middle"))
    parts.append(_text((first + last) / 2, height - 6, _("time (s)"), "middle"))
    return _svg(height, _("Share of each region over time"), parts)


def aligned(
    kept: tuple[float, ...],
    shown: tuple[float, ...],
    *,
    sizes: tuple[tuple[int, int], tuple[int, int]],
    names: tuple[str, str],
    ident: str,
) -> str:
    """Draw what a re-share shows of its source, without either's picture.

    Parameters
    ----------
    kept, shown
        x, y, width, height within the source and within the re-share, in pixels of each.
    sizes
        Width and height of source and re-share.
    names
        What stands above each.
    ident
        Makes the id of the hatching unique within a page.
    """
    side, top, gap = 400, 26, 40
    tallest = 280
    pattern = f'<pattern id="{ident}" width="8" height="8" patternUnits="userSpaceOnUse" '
    line = 'patternTransform="rotate(45)"><path class="ink" d="M4 0V8" stroke-width="1"/>'
    parts, height = [f"<defs>{pattern}{line}</pattern></defs>"], 0.0
    for number, (box, size, name) in enumerate(zip((kept, shown), sizes, names, strict=True)):
        scale = min(side / size[0], tallest / size[1])
        left, width, tall = 20 + number * (side + gap), size[0] * scale, size[1] * scale
        x, y, w, h = (v * scale for v in box)
        x0, y0 = left + x, top + y
        outer = f"M{left} {top}h{width:.1f}v{tall:.1f}h{-width:.1f}z"
        inner = f"M{x0:.1f} {y0:.1f}h{w:.1f}v{h:.1f}h{-w:.1f}z"
        parts += [
            _text(left, top - 9, f"{name}, {size[0]} × {size[1]}", "start"),
            f'<path d="{outer}{inner}" fill="url(#{ident})" fill-rule="evenodd"/>',
            f'<path class="ink" d="{outer}" stroke-width="1"/>',
            f'<path class="ink" d="{inner}" stroke-width="2.5"/>',
        ]
        height = max(height, top + tall + 8)
    return _svg(round(height), _("Source and re-share"), parts, is_chart=False)


def _svg(height: int, label: str, parts: list[str], *, is_chart: bool = True) -> str:
    text = _("{chart}; the same numbers are in the table below").format(chart=label)
    hint = escape(text if is_chart else label)
    return (
        f'<svg viewBox="0 0 {WIDTH} {height}" role="img" aria-label="{hint}">{"".join(parts)}</svg>'
    )


def _line(x0: float, y0: float, x1: float, y1: float, kind: str, *, more: str = "") -> str:
    return f'<line class="{kind}" x1="{x0:.1f}" y1="{y0:.1f}" x2="{x1:.1f}" y2="{y1:.1f}"{more}/>'


def _text(x: float, y: float, text: str, anchor: str) -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}">{escape(text)}</text>'


def _mark(x: float, y: float, *, is_above: bool) -> str:
    """Draw a moment: a diamond above the threshold, a dot below, so that shape tells it too."""
    if is_above:
        return f'<path class="for" d="M{x:.1f} {y - 5:.1f}l5 5-5 5-5-5z"/>'
    return f'<circle class="against" cx="{x:.1f}" cy="{y:.1f}" r="3"/>'


def _tick(value: float) -> str:
    digits = next((d for d in range(4) if abs(value - round(value, d)) < 1e-9), 4)
    return figures.number(value, digits)
