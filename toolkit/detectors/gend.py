"""GenD: a large vision tower with a linear head, published with open weights (MIT).

Written from the published layout (yermandy/GenD at e03532d): names of tensors, input, template of
the crop. The towers are built from their configuration and filled strictly; the base model is not
downloaded a second time. What its authors report was not run here.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import nn

from toolkit.detectors import weights
from toolkit.detectors.hugging_face import CONFIG, find_weights, need_transformers, read_json
from toolkit.detectors.reading import NORMALISATIONS, Answer, Reading
from toolkit.detectors.recipe import Draft, Recipe
from toolkit.errors import ModelError
from toolkit.messages import phrase

MARGIN = 0.15  # each side: everything is shrunk about the middle by 1.3
HEADS = ("linear", "LinearNorm")


@dataclass(frozen=True)
class GenDMember:
    """One of the family: what is published under which name, with which tower."""

    hub: str
    backbone: str
    size: int
    normalisation: str
    licence: str


MEMBERS: Mapping[str, GenDMember] = {
    "clip-l": GenDMember(
        "yermandy/GenD_CLIP_L_14", "openai/clip-vit-large-patch14", 224, "clip", "MIT"
    ),
    "pe-l": GenDMember(
        "yermandy/GenD_PE_L",
        "vit_pe_core_large_patch14_336",
        336,
        "half",
        "MIT (backbone: Apache-2.0)",
    ),
    "dinov3-l": GenDMember(
        "yermandy/GenD_DINOv3_L",
        "facebook/dinov3-vitl16-pretrain-lvd1689m",
        224,
        "imagenet",
        "MIT (backbone: DINOv3 License, Meta: not MIT, read it before use)",
    ),
}
"""By the word that follows ``gend:``."""

ANSWER = Answer(fake=(1,), real=(0,))


def member_of(backbone: str) -> GenDMember:
    """Return the member that a configuration's backbone belongs to.

    Raises
    ------
    ModelError
        If it is none that is known.
    """
    for member in MEMBERS.values():
        if member.backbone == backbone:
            return member
    word = backbone.lower()
    for key, part in (("clip-l", "clip"), ("pe-l", "pe_core"), ("dinov3-l", "dinov3")):
        if part in word:
            return MEMBERS[key]
    raise ModelError(
        "this backbone of GenD is not known", backbone[:80], "Known: CLIP, PE and DINOv3."
    )


def is_gend(folder: Path) -> bool:
    """Return whether a folder holds a GenD model, as its configuration says."""
    try:
        return bool(_config(folder).get("model_type") == "GenD")
    except ModelError:
        return False


def _config(folder: Path) -> dict[str, Any]:
    # the published configuration names code of its authors': it is neither run nor needed
    return read_json(folder / CONFIG, refuse_code=False)


def read_folder(folder: Path) -> Draft:
    """Return what a folder tells: with GenD nothing has to be asked.

    Raises
    ------
    ModelError
        If files are missing or the backbone is unknown.
    """
    config = _config(folder)
    backbone = str(config.get("backbone", ""))
    member = member_of(backbone)
    known = {
        "title": f"GenD, {backbone}",
        "architecture": f"{backbone} {config.get('head', 'linear')}",
        "size": member.size,
        "reading": Reading.named(member.normalisation),
        "answer": ANSWER,
        "licence": member.licence,
        "training": "FaceForensics++ (its authors' statement)",
        "source": f"hub:{member.hub}",
    }
    return Draft("gend", find_weights(folder), (folder / CONFIG,), known)


CROP = {"crop": "five_points", "margin": MARGIN, "outside": "black"}
"""How GenD cuts a face; OpenCV's warp leaves black outside the picture."""


class Network(nn.Module):
    """A tower and a linear head of two outputs, real and fake.

    Parameters
    ----------
    tower
        Takes pictures (N, 3, S, S), returns features (N, D).
    width
        D.
    normed
        Whether features are divided by their Euclidean length first ("LinearNorm").
    """

    def __init__(self, tower: nn.Module, width: int, *, normed: bool) -> None:
        super().__init__()
        self.tower, self.normed = tower, normed
        self.linear = nn.Linear(width, 2)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return outputs (N, 2): real, fake."""
        features = self.tower(x)
        if self.normed:
            features = nn.functional.normalize(features, dim=1)
        out: torch.Tensor = self.linear(features)
        return out


class _Pooled(nn.Module):
    """A tower of Hugging Face's: its pooled output, or the first token of its last state."""

    def __init__(self, net: nn.Module, *, pooler: bool) -> None:
        super().__init__()
        self.net, self._pooler = net, pooler

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        out = self.net(pixel_values=x)
        features: torch.Tensor = out.pooler_output if self._pooler else out.last_hidden_state[:, 0]
        return features


def build(recipe: Recipe, folder: Path) -> nn.Module:
    """Return the network of a stored recipe.

    Raises
    ------
    DetectorError
        If the optional package is missing.
    ModelError
        If the weights are damaged or do not belong to the network.
    """
    tensors = weights.read_safetensors(folder / recipe.file, sha256=recipe.sha256)
    backbone, _, head = recipe.architecture.rpartition(" ")
    if head not in HEADS:
        raise ModelError("this head of GenD is not known", head[:40])
    return assemble(backbone, head, tensors)


