"""Figures of pages of forgeries, each judged by heads that were trained without it.

Rows come from `toolkit.training.pages.judge`; frames are summed up by the rule of the product.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from toolkit.evaluation.verdicts import scores
from toolkit.evaluation.verdicts.benchmark import Clip, found_lines, with_interval
from toolkit.evaluation.verdicts.scores import Score, Separation
from toolkit.verdict.aggregate import aggregate, rule_for

SCHEMA = "doorzicht.pages/1"


def summarise(
    rows: Sequence[Mapping[str, Any]], clips: Sequence[Clip], *, part: int, seed: int = 0
) -> dict[str, Any]:
    """Return AUC per page, their mean, pairs, and found against false alarms.

    Parameters
    ----------
    rows
        Per clip `path`, `page`, `is_fake`, `left_out` and `logits`.
    clips
        The list: who shows the same footage, and which clips are hardly usable (not counted).
    part
        One frame in this many makes a clip's logit.
    seed
        Of the bootstrap over footage.

    Returns
    -------
    dict
        `pages` {page: {`forged`, `genuine`, `auc`, `interval`}} for pages that were left out;
        `mean_auc`, `mean_auc_interval` over them; `above_own` {`pairs`, `above`, `interval`}; and
        `found`: per share of false alarms `threshold`, the share `pages` of their forgeries found,
        `genuine_of_pages` of their genuine clips called forged, and `others` {page: share found} of
        forgeries that never trained. False alarms are counted on genuine clips of other pages.
    """
    known = {c.path: c for c in clips if not c.is_marginal}
    left: dict[str, list[Score]] = {}
    other: dict[str, list[Score]] = {}
    for row in rows:
        path = Path(row["path"])
        if path not in known or not row["logits"]:
            continue
        value = aggregate(row["logits"], rule_for(len(row["logits"]), part))
        score = Score(str(path), known[path].group, row["is_fake"], value)
        (other if row["left_out"] is None else left).setdefault(row["page"], []).append(score)
    mean = Separation(list(left.values()))
    pairs = [pair for mine in left.values() for pair in scores.above_own(mine)]
    return {
        "pages": {page: _page(mine, seed) for page, mine in left.items()},
        "mean_auc": mean.value,
        "mean_auc_interval": mean.interval(seed),
        "above_own": {
            "pairs": len(pairs),
            "above": sum(hit for _, hit in pairs),
            "interval": scores.bootstrap_rate(pairs, seed=seed) if pairs else None,
        },
        "found": _found(left, other),
        "others": {page: _page(mine, seed) for page, mine in other.items()},
    }


def _page(mine: Sequence[Score], seed: int) -> dict[str, Any]:
    separation = Separation([mine])
    return {
        "forged": sum(s.is_fake for s in mine),
        "genuine": sum(not s.is_fake for s in mine),
        "auc": separation.value,
        "interval": separation.interval(seed),
    }


def _values(mine: Sequence[Score], *, is_fake: bool) -> Any:
    return np.array([s.value for s in mine if s.is_fake == is_fake], np.float64)


def _found(
    left: Mapping[str, Sequence[Score]], other: Mapping[str, Sequence[Score]]
) -> list[dict[str, Any]]:
    of_pages = [s for mine in left.values() for s in mine]
    fake, own = (_values(of_pages, is_fake=w) for w in (True, False))
    real = _values([s for mine in other.values() for s in mine], is_fake=False)
    rows = []
    for alarms in scores.ALARMS:
        rates = scores.found_at(fake, real, alarms)
        if rates is None:
            continue
        at, share = rates
        others = {p: _values(mine, is_fake=True) for p, mine in other.items()}
        rows.append(
            {
                "alarms": alarms,
                "threshold": at,
                "found": share,
                "genuine_of_pages": float((own >= at).mean()) if len(own) else None,
                "others": {p: float((v >= at).mean()) for p, v in others.items() if len(v)},
            }
        )
    return rows


def lines(result: Mapping[str, Any]) -> list[str]:
    """Return the figures as lines for a terminal."""
    head = f"{'page, left out of training':40} {'forged':>6} {'genuine':>7} {'AUC':>18}"
    out = [head]
    for page, r in result["pages"].items():
        area = with_interval(r["auc"], r["interval"])
        out.append(f"{page[:40]:40} {r['forged']:>6} {r['genuine']:>7} {area:>18}")
    out.append(f"mean over pages: {with_interval(result['mean_auc'], result['mean_auc_interval'])}")
    out += [line.strip() for line in found_lines(result["found"], result["above_own"])]
    for r in result["found"]:
        if r["genuine_of_pages"] is not None:
            own = f"{r['genuine_of_pages']:.0%} of genuine clips of the pages called forged"
            others = (f"; {page} found {share:.0%}" for page, share in r["others"].items())
            out.append(f"  at {r['alarms']:.0%}: {own}" + "".join(others))
    return out
