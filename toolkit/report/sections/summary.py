"""The first page: what was asked, what was found, and what it does not say."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from toolkit import figures
from toolkit._i18n import _, ngettext
from toolkit.report import wording
from toolkit.report.sections.blocks import (
    FIRST_OPINION,
    Block,
    ExhibitFigures,
    Facts,
    Figure,
    Section,
    Still,
    Strip,
    Text,
    or_unknown,
    printed_lines,
    when,
)
from toolkit.report.sections.result import not_analysed_sentence


def default_question() -> str:
    """Return the question that is answered unless the examiner states another."""
    return _("Was the face of a person in this video altered by blending another face into it?")


def default_h1() -> str:
    """Return the first proposition."""
    return _("The face region was altered by a synthesis of the blending type.")


def default_h2() -> str:
    """Return its counterpart."""
    return _("The face region is unaltered camera video with this history of compression.")


def how_to_read() -> str:
    """Return how a verdict is to be read."""
    return _(
        "Shares are on the scale of the detector's logit and add up to the evidence. A region that "
        "is important to the detector need not have been altered."
    )


def first_page_blocks(
    facts: Mapping[str, Any], shown: Mapping[str, ExhibitFigures]
) -> Iterator[Block]:
    """Say what a reader without time needs: which case, by whom, when, what, and how sure."""
    examiner = facts["examiner"]
    who = ", ".join(filter(None, (examiner["name"], examiner["role"])))
    exhibits = [*facts["exhibits"], *facts["not_analysed"]]
    yield Facts(
        (
            (_("case"), or_unknown(facts["title"])),
            (_("examiner"), or_unknown(who)),
            (_("date of this report"), when(facts["date"])),
            (_("exhibits"), ", ".join(e["id"] for e in exhibits) or _("none")),
            (_("edition"), edition_sentence(facts)),
        )
    )
    for e in facts["exhibits"]:
        report = shown[e["id"]].report
        _kind, mark = figures.verdict_mark(report)
        said = f"{e['id']}: {figures.verdict_sentence(report)} {figures.distance_sentence(report)}"
        yield Text(said.strip(), "verdict", mark)
        if report.verdict.is_fake:
            yield Text(figures.caution(report))
            yield Text(_explanation_holds(e))
        if known := figures.known_sentence(report):
            yield Text(known)
        if key := shown[e["id"]].key:
            yield Strip((_key_figure(e["id"], key),))


def edition_sentence(facts: Mapping[str, Any]) -> str:
    """Return whether the report names where its exhibits came from, and what that means for it."""
    if facts["privacy"]["asked"]["name_source"]:
        return _("internal: it names files and senders, and does not leave the house")
    return _("to leave the house: files and senders are not named")


def _key_figure(exhibit: str, key: Still) -> Figure:
    """Return the strongest key frame as it may be shown."""
    caption = _("{id} at {time}: person {person} where the score is highest, covered.").format(
        id=exhibit, time=figures.clock(key.at_s or 0.0, 1), person=key.person
    )
    return Figure(f"{exhibit}-key.png", key.picture, caption, caption)


def first_opinion_sections(facts: Mapping[str, Any]) -> tuple[Section, ...]:
    """Put what the examiner thinks on the first page too: in a box, apart from the findings."""
    if not facts["opinions"]:
        return ()
    boxes = tuple(Text(printed_lines(n["text"]), "warning") for n in facts["opinions"])
    title = _("Opinion of the examiner, not of the program")
    return (Section(FIRST_OPINION, title, boxes),)


def _explanation_holds(e: Mapping[str, Any]) -> str:
    """Return how far the explanation was checked; where the witnesses differ it says so here."""
    trust = e["attribution"]["trust"]
    figure = next((f for f in (trust or {}).get("figures", ()) if f["name"] == "witnesses"), None)
    if figure is None or figure.get("reads_well") is None:
        return figures.check_sentence(None)
    return figures.check_sentence("agrees" if figure["reads_well"] else "contested")


def summary_lines(facts: Mapping[str, Any], shown: Mapping[str, ExhibitFigures]) -> list[str]:
    """Return what was found, as sentences."""
    lines = []
    for e in facts["exhibits"]:
        report = shown[e["id"]].report
        people = ngettext("{n} person was found", "{n} persons were found", len(report.tracks))
        found = people.format(n=len(report.tracks)) if report.tracks else _("nobody was found")
        lines.append(
            _("Exhibit {id}: a video of {length}; {found}.").format(
                id=e["id"], length=figures.clock(report.video.duration_s), found=found
            )
        )
        lines.append(figures.verdict_sentence(report))
        lines += wording.ratio_sentences(report.verdict.log10_lr, report.verdict.lr_bounds)
    lines += [not_analysed_sentence(e) for e in facts["not_analysed"]]
    if not facts["exhibits"] and not facts["not_analysed"]:
        lines.append(_("Nothing was taken in yet."))
    lines += [
        _(
            "A detector's verdict is a lead for further enquiry. By itself it neither shows that a "
            "person forged anything nor that a video is genuine."
        ),
        _("What an examiner makes of it stands apart, under “Opinion”, in a person's own words."),
    ]
    return lines


def question_section(facts: Mapping[str, Any], h1: str, h2: str) -> Section:
    """Return what was asked, and the two propositions."""
    text = facts["question"]["text"] or default_question()
    own = facts["propositions"]["stated_by_examiner"]
    by = _("Stated by the examiner.") if own else _("The toolkit's standard propositions.")
    return Section(
        "question",
        _("Question and propositions"),
        (
            Text(printed_lines(text)),
            Facts((("H1", printed_lines(h1)), ("H2", printed_lines(h2)))),
            Text(by, "note"),
        ),
        points=(4,),
    )
