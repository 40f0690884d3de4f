"""Clips made from a forgery and its original: spliced in time, or transplanted in part.

A **splice** is the original with a stretch of the forgery in its place, from a tenth of the clip
to all of it: the time is known. A **transplant** is the original with one region of the forgery,
for some time: the region is known as well. Both are real forgeries. Each has its control, the
original pasted into itself, which must stay what the original is.
"""

from __future__ import annotations

import tempfile
import zlib
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from toolkit.detectors.base import Detector
from toolkit.evaluation.explanations.known_truth import Gallery, grade
from toolkit.evaluation.explanations.pairs import ForgeryPair
from toolkit.evaluation.explanations.scores import (
    BLIND,
    EVERY_CONTROL,
    called_forged,
    mean_of,
)
from toolkit.evaluation.resumable import Row, Unit
from toolkit.forge.selfblend import PARTS
from toolkit.forge.transplant import Aligned, align, itself, splice, transplant
from toolkit.types import Tick

FRACTIONS = (0.1, 0.3, 0.5, 1.0)
"""How much of a splice is forged."""

SPLICE_SECONDS = 8.0  # of the common stretch that are kept, from its start
TRANSPLANT_SECONDS = 6.0
TRANSPLANT_PART = 0.5  # how much of a transplant's time is forged


def splice_units(
    pairs: Sequence[ForgeryPair], judge: Detector, *, seed: int, depends: Mapping[str, Any]
) -> list[Unit]:
    """Return a unit per pair and fraction, and the control; rows go to ``splices``."""
    return [
        Unit(
            "splices",
            f"{pair.name} {fraction:.0%}",
            {**pair_facts(pair), "fraction": fraction},
            {**depends, **pair_digests(pair)},
            partial(_splice, pair, fraction, judge=judge, seed=seed),
        )
        for pair in pairs
        for fraction in (0.0, *FRACTIONS)
    ]


def transplant_units(
    pairs: Sequence[ForgeryPair],
    judge: Detector,
    keys: Sequence[str],
    *,
    gallery: Callable[[], Gallery | None],
    faces: int,
    seed: int,
    depends: Mapping[str, Any],
) -> list[Unit]:
    """Return two units per pair, transplant and control; rows go to ``transplants``.

    The region is the mouth where the list says that only the mouth was changed, else each of
    `PARTS` in turn.
    """
    out = []
    for number, pair in enumerate(pairs):
        part = "mouth" if pair.kind == "mouth" else list(PARTS)[number % len(PARTS)]
        for control in (False, True):
            run = partial(
                _transplant,
                pair,
                part,
                judge=judge,
                keys=keys,
                control=control,
                gallery=gallery,
                faces=faces,
                seed=seed,
            )
            facts = {**pair_facts(pair), "regions": [part], "control": control}
            name = f"{pair.name} {part}{', pasted into itself' if control else ''}"
            out.append(Unit("transplants", name, facts, {**depends, **pair_digests(pair)}, run))
    return out


def pair_facts(pair: ForgeryPair) -> dict[str, str]:
    """Return what a row says of its pair."""
    return {
        "original": pair.row["original"],
        "fake": pair.row["fake"],
        "method": pair.method,
        "scene": pair.scene,
        "kind": pair.kind,
    }


def pair_digests(pair: ForgeryPair) -> dict[str, Any]:
    """Return what a row depends on in its files and in the list."""
    return {
        "files": list(pair.digests),
        "common_frames": pair.common_frames,
        "crop_x": pair.crop_x,
    }


def _open(pair: ForgeryPair, seconds: float, tick: Tick) -> tuple[Aligned, float]:
    """Return the pair, and how many seconds of it are used."""
    alignment = align(
        pair.original, pair.fake, crop_x=pair.crop_x, frames=pair.common_frames, tick=tick
    )
    pts = alignment.original.pts[: alignment.frames]
    return alignment, min(seconds, float(pts[-1] - pts[0]))


def _placed(pair: ForgeryPair, length: float, part: float, seed: int) -> tuple[float, float]:
    """Return where the forged stretch lies: anywhere, drawn from the pair's name and the part."""
    rng = np.random.default_rng([seed, zlib.crc32(pair.row["fake"].encode()), round(1000 * part)])
    start = float(rng.uniform(0, (1 - part) * length))
    return start, start + part * length


def _splice(
    pair: ForgeryPair, fraction: float, tick: Tick, *, judge: Detector, seed: int
) -> dict[str, Any]:
    aligned, length = _open(pair, SPLICE_SECONDS, tick)
    start, end = _placed(pair, length, fraction or 1.0, seed)
    with tempfile.TemporaryDirectory(prefix="doorzicht-") as folder:
        clip = Path(folder, "splice.mp4")
        truth = splice(
            aligned if fraction else itself(aligned),
            clip,
            start_s=start,
            end_s=end,
            keep=_kept(aligned, length),
            tick=tick,
        )
        row = grade(clip, truth, judge, (), seed=seed, tick=tick)
    if not fraction:
        row.pop("temporal", None)  # nothing is forged
    return row


