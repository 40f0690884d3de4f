"""What the frozen body says of training pictures, computed once and kept on disk.

A crop is 196 patches of several thousand channels. They are stored standardised, one byte each: the
heads cut them off at 8 deviations, and a step of a sixteenth is finer than what rounding to INT8
moves them by. What was stored is found again; an interrupted run goes on after the last part.
"""

from __future__ import annotations

import csv
import hashlib
import json
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from toolkit import models, runtime
from toolkit.detectors import clip_body, seamnet_small
from toolkit.detectors.base import InputSpec
from toolkit.detectors.canary import SIZE
from toolkit.detectors.readout import GRID
from toolkit.detectors.seamnet_clip import CLIP, Shape, small_network
from toolkit.detectors.seamnet_small import MARGIN
from toolkit.errors import UsageError
from toolkit.explain.donors import read_donors
from toolkit.forge.degrade import Picture
from toolkit.training.data import Blends, Folder
from toolkit.types import Tick, no_tick

STEP = 127 / CLIP  # stored levels per deviation
PART = 100  # pairs in a file
NORM_PAIRS = 100  # from which means and deviations are taken
FRAMES = 16  # of a clip
PLACES = GRID * GRID


class TokenReader:
    """Pictures in, what the heads read out, not standardised.

    Parameters
    ----------
    shape
        Which blocks.
    """

    def __init__(self, shape: Shape) -> None:
        runtime.prepare()
        self.shape = shape
        self._body = clip_body.IntegerBody(shape.blocks)
        self._small = small_network()
        self.sha256 = self._body.sha256

    def __call__(self, pictures: Sequence[Picture]) -> NDArray[np.float32]:
        """Return (N, 196, W) of crops (S, S, 3), as many at once as there are cores."""
        with ThreadPoolExecutor(runtime.side_by_side()) as pool:
            tokens = list(pool.map(self._one, pictures))
        return np.stack(tokens) if tokens else np.zeros((0, PLACES, self.shape.width), np.float32)

    def _one(self, picture: Picture) -> NDArray[np.float32]:
        return np.concatenate(list(self._body.tokens(picture)), axis=1)

    @torch.inference_mode()
    def small(self, pictures: Sequence[Picture]) -> NDArray[np.float32]:
        """Return the small network's patch logits (N, 196)."""
        x = torch.from_numpy(np.stack(pictures)).permute(0, 3, 1, 2).float()
        patches: NDArray[np.float32] = self._small(x)[1].flatten(1).numpy()
        return patches


@dataclass(frozen=True, eq=False)
class Scale:
    """Mean and deviation of every channel (W,) float32: what is stored is relative to them."""

    mean: NDArray[np.float32]
    std: NDArray[np.float32]

    def pack(self, raw: NDArray[np.float32]) -> NDArray[np.int8]:
        """Return the stored form."""
        ready = np.clip((raw - self.mean) / self.std, -CLIP, CLIP)
        levels: NDArray[np.int8] = np.rint(ready * STEP).astype(np.int8)
        return levels


def unpack(stored: NDArray[np.int8]) -> torch.Tensor:
    """Return standardised channels, float32."""
    return torch.from_numpy(np.ascontiguousarray(stored)).float() / STEP


