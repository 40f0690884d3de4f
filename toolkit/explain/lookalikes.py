"""Maps that look like an explanation: some pass the check with random weights, some only look it.

An edge map of the face lights up at mouth, eyes and brows; a blob in the middle lies on the face.
Both look plausible on a forged face, and neither ever asked the network anything: give the network
random weights, and they stay as they are. Adebayo et al. (2018), doi:10.48550/arXiv.1810.03292.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal, get_args

import cv2
import numpy as np
import torch
from numpy.typing import NDArray

from toolkit.explain import pixels, trust
from toolkit.forge.degrade import Picture
from toolkit.types import REGIONS, Tick, no_tick

Name = Literal["patches", "grad_cam", "edges", "centre"]
NAMES: tuple[Name, ...] = get_args(Name)
FIXED = frozenset({"edges", "centre"})
"""Maps that are made without the network."""

Float = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Lookalike:
    """One map of one face, and whether it depends on what the network learned.

    Attributes
    ----------
    name
        ``"patches"`` (the network's own patch logits, above their mean), ``"grad_cam"``,
        ``"edges"`` or ``"centre"``.
    heat : (S, S) float64
        Signed.
    alike
        Median size of the rank correlation with the same map of networks with random weights:
        near 0, it shows what was learned; near 1, it would show the same whatever was learned.
    mass : (10,) float64
        Part of the positive map in each of `REGIONS`; sums to 1.
    """

    name: Name
    heat: Float
    alike: float
    mass: Float

    @property
    def holds(self) -> bool:
        """Whether the map changes as the network forgets."""
        return self.alike < trust.ALIKE_MAX


def look_alike(
    net: Any, crop: Picture, region_map: NDArray[np.uint8], *, seed: int = 0, tick: Tick = no_tick
) -> tuple[Lookalike, ...]:
    """Draw all four maps of a face and check each with random weights.

    Parameters
    ----------
    net
        Takes (N, 3, S, S) float32, 0..255; returns logits and patch logits. Left as it is.
    crop : (S, S, 3) uint8
    region_map : (S, S) uint8
    seed
        Of the random weights.
    """
    lookalikes = []
    for name in NAMES:
        explain = _explainer(name, crop)
        heat = _enlarged(explain(net), len(crop))
        if name in FIXED:  # it never asks the network: the same map whatever the weights
            alike = 1.0
        else:
            checked = trust.randomise(net, explain, seed=seed, tick=tick)
            alike = float(np.median(np.abs(checked.alike)))
        up = np.maximum(heat, 0)
        mass = np.bincount(region_map.ravel(), up.ravel(), minlength=len(REGIONS))
        lookalikes.append(Lookalike(name, heat, alike, mass / (mass.sum() or 1.0)))
    return tuple(lookalikes)


def _explainer(name: Name, crop: Picture) -> Callable[[Any], Float]:
    if name == "patches":
        raw = trust.patch_explainer(crop)
        return lambda net: _squared(_above_mean(raw(net)))
    if name == "grad_cam":
        return lambda net: _grad_cam(net, crop)
    fixed = edges(crop) if name == "edges" else trust.centre_prior(len(crop))
    return lambda _net: fixed


def edges(crop: Picture) -> Float:
    """Return the strength of edges (S, S): a map that looks right on any face."""
    grey = cv2.GaussianBlur(cv2.cvtColor(crop, cv2.COLOR_RGB2GRAY).astype(np.float64), (0, 0), 2.0)
    x, y = cv2.Sobel(grey, cv2.CV_64F, 1, 0), cv2.Sobel(grey, cv2.CV_64F, 0, 1)
    return np.asarray(cv2.GaussianBlur(np.hypot(x, y), (0, 0), len(crop) / 60), np.float64)


def _grad_cam(net: Any, crop: Picture) -> Float:
    from captum import attr

    x = torch.from_numpy(np.ascontiguousarray(crop.transpose(2, 0, 1)[None], np.float32))
    layer = pixels.last_map(net, x)
    cam = attr.LayerGradCam(lambda given: net(given)[0], layer).attribute(x)
    return np.asarray(cam.detach().double().cpu().numpy()[0, 0], np.float64)


def _above_mean(values: Float) -> Float:
    return np.asarray(values - values.mean())


def _squared(values: Float) -> Float:
    side = round(len(values) ** 0.5)
    return np.asarray(values.reshape(side, -1))


def _enlarged(heat: Float, size: int) -> Float:
    return np.asarray(cv2.resize(heat, (size, size), interpolation=cv2.INTER_LINEAR), np.float64)
