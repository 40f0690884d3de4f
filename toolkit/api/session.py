"""Questions to one person's verdict: what happens when a region is replaced, and who says what."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from toolkit.api.answers import Replacement, Trust, Witnesses
from toolkit.errors import OutOfRangeError, UnknownNameError, UsageError
from toolkit.figures import inquiry as words
from toolkit.messages import joined, phrase
from toolkit.types import PLAYERS, Tick

if TYPE_CHECKING:
    from toolkit.api.result import Analysis
    from toolkit.explain.session import Subject

NEAR_S = 0.5
"""How far beside a stretch on screen a moment may be asked for."""

Progress = Callable[[], AbstractContextManager[Tick]]


class ExplanationSession:
    """One person's verdict, ready to be questioned; what was answered once costs nothing again.

    Made by `toolkit.explain`. Every question is about the judged moment that lies nearest to
    `at_seconds`; without it, about the one that carries most of the verdict.

    Attributes
    ----------
    person
        Letter of the person.
    subject
        The same in the toolkit's own terms (`toolkit.explain.session.Subject`).
    """

    def __init__(
        self,
        analysis: Analysis,
        person: str | None,
        *,
        donors: Sequence[Path] | None,
        progress: Progress,
    ) -> None:
        from toolkit import samples
        from toolkit.explain import session as inquire

        decisive = analysis.decisive
        letter = person or (decisive.letter if decisive else "")
        if not letter and len(analysis):
            letter = analysis.persons[0].letter
        chosen = analysis[letter]
        self._progress = progress
        with progress() as tick:
            examination = analysis.read_faces(tick=tick)
        detector = analysis.settings.detector
        clips = samples.donor_clips(analysis.video.sha256) if donors is None else tuple(donors)
        self.person = chosen.letter
        self.subject: Subject = inquire.Subject(
            examination,
            chosen.letter,
            detector=None if isinstance(detector, str) else detector,
            donors=clips,
            seed=analysis.settings.seed,
        )

    @property
    def on_screen(self) -> tuple[tuple[float, float], ...]:
        """The stretches in which this person can be asked about, in seconds."""
        return tuple((a, b) for a, b in self.subject.result.track.seen.tolist())

    def replace(self, *regions: str, at_seconds: float | None = None) -> Replacement:
        """Replace regions of a frame by those of a genuine one, and judge it again.

        Parameters
        ----------
        *regions
            Names from `toolkit.REGIONS`; at least one.
        at_seconds
            When in the video.

        Returns
        -------
        Replacement
            Logit before and after, and the picture. Where no reference passes its tests there is
            neither, and it says why.

        Raises
        ------
        UnknownNameError
            If there is no such region; the error lists them.
        OutOfRangeError
            If this person is not on screen then; the error says when.
        """
        if unknown := [name for name in regions if name not in PLAYERS]:
            name = str(unknown[0])[:40]
            raise UnknownNameError(
                "there is no such region", name, "Known: {known}.", known=PLAYERS
            )
        if not regions:
            known = ", ".join(PLAYERS)
            raise UsageError("nothing to replace", "", "Name regions: {known}.", known=known)
        row = self._row(at_seconds)
        subject = self.subject
        with self._progress() as tick:
            choice = subject.choice(row, tick=tick)
        composite = subject.replace(row, regions)
        if composite is None:
            sentence = words.no_reference_sentence(choice)
        else:
            sentence = words.composite_sentence(composite, subject.threshold)
        return Replacement(
            person=self.person,
            regions=tuple(p for p in PLAYERS if p in regions),
            row=row,
            at_seconds=float(subject.result.track.pts[row]),
            before=float(subject.logits[row]),
            after=composite.logit if composite else None,
            threshold=subject.threshold,
            picture=composite.rgb if composite else None,
            original=subject.crops.rgb[row],
            reference=choice.reference.kind if choice.reference else None,
            _sentence=sentence,
        )

    def witnesses(self, at_seconds: float | None = None, *, exact: bool = False) -> Witnesses:
        """Ask both explanations about a frame: the network's own sum, and the intervention.

        Parameters
        ----------
        at_seconds
            When in the video.
        exact
            Try all 1,024 combinations of regions instead of a sample with an error bar.
        """
        row = self._row(at_seconds)
        with self._progress() as tick:
            answer = self.subject.ask(row, exact=exact, tick=tick)
        return Witnesses(self.person, self.subject.threshold, answer)

    def trust(self, at_seconds: float | None = None) -> Trust:
        """Test how far the explanation of a frame can be trusted; about a minute on a CPU."""
        row = self._row(at_seconds)
        with self._progress() as tick:
            panel = self.subject.trust(row, tick=tick)
        return Trust(self.person, float(self.subject.result.track.pts[row]), panel)

    def changes(self) -> list[str]:
        """Return in sentences what would turn the verdict: frames and regions. Costs nothing."""
        return words.change_sentences(self.subject.result, self.subject.change())

    def _row(self, at_seconds: float | None) -> int:
        from toolkit.explain import session as inquire

        if at_seconds is None:
            return inquire.strongest(self.subject.result)
        at = _seconds(at_seconds)
        if not any(a - NEAR_S <= at <= b + NEAR_S for a, b in self.on_screen):
            raise OutOfRangeError(
                "person {person} is not on screen then",
                f"{at:.2f} s",
                "Allowed: {stretches} s.",
                person=self.person,
                stretches=joined(
                    (phrase("{start:.2f} to {end:.2f}", start=a, end=b) for a, b in self.on_screen),
                    ", ",
                ),
            )
        return int(np.abs(self.subject.result.track.pts - at).argmin())

    def __repr__(self) -> str:
        n = len(self.subject.result.track.pts)
        name = self.subject.report.settings["detector"]["name"]
        return f"ExplanationSession(person {self.person}, {n} moments, {name})"[:120]


def _seconds(value: Any) -> float:
    try:
        seconds = float(value)
    except (TypeError, ValueError):
        seconds = float("nan")
    if not np.isfinite(seconds):
        raise OutOfRangeError("this is no moment", repr(value)[:40], "Give seconds, such as 4.2.")
    return seconds
