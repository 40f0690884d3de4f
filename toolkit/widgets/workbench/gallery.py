"""The clips that were analysed before: a click shows one again at once, from the cache."""

from __future__ import annotations

from collections.abc import Callable
from html import escape
from pathlib import Path
from typing import Any

import anywidget
import ipywidgets
import traitlets

from toolkit import _i18n
from toolkit._i18n import _, ngettext
from toolkit.figures.pictures import data_address
from toolkit.storage.cache import Cache, Entry

SHOWN_MAX = 24

_HERE = Path(__file__).parent


_CARD = {"name", "sha256", "detector", "abstained", "is_fake"}


def analysed(cache: Cache, *, pictures: bool = False, most: int | None = SHOWN_MAX) -> list[Entry]:
    """Return the newest result of each clip and detector, newest first; None = all of them."""
    latest: dict[tuple[str, str], Entry] = {}
    for entry in cache.entries("report", arrays=("thumbnail",) if pictures else ()):
        if entry.card.keys() >= _CARD:
            latest.setdefault((entry.card["sha256"], entry.card["detector"]), entry)
    return list(latest.values())[:most]


class _Clips(anywidget.AnyWidget):
    """The list itself; says which entry was clicked."""

    _esm = _HERE / "gallery.js"
    items: traitlets.List[Any] = traitlets.List().tag(sync=True)
    lang = traitlets.Unicode("en").tag(sync=True)
    current = traitlets.Unicode("").tag(sync=True)
    label = traitlets.Unicode("").tag(sync=True)


class Gallery(ipywidgets.VBox):  # type: ignore[misc]  # ipywidgets ships no types
    """Analysed clips with a face, the name, the verdict in words and the date.

    Parameters
    ----------
    cache
        Where the results are kept.
    on_open
        Called with the name of the entry that was clicked.
    """

    def __init__(self, cache: Cache, on_open: Callable[[str], None]) -> None:
        self._cache, self._on_open = cache, on_open
        self._heading = ipywidgets.HTML()
        self._clips = _Clips()
        self._clips.on_msg(self._on_message)
        self._forget = ipywidgets.Button(layout={"width": "auto"})
        self._forget.add_class("dz-forget")
        self._forget.on_click(lambda _button: self._ask())
        self._sure = ipywidgets.Button(button_style="danger", layout={"width": "auto"})
        self._sure.add_class("dz-forget-sure")
        self._sure.on_click(lambda _button: self._clear())
        self._keep = ipywidgets.Button(layout={"width": "auto"})
        self._keep.on_click(lambda _button: self._show_question(shown=False))
        self._question = ipywidgets.HBox([self._sure, self._keep])
        self._none = ipywidgets.HTML()
        super().__init__([self._heading, self._none, self._clips, self._forget, self._question])
        self.add_class("dz-gallery")
        self._show_question(shown=False)
        self.refresh()

    @property
    def current(self) -> str:
        """Name of the entry that is marked as shown; empty for none."""
        return str(self._clips.current)

    @current.setter
    def current(self, name: str) -> None:
        self._clips.current = name

    @property
    def count(self) -> int:
        """How many clips are listed."""
        return len(self._clips.items)

    def refresh(self) -> None:
        """Read the cache again and say everything in the language in use."""
        shown = analysed(self._cache, pictures=True)
        self._clips.lang = _i18n.language()
        self._clips.label = _("Analysed clips")
        self._clips.items = [_item(entry) for entry in shown]
        heading = _("Analysed clips")
        self._heading.value = f"<h3>{escape(heading)}</h3>"
        nothing = _("None yet. Each clip that you analyse is kept here and opens again at once.")
        self._none.value = f'<p class="dz-note">{escape(nothing)}</p>'
        self._none.layout.display = "none" if shown else None
        megabytes = max(1, round(self._cache.bytes() / 1e6))
        self._forget.description = _("Forget all ({n} MB)").format(n=megabytes)
        self._forget.tooltip = _("Remove all kept results and pictures of faces from this computer")
        self._forget.layout.display = None if shown else "none"
        self._sure.description = ngettext(
            "Yes, forget {n} result", "Yes, forget {n} results", len(shown)
        ).format(n=len(shown))
        self._keep.description = _("Keep them")

    def _show_question(self, *, shown: bool) -> None:
        self._question.layout.display = None if shown else "none"

    def _ask(self) -> None:
        self._show_question(shown=True)

    def _clear(self) -> None:
        self._cache.clear()
        self._show_question(shown=False)
        self.current = ""
        self.refresh()

    def _on_message(self, _widget: Any, content: Any, _buffers: Any) -> None:
        if isinstance(content, dict) and isinstance(content.get("open"), str):
            self._on_open(content["open"])


def _item(entry: Entry) -> dict[str, Any]:
    card = entry.card
    if card["abstained"]:
        kind, sign, said = "none", "○", _("no verdict")
    elif card["is_fake"]:
        kind, sign, said = "forged", "▲", _("called forged")
    else:
        kind, sign, said = "not-forged", "●", _("not called forged")
    picture = entry.packed.arrays.get("thumbnail")
    return {
        "name": entry.name,
        "title": str(card["name"]),
        "detector": str(card["detector"]),
        "kind": kind,
        "sign": sign,
        "said": said,
        "kept_at": entry.kept_at,
        "picture": None if picture is None else data_address(picture),
    }
