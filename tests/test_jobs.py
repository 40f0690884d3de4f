"""A job runs in a thread, reports at a bearable rate, stops when asked and keeps its error."""

from __future__ import annotations

import itertools
import subprocess
import sys
import threading
import time

import pytest

from toolkit.errors import Cancelled, VideoError
from toolkit.jobs import Job, Progress, Promise, TerminalLine


def count(tick, total=10**6):
    for i in range(1, total + 1):
        time.sleep(0.002)
        tick("scan", i, total)
    return "finished"


def test_result_and_thread():
    seen = []
    job = Job(lambda tick: threading.current_thread().name, on_end=seen.append)
    assert job.start().wait(5) == "doorzicht-job"
    assert seen == [job]
    assert not job.is_running
    assert not job.is_cancelled


def test_at_most_ten_updates_a_second():
    times = []
    Job(
        lambda tick: count(tick, 250), on_update=lambda *_: times.append(time.monotonic())
    ).start().wait(20)
    assert len(times) >= 3
    assert min(b - a for a, b in itertools.pairwise(times)) > 0.09


def test_cancel_stops_soon_and_is_told_apart_from_an_error():
    ended = []
    started = threading.Event()
    job = Job(count, on_update=lambda *_: started.set(), on_end=ended.append).start()
    assert started.wait(5)
    asked = time.perf_counter()
    job.cancel()
    job.cancel()
    with pytest.raises(Cancelled):
        job.wait(5)
    assert time.perf_counter() - asked < 0.5
    assert job.is_cancelled
    assert ended == [job]


def test_cancel_before_the_first_tick_still_counts():
    job = Job(count)
    job.cancel()
    with pytest.raises(Cancelled):
        job.start().wait(5)


def test_error_is_kept_with_its_class():
    def fail(tick):
        raise VideoError("the file is empty", "a.mp4", "Copy it again.")

    job = Job(fail).start()
    with pytest.raises(VideoError, match=r"a\.mp4"):
        job.wait(5)
    assert not job.is_cancelled


def test_a_listener_that_fails_ends_the_job_with_its_error():
    def broken(*_):
        raise RuntimeError("no widget")

    with pytest.raises(RuntimeError, match="no widget"):
        Job(count, on_update=broken).start().wait(5)


def test_wait_gives_up():
    job = Job(count).start()
    with pytest.raises(TimeoutError, match="still running"):
        job.wait(0.05)
    job.cancel()


class Clock:
    now = 0.0

    def __call__(self):
        return self.now


@pytest.fixture
def clock():
    return Clock()


def test_time_left_is_exact_when_work_goes_as_weighed(clock):
    progress = Progress({"a": 1, "b": 3}, clock=clock)
    progress.update("a", 0, 10)
    for second in range(2, 10):
        clock.now = second
        left = progress.update("a", second, 10)  # a takes 10 s, so b takes 30 s
        assert left == pytest.approx(40 - second)
    assert progress.fraction == pytest.approx(9 / 40)


def test_loading_between_stages_is_no_pace(clock):
    progress = Progress({"a": 1, "b": 1}, clock=clock)
    progress.update("a", 0, 10)
    clock.now = 10
    progress.update("a", 10, 10)
    clock.now = 500  # models were loaded
    assert progress.update("b", 0, 10) == pytest.approx(10)


def test_a_stage_under_way_is_timed_by_its_own_pace(clock):
    progress = Progress({"a": 1, "b": 1}, clock=clock)
    progress.update("a", 0, 1)
    clock.now = 1
    progress.update("a", 1, 1)
    progress.update("b", 0, 10)
    clock.now = 11  # b is ten times slower than weighed
    assert progress.update("b", 1, 10) == pytest.approx(90)


def test_no_guess_without_a_pace(clock):
    progress = Progress({"a": 1, "b": 1}, clock=clock)
    assert progress.update("a", 0, 10) is None
    clock.now = 0.1
    assert progress.update("a", 1, 10) is None
    assert progress.update("unheard of", 1, 2) is None
    assert progress.update("a", 1, 0) is None


def test_a_stage_that_the_cache_answered_is_no_pace(clock):
    progress = Progress({"scan": 1, "detect": 1, "explain": 1}, clock=clock)
    progress.update("scan", 1, 1)  # told as finished at once
    assert progress.fraction == pytest.approx(1 / 3)
    progress.update("detect", 0, 10)
    for second in range(1, 9):
        clock.now = second
        left = progress.update("detect", second, 10)
        assert left == pytest.approx(10 - second + 10)  # explain takes as long as detect


def test_the_bar_never_goes_back_when_stages_take_turns(clock):
    progress = Progress(clock=clock)
    shown = []
    for stage, done in (("detect", 5), ("explain", 1), ("detect", 2), ("explain", 10)):
        clock.now += 1
        left = progress.update(stage, done, 10)
        assert left is None or left >= 0
        shown.append(progress.fraction)
    assert shown == sorted(shown)
    assert shown[-1] == 1


def test_needs_no_notebook():
    heavy = ["IPython", "ipywidgets", "torch"]
    code = f"import sys, toolkit.jobs; print([m for m in {heavy} if m in sys.modules])"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "[]"


def test_a_time_is_promised_only_once_it_can_be_kept_to():
    promise = Promise()
    assert promise.told(0.19, 40) is None  # too early
    assert promise.told(0.2, 40) == 40
    assert promise.told(0.3, 30) == 30
    assert promise.told(0.3, 36) == 30  # a fifth more: the shortest stands
    assert promise.told(0.3, 36.1) is None  # it would rise: better none
    assert promise.told(0.5, None) is None
    assert promise.told(0.9, 2) == 2


def test_in_a_log_long_work_leaves_a_line_now_and_then(capsys):
    now = [0.0]
    line = TerminalLine({"scan": "looking"}.get, clock=lambda: now[0])
    for second in range(40):
        now[0] = float(second)
        line("scan", second, 40)
    told = capsys.readouterr().err.splitlines()
    assert told == ["looking: 15 of 40", "looking: 30 of 40"]
