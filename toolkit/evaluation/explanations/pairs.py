"""Forgeries whose original is known: read the list, lay them on each other, see what changed.

A changed pixel is where the forger changed something, not what a detector used. Frame k of a
forgery shows frame k of its original; nothing is ever resized to fit.
"""

from __future__ import annotations

import functools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import cast

import cv2
import numpy as np
from numpy.typing import NDArray

from toolkit import media
from toolkit.detectors.base import InputSpec
from toolkit.errors import UsageError
from toolkit.evaluation.lists import read_table
from toolkit.evaluation.resumable import digest
from toolkit.faces.crops import CropCollector, place
from toolkit.faces.mesh import LargestFace
from toolkit.faces.regions import OVAL
from toolkit.messages import phrase
from toolkit.types import REGIONS, FaceCrops, Tick, Video, no_tick, spread

FRAMES = 8  # read per pair
NEIGHBOURS = 2  # frames on either side for the median of the change
BLUR = 4.0  # px, of the change
LEVEL_MIN = 4.0  # grey levels; coding alone reaches this
RATIO_MIN = 2.0  # change of the face over that of the background, for a mask of pixels
AREA_MIN = 0.002  # of the crop; a smaller mask is no truth
GALLERY_FRAMES = 4
KNOWN_FRAMES = 8  # of the original, taken as known to be genuine
KNOWN_APART_S = 1.0  # at least, between them and the frame that is explained


@dataclass(frozen=True)
class ForgeryPair:
    """A forgery and its original: files, and what the list says of them."""

    original: Path
    fake: Path
    row: dict[str, str]

    @property
    def name(self) -> str:
        """The forgery's file, for people."""
        return media.show_name(self.fake.stem)

    @property
    def scene(self) -> str:
        """What must not be taken apart when resampling."""
        return self.row.get("scene") or self.row["original"]

    @property
    def method(self) -> str:
        """How it was forged, in the words of the list."""
        return self.row.get("method", "")

    @property
    def kind(self) -> str:
        """What was changed: ``"face"``, ``"mouth"``, or empty."""
        return self.row.get("kind", "")

    @property
    def common_frames(self) -> int | None:
        """How many frames correspond, from the first; None where the list does not say."""
        return int(self.row.get("n_common_frames") or 0) or None

    @property
    def crop_x(self) -> int:
        """Columns of the original left of the forgery's first."""
        return int(self.row.get("crop_x") or 0)

    @functools.cached_property
    def digests(self) -> tuple[str | None, str | None]:
        """SHA-256 of original and forgery; None for a file that cannot be read."""
        return digest(self.original), digest(self.fake)


def read_pairs(path: Path) -> list[ForgeryPair]:
    """Read a CSV: original, fake, and if known method, scene, kind, n_common_frames, crop_x.

    Paths are relative to the list.

    Raises
    ------
    UsageError
        If the file or a column is not as stated.
    """
    rows = read_table(path, ("original", "fake"), what=phrase("list of pairs"))
    for row in rows:
        for column in ("n_common_frames", "crop_x"):
            if not (row.get(column) or "0").isdigit():
                raise UsageError("not a whole number", f"{column} = {row[column]}", "Correct it.")
    return [ForgeryPair(path.parent / r["original"], path.parent / r["fake"], r) for r in rows]


# -- the truth: where pixels changed


@dataclass(frozen=True, eq=False)
class ChangedArea:
    """What the forger changed, on the crops of some frames.

    Attributes
    ----------
    crops
        Faces of the forgery, N frames.
    masks : (N, S, S) bool
        Changed pixels; for a weak or smeared change, the regions above half the largest.
    regions
        Positions in `REGIONS` of the regions that changed by more than half the largest change.
    ratio
        Mean change of the face box over that of the far background.
    by_pixel
        Whether the masks are of pixels.
    indices : (N,) int64
        Number of each frame.
    """

    crops: FaceCrops
    masks: NDArray[np.bool_]
    regions: tuple[int, ...]
    ratio: float
    by_pixel: bool
    indices: NDArray[np.int64]


