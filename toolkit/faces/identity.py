"""Tell whether two faces are likely the same person: SFace 2021dec (OpenCV Zoo, Apache-2.0).

Embeddings are biometric data: they are used for grouping within one run and never stored.
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from toolkit import models

SAME_PERSON_MIN = 0.363  # cosine; OpenCV's published threshold for this network
HEIGHT_MIN = 40.0  # px; below it the embedding says little (measured on reduced LFW pairs)

# Where the five points belong in the 112 x 112 picture that the network expects.
_TEMPLATE = np.array(
    [
        [38.2946, 51.6963],
        [73.5318, 51.5014],
        [56.0252, 71.7366],
        [41.5493, 92.3655],
        [70.7299, 92.2041],
    ]
)


def similarity_transform(
    source: NDArray[np.float64], target: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Return the 2x3 least-squares rotation, one scale and shift that takes points to points.

    Umeyama's closed form (doi:10.1109/34.88573).
    """
    mean_s, mean_t = source.mean(axis=0), target.mean(axis=0)
    u, singular, vt = np.linalg.svd((target - mean_t).T @ (source - mean_s))
    sign = np.array([1.0, np.sign(np.linalg.det(u @ vt))])
    scale = (singular * sign).sum() / ((source - mean_s) ** 2).sum()
    turn = u @ np.diag(sign) @ vt * scale
    return np.column_stack([turn, mean_t - turn @ mean_s])


def face_signature(rgb: NDArray[np.uint8], points: NDArray[np.float64]) -> NDArray[np.float32]:
    """Return a coarse picture of a face as one unit vector: 16 x 16, grey, without its mean.

    The dot product of two is their correlation. It is a fiftieth of the work of an embedding.
    """
    face = cv2.warpAffine(rgb, similarity_transform(points, _TEMPLATE), (112, 112))
    grey = cv2.cvtColor(face, cv2.COLOR_RGB2GRAY)
    small = cv2.resize(grey, (16, 16), interpolation=cv2.INTER_AREA).astype(np.float32).ravel()
    small -= small.mean()
    return np.asarray(small / max(float(np.linalg.norm(small)), 1e-6), np.float32)


class Identity:
    """The embedding network. Not thread-safe: one per thread."""

    def __init__(self) -> None:
        model = np.frombuffer(models.load_bytes("face_identity"), np.uint8)
        self._net = cv2.dnn.readNetFromONNX(model)

    def __call__(self, rgb: NDArray[np.uint8], points: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return a unit vector of 128 numbers for the face with these five points."""
        to_template = similarity_transform(points, _TEMPLATE)
        face = cv2.warpAffine(rgb, to_template, (112, 112))
        # The network reads RGB; the picture already is.
        self._net.setInput(cv2.dnn.blobFromImage(face, 1.0, (112, 112)), "data")
        vector: NDArray[np.float64] = self._net.forward()[0].astype(np.float64)
        return vector / max(float(np.linalg.norm(vector)), 1e-12)
