"""Train the heads of SeamNet on a frozen body: seeded, resumable, minutes once tokens are there.

Self-blends teach where a forgery is; published clips, if any are given, teach what forgeries and
genuine footage of today look like. Pages that are left out of the lists are what to test on.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from toolkit import runtime
from toolkit.detectors.readout import GRID
from toolkit.detectors.seamnet_clip import Heads, Shape
from toolkit.errors import UsageError
from toolkit.training import clip_pack
from toolkit.training.data import Folder, index_folder
from toolkit.training.tokens import BlendTokens, ClipTokens, ListedClip, Scale, Store, unpack
from toolkit.types import Tick, no_tick
from toolkit.verdict.calibration import fit_logistic

CHECKPOINT_STEPS = 100
VALIDATION_PAIRS = 160
THRESHOLD_PAIRS = 400  # whose genuine halves the default threshold is read from
GENUINE_ABOVE = 0.05  # share of genuine validation faces above the default threshold
LABEL_SMOOTHING = 0.02


@dataclass(frozen=True)
class Stage:
    """How one head is trained.

    Attributes
    ----------
    steps, pairs, clips
        Steps; pairs of self-blends, and clips of each label, in a step.
    rate
        Highest learning rate.
    clip_weight
        Of the clips' loss.
    forged
        Whether forged clips are trained on: then the head goes on from the one before.
    """

    steps: int
    pairs: int
    clips: int
    rate: float
    clip_weight: float
    forged: bool


@dataclass(frozen=True)
class HeadRecipe:
    """Everything that decides the heads besides the data.

    The first head learns from self-blends, and from genuine clips of pages that have no forgery:
    it is the same whichever page is left out. Where there are forged clips, a second one goes on
    from it with all clips, and the two are averaged.

    Attributes
    ----------
    blocks, hidden, tau
        As for `Shape`.
    small_weight
        Part of the small network in a patch logit, 0 to below 1.
    blends
        Pairs of self-blends.
    steps, pairs, clips, rate, clip_weight
        Of the first head's `Stage`.
    tune_steps, tune_pairs, tune_clips, tune_rate, tune_weight
        Of the second.
    patches
        How many of the 196 are drawn in a step.
    patch_weight, order_weight, clip_patch_weight
        Of the patches' loss, of the order within a pair, and of the patches of genuine clips.
    """

    blocks: tuple[int, ...] = (4, 6, 8)
    hidden: int = 128
    tau: float = 2.0
    small_weight: float = 0.3
    blends: int = 5000
    steps: int = 1500
    pairs: int = 12
    clips: int = 4
    rate: float = 1e-3
    clip_weight: float = 0.5
    tune_steps: int = 300
    tune_pairs: int = 4
    tune_clips: int = 12
    tune_rate: float = 6e-4
    tune_weight: float = 1.5
    weight_decay: float = 0.05
    warm_up: float = 0.15
    dropout: float = 0.2
    clip: float = 5.0
    patches: int = 98
    patch_weight: float = 1.0
    order_weight: float = 0.3
    clip_patch_weight: float = 0.25
    seed: int = 20261130

    def __post_init__(self) -> None:
        counts = ("blends", "steps", "pairs", "clips", "tune_steps", "tune_pairs", "tune_clips")
        if low := [n for n in (*counts, "hidden", "patches") if getattr(self, n) < 1]:
            cause = "a number of the recipe is too small"
            raise UsageError(cause, ", ".join(low), "Use 1 or more.")
        if not 0 <= self.small_weight < 1:
            cause = "the part of the small network is out of range"
            raise UsageError(cause, f"{self.small_weight}", "Use 0 to below 1.")

    def shape(self, heads: int) -> Shape:
        """Return the shape of a detector of so many heads."""
        return Shape(self.blocks, self.small_weight > 0, heads, self.hidden, self.tau)

    def stages(self, *, forged: bool) -> tuple[Stage, ...]:
        """Return a stage for each head, the second only where there are forged clips."""
        first = Stage(self.steps, self.pairs, self.clips, self.rate, self.clip_weight, False)
        second = Stage(
            self.tune_steps,
            self.tune_pairs,
            self.tune_clips,
            self.tune_rate,
            self.tune_weight,
            True,
        )
        return (first, second) if forged else (first,)


def learning_rate(step: int, stage: Stage, warm_up: float) -> float:
    """Return the rate of one cycle: linear warm-up, then half a cosine down to 1 %."""
    warm = max(1, round(warm_up * stage.steps))
    if step < warm:
        return stage.rate * (step + 1) / warm
    part = min(1.0, (step - warm) / max(1, stage.steps - warm))
    return stage.rate * (0.01 + 0.99 * (1 + math.cos(math.pi * part)) / 2)


@dataclass(frozen=True, eq=False)
class _Group:
    """The tokens of clips that are drawn alike, and how often one of them is."""

    weight: float
    clips: list[NDArray[np.int8]]


class HeadTrainer:
    """One training run; what it made lies in a folder of its own, which is git-ignored.

    Parameters
    ----------
    folders
        Genuine faces for self-blends.
    clips
        Published clips, from `read_clips`; () = self-blends only.
    work
        For tokens and checkpoints: the same recipe and data go on from there.
    """

    def __init__(
        self,
        folders: Sequence[Folder],
        clips: Sequence[ListedClip],
        work: Path,
        recipe: HeadRecipe,
        *,
        tick: Tick = no_tick,
    ) -> None:
        runtime.prepare()
        if any(c.is_fake for c in clips) and all(c.is_fake for c in clips):
            raise UsageError("all clips are forged", str(len(clips)), "Give genuine ones as well.")
        self.recipe, self.work, self.folders, self.listed = recipe, work, folders, clips
        self.store = Store(work, folders, recipe.shape(1), seed=recipe.seed)
        self.scale: Scale = self.store.scale(tick=tick)
        self.blends = self.store.blends(recipe.blends, tick=tick)
        self._clips: dict[Path, ClipTokens] = {}
        for done, clip in enumerate(clips):
            tick("clips", done, len(clips))
            self._clips[clip.path] = self.store.clip(clip.path)
        forged = {c.page for c in clips if c.is_fake}
        plain = [c for c in clips if c.page not in forged]
        self._of_stage = (plain, clips)
        self.stages = recipe.stages(forged=bool(self._grouped(clips, is_fake=True)))
        self.nets = [self._new() for _ in self.stages]
        self.done = [0 for _ in self.stages]
        self.log: list[dict[str, float]] = []

    def _grouped(self, clips: Sequence[ListedClip], *, is_fake: bool) -> list[_Group]:
        """Return the tokens of the clips of a label, a group for each method or page."""
        groups: dict[str, _Group] = {}
        for clip in clips:
            tokens = self._clips[clip.path].tokens
            if clip.is_fake == is_fake and len(tokens):
                groups.setdefault(clip.group, _Group(clip.weight, [])).clips.append(tokens)
        return list(groups.values())

    def _new(self) -> Heads:
        with torch.random.fork_rng():
            torch.manual_seed(self.recipe.seed)
            return Heads(self.recipe.shape(1))

    # -- learning

    def run(self, *, tick: Tick = no_tick) -> None:
        """Train every head to the last step; `tick` may raise Cancelled between steps."""
        for k in range(len(self.stages)):
            if k and not self.done[k]:
                self.nets[k].load_state_dict(self.nets[k - 1].state_dict())
            self._train(k, tick)

    def _train(self, k: int, tick: Tick) -> None:
        r, net, stage = self.recipe, self.nets[k], self.stages[k]
        optimiser = torch.optim.AdamW(net.parameters(), lr=stage.rate, weight_decay=r.weight_decay)
        self._resume(k, optimiser)
        before = sum(s.steps for s in self.stages[:k])
        running, total = 0.0, sum(s.steps for s in self.stages)
        groups = {f: self._grouped(self._of_stage[k], is_fake=f) for f in (False, True)}
        net.train()
        for step in range(self.done[k], stage.steps):
            tick("train", before + step, total)
            for group in optimiser.param_groups:
                group["lr"] = learning_rate(step, stage, r.warm_up)
            # all that a step draws depends on its number: a resumed run draws alike
            rng = np.random.default_rng([r.seed, k, step])
            with torch.random.fork_rng():
                torch.manual_seed(int(rng.integers(2**31)))
                loss = self._loss(net, stage, groups, rng)
            optimiser.zero_grad(set_to_none=True)
            loss.backward()  # type: ignore[no-untyped-call]  # torch does not say
            nn.utils.clip_grad_norm_(net.parameters(), r.clip)
            optimiser.step()
            running += float(loss.detach())
            self.done[k] = step + 1
            if self.done[k] % CHECKPOINT_STEPS == 0 or self.done[k] == stage.steps:
                self.log.append({"head": k, "step": step + 1, "loss": running / CHECKPOINT_STEPS})
                running = 0.0
                self._save(k, optimiser)
        net.eval()

    def _loss(
        self,
        net: Heads,
        stage: Stage,
        clips: Mapping[bool, Sequence[_Group]],
        rng: np.random.Generator,
    ) -> torch.Tensor:
        r = self.recipe
        x, tiles, usable = self.blends.pairs(rng.integers(0, len(self.blends), stage.pairs))
        if r.patches < tiles.shape[1]:
            drawn = np.sort(rng.permutation(tiles.shape[1])[: r.patches])
            x, tiles = x[:, :, drawn], tiles[:, drawn]
        logits, patches = self._asked(net, x.flatten(0, 1))
        logits, patches = logits.view(-1, 2), patches.view(*x.shape[:3])
        bce = nn.functional.binary_cross_entropy_with_logits
        # the patches that were drawn may miss the forged ones: then they alone teach
        seen = usable * (tiles.sum(1) > 0)
        weight = torch.stack([torch.ones_like(seen), seen], 1)
        wanted = torch.tensor([LABEL_SMOOTHING, 1 - LABEL_SMOOTHING]).expand_as(logits)
        loss = (bce(logits, wanted, reduction="none") * weight).sum() / weight.sum()
        truth = torch.stack([torch.zeros_like(tiles), tiles], 1)
        patch = bce(patches, truth, reduction="none").mean(2)
        weight = torch.stack([torch.ones_like(usable), usable], 1)
        loss = loss + r.patch_weight * (patch * weight).sum() / weight.sum()
        order = nn.functional.softplus(logits[:, 0] - logits[:, 1])
        loss = loss + r.order_weight * (order * seen).sum() / seen.sum().clamp(min=1)
        for is_fake, groups in clips.items():
            if not groups or not stage.clip_weight:
                continue
            rows = [_one_of(groups, rng) for _ in range(stage.clips)]
            found, parts = self._asked(net, unpack(np.stack(rows)))
            aim = 1 - LABEL_SMOOTHING if is_fake else LABEL_SMOOTHING
            target = torch.full_like(found, aim)
            loss = loss + stage.clip_weight / 2 * bce(found, target)
            if not is_fake:  # which patches of a published forgery are forged, nobody knows
                loss = loss + r.clip_patch_weight * bce(parts, torch.zeros_like(parts))
        return loss

    def _asked(self, net: Heads, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Return logits (N,) and patch logits (N, 196) of standardised channels (N, 196, W)."""
        hidden = net.act(x @ net.w1[0] + net.b1[0])
        hidden = nn.functional.dropout(hidden, self.recipe.dropout, net.training)
        patches = hidden @ net.w2[0] + net.b2[0]
        return net.pool(patches), patches

    # -- checkpoints

    def _checkpoint(self, k: int) -> Path:
        """Return where a head is kept: under a hash of all that decides it."""
        clips = [[c.path.name, c.group, c.weight] for c in self._of_stage[k]]
        facts = [asdict(self.recipe), self.store.folder.name, sorted(clips)]
        key = hashlib.sha256(json.dumps(facts).encode()).hexdigest()[:16]
        return self.work / f"head-{k}-{key}.pt"

    def _save(self, k: int, optimiser: torch.optim.Optimizer) -> None:
        part = self._checkpoint(k).with_suffix(".part")
        state = {
            "net": self.nets[k].state_dict(),
            "optimiser": optimiser.state_dict(),
            "step": self.done[k],
            "log": self.log,
        }
        torch.save(state, part)
        part.replace(self._checkpoint(k))

    def _resume(self, k: int, optimiser: torch.optim.Optimizer) -> None:
        if not self._checkpoint(k).is_file():
            return
        state = torch.load(self._checkpoint(k), map_location="cpu", weights_only=True)
        self.nets[k].load_state_dict(state["net"])
        optimiser.load_state_dict(state["optimiser"])
        self.done[k], self.log = state["step"], state["log"]

    # -- what came of it

    def together(self) -> Heads:
        """Return all heads as one, the small network beside them, and the scale fitted anew."""
        r = self.recipe
        whole = Heads(r.shape(len(self.nets)))
        with torch.no_grad():
            for name in ("w1", "b1", "w2", "b2"):
                getattr(whole, name).copy_(torch.cat([getattr(n, name) for n in self.nets]))
            whole.w2.mul_(1 - r.small_weight)
            whole.b2.mul_(1 - r.small_weight)
            whole.small_weight.fill_(r.small_weight)
        whole.eval()
        rows = np.arange(min(len(self.blends), 4 * VALIDATION_PAIRS))
        pooled = self.judge(whole, self.blends, rows).ravel()
        slope, start = fit_logistic(pooled[:, None], np.tile([False, True], len(rows))).tolist()
        with torch.no_grad():
            whole.log_a.fill_(math.log(max(slope, 1e-3)))
            whole.b.fill_(start)
        return whole

    @torch.inference_mode()
    def judge(
        self, net: Heads, blends: BlendTokens, rows: NDArray[np.int64]
    ) -> NDArray[np.float64]:
        """Return the logits (N, 2) that a detector with these heads gives pairs."""
        logits = [net.pool(self._patches(net, blends, part)) for part in _in_parts(rows)]
        return torch.cat(logits).view(-1, 2).double().numpy()

    @torch.inference_mode()
    def judge_clip(self, net: Heads, path: Path) -> NDArray[np.float64]:
        """Return the logits (N,) that a detector with these heads gives the faces of a clip."""
        seen, logits = self.store.clip(path), [np.zeros(0)]
        for rows in _in_parts(np.arange(len(seen))) if len(seen) else []:
            x = unpack(seen.tokens[rows]).transpose(1, 2).reshape(len(rows), -1, GRID, GRID)
            small = torch.from_numpy(seen.small[rows]).view(-1, GRID, GRID)
            logits.append(net.pool(net(x) + net.small_weight * small).double().numpy())
        return np.concatenate(logits)

    @staticmethod
    def _patches(net: Heads, blends: BlendTokens, rows: NDArray[np.int64]) -> torch.Tensor:
        """Return patch logits (2 N, 14, 14): genuine, forged, genuine, ..."""
        x = blends.pairs(rows)[0].flatten(0, 1)
        patches: torch.Tensor = net(x.transpose(1, 2).reshape(len(x), -1, GRID, GRID))
        small = torch.from_numpy(blends.small[rows]).view(-1, GRID, GRID)
        return patches + net.small_weight * small

    @torch.inference_mode()
    def export(
        self, out: Path, *, threshold: float | None = None, tick: Tick = no_tick
    ) -> dict[str, Any]:
        """Write weights and card; return the card's facts.

        Parameters
        ----------
        threshold
            Logit from which the detector says forged; None = the value that few of the genuine
            validation faces exceed (`GENUINE_ABOVE`).
        """
        net = self.together().eval()
        kept = self.store.blends(THRESHOLD_PAIRS, validation=True, tick=tick)
        logits = self.judge(net, kept, np.arange(len(kept)))
        fresh, usable = logits[:VALIDATION_PAIRS], kept.pairs(np.arange(VALIDATION_PAIRS))[2] > 0
        fresh = fresh[usable.numpy()]
        maps = [
            self._patches(net, kept, part)[::2].numpy()
            for part in _in_parts(np.arange(VALIDATION_PAIRS))
        ]
        if threshold is None:
            threshold = float(np.quantile(logits[:, 0], 1 - GENUINE_ABOVE))
        tensors = {k: v.numpy() for k, v in net.state_dict().items()}
        tensors |= {"mean": self.scale.mean, "std": self.scale.std}
        tensors["reference"] = np.median(np.concatenate(maps), axis=0)
        fakes = sorted({c.page for c in self.listed if c.is_fake})
        facts = {
            **{k: getattr(self.recipe, k) for k in ("blocks", "tau")},
            "threshold": threshold,
            "network": "clip-head",
            "recipe": asdict(self.recipe),
            "steps_done": sum(self.done),
            "log": self.log,
            "pictures": [len(f.photos) for f in self.folders],
            "training_clips": sorted(c.path.stem for c in self.listed),
            "pages_of_forgeries": fakes,
            "validation": {
                "pairs": int(usable.sum()),
                "auc": float((fresh[:, 1][:, None] > fresh[:, 0][None]).mean()),
                "in_order": float((fresh[:, 1] > fresh[:, 0]).mean()),
            },
        }
        return clip_pack.pack(tensors, facts, out)


