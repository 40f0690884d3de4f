"""A made-up clip whose pixels say which frame they are, and a made-up analysis of it.

The lower edge of every picture carries its frame number as a bar code, so that what is really on
screen can be read back. Two drawn faces: A moves, its mouth is 'forged' for a while and it is away
for a moment; B stands still and is too small to judge. The evidence is made up, all that follows
from it (shares, regions, intervals) comes from the toolkit's own functions.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from toolkit import media
from toolkit.explain import ledger
from toolkit.faces.crops import CropCollector, InputSpec
from toolkit.faces.mesh import canonical_face
from toolkit.faces.regions import OVAL
from toolkit.media.display import DisplayCopy, display_copy
from toolkit.types import (
    REGIONS,
    Aggregate,
    Evidence,
    FaceCrops,
    FaceTrack,
    KeyFrame,
    Notice,
    PatchHead,
    Report,
    Sampling,
    TrackResult,
    Verdict,
    Video,
)
from toolkit.verdict.aggregate import aggregate, frame_logits, patch_logits

WIDTH, HEIGHT, BITS, BAR = 640, 360, 10, 20
GAPS_MS = (40, 40, 80, 40, 120)
THRESHOLD, K, SIDE, GRID = 0.5, 6, 112, 14
FORGED_S = (0.8, 1.6)  # of the clip's time, in parts of 2.5 s
AWAY = (0.62, 0.72)  # part of the clip in which A is not on screen


@dataclass(frozen=True, eq=False)
class Made:
    """A clip, its display copy and its analysis."""

    video: Video
    copy: DisplayCopy
    report: Report
    crops: dict[str, FaceCrops]


def clip(path: Path, *, frames: int = 100, is_variable: bool = True, size=(WIDTH, HEIGHT)) -> Path:
    """Write a bar-coded clip, 25 frames per second or with a variable rate."""
    gaps = GAPS_MS if is_variable else (40,)
    pts = np.cumsum([0, *(gaps[n % len(gaps)] for n in range(frames - 1))]) / 1000
    pictures = (picture(n, frames, size) for n in range(frames))
    media.write_h264(path, pictures, pts, crf=16, preset="ultrafast")
    return path


def centre(n: int, frames: int, size=(WIDTH, HEIGHT)) -> tuple[float, float]:
    """Return where face A is in frame n."""
    return size[0] * (0.42 + 0.16 * np.sin(5 * n / frames)), size[1] * 0.47


def is_away(n: int, frames: int) -> bool:
    """Tell whether face A is off screen in frame n."""
    return AWAY[0] * frames <= n < AWAY[1] * frames


@functools.cache
def backdrop(width: int, height: int) -> np.ndarray:
    """Return a picture of nothing in particular: (H, W, 3) uint8."""
    y, x = np.mgrid[:height, :width]
    colours = (40 + 50 * y / height, 60 + 40 * x / width, np.full(y.shape, 80.0))
    return np.stack(colours, axis=-1).astype(np.uint8)


def picture(n: int, frames: int, size=(WIDTH, HEIGHT)) -> np.ndarray:
    """Draw frame n: (H, W, 3) uint8."""
    width, height = size
    out = backdrop(width, height).copy()

    def ellipse(cx, cy, rx, ry, colour):
        cv2.ellipse(out, ((cx, cy), (2 * rx, 2 * ry), 0), colour, -1)

    def face(cx, cy, scale, skin):
        ellipse(cx, cy, 62 * scale, 82 * scale, skin)
        for side in (-1, 1):
            ellipse(cx + 25 * side * scale, cy - 22 * scale, 11 * scale, 6 * scale, (250, 250, 250))
            ellipse(cx + 25 * side * scale, cy - 22 * scale, 5 * scale, 5 * scale, (40, 60, 80))
        ellipse(cx, cy + 10 * scale, 8 * scale, 14 * scale, tuple(int(0.85 * c) for c in skin))
        ellipse(cx, cy + 44 * scale, 24 * scale, (5 + 4 * np.sin(n / 2)) * scale, (150, 60, 60))

    if not is_away(n, frames):
        face(*centre(n, frames, size), height / 360, (222, 184, 150))
    face(0.87 * width, 0.38 * height, 0.4 * height / 360, (150, 110, 84))
    bar = BAR * width // 640
    for bit in range(BITS):  # least significant bit on the left
        out[-bar:, bit * bar : (bit + 1) * bar] = 255 if n >> bit & 1 else 0
    return out


def mesh(cx: float, cy: float, scale: float) -> np.ndarray:
    """Return the canonical face at a place: (478, 3) float32, the oval 122 px wide at scale 1."""
    points = canonical_face().vertices * (1, -1, -1)
    wide = np.ptp(points[list(OVAL), 0])
    points = (points - points[list(OVAL)].mean(axis=0)) * (122 * scale / wide) + (cx, cy, 0)
    irises = np.repeat(points[[33, 263]], 5, axis=0)
    return np.concatenate([points, irises]).astype(np.float32)


def head() -> PatchHead:
    """Return how patches make a logit: a genuine face has -2 all over."""
    return PatchHead(4.0, 1.0, 0.0, np.full((GRID, GRID), -2.0, np.float32))


def _track(video: Video, person: str, moments: np.ndarray) -> FaceTrack:
    frames, size = len(video.pts), (video.width, video.height)
    scale = video.height / 360
    if person == "A":
        moments = np.array([n for n in moments if not is_away(n, frames)])
        places = [(*centre(n, frames, size), scale) for n in moments]
        shots = (moments >= AWAY[1] * frames).astype(np.int64)
    else:
        places = [(0.87 * size[0], 0.38 * size[1], 0.4 * scale)] * len(moments)
        shots = np.zeros(len(moments), np.int64)
    pts = video.pts[moments]
    boxes = [(x - 62 * s, y - 82 * s, 124 * s, 164 * s) for x, y, s in places]
    seen = [(pts[shots == s][0], pts[shots == s][-1]) for s in np.unique(shots)]
    return FaceTrack(
        person=person,
        indices=moments.astype(np.int64),
        pts=pts,
        boxes=np.array(boxes, np.float64),
        mesh=np.stack([mesh(*place) for place in places]),
        presence=np.ones(len(moments)),
        pose=np.zeros((len(moments), 3)),
        shots=shots,
        seen=np.array(seen, np.float64),
        max_score=0.95,
    )


def _result(track: FaceTrack, crops: FaceCrops, length_s: float, seed: int) -> TrackResult:
    rng = np.random.default_rng(seed)
    patches = rng.normal(-2, 0.35, (len(track.pts), GRID, GRID)).astype(np.float32)
    part = track.pts / length_s * 2.5
    forged = (part >= FORGED_S[0]) & (part <= FORGED_S[1]) & (track.person == "A")
    cells = crops.region_map[:, 4::8, 4::8] == REGIONS.index("mouth")
    patches[forged[:, None, None] & cells] += 4.5
    cheek = crops.region_map[:, 4::8, 4::8] == REGIONS.index("left_cheek")
    patches[forged[:, None, None] & cheek] += 2.6
    spans = np.stack([np.arange(len(patches))] * 2, axis=1).astype(np.int64)
    logits = patch_logits(patches, head()).astype(np.float32)
    evidence = Evidence(logits, spans, patches, head())
    rule = Aggregate("top_k", min(K, len(logits)))
    logit = aggregate(frame_logits(evidence), rule)
    if track.person != "A":
        reason = "The face is too small: its median width is 49.0 px, below the limit of 64 px."
        verdict = Verdict(logit, THRESHOLD, None, None, True, reason, "face_too_small")
        return TrackResult(track, verdict, rule, evidence)
    explanation = ledger.explain(
        evidence, track.pts, track.shots, crops.region_map, threshold=THRESHOLD, rule=rule
    )
    keys = ledger.key_positions(explanation, 3, pts=track.pts)
    return TrackResult(
        track,
        Verdict(logit, THRESHOLD),
        rule,
        evidence,
        explanation,
        tuple(KeyFrame(k, crops.rgb[k], ledger.heat(evidence, k)) for k in keys),
    )


def made(
    folder: Path,
    *,
    frames: int = 100,
    every: int = 3,
    is_variable: bool = True,
    size=(WIDTH, HEIGHT),
    seed: int = 0,
) -> Made:
    """Make the clip in `folder`, its display copy, and an analysis of every third frame."""
    video = media.probe(
        clip(folder / "clip.mp4", frames=frames, is_variable=is_variable, size=size)
    )
    copy = display_copy(video, folder / "copy.mp4")
    moments = np.arange(0, frames, every)
    crops, results = {}, []
    for person in "AB":
        track = _track(video, person, moments)
        collector = CropCollector(InputSpec(SIDE, 0.125))
        for n, points in zip(track.indices, track.mesh, strict=True):
            collector.add(picture(int(n), frames, size), points)
        crops[person] = collector.crops()
        results.append(_result(track, crops[person], video.duration_s, seed))
    cut = float(video.pts[int(0.85 * frames)])
    report = Report(
        video=video,
        settings={
            "toolkit": "0",
            "seed": 0,
            "device": "cpu",
            "sampling": Sampling().to_dict(),
            "detector": {"name": "seamnet", "weights_sha256": "cd" * 32, "threshold": THRESHOLD},
        },
        tracks=tuple(results),
        verdict=results[0].verdict,
        decisive="A",
        notices=(Notice("cut", "The picture changes as at a cut.", cut),),
    )
    return Made(video, copy, report, crops)
