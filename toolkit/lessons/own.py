"""Forge a part of a sample, ask the detector about it, and hold both maps side by side."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from toolkit import figures, samples
from toolkit.analysis.pipeline import examine
from toolkit.errors import VideoError
from toolkit.explain import ledger
from toolkit.figures.lessons import outlined
from toolkit.forge.plant import forged_mask, plant
from toolkit.types import KeyFrame, Report, Sampling, Tick, TrackResult, no_tick

SECONDS = 3.0
SHOTS = 3


@dataclass(frozen=True, eq=False)
class Shot:
    """One frame: face, heat map over it and true mask over it, (S, S, 3) uint8 each.

    `is_hit` says whether the strongest patch lies inside what was forged; `blind_hit` whether the
    middle of the face does.
    """

    rgb: NDArray[np.uint8]
    heat: NDArray[np.uint8]
    truth: NDArray[np.uint8]
    is_hit: bool
    blind_hit: bool


@dataclass(frozen=True, eq=False)
class OwnForgery:
    """What was made, and what the detector says; `gap` is its evidence minus the threshold."""

    report: Report
    result: TrackResult
    gap: float
    shots: tuple[Shot, ...]


def forge_and_ask(
    name: str,
    *,
    region: str,
    kind: str = "blend",
    strength: float = 3.0,
    start_s: float = 1.0,
    tick: Tick = no_tick,
) -> OwnForgery:
    """Forge a part of a stretch of a sample and hear the detector about it. Nothing is kept.

    Parameters
    ----------
    name
        A sample.
    region, kind, strength
        As of `toolkit.forge.plant.plant`.
    start_s
        Where the stretch begins.

    Raises
    ------
    VideoError
        If no face is found.
    """
    end_s = start_s + SECONDS
    with tempfile.TemporaryDirectory(prefix="doorzicht-") as folder:
        clip = Path(folder, "synthetic_lesson.mp4")

        def forging(stage: str, done: int, total: int) -> None:
            tick("forge", done, total)

        plant(
            samples.path(name),
            clip,
            regions=[region],
            start_s=0,
            end_s=SECONDS,
            kind=kind,
            strength=strength,
            keep=(start_s, end_s),
            tick=forging,
        )
        examination = examine(clip, sampling=Sampling(frames=16), tick=tick)
    report = examination.report
    result = figures.speaking(report) or (report.tracks[0] if report.tracks else None)
    if result is None or result.verdict.logit is None:
        raise VideoError("the forged clip shows no face", name, "Choose another clip.")
    crops = examination.crops[result.track.person]
    strongest = np.argsort(-result.evidence.logits, kind="stable")[:SHOTS]
    shots = []
    for at in sorted(strongest.tolist()):
        rgb, size = crops.rgb[at], crops.rgb.shape[1]
        heat = ledger.heat(result.evidence, at)
        mask = forged_mask(crops.mesh[at], (size, size), [region], kind)
        nose = crops.mesh[at, 4, :2]
        shots.append(
            Shot(
                rgb,
                figures.overlay(KeyFrame(at, rgb, heat), figures.strength_at(result, at)),
                outlined(rgb, mask),
                _hits(heat, mask),
                bool(_near(mask, float(nose[0]), float(nose[1]))),
            )
        )
    gap = result.verdict.logit - result.verdict.threshold
    return OwnForgery(report, result, float(gap), tuple(shots))


def _hits(heat: NDArray[np.float32] | None, mask: NDArray[np.float32]) -> bool:
    if heat is None:
        return False
    row, column = np.unravel_index(int(heat.argmax()), heat.shape)
    cell = mask.shape[0] / heat.shape[0]
    return _near(mask, (float(column) + 0.5) * cell, (float(row) + 0.5) * cell)


def _near(mask: NDArray[np.float32], x: float, y: float) -> bool:
    """Return whether a point lies inside a mask or within one patch of it."""
    reach = mask.shape[0] // 14
    grown = cv2.dilate((mask > 0.5).astype(np.uint8), np.ones((reach, reach), np.uint8))
    at = (int(np.clip(y, 0, mask.shape[0] - 1)), int(np.clip(x, 0, mask.shape[1] - 1)))
    return bool(grown[at])
