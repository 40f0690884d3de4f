"""Reports made up by hand, and an analysis that returns one: no model, no video."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np

from toolkit.types import (
    PLAYERS,
    Aggregate,
    Evidence,
    Explanation,
    FaceTrack,
    Interval,
    KeyFrame,
    Notice,
    Report,
    Sampling,
    Tick,
    TrackResult,
    Verdict,
    Video,
    no_tick,
)

THRESHOLD = 0.5
REFERENCE = -3.0
K = 4


def track(person: str = "A", *, moments: int = 120, seconds: float = 53.5) -> FaceTrack:
    """Return a track with a cut after a third of its moments."""
    pts = np.linspace(0.2, seconds - 0.2, moments)
    n = np.arange(moments)
    pts[n >= moments // 3] += 1.5  # absent for a moment
    return FaceTrack(
        person=person,
        indices=(n * 12).astype(np.int64),
        pts=pts,
        boxes=np.tile([120.0, 60, 150, 180], (moments, 1)),
        mesh=np.zeros((moments, 478, 3), np.float32),
        presence=np.ones(moments),
        pose=np.zeros((moments, 3)),
        shots=(n >= moments // 3).astype(np.int64),
        seen=np.array([[0.0, pts[moments // 3 - 1]], [pts[moments // 3], pts[-1]]]),
    )


def face(shift: int = 0) -> np.ndarray:
    """Return a drawn face: (224, 224, 3) uint8."""
    y, x = np.mgrid[:224, :224]
    picture = np.full((224, 224, 3), (60, 90, 120), np.uint8)
    picture[((x - 112) / 75) ** 2 + ((y - 115) / 95) ** 2 < 1] = (222, 184, 150)
    for cx in (82, 142):
        picture[((x - cx) / 14) ** 2 + ((y - 95) / 8) ** 2 < 1] = (40, 30, 30)
    picture[((x - 112) / 30) ** 2 + ((y - 165 - shift) / 10) ** 2 < 1] = (150, 60, 60)
    return picture


def heat(row: int = 10) -> np.ndarray:
    """Return patch evidence around the mouth: (14, 14) float32 whose sizes sum to 1."""
    y, x = np.mgrid[:14, :14]
    values = np.exp(-(((x - 6.5) / 1.6) ** 2) - ((y - row) / 1.0) ** 2) - 0.05
    return (values / np.abs(values).sum()).astype(np.float32)


def result(
    person: str = "A",
    *,
    forged: bool = True,
    top: str = "mouth",
    start_s: float = 25.5,
    end_s: float = 28.0,
    moments: int = 120,
) -> TrackResult:
    """Return a person's result in which `top` carries most, between `start_s` and `end_s`."""
    seen = track(person, moments=moments)
    rng = np.random.default_rng(7)
    logits = (-1.5 + 0.4 * rng.standard_normal(moments)).astype(np.float32)
    if forged:
        logits[(seen.pts >= start_s) & (seen.pts <= end_s)] += 5
    highest = np.argsort(-logits)[:K]
    logit = float(logits[highest].astype(np.float64).mean())
    phi = np.zeros(moments)
    phi[highest] = (logits[highest].astype(np.float64) - REFERENCE) / K
    weights = np.full(len(PLAYERS), 0.04)
    weights[PLAYERS.index("background")] = -0.06
    weights[PLAYERS.index(top)] = 0.7
    shares = phi[:, None] * weights
    unsplit = phi - shares.sum(axis=1)
    explanation = Explanation(
        reference_kind="training_median",
        reference_logit=REFERENCE,
        reference_valid=True,
        frame_shares=phi,
        shares=shares,
        unsplit=unsplit,
        intervals=(Interval(25.6, 28.2, 0.97),) if forged else (),
        residual=float(logit - REFERENCE - phi.sum()),
    )
    spots = sorted(highest.tolist())
    return TrackResult(
        track=seen,
        verdict=Verdict(logit, THRESHOLD),
        aggregate=Aggregate("top_k", K),
        evidence=Evidence(logits, np.stack([np.arange(moments)] * 2, axis=1).astype(np.int64)),
        explanation=explanation,
        key_frames=tuple(KeyFrame(p, face(i), heat()) for i, p in enumerate(spots)),
    )


def abstained(person: str = "B") -> TrackResult:
    """Return a person about whom nothing is said."""
    reason = "The face is too small: its median width is 41.0 px, below the limit of 64 px."
    verdict = Verdict(-0.7, THRESHOLD, abstained=True, reason=reason, reason_code="face_too_small")
    return replace(
        result(person, forged=False, moments=20), verdict=verdict, explanation=None, key_frames=()
    )


def report(
    *tracks: TrackResult, path: str = "samples/planted_cap12.mp4", notices: tuple[Notice, ...] = ()
) -> Report:
    """Return a report; without tracks given, A is called forged and B is too small."""
    tracks = tracks or (result(), abstained())
    given = [r for r in tracks if not r.verdict.abstained]
    speaker = max(given, key=lambda r: r.verdict.logit) if given else None
    pts = np.arange(0, 53.5, 1 / 25)
    return Report(
        video=Video(
            path=Path(path),
            sha256="ab" * 32,
            bytes=1_234_567,
            width=400,
            height=300,
            codec="h264",
            duration_s=53.5,
            frames_declared=len(pts),
            pts=pts,
            keyframes=np.zeros(1, np.int64),
        ),
        settings={
            "toolkit": "0.1.0",
            "seed": 0,
            "device": "cpu",
            "sampling": Sampling().to_dict(),
            "aggregate": {"name": "top_k", "k": K},
            "detector": {
                "name": "seamnet",
                "weights_sha256": "cd" * 32,
                "threshold": THRESHOLD,
            },
            "players": "players/1",
        },
        tracks=tracks,
        verdict=speaker.verdict if speaker else tracks[0].verdict,
        speaks=speaker.track.person if speaker else None,
        notices=(
            Notice("frames_without_face", "3 of 214 moments looked at are frames without a face."),
            Notice("cut", "The picture changes as at a cut.", 17.4),
            *notices,
        ),
        timings={"probe": 0.1},
    )


def analysis(
    *, made: Report | None = None, error: Exception | None = None, steps: int = 20, pause: float = 0
) -> Callable[..., Report]:
    """Return a stand-in for `toolkit.analysis.analyse` that ticks `steps` times per stage."""

    def analyse(
        path: Path | str, *, sampling: Sampling | None = None, tick: Tick = no_tick, **_: object
    ) -> Report:
        for stage in ("hash", "probe", "scan", "faces", "detect", "explain"):
            for i in range(steps):
                tick(stage, i, steps)
                time.sleep(pause)
        if error is not None:
            raise error
        return made or report(path=str(path))

    return analyse
