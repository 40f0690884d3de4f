"""What a questioned recording scores beside one that is known to be genuine, in words."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from typing import TYPE_CHECKING

from toolkit._i18n import _
from toolkit.figures.sentences import number

if TYPE_CHECKING:
    from toolkit.verdict.comparison import Comparison


_WIDE, _TALL, _AXIS = 460, 76, 46


def comparison_svg(found: Comparison, apart: Sequence[float]) -> str:
    """Return the difference among those between halves of genuine recordings, as SVG.

    Parameters
    ----------
    found
        The comparison.
    apart
        How far the halves of each genuine recording lie apart, in logits: `GenuineSpread.apart`.
    """
    end = 1.1 * max([*apart, abs(found.difference), found.limit or 0.0, 1.0])

    def x(value: float) -> float:
        return round(14 + value / end * (_WIDE - 28), 1)

    here = x(max(0.0, found.difference))
    colour = "#c8540a" if found.is_higher else "#2166ac"
    dots = "".join(
        f'<circle cx="{x(value)}" cy="{_AXIS - 8}" r="4" fill="currentColor" opacity=".45"/>'
        for value in apart
    )
    limit = ""
    if found.limit is not None:
        at = x(found.limit)
        limit = (
            f'<rect x="{at}" y="14" width="{_WIDE - at}" height="{_AXIS - 14}" fill="#c8540a" '
            f'opacity=".12"/><path d="M{at} 10V{_AXIS + 4}" stroke="currentColor" '
            'stroke-dasharray="5 3" stroke-width="1.5"/>'
        )
    name = escape(_("This difference among those between halves of genuine recordings"))
    words = [
        (14, "start", _("dots: halves of {n} genuine recordings").format(n=len(apart))),
        (_WIDE - 8, "end", _("farther apart →")),
    ]
    texts = "".join(
        f'<text x="{at}" y="{_AXIS + 20}" text-anchor="{anchor}" fill="currentColor">'
        f"{escape(text)}</text>"
        for at, anchor, text in words
    )
    return (
        f'<svg class="dz-strip-plot" viewBox="0 0 {_WIDE} {_TALL}" role="img" aria-label="{name}" '
        'font-family="system-ui, sans-serif" font-size="12" style="max-width:520px;width:100%">'
        f'{limit}<path d="M6 {_AXIS}H{_WIDE - 6}" stroke="currentColor" opacity=".5"/>{dots}'
        f'<path d="M{here} {_AXIS - 22}V{_AXIS}" stroke="{colour}" stroke-width="2"/>'
        f'<path d="M{here} {_AXIS - 34}l8 14h-16z" fill="{colour}" stroke="#fff"/>{texts}</svg>'
    )


def comparison_sentences(found: Comparison) -> list[str]:
    """Return what a comparison says, how sure that is, and what may be in the way."""
    values = {
        "person": found.questioned.person,
        "value": number(found.questioned.logit),
        "known": number(found.known.logit),
        "gap": number(abs(found.difference)),
        "limit": "" if found.limit is None else number(found.limit),
    }
    if found.limit is None:
        head = _(
            "Person {person} scores {value}; what you say is genuine scores {known}. How far "
            "apart the halves of genuine recordings lie was not measured for this detector."
        )
    elif found.is_higher:
        head = _(
            "Person {person} scores {gap} logit higher than what you say is genuine. Two "
            "halves of a genuine recording seldom differ by more than {limit}: it speaks for "
            "forged."
        )
    elif found.difference < -found.limit:
        head = _(
            "Person {person} scores {gap} logit lower than what you say is genuine: it is the "
            "known material that stands out. Ask again whether it is genuine."
        )
    else:
        head = _(
            "Person {person} scores {gap} logit away from what you say is genuine. Two halves "
            "of a genuine recording differ by as much: it speaks neither for forged nor against it."
        )
    lines = [head.format(**values)]
    if found.known.is_called_forged:
        lines.append(
            _(
                "This detector calls what you say is genuine forged: ask again whether it is "
                "genuine, and of the same person. Until then the difference says little."
            )
        )
    if found.limit is not None:
        text = _(
            "Of {of} genuine recordings, {n} have halves that lie as far apart, or farther; the "
            "limit is {limit}."
        )
        limit = number(found.limit)
        lines.append(text.format(of=found.of, n=found.at_least, limit=limit))
    if "face_px" in found.unlike:
        text = _("The faces differ in size ({a} and {b} px): the difference may come from that.")
        a, b = (number(s.face_px, 0) for s in (found.questioned, found.known))
        lines.append(text.format(a=a, b=b))
    if "sharpness" in found.unlike:
        text = _("The pictures differ in sharpness ({a} and {b}): the difference may come from it.")
        a, b = (number(s.sharpness, 0) for s in (found.questioned, found.known))
        lines.append(text.format(a=a, b=b))
    lines.append(_picture_sentence(found))
    caution = _(
        "This holds for the same person, filmed, coded and sent alike, and for material that "
        "was not chosen by looking at this analysis."
    )
    if found.limit is not None:
        caution += " " + _("It was measured on other seconds of the same recording.")
    lines.append(caution)
    return lines


def _picture_sentence(found: Comparison) -> str:
    """Return how sharp and how large the two faces are: apart from the score, and no verdict."""
    mine, known, limit = found.questioned, found.known, found.sharpness_limit
    text = _(
        "Apart from the score: the face in question has a sharpness of {a} and is {width} px wide, "
        "the known one {b} and {known_width} px."
    ).format(
        a=number(mine.sharpness, 0),
        b=number(known.sharpness, 0),
        width=number(mine.face_px, 0),
        known_width=number(known.face_px, 0),
    )
    if limit is not None and found.sharpness_ratio > 0:
        if found.sharpness_ratio < 1 / limit:
            text += " " + _(
                "It is softer than halves of genuine recordings are to each other (at most "
                "{times} times). A forgery often is, and so is a copy that was sent on."
            ).format(times=number(limit, 1))
        elif found.sharpness_ratio <= limit:
            text += " " + _(
                "Halves of genuine recordings differ as much (up to {times} times)."
            ).format(times=number(limit, 1))
        else:
            text += " " + _(
                "It is sharper than halves of genuine recordings are to each other (at most "
                "{times} times)."
            ).format(times=number(limit, 1))
    softer, of = found.softer
    if of:
        text += " " + _(
            "Of {of} forgeries with a known original, {n} had a softer face than the original."
        ).format(of=of, n=softer)
    return text + " " + _("This is no part of the verdict.")
