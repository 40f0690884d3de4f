"""Pieces of HTML for the questions to a verdict. All text is escaped."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape
from typing import TYPE_CHECKING

from toolkit import figures
from toolkit._i18n import _
from toolkit.explain.bands import BandShares
from toolkit.explain.baselines import Choice, Reference
from toolkit.explain.perturbation import Composite
from toolkit.explain.trust import Panel, TrustFigure
from toolkit.figures import inquiry as said
from toolkit.figures.charts import FigureTable
from toolkit.figures.pictures import data_address

if TYPE_CHECKING:
    from toolkit.explain.answers import Change, Checked, FrameAnswer, MethodAnswer
    from toolkit.explain.lookalikes import Lookalike
    from toolkit.explain.session import PersonExplainer


def ledger(subject: PersonExplainer, position: int) -> str:
    """Return the verdict as a sum, the frame in view as a sum, and the chart in numbers."""
    result = subject.result
    total = f"{said.sum_sentence(result)} {said.threshold_sentence(result)}".strip()
    lines = [total, said.matrix_sentence(result), said.frame_sum_sentence(result, position)]
    text = "".join(f"<p>{escape(line)}</p>" for line in lines if line)
    summary = escape(_("The whole sum, in numbers"))
    return (
        f"<details><summary>{summary}</summary>{text}</details>"
        f"{_fold(figures.table(result, 'matrix'))}"
    )


def change(subject: PersonExplainer, found: Change) -> str:
    """Return what would change the verdict."""
    return _heading(_("What would change the verdict")) + _items(
        said.change_sentences(subject.result, found)
    )


def witnesses(
    subject: PersonExplainer,
    answers: Sequence[FrameAnswer],
    here: FrameAnswer | None,
    *,
    chosen: str,
) -> str:
    """Return what the witnesses say: all key frames, then the frame in view."""
    lines = [said.witness_sentence(answers, subject.threshold)]
    if here is not None:
        lines.append(said.frame_witness_sentence(here, subject.threshold))
        lines.append(said.flip_sentence(here, subject.threshold))
        lines.append(said.pair_sentence(here))
    elif answers:
        times = ", ".join(figures.clock(a.at_s) for a in answers)
        text = _("It was asked about the key frames, at {times}; this frame is none of them.")
        lines.append(text.format(times=times))
    else:
        lines.append(_("The second witness has not been asked about this frame yet."))
    text = "".join(f"<p>{escape(line)}</p>" for line in lines if line)
    return _heading(chosen) + text + ("" if here is None else _witness_maps(subject, here))


def _witness_maps(subject: PersonExplainer, here: FrameAnswer) -> str:
    """Return where the witnesses see it, side by side; nothing below the threshold."""
    if here.logit < subject.threshold:
        return ""
    rgb, evidence = subject.crops.rgb[here.position], subject.result.evidence
    maps = (
        (
            "construction",
            _("By construction"),
            _("The detector's own patches."),
            here.intrinsic,
            said.patch_picture(rgb, evidence, here.position),
        ),
        (
            "intervention",
            _("By intervention"),
            _(
                "The share of each region. Within a region the map shows where the reference "
                "differs from the frame, not what the detector read there."
            ),
            here.named_shares,
            None if here.heat is None else said.heat_picture(rgb, here.heat),
        ),
    )
    cards = ""
    for key, name, text, shares, picture in maps:
        if picture is None:
            continue
        alt = name
        if shares is not None and shares.max() > 0:
            most = said.top_region_name(shares)
            alt = _("{witness}: most at {region}").format(witness=name, region=most)
        cards += (
            f'<figure data-witness="{key}"><img src="{picture}" alt="{escape(alt)}">'
            f"<figcaption><b>{escape(name)}</b><br>{escape(text)}</figcaption></figure>"
        )
    if not cards:
        return ""
    note = escape(
        _("Each map is scaled to its own largest values. Orange speaks for forged, blue against.")
    )
    return f'<div class="dz-pictures">{cards}</div><p class="dz-note">{note}</p>'


def key_frames(answers: Sequence[FrameAnswer]) -> str:
    """Return the two witnesses on every key frame as a table, folded away."""
    rows = tuple(
        (
            figures.clock(a.at_s, 2),
            said.top_region_name(a.intrinsic),
            said.top_region_name(a.named_shares),
            figures.number(a.agreement.pearson) if a.agreement else "–",
        )
        for a in answers
    )
    heads = (_("time"), _("first by construction"), _("first by intervention"), _("correlation"))
    return _fold(FigureTable(_("Both witnesses on the key frames"), heads, rows)) if rows else ""


def composite(subject: PersonExplainer, position: int, made: Composite) -> str:
    """Return the frame before and after the ticked regions were replaced, and how it moved."""
    text = escape(said.composite_sentence(made, subject.threshold))
    pictures = [
        (data_address(subject.crops.rgb[position]), _("The frame as it is")),
        (said.composite_picture(made), _("The frame as the detector is shown it")),
    ]
    cards = "".join(
        f'<figure><img src="{picture}" alt="{escape(alt)}"><figcaption>{escape(alt)}</figcaption>'
        "</figure>"
        for picture, alt in (pictures if made.replaced else pictures[:1])
    )
    return (
        f'<div data-logit="{made.logit:.6f}" data-replaced="{" ".join(made.replaced)}">'
        f'<div class="dz-pictures">{cards}</div>'
        f"{movement(made.logit - made.change, made.logit, subject.threshold)}<p>{text}</p></div>"
    )


_WIDE, _TALL, _AXIS = 420, 64, 34


def movement(before: float, after: float, threshold: float) -> str:
    """Return how a frame's score moves against the line, as SVG; words say the same beside it."""
    reach = 1.25 * max(1.0, abs(before - threshold), abs(after - threshold))

    def x(value: float) -> float:
        return round(_WIDE / 2 + (value - threshold) / reach * (_WIDE / 2 - 14), 1)

    old, new, line = x(before), x(after), x(threshold)
    colour = "#c8540a" if after >= threshold else "#2166ac"
    name = escape(_("How the score moves against the line"))
    left, right = escape(_("below the line")), escape(_("above the line"))
    return (
        f'<svg class="dz-movement" viewBox="0 0 {_WIDE} {_TALL}" role="img" aria-label="{name}" '
        'font-family="system-ui, sans-serif" font-size="12">'
        f'<rect x="{line}" y="8" width="{_WIDE - line}" height="40" fill="#c8540a" opacity=".12"/>'
        f'<path d="M4 {_AXIS}H{_WIDE - 4}" stroke="currentColor" opacity=".4"/>'
        f'<path d="M{line} 4V52" stroke="currentColor" stroke-width="1.5" stroke-dasharray="5 3"/>'
        f'<circle cx="{old}" cy="{_AXIS}" r="7" fill="none" stroke="currentColor"/>'
        f'<path d="M{old} {_AXIS}H{new}" stroke="{colour}" stroke-width="4" opacity=".7"/>'
        f'<g class="dz-mover" style="--dz-from:{old - new:.1f}px">'
        f'<circle cx="{new}" cy="{_AXIS}" r="9" fill="{colour}" stroke="#fff" stroke-width="2"/>'
        "</g>"
        f'<text x="{line - 8}" y="62" text-anchor="end" fill="currentColor">← {left}</text>'
        f'<text x="{line + 8}" y="62" fill="currentColor">{right} →</text></svg>'
    )


