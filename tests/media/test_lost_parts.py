"""What is lost without a trace for FFmpeg is told: parts are damaged at known places here."""

from __future__ import annotations

import struct
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest

from toolkit.errors import VideoError
from toolkit.hardening import sources
from toolkit.media.video import probe, read
from toolkit.types import Notice

from .conftest import HEIGHT, WIDTH, draw, write_bars

COUNT = 48
LOSS = {"truncated", "damaged", "frame_count", "missing_frames", "container", "late_start"}
FRAGMENTED = "frag_keyframe+empty_moov"
SOUND = {
    "fragments": ("a.mp4", {"movflags": FRAGMENTED}),
    "a fragment for each picture": ("a.mp4", {"movflags": "frag_every_frame+empty_moov"}),
    "a moov with pictures": ("a.mp4", {"movflags": "frag_keyframe"}),
    "segments": ("a.mp4", {"movflags": "frag_keyframe+empty_moov+dash+global_sidx"}),
    "nothing said twice": ("a.mp4", {"movflags": "cmaf+frag_keyframe+empty_moov"}),
    "mkv": ("a.mkv", {}),
    "mkv of short clusters": ("a.mkv", {"cluster_time_limit": "200"}),
    "mkv that was broadcast": ("a.mkv", {"live": "1"}),
    "webm": ("a.webm", {}),
    "ts": ("a.ts", {}),
    "m2ts": ("a.m2ts", {"mpegts_m2ts_mode": "1"}),
}


def write(
    path: Path,
    options: dict[str, str] | None = None,
    *,
    times_ms: list[int] | None = None,
    keep: range | None = None,
    sound: bool = False,
) -> bytes:
    """Write a clip with a key frame every 12 pictures; return its bytes.

    Of its packets only those in `keep` are written.
    """
    codec = "libvpx" if path.suffix == ".webm" else "libx264"
    with av.open(str(path), "w", options=options or {}) as box:
        stream: Any = box.add_stream(codec, rate=25)
        stream.width, stream.height, stream.pix_fmt = WIDTH, HEIGHT, "yuv420p"
        base = Fraction(1, 1000)
        stream.codec_context.time_base = base
        stream.codec_context.options = {"g": "12", "bf": "0"} if codec == "libx264" else {"g": "12"}
        audio: Any = box.add_stream("aac", rate=16000) if sound else None
        packets = []
        for number, at in enumerate(times_ms or range(0, 40 * COUNT, 40)):
            frame = av.VideoFrame.from_ndarray(draw(number), format="rgb24")
            frame.pts, frame.time_base = at, base
            packets += stream.encode(frame)
        packets += stream.encode()
        for number, packet in enumerate(packets):
            if keep is None or number in keep:
                box.mux(packet)
        if audio is not None:
            quiet = av.AudioFrame(format="fltp", layout="mono", samples=16000)
            for plane in quiet.planes:
                plane.update(bytes(plane.buffer_size))
            quiet.sample_rate, quiet.pts, quiet.time_base = 16000, 0, Fraction(1, 16000)
            box.mux(audio.encode(quiet))
            box.mux(audio.encode())
    return path.read_bytes()


def codes(path: Path, data: bytes | None = None) -> set[str]:
    if data is not None:
        path.write_bytes(data)
    return {notice.code for notice in probe(path).notices}


@pytest.mark.parametrize("name", SOUND)
def test_a_sound_file_is_said_to_be_sound(tmp_path, name):
    file, options = SOUND[name]
    write(tmp_path / file, options)
    assert not codes(tmp_path / file) & LOSS


def test_fragments_of_sound_and_picture_are_told_apart(tmp_path):
    write(tmp_path / "a.mp4", {"movflags": FRAGMENTED}, sound=True)
    video = probe(tmp_path / "a.mp4")
    assert not {n.code for n in video.notices} & LOSS
    assert video.frames_declared == COUNT


# --- fragmented MP4 -----------------------------------------------------------------------------

