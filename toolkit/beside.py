"""Two examinations, or two stretches of one, side by side: which of them is known to be genuine."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from toolkit.errors import UsageError
from toolkit.types import TrackResult
from toolkit.verdict import comparison
from toolkit.verdict.comparison import Comparison, Halves, Span

if TYPE_CHECKING:
    from toolkit.analysis import Examination

SCHEMA = "doorzicht.comparison/1"


def compare(
    questioned: Examination,
    known: Examination | None = None,
    *,
    seconds: Span | None = None,
    person: str | None = None,
) -> tuple[Comparison, ...]:
    """Compare the persons of a clip with what is known to be genuine.

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
        Whom to compare; None = everyone who was judged.

    Returns
    -------
    tuple of Comparison
        One per person, in order of screen time.

    Raises
    ------
    UsageError
        If nobody was judged, the detectors differ, or a stretch is too short.
    """
    judged = [
        r
        for r in questioned.report.tracks
        if not r.verdict.abstained and person in (None, r.track.person)
    ]
    if not judged:
        raise UsageError(
            "nobody was judged whom to compare",
            questioned.report.verdict.reason or person or "",
            "Choose another clip or person.",
        )
    halves = _halves(questioned)
    if known is None:
        if seconds is None:
            raise UsageError("nothing is known to be genuine", "", "Name a recording or seconds.")
        return tuple(
            comparison.within(r, questioned.crops[r.track.person], seconds, halves) for r in judged
        )
    if _detector(known) != _detector(questioned):
        both = " and ".join(sorted({_detector(e)[0] for e in (known, questioned)}))
        raise UsageError(
            "the two were judged by different detectors", both, "Analyse one of them again."
        )
    other = comparison.longest(known.report.tracks)
    side = comparison.stretch(other, known.crops[other.track.person], _inside(other, seconds))
    return tuple(
        comparison.compare(comparison.stretch(r, questioned.crops[r.track.person]), side, halves)
        for r in judged
    )


def _inside(result: TrackResult, seconds: Span | None) -> Any:
    if seconds is None:
        return None
    return (result.track.pts >= seconds[0]) & (result.track.pts <= seconds[1])


def to_dict(
    found: tuple[Comparison, ...], questioned: Examination, known: Examination | None
) -> dict[str, Any]:
    """Return the content of `comparison.json`: plain values."""
    name, weights = _detector(questioned)
    clips = {"questioned": questioned, "known": known or questioned}
    return {
        "schema": SCHEMA,
        "detector": {"name": name, "weights_sha256": weights},
        **{
            side: {"path": str(e.report.video.path), "sha256": e.report.video.sha256}
            for side, e in clips.items()
        },
        "persons": [c.to_dict() for c in found],
    }


def _detector(examination: Examination) -> tuple[str, str]:
    facts = examination.report.settings["detector"]
    return str(facts["name"]), str(facts["weights_sha256"])


def _halves(examination: Examination) -> Halves | None:
    return comparison.find(*_detector(examination))
