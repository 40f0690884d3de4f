"""One person per stretch: a face that gives way to another without a cut makes two persons."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from toolkit import media
from toolkit.analysis import pipeline
from toolkit.faces.tracks import FaceReader, _changes, _scan_notices, scan_moments
from toolkit.types import Sampling

FPS = 25
PART_S, FADE_S = 3.0, 1.0


def faces(rng, who, count, noise=0.3):
    """Return embeddings of one person: unit vectors whose cosine to each other is about 0.9."""
    return [v / np.linalg.norm(v) for v in who + noise * rng.normal(size=(count, 128)) / 128**0.5]


def person(rng):
    who = rng.normal(size=128)
    return who / np.linalg.norm(who)


def mixed(a, b, count):
    steps = np.linspace(0, 1, count + 2)[1:-1]
    rows = [(1 - t) * a + t * b for t in steps]
    return [v / np.linalg.norm(v) for v in rows]


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("blends", [0, 1, 4])
def test_a_change_is_seen_and_the_mixture_belongs_to_neither(seed, blends):
    rng = np.random.default_rng(seed)
    a, b = person(rng), person(rng)
    row = faces(rng, a, 12) + mixed(a, b, blends) + faces(rng, b, 5) + faces(rng, a, 4)
    (last, first), (second_last, second_first) = _changes(row)
    assert 10 <= last <= 11 + blends // 2
    assert float(row[last] @ a) > 0.7
    assert last < first <= 12 + blends + 1
    assert float(row[first] @ b) > 0.7
    assert second_last == 12 + blends + 4
    assert second_first in (second_last + 1, second_last + 2)


@pytest.mark.parametrize("seed", range(5))
def test_one_person_stays_one(seed):
    rng = np.random.default_rng(seed)
    a, other = person(rng), person(rng)
    row = faces(rng, a, 30, noise=0.6)
    assert _changes(row) == []
    row[9] = other  # one bad moment is no other person
    assert _changes(row) == []
    assert _changes(row[:1]) == _changes([]) == []


@pytest.fixture(scope="module")
def pictures(shared, sample):
    """Return 3 s and 1 s more of a genuine person, and of the planted forgery, 400 x 300."""

    def frames(path, start, crop):
        video = media.probe(path)
        times = video.pts[0] + start + np.arange(round((PART_S + FADE_S) * FPS)) / FPS
        for frame in media.read(video, np.unique(np.searchsorted(video.pts, times))):
            rgb = frame.rgb[crop]
            yield cv2.resize(rgb, (400, 300), interpolation=cv2.INTER_AREA)

    genuine = shared / "data" / "clips" / "real" / "liveportrait_d10.mp4"
    all_rows = slice(None)
    first = list(frames(genuine, 0.0, np.s_[:384, :]))
    second = list(frames(sample("planted_cap12"), 3.5, np.s_[all_rows]))
    return first, second


def write(path, pictures, *, dissolve):
    first, second = pictures
    n = round(FADE_S * FPS)
    mixture = [
        cv2.addWeighted(a, 1 - t, b, t, 0)
        for a, b, t in zip(first[-n:], second[:n], np.linspace(0, 1, n), strict=True)
    ]
    rows = [*first[:-n], *(mixture if dissolve else first[-n:]), *second[n:]]
    media.write_h264(path, rows, np.arange(len(rows)) / FPS, crf=8)
    return path


def test_a_dissolve_hides_no_forgery(pictures, tmp_path):
    found = {}
    for name, dissolve in (("cut", False), ("dissolve", True)):
        path = write(tmp_path / f"{name}.mp4", pictures, dissolve=dissolve)
        report = pipeline.analyse(path, sampling=Sampling(frames=16), explain=False, device="cpu")
        assert len(report.tracks) == 2
        assert report.verdict.is_fake
        by_time = sorted(report.tracks, key=lambda r: r.track.pts[0])
        assert [r.verdict.is_fake for r in by_time] == [False, True]
        found[name] = report
        changes = [n for n in report.notices if n.code == "person_changes"]
        assert len(changes) == dissolve
        if dissolve:
            middle = PART_S + FADE_S / 2
            assert by_time[0].track.pts[-1] < middle < by_time[1].track.pts[0]
            assert changes[0].at_s == pytest.approx(middle, abs=FADE_S)
    assert found["dissolve"].verdict.logit == pytest.approx(found["cut"].verdict.logit, abs=0.5)


@pytest.mark.parametrize("name", ["liveportrait_d11", "lia_vox_driving1"])
def test_a_person_who_moves_much_stays_one(shared, face_models, name):
    path = shared / "data" / "clips" / "real" / f"{name}.mp4"
    scan = FaceReader().scan(media.probe(path), Sampling())
    assert len(scan.persons) == 1
    assert "person_changes" not in {n.code for n in scan.notices}


def test_a_thin_scan_and_a_still_are_told(tmp_path):
    pictures = [np.full((96, 128, 3), 120, np.uint8)] * 50
    media.write_h264(tmp_path / "still.mp4", pictures, np.arange(50) / 25)
    video = media.probe(tmp_path / "still.mp4")
    moments = scan_moments(video, Sampling(scan_limit=5))
    found = list(_scan_notices(video, moments, Sampling(scan_limit=5), 0.0))
    assert [n.code for n in found] == ["thin_scan", "still"]
    assert "every 0.5 s" in str(found[0])
    assert list(_scan_notices(video, moments, Sampling(), 9.0)) == []


def test_a_picture_that_stands_still_is_told_by_the_scan(portrait, tmp_path):
    media.write_h264(tmp_path / "photo.mp4", [portrait] * 50, np.arange(50) / 25)
    scan = FaceReader().scan(media.probe(tmp_path / "photo.mp4"), Sampling())
    assert [n.code for n in scan.notices] == ["still"]
