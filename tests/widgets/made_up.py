"""Reports made up by hand, and an analysis that finds made-up persons in real files: no model."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np

from toolkit import media
from toolkit.analysis import cached
from toolkit.analysis.pipeline import Partial, PersonSoFar
from toolkit.detectors.base import InputSpec
from toolkit.messages import Message
from toolkit.storage.cache import Cache
from toolkit.types import (
    PLAYERS,
    Aggregate,
    Evidence,
    Examination,
    Explanation,
    FaceCrops,
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


def track(
    person: str = "A", *, moments: int = 120, seconds: float = 53.5, video: Video | None = None
) -> FaceTrack:
    """Return a track with a cut after a third of its moments, at moments of `video` if given."""
    n = np.arange(moments)
    pts, indices, box = np.linspace(0.2, seconds - 0.2, moments), n * 12, [120.0, 60, 150, 180]
    pts[n >= moments // 3] += 1.5  # absent for a moment
    if video is not None:
        indices = np.linspace(0, len(video.pts) - 1, moments).astype(np.int64)
        pts, box = video.pts[indices], [35.0, 15, 90, 90]
    return FaceTrack(
        person=person,
        indices=indices.astype(np.int64),
        pts=pts,
        boxes=np.tile(box, (moments, 1)),
        mesh=np.zeros((moments, 478, 3), np.float32),
        presence=np.ones(moments),
        pose=np.zeros((moments, 3)),
        shots=(n >= moments // 3).astype(np.int64),
        seen=np.array([[0.0, pts[moments // 3 - 1]], [pts[moments // 3], pts[-1]]]),
        surest=0.95,
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
    video: Video | None = None,
) -> TrackResult:
    """Return a person's result in which `top` carries most, between `start_s` and `end_s`."""
    seen = track(person, moments=moments, video=video)
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
        intervals=(Interval(start_s + 0.1, end_s + 0.2, 0.97),) if forged else (),
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
    reason = Message(
        "face_too_small",
        "The face is too small: its median width is {value:.1f} px, below the limit of {limit:g} "
        "px.",
        {"value": 41.0, "limit": 64.0},
    )
    verdict = Verdict(-0.7, THRESHOLD, abstained=True, reason=reason)
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
            Notice(
                "frames_without_face",
                "{n} of {total} moments looked at are frames without a face.",
                values={"n": 3, "total": 214},
            ),
            Notice("cut", "The picture changes as at a cut.", 17.4),
            *notices,
        ),
        timings={"probe": 0.1},
    )


def clip(path: Path, *, frames: int = 60, per_second: float = 10.0) -> Path:
    """Write a drawn face that moves its mouth: 160 x 120 px, 6 s."""
    pictures = []
    for i in range(frames):
        picture = np.full((120, 160, 3), (200, 205, 210), np.uint8)
        picture[10:110, 30:130] = face(round(6 * np.sin(i / 3)))[::2, ::2][6:106, 6:106]
        pictures.append(picture)
    media.write_h264(path, pictures, np.arange(frames) / per_second)
    return path


def nobody(made: Report) -> Report:
    """Return the report of a clip in which no face was found."""
    reason = Message("no_face", "There is no face in the {n} frames looked at.", {"n": 9})
    verdict = replace(made.verdict, logit=None, abstained=True, reason=reason)
    return replace(made, tracks=(), speaks=None, verdict=verdict, notices=())


