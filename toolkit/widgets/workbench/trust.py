"""How far the explanation can be trusted, and what frequencies and other methods say."""

from __future__ import annotations

from typing import TYPE_CHECKING

import ipywidgets

from toolkit._i18n import _
from toolkit.widgets.styling import classed
from toolkit.widgets.workbench import explain_html as html
from toolkit.widgets.workbench.questions import AskButton, Questions
from toolkit.widgets.workbench.what_if import ROW

if TYPE_CHECKING:
    from toolkit.explain.session import PersonExplainer


class TrustView(ipywidgets.VBox):  # type: ignore[misc]  # ipywidgets ships no types
    """The trust panel of one frame."""

    def __init__(self, questions: Questions) -> None:
        self._questions = questions
        self._shown = classed(ipywidgets.HTML(), "dz-trust")
        self._ask = AskButton(
            "trust",
            lambda: _("Check how far this frame's explanation can be trusted"),
            lambda: questions.ask("trust"),
        )
        super().__init__([ipywidgets.HBox([self._ask], layout=ROW), self._shown])

    def say_buttons(self) -> None:
        """Say what can be asked, in the language in use."""
        self._ask.offer(self._questions)

    def fill_answers(self, session: PersonExplainer, row: int) -> None:
        """Show the figures that came so far."""
        from toolkit.explain.answers import completeness

        state = session.state(row)
        self._shown.value = html.trust(
            state.figures,
            state.panel,
            completeness(state.methods),
            is_complete=not self._questions.is_asking("trust"),
        )


class BandsView(ipywidgets.VBox):  # type: ignore[misc]  # ipywidgets ships no types
    """What each band of spatial frequencies carries in one frame."""

    def __init__(self, questions: Questions) -> None:
        self._questions = questions
        self._shown = classed(ipywidgets.HTML(), "dz-bands")
        self._ask = AskButton(
            "bands",
            lambda: _("Ask the frequencies of this frame"),
            lambda: questions.ask("bands"),
        )
        super().__init__([ipywidgets.HBox([self._ask], layout=ROW), self._shown])

    def say_buttons(self) -> None:
        """Say what can be asked, in the language in use."""
        self._ask.offer(self._questions)

    def fill_answers(self, session: PersonExplainer, row: int) -> None:
        """Show the shares of the bands."""
        state = session.state(row)
        self._shown.value = html.bands(state.bands, asked=state.bands_asked)


class MethodsView(ipywidgets.VBox):  # type: ignore[misc]  # ipywidgets ships no types
    """What Captum's methods say about one frame, and maps that only look right."""

    def __init__(self, questions: Questions) -> None:
        self._questions = questions
        self._methods = classed(ipywidgets.HTML(), "dz-methods")
        self._lookalikes = classed(ipywidgets.HTML(), "dz-lookalikes")
        self._ask = AskButton(
            "methods",
            lambda: _("Ask Captum's methods about this frame"),
            lambda: questions.ask("methods"),
        )
        self._ask_lookalikes = AskButton(
            "lookalikes", lambda: _("Show maps that only look right"), questions.look_alike
        )
        super().__init__(
            [
                ipywidgets.HBox([self._ask, self._ask_lookalikes], layout=ROW),
                self._methods,
                self._lookalikes,
            ]
        )

    def say_buttons(self) -> None:
        """Say what can be asked, in the language in use."""
        for button in (self._ask, self._ask_lookalikes):
            button.offer(self._questions)

    def fill_answers(self, session: PersonExplainer, row: int) -> None:
        """Show the answers that came so far."""
        self._methods.value = html.methods(session, row, session.state(row).methods)
        self._lookalikes.value = html.lookalikes(session, row, session.lookalikes(row))
