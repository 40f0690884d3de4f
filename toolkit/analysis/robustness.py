"""What would change this verdict: the same analysis after the clip was shared once more.

Each chain of `media.reshare` is done to the clip, the result is analysed with the same settings,
and the outcome for each person is set beside the first one. A verdict that a caption bar turns
round says more about the detector than about the clip.
"""

from __future__ import annotations

import dataclasses
import json
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from toolkit._i18n import _
from toolkit.analysis import pipeline
from toolkit.detectors import registry
from toolkit.detectors.base import Detector
from toolkit.errors import VideoError
from toolkit.media.reshare import describe, parse, reshare
from toolkit.types import Report, Sampling, Tick, TrackResult, Verdict, no_tick

Word = Literal["forged", "not_forged", "abstained", "missing"]

CHAINS = (
    "crop10,caption,scale480,crf28,crf28",
    "crf28",
    "crf40,crf40",
    "crop10",
    "crop25,crf33",
    "strip12",
    "scale360,crf28",
    "fps24,crf28",
    "caption,crf28",
    "vertical,crf28",
    "screen,crf28",
)
"""What is tried unless somebody asks for something else; the combined one to quote first."""


@dataclass(frozen=True)
class Outcome:
    """What became of one person's verdict after one chain.

    Attributes
    ----------
    chain, person
        The chain, and the person's letter in the first report.
    verdict
        ``"missing"``: nobody was found there who can be that person.
    logit, threshold, reason_code
        As in a verdict.
    holds
        Whether `verdict` is what the first report says.
    """

    chain: str
    person: str
    verdict: Word
    logit: float | None
    threshold: float
    reason_code: str | None
    holds: bool


@dataclass(frozen=True)
class Robustness:
    """Outcomes by chain and person, the first verdicts, and the chains that failed, with why."""

    first: tuple[tuple[str, Word], ...]
    outcomes: tuple[Outcome, ...]
    failed: tuple[tuple[str, str], ...] = ()

    def lines(self) -> list[str]:
        """Return one sentence per person and one per change, in the language in use."""
        out = []
        for person, word in self.first:
            mine = [o for o in self.outcomes if o.person == person]
            text = _("Person {person}: {verdict}; the same after {held} of {total} re-shares.")
            held = sum(o.holds for o in mine)
            out.append(text.format(person=person, verdict=_word(word), held=held, total=len(mine)))
            out += [
                _("After “{chain}” ({steps}): {verdict}.").format(
                    chain=o.chain, steps=describe(o.chain), verdict=_word(o.verdict)
                )
                for o in mine
                if not o.holds
            ]
        out += [
            _("“{chain}” could not be tried: {why}").format(chain=chain, why=why)
            for chain, why in self.failed
        ]
        return out

    def to_dict(self) -> dict[str, Any]:
        """Return plain values."""
        plain: dict[str, Any] = json.loads(json.dumps(dataclasses.asdict(self)))
        return plain


def _word(word: Word) -> str:
    return {
        "forged": _("called forged"),
        "not_forged": _("not called forged"),
        "abstained": _("abstains"),
        "missing": _("person not found"),
    }[word]


