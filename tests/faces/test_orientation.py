"""Which way up a picture is: all that is seen of its faces decides, not the first sure one."""

from __future__ import annotations

import numpy as np
import pytest

from toolkit import media
from toolkit.analysis import pipeline
from toolkit.faces.mesh import SURE_SCORE
from toolkit.faces.tracks import UPRIGHT_SURE, FaceReader, _turned_box
from toolkit.types import Sampling

SAMPLING = Sampling(scan_per_second=2.0, frames=16)
SECONDS = 4


@pytest.fixture(scope="module")
def reader(face_models):
    return FaceReader()


@pytest.fixture(scope="module")
def clip(shared, tmp_path_factory):
    """Return a function that writes seconds of a genuine clip, each picture changed.

    Of this clip the face detector finds every face upside down, with a score up to 0.91.
    """
    folder = tmp_path_factory.mktemp("turned")
    video = media.probe(shared / "data" / "clips" / "real" / "liveportrait_d3.mp4")
    indices = np.flatnonzero(video.pts < SECONDS)[::2]
    frames = [f.rgb for f in media.read(video, indices)]

    def write(name, change):
        path = folder / f"{name}.mp4"
        if not path.is_file():
            rows = [np.ascontiguousarray(change(i / len(frames), f)) for i, f in enumerate(frames)]
            media.write_h264(path, rows, video.pts[indices], crf=8)
        return media.probe(path)

    return write


CHANGES = {
    "upright": (0, lambda _, rgb: rgb),
    "mirrored": (0, lambda _, rgb: rgb[:, ::-1]),
    "upside down": (2, lambda _, rgb: rgb[::-1, ::-1]),
    "mirrored upside down": (2, lambda _, rgb: rgb[::-1]),
    "quarter": (3, lambda _, rgb: np.rot90(rgb, -1)),
    "three quarters": (1, lambda _, rgb: np.rot90(rgb, 1)),
}


@pytest.mark.parametrize("turns", range(4))
def test_a_box_turns_with_its_picture(turns):
    picture = np.zeros((30, 50), np.uint8)
    picture[5:9, 20:35] = 1
    rows, columns = np.nonzero(np.rot90(picture, -turns))
    x, y, width, height = _turned_box(np.array([20.0, 5, 15, 4]), picture.shape, turns)
    assert (x, y) == (columns.min(), rows.min())
    assert (width, height) == (np.ptp(columns) + 1, np.ptp(rows) + 1)


@pytest.mark.parametrize("name", CHANGES)
def test_every_way_up_is_read_upright(clip, reader, name):
    turns, change = CHANGES[name]
    scan = reader.scan(clip(name, change), SAMPLING)
    assert scan.video.rotation == turns
    assert {n.code for n in scan.notices} == ({"turned"} if turns else set())
    (person,) = scan.persons
    assert person.hits == scan.looked_at
    assert min(t.uprightness for t in person.tracklets) > UPRIGHT_SURE


def test_the_score_alone_would_not_tell(clip, reader):
    """So this clip does show what it is here for."""
    video = clip("upside down", CHANGES["upside down"][1])
    for frame in media.read(video, np.arange(0, len(video.pts), 20)):
        best = reader.detector(frame.rgb)[0]
        assert reader.mesh.uprightness(frame.rgb, best) < UPRIGHT_SURE
        if best.score >= SURE_SCORE:
            return
    pytest.fail("no face upside down has a sure score")


def test_a_genuine_face_upside_down_is_judged_as_upright(clip):
    found = {}
    for name in ("upright", "upside down"):
        report = pipeline.analyse(
            clip(name, CHANGES[name][1]).path, sampling=SAMPLING, explain=False, device="cpu"
        )
        assert not report.verdict.is_fake
        found[name] = report.verdict.logit
    assert found["upside down"] == pytest.approx(found["upright"], abs=0.3)


def test_a_part_that_stands_otherwise_is_left_out_and_told(clip, reader):
    video = clip("in part", lambda when, rgb: rgb if when < 0.6 else rgb[::-1, ::-1])
    scan = reader.scan(video, SAMPLING)
    assert scan.video.rotation == 0
    (notice,) = [n for n in scan.notices if n.code == "turned_part"]
    assert "turned by 180 degrees" in str(notice)
    assert notice.at_s == pytest.approx(0.6 * SECONDS, abs=0.6)
    (person,) = scan.persons
    assert person.tracklets[-1].times[-1] < 0.6 * SECONDS
