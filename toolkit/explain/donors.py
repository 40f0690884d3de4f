"""Genuine faces of other persons, to take references from when a track has no clean frame.

A donor should be in no training data of the detector. Only faces large enough to judge are taken,
and only those that the detector calls genuine are used (`references` sees to that).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import fields
from pathlib import Path

import numpy as np

from toolkit import media
from toolkit.detectors.base import InputSpec
from toolkit.errors import VideoError
from toolkit.explain.perturbation import staged, take
from toolkit.faces.crops import CropCollector
from toolkit.faces.mesh import LargestFace
from toolkit.types import FaceCrops, Tick, no_tick, spread
from toolkit.verdict.abstention import Limits

FRAMES = 6
"""Faces per clip: enough for several poses."""

SUFFIXES = (".mp4", ".mov", ".mkv", ".webm", ".avi", ".m4v")
CLIPS_MAX = 12


def clips_in(folder: Path) -> tuple[Path, ...]:
    """Return the first clips in a folder by name; empty where there is no such folder."""
    if not folder.is_dir():
        return ()
    clips = (p for p in sorted(folder.iterdir()) if p.suffix.lower() in SUFFIXES and p.is_file())
    return tuple(clips)[:CLIPS_MAX]


def read_donors(
    clips: Sequence[Path],
    spec: InputSpec,
    *,
    frames: int = FRAMES,
    without: str = "",
    tick: Tick = no_tick,
) -> FaceCrops | None:
    """Read a few faces of each clip, spread evenly; the largest face of each frame.

    A clip that cannot be read gives none: a donor is welcome, never needed.

    Parameters
    ----------
    clips
        Genuine clips.
    spec
        Of the detector that will judge them.
    frames
        Looked at per clip.
    without
        SHA-256 of a clip that is no donor: the one in question.
    tick
        Called with the stage ``"donors"``, in clips.

    Returns
    -------
    FaceCrops or None
        None when no usable face was found.
    """
    parts = []
    for done, clip in enumerate(clips):
        parts += list(_faces(clip, spec, frames, without, staged(tick, "donors", done, len(clips))))
    tick("donors", len(clips), len(clips))
    if not parts:
        return None
    return FaceCrops(
        *(np.concatenate([getattr(part, f.name) for part in parts]) for f in fields(FaceCrops))
    )


def _faces(
    clip: Path, spec: InputSpec, frames: int, without: str, tick: Tick
) -> Iterator[FaceCrops]:
    try:
        video = media.probe(clip, tick=tick)
        if video.sha256 == without:
            return
        wanted = spread(len(video.pts), frames)
        finder, collector = LargestFace(), CropCollector(spec)
        for frame in media.read(video, wanted, tick=tick):
            if (face := finder.detect(frame.rgb)) is not None:
                collector.add(frame.rgb, *face)
    except VideoError:
        return
    crops = collector.crops()
    large = np.flatnonzero(crops.face_width >= Limits().face_px)
    if len(large):
        yield take(crops, large)
