"""A story with a known end: genuine A speaks, cut, forged B speaks, and then the clip is shared.

Each variant takes other stretches of the samples, another way of forging and another strength,
cuts 25 % from each side and codes at CRF 33. Told right, the analysis finds two persons, does not
call A forged, calls B forged or abstains, and puts the change of person within half a second.

    python -m toolkit study two-persons --out FILE.json [--variants 20] [--most N]

A second call goes on where the first stopped.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import sys
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from toolkit import media, samples
from toolkit.analysis import pipeline
from toolkit.analysis.robustness import word_of
from toolkit.detectors import registry
from toolkit.detectors.base import Detector
from toolkit.errors import ToolkitError, VideoError
from toolkit.faces.crops import face_width
from toolkit.faces.detect import Detection, FaceDetector
from toolkit.faces.mesh import FaceMesh
from toolkit.faces.regions import OVAL
from toolkit.files import atomic_write, parse_json
from toolkit.forge.plant import KINDS
from toolkit.forge.selfblend import PARTS, blend, hull_mask, region_mask
from toolkit.media.reshare import reshare
from toolkit.messages import phrase
from toolkit.types import Report, Tick, TrackResult, Video, no_tick

Picture = NDArray[np.uint8]

SCHEMA = "doorzicht.story/1"
GENUINE, FORGED = "franck", "cap12_edit"
CANVAS = (640, 480)
FACE_HEIGHT = 150  # px in the canvas: as an editor frames a speaker, so that 25 % can be cut off
CHAIN = "crop25,crf33"
BOUNDARY_S = 0.5
RATE = 25
MASKS = ("face", "parts")
FORGERIES = ("blend", "resample", "colour")


@dataclass(frozen=True)
class Variant:
    """One telling: where A and B begin in their samples, how long each speaks, how B is forged.

    `mask` is ``"face"`` (the whole oval) or ``"parts"`` (eyes, nose and mouth); `kind` and
    `strength` are those of `forge.plant`.
    """

    number: int
    a_start_s: float
    b_start_s: float
    a_seconds: float
    b_seconds: float
    mask: str
    kind: str
    strength: float


@dataclass(frozen=True)
class StoryOutcome:
    """What the analysis made of a variant.

    Attributes
    ----------
    variant
        What was told.
    persons
        How many the analysis found.
    a, b
        ``forged``, ``not_forged``, ``abstained`` or ``missing``.
    a_logit, b_logit, threshold
        On the detector's scale.
    a_reason, b_reason
        Why it abstained.
    cut_s, found_s
        True time of the cut; middle between A's last and B's first sighting.
    """

    variant: Variant
    persons: int
    a: str
    b: str
    a_logit: float | None
    b_logit: float | None
    threshold: float
    a_reason: str | None
    b_reason: str | None
    cut_s: float
    found_s: float | None

    @property
    def is_told_right(self) -> bool:
        """Whether all four demands are met."""
        return (
            self.persons == 2
            and self.a in {"not_forged", "abstained"}
            and self.b in {"forged", "abstained"}
            and self.found_s is not None
            and abs(self.found_s - self.cut_s) <= BOUNDARY_S
        )


def variants(count: int = 20, *, seed: int = 0) -> tuple[Variant, ...]:
    """Draw variants; the first ones stay the same when more are asked for.

    Examples
    --------
    >>> variants(3) == variants(20)[:3]
    True
    """
    out = []
    for number in range(count):
        rng = np.random.default_rng([seed, number])
        out.append(
            Variant(
                number=number,
                a_start_s=round(float(rng.uniform(2, 185)), 2),
                b_start_s=round(float(rng.uniform(1, 43)), 2),
                a_seconds=round(float(rng.uniform(4.5, 8)), 2),
                b_seconds=round(float(rng.uniform(4.5, 8)), 2),
                mask=MASKS[number % len(MASKS)],
                kind=FORGERIES[number // len(MASKS) % len(FORGERIES)],
                strength=round(float(rng.uniform(0.8, 2.0)), 2),
            )
        )
    return tuple(out)


# --- telling ------------------------------------------------------------------------------


def on_result(variant: Variant, out: Path, *, tick: Tick = no_tick) -> float:
    """Write the story of a variant as it was before it was shared; return the time of the cut.

    Raises
    ------
    ToolkitError
        If a sample is not here.
    VideoError
        If a sample cannot be read, or shows no face.
    """
    forger = _Forger(variant)
    a = list(_scene(GENUINE, variant.a_start_s, variant.a_seconds, None, tick))
    b = list(_scene(FORGED, variant.b_start_s, variant.b_seconds, forger, tick))
    media.write_h264(out, [*a, *b], np.arange(len(a) + len(b)) / RATE, crf=18)
    return len(a) / RATE


def _scene(
    sample: str, start_s: float, seconds: float, forger: _Forger | None, tick: Tick
) -> Iterator[Picture]:
    """Yield the frames of a stretch at `RATE`, the face in the middle of the canvas."""
    video = media.probe(samples.path(sample))
    wanted = start_s + np.arange(round(seconds * RATE)) / RATE
    rows = np.searchsorted(video.pts, wanted + 1e-4, side="right") - 1
    frames = {f.index: f.rgb for f in media.read(video, np.unique(rows), tick=tick, stage="story")}
    placed = _framing(video, [frames[i] for i in sorted(frames)[:: max(1, len(frames) // 8)]])
    for index in rows.tolist():
        if index not in frames:
            raise VideoError(
                "a sample has frames that cannot be read", phrase("frame {index}", index=index)
            )
        rgb = frames[index] if forger is None else forger.forge(frames[index])
        yield _on_canvas(rgb, placed)


def _framing(video: Video, few: Sequence[Picture]) -> NDArray[np.float64]:
    """Return the 2x3 map from sample to canvas that puts the face in the middle."""
    detector = FaceDetector()
    boxes = [max(faces, key=_area).box for rgb in few if (faces := detector(rgb))]
    if not boxes:
        raise VideoError("no face was found in this stretch", video.path.name)
    x, y, width, height = np.median(np.stack(boxes), axis=0)
    scale = FACE_HEIGHT / height
    return np.array(
        [
            [scale, 0, CANVAS[0] / 2 - scale * (x + width / 2)],
            [0, scale, CANVAS[1] / 2 - scale * (y + height / 2)],
        ]
    )


def _area(found: Detection) -> float:
    return float(found.box[2] * found.box[3])


def _on_canvas(rgb: Picture, placed: NDArray[np.float64]) -> Picture:
    """Return the picture on a canvas whose rest is its own blur, as broadcasters fill it."""
    behind = cv2.resize(rgb, CANVAS, interpolation=cv2.INTER_AREA)
    behind = cv2.GaussianBlur(behind, (0, 0), 25)
    if placed[0, 0] < 1:
        rgb = np.asarray(cv2.GaussianBlur(rgb, (0, 0), 0.4 / placed[0, 0]), np.uint8)
    front = cv2.warpAffine(rgb, placed, CANVAS, flags=cv2.INTER_LINEAR)
    whole = np.full(rgb.shape[:2], 255, np.uint8)
    inside = cv2.warpAffine(whole, placed, CANVAS, flags=cv2.INTER_NEAREST) > 0
    return np.asarray(np.where(inside[..., None], front, behind), np.uint8)


class _Forger:
    """Forges the largest face of each frame; keeps the last mesh where it is missed."""

    def __init__(self, variant: Variant) -> None:
        self._variant = variant
        self._detector, self._mesh = FaceDetector(), FaceMesh()
        self._last: NDArray[np.float32] | None = None

    def forge(self, rgb: Picture) -> Picture:
        face = max(self._detector(rgb), key=_area, default=None)
        result = self._mesh(rgb, face) if face else None
        mesh = result.points if result else self._last
        if mesh is None:
            return rgb
        self._last = mesh
        variant, width = self._variant, face_width(mesh)
        if variant.mask == "face":
            mask = hull_mask(mesh[list(OVAL), :2], rgb.shape[:2], grow=0.95)
        else:
            mask = region_mask(mesh, rgb.shape[:2], list(PARTS))
        mask = np.asarray(cv2.GaussianBlur(mask, (0, 0), max(0.8, 0.03 * width)), np.float32)
        return blend(KINDS[variant.kind](rgb, width, variant.strength), rgb, mask)


# --- judging ------------------------------------------------------------------------------


def judge(
    variant: Variant,
    *,
    detector: str | Detector = "seamnet",
    folder: Path | None = None,
    tick: Tick = no_tick,
) -> StoryOutcome:
    """Tell a variant, share it, analyse it, and compare with what was told.

    Parameters
    ----------
    variant
        Of `variants`.
    detector
        A name, or a detector that is loaded already.
    folder
        Where to leave the two clips; None = nowhere.
    tick
        Called with the stages of the parts.
    """
    with tempfile.TemporaryDirectory(prefix="doorzicht-") as scratch:
        place = Path(folder or scratch)
        original, shared = (place / f"{n}_{variant.number:02d}.mp4" for n in ("story", "shared"))
        cut_s = on_result(variant, original, tick=tick)
        reshare(original, shared, CHAIN, tick=tick)
        report = pipeline.analyse(shared, detector=detector, explain=False, tick=tick)
    return compare(variant, report, cut_s)


def compare(variant: Variant, report: Report, cut_s: float) -> StoryOutcome:
    """Set a report beside the truth: A is who shows before the cut, B who shows after it."""
    end_s = float(report.video.pts[-1])
    a, b = _who(report, 0.0, cut_s), _who(report, cut_s, end_s)
    if a is b:  # one person for both: nothing was told apart
        b = None
    boundary_s = None
    if a is not None and b is not None:
        boundary_s = (float(a.track.seen[:, 1].max()) + float(b.track.seen[:, 0].min())) / 2
    threshold = report.verdict.threshold
    return StoryOutcome(
        variant=variant,
        persons=len(report.tracks),
        a=word_of(a.verdict) if a else "missing",
        b=word_of(b.verdict) if b else "missing",
        a_logit=a.verdict.logit if a else None,
        b_logit=b.verdict.logit if b else None,
        threshold=threshold,
        a_reason=a.verdict.reason_code if a else None,
        b_reason=b.verdict.reason_code if b else None,
        cut_s=cut_s,
        found_s=boundary_s,
    )


def _who(report: Report, start_s: float, end_s: float) -> TrackResult | None:
    """Return the person seen longest between two times, or None."""

    def seconds(r: TrackResult) -> float:
        parts = r.track.seen.clip(start_s, end_s)
        return float((parts[:, 1] - parts[:, 0]).sum())

    best = max(report.tracks, key=seconds, default=None)
    return best if best is not None and seconds(best) > 0 else None


def summarise(outcomes: Sequence[StoryOutcome]) -> dict[str, Any]:
    """Count what was asked for."""
    apart = [abs(o.found_s - o.cut_s) for o in outcomes if o.found_s is not None]

    def counted(words: Sequence[str]) -> dict[str, int]:
        return {word: words.count(word) for word in sorted(set(words))}

    return {
        "variants": len(outcomes),
        "two_persons": sum(o.persons == 2 for o in outcomes),
        "a": counted([o.a for o in outcomes]),
        "b": counted([o.b for o in outcomes]),
        "boundary_within_s": BOUNDARY_S,
        "boundary_right": sum(a <= BOUNDARY_S for a in apart),
        "boundary_largest_error_s": max(apart, default=None),
        "told_right": sum(o.is_told_right for o in outcomes),
    }


# --- command ------------------------------------------------------------------------------


def main(argv: Sequence[str] | None = None) -> int:
    """Tell, share and judge the variants; write FILE.json after each."""
    parser = argparse.ArgumentParser(
        prog="python -m toolkit study two-persons", description=main.__doc__
    )
    parser.add_argument("--out", type=Path, required=True, metavar="FILE.json")
    parser.add_argument("--variants", type=int, default=20, metavar="N")
    parser.add_argument("--most", type=int, metavar="N", help="stop after N new ones")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--detector", default="seamnet")
    parser.add_argument("--keep", type=Path, metavar="DIR", help="leave the clips here")
    options = parser.parse_args(argv)
    try:
        return _run(options)
    except ToolkitError as error:
        print(f"story: {error.text()}", file=sys.stderr)
        return 3


def _run(options: argparse.Namespace) -> int:
    detector = registry.load(options.detector, stand_in=False)
    settings = {
        "chain": CHAIN,
        "canvas": list(CANVAS),
        "seed": options.seed,
        "detector": detector.card.name,
        "weights_sha256": detector.card.weights_sha256,
        "threshold": detector.card.threshold,
    }
    done = _read(options.out, settings)
    new = 0
    for variant in variants(options.variants, seed=options.seed):
        if variant.number in {o.variant.number for o in done}:
            continue
        if options.most is not None and new >= options.most:
            break
        outcome = judge(variant, detector=detector, folder=options.keep)
        done.append(outcome)
        new += 1
        facts = {
            "schema": SCHEMA,
            "settings": settings,
            "summary": summarise(done),
            "outcomes": [{**dataclasses.asdict(o), "told_right": o.is_told_right} for o in done],
        }
        atomic_write(options.out, json.dumps(facts, indent=1) + "\n")
        right = "as told" if outcome.is_told_right else "NOT as told"
        line = f"{outcome.persons} persons, A {outcome.a}, B {outcome.b}"
        print(f"{variant.number:2d}  {line}: {right}", flush=True)
    print(json.dumps(summarise(done)))
    return 0


def _read(path: Path, settings: dict[str, Any]) -> list[StoryOutcome]:
    """Return the outcomes that are there already, if they come from the same settings."""
    if not path.is_file():
        return []
    facts = parse_json(path.read_text(encoding="utf-8"))
    if facts.get("schema") != SCHEMA or facts.get("settings") != settings:
        return []
    names = {f.name for f in dataclasses.fields(StoryOutcome)} - {"variant"}
    return [
        StoryOutcome(variant=Variant(**row["variant"]), **{k: row[k] for k in names})
        for row in facts["outcomes"]
    ]
