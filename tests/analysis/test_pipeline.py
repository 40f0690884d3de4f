"""The whole road, with a detector whose answer is known and with the bundled one."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys

import cv2
import numpy as np
import pytest

from tests.fakes import GreenDetector
from toolkit import media
from toolkit.analysis import cached, pipeline
from toolkit.detectors.base import Card, InputSpec
from toolkit.errors import Cancelled, VideoError
from toolkit.faces.detect import FaceDetector
from toolkit.faces.mesh import FaceMesh
from toolkit.faces.tracks import FaceReader
from toolkit.forge.selfblend import region_mask
from toolkit.messages import phrase
from toolkit.storage.cache import Cache
from toolkit.types import REGIONS, Aggregate, Sampling
from toolkit.verdict.aggregate import frame_logits

GREEN = (0, 255, 0)


@pytest.fixture(scope="module")
def green_mouth(sample, tmp_path_factory):
    """Return a clip of 8 s whose mouth is painted green from 3.0 to 5.0 s."""
    video = media.probe(sample("cap12_edit"))
    detector, mesh = FaceDetector(), FaceMesh()
    pictures = []
    for frame in media.read(video, np.arange(200)):
        rgb = frame.rgb
        if 75 <= frame.index <= 125:
            points = mesh(rgb, detector(rgb)[0]).points
            rgb = np.where(
                region_mask(points, rgb.shape[:2], ["mouth"], grow=1.0)[..., None] > 0, GREEN, rgb
            )
        pictures.append(rgb.astype(np.uint8))
    out = tmp_path_factory.mktemp("green") / "green.mp4"
    media.write_h264(out, pictures, np.arange(200) / 25, crf=12)
    return out


def overlap(a, b, c, d):
    """Return the intersection over union of two stretches of time."""
    return max(0.0, min(b, d) - max(a, c)) / (max(b, d) - min(a, c))


def test_planted_detector_is_read_exactly(green_mouth):
    report = pipeline.analyse(green_mouth, detector=GreenDetector())
    (track,) = report.tracks
    assert track.verdict.is_fake
    assert report.decisive == "A"
    (interval,) = track.explanation.intervals
    assert overlap(interval.start_s, interval.end_s, 3.0, 5.0) > 0.9
    shares = dict(zip(REGIONS, track.explanation.region_shares, strict=True))
    assert shares["mouth"] > 0.9 * sum(shares.values())
    for name in ("left_eye", "right_eye", "forehead", "contour", "background"):
        assert shares[name] == pytest.approx(0, abs=1e-12), name
    inside = (track.track.pts >= 3.0) & (track.track.pts <= 5.0)
    assert track.explanation.frame_shares[~inside] == pytest.approx(0, abs=1e-9)
    shown = [inside[k.position] for k in track.key_frames]
    assert sum(shown) >= 3


def test_the_rule_over_frames_is_the_detectors_own(green_mouth):
    class Half(GreenDetector):
        card = Card("half", "test", "3" * 64, 0.0, "none", (), top_part=2)

    reports = {}
    for detector in (GreenDetector(), Half()):
        report = pipeline.analyse(green_mouth, detector=detector, sampling=FEW)
        reports[detector.card.name] = report
        (track,) = report.tracks
        logits = np.sort(frame_logits(track.evidence))
        k = -(-len(logits) // detector.card.top_part)
        assert track.aggregate == Aggregate("top_k", k)
        assert track.verdict.logit == pytest.approx(logits[-k:].mean())
        check_ledger(pipeline.to_dict(report))
    assert "top_part" not in reports["green"].settings["detector"]
    assert reports["half"].settings["detector"]["top_part"] == 2


def check_ledger(report):
    """Recompute every sum that `report.json` promises."""
    for track in report["tracks"]:
        shares = [f["share"] for f in track["frames"]]
        total = track["reference"]["logit"] + sum(shares)
        assert total == pytest.approx(track["verdict"]["logit"], abs=1e-6)
        assert abs(track["residual"]) < 1e-6
        for row, rest, share in zip(track["shares"], track["unsplit"], shares, strict=True):
            assert sum(row) + rest == pytest.approx(share, abs=1e-6)
        regions = np.sum(track["shares"], axis=0)
        assert [r["share"] for r in track["regions"]] == pytest.approx(regions.tolist(), abs=1e-9)
        assert [r["name"] for r in track["regions"]] == report["players"] == list(REGIONS)


def test_report_adds_up_and_repeats(sample):
    path = sample("planted_cap12")
    texts = [
        json.dumps(pipeline.to_dict(pipeline.analyse(path, device="cpu")), allow_nan=False)
        for _ in range(2)
    ]
    assert texts[0] == texts[1]
    report = json.loads(texts[0])
    check_ledger(report)
    assert report["schema"] == "doorzicht.report/1"
    assert set(report["video"]) == {
        *("path", "sha256", "bytes", "width", "height", "duration_s", "codec"),
        *("frames_declared", "frames_read"),
    }
    assert {"seed", "device", "sampling", "aggregate", "detector"} <= set(report["settings"])
    assert report["settings"]["aggregate"]["k"] >= 3
    assert report["verdict"]["track"] in {t["id"] for t in report["tracks"]} | {None}


def test_no_explain_leaves_nulls(sample):
    report = pipeline.to_dict(
        pipeline.analyse(
            sample("planted_cap12"), device="cpu", explain=False, sampling=Sampling(frames=16)
        )
    )
    (track,) = report["tracks"]
    assert track["shares"] is None
    assert track["frames"][0]["share"] is None
    assert track["verdict"]["logit"] is not None


def test_story_has_two_persons(story):
    """Person A is genuine: whatever is said of B, A is not called forged."""
    report = pipeline.analyse(story, device="cpu")
    assert [t.track.person for t in report.tracks] == ["A", "B"] or len(report.tracks) == 2
    first, second = sorted(report.tracks, key=lambda t: t.track.pts[0])
    for track in (first.track, second.track):
        seconds = float((track.seen[:, 1] - track.seen[:, 0]).sum())
        assert len(track.sampled) == Sampling().frames_for(seconds)
        assert set(track.indices.tolist()) <= set(track.sampled.tolist())
    assert first.track.pts[-1] < 5.1
    assert second.track.pts[0] > 4.9
    assert not first.verdict.is_fake
    assert any(n.code == "cut" and abs(n.at_s - 5.0) < 0.3 for n in report.notices)


def test_same_person_across_a_cut_is_one_track(sample, tmp_path):
    video = media.probe(sample("cap12_edit"))
    part = [f.rgb for f in media.read(video, np.arange(60))]
    part += [
        np.ascontiguousarray(f.rgb[20:280, 20:380]) for f in media.read(video, np.arange(600, 660))
    ]
    part = [cv2.resize(p, (400, 300)) for p in part]
    middle = [np.full((300, 400, 3), 30, np.uint8)] * 50
    media.write_h264(tmp_path / "cut.mp4", part[:60] + middle + part[60:], np.arange(170) / 25)
    scan = FaceReader().scan(media.probe(tmp_path / "cut.mp4"), Sampling())
    (person,) = scan.persons
    assert len(person.tracklets) == 2
    assert scan.without_face > 0


@pytest.mark.parametrize("turns", [1, 2, 3])
def test_turned_video_is_righted(sample, tmp_path, turns):
    video = media.probe(sample("cap12_edit"))
    pictures = [np.rot90(f.rgb, turns) for f in media.read(video, np.arange(0, 60))]
    path = tmp_path / "turned.mp4"
    media.write_h264(path, [np.ascontiguousarray(p) for p in pictures], np.arange(60) / 25)
    report = pipeline.analyse(path, detector=GreenDetector(), sampling=Sampling(frames=16))
    assert any(n.code == "turned" for n in report.notices)
    (track,) = report.tracks
    assert np.abs(track.track.pose[:, 2]).max() < 30


def test_no_face_abstains(tmp_path):
    media.write_h264(
        tmp_path / "black.mp4", [np.zeros((120, 160, 3), np.uint8)] * 60, np.arange(60) / 25
    )
    report = pipeline.analyse(tmp_path / "black.mp4", detector=GreenDetector())
    assert report.verdict.abstained
    assert report.verdict.reason_code == "no_face"
    assert report.tracks == ()
    json.dumps(pipeline.to_dict(report), allow_nan=False)


def test_a_toy_that_passes_for_a_face_is_no_suspect(shared):
    clip = (
        shared / "data/clips/real/ffpp_c40_original_481.mp4"
    )  # a toy robot stands behind the woman
    report = pipeline.analyse(clip, detector=GreenDetector(), sampling=Sampling(frames=16))
    woman, *others = report.tracks
    assert (report.decisive, woman.verdict.abstained) == (woman.track.person, False)
    assert woman.track.max_score > 0.9
    assert all(r.verdict.abstained and r.track.max_score < 0.88 for r in others)
    # seen long enough to be judged, were it a face; another is gone too soon
    assert "unsure_face" in {r.verdict.reason_code for r in others}


def test_single_frame_abstains(sample, tmp_path):
    video = media.probe(sample("cap12_edit"))
    (frame,) = media.read(video, np.array([0]))
    media.write_h264(tmp_path / "one.mp4", [frame.rgb], np.zeros(1))
    report = pipeline.analyse(tmp_path / "one.mp4", detector=GreenDetector())
    assert report.verdict.reason_code == "too_few_frames"


def test_cancel_in_every_stage(green_mouth):
    stages = set()

    def note(stage, done, total):
        stages.add(stage)

    few = Sampling(scan_per_second=1, frames=16)
    pipeline.analyse(green_mouth, detector=GreenDetector(), sampling=few, tick=note)
    assert {"hash", "scan", "faces", "detect", "explain"} <= stages
    for wanted in sorted(stages):

        def stop(stage, done, total, wanted=wanted):
            if stage == wanted:
                raise Cancelled

        with pytest.raises(Cancelled):
            pipeline.analyse(green_mouth, detector=GreenDetector(), sampling=few, tick=stop)


def test_file_changed_during_the_run_is_refused(green_mouth, tmp_path):
    copy = tmp_path / "copy.mp4"
    copy.write_bytes(green_mouth.read_bytes())

    def meddle(stage, done, total):
        if stage == "detect":
            with copy.open("ab") as file:
                file.write(b"x")

    with pytest.raises(VideoError):
        pipeline.analyse(copy, detector=GreenDetector(), tick=meddle)


# --- the cache, and what is told on the way

FEW = Sampling(scan_per_second=1, frames=20)


def written(examination):
    return json.dumps(pipeline.to_dict(examination.report), allow_nan=False)


class Stages:
    """Remembers which stages were worked through, and which were only told as finished."""

    def __init__(self):
        self.ticks = {}

    def __call__(self, stage, done, total):
        self.ticks.setdefault(stage, []).append((done, total))

    @property
    def worked(self):
        return {stage for stage, ticks in self.ticks.items() if ticks != [(1, 1)]}


@pytest.fixture(scope="module")
def first_run(green_mouth, tmp_path_factory):
    """Return a folder that holds what a run on `green_mouth` leaves in the cache."""
    folder = tmp_path_factory.mktemp("first") / "cache"
    pipeline.examine(green_mouth, detector=GreenDetector(), sampling=FEW, cache=Cache(folder))
    return folder


@pytest.fixture
def filled(first_run, tmp_path):
    """Return a cache of one's own that knows `green_mouth` already."""
    return Cache(shutil.copytree(first_run, tmp_path / "filled"))


