"""Ask every method about a face, and the network about each picture only once.

Methods that replace regions ask about the same composites; references are tested on the same
genuine faces for every pair. What was asked before is answered from memory. The memory lives as
long as one pair, so that the result does not depend on which pairs came before. A method's seconds
are what it would take alone: each answer from memory is billed at what a pass costs here.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from toolkit.detectors.base import Card, Detector, InputSpec, network_of
from toolkit.errors import UnknownNameError
from toolkit.evaluation.explanations.scores import (
    DEALT,
    EVERY_CONTROL,
    Attribution,
    by_pixel,
    by_region,
    dealt,
)
from toolkit.explain import ledger, regions
from toolkit.explain.baselines import Reference, References
from toolkit.explain.fused import fuse_batch_norm
from toolkit.explain.perturbation import RegionGame, antithetic, take
from toolkit.explain.pixels import ASKS_ONLY, BY_REGION, METHODS, DetectorModule, attribute, refusal
from toolkit.types import Evidence, FaceCrops, PatchHead, Tick, no_tick

WITNESSES = ("ledger", "intervention")


def method_keys(names: Sequence[str] = ()) -> tuple[str, ...]:
    """Return the keys to run; without names, all. The controls come along by themselves.

    Raises
    ------
    UsageError
        If a name is unknown.
    """
    known = (*WITNESSES, *(f"captum.{m}" for m in METHODS))
    unknown = [n for n in names if n not in (*known, *EVERY_CONTROL)]
    if unknown:
        raise UnknownNameError("unknown method", ", ".join(unknown), "Known: {known}.", known=known)
    return tuple(k for k in known if not names or k in names)


# -- each picture once


class OnceDetector:
    """A detector that is asked about each crop once.

    Parameters
    ----------
    detector
        Any. One that does not give one logit per crop is asked every time.
    known
        Crops, and what the detector said of them: not asked again.
    """

    def __init__(self, detector: Detector, known: tuple[FaceCrops, Evidence] | None = None) -> None:
        self._detector = detector
        self._memory: dict[bytes, tuple[np.float32, NDArray[np.float32] | None]] = {}
        self._head: PatchHead | None = None
        self.asked = self.computed = 0
        if known is not None:
            self._keep(_digests(known[0].rgb), known[1])

    @property
    def card(self) -> Card:
        """The detector's."""
        return self._detector.card

    @property
    def spec(self) -> InputSpec:
        """The detector's."""
        return self._detector.spec

    @property
    def device(self) -> str:
        """The detector's."""
        return self._detector.device

    @property
    def batch(self) -> int | None:
        """The detector's."""
        return self._detector.batch

    def logits(self, rgb: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Return the detector's logits (N,) of pictures (N, S, S, 3); these are not kept."""
        return self._detector.logits(rgb)

    def evidence(self, crops: FaceCrops, *, tick: Tick = no_tick) -> Evidence:
        """Return the detector's evidence, computing only what is new."""
        names = _digests(crops.rgb)
        new = [i for i, name in enumerate(names) if name not in self._memory]
        self.asked += len(names)
        self.computed += len(new)
        if len(new) == len(names):  # also when it does not give one logit per crop
            evidence = self._detector.evidence(crops, tick=tick)
            self._keep(names, evidence)
            return evidence
        if new:
            part = self._detector.evidence(take(crops, new), tick=tick)
            self._keep([names[i] for i in new], part)
        rows = [self._memory[name] for name in names]
        patches = [row[1] for row in rows if row[1] is not None]
        return Evidence.per_frame(
            np.array([row[0] for row in rows], np.float32),
            np.stack(patches) if patches else None,
            self._head if patches else None,
        )

    def _keep(self, names: Sequence[bytes], found: Evidence) -> None:
        if len(found.logits) != len(names):
            return
        self._head = found.head
        for i, name in enumerate(names):
            own = None if found.patches is None else found.patches[i]
            self._memory[name] = (found.network_logits[i], own)


class OnceNetwork(nn.Module):
    """A network that judges each picture once, where no gradient is asked for.

    Attributes
    ----------
    asked, computed
        Pictures that were asked about, and those that went through the network.
    seconds
        Time in the network.
    """

    def __init__(self, net: nn.Module) -> None:
        super().__init__()
        self.net = net
        self._memory: dict[bytes, torch.Tensor] = {}
        self.asked = self.computed = 0
        self.seconds = 0.0

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return logits (N,) of pictures (N, 3, S, S)."""
        if torch.is_grad_enabled() and x.requires_grad:
            return _logits(self.net(x))
        names = _digests(x.detach().cpu().numpy())
        new = [i for i, n in enumerate(names) if n not in self._memory and n not in names[:i]]
        self.asked += len(names)
        self.computed += len(new)
        if new:
            start = time.perf_counter()
            for i, logit in zip(new, _logits(self.net(x[new])), strict=True):
                self._memory[names[i]] = logit.detach()
            self.seconds += time.perf_counter() - start
        return torch.stack([self._memory[n] for n in names])

    @property
    def saved_seconds(self) -> float:
        """What the answers from memory would have taken."""
        return self.seconds * (self.asked - self.computed) / max(self.computed, 1)


def _logits(out: Any) -> torch.Tensor:
    first: torch.Tensor = out[0] if isinstance(out, tuple) else out
    return first


def _digests(pictures: NDArray[Any]) -> list[bytes]:
    return [hashlib.blake2b(p.tobytes(), digest_size=16).digest() for p in pictures]


# -- all methods


@dataclass(frozen=True, eq=False)
class MethodAnswers:
    """What the methods say about one face.

    Attributes
    ----------
    told
        By key; a method that has nothing to say is left out: no patch logits, no network, a
        refusal, or for the intervention no valid reference.
    reference
        Kind of the valid reference; None when there is none, or none was asked for.
    controls
        By key, those made of an answer: the intervention's, with its shares on other regions.
    """

    told: dict[str, Attribution]
    reference: str | None
    controls: dict[str, list[Attribution]] = field(default_factory=dict)


class Explainer:
    """Runs the methods on the faces of one track.

    Parameters
    ----------
    detector
        Any that gives a logit per crop.
    crops, evidence
        The track, and what the detector saw in it.
    gallery
        Genuine faces of other persons, and what the detector saw in them, or None.
    known
        Faces of the same person that are known to be genuine, for each frame of the track; () =
        none for any.
    seed
        Of everything that draws.
    """

    def __init__(
        self,
        detector: Detector,
        crops: FaceCrops,
        evidence: Evidence,
        *,
        gallery: tuple[FaceCrops, Evidence] | None = None,
        known: Sequence[FaceCrops] = (),
        seed: int = 0,
        tick: Tick = no_tick,
    ) -> None:
        self._crops, self._evidence, self._known = crops, evidence, known
        self._seed, self._tick = seed, tick
        self._gallery = gallery
        quick = fuse_batch_norm(detector)
        self._detector = OnceDetector(quick, gallery)
        self._net = network_of(quick)
        self._once = OnceNetwork(DetectorModule(quick))
        self._references: References | None = None

    @property
    def passes(self) -> dict[str, int]:
        """Pictures asked about, and those that really went through the network."""
        both = (self._detector, self._once)
        return {
            "asked": sum(part.asked for part in both),
            "computed": sum(part.computed for part in both),
        }

    def __call__(self, position: int, keys: Sequence[str]) -> MethodAnswers:
        """Return what each method says about one face."""
        attributions: dict[str, Attribution] = {}
        blind: dict[str, list[Attribution]] = {}
        if "ledger" in keys and (own := intrinsic(self._crops, self._evidence, position)):
            attributions["ledger"] = own
        if not any(k != "ledger" for k in keys):
            return MethodAnswers(attributions, None)
        chosen, best = self._reference(position)
        if "intervention" in keys and chosen is not None:
            attributions["intervention"], others = self._intervene(position, chosen)
            if others:  # there are none where a single region is in sight
                blind[DEALT] = others
        for method in METHODS:
            key = f"captum.{method}"
            if key not in keys:
                continue
            if method in ASKS_ONLY or (self._net is not None and not refusal(self._net, method)):
                attributions[key] = self._captum(position, method, best)
        return MethodAnswers(attributions, None if chosen is None else chosen.kind, blind)

    def _reference(self, position: int) -> tuple[Reference | None, Reference]:
        """Return the valid reference, if any, and the best there was.

        The pixel methods make no promise about their baseline and take the best.
        """
        if self._references is None:
            self._references = References(
                self._detector,
                self._crops,
                self._evidence.logits,
                gallery=None if self._gallery is None else self._gallery[0],
                seed=self._seed,
            )
        if self._known:
            self._references.know(self._known[position])
        choice = self._references.choose(position, plant=False, tick=self._tick)
        chosen = choice.reference
        return chosen, chosen or min(choice.tried, key=lambda r: r.logit)

    def _intervene(
        self, position: int, reference: Reference
    ) -> tuple[Attribution, list[Attribution]]:
        start = time.perf_counter()
        game = RegionGame(self._detector, self._crops, position, reference.rgb)
        estimate = antithetic(game, seed=self._seed, tick=self._tick)
        seconds = time.perf_counter() - start
        region_map = self._crops.region_map[position]
        attribution = by_pixel(game.heat(estimate.shares), region_map, estimate.passes, seconds)
        blind = dealt(game.heat, estimate.shares, region_map, seed=self._seed)
        return replace(attribution, regions=estimate.shares), blind

    def _captum(self, position: int, method: Any, reference: Reference) -> Attribution:
        region_map = self._crops.region_map[position]
        is_region = method in BY_REGION
        once = self._once if method in ASKS_ONLY else None
        before = once.saved_seconds if once is not None else 0.0
        start = time.perf_counter()
        attribution = attribute(
            self._net if once is None else once,
            self._crops.rgb[position],
            method,
            region_map=region_map,
            reference=reference.rgb,
            seed=self._seed,
            tick=self._tick,
        )
        seconds = time.perf_counter() - start
        if once is not None:
            seconds += max(0.0, once.saved_seconds - before)
        if is_region:
            return by_region(attribution.regions, region_map, attribution.passes, seconds)
        return by_pixel(attribution.heat, region_map, attribution.passes, seconds)


def intrinsic(crops: FaceCrops, evidence: Evidence, position: int) -> Attribution | None:
    """Return what the patch logits say of one face, without a pass; None where there are none."""
    if evidence.patches is None or evidence.head is None:
        return None
    start = time.perf_counter()
    cells = ledger.heat(evidence, position)
    assert cells is not None
    own = crops.region_map[position : position + 1]
    shares = regions.patch_shares(
        evidence.patches[position : position + 1],
        regions.cover(own, *cells.shape),
        evidence.head,
    )[0]
    size = own.shape[1]
    heat = cv2.resize(cells.astype(np.float64), (size, size), interpolation=cv2.INTER_NEAREST)
    attribution = by_pixel(heat, own[0], 0, time.perf_counter() - start)
    return replace(attribution, regions=shares)
