"""Fit the likelihood ratio on faces that were kept from training.

    python -m toolkit.training.calibrate --faces DIR[:WEIGHT] [--faces ...] --out FILE.json

No forged clip is needed: for every photograph of the validation identities a short genuine and a
short forged clip are drawn as training draws its pairs, one degradation per clip, and judged as the
product judges a clip: the mean of the highest quarter of its frame logits. What such clips lack is
what real ones have: speech, turning heads, other cameras. So the map must be judged on real clips
of other footage before it is shipped; `benchmark` does that (Cllr, and Cllr less Cllr_min).
"""

from __future__ import annotations

import argparse
import datetime as dt
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from toolkit.detectors.seamnet import MARGIN, SIZE, SeamNetDetector
from toolkit.errors import ToolkitError, UsageError
from toolkit.faces.crops import cut, face_square
from toolkit.forge.degrade import Degradation, Picture, prepare
from toolkit.forge.selfblend import moved, self_blend
from toolkit.jobs import TerminalLine
from toolkit.training.data import (
    Folder,
    Photo,
    Photos,
    index_folder,
    parse_folder,
    read_picture,
    working_copy,
)
from toolkit.types import Tick, no_tick
from toolkit.verdict import calibration
from toolkit.verdict.aggregate import aggregate, rule_for
from toolkit.verdict.calibration import Calibration

CLIPS = 400  # of each label
FRAMES = 16
TRIES = 6


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
    photos, made = Photos(folders, validation=True), 0
    for item in range(TRIES * count):
        rng = np.random.default_rng([seed, item])
        clip = still_clip(photos.draw(rng), rng)
        if clip is None:
            continue
        tick("calibrate", made, count)
        yield clip
        made += 1
        if made == count:
            return
    raise UsageError("too few clips could be made", f"{made} of {count}", "Give more pictures.")


def calibrate(
    detector: SeamNetDetector,
    folders: Sequence[Folder],
    *,
    count: int = CLIPS,
    seed: int = 4,
    date: str = "",
    tick: Tick = no_tick,
) -> Calibration:
    """Fit the map of a detector on `count` genuine and `count` forged clips made of stills."""
    logits: list[float] = []
    groups: list[str] = []
    for clip in still_clips(folders, count, seed=seed, tick=tick):
        for rgb in (clip.genuine, clip.forged):
            z = detector.logits(rgb)
            logits.append(aggregate(z, rule_for(len(z))))
            groups.append(clip.group)
    return calibration.fit(
        logits,
        [False, True] * count,
        groups,
        weights_sha256=detector.card.weights_sha256,
        population=(
            f"{count} genuine and {count} self-blended clips of {FRAMES} frames, made of "
            f"photographs of {len(set(groups))} people who were kept from training"
        ),
        date=date,
    )


def main(argv: Sequence[str] | None = None) -> int:
    """Fit and write the map that lies beside the weights."""
    parser = argparse.ArgumentParser(
        prog="python -m toolkit.training.calibrate",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--faces", action="append", required=True, metavar="DIR[:WEIGHT]")
    parser.add_argument("--weights", type=Path, help="default: the bundled ones")
    parser.add_argument("--out", type=Path, default=calibration.path_for("seamnet"))
    parser.add_argument("--work", type=Path, default=Path("runs/train"), help="face index")
    parser.add_argument("--clips", type=int, default=CLIPS, help="of each label")
    options = parser.parse_args(argv)

    try:
        chosen = {"weights": options.weights} if options.weights else {}
        detector = SeamNetDetector(**chosen)
        today = dt.datetime.now(dt.UTC).date().isoformat()
        with TerminalLine() as tick:
            folders = [
                index_folder(path, options.work, weight=weight, tick=tick)
                for path, weight in map(parse_folder, options.faces)
            ]
            found = calibrate(detector, folders, count=options.clips, date=today, tick=tick)
        calibration.save(found, options.out)
    except ToolkitError as error:
        print(error, file=sys.stderr)
        return 1
    low, high = found.bounds
    print(f"L = {found.alpha:.3f} z {found.beta:+.3f}, bounds {low:+.2f} to {high:+.2f}")
    print(options.out)
    return 0


if __name__ == "__main__":
    sys.exit(main())
