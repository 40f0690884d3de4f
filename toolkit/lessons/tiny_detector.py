"""A detector so small that a class can write it in ten lines and watch it learn.

It learns the same thing as SeamNet, self-blended faces, from a few dozen pictures of a few people,
in tens of seconds on one CPU core. How good it is gets counted on a person it never saw: with so
few people that is not much better than a coin, and seeing that is the point.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from toolkit import runtime
from toolkit.errors import UsageError
from toolkit.faces.crops import cut, face_square, mesh_in_crop
from toolkit.forge.degrade import jpeg
from toolkit.forge.selfblend import self_blend
from toolkit.types import Tick, no_tick

Picture = NDArray[np.uint8]

SIZE = 112
MARGIN = 0.2
STEPS, PAIRS = 150, 12
RATE = 3e-3
TESTED = 100
"""Pictures per count, half of them forged."""
_TRIES = 6


class Residual(nn.Module):
    """What a small blur takes away: fine detail, edges and noise; (N, 3, S, S) 0..255 both ways."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return the picture minus its blur, on a scale of about -1..1."""
        blurred = nn.functional.avg_pool2d(x, 3, 1, 1, count_include_pad=False)
        return (x - blurred) / 8


class Strongest(nn.Module):
    """Pool a map of patch logits to one: a log-mean-exp, near the strongest patches."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return (N,) logits of (N, 1, h, w) maps."""
        flat = x.flatten(1) * 2
        return (torch.logsumexp(flat, 1) - math.log(flat.shape[1])) / 2


def ten_lines() -> nn.Sequential:
    """Return the detector of the lesson, with random weights."""
    return nn.Sequential(
        Residual(),
        nn.Conv2d(3, 16, 5, padding=2),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Conv2d(16, 32, 3, padding=1),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Conv2d(32, 1, 1),
        Strongest(),
    )


@dataclass(frozen=True, eq=False)
class PersonFace:
    """A picture of one person's face.

    Attributes
    ----------
    rgb : (H, W, 3) uint8
    mesh : (478, 3) float32
        In pixels of the picture.
    person
        Whose; pictures of one person are never on both sides of the split.
    """

    rgb: Picture
    mesh: NDArray[np.float32]
    person: str


@dataclass(frozen=True, eq=False)
class Pairs:
    """Forged and genuine pictures (N, S, S, 3) uint8 of the same faces; `mask` (N, S, S) 0..1."""

    fake: NDArray[np.uint8]
    real: NDArray[np.uint8]
    mask: NDArray[np.float32]


@dataclass(frozen=True)
class Count:
    """How many of `tested` pictures were called rightly; half of them are forged."""

    right: int
    tested: int


@dataclass(frozen=True)
class Moment:
    """How far the training is: step, loss, and counts where they were made at this step."""

    step: int
    loss: float
    seen: Count | None = None
    unseen: Count | None = None


@dataclass(frozen=True, eq=False)
class Learned:
    """What came of a training.

    Attributes
    ----------
    moments
        One per step.
    seen, unseen
        Counts at the end: new pictures of people it learned from, and of the one it never saw.
    tests
        The pictures of the person it never saw, and `logits` (2, N) of the forged and the genuine.
    """

    moments: tuple[Moment, ...]
    seen: Count
    unseen: Count
    tests: Pairs
    logits: NDArray[np.float32]


def make_pairs(faces: Sequence[PersonFace], count: int, rng: np.random.Generator) -> Pairs:
    """Blend faces with altered copies of themselves.

    Raises
    ------
    UsageError
        If there are no faces.
    """
    if not faces:
        raise UsageError("there are no faces to learn from", "", "Fetch the sample clips.")
    pairs: list[tuple[Picture, Picture, NDArray[np.float32]]] = []
    while len(pairs) < count:
        face = faces[int(rng.integers(len(faces)))]
        pair = next((p for _ in range(_TRIES) if (p := self_blend(face.rgb, face.mesh, rng))), None)
        if pair is None:
            continue
        quality = int(rng.integers(60, 96))
        square = face_square(face.mesh, margin=MARGIN)
        pictures = [cut(jpeg(p, quality), square, SIZE) for p in (pair.fake, pair.real)]
        whole: NDArray[Any] = pair.blend.mask * np.float32(pair.blend.ratio)
        mask = np.clip(cut(whole, square, SIZE), 0, 1)
        if rng.random() < 0.5:
            pictures = [np.ascontiguousarray(p[:, ::-1]) for p in pictures]
            mask = np.ascontiguousarray(mask[:, ::-1])
        pairs.append((pictures[0], pictures[1], mask.astype(np.float32)))
    fake, real, masks = (np.stack(part) for part in zip(*pairs, strict=True))
    return Pairs(fake, real, masks)


