"""Batches of made-up files: what is killed, hangs or is odd ends with one row like all others."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
from dataclasses import replace
from pathlib import Path

import pandas as pd
import psutil
import pytest

from toolkit.batch import inputs, rehearsal
from toolkit.batch.journal import PAGE, TABLE, Journal, KnownRow
from toolkit.batch.local import LocalWorkers
from toolkit.batch.plan import BatchPlan
from toolkit.batch.process import WorkerProcess
from toolkit.batch.run import Watch, run
from toolkit.casework.lock import BusyError, Lock
from toolkit.errors import DetectorError, ModelError, UsageError


@pytest.fixture(autouse=True)
def _quick(monkeypatch):
    monkeypatch.setenv(rehearsal.PAUSE_VARIABLE, "0")


@pytest.fixture
def plan(tmp_path):
    return BatchPlan(out=str(tmp_path / "results"), judge=rehearsal.JUDGE, retries=1, timeout_s=60)


@pytest.fixture
def clips(tmp_path):
    folder = tmp_path / "clips"
    rehearsal.make_files(folder, 6, sources=2)
    return folder


def go(folder, plan, *, workers=1, **options):
    return run(inputs.find(folder).tasks, plan, lambda plan: LocalWorkers(plan, workers), **options)


def rows(plan):
    """Return the table by file name, after a look at what it was made from."""
    journal = {r["key"] for r in Journal(plan.folder).rows()}
    table = pd.read_parquet(plan.folder / TABLE)
    assert len(table) == len(journal)
    assert not list(plan.folder.rglob(".*.part"))
    return {Path(row.path).name: row for row in table.itertuples()}


def never(plan):
    raise AssertionError("nothing was to be judged")


def test_every_file_has_a_row_a_report_and_the_page(plan, clips):
    progress = go(clips, plan, workers=2)
    assert (progress.done, progress.total, progress.known) == (6, 6, 0)
    table = rows(plan)
    assert len(table) == 6
    assert {r.status for r in table.values()} == {"analysed"}
    assert {r.source for r in table.values()} == {"source0", "source1"}
    for row in table.values():
        content = json.loads((plan.folder / row.report / "report.json").read_text())
        assert content["sha256"] == row.sha256
    assert (plan.folder / PAGE).is_file()


def test_the_same_call_again_does_nothing(plan, clips):
    go(clips, plan)
    before = {p: p.stat().st_mtime_ns for p in plan.folder.rglob("*.json")}
    progress = run(inputs.find(clips).tasks, plan, never)
    assert (progress.done, progress.known) == (6, 6)
    assert {p: p.stat().st_mtime_ns for p in plan.folder.rglob("*.json")} == before


def test_a_file_that_kills_hangs_raises_or_is_refused_is_a_row_and_the_others_go_on(plan, clips):
    for word in ("die", "hang", "raise", "refuse"):
        (clips / f"{word}.mp4").write_text(word)
    progress = go(clips, replace(plan, timeout_s=3), workers=2)
    table = rows(plan)
    assert len(table) == 10
    assert {n: table[f"{n}.mp4"].status for n in ("die", "hang", "raise", "refuse")} == {
        "die": "failed",
        "hang": "timed_out",
        "raise": "failed",
        "refuse": "refused",
    }
    assert (table["die.mp4"].attempts, table["hang.mp4"].attempts) == (2, 1)
    assert "exit 9" in table["die.mp4"].reason
    assert "ZeroDivisionError" in table["raise.mp4"].reason
    assert progress.counts == {"analysed": 6, "refused": 1, "failed": 2, "timed_out": 1}
    run(inputs.find(clips).tasks, plan, never)  # they are not tried again until somebody asks


def test_failed_files_and_only_they_are_tried_again_on_request(plan, clips):
    (clips / "raise.mp4").write_text("raise")
    go(clips, plan)
    assert rows(plan)["raise.mp4"].status == "failed"
    judged = []
    progress = go(clips, plan, again=True, on_progress=lambda p: judged.append(p.last))
    assert [r["path"] for r in judged if r] == [str(clips / "raise.mp4")]
    assert (progress.known, len(rows(plan))) == (6, 7)


def test_a_changed_file_is_judged_again_and_its_earlier_result_stays(plan, clips):
    path = clips / "source0/clip00000.mp4"
    go(clips, plan)
    path.write_text("other content\n")
    progress = go(clips, plan)
    assert progress.known == 5
    table = pd.read_parquet(plan.folder / TABLE)
    mine = table[table["path"] == str(path)]
    assert len(table) == 7
    assert mine["sha256"].nunique() == 2


def test_a_touched_file_is_found_again_by_its_content(plan, clips):
    path = clips / "source0/clip00000.mp4"
    go(clips, plan)
    os.utime(path, (1, 1))
    progress = go(clips, plan)
    assert len(rows(plan)) == 6
    assert progress.known == 6  # the worker found the row
    assert run(inputs.find(clips).tasks, plan, never).known == 6


def test_two_files_of_the_same_content_have_a_row_each(plan, clips):
    (clips / "copy.mp4").write_bytes((clips / "source0/clip00000.mp4").read_bytes())
    go(clips, plan)
    table = rows(plan)
    assert len(table) == 7
    assert table["copy.mp4"].sha256 == table["clip00000.mp4"].sha256
    assert table["copy.mp4"].report != table["clip00000.mp4"].report


def test_a_missing_file_is_a_row_until_it_is_there(plan, tmp_path):
    path = tmp_path / "late.mp4"
    tasks = inputs.from_paths([path]).tasks
    run(tasks, plan, lambda plan: LocalWorkers(plan, 1))
    (row,) = rows(plan).values()
    assert pd.isna(row.sha256)
    assert row.status == "failed"
    path.write_text("here\n")
    run(tasks, plan, lambda plan: LocalWorkers(plan, 1))
    (row,) = rows(plan).values()
    assert row.status == "analysed"


def test_a_worker_that_is_killed_is_replaced(plan, clips, monkeypatch):
    monkeypatch.setenv(rehearsal.PAUSE_VARIABLE, "0.05")
    pool, killed = [], []

    def make(plan):
        pool.append(LocalWorkers(plan, 1))
        return pool[0]

    def kill(progress):
        if progress.last and len(killed) < 2:
            killed.extend(pool[0].pids)
            os.kill(pool[0].pids[0], signal.SIGKILL)

    run(inputs.find(clips).tasks, replace(plan, retries=5), make, on_progress=kill)
    assert len(set(killed)) == 2
    assert {r.status for r in rows(plan).values()} == {"analysed"}


def test_an_interrupt_keeps_what_is_done_and_the_next_call_goes_on(plan, clips):
    def interrupt(progress):
        if progress.done == 2 and progress.last:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        go(clips, plan, on_progress=interrupt)
    done = len(rows(plan))
    assert 2 <= done < 6
    progress = go(clips, plan)
    assert (progress.known, progress.done) == (done, 6)
    assert len(rows(plan)) == 6


def test_a_row_that_was_written_but_not_told_is_not_made_again(plan, clips):
    task = inputs.find(clips).tasks[0]
    Journal(plan.folder).begin(plan, None)
    process = WorkerProcess(plan)
    first = process.judge(task)
    process.close()
    silent = WorkerProcess(plan)
    silent._ask = lambda _task: (None, "exit -9")
    again = silent.judge(task)
    assert again.row["key"] == first.row["key"]
    assert again.row["status"] == "analysed"


def test_the_files_of_a_killed_process_are_cleared_away(plan, clips):
    go(clips, plan)
    part = plan.folder / "rows" / f".{'0' * 16}.part"
    part.write_text("half")
    run(inputs.find(clips).tasks, plan, never)
    assert not part.exists()


@pytest.mark.parametrize("spoil", ["", "{", "[]", '{"status": "wonderful"}', "\0"])
def test_a_spoiled_row_is_made_again(plan, clips, spoil):
    go(clips, plan)
    victim = next(iter(Journal(plan.folder).rows()))
    Journal(plan.folder).path_of(victim["key"]).write_text(spoil)
    assert go(clips, plan).known == 5
    assert len(rows(plan)) == 6


def test_results_of_other_settings_are_not_mixed(plan, clips):
    go(clips, plan)
    with pytest.raises(UsageError, match="other settings"):
        go(clips, replace(plan, seed=1))
    with pytest.raises(UsageError, match="other settings"):
        Journal(plan.folder).begin(plan, {"weights": "others"})


def test_a_folder_with_something_else_is_left_alone(plan, clips):
    plan.folder.mkdir()
    (plan.folder / "thesis.txt").write_text("mine")
    with pytest.raises(UsageError, match="something else"):
        go(clips, plan)
    assert [p.name for p in plan.folder.iterdir()] == ["thesis.txt"]
    with pytest.raises(UsageError, match="not a folder"):
        go(clips, replace(plan, out=str(plan.folder / "thesis.txt")))


def test_two_batches_do_not_share_a_folder(plan, clips):
    plan.folder.mkdir()
    with Lock(plan.folder, "other"), pytest.raises(BusyError, match="these results"):
        go(clips, plan)


def test_an_unknown_detector_is_refused_before_anything_is_made(plan, clips):
    with pytest.raises(DetectorError, match="no detector"):
        go(clips, replace(plan, detector="oracle"))
    assert not plan.folder.exists()


def lacks_a_model(task, plan):
    raise ModelError("a model file is missing", "x.onnx", "Run: python start.py setup")


def test_a_broken_installation_ends_the_batch_and_makes_no_rows(plan, clips, monkeypatch):
    monkeypatch.setenv("PYTHONPATH", os.fspath(Path(__file__).parents[2]))
    broken = replace(plan, judge="tests.batch.test_run:lacks_a_model")
    with pytest.raises(ModelError, match="a model file is missing"):
        go(clips, broken)
    assert rows(broken) == {}


def test_watching_takes_each_new_file_once_when_it_is_complete(plan, clips):
    growing = clips / "growing.mp4"
    with growing.open("w") as file:
        watch = Watch(lambda: inputs.from_folder(clips).tasks, every_s=0)
        assert watch() == []  # a first look tells nothing of what grows
        file.write("more ")
        file.flush()
        assert len(watch()) == 6
        file.write("and more")
    assert [Path(t.path).name for t in (*watch(), *watch())] == ["growing.mp4"]
    assert watch() == []


def test_a_watched_folder_goes_on_until_it_is_stopped(plan, clips):
    seen = threading.Event()

    def add(progress):
        if progress.done == 6 and not seen.is_set():
            seen.set()
            (clips / "new.mp4").write_text("new\n")
        if progress.done == 7:
            raise KeyboardInterrupt

    watch = Watch(lambda: inputs.from_folder(clips).tasks, every_s=0.05)
    with pytest.raises(KeyboardInterrupt):
        run((), plan, lambda plan: LocalWorkers(plan, 1), more=watch, on_progress=add)
    assert len(rows(plan)) == 7


def test_the_row_of_a_readable_file_stays_when_it_cannot_be_read(tmp_path):
    readable = {"key": "1", "path": "/a", "sha256": "0", "status": "analysed"}
    unreadable = {"key": "2", "path": "/a", "sha256": None, "status": "refused"}
    for order in ([readable, unreadable], [unreadable, readable]):
        assert list(KnownRow(order).by_key) == ["1"]


@pytest.mark.skipif(os.name != "posix", reason="sends SIGINT")
def test_ctrl_c_on_the_command_line_keeps_what_is_done_and_leaves_no_process(plan, clips):
    rehearsal.make_files(clips, 200)
    environment = {**os.environ, rehearsal.PAUSE_VARIABLE: "0.1"}
    command = [sys.executable, "-m", "toolkit.batch.rehearsal", str(clips), plan.out]
    with subprocess.Popen(
        command, env=environment, stderr=subprocess.DEVNULL, start_new_session=True
    ) as client:
        journal = Journal(plan.folder)
        while not any(True for _ in journal.rows()):
            assert client.poll() is None
        workers = psutil.Process(client.pid).children()
        os.killpg(client.pid, signal.SIGINT)  # as a terminal does
        assert client.wait(60) != 0
    assert len(workers) == 2
    _gone, alive = psutil.wait_procs(workers, timeout=30)
    assert alive == []
    assert 1 <= len(rows(plan)) < 206


@pytest.mark.skipif(os.name != "posix", reason="sends SIGKILL")
def test_workers_end_with_the_client_that_is_killed(plan, clips):
    (clips / "hang.mp4").write_text("hang")
    command = [sys.executable, "-m", "toolkit.batch.rehearsal", str(clips), plan.out]
    with subprocess.Popen(command, stderr=subprocess.DEVNULL) as client:
        while len(list(Journal(plan.folder).rows())) < 6:
            assert client.poll() is None
        workers = psutil.Process(client.pid).children()
        client.kill()
    _gone, alive = psutil.wait_procs(workers, timeout=30)
    assert alive == []
