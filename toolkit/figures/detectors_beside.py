"""Several detectors on one clip: where they agree and differ, and the ledger of their mean."""

from __future__ import annotations

import math
from collections.abc import Mapping
from html import escape
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from toolkit._i18n import _, ngettext
from toolkit.figures.pictures import diverging
from toolkit.figures.sentences import clock, number, region_name
from toolkit.types import REGIONS

if TYPE_CHECKING:
    from toolkit.explain.ensemble import DetectorComparison, Ensemble

COLUMNS_MAX = 60
"""Most columns of the chart; longer clips get columns of several seconds."""

ALIKE = 0.5
"""A correlation from here on, either way, is told as one."""

_LEFT, _ROW, _GAP = 190, 13, 26
_WIDE, _CELL_MIN, _CELL_MAX = 640, 10, 40

Cells = NDArray[np.float64]


def beside_sentences(found: DetectorComparison, titles: Mapping[str, str]) -> list[str]:
    """Return where detectors agree and differ, in the language in use.

    Parameters
    ----------
    found
        From `explain.ensemble.compare_detectors`.
    titles
        What people call each detector, by its name.
    """
    lines = [_sides_line(found, titles), _seconds_line(found), _correlation_line(found)]
    divided = found.is_divided
    if len(found.names) == 2 and all(divided):
        same, against, alone = found.differences()
        lines.append(
            _(
                "Per region and second: in {same} places both see it alike, in {against} they "
                "contradict each other, in {alone} only one of them speaks."
            ).format(same=same, against=against, alone=alone)
        )
    for name, own, is_divided in zip(found.names, found.shares, divided, strict=True):
        title = titles.get(name, name)
        if is_divided:
            whole = own[:, : len(REGIONS)].sum(axis=0)
            region = region_name(REGIONS[int(np.abs(whole).argmax())])
            lines.append(_("{detector}: most from {region}.").format(detector=title, region=region))
        else:
            text = _(
                "{detector} is not divided over regions: it has no patches. Under Ask its regions "
                "can be replaced."
            )
            lines.append(text.format(detector=title))
    return lines


def _sides_line(found: DetectorComparison, titles: Mapping[str, str]) -> str:
    parts = []
    for name, logit, threshold in zip(found.names, found.logits, found.thresholds, strict=True):
        title = titles.get(name, name)
        if logit is None:
            parts.append(_("{detector}: no logit").format(detector=title))
            continue
        gap = number(logit - threshold, signed=True)
        parts.append(_("{detector}: {gap} logit from its line").format(detector=title, gap=gap))
    return "; ".join(parts) + "."


def _seconds_line(found: DetectorComparison) -> str:
    judged = int(found.judged.sum())
    if not judged:
        return _("There is no second that all of them judged.")
    same = int(found.same_side.sum())
    text = ngettext(
        "In {same} of {n} second they lie on the same side of their lines.",
        "In {same} of {n} seconds they lie on the same side of their lines.",
        judged,
    )
    line = text.format(same=same, n=judged)
    apart = found.seconds[found.judged & ~found.same_side]
    if len(apart):
        times = ", ".join(clock(float(t), 0) for t in apart[:6]) + (" …" if len(apart) > 6 else "")
        line += " " + _("They differ at {times}.").format(times=times)
    return line


def _correlation_line(found: DetectorComparison) -> str:
    values = found.correlation[np.triu_indices(len(found.names), 1)]
    if not np.isfinite(values).all():
        return _("Whether they rise and fall together cannot be told here.")
    least = float(values[np.abs(values).argmin()]) if len(values) > 1 else float(values[0])
    shown = number(least, 2, signed=True)
    if least >= ALIKE:
        text = _("They rise and fall together (correlation {value}).")
    elif least <= -ALIKE:
        text = _("Where one rises the other falls (correlation {value}).")
    else:
        text = _("They do not rise and fall together (correlation {value}).")
    return text.format(value=shown)


