"""What both SeamNets share: patch logits in, one logit out, and a card that they must keep to."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from toolkit import models, runtime
from toolkit.errors import ModelError
from toolkit.files import parse_json
from toolkit.messages import phrase
from toolkit.types import Evidence, FaceCrops, PatchHead, Tick, no_tick

GRID = 14  # patch logits per side; nominal tiles of 16 px


class Readout(nn.Module):
    """Pools patch logits with a log-mean-exp, scaled and shifted by two learned numbers."""

    def add_scale(self, tau: float) -> None:
        """Make the two numbers; where that is done is their place among the parameters.

        Parameters
        ----------
        tau
            Sharpness of the pooling.
        """
        self.tau = tau
        self.log_a = nn.Parameter(torch.zeros(()))  # the scale stays positive: no inverted maps
        self.b = nn.Parameter(torch.zeros(()))

    def pool(self, patches: torch.Tensor) -> torch.Tensor:
        """Return the logits (N,) of patch logits (N, 14, 14)."""
        flat = patches.flatten(1) * self.tau
        pooled = (torch.logsumexp(flat, 1) - math.log(flat.shape[1])) / self.tau
        return self.log_a.exp() * pooled + self.b

    def patch_head(self, reference: NDArray[np.float32]) -> PatchHead:
        """Return what the pooling is made of, for the ledger; `reference` (14, 14) patch logits."""
        return PatchHead(
            tau=self.tau,
            scale=float(self.log_a.detach().exp()),
            bias=float(self.b.detach()),
            reference=reference,
        )

    def expected_tensors(self) -> dict[str, tuple[tuple[int, ...], str]]:
        """Return name, shape and dtype of every tensor in the weight file."""
        known = {
            k: (tuple(v.shape), str(v.dtype).removeprefix("torch."))
            for k, v in self.state_dict().items()
        }
        return known | {"reference": ((GRID, GRID), "float32")}


class PatchJudge:
    """A detector that judges crops in batches by a network that answers logits and patch logits."""

    net: nn.Module
    head: PatchHead
    _device: torch.device

    @property
    def device(self) -> str:
        """Where it computes: cpu, cuda or mps."""
        return self._device.type

    @property
    def batch(self) -> int:
        """How many crops are judged at once."""
        return runtime.BATCH[self.device]

    def logits(self, rgb: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Return the logits (N,) of crops (N, S, S, 3) uint8."""
        return self._run(rgb)[0]

    def evidence(self, crops: FaceCrops, *, tick: Tick = no_tick) -> Evidence:
        """Return one logit and one 14 x 14 patch map per crop."""
        n, step = len(crops.rgb), self.batch
        logits = np.zeros(n, np.float32)
        patches = np.zeros((n, GRID, GRID), np.float32)
        for start in range(0, n, step):
            tick("detect", start, n)
            part = slice(start, start + step)
            logits[part], patches[part] = self._run(crops.rgb[part])
        tick("detect", n, n)
        return Evidence.per_frame(logits, patches, self.head)

    def _run(self, rgb: NDArray[np.uint8]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        logits, patches = runtime.run_in_parts(self._forward, rgb, self._move_to_cpu)
        return logits, patches

    def _move_to_cpu(self) -> None:
        self._device = torch.device("cpu")
        self.net.to(self._device)

    @torch.inference_mode()
    def _forward(self, rgb: NDArray[np.uint8]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Judge crops with the network, where it is."""
        x = torch.from_numpy(np.ascontiguousarray(rgb)).permute(0, 3, 1, 2)  # channels last already
        logits, patches = self.net(x.to(self._device).float())
        return logits.float().cpu().numpy(), patches.float().cpu().numpy()


def read_facts(path: Path, needed: Sequence[str]) -> dict[str, Any]:
    """Return the facts of the card beside the weights.

    Parameters
    ----------
    path
        The ``.json``.
    needed
        What it must say.

    Raises
    ------
    ModelError
        If it cannot be read or is not complete.
    """
    try:
        facts: dict[str, Any] = parse_json(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ModelError(
            "the card of the weights cannot be read", path.name, models.SETUP
        ) from error
    if missing := [k for k in needed if k not in facts]:
        raise ModelError(
            "the card of the weights is not complete",
            phrase("{name} lacks {missing}", name=path.name, missing=", ".join(missing)),
            models.SETUP,
        )
    return facts


def check_canary(answer: float, expected: float, tolerance: float) -> None:
    """Refuse to judge where the canary picture gets another logit than on the card.

    Raises
    ------
    ModelError
        If it does.
    """
    if not abs(answer - expected) <= tolerance:  # not a number is another one, too
        raise ModelError(
            "the detector does not answer as its card says",
            phrase(
                "canary logit {answer:.5f}, expected {expected:.5f}",
                answer=answer,
                expected=expected,
            ),
            "Do not use this installation: run 'python start.py setup' again.",
        )
