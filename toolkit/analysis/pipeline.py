"""The road from a clip to a report: the only place where the whole of it is walked."""

from __future__ import annotations

import dataclasses
import platform
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from toolkit import media, runtime
from toolkit.analysis import cached
from toolkit.analysis.cached import Faces, StageCache
from toolkit.detectors import registry
from toolkit.detectors.base import Detector, can_hold_still
from toolkit.explain import ledger, spans
from toolkit.faces.regions import DEFINITION
from toolkit.faces.tracks import FaceReader, Scan
from toolkit.messages import Message
from toolkit.storage.cache import Cache
from toolkit.types import (
    REGIONS,
    REPORT_SCHEMA,
    Evidence,
    Examination,
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
from toolkit.verdict.aggregate import TOP_PART, aggregate, drift, frame_logits, rule_of, rule_text

STAND_IN = (
    "The small SeamNet judged in place of SeamNet: it misses most forgeries of today. For SeamNet, "
    "run: python start.py setup"
)
THRESHOLD_NOT_MEASURED = (
    "The threshold of this detector was not measured on genuine clips: on which side of it a video "
    "lies means little. Measure it: python -m toolkit detector threshold NAME --genuine DIR"
)
UNTESTED = (
    "Nobody has seen this detector give the answers here that were published with its weights: its "
    "pictures may be read in another way than it was trained."
)
KEY_FRAMES = 6
DRIFT_MAX = 1e-3  # float32 network logits against the same pooling in float64
ONCE = frozenset({"size_changes", "pixel_format_changes", "truncated", "damaged"})
TOLD_MIN = 16  # moments told at a time, or one batch where that is more
PICTURE_MIN = 64  # px; a face in a smaller picture cannot be wide enough to judge


@dataclass(frozen=True, eq=False)
class PersonSoFar:
    """One person while the analysis runs.

    Attributes
    ----------
    person
        Letter; empty while the faces have not been read.
    seen : (S, 2) float64
        Start and end in seconds of each stretch on screen.
    pts, shots : (N,) float64 and int64
        The moments that will be judged and the stretches they lie in; empty before they are known.
    logits : (M,) float64
        Evidence of the first M moments, M <= N. Not a verdict.
    face : (S, S, 3) uint8 or None
        A picture of this person.
    """

    person: str
    seen: NDArray[np.float64]
    pts: NDArray[np.float64]
    shots: NDArray[np.int64]
    logits: NDArray[np.float64]
    face: NDArray[np.uint8] | None = None


@dataclass(frozen=True, eq=False)
class Partial:
    """What is known while the analysis runs: the clip, the threshold and the persons so far.

    Attributes
    ----------
    faces_ahead, seconds_ahead
        How many faces the detector is to judge on the processor, and about how long that will take,
        from one that was timed; None before that is known, and on a GPU.
    """

    video: Video
    threshold: float
    persons: tuple[PersonSoFar, ...]
    faces_ahead: int = 0
    seconds_ahead: float | None = None


OnPartial = Callable[[Partial], None]
"""Called in the thread of the analysis each time that more is known. It must return soon."""


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
    cache: Cache | None = None,
    on_partial: OnPartial | None = None,
    tick: Tick = no_tick,
) -> Report:
    """Read a clip, judge every person in it, and say which frames and regions drove the verdict.

    Parameters
    ----------
    path
        A local video file.
    detector
        Name from `detectors.registry.names`, a detector, or an object that `detectors.own.adapt`
        makes one of.
    device
        ``"auto"`` takes CUDA, then MPS, then the CPU.
    sampling
        Which moments are read; None = the defaults.
    explain
        Whether to make the ledger and key frames.
    seed
        Stored with the report and given to everything that draws.
    cache
        Where to look for what was computed before and to keep what is computed now. None = neither:
        everything is computed. The report is the same, byte for byte.
    on_partial
        Is told what is known while the analysis runs.
    tick
        Progress, called with the stages hash, probe, scan, faces, detect and explain; it may raise
        `Cancelled`. A stage that the cache answers is told as finished.

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
    return examine(
        path,
        detector=detector,
        device=device,
        sampling=sampling,
        explain=explain,
        seed=seed,
        cache=cache,
        on_partial=on_partial,
        tick=tick,
    ).report


def examine(
    path: Path | str,
    *,
    detector: str | Detector = "seamnet",
    device: str = "auto",
    sampling: Sampling | None = None,
    explain: bool = True,
    seed: int = 0,
    cache: Cache | None = None,
    on_partial: OnPartial | None = None,
    tick: Tick = no_tick,
) -> Examination:
    """Do what `analyse` does, and keep what further questions need: the crops of each person.

    Parameters and errors are those of `analyse`.
    """
    sampling = sampling or Sampling()
    clock = _Clock()
    if not isinstance(detector, str):
        detector = registry.resolve(detector, device=device)
    known, sha256 = None, None
    if cache is not None:
        with clock("hash"):
            sha256 = cached.digest(Path(path), tick=tick)
        if sha256 is not None:
            known = StageCache(
                cache,
                sha256,
                detector=detector,
                device=device,
                sampling=sampling,
                explain=explain,
                seed=seed,
            )
            if found := _recalled(known, Path(path), clock):
                tick("explain", 1, 1)
                return found
    with clock("probe"):
        video = media.probe(Path(path), tick=tick)
    runtime.seed_all(seed)  # loads torch: a file that is refused need not wait for that
    if known and video.sha256 != sha256:  # it changed between the two readings
        known = None
    with clock("load"):
        judge = registry.load(detector, device=device) if isinstance(detector, str) else detector
        reader = FaceReader()
    with clock("scan"):
        scan = _scan(video, reader, sampling, known=known, tick=tick)
    told = LiveResults(scan, judge, on_partial)
    with clock("faces"):
        faces = _faces(scan, reader, sampling, judge=judge, known=known, tick=tick)
    told.faces(faces)
    told.cost(judge, faces)
    with clock("detect"):
        evidence = _all_evidence(judge, faces, told, tick)
    results = []
    with clock("explain"):
        for position, (person, seen) in enumerate(zip(faces.persons, evidence, strict=True)):
            tick("explain", position, len(evidence))
            results.append(_result(*person, seen, judge, explain=explain))
        tick("explain", len(evidence), len(evidence))
    with clock("check"):
        media.check_unchanged(video)
    verdict, decisive = abstention.clip_verdict(
        [(r.track.person, r.verdict) for r in results],
        judge.card.threshold,
        frames_read=scan.looked_at,
    )
    late = (*faces.notices, *_stand_in(judge), *_unmeasured(judge))
    notices = _unique((*video.notices, *scan.notices, *late, *_notices(scan, results)))
    if not results:
        verdict = _nothing_to_judge(scan, verdict)
    report = Report(
        video=scan.video,
        settings=_settings(judge, sampling, seed, results, decisive),
        tracks=tuple(results),
        verdict=verdict,
        decisive=decisive,
        notices=notices,
        timings=clock.seconds,
    )
    entry = known.keep_report(report, faces, judge.spec) if known else None
    saved = sum(known.saved.values()) if known else 0.0
    by_person = {track.person: crops for track, crops in faces.persons}
    return Examination(report, by_person, entry, saved)


def _settings(
    judge: Detector,
    sampling: Sampling,
    seed: int,
    results: Sequence[TrackResult],
    decisive: str | None,
) -> dict[str, Any]:
    """Return what the result rests on, as the report keeps it."""
    rule = next((r.aggregate for r in results if r.track.person == decisive), None)
    card = judge.card
    return {
        "toolkit": version("doorzicht"),
        "seed": seed,
        "device": judge.device,
        "sampling": sampling.to_dict(),
        "aggregate": asdict(rule) if rule else {"name": "top_k", "k": None},
        "detector": {
            "name": card.name,
            "weights_sha256": card.weights_sha256,
            "threshold": card.threshold,
            "held_back": asdict(card.held_back) if card.held_back else None,
            **({"instead_of": card.instead_of} if card.instead_of else {}),
            **({} if card.threshold_measured else {"threshold_measured": False}),
            **({"training": card.training} if card.training else {}),
            **({"top_part": card.top_part} if card.top_part != TOP_PART else {}),
        },
        "players": DEFINITION,
    }


def reopen(cache: Cache, entry: str) -> Examination | None:
    """Return an examination that the cache kept, as it was; None where it is no longer there."""
    found = cached.reopen(cache, entry)
    return None if found is None else Examination(*found, entry)


def _recalled(known: StageCache, path: Path, clock: _Clock) -> Examination | None:
    """Return the whole examination from the cache, under the path that was given this time."""
    with clock("recall"):
        found = known.report(path)
    if found is None:
        return None
    report, crops = found
    report = dataclasses.replace(report, timings=clock.seconds)
    return Examination(report, crops, known.report_name, sum(known.saved.values()))


def _scan(
    video: Video, reader: FaceReader, sampling: Sampling, *, known: StageCache | None, tick: Tick
) -> Scan:
    if known and (found := known.scan(video.path)):
        tick("scan", 1, 1)
        return found
    start = time.perf_counter()
    scan = reader.scan(video, sampling, tick=tick)
    if known:
        media.check_unchanged(video)  # what is kept is kept under this hash
        known.keep_scan(scan, seconds=time.perf_counter() - start)
    return scan


def _faces(
    scan: Scan,
    reader: FaceReader,
    sampling: Sampling,
    *,
    judge: Detector,
    known: StageCache | None,
    tick: Tick,
) -> Faces:
    if known and (found := known.faces(judge.spec)):
        tick("faces", 1, 1)
        return found
    start = time.perf_counter()
    persons, notices = reader.read_faces(scan, sampling, spec=judge.spec, tick=tick)
    faces = Faces(tuple(persons), notices)
    if known:
        media.check_unchanged(scan.video)
        known.keep_faces(judge.spec, faces, seconds=time.perf_counter() - start)
    return faces


class _Within:
    """A tick for a part of a stage: `done` counts on from `before`, out of `total`."""

    def __init__(self, tick: Tick, before: int, total: int) -> None:
        self._tick, self._before, self._total = tick, before, total

    def __call__(self, stage: str, done: int, total: int) -> None:
        """Report the part's progress as that of the whole."""
        self._tick(stage, self._before + done, self._total)


