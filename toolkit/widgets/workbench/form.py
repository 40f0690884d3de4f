"""The form of the workbench: what to analyse, and how it folds once a result is there."""

from __future__ import annotations

from collections.abc import Callable
from html import escape
from pathlib import Path

import ipywidgets

from toolkit import _i18n, figures
from toolkit._i18n import _
from toolkit.classroom import session as classroom
from toolkit.jobs import STAGE_WEIGHTS
from toolkit.media import show_name
from toolkit.storage.cache import Cache
from toolkit.types import Report
from toolkit.widgets.choices import LanguageSwitch
from toolkit.widgets.jobs import JobBar
from toolkit.widgets.styling import classed
from toolkit.widgets.workbench.chooser import Chooser
from toolkit.widgets.workbench.gallery import SampleGallery
from toolkit.widgets.workbench.state import Position

_WEIGHTS = {**STAGE_WEIGHTS, "display": 60.0}  # measured: a copy takes half as long as the rest

EXAMPLE = "planted_cap12"
"""The sample that is shown to whoever opens the panel for the first time."""


class WorkbenchForm:
    """What stands above the result, and what of it can be seen.

    Parameters
    ----------
    cache, uploads
        Where results are kept, and uploaded files.
    start, reopen
        Called to analyse what is chosen, and to show a kept result again.
    on_choice, on_language
        Called when something else is chosen, and once the language has changed.

    Attributes
    ----------
    language, top, choose, gallery, box, run
        The widgets, from the top to the bottom.
    """

    def __init__(
        self,
        cache: Cache,
        uploads: Path,
        *,
        start: Callable[[], None],
        reopen: Callable[[str], None],
        on_choice: Callable[[], None],
        on_language: Callable[[], None],
    ) -> None:
        self._start = start
        self._report: Report | None = None  # the one that the form is folded for
        self.language = LanguageSwitch(on_language)
        self._heading = ipywidgets.HTML()
        self._change = classed(ipywidgets.Button(layout={"width": "auto"}), "dz-change")
        self._change.on_click(lambda _button: self.fold(None))
        self.top = classed(
            ipywidgets.HBox(
                [self._heading, self._change, self.language],
                layout={"flex_flow": "row wrap", "align_items": "center"},
            ),
            "dz-top",
        )
        self.choose = Chooser(uploads, on_choice, start)
        self.gallery = SampleGallery(cache, reopen)
        self.box = classed(ipywidgets.Box([self.choose, self.gallery]), "dz-start")
        self._analyse = classed(ipywidgets.Button(button_style="primary"), "dz-analyse")
        self._analyse.on_click(lambda _button: start())
        self._example = classed(ipywidgets.Button(layout={"width": "auto"}), "dz-example")
        self._example.on_click(lambda _button: self.show_example())
        self.run = JobBar(
            self._analyse,
            self._example,
            words=_outcome,
            weights=_WEIGHTS,
            name_stage=_stage_name,
            takes_turn=False,  # in a class the analysis itself waits, and only for that
        )
        self.run.observe(lambda _change: self._show_run(), "state")

    def show_example(self) -> None:
        """Analyse the planted sample, for which the right answer is known."""
        self.choose.choose(EXAMPLE, is_path=False, detector="seamnet", frames=0)
        self._start()

    @property
    def position(self) -> Position:
        """What is chosen, to be remembered."""
        video, is_path = self.choose.video
        return Position(
            language=_i18n.language(),
            video=video,
            is_path=is_path,
            detector=str(self.choose.detector.value),
            frames=int(self.choose.frames.value),
            entry=self.gallery.current,
        )

    def restore(self, position: Position) -> None:
        """Choose what was chosen before the kernel stopped, as far as that is still there."""
        if position.video:
            self.choose.choose(
                position.video,
                is_path=position.is_path,
                detector=position.detector,
                frames=position.frames,
            )

    def fold(self, report: Report | None) -> None:
        """Fold the form to a line with the name of a report's video; None shows it again."""
        self._report = report
        self.box.layout.display = None if report is None else "none"
        self._change.layout.display = "none" if report is None else None
        self._show_run()
        self._say_heading()

    def _show_run(self) -> None:
        """Show the row of buttons and progress while there is something to start or to stop."""
        is_open = self._report is None
        self.run.layout.display = None if is_open or self.run.state == "running" else "none"
        self._example.layout.display = None if is_open and not self.gallery.count else "none"

    def _say_heading(self) -> None:
        if self._report is None:
            heading = _("What does a detector see in a video?")
        else:
            heading = show_name(self._report.video.path)
        self._heading.value = f"<h2>{escape(heading)}</h2>"

    def retranslate(self) -> None:
        """Say everything in the language in use."""
        self._say_heading()
        self._change.description = _("Choose another video")
        self._example.description = _("Show me with the sample")
        self._example.tooltip = _("A clip in which our own code forged a known part of the face")
        self.language.retranslate()
        self.choose.retranslate()
        self.gallery.refresh()
        self._analyse.description = _("Analyse")
        self.run.retranslate()


class Remark(ipywidgets.HTML):  # type: ignore[misc]  # ipywidgets ships no types
    """A line beside the result; hidden while there is nothing to say."""

    def __init__(self) -> None:
        super().__init__(layout={"display": "none"})
        self.add_class("dz-remark")

    def retranslate(self, text: str) -> None:
        """Say something; an empty text takes back what was said."""
        self.value = f'<p class="dz-note" role="status">{escape(text)}</p>' if text else ""
        self.layout.display = None if text else "none"


def _outcome() -> dict[str, str]:
    idle = _("Choose a video and press Analyse. Everything stays on this computer.")
    if classroom.current() is not None:
        idle = _(
            "Choose a video and press Analyse. It goes to the computer of the class and no further."
        )
    return {
        "idle": idle,
        "running": _("Starting …"),
        "done": _("Done."),
        "cancelled": _("Cancelled."),
        "error": _("This did not work."),
    }


def _stage_name(stage: str) -> str:
    return _("preparing the player") if stage == "display" else figures.stage_name(stage)
