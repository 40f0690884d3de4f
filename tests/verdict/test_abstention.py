"""Every reason to abstain: at its limit, beyond it, in its order and in words."""

import re
from dataclasses import replace

import numpy as np
import pytest

from tests.fakes import black_crops
from toolkit.errors import UsageError
from toolkit.types import FaceTrack, Verdict
from toolkit.verdict import abstention
from toolkit.verdict.abstention import Limits, clip_verdict, judge

ORDER = [
    "too_few_frames",
    "few_meshes",
    "face_too_small",
    "weak_mesh",
    "pose",
    "cut_off",
    "low_quality",
    "unsure_face",
]


def make(
    n=12,
    *,
    width=120.0,
    presence=0.9,
    yaw=5.0,
    padding=0.0,
    sharpness=40.0,
    max_score=0.94,
    wanted=0,
):
    """Return a track and its crops; a number stands for every moment, an array for each."""
    track = FaceTrack(
        person="A",
        indices=np.arange(n),
        pts=np.arange(n) / 4,
        boxes=np.zeros((n, 4)),
        mesh=np.zeros((n, 478, 3), np.float32),
        presence=np.broadcast_to(presence, n).astype(float),
        pose=np.stack([np.broadcast_to(yaw, n), np.full(n, 80.0), np.zeros(n)], 1).astype(float),
        shots=np.zeros(n, np.int64),
        seen=np.zeros((1, 2)),
        max_score=max_score,
        sampled=np.arange(wanted),
    )
    crops = black_crops(n, width=width, sharpness=sharpness, padding=padding)
    return {"track": track, "crops": crops}


def test_a_good_track_gets_a_verdict_with_what_was_calibrated():
    verdict = judge(1.5, 0.5, **make(), log10_lr=0.8, lr_bounds=(0.2, 1.0))
    assert verdict == Verdict(1.5, 0.5, 0.8, (0.2, 1.0))
    assert verdict.is_fake
    assert not judge(0.4, 0.5, **make()).is_fake


@pytest.mark.parametrize(
    ("at", "beyond", "code", "words"),
    [
        (
            {"max_score": 0.88},
            {"max_score": 0.84},
            "unsure_face",
            ["not be a face", "0.84", "0.88"],
        ),
        ({"n": 8}, {"n": 7}, "too_few_frames", ["too few frames", "7", "8"]),
        ({"wanted": 24}, {"wanted": 25}, "few_meshes", ["too few of the moments", "48 %", "50 %"]),
        ({"width": 64.0}, {"width": 63.97}, "face_too_small", ["too small", "63.9 px", "64 px"]),
        ({"presence": 0.5}, {"presence": 0.41}, "weak_mesh", ["mesh", "0.41", "0.5"]),
        (
            {"yaw": np.repeat([-60.0, 45.0], 6)},
            {"yaw": np.repeat([-60.0, 60.0, 45.0], [6, 1, 5])},
            "pose",
            ["turned", "45°", "59 %", "50 %"],
        ),
        ({"padding": 0.10}, {"padding": 0.104}, "cut_off", ["cut off", "10.4 %", "10 %"]),
        ({"sharpness": 20.0}, {"sharpness": 5.26}, "low_quality", ["quality", "5.2", "20"]),
    ],
)
def test_each_rule_starts_beyond_its_limit(at, beyond, code, words):
    assert not judge(1.0, 0.0, **make(**at)).abstained
    verdict = judge(1.0, 0.0, **make(**beyond), log10_lr=0.5, lr_bounds=(0.0, 1.0))
    assert verdict.abstained
    assert not verdict.is_fake
    assert verdict.reason_code == code
    assert (verdict.logit, verdict.log10_lr, verdict.lr_bounds) == (1.0, None, None)
    said = str(verdict.reason)
    assert all(word in said for word in words), said
    assert re.fullmatch(r"[A-Z].*[^.]\.", said)


