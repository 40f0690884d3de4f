"""The baseline that regions are replaced by: which kind, from whom, and how it was tested."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any

import ipywidgets

from toolkit import samples
from toolkit._i18n import _
from toolkit.classroom import session as classroom
from toolkit.widgets.choices import Menu
from toolkit.widgets.styling import classed
from toolkit.widgets.workbench import explain_html as html
from toolkit.widgets.workbench.questions import AskButton, Questions
from toolkit.widgets.workbench.what_if import ROW

if TYPE_CHECKING:
    from toolkit.explain.baselines import Kind
    from toolkit.explain.session import PersonExplainer

AUTO = "auto"
"""Value of the menu: the tests choose the kind."""

_LAYOUT = {"width": "min(100%, 520px)"}
_STYLE = {"description_width": "11em"}


class BaselineView(ipywidgets.VBox):  # type: ignore[misc]  # ipywidgets ships no types
    """Choose a kind of baseline and a folder of donors; see how each was tested.

    Parameters
    ----------
    questions
        Asks what takes time.
    on_change
        Called when answers no longer hold.
    donors
        Genuine clips of other persons; None = the samples, without the clip itself.
    """

    def __init__(
        self,
        questions: Questions,
        on_change: Callable[[], None],
        donors: Sequence[Path] | None = None,
    ) -> None:
        self._questions, self._on_change, self._donors = questions, on_change, donors
        self._menu = classed(Menu(options=[(AUTO, AUTO)], layout=_LAYOUT, style=_STYLE), "dz-kind")
        self._menu.on_choose(lambda _kind: self._on_kind())
        self._folder = classed(
            ipywidgets.Text(continuous_update=False, layout=_LAYOUT, style=_STYLE), "dz-donors"
        )
        self._folder.observe(self._on_folder, "value")
        if classroom.current() is not None:  # nobody names folders of another's computer
            self._folder.layout.display = "none"
        self._shown = classed(ipywidgets.HTML(), "dz-reference")
        self._ask_test = AskButton(
            "references",
            lambda: _("Test a reference for this frame"),
            lambda: questions.ask("references"),
        )
        self._ask_every_kind = AskButton(
            "every_kind", lambda: _("Show every kind"), questions.compare_baselines
        )
        super().__init__(
            [
                self._menu,
                self._folder,
                ipywidgets.HBox([self._ask_test, self._ask_every_kind], layout=ROW),
                self._shown,
            ]
        )

    @property
    def chosen_kind(self) -> Kind | None:
        """The kind that the user insists on; None = the tests choose."""
        return None if self._menu.value == AUTO else self._menu.value

    def clips(self, sha256: str) -> tuple[Path, ...]:
        """Return clips of other persons: the user's folder first, then the samples.

        Parameters
        ----------
        sha256
            The clip that is questioned, which is no donor.
        """
        from toolkit.explain.donors import clips_in

        is_class = classroom.current() is not None  # a page can send what it does not show
        folder = "" if is_class else str(self._folder.value).strip().strip("\"'")
        own = clips_in(Path(folder).expanduser()) if folder else ()
        if self._donors is not None:
            return (*own, *self._donors)
        return (*own, *samples.donor_clips(sha256))

    def say_buttons(self) -> None:
        """Say what can be asked, in the language in use."""
        for button in (self._ask_test, self._ask_every_kind):
            button.offer(self._questions)

    def retranslate(self) -> None:
        """Name the kinds in the language in use."""
        from toolkit.explain.baselines import AUTOMATIC, ON_REQUEST
        from toolkit.figures.inquiry import kind_name

        self._menu.description = _("Reference")
        kinds = [
            (_("chosen by the tests"), AUTO),
            *((kind_name(k), k) for k in AUTOMATIC),
            *((_("{kind} (only to see it fail)").format(kind=kind_name(k)), k) for k in ON_REQUEST),
        ]
        self._menu.offer(kinds, self._menu.value)
        self._folder.description = _("Folder of donors")
        self._folder.placeholder = _("genuine clips of other persons; the samples are known")

    def fill_answers(self, session: PersonExplainer, row: int) -> None:
        """Show how the baselines of a frame were tested."""
        shown = html.reference(session.chosen(row), asked=session.kind)
        if references := session.compared(row):
            title = _("Every kind, as the detector judges it")
            shown += f"<h4>{escape(title)}</h4>" + html.references(references)
        self._shown.value = shown

    def _on_kind(self) -> None:
        session = self._questions.session
        if session is not None:
            self._questions.bar.cancel()
            session.use(self.chosen_kind)
            self._on_change()

    def _on_folder(self, _change: Any) -> None:
        session = self._questions.session
        if session is not None:
            self._questions.bar.cancel()
            session.add_clips(self.clips(session.report.video.sha256))
            self._on_change()
