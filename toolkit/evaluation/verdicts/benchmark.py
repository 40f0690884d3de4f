"""Run detectors and controls over labelled clips and report per source and per method.

A pooled AUC over sources rewards guessing the source from codec or size, so none is given; the mean
over the methods of one source compares each method with the originals of the same footage.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from toolkit.analysis.pipeline import OnPartial, examine
from toolkit.detectors import registry
from toolkit.detectors.base import Card, Detector
from toolkit.errors import Cancelled, ToolkitError, UsageError
from toolkit.evaluation.lists import read_table
from toolkit.evaluation.verdicts import baselines, scores
from toolkit.evaluation.verdicts.scores import RESAMPLES, Score, Separation
from toolkit.media.reshare import ReshareStep, parse, reshare
from toolkit.messages import phrase
from toolkit.storage.cache import Cache
from toolkit.types import Examination, Report, Sampling, Tick, TrackResult, no_tick
from toolkit.verdict import abstention, calibration
from toolkit.verdict.aggregate import rule_text

if TYPE_CHECKING:
    from toolkit.detectors.seamnet_small import SeamNet

SCHEMA = "doorzicht.benchmark/1"
COLUMNS = ("path", "label", "method", "dataset", "scene")
EXCLUDED = ("demo-only",)
MARGINAL = "marginal"
HEADER = (
    f"  {'source':32} {'label':5} {'clips':>5} {'abst':>5} {'called fake':>12} "
    f"{'forced':>7} {'median':>7} {'AUC':>18} {'EER':>5}"
)

ROBUSTNESS = (
    "crop10",
    "crop25",
    "crop40",
    "scale720",
    "scale480",
    "scale360",
    "crf28",
    "crf33",
    "crf40",
    "crf33,crf33",
)
"""What happens to a clip that is shared on, one thing at a time; the last one is shared twice."""

CACHE_BYTES = 32 << 30
"""Room for what was read of the clips of a list along all chains."""

Row = dict[str, Any]


@dataclass(frozen=True)
class Clip:
    """One row of the list: a file, its label, and whatever other columns the list has."""

    path: Path
    row: dict[str, str]

    @property
    def is_fake(self) -> bool:
        """Whether the label says forged."""
        return self.row["label"] == "fake"

    @property
    def scene(self) -> str:
        """What must not be both fitted on and judged: footage, person or source."""
        return self.row.get("scene") or self.row["path"]

    @property
    def group(self) -> str:
        """What must not be taken apart when resampling: the filmed footage."""
        return self.row.get("target_scene") or self.scene

    @property
    def is_marginal(self) -> bool:
        """Whether the list says that it is hardly usable: then it is reported apart."""
        return self.row.get("usable") == MARGINAL


def read_list(path: Path) -> list[Clip]:
    """Read a CSV: path, label (real or fake), method, dataset, scene; more columns are kept.

    Paths are relative to the list. Rows whose `usable` column says demo-only are left out.

    Raises
    ------
    UsageError
        If the file, a column or a label is not as stated.
    """
    rows = read_table(path, ("path", "label"), what=phrase("list of clips"))
    clips = []
    for row in rows:
        if row["label"] not in ("real", "fake"):
            value = phrase("{label} of {path}", label=repr(row["label"]), path=row["path"])
            raise UsageError("unknown label", value, "Use real or fake.")
        if row.get("usable") not in EXCLUDED:
            clips.append(Clip(path.parent / row["path"], row))
    return clips


# --- running ------------------------------------------------------------------------------------


def benchmark(
    clips: Sequence[Clip],
    *,
    detectors: Sequence[str] = ("seamnet",),
    chain: str = "",
    imagenet: Callable[[], SeamNet] | None = None,
    device: str = "auto",
    sampling: Sampling | None = None,
    seed: int = 0,
    cache: Cache | None = None,
    on_partial: Mapping[str, OnPartial] | None = None,
    tick: Tick = no_tick,
) -> dict[str, Any]:
    """Analyse every clip with every detector and summarise.

    Parameters
    ----------
    clips
        From `read_list`.
    detectors
        Names from `registry.NAMES` and `controls.NAMES`.
    chain
        A re-share chain that every clip goes along first, such as ``"scale480,crf33"``.
    imagenet
        Makes the network of `control.imagenet`.
    device, sampling, seed, cache, tick
        As for `analysis.analyse`. With a cache, a second detector need not read a clip again, nor
        need the same benchmark after it was interrupted; seconds then say what was left to do.
    on_partial
        By detector: is told what is known while a clip is judged, as for `analysis.examine`.

    Returns
    -------
    dict
        `clips`, `summary` and `settings` as `docs/files.rst` documents them. A clip that is refused
        counts as abstained, with the refusal as its reason.

    Raises
    ------
    UsageError
        If a name or the chain is unknown, or a name is given twice.
    ModelError
        If a detector's weights are not in order.
    """
    names = list(dict.fromkeys(detectors))
    if len(names) < len(detectors) or not names:
        raise UsageError("detectors must differ", ", ".join(detectors), "Name each one once.")
    steps = parse(chain) if chain else ()
    control_names = [n for n in names if n.startswith("control.")]
    baselines.check(control_names, imagenet)
    judges = {
        n: registry.load(n, device=device, stand_in=False) for n in names if n not in control_names
    }
    features = None
    if imagenet and baselines.IMAGENET in control_names:
        features = baselines.Features(imagenet, device=device)

    run = _Run(judges, features, control_names, steps, sampling, seed, cache, on_partial or {})
    total = len(clips) * max(1, len(judges))
    rows: dict[str, list[Row]] = {n: [] for n in names}
    vectors = []
    for clip in clips:
        for name, row in run.rows(clip, lambda done: tick("benchmark", done, total)):
            rows[name].append(row)
        vectors.append(run.vector)
    if features:
        logits = baselines.held_out_logits(
            vectors,
            [c.is_fake for c in clips],
            [c.scene for c in clips],
            [not c.is_marginal for c in clips],
        )
        for row, logit in zip(rows[baselines.IMAGENET], logits, strict=True):
            if logit is not None:
                row |= {"logit": logit, "abstained": False, "reason": None}
    tick("benchmark", total, total)
    return {
        "schema": SCHEMA,
        "clips": [row for name in names for row in rows[name]],
        "summary": summarise(clips, rows, judges, seed=seed),
        "settings": {
            "seed": seed,
            "sampling": (sampling or Sampling()).to_dict(),
            "detectors": {n: judges[n].card.weights_sha256 if n in judges else "" for n in names},
            "reshare": ",".join(map(str, steps)),
            "resamples": RESAMPLES,
        },
    }


@dataclass
class _Run:
    """What all clips of one benchmark share; `done` counts analyses."""

    judges: dict[str, Detector]
    features: baselines.Features | None
    control_names: Sequence[str]
    steps: Sequence[ReshareStep]
    sampling: Sampling | None
    seed: int
    cache: Cache | None
    on_partial: Mapping[str, OnPartial]
    done: int = 0
    vector: NDArray[np.float64] | None = None  # of the last clip, for `control.imagenet`

    def __post_init__(self) -> None:
        self.maps = {n: _ratio(n, j.card) for n, j in self.judges.items()}

    def rows(self, clip: Clip, tick: Callable[[int], None]) -> Iterator[tuple[str, Row]]:
        """Yield a row per detector, then one per control."""
        first: Examination | None = None
        refusal: str | None = None
        with _reshared(clip.path, self.steps) as (path, problem):
            for position, name in enumerate(self.judges or [""]):
                tick(self.done)
                judge = self.judges.get(name) or baselines.Nobody()
                start = time.perf_counter()
                seen, refusal = self._examine(path, judge) if path else (None, problem)
                self.done += 1
                first = seen if position == 0 else first
                if name:
                    seconds = time.perf_counter() - start
                    yield name, self._row(clip, name, seen, refusal, seconds)
        crops = next((c for c in first.crops.values() if len(c.rgb)), None) if first else None
        self.vector = self.features(crops.rgb) if self.features and crops else None
        video = first.report.video if first else None
        values = {
            baselines.SIZE_CONTROL: video.bytes / video.duration_s if video else None,
            baselines.BLUR: -float(np.median(crops.sharpness)) if crops else None,
            baselines.IMAGENET: None,  # known when all clips have been seen
        }
        reason = refusal or "There is no face to measure."
        for name in self.control_names:
            yield name, _plain_row(clip, name, values[name], reason)

    def _examine(self, path: Path, judge: Detector) -> tuple[Examination | None, str | None]:
        try:
            seen = examine(
                path,
                detector=judge,
                sampling=self.sampling,
                explain=False,
                seed=self.seed,
                cache=self.cache,
                on_partial=self.on_partial.get(judge.card.name),
            )
        except Cancelled:
            raise
        except ToolkitError as error:
            return None, str(error)
        return seen, None

    def _row(
        self, clip: Clip, name: str, seen: Examination | None, refusal: str | None, seconds: float
    ) -> Row:
        report = seen.report if seen else None
        verdict = report.verdict if report else None
        decisive = speaking(report) if report else None
        logit = decisive.verdict.logit if decisive else None
        frozen_logits = self.maps[name]
        reason = refusal if verdict is None else str(verdict.reason) if verdict.reason else None
        row = _plain_row(clip, name, logit, reason)
        return row | {
            "abstained": verdict.abstained if verdict else True,
            "reason": reason,
            "log10_lr": frozen_logits.log10_lr(logit)
            if frozen_logits and logit is not None
            else None,
            "faces": len(report.tracks) if report else 0,
            "seconds": round(seconds, 3),
            "conditions": abstention.measures(decisive.track, seen.crops[decisive.track.person])
            if seen and decisive
            else None,
        }


def _ratio(name: str, card: Card) -> calibration.Calibration | None:
    return calibration.find(name, card.weights_sha256, rule=rule_text(card.top_part))


def speaking(report: Report) -> TrackResult | None:
    """Return whose logit counts: the person whom the verdict is of.

    Where everybody abstains, that is the first one, as in `abstention.clip_verdict`; one without a
    logit gives way to the highest there is.
    """
    scored = [r for r in report.tracks if r.verdict.logit is not None]
    decisive = next((r for r in scored if r.track.person == report.decisive), None)
    if decisive or report.verdict.logit is not None:
        return decisive or report.tracks[0]
    return max(scored, key=lambda r: r.verdict.logit or 0.0, default=None)


def _plain_row(clip: Clip, name: str, logit: float | None, reason: str | None) -> Row:
    return {
        "detector": name,
        **{k: v for k, v in clip.row.items() if k not in ("licence", "note")},
        **{k: clip.row.get(k, "") for k in COLUMNS},
        "logit": logit,
        "log10_lr": None,
        "abstained": logit is None,
        "reason": reason if logit is None else None,
        "faces": None,
        "seconds": None,
        "conditions": None,
    }


@contextmanager
def _reshared(path: Path, steps: Sequence[ReshareStep]) -> Iterator[tuple[Path | None, str | None]]:
    """Give the clip as it comes out of the chain, or why it does not."""
    if not steps:
        yield path, None
        return
    with tempfile.TemporaryDirectory(prefix="doorzicht-") as folder:
        out = Path(folder, "shared.mp4")
        problem = None
        try:
            reshare(path, out, steps)
        except Cancelled:
            raise
        except ToolkitError as error:
            problem = str(error)
        yield (None if problem else out), problem


# --- figures ------------------------------------------------------------------------------------


def summarise(
    clips: Sequence[Clip],
    rows: dict[str, list[Row]],
    judges: dict[str, Detector],
    *,
    seed: int = 0,
) -> dict[str, Any]:
    """Return the figures of each detector: see `docs/files.rst`.

    Parameters
    ----------
    clips
        The list.
    rows
        For each detector, a row per clip in the order of the list.
    judges
        The detectors with a card; controls have no threshold.
    """
    parts = {
        name: _Part(
            name,
            [_Judged(c, r) for c, r in zip(clips, mine, strict=True)],
            judges[name].card if name in judges else None,
            seed,
        )
        for name, mine in rows.items()
    }
    return {
        name: part.summary() | {"differences": part.differences(parts)}
        for name, part in parts.items()
    }


@dataclass(frozen=True)
class _Judged:
    """A clip and what a detector said of it."""

    clip: Clip
    row: Row

    @property
    def source(self) -> str:
        return str(self.row["dataset"])

    @property
    def logit(self) -> float | None:
        value: float | None = self.row["logit"]
        return value

    @property
    def score(self) -> Score:
        assert self.logit is not None
        return Score(self.row["path"], self.clip.group, self.clip.is_fake, self.logit)


class _Part:
    """The figures of one detector."""

    def __init__(self, name: str, judged: Sequence[_Judged], card: Any, seed: int) -> None:
        self.name, self.seed = name, seed
        self.threshold: float | None = card.threshold if card else None
        self.map = _ratio(name, card) if card else None
        self.seen = {*self.map.groups, *card.trained_on} if self.map else set()
        self.usable = [j for j in judged if not j.clip.is_marginal]
        self.marginal = [j for j in judged if j.clip.is_marginal]

    def summary(self) -> dict[str, Any]:
        reals, fakes = ([j for j in self.usable if j.clip.is_fake == w] for w in (False, True))
        real, fake = self._rates(reals), self._rates(fakes)
        seconds = [j.row["seconds"] for j in self.usable if j.row["seconds"] is not None]
        return {
            "threshold": self.threshold,
            "per_source": {s: self._source(mine) for s, mine in _by_source(self.usable)},
            "per_method": {
                f"{s} / {method}": {
                    "fake": self._rates([j for j in mine if j.clip.is_fake]),
                    **self._separation([mine]),
                }
                for s, methods in self._methods(self.usable)
                for method, mine in methods
            },
            "fpr": real["rate"],
            "tpr": fake["rate"],
            "fpr_interval": self._by_scene(reals),
            "tpr_interval": self._by_scene(fakes),
            "forced_fpr": real["forced_rate"],
            "forced_tpr": fake["forced_rate"],
            "abstained": _share(sum(j.row["abstained"] for j in self.usable), len(self.usable)),
            "found": self._found(),
            "above_own": self._above_own(),
            "likelihood_ratios": self._likelihood_ratios(self.usable, by_scene=True),
            "marginal": {s: self._labels(mine) for s, mine in _by_source(self.marginal)},
            "seconds_per_clip": float(np.median(seconds)) if seconds else None,
        }

    def _found(self) -> list[dict[str, Any]]:
        """Return how many forgeries are found where so many genuine clips are called forged."""
        of = {s: _values(mine) for s, mine in _by_source(self.usable)}
        fake, real = _values(self.usable)
        rows = []
        for alarms in scores.ALARMS:
            rates = scores.found_at(fake, real, alarms)
            if rates is not None:
                at, share = rates
                per = {s: float((f >= at).mean()) for s, (f, _) in of.items() if len(f)}
                rows.append({"alarms": alarms, "threshold": at, "found": share, "per_source": per})
        return rows

    def _above_own(self) -> dict[str, Any]:
        """Return how often a forgery scores above the original of the same footage."""
        pairs = scores.above_own(_scores(self.usable))
        return {
            "pairs": len(pairs),
            "above": sum(hit for _, hit in pairs),
            "interval": scores.bootstrap_rate(pairs, seed=self.seed) if pairs else None,
        }

    def differences(self, parts: dict[str, _Part]) -> dict[str, Any]:
        """Return the mean AUC less that of each other detector, per source."""
        if self.name in baselines.NAMES:
            return {}
        out: dict[str, Any] = {}
        for source, methods in self._methods(self.usable):
            names = [method for method, _ in methods]
            mine = Separation([_scores(judged) for _, judged in methods])
            for other in parts.values():
                theirs = dict(dict(self._methods(other.usable))[source])
                gap = scores.difference(
                    mine,
                    Separation([_scores(theirs[n]) for n in names]),
                    seed=self.seed,
                    may_turn=other.name in baselines.MAY_TURN,
                )
                if other is not self and gap:
                    out.setdefault(source, {})[other.name] = asdict(gap)
        return out

    @staticmethod
    def _methods(
        judged: Sequence[_Judged],
    ) -> list[tuple[str, list[tuple[str, list[_Judged]]]]]:
        """Return the clips per source and method, with the originals of the same footage."""
        out = []
        for source, here in _by_source(judged):
            methods = []
            for method in sorted({j.row["method"] for j in here if j.clip.is_fake}):
                fakes = [j for j in here if j.clip.is_fake and j.row["method"] == method]
                footage = {j.clip.group for j in fakes}
                originals = [j for j in here if not j.clip.is_fake and j.clip.group in footage]
                methods.append((method, fakes + originals))
            if methods:
                out.append((source, methods))
        return out

    def _source(self, here: Sequence[_Judged]) -> dict[str, Any]:
        methods = [mine for _, each in self._methods(here) for _, mine in each]
        mean = self._separation(methods)
        return {
            **self._labels(here),
            **self._separation([here]),
            "mean_auc": mean["auc"],
            "mean_auc_interval": mean["auc_interval"],
            "likelihood_ratios": self._likelihood_ratios(here),
        }

    def _labels(self, here: Sequence[_Judged]) -> dict[str, Any]:
        sides = {label: [j for j in here if j.row["label"] == label] for label in ("real", "fake")}
        return {label: self._rates(side) if side else None for label, side in sides.items()}

    def _rates(self, judged: Sequence[_Judged]) -> dict[str, Any]:
        """Return how often clips of one label are called forged: with abstention, and forced."""
        logits = [j.logit for j in judged if not j.row["abstained"] and j.logit is not None]
        scored = [j.logit for j in judged if j.logit is not None]
        hits, forced = self._called(logits), self._called(scored)
        return {
            "clips": len(judged),
            "abstained": len(judged) - len(logits),
            "called_fake": hits,
            "rate": None if hits is None else _share(hits, len(logits)),
            "interval": None if hits is None else scores.wilson(hits, len(logits)),
            "scored": len(scored),
            "forced_rate": None if forced is None else _share(forced, len(scored)),
            "median_logit": float(np.median(scored)) if scored else None,
        }

    def _called(self, logits: Sequence[float]) -> int | None:
        return None if self.threshold is None else sum(z >= self.threshold for z in logits)

    def _by_scene(self, judged: Sequence[_Judged]) -> scores.Interval | None:
        if self.threshold is None:
            return None
        hits = [
            (j.clip.scene, j.logit >= self.threshold)
            for j in judged
            if not j.row["abstained"] and j.logit is not None
        ]
        return scores.bootstrap_rate(hits, seed=self.seed)

    def _separation(self, methods: Iterable[Sequence[_Judged]]) -> dict[str, Any]:
        """Return AUC and equal error rate of forced logits; None without clips of both labels."""
        separation = Separation([_scores(m) for m in methods])
        pooled = separation.methods[0] if len(separation.methods) == 1 else ()
        fake, real = (np.array([s.value for s in pooled if s.is_fake == w]) for w in (True, False))
        return {
            "auc": separation.value,
            "auc_interval": separation.interval(self.seed),
            "eer": scores.equal_error_rate(fake, real),
        }

    def _likelihood_ratios(
        self, judged: Sequence[_Judged], *, by_scene: bool = False
    ) -> dict[str, Any] | None:
        """Return the cost of forced likelihood ratios on clips that nothing was fitted on.

        Neither the map nor the detector: what training pictures were taken from is left out too.
        The interval is by scene, or else by footage.
        """
        if self.map is None:
            return None
        new = [
            j
            for j in judged
            if j.logit is not None
            and not self.seen & {j.clip.group, j.clip.scene, j.clip.path.stem}
        ]
        labels = [j.clip.is_fake for j in new]
        if len(set(labels)) < 2:
            return None
        logits = np.array([j.logit for j in new], np.float64)
        ratios = self.map.map(logits)
        cost = calibration.cllr(ratios, labels)
        # the bounds make ties; how good the scores are is told by the logits themselves
        least = calibration.cllr_min(logits, labels)
        curve = calibration.tippett(ratios, labels)
        return {
            "fakes": sum(labels),
            "reals": len(labels) - sum(labels),
            "cllr": cost,
            "cllr_interval": scores.bootstrap_cost(
                [
                    (j.clip.scene if by_scene else j.clip.group, j.clip.is_fake, float(c))
                    for j, c in zip(new, calibration.costs(ratios, labels), strict=True)
                ],
                seed=self.seed,
            ),
            "cllr_min": least,
            "cllr_cal": cost - least,
            "misleading_fake": curve.misleading_fake,
            "misleading_real": curve.misleading_real,
            "tippett": {
                "log10_lr": curve.log10_lr.tolist(),
                "fake": curve.fake.tolist(),
                "real": curve.real.tolist(),
            },
        }


def _by_source(judged: Sequence[_Judged]) -> list[tuple[str, list[_Judged]]]:
    sources = sorted({j.source for j in judged})
    return [(s, [j for j in judged if j.source == s]) for s in sources]


def _scores(judged: Sequence[_Judged]) -> list[Score]:
    return [j.score for j in judged if j.logit is not None]


def _values(judged: Sequence[_Judged]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the logits of the forged and of the genuine clips."""
    fake, real = (
        np.array([s.value for s in _scores(judged) if s.is_fake == w], np.float64)
        for w in (True, False)
    )
    return fake, real


