"""What the toolkit says to people: a sentence that is kept as a template and its values.

A `Message` is written where the thing happens, by any floor, in English; it is said where somebody
reads it, in their language, and nobody has to guess from a finished sentence what it was.

How to add one
--------------
1. Write the English sentence as a *template*: one literal string, values in braces, never an
   f-string. Format numbers in the template, so that each language can write its own decimal sign::

       Notice("turned", "Faces were only found after {angle} degrees.", values={"angle": 90})
       UsageError("the strength is out of range", f"{strength}", "Use 0 to {most}.", most=3)
       phrase("{n} of {total} frames", n=3, total=9)  # words inside the value of an error

   The second argument of an error is *data* (a path, a number) and shown as it is; if there are
   words in it, make it a `phrase`. A template that waits in a table or a variable is marked there
   with `toolkit._i18n.N_`.
2. Run ``python -m tests.catalogue``: it collects all templates into ``toolkit/locale``.
3. Write the Dutch into ``toolkit/locale/nl/LC_MESSAGES/toolkit.po`` (plain, "je", the same names in
   braces) and run the command again: it compiles the catalogue.

`tests/test_messages.py` reads the source and names what is missing.
"""

from __future__ import annotations

import re
import string
import unicodedata
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from toolkit._i18n import _, language

_SPEC = re.compile(r"[,.0-9]{0,5}[defgs%]?")
"""What a template may ask of a number: templates also come back from files of a case."""


_HIDDEN = frozenset({"Cc", "Cf", "Cs", "Zl", "Zp"})
"""Kinds of characters that steer a terminal or the direction of a line, or stand for nothing."""


def shown(text: str, *, but: str = "") -> str:
    r"""Return a text with what steers instead of showing as its ``\u`` escape.

    Control and direction characters, line ends and halves of characters; `but` names those that
    may stay. Escaping for HTML is up to whoever writes HTML.

    Examples
    --------
    >>> shown("a\x1b[2Jb\u202ec")
    'a\\u001b[2Jb\\u202ec'
    >>> shown("two\nlines", but="\n")
    'two\nlines'
    """
    if text.isprintable():
        return text
    return "".join(
        _escape(c) if c not in but and unicodedata.category(c) in _HIDDEN else c for c in text
    )


def _escape(character: str) -> str:
    code = ord(character)
    return f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"


@dataclass(frozen=True)
class Message:
    """A sentence, or a part of one, with its values.

    Attributes
    ----------
    code
        Stable word for programs, such as ``"face_too_small"``; empty for a part of a sentence.
    template
        English, with the names of `values` in braces.
    values
        Numbers, texts that are shown as they are, or further messages.

    Examples
    --------
    >>> str(Message("face_too_small", "It is {value:.1f} px wide.", {"value": 41.04}))
    'It is 41.0 px wide.'
    """

    code: str
    template: str
    values: Mapping[str, Value] = field(default_factory=dict)

    def __post_init__(self) -> None:
        # numpy's numbers become Python's: they are stored and sent to other processes
        plain = {k: v.item() if hasattr(v, "item") else v for k, v in self.values.items()}
        object.__setattr__(self, "values", plain)

    def __hash__(self) -> int:
        return hash((self.code, self.template))

    def __str__(self) -> str:
        """Return the English sentence."""
        return _fill(self.template, self.values, _English())

    def text(self) -> str:
        """Return the sentence in the language in use, with numbers as that language writes them."""
        template = _(self.template) if self.template else ""
        return _fill(template, self.values, _Dutch() if language() == "nl" else _English())

    def to_plain(self) -> dict[str, Any]:
        """Return plain values, ready for JSON; `from_plain` makes the same of them again."""
        values = {k: v.to_plain() if isinstance(v, Message) else v for k, v in self.values.items()}
        return {"code": self.code, "template": self.template, "values": values}

    @classmethod
    def from_plain(cls, plain: Any) -> Message:
        """Return the message that was stored as plain values.

        Parameters
        ----------
        plain
            A mapping of the three fields, or the finished English sentence that files of earlier
            versions hold: it stays English.

        Raises
        ------
        ValueError
            If it is neither.
        """
        if isinstance(plain, str):
            return cls("", shown(plain, but="\n"))
        if not isinstance(plain, Mapping) or not isinstance(plain.get("values", {}), Mapping):
            msg = f"{type(plain).__name__} is no message"
            raise ValueError(msg)
        template = shown(str(plain["template"]), but="\n")
        return cls(str(plain["code"]), template, _values(plain.get("values", {})))


Value = float | int | str | Message


def phrase(template: str, /, **values: Value) -> Message:
    """Return a part of a sentence, for the value of an error or of another message.

    Examples
    --------
    >>> str(phrase("{n} of {total} frames", n=3, total=9))
    '3 of 9 frames'
    """
    return Message("", template, values)


def joined(parts: Iterable[str | Message], mark: str = "; ") -> Message:
    """Return messages and data in a row, with a mark between them.

    Examples
    --------
    >>> str(joined(["a.mp4", phrase("{n} frames", n=3)]))
    'a.mp4; 3 frames'
    """
    values = {f"part{number}": part for number, part in enumerate(parts)}
    return Message("", mark.join(f"{{{name}}}" for name in values), values)


def text_of(said: object) -> str:
    """Return a message, or an error that holds one, in the language in use; data as they are."""
    text = getattr(said, "text", None)
    return str(text()) if callable(text) else str(said)


class Typeset(float):
    """A number that is typeset in every language: a minus sign, and a space before per cent."""

    __slots__ = ()

    def __format__(self, spec: str) -> str:
        return super().__format__(spec).replace("-", "−").replace("%", " %")


class _English(string.Formatter):
    """Puts values into a template: names only, so that a stored template can do no harm."""

    def get_field(self, field_name: str, _args: Any, kwargs: Mapping[str, Any]) -> tuple[Any, str]:
        return kwargs[field_name], field_name

    def format_field(self, value: Any, format_spec: str) -> str:
        if isinstance(value, Message):
            return self.part(value)
        if not _SPEC.fullmatch(format_spec):
            raise ValueError(format_spec)
        if isinstance(value, str):  # a text stands in for a number that is not known
            return shown(value)
        return self.number(format(value, format_spec))

    def part(self, message: Message) -> str:
        return str(message)

    def number(self, text: str) -> str:
        return text


class _Dutch(_English):
    def part(self, message: Message) -> str:
        return message.text()

    def number(self, text: str) -> str:
        text = re.sub(r"(?<=\d)%", " %", text.replace("-", "−"))
        return text.translate({ord(","): ".", ord("."): ","})


def _fill(template: str, values: Mapping[str, Value], writer: _English) -> str:
    """Return the template with its values, or as it is: to complain of it would hide what it says.

    A text without values is shown to the letter, braces and all.
    """
    if not values:
        return template
    try:
        return writer.vformat(template, (), values)
    except (LookupError, ValueError, TypeError):
        return template


def _values(plain: Mapping[str, Any]) -> dict[str, Value]:
    values: dict[str, Value] = {}
    for name, value in plain.items():
        if isinstance(value, Mapping):
            values[str(name)] = Message.from_plain(value)
        elif isinstance(value, bool) or not isinstance(value, float | int | str):
            msg = f"{type(value).__name__} is no value of a message"
            raise ValueError(msg)
        else:
            values[str(name)] = value
    return values
