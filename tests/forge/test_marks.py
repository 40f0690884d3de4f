"""Marks of synthetic clips: they are there, they last, and they do not reach the detector."""

from __future__ import annotations

import json
import zipfile

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.forge import faces as made_up
from toolkit import media
from toolkit.errors import UsageError
from toolkit.faces.crops import CropCollector
from toolkit.forge import expression, marks, swap
from toolkit.media.credentials import make_test_certificate, read_credentials
from toolkit.media.reshare import reshare

AREA = st.tuples(
    st.floats(-50, 400), st.floats(-50, 300), st.floats(1, 300), st.floats(1, 300)
).map(lambda a: (a[0], a[1], a[0] + a[2], a[1] + a[3]))


@pytest.fixture(scope="module")
def performance(sample):
    return swap.read_performance(sample("cap12_edit"), start_s=10, end_s=10.6)


@pytest.fixture(scope="module")
def made(performance, sample, tmp_path_factory):
    gallery = expression.read_clip(sample("franck"), per_second=0.05, name="franck")
    folder = tmp_path_factory.mktemp("marks")
    return swap.swap(performance, gallery, folder / "synthetic_x.mp4")


def frames(path):
    video = media.probe(path)
    return [frame.rgb for frame in media.read(video, np.arange(len(video.pts)))]


@given(st.lists(AREA, max_size=3))
@settings(deadline=None, max_examples=80)
def test_a_clear_place_touches_no_crop(areas):
    place = marks.choose_place((300, 400), areas)
    x, y, w, h = place.box
    assert x >= 0
    assert x + w <= 400
    assert y >= 0
    assert y + h <= 300 + place.strip
    touches = any(x < r and x + w > le and y < b and y + h > t for le, t, r, b in areas)
    assert place.is_clear == (not touches)
    assert (300 + place.strip) % 2 == 0


def test_without_a_free_corner_the_picture_gets_a_strip():
    place = marks.choose_place((288, 360), [(0, 0, 360, 288)])
    assert place.strip > 0
    assert place.is_clear
    out = marks.draw_label(made_up.picture(), marks.choose_place((300, 300), [(0, 0, 300, 300)]))
    assert out.shape[0] > 300
    np.testing.assert_array_equal(out[:300], made_up.picture())
    assert not marks.choose_place((288, 360), [(-90, -90, 500, 500)]).is_clear


@pytest.mark.parametrize("shape", [(144, 176), (300, 400), (720, 1280), (1280, 720), (1080, 1920)])
def test_the_label_is_found_in_every_size(shape):
    rgb = np.full((*shape, 3), 90, np.uint8)
    place = marks.choose_place(shape, [])
    found = marks.find_label(marks.draw_label(rgb, place))
    assert found.score > 0.99
    assert found.box[:2] == place.box[:2]


def test_the_label_is_not_found_where_there_is_none(sample):
    for name in ("cap12_edit", "franck", "carphone_pristine"):
        video = media.probe(sample(name))
        some = np.linspace(0, len(video.pts) - 1, 6).round().astype(np.int64)
        for frame in media.read(video, some):
            assert not marks.find_label(frame.rgb).is_there


def test_every_frame_carries_the_label(made):
    assert all(marks.find_label(rgb).score > 0.95 for rgb in frames(made.path))


@pytest.mark.parametrize(
    "chain", ["scale480,crf35", "crf35,scale480,crf35", "scale480,crf35,fps24"]
)
def test_the_label_survives_sharing(made, tmp_path, chain):
    shared = tmp_path / "shared.mp4"
    reshare(made.path, shared, chain)
    scores = [marks.find_label(rgb).score for rgb in frames(shared)]
    assert min(scores) > 0.8


def test_the_label_changes_no_pixel_of_the_crop_and_no_score(made, performance):
    from toolkit.detectors import registry
    from toolkit.verdict.aggregate import frame_logits

    assert made.place.is_clear
    judge = registry.load("seamnet")
    collectors = [CropCollector(judge.spec) for _ in range(2)]
    video = media.probe(performance.path)
    apart = []
    reader = expression.ExpressionReader()
    for t, frame in enumerate(media.read(video, performance.indices)):
        labelled = marks.draw_label(frame.rgb, made.place)
        collectors[0].add(frame.rgb, performance.mesh[t])
        collectors[1].add(labelled, performance.mesh[t])
        apart.append(np.abs(reader(labelled).mesh - performance.mesh[t]).max())
    plain, marked = (collector.crops() for collector in collectors)
    np.testing.assert_array_equal(plain.rgb, marked.rgb)
    logits = [frame_logits(judge.evidence(crops)) for crops in (plain, marked)]
    np.testing.assert_allclose(*logits, rtol=0, atol=1e-6)
    assert max(apart) < 0.2  # px: where the face is read does not depend on the label either