def _share(hits: int, total: int) -> float | None:
    return hits / total if total else None


# --- for a terminal -----------------------------------------------------------------------------


def table(result: dict[str, Any]) -> str:
    """Return the summary as lines of text for a terminal."""
    lines = []
    if chain := result["settings"]["reshare"]:
        lines.append(f"every clip went along: {chain}")
    for name, s in result["summary"].items():
        at = "no threshold" if s["threshold"] is None else f"threshold {s['threshold']:+.2f}"
        lines += [f"{name}: {at}, abstained {number(s['abstained'])}", HEADER]
        for source, r in s["per_source"].items():
            lines += [
                _line(source, label, r[label], r if label == "fake" else {})
                for label in ("real", "fake")
                if r[label]
            ]
        lines += [_line(m, "fake", r["fake"], r) for m, r in s["per_method"].items()]
        lines += [
            _line(f"marginal: {source}", label, r[label], {})
            for source, r in s["marginal"].items()
            for label in ("real", "fake")
            if r[label]
        ]
        lines += [
            f"  mean AUC over the methods of {source}: "
            f"{number(r['mean_auc'])} {between(r['mean_auc_interval'])}"
            for source, r in s["per_source"].items()
            if r["mean_auc"] is not None
        ]
        lines += found_lines(s["found"], s["above_own"])
        lines += [
            f"  less {other} on {source}: {d['difference']:+.2f} {between(d['interval'], '+.2f')}"
            + (" (the other way round)" if d["turned"] else "")
            for source, gap in s["differences"].items()
            for other, d in gap.items()
        ]
        lines += [
            f"  {of}Cllr {with_interval(cost['cllr'], cost['cllr_interval'], '.3f')}, at best "
            f"{cost['cllr_min']:.3f}, on "
            f"{cost['fakes']} forged and {cost['reals']} genuine clips not fitted on"
            for of, cost in [
                ("", s["likelihood_ratios"]),
                *((f"{n}: ", r["likelihood_ratios"]) for n, r in s["per_source"].items()),
            ]
            if cost
        ]
    return "\n".join(lines)


