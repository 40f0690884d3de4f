"""Tell what is installed, which device is used, and whether models and detector are in order."""

from __future__ import annotations

import platform
from importlib.metadata import PackageNotFoundError, version

import numpy as np

from toolkit import models, runtime
from toolkit.detectors import registry
from toolkit.detectors.base import Detector
from toolkit.detectors.canary import canary_picture
from toolkit.detectors.seamnet2 import read_card
from toolkit.errors import ToolkitError

PACKAGES = (
    "doorzicht",
    "torch",
    "torchvision",
    "timm",
    "captum",
    "numpy",
    "onnxruntime",
    "opencv-python-headless",
    "av",
    "ai-edge-litert",
    "safetensors",
    "plotly",
    "ipywidgets",
    "anywidget",
    "jupyterlab",
    "ipykernel",
)
AGREEMENT = 1e-3  # logit; GPU against CPU on the canary picture


def examine() -> tuple[list[str], bool]:
    """Return the findings as lines of text, and whether an analysis can run."""
    lines = [f"Python {platform.python_version()} on {platform.system()} {platform.machine()}"]
    healthy = True
    for name in PACKAGES:
        try:
            lines.append(f"  {name} {version(name)}")
        except PackageNotFoundError:
            healthy = False
            lines.append(f"  {name} is missing. {models.SETUP}")
    lines.append("Model files")
    for status in models.status():
        file = status.pinned
        healthy &= status.state == "verified" or not (file.required or status.state == "damaged")
        word = status.state if status.problem is None else f"{status.state}: {status.problem}"
        lines.append(f"  {file.id}: {file.file}, {file.licence}: {word}")
    lines.append("Detector")
    try:
        lines += _detector()
    except ToolkitError as error:
        healthy = False
        lines.append(f"  {error}")
    lines.append("In order." if healthy else "Not in order.")
    return lines, healthy


def _detector() -> list[str]:
    device = runtime.pick_device("auto")
    threads, crops = runtime.threads(), runtime.side_by_side()
    lines = [f"  device: {device}, {threads} torch thread(s), {crops} crops side by side"]
    if (other := registry.substitute(registry.DEFAULT)) is not None:
        lines.append(f"  {registry.DEFAULT}: {other[1]} {other[0]} judges in its place.")
    names = (registry.SMALL,) if other else (registry.DEFAULT, registry.SMALL)
    for name in names:
        detector = registry.load(name, stand_in=False)
        lines.append(
            f"  {name}: weights {detector.card.weights_sha256[:12]}..., canary logit as on its "
            f"card, judges on {detector.device}"
        )
        if detector.device != "cpu":
            lines.append(f"  {name}: {_compared(name, detector)}")
    return lines


def _compared(name: str, detector: Detector) -> str:
    """Say how far a detector on a GPU is from itself on the CPU, on the canary picture.

    The larger network is rounded to INT8 on a CPU; its card says how far that may be.
    """
    picture = canary_picture()[None]
    here = detector.logits(picture)
    there = registry.load(name, device="cpu", stand_in=False).logits(picture)
    apart = float(np.abs(here - there).max())
    most = AGREEMENT if name == registry.SMALL else _rounding()
    word = "agree" if apart <= most else "DISAGREE: use --device cpu"
    return f"{detector.device} and cpu {word} (canary logits {apart:.2g} apart)"


def _rounding() -> float:
    """Return how far the two arithmetics of the larger network may be apart."""
    card = read_card(registry.weights(registry.DEFAULT).with_suffix(".json"))
    ends = card["canary"]["int8"], card["canary"]["float32"]
    gap = abs(ends[0]["logit"] - ends[1]["logit"])
    return float(gap + sum(end["tolerance"] for end in ends))