def test_comment_name_and_credentials_say_the_same(made):
    assert made.path.name.startswith("synthetic_")
    assert marks.read_comment(made.path) == marks.STATEMENT
    found = read_credentials(made.path)
    assert (found.outcome, found.trust) == ("intact", "untrusted")
    assert found.statement == marks.STATEMENT
    assert marks.read_sidecar(made.path)["credentials"] == {"signed_with": "test"}


def test_a_changed_clip_breaks_its_credentials(made, tmp_path):
    copy = tmp_path / "synthetic_x.mp4"
    data = bytearray(made.path.read_bytes())
    data[len(data) // 2] ^= 255
    copy.write_bytes(data)
    assert read_credentials(copy).outcome != "intact"


def test_ones_own_key_is_used_when_it_is_named(tmp_path, monkeypatch):
    own = make_test_certificate(name="A school")
    (tmp_path / "key.pem").write_bytes(own.key_pem)
    (tmp_path / "chain.pem").write_bytes(own.chain_pem)
    monkeypatch.setenv(marks.KEY_VARIABLE, str(tmp_path / "key.pem"))
    with pytest.raises(UsageError, match="cannot be read"):
        marks.configured_certificate()
    monkeypatch.setenv(marks.CHAIN_VARIABLE, str(tmp_path / "chain.pem"))
    assert marks.configured_certificate() == (own, "own")
    coded = tmp_path / "coded.mp4"
    media.write_h264(coded, [made_up.picture()] * 5, np.arange(5) / 25)
    assert marks.seal(coded, tmp_path / "synthetic_k.mp4") == "own"
    assert "A school" in (read_credentials(tmp_path / "synthetic_k.mp4").signer or "")


@pytest.mark.parametrize(
    "name", ["clip.mp4", "Synthetic_x.mp4", "synthetic_x.mov", "x_synthetic_.mp4"]
)
def test_other_names_are_refused(name, tmp_path):
    with pytest.raises(UsageError, match="named as one"):
        marks.check_out(tmp_path / name)


def test_case_folders_are_refused_at_any_depth(tmp_path):
    (tmp_path / "log.jsonl").touch()
    deep = tmp_path / "derived" / "e1"
    deep.mkdir(parents=True)
    marks.refuse_case(deep / "x.mp4")  # a log alone is no case
    (tmp_path / "original").mkdir()
    for path in (deep / "x.mp4", deep, tmp_path):
        with pytest.raises(UsageError, match="case folder"):
            marks.refuse_case(path)


def test_samples_need_no_consent_and_others_do(performance):
    marks.check_consent([performance.sha256], consent=False)
    with pytest.raises(UsageError, match="agreed"):
        marks.check_consent([performance.sha256, "0" * 64], consent=False)
    marks.check_consent(["0" * 64], consent=True)


def test_samples_are_known_by_name():
    assert marks.sample_path("franck") == marks.sample_path("franck.mp4")
    assert marks.sample_path("nobody") is None


def test_masks_and_truth_that_are_missing_or_damaged_are_told(tmp_path, made):
    clip = tmp_path / "synthetic_x.mp4"
    with pytest.raises(UsageError, match="no mask"):
        marks.read_mask(clip, 0)
    with pytest.raises(UsageError, match="no mask"):
        marks.read_mask(made.path, 10_000)
    with pytest.raises(UsageError, match="no truth"):
        marks.read_sidecar(clip)
    marks.sidecar_path(clip).write_text(json.dumps([1]))
    with pytest.raises(UsageError, match="not the truth"):
        marks.read_sidecar(clip)
    with zipfile.ZipFile(marks.masks_path(clip), "w") as file:
        file.writestr("000000.png", b"junk")
    with pytest.raises(UsageError, match="damaged"):
        marks.read_mask(clip, 0)


def test_the_same_masks_give_the_same_bytes(tmp_path):
    written = []
    for name in ("a", "b"):
        path = tmp_path / f"{name}.zip"
        with zipfile.ZipFile(path, "w") as file:
            writer = marks.MaskWriter(file, strip=4)
            writer.add(np.eye(20, dtype=np.float32))
        written.append(path.read_bytes())
    assert written[0] == written[1]
