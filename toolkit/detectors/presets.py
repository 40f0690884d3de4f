"""What published detectors need, row by row: `presets.toml`. All were read, none was run."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from toolkit.detectors.reading import Answer, Reading
from toolkit.errors import UnknownNameError

PATH = Path(__file__).with_name("presets.toml")


@dataclass(frozen=True)
class Preset:
    """One row.

    Attributes
    ----------
    name, title, row
        Key; for people; how the guide's row begins.
    size, normalise, crop, margin, outside
        Of its pictures; None = the row does not say.
    crop_note
        Where our crop stands in for theirs.
    fake, real
        Numbers of outputs; None = the row does not say.
    network
        timm's name, where it is one of timm's.
    licence, training, where
        Terms of the weights, what they were trained on, where they are published.
    """

    name: str
    title: str
    row: str
    size: int
    licence: str
    where: str
    normalise: str | None = None
    crop: str | None = None
    margin: float | None = None
    outside: str | None = None
    crop_note: str = ""
    fake: tuple[int, ...] | None = None
    real: tuple[int, ...] | None = None
    network: str | None = None
    training: str = ""

    def given(self) -> dict[str, Any]:
        """Return what it states, as `recipe.settle` takes it."""
        stated: dict[str, Any] = {
            "preset": self.name,
            "size": self.size,
            "title": self.title,
            "licence": self.licence,
            "training": self.training or None,
            "crop": self.crop,
            "margin": self.margin,
            "outside": self.outside,
        }
        if self.normalise is not None:
            stated["reading"] = Reading.named(self.normalise)
        if self.fake is not None:
            stated["answer"] = Answer(self.fake, self.real or ())
        return {k: v for k, v in stated.items() if v is not None}


@cache
def read_all() -> dict[str, Preset]:
    """Return all presets by name."""
    rows = tomllib.loads(PATH.read_text(encoding="utf-8"))
    return {
        name: Preset(
            name=name,
            **row | {k: tuple(row[k]) for k in ("fake", "real") if k in row},
        )
        for name, row in rows.items()
    }


def read(name: str) -> Preset:
    """Return a preset.

    Raises
    ------
    UnknownNameError
        If there is none of that name.
    """
    rows = read_all()
    if name not in rows:
        raise UnknownNameError(
            "there is no such preset", name[:60], "Choose from {known}.", known=tuple(rows)
        )
    return rows[name]