def _all_evidence(judge: Detector, faces: Faces, told: LiveResults, tick: Tick) -> list[Evidence]:
    """Return each person's evidence; progress counts the moments of all persons together."""
    counts = [len(track.pts) for track, _ in faces.persons]
    return [
        _evidence(
            judge,
            crops,
            tick=_Within(tick, sum(counts[:i]), sum(counts)),
            on_result=told.logits(track),
        )
        for i, (track, crops) in enumerate(faces.persons)
    ]


def _evidence(
    judge: Detector,
    crops: FaceCrops,
    *,
    tick: Tick,
    on_result: Callable[[NDArray[np.float64]], None] | None,
) -> Evidence:
    """Return a person's evidence; where somebody listens, tell the logits while they come.

    Only a detector that judges each crop by itself may be given its crops in parts. They end where
    its own batches end, so the logits are the same to the last bit.
    """
    n, batch = len(crops.rgb), judge.batch
    if on_result is None or batch is None:
        whole = judge.evidence(crops, tick=tick)
        if on_result:
            lengths = np.diff(whole.spans, axis=1)[:, 0] + 1
            on_result(np.repeat(whole.logits, lengths))  # a stretch speaks for all its moments
        return whole
    step = -(-TOLD_MIN // batch) * batch
    parts: list[Evidence] = []
    for start in range(0, n, step):
        piece = crops.at(slice(start, start + step))
        parts.append(judge.evidence(piece, tick=_Within(tick, start, n)))
        on_result(np.concatenate([e.logits for e in parts]))
    patches = [e.patches for e in parts if e.patches is not None]
    return Evidence.per_frame(
        np.concatenate([e.network_logits for e in parts]),
        np.concatenate(patches) if patches else None,
        parts[0].head,
    )


class LiveResults:
    """Keeps what is known so far, and tells a listener each time that it is more."""

    def __init__(self, scan: Scan, judge: Detector, listener: OnPartial | None) -> None:
        self._video, self._threshold = scan.video, judge.card.threshold
        self._listener = listener
        nothing = np.zeros(0), np.zeros(0, np.int64), np.zeros(0)
        spans = [[(t.times[0], t.times[-1]) for t in p.tracklets] for p in scan.persons]
        self._persons = [PersonSoFar("", np.array(s, np.float64), *nothing) for s in spans]
        self._ahead: tuple[int, float | None] = (0, None)
        self._tell()

    def faces(self, faces: Faces) -> None:
        """Tell who is there, and which moments of them will be judged."""
        self._persons = [
            PersonSoFar(
                track.person,
                track.seen,
                track.pts,
                track.shots,
                np.zeros(0),
                crops.rgb[len(crops.rgb) // 2],
            )
            for track, crops in faces.persons
        ]
        self._tell()

    def cost(self, judge: Detector, faces: Faces) -> None:
        """Tell how long judging will take, where somebody listens and no GPU does it."""
        if self._listener is not None and (seconds := seconds_per_face(judge, faces)) is not None:
            count = sum(len(track.pts) for track, _crops in faces.persons)
            self._ahead = count, seconds * count
            self._tell()

    def logits(self, track: FaceTrack) -> Callable[[NDArray[np.float64]], None] | None:
        """Return what is told of one person's evidence; None where nobody listens."""
        if self._listener is None:
            return None
        row = next(i for i, p in enumerate(self._persons) if p.person == track.person)

        def on_result(logits: NDArray[np.float64]) -> None:
            self._persons[row] = dataclasses.replace(self._persons[row], logits=logits)
            self._tell()

        return on_result

    def _tell(self) -> None:
        if self._listener is not None:
            self._listener(
                Partial(self._video, self._threshold, tuple(self._persons), *self._ahead)
            )


def seconds_per_face(judge: Detector, faces: Faces) -> float | None:
    """Time a detector on one face, the better of two; None on a GPU and for stretches."""
    crops = next((crops for _track, crops in faces.persons if len(crops.rgb)), None)
    if crops is None or judge.batch is None or judge.device != "cpu":
        return None
    seconds = []
    for _again in range(2):  # the first one may load what it needs
        start = time.perf_counter()
        judge.logits(crops.rgb[:1])
        seconds.append(time.perf_counter() - start)
    return min(seconds)


def _result(
    track: FaceTrack, crops: FaceCrops, evidence: Evidence, judge: Detector, *, explain: bool
) -> TrackResult:
    logits = frame_logits(evidence)
    rule = rule_of(judge)(len(logits))
    logit = aggregate(logits, rule)
    ratio = calibration.find(
        judge.card.name, judge.card.weights_sha256, rule=rule_text(judge.card.top_part)
    )
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
        text = "Logits recomputed from patches differ from the network's by {value:.2g}."
        notices = (Notice("drift", text, values={"value": apart}),)
    explanation = None
    key_frames: tuple[KeyFrame, ...] = ()
    if explain:
        within = spans.span_shares(judge, crops, evidence.spans) if can_hold_still(judge) else None
        explanation = ledger.explain(
            evidence,
            track.pts,
            track.shots,
            crops.region_map,
            threshold=judge.card.threshold,
            rule=rule,
            within=within,
        )
        if not verdict.is_fake:  # stretches above the threshold, but no forged interval
            explanation = dataclasses.replace(explanation, intervals=())
        middles = (
            evidence.spans.sum(axis=1) // 2
        )  # of a frame, that frame; of a stretch, its middle
        key_frames = tuple(
            KeyFrame(int(middles[row]), crops.rgb[middles[row]], ledger.heat(evidence, row))
            for row in ledger.key_positions(explanation, KEY_FRAMES, pts=track.pts[middles])
        )
    return TrackResult(track, verdict, rule, evidence, explanation, key_frames, notices)


def _stand_in(judge: Detector) -> Iterator[Notice]:
    """Yield that another detector judged than was asked for, and why."""
    if judge.card.because:
        yield Notice("stand_in", STAND_IN)
        why = judge.card.because
        yield Notice("stand_in_reason", why.template, values=why.values)


def _unmeasured(judge: Detector) -> Iterator[Notice]:
    """Yield what a reader must know of a detector whose threshold or reading nobody measured."""
    if not judge.card.threshold_measured:
        yield Notice("threshold_not_measured", THRESHOLD_NOT_MEASURED)
    if judge.card.is_untested:
        yield Notice("untested_detector", UNTESTED)


def _notices(scan: Scan, results: list[TrackResult]) -> Iterator[Notice]:
    """Yield what could not be judged, and why."""
    if 0 < scan.without_face < scan.looked_at:
        text = "{n} of {total} moments looked at are frames without a face."
        values = {"n": scan.without_face, "total": scan.looked_at}
        yield Notice("frames_without_face", text, values=values)
    if len(results) > 1:
        text = "{n} faces (persons) were found; each is judged on its own."
        yield Notice("several_persons", text, values={"n": len(results)})
    for r in results:
        if r.verdict.reason is not None:
            yield Notice(
                "abstained",
                "Person {person}: {reason}",
                values={"person": r.track.person, "reason": r.verdict.reason},
            )
    for at_s in scan.cuts.tolist():
        yield Notice("cut", "The picture changes as at a cut.", at_s)


def _unique(notices: tuple[Notice, ...]) -> tuple[Notice, ...]:
    """Return each notice once; of what every reading of the file meets again, the first."""
    first: dict[object, Notice] = {}
    for notice in notices:
        first.setdefault(notice.code if notice.code in ONCE else notice, notice)
    return tuple(first.values())


def _nothing_to_judge(scan: Scan, verdict: Verdict) -> Verdict:
    """Return the abstention with the most telling reason."""
    video = scan.video
    if min(video.width, video.height) < PICTURE_MIN:
        reason = Message(
            "picture_too_small",
            "The picture is too small to judge a face: {width} x {height} px, "
            "at least {limit} px are needed.",
            {"width": video.width, "height": video.height, "limit": PICTURE_MIN},
        )
    elif scan.looked_at < abstention.Limits().moments:
        reason = Message(
            "too_few_frames",
            "There are too few frames, and no face in the {n} looked at.",
            {"n": scan.looked_at},
        )
    elif scan.persons:
        reason = Message(
            "weak_mesh", "A face was seen, but in no moment clearly enough to judge it."
        )
    else:
        return verdict
    return dataclasses.replace(verdict, reason=reason)


# -- what is written


def to_dict(report: Report) -> dict[str, Any]:
    """Return the content of `report.json`, schema `REPORT_SCHEMA`: plain values, full float64.

    The same input, settings and software give the same content; timings are in `run_facts`.
    """
    return {
        "schema": REPORT_SCHEMA,
        "video": _video_dict(report.video),
        "settings": report.settings,
        "players": list(REGIONS),
        "tracks": [_track_dict(r) for r in report.tracks],
        "verdict": {"track": report.decisive, **_verdict_dict(report.verdict)},
        "notices": [_notice_dict(n) for n in report.notices],
    }


def run_facts(report: Report) -> dict[str, Any]:
    """Return the content of `run.json`: timings and host facts."""
    names = (
        "av",
        "numpy",
        "opencv-python-headless",
        "torch",
        "onnxruntime",
        "ai-edge-litert",
        "timm",
    )
    return {
        "detector": report.settings["detector"],
        "seconds": report.timings,
        "python": platform.python_version(),
        "system": f"{platform.system()} {platform.machine()}",
        "threads": runtime.threads(),
        "decoder_guards": list(media.guards()),
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
        "reason": None if verdict.reason is None else str(verdict.reason),
        "reason_code": verdict.reason_code,
    }


def _notice_dict(notice: Notice) -> dict[str, Any]:
    return {"code": notice.code, "text": str(notice), "at_s": notice.at_s}


def _track_dict(r: TrackResult) -> dict[str, Any]:
    e, logits = r.explanation, r.evidence.logits
    frames = [
        {
            "index": int(r.track.indices[first]),
            "pts": float(r.track.pts[first]),
            # of a detector of stretches: where the stretch ends
            **({} if first == last else {"last_pts": float(r.track.pts[last])}),
            "logit": float(logits[i]),
            "share": float(e.frame_shares[i]) if e else None,
        }
        for i, (first, last) in enumerate(r.evidence.spans.tolist())
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
            for name, share in zip(REGIONS, e.region_shares, strict=True)
        ]
        if e
        else None,
        "intervals": [asdict(i) for i in e.intervals] if e else None,
        "residual": e.residual if e else None,
        "notices": [_notice_dict(n) for n in r.notices],
    }
