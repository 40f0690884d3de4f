"""MesoNet (Afchar et al. 2018, doi:10.1109/WIFS.2018.8630761): two small nets, a teaching example.

Written from the paper. The four published weight files are Keras ``.h5``; the user gives one,

    python -m toolkit weights FILE.h5

verifies it by size and SHA-256 and converts it once, with h5py and never with Keras. Trained on
one manipulation each, they fail on others: the F2F weights call face swaps genuine. The published
crop (centre at the nose, side 2.2 x max(eye to eye, eyes to mouth) x 1.3, turned level, reflected
edges) is approximated by the square round the face oval with the margin that gives the same side;
it is not turned, and its edges repeat.
"""

from __future__ import annotations

import hashlib
import io
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from toolkit import models, runtime
from toolkit.detectors.base import Card, InputSpec
from toolkit.errors import ModelError
from toolkit.files import atomic_write
from toolkit.media import show_name
from toolkit.messages import phrase
from toolkit.types import Evidence, FaceCrops, Tick, no_tick

SIZE = 256
MARGIN = 0.06  # median over faces of what makes the oval's square as wide as the published crop
BATCH = {"cpu": 8, "mps": 32, "cuda": 128}
BN_EPS = 1e-3  # Keras' default
CANARY_TOLERANCE = 1e-3


@dataclass(frozen=True)
class Published:
    """A published weight file, what it becomes, and how that must answer the canary picture."""

    file: str
    bytes: int
    sha256: str
    converted_sha256: str
    canary_logit: float
    trained_on: str


PUBLISHED: Mapping[str, Published] = {
    "meso4": Published(
        "Meso4_DF.h5",
        156128,
        "036ed30d04ffd9c7506f825b97c86aa64915f5818931da96817b169aad790af5",
        "5ec7f8bf234cf1dc1eaa595f77be726353913343f9fae4eb187397eb983ed12d",
        -2.63973,
        "Deepfakes",
    ),
    "mesoinception4": Published(
        "MesoInception_DF.h5",
        197504,
        "234586d40058e76ef8b6f27ca4b63c06e31c2a5a69c0d8ba6f30b1468ab7bafa",
        "762f58014b32b9d58f214574c96a3868dc1e80c9c6145fb6adbe2f4deaa7d127",
        0.40055,
        "Deepfakes",
    ),
    "meso4_f2f": Published(
        "Meso4_F2F.h5",
        156128,
        "bcfda015d217b9f8d6557693edbdf9f4e79cfd22672541968dd0e2954462b5d7",
        "28807d24951eec347bd6757b56b1bdf1c8559dbf209170cf2d7561485578a489",
        -2.53616,
        "Face2Face",
    ),
    "mesoinception4_f2f": Published(
        "MesoInception_F2F.h5",
        197504,
        "d4533ac8a3197dc35c47405d23d99e888c1d0135e267e03540c7451feaccff3f",
        "eee3387e8833bb83fe0827dccbebee0ff29cf05c1402d6f1cb53d7d7d4224b4c",
        -0.81746,
        "Face2Face",
    ),
}


# --- the nets -----------------------------------------------------------------------------------


