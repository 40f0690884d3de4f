"""Errors raised on purpose: one class per mistake, each also the builtin a caller would expect.

Every message has three parts on one line: what is wrong, the value that was met, what to do.
``str(error)`` is English, for programs and logs; `ToolkitError.text` is for people.
"""

from __future__ import annotations

import string
from collections.abc import Iterable

from toolkit._i18n import N_
from toolkit.messages import Message, Value


class ToolkitError(Exception):
    """Base of all errors raised on purpose.

    Parameters
    ----------
    cause
        What is wrong, in a few words: a template of the catalogue, see `toolkit.messages`.
    value
        The value that was met, already safe to show; empty when there is none. Data, or a `phrase`
        when there are words in it.
    remedy
        What the user can do about it, a template; empty when there is nothing to do.
    **values
        What the templates name in braces.

    Attributes
    ----------
    parts : tuple
        Cause, value and remedy, to be said in the language in use with `messages.text_of`.

    Examples
    --------
    >>> str(ToolkitError("the file is too large", "a.mp4", "At most {n} GiB are read.", n=4))
    'the file is too large: a.mp4. At most 4 GiB are read.'
    """

    def __init__(
        self,
        cause: str | Message,
        value: str | Message = "",
        remedy: str | Message = "",
        /,
        **values: Value,
    ) -> None:
        self.parts = (_message(cause, values), value, _message(remedy, values))
        super().__init__(*self.parts)  # what pickling passes on

    @property
    def cause(self) -> str:
        """What is wrong, in English."""
        return str(self.parts[0])

    @property
    def value(self) -> str:
        """The value that was met, in English."""
        return str(self.parts[1])

    @property
    def remedy(self) -> str:
        """What the user can do about it, in English."""
        return str(self.parts[2])

    @property
    def message(self) -> Message:
        """The three parts on one line, also to be told within another message."""
        template = "{cause}: {value}" if self.value else "{cause}"
        template += ". {remedy}" if self.remedy else ""
        return Message("", template, dict(zip(("cause", "value", "remedy"), self.parts)))  # noqa: B905 - three and three

    def __str__(self) -> str:
        """Return the three parts on one line, in English."""
        return str(self.message)

    def text(self) -> str:
        """Return the three parts on one line, in the language in use."""
        return self.message.text()


def _message(said: str | Message, values: dict[str, Value]) -> Message:
    """Return a part of an error, with those of the values that it names."""
    if isinstance(said, Message):
        return said
    if not values:
        return Message("", said)
    named = {name for _text, name, _spec, _how in string.Formatter().parse(said)}
    return Message("", said, {name: value for name, value in values.items() if name in named})


class VideoError(ToolkitError, ValueError):
    """The file cannot be read as video."""


class ModelError(ToolkitError, RuntimeError):
    """A model file is missing, differs from its manifest, or does not answer as its card says."""


class FetchError(ToolkitError, OSError):
    """A file could not be obtained from any of its sources."""

    __str__ = ToolkitError.__str__  # OSError would print a tuple


class DetectorError(ToolkitError, LookupError):
    """There is no detector of that name, or it cannot do what was asked."""


class ShapeError(ToolkitError, ValueError):
    """An array does not have the shape, dtype or range that its documentation states."""


class UsageError(ToolkitError, ValueError):
    """A command or call was given options that do not fit together."""


class OutOfRangeError(UsageError):
    """A number, a moment or a stretch lies outside of what there is; the remedy names the range."""


class UnknownNameError(UsageError, LookupError):
    """There is no person, region, method, kind or question of that name.

    Parameters
    ----------
    cause, value, remedy, **values
        As for every error; ``{known}`` in the remedy stands for the names in `known`.
    known
        The names that there are, in the order in which to show them.

    Attributes
    ----------
    known : tuple of str
        To choose from; empty where there is nothing.

    Examples
    --------
    >>> error = UnknownNameError("unknown region", "ear", "Choose from {known}.", known=["mouth"])
    >>> str(error), error.known
    ('unknown region: ear. Choose from mouth.', ('mouth',))
    """

    def __init__(
        self,
        cause: str | Message,
        value: str | Message = "",
        remedy: str | Message = "",
        /,
        *,
        known: Iterable[str] = (),
        **values: Value,
    ) -> None:
        self.known = tuple(known)
        super().__init__(cause, value, remedy, known=", ".join(self.known), **values)


class Cancelled(ToolkitError):  # noqa: N818 - it is an answer to the user, not a failure
    """The user stopped the work."""

    def __init__(self) -> None:
        super().__init__(N_("cancelled"))

    def __reduce__(self) -> tuple[type[Cancelled], tuple[()]]:
        """Allow pickling although the constructor takes no arguments."""
        return type(self), ()


class ToolkitWarning(UserWarning):
    """Something was done differently from what was asked, and the result says how."""
