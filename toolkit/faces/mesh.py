"""Read 478 points, presence, expression and head pose: MediaPipe FaceMesh v2 (Apache-2.0)."""

from __future__ import annotations

import functools
import io
import math
import struct
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from toolkit import models
from toolkit.errors import ModelError
from toolkit.faces.detect import Detection, FaceDetector
from toolkit.messages import phrase
from toolkit.runtime import silent_library

SIDE = 256  # input side of the mesh network
CROP_FACTOR = 1.5  # side of its crop / longer side of the face
PRESENCE_MIN = 0.5
SURE_SCORE = 0.88  # below it, mesh and detector must agree: meshes read sideways reach presence 1
AGREEMENT_MAX = 0.13  # mean distance in longer box sides
AGREEMENT_POINTS = (468, 473, 1, 61, 291)  # mesh points that answer to the detector's five

# The 146 mesh points that the expression network reads, in its order (MediaPipe, Apache-2.0).
# fmt: off
EXPRESSION_POINTS = np.array([
    0, 1, 4, 5, 6, 7, 8, 10, 13, 14, 17, 21, 33, 37, 39, 40, 46, 52, 53, 54, 55, 58, 61, 63, 65, 66,
    67, 70, 78, 80, 81, 82, 84, 87, 88, 91, 93, 95, 103, 105, 107, 109, 127, 132, 133, 136, 144,
    145, 146, 148, 149, 150, 152, 153, 154, 155, 157, 158, 159, 160, 161, 162, 163, 168, 172, 173,
    176, 178, 181, 185, 191, 195, 197, 234, 246, 249, 251, 263, 267, 269, 270, 276, 282, 283, 284,
    285, 288, 291, 293, 295, 296, 297, 300, 308, 310, 311, 312, 314, 317, 318, 321, 323, 324, 332,
    334, 336, 338, 356, 361, 362, 365, 373, 374, 375, 377, 378, 379, 380, 381, 382, 384, 385, 386,
    387, 388, 389, 390, 397, 398, 400, 402, 405, 409, 415, 454, 466, 468, 469, 470, 471, 472, 473,
    474, 475, 476, 477,
])
# fmt: on


@dataclass(frozen=True)
class MeshCrop:
    """A square of the frame: centre, side, and angle of its x axis in radians."""

    x: float
    y: float
    side: float
    angle: float

    def crop_to_frame(self) -> NDArray[np.float64]:
        """Return the 2x3 matrix from crop pixels (`SIDE` square) to frame pixels."""
        scale = self.side / SIDE
        c, s = math.cos(self.angle) * scale, math.sin(self.angle) * scale
        half = SIDE / 2
        return np.array([[c, -s, self.x - (c - s) * half], [s, c, self.y - (s + c) * half]])

    @classmethod
    def from_detection(cls, found: Detection) -> MeshCrop:
        """Return the first crop: level eyes, centred between eyes and mouth."""
        eyes, mouth = found.points[:2].mean(axis=0), found.points[3:].mean(axis=0)
        dx, dy = found.points[1] - found.points[0]
        x, y = (eyes + mouth) / 2
        side = CROP_FACTOR * float(max(found.box[2:]))
        return cls(float(x), float(y), side, math.atan2(dy, dx))

    @classmethod
    def from_mesh(cls, mesh: NDArray[np.floating]) -> MeshCrop:
        """Return the refined crop: the mesh's bounding square along its own eye line."""
        dx, dy = (mesh[263, :2] - mesh[33, :2]).tolist()
        angle = math.atan2(dy, dx)
        turn = np.array([[math.cos(angle), math.sin(angle)], [-math.sin(angle), math.cos(angle)]])
        level = mesh[:, :2].astype(np.float64) @ turn.T
        low, high = level.min(axis=0), level.max(axis=0)
        x, y = turn.T @ ((low + high) / 2)
        return cls(float(x), float(y), CROP_FACTOR * float((high - low).max()), angle)


class _LiteModel:
    """One .tflite network from bytes. Outputs are read by name: their order is not the file's."""

    def __init__(self, model: bytes) -> None:
        from ai_edge_litert.interpreter import Interpreter

        with silent_library():
            self._net = Interpreter(model_content=model, num_threads=1)
            self._net.allocate_tensors()
        self._input = self._net.get_input_details()[0]["index"]
        self._outputs = {d["name"]: d["index"] for d in self._net.get_output_details()}

    def __call__(self, x: NDArray[np.float32]) -> dict[str, NDArray[np.float32]]:
        self._net.set_tensor(self._input, x)
        self._net.invoke()
        return {name: self._net.get_tensor(index) for name, index in self._outputs.items()}


