"""The answer at a glance: what was found, where, when, how far from the line, and what it is not.

The gauge holds a clip's score against those of genuine recordings that the detector never saw: a
distance in logits says little to whoever has not seen others.
"""

from __future__ import annotations

from dataclasses import dataclass
from html import escape
from typing import Literal

from toolkit._i18n import _, ngettext
from toolkit.detectors import measured
from toolkit.explain.intervals import interval_level, interval_p_value
from toolkit.figures.sentences import (
    clock,
    leading_regions,
    number,
    region_name,
    speaking,
    verdict_mark,
)
from toolkit.messages import text_of
from toolkit.types import Interval, Report, TrackResult
from toolkit.verdict.aggregate import frame_logits

CLEAR_GAP = 1.0
"""From this distance to the threshold on, in logits, a verdict is told as clear, else as narrow."""

THROUGHOUT = 0.9
"""A stretch that covers this part of the time on screen is told as the whole of it."""

CHANCE_DRAWS, CHANCE_MAX = 199, 0.05
"""Shuffles of time, and the part of them from which on a stretch is said to be chance."""

Check = Literal["agrees", "contested"]

MORE_TO_SEE = frozenset({"several_streams", "unread_recordings"})
"""Codes of notices that say that the file holds more than was judged."""


def the_region(region: str) -> str:
    """Return a player as it stands in a sentence; left and right are the person's own."""
    return {
        "mouth": _("the mouth"),
        "left_eye": _("the person's left eye"),
        "right_eye": _("the person's right eye"),
        "nose": _("the nose"),
        "forehead": _("the forehead"),
        "left_cheek": _("the person's left cheek"),
        "right_cheek": _("the person's right cheek"),
        "chin_jaw": _("chin and jaw"),
        "contour": _("the boundary of the face"),
        "background": _("the background, which is not the face"),
    }[region]


def plain_reason(code: str | None) -> str:
    """Return why no verdict is given (`Verdict.reason_code`), in a sentence without numbers."""
    return {
        "no_face": _("There is no face in the frames that were looked at."),
        "unsure_face": _("This may not be a face."),
        "face_too_small": _("The face is too small to judge."),
        "too_few_frames": _("There are too few usable moments."),
        "pose": _("The face is turned away in too many moments."),
        "cut_off": _("The face is cut off at the edge of the picture."),
        "low_quality": _("The picture is too poor to judge."),
        "weak_mesh": _("The face is not seen clearly enough."),
        "no_score": _("The detector gave no usable score."),
    }.get(code or "", _("The clip lies outside what the detector can judge."))


def chance_of(result: TrackResult) -> float | None:
    """Return how often shuffled time holds a stretch as strong as the best one, 0..1.

    None where no stretch is named. See `explain.intervals.interval_p_value`.
    """
    explanation, verdict = result.explanation, result.verdict
    if explanation is None or not explanation.intervals or verdict.logit is None:
        return None
    evidence, track = result.evidence, result.track
    first, last = evidence.spans[:, 0], evidence.spans[:, 1]
    logits = frame_logits(evidence)
    return interval_p_value(
        logits,
        (track.pts[first] + track.pts[last]) / 2,
        track.shots[first],
        interval_level(logits, verdict.logit, verdict.threshold),
        draws=CHANCE_DRAWS,
    )


def is_by_chance(result: TrackResult) -> bool:
    """Return whether chance could make a stretch as strong as those that are named."""
    chance = chance_of(result)
    return chance is not None and chance >= CHANCE_MAX


def when_phrase(result: TrackResult) -> str:
    """Return when a track speaks for forged, as part of a sentence; empty where nothing does."""
    explanation = result.explanation
    if explanation is None or not explanation.intervals:
        return ""
    strongest = max(explanation.intervals, key=lambda i: i.share)
    if _covers(strongest, result):
        return _("nearly all the time")
    phrase = _("from {start} to {end}").format(
        start=clock(strongest.start_s), end=clock(strongest.end_s)
    )
    more = len(explanation.intervals) - 1
    if more:
        text = ngettext(
            "{when} and in {n} other stretch", "{when} and in {n} other stretches", more
        )
        phrase = text.format(when=phrase, n=more)
    if is_by_chance(result):
        phrase = _("{when}, which could be chance").format(when=phrase)
    return phrase


