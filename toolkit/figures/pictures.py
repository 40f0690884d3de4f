"""Key frames as pictures: the face, and the detector's evidence laid over it."""

from __future__ import annotations

import base64
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from toolkit._i18n import _
from toolkit.figures.sentences import frame_sentence
from toolkit.types import KeyFrame, TrackResult

BLUE, ORANGE = (33, 102, 172), (200, 84, 10)
"""The ends of the signed scale: speaks against, speaks for. Told apart by the colour-blind too."""

_STOPS = np.array([-1.0, -0.5, 0.0, 0.5, 1.0])
_COLOURS = np.array([BLUE, (146, 197, 222), (247, 247, 247), (253, 184, 99), ORANGE], np.float64)

EVEN_SHARES = 8.0
"""A cell with this many times its even share of the frame's evidence gets the full colour. A fixed
scale, so that frames can be compared and an even spread stays faint."""

QUIET, LOUD = 0.12, 0.45
"""How strongly a frame at the line is drawn, from below and from above: crossing it shows."""
_ROOM = 2.0  # logits above the line; a clip whose highest frame lies lower stays pale

_ALPHA = 0.75
_JPEG_QUALITY = 88


def diverging(values: ArrayLike) -> NDArray[np.uint8]:
    """Return blue–white–orange colours for values in -1..1, zero in the middle: (..., 3) uint8."""
    v = np.clip(np.asarray(values, np.float64), -1, 1)
    return np.stack([np.interp(v, _STOPS, c) for c in _COLOURS.T], axis=-1).round().astype(np.uint8)


def strengths(result: TrackResult) -> NDArray[np.float64]:
    """Return how strongly each frame's heat map is drawn, by the frame's own score: (M,), 0..1.

    One scale for the whole clip: full at its highest frame, or at two logits above the line where
    none lies as high; faint below the line, and nothing at the score of the reference. A heat map
    by itself is scaled to its own frame, and would shout where there is nothing.
    """
    logits = result.evidence.logits.astype(np.float64)
    line = result.verdict.threshold
    explanation = result.explanation
    low = line - 2 * _ROOM if explanation is None else min(explanation.reference_logit, line - 1e-9)
    top = max(line + _ROOM, float(logits.max())) if len(logits) else line + _ROOM
    below = QUIET * np.clip((logits - low) / (line - low), 0, 1)
    above = LOUD + (1 - LOUD) * np.clip((logits - line) / (top - line), 0, 1)
    return np.asarray(np.where(logits >= line, above, below), np.float64)


def strength_at(result: TrackResult, position: int) -> float:
    """Return how strongly the heat map of one moment is drawn: `strengths` at its frame."""
    return float(strengths(result)[result.row_at(position)])


def overlay(key_frame: KeyFrame, strength: float = 1.0) -> NDArray[np.uint8]:
    """Return the face with its heat map: (S, S, 3) uint8.

    Orange speaks for forged, blue against. The stronger, the less of the face shows through; where
    the evidence is nil the face is unchanged. Without a heat map the face is returned as it is.

    Parameters
    ----------
    key_frame
        The face and its heat map, which is scaled to the frame.
    strength
        How strongly it is drawn, 0..1: `strength_at`.
    """
    if key_frame.heat is None:
        return key_frame.rgb
    size = key_frame.rgb.shape[0]
    scaled = np.clip(key_frame.heat.astype(np.float64) * key_frame.heat.size / EVEN_SHARES, -1, 1)
    value = _enlarge(scaled, size)
    alpha = _ALPHA * strength * np.abs(value)[..., None]
    full = np.where(value[..., None] >= 0, ORANGE, BLUE)
    mixed = (1 - alpha) * key_frame.rgb + alpha * full
    return np.asarray(mixed.round(), np.uint8)


def _enlarge(heat: NDArray[np.float64], size: int) -> NDArray[np.float64]:
    """Interpolate between cell centres, both ways: (h, w) to (size, size)."""

    def weights(n: int) -> NDArray[np.float64]:
        centres = (np.arange(size) + 0.5) * n / size - 0.5
        return np.stack([np.interp(centres, np.arange(n), row) for row in np.eye(n)], axis=1)

    return np.asarray(weights(heat.shape[0]) @ heat @ weights(heat.shape[1]).T)


@dataclass(frozen=True, eq=False, repr=False)
class Picture:
    """One key frame, ready to show.

    Attributes
    ----------
    caption, alt
        What a reader and a screen reader are told.
    face, heat
        JPEG images as ``data:`` addresses; `heat` is None where the detector has no patches.
    is_comparison
        Whether the frame lies below the line: it is shown to compare the others with.
    """

    caption: str
    alt: str
    face: str
    heat: str | None
    is_comparison: bool


def pictures(result: TrackResult) -> list[Picture]:
    """Return the key frames of a track, in order of time."""
    shown = []
    for frame in result.key_frames:
        caption = frame_sentence(result, frame.position)
        strength = strength_at(result, frame.position)
        shown.append(
            Picture(
                caption=caption,
                alt=_("Face of person {person} at {caption}").format(
                    person=result.track.person, caption=caption
                ),
                face=data_address(frame.rgb),
                heat=None if frame.heat is None else data_address(overlay(frame, strength)),
                is_comparison=strength < LOUD,
            )
        )
    return shown


def data_address(rgb: NDArray[np.uint8]) -> str:
    """Return an RGB image as a JPEG in a ``data:`` address."""
    import cv2

    done, data = cv2.imencode(
        ".jpg", np.ascontiguousarray(rgb[..., ::-1]), [cv2.IMWRITE_JPEG_QUALITY, _JPEG_QUALITY]
    )
    assert done
    return "data:image/jpeg;base64," + base64.b64encode(data.tobytes()).decode()
