"""Pictures that change shape, carry odd tags, or need work before they can be looked at."""

from __future__ import annotations

import shutil
import subprocess
from dataclasses import replace
from fractions import Fraction

import av
import cv2
import numpy as np
import pytest
from av.bitstream import BitStreamFilterContext

from toolkit.faces.tracks import FaceReader
from toolkit.media import decoder, write_h264
from toolkit.media.video import probe, read, widen
from toolkit.types import Sampling

from .conftest import draw, number_of, write_bars

SQUARE = 32


def card(width, height):
    """Draw a white square in the middle of a grey picture."""
    image = np.full((height, width, 3), 90, np.uint8)
    top, left = (height - SQUARE) // 2, (width - SQUARE) // 2
    image[top : top + SQUARE, left : left + SQUARE] = 255
    return image


def box_of_white(rgb):
    rows, columns = np.nonzero(rgb.min(axis=-1) > 180)
    return np.ptp(columns) + 1, np.ptp(rows) + 1


def write_vp8(path, *parts):
    """Write lists of pictures, each list in a shape of its own, as one VP8 stream at 25 fps."""
    with av.open(str(path), "w") as box:
        stream = box.add_stream("libvpx", rate=25)
        stream.height, stream.width = parts[0][0].shape[:2]
        stream.pix_fmt = "yuv420p"
        number = 0
        for pictures in parts:
            encoder = av.CodecContext.create("libvpx", "w")
            encoder.height, encoder.width = pictures[0].shape[:2]
            encoder.pix_fmt, encoder.time_base = "yuv420p", Fraction(1, 25)
            encoder.bit_rate = 2_000_000
            for picture in (*pictures, None):
                frame = None
                if picture is not None:
                    frame = av.VideoFrame.from_ndarray(picture, format="rgb24")
                    frame.pts, frame.time_base = number, Fraction(1, 25)
                    number += 1
                for packet in encoder.encode(frame):
                    packet.stream = stream
                    box.mux(packet)
    return path


@pytest.fixture(scope="module")
def turned_in_a_call(tmp_path_factory):
    """Return a VP8 film of 12 upright and 12 lying pictures: key frames bring the new size."""
    path = tmp_path_factory.mktemp("shapes") / "call.webm"
    return write_vp8(path, [card(96, 160)] * 12, [card(160, 96)] * 12)


def test_each_part_keeps_its_shape(turned_in_a_call):
    video = probe(turned_in_a_call)
    assert (video.width, video.height) == (96, 160)
    notices, shapes = [], set()
    frames = list(read(video, np.arange(24), notices=notices, shapes=shapes))
    assert len(frames) == 24
    for frame in frames:
        width, height = box_of_white(frame.rgb)
        assert width == pytest.approx(height, abs=2)
    assert box_of_white(frames[5].rgb) == pytest.approx((SQUARE, SQUARE), abs=2)
    assert [n.code for n in notices] == ["size_changes"]
    assert "96×160 to 160×96" in str(notices[0])
    assert shapes == {(96, 160), (160, 96)}


def test_a_wider_picture_shrinks_nothing(turned_in_a_call):
    video = probe(turned_in_a_call)
    wide = widen(video, {(96, 160), (160, 96)})
    assert (wide.width, wide.height) == (160, 160)
    assert widen(wide, {(96, 160)}) is wide
    assert widen(video, set()) is video
    assert widen(video, {(10_000, 10_000)}) is video
    for frame in read(wide, np.array([3, 20])):
        assert frame.rgb.shape == (160, 160, 3)
        assert box_of_white(frame.rgb) == pytest.approx((SQUARE, SQUARE), abs=2)
        edges = frame.rgb[:20] if frame.index == 20 else frame.rgb[:, :20]
        assert edges.max() == 0


def test_faces_are_found_in_every_shape(shared, face_models, tmp_path):
    """A phone turned in a call: nobody is squashed, nothing is 'without a face'."""
    source = probe(shared / "data" / "clips" / "real" / "liveportrait_d3.mp4")
    pictures = [f.rgb for f in read(source, np.arange(0, 100, 2))]
    small = [cv2.resize(p, (300, 300), interpolation=cv2.INTER_AREA) for p in pictures]
    upright = [np.ascontiguousarray(p[:, 60:240]) for p in small[:25]]
    lying = [np.ascontiguousarray(p[40:220]) for p in small[25:]]
    scan = FaceReader().scan(probe(write_vp8(tmp_path / "call.webm", upright, lying)), Sampling())
    assert (scan.video.width, scan.video.height) == (300, 300)
    assert scan.without_face == 0
    (person,) = scan.persons
    assert person.hits == scan.looked_at
    assert [n.code for n in scan.notices if n.code != "cut"] == ["size_changes"]