def found_lines(found: Sequence[dict[str, Any]], own: dict[str, Any]) -> list[str]:
    """Return the curve of found against false alarms, and the order within pairs, as lines."""
    lines = []
    if found:
        curve = ", ".join(f"{r['found']:.0%} at {r['alarms']:.0%}" for r in found)
        lines.append(f"  forgeries found at false alarms on all these genuine clips: {curve}")
    if own["pairs"]:
        lines.append(
            f"  forgery above the original of its footage: {own['above']} of {own['pairs']} "
            f"{between(own['interval'])}"
        )
    return lines


def chains_table(results: Sequence[dict[str, Any]]) -> str:
    """Return how each detector fares along each result's chain, as lines for a terminal."""
    lines = []
    for name, last in results[-1]["summary"].items():
        if name in baselines.NAMES:
            continue
        sources = [k for k, v in last["per_source"].items() if v["mean_auc"] is not None]
        for source in sources or [""]:
            lines.append(f"{name}: mean AUC over the methods of {source}" if source else name)
            lines.append(
                f"  {'chain':16} {'mean AUC':>18} {'FPR':>5} {'TPR':>5} {'abstained':>9} "
                f"{'forced FPR':>10} {'forced TPR':>10} {'Cllr':>6}"
            )
            for result in results:
                s = result["summary"][name]
                r = s["per_source"].get(source, {})
                area = f"{number(r.get('mean_auc'))} {between(r.get('mean_auc_interval'))}"
                cost = (s["likelihood_ratios"] or {}).get("cllr")
                lines.append(
                    f"  {result['settings']['reshare'] or 'as it is':16} {area.strip():>18} "
                    f"{number(s['fpr']):>5} {number(s['tpr']):>5} {number(s['abstained']):>9} "
                    f"{number(s['forced_fpr']):>10} {number(s['forced_tpr']):>10} "
                    f"{number(cost):>6}"
                )
    return "\n".join(lines)


def _line(name: str, label: str, r: dict[str, Any], separation: dict[str, Any]) -> str:
    area = with_interval(separation.get("auc"), separation.get("auc_interval"))
    called = (
        "-" if r["called_fake"] is None else f"{r['called_fake']}/{r['clips'] - r['abstained']}"
    )
    return (
        f"  {name[:32]:32} {label:5} {r['clips']:>5} {r['abstained']:>5} {called:>12} "
        f"{number(r['forced_rate']):>7} {number(r['median_logit'], '+.3g'):>7} {area:>18} "
        f"{number(separation.get('eer')):>5}"
    )


def number(value: float | None, form: str = ".2f") -> str:
    """Return a figure as text, a dash where there is none."""
    return "-" if value is None else format(value, form)


def between(interval: Sequence[float] | None, form: str = ".2f") -> str:
    """Return an interval as text; empty where there is none."""
    return "" if interval is None else f"[{interval[0]:{form}}, {interval[1]:{form}}]"


def with_interval(value: float | None, interval: Sequence[float] | None, form: str = ".2f") -> str:
    """Return a figure with its interval as text; "-" and nothing where there are none."""
    return f"{number(value, form)} {between(interval, form)}".strip()
