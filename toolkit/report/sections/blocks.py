"""What a report is made of: blocks, sections, the whole tree, and words that all of it uses."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from toolkit import figures
from toolkit._i18n import _
from toolkit.figures.charts import FigureTable
from toolkit.media.provenance import printable
from toolkit.types import Report

TEXT_MAX = 4000
"""Characters of a text by a person that are printed."""


@dataclass(frozen=True)
class Text:
    """A paragraph. `mark` is a sign beside a verdict, and `kind` how it looks."""

    text: str
    kind: Literal["plain", "note", "verdict", "warning"] = "plain"
    mark: str = ""


@dataclass(frozen=True)
class Items:
    """A list of sentences."""

    lines: tuple[str, ...]


@dataclass(frozen=True)
class Facts:
    """Labels and values."""

    pairs: tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class Grid:
    """A table; `is_long` ones are folded away on screen, and set small on paper."""

    table: FigureTable
    is_long: bool = False


@dataclass(frozen=True, repr=False)
class Figure:
    """A drawing or a picture.

    Attributes
    ----------
    name
        File name without folder: letters, digits, - and the suffix ``.svg`` or ``.png``.
    data
        Its bytes.
    alt, caption
        For those who cannot see it, and what stands below.
    is_styled
        Whether an SVG brings its own colours, or takes those of the page.
    """

    name: str
    data: bytes
    alt: str
    caption: str
    is_styled: bool = True


@dataclass(frozen=True)
class Play:
    """Where the player stands: the exhibit, and what is said where there is no player."""

    exhibit: str
    instead: str


@dataclass(frozen=True)
class Strip:
    """Pictures side by side."""

    figures: tuple[Figure, ...]


Block = Text | Items | Facts | Grid | Figure | Strip | Play


@dataclass(frozen=True)
class Section:
    """A heading with what stands below it.

    Attributes
    ----------
    ident
        Its id within a page: letters, digits and -.
    points
        Which of the 15 points stand here.
    """

    ident: str
    title: str
    blocks: tuple[Block, ...] = ()
    parts: tuple[Section, ...] = ()
    points: tuple[int, ...] = ()


FIRST_OPINION = "first-opinion"


@dataclass(frozen=True)
class ReportTree:
    """The tree, and those of its words that are also fields of `report.json`."""

    title: str
    sections: tuple[Section, ...]
    fields: dict[str, Any]

    @property
    def opening(self) -> int:
        """How many sections stand before the contents: the answer, and what the examiner thinks."""
        return sum(s.ident in ("summary", FIRST_OPINION) for s in self.sections)


@dataclass(frozen=True)
class Still:
    """A PNG of a revealed person: the face and its evidence side by side, and the moment.

    Or the whole picture at a moment, covered; then `at_s` is its second.
    """

    person: str
    position: int
    picture: bytes
    at_s: float | None = None


@dataclass(frozen=True)
class ExhibitFigures:
    """What belongs to an exhibit besides its facts: the report for figures, and covered stills.

    `key` is the whole picture at the strongest key frame, covered, for the first page.
    """

    report: Report
    stills: Sequence[Still] = ()
    has_video: bool = False
    container: tuple[tuple[str, str], ...] = ()
    signs: tuple[str, ...] = ()
    credentials: tuple[str, ...] = ()
    trust: tuple[tuple[str, str, str], ...] = ()
    reshares: tuple[str, ...] = ()
    key: Still | None = None
    extra: dict[str, Any] = field(default_factory=dict)


def disclaimer() -> str:
    """Return the sentence beside every attribution figure."""
    return _("Shows what the model used; it is not proof of manipulation.")


def unknown() -> str:
    """Return what is printed where nothing is known."""
    return _("not known")


def or_unknown(value: Any) -> str:
    """Return a value as text, or that it is not known."""
    return unknown() if value in {None, ""} else written(value)


def written(value: object) -> str:
    """Return a text by a person or from a file on one line, cut where it is too long."""
    return printable(value, most=TEXT_MAX)


def printed_lines(text: str) -> str:
    """Return a person's text, line by line, fit to be printed."""
    return "\n".join(written(line) for line in str(text).splitlines()[:200])


def when(utc: str | None) -> str:
    """Return a time as it is printed."""
    return unknown() if not utc else written(utc.replace("T", " ").replace("Z", " UTC"))


def signed_number(value: float | None, digits: int) -> str:
    """Return a number with its sign; a dash for None."""
    return "–" if value is None else figures.number(value, digits, signed=True)


def person_name(e: Mapping[str, Any], person: str, facts: Mapping[str, Any]) -> str:
    """Return what a person of an exhibit is called in the report."""
    text = _("Person {person}").format(person=person)
    return f"{e['id']}, {text}" if len(facts["exhibits"]) > 1 else text


def note_subject(note: Mapping[str, Any]) -> str:
    """Return what a note is about: exhibit, frames, time and regions."""
    parts = [note["exhibit"]] if note["exhibit"] else []
    if note["frames"]:
        spans = [str(a) if a == b else f"{a}–{b}" for a, b in note["frames"]]
        parts.append(_("frames {list}").format(list=", ".join(spans)))
    if note["interval_s"]:
        a, b = note["interval_s"]
        parts.append(f"{figures.clock(a)}–{figures.clock(b)}")
    parts += [figures.region_name(r) for r in note["regions"]]
    return ", ".join(parts) or "–"


def texts_of_notes(notes: Sequence[Mapping[str, Any]]) -> str:
    """Return notes with their authors, in one line."""
    told = [f"{printed_lines(n['text'])} ({written(n['by'] or '–')})" for n in notes]
    return "; ".join(told) or _("not stated")