def tagged(source, out, **tags):
    options = ":".join(f"{key}={value}" for key, value in tags.items())
    with av.open(str(source)) as box, av.open(str(out), "w") as into:
        stream = box.streams.video[0]
        copy = into.add_stream_from_template(stream)
        change = BitStreamFilterContext(f"h264_metadata={options}", stream, copy)
        for packet in box.demux(stream):
            for changed in change.filter(packet if packet.size else None):
                changed.stream = copy
                into.mux(changed)
    return out


@pytest.mark.parametrize("matrix", [0, 1, 3, 6, 8, 9, 10, 11, 12, 14, 15])
def test_a_wrong_or_rare_matrix_loses_no_file(cfr, tmp_path, matrix):
    """What cannot be followed is read as usual, within what a matrix may differ, and told."""
    video = probe(tagged(cfr, tmp_path / "tagged.mp4", matrix_coefficients=matrix))
    plain = {f.index: f.rgb for f in read(probe(cfr), np.array([0, 60]))}
    for frame in read(video, np.array([0, 60])):
        apart = np.abs(frame.rgb.astype(int) - plain[frame.index]).mean()
        assert apart < (16 if matrix in (1, 9) else 3)
    told = {n.code for n in video.notices}
    assert told == ({"colour_tag"} if matrix in (8, 10, 11, 12, 14, 15) else set())


@pytest.mark.parametrize("transfer", [0, 4, 8, 11, 13, 15, 17])
def test_a_rare_transfer_or_primary_changes_nothing(cfr, tmp_path, transfer):
    tags = {"transfer_characteristics": transfer, "colour_primaries": transfer}
    video = probe(tagged(cfr, tmp_path / "tagged.mp4", **tags, matrix_coefficients=6))
    (plain,) = read(probe(cfr), np.array([60]))
    (frame,) = read(video, np.array([60]))
    assert np.abs(frame.rgb.astype(int) - plain.rgb).max() <= 2


def test_an_exception_in_the_decoder_has_a_name(cfr, tmp_path, monkeypatch):
    from toolkit.errors import VideoError
    from toolkit.media import video as media

    decoder = (media._DECODER).read_text(encoding="utf-8")
    broken = decoder.replace("def _probe(", "def _probe(*_):\n    [][0]\n\n\ndef _not_used(")
    (tmp_path / "decoder.py").write_text(broken, encoding="utf-8")
    monkeypatch.setattr(media, "_DECODER", tmp_path / "decoder.py")
    with pytest.raises(VideoError, match=r"does not handle: cfr.mp4, IndexError"):
        probe(cfr)


def weave(numbers, path):
    """Write frames of two moments each: even lines of one, odd lines of the next."""
    rows = []
    for number in numbers:
        both = [np.full((96, 160, 3), 60, np.uint8) for _ in range(2)]
        for half, picture in enumerate(both):
            left = 10 + 2 * (2 * number + half)
            picture[20:70, left : left + 40] = 220
        frame = both[0].copy()
        frame[1::2] = both[1][1::2]
        rows.append(frame)
    write_h264(path, rows, np.arange(len(rows)) / 25, crf=4)
    return probe(path)


def test_combing_without_a_flag_is_told_and_undone(tmp_path):
    video = weave(range(16), tmp_path / "woven.mp4")
    assert video.notices == ()
    notices = []
    wanted = np.arange(16)
    before = {f.index: f.rgb for f in read(video, wanted, notices=notices)}
    (notice,) = notices
    assert notice.code == "combed"
    told = replace(video, notices=(notice,))
    again = []
    for frame in read(told, wanted, notices=again):
        lines = frame.rgb[24:66, :, 1].astype(int)
        edge = np.abs(np.diff(lines, axis=0)).max(axis=1)
        woven = np.abs(np.diff(before[frame.index][24:66, :, 1].astype(int), axis=0)).max(axis=1)
        assert np.median(edge) < 20 < np.median(woven)
    assert again == []


