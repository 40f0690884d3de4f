"""What a class uploads: in parts, complete or not at all, and never more than may be."""

from __future__ import annotations

import pytest

from tests.widgets.pressing import shown
from toolkit.classroom import session as classroom
from toolkit.classroom.session import ClassSession
from toolkit.errors import UsageError
from toolkit.widgets.workbench import class_upload
from toolkit.widgets.workbench.chooser import Chooser
from toolkit.widgets.workbench.class_upload import LIMIT, ClassUpload


class Browser:
    """Sends what a page sends; keeps what came of it."""

    def __init__(self, folder):
        self.videos, self.problems, self.answers = [], [], []
        self.upload = ClassUpload(folder, self.videos.append, self.problems.append)
        self.upload.send = self.answers.append

    def send(self, buffers=(), **content):
        self.upload._on_message(self.upload, content, list(buffers))

    def part(self, data, offset, size, name="clip.mp4"):
        self.send([data], kind="part", name=name, size=size, offset=offset)


@pytest.fixture
def browser(tmp_path):
    return Browser(tmp_path / "uploads")


def left(browser):
    folder = browser.upload._folder
    return sorted(p.name for p in folder.iterdir()) if folder.exists() else []


def test_parts_become_one_file_under_a_name_of_its_own(browser):
    browser.part(b"abc", 0, 5)
    assert browser.videos == []
    browser.part(b"de", 3, 5)
    (video,) = browser.videos
    assert video.read_bytes() == b"abcde"
    assert video.name.startswith("clip-")
    assert browser.answers == [{"goes_on": True}, {"goes_on": False}]
    browser.part(b"xy", 0, 2)
    assert len(left(browser)) == 2


@pytest.mark.parametrize("size", [LIMIT + 1, 10**15])
def test_what_is_too_large_is_told_with_the_limit_and_what_to_do(browser, size):
    browser.send(kind="refused", name="holiday.mp4", size=size)
    (problem,) = browser.problems
    assert isinstance(problem, UsageError)
    assert "too large to upload: holiday.mp4" in str(problem)
    assert "At most 100 MB" in str(problem)
    browser.part(b"abc", 0, size)  # a page that sends it all the same
    assert len(browser.problems) == 2
    assert left(browser) == []


def test_an_empty_file_is_told(browser):
    browser.send(kind="refused", name="nothing.mp4", size=0)
    assert "this file is empty: nothing.mp4" in str(browser.problems[0])


@pytest.mark.parametrize(
    ("data", "offset"),
    [(b"x", 7), (b"x", 2), (b"abcdef", 3), (b"", 3), (b"x", -1)],
)
def test_a_part_that_does_not_fit_ends_the_upload_and_leaves_nothing(browser, data, offset):
    browser.part(b"abc", 0, 5)
    browser.part(data, offset, 5)
    assert "did not arrive completely" in str(browser.problems[0])
    assert browser.answers[-1] == {"goes_on": False}
    assert left(browser) == []
    browser.part(b"abcde", 0, 5)  # the next one is not spoilt by it
    assert len(browser.videos) == 1


def test_many_uploads_together_are_limited(browser, monkeypatch):
    monkeypatch.setattr(class_upload, "TOTAL_MAX", 7)
    browser.part(b"abcde", 0, 5)
    browser.part(b"abcde", 0, 5)
    assert "uploads together are too large" in str(browser.problems[0])
    assert len(left(browser)) == 1


@pytest.mark.parametrize(
    "content",
    [
        {},
        {"kind": "part"},
        {"kind": "part", "name": "a", "size": "x", "offset": 0},
        {"kind": "part", "name": "a", "size": 5, "offset": None},
        {"kind": "part", "name": "a", "size": 5, "offset": 0},
        {"kind": "refused", "name": "a", "size": 5},
    ],
)
def test_what_no_page_of_ours_sends_does_nothing(browser, content):
    browser.send(**content)
    assert browser.videos == browser.problems == left(browser) == []


@pytest.mark.parametrize("name", ["../../etc/passwd", "<b>.mp4", "a\u202e4pm.exe", ".", "x" * 300])
def test_a_hostile_name_stays_in_its_folder(browser, name):
    browser.part(b"abc", 0, 3, name)
    (stored,) = left(browser)
    assert "<" not in stored
    assert len(stored) < 100


# --- the form in a class


@pytest.fixture
def choose(tmp_path, monkeypatch):
    (tmp_path / "clips").mkdir()
    (tmp_path / "clips" / "of_the_teacher.mp4").touch()
    session = ClassSession(1, "s", tmp_path / "session", tmp_path / "clips")
    monkeypatch.setattr(classroom, "current", lambda: session)
    return Chooser(session.folder / "uploads", lambda: None, lambda: None)


def test_in_a_class_no_path_is_asked_for_and_none_is_taken(choose, tmp_path):
    assert not shown(choose.path)
    assert not shown(choose.manage)
    choose.path.value = str(tmp_path / "secret.mp4")  # a page can send what it does not show
    with pytest.raises(UsageError, match="in a class only"):
        choose.asked()
    choose.manage.value = True
    assert choose._page is None
    choose.path.value = ""
    choose._weights.value = str(tmp_path / "weights.h5")
    choose.add_weights()
    assert choose._problem is None
    with pytest.raises(UsageError, match="or upload a video"):
        choose.asked()


def test_the_teachers_clips_stand_in_the_menu(choose, tmp_path):
    offered = dict(choose.sample.options)
    choose.sample.value = offered["of_the_teacher.mp4"]
    assert choose.asked().video == tmp_path / "clips" / "of_the_teacher.mp4"
    choose.sample.value = choose.sample.options[0][1]
    assert choose.asked().video.name != "of_the_teacher.mp4"


def test_an_upload_is_chosen_and_named_without_its_path(choose):
    choose._class_upload.send = lambda _answer: None
    content = {"kind": "part", "name": "mine.mp4", "size": 3, "offset": 0}
    choose._class_upload._on_message(choose._class_upload, content, [b"abc"])
    assert choose.asked().video.read_bytes() == b"abc"
    assert "mine-" in choose._uploaded.value
    assert "uploads" not in choose._uploaded.value
