"""Grade explanations on forgeries whose original is known: where pixels changed, who says so.

A changed pixel is where the forger changed something, not what the detector used, so every score
stands beside controls that know nothing: a Gaussian in the centre, random maps, and plain area.
Frame k of a forgery shows frame k of its original; nothing is ever resized to fit.
"""

from __future__ import annotations

import csv
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import cv2
import numpy as np
from numpy.typing import NDArray

from toolkit import media
from toolkit.detectors import registry
from toolkit.detectors.base import Detector, InputSpec
from toolkit.errors import ToolkitError, UsageError
from toolkit.explain import ledger, regions
from toolkit.explain.intervention import Game, antithetic
from toolkit.explain.pixels import BY_REGION, METHODS, attribute, refusal
from toolkit.explain.references import AUTOMATIC, References
from toolkit.explain.trust import centre_prior
from toolkit.faces.crops import CropCollector, cut, face_square
from toolkit.faces.mesh import LargestFace
from toolkit.faces.regions import OVAL
from toolkit.types import PLAYERS, Evidence, FaceCrops, Tick, Video, no_tick
from toolkit.verdict.aggregate import aggregate, frame_logits, rule_for

SCHEMA = "doorzicht.explain-benchmark/1"
FRAMES = 8  # read per pair
FACES = 3  # explained per pair: those with the highest logits
NEIGHBOURS = 2  # frames on either side for the median of the change
BLUR = 4.0  # px, of the change
LEVEL_MIN = 4.0  # grey levels; coding alone reaches this
RATIO_MIN = 2.0  # change of the face over that of the background, for a mask of pixels
AREA_MIN = 0.002  # of the crop; a smaller mask is no truth
RANDOM_MAPS = 20
RESAMPLES = 2000
GALLERY_FRAMES = 4
WITNESSES = ("ledger", "intervention")
CONTROLS = ("control.centre", "control.random", "control.area")
SCORES = ("mass", "hit", "rank", "region_hit")

Float = NDArray[np.float64]


@dataclass(frozen=True)
class Pair:
    """A forgery and its original: files, and what the list says of them."""

    original: Path
    fake: Path
    row: dict[str, str]

    @property
    def scene(self) -> str:
        """What must not be taken apart when resampling."""
        return self.row.get("scene") or self.row["original"]

    @property
    def crop_x(self) -> int:
        """Columns of the original left of the forgery's first."""
        return int(self.row.get("crop_x") or 0)


def read_pairs(path: Path) -> list[Pair]:
    """Read a CSV: original, fake, and if known method, scene, kind, n_common_frames, crop_x.

    Paths are relative to the list.

    Raises
    ------
    UsageError
        If the file or a column is not as stated.
    """
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            rows = list(csv.DictReader(file))
    except OSError as error:
        raise UsageError("the list of pairs cannot be read", str(path), "Check it.") from error
    if not rows:
        raise UsageError("the list of pairs is empty", str(path), "Give at least one pair.")
    missing = [c for c in ("original", "fake") if c not in rows[0]]
    if missing:
        raise UsageError("the list of pairs lacks a column", ", ".join(missing), "Add it.")
    for row in rows:
        for column in ("n_common_frames", "crop_x"):
            if not (row.get(column) or "0").isdigit():
                raise UsageError("not a whole number", f"{column} = {row[column]}", "Correct it.")
    return [Pair(path.parent / r["original"], path.parent / r["fake"], r) for r in rows]


# -- the truth: where pixels changed


@dataclass(frozen=True, eq=False)
class Truth:
    """What the forger changed, on the crops of some frames.

    Attributes
    ----------
    crops
        Faces of the forgery, N frames.
    masks : (N, S, S) bool
        Changed pixels; for a weak or smeared change, the regions above half the largest.
    regions
        Positions in `PLAYERS` of the regions that changed by more than half the largest change.
    ratio
        Mean change of the face box over that of the far background.
    by_pixel
        Whether the masks are of pixels.
    """

    crops: FaceCrops
    masks: NDArray[np.bool_]
    regions: tuple[int, ...]
    ratio: float
    by_pixel: bool


