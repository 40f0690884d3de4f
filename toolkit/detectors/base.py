"""What a detector is to the rest of the toolkit."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from toolkit.types import Evidence, FaceCrops, Tick, no_tick


@dataclass(frozen=True)
class InputSpec:
    """The crops a detector looks at: `size` x `size` px, `margin` round the face oval per side."""

    size: int
    margin: float


@dataclass(frozen=True)
class HeldBack:
    """How genuine clips fared that the detector never saw, at its threshold.

    `genuine` clips got a verdict, `called_forged` of them the wrong one, `abstained` more got none.
    """

    genuine: int
    called_forged: int
    abstained: int


@dataclass(frozen=True)
class Card:
    """What a report must say about a detector.

    Attributes
    ----------
    name, title
        Short name for commands; a line for people.
    weights_sha256
        Hash of the very bytes that were loaded.
    threshold
        Fake logit at or above which the detector calls a track forged.
    licence, blind_to
        Terms of the weights; what the detector cannot see, one phrase each.
    trained_on
        Names, without folder or suffix, of the clips that training pictures were taken from.
    held_back
        How genuine clips fared that were kept from training, or None where nobody measured.
    """

    name: str
    title: str
    weights_sha256: str
    threshold: float
    licence: str
    blind_to: tuple[str, ...]
    held_back: HeldBack | None = None
    trained_on: tuple[str, ...] = ()


class Detector(Protocol):
    """Anything that turns face crops into evidence on the fake-logit scale."""

    @property
    def card(self) -> Card:
        """What a report must say about it."""

    @property
    def spec(self) -> InputSpec:
        """Which crops it wants."""

    def evidence(self, crops: FaceCrops, *, tick: Tick = no_tick) -> Evidence:
        """Return one logit per crop; positive = fake."""
