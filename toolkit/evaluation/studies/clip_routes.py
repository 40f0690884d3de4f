"""Whether one real pretrained transformer gives the same logits through three routes.

    python -m toolkit study clip-routes [--tolerance 1e-4] [--out FILE.json]

OpenAI's CLIP ViT-B/16 image tower, which the set-up fetched, gets a linear head that is trained
here to tell faces of a genuine sample from those of a planted one. It is saved in Hugging Face's
layout, under timm's names and as ONNX, added by each route as a user would add it, and asked about
the same crops. The head proves the road, not the detector: it was fitted on these two clips.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors.torch import save_file
from torch import nn

from toolkit import media, samples
from toolkit.detectors import added, registry
from toolkit.detectors.base import InputSpec
from toolkit.detectors.clip_tower import FloatBody, float_body
from toolkit.detectors.listing import VARIABLE
from toolkit.detectors.reading import Answer, Reading
from toolkit.errors import ToolkitError
from toolkit.faces.crops import CropCollector
from toolkit.faces.mesh import LargestFace
from toolkit.files import atomic_write
from toolkit.jobs import TerminalLine
from toolkit.types import Tick, no_tick

ROUTES = ("hf", "timm", "onnx")
DEPTH, WIDTH, SIZE = 12, 768, 224
NETWORK = "vit_base_patch16_clip_quickgelu_224"
ARGUMENTS = {"global_pool": "avg", "final_norm": False, "fc_norm": False}
GENUINE, FORGED = "cap12_edit", "planted_cap12"
FRAMES = 8
TOLERANCE = 1e-4

Rgb = NDArray[np.uint8]


def stated() -> dict[str, Any]:
    """Return what the files do not tell and a user states."""
    return {
        "answer": Answer((1,), (0,)),
        "reading": Reading.named("clip"),
        "crop": "oval",
        "margin": 0.125,
    }


def sample_faces() -> list[Rgb]:
    """Return crops of a genuine and of a planted sample: `FRAMES` of each, (N, 224, 224, 3)."""
    finder, rows = LargestFace(), []
    for name in (GENUINE, FORGED):
        collector = CropCollector(InputSpec(SIZE, 0.125))
        video = media.probe(samples.path(name))
        middle = len(video.pts) // 2
        for frame in media.read(video, middle + 2 * np.arange(FRAMES)):
            if (face := finder.detect(frame.rgb)) is not None:
                collector.add(frame.rgb, *face)
        rows.append(collector.crops().rgb)
    return rows


@torch.inference_mode()
def mean_tokens(tower: FloatBody, rgb: Rgb) -> torch.Tensor:
    """Return the mean of the last tokens of crops: (N, 768)."""
    x = torch.from_numpy(rgb).permute(0, 3, 1, 2).float()
    return torch.cat([tower(part)[:, 0].mean(1) for part in torch.split(x, 4)])


def fit_head(tower: FloatBody, faces: Sequence[Rgb]) -> nn.Linear:
    """Return a linear head that tells the first crops (real) from the second ones (fake)."""
    features = [mean_tokens(tower, rgb) for rgb in faces]
    x = torch.cat(features).clone()
    y = torch.cat([torch.full((len(f),), i) for i, f in enumerate(features)])
    torch.manual_seed(0)
    net = nn.Linear(WIDTH, 2)
    optimiser = torch.optim.Adam(net.parameters(), 1e-2)
    for _step in range(200):
        optimiser.zero_grad()
        loss = nn.functional.cross_entropy(net(x), y)
        loss.backward()  # type: ignore[no-untyped-call]  # torch gives it no types
        optimiser.step()
    return net


@torch.inference_mode()
def true_logits(tower: FloatBody, head: nn.Linear, rgb: Rgb) -> NDArray[np.float32]:
    """Return the fake logits of crops, straight from tower and head: (N,)."""
    out = head(mean_tokens(tower, rgb))
    logits: NDArray[np.float32] = (out[:, 1] - out[:, 0]).numpy()
    return logits


# -- in the layouts that are published


def save_hugging_face(tower: FloatBody, head: nn.Linear, folder: Path) -> Any:
    """Save it as Hugging Face lays it out; return their network."""
    import transformers

    config = transformers.CLIPConfig(
        vision_config={
            "hidden_size": WIDTH,
            "intermediate_size": 4 * WIDTH,
            "num_hidden_layers": DEPTH,
            "num_attention_heads": 12,
            "image_size": SIZE,
            "patch_size": 16,
        },
        text_config={"hidden_size": 8, "num_hidden_layers": 1, "num_attention_heads": 1},
    )
    config.id2label, config.label2id = {0: "real", 1: "fake"}, {"real": 0, "fake": 1}
    net = transformers.CLIPForImageClassification(config).eval()
    ours, state = tower.state_dict(), dict(net.state_dict())
    base = next(k for k in state if k.endswith("class_embedding")).removesuffix(
        "embeddings.class_embedding"
    )
    state[f"{base}embeddings.class_embedding"] = ours["first"]
    state[f"{base}embeddings.patch_embedding.weight"] = ours["patches.weight"]
    state[f"{base}embeddings.position_embedding.weight"] = ours["places"]
    layers = {
        "self_attn.out_proj": "proj",
        "mlp.fc1": "fc1",
        "mlp.fc2": "fc2",
        "layer_norm1": "norm1",
        "layer_norm2": "norm2",
    }
    for part in ("weight", "bias"):
        state[f"{base}pre_layrnorm.{part}"] = ours[f"norm.{part}"]
        state[f"classifier.{part}"] = head.state_dict()[part]
        for i in range(DEPTH):
            theirs, mine = f"{base}encoder.layers.{i}.", f"blocks.{i}."
            thirds = ours[f"{mine}qkv.{part}"].chunk(3)
            for letter, third in zip("qkv", thirds, strict=True):
                state[f"{theirs}self_attn.{letter}_proj.{part}"] = third
            for a, b in layers.items():
                state[f"{theirs}{a}.{part}"] = ours[f"{mine}{b}.{part}"]
    net.load_state_dict(state)
    net.save_pretrained(folder)
    transformers.CLIPImageProcessor().save_pretrained(folder)
    return net


def save_timm(tower: FloatBody, head: nn.Linear, path: Path) -> None:
    """Save it under timm's names."""
    ours = tower.state_dict()
    state = {
        "cls_token": ours["first"].view(1, 1, -1),
        "pos_embed": ours["places"][None],
        "patch_embed.proj.weight": ours["patches.weight"],
    }
    layers = {"attn.qkv": "qkv", "attn.proj": "proj", "mlp.fc1": "fc1", "mlp.fc2": "fc2"}
    for part in ("weight", "bias"):
        state[f"norm_pre.{part}"] = ours[f"norm.{part}"]
        state[f"head.{part}"] = head.state_dict()[part]
        for i in range(DEPTH):
            for a, b in (layers | {"norm1": "norm1", "norm2": "norm2"}).items():
                state[f"blocks.{i}.{a}.{part}"] = ours[f"blocks.{i}.{b}.{part}"]
    save_file({k: v.detach().clone().contiguous() for k, v in state.items()}, path)


