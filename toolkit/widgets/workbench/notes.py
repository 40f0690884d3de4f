"""A field for the user's own words about a clip, written to disk with every change."""

from __future__ import annotations

from html import escape
from typing import Any

import ipywidgets

from toolkit._i18n import _
from toolkit.widgets.workbench.state import NO_CLIP, Memory


class Notes(ipywidgets.VBox):  # type: ignore[misc]  # ipywidgets ships no types
    """Notes about one clip at a time; each clip keeps its own.

    Parameters
    ----------
    memory
        Where they are kept.
    """

    def __init__(self, memory: Memory) -> None:
        self._memory, self._clip = memory, NO_CLIP
        self._is_kept = True
        self._text = ipywidgets.Textarea(
            value=memory.notes(NO_CLIP), rows=8, layout={"width": "auto"}
        )
        self._text.add_class("dz-notes-text")
        self._text.observe(self._on_text, "value")
        self._label = ipywidgets.HTML()
        super().__init__([self._label, self._text])
        self.add_class("dz-notes")

    @property
    def text(self) -> str:
        """What is written about the clip at hand."""
        return str(self._text.value)

    def about(self, clip: str) -> None:
        """Show what was written about another clip, named by its SHA-256."""
        if clip == self._clip:
            return
        self._memory.write_notes(self._clip, self.text)
        self._clip = clip
        self._text.unobserve(self._on_text, "value")
        self._text.value = self._memory.notes(clip)
        self._text.observe(self._on_text, "value")

    def say(self) -> None:
        """Say what the field is for, in the language in use."""
        self._text.placeholder = _("What you see, what you doubt, what you want to look up")
        self._text.tooltip = _("Notes about this clip")
        if self._is_kept:
            said = _("Your notes about this clip. They are kept on this computer as you type.")
        else:
            said = _("These notes could not be written to disk. Copy them to a safe place.")
        role = f' data-kept="{len(self.text)}"' if self._is_kept else ' role="alert"'
        self._label.value = f'<p class="dz-note"{role}>{escape(said)}</p>'

    def _on_text(self, change: Any) -> None:
        self._is_kept = self._memory.write_notes(self._clip, change["new"])
        self.say()
