"""Two things side by side under one scrubber: clips, detectors, persons or moments.

What is known to be genuine can be said of one of them; then the other is held against it, until the
user takes that back: it is remembered with the clip and the person.
"""

from __future__ import annotations

from collections.abc import Callable
from html import escape
from typing import TYPE_CHECKING, Any

import ipywidgets

from toolkit._i18n import _
from toolkit.errors import ToolkitError, UsageError
from toolkit.storage.cache import Cache
from toolkit.types import Tick
from toolkit.widgets import html as fragments
from toolkit.widgets.selection import Selection
from toolkit.widgets.styling import classed
from toolkit.widgets.workbench import pairs
from toolkit.widgets.workbench.beside import DetectorsBeside
from toolkit.widgets.workbench.compare_fields import CompareFields, Other
from toolkit.widgets.workbench.known import Known, KnownGenuine
from toolkit.widgets.workbench.state import Genuine, Memory

if TYPE_CHECKING:
    from toolkit.media.display import DisplayCopy
    from toolkit.types import Examination
    from toolkit.widgets.player import SideBySide

Run = Callable[[Callable[[Tick], Any], Callable[[Any], None]], None]
"""Runs work in the background, then hands its result over."""


class Compare(ipywidgets.VBox):  # type: ignore[misc]  # ipywidgets ships no types
    """Choose what to compare with; then both play in step.

    Parameters
    ----------
    cache
        Where other results and their display copies are found.
    run
        How work that takes time is run.
    memory
        Where it is kept what the user called genuine.
    selection
        Whose evidence is compared.
    on_known
        Called with what the user has just called genuine; with None when it does not hold any more.
    now_s
        Returns the second that the player beside it shows, or None.
    on_stage
        Called when two things came to stand side by side, or left, and when other seconds are
        marked as genuine.
    """

    def __init__(
        self,
        cache: Cache,
        run: Run,
        memory: Memory,
        selection: Selection,
        *,
        on_known: Callable[[Known | None], None] = lambda _known: None,
        now_s: Callable[[], float | None] = lambda: None,
        on_stage: Callable[[], None] = lambda: None,
    ) -> None:
        self._cache, self._run, self._selection = cache, run, selection
        self._on_stage = on_stage
        self._examination: Examination | None = None
        self._copy: DisplayCopy | None = None
        self._person = ""
        self._comparison: SideBySide | None = None
        self._known = KnownGenuine(cache, memory, on_known)
        self._hint = ipywidgets.HTML()
        self.fields = CompareFields(
            cache, now_s, on_other=self._show_fields, on_genuine=self._say_genuine
        )
        self.go = classed(
            ipywidgets.Button(layout={"width": "auto"}, button_style="primary"), "dz-go"
        )
        self.go.on_click(lambda _button: self.start())
        self._problem = ipywidgets.HTML()
        self._said = classed(ipywidgets.HTML(), "dz-comparison")
        self.retract = classed(ipywidgets.Button(layout={"width": "auto"}), "dz-take-back")
        self.retract.on_click(lambda _button: self._say_genuine(None))
        self.beside = DetectorsBeside()
        self._stage = ipywidgets.VBox()
        self._stage.observe(lambda _change: on_stage(), "children")
        for field in (self.fields.start_s, self.fields.end_s):
            field.observe(lambda _change: on_stage(), "value")
        super().__init__(
            [
                self._hint,
                self.fields,
                self.go,
                self._problem,
                self._said,
                self.retract,
                self._stage,
                self.beside,
            ]
        )
        self.add_class("dz-compare")

    @property
    def lines(self) -> list[str]:
        """What the comparison with genuine material found, as sentences."""
        return self._known.findings

    @property
    def has_pair(self) -> bool:
        """Whether two things stand side by side."""
        return bool(self._stage.children)

    @property
    def marked(self) -> list[float] | None:
        """The seconds in the fields; empty = none yet; None where no seconds are asked for."""
        if self.fields.kind != "seconds":
            return None
        start, end = float(self.fields.start_s.value), float(self.fields.end_s.value)
        return [start, end] if end > start else []

    def take_marked(self, start_s: float, end_s: float) -> None:
        """Take seconds that were marked on the lane, and hold the person against them."""
        if self.fields.kind == "seconds":
            self.fields.start_s.value, self.fields.end_s.value = start_s, end_s
            self.start()

    def show(self, examination: Examination | None, copy: DisplayCopy | None) -> None:
        """Offer what the selected person can be compared with; None empties the field."""
        person = str(self._selection.person)
        is_other = examination is not self._examination
        if is_other:
            self._stage.children = ()
            self.beside.hide()
            self.fields.offset.value = 0.0
        is_somebody_else = is_other or person != self._person
        self._examination, self._copy, self._person = examination, copy, person
        self.beside.look_at(person)
        if is_somebody_else:
            self._problem.value = ""
            self._recall()
        self.retranslate()

    def retranslate(self) -> None:
        """Say everything in the language in use; what was chosen stays chosen."""
        hint = _("Two pictures under one scrubber: what differs, and what stays the same?")
        self._hint.value = f'<p class="dz-note">{escape(hint)}</p>'
        self.retract.description = _("This is not known to be genuine")
        self.fields.retranslate()
        self.fields.fill(self._examination, self._person, self._known.said)
        self._show_fields()
        self._show_known()
        self.beside.retranslate()
        if self._comparison is not None:
            self._comparison.retranslate()

    def _show_fields(self) -> None:
        self.fields.show(self._known.said)
        is_seconds = self.fields.kind == "seconds"
        if is_seconds:  # marked on the lane of the player, which a pair would hide
            self._stage.children = ()
        self._on_stage()
        self.go.description = _("Compare") if is_seconds else _("Show side by side")
        self.go.disabled = self.fields.kind is None or self._copy is None

    def _show_known(self) -> None:
        self._said.value = self._known.html()
        self.retract.layout.display = None if self._known.said is not None else "none"

    # -- side by side

    def start(self) -> None:
        """Put both on screen; what must be prepared first is prepared in the background."""
        other, examination, copy = self.fields.other.value, self._examination, self._copy
        if other is None or examination is None or copy is None:
            return
        self._problem.value = ""
        self.beside.hide()
        fields, person = self.fields, self._person
        try:
            if other.kind == "seconds":
                self._stage.children = ()
                start, end = float(fields.start_s.value), float(fields.end_s.value)
                self._say_genuine(Genuine(start, end))
            elif other.kind == "person":
                self._put(pairs.pair_persons(examination, copy, person, other.name))
            elif other.kind == "moment":
                first, second = int(fields.first.value), int(fields.second.value)
                self._put(pairs.pair_moments(examination, copy, person, first, second))
            else:
                self._against(examination, copy, other)
        except (ToolkitError, OSError) as error:
            self._problem.value = fragments.problem(error)

    def _against(self, examination: Examination, copy: DisplayCopy, other: Other) -> None:
        """Put another result beside the one on screen, once its video is prepared."""
        from toolkit.analysis import pipeline

        theirs = pipeline.reopen(self._cache, other.name)
        if theirs is None:
            raise UsageError(
                "this result is no longer kept", "", "Analyse that clip again, then compare."
            )
        offset = float(self.fields.offset.value) if other.kind == "clip" else 0.0
        mine = pairs.labelled_scene(examination, copy)
        if self._comparison is None:  # made here, for a worker may only change what is there
            self._put_first(pairs.ScenePair(mine, mine))

        def ready(their_copy: DisplayCopy) -> None:
            right = pairs.labelled_scene(theirs, their_copy)
            self._put(pairs.ScenePair(mine, right, offset))
            if other.kind == "detector":
                self.beside.show(examination, theirs, self._person)

        self._run(pairs.copy_of(self._cache, theirs, examination, copy), ready)

    def _put_first(self, pair: pairs.ScenePair) -> SideBySide:
        from toolkit.widgets.player import SideBySide

        self._comparison = SideBySide(pair.left, pair.right, offset_s=pair.offset_s)
        return self._comparison

    def _put(self, pair: pairs.ScenePair) -> None:
        stage = self._comparison
        if stage is None:
            stage = self._put_first(pair)
        else:
            stage.show(pair.left, pair.right, offset_s=pair.offset_s)
        if pair.frame is not None:
            stage.frame = pair.frame
        self._stage.children = (stage,)

    # -- against what is known to be genuine

    def _say_genuine(self, said: Genuine | None) -> None:
        """Take what the user says is genuine; None that nothing is."""
        self._problem.value = ""
        try:
            self._known.retranslate(said)
        except ToolkitError as error:  # it cannot serve: what was said before stays
            self._problem.value = fragments.problem(error)
        else:
            if not self._known.is_written:
                text = _("This could not be written to disk. It holds until this panel is closed.")
                self._problem.value = f'<p class="dz-note" role="alert">{escape(text)}</p>'
            self._show_known()
        self._show_fields()

    def _recall(self) -> None:
        """Take up what was known to be genuine of this person when the clip was last looked at."""
        self._known.recall(self._examination, self._person)
        said = self._known.said
        self.fields.start_s.value = said.start_s if said else 0.0
        self.fields.end_s.value = said.end_s if said else 0.0
        if said is not None:
            self.fields.forget_choice()