def original(subject: PersonExplainer, position: int, *, barred: bool) -> str:
    """Return the frame as it is, and what ticking a region would do."""
    text = (
        _(
            "No reference is valid for this frame. Choose one yourself under Reference to try "
            "anyway."
        )
        if barred
        else _("Tick a region to replace it: a reference is then made and tested first.")
    )
    alt = escape(_("The frame as the detector is shown it"))
    picture = data_address(subject.crops.rgb[position])
    return (
        f'<div class="dz-pictures"><figure><img src="{picture}" alt="{alt}">'
        f"<figcaption>{escape(text)}</figcaption></figure></div>"
    )


def checked(found: Checked) -> str:
    """Return what replacing regions in every moment does to the verdict."""
    return f"<p>{escape(said.checked_sentence(found))}</p>"


def reference(choice: Choice | None, *, asked: str | None) -> str:
    """Return which reference is in use, and what was tested of those that were tried."""
    if choice is None:
        return _paragraph(_("No reference has been made for this frame yet."))
    text = f"<p>{escape(said.reference_sentence(choice, asked=asked))}</p>"
    return text + references(choice.tried)


def references(made: Iterable[Reference]) -> str:
    """Return references as pictures, each with its tests."""
    cards = []
    for one in made:
        name = escape(said.kind_name(one.kind))
        lines = "<br>".join(escape(line) for line in said.reference_lines(one))
        cards.append(
            f'<figure data-kind="{one.kind}"><img src="{data_address(one.rgb)}" alt="{name}">'
            f"<figcaption><b>{name}</b><br>{lines}</figcaption></figure>"
        )
    return f'<div class="dz-pictures">{"".join(cards)}</div>' if cards else ""


