"""How well an explanation finds what is known to be forged: where, and when.

Every score stands beside controls that know nothing of the detector: a Gaussian in the centre,
random maps, plain area; the same Gaussian times the contrast of the picture; and for time a run in
the middle, random runs and the whole clip. Contrast is there because the truth leans on it: where a
picture is flat, a forgery changes no pixel by much, so whoever points at eyes and mouth scores. One
more has the intervention's map with its shares on other regions: what sizes, signs and reference
earn when only the places are wrong.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from toolkit.evaluation.verdicts import scores
from toolkit.explain.trust import centre_prior
from toolkit.types import REGIONS

RANDOM_MAPS = 20
RANDOM_RUNS = 200
BLIND = ("control.centre", "control.random", "control.area")
"""Controls that do not even see the picture; in time there are no others."""

CONTROLS = (*BLIND, "control.contrast")
"""Those that know nothing of the detector; `controls` makes them."""

DEALT = "control.dealt"
"""The intervention's map with its shares on other regions, where the intervention answered."""

EVERY_CONTROL = (*CONTROLS, DEALT)
MAPS = 2
"""Raised when a map or a control is made in another way: rows of before are then made again."""

ROUNDS = 2  # of deals: in each, every share lies once on every other region
CONTRAST_BLUR = 2.0  # px of the crop: no single noisy pixel decides
SCORES = ("mass", "hit", "rank", "region_hit")
LOWER_FACE = ("mouth", "chin_jaw")
"""Players that lip-sync and expression transfer change most."""

Float = NDArray[np.float64]
Span = tuple[float, float]


@dataclass(frozen=True, eq=False)
class Attribution:
    """What a method says about one face.

    Attributes
    ----------
    heat : (S, S) float64
        Signed; only the positive part is scored.
    regions : (10,) float64
        Its region vector.
    points : (S, S) bool
        Where it points: the highest pixel, or all pixels of the top region.
    passes
        Pictures it asks the network about.
    seconds
        What it would take alone: passes shared with other methods are billed to each of them.
    """

    heat: Float
    regions: Float
    points: NDArray[np.bool_]
    passes: int
    seconds: float


def by_region(
    shares: Float, region_map: NDArray[np.uint8], passes: int, seconds: float
) -> Attribution:
    """Return what a region vector (10,) says: each share is spread evenly over its pixels."""
    present = np.isin(np.arange(len(shares)), region_map)
    top = int(np.where(present, shares, -np.inf).argmax())
    area = np.bincount(region_map.ravel(), minlength=len(shares))
    heat = np.asarray((shares / np.maximum(area, 1))[region_map])
    return Attribution(heat, shares, region_map == top, passes, seconds)


def by_pixel(
    heat: Float, region_map: NDArray[np.uint8], passes: int, seconds: float
) -> Attribution:
    """Return what a map (S, S) says: its region vector is the positive heat of each region."""
    up = np.bincount(region_map.ravel(), np.maximum(heat, 0).ravel(), minlength=len(REGIONS))
    return Attribution(heat, np.asarray(up, np.float64), heat == heat.max(), passes, seconds)


def dealt(
    heat: Callable[[Float], Float], shares: Float, region_map: NDArray[np.uint8], *, seed: int
) -> list[Attribution]:
    """Return a region witness's map with its shares (R,) on other regions than their own.

    Parameters
    ----------
    heat
        The map (S, S) that the witness makes of shares.
    shares, players
        What it said of a face, and the regions (S, S) of that face. A region that is not in sight
        takes no part.
    seed
        Of the orders in which the shares are passed on, which differ from face to face.
    """
    seen, out = np.unique(region_map), []
    rng = np.random.default_rng([seed, zlib.crc32(region_map.tobytes())])
    for _ in range(ROUNDS):
        order = rng.permutation(seen)
        for step in range(1, len(order)):
            other = np.zeros_like(shares)
            other[order] = shares[np.roll(order, step)]
            out.append(replace(by_pixel(heat(other), region_map, 0, 0.0), regions=other))
    return out


def contrast(rgb: NDArray[np.uint8]) -> Float:
    """Return the gradient magnitude of a crop (S, S, 3), blurred before: (S, S), grey levels."""
    grey = cv2.cvtColor(rgb, cv2.COLOR_RGB2GRAY).astype(np.float64)
    grey = cv2.GaussianBlur(grey, (0, 0), CONTRAST_BLUR)
    return np.asarray(np.hypot(*(cv2.Sobel(grey, cv2.CV_64F, dx, 1 - dx) for dx in (0, 1))))


def controls(
    rgb: NDArray[np.uint8], region_map: NDArray[np.uint8], *, seed: int
) -> dict[str, list[Attribution]]:
    """Return what those say of a crop (S, S, 3) that know nothing of the detector."""
    size = len(rgb)
    rng = np.random.default_rng(seed)
    cells = [rng.random((14, 14)) for _ in range(RANDOM_MAPS)]
    grown = [cv2.resize(c, (size, size), interpolation=cv2.INTER_NEAREST) for c in cells]
    heats = {
        "control.centre": [centre_prior(size)],
        "control.random": grown,
        "control.area": [np.full((size, size), 1.0)],
        "control.contrast": [contrast(rgb) * centre_prior(size)],
    }
    return {k: [by_pixel(np.asarray(h), region_map, 0, 0.0) for h in v] for k, v in heats.items()}


