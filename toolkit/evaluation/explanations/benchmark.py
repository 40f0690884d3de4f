"""Grade explanations on real forgeries whose original is known, and on planted ones.

``python -m toolkit explain-benchmark PAIRS.csv --out FILE.json`` calls `benchmark`,
``--planted CLIP...`` calls `planted`. Both work in units that are kept in the file as they are
done: stopped at any moment, the same command goes on where it was (`kept`).

On pairs, every score stands beside controls that know nothing, and every lift is paired:

=============  =====================================================================================
where          a method's heat against the pixels, or regions, that the forger changed (`pairs`)
when           the intervals of the report on originals with a forged stretch (`pair_clips`)
transplants    one region of the forgery, for some time, pasted into the original (`pair_clips`)
attack         how far the logit falls when what a method points at is changed (`xai_protocol`)
=============  =====================================================================================

The file, schema ``doorzicht.explain-benchmark/1``; what is not known is null, intervals are 95 %
over scenes, None with a single scene:

``methods``
    {key: {`pairs`, `mass`, `hit`, `rank`, `region_hit`, `lift_centre`, `lift_random`, `lift_area`,
    `lift_contrast`, `hit_lift_centre`, `hit_lift_contrast`, `temporal_iou`, `passes`, `seconds`,
    `intervals` {of each of these: [low, high]}, `flagged`, `common`}}. Keys: ``ledger`` (by
    construction), ``intervention``, ``captum.<name>``, and the controls of `explain_scores`:
    ``control.centre``, ``control.random``, ``control.area``, ``control.contrast``, and where the
    intervention answered ``control.dealt``, its map with the shares on other regions. Means over
    the pairs that the method answered; `flagged` has the same over pairs called forged, `common`
    over pairs that all methods answered. `passes` and `seconds` are per face, as if the method ran
    alone. `temporal_iou` is over splices forged in part that are called forged, and null for
    methods that do not speak of time. Lifts are of the mass, but for those named after the hit.
    `hit` is about the highest pixel of a map; where several are equally high, the part of them that
    was changed. Captum's region methods write the same on every pixel of a region.
``ahead``
    {``ledger`` or ``intervention``: {any other key: {`pairs`, `mass`, `hit`}}}: how far it is
    ahead over the pairs that both answered, {mean, interval}; below 0, behind.
``ways``
    {way of forging: {key: {`pairs`, `mass`, `hit`}}}: means over the pairs forged that way.
``detected``
    {`pairs`, `called_fake`}: how many forgeries the detector sees on the frames of the pairs.
``leads``, ``lower_face``
    {key: {way of forging: {region: pairs}}}; {key: {way of forging, or ``kind: ...``: {`pairs`,
    `leads` (mouth or chin_jaw has the largest share), `rate`, `rate_interval`, `part` {n, mean,
    interval} (of the positive shares)}}}.
``temporal``, ``transplanted``, ``attacked``
    See `pair_clips.temporal_summary`, `pair_clips.transplant_summary`, `xai_protocol.summarise`;
    null when there are no such rows.
``pairs``, ``splices``, ``transplants``
    The rows: facts, results, or a `reason` why there are none. `pairs[].methods` has per pair what
    ``methods`` has over all.
``seconds``
    {section: {`rows`, `mean`, `total`}}: wall time, shared passes counted once.
``settings``, ``complete``
    What it was run with; whether all rows are there.

The file of planted clips, schema ``doorzicht.explain-planted/1``, has the rows in ``planted``, and
``planted_summary`` as `planted_grid.summarise` says.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

from toolkit.detectors import registry
from toolkit.detectors.base import Detector, opens_network
from toolkit.errors import OutOfRangeError, UnknownNameError
from toolkit.evaluation.explanations import adversarial
from toolkit.evaluation.explanations import planted as planted_grid
from toolkit.evaluation.explanations import transplants as pair_clips
from toolkit.evaluation.explanations.adversarial import BUDGETS, Budget
from toolkit.evaluation.explanations.known_truth import Gallery
from toolkit.evaluation.explanations.methods import WITNESSES, Explainer, method_keys
from toolkit.evaluation.explanations.pairs import (
    FRAMES,
    ForgeryPair,
    find_truth,
    gallery_of,
    known_halves,
    read_pairs,
)
from toolkit.evaluation.explanations.scores import (
    BLIND,
    EVERY_CONTROL,
    LOWER_FACE,
    MAPS,
    SCORES,
    Attribution,
    controls,
    lower_part,
    mean_of,
    scene_interval,
    score,
)
from toolkit.evaluation.explanations.transplants import pair_digests, pair_facts
from toolkit.evaluation.resumable import (
    OnResult,
    Row,
    Sections,
    Unit,
    digest,
    ignore,
    read_rows,
    run_units,
)
from toolkit.evaluation.verdicts.scores import RESAMPLES, wilson
from toolkit.explain.baselines import AUTOMATIC
from toolkit.files import atomic_write
from toolkit.types import REGIONS, FaceCrops, Tick, no_tick
from toolkit.verdict.aggregate import aggregate, frame_logits, rule_of

__all__ = ["benchmark", "planted", "read_pairs"]

SCHEMA = "doorzicht.explain-benchmark/1"
PLANTED_SCHEMA = "doorzicht.explain-planted/1"
FACES = 3  # explained per pair: those with the highest logits
PARTS = ("where", "when", "transplants", "attack")
USUAL_PARTS = PARTS[:3]
PLANTED_METHODS = ("ledger", "intervention")
LIFTS = ("lift_centre", "lift_random", "lift_area", "lift_contrast")
HIT_LIFTS = ("hit_lift_centre", "hit_lift_contrast")


class _Bench:
    """What both benchmarks share: the detector, the gallery, and what rows depend on."""

    def __init__(
        self,
        detector: str | Detector,
        methods: Sequence[str],
        gallery: Sequence[Path],
        *,
        known: bool = False,
        device: str,
        faces: int,
        seed: int,
        tick: Tick,
    ) -> None:
        if faces < 1:
            raise OutOfRangeError("too few faces to explain", f"{faces}", "Use 1 or more.")
        self.keys = method_keys(methods)
        self.seed, self.faces, self.tick, self.known = seed, faces, tick, known
        self.judge = registry.resolve(detector, device=device, stand_in=False)
        card = self.judge.card
        self.settings: dict[str, Any] = {
            "toolkit": version("doorzicht"),
            "seed": seed,
            "detector": card.name,
            "weights_sha256": card.weights_sha256,
            "threshold": card.threshold,
            "device": self.judge.device,
            "faces": faces,
            "methods": list(self.keys),
            "gallery": [p.name for p in gallery],
            "known_originals": known,
            "references": list(AUTOMATIC),
            "reference_tests": ["V1", "V2"],
            "resamples": RESAMPLES,
        }
        same = ("toolkit", "seed", "detector", "weights_sha256", "threshold", "device")
        self.verdicts = {name: self.settings[name] for name in same}
        self.explained = self.verdicts | {
            "faces": faces,
            "methods": list(self.keys),
            "controls": list(EVERY_CONTROL),
            "maps": MAPS,
            "gallery": [digest(p) for p in gallery],
        }
        self._gallery_paths = gallery
        self._gallery: list[Gallery | None] = []

    def gallery(self) -> Gallery | None:
        """Return the gallery; it is read when the first unit needs it, and once."""
        if not self._gallery:
            crops = gallery_of(self._gallery_paths, self.judge.spec, self.tick)
            seen = None if crops is None else (crops, self.judge.evidence(crops, tick=self.tick))
            self._gallery.append(seen)
        return self._gallery[0]

    def run(
        self,
        units: Sequence[Unit],
        summarise: Callable[[Sections], dict[str, Any]],
        *,
        out: Path | None,
        fresh: bool,
        schema: str,
        on_result: OnResult,
    ) -> dict[str, Any]:
        """Run the units and keep the result in a file after each of them."""
        kept = read_rows(out, (schema,)) if out is not None else {}
        kept = {} if fresh else kept
        keys = {unit.key for unit in units}

        def document(sections: Sections, *, complete: bool) -> dict[str, Any]:
            return {
                "schema": schema,
                "complete": complete,
                **summarise(sections),
                **sections,
                "seconds": {name: _wall(rows) for name, rows in sections.items()},
            }

        def save(sections: Sections) -> None:
            if out is not None:
                result = document(sections, complete=False)
                # rows of other settings stay until this run is complete: it may be stopped
                have = {row["key"] for rows in sections.values() for row in rows}
                result["kept"] = [r for k, r in kept.items() if k not in have and k in keys]
                _write(out, result)

        sections = run_units(units, kept=kept, save=save, on_result=on_result, tick=self.tick)
        result = document(sections, complete=True)
        if out is not None:
            _write(out, result)
        return result


def _write(path: Path, content: Mapping[str, Any]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    atomic_write(path, json.dumps(content, indent=1, allow_nan=False) + "\n")


def _wall(rows: Sequence[Row]) -> dict[str, Any]:
    seconds = [float(row["wall_seconds"]) for row in rows if "wall_seconds" in row]
    mean = float(np.mean(seconds)) if seconds else None
    return {"rows": len(seconds), "mean": mean, "total": float(np.sum(seconds))}


def benchmark(
    pairs: Sequence[ForgeryPair],
    *,
    detector: str | Detector = "seamnet",
    methods: Sequence[str] = (),
    gallery: Sequence[Path] = (),
    known: bool = False,
    device: str = "auto",
    frames: int = FRAMES,
    faces: int = FACES,
    parts: Sequence[str] = USUAL_PARTS,
    budget: str = "quick",
    seed: int = 0,
    out: Path | None = None,
    fresh: bool = False,
    on_result: OnResult = ignore,
    tick: Tick = no_tick,
) -> dict[str, Any]:
    """Explain every forgery with every method and score it against what was changed.

    Parameters
    ----------
    pairs
        From `read_pairs`.
    detector
        A name or a detector.
    methods
        Keys such as ``"ledger"`` or ``"captum.occlusion"``; none = all. Controls come along.
    gallery
        Genuine clips of other people, for references; never the originals, which are the truth.
    known
        Whether seconds of the original, at least one away from the frame that is explained, are
        known to be genuine: what an investigator has who knows a part of the recording to be. The
        best case, and after a face swap known material of the one whose face was covered. For
        pairs, not for transplants, whose other seconds are the original anyway.
    frames, faces
        Frames read per pair; faces explained, those with the highest logits.
    parts
        From `PARTS`.
    budget
        Of the attack: ``"quick"`` or ``"full"``.
    seed
        Of everything that draws.
    out
        File that keeps the rows as they are made, and in which those of an earlier run are found.
    fresh
        Make all rows again.
    tell
        Called after each row.
    tick
        Progress within a row; may raise `Cancelled`.

    Returns
    -------
    dict
        See the module.

    Raises
    ------
    UsageError
        If an option is unknown, or `out` holds something else.
    """
    if unknown := [p for p in parts if p not in PARTS]:
        raise UnknownNameError("unknown part", ", ".join(unknown), "Known: {known}.", known=PARTS)
    if budget not in BUDGETS:
        raise UnknownNameError("unknown budget", budget, "Known: {known}.", known=BUDGETS)
    bench = _Bench(
        detector, methods, gallery, known=known, device=device, faces=faces, seed=seed, tick=tick
    )
    attack = BUDGETS[budget] if "attack" in parts else None
    units: list[Unit] = []
    if "where" in parts or attack:
        extra = {
            "frames": frames,
            "attack": asdict(attack) if attack else None,
            "known_originals": known,
        }
        units += [
            Unit(
                "pairs",
                pair.name,
                pair_facts(pair),
                {**bench.explained, **pair_digests(pair), **extra},
                partial(_score_pair, pair, bench, frames, attack),
            )
            for pair in pairs
        ]
    if "transplants" in parts:
        units += pair_clips.transplant_units(
            pairs,
            bench.judge,
            [k for k in bench.keys if k in ("ledger", "intervention")],
            gallery=bench.gallery,
            faces=1,
            seed=seed,
            depends=bench.explained,
        )
    if "when" in parts:
        units += pair_clips.splice_units(pairs, bench.judge, seed=seed, depends=bench.verdicts)
    settings = bench.settings | {
        "frames": frames,
        "parts": list(parts),
        "splice_seconds": pair_clips.SPLICE_SECONDS,
        "transplant_seconds": pair_clips.TRANSPLANT_SECONDS,
        "attack": asdict(attack) if attack else None,
    }
    return bench.run(
        units,
        partial(_summarise, keys=bench.keys, settings=settings),
        out=out,
        fresh=fresh,
        schema=SCHEMA,
        on_result=on_result,
    )


def planted(
    clips: Sequence[Path],
    *,
    detector: str | Detector = "seamnet",
    methods: Sequence[str] = PLANTED_METHODS,
    gallery: Sequence[Path] = (),
    device: str = "auto",
    faces: int = 1,
    seed: int = 0,
    out: Path | None = None,
    fresh: bool = False,
    on_result: OnResult = ignore,
    tick: Tick = no_tick,
) -> dict[str, Any]:
    """Plant the grid of `planted_grid` into clips and grade the explanations.

    Parameters
    ----------
    clips
        Genuine clips that show a face for some seconds about their middle.
    faces
        Explained per planted clip, those with the highest logits in the forged stretch.

    The others, and the errors, are those of `benchmark`.

    Returns
    -------
    dict
        See the module.
    """
    bench = _Bench(detector, methods, gallery, device=device, faces=faces, seed=seed, tick=tick)
    units = planted_grid.units(
        clips,
        bench.judge,
        bench.keys,
        gallery=bench.gallery,
        faces=faces,
        seed=seed,
        depends=bench.explained,
    )

    def summarise(sections: Sections) -> dict[str, Any]:
        summary = planted_grid.summarise(sections.get("planted", []), bench.keys, seed=seed)
        settings = bench.settings | {"seconds_kept": planted_grid.SECONDS}
        return {"planted_summary": summary, "settings": settings}

    return bench.run(
        units, summarise, out=out, fresh=fresh, schema=PLANTED_SCHEMA, on_result=on_result
    )


# -- one pair


def _score_pair(
    pair: ForgeryPair, bench: _Bench, frames: int, attack: Budget | None, tick: Tick
) -> dict[str, Any]:
    judge, seed = bench.judge, bench.seed
    truth = find_truth(pair, judge.spec, frames=frames, tick=tick)
    if truth is None:
        return {"reason": "no face was found in the forgery"}
    if not truth.masks.any():
        return {"reason": "nothing was changed"}
    evidence = judge.evidence(truth.crops, tick=tick)
    logits = frame_logits(evidence)
    verdict = aggregate(logits, rule_of(judge)(len(logits)))
    known: list[FaceCrops] = []
    if bench.known:
        middle, halves = known_halves(pair, judge.spec, tick=tick)
        known = [halves[int(index < middle)] for index in truth.indices.tolist()]
    explain = Explainer(
        judge, truth.crops, evidence, gallery=bench.gallery(), known=known, seed=seed, tick=tick
    )
    chosen = [p for p in np.argsort(-logits, kind="stable").tolist() if truth.masks[p].any()]
    gathered: dict[str, list[tuple[dict[str, float], Attribution]]] = {}
    kinds: list[str | None] = []
    attacked: dict[str, Any] | None = None
    for position in chosen[: bench.faces]:
        answers = explain(position, bench.keys)
        kinds.append(answers.reference)
        region_map, mask = truth.crops.region_map[position], truth.masks[position]
        several = {k: [t] for k, t in answers.told.items()}
        several |= answers.controls | controls(truth.crops.rgb[position], region_map, seed=seed)
        for key, told in several.items():
            scores = [score(t, mask, truth.regions) for t in told]
            mean = {s: float(np.mean([row[s] for row in scores])) for s in SCORES}
            gathered.setdefault(key, []).append((mean, told[0]))
        is_first = len(kinds) == 1
        forged = logits[position] >= judge.card.threshold
        if attack and is_first and forged and opens_network(judge):
            attacked = adversarial.attack_all(
                judge.net,
                truth.crops.rgb[position],
                {k: t.heat for k, t in answers.told.items()},
                mask,
                attack,
                seed=seed,
                tick=tick,
            )
    row = {
        "logit": verdict,
        "called_fake": verdict >= judge.card.threshold,
        "truth": "pixels" if truth.by_pixel else "regions",
        "ratio": truth.ratio,
        "area": float(truth.masks.mean()),
        "changed": [REGIONS[r] for r in truth.regions],
        "faces": len(kinds),
        "references": kinds,
        "passes": explain.passes,
        "methods": _per_method(gathered),
    }
    return row | ({"attack": attacked} if attack else {})


def _per_method(
    gathered: Mapping[str, Sequence[tuple[dict[str, float], Attribution]]],
) -> dict[str, dict[str, Any]]:
    """Return the scores of every method on one pair, means over its faces."""
    out: dict[str, dict[str, Any]] = {}
    for key, rows in gathered.items():
        regions = np.sum([told.regions for _, told in rows], axis=0)
        out[key] = {
            **{s: float(np.mean([scores[s] for scores, _ in rows])) for s in SCORES},
            "top_region": REGIONS[int(regions.argmax())],
            "lower_part": lower_part(regions),
            "passes": float(np.mean([told.passes for _, told in rows])),
            "seconds": float(np.mean([told.seconds for _, told in rows])),
            "faces": len(rows),
        }
    for scores in out.values():
        for lift in LIFTS:
            known = out[f"control.{lift.removeprefix('lift_')}"]
            scores[lift] = scores["mass"] - known["mass"]
            if f"hit_{lift}" in HIT_LIFTS:
                scores[f"hit_{lift}"] = scores["hit"] - known["hit"]
    return out


# -- over all pairs


def _summarise(
    sections: Sections, *, keys: Sequence[str], settings: Mapping[str, Any]
) -> dict[str, Any]:
    seed, threshold = int(settings["seed"]), float(settings["threshold"])
    scored = [r for r in sections.get("pairs", []) if "methods" in r]
    flagged = [r for r in scored if r["called_fake"]]
    # a method that abstains on hard pairs would look better than one that answers: compare on these
    speaking = [k for k in keys if any(k in r["methods"] for r in scored)]
    common = [r for r in scored if all(k in r["methods"] for k in speaking)]
    splices, transplants = sections.get("splices", []), sections.get("transplants", [])
    temporal = None if not splices else pair_clips.temporal_summary(splices, seed=seed)
    return {
        "methods": {
            k: _timed(_summary(scored, k, seed), k, temporal)
            | {"flagged": _summary(flagged, k, seed), "common": _summary(common, k, seed)}
            for k in (*keys, *EVERY_CONTROL)
        },
        "ahead": {
            key: _ahead(scored, key, [*keys, *EVERY_CONTROL], seed)
            for key in speaking
            if key in WITNESSES
        },
        "ways": _ways(scored, [*keys, *EVERY_CONTROL]),
        "detected": {"pairs": len(scored), "called_fake": len(flagged)},
        "leads": {k: _leads(scored, k) for k in keys},
        "lower_face": {k: _lower_face(scored, k, seed) for k in (*keys, *EVERY_CONTROL)},
        "temporal": temporal,
        "transplanted": None
        if not transplants
        else pair_clips.transplant_summary(
            transplants, [k for k in keys if k in ("ledger", "intervention")], seed=seed
        ),
        "attacked": adversarial.summarise(
            sections.get("pairs", []), keys, threshold=threshold, seed=seed
        )
        if settings["attack"]
        else None,
        "settings": {**settings, "groups": sorted({r["scene"] for r in scored})},
    }


def _summary(rows: Sequence[Row], key: str, seed: int) -> dict[str, Any]:
    """Return means over pairs with intervals over scenes; lifts are paired within each pair."""
    own = [r for r in rows if key in r["methods"]]
    names = [*SCORES, *LIFTS, *HIT_LIFTS]
    if not own:
        return {"pairs": 0, **dict.fromkeys([*names, "passes", "seconds"]), "intervals": {}}
    columns = {n: np.array([r["methods"][key][n] for r in own]) for n in names}
    scenes = [r["scene"] for r in own]
    return {
        "pairs": len(own),
        **{n: float(columns[n].mean()) for n in names},
        "intervals": {n: scene_interval(columns[n], scenes, seed=seed) for n in names},
        **{n: float(np.mean([r["methods"][key][n] for r in own])) for n in ("passes", "seconds")},
    }


def _timed(summary: dict[str, Any], key: str, temporal: Mapping[str, Any] | None) -> dict[str, Any]:
    """Return the summary of a method with how well it says when; only some say it."""
    overlap = {"mean": None, "interval": None}
    if temporal is not None and (key == "ledger" or key in BLIND):
        overlap = temporal["partial"]["iou" if key == "ledger" else key]
    intervals = {**summary["intervals"], "temporal_iou": overlap["interval"]}
    return {**summary, "temporal_iou": overlap["mean"], "intervals": intervals}


def _ahead(
    rows: Sequence[Row], key: str, others: Sequence[str], seed: int
) -> dict[str, dict[str, Any]]:
    """Return how far a method is ahead of each other one, pair by pair."""
    out: dict[str, dict[str, Any]] = {}
    for other in others:
        both = [r for r in rows if key in r["methods"] and other in r["methods"]]
        if other == key or not both:
            continue
        out[other] = {"pairs": len(both)}
        for name in ("mass", "hit"):
            gaps = [r["methods"][key][name] - r["methods"][other][name] for r in both]
            lead = mean_of(gaps, [r["scene"] for r in both], seed=seed)
            out[other][name] = {k: lead[k] for k in ("mean", "interval")}
    return out


def _ways(rows: Sequence[Row], keys: Sequence[str]) -> dict[str, dict[str, dict[str, Any]]]:
    """Return mass and hit per way of forging: a good mean may hide a way that is never found."""
    out: dict[str, dict[str, dict[str, Any]]] = {}
    for way in sorted({r["method"] for r in rows}):
        out[way] = {}
        for key in keys:
            own = [r["methods"][key] for r in rows if r["method"] == way and key in r["methods"]]
            if own:
                means = {n: float(np.mean([m[n] for m in own])) for n in ("mass", "hit")}
                out[way][key] = {"pairs": len(own), **means}
    return out


def _leads(rows: Sequence[Row], key: str) -> dict[str, dict[str, int]]:
    """Return how often each region leads, per way of forging."""
    out: dict[str, Counter[str]] = {}
    for r in rows:
        if key in r["methods"]:
            out.setdefault(r["method"], Counter())[r["methods"][key]["top_region"]] += 1
    return {name: dict(counts.most_common()) for name, counts in sorted(out.items())}


def _lower_face(rows: Sequence[Row], key: str, seed: int) -> dict[str, dict[str, Any]]:
    """Return how often the lower face leads, and its part, per way of forging and kind."""
    own = [r for r in rows if key in r["methods"]]
    groups: dict[str, list[Row]] = {}
    for r in own:
        groups.setdefault(r["method"], []).append(r)
        if r["kind"]:
            groups.setdefault(f"kind: {r['kind']}", []).append(r)
    out = {}
    for name, members in sorted(groups.items()):
        leads = sum(r["methods"][key]["top_region"] in LOWER_FACE for r in members)
        shares = [(r["methods"][key]["lower_part"], r["scene"]) for r in members]
        known = [(float(p), scene) for p, scene in shares if p is not None]
        out[name] = {
            "pairs": len(members),
            "leads": leads,
            "rate": leads / len(members),
            "rate_interval": wilson(leads, len(members)),
            "part": mean_of([p for p, _ in known], [s for _, s in known], seed=seed),
        }
    return out
