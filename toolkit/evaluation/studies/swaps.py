"""Measure the forge lab: what the search finds, how a swap follows, what a detector says of it.

    python -m toolkit study swaps weights  cap12_edit --faces franck
    python -m toolkit study swaps curve    cap12_edit --faces franck --out curve.json
    python -m toolkit study swaps follow   synthetic_x.mp4 cap12_edit --faces franck
    python -m toolkit study swaps sheet    synthetic_x.mp4 --out sheet.png
    python -m toolkit study swaps detect   --out detect.json --summary swap_verdicts.json

Every command prints a table and, with ``--out``, writes it as JSON. Targets and faces are samples
or paths. `detect` takes ten minutes or more; it keeps what it has in ``--out`` and, started again,
goes on from there. Lesson 4 shows its ``--summary``.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from toolkit import media
from toolkit.detectors.base import Detector
from toolkit.errors import ToolkitError, UsageError
from toolkit.evaluation.explanations.scores import (
    CONTROLS,
    Attribution,
    by_pixel,
    by_region,
    controls,
    score,
)
from toolkit.explain import ledger
from toolkit.faces.detect import FaceDetector
from toolkit.faces.identity import Identity
from toolkit.faces.mesh import canonical_face
from toolkit.files import atomic_path, atomic_write, parse_json
from toolkit.forge import expression, marks
from toolkit.forge import swap as forge
from toolkit.forge.expression import BLENDSHAPES, PLAIN, USUAL, ExpressionGallery
from toolkit.forge.swap import BREAKS, Performance, SwapRecipe
from toolkit.messages import phrase, text_of
from toolkit.types import REGIONS, FaceCrops, Sampling, Tick, TrackResult, no_tick, spread

SCHEMA = "doorzicht.swaps/1"
SIZES = (5, 50, 500, 4000)
DRAWS = 40
TARGETS = 200
"""Moments of the target clip that the curve is measured on."""
FOLLOWED = ("jawOpen", "eyeBlink", "mouthSmile")
"""Expressions whose correlation is reported; left and right are averaged."""
SHEET = 25
TEXTURE = 96  # px; side of the canonical face on which flicker is measured
WINDOW_S, WINDOWS = 4.0, 4
UNTOUCHED = "untouched"
"""A stretch that is written again with nothing done to it."""
DIRECTIONS = (("cap12_edit", "franck"), ("franck", "cap12_edit"))

Float = NDArray[np.float64]


# -- the search


def weights_table(performance: Performance, gallery: ExpressionGallery) -> list[dict[str, Any]]:
    """Return how well faces found with several weights look like the target, in other terms.

    Distances cannot judge themselves, so this looks at what the mesh shows: opening and width of
    the mouth, opening of the eyes, and how far the head is turned.
    """
    candidates = {
        "usual": USUAL,
        "all coefficients alike": PLAIN,
        "usual, resting face not subtracted": replace(USUAL, subtract_rest=False),
        "resting face subtracted, all alike": replace(PLAIN, subtract_rest=True),
        "usual, roll as dear as yaw": replace(USUAL, roll_degrees=USUAL.turn_degrees),
        "usual, expression only": replace(USUAL, turn_degrees=1e6, roll_degrees=1e6),
    }
    there = performance.has_face
    coefficients, poses = (
        performance.coefficients[there].astype(np.float64),
        performance.poses[there],
    )
    theirs = _shape_figures(np.stack([face.mesh for face in gallery.faces]))
    wanted = _shape_figures(performance.mesh[there])
    rows = []
    for name, weights in candidates.items():
        parts = expression.squared_distances(coefficients, poses, gallery, weights=weights)
        best = (parts[0] + parts[1]).argmin(axis=1)
        row: dict[str, Any] = {"weights": name}
        row |= {k: _correlation(v, theirs[k][best]) for k, v in wanted.items()}
        row |= {
            k: _correlation(_named(coefficients, k), _named(gallery.coefficients, k)[best])
            for k in ("jawOpen", "eyeBlink")
        }
        apart = np.abs(poses - gallery.poses[best]).mean(axis=0)
        row |= dict(zip(("yaw", "pitch", "roll"), apart.tolist(), strict=True))
        rows.append(row)
    return rows


def _shape_figures(mesh: NDArray[np.float32]) -> dict[str, Float]:
    def apart(a: int, b: int) -> Float:
        return np.asarray(np.linalg.norm(mesh[:, a].astype(np.float64) - mesh[:, b], axis=1))

    return {
        "mouth opening": apart(13, 14) / apart(61, 291),
        "mouth width": apart(61, 291) / apart(33, 263),
        "eye opening": apart(159, 145) / apart(33, 133) + apart(386, 374) / apart(263, 362),
    }


def _named(coefficients: Float, start: str) -> Float:
    """Return the mean of the coefficients whose name starts so: (N,)."""
    columns = [i for i, name in enumerate(BLENDSHAPES) if name.startswith(start)]
    return np.asarray(coefficients[:, columns].mean(axis=1), np.float64)


def _correlation(a: Float, b: Float) -> float | None:
    """Return Pearson's correlation, None where one of them never changes."""
    if min(a.std(), b.std()) < 1e-9:
        return None
    return float(np.corrcoef(a, b)[0, 1])


