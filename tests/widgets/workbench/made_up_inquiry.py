"""A person with a green mouth in some frames, and a detector of green: no network, no video."""

from __future__ import annotations

import time
from pathlib import Path

import numpy as np

from tests.fakes import front_mesh
from tests.widgets import made_up
from toolkit.detectors.base import Card, InputSpec
from toolkit.explain import ledger
from toolkit.faces.regions import region_map_of
from toolkit.types import (
    REGIONS,
    Aggregate,
    Evidence,
    Examination,
    FaceCrops,
    FaceTrack,
    KeyFrame,
    PatchHead,
    Report,
    TrackResult,
    Verdict,
)
from toolkit.verdict.aggregate import aggregate, frame_logits, patch_logits

SIZE, GRID, FRAMES = 112, 7, 8
GREEN = (3, 4, 5)  # the frames with a green mouth
THRESHOLD = 0.0
MOUTH = REGIONS.index("mouth")


def picture(region_map: np.ndarray, seed: int, *, green: bool) -> np.ndarray:
    """Return a drawn face with camera noise; the mouth is green on request."""
    rng = np.random.default_rng(seed)
    tones = rng.integers(-6, 6, (len(REGIONS), 1)) + np.array(
        [[170, 90, 90], *[[205, 165, 140]] * 8, [70, 90, 120]]
    )
    if green:
        tones[MOUTH] = (60, 190, 60)
    shaded = tones[region_map] + rng.normal(0, 3, (SIZE, SIZE, 3))
    return np.clip(np.rint(shaded), 0, 255).astype(np.uint8)


def crops(*, green: tuple[int, ...] = GREEN) -> FaceCrops:
    """Return the face of each frame, a little further to the side each time."""
    meshes = [front_mesh(SIZE, shift=(0.4 * k, 0.0)) for k in range(FRAMES)]
    maps = [region_map_of(m, SIZE) for m in meshes]
    return FaceCrops(
        np.stack([picture(m, k, green=k in green) for k, m in enumerate(maps)]),
        np.broadcast_to(np.eye(2, 3), (FRAMES, 2, 3)).copy(),
        np.stack(meshes),
        np.stack(maps),
        *(np.full(FRAMES, v) for v in (80.0, 100.0, 0.0)),
    )


class Green:
    """Finds green paint, tile by tile; waits `pause` seconds at each call."""

    spec = InputSpec(size=SIZE, margin=0.125)
    card = Card("green", "test", "0" * 64, THRESHOLD, "none", ())
    device, batch = "cpu", 4
    head = PatchHead(4.0, 1.0, 0.0, np.full((GRID, GRID), -2, np.float32))

    def __init__(self, pause: float = 0.0) -> None:
        self.pause = pause

    def logits(self, rgb: np.ndarray) -> np.ndarray:
        """Return one logit per picture."""
        return patch_logits(self._patches(rgb), self.head).astype(np.float32)

    def _patches(self, rgb: np.ndarray) -> np.ndarray:
        rgb = rgb.astype(np.float32)
        excess = np.maximum(rgb[..., 1] - rgb[..., 0] - 30, 0) / 20
        tile = SIZE // GRID
        return excess.reshape(len(rgb), GRID, tile, GRID, tile).mean(axis=(2, 4)) - 2

    def evidence(self, given: FaceCrops, *, tick: object = None) -> Evidence:
        """Return one logit and one patch map per crop."""
        time.sleep(self.pause)
        n, patches = len(given.rgb), self._patches(given.rgb)
        logits = patch_logits(patches, self.head).astype(np.float32)
        spans = np.stack([np.arange(n)] * 2, axis=1)
        return Evidence(logits, spans, patches.astype(np.float32), self.head)


def result(given: FaceCrops, person: str = "A", *, explained: bool = True) -> TrackResult:
    """Return the person's result, with the true ledger of `Green`."""
    n = len(given.rgb)
    pts = 0.5 + 0.5 * np.arange(n)
    track = FaceTrack(
        person=person,
        indices=np.arange(n, dtype=np.int64) * 12,
        pts=pts,
        boxes=np.tile([10.0, 10, 80, 90], (n, 1)),
        mesh=given.mesh,
        presence=np.ones(n),
        pose=np.zeros((n, 3)),
        shots=np.zeros(n, np.int64),
        seen=np.array([[0.2, 4.8]]),
        max_score=0.95,
    )
    evidence, rule = Green().evidence(given), Aggregate("top_k", 3)
    logit = aggregate(frame_logits(evidence), rule)
    explanation = None
    if explained:
        explanation = ledger.explain(
            evidence, pts, track.shots, given.region_map, threshold=THRESHOLD, rule=rule
        )
    shown = tuple(KeyFrame(p, given.rgb[p], ledger.heat(evidence, p)) for p in GREEN)
    return TrackResult(track, Verdict(logit, THRESHOLD), rule, evidence, explanation, shown)


def examination(*, green: tuple[int, ...] = GREEN, persons: str = "AB") -> Examination:
    """Return person A with a green mouth, and B, who is as genuine as can be."""
    faces = {p: crops(green=green if p == "A" else ()) for p in persons}
    report: Report = made_up.report(
        *(result(given, p) for p, given in faces.items()), path=str(Path("somebody.mp4"))
    )
    return Examination(report, faces)