# -- the ledger of the mean


def ledger_sentences(found: DetectorComparison, titles: Mapping[str, str]) -> list[str]:
    """Return the sum of the standardised mean, or what must be measured before there is one."""
    if found.ledger is None:
        lines = []
        for name, scale in found.scales.items():
            if scale is None:
                text = _(
                    "How {detector} scores genuine clips was not measured, so the two cannot be "
                    "added up. Measure it: python -m toolkit detector threshold {name} --genuine "
                    "DIR"
                )
                lines.append(text.format(detector=titles.get(name, name), name=name))
        return lines
    ledger = found.ledger
    parts = " ".join(_signed(float(s)) for s in ledger.detector_shares)
    lines = [
        _(
            "The mean of their scores, each in deviations of genuine clips: {value} = reference "
            "{reference} {parts}."
        ).format(
            value=number(ledger.logit, 2, signed=True),
            reference=number(ledger.reference, 2, signed=True),
            parts=parts,
        )
    ]
    for member in ledger.members:
        scale = found.scales[member.name]
        text = _(
            "{detector}: logit {logit} is {z} deviations above genuine clips (mean {mean}, "
            "deviation {deviation}, {n} clips)."
        )
        lines.append(
            text.format(
                detector=titles.get(member.name, member.name),
                logit=number(member.logit, 2, signed=True),
                z=number(member.z, 2, signed=True),
                mean=number(scale.mean, 2, signed=True) if scale else "",
                deviation=number(scale.deviation, 2) if scale else "",
                n=scale.clips if scale else 0,
            )
        )
    lines.append(
        _(
            "The mean has no threshold of its own: nobody measured one. Shares add up over "
            "detectors, frames and regions; {left:.0e} is left over."
        ).format(left=ledger.residual)
    )
    return lines


def _signed(value: float) -> str:
    return f"{'+' if value >= 0 else '−'} {number(abs(value))}"


def ledger_rows(ledger: Ensemble) -> list[tuple[str, list[float]]]:
    """Return the ledger as rows: regions by detectors, and at the end each detector's sum."""
    names = [*(region_name(r) for r in REGIONS), _("not divided")]
    table = ledger.region_shares
    rows = [(name, [float(v) for v in column]) for name, column in zip(names, table.T, strict=True)]
    rows = [row for row in rows if any(abs(v) >= 5e-4 for v in row[1])]  # else all would be 0.000
    return [*rows, (_("together"), [float(v) for v in ledger.detector_shares])]


# -- on screen


def beside_html(found: DetectorComparison, titles: Mapping[str, str]) -> str:
    """Return sentences, chart and ledger as HTML, in the language in use."""
    lines = "".join(f"<li>{escape(line)}</li>" for line in beside_sentences(found, titles))
    heading = escape(_("Where they agree and where they differ"))
    sums = "".join(f"<p>{escape(line)}</p>" for line in ledger_sentences(found, titles))
    mean = escape(_("Their mean, as one sum"))
    table = "" if found.ledger is None else _ledger_table(found, titles)
    return (
        f'<section class="dz-beside"><h4>{heading}</h4><ul>{lines}</ul>{beside_svg(found, titles)}'
        f"<h4>{mean}</h4>{sums}{table}</section>"
    )


def _ledger_table(found: DetectorComparison, titles: Mapping[str, str]) -> str:
    assert found.ledger is not None
    head = "".join(f"<th>{escape(titles.get(n, n))}</th>" for n in found.names)
    rows = ""
    for name, values in ledger_rows(found.ledger):
        cells = "".join(f"<td>{escape(number(v, 3, signed=True))}</td>" for v in values)
        total = escape(number(math.fsum(values), 3, signed=True))
        rows += f'<tr><th scope="row">{escape(name)}</th>{cells}<td><b>{total}</b></td></tr>'
    caption = escape(_("Shares of the mean, in deviations of genuine clips"))
    return (
        f'<table class="dz-table dz-beside-ledger"><caption>{caption}</caption><thead><tr>'
        f"<th></th>{head}<th>{escape(_('together'))}</th></tr></thead><tbody>{rows}</tbody></table>"
    )


