"""A planted sample has a right answer: compare the explanation with it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from toolkit._i18n import _
from toolkit.figures.sentences import clock, number, region_name, speaking, top_region
from toolkit.files import parse_json
from toolkit.types import REGIONS, Report


@dataclass(frozen=True)
class PlantedTruth:
    """What was planted: regions (names out of `REGIONS`) and the stretch of time."""

    regions: tuple[str, ...]
    start_s: float
    end_s: float


@dataclass(frozen=True)
class PlantedComparison:
    """How the explanation compares with what was planted.

    Attributes
    ----------
    truth
        What was planted.
    top
        The region the explanation names first, or None.
    temporal_iou
        All reported stretches of time together, against the planted one: intersection over
        union, 0..1.
    """

    truth: PlantedTruth
    top: str | None
    temporal_iou: float

    @property
    def is_region_right(self) -> bool:
        """Whether the region named first was planted."""
        return self.top in self.truth.regions


def read_truth(video: Path | str) -> PlantedTruth | None:
    """Return what was planted in a video, from the file beside it; None where there is none."""
    path = Path(video).with_suffix(".truth.json")
    try:
        content = parse_json(path.read_text(encoding="utf-8"))
        truth = PlantedTruth(
            tuple(str(r) for r in content["regions"]),
            float(content["start_s"]),
            float(content["end_s"]),
        )
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return truth if truth.regions and set(truth.regions) <= set(REGIONS) else None


def compare(report: Report, truth: PlantedTruth) -> PlantedComparison:
    """Compare the track that speaks with what was planted."""
    result = speaking(report)
    if result is None or result.explanation is None:
        return PlantedComparison(truth, None, 0.0)
    stretches = [(i.start_s, i.end_s) for i in result.explanation.intervals]
    return PlantedComparison(truth, top_region(result), _temporal_iou(stretches, truth))


def _temporal_iou(stretches: list[tuple[float, float]], truth: PlantedTruth) -> float:
    """Stretches do not overlap one another."""
    inside = sum(max(0.0, min(b, truth.end_s) - max(a, truth.start_s)) for a, b in stretches)
    union = sum(b - a for a, b in stretches) + (truth.end_s - truth.start_s) - inside
    return inside / union if union > 0 else 0.0


def planted_sentences(comparison: PlantedComparison) -> list[str]:
    """Return what was planted, and how the explanation compares."""
    truth = comparison.truth
    planted = _("Planted here: {regions}, {start}–{end}.").format(
        regions=", ".join(region_name(r) for r in truth.regions),
        start=clock(truth.start_s),
        end=clock(truth.end_s),
    )
    if comparison.top is None:
        region = _("Region: none was named.")
    elif comparison.is_region_right:
        region = _("Region: correct, {region}.").format(region=region_name(comparison.top))
    else:
        region = _("Region: not correct, {region} was named first.").format(
            region=region_name(comparison.top)
        )
    overlap = _("Time: overlap {iou} of 1 (intersection over union).").format(
        iou=number(comparison.temporal_iou)
    )
    return [planted, region, overlap]
