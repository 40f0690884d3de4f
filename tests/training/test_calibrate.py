"""Clips made of stills: forged only where blended, repeatable, and never of a trained face."""

from __future__ import annotations

import numpy as np
import pytest

from toolkit.errors import UsageError
from toolkit.training import calibrate, data
from toolkit.verdict import calibration


class Sharpness:
    """A detector that calls smooth pictures forged; enough to fit a map."""

    class card:
        weights_sha256 = "a" * 64

    def logits(self, rgb):
        spread = np.abs(np.diff(rgb.astype(np.float32), axis=2)).mean(axis=(1, 2, 3))
        return (20 - spread).astype(np.float32)


def test_same_seed_same_clips(faces_folder):
    def first_two(seed):
        return list(calibrate.still_clips([faces_folder], 2, seed=seed))

    for a, b in zip(first_two(7), first_two(7), strict=True):
        assert a.group == b.group
        assert (a.genuine == b.genuine).all()
        assert (a.forged == b.forged).all()
    other = zip(first_two(7), first_two(8), strict=True)
    assert any((a.genuine != b.genuine).any() for a, b in other)


def test_clips_tremble_and_differ_where_forged(faces_folder):
    for clip in calibrate.still_clips([faces_folder], 4, seed=1):
        assert clip.genuine.shape == clip.forged.shape == (calibrate.FRAMES, 224, 224, 3)
        assert (clip.genuine[0] != clip.genuine[1]).any()
        assert (clip.genuine != clip.forged).any()


def test_only_identities_kept_from_training(faces_folder):
    kept = {p.identity for p in faces_folder.photos if p.in_validation}
    found = {c.group for c in calibrate.still_clips([faces_folder], 8, seed=2)}
    assert found <= kept
    trained = tuple(p for p in faces_folder.photos if not p.in_validation)
    with pytest.raises(UsageError, match="validation"):
        next(calibrate.still_clips([data.Folder(trained, 1.0)], 1, seed=2))


def test_two_pictures_of_one_person_are_one_group(faces_folder):
    """The bounds follow from the number of groups: pictures of one person are not independent."""
    photo = next(p for p in faces_folder.photos if p.in_validation)
    twin = data.Photo(photo.path.with_name(f"{photo.identity}_0002.png"), photo.mesh)
    twin.path.write_bytes(photo.path.read_bytes())
    both = data.Folder((photo, twin), 1.0)
    groups = [c.group for c in calibrate.still_clips([both], 6, seed=3)]
    twin.path.unlink()
    assert set(groups) == {photo.identity}


def test_map_names_its_weights_and_its_people(faces_folder, tmp_path, monkeypatch):
    monkeypatch.setattr(
        calibration,
        "fit",
        lambda z, y, g, **k: calibration.Calibration(1, 0, 3, 3, (-1, 1), (), **k),
    )
    found = calibrate.calibrate(Sharpness(), [faces_folder], count=3, date="2026-11-25")
    assert found.weights_sha256 == "a" * 64
    assert "kept from training" in found.population
    calibration.save(found, tmp_path / "map.json")
    assert calibration.load(tmp_path / "map.json") == found


def test_unreadable_photograph_gives_no_clip(faces_folder, tmp_path):
    lost = data.Photo(tmp_path / "gone.png", faces_folder.photos[0].mesh)
    assert calibrate.still_clip(lost, np.random.default_rng(0)) is None