def _in_parts(rows: NDArray[np.int64]) -> list[NDArray[np.int64]]:
    return np.array_split(rows, -(-len(rows) // 8))


def _one_of(groups: Sequence[_Group], rng: np.random.Generator) -> Any:
    """Draw a method or page, one of its clips, and one of its faces."""
    weights = np.array([g.weight for g in groups])
    clips = groups[rng.choice(len(groups), p=weights / weights.sum())].clips
    clip = clips[rng.integers(len(clips))]
    return clip[rng.integers(len(clip))]


def train(
    faces: Sequence[tuple[Path, float]],
    clips: Sequence[ListedClip],
    out: Path,
    work: Path,
    recipe: HeadRecipe,
    *,
    threshold: float | None = None,
    tick: Tick = no_tick,
) -> dict[str, Any]:
    """Train heads on folders of genuine faces and on clips, and write them.

    Parameters
    ----------
    faces
        Folders of pictures, one face each, and how often each folder is drawn.
    clips
        From `tokens.read_clips`.
    out
        Weights, ``.safetensors``; the card's facts go beside them, ``.json``.
    work
        For tokens and checkpoints; the same command goes on from there.

    Returns
    -------
    dict
        The card's facts.
    """
    folders = [index_folder(p, work, weight=w, tick=tick) for p, w in faces]
    trainer = HeadTrainer(folders, clips, work, recipe, tick=tick)
    trainer.run(tick=tick)
    return trainer.export(out, threshold=threshold, tick=tick)
