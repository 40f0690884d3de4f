"""One HTML file that tells the whole analysis: opens from disk, asks the network for nothing.

Charts are SVG drawn here, key frames are pictures inside the file, and there is no script. All text
is escaped; a content security policy forbids everything that is not in the file.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from html import escape
from pathlib import Path
from typing import Any

from toolkit import _i18n, figures
from toolkit._i18n import _
from toolkit.figures import page_parts
from toolkit.figures.charts import Chart
from toolkit.files import atomic_write
from toolkit.media import show_name
from toolkit.report import charts_svg
from toolkit.types import Report, TrackResult


def write(
    report: Report,
    out: Path,
    *,
    language: str | None = None,
    notes: str = "",
    asked: Sequence[str] = (),
) -> Path:
    """Write the report of an analysis.

    Parameters
    ----------
    report
        What to tell.
    out
        The HTML file; its folder must exist.
    language
        Language of the text; None = the one in use.
    notes
        The reader's own words about the clip; a line each becomes a paragraph.
    asked
        What was asked of the explanation and answered, as sentences.

    Returns
    -------
    Path
        `out`.
    """
    with page_parts.speaking(language or _i18n.language()):
        atomic_write(out, page(report, notes=notes, asked=asked))
    return out


def page(report: Report, *, notes: str = "", asked: Sequence[str] = ()) -> str:
    """Return the whole document in the language in use."""
    # from the very numbers of report.json, so that both say the same
    from toolkit.analysis.pipeline import to_dict

    facts = to_dict(report)
    body = [
        f"<h1>{escape(figures.title(report))}</h1>",
        figures.answer_html(report),
        _planted(report),
        _list(_("What could not be judged, and notes"), figures.not_judged(report)),
    ]
    for result, track in zip(report.tracks, facts["tracks"], strict=True):
        body.append(_person(result, track))
    body += [
        _list(_("What was asked of the explanation"), asked),
        _notes(notes),
        _list(_("What this does not say"), figures.limits(report)),
        _definitions(_("The file"), _file(report)),
        _definitions(_("How it was judged"), _settings(report)),
    ]
    return page_parts.document(figures.title(report), "\n".join(part for part in body if part))


def _planted(report: Report) -> str:
    truth = figures.read_truth(report.video.path)
    if truth is None:
        return ""
    lines = figures.planted_sentences(figures.compare(report, truth))
    return _list(_("Compared with what was planted"), lines)


def _notes(notes: str) -> str:
    lines = [line for line in notes.splitlines() if line.strip()]
    if not lines:
        return ""
    text = "".join(f"<p>{escape(line)}</p>" for line in lines)
    heading = escape(_("Notes by the user, not by the program"))
    return f"<section><h2>{heading}</h2>{text}</section>"


def _h3(heading: str) -> str:
    return f"<h3>{escape(heading)}</h3>"


def _list(heading: str, lines: Sequence[str]) -> str:
    if not lines:
        return ""
    return f"<section><h2>{escape(heading)}</h2>{page_parts.items(lines)}</section>"


def _definitions(heading: str, pairs: Iterable[tuple[str, Any]]) -> str:
    return f"<section><h2>{escape(heading)}</h2>{page_parts.definitions(pairs)}</section>"


def _person(result: TrackResult, track: dict[str, Any]) -> str:
    heading = _("Person {person}").format(person=result.track.person)
    sentences = [figures.track_sentence(result), figures.seen_sentence(result)]
    if not result.verdict.abstained:
        sentences.append(figures.region_sentence(result))
    parts = [f"<h2>{escape(heading)}</h2>"]
    parts += [f"<p>{escape(text)}</p>" for text in sentences]
    explanation = result.explanation
    if explanation is not None and explanation.intervals:
        lines = "".join(
            f"<li>{escape(figures.interval_sentence(i))}</li>" for i in explanation.intervals
        )
        parts.append(_h3(_("When")) + f"<ol>{lines}</ol>")
    parts.append(_frames(result))
    parts.append(_chart(result, "curve", charts_svg.curve(figures.curve(result))))
    bars, matrix = figures.bars(result), figures.matrix(result)
    if bars is not None and matrix is not None:
        parts.append(_chart(result, "regions", charts_svg.bars(bars)))
        parts.append(_chart(result, "matrix", charts_svg.matrix(matrix)))
        parts.append(f'<p class="note">{escape(figures.reading_guide())}</p>')
        parts.append(_ledger(track))
    return f"<section>{''.join(parts)}</section>"


def _frames(result: TrackResult) -> str:
    shown = []
    for picture in figures.pictures(result):
        images = f'<img src="{picture.face}" alt="{escape(picture.alt)}" width="224" height="224">'
        if picture.heat is not None:
            alt = escape(_("The same with the detector's evidence laid over it"))
            images += f' <img src="{picture.heat}" alt="{alt}" width="224" height="224">'
        caption = escape(picture.caption)
        kind = ' class="comparison"' if picture.is_comparison else ""
        shown.append(f"<figure{kind}>{images}<figcaption>{caption}</figcaption></figure>")
    if not shown:
        return ""
    guide = escape(figures.picture_guide())
    strip = f'<p class="note">{guide}</p><div class="strip">{"".join(shown)}</div>'
    return _h3(_("Key frames")) + strip


def _chart(result: TrackResult, chart: Chart, svg: str) -> str:
    twin = figures.table(result, chart)
    drawn = page_parts.scrolling(svg, twin.caption)
    return _h3(twin.caption) + drawn + page_parts.folded(page_parts.table(twin))


def _ledger(track: dict[str, Any]) -> str:
    """Add the shares up again, from the numbers of report.json."""
    logit, reference = track["verdict"]["logit"], track["reference"]["logit"]
    if logit is None or reference is None:
        return ""
    shares = math.fsum(frame["share"] for frame in track["frames"])
    divided = math.fsum(region["share"] for region in track["regions"])
    pairs = [
        (
            _("reference: {what}").format(what=figures.reference_name(track["reference"]["kind"])),
            _exact(reference),
        ),
        (_("+ shares of all frames"), _exact(shares)),
        (_("of which divided over regions"), _exact(divided)),
        (_("of which not divided"), _exact(math.fsum(track["unsplit"]))),
        (_("= evidence of this person (logit)"), _exact(logit)),
        (_("left over, added up again here"), f"{logit - reference - shares:.1e}"),
        (
            _("reference judged below the threshold"),
            _("yes") if track["reference"]["valid"] else _("no: no region is named"),
        ),
    ]
    return _h3(_("The sum")) + page_parts.definitions(pairs)


def _exact(value: float) -> str:
    return figures.number(value, 6, signed=True)


def _file(report: Report) -> list[tuple[str, Any]]:
    video = report.video
    return [
        (_("name"), show_name(video.path)),
        ("SHA-256", video.sha256),
        (_("size"), _("{n} bytes").format(n=video.bytes)),
        (_("picture"), f"{video.width} × {video.height} px, {video.codec}"),
        (_("length"), figures.clock(video.duration_s, 2)),
        (_("frames in the file"), len(video.pts)),
    ]


def _settings(report: Report) -> list[tuple[str, Any]]:
    """List the settings as they are stored, nested ones with a dot."""

    def flat(values: dict[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
        for key, value in values.items():
            if isinstance(value, dict):
                yield from flat(value, f"{prefix}{key}.")
            else:
                yield prefix + key, "–" if value is None else value

    return list(flat(report.settings))
