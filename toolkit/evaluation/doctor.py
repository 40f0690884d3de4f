"""Tell what is installed, which device is used, and whether models and detector are in order."""

from __future__ import annotations

import platform
from importlib.metadata import PackageNotFoundError, version

import numpy as np

from toolkit import models, runtime
from toolkit._i18n import _
from toolkit.errors import ToolkitError
from toolkit.messages import Message

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
    system = f"{platform.system()} {platform.machine()}"
    lines = [
        _("Python {version} on {system}").format(version=platform.python_version(), system=system)
    ]
    healthy = True
    for name in PACKAGES:
        try:
            lines.append(f"  {name} {version(name)}")
        except PackageNotFoundError:
            healthy = False
            lines.append(f"  {_('{name} is missing.').format(name=name)} {_(models.SETUP)}")
    lines.append(_("Model files"))
    for status in models.status():
        file = status.pinned
        healthy &= status.state == "verified" or not (file.required or status.state == "damaged")
        words = {"verified": _("verified"), "missing": _("missing"), "damaged": _("damaged")}
        word = words[status.state]
        if status.problem is not None:
            word = f"{word}: {status.problem.text()}"
        lines.append(f"  {file.id}: {file.file}, {file.licence}: {word}")
    lines.append(_("Detector"))
    try:
        lines += _detector()
    except ToolkitError as error:
        healthy = False
        lines.append(f"  {error.text()}")
    lines.append(_("In order.") if healthy else _("Not in order."))
    return lines, healthy


def _detector() -> list[str]:
    from toolkit.detectors.seamnet import SeamNetDetector, canary_picture

    device = runtime.pick_device("auto")
    detector = SeamNetDetector(device="auto")
    lines = [
        "  "
        + _("device: {device}, {n} torch thread(s)").format(device=device, n=runtime.threads()),
        "  "
        + _("seamnet: weights {weights}..., canary logit as on its card").format(
            weights=detector.card.weights_sha256[:12]
        ),
    ]
    if device.type == "cpu":
        return lines
    picture = canary_picture()[None]
    here, there = detector.logits(picture), SeamNetDetector(device="cpu").logits(picture)
    apart = float(np.abs(here - there).max())
    text = (
        "{device} and cpu agree (canary logits {apart:.2g} apart)"
        if apart <= AGREEMENT
        else "{device} and cpu DISAGREE: use --device cpu (canary logits {apart:.2g} apart)"
    )
    said = Message("devices", text, {"device": device.type, "apart": apart})
    return [*lines, f"  {said.text()}"]