SPOILS = {
    "size of the header": ("mfhd", -3, b"\xff"),
    "size of the track's part": ("traf", -4, b"\x01"),
    "name of the track's part": ("traf", 0, b"trax"),
    "size of the track's header": ("tfhd", -4, struct.pack(">I", 18)),
    "name of the track's header": ("tfhd", 0, b"tfhx"),
    "number of the track": ("tfhd", 8, struct.pack(">I", 7)),
    "name of the list": ("trun", 0, b"trux"),
    "which fields the list has": ("trun", 6, b"\x00"),
    "length of the list": ("trun", 8, struct.pack(">I", 0)),
    "fewer in the list": ("trun", 8, struct.pack(">I", 5)),
}


@pytest.mark.parametrize("spoil", SPOILS)
def test_a_damaged_last_fragment_is_missed(tmp_path, spoil):
    """No time is missing between pictures then, and nothing else says how long the film was."""
    path = tmp_path / "a.mp4"
    data = bytearray(write(path, {"movflags": FRAGMENTED}))
    box, offset, piece = SPOILS[spoil]
    at = data.rindex(box.encode(), 0, data.rindex(b"mdat")) + offset
    data[at : at + len(piece)] = piece
    path.write_bytes(data)
    try:
        told = {notice.code for notice in probe(path).notices}
    except VideoError:  # refused, with its reason
        return
    assert told & {"damaged", "truncated"}


def test_fewer_pictures_than_fragments_list_are_counted(tmp_path):
    """The list is whole; the data behind it is not."""
    path = tmp_path / "a.mp4"
    data = write(path, {"movflags": FRAGMENTED})
    path.write_bytes(data[: data.rindex(b"mdat") + 40])
    video = probe(path)
    assert {"truncated", "frame_count"} <= {n.code for n in video.notices}
    assert video.frames_declared == COUNT


def test_a_fragment_that_was_cut_out_is_missed(tmp_path):
    path = tmp_path / "a.mp4"
    data = write(path, {"movflags": FRAGMENTED})
    start, end = data.rindex(b"moof") - 4, data.rindex(b"mfra") - 4
    assert "damaged" in codes(path, data[:start] + data[end:])


def test_segments_that_did_not_come_are_missed(tmp_path):
    """A download that ended between two segments; the list at the beginning knows of more."""
    path = tmp_path / "a.mp4"
    data = write(path, {"movflags": "frag_keyframe+empty_moov+dash+global_sidx"})
    whole = data[: data.rindex(b"mfra") - 4] if b"mfra" in data else data
    assert "truncated" not in codes(path, whole)
    assert "truncated" in codes(path, data[: data.rindex(b"moof") - 4])


# --- Matroska -----------------------------------------------------------------------------------


@pytest.mark.parametrize("live", ["0", "1"])
def test_matroska_blocks_that_cannot_be_reached_are_missed(tmp_path, live):
    path = tmp_path / "a.mkv"
    data = bytearray(write(path, {"live": live}))
    blocks = [n for n in range(len(data) - 8) if data[n] == 0xA3 and data[n + 3] == 0x81]
    assert len(blocks) > 4
    data[blocks[2]] = 0xA4
    assert "damaged" in codes(path, bytes(data))


def test_matroska_frames_that_are_not_there_are_missed_by_their_length(tmp_path):
    """Two pictures, evenly apart: only what the file says of a frame's length tells."""
    path = tmp_path / "a.mkv"
    write(path, keep=range(0, COUNT, 36))
    (notice,) = [n for n in probe(path).notices if n.code == "missing_frames"]
    assert "1440 ms apart" in str(notice)
    assert "40 ms" in str(notice)


