"""What can be chosen: uploads, detectors and what to do when their weights are missing."""

from __future__ import annotations

import dataclasses
import datetime as dt

import pytest

from tests.widgets import made_up
from tests.widgets.pressing import run, shown
from toolkit import _i18n, models
from toolkit.detectors import clip_body, registry
from toolkit.widgets.workbench import chooser
from toolkit.widgets.workbench.chooser import UPLOAD_MAX, Chooser


@pytest.fixture
def choose(tmp_path):
    return Chooser(tmp_path / "uploads", lambda: None, lambda: None)


def upload(choose, name, content, size=None):
    """Do what the browser does when a file was picked."""
    given = {"name": name, "type": "video/mp4", "content": memoryview(content)}
    given["size"] = len(content) if size is None else size
    given["last_modified"] = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)
    choose.upload.value = (given,)


def test_an_upload_becomes_the_chosen_video(choose, tmp_path):
    upload(choose, "my clip.mp4", b"abc")
    path, is_path = choose.video
    assert is_path
    assert path.startswith(str(tmp_path / "uploads" / "my_clip-"))
    assert path.endswith(".mp4")
    assert choose.asked().video.read_bytes() == b"abc"
    assert choose.upload.value == ()
    upload(choose, "my clip.mp4", b"other")  # the same name again: both stay
    assert len(list((tmp_path / "uploads").iterdir())) == 2


@pytest.mark.parametrize("name", ["../../etc/passwd", "<b>.mp4", "a\u202e4pm.exe", ".", "x" * 300])
def test_a_hostile_upload_name_stays_in_its_folder(choose, tmp_path, name):
    upload(choose, name, b"abc")
    (stored,) = (tmp_path / "uploads").iterdir()
    assert stored.is_file()
    assert "<" not in stored.name
    assert len(stored.name) < 100


@pytest.mark.parametrize(
    ("content", "size", "said"),
    [
        (b"abc", 4, "did not arrive completely"),
        (b"", 0, "did not arrive completely"),
        (bytes(UPLOAD_MAX + 1), None, "too large to upload"),
    ],
)
def test_what_cannot_be_uploaded_is_told_with_what_to_do(choose, tmp_path, content, size, said):
    upload(choose, "<i>.mp4", content, size)
    assert said in choose._uploaded.value
    assert "&lt;i&gt;" in choose._uploaded.value
    assert "path of the file" in choose._uploaded.value
    assert not (tmp_path / "uploads").exists()


def test_the_limit_is_in_the_label_in_both_languages(choose):
    assert "8 MB" in choose.upload.description
    _i18n.set_language("nl")
    choose.retranslate()
    assert choose.upload.description == "Kleine video uploaden (tot 8 MB)"


@pytest.fixture
def no_weights(tmp_path, monkeypatch):
    real = registry.weights
    monkeypatch.setattr(registry, "substitute", lambda _name: None)
    monkeypatch.setattr(
        registry, "weights", lambda name: real(name) if name == "seamnet" else tmp_path / name
    )


def test_a_detector_without_weights_says_where_to_get_them(choose, no_weights):
    choose.retranslate()
    assert not shown(choose._missing)
    choose.detector.value = "mesoinception4"
    assert shown(choose._missing)
    assert "MesoInception_DF.h5" in choose._how.value
    choose.detector.value = "seamnet"
    assert not shown(choose._missing)


def test_who_judges_in_place_of_seamnet_is_said(choose, monkeypatch, tmp_path):
    monkeypatch.delenv(clip_body.SMALL_VARIABLE, raising=False)
    monkeypatch.setattr(models, "CACHE", tmp_path)
    choose.retranslate()
    assert shown(choose._missing)
    assert "MB) was not fetched. The small SeamNet" in choose._how.value
    assert "small SeamNet judges in its place" in choose._how.value
    assert not shown(choose._weights)
    _i18n.set_language("nl")
    choose.retranslate()
    assert "is niet opgehaald" in choose._how.value


@pytest.mark.parametrize(("asked", "judge"), [("seamnet", "seamnet-small"), ("meso4", "meso4")])
def test_the_detector_that_was_asked_for_stays_chosen(choose, asked, judge):
    facts = {"name": judge} | ({"instead_of": asked} if asked != judge else {})
    report = dataclasses.replace(made_up.report(), settings={"detector": facts})
    choose.follow(report)
    assert choose.detector.value == asked


def test_starting_without_weights_is_refused_with_what_to_do(panel, no_weights):
    panel._choose.detector.value = "meso4"
    run(panel)
    assert panel.state == "error"
    assert "weights of this detector are not here" in panel._result.verdict.value


def test_a_given_weight_file_is_checked_and_then_chosen(choose, no_weights, tmp_path, monkeypatch):
    choose.detector.value = "meso4"
    choose._add.click()
    assert "No file was given" in choose._how.value
    wrong = tmp_path / "wrong.h5"
    wrong.write_bytes(b"x")
    choose._weights.value = f'"{wrong}"'
    choose._add.click()
    assert "published MesoNet file" in choose._how.value

    def add(path):
        (tmp_path / "mesoinception4").touch()
        return "mesoinception4", path

    monkeypatch.setattr(registry, "add_weights", add)
    choose._add.click()
    assert choose.detector.value == "mesoinception4"
    assert not shown(choose._missing)


def test_every_detector_has_a_name_in_both_languages():
    for code in _i18n.LANGUAGES:
        _i18n.set_language(code)
        assert all(chooser.detector_title(n) != n for n in chooser.DETECTORS)
    assert set(chooser.DETECTORS) <= set(registry.NAMES)
