"""Check an answer to an exercise, and say something kind about it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from toolkit._i18n import _
from toolkit.errors import UsageError
from toolkit.lessons.text import Exercise

Answer = str | int | float | list[int]
"""A text (open, or a number as typed), the position of an option, or positions of several."""

TRIES = 2
"""After so many answers that are not right, the explanation is shown."""


@dataclass(frozen=True)
class Marked:
    """What is said about an answer.

    Attributes
    ----------
    is_right
        None where there is nothing to check.
    text
        Feedback in the language in use.
    explains
        Whether the explanation belongs to it.
    """

    is_right: bool | None
    text: str
    explains: bool


def parse_number(text: str) -> float | None:
    """Return the number that somebody typed, with a decimal point or comma; None where it is none.

    Examples
    --------
    >>> [parse_number(t) for t in ("12", " 0,5 ", "1.000,5", "about 3", "inf")]
    [12.0, 0.5, None, None, None]
    """
    cleaned = text.strip().replace(" ", "").replace("−", "-")
    if cleaned.count(",") + cleaned.count(".") > 1:
        return None
    try:
        value = float(cleaned.replace(",", "."))
    except ValueError:
        return None
    return value if math.isfinite(value) else None


def is_right(
    exercise: Exercise, answer: Answer, *, known: Answer | None = None, within: float | None = None
) -> bool | None:
    """Return whether an answer is right; None for an open question.

    Parameters
    ----------
    answer
        A position for ``choice``, positions for ``many``, a typed text for ``number``, a name out
        of `REGIONS` for ``region``.
    known
        The right answer where only the moment tells it: of the same form, or a number.
    within
        How far off a number may be; None = as the lesson says.

    Raises
    ------
    UsageError
        If nobody said what is right.
    """
    match exercise.kind:
        case "open":
            return None
        case "choice":
            right = [i for i, o in enumerate(exercise.options) if o.is_right]
            if known is not None:
                right = [int(known)]  # type: ignore[arg-type]  # a position
            _need(right, exercise)
            return answer in right
        case "many":
            wanted = known if known is not None else _positions(exercise)
            _need(wanted, exercise)
            return sorted(_listed(answer)) == sorted(_listed(wanted))
        case "number":
            target = exercise.number if known is None else float(known)  # type: ignore[arg-type]
            number = parse_number(str(answer))
            _need(target is not None, exercise)
            allowed = exercise.within if within is None else within
            return number is not None and abs(number - float(target or 0)) <= allowed + 1e-9
        case "region":
            names: Sequence[str] = exercise.regions if known is None else [str(known)]
            _need(names, exercise)
            return answer in names


def mark(
    exercise: Exercise,
    answer: Answer,
    *,
    tries: int,
    known: Answer | None = None,
    within: float | None = None,
) -> Marked:
    """Return the feedback on an answer.

    Parameters
    ----------
    tries
        How many answers were given, this one included.
    """
    right = is_right(exercise, answer, known=known, within=within)
    own = _own_words(exercise, answer)
    if right is None:
        return Marked(None, _("Saved. Compare yours with an example of an answer:"), True)
    if right:
        return Marked(True, " ".join([_("Right."), *own]), True)
    if exercise.kind == "number" and parse_number(str(answer)) is None:
        return Marked(False, _("This is not a number yet. Write it in digits, such as 12."), False)
    if tries >= TRIES:
        text = _("Not quite. That is fine: this one is hard. Here is how it works:")
        return Marked(False, " ".join([*own, text]), True)
    nudge = str(exercise.hint) if exercise.hint else _("Look once more, and try again.")
    return Marked(False, " ".join([_("Not yet."), *own, nudge]), False)


def _own_words(exercise: Exercise, answer: Answer) -> list[str]:
    if exercise.kind != "choice" or not isinstance(answer, int):
        return []
    say = exercise.options[answer].say if 0 <= answer < len(exercise.options) else None
    return [str(say)] if say else []


def _positions(exercise: Exercise) -> list[int]:
    return [i for i, o in enumerate(exercise.options) if o.is_right]


def _listed(value: Answer) -> list[int]:
    return list(value) if isinstance(value, list) else [int(value)]


def _need(known: object, exercise: Exercise) -> None:
    if not known and known != 0:
        raise UsageError(
            "nobody said what is right",
            exercise.id,
            "Give the answer in the lesson or at run time.",
        )
