"""LRNet (Sun et al. 2021, arXiv 2104.04480): landmarks over time, a detector of stretches.

Experimental: its published weights were trained on 68 landmarks smoothed by optical flow; here they
come from the 478-point mesh, unsmoothed but for a Kalman gain, and at the moments that were read
(read many: ``frames=400``). `docs/other-detectors-measured.md` holds what was measured here, chance
beside it.

Two recurrent networks look at blocks of 30 moments: one at the landmarks, one at their steps. Each
block gets one logit, so the evidence is of spans. Written from the paper and the published layout
(frederickszk/LRNet at 9a172a0, MIT).
"""

from __future__ import annotations

import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from toolkit import models, runtime
from toolkit.detectors import weights
from toolkit.detectors.base import Card, InputSpec
from toolkit.errors import ModelError, ShapeError
from toolkit.files import atomic_write
from toolkit.media import show_name
from toolkit.messages import phrase
from toolkit.types import REGIONS, Evidence, FaceCrops, Tick, no_tick

NAMES = ("lrnet", "lrnet_ff")
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

READS = tuple(int(region) for region in np.unique(REGION_OF))
"""Numbers of the regions that have landmarks: the others cannot change a logit."""


@dataclass(frozen=True)
class PublishedPair:
    """The two published files of one LRNet, and what they become.

    Attributes
    ----------
    files, sha256
        Names and hashes of the files: of landmarks, of steps.
    converted_sha256
        Hashes of the safetensors files that they become.
    canary_logit
        Fake logit of the block of `canary_block`, from the check values of the port.
    trained_on
        In words.
    """

    files: tuple[str, str]
    sha256: tuple[str, str]
    converted_sha256: tuple[str, str]
    canary_logit: float
    trained_on: str


PUBLISHED: Mapping[str, PublishedPair] = {
    "lrnet": PublishedPair(
        ("demo_g1.pth", "demo_g2.pth"),
        (
            "2d057605d518b7527fd1931aa2522bbb9040eb11ff8a3181b3e351e89b55ed4c",
            "7380f8f96bc2a1e3e4e9bea8a6d226b9f56661b875106d34702e337fa503e07f",
        ),
        (
            "3ce9102fa58e743c17c9f969f9a017db080adb8cae418962e2a76e6d7d3a076d",
            "861f90ceaec61c30f566a4cdd22fd9ca62c16b8f8b53834883ddda0b7dec7931",
        ),
        -3.80900,
        "DeeperForensics-1.0",
    ),
    "lrnet_ff": PublishedPair(
        ("training_g1.pth", "training_g2.pth"),
        (
            "d953cfc1a5354493141e13ac074c7306e86ab768d6f015cedfc17f2b6485dd62",
            "45e50a803c8bbc4851646842765a01f25c34a7085e86e67e06f9598c9e1f34c4",
        ),
        (
            "7b78ddc6b749e3196d032e1a2a9ffd22b14059e02814a35355e676247eed26f0",
            "14b1c55dab639ae151e042e74b77502d70aab003415e2cdd42728fedd12a67b6",
        ),
        -0.20817,
        "FaceForensics++",
    ),
}

CANARY_TOLERANCE = 1e-3


def canary_block() -> NDArray[np.float32]:
    """Return the block on which the weights must answer as published: (1, 30, 136)."""
    t, j = np.arange(BLOCK)[:, None], np.arange(2 * LANDMARKS)
    return (0.5 * np.sin(0.1 * t + 0.2 * j)).astype(np.float32)[None]


def stream_files(name: str, folder: Path) -> tuple[Path, Path]:
    """Return where the two converted streams of an LRNet lie, or would lie."""
    return folder / f"{name}.safetensors", folder / f"{name}-steps.safetensors"


