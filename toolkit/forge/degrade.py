"""Ways in which pictures lose quality, applied alike to genuine and forged ones.

All functions take and return (H, W, 3) RGB uint8 and draw from an explicit generator. They round
instead of truncating: `astype(uint8)` alone would darken by half a level and mark what it touched.
"""

from __future__ import annotations

from fractions import Fraction

import av
import cv2
import numpy as np
from av.video.codeccontext import VideoCodecContext
from numpy.typing import NDArray

from toolkit.media.write import repeatable

Picture = NDArray[np.uint8]
Rng = np.random.Generator


def to_u8(x: NDArray[np.floating]) -> Picture:
    """Round and clip to 0..255."""
    return np.asarray(np.rint(np.clip(x, 0, 255)), np.uint8)


def blur(rgb: Picture, sigma: float) -> Picture:
    """Return the picture after a Gaussian blur, `sigma` in pixels."""
    out: Picture = cv2.GaussianBlur(rgb, (0, 0), sigma)
    return out


def sharpen(rgb: Picture, amount: float, sigma: float) -> Picture:
    """Return the picture after unsharp masking."""
    soft = cv2.GaussianBlur(rgb, (0, 0), sigma)
    out: Picture = cv2.addWeighted(rgb, 1 + amount, soft, -amount, 0)
    return out


def beautify(rgb: Picture, strength: float) -> Picture:
    """Return the picture after an edge-preserving smoothing, as beauty filters do; 0..1."""
    smooth = cv2.bilateralFilter(rgb, 7, 20 + 40 * strength, 5)
    return to_u8(rgb + np.float32(strength) * (smooth.astype(np.float32) - rgb))


def down_up(rgb: Picture, factor: float, rng: Rng) -> Picture:
    """Return the picture shrunk by `factor` and enlarged back, with kernels drawn at random."""
    height, width = rgb.shape[:2]
    size = (max(8, round(width / factor)), max(8, round(height / factor)))
    down = (cv2.INTER_AREA, cv2.INTER_LINEAR, cv2.INTER_CUBIC)[rng.integers(3)]
    up = (cv2.INTER_LINEAR, cv2.INTER_CUBIC, cv2.INTER_LANCZOS4)[rng.integers(3)]
    out: Picture = cv2.resize(
        cv2.resize(rgb, size, interpolation=down), (width, height), interpolation=up
    )
    return out


def noise_like(shape: tuple[int, ...], sigma: float, grain: float, rng: Rng) -> NDArray[np.float32]:
    """Return Gaussian noise of standard deviation `sigma`, blurred by `grain` pixels."""
    noise = rng.standard_normal(shape, np.float32)
    if grain > 0:
        noise = cv2.GaussianBlur(noise, (0, 0), grain)
        noise /= max(float(noise.std()), 1e-6)
    return noise * np.float32(sigma)


def jpeg(rgb: Picture, quality: int) -> Picture:
    """Return the picture after JPEG coding; quality 1..100."""
    _, data = cv2.imencode(
        ".jpg", cv2.cvtColor(rgb, cv2.COLOR_RGB2BGR), [cv2.IMWRITE_JPEG_QUALITY, quality]
    )
    out: Picture = cv2.cvtColor(cv2.imdecode(data, cv2.IMREAD_COLOR), cv2.COLOR_BGR2RGB)
    return out


def shift_colour(rgb: Picture, rng: Rng, *, strength: float = 1.0) -> Picture:
    """Return the picture with its colour, brightness and contrast changed at random."""
    x = rgb.astype(np.float32)
    if rng.random() < 0.7:
        x += rng.uniform(-20, 20, 3).astype(np.float32) * np.float32(strength)
    if rng.random() < 0.7:
        gain = np.float32(1 + strength * rng.uniform(-0.15, 0.15))
        x = (x - x.mean()) * gain + x.mean()
    if rng.random() < 0.7:
        hsv = cv2.cvtColor(to_u8(x), cv2.COLOR_RGB2HSV).astype(np.float32)
        hsv[..., 0] = (hsv[..., 0] + strength * rng.uniform(-8, 8)) % 180
        hsv[..., 1] *= 1 + strength * rng.uniform(-0.3, 0.3)
        hsv[..., 2] *= 1 + strength * rng.uniform(-0.15, 0.15)
        np.clip(np.rint(hsv), 0, (179, 255, 255), out=hsv)
        x = cv2.cvtColor(hsv.astype(np.uint8), cv2.COLOR_HSV2RGB).astype(np.float32)
    return to_u8(x)