def test_a_matroska_file_cut_within_a_segment_is_truncated(tmp_path):
    path = tmp_path / "a.mkv"
    data = write(path).replace(b"DURATION", b"DURATIOM")
    assert "truncated" in codes(path, data[: len(data) * 3 // 4])


def test_what_follows_a_matroska_segment_is_told(tmp_path):
    path = tmp_path / "a.mkv"
    assert codes(path, write(path) + b"\x00" * 999) == {"trailing_bytes"}


# --- transport stream ---------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["a.ts", "a.m2ts"])
def test_a_transport_stream_that_loses_step_is_damaged(tmp_path, name):
    path = tmp_path / name
    data = write(path, {"mpegts_m2ts_mode": "1"} if name == "a.m2ts" else {})
    half = len(data) // 2
    for spoilt in (
        data[:half] + data[half + 100 :],
        data[:half] + b"\x00" * 50 + data[half:],
        data[:half] + data[1000:half] + data[half:],
    ):
        assert "damaged" in codes(path, spoilt)


def test_a_recording_that_begins_within_a_packet_or_is_padded_is_sound(tmp_path):
    path = tmp_path / "a.ts"
    data = write(path)
    assert not codes(path, data[-100:] + data) & LOSS
    assert not codes(path, data + bytes(188 * 20)) & LOSS


# --- good files of a variable rate --------------------------------------------------------------

UNEVEN = {
    "a screen": [0, 17, 33, 50, 450, 467, 1800, 1817, 1833, 1850, 1867, 4000, 4017, 4033],
    "a pause": [*range(0, 800, 40), *range(9000, 9800, 40)],
    "a phone": [33 * n + (n % 7) for n in range(40)],
    "a picture a second": list(range(0, 20_000, 1000)),
}


@pytest.mark.parametrize("suffix", [".mp4", ".mkv", ".webm", ".ts"])
@pytest.mark.parametrize("how", UNEVEN)
def test_an_uneven_rate_is_no_loss(tmp_path, how, suffix):
    path = tmp_path / f"a{suffix}"
    write(path, times_ms=UNEVEN[how])
    assert not codes(path) & (LOSS - {"missing_frames"})


@pytest.mark.parametrize("how", sorted(set(UNEVEN) - {"a picture a second"}))
@pytest.mark.parametrize("suffix", [".mkv", ".webm"])
def test_frames_are_not_missed_where_only_some_are_late(tmp_path, how, suffix):
    path = tmp_path / f"a{suffix}"
    write(path, times_ms=UNEVEN[how])
    assert "missing_frames" not in codes(path)


def test_what_an_edit_list_leaves_out_is_told(tmp_path):
    """Trimmed without encoding it anew: pictures before the cut are there, and not shown."""
    write_bars(tmp_path / "whole.mp4", count=60)
    with (
        av.open(str(tmp_path / "whole.mp4")) as source,
        av.open(str(tmp_path / "a.mp4"), "w") as box,
    ):
        stream = box.add_stream_from_template(source.streams.video[0])
        for packet in source.demux(video=0):
            if packet.pts is None:
                continue
            late = int(0.5 / packet.time_base)
            packet.pts, packet.dts = packet.pts - late, packet.dts - late
            packet.stream = stream
            box.mux(packet)
    video = probe(tmp_path / "a.mp4")
    assert [str(n)[:14] for n in video.notices if n.code == "hidden_frames"] == ["13 more frames"]
    assert len(video.pts) == 47
    assert not {n.code for n in video.notices} & LOSS


def test_an_edit_list_that_hides_nearly_all_is_told(tmp_path):
    path = tmp_path / "a.mp4"
    write_bars(path)
    data = path.read_bytes()
    at = data.index(b"elst") + 12  # how long what is shown lasts
    path.write_bytes(data[:at] + struct.pack(">I", 40) + data[at + 4 :])
    video = probe(path)
    assert len(video.pts) < 4
    assert "hidden_frames" in {n.code for n in video.notices}


# --- check sums ---------------------------------------------------------------------------------


def test_a_frame_whose_check_sum_does_not_fit_is_left_out(tmp_path):
    """FFmpeg shows it all the same."""
    path = tmp_path / "a.mkv"
    sources.encode(path, [draw(n) for n in range(20)], "mkv-ffv1")
    data = bytearray(path.read_bytes())
    for half, codes_right in ((0, set()), (len(data) // 2, {"damaged"})):
        for at in range(half, half + 3) if half else ():
            data[at] ^= 0x55
        path.write_bytes(data)
        notices: list[Notice] = []
        video = probe(path)
        frames = [f.index for f in read(video, np.arange(20), notices=notices)]
        assert {n.code for n in notices} == codes_right
        assert len(frames) == 20 - bool(half)
