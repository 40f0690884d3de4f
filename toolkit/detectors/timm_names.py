"""A network by timm's name, with a state dict that somebody trained."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import nn

from toolkit.detectors import weights
from toolkit.detectors.reading import Reading
from toolkit.detectors.recipe import (
    ARGUMENTS,
    ASK_ANSWER,
    ASK_CROP,
    ASK_NETWORK,
    ASK_READING,
    CROP_ASSUMED,
    Draft,
    OpenQuestion,
    Recipe,
)
from toolkit.errors import ModelError, UnknownNameError
from toolkit.messages import phrase


def read_file(path: Path, name: str | None, arguments: Mapping[str, Any] | None = None) -> Draft:
    """Return what a file of weights tells, and what timm says of the network.

    Parameters
    ----------
    path
        ``.safetensors``; others are converted before.
    name, arguments
        timm's name for the network, if it is known, and what goes with it.

    Raises
    ------
    ModelError
        If the file cannot be read.
    UnknownNameError
        If timm knows no such network.
    """
    tensors = weights.read_safetensors(path)
    questions = [OpenQuestion("spec", ASK_CROP, CROP_ASSUMED), OpenQuestion("answer", ASK_ANSWER)]
    if not name:
        return Draft("timm", path, (), {}, (OpenQuestion("architecture", ASK_NETWORK), *questions))
    arguments = dict(arguments or {})
    known: dict[str, Any] = {"architecture": name, "arguments": arguments, "title": name}
    config = data_config(name, arguments)
    known["size"] = int(arguments.get("img_size") or config["input_size"][-1])
    n = outputs_of(name, arguments, tensors)
    if n > 2:
        text = phrase("It has {n} outputs: say of each whether it means fake or real.", n=n)
        questions[1] = OpenQuestion("answer", text)
    # what timm trained its own weights with is a guess at what somebody else trained these with
    guess = Reading(tuple(config["mean"]), tuple(config["std"]))
    questions.append(OpenQuestion("reading", ASK_READING, guess))
    return Draft("timm", path, (), known, tuple(questions))


def data_config(name: str, arguments: Mapping[str, Any]) -> dict[str, Any]:
    """Return what timm says of a network's input: `input_size`, `mean`, `std`."""
    from timm.data.config import resolve_model_data_config

    net = _create(name, arguments, outputs=1, meta=True)
    config: dict[str, Any] = resolve_model_data_config(net)  # type: ignore[no-untyped-call]
    return config


def outputs_of(name: str, arguments: Mapping[str, Any], tensors: Mapping[str, torch.Tensor]) -> int:
    """Return how many outputs the weights have: rows of the last layer, as timm names it.

    Raises
    ------
    ModelError
        If the file has no such layer.
    """
    net = _create(name, arguments, outputs=2, meta=True)
    stripped = weights.strip(tensors, net.state_dict())
    classifier = net.default_cfg.get("classifier", "")
    names = [classifier] if isinstance(classifier, str) else list(classifier)
    for layer in names:
        if f"{layer}.weight" in stripped:
            return int(stripped[f"{layer}.weight"].shape[0])
    raise ModelError(
        "the weights do not belong to this network",
        phrase("expected {name}", name=f"{names[0]}.weight"),
        "Check the name of the network, and how many classes it has.",
    )


def _create(name: str, arguments: Mapping[str, Any], *, outputs: int, meta: bool = False) -> Any:
    import timm

    if not timm.is_model(name):
        near = timm.list_models(f"*{name.split('_', maxsplit=1)[0]}*")[:5]
        raise UnknownNameError(
            "timm knows no such network", name[:60], "For example {known}.", known=near
        )
    if odd := sorted(arguments.keys() - ARGUMENTS):
        raise UnknownNameError(
            "this cannot be given to a network",
            odd[0],
            "Choose from {known}.",
            known=sorted(ARGUMENTS),
        )
    with torch.device("meta" if meta else "cpu"):
        return timm.create_model(name, pretrained=False, num_classes=outputs, **arguments)


def build(recipe: Recipe, folder: Path) -> nn.Module:
    """Return the network of a stored recipe.

    Raises
    ------
    ModelError
        If the weights are damaged or do not belong to the network.
    """
    tensors = weights.read_safetensors(folder / recipe.file, sha256=recipe.sha256)
    net: nn.Module = _create(recipe.architecture, recipe.arguments, outputs=recipe.answer.outputs)
    weights.fill(net, tensors)
    return net
