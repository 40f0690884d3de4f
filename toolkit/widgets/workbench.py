"""The panel of the workbench notebook: choose a video, analyse it, read why.

It only shows and schedules: the work is `toolkit.analysis.analyse`, the words and charts are
`toolkit.figures`, the file it saves is `toolkit.report`. Whatever it shows, one call of those
returns too: after a run, `Workbench.report` holds the result.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from html import escape
from pathlib import Path
from typing import Any

import anywidget
import ipywidgets
import traitlets

from toolkit import _i18n, figures, models, samples
from toolkit._i18n import _
from toolkit.errors import ToolkitError, UsageError
from toolkit.jobs import Job
from toolkit.types import Report, Sampling, Tick, TrackResult
from toolkit.widgets import fragments

STATES = ("idle", "running", "done", "cancelled", "error")
FRAMES = (16, 40, 80, 160)

_HERE = Path(__file__).parent
_OWN = ""  # value of the menu for "a video of my own"; samples have names


class Status(anywidget.AnyWidget):
    """One line that screen readers announce; carries the panel's style sheet."""

    _esm = _HERE / "status.js"
    _css = _HERE / "workbench.css"
    text = traitlets.Unicode().tag(sync=True)
    lang = traitlets.Unicode("en").tag(sync=True)


class Workbench(ipywidgets.VBox):  # type: ignore[misc]  # ipywidgets ships no types
    """Panel that analyses a video in the background and shows what drove the verdict.

    Parameters
    ----------
    analyse
        What does the work; None = `toolkit.analysis.analyse`, imported when first needed.
    runs
        Folder for saved reports; None = ``runs`` in the project's folder.

    Attributes
    ----------
    state
        One of `STATES`; also a CSS class ``dz-state-...`` of the panel.
    report
        The last result, or None.
    error
        What the last run raised, or None.
    """

    state = traitlets.Enum(STATES, "idle")

    def __init__(
        self, *, analyse: Callable[..., Report] | None = None, runs: Path | None = None
    ) -> None:
        self._do_analyse = analyse or _analyse
        self._runs = runs or models.ROOT / "runs"
        self._job: Job[Report] | None = None
        self._person: str | None = None
        self._seconds_left: float | None = None
        self._stage = ""
        self._chart: Any = None
        self.report: Report | None = None
        self.error: BaseException | None = None
        self._make_controls()
        self._make_result()
        super().__init__([self._top, self._choose, self._run, self._status, self._result])
        self.add_class("dz-workbench")
        self.add_class("dz-state-idle")
        self.observe(self._mirror_state, "state")
        self._say_everything()

    def __repr__(self) -> str:
        """Return a line; ipywidgets' own would print the key frames into the notebook."""
        return f"Workbench(state={self.state!r})"

    # -- what it is made of

    def _make_controls(self) -> None:
        self._language = _classed(
            ipywidgets.ToggleButtons(
                options=[("English", "en"), ("Nederlands", "nl")],
                value=_i18n.language(),
                style={"button_width": "auto"},
            ),
            "dz-language",
        )
        self._language.observe(self._on_language, "value")
        self._heading = ipywidgets.HTML()
        self._top = ipywidgets.HBox(
            [self._heading, self._language],
            layout={"justify_content": "space-between", "flex_flow": "row wrap"},
        )
        wide, style = {"width": "100%", "max_width": "640px"}, {"description_width": "11em"}
        self._sample = _classed(ipywidgets.Dropdown(layout=wide, style=style), "dz-sample")
        self._path = _classed(ipywidgets.Text(layout=wide, style=style), "dz-path")
        self._path.observe(self._on_path, "value")
        self._frames = _classed(ipywidgets.Dropdown(layout=wide, style=style), "dz-frames")
        self._choose = _classed(
            ipywidgets.VBox([self._sample, self._path, self._frames]), "dz-choose"
        )
        self._analyse = _classed(ipywidgets.Button(button_style="primary"), "dz-analyse")
        self._analyse.on_click(lambda _button: self.start())
        self._cancel = _classed(ipywidgets.Button(disabled=True), "dz-cancel")
        self._cancel.on_click(lambda _button: self.cancel())
        self._bar = _classed(
            ipywidgets.FloatProgress(max=1, layout={"width": "260px", "visibility": "hidden"}),
            "dz-progress",
        )
        self._run = ipywidgets.HBox(
            [self._analyse, self._cancel, self._bar], layout={"flex_flow": "row wrap"}
        )
        self._status = _classed(Status(), "dz-status")

    def _make_result(self) -> None:
        self._verdict = _classed(ipywidgets.HTML(), "dz-verdict")
        self._truth = _classed(ipywidgets.HTML(), "dz-truth")
        self._notes = _classed(ipywidgets.HTML(), "dz-notices")
        self._persons = _classed(
            ipywidgets.ToggleButtons(options=[], style={"button_width": "auto"}), "dz-persons"
        )
        self._persons.observe(self._on_person, "value")
        self._words = _classed(ipywidgets.HTML(), "dz-person")
        self._charts = _classed(ipywidgets.VBox(), "dz-charts")
        self._strip = _classed(ipywidgets.HTML(), "dz-frames-strip")
        self._numbers = _classed(ipywidgets.HTML(), "dz-numbers")
        self._save = _classed(ipywidgets.Button(layout={"width": "auto"}), "dz-save")
        self._save.on_click(lambda _button: self.save())
        self._saved = _classed(ipywidgets.HTML(), "dz-saved")
        self._result = _classed(
            ipywidgets.VBox(
                [
                    self._verdict,
                    self._truth,
                    self._notes,
                    self._persons,
                    self._words,
                    self._charts,
                    self._strip,
                    self._numbers,
                    ipywidgets.HBox([self._save, self._saved], layout={"flex_flow": "row wrap"}),
                ],
                layout={"display": "none"},
            ),
            "dz-result",
        )

    # -- what the user may do

    def start(self) -> None:
        """Analyse what is chosen, in the background. Does nothing while a run is under way."""
        if self.state == "running":
            return
        self.report = self.error = None
        self._result.layout.display = "none"
        self._saved.value = ""
        self._stage, self._seconds_left = "", None
        try:
            video = self._chosen()
        except ToolkitError as error:
            self._fail(error)
            return
        moments = Sampling(frames=self._frames.value) if self._frames.value else Sampling()
        self._bar.value = 0
        self.state = "running"
        self._job = Job(
            lambda tick: self._do_analyse(video, sampling=moments, tick=tick),
            on_update=self._on_update,
            on_end=self._on_end,
        )
        self._job.start()

    def cancel(self) -> None:
        """Ask the run to stop; the panel says when it has."""
        if self._job is not None and self.state == "running":
            self._job.cancel()
            self._cancel.disabled = True
            self._status.text = _("Stopping …")

    def save(self) -> Path | None:
        """Write report.json, report.html and run.json into a new folder; return it."""
        if self.report is None:
            return None
        try:
            folder = fragments.save(self.report, self._runs, stamp=time.strftime("%Y%m%d-%H%M%S"))
        except OSError as error:
            self._saved.value = fragments.problem(error)
            return None
        where = _("Saved in {folder}").format(folder=folder)
        self._saved.value = f'<span role="status">{escape(where)}</span>'
        return folder

    def _chosen(self) -> str:
        if self._sample.value != _OWN:
            return str(samples.path(self._sample.value))
        # what a file manager copies may stand between quotes
        text = self._path.value.strip().strip("\"'")
        if not text:
            raise UsageError(
                _("no video was chosen"), "", _("Choose a sample, or give the path of a video.")
            )
        return str(Path(text).expanduser()) if text.startswith("~") else text

    # -- what happens meanwhile; these run in the worker thread and only set traits

    def _on_update(self, stage: str, _done: int, _total: int, seconds_left: float | None) -> None:
        self._stage, self._seconds_left = stage, seconds_left
        self._bar.value = self._job.fraction if self._job else 0
        if not self._cancel.disabled:  # else it says that it is stopping
            self._say_progress()

    def _on_end(self, job: Job[Report]) -> None:
        if job.is_cancelled:
            self.state = "cancelled"
        elif job.error is not None:
            self._fail(job.error)
        else:
            self.report = job.result
            try:
                self._show()
            except Exception as error:  # noqa: BLE001 - shown in the panel; a thread has no other place
                self._fail(error)
            else:
                self.state = "done"

    def _fail(self, error: BaseException) -> None:
        self.error = error
        self.state = "error"
        self._say_state()  # also when the state was 'error' before

    # -- what it says

    def _mirror_state(self, change: Any) -> None:
        self.remove_class(f"dz-state-{change['old']}")
        running = change["new"] == "running"
        self._analyse.disabled, self._cancel.disabled = running, not running
        self._bar.layout.visibility = "visible" if running else "hidden"
        self._say_state()
        self.add_class(f"dz-state-{change['new']}")

    def _say_state(self) -> None:
        self._status.text = {
            "idle": _("Choose a video and press Analyse. Everything stays on this computer."),
            "running": _("Starting …"),
            "done": _("Done."),
            "cancelled": _("Cancelled. Nothing was kept."),
            "error": _("This did not work."),
        }[self.state]
        if self.state == "error" and self.error is not None:
            self._verdict.value = fragments.problem(self.error)
            self._show_only(self._verdict)
        elif self.state == "running" and self._stage:
            self._say_progress()

    def _say_progress(self) -> None:
        stage = figures.stage_name(self._stage)
        if self._seconds_left is None:
            self._status.text = _("Now {stage} …").format(stage=stage)
        else:
            left = _duration(self._seconds_left)
            self._status.text = _("Now {stage} … about {left} left").format(stage=stage, left=left)

    def _say_everything(self) -> None:
        """Say all of the panel in the language in use."""
        self._status.lang = _i18n.language()
        heading = _("Why does a detector call this video forged?")
        self._heading.value = f"<b>{escape(heading)}</b>"
        self._language.tooltips = [_("Show everything in English"), _("Show everything in Dutch")]
        self._sample.description = _("Video")
        self._path.description = _("Path of own video")
        self._path.placeholder = _("for example C:\\videos\\clip.mp4 or /home/me/clip.mp4")
        self._frames.description = _("Frames per person")
        self._fill_menus()
        self._analyse.description = _("Analyse")
        self._cancel.description = _("Cancel")
        self._save.description = _("Save report")
        self._say_state()
        if self.report is not None:
            self._show()

    def _fill_menus(self) -> None:
        """Name the choices again; what was chosen stays chosen."""
        chosen, frames = self._sample.value, self._frames.value
        present = [
            (figures.localised(samples.card(name).title), name)
            for name in samples.names(present=True)
        ]
        menu = [*present, (_("A video of my own (give its path)"), _OWN)]
        self._sample.options = menu
        self._sample.value = chosen if chosen in [name for _title, name in menu] else menu[0][1]
        self._frames.options = [(_("by length (usual)"), 0), *((str(n), n) for n in FRAMES)]
        self._frames.value = frames or 0

    def _on_language(self, change: Any) -> None:
        _i18n.set_language(change["new"])
        self._say_everything()

    def _on_path(self, change: Any) -> None:
        if change["new"].strip():
            self._sample.value = _OWN

    # -- the result

    def _show(self) -> None:
        """Show the whole result, in the language in use."""
        report = self.report
        assert report is not None
        self._verdict.value = fragments.verdict(report)
        self._truth.value = fragments.planted(report)
        self._notes.value = fragments.notes(report)
        people = [r.track.person for r in report.tracks]
        keep = self._person if self._person in people else report.speaks
        self._person = keep or (people[0] if people else None)
        names = [(_("Person {person}").format(person=p), p) for p in people]
        self._persons.unobserve(self._on_person, "value")
        self._persons.options, self._persons.value = names, self._person
        self._persons.observe(self._on_person, "value")
        # shown first: a chart that is made while hidden does not learn how wide it may be
        self._show_only(*self._result.children)
        self._persons.layout.display = None if len(people) > 1 else "none"
        self._show_person()

    def _show_only(self, *shown: Any) -> None:
        for child in self._result.children:
            child.layout.display = None if child in shown else "none"
        self._result.layout.display = None

    def _on_person(self, change: Any) -> None:
        if self.report is not None and change["new"] not in {None, self._person}:
            self._person = change["new"]
            self._show_person()

    def _show_person(self) -> None:
        assert self.report is not None
        result = next((r for r in self.report.tracks if r.track.person == self._person), None)
        if result is None:
            self._words.value = self._strip.value = self._numbers.value = ""
            self._charts.children = ()
            return
        self._words.value = fragments.person(result)
        self._show_chart(result)
        self._strip.value = fragments.strip(result)
        self._numbers.value = fragments.numbers(self.report, result)

    def _show_chart(self, result: TrackResult) -> None:
        """Show the chart; one Plotly widget serves all results, for each brings 5 MB along."""
        import plotly.graph_objects as go

        figure = figures.overview(result)
        if self._chart is None:
            self._chart = go.FigureWidget(figure)
            self._chart._config = {"responsive": True, "displaylogo": False}  # noqa: SLF001 - no public way
        else:
            self._chart.data = ()
            self._chart.add_traces(figure.data)
            self._chart.layout = figure.layout
        self._charts.children = (self._chart,)


def _classed(widget: Any, name: str) -> Any:
    widget.add_class(name)
    return widget


def _duration(seconds: float) -> str:
    """Return a rough duration: nobody knows the time left to the second."""
    if seconds < 10:
        return _("{n} s").format(n=max(1, round(seconds)))
    if seconds < 90:
        return _("{n} s").format(n=5 * round(seconds / 5))
    return _("{n} min").format(n=round(seconds / 60))


def _analyse(video: str, *, sampling: Sampling, tick: Tick) -> Report:
    """Load the analysis when it is first needed: torch takes seconds, and the panel must not."""
    from toolkit.analysis import analyse

    return analyse(video, sampling=sampling, tick=tick)
