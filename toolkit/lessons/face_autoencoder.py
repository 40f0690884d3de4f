"""How a machine learns a face: one encoder for two people, and a decoder for each.

The encoder must describe either face in few numbers; a decoder draws its person from them. Because
the encoder is shared, the numbers come to mean expression and pose, whoever shows them. Give one
person's numbers to the other's decoder, and the other shows that expression: a swap. Small enough
that a class watches it learn within minutes on a CPU.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors.torch import load_file, save_file
from torch import nn

from toolkit import runtime
from toolkit.errors import UsageError
from toolkit.faces.crops import cut, face_square
from toolkit.files import atomic_path
from toolkit.forge import marks
from toolkit.lessons.tiny_detector import PersonFace
from toolkit.types import Tick, no_tick

Picture = NDArray[np.uint8]

SIZE = 64
MARGIN = 0.05
CODE = 192
"""Numbers by which the encoder describes a face."""
BATCH = 8
RATE = 7e-4
FACES_MIN = 8
SHOWN = 3
"""Moments of each person that are shown again and again."""

SCHEMA = "doorzicht.autoencoder/1"
_BENDS = 5  # knots across, of the field that bends what the encoder sees


class SharedAutoencoder(nn.Module):
    """One encoder, two decoders; pictures (N, 3, 64, 64) in 0..1."""

    def __init__(self) -> None:
        super().__init__()
        self.encoder = nn.Sequential(
            _halving(3, 32),
            _halving(32, 64),
            _halving(64, 96),
            _halving(96, 96),
            nn.Flatten(),
            nn.Linear(96 * 16, CODE),
        )
        self.decoders = nn.ModuleList([_decoder(), _decoder()])

    def forward(self, x: torch.Tensor, person: int) -> torch.Tensor:
        """Return the pictures as the decoder of `person` (0 or 1) draws them."""
        drawn: torch.Tensor = self.decoders[person](self.encoder(x))
        return drawn


def _halving(before: int, after: int) -> nn.Sequential:
    return nn.Sequential(nn.Conv2d(before, after, 5, 2, 2), nn.LeakyReLU(0.1))


def _doubling(before: int, after: int) -> nn.Sequential:
    """Return a block that doubles the sides by dealing channels out over pixels."""
    return nn.Sequential(
        nn.Conv2d(before, 4 * after, 3, 1, 1), nn.LeakyReLU(0.1), nn.PixelShuffle(2)
    )


def _decoder() -> nn.Sequential:
    return nn.Sequential(
        nn.Linear(CODE, 96 * 16),
        nn.Unflatten(1, (96, 4, 4)),
        _doubling(96, 96),
        _doubling(96, 64),
        _doubling(64, 48),
        _doubling(48, 24),
        nn.Conv2d(24, 3, 5, 1, 2),
        nn.Sigmoid(),
    )


@dataclass(frozen=True)
class LearningMoment:
    """How far the learning is: steps so far, and how wrong each person's pictures are (0..1)."""

    step: int
    loss_a: float
    loss_b: float


@dataclass(frozen=True, eq=False)
class Redrawn:
    """What the network makes of some faces of one person.

    Attributes
    ----------
    original, rebuilt, swapped : (K, 64, 64, 3) uint8
        As they are; drawn by the person's own decoder; drawn by the other person's.
    """

    original: Picture
    rebuilt: Picture
    swapped: Picture


