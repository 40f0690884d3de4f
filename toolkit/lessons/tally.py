"""What a class made of a quiz: alone, the detector, both, and who was misled by whom."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, fields

from toolkit.errors import UsageError
from toolkit.lessons.codes import CONFIDENCES, CodeResult, Given
from toolkit.messages import phrase

FACE = frozenset(
    {"mouth", "left_eye", "right_eye", "nose", "forehead", "left_cheek", "right_cheek", "chin_jaw",
     "contour"}
)  # fmt: skip
"""What is forged when a whole face is: every player but the background."""


@dataclass(frozen=True)
class Key:
    """The right answer to one question, and the detector's.

    Attributes
    ----------
    forged
        Whether the clip is forged.
    regions
        Where; empty for a genuine clip.
    model
        Whether the detector calls it forged; None where it gives no verdict.
    """

    forged: bool
    regions: frozenset[str]
    model: bool | None

    @property
    def model_is_right(self) -> bool | None:
        """Whether the detector's verdict is right; None where it gives none."""
        return None if self.model is None else self.model == self.forged


@dataclass(frozen=True)
class Tally:
    """Counts over answers. All are numbers of answers, never shares.

    Attributes
    ----------
    answers
        Answers that were finished.
    alone, together
        Right before, and right after hearing the detector.
    model
        Answers to questions that the detector has right; `model_of` = where it gives a verdict.
    misled, could_mislead
        Right before and wrong after a wrong detector; all that were right before a wrong one.
    helped, could_help
        Wrong before and right after a right detector; all that were wrong before a right one.
    pointed, pointed_right
        Forged clips that were called forged with a region, and those with a forged region.
    sure, sure_wrong
        First answers that were given as sure, and the wrong ones of them.
    """

    answers: int = 0
    alone: int = 0
    together: int = 0
    model: int = 0
    model_of: int = 0
    misled: int = 0
    could_mislead: int = 0
    helped: int = 0
    could_help: int = 0
    pointed: int = 0
    pointed_right: int = 0
    sure: int = 0
    sure_wrong: int = 0

    def __add__(self, other: Tally) -> Tally:
        """Return the counts of both."""
        return Tally(*(getattr(self, f.name) + getattr(other, f.name) for f in fields(Tally)))


@dataclass(frozen=True)
class ClassResult:
    """A whole class: how many pupils, counts per question and in all, suspected regions."""

    pupils: int
    questions: tuple[Tally, ...]
    total: Tally
    regions: tuple[tuple[tuple[str, int], ...], ...]


def tally_one(key: Key, given: Given) -> Tally:
    """Return the counts of one answer."""
    alone, together = given.first == key.forged, given.second == key.forged
    right = key.model_is_right
    could_mislead, could_help = alone and right is False, not alone and right is True
    points = key.forged and given.first and given.region is not None
    sure = given.confidence == CONFIDENCES - 1
    return Tally(
        answers=1,
        alone=int(alone),
        together=int(together),
        model=int(right is True),
        model_of=int(right is not None),
        misled=int(could_mislead and not together),
        could_mislead=int(could_mislead),
        helped=int(could_help and together),
        could_help=int(could_help),
        pointed=int(points),
        pointed_right=int(points and given.region in key.regions),
        sure=int(sure),
        sure_wrong=int(sure and not alone),
    )


def tally(keys: Sequence[Key], results: Sequence[CodeResult]) -> ClassResult:
    """Return what a class made of a quiz.

    Raises
    ------
    UsageError
        If a result has another number of questions than the quiz.
    """
    for result in results:
        if len(result.given) != len(keys):
            raise UsageError(
                "a code has another number of questions",
                phrase("{n} of {total}", n=len(result.given), total=len(keys)),
            )
    questions, regions = [], []
    for number, key in enumerate(keys):
        answers = [g for r in results if (g := r.given[number]) is not None]
        questions.append(sum((tally_one(key, g) for g in answers), Tally()))
        counted = Counter(g.region for g in answers if g.region is not None)
        regions.append(tuple(counted.most_common()))
    return ClassResult(len(results), tuple(questions), sum(questions, Tally()), tuple(regions))
