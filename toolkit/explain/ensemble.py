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
from toolkit.detectors.measured import genuine_scale
from toolkit.errors import OutOfRangeError, UsageError
from toolkit.types import REGIONS, TrackResult

Float = NDArray[np.float64]


@dataclass(frozen=True)
class LogitScale:
    """How a detector's logits of genuine clips lie: their mean and deviation, in its own logits.

    `clips` says of how many; 0 = not told.

    Raises
    ------
    OutOfRangeError
        If the deviation is not above 0, or a number is not finite.
    """

    mean: float
    deviation: float
    clips: int = 0

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


NOTABLE = 0.1
"""A cell counts where its share has at least this part of the detector's largest."""


@dataclass(frozen=True, eq=False)
class DetectorComparison:
    """Several detectors on one person of one clip: per second, and per region and second.

    Attributes
    ----------
    names, thresholds, logits
        Of the D detectors; a logit is None where there is none.
    seconds : (T,) float64
        Start of each second in which any of them judged.
    margins : (D, T) float64
        Mean logit in that second above the detector's own threshold; NaN where it did not judge.
    shares : (D, T, 11) float64
        Of each detector's own logit, by second, over the ten regions and what no region carries.
    correlation : (D, D) float64
        Of frame logits at the moments of the sparser one; NaN = unknown.
    ledger
        Of their standardised mean; None where a scale is unknown.
    scales
        By name, what was measured; None where nobody did.
    """

    names: tuple[str, ...]
    thresholds: tuple[float, ...]
    logits: tuple[float | None, ...]
    seconds: Float
    margins: Float
    shares: Float
    correlation: Float
    ledger: Ensemble | None
    scales: Mapping[str, LogitScale | None]

    @property
    def judged(self) -> NDArray[np.bool_]:
        """In which seconds all of them judged: (T,)."""
        return np.asarray(np.isfinite(self.margins).all(axis=0))

    @property
    def same_side(self) -> NDArray[np.bool_]:
        """In which seconds all of them lie on the same side of their thresholds: (T,)."""
        above = self.margins >= 0
        return np.asarray(self.judged & (above.all(axis=0) | ~above.any(axis=0)))

    @property
    def is_divided(self) -> tuple[bool, ...]:
        """Which detectors' shares are divided over regions at all."""
        return tuple(bool(np.abs(s[:, : len(REGIONS)]).max(initial=0) > 0) for s in self.shares)

    def cells(self, first: int, second: int) -> tuple[Float, Float]:
        """Return two detectors' shares by second and region, each scaled to its own largest.

        Returns
        -------
        (T, 11), (T, 11) float64
            In -1..1; all 0 where a detector has no shares.
        """
        a, b = (
            self.shares[i] / (np.abs(self.shares[i]).max(initial=0) or 1.0) for i in (first, second)
        )
        return a, b

    def differences(self, first: int = 0, second: int = 1) -> tuple[int, int, int]:
        """Return in how many cells two detectors agree, contradict, and only one speaks.

        A cell is a region in a second; it counts where a share is `NOTABLE`.
        """
        a, b = (cells[:, : len(REGIONS)] for cells in self.cells(first, second))
        loud_a, loud_b = np.abs(a) >= NOTABLE, np.abs(b) >= NOTABLE
        both = loud_a & loud_b
        same = both & (np.sign(a) == np.sign(b))
        return int(same.sum()), int((both & ~same).sum()), int((loud_a ^ loud_b).sum())


def known_scale(name: str, weights_sha256: str) -> LogitScale | None:
    """Return how a detector's logits of genuine clips lie, where that was measured."""
    scale = genuine_scale(name, weights_sha256)
    return None if scale is None else LogitScale(*scale)


def compare_detectors(
    results: Mapping[str, TrackResult],
    scales: Mapping[str, LogitScale | None],
) -> DetectorComparison:
    """Hold several detectors' results for one person of one clip against each other.

    Parameters
    ----------
    results
        By the detector's name: tracks with an explanation.
    scales
        By the detector's name (`known_scale`); with one missing there is no ledger of the mean.

    Raises
    ------
    UsageError
        If there are fewer than two, one has no explanation, or they are of other persons or clips.
    """
    nowhere = {name: LogitScale(0.0, 1.0) for name in results}
    plain = ensemble(results, nowhere)  # checks that they belong together
    ends = [
        (r.track.pts[r.evidence.spans[:, 0]], r.track.pts[r.evidence.spans[:, 1]])
        for r in results.values()
    ]
    start = min(int(first.min()) for first, _last in ends)
    count = max(int(last.max()) for _first, last in ends) - start + 1
    margins = np.full((len(results), count), np.nan)
    shares = np.zeros((len(results), count, len(REGIONS) + 1))
    for row, (member, result) in enumerate(zip(plain.members, results.values(), strict=True)):
        spans = result.evidence.spans
        own = member.shares * len(results)  # the mean's part, back to the detector's own logits
        for at, (first, last) in enumerate(spans.tolist()):
            low, high = int(result.track.pts[first]), int(result.track.pts[last])
            inside = slice(low - start, high - start + 1)  # a stretch fills its seconds
            shares[row, inside] += own[at] / (high - low + 1)
        margins[row] = _by_second(result, start, count)
    known = {name: scale for name in results if (scale := scales.get(name)) is not None}
    return DetectorComparison(
        names=tuple(results),
        thresholds=tuple(float(r.verdict.threshold) for r in results.values()),
        logits=tuple(r.verdict.logit for r in results.values()),
        seconds=start + np.arange(count, dtype=np.float64),
        margins=margins,
        shares=shares,
        correlation=plain.agreement(),
        ledger=ensemble(results, known) if len(known) == len(results) else None,
        scales={name: scales.get(name) for name in results},
    )


def _by_second(result: TrackResult, start: int, count: int) -> Float:
    """Return the mean of the logits in each second, above the threshold; NaN = none."""
    total, n = np.zeros(count), np.zeros(count)
    for logit, (first, last) in zip(
        result.evidence.logits, result.evidence.spans.tolist(), strict=True
    ):
        inside = slice(
            int(result.track.pts[first]) - start, int(result.track.pts[last]) - start + 1
        )
        total[inside] += float(logit) - float(result.verdict.threshold)
        n[inside] += 1
    return np.where(n > 0, total / np.maximum(n, 1), np.nan)


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
