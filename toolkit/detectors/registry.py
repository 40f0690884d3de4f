"""Detectors by name."""

from __future__ import annotations

from toolkit.detectors.base import Detector
from toolkit.errors import DetectorError

NAMES = ("seamnet",)
"""Names that `load` knows."""


def load(name: str, *, device: str = "auto") -> Detector:
    """Return a detector, its weights verified.

    Raises
    ------
    DetectorError
        If there is none of that name.
    ModelError
        If its weights are missing, differ from their card, or do not answer as the card says.
    """
    if name == "seamnet":
        from toolkit.detectors.seamnet import SeamNetDetector

        return SeamNetDetector(device=device)
    raise DetectorError(
        "there is no detector of that name", name, f"Choose one of {', '.join(NAMES)}."
    )
