"""Tell what is installed, which device is used, and whether models and detector are in order."""

from __future__ import annotations

import platform
from importlib.metadata import PackageNotFoundError, version

import numpy as np

from toolkit import media, models, runtime
from toolkit.errors import ToolkitError

PACKAGES = (
    "doorzicht",
    "torch",
    "torchvision",
    "timm",
    "captum",
    "numpy",
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
    guards = ", ".join(media.guards()) or "none here; only the watchdog limits it"
    lines.append(f"Decoder kept in by: {guards}")
    lines.append("In order." if healthy else "Not in order.")
    return lines, healthy


def _detector() -> list[str]:
    from toolkit.detectors.seamnet import SeamNetDetector, canary_picture

    device = runtime.pick_device("auto")
    detector = SeamNetDetector(device="auto")
    lines = [
        f"  device: {device}, {runtime.threads()} torch thread(s)",
        f"  seamnet: weights {detector.card.weights_sha256[:12]}..., canary logit as on its card",
    ]
    if device.type == "cpu":
        return lines
    picture = canary_picture()[None]
    here, there = detector.logits(picture), SeamNetDetector(device="cpu").logits(picture)
    apart = float(np.abs(here - there).max())
    word = "agree" if apart <= AGREEMENT else "DISAGREE: use --device cpu"
    return [*lines, f"  {device.type} and cpu {word} (canary logits {apart:.2g} apart)"]
