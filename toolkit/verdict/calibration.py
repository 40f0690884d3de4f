"""From a clip's logit to a likelihood ratio with bounds no wider than data and assumptions support.

One logit per clip, never per frame. The map is fitted by logistic regression on some groups of
footage and judged on others; it lies in a JSON beside the weights, bound to their SHA-256. L stands
for log10 of the likelihood ratio: of H1, a blending-type manipulation of the face, against H2,
unmanipulated camera video. No probability follows from it without a prior.

A low logit says little for H2, because of many forgeries nothing is left that the detector looks
for: they are too well matched, or coded too hard. A share, `Calibration.traceless`, is therefore
taken to look genuine: with r the ratio for the others, the ratio is ``(1 - traceless) r +
traceless``, never below `traceless`.
"""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from toolkit import models
from toolkit.detectors import registry
from toolkit.errors import ModelError, OutOfRangeError, ShapeError, UsageError
from toolkit.files import atomic_write, parse_json
from toolkit.messages import phrase
from toolkit.verdict.aggregate import RULE

Float = NDArray[np.float64]

SCHEMA = "doorzicht.calibration/2"
GROUPS_FOR_MORE = 100
"""Up to this many independent groups, ``|L|`` is at most `CAP`: "limited support"."""

CAP = 1.0
RIDGE = 1e-6  # keeps the fit finite where the classes do not overlap; otherwise not noticeable
STEPS_MAX = 100
POSTERIOR_MIN = 1e-12  # isotonic posteriors of exactly 0 or 1 would cost infinitely much


@dataclass(frozen=True)
class Calibration:
    """A fitted map from logit to L, and what it was fitted on.

    Attributes
    ----------
    alpha, beta
        ``logit(posterior) = alpha * z + beta`` on the fitted clips, where every forgery leaves
        traces.
    n_fake, n_real
        Fitted clips; their log ratio is taken off, so that L holds no prior.
    bounds
        Lowest and highest L, from the number of groups and from `traceless`.
    groups
        The footage that was fitted on: a figure on any of it is no evidence.
    traceless
        Share of forgeries that are taken to look genuine, 0 to below 1: an assumption.
    weights_sha256, rule
        The detector's weights, and how frames were summed up. Others need another map.
    population, date
        What the clips were, in words; when it was fitted.
    """

    alpha: float
    beta: float
    n_fake: int
    n_real: int
    bounds: tuple[float, float]
    groups: tuple[str, ...]
    traceless: float = 0.0
    weights_sha256: str = ""
    rule: str = RULE
    population: str = ""
    date: str = ""

    def log10_lr(self, logit: float) -> float:
        """Return L of one clip, within `bounds`.

        Examples
        --------
        >>> even = Calibration(math.log(10), 0.0, 5, 5, (-1.0, 1.0), ())
        >>> [round(even.log10_lr(z), 3) for z in (-3, 0, 0.5)]
        [-1.0, 0.0, 0.5]
        """
        return float(self.map(np.array([logit]))[0])

    def map(self, logits: Float) -> Float:
        """Return L of many clips: (N,) float64."""
        prior = math.log10(self.n_fake / self.n_real)
        raw = (self.alpha * np.asarray(logits, np.float64) + self.beta) / math.log(10) - prior
        if self.traceless > 0:
            seen = math.log(1 - self.traceless) + raw * math.log(10)
            raw = np.logaddexp(seen, math.log(self.traceless)) / math.log(10)
        return np.clip(raw, *self.bounds)


def fit(
    logits: ArrayLike,
    labels: ArrayLike,
    groups: Sequence[str],
    *,
    cap: float = math.inf,
    traceless: float = 0.0,
    weights_sha256: str = "",
    rule: str = RULE,
    population: str = "",
    date: str = "",
) -> Calibration:
    """Fit the map by logistic regression, each clip counting once.

    Parameters
    ----------
    logits : (N,) array
        One per clip, abstained clips included.
    labels : (N,) array of bool
        Whether the clip is forged.
    groups
        Footage of each clip. The bounds follow from how many groups hold forged and how many hold
        genuine clips: ``|L| <= log10`` of the smaller number, and at most `CAP` up to
        `GROUPS_FOR_MORE` groups.
    cap
        Largest ``|L|`` in any case, 0 or more.
    traceless
        See `Calibration`; L is never below its log10.
    weights_sha256, rule, population, date
        See `Calibration`.

    Raises
    ------
    ShapeError
        If the three differ in length, or a logit is not finite.
    UsageError
        If a label is missing, higher logits do not speak for forgery, or `cap` or `traceless` is
        out of range.
    """
    x, y = _checked(logits, labels)
    check_traceless(traceless)
    if not cap >= 0:
        raise OutOfRangeError(
            "a bound is out of range", phrase("{value:g}", value=cap), "Use 0 or more."
        )
    if len(groups) != len(x):
        raise ShapeError(
            "groups do not fit the logits",
            phrase("{groups} groups, {n} logits", groups=len(groups), n=len(x)),
        )
    alpha, beta = fit_logistic(x[:, None], y)
    if alpha <= 0:
        raise UsageError(
            "higher logits do not speak for forgery",
            phrase("slope {slope:.3g} on {n} clips", slope=alpha, n=len(x)),
            "Nothing can be calibrated with this detector on these clips.",
        )
    fewest = min(len({g for g, f in zip(groups, y, strict=True) if f == want}) for want in (0, 1))
    cap = min(cap, math.log10(fewest))
    if len(set(groups)) <= GROUPS_FOR_MORE:
        cap = min(cap, CAP)
    floor = math.log10(traceless) if traceless > 0 else -math.inf
    return Calibration(
        alpha=float(alpha),
        beta=float(beta),
        n_fake=int(y.sum()),
        n_real=int((~y).sum()),
        bounds=(max(-cap, floor), cap),
        groups=tuple(sorted(set(groups))),
        traceless=traceless,
        weights_sha256=weights_sha256,
        rule=rule,
        population=population,
        date=date,
    )


