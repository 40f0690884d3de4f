"""The ten players of the region game, painted from the mesh.

Each facial region is a set of the canonical mesh's 898 triangles, decided once, so a region follows
pose and expression and borders never gap. `contour` is a band along the outline of the mesh, where
swaps leave their seam; `background` is the rest of the crop.
"""

from __future__ import annotations

import functools
import hashlib
import heapq
import math
from itertools import pairwise

import cv2
import numpy as np
from numpy.typing import NDArray

from toolkit.errors import ModelError
from toolkit.faces.mesh import canonical_face
from toolkit.types import REGIONS

DEFINITION = "players/1"
"""Version of the definition; stored with a report, because its shares depend on it."""

CONTOUR_OUTSIDE, CONTOUR_INSIDE = 0.10, 0.03
"""How far the contour band reaches out of and into the mesh, in widths of the face oval."""

# Closed rings of mesh points (MediaPipe FaceMesh topology, Apache-2.0).
# fmt: off
OVAL = (10, 338, 297, 332, 284, 251, 389, 356, 454, 323, 361, 288, 397, 365, 379, 378, 400, 377,
        152, 148, 176, 149, 150, 136, 172, 58, 132, 93, 234, 127, 162, 21, 54, 103, 67, 109)
LIPS = (61, 146, 91, 181, 84, 17, 314, 405, 321, 375, 291, 409, 270, 269, 267, 0, 37, 39, 40, 185)
RIGHT_EYE = (33, 7, 163, 144, 145, 153, 154, 155, 133, 173, 157, 158, 159, 160, 161, 246)
LEFT_EYE = (263, 249, 390, 373, 374, 380, 381, 382, 362, 398, 384, 385, 386, 387, 388, 466)
RIGHT_BROW = (46, 53, 52, 65, 55, 107, 66, 105, 63, 70)
LEFT_BROW = (276, 283, 282, 295, 285, 336, 296, 334, 293, 300)
NOSE = (168, 193, 245, 128, 114, 217, 198, 209, 49, 64, 98, 97, 2, 326, 327, 294, 278, 279, 429,
        420, 437, 343, 357, 465, 417)
# fmt: on
_WALLS = ((70, 162), (300, 389), (57, 58), (287, 288))  # brow tail - temple, mouth corner - jaw

# (player, ring of points, rings of neighbours added); later lines win where they overlap.
_ORGANS = (
    ("mouth", LIPS, 2),
    ("right_eye", RIGHT_EYE, 3),
    ("left_eye", LEFT_EYE, 3),
    ("nose", NOSE, 0),
    ("right_eye", RIGHT_BROW, 0),
    ("left_eye", LEFT_BROW, 0),
)
_FLOODS = (("forehead", 10), ("right_cheek", 50), ("left_cheek", 280), ("chin_jaw", 152))
_LABELS_SHA256 = "f2733829cdb29664272f18a1101c2ce5078fecb3b8adb1876be7b82b56c23a0e"


