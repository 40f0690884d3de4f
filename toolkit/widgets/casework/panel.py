"""The panel of the investigation notebook: a case from intake to a report that can be checked.

It only shows and schedules: each button is one call of `toolkit.casework`, which scripts and the
command line make too.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import ipywidgets

from toolkit._i18n import _
from toolkit.casework.case import Case, create
from toolkit.errors import ToolkitError
from toolkit.storage.cache import runs_folder
from toolkit.widgets import html as fragments
from toolkit.widgets.casework.copies import CopiesSection
from toolkit.widgets.casework.form import CaseInHand, FormSection, note
from toolkit.widgets.casework.intake import IntakeSection
from toolkit.widgets.casework.notes import NoteSection
from toolkit.widgets.casework.outcome import CheckSection, ReportSection
from toolkit.widgets.choices import LanguageSwitch
from toolkit.widgets.status import StatusLine
from toolkit.widgets.styling import classed
from toolkit.widgets.task import Task

if TYPE_CHECKING:
    from toolkit.casework.case import Exhibit
    from toolkit.casework.verify import Findings


class CaseSection(FormSection):
    """The first part of the form: which case it is."""

    def __init__(self, hand: CaseInHand, folder: str, open_case: Callable[[], None]) -> None:
        super().__init__(lambda: _("1. The case"))
        self._hand = hand
        self.folder = self.text(lambda: _("Folder of the case"), folder)
        self._title_field = self.text(lambda: _("What it is about"))
        self.examiner = self.text(lambda: _("Examiner"))
        self._role = self.text(lambda: _("Role"))
        self._basis = self.text(lambda: _("Legal basis"))
        self._retention = self.text(lambda: _("Kept until"))
        self.open_button = self.button(lambda: _("Open or make the case"), open_case)
        self._told = classed(ipywidgets.HTML(), "dz-case-told")
        self.lay_out(
            [
                self.folder,
                self._title_field,
                self.examiner,
                self._role,
                self._basis,
                self._retention,
                self.open_button,
                self._told,
            ]
        )

    def open_or_make(self) -> Case:
        """Return the case in the folder that is named; it is made where there is none.

        Raises
        ------
        ToolkitError, OSError
            If it cannot be read or made.
        """
        folder = Path(self.folder.value).expanduser()
        if not (folder / "log.jsonl").exists():
            return create(
                folder,
                title=self._title_field.value,
                examiner=self.examiner.value,
                role=self._role.value,
                legal_basis=self._basis.value,
                retention=self._retention.value,
            )
        case = Case(folder)
        case.entries()
        return case

    def show_case(self) -> None:
        """Say which case is open, or what is wrong with it."""
        hand = self._hand
        if hand.problem is not None:
            self._told.value = fragments.problem(hand.problem)
        elif hand.case is None:
            self._told.value = note(_("No case is open."))
        else:
            text = _("Open: {folder}. Head of the log: {head}")
            self._told.value = note(text.format(folder=hand.case.folder, head=hand.case.head))


class Casework(ipywidgets.VBox):  # type: ignore[misc]  # ipywidgets ships no types
    """Panel that opens a case, takes in files, and makes and checks reports.

    Parameters
    ----------
    folder
        The case to open or make; None = a new folder within ``runs/cases``, made on demand.
    examine
        What analyses; None = `analysis.examine`.

    Attributes
    ----------
    intake, copies, notes, outcome, check
        The sections of the form after the first.
    """

    def __init__(
        self, folder: Path | str | None = None, *, examine: Callable[..., Any] | None = None
    ) -> None:
        self._hand = CaseInHand()
        status = StatusLine()  # brings the style sheet
        self._language = LanguageSwitch(self.retranslate)
        self._case = CaseSection(self._hand, _default(folder), self.open_case)
        self.intake = IntakeSection(self._hand, examine, self._refresh, self.note_here)
        self.copies = CopiesSection(self._hand, self._refresh)
        self.notes = NoteSection(self._hand, self._refresh)
        self.outcome = ReportSection(self._hand, self._refresh)
        self.check = CheckSection(self._hand, examine, self._refresh)
        self._sections: tuple[FormSection, ...] = (
            self._case,
            self.intake,
            self.copies,
            self.notes,
            self.outcome,
            self.check,
        )
        self._reached = -1  # how far the case had come when steps were last opened
        super().__init__([status, self._language, *self._sections])
        self.add_class("dz-workbench")
        self.add_class("dz-casework")
        self.retranslate()
        if folder is not None:
            self.open_case()

    def __repr__(self) -> str:
        """Return a line; ipywidgets' own would print everything inside."""
        return f"Casework({self._case.folder.value!r})"

    @property
    def case(self) -> Case | None:
        """The case that is open, or None."""
        return self._hand.case

    @property
    def exhibit(self) -> Exhibit | None:
        """What is looked at, or None."""
        return self._hand.exhibit

    @property
    def report(self) -> Path | None:
        """Folder of the last report that was made here, or None."""
        return self.outcome.folder

    @property
    def findings(self) -> Findings | None:
        """What the last check found, or None."""
        return self.check.findings

    @property
    def tasks(self) -> tuple[Task[Any], ...]:
        """All that the panel can set going."""
        return tuple(task for section in self._sections for task in section.tasks)

    def open_case(self) -> None:
        """Open the case in the folder that is named, or make it."""
        hand = self._hand
        hand.case = hand.exhibit = hand.problem = None
        for task in self.tasks:
            task.forget()  # what it could not do without a case
        try:
            hand.case = self._case.open_or_make()
        except (ToolkitError, OSError) as error:
            hand.problem = error
        self._refresh()

    def note_here(self) -> None:
        """Put the frame, time and region that the player shows into the fields of a note."""
        self.notes.take(self.intake.player)

    def write(self) -> str | None:
        """Write down the note in the fields; return its path within the case."""
        return self.notes.write()

    def retranslate(self) -> None:
        """Say everything in the language in use."""
        self._language.retranslate()
        for section in self._sections:
            section.retranslate()
        self._refresh()

    def _refresh(self) -> None:
        """Show what is in the case."""
        self.intake.choose_exhibit()
        self._case.show_case()
        self.intake.show_exhibit()
        self.copies.show_copies()
        self.notes.list_notes()
        self.outcome.show_report()
        self.check.show_findings()
        self._open_steps()

    def _open_steps(self) -> None:
        """Open the steps whose turn it is, each time that the case has come farther."""
        exhibit = self._hand.exhibit
        reached = 0 if self.case is None else 2 if exhibit is not None and exhibit.analyses else 1
        if reached == self._reached:
            return  # what the user opened or folded stays so
        self._reached = reached
        turn = {0: {self._case}, 1: {self.intake}, 2: {self.intake, self.notes, self.outcome}}
        for section in self._sections:
            section.show_parts(section in turn[reached])


def _default(folder: Path | str | None) -> str:
    """Return the folder that is proposed: the first free one within ``runs/cases``."""
    if folder is not None:
        return str(folder)
    number = 1
    while (runs_folder() / "cases" / f"case-{number}").exists():
        number += 1
    return str(runs_folder() / "cases" / f"case-{number}")
