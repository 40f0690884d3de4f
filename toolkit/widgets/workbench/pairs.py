"""Two scenes that are put side by side: persons, moments, detectors or clips."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from toolkit import figures
from toolkit.media import show_name
from toolkit.storage.cache import Cache
from toolkit.types import Tick
from toolkit.widgets.workbench.chooser import detector_title

if TYPE_CHECKING:
    from toolkit.media.display import DisplayCopy
    from toolkit.player import Scene
    from toolkit.types import Examination


@dataclass(frozen=True, eq=False)
class ScenePair:
    """What stands left and right.

    Attributes
    ----------
    left, right
        The scenes.
    offset_s
        How much later the right one is shown.
    frame
        Frame of the left display copy to begin with; None = where it is.
    """

    left: Scene
    right: Scene
    offset_s: float = 0.0
    frame: int | None = None


def pair_persons(examination: Examination, copy: DisplayCopy, person: str, other: str) -> ScenePair:
    """Return two persons of one clip, each from where that person is first judged."""
    return _pair_rows(examination, copy, (person, 0), (other, 0), labels=("", ""))


def pair_moments(
    examination: Examination, copy: DisplayCopy, person: str, first: int, second: int
) -> ScenePair:
    """Return two rows of one person's track."""
    pts = _track_times(examination, person)
    labels = (figures.clock(float(pts[first]), 2), figures.clock(float(pts[second]), 2))
    return _pair_rows(examination, copy, (person, first), (person, second), labels=labels)


def _track_times(examination: Examination, person: str) -> list[float]:
    tracks = (r.track for r in examination.report.tracks)
    return next([float(t) for t in track.pts] for track in tracks if track.person == person)


def _pair_rows(
    examination: Examination,
    copy: DisplayCopy,
    left: tuple[str, int],
    right: tuple[str, int],
    *,
    labels: tuple[str, str],
) -> ScenePair:
    from toolkit.player import Scene

    def scene(person: str, label: str) -> Scene:
        return Scene.of(examination.report, copy, crops=examination.crops, only=person, label=label)

    tracks = {r.track.person: r.track for r in examination.report.tracks}
    (person, first), (other, second) = left, right
    return ScenePair(
        scene(person, labels[0]),
        scene(other, labels[1]),
        offset_s=float(tracks[other].pts[second] - tracks[person].pts[first]),
        frame=copy.frame_of(int(tracks[person].indices[first])),
    )


def labelled_scene(examination: Examination, copy: DisplayCopy) -> Scene:
    """Return the scene of a whole result, named by its clip and its detector."""
    from toolkit.player import Scene

    detector = detector_title(examination.report.settings["detector"]["name"])
    label = f"{show_name(examination.report.video.path)} · {detector}"
    return Scene.of(examination.report, copy, crops=examination.crops, label=label)


def copy_of(
    cache: Cache, examination: Examination, beside: Examination, copy: DisplayCopy
) -> Callable[[Tick], DisplayCopy]:
    """Return the work that prepares another result's video.

    Parameters
    ----------
    cache
        Where copies are kept.
    examination
        The other result.
    beside, copy
        The result on screen and its copy, which serves both when they are of one clip.
    """

    def prepare(tick: Tick) -> DisplayCopy:
        from toolkit.analysis import cached

        video, mine = examination.report.video, beside.report.video
        if (video.sha256, video.rotation) == (mine.sha256, mine.rotation):
            return copy
        return cached.display_copy(cache, video, tick=tick)

    return prepare
