"""No face that must be covered leaves the case, in any form."""

from __future__ import annotations

import base64
import dataclasses
import hashlib
import json
import re
from pathlib import Path

import av
import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from toolkit import media
from toolkit.analysis import pipeline
from toolkit.casework import case as cases
from toolkit.casework import operations, publish, redaction
from toolkit.casework.redaction import (
    COLOUR,
    GROW,
    Cover,
    Covers,
    RedactionError,
    blank_crop,
    check_picture,
    find_covers,
    grow,
    redact_frame,
    redact_report,
    redact_video,
)
from toolkit.errors import Cancelled, UsageError
from toolkit.faces.detect import Detection, FaceDetector, iou
from toolkit.types import FaceTrack

SIZE = (160, 128)  # width, height of the small clips


@pytest.fixture(scope="module")
def seen(story):
    """Return the examination of the story: A before the cut, B after it."""
    return pipeline.examine(story)


@pytest.fixture(scope="module")
def tracks(seen):
    return [r.track for r in seen.report.tracks]


@pytest.fixture(scope="module")
def nobody(seen, tracks, tmp_path_factory):
    """Return covers and copy with everybody covered."""
    out = tmp_path_factory.mktemp("redacted") / "nobody.mp4"
    covers = redact_video(seen.report.video, find_covers(seen.report.video, tracks), out)
    return covers, out


@pytest.fixture(scope="module")
def only_a(seen, tracks, tmp_path_factory):
    """Return covers and copy with A visible."""
    out = tmp_path_factory.mktemp("redacted") / "a.mp4"
    found = find_covers(seen.report.video, tracks, reveal={"A"})
    return redact_video(seen.report.video, found, out), out


@pytest.fixture(scope="module")
def cut(seen):
    """Return the index of the first frame after the cut."""
    (_first, last), *_ = seen.report.tracks[0].track.seen.tolist()
    rgb = {
        f.index: f.rgb for f in media.read(seen.report.video, np.arange(len(seen.report.video.pts)))
    }
    start = int(np.searchsorted(seen.report.video.pts, last))
    change = [np.abs(rgb[i].astype(int) - rgb[i - 1]).mean() for i in range(start, start + 12)]
    return start + int(np.argmax(change))


def pictures(path, step=1):
    video = media.probe(path)
    return {f.index: f.rgb for f in media.read(video, np.arange(0, len(video.pts), step))}


def write(path, frames):
    media.write_h264(path, frames, np.arange(len(frames)) / 25)
    return media.probe(path)


def scene(inside):
    """Return 20 frames of a moving pattern with something at (48, 40), 48 x 56 pixels."""
    y, x = np.mgrid[: SIZE[1], : SIZE[0]]
    frames = []
    for n in range(20):
        frame = np.stack([x + 3 * n, y, 128 + 0 * x], -1).astype(np.uint8)
        frame[40:96, 48:96] = inside(n)
        frames.append(frame)
    return frames


def everywhere(box, person="A", count=20):
    return Covers(frozenset(), {i: (Cover(i, person, box),) for i in range(count)}, {})


# --- what a cover is ----------------------------------------------------------------------


@given(st.tuples(st.floats(-50, 1900), st.floats(-50, 1000), st.floats(2, 900), st.floats(2, 900)))
@settings(max_examples=200, deadline=None)
def test_a_cover_reaches_30_percent_beyond_the_box(box):
    x, y, w, h = box
    left, top, width, height = grow(np.array(box), width=1920, height=1080)
    assert left <= max(0.0, x - GROW * w)
    assert top <= max(0.0, y - GROW * h)
    assert left + width >= min(1920.0, x + w + GROW * w) or width == 0
    assert top + height >= min(1080.0, y + h + GROW * h) or height == 0
    assert left >= 0
    assert top >= 0
    assert left + width <= 1920 or width == 0
    assert top + height <= 1080 or height == 0


