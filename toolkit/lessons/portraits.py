"""Faces of the samples, as pictures to try things on. They stay in memory."""

from __future__ import annotations

import functools
from collections.abc import Sequence

from toolkit import media, samples
from toolkit.errors import ToolkitError, UsageError
from toolkit.forge.plant import FaceFinder
from toolkit.lessons.tiny_detector import PersonFace, face_of
from toolkit.training.data import read_picture
from toolkit.types import Tick, no_tick, spread

FACES_PER_CLIP = 24
PICTURE = "astronaut"
_PERSON = {"cap12_edit": "cap", "cap13_edit2": "cap"}
"""Samples that show the same man."""


def person_of(name: str) -> str:
    """Return who is on a sample, as a short name: clips of one man give the same."""
    return _PERSON.get(name, name.split("_", maxsplit=1)[0])


def faces(*, per_clip: int = FACES_PER_CLIP, tick: Tick = no_tick) -> list[PersonFace]:
    """Return faces of every genuine sample on this machine, evenly in time.

    Raises
    ------
    UsageError
        If there is no sample.
    """
    planted_id = samples.planted().id
    names = [n for n in samples.names(present=True) if n != planted_id]
    portraits: list[PersonFace] = []
    for number, name in enumerate(names):
        tick("faces", number, len(names))
        portraits += _clip_faces(name, per_clip)
    portraits += _picture_faces()
    tick("faces", 1, 1)
    if not portraits:
        raise UsageError("there are no samples", "", "Run 'python start.py setup'.")
    return portraits


@functools.lru_cache(maxsize=16)
def _clip_faces(name: str, count: int) -> tuple[PersonFace, ...]:
    video = media.probe(samples.path(name))
    indices = spread(len(video.pts), count)
    find, out = FaceFinder(), []
    for frame in media.read(video, indices):
        mesh = find(frame.rgb)
        if mesh is not None:
            out.append(face_of(frame.rgb, mesh, person_of(name)))
    return tuple(out)


@functools.lru_cache(maxsize=1)
def _picture_faces() -> tuple[PersonFace, ...]:
    try:
        rgb = read_picture(samples.path(PICTURE))
    except ToolkitError:
        return ()  # not fetched
    mesh = None if rgb is None else FaceFinder()(rgb)
    if rgb is None or mesh is None:
        return ()
    return (face_of(rgb, mesh, PICTURE),)


def one_per_person(found: Sequence[PersonFace]) -> list[PersonFace]:
    """Return the middle picture of each person."""
    people: dict[str, list[PersonFace]] = {}
    for face in found:
        people.setdefault(face.person, []).append(face)
    return [group[len(group) // 2] for group in people.values()]
