"""The text of a lesson: a TOML file with every sentence in Dutch and in English.

The files lie in ``notebooks/lessons``, one per notebook and of the same name, so that a teacher can
read and change them without reading code. A text is a table with `en` and `nl`; a missing or empty
language is an error when the file is read, not a gap that a class discovers.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path
from typing import Any, Literal, NoReturn

from toolkit import _i18n, models
from toolkit.errors import UnknownNameError, UsageError
from toolkit.types import REGIONS

FOLDER = models.ROOT / "notebooks" / "lessons"

Kind = Literal["choice", "many", "number", "region", "open"]
KINDS: tuple[Kind, ...] = ("choice", "many", "number", "region", "open")

_ID = re.compile(r"[a-z][a-z0-9_]*")
_STEM = re.compile(r"[0-9A-Za-z_]+")


@dataclass(frozen=True)
class Words:
    """One text in both languages; ``str(words)`` is the one in use."""

    en: str
    nl: str

    def __str__(self) -> str:
        """Return the text in the language in use."""
        return self.nl if _i18n.language() == "nl" else self.en


@dataclass(frozen=True)
class Item:
    """One step of the plan: how many minutes, and what happens."""

    minutes: int
    words: Words


@dataclass(frozen=True)
class Term:
    """One entry of the glossary."""

    term: Words
    meaning: Words


@dataclass(frozen=True)
class Option:
    """One answer to choose; `say` is a kind word about it, or None."""

    words: Words
    is_right: bool
    say: Words | None


@dataclass(frozen=True)
class Exercise:
    """A question with what is needed to check an answer to it.

    Attributes
    ----------
    id, kind, question
        What is asked and how it is answered.
    hint
        Shown after the first answer that is not right; None = nothing.
    why
        Shown with the right answer, or after the second that is not.
    options
        Of a ``choice`` or ``many``.
    number, within
        Right answer of a ``number`` and how far off is still right; None = known at run time only.
    regions
        Right answers of a ``region``, names out of `REGIONS`; empty = known at run time only.
    """

    id: str
    kind: Kind
    question: Words
    hint: Words | None
    why: Words
    options: tuple[Option, ...] = ()
    number: float | None = None
    within: float = 0.0
    regions: tuple[str, ...] = ()


@dataclass(frozen=True)
class LessonText:
    """Everything a lesson says; see the module's text for where it comes from."""

    stem: str
    minutes: int
    title: Words
    goals: tuple[Words, ...]
    plan: tuple[Item, ...]
    glossary: tuple[Term, ...]
    text: Mapping[str, Words]
    exercises: Mapping[str, Exercise]
    teacher: tuple[Words, ...]


def stems() -> list[str]:
    """Return the names of the lessons that there are, in order."""
    return sorted(path.stem for path in FOLDER.glob("*.toml"))


def read_lesson(stem: str, *, folder: Path | None = None) -> LessonText:
    """Read a lesson and check that it is complete in both languages.

    Parameters
    ----------
    stem
        Name of the notebook without its suffix, such as ``"06_spot_the_fake"``.
    folder
        Where the file lies; None = `FOLDER`.

    Raises
    ------
    UsageError
        If there is no such lesson, or it lacks something; the message says where.
    """
    if not _STEM.fullmatch(stem):
        raise UsageError("this is not the name of a lesson", repr(stem), "Letters, digits and _.")
    path = (folder or FOLDER) / f"{stem}.toml"
    try:
        content = tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise UnknownNameError(
            "there is no such lesson", stem, "Known: {known}.", known=stems()
        ) from error
    except (OSError, ValueError) as error:
        raise UsageError("the lesson cannot be read", f"{path.name}: {error}") from error
    return _Reader(path.name).lesson(stem, content)