def add(path: Path, folder: Path) -> tuple[str, Path]:
    """Verify one of the published files, convert it, and put it into a folder.

    Returns
    -------
    str, Path
        The detector's name, and the file that was written. It takes two files to judge.

    Raises
    ------
    ModelError
        If the file cannot be read, is not a published one, or does not convert as it should.
    """
    digest, shown = weights.sha256_of(path), show_name(path)
    name = next((n for n, known in PUBLISHED.items() if digest in known.sha256), None)
    if name is None:
        raise ModelError(
            "this is not a published LRNet file",
            phrase("{name}, SHA-256 {sha256}", name=shown, sha256=digest),
            "Get it from github.com/frederickszk/LRNet; known are: {known}.",
            known=", ".join(file for known in PUBLISHED.values() for file in known.files),
        )
    known = PUBLISHED[name]
    stream = known.sha256.index(digest)
    where = stream_files(name, folder)[stream]
    with tempfile.TemporaryDirectory(prefix="doorzicht-") as work:
        converted = Path(work, "stream.safetensors")
        weights.convert(path, converted)
        if weights.sha256_of(converted) != known.converted_sha256[stream]:
            raise ModelError("a weight file did not convert as it should", shown, models.SETUP)
        folder.mkdir(parents=True, exist_ok=True)
        atomic_write(where, converted.read_bytes())
    return name, where


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


def load_stream(path: Path, *, sha256: str | None = None) -> Stream:
    """Return one stream from a safetensors file, its names and shapes the published ones.

    Raises
    ------
    ModelError
        If it is none.
    """
    net = Stream()
    weights.fill(net, weights.read_safetensors(path, sha256=sha256))
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
    name
        One of `NAMES`.
    folder
        Where `add` put its two converted files.
    device
        Taken for the sake of the protocol: it computes on the CPU, in no time.

    Raises
    ------
    ModelError
        If a file is missing or another one, or the canary block gets another logit.
    """

    spec = InputSpec(size=64, margin=0.125)
    device, batch = "cpu", None
    reads = READS

    def __init__(self, name: str, *, folder: Path, device: str = "cpu") -> None:
        known = PUBLISHED[name]
        runtime.pick_device(device)
        files = stream_files(name, folder)
        for file, published in zip(files, known.files, strict=True):
            if not file.is_file():
                raise ModelError(
                    "the weights of {name} are not here",
                    file.name,
                    "Get {file} from github.com/frederickszk/LRNet, then run: "
                    "python -m toolkit weights {file}",
                    name=name,
                    file=published,
                )
        self.streams = tuple(
            load_stream(file, sha256=digest)
            for file, digest in zip(files, known.converted_sha256, strict=True)
        )
        self.card = Card(
            name=name,
            title=(
                f"LRNet, landmarks over time, published weights trained on {known.trained_on}: "
                "experimental, its landmarks come from another detector than it was trained on"
            ),
            weights_sha256=known.converted_sha256[0],
            threshold=0.0,  # P(fake) = 0.5, as published
            licence="MIT (frederickszk/LRNet); trained on data under research terms",
            blind_to=("stills", "textures", "sound"),
            threshold_measured=False,
            is_untested=True,
            training=known.trained_on,
        )
        answer = float(self.block_logits(canary_block())[0])
        if abs(answer - known.canary_logit) > CANARY_TOLERANCE:
            raise ModelError(
                "the detector does not answer as its card says",
                phrase(
                    "{name}: canary logit {answer:.5f}, expected {expected:.5f}",
                    name=name,
                    answer=answer,
                    expected=known.canary_logit,
                ),
                "Do not use this installation: run 'python start.py setup' again.",
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

    def still_logits(
        self, crops: FaceCrops, spans: NDArray[np.int64], masks: Sequence[int]
    ) -> NDArray[np.float64]:
        """Return the logits of spans in which some regions hold still: (M, K).

        The landmarks of the regions outside a bit mask stay at their mean over the span: a
        reference of the same length, in which these regions are there and do not move.

        Parameters
        ----------
        crops
            Of the whole track.
        spans : (M, 2) int64
            As `evidence` gives them.
        masks
            K bit masks over `types.REGIONS`; region r is bit r.
        """
        whole = landmarks(crops)
        x = np.stack([whole[a : b + 1] for a, b in spans.tolist()])
        still = np.broadcast_to(x.mean(axis=1, keepdims=True), x.shape)
        owner = np.repeat(REGION_OF, 2)
        columns = []
        for mask in masks:
            moves = (mask >> owner & 1).astype(bool)
            columns.append(self.block_logits(np.where(moves, x, still)))
        return np.stack(columns, axis=1)
