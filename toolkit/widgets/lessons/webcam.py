"""Pictures from the webcam of this computer, for the forge lab: in memory only."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import anywidget
import traitlets

from toolkit._i18n import _

COUNT = 40
"""Pictures of one go: ten seconds, four a second."""
PICTURE_MAX = 1_000_000
"""Bytes; a larger message is no picture of a webcam."""


class Webcam(anywidget.AnyWidget):
    """A button that takes `COUNT` pictures with the webcam.

    Parameters
    ----------
    on_picture
        Called with the JPEG bytes of each.

    Attributes
    ----------
    is_allowed
        Whether pictures may be taken; what comes in while it is False is thrown away.
    """

    _esm = Path(__file__).with_name("webcam.js")
    words = traitlets.Dict().tag(sync=True)
    count = traitlets.Int(COUNT).tag(sync=True)
    is_allowed = traitlets.Bool(default_value=False).tag(sync=True)

    def __init__(self, on_picture: Callable[[bytes], None]) -> None:
        super().__init__()
        self._on_picture = on_picture
        self.on_msg(self._on_message)
        self.say()

    def __repr__(self) -> str:
        return "Webcam()"

    def say(self) -> None:
        """Say everything in the language in use."""
        self.words = {
            "start": _("Take {n} pictures with the webcam").format(n=self.count),
            "stop": _("Stop"),
            "video": _("What the webcam sees"),
            "taken": _("Picture {n} of {of}. Talk, smile, blink and turn your head."),
            "failed": _("The webcam cannot be used."),
        }

    def _on_message(self, _widget: object, content: Any, buffers: list[Any]) -> None:
        is_picture = isinstance(content, dict) and content.get("kind") == "picture"
        if not self.is_allowed or not is_picture or len(buffers) != 1:
            return
        data = bytes(buffers[0])
        if 0 < len(data) <= PICTURE_MAX:
            self._on_picture(data)
