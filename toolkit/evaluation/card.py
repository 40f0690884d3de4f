"""Write what the benchmark found about genuine clips into a detector's card."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

from toolkit.detectors.base import HeldBack
from toolkit.errors import UsageError
from toolkit.files import atomic_write


def held_back(result: dict[str, Any], detector: str, training_clips: list[str]) -> HeldBack:
    """Count how genuine clips fared that were kept from training.

    Parameters
    ----------
    result
        What `verdicts.benchmark` returned.
    detector
        Whose rows to count.
    training_clips
        File names without folder or suffix; clips that a training picture was taken from.
    """
    rows = [
        r
        for r in result["clips"]
        if r["detector"] == detector
        and r["label"] == "real"
        and Path(r["path"]).stem not in training_clips
    ]
    judged = [r for r in rows if not r["abstained"]]
    threshold = result["summary"][detector]["threshold"]
    called = sum(r["logit"] >= threshold for r in judged)
    return HeldBack(len(judged), called, len(rows) - len(judged))


def record(card: Path, result: dict[str, Any]) -> HeldBack:
    """Write the count into the JSON card beside the weights, of the detector that has them.

    Raises
    ------
    UsageError
        If the card does not say which clips were trained on, or belongs to other weights.
    """
    facts = json.loads(card.read_text(encoding="utf-8"))
    if "training_clips" not in facts:
        raise UsageError("the card does not name the training clips", card.name, "Add the list.")
    weights = result["settings"]["detectors"]
    detector = next((n for n, sha256 in weights.items() if sha256 == facts["sha256"]), None)
    if detector is None:
        raise UsageError("the benchmark was run with other weights", card.name, "Run it again.")
    found = held_back(result, detector, facts["training_clips"])
    atomic_write(card, json.dumps(facts | {"held_back": asdict(found)}, indent=1) + "\n")
    return found
