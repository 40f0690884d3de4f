"""Re-share chains: what they parse to, what comes out, and that it repeats."""

from __future__ import annotations

import hashlib

import numpy as np
import pytest

from toolkit import _i18n, media
from toolkit.errors import UsageError, VideoError
from toolkit.media import reshare as reshare_module
from toolkit.media.reshare import ReshareStep, describe, parse, reshare


@pytest.fixture(scope="module")
def source(sample, tmp_path_factory):
    """Just under a second of a sample."""
    video = media.probe(sample("carphone_pristine"))
    frames = [f.rgb for f in media.read(video, np.arange(24))]
    path = tmp_path_factory.mktemp("reshare") / "clip.mp4"
    media.write_h264(path, frames, np.arange(24) / 30)
    return path, frames[0].shape[:2]


def pictures(path):
    video = media.probe(path)
    return video, [f.rgb for f in media.read(video, np.arange(len(video.pts)))]


def test_chains_are_read():
    assert parse("crop25,scale480, crf33") == (
        ReshareStep("crop", 25),
        ReshareStep("scale", 480),
        ReshareStep("crf", 33),
    )
    assert parse("caption,crf28,crf28")[1:] == (ReshareStep("crf", 28),) * 2


@pytest.mark.parametrize(
    "text", ["", ",", "zoom3", "crop", "crop46", "crf52", "caption3", "scale-1", "crf28.5", "fps99"]
)
def test_other_chains_are_refused(text):
    with pytest.raises(UsageError):
        parse(text)


@pytest.mark.parametrize(
    ("chain", "size"),
    [
        ("crf28", lambda h, w: (h, w)),
        ("crop25,crf28", lambda h, w: (h / 2, w / 2)),
        ("scale360", lambda h, w: (360, w * 360 / h)),
        ("caption,crf28", lambda h, w: (h * 1.12, w)),
        ("vertical", lambda h, w: (1280, 720)),
        (
            "crop10,caption,scale240,crf28,crf28",
            lambda h, w: (240, 240 * w * 0.8 / (h * 0.8 * 1.12)),
        ),
    ],
)
def test_sizes(source, tmp_path, chain, size):
    path, shape = source
    reshare(path, tmp_path / "out.mp4", chain)
    video = media.probe(tmp_path / "out.mp4")
    assert (video.height, video.width) == pytest.approx(size(*shape), abs=4)
    assert video.codec == "h264"
    assert video.pts == pytest.approx(np.arange(24) / 30, abs=1e-4)


def test_the_same_chain_gives_the_same_bytes(source, tmp_path):
    digests = set()
    for name in "ab":
        reshare(source[0], tmp_path / name, "crop10,scale240,fps24,crf33,crf33")
        digests.add(hashlib.sha256((tmp_path / name).read_bytes()).hexdigest())
    assert len(digests) == 1


def test_twice_is_worse_than_once_and_a_higher_crf_smaller(source, tmp_path):
    _, before = pictures(source[0])
    error, size = {}, {}
    for chain in ("crf20", "crf33", "crf33,crf33"):
        out = tmp_path / f"{chain}.mp4"
        reshare(source[0], out, chain)
        _, after = pictures(out)
        error[chain] = np.mean(
            [np.abs(a.astype(int) - b).mean() for a, b in zip(after, before, strict=True)]
        )
        size[chain] = out.stat().st_size
    assert error["crf20"] < error["crf33"] < error["crf33,crf33"]
    assert size["crf33"] < size["crf20"]


@pytest.mark.parametrize(("rate", "count"), [(15, 12), (24, 19), (60, 47)])
def test_another_frame_rate_shows_the_right_frames(tmp_path, rate, count):
    """Each frame's brightness is its number; the frame on screen at that time must be shown."""
    frames = [np.full((64, 64, 3), 8 * n + 20, np.uint8) for n in range(24)]
    media.write_h264(tmp_path / "in.mp4", frames, np.arange(24) / 30, crf=1)
    reshare(tmp_path / "in.mp4", tmp_path / "out.mp4", f"fps{rate},crf1")
    video, shown = pictures(tmp_path / "out.mp4")
    assert video.pts == pytest.approx(np.arange(count) / rate, abs=1e-4)
    numbers = [round((p.mean() - 20) / 8) for p in shown]
    assert numbers == [int(k / rate * 30 + 1e-6) for k in range(count)]


