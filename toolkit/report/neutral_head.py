"""A neutral head that shows which regions mattered without showing whose face it was.

The outlines come from the canonical face mesh, painted with the very rule that divides a real face
into players; nothing of any person is in it. Shares are told by hatching: its direction says
whether a region speaks for or against, its density how much, so the picture survives a copier.
"""

from __future__ import annotations

import functools
from collections.abc import Iterator, Sequence
from html import escape

import cv2
import numpy as np

from toolkit import figures
from toolkit._i18n import _
from toolkit.errors import ShapeError
from toolkit.faces.mesh import canonical_face
from toolkit.faces.regions import region_map_of
from toolkit.messages import phrase
from toolkit.types import REGIONS

SIDE = 320
_SCALE = 4  # outlines are taken from a painting this much finer
_TOP, _ROW, _LIST = 8, 24, 350
_WIDTH, _HEIGHT = 720, 384
_SPACING = (0.0, 14.0, 9.0, 6.0, 3.6)
"""Pixels between hatching lines, by level; level 0 is blank."""
_LEVELS = (0.05, 0.25, 0.5, 0.75)
"""Part of the largest share from which on the next level is used."""
_FOR, _AGAINST, _INK = "#8a3800", "#0f4c86", "#1f2933"


def line_head(
    shares: Sequence[float], *, unsplit: float = 0.0, title: str = "", ident: str = "head"
) -> str:
    """Draw a head with the share of each player.

    Parameters
    ----------
    shares
        One per player, in the order of `REGIONS`, on the scale of the logit.
    unsplit
        What no region carries.
    title
        Name of the picture for those who cannot see it; empty = a general one.
    ident
        Makes the ids in the SVG unique within a page: letters, digits, - and _ only.

    Returns
    -------
    str
        Inline SVG with its own colours, the same text each time.

    Raises
    ------
    ShapeError
        If there is not one finite share per player, or `ident` has other characters.
    """
    values = [float(v) for v in shares]
    if len(values) != len(REGIONS) or not np.isfinite([*values, unsplit]).all():
        raise ShapeError(
            "shares do not fit the players", phrase("{n} values", n=len(values)), "Give ten."
        )
    if not ident or not ident.replace("-", "").replace("_", "").isalnum() or not ident.isascii():
        raise ShapeError("an SVG id has odd characters", repr(ident)[:40], "Use letters and -.")
    heading = title or _("Share of each region, on a neutral head")
    names = [figures.region_name(region) for region in REGIONS]
    numbers = [figures.number(v, 3, signed=True) for v in values]
    listed = ", ".join(f"{name} {number}" for name, number in zip(names, numbers, strict=True))
    largest = max(map(abs, values)) or 1.0
    kinds = [_kind(value, largest) for value in values]
    named = f'role="img" aria-labelledby="{ident}-t {ident}-d"'
    font = 'font-family="system-ui, sans-serif" font-size="13"'
    box = f'viewBox="0 0 {_WIDTH} {_HEIGHT}"'
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" {box} {named} {font}>',
        f'<title id="{ident}-t">{escape(heading)}</title>',
        f'<desc id="{ident}-d">{escape(listed)}</desc>',
        f"<defs>{''.join(_patterns(ident, {*kinds, 'for3', 'against3'}))}</defs>",
        f'<rect width="{_WIDTH}" height="{_HEIGHT}" fill="#ffffff"/>',
    ]
    for outline, kind in zip(_outlines(), kinds, strict=True):
        look = f'stroke="{_INK}" stroke-width="1" fill-rule="evenodd"'
        parts.append(f'<path d="{outline}" fill="{_fill(ident, kind)}" {look}/>')
    for row, (name, number, kind) in enumerate(zip(names, numbers, kinds, strict=True)):
        parts += _legend_row(ident, row, name, number, kind)
    rest = figures.number(unsplit, 3, signed=True)
    parts += _legend_row(ident, len(REGIONS), _("not divided"), rest, "none0")
    parts += _key(ident)
    return "".join(parts) + "</svg>"


