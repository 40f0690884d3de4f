"""Detectors by name."""

from __future__ import annotations

from pathlib import Path

from toolkit import models
from toolkit.detectors.base import Detector
from toolkit.errors import DetectorError

MESONETS = ("meso4", "mesoinception4", "meso4_f2f", "mesoinception4_f2f")
"""MesoNet's four published weights; the user gives the file, see `detectors.mesonet`."""

NAMES = ("seamnet", *MESONETS)
"""Names that `load` knows."""


def weights(name: str) -> Path:
    """Return where a detector's weights lie, or would lie.

    Raises
    ------
    DetectorError
        If there is none of that name.
    """
    if name not in NAMES:
        raise DetectorError(
            "there is no detector of that name",
            name,
            "Choose one of {known}.",
            known=", ".join(NAMES),
        )
    folder = models.CACHE if name in MESONETS else models.ROOT / "models"
    return folder / f"{name}.safetensors"


def available() -> tuple[str, ...]:
    """Return the names whose weights are here, in the order of `NAMES`; nothing is verified."""
    return tuple(name for name in NAMES if weights(name).is_file())


def load(name: str, *, device: str = "auto") -> Detector:
    """Return a detector, its weights verified.

    Raises
    ------
    DetectorError
        If there is none of that name.
    ModelError
        If its weights are missing, differ from their card, or do not answer as the card says.
    """
    where = weights(name)
    if name in MESONETS:
        from toolkit.detectors.mesonet import MesoNetDetector

        return MesoNetDetector(name, device=device, weights=where)
    from toolkit.detectors.seamnet import SeamNetDetector

    return SeamNetDetector(device=device)
