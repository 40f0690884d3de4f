"""Grade explanations on forgeries that were planted: every kind, on a fixed grid of strengths.

What is planted where and when is known exactly, so this is the test that an explanation has to
pass before its answers on real forgeries mean anything. The grid is fixed and was not chosen by
what any detector sees in it: most cells are weak on purpose, and the rate at which the detector
calls each cell forged stands beside the scores, which are over those it calls forged.

Each clip gets every kind (`KINDS`) at every strength (`STRENGTHS`), one or two regions in turn
(`REGION_SETS`); then decoys, harmless edits as large as the forgery and beside it (see
`toolkit.forge.plant` for what counts as harmless), each with a forgery, without one, and the
forgery without the decoy; and a copy in which nothing is forged.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from toolkit import media
from toolkit.detectors.base import Detector
from toolkit.evaluation.explanations.known_truth import Gallery, grade
from toolkit.evaluation.explanations.scores import EVERY_CONTROL, called_forged, mean_of
from toolkit.evaluation.resumable import Row, Unit, digest
from toolkit.forge.plant import DECOYS, plant
from toolkit.forge.selfblend import PARTS
from toolkit.types import Tick

KINDS = ("resample", "seam", "noise", "colour", "warp", "blend")
STRENGTHS = (0.5, 1.0, 2.0, 3.0)
REGION_SETS = (
    ("mouth",),
    ("left_eye", "right_eye"),
    ("nose",),
    ("right_eye",),
    ("mouth", "nose"),
    ("left_eye",),
)
DECOY_STRENGTHS = (2.0, 3.0)
SECONDS = 6.0  # of the clip that are kept, from its middle
FORGED = 1 / 3  # of what is kept
STARTS = (0.1, 0.55, 0.25, 0.6)
"""Where the forged stretch begins, in turn, in parts of what is kept: never known beforehand."""


@dataclass(frozen=True)
class Cell:
    """What is planted into a clip: `regions` of a kind and strength, and harmless `decoys`.

    `beside` is where a decoy lies or would lie: its share of the evidence is measured either way.
    """

    role: str
    regions: tuple[str, ...] = ()
    kind: str = "blend"
    strength: float = 1.0
    decoy_kind: str = ""
    beside: tuple[str, ...] = ()


def cells() -> Iterator[Cell]:
    """Yield the grid: forgeries, decoys with and without one, and nothing at all."""
    for i, kind in enumerate(KINDS):
        for j, strength in enumerate(STRENGTHS):
            # in turn, so that each kind meets four of the six sets and each set all strengths
            yield Cell("forged", REGION_SETS[(i + j) % len(REGION_SETS)], kind, strength)
    mouth, beside = ("mouth",), ("left_eye",)
    for strength in DECOY_STRENGTHS:
        for decoy in ("", *DECOYS):
            yield Cell("decoy+forged", mouth, "blend", strength, decoy, beside)
    for decoy in DECOYS:
        yield Cell("decoy", (), "blend", 0.0, decoy, beside)
    yield Cell("nothing", (), "blend", 0.0)


def units(
    clips: Sequence[Path],
    judge: Detector,
    keys: Sequence[str],
    *,
    gallery: Callable[[], Gallery | None],
    faces: int,
    seed: int,
    depends: Mapping[str, Any],
) -> list[Unit]:
    """Return one unit per clip and cell; the rows go to the section ``planted``."""
    out = []
    for clip in clips:
        sha256 = digest(clip)
        for number, cell in enumerate(cells()):
            start = STARTS[number % len(STARTS)]
            facts = {
                "clip": clip.name,
                "role": cell.role,
                "kind": cell.kind,
                "strength": cell.strength,
                "regions": list(cell.regions),
                "decoy": cell.decoy_kind,
                "start": start,
            }
            run = partial(
                _run,
                clip,
                cell,
                start=start,
                judge=judge,
                keys=keys,
                gallery=gallery,
                faces=faces,
                seed=seed,
            )
            what = [cell.kind, f"{cell.strength:g}", "+".join(cell.regions)] if cell.regions else []
            name = " ".join([clip.stem, cell.role, *what, cell.decoy_kind]).strip()
            out.append(Unit("planted", name, facts, {"sha256": sha256, **depends}, run))
    return out


def _run(
    clip: Path,
    cell: Cell,
    tick: Tick,
    *,
    start: float,
    judge: Detector,
    keys: Sequence[str],
    gallery: Callable[[], Gallery | None],
    faces: int,
    seed: int,
) -> dict[str, Any]:
    video = media.probe(clip, tick=tick)
    low, high = float(video.pts[0]), float(video.pts[-1])
    first = max(low, (low + high - SECONDS) / 2)
    length = min(SECONDS, high - first)
    with tempfile.TemporaryDirectory(prefix="doorzicht-") as folder:
        made = Path(folder, "planted.mp4")
        truth = plant(
            clip,
            made,
            regions=cell.regions,
            start_s=start * length,
            end_s=(start + FORGED) * length,
            kind=cell.kind,
            strength=cell.strength,
            seed=seed,
            keep=(first, first + length),
            decoys=cell.beside if cell.decoy_kind else (),
            decoy_kind=cell.decoy_kind or "light",
            tick=tick,
        )
        row = grade(
            made,
            truth,
            judge,
            keys,
            decoys=cell.beside,
            gallery=gallery(),
            faces=faces,
            seed=seed,
            tick=tick,
        )
    return row | {"forged_frames": truth.frames if truth.regions else 0}


# -- summary


def summarise(rows: Sequence[Row], keys: Sequence[str], *, seed: int) -> dict[str, Any]:
    """Return what the rows of ``planted`` say together.

    Returns
    -------
    dict
        `methods` {key: region_hit, all_regions, mass, lift_area, temporal_iou over the planted
        clips that are called forged, each {n, mean, interval over clips}; decoy_mass of the clips
        with a decoy and decoy_mass_without of the same without, and decoy_mass_alone of clips
        with a decoy only}; `cells` [{kind, strength, clips, called_forged, added, ...}], `added`
        being those whose unforged copy is not called forged; `nothing` and `decoys_alone`
        {clips, called_forged, rate, interval}.
    """
    judged = [r for r in rows if "called_fake" in r]
    forged = [r for r in judged if r["role"] == "forged"]
    alarmed = {r["clip"] for r in judged if r["role"] == "nothing" and r["called_fake"]}
    return {
        "methods": {key: _method(judged, key, seed=seed) for key in (*keys, *EVERY_CONTROL)},
        "called_forged": called_forged(forged),
        "called_forged_and_unforged_copy_not": called_forged(
            [r for r in forged if r["clip"] not in alarmed]
        ),
        "nothing": called_forged([r for r in judged if r["role"] == "nothing"]),
        "decoys_alone": {
            kind: called_forged([r for r in judged if r["role"] == "decoy" and r["decoy"] == kind])
            for kind in DECOYS
        },
        "cells": [
            _cell([r for r in forged if (r["kind"], r["strength"]) == (kind, strength)], keys)
            | {"kind": kind, "strength": strength}
            for kind in KINDS
            for strength in STRENGTHS
        ],
        "grid": {
            "kinds": list(KINDS),
            "strengths": list(STRENGTHS),
            "region_sets": [list(s) for s in REGION_SETS],
            "starts": list(STARTS),
            "decoys": list(DECOYS),
            "decoy_strengths": list(DECOY_STRENGTHS),
            "parts": list(PARTS),
        },
        "not_judged": len(rows) - len(judged),
    }


def _method(judged: Sequence[Row], key: str, *, seed: int) -> dict[str, Any]:
    flagged = [r for r in judged if r["called_fake"] and r["role"] == "forged"]
    own = [r for r in flagged if key in r.get("methods", {})]

    def over(name: str, rows: Sequence[Row]) -> dict[str, Any]:
        values = [(r["methods"][key][name], r["clip"]) for r in rows]
        return mean_of([v for v, _ in values], [c for _, c in values], seed=seed)

    out: dict[str, Any] = {
        name: over(name, own) for name in ("region_hit", "all_regions", "mass", "area")
    }
    for name in ("passes", "seconds"):
        out[name] = float(np.mean([r["methods"][key][name] for r in own])) if own else None
    timed = [(iou, r["clip"]) for r in flagged if (iou := _iou(r, key)) is not None]
    out["temporal_iou"] = mean_of([v for v, _ in timed], [c for _, c in timed], seed=seed)
    beside = [
        r
        for r in judged
        if r["called_fake"] and r["role"] == "decoy+forged" and key in r.get("methods", {})
    ]
    out["decoy_mass"] = over("decoy_mass", [r for r in beside if r["decoy"]])
    out["decoy_mass_without"] = over("decoy_mass", [r for r in beside if not r["decoy"]])
    out["decoy_area"] = over("decoy_area", [r for r in beside if r["decoy"]])
    for kind in DECOYS:
        out[f"decoy_mass_{kind}"] = over("decoy_mass", [r for r in beside if r["decoy"] == kind])
    return out


def _iou(row: Row, key: str) -> float | None:
    """Return the temporal IoU; only the ledger and the controls speak of time."""
    temporal = row.get("temporal")
    if temporal is None:
        return None
    overlap = temporal["iou"] if key == "ledger" else temporal["controls"].get(key)
    return None if overlap is None else float(overlap)


def _cell(rows: Sequence[Row], keys: Sequence[str]) -> dict[str, Any]:
    flagged = [r for r in rows if r["called_fake"]]
    hits = {
        key: [r["methods"][key]["region_hit"] for r in flagged if key in r.get("methods", {})]
        for key in keys
    }
    ious = [v for r in flagged if (v := _iou(r, "ledger")) is not None]
    return {
        "clips": len(rows),
        "called_forged": len(flagged),
        "region_hit": {k: float(np.mean(v)) if v else None for k, v in hits.items()},
        "temporal_iou": float(np.mean(ious)) if ious else None,
    }