class _LogitsOnly(nn.Module):
    """What is exported: a classifier's outputs alone."""

    def __init__(self, net: nn.Module) -> None:
        super().__init__()
        self.net = net

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        out: torch.Tensor = self.net(pixel_values=x).logits
        return out


def save_onnx(net: nn.Module, path: Path) -> None:
    """Export Hugging Face's network."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the exporter's own
        torch.onnx.export(
            _LogitsOnly(net),
            (torch.zeros(1, 3, SIZE, SIZE),),
            str(path),
            dynamo=True,
            external_data=False,
            verbose=False,
        )


# -- the roads


def route_logits(
    route: str, tower: FloatBody, head: nn.Linear, rgb: Rgb, work: Path
) -> NDArray[np.float32]:
    """Save it in one layout, add it as a user does, and return its logits of crops: (N,).

    Where added detectors lie is for the caller to say (`listing.VARIABLE`).
    """
    source, network = work / "clip", None
    if route == "timm":
        source, network = work / "clip.safetensors", NETWORK
        save_timm(tower, head, source)
    else:
        net = save_hugging_face(tower, head, source)
        if route == "onnx":
            source = work / "clip.onnx"
            save_onnx(net, source)
    draft = added.draft_of(
        str(source), work=work, network=network, arguments=ARGUMENTS if network else None
    )
    added.add(route, draft, {k: v for k, v in stated().items() if k not in draft.known})
    return np.asarray(registry.load(route, device="cpu").logits(rgb))


def run(*, tick: Tick = no_tick) -> dict[str, Any]:
    """Return how far each route's logits lie from the tower's own, and how large those are."""
    tick("faces", 0, 1)
    faces = sample_faces()
    tower = float_body([DEPTH])
    head = fit_head(tower, faces)
    rgb = np.concatenate([f[::3] for f in faces])
    truth = true_logits(tower, head, rgb)
    apart = {}
    for done, route in enumerate(ROUTES):
        tick("routes", done, len(ROUTES))
        with tempfile.TemporaryDirectory(prefix="doorzicht-") as work:
            before = os.environ.get(VARIABLE)
            os.environ[VARIABLE] = str(Path(work, "store"))  # nothing of the user's is touched
            try:
                logits = route_logits(route, tower, head, rgb, Path(work))
            finally:
                if before is None:
                    del os.environ[VARIABLE]
                else:
                    os.environ[VARIABLE] = before
        apart[route] = float(np.abs(logits - truth).max())
    tick("routes", len(ROUTES), len(ROUTES))
    return {"crops": len(rgb), "largest_logit": float(np.abs(truth).max()), "apart": apart}


def main(argv: Sequence[str] | None = None) -> int:
    """Print how far the routes lie apart; return 1 where that is more than it may be."""
    parser = argparse.ArgumentParser(
        prog="python -m toolkit study clip-routes",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--tolerance", type=float, default=TOLERANCE, help="in logits")
    parser.add_argument("--out", type=Path, help="JSON file")
    options = parser.parse_args(argv)
    try:
        with TerminalLine() as tick:
            result = run(tick=tick)
    except ToolkitError as error:
        print(error, file=sys.stderr)
        return 1
    for route, apart in result["apart"].items():
        print(f"  {route:<5} {apart:.1e} apart at most, of logits up to", end=" ")
        print(f"{result['largest_logit']:.1f}, on {result['crops']} crops")
    if options.out is not None:
        atomic_write(options.out, json.dumps(result, indent=1) + "\n")
    return 0 if max(result["apart"].values()) <= options.tolerance else 1