class Store:
    """The tokens of one set of training pictures, in a folder of its own.

    Parameters
    ----------
    work
        Where all such folders lie; git-ignored.
    folders
        Genuine faces for self-blends.
    shape
        What is read.
    seed
        Of the self-blends.
    """

    def __init__(self, work: Path, folders: Sequence[Folder], shape: Shape, *, seed: int) -> None:
        self._work, self._folders, self._seed, self.shape = work, folders, seed, shape
        self._reader: TokenReader | None = None
        faces = [[p.path.name for p in f.photos] + [repr(f.weight)] for f in folders]
        small = json.loads(seamnet_small.WEIGHTS.with_suffix(".json").read_text(encoding="utf-8"))
        facts = [models.find(clip_body.ID).sha256, small["sha256"], shape.blocks, seed, faces]
        key = hashlib.sha256(json.dumps(facts).encode()).hexdigest()[:16]
        self.folder = work / f"tokens-{key}"
        self.folder.mkdir(parents=True, exist_ok=True)

    @property
    def reader(self) -> TokenReader:
        """The body; opened when something must be computed."""
        if self._reader is None:
            self._reader = TokenReader(self.shape)
        return self._reader

    def scale(self, *, tick: Tick = no_tick) -> Scale:
        """Return the means and deviations, of genuine and forged training faces alike."""
        where = self.folder / "scale.npz"
        if not where.is_file():
            total = squares = np.zeros(self.shape.width)
            count = 0
            blends = Blends(self._folders, seed=self._seed + 1, length=NORM_PAIRS)
            for i in range(NORM_PAIRS):
                tick("scale", i, NORM_PAIRS)
                raw = self.reader(_pictures(blends[i][0])).astype(np.float64)
                total = total + raw.sum(axis=(0, 1))
                squares = squares + (raw**2).sum(axis=(0, 1))
                count += raw.shape[0] * raw.shape[1]
            mean = total / count
            std = np.sqrt(np.maximum(squares / count - mean**2, 0)) + 1e-4
            _save(where, partial(np.savez, mean=np.float32(mean), std=np.float32(std)))
        with np.load(where) as kept:
            return Scale(kept["mean"], kept["std"])

    def blends(self, count: int, *, validation: bool = False, tick: Tick = no_tick) -> BlendTokens:
        """Return the tokens of `count` pairs, computing those that are not there."""
        scale = self.scale(tick=tick)
        name = "validation" if validation else "blends"
        source = Blends(self._folders, seed=self._seed, length=count + PART, validation=validation)
        parts = []
        for start in range(0, count, PART):
            where = self.folder / f"{name}-{start}.npy"
            truth = where.with_suffix(".npz")
            if not (where.is_file() and truth.is_file()):
                tokens, small, tiles, usable = [], [], [], []
                for i in range(start, start + PART):
                    tick(name, i, count)
                    pictures, tile, use = source[i]
                    both = _pictures(pictures)
                    tokens.append(scale.pack(self.reader(both)))
                    small.append(self.reader.small(both))
                    tiles.append(tile.numpy() > 0)
                    usable.append(bool(use))
                facts = partial(
                    np.savez, tiles=np.array(tiles), usable=np.array(usable), small=np.array(small)
                )
                _save(truth, facts)
                _save(where, partial(np.save, arr=np.stack(tokens)))
            parts.append(where)
        tick(name, count, count)
        return BlendTokens(parts, count)

    def clip(self, path: Path, *, tick: Tick = no_tick) -> ClipTokens:
        """Return the tokens of a clip's faces; none where no face can be judged."""
        stamp = f"{path.name} {path.stat().st_size} {FRAMES}"
        where = self.folder / f"clip-{hashlib.sha256(stamp.encode()).hexdigest()[:16]}.npy"
        small = where.with_suffix(".npz")
        if not (where.is_file() and small.is_file()):
            rgb = list(self._crops(path, tick))
            packed = self.scale(tick=tick).pack(self.reader(rgb))
            seen = self.reader.small(rgb) if rgb else np.zeros((0, PLACES), np.float32)
            _save(small, partial(np.savez, small=seen))
            _save(where, partial(np.save, arr=packed))
        with np.load(small) as kept:
            return ClipTokens(np.load(where, mmap_mode="r"), kept["small"])

    def _crops(self, path: Path, tick: Tick) -> NDArray[np.uint8]:
        """Return the faces of a clip (N, S, S, 3): finding them takes longer than the body does."""
        stamp = f"{path.name} {path.stat().st_size} {FRAMES}"
        where = self._work / f"crops-{hashlib.sha256(stamp.encode()).hexdigest()[:16]}.npy"
        if not where.is_file():
            crops = read_donors([path], InputSpec(SIZE, MARGIN), frames=FRAMES, tick=tick)
            rgb = np.zeros((0, SIZE, SIZE, 3), np.uint8) if crops is None else crops.rgb
            _save(where, partial(np.save, arr=rgb))
        stored: NDArray[np.uint8] = np.load(where)
        return stored


