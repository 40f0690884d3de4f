"""Whose expression and whose face: the choices of the forge lab."""

from __future__ import annotations

from dataclasses import dataclass
from html import escape
from typing import Any

import ipywidgets
import numpy as np

from toolkit import media, samples
from toolkit._i18n import _, ngettext
from toolkit.errors import UsageError
from toolkit.forge import expression
from toolkit.forge.expression import ExpressionGallery
from toolkit.types import Tick
from toolkit.widgets.choices import Menu
from toolkit.widgets.lessons.webcam import Webcam
from toolkit.widgets.styling import classed

PICTURES = (5, 50, 200, 500, 1000)
SECONDS = (2, 4, 8, 16)
UPLOAD_MAX = 8_000_000
"""Bytes of all pictures together. The notebook server refuses messages above 10 MB silently."""

OWN = ""
"""Value of the menu for pictures of one's own; samples have names."""

WIDE, STYLE = {"width": "100%", "max_width": "680px"}, {"description_width": "16em"}


@dataclass(frozen=True)
class ForgeRequest:
    """What is to be read.

    Attributes
    ----------
    target, start_s, end_s
        The sample whose expression stays, and the part of it.
    faces, count
        The sample whose face is put on, `OWN` for `pictures`, and how many of its frames.
    pictures
        Names and contents of the user's own pictures.
    is_agreed
        Whether the user said that they may be used.
    """

    target: str
    start_s: float
    end_s: float
    faces: str
    count: int
    pictures: tuple[tuple[str, bytes], ...]
    is_agreed: bool

    def read_gallery(self, tick: Tick) -> ExpressionGallery:
        """Read the pictures of the other person.

        Raises
        ------
        UsageError
            If own pictures are meant and nobody agreed, or there are none.
        """
        if self.faces != OWN:
            return expression.read_clip(
                samples.path(self.faces),
                per_second=max(self.count - 1, 1) / length_s(self.faces),
                name=self.faces,
                tick=tick,
            )
        if not self.is_agreed:
            raise UsageError(
                "nobody said that the person agreed",
                "",
                "Read the line with the box and tick it.",
            )
        if not self.pictures:
            raise UsageError("no pictures were given", "", "Add pictures of the face.")
        return expression.read_pictures(list(self.pictures), name=_("own pictures"), tick=tick)


class ForgeChoice(ipywidgets.VBox):  # type: ignore[misc]  # ipywidgets ships no types
    """Choose a clip, a part of it, and the face that is put on.

    Pictures of one's own stay in the kernel alone: a widget's state can be saved with a notebook.
    """

    def __init__(self) -> None:
        self._pictures: list[tuple[str, bytes]] = []
        self._heading = ipywidgets.HTML()
        self.target = classed(Menu(layout=WIDE, style=STYLE), "dz-target")
        self.start = classed(
            ipywidgets.FloatSlider(
                min=0, max=60, step=0.5, continuous_update=False, layout=WIDE, style=STYLE
            ),
            "dz-start",
        )
        self.seconds = classed(Menu(layout=WIDE, style=STYLE), "dz-seconds")
        self.faces = classed(Menu(layout=WIDE, style=STYLE), "dz-faces")
        self.count = classed(Menu(layout=WIDE, style=STYLE), "dz-count")
        self.upload = classed(
            ipywidgets.FileUpload(accept="image/*", multiple=True, layout={"width": "auto"}),
            "dz-upload",
        )
        self.consent = classed(
            ipywidgets.Checkbox(value=False, indent=False, layout=WIDE), "dz-consent"
        )
        self.webcam = classed(Webcam(self.take_picture), "dz-own-webcam")
        self._uploaded = classed(ipywidgets.HTML(), "dz-uploaded")
        own = [self.consent, self.webcam, self.upload, self._uploaded]
        self._own = classed(ipywidgets.VBox(own), "dz-own")
        self.upload.observe(self._on_upload, "value")
        self.target.on_choose(self._on_target)
        self.faces.on_choose(lambda _faces: self._show_own())
        self.consent.observe(lambda _change: self._show_own(), "value")
        super().__init__(
            [
                self._heading,
                self.target,
                self.start,
                self.seconds,
                self.faces,
                self.count,
                self._own,
            ]
        )

    @property
    def request(self) -> ForgeRequest:
        """What is chosen now."""
        start = float(self.start.value)
        return ForgeRequest(
            target=str(self.target.value),
            start_s=start,
            end_s=start + float(self.seconds.value),
            faces=str(self.faces.value),
            count=int(self.count.value),
            pictures=tuple(self._pictures),
            is_agreed=bool(self.consent.value),
        )

    def take_picture(self, jpeg: bytes) -> None:
        """Keep a picture of the webcam with the others, as many as may be uploaded."""
        if sum(len(data) for _name, data in self._pictures) + len(jpeg) > UPLOAD_MAX:
            return
        name = _("webcam {n}").format(n=len(self._pictures) + 1)
        self._pictures.append((name, jpeg))
        self._say_uploaded()

    def retranslate(self) -> None:
        """Say everything in the language in use."""
        self._heading.value = heading(_("Whose expression, and whose face?"))
        self.target.description = _("Clip: its expression stays")
        self.start.description = _("From second")
        self.seconds.description = _("Length")
        self.faces.description = _("Person: this face is put on")
        self.count.description = _("Number of pictures")
        self.upload.description = _("Pictures of the face (JPEG, PNG)")
        self.webcam.retranslate()
        limit = round(UPLOAD_MAX / 1e6)
        self.upload.tooltip = _("Up to {n} MB together. They are kept in memory only.").format(
            n=limit
        )
        self.consent.description = _(
            "These are pictures of myself, or of somebody who agreed to this lesson. They stay in "
            "the memory of this computer and are gone when the notebook is closed; the clip stays "
            "until I remove it."
        )
        people = [
            (_(samples.card(name).title), name)
            for name in samples.names(present=True)
            if name != samples.planted().id
        ]
        own, names = (_("Pictures of my own"), OWN), [name for _title, name in people]
        self.target.rename(people)
        self.faces.rename([*people, own], "franck" if "franck" in names else OWN)
        self.seconds.rename([(_("{n} s").format(n=n), n) for n in SECONDS], 4)
        self.count.rename([(str(n), n) for n in PICTURES], 200)
        self._show_own()
        self._say_uploaded()

    def _show_own(self) -> None:
        is_own = self.faces.value == OWN
        self._own.layout.display = None if is_own else "none"
        self.count.layout.display = "none" if is_own else None
        self.upload.disabled = not self.consent.value
        self.webcam.is_allowed = bool(self.consent.value)

    def _on_upload(self, change: Any) -> None:
        if not change["new"]:
            return
        self._pictures = [(str(f["name"]), bytes(f["content"])) for f in change["new"]]
        self.upload.value = ()
        self._say_uploaded()

    def _say_uploaded(self) -> None:
        count = len(self._pictures)
        text = ngettext("{n} picture is here.", "{n} pictures are here.", count).format(n=count)
        self._uploaded.value = f"<p>{escape(text)}</p>" if count else ""

    def _on_target(self, name: str | None) -> None:
        if name:
            last = length_s(name) - min(SECONDS)
            self.start.max = max(0.5, float(np.floor(2 * last) / 2))
            self.start.value = min(4.0, self.start.max)


def heading(text: str) -> str:
    """Return a heading of the lab as HTML."""
    return f"<h4>{escape(text)}</h4>"


def length_s(sample: str) -> float:
    """Return the seconds of a sample."""
    video = media.probe(samples.path(sample))
    return float(video.pts[-1] - video.pts[0])
