"""Make the report of a case, and check that a case is as it was."""

from __future__ import annotations

from collections.abc import Callable
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any

import ipywidgets

from toolkit import _i18n
from toolkit._i18n import _, ngettext
from toolkit.jobs import STAGE_WEIGHTS
from toolkit.types import Tick
from toolkit.widgets.casework.form import CaseInHand, FormSection, listed, note
from toolkit.widgets.saved import Saved, pages
from toolkit.widgets.styling import classed
from toolkit.widgets.task import Task

if TYPE_CHECKING:
    from toolkit.casework.verify import Findings

_REPORT = {"cover": 40.0, "redact": 30.0, "redact_check": 10.0, "display": 15.0, "report": 5.0}
OUTGOING, INTERNAL = "outgoing", "internal"
_VERIFY = {"verify": 5.0, **STAGE_WEIGHTS}


class ReportSection(FormSection):
    """The fifth part of the form.

    Attributes
    ----------
    folder
        Of the last report that was made here, or None.
    """

    def __init__(self, hand: CaseInHand, refresh: Callable[[], None]) -> None:
        super().__init__(lambda: _("5. Report"))
        self._hand, self._refresh = hand, refresh
        self.folder: Path | None = None
        self.reveal = self.several(lambda: _("Show the face of (all others are covered)"), rows=3)
        self.video = self.box(lambda: _("Put the covered video into the report"), on=True)
        self.edition = self.menu(lambda: _("Edition"))
        self.reporting: Task[Path] = Task(
            lambda: _("Make the report"), self._make, self._take, weights=_REPORT
        )
        self._where = classed(ipywidgets.HTML(), "dz-report-where")
        self._saved = Saved()
        self.lay_out(
            [self.reveal, self.video, self.edition, self.reporting, self._where, self._saved]
        )

    def retranslate(self) -> None:
        """Name everything in the language in use."""
        super().retranslate()
        self._saved.retranslate()
        self.edition.rename(
            [
                (_("to leave the house: files and senders are not named"), OUTGOING),
                (_("internal: files and senders are named"), INTERNAL),
            ]
        )

    def show_report(self) -> None:
        """Offer the persons whose faces may be shown, and the report that was made."""
        case, persons = self._hand.case, list[tuple[str, str]]()
        for e in self._hand.exhibits().values():
            if e.analyses and case is not None:
                tracks = case.read_json(f"{e.analyses[-1]}/analysis.json")["tracks"]
                persons += [(f"{e.id}:{t['id']}", f"{e.id}:{t['id']}") for t in tracks]
        kept = tuple(p for p in self.reveal.value if p in dict(persons))
        self.reveal.options, self.reveal.value = persons, kept
        if self.folder is None:
            self._where.value = ""
            self._saved.hide()
            return
        if case is not None:
            head = case.read_json(f"report/{self.folder.name}/report.json")["log"]["head"]
            text = _("Made: {folder}. Head printed in it: {head}")
            self._where.value = note(text.format(folder=self.folder, head=head))
        self._saved.show(self.folder, pages(self.folder, "report.html", "report.pdf"))

    def _make(self, tick: Tick) -> Path:
        from toolkit.casework import publish

        return publish.report(
            self._hand.opened(),
            language=_i18n.language(),
            reveal=self.reveal.value,
            video=self.video.value,
            name_source=self.edition.value == INTERNAL,
            tick=tick,
        )

    def _take(self, folder: Path) -> None:
        self.folder = folder
        self._refresh()


class CheckSection(FormSection):
    """The sixth part of the form.

    Attributes
    ----------
    findings
        What the last check found, or None.
    """

    def __init__(
        self,
        hand: CaseInHand,
        examine: Callable[..., Any] | None,
        refresh: Callable[[], None],
    ) -> None:
        super().__init__(lambda: _("6. Check"))
        self._hand, self._examine, self._refresh = hand, examine, refresh
        self.findings: Findings | None = None
        self._hashes = self.box(lambda: _("Hashes only: do not analyse again"), on=False)
        self.head = self.text(lambda: _("Head printed in a report (optional)"))
        self.checking: Task[Findings] = Task(
            lambda: _("Check the case"), self._verify, self._take, weights=_VERIFY
        )
        self._found = classed(ipywidgets.HTML(), "dz-findings")
        self._steps = classed(ipywidgets.HTML(), "dz-log")
        self.lay_out([self._hashes, self.head, self.checking, self._found, self._steps])

    def show_findings(self) -> None:
        """Show what the last check found, and the steps in the log."""
        self._found.value = self._findings_html()
        case = self._hand.case
        if case is None or self._hand.problem is not None:
            self._steps.value = ""
            return
        from toolkit.report import sections

        entries = case.entries()
        n = len(entries)
        title = ngettext("{n} step in the log", "{n} steps in the log", n).format(n=n)
        rows = [f"{e.n}. {e.utc} {sections.event_name(e.event)}" for e in entries]
        self._steps.value = f"<details><summary>{escape(title)}</summary>{listed(rows)}</details>"

    def _findings_html(self) -> str:
        findings = self.findings
        if findings is None:
            return ""
        if findings.is_intact:
            text = f'<div class="dz-box">{escape(_("Intact: nothing differs."))}</div>'
        else:
            lines = [str(d) for d in findings.differences]
            text = f'<div class="dz-box dz-wrong" role="alert">{listed(lines)}</div>'
        return text + listed(findings.notes)

    def _verify(self, tick: Tick) -> Findings:
        from toolkit.casework import verify

        return verify.verify(
            self._hand.opened().folder,
            hashes_only=self._hashes.value,
            head=self.head.value.strip() or None,
            examine=self._examine,
            tick=tick,
        )

    def _take(self, findings: Findings) -> None:
        self.findings = findings
        self._refresh()
