"""LRNet (Sun et al. 2021, arXiv 2104.04480): landmarks over time, a detector of stretches.

Experimental: its published weights were trained on 68 landmarks smoothed by optical flow; here they
come from the 478-point mesh, unsmoothed but for a Kalman gain, and at the moments that were read
(read many: ``frames=400``). Nobody has shown that it beats chance here.

Two recurrent networks look at blocks of 30 moments: one at the landmarks, one at their steps. Each
block gets one logit, so the evidence is of spans. Written from the paper and the published layout
(frederickszk/LRNet at 9a172a0, MIT).
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from toolkit import runtime
from toolkit.detectors import weights
from toolkit.detectors.base import Card, InputSpec
from toolkit.errors import ModelError, ShapeError
from toolkit.types import REGIONS, Evidence, FaceCrops, Tick, no_tick

NAME = "lrnet"
BLOCK, LANDMARKS, HALF = 30, 68, 200.0
PROCESS = 0.3  # variance of the landmarks' own movement, px^2 of 400, as published
MEASURED = 1.0  # variance of a detected landmark, px^2: assumed

# The 68 points in their usual order, as points of the mesh: jaw, brows, nose, eyes, mouth.
# fmt: off
POINTS = (
    127, 234, 93, 132, 58, 172, 136, 150, 152, 379, 365, 397, 288, 361, 323, 454, 356,
    70, 63, 105, 66, 107, 336, 296, 334, 293, 300,
    168, 6, 197, 195, 98, 97, 2, 326, 327,
    33, 160, 158, 133, 153, 144, 362, 385, 387, 263, 373, 380,
    61, 39, 37, 0, 267, 269, 291, 405, 314, 17, 84, 181, 78, 82, 13, 312, 308, 317, 14, 87,
)
# fmt: on
GROUPS: Mapping[str, tuple[str, slice]] = {
    "jaw": ("contour", slice(0, 17)),
    "right_brow": ("right_eye", slice(17, 22)),
    "left_brow": ("left_eye", slice(22, 27)),
    "nose": ("nose", slice(27, 36)),
    "right_eye": ("right_eye", slice(36, 42)),
    "left_eye": ("left_eye", slice(42, 48)),
    "mouth": ("mouth", slice(48, 68)),
}
"""Groups of landmarks, the region that each belongs to, and its numbers."""

REGION_OF = np.array(
    [
        REGIONS.index(region)
        for region, part in GROUPS.values()
        for _ in range(part.stop - part.start)
    ]
)
"""Region of each of the 68 landmarks."""


class Stream(nn.Module):
    """One of the two networks: a bidirectional GRU and a small head.

    Dropout acts in training only, so the layers are here without it, under the published names.
    """

    def __init__(self) -> None:
        super().__init__()
        self.hidden_state = nn.Parameter(torch.zeros(2, 1, 32))
        self.gru = nn.GRU(2 * LANDMARKS, 32, batch_first=True, bidirectional=True)
        residual = nn.ModuleDict(
            {"net": nn.Sequential(nn.Linear(64, 64), nn.ReLU(), nn.Identity(), nn.Linear(64, 64))}
        )
        middle = nn.ModuleDict({"fn": residual})
        self.dense = nn.Sequential(nn.Identity(), middle, nn.Identity(), nn.Linear(64, 2))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return outputs (N, 2), genuine and fake, of blocks (N, T, 136)."""
        start = self.hidden_state.repeat(1, len(x), 1)
        _all, last = self.gru(x, start)
        both = torch.cat([last[0], last[1]], 1)
        residual: Any = self.dense[1]
        both = both + residual["fn"]["net"](both)
        out: torch.Tensor = self.dense[3](both)
        return out


def load_stream(path: Path) -> Stream:
    """Return one stream from a safetensors file, its names and shapes the published ones.

    Raises
    ------
    ModelError
        If it is none.
    """
    net = Stream()
    weights.fill(net, weights.read_safetensors(path))
    return net.eval().requires_grad_(False)


