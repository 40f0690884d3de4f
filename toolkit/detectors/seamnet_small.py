"""The small SeamNet: a patch-additive network of 2.9 MB, trained on self-blended faces only.

It judges where speed counts, and where the body of the larger one (`seamnet2`) is not here.

It looks for the traces of blending a face region into a picture, patch by patch, and pools the
patch logits with a log-mean-exp, so that its verdict is a sum over patches by construction. It is
weak on fully synthetic video, on lip-sync without a seam, and blind to edits outside the face.
"""

from __future__ import annotations

import copy
import math
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import timm
import torch
from numpy.typing import NDArray
from torch import nn

from toolkit import models, runtime
from toolkit._i18n import N_
from toolkit.detectors.base import Card, HeldBack, InputSpec
from toolkit.detectors.canary import SIZE, canary_picture
from toolkit.errors import ModelError
from toolkit.files import parse_json
from toolkit.messages import phrase
from toolkit.types import Evidence, FaceCrops, PatchHead, Tick, no_tick

NAME = "seamnet-small"
WEIGHTS = models.ROOT / "models" / "seamnet-small.safetensors"
CANARY_TOLERANCE = 1e-3
BLOCKS = 5
TAU = 4.0
GRID = 14  # patch logits per side; nominal tiles of 16 px
MARGIN = 0.125  # of the face oval's longer side, on each side
MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)

_CHANNELS = 112  # after the fifth block of the body


def new_body() -> nn.Module:
    """Return an EfficientNet-Lite0 with random weights."""
    body: nn.Module = timm.create_model("tf_efficientnet_lite0", pretrained=False)
    return body


