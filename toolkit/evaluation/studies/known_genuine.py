"""Measure what a recording that is known to be genuine adds to a verdict.

    python -m toolkit study known-genuine CLIPS.csv --out FILE.json [--cache DIR] [--write]

Every clip is cut in two by its moments. Genuine recordings of sources without forgeries, those kept
from training, say how far two genuine halves lie apart; the limit comes from them alone. A forgery
whose footage is there unforged is judged on the other sources: one half of it against the other
half of its original, as if other seconds of that recording were known to be genuine. This is the
best case: same person, camera, light and coding.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from toolkit.analysis.pipeline import examine
from toolkit.detectors import registry
from toolkit.detectors.base import Detector
from toolkit.errors import Cancelled, ToolkitError, UsageError
from toolkit.evaluation.verdicts import benchmark as verdicts
from toolkit.evaluation.verdicts import scores
from toolkit.evaluation.verdicts.benchmark import Clip, number, with_interval
from toolkit.evaluation.verdicts.scores import Score, Separation
from toolkit.files import atomic_write, parse_json
from toolkit.jobs import TerminalLine
from toolkit.messages import phrase
from toolkit.storage.cache import Cache
from toolkit.types import Examination, Sampling, Tick, no_tick
from toolkit.verdict import comparison
from toolkit.verdict.comparison import GenuineSpread, Stretch

SCHEMA = "doorzicht.halves-benchmark/1"

Two = tuple[Stretch, Stretch]


@dataclass(frozen=True)
class _Cut:
    """A clip and its two halves."""

    clip: Clip
    halves: Two

    @property
    def source(self) -> str:
        return self.clip.row.get("dataset", "")

    @property
    def apart(self) -> float:
        return abs(self.halves[1].logit - self.halves[0].logit)


def measure(
    clips: Sequence[Clip],
    judge: Detector,
    *,
    training_clips: Sequence[str] = (),
    seed: int = 0,
    sampling: Sampling | None = None,
    cache: Cache | None = None,
    examine: Callable[..., Examination] = examine,
    tick: Tick = no_tick,
) -> tuple[dict[str, Any], GenuineSpread]:
    """Cut every usable clip in two, and compare.

    Parameters
    ----------
    clips
        From `verdicts.read_list`.
    judge
        The detector.
    training_clips
        File names without suffix that it was trained on: they say nothing here.
    examine
        For tests: what reads a clip.

    Returns
    -------
    dict
        `limit`, `apart` per recording, `per_source` (false alarms with a limit from the *other*
        sources, hits), `per_method` (AUC of the difference, and of the plain logit on the same
        halves), `left_out` with reasons, `settings`.
    GenuineSpread
        What a product that ships these weights may use.

    Raises
    ------
    UsageError
        If too few genuine recordings are left.
    """
    cuts: list[_Cut] = []
    left_out: list[dict[str, str]] = []
    usable = [c for c in clips if not c.is_marginal]
    for done, clip in enumerate(usable):
        tick("compare", done, len(usable))
        if clip.path.stem in training_clips:
            continue
        try:
            seen = examine(
                clip.path,
                detector=judge,
                sampling=sampling,
                explain=False,
                seed=seed,
                cache=cache,
            )
            cuts.append(_Cut(clip, _halves(seen)))
        except Cancelled:
            raise
        except ToolkitError as error:
            left_out.append({"path": clip.row["path"], "reason": str(error)})
    tick("compare", len(usable), len(usable))
    forged_sources = {c.row.get("dataset", "") for c in usable if c.is_fake}
    norm = [c for c in cuts if not c.clip.is_fake and c.source not in forged_sources]
    sources = sorted({c.source for c in norm})
    halves = GenuineSpread(
        tuple(sorted(c.apart for c in norm)),
        judge.card.weights_sha256,
        f"{len(norm)} genuine recordings kept from training, of {', '.join(sources)}",
        sharper=tuple(sorted(_sharper(c) for c in norm)),
        softer=_softer(cuts),
    )
    if len(norm) < comparison.LEAST:
        raise UsageError(
            "there are too few genuine recordings to measure on",
            phrase("{n}, at least {least} are needed", n=len(norm), least=comparison.LEAST),
            "Add clips of sources that have no forgeries.",
        )
    per_method = dict(_methods(cuts, halves.limit, judge.card.threshold, seed))
    result = {
        "schema": SCHEMA,
        "limit": halves.limit,
        "apart": [
            {"path": c.clip.row["path"], "source": c.source, "apart": c.apart}
            for c in sorted(norm, key=lambda c: c.apart)
        ],
        "per_source": {s: _false_alarms(norm, s) for s in sources},
        "per_method": per_method,
        "sharpness_limit": halves.sharpness_limit,
        "softer_than_original": {"forgeries": halves.softer[0], "of": halves.softer[1]},
        "left_out": left_out,
        "settings": {
            "detector": judge.card.name,
            "weights_sha256": judge.card.weights_sha256,
            "sampling": (sampling or Sampling()).to_dict(),
            "seed": seed,
            "false_alarms": comparison.FALSE_ALARMS,
        },
    }
    return result, halves


def _halves(seen: Examination) -> Two:
    """Return the first and the second half of the person whom the verdict is of."""
    result = verdicts.speaking(seen.report)
    if result is None:
        raise UsageError("nobody could be judged", seen.report.verdict.reason or "", "")
    crops = seen.crops[result.track.person]
    first = np.arange(len(result.track.pts)) < len(result.track.pts) // 2
    return (
        comparison.stretch(result, crops, first),
        comparison.stretch(result, crops, ~first),
    )


def _false_alarms(norm: Sequence[_Cut], source: str) -> dict[str, Any]:
    """Return how often genuine halves of a source exceed the limit of the other sources."""
    mine = [c for c in norm if c.source == source]
    others = tuple(sorted(c.apart for c in norm if c.source != source))
    limit = GenuineSpread(others, "", "").limit if others else None
    above = None if limit is None else sum(c.apart > limit for c in mine)
    return {
        "recordings": len(mine),
        "others": len(others),
        "limit": limit,
        # of the two ways to question a recording, one is upwards
        "false_alarms": None if above is None else above / (2 * len(mine)),
    }


def _sharper(cut: _Cut) -> float:
    """Return how far the sharpness of two halves lies apart: log2 of the ratio, no sign."""
    first, second = (max(half.sharpness, 1e-9) for half in cut.halves)
    return abs(float(np.log2(first / second)))


def _pairs(cuts: Sequence[_Cut]) -> list[tuple[_Cut, _Cut]]:
    """Return each forgery with its original, where that was cut in two as well."""
    originals = {(c.source, c.clip.group): c for c in cuts if not c.clip.is_fake}
    return [
        (c, originals[c.source, c.clip.group])
        for c in cuts
        if c.clip.is_fake and (c.source, c.clip.group) in originals
    ]


def _softer(cuts: Sequence[_Cut]) -> tuple[int, int]:
    """Return in how many forgeries the face is softer than in the other half of the original."""
    pairs = _pairs(cuts)
    softer = sum(
        fake.halves[1].sharpness < original.halves[0].sharpness for fake, original in pairs
    )
    return int(softer), len(pairs)


def _methods(
    cuts: Sequence[_Cut], limit: float, threshold: float, seed: int
) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield the figures per source and method, then their mean per source."""
    pairs = _pairs(cuts)
    for source in sorted({c.source for c, _ in pairs}):
        here = [(c, o) for c, o in pairs if c.source == source]
        names = sorted({c.clip.row["method"] for c, _ in here})
        by_method = [[p for p in here if p[0].clip.row["method"] == n] for n in names]
        for name, mine in zip(names, by_method, strict=True):
            yield f"{source} / {name}", _figures([mine], limit, threshold, seed)
        if len(names) > 1:
            yield f"{source}, mean over its methods", _figures(by_method, limit, threshold, seed)


