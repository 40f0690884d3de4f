"""The pool: who asks gets an answer in turn; who leaves, dies or kills a process blocks nobody."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading

import psutil
import pytest

from toolkit.classroom import client
from toolkit.classroom import pool as module
from toolkit.classroom.pool import ASKED_MAX, AnalysisPool, check_memory
from toolkit.classroom.session import ClassSession
from toolkit.errors import Cancelled, UsageError
from toolkit.storage.cache import Cache
from toolkit.types import Sampling

WORKER = """
import json, os, sys
def say(**answer): print(json.dumps(answer), flush=True)
for line in sys.stdin:
    if line.strip() == "cancel":
        say(end={"error": ["Cancelled", ["cancelled", "", ""]]})
        continue
    job = json.loads(line)
    word = job["video"].rsplit("/", 1)[-1]
    say(tick=["detect", 1, 2])
    if word == "die":
        os._exit(9)
    if word == "refuse":
        say(end={"error": ["VideoError", ["no video stream found", "a.mp4", "Take another."]]})
    elif word != "hang":
        say(end={"entry": json.dumps(job)})
"""
"""Answers like the real one, without an analysis; `hang` waits to be cancelled."""

WAIT_S = 60


@pytest.fixture
def pool(tmp_path):
    running = AnalysisPool(1, tmp_path / "shared", [sys.executable, "-c", WORKER])
    yield running
    running.close()


@pytest.fixture
def session(pool, tmp_path, monkeypatch):
    folder = tmp_path / "session"
    folder.mkdir()
    session = ClassSession(pool.port, "secret", folder, tmp_path / "clips")
    pool.register(session)
    monkeypatch.setattr(client, "current", lambda: session)
    return session


class Pupil(threading.Thread):
    """Asks for one clip, in a thread; keeps its ticks, and what came of it."""

    def __init__(self, session, word):
        super().__init__(daemon=True)
        self._session, self._word = session, word
        self.ticks, self.result = [], None
        self.has_begun, self.waits, self.leaves = (threading.Event() for _ in range(3))

    def _tick(self, stage, done, total):
        if self.leaves.is_set():
            raise Cancelled
        self.ticks.append((stage, done, total))
        if stage == "detect":
            self.has_begun.set()
        elif done:
            self.waits.set()

    def run(self):
        request = {
            "do": "analyse",
            "video": str(self._session.folder / self._word),
            "detector": "seamnet",
            "sampling": Sampling().to_dict(),
        }
        try:
            for answer in client._answers(self._session, request, self._tick):
                if "tick" in answer:
                    self._tick(*answer["tick"])
                if "end" in answer:
                    self.result = answer["end"]
        except Cancelled:
            self.result = "cancelled"


def start(session, word):
    pupil = Pupil(session, word)
    pupil.start()
    return pupil


def test_an_answer_comes_back_and_the_folders_are_those_of_the_session(session):
    pupil = start(session, "clip.mp4")
    pupil.join(WAIT_S)
    job = json.loads(pupil.result["entry"])
    assert job["cache"] == str(session.folder / "cache")
    assert job["shared"] is None  # an upload is nobody else's
    assert ("detect", 1, 2) in pupil.ticks


def test_the_second_waits_and_is_told_its_place_until_the_first_cancels(session):
    first = start(session, "hang")
    assert first.has_begun.wait(WAIT_S)
    second, third = start(session, "clip.mp4"), None
    assert second.waits.wait(WAIT_S)
    assert (client.QUEUE, 1, 1) in second.ticks
    third = start(session, "clip.mp4")
    assert third.waits.wait(WAIT_S)
    assert third.ticks[-1][:2] == (client.QUEUE, 2)
    third.leaves.set()  # gives up while waiting
    third.join(WAIT_S)
    assert third.result == "cancelled"
    assert not second.has_begun.is_set()
    first.leaves.set()
    second.join(WAIT_S)
    assert "entry" in second.result


def test_a_process_that_dies_is_told_and_replaced(session):
    first = start(session, "die")
    first.join(WAIT_S)
    name, parts = first.result["error"]
    assert name == "UsageError"
    assert "ended unexpectedly" in str(parts)
    second = start(session, "clip.mp4")
    second.join(WAIT_S)
    assert "entry" in second.result


def test_a_process_that_is_killed_while_nobody_asks_is_replaced(pool, session):
    start(session, "clip.mp4").join(WAIT_S)
    (pid,) = pool.pids
    os.kill(pid, signal.SIGKILL)
    second = start(session, "clip.mp4")
    second.join(WAIT_S)
    assert "entry" in second.result
    assert pool.pids != [pid]


KERNEL = """
import json, socket, sys
connection = socket.create_connection(("127.0.0.1", int(sys.argv[1])))
request = {"secret": "secret", "do": "turn", "is_loaded": True}
connection.sendall(json.dumps(request).encode() + b"\\n")
for line in connection.makefile():
    print(line, flush=True)