class _Reader:
    """Turns what TOML gives into a lesson; every refusal names the place in the file."""

    def __init__(self, file: str) -> None:
        self._file = file

    def lesson(self, stem: str, found: Mapping[str, Any]) -> LessonText:
        known = {"minutes", "title", "goals", "plan", "glossary", "text", "exercises", "teacher"}
        if extra := sorted(set(found) - known):
            self._refuse(", ".join(extra), "unknown")
        minutes = self._whole(found.get("minutes"), "minutes")
        plan = tuple(
            Item(self._whole(i.get("minutes"), f"{at}.minutes"), self._words(i, at))
            for at, i in self._rows(found, "plan")
        )
        total = sum(item.minutes for item in plan)
        if total != minutes:
            self._refuse("plan", f"its steps take {total} minutes, the lesson {minutes}")
        exercises = [self._exercise(e, at) for at, e in self._rows(found, "exercises")]
        if len({e.id for e in exercises}) < len(exercises):
            self._refuse("exercises", "two have the same id")
        return LessonText(
            stem=stem,
            minutes=minutes,
            title=self._words(found.get("title"), "title"),
            goals=tuple(self._words(g, at) for at, g in self._rows(found, "goals")),
            plan=plan,
            glossary=tuple(
                Term(
                    self._words(t.get("term"), f"{at}.term"),
                    self._words(t.get("meaning"), f"{at}.meaning"),
                )
                for at, t in self._rows(found, "glossary")
            ),
            text={
                name: self._words(words, f"text.{name}")
                for name, words in dict(found.get("text") or {}).items()
            },
            exercises={e.id: e for e in exercises},
            teacher=tuple(self._words(t, at) for at, t in self._rows(found, "teacher")),
        )

    def _exercise(self, found: Mapping[str, Any], at: str) -> Exercise:
        identity, kind = found.get("id"), found.get("kind")
        if not isinstance(identity, str) or not _ID.fullmatch(identity):
            self._refuse(f"{at}.id", "lower-case letters, digits and _ are needed")
        at = f"exercises.{identity}"
        if kind not in KINDS:
            self._refuse(f"{at}.kind", f"choose one of {', '.join(KINDS)}")
        options = tuple(
            Option(
                self._words(o, f"{at}.{where}"), o.get("right") is True, self._maybe(o, "say", at)
            )
            for where, o in (self._rows(found, "options") if "options" in found else ())
        )
        right = sum(o.is_right for o in options)
        if kind in ("choice", "many"):
            if len(options) < 2 or right == len(options):
                self._refuse(f"{at}.options", "at least two are needed, and one that is not right")
            if kind == "choice" and right > 1:
                self._refuse(f"{at}.options", "only one may be right")
        elif options:
            self._refuse(f"{at}.options", f"an exercise of kind {kind} has none")
        answer = found.get("answer")
        regions: tuple[str, ...] = ()
        if kind == "region" and answer is not None:
            regions = tuple(answer)
            if not regions or not set(regions) <= set(REGIONS):
                self._refuse(f"{at}.answer", f"choose from {', '.join(REGIONS)}")
        return Exercise(
            id=str(identity),
            kind=kind,
            question=self._words(found.get("question"), f"{at}.question"),
            hint=self._maybe(found, "hint", at),
            why=self._words(found.get("why"), f"{at}.why"),
            options=options,
            number=float(answer) if kind == "number" and answer is not None else None,
            within=float(found.get("within", 0.0)),
            regions=regions,
        )

    def _rows(self, found: Mapping[str, Any], key: str) -> list[tuple[str, Mapping[str, Any]]]:
        rows = found.get(key)
        if not isinstance(rows, Sequence) or isinstance(rows, str) or not rows:
            self._refuse(key, "a list of tables is needed")
        return [(f"{key}[{number}]", row) for number, row in enumerate(rows)]

    def _words(self, found: Any, at: str) -> Words:
        texts = []
        for language in _i18n.LANGUAGES:
            text = found.get(language) if isinstance(found, Mapping) else None
            if not isinstance(text, str) or not text.strip():
                self._refuse(f"{at}.{language}", "a text is needed")
            texts.append(text.strip())
        return Words(*texts)

    def _maybe(self, found: Mapping[str, Any], key: str, at: str) -> Words | None:
        return self._words(found[key], f"{at}.{key}") if key in found else None

    def _whole(self, value: Any, at: str) -> int:
        if type(value) is not int or not 0 < value < 1000:
            self._refuse(at, "a whole number of minutes is needed")
        return int(value)

    def _refuse(self, at: str, why: str) -> NoReturn:
        raise UsageError("the lesson is not complete", f"{self._file}, {at}: {why}")


# -- a little markdown


def to_html(text: str) -> str:
    r"""Return running text as HTML: paragraphs, ``## `` headings, ``- `` lists, bold, code.

    Everything else is text, and escaped.

    Examples
    --------
    >>> to_html("A **seam**.\n\n- one\n- <two>")
    '<p>A <strong>seam</strong>.</p><ul><li>one</li><li>&lt;two&gt;</li></ul>'
    """
    out = []
    for block in re.split(r"\n\s*\n", text.strip()):
        lines = [line.strip() for line in block.splitlines()]
        if lines[0].startswith("## "):
            out.append(f"<h3>{_inline(lines.pop(0)[3:])}</h3>")
        prose = []
        items: list[str] = []
        for line in lines:
            if line.startswith("- "):
                items.append(line[2:])
            elif items:
                items[-1] += f" {line}"
            else:
                prose.append(line)
        if prose:
            out.append(f"<p>{_inline(' '.join(prose))}</p>")
        if items:
            out.append("<ul>" + "".join(f"<li>{_inline(i)}</li>" for i in items) + "</ul>")
    return "".join(out)


def _inline(text: str) -> str:
    safe = escape(text)
    safe = re.sub(r"`([^`]+)`", r"<code>\1</code>", safe)
    return re.sub(r"\*\*(.+?)\*\*", r"<strong>\1</strong>", safe)
