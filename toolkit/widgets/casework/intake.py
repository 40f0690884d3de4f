"""Take a file in, have it analysed, and look at it with the evidence."""

from __future__ import annotations

from collections.abc import Callable
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any

import ipywidgets

from toolkit import samples
from toolkit._i18n import _
from toolkit.jobs import STAGE_WEIGHTS
from toolkit.types import Tick
from toolkit.widgets import html as fragments
from toolkit.widgets.casework.form import CaseInHand, FormSection, listed, note, pairs
from toolkit.widgets.player import Player
from toolkit.widgets.styling import classed
from toolkit.widgets.task import Task

if TYPE_CHECKING:
    from toolkit.casework.case import Exhibit
    from toolkit.media.display import DisplayCopy

_ADD = {"intake": 1.0, **STAGE_WEIGHTS, "provenance": 5.0}
_TRUST = {"donors": 60.0, "trust": 480.0}  # beside `STAGE_WEIGHTS`
_SHOW = {"display": 1.0}


class IntakeSection(FormSection):
    """The second part of the form.

    Parameters
    ----------
    hand
        The case in hand.
    examine
        What analyses; None = `analysis.examine`.
    refresh
        Called when the case holds something new.
    note_here
        Takes what the player shows into a note.
    """

    def __init__(
        self,
        hand: CaseInHand,
        examine: Callable[..., Any] | None,
        refresh: Callable[[], None],
        note_here: Callable[[], None],
    ) -> None:
        super().__init__(lambda: _("2. Take in and analyse"))
        self._hand, self.examine, self._refresh = hand, examine, refresh
        self._sample = self.menu(lambda: _("Sample"))
        self.path = self.text(lambda: _("Or the path of a video"))
        self._from = self.text(lambda: _("Received from"))
        self._how = self.text(lambda: _("How"))
        self._source = self.text(lambda: _("Address it came from"))
        self._keep = self.box(lambda: _("Keep a copy of the original in the case"), on=True)
        self.trust = self.box(lambda: _("Also test the explanation (a minute more)"), on=True)
        self.adding: Task[Exhibit] = Task(
            lambda: _("Take in and analyse"), self._add, self._arrive, weights=self._stages
        )
        self.which = self.menu(lambda: _("Exhibit"))
        self.which.on_choose(self._on_exhibit)
        self.result = classed(ipywidgets.HTML(), "dz-exhibit")
        self.container = classed(ipywidgets.HTML(), "dz-container")
        self.player = Player()
        self._played: tuple[str, str] | None = None  # exhibit and analysis in the player
        self.showing: Task[DisplayCopy] = Task(
            lambda: _("Show the video with the evidence"), self._copy, self._play, weights=_SHOW
        )
        self._here = self.button(lambda: _("Note at this moment and region"), note_here)
        self._another = self.button(lambda: _("Take in another file"), self._ask_for_another)
        self._form = (
            self._sample,
            self.path,
            self._from,
            self._how,
            self._source,
            self._keep,
            self.trust,
            self.adding,
        )
        self._is_asking = True  # for a file; with one at hand the evidence has the room
        self.lay_out(
            [
                *self._form,
                self._another,
                self.which,
                self.result,
                self.showing,
                self.player,
                self._here,
                self.container,
            ]
        )

    def retranslate(self) -> None:
        """Name everything in the language in use."""
        super().retranslate()
        self.player.retranslate()
        cards = [samples.card(n) for n in samples.names(present=True)]
        self._sample.rename((_(card.title), card.name) for card in cards if card.is_video)

    def _ask_for_another(self) -> None:
        self._is_asking = True
        self._show_form()

    def _show_form(self) -> None:
        """Show the fields while a file is asked for, else the button that brings them back."""
        is_asking = self._is_asking or self._hand.exhibit is None
        for widget in self._form:
            widget.layout.display = None if is_asking else "none"
        self._another.layout.display = "none" if is_asking else None

    def choose_exhibit(self) -> None:
        """Offer the exhibits, and look at the one in hand, else at the one chosen before."""
        hand, exhibits = self._hand, self._hand.exhibits()
        kept = hand.exhibit.id if hand.exhibit else self.which.value
        chosen = kept if kept in exhibits else next(iter(exhibits), None)
        self.which.offer([(e, e) for e in exhibits], chosen)
        self.which.layout.display = None if len(exhibits) > 1 else "none"
        hand.exhibit = exhibits.get(chosen) if chosen else None

    def show_exhibit(self) -> None:
        """Show what was found of the exhibit in hand, and the facts of its container."""
        from toolkit.casework import operations, publish
        from toolkit.report import sections

        self._show_player()
        self._show_form()
        exhibit, case = self._hand.exhibit, self._hand.case
        if exhibit is None or not exhibit.analyses or case is None:
            self.result.value = self.container.value = ""
            return
        report = operations.examination(case, exhibit).report
        self.result.value = "".join(
            [
                f"<p>{escape(exhibit.id)} SHA-256 {escape(exhibit.facts['sha256'])}</p>",
                fragments.verdict(report),
                *(fragments.person(r) for r in report.tracks),
                fragments.notes(report),
                note(sections.disclaimer()),
            ]
        )
        facts = case.read_json(f"{exhibit.analyses[-1]}/provenance.json")
        container = publish.provenance_of(facts)
        signed = publish.credentials_of(case.read_json(f"{exhibit.analyses[-1]}/credentials.json"))
        signs = [sign.line() for sign in container.signs]
        heading = _("Provenance; it does not feed the verdict")
        lines = [signed.integrity_line(), signed.trust_line(), *signs]
        self.container.value = (
            f"<details><summary>{escape(heading)}</summary>"
            f"{listed(lines)}{pairs(container.lines())}</details>"
        )

    def _on_exhibit(self, name: str | None) -> None:
        self._hand.exhibit = self._hand.exhibits().get(name or "")
        self._refresh()

    def _show_player(self) -> None:
        """Show the player with what it holds of the exhibit, or the button that fills it."""
        exhibit = self._hand.exhibit
        has = exhibit is not None and bool(exhibit.analyses)
        fits = exhibit is not None and has and self._played == (exhibit.id, exhibit.analyses[-1])
        self.player.layout.display = None if fits else "none"
        self._here.layout.display = None if fits else "none"
        self.showing.layout.display = None if has and not fits else "none"

    # -- in the background: traits are set, no widgets are made

    def _stages(self) -> dict[str, float]:
        """Return what a run goes through, as the boxes are ticked."""
        return {**_ADD, **_TRUST} if self.trust.value else _ADD

    def _add(self, tick: Tick) -> Exhibit:
        from toolkit.casework import operations

        text = self.path.value.strip().strip("\"'")
        file = Path(text).expanduser() if text else samples.path(str(self._sample.value))
        return operations.add(
            self._hand.opened(),
            file,
            received_from=self._from.value,
            how=self._how.value,
            source=self._source.value,
            keep=self._keep.value,
            trust=self.trust.value,
            examine=self.examine,
            tick=tick,
        )

    def _arrive(self, exhibit: Exhibit) -> None:
        self._hand.exhibit = exhibit
        self._is_asking = False
        self._refresh()
        self.showing.start()

    def _copy(self, tick: Tick) -> DisplayCopy:
        """Make a copy of the exhibit that the player can show; it is not part of the case."""
        from toolkit.analysis.cached import display_copy
        from toolkit.media import probe
        from toolkit.storage.cache import Cache

        case = self._hand.opened()
        exhibit = case.exhibit(self._hand.looked_at())
        return display_copy(Cache(), probe(case.path(exhibit.working_copy)), tick=tick)

    def _play(self, copy: DisplayCopy) -> None:
        from toolkit.casework import operations
        from toolkit.player import Scene

        exhibit, case = self._hand.exhibit, self._hand.case
        if exhibit is None or not exhibit.analyses or case is None:
            return
        examination = operations.examination(case, exhibit)
        self.player.show(Scene.of(examination.report, copy, crops=examination.crops))
        self._played = (exhibit.id, exhibit.analyses[-1])
        self._show_player()
