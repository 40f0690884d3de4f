"""The forge lab: choose a clip and a face, watch each step, spoil one, make the clip, test it.

Only controls and pictures: the steps are `toolkit.forge`, the words `toolkit.figures.forge`, the
figures `toolkit.evaluation.studies.swaps`. The marks are put on in `toolkit.forge.swap` and
`marks`; there is no control for them here.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from html import escape
from pathlib import Path
from typing import Any

import ipywidgets
import numpy as np
import traitlets

from toolkit import _i18n, figures, media, models, samples
from toolkit._i18n import _, ngettext
from toolkit.detectors import registry
from toolkit.errors import DetectorError, ToolkitError, UsageError
from toolkit.faces.crops import face_width
from toolkit.figures import forge as words
from toolkit.files import parse_json
from toolkit.forge import expression, marks
from toolkit.forge import swap as forge
from toolkit.forge.expression import ExpressionGallery
from toolkit.forge.swap import BLENDINGS, BREAKS, COLOURS, MOUTHS, Made, Performance, SwapRecipe
from toolkit.jobs import STAGE_WEIGHTS, Job
from toolkit.storage.cache import runs_folder
from toolkit.types import Sampling, Tick
from toolkit.widgets import html as fragments
from toolkit.widgets.lessons.webcam import Webcam
from toolkit.widgets.status import StatusLine, duration
from toolkit.widgets.styling import classed

STATES = ("idle", "running", "done", "cancelled", "error")
PICTURES = (5, 50, 200, 500, 1000)
CURVE_SIZES = (5, 15, 50, 150, 500, 1000)
MATCHES = 10
SECONDS = (2, 4, 8, 16)
UPLOAD_MAX = 8_000_000
"""Bytes of all pictures together. The notebook server refuses messages above 10 MB silently."""
MEASURED = models.ROOT / "notebooks" / "lessons" / "match_curve.json"
"""The curve up to 4,000 pictures, measured once; the lab's own goes as far as its gallery."""

VERDICTS = models.ROOT / "notebooks" / "lessons" / "swap_verdicts.json"
"""What the detector said of swaps like these: `python -m toolkit study swaps detect`."""

_READING = {"hash": 1.0, "probe": 1.0, "gallery": 60.0, "read": 20.0}
_MAKING = {"hash": 1.0, "probe": 1.0, "swap": 60.0}
_OWN = ""  # value of the menu for pictures of one's own; samples have names
_WIDE, _STYLE = {"width": "100%", "max_width": "680px"}, {"description_width": "16em"}


class LabStatus(StatusLine):
    """The line that says what is going on; carries the lab's style sheet."""

    _css = Path(__file__).with_name("forge_lab.css").read_text(encoding="utf-8")


