"""Cases for tests: a quick stand-in for the analysis, and a clip without a network."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from tests.fakes import crops_of
from tests.widgets import made_up
from toolkit import media
from toolkit.analysis.robustness import ChainOutcome, Robustness
from toolkit.casework import case as cases
from toolkit.casework import operations
from toolkit.casework.case import Case
from toolkit.media.alignment import Alignment, Rect
from toolkit.types import Examination, FaceCrops, Report, Sampling, no_tick

FRAMES = 100
UNUSED = FRAMES - 2  # this frame was looked at, and held no usable face


def clip(path: Path, *, shade: int = 90) -> Path:
    """Write a short clip without faces."""
    y, x = np.mgrid[:96, :128]

    def pictures():
        for i in range(FRAMES):
            wave = shade + 40 * np.sin(x / 9 + i / 5) + 20 * np.cos(y / 7)
            yield np.repeat(np.uint8(wave)[..., None], 3, axis=2)

    media.write_h264(path, pictures(), np.arange(FRAMES) / 25)
    return path


def crops(n: int, side: int = 32) -> FaceCrops:
    """Return crops of no face in particular."""
    rng = np.random.default_rng(3)
    return crops_of(rng.integers(0, 255, (n, side, side, 3), np.uint8), width=80.0)


def examine(
    path: Path | str,
    *,
    tick=no_tick,
    sampling: Sampling | None = None,
    seed: int = 0,
    made: Report | None = None,
    **_: object,
) -> Examination:
    """Stand in for `analysis.examine`: made-up persons, on the clip that is really there."""
    video = media.probe(Path(path), tick=tick)
    for stage in ("scan", "faces", "detect", "explain"):
        tick(stage, 0, 1)
    report = made or made_up.report()
    tracks = tuple(_within(r, video) for r in report.tracks)
    settings = {
        **report.settings,
        "seed": seed,
        "sampling": (sampling or Sampling()).to_dict(),
        "detector": {
            **report.settings["detector"],
            "held_back": {"genuine": 34, "called_forged": 6, "abstained": 3},
        },
    }
    report = dataclasses.replace(report, video=video, tracks=tracks, settings=settings)
    found = {r.track.person: crops(len(r.track.pts)) for r in tracks}
    return Examination(report, found)


def _within(r, video):
    """Put a made-up track into the time of a real clip."""
    wanted = np.linspace(0, FRAMES - 1, len(r.track.pts)).astype(np.int64)
    unique = np.unique(wanted)
    assert len(unique) == len(wanted)
    seen = np.array([[video.pts[0], video.pts[-1]]])
    n = len(wanted)
    track = dataclasses.replace(
        r.track,
        indices=wanted,
        pts=video.pts[wanted],
        seen=seen,
        shots=np.zeros(n, np.int64),
        sampled=np.sort(np.append(wanted, UNUSED)),
    )
    explanation = r.explanation
    if explanation is not None and explanation.intervals:
        spans = tuple(dataclasses.replace(i, start_s=1.0, end_s=2.5) for i in explanation.intervals)
        explanation = dataclasses.replace(explanation, intervals=spans)
    return dataclasses.replace(r, track=track, explanation=explanation)


def two_persons() -> Report:
    """Return person A, called forged, and person B, about whom nothing is said."""
    return made_up.report(made_up.result(moments=40), made_up.abstained())


def examine_two(path: Path | str, **how: object) -> Examination:
    """Stand in for `analysis.examine` with `two_persons`."""
    return examine(path, made=two_persons(), **how)


def lies(*_places: object, **_how: object) -> Alignment:
    """Stand in for `alignment.align`: a re-share of 25 % less on the left, and a bar on top."""
    return Alignment(
        aligned=True,
        why="aligned",
        offset_s=0.4,
        scale=(1.0, 1.0),
        kept=Rect(32, 0, 96, 96),
        shown=Rect(0, 12, 96, 84),
        lost_percent=25.0,
        score=0.9,
    )


def tried(report: Report, *, chains: Sequence[str], **_how: object) -> Robustness:
    """Stand in for `robustness.try_chains`: after the first chain the verdict does not hold."""
    outcomes = [
        ChainOutcome(chain, r.track.person, "abstained", None, 1.0, "face_too_small", holds=bool(n))
        for n, chain in enumerate(chains)
        for r in report.tracks[:1]
    ]
    return Robustness((("A", "forged"),), tuple(outcomes))


def make(folder: Path, source: Path) -> Case:
    """Return a case with one exhibit, analysed by the stand-in, and a note."""
    case = cases.create(
        folder,
        title="A clip",
        examiner="N. N.",
        role="examiner",
        legal_basis="consent",
        retention="one year",
    )
    operations.add(
        case,
        source,
        received_from="a sender",
        how="by e-mail",
        source="https://example.org/<b>clip</b>",
        examine=examine_two,
    )
    case.note(text="The mouth.", exhibit="E1", frames=[(3, 5)], regions=["mouth"])
    return case