def smooth(points: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return landmarks (T, 68, 2) smoothed by the gain of a one-dimensional Kalman filter."""
    out = points.copy()
    variance = MEASURED
    for t in range(1, len(points)):
        variance += PROCESS
        gain = variance / (variance + MEASURED)
        out[t] = out[t - 1] + gain * (points[t] - out[t - 1])
        variance *= 1 - gain
    return out


def landmarks(crops: FaceCrops) -> NDArray[np.float32]:
    """Return what LRNet reads of a track: (T, 136) float32, about -1 to 1.

    One size for the whole track, 1.2 times the mean extent; the square follows the middle of the
    landmarks.
    """
    places = crops.mesh[:, list(POINTS), :2].astype(np.float64)
    matrix = crops.crop_to_frame
    points = places @ matrix[:, :, :2].transpose(0, 2, 1) + matrix[:, None, :, 2]
    low, high = points.min(axis=1), points.max(axis=1)
    side = float((high - low).max(axis=1).mean()) * 1.2
    if not side > 0:
        raise ShapeError("the landmarks have no extent", "", "The faces are unusable.")
    scaled = (points - ((low + high) / 2)[:, None]) * (2 * HALF / side) + HALF
    return ((smooth(np.rint(scaled)) - HALF) / HALF).reshape(len(points), -1).astype(np.float32)


class LRNetDetector:
    """LRNet with weights of the user's: evidence of blocks of 30 moments.

    Parameters
    ----------
    landmarks_file, steps_file
        The two streams as safetensors (`weights.convert` makes them of the published ``.pth``).
    device
        Taken for the sake of the protocol: it computes on the CPU, in no time.
    """

    spec = InputSpec(size=64, margin=0.125)
    device, batch = "cpu", None

    def __init__(self, landmarks_file: Path, steps_file: Path, *, device: str = "cpu") -> None:
        runtime.pick_device(device)
        self.streams = (load_stream(landmarks_file), load_stream(steps_file))
        sums = [weights.sha256_of(p) for p in (landmarks_file, steps_file)]
        self.card = Card(
            name=NAME,
            title="LRNet, landmarks over time: experimental, not shown to beat chance here",
            weights_sha256=sums[0],
            threshold=0.0,
            licence="MIT (frederickszk/LRNet)",
            blind_to=("stills", "textures", "sound"),
            threshold_measured=False,
            is_untested=True,
            training="DeeperForensics-1.0 or FaceForensics++, by file",
        )

    @torch.inference_mode()
    def block_logits(self, x: NDArray[np.float32]) -> NDArray[np.float64]:
        """Return the fake logits (N,) of blocks of landmarks (N, 30, 136).

        The logit of the mean of the two streams' probabilities, as published; computed without
        overflow, as either may saturate.
        """
        blocks = torch.from_numpy(np.ascontiguousarray(x, np.float32))
        both = []
        for net, part in zip(self.streams, (blocks, blocks[:, 1:] - blocks[:, :-1]), strict=True):
            both.append(nn.functional.log_softmax(net(part).double(), 1))
        mean = torch.logsumexp(torch.stack(both), 0)  # of logs of probabilities, but for log 2
        return (mean[:, 1] - mean[:, 0]).numpy()

    def logits(self, rgb: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Refuse: a single crop has no landmarks over time.

        Raises
        ------
        ModelError
            Always.
        """
        raise ModelError(
            "this detector judges stretches, not single pictures",
            f"{len(rgb)}",
            "Ask it about a whole track.",
        )

    def evidence(self, crops: FaceCrops, *, tick: Tick = no_tick) -> Evidence:
        """Return a logit per block of 30 moments; a short last block is dropped.

        Raises
        ------
        ShapeError
            If the track has fewer moments than one block.
        """
        n = len(crops.rgb) // BLOCK
        tick("detect", 0, max(1, n))
        if not n:
            raise ShapeError(
                "the track is too short for this detector",
                f"{len(crops.rgb)}",
                "It needs {n} moments: read more of them.",
                n=BLOCK,
            )
        x = landmarks(crops)[: n * BLOCK].reshape(n, BLOCK, -1)
        first = np.arange(n, dtype=np.int64) * BLOCK
        tick("detect", n, n)
        return Evidence(
            self.block_logits(x).astype(np.float32), np.stack([first, first + BLOCK - 1], axis=1)
        )

    def region_shares(self, x: NDArray[np.float32]) -> NDArray[np.float64]:
        """Return each region's exact Shapley share of each block's logit: (N, 10) float64.

        A region's landmarks are replaced in time by the same landmarks held still at their mean
        over the block: a reference of the same length, in which that region does not move. Shares
        add up to the logit minus that of a block that holds still altogether.

        Parameters
        ----------
        x : (N, 30, 136) float32
            As `landmarks` makes them, in blocks.
        """
        from math import factorial

        present = np.unique(REGION_OF)
        n = len(present)
        still = np.broadcast_to(x.mean(axis=1, keepdims=True), x.shape)
        owner = np.repeat(np.searchsorted(present, REGION_OF), 2)
        table = np.stack(
            [
                self.block_logits(np.where((mask >> owner & 1).astype(bool), x, still))
                for mask in range(1 << n)
            ]
        )
        shares = np.zeros((len(x), len(REGIONS)))
        for i in range(n):
            for mask in range(1 << n):
                if not mask >> i & 1:
                    size = mask.bit_count()
                    weight = factorial(size) * factorial(n - size - 1) / factorial(n)
                    shares[:, present[i]] += weight * (table[mask | 1 << i] - table[mask])
        return shares