def beside_svg(found: DetectorComparison, titles: Mapping[str, str]) -> str:
    """Return region × second for each detector, one below the other, as SVG.

    Each detector is scaled to its own largest share. A mark below a column says that the detectors
    lie on different sides of their thresholds in it.
    """
    t = len(found.seconds)
    step = max(1, math.ceil(t / COLUMNS_MAX))
    columns = math.ceil(t / step)
    cell = min(_CELL_MAX, max(_CELL_MIN, _WIDE // columns))
    wide = _LEFT + columns * cell + 24
    parts, top = [], 4.0
    used = np.abs(found.shares).sum(axis=(0, 1)) > 0
    names = [*(region_name(r) for r in REGIONS), _("not divided")]
    rows = [i for i in range(len(names)) if used[i]]
    for name, own in zip(found.names, found.shares, strict=True):
        parts.append(
            f'<text x="0" y="{top + 12}" fill="currentColor" font-weight="600">'
            f"{escape(titles.get(name, name))}</text>"
        )
        top += 18
        binned = _binned(own, step, columns)
        scale = np.abs(binned).max(initial=0) or 1.0
        for line, region in enumerate(rows):
            y = top + line * _ROW
            parts.append(
                f'<text x="{_LEFT - 6}" y="{y + 10}" text-anchor="end" fill="currentColor" '
                f'font-size="10">{escape(names[region])}</text>'
            )
            for column in range(columns):
                value = float(binned[column, region])
                if not value:
                    continue
                red, green, blue = diverging(value / scale).tolist()
                at = clock(float(found.seconds[column * step]), 0)
                told = f"{names[region]}, {at}: {number(value, 3, signed=True)}"
                parts.append(
                    f'<rect x="{_LEFT + column * cell}" y="{y}" width="{cell - 1}" '
                    f'height="{_ROW - 1}" fill="rgb({red},{green},{blue})">'
                    f"<title>{escape(told)}</title></rect>"
                )
        top += len(rows) * _ROW + 8
    for column in range(columns):
        part = slice(column * step, (column + 1) * step)
        if bool((found.judged[part] & ~found.same_side[part]).any()):
            x = _LEFT + column * cell + (cell - 1) / 2
            parts.append(f'<path d="M{x} {top}l5 9h-10z" fill="currentColor"/>')
    legend = escape(_("▲ they lie on different sides of their lines"))
    parts.append(
        f'<text x="{_LEFT - 6}" y="{top + 9}" text-anchor="end" fill="currentColor" '
        f'font-size="10">{escape(_("time"))}</text>'
    )
    parts += [
        f'<text x="{_LEFT + column * cell}" y="{top + _GAP - 4}" fill="currentColor" '
        f'font-size="10">{clock(float(found.seconds[column * step]), 0)}</text>'
        for column in range(0, columns, max(1, columns // 6))
    ]
    top += _GAP
    label = escape(_("Shares of each detector by region and second"))
    return (
        f'<div style="overflow-x:auto"><svg class="dz-beside-chart" viewBox="0 0 {wide} {top}" '
        f'width="{wide}" height="{top}" role="img" aria-label="{label}" '
        f'font-family="system-ui, sans-serif" font-size="12">{"".join(parts)}</svg></div>'
        f'<p class="dz-note">{legend}. '
        f"{escape(_('Orange speaks for forged, blue against; each detector has its own scale.'))}"
        "</p>"
    )


def _binned(own: Cells, step: int, columns: int) -> Cells:
    """Return shares (columns, 11) of columns of several seconds: their sums."""
    padded = np.zeros((columns * step, own.shape[1]))
    padded[: len(own)] = own
    return np.asarray(padded.reshape(columns, step, -1).sum(axis=1))