def assemble(backbone: str, head: str, tensors: Mapping[str, torch.Tensor]) -> Network:
    """Return a network filled with published tensors, each name used, none left over.

    Raises
    ------
    DetectorError
        If the optional package is missing.
    ModelError
        If names or shapes are not those of the backbone.
    """
    head_tensors = {k: v for k, v in tensors.items() if k.startswith("model.linear.")}
    rest = {k: v for k, v in tensors.items() if k not in head_tensors}
    if sorted(head_tensors) != ["model.linear.bias", "model.linear.weight"]:
        raise ModelError("the weights do not belong to this network", "model.linear")
    weight = head_tensors["model.linear.weight"]
    kind = member_of(backbone).normalisation
    if kind == "clip":
        tower, own = _clip(rest)
    elif kind == "half":
        tower, own = _perception(backbone, rest)
    else:
        tower, own = _dino(rest)
    if tuple(weight.shape) != (2, tower.width):
        raise ModelError(
            "the weights do not belong to this network",
            phrase(
                "{name} is {shape}, expected {wanted}",
                name="model.linear.weight",
                shape=str(tuple(weight.shape)),
                wanted=str((2, tower.width)),
            ),
        )
    weights.fill(tower.net, own)
    net = Network(tower.module, tower.width, normed=head == "LinearNorm")
    net.linear.load_state_dict(
        {k.removeprefix("model.linear."): v for k, v in head_tensors.items()}
    )
    return net.eval()


@dataclass(frozen=True)
class _Tower:
    net: nn.Module  # as its own library names its tensors
    module: nn.Module  # from pictures to features
    width: int


def _clip(rest: Mapping[str, torch.Tensor]) -> tuple[_Tower, dict[str, torch.Tensor]]:
    need_transformers()
    from transformers import CLIPVisionConfig, CLIPVisionModel

    base = "feature_extractor.vision_model."
    unused = "feature_extractor.visual_projection.weight"
    own = {k.removeprefix(base): v for k, v in rest.items() if k.startswith(base)}
    if odd := [k for k in rest if not k.startswith(base) and k != unused]:
        raise ModelError("the weights do not belong to this network", ", ".join(odd[:3])[:160])
    patch = _need(own, "embeddings.patch_embedding.weight")
    places = _need(own, "embeddings.position_embedding.weight")
    width, side = patch.shape[0], patch.shape[2]
    config = CLIPVisionConfig(
        hidden_size=width,
        intermediate_size=_need(own, "encoder.layers.0.mlp.fc1.weight").shape[0],
        num_hidden_layers=_depth(own, r"encoder\.layers\.(\d+)\."),
        num_attention_heads=max(1, width // 64),
        image_size=side * round((places.shape[0] - 1) ** 0.5),
        patch_size=side,
        hidden_act="quick_gelu",
    )
    net = CLIPVisionModel(config)
    names = list(net.state_dict())
    if all(n.startswith("vision_model.") for n in names):  # earlier versions of the library
        own = {f"vision_model.{k}": v for k, v in own.items()}
    return _Tower(net, _Pooled(net, pooler=True), width), own


def _perception(
    backbone: str, rest: Mapping[str, torch.Tensor]
) -> tuple[_Tower, dict[str, torch.Tensor]]:
    import timm

    base = "feature_extractor.backbone."
    own = _under(rest, base)
    depth = _depth(own, r"blocks\.(\d+)\.")
    net = timm.create_model(
        backbone, pretrained=False, num_classes=0, dynamic_img_size=True, depth=depth
    )
    return _Tower(net, net, _width(net)), own


def _width(net: Any) -> int:
    return int(net.num_features)


def _dino(rest: Mapping[str, torch.Tensor]) -> tuple[_Tower, dict[str, torch.Tensor]]:
    need_transformers()
    from transformers import DINOv3ViTConfig, DINOv3ViTModel

    own = _under(rest, "feature_extractor.backbone.")
    # the library moved its layers under another name between versions
    own = {re.sub(r"^(model\.)?layer\.", "layer.", k): v for k, v in own.items()}
    patch = _need(own, "embeddings.patch_embeddings.weight")
    width = patch.shape[0]
    net = DINOv3ViTModel(
        DINOv3ViTConfig(
            hidden_size=width,
            intermediate_size=_need(own, "layer.0.mlp.up_proj.weight").shape[0],
            num_hidden_layers=_depth(own, r"layer\.(\d+)\."),
            num_attention_heads=max(1, width // 64),
            num_register_tokens=_need(own, "embeddings.register_tokens").shape[1],
            patch_size=patch.shape[2],
        )
    )
    if any(k.startswith("model.layer.") for k in net.state_dict()):
        own = {re.sub(r"^layer\.", "model.layer.", k): v for k, v in own.items()}
    return _Tower(net, _Pooled(net, pooler=False), width), own


def _under(rest: Mapping[str, torch.Tensor], base: str) -> dict[str, torch.Tensor]:
    if odd := [k for k in rest if not k.startswith(base)]:
        raise ModelError("the weights do not belong to this network", ", ".join(odd[:3])[:160])
    return {k.removeprefix(base): v for k, v in rest.items()}


def _need(own: Mapping[str, torch.Tensor], name: str) -> torch.Tensor:
    if name not in own:
        raise ModelError(
            "the weights do not belong to this network", phrase("expected {name}", name=name)
        )
    return own[name]


def _depth(own: Mapping[str, torch.Tensor], pattern: str) -> int:
    layers = {int(m.group(1)) for k in own if (m := re.match(pattern, k))}
    if not layers or layers != set(range(len(layers))):
        raise ModelError("the weights do not belong to this network", phrase("layers are missing"))
    return len(layers)


assert {m.normalisation for m in MEMBERS.values()} <= NORMALISATIONS.keys()
