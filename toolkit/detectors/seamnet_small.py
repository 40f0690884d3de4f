"""The small SeamNet: a patch-additive network of 2.9 MB, trained on self-blended faces only.

It judges where speed counts, and where the body of the larger one (`seamnet2`) is not here.

It looks for the traces of blending a face region into a picture, patch by patch, and pools the
patch logits with a log-mean-exp, so that its verdict is a sum over patches by construction. It is
weak on fully synthetic video, on lip-sync without a seam, and blind to edits outside the face.
"""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any, TypeVar

import timm
import torch
from torch import nn

from toolkit import models, runtime
from toolkit._i18n import N_
from toolkit.detectors.base import Card, HeldBack, InputSpec
from toolkit.detectors.canary import SIZE, canary_picture
from toolkit.detectors.readout import PatchJudge, Readout, check_canary, read_facts
from toolkit.errors import ModelError

NAME = "seamnet-small"
WEIGHTS = models.ROOT / "models" / "seamnet-small.safetensors"
CANARY_TOLERANCE = 1e-3
NEEDED = ("sha256", "threshold", "canary_logit")
"""What the card must say."""
BLOCKS = 5
TAU = 4.0
MARGIN = 0.125  # of the face oval's longer side, on each side
MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)

_CHANNELS = 112  # after the fifth block of the body


def new_body() -> nn.Module:
    """Return an EfficientNet-Lite0 with random weights."""
    body: nn.Module = timm.create_model("tf_efficientnet_lite0", pretrained=False)
    return body


class SeamNet(Readout):
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
        self.add_scale(tau)
        self.register_buffer("mean", torch.tensor(MEAN).view(1, 3, 1, 1), persistent=False)
        self.register_buffer("std", torch.tensor(STD).view(1, 3, 1, 1), persistent=False)

    def forward(self, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Return logits (N,) and patch logits (N, 14, 14) of pictures (N, 3, 224, 224), 0..255."""
        x = (x / 255 - self.mean) / self.std
        patches = self.head(self.blocks(self.stem(x)))[:, 0]
        return self.pool(patches), patches


N = TypeVar("N", bound=nn.Module)


def placed(net: N, device: torch.device) -> N:
    """Return the network on a device, in the memory layout that is fastest there."""
    net.to(device)
    net.to(memory_format=torch.channels_last)
    return net


def read_card(path: Path) -> dict[str, Any]:
    """Return the facts beside the weights.

    Raises
    ------
    ModelError
        If they cannot be read, are not complete, or are those of the large network.
    """
    facts = read_facts(path, ())
    if "blocks" in facts:  # such as for training to go on from
        raise ModelError(
            "these are weights of the large network",
            path.with_suffix(".safetensors").name,
            "Give weights of the small one, such as seamnet-small.safetensors.",
        )
    return read_facts(path, NEEDED)


class SeamNetDetector(PatchJudge):
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
        facts = read_card(weights.with_suffix(".json"))
        net = SeamNet()
        tensors = models.load_safetensors(
            weights, sha256=facts["sha256"], expected=net.expected_tensors()
        )
        reference = tensors.pop("reference")
        net.load_state_dict({k: torch.from_numpy(v.copy()) for k, v in tensors.items()})
        self.net: nn.Module = placed(net.eval(), self._device)
        self.head = net.patch_head(reference)
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
        check_canary(answer, facts["canary_logit"], CANARY_TOLERANCE)

    def with_network(self, net: nn.Module) -> SeamNetDetector:
        """Return a copy that judges with another network, such as a faster form of its own."""
        other = copy.copy(self)
        other.net = net
        return other
