"""The benchmark as one HTML file: opens from disk, holds no script, asks the network for nothing.

Charts are SVG drawn here: logits per source, AUC with intervals, and, when results of other
re-share chains are given, the same figures along the chains.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from html import escape
from pathlib import Path
from typing import Any

from toolkit.errors import UsageError
from toolkit.evaluation.verdicts import baselines
from toolkit.evaluation.verdicts.benchmark import MARGINAL, SCHEMA, number, with_interval
from toolkit.evaluation.verdicts.risk_coverage import COVERAGE_MIN
from toolkit.files import atomic_write, parse_json

POLICY = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'"

STYLE = """
:root { color-scheme: light dark; --ink: #1f2933; --soft: #4a5560; --page: #ffffff;
  --line: #c3cad1; --fake: #a04308; --real: #1d5a96; }
@media (prefers-color-scheme: dark) { :root { --ink: #e8ecf0; --soft: #b6bfc8; --page: #15191d;
  --line: #47515b; --fake: #ffb066; --real: #8cc1f0; } }
body { margin: 0 auto; padding: 1rem; max-width: 64rem; background: var(--page);
  color: var(--ink); font: 1rem/1.5 system-ui, sans-serif; overflow-wrap: anywhere; }
h1 { font-size: 1.5rem; } h2 { font-size: 1.2rem; margin-top: 2rem; } h3 { font-size: 1rem; }
.note { color: var(--soft); font-size: .9rem; } .scroll { overflow-x: auto; }
table { border-collapse: collapse; font-size: .85rem; font-variant-numeric: tabular-nums; }
th, td { padding: .15rem .6rem; border-bottom: 1px solid var(--line); text-align: right;
  white-space: nowrap; }
th:first-child, td:first-child { text-align: left; } thead th { vertical-align: bottom; }
svg { display: block; width: 100%; min-width: 40rem; height: auto; }
svg text { fill: var(--ink); font: 12px system-ui, sans-serif; }
svg .axis { stroke: var(--line); } svg .ink { stroke: var(--ink); fill: none; }
svg .mark { fill: var(--ink); }
svg .fake { fill: var(--fake); } svg .real { fill: var(--real); }
svg .none { opacity: .35; }
@media print { body { max-width: none; } svg { min-width: 0; break-inside: avoid; } }
"""

WIDTH, LABELS, RIGHT, ROW = 900, 330, 40, 20


def write(result: dict[str, Any], path: Path, *, others: Sequence[dict[str, Any]] = ()) -> None:
    """Write the page of a benchmark; `others` are results of the same list along other chains."""
    atomic_write(path, render(result, others=others))


def read(path: Path) -> dict[str, Any]:
    """Read the JSON of an earlier benchmark.

    Raises
    ------
    UsageError
        If it is not one.
    """
    try:
        result: dict[str, Any] = parse_json(path.read_text(encoding="utf-8"))
        parts = result["schema"], result["summary"], result["settings"]["reshare"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise UsageError(
            "the result of a benchmark cannot be read", path.name, "Give its JSON file."
        ) from error
    if parts[0] != SCHEMA:
        raise UsageError("not a benchmark's result", f"{path.name}: {parts[0]!r}"[:80])
    return result


def render(result: dict[str, Any], *, others: Sequence[dict[str, Any]] = ()) -> str:
    """Return the page."""
    summary, settings = result["summary"], result["settings"]
    chain = settings["reshare"]
    paths = {r["path"] for r in result["clips"]}
    parts = [
        "<h1>Doorzicht benchmark</h1>",
        f"<p>{len(paths)} clips. "
        + (f"Every clip first went along <b>{escape(chain)}</b>. " if chain else "")
        + f"Intervals are 95 %: AUC by drawing whole footage {settings['resamples']} times, "
        "overall rates and Cllr by drawing whole scenes, rates per source by Wilson's formula. "
        "Small and few sources make them wide. Marginal clips stand apart and count nowhere "
        "else.</p>",
        "<h2>Detectors</h2>",
        _overview(summary, settings),
        "<h2>AUC</h2>",
        _note(
            "Forced: clips on which the detector abstains count with their logit. A method is "
            "compared with the originals of the same footage. There is no figure pooled over "
            "sources, because codec and size would give the source away."
        ),
        _areas(summary),
        _differences(summary),
        "<h2>Per source and method</h2>",
        *(f"<h3>{escape(name)}</h3>" + _sources(s) for name, s in summary.items()),
        "<h2>Logits</h2>",
        _note(
            "A diamond is a forged clip, a dot a genuine one; pale where the detector abstained. "
            "The dashed line is the threshold."
        ),
        *(
            f"<h3>{escape(name)}</h3>" + _logits(result["clips"], name, s["threshold"])
            for name, s in summary.items()
            if name not in baselines.NAMES
        ),
    ]
    if others:
        # as it is comes first, so that the curves start from there
        ordered = sorted([*others, result], key=lambda r: bool(r["settings"]["reshare"]))
        parts += ["<h2>Along re-share chains</h2>", _chains(ordered)]
    limits = {n: c for n, c in result.get("coverage", {}).items() if c}
    if limits:
        parts += [
            "<h2>What abstaining would buy</h2>",
            _note(
                "Upwards: error, the mean of false alarms and misses of forced decisions on the "
                "clips that a limit leaves, over all results of the same weights; every source "
                "keeps its weight, so that leaving one out buys nothing. To the right: the part "
                "of the clips that is left. The dot is the limit in use. A chosen limit has the "
                f"lowest error on half of the scenes and leaves {100 * COVERAGE_MIN:.0f} % of "
                "each label there; the ring shows what it does on the other half, which is what "
                "counts."
            ),
            *(f"<h3>{escape(n)}</h3>" + _limits(c) for n, c in limits.items()),
        ]
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        f'<meta http-equiv="Content-Security-Policy" content="{POLICY}">'
        '<meta name="viewport" content="width=device-width">'
        f"<title>Doorzicht benchmark</title><style>{STYLE}</style></head><body>"
        f"{''.join(parts)}</body></html>\n"
    )


def _note(text: str) -> str:
    return f'<p class="note">{escape(text)}</p>'


# --- tables -------------------------------------------------------------------------------------


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    def row(cells: Sequence[str], kind: str) -> str:
        return f"<tr>{''.join(f'<{kind}>{escape(c)}</{kind}>' for c in cells)}</tr>"

    body = "".join(row(r, "td") for r in rows)
    return (
        f'<div class="scroll"><table><thead>{row(head, "th")}</thead>'
        f"<tbody>{body}</tbody></table></div>"
    )


def _overview(summary: dict[str, Any], settings: dict[str, Any]) -> str:
    head = [
        "detector",
        "threshold",
        "FPR",
        "TPR",
        "abstained",
        "forced FPR",
        "forced TPR",
        "Cllr",
        "Cllr min",
        "s per clip",
        "weights",
    ]
    rows = []
    for name, s in summary.items():
        ratios = s["likelihood_ratios"] or {}
        rows.append(
            [
                name,
                number(s["threshold"], "+.2f"),
                with_interval(s["fpr"], s["fpr_interval"]),
                with_interval(s["tpr"], s["tpr_interval"]),
                number(s["abstained"]),
                number(s["forced_fpr"]),
                number(s["forced_tpr"]),
                with_interval(ratios.get("cllr"), ratios.get("cllr_interval"), ".3f"),
                number(ratios.get("cllr_min"), ".3f"),
                number(s["seconds_per_clip"], ".1f"),
                settings["detectors"][name][:12] or "-",
            ]
        )
    return _table(head, rows)


def _sources(s: dict[str, Any]) -> str:
    head = ["source", "label", "clips", "abstained", "called forged", "rate", "forced", "median"]

    def rates(name: str, label: str, r: dict[str, Any]) -> list[str]:
        called = "-" if r["called_fake"] is None else str(r["called_fake"])
        return [
            name,
            label,
            str(r["clips"]),
            str(r["abstained"]),
            called,
            with_interval(r["rate"], r["interval"]),
            number(r["forced_rate"]),
            number(r["median_logit"], "+.3g"),
        ]

    rows = []
    for source, r in s["per_source"].items():
        for label in ("real", "fake"):
            if r[label]:
                area = [with_interval(r["auc"], r["auc_interval"]), number(r["eer"])]
                rows.append([*rates(source, label, r[label]), *(area if label == "fake" else "  ")])
    for method, r in s["per_method"].items():
        area = [with_interval(r["auc"], r["auc_interval"]), number(r["eer"])]
        rows.append([*rates(method, "fake", r["fake"]), *area])
    for source, r in s[MARGINAL].items():
        rows += [
            [*rates(f"marginal: {source}", label, r[label]), "", ""]
            for label in ("real", "fake")
            if r[label]
        ]
    return _table([*head, "AUC", "EER"], rows)


def _differences(summary: dict[str, Any]) -> str:
    rows = [
        [
            name,
            source,
            other + (" (turned round)" if d["turned"] else ""),
            with_interval(d["difference"], d["interval"], "+.2f"),
            str(d["clips"]),
        ]
        for name, s in summary.items()
        for source, gap in s["differences"].items()
        for other, d in gap.items()
    ]
    if not rows:
        return ""
    note = _note(
        "Mean AUC over the methods of a source, less that of another detector on the same clips "
        "and the same drawn footage. File size and blur have no side of their own; they are taken "
        "in the direction that separates better."
    )
    return (
        "<h3>Differences</h3>"
        + note
        + _table(["detector", "source", "less", "difference", "clips"], rows)
    )


# --- charts -------------------------------------------------------------------------------------


def _areas(summary: dict[str, Any]) -> str:
    """Draw AUC with intervals: mean per source, then each method, one row per detector."""
    rows: list[tuple[str, dict[str, Any], str]] = []
    sources = sorted({k for s in summary.values() for k in s["per_source"]})
    methods = sorted({k for s in summary.values() for k in s["per_method"]})
    for source in sources:
        rows += [
            (f"{source}, mean: {name}", s["per_source"][source], "mean_auc")
            for name, s in summary.items()
            if s["per_source"].get(source, {}).get("mean_auc") is not None
        ]
    for method in methods:
        rows += [
            (f"{method}: {name}", s["per_method"][method], "auc")
            for name, s in summary.items()
            if s["per_method"].get(method, {}).get("auc") is not None
        ]
    if not rows:
        return "<p>No source has clips of both labels.</p>"
    x = _scale(0, 1)
    floor = len(rows) * ROW + 6
    parts = _ticks(x, [0, 0.25, 0.5, 0.75, 1], floor, ".2f")
    parts.append(_line(x(0.5), 4, x(0.5), floor, "ink", ' stroke-dasharray="6 4"'))
    for i, (label, r, key) in enumerate(rows):
        y = i * ROW + 14
        parts.append(_text(LABELS - 8, y + 4, label[-48:], "end"))
        if interval := r[f"{key}_interval"]:
            parts.append(_line(x(interval[0]), y, x(interval[1]), y, "ink"))
        parts.append(_diamond(x(r[key]), y))
    return _svg(floor + 26, "AUC with 95 % intervals; the same numbers are in the tables", parts)


def _logits(clips: Sequence[dict[str, Any]], name: str, threshold: float | None) -> str:
    rows = [r for r in clips if r["detector"] == name and r["logit"] is not None]
    if not rows:
        return "<p>No clip was scored.</p>"
    values = [r["logit"] for r in rows] + ([] if threshold is None else [threshold])
    x = _scale(min(values) - 0.5, max(values) + 0.5)

    def place(r: dict[str, Any]) -> tuple[str, str]:
        marginal = "marginal: " if r.get("usable") == MARGINAL else ""
        return marginal + r["dataset"], r["method"] or "genuine"

    groups = sorted({place(r) for r in rows})
    floor = len(groups) * ROW + 6
    low, high = min(values), max(values)
    parts = _ticks(x, [low + (high - low) * i / 4 for i in range(5)], floor, "+.1f")
    if threshold is not None:
        at = x(threshold)
        parts.append(_line(at, 4, at, floor, "ink", ' stroke-dasharray="6 4"'))
    for i, group in enumerate(groups):
        y = i * ROW + 14
        parts.append(_text(LABELS - 8, y + 4, ", ".join(group)[:48], "end"))
        for r in rows:
            if place(r) == group:
                pale = " none" if r["abstained"] else ""
                mark = _diamond if r["label"] == "fake" else _dot
                parts.append(mark(x(r["logit"]), y, pale, f"{r['path']}: {r['logit']:+.2f}"))
    return _svg(floor + 26, f"Logits of {name} per source and method", parts)


def _chains(results: Sequence[dict[str, Any]]) -> str:
    """Tabulate and draw each detector's figures along the chains, in the order given."""
    names = [n for n in results[-1]["summary"] if n not in baselines.NAMES]
    labels = [r["settings"]["reshare"] or "as it is" for r in results]
    head = ["detector", "chain", "source", "mean AUC", "FPR", "TPR", "abstained", "Cllr"]
    rows, charts = [], []
    for name in names:
        here = [r["summary"].get(name) for r in results]
        per_source = results[-1]["summary"][name]["per_source"]
        sources = [k for k, v in per_source.items() if v["mean_auc"] is not None]
        for label, s in zip(labels, here, strict=True):
            if s is None:
                continue
            ratios = s["likelihood_ratios"] or {}
            common = [
                with_interval(s["fpr"], s["fpr_interval"]),
                with_interval(s["tpr"], s["tpr_interval"]),
                number(s["abstained"]),
                with_interval(ratios.get("cllr"), ratios.get("cllr_interval"), ".3f"),
            ]
            for source in sources or ["-"]:
                r = s["per_source"].get(source, {})
                area = with_interval(r.get("mean_auc"), r.get("mean_auc_interval"))
                rows.append([name, label, source, area, *common])
        curves: dict[str, list[float | None]] = {
            f"mean AUC, {source}": [
                s["per_source"].get(source, {}).get("mean_auc") if s else None for s in here
            ]
            for source in sources
        }
        for key, title in (("fpr", "FPR"), ("tpr", "TPR"), ("abstained", "abstained")):
            curves[title] = [s[key] if s else None for s in here]
        charts.append(f"<h3>{escape(name)}</h3>" + _curves(labels, curves))
    return "".join(charts) + _table(head, rows)


def _limits(found: dict[str, dict[str, Any]]) -> str:
    """Tabulate the limits of abstention: in use, and chosen on half of the scenes."""
    head = ["abstain on", "in use", "leaves", "FPR", "TPR", "error", "chosen", "error"]
    head += ["other half: leaves", "error", "in use there: error"]
    rows = []
    for code, rule in found.items():
        now, chosen = rule["in_use"], rule["chosen"] or {}
        here, there, used = (chosen.get(k, {}) for k in ("here", "elsewhere", "in_use"))
        rows.append(
            [
                f"{code.replace('_', ' ')} {'above' if rule['above'] else 'below'}",
                number(now["limit"], ".3g"),
                *(number(now[k]) for k in ("coverage", "fpr", "tpr", "error")),
                number(chosen["limit"], ".3g") if chosen else rule["why"],
                number(here.get("error")),
                number(there.get("coverage")),
                *(number(p.get("error")) for p in (there, used)),
            ]
        )
    return _limit_charts(found) + _table(head, rows)


def _limit_charts(found: dict[str, dict[str, Any]]) -> str:
    """Draw error over coverage, a small chart per rule of abstention."""
    across, wide, high, left, top = 3, 300, 190, 44, 30
    parts = []
    for i, (code, rule) in enumerate(found.items()):
        x0, y0 = left + (i % across) * wide, top + (i // across) * high

        def place(p: dict[str, Any], x0: float = x0, y0: float = y0) -> tuple[float, float]:
            return x0 + 230 * p["coverage"], y0 + 120 * (1 - p["error"])

        parts.append(_text(x0, y0 - 10, code.replace("_", " "), "start"))
        for v in (0, 0.5, 1):
            across_at, up = place({"coverage": v, "error": v})
            parts += [
                _line(x0, up, x0 + 230, up, "axis"),
                _text(x0 - 6, up + 4, f"{v:g}", "end"),
                _text(across_at, y0 + 136, f"{100 * v:.0f} %", "middle"),
            ]
        known = [place(p) for p in rule["curve"] if p["error"] is not None]
        points = " ".join(f"{a:.1f},{b:.1f}" for a, b in known)
        parts.append(f'<polyline class="ink" stroke-width="1.6" points="{points}"/>')
        if rule["in_use"]["error"] is not None:
            parts.append(_mark(*place(rule["in_use"]), "the limit in use", filled=True))
        if rule["chosen"]:
            hint = f"chosen: {rule['chosen']['limit']:.3g}, on the other half of the scenes"
            parts.append(_mark(*place(rule["chosen"]["elsewhere"]), hint, filled=False))
    label = "Error over the part of the clips that is left; the table has the numbers"
    return _svg(top + -(-len(found) // across) * high, label, parts)


def _curves(labels: Sequence[str], curves: dict[str, list[float | None]]) -> str:
    """Draw shares 0..1 as curves over the chains; dashes and a name at the end tell them apart."""
    left, right, top, height = 240, 230, 10, 220
    dashes = ("", "8 4", "2 3", "12 3 2 3", "1 5")

    def x(i: int) -> float:
        return left + (WIDTH - left - right) * (i / max(1, len(labels) - 1))

    def y(v: float) -> float:
        return top + (1 - v) * height

    parts = []
    for v in (0, 0.25, 0.5, 0.75, 1):
        parts += [
            _line(left, y(v), WIDTH - right, y(v), "axis"),
            _text(left - 6, y(v) + 4, f"{v:.2f}", "end"),
        ]
    for i, label in enumerate(labels):
        # chains have long names: slanted, they do not run into each other
        parts.append(
            f'<g transform="translate({x(i):.1f} {top + height + 16}) rotate(-20)">'
            f"{_text(0, 0, label, 'end')}</g>"
        )
    names: list[tuple[float, str]] = []
    for n, (title, values) in enumerate(curves.items()):
        known = [(x(i), y(v)) for i, v in enumerate(values) if v is not None]
        if not known:
            continue
        points = " ".join(f"{a:.1f},{b:.1f}" for a, b in known)
        dash = f' stroke-dasharray="{dashes[n % len(dashes)]}"' if n % len(dashes) else ""
        parts.append(f'<polyline class="ink" stroke-width="1.6"{dash} points="{points}"/>')
        parts += [_dot(a, b) for a, b in known]
        names.append((known[-1][1], title))
    last = -100.0
    for at, title in sorted(names):
        last = max(at + 4, last + 14)  # names of curves that end together stand below each other
        parts.append(_text(WIDTH - right + 10, last, title, "start"))
    return _svg(top + height + 100, "Figures along the chains; the table has the numbers", parts)


def _scale(low: float, high: float) -> Callable[[float], float]:
    span = (high - low) or 1.0

    def x(value: float) -> float:
        return LABELS + (value - low) / span * (WIDTH - LABELS - RIGHT)

    return x


def _ticks(x: Callable[[float], float], at: Iterable[float], floor: float, form: str) -> list[str]:
    parts = []
    for v in at:
        parts += [
            _line(x(v), 4, x(v), floor, "axis"),
            _text(x(v), floor + 16, format(v, form), "middle"),
        ]
    return parts


def _svg(height: float, label: str, parts: Iterable[str]) -> str:
    return (
        f'<div class="scroll"><svg viewBox="0 0 {WIDTH} {height:.0f}" role="img" '
        f'aria-label="{escape(label)}">{"".join(parts)}</svg></div>'
    )


def _line(x0: float, y0: float, x1: float, y1: float, kind: str, more: str = "") -> str:  # noqa: PLR0917 - two points
    return f'<line class="{kind}" x1="{x0:.1f}" y1="{y0:.1f}" x2="{x1:.1f}" y2="{y1:.1f}"{more}/>'


def _text(x: float, y: float, text: str, anchor: str) -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}">{escape(text)}</text>'


def _diamond(x: float, y: float, more: str = "", hint: str = "") -> str:
    title = f"<title>{escape(hint)}</title>" if hint else ""
    return f'<path class="fake{more}" d="M{x:.1f} {y - 5:.1f}l5 5-5 5-5-5z">{title}</path>'


def _mark(x: float, y: float, hint: str, *, filled: bool) -> str:
    kind = "mark" if filled else "ink"
    title = f"<title>{escape(hint)}</title>"
    return f'<circle class="{kind}" cx="{x:.1f}" cy="{y:.1f}" r="5">{title}</circle>'


def _dot(x: float, y: float, more: str = "", hint: str = "") -> str:
    title = f"<title>{escape(hint)}</title>" if hint else ""
    return f'<circle class="real{more}" cx="{x:.1f}" cy="{y:.1f}" r="4">{title}</circle>'
