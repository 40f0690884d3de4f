"""A likelihood ratio in words, with the scale that was used.

The findings are so many times more probable under one proposition than under the other; never a
proposition more probable than the other, which would swap the conditional.
"""

from __future__ import annotations

import itertools

from toolkit import figures
from toolkit._i18n import _, language

BANDS = ((10.0, "limited"), (100.0, "moderate"), (1000.0, "moderately_strong"), (10000.0, "strong"))
"""Ratios up to which each word is used; above the last: very strong."""

NEUTRAL_BELOW = 1.05  # the ratio then rounds to one


def scale_rows() -> list[tuple[str, str]]:
    """Return the verbal scale as rows of ratio and words."""
    words = [_support(word) for _limit, word in BANDS] + [_support("very_strong")]
    limits = [1.0, *(limit for limit, _word in BANDS)]
    rows = [f"{_count(a)} – {_count(b)}" for a, b in itertools.pairwise(limits)]
    rows.append("> " + _count(limits[-1]))
    return list(zip(rows, words, strict=True))


def _support(word: str) -> str:
    return {
        "limited": _("limited (weak) support"),
        "moderate": _("moderate support"),
        "moderately_strong": _("moderately strong support"),
        "strong": _("strong support"),
        "very_strong": _("very strong support"),
    }[word]


def band(ratio: float) -> str:
    """Return the words for a ratio of at least 1.

    Examples
    --------
    >>> band(3), band(10), band(20), band(20000)
    ('limited (weak) support', 'limited (weak) support', 'moderate support', 'very strong support')
    """
    # a ratio that is cut at a limit must not reach the next word
    return _support(next((word for limit, word in BANDS if ratio <= limit + 1e-9), "very_strong"))


def times(ratio: float) -> str:
    """Return a ratio to two significant figures.

    Examples
    --------
    >>> times(3.456), times(123.4), times(10)
    ('3.5', '120', '10')
    """
    text = f"{ratio:.2g}"
    if "e" in text or float(text) >= 10:
        return _count(float(text))
    return figures.number(float(text), 1).rstrip("0").rstrip(".,")


def _count(value: float) -> str:
    """Return a whole number with the language's mark between thousands."""
    text = f"{value:,.0f}"
    return text.replace(",", ".") if language() == "nl" else text


def ratio_sentences(log10_lr: float | None, bounds: tuple[float, float] | None) -> list[str]:
    """Return the result in words: the ratio with its bounds, or that there is none."""
    if log10_lr is None:
        return [
            _(
                "No likelihood ratio is given: no calibration of this detector on material like "
                "this is at hand. How strongly the findings support either proposition is "
                "not known."
            )
        ]
    ratio = 10.0 ** abs(log10_lr)
    first, second = ("H1", "H2") if log10_lr >= 0 else ("H2", "H1")
    if ratio < NEUTRAL_BELOW:
        sentences = [_("The findings are about equally probable if H1 is true and if H2 is true.")]
    else:
        sentences = [
            _(
                "The findings are about {times} times more probable if {first} is true than if "
                "{second} is true: {words} for {first}."
            ).format(times=times(ratio), first=first, second=second, words=band(ratio))
        ]
    if bounds is not None:
        low, high = bounds
        sentences.append(
            _(
                "This calibration supports no ratio outside of {low} in favour of H2 and {high} in "
                "favour of H1."
            ).format(low=times(10.0 ** max(0.0, -low)), high=times(10.0 ** max(0.0, high)))
        )
    return sentences
