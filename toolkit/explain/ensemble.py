"""Two or more detectors on one clip: where they agree, and a ledger of their standardised mean.

Logits of different detectors are on different scales. Each is brought to deviations from the mean
of genuine clips first: ``z = (logit - mean) / deviation``. The ensemble's logit is the mean of the
z, which is a sum over detectors, frames and regions, ``reference + sum of shares``: exactly, for
each detector's own ledger is one.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from toolkit._i18n import _
from toolkit.errors import OutOfRangeError, UsageError
from toolkit.types import REGIONS, TrackResult

Float = NDArray[np.float64]


@dataclass(frozen=True)
class LogitScale:
    """How a detector's logits of genuine clips lie: their mean and deviation, in its own logits.

    Raises
    ------
    OutOfRangeError
        If the deviation is not above 0, or a number is not finite.
    """

    mean: float
    deviation: float

    def __post_init__(self) -> None:
        if not (self.deviation > 0 and math.isfinite(self.mean) and math.isfinite(self.deviation)):
            raise OutOfRangeError(
                "a scale needs a finite mean and a deviation above 0",
                f"{self.mean}, {self.deviation}",
                "Measure both on genuine clips.",
            )


@dataclass(frozen=True, eq=False)
class Member:
    """One detector's part of an ensemble.

    Attributes
    ----------
    name
        The detector's.
    logit, z
        Of the track, in its own logits and standardised.
    reference
        Its reference, standardised.
    times : (M,) float64
        Of its frames, in seconds.
    shares : (M, 11) float64
        Of the ensemble's logit: by frame, over the ten regions and what no region carries.
    frames : (M,) float64
        Its frame logits, standardised.
    """

    name: str
    logit: float
    z: float
    reference: float
    times: Float
    shares: Float
    frames: Float


@dataclass(frozen=True, eq=False)
class Ensemble:
    """The mean of several detectors' standardised logits, and what it is made of.

    Attributes
    ----------
    logit
        Mean of the members' z: deviations above genuine clips.
    reference
        Mean of their references.
    members
        In the order given.
    """

    logit: float
    reference: float
    members: tuple[Member, ...]

    @property
    def residual(self) -> float:
        """``logit - reference - all shares``: 0 up to rounding."""
        every = [float(v) for m in self.members for v in m.shares.ravel()]
        return math.fsum([self.logit, -self.reference, *(-v for v in every)])

    @property
    def detector_shares(self) -> Float:
        """Each detector's part of the logit above the reference: (D,) float64."""
        return np.array([m.shares.sum() for m in self.members])

    @property
    def region_shares(self) -> Float:
        """Each detector's part by region, and what no region carries: (D, 11) float64."""
        return np.stack([m.shares.sum(axis=0) for m in self.members])

    def by_second(self) -> tuple[Float, Float]:
        """Return seconds (T,) and each detector's share in each second (D, T)."""
        last = max(int(m.times.max()) for m in self.members)
        table = np.zeros((len(self.members), last + 1))
        for row, member in zip(table, self.members, strict=True):
            np.add.at(row, member.times.astype(int), member.shares.sum(axis=1))
        return np.arange(last + 1, dtype=np.float64), table

    def agreement(self) -> Float:
        """Return how alike members rise and fall: correlations (D, D) float64, NaN = unknown.

        Frame logits are compared at the moments of the sparser of the two.
        """
        n = len(self.members)
        table = np.full((n, n), np.nan)
        for i, a in enumerate(self.members):
            for j, b in enumerate(self.members):
                few, many = (a, b) if len(a.times) <= len(b.times) else (b, a)
                if len(few.times) < 3:
                    continue
                x, y = few.frames, np.interp(few.times, many.times, many.frames)
                if x.std() > 0 and y.std() > 0:
                    table[i, j] = float(np.corrcoef(x, y)[0, 1])
        return table

    def lines(self) -> list[str]:
        """Return the ledger in a few lines, in the language in use."""
        text = _("{value:+.2f} deviations above genuine clips; reference {reference:+.2f}")
        found = [text.format(value=self.logit, reference=self.reference)]
        for member in self.members:
            text = _(
                "{name}: logit {logit:+.2f}, {z:+.2f} deviations, share {share:+.2f}; most: {where}"
            )
            whole = member.shares.sum(axis=0)
            names = [*REGIONS, "unsplit"]
            where = names[int(np.abs(whole).argmax())]
            found.append(
                text.format(
                    name=member.name,
                    logit=member.logit,
                    z=member.z,
                    share=float(whole.sum()),
                    where=_("not divided") if where == "unsplit" else _(where),
                )
            )
        return found


def ensemble(results: Mapping[str, TrackResult], scales: Mapping[str, LogitScale]) -> Ensemble:
    """Return the ensemble of several detectors' results for one person of one clip.

    Parameters
    ----------
    results
        By the detector's name: tracks with an explanation.
    scales
        By the detector's name: how its logits of genuine clips lie.

    Raises
    ------
    UsageError
        If there are fewer than two, one has no explanation or scale, or they are of other persons
        or clips: their times do not meet.
    """
    if len(results) < 2:
        raise UsageError("an ensemble needs two detectors", str(len(results)), "Give two or more.")
    count = len(results)
    spans = [(float(r.track.pts[0]), float(r.track.pts[-1])) for r in results.values()]
    if max(s[0] for s in spans) > min(s[1] for s in spans):
        raise UsageError(
            "these are not the same person and clip", "", "Analyse one clip with both."
        )
    members = []
    for name, result in results.items():
        scale, explanation = scales.get(name), result.explanation
        if scale is None or explanation is None or result.verdict.logit is None:
            raise UsageError(
                "a detector lacks its scale or its explanation",
                name,
                "Analyse with explain=True, and give the mean and deviation of genuine clips.",
            )
        spans_ = result.evidence.spans
        part = 1 / (scale.deviation * count)
        shares = np.column_stack([explanation.shares, explanation.unsplit]) * part
        members.append(
            Member(
                name=name,
                logit=result.verdict.logit,
                z=(result.verdict.logit - scale.mean) / scale.deviation,
                reference=(explanation.reference_logit - scale.mean) / scale.deviation,
                times=(result.track.pts[spans_[:, 0]] + result.track.pts[spans_[:, 1]]) / 2,
                shares=shares,
                frames=(result.evidence.logits - scale.mean) / scale.deviation,
            )
        )
    return Ensemble(
        logit=math.fsum(m.z for m in members) / count,
        reference=math.fsum(m.reference for m in members) / count,
        members=tuple(members),
    )
