"""The clips of lesson 8: another face in the stretch that the truth names, and nowhere else."""

from __future__ import annotations

import json
import shutil

import numpy as np
import pytest

from toolkit import media
from toolkit.errors import UsageError
from toolkit.lessons import clips, story


def test_two_people_are_cast_and_one_is_not_enough():
    assert story.cast(["cap12_edit", "cap13_edit2", "franck"]) == ("franck", "cap12_edit")
    for names in ([], ["franck"], ["cap12_edit", "cap13_edit2"]):
        with pytest.raises(UsageError, match="two people are needed"):
            story.cast(names)


@pytest.fixture(scope="module")
def told(sample, tmp_path_factory):
    sample("franck")
    sample("cap12_edit")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(story, "SECONDS", 1.2)
        patch.setattr(story, "START_S", 0.4)
        patch.setattr(story, "END_S", 0.8)
        patch.setattr(clips, "GALLERY_FACES", 8)
        patch.setattr(story, "reshare", lambda a, b, *_chain, **_tick: shutil.copy(a, b))
        clips.gallery_of.cache_clear()
        folder = tmp_path_factory.mktemp("story")
        made = story.make_story(folder)
        before = made.received.stat().st_mtime_ns
        again = story.make_story(folder)
        assert again.received.stat().st_mtime_ns == before  # it is not made twice
        yield made
    clips.gallery_of.cache_clear()


def pictures(path):
    video = media.probe(path)
    rgb = [f.rgb.astype(int) for f in media.read(video, np.arange(len(video.pts)))]
    return video.pts - video.pts[0], np.stack(rgb)


def test_only_the_stretch_that_the_truth_names_is_changed(told):
    truth = json.loads((told.source.parent / story.TRUTH).read_text(encoding="utf-8"))
    assert (truth["start_s"], truth["end_s"]) == (told.start_s, told.end_s)
    assert (told.person, told.face) == ("franck", "cap12_edit")
    pts, recording = pictures(told.source)
    _pts, received = pictures(told.received)
    received = received[:, -recording.shape[1] :]  # the strip of words lies above
    apart = np.abs(recording - received).max(axis=3)
    changed = (apart > 30).mean(axis=(1, 2))
    inside = (pts >= story.START_S) & (pts <= story.END_S)
    assert changed[inside].min() > 0.01
    assert changed[~inside].max() < 0.002


def test_the_words_stand_above_every_frame_of_what_is_shared(told):
    _pts, recording = pictures(told.source)
    _pts, received = pictures(told.received)
    strip = received[:, : received.shape[1] - recording.shape[1]]
    assert strip.shape[1] >= 18
    assert (strip.max(axis=(1, 2, 3)) > 200).all()
    assert (strip.mean(axis=(1, 2, 3)) < 110).all()
