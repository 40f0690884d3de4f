"""The panel of the workbench notebook: choose a video, analyse it, read why.

It only shows and schedules: the work is `toolkit.analysis.pipeline.examine`, the words and charts
are `toolkit.figures`, the files it saves are `toolkit.report`. Whatever it shows, one call of those
returns too: after a run, `Workbench.report` holds the result.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import ipywidgets
import traitlets

from toolkit import _i18n
from toolkit._i18n import _
from toolkit.errors import Cancelled, ToolkitError, UsageError
from toolkit.storage.cache import Cache, runs_folder
from toolkit.types import Report, Tick
from toolkit.widgets import html as fragments
from toolkit.widgets.one_job import RunsOneJob
from toolkit.widgets.status import StatusLine
from toolkit.widgets.styling import classed
from toolkit.widgets.workbench import saving
from toolkit.widgets.workbench.chooser import AnalysisRequest
from toolkit.widgets.workbench.form import Remark, WorkbenchForm
from toolkit.widgets.workbench.live import LiveView
from toolkit.widgets.workbench.notes import Notes
from toolkit.widgets.workbench.result import ResultPanel
from toolkit.widgets.workbench.saving import SaveRow
from toolkit.widgets.workbench.state import Memory, Position

if TYPE_CHECKING:
    from toolkit.types import Examination


class Examined(Protocol):
    """What holds an examination: `toolkit.Analysis`."""

    @property
    def examination(self) -> Examination:
        """The report with the faces that were judged."""


class Workbench(RunsOneJob, ipywidgets.VBox):  # type: ignore[misc]  # ipywidgets ships no types
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
    """

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
        self._is_restoring, self._reveals = True, False
        position = self._memory.read()
        if position.language:
            _i18n.set_language(position.language)
        self._make_controls()
        super().__init__(
            [
                self._form.top,
                self._form.box,
                self._run,
                self._status,
                self._remark,
                self._live,
                self._result,
                self._saving,
            ]
        )
        self.add_class("dz-workbench")
        self._run.show_state(self, "dz-state")
        self._say_everything()
        self._form.fold(None)
        if analysis is None:
            self._restore(position)  # goes on in another thread
        else:
            self._show_analysis(analysis.examination)
        self._is_restoring = False

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
        self._form = WorkbenchForm(
            self._cache,
            self._runs / "uploads",
            start=self.start,
            reopen=self.reopen,
            on_choice=self._remember,
            on_language=self._on_language,
        )
        self._run, self._choose = self._form.run, self._form.choose
        self._gallery = self._form.gallery
        self._status = classed(StatusLine(), "dz-status")
        traitlets.dlink((self._run, "text"), (self._status, "text"))
        self._remark = Remark()
        self._live = LiveView()
        self._notes = Notes(self._memory)
        self._result = ResultPanel(self._cache, self._run_aside, self._notes, self._memory)
        self._result.selection.observe(lambda _change: self._on_looked())
        self._result.views.on_choose(lambda _view: self._on_looked())
        self._saving = SaveRow(self._write)

    # -- what the user may do

    def start(self) -> None:
        """Analyse what is chosen, in the background. Does nothing while a run is under way."""
        if self.state == "running":
            return
        self._clear()
        try:
            asked = self._choose.asked()
        except ToolkitError as error:
            self._show_problem(error)
            self._run.fail(error)
            return
        self._remember()
        self._reveals = True
        self._begin(lambda tick: self._work(asked, tick))

    def show_example(self) -> None:
        """Analyse the planted sample, for which the right answer is known."""
        self._form.show_example()

    def _show_analysis(self, examination: Examination) -> None:
        """Show what was analysed elsewhere; the player is prepared in another thread."""
        self._clear()
        self._arrive(examination)
        self._begin(lambda tick: self._copy(examination, tick, Position()))

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
            self._remark.retranslate(_("This result is no longer kept. Analyse the clip again."))
            return
        self._clear()
        self._arrive(found)
        self._result.choose(person=position.person)
        self._begin(lambda tick: self._copy(found, tick, position))

    def save(self) -> Path | None:
        """Write the report into a new folder, as data and as pages; return the folder."""
        return self._saving.save()

    def _write(self, stamp: str) -> Path | None:
        if self.examination is None:
            return None
        return saving.save(
            self.examination,
            self._runs,
            stamp=stamp,
            copy=self._result.copy,
            notes=self._notes.text,
            asked=self._result.asked(),
        )

    def _clear(self) -> None:
        """Take what was shown off the screen."""
        self._run.forget()
        self._form.fold(None)
        self._result.hide()
        self._saving.offer(can_save=False)
        self._remark.retranslate("")
        self._live.show(None)
        self._gallery.current = ""

    # -- what happens meanwhile; these run in the worker thread, set traits and make no widgets

    def _begin(self, work: Callable[[Tick], Any]) -> None:
        """Run what brings a result."""
        self._run.start(work, lambda _result: self._end(), handle=self._handle)

    def _run_aside(self, work: Callable[[Tick], Any], then: Callable[[Any], None]) -> None:
        """Run work for something beside the result, which stays on screen."""

        def handle(error: BaseException) -> bool:
            if not isinstance(error, Cancelled):
                self._remark.retranslate(fragments.sentence(error))
            return True

        self._run.start(work, then, handle=handle)

    def _work(self, asked: AnalysisRequest, tick: Tick) -> None:
        examination = self._do_examine(
            asked.video,
            detector=asked.detector,
            sampling=asked.sampling,
            cache=self._cache,
            on_partial=self._live.show,
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
            self._result.show_without_player(error)
        else:
            self._result.play(copy, frame=position.frame, person=position.person)

    def _end(self) -> None:
        self._live.show(None)
        self._remember()  # before anybody who waits for the end can ask for it

    def _handle(self, error: BaseException) -> bool:
        """Say what stopped a run; a verdict that is there already stays."""
        self._live.show(None)
        if isinstance(error, Cancelled):
            if self.examination is None:
                return False
            self._result.show_without_player(UsageError("its preparation was stopped"))
            return True
        self._show_problem(error)
        return False

    def _arrive(self, examination: Examination) -> None:
        """Show a result."""
        self._live.show(None)
        self._notes.about(examination.report.video.sha256)
        self._result.show(examination)
        self._saving.offer(can_save=True)
        self._gallery.current = examination.entry or ""
        self._gallery.refresh()
        self._choose.follow(examination.report)
        self._form.fold(examination.report)
        if self._reveals:  # who asked for it looks at the answer; a restored panel stays there
            self._reveals = False
            self._status.reveal += 1

    def _show_problem(self, error: BaseException) -> None:
        self._result.fail(error)
        self._saving.offer(can_save=False)
        self._form.fold(None)

    # -- what it remembers

    def _on_looked(self) -> None:
        """Remember what is looked at; while a result is put on screen, nobody looks yet."""
        if self.state != "running" and self._gallery.current:
            self._remember()

    def _remember(self) -> None:
        if self._is_restoring:
            return
        position = replace(
            self._form.position,
            person=self._result.person or "",
            frame=int(self._result.player.frame) if self._result.copy else -1,
            view=self._result.view,
        )
        self._memory.write(position)

    def _restore(self, position: Position) -> None:
        """Be as the panel was before the kernel stopped, as far as that is still there."""
        self._form.restore(position)
        if self._memory.set_aside is not None:
            text = _("What the panel remembered could not be read. It was set aside as {file}.")
            self._remark.retranslate(text.format(file=self._memory.set_aside))
        if position.entry:
            self._open(position)
            self._result.choose(view=position.view)

    # -- what it says

    def _say_everything(self) -> None:
        """Say all of the panel in the language in use."""
        self._form.retranslate()
        self._saving.retranslate()
        self._result.retranslate()
        if self.error is not None:
            self._result.fail(self.error)
        self._live.retranslate()
        self._status.lang = _i18n.language()  # now that all of it is said

    def _on_language(self) -> None:
        self._say_everything()
        self._remember()


def _examine(video: Path, **options: Any) -> Examination:
    """Load the analysis when it is first needed: torch takes seconds, and the panel must not."""
    from toolkit.classroom.client import examine

    return examine(video, **options)
