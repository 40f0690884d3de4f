"""References: geometry, matching, the validity tests, the choice, and the seam control."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from tests.fakes import front_mesh
from toolkit.detectors.base import Card, InputSpec
from toolkit.errors import Cancelled, UsageError
from toolkit.explain import baselines
from toolkit.explain.baselines import (
    AUTOMATIC,
    ON_REQUEST,
    References,
    correspondence,
    match,
    plant_in_crop,
    warp,
)
from toolkit.faces.regions import region_map_of
from toolkit.types import REGIONS, Evidence, FaceCrops

pytestmark = pytest.mark.usefixtures("face_models")
SIZE = 112
MOUTH = REGIONS.index("mouth")


def picture(seed=0, *, noise=3.0):
    """Return a smooth picture with camera noise."""
    y, x = np.mgrid[:SIZE, :SIZE]
    smooth = 120 + 30 * np.sin(x / 19)[..., None] + 20 * np.cos(y / 13)[..., None] + np.arange(3)
    rng = np.random.default_rng(seed)
    return np.clip(np.rint(smooth + rng.normal(0, noise, smooth.shape)), 0, 255).astype(np.uint8)


def crops_of(pictures, meshes=None):
    n = len(pictures)
    meshes = meshes or [front_mesh(SIZE)] * n
    return FaceCrops(
        np.stack(pictures),
        np.broadcast_to(np.eye(2, 3), (n, 2, 3)).copy(),
        np.stack(meshes),
        np.stack([region_map_of(m, SIZE) for m in meshes]),
        *(np.full(n, v) for v in (80.0, 100.0, 0.0)),
    )


class Green:
    """Judges a crop by its greenest region: green paint is what a forgery is."""

    spec = InputSpec(size=SIZE, margin=0.125)
    card = Card("green", "test", "0" * 64, 0.0, "none", ())
    device, batch = "cpu", 4

    def __init__(self, crops):
        self._players = crops.region_map[0]

    def evidence(self, crops, *, tick=lambda *_: None):
        rgb = crops.rgb.astype(float)
        excess = np.maximum(rgb[..., 1] - rgb[..., 0] - 40, 0)
        logits = excess.mean(axis=(1, 2)) * 3 - 2
        n = len(logits)
        return Evidence(logits.astype(np.float32), np.stack([np.arange(n)] * 2, axis=1))


class Linear(Green):
    """Mean brightness of the face: linear in the pixels."""

    def evidence(self, crops, *, tick=lambda *_: None):
        logits = crops.rgb.mean(axis=(1, 2, 3)) / 20 - 8
        n = len(logits)
        return Evidence(logits.astype(np.float32), np.stack([np.arange(n)] * 2, axis=1))


def green_track(clean=5):
    """Return a track whose last frame has a green mouth, and a slightly moved face per frame."""
    meshes = [front_mesh(SIZE, shift=(0.7 * k, -0.4 * k)) for k in range(clean + 1)]
    pictures = [picture(k) for k in range(clean + 1)]
    mouth = region_map_of(meshes[-1], SIZE) == MOUTH
    pictures[-1][mouth] = (60, 200, 60)
    return crops_of(pictures, meshes)


def logits_of(detector, crops):
    return detector.evidence(crops).logits.astype(float)


def made_for(crops, detector=None, **options):
    detector = detector or Green(crops)
    return References(detector, crops, logits_of(detector, crops), **options)


# --- geometry


def test_a_face_onto_itself_stays_where_it_is():
    mesh = front_mesh(SIZE)
    where = correspondence(mesh, mesh, SIZE)
    y, x = np.mgrid[:SIZE, :SIZE]
    assert np.abs(where - np.stack([x, y], axis=2)).max() <= 1e-3


def test_a_moved_and_grown_face_is_found_again():
    """Paint each triangle's place: looked up, the source's paint lies on the target's mesh."""
    target, source = front_mesh(SIZE), front_mesh(SIZE, scale=5.6, shift=(3.0, -2.0))
    where = correspondence(target, source, SIZE)
    nose = np.rint(target[4, :2]).astype(int)
    moved = where[nose[1], nose[0]] - nose
    assert moved == pytest.approx((source[4, :2] - target[4, :2]).tolist(), abs=0.6)
    y, x = np.mgrid[:SIZE, :SIZE].astype(np.float32)
    inside = ~np.isin(region_map_of(target, SIZE), [REGIONS.index("background"), 8])
    wanted = (np.stack([x, y], 2) - SIZE / 2) * (5.6 / 5.2) + SIZE / 2 + (3.0, -2.0)
    assert np.abs(where - wanted)[inside].max() <= 0.05
    step = np.abs(np.diff(where, axis=1)).max()
    assert step < 4  # no tear, inside or outside the mesh


