"""What persons made of it: other explanations, limits, notes, and who they are."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from toolkit import figures
from toolkit._i18n import _
from toolkit.figures.charts import FigureTable
from toolkit.report.sections.blocks import (
    Block,
    ExhibitFigures,
    Facts,
    Grid,
    Section,
    Text,
    note_subject,
    or_unknown,
    printed_lines,
    texts_of_notes,
    when,
    written,
)


def alternative_name(name: str) -> str:
    """Return another explanation in words; one that a person named stays as it is."""
    return {
        "recompression": _("The traces come from compressing again."),
        "beauty_filter": _("A beauty filter was on."),
        "upscaling": _("The picture was enlarged or sharpened by software."),
        "make_up": _("Make-up, lighting or something worn explains the traces."),
        "dubbing": _("The picture is genuine, the sound was replaced."),
        "cut_edit": _("The footage is genuine, but cut or slowed."),
    }.get(name, written(name))


def state_name(state: str) -> str:
    """Return whether another explanation was tested."""
    return {
        "tested": _("tested"),
        "not_tested": _("not tested"),
        "not_testable": _("not testable"),
    }[state]


def _why(text: str | None) -> str:
    return {
        None: "–",
        "reshares": _("see “Copies and re-shares”"),
        "sound_not_examined": _("sound is not examined"),
    }.get(text, written(text))


def alternatives_section(facts: Mapping[str, Any]) -> Section:
    """Return the other explanations, and whether they were tested."""
    heads = (_("other explanation"), _("state"), _("how, or why not"), _("by"))
    rows = tuple(
        (
            alternative_name(a["name"]),
            state_name(a["state"]),
            _why(a["why"]),
            written(a["by"] or "–"),
        )
        for a in facts["alternatives"]
    )
    table = FigureTable(_("Other explanations considered"), heads, rows)
    return Section("alternatives", table.caption, (Grid(table),), points=(10,))


def limit_lines(facts: Mapping[str, Any], shown: Mapping[str, ExhibitFigures]) -> list[str]:
    """Return what the report does not say, as sentences."""
    lines = []
    for e in facts["exhibits"]:
        blind = e["method"]["detector"].get("blind_to") or ()
        if blind:
            names = ", ".join(_(b) for b in blind)
            lines.append(_("The detector cannot see, or hardly: {names}.").format(names=names))
        lines += figures.limits(shown[e["id"]].report)
    lines += [
        _("Sound was not examined."),
        _("Pictures that were made to deceive this very detector are not covered."),
        _(
            "A cover hides faces. Clothes, hair, surroundings and movements may still tell who "
            "it is."
        ),
    ]
    return list(dict.fromkeys(lines))


def notes_section(facts: Mapping[str, Any]) -> Section:
    """Return what was written down."""
    heads = (_("when"), _("by"), _("about"), _("note"))
    rows = tuple(
        (when(n["utc"]), written(n["by"] or "–"), note_subject(n), printed_lines(n["text"]))
        for n in facts["notes"]
    )
    title = _("Notes")
    blocks: tuple[Block, ...] = (Text(_("There are no notes."), "note"),)
    if rows:
        blocks = (Grid(FigureTable(title, heads, rows)),)
    return Section("notes", title, blocks)


def people_section(facts: Mapping[str, Any]) -> Section:
    """Return who examined, reviewed, and has an interest."""
    who = facts["examiner"]
    blocks: list[Block] = [
        Facts(
            (
                (_("examiner"), or_unknown(who["name"])),
                (_("role"), or_unknown(who["role"])),
                (_("conflict of interest"), texts_of_notes(facts["conflict_of_interest"])),
                (_("checked by a colleague"), texts_of_notes(facts["review"])),
            )
        )
    ]
    opinions: list[Block] = [
        Text(f"{printed_lines(n['text'])}\n({written(n['by'] or '–')}, {when(n['utc'])})")
        for n in facts["opinions"]
    ]
    opinions = opinions or [Text(_("No opinion was written down."), "note")]
    note = Text(_("Typed by a person; nothing here is made by the toolkit."), "note")
    opinion = Section("opinion", _("Opinion"), (note, *opinions))
    return Section("people", _("Who examined"), tuple(blocks), (opinion,), points=(13,))
