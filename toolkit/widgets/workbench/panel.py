"""The panel of the workbench notebook: choose a video, analyse it, read why.

It only shows and schedules: the work is `toolkit.analysis.pipeline.examine`, the words and charts
are `toolkit.figures`, the files it saves are `toolkit.report`. Whatever it shows, one call of those
returns too: after a run, `Workbench.report` holds the result.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import ipywidgets
import traitlets

from toolkit import _i18n, figures
from toolkit._i18n import _
from toolkit.errors import Cancelled, ToolkitError, UsageError
from toolkit.jobs import STAGE_WEIGHTS, Job
from toolkit.media import show_name
from toolkit.storage.cache import Cache, runs_folder
from toolkit.types import Report, Tick
from toolkit.widgets import html as fragments
from toolkit.widgets.saved import Saved, pages
from toolkit.widgets.status import Status, duration
from toolkit.widgets.styling import classed
from toolkit.widgets.workbench import saving
from toolkit.widgets.workbench.chooser import Asked, Chooser
from toolkit.widgets.workbench.gallery import Gallery
from toolkit.widgets.workbench.notes import Notes
from toolkit.widgets.workbench.result import Result
from toolkit.widgets.workbench.state import Memory, Position

if TYPE_CHECKING:
    from toolkit.analysis.pipeline import Partial
    from toolkit.types import Examination

_WEIGHTS = {**STAGE_WEIGHTS, "display": 60.0}  # measured: a copy takes half as long as the rest

EXAMPLE = "planted_cap12"
"""The sample that is shown to whoever opens the panel for the first time."""

STATES = ("idle", "running", "done", "cancelled", "error")


class Examined(Protocol):
    """What holds an examination: `toolkit.Analysis`."""

    @property
    def examination(self) -> Examination:
        """The report with the faces that were judged."""


class Workbench(ipywidgets.VBox):  # type: ignore[misc]  # ipywidgets ships no types
    """Panel that analyses a video in the background and shows what drove the verdict.

    Parameters
    ----------
    analysis
        What `toolkit.analyse` or `toolkit.open_analysis` returned, to be shown at once; None = be
        as the panel was the last time.
    examine
        What does the work; None = `toolkit.analysis.pipeline.examine`, imported when first needed.
    runs
        Folder for saved reports, uploads, kept results and what the panel remembers; None =
        `cache.runs_folder`: ``runs`` in the project's folder.

    Attributes
    ----------
    state
        One of `STATES`; also a CSS class ``dz-state-...`` of the panel.
    report, examination
        The result on screen, without and with the faces that were judged; or None.
    error
        What the last run raised, or None.
    """

    state = traitlets.Enum(STATES, "idle")

    def __init__(
        self,
        analysis: Examined | None = None,
        *,
        examine: Callable[..., Examination] | None = None,
        runs: Path | None = None,
    ) -> None:
        self._do_examine = examine or _examine
        self._runs = runs or runs_folder()
        self._cache = Cache(self._runs / "cache")
        self._memory = Memory(self._runs / "workbench")
        self._job: Job[Any] | None = None
        self._seconds_left: float | None = None
        self._stage = ""
        self._partial: Partial | None = None
        self._is_restoring, self._is_folded, self._reveals = True, False, False
        self.error: BaseException | None = None
        position = self._memory.read()
        if position.language:
            _i18n.set_language(position.language)
        self._make_controls()
        super().__init__(
            [
                self._top,
                self._start,
                self._run,
                self._status,
                self._remark,
                self._live,
                self._result,
                self._save_row,
            ]
        )
        self.add_class("dz-workbench")
        self.add_class("dz-state-idle")
        self.observe(self._mirror_state, "state")
        self._say_everything()
        self._fold(folded=False)
        if analysis is None:
            self._restore(position)  # goes on in another thread
        else:
            self._show_analysis(analysis.examination)
        self._is_restoring = False

    def __repr__(self) -> str:
        """Return a line; ipywidgets' own would print the key frames into the notebook."""
        return f"Workbench(state={self.state!r})"

    @property
    def examination(self) -> Examination | None:
        """The result on screen with the faces that were judged, or None."""
        return self._result.examination

    @property
    def report(self) -> Report | None:
        """The result on screen, or None."""
        return self._result.report

    # -- what it is made of

    def _make_controls(self) -> None:
        self._language = classed(
            ipywidgets.ToggleButtons(
                options=[("English", "en"), ("Nederlands", "nl")],
                value=_i18n.language(),
                style={"button_width": "auto"},
            ),
            "dz-language",
        )
        self._language.observe(self._on_language, "value")
        self._heading = ipywidgets.HTML()
        self._change = classed(ipywidgets.Button(layout={"width": "auto"}), "dz-change")
        self._change.on_click(lambda _button: self._fold(folded=False))
        self._top = classed(
            ipywidgets.HBox(
                [self._heading, self._change, self._language],
                layout={"flex_flow": "row wrap", "align_items": "center"},
            ),
            "dz-top",
        )
        self._choose = Chooser(self._runs / "uploads", self._remember, self.start)
        self._gallery = Gallery(self._cache, self.reopen)
        self._start = classed(ipywidgets.Box([self._choose, self._gallery]), "dz-start")
        self._analyse = classed(ipywidgets.Button(button_style="primary"), "dz-analyse")
        self._analyse.on_click(lambda _button: self.start())
        self._example = classed(ipywidgets.Button(layout={"width": "auto"}), "dz-example")
        self._example.on_click(lambda _button: self.show_example())
        self._cancel = classed(ipywidgets.Button(disabled=True), "dz-cancel")
        self._cancel.on_click(lambda _button: self.cancel())
        self._bar = classed(
            ipywidgets.FloatProgress(max=1, layout={"width": "260px", "display": "none"}),
            "dz-progress",
        )
        self._run = ipywidgets.HBox(
            [self._analyse, self._example, self._cancel, self._bar],
            layout={"flex_flow": "row wrap"},
        )
        self._status = classed(Status(), "dz-status")
        self._remark = classed(ipywidgets.HTML(layout={"display": "none"}), "dz-remark")
        self._live = classed(ipywidgets.HTML(layout={"display": "none"}), "dz-live")
        self._notes = Notes(self._memory)
        self._result = Result(
            self._cache, self._run_aside, self._notes, self._memory, on_move=self._remember
        )
        self._save = classed(ipywidgets.Button(layout={"width": "auto"}), "dz-save")
        self._save.on_click(lambda _button: self.save())
        self._saved = classed(Saved(), "dz-saved")
        self._not_saved = ipywidgets.HTML()
        self._save_row = ipywidgets.HBox(
            [self._save, self._not_saved, self._saved],
            layout={"flex_flow": "row wrap", "display": "none"},
        )

    # -- what the user may do

    def start(self) -> None:
        """Analyse what is chosen, in the background. Does nothing while a run is under way."""
        if self.state == "running":
            return
        self._clear()
        try:
            asked = self._choose.asked()
        except ToolkitError as error:
            self._fail(error)
            return
        self._remember()
        self._reveals = True
        self._begin(lambda tick: self._work(asked, tick), self._end)

    def show_example(self) -> None:
        """Analyse the planted sample, for which the right answer is known."""
        self._choose.choose(EXAMPLE, is_path=False, detector="seamnet", frames=0)
        self.start()

    def cancel(self) -> None:
        """Ask the run to stop; the panel says when it has."""
        if self._job is not None and self.state == "running":
            self._job.cancel()
            self._cancel.disabled = True
            self._status.text = _("Stopping …")

    def _show_analysis(self, examination: Examination) -> None:
        """Show what was analysed elsewhere; the player is prepared in another thread."""
        self._clear()
        self._arrive(examination)
        self._begin(lambda tick: self._copy(examination, tick, Position()), self._end)

    def reopen(self, entry: str) -> None:
        """Show a kept result again. Does nothing while a run is under way."""
        if self.state == "running":
            return
        self._reveals = True
        self._open(Position(entry=entry))

    def _open(self, position: Position) -> None:
        """Show a kept result as it was looked at."""
        from toolkit.analysis import pipeline as analysis

        found = analysis.reopen(self._cache, position.entry)
        if found is None:
            self._gallery.refresh()
            self._say_remark(_("This result is no longer kept. Analyse the clip again."))
            return
        self._clear()
        self._arrive(found)
        self._result.choose(person=position.person)
        self._begin(lambda tick: self._copy(found, tick, position), self._end)

    def save(self) -> Path | None:
        """Write the report into a new folder, as data and as pages; return the folder."""
        if self.examination is None:
            return None
        stamp = time.strftime("%Y%m%d-%H%M%S")
        try:
            folder = saving.save(
                self.examination,
                self._runs,
                stamp=stamp,
                copy=self._result.copy,
                notes=self._notes.text,
                asked=self._result.asked(),
            )
        except OSError as error:
            self._not_saved.value = fragments.problem(error)
            self._saved.hide()
            return None
        self._not_saved.value = ""
        self._saved.show(folder, pages(folder, "report.html", "player.html", "report.json"))
        return folder

    def _clear(self) -> None:
        """Take what was shown off the screen."""
        self.error = None
        self._fold(folded=False)
        self._result.hide()
        self._save_row.layout.display = "none"
        self._saved.hide()
        self._not_saved.value = ""
        self._say_remark("")
        self._stage, self._seconds_left, self._partial = "", None, None
        self._live.layout.display, self._live.value = "none", ""
        self._bar.value = 0
        self._gallery.current = ""

    # -- what happens meanwhile; these run in the worker thread, set traits and make no widgets

    def _begin(self, work: Callable[[Tick], Any], end: Callable[[Job[Any]], None]) -> None:
        self.state = "running"
        self._job = Job(work, on_update=self._on_update, on_end=end, weights=_WEIGHTS)
        self._job.start()

    def _run_aside(self, work: Callable[[Tick], Any], then: Callable[[Any], None]) -> None:
        """Run work for something beside the result, which stays on screen."""
        if self.state == "running":
            return

        def end(job: Job[Any]) -> None:
            if job.error is None:
                then(job.result)
            elif not job.is_cancelled:
                self._say_remark(fragments.sentence(job.error))
            self.state = "done"

        self._begin(work, end)

    def _work(self, asked: Asked, tick: Tick) -> None:
        examination = self._do_examine(
            asked.video,
            detector=asked.detector,
            sampling=asked.sampling,
            cache=self._cache,
            on_partial=self._on_partial,
            tick=tick,
        )
        self._arrive(examination)
        self._copy(examination, tick, Position())

    def _copy(self, examination: Examination, tick: Tick, position: Position) -> None:
        """Prepare what the player shows; a verdict does not depend on it."""
        from toolkit.analysis import cached

        try:
            copy = cached.display_copy(self._cache, examination.report.video, tick=tick)
        except (ToolkitError, OSError) as error:
            if isinstance(error, Cancelled):
                raise
            self._result.no_play(error)
        else:
            self._result.play(copy, frame=position.frame, person=position.person)

    def _on_partial(self, partial: Partial) -> None:
        self._partial = partial
        self._say_partial()

    def _on_update(self, stage: str, _done: int, _total: int, seconds_left: float | None) -> None:
        self._stage, self._seconds_left = stage, seconds_left
        self._bar.value = self._job.fraction if self._job else 0
        if not self._cancel.disabled:  # else it says that it is stopping
            self._say_progress()

    def _end(self, job: Job[None]) -> None:
        self._live.layout.display = "none"
        if self.examination is not None and job.is_cancelled:
            self._result.no_play(UsageError("its preparation was stopped"))
            self.state = "done"
        elif job.is_cancelled:
            self.state = "cancelled"
        elif job.error is not None:
            self._fail(job.error)
        else:
            self._remember()  # before anybody who waits for the end can ask for it
            self.state = "done"

    def _arrive(self, examination: Examination) -> None:
        """Show a result."""
        self._live.layout.display = "none"
        self._notes.about(examination.report.video.sha256)
        self._result.show(examination)
        self._save_row.layout.display = None
        self._gallery.current = examination.entry or ""
        self._gallery.refresh()
        self._choose.follow(examination.report)
        self._fold(folded=True)
        if (
            self._reveals
        ):  # who asked for it looks at the answer; a restored panel stays where it is
            self._reveals = False
            self._status.reveal += 1

    def _fold(self, *, folded: bool) -> None:
        """Fold the form to one line beside the language, or show it again."""
        self._is_folded = folded
        self._start.layout.display = "none" if folded else None
        self._change.layout.display = None if folded else "none"
        self._show_run()
        self._say_heading()

    def _show_run(self) -> None:
        """Show the row of buttons and progress while there is something to start or to stop."""
        is_shown = self.state == "running" or not self._is_folded
        self._run.layout.display = None if is_shown else "none"
        is_new = not self._is_folded and not self._gallery.count
        self._example.layout.display = None if is_new else "none"

    def _fail(self, error: BaseException) -> None:
        self.error = error
        self._result.fail(error)
        self._save_row.layout.display = "none"
        self._fold(folded=False)
        self.state = "error"
        self._say_state()  # also when the state was 'error' before

    # -- what it remembers

    def _remember(self) -> None:
        if self._is_restoring:
            return
        video, is_path = self._choose.video
        self._memory.write(
            Position(
                language=_i18n.language(),
                video=video,
                is_path=is_path,
                detector=str(self._choose.detector.value),
                frames=int(self._choose.frames.value),
                entry=self._gallery.current,
                person=self._result.person or "",
                frame=int(self._result.player.frame) if self._result.copy else -1,
                view=self._result.view,
            )
        )

    def _restore(self, position: Position) -> None:
        """Be as the panel was before the kernel stopped, as far as that is still there."""
        if position.video:
            self._choose.choose(
                position.video,
                is_path=position.is_path,
                detector=position.detector,
                frames=position.frames,
            )
        if self._memory.set_aside is not None:
            text = _("What the panel remembered could not be read. It was set aside as {file}.")
            self._say_remark(text.format(file=self._memory.set_aside))
        if position.entry:
            self._open(position)
            self._result.choose(view=position.view)

    # -- what it says

    def _mirror_state(self, change: Any) -> None:
        self.remove_class(f"dz-state-{change['old']}")
        running = change["new"] == "running"
        self._analyse.disabled, self._cancel.disabled = running, not running
        self._example.disabled = running
        self._show_run()
        self._bar.layout.display = None if running else "none"
        self._say_state()
        self.add_class(f"dz-state-{change['new']}")

    def _say_state(self) -> None:
        self._status.text = {
            "idle": _("Choose a video and press Analyse. Everything stays on this computer."),
            "running": _("Starting …"),
            "done": _("Done."),
            "cancelled": _("Cancelled."),
            "error": _("This did not work."),
        }[self.state]
        if self.state == "error" and self.error is not None:
            self._result.fail(self.error)
        elif self.state == "running" and self._stage:
            self._say_progress()

    def _say_progress(self) -> None:
        stage = _("preparing the player") if self._stage == "display" else ""
        stage = stage or figures.stage_name(self._stage)
        if self._seconds_left is None:
            self._status.text = _("Now {stage} …").format(stage=stage)
        else:
            left = duration(self._seconds_left)
            self._status.text = _("Now {stage} … about {left} left").format(stage=stage, left=left)

    def _say_partial(self) -> None:
        if self._partial is not None:
            from toolkit.widgets.workbench import live

            self._live.value = live.so_far(self._partial)
            self._live.layout.display = None

    def _say_remark(self, text: str) -> None:
        self._remark.value = f'<p class="dz-note" role="status">{escape(text)}</p>' if text else ""
        self._remark.layout.display = None if text else "none"

    def _say_heading(self) -> None:
        report = self._result.report if self._is_folded else None
        if report is None:
            heading = _("What does a detector see in a video?")
        else:
            heading = show_name(report.video.path)
        self._heading.value = f"<h2>{escape(heading)}</h2>"

    def _say_everything(self) -> None:
        """Say all of the panel in the language in use."""
        self._say_heading()
        self._change.description = _("Choose another video")
        self._example.description = _("Show me with the sample")
        self._example.tooltip = _("A clip in which our own code forged a known part of the face")
        self._language.tooltips = [_("Show everything in English"), _("Show everything in Dutch")]
        self._choose.say()
        self._gallery.refresh()
        self._analyse.description = _("Analyse")
        self._cancel.description = _("Cancel")
        self._save.description = _("Save report")
        self._saved.say()
        self._result.say()
        self._say_state()
        if self.state == "running":
            self._say_partial()
        self._status.lang = _i18n.language()  # now that all of it is said

    def _on_language(self, change: Any) -> None:
        _i18n.set_language(change["new"])
        self._say_everything()
        self._remember()


def _examine(video: Path, **options: Any) -> Examination:
    """Load the analysis when it is first needed: torch takes seconds, and the panel must not."""
    from toolkit.analysis.pipeline import examine

    return examine(video, **options)