"""


def test_a_kernel_that_is_killed_gives_its_turn_back(session):
    command = [sys.executable, "-c", KERNEL, str(session.port)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as kernel:
        assert any("go" in line for line in kernel.stdout)
        second = start(session, "clip.mp4")
        assert second.waits.wait(WAIT_S)
        kernel.kill()
    second.join(WAIT_S)
    assert "entry" in second.result


def test_errors_of_the_analysis_arrive_as_what_they_are(session, tmp_path):
    from toolkit.errors import VideoError

    cache = Cache(tmp_path / "cache")
    with pytest.raises(VideoError, match=r"no video stream found: a.mp4. Take another."):
        client.examine(session.folder / "refuse", cache=cache)
    with pytest.raises(UsageError, match="could not be kept"):  # the entry is not there
        client.examine(session.folder / "clip.mp4", cache=cache)


def test_a_file_outside_is_refused_by_the_pool_too(session, tmp_path):
    pupil = start(session, "../elsewhere/clip.mp4")
    pupil.join(WAIT_S)
    assert "in a class only" in str(pupil.result["error"])
    with pytest.raises(UsageError, match="in a class only"):
        client.examine(tmp_path / "clip.mp4", cache=Cache(tmp_path))


@pytest.mark.parametrize("secret", ["", "wrong", "secre\u0301t", None, 7])
def test_without_the_secret_nothing_is_answered(pool, session, secret):
    stranger = ClassSession(pool.port, secret, session.folder)
    pupil = start(stranger, "clip.mp4")
    pupil.join(WAIT_S)
    assert pupil.result is None
    assert pool.pids == []


def test_one_session_cannot_fill_the_queue(session):
    first = start(session, "hang")
    assert first.has_begun.wait(WAIT_S)
    others = [start(session, "clip.mp4") for _ in range(ASKED_MAX - 1)]
    assert all(o.waits.wait(WAIT_S) for o in others)
    one_more = start(session, "clip.mp4")
    one_more.join(WAIT_S)
    assert "several answers" in str(one_more.result["error"])
    first.leaves.set()
    for other in others:
        other.join(WAIT_S)
        assert "entry" in other.result


def test_a_stopped_app_is_told(session, pool, tmp_path):
    pool.close()
    with pytest.raises(UsageError, match="has stopped"):
        client.examine(session.folder / "clip.mp4", cache=Cache(tmp_path))


def test_an_analysis_that_takes_too_long_is_ended(session, monkeypatch):
    monkeypatch.setattr(module, "LONGEST_S", 0.0)
    pupil = start(session, "hang")
    pupil.join(WAIT_S)
    assert "too long for a class" in str(pupil.result["error"])


def test_work_in_a_kernel_waits_for_its_turn_and_gives_it_back(session):
    with client.turn(lambda *_: None):
        pupil = start(session, "clip.mp4")
        assert pupil.waits.wait(WAIT_S)
    pupil.join(WAIT_S)
    assert "entry" in pupil.result


def test_another_network_is_refused_where_there_is_no_memory(monkeypatch):
    class Full:
        available = 100 << 20

    monkeypatch.setattr(psutil, "virtual_memory", Full)
    with pytest.raises(UsageError, match=r"no memory left for this: 0.1 GB free"):
        check_memory(is_loaded=False)
    check_memory(is_loaded=True)


def test_outside_of_a_class_nothing_waits():
    with client.turn(lambda *_: pytest.fail("there is no queue")):
        pass
