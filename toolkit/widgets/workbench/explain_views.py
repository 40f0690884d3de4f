"""What stands around the answers: whose and when at the top, and the views of which one is seen."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import ipywidgets

from toolkit import figures
from toolkit._i18n import _
from toolkit.widgets.choices import Buttons, LanguageSwitch, Slider
from toolkit.widgets.selection import Selection
from toolkit.widgets.styling import classed
from toolkit.widgets.workbench.baseline import BaselineView
from toolkit.widgets.workbench.questions import Questions
from toolkit.widgets.workbench.spans import SpansView
from toolkit.widgets.workbench.trust import BandsView, MethodsView, TrustView
from toolkit.widgets.workbench.what_if import WhatIf

if TYPE_CHECKING:
    from toolkit.explain.session import PersonExplainer

VIEWS = ("try", "reference", "trust", "bands", "methods")
"""What can be shown below the sum, in this order."""

SPANS = "spans"
"""What is shown instead for a detector of stretches, of which no single frame can be asked."""


class ExplainHead(ipywidgets.VBox):  # type: ignore[misc]  # ipywidgets ships no types
    """Language, person and moment.

    Parameters
    ----------
    selection
        Where a choice goes.
    on_language
        Called once the language has changed.
    switch
        Whether the language switch is shown.
    """

    def __init__(
        self, selection: Selection, on_language: Callable[[], None], *, switch: bool
    ) -> None:
        self.language = LanguageSwitch(on_language, is_shown=switch)
        self.persons = classed(Buttons(options=[]), "dz-inquiry-persons")
        self.persons.on_choose(lambda person: setattr(selection, "person", person))
        self.moment = classed(
            Slider(
                options=[("–", 0)],
                continuous_update=False,
                layout={"width": "min(100%, 560px)"},
                style={"description_width": "11em"},
            ),
            "dz-moment",
        )
        self.moment.on_choose(lambda row: setattr(selection, "row", row))
        super().__init__([self.language, self.persons, self.moment])

    def retranslate(self) -> None:
        """Say everything in the language in use."""
        self.language.retranslate()
        self.moment.description = _("Moment")

    def fill(self, people: Sequence[str], session: PersonExplainer, row: int) -> None:
        """Offer the persons and the moments of the one who is questioned."""
        self.persons.layout.display = None if len(people) > 1 else "none"
        names = [(_("Person {person}").format(person=p), p) for p in people]
        self.persons.offer(names, session.person)
        times = session.result.track.pts.tolist()
        self.moment.offer([(figures.clock(t, 2), i) for i, t in enumerate(times)], row)


class ExplainViews(ipywidgets.VBox):  # type: ignore[misc]  # ipywidgets ships no types
    """The views of the answers, of which one is seen.

    Parameters
    ----------
    questions
        Asks what takes time.
    selection
        Its region is the one pointed out.
    on_change
        Called when answers no longer hold.
    donors
        Genuine clips of other persons; None = the samples, without the clip itself.
    """

    def __init__(
        self,
        questions: Questions,
        selection: Selection,
        on_change: Callable[[], None],
        donors: Sequence[Path] | None,
    ) -> None:
        self.menu = classed(Buttons(options=[(v, v) for v in VIEWS]), "dz-inquiry-views")
        self.menu.observe(lambda _change: self._show_view(), "value")
        self._is_of_spans = False
        self.what_if = WhatIf(questions, selection)
        self.baseline = BaselineView(questions, on_change, donors)
        self._panes: dict[str, Any] = {
            "try": self.what_if,
            "reference": self.baseline,
            "trust": TrustView(questions),
            "bands": BandsView(questions),
            "methods": MethodsView(questions),
            SPANS: SpansView(questions),
        }
        for view, pane in self._panes.items():
            pane.add_class(f"dz-pane-{view}")
        super().__init__([self.menu, *self._panes.values()])
        self._show_view()

    def retranslate(self) -> None:
        """Say everything in the language in use."""
        names = {
            "try": _("What if"),
            "reference": _("Reference"),
            "trust": _("Trust"),
            "bands": _("Frequencies"),
            "methods": _("Other methods"),
            SPANS: _("Stretches"),
        }
        views = (SPANS,) if self._is_of_spans else VIEWS
        self.menu.offer([(names[v], v) for v in views], self._view)
        self.baseline.retranslate()
        self.say_buttons()

    def say_buttons(self) -> None:
        """Say what can be asked, in the language in use."""
        for pane in self._panes.values():
            pane.say_buttons()

    def fill(self, session: PersonExplainer, row: int) -> None:
        """Show all that is known of a frame; of a detector of stretches, of those."""
        if session.result.judges_spans != self._is_of_spans:
            self._is_of_spans = session.result.judges_spans
            self.retranslate()
            self._show_view()
        self.fill_answers(session, row)
        if not self._is_of_spans:
            self.what_if.fill_composite(session, row)
        self.say_buttons()

    def fill_answers(self, session: PersonExplainer, row: int) -> None:
        """Show what was answered so far; makes no widget and takes no pass."""
        for view, pane in self._panes.items():
            if (view == SPANS) == session.result.judges_spans:
                pane.fill_answers(session, row)

    @property
    def _view(self) -> str:
        """The view that is seen."""
        if self._is_of_spans:
            return SPANS
        return str(self.menu.value) if self.menu.value in VIEWS else VIEWS[0]

    def _show_view(self) -> None:
        for view, pane in self._panes.items():
            pane.layout.display = None if view == self._view else "none"