def bundle() -> zipfile.ZipFile:
    """Return the verified model bundle; members are read, never unpacked."""
    return zipfile.ZipFile(io.BytesIO(models.load_bytes("face_mesh")))


@dataclass(frozen=True, eq=False)
class MeshResult:
    """(478, 3) float32 mesh in frame pixels and the network's presence, 0..1."""

    points: NDArray[np.float32]
    presence: float


class FaceMesh:
    """The mesh network. Not thread-safe: one per thread."""

    def __init__(self) -> None:
        with bundle() as members:
            self._net = _LiteModel(members.read("face_landmarks_detector.tflite"))

    def _read(self, rgb: NDArray[np.uint8], crop: MeshCrop) -> MeshResult:
        crop_to_frame = crop.crop_to_frame()
        cut = cv2.warpAffine(
            rgb,
            crop_to_frame,
            (SIDE, SIDE),
            flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP,
            borderMode=cv2.BORDER_REPLICATE,
        )
        out = self._net((cut.astype(np.float32) / 255)[None])
        points = out["Identity"].reshape(478, 3).astype(np.float64)
        logit = float(out["Identity_1"].reshape(-1)[0])
        flat = points[:, :2] @ crop_to_frame[:, :2].T + crop_to_frame[:, 2]
        deep = points[:, 2:] * (crop.side / SIDE)
        mesh = np.concatenate([flat, deep], axis=1).astype(np.float32)
        return MeshResult(mesh, 1 / (1 + math.exp(-min(max(logit, -60.0), 60.0))))

    def _read_twice(self, rgb: NDArray[np.uint8], found: Detection) -> MeshResult | None:
        first = self._read(rgb, MeshCrop.from_detection(found))
        if not np.isfinite(first.points).all():
            return None
        result = self._read(rgb, MeshCrop.from_mesh(first.points))
        return result if np.isfinite(result.points).all() else None

    def __call__(self, rgb: NDArray[np.uint8], found: Detection) -> MeshResult | None:
        """Return the mesh of a detected face, read twice (the second time from its own crop).

        None when the network does not believe in the face, or when a weak detection and the mesh
        disagree on where eyes, nose and mouth are.
        """
        result = self._read_twice(rgb, found)
        if result is None or result.presence < PRESENCE_MIN:
            return None
        if found.score < SURE_SCORE and _disagreement(result, found) > AGREEMENT_MAX:
            return None
        return result

    def uprightness(self, rgb: NDArray[np.uint8], found: Detection) -> float:
        """Return how much speaks for a face that stands upright in this picture, 0..1.

        The detector's score alone does not: it gives faces upside down up to 0.91, with its points
        laid upright. There the mesh network is unsure, or sees eyes, nose and mouth elsewhere.
        So all three count: score, presence, and how well mesh and detector agree.
        """
        result = self._read_twice(rgb, found)
        if result is None:
            return 0.0
        agreement = max(0.0, 1.0 - _disagreement(result, found) / AGREEMENT_MAX)
        return found.score * result.presence * agreement


def _disagreement(result: MeshResult, found: Detection) -> float:
    """Return how far mesh and detector are apart on eyes, nose and mouth, in longer box sides."""
    apart = result.points[list(AGREEMENT_POINTS), :2] - found.points
    return float(np.linalg.norm(apart, axis=1).mean() / max(found.box[2:]))


class LargestFace:
    """Finds and meshes the face that fills most of a picture."""

    def __init__(self) -> None:
        self._detector, self._mesh = FaceDetector(), FaceMesh()

    def __call__(self, rgb: NDArray[np.uint8]) -> NDArray[np.float32] | None:
        """Return the mesh (478, 3) of a picture (H, W, 3), in its pixels; None without a face."""
        face = self.detect(rgb)
        return None if face is None else face[0]

    def detect(self, rgb: NDArray[np.uint8]) -> tuple[NDArray[np.float32], Detection] | None:
        """Return the mesh and what the face detector found there; None without a face."""
        face = max(self._detector(rgb), key=lambda f: f.box[2] * f.box[3], default=None)
        result = None if face is None else self._mesh(rgb, face)
        return None if face is None or result is None else (result.points, face)


