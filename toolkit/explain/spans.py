"""Detectors of stretches: what each region's movement, or its look, adds to a stretch's logit.

Such a detector gives one logit for a span of moments, so a region cannot be replaced in one frame:
it is replaced in all of them, by a reference of the same length. That reference is the region held
still: what a detector reads of it stays at its mean over the span. ``v[S]`` is the span's logit
with the regions of bit mask S as they are and all others held still; the regions' shares are the
exact Shapley values of that game, and add up to the span's logit minus that of the span that holds
still altogether.

A detector may hold regions still itself (`detectors.base.SpanDetector`: LRNet does it with
landmarks). Any other is given composed pictures, `hold_pictures_still`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from toolkit.detectors.base import Detector, can_hold_still
from toolkit.errors import DetectorError, ShapeError
from toolkit.explain import regions
from toolkit.explain.perturbation import Compositor, take
from toolkit.types import REGIONS, Evidence, FaceCrops, FaceTrack, Tick, no_tick

Float = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class SpanAnswer:
    """What one stretch's logit is made of.

    Attributes
    ----------
    start_s, end_s
        First and last moment that the logit stands for, in seconds.
    logit, still_logit
        As it is, and with every region held still.
    shares : (10,) float64
        Of each region: they add up to `logit` minus `still_logit`.
    without : (10,) float64
        The logit with that one region held still.
    """

    start_s: float
    end_s: float
    logit: float
    still_logit: float
    shares: Float
    without: Float

    @property
    def residual(self) -> float:
        """``logit - still_logit - all shares``: 0 up to rounding."""
        return self.logit - self.still_logit - float(self.shares.sum())


def hold_pictures_still(
    detector: Detector, crops: FaceCrops, span: tuple[int, int], masks: Sequence[int]
) -> Float:
    """Return the logit of one span for each mask, the other regions' pixels at their mean: (K,).

    Parameters
    ----------
    detector
        One that gives a span of this length one logit.
    crops
        Of the whole track.
    span
        First and last moment.
    masks
        Bit masks over `types.REGIONS`: which regions stay as they are.

    Raises
    ------
    DetectorError
        If the detector does not give the span one logit.
    """
    part = take(crops, np.arange(span[0], span[1] + 1))
    still = np.rint(part.rgb.mean(axis=0)).astype(np.uint8)
    compositors = [
        Compositor(rgb, still, region_map)
        for rgb, region_map in zip(part.rgb, part.region_map, strict=True)
    ]
    logits = []
    for mask in masks:
        pictures = np.stack([c.pictures([mask])[0] for c in compositors])
        evidence = detector.evidence(replace(part, rgb=pictures))
        if len(evidence.logits) != 1:
            raise DetectorError(
                "the detector does not judge stretches of this length", str(len(part.rgb))
            )
        logits.append(float(evidence.logits[0]))
    return np.array(logits)


def span_table(
    detector: Detector, crops: FaceCrops, spans: NDArray[np.int64], *, tick: Tick = no_tick
) -> tuple[Float, tuple[int, ...]]:
    """Return every span's game over the regions that the detector reads: (M, 2^n), and which.

    Parameters
    ----------
    detector
        Of stretches.
    crops
        Of the whole track.
    spans : (M, 2) int64
        As its evidence has them.
    tick
        Stage ``"spans"``, in spans.

    Raises
    ------
    ShapeError
        If a span lies outside the track.
    DetectorError
        If the detector does not judge stretches.
    """
    if detector.batch is not None:
        raise DetectorError(
            "the detector judges frames, not stretches", detector.card.name, "Ask about a frame."
        )
    if len(spans) and not (spans.min() >= 0 and int(spans.max()) < len(crops.rgb)):
        raise ShapeError("spans lie outside the track", str(int(spans.max())))
    if can_hold_still(detector):
        reads = detector.reads
        tick("spans", 0, 1)
        table = detector.still_logits(crops, spans, _masks(reads))
        tick("spans", 1, 1)
        return np.asarray(table, np.float64), reads
    reads = tuple(range(len(REGIONS)))
    rows = []
    for done, (first, last) in enumerate(spans.tolist()):
        tick("spans", done, len(spans))
        rows.append(hold_pictures_still(detector, crops, (first, last), _masks(reads)))
    tick("spans", len(spans), len(spans))
    return np.stack(rows), reads


def _masks(reads: Sequence[int]) -> list[int]:
    """Return all masks over some regions, in the order of a table of them alone.

    Regions that the detector does not read count as they are in all of them.
    """
    rest = sum(1 << r for r in range(len(REGIONS)) if r not in reads)
    return [
        rest | sum(1 << region for bit, region in enumerate(reads) if number >> bit & 1)
        for number in range(1 << len(reads))
    ]


def span_shares(
    detector: Detector, crops: FaceCrops, spans: NDArray[np.int64], *, tick: Tick = no_tick
) -> Float:
    """Return each region's exact Shapley share of each span's logit: (M, 10).

    They add up to the span's logit minus that of the span that holds still. Parameters and errors
    are those of `span_table`.
    """
    table, reads = span_table(detector, crops, spans, tick=tick)
    shares = np.zeros((len(spans), len(REGIONS)))
    shares[:, list(reads)] = regions.shapley(table)
    return shares


def ask_spans(
    detector: Detector,
    crops: FaceCrops,
    track: FaceTrack,
    evidence: Evidence,
    *,
    tick: Tick = no_tick,
) -> tuple[SpanAnswer, ...]:
    """Hold each region of each span still, and say what that does.

    Parameters
    ----------
    detector
        The one that judged.
    crops, track, evidence
        Of one person.
    tick
        As for `span_table`.

    Raises
    ------
    ShapeError, DetectorError
        As `span_table`.
    """
    table, reads = span_table(detector, crops, evidence.spans, tick=tick)
    answers = []
    for row, (first, last) in enumerate(evidence.spans.tolist()):
        game, logit = table[row], float(table[row, -1])
        shares, without = np.zeros(len(REGIONS)), np.full(len(REGIONS), logit)
        shares[list(reads)] = regions.shapley(game)
        without[list(reads)] = logit - regions.leave_one_out(game)
        answers.append(
            SpanAnswer(
                start_s=float(track.pts[first]),
                end_s=float(track.pts[last]),
                logit=logit,
                still_logit=float(game[0]),
                shares=shares,
                without=without,
            )
        )
    return tuple(answers)
