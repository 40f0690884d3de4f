"""Planted forgeries and decoys: where they are, and that nothing else changes."""

from __future__ import annotations

import json

import numpy as np
import pytest

from toolkit import media
from toolkit.errors import UsageError
from toolkit.faces.detect import FaceDetector
from toolkit.faces.mesh import FaceMesh
from toolkit.forge.plant import DECOYS, KINDS, _Artist, decoy_mask, forged_mask, plant
from toolkit.forge.selfblend import PARTS


@pytest.fixture(scope="module")
def face(sample):
    """Return a frame and its mesh."""
    video = media.probe(sample("cap12_edit"))
    (frame,) = media.read(video, np.array([650]))
    return frame.rgb, FaceMesh()(frame.rgb, FaceDetector()(frame.rgb)[0]).points


def change(rgb, regions=(), kind="blend", strength=2.0, decoys=(), decoy="light"):
    return _Artist(tuple(regions), kind, strength, tuple(decoys), decoy).change(rgb)


@pytest.mark.parametrize("kind", KINDS)
def test_a_forgery_stays_inside_its_mask(face, kind):
    rgb, mesh = face
    changed = np.abs(change(rgb, ["mouth"], kind).astype(int) - rgb).max(axis=2)
    mask = forged_mask(mesh, rgb.shape[:2], ["mouth"], kind)
    assert changed[mask == 0].max() == 0
    assert changed[mask > 0.5].mean() > 0.5
    assert (change(rgb, ["mouth"], kind, 0.0) == rgb).all()


@pytest.mark.parametrize("kind", DECOYS)
def test_a_decoy_is_beside_the_forgery_and_as_large(face, kind):
    rgb, mesh = face
    shape = rgb.shape[:2]
    forged = forged_mask(mesh, shape, ["mouth"])
    where = decoy_mask(mesh, shape, ["left_eye"], ["mouth"])
    assert 0.6 < where.sum() / (forged > 0.5).sum() < 1.4
    assert not (where * (forged > 0.05)).any()
    edited = change(rgb, (), "blend", 0.0, ["left_eye"], kind).astype(int)
    changed = np.abs(edited - rgb).max(axis=2)
    plain = decoy_mask(mesh, shape, ["left_eye"])
    assert changed[plain > 0].mean() > 1
    assert changed[plain > 0].sum() > 0.4 * changed.sum()  # light fades outwards
    nose = forged_mask(mesh, shape, ["mouth"]) > 0.5
    assert changed[nose].mean() < 1


def test_light_changes_brightness_and_no_hue(face):
    rgb, mesh = face
    lit = change(rgb, (), "blend", 0.0, ["left_eye"], "light").astype(float)
    at = decoy_mask(mesh, rgb.shape[:2], ["left_eye"]) > 0
    gains = lit[at].mean(axis=0) / rgb[at].mean(axis=0)
    assert np.ptp(gains) < 0.02
    assert gains.mean() > 1.05


def test_decoys_of_all_parts_keep_clear_of_each_forgery(face):
    rgb, mesh = face
    for part in PARTS:
        for other in set(PARTS) - {part}:
            shared = decoy_mask(mesh, rgb.shape[:2], [other], [part])
            shared *= forged_mask(mesh, rgb.shape[:2], [part]) >= 0.05
            assert not shared.any()


def test_a_copy_in_which_nothing_is_forged(sample, tmp_path):
    source, span = sample("cap12_edit"), {"start_s": 0.2, "end_s": 0.5}
    truth = plant(source, tmp_path / "a.mp4", regions=[], keep=(24, 24.6), **span)
    assert (truth.regions, truth.frames, truth.start_s) == ((), 0, 0)
    plant(source, tmp_path / "b.mp4", regions=["mouth"], strength=0, keep=(24, 24.6), **span)
    a, b = (media.probe(tmp_path / n).sha256 for n in ("a.mp4", "b.mp4"))
    assert a == b  # strength 0 changes nothing either
    truth = plant(
        source,
        tmp_path / "c.mp4",
        regions=[],
        decoys=["nose"],
        decoy_kind="mark",
        keep=(24, 24.6),
        **span,
    )
    said = json.loads((tmp_path / "c.truth.json").read_text())
    assert (said["regions"], said["decoys"], said["decoy_kind"]) == ([], ["nose"], "mark")
    assert said["frames"] == truth.frames > 0
    assert 0.2 - 1e-6 <= said["start_s"] < said["end_s"] <= 0.5 + 1e-6


@pytest.mark.parametrize(
    ("options", "wrong"),
    [
        ({"regions": ["hat"]}, "unknown region"),
        ({"regions": ["mouth"], "decoys": ["mouth"]}, "cannot be forged and harmless"),
        ({"regions": ["mouth"], "decoys": ["nose"], "decoy_kind": "hat"}, "unknown kind of harm"),
        ({"regions": ["mouth"], "kind": "magic"}, "unknown kind of forgery"),
        ({"regions": ["mouth"], "strength": 4}, "strength"),
        ({"regions": ["mouth"], "start_s": 3}, "empty"),
        ({"regions": ["mouth"], "keep": (900, 901)}, "nothing of the clip is kept"),
    ],
)
def test_options_are_checked(sample, tmp_path, options, wrong):
    given = {"start_s": 0.0, "end_s": 1.0, **options}
    with pytest.raises(UsageError, match=wrong):
        plant(sample("carphone_pristine"), tmp_path / "out.mp4", **given)
    assert not (tmp_path / "out.mp4").exists()