def tensor(rgb: NDArray[np.uint8]) -> torch.Tensor:
    """Return pictures (N, S, S, 3) uint8 as a tensor (N, 3, S, S), 0..255."""
    return torch.from_numpy(np.ascontiguousarray(rgb.transpose(0, 3, 1, 2))).float()


def logits(net: nn.Module, rgb: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Return one logit per picture (N, S, S, 3): positive = it calls it forged."""
    net.eval()
    with torch.inference_mode():
        parts = [net(tensor(rgb[i : i + 16])).reshape(-1) for i in range(0, len(rgb), 16)]
    net.train()
    return torch.cat(parts).numpy().astype(np.float32)


def heat(net: nn.Sequential, rgb: Picture) -> NDArray[np.float32]:
    """Return the map of patch logits of one picture: (h, w), what the pooling sees.

    Raises
    ------
    UsageError
        If the network does not end in a pooling of patches.
    """
    if not isinstance(net[-1], Strongest):
        raise UsageError("this network has no patches", type(net[-1]).__name__, "End in Strongest.")
    with torch.inference_mode():
        patches = net[:-1](tensor(rgb[None]))
    return np.asarray(patches[0, 0].numpy(), np.float32)


def count(net: nn.Module, pairs: Pairs) -> tuple[Count, NDArray[np.float32]]:
    """Return how many pictures a network calls rightly, and the logits (2, N), forged first."""
    answers = np.stack([logits(net, pairs.fake), logits(net, pairs.real)])
    right = int((answers[0] >= 0).sum() + (answers[1] < 0).sum())
    return Count(right, answers.size), answers


def train(
    net: nn.Module,
    faces: Sequence[PersonFace],
    *,
    unseen: str,
    steps: int = STEPS,
    seed: int = 0,
    on_moment: Callable[[Moment], None] | None = None,
    tick: Tick = no_tick,
) -> Learned:
    """Teach a network self-blended faces; seeded.

    Parameters
    ----------
    net
        Takes (N, 3, S, S) 0..255 and gives N logits. Trained in place.
    faces
        Pictures of at least two people.
    unseen
        The person whose pictures are only for counting.
    steps
        Gradient steps of `PAIRS` pairs.
    on_moment
        Called after every step in the calling thread.
    tick
        Stages ``"blend"`` and ``"learn"``.

    Raises
    ------
    UsageError
        If nobody is left to learn from, or nobody to test on.
    """
    known = [f for f in faces if f.person != unseen]
    other = [f for f in faces if f.person == unseen]
    if not known or not other:
        raise UsageError("two people are needed", unseen, "Fetch more sample clips.")
    runtime.prepare()
    torch.manual_seed(seed)
    rng = np.random.default_rng(seed)
    lots = []
    for lot in range(10):
        tick("blend", lot, 10)
        lots.append(make_pairs(known, max(PAIRS, steps * PAIRS // 30), rng))
    tests = {
        "seen": make_pairs(known, TESTED // 2, np.random.default_rng(seed + 1)),
        "unseen": make_pairs(other, TESTED // 2, np.random.default_rng(seed + 2)),
    }
    pool = Pairs(*(np.concatenate([getattr(p, n) for p in lots]) for n in ("fake", "real", "mask")))
    optimiser = torch.optim.AdamW(net.parameters(), lr=RATE)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, RATE, total_steps=steps)
    moments = []
    for step in range(1, steps + 1):
        tick("learn", step - 1, steps)
        chosen = rng.integers(len(pool.fake), size=PAIRS)
        x = tensor(np.concatenate([pool.fake[chosen], pool.real[chosen]]))
        wanted = torch.cat([torch.ones(PAIRS), torch.zeros(PAIRS)])
        loss = nn.functional.binary_cross_entropy_with_logits(net(x).reshape(-1), wanted)
        optimiser.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]  # torch gives it no types
        optimiser.step()
        schedule.step()
        counted: dict[str, Count] = {}
        if step % max(1, steps // 6) == 0:
            counted = {name: count(net, pairs)[0] for name, pairs in tests.items()}
        moments.append(Moment(step, float(loss.detach()), **counted))
        if on_moment is not None:
            on_moment(moments[-1])
    tick("learn", steps, steps)
    seen, _logits = count(net, tests["seen"])
    never, answers = count(net, tests["unseen"])
    return Learned(tuple(moments), seen, never, tests["unseen"], answers)


def face_of(rgb: Picture, mesh: NDArray[np.float32], person: str, *, side: int = 260) -> PersonFace:
    """Cut a wide square round a face and bring it to about `side` px."""
    square = face_square(mesh, margin=0.45)
    size = min(side, max(96, square.side))
    return PersonFace(cut(rgb, square, size), mesh_in_crop(mesh, square, size), person)
