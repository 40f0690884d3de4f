"""Treatments and the pattern of lesson 7: they do what they say, and no more."""

from __future__ import annotations

import numpy as np
import pytest

from tests.lessons.faces import face
from toolkit import media
from toolkit.detectors import registry
from toolkit.errors import UsageError
from toolkit.lessons import doubt

FRAMES = 40


@pytest.fixture
def counted(tmp_path):
    """A clip whose frames get brighter one by one."""
    path = tmp_path / "clip.mp4"
    pictures = (np.full((48, 64, 3), 5 * i + 20, np.uint8) for i in range(FRAMES))
    media.write_h264(path, pictures, np.arange(FRAMES) / 20)
    return path


def brightness(path):
    video = media.probe(path)
    return [float(f.rgb.mean()) for f in media.read(video, np.arange(len(video.pts)))]


def test_a_cut_leaves_out_the_middle_and_nothing_else(counted, tmp_path):
    out = tmp_path / "cut.mp4"
    doubt.treat(counted, out, "cut")
    before, after = brightness(counted), brightness(out)
    kept = round(FRAMES * (1 - doubt.CUT_PART) / 2)
    assert len(after) == 2 * kept
    assert after == pytest.approx(before[:kept] + before[-kept:], abs=2)
    assert np.diff(media.probe(out).pts) == pytest.approx(1 / 20, abs=1e-3)


def test_a_treatment_that_is_not_there_is_refused(counted, tmp_path):
    with pytest.raises(UsageError, match="no such treatment"):
        doubt.treat(counted, tmp_path / "x.mp4", "magic")


def test_a_beauty_filter_smooths_the_skin_and_leaves_the_rest(face_models):
    one = face()
    smooth = doubt.beautify(one.rgb, one.mesh)
    low, high = one.mesh[:468, :2].min(axis=0), one.mesh[:468, :2].max(axis=0)
    (x0, y0), (x1, y1) = np.rint(low + 0.3 * (high - low)), np.rint(high - 0.3 * (high - low))
    inside = np.s_[int(y0) : int(y1), int(x0) : int(x1)]

    def grain(rgb):
        return np.abs(np.diff(rgb[inside].astype(int), axis=0)).mean()

    assert grain(smooth) < 0.7 * grain(one.rgb)
    assert smooth[inside].mean() > one.rgb[inside].mean()
    assert np.array_equal(smooth[:10], one.rgb[:10])


@pytest.fixture(scope="module")
def judge():
    return registry.load("seamnet")


@pytest.fixture(scope="module")
def crop(face_models):
    return np.ascontiguousarray(face(side=224).rgb)


@pytest.mark.parametrize("hide", [True, False])
def test_a_pattern_moves_the_detector_where_it_should(judge, crop, hide):
    found = doubt.attack(crop, judge, levels=4, hide=hide)
    assert (found.gap_after < found.gap_before) == hide
    assert abs(found.gap_after - found.gap_before) > 0.5
    assert 0 < np.abs(found.pattern).max() <= 4
    assert np.array_equal(found.after.astype(int), found.before + found.pattern)
    assert not np.array_equal(found.recoded, found.after)


def test_no_levels_change_nothing_and_too_many_are_refused(judge, crop):
    found = doubt.attack(crop, judge, levels=0, hide=True)
    assert np.array_equal(found.before, found.after)
    assert found.gap_before == pytest.approx(found.gap_after, abs=1e-5)
    assert (doubt.magnified(found.pattern) == 128).all()
    with pytest.raises(UsageError, match="too strong"):
        doubt.attack(crop, judge, levels=doubt.LEVELS_MAX + 1, hide=True)