def test_a_second_run_is_answered_by_the_cache_in_the_same_bytes(green_mouth, tmp_path):
    cache, first, second = Cache(tmp_path / "cache"), Stages(), Stages()
    ask = {"detector": GreenDetector(), "sampling": FEW}
    fresh = pipeline.examine(green_mouth, **ask)
    kept = pipeline.examine(green_mouth, **ask, cache=cache, tick=first)
    again = pipeline.examine(green_mouth, **ask, cache=cache, tick=second)
    assert written(fresh) == written(kept) == written(again)
    assert {"hash", "scan", "faces", "detect"} <= first.worked
    assert second.worked == {"hash"}
    assert fresh.entry is None
    assert kept.entry == again.entry
    for person, crops in kept.crops.items():
        for name in ("rgb", "crop_to_frame", "mesh", "region_map", "padding"):
            assert np.array_equal(getattr(crops, name), getattr(again.crops[person], name)), name
    assert set(again.report.timings) == {"hash", "recall"}
    assert (fresh.saved_s, kept.saved_s) == (0.0, 0.0)
    assert again.saved_s == pytest.approx(sum(kept.report.timings.values()))
    reopened = pipeline.reopen(cache, kept.entry)
    assert written(reopened) == written(kept)
    assert pipeline.reopen(cache, "report-" + "0" * 32 + ".npz") is None


