"""What is known while the analysis still runs: who was found, and the evidence so far."""

from __future__ import annotations

from html import escape
from itertools import pairwise
from typing import TYPE_CHECKING

import ipywidgets
import numpy as np

from toolkit._i18n import _, ngettext
from toolkit.figures.pictures import data_address
from toolkit.figures.sentences import ahead_sentence

if TYPE_CHECKING:
    from toolkit.analysis.pipeline import Partial, PersonSoFar

_WIDTH, _HEIGHT, _EDGE = 600, 72, 6


class LiveView(ipywidgets.HTML):  # type: ignore[misc]  # ipywidgets ships no types
    """What is known so far; hidden before there is anything, and after."""

    def __init__(self) -> None:
        super().__init__(layout={"display": "none"})
        self.add_class("dz-live")
        self._partial: Partial | None = None

    def show(self, partial: Partial | None) -> None:
        """Show what is known so far; None shows nothing."""
        self._partial = partial
        self.retranslate()

    def retranslate(self) -> None:
        """Say everything in the language in use."""
        self.value = so_far(self._partial) if self._partial else ""
        self.layout.display = None if self._partial else "none"


def so_far(partial: Partial) -> str:
    """Return what is known so far as HTML; a sentence says what each curve shows."""
    n = len(partial.persons)
    if not n:
        found = _("No face was found.")
    else:
        found = ngettext("{n} person was found.", "{n} persons were found.", n).format(n=n)
    note = _("Not a verdict yet: the evidence is still being read.")
    ahead = ahead_sentence(partial.faces_ahead, partial.seconds_ahead)
    wait = f'<p class="dz-note dz-ahead" role="status">{escape(ahead)}</p>' if ahead else ""
    people = "".join(_person(partial, person) for person in partial.persons if person.person)
    return f'<p class="dz-note">{escape(found)} {escape(note if n else "")}</p>{wait}{people}'


def _person(partial: Partial, person: PersonSoFar) -> str:
    name = escape(_("Person {person}").format(person=person.person))
    done, total = len(person.logits), len(person.pts)
    words = _("{done} of {total} moments judged").format(done=done, total=total)
    if done:
        above = int((person.logits >= partial.threshold).sum())
        words += ", " + _("{n} of them above the threshold").format(n=above)
    face = ""
    if person.face is not None:
        face = f'<img src="{data_address(person.face[::2, ::2])}" alt="" width="56" height="56">'
    return (
        f'<div class="dz-so-far">{face}<div><b>{name}</b> <span>{escape(words)}</span>'
        f"{_curve(partial, person)}</div></div>"
    )


def _curve(partial: Partial, person: PersonSoFar) -> str:
    """Draw the evidence so far over the length of the clip, against the threshold."""
    end = max(partial.video.duration_s, 0.1)
    start = float(partial.video.pts[0])
    done = len(person.logits)
    values = [partial.threshold - 1, partial.threshold + 1, *person.logits.tolist()]
    low, high = min(values), max(values)

    def x(t: float) -> float:
        return float((t - start) / end * _WIDTH)

    def y(v: float) -> float:
        return float(_EDGE + (high - v) / (high - low) * (_HEIGHT - 2 * _EDGE))

    parts = [
        f'<rect class="dz-seen" x="{x(a):.1f}" y="0" width="{max(1.0, x(b) - x(a)):.1f}" '
        f'height="{_HEIGHT}"/>'
        for a, b in person.seen.tolist()
    ]
    level = y(partial.threshold)
    parts.append(f'<line class="dz-level" x1="0" x2="{_WIDTH}" y1="{level:.1f}" y2="{level:.1f}"/>')
    breaks = [0, *(np.flatnonzero(np.diff(person.shots[:done])) + 1).tolist(), done]
    for a, b in pairwise(breaks):
        pairs = zip(person.pts[a:b].tolist(), person.logits[a:b].tolist(), strict=True)
        points = " ".join(f"{x(t):.1f},{y(v):.1f}" for t, v in pairs)
        parts.append(f'<polyline class="dz-line" points="{points}"/>')
    label = escape(_("Evidence so far; the dashed line is the threshold"))
    return (
        f'<svg viewBox="0 0 {_WIDTH} {_HEIGHT}" preserveAspectRatio="none" role="img" '
        f'aria-label="{label}" height="{_HEIGHT}">{"".join(parts)}</svg>'
    )