class Expression:
    """52 blendshape coefficients of a mesh, 0..1; index 0 is neutral. One per thread."""

    def __init__(self) -> None:
        with bundle() as members:
            self._net = _LiteModel(members.read("face_blendshapes.tflite"))

    def __call__(self, mesh: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return (52,) float32 for a (478, 3) mesh in frame pixels."""
        x = np.ascontiguousarray(mesh[None, EXPRESSION_POINTS, :2], np.float32)
        return next(iter(self._net(x).values())).reshape(52)


@dataclass(frozen=True, eq=False)
class CanonicalFace:
    """The canonical mesh: centimetres, x to the subject's left, y up, z towards the camera.

    Attributes
    ----------
    vertices : (468, 3) float64
    triangles : (898, 3) int32
        They fill a disc: eyes and mouth are not holes.
    pose_weights : (468,) float64
        Weight of each vertex when the head pose is fitted.
    """

    vertices: NDArray[np.float64]
    triangles: NDArray[np.int32]
    pose_weights: NDArray[np.float64]


@functools.cache
def canonical_face() -> CanonicalFace:
    """Return the canonical face inside the model bundle."""
    with bundle() as members:
        message = members.read("geometry_pipeline_metadata_landmarks.binarypb")
    floats: list[float] = []
    triangles: list[int] = []
    weights = np.zeros(468)
    for _, part in _messages(message):
        inner = _fields(part)
        if {3, 4} <= inner.keys():  # 3 = vertices as x y z u v, 4 = triangle corners
            for block in inner[3]:
                floats += struct.unpack(f"<{len(block) // 4}f", block)
            for block in inner[4]:
                triangles += list(_varints(block))
        elif 2 in inner and inner.keys() <= {1, 2}:  # one weighted point of the pose basis
            # protobuf leaves a field out when its value is 0
            index = next(_varints(inner[1][0])) if 1 in inner else 0
            weights[index] = struct.unpack("<f", inner[2][0])[0]
    table = np.array(floats, np.float64)
    if table.size != 468 * 5 or len(triangles) != 898 * 3:
        raise ModelError(
            "the canonical mesh has an unexpected size", phrase("{n} numbers", n=table.size)
        )
    return CanonicalFace(
        table.reshape(468, 5)[:, :3], np.array(triangles, np.int32).reshape(898, 3), weights
    )


def _varint(data: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = data[at]
        at += 1
        value |= (byte & 127) << shift
        shift += 7
        if byte < 128:
            return value, at


def _varints(data: bytes) -> Iterator[int]:
    at = 0
    while at < len(data):
        value, at = _varint(data, at)
        yield value


def _messages(data: bytes) -> Iterator[tuple[int, bytes]]:
    """Yield number and bytes of each length-delimited field of a protobuf message."""
    for number, parts in _fields(data, length_delimited_only=True).items():
        for part in parts:
            yield number, part


def _fields(data: bytes, *, length_delimited_only: bool = False) -> dict[int, list[bytes]]:
    """Return the raw bytes of each field; just enough protobuf for the geometry file."""
    at = 0
    fields: dict[int, list[bytes]] = {}
    while at < len(data):
        tag, at = _varint(data, at)
        number, wire = tag >> 3, tag & 7
        start = at
        if wire == 0:
            _, at = _varint(data, at)
        elif wire == 2:
            size, start = _varint(data, at)
            at = start + size
        elif wire in (1, 5):
            at += 8 if wire == 1 else 4
        else:
            raise ModelError(
                "unexpected field in the geometry file", phrase("wire type {wire}", wire=wire)
            )
        if wire == 2 or not length_delimited_only:
            fields.setdefault(number, []).append(data[start:at])
    return fields


def head_pose(mesh: NDArray[np.floating]) -> tuple[float, float, float]:
    """Return yaw, pitch and roll of a (478, 3) mesh in degrees, by weighted Procrustes.

    Weak perspective: a few degrees off a full camera model, so show whole degrees. Yaw > 0 = nose
    towards the right of the picture, pitch > 0 = nose up, roll > 0 = clockwise in the picture.
    """
    face = canonical_face()
    weights = (face.pose_weights / face.pose_weights.sum())[:, None]
    seen = mesh[:468].astype(np.float64) * (1.0, -1.0, -1.0)  # y up, z towards the camera
    a = face.vertices - (weights * face.vertices).sum(axis=0)
    b = seen - (weights * seen).sum(axis=0)
    u, _, vt = np.linalg.svd((weights * a).T @ b)
    r = vt.T @ np.diag([1, 1, np.sign(np.linalg.det(vt.T @ u.T))]) @ u.T
    return (
        math.degrees(math.atan2(r[0, 2], r[2, 2])),
        math.degrees(math.asin(max(-1.0, min(1.0, r[1, 2])))),
        -math.degrees(math.atan2(r[1, 0], r[1, 1])),
    )
