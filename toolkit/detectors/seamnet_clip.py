"""SeamNet: a frozen CLIP body, and heads that judge patch by patch; the detector by default.

The tokens that leave some blocks of the body stand on a grid of 14 x 14 patches. Each head gives
every patch a logit of its own; heads are averaged patch by patch, the small network's patch logits
are added where the card says so, and all is pooled with a log-mean-exp: the verdict is a sum over
patches by construction. What a token has seen is the whole crop: a patch logit is an exact term of
the verdict, but it may read context.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from toolkit import models, runtime
from toolkit._i18n import N_
from toolkit.detectors import clip_body, clip_tower, seamnet_small
from toolkit.detectors.base import Card, HeldBack, InputSpec
from toolkit.detectors.canary import SIZE, canary_picture
from toolkit.detectors.readout import GRID, PatchJudge, Readout, check_canary, read_facts
from toolkit.detectors.seamnet_small import MARGIN
from toolkit.errors import ModelError
from toolkit.messages import joined, phrase
from toolkit.types import Tick, no_tick

NAME = "seamnet"
WEIGHTS = models.ROOT / "models" / "seamnet.safetensors"
CLIP = 8.0  # standardised tokens beyond are cut off: a few are a hundred times the others

TOP_PART = 2
"""The higher half of the frames makes a track's logit. On forgeries of whole clips it tells more
than the highest quarter; of clips forged for a tenth it finds fewer (see the card)."""

NEEDED = ("sha256", "threshold", "blocks", "tau", "beside_small", "fingerprint", "canary")
"""What the card of a head must say."""


@dataclass(frozen=True)
class Shape:
    """What a head reads and how large it is.

    Attributes
    ----------
    blocks
        Of the body, after which tokens are read, increasing.
    beside_small
        Whether the small network's patch logits are added, weighted.
    heads, hidden
        K heads of this many hidden units.
    tau
        Sharpness of the pooling.
    """

    blocks: tuple[int, ...]
    beside_small: bool
    heads: int
    hidden: int
    tau: float

    @property
    def width(self) -> int:
        """Channels of the map that the heads read."""
        return clip_body.WIDTH * len(self.blocks)


class Heads(Readout):
    """K two-layer heads on each patch, averaged; standardises what it reads.

    Parameters
    ----------
    shape
        See `Shape`.
    """

    mean: torch.Tensor
    std: torch.Tensor
    small_weight: torch.Tensor

    def __init__(self, shape: Shape) -> None:
        super().__init__()
        k, w, h = shape.heads, shape.width, shape.hidden
        self.w1, self.b1 = nn.Parameter(torch.zeros(k, w, h)), nn.Parameter(torch.zeros(k, h))
        self.w2, self.b2 = nn.Parameter(torch.zeros(k, h)), nn.Parameter(torch.zeros(k))
        self.add_scale(shape.tau)
        self.register_buffer("small_weight", torch.zeros(()))  # of the small network's patch logits
        self.register_buffer("mean", torch.zeros(w))
        self.register_buffer("std", torch.ones(w))
        self.act = nn.GELU()
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Draw the weights anew, as `nn.Linear` would; what standardises stays."""
        for weight, fan in ((self.w1, self.w1.shape[1]), (self.w2, self.w2.shape[1])):
            nn.init.uniform_(weight, -1 / math.sqrt(fan), 1 / math.sqrt(fan))
        for bias in (self.b1, self.b2):
            nn.init.zeros_(bias)

    def standardise(self, x: torch.Tensor) -> torch.Tensor:
        """Return channels (..., W) in deviations from their mean, none beyond `CLIP`."""
        return ((x - self.mean) / self.std).clamp(-CLIP, CLIP)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return patch logits (N, 14, 14) of a standardised map (N, W, 14, 14)."""
        n, _, rows, columns = x.shape
        flat = x.flatten(2).transpose(1, 2)
        total = flat.new_zeros(n, rows * columns)
        for w1, b1, w2, b2 in zip(self.w1, self.b1, self.w2, self.b2, strict=True):
            total = total + self.act(flat @ w1 + b1) @ w2 + b2
        return (total / len(self.w1)).view(n, rows, columns)


class BodyReader(nn.Module):
    """From pictures to the standardised map that the heads read, in float32.

    It is a part of its own so that methods that draw on a map of features find the right one.
    """

    def __init__(self, body: nn.Module, heads: Heads) -> None:
        super().__init__()
        self.body = body
        self._heads = (heads,)  # not a part of this one: it is named once, beside it

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return the map (N, W, 14, 14) of pictures (N, 3, S, S), 0..255."""
        return mapped(self.body(x), self._heads[0])


