"""The exhibits and what the detector found of the persons in them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from toolkit import figures
from toolkit._i18n import _
from toolkit.figures.charts import FigureTable
from toolkit.media import show_name
from toolkit.messages import Message
from toolkit.report import charts_svg, wording
from toolkit.report.sections.blocks import (
    Block,
    ExhibitFigures,
    Facts,
    Grid,
    Items,
    Play,
    Section,
    Text,
    or_unknown,
    person_name,
    signed_number,
    unknown,
    when,
)
from toolkit.report.sections.figures import chart_figure
from toolkit.types import TrackResult


def exhibit_section(e: Mapping[str, Any]) -> Section:
    """Return the facts of an exhibit."""
    received, whole = e["received"], e["integrity"]
    labels = {
        "original_name": _("name of the file"),
        "received_from": _("received from"),
        "source": _("address it came from"),
        "original_changed_at": _("last written to, as the file system says"),
    }
    rows = [
        (
            label,
            _("withheld: persons are covered; it is kept in the case")
            if key in received["withheld"]
            else _told(key, received[key]),
        )
        for key, label in labels.items()
    ]
    bytes_ = _("{n} bytes")
    same = whole["sha256_at_end"] == whole["sha256_at_intake"]
    pairs = [
        (_("received by"), or_unknown(received["by"])),
        (_("received on"), or_unknown(received["at"])),
        (_("how"), or_unknown(received["how"])),
        *rows,
        (_("taken in"), when(whole["taken_in_at"])),
        (_("SHA-256 at intake"), whole["sha256_at_intake"]),
        (_("size at intake"), bytes_.format(n=whole["bytes_at_intake"])),
        (_("checked last"), when(whole["checked_at"])),
        (_("SHA-256 at the end"), or_unknown(whole["sha256_at_end"])),
        (
            _("size at the end"),
            bytes_.format(n=whole["bytes_at_end"]) if whole["bytes_at_end"] else unknown(),
        ),
        (_("intake and end agree"), _("yes") if same else _("no")),
    ]
    kept = (
        _("The original is kept in the case, unchanged.")
        if whole["original_kept_in_case"]
        else _("The original is kept outside of the case; its hash is kept.")
    )
    sentence = kept + " " + _("It was opened for reading only and never written to.")
    title = _("Exhibit {id}").format(id=e["id"])
    blocks: list[Block] = [Facts(tuple(pairs)), Text(sentence)]
    if "why" in e:
        blocks.append(Text(not_analysed_sentence(e), "warning"))
    return Section(f"exhibit-{e['id']}", title, tuple(blocks))


def not_analysed_sentence(e: Mapping[str, Any]) -> str:
    """Return why an exhibit has no result."""
    why = e["why"]
    if why is None or why["event"] == "cancelled":
        return _("Exhibit {id} was received but not analysed.").format(id=e["id"])
    text = _("Exhibit {id} was received but could not be analysed: “{why}”.")
    try:  # earlier versions wrote the English words only
        what = Message.from_plain(why["message"]).text()
    except (LookupError, ValueError):
        what = or_unknown(why.get("what"))
    return text.format(id=e["id"], why=what)


def _told(key: str, value: str | None) -> str:
    if key == "original_changed_at":
        return when(value)
    return show_name(value) if key == "original_name" and value else or_unknown(value)


def result_section(e: Mapping[str, Any], shown: ExhibitFigures) -> Section:
    """Return what the detector found in an exhibit."""
    report = shown.report
    _kind, mark = figures.verdict_mark(report)
    blocks: list[Block] = [Text(figures.verdict_sentence(report), "verdict", mark)]
    blocks += [
        Text(s) for s in wording.ratio_sentences(report.verdict.log10_lr, report.verdict.lr_bounds)
    ]
    verdict = report.verdict
    rows = [
        (_("evidence of the clip (logit)"), signed_number(verdict.logit, 6)),
        (_("threshold of the detector (logit)"), signed_number(verdict.threshold, 6)),
        (_("log10 of the likelihood ratio"), signed_number(verdict.log10_lr, 3)),
        (
            _("bounds of the calibration"),
            " … ".join(figures.number(b, 2, signed=True) for b in verdict.lr_bounds)
            if verdict.lr_bounds
            else _("none: not calibrated"),
        ),
    ]
    blocks.append(Facts(tuple(rows)))
    if verdict.log10_lr is not None:
        heads = (_("ratio for H1 over H2"), _("words"))
        caption = _("The scale of words; for ratios below 1 the same with H2")
        table = FigureTable(caption, heads, tuple(wording.scale_rows()))
        blocks += [Grid(table), Text(_("Published scales differ at both ends."), "note")]
    lines = figures.not_judged(report)
    if lines:
        blocks.append(Items(tuple(lines)))
    if e["is_marked_synthetic"]:
        text = _("The file says of itself that it is synthetic teaching material.")
        blocks.append(Text(text, "warning"))
    if shown.has_video:
        instead = _("The covered video can be played in the HTML form of this report.")
        blocks.append(Play(e["id"], instead))
    return Section(f"result-{e['id']}", _("Exhibit {id}").format(id=e["id"]), tuple(blocks))


def person_blocks(
    e: Mapping[str, Any], shown: ExhibitFigures, facts: Mapping[str, Any]
) -> Iterator[Section]:
    """Return what the detector found of each person."""
    by_person = {r.track.person: r for r in shown.report.tracks}
    for p in e["persons"]:
        r = by_person[p["id"]]
        blocks: list[Block] = [Text(figures.track_sentence(r)), Text(figures.seen_sentence(r))]
        if len(e["persons"]) > 1:
            ratio = wording.ratio_sentences(r.verdict.log10_lr, r.verdict.lr_bounds)
            blocks += [Text(s) for s in ratio[:1]]
        if r.explanation is not None and r.explanation.intervals:
            blocks.append(Text(_("Stretches of time that speak for forged:")))
            blocks.append(Items(tuple(map(figures.interval_sentence, r.explanation.intervals))))
        else:
            blocks.append(Text(_("No stretch of time is named."), "note"))
        used, unused = len(p["frames_used"]), len(p["frames_unused"])
        counts = _("{sampled} frames were sampled: {used} used, {unused} not used.")
        blocks.append(Text(counts.format(sampled=p["frames_sampled"], used=used, unused=unused)))
        if unused:
            rows = tuple(
                (str(f["index"]), figures.clock(f["pts"], 2), why_unused(f["why"]))
                for f in p["frames_unused"]
            )
            heads = (_("frame"), _("time"), _("why not"))
            blocks.append(
                Grid(FigureTable(_("Frames not used"), heads, rows), is_long=len(rows) > 8)
            )
        ident = f"curve-{e['id']}-{p['id']}"
        table = figures.table(r, "curve")
        svg = charts_svg.curve(figures.curve(r))
        blocks.append(chart_figure(ident, svg, table.caption, figures.track_sentence(r)))
        blocks.append(Grid(_with_frames(table, r), is_long=True))
        yield Section(f"person-{e['id']}-{p['id']}", person_name(e, p["id"], facts), tuple(blocks))
    if not e["persons"]:
        text = figures.verdict_sentence(shown.report)
        title = _("Exhibit {id}").format(id=e["id"])
        yield Section(f"person-{e['id']}-none", title, (Text(text),))


def why_unused(code: str) -> str:
    """Return why a sampled frame was not used."""
    return {
        "no_usable_face": _(
            "no usable face where the person was expected: hidden, blurred, turned away or gone"
        )
    }.get(code, code)


def _with_frames(table: FigureTable, r: TrackResult) -> FigureTable:
    """Add the frame number to the table of the curve."""
    index = r.track.indices[r.evidence.spans[:, 0]].tolist()
    rows = tuple((str(i), *row) for i, row in zip(index, table.rows, strict=True))
    return FigureTable(_("Every frame that was used"), (_("frame"), *table.heads), rows)