def _figures(
    methods: Sequence[Sequence[tuple[_Cut, _Cut]]], limit: float, threshold: float, seed: int
) -> dict[str, Any]:
    against, plain = (
        Separation([_scored(m, relative=relative) for m in methods]) for relative in (True, False)
    )
    informed, without = ([s for m in part.methods for s in m] for part in (against, plain))
    hits = [(s.group, s.value > limit) for s in informed if s.is_fake]
    # the halves of an original differ upwards once: each original counts once
    originals = {o.clip.row["path"]: o for m in methods for _, o in m}
    alarms = [o.apart > limit for o in originals.values()]
    gap = scores.difference(against, plain, seed=seed)
    return {
        "forgeries": sum(len(m) for m in methods),
        "auc": against.value,
        "auc_interval": against.interval(seed),
        "plain_auc": plain.value,
        "plain_auc_interval": plain.interval(seed),
        "gain": gap.difference if gap else None,
        "gain_interval": gap.interval if gap else None,
        "tpr": float(np.mean([hit for _, hit in hits])),
        "tpr_interval": scores.bootstrap_rate(hits, seed=seed),
        "plain_tpr": float(np.mean([s.value >= threshold for s in without if s.is_fake])),
        "originals": len(alarms),
        "fpr": float(np.mean(alarms)) / 2,
    }


