"""Errors raised on purpose: one class per mistake, each also the builtin a caller would expect.

Every message has three parts on one line: what is wrong, the value that was met, what to do.
Exception text stays English; interfaces translate what they show.
"""

from __future__ import annotations


class ToolkitError(Exception):
    """Base of all errors raised on purpose.

    Parameters
    ----------
    cause
        What is wrong, in a few words.
    value
        The value that was met, already safe to show; empty when there is none.
    remedy
        What the user can do about it; empty when there is nothing to do.
    """

    def __init__(self, cause: str, value: str = "", remedy: str = "") -> None:
        self.cause, self.value, self.remedy = cause, value, remedy
        super().__init__(cause, value, remedy)

    def __str__(self) -> str:
        """Return the three parts on one line."""
        head = f"{self.cause}: {self.value}" if self.value else self.cause
        return f"{head}. {self.remedy}" if self.remedy else head


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


class UnknownNameError(UsageError, LookupError):
    """There is no person, region or setting of that name; the remedy lists those there are."""


class OutOfRangeError(UsageError):
    """A moment lies where there is nothing; the remedy gives the seconds that are allowed."""


class Cancelled(ToolkitError):  # noqa: N818 - it is an answer to the user, not a failure
    """The user stopped the work."""

    def __init__(self) -> None:
        super().__init__("cancelled")

    def __reduce__(self) -> tuple[type[Cancelled], tuple[()]]:
        """Allow pickling although the constructor takes no arguments."""
        return type(self), ()


class ToolkitWarning(UserWarning):
    """Something was done differently from what was asked, and the result says how."""