def test_the_first_rule_that_applies_is_the_reason():
    names = ("wanted", "width", "presence", "yaw", "padding", "sharpness", "max_score")
    bad = dict(zip(names, (99, 9.0, 0.1, 90.0, 0.5, 0.1, 0.6), strict=True))
    good = dict(zip(names, (12, 99.0, 1.0, 0.0, 0.0, 99.0, 0.94), strict=True))
    seen = [judge(1.0, 0.0, **make(3, **bad)).reason_code]
    while bad:
        seen.append(judge(1.0, 0.0, **make(**{**good, **bad})).reason_code)
        del bad[next(iter(bad))]
    assert seen == ORDER


def test_most_moments_decide_and_not_a_few():
    small = np.full(12, 100.0)
    small[:5] = 20.0
    assert not judge(1.0, 0.0, **make(width=small)).abstained
    small[:7] = 20.0
    assert judge(1.0, 0.0, **make(width=small)).reason_code == "face_too_small"


def test_limits_can_be_fitted():
    limits = replace(Limits(), sharpness=50.0)
    assert judge(1.0, 0.0, **make(), limits=limits).reason_code == "low_quality"
    with pytest.raises(UsageError, match="moments = 0"):
        Limits(moments=0)


@pytest.mark.parametrize("logit", [None, float("nan"), float("inf")])
def test_no_score_is_no_verdict(logit):
    verdict = judge(logit, 0.0, **make())
    assert verdict.reason_code == "no_score"
    assert verdict.logit is None
    assert judge(logit, 0.0, **make(0)).reason_code == "too_few_frames"


def test_a_measure_that_is_not_a_number_abstains():
    verdict = judge(1.0, 0.0, **make(sharpness=np.nan))
    assert verdict.reason_code == "low_quality"
    assert "unknown" in str(verdict.reason)


GENUINE, FORGED = Verdict(-2.0, 0.0), Verdict(3.0, 0.0)
UNSURE = Verdict(9.0, 0.0, abstained=True, reason="The face is too small.", reason_code="x")


@pytest.mark.parametrize(
    ("results", "verdict", "person"),
    [
        ([("A", GENUINE), ("B", FORGED)], FORGED, "B"),
        ([("A", FORGED), ("B", Verdict(2.0, 0.0))], FORGED, "A"),
        ([("A", UNSURE), ("B", GENUINE)], GENUINE, "B"),
        ([("A", FORGED), ("B", FORGED)], FORGED, "A"),
        ([("A", UNSURE), ("B", replace(UNSURE, reason="Other."))], UNSURE, None),
    ],
)
def test_who_speaks_for_the_clip(results, verdict, person):
    assert clip_verdict(results, 0.0, frames_read=40) == (verdict, person)


def test_a_clip_without_a_face():
    verdict, person = clip_verdict([], 0.25, frames_read=31)
    assert person is None
    assert verdict.abstained
    assert (verdict.reason_code, verdict.threshold, verdict.logit) == ("no_face", 0.25, None)
    assert str(verdict.reason) == "There is no face in the 31 frames looked at."
    assert "1 frame looked" in str(clip_verdict([], 0.0, frames_read=1)[0].reason)


def test_what_is_measured_is_what_is_held_against_the_limits():
    yaw = np.repeat([-60.0, 5.0], [3, 9])
    padding = np.r_[0.02, np.full(11, 0.01)]
    found = abstention.measures(**make(width=70.0, yaw=yaw, padding=padding, sharpness=np.nan))
    assert found == {
        "unsure_face": 0.94,
        "too_few_frames": 12,
        "few_meshes": 1,
        "face_too_small": 70,
        "weak_mesh": 0.9,
        "pose": 0.25,
        "cut_off": 0.01,
        "low_quality": None,
    }
    assert set(found) == set(abstention.ABOVE)
    assert [c for c, above in abstention.ABOVE.items() if above] == ["pose", "cut_off"]
    assert abstention.limit_of("face_too_small") == 64
    assert abstention.limit_of("low_quality", Limits(sharpness=7)) == 7