def _scored(pairs: Sequence[tuple[_Cut, _Cut]], *, relative: bool) -> list[Score]:
    """Return a score for either half of each forgery, and of each original once."""
    rows: dict[str, Score] = {}
    for forged, original in pairs:
        for cut in (forged, original):
            for which in (0, 1):
                known = original.halves[1 - which].logit if relative else 0.0
                key = f"{cut.clip.row['path']} half {which + 1}"
                value = cut.halves[which].logit - known
                rows[key] = Score(key, cut.clip.group, cut.clip.is_fake, value)
    return list(rows.values())


def table(result: dict[str, Any]) -> str:
    """Return the figures as lines of text for a terminal."""
    lines = [
        f"limit {result['limit']:+.2f}, from {len(result['apart'])} genuine recordings",
        f"  {'genuine halves of':44} {'recordings':>10} {'false alarms':>12} (limit from others)",
    ]
    lines += [
        f"  {source[:44]:44} {r['recordings']:>10} {number(r['false_alarms']):>12} "
        f"({number(r['limit'], '+.2f')}, {r['others']} recordings)"
        for source, r in result["per_source"].items()
    ]
    lines.append(
        f"  {'half against a half of its original':44} {'forged':>6} {'AUC':>18} "
        f"{'without it':>18} {'gain':>20} {'TPR':>18} {'without':>7} {'FPR':>9}"
    )
    for name, r in result["per_method"].items():
        areas = [with_interval(r[k], r[f"{k}_interval"]) for k in ("auc", "plain_auc")]
        gain = with_interval(r["gain"], r["gain_interval"], "+.2f")
        hits = with_interval(r["tpr"], r["tpr_interval"])
        alarms = f"{number(r['fpr'])} ({r['originals']})"
        lines.append(
            f"  {name[:44]:44} {r['forgeries']:>6} {areas[0]:>18} {areas[1]:>18} {gain:>20} "
            f"{hits:>18} {number(r['plain_tpr']):>7} {alarms:>9}"
        )
    if result["left_out"]:
        lines.append(f"{len(result['left_out'])} clips could not be cut in two (in the JSON)")
    return "\n".join(lines)


def main(argv: Sequence[str] | None = None) -> int:
    """Measure and print; with --write, also keep what the product compares with."""
    parser = argparse.ArgumentParser(
        prog="python -m toolkit study known-genuine",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("clips", type=Path, help="as for benchmark")
    parser.add_argument("--out", type=Path, required=True, help="JSON file")
    parser.add_argument("--cache", type=Path, metavar="DIR", help="as for benchmark")
    parser.add_argument("--detector", default=registry.DEFAULT)
    parser.add_argument(
        "--card", type=Path, help="names the training clips; default: the detector's"
    )
    parser.add_argument("--write", action="store_true", help="put the limit beside the weights")
    parser.add_argument("--device", default="auto")
    options = parser.parse_args(argv)
    try:
        judge = registry.load(options.detector, device=options.device, stand_in=False)
        card = registry.weights(judge.card.name).with_suffix(".json")
        facts = parse_json((options.card or card).read_text(encoding="utf-8"))
        keep = Cache(options.cache, limit_bytes=verdicts.CACHE_BYTES) if options.cache else None
        with TerminalLine() as tick:
            result, halves = measure(
                verdicts.read_list(options.clips),
                judge,
                training_clips=facts.get("training_clips", ()),
                cache=keep,
                tick=tick,
            )
    except (ToolkitError, OSError, ValueError) as error:
        print(error, file=sys.stderr)
        return 1
    options.out.parent.mkdir(parents=True, exist_ok=True)
    atomic_write(options.out, json.dumps(result, indent=1, allow_nan=False) + "\n")
    if options.write:
        comparison.save(halves, comparison.path_for(judge.card.name))
    print(table(result))
    return 0
