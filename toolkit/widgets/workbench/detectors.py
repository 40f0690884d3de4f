"""The page *Detectors*: add one that others made, check it, measure its threshold, remove it."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from dataclasses import replace
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any

import ipywidgets

from toolkit._i18n import _, language
from toolkit.detectors import registry
from toolkit.detectors.listing import added_names
from toolkit.errors import ToolkitError, UsageError
from toolkit.figures.detectors import list_detectors
from toolkit.messages import text_of
from toolkit.types import Sampling, Tick
from toolkit.widgets.styling import classed
from toolkit.widgets.task import Task

if TYPE_CHECKING:
    from toolkit.detectors.conformance import Canary, Conformance
    from toolkit.detectors.hub import Offered
    from toolkit.detectors.recipe import Draft, Recipe
    from toolkit.evaluation.own_threshold import Threshold

_WIDE = {"width": "auto", "max_width": "640px"}
_STYLE = {"description_width": "12em"}
SIGNS = {"passed": "✓", "failed": "✗", "warning": "!", "skipped": "–"}


def _text(kind: str) -> Any:
    return classed(ipywidgets.Text(layout=_WIDE, style=_STYLE), f"dz-{kind}")


class AddDetector(ipywidgets.VBox):  # type: ignore[misc]  # ipywidgets ships no types
    """Asks for a source, then only what its files do not tell, then checks and adds it.

    Parameters
    ----------
    on_added
        Called after a detector was added.
    """

    def __init__(self, on_added: Callable[[], None]) -> None:
        self._on_added = on_added
        self._work = tempfile.TemporaryDirectory(prefix="doorzicht-")
        self.draft: Draft | None = None
        self._offered: Offered | None = None
        self.name, self.source = _text("detector-name"), _text("detector-source")
        self.network = _text("detector-network")
        self.preset = ipywidgets.Dropdown(layout=_WIDE, style=_STYLE)
        self.fake, self.real = _text("detector-fake"), _text("detector-real")
        self.normalise = ipywidgets.Dropdown(layout=_WIDE, style=_STYLE)
        self.crop = ipywidgets.Dropdown(layout=_WIDE, style=_STYLE)
        self.margin = ipywidgets.BoundedFloatText(
            value=0.15, min=0, max=2, step=0.01, layout=_WIDE, style=_STYLE
        )
        self.size = ipywidgets.BoundedIntText(
            value=224, min=16, max=1024, layout=_WIDE, style=_STYLE
        )
        self.genuine, self.forged = _text("canary-real"), _text("canary-fake")
        self.expected = _text("canary-logits")
        self._told, self._points = ipywidgets.HTML(), classed(ipywidgets.HTML(), "dz-points")
        self.look = Task(self._look_name, self._look, self._on_draft, weights={"read": 1})
        self.add = Task(
            lambda: _("Check and add"), self._add, self._on_recipe, weights={"check": 1}
        )
        self._questions = ipywidgets.VBox()
        self._canaries = ipywidgets.VBox([self.genuine, self.forged, self.expected])
        self._second = ipywidgets.VBox([self._questions, self._canaries, self.add])
        super().__init__(
            [
                self.name,
                self.source,
                self.network,
                self.preset,
                self.look,
                self._told,
                self._second,
                self._points,
            ]
        )
        self._second.layout.display = "none"
        self.retranslate()

    def retranslate(self) -> None:
        """Say everything in the language in use."""
        from toolkit.detectors import presets
        from toolkit.detectors.reading import NORMALISATIONS

        self.name.description, self.name.placeholder = _("Name"), _("for example gend-clip")
        self.source.description = _("Folder or file")
        self.source.placeholder = _("path, hub:OWNER/NAME or gend:clip-l")
        self.network.description = _("timm's name")
        self.network.placeholder = _("only for a file of weights")
        self.preset.description = _("Published as")
        none = (_("nothing that is listed"), "")
        rows = [(p.title, p.name) for p in presets.read_all().values()]
        self._offer(self.preset, [none, *rows])
        self.fake.description = _("Outputs: fake")
        self.real.description = _("Outputs: real")
        self.normalise.description = _("Normalisation")
        choose = (_("choose …"), "")  # a guess that nobody made is the classic mistake
        self._offer(self.normalise, [choose, *((n, n) for n in NORMALISATIONS)])
        self.crop.description = _("Crop round")
        kinds = {"oval": _("the face oval"), "box": _("the face detector's box")}
        kinds["five_points"] = _("five points, turned upright")
        self._offer(self.crop, [choose, *((title, kind) for kind, title in kinds.items())])
        self.margin.description, self.size.description = _("Margin per side"), _("Size in pixels")
        self.genuine.description, self.forged.description = (
            _("Genuine picture"),
            _("Forged picture"),
        )
        self.expected.description = _("Their logits")
        self.expected.placeholder = _("as published, for example -2.1 3.4; may stay empty")
        for task in (self.look, self.add):
            task.retranslate()

    @staticmethod
    def _offer(menu: Any, options: list[tuple[str, str]]) -> None:
        chosen = menu.value
        menu.options = options
        values = [value for _title, value in options]
        menu.value = chosen if chosen in values else values[0]

    # -- first step: what do the files tell?

    def _look_name(self) -> str:
        if self._offered is not None:
            return _("Fetch {mb:.0f} MB").format(mb=self._offered.bytes / 1e6)
        return _("Look at it")

    def _look(self, tick: Tick) -> Draft | None:
        from toolkit.detectors import added, presets

        tick("read", 0, 1)
        source = self.source.value.strip().strip("\"'")
        if not source:
            raise UsageError("no file was given", "", "Give a folder or a file.")
        agreed, self._offered = self._offered, None
        shown: list[Offered] = []

        def confirm(offered: Offered) -> bool:
            shown.append(offered)
            return agreed == offered

        network = self.network.value.strip() or None
        if network is None and self.preset.value:
            network = presets.read(self.preset.value).network
        try:
            return added.draft_of(
                source, work=Path(self._work.name), network=network, confirm=confirm
            )
        except UsageError:
            if not shown or agreed == shown[0]:
                raise
            self._offered = shown[0]  # the next click fetches what is shown now
            return None

    def _on_draft(self, draft: Draft | None) -> None:
        self.draft = draft
        self.look.retranslate()
        if draft is None:
            self._told.value = self._offer_text()
            return
        asked = {q.field: q for q in draft.open_questions(self._preset())}
        rows = {
            "answer": [self.fake, self.real],
            "reading": [self.normalise],
            "spec": [self.crop, self.margin],
            "size": [self.size],
        }
        fields = [w for field, widgets in rows.items() if field in asked for w in widgets]
        self._questions.children = fields
        facts = "".join(f"<li>{escape(q.text.text())}</li>" for q in asked.values())
        told = f"{draft.route}: {draft.known.get('title', '')}"
        if not asked:
            facts = f"<li>{escape(_('The files tell all that must be known.'))}</li>"
        self._told.value = f'<div lang="{language()}"><b>{escape(told)}</b><ul>{facts}</ul></div>'
        self._second.layout.display = None

    def _offer_text(self) -> str:
        offered = self._offered
        assert offered is not None
        rows = [
            (_("licence"), offered.licence or _("not stated")),
            (_("size"), f"{offered.bytes / 1e6:.1f} MB"),
            (_("revision"), offered.revision),
        ]
        items = "".join(f"<li>{escape(k)}: {escape(v)}</li>" for k, v in rows)
        return f'<div lang="{language()}"><b>{escape(offered.repo)}</b><ul>{items}</ul></div>'

    def _preset(self) -> dict[str, Any]:
        from toolkit.detectors import presets

        found = presets.read(self.preset.value).given() if self.preset.value else {}
        if "crop" in found:
            found["spec"] = True
        if self.draft is not None and self.draft.route == "gend":
            found["spec"] = True
        return found

    # -- second step: check and add

    def _add(self, tick: Tick) -> Recipe:
        from toolkit.detectors import added

        if self.draft is None:
            raise UsageError("no file was given", "", "Give a folder or a file.")
        self._points.value = ""
        recipe, _found = added.add_checked(
            self.name.value.strip(),
            self.draft,
            self._given(),
            self._read_canaries(),
            on_points=self._show,
            tick=tick,
        )
        return recipe

    def _given(self) -> dict[str, Any]:
        from toolkit.detectors.reading import Answer, Reading

        asked = set(self._questions.children)
        given: dict[str, Any] = {"preset": self.preset.value or None}
        if self.fake in asked:
            given["answer"] = Answer(_numbers(self.fake.value), _numbers(self.real.value))
        if self.normalise in asked and self.normalise.value:
            given["reading"] = Reading.named(self.normalise.value)
        if self.crop in asked and self.crop.value:
            given |= {"crop": self.crop.value, "margin": self.margin.value}
        if self.size in asked:
            given["size"] = self.size.value
        return given

    def _read_canaries(self) -> list[Canary]:
        from toolkit.detectors.conformance import read_canary
        from toolkit.training.data import read_picture

        expected = [float(t) for t in self.expected.value.replace(",", " ").split()]
        found: list[Canary] = []
        for field, is_fake in ((self.genuine, False), (self.forged, True)):
            text = field.value.strip().strip("\"'")
            if not text:
                continue
            rgb = read_picture(Path(text).expanduser())
            if rgb is None:
                raise UsageError("this is no picture that can be read", text, "Give JPEG or PNG.")
            found.append(read_canary(rgb, is_fake=is_fake))
        if expected and len(expected) != len(found):
            raise UsageError("each picture needs its logit", self.expected.value, "")
        return [replace(c, expected=z) for c, z in zip(found, expected, strict=True)] or found

    def _show(self, found: Conformance) -> None:
        self._points.value = points_html(found)

    def _on_recipe(self, recipe: Recipe) -> None:
        text = _("{name} was added. Choose it in the list of detectors.").format(name=recipe.name)
        self._told.value = f'<p class="dz-note" lang="{language()}">{escape(text)}</p>'
        self._second.layout.display = "none"
        self.draft = None
        self._on_added()


def _numbers(text: str) -> tuple[int, ...]:
    try:
        return tuple(int(part) for part in text.replace(",", " ").split())
    except ValueError:
        raise UsageError("these are no numbers of outputs", text[:40], "For example 1.") from None


def points_html(found: Conformance) -> str:
    """Return what a check found, and the logits under each other reading, as HTML."""
    points = "".join(
        f'<li class="dz-{p.state}">{SIGNS[p.state]} {escape(text_of(p.text))}</li>'
        for p in found.points
    )
    table = ""
    if len(found.readings) > 1:
        rows = "".join(
            f"<tr><th>{escape(name)}</th>" + "".join(f"<td>{z:+.2f}</td>" for z in logits) + "</tr>"
            for name, logits in found.readings.items()
        )
        caption = escape(_("logits of these pictures, read otherwise"))
        table = f"<table><caption>{caption}</caption>{rows}</table>"
    return f'<div lang="{language()}"><ul class="dz-plain">{points}</ul>{table}</div>'


class KeptDetectors(ipywidgets.VBox):  # type: ignore[misc]  # ipywidgets ships no types
    """The list of detectors; for those that were added, the threshold and removal.

    Parameters
    ----------
    on_change
        Called after a detector was removed or its threshold measured.
    """

    def __init__(self, on_change: Callable[[], None]) -> None:
        self._on_change = on_change
        self._list = classed(ipywidgets.HTML(), "dz-detectors")
        self.which = ipywidgets.Dropdown(layout=_WIDE, style=_STYLE)
        self.which.observe(lambda _change: self._offer_removal(), "value")
        self.remove = ipywidgets.Button(layout={"width": "auto"})
        self.remove.on_click(lambda _button: self._remove())
        self.folder = _text("genuine-folder")
        self.measure = Task(
            lambda: _("Measure the threshold"),
            self._measure,
            self._on_threshold,
            weights={"threshold": 1},
        )
        self._told = ipywidgets.HTML()
        self._own = ipywidgets.VBox([self.which, self.folder, self.measure, self.remove])
        super().__init__([self._list, self._own, self._told])
        self.retranslate()

    def retranslate(self) -> None:
        """Say everything in the language in use, and read the list anew."""
        rows = list_detectors()
        self._list.value = (
            f'<ul class="dz-plain" lang="{language()}">'
            + "".join(
                f"<li><b>{escape(r['name'])}</b> {escape(r['title'])}"
                + "".join(f"<br>{escape(line)}" for line in r["facts"])
                + "</li>"
                for r in rows
            )
            + "</ul>"
        )
        here, chosen = registry.available(), self.which.value
        mine = [r["name"] for r in rows if r["kind"] == "added"]
        # of any can be measured; those that were added come first, as only they can be removed
        names = [*mine, *(n for n in here if n not in mine)]
        new = [n for n in mine if n not in self.which.options] if self.which.options else []
        self.which.options = names
        if names:
            usual = chosen if chosen in names else names[0]
            self.which.value = new[0] if new else usual  # what was just added comes next
        self.which.description = _("Detector")
        self.folder.description = _("Genuine clips")
        self.folder.placeholder = _("a folder with genuine clips of your own")
        self.remove.description = _("Remove this detector")
        self._own.layout.display = None if names else "none"
        self._offer_removal()
        self.measure.retranslate()

    def _offer_removal(self) -> None:
        self.remove.disabled = self.which.value not in added_names()

    def _measure(self, tick: Tick) -> Threshold:
        from toolkit.evaluation import own_threshold

        clips = own_threshold.find_clips(Path(self.folder.value.strip()).expanduser())
        detector = registry.load(str(self.which.value), stand_in=False)
        found = own_threshold.measure(detector, clips, sampling=Sampling(), tick=tick)
        own_threshold.keep(detector, found)
        return found

    def _on_threshold(self, found: Threshold) -> None:
        text = _(
            "threshold {value:.3f}, 90 % interval {low:.3f} to {high:.3f}, from {n} genuine clips"
        ).format(
            value=found.value,
            low=found.measured.low,
            high=found.measured.high,
            n=found.measured.clips,
        )
        self._told.value = f'<p class="dz-note" lang="{language()}">{escape(text)}</p>'
        self.retranslate()
        self._on_change()

    def _remove(self) -> None:
        from toolkit.detectors import added

        try:
            kept = added.remove(str(self.which.value))
            text = _("{name} was removed. Until another is removed its files lie in {folder}.")
            text = text.format(name=self.which.value, folder=kept)
        except (ToolkitError, OSError) as error:
            text = text_of(error)
        self._told.value = f'<p class="dz-note" lang="{language()}">{escape(text)}</p>'
        self.retranslate()
        self._on_change()


class Detectors(ipywidgets.VBox):  # type: ignore[misc]  # ipywidgets ships no types
    """The page: the list, and the form that adds one.

    Parameters
    ----------
    on_change
        Called after the list of detectors changed.
    """

    def __init__(self, on_change: Callable[[], None] = lambda: None) -> None:
        self._on_change = on_change
        self.kept = KeptDetectors(on_change)
        self.add = AddDetector(self._added)
        self._heading = ipywidgets.HTML()
        super().__init__([self.kept, self._heading, self.add])
        self.add_class("dz-detectors-page")
        self.retranslate()

    def __repr__(self) -> str:
        """Return a line; ipywidgets' own would print every field."""
        return "Detectors()"

    def retranslate(self) -> None:
        """Say everything in the language in use."""
        self._heading.value = f'<h4 lang="{language()}">{escape(_("Add a detector"))}</h4>'
        self.kept.retranslate()
        self.add.retranslate()

    def _added(self) -> None:
        self.kept.retranslate()
        self._on_change()
