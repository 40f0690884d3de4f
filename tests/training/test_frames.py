"""Frames cut out of a video: evenly spread, close round the face, named after their clip."""

from __future__ import annotations

import itertools

import cv2
import pytest

from toolkit import samples
from toolkit.errors import ToolkitError, UsageError
from toolkit.training import data, frames


@pytest.fixture
def clip():
    try:
        return samples.path("cap12_edit")
    except ToolkitError as error:
        pytest.skip(str(error))


def test_frames_are_spread_and_hold_a_face(face_models, clip, tmp_path):
    written = frames.cut_frames(clip, tmp_path, each=5)
    assert len(written) == 5
    numbers = [int(p.stem.rpartition("_")[2]) for p in written]
    steps = [b - a for a, b in itertools.pairwise(numbers)]
    assert max(steps) - min(steps) <= 1
    for path in written:
        assert path.stem.startswith(f"{clip.stem}_")
        assert min(cv2.imread(str(path)).shape[:2]) > 60
    assert len({data.Photo(p, None).in_validation for p in written}) == 1  # one identity
    assert len(data.index_folder(tmp_path, tmp_path / "work", weight=1).photos) == 5


def test_what_is_no_video_is_named_and_the_others_go_on(face_models, clip, tmp_path, capsys):
    lost = tmp_path / "lost.mp4"
    assert frames.main([str(lost), str(clip), "--out", str(tmp_path / "out"), "--each", "1"]) == 1
    said = capsys.readouterr()
    assert "lost.mp4" in said.err
    assert "1 pictures" in said.out


def test_frames_of_namesakes_never_replace_each_other(tmp_path, capsys):
    with pytest.raises(SystemExit):
        frames.main(["a/clip.mp4", "b/clip.mp4", "--out", str(tmp_path)])
    assert "same name" in capsys.readouterr().err


def test_less_than_one_frame_is_refused(tmp_path):
    with pytest.raises(UsageError):
        frames.cut_frames(tmp_path / "clip.mp4", tmp_path, each=0)
