"""Run detectors over labelled clips and report per source and per method.

A pooled figure over sources rewards guessing the source from codec or size, so none is given.
"""

from __future__ import annotations

import csv
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from toolkit.analysis import analyse
from toolkit.detectors import registry
from toolkit.errors import ToolkitError, UsageError
from toolkit.types import Report, Sampling, Tick, no_tick

SCHEMA = "doorzicht.benchmark/1"
COLUMNS = ("path", "label", "method", "dataset", "scene")
RESAMPLES = 2000
LEVEL = 0.95
EXCLUDED = ("demo-only",)
HEADER = (
    f"  {'source':32} {'label':5} {'clips':>5} {'abst':>5} {'called fake':>12} "
    f"{'forced':>7} {'median':>7} {'AUC':>22}"
)


@dataclass(frozen=True)
class Clip:
    """One row of the list: a file, its label, and whatever other columns the list has."""

    path: Path
    row: dict[str, str]

    @property
    def is_fake(self) -> bool:
        """Whether the label says forged."""
        return self.row["label"] == "fake"

    @property
    def group(self) -> str:
        """What must not be taken apart when resampling: the filmed footage."""
        return self.row.get("target_scene") or self.row.get("scene") or self.row["path"]


def read_list(path: Path) -> list[Clip]:
    """Read a CSV: path, label (real or fake), method, dataset, scene; more columns are kept.

    Paths are relative to the list. Rows whose `usable` column says demo-only are left out.

    Raises
    ------
    UsageError
        If the file, a column or a label is not as stated.
    """
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            rows = list(csv.DictReader(file))
    except OSError as error:
        raise UsageError(
            "the list of clips cannot be read", str(path), "Check the path."
        ) from error
    if not rows:
        raise UsageError("the list of clips is empty", str(path), "Give at least one clip.")
    missing = [c for c in ("path", "label") if c not in rows[0]]
    if missing:
        raise UsageError("the list of clips lacks a column", ", ".join(missing), "Add it.")
    clips = []
    for number, row in enumerate(rows, 2):
        if row["label"] not in ("real", "fake"):
            value = f"{row['label']!r} in line {number}"
            raise UsageError("unknown label", value, "Use real or fake.")
        if row.get("usable") not in EXCLUDED:
            clips.append(Clip(path.parent / row["path"], row))
    return clips


def auc(fake: NDArray[np.float64], real: NDArray[np.float64]) -> float | None:
    """Return the chance that a fake scores above a real; ties count half. None without both.

    Examples
    --------
    >>> auc(np.array([1.0, 3.0]), np.array([1.0, 0.0]))
    0.875
    """
    if not len(fake) or not len(real):
        return None
    above = (fake[:, None] > real).mean() + 0.5 * (fake[:, None] == real).mean()
    return float(above)


def wilson(hits: int, total: int) -> tuple[float, float] | None:
    """Return the 95 % Wilson interval of a share (doi:10.1080/01621459.1927.10502953).

    Examples
    --------
    >>> [round(x, 3) for x in wilson(0, 20)]
    [0.0, 0.161]
    """
    if not total:
        return None
    z = 1.959963984540054
    share = hits / total
    middle = (share + z * z / (2 * total)) / (1 + z * z / total)
    half = z * np.sqrt(share * (1 - share) / total + z * z / (4 * total**2)) / (1 + z * z / total)
    return float(max(0.0, middle - half)), float(min(1.0, middle + half))


def bootstrap_auc(
    fake: Sequence[tuple[str, float]], real: Sequence[tuple[str, float]], *, seed: int
) -> tuple[float, float] | None:
    """Return the percentile interval of the AUC when whole groups are drawn again.

    Parameters
    ----------
    fake, real
        (group, logit) per clip; an original and the fakes made on it share their group.
    """
    groups = sorted({g for g, _ in (*fake, *real)})
    if len(groups) < 2:
        return None
    rng = np.random.default_rng(seed)
    by_group = [
        (
            np.array([z for g, z in fake if g == group]),
            np.array([z for g, z in real if g == group]),
        )
        for group in groups
    ]
    values = []
    for _ in range(RESAMPLES):
        drawn = [by_group[i] for i in rng.integers(len(groups), size=len(groups))]
        value = auc(np.concatenate([f for f, _ in drawn]), np.concatenate([r for _, r in drawn]))
        if value is not None:
            values.append(value)
    if not values:
        return None
    tail = (1 - LEVEL) / 2 * 100
    low, high = np.percentile(values, [tail, 100 - tail])
    return float(low), float(high)


def benchmark(
    clips: Sequence[Clip],
    *,
    detectors: Sequence[str] = ("seamnet",),
    device: str = "auto",
    sampling: Sampling | None = None,
    seed: int = 0,
    tick: Tick = no_tick,
) -> dict[str, Any]:
    """Analyse every clip with every detector and summarise.

    Returns
    -------
    dict
        `clips`, `summary` and `settings` as the README documents them. A clip that is refused
        counts as abstained, with the refusal as its reason.
    """
    rows: list[dict[str, Any]] = []
    total = len(clips) * len(detectors)
    thresholds: dict[str, float] = {}
    weights: dict[str, str] = {}
    for name in detectors:
        detector = registry.load(name, device=device)
        thresholds[name] = detector.card.threshold
        weights[name] = detector.card.weights_sha256
        for clip in clips:
            tick("benchmark", len(rows), total)
            start = time.perf_counter()
            try:
                report: Report | None = analyse(
                    clip.path, detector=detector, sampling=sampling, explain=False, seed=seed
                )
                refusal = None
            except ToolkitError as error:
                if type(error).__name__ == "Cancelled":
                    raise
                report, refusal = None, str(error)
            rows.append(_row(clip, name, report, refusal, time.perf_counter() - start))
    tick("benchmark", total, total)
    groups = {str(c.row["path"]): c.group for c in clips}
    return {
        "schema": SCHEMA,
        "clips": rows,
        "summary": {
            name: _summary(
                [r for r in rows if r["detector"] == name], thresholds[name], groups, seed
            )
            for name in detectors
        },
        "settings": {
            "seed": seed,
            "sampling": (sampling or Sampling()).to_dict(),
            "detectors": weights,
            "resamples": RESAMPLES,
        },
    }