def h264(
    rgb: Picture,
    crf: int,
    *,
    preset: str = "veryfast",
    drift: tuple[float, float] = (1, 0),
    between: bool = False,
) -> Picture:
    """Return the picture as a frame of a short H.264 burst; see `burst`.

    `between` = a frame predicted from both sides, coded more coarsely than its neighbours, as two
    of three frames of a usual file are; else the last of four frames, predicted from the past.
    """
    options = {"crf": str(crf), "preset": preset} | repeatable()
    if between:
        options |= {"bf": "2", "b-adapt": "0", "rc-lookahead": "0"}
        return burst(rgb, "libx264", "h264", options, drift=drift, count=5, shown=2)
    options |= {"bf": "0", "tune": "zerolatency"}
    return burst(rgb, "libx264", "h264", options, drift=drift)


def mpeg2(rgb: Picture, scale: int, *, drift: tuple[float, float] = (1, 0)) -> Picture:
    """Return the picture as the last frame of a four-frame MPEG-2 burst.

    `scale` is the quantiser, 2 (fine) to 31. Older broadcasts and laboratory recordings look so.
    """
    options = {"qmin": str(scale), "qmax": str(scale), "g": "12"}
    return burst(rgb, "mpeg2video", "mpeg2video", options, drift=drift)


def burst(
    rgb: Picture,
    encoder: str,
    decoder: str,
    options: dict[str, str],
    *,
    drift: tuple[float, float],
    count: int = 4,
    shown: int = -1,
) -> Picture:
    """Return the picture as frame `shown` of a short video of itself, by default the last.

    The last frame is predicted from the ones before, as most frames of a video are. The picture
    moves by `drift` pixels per frame, so that motion compensation has something to do, and is in
    its place in the frame that is shown. An odd last row or column is kept by padding.
    """
    height, width = rgb.shape[:2]
    padded = cv2.copyMakeBorder(rgb, 0, height % 2, 0, width % 2, cv2.BORDER_REPLICATE)
    sender, receiver = av.CodecContext.create(encoder, "w"), av.CodecContext.create(decoder, "r")
    assert isinstance(sender, VideoCodecContext)
    assert isinstance(receiver, VideoCodecContext)
    sender.width, sender.height = padded.shape[1], padded.shape[0]
    sender.pix_fmt = "yuv420p"
    sender.time_base, sender.framerate = Fraction(1, 25), Fraction(25)
    sender.thread_count = 1
    sender.options = options
    receiver.thread_count = 1
    packets = []
    for n in range(count):
        moved, back = padded, shown % count - n
        if back:
            move = np.array([[1, 0, -drift[0] * back], [0, 1, -drift[1] * back]], np.float32)
            size = (padded.shape[1], padded.shape[0])
            moved = cv2.warpAffine(padded, move, size, borderMode=cv2.BORDER_REPLICATE)
        frame = av.VideoFrame.from_ndarray(moved, format="rgb24")
        frame.pts = n
        packets += sender.encode(frame)
    packets += sender.encode(None)
    frames = [f for p in packets for f in receiver.decode(p)] + list(receiver.decode(None))
    return np.asarray(frames[shown].to_ndarray(format="rgb24")[:height, :width], np.uint8)


def soft_chroma(rgb: Picture, sigma: float) -> Picture:
    """Return the picture with blurred colour differences, as cheap and old cameras record them."""
    parts = cv2.cvtColor(rgb, cv2.COLOR_RGB2YCrCb)
    parts[..., 1:] = cv2.GaussianBlur(parts[..., 1:], (0, 0), sigma)
    out: Picture = cv2.cvtColor(parts, cv2.COLOR_YCrCb2RGB)
    return out


def uneven_light(rgb: Picture, rng: Rng) -> Picture:
    """Return the picture as if lamps of several colours stood around the scene.

    A smooth gain per colour, wider than a face: real light that must not be taken for a seam.
    """
    height, width = rgb.shape[:2]
    field = rng.normal(0, rng.uniform(0.04, 0.16), (3, 3, 3)).astype(np.float32)
    gain = 1 + cv2.resize(field, (width, height), interpolation=cv2.INTER_CUBIC)
    return to_u8(rgb * gain)