def test_what_the_steps_do_to_a_picture(tmp_path):
    picture = np.zeros((100, 200, 3), np.uint8)
    picture[25:75, 50:150] = (200, 30, 30)
    media.write_h264(tmp_path / "in.mp4", [picture] * 3, np.arange(3) / 25, crf=1)
    reshare(tmp_path / "in.mp4", tmp_path / "cropped.mp4", "crop25,crf1")
    _, (first, *_) = pictures(tmp_path / "cropped.mp4")
    inner = first[4:-4, 4:-4].astype(int)  # colour is stored at half size: edges mix
    assert np.abs(inner - (200, 30, 30)).max() < 12
    reshare(tmp_path / "in.mp4", tmp_path / "captioned.mp4", "caption,crf1")
    _, (first, *_) = pictures(tmp_path / "captioned.mp4")
    assert first[:10].max() > 240 > 60 > first[:10].min()
    assert first[0, -1].min() > 240
    reshare(tmp_path / "in.mp4", tmp_path / "tall.mp4", "vertical,crf1")
    _, (first, *_) = pictures(tmp_path / "tall.mp4")
    assert first[:400].max() < 20 < first[640, 360, 0]


def test_what_cannot_be_read_is_refused(tmp_path):
    (tmp_path / "text.mp4").write_text("no video")
    with pytest.raises(VideoError):
        reshare(tmp_path / "text.mp4", tmp_path / "out.mp4", "crf28")
    assert not (tmp_path / "out.mp4").exists()


# --- further steps ------------------------------------------------------------------------


def test_a_strip_is_cut_off_below(tmp_path):
    picture = np.full((100, 120, 3), 60, np.uint8)
    picture[80:] = 230  # the logo
    media.write_h264(tmp_path / "in.mp4", [picture] * 3, np.arange(3) / 25, crf=1)
    reshare(tmp_path / "in.mp4", tmp_path / "out.mp4", "strip20,crf1")
    video, (first, *_) = pictures(tmp_path / "out.mp4")
    assert (video.width, video.height) == (120, 80)
    assert first.max() < 90


def test_a_screen_recording_is_softer_and_runs_at_30(source, tmp_path):
    path, _shape = source
    before, sharp = pictures(path)
    reshare(path, tmp_path / "out.mp4", "screen,crf1")
    after, soft = pictures(tmp_path / "out.mp4")
    assert (after.width, after.height) == (before.width, before.height)
    assert np.diff(after.pts) == pytest.approx(1 / 30, abs=1e-3)

    def detail(frames):
        return np.mean([np.abs(np.diff(f.astype(int), axis=1)).mean() for f in frames])

    assert detail(soft) < 0.95 * detail(sharp)


def test_a_chain_is_put_into_words():
    text = describe("crop10,caption,scale480,crf28,crf28")
    assert text.count("CRF 28") == 2
    assert text.startswith("10 % cut from each side, a caption bar on top, scaled to 480 lines")
    everything = "crop10,strip12,scale480,crf28,caption,vertical,fps24,screen"
    assert len(describe(everything).split(", ")) == 8
    _i18n.set_language("nl")
    assert describe("screen") == "opgenomen van een scherm"


@pytest.mark.parametrize("text", ["strip", "strip0", "strip41", "screen3"])
def test_further_chains_that_are_refused(text):
    with pytest.raises(UsageError):
        parse(text)


def test_the_docstring_names_every_step():
    words = {line.split()[0] for line in reshare_module.__doc__.splitlines() if line.strip()}
    for kind in reshare_module._RANGES:
        assert any(word.rstrip("0123456789") == kind for word in words), kind
