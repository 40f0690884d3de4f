"""Menus that know a choice of the user from being filled, and the switch between two languages."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import ipywidgets

from toolkit import _i18n
from toolkit._i18n import _
from toolkit.widgets.styling import classed


class _Offering:
    """What the menus have in common: `offer` fills them, and only a choice is heard."""

    _is_offering = False
    options: Any
    value: Any
    observe: Callable[..., None]

    def on_choose(self, callback: Callable[[Any], None]) -> None:
        """Call back with each value that is chosen; filling the menu is no choice."""

        def on_value(change: Any) -> None:
            if not self._is_offering:
                callback(change["new"])

        self.observe(on_value, "value")

    def offer(self, options: Iterable[tuple[str, Any]], value: Any) -> None:
        """Give the menu its options and what is chosen among them."""
        options = list(options)
        self._is_offering = True
        try:
            if list(self.options) != options:
                self.options = options
            self.value = value
        finally:
            self._is_offering = False

    def rename(self, options: Iterable[tuple[str, Any]], usual: Any = None) -> None:
        """Give the options again; what was chosen stays chosen, else `usual`, else the first.

        Where another value comes to be chosen that way, it is heard like a choice.
        """
        options = list(options)
        if list(self.options) == options:
            return
        values, chosen = [value for _title, value in options], self.value
        kept = next((v for v in (chosen, usual) if v in values), values[0] if values else None)
        self.offer(options, chosen if chosen == kept else None)
        self.value = kept


class Menu(_Offering, ipywidgets.Dropdown):  # type: ignore[misc]  # ipywidgets ships no types
    """A menu that folds."""


class Buttons(_Offering, ipywidgets.ToggleButtons):  # type: ignore[misc]  # ipywidgets ships no types
    """A row of buttons of which one is down."""

    def __init__(self, **options: Any) -> None:
        super().__init__(style={"button_width": "auto"}, **options)


class Slider(_Offering, ipywidgets.SelectionSlider):  # type: ignore[misc]  # ipywidgets ships no types
    """A slider along named places."""


class LanguageSwitch(Buttons):
    """The buttons English and Nederlands; pressing one changes the language everywhere.

    Parameters
    ----------
    on_switch
        Called once the language has changed: say everything again.
    is_shown
        Whether it can be seen; a panel within another one leaves the switch to that.
    """

    def __init__(self, on_switch: Callable[[], None], *, is_shown: bool = True) -> None:
        super().__init__(
            options=[("English", "en"), ("Nederlands", "nl")],
            value=_i18n.language(),
            layout={"display": None if is_shown else "none"},
        )
        classed(self, "dz-language")

        def on_language(language: str) -> None:
            _i18n.set_language(language)
            on_switch()

        self.on_choose(on_language)

    def retranslate(self) -> None:
        """Say in the language in use what the buttons do."""
        self.tooltips = [_("Show everything in English"), _("Show everything in Dutch")]
