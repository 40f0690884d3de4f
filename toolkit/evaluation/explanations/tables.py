"""The results of `explanations` as text for a terminal."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from toolkit.evaluation.explanations.planted import KINDS, STRENGTHS
from toolkit.evaluation.explanations.scores import BLIND


def table(result: dict[str, Any]) -> str:
    """Return the result as text, best mass first.

    ``(low high)`` are intervals over scenes; ``lift`` is the mass less that of the centre prior,
    ``contrast`` less that of the picture's own contrast about the centre.
    """
    lines = []
    scored = [(k, m) for k, m in result["methods"].items() if m["pairs"]]
    if scored:
        lines += _where_lines(scored)
        seen, groups = result["detected"], result["settings"]["groups"]
        lines.append(f"{seen['called_fake']} of {seen['pairs']} pairs are called forged")
        lines.append(f"(low high): 95 %, from drawing {len(groups)} scenes: {', '.join(groups)}")
        for part, title in _PARTS.items():
            lines += ["", *_part_lines(scored, part, title)]
        for key, others in result["ahead"].items():
            lines += ["", *_ahead_lines(key, others)]
        lines += ["", *_way_lines(result["ways"]), "", *_lower_lines(result["lower_face"])]
    if result["temporal"]:
        lines += ["", *_when_lines(result["temporal"])]
    if result["transplanted"]:
        lines += ["", *_transplant_lines(result["transplanted"])]
    if result["attacked"]:
        lines += ["", *_attack_lines(result["attacked"])]
    lines.append("")
    lines += [
        f"{name}: {seconds['mean']:.1f} s each, {seconds['rows']} rows"
        for name, seconds in result["seconds"].items()
        if seconds["rows"]
    ]
    return "\n".join(lines)


_PARTS = {"flagged": "called forged", "common": "answered by all"}


def _where_lines(shown: Sequence[tuple[str, dict[str, Any]]]) -> list[str]:
    head = (
        f"{'method':32} {'pairs':>5} {'mass':>6} {'(low high)':>13} {'hit':>6} {'(low high)':>13}"
    )
    head += f" {'rank':>6} {'lift':>7} {'(low high)':>15} {'contrast':>8} {'passes':>7} {'s':>6}"
    lines = [head]
    for key, m in sorted(shown, key=lambda item: -item[1]["mass"]):
        lift = m["intervals"]["lift_centre"]
        lines.append(
            f"{_mass_and_hit(key, m)} {m['rank']:6.3f} {m['lift_centre']:+7.3f} "
            f"{_span(lift, '+'):>15} {m['lift_contrast']:+8.3f} "
            f"{m['passes']:7.0f} {m['seconds']:6.2f}"
        )
    return lines


def _part_lines(shown: Sequence[tuple[str, dict[str, Any]]], part: str, title: str) -> list[str]:
    """Return mass and hit over some of the pairs: a method that abstains is not the better one."""
    answered = [(key, m[part]) for key, m in shown if m[part]["pairs"]]
    if not answered:
        return [f"{title}: none"]
    answered.sort(key=lambda item: -item[1]["mass"])
    return [_mass_and_hit_head(title), *(_mass_and_hit(key, m) for key, m in answered)]


def _mass_and_hit_head(title: str) -> str:
    span = "(low high)"
    return f"{title:32} {'pairs':>5} {'mass':>6} {span:>13} {'hit':>6} {span:>13}"


def _mass_and_hit(key: str, m: Mapping[str, Any]) -> str:
    mass, hit = (_span(m["intervals"][name], "") for name in ("mass", "hit"))
    return f"{key:32} {m['pairs']:5} {m['mass']:6.3f} {mass:>13} {m['hit']:6.3f} {hit:>13}"


def _ahead_lines(key: str, others: Mapping[str, Any]) -> list[str]:
    """Return how far a witness is ahead of each other method, hardest first."""
    title, span = f"{key} ahead of", "(low high)"
    lines = [f"{title:32} {'pairs':>5} {'mass':>6} {span:>15} {'hit':>6} {span:>15}"]
    for other, m in sorted(others.items(), key=lambda item: item[1]["mass"]["mean"]):
        cells = (
            f"{m[name]['mean']:+6.3f} {_span(m[name]['interval'], '+'):>15}"
            for name in ("mass", "hit")
        )
        lines.append(f"{other:32} {m['pairs']:5} {' '.join(cells)}")
    return lines


_BESIDE = ("ledger", "intervention", "control.dealt", "control.centre", "control.contrast")


def _way_lines(found: Mapping[str, Any]) -> list[str]:
    keys = [k for k in _BESIDE if any(k in m for m in found.values())]
    lines = [f"{'mass (hit) per way of forging':40} " + "".join(f"{k:>18}" for k in keys)]
    for way, methods in found.items():
        cells = [
            f"{methods[k]['mass']:.2f} ({methods[k]['hit']:.2f})" if k in methods else "-"
            for k in keys
        ]
        lines.append(f"{way[:40]:40} " + "".join(f"{c:>18}" for c in cells))
    return lines


def _lower_lines(found: Mapping[str, Any]) -> list[str]:
    keys = [k for k in found if k in ("ledger", "intervention", "control.area")]
    groups = sorted({group for k in keys for group in found[k]})
    lines = [f"{'mouth or chin leads (its part)':40} " + "".join(f"{k:>22}" for k in keys)]
    for group in groups:
        cells = []
        for key in keys:
            own = found[key].get(group)
            part = own and own["part"]["mean"]
            addition = "" if part is None else f" ({part:.2f})"
            cells.append(f"{own['leads']} of {own['pairs']}{addition}" if own else "-")
        lines.append(f"{group[:40]:40} " + "".join(f"{c:>22}" for c in cells))
    return lines


def _when_lines(found: Mapping[str, Any]) -> list[str]:
    lines = [
        (
            f"{'forged part':12} {'called forged':>14} {'tIoU':>6} {'(low high)':>13} {'all':>6} "
            f"{'centre':>6} {'random':>6} {'whole':>6}"
        )
    ]
    for name, m in (*found["fractions"].items(), ("in part", found["partial"])):
        values = [m["iou_all"], *(m[key] for key in BLIND)]
        called = f"{m['called_forged']} of {m['clips']}"
        span = _span(m["iou"]["interval"], "")
        figures = " ".join(_number(v["mean"]) for v in values)
        lines.append(f"{name:12} {called:>14} {_number(m['iou']['mean'])} {span:>13} {figures}")
    plain = found["unforged"]
    lines.append(f"{plain['called_forged']} of {plain['clips']} unforged copies are called forged")
    return lines


def _transplant_lines(found: Mapping[str, Any]) -> list[str]:
    lines = [f"{'transplants':32} {'clips':>5} {'region hit':>10} {'mass':>6} {'over area':>9}"]
    for key, m in found["methods"].items():
        lines.append(
            f"{key:32} {m['region_hit']['n']:5} {_number(m['region_hit']['mean']):>10} "
            f"{_number(m['mass']['mean'])} {_number(m['lift_area']['mean']):>9}"
        )
    times = found["temporal"]
    lines.append(
        f"temporal IoU{_number(times['iou']['mean'])} {_span(times['iou']['interval'], '')}; "
        + ", ".join(f"{key}{_number(times[key]['mean'])}" for key in BLIND)
    )
    seen, control = found["detected"], found["control"]
    lines.append(
        f"{seen['called_forged']} of {seen['clips']} transplants are called forged, "
        f"{control['called_forged']} of {control['clips']} originals pasted into themselves"
    )
    return lines


def _attack_lines(found: Mapping[str, Any]) -> list[str]:
    lines = [f"{'attack':32} {'faces':>5} {'drop':>6} {'over random':>11} {'turned':>6}"]
    for key, m in found["methods"].items():
        lines.append(
            f"{key:32} {m['drop']['n']:5} {_number(m['drop']['mean'])} "
            f"{_number(m['lift_random']['mean']):>11} {_number(m['flipped']['mean'])}"
        )
    lines.append(f"{found['not_called_forged']} faces are not called forged and were left out")
    return lines


def _number(value: float | None) -> str:
    return "     -" if value is None else f"{value:6.3f}"


def _span(interval: Sequence[float] | None, sign: str) -> str:
    return "-" if interval is None else f"({interval[0]:{sign}.2f} {interval[1]:{sign}.2f})"


def planted_table(result: dict[str, Any]) -> str:
    """Return the result on planted clips as text: methods, then the strength grid."""
    planted = result["planted_summary"]
    columns = {
        "region_hit": "hit",
        "all_regions": "all",
        "mass": "mass",
        "area": "area",
        "temporal_iou": "tIoU",
        "decoy_mass": "decoy",
        "decoy_mass_without": "(none)",
    }
    head = " ".join(f"{word:>6}" for word in columns.values())
    lines = [f"{'method':32} {'clips':>5} {head}"]
    for key, m in planted["methods"].items():
        figures = " ".join(_number(m[name]["mean"]) for name in columns)
        lines.append(f"{key:32} {m['mass']['n']:5} {figures}")
    lines += ["", f"{'called forged (of)':18} " + "".join(f"{s:>10}" for s in STRENGTHS)]
    at = {(c["kind"], c["strength"]): c for c in planted["cells"]}
    for kind in KINDS:
        row = [at[kind, s] for s in STRENGTHS]
        figures = "".join(f"{c['called_forged']:>5} ({c['clips']})".rjust(10) for c in row)
        lines.append(f"{kind:18} {figures}")
    called = planted["called_forged"]
    clean = planted["called_forged_and_unforged_copy_not"]
    nothing = planted["nothing"]
    alone = ", ".join(
        f"{k} {v['called_forged']} of {v['clips']}" for k, v in planted["decoys_alone"].items()
    )
    lines += [
        (
            f"{called['called_forged']} of {called['clips']} planted clips are called forged; "
            f"{clean['called_forged']} of {clean['clips']} where the unforged copy is not"
        ),
        (
            f"{nothing['called_forged']} of {nothing['clips']} unforged copies are called forged; "
            f"with a decoy alone: {alone}"
        ),
    ]
    return "\n".join(lines)
