"""What abstaining on bad pictures would buy: errors of the clips that are left, limit by limit.

`curves` takes the rows of one or more benchmarks (along re-share chains, conditions vary most) and
asks of each rule of `verdict.abstention`: if clips beyond a limit got no verdict, how many would be
left, and how often would the forced decision on those be wrong? A limit is chosen on half of the
scenes and judged on the other half, so that a lucky one is found out.

Bad pictures are not spread evenly over sources, so a limit could look good by leaving one out.
Rates are therefore standardised: every source keeps the weight that it has without a limit, and one
of which nothing is left counts with its rate without a limit.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from toolkit.evaluation.verdicts.benchmark import MARGINAL
from toolkit.verdict import abstention

COVERAGE_MIN = 0.8
"""Part of the clips of each label that a chosen limit must leave: who never speaks never errs."""

POINTS = 40  # limits tried per rule
NONE_HELPS, TOO_FEW = "none helps", "too few scenes"

Row = Mapping[str, Any]
Point = dict[str, Any]


def curves(results: Sequence[Mapping[str, Any]], name: str) -> dict[str, dict[str, Any]]:
    """Return the curve and the chosen limit of every rule for one detector.

    Parameters
    ----------
    results
        Of `verdicts.benchmark`: clips as they are and along re-share chains. Those of other weights
        than the first one's, and further ones along the same chain, are left out.
    name
        The detector.

    Returns
    -------
    dict
        {reason code: {`above` (whether what lies above the limit is left out), `curve` [point,
        from all clips to few], `in_use` (the point at the limit in use), `chosen`, `why`}}. A point
        is {`limit`, `coverage`, `real`, `fake` (results left), `fpr`, `tpr`, `error`}: rates as the
        module says, `error` the mean of false alarms and misses, None without both labels.
        `chosen` is {`limit`, `here`, `elsewhere`, `in_use`}: the points at that limit on the half
        of the scenes that it was chosen on and on the other half, and the point on that other half
        at the limit in use. It is None, and `why` says so, when no limit that leaves `COVERAGE_MIN`
        of each label errs less than the one in use (`NONE_HELPS`), or when a half lacks a label
        (`TOO_FEW`). Rules of which nothing was measured are left out.
    """
    threshold = results[0]["summary"][name]["threshold"]
    if threshold is None:
        return {}
    rows = _rows(results, name)
    halves = _halves(rows)
    out = {}
    for code, above in abstention.ABOVE.items():
        rule = _LimitRule(code, above, threshold)
        limits = rule.limits(rows)
        if not limits:
            continue
        chosen, why = rule.choose(limits, halves)
        out[code] = {
            "above": above,
            "curve": [rule.at(limit, rows) for limit in limits],
            "in_use": rule.at(abstention.limit_of(code), rows),
            "chosen": chosen,
            "why": why,
        }
    return out


def _rows(results: Sequence[Mapping[str, Any]], name: str) -> list[Row]:
    weights = results[0]["settings"]["detectors"][name]
    by_chain: dict[str, Mapping[str, Any]] = {}
    for result in results:
        if result["settings"]["detectors"].get(name) == weights:
            by_chain.setdefault(result["settings"]["reshare"], result)
    return [
        row
        for result in by_chain.values()
        for row in result["clips"]
        if row["detector"] == name
        and row.get("usable") != MARGINAL
        and row["logit"] is not None
        and row.get("conditions") is not None
    ]


def _halves(rows: Iterable[Row]) -> tuple[list[Row], list[Row]]:
    """Split by scene: in an order that has nothing to do with the clips, every other one."""
    by_scene: dict[str, list[Row]] = {}
    for row in rows:
        by_scene.setdefault(str(row.get("scene") or row["path"]), []).append(row)
    order = sorted(by_scene, key=lambda scene: hashlib.sha256(scene.encode()).hexdigest())
    first, second = ([r for scene in order[i::2] for r in by_scene[scene]] for i in (0, 1))
    return first, second


@dataclass(frozen=True)
class _LimitRule:
    """One rule of abstention, and the threshold of the detector."""

    code: str
    above: bool
    threshold: float

    def value(self, row: Row) -> float | None:
        condition: float | None = row["conditions"].get(self.code)
        return condition

    def limits(self, rows: Iterable[Row]) -> list[float]:
        """Return limits from one that leaves all that was measured to one that leaves few."""
        values = [v for row in rows if (v := self.value(row)) is not None]
        if not values:
            return []
        shares = np.linspace(0.05, 1, POINTS) if self.above else np.linspace(0, 0.95, POINTS)
        limits = np.unique(np.quantile(values, shares, method="higher" if self.above else "lower"))
        return [float(v) for v in (limits[::-1] if self.above else limits)]

    def leaves(self, row: Row, limit: float) -> bool:
        """Return whether a clip would get a verdict; what is not a number never does."""
        value = self.value(row)
        return value is not None and (value <= limit if self.above else value >= limit)

    def at(self, limit: float, rows: Sequence[Row]) -> Point:
        """Return the point of a limit over some rows."""
        kept = [row for row in rows if self.leaves(row, limit)]
        fpr, tpr = (self._rate(rows, kept, label) for label in ("real", "fake"))
        return {
            "limit": limit,
            "coverage": len(kept) / len(rows) if rows else None,
            "real": sum(row["label"] == "real" for row in kept),
            "fake": sum(row["label"] == "fake" for row in kept),
            "fpr": fpr,
            "tpr": tpr,
            "error": None if fpr is None or tpr is None else (fpr + 1 - tpr) / 2,
        }

    def _rate(self, rows: Iterable[Row], kept: Iterable[Row], label: str) -> float | None:
        everyone, left = (self._called(among, label) for among in (rows, kept))
        total = sum(map(len, everyone.values()))
        if not total:
            return None
        part = {s: len(called) / total for s, called in everyone.items()}
        return float(sum(part[s] * np.mean(left.get(s) or everyone[s]) for s in everyone))

    def _called(self, rows: Iterable[Row], label: str) -> dict[str, list[bool]]:
        out: dict[str, list[bool]] = {}
        for row in rows:
            if row["label"] == label:
                called = row["logit"] >= self.threshold
                out.setdefault(str(row.get("dataset", "")), []).append(called)
        return out

    def choose(
        self, limits: Sequence[float], halves: Sequence[Sequence[Row]]
    ) -> tuple[dict[str, Any] | None, str | None]:
        """Return the limit with the lowest error on the first half and what it does on the second.

        Or None, and why.
        """
        first, second = halves
        in_use = abstention.limit_of(self.code)
        here, there = self.at(in_use, first), self.at(in_use, second)
        if here["error"] is None or there["error"] is None:
            return None, TOO_FEW
        most = {label: sum(row["label"] == label for row in first) for label in ("real", "fake")}
        points = [self.at(limit, first) for limit in limits]
        points = [
            p for p in points if all(p[label] >= COVERAGE_MIN * most[label] for label in most)
        ]
        best = min(points, key=lambda p: (p["error"], -p["coverage"]), default=here)
        if best["error"] >= here["error"]:
            return None, NONE_HELPS
        return {
            "limit": best["limit"],
            "here": best,
            "elsewhere": self.at(best["limit"], second),
            "in_use": there,
        }, None


def table(found: Mapping[str, Mapping[str, Any]]) -> str:
    """Return the limits as lines for a terminal: in use, and chosen on half of the scenes.

    "There" is the other half, where the error of the limit in use stands beside.
    """
    if not found:
        return "  nothing was measured"
    head = f"{'limit':>8} {'leaves':>6} {'error':>6} {'chosen':>8} {'error':>6}"
    lines = [f"  {'abstain on':16} {head} {'leaves there':>12} {'error':>6} {'error in use':>12}"]
    for code, rule in found.items():
        now, chosen = rule["in_use"], rule["chosen"]
        cells = f"  {code:16} {now['limit']:8.3g} {_share(now['coverage'])} {_share(now['error'])}"
        if chosen:
            here, there = chosen["here"], chosen["elsewhere"]
            cells += (
                f" {chosen['limit']:8.3g} {_share(here['error'])} {_share(there['coverage'], 12)} "
                f"{_share(there['error'])} {_share(chosen['in_use']['error'], 12)}"
            )
        else:
            cells += f"  {rule['why']}"
        lines.append(cells)
    return "\n".join(lines)


def _share(value: float | None, width: int = 6) -> str:
    return f"{'-' if value is None else format(value, '.2f'):>{width}}"
