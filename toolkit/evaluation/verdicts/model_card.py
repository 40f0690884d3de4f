"""Write what the benchmark found about genuine clips into a detector's card."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

from toolkit.detectors.base import HeldBack
from toolkit.errors import UsageError
from toolkit.files import atomic_write, parse_json


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
    rows = _kept(result, detector, training_clips)
    judged = [r for r in rows if not r["abstained"]]
    threshold = result["summary"][detector]["threshold"]
    called = sum(r["logit"] >= threshold for r in judged)
    return HeldBack(len(judged), called, len(rows) - len(judged))


def _kept(result: dict[str, Any], detector: str, training_clips: list[str]) -> list[dict[str, Any]]:
    """Return the rows of genuine clips that no training picture was taken from."""
    return [
        r
        for r in result["clips"]
        if r["detector"] == detector
        and r["label"] == "real"
        and Path(r["path"]).stem not in training_clips
    ]


def record(card: Path, result: dict[str, Any]) -> HeldBack:
    """Write count and logits into the JSON card beside the weights, of the detector that has them.

    The logits, `genuine_logits`, are what a clip's verdict is drawn beside.

    Raises
    ------
    UsageError
        If the card does not say which clips were trained on, or belongs to other weights.
    """
    facts = parse_json(card.read_text(encoding="utf-8"))
    if "training_clips" not in facts:
        raise UsageError("the card does not name the training clips", card.name, "Add the list.")
    weights = result["settings"]["detectors"]
    detector = next((n for n, sha256 in weights.items() if sha256 == facts["sha256"]), None)
    if detector is None:
        raise UsageError("the benchmark was run with other weights", card.name, "Run it again.")
    counts = held_back(result, detector, facts["training_clips"])
    logits = sorted(
        round(float(r["logit"]), 3)
        for r in _kept(result, detector, facts["training_clips"])
        if not r["abstained"]
    )
    facts |= {"held_back": asdict(counts), "genuine_logits": logits}
    atomic_write(card, json.dumps(facts, indent=1) + "\n")
    return counts
