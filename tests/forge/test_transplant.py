"""Splices and transplants: exact in time and place, and nothing beyond coding in the control."""

from __future__ import annotations

import json

import cv2
import numpy as np
import pytest

from toolkit import media
from toolkit.cli import main as cli
from toolkit.errors import UsageError
from toolkit.forge import transplant as module
from toolkit.forge.transplant import align, itself, splice, transplant

LENGTH = 30
LEFT = 6


@pytest.fixture(scope="module")
def pair(sample, tmp_path_factory):
    """Return an original, 6 columns wider on either side, and a forgery that is green."""
    folder = tmp_path_factory.mktemp("aligned")
    video = media.probe(sample("cap12_edit"))
    frames = [f.rgb for f in media.read(video, np.arange(600, 600 + LENGTH))]
    times = np.arange(LENGTH) / 25
    wide = [cv2.copyMakeBorder(f, 0, 0, LEFT, LEFT, cv2.BORDER_REFLECT) for f in frames]
    green = [np.concatenate([f[..., :1] // 2, f[..., 1:]], axis=2) for f in frames]
    media.write_h264(folder / "original.mp4", wide, times, crf=10)
    media.write_h264(folder / "fake.mp4", [*green, green[-1]], np.arange(LENGTH + 1) / 25, crf=10)
    return align(folder / "original.mp4", folder / "fake.mp4", crop_x=LEFT)


def pictures(path):
    video = media.probe(path)
    return np.stack([f.rgb for f in media.read(video, np.arange(len(video.pts)))]).astype(float)


def greenness(frames):
    return (frames[..., 1] - frames[..., 0]).mean(axis=(1, 2))


def test_a_splice_is_exact_in_time(pair, tmp_path):
    truth = splice(pair, tmp_path / "s.mp4", start_s=0.4, end_s=0.8)
    shown = pictures(tmp_path / "s.mp4")
    assert len(shown) == LENGTH
    forged = greenness(shown) > greenness(shown).mean()
    assert np.flatnonzero(forged).tolist() == list(range(10, 21))
    assert (truth.start_s, truth.end_s, truth.frames) == pytest.approx((0.4, 0.8, 11))
    said = json.loads((tmp_path / "s.truth.json").read_text())
    assert (said["kind"], said["regions"]) == ("splice", [])
    assert said["fake_sha256"] == pair.fake.sha256
    original = pictures(pair.original.path)[:, :, LEFT : LEFT + pair.width]
    assert np.abs(shown[:10] - original[:10]).mean() < 3  # registered, not resized


def test_a_kept_stretch_counts_from_its_start(pair, tmp_path):
    truth = splice(pair, tmp_path / "s.mp4", start_s=0.2, end_s=0.4, keep=(0.4, 1.0))
    forged = greenness(pictures(tmp_path / "s.mp4"))
    assert np.flatnonzero(forged > forged.mean()).tolist() == list(range(5, 11))
    assert truth.start_s == pytest.approx(0.2)


def test_a_transplant_changes_its_region_for_its_time(pair, tmp_path):
    span = {"regions": ["mouth"], "start_s": 0.4, "end_s": 0.8}
    truth = transplant(pair, tmp_path / "t.mp4", **span)
    control = transplant(itself(pair), tmp_path / "c.mp4", **span)
    assert truth.regions == control.regions == ("mouth",)
    assert truth.frames == control.frames == 11
    apart = np.abs(pictures(tmp_path / "t.mp4") - pictures(tmp_path / "c.mp4")).mean(axis=3)
    inside = apart[10:21].mean(axis=0)
    y, x = np.unravel_index(inside.argmax(), inside.shape)
    middle = np.average(np.mgrid[: len(inside), : inside.shape[1]], axis=(1, 2), weights=inside**2)
    assert inside.max() > 15
    assert np.abs(middle - (y, x)).max() < 25  # one spot, not spread over the picture
    assert (inside > 8).mean() < 0.02
    assert apart[:10].mean() < 1


def test_pasting_itself_changes_nothing_beyond_coding(pair, tmp_path):
    transplant(itself(pair), tmp_path / "c.mp4", regions=["mouth"], start_s=0.4, end_s=0.8)
    original = pictures(pair.original.path)[:, :, LEFT : LEFT + pair.width]
    media.write_h264(
        tmp_path / "plain.mp4", original.astype(np.uint8), np.arange(LENGTH) / 25, crf=module.CRF
    )
    assert (pictures(tmp_path / "c.mp4") == pictures(tmp_path / "plain.mp4")).all()


def test_only_common_frames_are_used(pair, tmp_path):
    fewer = align(pair.original.path, pair.fake.path, crop_x=LEFT, frames=12)
    splice(fewer, tmp_path / "s.mp4", start_s=0, end_s=9)
    assert len(media.probe(tmp_path / "s.mp4").pts) == 12
    assert pair.frames == LENGTH


def test_what_does_not_fit_is_refused(pair, tmp_path):
    for wrong in (20, -1):
        with pytest.raises(UsageError, match="do not lie on each other"):
            align(pair.original.path, pair.fake.path, crop_x=wrong)
    out = tmp_path / "out.mp4"
    with pytest.raises(UsageError, match="unknown region"):
        transplant(pair, out, regions=["hat"], start_s=0, end_s=1)
    with pytest.raises(UsageError, match="unknown region"):
        transplant(pair, out, regions=[], start_s=0, end_s=1)
    with pytest.raises(UsageError, match="interval is empty"):
        splice(pair, out, start_s=1, end_s=1)
    assert not out.exists()


def test_the_command_pastes(pair, tmp_path, capsys):
    out = tmp_path / "out.mp4"
    arguments = ["plant", str(pair.original.path), "--out", str(out), "--regions", "mouth"]
    paste = ["--paste", str(pair.fake.path), "--crop-x", str(LEFT), "--from", "0.4", "--to", "0.8"]
    assert cli.main([*arguments, *paste]) == 0
    assert "11 frames forged, 0.40 to 0.80 s" in capsys.readouterr().out
    assert json.loads(out.with_suffix(".truth.json").read_text())["kind"] == "transplant"
    nothing = ["plant", str(pair.original.path), "--out", str(out), "--from", "0", "--to", "1"]
    assert cli.main(nothing) == 2
    assert cli.main([*nothing, "--decoys", "nose", "--decoy", "freckles"]) == 0
    assert "edited harmlessly" in capsys.readouterr().out