def check_traceless(share: float) -> None:
    """Refuse a share of forgeries without traces that is not 0 to below 1.

    Raises
    ------
    UsageError
        If it is out of range.
    """
    if not 0 <= share < 1:
        raise OutOfRangeError(
            "the share of forgeries without traces is out of range",
            phrase("{value:g}", value=share),
            "Use 0 or more, below 1.",
        )


def fit_logistic(features: Float, labels: NDArray[np.bool_], *, ridge: float = RIDGE) -> Float:
    """Fit a logistic regression by Newton's method.

    Parameters
    ----------
    features : (N, D) float64
    labels : (N,) bool
    ridge
        Half of it times the squared slopes is added to the summed log loss; the last entry, the
        intercept, goes free.

    Returns
    -------
    (D + 1,) float64
        Slopes, then the intercept.
    """
    x = np.hstack([features, np.ones((len(features), 1))])
    penalty = np.full(x.shape[1], ridge)
    penalty[-1] = 0.0
    weights = np.zeros(x.shape[1])

    def loss(w: Float) -> float:
        z = x @ w
        return float(np.logaddexp(0, np.where(labels, -z, z)).sum() + (penalty * w * w).sum() / 2)

    now = loss(weights)
    for _ in range(STEPS_MAX):
        p = 0.5 * (1 + np.tanh(x @ weights / 2))  # a sigmoid that cannot overflow
        slope = x.T @ (p - labels) + penalty * weights
        curve = (x * (p * (1 - p))[:, None]).T @ x + np.diag(penalty + 1e-12)
        step, size = np.linalg.solve(curve, slope), 1.0
        while (after := loss(weights - size * step)) > now and size > 1e-9:
            size /= 2  # a full Newton step can overshoot where the classes are far apart
        if after >= now - 1e-14 * max(1.0, now):
            break
        weights, now = weights - size * step, after
    return weights


# --- how good likelihood ratios are -------------------------------------------------------------


def costs(log10_lr: ArrayLike, labels: ArrayLike) -> Float:
    """Return what each clip's L costs, in bits: ``log2(1 + 10^-L)`` forged, ``log2(1 + 10^L)`` not.

    Examples
    --------
    >>> costs([0.0, 0.0], [True, False]).tolist()
    [1.0, 1.0]
    """
    x, y = _checked(log10_lr, labels)
    natural = x * math.log(10)
    return np.asarray(np.logaddexp(0, np.where(y, -natural, natural)) / math.log(2))


def cllr(log10_lr: ArrayLike, labels: ArrayLike) -> float:
    """Return the log-likelihood-ratio cost (doi:10.1016/j.csl.2005.08.001).

    Half the mean of `costs` over forged clips plus half that over genuine ones: 0 is perfect, 1 is
    what saying nothing (L = 0) costs.

    Examples
    --------
    >>> cllr([0.0, 0.0], [True, False])
    1.0
    """
    cost, y = costs(log10_lr, labels), np.asarray(labels).astype(bool)
    return float((cost[y].mean() + cost[~y].mean()) / 2)


def pool_adjacent(scores: ArrayLike, labels: ArrayLike) -> Float:
    """Return the non-decreasing posterior of 'forged' that fits best: pool adjacent violators.

    Returns
    -------
    (N,) float64
        In the order of `scores`; equal scores get equal values.
    """
    x, y = _checked(scores, labels)
    values, place = np.unique(x, return_inverse=True)
    total = np.bincount(place, minlength=len(values)).astype(np.float64)
    forged = np.bincount(place, weights=y, minlength=len(values))
    blocks: list[tuple[float, float, int]] = []  # forged, clips, distinct scores
    for f, n in zip(forged.tolist(), total.tolist(), strict=True):
        block = (f, n, 1)
        while blocks and blocks[-1][0] * block[1] >= block[0] * blocks[-1][1]:
            last = blocks.pop()
            block = (last[0] + block[0], last[1] + block[1], last[2] + block[2])
        blocks.append(block)
    means = np.repeat([f / n for f, n, _ in blocks], [k for *_, k in blocks])
    return np.asarray(means[place])


