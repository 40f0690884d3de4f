"""The whole report, its parts in order."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from toolkit._i18n import _
from toolkit.report.sections.blocks import (
    Block,
    ExhibitFigures,
    Facts,
    Items,
    ReportTree,
    Section,
    Text,
    disclaimer,
    written,
)
from toolkit.report.sections.figures import (
    container_blocks,
    figure_blocks,
    reshare_blocks,
)
from toolkit.report.sections.log import checklist_section, glossary_pairs, log_section
from toolkit.report.sections.method import method_blocks, validation_blocks
from toolkit.report.sections.people import (
    alternatives_section,
    limit_lines,
    notes_section,
    people_section,
)
from toolkit.report.sections.privacy import file_blocks, privacy_section
from toolkit.report.sections.result import exhibit_section, person_blocks, result_section
from toolkit.report.sections.summary import (
    default_h1,
    default_h2,
    default_question,
    first_opinion_sections,
    first_page_blocks,
    how_to_read,
    question_section,
    summary_lines,
)


def build(
    facts: Mapping[str, Any], shown: Mapping[str, ExhibitFigures], compared: Sequence[Block]
) -> ReportTree:
    """Put the facts of a case into words.

    Parameters
    ----------
    facts
        From `casefile.collect`.
    shown
        By exhibit.
    compared
        What is said and drawn of source and re-share.
    """
    h1 = facts["propositions"]["h1"] or default_h1()
    h2 = facts["propositions"]["h2"] or default_h2()
    summary = summary_lines(facts, shown)
    limits = limit_lines(facts, shown)
    glossary = glossary_pairs()
    sections = (
        Section(
            "summary",
            _("Summary in plain words"),
            (*first_page_blocks(facts, shown), Items(tuple(summary))),
            points=(15,),
        ),
        *first_opinion_sections(facts),
        question_section(facts, h1, h2),
        Section(
            "exhibits",
            _("What was received"),
            parts=tuple(exhibit_section(e) for e in (*facts["exhibits"], *facts["not_analysed"])),
            points=(1,),
        ),
        Section(
            "result",
            _("Result"),
            (Text(_("Findings, not opinion. H1 and H2 are the propositions above."), "note"),),
            tuple(result_section(e, shown[e["id"]]) for e in facts["exhibits"]),
            points=(7,),
        ),
        Section(
            "persons",
            _("Who and when"),
            (Text(_("The letters tell persons apart; they do not say who anyone is."), "note"),),
            tuple(p for e in facts["exhibits"] for p in person_blocks(e, shown[e["id"]], facts)),
            points=(8,),
        ),
        Section(
            "figures",
            _("What the detector used"),
            (Text(disclaimer(), "warning"), Text(how_to_read())),
            tuple(p for e in facts["exhibits"] for p in figure_blocks(e, shown[e["id"]], facts)),
            points=(9,),
        ),
        _many(facts, "container", _("The file itself"), container_blocks, shown, points=(3,)),
        _many(facts, "reshare", _("Copies and re-shares"), reshare_blocks, shown, more=compared),
        _many(facts, "method", _("Method"), method_blocks, shown, points=(5,)),
        _many(
            facts, "validation", _("How good the method is"), validation_blocks, shown, points=(6,)
        ),
        alternatives_section(facts),
        Section("limits", _("Limits"), (Items(tuple(limits)),), points=(11,)),
        notes_section(facts),
        people_section(facts),
        privacy_section(facts),
        _many(facts, "files", _("Files made from the exhibits"), file_blocks, shown, points=(2,)),
        log_section(facts),
        Section("glossary", _("Words used"), (Facts(tuple(glossary)),)),
        checklist_section(facts),
    )
    return ReportTree(
        title=written(facts["title"] or _("Report of a video examination")),
        sections=sections,
        fields={
            "summary": summary,
            "limits": limits,
            "glossary": [list(pair) for pair in glossary],
            "propositions": {**facts["propositions"], "h1": h1, "h2": h2},
            "question": {
                **facts["question"],
                "text": facts["question"]["text"] or default_question(),
            },
            "sentence_beside_every_figure": disclaimer(),
        },
    )


def _many(
    facts: Mapping[str, Any],
    ident: str,
    title: str,
    blocks: Any,
    shown: Mapping[str, ExhibitFigures],
    *,
    points: tuple[int, ...] = (),
    more: Sequence[Block] = (),
) -> Section:
    """Return a section with a part for each exhibit; one exhibit needs no heading of its own."""
    parts = [
        Section(
            f"{ident}-{e['id']}",
            _("Exhibit {id}").format(id=e["id"]),
            tuple(blocks(e, shown[e["id"]])),
        )
        for e in facts["exhibits"]
    ]
    own = tuple(more)
    if len(parts) == 1:
        return Section(ident, title, (*parts[0].blocks, *own), points=points)
    return Section(ident, title, own, tuple(parts), points)
