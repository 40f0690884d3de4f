"""The second witness: replace regions of a frame by a reference and ask the detector again.

``v[S]`` is the logit of the crop with the players of bit mask S as they are and the others taken
from the reference picture. Shapley shares of this game add up to ``v[all] - v[none]``: exactly from
all 2^n composites, or from permutations that are each walked forwards and backwards (antithetic
sampling: Mitchell et al. 2022, Sampling permutations for Shapley value estimation,
doi:10.48550/arXiv.2104.12199). Nothing here decides whether the reference is fit for it: that is
`references`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import cv2
import numpy as np
from numpy.typing import NDArray

from toolkit.detectors.base import Detector
from toolkit.errors import DetectorError, OutOfRangeError, ShapeError, UnknownNameError, UsageError
from toolkit.explain import regions
from toolkit.forge.degrade import Picture, to_u8
from toolkit.messages import phrase
from toolkit.types import PLAYERS, FaceCrops, Tick, no_tick
from toolkit.verdict.aggregate import frame_logits

WHOLE = 4
"""Composites given at once to a detector that names no number."""

FEATHER = 0.01
"""Softness of the borders of replaced regions, in crop sides (Gaussian sigma)."""

PAIRS = 5
"""Permutation pairs by default: at most 92 passes for ten players, each once at every position."""

Float = NDArray[np.float64]


def take(crops: FaceCrops, positions: Sequence[int] | NDArray[np.int64]) -> FaceCrops:
    """Return the crops at `positions`, in that order."""
    return crops.at(np.asarray(positions, np.int64))


def score(
    detector: Detector, crops: FaceCrops, position: int, pictures: NDArray[np.uint8]
) -> Float:
    """Return the logits of variants of one crop.

    Parameters
    ----------
    detector
        One that gives a logit per crop.
    crops, position
        The crop whose geometry the variants share.
    pictures : (M, S, S, 3) uint8

    Returns
    -------
    (M,) float64

    Raises
    ------
    DetectorError
        If the detector does not give one logit per crop.
    """
    variants = replace(take(crops, [position] * len(pictures)), rgb=pictures)
    logits = frame_logits(detector.evidence(variants))
    if len(logits) != len(pictures):
        have = phrase("{logits} logits for {crops} crops", logits=len(logits), crops=len(pictures))
        raise DetectorError("the detector does not judge single crops", have, "Use another one.")
    return logits


class Compositor:
    """Makes any mixture of a crop and a reference, player by player.

    The soft masks of the players sum to 1 at every pixel, so a mixture of two equal pictures is
    that picture, and a detector that is linear in the pixels is linear in the players.

    Parameters
    ----------
    crop, reference : (S, S, 3) uint8
    players : (S, S) uint8
        Which player each pixel belongs to.
    feather
        Gaussian sigma of the borders in crop sides; 0 = hard.
    n_players
        n.
    """

    def __init__(
        self,
        crop: Picture,
        reference: Picture,
        players: NDArray[np.uint8],
        *,
        feather: float = FEATHER,
        n_players: int = len(PLAYERS),
    ) -> None:
        if crop.shape != reference.shape or players.shape != crop.shape[:2]:
            have = phrase(
                "crop {crop}, reference {reference}, players {players}",
                crop=str(crop.shape),
                reference=str(reference.shape),
                players=str(players.shape),
            )
            raise ShapeError("crop, reference and players do not fit", have, "Use one size.")
        self.n_players = n_players
        self.crop = crop
        soft = np.stack([(players == r).astype(np.float32) for r in range(n_players)], axis=2)
        self._sigma = feather * len(crop)
        if feather > 0:
            soft = np.stack(  # cv2.GaussianBlur takes at most four channels
                [cv2.GaussianBlur(soft[..., r], (0, 0), self._sigma) for r in range(n_players)],
                axis=2,
            )
            soft /= soft.sum(axis=2, keepdims=True)
        self._soft = soft.reshape(-1, n_players).T.copy()
        self._base = reference.astype(np.float32)
        self._gap = crop.astype(np.float32) - self._base

    @property
    def difference(self) -> Float:
        """How far the reference is from the crop: (S, S), grey levels, soft as the borders are."""
        gap = np.abs(self._gap).mean(axis=2, dtype=np.float64)
        return np.asarray(cv2.GaussianBlur(gap, (0, 0), self._sigma) if self._sigma > 0 else gap)

    def pictures(self, masks: Sequence[int]) -> NDArray[np.uint8]:
        """Return the composites in which the players of each bit mask are original.

        Returns
        -------
        (M, S, S, 3) uint8
            Rounded; mask `2^n - 1` is the crop itself, mask 0 the reference.
        """
        keep = (np.asarray(masks)[:, None] >> np.arange(self.n_players) & 1).astype(np.float32)
        alpha = (keep @ self._soft).reshape(-1, *self.crop.shape[:2], 1)
        return to_u8(self._base + alpha * self._gap)


class Game:
    """The region game of one frame against one reference; each composite is judged once.

    Parameters
    ----------
    detector
        Any that gives a logit per crop.
    crops, position
        The frame.
    reference : (S, S, 3) uint8
        What replaces a player.
    feather
        As for `Compositor`.
    batch
        Composites held and judged at once; None = as many as the detector judges at once.
    """

    def __init__(
        self,
        detector: Detector,
        crops: FaceCrops,
        position: int,
        reference: Picture,
        *,
        feather: float = FEATHER,
        batch: int | None = None,
    ) -> None:
        self._detector, self._crops, self.position = detector, crops, position
        self._batch = batch or detector.batch or WHOLE
        self.compositor = Compositor(
            crops.rgb[position], reference, crops.players[position], feather=feather
        )
        self.n_players = self.compositor.n_players
        seen = np.unique(crops.players[position]).tolist()
        self._absent = self.full ^ sum(1 << r for r in seen)  # replacing them changes nothing
        self._known: dict[int, float] = {}

    @property
    def full(self) -> int:
        """The bit mask of all players."""
        return (1 << self.n_players) - 1

    @property
    def passes(self) -> int:
        """How many composites were judged so far."""
        return len(self._known)

    def values(
        self, masks: Sequence[int], *, tick: Tick = no_tick, stage: str = "intervene"
    ) -> Float:
        """Return the logits of the composites, judging those that are new, in the order given.

        `tick` is asked before every batch: a cancel acts within one.
        """
        masks = [m | self._absent for m in masks]
        new = [m for m in dict.fromkeys(masks) if m not in self._known]
        for lo in range(0, len(new), self._batch):
            tick(stage, lo, len(new))
            part = new[lo : lo + self._batch]
            pictures = self.compositor.pictures(part)
            logits = score(self._detector, self._crops, self.position, pictures)
            self._known.update(zip(part, logits.tolist(), strict=True))
        tick(stage, len(new), len(new))
        return np.array([self._known[m] for m in masks])

    def heat(self, shares: Float) -> Float:
        """Spread each player's share over its pixels, by how far the reference is from them.

        A pixel that stays as it is when its region is replaced has no part in what the replacement
        does. One grey level, what rounding may make, is added to the difference everywhere: so the
        share of a region that stays as it is is spread evenly, and no small difference becomes a
        peak. This says *within* a region only where something was replaced, not what the detector
        read there: no pass is spent on it.

        Parameters
        ----------
        shares : (n,) float64
            Of this game.

        Returns
        -------
        (S, S) float64
            In logits per pixel; the pixels of a player add up to its share. The share of a player
            that is not in the picture is lost.
        """
        players = self._crops.players[self.position]
        weight = self.compositor.difference + 1.0
        sums = np.bincount(players.ravel(), weight.ravel(), minlength=self.n_players)
        return np.asarray((shares / np.where(sums > 0, sums, 1.0))[players] * weight)


@dataclass(frozen=True, eq=False)
class Intervention:
    """What replacing regions says about one frame.

    Attributes
    ----------
    shares : (n,) float64
        Shapley shares; they add up to ``logit - reference_logit``.
    error : (n,) float64
        Standard error over the permutation pairs; 0 when exact. The pairs are balanced against
        each other, so it errs on the large side.
    logit, reference_logit
        ``v[all]`` and ``v[none]`` of this very game.
    method
        ``"exact"`` or ``"antithetic"``.
    passes
        Composites judged for it that were not known before; all of them when exact.
    seed, pairs
        Of the permutations; 0 pairs when exact.
    table : (2^n,) float64 or None
        All logits, when exact.
    """

    shares: Float
    error: Float
    logit: float
    reference_logit: float
    method: str
    passes: int
    seed: int = 0
    pairs: int = 0
    table: Float | None = None

    @property
    def residual(self) -> float:
        """``logit - reference_logit - sum of shares``: rounding only."""
        return self.logit - self.reference_logit - float(self.shares.sum())

    def flip_sets(self, threshold: float) -> tuple[regions.FlipSet, ...]:
        """Return the minimal sets whose replacement turns the verdict.

        Raises
        ------
        UsageError
            If the game was sampled: only the exact table knows every set.
        """
        if self.table is None:
            raise UsageError("flip sets need the exact table", self.method, "Run `exact` first.")
        return regions.flip_sets(self.table, threshold)


def leave_one_out(game: Game, *, tick: Tick = no_tick) -> Float:
    """Return ``v[all] - v[all but i]`` (n,): the first answer, n + 1 passes.

    It misses players that stand in for each other; Shapley shares do not.
    """
    masks = [game.full, *(game.full ^ (1 << i) for i in range(game.n_players))]
    v = game.values(masks, tick=tick)
    return np.asarray(v[0] - v[1:])


def exact(game: Game, *, tick: Tick = no_tick) -> Intervention:
    """Fill all 2^n values and return exact shares.

    The order is by how telling a set is (none, all, then sets of few or few missing), so that a
    view fed by `tick` has the plain answers first.

    Raises
    ------
    Cancelled
        Within one batch; what was judged stays in `game`.
    """
    masks = np.arange(game.full + 1)
    size = np.bitwise_count(masks).astype(int)
    order = np.lexsort((masks, size, np.minimum(size, game.n_players - size)))
    game.values(order.tolist(), tick=tick)
    table = game.values(masks.tolist())
    return Intervention(
        shares=regions.shapley(table),
        error=np.zeros(game.n_players),
        logit=float(table[-1]),
        reference_logit=float(table[0]),
        method="exact",
        passes=game.passes,
        table=table,
    )


def permutation_pairs(n: int, pairs: int, seed: int) -> NDArray[np.int64]:
    """Return orders of n players: (pairs, n), each to be walked forwards and backwards.

    In every block of n // 2 rows (n even) each player stands once at every position, counting
    both directions: row j is a random order read from position 2 j on.
    """
    rng = np.random.default_rng(seed)
    block = max(1, n // 2)
    rows: list[NDArray[np.int64]] = []
    while len(rows) < pairs:
        base = rng.permutation(n)
        rows += [np.roll(base, -2 * j) for j in range(min(block, pairs - len(rows)))]
    return np.array(rows, np.int64)


def antithetic(
    game: Game, *, pairs: int = PAIRS, seed: int = 0, tick: Tick = no_tick
) -> Intervention:
    """Estimate the shares from permutations walked forwards and backwards.

    Every permutation adds up exactly, hence so does their mean. Ten players need at most 18 passes
    a pair and two more; sets met twice are judged once.

    Raises
    ------
    UsageError
        If there are fewer than two pairs: no error bar.
    Cancelled
        Within one batch.
    """
    if pairs < 2:
        raise OutOfRangeError(
            "too few permutation pairs for an error bar", f"{pairs}", "Use 2 or more."
        )
    n = game.n_players
    orders = permutation_pairs(n, pairs, seed)
    walks = np.stack([orders, orders[:, ::-1]], axis=1)  # (pairs, 2, n)
    masks = np.concatenate(
        [np.zeros((pairs, 2, 1), np.int64), np.cumsum(1 << walks, axis=2)], axis=2
    )
    needed = list(dict.fromkeys([0, game.full, *masks.ravel().tolist()]))
    before = game.passes
    values = game.values(needed, tick=tick)
    at = dict(zip(needed, values.tolist(), strict=True))
    gains = np.diff(np.vectorize(at.__getitem__, otypes=[np.float64])(masks), axis=2)
    by_player = np.empty_like(gains)
    np.put_along_axis(by_player, walks, gains, axis=2)
    per_pair = by_player.mean(axis=1)
    return Intervention(
        shares=per_pair.mean(axis=0),
        error=per_pair.std(axis=0, ddof=1) / np.sqrt(pairs),
        logit=at[game.full],
        reference_logit=at[0],
        method="antithetic",
        passes=game.passes - before,
        seed=seed,
        pairs=pairs,
    )


@dataclass(frozen=True, eq=False)
class Composite:
    """What a frame looks like, and scores, with some regions replaced.

    Attributes
    ----------
    rgb : (S, S, 3) uint8
        For analysis only: show it with a label that says so.
    logit, change
        The detector's answer, and its difference to the untouched frame.
    replaced
        Names from `PLAYERS`.
    """

    rgb: Picture
    logit: float
    change: float
    replaced: tuple[str, ...]


def replace_regions(game: Game, names: Sequence[str]) -> Composite:
    """Replace the named players and judge the result; at most two passes.

    Raises
    ------
    UsageError
        If a name is not in `PLAYERS`.
    """
    unknown = [n for n in names if n not in PLAYERS]
    if unknown:
        raise UnknownNameError(
            "unknown region", ", ".join(unknown), "Choose from {known}.", known=PLAYERS
        )
    chosen = [i for i, name in enumerate(PLAYERS) if name in names]
    mask = game.full ^ sum(1 << i for i in chosen)
    logit, before = game.values([mask, game.full]).tolist()
    return Composite(
        game.compositor.pictures([mask])[0],
        logit,
        logit - before,
        tuple(PLAYERS[i] for i in chosen),
    )


def staged(tick: Tick, name: str, step: int, steps: int) -> Tick:
    """Return a tick that counts the steps of a stage and still asks for a cancel at each batch."""

    def inner(stage: str, done: int, total: int) -> None:
        tick(name, step, steps)

    return inner


# -- two witnesses


@dataclass(frozen=True)
class Agreement:
    """How far two region vectors agree on where the evidence lies.

    Attributes
    ----------
    same_top
        Whether the largest share is the same region's.
    top
        Positions of the two largest shares.
    pearson, spearman
        -1..1; 0 when a vector does not vary.
    half_l1
        Half the summed difference after scaling both to a total size of 1: 0 = same, 1 = apart.
    """

    same_top: bool
    top: tuple[int, int]
    pearson: float
    spearman: float
    half_l1: float


def agreement(a: Float, b: Float) -> Agreement:
    """Compare two region vectors (n,).

    Each is scaled by the sum of its sizes: the two witnesses have references, and so totals, of
    their own; what is compared is only *where*.

    Examples
    --------
    >>> agreement(np.array([3.0, 1, 0]), np.array([6.0, 2, 0])).half_l1
    0.0
    """
    if a.shape != b.shape or a.ndim != 1 or not len(a):
        raise ShapeError("region vectors do not fit", f"{a.shape}, {b.shape}")
    scaled = [x / (np.abs(x).sum() or 1.0) for x in (a, b)]
    top = int(a.argmax()), int(b.argmax())
    return Agreement(
        same_top=top[0] == top[1],
        top=top,
        pearson=correlation(a, b),
        spearman=correlation(ranks(a), ranks(b)),
        half_l1=float(np.abs(scaled[0] - scaled[1]).sum() / 2),
    )


def ranks(x: Float) -> Float:
    """Return ranks from 0; equal values share their mean rank.

    Examples
    --------
    >>> ranks(np.array([5.0, 1.0, 5.0]))
    array([1.5, 0. , 1.5])
    """
    _, place, count = np.unique(x, return_inverse=True, return_counts=True)
    return np.asarray((np.cumsum(count) - (count + 1) / 2)[place], np.float64)


def correlation(a: Float, b: Float) -> float:
    """Return Pearson's correlation; 0 when one of the two does not vary."""
    x, y = a - a.mean(), b - b.mean()
    size = float(np.sqrt((x @ x) * (y @ y)))
    return float(x @ y) / size if size > 1e-12 else 0.0