def test_another_detector_finds_the_scan_done(green_mouth, filled):
    class Other(GreenDetector):
        card = Card("other", "test", "1" * 64, 0.0, "none", ())
        spec = InputSpec(size=224, margin=0.2)

    class Same(GreenDetector):
        card = Card("same", "test", "2" * 64, 0.0, "none", ())

    for detector, worked in ((Other(), {"faces", "detect"}), (Same(), {"detect"})):
        stages = Stages()
        report = pipeline.analyse(
            green_mouth, detector=detector, sampling=FEW, cache=filled, tick=stages
        )
        assert stages.worked & {"scan", "faces", "detect"} == worked
        fresh = pipeline.analyse(green_mouth, detector=detector, sampling=FEW)
        assert pipeline.to_dict(report) == pipeline.to_dict(fresh)


@pytest.mark.parametrize(
    "change", [{"seed": 1}, {"explain": False}, {"sampling": Sampling(frames=24)}]
)
def test_another_question_is_not_answered_with_the_old_result(green_mouth, filled, change):
    ask = {"detector": GreenDetector(), "sampling": FEW, "cache": filled}
    first = pipeline.examine(green_mouth, **ask)
    second = pipeline.examine(green_mouth, **{**ask, **change})
    assert first.entry != second.entry
    assert written(first) != written(second)


