"""The drawn strip on the first screen of each lesson: what it is about, in three pictures.

Drawn and not photographed, so that it is there at once, needs no sample, and shows nobody.
"""

from __future__ import annotations

from collections.abc import Callable
from html import escape

from toolkit._i18n import _

SIDE, TALL = 150, 150
"""Of one picture, in its own units."""

_PAPER, _INK, _SKIN, _OTHER_SKIN, _HAIR = "#f3f1ec", "#1f2933", "#e6c9a8", "#c99a6e", "#4a3b30"
_FORGED, _GENUINE, _SOFT = "#c8540a", "#2166ac", "#8a949e"


def lesson_strip(stem: str) -> str:
    """Return the strip of a lesson as HTML, in the language in use; empty where it has none.

    Parameters
    ----------
    stem
        Name of the notebook without its suffix, such as ``"06_spot_the_fake"``.
    """
    draw = _STRIPS.get(stem[:2])
    if draw is None:
        return ""
    figures = "".join(
        f'<figure><svg viewBox="0 0 {SIDE} {TALL}" role="img" aria-label="{escape(caption)}">'
        f'<rect width="{SIDE}" height="{TALL}" rx="6" fill="{_PAPER}"/>{drawing}</svg>'
        f"<figcaption>{number}. {escape(caption)}</figcaption></figure>"
        for number, (drawing, caption) in enumerate(draw(), 1)
    )
    return f'<div class="dz-lesson-strip">{figures}</div>'


# -- faces


def _head(*, other: bool = False) -> str:
    """Draw hair, head and neck of one of two people."""
    skin = _OTHER_SKIN if other else _SKIN
    hair = (
        "M38 62C34 20 116 20 112 62L116 112H104V66H46V112H34Z"
        if other
        else "M42 66C36 22 114 22 108 66L104 52H46Z"
    )
    return (
        f'<path d="M62 112H88V132C104 134 114 140 118 150H32C36 140 46 134 62 132Z" fill="{skin}"/>'
        f'<path d="{hair}" fill="{_HAIR}"/>'
        f'<ellipse cx="75" cy="78" rx="33" ry="42" fill="{skin}"/>'
        f'<path d="M42 66C40 26 110 26 108 66C95 51 55 51 42 66Z" fill="{_HAIR}"/>'
    )


def _features(*, other: bool = False, is_open: bool = False) -> str:
    """Draw eyes, nose and mouth; the other person wears glasses."""
    mouth = (
        f'<ellipse cx="75" cy="103" rx="10" ry="6" fill="#7a2e2e" stroke="{_INK}"/>'
        if is_open
        else f'<path d="M64 102Q75 108 86 102" fill="none" stroke="{_INK}" stroke-width="2.5"/>'
    )
    glasses = (
        f'<g fill="none" stroke="{_INK}" stroke-width="2"><circle cx="62" cy="74" r="10"/>'
        '<circle cx="88" cy="74" r="10"/><path d="M72 74H78"/></g>'
        if other
        else f'<path d="M54 66H69M81 66H96" stroke="{_INK}" stroke-width="2.5"/>'
    )
    return (
        f'<g fill="{_INK}"><circle cx="62" cy="75" r="3"/><circle cx="88" cy="75" r="3"/></g>'
        f'<path d="M75 78L71 91H77" fill="none" stroke="{_INK}" stroke-width="2"/>{glasses}{mouth}'
    )


def _face(*, other: bool = False, is_open: bool = False) -> str:
    return _head(other=other) + _features(other=other, is_open=is_open)


def _blended(*, shows_seam: bool) -> str:
    """Draw the other person's face within the head of the first."""
    seam = f'stroke="{_FORGED}" stroke-width="2" stroke-dasharray="4 3"' if shows_seam else ""
    return (
        f'{_head()}<ellipse cx="75" cy="82" rx="25" ry="33" fill="{_OTHER_SKIN}" opacity=".75" '
        f"{seam}/>{_features(other=True, is_open=True)}"
    )


def _heat() -> str:
    """Draw what a detector points at: the mouth, shaded and outlined."""
    return (
        f'<ellipse cx="75" cy="103" rx="19" ry="13" fill="{_FORGED}" opacity=".55"/>'
        '<ellipse cx="75" cy="103" rx="19" ry="13" fill="none" '
        f'stroke="{_INK}" stroke-width="1.5"/>'
    )


def _sign(text: str, colour: str) -> str:
    return (
        f'<circle cx="126" cy="26" r="17" fill="{colour}"/><text x="126" y="33" fill="#fff" '
        f'text-anchor="middle" font-size="21" font-weight="700">{escape(text)}</text>'
    )


def _gauge(at: float) -> str:
    """Draw a line with a threshold in its middle, and a mark at 0..1."""
    x = 16 + 118 * at
    colour = _FORGED if at > 0.5 else _GENUINE
    return (
        f'<rect x="8" y="122" width="134" height="24" rx="4" fill="#fff" opacity=".9"/>'
        f'<path d="M14 138H136" stroke="{_INK}"/><path d="M75 126V144" stroke="{_INK}" '
        f'stroke-dasharray="3 2"/><path d="M{x:.0f} 138l-6 -10h12z" fill="{colour}"/>'
    )


