"""What the sections of the case panel are made of: a heading and fields that know their names."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from html import escape
from typing import TYPE_CHECKING, Any

import ipywidgets

from toolkit import _i18n
from toolkit._i18n import _
from toolkit.casework.case import Case
from toolkit.errors import ToolkitError, UsageError
from toolkit.widgets.choices import Menu
from toolkit.widgets.styling import classed
from toolkit.widgets.task import Task

if TYPE_CHECKING:
    from toolkit.casework.case import Exhibit

_WIDE = {"width": "100%", "max_width": "760px"}
_STYLE = {"description_width": "22em"}


class CaseInHand:
    """The case that is open and the exhibit that is looked at, which all sections share.

    Attributes
    ----------
    case, exhibit
        None where there is none.
    problem
        Why the case cannot be opened or read, or None.
    """

    def __init__(self) -> None:
        self.case: Case | None = None
        self.exhibit: Exhibit | None = None
        self.problem: BaseException | None = None

    def opened(self) -> Case:
        """Return the case.

        Raises
        ------
        UsageError
            If none is open.
        """
        if self.case is None:
            raise UsageError("no case is open", "", "Open or make one first.")
        return self.case

    def looked_at(self) -> str:
        """Return the name of the exhibit.

        Raises
        ------
        UsageError
            If there is none.
        """
        if self.exhibit is None:
            raise UsageError("nothing was taken in yet", "", "Take a file in first.")
        return self.exhibit.id

    def exhibits(self) -> dict[str, Exhibit]:
        """Return the exhibits by name; none where the case cannot be read."""
        if self.case is None:
            return {}
        try:
            return {exhibit.id: exhibit for exhibit in self.case.exhibits()}
        except ToolkitError as error:
            self.problem = error
            return {}


class FormSection(ipywidgets.VBox):  # type: ignore[misc]  # ipywidgets ships no types
    """A step of the form: its heading, and fields that are named in the language in use.

    It folds to its heading, for a case is done step by step; anybody may open any step.

    Parameters
    ----------
    title
        Returns the heading.
    """

    def __init__(self, title: Callable[[], str]) -> None:
        self._title, self._heading = title, ipywidgets.HTML()
        self._labels: list[tuple[Any, Callable[[], str]]] = []
        self._fold = classed(ipywidgets.Button(layout={"width": "auto"}), "dz-fold")
        self._fold.on_click(lambda _button: self.show_parts(not self.is_open))
        self._top = ipywidgets.HBox(
            [self._heading, self._fold], layout={"align_items": "center", "flex_flow": "row wrap"}
        )
        self._parts = ipywidgets.VBox()
        super().__init__([self._top, self._parts])
        self.add_class("dz-step")

    def lay_out(self, parts: Sequence[Any]) -> None:
        """Put parts below the heading."""
        self._parts.children = tuple(parts)

    @property
    def is_open(self) -> bool:
        """Whether more than the heading is shown."""
        return str(self._parts.layout.display) != "none"

    def show_parts(self, is_open: bool) -> None:
        """Show what stands below the heading, or fold it away."""
        self._parts.layout.display = None if is_open else "none"
        self._say_fold()

    def _say_fold(self) -> None:
        self._fold.description = _("Fold") if self.is_open else _("Open")
        self._fold.tooltip = f"{self._fold.description}: {self._title()}"

    @property
    def tasks(self) -> tuple[Task[Any], ...]:
        """What this section can set going."""
        return tuple(child for child in self._parts.children if isinstance(child, Task))

    def retranslate(self) -> None:
        """Name everything in the language in use."""
        self._say_fold()
        self._heading.value = f'<h3 lang="{_i18n.language()}">{escape(self._title())}</h3>'
        for widget, name in self._labels:
            widget.description = name()
        for task in self.tasks:
            task.retranslate()

    def named(self, widget: Any, name: Callable[[], str]) -> Any:
        """Return a widget after noting what it is called."""
        self._labels.append((widget, name))
        return widget

    def text(self, name: Callable[[], str], value: str = "") -> Any:
        """Return a field for a line."""
        return self.named(ipywidgets.Text(value=value, layout=_WIDE, style=_STYLE), name)

    def words(self, name: Callable[[], str]) -> Any:
        """Return a field for sentences."""
        return self.named(ipywidgets.Textarea(rows=4, layout=_WIDE, style=_STYLE), name)

    def seconds(self, name: Callable[[], str]) -> Any:
        """Return a field for a moment."""
        return self.named(ipywidgets.FloatText(value=0, layout=_WIDE, style=_STYLE), name)

    def several(self, name: Callable[[], str], rows: int) -> Any:
        """Return a list of which several may be chosen."""
        return self.named(ipywidgets.SelectMultiple(rows=rows, layout=_WIDE, style=_STYLE), name)

    def menu(self, name: Callable[[], str]) -> Menu:
        """Return a menu."""
        menu: Menu = self.named(Menu(layout=_WIDE, style=_STYLE), name)
        return menu

    def box(self, name: Callable[[], str], *, on: bool) -> Any:
        """Return a box to tick."""
        return self.named(ipywidgets.Checkbox(value=on, indent=False, layout=_WIDE), name)

    def button(self, name: Callable[[], str], act: Callable[[], Any]) -> Any:
        """Return a button."""
        button = ipywidgets.Button(layout={"width": "auto"})
        button.on_click(lambda _button: act())
        return self.named(button, name)


def note(text: str) -> str:
    """Return a remark as HTML."""
    return f'<p class="dz-note">{escape(text)}</p>'


def listed(lines: Iterable[str]) -> str:
    """Return lines as an HTML list."""
    return "<ul>" + "".join(f"<li>{escape(line)}</li>" for line in lines) + "</ul>"


def pairs(rows: Iterable[tuple[str, str]]) -> str:
    """Return names and values as HTML."""
    items = "".join(f"<dt>{escape(k)}</dt><dd>{escape(v)}</dd>" for k, v in rows)
    return f"<dl>{items}</dl>"
