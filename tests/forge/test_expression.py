"""Reading expressions, and searching a person's pictures for one."""

from __future__ import annotations

import io
import itertools
import struct
import zlib

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.forge import faces as made_up
from toolkit.errors import ShapeError, UsageError
from toolkit.forge import expression
from toolkit.forge.expression import BLENDSHAPES, PLAIN, USUAL, choose_path, search


def test_the_names_stand_where_the_network_has_them():
    assert len(BLENDSHAPES) == len(set(BLENDSHAPES)) == 52
    assert (BLENDSHAPES[0], BLENDSHAPES[25]) == ("_neutral", "jawOpen")
    assert BLENDSHAPES[9:11] == ("eyeBlinkLeft", "eyeBlinkRight")


def test_a_face_finds_itself_first():
    gallery = made_up.gallery(made_up.coefficients(30))
    found = search(gallery, gallery.faces[17], k=10)
    assert found.indices[0] == 17
    assert found.distances[0] == pytest.approx(0, abs=1e-6)
    assert (np.diff(found.distances) >= 0).all()
    np.testing.assert_allclose(found.distances**2, found.expression**2 + found.pose**2, atol=1e-9)


def test_fewer_faces_than_asked_for_are_all_returned():
    gallery = made_up.gallery(made_up.coefficients(3))
    assert sorted(search(gallery, gallery.faces[0], k=10).indices.tolist()) == [0, 1, 2]
    with pytest.raises(UsageError, match="not positive"):
        search(gallery, gallery.faces[0], k=0)


def test_a_resting_face_that_differs_does_not_matter():
    base = made_up.coefficients(20) * 0.5
    other = base + np.linspace(0, 0.4, 52, dtype=np.float32)  # the same deeds on other bones
    target, poses = base.astype(float), np.zeros((20, 3))
    apart, _ = expression.squared_distances(target, poses, made_up.gallery(other))
    assert (apart.argmin(axis=1) == np.arange(20)).all()
    np.testing.assert_allclose(np.diag(apart), 0, atol=1e-6)
    plain, _ = expression.squared_distances(target, poses, made_up.gallery(other), weights=PLAIN)
    assert np.diag(plain).min() > 1


def test_a_closed_eye_weighs_more_than_a_look_aside_and_a_turn_more_than_a_tilt():
    rest = np.zeros((5, 52), np.float32)
    rest[1, 9], rest[2, 15] = 0.5, 0.5
    poses = np.zeros((5, 3))
    poses[3, 0], poses[4, 2] = 20, 20
    wanted = made_up.face(np.zeros(52))
    found = search(made_up.gallery(rest, poses), wanted, k=5)
    place = {int(i): k for k, i in enumerate(found.indices)}
    assert place[0] == 0
    assert place[2] < place[1]
    assert place[4] < place[3]


@given(st.integers(1, 5), st.integers(1, 4), st.floats(0.01, 2), st.integers(0, 99), st.booleans())
@settings(deadline=None, max_examples=60)
def test_the_path_is_the_cheapest_of_all(moments, count, jump, seed, is_clip):
    costs = np.random.default_rng(seed).random((moments, count))

    def price(path):
        jumps = sum(abs(a - b) > (3 if is_clip else 0) for a, b in itertools.pairwise(path))
        return sum(costs[t, n] for t, n in enumerate(path)) + jump * jumps

    best = min(price(p) for p in itertools.product(range(count), repeat=moments))
    found = choose_path(costs, jump=jump, is_clip=is_clip).tolist()
    assert price(found) == pytest.approx(best)


def test_a_dear_jump_holds_one_picture_and_a_free_one_takes_the_closest():
    costs = np.random.default_rng(1).random((40, 30))
    assert len(set(choose_path(costs, jump=1e6, is_clip=False).tolist())) == 1
    assert choose_path(costs).tolist() == costs.argmin(axis=1).tolist()
    with pytest.raises(ShapeError):
        choose_path(np.zeros((0, 3)))


