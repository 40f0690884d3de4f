"""Find faces: YuNet 2023mar (OpenCV Zoo, MIT) through OpenCV's own wrapper."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from toolkit import models

SCORE_MIN = 0.6  # published default of the wrapper
NMS_IOU = 0.3
LONG_SIDE = 640  # the network was made for faces of about 10-300 px; close-ups must be shrunk

cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_ERROR)  # OpenCV 5 warns at every load


@dataclass(frozen=True, eq=False)
class Detection:
    """One detected face, in pixels of the picture that was given.

    Attributes
    ----------
    box : (4,) float64
        x, y, width, height; may leave the picture.
    points : (5, 2) float64
        Right eye, left eye, nose tip, right and left mouth corner (the subject's sides).
    score
        0..1.
    """

    box: NDArray[np.float64]
    points: NDArray[np.float64]
    score: float


class FaceDetector:
    """YuNet, loaded from verified bytes. Not thread-safe: one per thread."""

    def __init__(self) -> None:
        model = np.frombuffer(models.load_bytes("face_detector"), np.uint8)
        # Bytes instead of a path keep folders with non-ASCII names away from OpenCV.
        self._net = cv2.FaceDetectorYN.create(
            "onnx", model, np.empty(0, np.uint8), (320, 320), SCORE_MIN, NMS_IOU, 5000
        )

    def __call__(self, rgb: NDArray[np.uint8], *, long_side: int = LONG_SIDE) -> list[Detection]:
        """Return the faces of an (H, W, 3) RGB picture, best score first.

        The picture is shrunk to `long_side` for the search, never enlarged.
        """
        height, width = rgb.shape[:2]
        scale = min(1.0, long_side / max(height, width))
        size = (max(1, round(width * scale)), max(1, round(height * scale)))
        small = cv2.resize(rgb, size, interpolation=cv2.INTER_AREA) if scale < 1 else rgb
        self._net.setInputSize(size)
        _, rows = self._net.detect(cv2.cvtColor(small, cv2.COLOR_RGB2BGR))
        if rows is None:
            return []
        detections = rows.astype(np.float64)
        detections = detections[np.isfinite(detections).all(axis=1)]
        detections[:, 0:14:2] *= width / size[0]
        detections[:, 1:14:2] *= height / size[1]
        detections = detections[np.argsort(-detections[:, 14], kind="stable")]
        return [Detection(r[:4], r[4:14].reshape(5, 2), float(r[14])) for r in detections]


def iou(a: NDArray[np.float64], b: NDArray[np.float64]) -> float:
    """Return the intersection over union of two boxes x, y, width, height; 0..1.

    Examples
    --------
    >>> iou(np.array([0.0, 0, 2, 2]), np.array([1.0, 0, 2, 2]))
    0.3333333333333333
    """
    overlap = np.minimum(a[:2] + a[2:], b[:2] + b[2:]) - np.maximum(a[:2], b[:2])
    inter = float(np.prod(np.maximum(overlap, 0)))
    union = float(a[2] * a[3] + b[2] * b[3]) - inter
    return inter / union if union > 0 else 0.0
