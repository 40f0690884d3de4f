"""Pieces of HTML for the forge lab. All text is escaped."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from html import escape
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from toolkit import figures
from toolkit._i18n import _
from toolkit.evaluation.studies import swaps
from toolkit.figures import forge
from toolkit.figures.charts import Table
from toolkit.figures.pictures import data_address, overlay
from toolkit.forge import marks
from toolkit.forge.expression import Gallery, Matches, Reading
from toolkit.forge.swap import Made, Step
from toolkit.types import Examination, TrackResult
from toolkit.widgets import html as fragments

VIDEO_MAX = 12_000_000
"""Bytes of a clip that is shown in the page."""


def steps(shown: Sequence[Step]) -> str:
    """Return the steps of a swap: a picture each, its name, and what was measured."""
    cells = [
        figure(step.rgb, forge.step_title(step.name), forge.step_sentence(step)) for step in shown
    ]
    return f'<div class="dz-pictures">{"".join(cells)}</div>'


def matches(gallery: Gallery, found: Matches) -> str:
    """Return the best matches with their distances."""
    cells = []
    for index, distance in zip(found.indices.tolist(), found.distances.tolist(), strict=True):
        face = gallery.faces[index]
        cells.append(figure(face.rgb, "", forge.match_caption(face, distance)))
    return f'<div class="dz-pictures dz-small dz-matches">{"".join(cells)}</div>' + fold(
        forge.match_table(gallery, found)
    )


def expressions(target: Reading, gallery: Gallery, found: Matches) -> str:
    """Return the readable expressions of the clip and of the best match."""
    return table(forge.expression_table(target, gallery.faces[int(found.indices[0])]))


def made(result: Made) -> str:
    """Return the clip that was made, and what is said of it."""
    lines = "".join(f"<li>{escape(line)}</li>" for line in forge.made_sentences(result))
    name = escape(_("The clip: {path}").format(path=result.path))
    return f"{video(result.path)}<p><code>{name}</code></p><ul>{lines}</ul>"


def video(path: Path) -> str:
    """Return a player of a small clip, inside the page; nothing for a large one."""
    if path.stat().st_size > VIDEO_MAX:
        return ""
    data = base64.b64encode(path.read_bytes()).decode()
    label = escape(_("The synthetic clip"))
    return (
        f'<video controls loop muted width="480" aria-label="{label}" '
        f'src="data:video/mp4;base64,{data}"></video>'
    )


def judged(examination: Examination, clip: Path) -> str:
    """Return what a detector says of a synthetic clip, its heat beside the true mask."""
    report = examination.report
    parts = [fragments.verdict(report)]
    result = next((r for r in report.tracks if r.track.person == report.speaks), None)
    if result is None:
        return parts[0]
    crops = examination.crops[result.track.person]
    parts.append(f"<p>{escape(forge.where_sentence(swaps.grade(clip, result, crops)))}</p>")
    parts.append(_beside(examination, result, clip))
    note = _(
        "Left: where the evidence of this detector lies, orange for forged and blue against. "
        "Right: the outline of the true mask, which the lab knows because it made the clip."
    )
    parts.append(f'<p class="dz-note">{escape(note)}</p>')
    return "".join(parts)


def _beside(examination: Examination, result: TrackResult, clip: Path) -> str:
    import cv2

    crops = examination.crops[result.track.person]
    cells = []
    for key in figures.strongest(result):
        whole = marks.read_mask(clip, int(result.track.indices[key.position]))
        size = (crops.rgb.shape[1],) * 2
        how = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
        mask = cv2.warpAffine(whole, crops.to_frame[key.position], size, flags=how)
        when = figures.frame_sentence(result, key.position)
        cells.append(figure(overlay(key, figures.strength_at(result, key.position)), "", when))
        truth = forge.outlined(key.rgb, np.asarray(mask, np.float32))
        cells.append(figure(truth, "", _("The true mask")))
    return f'<div class="dz-pictures dz-square dz-truth">{"".join(cells)}</div>'


def figure(rgb: NDArray[np.uint8], title: str, text: str) -> str:
    """Return a picture with its caption; a picture without pixels as its caption."""
    head = f"<b>{escape(title)}</b>" if title else ""
    alt = escape(f"{title}. {text}" if title else text)
    image = f'<img src="{data_address(rgb)}" alt="{alt}">' if rgb.size else ""
    return f"<figure>{image}<figcaption>{head}{escape(text)}</figcaption></figure>"


def table(shown: Table) -> str:
    """Return a table with its caption."""
    heads = "".join(f'<th scope="col">{escape(head)}</th>' for head in shown.heads)
    rows = "".join(
        "<tr>" + "".join(f"<td>{escape(cell)}</td>" for cell in row) + "</tr>" for row in shown.rows
    )
    caption = f"<caption>{escape(shown.caption)}</caption>"
    return f"<table>{caption}<thead><tr>{heads}</tr></thead><tbody>{rows}</tbody></table>"


def fold(shown: Table) -> str:
    """Return a table, folded away under its caption."""
    summary = escape(_("In numbers: {chart}").format(chart=shown.caption))
    return f"<details><summary>{summary}</summary>{table(shown)}</details>"
