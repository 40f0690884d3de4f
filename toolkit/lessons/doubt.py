"""When the detector is wrong: what happens to a clip on its way, and what somebody can do to it.

Every treatment is done to genuine and forged clips alike. An adversarial pattern is a change too
small to see that is computed against this very network; it is shown on one face, to show that it
can be done, and is not written to a video.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import cv2
import numpy as np
from numpy.typing import NDArray

from toolkit import media
from toolkit.errors import OutOfRangeError, UnknownNameError
from toolkit.faces.crops import face_width
from toolkit.faces.regions import OVAL
from toolkit.forge.degrade import jpeg
from toolkit.forge.plant import FaceFinder
from toolkit.forge.selfblend import blend, hull_mask
from toolkit.media.reshare import reshare
from toolkit.types import FaceCrops, Tick, no_tick

if TYPE_CHECKING:
    from toolkit.detectors.seamnet_small import SeamNetDetector

Picture = NDArray[np.uint8]
Treatment = Literal["recode", "crop", "screen", "beauty", "cut"]
TREATMENTS: tuple[Treatment, ...] = ("recode", "crop", "screen", "beauty", "cut")
_CHAINS = {"recode": "scale240,crf36,crf36", "crop": "crop15,crf28", "screen": "screen,crf28"}
CUT_PART = 0.4
"""Of a clip's length: what a cut edit takes out of the middle."""
LEVELS_MAX = 8
"""Strongest pattern: of 255 levels, at every pixel and colour."""
PATTERN_STEPS = 12
RECODED_QUALITY = 75
"""JPEG quality of the picture that is coded again after the pattern was put on."""


def treat(source: Path, out: Path, treatment: Treatment, *, tick: Tick = no_tick) -> None:
    """Write a clip as it is after a treatment.

    Parameters
    ----------
    treatment
        ``"recode"``, ``"crop"``, ``"screen"`` (re-share chains), ``"beauty"`` (the skin smoothed,
        as a filter of a phone does), ``"cut"`` (the middle is left out).

    Raises
    ------
    UsageError
        If there is no such treatment.
    VideoError
        If the clip cannot be read.
    """
    if treatment in _CHAINS:
        reshare(source, out, _CHAINS[treatment], tick=tick)
        return
    edits: dict[str, Callable[[Path, Path, Tick], None]] = {"beauty": _beauty, "cut": _cut}
    if treatment not in edits:
        raise UnknownNameError(
            "there is no such treatment", treatment, "One of {known}.", known=TREATMENTS
        )
    edits[treatment](source, out, tick)


def _beauty(source: Path, out: Path, tick: Tick) -> None:
    video, find = media.probe(source), FaceFinder()
    every = np.arange(len(video.pts))

    def smooth() -> Iterator[Picture]:
        for frame in media.read(video, every, tick=tick, stage="beauty"):
            mesh = find(frame.rgb)
            yield frame.rgb if mesh is None else beautify(frame.rgb, mesh)

    media.write_h264(out, smooth(), video.pts - video.pts[0])


def beautify(rgb: Picture, mesh: NDArray[np.floating], *, strength: float = 0.8) -> Picture:
    """Return a frame with the skin of its face smoothed and lightened, eyes and lips included."""
    width = face_width(mesh)
    mask = hull_mask(mesh[list(OVAL), :2], (rgb.shape[0], rgb.shape[1]), grow=0.98)
    soft = cv2.GaussianBlur(mask, (0, 0), max(1.0, 0.04 * width))
    smooth = cv2.bilateralFilter(rgb, 9, 40, max(2.0, 0.04 * width))
    lighter = np.clip(smooth.astype(np.float32) * 1.06 + 4, 0, 255).astype(np.uint8)
    return blend(lighter, rgb, soft, strength)