def test_what_lies_beneath_leaves_no_trace_in_the_file(tmp_path):
    """Swap the faces, compare the bytes of the whole file: the encoder saw the same pictures."""
    rng = np.random.default_rng(1)
    noise = rng.integers(0, 256, (20, 56, 48, 3)).astype(np.uint8)
    covers, digests = everywhere((40, 32, 64, 72)), set()
    for name, inside in (
        ("dark", lambda n: 10),
        ("bright", lambda n: 250 - 5 * n),
        ("noise", lambda n: noise[n]),
    ):
        video = write(tmp_path / f"{name}.mp4", scene(inside))
        decoded = pictures(video.path)
        # the source itself was coded, so that its surroundings differ a little by now: put back
        pure = scene(lambda n: 0)
        clean = [np.where(_mask((40, 32, 64, 72)), decoded[i], pure[i]) for i in range(20)]
        lossless = tmp_path / f"{name}_pure.avi"
        _write_ffv1(lossless, clean)
        out = tmp_path / f"{name}_out.mp4"
        redact_video(media.probe(lossless), covers, out)
        digests.add(hashlib.sha256(out.read_bytes()).hexdigest())
    assert len(digests) == 1


def _mask(box):
    inside = np.zeros((SIZE[1], SIZE[0], 1), bool)
    inside[box[1] : box[1] + box[3], box[0] : box[0] + box[2]] = True
    return inside


def _write_ffv1(path, frames):
    """Write without loss, so that two clips can be equal outside a rectangle."""
    with av.open(str(path), "w", format="avi") as box:
        stream = box.add_stream("ffv1", rate=25)
        stream.width, stream.height, stream.pix_fmt = *SIZE, "bgr0"
        for picture in frames:
            frame = av.VideoFrame.from_ndarray(picture, format="rgb24").reformat(format="bgr0")
            box.mux(stream.encode(frame))
        box.mux(stream.encode())


def test_the_cover_is_solid_and_the_rest_untouched():
    rgb = np.arange(SIZE[0] * SIZE[1] * 3, dtype=np.uint32).reshape(SIZE[1], SIZE[0], 3)
    rgb = rgb.astype(np.uint8)
    before = rgb.copy()
    covers = Covers(frozenset(), {3: (Cover(3, None, (40, 32, 16, 16)),)}, {})
    out = covers.frame(rgb, 3)
    assert (out[32:48, 40:56] == COLOUR).all()
    assert (
        np.where(_mask((40, 32, 16, 16)), 0, out) == np.where(_mask((40, 32, 16, 16)), 0, rgb)
    ).all()
    assert (rgb == before).all()
    assert (covers.frame(rgb, 4) == rgb).all()


def test_the_letter_is_the_same_whatever_lies_beneath():
    covers = everywhere((16, 16, 96, 96), "B")
    frames = [
        covers.frame(np.full((128, 160, 3), value, np.uint8), 0)[16:112, 16:112]
        for value in (0, 255)
    ]
    assert (frames[0] == frames[1]).all()
    assert len(np.unique(frames[0])) > 1


def test_a_crop_is_covered_where_the_frame_is():
    """A crop at twice the size whose corner is (20, 10) of the frame."""
    covers = everywhere((40, 30, 20, 10))
    crop_to_frame = np.array([[0.5, 0, 20], [0, 0.5, 10]])
    out = covers.crop(np.full((100, 100, 3), 200, np.uint8), crop_to_frame, 0)
    assert (out[41:59, 41:79] == COLOUR).all()
    assert (out[:39] == 200).all()
    assert (out[:, :39] == 200).all()
    assert (out[:, 82:] == 200).all()
    assert (out[62:] == 200).all()


# --- which frames are covered -------------------------------------------------------------


class Scripted:
    """A detector that finds what it is told to, call by call."""

    def __init__(self, boxes):
        self.boxes, self.calls = boxes, 0

    def search(self, _rgb, *, is_fine):
        found = self.boxes(self.calls)
        self.calls += 1
        return [Detection(np.array(b, float), np.zeros((5, 2)), 0.9) for b in found]

    def __call__(self, _rgb):
        return []


@pytest.fixture
def long_clip(tmp_path):
    return write(tmp_path / "long.mp4", [np.full((128, 160, 3), n, np.uint8) for n in range(100)])


def scripted(monkeypatch, boxes):
    monkeypatch.setattr(redaction, "_Watchful", lambda: Scripted(boxes))


FACE = (60, 40, 30, 40)