def _covers(interval: Interval, result: TrackResult) -> bool:
    on_screen = float((result.track.seen[:, 1] - result.track.seen[:, 0]).sum())
    return interval.end_s - interval.start_s >= THROUGHOUT * on_screen > 0


def where_phrase(result: TrackResult) -> str:
    """Return which part of the face leads, or that several do; "" where none may be named."""
    regions = leading_regions(result)
    if not regions:
        return ""
    if len(regions) == 1:
        return _("mostly {region}").format(region=the_region(regions[0]))
    names = ", ".join(region_name(region) for region in regions)
    return _("spread over several parts ({regions})").format(regions=names)


def headline(report: Report) -> str:
    """Return what the detector says, with where and when, in one sentence."""
    verdict, result = report.verdict, speaking(report)
    if verdict.abstained or verdict.logit is None or result is None:
        return _("No verdict.")
    if not verdict.is_fake:
        return _("The detector does not call this video forged.")
    what = ", ".join(part for part in (where_phrase(result), when_phrase(result)) if part)
    if not what:
        text = _("The detector calls this video forged (person {person}).")
        return text.format(person=report.decisive)
    text = _("The detector calls this video forged: {what} (person {person}).")
    return text.format(what=what, person=report.decisive)


def caution(report: Report) -> str:
    """Return what the verdict does not mean: it stands beside the verdict, always."""
    if report.verdict.abstained or report.verdict.logit is None:
        text = _("Without a verdict nothing is said of the video: neither forged nor genuine.")
    elif report.verdict.is_fake:
        text = _(
            "It shows what the detector used; it is no proof of manipulation, and the detector "
            "can be wrong."
        )
    else:
        text = _(
            "That does not make it genuine: a detector can be blind to the way in which a video "
            "was forged."
        )
    if any(notice.code in MORE_TO_SEE for notice in report.notices):
        text += " " + _("The file holds more video than was judged.")
    return text


def verdict_sentence(report: Report) -> str:
    """Return the clip's verdict in a sentence or two.

    An abstention says why; no verdict 'forged' says at once that this does not mean genuine.
    """
    verdict = report.verdict
    if verdict.abstained or verdict.logit is None:
        return _("No verdict. {reason}").format(reason=text_of(verdict.reason or ""))
    return headline(report) if verdict.is_fake else f"{headline(report)} {caution(report)}"


def distance_sentence(report: Report) -> str:
    """Return how far the score lies from the line, in words; empty without a verdict."""
    verdict = report.verdict
    if verdict.abstained or verdict.logit is None:
        return ""
    gap = verdict.logit - verdict.threshold
    if gap >= CLEAR_GAP:
        text = _("The score is clearly above the line.")
    elif gap >= 0:
        text = _("The score is just above the line.")
    elif gap > -CLEAR_GAP:
        text = _("The score is just below the line.")
    else:
        text = _("The score is clearly below the line.")
    genuine = genuine_logits(report)
    if genuine:
        lower = sum(g < verdict.logit for g in genuine)
        more = _("It is higher than that of {n} of {of} genuine recordings.")
        text += " " + more.format(n=lower, of=len(genuine))
    return text


def exact_sentence(report: Report) -> str:
    """Return score and line as numbers; empty without a verdict."""
    verdict = report.verdict
    if verdict.abstained or verdict.logit is None:
        return ""
    return _("Score {score}, line {line}; both on the detector's own scale (logit).").format(
        score=number(verdict.logit, signed=True), line=number(verdict.threshold, signed=True)
    )


def known_sentence(report: Report) -> str:
    """Return how the detector fared on genuine recordings; empty where nobody measured."""
    held_back = report.settings.get("detector", {}).get("held_back")
    if not held_back:
        return ""
    text = _(
        "Of {genuine} genuine recordings that this detector had never seen, it called {wrong} "
        "forged."
    )
    return text.format(genuine=held_back["genuine"], wrong=held_back["called_forged"])


def answer_lines(report: Report) -> list[str]:
    """Return the answer as plain lines, for where there are no pictures; the verdict first."""
    lines = [verdict_sentence(report), distance_sentence(report), exact_sentence(report)]
    lines.append(known_sentence(report))
    if report.verdict.is_fake or report.verdict.abstained:  # else it stands in the verdict
        lines.append(caution(report))
    return [line for line in lines if line]


def check_sentence(check: Check | None) -> str:
    """Return how far the explanation was checked by the second witness."""
    if check == "agrees":
        return _("Explanation: checked, the second witness agrees.")
    if check == "contested":
        return _("Explanation: contested. The second witness names another part of the face.")
    return _("Explanation: not checked by the second witness.")


