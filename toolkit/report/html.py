"""One HTML file that tells the whole analysis: opens from disk, asks the network for nothing.

Charts are SVG drawn here, key frames are pictures inside the file, and there is no script. All text
is escaped; a content security policy forbids everything that is not in the file.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from html import escape
from pathlib import Path
from typing import Any

from toolkit import _i18n, figures
from toolkit._i18n import _
from toolkit.figures.charts import Chart, Table
from toolkit.files import atomic_write
from toolkit.media import show_name
from toolkit.report import charts_svg
from toolkit.types import Report, TrackResult

POLICY = (
    "default-src 'none'; style-src 'unsafe-inline'; img-src data:; base-uri 'none'; "
    "form-action 'none'"
)

STYLE = """
:root { color-scheme: light dark; --ink: #1f2933; --soft: #4a5560; --page: #ffffff;
  --panel: #f3f5f7; --line: #c3cad1; --for: #a04308; --against: #1d5a96; }
@media (prefers-color-scheme: dark) { :root { --ink: #e8ecf0; --soft: #b6bfc8; --page: #15191d;
  --panel: #20262c; --line: #47515b; --for: #ffb066; --against: #8cc1f0; } }
* { box-sizing: border-box; }
body { margin: 0 auto; padding: 1rem; max-width: 60rem; background: var(--page);
  color: var(--ink); font: 1rem/1.5 system-ui, sans-serif; overflow-wrap: anywhere; }
h1 { font-size: 1.5rem; line-height: 1.25; } h2 { font-size: 1.2rem; margin-top: 2rem; }
h3 { font-size: 1rem; margin-bottom: .25rem; }
.verdict { padding: .75rem 1rem; background: var(--panel); border-left: .4rem solid var(--line);
  font-size: 1.15rem; }
.verdict.forged { border-color: var(--for); } .verdict.not-forged { border-color: var(--against); }
.note { color: var(--soft); font-size: .9rem; }
.scroll { overflow-x: auto; } .scroll:focus-visible, summary:focus-visible {
  outline: 2px solid var(--against); outline-offset: 2px; }
svg { display: block; width: 100%; min-width: 36rem; height: auto; }
svg text { fill: var(--ink); font: 12px system-ui, sans-serif; }
svg .axis { stroke: var(--line); } svg .ink { stroke: var(--ink); fill: none; }
svg .for { fill: var(--for); } svg .against { fill: var(--against); }
svg .shade { fill: var(--for); opacity: .18; }
.strip { display: flex; flex-wrap: wrap; gap: 1rem; } .strip figure { margin: 0; width: 17rem; }
.strip img { width: calc(50% - .2rem); height: auto; vertical-align: top; }
figcaption { font-size: .9rem; }
table { border-collapse: collapse; font-size: .85rem; font-variant-numeric: tabular-nums; }
th, td { padding: .15rem .6rem; border-bottom: 1px solid var(--line); text-align: right; }
th:first-child, td:first-child { text-align: left; } thead th { vertical-align: bottom; }
dl { display: grid; grid-template-columns: minmax(9rem, max-content) 1fr; gap: .2rem 1rem; }
dt { color: var(--soft); } dd { margin: 0; }
@media (max-width: 30rem) { dl { grid-template-columns: 1fr; } dd { margin-bottom: .4rem; } }
@media print { body { max-width: none; padding: 0; } svg { min-width: 0; }
  figure, svg, .verdict { break-inside: avoid; } h2, h3 { break-after: avoid; } }
"""


def write(report: Report, out: Path, *, language: str | None = None) -> Path:
    """Write the report of an analysis.

    Parameters
    ----------
    report
        What to tell.
    out
        The HTML file; its folder must exist.
    language
        Language of the text; None = the one in use.

    Returns
    -------
    Path
        `out`.
    """
    with _speaking(language or _i18n.language()):
        atomic_write(out, page(report))
    return out


@contextmanager
def _speaking(code: str) -> Iterator[None]:
    before = _i18n.language()
    _i18n.set_language(code)
    try:
        yield
    finally:
        _i18n.set_language(before)


def page(report: Report) -> str:
    """Return the whole document in the language in use."""
    # from the very numbers of report.json, so that both say the same
    from toolkit.analysis import to_dict

    facts = to_dict(report)
    title = escape(figures.title(report))
    body = [
        f"<h1>{title}</h1>",
        _verdict(report),
        _planted(report),
        _list(_("What could not be judged, and notes"), figures.not_judged(report)),
    ]
    for result, track in zip(report.tracks, facts["tracks"], strict=True):
        body.append(_person(result, track))
    body += [
        _list(_("What this does not say"), figures.limits(report)),
        _definitions(_("The file"), _file(report)),
        _definitions(_("How it was judged"), _settings(report)),
    ]
    return (
        f'<!doctype html>\n<html lang="{_i18n.language()}"><head><meta charset="utf-8">'
        f'<meta http-equiv="Content-Security-Policy" content="{POLICY}">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        '<meta name="referrer" content="no-referrer">'
        f"<title>{title}</title><style>{STYLE}</style></head>\n<body><main>"
        + "\n".join(part for part in body if part)
        + "</main></body></html>\n"
    )


def _verdict(report: Report) -> str:
    kind, sign = figures.verdict_mark(report)
    text = escape(figures.verdict_sentence(report))
    return f'<p class="verdict {kind}"><span aria-hidden="true">{sign}</span> {text}</p>'


def _planted(report: Report) -> str:
    truth = figures.read_truth(report.video.path)
    if truth is None:
        return ""
    lines = figures.comparison_sentences(figures.compare(report, truth))
    return _list(_("Compared with what was planted"), lines)


def _h3(heading: str) -> str:
    return f"<h3>{escape(heading)}</h3>"


def _list(heading: str, lines: Iterable[str]) -> str:
    items = "".join(f"<li>{escape(line)}</li>" for line in lines)
    return f"<section><h2>{escape(heading)}</h2><ul>{items}</ul></section>" if items else ""


def _definitions(heading: str, pairs: Iterable[tuple[str, Any]]) -> str:
    items = "".join(f"<dt>{escape(k)}</dt><dd>{escape(str(v))}</dd>" for k, v in pairs)
    return f"<section><h2>{escape(heading)}</h2><dl>{items}</dl></section>"


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
        shown.append(f"<figure>{images}<figcaption>{caption}</figcaption></figure>")
    if not shown:
        return ""
    guide = escape(figures.picture_guide())
    strip = f'<p class="note">{guide}</p><div class="strip">{"".join(shown)}</div>'
    return _h3(_("Key frames")) + strip


def _chart(result: TrackResult, chart: Chart, svg: str) -> str:
    twin = figures.table(result, chart)
    caption, summary = escape(twin.caption), escape(_("The same in numbers"))
    return (
        f'<h3>{caption}</h3><div class="scroll" role="group" tabindex="0" aria-label="{caption}">'
        f"{svg}</div>"
        f"<details><summary>{summary}</summary>{_table(twin)}</details>"
    )


def _table(table: Table) -> str:
    heads = "".join(f'<th scope="col">{escape(head)}</th>' for head in table.heads)
    rows = "".join(
        "<tr>" + "".join(f"<td>{escape(cell)}</td>" for cell in row) + "</tr>" for row in table.rows
    )
    return (
        f'<div class="scroll" role="group" tabindex="0" aria-label="{escape(table.caption)}">'
        f"<table><thead><tr>{heads}</tr></thead><tbody>{rows}</tbody></table></div>"
    )


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
    rows = "".join(f"<dt>{escape(k)}</dt><dd>{escape(v)}</dd>" for k, v in pairs)
    return _h3(_("The sum")) + f"<dl>{rows}</dl>"


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
