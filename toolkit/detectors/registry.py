"""Detectors by name."""

from __future__ import annotations

from pathlib import Path

from toolkit import models
from toolkit.detectors.base import Detector
from toolkit.errors import DetectorError

MESONETS = ("meso4", "mesoinception4", "meso4_f2f", "mesoinception4_f2f")
"""MesoNet's four published weights; the user gives the file, see `add_weights`."""

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


def add_weights(path: Path) -> tuple[str, Path]:
    """Verify a file of published weights, convert it, and put it where `load` finds it.

    Returns
    -------
    str, Path
        The detector's name, and the file that was written.

    Raises
    ------
    ModelError
        If the file cannot be read, is not a published one, or does not convert as it should.
    """
    from toolkit.detectors import mesonet

    return mesonet.add(path, models.CACHE)


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