# --- matching


def test_matching_restores_colour_and_noise():
    target = picture(1, noise=6.0)
    soft = cv2.GaussianBlur(picture(2, noise=6.0), (0, 0), 1.0)
    tinted = np.clip(soft.astype(int) + np.array([25, -10, 15]), 0, 255).astype(np.uint8)
    region_map = region_map_of(front_mesh(SIZE), SIZE)
    out = match(tinted, target, region_map, np.random.default_rng(0))
    face = region_map != REGIONS.index("background")
    level = lambda p: baselines._noise_level(p.astype(np.float32), face)  # noqa: E731
    assert level(out) == pytest.approx(level(target), rel=0.2)
    assert level(tinted).mean() < 0.6 * level(target).mean()
    gap = np.abs(out[face].mean(axis=0) - target[face].mean(axis=0))
    assert gap.max() <= 3


def test_a_sharper_donor_is_softened():
    target, noisy = picture(1, noise=1.5), picture(2, noise=9.0)
    region_map = region_map_of(front_mesh(SIZE), SIZE)
    out = match(noisy, target, region_map, np.random.default_rng(0))
    assert cv2.Laplacian(out, cv2.CV_64F).var() < 0.5 * cv2.Laplacian(noisy, cv2.CV_64F).var()


# --- kinds and tests


def test_the_clean_frame_is_chosen_and_passes():
    crops = green_track()
    refs = made_for(crops)
    choice = refs.choose(5)
    chosen = choice.reference
    assert chosen.kind == "clean_frame"
    assert chosen.is_valid
    assert chosen.parameters["source"] != 5
    assert [light.name for light in chosen.validity_tests] == ["V1", "V2", "V3"]
    assert chosen.validity_tests[0].passed
    assert chosen.validity_tests[1].passed
    assert len(choice.tried) == 1
    again = made_for(green_track()).choose(5).reference
    assert (again.rgb == chosen.rgb).all()


def test_without_a_clean_frame_a_donor_is_taken():
    crops = green_track()
    forged = crops_of([crops.rgb[5]] * 3, [crops.mesh[5]] * 3)
    gallery = crops_of([picture(k + 20) for k in range(3)])
    refs = made_for(forged, gallery=gallery)
    assert refs.make("clean_frame", 0) is None
    choice = refs.choose(0)
    assert choice.reference.kind == "donor"
    assert refs.choose(0, kinds=("clean_frame",)).reference is None
    assert (
        refs.make("donor", 0, rank=1).parameters["source"] != choice.reference.parameters["source"]
    )
    assert refs.make("donor", 0, rank=3) is None


# --- what is known to be genuine


def all_forged(moments=3):
    """Return a track of which every frame has a green mouth."""
    crops = green_track()
    return crops_of([crops.rgb[5]] * moments, [crops.mesh[5]] * moments)


def test_what_is_known_to_be_genuine_comes_first():
    known = crops_of([picture(k + 40) for k in range(3)])
    gallery = crops_of([picture(k + 20) for k in range(3)])
    refs = made_for(all_forged(), gallery=gallery, known=known)
    chosen = refs.choose(0).reference
    assert chosen.kind == "known_frame"
    assert [light.passed for light in chosen.validity_tests] == [
        True,
        True,
        None,
    ]  # it sees only green
    kept = made_for(green_track(), known=known).choose(5)
    assert [r.kind for r in kept.tried] == ["known_frame"]  # not the track's own clean frame
    refs.know(None)
    assert refs.choose(0).reference.kind == "donor"
    assert refs.make("known_frame", 0) is None


