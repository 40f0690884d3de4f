"""Result codes: what one pupil answered, in four groups of five characters.

A code is a number in base 32 (Crockford's alphabet: no I, L, O, U; what looks alike is read alike):

    quiz (15 bits) · draw (10 bits) · one digit in base 133 per question · check (15 bits)

*draw* is a random number, so that two pupils with equal answers have different codes, and a code
that was pasted twice counts once. A digit is 0 for a question that was not finished, else
``1 + ((first * 3 + confidence) * 2 + second) * 11 + region``. *check* is the rest of what stands
before it modulo a prime just below 2^15: it changes with any one wrong character and with any two
neighbours that changed places, wherever they stand; of random junk one in 32,749 passes.

``quiz.js`` makes the codes; this module is the grammar's other end, and the tests hold them
together. A code says nothing about who the pupil is.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from toolkit.errors import UsageError
from toolkit.messages import Message
from toolkit.types import REGIONS

ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
GROUP = 5
DRAWS = 1 << 10
QUIZZES = 1 << 15
CHECK_PRIME, CHECK_SHIFT = 32_749, 20_261
CHECK_LENGTH = 3
DIGIT = 1 + 2 * 3 * 2 * (1 + len(REGIONS))
QUESTIONS_MAX = 12
CONFIDENCES = 3

_ALIKE = str.maketrans("OIL", "011")
_WRONG_CHARACTER = Message("wrong_character", "a character of this code is wrong")
_TEXT_MAX = 200_000  # pasted characters that are looked at


@dataclass(frozen=True)
class Given:
    """What one pupil answered to one question.

    Attributes
    ----------
    first, second
        Whether the pupil called the clip forged, before and after hearing the detector.
    confidence
        With the first answer: 0 a guess, 1 fairly sure, 2 sure.
    region
        Part of the face that was suspected, a name out of `REGIONS`, or None.
    """

    first: bool
    confidence: int
    second: bool
    region: str | None = None


@dataclass(frozen=True)
class CodeResult:
    """One pupil's answers: a `Given` per question, None where it was not finished."""

    quiz: int
    draw: int
    given: tuple[Given | None, ...]


@dataclass(frozen=True)
class Misfit:
    """A pasted line without a code that fits, and why: a stable word."""

    line: str
    why: str


def length(questions: int) -> int:
    """Return how many characters a code has, dashes not counted.

    Examples
    --------
    >>> length(8)
    20
    """
    most = QUIZZES * DRAWS * int(DIGIT**questions) - 1
    return -(-most.bit_length() // 5) + CHECK_LENGTH


_QUESTIONS = {length(n): n for n in range(1, QUESTIONS_MAX + 1)}


def encode(result: CodeResult) -> str:
    """Return the code of a pupil's answers.

    Raises
    ------
    UsageError
        If a value is out of range.

    Examples
    --------
    >>> given = (Given(True, 2, True, "mouth"),) * 8
    >>> decode(encode(CodeResult(5, 77, given))).given == given
    True
    """
    count = len(result.given)
    if not (0 <= result.quiz < QUIZZES and 0 <= result.draw < DRAWS and 0 < count <= QUESTIONS_MAX):
        raise UsageError("this result cannot be a code", f"{result.quiz}, {result.draw}, {count}")
    number = result.quiz * DRAWS + result.draw
    for given in result.given:
        number = number * DIGIT + _digit(given)
    check = (number + CHECK_SHIFT) % CHECK_PRIME
    text = _write(number, length(count) - CHECK_LENGTH) + _write(check, CHECK_LENGTH)
    return "-".join(text[i : i + GROUP] for i in range(0, len(text), GROUP))


def decode(code: str) -> CodeResult:
    """Return what a code says.

    Raises
    ------
    UsageError
        If it is none; `cause` says why.
    """
    text = re.sub(r"[\W_]+", "", code, flags=re.ASCII).upper().translate(_ALIKE)
    count = _QUESTIONS.get(len(text))
    if count is None or not set(text) <= set(ALPHABET):
        raise UsageError("this is not a result code", repr(code[:60]))
    number = _read(text[:-CHECK_LENGTH])
    if _read(text[-CHECK_LENGTH:]) != (number + CHECK_SHIFT) % CHECK_PRIME:
        raise UsageError(_WRONG_CHARACTER, repr(code[:60]), "Ask for it again.")
    digits = []
    for _question in range(count):
        number, digit = divmod(number, DIGIT)
        digits.append(digit)
    quiz, draw = divmod(number, DRAWS)
    if quiz >= QUIZZES:
        raise UsageError("this is not a result code", repr(code[:60]))
    return CodeResult(quiz, draw, tuple(_given(d) for d in reversed(digits)))


def find(text: str) -> tuple[list[CodeResult], list[Misfit]]:
    """Find the codes in what a teacher pasted: one per line, with or without words beside them.

    Returns
    -------
    results, misfits
        Each code once, in order; and the lines in which there is none, ``"repeated"`` ones too.
    """
    found: dict[CodeResult, None] = {}
    misfits = []
    for line in text[:_TEXT_MAX].splitlines():
        words = [w for w in re.split(r"[\W_]+", line, flags=re.ASCII) if w]
        if not words:
            continue
        results, why = _in_line(words[:200])
        fresh = [r for r in results if r not in found]
        found |= dict.fromkeys(fresh)
        if not fresh:
            misfits.append(Misfit(line.strip()[:80], "repeated" if results else why))
    return list(found), misfits


def _in_line(words: list[str]) -> tuple[list[CodeResult], str]:
    """Return the codes that runs of words make, and why there is none."""
    results, why, start = [], "no_code", 0
    while start < len(words):
        run, taken = "", 0
        for end in range(start, min(start + 12, len(words))):
            run += words[end]
            if len(run) > max(_QUESTIONS):
                break
            if len(run) not in _QUESTIONS:
                continue
            try:
                results.append(decode(run))
            except UsageError as error:
                if error.parts[0] == _WRONG_CHARACTER and _looks_like_one(words[start : end + 1]):
                    why = "wrong_character"
            else:
                taken = end + 1 - start
                break
        start += taken or 1
    return results, why


def _looks_like_one(words: list[str]) -> bool:
    """Return whether words are written as a code is: in groups, with a digit somewhere."""
    grouped = len(words) == 1 or all(len(w) == GROUP for w in words[:-1])
    return grouped and any(c.isdigit() for w in words for c in w)


def _digit(given: Given | None) -> int:
    if given is None:
        return 0
    if not 0 <= given.confidence < CONFIDENCES:
        raise UsageError("this confidence does not exist", str(given.confidence))
    if given.region is not None and given.region not in REGIONS:
        raise UsageError("this region does not exist", given.region)
    region = 0 if given.region is None else 1 + REGIONS.index(given.region)
    head = (int(given.first) * CONFIDENCES + given.confidence) * 2 + int(given.second)
    return 1 + head * (1 + len(REGIONS)) + region


def _given(digit: int) -> Given | None:
    if digit == 0:
        return None
    head, region = divmod(digit - 1, 1 + len(REGIONS))
    head, second = divmod(head, 2)
    first, confidence = divmod(head, CONFIDENCES)
    return Given(bool(first), confidence, bool(second), REGIONS[region - 1] if region else None)


def _write(number: int, size: int) -> str:
    out = ""
    for _place in range(size):
        number, digit = divmod(number, len(ALPHABET))
        out = ALPHABET[digit] + out
    return out


def _read(text: str) -> int:
    number = 0
    for sign in text:
        number = number * len(ALPHABET) + ALPHABET.index(sign)
    return number
