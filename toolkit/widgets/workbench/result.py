"""The result on screen: the verdict, the player, and what lies behind them in several views."""

from __future__ import annotations

import threading
from collections.abc import Callable
from html import escape
from typing import TYPE_CHECKING, Any

import ipywidgets

from toolkit import figures
from toolkit._i18n import _
from toolkit.storage.cache import Cache
from toolkit.types import Report, TrackResult
from toolkit.widgets import html as fragments
from toolkit.widgets.player import Player, RegionAsked
from toolkit.widgets.styling import classed
from toolkit.widgets.turns import in_turn
from toolkit.widgets.workbench.compare import Compare, Known, Run
from toolkit.widgets.workbench.keyframes import KeyFrames
from toolkit.widgets.workbench.notes import Notes
from toolkit.widgets.workbench.state import Memory

if TYPE_CHECKING:
    from toolkit.media.display import DisplayCopy
    from toolkit.types import Examination
    from toolkit.widgets.workbench.explain import Inquiry

VIEWS = ("why", "ask", "compare", "numbers", "notes")
"""What can be shown below the player, in this order."""


class Result(ipywidgets.VBox):  # type: ignore[misc]  # ipywidgets ships no types
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
    on_move
        Called when another person, moment or view is looked at.

    Attributes
    ----------
    examination, copy
        What is shown, and the copy of its video that the player shows; or None.
    person
        Whose evidence is shown.
    """

    def __init__(
        self,
        cache: Cache,
        run: Run,
        notes: Notes,
        memory: Memory,
        *,
        on_move: Callable[[], None],
    ) -> None:
        self._on_move, self._notes = on_move, notes
        self._chart: Any = None
        self._inquiry: Inquiry | None = None
        self._known: Known | None = None
        self._checks: dict[tuple[str, str, str], figures.Check | None] = {}
        self.examination: Examination | None = None
        self.copy: DisplayCopy | None = None
        self.turns = threading.RLock()
        self.person: str | None = None
        self._why_no_player: BaseException | None = None
        self.verdict = classed(ipywidgets.HTML(), "dz-verdict")
        self.truth = classed(ipywidgets.HTML(), "dz-truth")
        self.persons = classed(
            ipywidgets.ToggleButtons(options=[], style={"button_width": "auto"}), "dz-persons"
        )
        self.persons.observe(self._on_person, "value")
        self.player = Player()
        self.player.observe(self._on_player, ["person", "position", "region"])
        self.player.on_region(self._on_region)
        self.no_player = classed(ipywidgets.HTML(), "dz-no-player")
        self.views = classed(
            ipywidgets.ToggleButtons(
                options=[(v, v) for v in VIEWS], style={"button_width": "auto"}
            ),
            "dz-views",
        )
        self.views.observe(self._on_view, "value")
        self.words = classed(ipywidgets.HTML(), "dz-person")
        self.guide = ipywidgets.HTML()
        self.strip = KeyFrames(self._on_key_frame)
        self.not_judged = classed(ipywidgets.HTML(), "dz-notices")
        self.limits = classed(ipywidgets.HTML(), "dz-limits")
        self.ask = classed(ipywidgets.VBox(), "dz-ask")
        self.compare = Compare(
            cache,
            run,
            memory,
            on_known=self._on_known,
            now_s=self._now_s,
            on_stage=self._on_stage,
        )
        self.charts = classed(ipywidgets.VBox(), "dz-charts")
        self.numbers = classed(ipywidgets.HTML(), "dz-numbers")
        self._panes = {
            "why": ipywidgets.VBox(
                [
                    self.words,
                    self.guide,
                    self.strip,
                    self.not_judged,
                    self.limits,
                ]
            ),
            "ask": self.ask,
            "compare": self.compare,
            "numbers": ipywidgets.VBox([self.charts, self.numbers]),
            "notes": notes,
        }
        super().__init__(
            [
                self.verdict,
                self.truth,
                self.persons,
                self.no_player,
                self.player,
                self.views,
                *self._panes.values(),
            ]
        )
        self.add_class("dz-result")
        self.hide()

    @property
    def report(self) -> Report | None:
        """The report that is shown, or None."""
        return self.examination.report if self.examination else None

    def asked(self) -> list[str]:
        """Return what was asked of this result and answered, as sentences."""
        lines = list(self.compare.lines)
        if self._inquiry is not None and self._inquiry.examination is self.examination:
            lines += self._inquiry.answered()
        return lines

    @property
    def view(self) -> str:
        """Which view is shown."""
        return str(self.views.value)

    # -- what is shown; safe in a worker thread: nothing here makes a widget

    @in_turn
    def hide(self) -> None:
        """Show nothing."""
        self.examination = self.copy = self._why_no_player = None
        self.verdict.value = ""
        self.layout.display = "none"

    @in_turn
    def fail(self, error: BaseException) -> None:
        """Show a problem instead of a result."""
        self.hide()
        self.verdict.value = fragments.problem(error)
        self._show_only(self.verdict)

    @in_turn
    def show(self, examination: Examination) -> None:
        """Show an examination, at first without the player."""
        self.examination, self.copy, self._why_no_player = examination, None, None
        self.person = None
        self._select("why")
        self._fill()
        self._show_only(self.verdict, self.truth, self.views)
        self._show_view()

    @in_turn
    def play(self, copy: DisplayCopy, *, frame: int = -1, person: str = "") -> None:
        """Show the player with a copy of the video."""
        from toolkit.player import Scene

        assert self.examination is not None
        scene = Scene.of(self.examination.report, copy, crops=self.examination.crops)
        first = frame if 0 <= frame < len(copy.pts) else self._first_frame(copy)
        with self.player.hold_sync():  # in one message: the browser must not answer in between
            self.player.show(scene)
            self.player.region = ""  # what was chosen in another clip is not meant here
            if person in scene.persons:
                self.player.person = person
            self.player.frame = first
        self.copy = copy  # from here on what the player says counts
        self.strip.current = self.player.position
        if self.player.person:
            self.person = self.player.person
        self._fill()
        self._show_view()

    @in_turn
    def no_play(self, error: BaseException) -> None:
        """Show the charts without the player, and why there is none."""
        self._why_no_player = error
        self._fill()
        self._show_view()

    @in_turn
    def choose(self, *, person: str = "", view: str = "") -> None:
        """Look at a person and a view, as far as they are there."""
        if person in dict(self.persons.options).values():
            self.persons.value = person
        if view in dict(self.views.options).values():
            self.views.value = view

    @in_turn
    def say(self) -> None:
        """Say everything again in the language in use."""
        self._notes.say()
        self.compare.say()
        self.player.retranslate()
        if self._inquiry is not None:
            self._inquiry.say()
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
        people = [r.track.person for r in report.tracks]
        if self.person not in people:
            self.person = report.speaks or (people[0] if people else None)
        names = [(_("Person {person}").format(person=p), p) for p in people]
        self.persons.unobserve(self._on_person, "value")
        self.persons.options, self.persons.value = names, self.person
        self.persons.observe(self._on_person, "value")
        error = self._why_no_player
        self.no_player.value = fragments.no_player(error) if error else ""
        self._name_views()
        self._fill_person()

    def _show_verdict(self, report: Report) -> None:
        """Show the answer, with what the second witness said of it, if it was asked."""
        check = self._checks.get(self._check_key(report, report.speaks or ""))
        self.verdict.value = fragments.verdict(report, check)
        mark = self.player.add_class if check == "contested" else self.player.remove_class
        mark("dz-contested")

    @staticmethod
    def _check_key(report: Report, person: str) -> tuple[str, str, str]:
        weights = str(report.settings.get("detector", {}).get("weights_sha256"))
        return report.video.sha256, weights, person

    @in_turn
    def _on_check(self, person: str, check: figures.Check | None) -> None:
        """Keep what the second witness says of an explanation, and say it beside the verdict."""
        if self.report is not None:
            self._checks[self._check_key(self.report, person)] = check
            self._show_verdict(self.report)

    def _fill_person(self) -> None:
        result = self._track()
        self.strip.show(result)
        self.compare.show(self.examination, self.copy, self.person)
        if result is None or self.report is None:
            self.words.value = self.guide.value = self.numbers.value = ""
            return
        self.words.value = fragments.person(result)
        self.guide.value = fragments.guide(result)
        self.numbers.value = fragments.numbers(result)
        if self._chart is not None:
            self._draw(result)

    def _name_views(self) -> None:
        names = {
            "why": _("Why"),
            "ask": _("Ask"),
            "compare": _("Compare"),
            "numbers": _("Charts and numbers"),
            "notes": _("My notes"),
        }
        possible = {"why", "notes"}
        if self._track() is not None:
            possible |= {"ask"} if self.copy is None else {"ask", "compare"}
            possible |= {"numbers"} if self._why_no_player else set()
        chosen = self.view if self.view in possible else "why"
        self.views.unobserve(self._on_view, "value")
        self.views.options = [(names[v], v) for v in VIEWS if v in possible]
        self.views.value = chosen
        self.views.observe(self._on_view, "value")

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
            if len(self.persons.options) > 1:
                shown.append(self.persons)
        self._show_only(*shown)

    def _now_s(self) -> float | None:
        """Return the second that the player shows."""
        copy = self.copy
        return None if copy is None else float(copy.pts[self.player.frame]) + copy.start_s

    def _on_stage(self) -> None:
        if self.examination is not None and self.view == "compare":
            self._show_view()

    def _select(self, view: str) -> None:
        self.views.unobserve(self._on_view, "value")
        if view in dict(self.views.options).values():
            self.views.value = view
        self.views.observe(self._on_view, "value")

    def _track(self) -> TrackResult | None:
        tracks = self.report.tracks if self.report else ()
        return next((r for r in tracks if r.track.person == self.person), None)

    def _first_frame(self, copy: DisplayCopy) -> int:
        """Return the frame to begin with: the strongest key frame of who is called forged."""
        result = self._track()
        if result is None or not result.key_frames or not result.verdict.is_fake:
            return 0
        strongest = max(
            (k.position for k in result.key_frames), key=lambda p: result.evidence.logits[p]
        )
        return copy.frame_of(int(result.track.indices[strongest])) or 0

    # -- what the user does; here widgets may be made

    def _on_person(self, change: Any) -> None:
        if self.examination is not None and change["new"] not in {None, self.person}:
            self.person = change["new"]
            self.player.person = change["new"]
            self._fill_person()
            self._tell_inquiry()
            self._on_move()

    def _on_view(self, change: Any) -> None:
        if change["new"] is None:
            return
        self._show_view()
        if self.view == "numbers":
            self._make_chart()
        elif self.view == "ask":
            self._make_inquiry()
        self._on_move()

    def _on_player(self, change: Any) -> None:
        if self.examination is None or self.copy is None:
            return
        people = dict(self.persons.options).values()
        if change["name"] == "person" and change["new"] in people:
            self.persons.value = change["new"]  # and _on_person does the rest
        elif change["name"] == "position":
            self.strip.current = change["new"]
        self._tell_inquiry()
        self._on_move()

    def _on_region(self, asked: RegionAsked) -> None:
        """Answer a click into the face with what happens when that region is replaced."""
        self.player.person, self.player.region = asked.person, asked.region
        self.views.value = "ask"

    def _on_key_frame(self, position: int) -> None:
        self.strip.current = position
        result = self._track()
        if result is not None and self.copy is not None:
            frame = self.copy.frame_of(int(result.track.indices[position]))
            self.player.frame = frame if frame is not None else self.player.frame

    def _make_inquiry(self) -> None:
        if self._inquiry is None:
            text = _("Loading the detector …")
            self.ask.children = (ipywidgets.HTML(f'<p class="dz-note">{escape(text)}</p>'),)
            from toolkit.widgets.workbench.explain import Inquiry  # seconds, when the kernel is new

            self._inquiry = Inquiry(on_move=self._on_inquiry, on_check=self._on_check)
            self._inquiry.turns = self.turns  # one lock: two could wait for each other
        self._tell_inquiry()
        self._tell_known()
        self._inquiry.shown()
        self.ask.children = (self._inquiry,)

    @in_turn
    def _on_known(self, known: Known | None) -> None:
        """Let the second witness use what the user called genuine when comparing."""
        if known is None or known.examination is self.examination:  # else a result came meanwhile
            self._known = known
            self._tell_known()

    def _tell_known(self) -> None:
        inquiry, known = self._inquiry, self._known
        if inquiry is None or inquiry.examination is not self.examination:
            return
        if known is None:
            inquiry.know(inquiry.person, None)
        elif known.examination is self.examination:
            inquiry.know(known.person, known.faces)

    def _tell_inquiry(self) -> None:
        """Let the questions be about what the player shows."""
        inquiry, examination = self._inquiry, self.examination
        if inquiry is None or examination is None or self.view != "ask":
            return
        inquiry.stand_alone(alone=self.copy is None)
        if inquiry.examination is not examination:
            inquiry.show(examination, person=self.person or "")
        if self.person and inquiry.person != self.person:
            inquiry.person = self.person
        if self.copy is not None and self.player.position >= 0:
            inquiry.position = self.player.position
            inquiry.region = self.player.region

    def _on_inquiry(self, person: str, position: int, region: str) -> None:
        """Follow what the user looks at among the questions."""
        if self.copy is None:
            return
        if person != self.player.person:
            self.player.person = person
        self.player.region = region
        result = self._track()
        if result is not None and 0 <= position < len(result.track.indices):
            frame = self.copy.frame_of(int(result.track.indices[position]))
            self.player.frame = frame if frame is not None else self.player.frame

    def _make_chart(self) -> None:
        """Draw the charts; one Plotly widget serves all results, for each brings 5 MB along."""
        result = self._track()
        if result is None:
            return
        if self._chart is None:
            import plotly.graph_objects as go

            self._chart = go.FigureWidget(figures.overview(result))
            self._chart._config = {"responsive": True, "displaylogo": False}  # noqa: SLF001 - no public way
            self.charts.children = (self._chart,)
        else:
            self._draw(result)

    def _draw(self, result: TrackResult) -> None:
        figure = figures.overview(result)
        self._chart.data = ()
        self._chart.add_traces(figure.data)
        self._chart.layout = figure.layout
