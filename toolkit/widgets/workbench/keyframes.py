"""The frames that mattered most to the detector, as buttons that lead to them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import anywidget
import traitlets

from toolkit import figures
from toolkit._i18n import _
from toolkit.types import TrackResult
from toolkit.widgets.selection import Selection


class KeyFrames(anywidget.AnyWidget):
    """Key frames of one person, each with the evidence laid over the face.

    Parameters
    ----------
    selection
        Where a click goes, and what is marked.
    """

    _esm = Path(__file__).with_name("keyframes.js")
    items: traitlets.List[Any] = traitlets.List().tag(sync=True)
    current = traitlets.Int(-1).tag(sync=True)
    label = traitlets.Unicode("").tag(sync=True)
    heat_alt = traitlets.Unicode("").tag(sync=True)

    def __init__(self, selection: Selection) -> None:
        super().__init__()
        self._selection = selection
        traitlets.dlink((selection, "row"), (self, "current"))
        self.on_msg(self._on_message)
        self.add_class("dz-frames-strip")

    def show(self, result: TrackResult | None) -> None:
        """Show a person's key frames in the language in use; None shows nothing."""
        self.label = _("Key frames")
        self.heat_alt = _("The same with the detector's evidence laid over it")
        pictures = figures.pictures(result) if result else []
        frames = result.key_frames if result else ()
        self.items = [
            {
                "position": frame.position,
                "face": picture.face,
                "heat": picture.heat,
                "caption": picture.caption,
                "alt": picture.alt,
                "is_comparison": picture.is_comparison,
            }
            for frame, picture in zip(frames, pictures, strict=True)
        ]

    def _on_message(self, _widget: Any, content: Any, _buffers: Any) -> None:
        position = content.get("position") if isinstance(content, dict) else None
        if isinstance(position, int) and position in {item["position"] for item in self.items}:
            self._selection.row = position
