"""What a detector's "forged" means when forgeries are rare: counts of clips, no probabilities."""

from __future__ import annotations

from dataclasses import dataclass

from toolkit.errors import UsageError


@dataclass(frozen=True)
class Counts:
    """What becomes of a number of clips.

    Attributes
    ----------
    forged, genuine
        How many there are.
    found, missed
        Forged clips that the detector calls forged, and the others.
    alarms
        Genuine clips that it calls forged.
    """

    forged: int
    genuine: int
    found: int
    missed: int
    alarms: int

    @property
    def called(self) -> int:
        """How many clips the detector calls forged."""
        return self.found + self.alarms


def expect(*, clips: int, one_in: int, found_of_100: int, alarms_of_100: int) -> Counts:
    """Return the counts to expect, rounded to whole clips.

    Parameters
    ----------
    clips
        How many clips there are.
    one_in
        One clip in so many is forged.
    found_of_100, alarms_of_100
        Of 100 forged, and of 100 genuine clips: how many the detector calls forged.

    Raises
    ------
    UsageError
        If a number is out of range.

    Examples
    --------
    >>> expect(clips=10_000, one_in=1000, found_of_100=90, alarms_of_100=5)
    Counts(forged=10, genuine=9990, found=9, missed=1, alarms=500)
    """
    rates = (found_of_100, alarms_of_100)
    if clips < 1 or one_in < 1 or not all(0 <= r <= 100 for r in rates):
        raise UsageError("these numbers do not fit", f"{clips}, {one_in}, {rates}")
    forged = round(clips / one_in)
    true_positives = round(forged * found_of_100 / 100)
    genuine = clips - forged
    return Counts(
        forged,
        genuine,
        true_positives,
        forged - true_positives,
        round(genuine * alarms_of_100 / 100),
    )


def likelihood_ratio(*, found_of_100: int, alarms_of_100: int) -> float | None:
    """Return how many times as often "forged" is said of a forged clip as of a genuine one.

    None where it is never said of a genuine one: then the numbers support no bound.

    Examples
    --------
    >>> likelihood_ratio(found_of_100=90, alarms_of_100=5)
    18.0
    """
    return None if alarms_of_100 == 0 else found_of_100 / alarms_of_100
