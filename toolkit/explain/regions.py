"""The region game: everything that follows from one table of 2^n logits.

``v[S]`` is the logit with the players of bit mask S as they are and the others replaced by the
reference; player i is bit i. A table may come from a detector's patch logits (`patch_table`: by
construction, without a pass) or from replaced pixels (by intervention). Every function takes
tables (..., 2^n) and sums in float64.

Shapley, L. S. (1953), A value for n-person games, doi:10.1515/9781400881970-018; interactions:
Grabisch and Roubens (1999), doi:10.1007/s001820050125.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from toolkit.errors import ShapeError
from toolkit.messages import phrase
from toolkit.types import REGIONS, PatchHead

_CHUNK = 64  # frames whose tables are held at once: 64 * 2^10 float64 = 0.5 MB

Float = NDArray[np.float64]


def players_of(v: Float) -> int:
    """Return n of a table (..., 2^n).

    Raises
    ------
    ShapeError
        If the last axis is not a power of two, at least 2.
    """
    size = v.shape[-1] if v.ndim else 0
    if size < 2 or size & (size - 1):
        raise ShapeError("not a table of 2^n values", str(v.shape), "The last axis has 2^n logits.")
    return size.bit_length() - 1


@lru_cache(maxsize=8)
def table_weights(n: int) -> Float:
    """Return the (n, 2^n) matrix W with ``shapley(v) = W @ v``; read-only.

    Examples
    --------
    >>> table_weights(1)
    array([[-1.,  1.]])
    """
    masks = np.arange(1 << n)
    size = np.bitwise_count(masks).astype(np.int64)
    weight = np.array([1 / (n * math.comb(n - 1, k)) for k in range(n)] + [0.0])
    has = (masks >> np.arange(n)[:, None]) & 1
    matrix = np.where(has == 1, weight[np.maximum(size - 1, 0)], -weight[size])
    matrix.setflags(write=False)
    return matrix


def gain(v: Float, player: int) -> Float:
    """Return ``v[S + player] - v[S]`` for all S without the player: (..., 2^(n-1))."""
    pairs = v.reshape(*v.shape[:-1], -1, 2, 1 << player)
    return np.asarray(pairs[..., 1, :] - pairs[..., 0, :]).reshape(*v.shape[:-1], -1)


def shapley(v: Float) -> Float:
    """Return exact Shapley values (..., n); they add up to ``v[all] - v[none]``.

    Summed over gains, so a player that changes nothing gets exactly 0.
    """
    n = players_of(v)
    weights = [row.reshape(-1, 2, 1 << i)[:, 1].ravel() for i, row in enumerate(table_weights(n))]
    return np.stack([gain(v, i) @ weights[i] for i in range(n)], axis=-1)


def leave_one_out(v: Float) -> Float:
    """Return ``v[all] - v[all but i]``: (..., n)."""
    masks = 1 << np.arange(players_of(v))
    return np.asarray(v[..., -1:] - v[..., v.shape[-1] - 1 - masks])


def interactions(v: Float) -> Float:
    """Return the pairwise Shapley interaction index: (..., n, n), symmetric, zero diagonal.

    Below 0: the two are redundant. Above 0: the detector needs both.
    """
    n = players_of(v)
    out = np.zeros((*v.shape[:-1], n, n))
    size = np.bitwise_count(np.arange(1 << max(n - 2, 0)))
    weight = np.array([1 / ((n - 1) * math.comb(n - 2, k)) for k in range(n - 1)])
    for i in range(n):
        without = gain(v, i)  # i is gone, so a later player sits one bit lower
        for j in range(i + 1, n):
            out[..., i, j] = out[..., j, i] = gain(without, j - 1) @ weight[size]
    return out


@dataclass(frozen=True)
class FlipSet:
    """Players whose replacement turns 'forged' into 'genuine', and the logit that is left."""

    players: tuple[int, ...]
    logit: float


def flip_sets(v: Float, threshold: float) -> tuple[FlipSet, ...]:
    """Return all minimal sets of players whose replacement brings the logit below `threshold`.

    Minimal: no part of the set does it. Smallest set first, then lowest logit left. Empty when
    no set does it; the empty set alone when the logit is below the threshold to begin with.

    Parameters
    ----------
    v : (2^n,) float64
    threshold
        At or above it the detector says 'forged'.
    """
    n = players_of(v)
    left = v[::-1]  # left[R] = v[all but R]
    reached = left < threshold
    part = np.zeros(1 << n, bool)  # whether a proper part of R, or R without one player, flips
    for i in range(n):
        here, before = reached.reshape(-1, 2, 1 << i), part.reshape(-1, 2, 1 << i)
        before[:, 1] |= before[:, 0] | here[:, 0]
    sets = [
        FlipSet(tuple(i for i in range(n) if mask >> i & 1), float(left[mask]))
        for mask in np.flatnonzero(reached & ~part).tolist()
    ]
    return tuple(sorted(sets, key=lambda flip: (len(flip.players), flip.logit)))


def additive_table(v: Float, shares: Float) -> Float:
    """Return ``v[none] + sum of the shares in S``: the table that bars would describe."""
    n = players_of(v)
    has = (np.arange(1 << n) >> np.arange(n)[:, None] & 1).astype(np.float64)
    return np.asarray(v[..., :1] + shares @ has)


def additivity(v: Float) -> Float:
    """Return the R² of the table explained by its Shapley bars: (...); 1 = bars say it all.

    Below about 0.8 bars alone mislead: show `interactions` beside them. It can be negative.
    """
    missed = ((v - additive_table(v, shapley(v))) ** 2).sum(axis=-1)
    spread = ((v - v.mean(axis=-1, keepdims=True)) ** 2).sum(axis=-1)
    flat = spread == 0
    return np.asarray(np.where(flat, 1.0, 1 - missed / np.where(flat, 1.0, spread)))


def infidelity(v: Float, shares: Float) -> Float:
    """Return the exact infidelity of `shares` (..., n), over all 2^n sets: (...), logits².

    The mean over S of ``(v[all] - v[S] - sum of the shares outside S)²``
    (Yeh et al. 2019, doi:10.48550/arXiv.1901.09392), without sampling.
    """
    outside = shares.sum(axis=-1, keepdims=True) + v[..., :1] - additive_table(v, shares)
    return np.asarray(((v[..., -1:] - v - outside) ** 2).mean(axis=-1))


def deletion_curve(v: Float, order: Sequence[int]) -> Float:
    """Return the logit as the players are replaced one by one in `order`: (n + 1,)."""
    taken = np.cumsum([0, *(1 << i for i in order)])
    return np.asarray(v[v.shape[-1] - 1 - taken])


def insertion_curve(v: Float, order: Sequence[int]) -> Float:
    """Return the logit as the players are put back one by one in `order`: (n + 1,)."""
    return np.asarray(v[np.cumsum([0, *(1 << i for i in order)])])


@dataclass(frozen=True)
class DeletionScale:
    """Orders whose deletion curve has the smallest (best) and largest (worst) mean."""

    best: tuple[int, ...]
    worst: tuple[int, ...]


def deletion_scale(v: Float) -> DeletionScale:
    """Find the best and worst of all n! deletion curves, in n * 2^n additions.

    ``D[S] = v[S] + min over i in S of D[S without i]``, and the same with the maximum. `v` is
    one table (2^n,).
    """
    return DeletionScale(_extreme_order(v), _extreme_order(-v))


def deletion_place(v: Float, order: Sequence[int]) -> float:
    """Return where an order's deletion curve lies between the worst (0) and the best (1).

    1 when all orders are equally good.
    """
    scale = deletion_scale(v)
    low, high = (float(deletion_curve(v, o).sum()) for o in (scale.best, scale.worst))
    own = float(deletion_curve(v, order).sum())
    return 1.0 if high - low <= 1e-12 * max(1.0, abs(high)) else (high - own) / (high - low)


def _extreme_order(v: Float) -> tuple[int, ...]:
    n = players_of(v)
    total, choice = v.astype(np.float64), np.zeros(1 << n, np.int64)
    masks = np.arange(1 << n)
    size = np.bitwise_count(masks)
    for count in range(1, n + 1):
        sets = masks[size == count]
        has = (sets[:, None] >> np.arange(n) & 1).astype(bool)
        below = np.where(has, total[sets[:, None] & ~(1 << np.arange(n))], np.inf)
        choice[sets] = below.argmin(axis=1)
        total[sets] += below.min(axis=1)
    order, left = [], (1 << n) - 1
    while left:
        order.append(int(choice[left]))
        left &= ~(1 << order[-1])
    return tuple(order)


def cover(region_map: NDArray[np.uint8], h: int, w: int, *, n_players: int = len(REGIONS)) -> Float:
    """Return which share of each nominal tile each player covers.

    Parameters
    ----------
    region_map : (N, S, S) uint8
        Which region each pixel belongs to.
    h, w
        Tiles down and across; they need not divide S: a pixel on a border counts in parts.
    n_players
        R.

    Returns
    -------
    (N, h * w, R) float64
        0..1; the players of a tile sum to 1.

    Raises
    ------
    ShapeError
        If `region_map` is not (N, S, S) or holds a value that is not a player.
    """
    if region_map.ndim != 3:
        raise ShapeError(
            "players has the wrong shape", str(region_map.shape), "Expected (N, S, S)."
        )
    if region_map.size and int(region_map.max()) >= n_players:
        raise ShapeError(
            "no such player", str(int(region_map.max())), "Use 0 to {last}.", last=n_players - 1
        )
    _, high, wide = region_map.shape
    row_pixel, row_tile, row_length = _pieces(high, h)
    column_pixel, column_tile, column_length = _pieces(wide, w)
    bins = (row_tile[:, None] * w + column_tile) * n_players
    area = np.outer(row_length, column_length).ravel().astype(np.float64)  # whole numbers: exact
    out = np.empty((len(region_map), h * w, n_players))
    for n, frame in enumerate(region_map):
        where = bins + frame[row_pixel[:, None], column_pixel]
        out[n].flat = np.bincount(where.ravel(), area, minlength=out[n].size)
    out /= high * wide
    return out


def _pieces(pixels: int, tiles: int) -> tuple[NDArray[np.int64], ...]:
    """Cut an axis at every border of a pixel or a tile.

    Returns the pixel, the tile and the length of each piece, in units of 1/tiles pixel.
    """
    length = pixels * tiles
    borders = np.union1d(np.arange(0, length + 1, tiles), np.arange(0, length + 1, pixels))
    start = borders[:-1].astype(np.int64)
    return start // tiles, start // pixels, np.diff(borders)


def patch_table(patches: NDArray[np.floating], cover: Float, head: PatchHead) -> Float:
    """Return the by-construction table of a patch-additive detector.

    With ``E_r = sum_i A[i, r] exp(tau p_i)`` and ``B_r`` the same from the reference map,
    ``v[S] = scale / tau * log((sum_(r in S) E_r + sum_(r not in S) B_r) / P) + bias``. It is
    built in logarithms by doubling, so no patch logit under- or overflows, and a player whose
    cells equal the reference changes nothing at all.

    Parameters
    ----------
    patches : (..., h, w)
        Patch logits, of one frame or several.
    cover : (..., h * w, R) float64
        A: share of each tile that each player covers; rows sum to 1.
    head
        How patches make the logit, and the reference map (h, w).

    Returns
    -------
    (..., 2^R) float64
        ``v[all]`` is the frame's logit, ``v[none]`` the reference's, the same for every frame.

    Raises
    ------
    ShapeError
        If shapes do not fit together, a row of `cover` does not sum to 1, or a patch logit is
        not finite.
    """
    lead, grid = patches.shape[:-2], patches.shape[-2:]
    if head.reference.shape != grid or cover.shape[:-1] != (*lead, grid[0] * grid[1]):
        have = phrase(
            "patches {patches}, cover {cover}, reference {reference}",
            patches=str(patches.shape),
            cover=str(cover.shape),
            reference=str(head.reference.shape),
        )
        raise ShapeError("patch map, cover and reference do not fit", have, "Use one (h, w) grid.")
    if not (np.abs(cover.sum(axis=-1) - 1) < 1e-9).all() or (cover < 0).any():
        raise ShapeError(
            "cover is not a partition", phrase("rows do not sum to 1"), "Use regions.cover."
        )
    if not (np.isfinite(patches).all() and np.isfinite(head.reference).all()):
        raise ShapeError("patch logits are not finite", "", "The detector's answer is unusable.")
    cells = grid[0] * grid[1]
    own = _log_sums(head.tau * patches.astype(np.float64).reshape(*lead, cells), cover)
    other = _log_sums(head.tau * head.reference.astype(np.float64).ravel(), cover)
    table = np.full((*lead, 1), -np.inf)
    for r in range(cover.shape[-1]):
        table = np.concatenate(
            [np.logaddexp(table, level[..., r : r + 1]) for level in (other, own)], axis=-1
        )
    return np.asarray(head.scale / head.tau * (table - math.log(cells)) + head.bias)


def _log_sums(scaled: Float, cover: Float) -> Float:
    """Return log of sum_i A[i, r] exp(scaled_i): (..., R); -inf for a player without a cell."""
    top = np.where(cover > 0, scaled[..., None], -np.inf).max(axis=-2)
    safe = np.where(np.isfinite(top), top, 0.0)
    powers = np.exp(np.minimum(scaled[..., None] - safe[..., None, :], 0.0))
    with np.errstate(divide="ignore"):
        return np.asarray(np.log((cover * powers).sum(axis=-2)) + safe)


def patch_shares(patches: NDArray[np.floating], cover: Float, head: PatchHead) -> Float:
    """Return exact by-construction Shapley shares of every frame: (M, R) float64.

    Parameters
    ----------
    patches : (M, h, w)
    cover : (M, h * w, R) float64
    head
        As for `patch_table`, whose tables are made a few frames at a time.
    """
    out = np.empty((len(patches), cover.shape[-1]))
    for lo in range(0, len(patches), _CHUNK):
        part = slice(lo, lo + _CHUNK)
        out[part] = shapley(patch_table(patches[part], cover[part], head))
    return out
