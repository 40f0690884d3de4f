"""The log of the case, the parameters, the words that are used, and the checklist."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from toolkit._i18n import _
from toolkit.figures.charts import FigureTable
from toolkit.report.sections.blocks import Facts, Grid, Section, Text, when, written


def event_name(event: str) -> str:
    """Return what was done, in words."""
    return {
        "opened": _("case opened"),
        "received": _("file taken in"),
        "analysed": _("analysed"),
        "refused": _("refused"),
        "cancelled": _("cancelled"),
        "checked": _("hashes checked"),
        "noted": _("note written"),
        "covered": _("faces covered"),
        "reported": _("report made"),
        "reshares_tried": _("re-shares tried"),
        "compared": _("source and re-share compared"),
        "signed": _("head signed"),
        "interrupted": _("an earlier step had not ended well"),
        "set_aside": _("leftovers set aside"),
        "integrity_error": _("STOPPED: evidence had changed"),
    }.get(event, event)


def log_section(facts: Mapping[str, Any]) -> Section:
    """Return the steps of the log."""
    heads = ("#", _("when"), _("what"), _("parameters"), _("hash"))
    rows = tuple(
        (
            str(n["n"]),
            when(n["utc"]),
            event_name(n["event"]),
            _parameters(n["facts"]),
            n["sha256"][:16],
        )
        for n in facts["log"]["entries"]
    )
    text = _(
        "Each line of the log carries the hash of the line before. The head below is the hash of "
        "the last line: keep it elsewhere, and give it to `python -m toolkit verify CASE --head`."
    )
    return Section(
        "log",
        _("Log"),
        (
            Text(text),
            Facts(((_("head of the log"), facts["log"]["head"]),)),
            Grid(FigureTable(_("Steps"), heads, rows), is_long=len(rows) > 40),
        ),
        points=(12,),
    )


def _parameters(facts: Mapping[str, Any]) -> str:
    def flat(values: Mapping[str, Any], prefix: str = "") -> Iterator[str]:
        for key, value in sorted(values.items()):
            if isinstance(value, dict):
                yield from flat(value, f"{prefix}{key}.")
            elif isinstance(value, list):
                yield f"{prefix}{key}={','.join(map(str, value)) or '–'}"
            else:
                text = "–" if value is None else str(value)
                is_hash = len(text) == 64 and key.endswith(("sha256", "head", "key"))
                yield f"{prefix}{key}={text[:12] + '…' if is_hash else text}"

    # settings stand under “Method”; the log says which of them were changed
    # `message` is `what` once more, in the parts that a translation needs
    untold = {"settings", "schema", "message"}
    parameters = {key: value for key, value in facts.items() if key not in untold}
    return written("; ".join(flat(parameters)) or "–")


def glossary_pairs() -> list[tuple[str, str]]:
    """Return words and what they mean here."""
    return [
        (
            _("evidence, logit"),
            _("the detector's own scale; what counts is its place against the threshold"),
        ),
        (_("threshold"), _("from there on the detector calls a person's track forged")),
        (
            _("likelihood ratio"),
            _("how much more probable the findings are under one proposition than under the other"),
        ),
        (_("H1, H2"), _("the two propositions that are compared")),
        (_("abstains"), _("gives no verdict, and says why")),
        (
            _("share"),
            _("the part of the evidence that comes from a frame or region; shares add up"),
        ),
        (_("reference"), _("what stands for “nothing forged” when shares are computed")),
        (_("exhibit"), _("a file as it was received")),
        (_("hash, SHA-256"), _("a fingerprint of a file: any change gives another one")),
        (
            _("Content Credentials"),
            _("a signed statement inside a file about its making; it can be stripped"),
        ),
        (_("re-share"), _("a copy that was cropped, scaled or coded again on its way")),
    ]


def point_title(number: int) -> str:
    """Return what one of the 15 points asks for."""
    return {
        1: _("Exhibit, who received it, hashes at intake and at the end"),
        2: _("Working copy; every derived file hashed and traceable to a frame"),
        3: _("Container facts and Content Credentials"),
        4: _("The question and a pair of propositions"),
        5: _("Method, settings and versions"),
        6: _("Validation on material like the exhibit"),
        7: _("Result as a likelihood ratio, or that there is none"),
        8: _("Result per person and frame; frames not used"),
        9: _("Attribution figures and how far they can be trusted"),
        10: _("Other explanations"),
        11: _("Limits and scope"),
        12: _("Tamper-evident log"),
        13: _("Examiner, review, conflict of interest; opinion apart"),
        14: _("Privacy and marking"),
        15: _("Summary in plain words, glossary"),
    }[number]


def checklist_section(facts: Mapping[str, Any]) -> Section:
    """Return where each point of the checklist is dealt with."""
    heads = ("#", _("point"), _("section"), "report.json")
    rows = tuple(
        (number, point_title(int(number)), answer["section"], ", ".join(answer["fields"]))
        for number, answer in facts["checklist"].items()
    )
    title = _("Where each point of the checklist stands")
    purpose = _(
        "Structured after habits of ENFSI, SWGDE and ISO/IEC; this is not a statement of "
        "compliance."
    )
    return Section(
        "checklist", title, (Text(purpose, "note"), Grid(FigureTable(title, heads, rows)))
    )
