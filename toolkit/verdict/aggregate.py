"""From many logits to one: patches make a frame's logit, frames make a track's.

Everyone takes frame logits from `frame_logits` and the track's logit from `aggregate`, so that a
verdict and its ledger are about the same numbers, in float64.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from toolkit.errors import ShapeError, UsageError
from toolkit.types import Aggregate, Evidence, PatchHead

TOP_PART = 4
"""The top-k mean looks at one frame in this many. One in eight finds more clips that are forged for
a tenth, and bounds the forged seconds worse (`toolkit.training.frame_rules`; its figures are in
models/seamnet-small.md)."""

TOP_LEAST = 3
"""Fewest frames the top-k mean looks at, so that no single frame decides. A start value."""

RULE = f"mean of the highest 1/{TOP_PART} of the frames, {TOP_LEAST} at least"
"""What `rule_for` gives, in words for a file that is bound to it."""

FRAME_TAU = 4.0
"""Sharpness of the log-mean-exp over frames, per logit. A start value."""


def rule_for(n_frames: int) -> Aggregate:
    """Return the project's rule for a track of `n_frames` scored frames.

    It is the mean of the k highest logits with ``k = max(3, ceil(n / 4))``, capped by n: a clip
    that is forged for a part of its length is forged, and a plain mean would call it genuine.

    Examples
    --------
    >>> rule_for(40)
    Aggregate(name='top_k', k=10)
    """
    return Aggregate("top_k", min(n_frames, max(TOP_LEAST, -(-n_frames // TOP_PART))))


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
        bad = f"{np.count_nonzero(~np.isfinite(x))} of {len(x)}"
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
        raise UsageError(
            "k does not fit the number of frames",
            f"k = {rule.k}, {len(x)} frames",
            f"Use 1 to {len(x)}.",
        )
    return float(np.sort(x)[-rule.k :].mean())


def log_mean_exp(values: NDArray[np.float64], tau: float) -> NDArray[np.float64]:
    """Return ``log(mean(exp(tau * values))) / tau`` over the last axis, without overflow."""
    top = values.max(axis=-1, keepdims=True)
    return np.asarray(np.log(np.exp(tau * (values - top)).mean(axis=-1)) / tau + top[..., 0])


def patch_logits(patches: NDArray[np.floating], head: PatchHead) -> NDArray[np.float64]:
    """Return the logit that `head` makes of patch logits (..., h, w), in float64: (...)."""
    cells = patches.astype(np.float64).reshape(*patches.shape[:-2], -1)
    return head.scale * log_mean_exp(cells, head.tau) + head.bias


def frame_logits(evidence: Evidence) -> NDArray[np.float64]:
    """Return the frame logits that verdict and ledger both use.

    Returns
    -------
    (M,) float64
        Made from the patch logits in float64 where there are any, else the detector's own.

    Raises
    ------
    ShapeError
        If there are none, or any is not finite.
    """
    if evidence.patches is None or evidence.head is None:
        return as_logits(evidence.logits)
    return as_logits(patch_logits(evidence.patches, evidence.head))


def drift(evidence: Evidence) -> float:
    """Return the largest gap between `frame_logits` and the detector's own float32 logits.

    About 1e-5 when the patch logits and the head belong together; the caller sets the limit.
    """
    return float(np.abs(frame_logits(evidence) - evidence.logits).max())
