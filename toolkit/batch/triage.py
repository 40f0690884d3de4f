"""`triage.html`: which clips to look at first. One file, no network, made for a hundred thousand.

The rows lie in the page as columns; a table shows those in view, a Plotly chart the score against
the quality, per source. Faces are covered until somebody asks for them; they and the reports lie
beside the page in ``clips/``.
"""

from __future__ import annotations

import base64
import hashlib
import json
import os
from collections.abc import Iterable, Sequence
from functools import cache
from html import escape
from pathlib import Path
from typing import Any

from toolkit import _i18n
from toolkit._i18n import _
from toolkit.batch.journal import STATUSES, Row
from toolkit.figures import page_parts
from toolkit.files import atomic_write
from toolkit.media import show_name
from toolkit.messages import Message

_HERE = Path(__file__).parent


def write(rows: Sequence[Row], path: Path, *, language: str | None = None) -> None:
    """Write the page, complete or not at all.

    Parameters
    ----------
    rows
        Of the journal.
    path
        Where; links lead from there to ``clips/``.
    language
        Of the page; None = the one in use.
    """
    with page_parts.speaking(language or _i18n.language()):
        atomic_write(path, page(rows, path.parent))


def page(rows: Sequence[Row], out: Path) -> str:
    """Return the page in the language in use."""
    # the chart library last: the table is on the page before it is read
    scripts = ((_HERE / "triage.js").read_text(encoding="utf-8"), _plotly())
    hashes = " ".join(f"'sha256-{_hash(text)}'" for text in scripts)
    policy = (
        f"default-src 'none'; script-src {hashes}; style-src 'unsafe-inline'; "
        "img-src 'self' file: data: blob:; base-uri 'none'; form-action 'none'"
    )
    data = "".join(
        f'<script type="application/json" id="{name}">{_json(content)}</script>'
        for name, content in (("words", words()), ("rows", columns(first_to_look_at(rows), out)))
    )
    code = "".join(f"<script>{text}</script>" for text in scripts)
    style = (_HERE / "triage.css").read_text(encoding="utf-8")
    title = _("Which clips to look at first")
    return page_parts.document(
        title, _body(title, rows), policy=escape(policy), style=style, after=data + code
    )


def first_to_look_at(rows: Iterable[Row]) -> list[Row]:
    """Return the rows in the order in which the page shows them at first: highest above the line.

    Clips without a score come last, in the order given.
    """
    return sorted(
        rows,
        key=lambda r: float("inf") if r["logit"] is None else round(r["threshold"] - r["logit"], 4),
    )


def columns(rows: Sequence[Row], out: Path) -> dict[str, Any]:
    """Return the rows as columns, texts that repeat as numbers into lists: what `triage.js` reads.

    Floats are rounded to what is shown; the table of results has them in full.
    """
    folders, sources, reasons = _Numbers(), _Numbers(), _Numbers()
    texts: dict[str, str] = {}

    def reason(row: Row) -> int:
        plain = row.get("message")
        if not plain:
            return -1
        english = row["reason"] or ""
        if english not in texts:
            texts[english] = Message.from_plain(plain).text()
        return reasons.of(texts[english])

    places = [os.path.split(row["path"]) for row in rows]
    reports = [row["report"] for row in rows]
    return {
        "n": len(rows),
        "out": os.fspath(out.absolute()),
        "folder": [folders.of(os.path.join(head, "")) for head, _name in places],  # noqa: PTH118 - text
        "name": [show_name(name) for _head, name in places],
        "source": [sources.of(row["source"] or "") for row in rows],
        "reason": [reason(row) for row in rows],
        "status": [STATUSES.index(row["status"]) for row in rows],
        "abstained": [int(bool(row["abstained"])) for row in rows],
        "forged": [int(bool(row["forged"])) for row in rows],
        "report": [None if report is None else report.rpartition("/")[2] for report in reports],
        **{name: [row[name] for row in rows] for name in ("person", "persons", "height")},
        **{
            name: [None if row[name] is None else round(row[name], digits) for row in rows]
            for name, digits in (
                ("logit", 4),
                ("threshold", 4),
                ("face_px", 1),
                ("sharpness", 1),
                ("duration_s", 1),
            )
        },
        "folders": folders.texts,
        "sources": sources.texts,
        "reasons": reasons.texts,
    }


class _Numbers:
    """Gives each text a number, in order of their first appearance."""

    def __init__(self) -> None:
        self._of: dict[str, int] = {}

    def of(self, text: str) -> int:
        return self._of.setdefault(text, len(self._of))

    @property
    def texts(self) -> list[str]:
        return list(self._of)