@pytest.mark.parametrize(
    ("changed", "done_again", "found"),
    [
        (["read_by", "made_by"], {"scan", "faces", "detect"}, set()),
        (["made_by"], {"detect"}, {"scan", "faces"}),  # other weights read no clip again
    ],
)
def test_other_code_or_libraries_find_nothing(
    green_mouth, filled, monkeypatch, changed, done_again, found
):
    ask = {"detector": GreenDetector(), "sampling": FEW, "cache": filled}
    for name in changed:
        monkeypatch.setattr(cached, name, lambda: "other code")
    stages = Stages()
    pipeline.examine(green_mouth, **ask, tick=stages)
    assert done_again <= stages.worked
    assert not found & stages.worked


def test_what_is_read_does_not_depend_on_weights_but_the_report_does():
    read, made = cached.read_by(), cached.made_by()
    assert read != made
    assert read == cached._hash_of(cached._READING, ())


def test_what_only_comparisons_read_makes_no_report_anew(tmp_path, monkeypatch):
    (tmp_path / "models").mkdir()
    monkeypatch.setattr(cached.models, "ROOT", tmp_path)
    made = cached.made_by()
    (tmp_path / "models" / "seamnet-known-genuine.json").write_text("{}")
    assert cached.made_by() == made
    (tmp_path / "models" / "seamnet.json").write_text("{}")
    assert cached.made_by() != made


def test_the_same_content_under_another_name_is_the_same_clip(green_mouth, filled, tmp_path):
    copy = tmp_path / "other name.mp4"
    copy.write_bytes(green_mouth.read_bytes())
    ask = {"detector": GreenDetector(), "sampling": FEW, "cache": filled}
    stages = Stages()
    report = pipeline.analyse(copy, **ask, tick=stages)
    assert stages.worked == {"hash"}
    assert report.video.path == copy
    fresh = pipeline.analyse(copy, detector=GreenDetector(), sampling=FEW)
    assert pipeline.to_dict(report) == pipeline.to_dict(fresh)


def test_a_result_without_its_faces_is_computed_again(green_mouth, filled):
    ask = {"detector": GreenDetector(), "sampling": FEW, "cache": filled}
    first = pipeline.examine(green_mouth, **ask)
    for path in filled.folder.glob("faces-*"):
        path.unlink()
    assert pipeline.reopen(filled, first.entry) is None
    again = pipeline.examine(green_mouth, **ask)
    assert written(first) == written(again)
    assert again.crops.keys() == first.crops.keys()


def test_no_face_embedding_is_stored(story, tmp_path, monkeypatch):
    seen = []
    real = FaceReader._add

    def note(self, tracklet, frame, face):
        real(self, tracklet, frame, face)
        seen.extend(tracklet.vectors)

    monkeypatch.setattr(FaceReader, "_add", note)
    cache = Cache(tmp_path)
    pipeline.examine(story, detector=GreenDetector(), sampling=FEW, cache=cache)
    assert seen  # two persons across a cut were told apart
    (entry,) = cache.entries("scan")
    stored = cache.open(entry.name)
    assert "vectors" not in json.dumps(stored.packed.plain)
    lengths = {len(v) for v in seen}
    assert not any(a.shape[-1] in lengths for a in stored.packed.arrays.values())
    again = pipeline.examine(story, detector=GreenDetector(), sampling=FEW, cache=cache)
    assert len(again.report.tracks) == 2


