"""What if: both witnesses, and the verdict with regions replaced in one frame or in all."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import ipywidgets
import traitlets

from toolkit import figures
from toolkit._i18n import _
from toolkit.figures.inquiry import region_rows
from toolkit.widgets.selection import Selection
from toolkit.widgets.styling import classed
from toolkit.widgets.workbench import explain_html as html
from toolkit.widgets.workbench.questions import AskButton, Questions
from toolkit.widgets.workbench.regionboard import RegionBoard

if TYPE_CHECKING:
    from toolkit.explain.session import PersonExplainer

ROW = {"flex_flow": "row wrap"}


class WhatIf(ipywidgets.VBox):  # type: ignore[misc]  # ipywidgets ships no types
    """What would change the verdict; ticking a region replaces it.

    Parameters
    ----------
    questions
        Asks what takes time.
    selection
        Its region is the one that the board points out.
    """

    def __init__(self, questions: Questions, selection: Selection) -> None:
        self._questions = questions
        self._changes = classed(ipywidgets.HTML(), "dz-changes")
        self._witnesses = classed(ipywidgets.HTML(), "dz-witnesses")
        self.board = RegionBoard()
        self.board.observe(self._on_tick, "ticked")
        traitlets.link((selection, "region"), (self.board, "current"))
        self._picture = classed(ipywidgets.HTML(), "dz-composite")
        self._checked = classed(ipywidgets.HTML(), "dz-checked")
        self._key_frames = classed(ipywidgets.HTML(), "dz-key-table")
        self._ask_witnesses = AskButton(
            "witnesses",
            lambda: _("Ask the second witness about the key frames"),
            lambda: questions.ask("witnesses"),
        )
        self._ask_exact = AskButton(
            "exact", lambda: _("Exact for this frame"), lambda: questions.ask("exact")
        )
        self._untick = AskButton("untick", lambda: _("Put all regions back"), self.put_back)
        self._check = AskButton("check", lambda: _("Replace them in every frame"), self.check)
        super().__init__(
            [
                self._changes,
                ipywidgets.HBox([self._ask_witnesses, self._ask_exact], layout=ROW),
                self._witnesses,
                classed(ipywidgets.Box([self.board, self._picture]), "dz-try"),
                ipywidgets.HBox([self._untick, self._check], layout=ROW),
                self._checked,
                self._key_frames,
            ]
        )

    def replace(self, region: str) -> None:
        """Replace one region alone, as a click into the face asks."""
        self.board.ticked = [region]

    def put_back(self) -> None:
        """Replace no region any more."""
        self.board.ticked = []

    def check(self) -> None:
        """Replace the ticked regions in every frame, and form the verdict again."""
        self._questions.check(tuple(self.board.ticked))

    def say_buttons(self) -> None:
        """Say what can be asked, in the language in use."""
        for button in (self._ask_witnesses, self._ask_exact, self._untick, self._check):
            button.offer(self._questions)
        if not self.board.ticked:
            self._untick.disabled = self._check.disabled = True

    def fill_answers(self, session: PersonExplainer, row: int) -> None:
        """Show what was answered so far; makes no widget and takes no pass."""
        self._changes.value = html.change(session, session.change())
        answer, every = session.answered(row), session.construction
        self.board.show(region_rows(answer, None if every is None else every[row]))
        time = figures.clock(float(session.result.track.pts[row]), 2)
        title = _("Two witnesses; frame at {time}").format(time=time)
        keys = session.witnesses
        self._witnesses.value = html.witnesses(session, keys, answer, chosen=title)
        self._key_frames.value = html.key_frames(keys)
        self._checked.value = html.checked(session.checked) if session.checked else ""

    def fill_composite(self, session: PersonExplainer, row: int) -> None:
        """Show the frame with the ticked regions replaced: one pass, or none when it is known."""
        choice = session.chosen(row)
        is_barred = choice is not None and choice.reference is None and session.kind is None
        self.board.enabled = not is_barred
        composite = session.replace(row, self.board.ticked) if session.is_ready(row) else None
        if composite is not None:
            self._picture.value = html.composite(session, row, composite)
        else:
            self._picture.value = html.original(session, row, barred=is_barred)

    def _on_tick(self, _change: Any) -> None:
        self.say_buttons()
        session, row = self._questions.session, self._questions.row
        if session is None:
            return
        if session.is_ready(row) or not self.board.ticked:
            self.fill_composite(session, row)
        else:
            self._questions.ask("references")
