"""What the user knows to be genuine of a person: remembered, and held against the clip."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from html import escape
from typing import TYPE_CHECKING, Any

from toolkit import figures
from toolkit._i18n import N_, _
from toolkit.errors import ToolkitError, UsageError
from toolkit.media import show_name
from toolkit.storage.cache import Cache, CacheEntry
from toolkit.types import FaceCrops
from toolkit.widgets import html as fragments
from toolkit.widgets.workbench.gallery import analysed
from toolkit.widgets.workbench.state import Genuine, Memory

if TYPE_CHECKING:
    from toolkit.types import Examination
    from toolkit.verdict.comparison import Comparison

SAME_PLACE = 0.75
"""Of the side of a face's square: farther apart at one moment, two faces are two persons."""

NO_LONGER_KEPT = N_("the clip that is known to be genuine is no longer kept")
JUDGED_ELSEWHERE = N_("the clip that is known to be genuine was judged by another detector")


@dataclass(frozen=True, eq=False)
class Known:
    """Faces of a person of an examination that the user called genuine."""

    examination: Examination
    person: str
    faces: FaceCrops


class KnownGenuine:
    """What is known to be genuine of one person at a time, and how that compares.

    Parameters
    ----------
    cache
        Where other clips are found.
    memory
        Where it is kept what the user said.
    on_known
        Called with the faces that are known now; with None when that does not hold any more.

    Attributes
    ----------
    said
        What the user said, or None.
    comparison
        The person held against it; None where there is nothing, or it cannot serve.
    is_written
        Whether the last thing that was said could be kept on disk.
    """

    def __init__(
        self, cache: Cache, memory: Memory, on_known: Callable[[Known | None], None]
    ) -> None:
        self._cache, self._memory, self._on_known = cache, memory, on_known
        self._examination: Examination | None = None
        self._person = ""
        self._known: Known | None = None
        self._why_not: ToolkitError | None = None  # what the user said cannot serve
        self.said: Genuine | None = None
        self.comparison: Comparison | None = None
        self.is_written = True

    def retranslate(self, said: Genuine | None) -> None:
        """Take what the user says is genuine, or None that nothing is, and remember it.

        Raises
        ------
        ToolkitError
            If it cannot serve; what was said before stays.
        """
        mine, person = self._examination, self._person
        if mine is None or not person:
            return
        held = self._hold_against(said, mine, person)
        if self._examination is not mine or self._person != person:
            return  # another result came meanwhile; this was not said of it
        self.said = None if said is None else _placed(said, mine, person)
        self._why_not = None
        clip = mine.report.video.sha256
        self.is_written = self._memory.write_genuine(clip, person, self.said)
        self._take(*held)

    def recall(self, examination: Examination | None, person: str) -> None:
        """Take up what was known of a person when the clip was last looked at."""
        self._examination, self._person = examination, person
        self.said = self._why_not = None
        held: tuple[Comparison | None, Known | None] = (None, None)
        if examination is not None and person:
            self.said = self._memory.genuine(examination.report.video.sha256).get(person)
            try:
                held = self._hold_against(self.said, examination, person)
                if self.said is not None and not _is_same(self.said, examination, person):
                    problem = "this was said of somebody else, who had the same letter then"
                    raise UsageError(problem, "", "Say it again of the right person.")
            except ToolkitError as error:
                held, self._why_not = (None, None), error
        self._take(*held)

    def _take(self, comparison: Comparison | None, known: Known | None) -> None:
        self.comparison = comparison
        if known is not self._known:
            self._known = known
            self._on_known(known)

    def _hold_against(
        self, said: Genuine | None, mine: Examination, person: str
    ) -> tuple[Comparison | None, Known | None]:
        """Hold a person against what is known to be genuine.

        Raises
        ------
        ToolkitError
            If it cannot serve: too few seconds, or a clip that is not kept any more.
        """
        if said is None:
            return None, None
        from toolkit.analysis import pipeline
        from toolkit.verdict import comparison

        other, span = None, None if said.clip else (said.start_s, said.end_s)
        if said.clip:
            kept = analysed(self._cache, most=None)
            entries: list[CacheEntry] = [e for e in kept if e.card["sha256"] == said.clip]
            detector = mine.report.settings["detector"]["name"]
            entry = next((e for e in entries if e.card["detector"] == detector), None)
            other = pipeline.reopen(self._cache, entry.name) if entry else None
            if other is None:
                problem = JUDGED_ELSEWHERE if entries and entry is None else NO_LONGER_KEPT
                remedy = "Analyse it again, with this detector."
                raise UsageError(problem, show_name(said.name), remedy)
        compared = comparison.compare(mine, other, seconds=span, person=person)
        faces = comparison.known_faces(mine, other, seconds=span, person=person)
        return compared, Known(mine, person, faces)

    @property
    def findings(self) -> list[str]:
        """What the comparison found, as sentences."""
        return figures.comparison_sentences(self.comparison) if self.comparison else []

    def html(self) -> str:
        """Return all that is to be said of it, in the language in use; empty = nothing."""
        lines = self.findings
        if self.said is not None:
            lines.insert(0, _what_is_known(self.said))
            if self._why_not is not None:
                lines.append(fragments.sentence(self._why_not))
        if self._known is not None:
            lines.append(
                _("Under “Ask”, the second witness tries these faces first as its reference.")
            )
        aside = self._memory.set_aside
        if aside is not None and aside.parent != self._memory.folder:
            text = _("What the panel remembered could not be read. It was set aside as {file}.")
            lines.append(text.format(file=aside))
        text = self._strip() + "".join(f"<p>{escape(line)}</p>" for line in lines)
        return f'<div class="dz-box" role="status">{text}</div>' if text else ""

    def _strip(self) -> str:
        """Return the difference among those of genuine recordings, drawn."""
        if self.comparison is None or self._examination is None:
            return ""
        from toolkit.verdict import comparison

        detector = self._examination.report.settings["detector"]
        halves = comparison.find(str(detector["name"]), str(detector["weights_sha256"]))
        return "" if halves is None else figures.comparison_svg(self.comparison, halves.apart)


def _what_is_known(said: Genuine) -> str:
    if said.clip:
        return _("You said that {clip} is genuine.").format(clip=show_name(said.name))
    start, end = (figures.clock(t, 1) for t in (said.start_s, said.end_s))
    text = _("You said that this clip is genuine from {start} to {end}.")
    return text.format(start=start, end=end)


def _placed(said: Genuine, examination: Examination, person: str) -> Genuine:
    """Return what was said, with where the person was in the middle of the track."""
    crops, pts = examination.crops[person], _pts(examination, person)
    middle = len(pts) // 2
    x, y = _centre(crops, middle)
    return replace(said, at_s=float(pts[middle]), x=x, y=y)


def _is_same(said: Genuine, examination: Examination, person: str) -> bool:
    """Return whether the person was where the one was of whom it was said, about that moment."""
    crops, pts = examination.crops[person], _pts(examination, person)
    nearest = int(abs(pts - said.at_s).argmin())
    x, y = _centre(crops, nearest)
    side = crops.rgb.shape[1] * math.hypot(*crops.crop_to_frame[nearest][:, 0])
    return bool(math.hypot(x - said.x, y - said.y) < SAME_PLACE * side)


def _pts(examination: Examination, person: str) -> Any:
    return next(r.track.pts for r in examination.report.tracks if r.track.person == person)


def _centre(crops: FaceCrops, row: int) -> tuple[float, float]:
    half = crops.rgb.shape[1] / 2
    x, y = crops.crop_to_frame[row] @ (half, half, 1.0)
    return float(x), float(y)
