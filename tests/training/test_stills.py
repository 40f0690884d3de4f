"""Clips of known truth: repeatable, forged only where blended, and never of a trained face."""

from __future__ import annotations

import numpy as np
import pytest

from tests.fakes import BrightnessDetector
from toolkit.errors import UsageError
from toolkit.training import data, stills


def test_same_seed_same_clips(faces_folder):
    def first_two(seed):
        return list(stills.still_clips([faces_folder], 2, seed=seed))

    for a, b in zip(first_two(7), first_two(7), strict=True):
        assert a.group == b.group
        assert (a.genuine == b.genuine).all()
        assert (a.forged == b.forged).all()
    other = zip(first_two(7), first_two(8), strict=True)
    assert any((a.genuine != b.genuine).any() for a, b in other)


def test_clips_tremble_and_differ_where_forged(faces_folder):
    for clip in stills.still_clips([faces_folder], 4, seed=1):
        assert clip.genuine.shape == clip.forged.shape == (stills.FRAMES, 224, 224, 3)
        assert (clip.genuine[0] != clip.genuine[1]).any()
        assert (clip.genuine != clip.forged).any()


def test_only_identities_kept_from_training(faces_folder):
    kept = {p.identity for p in faces_folder.photos if p.in_validation}
    found = {c.group for c in stills.still_clips([faces_folder], 8, seed=2)}
    assert found <= kept
    trained = tuple(p for p in faces_folder.photos if not p.in_validation)
    with pytest.raises(UsageError, match="validation"):
        next(stills.still_clips([data.Folder(trained, 1.0)], 1, seed=2))


def test_two_pictures_of_one_person_are_one_group(faces_folder):
    """The bounds follow from the number of groups: pictures of one person are not independent."""
    photo = next(p for p in faces_folder.photos if p.in_validation)
    twin = data.Photo(photo.path.with_name(f"{photo.identity}_0002.png"), photo.mesh)
    twin.path.write_bytes(photo.path.read_bytes())
    both = data.Folder((photo, twin), 1.0)
    groups = [c.group for c in stills.still_clips([both], 6, seed=3)]
    twin.path.unlink()
    assert set(groups) == {photo.identity}


def test_nobody_is_both_photographed_and_filmed(faces_folder, filmed):
    rest, videos = stills.divide([filmed])
    assert [f.photos for f in rest] == [faces_folder.photos]
    seen = [photos[0].identity for photos in videos]
    kept = {p.identity for p in filmed.photos if p.in_validation}
    assert set(seen) == {"Face1", "clip", "reel"} - kept == {"clip", "reel"}
    assert all(p.path.parent.name == "frames" for photos in videos for p in photos)
    with pytest.raises(UsageError, match="filmed"):
        stills.divide([faces_folder])


def test_a_video_goes_up_and_down_in_order_of_time(filmed):
    photos = [p for p in filmed.photos if p.path.parent.name == "frames"]
    photos = sorted((p for p in photos if p.identity == "clip"), key=lambda p: p.path.name)
    (course,) = stills.ups_and_downs(BrightnessDetector(), [photos])
    assert course.shape == (stills.MOMENTS,)
    assert course.mean() == pytest.approx(0, abs=1e-5)
    assert (np.diff(course) >= 0).all()
    climb = 0.2 * (stills.MOMENTS - 1)
    assert course[-1] - course[0] == pytest.approx(stills.UNSEEN * climb, rel=0.1)
    photos[3].path.unlink()
    with pytest.raises(UsageError, match="cannot be read"):
        stills.ups_and_downs(BrightnessDetector(), [photos])


def test_levels_are_those_of_genuine_and_forged_clips_of_people_kept(faces_folder):
    found = stills.levels(BrightnessDetector(), [faces_folder], 3, seed=4)
    clips = list(stills.still_clips([faces_folder], 3, seed=4))
    for sides in (("genuine", found.genuine), ("forged", found.forged)):
        want = [BrightnessDetector().logits(getattr(c, sides[0])).mean() for c in clips]
        assert sides[1] == pytest.approx(want)
    assert set(found.groups) <= {p.identity for p in faces_folder.photos if p.in_validation}


def test_unreadable_photograph_gives_no_clip(faces_folder, tmp_path):
    lost = data.Photo(tmp_path / "gone.png", faces_folder.photos[0].mesh)
    assert stills.still_clip(lost, np.random.default_rng(0)) is None


def test_clips_put_together_are_a_level_with_ups_and_downs():
    found = stills.Levels(np.array([0.0, 10.0]), np.array([1.0, 13.0]), ("a", "b"))
    wander = [np.array([-1.0, 1.0]), np.array([2.0, -2.0])]
    clips = stills.put_together(found, wander, np.random.default_rng(0), each=3)
    assert len(clips) == 6
    for i, (genuine, forged) in enumerate(clips):
        assert (forged - genuine == (1.0, 3.0)[i // 3]).all()
        assert any((genuine - found.genuine[i // 3] == w).all() for w in wander)
