"""What a detector offers, and so what can be explained of it; never read from its name."""

from __future__ import annotations

from typing import Literal

from toolkit.detectors.base import Detector, opens_network
from toolkit.messages import Message, phrase

Kind = Literal["black_box", "network", "patch_additive", "whole_clip"]


def kind_of(detector: Detector) -> Kind:
    """Return which kind a detector is; it is not built or run for the question.

    Returns
    -------
    str
        ``"whole_clip"``: it looks at spans of a track. ``"patch_additive"``: its logit is a sum
        over patches. ``"network"``: its network is open to gradients. ``"black_box"``: it answers.
    """
    if detector.batch is None:
        return "whole_clip"
    if not opens_network(detector):
        return "black_box"
    return "patch_additive" if hasattr(detector, "head") else "network"


def lacks(detector: Detector) -> tuple[Message, ...]:
    """Return, one sentence each, what cannot be shown of a detector, for the screens it is not on.

    The other explanations are all there: a detector that offers less loses no screen.
    """
    kind = kind_of(detector)
    sentences = []
    if kind == "whole_clip":
        sentences.append(
            phrase("This detector judges stretches: nothing can be asked of a single frame.")
        )
    if kind in {"black_box", "whole_clip"}:
        sentences.append(
            phrase(
                "The network is not open here: methods that need gradients or layers are left out."
            )
        )
    if kind != "patch_additive":
        sentences.append(
            phrase(
                "This detector has no patch logits: the sum is divided over frames, and over "
                "regions only by replacing them."
            )
        )
    return tuple(sentences)