# -- where


def score(told: Attribution, mask: NDArray[np.bool_], changed: Sequence[int]) -> dict[str, float]:
    """Score one face.

    Returns
    -------
    dict
        `mass`: the mask's part of the positive heat, 0 when there is none. `hit`: the part of
        where it points that lies in the mask. `rank`: the part of the mask's K pixels among the K
        highest, ties counted in parts. `region_hit`: whether its top region changed.
    """
    up = np.maximum(told.heat, 0)
    return {
        "mass": mass(told.heat, mask),
        "hit": float(mask[told.points].mean()) if told.points.any() and up.any() else 0.0,
        "rank": top_overlap(told.heat, mask),
        "region_hit": float(told.regions.max() > 0 and int(told.regions.argmax()) in changed),
    }


def mass(heat: Float, mask: NDArray[np.bool_]) -> float:
    """Return the part of the positive heat that lies in the mask; 0 when there is none.

    Examples
    --------
    >>> mass(np.array([[3.0, 1.0], [-5.0, 0.0]]), np.array([[True, False], [True, False]]))
    0.75
    """
    up = np.maximum(heat, 0)
    return float(up[mask].sum() / up.sum()) if up.any() else 0.0


def top_overlap(heat: Float, mask: NDArray[np.bool_]) -> float:
    """Return the expected part of the K highest pixels that lie in the mask of K pixels.

    Ties at the border count in parts, so a flat map scores the mask's area.

    Examples
    --------
    >>> top_overlap(np.zeros((2, 2)), np.array([[True, False], [False, False]]))
    0.25
    """
    k = int(mask.sum())
    if not k:
        return 0.0
    border = np.partition(heat.ravel(), heat.size - k)[heat.size - k]
    above, level = heat > border, heat == border
    part = (k - int(above.sum())) / int(level.sum())
    return float((mask[above].sum() + part * mask[level].sum()) / k)


def lower_part(regions: Float) -> float | None:
    """Return the lower face's part of a region vector's positive sum; None when there is none."""
    up = np.maximum(regions, 0)
    lower = [REGIONS.index(name) for name in LOWER_FACE]
    return float(up[lower].sum() / up.sum()) if up.any() else None


# -- when


def temporal_iou(found: Iterable[Span], truth: Span) -> float:
    """Return intersection over union, in seconds, of all stretches found and the true one.

    Examples
    --------
    >>> temporal_iou([(0.0, 2.0), (1.0, 3.0)], (1.0, 5.0))
    0.4
    """
    joined: list[list[float]] = []
    for start, end in sorted(found):
        if joined and start <= joined[-1][1]:
            joined[-1][1] = max(joined[-1][1], end)
        else:
            joined.append([start, end])
    shared = sum(max(0.0, min(end, truth[1]) - max(start, truth[0])) for start, end in joined)
    union = sum(end - start for start, end in joined) + truth[1] - truth[0] - shared
    return shared / union if union > 0 else 0.0


def blind_iou(seconds: float, truth: Span, *, seed: int) -> dict[str, float]:
    """Return the temporal IoU of those that know how long the forged stretch is, not where.

    Parameters
    ----------
    seconds
        Length of the clip.
    truth
        The forged stretch.
    seed
        Of the random runs, over which the mean is taken.
    """
    length = truth[1] - truth[0]
    free = max(0.0, seconds - length)
    starts = np.random.default_rng(seed).uniform(0, free, RANDOM_RUNS)
    runs = [temporal_iou([(s, s + length)], truth) for s in starts.tolist()]
    return {
        "control.centre": temporal_iou([(free / 2, free / 2 + length)], truth),
        "control.random": float(np.mean(runs)),
        "control.area": temporal_iou([(0.0, seconds)], truth),
    }


# -- over pairs


def scene_interval(values: Float, scenes: Sequence[str], *, seed: int) -> Span | None:
    """Return the 95 % percentile interval of the mean when whole scenes are drawn again.

    None with fewer than two scenes: then nothing is known about another one.
    """
    groups = [np.flatnonzero(np.array(scenes) == s) for s in sorted(set(scenes))]
    if len(groups) < 2:
        return None
    sums = np.array([values[g].sum() for g in groups])
    sizes = np.array([len(g) for g in groups])
    counts = scores.draw(len(groups), seed)
    return scores.percentiles((counts @ sums) / (counts @ sizes))


def mean_of(values: Sequence[float], scenes: Sequence[str], *, seed: int) -> dict[str, object]:
    """Return n, the mean (None without values) and its interval over scenes."""
    column = np.array(values, np.float64)
    return {
        "n": len(values),
        "mean": float(column.mean()) if len(values) else None,
        "interval": scene_interval(column, scenes, seed=seed) if len(values) else None,
    }


def called_forged(
    rows: Sequence[Mapping[str, Any]], *, interval: str = "interval"
) -> dict[str, Any]:
    """Return how many rows are called forged: `clips`, `called_forged`, `rate` and its interval.

    Parameters
    ----------
    rows
        Each with ``called_fake``.
    interval
        The key of Wilson's interval.
    """
    called = sum(bool(r["called_fake"]) for r in rows)
    return {
        "clips": len(rows),
        "called_forged": called,
        "rate": called / len(rows) if rows else None,
        interval: scores.wilson(called, len(rows)),
    }
