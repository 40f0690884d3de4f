"""What was measured of detectors on the user's own genuine clips: thresholds, and the scale.

A detector that was added keeps both in its own card (`recipe.Recipe`). For one that comes with the
toolkit, or with a package, they lie here, in ``measured.json`` beside those that were added. They
hold for the very weights that were measured, and no others.
"""

from __future__ import annotations

import dataclasses
import json
import math
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from toolkit import models
from toolkit.detectors.base import Card
from toolkit.detectors.listing import added_folder, added_names
from toolkit.errors import ModelError, ToolkitError
from toolkit.files import atomic_write, parse_json

if TYPE_CHECKING:  # a recipe loads torch, and sentences about verdicts need only what is kept here
    from toolkit.detectors.recipe import Measured

FILE = "measured.json"
SCHEMA = "doorzicht.measured/1"


@dataclasses.dataclass(frozen=True)
class OwnMeasure:
    """A threshold that was measured here, and how.

    Attributes
    ----------
    weights_sha256
        Of the weights that were measured.
    threshold
        Fake logit.
    measured
        How.
    """

    weights_sha256: str
    threshold: float
    measured: Measured


def keep(name: str, measure: OwnMeasure) -> None:
    """Keep what was measured of a detector, in place of what was measured before.

    Raises
    ------
    ModelError
        If what is kept cannot be read: nothing is written over it.
    """
    everything = _read()
    everything[name] = asdict(measure)
    added_folder().mkdir(parents=True, exist_ok=True)
    content = {"schema": SCHEMA, "detectors": everything}
    atomic_write(added_folder() / FILE, json.dumps(content, indent=1, allow_nan=False) + "\n")


def find(name: str, weights_sha256: str) -> OwnMeasure | None:
    """Return what was measured of a detector with these weights; None where nothing was.

    Raises
    ------
    ModelError
        If what is kept cannot be read.
    """
    measure = _measure(name)
    return measure if measure and measure.weights_sha256 == weights_sha256 else None


def kept(name: str) -> tuple[float, Measured] | None:
    """Return threshold and facts that were measured of a detector, whatever its weights.

    Raises
    ------
    ModelError
        If what is kept cannot be read.
    """
    measure = _measure(name)
    return None if measure is None else (measure.threshold, measure.measured)


def _measure(name: str) -> OwnMeasure | None:
    plain = _read().get(name)
    if plain is None:
        return None
    from toolkit.detectors.recipe import Measured

    try:
        measure = OwnMeasure(
            str(plain["weights_sha256"]), float(plain["threshold"]), Measured(**plain["measured"])
        )
    except (KeyError, TypeError, ValueError) as error:
        raise _unreadable() from error
    if not math.isfinite(measure.threshold):
        raise _unreadable()
    return measure


def _read() -> dict[str, Any]:
    path = added_folder() / FILE
    try:
        content = parse_json(path.read_text(encoding="utf-8"))
        if content["schema"] != SCHEMA:
            raise _unreadable()
        return dict(content["detectors"])
    except FileNotFoundError:
        return {}
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise _unreadable() from error


def _unreadable() -> ModelError:
    return ModelError(
        "what was measured of detectors cannot be read",
        str(added_folder() / FILE),
        "Move the file away and measure again: python -m toolkit detector threshold NAME ...",
    )


def with_threshold(card: Card) -> Card:
    """Return a card with the threshold that was measured here, if its own never was.

    Raises
    ------
    ModelError
        If what is kept cannot be read.
    """
    measure = None if card.threshold_measured else find(card.name, card.weights_sha256)
    if measure is None:
        return card
    return dataclasses.replace(card, threshold=measure.threshold, threshold_measured=True)


def genuine_logits(name: str, weights_sha256: str) -> tuple[float, ...]:
    """Return the logits of genuine clips in the card of a bundled detector, if it has them.

    Empty where the card is of other weights, or is none.
    """
    try:
        path = models.ROOT / "models" / f"{name}.json"
        card = parse_json(path.read_text(encoding="utf-8"))
        if card.get("sha256") != weights_sha256:
            return ()
        values = card.get("genuine_logits") or (card.get("held_back") or {}).get("genuine_logits")
        return tuple(sorted(float(v) for v in values or ()))
    except (OSError, ValueError, TypeError, AttributeError):
        return ()


def genuine_scale(name: str, weights_sha256: str) -> tuple[float, float, int] | None:
    """Return how a detector's logits of genuine clips lie: mean, deviation, and of how many clips.

    What was measured on the user's own clips goes before the card that came along; None where
    nobody measured.
    """
    logits = genuine_logits(name, weights_sha256)
    try:
        if name in added_names():
            from toolkit.detectors.recipe import Recipe

            recipe = Recipe.load(added_folder() / name)
            measured = recipe.measured if recipe.sha256 == weights_sha256 else None
        else:
            own = find(name, weights_sha256)
            measured = None if own is None else own.measured
    except ToolkitError:
        measured = None
    if measured is not None and measured.mean is not None and measured.deviation:
        return measured.mean, measured.deviation, measured.clips
    if len(logits) < 2:
        return None
    mean = math.fsum(logits) / len(logits)
    deviation = math.sqrt(math.fsum((v - mean) ** 2 for v in logits) / (len(logits) - 1))
    return (mean, deviation, len(logits)) if deviation > 0 else None
