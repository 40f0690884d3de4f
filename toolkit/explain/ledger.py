"""The ledger of a track: reference + frame shares = logit, each frame share split over regions.

``logit = reference + sum_t phi[t]`` with exact Shapley shares `phi` of the frames, and
``phi[t] = sum_r phi[t, r] + unsplit[t]``. A region's number is a **within-frame share**: the
frame's own exact Shapley shares of its regions, scaled so that they add up to what the frame
carries in the track. Everything is float64 and in logits.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from toolkit.errors import ShapeError
from toolkit.explain import regions
from toolkit.explain.frames import frame_shares
from toolkit.explain.intervals import find_intervals, interval_level
from toolkit.messages import phrase
from toolkit.types import REGIONS, Aggregate, Evidence, Explanation
from toolkit.verdict.aggregate import aggregate, drift, frame_logits, patch_logits

__all__ = [
    "construction",
    "drift",
    "explain",
    "frame_logits",
    "heat",
    "key_positions",
    "track_table",
]

UNSPLIT_BELOW = 0.05
"""A frame whose region shares cancel to less than this part of their sizes stays unsplit."""

Float = NDArray[np.float64]


def explain(
    evidence: Evidence,
    track_pts: Float,
    shots: NDArray[np.int64],
    region_map: NDArray[np.uint8] | None,
    *,
    threshold: float,
    rule: Aggregate,
    within: Float | None = None,
) -> Explanation:
    """Write the ledger of one track.

    The reference is the logit of the head's reference map; without patch logits it is the
    threshold, which no face was judged by, and the frames stay unsplit. A frame is split in
    proportion to its regions' by-construction shares s, unless they cancel
    (``|sum s| < 0.05 sum |s|``); the rounding remainder goes to `unsplit`.

    Parameters
    ----------
    evidence
        M frames or blocks, on N moments.
    track_pts : (N,) float64
        Times of the moments in seconds, increasing.
    shots : (N,) int64
        Shot of each moment.
    region_map : (N, S, S) uint8 or None
        Which region each crop pixel belongs to; None leaves the frames unsplit.
    threshold
        Logit at which the detector says 'forged'.
    rule
        The rule that made the track's logit.
    within : (M, 10) float64 or None
        Each region's own share of each frame or block, where the detector has no patch logits and
        was asked (`spans.span_shares`): the blocks are split in proportion to them.

    Returns
    -------
    Explanation
        Its ``reference_logit + frame_shares.sum()`` is ``aggregate(frame_logits(evidence),
        rule)`` up to `residual`.

    Raises
    ------
    ShapeError
        If shapes do not fit, a number is not finite, or there is no evidence.
    UsageError
        If the rule does not fit.
    """
    x = frame_logits(evidence)
    first, last = evidence.spans[:, 0], evidence.spans[:, 1]
    if not ((first >= 0) & (first <= last) & (last < len(track_pts))).all():
        have = phrase(
            "{first} to {last} of {n}",
            first=int(first.min()),
            last=int(last.max()),
            n=len(track_pts),
        )
        raise ShapeError("spans lie outside the track", have, "Use positions in the track.")
    kind, reference = "threshold", float(threshold)
    if within is not None and (
        within.shape != (len(x), len(REGIONS)) or evidence.patches is not None
    ):
        have = phrase("{shape} for {n} logits", shape=str(within.shape), n=len(x))
        raise ShapeError("the regions' shares do not belong to the evidence", have)
    if evidence.patches is not None and evidence.head is not None:
        kind = evidence.head.reference_kind
        reference = float(patch_logits(evidence.head.reference, evidence.head))
        if region_map is not None:
            covers = _span_cover(evidence, region_map)
            within = regions.patch_shares(evidence.patches, covers, evidence.head)
    phi = frame_shares(x, reference, rule)
    logit = aggregate(x, rule)
    shares = np.zeros((len(x), len(REGIONS)))
    if within is not None:
        total = within.sum(axis=1)
        split = np.abs(total) >= UNSPLIT_BELOW * np.abs(within).sum(axis=1)
        split &= total != 0
        shares[split] = phi[split, None] * within[split] / total[split, None]
    return Explanation(
        reference_kind=kind,
        reference_logit=reference,
        reference_valid=reference < threshold,
        frame_shares=phi,
        shares=shares,
        unsplit=phi - shares.sum(axis=1),
        intervals=find_intervals(
            x,
            (track_pts[first] + track_pts[last]) / 2,
            shots[first],
            threshold,
            level=interval_level(x, logit, threshold),
        ),
        residual=math.fsum([logit, -reference, *(-phi).tolist()]),
    )


def _span_cover(evidence: Evidence, region_map: NDArray[np.uint8]) -> Float:
    """Return the mean cover over each span: (M, h * w, R)."""
    assert evidence.patches is not None
    if int(evidence.spans.max()) >= len(region_map):
        have = phrase(
            "{n} maps, span up to {last}", n=len(region_map), last=int(evidence.spans.max())
        )
        raise ShapeError("a region map is needed for every moment", have)
    h, w = evidence.patches.shape[1:]
    return np.stack(
        [
            regions.cover(region_map[a : b + 1], h, w).mean(axis=0)
            for a, b in evidence.spans.tolist()
        ]
    )


def construction(evidence: Evidence, region_map: NDArray[np.uint8]) -> Float | None:
    """Return every frame's by-construction shares (M, 10), in logits of that frame.

    They add up to the frame's logit minus the reference's. None without patch logits.

    Parameters
    ----------
    evidence
        M frames or blocks, on N moments.
    region_map : (N, S, S) uint8
        Which region each crop pixel belongs to.
    """
    if evidence.patches is None or evidence.head is None:
        return None
    return regions.patch_shares(evidence.patches, _span_cover(evidence, region_map), evidence.head)


def track_table(evidence: Evidence, region_map: NDArray[np.uint8], rule: Aggregate) -> Float | None:
    """Return the by-construction region game of the whole track: (1024,), no pass needed.

    Entry S is the track's logit when, in every frame, the players outside S have the patch
    evidence of the reference. None without patch logits.

    Parameters
    ----------
    evidence, players
        As for `construction`.
    rule
        The rule that made the track's logit.
    """
    if evidence.patches is None or evidence.head is None:
        return None
    covers = _span_cover(evidence, region_map)
    tables = regions.patch_table(evidence.patches, covers, evidence.head)
    return np.array([aggregate(column, rule) for column in tables.T])


def heat(evidence: Evidence, position: int) -> NDArray[np.float32] | None:
    """Return the patch share of a frame's evidence: which cells speak for and against.

    ``e_i = exp(tau p_i) - exp(tau ref_i)``, divided by ``sum |e_i|``: in this domain the logit
    of a patch-additive detector is a plain sum over cells. Positive cells speak for forged, on
    balance with the reference; the sizes sum to 1. Drawn with a diverging map.

    Parameters
    ----------
    evidence
        With patch logits and a head.
    position
        Row of `evidence`; for a detector of single frames, the position in the track.

    Returns
    -------
    (h, w) float32 or None
        In -1..1; all 0 when the frame equals the reference. None when the detector has no
        patch logits.
    """
    if evidence.patches is None or evidence.head is None:
        return None
    scaled = evidence.head.tau * evidence.patches[position].astype(np.float64)
    plain = evidence.head.tau * evidence.head.reference.astype(np.float64)
    top = max(scaled.max(), plain.max())
    excess = np.exp(scaled - top) - np.exp(plain - top)
    size = np.abs(excess).sum()
    return np.asarray(excess / (size or 1.0), np.float32)


def key_positions(
    explanation: Explanation, n: int = 6, *, pts: Float | None = None
) -> tuple[int, ...]:
    """Choose the frames to show: those with the largest shares, spread over time.

    The largest ``|share|`` first, none closer than ``span / (2 n)`` to one already chosen, so
    that unevenly read or few moments may give fewer than `n`.

    Parameters
    ----------
    explanation
        M frame shares.
    n
        Most frames to choose.
    pts : (M,) float64 or None
        Their times in seconds; None takes them as evenly spaced.

    Returns
    -------
    tuple of int
        Rows of the explanation, in order of time.
    """
    times = np.arange(len(explanation.frame_shares), dtype=np.float64) if pts is None else pts
    apart = float(np.ptp(times)) / (2 * n)
    chosen: list[int] = []
    for row in np.argsort(-np.abs(explanation.frame_shares), kind="stable").tolist():
        if len(chosen) < n and all(abs(times[row] - times[other]) >= apart for other in chosen):
            chosen.append(row)
    return tuple(sorted(chosen))
