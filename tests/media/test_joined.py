"""Recordings joined end to end: every frame is kept, in order, whatever the clocks say."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest

from toolkit.analysis import pipeline
from toolkit.media.video import probe, read
from toolkit.types import Sampling

from .conftest import number_of, write_bars

MPEG2 = {"codec": "mpeg2video", "options": {"g": "20", "bf": "2", "b": "4000000"}}
VP9 = {"codec": "libvpx-vp9", "options": {"g": "20", "b": "4000000"}}
OPEN = {"options": {"g": "20", "bf": "3", "x264-params": "open-gop=1"}}
COUNTS = {"a": 40, "b": 60}


def joined(folder: Path, order: str, suffix: str, how: dict) -> Path:
    for name, count in COUNTS.items():
        write_bars(folder / f"{name}{suffix}", count=count, **how)
    out = folder / f"{order}-joined{suffix}"
    out.write_bytes(b"".join((folder / f"{name}{suffix}").read_bytes() for name in order))
    return out


@pytest.mark.parametrize(
    ("order", "suffix", "how"),
    [
        ("ab", ".ts", {}),
        ("ba", ".ts", OPEN),
        ("aba", ".ts", {}),
        ("ab", ".mpg", MPEG2),
        ("ab", ".mkv", {}),
        ("ba", ".webm", VP9),
    ],
)
def test_all_frames_are_kept_in_order(tmp_path, order, suffix, how):
    video = probe(joined(tmp_path, order, suffix, how))
    wanted = [number for name in order for number in range(COUNTS[name])]
    frames = list(read(video, np.arange(len(video.pts))))
    assert [number_of(f.rgb) for f in frames] == wanted
    assert [f.index for f in frames] == list(range(len(wanted)))
    some = np.array([3, 37, 41, 62, len(wanted) - 1])
    assert [number_of(f.rgb) for f in read(video, some)] == [wanted[i] for i in some]
    # the clock runs on, a frame's length from one recording to the next
    assert np.diff(video.pts) == pytest.approx(0.04, abs=0.002)
    (notice,) = video.notices
    assert notice.code == "clock_restarts"
    assert f"{len(order)} recordings" in str(notice)
    assert notice.at_s == pytest.approx(video.pts[COUNTS[order[0]]])


def test_a_gap_and_a_late_clock_are_no_join(tmp_path):
    """Ninety seconds without a picture, and a clock that starts late, are what they are."""
    video = probe(write_bars(tmp_path / "gap.ts", count=20, gaps_ms=(40,) * 9 + (90_000,)))
    assert {n.code for n in video.notices} == {"variable_frame_rate"}
    assert np.diff(video.pts).max() == pytest.approx(90, abs=0.01)


def test_films_with_an_index_each_are_told(tmp_path):
    """FFmpeg reads the first one only; nobody must think that it was all."""
    video = probe(joined(tmp_path, "ab", ".mp4", {}))
    assert [n.code for n in video.notices] == ["unread_recordings"]
    assert "2 recordings" in str(video.notices[0])


def test_the_order_of_joined_recordings_does_not_decide(shared, sample, tmp_path):
    if not shutil.which("ffmpeg"):
        pytest.skip("ffmpeg is needed to join the recordings")
    genuine = shared / "data" / "clips" / "real" / "liveportrait_d10.mp4"
    fit = (
        "fps=25,scale=400:300:force_original_aspect_ratio=decrease,pad=400:300:(ow-iw)/2:(oh-ih)/2"
    )
    code = ["-an", "-c:v", "libx264", "-crf", "8", "-preset", "veryfast", "-pix_fmt", "yuv420p"]
    cut = {"a": (genuine, "0"), "b": (sample("planted_cap12"), "4")}
    for name, (path, start) in cut.items():
        command = ["ffmpeg", "-v", "error", "-ss", start, "-t", "3", "-i", str(path)]
        command += ["-vf", f"{fit},setsar=1", *code, "-f", "mpegts", str(tmp_path / f"{name}.ts")]
        subprocess.run(command, check=True)
    logits = {}
    for order in ("ab", "ba"):
        path = tmp_path / f"{order}.ts"
        path.write_bytes(b"".join((tmp_path / f"{name}.ts").read_bytes() for name in order))
        report = pipeline.analyse(path, sampling=Sampling(frames=16), explain=False, device="cpu")
        assert len(report.video.pts) == 150
        assert len(report.tracks) == 2
        assert report.verdict.is_fake
        logits[order] = sorted(r.verdict.logit for r in report.tracks)
    assert logits["ab"] == pytest.approx(logits["ba"], abs=0.3)
