from __future__ import annotations

import os
from pathlib import Path

import pytest

from toolkit.batch import inputs
from toolkit.errors import UsageError


def touch(path):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"x")
    return path


def test_a_folder_is_its_videos_with_the_first_folder_as_source(tmp_path):
    for name in ("b/deep/2.MP4", "a/1.mov", "0.mkv", "a/notes.txt", ".hidden/3.mp4", "a/.4.mp4"):
        touch(tmp_path / name)
    touch(tmp_path / "results/clips/5.mp4")
    found = inputs.find(tmp_path, but=tmp_path / "results")
    assert [os.path.relpath(t.path, tmp_path) for t in found.tasks] == [
        "0.mkv",
        "a/1.mov",
        "b/deep/2.MP4",
    ]
    assert [t.source for t in found.tasks] == [tmp_path.name, "a", "b"]
    assert found.left_out == 1


def test_a_relative_folder_is_named_as_it_was_given(tmp_path, monkeypatch):
    touch(tmp_path / "clips/1.mp4")
    monkeypatch.chdir(tmp_path)
    (task,) = inputs.find(Path("clips")).tasks
    assert task.given == str(Path("clips", "1.mp4"))
    assert task.path == str(tmp_path / "clips/1.mp4")


def test_a_list_is_read_relative_to_itself_and_a_file_counts_once(tmp_path):
    lines = ["path;source", "1.mp4;one", "./1.mp4;two", "missing.mp4;"]
    (tmp_path / "list.csv").write_text("\n".join(lines), encoding="utf-8")
    touch(tmp_path / "1.mp4")
    tasks = inputs.find(tmp_path / "list.csv").tasks
    assert [(Path(t.path).name, t.source) for t in tasks] == [
        ("1.mp4", "one"),
        ("missing.mp4", tmp_path.name),
    ]


@pytest.mark.parametrize(
    ("make", "text"),
    [
        (lambda place: place, "no such folder"),
        (lambda place: place.mkdir() or place, "no video in this folder"),
        (lambda place: place.write_text("clip\n1.mp4\n") and place, "lacks a column"),
        (lambda place: place.write_bytes(b"\0\1\2") and place, "encoding"),
    ],
)
def test_what_is_neither_is_refused_with_a_reason(tmp_path, make, text):
    with pytest.raises(UsageError, match=text):
        inputs.find(make(tmp_path / "place"))


def test_names_that_are_no_utf8_are_kept(tmp_path):
    name = os.fsdecode(b"caf\xe9.mp4")
    try:
        touch(tmp_path / name)
    except OSError:
        pytest.skip("this file system takes no such name")
    (task,) = inputs.find(tmp_path).tasks
    assert task.path.endswith(name)
    assert len(task.name) == 32


def test_a_single_video_is_itself(tmp_path):
    (task,) = inputs.find(touch(tmp_path / "clips" / "one.mp4")).tasks
    assert (Path(task.path).name, task.source) == ("one.mp4", "clips")