def words() -> dict[str, Any]:
    """Return what the page says, in the language in use."""
    return {
        "language": _i18n.language(),
        "all": _("all"),
        "forged": _("called forged"),
        "notForged": _("not called forged"),
        "abstained": _("no verdict"),
        "statuses": ["", _("refused"), _("failed"), _("took too long")],
        "shown": _("{n} of {total} clips"),
        "columns": {
            "face": _("face"),
            "outcome": _("outcome"),
            "name": _("clip"),
            "source": _("source"),
            "score": _("score (logit)"),
            "over": _("above the line"),
            "face_px": _("face, px"),
            "sharpness": _("sharpness"),
            "persons": _("persons"),
            "reason": _("reason"),
        },
        "axes": {
            "face_px": _("width of the face in pixels"),
            "sharpness": _("sharpness of the face"),
            "height": _("height of the picture in pixels"),
        },
        "line": _("line of the detector"),
        "others": _("other sources"),
        "noSource": _("no source"),
        "noPoints": _("None of these clips has a score to draw."),
        "sampled": _("{n} of {total} clips are drawn as points; the shading counts all."),
        "report": _("Report"),
        "workbench": _("Open in the workbench"),
        "notebook": _("Notebook that opens it in the workbench"),
        "inPython": _("In a notebook or a script:"),
        "copy": _("Copy"),
        "copied": _("Copied"),
        "showFace": _("Show the face"),
        "face": _("face of the person who decides the verdict"),
        "path": _("file"),
        "person": _("person"),
        "threshold": _("threshold"),
        "duration": _("length"),
    }


def _body(title: str, rows: Sequence[Row]) -> str:
    counted = "".join(
        f"<li><b>{_thousands(count)}</b> {escape(name)}</li>"
        for name, count in counts(rows)
        if count
    )
    nothing = f'<p class="note">{escape(_("No clip was judged yet."))}</p>' if not rows else ""
    notes = (
        _("The score is the detector's logit; at or above its line it calls a clip forged."),
        _("A clip below the line may be forged all the same: this says nothing about that."),
        _("A clip that stands on top is one to look at first, not one that is proved."),
    )
    return (
        f"<h1>{escape(title)}</h1>{nothing}<ul class='counts'>{counted}</ul>"
        + "".join(f'<p class="note">{escape(note)}</p>' for note in notes)
        + f'<form id="form">{_label(_("search"), "<input type=search id=search>")}'
        + _label(_("outcome"), "<select id=outcome></select>")
        + _label(_("source"), "<select id=source></select>")
        + '<label class="tick"><input type="checkbox" id="faces" autocomplete="off"> '
        + f"{escape(_('show faces'))}</label></form>"
        + '<p class="note" id="shown" role="status"></p><div class="parts">'
        + '<div class="scroll" id="scroll" tabindex="0" role="region" '
        + f'aria-label="{escape(_("Clips"))}"><table id="table"><thead><tr id="heads"></tr></thead>'
        + '<tbody id="body"></tbody></table></div>'
        + '<aside class="detail" id="detail" hidden aria-live="polite" '
        + f'aria-label="{escape(_("The chosen clip"))}"></aside></div>'
        + f"<h2>{escape(_('Score against quality, per source'))}</h2>"
        + f"<form>{_label(_('quality'), '<select id=axis></select>')}</form>"
        + '<p class="note" id="drawn"></p><div id="chart"></div>'
    )


def counts(rows: Iterable[Row]) -> list[tuple[str, int]]:
    """Return how many clips there are of each outcome, with its name in the language in use."""
    judged = forged = abstained = 0
    others = dict.fromkeys(STATUSES, 0)
    for row in rows:
        others[row["status"]] += 1
        judged += row["status"] == "analysed"
        forged += bool(row["forged"])
        abstained += bool(row["abstained"])
    return [
        (_("called forged"), forged),
        (_("not called forged"), judged - forged - abstained),
        (_("no verdict"), abstained),
        (_("refused"), others["refused"]),
        (_("failed"), others["failed"]),
        (_("took too long"), others["timed_out"]),
    ]


def _thousands(count: int) -> str:
    return f"{count:,}".replace(",", "." if _i18n.language() == "nl" else ",")


def _label(text: str, control: str) -> str:
    return f"<label><span>{escape(text)}</span>{control}</label>"


@cache
def _plotly() -> str:
    from plotly.offline import get_plotlyjs

    return str(get_plotlyjs()).replace("</script", "<\\/script")


def _hash(text: str) -> str:
    return base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()


def _json(content: Any) -> str:
    """Return JSON that stands in a page and ends no element there."""
    text = json.dumps(content, separators=(",", ":"), allow_nan=False)
    return text.replace("<", "\\u003c")
