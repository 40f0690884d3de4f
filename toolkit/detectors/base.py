"""What a detector is to the rest of the toolkit."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol, TypeGuard

import numpy as np
from numpy.typing import NDArray

from toolkit.faces.crops import InputSpec
from toolkit.messages import Message
from toolkit.types import Evidence, FaceCrops, PatchHead, Tick, no_tick

if TYPE_CHECKING:
    from torch import nn

__all__ = [
    "Card",
    "Detector",
    "FrameDetector",
    "HeldBack",
    "InputSpec",
    "PatchDetector",
    "SpanDetector",
    "can_hold_still",
    "network_of",
    "opens_network",
]


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
    normalisation
        Mean and deviation of each colour, of 1, that pixels are brought to; empty = none.
    top_part
        One frame in this many makes a track's logit: see `verdict.aggregate.rule_for`.
    threshold_measured
        Whether the threshold was measured on genuine clips, so that it means something here. Where
        it was not, every verdict says so.
    is_untested
        Whether nobody has seen these weights give the answers that were published with them.
    training
        What a foreign detector was trained on, in words; empty = unknown.
    instead_of, because
        Where it judges in place of another: the name that was asked for, and in one
        sentence why that one cannot; else None.
    """

    name: str
    title: str
    weights_sha256: str
    threshold: float
    licence: str
    blind_to: tuple[str, ...]
    held_back: HeldBack | None = None
    trained_on: tuple[str, ...] = ()
    normalisation: tuple[tuple[float, ...], ...] = ()
    top_part: int = 4
    instead_of: str | None = None
    because: Message | None = None
    threshold_measured: bool = True
    is_untested: bool = False
    training: str = ""


class Detector(Protocol):
    """Anything that turns face crops into evidence on the fake-logit scale.

    `FrameDetector` is the easy way to write one.
    """

    @property
    def card(self) -> Card:
        """What a report must say about it."""

    @property
    def spec(self) -> InputSpec:
        """Which crops it wants."""

    @property
    def device(self) -> str:
        """Where it computes: cpu, cuda or mps."""

    @property
    def batch(self) -> int | None:
        """How many crops it judges at once; None = it looks at a whole track, not at crops.

        With a number, its evidence has one logit per crop, which does not depend on the other
        crops: a track may be given to it in parts of any multiple of that number.
        """

    def logits(self, rgb: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Return the logits (N,) of crops (N, S, S, 3); positive = fake."""

    def evidence(self, crops: FaceCrops, *, tick: Tick = no_tick) -> Evidence:
        """Return the evidence in the crops of a track, with patch logits where it has them."""


class PatchDetector(Detector, Protocol):
    """A detector whose logit is a sum over patches, and whose network is open to gradients."""

    @property
    def net(self) -> nn.Module:
        """Pictures (N, 3, S, S) float32, 0..255, in; logits (N,) and patch logits out."""

    @property
    def head(self) -> PatchHead:
        """How patch logits make the logit."""


class SpanDetector(Detector, Protocol):
    """A detector of stretches of a track that can be asked about them with regions held still."""

    @property
    def reads(self) -> tuple[int, ...]:
        """Numbers of the regions that can change its logits."""

    def still_logits(
        self, crops: FaceCrops, spans: NDArray[np.int64], masks: Sequence[int]
    ) -> NDArray[np.float64]:
        """Return the logits (M, K) of spans in which the regions outside each mask hold still."""


class FrameDetector(ABC):
    """A detector of single frames: give it a `card`, a `spec` and `logits`, no more.

    Attributes
    ----------
    device, batch
        As for `Detector`.
    """

    card: Card
    spec: InputSpec
    device: str = "cpu"
    batch: int = 4

    @abstractmethod
    def logits(self, rgb: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Return the logits (N,) of crops (N, S, S, 3); positive = fake."""

    def evidence(self, crops: FaceCrops, *, tick: Tick = no_tick) -> Evidence:
        """Return one logit per crop."""
        n = len(crops.rgb)
        logits = np.zeros(n, np.float32)
        for start in range(0, n, self.batch):
            tick("detect", start, n)
            part = slice(start, start + self.batch)
            logits[part] = self.logits(crops.rgb[part])
        tick("detect", n, n)
        return Evidence.per_frame(logits)


def opens_network(detector: Detector) -> TypeGuard[PatchDetector]:
    """Whether a detector has a network to take gradients of; it is not built for the question."""
    return hasattr(type(detector), "net") or "net" in getattr(detector, "__dict__", {})


def can_hold_still(detector: Detector) -> TypeGuard[SpanDetector]:
    """Whether a detector of stretches can be asked about them with regions held still."""
    return detector.batch is None and hasattr(detector, "still_logits")


def network_of(detector: Detector) -> Any:
    """Return a detector's network, built if need be; None where it has none."""
    return detector.net if opens_network(detector) else None
