"""What becomes of a verdict along re-share chains, told with made-up analyses and one real one."""

from __future__ import annotations

import dataclasses
import json

import numpy as np
import pytest

from toolkit import _i18n
from toolkit.analysis import pipeline, robustness
from toolkit.analysis.robustness import CHAINS, match_persons, try_chains, word_of
from toolkit.errors import Cancelled, UsageError, VideoError
from toolkit.media.reshare import parse
from toolkit.types import (
    Aggregate,
    Evidence,
    FaceTrack,
    Report,
    Sampling,
    TrackResult,
    Verdict,
    Video,
)

THRESHOLD = 1.0


def person(letter, *, x, seen, logit=2.0, abstained=False):
    pts = np.linspace(*seen, 10)
    track = FaceTrack(
        person=letter,
        indices=np.arange(10, dtype=np.int64),
        pts=pts,
        boxes=np.tile([float(x), 20.0, 60.0, 80.0], (10, 1)),
        mesh=np.zeros((10, 478, 3), np.float32),
        presence=np.ones(10),
        pose=np.zeros((10, 3)),
        shots=np.zeros(10, np.int64),
        seen=np.array([seen], float),
        max_score=0.95,
    )
    code = "face_too_small" if abstained else None
    verdict = Verdict(logit, THRESHOLD, abstained=abstained, reason_code=code)
    evidence = Evidence(np.full(10, logit, np.float32), np.tile(np.arange(10)[:, None], (1, 2)))
    return TrackResult(track, verdict, Aggregate("top_k", 3), evidence)


def report_of(path, *people, width=400):
    video = Video(
        path=path,
        sha256="0" * 64,
        bytes=1,
        width=width,
        height=300,
        codec="h264",
        duration_s=10.0,
        frames_declared=None,
        pts=np.arange(250) / 25,
        keyframes=np.zeros(1, np.int64),
    )
    detector = {"name": "seamnet", "weights_sha256": "0" * 64}
    settings = {"detector": detector, "seed": 0, "sampling": Sampling().to_dict()}
    return Report(video, settings, people, Verdict(None, THRESHOLD), None)


@pytest.fixture
def first(tmp_path):
    return report_of(
        tmp_path / "clip.mp4",
        person("A", x=40, seen=(0, 5), logit=0.0),
        person("B", x=200, seen=(5, 10), logit=2.0),
    )


@pytest.fixture
def made_up(monkeypatch):
    """Let the next analyses be what is put into the list that is returned."""
    answers = []

    def analyse(_path, *, tick, **_settings):
        tick("detect", 1, 2)
        answer = answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer

    monkeypatch.setattr(robustness, "reshare", lambda *_a, tick, **_k: tick("reshare", 1, 2))
    monkeypatch.setattr(robustness.pipeline, "analyse", analyse)
    monkeypatch.setattr(robustness.registry, "load", lambda *_a, **_k: object())
    return answers


def test_it_says_for_each_person_whether_the_verdict_holds(first, made_up):
    made_up += [
        report_of(
            first.video.path,  # letters may change places
            person("A", x=200, seen=(5, 10), logit=0.5),
            person("B", x=40, seen=(0, 5), logit=0.1),
        ),
        report_of(first.video.path, person("A", x=40, seen=(0, 5), abstained=True)),
    ]
    found = try_chains(first, chains=["crf28", "crop25,crf33"])
    assert found.first == (("A", "not_forged"), ("B", "forged"))
    told = [(o.chain, o.person, o.verdict, o.holds) for o in found.outcomes]
    assert told == [
        ("crf28", "A", "not_forged", True),
        ("crf28", "B", "not_forged", False),
        ("crop25,crf33", "A", "abstained", False),
        ("crop25,crf33", "B", "missing", False),
    ]
    assert found.outcomes[2].reason_code == "face_too_small"
    lines = found.lines()
    assert lines[0] == "Person A: not called forged; the same after 1 of 2 re-shares."
    assert any("crop25,crf33" in line and "person not found" in line for line in lines)
    json.dumps(found.to_dict())
    _i18n.set_language("nl")
    assert found.lines() != lines


def test_no_line_puts_a_number_beside_the_verdict(first, made_up):
    made_up.append(report_of(first.video.path))
    for line in try_chains(first, chains=["crf28"]).lines():
        assert "logit" not in line
        assert not any(mark in line for mark in ("2.0", "0.0"))


def test_a_chain_that_fails_is_told_and_the_rest_goes_on(first, made_up):
    same = report_of(first.video.path, *first.tracks)
    made_up += [VideoError("too small", "x"), same]
    found = try_chains(first, chains=["crop45,crf28", "crf28"])
    assert [chain for chain, _why in found.failed] == ["crop45,crf28"]
    assert {o.chain for o in found.outcomes} == {"crf28"}
    assert all(o.holds for o in found.outcomes)
    assert "could not be tried: too small" in found.lines()[-1]


def test_progress_never_goes_back_and_cancel_works(first, made_up):
    made_up += [report_of(first.video.path, *first.tracks)] * 3
    told = []
    try_chains(first, chains=["crf28"] * 3, tick=lambda *now: told.append(now))
    assert {stage for stage, _d, _t in told} == {"reshare_test"}
    done = [d for _s, d, _t in told]
    assert done == sorted(done)
    assert done[-1] == told[-1][2]

    def stop(_stage, done, _total):
        if done > 1000:
            raise Cancelled

    made_up += [report_of(first.video.path, *first.tracks)] * 3
    with pytest.raises(Cancelled):
        try_chains(first, chains=["crf28"] * 3, tick=stop)


def test_a_wrong_chain_is_refused_before_anything_is_done(first, made_up):
    made_up.append(report_of(first.video.path))
    with pytest.raises(UsageError):
        try_chains(first, chains=["crf28", "zoom"])
    assert len(made_up) == 1


def test_two_at_once_are_told_apart_by_place(tmp_path):
    left, right = person("A", x=20, seen=(0, 10)), person("B", x=300, seen=(0, 10))
    before = report_of(tmp_path, left, right)
    after = report_of(
        tmp_path,
        dataclasses.replace(right, track=dataclasses.replace(right.track, person="A")),
        dataclasses.replace(left, track=dataclasses.replace(left.track, person="B")),
    )
    pairs = match_persons(before, after)
    assert {a: r.track.person for a, r in pairs.items()} == {"A": "B", "B": "A"}


def test_somebody_at_another_time_is_nobody(tmp_path):
    before = report_of(tmp_path, person("A", x=20, seen=(0, 4)))
    assert match_persons(before, report_of(tmp_path, person("A", x=20, seen=(5, 10)))) == {}


def test_words_of_verdicts():
    assert word_of(Verdict(2.0, 1.0)) == "forged"
    assert word_of(Verdict(0.5, 1.0)) == "not_forged"
    assert word_of(Verdict(2.0, 1.0, abstained=True)) == "abstained"
    assert word_of(Verdict(None, 1.0)) == "abstained"


def test_the_usual_chains_can_be_read():
    assert len(set(CHAINS)) == len(CHAINS) >= 9
    assert CHAINS[0] == "crop10,caption,scale480,crf28,crf28"
    for chain in CHAINS:
        parse(chain)


@pytest.mark.slow
def test_on_a_real_clip(story):
    """One chain, all the way through."""
    report = pipeline.analyse(story, explain=False)
    found = try_chains(report, chains=["crf28"])
    assert not found.failed
    assert [o.person for o in found.outcomes] == ["A", "B"]
    assert all(o.verdict != "missing" for o in found.outcomes)
