"""A questioned recording against one that is known to be genuine.

How high a face scores depends on more than forgery: on who it is, the light, the coding. A
recording of the same person, made and sent the same way, has most of that in common, so what it
scores can be taken off. How far apart two genuine stretches lie is not assumed but measured: on the
two halves of genuine recordings that were kept from training
(`toolkit.evaluation.studies.known_genuine`).
"""

from __future__ import annotations

import dataclasses
import json
import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from toolkit import models
from toolkit.detectors import registry
from toolkit.errors import ModelError, OutOfRangeError, UsageError
from toolkit.files import atomic_write, parse_json
from toolkit.messages import phrase
from toolkit.types import Examination, FaceCrops, TrackResult, spread
from toolkit.verdict import abstention
from toolkit.verdict.aggregate import aggregate, same_part

SCHEMA = "doorzicht.halves/1"
FALSE_ALARMS = 0.05  # of genuine stretches, above the limit
LEAST = 9  # recordings; fewer cannot show what one in twenty exceeds
MOMENTS_MIN = 16  # of either side; the highest quarter of fewer lies lower for no other reason

FACE_RATIO, SHARPNESS_RATIO = 1.5, 2.0
"""From which the pictures of two stretches differ too much to be compared freely. Start values."""

Span = tuple[float, float]


@dataclass(frozen=True)
class GenuineSpread:
    """How far the halves of genuine recordings lie apart.

    Attributes
    ----------
    apart
        Size of the difference in logits, one per recording, increasing.
    weights_sha256
        Of the detector that was asked.
    population
        Which recordings, in words.
    sharper
        How far the sharpness of their halves lies apart: log2 of the larger over the smaller, one
        per recording, increasing; empty where it was not measured.
    softer
        Of how many forgeries the face was softer than in their original, out of how many.
    """

    apart: tuple[float, ...]
    weights_sha256: str
    population: str
    sharper: tuple[float, ...] = ()
    softer: tuple[int, int] = (0, 0)

    @property
    def limit(self) -> float:
        """The difference that a new genuine recording exceeds in at most `FALSE_ALARMS` of cases.

        Of n recordings like it, a new one exceeds the k-th smallest with probability
        ``1 - k / (n + 1)``, whatever the distribution. That is the size of the difference; which
        half is called the questioned one is a matter of chance, so upwards it is half as often.
        """
        return _exceeded_rarely(self.apart)

    @property
    def sharpness_limit(self) -> float | None:
        """The ratio of sharpness that a new genuine recording exceeds as rarely, or None."""
        return 2.0 ** _exceeded_rarely(self.sharper) if len(self.sharper) >= LEAST else None

    def at_least(self, difference: float) -> int:
        """Return how many recordings have halves that lie this far apart or farther."""
        return int(np.sum(np.asarray(self.apart) >= abs(difference)))


def _exceeded_rarely(sizes: Sequence[float]) -> float:
    k = math.ceil((len(sizes) + 1) * (1 - 2 * FALSE_ALARMS))
    return sizes[min(k, len(sizes)) - 1]


@dataclass(frozen=True)
class Stretch:
    """What one side of a comparison is made of.

    Attributes
    ----------
    person, span
        Letter, and first and last moment in seconds.
    moments
        How many were judged.
    logit
        Their aggregate, by the rule that clips are judged by.
    face_px, sharpness
        Medians: width of the face in the source, and variance of the Laplacian.
    is_called_forged
        Whether `logit` reaches the detector's threshold.
    """

    person: str
    span: Span
    moments: int
    logit: float
    face_px: float
    sharpness: float
    is_called_forged: bool = False


