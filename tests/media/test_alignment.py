"""A re-share whose making is known is laid on its source; others are not."""

from __future__ import annotations

import json
from pathlib import Path

import cv2
import numpy as np
import pytest

from toolkit import _i18n, media
from toolkit.errors import Cancelled, UsageError
from toolkit.media import alignment
from toolkit.media.alignment import Alignment, Rect, align, side_by_side
from toolkit.media.reshare import reshare


def keep(source: Path, out: Path, start_s: float, end_s: float) -> float:
    """Write a stretch of a clip; return the time in the source at which it begins."""
    video = media.probe(source)
    wanted = np.flatnonzero((video.pts >= start_s) & (video.pts <= end_s)).astype(np.int64)
    times = video.pts[wanted] - video.pts[wanted[0]]
    media.write_h264(out, (f.rgb for f in media.read(video, wanted)), times)
    return float(video.pts[wanted[0]])


@pytest.fixture(scope="module")
def source(sample, tmp_path_factory):
    """Return 8 s of a sample, and where in it a stretch of 4 s begins."""
    folder = tmp_path_factory.mktemp("source")
    keep(sample("cap12_edit"), folder / "source.mp4", 9, 17)
    start = keep(folder / "source.mp4", folder / "stretch.mp4", 2.4, 6.4)
    return folder / "source.mp4", folder / "stretch.mp4", start


@pytest.mark.slow
@pytest.mark.parametrize(
    ("chain", "kept", "shown"),
    [
        ("crf28", (0, 0, 400, 300), (0, 0, 400, 300)),
        ("crop25,crf33", (100, 75, 200, 150), (0, 0, 200, 150)),
        # 240 of 300 lines are kept, 28 of caption are added (12 %, even), then 480 in all
        (
            "crop10,caption,scale480,crf28,crf28",
            (40, 30, 320, 240),
            (0, 28 * 480 / 268, 320 * 480 / 268, 240 * 480 / 268),
        ),
        ("strip12,vertical,crf33", (0, 0, 400, 264), (0, 402, 720, 475)),
        ("screen,fps24,crf33", (0, 0, 400, 300), (0, 0, 400, 300)),
    ],
)
def test_time_and_place_of_a_known_reshare(source, tmp_path, chain, kept, shown):
    original, stretch, start = source
    reshare(stretch, tmp_path / "copy.mp4", chain)
    found = align(original, tmp_path / "copy.mp4")
    assert found.aligned, found
    assert found.offset_s == pytest.approx(start, abs=0.045)  # a frame lasts 0.04 s
    assert (found.kept.x, found.kept.y) == pytest.approx(kept[:2], abs=6)
    assert (found.kept.width, found.kept.height) == pytest.approx(kept[2:], abs=8)
    box = (found.shown.x, found.shown.y, found.shown.width, found.shown.height)
    assert box == pytest.approx(shown, abs=14)
    assert found.scale == pytest.approx((shown[2] / kept[2], shown[3] / kept[3]), rel=0.02)
    lost = 100 * (1 - kept[2] * kept[3] / (400 * 300))
    assert found.lost_percent == pytest.approx(lost, abs=4)


def test_another_clip_is_not_aligned(source, sample, tmp_path):
    keep(sample("franck"), tmp_path / "other.mp4", 60, 64)
    found = align(source[0], tmp_path / "other.mp4")
    assert not found.aligned
    assert found.offset_s is None
    assert found.kept is None
    assert "Not aligned" in found.line()


def test_the_same_scene_at_another_moment_is_not_aligned(source, sample, tmp_path):
    """The source ends at 17 s of the sample; the stretch is from after that."""
    keep(sample("cap12_edit"), tmp_path / "later.mp4", 40, 44)
    found = align(source[0], tmp_path / "later.mp4")
    assert (found.aligned, found.why) == (False, "no_common_time")
    assert found.score < found.threshold
    assert "what moves" in found.line()


def test_stills_are_no_recording(source, tmp_path):
    """A frozen frame of the source shares the picture, but nothing moves."""
    video = media.probe(source[0])
    still = next(f.rgb for f in media.read(video, np.array([100])))
    media.write_h264(tmp_path / "still.mp4", [still] * 75, np.arange(75) / 25)
    found = align(source[0], tmp_path / "still.mp4")
    assert (found.aligned, found.why) == (False, "no_common_time")


