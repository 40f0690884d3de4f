"""Train SeamNet: seeded, resumable, the same code on CPU and GPU.

Interrupt it at any time: the newest checkpoint is at most `CHECKPOINT_STEPS` old, and the same
command goes on from there.
"""

from __future__ import annotations

import hashlib
import io
import json
import math
import os
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors.torch import save
from torch import nn
from torch.utils.data import DataLoader, Subset

from toolkit import models, runtime
from toolkit.detectors.canary import canary_picture
from toolkit.detectors.seamnet_small import SeamNet, SeamNetDetector, new_body, placed
from toolkit.errors import ModelError, UsageError
from toolkit.files import atomic_write
from toolkit.training.data import Blends, Folder, default_workers, index_folder
from toolkit.types import Tick, no_tick

CHECKPOINT_STEPS = 100
VALIDATE_STEPS = 400
VALIDATION_PAIRS = 160
LABEL_SMOOTHING = 0.02
GENUINE_ABOVE = 0.02  # share of genuine validation faces above the default threshold
THRESHOLD_FACES = 600  # genuine validation faces that the default threshold is read from

# glibc gives every large activation back to the kernel and pays page faults at each step; raised
# thresholds made training about five times faster on two cores. They act only when set before the
# interpreter starts.
ALLOCATOR = {
    "MALLOC_MMAP_THRESHOLD_": "4294967295",
    "MALLOC_TRIM_THRESHOLD_": "8589934592",
    "MALLOC_ARENA_MAX": "2",
}


@dataclass(frozen=True)
class Recipe:
    """Everything that decides the weights besides the data."""

    steps: int = 2400
    pairs: int = 12
    rate: float = 8e-4
    weight_decay: float = 0.02
    warm_up: float = 0.08
    clip: float = 5.0
    ema: float = 0.997
    patch_weight: float = 1.0
    order_weight: float = 0.5
    seed: int = 20261124


def with_allocator() -> None:
    """Start this program again with the allocator settings, once, where glibc is used."""
    if sys.platform == "linux" and any(os.environ.get(k) != v for k, v in ALLOCATOR.items()):
        os.environ.update(ALLOCATOR)
        os.execv(sys.executable, [sys.executable, "-m", "toolkit", *sys.argv[1:]])  # noqa: S606


def new_network() -> SeamNet:
    """Return SeamNet with the ImageNet body (Apache-2.0), verified by hash and mapped by order."""
    data = io.BytesIO(models.load_bytes("imagenet_lite0"))
    pretrained = torch.load(data, map_location="cpu", weights_only=True)
    body = new_body()
    own = body.state_dict()
    if [v.shape for v in own.values()] != [v.shape for v in pretrained.values()]:
        raise ModelError("the ImageNet weights do not fit the body")
    body.load_state_dict(dict(zip(own, pretrained.values(), strict=True)))
    return SeamNet(body)


def trained_network(weights: Path) -> tuple[SeamNet, str]:
    """Return SeamNet as an earlier run left it (weights with their card), and the weights' SHA-256.

    Raises
    ------
    ModelError
        If weights and card do not belong together.
    """
    detector = SeamNetDetector(device="cpu", weights=weights)
    assert isinstance(detector.net, SeamNet)
    return detector.net, detector.card.weights_sha256


def learning_rate(step: int, recipe: Recipe) -> float:
    """Return the rate of one cycle: linear warm-up, then half a cosine down to 1 %."""
    warm = max(1, round(recipe.warm_up * recipe.steps))
    if step < warm:
        return recipe.rate * (step + 1) / warm
    part = min(1.0, (step - warm) / max(1, recipe.steps - warm))
    return recipe.rate * (0.01 + 0.99 * (1 + math.cos(math.pi * part)) / 2)


def loss_of(
    net: nn.Module,
    pictures: torch.Tensor,
    tiles: torch.Tensor,
    usable: torch.Tensor,
    recipe: Recipe,
) -> torch.Tensor:
    """Return the loss of B pairs: pictures (B, 2, 3, S, S) uint8, tiles (B, G, G), usable (B,)."""
    flat = pictures.flatten(0, 1).float().contiguous(memory_format=torch.channels_last)
    logits, patches = net(flat)
    logits, patches = logits.unflatten(0, (-1, 2)), patches.unflatten(0, (-1, 2))
    wanted = torch.tensor([LABEL_SMOOTHING, 1 - LABEL_SMOOTHING], device=logits.device)
    image = nn.functional.binary_cross_entropy_with_logits(
        logits, wanted.expand_as(logits), reduction="none"
    )
    truth = torch.stack([torch.zeros_like(tiles), tiles], dim=1)
    patch = nn.functional.binary_cross_entropy_with_logits(patches, truth, reduction="none")
    each = image + recipe.patch_weight * patch.mean(dim=(2, 3))
    weight = torch.stack([torch.ones_like(usable), usable], dim=1)
    # the two pictures of a pair show the same face: what tells them apart is the forgery alone
    order = nn.functional.softplus(logits[:, 0] - logits[:, 1])
    apart = (order * usable).sum() / usable.sum().clamp(min=1)
    return (each * weight).sum() / weight.sum() + recipe.order_weight * apart


