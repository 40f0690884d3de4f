"""Self-blends: what is changed is known exactly, and nothing else tells the classes apart."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from toolkit.faces.mesh import canonical_face
from toolkit.forge import degrade, selfblend


@pytest.fixture(scope="module")
def mesh(face_models):
    """Return the canonical face as a mesh in a 300 x 300 picture."""
    points = np.zeros((478, 3), np.float32)
    points[:468] = canonical_face().vertices * (12, -12, -12) + (150, 150, 0)
    return points


@pytest.fixture(scope="module")
def photo():
    rng = np.random.default_rng(5)
    smooth = degrade.blur(rng.integers(0, 256, (300, 300, 3), dtype=np.uint8), 3)
    return degrade.to_u8((smooth.astype(np.float32) - 128) * 5 + 128)


def test_identical_where_the_mask_is_zero(photo, mesh):
    for seed in range(12):
        pair = selfblend.self_blend(photo, mesh, np.random.default_rng(seed))
        if pair is not None:
            outside = pair.blend.mask == 0
            assert outside.any()
            assert (pair.fake[outside] == pair.real[outside]).all()
            assert pair.blend.mask.max() == pytest.approx(1)


def test_same_seed_same_bytes(photo, mesh):
    first, second = (selfblend.self_blend(photo, mesh, np.random.default_rng(9)) for _ in range(2))
    assert first.fake.tobytes() == second.fake.tobytes()
    assert first.blend.regions == second.blend.regions


def test_blending_a_picture_with_itself_changes_nothing(photo):
    """Truncation would darken by half a level and mark every forgery."""
    mask = np.random.default_rng(1).random(photo.shape[:2], np.float32)
    assert (selfblend.blend(photo, photo, mask) == photo).all()


def test_every_kind_of_mask_is_drawn(photo, mesh):
    kinds = set()
    for seed in range(80):
        _, names = selfblend.draw_mask(mesh, photo.shape[:2], np.random.default_rng(seed))
        kinds.update(names)
    assert kinds == {"face", "lower", "inner", *selfblend.PARTS}


@pytest.mark.parametrize("part", sorted(selfblend.PARTS))
def test_part_masks_lie_on_their_part(mesh, part):
    mask = selfblend.region_mask(mesh, (300, 300), [part])
    x, y = mesh[list(selfblend.PARTS[part]), :2].mean(axis=0)
    rows, columns = np.nonzero(mask)
    assert columns.mean() == pytest.approx(x, abs=8)
    assert rows.mean() == pytest.approx(y, abs=8)
    assert 0.005 < mask.mean() < 0.2


def test_subjects_left_is_right_in_the_picture(mesh):
    left = selfblend.region_mask(mesh, (300, 300), ["left_eye"])
    assert np.nonzero(left)[1].mean() > 150


@given(crf=st.integers(10, 45), height=st.integers(33, 70), width=st.integers(33, 70))
@settings(max_examples=8, deadline=None)
def test_bursts_keep_size_and_look(crf, height, width):
    y, x = np.mgrid[:height, :width]
    ramp = np.stack([x * 255 / width, y * 255 / height, np.full_like(x, 90.0)], axis=2)
    picture = degrade.to_u8(ramp)
    for coded in (degrade.h264(picture, crf), degrade.mpeg2(picture, 2 + crf // 3)):
        assert coded.shape == picture.shape
        assert np.abs(coded.astype(int) - picture).mean() < 25


def test_degradation_is_the_same_for_both(photo):
    for seed in range(10):
        step = degrade.Degradation(np.random.default_rng(seed), photo.shape)
        assert (step(photo) == step(photo.copy())).all()


def test_noise_has_the_stated_level():
    for grain in (0.0, 0.8):
        noise = degrade.noise_like((200, 200, 3), 4.0, grain, np.random.default_rng(2))
        assert noise.std() == pytest.approx(4.0, rel=0.05)
        assert noise.dtype == np.float32


def test_reshaping_moves_by_a_few_per_cent_of_the_face(photo):
    """A ramp of grey tells where each pixel was taken from."""
    ramp = np.tile((np.arange(300) // 2).astype(np.uint8)[None, :, None], (300, 1, 3))
    for seed in range(5):
        out = selfblend.reshape(ramp, 150, np.random.default_rng(seed))
        moved = np.abs(out.astype(int) - ramp)[:, 20:-20].max() * 2
        assert 1 <= moved < 0.12 * 150


@pytest.mark.parametrize("between", [False, True])
def test_a_burst_shows_the_picture_where_it_was(photo, between):
    """However the frames move, the one that is shown lies where the picture lay."""
    coded = degrade.h264(photo, 20, drift=(2.0, -1.0), between=between).astype(int)
    here = np.abs(coded - photo).mean()
    for axis in (0, 1):
        for step in (-1, 1):
            assert here < np.abs(coded - np.roll(photo, step, axis)).mean()


def test_frames_between_are_coded_more_coarsely(photo):
    fine, coarse = (
        np.abs(degrade.h264(photo, 34, between=b).astype(int) - photo).mean() for b in (False, True)
    )
    assert coarse > fine
