"""Clips of known truth, made of genuine pictures: no forged video is needed.

No single source has all that a clip needs, so two are put together:

- how far genuine and forged clips of many people lie apart: from clips made of photographs of
  people kept from training (`still_clips`), one degradation per clip, drawn as training draws its
  pairs;
- how the logit of a genuine video goes up and down from moment to moment: from the people of whom
  there are `MOMENTS` pictures or more, in the order of their names. Only the ups and downs about
  their mean are used, `UNSEEN` times as large, for the network saw those pictures in training.
  Nobody is used for both.

What is forged is higher by a constant: a real forgery also goes up and down.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import cv2
import numpy as np
from numpy.typing import NDArray

from toolkit.detectors.canary import SIZE
from toolkit.detectors.seamnet_small import MARGIN
from toolkit.errors import UsageError
from toolkit.faces.crops import cut, face_square
from toolkit.forge.degrade import Degradation, Picture, prepare
from toolkit.forge.selfblend import moved, self_blend
from toolkit.messages import phrase
from toolkit.training.data import Folder, Photo, Photos, read_picture, working_copy
from toolkit.types import Tick, no_tick, spread

FRAMES = 16  # of a clip made of a photograph
TRIES = 6
MOMENTS = 32  # of a clip put together, as `Sampling` reads of a short video
BATCH = 8
FACES_HELP = (
    f"genuine pictures; whoever has {MOMENTS} or more in a folder counts as filmed, so one folder "
    "of toolkit.training.frames at least is needed"
)
UNSEEN = 1.3  # held-back genuine clips of the benchmark go as much farther than trained ones

Float = NDArray[np.float64]


class Scorer(Protocol):
    """What gives a logit per picture (N, S, S, 3) uint8."""

    def logits(self, rgb: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Return (N,) logits."""


@dataclass(frozen=True, eq=False)
class StillClip:
    """A genuine and a forged clip made of one photograph: (F, S, S, 3) uint8 each.

    `group` is whom it shows: two photographs of one person are not independent.
    """

    genuine: NDArray[np.uint8]
    forged: NDArray[np.uint8]
    group: str


def still_clip(photo: Photo, rng: np.random.Generator, *, frames: int = FRAMES) -> StillClip | None:
    """Make both clips of a photograph, or None when it cannot be read or no blend fits.

    The forgery and the way of coding are drawn once; from frame to frame the camera trembles and
    the picture is coded anew.
    """
    rgb = read_picture(photo.path)
    if rgb is None:
        return None
    rgb, mesh = working_copy(rgb, photo.mesh, rng)
    rgb = prepare(rgb, rng)
    pair = next(filter(None, (self_blend(rgb, mesh, rng) for _ in range(TRIES))), None)
    if pair is None:
        return None
    degrade = Degradation(rng, rgb.shape)
    moves = _tremble(frames, mesh, rng)
    clips = [
        np.stack([_crop(degrade(moved(x, m)), mesh, m, x.shape[1]) for m in moves])
        for x in (pair.real, pair.fake)
    ]
    return StillClip(clips[0], clips[1], photo.identity)


def _tremble(
    frames: int, mesh: NDArray[np.float32], rng: np.random.Generator
) -> list[NDArray[np.float64]]:
    """Return an affine map (2, 3) per frame: small turns and shifts about the face."""
    centre = mesh[:, :2].mean(axis=0)
    width = float(np.ptp(mesh[:, 0]))
    moves = []
    for _ in range(frames):
        move = cv2.getRotationMatrix2D(
            (float(centre[0]), float(centre[1])), rng.normal(0, 1.5), 1 + rng.normal(0, 0.01)
        )
        move[:, 2] += rng.normal(0, 0.015 * width, 2)
        moves.append(np.asarray(move, np.float64))
    return moves


def _crop(
    rgb: Picture, mesh: NDArray[np.float32], move: NDArray[np.float64], width: int
) -> NDArray[np.uint8]:
    points = (mesh[:, :2] @ move[:, :2].T + move[:, 2]) * (rgb.shape[1] / width)
    return cut(rgb, face_square(points, margin=MARGIN), SIZE)


