"""What a `session.PersonExplainer` answers, and what it keeps of each frame it was asked about."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from toolkit.explain import regions
from toolkit.explain.bands import BandShares
from toolkit.explain.baselines import Choice, Kind
from toolkit.explain.perturbation import Agreement, Intervention, RegionGame
from toolkit.explain.trust import Panel, TrustFigure, completeness_figure
from toolkit.messages import Message

if TYPE_CHECKING:
    from toolkit.explain.pixels import Method, PixelAttribution

Float = NDArray[np.float64]


@dataclass(frozen=True)
class Change:
    """What would change the verdict, read from the ledger without a pass.

    Attributes
    ----------
    frames
        Smallest set of moments whose replacement by the reference turns the verdict, strongest
        first; None when not even all of them do.
    region_sets
        Minimal sets of regions, replaced in every frame, by construction; smallest first.
    chance
        How often shuffled time holds a stretch as strong as the best one; None without a stretch.
    """

    frames: tuple[int, ...] | None
    region_sets: tuple[regions.FlipSet, ...]
    chance: float | None


@dataclass(frozen=True, eq=False)
class FrameAnswer:
    """What both witnesses say about one frame.

    Attributes
    ----------
    position, at_s, logit
        The moment, its time and its logit.
    choice
        The references that were tried for it.
    intrinsic : (10,) float64 or None
        Shares from the patch logits; None where the detector has none.
    perturbation
        None when there was no reference to intervene with.
    agreement
        None where one of the two is missing, or the reference is not valid.
    heat : (S, S) float64 or None
        Where the intervention's shares lie, in logits per pixel (`RegionGame.heat`); None where
        it may name no region. Below the threshold it is there, as the shares are, with little to
        explain.
    """

    position: int
    at_s: float
    logit: float
    choice: Choice
    intrinsic: Float | None
    perturbation: Intervention | None
    agreement: Agreement | None
    heat: Float | None = None

    @property
    def may_name(self) -> bool:
        """Whether the intervention may name a region: it had a valid reference."""
        return self.named_shares is not None

    @property
    def named_shares(self) -> Float | None:
        """The intervention's shares (10,) where it may name a region, else None."""
        if self.perturbation is None or self.choice.reference is None:
            return None
        return self.perturbation.shares


@dataclass(frozen=True)
class Checked:
    """The verdict when regions are replaced in every moment, by intervention.

    Attributes
    ----------
    replaced
        Names from `REGIONS`.
    before, after
        Logit of the track as it is, and with the regions replaced.
    moments, of
        Moments for which there was a reference that may be used, out of how many.
    turned
        Whether the verdict turns from forged to not forged.
    valid
        Whether all references may name regions; of a kind that the user insists on, they may not.
    """

    replaced: tuple[str, ...]
    before: float
    after: float
    moments: int
    of: int
    turned: bool
    valid: bool = True


@dataclass(frozen=True, eq=False)
class MethodAnswer:
    """What one of Captum's methods says about a frame, or why it is not asked.

    Attributes
    ----------
    method
        Its name.
    found
        None when it is wrong for the network.
    refused
        The reason; its code is ``no_network``, ``no_reference`` or ``no_rule``.
    agreement
        With the exact game, or with antithetic sampling where that is all there is; None without.
    seconds
        Wall time.
    """

    method: Method
    found: PixelAttribution | None
    refused: Message | None
    agreement: Agreement | None
    seconds: float


@dataclass(frozen=True, eq=False)
class Answers:
    """Everything that `inquire` found out about one person.

    Attributes
    ----------
    person, position
        Whose verdict, and the frame in view.
    change
        What would change the verdict.
    frames
        The key frames, in order of time.
    exact
        The frame in view with its exact table.
    trust, bands, methods
        Of the frame in view.
    seconds
        Wall time by question.
    """

    person: str
    position: int
    change: Change
    frames: tuple[FrameAnswer, ...] = ()
    exact: FrameAnswer | None = None
    trust: Panel | None = None
    bands: BandShares | None = None
    methods: tuple[MethodAnswer, ...] = ()
    seconds: dict[str, float] = field(default_factory=dict)


@dataclass(eq=False)
class FrameState:
    """All that was answered so far about one frame, with one kind of baseline.

    Whoever asks holds on to the state that was there when he began: when donors come meanwhile and
    the state is dropped, what he writes into it is seen by nobody.

    Attributes
    ----------
    kind, row
        The kind of baseline that the user insists on (None = chosen by the tests), and the row of
        the track.
    choice, game
        The baselines that were tried, and the game with the one in use; None before.
    answer
        What both witnesses say; None before they were asked.
    figures, panel
        The trust figures as they came, and the panel once it is complete.
    bands, bands_asked
        What each band carries; None as well where no baseline is valid.
    methods
        The answers of Captum's methods as they came.
    """

    kind: Kind | None
    row: int
    choice: Choice | None = None
    game: RegionGame | None = None
    answer: FrameAnswer | None = None
    figures: list[TrustFigure] = field(default_factory=list)
    panel: Panel | None = None
    bands: BandShares | None = None
    bands_asked: bool = False
    methods: list[MethodAnswer] = field(default_factory=list)

    @property
    def rests_on_nothing(self) -> bool:
        """Whether baselines were tried, and none may name a region."""
        return self.choice is not None and self.choice.reference is None


def completeness(answers: Sequence[MethodAnswer]) -> tuple[TrustFigure, ...]:
    """Return whether each method that promises to add up does so on this frame.

    These figures are about the maps of the methods, not about the shares of the two witnesses.
    """
    shares = (answer.found for answer in answers)
    return tuple(completeness_figure(f) for f in shares if f and f.completeness is not None)
