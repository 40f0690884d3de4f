"""Two examinations, or two stretches of one, side by side: which of them is known to be genuine.

What is known to be genuine serves twice: the person's score is held against it, and its faces are
the references of the second witness (`inquire.Subject`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from toolkit.detectors import registry
from toolkit.errors import UsageError
from toolkit.messages import phrase
from toolkit.types import FaceCrops, TrackResult, spread
from toolkit.verdict import comparison
from toolkit.verdict.comparison import Comparison, Span

if TYPE_CHECKING:
    from toolkit.types import Examination

SCHEMA = "doorzicht.comparison/1"
FACES_MAX = 64  # of known material that serve as references; each costs a pass


def compare(
    questioned: Examination,
    known: Examination | None = None,
    *,
    seconds: Span | None = None,
    person: str | None = None,
) -> Comparison:
    """Compare a person of a clip with what is known to be genuine.

    Parameters
    ----------
    questioned
        The clip in question.
    known
        Another recording of the same person; whoever is on screen most in it counts. None = the
        clip itself, and `seconds` of it.
    seconds
        First and last second that are known to be genuine, of `known` or of the clip itself.
    person
        Whom to compare; None = the person whom the verdict is of.

    Raises
    ------
    UsageError
        If that person is not there or was not judged, the recording is the clip itself, the
        detectors differ, or a stretch is too short.
    """
    mine, other, seen = _sides(questioned, known, seconds, person)
    crops = questioned.crops[mine.track.person]
    halves = comparison.find(*_detector(questioned))
    if seen is questioned:
        assert seconds is not None
        return comparison.within(mine, crops, seconds, halves)
    inside = None if seconds is None else comparison.moments_in(other, seconds)
    side = comparison.stretch(other, seen.crops[other.track.person], inside)
    return comparison.compare(comparison.stretch(mine, crops), side, halves)


def known_faces(
    questioned: Examination,
    known: Examination | None = None,
    *,
    seconds: Span | None = None,
    person: str | None = None,
) -> FaceCrops:
    """Return the faces that are known to be genuine, for `inquire.Subject`.

    Parameters and errors are those of `compare`. It is for the user to say that they show the same
    person.

    Returns
    -------
    FaceCrops
        At most `FACES_MAX`, spread evenly; none where that person is not seen then.
    """
    _mine, other, seen = _sides(questioned, known, seconds, person)
    rows = np.arange(len(other.track.pts))
    if seconds is not None:
        rows = rows[comparison.moments_in(other, seconds)]
    return seen.crops[other.track.person].at(rows[spread(len(rows), FACES_MAX)])


def _sides(
    questioned: Examination,
    known: Examination | None,
    seconds: Span | None,
    person: str | None,
) -> tuple[TrackResult, TrackResult, Examination]:
    """Return who is in question, who is known to be genuine, and the examination of the latter."""
    wanted = person or questioned.report.speaks
    mine = next((r for r in questioned.report.tracks if r.track.person == wanted), None)
    if mine is None:
        reason = "" if person else questioned.report.verdict.reason
        raise UsageError(
            "there is nobody to compare", person or "", reason or "Name another person."
        )
    if known is None:
        if seconds is None:
            raise UsageError("nothing is known to be genuine", "", "Name a recording or seconds.")
        return mine, mine, questioned
    if known.report.video.sha256 == questioned.report.video.sha256:
        remedy = "Name another recording, or seconds of this one."
        raise UsageError("the two are the same file", "", remedy)
    if _detector(known) != _detector(questioned):
        names = sorted({_detector(e)[0] for e in (known, questioned)})
        # one name where only the weights differ
        both = phrase("{a} and {b}", a=names[0], b=names[1]) if len(names) > 1 else names[0]
        raise UsageError(
            "the two were judged by different detectors", both, "Analyse one of them again."
        )
    return mine, comparison.longest(known.report.tracks), known


def to_dict(
    found: Comparison, questioned: Examination, known: Examination | None
) -> dict[str, Any]:
    """Return the content of `comparison.json`: plain values."""
    name, weights = _detector(questioned)
    clips = {"questioned": questioned, "known": known or questioned}
    return {
        "schema": SCHEMA,
        "detector": {"name": name, "weights_sha256": weights},
        **{
            f"{side}_video": {
                "path": str(e.report.video.path),
                "sha256": e.report.video.sha256,
                "persons": len(e.report.tracks),
            }
            for side, e in clips.items()
        },
        "comparison": found.to_dict(),
    }


def _detector(examination: Examination) -> tuple[str, str]:
    facts = examination.report.settings["detector"]
    weights = str(facts["weights_sha256"])
    return registry.name_now(str(facts["name"]), weights), weights