def faces_of(
    path: Path, spec: InputSpec, *, frames: int = GALLERY_FRAMES, tick: Tick = no_tick
) -> FaceCrops:
    """Return the largest face of some frames of a clip, spread evenly."""
    video = media.probe(path, tick=tick)
    wanted = np.unique(np.linspace(0, len(video.pts) - 1, frames).round().astype(np.int64))
    finder, collector = LargestFace(), CropCollector(size=spec.size, margin=spec.margin)
    for frame in media.read(video, wanted, tick=tick):
        mesh = finder(frame.rgb)
        if mesh is not None:
            collector.add(frame.rgb, mesh)
    return collector.crops()


def find_truth(
    pair: Pair, spec: InputSpec, *, frames: int = FRAMES, tick: Tick = no_tick
) -> Truth | None:
    """Compare a forgery with its original, frame by frame.

    Per frame: the absolute difference, mean over colours, blurred; the median with its neighbours
    in time; above the 99.9th percentile of the far background and at least 4 grey levels; only
    patches that touch the face.

    Returns
    -------
    Truth or None
        None when no face was found.

    Raises
    ------
    UsageError
        If the pictures do not lie on each other as the list says.
    VideoError
        If a file cannot be read.
    """
    videos = media.probe(pair.original, tick=tick), media.probe(pair.fake, tick=tick)
    common = min(len(v.pts) for v in videos)
    common = min(common, int(pair.row.get("n_common_frames") or 0) or common)
    edge = min(NEIGHBOURS, (common - 1) // 2)
    centres = np.unique(np.linspace(edge, common - 1 - edge, frames).round().astype(np.int64))
    around = np.unique(centres[:, None] + np.arange(-edge, edge + 1))
    finder, collector = LargestFace(), CropCollector(size=spec.size, margin=spec.margin)
    changes: dict[int, NDArray[np.float32]] = {}
    fakes: dict[int, NDArray[np.uint8]] = {}
    maps, masks, inside, outside = [], [], [], []
    for index, change, rgb in _changes(pair, videos, around, tick):
        changes[index], fakes[index] = change, rgb
        centre = index - edge
        if centre not in centres or centre not in fakes:
            continue
        near = [changes[k] for k in range(centre - edge, index + 1) if k in changes]
        for old in [k for k in changes if k < index - 2 * edge]:
            del changes[old], fakes[old]
        mesh = finder(fakes[centre])
        if mesh is None:
            continue
        d = np.median(near, axis=0).astype(np.float32)
        box, far = _areas(mesh, d.shape)
        level = max(float(np.percentile(d[far], 99.9)) if far.any() else 0.0, LEVEL_MIN)
        square = face_square(mesh, margin=spec.margin)
        changed = _touching(d > level, mesh)
        masks.append(cut(changed.astype(np.uint8) * 255, square, spec.size) > 127)
        inside.append(float(d[box].mean()))
        outside.append(float(d[far].mean()) if far.any() else 0.0)
        maps.append(cut(cast("NDArray[np.uint8]", d), square, spec.size) - outside[-1])
        collector.add(fakes[centre], mesh)
    if not masks:
        return None
    crops = collector.crops()
    per_region = np.zeros(len(PLAYERS))
    for r in np.unique(crops.players).tolist():
        shown = [(m, p == r) for m, p in zip(maps, crops.players, strict=True) if (p == r).any()]
        per_region[r] = np.mean([m[where].mean() for m, where in shown])
    found = tuple(np.flatnonzero(per_region > per_region.max() / 2).tolist())
    ratio = float(np.mean(inside)) / max(float(np.mean(outside)), 1e-3)
    pixels = np.stack(masks)
    by_pixel = ratio >= RATIO_MIN and float(pixels.mean()) >= AREA_MIN
    return Truth(
        crops, pixels if by_pixel else np.isin(crops.players, found), found, ratio, by_pixel
    )


def _changes(
    pair: Pair, videos: tuple[Video, Video], wanted: NDArray[np.int64], tick: Tick
) -> Iterator[tuple[int, NDArray[np.float32], NDArray[np.uint8]]]:
    """Yield index, blurred change and forged picture of each frame that both files have."""
    readers = [media.read(v, wanted, tick=tick, stage="compare") for v in videos]
    genuine = next(readers[0], None)
    for forged in readers[1]:
        while genuine is not None and genuine.index < forged.index:
            genuine = next(readers[0], None)
        if genuine is None:
            return
        if genuine.index > forged.index:
            continue
        height, width = forged.rgb.shape[:2]
        same = genuine.rgb[:, pair.crop_x : pair.crop_x + width]
        if same.shape != forged.rgb.shape:
            have = f"{genuine.rgb.shape[1]} x {genuine.rgb.shape[0]} and {width} x {height}"
            raise UsageError("the pictures do not lie on each other", have, "Set crop_x.")
        change = np.abs(same.astype(np.float32) - forged.rgb).mean(axis=2)
        yield forged.index, cv2.GaussianBlur(change, (0, 0), BLUR), forged.rgb


def _areas(
    mesh: NDArray[np.float32], shape: tuple[int, ...]
) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Return the face box, and what lies outside twice the face box."""
    oval = mesh[list(OVAL), :2]
    low, high = oval.min(axis=0), oval.max(axis=0)
    y, x = np.mgrid[: shape[0], : shape[1]]

    def within(grow: float) -> NDArray[np.bool_]:
        a, b = low - grow * (high - low), high + grow * (high - low)
        return np.asarray((x >= a[0]) & (x <= b[0]) & (y >= a[1]) & (y <= b[1]))

    box = within(0.0)
    return (box if box.any() else np.ones(shape, bool)), ~within(0.5)


def _touching(changed: NDArray[np.bool_], mesh: NDArray[np.float32]) -> NDArray[np.bool_]:
    """Return those connected patches of change that touch the face."""
    hull = np.zeros(changed.shape, np.uint8)
    outline = cv2.convexHull(np.rint(mesh[list(OVAL), :2]).astype(np.int32))
    cv2.fillConvexPoly(hull, outline, 1)
    _, labels = cv2.connectedComponents(changed.astype(np.uint8))
    kept = np.unique(labels[(hull > 0) & changed])
    return np.asarray(np.isin(labels, kept) & changed)


# -- scores


@dataclass(frozen=True, eq=False)
class Told:
    """What a method says about one face.

    Attributes
    ----------
    heat : (S, S) float64
        Signed; only the positive part is scored.
    regions : (10,) float64
        Its region vector.
    points : (S, S) bool
        Where it points: the highest pixel, or all pixels of the top region.
    passes, seconds
        What it took.
    """

    heat: Float
    regions: Float
    points: NDArray[np.bool_]
    passes: int
    seconds: float


def score(told: Told, mask: NDArray[np.bool_], changed: Sequence[int]) -> dict[str, float]:
    """Score one face.

    Returns
    -------
    dict
        `mass`: the mask's part of the positive heat, 0 when there is none. `hit`: the part of
        where it points that lies in the mask. `rank`: the part of the mask's K pixels among the K
        highest, ties counted in parts. `region_hit`: whether its top region changed.
    """
    up = np.maximum(told.heat, 0)
    return {
        "mass": float(up[mask].sum() / up.sum()) if up.any() else 0.0,
        "hit": float(mask[told.points].mean()) if told.points.any() and up.any() else 0.0,
        "rank": top_overlap(told.heat, mask),
        "region_hit": float(told.regions.max() > 0 and int(told.regions.argmax()) in changed),
    }


def top_overlap(heat: Float, mask: NDArray[np.bool_]) -> float:
    """Return the expected part of the K highest pixels that lie in the mask of K pixels.

    Ties at the border count in parts, so a flat map scores the mask's area.

    Examples
    --------
    >>> top_overlap(np.zeros((2, 2)), np.array([[True, False], [False, False]]))
    0.25
    """
    k = int(mask.sum())
    if not k:
        return 0.0
    border = np.partition(heat.ravel(), heat.size - k)[heat.size - k]
    above, level = heat > border, heat == border
    part = (k - int(above.sum())) / int(level.sum())
    return float((mask[above].sum() + part * mask[level].sum()) / k)


def _spread(shares: Float, players: NDArray[np.uint8]) -> Float:
    """Return each region's share spread evenly over its pixels."""
    area = np.bincount(players.ravel(), minlength=len(shares))
    return np.asarray((shares / np.maximum(area, 1))[players])


def _by_region(shares: Float, players: NDArray[np.uint8], passes: int, seconds: float) -> Told:
    present = np.isin(np.arange(len(shares)), players)
    top = int(np.where(present, shares, -np.inf).argmax())
    return Told(_spread(shares, players), shares, players == top, passes, seconds)


def _by_pixel(heat: Float, players: NDArray[np.uint8], passes: int, seconds: float) -> Told:
    up = np.bincount(players.ravel(), np.maximum(heat, 0).ravel(), minlength=len(PLAYERS))
    return Told(heat, np.asarray(up, np.float64), heat == heat.max(), passes, seconds)


def controls(size: int, players: NDArray[np.uint8], *, seed: int) -> dict[str, list[Told]]:
    """Return what those say that know nothing of the picture."""
    rng = np.random.default_rng(seed)
    cells = [rng.random((14, 14)) for _ in range(RANDOM_MAPS)]
    grown = [cv2.resize(c, (size, size), interpolation=cv2.INTER_NEAREST) for c in cells]
    heats = {
        "control.centre": [centre_prior(size)],
        "control.random": grown,
        "control.area": [np.full((size, size), 1.0)],
    }
    return {k: [_by_pixel(np.asarray(h), players, 0, 0.0) for h in v] for k, v in heats.items()}


# -- methods


def method_keys(names: Sequence[str] = ()) -> tuple[str, ...]:
    """Return the keys to run; without names, all. The controls always come along.

    Raises
    ------
    UsageError
        If a name is unknown.
    """
    known = (*WITNESSES, *(f"captum.{m}" for m in METHODS))
    unknown = [n for n in names if n not in (*known, *CONTROLS)]
    if unknown:
        raise UsageError("unknown method", ", ".join(unknown), f"Known: {', '.join(known)}.")
    return tuple(k for k in known if not names or k in names)


class _Explainer:
    """Runs the methods on the faces of one pair."""

    def __init__(
        self,
        detector: Detector,
        truth: Truth,
        evidence: Evidence,
        *,
        gallery: FaceCrops | None,
        seed: int,
        tick: Tick,
    ) -> None:
        self._detector, self._truth, self._evidence = detector, truth, evidence
        self._seed, self._tick = seed, tick
        self._references = References(
            detector, truth.crops, frame_logits(evidence), gallery=gallery, seed=seed
        )

    def __call__(self, position: int, keys: Sequence[str]) -> tuple[dict[str, Told], str | None]:
        """Return what each method says, and the kind of the valid reference, if any.

        A method that has nothing to say is left out: no patch logits, no network, a refusal, or
        for the intervention no valid reference.
        """
        crops = self._truth.crops
        players, out = crops.players[position], {}
        if "ledger" in keys and (told := self._ledger(position)) is not None:
            out["ledger"] = told
        if not any(k != "ledger" for k in keys):
            return out, None
        choice = self._references.choose(position, plant=False, tick=self._tick)
        chosen = choice.reference
        # the pixel methods make no such promise and take the best there was
        best = chosen or min(choice.tried, key=lambda r: r.logit)
        if "intervention" in keys and chosen is not None:
            start = time.perf_counter()
            game = Game(self._detector, crops, position, chosen.rgb)
            found = antithetic(game, seed=self._seed, tick=self._tick)
            out["intervention"] = _by_region(
                found.shares, players, found.passes, time.perf_counter() - start
            )
        net = getattr(self._detector, "net", None)
        for method in METHODS:
            if net is None or f"captum.{method}" not in keys or refusal(net, method):
                continue
            start = time.perf_counter()
            said = attribute(
                net,
                crops.rgb[position],
                method,
                players=players,
                reference=best.rgb,
                seed=self._seed,
                tick=self._tick,
            )
            seconds = time.perf_counter() - start
            if method in BY_REGION:
                out[f"captum.{method}"] = _by_region(said.regions, players, said.passes, seconds)
            else:
                out[f"captum.{method}"] = _by_pixel(said.heat, players, said.passes, seconds)
        return out, None if chosen is None else chosen.kind

    def _ledger(self, position: int) -> Told | None:
        evidence, players = self._evidence, self._truth.crops.players
        if evidence.patches is None or evidence.head is None:
            return None
        start = time.perf_counter()
        cells = ledger.heat(evidence, position)
        assert cells is not None
        own = players[position : position + 1]
        shares = regions.patch_shares(
            evidence.patches[position : position + 1],
            regions.cover(own, *cells.shape),
            evidence.head,
        )[0]
        size = own.shape[1]
        heat = cv2.resize(cells.astype(np.float64), (size, size), interpolation=cv2.INTER_NEAREST)
        return Told(heat, shares, heat == heat.max(), 0, time.perf_counter() - start)


def benchmark(
    pairs: Sequence[Pair],
    *,
    detector: str | Detector = "seamnet",
    methods: Sequence[str] = (),
    gallery: Sequence[Path] = (),
    device: str = "auto",
    frames: int = FRAMES,
    faces: int = FACES,
    seed: int = 0,
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
        Keys such as ``"ledger"`` or ``"captum.occlusion"``; none = all. Controls always run.
    gallery
        Genuine clips of other people, for references; never the originals, which are the truth.
    frames, faces
        Frames read per pair; faces explained, those with the highest logits.
    seed
        Of everything that draws.

    Returns
    -------
    dict
        `methods`: means over the pairs that each method answered, and the same over pairs called
        forged (`flagged`) and over pairs that all methods answered (`common`). `pairs`: the same
        per pair, or the reason why there is none. `leads`: which region leads, per way of forging.
    """
    keys = method_keys(methods)
    judge = registry.load(detector, device=device) if isinstance(detector, str) else detector
    donors = _gallery(gallery, judge.spec, tick)
    rows: list[dict[str, Any]] = []
    for number, pair in enumerate(pairs):
        tick("explain-benchmark", number, len(pairs))
        row: dict[str, Any] = {
            "original": pair.row["original"],
            "fake": pair.row["fake"],
            "method": pair.row.get("method", ""),
            "scene": pair.scene,
            "kind": pair.row.get("kind", ""),
        }
        try:
            row |= _score_pair(
                pair,
                judge,
                keys,
                gallery=donors,
                frames=frames,
                faces=faces,
                seed=seed,
                tick=tick,
            )
        except ToolkitError as error:
            if type(error).__name__ == "Cancelled":
                raise
            row["reason"] = str(error)
        rows.append(row)
    tick("explain-benchmark", len(pairs), len(pairs))
    scored = [r for r in rows if "methods" in r]
    flagged = [r for r in scored if r["called_fake"]]
    everyone = (*keys, *CONTROLS)
    # a method that abstains on hard pairs would look better than one that answers: compare on these
    speaking = [k for k in keys if any(k in r["methods"] for r in scored)]
    common = [r for r in scored if all(k in r["methods"] for k in speaking)]
    return {
        "schema": SCHEMA,
        "methods": {
            k: _summary(scored, k, seed)
            | {"flagged": _summary(flagged, k, seed), "common": _summary(common, k, seed)}
            for k in everyone
        },
        "detected": {"pairs": len(scored), "called_fake": len(flagged)},
        "leads": {k: _leads(scored, k) for k in everyone if not k.startswith("control.")},
        "pairs": rows,
        "settings": {
            "seed": seed,
            "detector": judge.card.name,
            "weights_sha256": judge.card.weights_sha256,
            "threshold": judge.card.threshold,
            "frames": frames,
            "faces": faces,
            "gallery": [p.name for p in gallery],
            "references": list(AUTOMATIC),
            "reference_tests": ["V1", "V2"],
            "resamples": RESAMPLES,
            "groups": sorted({r["scene"] for r in scored}),
        },
    }


def _gallery(paths: Sequence[Path], spec: InputSpec, tick: Tick) -> FaceCrops | None:
    found = [faces_of(p, spec, tick=tick) for p in paths]
    found = [f for f in found if len(f.rgb)]
    if not found:
        return None
    names = FaceCrops.__dataclass_fields__
    return FaceCrops(*(np.concatenate([getattr(f, n) for f in found]) for n in names))


def _score_pair(
    pair: Pair,
    judge: Detector,
    keys: Sequence[str],
    *,
    gallery: FaceCrops | None,
    frames: int,
    faces: int,
    seed: int,
    tick: Tick,
) -> dict[str, Any]:
    truth = find_truth(pair, judge.spec, frames=frames, tick=tick)
    if truth is None:
        return {"reason": "no face was found in the forgery"}
    if not truth.masks.any():
        return {"reason": "nothing was changed"}
    evidence = judge.evidence(truth.crops, tick=tick)
    logits = frame_logits(evidence)
    verdict = aggregate(logits, rule_for(len(logits)))
    explain = _Explainer(judge, truth, evidence, gallery=gallery, seed=seed, tick=tick)
    chosen = [p for p in np.argsort(-logits, kind="stable").tolist() if truth.masks[p].any()]
    gathered: dict[str, list[tuple[dict[str, float], Told]]] = {}
    kinds: list[str | None] = []
    for position in chosen[:faces]:
        told, kind = explain(position, keys)
        kinds.append(kind)
        players, mask = truth.crops.players[position], truth.masks[position]
        several = {k: [t] for k, t in told.items()} | controls(len(mask), players, seed=seed)
        for key, answers in several.items():
            scores = [score(t, mask, truth.regions) for t in answers]
            mean = {s: float(np.mean([row[s] for row in scores])) for s in SCORES}
            gathered.setdefault(key, []).append((mean, answers[0]))
    return {
        "logit": verdict,
        "called_fake": verdict >= judge.card.threshold,
        "truth": "pixels" if truth.by_pixel else "regions",
        "ratio": truth.ratio,
        "area": float(truth.masks.mean()),
        "changed": [PLAYERS[r] for r in truth.regions],
        "faces": len(kinds),
        "references": kinds,
        "methods": {
            key: {
                **{s: float(np.mean([row[s] for row, _ in rows])) for s in SCORES},
                "top_region": PLAYERS[int(np.sum([t.regions for _, t in rows], axis=0).argmax())],
                "passes": float(np.mean([t.passes for _, t in rows])),
                "seconds": float(np.mean([t.seconds for _, t in rows])),
                "faces": len(rows),
            }
            for key, rows in gathered.items()
        },
    }


def _summary(rows: Sequence[dict[str, Any]], key: str, seed: int) -> dict[str, Any]:
    """Return means over pairs with intervals over scenes; lifts are paired within each pair."""
    own = [r for r in rows if key in r["methods"]]
    names = [*SCORES, "lift_centre", "lift_random", "lift_area", "hit_lift_centre"]
    if not own:
        return {"pairs": 0, **dict.fromkeys([*names, "passes", "seconds"]), "intervals": {}}
    columns = {s: np.array([r["methods"][key][s] for r in own]) for s in SCORES}
    for other in ("centre", "random", "area"):
        known = np.array([r["methods"][f"control.{other}"]["mass"] for r in own])
        columns[f"lift_{other}"] = columns["mass"] - known
    known = np.array([r["methods"]["control.centre"]["hit"] for r in own])
    columns["hit_lift_centre"] = columns["hit"] - known
    scenes = [r["scene"] for r in own]
    return {
        "pairs": len(own),
        **{n: float(columns[n].mean()) for n in names},
        "intervals": {n: scene_interval(columns[n], scenes, seed=seed) for n in names},
        **{n: float(np.mean([r["methods"][key][n] for r in own])) for n in ("passes", "seconds")},
    }


def scene_interval(
    values: Float, scenes: Sequence[str], *, seed: int
) -> tuple[float, float] | None:
    """Return the 95 % percentile interval of the mean when whole scenes are drawn again.

    None with fewer than two scenes: then nothing is known about another one.
    """
    groups = [np.flatnonzero(np.array(scenes) == s) for s in sorted(set(scenes))]
    if len(groups) < 2:
        return None
    rng = np.random.default_rng(seed)
    sums = np.array([values[g].sum() for g in groups])
    sizes = np.array([len(g) for g in groups])
    drawn = rng.integers(len(groups), size=(RESAMPLES, len(groups)))
    low, high = np.percentile(sums[drawn].sum(axis=1) / sizes[drawn].sum(axis=1), [2.5, 97.5])
    return float(low), float(high)


def _leads(rows: Sequence[dict[str, Any]], key: str) -> dict[str, dict[str, int]]:
    """Return how often each region leads, per way of forging."""
    out: dict[str, Counter[str]] = {}
    for r in rows:
        if key in r["methods"]:
            out.setdefault(r["method"], Counter())[r["methods"][key]["top_region"]] += 1
    return {name: dict(counts.most_common()) for name, counts in sorted(out.items())}


def table(result: dict[str, Any]) -> str:
    """Return the result as text, best mass first."""
    head = f"{'method':32} {'pairs':>5} {'mass':>6} {'hit':>6} {'rank':>6} {'lift':>7}"
    lines = [f"{head} {'passes':>7} {'s':>6}"]
    shown = [(k, m) for k, m in result["methods"].items() if m["pairs"]]
    for key, m in sorted(shown, key=lambda item: -item[1]["mass"]):
        lines.append(
            f"{key:32} {m['pairs']:5} {m['mass']:6.3f} {m['hit']:6.3f} {m['rank']:6.3f} "
            f"{m['lift_centre']:+7.3f} {m['passes']:7.0f} {m['seconds']:6.2f}"
        )
    seen = result["detected"]
    lines.append(f"{seen['called_fake']} of {seen['pairs']} pairs are called forged")
    return "\n".join(lines)