class FaceLearner:
    """Two people's pictures and the network that learns them; can go on where it stopped.

    Parameters
    ----------
    faces_a, faces_b
        At least `FACES_MIN` pictures of each.
    seed
        Of weights, order and bends.
    keep_in
        Folder for what was learned, found again by the very same pictures; None = nothing is
        written, as is right for pictures that people made of themselves.

    Raises
    ------
    UsageError
        If somebody has too few pictures.
    """

    def __init__(
        self,
        faces_a: Sequence[PersonFace],
        faces_b: Sequence[PersonFace],
        *,
        seed: int = 0,
        keep_in: Path | None = None,
    ) -> None:
        for faces in (faces_a, faces_b):
            if len(faces) < FACES_MIN:
                raise UsageError(
                    "there are too few pictures to learn a face from",
                    str(len(faces)),
                    "Give at least {least} of each person.",
                    least=FACES_MIN,
                )
        runtime.prepare()
        torch.manual_seed(seed)
        self._random = torch.Generator().manual_seed(seed)
        self.pictures = tuple(_aligned(faces) for faces in (faces_a, faces_b))
        self.net = SharedAutoencoder()
        self.optimiser = torch.optim.Adam(self.net.parameters(), RATE, betas=(0.5, 0.99))
        self.moments: list[LearningMoment] = []
        self._path = None if keep_in is None else keep_in / f"faces-{self._key(seed)}.safetensors"
        if self._path is not None:
            self._resume(self._path)

    @property
    def steps(self) -> int:
        """Steps so far, those of earlier times included."""
        return self.moments[-1].step if self.moments else 0

    def learn(
        self,
        steps: int,
        *,
        on_moment: Callable[[LearningMoment], None] | None = None,
        tick: Tick = no_tick,
    ) -> None:
        """Learn for some more steps; what was learned is kept, also when `tick` stops it."""
        if steps < 1:
            raise UsageError("there is nothing to learn in no steps", str(steps), "Give 1 or more.")
        self.net.train()
        start = self.steps
        try:
            for done in range(steps):
                tick("learn", done, steps)
                moment = LearningMoment(start + done + 1, *self._step())
                self.moments.append(moment)
                if on_moment is not None:
                    on_moment(moment)
            tick("learn", steps, steps)
        finally:
            self._keep()

    def redraw(self, person: int, count: int = SHOWN) -> Redrawn:
        """Return some faces of a person (0 or 1), rebuilt and with the other's face."""
        pictures = self.pictures[person]
        rows = np.linspace(0, len(pictures) - 1, min(count, len(pictures))).round().astype(int)
        x = pictures[torch.from_numpy(rows)]
        self.net.eval()
        with torch.inference_mode():
            own, other = self.net(x, person), self.net(x, 1 - person)
        return Redrawn(*(_pictures(part) for part in (x, own, other)))

    def _step(self) -> tuple[float, float]:
        """Learn one batch of each person; return how wrong they were: mean absolute difference."""
        wrong = []
        self.optimiser.zero_grad()
        for person, pictures in enumerate(self.pictures):
            rows = torch.randint(len(pictures), (BATCH,), generator=self._random)
            seen, wanted = _bent(pictures[rows], self._random)
            loss = nn.functional.l1_loss(self.net(seen, person), wanted)
            loss.backward()  # type: ignore[no-untyped-call]  # torch gives it no types
            wrong.append(float(loss.detach()))
        self.optimiser.step()
        return wrong[0], wrong[1]

    def _key(self, seed: int) -> str:
        seen = hashlib.sha256(f"{SCHEMA} {seed} {CODE}".encode())
        for pictures in self.pictures:
            seen.update(_pictures(pictures).tobytes())
        return seen.hexdigest()[:16]

    def _keep(self) -> None:
        if self._path is None or not self.moments:
            return
        self._path.parent.mkdir(parents=True, exist_ok=True)
        history = [[m.step, m.loss_a, m.loss_b] for m in self.moments]
        facts = {"schema": SCHEMA, "moments": json.dumps(history)}
        with atomic_path(self._path) as path:
            save_file(dict(self.net.state_dict()), path, metadata=facts)

    def _resume(self, path: Path) -> None:
        """Take up what was learned before; a file that does not fit is as good as none."""
        from safetensors import SafetensorError, safe_open

        try:
            with safe_open(path, framework="pt") as opened:
                history = json.loads((opened.metadata() or {})["moments"])
            moments = [LearningMoment(int(s), float(a), float(b)) for s, a, b in history]
            self.net.load_state_dict(load_file(path))
        except (OSError, KeyError, ValueError, TypeError, RuntimeError, SafetensorError):
            return
        self.moments = moments


def _aligned(faces: Sequence[PersonFace]) -> torch.Tensor:
    """Return the faces cut to their oval: (N, 3, 64, 64) in 0..1."""
    cuts = [cut(f.rgb, face_square(f.mesh, margin=MARGIN), SIZE) for f in faces]
    stacked = np.ascontiguousarray(np.stack(cuts).transpose(0, 3, 1, 2))
    return torch.from_numpy(stacked).float() / 255


def _pictures(x: torch.Tensor) -> Picture:
    rounded = (x.clamp(0, 1) * 255).round().to(torch.uint8)
    return np.ascontiguousarray(rounded.numpy().transpose(0, 2, 3, 1))


def _bent(x: torch.Tensor, random: torch.Generator) -> tuple[torch.Tensor, torch.Tensor]:
    """Return what the encoder sees and what the decoder must draw.

    Both are turned, moved and scaled a little in the same way. What is seen is bent besides, so
    that the decoder has to know the person instead of copying.
    """

    def uniform(reach: float) -> torch.Tensor:
        return (torch.rand(len(x), generator=random) * 2 - 1) * reach

    turn, size = uniform(0.17), 1 + uniform(0.06)
    cos, sin = torch.cos(turn) * size, torch.sin(turn) * size
    rows = [torch.stack([cos, -sin, uniform(0.08)], 1), torch.stack([sin, cos, uniform(0.08)], 1)]
    mirror = torch.where(torch.rand(len(x), generator=random) < 0.5, -1.0, 1.0)
    grid = nn.functional.affine_grid(torch.stack(rows, 1), list(x.shape), align_corners=False)
    grid = grid * torch.stack([mirror, torch.ones_like(mirror)], 1)[:, None, None]
    knots = torch.randn(len(x), 2, _BENDS, _BENDS, generator=random) * 0.045
    bend = nn.functional.interpolate(knots, x.shape[2:], mode="bicubic", align_corners=True)

    def sample(where: torch.Tensor) -> torch.Tensor:
        return nn.functional.grid_sample(x, where, padding_mode="border", align_corners=False)

    return sample(grid + bend.permute(0, 2, 3, 1)), sample(grid)


def sheet(shown: Redrawn, *, times: int = 2) -> tuple[Picture, Picture, Picture]:
    """Return three strips of faces: as they are, rebuilt, and swapped; drawn ones are labelled.

    Parameters
    ----------
    shown
        From `FaceLearner.redraw`.
    times
        How many times larger than learned.
    """
    strips = []
    for number, faces in enumerate((shown.original, shown.rebuilt, shown.swapped)):
        strip = np.concatenate(list(faces), axis=1).repeat(times, axis=0).repeat(times, axis=1)
        if number:
            height, width = strip.shape[:2]
            whole = [(0.0, 0.0, float(width), float(height))]  # no face may be covered
            strip = marks.draw_label(strip, marks.choose_place(strip.shape, whole))
        strips.append(np.ascontiguousarray(strip))
    return strips[0], strips[1], strips[2]
