"""The clips of the case: a recording, and what was made of it and sent on.

The news story in small, with sample people: somebody takes a recording of one person, puts another
person's face on it for a while, crops it, writes a caption on it, and shares it.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from toolkit import media, samples
from toolkit.errors import UsageError
from toolkit.files import atomic_write, parse_json
from toolkit.forge import swap
from toolkit.forge.plant import check_interval
from toolkit.lessons import clips
from toolkit.media.reshare import reshare
from toolkit.types import Tick, Video, no_tick

SECONDS = 8.0
START_S, END_S = 2.8, 5.2
"""The stretch of the story in which the face is another's."""
CHAIN = "crop10,caption,crf26"
RECIPE = swap.SwapRecipe(resolution=56, colour="mean", feather=0.05)
"""Made in haste, as most that is shared is."""
SOURCE, RECEIVED, TRUTH = "recording.mp4", "received.mp4", "truth.json"


@dataclass(frozen=True)
class Story:
    """Where the clips are, and what was done.

    Attributes
    ----------
    source, received
        The recording, and the clip that was shared.
    person, face
        Samples: whose performance it is, and whose face was put on.
    start_s, end_s
        When, in seconds of the shared clip.
    chain
        What happened to it after that.
    """

    source: Path
    received: Path
    person: str
    face: str
    start_s: float
    end_s: float
    chain: str


def cast(names: Sequence[str] | None = None) -> tuple[str, str]:
    """Return the samples whose performance and whose face the story uses.

    Raises
    ------
    UsageError
        If there are not two people long enough.
    """
    there = clips.sources(seconds=SECONDS + 22) if names is None else list(names)
    person = next((n for n in ("franck", *there) if n in there), None)
    others = [n for n in there if person and n[:3] != person[:3]]
    if person is None or not others:
        raise UsageError(
            "two people are needed for this lesson",
            ", ".join(there),
            "Run 'python start.py setup' to fetch the sample clips.",
        )
    return person, others[0]


def make_story(folder: Path, *, start_s: float = 20.0, tick: Tick = no_tick) -> Story:
    """Make both clips in a folder; what is there already is used again.

    Parameters
    ----------
    folder
        Made if it is not there.
    start_s
        Where in the sample the recording begins.
    tick
        Stages ``"read"``, ``"swap"`` and ``"reshare"``.

    Raises
    ------
    UsageError
        If the samples are not here.
    """
    person, face = cast()
    folder.mkdir(parents=True, exist_ok=True)
    source, received = folder / SOURCE, folder / RECEIVED
    story = Story(source, received, person, face, START_S, END_S, CHAIN)
    facts = {k: v for k, v in asdict(story).items() if k not in ("source", "received")}
    facts |= {"begins_s": start_s, "recipe": asdict(RECIPE) | {"shift": list(RECIPE.shift)}}
    truth = folder / TRUTH
    if _is_made(truth, facts) and source.is_file() and received.is_file():
        return story
    truth.unlink(missing_ok=True)
    check_interval(START_S, END_S)
    video = media.probe(samples.path(person))
    times = video.pts - video.pts[0]
    wanted = np.flatnonzero((times >= start_s) & (times < start_s + SECONDS)).astype(np.int64)
    pts = times[wanted] - times[wanted[0]]
    media.write_h264(source, (f.rgb for f in media.read(video, wanted)), pts)
    with tempfile.TemporaryDirectory(prefix="doorzicht-") as where:
        forged, shared = Path(where, "forged.mp4"), Path(where, "shared.mp4")
        pictures = _with_another_face(video, wanted, pts, face, tick)
        media.write_h264(forged, pictures, pts)
        reshare(forged, shared, CHAIN, tick=tick)
        last = media.probe(shared)
        shown = (clips.with_strip(f.rgb) for f in media.read(last, np.arange(len(last.pts))))
        media.write_h264(received, shown, last.pts - last.pts[0], crf=20)
    atomic_write(truth, json.dumps(facts, indent=1) + "\n")
    return story


def _is_made(truth: Path, facts: object) -> bool:
    try:
        return bool(parse_json(truth.read_text(encoding="utf-8")) == facts)
    except (OSError, ValueError):
        return False


def _with_another_face(
    video: Video, wanted: NDArray[np.int64], pts: NDArray[np.float64], face: str, tick: Tick
) -> Iterator[NDArray[np.uint8]]:
    first = float(video.pts[wanted[0]] - video.pts[0])
    performance = swap.read_performance(
        video.path, start_s=first + START_S, end_s=first + END_S, tick=tick
    )
    gallery = clips.gallery_of(face)
    chosen, _distances = swap.choose_faces(performance, gallery, RECIPE)
    mesh = swap.smooth_mesh(performance.mesh)
    position = {int(i): k for k, i in enumerate(performance.indices.tolist())}
    for done, frame in enumerate(media.read(video, wanted)):
        tick("swap", done, len(wanted))
        k = position.get(frame.index)
        if k is None or chosen[k] < 0 or not START_S <= pts[done] <= END_S:
            yield frame.rgb
            continue
        one = gallery.faces[int(chosen[k])]
        yield swap.swap_frame(frame.rgb, mesh[k], one, RECIPE, show=False).rgb
