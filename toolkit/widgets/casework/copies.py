"""How the verdict fares after re-shares, and on which source an exhibit lies."""

from __future__ import annotations

import base64
from collections.abc import Callable
from html import escape
from typing import TYPE_CHECKING, Any

import ipywidgets

from toolkit._i18n import _
from toolkit.errors import UsageError
from toolkit.types import Tick
from toolkit.widgets.casework.form import CaseInHand, FormSection, listed, note
from toolkit.widgets.styling import classed
from toolkit.widgets.task import Task

if TYPE_CHECKING:
    from toolkit.analysis.robustness import Robustness
    from toolkit.media.alignment import Alignment

_CHAINS_QUICK = 1  # the combined one, which is quoted first
_RESHARE, _COMPARE = {"reshare_test": 1.0}, {"align": 1.0}


class CopiesSection(FormSection):
    """The third part of the form."""

    def __init__(self, hand: CaseInHand, refresh: Callable[[], None]) -> None:
        super().__init__(lambda: _("3. Copies and re-shares"))
        self._hand = hand
        self.chains = self.menu(lambda: _("Further re-shares to try"))
        self.trying: Task[Robustness] = Task(
            lambda: _("Does the verdict hold?"),
            self._try,
            lambda _robustness: refresh(),
            weights=_RESHARE,
        )
        self._held = classed(ipywidgets.HTML(), "dz-held")
        self.presumed = self.menu(lambda: _("Presumed source of this exhibit"))
        self.aligning: Task[Alignment] = Task(
            lambda: _("Lay it on its source"),
            self._align,
            lambda _alignment: refresh(),
            weights=_COMPARE,
        )
        self._aligned = classed(ipywidgets.HTML(), "dz-aligned")
        self.lay_out(
            [
                self.chains,
                self.trying,
                self._held,
                self.presumed,
                self.aligning,
                self._aligned,
            ]
        )

    def retranslate(self) -> None:
        """Name everything in the language in use."""
        super().retranslate()
        self.chains.rename(
            [(_("the combined one"), "first"), (_("all of them (takes minutes)"), "all")]
        )

    def show_copies(self) -> None:
        """Show how the exhibit in hand fared after re-shares, and on what it was laid."""
        from toolkit.casework import facts, operations, publish

        exhibit, case = self._hand.exhibit, self._hand.case
        others = [e for e in self._hand.exhibits() if exhibit is None or e != exhibit.id]
        self.presumed.rename([(e, e) for e in others])
        for widget in (self.presumed, self.aligning):
            widget.layout.display = None if others else "none"
        self._held.value = self._aligned.value = ""
        if exhibit is None or case is None:
            return
        self._held.value = listed(publish.reshare_lines(facts.reshares(case, exhibit)))
        mine = [c for c in operations.compared(case) if c["reshare"] == exhibit.id]
        if mine:
            last = mine[-1]
            line = f"{last['source']}: {publish.alignment_of(last['alignment']).line()}"
            self._aligned.value = note(line) + self._side_by_side(last["picture"])

    def _side_by_side(self, picture: dict[str, Any] | None) -> str:
        if picture is None or self._hand.case is None:
            return ""
        caption = _("Left the source with what was kept of it, right the re-share, laid over it.")
        data = base64.b64encode(self._hand.case.read(picture["file"])).decode()
        return (
            f'<figure style="margin:0"><img style="max-width:100%" alt="{escape(caption)}" '
            f'src="data:image/png;base64,{data}"><figcaption>{escape(caption)}</figcaption></figure>'
        )

    # -- in the background

    def _try(self, tick: Tick) -> Robustness:
        from toolkit.analysis.robustness import CHAINS
        from toolkit.casework import operations

        chains = CHAINS[:_CHAINS_QUICK] if self.chains.value == "first" else CHAINS
        robustness: Robustness = operations.try_reshares(
            self._hand.opened(), self._hand.looked_at(), chains=chains, tick=tick
        )
        return robustness

    def _align(self, tick: Tick) -> Alignment:
        from toolkit.casework import operations

        if not self.presumed.value:
            raise UsageError("there is no other exhibit", "", "Take its source in first.")
        alignment: Alignment = operations.compare(
            self._hand.opened(), str(self.presumed.value), self._hand.looked_at(), tick=tick
        )
        return alignment