# -- the gauge


@dataclass(frozen=True)
class Gauge:
    """One clip's score among genuine recordings.

    Attributes
    ----------
    score, threshold
        Of the clip, in logits.
    genuine
        Scores of genuine recordings that the detector never saw; empty where only counts are known.
    below, above
        How many genuine recordings lie on either side of the threshold.
    """

    score: float
    threshold: float
    genuine: tuple[float, ...]
    below: int
    above: int


def genuine_logits(report: Report) -> tuple[float, ...]:
    """Return scores of genuine recordings that the detector never saw, as its card has them.

    They come from the report's settings or from the card beside the weights, if that is of the
    very weights that judged; empty where neither has them.
    """
    detector = report.settings.get("detector", {})
    held_back = detector.get("held_back") or {}
    values = detector.get("genuine_logits") or held_back.get("genuine_logits")
    if values is None:
        return measured.genuine_logits(
            str(detector.get("name", "")), str(detector.get("weights_sha256", ""))
        )
    return tuple(sorted(float(v) for v in values or ()))


def gauge(report: Report) -> Gauge | None:
    """Return the clip's place among genuine recordings; None without a verdict."""
    verdict = report.verdict
    if verdict.abstained or verdict.logit is None:
        return None
    genuine = genuine_logits(report)
    if genuine:
        above = sum(g >= verdict.threshold for g in genuine)
        below = len(genuine) - above
    else:
        held_back = report.settings.get("detector", {}).get("held_back") or {}
        above = int(held_back.get("called_forged", 0))
        below = int(held_back.get("genuine", 0)) - above
    return Gauge(float(verdict.logit), float(verdict.threshold), genuine, below, above)


_WIDE, _TALL, _AXIS, _DOT = 360, 74, 46, 5.2


def gauge_svg(shown: Gauge) -> str:
    """Return the gauge as SVG: genuine recordings as dots, the line, and the clip.

    Its colours are the text's own, so that it fits light and dark.
    """
    values = [shown.score, shown.threshold, *shown.genuine]
    reach = max(2.0, *(abs(v - shown.threshold) for v in values)) * 1.12

    def x(value: float) -> float:
        part = (value - shown.threshold + reach) / (2 * reach)
        return round(min(max(part, 0.0), 1.0) * (_WIDE - 24) + 12, 1)

    line = x(shown.threshold)
    parts = [
        _box(line),
        f'<path d="M4 {_AXIS}H{_WIDE - 4}" stroke="currentColor" opacity="0.5"/>',
        *_dots(shown.genuine, x),
        _line(line),
        _clip_mark(x(shown.score), forged=shown.score >= shown.threshold),
    ]
    if not shown.genuine and shown.below + shown.above:
        here = _("{n} genuine recordings")
        parts.append(_label(line - 8, _AXIS - 37, here.format(n=shown.below), "end"))
        parts.append(_label(line + 8, _AXIS - 37, str(shown.above), "start"))
    parts += [
        _label(4, _AXIS + 22, "← " + _("not called forged"), "start"),
        _label(_WIDE - 4, _AXIS + 22, _("called forged") + " →", "end"),
    ]
    return (
        f'<svg class="dz-gauge" viewBox="0 0 {_WIDE} {_TALL}" role="img" '
        f'aria-label="{escape(gauge_sentence(shown))}" font-family="system-ui, sans-serif" '
        f'font-size="11">{"".join(parts)}</svg>'
    )


def _box(x: float) -> str:
    """Return the side on which the detector says forged."""
    return (
        f'<rect x="{x}" y="{_AXIS - 34}" width="{_WIDE - 4 - x}" height="34" '
        'fill="#c8540a" opacity="0.10"/>'
    )


def _line(x: float) -> str:
    return (
        f'<path d="M{x} {_AXIS - 36}V{_AXIS + 5}" stroke="currentColor" stroke-width="1.5" '
        'stroke-dasharray="5 3"/>'
    )


def gauge_sentence(shown: Gauge) -> str:
    """Return the gauge in words."""
    side = _("right of the line") if shown.score >= shown.threshold else _("left of the line")
    text = _(
        "This video lies {side}. Of the genuine recordings, {below} lie left of it and {above} "
        "right of it."
    )
    return text.format(side=side, below=shown.below, above=shown.above)


