"""The player as a widget: one scene, or two side by side. It translates between traits and scenes.

What is chosen (frame, person, region) is synced; pictures and numbers go to the browser once.
All drawing is in `toolkit.player`, which the page of `toolkit.report.playable` shows too.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from html import escape
from typing import Any

import anywidget
import traitlets

from toolkit import figures, player
from toolkit._i18n import _
from toolkit.player import Scene
from toolkit.types import REGIONS

POSTER_PICTURES = 3


@dataclass(frozen=True)
class RegionAsked:
    """A region that the user clicked in the picture.

    Attributes
    ----------
    region, person
        Which region of whom: one of `types.REGIONS`, and a letter.
    position
        Moment of that person's track.
    frame
        Frame of the display copy.
    side
        0 = the left or only picture, 1 = the right one.
    """

    region: str
    person: str
    position: int
    frame: int
    side: int


class _Playing(anywidget.AnyWidget):
    """What one picture and two have in common. The traits are the wire format."""

    _esm = player.source()
    _css = player.style()

    scenes = traitlets.List(traitlets.Dict()).tag(sync=True)
    strings = traitlets.List(traitlets.Dict()).tag(sync=True)
    offset_s = traitlets.Float(0.0).tag(sync=True)
    frame = traitlets.Int(0, min=0).tag(sync=True)
    person = traitlets.Unicode("").tag(sync=True)
    region = traitlets.Enum(("", *REGIONS), "").tag(sync=True)
    position = traitlets.Int(-1)

    def __init__(self, *shown: Scene, offset_s: float = 0.0) -> None:
        self._shown: tuple[Scene, ...] = ()
        self._listeners: list[Callable[[RegionAsked], None]] = []
        super().__init__(offset_s=offset_s)
        self._put(shown)
        self.observe(self._find_position, ["frame", "person", "scenes", "offset_s"])
        self.observe(self._go_to_position, "position")
        self.on_msg(self._receive)

    def __repr__(self) -> str:
        shown = ", ".join(map(repr, self._shown)) or "nothing"
        return f"{type(self).__name__}({shown}, frame={self.frame}, person={self.person!r})"

    @property
    def shown(self) -> tuple[Scene, ...]:
        """The scenes on screen."""
        return self._shown

    def retranslate(self) -> None:
        """Say everything in the language in use; the video is not loaded again."""
        self.strings = [scene.strings() for scene in self._shown]

    def on_region(self, callback: Callable[[RegionAsked], None]) -> Callable[[], None]:
        """Call back each time that a region is clicked in the picture.

        Returns
        -------
        callable
            Call it to stop that.
        """
        self._listeners.append(callback)

        def stop() -> None:
            if callback in self._listeners:
                self._listeners.remove(callback)

        return stop

    def _put(self, shown: tuple[Scene, ...]) -> None:
        first = shown[0] if shown else None
        person = first.report.decisive if first else None
        persons = [p for scene in shown for p in scene.persons]
        with self.hold_sync(), self.hold_trait_notifications():
            self._shown = shown
            self.retranslate()
            self.frame = 0
            self.person = person if person in persons else (persons or [""])[0]
            self.scenes = [
                {
                    "facts": scene.facts,
                    "data": scene.data,
                    # a comparison within one video sends it once
                    "video": b"" if i and scene.video == shown[0].video else scene.video,
                }
                for i, scene in enumerate(shown)
            ]
        self._find_position()

    def _find_position(self, _change: Any = None) -> None:
        """Say which moment of the person's track the frame belongs to."""
        for scene in self._shown:
            if self.person in scene.persons:
                self.position = scene.position_of(self.person, self._frame_in(scene))
                return
        self.position = -1

    def _go_to_position(self, change: Any) -> None:
        """Show a moment that was set from outside; the frame on screen may belong to it already."""
        if not self._shown or self.person not in self._shown[0].persons:
            return
        scene = self._shown[0]
        if scene.position_of(self.person, self._frame_in(scene)) != change["new"]:
            frame = scene.frame_of(self.person, change["new"])
            self.frame = self.frame if frame is None else frame

    def _frame_in(self, scene: Scene) -> int:
        first = self._shown[0]
        frame = min(self.frame, len(first.copy.pts) - 1)
        if scene is first:
            return frame
        return scene.frame_at(float(first.copy.pts[frame]) + first.copy.start_s + self.offset_s)

    def _receive(self, _widget: Any, content: Any, _buffers: Any) -> None:
        if not isinstance(content, dict) or content.get("type") != "region":
            return
        asked = RegionAsked(
            region=str(content.get("region")),
            person=str(content.get("person")),
            position=int(content.get("position", -1)),
            frame=int(content.get("frame", 0)),
            side=int(content.get("side", 0)),
        )
        for callback in tuple(self._listeners):
            callback(asked)

    def _repr_mimebundle_(self, **kwargs: Any) -> Any:
        """Add a picture for places where widgets do not run, such as an exported notebook."""
        bundle = super()._repr_mimebundle_(**kwargs)
        if bundle is None or not self._shown:
            return bundle
        data, metadata = bundle
        return {**data, "text/html": poster(self._shown[0])}, metadata