def trust(
    figures_: Sequence[TrustFigure],
    panel: Panel | None,
    methods_: Sequence[TrustFigure] = (),
    *,
    is_complete: bool = True,
) -> str:
    """Return the trust panel so far; with the whole of it, its curves too.

    `methods_` are figures about Captum's methods that were asked; they do not count in its sum.
    """
    if not figures_:
        return _paragraph(_("This frame has not been checked yet."))
    summary = escape(said.trust_summary(figures_))
    if not is_complete:
        summary += " " + escape(_("More are being checked …"))
    note = escape(
        _(
            "None of these says that the verdict is right. They say how far the explanation can be "
            "trusted. ✓ speaks for it, ✗ against it, – says nothing."
        )
    )
    against = [f for f in figures_ if f.reads_well is False]
    text = f'<p class="dz-box">{summary}</p><p class="dz-note">{note}</p>'
    text += _figure_table(against) if against else ""
    others = [f for f in figures_ if f.reads_well is not False]
    opened = "" if is_complete else " open"
    heading = escape(_("The checks one by one"))
    text += f"<details{opened}><summary>{heading}</summary>{_figure_table(others)}</details>"
    known = {f.name for f in figures_}
    more = [f for f in methods_ if f.name not in known]
    text += _heading(_("Do the maps of Captum’s methods add up?"))
    text += (
        _figure_table(more)
        if more
        else _paragraph(_("Each method that was asked under Other methods is listed here."))
    )
    curves = said.curve_table(panel) if panel else None
    return text + (_fold(curves) if curves else "")


def _figure_table(figures_: Sequence[TrustFigure]) -> str:
    rows = "".join(
        f'<tr data-figure="{f.name}"><td class="dz-mark">{said.sign(f.reads_well)}</td>'
        f'<th scope="row">{escape(said.trust_name(f))}</th><td>{escape(f.sentence)}</td></tr>'
        for f in figures_
    )
    return f"<table>{rows}</table>"


def bands(found: BandShares | None, *, asked: bool) -> str:
    """Return what each band of frequencies carries."""
    if not asked:
        return _paragraph(_("The frequencies of this frame have not been asked yet."))
    if found is None:
        return _paragraph(_("No reference is valid, so no band is named."))
    low = min(0.0, float(found.shares.min()))
    span = (max(0.0, float(found.shares.max())) - low) or 1.0
    rows = "".join(
        f'<tr><th scope="row">{escape(name)}</th>{_bar(share, low, span)}</tr>'
        for name, share in said.band_rows(found)
    )
    heads = _head(_("band (cycles per face width)"), _("share (logit)"))
    note = escape(
        _(
            "The finest bands hold detail the eye hardly sees. What a band carries is exact for "
            "this frame and this reference; frequencies are not places."
        )
    )
    text = escape(said.band_sentence(found))
    table = f"<table>{heads}<tbody>{rows}</tbody></table>"
    return f'<p><b>{text}</b></p><p class="dz-note">{note}</p>{table}'


