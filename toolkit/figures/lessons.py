"""Pictures and small charts for lessons: pure, in the language in use, never by colour alone.

Charts are inline SVG with a title and a description that hold the same numbers in words.
"""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

import numpy as np
from numpy.typing import NDArray

from toolkit._i18n import _
from toolkit.figures.sentences import number

Picture = NDArray[np.uint8]
WIDTH = 560


def outlined(rgb: Picture, mask: NDArray[np.floating]) -> Picture:
    """Return the picture with the outline of a mask drawn in: white, with a black edge.

    Parameters
    ----------
    rgb : (H, W, 3) uint8
    mask : (H, W)
        0..1; the line runs where it is a half.
    """
    import cv2

    out = rgb.copy()
    rings, _hierarchy = cv2.findContours(
        (mask >= 0.5).astype(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE
    )
    thick = max(1, round(rgb.shape[0] / 110))
    cv2.drawContours(out, rings, -1, (0, 0, 0), thick + 2, cv2.LINE_AA)
    cv2.drawContours(out, rings, -1, (255, 255, 255), thick, cv2.LINE_AA)
    return out


def in_grey(values: NDArray[np.floating], *, top: float | None = None) -> Picture:
    """Return values from 0 to `top` (None = their 99.5th percentile) as grey: (H, W, 3) uint8."""
    limit = float(np.percentile(values, 99.5)) if top is None else top
    grey = np.clip(np.asarray(values, np.float64) / max(limit, 1e-9), 0, 1) * 255
    return np.repeat(np.rint(grey).astype(np.uint8)[..., None], 3, axis=2)


def scale(marks: Sequence[tuple[str, float]], *, reach: float = 4.0) -> str:
    """Draw evidence on one line, the threshold in the middle; words beside every mark.

    Parameters
    ----------
    marks
        Name and distance to the threshold in logit, at most three; beyond `reach` they stand at
        the end.
    """
    shapes = ("M0,-7 L6,5 L-6,5 Z", "M-5,-5 H5 V5 H-5 Z", "M0,-6 L6,0 L0,6 L-6,0 Z")
    row, left = 26, 20
    height = 44 + row * len(marks)
    middle, half = WIDTH / 2, WIDTH / 2 - left
    left_word, right_word = _("← speaks for genuine"), _("speaks for forged →")
    middle_word = _("threshold")
    parts = [
        (
            f'<path d="M{left},26 H{WIDTH - left} M{middle},14 V{height - 8}" '
            f'stroke="currentColor" '
            'fill="none"/>'
        ),
        f'<text x="{left}" y="14">{escape(left_word)}</text>',
        (f'<text x="{WIDTH - left}" y="14" text-anchor="end">{escape(right_word)}</text>'),
        (
            f'<text x="{middle}" y="{height - 2}" text-anchor="middle" dy="0">'
            f"{escape(middle_word)}</text>"
        ),
    ]
    labels = []
    for at, (name, gap) in enumerate(marks):
        x = middle + float(np.clip(gap / reach, -1, 1)) * half
        y = 44 + row * at
        side = "start" if x < middle else "end"
        step = 11 if side == "start" else -11
        parts.append(f'<path d="{shapes[at % 3]}" transform="translate({x:.1f},{y - 4})"/>')
        parts.append(f'<text x="{x + step:.1f}" y="{y}" text-anchor="{side}">{escape(name)}</text>')
        labels.append(f"{name}: {gap_words(gap)}")
    return _svg(height, _("Evidence against the threshold"), "; ".join(labels), parts)


def gap_words(gap: float) -> str:
    """Return a distance to the threshold in words.

    Examples
    --------
    >>> gap_words(-0.2), gap_words(2)
    ('just below the threshold', 'far above the threshold')
    """
    size = abs(gap)
    if gap >= 0:
        if size < 0.5:
            return _("just above the threshold")
        return _("above the threshold") if size < 1.5 else _("far above the threshold")
    if size < 0.5:
        return _("just below the threshold")
    return _("below the threshold") if size < 1.5 else _("far below the threshold")


def lines(
    title: str,
    x_name: str,
    y_name: str,
    series: Sequence[tuple[str, Sequence[float], Sequence[float]]],
) -> str:
    """Draw a few curves, told apart by dash pattern and by a label at their end.

    Parameters
    ----------
    series
        Name, x values, y values; empty ones are left out.
    """
    dashes, height = ("", "7 4", "2 3"), 220
    left, right, top, bottom = 46, 150, 12, 40
    drawn = [(n, np.asarray(x, float), np.asarray(y, float)) for n, x, y in series if len(x)]
    if not drawn:
        return ""
    xs, ys = (np.concatenate([d[i] for d in drawn]) for i in (1, 2))
    low_x, high_x = float(xs.min()), float(max(xs.max(), xs.min() + 1e-6))
    low_y, high_y = float(min(ys.min(), 0)), float(max(ys.max(), 1e-6))

    def at(x: float, y: float) -> str:
        px = left + (x - low_x) / (high_x - low_x) * (WIDTH - left - right)
        py = top + (high_y - y) / (high_y - low_y) * (height - top - bottom)
        return f"{px:.1f},{py:.1f}"

    floor = height - bottom
    parts = [
        f'<path d="M{left},{top} V{floor} H{WIDTH - right}" stroke="currentColor" fill="none"/>',
        f'<text x="{left - 4}" y="{top + 8}" text-anchor="end">{escape(_short(high_y))}</text>',
        f'<text x="{left - 4}" y="{floor}" text-anchor="end">{escape(_short(low_y))}</text>',
        f'<text x="{left}" y="{floor + 15}" text-anchor="middle">{escape(_short(low_x))}</text>',
        (
            f'<text x="{WIDTH - right}" y="{floor + 15}" text-anchor="middle">'
            f"{escape(_short(high_x))}</text>"
        ),
        (
            f'<text x="{(left + WIDTH - right) / 2}" y="{height - 6}" text-anchor="middle">'
            f"{escape(x_name)}</text>"
        ),
    ]
    labels, taken = [], list[float]()
    for number_, (name, x, y) in enumerate(drawn):
        points = " ".join(at(a, b) for a, b in zip(x.tolist(), y.tolist(), strict=True))
        parts.append(
            f'<polyline points="{points}" fill="none" stroke="currentColor" stroke-width="1.8" '
            f'stroke-dasharray="{dashes[number_ % 3]}"/>'
        )
        px, py = (float(v) for v in at(float(x[-1]), float(y[-1])).split(","))
        while any(abs(py - other) < 14 for other in taken):
            py -= 14
        taken.append(py)
        parts.append(f'<text x="{px + 6:.1f}" y="{py + 4:.1f}">{escape(name)}</text>')
        labels.append(f"{name}: {_short(float(y[0]))} → {_short(float(y[-1]))}")
    return _svg(height, title, f"{y_name}. {'; '.join(labels)}", parts)


def _short(value: float) -> str:
    digits = 0 if abs(value) >= 100 or value == round(value) else 1 if abs(value) >= 10 else 2
    return number(value, digits)


_MARKS = (
    ("m-4,-4h8v8h-8z", 'fill="currentColor"'),  # a full square
    ("m-3.4,-3.4h6.8v6.8h-6.8z", 'fill="none" stroke="currentColor"'),  # an empty one
    ("m-3.6,-3.6l7.2,7.2m-7.2,0l7.2,-7.2", 'stroke="currentColor"'),  # a cross
    ("m-1,-1h2v2h-2z", 'fill="currentColor"'),  # a dot
)


def _thousands(value: int) -> str:
    """Return a whole number with narrow spaces between thousands, right in both languages."""
    return f"{value:,}".replace(",", "\u202f")


def icons(counts: Sequence[tuple[str, int]], *, columns: int = 50) -> str:
    """Draw one small mark per clip, in rows; each group has its own shape.

    Parameters
    ----------
    counts
        Name and number of each group; a thousand in all is about what can be read.
    """
    step = (WIDTH - 20) / columns
    total = sum(n for _name, n in counts)
    body = -(-total // columns) * step + 8
    parts, at = [], 0
    for group, (name, count) in enumerate(counts):
        draw, style = _MARKS[group % len(_MARKS)]
        cells = ((i % columns, i // columns) for i in range(at, at + count))
        places = [(10 + (x + 0.5) * step, 4 + (y + 0.5) * step) for x, y in cells]
        at += count
        y = body + 12 + 18 * group
        path = "".join(f"M{px:.1f},{py:.1f}{draw}" for px, py in [*places, (16.0, y)])
        parts.append(f'<path d="{path}" {style}/>')
        label = escape(f"{_thousands(count)} {name}")
        parts.append(f'<text x="30" y="{y + 4}">{label}</text>')
    caption = "; ".join(f"{_thousands(count)} {name}" for name, count in counts)
    return _svg(round(body + 18 * len(counts) + 8), _("One mark per clip"), caption, parts)


def _svg(height: float, title: str, said: str, parts: Sequence[str]) -> str:
    return (
        f'<svg viewBox="0 0 {WIDTH} {height}" width="{WIDTH}" role="img" '
        f'aria-label="{escape(f"{title}. {said}")}" fill="currentColor">{"".join(parts)}</svg>'
    )