class _Conv(nn.Sequential):
    """Convolution of stride 1 that keeps the size, then ReLU."""

    def __init__(self, inputs: int, outputs: int, kernel: int, dilation: int = 1) -> None:
        padding = dilation * (kernel // 2)
        super().__init__(
            nn.Conv2d(inputs, outputs, kernel, padding=padding, dilation=dilation), nn.ReLU()
        )


class _Inception(nn.Module):
    """Four branches side by side: 1x1, and 3x3 with dilation 1, 2 and 3 behind a 1x1."""

    def __init__(self, inputs: int, a: int, b: int, c: int, d: int) -> None:
        super().__init__()
        self.a = _Conv(inputs, a, 1)
        self.b = nn.Sequential(_Conv(inputs, b, 1), _Conv(b, b, 3))
        self.c = nn.Sequential(_Conv(inputs, c, 1), _Conv(c, c, 3, 2))
        self.d = nn.Sequential(_Conv(inputs, d, 1), _Conv(d, d, 3, 3))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return the branches' channels one after the other."""
        return torch.cat([self.a(x), self.b(x), self.c(x), self.d(x)], 1)


class MesoNet(nn.Module):
    """Meso4, or MesoInception4 where the first two convolutions are inception blocks."""

    def __init__(self, *, inception: bool) -> None:
        super().__init__()
        first: tuple[nn.Module, nn.Module] = (_Conv(3, 8, 3), _Conv(8, 8, 5))
        widths = (8, 8)
        if inception:
            first, widths = (_Inception(3, 1, 4, 4, 2), _Inception(11, 2, 4, 4, 2)), (11, 12)
        blocks = zip(
            (*first, _Conv(widths[1], 16, 5), _Conv(16, 16, 5)),
            (*widths, 16, 16),
            (2, 2, 2, 4),
            strict=True,
        )
        self.body = nn.Sequential(
            *(
                nn.Sequential(block, nn.BatchNorm2d(width, eps=BN_EPS), nn.MaxPool2d(pool))
                for block, width, pool in blocks
            )
        )
        # the published file lists no LeakyReLU, the published code has one
        self.head = nn.Sequential(nn.Linear(1024, 16), nn.LeakyReLU(0.1), nn.Linear(16, 1))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return fake logits (N,) of pictures (N, 3, 256, 256), 0..255."""
        maps = self.body(x / 255)
        flat = maps.permute(0, 2, 3, 1).flatten(1)  # Keras flattens rows, columns, channels
        genuine: torch.Tensor = self.head(flat)[:, 0]  # the published logit is that of P(real)
        return -genuine


def is_inception(name: str) -> bool:
    """Return whether the detector of that name has inception blocks."""
    return name.startswith("mesoinception")


def expected_tensors(name: str) -> dict[str, tuple[tuple[int, ...], str]]:
    """Return name, shape and dtype of every tensor in the converted file."""
    return {key: (tuple(value.shape), "float32") for key, value in _wanted(name).items()}


def _wanted(name: str) -> dict[str, torch.Tensor]:
    state = MesoNet(inception=is_inception(name)).state_dict()
    return {k: v for k, v in state.items() if not k.endswith("num_batches_tracked")}


# --- conversion ---------------------------------------------------------------------------------


def identify(data: bytes, shown: str) -> str:
    """Return which detector a published file is for.

    Raises
    ------
    ModelError
        If it is none of the four.
    """
    digest = hashlib.sha256(data).hexdigest()
    for name, known in PUBLISHED.items():
        if (len(data), digest) == (known.bytes, known.sha256):
            return name
    files = ", ".join(known.file for known in PUBLISHED.values())
    raise ModelError(
        "not a published MesoNet file",
        phrase(
            "{shown}: {n} bytes, SHA-256 {digest}...", shown=shown, n=len(data), digest=digest[:12]
        ),
        "Give one of {files} from github.com/DariusAf/MesoNet, as it was published.",
        files=files,
    )


def convert(data: bytes, name: str) -> bytes:
    """Return the safetensors file of a verified ``.h5``; the same bytes each time.

    Layers are matched in the order in which they were made: by the number at the end of their
    name. The order in the file is another one in the inception nets.
    """
    import h5py
    from safetensors.numpy import save

    found: dict[str, list[tuple[int, list[NDArray[np.float32]]]]] = {
        "conv2d": [],
        "batch_normalization": [],
        "dense": [],
    }
    with h5py.File(io.BytesIO(data), "r") as file:
        for layer in map(_text, file.attrs["layer_names"]):
            kind, _, number = layer.rpartition("_")
            if kind in found:
                group = file[layer]
                arrays = [np.asarray(group[_text(w)]) for w in group.attrs["weight_names"]]
                found[kind].append((int(number), arrays))
    layers = {
        kind: iter([arrays for _, arrays in sorted(entries, key=lambda entry: entry[0])])
        for kind, entries in found.items()
    }
    tensors: dict[str, NDArray[np.float32]] = {}
    for key, module in MesoNet(inception=is_inception(name)).named_modules():
        if isinstance(module, nn.Conv2d):
            kernel, bias = next(layers["conv2d"])
            tensors |= {f"{key}.weight": kernel.transpose(3, 2, 0, 1), f"{key}.bias": bias}
        elif isinstance(module, nn.BatchNorm2d):
            parts = ("weight", "bias", "running_mean", "running_var")
            arrays = next(layers["batch_normalization"])
            tensors |= {f"{key}.{p}": a for p, a in zip(parts, arrays, strict=True)}
        elif isinstance(module, nn.Linear):
            kernel, bias = next(layers["dense"])
            tensors |= {f"{key}.weight": kernel.T, f"{key}.bias": bias}
    return save({k: np.ascontiguousarray(tensors[k], np.float32) for k in sorted(tensors)})


def _text(name: str | bytes) -> str:
    return name.decode() if isinstance(name, bytes) else str(name)


def add(path: Path, folder: Path) -> tuple[str, Path]:
    """Verify a published file, convert it, and put it into a folder; see `registry.add_weights`.

    Returns
    -------
    str, Path
        The detector's name, and the file that was written.

    Raises
    ------
    ModelError
        If the file cannot be read, is not a published one, or does not convert as it should.
    """
    limit = max(known.bytes for known in PUBLISHED.values())
    try:
        with path.open("rb") as file:
            data = file.read(limit + 1)  # one more shows a file too long
    except OSError as error:
        raise ModelError("a file cannot be read", f"{show_name(path)}: {error.strerror}") from error
    name = identify(data, show_name(path))
    converted = convert(data, name)
    if hashlib.sha256(converted).hexdigest() != PUBLISHED[name].converted_sha256:
        raise ModelError(
            "a weight file did not convert as it should", PUBLISHED[name].file, models.SETUP
        )
    folder.mkdir(parents=True, exist_ok=True)
    where = folder / f"{name}.safetensors"
    atomic_write(where, converted)
    return name, where


# --- the detector -------------------------------------------------------------------------------


def canary_picture() -> NDArray[np.uint8]:
    """Return the picture on which the weights must answer as published: (S, S, 3) uint8."""
    y, x = np.mgrid[:SIZE, :SIZE].astype(np.float64)
    waves = [np.sin(x / (9 + 2 * c)) + np.cos((x + 2 * y) / (13 + c)) for c in range(3)]
    return np.rint(127.5 + 60 * np.stack(waves, axis=2)).clip(0, 255).astype(np.uint8)


class MesoNetDetector:
    """One of the four published MesoNets.

    Parameters
    ----------
    name
        One of `registry.MESONETS`.
    device
        ``"auto"``, ``"cpu"``, ``"cuda"`` or ``"mps"``.
    weights
        The converted file, as `add` wrote it.

    Raises
    ------
    ModelError
        If the weights are missing or others, or the canary picture gets another logit.
    """

    def __init__(self, name: str, *, weights: Path, device: str = "auto") -> None:
        known = PUBLISHED[name]
        if not weights.is_file():
            raise ModelError(
                "the weights of {name} are not here",
                weights.name,
                "Get {file} from github.com/DariusAf/MesoNet, then run: "
                "python -m toolkit weights FILE.h5",
                name=name,
                file=known.file,
            )
        runtime.prepare()
        self._device = runtime.pick_device(device)
        tensors = models.load_safetensors(
            weights, sha256=known.converted_sha256, expected=expected_tensors(name)
        )
        self.net = MesoNet(inception=is_inception(name)).eval()
        # what the file does not hold is the count of training batches, which nothing here reads
        self.net.load_state_dict({k: torch.from_numpy(v) for k, v in tensors.items()}, strict=False)
        self.net.to(self._device)
        kind = "MesoInception4" if is_inception(name) else "Meso4"
        self.card = Card(
            name=name,
            title=(
                f"{kind}, published weights trained on {known.trained_on}: a teaching example. "
                "Its crop is approximated by the face-oval square, not turned level"
            ),
            weights_sha256=known.converted_sha256,
            threshold=0.0,  # P(real) = 0.5, as published
            licence="Apache-2.0 (DariusAf/MesoNet); trained on data under research terms",
            blind_to=(
                f"manipulations other than {known.trained_on}",
                "edits outside the face",
                "sound",
            ),
            threshold_measured=False,
            training=known.trained_on,
        )
        self.spec = InputSpec(size=SIZE, margin=MARGIN)
        answer = float(self.logits(canary_picture()[None])[0])
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

    @property
    def device(self) -> str:
        """Where it computes: cpu, cuda or mps."""
        return self._device.type

    @property
    def batch(self) -> int:
        """How many crops are judged at once."""
        return BATCH[self._device.type]

    @torch.inference_mode()
    def logits(self, rgb: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Return the fake logits (N,) of crops (N, 256, 256, 3) uint8."""
        x = torch.from_numpy(np.ascontiguousarray(rgb)).permute(0, 3, 1, 2)
        out: NDArray[np.float32] = self.net(x.to(self._device).float()).cpu().numpy()
        return out

    def evidence(self, crops: FaceCrops, *, tick: Tick = no_tick) -> Evidence:
        """Return one logit per crop; these nets have no patch map."""
        n, step = len(crops.rgb), self.batch
        logits = np.zeros(n, np.float32)
        for start in range(0, n, step):
            tick("detect", start, n)
            logits[start : start + step] = self.logits(crops.rgb[start : start + step])
        tick("detect", n, n)
        return Evidence.per_frame(logits)