def test_grey_and_short_clips(source, tmp_path):
    grey = [np.full((90, 160, 3), 128, np.uint8)] * 60
    media.write_h264(tmp_path / "grey.mp4", grey, np.arange(60) / 25)
    assert align(source[0], tmp_path / "grey.mp4").why == "no_common_picture"
    media.write_h264(tmp_path / "short.mp4", grey[:10], np.arange(10) / 25)
    assert align(source[0], tmp_path / "short.mp4").why == "too_short"


def test_the_whole_clip_lies_on_itself(source):
    found = align(source[1], source[1])
    assert found.aligned
    assert found.offset_s == pytest.approx(0, abs=0.021)
    assert found.lost_percent == pytest.approx(0, abs=1)
    assert found.score > 0.99


@pytest.mark.slow
def test_the_picture_shows_both_in_register(source, tmp_path):
    original, stretch, _start = source
    reshare(stretch, tmp_path / "copy.mp4", "crop25,scale480,crf20")
    found = align(original, tmp_path / "copy.mp4")
    picture = side_by_side(original, tmp_path / "copy.mp4", found, at_s=2.0)
    assert picture.shape == (300, 2 * 400 + alignment.GAP, 3)
    left, right = picture[:, :400], picture[:, 400 + alignment.GAP :]
    inside = (slice(85, 215), slice(110, 290))
    correlation = np.corrcoef(left[inside].ravel(), right[inside].ravel())[0, 1]
    assert correlation > 0.98
    assert not right[:60].any()
    assert not right[:, :90].any()


def test_what_is_not_aligned_has_no_picture(source):
    with pytest.raises(UsageError, match="not aligned"):
        side_by_side(source[0], source[1], Alignment(aligned=False, why="no_common_time"))


def test_it_can_be_cancelled(source):
    def tick(stage, done, _total):
        if stage == "align" and done > 10:
            raise Cancelled

    with pytest.raises(Cancelled):
        align(source[0], source[1], tick=tick)


def test_words_and_plain_values():
    found = Alignment(
        aligned=True,
        why="aligned",
        offset_s=9.4,
        scale=(1.0, 1.0),
        kept=Rect(100, 75, 200, 150),
        shown=Rect(0, 0, 200, 150),
        lost_percent=75.0,
        score=0.8,
    )
    assert "begins 9.40 s into the source" in found.line()
    assert "75 % of the picture's area was cut away" in found.line()
    assert json.loads(json.dumps(found.to_dict()))["kept"]["width"] == 200
    english = found.line()
    _i18n.set_language("nl")
    assert found.line() != english


@pytest.mark.parametrize("length", [1, 5, 40])
def test_a_correlation_knows_its_place(length):
    rng = np.random.default_rng(length)
    a = rng.standard_normal((60, 16)).astype(np.float32)
    scores = alignment._correlations(a, 3 * a[11 : 11 + length])
    assert int(scores.argmax()) == 11
    assert scores.max() == pytest.approx(1)
    assert len(scores) == 60 - length + 1
    assert (np.abs(scores) <= 1 + 1e-9).all()


def test_lines_that_differ_are_trimmed_from_the_ends_only():
    wrong = np.zeros(50, bool)
    wrong[:7] = wrong[46:] = wrong[20] = True
    assert alignment._trimmed(wrong) == (7, 46)
    assert alignment._trimmed(np.zeros(50, bool)) == (0, 50)
    assert alignment._trimmed(np.ones(50, bool)) == (0, 50)


def test_features_without_a_common_picture_fit_nothing():
    rng = np.random.default_rng(0)
    points = rng.uniform(0, 300, (2, 200, 2))
    words = rng.uniform(0, 255, (2, 200, 128)).astype(np.float32)
    assert alignment._fit(points[0], words[0], points[1], words[1])[1] is None


def test_a_mirrored_copy_is_not_aligned(source, tmp_path):
    video = media.probe(source[1])
    frames = [cv2.flip(f.rgb, 1) for f in media.read(video, np.arange(len(video.pts)))]
    media.write_h264(tmp_path / "mirror.mp4", frames, video.pts)
    assert not align(source[0], tmp_path / "mirror.mp4").aligned
