"""Image classifiers in the layout of Hugging Face: a folder with a configuration and weights.

The network is built from its configuration by the library itself. Code that comes with a folder is
never run: a configuration that names any is refused.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from torch import nn

from toolkit.detectors.reading import Reading, read_labels
from toolkit.detectors.recipe import (
    ASK_ANSWER,
    ASK_CROP,
    ASK_READING,
    ASK_SIZE,
    CROP_ASSUMED,
    Draft,
    OpenQuestion,
    Recipe,
)
from toolkit.errors import DetectorError, ModelError
from toolkit.media import show_name
from toolkit.messages import joined, phrase

CONFIG, PROCESSOR, WEIGHTS = "config.json", "preprocessor_config.json", "model.safetensors"
JSON_BYTES_MAX = 4 << 20


def need_transformers() -> None:
    """Refuse, in one clear sentence, where the optional package is missing.

    Raises
    ------
    DetectorError
        Which names how to install it.
    """
    if find_spec("transformers") is None:
        raise DetectorError(
            "this detector needs a package that is not installed",
            "transformers",
            "Run: python start.py --with hub, or pip install -e .[hub]",
        )


def read_json(path: Path, *, refuse_code: bool = True) -> dict[str, Any]:
    """Return a configuration file; one that names code of its own is refused, unless it is unused.

    Raises
    ------
    ModelError
        If it is missing, too large, no JSON object, or names code that would have to be run.
    """
    try:
        if path.stat().st_size > JSON_BYTES_MAX:
            raise ModelError("a configuration file is too large", show_name(path))
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise ModelError(
            "a configuration file is missing or damaged",
            show_name(path),
            "Give the folder as it was published.",
        ) from error
    if not isinstance(content, dict):
        raise ModelError("a configuration file is missing or damaged", show_name(path))
    if refuse_code and ("auto_map" in content or "custom_pipelines" in content):
        raise ModelError(
            "this detector wants code of its own to be run",
            show_name(path),
            "Doorzicht never runs code that comes with weights. Wrap it yourself: see "
            "toolkit.detectors.own.",
        )
    return content


def read_folder(folder: Path) -> Draft:
    """Return what a folder tells of an image classifier.

    Raises
    ------
    ModelError
        If files are missing or damaged, or would run code.
    """
    config = read_json(folder / CONFIG)
    weights = find_weights(folder)
    known: dict[str, Any] = {
        "title": f"{config.get('model_type', '?')} ({folder.name})",
        "architecture": str((config.get("architectures") or [""])[0]),
    }
    questions = [OpenQuestion("spec", ASK_CROP, CROP_ASSUMED)]
    answer = read_labels(config.get("id2label") or {})
    if answer is None:
        names = ", ".join(f"{k} = {v}" for k, v in list((config.get("id2label") or {}).items())[:6])
        text = joined([ASK_ANSWER, phrase("Its classes: {names}.", names=names or "?")], " ")
        questions.append(OpenQuestion("answer", text))
    else:
        known["answer"] = answer
    processor = folder / PROCESSOR
    processor_facts = read_processor(read_json(processor)) if processor.is_file() else {}
    known |= processor_facts
    if "reading" not in processor_facts:
        questions.append(OpenQuestion("reading", ASK_READING))
    if "size" not in known:
        size = config.get("image_size")
        if isinstance(size, int):
            known["size"] = size
        else:
            questions.append(OpenQuestion("size", ASK_SIZE))
    beside = tuple(p for p in (folder / CONFIG, processor) if p.is_file())
    return Draft("huggingface", weights, beside, known, tuple(questions))


def find_weights(folder: Path) -> Path:
    """Return the weight file of a folder: safetensors first.

    Raises
    ------
    ModelError
        If there is none, or it is in several pieces.
    """
    for name in (WEIGHTS, "pytorch_model.bin"):
        if (folder / name).is_file():
            return folder / name
    pieces = [p for p in folder.glob("*.safetensors") if p.is_file()]
    if len(pieces) == 1:
        return pieces[0]
    raise ModelError(
        "the folder holds no weights that can be read",
        show_name(folder),
        "It must hold {name}, in one piece.",
        name=WEIGHTS,
    )


def read_processor(content: Mapping[str, Any]) -> dict[str, Any]:
    """Return what a processor's configuration says: `reading`, `size`, `middle` as far as stated.

    `middle` is the part of a picture's side that it cuts out of the middle.
    """
    facts: dict[str, Any] = {}
    scale = (
        float(content.get("rescale_factor") or 1 / 255) if content.get("do_rescale", True) else 1
    )
    mean, std = content.get("image_mean"), content.get("image_std")
    if not content.get("do_normalize", True):
        mean, std = (0.0,) * 3, (1.0,) * 3
    if _three(mean) and _three(std):
        assert mean is not None
        assert std is not None
        # the reading here is of pixels of 0..1: (255 scale p - mean) / std
        times = 255 * scale
        facts["reading"] = Reading(
            tuple(float(m) / times for m in mean),  # type: ignore[arg-type]
            tuple(float(s) / times for s in std),  # type: ignore[arg-type]
        )
    edge = _side(content.get("size"))
    cut = _side(content.get("crop_size")) if content.get("do_center_crop") else None
    if cut or edge:
        facts["size"] = cut or edge
    if cut and edge and cut < edge:
        facts["middle"] = cut / edge
    return facts


def _three(value: Any) -> bool:
    return (
        isinstance(value, list | tuple)
        and len(value) == 3
        and all(isinstance(v, int | float) for v in value)
    )


def _side(value: Any) -> int | None:
    """Return the side of the square that a size stands for; None where it stands for none."""
    if isinstance(value, int):
        return value
    if not isinstance(value, Mapping):
        return None
    if "shortest_edge" in value:
        return int(value["shortest_edge"])
    sides = {value.get("height"), value.get("width")}
    side = sides.pop() if len(sides) == 1 else None
    return int(side) if isinstance(side, int) else None


def build(recipe: Recipe, folder: Path) -> nn.Module:
    """Return the network of a stored recipe, its weights already verified.

    Raises
    ------
    DetectorError
        If the optional package is missing.
    ModelError
        If the weights do not belong to the configuration.
    """
    need_transformers()
    read_json(folder / CONFIG)
    import torch
    from transformers import AutoModelForImageClassification
    from transformers.utils import logging

    before = logging.get_verbosity()
    logging.set_verbosity_error()
    logging.disable_progress_bar()
    try:
        net, loading = AutoModelForImageClassification.from_pretrained(
            folder,
            local_files_only=True,
            use_safetensors=True,
            trust_remote_code=False,
            output_loading_info=True,
            dtype=torch.float32,
        )
    except Exception as error:  # the library's own errors are many
        raise ModelError(
            "the folder cannot be loaded as an image classifier",
            phrase("{name}: {why}", name=type(error).__name__, why=str(error)[:160]),
            "Give the folder as it was published.",
        ) from error
    finally:
        logging.set_verbosity(before)
        logging.enable_progress_bar()
    odd = [str(k) for kind in ("missing_keys", "unexpected_keys") for k in loading.get(kind, ())]
    odd += [str(k) for k in loading.get("mismatched_keys", ())]
    if odd:
        raise ModelError(
            "the weights do not belong to this network",
            ", ".join(sorted(odd)[:3])[:160],
            "Give the folder as it was published.",
        )
    module: nn.Module = net
    return module
