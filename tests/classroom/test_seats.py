"""Seats: as many as there are, kept over a reload, given back; and what stays of a session."""

from __future__ import annotations

import subprocess
import sys

import pytest

from toolkit.classroom import seats as module
from toolkit.classroom.seats import AWAY_MAX_S, AWAY_S, ClassFolder, Seats
from toolkit.classroom.session import ClassSession, current
from toolkit.errors import UsageError


class Clock:
    now = 1000.0

    def __call__(self):
        return self.now


@pytest.fixture
def home(tmp_path):
    with ClassFolder(tmp_path / "class") as folder:
        yield folder


@pytest.fixture
def closed():
    return []


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def seats(home, closed, clock):
    def open_session(folder):
        return ClassSession(1, "secret", folder)

    return Seats(2, home, open_session=open_session, close_session=closed.append, clock=clock)


def test_the_third_of_two_is_refused_until_somebody_leaves(seats, clock):
    first, second = seats.take(None), seats.take(None)
    first.pages.add("k1")
    second.pages.add("k2")
    seats.look({"k1", "k2"})
    assert seats.take(None) is None
    assert seats.take(first.id) is first  # the page is loaded again
    seats.look({"k2"})  # the first closed the page
    assert seats.take(None) is None  # it may be a reload
    clock.now += AWAY_S + 1
    third = seats.take(None)
    assert third not in (None, first, second)
    assert seats.take(first.id) is None
    assert not first.session.folder.exists()


def test_who_only_loads_the_page_again_keeps_folder_and_seat(seats, clock):
    seat = seats.take(None)
    seat.pages.add("k1")
    seats.look(set())
    clock.now += AWAY_MAX_S - 1
    seats.look(set())
    assert seats.take(seat.id) is seat
    seat.pages.add("k2")
    seats.look({"k2"})
    clock.now += 10 * AWAY_MAX_S
    seats.look({"k2"})
    assert seats.take(seat.id) is seat


def test_who_stays_away_gives_the_seat_back_without_anybody_asking(seats, clock, closed):
    seat = seats.take(None)
    seats.look(set())
    clock.now += AWAY_MAX_S + 1
    seats.look(set())
    assert len(seats) == 0
    assert closed == [seat.session]


def test_a_made_up_cookie_gets_a_new_seat(seats):
    assert seats.take("../..").id != "../.."


def test_what_was_made_on_purpose_is_kept_and_the_rest_is_gone(seats, tmp_path):
    saved, nothing = seats.take(None), seats.take(None)
    for seat in (saved, nothing):
        folder = seat.session.folder
        for name in ("cache/report-1.npz", "uploads/face.mp4", "workbench/state.json"):
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_text("x")
        (folder / "workbench/notes").mkdir()
        (folder / "workbench/notes/general.txt").touch()  # no word was written
    (saved.session.folder / "clip-20260101").mkdir()
    (saved.session.folder / "clip-20260101/report.html").write_text("saved")
    (saved.session.folder / "workbench/notes/general.txt").write_text("seen")
    seats.close()
    (kept,) = (tmp_path / "class/saved").iterdir()
    files = {p.relative_to(kept).as_posix() for p in kept.rglob("*") if p.is_file()}
    assert files == {"clip-20260101/report.html", "workbench/notes/general.txt"}
    assert not saved.session.folder.exists()
    assert not nothing.session.folder.exists()


def test_nothing_of_an_app_is_left_when_it_ends(tmp_path):
    with ClassFolder(tmp_path) as home:
        (home.new() / "uploads").mkdir()
        home.shared.mkdir()
    assert list(tmp_path.iterdir()) == []


KILLED = """
import os, sys
from pathlib import Path
from toolkit.classroom.seats import ClassFolder
home = ClassFolder(Path(sys.argv[1])).__enter__()
folder = home.new()
(folder / "uploads").mkdir()
(folder / "uploads" / "face.mp4").write_text("x")
(folder / "report.html").write_text("saved")
os.kill(os.getpid(), 9)
"""


def test_the_next_app_tidies_up_after_one_that_was_killed_but_not_one_that_runs(tmp_path):
    with ClassFolder(tmp_path) as running:
        mine = running.new()
        (mine / "uploads").mkdir()
        subprocess.run([sys.executable, "-c", KILLED, tmp_path], check=False)
        assert len(list(tmp_path.glob("open-*"))) == 2
        with ClassFolder(tmp_path):
            (kept,) = (tmp_path / module._SAVED).iterdir()
            assert [p.name for p in kept.iterdir()] == ["report.html"]
            assert mine.is_dir()
        assert len(list(tmp_path.glob("open-*"))) == 1


# --- what a session may open


def test_a_session_opens_its_own_files_and_what_the_teacher_offers(tmp_path):
    folder, clips, other = (tmp_path / n for n in ("session", "clips", "session-of-another"))
    for place in (folder, clips, other):
        place.mkdir()
        (place / "a.mp4").touch()
    (clips / "notes.txt").touch()
    (clips / "link.mp4").symlink_to(other / "a.mp4")
    (folder / "link.mp4").symlink_to(other / "a.mp4")
    session = ClassSession(1, "s", folder, clips)
    assert [p.name for p in session.offered()] == ["a.mp4"]
    assert session.may_open(folder / "a.mp4")
    assert session.may_open(clips / "a.mp4")
    for path in (
        other / "a.mp4",
        folder / "link.mp4",
        clips / "link.mp4",
        folder / ".." / "session-of-another" / "a.mp4",
    ):
        with pytest.raises(UsageError, match="in a class only"):
            session.check(path)
    assert not session.may_open(tmp_path / ("x" * 5000))


def test_a_kernel_finds_its_session_in_the_environment(tmp_path):
    session = ClassSession(4711, "secret", tmp_path, tmp_path / "clips")
    assert current(session.environment()) == session
    for text in ("", "4711:", ":x", "a:b", "4711"):
        assert current({"DOORZICHT_CLASS": text, "DOORZICHT_RUNS": "x"}) is None
