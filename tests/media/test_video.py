"""Frames are exactly those that were asked for."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import av
import numpy as np
import psutil
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from toolkit import runtime
from toolkit.errors import Cancelled, ShapeError, VideoError
from toolkit.media import video as media
from toolkit.media.video import check_unchanged, probe, read

from .conftest import HEIGHT, WIDTH, draw, number_of, write_bars


def indices(*values: int) -> NDArray[np.int64]:
    return np.array(values, np.int64)


def children() -> list[psutil.Process]:
    """Return the running decoders; other tests leave children of their own, a browser for one."""
    found = []
    for process in psutil.Process().children(recursive=True):
        with contextlib.suppress(psutil.Error):
            if any(Path(word).name == "decoder.py" for word in process.cmdline()):
                found.append(process)
    return found


@pytest.mark.parametrize("name", ["cfr", "vfr"])
@settings(max_examples=8, deadline=None, suppress_health_check=list(HealthCheck))
@given(wanted=st.sets(st.integers(0, 119), min_size=1, max_size=12))
def test_any_subset(request: pytest.FixtureRequest, name: str, wanted: set[int]) -> None:
    video = probe(request.getfixturevalue(name))
    order = sorted(wanted)
    frames = list(read(video, indices(*order)))
    assert [f.index for f in frames] == order
    assert [number_of(f.rgb) for f in frames] == order
    assert [f.pts_seconds for f in frames] == video.pts[order].tolist()


@pytest.mark.parametrize(
    ("file", "codec", "options"),
    [
        ("open.mp4", "libx264", {"g": "20", "bf": "3", "x264-params": "open-gop=1"}),
        ("open.ts", "libx264", {"g": "20", "bf": "3", "x264-params": "open-gop=1"}),
        ("refresh.mp4", "libx264", {"g": "30", "x264-params": "intra-refresh=1"}),
        ("b.mkv", "libx264", {"g": "40", "bf": "3"}),
        ("b.avi", "libx264", {"g": "40", "bf": "3"}),
        ("b.mpg", "mpeg2video", {"g": "20", "bf": "2", "b": "4000000"}),
        ("raw.h264", "libx264", {"g": "40", "bf": "3"}),
    ],
)
def test_seeking_gives_what_decoding_on_gives(
    tmp_path: Path, file: str, codec: str, options: dict[str, str]
) -> None:
    video = probe(write_bars(tmp_path / file, codec=codec, options=options))
    assert len(video.pts) == 120
    whole = {f.index: f.rgb for f in read(video, np.arange(120))}
    assert [number_of(rgb) for rgb in whole.values()] == list(range(120))
    for wanted in (indices(119), indices(0, 55, 77), indices(19, 20, 21, 59, 61, 101)):
        frames = list(read(video, wanted))
        assert [f.index for f in frames] == wanted.tolist()
        for frame in frames:
            assert np.array_equal(frame.rgb, whole[frame.index])


def test_probe_facts(cfr: Path, vfr: Path) -> None:
    video = probe(cfr)
    assert (video.width, video.height, video.codec) == (WIDTH, HEIGHT, "h264")
    assert video.frames_declared == len(video.pts) == 120
    assert video.duration_s == pytest.approx(4.8)
    assert video.keyframes[0] == 0
    assert len(video.keyframes) >= 5
    assert video.notices == ()
    (notice,) = probe(vfr).notices
    assert notice.code == "variable_frame_rate"
    assert np.diff(probe(vfr).pts)[:4] == pytest.approx([0.04, 0.04, 0.08, 0.033])


def test_colours_survive(tmp_path: Path) -> None:
    """BT.601 below HD, as players take it: a saturated picture comes back."""
    video = probe(write_bars(tmp_path / "c.mp4", count=2, options={"crf": "1"}))
    (frame,) = read(video, indices(0))
    assert np.abs(frame.rgb.astype(int) - draw(0)).mean() < 4


@pytest.mark.parametrize("turns", [1, 2, 3])
def test_rotation_is_undone_once(cfr: Path, tmp_path: Path, turns: int) -> None:
    matrix = {
        1: (0, 1, -1, 0),
        2: (-1, 0, 0, -1),
        3: (0, -1, 1, 0),
    }[turns]
    data = bytearray(cfr.read_bytes())
    at = data.index(b"tkhd") + 44
    a, b, c, d = (n << 16 for n in matrix)
    data[at : at + 36] = b"".join(
        n.to_bytes(4, signed=True) for n in (a, b, 0, c, d, 0, 0, 0, 1 << 30)
    )
    (tmp_path / "turned.mp4").write_bytes(data)
    video = probe(tmp_path / "turned.mp4")
    assert video.rotation == turns
    assert "rotation" in {n.code for n in video.notices}
    assert (video.width, video.height) == ((WIDTH, HEIGHT) if turns == 2 else (HEIGHT, WIDTH))
    (frame,) = read(video, indices(77))
    (stored,) = read(probe(cfr), indices(77))
    assert np.array_equal(frame.rgb, np.rot90(stored.rgb, -turns))


def test_pixel_aspect_widens(tmp_path: Path) -> None:
    path = write_bars(tmp_path / "s.mkv", options={"x264-params": "sar=2/1"}, count=10)
    video = probe(path)
    assert (video.width, video.height) == (2 * WIDTH, HEIGHT)
    (frame,) = read(video, indices(5))
    assert number_of(np.ascontiguousarray(frame.rgb[:, ::2])) == 5


def test_alpha_is_shown_on_black(tmp_path: Path) -> None:
    with av.open(str(tmp_path / "a.mov"), "w") as box:
        stream = box.add_stream("png", rate=25)
        stream.width, stream.height, stream.pix_fmt = 32, 16, "rgba"
        rgba = np.full((16, 32, 4), 200, np.uint8)
        rgba[..., 3] = 51
        for _ in range(3):
            box.mux(stream.encode(av.VideoFrame.from_ndarray(rgba, format="rgba")))
        box.mux(stream.encode())
    video = probe(tmp_path / "a.mov")
    assert "alpha" in {n.code for n in video.notices}
    (frame,) = read(video, indices(1))
    assert (frame.rgb == 40).all()


def test_wrong_indices_are_refused(cfr: Path) -> None:
    video = probe(cfr)
    for wrong in (indices(3, 2), indices(1, 1), indices(-1), indices(120)):
        with pytest.raises(ShapeError):
            read(video, wrong)
    assert list(read(video, indices())) == []


def test_closing_and_cancelling_end_the_child(cfr: Path) -> None:
    video = probe(cfr)
    frames = read(video, np.arange(120))
    next(frames)
    assert len(children()) == 1
    frames.close()
    assert not children()

    def stop(stage: str, done: int, total: int) -> None:
        assert (stage, total) == ("look", 120)
        if done == 3:
            raise Cancelled

    frames = read(video, np.arange(120), tick=stop, stage="look")
    assert [next(frames).index for _ in range(3)] == [0, 1, 2]
    with pytest.raises(Cancelled):
        next(frames)
    assert not children()


@pytest.mark.skipif(os.name != "posix", reason="sends signals")
def test_a_killed_decoder_is_an_error(cfr: Path) -> None:
    frames = read(probe(cfr), np.arange(120))
    assert number_of(next(frames).rgb) == 0
    children()[0].send_signal(signal.SIGKILL)
    with pytest.raises(VideoError, match=r"decoder stopped: ended by signal 9"):
        list(frames)


@pytest.mark.skipif(os.name != "posix", reason="sends signals")
def test_silence_is_an_error(cfr: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    frames = read(probe(cfr), np.arange(120))
    next(frames)
    monkeypatch.setattr(runtime, "crowding", lambda: 1.0)
    monkeypatch.setattr(media, "SILENCE_S", 1.0)  # only now: on a busy machine a start takes longer
    children()[0].send_signal(signal.SIGSTOP)
    time.sleep(1.6)  # a slow consumer is no silence: only waiting counts
    with pytest.raises(VideoError, match=r"decoder stopped: no sign of life for 1 s"):
        list(frames)
    assert not children()


@pytest.mark.parametrize(
    "answer",
    [
        "struct.pack('<II', 2**31, 0)",
        "struct.pack('<II', 4, 0) + b'oops'",
        "struct.pack('<II', 11, 5) + b'{\"frame\":0}' + b'12345'",
        "struct.pack('<II', 13, 0) + b'{\"frame\":\"x\"}'",
        "struct.pack('<II', 2, 2**32-1) + b'{}'",
    ],
)
def test_a_child_that_was_taken_over_is_not_believed(
    cfr: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, answer: str
) -> None:
    video = probe(cfr)
    (tmp_path / "evil.py").write_text(
        f"import struct, sys, time\nsys.stdin.read()\nsys.stdout.buffer.write({answer})\n"
        "sys.stdout.flush()\ntime.sleep(20)\n"
    )
    monkeypatch.setattr(media, "_DECODER", tmp_path / "evil.py")
    with pytest.raises(VideoError, match="decoder stopped"):
        list(read(video, indices(0)))
    with pytest.raises(VideoError, match="decoder stopped"):
        probe(cfr)


@pytest.mark.skipif(sys.platform != "linux", reason="the limits are those of Linux")
def test_the_child_can_open_nothing(tmp_path: Path) -> None:
    code = (
        "import sys; sys.path.insert(0, sys.argv[1]); import decoder, socket\n"
        "decoder._limit(1500 << 20, 60)\n"
        "for f in (lambda: open('/etc/passwd'), socket.socket):\n"
        "    try: f()\n"
        "    except OSError: print('closed')\n"
    )
    where = str(Path(media.__file__).parent)
    done = subprocess.run(
        [sys.executable, "-c", code, where], capture_output=True, text=True, check=True
    )
    assert done.stdout.split() == ["closed", "closed"]


def test_a_changed_file_is_noticed(cfr: Path, tmp_path: Path) -> None:
    path = tmp_path / "c.mp4"
    path.write_bytes(cfr.read_bytes())
    video = probe(path)
    check_unchanged(video)
    with path.open("r+b") as file:
        file.seek(-1, os.SEEK_END)
        file.write(b"!")
    with pytest.raises(VideoError, match="has changed"):
        check_unchanged(video)
    with path.open("ab") as file:
        file.write(b"!")
    with pytest.raises(VideoError, match="has changed"):
        list(read(video, indices(0)))


def test_progress(cfr: Path) -> None:
    stages = []
    video = probe(cfr, tick=lambda stage, done, total: stages.append((stage, done <= total)))
    assert ("hash", True) in stages
    counts = []
    for _ in read(video, indices(1, 5), tick=lambda _s, done, total: counts.append((done, total))):
        pass
    assert counts[0] == (0, 2)
    assert counts[-1] == (2, 2)