class ForgeLab(ipywidgets.VBox):  # type: ignore[misc]  # ipywidgets ships no types
    """Panel in which a class makes a face swap and has it tested.

    Parameters
    ----------
    runs
        Folder for clips; None = `toolkit.storage.cache.runs_folder`. They go into ``forge`` there.
    switch
        Whether to show a language switch; a lesson has its own.
    on_made
        Called with the path of each clip that was made, for example to open it in the workbench.

    Attributes
    ----------
    state
        One of `STATES`; also a CSS class ``dz-forge-STATE``.
    performance, gallery, made, examination
        What was read, made and judged last; None before.
    error
        What the last job raised, or None.
    """

    state = traitlets.Enum(STATES, "idle")

    def __init__(
        self,
        *,
        runs: Path | None = None,
        switch: bool = True,
        on_made: Callable[[Path], None] | None = None,
    ) -> None:
        self._runs = runs or runs_folder()
        self._on_made = on_made
        self._job: Job[Any] | None = None
        self._then: Callable[[Any], None] = lambda _result: None
        self._stage, self._seconds_left = "", None  # type: tuple[str, float | None]
        self._pictures: list[tuple[str, bytes]] = []
        self._video: Any = None
        self._frame: tuple[int, Any] | None = None
        self._figure: Any = None
        self.performance: Performance | None = None
        self.gallery: ExpressionGallery | None = None
        self.made: Made | None = None
        self.examination: Any = None
        self.error: BaseException | None = None
        self._make_choice()
        self._make_moment()
        self._make_clip()
        self._switch = ipywidgets.ToggleButtons(
            options=[("English", "en"), ("Nederlands", "nl")],
            value=_i18n.language(),
            style={"button_width": "auto"},
        )
        self._switch.observe(self._on_language, "value")
        self._switch.layout.display = None if switch else "none"
        self._status = classed(LabStatus(), "dz-status")
        self._problem = ipywidgets.HTML()
        super().__init__(
            [
                classed(self._switch, "dz-language"),
                self._choice,
                ipywidgets.HBox(
                    [self._read, self._cancel, self._bar], layout={"flex_flow": "row wrap"}
                ),
                self._status,
                self._problem,
                self._moment_box,
                self._clip_box,
            ]
        )
        self.add_class("dz-forge")
        self.add_class("dz-forge-idle")
        self.observe(self._mirror_state, "state")
        self.retranslate()

    def __repr__(self) -> str:
        """Return a line; ipywidgets' own would print the pictures into the notebook."""
        return f"ForgeLab(state={self.state!r})"

    # -- what it is made of

    def _make_choice(self) -> None:
        self._choose_heading = ipywidgets.HTML()
        self._target = classed(_menu(), "dz-target")
        self._start = classed(
            ipywidgets.FloatSlider(
                min=0, max=60, step=0.5, continuous_update=False, layout=_WIDE, style=_STYLE
            ),
            "dz-start",
        )
        self._seconds = classed(_menu(), "dz-seconds")
        self._faces = classed(_menu(), "dz-faces")
        self._count = classed(_menu(), "dz-count")
        self._upload = classed(
            ipywidgets.FileUpload(accept="image/*", multiple=True, layout={"width": "auto"}),
            "dz-upload",
        )
        self._consent = classed(
            ipywidgets.Checkbox(value=False, indent=False, layout=_WIDE), "dz-consent"
        )
        self._webcam = classed(Webcam(self._on_webcam), "dz-own-webcam")
        self._uploaded = ipywidgets.HTML()
        self._own = ipywidgets.VBox([self._consent, self._webcam, self._upload, self._uploaded])
        self._upload.observe(self._on_upload, "value")
        self._target.observe(self._on_target, "value")
        self._faces.observe(lambda _change: self._show_own(), "value")
        self._consent.observe(lambda _change: self._show_own(), "value")
        self._choice = ipywidgets.VBox(
            [
                self._choose_heading,
                self._target,
                self._start,
                self._seconds,
                self._faces,
                self._count,
                self._own,
            ]
        )
        self._read = classed(ipywidgets.Button(button_style="primary"), "dz-read")
        self._read.on_click(lambda _button: self.read())
        self._cancel = classed(ipywidgets.Button(disabled=True), "dz-cancel")
        self._cancel.on_click(lambda _button: self.cancel())
        self._bar = ipywidgets.FloatProgress(
            max=1, layout={"width": "260px", "visibility": "hidden"}
        )

    def _make_moment(self) -> None:
        self._moment_heading, self._steps_heading = ipywidgets.HTML(), ipywidgets.HTML()
        self._moment = classed(
            ipywidgets.IntSlider(min=0, max=1, continuous_update=False, layout=_WIDE, style=_STYLE),
            "dz-moment",
        )
        self._matches = classed(ipywidgets.HTML(), "dz-search")
        self._curve_button = classed(ipywidgets.Button(), "dz-curve-button")
        self._curve_button.on_click(lambda _button: self.show_curve())
        self._curve = classed(ipywidgets.VBox(), "dz-curve")
        self._break = classed(_menu(), "dz-break")
        self._colour, self._blend, self._mouth = _menu(), _menu(), _menu()
        percent = {"min": 0, "max": 100, "continuous_update": False}
        looks = {"layout": _WIDE, "style": _STYLE}
        self._strength = ipywidgets.IntSlider(value=100, step=10, **percent, **looks)
        self._erode = ipywidgets.IntSlider(value=3, min=0, max=20, continuous_update=False, **looks)
        self._feather = ipywidgets.IntSlider(
            value=10, min=0, max=30, continuous_update=False, **looks
        )
        self._crf = ipywidgets.IntSlider(value=20, min=10, max=45, continuous_update=False, **looks)
        self._settings = (
            self._break,
            self._colour,
            self._strength,
            self._mouth,
            self._erode,
            self._feather,
            self._blend,
            self._crf,
        )
        for control in (self._moment, *self._settings):
            control.observe(self._on_moment, "value")
        self._steps = classed(ipywidgets.HTML(), "dz-steps")
        self._moment_box = ipywidgets.VBox(
            [
                self._moment_heading,
                self._moment,
                self._matches,
                self._curve_button,
                self._curve,
                self._steps_heading,
                *self._settings,
                self._steps,
            ],
            layout={"display": "none"},
        )

    def _make_clip(self) -> None:
        self._clip_heading = ipywidgets.HTML()
        self._make = classed(ipywidgets.Button(button_style="primary"), "dz-make")
        self._make.on_click(lambda _button: self.make())
        self._made = classed(ipywidgets.HTML(), "dz-made")
        self._judge = classed(
            ipywidgets.Button(button_style="primary", layout={"display": "none"}), "dz-judge"
        )
        self._judge.on_click(lambda _button: self.judge())
        self._judged = classed(ipywidgets.HTML(), "dz-judged")
        self._clip_box = ipywidgets.VBox(
            [self._clip_heading, self._make, self._made, self._judge, self._judged],
            layout={"display": "none"},
        )

    # -- what the user may do

    @property
    def recipe(self) -> SwapRecipe:
        """The settings of the sliders, with the chosen step spoiled."""
        return forge.broken(
            SwapRecipe(
                colour=self._colour.value,
                colour_strength=self._strength.value / 100,
                mouth=self._mouth.value,
                erode=self._erode.value / 100,
                feather=self._feather.value / 100,
                blend=self._blend.value,
                crf=self._crf.value,
            ),
            self._break.value,
        )

    @property
    def face_width(self) -> float | None:
        """Width in pixels of the face at the chosen moment; None without one."""
        performance, moment = self.performance, int(self._moment.value)
        if performance is None or not performance.has_face[moment]:
            return None
        return face_width(performance.mesh[moment])

    def choose(
        self,
        *,
        target: str | None = None,
        faces: str | None = None,
        start_s: float | None = None,
        seconds: int | None = None,
        pictures: int | None = None,
        spoil: str | None = None,
    ) -> None:
        """Set the controls, as a click would."""
        chosen = (
            (self._target, target),
            (self._faces, faces),
            (self._start, start_s),
            (self._seconds, seconds),
            (self._count, pictures),
            (self._break, spoil),
        )
        for control, value in chosen:
            if value is not None:
                control.value = value

    def read(self) -> None:
        """Read the target's performance and the other person's pictures, in the background."""
        target, start = self._target.value, float(self._start.value)
        seconds, count = float(self._seconds.value), int(self._count.value)
        faces = self._faces.value
        uploaded = list(self._pictures)
        is_agreed = bool(self._consent.value)

        def work(tick: Tick) -> tuple[Any, Performance, ExpressionGallery]:
            path = samples.path(target)
            if faces == _OWN:
                gallery = _own_gallery(uploaded, is_agreed=is_agreed, tick=tick)
            else:
                gallery = _sample_gallery(faces, count, tick=tick)
            performance = forge.read_performance(
                path, start_s=start, end_s=start + seconds, tick=tick
            )
            return media.probe(path), performance, gallery

        self._run(work, self._take_reading, _READING)

    def make(self) -> None:
        """Make the clip, in the background."""
        performance, gallery = self.performance, self.gallery
        if performance is None or gallery is None:
            return
        recipe, is_agreed = self.recipe, bool(self._consent.value)
        stamp = time.strftime("%Y%m%d-%H%M%S")
        name = f"{marks.PREFIX}{performance.path.stem}_{self._break.value}-{stamp}.mp4"

        def work(tick: Tick) -> Made:
            folder = self._runs / "forge"
            folder.mkdir(parents=True, exist_ok=True)
            out = folder / name
            return forge.swap(
                performance, gallery, out, recipe=recipe, consent=is_agreed, tick=tick
            )

        self._run(work, self._take_made, _MAKING)

    def judge(self) -> None:
        """Ask the detector about the clip that was made, in the background."""
        if self.made is None:
            return
        clip = self.made.path

        def work(tick: Tick) -> Any:
            from toolkit.analysis.pipeline import examine

            return examine(clip, sampling=Sampling(frames=32), tick=tick)

        self._run(work, self._take_judgement, STAGE_WEIGHTS)

    def cancel(self) -> None:
        """Ask the job to stop; the panel says when it has."""
        if self._job is not None and self.state == "running":
            self._job.cancel()
            self._cancel.disabled = True
            self._status.text = _("Stopping …")

    def wait(self, timeout_s: float | None = None) -> ForgeLab:
        """Wait for the job and return the panel, for scripts.

        Raises
        ------
        TimeoutError
            If it is still running after `timeout_s` seconds.
        """
        if self._job is not None:
            try:
                self._job.wait(timeout_s)
            except Exception:
                if self._job.is_running:
                    raise  # it did not end in time; what it raised itself is in `error`
        return self

    def show_curve(self) -> None:
        """Show how the best match improves with more pictures, for what was read."""
        if self.performance is None or self.gallery is None:
            return
        import plotly.graph_objects as go

        from toolkit.evaluation.studies.swaps import match_curve

        sizes = sorted({s for s in CURVE_SIZES if s < len(self.gallery)} | {len(self.gallery)})
        curves: list[Mapping[str, Any]] = [match_curve(self.performance, self.gallery, sizes=sizes)]
        if MEASURED.is_file():
            curves.append(parse_json(MEASURED.read_text(encoding="utf-8")))
        figure = words.curve_figure(*curves)
        if self._figure is None:
            self._figure = go.FigureWidget(figure)
            self._figure._config = {"responsive": True, "displaylogo": False}  # noqa: SLF001 - no public way
        else:  # one Plotly widget serves all, for each brings 5 MB along
            self._figure.data = ()
            self._figure.add_traces(figure.data)
            self._figure.layout = figure.layout
        from toolkit.widgets.lessons import forge_html

        tables = "".join(forge_html.fold(words.curve_table(curve)) for curve in curves)
        self._curve.children = (self._figure, ipywidgets.HTML(tables))

    # -- jobs; these run in the worker thread and only set traits

    def _run(
        self,
        work: Callable[[Tick], Any],
        then: Callable[[Any], None],
        weights: Mapping[str, float],
    ) -> None:
        if self.state == "running":
            return
        self.error, self._stage, self._seconds_left = None, "", None
        self._problem.value, self._bar.value, self._then = "", 0, then
        self.state = "running"
        self._job = Job(work, on_update=self._on_update, on_end=self._on_end, weights=weights)
        self._job.start()

    def _on_update(self, stage: str, _done: int, _total: int, seconds_left: float | None) -> None:
        self._stage, self._seconds_left = stage, seconds_left
        self._bar.value = self._job.fraction if self._job else 0
        if not self._cancel.disabled:  # else it says that it is stopping
            self._say_progress()

    def _on_end(self, job: Job[Any]) -> None:
        if job.is_cancelled:
            self.state = "cancelled"
            return
        error = job.error
        if error is None:
            try:
                self._then(job.result)
            except Exception as problem:  # noqa: BLE001 - shown in the panel; a thread has no other place
                error = problem
        self.error = error
        if error is not None:
            self._problem.value = fragments.problem(error)
        self.state = "done" if error is None else "error"

    def _take_reading(self, read: tuple[Any, Performance, ExpressionGallery]) -> None:
        self._video, self.performance, self.gallery = read
        self.made = self.examination = self._frame = None
        self._made.value = self._judged.value = ""
        self._judge.layout.display = "none"
        self._curve.children = ()
        count = len(self.performance.indices)
        self._moment.unobserve(self._on_moment, "value")
        self._moment.max = count - 1
        self._moment.value = count // 3
        self._moment.observe(self._on_moment, "value")
        self._moment_box.layout.display = self._clip_box.layout.display = None
        self._show_moment()

    def _take_made(self, made: Made) -> None:
        self.made, self.examination = made, None
        self._judged.value = ""
        self._show_made()
        if self._on_made is not None:
            self._on_made(made.path)

    def _take_judgement(self, examination: Any) -> None:
        self.examination = examination
        self._show_judged()

    # -- what it shows

    def _show_moment(self) -> None:
        from toolkit.widgets.lessons import forge_html

        performance, gallery = self.performance, self.gallery
        if performance is None or gallery is None:
            return
        moment = int(self._moment.value)
        if not performance.has_face[moment]:
            note = escape(_("There is no face in this frame: it stays as it is."))
            self._matches.value = self._steps.value = f"<p>{note}</p>"
            return
        reading, recipe = performance.at(moment), self.recipe
        found = expression.search(gallery, reading, k=MATCHES, target_rest=performance.rest)
        about = escape(words.gallery_sentence(gallery))
        self._matches.value = (
            f"<p>{about}</p>"
            + forge_html.matches(gallery, found)
            + forge_html.expressions(reading, gallery, found)
        )
        chosen, _distances = forge.choose_faces(performance, gallery, recipe)
        rgb = self._frame_at(int(performance.indices[moment]))
        face = gallery.faces[int(chosen[moment])]
        swapped = forge.swap_frame(rgb, performance.mesh[moment], face, recipe)
        coded = forge.compress(swapped.steps[-1].rgb, recipe.crf)
        self._steps.value = forge_html.steps((*swapped.steps, coded))

    def _frame_at(self, index: int) -> Any:
        if self._frame is None or self._frame[0] != index:
            (frame,) = media.read(self._video, np.array([index]))
            self._frame = (index, frame.rgb)
        return self._frame[1]

    def _show_made(self) -> None:
        from toolkit.widgets.lessons import forge_html

        if self.made is not None:
            self._made.value = forge_html.made(self.made)
            self._judge.layout.display = None

    def _show_judged(self) -> None:
        from toolkit.widgets.lessons import forge_html

        if self.made is not None and self.examination is not None:
            self._judged.value = forge_html.judged(self.examination, self.made.path)

    def _show_own(self) -> None:
        is_own = self._faces.value == _OWN
        self._own.layout.display = None if is_own else "none"
        self._count.layout.display = "none" if is_own else None
        self._upload.disabled = not self._consent.value
        self._webcam.is_allowed = bool(self._consent.value)

    def _on_upload(self, change: Any) -> None:
        """Keep the pictures in the kernel alone: a widget's state can be saved with a notebook."""
        if not change["new"]:
            return
        self._pictures = [(str(f["name"]), bytes(f["content"])) for f in change["new"]]
        self._upload.value = ()
        self._say_uploaded()

    def _on_webcam(self, jpeg: bytes) -> None:
        """Keep a picture of the webcam with the others, as many as may be uploaded."""
        if sum(len(data) for _name, data in self._pictures) + len(jpeg) > UPLOAD_MAX:
            return
        name = _("webcam {n}").format(n=len(self._pictures) + 1)
        self._pictures.append((name, jpeg))
        self._say_uploaded()

    def _say_uploaded(self) -> None:
        count = len(self._pictures)
        text = ngettext("{n} picture is here.", "{n} pictures are here.", count).format(n=count)
        self._uploaded.value = f"<p>{escape(text)}</p>" if count else ""

    def _on_target(self, change: Any) -> None:
        if change["new"]:
            last = _length(change["new"]) - min(SECONDS)
            self._start.max = max(0.5, float(np.floor(2 * last) / 2))
            self._start.value = min(4.0, self._start.max)

    def _on_moment(self, _change: Any) -> None:
        if self.state == "running":
            return
        try:
            self._show_moment()
        except (ToolkitError, OSError) as error:
            self._steps.value = fragments.problem(error)

    def _mirror_state(self, change: Any) -> None:
        self.remove_class(f"dz-forge-{change['old']}")
        is_running = change["new"] == "running"
        for control in (self._read, self._make, self._judge):
            control.disabled = is_running
        self._cancel.disabled = not is_running
        self._bar.layout.visibility = "visible" if is_running else "hidden"
        self._say_state()
        self.add_class(f"dz-forge-{change['new']}")

    # -- what it says

    def _on_language(self, change: Any) -> None:
        _i18n.set_language(change["new"])
        self.retranslate()

    def retranslate(self) -> None:
        """Say all of the panel in the language in use."""
        self._status.lang = _i18n.language()
        self._choose_heading.value = _heading(_("Whose expression, and whose face?"))
        self._target.description = _("Clip: its expression stays")
        self._start.description = _("From second")
        self._seconds.description = _("Length")
        self._faces.description = _("Person: this face is put on")
        self._count.description = _("Number of pictures")
        self._upload.description = _("Pictures of the face (JPEG, PNG)")
        self._webcam.retranslate()
        limit = round(UPLOAD_MAX / 1e6)
        self._upload.tooltip = _("Up to {n} MB together. They are kept in memory only.").format(
            n=limit
        )
        self._consent.description = _(
            "These are pictures of myself, or of somebody who agreed to this lesson. They stay in "
            "the memory of this computer and are gone when the notebook is closed; the clip stays "
            "until I remove it."
        )
        self._read.description = _("Read the faces")
        self._cancel.description = _("Cancel")
        self._moment_heading.value = _heading(_("Search: which picture has this expression?"))
        self._moment.description = _("Moment (frame)")
        self._curve_button.description = _("How much do more pictures help?")
        self._steps_heading.value = _heading(_("Step by step"))
        self._break.description = _("Spoil on purpose")
        self._colour.description = _("Match the colours by")
        self._strength.description = _("Strength (of 100)")
        self._mouth.description = _("Inside of the mouth")
        self._erode.description = _("Mask begins inside by")
        self._feather.description = _("Width of the soft edge")
        for slider in (self._erode, self._feather):
            slider.tooltip = _("In hundredths of the face's width")
        self._blend.description = _("Blend by")
        self._crf.description = _("Compression (CRF)")
        self._clip_heading.value = _heading(_("The whole clip"))
        self._make.description = _("Make the clip")
        self._judge.description = _("What does the detector say?")
        self._fill_menus()
        self._show_own()
        self._say_uploaded()
        self._say_state()
        self._problem.value = fragments.problem(self.error) if self.error else ""
        if self.state != "running":
            self._on_moment(None)
            self._show_made()
            self._show_judged()
            if self._curve.children:
                self.show_curve()

    def _fill_menus(self) -> None:
        people = [
            (_(samples.card(name).title), name)
            for name in samples.names(present=True)
            if name != samples.planted().id
        ]
        own = (_("Pictures of my own"), _OWN)
        first = [name for _title, name in people]
        _refill(self._target, people, first[0] if first else None)
        _refill(self._faces, [*people, own], "franck" if "franck" in first else own[1])
        _refill(self._seconds, [(_("{n} s").format(n=n), n) for n in SECONDS], 4)
        _refill(self._count, [(str(n), n) for n in PICTURES], 200)
        _refill(self._break, [(words.break_title(b), b) for b in BREAKS], "none")
        for menu, setting, values in (
            (self._colour, "colour", COLOURS),
            (self._mouth, "mouth", MOUTHS),
            (self._blend, "blend", BLENDINGS),
        ):
            _refill(menu, [(words.choice_title(setting, v), v) for v in values], values[0])

    def _say_state(self) -> None:
        if self.state == "running" and self._stage:
            self._say_progress()
            return
        self._status.text = {
            "idle": _("Choose, and press Read the faces. Everything stays on this computer."),
            "running": _("Starting …"),
            "done": _("Done."),
            "cancelled": _("Cancelled. Nothing was kept."),
            "error": _("This did not work."),
        }[self.state]

    def _say_progress(self) -> None:
        own = {
            "gallery": _("reading the pictures of the other person"),
            "read": _("reading the expression of the clip"),
            "swap": _("putting the face on, frame by frame"),
        }
        stage = own.get(self._stage) or figures.stage_name(self._stage)
        if self._seconds_left is None:
            self._status.text = _("Now {stage} …").format(stage=stage)
        else:
            left = duration(self._seconds_left)
            self._status.text = _("Now {stage} … about {left} left").format(stage=stage, left=left)