def still_clips(
    folders: Sequence[Folder], count: int, *, seed: int, tick: Tick = no_tick
) -> Iterator[StillClip]:
    """Yield `count` pairs of clips of validation identities; the same seed gives the same clips.

    Raises
    ------
    UsageError
        If there are no validation identities, or hardly any photograph gives a clip.
    """
    photos, number = Photos(folders, validation=True), 0
    for item in range(TRIES * count):
        rng = np.random.default_rng([seed, item])
        clip = still_clip(photos.draw(rng), rng)
        if clip is None:
            continue
        tick("clips", number, count)
        yield clip
        number += 1
        if number == count:
            return
    raise UsageError(
        "too few clips could be made",
        phrase("{n} of {total}", n=number, total=count),
        "Give more pictures.",
    )


@dataclass(frozen=True, eq=False)
class Levels:
    """Mean logits of clips made of photographs: `genuine`, `forged` (C,), and whom they show."""

    genuine: Float
    forged: Float
    groups: tuple[str, ...]


def divide(folders: Sequence[Folder]) -> tuple[list[Folder], list[list[Photo]]]:
    """Tell people who were photographed from those who were filmed: `MOMENTS` pictures or more.

    Returns
    -------
    (folders, videos)
        The folders without anybody who was filmed, and the pictures of each filmed person that
        training drew from, in the order of their names.

    Raises
    ------
    UsageError
        If nobody was filmed.
    """
    people: dict[tuple[Path, str], list[Photo]] = {}
    for folder in folders:
        for photo in folder.photos:
            people.setdefault((photo.path.parent, photo.identity), []).append(photo)
    filmed = {who for who, photos in people.items() if len(photos) >= MOMENTS}
    videos = [
        sorted(people[who], key=lambda p: p.path.name)
        for who in sorted(filmed)
        if not people[who][0].in_validation
    ]
    if not videos:
        raise UsageError(
            "nobody was filmed",
            phrase("no person in training with {n} pictures", n=MOMENTS),
            "Add a folder of frames: python -m toolkit train frames.",
        )
    rest = [
        Folder(tuple(p for p in f.photos if (p.path.parent, p.identity) not in filmed), f.weight)
        for f in folders
    ]
    return rest, videos


def levels(
    detector: Scorer, folders: Sequence[Folder], count: int, *, seed: int, tick: Tick = no_tick
) -> Levels:
    """Score clips made of photographs of people kept from training.

    Raises
    ------
    UsageError
        If there are no such people, or hardly any photograph gives a clip.
    """
    rows, groups = [], []
    for clip in still_clips(folders, count, seed=seed, tick=tick):
        rows.append([float(detector.logits(x).mean()) for x in (clip.genuine, clip.forged)])
        groups.append(clip.group)
    array = np.array(rows, np.float64)
    return Levels(array[:, 0], array[:, 1], tuple(groups))


def ups_and_downs(
    detector: Scorer, videos: Sequence[Sequence[Photo]], *, tick: Tick = no_tick
) -> list[Float]:
    """Return how the logit of a video like each of these goes about its mean: (MOMENTS,) each.

    Raises
    ------
    UsageError
        If a picture cannot be read.
    """
    differences = []
    for number, photos in enumerate(videos):
        tick("videos", number, len(videos))
        crops = [_crop_of(photos[i]) for i in spread(len(photos), MOMENTS)]
        parts = [np.stack(crops[i : i + BATCH]) for i in range(0, len(crops), BATCH)]
        z = np.concatenate([detector.logits(part) for part in parts]).astype(np.float64)
        differences.append(UNSEEN * (z - z.mean()))
    return differences


def _crop_of(photo: Photo) -> NDArray[np.uint8]:
    rgb = read_picture(photo.path)
    if rgb is None:
        raise UsageError("a picture cannot be read any more", str(photo.path), "Check --faces.")
    return cut(rgb, face_square(photo.mesh, margin=MARGIN), SIZE)


def put_together(
    found: Levels, wander: Sequence[Float], rng: np.random.Generator, *, each: int = 1
) -> list[tuple[Float, Float]]:
    """Lay ups and downs over levels: logits (M,) of a genuine and of a wholly forged clip.

    Returns
    -------
    list
        `each` pairs per level, one after the other, all with ups and downs drawn at random; both
        clips of a pair have the same.
    """
    return [
        (genuine + wander[i], forged + wander[i])
        for genuine, forged in zip(found.genuine, found.forged, strict=True)
        for i in rng.integers(0, len(wander), each)
    ]