def match_curve(
    performance: Performance,
    gallery: ExpressionGallery,
    *,
    sizes: Sequence[int] = SIZES,
    draws: int = DRAWS,
    seed: int = 0,
) -> dict[str, Any]:
    """Return how far the best match is when only some of the gallery's pictures exist.

    For each size, `draws` random choices of that many pictures; for each, the mean over the
    target's moments of the distance to the closest. Everybody's resting face is that of all
    pictures, so that the sizes differ in nothing else.

    Returns
    -------
    dict
        `sizes`: per size `size`, `draws`, `mean`, `low` and `high` (5th and 95th percentile of the
        draws), and the mean `expression` and `pose` parts. Sizes above the gallery's are left out
        and named in `too_large`.
    """
    there = np.flatnonzero(performance.has_face)
    moments = there[spread(len(there), TARGETS)]
    parts = expression.squared_distances(
        performance.coefficients[moments].astype(np.float64),
        performance.poses[moments],
        gallery,
        target_rest=performance.rest,
    )
    total = parts[0] + parts[1]
    rng = np.random.default_rng(seed)
    rows = []
    for size in sorted({s for s in sizes if 0 < s <= len(gallery)}):
        points = []
        for _ in range(draws if size < len(gallery) else 1):
            drawn = rng.choice(len(gallery), size, replace=False)
            best = drawn[total[:, drawn].argmin(axis=1)]
            at = np.arange(len(moments)), best
            points.append([float(np.sqrt(p[at]).mean()) for p in (total, *parts)])
        means = np.array(points)
        rows.append(
            {
                "size": int(size),
                "draws": len(points),
                "mean": float(means[:, 0].mean()),
                "low": float(np.percentile(means[:, 0], 5)),
                "high": float(np.percentile(means[:, 0], 95)),
                "expression": float(means[:, 1].mean()),
                "pose": float(means[:, 2].mean()),
            }
        )
    return {
        "schema": SCHEMA,
        "kind": "curve",
        "gallery": {"name": gallery.name, "count": len(gallery)},
        "targets": {"name": performance.path.stem, "moments": len(moments)},
        "seed": seed,
        "sizes": rows,
        "too_large": [int(s) for s in sizes if s > len(gallery)],
    }


# -- the clip