@dataclass(frozen=True, eq=False)
class ClipTokens:
    """Of the faces of a clip: packed channels (N, 196, W), and the small network's logits (N, 196).

    `tokens` lie on disk.
    """

    tokens: NDArray[np.int8]
    small: NDArray[np.float32]

    def __len__(self) -> int:
        return len(self.tokens)


class BlendTokens:
    """Pairs on disk: genuine and forged tokens, which tiles are forged, and whether one sees it."""

    def __init__(self, parts: Sequence[Path], count: int) -> None:
        self._tokens = [np.load(p, mmap_mode="r") for p in parts]
        truth = [np.load(p.with_suffix(".npz")) for p in parts]
        self._tiles = np.concatenate([t["tiles"] for t in truth])[:count]
        self._usable = np.concatenate([t["usable"] for t in truth])[:count]
        self.small: NDArray[np.float32] = np.concatenate([t["small"] for t in truth])[:count]
        """Patch logits (N, 2, 196) of the small network."""

    def __len__(self) -> int:
        return len(self._usable)

    def pairs(
        self, rows: Sequence[int] | NDArray[np.int64]
    ) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """Return channels (B, 2, 196, W), forged tiles (B, 196) and usable (B,) of some pairs."""
        tokens = np.stack([self._tokens[int(r) // PART][int(r) % PART] for r in rows])
        tiles = self._tiles[rows].reshape(len(tokens), PLACES)
        return (
            unpack(tokens),
            torch.from_numpy(tiles.astype(np.float32)),
            torch.from_numpy(self._usable[rows].astype(np.float32)),
        )


def _pictures(pair: torch.Tensor) -> list[Picture]:
    return [np.ascontiguousarray(p.numpy().transpose(1, 2, 0)) for p in pair]


def _save(where: Path, write: Callable[[Path], object]) -> None:
    """Write a file in one step: what is there is whole."""
    part = where.with_name(f"{where.stem}.part{where.suffix}")
    write(part)
    part.replace(where)


# --- lists of clips -----------------------------------------------------------------------------


@dataclass(frozen=True)
class ListedClip:
    """A clip to train on: where it is, whether it is forged, and what it is drawn with.

    A group, which is a method of a page or a page of genuine clips, is drawn as often as any other
    of the same weight.
    """

    path: Path
    is_fake: bool
    page: str
    group: str
    weight: float = 1.0


def read_clips(
    lists: Sequence[tuple[Path, float]], *, under: Sequence[str] = (), leave_out: Sequence[str] = ()
) -> list[ListedClip]:
    """Read lists of clips.

    Parameters
    ----------
    lists
        CSV files, and how often their groups are drawn. They have a column ``path``, relative to
        the file. ``label`` is ``real`` or ``fake``
        (real where there is no such column); ``dataset`` or ``source`` names the page, ``method``
        the forgery; rows whose ``usable`` is ``demo-only`` are not read.
    under
        Only clips whose path in the list begins with one of these; () = all.
    leave_out
        Pages that are not trained on: to test on them.

    Raises
    ------
    UsageError
        If a list cannot be read, a clip is missing, or a page to leave out is in no list.
    """
    clips, pages = [], set()
    for file, weight in lists:
        for row in _rows(file):
            page = row.get("dataset") or row.get("source") or ""
            pages.add(page)
            wanted = not under or row["path"].startswith(tuple(under))
            if not wanted or page in leave_out or row.get("usable") == "demo-only":
                continue
            path = file.parent / row["path"]
            if not path.is_file():
                remedy = "Check {file}."
                raise UsageError("a clip of the list is missing", str(path), remedy, file=str(file))
            is_fake = row.get("label") == "fake"
            kind = f"{page}/{row.get('method', '')}" if is_fake else page
            clips.append(ListedClip(path, is_fake, page, kind, weight))
    if unknown := [p for p in leave_out if p not in pages]:
        raise UsageError("no clip is of this page", ", ".join(unknown), "See the column dataset.")
    return clips


def _rows(file: Path) -> Iterator[dict[str, str]]:
    try:
        with file.open(newline="", encoding="utf-8") as lines:
            rows = csv.DictReader(lines)
            if "path" not in (rows.fieldnames or ()):
                raise UsageError("a list of clips needs a column path", str(file))
            yield from rows
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError("a list of clips cannot be read", str(file), str(error)) from error
