"""The display copy: same frames at the same times, small, upright, silent."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

import av
import numpy as np
import pytest

from tests.player.made_up import BAR, BITS, clip, picture
from toolkit import media
from toolkit.errors import Cancelled, ShapeError, UsageError, VideoError
from toolkit.media.display import DisplayCopy, display_copy
from toolkit.types import Notice


def number_in(rgb: np.ndarray, wide: int = 640) -> int:
    """Read the bar code of a picture."""
    bar = BAR * rgb.shape[1] // wide
    row = rgb[-max(2, bar // 2), bar // 2 :: bar][:BITS]
    return sum(1 << bit for bit in range(BITS) if row[bit].mean() > 127)


@pytest.fixture(scope="module")
def varied(tmp_path_factory):
    return media.probe(clip(tmp_path_factory.mktemp("varied") / "clip.mp4", frames=40))


@pytest.mark.parametrize("lines", [720, 180])
def test_every_frame_and_its_time_are_kept(varied, tmp_path, lines):
    copy = display_copy(varied, tmp_path / "copy.mp4", lines=lines)
    assert copy.indices.tolist() == list(range(40))
    assert copy.pts[0] == 0
    assert np.abs(copy.pts - (varied.pts - varied.pts[0])).max() < 1e-4
    again = media.probe(copy.path)
    assert np.array_equal(again.pts, copy.pts)
    assert (again.width, again.height) == (copy.width, copy.height)
    assert min(copy.width, copy.height) == min(lines, 360)
    seen = [number_in(f.rgb) for f in media.read(again, np.arange(40))]
    assert seen == list(range(40))


def test_browsers_play_what_is_written(varied, tmp_path):
    copy = display_copy(varied, tmp_path / "copy.mp4")
    with av.open(str(copy.path)) as box:
        assert [s.type for s in box.streams] == ["video"]
        stream = box.streams.video[0]
        assert stream.codec_context.name == "h264"
        assert stream.codec_context.pix_fmt == "yuv420p"
    raw = copy.path.read_bytes()
    assert raw.index(b"moov") < raw.index(b"mdat")  # it plays before it is there whole
    assert copy.size == len(raw) == len(copy.read_bytes())


def test_frames_are_stored_as_they_are_shown(varied, tmp_path):
    """Else a browser that seeks to the frame before a key frame may show the key frame."""
    copy = display_copy(varied, tmp_path / "copy.mp4")
    with av.open(str(copy.path)) as box:
        packets = [p for p in box.demux(video=0) if p.dts is not None]
        base = box.streams.video[0].time_base
    assert [p.dts for p in packets] == [p.pts for p in packets]
    shown_s = [float(p.duration * base) for p in packets[:-1]]
    assert np.abs(np.array(shown_s) - np.diff(copy.pts)).max() < 1e-4
    assert [n for n, p in enumerate(packets) if p.is_keyframe] == [0, 25]


def test_a_first_time_after_zero_is_kept_apart(tmp_path):
    pts = 1.5 + np.arange(10) / 25
    media.write_h264(tmp_path / "late.mp4", (picture(n, 10) for n in range(10)), pts)
    video = media.probe(tmp_path / "late.mp4")
    copy = display_copy(video, tmp_path / "copy.mp4")
    assert copy.pts[0] == 0
    assert copy.start_s == pytest.approx(float(video.pts[0]))


def test_rotation_and_pixel_aspect_are_applied(tmp_path):
    path = tmp_path / "turned.mp4"
    with av.open(str(path), "w") as box:
        stream = box.add_stream("libx264", rate=25)
        stream.width, stream.height, stream.pix_fmt = 160, 96, "yuv420p"
        stream.sample_aspect_ratio = Fraction(2, 1)
        for n in range(6):
            rgb = np.zeros((96, 160, 3), np.uint8)
            rgb[:, :80] = (220, 40, 40)  # the left half is red
            frame = av.VideoFrame.from_ndarray(rgb, format="rgb24")
            frame.pts = n
            box.mux(stream.encode(frame))
        box.mux(stream.encode())
    video = media.probe(path)
    copy = display_copy(video, tmp_path / "copy.mp4")
    assert (copy.width, copy.height) == (video.width, video.height) == (320, 96)
    turned = replace(video, width=96, height=320, rotation=1)
    upright = display_copy(turned, tmp_path / "upright.mp4")
    assert (upright.width, upright.height) == (96, 320)
    (first,) = media.read(media.probe(upright.path), np.array([0]))
    top, bottom = first.rgb[40].mean(axis=0), first.rgb[-40].mean(axis=0)
    assert top[0] > 150 > bottom[0]  # clockwise: left becomes top


@pytest.mark.parametrize(
    ("size", "lines", "expected"),
    [
        ((1920, 1080), 720, (1280, 720)),
        ((1080, 1920), 720, (720, 1280)),
        ((2560, 1080), 720, (1280, 540)),
        ((641, 361), 720, (640, 360)),
        ((4, 4), 720, (4, 4)),
    ],
)
def test_size_fits_and_is_even(varied, size, lines, expected):
    from toolkit.media.display import _size

    found = _size(replace(varied, width=size[0], height=size[1]), lines)
    assert found == expected


def test_stretch_is_stated(varied, tmp_path):
    copy = display_copy(varied, tmp_path / "copy.mp4", start_s=0.5, end_s=1.0)
    inside = np.flatnonzero((varied.pts >= 0.5) & (varied.pts <= 1.0))
    assert copy.indices.tolist() == inside.tolist()
    assert copy.start_s == varied.pts[inside[0]]
    assert [n.code for n in copy.notices] == ["display_stretch"]
    assert copy.frame_of(int(inside[2])) == 2
    assert copy.frame_of(0) is None
    assert copy.frame_of(39) is None
    long = display_copy(varied, tmp_path / "copy.mp4", longest_s=1.0)
    assert long.pts[-1] <= 1.0
    assert [n.code for n in long.notices] == ["display_stretch"]
    with pytest.raises(UsageError, match="no frame lies in this stretch"):
        display_copy(varied, tmp_path / "copy.mp4", start_s=100.0)


def test_too_large_steps_down_then_refuses(varied, tmp_path):
    whole = display_copy(varied, tmp_path / "whole.mp4")
    small = display_copy(varied, tmp_path / "small.mp4", limit_bytes=int(0.9 * whole.size))
    assert small.size <= 0.9 * whole.size
    assert "display_quality" in [n.code for n in small.notices]
    with pytest.raises(VideoError, match=r"MiB, limit 0\.0 MiB\. Choose a shorter stretch"):
        display_copy(varied, tmp_path / "none.mp4", limit_bytes=1000)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["small.mp4", "whole.mp4"]


def test_a_long_video_is_judged_by_a_sample(varied, tmp_path, monkeypatch):
    from toolkit.media import display

    monkeypatch.setattr(display, "_SAMPLED_FROM", 10)
    monkeypatch.setattr(display, "_GOP", 5)
    calls = []
    whole = display._write
    monkeypatch.setattr(display, "_write", lambda *a: calls.append((len(a[1]), a[3])) or whole(*a))
    copy = display_copy(varied, tmp_path / "copy.mp4", limit_bytes=75_000)
    assert copy.size <= 75_000
    assert len(calls) > 2  # the first sample was too large
    assert [n for n, _rung in calls].count(40) == 1  # the whole is written once
    assert calls[-1][0] == 40
    assert all(n == 20 for n, _rung in calls[:-1])


def test_frames_that_do_not_decode_are_left_out(varied, tmp_path, monkeypatch):
    from toolkit.media import display

    def lossy(video, indices, *, tick, stage, notices):
        for frame in media.read(video, indices, tick=tick, stage=stage):
            if frame.index not in {3, 4, 20}:
                yield frame
        notices.append(Notice("damaged", "The video is damaged."))

    monkeypatch.setattr(display, "read", lossy)
    copy = display_copy(varied, tmp_path / "copy.mp4")
    left = [n for n in range(40) if n not in {3, 4, 20}]
    assert copy.indices.tolist() == left
    seen = [number_in(f.rgb) for f in media.read(media.probe(copy.path), np.arange(len(left)))]
    assert seen == left
    assert "damaged" in [n.code for n in copy.notices]


def test_times_closer_than_a_tick_are_dropped(varied, tmp_path):
    pts = varied.pts.copy()
    pts[5] = pts[4] + 1e-7
    copy = display_copy(replace(varied, pts=pts), tmp_path / "copy.mp4")
    assert 5 not in copy.indices
    assert len(copy.indices) == 39


def test_cancel_leaves_nothing(varied, tmp_path):
    def tick(stage, done, total):
        assert stage == "display"
        if done == 10:
            raise Cancelled

    with pytest.raises(Cancelled):
        display_copy(varied, tmp_path / "copy.mp4", tick=tick)
    assert list(tmp_path.iterdir()) == []


def test_facts_make_a_round_trip(varied, tmp_path):
    copy = display_copy(varied, tmp_path / "copy.mp4", start_s=0.2)
    again = DisplayCopy.from_dict(copy.path, copy.to_dict())
    assert repr(again) == repr(copy)
    assert np.array_equal(again.pts, copy.pts)
    assert again.notices == copy.notices
    assert again.to_dict() == copy.to_dict()
    for broken in ({}, copy.to_dict() | {"pts": [0.0]}, copy.to_dict() | {"width": "x"}):
        with pytest.raises(ShapeError):
            DisplayCopy.from_dict(copy.path, broken)