def try_chains(
    report: Report,
    *,
    chains: Sequence[str] = CHAINS,
    detector: str | Detector | None = None,
    device: str = "auto",
    tick: Tick = no_tick,
) -> Robustness:
    """Send the clip of a report through re-share chains and judge it again each time.

    Parameters
    ----------
    report
        Of `analysis.analyse`; its clip is read again from `report.video.path`.
    chains
        See `media.reshare`.
    detector, device
        None = the detector of the report.
    tick
        Called with the stage ``"reshare_test"``, done and total in thousandths of a chain.

    Raises
    ------
    UsageError
        If a chain cannot be read; before anything is done.
    ModelError, DetectorError
        If the detector cannot be loaded.
    Cancelled
        If `tick` raises it.
    """
    for chain in chains:
        parse(chain)
    facts = report.settings["detector"]
    name = detector or registry.name_now(str(facts["name"]), str(facts["weights_sha256"]))
    judge = registry.load(name, device=device) if isinstance(name, str) else name
    sampling = Sampling(**report.settings["sampling"])
    outcomes: list[Outcome] = []
    failed: list[tuple[str, str]] = []
    with tempfile.TemporaryDirectory(prefix="doorzicht-") as folder:
        for number, chain in enumerate(chains):

            def within(stage: str, done: int, total: int, *, before: int = number) -> None:
                part = _PARTS.get(stage, (0, 0))
                here = part[0] + part[1] * min(done / total if total else 0.0, 1.0)
                tick("reshare_test", round(1000 * before + here), 1000 * len(chains))

            copy = Path(folder, "copy.mp4")
            try:
                reshare(report.video.path, copy, chain, tick=within)
                again = pipeline.analyse(
                    copy,
                    detector=judge,
                    sampling=sampling,
                    explain=False,
                    seed=int(report.settings["seed"]),
                    tick=within,
                )
            except VideoError as error:
                failed.append((chain, str(error)))
                continue
            outcomes += _outcomes(chain, report, again)
    tick("reshare_test", 1000 * len(chains), 1000 * len(chains))
    first = tuple((r.track.person, word_of(r.verdict)) for r in report.tracks)
    return Robustness(first, tuple(outcomes), tuple(failed))


_PARTS = {
    "reshare": (0, 300),
    "scan": (300, 270),
    "faces": (570, 220),
    "detect": (790, 200),
    "explain": (990, 10),
}
"""Where in a chain's thousand steps each stage begins, and how many it takes."""


def word_of(verdict: Verdict) -> Word:
    """Return a verdict as a word for programs."""
    if verdict.abstained or verdict.logit is None:
        return "abstained"
    return "forged" if verdict.is_fake else "not_forged"


def _outcomes(chain: str, report: Report, again: Report) -> list[Outcome]:
    pairs = match_persons(report, again)
    out = []
    for before in report.tracks:
        after = pairs.get(before.track.person)
        word: Word = "missing" if after is None else word_of(after.verdict)
        out.append(
            Outcome(
                chain=chain,
                person=before.track.person,
                verdict=word,
                logit=after.verdict.logit if after else None,
                threshold=before.verdict.threshold,
                reason_code=after.verdict.reason_code if after else None,
                holds=word == word_of(before.verdict),
            )
        )
    return out


def match_persons(report: Report, again: Report) -> dict[str, TrackResult]:
    """Return for each person of a report who it is in a re-share: by time, then by place.

    A re-share keeps the times and the order from left to right, but no coordinates.
    """
    scored = [
        (_alike(a, b, report.video.width, again.video.width), i, j)
        for i, a in enumerate(report.tracks)
        for j, b in enumerate(again.tracks)
    ]
    taken_a: set[int] = set()
    taken_b: set[int] = set()
    pairs: dict[str, TrackResult] = {}
    for score, i, j in sorted(scored, key=lambda s: (-s[0], s[1], s[2])):
        if score > 0 and i not in taken_a and j not in taken_b:
            pairs[report.tracks[i].track.person] = again.tracks[j]
            taken_a.add(i)
            taken_b.add(j)
    return pairs


def _alike(a: TrackResult, b: TrackResult, width_a: int, width_b: int) -> float:
    """Return the part of their time that two tracks share, less a little for another place."""
    both = sum(
        max(0.0, min(e, f) - max(s, t))
        for s, e in a.track.seen.tolist()
        for t, f in b.track.seen.tolist()
    )
    either = _seconds(a.track.seen) + _seconds(b.track.seen) - both
    if both <= 0 or either <= 0:
        return 0.0
    apart = abs(_centre(a, width_a) - _centre(b, width_b))
    return float(both / either) * (1 - 0.5 * min(apart, 1.0))


def _seconds(seen: NDArray[np.float64]) -> float:
    return float((seen[:, 1] - seen[:, 0]).sum())


def _centre(r: TrackResult, width: int) -> float:
    return float(np.median(r.track.boxes[:, 0] + r.track.boxes[:, 2] / 2)) / max(width, 1)