def _dots(values: tuple[float, ...], x: object) -> list[str]:
    """Return a dot per recording, stacked where they would lie over one another."""
    assert callable(x)
    heights: dict[int, int] = {}
    dots = []
    for value in sorted(values):
        column = round(x(value) / _DOT)
        row = heights[column] = heights.get(column, -1) + 1
        y = _AXIS - 3.5 - min(row, 5) * _DOT
        dots.append(
            f'<circle cx="{round(column * _DOT, 1)}" cy="{round(y, 1)}" r="2.3" '
            'fill="currentColor" opacity="0.55"/>'
        )
    return dots


def _clip_mark(x: float, *, forged: bool) -> str:
    colour = "#c8540a" if forged else "#2166ac"
    y = _AXIS - 15
    sign = (
        f"M{x} {y - 9}l8 15h-16z"  # the triangle and the disc of the verdict itself
        if forged
        else f"M{x - 7} {y}a7 7 0 1 0 14 0a7 7 0 1 0 -14 0z"
    )
    return (
        f'<path d="M{x} {y}V{_AXIS}" stroke="{colour}" stroke-width="2"/>'
        f'<path d="{sign}" fill="{colour}" stroke="#ffffff" stroke-width="1.5"/>'
    )


def _label(x: float, y: float, text: str, anchor: str) -> str:
    return (
        f'<text x="{round(x, 1)}" y="{y}" text-anchor="{anchor}" fill="currentColor">'
        f"{escape(text)}</text>"
    )


def answer_html(report: Report, *, check: Check | None = None) -> str:
    """Return the whole answer as HTML: verdict, gauge, caution and what is known of the detector.

    Only the verdict itself is bold. The numbers stand in the gauge's tooltip.

    Parameters
    ----------
    report
        What to tell.
    check
        What the second witness said of the explanation; None while it was not asked.
    """
    kind, sign = verdict_mark(report)
    said = f"<b>{escape(headline(report))}</b>"
    if report.verdict.abstained:
        said += f" {escape(plain_reason(report.verdict.reason_code))}"
    below = [caution(report), known_sentence(report)]
    if report.verdict.abstained:
        below.insert(0, text_of(report.verdict.reason or ""))
    elif report.verdict.is_fake:
        below.append(check_sentence(check))
    notes = "".join(
        f'<p class="dz-answer-note{_check_class(line, check)}">{escape(line)}</p>'
        for line in below
        if line
    )
    drawn = gauge(report)
    picture = ""
    if drawn is not None:
        picture = (
            f'<div class="dz-answer-gauge" title="{escape(exact_sentence(report))}">'
            f"{gauge_svg(drawn)}<p>{escape(distance_sentence(report))}</p></div>"
        )
    return (
        f'<div class="dz-answer dz-{kind}"><div class="dz-answer-words">'
        f'<p class="dz-answer-says"><span aria-hidden="true">{sign}</span> {said}</p>'
        f"{notes}</div>{picture}</div>"
    )


def _check_class(line: str, check: Check | None) -> str:
    if line != check_sentence(check):
        return ""
    return f" dz-check dz-check-{check or 'open'}"


ANSWER_STYLE = """
.dz-answer { display: grid; grid-template-columns: minmax(0, 1fr) minmax(220px, 360px);
  gap: 2px 20px; align-items: center; padding: 6px 12px; margin: 4px 0;
  border-left: 6px solid #7b8794; background: var(--dz-answer-panel, #f3f5f7); }
.dz-answer.dz-forged { border-color: #c8540a; } .dz-answer.dz-not-forged { border-color: #2166ac; }
.dz-answer p { margin: 0; line-height: 1.35; } .dz-answer-says { font-size: 1.15em; }
.dz-answer-note { font-size: .92em; margin-top: 2px !important; }
.dz-answer-gauge { font-size: .92em; } .dz-answer-gauge svg { display: block; width: 100%; }
.dz-check::before { content: '◌ '; } .dz-check-agrees::before { content: '✓ '; }
.dz-check-contested { font-weight: 400; text-decoration: underline dashed; }
.dz-check-contested::before { content: '≠ '; }
@container (max-width: 620px) { .dz-answer { grid-template-columns: minmax(0, 1fr); } }
@media (max-width: 40rem) { .dz-answer { grid-template-columns: minmax(0, 1fr); } }
"""
"""What a page or panel needs for `answer_html`; `--dz-answer-panel` is its background."""
