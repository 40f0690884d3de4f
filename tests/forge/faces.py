"""Faces without pictures, and meshes turned in space, for tests of the forge lab."""

from __future__ import annotations

import numpy as np

from toolkit.faces.mesh import canonical_face
from toolkit.forge.expression import BLENDSHAPES, ExpressionFace, ExpressionGallery


def face(coefficients, pose=(0.0, 0.0, 0.0), *, index=0):
    """Return a face that can be searched only."""
    return ExpressionFace(
        np.zeros((0, 0, 3), np.uint8),
        np.zeros((478, 3), np.float32),
        np.asarray(coefficients, np.float32),
        tuple(float(p) for p in pose),
        f"face {index}",
        index,
    )


def gallery(coefficients, poses=None, *, is_clip=False):
    """Return a gallery of faces that can be searched only."""
    poses = np.zeros((len(coefficients), 3)) if poses is None else poses
    faces = tuple(
        face(c, p, index=i) for i, (c, p) in enumerate(zip(coefficients, poses, strict=True))
    )
    return ExpressionGallery(faces, is_clip, ("0" * 64,), "made up")


def coefficients(n, *, seed=0):
    """Return (n, 52) random coefficients."""
    return np.random.default_rng(seed).random((n, len(BLENDSHAPES))).astype(np.float32)


def mesh(*, width=120.0, centre=(150.0, 150.0), yaw=0.0):
    """Return a (478, 3) mesh of the canonical face, turned by `yaw` degrees."""
    points = canonical_face().vertices.copy()
    points -= points.mean(axis=0)
    angle = np.radians(yaw)
    turn = np.array(
        [[np.cos(angle), 0, np.sin(angle)], [0, 1, 0], [-np.sin(angle), 0, np.cos(angle)]]
    )
    points = points @ turn.T * (1, -1, -1)
    scale = width / np.ptp(canonical_face().vertices[:, 0])
    out = np.zeros((478, 3), np.float32)
    out[:468] = points * scale
    out[:, :2] += centre
    out[468:] = out[:1]
    return out


def picture(size=300, *, seed=0):
    """Return a smooth random picture in which each place looks different."""
    import cv2

    noise = np.random.default_rng(seed).random((size // 10, size // 10, 3)).astype(np.float32)
    return np.rint(cv2.resize(noise, (size, size), interpolation=cv2.INTER_LINEAR) * 255).astype(
        np.uint8
    )