@dataclass(frozen=True)
class Comparison:
    """A questioned stretch beside one that is known to be genuine.

    Attributes
    ----------
    questioned, known
        The two sides.
    limit
        Difference above which it counts as higher; None where nothing was measured for it.
    at_least, of
        Of how many genuine recordings the halves lie as far apart, or farther.
    population
        Which recordings, in words.
    unlike
        What differs between the pictures: ``"face_px"``, ``"sharpness"``. The difference may
        come from that.
    sharpness_limit
        Ratio of sharpness above which the halves of genuine recordings rarely lie apart; None where
        that was not measured. A figure of its own: no verdict uses it.
    softer
        Of how many forgeries the face was softer than in their original, out of how many.
    """

    questioned: Stretch
    known: Stretch
    limit: float | None
    at_least: int
    of: int
    population: str
    unlike: tuple[str, ...]
    sharpness_limit: float | None = None
    softer: tuple[int, int] = (0, 0)

    @property
    def sharpness_ratio(self) -> float:
        """Sharpness of the questioned face over that of the known one; NaN where one has none."""
        known = self.known.sharpness
        return self.questioned.sharpness / known if known > 0 else math.nan

    @property
    def difference(self) -> float:
        """Logit of the questioned stretch less that of the known one."""
        return self.questioned.logit - self.known.logit

    @property
    def is_higher(self) -> bool | None:
        """Whether it lies above the limit; None = there is none."""
        return None if self.limit is None else self.difference > self.limit

    def to_dict(self) -> dict[str, Any]:
        """Return plain values."""
        return {
            **asdict(self),
            "difference": self.difference,
            "is_higher": self.is_higher,
            "sharpness_ratio": self.sharpness_ratio if self.known.sharpness > 0 else None,
            "false_alarms": None if self.limit is None else FALSE_ALARMS,
        }


def stretch(
    result: TrackResult, crops: FaceCrops, where: NDArray[np.bool_] | None = None
) -> Stretch:
    """Return one side: all moments of a track, or those in `where` (M,).

    Raises
    ------
    UsageError
        If there are too few moments, or they or the person could not be judged.
    """
    logits = result.evidence.logits
    rows = np.flatnonzero(np.ones(len(logits), bool) if where is None else where)
    if result.verdict.abstained:
        cause = "a person who was not judged cannot be compared"
        raise UsageError(cause, result.track.person, result.verdict.reason or "")
    if len(rows) < MOMENTS_MIN:
        raise UsageError(
            "fewer than {least} moments are too few to compare",
            f"{result.track.person}: {len(rows)}",
            "Name a longer stretch, or judge more moments.",
            least=MOMENTS_MIN,
        )
    part = {
        name: getattr(result.track, name)[rows]
        for name in ("indices", "pts", "boxes", "mesh", "presence", "pose", "shots")
    }
    # how many moments were read of a stretch is not known, of the whole person it is
    track = dataclasses.replace(result.track, **part, sampled=np.zeros(0, np.int64))
    crops = crops.at(rows)
    logit = aggregate(logits[rows], same_part(result.aggregate, len(logits), len(rows)))
    verdict = abstention.judge(logit, result.verdict.threshold, track=track, crops=crops)
    if verdict.abstained:
        cause = "these moments of a person cannot be judged"
        raise UsageError(cause, track.person, verdict.reason or "")
    return Stretch(
        person=track.person,
        span=(float(track.pts[0]), float(track.pts[-1])),
        moments=len(rows),
        logit=logit,
        face_px=float(np.median(crops.face_width)),
        sharpness=float(np.median(crops.sharpness)),
        is_called_forged=logit >= result.verdict.threshold,
    )


def compare_stretches(
    questioned: Stretch, known: Stretch, halves: GenuineSpread | None
) -> Comparison:
    """Put a questioned stretch beside a known one.

    Parameters
    ----------
    questioned, known
        From `stretch`, judged by the same detector.
    halves
        What was measured for that detector, from `find`; None = nothing.
    """
    pairs = (
        ("face_px", questioned.face_px, known.face_px, FACE_RATIO),
        ("sharpness", questioned.sharpness, known.sharpness, SHARPNESS_RATIO),
    )
    unlike = tuple(n for n, a, b, most in pairs if max(a, b) > most * max(min(a, b), 1e-9))
    difference = questioned.logit - known.logit
    return Comparison(
        questioned,
        known,
        limit=halves.limit if halves else None,
        at_least=halves.at_least(difference) if halves else 0,
        of=len(halves.apart) if halves else 0,
        population=halves.population if halves else "",
        unlike=unlike,
        sharpness_limit=halves.sharpness_limit if halves else None,
        softer=halves.softer if halves else (0, 0),
    )


def within(
    result: TrackResult, crops: FaceCrops, known: Span, halves: GenuineSpread | None
) -> Comparison:
    """Compare the rest of a track with the seconds of it that are known to be genuine.

    Parameters
    ----------
    known
        First and last second, both counted in.

    Raises
    ------
    UsageError
        If one of the two sides has too few moments.
    """
    inside = moments_in(result, known)
    return compare_stretches(
        stretch(result, crops, ~inside), stretch(result, crops, inside), halves
    )


