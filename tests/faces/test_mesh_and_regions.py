"""Detection, mesh, pose and players on a real portrait and on geometry with a known answer."""

from __future__ import annotations

import math

import numpy as np
import pytest

from toolkit.faces.crops import cut, face_square, face_width, mesh_in_crop, picture_area
from toolkit.faces.detect import FaceDetector, iou
from toolkit.faces.identity import Identity, similarity_transform
from toolkit.faces.mesh import Expression, FaceMesh, canonical_face, head_pose
from toolkit.faces.regions import region_map_of, triangle_players
from toolkit.types import REGIONS


@pytest.fixture(scope="module")
def face(portrait):
    found = FaceDetector()(portrait)
    assert len(found) == 1
    result = FaceMesh()(portrait, found[0])
    assert result is not None
    return found[0], result


def test_no_face_in_nothing(face_models):
    detector, rng = FaceDetector(), np.random.default_rng(0)
    pictures = [np.zeros((240, 320, 3), np.uint8), np.full((240, 320, 3), 255, np.uint8)]
    pictures += [rng.integers(0, 256, (240, 320, 3), dtype=np.uint8) for _ in range(4)]
    assert [detector(p) for p in pictures] == [[] for _ in pictures]


def test_tiny_pictures_are_answered(face_models):
    assert FaceDetector()(np.zeros((1, 1, 3), np.uint8)) == []
    assert FaceDetector()(np.zeros((2, 4000, 3), np.uint8)) == []


def test_presence_and_agreement(face):
    found, result = face
    assert result.presence > 0.99
    apart = np.linalg.norm(result.points[[468, 473, 1, 61, 291], :2] - found.points, axis=1).mean()
    assert apart < 0.05 * found.box[2:].max()


def test_left_is_the_subjects_left(face):
    """In a picture that is not mirrored, the subject's left eye is further to the right."""
    _, result = face
    assert result.points[473, 0] > result.points[468, 0]
    region_map = region_map_of(result.points, 512)
    columns = np.arange(512)

    def centre(name):
        mask = region_map == REGIONS.index(name)
        return (mask.sum(axis=0) * columns).sum() / mask.sum()

    assert centre("left_eye") > centre("nose") > centre("right_eye")
    assert centre("left_cheek") > centre("right_cheek")


def test_mirrored_face_swaps_sides(portrait, face):
    mirrored = np.ascontiguousarray(portrait[:, ::-1])
    result = FaceMesh()(mirrored, FaceDetector()(mirrored)[0])
    straight = region_map_of(face[1].points, 512)[:, ::-1]
    swapped = region_map_of(result.points, 512)
    for a, b in (("left_eye", "right_eye"), ("left_cheek", "right_cheek"), ("mouth", "mouth")):
        first, second = straight == REGIONS.index(a), swapped == REGIONS.index(b)
        assert (first & second).sum() / (first | second).sum() > 0.7, a


def test_player_map_is_complete_and_ordered(face):
    _, result = face
    square = face_square(result.points, margin=0.125)
    region_map = region_map_of(mesh_in_crop(result.points, square, 224), 224)
    assert set(np.unique(region_map)) == set(range(len(REGIONS)))
    rows = np.arange(224)

    def height(name):
        mask = region_map == REGIONS.index(name)
        return (mask.sum(axis=1) * rows).sum() / mask.sum()

    assert height("forehead") < height("left_eye") < height("nose") < height("mouth")
    assert height("mouth") < height("chin_jaw")


def test_regions_are_those_of_the_definition(face_models):
    """The labels are pinned by hash inside; saved reports depend on them."""
    counts = np.bincount(triangle_players(), minlength=10)
    assert counts.sum() == 898
    assert counts[REGIONS.index("mouth")] == 220
    assert counts[REGIONS.index("left_eye")] == counts[REGIONS.index("right_eye")]
    assert counts[REGIONS.index("contour")] == counts[REGIONS.index("background")] == 0


