"""Examine a clip whose forgery is known, and compare: which region, when, how much on a decoy.

The clip goes the whole road of the product, from the file on. Regions are graded on faces inside
the forged stretch, those with the highest logits first; time by the intervals of the report.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from toolkit.analysis import pipeline
from toolkit.detectors.base import Detector
from toolkit.evaluation.explanations.methods import Explainer
from toolkit.evaluation.explanations.scores import (
    Attribution,
    blind_iou,
    controls,
    mass,
    score,
    temporal_iou,
)
from toolkit.forge.plant import PlantTruth, decoy_mask, forged_mask
from toolkit.types import REGIONS, Evidence, FaceCrops, Report, Tick, TrackResult

Gallery = tuple[FaceCrops, Evidence]


def forged_span(truth: PlantTruth, pts: NDArray[np.float64]) -> tuple[float, float]:
    """Return when the forgery is on screen: to the end of its last frame, seconds."""
    step = float(np.median(np.diff(pts))) if len(pts) > 1 else 0.0
    return truth.start_s, truth.end_s + step


def grade(
    clip: Path,
    truth: PlantTruth,
    judge: Detector,
    keys: Sequence[str],
    *,
    decoys: Sequence[str] = (),
    gallery: Gallery | None = None,
    faces: int = 1,
    seed: int = 0,
    tick: Tick,
) -> dict[str, Any]:
    """Examine a clip and compare with what was planted, pasted or spliced into it.

    Parameters
    ----------
    clip, truth
        The clip, and what is known of it.
    judge
        The detector.
    keys
        Methods, see `explainers.method_keys`; none = only the verdict and the time.
    decoys
        Parts whose share of the evidence is wanted, whether or not they got an edit.
    gallery
        Genuine faces of other persons for references, and what the detector saw in them.
    faces
        How many are explained.

    Returns
    -------
    dict
        `called_fake`, `abstained`, `logit`; `temporal` {`truth`, `found`, `iou`, `controls`} when
        something was forged; `track_region`, the region that leads over the whole track; and
        `methods` {key: scores} when a region was.
    """
    examined = pipeline.examine(clip, detector=judge, seed=seed, tick=tick)
    report = examined.report
    verdict, result = report.verdict, _speaking(report)
    row: dict[str, Any] = {
        "called_fake": verdict.is_fake,
        "abstained": verdict.abstained,
        "logit": verdict.logit,
    }
    if result is None or result.explanation is None:
        return row
    if truth.frames and (truth.regions or not truth.decoys):
        row["temporal"] = _temporal(report, result, truth, seed)
    explanation = result.explanation
    row["track_region"] = REGIONS[int(explanation.region_shares.argmax())]
    if keys and truth.frames:
        crops = examined.crops[result.track.person]
        at = result.track.pts
        inside = np.flatnonzero((at >= truth.start_s - 1e-6) & (at <= truth.end_s + 1e-6))
        order = np.argsort(-result.evidence.logits[inside], kind="stable")
        explain = Explainer(judge, crops, result.evidence, gallery=gallery, seed=seed, tick=tick)
        gathered: dict[str, list[dict[str, Any]]] = {}
        for position in inside[order][:faces].tolist():
            answers = explain(position, keys)
            region_map = crops.region_map[position]
            attributions = {k: [t] for k, t in answers.told.items()}
            attributions |= answers.controls | controls(crops.rgb[position], region_map, seed=seed)
            for key, several in attributions.items():
                scored = [_scores(t, crops.mesh[position], truth, decoys) for t in several]
                mean = {n: float(np.mean([s[n] for s in scored])) for n in scored[0]}
                gathered.setdefault(key, []).append(mean | {"regions": several[0].regions})
        row["methods"] = {key: _together(rows, truth.regions) for key, rows in gathered.items()}
    return row


def _speaking(report: Report) -> TrackResult | None:
    tracks = [r for r in report.tracks if r.track.person == report.decisive] or report.tracks[:1]
    return tracks[0] if tracks else None


def _temporal(report: Report, result: TrackResult, truth: PlantTruth, seed: int) -> dict[str, Any]:
    assert result.explanation is not None
    span = forged_span(truth, report.video.pts)
    intervals = [(i.start_s, i.end_s) for i in result.explanation.intervals]
    end = float(report.video.pts[-1]) + span[1] - truth.end_s
    return {
        "truth": list(span),
        "found": [list(f) for f in intervals],
        "iou": temporal_iou(intervals, span),
        "controls": blind_iou(end, span, seed=seed),
    }


def _scores(
    told: Attribution, mesh: NDArray[np.float32], truth: PlantTruth, decoys: Sequence[str]
) -> dict[str, float]:
    shape = (told.heat.shape[0], told.heat.shape[1])
    out: dict[str, float] = {}
    if truth.regions:
        forged = forged_mask(mesh, shape, truth.regions, truth.kind) > 0.5
        changed = [REGIONS.index(r) for r in truth.regions]
        out |= score(told, forged, changed) | {"area": float(forged.mean())}
    if decoys:
        beside = decoy_mask(mesh, shape, decoys, truth.regions) > 0.5
        out |= {"decoy_mass": mass(told.heat, beside), "decoy_area": float(beside.mean())}
    return out | {"passes": float(told.passes), "seconds": told.seconds}


def _together(rows: Sequence[dict[str, Any]], forged: Sequence[str]) -> dict[str, Any]:
    """Return the scores of one method over the explained faces."""
    summed = np.sum([row["regions"] for row in rows], axis=0)
    leading = np.argsort(-summed, kind="stable")[: len(forged)].tolist()
    top = REGIONS[int(summed.argmax())]
    names = [n for n in rows[0] if n != "regions"]
    out: dict[str, Any] = {n: float(np.mean([row[n] for row in rows])) for n in names}
    out |= {"top_region": top, "faces": len(rows)}
    if forged:
        named = summed.max() > 0
        out["region_hit"] = float(named and top in forged)
        out["all_regions"] = float(named and {REGIONS[i] for i in leading} == set(forged))
    return out