@functools.cache
def triangle_players() -> NDArray[np.uint8]:
    """Return the player of each of the 898 triangles: (898,) uint8, indices into `REGIONS`."""
    face = canonical_face()
    vertices, triangles = face.vertices, face.triangles.tolist()
    near: list[set[int]] = [set() for _ in vertices]
    for a, b, c in triangles:
        near[a] |= {b, c}
        near[b] |= {a, c}
        near[c] |= {a, b}

    def grown(ring: tuple[int, ...], times: int) -> set[int]:
        outline = vertices[list(ring), :2].astype(np.float32).reshape(-1, 1, 2)
        inside = {
            i
            for i, (x, y, _) in enumerate(vertices.tolist())
            if cv2.pointPolygonTest(outline, (x, y), False) >= 0
        } | set(ring)
        for _ in range(times):
            inside |= set().union(*(near[i] for i in inside))
        return inside

    unset = len(REGIONS)
    labels = np.full(len(triangles), unset, np.uint8)
    for region, ring, times in _ORGANS:
        points = grown(ring, times)
        labels[[points.issuperset(t) for t in triangles]] = REGIONS.index(region)

    walls = {
        frozenset(edge)
        for start, end in _WALLS
        for edge in pairwise(_shortest_path(vertices, near, start, end))
    }
    owners: dict[frozenset[int], list[int]] = {}
    for k, t in enumerate(triangles):
        for edge in _edges(t):
            owners.setdefault(edge, []).append(k)
    for region, seed in _FLOODS:
        stack = [k for k, t in enumerate(triangles) if seed in t and labels[k] == unset]
        while stack:
            k = stack.pop()
            if labels[k] != unset:
                continue
            labels[k] = REGIONS.index(region)
            for edge in _edges(triangles[k]):
                if edge not in walls:
                    stack += [n for n in owners[edge] if labels[n] == unset]
    while (labels == unset).any():  # enclosed leftovers join the neighbour they touch most
        for k in np.flatnonzero(labels == unset).tolist():
            around = [
                int(labels[n])
                for edge in _edges(triangles[k])
                for n in owners[edge]
                if labels[n] != unset
            ]
            if around:
                labels[k] = max(sorted(set(around)), key=around.count)
    if hashlib.sha256(labels.tobytes()).hexdigest() != _LABELS_SHA256:
        raise ModelError(
            "the regions of the canonical mesh are not those of this version",
            DEFINITION,
            "Saved reports would not be comparable: run 'python start.py setup' again.",
        )
    return labels


def _edges(triangle: list[int]) -> tuple[frozenset[int], ...]:
    a, b, c = triangle
    return frozenset((a, b)), frozenset((b, c)), frozenset((c, a))


def _shortest_path(
    vertices: NDArray[np.float64], near: list[set[int]], start: int, end: int
) -> list[int]:
    """Return the vertices on the shortest way along mesh edges (Dijkstra)."""
    best, queue = {start: (0.0, -1)}, [(0.0, start)]
    while queue:
        distance, at = heapq.heappop(queue)
        if at == end:
            break
        for other in near[at]:
            length = distance + float(np.linalg.norm(vertices[at] - vertices[other]))
            if length < best.get(other, (math.inf, -1))[0]:
                best[other] = (length, at)
                heapq.heappush(queue, (length, other))
    way = [end]
    while way[-1] != start:
        way.append(best[way[-1]][1])
    return way


def region_map_of(mesh: NDArray[np.floating], size: int) -> NDArray[np.uint8]:
    """Paint which player each pixel of a square crop belongs to.

    Parameters
    ----------
    mesh : (478, 3)
        Face mesh in pixels of the crop.
    size
        Side of the crop in pixels.

    Returns
    -------
    (size, size) uint8
        Indices into `REGIONS`. Triangles are painted far to near, so at strong yaw the nose hides
        the far cheek.
    """
    background, contour = REGIONS.index("background"), REGIONS.index("contour")
    face = canonical_face()
    out = np.full((size, size), background, np.uint8)
    # 4 fractional bits keep neighbours gap-free at small sizes
    corners = np.rint(mesh[:468, :2] * 16).astype(np.int32)[face.triangles]
    depth = mesh[:468, 2][face.triangles].mean(axis=1)
    region_map = triangle_players()
    for i in np.argsort(-depth, kind="stable"):
        cv2.fillConvexPoly(out, corners[i], int(region_map[i]), shift=4)
    inside = (out != background).astype(np.uint8)
    width = float(np.ptp(mesh[list(OVAL), 0]))
    band = cv2.dilate(inside, _disc(CONTOUR_OUTSIDE * width))
    core = cv2.erode(inside, _disc(CONTOUR_INSIDE * width), borderValue=1)
    out[(band > 0) & (core == 0)] = contour
    return out


def _disc(radius: float) -> NDArray[np.uint8]:
    side = 2 * max(1, round(radius)) + 1
    kernel: NDArray[np.uint8] = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (side, side))
    return kernel