def test_a_known_face_is_never_its_own_reference():
    """Known seconds of the same track: the frame itself would change nothing and prove nothing."""
    crops = green_track()
    known = crops.at(np.arange(3))
    refs = made_for(crops, known=known)
    for position in range(3):
        made = refs.make("known_frame", position)
        assert made.parameters["source"] != position
        assert not np.array_equal(made.rgb, crops.rgb[position])
    assert refs.make("known_frame", 0, rank=2) is None
    alone = made_for(crops, known=crops.at(np.arange(1)))
    assert alone.make("known_frame", 0) is None


def test_what_was_planted_is_not_looked_for_with_its_own_original(monkeypatch):
    """The test face without the planted part would be the perfect reference, and prove nothing."""
    crops, made = green_track(), []
    paint = References._paint
    monkeypatch.setattr(
        References,
        "_paint",
        lambda self, kind, face, rank=0: (
            made.append((face, paint(self, kind, face, rank))) or made[-1][1]
        ),
    )

    def greened(rgb, mesh, part, *, kind="blend"):
        out = rgb.copy()
        out[region_map_of(mesh, SIZE) == REGIONS.index(part)] = (60, 200, 60)
        return out

    monkeypatch.setattr(baselines, "plant_in_crop", greened)
    gallery = crops_of([picture(k + 20) for k in range(3)])
    for refs, kind in (
        (made_for(crops), "clean_frame"),
        (made_for(crops, known=crops.at(np.arange(3))), "known_frame"),
        (made_for(all_forged(), gallery=gallery), "donor"),
    ):
        made.clear()
        light = refs._finds(kind, lambda *_: None)
        assert light.passed
        assert len(made) == 4
        for face, (_rgb, _facts, source) in made:
            own = face.pool.crops.rgb[face.position]
            assert not np.array_equal(source.pool.crops.rgb[source.position], own)
    alone = made_for(all_forged(), known=crops.at(np.arange(1)))
    assert alone._finds("known_frame", lambda *_: None).passed is None


def test_known_faces_that_look_forged_are_no_source():
    """They are not what the detector calls genuine: nothing valid could be made of them."""
    refs = made_for(all_forged(), known=all_forged(2))
    assert refs.make("known_frame", 0) is None
    choice = refs.choose(0)
    assert choice.reference is None
    assert choice.unusable == 2
    assert made_for(all_forged()).choose(0).unusable == 0


def test_every_kind_is_tested_on_what_is_known(monkeypatch):
    """The track's own frames only seem genuine."""
    known = crops_of([picture(k + 40) for k in range(7)])
    crops = green_track()
    refs, asked = made_for(crops, known=known), []
    plain = baselines.RegionGame
    monkeypatch.setattr(
        baselines,
        "RegionGame",
        lambda d, c, *rest: asked.append((c, rest[0])) or plain(d, c, *rest),
    )
    refs.test(refs.make("clean_frame", 5), plant=False)
    assert [position for c, position in asked if c is known] == [0, 3, 6]  # from all over it
    # another recording may look otherwise than the track, where it is to be used
    assert sum(c is crops for c, _position in asked) == baselines.TESTED
    refs.know(None)
    asked.clear()
    refs.test(refs.make("clean_frame", 5), plant=False)
    assert all(c is crops for c, _position in asked)


def test_donors_for_the_tests_are_from_all_over_the_gallery(monkeypatch):
    """It goes clip by clip: the first three faces are those of one person."""
    gallery = crops_of([picture(k + 20) for k in range(9)])
    refs, asked = made_for(all_forged(), gallery=gallery), []
    plain = baselines.RegionGame
    monkeypatch.setattr(
        baselines,
        "RegionGame",
        lambda d, c, *rest: asked.append((c, rest[0])) or plain(d, c, *rest),
    )
    refs.test(refs.make("blur_noise", 0), plant=False)
    assert asked == [(gallery, 0), (gallery, 4), (gallery, 8)]


def test_no_valid_reference_names_none():
    """The blurred green mouth is still green, and nothing else is there."""
    crops = green_track()
    forged = crops_of([crops.rgb[5]] * 2, [crops.mesh[5]] * 2)
    choice = made_for(forged).choose(0)
    assert choice.reference is None
    assert [r.kind for r in choice.tried] == ["blur_noise"]
    assert choice.tried[0].validity_tests[0].passed is False