def test_a_file_that_changes_is_never_kept_under_its_old_hash(green_mouth, tmp_path):
    copy, cache = tmp_path / "copy.mp4", Cache(tmp_path / "cache")
    copy.write_bytes(green_mouth.read_bytes())

    def meddle(stage, done, total):
        if stage == "scan":
            with copy.open("ab") as file:
                file.write(b"x")

    with pytest.raises(VideoError):
        pipeline.examine(copy, detector=GreenDetector(), sampling=FEW, cache=cache, tick=meddle)
    assert cache.bytes() == 0


def test_a_cancelled_run_leaves_what_was_finished(green_mouth, tmp_path):
    cache = Cache(tmp_path)
    ask = {"detector": GreenDetector(), "sampling": FEW, "cache": cache}

    def stop(stage, done, total):
        if stage == "detect":
            raise Cancelled

    with pytest.raises(Cancelled):
        pipeline.examine(green_mouth, **ask, tick=stop)
    stages = Stages()
    pipeline.examine(green_mouth, **ask, tick=stages)
    assert stages.worked & {"scan", "faces", "detect"} == {"detect"}


def test_what_is_known_so_far_is_told_and_changes_no_bit(sample):
    told = []
    ask = {"device": "cpu", "sampling": Sampling(scan_per_second=1, frames=40)}
    quiet = pipeline.analyse(sample("planted_cap12"), **ask)
    report = pipeline.analyse(sample("planted_cap12"), **ask, on_partial=told.append)
    assert json.dumps(pipeline.to_dict(report)) == json.dumps(pipeline.to_dict(quiet))
    assert told[0].persons[0].person == ""  # somebody was seen, and when
    assert len(told[0].persons[0].seen)
    (track,) = report.tracks
    counts = [len(p.persons[0].logits) for p in told]
    assert counts == sorted(counts)
    assert len(set(counts)) >= 4
    last = told[-1].persons[0]
    assert np.array_equal(last.logits, track.evidence.logits)
    assert np.array_equal(last.pts, track.track.pts)
    assert last.face.shape == (224, 224, 3)
    assert told[-1].threshold == track.verdict.threshold


def test_who_judged_in_place_of_another_is_said(green_mouth):
    class StandIn(GreenDetector):
        card = Card(
            "green", "test", "0" * 64, 0.0, "none", (), instead_of="red", because=phrase("No red.")
        )

    report = pipeline.analyse(green_mouth, detector=StandIn(), sampling=FEW)
    said = {n.code: str(n) for n in report.notices}
    assert said["stand_in"] == pipeline.STAND_IN
    assert said["stand_in_reason"] == "No red."
    assert report.settings["detector"]["instead_of"] == "red"
    assert pipeline.run_facts(report)["detector"]["instead_of"] == "red"


def test_a_detector_of_ones_own_tells_its_logits_while_they_come(green_mouth):
    told = []
    whole = pipeline.analyse(green_mouth, detector=GreenDetector(), sampling=FEW)
    report = pipeline.analyse(
        green_mouth,
        detector=GreenDetector(),
        sampling=FEW,
        on_partial=lambda partial: told.append([len(p.logits) for p in partial.persons]),
    )
    counts = [c[0] for c in told if c and c[0]]
    assert counts[0] == pipeline.TOLD_MIN
    assert counts[-1] == 20
    assert pipeline.to_dict(report) == pipeline.to_dict(whole)


def test_a_file_that_is_refused_need_not_wait_for_torch(tmp_path):
    (tmp_path / "page.mp4").write_text("<html>")
    code = (
        "import sys; from toolkit.analysis import pipeline; from toolkit.errors import VideoError\n"
        "try: pipeline.analyse(sys.argv[1])\n"
        "except VideoError: print('torch' in sys.modules)"
    )
    command = [sys.executable, "-c", code, str(tmp_path / "page.mp4")]
    assert subprocess.run(command, capture_output=True, text=True, check=False).stdout == "False\n"