def test_whole_pictures_are_not_called_combed(cfr, sample):
    for path in (cfr, sample("cap12_edit")):
        video, notices = probe(path), []
        indices = np.arange(0, len(video.pts), max(1, len(video.pts) // 40))
        assert list(read(video, indices, notices=notices))
        assert notices == []


def test_pq_light_is_that_of_the_standard():
    """ITU-R BT.2408: 58 % of the signal is 203 nits; SMPTE ST 2084: 50.8 % is 100, 75 % 983."""
    light = decoder._pq_light()
    nits = [light[round(part * 65535)] * 203 for part in (0.0, 0.508, 0.5807, 0.75, 1.0)]
    assert nits == pytest.approx([0, 100, 203, 983, 10_000], rel=0.01, abs=1e-3)


def test_pq_is_shown_as_an_ordinary_screen_would(tmp_path):
    """A grey stair written as light in nits comes back as the stair, dark to white."""
    stair = np.repeat(np.linspace(0.1, 1.0, 8), 20)
    nits = 203 * stair**2.4
    light = decoder._pq_light() * 203
    signal = np.searchsorted(light, nits) / 65535
    grey = np.rint(64 + 876 * np.tile(signal, (96, 1))).astype(np.uint16)
    path = tmp_path / "pq.mkv"
    with av.open(str(path), "w") as box:
        stream = box.add_stream("ffv1", rate=25)
        stream.width, stream.height, stream.pix_fmt = 160, 96, "yuv420p10le"
        stream.codec_context.color_trc, stream.codec_context.color_primaries = 16, 9
        stream.codec_context.colorspace = 9
        for number in range(4):
            frame = av.VideoFrame(160, 96, "yuv420p10le")
            for plane, values in zip(
                frame.planes, (grey, *[np.full((48, 80), 512, np.uint16)] * 2), strict=True
            ):
                padded = np.zeros((plane.height, plane.line_size // 2), np.uint16)
                padded[:, : plane.width] = values
                plane.update(padded.tobytes())
            frame.pts = number
            box.mux(stream.encode(frame))
        box.mux(stream.encode())
    video = probe(path)
    assert [n.code for n in video.notices] == ["hdr"]
    assert "tone-mapped" in str(video.notices[0])
    (frame,) = read(video, np.array([2]))
    got = frame.rgb[48, 10::20].astype(float)
    assert np.ptp(got, axis=1).max() <= 2
    below = stair[10::20] ** 2.4 < decoder.PQ_KNEE
    assert got[below, 1] == pytest.approx(255 * stair[10::20][below], abs=3)
    assert (np.diff(got[:, 1]) > 8).all()
    assert got[-1, 1] > 230


def streams_of(path, *rows):
    """Write several streams: each row is codec, size, number of pictures, and how to draw one."""
    with av.open(str(path), "w") as box:
        streams = []
        for codec, width, height, _, _ in rows:
            stream = box.add_stream(codec, rate=25)
            stream.width, stream.height = width, height
            stream.pix_fmt = "yuvj420p" if codec == "mjpeg" else "yuv420p"
            streams.append(stream)
        for number in range(max(row[3] for row in rows)):
            for stream, (_, _, _, count, picture) in zip(streams, rows, strict=True):
                if number < count:
                    frame = av.VideoFrame.from_ndarray(picture(number), format="rgb24")
                    frame.pts = number
                    box.mux(stream.encode(frame))
        for stream in streams:
            box.mux(stream.encode())
    return path


FILM = ("libx264", 160, 96, 60, draw)


@pytest.mark.parametrize(
    "other",
    [
        ("mjpeg", 320, 240, 1, lambda _: card(320, 240)),
        ("libx264", 320, 240, 60, lambda _: card(320, 240)),
        ("libx264", 640, 480, 3, lambda _: card(640, 480)),
    ],
    ids=["one picture", "a still film", "three pictures"],
)
@pytest.mark.parametrize("film_first", [False, True])
def test_the_stream_that_moves_is_read(tmp_path, other, film_first):
    rows = (FILM, other) if film_first else (other, FILM)
    video = probe(streams_of(tmp_path / "two.mkv", *rows))
    assert (video.width, video.height) == (160, 96)
    assert len(video.pts) == 60
    assert [number_of(f.rgb) for f in read(video, np.array([0, 31, 59]))] == [0, 31, 59]
    (notice,) = [n for n in video.notices if n.code == "several_streams"]
    assert f"number {0 if film_first else 1} (160×96, 60 frames)" in str(notice)


def test_transparency_that_is_stored_apart_is_told(tmp_path):
    if not (program := shutil.which("ffmpeg")):
        pytest.skip("PyAV writes no VP8 with transparency; ffmpeg does")
    path = tmp_path / "alpha.webm"
    picture = "color=red@0.5:s=160x96:d=0.4,format=yuva420p"
    command = [program, "-v", "error", "-f", "lavfi", "-i", picture, "-c:v", "libvpx"]
    subprocess.run([*command, "-auto-alt-ref", "0", str(path)], check=True)
    assert [n.code for n in probe(path).notices] == ["alpha_apart"]


def test_a_nearly_square_pixel_is_not_called_square(tmp_path):
    options = {"x264-params": "sar=385/384"}
    (notice,) = probe(write_bars(tmp_path / "s.mkv", options=options, count=4)).notices
    assert str(notice).startswith("The pixel aspect is 1.0026:1;")
