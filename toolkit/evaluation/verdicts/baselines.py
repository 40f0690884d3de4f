"""Controls: scores that know nothing of forgeries, from the file and the face crops alone.

A detector that does not beat them may only have learned which clips are large, blurred, or of a
certain source. They run as detectors named ``control.*`` beside the real ones.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import torch
from numpy.typing import NDArray

from toolkit import runtime
from toolkit.detectors.base import Card, FrameDetector, InputSpec
from toolkit.detectors.canary import SIZE
from toolkit.detectors.seamnet_small import MARGIN, SeamNet, placed
from toolkit.errors import UnknownNameError, UsageError
from toolkit.verdict.calibration import fit_logistic

SIZE_CONTROL, BLUR, IMAGENET = "control.size", "control.blur", "control.imagenet"
NAMES = (SIZE_CONTROL, BLUR, IMAGENET)
MAY_TURN = (SIZE_CONTROL, BLUR)
"""These have no side of their own; a comparison takes the better one."""

RIDGE = 1.0


class Features:
    """Frozen ImageNet features of face crops: the untrained body of SeamNet, mean over the map."""

    def __init__(self, network: Callable[[], SeamNet], *, device: str = "auto") -> None:
        runtime.prepare()
        self._device = runtime.pick_device(device)
        self._net = placed(network().eval(), self._device)

    @torch.inference_mode()
    def __call__(self, rgb: NDArray[np.uint8]) -> NDArray[np.float64]:
        """Return the mean features of the crops (N, S, S, 3): (C,)."""
        net, total, step = self._net, 0.0, runtime.BATCH[self._device.type]
        for start in range(0, len(rgb), step):
            part = torch.from_numpy(np.ascontiguousarray(rgb[start : start + step]))
            x = part.permute(0, 3, 1, 2).to(self._device).float()
            maps = net.blocks(net.stem((x / 255 - net.mean) / net.std))
            total = total + maps.mean(dim=(2, 3)).sum(dim=0).double().cpu().numpy()
        return np.asarray(total / len(rgb))


class Nobody(FrameDetector):
    """Stands in for a detector where only controls run: it wants the usual crops and says zero."""

    card = Card("control", "no detector", "", 0.0, "", ())
    spec = InputSpec(SIZE, MARGIN)

    def logits(self, rgb: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Return zeros."""
        return np.zeros(len(rgb), np.float32)


def held_out_logits(
    features: Sequence[NDArray[np.float64] | None],
    labels: Sequence[bool],
    scenes: Sequence[str],
    train: Sequence[bool],
) -> list[float | None]:
    """Return a logit per clip from a logistic regression on all other scenes.

    Parameters
    ----------
    features
        One vector per clip; None where there is no face.
    labels, scenes
        Whether it is forged; what must not be both fitted on and judged.
    train
        Whether a clip may be fitted on.

    Returns
    -------
    list of float or None
        0 = as likely forged as not when both labels are equally common. None without features, or
        when the other scenes lack a label.
    """
    out: list[float | None] = [None] * len(features)
    for scene in sorted(set(scenes)):
        rows = [
            (f, y)
            for f, y, s, use in zip(features, labels, scenes, train, strict=True)
            if f is not None and use and s != scene
        ]
        y = np.array([label for _, label in rows], bool)
        if not y.any() or y.all():
            continue
        x = np.stack([f for f, _ in rows])
        mean, spread = x.mean(axis=0), x.std(axis=0) + 1e-9
        weights = fit_logistic((x - mean) / spread, y, ridge=RIDGE)
        prior = float(np.log(y.sum() / (~y).sum()))
        for i, f in enumerate(features):
            if scenes[i] == scene and f is not None:
                out[i] = float((f - mean) / spread @ weights[:-1] + weights[-1]) - prior
    return out


def check(names: Sequence[str], network: Callable[[], SeamNet] | None) -> None:
    """Refuse controls that do not exist or cannot run.

    Raises
    ------
    UsageError
        If a name is unknown, or ImageNet features are asked for without a network.
    """
    for name in names:
        if name not in NAMES:
            raise UnknownNameError("there is no such control", name, "Known: {known}.", known=NAMES)
    if IMAGENET in names and network is None:
        raise UsageError(
            "this control needs the ImageNet network",
            IMAGENET,
            "Pass imagenet=toolkit.training.train.new_network.",
        )
