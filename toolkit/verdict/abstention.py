"""When no verdict is given, and why: no verdict beats a wrong one."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from toolkit._i18n import N_
from toolkit.errors import OutOfRangeError
from toolkit.faces.mesh import SURE_SCORE
from toolkit.messages import Message, Value, phrase
from toolkit.types import FaceCrops, FaceTrack, Verdict


@dataclass(frozen=True)
class Limits:
    """Where the detector has nothing to say.

    Start values. The benchmark tries others on half of the scenes; on the other half none of those
    lowered the error by more than 0.03 (models/seamnet-small.md):
    these stay.

    Attributes
    ----------
    moments
        Fewest usable moments of a track, at least 1.
    meshed
        Smallest share of the moments read of a person in which a face could be meshed, 0..1.
    face_px
        Smallest median width of the face oval, in source pixels.
    presence
        Smallest median presence of the face mesh, 0..1.
    yaw_deg, yaw_part
        A moment is turned away above `yaw_deg`; at most `yaw_part` of the moments may be.
    padding
        Largest median share of the face outside the picture or in its black bars, 0..1.
    sharpness
        Smallest median variance of the Laplacian (face at 128 px). Between a clip coded at CRF
        51 (17) and the softest usable genuine clip looked at (32).
    max_score
        Smallest value of the face detector's highest score. The main person of each of 86 clips
        reached 0.92; what else had passed for a face there, a toy robot above all, at most 0.79.
    """

    moments: int = 8
    meshed: float = 0.5
    face_px: float = 64.0
    presence: float = 0.5
    yaw_deg: float = 45.0
    yaw_part: float = 0.5
    padding: float = 0.10
    sharpness: float = 20.0
    max_score: float = SURE_SCORE

    def __post_init__(self) -> None:
        if self.moments < 1:
            raise OutOfRangeError(
                "a verdict needs a moment",
                phrase("moments = {moments}", moments=self.moments),
                "Use 1 or more.",
            )


@dataclass(frozen=True)
class _Rule:
    """One way to abstain: `measure` must not be below (or, if `above`, above) its limit."""

    code: str
    measure: Callable[[FaceTrack, FaceCrops, Limits], float]
    limit: Callable[[Limits], float]
    template: str
    above: bool = False
    percent: bool = False
    digits: int = 0

    def reason(self, track: FaceTrack, crops: FaceCrops, limits: Limits) -> Message | None:
        """Return why the track fails, or None. A value that is not a number fails."""
        value, limit = self.measure(track, crops, limits), self.limit(limits)
        if value <= limit if self.above else value >= limit:
            return None
        unit = 100.0 if self.percent else 1.0
        rounded: float | Message = phrase("unknown")
        if math.isfinite(value):  # rounded away from the limit: never "64 px, below 64 px"
            step = 10.0**-self.digits
            away = math.ceil if self.above else math.floor
            rounded = round(away(round(value * unit / step, 6)) * step, self.digits)
        values: dict[str, Value] = {"value": rounded, "limit": limit * unit, "yaw": limits.yaw_deg}
        return Message(self.code, self.template, values)


_RULES = (
    _Rule(
        "too_few_frames",
        lambda track, crops, limits: len(track.pts),
        lambda limits: limits.moments,
        N_(
            "There are too few frames with a usable face: {value:.0f}, where at least {limit:g} "
            "are needed."
        ),
    ),
    _Rule(
        "few_meshes",
        lambda track, crops, limits: (
            len(track.pts) / len(track.sampled) if len(track.sampled) else 1.0
        ),
        lambda limits: limits.meshed,
        N_(
            "The face could be read in too few of the moments looked at: {value:.0f} %, where at "
            "least {limit:g} % are needed."
        ),
        percent=True,
    ),
    _Rule(
        "face_too_small",
        lambda track, crops, limits: float(np.median(crops.face_width)),
        lambda limits: limits.face_px,
        N_(
            "The face is too small: its median width is {value:.1f} px, below the limit of "
            "{limit:g} px."
        ),
        digits=1,
    ),
    _Rule(
        "weak_mesh",
        lambda track, crops, limits: float(np.median(track.presence)),
        lambda limits: limits.presence,
        N_(
            "The face mesh is too uncertain: its median presence is {value:.2f}, below the limit "
            "of {limit:g}."
        ),
        digits=2,
    ),
    _Rule(
        "pose",
        lambda track, crops, limits: float(np.mean(np.abs(track.pose[:, 0]) > limits.yaw_deg)),
        lambda limits: limits.yaw_part,
        N_(
            "The face is turned too far: more than {yaw:g}° in {value:.0f} % of its moments, above "
            "the limit of {limit:g} %."
        ),
        above=True,
        percent=True,
    ),
    _Rule(
        "cut_off",
        lambda track, crops, limits: float(np.median(crops.padding)),
        lambda limits: limits.padding,
        N_(
            "The face is cut off by the edge of the picture: {value:.1f} % of it lies outside, "
            "above the limit of {limit:g} %."
        ),
        above=True,
        percent=True,
        digits=1,
    ),
    _Rule(
        "low_quality",
        lambda track, crops, limits: float(np.median(crops.sharpness)),
        lambda limits: limits.sharpness,
        N_(
            "The picture quality is too low: its median sharpness is {value:.1f}, below the limit "
            "of {limit:g}."
        ),
        digits=1,
    ),
    _Rule(
        "unsure_face",
        lambda track, crops, limits: track.max_score,
        lambda limits: limits.max_score,
        N_(
            "This may not be a face: the face detector's highest score is {value:.2f}, below the "
            "limit of {limit:g}."
        ),
        digits=2,
    ),
)
"""In this order; the first that applies is the reason."""

ABOVE = {rule.code: rule.above for rule in _RULES}
"""The reasons that a measure gives, and whether it does so above its limit rather than below."""


def limit_of(code: str, limits: Limits | None = None) -> float:
    """Return the limit of the rule with a reason code of `ABOVE`."""
    return float(next(r.limit for r in _RULES if r.code == code)(limits or Limits()))


def measures(
    track: FaceTrack, crops: FaceCrops, limits: Limits | None = None
) -> dict[str, float | None]:
    """Return what is held against the limits, by reason code; None where it is not a number."""
    limits = limits or Limits()
    values = {rule.code: float(rule.measure(track, crops, limits)) for rule in _RULES}
    return {code: value if math.isfinite(value) else None for code, value in values.items()}


def judge(
    logit: float | None,
    threshold: float,
    *,
    track: FaceTrack,
    crops: FaceCrops,
    limits: Limits | None = None,
    log10_lr: float | None = None,
    lr_bounds: tuple[float, float] | None = None,
) -> Verdict:
    """Give one person's verdict, or abstain with a reason.

    Parameters
    ----------
    logit
        Aggregated fake logit of the track; None when nothing could be scored.
    threshold
        At or above it the detector calls the track forged.
    track, crops
        What the logit was made from: N moments each.
    limits
        Where to abstain; None for the start values.
    log10_lr, lr_bounds
        Calibrated likelihood ratio and its bounds, passed on unless the verdict abstains.

    Returns
    -------
    Verdict
        With `abstained`, one `reason` naming value and limit, and a `reason_code` out of
        ``too_few_frames``, ``few_meshes``, ``face_too_small``, ``weak_mesh``, ``pose``,
        ``cut_off``, ``low_quality``, ``unsure_face`` and ``no_score`` (a logit that is None or not
        finite), tried in this order. An abstained verdict keeps its logit and gives no likelihood
        ratio.
    """
    limits = limits or Limits()
    if logit is not None and not math.isfinite(logit):
        logit = None
    for rule in _RULES:
        if reason := rule.reason(track, crops, limits):
            return _abstain(logit, threshold, reason)
    if logit is None:
        reason = Message("no_score", "The detector gave no usable score.")
        return _abstain(None, threshold, reason)
    return Verdict(logit, threshold, log10_lr, lr_bounds)


def clip_verdict(
    results: Sequence[tuple[str, Verdict]], threshold: float, *, frames_read: int
) -> tuple[Verdict, str | None]:
    """Give the clip's verdict and the person whose track it comes from.

    One forged person makes a forged clip, so the highest logit among the tracks that have a
    verdict speaks, also when another track abstained.

    Parameters
    ----------
    results
        Person and verdict of each track, in order of screen time.
    threshold
        The detector's threshold, for a clip without a face.
    frames_read
        Number of frames looked at, for the reason when there is no face.

    Returns
    -------
    tuple of Verdict and str or None
        The person is None when every track abstained (the verdict is then that of the first
        track) and when there is no track (``reason_code`` ``"no_face"``).
    """
    if not results:
        reason = (
            Message("no_face", "There is no face in the 1 frame looked at.")
            if frames_read == 1
            else Message(
                "no_face", "There is no face in the {n} frames looked at.", {"n": frames_read}
            )
        )
        return _abstain(None, threshold, reason), None
    judged = [(v.logit, p, v) for p, v in results if not v.abstained and v.logit is not None]
    if not judged:
        return results[0][1], None
    _, person, verdict = max(judged, key=lambda entry: entry[0])
    return verdict, person


def _abstain(logit: float | None, threshold: float, reason: Message) -> Verdict:
    return Verdict(logit, threshold, abstained=True, reason=reason)
