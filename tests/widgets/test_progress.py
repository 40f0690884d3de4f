"""How far a call is, in the output of a cell: the bar, then the card in its place."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from toolkit import _i18n
from toolkit.widgets import progress
from toolkit.widgets.progress import NotebookProgress


class Handle:
    def __init__(self, log):
        self.log = log

    def update(self, content):
        self.log.append(content)


@pytest.fixture
def log(monkeypatch):
    """What the cell shows, one after the other; time passes a second per look."""
    shown, now = [], iter(range(1000))

    def display(content, *, display_id):
        assert display_id
        shown.append(content)
        return Handle(shown)

    monkeypatch.setattr(progress, "display", display)
    monkeypatch.setattr(progress, "get_ipython", lambda: SimpleNamespace(execution_count=3))
    monkeypatch.setattr(progress.time, "monotonic", lambda: float(next(now)))
    return shown


def test_the_bar_tells_the_stage_and_is_gone_at_the_end(log):
    _i18n.set_language("nl")
    with NotebookProgress() as tick:
        for done in range(4):
            tick("scan", done, 4)
    texts = [content.data for content in log]
    assert "zoeken naar gezichten" in texts[0]
    values = [float(t.split('value="')[1].split('"')[0]) for t in texts[:-1]]
    assert values == sorted(values)
    assert values[-1] > values[0]
    assert texts[-1] == ""


def test_the_bar_is_gone_after_an_error_too(log):
    def work():
        with NotebookProgress() as tick:
            tick("scan", 1, 4)
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        work()
    assert log[-1].data == ""


def test_the_card_takes_the_place_of_the_bar_and_stays(log):
    class Card:
        cell = None

        def _repr_html_(self):
            return "card"

        def shown_in(self, cell):
            self.cell = cell

    card = Card()
    with NotebookProgress() as tick:
        tick("scan", 1, 4)
        tick.show(card)
    assert log[-1] is card
    assert card.cell == 3


def test_work_that_takes_no_time_shows_nothing(log, monkeypatch):
    monkeypatch.setattr(progress.time, "monotonic", lambda: 5.0)
    with NotebookProgress() as tick:
        tick("scan", 1, 4)
    assert log == []


def test_a_stage_that_is_not_of_the_analysis_moves_its_own_bar(log):
    with NotebookProgress() as tick:
        tick("donors<", 1, 4)
    assert 'value="0.250"' in log[0].data
    assert "donors&lt;" in log[0].data
