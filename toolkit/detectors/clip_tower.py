"""The body of SeamNet in float32: for gradients, and for judging on a GPU.

The weights are those of the INT8 file; see `clip_body`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn
from torch.nn import functional

from toolkit.detectors.canary import SIZE
from toolkit.detectors.clip_body import GRID, MEAN, PREFIX, STD, WIDTH, graph
from toolkit.detectors.onnx_graph import Graph

_HEADS = 12


class QuickGELU(nn.Module):
    """CLIP's own: x * sigmoid(1.702 x)."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return the activation."""
        return x * torch.sigmoid(1.702 * x)


class _Block(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.norm1 = nn.LayerNorm(WIDTH)
        self.qkv = nn.Linear(WIDTH, 3 * WIDTH)
        self.proj = nn.Linear(WIDTH, WIDTH)
        self.norm2 = nn.LayerNorm(WIDTH)
        self.fc1 = nn.Linear(WIDTH, 4 * WIDTH)
        self.act = QuickGELU()
        self.fc2 = nn.Linear(4 * WIDTH, WIDTH)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        n, length, _ = x.shape
        qkv = self.qkv(self.norm1(x)).view(n, length, 3, _HEADS, WIDTH // _HEADS)
        q, k, v = qkv.permute(2, 0, 3, 1, 4)
        seen = functional.scaled_dot_product_attention(q, k, v)
        x = x + self.proj(seen.transpose(1, 2).reshape(n, length, WIDTH))
        out: torch.Tensor = x + self.fc2(self.act(self.fc1(self.norm2(x))))
        return out


class FloatBody(nn.Module):
    """The tower as float32, up to the deepest of some blocks.

    Parameters
    ----------
    blocks
        After which tokens are read, increasing.
    """

    mean: torch.Tensor
    std: torch.Tensor

    def __init__(self, blocks: Sequence[int]) -> None:
        super().__init__()
        self._read = tuple(blocks)
        side = SIZE // GRID
        self.patches = nn.Conv2d(3, WIDTH, side, side, bias=False)
        self.first = nn.Parameter(torch.zeros(WIDTH))
        self.places = nn.Parameter(torch.zeros(GRID * GRID + 1, WIDTH))
        self.norm = nn.LayerNorm(WIDTH)
        self.blocks = nn.ModuleList(_Block() for _ in range(max(blocks)))
        self.register_buffer("mean", torch.tensor(MEAN).view(1, 3, 1, 1), persistent=False)
        self.register_buffer("std", torch.tensor(STD).view(1, 3, 1, 1), persistent=False)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return tokens (N, B, 196, 768) of pictures (N, 3, S, S), 0..255."""
        x = self.patches((x / 255 - self.mean) / self.std).flatten(2).transpose(1, 2)
        x = torch.cat([self.first.expand(len(x), 1, WIDTH), x], 1) + self.places
        x = self.norm(x)
        tokens = []
        for number, block in enumerate(self.blocks, 1):
            x = block(x)
            if number in self._read:
                tokens.append(x[:, 1:])
        return torch.stack(tokens, 1)


def float_body(blocks: Sequence[int]) -> FloatBody:
    """Return the float32 tower with the weights of the INT8 file.

    Raises
    ------
    ModelError
        If the body is missing or damaged.
    """
    with torch.device("meta"):  # its own first weights would be drawn and thrown away
        net = FloatBody(blocks)
    state = _weights(graph(), max(blocks))
    net.load_state_dict(
        {k: torch.from_numpy(np.array(v, np.float32)) for k, v in state.items()}, assign=True
    )
    net.mean, net.std = (torch.tensor(v).view(1, 3, 1, 1) for v in (MEAN, STD))
    return net.eval()


def _weights(whole: Graph, depth: int) -> dict[str, NDArray[Any]]:
    matrices = _matrices(whole)
    place = f"{PREFIX}embeddings."
    state: dict[str, NDArray[Any]] = {
        "patches.weight": whole.tensor(f"{place}patch_embedding.weight"),
        "first": whole.tensor(f"{place}class_embedding"),
        "places": whole.tensor(f"{place}position_embedding.weight"),
        "norm.weight": whole.tensor(f"{PREFIX}pre_layrnorm.weight"),
        "norm.bias": whole.tensor(f"{PREFIX}pre_layrnorm.bias"),
    }
    for i in range(depth):
        theirs, ours = f"{PREFIX}encoder.layers.{i}.", f"blocks.{i}."
        names = [f"{theirs}self_attn.{x}_proj.bias" for x in "qkv"]
        state[f"{ours}qkv.weight"] = np.concatenate([matrices[n] for n in names])
        state[f"{ours}qkv.bias"] = np.concatenate([whole.tensor(n) for n in names])
        for mine, other in (("proj", "self_attn.out_proj"), ("fc1", "mlp.fc1"), ("fc2", "mlp.fc2")):
            state[f"{ours}{mine}.weight"] = matrices[f"{theirs}{other}.bias"]
            state[f"{ours}{mine}.bias"] = whole.tensor(f"{theirs}{other}.bias")
        for norm in ("1", "2"):
            for part in ("weight", "bias"):
                name = f"{theirs}layer_norm{norm}.{part}"
                state[f"{ours}norm{norm}.{part}"] = whole.tensor(name)
    return state


def _matrices(whole: Graph) -> dict[str, NDArray[np.float32]]:
    """Return each matrix as float32 (out, in), by the name of the bias that is added to it."""
    users, matrices = whole.users(), {}
    for node in whole.nodes:
        if node.kind != "MatMulInteger" or not whole.has_tensor(node.inputs[1]):
            continue
        name, result = node.inputs[1].removesuffix("_quantized"), node.outputs[0]
        for _ in range(3):  # cast, scale, add the bias
            user = next(iter(users.get(result, ())), None)
            if user is None:
                break
            if user.kind == "Add":
                bias = next(i for i in user.inputs if whole.has_tensor(i))
                zero = whole.tensor(f"{name}_zero_point").astype(np.float32)
                integers = whole.tensor(f"{name}_quantized").astype(np.float32)
                matrices[bias] = ((integers - zero) * whole.tensor(f"{name}_scale")).T
                break
            result = user.outputs[0]
    return matrices
