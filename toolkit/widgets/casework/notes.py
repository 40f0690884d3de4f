"""What the examiner writes down: notes, propositions, other explanations, an opinion."""

from __future__ import annotations

from collections.abc import Callable
from html import escape

import ipywidgets

from toolkit import figures
from toolkit._i18n import _
from toolkit.casework.case import ALTERNATIVES, STATES
from toolkit.errors import ToolkitError, UsageError
from toolkit.types import REGIONS
from toolkit.widgets import html as fragments
from toolkit.widgets.casework.form import CaseInHand, FormSection, listed
from toolkit.widgets.player import Player
from toolkit.widgets.styling import classed

_KINDS = ("text", "question", "propositions", "alternative", "opinion", "review", "conflict")


class NoteSection(FormSection):
    """The fourth part of the form."""

    def __init__(self, hand: CaseInHand, refresh: Callable[[], None]) -> None:
        super().__init__(lambda: _("4. Annotate"))
        self._hand, self._refresh = hand, refresh
        self.kind = self.menu(lambda: _("Kind"))
        self.kind.observe(lambda _change: self._show_fields(), "value")
        self.wording = self.words(lambda: _("In your own words"))
        self.frames = self.text(lambda: _("Frames, such as 120,130-140"))
        self.regions = self.several(lambda: _("Regions"), rows=5)
        self.start = self.seconds(lambda: _("From (seconds)"))
        self.end = self.seconds(lambda: _("To (seconds); 0 = no interval"))
        self.h1 = self.text(lambda: _("First proposition (H1)"))
        self.h2 = self.text(lambda: _("Its counterpart (H2)"))
        self.alternative = self.menu(lambda: _("Other explanation"))
        self.state = self.menu(lambda: _("State"))
        self._write = self.button(lambda: _("Write down"), self.write)
        self._written = classed(ipywidgets.HTML(), "dz-written")
        self._notes = classed(ipywidgets.HTML(), "dz-case-notes")
        self.lay_out(
            [
                self.kind,
                self.wording,
                self.frames,
                self.regions,
                self.start,
                self.end,
                self.h1,
                self.h2,
                self.alternative,
                self.state,
                self._write,
                self._written,
                self._notes,
            ]
        )

    def retranslate(self) -> None:
        """Name everything in the language in use."""
        from toolkit.report import sections

        super().retranslate()
        self.kind.rename([(_kind_name(k), k) for k in _KINDS])
        self.alternative.rename([(sections.alternative_name(a), a) for a in ALTERNATIVES])
        self.state.rename([(sections.state_name(s), s) for s in STATES])
        chosen = self.regions.value
        self.regions.options = [(figures.region_name(p), p) for p in REGIONS]
        self.regions.value = chosen
        self._show_fields()

    def take(self, player: Player) -> None:
        """Put the frame, time and region that a player shows into the fields of a note."""
        if not player.shown:
            return
        copy, frame = player.shown[0].copy, int(player.frame)
        self.kind.value = "text"
        self.frames.value = str(int(copy.indices[frame]))
        self.start.value = self.end.value = round(float(copy.pts[frame]) + copy.start_s, 3)
        self.regions.value = (player.region,) if player.region else ()

    def write(self) -> str | None:
        """Write down the note in the fields; return its path within the case."""
        exhibit, is_other = self._hand.exhibit, self.kind.value == "alternative"
        try:
            name = self._hand.opened().note(
                self.kind.value,
                text=self.wording.value,
                exhibit=exhibit.id if exhibit else None,
                frames=_spans(self.frames.value),
                regions=self.regions.value,
                interval_s=(self.start.value, self.end.value) if self.end.value else None,
                h1=self.h1.value,
                h2=self.h2.value,
                alternative=self.alternative.value if is_other else "",
                state=self.state.value if is_other else "",
            )
        except (ToolkitError, OSError) as error:
            self._written.value = fragments.problem(error)
            return None
        text = _("Written down: {name}").format(name=name)
        self._written.value = f'<p class="dz-note" role="status">{escape(text)}</p>'
        self.wording.value = ""
        self._refresh()
        return name

    def list_notes(self) -> None:
        """List what was written down so far, newest last."""
        case = self._hand.case
        if case is None or self._hand.problem is not None:
            self._notes.value = ""
            return
        rows = []
        for number, note in enumerate(case.notes(), 1):
            text = note.get("text") or note.get("h1") or note.get("alternative") or ""
            where = [figures.region_name(r) for r in note.get("regions") or ()]
            rows.append(
                f"{number}. {_kind_name(str(note.get('kind')))}: {' '.join([str(text), *where])}"
            )
        self._notes.value = listed(rows) if rows else ""

    def _show_fields(self) -> None:
        """Show the fields that the chosen kind of note has."""
        kind = self.kind.value
        shown = {
            self.wording: kind != "propositions",
            self.h1: kind == "propositions",
            self.h2: kind == "propositions",
            self.alternative: kind == "alternative",
            self.state: kind == "alternative",
            **dict.fromkeys((self.frames, self.regions, self.start, self.end), kind == "text"),
        }
        for widget, is_shown in shown.items():
            widget.layout.display = None if is_shown else "none"


def _kind_name(kind: str) -> str:
    return {
        "text": _("note"),
        "question": _("question"),
        "propositions": _("propositions"),
        "alternative": _("other explanation"),
        "opinion": _("opinion"),
        "review": _("review by a colleague"),
        "conflict": _("conflict of interest"),
    }.get(kind, kind)


def _spans(text: str) -> list[tuple[int, int]]:
    spans = []
    for part in filter(None, (p.strip() for p in text.split(","))):
        first, _dash, last = part.partition("-")
        try:
            spans.append((int(first), int(last or first)))
        except ValueError as error:
            raise UsageError(
                "these are no frames", part, "Give numbers, such as 120 or 130-140."
            ) from error
    return spans