def test_a_gap_of_up_to_a_second_is_covered(long_clip, monkeypatch):
    scripted(monkeypatch, lambda n: [] if 30 <= n < 55 else [FACE])
    covers = find_covers(long_clip, [])
    assert all(covers.at(i) for i in range(100))


def test_a_longer_gap_is_covered_for_a_second_at_each_end(long_clip, monkeypatch):
    scripted(monkeypatch, lambda n: [FACE] if n < 10 or n >= 90 else [])
    covers = find_covers(long_clip, [])
    covered = [i for i in range(100) if covers.at(i)]
    assert covered == [*range(9 + 25 + 1), *range(90 - 25, 100)]


def test_in_a_gap_both_neighbours_are_covered(long_clip, monkeypatch):
    """The face moves a little while it is not seen."""
    scripted(monkeypatch, lambda n: {20: [FACE], 30: [(66, 40, 30, 40)]}.get(n, []))
    (cover,) = find_covers(long_clip, []).at(25)
    first = grow(np.array(FACE, float), width=160, height=128)
    second = grow(np.array((66.0, 40, 30, 40)), width=160, height=128)
    assert cover.box[0] <= min(first[0], second[0])
    assert cover.box[0] + cover.box[2] >= max(first[0] + first[2], second[0] + second[2])


def test_a_still_face_has_a_tight_cover(long_clip, monkeypatch):
    """While a face is seen, where it was a second ago is not covered any more."""
    scripted(monkeypatch, lambda n: [(10 + n, 40, 30, 40)])
    (cover,) = find_covers(long_clip, []).at(50)
    assert cover.box[2] <= 30 * (1 + 2 * GROW) + 16 + 2


def test_unknown_faces_are_covered_too(long_clip, monkeypatch):
    scripted(monkeypatch, lambda n: [FACE, (5, 5, 20, 25)])
    assert {c.person for c in find_covers(long_clip, []).at(50)} == {None}
    assert len(find_covers(long_clip, []).at(50)) == 2


def track_of(person, indices, pts, boxes):
    n = len(indices)
    return FaceTrack(
        person=person,
        indices=np.array(indices, np.int64),
        pts=np.array(pts, float),
        boxes=np.array(boxes, float).reshape(n, 4),
        mesh=np.zeros((n, 478, 3), np.float32),
        presence=np.ones(n),
        pose=np.zeros((n, 3)),
        shots=np.zeros(n, np.int64),
        seen=np.array([[pts[0], pts[-1]]], float),
        max_score=0.95,
    )


def test_tracked_boxes_are_covered_where_the_detector_sees_nothing(long_clip, monkeypatch):
    scripted(monkeypatch, lambda n: [])
    found = find_covers(long_clip, [track_of("A", [50], [2.0], [FACE])])
    (cover,) = found.at(50)
    assert cover.person == "A"
    assert [bool(found.at(i)) for i in (20, 30, 70, 80)] == [False, True, True, False]


def test_a_person_who_is_not_there_cannot_be_revealed(long_clip):
    with pytest.raises(UsageError, match="no such person to reveal: B"):
        find_covers(long_clip, [track_of("A", [50], [2.0], [FACE])], reveal=["A", "B"])


# --- on real faces ------------------------------------------------------------------------


@pytest.mark.slow
def test_no_face_is_found_in_the_copy(nobody):
    covers, out = nobody
    detector = FaceDetector()
    frames = pictures(out)
    assert len(frames) > 200
    for index, rgb in frames.items():
        assert covers.at(index)
        assert not detector(rgb), index


@pytest.mark.slow
def test_only_the_revealed_person_is_seen(seen, only_a, cut):
    covers, out = only_a
    detector = FaceDetector()
    a = seen.report.tracks[0].track
    visible = [bool(detector(rgb)) for i, rgb in pictures(out, 3).items() if i < cut]
    assert np.mean(visible) > 0.9
    for index, rgb in pictures(out).items():
        found = detector(rgb)
        if index >= cut:
            assert not found, index
        for face in found:
            nearest = a.boxes[int(np.argmin(np.abs(a.indices - index)))]
            assert iou(face.box, nearest) > 0.3
    assert set(covers.to_dict()["frames_covered"]) <= {"B", "?"}
    assert covers.to_dict()["reveal"] == ["A"]


