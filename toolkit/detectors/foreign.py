"""Detectors that somebody else made, behind the protocol of the house.

What such a detector offers decides what can be explained (`kinds`): `BlackBox` only answers,
`NetworkDetector` opens its network to gradients as well. Both judge face by face.
"""

from __future__ import annotations

import copy
import dataclasses
from abc import abstractmethod
from collections.abc import Callable
from functools import cached_property
from typing import Any, Self

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from toolkit import runtime
from toolkit.detectors.base import Card, FrameDetector, InputSpec
from toolkit.detectors.reading import Answer, Reading
from toolkit.errors import DetectorError
from toolkit.messages import phrase

Ask = Callable[[NDArray[np.float32]], NDArray[np.floating]]
"""Takes pictures (N, 3, S, S) as the network wants them, returns its outputs (N,) or (N, K)."""

LARGE = 50_000_000
"""A network of more numbers judges one crop at a time on a CPU, with all cores."""


class ForeignDetector(FrameDetector):
    """What black boxes and open networks have in common: how crops go in and what comes out.

    Parameters
    ----------
    card, spec
        As for every detector.
    reading, answer
        How pictures are read, and what the outputs mean.
    """

    def __init__(self, card: Card, spec: InputSpec, reading: Reading, answer: Answer) -> None:
        self.card, self.spec, self.reading, self.answer = card, spec, reading, answer

    def but(self, **changes: Any) -> Self:
        """Return a copy with another `card`, `spec`, `reading` or `answer`; the network is shared.

        Checks use it to try what else could have been meant.
        """
        other = copy.copy(self)
        other.__dict__.pop("net", None)
        for name, value in changes.items():
            setattr(other, name, value)
        if "reading" in changes:
            normalisation = (self.reading.mean, self.reading.std)
            if self.card.normalisation == normalisation:
                read = changes["reading"]
                other.card = dataclasses.replace(other.card, normalisation=(read.mean, read.std))
        return other

    @abstractmethod
    def _outputs(self, pictures: torch.Tensor) -> torch.Tensor:
        """Return the network's outputs for what it was trained on (N, 3, S, S)."""

    def outputs(self, rgb: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Return the network's own outputs (N, K) for crops (N, S, S, 3), before any reading."""
        x = torch.from_numpy(np.ascontiguousarray(rgb)).permute(0, 3, 1, 2).float()
        with torch.inference_mode():
            out = self._outputs(self.reading.read(x)).float().cpu()
        if len(out) != len(rgb) or not 1 <= out.ndim <= 2:
            raise DetectorError(
                "the detector does not give one row of outputs per crop",
                phrase("{shape} for {n} crops", shape=str(tuple(out.shape)), n=len(rgb)),
                "It must return outputs of shape (N,) or (N, K).",
            )
        return out.reshape(len(out), -1).numpy()

    def logits(self, rgb: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Return the fake logits (N,) of crops (N, S, S, 3) uint8."""
        if not len(rgb):
            return np.zeros(0, np.float32)
        logits = self.answer.logits(torch.from_numpy(self.outputs(rgb).astype(np.float64)))
        return logits.numpy().astype(np.float32)


class BlackBox(ForeignDetector):
    """A detector that only answers: what is inside cannot be asked.

    Parameters
    ----------
    ask
        See `Ask`.
    card, spec, reading, answer
        As for `ForeignDetector`.
    device, batch
        Where it computes, and how many crops it takes at once.
    """

    def __init__(
        self,
        ask: Ask,
        card: Card,
        spec: InputSpec,
        reading: Reading,
        answer: Answer,
        *,
        device: str = "cpu",
        batch: int = 4,
    ) -> None:
        super().__init__(card, spec, reading, answer)
        self._ask, self.device, self.batch = ask, device, batch

    def _outputs(self, pictures: torch.Tensor) -> torch.Tensor:
        return torch.from_numpy(np.array(self._ask(pictures.numpy()), np.float32))


class Whole(nn.Module):
    """A foreign network from pictures of 0..255 to fake logits: what gradients are taken of.

    Parameters
    ----------
    body
        Takes pictures as it was trained on, returns outputs (N, K) or (N,).
    reading, answer
        How pictures are read, and what the outputs mean.
    """

    def __init__(self, body: nn.Module, reading: Reading, answer: Answer) -> None:
        super().__init__()
        self.body, self._reading, self._answer = body, reading, answer

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return fake logits (N,) of RGB pictures (N, 3, S, S), 0..255."""
        return self._answer.logits(tensor_of(self.body(self._reading.read(x))))


def tensor_of(out: Any) -> torch.Tensor:
    """Return the outputs in what a network returned: a tensor, the first of a tuple, `.logits`.

    Raises
    ------
    DetectorError
        If there is no tensor in it.
    """
    if isinstance(out, tuple | list) and out:
        out = out[0]
    out = getattr(out, "logits", out)
    if not isinstance(out, torch.Tensor):
        raise DetectorError(
            "the network returns no tensor", type(out).__name__, "Wrap it so that it does."
        )
    return out


class NetworkDetector(ForeignDetector):
    """A torch module that somebody else made, open to gradients.

    Parameters
    ----------
    body
        See `Whole`; it is put into evaluation mode and moved to the device.
    card, spec, reading, answer
        As for `ForeignDetector`.
    device
        ``"auto"``, ``"cpu"``, ``"cuda"`` or ``"mps"``.
    """

    def __init__(
        self,
        body: nn.Module,
        card: Card,
        spec: InputSpec,
        reading: Reading,
        answer: Answer,
        *,
        device: str = "auto",
    ) -> None:
        super().__init__(card, spec, reading, answer)
        runtime.prepare()
        where = runtime.pick_device(device)
        self.device = where.type
        self._body = body.eval().requires_grad_(False).to(where)
        self.is_large = sum(p.numel() for p in body.parameters()) > LARGE
        self.batch = runtime.BATCH[where.type]
        if self.is_large:
            self.batch = 1 if where.type == "cpu" else 16

    @cached_property
    def net(self) -> nn.Module:
        """The network from pictures of 0..255 to fake logits."""
        return Whole(self._body, self.reading, self.answer).eval()

    def _outputs(self, pictures: torch.Tensor) -> torch.Tensor:
        if self.is_large and self.device == "cpu":
            with runtime.all_cores():
                return tensor_of(self._body(pictures))
        return tensor_of(self._body(pictures.to(self.device)))
