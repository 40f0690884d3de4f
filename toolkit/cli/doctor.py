"""Tell what is installed, which device is used, and whether models and detector are in order."""

from __future__ import annotations

import platform
from importlib.metadata import PackageNotFoundError, version

import numpy as np

from toolkit import media, models, runtime
from toolkit._i18n import _
from toolkit.detectors import registry
from toolkit.detectors.base import Detector
from toolkit.detectors.canary import canary_picture
from toolkit.detectors.seamnet_clip import read_card
from toolkit.errors import ToolkitError
from toolkit.messages import Message

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
        if status.state == "missing" and not file.required:
            word = _("not here, and not needed for an analysis")
        elif status.problem is not None:
            word = f"{word}: {status.problem.text()}"
        lines.append(f"  {file.id}: {file.file}, {file.licence}: {word}")
    lines.append(_("Detector"))
    try:
        lines += _detector()
    except ToolkitError as error:
        healthy = False
        lines.append(f"  {error.text()}")
    guards = ", ".join(media.guards()) or _("none here; only the watchdog limits it")
    lines.append(_("Decoder kept in by: {guards}").format(guards=guards))
    lines.append(_("In order.") if healthy else _("Not in order."))
    return lines, healthy


def _detector() -> list[str]:
    device = runtime.pick_device("auto")
    threads, crops = runtime.threads(), runtime.side_by_side()
    lines = [
        "  "
        + _("device: {device}, {n} torch thread(s), {crops} crops side by side").format(
            device=device, n=threads, crops=crops
        )
    ]
    if (other := registry.substitute(registry.DEFAULT)) is not None:
        name, why = other
        lines.append(
            "  "
            + _("{detector}: {why} {other} judges in its place.").format(
                detector=registry.DEFAULT, why=why, other=name
            )
        )
    names = (registry.SMALL,) if other else (registry.DEFAULT, registry.SMALL)
    for name in names:
        detector = registry.load(name, stand_in=False)
        lines.append(
            "  "
            + _(
                "{detector}: weights {weights}..., canary logit as on its card, judges on {device}"
            ).format(
                detector=name, weights=detector.card.weights_sha256[:12], device=detector.device
            )
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
    text = (
        "{device} and cpu agree (canary logits {apart:.2g} apart)"
        if apart <= most
        else "{device} and cpu DISAGREE: use --device cpu (canary logits {apart:.2g} apart)"
    )
    return Message("devices", text, {"device": detector.device, "apart": apart}).text()


def _rounding() -> float:
    """Return how far the two arithmetics of the larger network may be apart."""
    card = read_card(registry.weights(registry.DEFAULT).with_suffix(".json"))
    ends = card["canary"]["int8"], card["canary"]["float32"]
    gap = abs(ends[0]["logit"] - ends[1]["logit"])
    return float(gap + sum(end["tolerance"] for end in ends))
