"""Write H.264 video with exact timestamps, in a form that browsers play."""

from __future__ import annotations

import functools
from collections.abc import Iterable, Sequence
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from av.video.reformatter import ColorPrimaries, ColorRange, Colorspace, ColorTrc, VideoReformatter
from numpy.typing import NDArray

from toolkit.errors import ShapeError
from toolkit.files import atomic_path
from toolkit.messages import phrase

TIME_BASE = Fraction(1, 90_000)
_AVX_512F = 13  # OpenCV's CPU_AVX_512F (cvdef.h), which has no name in Python


@functools.cache
def repeatable() -> dict[str, str]:
    """Return options with which libx264 gives the same bytes for the same pictures.

    Its AVX-512 code did not on an AMD Zen 5 processor: 27 of 96 runs differed, with one thread;
    limited to AVX2, at about the same speed, none did. What is hashed, compared or looked up by its
    bytes needs that. Processors without AVX-512 are left alone.
    """
    import cv2

    return {"x264-params": "asm=avx2"} if cv2.checkHardwareSupport(_AVX_512F) else {}


def write_h264(
    path: Path | str,
    frames: Iterable[NDArray[np.uint8]],
    pts: Sequence[float] | NDArray[np.float64],
    *,
    crf: int = 18,
    preset: str = "veryfast",
    gop: int = 50,
    reorder: bool = True,
) -> None:
    """Write pictures as an H.264 MP4 (yuv420p, BT.709, index first), complete or not at all.

    Frames are taken one at a time, so memory does not grow with the length. 4:2:0 video needs
    even sides: an odd side is extended by one repeated row or column, never cropped or scaled.

    Parameters
    ----------
    path
        Where to write; replaced in one step when everything succeeded.
    frames : iterable of (H, W, 3) uint8
        RGB pictures, all of one size.
    pts : (T,) float
        Time of each frame in seconds, not negative, increasing by at least 1/90000 s.
    crf, preset
        Quality (0 is lossless in 4:2:0, 51 worst) and speed of the encoder.
    gop
        Most frames from one key frame to the next.
    reorder
        Whether frames may be stored in another order than they are shown in (B-frames), which is
        smaller. Browsers look for key frames by the stored order, and so can seek one frame too far
        just before a key frame.

    Raises
    ------
    ShapeError
        If pictures differ in size, or do not match `pts` in number, or times do not increase.
    OSError
        If the file cannot be written.
    """
    ticks = np.rint(np.asarray(pts, np.float64) * TIME_BASE.denominator).astype(np.int64)
    if not len(ticks) or ticks[0] < 0 or (np.diff(ticks) <= 0).any():
        raise ShapeError(
            "pts are not increasing times",
            phrase("{n} values", n=len(ticks)),
            "Give one time per frame, in order.",
        )
    gaps = np.append(np.diff(ticks), np.median(np.diff(ticks)) if len(ticks) > 1 else 3600)
    rate = Fraction(int(TIME_BASE.denominator), int(np.median(gaps))).limit_denominator(1001)
    reformatter = VideoReformatter()
    size: tuple[int, ...] | None = None
    count = 0
    with (
        atomic_path(path) as temporary,
        av.open(
            str(temporary),
            "w",
            format="mp4",
            options={
                "movflags": "+faststart",
                "fflags": "+bitexact",
                "video_track_timescale": "90000",
            },
        ) as box,
    ):
        stream = box.add_stream("libx264", rate=rate)
        for picture in frames:
            if size is None:
                size = picture.shape
                stream.height, stream.width = (side + side % 2 for side in size[:2])
                stream.pix_fmt = "yuv420p"
                stream.time_base = stream.codec_context.time_base = TIME_BASE
                stream.codec_context.gop_size = gop
                stream.codec_context.options = {"crf": str(crf), "preset": preset} | repeatable()
                if not reorder:
                    stream.codec_context.max_b_frames = 0
                stream.codec_context.colorspace = Colorspace.ITU709
                stream.codec_context.color_primaries = ColorPrimaries.BT709
                stream.codec_context.color_trc = ColorTrc.BT709
                stream.codec_context.color_range = ColorRange.MPEG
            if picture.shape != size or picture.dtype != np.uint8 or picture.shape[2:] != (3,):
                raise ShapeError(
                    "a frame has the wrong shape",
                    f"{picture.dtype} {picture.shape}",
                    "Expected uint8 {size}, RGB.",
                    size=str(size),
                )
            if count == len(ticks):
                raise ShapeError("there are more frames than times", phrase("{n} times", n=count))
            frame = _yuv(picture, reformatter)
            frame.pts, frame.time_base = int(ticks[count]), TIME_BASE
            frame.duration = int(gaps[count])
            box.mux(stream.encode(frame))
            count += 1
        if count < len(ticks):
            raise ShapeError(
                "there are fewer frames than times",
                phrase("{n} of {total}", n=count, total=len(ticks)),
            )
        box.mux(stream.encode())


def _yuv(picture: NDArray[np.uint8], reformatter: VideoReformatter) -> av.VideoFrame:
    height, width = picture.shape[:2]
    if height % 2 or width % 2:
        picture = np.pad(picture, ((0, height % 2), (0, width % 2), (0, 0)), mode="edge")
    frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(picture), format="rgb24")
    return reformatter.reformat(
        frame,
        format="yuv420p",
        dst_colorspace=Colorspace.ITU709,
        dst_color_range=ColorRange.MPEG,
        threads=1,
    )