def methods(subject: PersonExplainer, position: int, answers: Sequence[MethodAnswer]) -> str:
    """Return Captum's methods side by side; those that were not asked with the reason."""
    if not answers:
        return _paragraph(_("Captum’s methods have not been asked about this frame yet."))
    rgb = subject.crops.rgb[position]
    cards, refused = [], []
    for answer in answers:
        name = escape(said.method_name(answer.method))
        text = escape(said.method_sentence(answer))
        if answer.found is None:
            refused.append(f"<li><b>{name}</b>: {text}</li>")
            continue
        picture = said.heat_picture(rgb, answer.found.heat)
        cards.append(
            f'<figure class="dz-small" data-method="{answer.method}"><img src="{picture}" '
            f'alt="{name}"><figcaption><b>{name}</b><br>{text}</figcaption></figure>'
        )
    note = escape(
        _(
            "A quick look, never the evidence: each map is scaled to its own largest values. "
            "Orange speaks for forged, blue against."
        )
    )
    text = f'<p class="dz-note">{note}</p><div class="dz-pictures">{"".join(cards)}</div>'
    return text + (f"<ul>{''.join(refused)}</ul>" if refused else "")


def lookalikes(subject: PersonExplainer, position: int, found: Sequence[Lookalike]) -> str:
    """Return maps that look like an explanation, and which of them is one."""
    if not found:
        return ""
    rgb = subject.crops.rgb[position]
    cards = "".join(
        f'<figure class="dz-small" data-map="{one.name}"><img src="'
        f'{said.heat_picture(rgb, one.heat)}" alt="{escape(said.lookalike_name(one.name))}">'
        f"<figcaption><b>{escape(said.lookalike_name(one.name))}</b><br>"
        f"{escape(said.lookalike_sentence(one))}</figcaption></figure>"
        for one in found
    )
    heading = _heading(_("Maps that look right, and those that are"))
    return f'{heading}<div class="dz-pictures">{cards}</div>'


def _bar(value: float, low: float, span: float) -> str:
    zero, end = (100 * (v - low) / span for v in (0.0, value))
    kind = "dz-bar-for" if value >= 0 else "dz-bar-against"
    return (
        f'<td class="dz-bar-cell"><span class="dz-bar" aria-hidden="true" '
        f'style="background-position-x:{zero:.1f}%"><span class="{kind}" '
        f'style="left:{min(zero, end):.1f}%;width:{abs(end - zero):.1f}%"></span></span>'
        f"{figures.number(value, 3, signed=True)}</td>"
    )


def _paragraph(text: str) -> str:
    return f"<p>{escape(text)}</p>"


def _heading(text: str) -> str:
    return f"<h4>{escape(text)}</h4>"


def _items(lines: Iterable[str]) -> str:
    return "<ul>" + "".join(f"<li>{escape(line)}</li>" for line in lines) + "</ul>"


def _head(*heads: str) -> str:
    cells = "".join(f'<th scope="col">{escape(head)}</th>' for head in heads)
    return f"<thead><tr>{cells}</tr></thead>"


def _fold(table: FigureTable) -> str:
    rows = "".join(
        "<tr>" + "".join(f"<td>{escape(cell)}</td>" for cell in row) + "</tr>" for row in table.rows
    )
    label = escape(table.caption)
    summary = escape(_("In numbers: {chart}").format(chart=table.caption))
    return (
        f'<details><summary>{summary}</summary><div class="dz-scroll" role="group" tabindex="0" '
        f'aria-label="{label}"><table>{_head(*table.heads)}<tbody>{rows}</tbody></table></div>'
        "</details>"
    )