def _cut(source: Path, out: Path, tick: Tick) -> None:
    """Leave the middle out: every frame that stays is as it was."""
    video = media.probe(source)
    count = len(video.pts)
    kept = round(count * (1 - CUT_PART) / 2)
    indices = np.concatenate([np.arange(kept), np.arange(count - kept, count)])
    gap = float(np.median(np.diff(video.pts)))
    pictures = (f.rgb for f in media.read(video, indices, tick=tick, stage="cut"))
    media.write_h264(out, pictures, np.arange(len(indices), dtype=np.float64) * gap)


# -- a pattern against the network


@dataclass(frozen=True, eq=False)
class Attacked:
    """One face before and after an adversarial pattern; logits are distances to the threshold.

    Attributes
    ----------
    before, after, recoded : (S, S, 3) uint8
        As it was, with the pattern, and with the pattern after one more JPEG.
    pattern : (S, S, 3) int16
        What was added, in levels.
    gap_before, gap_after, gap_recoded
        Evidence of each picture, minus the threshold.
    """

    before: Picture
    after: Picture
    recoded: Picture
    pattern: NDArray[np.int16]
    gap_before: float
    gap_after: float
    gap_recoded: float


def attack(
    rgb: Picture, judge: SeamNetDetector, *, levels: int, hide: bool, steps: int = PATTERN_STEPS
) -> Attacked:
    """Compute a pattern that moves the detector, by projected gradient steps (Captum's PGD).

    Parameters
    ----------
    rgb : (S, S, 3) uint8
        A face crop of the detector's size.
    judge
        The network that is attacked; its weights must be known.
    levels
        Most change of any pixel and colour, 0 to `LEVELS_MAX` of 255.
    hide
        True pushes towards 'genuine', False towards 'forged'.

    Raises
    ------
    UsageError
        If `levels` is out of range.
    """
    if not 0 <= levels <= LEVELS_MAX:
        raise OutOfRangeError(
            "this pattern is too strong", str(levels), "Use 0 to {most}.", most=LEVELS_MAX
        )
    changed = rgb if levels == 0 else _pattern(rgb, judge, levels=levels, hide=hide, steps=steps)
    recoded = jpeg(changed, RECODED_QUALITY)
    gaps = judge.logits(np.stack([rgb, changed, recoded])) - judge.card.threshold
    before, after, again = (float(g) for g in gaps)
    pattern = changed.astype(np.int16) - rgb
    return Attacked(rgb, changed, recoded, pattern, before, after, again)


def _pattern(
    rgb: Picture, judge: SeamNetDetector, *, levels: int, hide: bool, steps: int
) -> Picture:
    import torch
    from captum.robust import PGD

    sign = -1.0 if hide else 1.0
    device = next(judge.net.parameters()).device

    def logits(x: torch.Tensor) -> torch.Tensor:
        answer: torch.Tensor = judge.net(x)[0]
        return answer

    pgd = PGD(logits, lambda out, _target: sign * out, lower_bound=0, upper_bound=255)
    x = torch.from_numpy(rgb.transpose(2, 0, 1)[None].copy()).float().to(device)
    with warnings.catch_warnings():  # said at every step: Captum detaches its own input
        warnings.filterwarnings("ignore", "Input Tensor .* did not already require", UserWarning)
        out = pgd.perturb(
            x, radius=levels, step_size=max(0.5, 2.5 * levels / steps), step_num=steps, target=0
        )
    levelled = out.detach().cpu().numpy()[0].transpose(1, 2, 0).round()
    low, high = np.maximum(rgb.astype(int) - levels, 0), np.minimum(rgb.astype(int) + levels, 255)
    return np.asarray(np.clip(levelled, low, high), np.uint8)


def magnified(pattern: NDArray[np.int16], *, by: int = 16) -> Picture:
    """Return a pattern as a picture: grey is no change."""
    return np.clip(128 + by * pattern.astype(np.int32), 0, 255).astype(np.uint8)


def strongest(crops: FaceCrops, logits: NDArray[np.float64]) -> Picture:
    """Return the crop with the highest logit."""
    return np.asarray(crops.rgb[int(np.argmax(logits))], np.uint8)