def _row(
    clip: Clip, detector: str, report: Report | None, refusal: str | None, seconds: float
) -> dict[str, Any]:
    logits = (
        [r.verdict.logit for r in report.tracks if r.verdict.logit is not None] if report else []
    )
    verdict = report.verdict if report else None
    spoken = verdict.logit if verdict else None
    return {
        "detector": detector,
        **{k: v for k, v in clip.row.items() if k not in ("licence", "note")},
        **{k: clip.row.get(k, "") for k in COLUMNS},
        "logit": spoken if spoken is not None else max(logits, default=None),
        "abstained": verdict.abstained if verdict else True,
        "reason": verdict.reason if verdict else refusal,
        "faces": len(report.tracks) if report else 0,
        "seconds": round(seconds, 3),
    }


def _rates(rows: list[dict[str, Any]], threshold: float) -> dict[str, Any]:
    """Return how often clips of one label are called forged: with abstention, and forced."""
    judged = [r for r in rows if not r["abstained"]]
    scored = [r for r in rows if r["logit"] is not None]
    hits = sum(r["logit"] >= threshold for r in judged)
    return {
        "clips": len(rows),
        "abstained": len(rows) - len(judged),
        "called_fake": hits,
        "rate": hits / len(judged) if judged else None,
        "interval": wilson(hits, len(judged)),
        "forced_rate": (
            sum(r["logit"] >= threshold for r in scored) / len(scored) if scored else None
        ),
        "median_logit": float(np.median([r["logit"] for r in scored])) if scored else None,
    }


def _summary(
    rows: list[dict[str, Any]], threshold: float, groups: dict[str, str], seed: int
) -> dict[str, Any]:
    per_source: dict[str, Any] = {}
    per_method: dict[str, Any] = {}
    for source in sorted({r["dataset"] for r in rows}):
        here = [r for r in rows if r["dataset"] == source]
        reals = [r for r in here if r["label"] == "real"]
        fakes = [r for r in here if r["label"] == "fake"]
        per_source[source] = {
            "real": _rates(reals, threshold) if reals else None,
            "fake": _rates(fakes, threshold) if fakes else None,
            **_separation(fakes, reals, groups, seed),
        }
        for method in sorted({r["method"] for r in fakes}):
            made = [r for r in fakes if r["method"] == method]
            # an original counts only where a fake was made on the same footage
            footage = {groups[r["path"]] for r in made}
            originals = [r for r in reals if groups[r["path"]] in footage]
            per_method[f"{source} / {method}"] = {
                "fake": _rates(made, threshold),
                **_separation(made, originals, groups, seed),
            }
    reals = [r for r in rows if r["label"] == "real"]
    fakes = [r for r in rows if r["label"] == "fake"]
    return {
        "threshold": threshold,
        "per_source": per_source,
        "per_method": per_method,
        "fpr": _rates(reals, threshold)["rate"],
        "tpr": _rates(fakes, threshold)["rate"],
        "abstained": sum(r["abstained"] for r in rows) / len(rows) if rows else None,
        "seconds_per_clip": float(np.median([r["seconds"] for r in rows])) if rows else None,
    }


def _separation(
    fakes: list[dict[str, Any]], reals: list[dict[str, Any]], groups: dict[str, str], seed: int
) -> dict[str, Any]:
    """Return the AUC with its interval; both None unless there are clips of both labels."""
    f = [(groups[r["path"]], float(r["logit"])) for r in fakes if r["logit"] is not None]
    g = [(groups[r["path"]], float(r["logit"])) for r in reals if r["logit"] is not None]
    value = auc(np.array([z for _, z in f]), np.array([z for _, z in g]))
    interval = bootstrap_auc(f, g, seed=seed) if value is not None else None
    return {"auc": value, "auc_interval": interval}


def table(result: dict[str, Any]) -> str:
    """Return the summary as lines of text for a terminal."""
    lines = []
    for name, s in result["summary"].items():
        lines.append(f"{name}: threshold {s['threshold']:+.2f}, abstained {_share(s['abstained'])}")
        lines.append(HEADER)
        for source, r in s["per_source"].items():
            for label in ("real", "fake"):
                if r[label]:
                    separation = r if label == "fake" else {"auc": None, "auc_interval": None}
                    lines.append(_line(source, label, r[label], separation))
        for method, r in s["per_method"].items():
            lines.append(_line(method, "fake", r["fake"], r))
    return "\n".join(lines)


def _line(name: str, label: str, r: dict[str, Any], separation: dict[str, Any]) -> str:
    area, interval = separation["auc"], separation["auc_interval"]
    text = "-" if area is None else f"{area:.2f}"
    if interval:
        text += f" [{interval[0]:.2f}, {interval[1]:.2f}]"
    called = f"{r['called_fake']}/{r['clips'] - r['abstained']}"
    median = "-" if r["median_logit"] is None else f"{r['median_logit']:+.2f}"
    return (
        f"  {name[:32]:32} {label:5} {r['clips']:>5} {r['abstained']:>5} {called:>12} "
        f"{_share(r['forced_rate']):>7} {median:>7} {text:>22}"
    )


def _share(value: float | None) -> str:
    return "-" if value is None else f"{value:.2f}"