def test_a_place_alone_does_not_reveal(seen, tracks, cut):
    """A's track is made to go on over the cut: B, in A's place, must stay covered."""
    a, b = tracks
    end = int(np.searchsorted(seen.report.video.pts, a.pts[-1] + 1.8))
    box = b.boxes[int(np.argmin(np.abs(b.indices - end)))]
    longer = dataclasses.replace(
        a,
        indices=np.append(a.indices, end),
        pts=np.append(a.pts, seen.report.video.pts[end]),
        boxes=np.vstack([np.tile(box, (len(a.indices), 1)), box]),
        mesh=np.concatenate([a.mesh, a.mesh[-1:]]),
        presence=np.append(a.presence, 1.0),
        pose=np.vstack([a.pose, a.pose[-1:]]),
        shots=np.append(a.shots, a.shots[-1]),
    )
    longer = dataclasses.replace(longer, boxes=np.vstack([a.boxes[:-1], box, box]))
    covers = find_covers(seen.report.video, [longer, b], reveal={"A"})
    assert any(covers.visible.get(i) for i in range(cut))
    for index in range(cut, end):
        assert covers.at(index)
        assert not covers.visible.get(index)


def test_the_copy_has_no_sound_no_metadata_and_the_same_times(seen, nobody):
    _covers, out = nobody
    assert media.probe(out).pts == pytest.approx(seen.report.video.pts, abs=1e-4)
    with av.open(str(out)) as box:
        assert not box.streams.audio
        assert set(box.metadata) <= {"major_brand", "minor_version", "compatible_brands"}
        texts = box.streams.video[0].metadata
        assert set(texts) <= {"language", "handler_name", "vendor_id"}


def test_a_smaller_copy_is_covered_too(seen, nobody, tmp_path):
    redact_video(seen.report.video, nobody[0], tmp_path / "small.mp4", max_height=150)
    detector = FaceDetector()
    frames = pictures(tmp_path / "small.mp4", 10)
    assert {f.shape for f in frames.values()} == {(150, 200, 3)}
    assert not any(detector(rgb) for rgb in frames.values())


def test_a_face_missed_at_first_is_covered_in_the_next_round(seen, tmp_path):
    out = tmp_path / "copy.mp4"
    blind = Covers(frozenset(), {}, {})
    covers = redact_video(seen.report.video, blind, out)
    detector = FaceDetector()
    assert not any(detector(rgb) for rgb in pictures(out, 5).values())
    assert covers.by_index


def test_when_rounds_run_out_nothing_is_written(seen, tmp_path, monkeypatch):
    monkeypatch.setattr(redaction, "ROUNDS_MAX", 1)
    with pytest.raises(RedactionError, match="stayed uncovered"):
        redact_video(seen.report.video, Covers(frozenset(), {}, {}), tmp_path / "copy.mp4")
    assert list(tmp_path.iterdir()) == []


def test_cancelled_halfway_nothing_is_left(seen, nobody, tmp_path):
    def tick(stage, done, _total):
        if stage == "redact" and done > 10:
            raise Cancelled

    with pytest.raises(Cancelled):
        redact_video(seen.report.video, nobody[0], tmp_path / "copy.mp4", tick=tick)
    assert list(tmp_path.iterdir()) == []


# --- stills, crops, the report ------------------------------------------------------------


def test_a_still_is_covered_or_refused(seen, nobody):
    rgb = redact_frame(seen.report.video, nobody[0], 40)
    check_picture(rgb)
    with pytest.raises(RedactionError):
        redact_frame(seen.report.video, Covers(frozenset(), {}, {}), 40)


def test_a_picture_with_a_face_is_refused_unless_it_is_allowed(seen, tracks):
    index = int(tracks[0].indices[5])
    rgb = next(f.rgb for f in media.read(seen.report.video, np.array([index])))
    with pytest.raises(RedactionError):
        check_picture(rgb)
    x, y, w, h = (round(float(v)) for v in tracks[0].boxes[5])
    check_picture(rgb, allowed=[(x, y, w, h)])


