"""The forge lab: choose a clip and a face, watch each step, spoil one, make the clip, test it.

Only controls and pictures: the steps are `toolkit.forge`, the words `toolkit.figures.forge`, the
figures `toolkit.evaluation.studies.swaps`. The marks are put on in `toolkit.forge.swap` and
`marks`; there is no control for them here.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import ipywidgets
import traitlets

from toolkit import _i18n, figures, media, samples
from toolkit._i18n import _
from toolkit.forge import marks
from toolkit.forge import swap as forge
from toolkit.forge.expression import ExpressionGallery
from toolkit.forge.swap import Made, Performance, SwapRecipe
from toolkit.jobs import STAGE_WEIGHTS
from toolkit.storage.cache import runs_folder
from toolkit.types import Sampling, Tick
from toolkit.widgets import html as fragments
from toolkit.widgets.choices import LanguageSwitch
from toolkit.widgets.jobs import JobBar
from toolkit.widgets.lessons import forge_html
from toolkit.widgets.lessons.forge_choice import ForgeChoice, heading
from toolkit.widgets.lessons.forge_steps import ForgeSteps
from toolkit.widgets.one_job import RunsOneJob
from toolkit.widgets.status import StatusLine
from toolkit.widgets.styling import classed

_READING = {"hash": 1.0, "probe": 1.0, "gallery": 60.0, "read": 20.0}
_MAKING = {"hash": 1.0, "probe": 1.0, "swap": 60.0}


class LabStatus(StatusLine):
    """The line that says what is going on; carries the lab's style sheet."""

    _css = Path(__file__).with_name("forge_lab.css").read_text(encoding="utf-8")


