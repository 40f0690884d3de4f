"""A detector of one's own in a notebook: any object with three attributes.

::

    class Mine:
        size = 224                       # side of the face crops it wants, pixels
        fake = 1                         # which output means fake
        def __call__(self, crops):       # (N, 224, 224, 3) uint8 RGB -> outputs (N,) or (N, K)
            return my_network(crops)

    toolkit.analyse("clip.mp4", detector=Mine())

A `torch.nn.Module` with `size` and `fake` is called with tensors instead, (N, 3, S, S) float32,
normalised by its `mean` and `std` (of 0..1; 0 and 1 where it has none), and is open to gradients.
What else is known may be said in further attributes: `real`, `scale`, `margin`, `crop`, `colour`,
`name`, `title`, `threshold`, `licence`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from toolkit.detectors.base import Card, Detector, InputSpec
from toolkit.detectors.foreign import BlackBox, ForeignDetector, NetworkDetector, tensor_of
from toolkit.detectors.reading import Answer, Reading
from toolkit.errors import DetectorError, ToolkitError
from toolkit.messages import phrase

NAME = "own"
FIVE_LINES = (
    "It must be callable, with the attributes size (pixels) and fake (which output means fake); "
    "see toolkit.detectors.own."
)


def is_detector(thing: object) -> bool:
    """Return whether an object is a detector already."""
    return all(hasattr(thing, name) for name in ("card", "spec", "evidence"))


def adapt(thing: Any, *, device: str = "auto") -> Detector:
    """Return an object as a detector: as it is, or wrapped where it has the three attributes.

    Raises
    ------
    DetectorError
        If it is neither; the remedy names what it must have.
    """
    if is_detector(thing):
        detector: Detector = thing
        return detector
    lacking = [name for name in ("size", "fake") if not hasattr(thing, name)]
    if not callable(thing) or lacking:
        what = ", ".join([*([] if callable(thing) else ["__call__"]), *lacking])
        raise DetectorError(
            "this object is no detector",
            phrase("{kind} lacks {what}", kind=type(thing).__name__, what=what),
            FIVE_LINES,
        )
    known: dict[str, Any] = {"margin": 0.125, "crop": "oval", "outside": "repeat", "colour": "rgb"}
    known = {k: getattr(thing, k, v) for k, v in known.items()}
    mean, std = (getattr(thing, k, (v,) * 3) for k, v in (("mean", 0.0), ("std", 1.0)))
    spec = InputSpec(int(thing.size), known["margin"], known["crop"], known["outside"])
    reading = Reading(tuple(map(float, mean)), tuple(map(float, std)), known["colour"])  # type: ignore[arg-type]
    card = Card(
        name=str(getattr(thing, "name", NAME)),
        title=str(getattr(thing, "title", type(thing).__name__)),
        weights_sha256="",
        threshold=float(getattr(thing, "threshold", 0.0)),
        licence=str(getattr(thing, "licence", "")),
        blind_to=(),
        normalisation=(reading.mean, reading.std),
        threshold_measured=False,
    )
    placeholder = Answer((0,))
    detector_: ForeignDetector
    if isinstance(thing, nn.Module):
        detector_ = NetworkDetector(thing, card, spec, reading, placeholder, device=device)
    else:
        detector_ = _Callable(thing, card, spec, placeholder)
    return detector_.but(answer=_answer(thing, detector_))


def _answer(thing: Any, detector: ForeignDetector) -> Answer:
    """Return what its outputs mean; how many there are is seen on one grey picture."""
    size = detector.spec.size
    try:
        n = detector.outputs(np.full((1, size, size, 3), 128, np.uint8)).shape[1]
    except ToolkitError:
        raise
    except Exception as error:
        raise DetectorError(
            "the detector fails on a grey picture",
            phrase("{name}: {why}", name=type(error).__name__, why=str(error)[:200]),
            FIVE_LINES,
        ) from error
    fake = _numbers(thing.fake)
    if hasattr(thing, "real"):
        real = _numbers(thing.real)
    elif n > 2:
        raise DetectorError(
            "the network has another number of outputs than are named",
            phrase("{n} outputs, {named} named", n=n, named=len(fake)),
            "Say of every output, from 0, whether it means fake or real.",
        )
    else:
        real = tuple(i for i in range(n) if i not in fake)
    answer = Answer(fake, real, getattr(thing, "scale", "logits"))
    if answer.outputs != n:
        raise DetectorError(
            "the network has another number of outputs than are named",
            phrase("{n} outputs, {named} named", n=n, named=answer.outputs),
            "Say of every output, from 0, whether it means fake or real.",
        )
    return answer


def _numbers(value: Any) -> tuple[int, ...]:
    if value is None:
        return ()
    return tuple(int(v) for v in value) if isinstance(value, tuple | list) else (int(value),)


class _Callable(BlackBox):
    """A callable that takes crops as they are: RGB, uint8, pixels last."""

    def __init__(
        self, call: Callable[[NDArray[np.uint8]], Any], card: Card, spec: InputSpec, answer: Answer
    ) -> None:
        super().__init__(lambda x: x, card, spec, Reading(), answer)
        self._call = call

    def outputs(self, rgb: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Return its own outputs (N, K) for crops (N, S, S, 3)."""
        if self.reading.colour == "bgr":
            rgb = np.ascontiguousarray(rgb[..., ::-1])
        out = self._call(rgb)
        if isinstance(out, torch.Tensor):
            out = tensor_of(out).detach().cpu().numpy()
        out = np.asarray(out, np.float32)
        if not 1 <= out.ndim <= 2 or len(out) != len(rgb):
            raise DetectorError(
                "the detector does not give one row of outputs per crop",
                phrase("{shape} for {n} crops", shape=str(out.shape), n=len(rgb)),
                "It must return outputs of shape (N,) or (N, K).",
            )
        return out.reshape(len(out), -1)