def _squares() -> str:
    """Draw a face as a copy that was made small: squares instead of lines."""
    rows = (
        "....hhhh....",
        "..hhhhhhhh..",
        "..hssssssh..",
        "..ssssssss..",
        "..sissssis..",
        "..ssssssss..",
        "..sssnnsss..",
        "...ssmmss...",
        "...smmmms...",
        "....ssss....",
        "...ssssss...",
        ".ssssssssss.",
    )
    colours = {"h": _HAIR, "s": _SKIN, "i": _INK, "n": "#c9a27c", "m": "#a9724f"}
    return "".join(
        f'<rect x="{15 + 10 * x}" y="{6 + 10 * y}" width="10" height="10" fill="{colours[c]}"/>'
        for y, row in enumerate(rows)
        for x, c in enumerate(row)
        if c in colours
    )


def _alarms() -> str:
    """Draw a hundred clips of which one is forged and found, and five are false alarms."""
    false = {7, 23, 48, 66, 91}
    parts = []
    for number in range(100):
        x, y = 20 + 12 * (number % 10), 20 + 12 * (number // 10)
        if number == 54:
            parts.append(f'<path d="M{x} {y - 5}l5.5 10h-11z" fill="{_FORGED}"/>')
        elif number in false:
            parts.append(
                f'<circle cx="{x}" cy="{y}" r="4.2" fill="none" stroke="{_FORGED}" '
                'stroke-width="2.2"/>'
            )
        else:
            parts.append(f'<circle cx="{x}" cy="{y}" r="3" fill="{_SOFT}"/>')
    return "".join(parts)


def _traces() -> str:
    """Draw what a filter leaves of a picture: fine grain, and a ring where it was blended."""
    grain = "".join(
        f'<path d="M{10 + (x * 37 + y * 11) % 128} {10 + 9 * y}h3" stroke="#aeb7c0"/>'
        for y in range(15)
        for x in range(7)
    )
    return (
        f'<rect width="{SIDE}" height="{TALL}" rx="6" fill="#20262c"/>{grain}'
        '<ellipse cx="75" cy="78" rx="33" ry="42" fill="none" stroke="#7d8893"/>'
        '<path d="M54 72H69M81 72H96M75 78L71 91H77" fill="none" stroke="#7d8893"/>'
        '<ellipse cx="75" cy="103" rx="19" ry="13" fill="#20262c" stroke="#fff" stroke-width="3"/>'
    )


def _covered() -> str:
    return f'{_head()}<rect x="36" y="32" width="78" height="92" rx="8" fill="{_INK}"/>'


def _two_people() -> str:
    small = 'transform="translate({x} 34) scale(.62)"'
    return (
        f"<g {small.format(x=-14)}>{_face(is_open=True)}{_heat()}</g>"
        f"<g {small.format(x=62)}>{_face(other=True)}</g>"
    )


def _arriving() -> str:
    """Draw a clip with the first digits of a hash below it."""
    return (
        f'<g transform="translate(19 8) scale(.75)">{_face()}</g>'
        '<rect x="19" y="8" width="112" height="112" fill="none" '
        f'stroke="{_INK}" stroke-width="3"/>'
        f'<path d="M67 50v28l24 -14z" fill="#fff" stroke="{_INK}" stroke-width="2"/>'
        f'<text x="75" y="140" text-anchor="middle" font-size="15" fill="{_INK}" '
        'font-family="monospace">#5c8f…</text>'
    )


# -- strips

Strip = list[tuple[str, str]]


def _made() -> Strip:
    return [
        (_face(is_open=True), _("Somebody speaks in a clip.")),
        (
            _face(other=True, is_open=True),
            _("Somebody else's face is made to show the same expression."),
        ),
        (_blended(shows_seam=True), _("It is blended in. What betrays it is often the seam.")),
    ]


def _found() -> Strip:
    return [
        (_face(is_open=True), _("The mouth was changed. Can you see it?")),
        (_traces(), _("A filter takes the face away and leaves the traces.")),
        (
            _face(is_open=True) + _heat(),
            _("A detector learns such traces, and can say where they are."),
        ),
    ]


def _spotted() -> Strip:
    return [
        (_face() + _sign("?", _INK), _("First you alone: genuine or forged, and how sure?")),
        (_face() + _heat(), _("Then the detector, which errs as well.")),
        (
            _face() + _sign("!", _GENUINE),
            _("Then you again. Only at the end comes the truth."),
        ),
    ]


def _failed() -> Strip:
    return [
        (_blended(shows_seam=False) + _heat() + _gauge(0.85), _("This forgery is called forged.")),
        (_squares() + _gauge(0.3), _("The same clip, sent on and made small: not any more.")),
        (
            _alarms(),
            _(
                "Of 100 clips one is forged: it is found (triangle), with five false alarms "
                "(rings)."
            ),
        ),
    ]


def _investigated() -> Strip:
    return [
        (_arriving(), _("A clip comes in, and its hash is written down.")),
        (_two_people(), _("Who is judged, what speaks for forged, and is there an original?")),
        (_covered(), _("Faces are covered before a report leaves the house.")),
    ]


_STRIPS: dict[str, Callable[[], Strip]] = {
    "04": _made,
    "05": _found,
    "06": _spotted,
    "07": _failed,
    "08": _investigated,
}
