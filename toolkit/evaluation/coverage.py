"""What abstaining on bad pictures would buy: errors of the clips that are left, limit by limit.

`curves` takes the rows of one or more benchmarks (along re-share chains, conditions vary most) and
asks of each rule of `verdict.abstention`: if clips beyond a limit got no verdict, how many would be
left, and how often would the forced decision on those be wrong? A limit is chosen on half of the
scenes and judged on the other half, so that a lucky one is found out.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from toolkit.verdict import abstention

COVERAGE_MIN = 0.8
"""Part of the clips that a chosen limit must leave: a detector that never speaks never errs."""

POINTS = 40  # limits tried per rule

Row = Mapping[str, Any]


def curves(results: Sequence[Mapping[str, Any]], name: str) -> dict[str, dict[str, Any]]:
    """Return the curve and the chosen limit of every rule for one detector.

    Parameters
    ----------
    results
        Of `verdicts.benchmark`: the same clips, as they are and along re-share chains. Those of
        other weights than the first one's are left out.
    name
        The detector.

    Returns
    -------
    dict
        {reason code: {`above` (whether what lies above the limit is left out), `curve` [`point`s,
        from all clips to few], `shipped` (the `point` at the limit in use), `chosen` {`limit`,
        `here`, `elsewhere`, `without`} or None}}. A point is {`limit`, `coverage`, `real`, `fake`
        (clips left), `fpr`, `tpr`, `error`}, `error` being the mean of false alarms and misses,
        None without clips of both labels. `chosen` has the points on the scenes it was chosen on
        and on the others, and the latter without any limit; None when no limit that leaves
        `COVERAGE_MIN` has a lower error than none. Empty when nothing was measured.
    """
    threshold = results[0]["summary"][name]["threshold"]
    weights = results[0]["settings"]["detectors"][name]
    same = [r for r in results if r["settings"]["detectors"].get(name) == weights]
    rows = [row for result in same for row in result["clips"] if _counts(row, name)]
    if threshold is None or not rows:
        return {}
    out = {}
    for code, above in abstention.ABOVE.items():
        known = [r for r in rows if r["conditions"][code] is not None]
        halves = [[r for r in known if _half(r) == h] for h in (0, 1)]
        limits = _limits([r["conditions"][code] for r in known], above=above)

        def at(
            limit: float, among: Iterable[Row], code: str = code, *, above: bool = above
        ) -> dict[str, Any]:
            return _point(among, code, limit, threshold, above=above)

        out[code] = {
            "above": above,
            "curve": [at(limit, known) for limit in limits],
            "shipped": at(abstention.limit_of(code), known),
            "chosen": _choose(limits, halves, at),
        }
    return out


def _counts(row: Row, name: str) -> bool:
    usable = row["detector"] == name and row.get("usable") != "marginal"
    return usable and row["logit"] is not None and row.get("conditions") is not None


def _half(row: Row) -> int:
    """Return which half of the scenes a clip belongs to: the same for every list that has it."""
    return hashlib.sha256(str(row["scene"]).encode()).digest()[0] % 2


def _limits(values: Sequence[float], *, above: bool) -> list[float]:
    """Return limits from one that leaves all clips to one that leaves few."""
    found = np.unique(np.quantile(values, np.linspace(0, 0.95, POINTS), method="lower"))
    if above:
        found = np.unique(np.quantile(values, np.linspace(0.05, 1, POINTS), method="higher"))[::-1]
    return [float(v) for v in found]


def _point(
    rows: Iterable[Row], code: str, limit: float, threshold: float, *, above: bool
) -> dict[str, Any]:
    rows = list(rows)
    kept = [
        r
        for r in rows
        if (r["conditions"][code] <= limit if above else r["conditions"][code] >= limit)
    ]
    called = {
        label: [r["logit"] >= threshold for r in kept if r["label"] == label]
        for label in ("real", "fake")
    }
    fpr, tpr = (float(np.mean(c)) if c else None for c in (called["real"], called["fake"]))
    return {
        "limit": limit,
        "coverage": len(kept) / len(rows) if rows else None,
        "real": len(called["real"]),
        "fake": len(called["fake"]),
        "fpr": fpr,
        "tpr": tpr,
        "error": None if fpr is None or tpr is None else (fpr + 1 - tpr) / 2,
    }


def _choose(limits: Sequence[float], halves: Sequence[Sequence[Row]], at: Any) -> Any:
    """Return the limit with the lowest error on the first half, and what it does on the second."""
    first, second = halves
    points = [p for limit in limits if (p := at(limit, first))["error"] is not None]
    points = [p for p in points if p["coverage"] >= COVERAGE_MIN]
    if not points:
        return None
    best = min(points, key=lambda p: (p["error"], -p["coverage"]))
    if best["error"] >= at(limits[0], first)["error"]:
        return None
    return {
        "limit": best["limit"],
        "here": best,
        "elsewhere": at(best["limit"], second),
        "without": at(limits[0], second),
    }


def table(found: Mapping[str, Mapping[str, Any]]) -> str:
    """Return the limits as lines for a terminal: in use, and chosen on half of the scenes."""
    lines = [
        (
            f"  {'abstain on':16} {'in use':>8} {'leaves':>6} {'error':>6} {'chosen':>8} "
            f"{'leaves':>6} {'error':>6} {'elsewhere':>9} {'without':>7}"
        )
    ]
    for code, rule in found.items():
        now, chosen = rule["shipped"], rule["chosen"]
        cells = f"  {code:16} {now['limit']:8.3g} {_share(now['coverage'])} {_share(now['error'])}"
        if chosen:
            here, there, without = chosen["here"], chosen["elsewhere"], chosen["without"]
            cells += (
                f" {chosen['limit']:8.3g} {_share(here['coverage'])} {_share(here['error'])} "
                f"{_share(there['error']):>9} {_share(without['error']):>7}"
            )
        else:
            cells += "  no limit that leaves enough clips lowers the error"
        lines.append(cells)
    return "\n".join(lines)


def _share(value: float | None) -> str:
    return f"{'-' if value is None else format(value, '.2f'):>6}"