def test_the_report_keeps_its_numbers_and_loses_the_faces(seen, only_a):
    covers, _out = only_a
    redacted = redact_report(seen.report, covers, seen.crops)
    before, after = pipeline.to_dict(seen.report), pipeline.to_dict(redacted)
    assert "story" not in json.dumps(after)
    assert after.pop("video")["path"] == "exhibit.mp4"
    before.pop("video")
    assert before == after
    detector = FaceDetector()
    a, b = redacted.tracks
    assert a.key_frames
    assert b.key_frames
    assert all(detector(k.rgb) for k in a.key_frames)
    for key in b.key_frames:
        assert not detector(key.rgb)
        assert (key.rgb[:20] == COLOUR).all()
    assert a.track.mesh.any()
    for secret in (b.track.mesh, b.track.boxes, b.track.pose):
        assert not secret.any()


def test_a_still_on_which_somebody_is_not_covered_is_blank(seen):
    """As if the search of the frames had missed everybody: the still is searched by itself."""
    blind = Covers(frozenset({"A"}), {}, {})
    redacted = redact_report(seen.report, blind, seen.crops)
    detector = FaceDetector()
    assert redacted.tracks[0].key_frames
    assert not any(detector(k.rgb) for k in redacted.tracks[0].key_frames)


def test_without_crops_a_revealed_person_is_blank(seen, only_a):
    redacted = redact_report(seen.report, only_a[0], {})
    detector = FaceDetector()
    assert not any(detector(k.rgb) for r in redacted.tracks for k in r.key_frames)


def test_blank_crops():
    blank = blank_crop(224, "B")
    assert blank.shape == (224, 224, 3)
    assert (blank[0] == COLOUR).all()
    assert (blank != blank_crop(224, "C")).any()
    assert blank_crop(4, "B").shape == (4, 4, 3)


# --- the whole report ---------------------------------------------------------------------


@pytest.fixture(scope="module")
def reported(seen, story, tmp_path_factory):
    """Return a case about the story, reported with A visible."""
    case = cases.create(tmp_path_factory.mktemp("case") / "c")

    def examine(path, **_how):
        video = dataclasses.replace(seen.report.video, path=Path(path))
        return dataclasses.replace(seen, report=dataclasses.replace(seen.report, video=video))

    operations.add(case, story, trust=False, examine=examine)
    publish.report(case, language="en", reveal=["A"])
    return case


def picture_of(data):
    return np.ascontiguousarray(cv2.imdecode(np.frombuffer(data, np.uint8), 1)[..., ::-1])


@pytest.mark.slow
def test_no_face_of_a_covered_person_in_any_picture_or_frame_of_a_report(reported, cut, tmp_path):
    """A is revealed: A's stills are there, B is nowhere, and after the cut no frame has a face."""
    detector = FaceDetector()
    report = reported.path("report/R1")
    page = (report / "report.html").read_text(encoding="utf-8")
    stills = {p.name: p.read_bytes() for p in report.rglob("*.png")}
    assert stills
    assert {name.split("-")[1] for name in stills} == {"A"}
    assert any(detector(picture_of(data)) for data in stills.values())
    drawn = re.findall(r"data:image/\w+;base64,([A-Za-z0-9+/=]+)", page)
    assert len(drawn) == len(stills) // 2 + 1  # each face beside its evidence, and one on page 1
    (film,) = re.findall(r'id="video-E1">([^<]+)<', page)
    (tmp_path / "film.mp4").write_bytes(base64.b64decode(film))
    frames = pictures(tmp_path / "film.mp4")
    assert any(detector(rgb) for index, rgb in frames.items() if index < cut)
    assert not any(detector(rgb) for index, rgb in frames.items() if index >= cut)


def test_the_player_of_a_report_does_not_know_where_a_covered_face_was(reported):
    page = reported.path("report/R1/report.html").read_text(encoding="utf-8")
    places = json.loads(re.search(r'id="state-E1">([^<]+)<', page)[1])["scenes"][0]["arrays"]
    data = base64.b64decode(re.search(r'id="data-E1">([^<]+)<', page)[1])

    def array(name):
        place = places[name]
        kind = np.dtype(f"<{place['type']}")
        return np.frombuffer(data, kind, int(np.prod(place["shape"])), place["at"])

    assert np.isfinite(array("A.boxes")).any()
    for name in ("B.boxes", "B.squares"):
        assert not np.isfinite(array(name)).any()
    assert not {"B.map", "B.heat"} & set(places)
