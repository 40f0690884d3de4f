"""The search for a picture, and the swap step by step: what the forge lab shows of one moment."""

from __future__ import annotations

import json
from collections.abc import Mapping
from html import escape
from typing import Any

import ipywidgets
import numpy as np

from toolkit import media, models
from toolkit._i18n import _
from toolkit.errors import ToolkitError
from toolkit.faces.crops import face_width
from toolkit.figures import forge as words
from toolkit.forge import expression
from toolkit.forge import swap as forge
from toolkit.forge.expression import ExpressionGallery
from toolkit.forge.swap import BLENDINGS, BREAKS, COLOURS, MOUTHS, Performance, SwapRecipe
from toolkit.widgets import html as fragments
from toolkit.widgets.chart import Chart
from toolkit.widgets.choices import Menu
from toolkit.widgets.lessons import forge_html
from toolkit.widgets.lessons.forge_choice import STYLE, WIDE, heading
from toolkit.widgets.styling import classed

CURVE_SIZES = (5, 15, 50, 150, 500, 1000)
MATCHES = 10
MEASURED = models.ROOT / "notebooks" / "lessons" / "match_curve.json"
"""The curve up to 4,000 pictures, measured once; the lab's own goes as far as its gallery."""


class ForgeSteps(ipywidgets.VBox):  # type: ignore[misc]  # ipywidgets ships no types
    """One moment of a performance, how its picture is found, and each step of the swap.

    Attributes
    ----------
    performance, gallery
        What was read; None before.
    is_paused
        Whether the controls draw nothing, because a job is at work.
    """

    def __init__(self) -> None:
        self.is_paused = False
        self.performance: Performance | None = None
        self.gallery: ExpressionGallery | None = None
        self._video: Any = None
        self._frame: tuple[int, Any] | None = None
        self._moment_heading, self._steps_heading = ipywidgets.HTML(), ipywidgets.HTML()
        self.moment = classed(_slider(min=0, max=1), "dz-moment")
        self._matches = classed(ipywidgets.HTML(), "dz-search")
        self._curve_button = classed(ipywidgets.Button(), "dz-curve-button")
        self._curve_button.on_click(lambda _button: self.show_curve())
        self._curve, self._tables = Chart(), ipywidgets.HTML()
        curve = classed(ipywidgets.VBox([self._curve, self._tables]), "dz-curve")
        self.spoil = classed(Menu(layout=WIDE, style=STYLE), "dz-break")
        self.colour, self.blend, self.mouth = (Menu(layout=WIDE, style=STYLE) for _n in range(3))
        self.strength = _slider(value=100, step=10, min=0, max=100)
        self.erode = _slider(value=3, min=0, max=20)
        self.feather = _slider(value=10, min=0, max=30)
        self.crf = classed(_slider(value=20, min=10, max=45), "dz-crf")
        settings = (
            self.spoil,
            self.colour,
            self.strength,
            self.mouth,
            self.erode,
            self.feather,
            self.blend,
            self.crf,
        )
        for control in (self.moment, *settings):
            if isinstance(control, Menu):
                control.on_choose(lambda _value: self.fill())
            else:
                control.observe(lambda _change: self.fill(), "value")
        self._steps = classed(ipywidgets.HTML(), "dz-steps")
        super().__init__(
            [
                self._moment_heading,
                self.moment,
                self._matches,
                self._curve_button,
                curve,
                self._steps_heading,
                *settings,
                self._steps,
            ],
            layout={"display": "none"},
        )
        self.add_class("dz-forge-steps")

    @property
    def recipe(self) -> SwapRecipe:
        """The settings of the sliders, with the chosen step spoiled."""
        return forge.broken(
            SwapRecipe(
                colour=self.colour.value,
                colour_strength=self.strength.value / 100,
                mouth=self.mouth.value,
                erode=self.erode.value / 100,
                feather=self.feather.value / 100,
                blend=self.blend.value,
                crf=self.crf.value,
            ),
            self.spoil.value,
        )

    @property
    def face_width(self) -> float | None:
        """Width in pixels of the face at the chosen moment; None without one."""
        performance, moment = self.performance, int(self.moment.value)
        if performance is None or not performance.has_face[moment]:
            return None
        return face_width(performance.mesh[moment])

    def show(self, video: Any, performance: Performance, gallery: ExpressionGallery) -> None:
        """Show what was read, at a moment a third into it."""
        self._video, self._frame = video, None
        self._curve.layout.display, self._tables.value = "none", ""
        count = len(performance.indices)
        self.moment.max, self.moment.value = count - 1, count // 3
        self.performance, self.gallery = performance, gallery
        self.layout.display = None
        self._fill()

    def show_curve(self) -> None:
        """Show how the best match improves with more pictures, for what was read."""
        if self.performance is None or self.gallery is None:
            return
        from toolkit.evaluation.studies.swaps import match_curve

        sizes = sorted({s for s in CURVE_SIZES if s < len(self.gallery)} | {len(self.gallery)})
        curves: list[Mapping[str, Any]] = [match_curve(self.performance, self.gallery, sizes=sizes)]
        if MEASURED.is_file():
            curves.append(json.loads(MEASURED.read_text(encoding="utf-8")))
        self._curve.draw(words.curve_figure(*curves))
        self._curve.layout.display = None
        self._tables.value = "".join(forge_html.fold(words.curve_table(c)) for c in curves)

    def fill(self) -> None:
        """Show the moment with the settings as they are, or what is wrong with it."""
        if self.is_paused:
            return
        try:
            self._fill()
        except (ToolkitError, OSError) as error:
            self._steps.value = fragments.problem(error)

    def _fill(self) -> None:
        performance, gallery = self.performance, self.gallery
        if performance is None or gallery is None:
            return
        moment = int(self.moment.value)
        if not performance.has_face[moment]:
            note = escape(_("There is no face in this frame: it stays as it is."))
            self._matches.value = self._steps.value = f"<p>{note}</p>"
            return
        reading, recipe = performance.at(moment), self.recipe
        matches = expression.search(gallery, reading, k=MATCHES, target_rest=performance.rest)
        about = escape(words.gallery_sentence(gallery))
        self._matches.value = (
            f"<p>{about}</p>"
            + forge_html.matches(gallery, matches)
            + forge_html.expressions(reading, gallery, matches)
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

    def retranslate(self) -> None:
        """Say everything in the language in use."""
        self._moment_heading.value = heading(_("Search: which picture has this expression?"))
        self.moment.description = _("Moment (frame)")
        self._curve_button.description = _("How much do more pictures help?")
        self._steps_heading.value = heading(_("Step by step"))
        self.spoil.description = _("Spoil on purpose")
        self.colour.description = _("Match the colours by")
        self.strength.description = _("Strength (of 100)")
        self.mouth.description = _("Inside of the mouth")
        self.erode.description = _("Mask begins inside by")
        self.feather.description = _("Width of the soft edge")
        for slider in (self.erode, self.feather):
            slider.tooltip = _("In hundredths of the face's width")
        self.blend.description = _("Blend by")
        self.crf.description = _("Compression (CRF)")
        self.spoil.rename([(words.break_title(b), b) for b in BREAKS], "none")
        for menu, setting, values in (
            (self.colour, "colour", COLOURS),
            (self.mouth, "mouth", MOUTHS),
            (self.blend, "blend", BLENDINGS),
        ):
            menu.rename([(words.choice_title(setting, v), v) for v in values])
        if self._tables.value:
            self.show_curve()


def _slider(**limits: int) -> Any:
    return ipywidgets.IntSlider(continuous_update=False, layout=WIDE, style=STYLE, **limits)