class Player(_Playing):
    """The video of one report with its evidence: plays, scrubs, shows where and when.

    Parameters
    ----------
    scene
        What to show; None = nothing yet.

    Attributes
    ----------
    frame, person, region
        What is chosen, both ways. `frame` counts in the display copy; `region` may be empty.
    position
        The moment of that person's track that the frame belongs to, both ways; -1 = none.
    marking
        Whether a drag over the lane marks a stretch of the video.
    marked
        Start and end in seconds of the original, both ways; empty = nothing.
    """

    marking = traitlets.Bool(default_value=False).tag(sync=True)
    marked = traitlets.List(traitlets.Float()).tag(sync=True)

    @traitlets.validate("marked")
    def _be_a_stretch(self, proposal: Any) -> list[float]:
        """Ignore what is no stretch: it comes from a page."""
        seconds = list(proposal["value"])
        is_sound = len(seconds) == 2 and all(map(math.isfinite, seconds))
        return seconds if not seconds or (is_sound and 0 <= seconds[0] <= seconds[1]) else []

    def __init__(self, scene: Scene | None = None) -> None:
        super().__init__(*(() if scene is None else (scene,)))

    def offer_marking(self, marked: list[float] | None) -> None:
        """Let a stretch of the lane be marked, beginning with this one; None = no marking."""
        with self.hold_sync():
            self.marking = marked is not None
            self.marked = marked or []

    def show(self, scene: Scene | None) -> None:
        """Show another scene, or nothing, in the same place."""
        self._put(() if scene is None else (scene,))


class SideBySide(_Playing):
    """Two scenes side by side under one scrubber, kept at the same time.

    Original and re-share, two detectors, two persons, or two moments of one video.

    Parameters
    ----------
    left, right
        The scenes; give them labels.
    offset_s
        How much later the right one is shown, in original seconds.
    """

    def __init__(self, left: Scene, right: Scene, *, offset_s: float = 0.0) -> None:
        super().__init__(left, right, offset_s=offset_s)

    def show(self, left: Scene, right: Scene, *, offset_s: float = 0.0) -> None:
        """Show other scenes in the same place."""
        self.offset_s = offset_s
        self._put((left, right))


def poster(scene: Scene) -> str:
    """Return what is shown of a scene where widgets do not run: verdict and key frames, HTML."""
    report = scene.report
    pictures = [p for r in report.tracks for p in figures.pictures(r)][:POSTER_PICTURES]
    images = "".join(
        f'<figure style="display:inline-block;margin:4px;width:180px">'
        f'<img src="{p.heat or p.face}" alt="{escape(p.alt)}" width="180" height="180">'
        f"<figcaption>{escape(p.caption)}</figcaption></figure>"
        for p in pictures
    )
    hint = escape(_("Run this cell in JupyterLab to play the video."))
    return f"<p>{escape(figures.verdict_sentence(report))}</p>{images}<p>{hint}</p>"