class SeamNet(nn.Module):
    """Truncated EfficientNet-Lite0 with a 1x1 head and log-mean-exp pooling.

    Lite0 has no squeeze-excite, hence no hidden global path. At five blocks the receptive field is
    larger than the crop: a patch logit is an exact term of the verdict, but it may read context.
    """

    mean: torch.Tensor
    std: torch.Tensor

    def __init__(self, body: nn.Module | None = None, *, tau: float = TAU) -> None:
        super().__init__()
        whole: Any = body or new_body()
        self.stem = nn.Sequential(whole.conv_stem, whole.bn1)
        self.blocks = whole.blocks[:BLOCKS]
        self.head = nn.Sequential(
            nn.Conv2d(_CHANNELS, 128, 1, bias=False),
            nn.BatchNorm2d(128),
            nn.ReLU6(),
            nn.Dropout2d(0.2),
            nn.Conv2d(128, 1, 1),
        )
        self.tau = tau
        self.log_a = nn.Parameter(torch.zeros(()))  # the scale stays positive: no inverted maps
        self.b = nn.Parameter(torch.zeros(()))
        self.register_buffer("mean", torch.tensor(MEAN).view(1, 3, 1, 1), persistent=False)
        self.register_buffer("std", torch.tensor(STD).view(1, 3, 1, 1), persistent=False)

    def forward(self, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Return logits (N,) and patch logits (N, 14, 14) of pictures (N, 3, 224, 224), 0..255."""
        x = (x / 255 - self.mean) / self.std
        patches = self.head(self.blocks(self.stem(x)))[:, 0]
        flat = patches.flatten(1) * self.tau
        pooled = (torch.logsumexp(flat, 1) - math.log(flat.shape[1])) / self.tau
        return self.log_a.exp() * pooled + self.b, patches


N = TypeVar("N", bound=nn.Module)


def placed(net: N, device: torch.device) -> N:
    """Return the network on a device, in the memory layout that is fastest there."""
    net.to(device)
    net.to(memory_format=torch.channels_last)
    return net


def expected_tensors() -> dict[str, tuple[tuple[int, ...], str]]:
    """Return name, shape and dtype of every tensor in the weight file."""
    known = {
        k: (tuple(v.shape), str(v.dtype).removeprefix("torch."))
        for k, v in SeamNet().state_dict().items()
    }
    return known | {"reference": ((GRID, GRID), "float32")}


class SeamNetDetector:
    """SeamNet with its bundled weights, threshold and numeric reference.

    Parameters
    ----------
    device
        ``"auto"``, ``"cpu"``, ``"cuda"`` or ``"mps"``.
    weights
        A ``.safetensors`` file with its card ``.json`` beside it.

    Raises
    ------
    ModelError
        If weights and card do not belong together, or the canary picture gets another logit.
    """

    def __init__(self, *, device: str = "auto", weights: Path = WEIGHTS) -> None:
        runtime.prepare()
        self._device = runtime.pick_device(device)
        facts = self._read_card(weights.with_suffix(".json"))
        tensors = models.load_safetensors(
            weights, sha256=facts["sha256"], expected=expected_tensors()
        )
        reference = tensors.pop("reference")
        net = SeamNet()
        net.load_state_dict({k: torch.from_numpy(v.copy()) for k, v in tensors.items()})
        self.net: nn.Module = placed(net.eval(), self._device)
        self.head = PatchHead(
            tau=net.tau,
            scale=float(net.log_a.detach().exp()),
            bias=float(net.b.detach()),
            reference=reference,
        )
        self.card = Card(
            name=NAME,
            title="Small SeamNet: patch-additive, trained on self-blended faces",
            weights_sha256=facts["sha256"],
            threshold=float(facts["threshold"]),
            licence="Apache-2.0; trained on faces under research terms, see seamnet-small.md",
            blind_to=(
                N_("fully synthetic video"),
                N_("lip-sync without a seam"),
                N_("edits outside the face"),
                N_("cut or slowed genuine footage"),
                N_("sound"),
            ),
            held_back=HeldBack(**facts["held_back"]) if facts.get("held_back") else None,
            trained_on=tuple(facts.get("training_clips", ())),
            normalisation=(MEAN, STD),
        )
        self.spec = InputSpec(size=SIZE, margin=MARGIN)
        answer = float(self.logits(canary_picture()[None])[0])
        if abs(answer - facts["canary_logit"]) > CANARY_TOLERANCE:
            raise ModelError(
                "the detector does not answer as its card says",
                phrase(
                    "canary logit {answer:.5f}, expected {expected:.5f}",
                    answer=answer,
                    expected=facts["canary_logit"],
                ),
                "Do not use this installation: run 'python start.py setup' again.",
            )

    @staticmethod
    def _read_card(path: Path) -> dict[str, Any]:
        try:
            facts: dict[str, Any] = parse_json(path.read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            raise ModelError(
                "the card of the weights cannot be read", path.name, models.SETUP
            ) from error
        if "blocks" in facts:  # such as for training to go on from
            raise ModelError(
                "these are weights of the large network",
                path.with_suffix(".safetensors").name,
                "Give weights of the small one, such as seamnet-small.safetensors.",
            )
        missing = [k for k in ("sha256", "threshold", "canary_logit") if k not in facts]
        if missing:
            raise ModelError(
                "the card of the weights is not complete",
                phrase("{name} lacks {missing}", name=path.name, missing=", ".join(missing)),
                models.SETUP,
            )
        return facts

    @property
    def device(self) -> str:
        """Where it computes: cpu, cuda or mps."""
        return self._device.type

    @property
    def batch(self) -> int:
        """How many crops are judged at once."""
        return runtime.BATCH[self._device.type]

    def with_network(self, net: nn.Module) -> SeamNetDetector:
        """Return a copy that judges with another network, such as a faster form of its own."""
        other = copy.copy(self)
        other.net = net
        return other

    def logits(self, rgb: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Return the logits (N,) of crops (N, S, S, 3) uint8."""
        return self._run(rgb)[0]

    def _run(self, rgb: NDArray[np.uint8]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        logits, patches = runtime.run_in_parts(self._forward, rgb, self._move_to_cpu)
        return logits, patches

    def _move_to_cpu(self) -> None:
        self._device = torch.device("cpu")
        self.net.to(self._device)

    @torch.inference_mode()
    def _forward(self, rgb: NDArray[np.uint8]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        x = torch.from_numpy(np.ascontiguousarray(rgb)).permute(0, 3, 1, 2)  # channels last already
        logits, patches = self.net(x.to(self._device).float())
        return logits.float().cpu().numpy(), patches.float().cpu().numpy()

    def evidence(self, crops: FaceCrops, *, tick: Tick = no_tick) -> Evidence:
        """Return one logit and one 14 x 14 patch map per crop."""
        n, step = len(crops.rgb), self.batch
        logits = np.zeros(n, np.float32)
        patches = np.zeros((n, GRID, GRID), np.float32)
        for start in range(0, n, step):
            tick("detect", start, n)
            logits[start : start + step], patches[start : start + step] = self._run(
                crops.rgb[start : start + step]
            )
        tick("detect", n, n)
        return Evidence.per_frame(logits, patches, self.head)
