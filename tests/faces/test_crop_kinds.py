"""Kinds of crops: where each lies, and that the region map lies on the face in each of them."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from toolkit.errors import OutOfRangeError, UnknownNameError
from toolkit.faces import crops
from toolkit.faces.crops import TEMPLATE, CropCollector, InputSpec, five_point_square, place
from toolkit.faces.detect import Detection
from toolkit.types import REGIONS


def turned_points(side=200.0, angle=20.0, at=(330.0, 210.0)):
    """The template, turned by some degrees about its middle and put somewhere in a frame."""
    a = np.deg2rad(angle)
    turn = np.array([[np.cos(a), -np.sin(a)], [np.sin(a), np.cos(a)]])
    return (np.array(TEMPLATE) - 0.5) * side @ turn.T + at, turn


@pytest.mark.parametrize("angle", [0, 20, -135])
def test_five_points_come_to_lie_on_the_template(angle):
    points, turn = turned_points(angle=angle)
    where = five_point_square(points, margin=0.15)
    crop_to_frame = where.crop_to_frame(224)
    # by hand: the middle of the crop is the middle of the template; a crop pixel is 1.3 * 200 / 224
    by_hand = turn * (1.3 * 200 / 224)
    assert crop_to_frame[:, :2] == pytest.approx(by_hand, abs=1e-4)
    assert crop_to_frame @ (112, 112, 1) == pytest.approx((330, 210), abs=0.01)
    in_crop = (np.array(TEMPLATE) - 0.5) / 1.3 * 224 + 112
    back = in_crop @ crop_to_frame[:, :2].T + crop_to_frame[:, 2]
    assert back == pytest.approx(points, abs=0.01)


def test_one_stray_point_does_not_move_the_square():
    points, _turn = turned_points()
    straight = five_point_square(points, margin=0.15).crop_to_frame(224)
    points[2] += (25, -18)
    assert five_point_square(points, margin=0.15).crop_to_frame(224) == pytest.approx(
        straight, abs=0.05
    )


def test_a_mirrored_face_is_not_reflected():
    points, _turn = turned_points()
    points[:, 0] *= -1
    crop_to_frame = five_point_square(points, margin=0.15).crop_to_frame(224)
    assert np.linalg.det(crop_to_frame[:, :2]) > 0


@pytest.mark.parametrize("points", [np.zeros((5, 2)), np.full((5, 2), 7.0)])
def test_points_on_one_spot_still_give_a_square(points):
    crop_to_frame = five_point_square(points, margin=0.15).crop_to_frame(64)
    assert np.isfinite(crop_to_frame).all()


def test_a_box_gets_its_margin_on_each_side():
    face = Detection(np.array([100.0, 50, 40, 60]), np.zeros((5, 2)), 0.9)
    square = place(InputSpec(64, 0.25, "box"), np.zeros((478, 3)), face)
    assert (square.left, square.top, square.side) == (75, 35, 90)


def test_what_lies_outside_repeats_or_is_black():
    picture = np.full((20, 20, 3), 200, np.uint8)
    for where in (crops.Square(-10, -10, 40), crops.Square(30, 30, 20)):
        assert where.cut(picture, 40).min() == 200
        black = where.cut(picture, 40, outside="black")
        expected = int((where.side - where.left > 20) and 20 * 20 * 3) if where.left < 0 else 0
        assert (black == 200).sum() == expected
    points, _turn = turned_points(side=60, at=(5, 5))
    turned = five_point_square(points, margin=0.15)
    assert turned.cut(picture, 40).min() == 200
    assert turned.cut(picture, 40, outside="black").min() == 0


def test_a_turned_crop_shows_the_same_at_any_fineness():
    y, x = np.mgrid[:480, :640]
    picture = np.stack([x * 255 / 640, y * 255 / 480, 0 * x], 2).astype(np.uint8)
    points, _turn = turned_points(side=180)
    where = five_point_square(points, margin=0.15)
    for size in (48, 224, 320):
        crop_to_frame = where.crop_to_frame(size)
        crop = where.cut(picture, size)
        for u, v in ((5, 5), (size // 2, size // 3), (size - 6, size - 6)):
            frame_x, frame_y = crop_to_frame @ (u, v, 1)
            expected = (frame_x * 255 / 640, frame_y * 255 / 480)
            # shrinking by areas puts pixel centres half a native pixel off; a grey level is 2.5 px
            assert crop[v, u, :2] == pytest.approx(expected, abs=1.6)


def test_numbers_and_words_that_make_no_sense_are_refused():
    for bad in ({"size": 8}, {"size": 9999}, {"margin": -0.1}, {"margin": float("nan")}):
        with pytest.raises(OutOfRangeError):
            InputSpec(**{"size": 224, "margin": 0.1, **bad})
    for bad in ({"crop": "round"}, {"outside": "white"}):
        with pytest.raises(UnknownNameError, match="Choose from"):
            InputSpec(224, 0.1, **bad)


@pytest.fixture(scope="module")
def real_face(sample):
    from toolkit import media
    from toolkit.faces.mesh import LargestFace

    video = media.probe(sample("cap12_edit"))
    frame = next(iter(media.read(video, np.array([0]))))
    face = LargestFace().detect(frame.rgb)
    assert face is not None
    return frame.rgb, *face


@pytest.mark.parametrize("crop", crops.CROPS)
@pytest.mark.parametrize("angle", [0, 30])
def test_regions_lie_on_the_face_in_every_kind(real_face, crop, angle):
    rgb, mesh, face = real_face
    h, w = rgb.shape[:2]
    turn = cv2.getRotationMatrix2D((w / 2, h / 2), angle, 1.0)
    rgb = cv2.warpAffine(rgb, turn, (w, h))
    mesh = mesh.copy()
    mesh[:, :2] = mesh[:, :2] @ turn[:, :2].T + turn[:, 2]
    points = face.points @ turn[:, :2].T + turn[:, 2]
    box = np.concatenate([mesh[:, :2].min(0), np.ptp(mesh[:, :2], axis=0)]).astype(float)
    collector = CropCollector(InputSpec(160, 0.2, crop))
    collector.add(rgb, mesh, Detection(box, points, 0.9))
    found = collector.crops()
    crop_to_frame, region_map = found.crop_to_frame[0], found.region_map[0]
    # the mesh of the crop, brought back into the frame, is the mesh of the frame
    back = found.mesh[0, :, :2] @ crop_to_frame[:, :2].T + crop_to_frame[:, 2]
    assert back == pytest.approx(mesh[:, :2], abs=0.02)
    # and a point inside each part of the face is called by its name
    for name, at in (("nose", 4), ("mouth", 13), ("left_eye", 473), ("right_eye", 468)):
        x, y = np.rint(found.mesh[0, at, :2]).astype(int)
        assert REGIONS[region_map[y, x]] == name
    # what the crop shows there is what the frame shows there
    x, y = np.rint(found.mesh[0, 4, :2]).astype(int)
    u, v = np.rint(crop_to_frame @ (x, y, 1)).astype(int)
    shown, there = found.rgb[0, y, x].astype(int), rgb[v, u].astype(int)
    assert np.abs(shown - there).max() < 40
    squares, maps = crops.upright(found.crop_to_frame, found.region_map, fill=9)
    left, top, side = squares[0]
    u, v = mesh[4, :2]
    at = np.floor((np.array([u - left, v - top]) + 0.5) * 160 / side).astype(int)
    assert REGIONS[maps[0][at[1], at[0]]] == "nose"
