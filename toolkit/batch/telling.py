"""How far a batch is and what came of it, in sentences."""

from __future__ import annotations

import sys
import time

from toolkit._i18n import _, ngettext
from toolkit.batch.run import BatchPosition
from toolkit.jobs import TerminalLine

UNWATCHED_EVERY_S = 30.0
"""How often progress is told where it cannot be rewritten in place, as in a log file."""


def length(seconds: float) -> str:
    """Return a rough length of time.

    Examples
    --------
    >>> length(40), length(600), length(30000)
    ('40 s', '10 min', '8 h 20 min')
    """
    if seconds < 90:
        return _("{n} s").format(n=max(1, round(seconds)))
    minutes = round(seconds / 60)
    if minutes < 120:
        return _("{n} min").format(n=minutes)
    return _("{h} h {m} min").format(h=minutes // 60, m=minutes % 60)


def position(progress: BatchPosition) -> str:
    """Return how far it is, on one line."""
    parts = [_("{done} of {total} clips").format(done=progress.done, total=progress.total)]
    if progress.forged:
        parts.append(_("{n} called forged").format(n=progress.forged))
    odd = sum(count for status, count in progress.counts.items() if status != "analysed")
    if odd:
        parts.append(_("{n} without a result").format(n=odd))
    if progress.done < progress.total:
        if progress.workers == 0:
            parts.append(_("waiting for workers"))
        elif progress.left_s is not None:
            parts.append(_("about {left} left").format(left=length(progress.left_s)))
    return ", ".join(parts)


def closing(progress: BatchPosition) -> list[str]:
    """Return what came of it, a sentence a line."""
    counts = progress.counts
    judged = ngettext("{n} clip was judged.", "{n} clips were judged.", counts["analysed"])
    lines = [judged.format(n=counts["analysed"])]
    lines.append(_("Called forged: {n}.").format(n=progress.forged))
    for status, text in (
        ("refused", _("Refused, because they cannot be read as video: {n}.")),
        ("failed", _("Failed: {n}. --again tries them once more.")),
        ("timed_out", _("Took too long: {n}. --again with a longer --timeout tries them.")),
    ):
        if counts[status]:
            lines.append(text.format(n=counts[status]))
    if progress.known:
        lines.append(_("Known from before: {n}.").format(n=progress.known))
    if progress.saved_s >= 1:
        text = _("The cache saved about {length} of work.")
        lines.append(text.format(length=length(progress.saved_s)))
    if progress.done < progress.total:
        left = progress.total - progress.done
        text = _("Not judged yet: {n}. The same command goes on from here.")
        lines.append(text.format(n=left))
    return lines


class ProgressLine:
    """One line on a terminal, rewritten in place; where nobody watches, a line now and then."""

    def __init__(self) -> None:
        self._line = TerminalLine()
        self._written, self._written_at = "", time.monotonic()

    def __call__(self, progress: BatchPosition) -> None:
        """Say how far it is."""
        text = position(progress)
        if sys.stderr.isatty():
            self._line.say(text)
        elif text != self._written and time.monotonic() - self._written_at >= UNWATCHED_EVERY_S:
            self._written, self._written_at = text, time.monotonic()
            self._line.write(text)

    def __enter__(self) -> ProgressLine:
        return self

    def __exit__(self, *error: object) -> None:
        self._line.__exit__(*error)
