"""Pieces of HTML for the workbench. All text is escaped."""

from __future__ import annotations

from collections.abc import Iterable
from html import escape

from toolkit import figures
from toolkit._i18n import _, language
from toolkit.errors import ToolkitError
from toolkit.figures.charts import Chart
from toolkit.messages import text_of
from toolkit.types import Report, TrackResult

_CHARTS: tuple[Chart, ...] = ("regions", "curve", "matrix")


def verdict(report: Report, check: figures.Check | None = None) -> str:
    """Return the answer: verdict, where and when, gauge and caution, in the language in use."""
    return f'<div lang="{language()}">{figures.answer_html(report, check=check)}</div>'


def planted(report: Report) -> str:
    """Return the comparison with what was planted; empty for any other video."""
    truth = figures.read_truth(report.video.path)
    if truth is None:
        return ""
    found = figures.compare(report, truth)
    right = "right" if found.is_region_right else "wrong"
    return (
        f'<div data-top="{escape(found.top or "")}" data-region="{right}" '
        f'data-iou="{found.temporal_iou:.4f}" '
        f'lang="{language()}" class="dz-planted">'
        + escape(" ".join(figures.planted_sentences(found)))
        + "</div>"
    )


def notes(report: Report) -> str:
    """Return what could not be judged and why."""
    nothing = _("Nothing: every person was judged.") if report.tracks else _("Nobody was judged.")
    lines = figures.not_judged(report) or [nothing]
    return _list(_("What could not be judged, and notes"), lines)


def person(result: TrackResult) -> str:
    """Return what is said of one person, and when."""
    lines = [figures.track_sentence(result), figures.seen_sentence(result)]
    if not result.verdict.abstained:
        lines.append(figures.region_sentence(result))
    text = "".join(f"<p>{escape(line)}</p>" for line in lines)
    if result.explanation is None or not result.explanation.intervals:
        return text
    when = [figures.interval_sentence(i) for i in result.explanation.intervals]
    return text + f'<div class="dz-intervals">{_list(_("When"), when)}</div>'


def guide(result: TrackResult) -> str:
    """Return how to read the colours of the key frames."""
    if not result.key_frames:
        return ""
    heading, frames = escape(_("Key frames")), escape(figures.picture_guide())
    return f'<h4>{heading}</h4><p class="dz-note">{frames}</p>'


def limits(report: Report) -> str:
    """Return what the result does not say, folded away."""
    return _fold(_("What this does not say"), _items(figures.limits(report)))


def no_player(error: BaseException) -> str:
    """Return why the video cannot be played here."""
    text = _("The video cannot be played here; its charts are under Charts and numbers.")
    return f'<p class="dz-note">{escape(text)}</p>{problem(error)}'


def numbers(result: TrackResult) -> str:
    """Return how to read the charts, and each in numbers, folded away."""
    parts = [f'<p class="dz-note">{escape(figures.reading_guide())}</p>']
    for chart in _CHARTS:
        table = figures.table(result, chart)
        if table.rows:
            heads = "".join(f'<th scope="col">{escape(head)}</th>' for head in table.heads)
            rows = "".join(
                "<tr>" + "".join(f"<td>{escape(cell)}</td>" for cell in row) + "</tr>"
                for row in table.rows
            )
            label = escape(table.caption)
            parts.append(
                _fold(
                    _("In numbers: {chart}").format(chart=table.caption),
                    f'<div class="dz-scroll" role="group" tabindex="0" aria-label="{label}"><table>'
                    f"<thead><tr>{heads}</tr></thead><tbody>{rows}</tbody></table></div>",
                )
            )
    return "".join(parts)


def problem(error: BaseException) -> str:
    """Return an error as cause, value and remedy."""
    head, remedy = _parts(error)
    text = f"<b>{escape(head)}</b>" + (f" {escape(remedy)}" if remedy else "")
    return f'<div class="dz-box dz-wrong" role="alert">{text}</div>'


def sentence(error: BaseException) -> str:
    """Return an error as one line of text, not escaped."""
    return " ".join(part for part in _parts(error) if part)


def _parts(error: BaseException) -> tuple[str, str]:
    """Return cause with value, and remedy, in the language in use."""
    if isinstance(error, ToolkitError):
        cause, value, remedy = (text_of(part) for part in error.parts)
    elif isinstance(error, OSError):
        cause, value = _("a file cannot be written or read"), error.strerror or str(error)
        remedy = _("Check the disk and its permissions.")
    else:
        cause, value = _("something went wrong that was not foreseen"), type(error).__name__
        value += f": {error}" if str(error) else ""
        remedy = _("Please report this. The panel can be used again; `error` holds the details.")
    head = cause[:1].upper() + cause[1:] + (f": {value}." if value else ".")
    return head, remedy


def _list(heading: str, lines: Iterable[str]) -> str:
    return f"<h4>{escape(heading)}</h4>{_items(lines)}"


def _items(lines: Iterable[str]) -> str:
    return "<ul>" + "".join(f"<li>{escape(line)}</li>" for line in lines) + "</ul>"


def _fold(summary: str, content: str) -> str:
    return f"<details><summary>{escape(summary)}</summary>{content}</details>"