def examination(
    video: Video, *, detector: str = "seamnet", forged: bool = True, persons: int = 2
) -> Examination:
    """Return what an analysis of a real file could have found: the persons are made up."""
    middle = float(video.pts[len(video.pts) // 2])
    moments = min(40, len(video.pts))
    tracks = [
        result(forged=forged, start_s=middle, end_s=middle + 1, moments=moments, video=video),
        in_video(abstained(), video),
        result("C", forged=False, moments=moments, video=video),
    ][:persons]
    made = report(*tracks, path=str(video.path))
    settings = made.settings | {"detector": made.settings["detector"] | {"name": detector}}
    found = replace(made, video=video, settings=settings)
    return Examination(found, {r.track.person: crops(r.track) for r in tracks})


def in_video(made: TrackResult, video: Video) -> TrackResult:
    """Return the same result at moments that lie in a video."""
    seen = track(made.track.person, moments=len(made.track.pts), video=video)
    return replace(made, track=seen)


def crops(seen: FaceTrack, *, size: int = 32) -> FaceCrops:
    """Return the drawn face at each moment of a track, cut to `size` pixels."""
    n = len(seen.pts)
    step = 224 // size
    boxes = seen.boxes
    to_frame = np.zeros((n, 2, 3))
    to_frame[:, 0, 0], to_frame[:, 0, 2] = boxes[:, 2] / size, boxes[:, 0]
    to_frame[:, 1, 1], to_frame[:, 1, 2] = boxes[:, 3] / size, boxes[:, 1]
    players = np.full((size, size), PLAYERS.index("contour"), np.uint8)
    players[: size // 3] = PLAYERS.index("forehead")
    players[2 * size // 3 :] = PLAYERS.index("mouth")
    return FaceCrops(
        rgb=np.stack([face(i % 5)[::step, ::step] for i in range(n)]),
        to_frame=to_frame,
        mesh=np.zeros((n, 478, 3), np.float32),
        players=np.tile(players, (n, 1, 1)),
        face_width=np.full(n, 90.0),
        sharpness=np.full(n, 200.0),
        padding=np.zeros(n),
    )


def examine(
    *,
    error: Exception | None = None,
    steps: int = 20,
    pause: float = 0,
    gate: Path | None = None,
    forged: bool = True,
    persons: int = 2,
    change: Callable[[Report], Report] = lambda made: made,
) -> Callable[..., Examination]:
    """Return a stand-in for `analysis.examine`: real files and cache, made-up persons.

    It ticks `steps` times per stage, tells what is known so far, and keeps its results. While the
    file `gate` exists it goes no further than the middle of the detector's work.
    """

    def made_examine(
        path: Path | str,
        *,
        detector: str = "seamnet",
        sampling: Sampling | None = None,
        cache: Cache | None = None,
        on_partial: Callable[[Partial], None] | None = None,
        tick: Tick = no_tick,
    ) -> Examination:
        video = media.probe(path, tick=tick)
        known = None
        if cache is not None:
            known = cached.Recall(
                cache,
                video.sha256,
                detector=detector,
                device="cpu",
                sampling=sampling or Sampling(),
                explain=True,
                seed=0,
            )
            if found := known.report(video.path):
                return Examination(*found, known.report_name)
        made = examination(video, detector=detector, forged=forged, persons=persons)
        made = replace(made, report=change(made.report))
        for stage in ("hash", "probe", "scan", "faces", "detect", "explain"):
            for i in range(steps):
                if stage == "detect" and on_partial:
                    on_partial(so_far(made, i / steps))
                tick(stage, i, steps)
                time.sleep(pause)
                while stage == "detect" and i == steps // 2 and gate and gate.exists():
                    tick(stage, i, steps)
                    time.sleep(0.05)
        if error is not None:
            raise error
        if known is None:
            return made
        pairs = tuple((r.track, made.crops[r.track.person]) for r in made.report.tracks)
        known.keep_faces(InputSpec(224, 0.125), cached.Faces(pairs, ()))
        name = known.keep_report(made.report, cached.Faces(pairs, ()), InputSpec(224, 0.125))
        return replace(made, entry=name)

    return made_examine


def so_far(made: Examination, part: float) -> Partial:
    """Return what would be known when `part` (0..1) of the moments are judged."""
    persons = tuple(
        PersonSoFar(
            r.track.person,
            r.track.seen,
            r.track.pts,
            r.track.shots,
            r.evidence.logits[: int(part * len(r.track.pts))],
            made.crops[r.track.person].rgb[0],
        )
        for r in made.report.tracks
    )
    return Partial(made.report.video, THRESHOLD, persons)
