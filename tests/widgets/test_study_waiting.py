"""The study of waiting: what was promised of a job against what happened."""

from __future__ import annotations

import ipywidgets
import pytest

from toolkit.jobs import Job, JobRecord
from toolkit.widgets import study_waiting
from toolkit.widgets.jobs import STATES, JobBar


class Steps:
    """A clock that stands still but for what the work says it took."""

    def __init__(self):
        self.now = 0.0

    def __call__(self):
        return self.now


@pytest.fixture
def clock(monkeypatch):
    made = Steps()
    monkeypatch.setattr(Job, "clock", staticmethod(made))
    return made


def bar():
    return JobBar(
        ipywidgets.Button(),
        words=lambda: {s: f"is {s}" for s in STATES},
        weights={"first": 1.0, "second": 1.0},
    )


def run(clock, seconds):
    """Run two stages of ten steps, each of so many seconds per step; return the record."""
    made = bar()

    def work(tick):
        for stage, step in zip(("first", "second"), seconds, strict=True):
            for done in range(10):
                tick(stage, done, 10)
                clock.now += step
            tick(stage, 10, 10)

    made.start(work)
    made.wait(10)
    assert made.error is None
    return made.record


def test_a_job_that_goes_as_weighed_takes_what_was_promised(clock):
    record = run(clock, (1.0, 1.0))
    assert record.seconds == 20
    assert record.promised_at == pytest.approx(0.2)  # not before a fifth of the work
    assert record.promised_at_s == 4
    assert record.promised_s == pytest.approx(16)
    assert record.ratio == pytest.approx(1)
    assert record.stages == {"first": 10, "second": 10, "end": 0}
    assert study_waiting.is_kept(record)


def test_a_stage_that_takes_longer_than_weighed_breaks_the_promise(clock):
    record = run(clock, (1.0, 4.0))
    assert record.seconds == 50
    assert record.ratio == pytest.approx(46 / 16)
    assert (record.silence_s, record.silence_in) == (4, "second")
    assert not study_waiting.is_kept(record)


def test_a_job_without_a_promise_kept_none(clock):
    made = bar()

    def work(tick):
        tick("first", 0, 1)
        clock.now += 30

    made.start(work)
    made.wait(10)
    assert made.record.ratio is None
    assert not study_waiting.is_kept(made.record)
    assert (made.record.silence_s, made.record.silence_in) == (30, "end")


@pytest.mark.parametrize(
    ("took", "kept"), [(20.1, True), (45.0, True), (45.1, False), (19.9, False)]
)
def test_a_promise_is_kept_within_one_and_a_half_times(took, kept):
    record = JobRecord(seconds=10 + took, promised_s=30.0, promised_at_s=10.0, promised_at=0.25)
    assert study_waiting.is_kept(record) is kept


def rows(*seconds, job="a job", promised=10.0):
    return [
        {"job": job, "seconds": s, "promised_s": promised, "promised_at_s": 2.0, "promised_at": 0.2}
        for s in seconds
    ]


def test_the_table_counts_long_jobs_only():
    table = study_waiting.table([*rows(12.0, 12.5, 40.0), *rows(1.0, job="a short one")])
    assert "a job" in table
    assert "2 of 3" in table
    assert "short" in table
    assert "Of 3 runs of 5 s or more, 2 took" in table
    assert "67 %" in table


def test_jobs_take_turns_and_a_study_goes_on_where_it_stopped(tmp_path, monkeypatch, capsys):
    ran = []

    def job(name, seconds):
        def run(_ground):
            ran.append(name)
            record = JobRecord(seconds=seconds, promised_s=6.0, promised_at_s=2.0, promised_at=0.2)
            return type("Bar", (), {"record": record})

        return run

    monkeypatch.setattr(study_waiting, "JOBS", {"one": job("one", 8.0), "two": job("two", 90.0)})
    monkeypatch.setattr(study_waiting, "Ground", lambda folder: folder)
    out = tmp_path / "waiting.jsonl"
    options = ["--only", "one", "two", "--out", str(out)]
    assert study_waiting.main(["--runs", "1", *options]) == 1  # one of two kept its promise
    assert study_waiting.main(["--runs", "2", *options]) == 1
    assert ran == ["one", "two", "one", "two"]
    assert len(out.read_text().splitlines()) == 4
    assert "Of 4 runs of 5 s or more, 2 took" in capsys.readouterr().out
    assert study_waiting.main(["--runs", "2", "--only", "one"]) == 0