class SwapVerdicts(ipywidgets.VBox):  # type: ignore[misc]  # ipywidgets ships no types
    """What the detector said of swaps that were made beforehand: sentences and a table.

    Parameters
    ----------
    path
        The measurement; None = the one that comes with the lesson.
    """

    def __init__(self, path: Path | None = None) -> None:
        text = (path or VERDICTS).read_text(encoding="utf-8")
        self._found: dict[str, Any] = parse_json(text)
        self._shown = ipywidgets.HTML()
        super().__init__([self._shown])
        for name in ("dz-lesson", "dz-verdicts"):
            self.add_class(name)
        self.retranslate()

    def __repr__(self) -> str:
        return "SwapVerdicts()"

    def retranslate(self) -> None:
        """Say everything in the language in use."""
        from toolkit.widgets.lessons import forge_html

        lines = words.verdicts_sentences(
            self._found, weights_sha256=_weights_here(self._found["detector"])
        )
        items = "".join(f"<li>{escape(line)}</li>" for line in lines)
        shown = words.verdicts_table(self._found)
        table = (
            f'<div tabindex="0" role="region" aria-label="{escape(shown.caption)}" '
            f'style="overflow-x:auto">{forge_html.table(shown)}</div>'
        )
        self._shown.value = f'<div lang="{_i18n.language()}"><ul>{items}</ul>{table}</div>'