def _kind(value: float, largest: float) -> str:
    level = sum(abs(value) >= part * largest for part in _LEVELS)
    return f"{'for' if value >= 0 else 'against'}{level}" if level else "none0"


def _fill(ident: str, kind: str) -> str:
    return "#ffffff" if kind == "none0" else f"url(#{ident}-{kind})"


def _patterns(ident: str, kinds: set[str]) -> Iterator[str]:
    for kind in sorted(kinds - {"none0"}):
        gap = _SPACING[int(kind[-1])]
        turn, colour, dash = (45, _FOR, "") if kind[0] == "f" else (-45, _AGAINST, "4 2")
        dashes = f' stroke-dasharray="{dash}"' if dash else ""
        yield (
            f'<pattern id="{ident}-{kind}" width="{gap}" height="6" patternUnits="userSpaceOnUse" '
            f'patternTransform="rotate({turn})"><rect width="{gap}" height="6" fill="#ffffff"/>'
            f'<path d="M{gap / 2} 0V6" stroke="{colour}" stroke-width="1.5"{dashes}/></pattern>'
        )


def _legend_row(ident: str, row: int, name: str, number: str, kind: str) -> list[str]:
    y = _TOP + row * _ROW
    return [
        _swatch(ident, y, kind),
        _text(_LIST + 40, y + 14, name),
        f'<text x="{_WIDTH - 20}" y="{y + 14}" fill="{_INK}" text-anchor="end">{number}</text>',
    ]


def _swatch(ident: str, y: int, kind: str) -> str:
    size = f'x="{_LIST}" y="{y}" width="30" height="18"'
    return f'<rect {size} fill="{_fill(ident, kind)}" stroke="{_INK}"/>'


def _text(x: int, y: int, text: str) -> str:
    return f'<text x="{x}" y="{y}" fill="{_INK}">{escape(text)}</text>'


def _key(ident: str) -> list[str]:
    """Say what direction and density mean, and what they do not."""
    y = _TOP + (len(REGIONS) + 1) * _ROW + 10
    parts = [f'<path d="M{_LIST} {y - 8}H{_WIDTH - 20}" stroke="{_INK}" stroke-width="0.5"/>']
    directions = (("for3", _("raises the evidence")), ("against3", _("lowers the evidence")))
    for row, (kind, text) in enumerate(directions):
        parts += [
            _swatch(ident, y + row * _ROW, kind),
            _text(_LIST + 40, y + row * _ROW + 14, text),
        ]
    notes = (
        _("Denser hatching: a larger share. Left and right are the subject's."),
        _("Shows what the detector used; it is no proof of manipulation."),
    )
    parts += [_text(4, SIDE + 28 + row * _ROW, text) for row, text in enumerate(notes)]
    return parts


@functools.cache
def _outlines() -> tuple[str, ...]:
    """Return one SVG path per player, from the canonical mesh."""
    size = SIDE * _SCALE
    face = canonical_face().vertices
    middle = (face.max(axis=0) + face.min(axis=0)) / 2
    scale = 0.68 * size / np.ptp(face[:, 1])
    mesh = np.zeros((478, 3), np.float32)
    # the model's y goes up and its z towards us; those of pictures go down and away
    mesh[:468] = (face - middle) * np.array([scale, -scale, -scale]) + [size / 2, size / 2, 0]
    painted = region_map_of(mesh, size)
    paths = []
    for region in range(len(REGIONS)):
        mask = (painted == region).astype(np.uint8)
        contours, _hierarchy = cv2.findContours(mask, cv2.RETR_CCOMP, cv2.CHAIN_APPROX_SIMPLE)
        loops = []
        for loop in contours:
            points = cv2.approxPolyDP(loop, 1.5, closed=True)[:, 0]
            if len(points) > 2:
                steps = "L".join(
                    f"{x / _SCALE + 1:.1f} {y / _SCALE + 1:.1f}" for x, y in points.tolist()
                )
                loops.append(f"M{steps}Z")
        paths.append("".join(loops))
    return tuple(paths)