def cllr_min(scores: ArrayLike, labels: ArrayLike) -> float:
    """Return the cost that the best non-decreasing map of these very scores would have.

    What remains is what the scores cannot tell apart; `cllr` minus this is the cost of the map.
    """
    x, y = _checked(scores, labels)
    posterior = np.clip(pool_adjacent(x, y), POSTERIOR_MIN, 1 - POSTERIOR_MIN)
    prior = math.log10(y.sum() / (~y).sum())
    return cllr(np.log10(posterior) - np.log10(1 - posterior) - prior, y)


def cllr_cal(log10_lr: ArrayLike, labels: ArrayLike) -> float:
    """Return how much of the cost is the map's and not the scores'."""
    return cllr(log10_lr, labels) - cllr_min(log10_lr, labels)


@dataclass(frozen=True, eq=False)
class Tippett:
    """Data of a Tippett plot: the share of clips whose L is at least `log10_lr`, per label.

    Attributes
    ----------
    log10_lr : (K,) float64
        Increasing.
    fake, real : (K,) float64
    misleading_fake, misleading_real
        Shares of forged clips with L < 0, and of genuine clips with L > 0.
    """

    log10_lr: Float
    fake: Float
    real: Float
    misleading_fake: float
    misleading_real: float


def tippett(log10_lr: ArrayLike, labels: ArrayLike) -> Tippett:
    """Return the data of a Tippett plot."""
    x, y = _checked(log10_lr, labels)
    at = np.unique(x)
    fake, real = (
        1 - np.searchsorted(np.sort(part), at, side="left") / len(part) for part in (x[y], x[~y])
    )
    return Tippett(at, fake, real, float((x[y] < 0).mean()), float((x[~y] > 0).mean()))


def _checked(values: ArrayLike, labels: ArrayLike) -> tuple[Float, NDArray[np.bool_]]:
    x, y = np.asarray(values, np.float64), np.asarray(labels).astype(bool)
    if x.ndim != 1 or x.shape != y.shape or not np.isfinite(x).all():
        raise ShapeError(
            "values and labels do not fit, or are not finite",
            phrase("{a} and {b}", a=str(x.shape), b=str(y.shape)),
            "Give one finite value and one label per clip.",
        )
    if y.all() or not y.any():
        raise UsageError(
            "a label is missing",
            phrase("{n} forged of {total} clips", n=int(y.sum()), total=len(y)),
            "Give clips of both labels.",
        )
    return x, y


# --- the file beside the weights ----------------------------------------------------------------


def path_for(detector: str) -> Path:
    """Return where the map of a bundled detector lies, if there is one."""
    return models.ROOT / "models" / f"{detector}-calibration.json"


def save(calibration: Calibration, path: Path) -> None:
    """Write the map as JSON; the weights' hash must be set.

    Raises
    ------
    UsageError
        If it is not bound to weights.
    """
    if len(calibration.weights_sha256) != 64:
        raise UsageError(
            "a calibration must name its weights",
            repr(calibration.weights_sha256),
            "Give their SHA-256.",
        )
    content = {"schema": SCHEMA, **asdict(calibration)}
    atomic_write(path, json.dumps(content, indent=1, allow_nan=False) + "\n")


def load(path: Path) -> Calibration:
    """Read a map.

    Raises
    ------
    ModelError
        If the file cannot be read, or holds what no fit gives.
    """
    try:
        content: dict[str, Any] = parse_json(path.read_text(encoding="utf-8"))
        if content.pop("schema") != SCHEMA:
            msg = "unknown schema"
            raise ValueError(msg)
        low, high = (float(b) for b in content.pop("bounds"))
        groups = tuple(str(g) for g in content.pop("groups"))
        traceless, rule = float(content.pop("traceless")), str(content.pop("rule"))
        read = Calibration(
            **content, bounds=(low, high), groups=groups, traceless=traceless, rule=rule
        )
        numbers = (read.alpha, read.beta, low, high)
        sound = all(math.isfinite(n) for n in numbers) and read.alpha > 0 and low <= 0 <= high
        sound = sound and 0 <= read.traceless < 1 and 10**low >= read.traceless - 1e-9
        if not sound or min(read.n_fake, read.n_real) < 1:
            msg = "numbers that no fit gives"
            raise ValueError(msg)
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise ModelError(
            "the calibration cannot be read",
            f"{path.name}: {error}",
            "Fit it again, or remove the file: verdicts then carry no likelihood ratio.",
        ) from error
    return read


def find(detector: str, weights_sha256: str, *, rule: str = RULE) -> Calibration | None:
    """Return the map of these very weights and of the rule in use, or None: then there is no ratio.

    Raises
    ------
    ModelError
        If the file is there and cannot be read.
    """
    where = path_for(registry.name_now(detector, weights_sha256))
    if not where.is_file():
        return None
    ratio = load(where)
    fits = ratio.weights_sha256 == weights_sha256 and ratio.rule == rule
    return ratio if fits else None
