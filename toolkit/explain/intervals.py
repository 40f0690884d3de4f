"""When: the stretches of time whose frames speak for forgery.

Each moment stands for the time around it, up to halfway to its neighbours. What it adds is that
time times how far its logit lies above a level, so unevenly read moments count evenly.
All maximal scoring runs are found in one pass: Ruzzo and Tompa (1999), A linear time algorithm
for finding all maximal scoring subsequences, ISMB 1999, PMID 10786306.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain

import numpy as np
from numpy.typing import NDArray

from toolkit.errors import ShapeError
from toolkit.messages import phrase
from toolkit.types import Interval

GAP_STEPS = 3.0
"""A gap longer than this many typical steps ends a run, like a cut does."""

MIN_SHARE = 0.05
"""Runs with a smaller share of the evidence above the threshold are not reported."""

LONE_MOMENTS = 16
LONE_SHARE = 0.5
"""With more moments than `LONE_MOMENTS`, a run of one moment is reported only when it holds at
least `LONE_SHARE` of the evidence above the threshold."""

Float = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Cells:
    """The time each moment stands for, and where runs must end.

    Attributes
    ----------
    start_s, end_s : (M,) float64
        Halfway to the neighbours; half a typical step beyond the ends of a stretch, but never
        past halfway to the next stretch, nor before the clip's start at 0 s.
    stretch : (M,) int64
        Number of the stretch without a cut, absence or gap in which the moment lies, from 0.
    """

    start_s: Float
    end_s: Float
    stretch: NDArray[np.int64]

    @property
    def seconds(self) -> Float:
        """How much time each moment stands for: (M,) float64, >= 0."""
        return self.end_s - self.start_s


def divide_time(pts: Float, shots: NDArray[np.int64]) -> Cells:
    """Divide the time among the moments.

    The typical step is the median gap inside a shot (between any moments, if every shot has
    only one). A single moment stands for no time.

    Parameters
    ----------
    pts : (M,) float64
        Times of the moments in seconds, increasing.
    shots : (M,) int64
        Shot of each moment.

    Raises
    ------
    ShapeError
        If lengths differ, or `pts` is empty or does not increase.
    """
    if pts.ndim != 1 or pts.shape != shots.shape or not len(pts):
        raise ShapeError(
            "pts and shots must be vectors of one length", f"{pts.shape}, {shots.shape}"
        )
    gaps = np.diff(pts)
    if not (gaps > 0).all():
        raise ShapeError("moments are not in order of time", "", "Sort them by timestamp.")
    cut = np.diff(shots) != 0
    inside = gaps[~cut] if (~cut).any() else gaps
    step = float(np.median(inside)) if len(inside) else 0.0
    cut |= gaps > GAP_STEPS * step
    reach = np.where(cut, np.minimum(gaps, step), gaps) / 2
    start = pts - np.concatenate([[step / 2], reach])
    end = pts + np.concatenate([reach, [step / 2]])
    return Cells(np.maximum(start, min(0.0, pts[0])), end, np.concatenate([[0], np.cumsum(cut)]))


@dataclass(frozen=True)
class Run:
    """Moments ``first`` to ``last``, both included, and the sum of their scores."""

    first: int
    last: int
    score: float


def maximal_runs(scores: Sequence[float]) -> list[Run]:
    """Find all maximal scoring runs (Ruzzo and Tompa 1999), in order of position.

    The best run, then the best of what is left on either side of it, and so on: disjoint, and
    no run gets better by growing or shrinking.

    Examples
    --------
    >>> maximal_runs([1.0, -5.0, 2.0, -1.0, 3.0])
    [Run(first=0, last=0, score=1.0), Run(first=2, last=4, score=4.0)]
    """
    runs: list[tuple[int, int, float, float]] = []  # first, last, sum before, sum at its end
    total = 0.0
    for position, score in enumerate(scores):
        before, total = total, total + score
        if score <= 0:
            continue
        first, low = position, before
        while True:
            at = next((i for i in reversed(range(len(runs))) if runs[i][2] < low), None)
            if at is None or runs[at][3] >= total:
                runs.append((first, position, low, total))
                break
            first, low = runs[at][0], runs[at][2]
            del runs[at:]
    return [Run(first, last, high - low) for first, last, low, high in runs]


def interval_level(logits: Float, logit: float, threshold: float) -> float:
    """Return the logit from which a moment counts as part of a forged stretch of this track.

    The threshold answers *whether*, and few genuine moments of any clip reach it. *When* is asked
    of a track that is called forged already: there, sums over time find the stretch best when
    their zero lies between its forged and its genuine moments (with scores that are
    log-likelihood ratios: Karlin and Altschul 1990, doi:10.1073/pnas.87.6.2264). So it is halfway
    from the median moment below the threshold to the track's logit, and never above the threshold.

    Parameters
    ----------
    logits : (M,) float64
        Frame logits.
    logit
        The track's.
    threshold
        At or above it the track is called forged.

    Examples
    --------
    >>> interval_level(np.array([-1.0, -1.0, 1.0, 3.0]), 2.0, 1.5)
    0.5
    """
    below = logits[logits < threshold]
    if logit < threshold or not len(below):
        return threshold
    return min(threshold, (float(np.median(below)) + logit) / 2)


def find_intervals(
    logits: Float,
    pts: Float,
    shots: NDArray[np.int64],
    threshold: float,
    *,
    level: float | None = None,
) -> tuple[Interval, ...]:
    """Find the stretches of time that speak for forgery, strongest first.

    A moment scores its seconds times ``logit - level``, and stretches are the maximal scoring
    runs. Runs never cross a change of `shots` or a gap of more than `GAP_STEPS` typical steps.
    Left out are runs with less than `MIN_SHARE` of the evidence above the threshold, and lone
    moments among many (`LONE_MOMENTS`).

    Parameters
    ----------
    logits, pts : (M,) float64
        Frame logits and their times in seconds.
    shots : (M,) int64
        Shot of each moment.
    threshold
        Logit at which the detector says 'forged'.
    level
        From `interval_level`; None = the threshold.

    Returns
    -------
    tuple of Interval
        From halfway before the first moment of the run to halfway after its last. `share` is
        the run's part of the evidence above the threshold, seconds times logits, so shares sum
        to at most 1.

    Raises
    ------
    ShapeError
        If lengths differ, or `pts` is empty or does not increase.
    """
    cells = divide_time(pts, shots)
    scores = _scores(cells, logits, threshold if level is None else level)
    above = np.maximum(_scores(cells, logits, threshold), 0)
    runs: list[Run] = []
    for stretch in np.unique(cells.stretch):
        index = np.flatnonzero(cells.stretch == stretch)
        runs += [
            Run(int(index[0]) + run.first, int(index[0]) + run.last, run.score)
            for run in maximal_runs(scores[index].tolist())
        ]
    intervals = []
    for run in runs:
        own = float(above[run.first : run.last + 1].sum())
        share = min(1.0, own / (float(above.sum()) or 1.0))  # rounding must not pass 1
        lone = run.first == run.last and len(pts) > LONE_MOMENTS and share < LONE_SHARE
        if share >= MIN_SHARE and not lone:
            start_s, end_s = float(cells.start_s[run.first]), float(cells.end_s[run.last])
            intervals.append(Interval(start_s, end_s, share))
    return tuple(sorted(intervals, key=lambda interval: -interval.share))


def interval_p_value(
    logits: Float,
    pts: Float,
    shots: NDArray[np.int64],
    threshold: float,
    *,
    block_s: float = 0.5,
    draws: int = 999,
    seed: int = 0,
) -> float:
    """Return how often shuffled time holds a run as strong as the best one found.

    Blocks of moments that fill `block_s` seconds change places and keep their inner order,
    because neighbouring frames resemble each other and shuffling single frames would give a
    p-value far too small. A run inside one block moves as a whole and gets 1; the test is for
    runs of several blocks, and careful.

    Parameters
    ----------
    logits, pts : (M,) float64
    shots : (M,) int64
    threshold
        The level of `find_intervals`.
    block_s
        Length of a block in seconds; shorter only at the end of a stretch, which it never crosses.
    draws
        Number of shuffles.
    seed
        For the order of the blocks.

    Returns
    -------
    float
        ``(1 + shuffles at least as strong) / (1 + draws)``; 1 when there is no run at all.
    """
    cells = divide_time(pts, shots)
    blocks: list[list[int]] = []
    for moment, time in enumerate(pts.tolist()):
        cut = moment == 0 or cells.stretch[moment] != cells.stretch[moment - 1]
        if cut or time - pts[blocks[-1][0]] > block_s - 1e-9:
            blocks.append([])
        blocks[-1].append(moment)
    rng = np.random.default_rng(seed)
    shuffles = (rng.permutation(len(blocks)) for _ in range(draws))
    orders = [
        list(chain.from_iterable(blocks[b] for b in order))
        for order in (range(len(blocks)), *shuffles)
    ]
    best = _best_score(_scores(cells, logits[np.array(orders)], threshold), cells.stretch)
    if best[0] <= 0:
        return 1.0
    slack = 1e-9 * best[0]  # an equal run sums to the same number only up to rounding
    return float((1 + np.count_nonzero(best[1:] >= best[0] - slack)) / (1 + draws))


def _scores(cells: Cells, logits: Float, threshold: float) -> Float:
    if logits.shape[-1] != len(cells.seconds):
        have = phrase(
            "{logits} logits, {moments} moments",
            logits=logits.shape[-1],
            moments=len(cells.seconds),
        )
        raise ShapeError("one logit per moment is needed", have)
    return cells.seconds * (logits - threshold)


def _best_score(scores: Float, stretch: NDArray[np.int64]) -> Float:
    """Return the best run's score of each row (Kadane): (D,)."""
    best, run = np.zeros(len(scores)), np.zeros(len(scores))
    for moment in range(scores.shape[1]):
        if moment and stretch[moment] != stretch[moment - 1]:
            run = np.zeros(len(scores))
        run = np.maximum(run, 0.0) + scores[:, moment]
        best = np.maximum(best, run)
    return best