def follow(clip: Path, performance: Performance, gallery: ExpressionGallery) -> dict[str, Any]:
    """Read a synthetic clip again and compare it with the performance it was made on.

    Returns
    -------
    dict
        `correlation`: of `FOLLOWED`, target against clip. `pose_degrees`: mean difference of yaw,
        pitch and roll. `place`: mean distance of the five main points, in face widths. `flicker`:
        change of the face from frame to frame on a canonical face, beside the target's own (mean
        and 95th percentile, grey levels). `likeness`: cosine of face embeddings with the gallery's
        person and with the target; no embedding is kept. `label`: frames with the label, and the
        least score.
    """
    facts = marks.read_sidecar(clip)
    made = forge.read_performance(clip)
    if len(made.indices) != len(performance.indices):
        value = phrase("{a} and {b} frames", a=len(made.indices), b=len(performance.indices))
        raise UsageError("the clips do not fit each other", value, "Give the same stretch.")
    both = made.has_face & performance.has_face
    a, b = (p.coefficients[both].astype(np.float64) for p in (performance, made))
    points = [468, 473, 1, 61, 291]
    apart = np.linalg.norm(
        performance.mesh[both][:, points, :2] - made.mesh[both][:, points, :2], axis=2
    )
    widths = np.ptp(performance.mesh[both][:, :468, 0], axis=1)
    labels = [
        marks.find_label(frame.rgb).score
        for frame in media.read(media.probe(clip), made.indices[:: max(1, len(made.indices) // 50)])
    ]
    return {
        "schema": SCHEMA,
        "kind": "follow",
        "clip": clip.name,
        "frames": len(made.indices),
        "forged": sum(facts["forged"]),
        "with_face": int(both.sum()),
        "correlation": {k: _correlation(_named(a, k), _named(b, k)) for k in FOLLOWED},
        "pose_degrees": np.abs(performance.poses[both] - made.poses[both]).mean(axis=0).tolist(),
        "place": float((apart.mean(axis=1) / widths).mean()),
        "flicker": {"clip": _flicker(made), "target": _flicker(performance)},
        "likeness": _likeness(clip, made, performance, gallery),
        "label": {"looked_at": len(labels), "least_score": min(labels)},
    }


def _canonical_mesh() -> NDArray[np.float32]:
    """Return the canonical face as a mesh in a `TEXTURE` px square, seen from the front."""
    flat = canonical_face().vertices * (1, -1, -1)
    low, high = flat[:, :2].min(axis=0), flat[:, :2].max(axis=0)
    scale = (TEXTURE - 4) / (high - low).max()
    mesh = np.zeros((478, 3), np.float32)
    mesh[:468] = (flat - [*((low + high) / 2), 0]) * scale
    mesh[:, :2] += TEXTURE / 2
    return mesh


def _flicker(performance: Performance) -> dict[str, float]:
    goal = _canonical_mesh()
    video = media.probe(performance.path)
    changes: list[float] = []
    last: NDArray[np.float32] | None = None
    for t, frame in enumerate(media.read(video, performance.indices)):
        if not performance.has_face[t]:
            last = None
            continue
        warped = forge.warp(frame.rgb, performance.mesh[t], goal, (TEXTURE, TEXTURE))
        now = warped.rgb.astype(np.float32).mean(axis=2)
        if last is not None:
            changes.append(float(np.abs(now - last)[warped.shows].mean()))
        last = now
    return {"mean": float(np.mean(changes)), "p95": float(np.percentile(changes, 95))}


def _likeness(
    clip: Path, made: Performance, performance: Performance, gallery: ExpressionGallery
) -> dict[str, float | None]:
    detector, embed = FaceDetector(), Identity()

    def mean_of(pictures: Iterator[NDArray[np.uint8]]) -> Float | None:
        means = []
        for rgb in pictures:
            face = max(detector(rgb), key=lambda f: f.box[2] * f.box[3], default=None)
            if face is not None:
                means.append(embed(rgb, face.points))
        if not means:
            return None
        mean = np.mean(means, axis=0)
        return np.asarray(mean / np.linalg.norm(mean), np.float64)

    def some(path: Path, indices: NDArray[np.int64]) -> Iterator[NDArray[np.uint8]]:
        few = indices[spread(len(indices), 10)]
        return (frame.rgb for frame in media.read(media.probe(path), few))

    few = spread(len(gallery), 10).tolist()
    person = mean_of(gallery.faces[i].rgb for i in few)
    target = mean_of(some(performance.path, performance.indices))
    result = mean_of(some(clip, made.indices))

    def cosine(a: Float | None, b: Float | None) -> float | None:
        return None if a is None or b is None else float(a @ b)

    return {
        "clip_and_gallery": cosine(result, person),
        "clip_and_target": cosine(result, target),
        "gallery_and_target": cosine(person, target),
    }


def contact_sheet(clip: Path, *, count: int = SHEET) -> NDArray[np.uint8]:
    """Return `count` frames of a clip in rows of five, evenly in time, to be looked at by eye."""
    video = media.probe(clip)
    wanted = spread(len(video.pts), count)
    pictures = [frame.rgb for frame in media.read(video, wanted)]
    blank = np.zeros_like(pictures[0])
    pictures += [blank] * (-len(pictures) % 5)
    rows = [np.hstack(pictures[i : i + 5]) for i in range(0, len(pictures), 5)]
    return np.vstack(rows)


# -- the detector


def detect(
    *,
    directions: Sequence[tuple[str, str]] = DIRECTIONS,
    windows: int = WINDOWS,
    detector: str = "seamnet",
    known: Mapping[str, Any] | None = None,
    keep: Callable[[dict[str, Any]], None] = lambda _found: None,
    tick: Tick = no_tick,
) -> dict[str, Any]:
    """Ask a detector about swaps, about swaps with a broken step, and about the untouched clips.

    Each target clip is cut into `windows` stretches of `WINDOW_S` seconds. A stretch is written
    once untouched and once per entry of `BREAKS`, all with the same label and coding, and analysed.

    Parameters
    ----------
    known
        What an earlier call returned: stretches that it holds are not made again, if the weights
        and the number of stretches are the same.
    keep
        Called with the result so far after each stretch.

    Returns
    -------
    dict
        `clips`: per clip its verdict. `rates`: per way of making, how many were called forged, of
        how many that got a verdict. `regions`: for swaps, how much of the evidence lies in the true
        mask, beside controls that know nothing.
    """
    from toolkit.detectors import registry

    judge = registry.load(detector, stand_in=False)
    frame: dict[str, Any] = {
        "schema": SCHEMA,
        "kind": "detect",
        "detector": {
            "name": judge.card.name,
            "weights_sha256": judge.card.weights_sha256,
            "threshold": judge.card.threshold,
        },
        "windows": windows,
        "seconds": WINDOW_S,
        "controls": list(CONTROLS),
    }
    rows: list[dict[str, Any]] = []
    if known is not None and all(known.get(k) == v for k, v in frame.items()):
        rows = list(known["clips"])

    def found() -> dict[str, Any]:
        return frame | {"clips": rows, "rates": rates(rows), "regions": mean_grades(rows)}

    for target, faces in directions:
        done = {r["window"] for r in rows if (r["target"], r["faces"]) == (target, faces)}
        missing = [number for number in range(windows) if number not in done]
        if not missing:
            continue
        clip = sample_or_path(target)
        gallery = expression.read_clip(sample_or_path(faces), tick=tick)
        video = media.probe(clip)
        length = float(video.pts[-1] - video.pts[0])
        starts = np.linspace(0, length - WINDOW_S, windows).tolist()
        for number in missing:
            performance = forge.read_performance(
                clip, start_s=starts[number], end_s=starts[number] + WINDOW_S, tick=tick
            )
            about = {"target": target, "faces": faces, "window": number, "start_s": starts[number]}
            rows += [about | row for row in _judge_ways(performance, gallery, judge, tick)]
            keep(found())
    return found()


def _judge_ways(
    performance: Performance, gallery: ExpressionGallery, judge: Detector, tick: Tick
) -> Iterator[dict[str, Any]]:
    """Make one stretch in every way, and yield what the detector says of each."""
    from toolkit.analysis.pipeline import examine

    with tempfile.TemporaryDirectory(prefix="doorzicht-") as folder:
        for way in (UNTOUCHED, *BREAKS):
            out = Path(folder, f"{marks.PREFIX}{way}.mp4")
            if way == UNTOUCHED:
                write_untouched(performance, out)
            else:
                forge.swap(
                    performance, gallery, out, recipe=forge.broken(SwapRecipe(), way), tick=tick
                )
            seen = examine(out, detector=judge, sampling=Sampling(frames=32), tick=tick)
            report = seen.report
            row: dict[str, Any] = {
                "way": way,
                "logit": report.verdict.logit,
                "threshold": report.verdict.threshold,
                "abstained": report.verdict.abstained,
                "reason": report.verdict.reason_code,
                "forged": report.verdict.is_fake,
            }
            spoken = next((r for r in report.tracks if r.track.person == report.decisive), None)
            if way != UNTOUCHED and spoken is not None:
                row["regions"] = grade(out, spoken, seen.crops[spoken.track.person])
            yield row


def summary(found: Mapping[str, Any]) -> dict[str, Any]:
    """Return what `detect` found without its single clips: what lesson 4 shows.

    `ways`: per way of making its `rates`, one per direction, and `inside`: the part of the evidence
    inside the true mask, of the heat map, of the region shares and of the controls (None for an
    untouched clip).
    """
    ways = []
    for way in dict.fromkeys(row["way"] for row in found["rates"]):
        graded = [r for r in found["regions"] if (r["way"], r["clips"]) == (way, "all")]
        ways.append(
            {
                "way": way,
                "rates": [
                    {k: v for k, v in row.items() if k != "way"}
                    for row in found["rates"]
                    if row["way"] == way
                ],
                "inside": {row["says"]: round(row["mass"], 4) for row in graded} or None,
            }
        )
    pairs = dict.fromkeys((row["target"], row["faces"]) for row in found["clips"])
    return {
        "schema": SCHEMA,
        "kind": "verdicts",
        **{k: found[k] for k in ("detector", "windows", "seconds")},
        "directions": [{"target": target, "faces": faces} for target, faces in pairs],
        "ways": ways,
    }


def write_untouched(performance: Performance, out: Path) -> None:
    """Write a stretch as it is, with the label and coding that a swap would have."""
    video = media.probe(performance.path)
    size = (video.height, video.width)
    place = marks.choose_place(size, *forge.looked_at(performance.mesh))
    frames = (
        marks.draw_label(frame.rgb, place) for frame in media.read(video, performance.indices)
    )
    media.write_h264(out, frames, performance.pts, crf=SwapRecipe().crf)


def rates(rows: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return per way and direction how many clips were called forged, of those with a verdict."""
    groups: dict[tuple[str, str], list[dict[str, Any]]] = {}
    for row in rows:
        groups.setdefault((row["way"], row["target"]), []).append(row)
    out = []
    for (way, target), members in groups.items():
        judged = [m for m in members if not m["abstained"]]
        logits = [m["logit"] for m in members if m["logit"] is not None]
        out.append(
            {
                "way": way,
                "target": target,
                "clips": len(members),
                "judged": len(judged),
                "called_forged": sum(m["forged"] for m in judged),
                "median_logit": float(np.median(logits)) if logits else None,
            }
        )
    return out


def grade(clip: Path, result: TrackResult, crops: FaceCrops) -> dict[str, dict[str, float]]:
    """Return how much of the evidence lies in the true mask, mean over the moments judged.

    Keys: ``"heat"`` (patch evidence), ``"regions"`` (the ledger's region shares), and the controls.
    Values are `explain_scores.score`; a region counts as changed when half of it was.
    """
    import cv2

    size = crops.rgb.shape[1]
    scores: dict[str, list[dict[str, float]]] = {}
    for position, index in enumerate(result.track.indices.tolist()):
        whole = marks.read_mask(clip, index)
        local = cv2.warpAffine(
            whole,
            crops.crop_to_frame[position],
            (size, size),
            flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP,
        )
        mask, region_map = local >= 0.5, crops.region_map[position]
        if not mask.any():
            continue
        changed = [
            r
            for r in range(len(REGIONS))
            if (region_map == r).any() and mask[region_map == r].mean() > 0.5
        ]
        attributions: dict[str, list[Attribution]] = dict(
            controls(crops.rgb[position], region_map, seed=position)
        )
        cells = ledger.heat(result.evidence, position)
        if cells is not None:
            heat = cv2.resize(
                cells.astype(np.float64), (size, size), interpolation=cv2.INTER_NEAREST
            )
            attributions["heat"] = [by_pixel(np.asarray(heat), region_map, 0, 0.0)]
        if result.explanation is not None and position < len(result.explanation.shares):
            attributions["regions"] = [
                by_region(result.explanation.shares[position], region_map, 0, 0.0)
            ]
        for name, says in attributions.items():
            each = [score(one, mask, changed) for one in says]
            scores.setdefault(name, []).append(
                {k: float(np.mean([e[k] for e in each])) for k in each[0]}
            )
    return {
        name: {k: float(np.mean([e[k] for e in each])) for k in each[0]}
        for name, each in scores.items()
    }


def mean_grades(rows: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return the grades per way, mean over clips; apart for clips that were called forged."""
    out = []
    for way in dict.fromkeys(r["way"] for r in rows):
        for which in ("all", "called forged"):
            graded = [
                r["regions"]
                for r in rows
                if r["way"] == way and r.get("regions") and (which == "all" or r["forged"])
            ]
            for name in graded[0] if graded else ():
                values = [g[name] for g in graded if name in g]
                means = {k: float(np.mean([v[k] for v in values])) for k in values[0]}
                out.append({"way": way, "clips": which, "n": len(values), "says": name, **means})
    return out


# -- the command


def sample_or_path(text: str) -> Path:
    """Return the file of a sample, or the path that was given."""
    return marks.sample_path(text) or Path(text)


def text_table(rows: Sequence[dict[str, Any]]) -> str:
    """Return rows of plain values as aligned text."""
    if not rows:
        return "nothing"
    heads = list(rows[0])
    cells = [heads, *([_cell(row.get(h)) for h in heads] for row in rows)]
    widths = [max(len(line[i]) for line in cells) for i in range(len(heads))]
    return "\n".join(
        "  ".join(c.rjust(w) for c, w in zip(line, widths, strict=True)) for line in cells
    )


def _cell(value: object) -> str:
    if isinstance(value, float):
        return f"{value:.3f}"
    return "-" if value is None else str(value)


def main(argv: Sequence[str] | None = None) -> int:
    """Measure the forge lab; see the module's text."""
    parser = argparse.ArgumentParser(prog="python -m toolkit study swaps", description=main.__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    ways: dict[str, Callable[[argparse.Namespace], dict[str, Any]]] = {
        "weights": _run_weights,
        "curve": _run_curve,
        "follow": _run_follow,
        "sheet": _run_sheet,
        "detect": _run_detect,
    }
    for name in ways:
        sub = commands.add_parser(name)
        sub.add_argument("--out", type=Path, metavar="FILE", required=name == "sheet")
        if name in ("follow", "sheet"):
            sub.add_argument("clip", type=Path, metavar="CLIP")
        if name in ("weights", "curve", "follow"):
            sub.add_argument("target", metavar="TARGET")
            sub.add_argument("--faces", required=True, metavar="SOURCE")
            sub.add_argument("--per-second", type=float, default=5.0)
            sub.add_argument("--from", type=float, default=0.0, dest="start", metavar="S")
            sub.add_argument("--to", type=float, default=forge.SECONDS_MAX, dest="end", metavar="S")
        if name == "curve":
            sub.add_argument("--sizes", default=",".join(map(str, SIZES)))
            sub.add_argument("--draws", type=int, default=DRAWS)
            sub.add_argument("--seed", type=int, default=0)
        if name == "detect":
            sub.add_argument("--windows", type=int, default=WINDOWS)
            pairs = ",".join(":".join(pair) for pair in DIRECTIONS)
            sub.add_argument("--pairs", default=pairs, help="TARGET:FACES,...")
            sub.add_argument("--detector", default="seamnet")
            sub.add_argument("--summary", type=Path, metavar="FILE", help="what lesson 4 shows")
    options = parser.parse_args(argv)
    try:
        result = ways[options.command](options)
        if options.out is not None and options.command != "sheet":
            atomic_write(options.out, _as_json(result))
    except UsageError as error:
        print(f"swaps: {text_of(error)}", file=sys.stderr)
        return 2
    except (ToolkitError, OSError) as error:
        print(f"swaps: {text_of(error)}", file=sys.stderr)
        return 3
    return 0


def _materials(
    options: argparse.Namespace, *, keep_pictures: bool = False
) -> tuple[Performance, ExpressionGallery]:
    performance = forge.read_performance(
        sample_or_path(options.target), start_s=options.start, end_s=options.end
    )
    source = sample_or_path(options.faces)
    if source.is_dir():
        return performance, expression.read_folder(source, keep_pictures=keep_pictures)
    gallery = expression.read_clip(
        source, per_second=options.per_second, keep_pictures=keep_pictures
    )
    return performance, gallery


def _run_weights(options: argparse.Namespace) -> dict[str, Any]:
    rows = weights_table(*_materials(options))
    print(text_table(rows))
    return {"schema": SCHEMA, "kind": "weights", "rows": rows}


def _run_curve(options: argparse.Namespace) -> dict[str, Any]:
    try:
        sizes = [int(s) for s in options.sizes.split(",")]
    except ValueError as error:
        raise UsageError("sizes are not numbers", options.sizes, "For example 5,50,500.") from error
    curve = match_curve(*_materials(options), sizes=sizes, draws=options.draws, seed=options.seed)
    print(text_table(curve["sizes"]))
    return curve


def _run_follow(options: argparse.Namespace) -> dict[str, Any]:
    performance, gallery = _materials(options, keep_pictures=True)
    followed = follow(options.clip, performance, gallery)
    print(json.dumps(followed, indent=1))
    return followed


def _run_sheet(options: argparse.Namespace) -> dict[str, Any]:
    import cv2

    done, data = cv2.imencode(".png", contact_sheet(options.clip)[..., ::-1])
    assert done
    with atomic_path(options.out) as part:
        part.write_bytes(data.tobytes())
    return {}


def _run_detect(options: argparse.Namespace) -> dict[str, Any]:
    pairs = [tuple(pair.split(":", 1)) for pair in options.pairs.split(",")]
    directions = [(pair[0], pair[1]) for pair in pairs if len(pair) == 2]
    if len(directions) < len(pairs):
        raise UsageError("a pair lacks a part", options.pairs, "Give TARGET:FACES,TARGET:FACES.")
    out, known = options.out, None
    if out is not None and out.is_file():
        try:
            known = parse_json(out.read_text(encoding="utf-8"))
        except ValueError as error:
            value = media.show_name(out)
            raise UsageError("this file is no result", value, "Name another one.") from error

    def keep(found: dict[str, Any]) -> None:
        if out is not None:
            atomic_write(out, _as_json(found))

    found = detect(
        directions=directions,
        windows=options.windows,
        detector=options.detector,
        known=known,
        keep=keep,
    )
    print(text_table(found["rates"]))
    print(text_table(found["regions"]))
    if options.summary is not None:
        atomic_write(options.summary, _as_json(summary(found)))
    return found


def _as_json(found: dict[str, Any]) -> str:
    return json.dumps(found, indent=1, allow_nan=False) + "\n"