class ForgeLab(RunsOneJob, ipywidgets.VBox):  # type: ignore[misc]  # ipywidgets ships no types
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
    choice, steps
        Its parts: what is chosen, and one moment of what was read.
    made, examination
        What was made and judged last; None before.
    """

    def __init__(
        self,
        *,
        runs: Path | None = None,
        switch: bool = True,
        on_made: Callable[[Path], None] | None = None,
    ) -> None:
        self._runs = runs or runs_folder()
        self._on_made = on_made
        self.made: Made | None = None
        self.examination: Any = None
        self.choice = ForgeChoice()
        self.steps = ForgeSteps()
        self._read = classed(ipywidgets.Button(button_style="primary"), "dz-read")
        self._read.on_click(lambda _button: self.read())
        self._run = JobBar(self._read, words=_outcome, name_stage=_stage_name)
        self._make_clip()
        self._switch = LanguageSwitch(self.retranslate, is_shown=switch)
        self._status = classed(LabStatus(), "dz-status")
        self._problem = classed(ipywidgets.HTML(), "dz-forge-problem")
        super().__init__(
            [
                self._switch,
                self.choice,
                self._run,
                self._status,
                self._problem,
                self.steps,
                self._clip_box,
            ]
        )
        self.add_class("dz-forge")
        traitlets.dlink((self._run, "text"), (self._status, "text"))
        self._run.observe(lambda _change: self._on_state(), "state")
        self._run.show_state(self, "dz-forge")
        self.retranslate()

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
        self._clip_box = classed(
            ipywidgets.VBox(
                [self._clip_heading, self._make, self._made, self._judge, self._judged],
                layout={"display": "none"},
            ),
            "dz-forge-clip",
        )

    # -- what the user may do

    @property
    def performance(self) -> Performance | None:
        """The performance that was read last; None before."""
        return self.steps.performance

    @property
    def gallery(self) -> ExpressionGallery | None:
        """The other person's pictures that were read last; None before."""
        return self.steps.gallery

    @property
    def recipe(self) -> SwapRecipe:
        """The settings of the sliders, with the chosen step spoiled."""
        return self.steps.recipe

    @property
    def face_width(self) -> float | None:
        """Width in pixels of the face at the chosen moment; None without one."""
        return self.steps.face_width

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
            (self.choice.target, target),
            (self.choice.faces, faces),
            (self.choice.start, start_s),
            (self.choice.seconds, seconds),
            (self.choice.count, pictures),
            (self.steps.spoil, spoil),
        )
        for control, value in chosen:
            if value is not None:
                control.value = value

    def read(self) -> None:
        """Read the target's performance and the other person's pictures, in the background."""
        request = self.choice.request

        def work(tick: Tick) -> tuple[Any, Performance, ExpressionGallery]:
            path = samples.path(request.target)
            gallery = request.read_gallery(tick)
            performance = forge.read_performance(
                path, start_s=request.start_s, end_s=request.end_s, tick=tick
            )
            return media.probe(path), performance, gallery

        self._run.start(work, self._take_reading, weights=_READING)

    def make(self) -> None:
        """Make the clip, in the background."""
        performance, gallery = self.performance, self.gallery
        if performance is None or gallery is None:
            return
        recipe, is_agreed = self.recipe, self.choice.request.is_agreed
        stamp = time.strftime("%Y%m%d-%H%M%S")
        name = f"{marks.PREFIX}{performance.path.stem}_{self.steps.spoil.value}-{stamp}.mp4"

        def work(tick: Tick) -> Made:
            folder = self._runs / "forge"
            folder.mkdir(parents=True, exist_ok=True)
            out = folder / name
            return forge.swap(
                performance, gallery, out, recipe=recipe, consent=is_agreed, tick=tick
            )

        self._run.start(work, self._take_made, weights=_MAKING)

    def judge(self) -> None:
        """Ask the detector about the clip that was made, in the background."""
        if self.made is None:
            return
        clip = self.made.path

        def work(tick: Tick) -> Any:
            from toolkit.analysis.pipeline import examine

            return examine(clip, sampling=Sampling(frames=32), tick=tick)

        self._run.start(work, self._take_judgement, weights=STAGE_WEIGHTS)

    def wait(self, timeout_s: float | None = None) -> ForgeLab:
        """Wait for the job and return the panel, for scripts.

        Raises
        ------
        TimeoutError
            If it is still running after `timeout_s` seconds.
        """
        self._run.wait(timeout_s)
        return self

    def show_curve(self) -> None:
        """Show how the best match improves with more pictures, for what was read."""
        self.steps.show_curve()

    # -- results; taken in the worker thread, so only traits are set

    def _take_reading(self, read: tuple[Any, Performance, ExpressionGallery]) -> None:
        self.made = self.examination = None
        self._made.value = self._judged.value = ""
        self._judge.layout.display = "none"
        self._clip_box.layout.display = None
        self.steps.show(*read)

    def _take_made(self, made: Made) -> None:
        self.made, self.examination = made, None
        self._judged.value = ""
        self._show_made()
        if self._on_made is not None:
            self._on_made(made.path)

    def _take_judgement(self, examination: Any) -> None:
        self.examination = examination
        self._show_judged()

    def _show_made(self) -> None:
        if self.made is not None:
            self._made.value = forge_html.made(self.made)
            self._judge.layout.display = None

    def _show_judged(self) -> None:
        if self.made is not None and self.examination is not None:
            self._judged.value = forge_html.judged(self.examination, self.made.path)

    def _on_state(self) -> None:
        is_running = self.state == "running"
        self.steps.is_paused = self._make.disabled = self._judge.disabled = is_running
        self._problem.value = fragments.problem(self.error) if self.error else ""

    # -- what it says

    def retranslate(self) -> None:
        """Say all of the panel in the language in use."""
        self._status.lang = _i18n.language()
        self._switch.retranslate()
        self.choice.retranslate()
        self._read.description = _("Read the faces")
        self._run.retranslate()
        self._clip_heading.value = heading(_("The whole clip"))
        self._make.description = _("Make the clip")
        self._judge.description = _("What does the detector say?")
        self.steps.retranslate()
        self._problem.value = fragments.problem(self.error) if self.error else ""
        self.steps.fill()
        if self.state != "running":
            self._show_made()
            self._show_judged()


def _outcome() -> dict[str, str]:
    return {
        "idle": _("Choose, and press Read the faces. Everything stays on this computer."),
        "running": _("Starting …"),
        "done": _("Done."),
        "cancelled": _("Cancelled. Nothing was kept."),
        "error": _("This did not work."),
    }


def _stage_name(stage: str) -> str:
    own = {
        "gallery": _("reading the pictures of the other person"),
        "read": _("reading the expression of the clip"),
        "swap": _("putting the face on, frame by frame"),
    }
    return own.get(stage) or figures.stage_name(stage)
