"""What a notebook shows of an answer: HTML that needs no script, no colour and no light page.

Everything is drawn in the colour of the text around it, so it reads the same on a dark page, in
black and white, and to the colour-blind: signs and shapes tell, never a colour alone. All text is
escaped.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Sequence
from html import escape
from typing import Any

import numpy as np
from numpy.typing import NDArray

from toolkit import _i18n, figures
from toolkit._i18n import _, ngettext
from toolkit.figures.pictures import data_address
from toolkit.media import show_name
from toolkit.report import charts_svg
from toolkit.types import FaceCrops, Report, TrackResult

FACES_SHOWN = 4
"""Persons on the card; the others are folded away."""

_STYLE = """
.dz-card { max-width: 60rem; line-height: 1.45; overflow-wrap: anywhere; }
.dz-card .dz-head { border: 1px solid; border-left-width: .4rem; padding: .5rem .8rem; }
.dz-card .dz-head strong { font-size: 1.1em; }
.dz-card p { margin: .3rem 0; } .dz-card .dz-small { font-size: .88em; opacity: .8; }
.dz-card .dz-who { display: flex; gap: .8rem; align-items: flex-start; margin: .8rem 0 .2rem; }
.dz-card .dz-who img, .dz-card .dz-pair img { width: 96px; height: 96px; border: 1px solid; }
.dz-card .dz-pair { display: flex; flex-wrap: wrap; gap: 1rem; margin: .5rem 0; }
.dz-card .dz-pair img { width: 168px; height: 168px; } .dz-card figure { margin: 0; }
.dz-card figcaption { font-size: .88em; max-width: 168px; }
.dz-card svg { display: block; width: 100%; max-width: 55rem; height: auto; }
.dz-card svg text { fill: currentColor; font: 12px system-ui, sans-serif; }
.dz-card .axis { stroke: currentColor; opacity: .25; }
.dz-card .ink { stroke: currentColor; fill: none; }
.dz-card .for { fill: currentColor; } .dz-card .shade { fill: currentColor; opacity: .15; }
.dz-card .against { fill: none; stroke: currentColor; }
.dz-card table { border-collapse: collapse; font-variant-numeric: tabular-nums; }
.dz-card th, .dz-card td { padding: .1rem .7rem; border-bottom: 1px solid; text-align: right; }
.dz-card th:first-child, .dz-card td:first-child { text-align: left; }
"""


def notebook() -> int | None:
    """Return the number of the notebook cell that runs, or None outside of a notebook.

    Nothing is imported to find out: without IPython there is no notebook.
    """
    interactive = sys.modules.get("IPython")
    shell: Any = interactive.get_ipython() if interactive else None
    if getattr(shell, "kernel", None) is None:
        return None
    return int(shell.execution_count)


def wrap(*parts: str) -> str:
    """Return a card of HTML parts, in the language in use."""
    body = "".join(parts)
    return f'<div class="dz-card" lang="{_i18n.language()}"><style>{_STYLE}</style>{body}</div>'


def lines(texts: Iterable[str], *, small: bool = False) -> str:
    """Return paragraphs of plain text."""
    kind = ' class="dz-small"' if small else ""
    return "".join(f"<p{kind}>{escape(text)}</p>" for text in texts)


def head(sign: str, sentence: str) -> str:
    """Return the sentence that matters most, in a frame, with a sign before it."""
    return (
        f'<div class="dz-head"><span aria-hidden="true">{escape(sign)}</span> '
        f"<strong>{escape(sentence)}</strong></div>"
    )


def table(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Return a card with a table of plain text."""
    top = "".join(f'<th scope="col">{escape(name)}</th>' for name in heads)
    body = "".join(
        "<tr>" + "".join(f"<td>{escape(cell)}</td>" for cell in row) + "</tr>" for row in rows
    )
    return wrap(f"<table><thead><tr>{top}</tr></thead><tbody>{body}</tbody></table>")


def pictures(shown: Iterable[tuple[NDArray[np.uint8], str]]) -> str:
    """Return RGB pictures (H, W, 3) uint8 beside each other, each with its caption."""
    figures_ = "".join(
        f'<figure><img src="{data_address(rgb)}" alt="{escape(caption)}">'
        f"<figcaption>{escape(caption)}</figcaption></figure>"
        for rgb, caption in shown
    )
    return f'<div class="dz-pair">{figures_}</div>'


def analysis(report: Report, crops: dict[str, FaceCrops] | None) -> str:
    """Return the card of an analysis: the verdict, then each person's face and evidence."""
    _kind, sign = figures.verdict_mark(report)
    detector = report.settings["detector"]["name"]
    file = _("{name}, judged by {detector}").format(
        name=show_name(report.video.path), detector=detector
    )
    everyone = sorted(report.tracks, key=lambda r: r.track.person != report.decisive)
    persons = [person(r, crops) for r in everyone]
    parts = [head(sign, figures.verdict_sentence(report)), lines([file], small=True)]
    parts += persons[:FACES_SHOWN]
    if rest := "".join(persons[FACES_SHOWN:]):
        n = len(persons) - FACES_SHOWN
        more = ngettext("{n} more person", "{n} more persons", n).format(n=n)
        parts.append(f"<details><summary>{escape(more)}</summary>{rest}</details>")
    if not report.tracks:
        parts.append(lines(figures.not_judged(report)))
    parts.append(lines([_limit()], small=True))
    return wrap(*parts)


def person(result: TrackResult, crops: dict[str, FaceCrops] | None) -> str:
    """Return one person's face, verdict and evidence over time."""
    sentences = [figures.track_sentence(result), figures.seen_sentence(result)]
    if not result.verdict.abstained:
        sentences.append(figures.region_sentence(result))
    picture = ""
    if (face := portrait(result, crops)) is not None:
        alt = escape(_("Face of person {person}").format(person=result.track.person))
        picture = f'<img src="{data_address(face)}" alt="{alt}">'
    curve = charts_svg.curve(figures.curve(result)) if len(result.evidence.logits) else ""
    return f'<div class="dz-who">{picture}<div>{lines(sentences)}</div></div>{curve}'


def portrait(result: TrackResult, crops: dict[str, FaceCrops] | None) -> NDArray[np.uint8] | None:
    """Return the face of a person where the evidence is strongest, (S, S, 3) uint8, or None."""
    if not len(result.evidence.logits):
        return None
    row = int(result.evidence.spans[int(result.evidence.logits.argmax()), 0])
    if crops is not None and result.track.person in crops:
        return np.asarray(crops[result.track.person].rgb[row])
    strongest = figures.strongest(result, count=1)
    return strongest[0].rgb if strongest else None


def _limit() -> str:
    return _(
        "No verdict 'forged' does not show that a video is genuine: a detector can be blind "
        "to a way of forging."
    )
