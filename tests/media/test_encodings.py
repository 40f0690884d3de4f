"""Pictures come back from every encoding that people have, each frame by its number."""

from __future__ import annotations

import av
import numpy as np
import pytest

from toolkit.media.video import probe, read

from .conftest import HEIGHT, WIDTH, draw, number_of

X264 = {"crf": "8", "preset": "veryfast", "g": "6"}
X265 = {"x265-params": "log-level=error:crf=8:keyint=6", "preset": "ultrafast"}
RATE = {"b": "8000000", "g": "6"}
FAST = {"b": "8000000", "g": "6", "cpu-used": "8", "deadline": "realtime"}
QUALITY = {"qmin": "1", "qmax": "2", "g": "6"}
ENCODINGS = [
    *[("libx264", f, "mp4", X264) for f in ("yuv420p", "yuvj420p", "yuv422p", "yuv444p")],
    *[("libx264", f, "mkv", X264) for f in ("yuv420p10le", "yuv422p10le", "gray")],
    *[("libx264", "yuv420p", c, X264) for c in ("mov", "ts", "avi", "mpg", "h264")],
    *[("libx264rgb", "bgr24", c, X264) for c in ("mp4", "mkv")],
    *[("libx265", f, "mp4", X265) for f in ("yuv420p", "yuv420p10le", "yuv422p", "yuv444p")],
    *[("libx265", f, "mkv", X265) for f in ("yuv420p12le", "gbrp")],
    *[("libx265", "yuv420p", c, X265) for c in ("ts", "hevc")],
    *[("libvpx", "yuv420p", c, FAST) for c in ("webm", "mkv")],
    *[("libvpx-vp9", f, "webm", FAST) for f in ("yuv420p", "yuv444p", "gbrp")],
    *[("libsvtav1", f, "mp4", {"crf": "10", "preset": "10"}) for f in ("yuv420p", "yuv420p10le")],
    *[("mpeg4", "yuv420p", c, QUALITY) for c in ("mp4", "avi", "mkv")],
    *[("mpeg2video", f, c, RATE) for f, c in (("yuv420p", "mpg"), ("yuv422p", "ts"))],
    ("mpeg1video", "yuv420p", "mpg", RATE),
    ("msmpeg4", "yuv420p", "avi", QUALITY),
    *[("mjpeg", f, c, QUALITY) for f, c in (("yuvj420p", "avi"), ("yuvj422p", "mov"))],
    *[("ffv1", f, "mkv", {}) for f in ("yuv420p", "yuv444p16le", "bgr0", "gray", "gbrp10le")],
    *[("prores_ks", f, "mov", {}) for f in ("yuv422p10le", "yuva444p10le")],
    *[("png", f, "mov", {}) for f in ("rgb24", "rgba")],
    ("rawvideo", "yuv420p", "avi", {}),
]
COUNT = 18


def test_there_are_as_many_as_were_tried():
    assert len(ENCODINGS) == len({row[:3] for row in ENCODINGS}) == 48


@pytest.mark.parametrize(("codec", "form", "container", "options"), ENCODINGS)
def test_every_frame_comes_back(tmp_path, codec, form, container, options):
    path = tmp_path / f"clip.{container}"
    try:
        with av.open(str(path), "w") as box:
            stream = box.add_stream(codec, rate=25, options=dict(options))
            stream.width, stream.height, stream.pix_fmt = WIDTH, HEIGHT, form
            for number in range(COUNT):
                frame = av.VideoFrame.from_ndarray(draw(number), format="rgb24")
                box.mux(stream.encode(frame.reformat(format=form)))
            box.mux(stream.encode())
    except (av.codec.codec.UnknownCodecError, ValueError) as error:
        pytest.skip(f"this build of PyAV does not write it: {error}")
    video = probe(path)
    assert (video.width, video.height) == (WIDTH, HEIGHT)
    assert len(video.pts) == COUNT
    assert np.diff(video.pts) == pytest.approx(0.04, abs=0.002)
    for frame in read(video, np.array([0, 7, COUNT - 1])):
        assert number_of(frame.rgb) == frame.index
        wanted = draw(frame.index).astype(int)
        if form == "gray":
            grey = (wanted @ (0.299, 0.587, 0.114)).round()
            wanted = np.repeat(grey[..., None], 3, -1)
        # grey alone does not say whether it goes to 255 or to 235; FFmpeg's own answer is taken
        assert np.abs(frame.rgb[:-16] - wanted[:-16]).mean() < (12 if form == "gray" else 6)