def moments_in(result: TrackResult, seconds: Span) -> NDArray[np.bool_]:
    """Return which moments (M,) lie in a span of seconds, both ends counted in.

    Raises
    ------
    UsageError
        If it does not start before it ends.
    """
    start, end = seconds
    if not start < end:
        remedy = "Choose a start before the end."
        raise OutOfRangeError(
            "there are no such seconds", phrase("{start:g} – {end:g}", start=start, end=end), remedy
        )
    return np.asarray((result.track.pts >= start) & (result.track.pts <= end))


def longest(results: Sequence[TrackResult]) -> TrackResult:
    """Return the judged person who is on screen most.

    Raises
    ------
    UsageError
        If nobody was judged.
    """
    judged = [r for r in results if not r.verdict.abstained]
    if not judged:
        raise UsageError(
            "nobody in the known recording could be judged",
            next((r.verdict.reason or "" for r in results), phrase("no face")),
            "Use another recording.",
        )
    return max(judged, key=lambda r: float(np.diff(r.track.seen, axis=1).sum()))


# --- the file beside the weights ----------------------------------------------------------------


def path_for(detector: str) -> Path:
    """Return where what was measured for a bundled detector lies, if anything was."""
    return models.ROOT / "models" / f"{detector}-known-genuine.json"


def save(spread: GenuineSpread, path: Path) -> None:
    """Write what was measured, as JSON."""
    content = {"schema": SCHEMA, **asdict(spread)}
    atomic_write(path, json.dumps(content, indent=1, allow_nan=False) + "\n")


def find(detector: str, weights_sha256: str) -> GenuineSpread | None:
    """Return what was measured with these very weights, or None: then there is no limit.

    Raises
    ------
    ModelError
        If the file is there and cannot be read.
    """
    path = path_for(registry.name_now(detector, weights_sha256))
    if not path.is_file():
        return None
    try:
        content = parse_json(path.read_text(encoding="utf-8"))
        apart = tuple(float(a) for a in content["apart"])
        sharper = tuple(float(a) for a in content.get("sharper", ()))
        softer, of = (int(n) for n in content.get("softer", (0, 0)))
        found = GenuineSpread(
            apart, str(content["weights_sha256"]), str(content["population"]), sharper, (softer, of)
        )
        sound = content["schema"] == SCHEMA and len(apart) >= LEAST and 0 <= softer <= of
        if not sound or not all(math.isfinite(a) and a >= 0 for a in (*apart, *sharper)):
            msg = "figures that no measurement gives"
            raise ValueError(msg)
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ModelError(
            "the figures for comparisons cannot be read", f"{path.name}: {error}", models.SETUP
        ) from error
    return found if found.weights_sha256 == weights_sha256 else None


# -- of examinations

COMPARISON_SCHEMA = "doorzicht.comparison/1"
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
    halves = find(*_detector(questioned))
    if seen is questioned:
        assert seconds is not None
        return within(mine, crops, seconds, halves)
    inside = None if seconds is None else moments_in(other, seconds)
    side = stretch(other, seen.crops[other.track.person], inside)
    return compare_stretches(stretch(mine, crops), side, halves)


def known_faces(
    questioned: Examination,
    known: Examination | None = None,
    *,
    seconds: Span | None = None,
    person: str | None = None,
) -> FaceCrops:
    """Return the faces that are known to be genuine, for `explain.session.PersonExplainer`.

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
        rows = rows[moments_in(other, seconds)]
    return seen.crops[other.track.person].at(rows[spread(len(rows), FACES_MAX)])


def _sides(
    questioned: Examination,
    known: Examination | None,
    seconds: Span | None,
    person: str | None,
) -> tuple[TrackResult, TrackResult, Examination]:
    """Return who is in question, who is known to be genuine, and the examination of the latter."""
    wanted = person or questioned.report.decisive
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
    return mine, longest(known.report.tracks), known


def to_dict(
    found: Comparison, questioned: Examination, known: Examination | None
) -> dict[str, Any]:
    """Return the content of `json`: plain values."""
    name, weights = _detector(questioned)
    clips = {"questioned": questioned, "known": known or questioned}
    return {
        "schema": COMPARISON_SCHEMA,
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