class Trainer:
    """One training run in a folder of its own, which is git-ignored."""

    def __init__(
        self,
        folders: Sequence[Folder],
        work: Path,
        recipe: Recipe,
        *,
        start: Path | None = None,
        device: str = "auto",
    ) -> None:
        self.recipe, self.work = recipe, work
        self.device = runtime.pick_device(device)
        runtime.prepare()
        runtime.seed_all(recipe.seed)
        self.folders = folders
        first, self.started_from = (new_network(), "") if start is None else trained_network(start)
        self.net = placed(first, self.device)
        self.ema = {k: v.detach().clone() for k, v in self.net.state_dict().items()}
        self.optimiser = torch.optim.AdamW(
            self.net.parameters(), lr=recipe.rate, weight_decay=recipe.weight_decay
        )
        self.step = 0
        self.log: list[dict[str, float]] = []

    @property
    def checkpoint(self) -> Path:
        """Where the newest state lies."""
        return self.work / "checkpoint.pt"

    def resume(self) -> bool:
        """Go on from the checkpoint when there is one of the same recipe (but for its length)."""
        if not self.checkpoint.exists():
            return False
        state = torch.load(self.checkpoint, map_location=self.device, weights_only=True)
        mine, theirs = asdict(self.recipe), dict(state["recipe"])
        same_start = state.get("started_from", "") == self.started_from
        if {**mine, "steps": 0} != {**theirs, "steps": 0} or not same_start:
            raise UsageError(
                "the checkpoint was made with another recipe",
                str(self.checkpoint),
                "Name another --work folder, or give the same options.",
            )
        self.net.load_state_dict(state["net"])
        self.ema = state["ema"]
        self.optimiser.load_state_dict(state["optimiser"])
        self.step, self.log = state["step"], state["log"]
        torch.set_rng_state(state["rng"].cpu())
        return True

    def save(self) -> None:
        """Write the checkpoint in one step."""
        self.work.mkdir(parents=True, exist_ok=True)
        part = self.checkpoint.with_suffix(".part")
        state = {
            "recipe": asdict(self.recipe),
            "started_from": self.started_from,
            "net": self.net.state_dict(),
            "ema": self.ema,
            "optimiser": self.optimiser.state_dict(),
            "step": self.step,
            "log": self.log,
            "rng": torch.get_rng_state(),
        }
        with part.open("wb") as file:
            torch.save(state, file)
            file.flush()
            os.fsync(file.fileno())
        part.replace(self.checkpoint)

    def _batches(self, workers: int) -> Iterator[list[torch.Tensor]]:
        r = self.recipe
        data = Blends(self.folders, seed=r.seed, length=r.steps * r.pairs)
        rest = Subset(data, range(self.step * r.pairs, len(data)))
        yield from DataLoader(
            rest,
            batch_size=r.pairs,
            num_workers=workers,
            prefetch_factor=4 if workers else None,
            # a loader draws a seed when it starts: from here, so that a resumed run draws alike
            generator=torch.Generator().manual_seed(r.seed),
        )

    def run(self, *, workers: int | None = None, tick: Tick = no_tick) -> None:
        """Train to the last step of the recipe; `tick` may raise Cancelled between steps."""
        r = self.recipe
        self.net.train()
        began, pictures_done, running = time.perf_counter(), 0, 0.0
        for batch in self._batches(default_workers() if workers is None else workers):
            tick("train", self.step, r.steps)
            for group in self.optimiser.param_groups:
                group["lr"] = learning_rate(self.step, r)
            self.optimiser.zero_grad(set_to_none=True)
            pictures, tiles, usable = (x.to(self.device) for x in batch)
            loss = loss_of(self.net, pictures, tiles, usable, r)
            loss.backward()  # type: ignore[no-untyped-call]  # torch does not say
            nn.utils.clip_grad_norm_(self.net.parameters(), r.clip)
            self.optimiser.step()
            self.step += 1
            self._average()
            pictures_done += 2 * len(pictures)
            running += float(loss.detach())
            if self.step % CHECKPOINT_STEPS == 0 or self.step == r.steps:
                seconds = time.perf_counter() - began
                entry = {
                    "step": self.step,
                    "loss": running / CHECKPOINT_STEPS,
                    "ms_per_picture": 1000 * seconds / pictures_done,
                }
                running = 0.0
                if self.step % VALIDATE_STEPS == 0 or self.step == r.steps:
                    with torch.random.fork_rng():  # the networks made here draw their first weights
                        entry |= self.validate()
                self.log.append(entry)
                self.save()
                print(json.dumps(entry), flush=True)

    def _average(self) -> None:
        # early weights are forgotten quickly, or a short run would average its own beginning
        keep = min(self.recipe.ema, (1 + self.step) / (10 + self.step))
        for name, value in self.net.state_dict().items():
            if value.is_floating_point():
                self.ema[name].lerp_(value, 1 - keep)
            else:
                self.ema[name].copy_(value)

    def averaged(self) -> SeamNet:
        """Return the averaged network, ready to judge."""
        net = SeamNet()
        net.load_state_dict(self.ema)
        return placed(net.eval(), self.device)

    @torch.inference_mode()
    def validate(self) -> dict[str, float]:
        """Return how well fixed self-blends of identities never trained on are told apart.

        The AUC, the share of pairs in the right order, the share of tiles that are told right,
        and the median logit of either label.
        """
        data = Blends(self.folders, seed=1, length=VALIDATION_PAIRS, validation=True)
        net = self.averaged()
        logits, hits = [], []
        for pictures, tiles, usable in DataLoader(data, batch_size=4):
            keep = usable > 0
            z, p = net(pictures[keep].flatten(0, 1).to(self.device).float())
            logits.append(z.unflatten(0, (-1, 2)).cpu().numpy())
            hits.append(
                ((p.unflatten(0, (-1, 2))[:, 1].cpu() > 0).float() == tiles[keep]).float().mean()
            )
        z = np.concatenate(logits)
        return {
            "val_auc": float((z[:, 1][:, None] > z[:, 0][None]).mean()),
            "val_pairs": float((z[:, 1] > z[:, 0]).mean()),
            "val_tiles": float(np.mean(hits)),
            "val_real_median": float(np.median(z[:, 0])),
            "val_fake_median": float(np.median(z[:, 1])),
        }

    @torch.inference_mode()
    def reference(self) -> NDArray[np.float32]:
        """Return the median patch map of genuine validation faces: (G, G) float32."""
        data = Blends(self.folders, seed=2, length=VALIDATION_PAIRS, validation=True)
        net = self.averaged()
        maps = [
            net(pictures[:, 0].to(self.device).float())[1].cpu().numpy()
            for pictures, _, _ in DataLoader(data, batch_size=8)
        ]
        return np.asarray(np.median(np.concatenate(maps), axis=0), np.float32)

    @torch.inference_mode()
    def genuine_logits(self) -> NDArray[np.float32]:
        """Return the logits of genuine validation faces."""
        data = Blends(self.folders, seed=3, length=THRESHOLD_FACES, validation=True)
        net = self.averaged()
        return np.concatenate(
            [
                net(pictures[:, 0].to(self.device).float())[0].cpu().numpy()
                for pictures, _, _ in DataLoader(data, batch_size=8)
            ]
        )

    def export(self, out: Path, *, threshold: float | None = None) -> None:
        """Write the averaged weights as safetensors, and the card's facts as JSON beside them.

        Parameters
        ----------
        threshold
            Logit from which the detector says forged; None = the value that few of the genuine
            validation faces exceed (`GENUINE_ABOVE`): a false accusation costs more than a miss.
        """
        net = self.averaged()
        tensors = {k: v.detach().cpu().contiguous() for k, v in net.state_dict().items()}
        tensors["reference"] = torch.from_numpy(self.reference())
        data = save(tensors, metadata={"recipe": json.dumps(asdict(self.recipe))})
        if threshold is None:
            threshold = float(np.quantile(self.genuine_logits(), 1 - GENUINE_ABOVE))
        picture = torch.from_numpy(canary_picture()[None]).permute(0, 3, 1, 2).float()
        with torch.inference_mode():
            canary = float(net(picture.to(self.device))[0][0])
        facts = {
            "sha256": hashlib.sha256(data).hexdigest(),
            "threshold": threshold,
            "canary_logit": canary,
            "recipe": asdict(self.recipe),
            "started_from": self.started_from,
            "steps_done": self.step,
            "log": self.log,
            "pictures": [len(f.photos) for f in self.folders],
        }
        out.parent.mkdir(parents=True, exist_ok=True)
        atomic_write(out, data)
        atomic_write(out.with_suffix(".json"), json.dumps(facts, indent=1) + "\n")


def train(
    faces: Sequence[tuple[Path, float]],
    out: Path,
    work: Path,
    recipe: Recipe,
    *,
    start: Path | None = None,
    device: str = "auto",
    workers: int | None = None,
    threshold: float | None = None,
    tick: Tick = no_tick,
) -> Trainer:
    """Train SeamNet on folders of genuine faces and write its weights.

    Parameters
    ----------
    faces
        Folders of pictures, one face each, and how often each folder is drawn. Identities are told
        apart by file names: ``Name_0001.jpg`` and ``Name_0002.jpg`` are one person.
    out
        Weights, ``.safetensors``; the card's facts go beside them, ``.json``.
    work
        Folder for checkpoints and the face index; the same command resumes from it.
    start
        Weights of an earlier run to go on from; None = the ImageNet body.
    threshold
        Logit from which the detector says forged; None = from genuine validation faces.
    """
    folders = [index_folder(p, work, weight=w, tick=tick) for p, w in faces]
    trainer = Trainer(folders, work, recipe, start=start, device=device)
    trainer.resume()
    trainer.run(workers=workers, tick=tick)
    trainer.export(out, threshold=threshold)
    return trainer