def mapped(tokens: torch.Tensor, heads: Heads) -> torch.Tensor:
    """Return the standardised map (N, W, 14, 14).

    Parameters
    ----------
    tokens : (N, B, 196, 768)
    heads
        That will read it.
    """
    n, blocks, places, width = tokens.shape
    flat = tokens.permute(0, 2, 1, 3).reshape(n, places, blocks * width)
    return heads.standardise(flat).transpose(1, 2).reshape(n, -1, GRID, GRID)


class SeamNet2(nn.Module):
    """The whole network in float32: what gradients are taken of, and what judges on a GPU."""

    def __init__(self, body: nn.Module, small: nn.Module | None, heads: Heads) -> None:
        super().__init__()
        self.small, self.reader, self.heads = small, BodyReader(body, heads), heads

    @property
    def map_layer(self) -> nn.Module:
        """The part whose map Grad-CAM draws on: what the heads read, place by place."""
        return self.reader

    def forward(self, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Return logits (N,) and patch logits (N, 14, 14) of pictures (N, 3, S, S), 0..255."""
        patches = self.heads(self.reader(x))
        if self.small is not None:
            patches = patches + self.heads.small_weight * self.small(x)[1]
        return self.heads.pool(patches), patches


def small_network(sha256: str | None = None) -> nn.Module:
    """Return the small network, with its bundled weights, on the CPU.

    Raises
    ------
    ModelError
        If these are not the weights that a head was trained beside.
    """
    small = seamnet_small.SeamNetDetector(device="cpu")
    if sha256 is not None and small.card.weights_sha256 != sha256:
        value = f"{small.card.weights_sha256[:12]}..., expected {sha256[:12]}..."
        cause = "the small network is not the one that this head was trained beside"
        raise ModelError(cause, value, models.SETUP)
    return small.net.eval().requires_grad_(False)


class SeamNet2Detector(PatchJudge):
    """SeamNet with its bundled head, threshold and numeric reference.

    On a CPU the INT8 body judges, one crop at a time, `runtime.side_by_side()` of them at once;
    on CUDA the float32 network does. ``mps`` computes on the CPU: nobody measured it there.

    Parameters
    ----------
    device
        ``"auto"``, ``"cpu"``, ``"cuda"`` or ``"mps"``.
    weights
        A ``.safetensors`` file with its card ``.json`` beside it.

    Raises
    ------
    ModelError
        If the body is not here, weights and card do not belong together, or the canary picture
        gets another answer.
    """

    def __init__(self, *, device: str = "auto", weights: Path = WEIGHTS) -> None:
        runtime.prepare()
        wanted = runtime.pick_device(device)
        self._device = wanted if wanted.type == "cuda" else torch.device("cpu")
        if problem := clip_body.missing():
            what = phrase("Run: python start.py setup, or use --detector seamnet-small.")
            raise ModelError("the body of SeamNet is not here", "", joined([problem, what], " "))
        facts = read_card(weights.with_suffix(".json"))
        self._shape = shape_of(facts)
        self._heads = Heads(self._shape).eval()
        tensors = models.load_safetensors(
            weights, sha256=facts["sha256"], expected=self._heads.expected_tensors()
        )
        reference = tensors.pop("reference")
        self._heads.load_state_dict({k: torch.from_numpy(v) for k, v in tensors.items()})
        self._heads.requires_grad_(False)
        self._small = None
        if self._shape.beside_small:
            self._small = small_network(facts.get("small_sha256"))
        self._body: clip_body.IntegerBody | None = None
        if self.device == "cpu":
            self._body = clip_body.integer_body(
                self._shape.blocks, facts.get("cut_sha256"), tuple(facts["fingerprint"])
            )
        self.head = self._heads.patch_head(reference)
        self.card = Card(
            name=NAME,
            title="SeamNet: CLIP ViT-B/16, frozen, with patch-additive heads",
            weights_sha256=facts["sha256"],
            threshold=float(facts["threshold"]),
            licence="Apache-2.0 (heads), MIT (body, OpenAI); see models/seamnet.md",
            blind_to=tuple(facts.get("blind_to", BLIND_TO)),
            held_back=HeldBack(**facts["held_back"]) if facts.get("held_back") else None,
            trained_on=tuple(facts.get("training_clips", ())),
            normalisation=(clip_body.MEAN, clip_body.STD),
            top_part=int(facts.get("top_part", TOP_PART)),
        )
        self.spec = InputSpec(size=SIZE, margin=MARGIN)
        wanted = facts["canary"]["int8" if self._body is not None else "float32"]
        answer = float(self.logits(canary_picture()[None])[0])
        check_canary(answer, wanted["logit"], wanted["tolerance"])

    @property
    def batch(self) -> int:
        """How many crops are judged at once."""
        return runtime.BATCH["cuda"] if self.device == "cuda" else runtime.side_by_side()

    @cached_property
    def net(self) -> nn.Module:  # type: ignore[override]  # an attribute that costs seconds to make
        """The network in float32: 85 million numbers, built when it is first asked for."""
        body = clip_tower.float_body(self._shape.blocks)
        net = SeamNet2(body, self._small, self._heads).eval()
        return net.requires_grad_(False).to(self._device)

    def _run(self, rgb: NDArray[np.uint8]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        if self._body is None:
            return super()._run(rgb)
        workers = min(runtime.side_by_side(), len(rgb))
        if workers > 1:
            with ThreadPoolExecutor(workers) as pool:
                answers = list(pool.map(self._one, rgb))
        else:
            answers = [self._one(picture) for picture in rgb]
        patches_found = np.array([p for _, p in answers], np.float32).reshape(-1, GRID, GRID)
        return np.array([z for z, _ in answers], np.float32), patches_found

    @torch.inference_mode()
    def _one(self, picture: NDArray[np.uint8]) -> tuple[float, NDArray[np.float32]]:
        """Judge one crop with the INT8 body: always by itself, so always with the same answer."""
        assert self._body is not None
        tokens = torch.from_numpy(self._body.tokens(picture))[None]
        patches = self._heads(mapped(tokens, self._heads))
        if self._small is not None:
            x = torch.from_numpy(np.ascontiguousarray(picture)[None]).permute(0, 3, 1, 2)
            patches = patches + self._heads.small_weight * self._small(x.float())[1]
        return float(self._heads.pool(patches)), patches[0].numpy()


@torch.inference_mode()
def float_logits(judge: SeamNet2Detector, rgb: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Return the logits (N,) of the float32 network, whatever judges."""
    device = next(judge.net.parameters()).device
    logits = []
    for start in range(0, len(rgb), 4):
        x = torch.from_numpy(np.ascontiguousarray(rgb[start : start + 4])).permute(0, 3, 1, 2)
        logits.append(judge.net(x.to(device).float())[0].cpu().numpy())
    return np.concatenate(logits)


def paths(
    judge: SeamNet2Detector, crops: NDArray[np.uint8], *, tick: Tick = no_tick
) -> dict[str, Any]:
    """Return how far the INT8 and the float32 path lie apart on crops: plain figures.

    Parameters
    ----------
    judge
        One on a CPU.
    crops : (N, S, S, 3) uint8
    tick
        Stage ``"paths"``, in crops.

    Returns
    -------
    dict
        Of the size of the difference in logits its `median`, `q95` and `largest`; the `mean`
        difference; `same_verdict`, the share of crops on one side of the threshold by both; and
        `deviation_of_logits`, to hold them against.
    """
    threshold, exact = judge.card.threshold, []
    quick = judge.logits(crops).astype(np.float64)
    for start in range(0, len(crops), 4):
        tick("paths", start, len(crops))
        exact.append(float_logits(judge, crops[start : start + 4]))
    other = np.concatenate(exact).astype(np.float64)
    gap = np.abs(quick - other)
    return {
        "crops": len(crops),
        "median": float(np.median(gap)),
        "q95": float(np.quantile(gap, 0.95)),
        "largest": float(gap.max()),
        "mean": float((quick - other).mean()),
        "same_verdict": float(((quick >= threshold) == (other >= threshold)).mean()),
        "deviation_of_logits": float(quick.std()),
    }


BLIND_TO = (
    N_("fully synthetic video"),
    N_("much of lip-sync"),
    N_("edits outside the face"),
    N_("cut or slowed genuine footage"),
    N_("sound"),
)


def shape_of(facts: Mapping[str, Any]) -> Shape:
    """Return what the card says of the head's shape."""
    return Shape(
        blocks=tuple(int(b) for b in facts["blocks"]),
        beside_small=bool(facts["beside_small"]),
        heads=int(facts.get("heads", 1)),
        hidden=int(facts.get("hidden", 128)),
        tau=float(facts["tau"]),
    )


def read_card(path: Path) -> dict[str, Any]:
    """Return the facts beside the weights.

    Raises
    ------
    ModelError
        If they cannot be read or are not complete.
    """
    return read_facts(path, NEEDED)
