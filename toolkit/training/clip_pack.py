"""Write the heads of SeamNet as weights with their card's facts.

What a card must say of itself is worked out here, never typed in: hashes, the answers to the canary
picture on both paths, and how far the paths lie apart on crops.

    python -m toolkit.training.clip_pack HEAD.npz FACTS.json OUT.safetensors [--crops CROPS.npy]
"""

from __future__ import annotations

import argparse
import hashlib
import json
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors.numpy import save

from toolkit import models
from toolkit.detectors import clip_body, seamnet_small
from toolkit.detectors.canary import canary_picture
from toolkit.detectors.seamnet_clip import (
    NEEDED,
    Heads,
    SeamNet2Detector,
    Shape,
    float_logits,
    paths,
    read_card,
)
from toolkit.errors import ToolkitError, UsageError
from toolkit.files import atomic_write
from toolkit.messages import phrase

CANARY_SPREAD = 32  # answers to the canary picture with noise in the last bits of its pixels
TOLERANCE_MIN = 0.05
COMPUTED = (
    "sha256",
    "beside_small",
    "canary",
    "fingerprint",
    "cut_sha256",
    "body_sha256",
    "small_sha256",
)
"""Facts that are worked out here."""


def pack(
    tensors: Mapping[str, NDArray[Any]],
    facts: Mapping[str, Any],
    out: Path,
    *,
    crops: NDArray[np.uint8] | None = None,
) -> dict[str, Any]:
    """Write weights and card, and return the card's facts.

    Parameters
    ----------
    tensors
        ``mean`` and ``std`` (W,), ``w1`` (K, W, H), ``b1`` (K, H), ``w2`` (K, H), ``b2`` (K,),
        ``log_a``, ``b`` and ``small_weight`` () (0 = the small network has no part in it),
        ``reference`` (14, 14).
    facts
        ``blocks``, ``tau``, ``threshold``, and whatever else is known of it.
    out
        ``.safetensors``; the card goes beside it, ``.json``.
    crops : (N, S, S, 3) uint8 or None
        On which the two paths are compared; None = their difference is not stated.

    Raises
    ------
    UsageError
        If a fact is missing, or the tensors do not fit together.
    ModelError
        If the body is not here.
    """
    wanted = [k for k in NEEDED if k not in COMPUTED]
    if lacking := [k for k in wanted if k not in facts]:
        raise UsageError("the facts of the head are not complete", ", ".join(lacking))
    k, width, hidden = np.shape(tensors["w1"])
    blocks = tuple(int(b) for b in facts["blocks"])
    beside = bool(np.asarray(tensors.get("small_weight", 0.0)) != 0)
    shape = Shape(blocks, beside, k, hidden, float(facts["tau"]))
    tensors = {"small_weight": np.zeros((), np.float32), **tensors}
    stored = {n: np.array(v, np.float32, order="C") for n, v in tensors.items()}
    have = {n: (v.shape, "float32") for n, v in stored.items()}
    expected = Heads(shape).expected_tensors()
    if have != expected:
        odd = sorted(n for n in have if have[n] != expected.get(n))
        value = phrase("{tensors}; width {width}", tensors=", ".join(odd), width=width)
        raise UsageError("the tensors do not fit the facts", value)
    data = save(stored)
    body = clip_body.IntegerBody(blocks)
    card = {
        **{n: v for n, v in facts.items() if n not in COMPUTED},
        "sha256": hashlib.sha256(data).hexdigest(),
        "beside_small": beside,
        "heads": k,
        "hidden": hidden,
        "body_sha256": models.find(clip_body.ID).sha256,
        "cut_sha256": body.sha256,
        "fingerprint": clip_body.fingerprint(canary_picture(), body),
        "canary": {p: {"logit": 0.0, "tolerance": 1e9} for p in ("int8", "float32")},
    }
    if shape.beside_small:
        card["small_sha256"] = seamnet_small.SeamNetDetector(device="cpu").card.weights_sha256
    with tempfile.TemporaryDirectory() as work:
        trial = Path(work) / out.name
        trial.write_bytes(data)
        trial.with_suffix(".json").write_text(json.dumps(card), encoding="utf-8")
        judge = SeamNet2Detector(device="cpu", weights=trial)
    card["canary"] = canaries(judge)
    if crops is not None:
        card["paths"] = paths(judge, crops)
    out.parent.mkdir(parents=True, exist_ok=True)
    atomic_write(out, data)
    atomic_write(out.with_suffix(".json"), json.dumps(card, indent=1) + "\n")
    return card


def canaries(judge: SeamNet2Detector) -> dict[str, dict[str, float]]:
    """Return how each path answers the canary picture, and how far off an answer may be.

    Rounding to INT8 answers otherwise when a pixel changes by one level, which stands for another
    processor; what `CANARY_SPREAD` such pictures show, doubled, is tolerated.
    """
    picture = canary_picture()
    rng = np.random.default_rng(0)
    others = []
    for _ in range(CANARY_SPREAD):
        other = picture.copy()
        row, column = rng.integers(0, len(picture), 2)
        other[row, column] = np.where(other[row, column] < 255, other[row, column] + 1, 254)
        others.append(other)
    whole = float(judge.logits(picture[None])[0])
    spread = float(np.abs(judge.logits(np.stack(others)) - whole).max())
    exact = float(float_logits(judge, picture[None])[0])
    return {
        "int8": {"logit": whole, "tolerance": max(2 * spread, TOLERANCE_MIN)},
        "float32": {"logit": exact, "tolerance": TOLERANCE_MIN},
    }


def main(argv: Sequence[str] | None = None) -> int:
    """Write heads and their card; return 0 if they were written."""
    parser = argparse.ArgumentParser(
        prog="python -m toolkit.training.clip_pack", description=main.__doc__
    )
    parser.add_argument("head", type=Path, help="the tensors, .npz")
    parser.add_argument("facts", type=Path, help="what is known of them, .json")
    parser.add_argument("out", type=Path, help="weights, .safetensors")
    parser.add_argument("--crops", type=Path, help="(N, 224, 224, 3) uint8, .npy")
    options = parser.parse_args(argv)
    try:
        with np.load(options.head) as file:
            tensors = dict(file)
        facts = json.loads(options.facts.read_text(encoding="utf-8"))
        crops = None if options.crops is None else np.load(options.crops)
        pack(tensors, facts, options.out, crops=crops)
        card = read_card(options.out.with_suffix(".json"))
        print(
            json.dumps({k: card[k] for k in ("sha256", "canary", "paths") if k in card}, indent=1)
        )
    except (ToolkitError, OSError, ValueError) as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
