"""The bar that all panels share: five states, one job, a time left that never grows."""

from __future__ import annotations

import re
import threading

import ipywidgets
import pytest

from toolkit import _i18n
from toolkit.errors import Cancelled, UsageError
from toolkit.jobs import Progress
from toolkit.widgets.jobs import STATES, JobBar, progress_text


@pytest.fixture(autouse=True)
def english():
    _i18n.set_language("en")
    yield
    _i18n.set_language("en")


@pytest.fixture
def bar():
    made = JobBar(
        ipywidgets.Button(), words=lambda: {s: f"is {s}" for s in STATES}, weights={"work": 1.0}
    )
    made.retranslate()
    return made


def test_a_job_goes_through_its_states_and_hands_over_its_result(bar):
    states, results = [bar.state], []
    bar.observe(lambda change: states.append(change["new"]), "state")
    bar.start(lambda tick: tick("work", 1, 1) or 7, results.append)
    bar.wait(10)
    assert states == ["idle", "running", "done"]
    assert results == [7]
    assert bar.text == "is done"
    assert bar.cancel_button.disabled
    assert not bar.children[0].disabled


def test_a_panel_wears_the_state_once_all_is_said(bar):
    panel, seen = ipywidgets.VBox(), []
    bar.show_state(panel, "dz-x")
    panel.observe(
        lambda _change: seen.append((tuple(panel._dom_classes), bar.text)), "_dom_classes"
    )
    bar.start(lambda _tick: None)
    bar.wait(10)
    worn = [(classes[-1], text) for classes, text in seen if classes]
    assert worn == [("dz-x-running", "is running"), ("dz-x-done", "is done")]


def test_one_job_at_a_time_which_can_be_stopped(bar):
    going = threading.Event()

    def endless(tick):
        while True:
            going.set()
            tick("work", 0, 10)

    bar.start(endless)
    assert going.wait(10)
    job = bar._job
    bar.start(lambda _tick: None)
    assert bar._job is job
    bar.cancel()
    assert bar.text == "Stopping …"
    bar.wait(10)
    assert (bar.state, bar.error) == ("cancelled", None)


def test_what_is_abandoned_is_heard_of_no_more(bar):
    going, results = threading.Event(), []

    def endless(tick):
        going.set()
        while True:
            tick("work", 5, 10)

    bar.start(endless, results.append)
    job = bar._job
    assert going.wait(10)
    bar.abandon()
    assert (bar.state, bar.text) == ("idle", "is idle")
    with pytest.raises(Cancelled):
        job.wait(10)
    assert (bar.state, bar.text, bar.progress.value, results) == ("idle", "is idle", 0, [])


def test_an_error_stays_until_the_next_job_and_may_be_dealt_with(bar):
    def fail(_tick):
        raise UsageError("no", "", "")

    bar.start(fail)
    bar.wait(10)
    assert (bar.state, type(bar.error)) == ("error", UsageError)
    handled = []
    bar.start(fail, handle=lambda error: handled.append(error) or True)
    bar.wait(10)
    assert (bar.state, bar.error, len(handled)) == ("done", None, 1)
    bar.start(lambda _tick: 1, lambda _result: fail(None))  # what shows the result fails
    bar.wait(10)
    assert bar.state == "error"


@pytest.mark.parametrize("language", ["en", "nl"])
def test_the_time_left_is_told_only_from_a_fifth_on_and_never_grows(bar, language, monkeypatch):
    clock = [0.0]
    monkeypatch.setattr("toolkit.jobs.time.monotonic", lambda: clock[0])
    monkeypatch.setitem(Progress.__init__.__kwdefaults__, "clock", lambda: clock[0])
    _i18n.set_language(language)
    texts = []
    bar.observe(lambda change: texts.append((change["new"], bar.progress.value)), "text")

    def work(tick):  # quick at first, then ever slower: each honest estimate is longer
        for step in range(60):
            clock[0] += 0.2 * 1.08**step
            tick("work", step, 60)

    bar.start(work)
    bar.wait(10)
    told = [(int(m[1]), part) for text, part in texts if (m := re.search(r"(\d+) s\b", text))]
    assert told
    assert told[0][1] >= 0.2
    seconds = [n for n, _part in told]
    assert seconds == sorted(seconds, reverse=True)


def test_the_words_of_progress():
    assert progress_text("reading", None) == "Now reading …"
    assert progress_text("reading", 12.0) == "Now reading … about 10 s left"
    assert progress_text("reading", 3.0, (2, 5)) == "2 of 5: reading … about 3 s left"