def faces_of(
    path: Path, spec: InputSpec, *, frames: int = GALLERY_FRAMES, tick: Tick = no_tick
) -> FaceCrops:
    """Return the largest face of some frames of a clip, spread evenly."""
    video = media.probe(path, tick=tick)
    every = np.arange(len(video.pts), dtype=np.int64)
    return _largest_faces(video, every, spec, frames, tick=tick)


def _largest_faces(
    video: Video,
    among: NDArray[np.int64],
    spec: InputSpec,
    count: int,
    *,
    columns: slice = slice(None),
    tick: Tick,
) -> FaceCrops:
    """Return the largest face of at most `count` of the frames, within some columns of them."""
    finder, collector = LargestFace(), CropCollector(spec)
    for frame in media.read(video, among[spread(len(among), count)], tick=tick):
        rgb = np.ascontiguousarray(frame.rgb[:, columns])
        if (face := finder.detect(rgb)) is not None:
            collector.add(rgb, *face)
    return collector.crops()


def find_truth(
    pair: ForgeryPair, spec: InputSpec, *, frames: int = FRAMES, tick: Tick = no_tick
) -> ChangedArea | None:
    """Compare a forgery with its original, frame by frame.

    Per frame: the absolute difference, mean over colours, blurred; the median with its neighbours
    in time; above the 99.9th percentile of the far background and at least 4 grey levels; only
    patches that touch the face.

    Returns
    -------
    Truth or None
        None when no face was found.

    Raises
    ------
    UsageError
        If the pictures do not lie on each other as the list says.
    VideoError
        If a file cannot be read.
    """
    videos = media.probe(pair.original, tick=tick), media.probe(pair.fake, tick=tick)
    common = min(len(v.pts) for v in videos)
    common = min(common, pair.common_frames or common)
    edge = min(NEIGHBOURS, (common - 1) // 2)
    centres = edge + spread(common - 2 * edge, frames)
    around = np.unique(centres[:, None] + np.arange(-edge, edge + 1))
    finder, collector = LargestFace(), CropCollector(spec)
    changes: dict[int, NDArray[np.float32]] = {}
    fakes: dict[int, NDArray[np.uint8]] = {}
    maps, masks, inside, outside, kept = [], [], [], [], []
    for index, change, rgb in _changes(pair, videos, around, tick):
        changes[index], fakes[index] = change, rgb
        centre = index - edge
        if centre not in centres or centre not in fakes:
            continue
        near = [changes[k] for k in range(centre - edge, index + 1) if k in changes]
        for old in [k for k in changes if k < index - 2 * edge]:
            del changes[old], fakes[old]
        face = finder.detect(fakes[centre])
        if face is None:
            continue
        mesh = face[0]
        d = np.median(near, axis=0).astype(np.float32)
        box, far = _areas(mesh, d.shape)
        level = max(float(np.percentile(d[far], 99.9)) if far.any() else 0.0, LEVEL_MIN)
        where = place(spec, *face)
        changed = _touching(d > level, mesh)
        masks.append(where.cut(changed.astype(np.uint8) * 255, spec.size) > 127)
        inside.append(float(d[box].mean()))
        outside.append(float(d[far].mean()) if far.any() else 0.0)
        maps.append(where.cut(cast("NDArray[np.uint8]", d), spec.size) - outside[-1])
        collector.add(fakes[centre], *face)
        kept.append(centre)
    if not masks:
        return None
    crops = collector.crops()
    per_region = np.zeros(len(REGIONS))
    for r in np.unique(crops.region_map).tolist():
        visible = [
            (m, p == r) for m, p in zip(maps, crops.region_map, strict=True) if (p == r).any()
        ]
        per_region[r] = np.mean([m[where].mean() for m, where in visible])
    found = tuple(np.flatnonzero(per_region > per_region.max() / 2).tolist())
    ratio = float(np.mean(inside)) / max(float(np.mean(outside)), 1e-3)
    pixels = np.stack(masks)
    by_pixel = ratio >= RATIO_MIN and float(pixels.mean()) >= AREA_MIN
    return ChangedArea(
        crops,
        pixels if by_pixel else np.isin(crops.region_map, found),
        found,
        ratio,
        by_pixel,
        np.array(kept, np.int64),
    )


def known_halves(
    pair: ForgeryPair, spec: InputSpec, *, tick: Tick = no_tick
) -> tuple[int, tuple[FaceCrops, FaceCrops]]:
    """Return faces of the original from before and from after its middle, and that frame's number.

    Whoever explains a frame of one half of the forgery may know the other half of the original:
    whoever was filmed, in the same light, `KNOWN_APART_S` or more away. After a face swap that is
    the person whose face was covered, not the one who seems to speak.
    """
    original, fake = (media.probe(path, tick=tick) for path in (pair.original, pair.fake))
    pts = original.pts[: pair.common_frames or None][: len(fake.pts)]
    middle = len(pts) // 2
    columns = slice(pair.crop_x, pair.crop_x + fake.width)
    apart = pts <= pts[middle] - KNOWN_APART_S, pts >= pts[middle] + KNOWN_APART_S
    before, after = (
        _largest_faces(original, np.flatnonzero(a), spec, KNOWN_FRAMES, columns=columns, tick=tick)
        for a in apart
    )
    return middle, (before, after)


def _changes(
    pair: ForgeryPair, videos: tuple[Video, Video], wanted: NDArray[np.int64], tick: Tick
) -> Iterator[tuple[int, NDArray[np.float32], NDArray[np.uint8]]]:
    """Yield index, blurred change and forged picture of each frame that both files have."""
    readers = [media.read(v, wanted, tick=tick, stage="compare") for v in videos]
    genuine = next(readers[0], None)
    for forged in readers[1]:
        while genuine is not None and genuine.index < forged.index:
            genuine = next(readers[0], None)
        if genuine is None:
            return
        if genuine.index > forged.index:
            continue
        height, width = forged.rgb.shape[:2]
        same = genuine.rgb[:, pair.crop_x : pair.crop_x + width]
        if same.shape != forged.rgb.shape:
            have = phrase(
                "{w0} x {h0} and {w1} x {h1}",
                w0=genuine.rgb.shape[1],
                h0=genuine.rgb.shape[0],
                w1=width,
                h1=height,
            )
            raise UsageError("the pictures do not lie on each other", have, "Set crop_x.")
        change = np.abs(same.astype(np.float32) - forged.rgb).mean(axis=2)
        yield forged.index, cv2.GaussianBlur(change, (0, 0), BLUR), forged.rgb


def _areas(
    mesh: NDArray[np.float32], shape: tuple[int, ...]
) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Return the face box, and what lies outside twice the face box."""
    oval = mesh[list(OVAL), :2]
    low, high = oval.min(axis=0), oval.max(axis=0)
    y, x = np.mgrid[: shape[0], : shape[1]]

    def within(grow: float) -> NDArray[np.bool_]:
        a, b = low - grow * (high - low), high + grow * (high - low)
        return np.asarray((x >= a[0]) & (x <= b[0]) & (y >= a[1]) & (y <= b[1]))

    box = within(0.0)
    return (box if box.any() else np.ones(shape, bool)), ~within(0.5)


def _touching(changed: NDArray[np.bool_], mesh: NDArray[np.float32]) -> NDArray[np.bool_]:
    """Return those connected patches of change that touch the face."""
    hull = np.zeros(changed.shape, np.uint8)
    outline = cv2.convexHull(np.rint(mesh[list(OVAL), :2]).astype(np.int32))
    cv2.fillConvexPoly(hull, outline, 1)
    _, labels = cv2.connectedComponents(changed.astype(np.uint8))
    kept = np.unique(labels[(hull > 0) & changed])
    return np.asarray(np.isin(labels, kept) & changed)


def gallery_of(paths: Sequence[Path], spec: InputSpec, tick: Tick) -> FaceCrops | None:
    """Return faces of genuine clips, to make references from; None where there are none."""
    faces = [faces_of(p, spec, tick=tick) for p in paths]
    faces = [f for f in faces if len(f.rgb)]
    if not faces:
        return None
    names = FaceCrops.__dataclass_fields__
    return FaceCrops(*(np.concatenate([getattr(f, n) for f in faces]) for n in names))