def prepare(rgb: Picture, rng: Rng) -> Picture:
    """Return a genuine picture as some camera, phone app or archive would have left it.

    Applied before any blending, so that genuine pictures vary in sharpness, resolution and
    processing as much as forged ones do.
    """
    if rng.random() < 0.35:
        rgb = uneven_light(rgb, rng)
    if rng.random() < 0.25:
        rgb = shift_colour(rgb, rng, strength=rng.uniform(0.5, 2.0))
    if rng.random() < 0.2:
        rgb = soft_chroma(rgb, rng.uniform(1, 4))
    kind = rng.choice(7, p=[0.25, 0.15, 0.1, 0.15, 0.15, 0.1, 0.1])
    if kind == 1:
        return sharpen(rgb, rng.uniform(0.3, 1.5), rng.uniform(0.7, 2.0))
    if kind == 2:  # the halos of cameras and television that sharpen by themselves
        return sharpen(rgb, rng.uniform(0.6, 2.0), rng.uniform(1.5, 4.0))
    if kind == 3:
        return blur(rgb, rng.uniform(0.5, 1.8))
    if kind == 4:
        return down_up(rgb, rng.uniform(1.3, 3.5), rng)
    if kind == 5:
        return beautify(rgb, rng.uniform(0.3, 1.0))
    if kind == 6:
        return jpeg(rgb, int(rng.integers(40, 95)))
    return rgb


class Degradation:
    """One draw of what happens to a picture on its way, to be applied alike to several.

    Steps in the order they occur in the world: colour, blur or sharpening, noise, resizing, coding.
    """

    def __init__(self, rng: Rng, shape: tuple[int, ...]) -> None:
        height, width = shape[:2]
        self._seed = int(rng.integers(2**63))
        self._blur = rng.uniform(0.4, 1.6) if rng.random() < 0.2 else 0.0
        self._sharpen = rng.uniform(0.2, 1.0) if rng.random() < 0.2 else 0.0
        self._colour = rng.random() < 0.3
        self._noise: NDArray[np.float32] | None = None
        if rng.random() < 0.3:
            grain = rng.uniform(0.4, 1.0) if rng.random() < 0.5 else 0.0
            self._noise = noise_like((height, width, 3), rng.uniform(1, 7), grain, rng)
        scale = rng.uniform(0.45, 0.95) if rng.random() < 0.35 else 1.0
        self._size = (max(16, round(width * scale)), max(16, round(height * scale)))
        self._codec = rng.choice(["h264", "mpeg2", "jpeg", "none"], p=[0.58, 0.12, 0.18, 0.12])
        # the same rate factor leaves far less of a small picture than of a large one
        self._crf = int(rng.integers(18, 46 if max(self._size) > 300 else 39))
        # ultrafast leaves out the deblocking filter: rare outside live streams
        self._preset = str(rng.choice(["ultrafast", "veryfast", "fast"], p=[0.1, 0.45, 0.45]))
        self._between = bool(rng.random() < 0.4)
        self._drift = (float(rng.uniform(-1.5, 1.5)), float(rng.uniform(-1.5, 1.5)))
        self._scale = int(rng.integers(3, 16))
        self._quality = int(rng.integers(30, 100))

    def __call__(self, rgb: Picture) -> Picture:
        """Return the picture after all steps; its size may shrink."""
        if self._colour:
            rgb = shift_colour(rgb, np.random.default_rng(self._seed), strength=0.7)
        if self._blur:
            rgb = blur(rgb, self._blur)
        elif self._sharpen:
            rgb = sharpen(rgb, self._sharpen, 1.2)
        if self._noise is not None:
            rgb = to_u8(rgb + self._noise)
        if self._size != (rgb.shape[1], rgb.shape[0]):
            rgb = cv2.resize(rgb, self._size, interpolation=cv2.INTER_AREA)
        if self._codec == "h264":
            return h264(
                rgb, self._crf, preset=self._preset, drift=self._drift, between=self._between
            )
        if self._codec == "mpeg2":
            return mpeg2(rgb, self._scale, drift=self._drift)
        return jpeg(rgb, self._quality) if self._codec == "jpeg" else rgb