def _transplant(
    pair: ForgeryPair,
    part: str,
    tick: Tick,
    *,
    judge: Detector,
    keys: Sequence[str],
    control: bool,
    gallery: Callable[[], Gallery | None],
    faces: int,
    seed: int,
) -> dict[str, Any]:
    aligned, length = _open(pair, TRANSPLANT_SECONDS, tick)
    start, end = _placed(pair, length, TRANSPLANT_PART, seed)
    with tempfile.TemporaryDirectory(prefix="doorzicht-") as folder:
        clip = Path(folder, "transplant.mp4")
        truth = transplant(
            itself(aligned) if control else aligned,
            clip,
            regions=[part],
            start_s=start,
            end_s=end,
            keep=_kept(aligned, length),
            tick=tick,
        )
        return grade(clip, truth, judge, keys, gallery=gallery(), faces=faces, seed=seed, tick=tick)


def _kept(aligned: Aligned, length: float) -> tuple[float, float]:
    start = float(aligned.original.pts[0])
    return start, start + length


# -- summaries


def temporal_summary(rows: Sequence[Row], *, seed: int) -> dict[str, Any]:
    """Return what the rows of ``splices`` say together.

    Returns
    -------
    dict
        `fractions` {fraction: {clips, called_forged, rate, rate_interval, iou, iou_all,
        control.*}}: `iou` over the splices that are called forged, `iou_all` with those that are
        not counted as 0, the controls over the same splices as `iou`, each {n, mean, interval
        over scenes}. `partial` is the same over all splices that are forged in part, `unforged`
        the control: originals pasted into themselves.
    """
    judged = [r for r in rows if "called_fake" in r]
    by = {f: [r for r in judged if r["fraction"] == f] for f in (0.0, *FRACTIONS)}
    part = [r for f in FRACTIONS if f < 1 for r in by[f]]
    return {
        "fractions": {str(f): _times(by[f], seed) for f in FRACTIONS},
        "partial": _times(part, seed),
        "unforged": detection(by[0.0]),
        "not_judged": len(rows) - len(judged),
    }


def detection(rows: Sequence[Row]) -> dict[str, Any]:
    """Return how many of the rows are called forged."""
    return called_forged(rows, interval="rate_interval")


def _times(rows: Sequence[Row], seed: int) -> dict[str, Any]:
    timed = [r for r in rows if "temporal" in r]
    called = [r for r in timed if r["called_fake"]]
    scenes = [r["scene"] for r in called]
    out = detection(rows)
    out["iou"] = mean_of([r["temporal"]["iou"] for r in called], scenes, seed=seed)
    everyone = [r["temporal"]["iou"] if r["called_fake"] else 0.0 for r in timed]
    out["iou_all"] = mean_of(everyone, [r["scene"] for r in timed], seed=seed)
    for key in BLIND:
        values = [r["temporal"]["controls"][key] for r in called]
        out[key] = mean_of(values, scenes, seed=seed)
    return out


def transplant_summary(rows: Sequence[Row], keys: Sequence[str], *, seed: int) -> dict[str, Any]:
    """Return what the rows of ``transplants`` say together.

    Returns
    -------
    dict
        `detected` and `control`: how many transplants, and originals pasted into themselves, are
        called forged. `methods` {key: {region_hit, mass, lift_area}} over the transplants that are
        called forged, `all` the same over all of them, each {n, mean, interval over scenes}.
        `temporal` is what `temporal_summary` says of a fraction, over the transplants.
    """
    judged = [r for r in rows if "called_fake" in r]
    real = [r for r in judged if not r["control"]]
    called = [r for r in real if r["called_fake"]]
    return {
        "detected": detection(real),
        "temporal": _times(real, seed),
        "control": detection([r for r in judged if r["control"]]),
        "methods": {
            key: _regions(called, key, seed) | {"all": _regions(real, key, seed)}
            for key in (*keys, *EVERY_CONTROL)
        },
        "not_judged": len(rows) - len(judged),
    }


def _regions(rows: Sequence[Row], key: str, seed: int) -> dict[str, Any]:
    own = [r for r in rows if key in r.get("methods", {})]
    scenes = [r["scene"] for r in own]
    out = {}
    for name in ("region_hit", "mass"):
        out[name] = mean_of([r["methods"][key][name] for r in own], scenes, seed=seed)
    lifts = [r["methods"][key]["mass"] - r["methods"][key]["area"] for r in own]
    out["lift_area"] = mean_of(lifts, scenes, seed=seed)
    return out