def _weights_here(detector: Mapping[str, Any]) -> str | None:
    """Return the hash of the weights that a bundled detector has now, or None without them."""
    name = registry.name_now(str(detector["name"]), str(detector["weights_sha256"]))
    try:
        path = registry.weights(name).with_suffix(".json")
        return str(parse_json(path.read_text(encoding="utf-8"))["sha256"])
    except (DetectorError, OSError, ValueError, KeyError):  # nobody has a detector of that name
        return None


def _menu() -> Any:
    return ipywidgets.Dropdown(layout=_WIDE, style=_STYLE)


def _refill(menu: Any, options: list[tuple[str, Any]], usual: Any) -> None:
    """Name the choices again; what was chosen stays chosen."""
    values = [value for _title, value in options]
    chosen = menu.value if menu.options and menu.value in values else usual
    if tuple(menu.options) == tuple(options) and menu.value == chosen:
        return
    menu.options = options
    menu.value = chosen if chosen in values else None


def _heading(text: str) -> str:
    return f"<h4>{escape(text)}</h4>"


def _length(sample: str) -> float:
    """Return the seconds of a sample."""
    video = media.probe(samples.path(sample))
    return float(video.pts[-1] - video.pts[0])


def _sample_gallery(name: str, count: int, *, tick: Tick) -> ExpressionGallery:
    seconds = _length(name)
    return expression.read_clip(
        samples.path(name), per_second=max(count - 1, 1) / seconds, name=name, tick=tick
    )


def _own_gallery(
    uploaded: list[tuple[str, bytes]], *, is_agreed: bool, tick: Tick
) -> ExpressionGallery:
    if not is_agreed:
        raise UsageError(
            "nobody said that the person agreed",
            "",
            "Read the line with the box and tick it.",
        )
    if not uploaded:
        raise UsageError("no pictures were given", "", "Add pictures of the face.")
    return expression.read_pictures(uploaded, name=_("own pictures"), tick=tick)
