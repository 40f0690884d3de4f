"""What a detector of stretches is asked: each region held still over each stretch."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING

import ipywidgets

from toolkit._i18n import _
from toolkit.figures.sentences import clock, number, region_name
from toolkit.figures.spans import span_lines, spans_sentence
from toolkit.types import REGIONS
from toolkit.widgets.styling import classed
from toolkit.widgets.workbench.questions import AskButton, Questions

if TYPE_CHECKING:
    from collections.abc import Sequence

    from toolkit.explain.session import PersonExplainer
    from toolkit.explain.spans import SpanAnswer


class SpansView(ipywidgets.VBox):  # type: ignore[misc]  # ipywidgets ships no types
    """Which stretch each logit stands for, and what each region adds to it."""

    def __init__(self, questions: Questions) -> None:
        self._questions = questions
        self._about = classed(ipywidgets.HTML(), "dz-spans-about")
        self._shown = classed(ipywidgets.HTML(), "dz-spans")
        self._ask = AskButton(
            "spans", lambda: _("Hold each region still, stretch by stretch"), questions.ask_spans
        )
        super().__init__([self._about, ipywidgets.HBox([self._ask]), self._shown])

    def say_buttons(self) -> None:
        """Say what can be asked, in the language in use."""
        self._ask.offer(self._questions)

    def fill_answers(self, session: PersonExplainer, _row: int) -> None:
        """Show what was answered so far."""
        self._about.value = f"<p>{escape(spans_sentence(session.result))}</p>"
        self._shown.value = spans_html(session.spans, session.threshold) if session.spans else ""


def spans_html(answers: Sequence[SpanAnswer], threshold: float) -> str:
    """Return the stretches as sentences, and regions by stretches as a table."""
    lines = "".join(f"<li>{escape(line)}</li>" for line in span_lines(answers, threshold))
    head = "".join(
        f"<th>{escape(clock(a.start_s, 1))}–{escape(clock(a.end_s, 1))}</th>" for a in answers
    )
    rows = []
    for index, region in enumerate(REGIONS):
        values = [float(a.shares[index]) for a in answers]
        if not any(values):
            continue
        cells = "".join(f"<td>{escape(number(v, 2, signed=True))}</td>" for v in values)
        rows.append(f'<tr><th scope="row">{escape(region_name(region))}</th>{cells}</tr>')
    for title, numbers in (
        (_("all of it held still"), [a.still_logit for a in answers]),
        (_("logit of the stretch"), [a.logit for a in answers]),
    ):
        cells = "".join(f"<td>{escape(number(v, 2, signed=True))}</td>" for v in numbers)
        rows.append(f'<tr><th scope="row"><b>{escape(title)}</b></th>{cells}</tr>')
    caption = escape(
        _("What the movement of each region adds to each stretch, in logits; columns add up.")
    )
    return (
        f'<ul class="dz-plain">{lines}</ul><div style="overflow-x:auto"><table class="dz-table">'
        f"<caption>{caption}</caption><thead><tr><th></th>{head}</tr></thead>"
        f"<tbody>{''.join(rows)}</tbody></table></div>"
    )
