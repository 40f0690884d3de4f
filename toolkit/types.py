"""The nouns of the project, in the order of the work. numpy only.

All are frozen; arrays are never changed in place. Coordinates are pixels of the displayed frame
(after rotation and pixel aspect), x to the right, y down. Pictures are RGB uint8. Times are
presentation timestamps in seconds. Left and right are the subject's.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from toolkit.errors import ShapeError, UnknownNameError
from toolkit.messages import Message, Value

REGIONS = (
    "mouth",
    "left_eye",
    "right_eye",
    "nose",
    "forehead",
    "left_cheek",
    "right_cheek",
    "chin_jaw",
    "contour",
    "background",
)
"""The ten facial regions, players of the region game, in this order everywhere.

Eyes include their brows."""

REPORT_SCHEMA = "doorzicht.report/1"


class Tick(Protocol):
    """Progress and cancellation, passed down through every long call."""

    def __call__(self, stage: str, done: int, total: int) -> None:
        """Report that `done` of `total` steps of `stage` are finished.

        Raises
        ------
        Cancelled
            If the user asked to stop. Callers let it pass.
        """


def no_tick(stage: str, done: int, total: int) -> None:
    """Report to nobody: the default of every `tick` argument."""


def spread(n: int, most: int) -> NDArray[np.int64]:
    """Return at most `most` (0 or more) of the positions 0 .. n - 1, from all over them, in order.

    The first and the last are among them; of one only, it is the first.

    Examples
    --------
    >>> spread(100, 3).tolist(), spread(2, 3).tolist(), spread(0, 3).tolist()
    ([0, 50, 99], [0, 1], [])
    """
    if n < 1:
        return np.zeros(0, np.int64)
    return np.unique(np.linspace(0, n - 1, min(n, most)).round().astype(np.int64))


def _expect(name: str, array: NDArray[Any], shape: tuple[int | None, ...], dtype: Any) -> None:
    fits = len(array.shape) == len(shape) and all(
        want is None or want == have for want, have in zip(shape, array.shape, strict=True)
    )
    if not fits or array.dtype != np.dtype(dtype):
        wanted = f"{np.dtype(dtype)} {tuple('n' if s is None else s for s in shape)}"
        raise ShapeError(
            "{name} has the wrong shape",
            f"{array.dtype} {array.shape}",
            "Expected {wanted}.",
            name=name,
            wanted=wanted,
        )


def _brief(value: object) -> str:
    if isinstance(value, np.ndarray):
        return f"{value.dtype}{list(value.shape)}"
    return repr(value)


class _Brief:
    """A repr that shows shapes, so that a traceback never prints an array."""

    def __repr__(self) -> str:
        fields = getattr(self, "__dataclass_fields__", {})
        return (
            f"{type(self).__name__}({', '.join(f'{n}={_brief(getattr(self, n))}' for n in fields)})"
        )


@dataclass(frozen=True)
class Notice:
    """Something about the input that a reader must know: shown, stored, never fatal.

    Attributes
    ----------
    code
        Stable word for programs, such as ``"variable_frame_rate"``.
    template
        One English sentence: what the catalogue knows it by.
    at_s
        Where in the video, in seconds, when that is known.
    values
        What the template names in braces.
    """

    code: str
    template: str
    at_s: float | None = None
    values: Mapping[str, Value] = field(default_factory=dict)

    def __hash__(self) -> int:
        return hash((self.code, self.template, self.at_s))

    def __str__(self) -> str:
        """Return the English sentence."""
        return str(self.message)

    @property
    def message(self) -> Message:
        """The sentence, to be said in any language."""
        return Message(self.code, self.template, self.values)

    def text(self) -> str:
        """Return the sentence in the language in use."""
        return self.message.text()

    @classmethod
    def from_plain(cls, plain: Any) -> Notice:
        """Return the notice that was stored as a mapping of its fields.

        Earlier versions stored the finished English sentence, as ``text``.
        """
        template = str(plain["template"] if "template" in plain else plain["text"])
        told = {"code": plain["code"], "template": template, "values": plain.get("values", {})}
        message, at_s = Message.from_plain(told), plain["at_s"]
        return cls(message.code, template, None if at_s is None else float(at_s), message.values)


@dataclass(frozen=True, eq=False, repr=False)
class Video(_Brief):
    """A video file that was probed; never pixels.

    Attributes
    ----------
    path, sha256, bytes
        The file at intake.
    width, height
        Displayed size in pixels: rotation and pixel aspect applied.
    codec
        Decoder name, for example ``"h264"``.
    duration_s
        Last timestamp minus first, plus one typical gap.
    frames_declared
        What the container claims, or None. Never trusted.
    pts : (T,) float64
        Timestamp of each frame in presentation order, strictly increasing, seconds. T is the
        number of frames that the file holds (counted, not declared). Where recordings were joined
        and the file's clock starts anew, times count on from the first recording.
    keyframes : (K,) int64
        Indices of the frames from which decoding can start, increasing; the first is 0.
    rotation
        Clockwise quarter turns that display needs, 0 to 3; `media.read` applies them.
    notices
        What was odd about the file.
    """

    path: Path
    sha256: str
    bytes: int
    width: int
    height: int
    codec: str
    duration_s: float
    frames_declared: int | None
    pts: NDArray[np.float64]
    keyframes: NDArray[np.int64]
    rotation: int = 0
    notices: tuple[Notice, ...] = ()

    def __post_init__(self) -> None:
        _expect("pts", self.pts, (None,), np.float64)
        _expect("keyframes", self.keyframes, (None,), np.int64)


@dataclass(frozen=True, eq=False, repr=False)
class Frame(_Brief):
    """One decoded frame: (H, W, 3) RGB uint8, its index and its time."""

    index: int
    pts_seconds: float
    rgb: NDArray[np.uint8]


@dataclass(frozen=True)
class Sampling:
    """Which moments are read.

    Attributes
    ----------
    scan_per_second
        Moments per second of the coarse scan that finds people and cuts.
    scan_limit
        Most moments of the scan; a longer video is scanned more thinly, and says so.
    frames
        Moments per person that the detector sees, evenly in time. None = `frames_per_second` of
        the time on screen, at least `frames_min` and at most `frames_max`.
    """

    scan_per_second: float = 4.0
    scan_limit: int = 4000
    frames: int | None = None
    frames_per_second: float = 4.0
    frames_min: int = 32
    frames_max: int = 160

    def frames_for(self, seconds: float) -> int:
        """Return how many moments to read of a person who is on screen for that long.

        Examples
        --------
        >>> [Sampling().frames_for(s) for s in (2, 10, 3600)], Sampling(frames=50).frames_for(2)
        ([32, 40, 160], 50)
        """
        if self.frames is not None:
            return self.frames
        wanted = round(seconds * self.frames_per_second)
        return min(max(wanted, self.frames_min), self.frames_max)

    def to_dict(self) -> dict[str, Any]:
        """Return plain values for `settings.sampling`."""
        return dataclasses.asdict(self)


@dataclass(frozen=True, repr=False)
class Settings:
    """How a video is analysed.

    Attributes
    ----------
    detector
        A name from `detectors.registry.NAMES`, or a detector of your own.
    device
        ``"auto"`` takes CUDA, then MPS, then the CPU.
    sampling
        Which moments are read.
    seed
        Stored with the result and given to everything that draws.
    explain
        Whether to divide the verdict over frames and regions.

    Examples
    --------
    >>> Settings(device="cpu").but(frames=16)
    Settings(device='cpu', sampling=Sampling(frames=16))
    """

    detector: Any = "seamnet"
    device: str = "auto"
    sampling: Sampling = field(default_factory=Sampling)
    seed: int = 0
    explain: bool = True

    def but(self, **changes: Any) -> Settings:
        """Return the same settings with some changed: names of these or of `Sampling`'s fields.

        Raises
        ------
        UnknownNameError
            If there is no setting of that name; the error lists them.
        """
        own = {f.name for f in dataclasses.fields(self)}
        of_sampling = {f.name for f in dataclasses.fields(Sampling)}
        if unknown := sorted(changes.keys() - own - of_sampling):
            known = [*sorted(own), *sorted(of_sampling)]
            raise UnknownNameError(
                "there is no such setting", unknown[0], "Known: {known}.", known=known
            )
        whole = dataclasses.replace(self, **{k: v for k, v in changes.items() if k in own})
        inner = {k: v for k, v in changes.items() if k in of_sampling}
        sampling = dataclasses.replace(whole.sampling, **inner)
        return dataclasses.replace(whole, sampling=sampling)

    def __repr__(self) -> str:
        """Return only what differs from the default, on one line."""
        return _changed(self)


def _changed(value: Any) -> str:
    parts, plain = [], type(value)()
    for f in dataclasses.fields(value):
        mine = getattr(value, f.name)
        if mine != getattr(plain, f.name):
            name = getattr(getattr(mine, "card", None), "name", None)
            told = _changed(mine) if isinstance(mine, Sampling) else name or repr(mine)
            parts.append(f"{f.name}={told}")
    return f"{type(value).__name__}({', '.join(parts)})"


@dataclass(frozen=True, eq=False, repr=False)
class FaceTrack(_Brief):
    """One person on screen at the moments that were read; grouped across cuts.

    Attributes
    ----------
    person
        ``"A"``, ``"B"``, ... in order of screen time. Never a claim of who it is.
    indices : (N,) int64
        Frame indices, increasing.
    pts : (N,) float64
        Their times in seconds.
    boxes : (N, 4) float64
        x, y, width, height of the detected face, pixels.
    mesh : (N, 478, 3) float32
        Face mesh; x, y in pixels, z in the same scale (smaller = nearer).
    presence : (N,) float64
        The mesh model's own certainty that a face is there, 0..1.
    pose : (N, 3) float64
        Yaw, pitch, roll in degrees, approximate.
    shots : (N,) int64
        Number of the stretch without a cut or absence in which each moment lies, increasing.
    seen : (S, 2) float64
        Start and end in seconds of each stretch in which the scan saw this person.
    max_score
        The face detector's highest score for it in the scan, 0..1.
    sampled : (W,) int64
        Frame indices that were read in search of this person, increasing; `indices` are those of
        them with a usable face. Empty in analyses that were kept before this was recorded.
    """

    person: str
    indices: NDArray[np.int64]
    pts: NDArray[np.float64]
    boxes: NDArray[np.float64]
    mesh: NDArray[np.float32]
    presence: NDArray[np.float64]
    pose: NDArray[np.float64]
    shots: NDArray[np.int64]
    seen: NDArray[np.float64]
    max_score: float = field(metadata={"key": "surest"})
    sampled: NDArray[np.int64] = field(default_factory=lambda: np.zeros(0, np.int64))

    def __post_init__(self) -> None:
        n = len(self.indices)
        _expect("indices", self.indices, (n,), np.int64)
        _expect("pts", self.pts, (n,), np.float64)
        _expect("boxes", self.boxes, (n, 4), np.float64)
        _expect("mesh", self.mesh, (n, 478, 3), np.float32)
        _expect("presence", self.presence, (n,), np.float64)
        _expect("pose", self.pose, (n, 3), np.float64)
        _expect("shots", self.shots, (n,), np.int64)
        _expect("seen", self.seen, (None, 2), np.float64)
        _expect("sampled", self.sampled, (None,), np.int64)


@dataclass(frozen=True, eq=False, repr=False)
class FaceCrops(_Brief):
    """What a detector and an explanation look at.

    Attributes
    ----------
    rgb : (N, S, S, 3) uint8
    crop_to_frame : (N, 2, 3) float64
        Affine map from crop pixels to frame pixels.
    mesh : (N, 478, 3) float32
        The face mesh in crop pixels.
    region_map : (N, S, S) uint8
        Which region each pixel belongs to: an index into `REGIONS`.
    face_width : (N,) float64
        Width of the face oval in source pixels.
    sharpness : (N,) float64
        Variance of the Laplacian of the grey face, 128 px wide.
    padding : (N,) float64
        Share of the face's own square that lies outside the picture or in its black bars, 0..1.
    """

    rgb: NDArray[np.uint8]
    crop_to_frame: NDArray[np.float64] = field(metadata={"key": "to_frame"})
    mesh: NDArray[np.float32]
    region_map: NDArray[np.uint8] = field(metadata={"key": "players"})
    face_width: NDArray[np.float64]
    sharpness: NDArray[np.float64]
    padding: NDArray[np.float64]

    def __post_init__(self) -> None:
        n, size = self.rgb.shape[:2]
        _expect("rgb", self.rgb, (n, size, size, 3), np.uint8)
        _expect("crop_to_frame", self.crop_to_frame, (n, 2, 3), np.float64)
        _expect("mesh", self.mesh, (n, 478, 3), np.float32)
        _expect("region_map", self.region_map, (n, size, size), np.uint8)
        for name in ("face_width", "sharpness", "padding"):
            _expect(name, getattr(self, name), (n,), np.float64)

    def at(self, rows: NDArray[np.int64] | slice) -> FaceCrops:
        """Return some of the crops, in the order asked for."""
        return FaceCrops(*(getattr(self, f.name)[rows] for f in dataclasses.fields(self)))


@dataclass(frozen=True, eq=False, repr=False)
class PatchHead(_Brief):
    """How a patch-additive detector turns its patch logits into its logit.

    ``logit = scale * log(mean(exp(tau * patches))) / tau + bias``. `reference` (h, w) float32 is
    the patch map of a typical genuine face, the numeric reference of the by-construction witness.
    """

    tau: float
    scale: float
    bias: float
    reference: NDArray[np.float32]
    reference_kind: str = "training_median"

    def logits(self, patches: NDArray[np.floating]) -> NDArray[np.float64]:
        """Return the logit of each patch map (..., h, w), computed in float64: (...)."""
        *several, rows, columns = patches.shape  # in full: of no maps, no size can be worked out
        cells = patches.astype(np.float64).reshape(*several, rows * columns)
        return self.scale * log_mean_exp(cells, self.tau) + self.bias


def log_mean_exp(values: NDArray[np.float64], tau: float) -> NDArray[np.float64]:
    """Return ``log(mean(exp(tau * values))) / tau`` over the last axis, without overflow."""
    top = values.max(axis=-1, keepdims=True)
    return np.asarray(np.log(np.exp(tau * (values - top)).mean(axis=-1)) / tau + top[..., 0])


@dataclass(frozen=True, eq=False, repr=False)
class Evidence(_Brief):
    """What the detector saw, on the fake-logit scale (positive = fake).

    Attributes
    ----------
    network_logits : (M,) float32
        One per frame or block, as the network gave them. Only `verdict.aggregate.drift` needs them.
    spans : (M, 2) int64
        First and last moment (positions in the track) each logit stands for.
    patches : (M, h, w) float32 or None
        Patch logits, where the detector has them.
    head
        How patches make the logit; None where there are no patches.
    logits : (M,) float64
        The logits that verdict, ledger, curve and table all show: made once, of the patches where
        there are any, else of `network_logits`. They are not given but follow.
    """

    network_logits: NDArray[np.float32] = field(metadata={"key": "logits"})
    spans: NDArray[np.int64]
    patches: NDArray[np.float32] | None = None
    head: PatchHead | None = None
    logits: NDArray[np.float64] = field(init=False)

    def __post_init__(self) -> None:
        m = len(self.network_logits)
        _expect("network_logits", self.network_logits, (m,), np.float32)
        _expect("spans", self.spans, (m, 2), np.int64)
        if self.patches is not None:
            _expect("patches", self.patches, (m, None, None), np.float32)
        if self.patches is None or self.head is None:
            logits = self.network_logits.astype(np.float64)
        else:
            logits = self.head.logits(self.patches)
        object.__setattr__(self, "logits", logits)

    @classmethod
    def per_frame(
        cls,
        network_logits: NDArray[np.float32],
        patches: NDArray[np.float32] | None = None,
        head: PatchHead | None = None,
    ) -> Evidence:
        """Return the evidence of a detector that gives one logit per moment.

        Examples
        --------
        >>> Evidence.per_frame(np.zeros(2, np.float32)).spans.tolist()
        [[0, 0], [1, 1]]
        """
        moments = np.arange(len(network_logits), dtype=np.int64)
        return cls(network_logits, np.stack([moments, moments], axis=1), patches, head)


@dataclass(frozen=True)
class Aggregate:
    """Rule that makes one logit of many: mean of the `k` highest frame logits (``"top_k"``)."""

    name: str
    k: int


@dataclass(frozen=True)
class Verdict:
    """One person's, or the clip's, verdict. There is no probability without a stated prior.

    Attributes
    ----------
    logit
        Aggregated fake logit; None when there was nothing to score.
    threshold
        At or above it the detector calls the track forged.
    log10_lr, lr_bounds
        Calibrated likelihood ratio and the bounds of the calibration, or None.
    abstained, reason, reason_code
        Whether no verdict is given, why, and the stable word for it: that of the reason.
    """

    logit: float | None
    threshold: float
    log10_lr: float | None = None
    lr_bounds: tuple[float, float] | None = None
    abstained: bool = False
    reason: Message | None = None
    reason_code: str | None = None

    def __post_init__(self) -> None:
        # a finished sentence comes from files of earlier versions, and stays English
        reason: Message | str | None = self.reason
        if isinstance(reason, str):
            reason = Message("", reason)
        if reason is not None and not reason.code and self.reason_code:
            reason = dataclasses.replace(reason, code=self.reason_code)
        object.__setattr__(self, "reason", reason)
        if reason is not None:
            object.__setattr__(self, "reason_code", reason.code or None)

    @property
    def is_fake(self) -> bool:
        """Whether a verdict is given and it is 'forged'."""
        return not self.abstained and self.logit is not None and self.logit >= self.threshold


@dataclass(frozen=True)
class Interval:
    """A stretch of time that speaks for forgery, and its share of the evidence above threshold."""

    start_s: float
    end_s: float
    share: float


@dataclass(frozen=True, eq=False, repr=False)
class Explanation(_Brief):
    """The ledger of one track: reference + sum of frame shares = logit.

    Attributes
    ----------
    reference_kind, reference_logit, reference_valid
        What stands for 'nothing forged', its logit, and whether the detector judges it genuine.
    frame_shares : (M,) float64
        Exact Shapley share of each frame.
    shares : (M, 10) float64
        Each frame's share split over `REGIONS`; all zero where it was left unsplit.
    unsplit : (M,) float64
        The part of each frame's share that no region carries.
    intervals
        Stretches of evidence above the threshold, strongest first.
    residual
        logit - reference - sum of frame shares, recomputed; below 1e-6 in size.
    """

    reference_kind: str
    reference_logit: float
    reference_valid: bool
    frame_shares: NDArray[np.float64]
    shares: NDArray[np.float64]
    unsplit: NDArray[np.float64]
    intervals: tuple[Interval, ...]
    residual: float

    @property
    def region_shares(self) -> NDArray[np.float64]:
        """Sum over frames: (10,) float64, in the order of `REGIONS`."""
        return np.asarray(self.shares.sum(axis=0))


@dataclass(frozen=True, eq=False, repr=False)
class KeyFrame(_Brief):
    """A picture for people: the crop of a frame that mattered, and its patch evidence.

    `position` counts in the track; `rgb` is (S, S, 3) uint8; `heat` is the patch share of the
    frame's evidence, (h, w) float32, or None.
    """

    position: int
    rgb: NDArray[np.uint8]
    heat: NDArray[np.float32] | None


@dataclass(frozen=True, eq=False, repr=False)
class TrackResult(_Brief):
    """Everything about one person. `explanation` is None on `--no-explain` or without evidence."""

    track: FaceTrack
    verdict: Verdict
    aggregate: Aggregate
    evidence: Evidence
    explanation: Explanation | None = None
    key_frames: tuple[KeyFrame, ...] = ()
    notices: tuple[Notice, ...] = ()

    @property
    def judges_spans(self) -> bool:
        """Whether a logit stands for several moments: the detector looks at stretches."""
        spans = self.evidence.spans
        return bool((spans[:, 0] != spans[:, 1]).any())

    def row_at(self, position: int) -> int:
        """Return the row of the evidence that a moment of the track belongs to, or is next to."""
        spans = self.evidence.spans
        away = np.maximum(spans[:, 0] - position, position - spans[:, 1])
        return int(np.maximum(away, 0).argmin())

    def logit_at(self, position: int) -> float:
        """Return the logit that stands for a moment of the track."""
        return float(self.evidence.logits[self.row_at(position)])


@dataclass(frozen=True, eq=False, repr=False)
class Report(_Brief):
    """The result of one analysis. `to_dict` in `toolkit.analysis.pipeline` defines `report.json`.

    `speaks` is the person whose track gives the clip's verdict, or None.
    """

    video: Video
    settings: dict[str, Any]
    tracks: tuple[TrackResult, ...]
    verdict: Verdict
    decisive: str | None = field(metadata={"key": "speaks"})
    notices: tuple[Notice, ...] = ()
    timings: dict[str, float] = field(default_factory=dict)


@dataclass(frozen=True, eq=False)
class Examination:
    """A report, and the face crops that each of its tracks was judged on.

    Attributes
    ----------
    report
        As `analyse` returns it.
    crops
        By person; row i of a person's crops is moment i of that person's track.
    entry
        Name of the cache entry that holds all this, for `reopen`; None where it was not kept.
    saved_s
        Seconds that what the cache knew took when it was made.
    """

    report: Report
    crops: dict[str, FaceCrops]
    entry: str | None = None
    saved_s: float = 0.0
