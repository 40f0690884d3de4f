"""The road from a clip to a report: the only place where the whole of it is walked."""

from __future__ import annotations

import dataclasses
import platform
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from importlib.metadata import version
from pathlib import Path
from typing import Any

from toolkit import media, runtime
from toolkit.detectors import registry
from toolkit.detectors.base import Detector
from toolkit.explain import ledger
from toolkit.faces.regions import DEFINITION
from toolkit.faces.tracks import FaceReader, Scan
from toolkit.types import (
    PLAYERS,
    REPORT_SCHEMA,
    Evidence,
    FaceCrops,
    FaceTrack,
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
from toolkit.verdict import abstention, calibration
from toolkit.verdict.aggregate import aggregate, drift, frame_logits, rule_for

KEY_FRAMES = 6
DRIFT_MAX = 1e-3  # float32 network logits against the same pooling in float64
PICTURE_MIN = 64  # px; a face in a smaller picture cannot be wide enough to judge


class _Clock:
    """Seconds per stage; kept out of the report so that its bytes can repeat."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}

    @contextmanager
    def __call__(self, stage: str) -> Iterator[None]:
        start = time.perf_counter()
        try:
            yield
        finally:
            self.seconds[stage] = self.seconds.get(stage, 0.0) + time.perf_counter() - start


def analyse(
    path: Path | str,
    *,
    detector: str | Detector = "seamnet",
    device: str = "auto",
    sampling: Sampling | None = None,
    explain: bool = True,
    seed: int = 0,
    tick: Tick = no_tick,
) -> Report:
    """Read a clip, judge every person in it, and say which frames and regions drove the verdict.

    Parameters
    ----------
    path
        A local video file.
    detector
        Name from `detectors.registry.NAMES`, or a detector.
    device
        ``"auto"`` takes CUDA, then MPS, then the CPU.
    sampling
        Which moments are read; None = the defaults.
    explain
        Whether to make the ledger and key frames.
    seed
        Stored with the report and given to everything that draws.
    tick
        Progress, called with the stages hash, probe, scan, faces, detect and explain; it may raise
        `Cancelled`.

    Returns
    -------
    Report
        A verdict or an abstention with its reason. Never a guess.

    Raises
    ------
    VideoError
        If the file cannot be read as video, or changed while it was read.
    ModelError, DetectorError, UsageError
        If the installation or the options are not in order.
    Cancelled
        If `tick` says so.
    """
    sampling = sampling or Sampling()
    clock = _Clock()
    runtime.seed_all(seed)
    with clock("probe"):
        video = media.probe(Path(path), tick=tick)
    with clock("load"):
        judge = registry.load(detector, device=device) if isinstance(detector, str) else detector
        reader = FaceReader()
    with clock("scan"):
        scan = reader.scan(video, sampling, tick=tick)
    with clock("faces"):
        faces, late = reader.read_faces(
            scan, sampling, size=judge.spec.size, margin=judge.spec.margin, tick=tick
        )
    results = []
    for position, (track, crops) in enumerate(faces):
        with clock("detect"):
            evidence = judge.evidence(crops, tick=tick)
        with clock("explain"):
            tick("explain", position, len(faces))
            results.append(_result(track, crops, evidence, judge, explain=explain))
    tick("explain", len(faces), len(faces))
    with clock("check"):
        media.check_unchanged(video)
    verdict, speaks = abstention.clip_verdict(
        [(r.track.person, r.verdict) for r in results],
        judge.card.threshold,
        frames_read=scan.looked_at,
    )
    notices = _unique((*video.notices, *scan.notices, *late, *_notices(scan, results)))
    if not results:
        verdict = _nothing_to_judge(scan, verdict)
    spoken = next((r.aggregate for r in results if r.track.person == speaks), None)
    settings = {
        "toolkit": version("doorzicht"),
        "seed": seed,
        "device": _device_of(judge, device),
        "sampling": sampling.to_dict(),
        "aggregate": asdict(spoken) if spoken else {"name": "top_k", "k": None},
        "detector": {
            "name": judge.card.name,
            "weights_sha256": judge.card.weights_sha256,
            "threshold": judge.card.threshold,
            "held_back": asdict(judge.card.held_back) if judge.card.held_back else None,
        },
        "players": DEFINITION,
    }
    return Report(
        video=scan.video,
        settings=settings,
        tracks=tuple(results),
        verdict=verdict,
        speaks=speaks,
        notices=notices,
        timings=clock.seconds,
    )


def _device_of(judge: Detector, wanted: str) -> str:
    return str(getattr(judge, "device", wanted))


def _result(
    track: FaceTrack, crops: FaceCrops, evidence: Evidence, judge: Detector, *, explain: bool
) -> TrackResult:
    logits = frame_logits(evidence)
    rule = rule_for(len(logits))
    logit = aggregate(logits, rule)
    ratio = calibration.find(judge.card.name, judge.card.weights_sha256)
    verdict = abstention.judge(
        logit,
        judge.card.threshold,
        track=track,
        crops=crops,
        log10_lr=ratio.log10_lr(logit) if ratio else None,
        lr_bounds=ratio.bounds if ratio else None,
    )
    notices: tuple[Notice, ...] = ()
    if (apart := drift(evidence)) > DRIFT_MAX:
        text = f"Logits recomputed from patches differ from the network's by {apart:.2g}."
        notices = (Notice("drift", text),)
    explanation = None
    key_frames: tuple[KeyFrame, ...] = ()
    if explain:
        explanation = ledger.explain(
            evidence,
            track.pts,
            track.shots,
            crops.players,
            threshold=judge.card.threshold,
            rule=rule,
        )
        if not verdict.is_fake:  # stretches above the threshold, but no forged interval
            explanation = dataclasses.replace(explanation, intervals=())
        key_frames = tuple(
            KeyFrame(p, crops.rgb[p], ledger.heat(evidence, p))
            for p in ledger.key_positions(explanation, KEY_FRAMES, pts=track.pts)
        )
    return TrackResult(track, verdict, rule, evidence, explanation, key_frames, notices)


def _notices(scan: Scan, results: list[TrackResult]) -> Iterator[Notice]:
    """Yield what could not be judged, and why."""
    if 0 < scan.without_face < scan.looked_at:
        text = (
            f"{scan.without_face} of {scan.looked_at} moments looked at are frames without a face."
        )
        yield Notice("frames_without_face", text)
    if len(results) > 1:
        text = f"{len(results)} faces (persons) were found; each is judged on its own."
        yield Notice("several_persons", text)
    for r in results:
        if r.verdict.abstained:
            yield Notice("abstained", f"Person {r.track.person}: {r.verdict.reason}")
    for at_s in scan.cuts.tolist():
        yield Notice("cut", "The picture changes as at a cut.", at_s)


def _unique(notices: tuple[Notice, ...]) -> tuple[Notice, ...]:
    return tuple(dict.fromkeys(notices))


def _nothing_to_judge(scan: Scan, verdict: Verdict) -> Verdict:
    """Return the abstention with the most telling reason."""
    video = scan.video
    if min(video.width, video.height) < PICTURE_MIN:
        code = "picture_too_small"
        reason = (
            f"The picture is too small to judge a face: {video.width} x {video.height} px, "
            f"at least {PICTURE_MIN} px are needed."
        )
    elif scan.looked_at < abstention.Limits().moments:
        code = "too_few_frames"
        reason = f"There are too few frames, and no face in the {scan.looked_at} looked at."
    elif scan.persons:
        code = "weak_mesh"
        reason = "A face was seen, but in no moment clearly enough to judge it."
    else:
        return verdict
    return dataclasses.replace(verdict, reason=reason, reason_code=code)


# -- what is written


def to_dict(report: Report) -> dict[str, Any]:
    """Return the content of `report.json`, schema `REPORT_SCHEMA`: plain values, full float64.

    The same input, settings and software give the same content; timings are in `run_facts`.
    """
    return {
        "schema": REPORT_SCHEMA,
        "video": _video_dict(report.video),
        "settings": report.settings,
        "players": list(PLAYERS),
        "tracks": [_track_dict(r) for r in report.tracks],
        "verdict": {"track": report.speaks, **_verdict_dict(report.verdict)},
        "notices": [asdict(n) for n in report.notices],
    }


def run_facts(report: Report) -> dict[str, Any]:
    """Return the content of `run.json`: timings and host facts."""
    names = ("av", "numpy", "opencv-python-headless", "torch", "ai-edge-litert", "timm")
    return {
        "seconds": report.timings,
        "python": platform.python_version(),
        "system": f"{platform.system()} {platform.machine()}",
        "threads": runtime.threads(),
        "versions": {name: version(name) for name in names},
        "finished": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
    }


def _video_dict(video: Video) -> dict[str, Any]:
    return {
        "path": str(video.path),
        "sha256": video.sha256,
        "bytes": video.bytes,
        "width": video.width,
        "height": video.height,
        "duration_s": video.duration_s,
        "codec": video.codec,
        "frames_declared": video.frames_declared,
        "frames_read": len(video.pts),
    }


def _verdict_dict(verdict: Verdict) -> dict[str, Any]:
    return {
        "logit": verdict.logit,
        "threshold": verdict.threshold,
        "log10_lr": verdict.log10_lr,
        "lr_bounds": list(verdict.lr_bounds) if verdict.lr_bounds else None,
        "abstained": verdict.abstained,
        "reason": verdict.reason,
        "reason_code": verdict.reason_code,
    }


def _track_dict(r: TrackResult) -> dict[str, Any]:
    e, logits = r.explanation, frame_logits(r.evidence)
    frames = [
        {
            "index": int(r.track.indices[i]),
            "pts": float(r.track.pts[i]),
            "logit": float(logits[i]),
            "share": float(e.frame_shares[i]) if e else None,
        }
        for i in range(len(logits))
    ]
    return {
        "id": r.track.person,
        "seen": r.track.seen.tolist(),
        "verdict": _verdict_dict(r.verdict),
        "aggregate": asdict(r.aggregate),
        "reference": {
            "kind": e.reference_kind if e else None,
            "logit": e.reference_logit if e else None,
            "valid": e.reference_valid if e else None,
        },
        "frames": frames,
        "shares": e.shares.tolist() if e else None,
        "unsplit": e.unsplit.tolist() if e else None,
        "regions": [
            {"name": name, "share": float(share)}
            for name, share in zip(PLAYERS, e.region_shares, strict=True)
        ]
        if e
        else None,
        "intervals": [asdict(i) for i in e.intervals] if e else None,
        "residual": e.residual if e else None,
        "notices": [asdict(n) for n in r.notices],
    }
