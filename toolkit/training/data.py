"""Training pictures: genuine faces in, pairs of forged and genuine crops out.

Both pictures of a pair come from the same photograph and go through the same degradation, so that
nothing but the blend tells them apart. Item `i` depends on the seed and on `i` alone, never on
which worker makes it.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch.utils.data import Dataset

from toolkit.detectors.canary import SIZE
from toolkit.detectors.readout import GRID
from toolkit.errors import UsageError
from toolkit.faces.crops import OVAL_INDEX, Square, cut, face_square
from toolkit.faces.detect import FaceDetector
from toolkit.faces.mesh import FaceMesh
from toolkit.forge.degrade import Degradation, Picture, Rng, prepare
from toolkit.forge.selfblend import self_blend
from toolkit.messages import phrase
from toolkit.types import Tick, no_tick

SUFFIXES = frozenset({".jpg", ".jpeg", ".png", ".webp"})
VALIDATION_PART = 25  # one identity in 25 is kept for validation
PATCH_FORGED = 0.15  # a tile is forged when the blend covers more than this share of it
VISIBLE_LEVELS = 1.0  # a forgery that changed less than this after coding teaches nothing
TRIES = 8


@dataclass(frozen=True, eq=False)
class Photo:
    """A picture file with one usable face: `mesh` (478, 3) float32 in its pixels."""

    path: Path
    mesh: NDArray[np.float32]

    @property
    def identity(self) -> str:
        """Who it shows: the file name up to its last underscore."""
        return self.path.stem.rpartition("_")[0] or self.path.stem

    @property
    def in_validation(self) -> bool:
        """Whether the identity is kept for validation."""
        digest = hashlib.sha256(self.identity.encode()).digest()
        return int.from_bytes(digest[:4], "big") % VALIDATION_PART == 0


@dataclass(frozen=True, eq=False)
class Folder:
    """One source of faces and how often it is drawn, relative to the others."""

    photos: tuple[Photo, ...]
    weight: float


def read_picture(path: Path) -> Picture | None:
    """Return an (H, W, 3) RGB picture, or None when the file is not one."""
    try:
        data = np.fromfile(path, np.uint8)
    except OSError:  # removed or locked since it was indexed
        return None
    bgr = cv2.imdecode(data, cv2.IMREAD_COLOR) if data.size else None
    return None if bgr is None else np.asarray(cv2.cvtColor(bgr, cv2.COLOR_BGR2RGB), np.uint8)


def index_folder(folder: Path, cache: Path, *, weight: float, tick: Tick = no_tick) -> Folder:
    """Find the face of every picture below a folder; remembered in `cache` (.npz).

    Raises
    ------
    UsageError
        If the folder holds no picture with a face.
    """
    if not folder.is_dir():
        raise UsageError("this folder of faces does not exist", str(folder), "Check --faces.")
    files = sorted(p for p in folder.rglob("*") if p.suffix.lower() in SUFFIXES)
    stamp = hashlib.sha256(
        json.dumps([(p.relative_to(folder).as_posix(), p.stat().st_size) for p in files]).encode()
    ).hexdigest()
    store = cache / f"faces-{stamp[:16]}.npz"
    if store.exists():
        with np.load(store) as saved:
            rows, meshes = saved["rows"], saved["meshes"]
    else:
        detector, mesh = FaceDetector(), FaceMesh()
        entries: list[tuple[int, NDArray[np.float32]]] = []
        for row, path in enumerate(files):
            tick("index", row, len(files))
            rgb = read_picture(path)
            if rgb is None:
                continue
            faces = detector(rgb)
            result = mesh(rgb, max(faces, key=lambda f: f.box[2])) if faces else None
            if result is not None:
                entries.append((row, result.points))
        rows = np.array([row for row, _ in entries], np.int64)
        meshes = np.array([m for _, m in entries], np.float32).reshape(-1, 478, 3)
        cache.mkdir(parents=True, exist_ok=True)
        part = store.with_suffix(".part.npz")
        np.savez(part, rows=rows, meshes=meshes)
        part.replace(store)
    if not len(rows):
        raise UsageError("no picture with a face was found", str(folder), "Check --faces.")
    photos = tuple(Photo(files[r], m) for r, m in zip(rows.tolist(), meshes, strict=True))
    return Folder(photos, weight)


class Photos:
    """The photographs of one side of the validation split, drawn folder by weight."""

    def __init__(self, folders: Sequence[Folder], *, validation: bool) -> None:
        self._photos = [
            [p for p in folder.photos if p.in_validation == validation] for folder in folders
        ]
        weights = np.array(
            [f.weight if p else 0 for f, p in zip(folders, self._photos, strict=True)]
        )
        if not weights.sum():
            raise UsageError("too few identities to keep some for validation", str(len(weights)))
        self._weights = weights / weights.sum()

    def draw(self, rng: Rng) -> Photo:
        """Return a photograph: first the folder is drawn, then one of its pictures."""
        photos = self._photos[rng.choice(len(self._photos), p=self._weights)]
        return photos[rng.integers(len(photos))]


class Blends(Dataset[tuple[torch.Tensor, torch.Tensor, torch.Tensor]]):
    """Endless list of training pairs; item `i` is always the same for the same seed."""

    def __init__(
        self, folders: Sequence[Folder], *, seed: int, length: int, validation: bool = False
    ) -> None:
        self._photos = Photos(folders, validation=validation)
        self._seed, self._length, self._validation = seed, length, validation

    def __len__(self) -> int:
        return self._length

    def __getitem__(self, item: int) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """Return pictures (2, 3, S, S) uint8, tiles (G, G) float32, and 1 if usable, else 0."""
        rng = np.random.default_rng([self._seed, int(self._validation), item])
        for _ in range(TRIES):
            photo = self._photos.draw(rng)
            rgb = read_picture(photo.path)
            pair = None if rgb is None else make_pair(rgb, photo.mesh, rng)
            if pair is not None:
                fake, real, mask = pair
                visible = float(
                    np.abs(fake.astype(np.float32) - real).mean(axis=2)[mask > 0.3].mean()
                )
                tiles = mask.reshape(GRID, SIZE // GRID, GRID, SIZE // GRID).mean(axis=(1, 3))
                return (
                    torch.from_numpy(np.stack([real, fake]).transpose(0, 3, 1, 2).copy()),
                    torch.from_numpy((tiles > PATCH_FORGED).astype(np.float32)),
                    torch.tensor(float(visible >= VISIBLE_LEVELS)),
                )
        raise UsageError(
            "no training pair could be made in several tries", phrase("item {item}", item=item)
        )


def make_pair(
    rgb: Picture, mesh: NDArray[np.float32], rng: Rng
) -> tuple[Picture, Picture, NDArray[np.float32]] | None:
    """Make one forged and one genuine crop of a photograph.

    Returns
    -------
    (fake, real, mask) or None
        Crops (S, S, 3) uint8 and the blend mask times its ratio, (S, S) float32; None when the
        drawn mask was too small or left nothing inside the crop.
    """
    rgb, flat = working_copy(rgb, mesh, rng)
    pair = self_blend(prepare(rgb, rng), flat, rng)
    if pair is None:
        return None
    degrade = Degradation(rng, rgb.shape)
    fake, real = degrade(pair.fake), degrade(pair.real)
    scale = fake.shape[1] / rgb.shape[1]
    square = face_square(flat * scale, margin=rng.uniform(0.04, 0.25))
    shift = np.rint(rng.uniform(-0.04, 0.04, 2) * square.side).astype(int)
    square = Square(square.left + int(shift[0]), square.top + int(shift[1]), square.side)
    size = (fake.shape[1], fake.shape[0])
    truth = cv2.resize(
        pair.blend.mask * np.float32(pair.blend.ratio), size, interpolation=cv2.INTER_AREA
    )
    crops = [cut(x, square, SIZE) for x in (fake, real)]
    mask = np.clip(cut(truth, square, SIZE), 0, 1)
    if not (mask > 0.3).any():
        return None
    if rng.random() < 0.5:
        crops = [np.ascontiguousarray(x[:, ::-1]) for x in crops]
        mask = np.ascontiguousarray(mask[:, ::-1])
    return crops[0], crops[1], mask.astype(np.float32)


def working_copy(
    rgb: Picture, mesh: NDArray[np.float32], rng: Rng
) -> tuple[Picture, NDArray[np.float32]]:
    """Cut a wide square round the face and bring it to a size drawn at random.

    Faces of 70-340 px: as in the videos people send. Whole pictures would cost time and teach
    nothing about faces.
    """
    extent = float(np.ptp(mesh[OVAL_INDEX, :2], axis=0).max())
    part, (x0, y0) = surroundings(rgb, mesh, reach=0.95)
    wanted = float(np.exp(rng.uniform(np.log(80), np.log(340))))
    scale = min(wanted / extent, 2.2)  # enlarging much more only makes smooth pictures
    flat = (mesh - np.array([x0, y0, 0], np.float32)) * np.float32(scale)
    size = (max(16, round(part.shape[1] * scale)), max(16, round(part.shape[0] * scale)))
    how = cv2.INTER_AREA if scale < 1 else (cv2.INTER_LINEAR, cv2.INTER_CUBIC)[rng.integers(2)]
    out: Picture = cv2.resize(part, size, interpolation=how)
    return out, flat.astype(np.float32)


def surroundings(
    rgb: Picture, mesh: NDArray[np.float32], *, reach: float
) -> tuple[Picture, tuple[int, int]]:
    """Return the part of a picture round the face, and its left upper corner.

    `reach` is how far it goes from the middle of the face to each side, in units of the face's
    longer side; less where the picture ends.
    """
    oval = mesh[OVAL_INDEX, :2]
    low, high = oval.min(axis=0), oval.max(axis=0)
    far = float((high - low).max()) * reach
    x0, y0 = np.maximum(np.floor((low + high) / 2 - far), 0).astype(int).tolist()
    x1, y1 = np.ceil((low + high) / 2 + far).astype(int).tolist()
    return rgb[y0:y1, x0:x1], (x0, y0)


def parse_folder(text: str) -> tuple[Path, float]:
    """Read ``DIR`` or ``DIR:WEIGHT``; a drive letter also ends with a colon, and is no weight.

    Examples
    --------
    >>> [weight for _, weight in map(parse_folder, ("faces", "faces:0.5", "C:faces"))]
    [1.0, 0.5, 1.0]
    """
    folder, colon, weight = text.rpartition(":")
    if colon and weight.replace(".", "", 1).isdigit():
        return Path(folder), float(weight)
    return Path(text), 1.0


def default_workers() -> int:
    """Return how many loader processes leave the trainer a core of its own."""
    return max(1, (os.cpu_count() or 2) - 1)