def test_a_path_through_a_clip_may_go_on_with_it():
    costs = np.ones((10, 50))
    costs[np.arange(10), np.arange(10) * 2] = 0
    assert choose_path(costs, jump=5.0, is_clip=True).tolist() == list(range(0, 20, 2))


def test_an_empty_gallery_is_refused():
    with pytest.raises(UsageError, match="no picture with a face"):
        expression.ExpressionGallery((), False, (), "nobody")


# -- pictures are hostile


def png(width, height):
    """Return a PNG that claims a size and holds next to nothing."""
    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)

    def chunk(kind, data):
        body = kind + data
        return struct.pack(">I", len(data)) + body + struct.pack(">I", zlib.crc32(body))

    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", b"x") + chunk(b"IEND", b"")


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"no picture",
        b"\xff\xd8\xff\xe0 cut off",
        b"GIF89a\x01\x00\x01\x00\x00\x00\x00;",
        png(100_000, 100_000),
        png(20, 20),
        b"%PDF-1.7",
        b"\x89PNG\r\n\x1a\n" + bytes(21 << 20),
    ],
    ids=["empty", "text", "cut jpeg", "gif", "bomb", "cut png", "pdf", "large"],
)
def test_what_is_no_picture_is_none(data):
    assert expression.decode_picture(data) is None


def test_a_picture_taken_sideways_is_put_upright():
    from PIL import Image

    image = Image.new("RGB", (40, 20), "red")
    exif = image.getexif()
    exif[0x0112] = 6  # turn a quarter clockwise
    stored = io.BytesIO()
    image.save(stored, "JPEG", exif=exif)
    assert expression.decode_picture(stored.getvalue()).shape == (40, 20, 3)


def test_pictures_in_memory_make_a_gallery(sample, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    data = sample("astronaut").read_bytes()
    gallery = expression.read_pictures([("<b>a</b>.png", data), ("b.png", b"junk")], name="own")
    assert len(gallery) == 1
    assert gallery.without_face == 1
    assert not gallery.is_clip
    assert list(tmp_path.iterdir()) == []
    assert gallery.faces[0].width > 60
    with pytest.raises(UsageError, match="no picture with a face"):
        expression.read_pictures([("b.png", b"junk")], name="own")


def test_a_folder_is_read_by_name(sample, tmp_path):
    (tmp_path / "one.png").write_bytes(sample("astronaut").read_bytes())
    (tmp_path / "two.txt").write_text("not looked at")
    gallery = expression.read_folder(tmp_path, keep_pictures=False)
    assert [f.label for f in gallery.faces] == ["one.png"]
    assert gallery.faces[0].rgb.size == 0
    with pytest.raises(UsageError, match="does not exist"):
        expression.read_folder(tmp_path / "nowhere")


def test_a_clip_gives_faces_evenly_in_time(sample):
    gallery = expression.read_clip(sample("franck"), per_second=0.05, name="franck")
    assert 9 <= len(gallery) <= 12
    assert gallery.is_clip
    assert (np.diff([f.index for f in gallery.faces]) > 300).all()
    assert len(gallery.picked([3, 1, 3])) == 2
    for one in gallery.faces:
        assert one.rgb.shape[2] == 3
        assert (one.mesh[:468, :2].max(axis=0) < one.rgb.shape[1::-1]).all()
        assert one.mesh[:468, :2].min() > 0
    with pytest.raises(UsageError, match="no frame"):
        expression.read_clip(sample("franck"), start_s=900)


def test_a_face_cut_out_keeps_its_points_on_its_pixels(sample):
    rgb = expression.decode_picture(sample("astronaut").read_bytes())
    reading = expression.ExpressionReader()(rgb)
    face = expression.cut_face(rgb, reading, "a", 0)
    x, y = np.rint(reading.mesh[4, :2]).astype(int)
    u, v = (np.rint(face.mesh[4, :2])).astype(int)
    np.testing.assert_array_equal(face.rgb[v, u], rgb[y, x])


def test_usual_weights_look_at_everything_but_neutral():
    w = USUAL.coefficients()
    assert w[0] == 0
    assert (w[1:] > 0).all()
    assert w[BLENDSHAPES.index("eyeBlinkLeft")] == w.max()