@pytest.mark.parametrize(
    ("turn", "expected"),
    [((25, 0, 0), "yaw"), ((0, 20, 0), "pitch"), ((0, 0, 15), "roll")],
)
def test_pose_of_a_turned_canonical_face(face_models, turn, expected):
    yaw, pitch, roll = (math.radians(a) for a in turn)
    c, s = math.cos, math.sin
    about_y = np.array([[c(yaw), 0, s(yaw)], [0, 1, 0], [-s(yaw), 0, c(yaw)]])
    about_x = np.array([[1, 0, 0], [0, c(pitch), s(pitch)], [0, -s(pitch), c(pitch)]])
    about_z = np.array([[c(roll), s(roll), 0], [-s(roll), c(roll), 0], [0, 0, 1]])
    turned = canonical_face().vertices @ (about_z @ about_y @ about_x).T
    mesh = np.zeros((478, 3))
    mesh[:468] = turned * (1, -1, -1) * 10 + 200  # to picture axes, in pixels
    assert head_pose(mesh) == pytest.approx(turn, abs=1e-6), expected


def test_expression_is_in_range(face):
    coefficients = Expression()(face[1].points)
    assert coefficients.shape == (52,)
    assert ((coefficients >= 0) & (coefficients <= 1)).all()
    assert min(coefficients[44], coefficients[45]) > 0.4, "the astronaut smiles"


def test_identity_recognises_a_smaller_copy(portrait, face):
    import cv2

    identity = Identity()
    small = cv2.resize(portrait, (256, 256), interpolation=cv2.INTER_AREA)
    again = FaceDetector()(small)[0]
    same = identity(portrait, face[0].points) @ identity(small, again.points)
    assert same > 0.8


def test_similarity_transform_is_exact():
    rng = np.random.default_rng(3)
    points, angle = rng.normal(size=(5, 2)), 0.7
    turn = 2.5 * np.array([[math.cos(angle), -math.sin(angle)], [math.sin(angle), math.cos(angle)]])
    target = points @ turn.T + (3, -4)
    matrix = similarity_transform(points, target)
    assert points @ matrix[:, :2].T + matrix[:, 2] == pytest.approx(target, abs=1e-9)


def test_iou_of_apart_and_same():
    box = np.array([1.0, 2, 3, 4])
    assert iou(box, box) == 1.0
    assert iou(box, box + np.array([10.0, 0, 0, 0])) == 0.0
    assert iou(box, np.zeros(4)) == 0.0


@pytest.mark.parametrize("side", [40, 224, 500])
def test_crop_maps_back_to_the_frame(side):
    """A bright dot lands where the crop's matrix says."""
    frame = np.zeros((400, 600, 3), np.uint8)
    mesh = np.full((478, 3), 0.0, np.float32)
    mesh[:, :2] = (300, 200)
    mesh[10, 1], mesh[152, 1] = 200 - side / 2, 200 + side / 2
    square = face_square(mesh, margin=0.0)
    y, x = 190, 308
    frame[y - 1 : y + 2, x - 1 : x + 2] = 255
    crop = cut(frame, square, 224)[..., 0].astype(float)
    rows, columns = np.mgrid[:224, :224]
    centre = np.array([(crop * columns).sum(), (crop * rows).sum()]) / crop.sum()
    matrix = square.crop_to_frame(224)
    assert matrix[:, :2] @ centre + matrix[:, 2] == pytest.approx([x, y], abs=0.2)


@pytest.mark.parametrize("centre", [(0, 0), (639, 479), (-500, 200), (320, 2000)])
def test_crop_beyond_the_frame(centre):
    frame = np.full((480, 640, 3), 77, np.uint8)
    mesh = np.zeros((478, 3), np.float32)
    mesh[:, :2] = centre
    mesh[10, 1] -= 60
    mesh[152, 1] += 60
    square = face_square(mesh, margin=0.1)
    crop = cut(frame, square, 64)
    assert crop.shape == (64, 64, 3)
    assert (crop == 77).all()
    assert 0.4 < square.padding((0, 0, 640, 480)) <= 1.0


def test_black_bars_are_no_picture():
    frame = np.zeros((100, 200, 3), np.uint8)
    assert picture_area(frame) == (0, 0, 200, 100)
    frame[20:80, 30:] = 90
    assert picture_area(frame) == (30, 20, 200, 80)


def test_width_of_a_line_is_zero():
    mesh = np.zeros((478, 3), np.float32)
    mesh[10, 1] = 120
    assert face_width(mesh) == 0.0