@pytest.mark.parametrize("kind", ON_REQUEST)
def test_kinds_on_request_are_never_valid(kind):
    crops = green_track()
    refs = made_for(crops)
    made = refs.test(refs.make(kind, 5), plant=False)
    assert not made.valid_in_principle
    assert not made.is_valid
    assert kind not in AUTOMATIC


def test_a_harmful_reference_fails_its_second_test():
    """A detector of darkness: replacing anything by black looks forged on genuine frames."""
    crops = green_track()

    class Dark(Green):
        def evidence(self, crops, *, tick=lambda *_: None):
            dark = (crops.rgb.max(axis=3) < 30).mean(axis=(1, 2))
            logits = np.where((dark > 0.01) & (dark < 0.95), 4.0, -2.0)
            n = len(logits)
            return Evidence(logits.astype(np.float32), np.stack([np.arange(n)] * 2, axis=1))

    refs = made_for(crops, Dark(crops))
    made = refs.test(refs.make("black", 0), plant=False)
    assert made.validity_tests[0].passed  # all black is 'genuine' to it: V1 alone is not enough
    assert made.validity_tests[1].passed is False


def test_planting_changes_its_part_only():
    rgb, mesh = picture(), front_mesh(SIZE)
    out = plant_in_crop(rgb, mesh, "mouth", kind="colour")
    changed = np.abs(out.astype(int) - rgb).max(axis=2) > 3
    inside = region_map_of(mesh, SIZE) == MOUTH  # the lips and two rings of triangles round them
    assert changed[inside].mean() > 0.4
    assert inside[changed].mean() > 0.9


# --- the seam control


@pytest.mark.parametrize("kind", ["clean_frame", "blur_noise"])
def test_the_seam_control_is_nil_for_a_linear_detector(kind):
    crops = green_track()
    crops.rgb[5] = picture(9)
    refs = made_for(crops, Linear(crops))
    control = refs.seam_control(refs.make(kind, 5), total=1.0)
    assert np.abs(control.changes).max() <= 0.01  # 0.2 grey levels over the whole crop
    assert control.median <= 0.002
    assert control.passed


def test_the_seam_control_sees_resampling():
    """A detector of lost noise alone: warping there and back without matching would be seen."""
    crops = green_track()
    mesh, other = crops.mesh[5], crops.mesh[0]
    there = warp(crops.rgb[0], correspondence(other, mesh, SIZE))
    back = warp(there, correspondence(mesh, other, SIZE))
    face = crops.region_map[5] != REGIONS.index("background")
    level = lambda p: baselines._noise_level(p.astype(np.float32), face).mean()  # noqa: E731
    matched = match(back, crops.rgb[0], crops.region_map[5], np.random.default_rng(0))
    lost = abs(level(back) - level(crops.rgb[0]))
    assert abs(level(matched) - level(crops.rgb[0])) < 0.5 * lost


def test_cancel_and_wrong_kind():
    crops = green_track()
    refs = made_for(crops)

    def tick(*_):
        raise Cancelled

    with pytest.raises(Cancelled):
        refs.choose(5, tick=tick)
    with pytest.raises(UsageError, match="kind"):
        refs.make("white", 5)


def test_of_many_donors_the_first_that_passes_is_taken():
    """The donor nearest in pose has green paint on the chin; the next has none."""
    crops = green_track()
    forged = crops_of([crops.rgb[5]] * 2, [crops.mesh[5]] * 2)
    painted = picture(30)
    painted[-40:-25, 40:70] = (60, 160, 60)
    gallery = crops_of([painted, picture(31)], [crops.mesh[5], crops.mesh[0]])

    class Lenient(Green):
        """Knows the painted donor as genuine, but not what is made of it."""

        def evidence(self, crops, *, tick=lambda *_: None):
            found = super().evidence(crops)
            known = (crops.rgb == painted).all(axis=(1, 2, 3))
            found.logits[known] = -2
            return found

    refs = References(Lenient(crops), forged, np.ones(2), gallery=gallery)
    assert not refs.make("donor", 0).validity_tests[0].passed
    best = refs.best("donor", 0)
    assert best.validity_tests[0].passed
    assert best.parameters["source"] == 1
    only = References(Lenient(crops), forged, np.ones(2), gallery=crops_of([painted] * 2))
    assert not only.best("donor", 0).validity_tests[0].passed
