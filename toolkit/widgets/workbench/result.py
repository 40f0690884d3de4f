"""The result on screen: the verdict, the player, and what lies behind them in several views."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import ipywidgets

from toolkit import figures
from toolkit._i18n import _
from toolkit.storage.cache import Cache
from toolkit.types import Report, TrackResult
from toolkit.widgets import html as fragments
from toolkit.widgets.chart import Chart
from toolkit.widgets.choices import Buttons
from toolkit.widgets.player import Player, RegionAsked
from toolkit.widgets.selection import Selection
from toolkit.widgets.styling import classed
from toolkit.widgets.turns import synchronized
from toolkit.widgets.workbench.ask import AskView
from toolkit.widgets.workbench.compare import Compare, Run
from toolkit.widgets.workbench.keyframes import KeyFrames
from toolkit.widgets.workbench.known import Known
from toolkit.widgets.workbench.notes import Notes
from toolkit.widgets.workbench.state import Memory

if TYPE_CHECKING:
    from toolkit.media.display import DisplayCopy
    from toolkit.types import Examination

VIEWS = ("why", "ask", "compare", "numbers", "notes")
"""What can be shown below the player, in this order."""


class ResultPanel(ipywidgets.VBox):  # type: ignore[misc]  # ipywidgets ships no types
    """One examination, or the problem that came instead of it.

    The player shows the charts. Where it cannot, because the video is gone or too large to be
    copied, the same charts are drawn without it.

    Parameters
    ----------
    cache, run
        For what is compared: where it is found, and how work that takes time is run.
    notes
        The field for the user's own words.
    memory
        Where it is kept what the user called genuine.

    Attributes
    ----------
    selection
        Who, when and where is looked at.
    examination, copy
        What is shown, and the copy of its video that the player shows; or None.
    """

    def __init__(self, cache: Cache, run: Run, notes: Notes, memory: Memory) -> None:
        self._notes = notes
        self._checks: dict[tuple[str, str, str], figures.Check | None] = {}
        self._why_no_player: BaseException | None = None
        self._untie: Callable[[], None] = _nothing
        self.turns = threading.RLock()
        self.examination: Examination | None = None
        self.copy: DisplayCopy | None = None
        self.selection = Selection()
        self.selection.observe(lambda _change: self._on_selected_person(), "person")
        self.verdict = classed(ipywidgets.HTML(), "dz-verdict")
        self.truth = classed(ipywidgets.HTML(), "dz-truth")
        self.persons = classed(Buttons(options=[]), "dz-persons")
        self.persons.on_choose(self._on_person)
        self.player = Player()
        self.player.on_region(self._on_region)
        self.player.observe(lambda _change: self._on_marked(), "marked")
        self.no_player = classed(ipywidgets.HTML(), "dz-no-player")
        self.views = classed(Buttons(options=[(v, v) for v in VIEWS]), "dz-views")
        self.views.on_choose(lambda _view: self._on_view())
        self.words = classed(ipywidgets.HTML(), "dz-person")
        self.guide = ipywidgets.HTML()
        self.strip = KeyFrames(self.selection)
        self.not_judged = classed(ipywidgets.HTML(), "dz-notices")
        self.limits = classed(ipywidgets.HTML(), "dz-limits")
        self.ask = AskView(self.selection, self.turns, self._on_check)
        self.compare = Compare(
            cache,
            run,
            memory,
            self.selection,
            on_known=self._on_known,
            now_s=self._now_s,
            on_stage=self._on_stage,
        )
        self.charts = classed(Chart(), "dz-charts")
        self.numbers = classed(ipywidgets.HTML(), "dz-numbers")
        why = [self.words, self.guide, self.strip, self.not_judged, self.limits]
        self._panes = {
            "why": ipywidgets.VBox(why),
            "ask": self.ask,
            "compare": self.compare,
            "numbers": ipywidgets.VBox([self.charts, self.numbers]),
            "notes": notes,
        }
        above = [self.verdict, self.truth, self.persons, self.no_player, self.player, self.views]
        super().__init__([*above, *self._panes.values()])
        self.add_class("dz-result")
        self.hide()

    @property
    def report(self) -> Report | None:
        """The report that is shown, or None."""
        return self.examination.report if self.examination else None

    @property
    def person(self) -> str | None:
        """Whose evidence is shown, or None."""
        return str(self.selection.person) or None

    @property
    def view(self) -> str:
        """Which view is shown."""
        return str(self.views.value)

    def asked(self) -> list[str]:
        """Return what was asked of this result and answered, as sentences."""
        return [*self.compare.lines, *self.ask.answered()]

    # -- what is shown; safe in a worker thread: nothing here makes a widget

    @synchronized
    def hide(self) -> None:
        """Show nothing."""
        self._turn_to(None)
        self.verdict.value = ""
        self.layout.display = "none"

    @synchronized
    def fail(self, error: BaseException) -> None:
        """Show a problem instead of a result."""
        self.hide()
        self.verdict.value = fragments.problem(error)
        self._show_only(self.verdict)

    @synchronized
    def show(self, examination: Examination) -> None:
        """Show an examination, at first without the player."""
        self._turn_to(examination)
        self._offer_view("why")
        self._fill()
        self._show_only(self.verdict, self.truth, self.views)
        self._show_view()

    def _turn_to(self, examination: Examination | None) -> None:
        """Take up another result, or none: what was selected in the last one is not meant here."""
        self._untie()
        self._untie = _nothing
        self.ask.clear()
        self.examination, self.copy, self._why_no_player = examination, None, None
        people = self._people()
        decisive = self.report.decisive if self.report else None
        self.selection.people = tuple(people)
        with self.selection.hold_trait_notifications():
            self.selection.region, self.selection.row = "", -1
            self.selection.person = decisive or (people[0] if people else "")

    @synchronized
    def play(self, copy: DisplayCopy, *, frame: int = -1, person: str = "") -> None:
        """Show the player with a copy of the video."""
        from toolkit.player import Scene

        assert self.examination is not None
        scene = Scene.of(self.examination.report, copy, crops=self.examination.crops)
        first = frame if 0 <= frame < len(copy.pts) else _first_frame(self._track(), copy)
        with self.player.hold_sync():  # in one message: the browser must not answer in between
            self.player.show(scene)
            self.player.region = ""
            if person in scene.persons:
                self.player.person = person
            self.player.frame = first
        self.copy = copy
        self._untie()
        self._untie = self.selection.tie(self.player)
        self.ask.stand_beside(player=True)
        self._fill()
        self._show_view()

    @synchronized
    def show_without_player(self, error: BaseException) -> None:
        """Show the charts without the player, and why there is none."""
        self._why_no_player = error
        self._fill()
        self._show_view()

    @synchronized
    def choose(self, *, person: str = "", view: str = "") -> None:
        """Look at a person and a view, as far as they are there."""
        if person in self._people():
            self.selection.person = person
        if view in dict(self.views.options).values():
            self.views.value = view

    @synchronized
    def retranslate(self) -> None:
        """Say everything again in the language in use."""
        self._notes.retranslate()
        self.compare.retranslate()
        self.player.retranslate()
        self.ask.retranslate()
        if self.examination is not None:
            self._fill()
            self._show_view()

    def _fill(self) -> None:
        """Put the result into words, in the language in use."""
        report = self.report
        assert report is not None
        self._show_verdict(report)
        self.truth.value = fragments.planted(report)
        self.not_judged.value = fragments.notes(report)
        self.limits.value = fragments.limits(report)
        error = self._why_no_player
        self.no_player.value = fragments.no_player(error) if error else ""
        self._offer_view(self.view)
        self._fill_person()

    def _show_verdict(self, report: Report) -> None:
        """Show the answer, with what the second witness said of it, if it was asked."""
        check = self._checks.get(_check_key(report, report.decisive or ""))
        self.verdict.value = fragments.verdict(report, check)
        mark = self.player.add_class if check == "contested" else self.player.remove_class
        mark("dz-contested")

    @synchronized
    def _on_check(self, person: str, check: figures.Check | None) -> None:
        """Keep what the second witness says of an explanation, and say it beside the verdict."""
        if self.report is not None:
            self._checks[_check_key(self.report, person)] = check
            self._show_verdict(self.report)

    def _fill_person(self) -> None:
        result = self._track()
        names = [(_("Person {person}").format(person=p), p) for p in self._people()]
        self.persons.offer(names, self.person)
        self.strip.show(result)
        self.compare.show(self.examination, self.copy)
        if result is None or self.report is None:
            self.words.value = self.guide.value = self.numbers.value = ""
            return
        self.words.value = fragments.person(result)
        self.guide.value = fragments.guide(result)
        self.numbers.value = fragments.numbers(result)
        if self.charts.figure is not None:
            self.charts.draw(figures.overview(result))

    def _offer_view(self, view: str) -> None:
        """Offer the views that there are, in the language in use, and show one of them."""
        possible = {"why", "notes"}
        if self._track() is not None:
            possible |= {"ask"} if self.copy is None else {"ask", "compare"}
            possible |= {"numbers"} if self._why_no_player else set()
        options = [(_view_name(v), v) for v in VIEWS if v in possible]
        self.views.offer(options, view if view in possible else "why")

    def _show_only(self, *shown: Any) -> None:
        for child in self.children:
            child.layout.display = None if child in shown else "none"
        self.layout.display = None

    def _show_view(self) -> None:
        shown = [self.verdict, self.truth, self.views, self._panes[self.view]]
        has_pair = self.view == "compare" and self.compare.has_pair  # then two players stand there
        if self.copy is not None and not has_pair:
            shown.append(self.player)
        elif self._why_no_player is not None:
            shown.append(self.no_player)
            if len(self._people()) > 1:
                shown.append(self.persons)
        self._show_only(*shown)
        self.player.offer_marking(self.compare.marked if self.view == "compare" else None)

    def _now_s(self) -> float | None:
        """Return the second that the player shows."""
        copy = self.copy
        return None if copy is None else float(copy.pts[self.player.frame]) + copy.start_s

    def _on_stage(self) -> None:
        if self.examination is not None and self.view == "compare":
            self._show_view()

    def _people(self) -> list[str]:
        return [r.track.person for r in self.report.tracks] if self.report else []

    def _track(self) -> TrackResult | None:
        tracks = self.report.tracks if self.report else ()
        return next((r for r in tracks if r.track.person == self.person), None)

    # -- what the user does; here widgets may be made

    def _on_person(self, person: str | None) -> None:
        self.selection.person = person or ""

    @synchronized
    def _on_selected_person(self) -> None:
        if self.examination is not None:
            self._fill_person()

    def _on_view(self) -> None:
        self._show_view()
        if self.view == "ask" and self.examination is not None:
            self.ask.enter(self.examination, beside_player=self.copy is not None)
        else:
            self.ask.leave()
        result = self._track()
        if self.view == "numbers" and result is not None:
            self.charts.draw(figures.overview(result))

    def _on_region(self, asked: RegionAsked) -> None:
        """Answer a click into the face with what happens when that region is replaced."""
        self.selection.person, self.selection.region = asked.person, asked.region
        self.views.value = "ask"
        self.ask.replace(asked.region)

    @synchronized
    def _on_marked(self) -> None:
        """Take seconds that were dragged over on the lane; what was shown there is no news."""
        marked = list(self.player.marked)
        if self.player.marking and marked and marked != self.compare.marked:
            self.compare.take_marked(*marked)

    @synchronized
    def _on_known(self, known: Known | None) -> None:
        """Let the second witness use what the user called genuine when comparing."""
        if known is None or known.examination is self.examination:  # else a result came meanwhile
            self.ask.know(known)


def _nothing() -> None:
    """Untie what was not tied."""


def _check_key(report: Report, person: str) -> tuple[str, str, str]:
    weights = str(report.settings.get("detector", {}).get("weights_sha256"))
    return report.video.sha256, weights, person


def _view_name(view: str) -> str:
    return {
        "why": _("Why"),
        "ask": _("Ask"),
        "compare": _("Compare"),
        "numbers": _("Charts and numbers"),
        "notes": _("My notes"),
    }[view]


def _first_frame(result: TrackResult | None, copy: DisplayCopy) -> int:
    """Return the frame to begin with: the strongest key frame of who is called forged."""
    if result is None or not result.key_frames or not result.verdict.is_fake:
        return 0
    rows = (k.position for k in result.key_frames)
    strongest = max(rows, key=result.logit_at)
    return copy.frame_of(int(result.track.indices[strongest])) or 0
