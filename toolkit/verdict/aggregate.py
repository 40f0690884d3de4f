"""From many logits to one: patches make a frame's logit, frames make a track's.

Everyone takes frame logits from `Evidence.logits` and the track's logit from `aggregate`, so that
a verdict and its ledger are about the same numbers, in float64.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from toolkit.errors import OutOfRangeError, ShapeError, UsageError
from toolkit.messages import phrase
from toolkit.types import Aggregate, Evidence, PatchHead, log_mean_exp

TOP_PART = 4
"""The top-k mean looks at one frame in this many, where the card of a detector names no other. One
in eight finds more clips that are forged for a tenth, and bounds the forged seconds worse
(`toolkit.training.frame_rules`; its figures are in models/seamnet-small.md)."""

TOP_LEAST = 3
"""Fewest frames the top-k mean looks at, so that no single frame decides. A start value."""


def rule_text(part: int = TOP_PART) -> str:
    """Return what `rule_for` gives, in words for a file that is bound to it.

    Examples
    --------
    >>> rule_text(2)
    'mean of the highest 1/2 of the frames, 3 at least'
    """
    return f"mean of the highest 1/{part} of the frames, {TOP_LEAST} at least"


RULE = rule_text()

FRAME_TAU = 4.0
"""Sharpness of the log-mean-exp over frames, per logit. A start value."""


def rule_for(n_frames: int, part: int = TOP_PART) -> Aggregate:
    """Return the project's rule for a track of `n_frames` scored frames.

    It is the mean of the k highest logits with ``k = max(3, ceil(n / part))``, capped by n: a clip
    that is forged for a part of its length is forged, and a plain mean would call it genuine.

    Parameters
    ----------
    n_frames
        Scored.
    part
        One frame in this many counts: `Card.top_part` of the detector.

    Examples
    --------
    >>> rule_for(40), rule_for(40, 2)
    (Aggregate(name='top_k', k=10), Aggregate(name='top_k', k=20))
    """
    return Aggregate("top_k", min(n_frames, max(TOP_LEAST, -(-n_frames // part))))


def rule_of(detector: Any) -> Callable[[int], Aggregate]:
    """Return the rule of a detector for a number of scored frames: `rule_for` with its part."""
    return partial(rule_for, part=detector.card.top_part)


def same_part(rule: Aggregate, n_frames: int, fewer: int) -> Aggregate:
    """Return the rule for `fewer` frames out of the `n_frames` that `rule` was made for.

    Examples
    --------
    >>> same_part(rule_for(64, 2), 64, 20) == rule_for(20, 2)
    True
    """
    if rule.name != "top_k":
        return rule
    fits = (p for p in range(1, n_frames + 1) if rule_for(n_frames, p) == rule)
    # of few frames several parts make the same rule: the usual one first
    known = TOP_PART if rule_for(n_frames) == rule else next(fits, None)
    return Aggregate("top_k", min(fewer, rule.k)) if known is None else rule_for(fewer, known)


def as_logits(logits: ArrayLike) -> NDArray[np.float64]:
    """Return `logits` as a checked (M,) float64 array.

    Raises
    ------
    ShapeError
        If it is empty, not one-dimensional, or holds NaN or infinity.
    """
    x = np.asarray(logits, np.float64)
    if x.ndim != 1 or not len(x):
        raise ShapeError("logits must be a non-empty vector", str(x.shape), "Score a frame first.")
    if not np.isfinite(x).all():
        bad = phrase("{n} of {total}", n=int(np.count_nonzero(~np.isfinite(x))), total=len(x))
        raise ShapeError("logits are not finite", bad, "The detector's answer is unusable.")
    return x


def aggregate(logits: ArrayLike, rule: Aggregate) -> float:
    """Make one logit of many.

    Parameters
    ----------
    logits : (M,) array
        Frame logits, positive = fake.
    rule
        ``"top_k"`` (mean of the `k` highest), ``"mean"`` or ``"log_mean_exp"`` (sharpness
        `FRAME_TAU`); the latter two ignore `k`.

    Raises
    ------
    ShapeError
        If `logits` is empty or not finite.
    UsageError
        If the rule is unknown, or `k` is not between 1 and M.

    Examples
    --------
    >>> aggregate([0.0, 4.0, 2.0], Aggregate("top_k", 2))
    3.0
    """
    x = as_logits(logits)
    if rule.name == "mean":
        return float(x.mean())
    if rule.name == "log_mean_exp":
        return float(log_mean_exp(x, FRAME_TAU))
    if rule.name != "top_k":
        known = "Known: top_k, mean, log_mean_exp."
        raise UsageError("unknown rule to aggregate frames", repr(rule.name), known)
    if not 1 <= rule.k <= len(x):
        raise OutOfRangeError(
            "k does not fit the number of frames",
            phrase("k = {k}, {n} frames", k=rule.k, n=len(x)),
            "Use 1 to {n}.",
            n=len(x),
        )
    return float(np.sort(x)[-rule.k :].mean())


def patch_logits(patches: NDArray[np.floating], head: PatchHead) -> NDArray[np.float64]:
    """Return the logit that `head` makes of patch logits (..., h, w), in float64: (...)."""
    return head.logits(patches)


def frame_logits(evidence: Evidence) -> NDArray[np.float64]:
    """Return `Evidence.logits`, checked: where numbers come in that nobody has looked at yet.

    Returns
    -------
    (M,) float64

    Raises
    ------
    ShapeError
        If there are none, or any is not finite.
    """
    return as_logits(evidence.logits)


def drift(evidence: Evidence) -> float:
    """Return the largest gap between `Evidence.logits` and the network's own in float32.

    About 1e-5 when the patch logits and the head belong together; the caller sets the limit.
    """
    return float(np.abs(frame_logits(evidence) - evidence.network_logits).max())
