"""Exact Shapley shares of the frames: how much of the track's logit each frame carries.

The players are the frames. A frame that takes part has its logit ``x_t``; one that does not has
the reference logit ``b``, so ``v(S) = aggregate(x_t for t in S, else b)``, ``v(all)`` is the
track's logit and the shares add up to ``v(all) - b``.

Shapley, L. S. (1953), A value for n-person games, doi:10.1515/9781400881970-018.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from toolkit.errors import ToolkitError
from toolkit.messages import phrase
from toolkit.types import Aggregate, log_mean_exp
from toolkit.verdict.aggregate import FRAME_TAU, aggregate, as_logits


class PrecisionError(ToolkitError, ArithmeticError):
    """A sum could not be computed to the precision that is promised."""


def frame_shares(logits: ArrayLike, reference: float, rule: Aggregate) -> NDArray[np.float64]:
    """Split ``aggregate(logits, rule) - reference`` over the frames.

    Parameters
    ----------
    logits : (M,) array
        Frame logits, positive = fake.
    reference
        Logit of a frame that does not take part.
    rule
        The rule that made the track's logit.

    Returns
    -------
    (M,) float64
        Exact Shapley shares, in logits.

    Raises
    ------
    ShapeError
        If `logits` is empty or not finite.
    UsageError
        If the rule is unknown, or its `k` is not between 1 and M.
    PrecisionError
        If log-mean-exp meets logits that lie too far apart.
    """
    aggregate(logits, rule)  # its checks are ours
    x = as_logits(logits)
    if rule.name == "mean":
        return (x - reference) / len(x)
    if rule.name == "log_mean_exp":
        return lme_shares(x, reference, FRAME_TAU)
    return topk_shares(x, reference, rule.k)


def flip_frames(
    logits: ArrayLike, reference: float, rule: Aggregate, threshold: float
) -> tuple[int, ...] | None:
    """Return the smallest set of frames whose replacement turns 'forged' into 'genuine'.

    Every rule is symmetric and never falls when a frame's logit rises, so of all sets of one size
    the frames with the highest logits, replaced by the reference, leave the lowest logit. The
    smallest size that turns the verdict is therefore found by replacing them one by one.

    Parameters
    ----------
    logits : (M,) array
    reference
        Logit of a replaced frame.
    rule
        The rule that made the track's logit.
    threshold
        At or above it the track is called forged.

    Returns
    -------
    tuple of int or None
        Frames, highest logit first; empty when the track is below the threshold to begin with;
        None when not even all of them turn it.

    Examples
    --------
    >>> flip_frames([3.0, 0.0, 5.0, 1.0], -1.0, Aggregate("top_k", 2), 2.0)
    (2, 0)
    """
    x = as_logits(logits).copy()
    taken: list[int] = []
    for frame in np.argsort(-x, kind="stable").tolist():
        if aggregate(x, rule) < threshold or x[frame] <= reference:
            break
        x[frame] = reference
        taken.append(frame)
    return tuple(taken) if aggregate(x, rule) < threshold else None


def topk_shares(logits: ArrayLike, reference: float, k: int) -> NDArray[np.float64]:
    """Return exact Shapley shares for the mean of the `k` highest; ``k=1`` is the maximum.

    By layers: at a level s above the reference the m frames with ``x > s`` play the symmetric
    game ``min(k, |S|) / k`` and share ``ds * min(k, m) / k`` equally; at a level below it the l
    frames with ``x <= s`` can only lower the mean, and share ``ds * (min(k, M - l) / k - 1)``.
    O(M log M); equal logits get equal shares.

    Parameters
    ----------
    logits : (M,) array
    reference
        Logit of a frame that does not take part; any value.
    k
        1 to M.

    Returns
    -------
    (M,) float64

    Examples
    --------
    >>> topk_shares([0.0, 3.0, 1.0], 0.0, 1)
    array([0. , 2.5, 0.5])
    """
    x = as_logits(logits)
    gap = x - reference
    shares = np.zeros(len(x))
    for sign in (1, -1):
        depth = sign * gap
        index = np.flatnonzero(depth > 0)
        index = index[np.argsort(depth[index], kind="stable")]
        count = np.arange(len(index), 0, -1)  # frames that reach each layer
        if sign > 0:
            layer = np.minimum(k, count) / k
        else:
            layer = np.minimum(k, len(x) - count) / k - 1
        shares[index] = np.cumsum(np.diff(depth[index], prepend=0.0) * layer / count)
    return shares


def lme_shares(
    logits: ArrayLike, reference: float, tau: float, *, tolerance: float = 1e-9
) -> NDArray[np.float64]:
    """Return exact Shapley shares for log-mean-exp, by quadrature that tests itself.

    With ``w_t = exp(tau x_t)``, ``e = exp(tau b)`` and ``f_j = (1 - a) e^(-e s) + a e^(-w_j s)``::

        phi_t = 1/tau int_0^inf 1/s int_0^1 (e^(-e s) - e^(-w_t s)) prod_(j != t) f_j da ds

    as a trapezoid in log s and Gauss-Legendre in a (n nodes are exact up to M = 2 n), whose
    nodes are doubled until the shares add up. Polynomial in M: seconds for 900 frames.

    Parameters
    ----------
    logits : (M,) array
    reference
        Logit of a frame that does not take part.
    tau
        Sharpness, > 0.
    tolerance
        Largest accepted gap between the sum of the shares and what they must add up to.

    Raises
    ------
    PrecisionError
        If `tau` times the range of logits and reference exceeds 600, or the shares do not add up.
    """
    x = as_logits(logits)
    top = max(float(x.max()), reference)
    if tau * (top - min(float(x.min()), reference)) > 600:
        raise PrecisionError(
            "logits lie too far apart for log-mean-exp shares",
            phrase("{low:g} to {high:g}", low=min(float(x.min()), reference), high=top),
            "Use the top-k mean.",
        )
    own, base = np.exp(tau * (x - top)), np.exp(tau * (reference - top))
    apart = np.abs(base * np.expm1(tau * (x - reference)))
    if not apart.any():
        return np.zeros(len(x))
    slower = np.minimum(own, base)
    step = 0.15
    scales = np.exp(np.arange(-38 - np.log(apart.max()), np.log(745 / slower.sum()), step))
    total = float(log_mean_exp(x, tau)) - reference
    nodes = 24
    while True:
        points, weights = np.polynomial.legendre.leggauss(nodes)
        out, weights = np.log((1 - points) / 2)[:, None], weights[:, None] / 2
        into = np.log((1 + points) / 2)[:, None]
        shares = np.zeros(len(x))
        for s in scales:
            factors = np.logaddexp(out - base * s, into - own * s)
            rest = factors.sum(axis=1, keepdims=True) - factors
            lead = -slower * s
            shares -= np.expm1(-apart * s) * (np.exp(lead + rest) * weights).sum(axis=0)
        shares *= np.sign(x - reference)
        shares *= step / tau
        gap = abs(float(shares.sum()) - total)
        if gap < tolerance:
            return shares
        if nodes >= len(x):  # exact already: more would not help
            raise PrecisionError(
                "log-mean-exp shares do not add up",
                phrase("gap {gap:.1e}", gap=gap),
                "Use the top-k mean.",
            )
        nodes *= 2
