"""The view in which a result is questioned; its panel is made when it is first seen."""

from __future__ import annotations

import threading
from collections.abc import Callable
from html import escape
from typing import TYPE_CHECKING

import ipywidgets

from toolkit._i18n import _
from toolkit.figures import Check
from toolkit.widgets.selection import Selection
from toolkit.widgets.workbench.known import Known

if TYPE_CHECKING:
    from toolkit.types import Examination
    from toolkit.widgets.workbench.explain import ExplainPanel


class AskView(ipywidgets.VBox):  # type: ignore[misc]  # ipywidgets ships no types
    """Holds the panel of questions, and what is known to be genuine for it.

    Parameters
    ----------
    selection
        What is looked at.
    turns
        The lock of the result: one lock, for two could wait for each other.
    on_check
        As for `ExplainPanel`.

    Attributes
    ----------
    panel
        The panel; None before it was first seen.
    known
        What the user called genuine of the result on screen, or None.
    """

    def __init__(
        self,
        selection: Selection,
        turns: threading.RLock,
        on_check: Callable[[str, Check | None], None],
    ) -> None:
        super().__init__()
        self.add_class("dz-ask")
        self._selection, self._turns, self._on_check = selection, turns, on_check
        self.panel: ExplainPanel | None = None
        self.known: Known | None = None

    def enter(self, examination: Examination, *, beside_player: bool) -> None:
        """Question a result; the first time the panel is made, which takes seconds."""
        if self.panel is None:
            text = _("Loading the detector …")
            self.children = (ipywidgets.HTML(f'<p class="dz-note">{escape(text)}</p>'),)
            from toolkit.widgets.workbench.explain import ExplainPanel

            self.panel = ExplainPanel(selection=self._selection, on_check=self._on_check)
            self.panel.turns = self._turns
        self.stand_beside(player=beside_player)
        if self.panel.examination is not examination:
            self.panel.show(examination, person=self._selection.person)
        self.know(self.known)
        self.panel.shown()
        self.children = (self.panel,)

    def replace(self, region: str) -> None:
        """Show what happens when a region of the frame on screen is replaced."""
        if self.panel is not None:
            self.panel.replace(region)

    def stand_beside(self, *, player: bool) -> None:
        """Leave chart and slider to the player, where there is one."""
        if self.panel is not None:
            self.panel.stand_alone(alone=not player)

    def leave(self) -> None:
        """Follow nobody while the view is not seen."""
        if self.panel is not None:
            self.panel.hidden()

    def clear(self) -> None:
        """Question nobody: another result comes."""
        self.known = None
        if self.panel is not None:
            self.panel.hidden()
            self.panel.show(None)

    def know(self, known: Known | None) -> None:
        """Let the second witness use what the user called genuine when comparing."""
        self.known = known
        if self.panel is None or self.panel.examination is None:
            return
        if known is None:
            self.panel.know(self.panel.person, None)
        elif known.examination is self.panel.examination:
            self.panel.know(known.person, known.faces)

    def answered(self) -> list[str]:
        """Return what was asked and answered, as sentences."""
        return [] if self.panel is None else self.panel.answered()

    def retranslate(self) -> None:
        """Say everything in the language in use."""
        if self.panel is not None:
            self.panel.retranslate()
