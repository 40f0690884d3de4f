"""What is analysed and by whom: a sample, a path or a small upload, and the detector."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from html import escape
from pathlib import Path
from typing import Any

import ipywidgets

from toolkit import samples
from toolkit._i18n import _
from toolkit.classroom import session as classroom
from toolkit.detectors import registry
from toolkit.errors import ToolkitError, UsageError
from toolkit.figures.detectors import title_of
from toolkit.files import atomic_write
from toolkit.media import show_name
from toolkit.messages import phrase
from toolkit.types import Report, Sampling
from toolkit.widgets import html as fragments
from toolkit.widgets.styling import classed
from toolkit.widgets.workbench.class_upload import ClassUpload, safe_name

DETECTORS = ("seamnet", "seamnet-small", "meso4", "mesoinception4")
FRAMES = (16, 40, 80, 160)

UPLOAD_MAX = 8_000_000
"""Bytes. The notebook server refuses messages above 10 MB without telling anyone."""

_OWN = ""  # value of the menu for "a video of my own"; samples have names
_WIDE = {"width": "auto", "max_width": "640px"}
_STYLE = {"description_width": "11em"}


@dataclass(frozen=True)
class AnalysisRequest:
    """One analysis as the user asked for it."""

    video: Path
    detector: str
    sampling: Sampling


def detector_title(name: str) -> str:
    """Return what people call a detector, and what it is."""
    return {
        "seamnet": _("SeamNet (comes with Doorzicht)"),
        "seamnet-small": _("Small SeamNet (faster, misses more)"),
        "meso4": _("Meso4 (2018, a teaching example)"),
        "mesoinception4": _("MesoInception4 (2018, a teaching example)"),
        "lrnet": _("LRNet (2021, landmarks over time, experimental)"),
        "lrnet_ff": _("LRNet, other weights (2021, experimental)"),
    }.get(name) or title_of(name)


def offered() -> tuple[str, ...]:
    """Return the names in the menu: ours, then those that were added, registered or plugged in."""
    here = registry.available()
    others = (n for n in registry.names() if n not in registry.NAMES)
    return (*DETECTORS, *(n for n in registry.LRNETS if n in here), *others)


class Chooser(ipywidgets.VBox):  # type: ignore[misc]  # ipywidgets ships no types
    """Controls that name a video, a detector and how many moments are read.

    Parameters
    ----------
    uploads
        Folder into which uploaded files are put.
    on_change
        Called when another choice was made.
    on_enter
        Called when a path was given and Enter pressed.
    """

    def __init__(
        self, uploads: Path, on_change: Callable[[], None], on_enter: Callable[[], None]
    ) -> None:
        self._uploads, self._on_change, self._on_enter = uploads, on_change, on_enter
        self.sample = classed(ipywidgets.Dropdown(layout=_WIDE, style=_STYLE), "dz-sample")
        self.path = classed(ipywidgets.Text(layout=_WIDE, style=_STYLE), "dz-path")
        self.path.observe(self._on_path, "value")
        self.path.on_msg(self._on_path_message)
        self.upload = classed(
            ipywidgets.FileUpload(accept="video/*", layout={"width": "auto"}), "dz-upload"
        )
        self.upload.observe(self._on_upload, "value")
        self._uploaded = classed(ipywidgets.HTML(), "dz-uploaded")
        self.detector = classed(ipywidgets.Dropdown(layout=_WIDE, style=_STYLE), "dz-detector")
        self.frames = classed(ipywidgets.Dropdown(layout=_WIDE, style=_STYLE), "dz-frames")
        self._how = classed(ipywidgets.HTML(), "dz-how")
        self._weights = classed(ipywidgets.Text(layout=_WIDE, style=_STYLE), "dz-weights")
        self._add = classed(ipywidgets.Button(layout={"width": "auto"}), "dz-add")
        self._add.on_click(lambda _button: self.add_weights())
        self._missing = ipywidgets.VBox([self._how, self._weights, self._add])
        self.manage = classed(ipywidgets.ToggleButton(layout={"width": "auto"}), "dz-manage")
        self.manage.observe(self._on_manage, "value")
        self._page: Any = None  # made when it is first asked for
        self._options = ipywidgets.VBox([self.detector, self._missing, self.frames, self.manage])
        self.more = classed(ipywidgets.ToggleButton(layout={"width": "auto"}), "dz-options")
        self.more.observe(self._on_more, "value")
        self._class = classroom.current()
        self._class_upload: ClassUpload | None = None
        if self._class is not None:  # whoever sits elsewhere names no files of this computer
            for widget in (self.path, self.manage, self.upload):
                widget.layout.display = "none"
            self._class_upload = ClassUpload(uploads, self._on_video, self._on_upload_problem)
        self._problem: ToolkitError | OSError | None = None
        self._upload_problem: ToolkitError | OSError | None = None
        super().__init__(
            [
                self.sample,
                self.path,
                ipywidgets.HBox(
                    [self._class_upload or self.upload, self.more, self._uploaded],
                    layout={"flex_flow": "row wrap"},
                ),
                self._options,
            ]
        )
        self.add_class("dz-choose")
        self._show_options()
        self.retranslate()
        for menu in (self.sample, self.detector, self.frames):
            menu.observe(self._on_menu, "value")

    # -- what was chosen

    def asked(self) -> AnalysisRequest:
        """Return what was chosen.

        Raises
        ------
        ToolkitError
            If no video was chosen, the sample is not here, or the detector's weights are missing.
        """
        detector = str(self.detector.value)
        if detector not in registry.available():
            raise UsageError(
                "the weights of this detector are not here",
                detector,
                "Give its published file as described beside the menu, or choose SeamNet.",
            )
        moments = Sampling(frames=self.frames.value) if self.frames.value else Sampling()
        video = self._video()
        if self._class is not None:
            self._class.check(video)
        return AnalysisRequest(video, detector, moments)

    def _video(self) -> Path:
        if self._class is not None and self.sample.value in map(str, self._class.offered()):
            return Path(self.sample.value)
        if self.sample.value != _OWN:
            return samples.path(self.sample.value)
        # what a file manager copies may stand between quotes
        text = self.path.value.strip().strip("\"'")
        if not text:
            remedy = "Choose a sample, or give the path of a video."
            if self._class is not None:
                remedy = "Choose one from the menu, or upload a video."
            raise UsageError("no video was chosen", "", remedy)
        return Path(text).expanduser() if text.startswith("~") else Path(text)

    @property
    def video(self) -> tuple[str, bool]:
        """The chosen sample's name, or the path as typed and True."""
        is_path = self.sample.value == _OWN
        return (self.path.value if is_path else str(self.sample.value)), is_path

    def choose(self, video: str, *, is_path: bool, detector: str, frames: int) -> None:
        """Choose again what was chosen before, as far as it is still there."""
        if is_path:
            self.path.value = video
            self.sample.value = _OWN
        elif video in [name for _title, name in self.sample.options]:
            self.sample.value = video
        if detector in offered():
            self.detector.value = detector
        if frames in FRAMES or frames == 0:
            self.frames.value = frames

    def follow(self, report: Report) -> None:
        """Choose what is on screen: 'Analyse' must not mean another clip than the one shown.

        Nor another detector: where one stood in for the chosen one, that stays chosen. Another
        click asks the same question again, and the cache knows the answer.
        """
        path = report.video.path
        known = samples.names(present=True)
        names = [name for _title, name in self.sample.options if name]
        present = {samples.path(n) if n in known else Path(n): n for n in names}
        judge = report.settings.get("detector", {})
        name = present.get(path) or present.get(path.resolve())
        self.choose(
            name or str(path),
            is_path=name is None,
            detector=str(judge.get("instead_of") or judge.get("name", "")),
            frames=int(self.frames.value or 0),
        )

    # -- in words

    def retranslate(self) -> None:
        """Say everything in the language in use; what was chosen stays chosen."""
        self.sample.description = _("Video")
        self.path.description = _("Path of own video")
        self.path.placeholder = _("for example C:\\videos\\clip.mp4 or /home/me/clip.mp4")
        limit = round(UPLOAD_MAX / 1e6)
        self.upload.description = _("Upload a small video (up to {n} MB)").format(n=limit)
        self.upload.tooltip = _("For a larger file, give its path instead.")
        if self._class_upload is not None:
            self._class_upload.retranslate()
        self.detector.description = _("Detector")
        self.frames.description = _("Frames per person")
        self.more.description = _("More options")
        self._weights.description = _("Published file")
        self._weights.placeholder = _("path of the .h5 file")
        self._add.description = _("Check and add this file")
        chosen, detector, frames = self.sample.value, self.detector.value, self.frames.value
        present = [(_(samples.card(name).title), name) for name in samples.names(present=True)]
        if self._class is None:
            own = _("A video of my own (path or upload)")
        else:
            own = _("A video of my own (upload)")
            present += [(show_name(clip), str(clip)) for clip in self._class.offered()]
        menu = [*present, (own, _OWN)]
        self.sample.options = menu
        self.sample.value = chosen if chosen in [name for _title, name in menu] else menu[0][1]
        names = offered()
        self.detector.options = [(detector_title(name), name) for name in names]
        self.detector.value = detector if detector in names else DETECTORS[0]
        self.manage.description = _("Add or check detectors …")
        if self._page is not None:
            self._page.retranslate()
        self.frames.options = [(_("by length (usual)"), 0), *((str(n), n) for n in FRAMES)]
        self.frames.value = frames or 0
        self._say_missing()
        self._say_upload()

    def _say_missing(self) -> None:
        name = str(self.detector.value)
        is_missing = name not in registry.available()
        if is_missing:
            self.more.value = True
        other = registry.substitute(name)
        if not is_missing and other is None:
            self._how.value = ""
            self._missing.layout.display = "none"
            return
        self._missing.layout.display = None
        files = {"meso4": "Meso4_DF.h5", "mesoinception4": "MesoInception_DF.h5"}
        if is_missing and self._class is not None:
            text = _("This detector is not on the computer of the class. Choose another one.")
        elif name in files:
            text = _(
                "This detector's weights do not come with Doorzicht. Get {file} from its authors "
                "(github.com/DariusAf/MesoNet, folder weights), and give its path here. The file "
                "is checked against the published one and converted; nothing in it is run."
            ).format(file=files[name])
        elif is_missing:
            text = _("The weights of this detector are missing. Run: python start.py setup")
        else:
            text = _(
                "A file of this detector is not here: {why} The small SeamNet judges in its place "
                "and misses more. Run: python start.py setup"
            ).format(why=other[1].text() if other else "")
        note = f'<p class="dz-note">{escape(text)}</p>'
        self._how.value = note + (fragments.problem(self._problem) if self._problem else "")
        can_add = name in files and self._class is None
        for widget in (self._weights, self._add):
            widget.layout.display = None if can_add else "none"

    def _say_upload(self) -> None:
        if self._upload_problem is not None:
            self._uploaded.value = fragments.problem(self._upload_problem)
        elif self._class is not None and self.path.value:  # the path itself is not shown
            self._uploaded.value = f"<span>{escape(show_name(Path(self.path.value)))}</span>"
        else:
            self._uploaded.value = ""

    # -- what the user does

    def add_weights(self) -> None:
        """Check the file that was given, convert it, and offer its detector."""
        self._problem = None
        if self._class is not None:
            return
        text = self._weights.value.strip().strip("\"'")
        try:
            if not text:
                raise UsageError("no file was given", "", "Give the path of the .h5 file.")
            name, _where = registry.add_weights(Path(text).expanduser())
        except (ToolkitError, OSError) as error:
            self._problem = error
        else:
            if name in DETECTORS:
                self.detector.value = name
        self._say_missing()

    def _on_menu(self, _change: Any) -> None:
        self._problem = None
        self._say_missing()
        self._on_change()

    def _on_manage(self, _change: Any) -> None:
        if self._class is not None:  # a page can send what it does not show
            return
        if self._page is None:
            from toolkit.widgets.workbench.detectors import Detectors

            self._page = Detectors(self.retranslate)
            self._options.children = (*self._options.children, self._page)
        self._page.layout.display = None if self.manage.value else "none"

    def _on_more(self, _change: Any) -> None:
        self._show_options()

    def _show_options(self) -> None:
        self._options.layout.display = None if self.more.value else "none"

    def _on_path_message(self, _widget: Any, content: Any, _buffers: Any) -> None:
        is_enter = isinstance(content, dict) and content.get("event") == "submit"
        if is_enter and self.path.value.strip():
            self._on_enter()

    def _on_path(self, change: Any) -> None:
        if change["new"].strip():
            self.sample.value = _OWN
            self._on_change()

    def _on_video(self, video: Path) -> None:
        """Choose what a class uploaded."""
        self._upload_problem = None
        self.path.value = str(video)
        self._say_upload()

    def _on_upload_problem(self, error: ToolkitError | OSError) -> None:
        self._upload_problem = error
        self._say_upload()

    def _on_upload(self, change: Any) -> None:
        if not change["new"] or self._class is not None:  # there parts come, see `ClassUpload`
            return
        (given,) = change["new"][:1]
        try:
            self._upload_problem = None
            self.path.value = str(_store(given, self._uploads))
        except (ToolkitError, OSError) as error:
            self._upload_problem = error
        self.upload.value = ()  # the bytes are on disk; the widget would keep them in memory
        self._say_upload()


def _store(given: Any, folder: Path) -> Path:
    """Write an uploaded file under a safe name of its own; return where."""
    content, name = bytes(given["content"]), show_name(str(given["name"]))
    remedy = "Give the path of the file instead."
    if len(content) > UPLOAD_MAX:
        raise UsageError(
            "this file is too large to upload",
            phrase("{name}, {size:.1f} MB", name=name, size=len(content) / 1e6),
            "{limit:.0f} MB. {more}",
            limit=UPLOAD_MAX / 1e6,
            more=phrase(remedy),
        )
    if len(content) != given["size"] or not content:
        raise UsageError("this file did not arrive completely", name, remedy)
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    where = folder / safe_name(str(given["name"]))
    atomic_write(where, content)
    return where
