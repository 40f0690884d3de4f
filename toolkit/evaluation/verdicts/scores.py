"""How well scores tell forged from genuine clips, with intervals that keep footage together.

Clips of one footage are not independent: whole groups are drawn again, and two detectors that are
compared see the same draws.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from toolkit.errors import UsageError
from toolkit.messages import phrase

Float = NDArray[np.float64]

RESAMPLES = 2000
LEVEL = 0.95
Interval = tuple[float, float]
ALARMS = (0.01, 0.02, 0.05, 0.1, 0.2)
"""Shares of genuine clips called forged, at which is told how many forgeries are found."""


@dataclass(frozen=True)
class Score:
    """What one detector says of one clip: `path` names the clip, `group` its footage."""

    path: str
    group: str
    is_fake: bool
    value: float


def auc(fake: Float, real: Float) -> float | None:
    """Return the chance that a fake scores above a real; ties count half. None without both.

    Examples
    --------
    >>> auc(np.array([1.0, 3.0]), np.array([1.0, 0.0]))
    0.875
    """
    if not len(fake) or not len(real):
        return None
    return float(_beats(fake, real).mean())


def _beats(fake: Float, real: Float) -> Float:
    return np.asarray((fake[:, None] > real) + 0.5 * (fake[:, None] == real))


def equal_error_rate(fake: Float, real: Float) -> float | None:
    """Return the rate at which as many fakes are missed as reals are called fake.

    Between two thresholds the curve of the error rates is joined by a straight line.

    Examples
    --------
    >>> equal_error_rate(np.array([1.0, 3.0, 4.0, 5.0]), np.array([0.0, 0.5, 0.7, 2.0]))
    0.25
    """
    if not len(fake) or not len(real):
        return None
    at = np.append(np.unique(np.concatenate([fake, real])), np.inf)
    missed = np.searchsorted(np.sort(fake), at, side="left") / len(fake)
    alarms = 1 - np.searchsorted(np.sort(real), at, side="left") / len(real)
    after = int(np.argmax(missed >= alarms))  # the last threshold misses all and alarms for none
    gap = alarms - missed
    if after == 0 or gap[after] == 0:
        return float(missed[after])
    part = gap[after - 1] / (gap[after - 1] - gap[after])
    return float(missed[after - 1] + part * (missed[after] - missed[after - 1]))


def found_at(fake: Float, real: Float, alarms: float) -> tuple[float, float] | None:
    """Return a threshold, and the share of fakes at or above it.

    It is the lowest that no more than the share `alarms` of reals reach. None without both.

    Examples
    --------
    >>> found_at(np.array([1.0, 3.0, 5.0]), np.arange(4.0), 0.25)[1]
    0.6666666666666666
    """
    if not len(fake) or not len(real):
        return None
    may = int(alarms * len(real) + 1e-9)
    at = float(np.nextafter(np.sort(real)[::-1][may], np.inf)) if may < len(real) else -np.inf
    return at, float((fake >= at).mean())


def above_own(scored: Sequence[Score]) -> list[tuple[str, bool]]:
    """Return for each fake with an original of the same footage whether it scores above it.

    Returns
    -------
    list of (group, whether it does)
        Of several originals, the highest counts.
    """
    best: dict[str, float] = {}
    for s in scored:
        if not s.is_fake:
            best[s.group] = max(s.value, best.get(s.group, -np.inf))
    return [(s.group, s.value > best[s.group]) for s in scored if s.is_fake and s.group in best]


def wilson(hits: int, total: int) -> Interval | None:
    """Return the 95 % Wilson interval of a share (doi:10.1080/01621459.1927.10502953).

    Examples
    --------
    >>> [round(x, 3) for x in wilson(0, 20)]
    [0.0, 0.161]
    """
    if not total:
        return None
    z = 1.959963984540054
    share = hits / total
    middle = (share + z * z / (2 * total)) / (1 + z * z / total)
    half = z * np.sqrt(share * (1 - share) / total + z * z / (4 * total**2)) / (1 + z * z / total)
    return float(max(0.0, middle - half)), float(min(1.0, middle + half))


def draw(groups: int, seed: int) -> Float:
    """Return how often each group is drawn in each resample: (RESAMPLES, groups)."""
    rng = np.random.default_rng(seed)
    return rng.multinomial(groups, np.full(groups, 1 / groups), size=RESAMPLES).astype(np.float64)


def percentiles(values: Float) -> Interval | None:
    """Return the central `LEVEL` of the values that are numbers; None if none is."""
    known = values[np.isfinite(values)]
    if not len(known):
        return None
    tail = (1 - LEVEL) / 2 * 100
    low, high = np.percentile(known, [tail, 100 - tail])
    return float(low), float(high)


def bootstrap_rate(hits: Sequence[tuple[str, bool]], *, seed: int) -> Interval | None:
    """Return the interval of a share of clips when whole groups are drawn again.

    Parameters
    ----------
    hits
        (group, whether it is a hit) per clip. None with fewer than two groups.
    """
    groups = sorted({g for g, _ in hits})
    if len(groups) < 2:
        return None
    place = np.array([groups.index(g) for g, _ in hits])
    clips = np.bincount(place).astype(np.float64)
    called = np.bincount(place, weights=np.array([hit for _, hit in hits], np.float64))
    counts = draw(len(groups), seed)
    return percentiles(counts @ called / (counts @ clips))


def bootstrap_cost(costs: Sequence[tuple[str, bool, float]], *, seed: int) -> Interval | None:
    """Return the interval of a cost that is the mean over both labels' means.

    Parameters
    ----------
    costs
        (group, whether the clip is forged, its cost) per clip. None with fewer than two groups of
        a label: nothing would be drawn again there. Resamples that lack a label are left out.
    """
    groups = sorted({g for g, _, _ in costs})
    if min(len({g for g, fake, _ in costs if fake == label}) for label in (True, False)) < 2:
        return None
    place = np.array([groups.index(g) for g, _, _ in costs])
    is_fake = np.array([fake for _, fake, _ in costs])
    value = np.array([c for _, _, c in costs], np.float64)
    counts, total = draw(len(groups), seed), np.zeros(RESAMPLES)
    for label in (True, False):
        of = is_fake == label
        clips = counts @ np.bincount(place[of], minlength=len(groups))
        paid = counts @ np.bincount(place[of], weights=value[of], minlength=len(groups))
        missing = np.full(RESAMPLES, np.nan)
        total += np.divide(paid, clips, out=missing, where=clips > 0) / 2
    return percentiles(total)


class Separation:
    """Mean AUC over forgery methods, each against the originals of the same footage.

    Parameters
    ----------
    methods
        The scores of each method: its fakes, and the genuine clips to compare them with.
    """

    def __init__(self, methods: Iterable[Sequence[Score]]) -> None:
        self.methods = [tuple(m) for m in methods]
        self.groups = sorted({s.group for m in self.methods for s in m})

    @property
    def value(self) -> float | None:
        """Mean over the methods that have clips of both labels; None if none has."""
        areas = [a for m in self.methods if (a := auc(*_split(m))) is not None]
        return float(np.mean(areas)) if areas else None

    def resampled(self, seed: int) -> Float:
        """Return the mean AUC of each resample: (RESAMPLES,); NaN where a label is missing."""
        if len(self.groups) < 2:
            return np.full(RESAMPLES, np.nan)
        counts = draw(len(self.groups), seed)
        total, known = np.zeros(RESAMPLES), np.zeros(RESAMPLES)
        for scores in self.methods:
            fakes, reals = ([s for s in scores if s.is_fake == want] for want in (True, False))
            if not fakes or not reals:
                continue
            f, r = (counts[:, [self.groups.index(s.group) for s in p]] for p in (fakes, reals))
            wins = ((f @ _beats(*_split(scores))) * r).sum(axis=1)
            pairs = f.sum(axis=1) * r.sum(axis=1)
            total += np.divide(wins, pairs, out=np.zeros(RESAMPLES), where=pairs > 0)
            known += pairs > 0
        return np.asarray(np.divide(total, known, out=np.full(RESAMPLES, np.nan), where=known > 0))

    def interval(self, seed: int) -> Interval | None:
        """Return the interval of `value` when whole groups are drawn again."""
        return percentiles(self.resampled(seed))

    def only(self, paths: set[str]) -> Separation:
        """Return the same for some of the clips."""
        return Separation([s for s in m if s.path in paths] for m in self.methods)

    @property
    def paths(self) -> set[str]:
        """The clips it rests on."""
        return {s.path for m in self.methods for s in m}


@dataclass(frozen=True)
class Difference:
    """Mean AUC of a detector minus that of another, on the clips that both scored.

    `turned` tells that the other one was turned round because it separates better that way.
    """

    difference: float
    interval: Interval | None
    clips: int
    turned: bool


def difference(
    mine: Separation, other: Separation, *, seed: int, may_turn: bool = False
) -> Difference | None:
    """Compare two detectors with the same resampled footage.

    Parameters
    ----------
    mine, other
        The same methods in the same order.
    may_turn
        Whether the other score has no side of its own, as a file size has none: then it is taken
        in the direction that separates better, which favours it.

    Returns
    -------
    Difference or None
        None without clips of both labels that both scored.

    Raises
    ------
    UsageError
        If they hold other numbers of methods.
    """
    if len(mine.methods) != len(other.methods):
        value = phrase("{a} and {b} methods", a=len(mine.methods), b=len(other.methods))
        raise UsageError("these cannot be compared", value, "Give the same methods.")
    both = mine.paths & other.paths
    mine, other = mine.only(both), other.only(both)
    if (a := mine.value) is None or (b := other.value) is None:
        return None
    drawn = other.resampled(seed)
    if turned := may_turn and b < 0.5:
        b, drawn = 1 - b, 1 - drawn
    interval = percentiles(mine.resampled(seed) - drawn)
    return Difference(a - b, interval, len(both), turned)


def _split(scores: Sequence[Score]) -> tuple[Float, Float]:
    fake, real = (np.array([s.value for s in scores if s.is_fake == w]) for w in (True, False))
    return fake, real
