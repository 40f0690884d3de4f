"""Measure how the logits of frames should be summed up: on spliced clips, without a forged video.

    python -m toolkit study frame-rules --faces DIR[:WEIGHT] [--faces ...] --out FILE.json

A forged part is enough, but one odd frame is not: a rule must find a clip that is forged for a
tenth of its length without calling a grimace forged. The clips are put together as
`toolkit.training.stills` says.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from toolkit.detectors import registry
from toolkit.errors import OutOfRangeError, ToolkitError
from toolkit.files import atomic_write
from toolkit.jobs import TerminalLine
from toolkit.training.data import index_folder, parse_folder
from toolkit.training.stills import FACES_HELP, Levels, divide, levels, put_together, ups_and_downs
from toolkit.types import Aggregate
from toolkit.verdict.aggregate import aggregate, rule_for, rule_of

SCHEMA = "doorzicht.frame-rules/1"
CLIPS = 300  # made of photographs
VIDEOS_EACH = 4  # ups and downs laid over each clip
SHARES = (0.1, 0.3, 0.5, 1.0)  # of the clip that is forged
PLACES = (0.0, 0.5, 1.0)  # where the forged part lies: first, middle, last
ALARMS = (0.05, 0.02)  # of genuine clips; each rule gets the threshold that gives as many
RESAMPLES = 500
IN_USE = "in use"

Float = NDArray[np.float64]
Rule = Callable[[Float], float]


def highest(part: float, *, least: int = 3) -> Rule:
    """Return the rule that takes the mean of the highest part of the frames."""

    def rule(x: Float) -> float:
        k = min(len(x), max(least, int(np.ceil(part * len(x)))))
        return aggregate(x, Aggregate("top_k", k))

    return rule


def neighbours(x: Float, how: Callable[..., Any] = np.mean) -> Float:
    """Return each moment together with its neighbours: the mean, or median, of three.

    Examples
    --------
    >>> neighbours(np.array([0.0, 3.0, 0.0, 0.0])).tolist()
    [1.5, 1.0, 1.0, 0.0]
    """
    return np.array([how(x[max(0, i - 1) : i + 2]) for i in range(len(x))], np.float64)


def rules(in_use: Callable[[int], Aggregate] = rule_for) -> dict[str, Rule]:
    """Return the rules that are compared, by name.

    Parameters
    ----------
    in_use
        The rule of the detector, `verdict.aggregate.rule_of`.
    """
    found: dict[str, Rule] = {
        IN_USE: lambda x: aggregate(x, in_use(len(x))),
        "mean": lambda x: aggregate(x, Aggregate("mean", 1)),
        "log-mean-exp": lambda x: aggregate(x, Aggregate("log_mean_exp", 1)),
    }
    found |= {f"highest 1/{n}": highest(1 / n) for n in (2, 3, 4, 6, 8, 12)}
    for name, how in (("mean", np.mean), ("median", np.median)):
        for n in (4, 8):
            found[f"{name} of 3, highest 1/{n}"] = _with_neighbours(how, highest(1 / n))
    return found


def _with_neighbours(how: Callable[..., Any], rule: Rule) -> Rule:
    return lambda x: rule(neighbours(x, how))


def spliced(genuine: Float, forged: Float, share: float, place: float) -> Float:
    """Return a clip's logits (M,) that are forged in one stretch of a share of its length.

    `place` 0 is the start, 1 the end. At least one moment is forged.
    """
    count = max(1, round(share * len(genuine)))
    start = round(place * (len(genuine) - count))
    out = genuine.copy()
    out[start : start + count] = forged[start : start + count]
    return out


def measure(
    found: Levels,
    wander: Sequence[Float],
    *,
    threshold: float,
    in_use: Callable[[int], Aggregate] = rule_for,
    seed: int = 4,
) -> dict[str, Any]:
    """Compare the rules on genuine and spliced clips.

    Parameters
    ----------
    found
        Levels of C clips.
    wander
        Ups and downs (M,) of filmed people; `VIDEOS_EACH` of them are laid over each clip.
    threshold
        Of the detector, for the rule in use.
    in_use
        That rule.

    Returns
    -------
    dict
        ``rules``: per name and share of false alarms the threshold, the share of spliced clips
        that reach it per forged share, their mean, and how far that mean is ahead of the rule in
        use, with a 95 % interval by bootstrap over people, not over videos. ``alarms``: the share
        of genuine clips that the rule in use calls forged at the detector's own threshold, with
        such an interval.
    """
    rng = np.random.default_rng(seed)
    people = sorted(set(found.groups))
    owner = np.repeat([people.index(g) for g in found.groups], VIDEOS_EACH)
    courses = put_together(found, wander, rng, each=VIDEOS_EACH)
    drawn = rng.multinomial(len(people), np.full(len(people), 1 / len(people)), size=RESAMPLES)
    weights = np.vstack([np.ones(len(owner)), drawn[:, owner]])  # row 0: as it is
    scores = {name: _scores(courses, rule) for name, rule in rules(in_use).items()}
    out: dict[str, Any] = {}
    base: dict[float, Float] = {}
    for name, (null, hits) in scores.items():
        out[name] = {}
        for part in ALARMS:
            limits = _upper(null, weights, part)
            rates = np.stack([_rates(hits, at, w) for at, w in zip(limits, weights, strict=True)])
            base.setdefault(part, rates.mean(axis=1))  # the rule in use comes first
            ahead = rates.mean(axis=1) - base[part]
            out[name][f"{part:g}"] = {
                "threshold": float(limits[0]),
                "found": rates[0].tolist(),
                "mean": float(rates[0].mean()),
                "ahead": float(ahead[0]),
                "ahead_interval": np.percentile(ahead[1:], [2.5, 97.5]).tolist(),
            }
    above = (weights * (scores[IN_USE][0] >= threshold)).sum(axis=1) / weights.sum(axis=1)
    return {
        "rules": out,
        "alarms": {
            "threshold": threshold,
            "rate": float(above[0]),
            "interval": np.percentile(above[1:], [2.5, 97.5]).tolist(),
        },
        "clips": len(found.genuine),
        "people": len(people),
        "videos": len(wander),
        "shares": list(SHARES),
    }


def _scores(courses: Sequence[tuple[Float, Float]], rule: Rule) -> tuple[Float, Float]:
    """Return what a rule says of the genuine (C,) and the spliced clips (C, shares, places)."""
    null = np.array([rule(genuine) for genuine, _ in courses])
    hits = [
        [[rule(spliced(genuine, forged, share, p)) for p in PLACES] for share in SHARES]
        for genuine, forged in courses
    ]
    return null, np.array(hits)


def _upper(values: Float, weights: Float, part: float) -> Float:
    """Return, per row of weights (R, C), the lowest limit that no more than `part` reach."""
    order = np.argsort(-values, kind="stable")
    above = np.cumsum(weights[:, order], axis=1) / weights.sum(axis=1, keepdims=True)
    last = values[order][np.argmax(above > part, axis=1)]  # one too many would reach this one
    return np.asarray(np.nextafter(last, np.inf))


def _rates(hits: Float, limit: float, weights: Float) -> Float:
    per_share = (hits >= limit).mean(axis=2)
    return np.asarray((weights[:, None] * per_share).sum(axis=0) / weights.sum())


def table(result: dict[str, Any]) -> str:
    """Return the comparison as lines for a terminal."""
    heading = (
        f"{result['clips']} clips made of photographs of {result['people']} people, genuine and"
    )
    lines = [f"{heading} forged, with the ups and downs of {result['videos']} videos"]
    shares = " ".join(f"{f'{s:.0%}':>6}" for s in result["shares"])
    for alarms in result["rules"][IN_USE]:
        head = f"{float(alarms):.0%} false alarms"
        lines.append(f"{head:26}  at {'forged for':>10} {shares}   mean  ahead")
        for name, per in result["rules"].items():
            r = per[alarms]
            low, high = r["ahead_interval"]
            rates = " ".join(f"{x:6.2f}" for x in r["found"])
            ahead = "" if name == IN_USE else f"{r['ahead']:+6.3f} ({low:+.3f} {high:+.3f})"
            lines.append(
                f"  {name:24} {r['threshold']:+5.2f} {'':>7} {rates}  {r['mean']:5.3f} {ahead}"
            )
    a = result["alarms"]
    lines.append(
        f"the rule in use calls {a['rate']:.1%} ({a['interval'][0]:.1%} to {a['interval'][1]:.1%}) "
        f"of these genuine clips forged at the detector's own threshold of {a['threshold']:+.2f}"
    )
    return "\n".join(lines)


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; return its exit code."""
    parser = argparse.ArgumentParser(
        prog="python -m toolkit study frame-rules",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "--faces", action="append", required=True, metavar="DIR[:WEIGHT]", help=FACES_HELP
    )
    parser.add_argument("--weights", type=Path, help="default: the bundled ones")
    parser.add_argument("--out", type=Path, required=True, help="JSON")
    parser.add_argument("--work", type=Path, default=Path("runs/train"), help="face index")
    parser.add_argument("--clips", type=int, default=CLIPS, help="made of photographs")
    options = parser.parse_args(argv)

    try:
        if options.clips < 1:
            raise OutOfRangeError(
                "at least one clip is needed", str(options.clips), "Check --clips."
            )
        options.out.parent.mkdir(parents=True, exist_ok=True)
        detector = registry.load_weights(options.weights)
        with TerminalLine() as tick:
            folders = [
                index_folder(path, options.work, weight=weight, tick=tick)
                for path, weight in map(parse_folder, options.faces)
            ]
            photographed, videos = divide(folders)
            wander = ups_and_downs(detector, videos, tick=tick)
            found = levels(detector, photographed, options.clips, seed=4, tick=tick)
        result = measure(found, wander, threshold=detector.card.threshold, in_use=rule_of(detector))
        print(table(result))
        result |= {"schema": SCHEMA, "weights_sha256": detector.card.weights_sha256}
        atomic_write(options.out, json.dumps(result, indent=1) + "\n")
    except (ToolkitError, OSError) as error:
        print(error, file=sys.stderr)
        return 1
    return 0
