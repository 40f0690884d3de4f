"""What a report says in words, in the reader's language.

The wording keeps to three rules: evidence is a logit against a threshold, never a percentage or a
bare number of fakeness; a region is important *to this detector*, not tampered with; an
explanation that failed its test names no region.
"""

from __future__ import annotations

import numpy as np

from toolkit._i18n import _, language, ngettext
from toolkit.media import show_name
from toolkit.messages import text_of
from toolkit.types import REGIONS, Explanation, Interval, KeyFrame, Report, TrackResult

_SAID_ELSEWHERE = {"abstained", "several_persons"}
_CUTS_NAMED = 8
_STRETCHES_NAMED = 4
_ALL = 0.995  # of what lies above the line; it would be written as 100 %
LEADS_PART, LEADS_TIMES = 0.5, 1.5
"""A region leads with this part of what speaks for forged, or so many times the next one's."""

_SMALL_PART = 0.2  # a region with less of the largest region's share is not named beside it


def number(value: float, digits: int = 2, *, signed: bool = False) -> str:
    """Return a number as the language writes it: a decimal comma in Dutch, a true minus.

    Examples
    --------
    >>> number(-1.234), number(2, 1, signed=True)
    ('−1.23', '+2.0')
    """
    text = f"{value:{'+' if signed else ''}.{digits}f}"
    if not float(text):
        text = text.lstrip("+-")
    text = text.replace("-", "−")
    return text.replace(".", ",") if language() == "nl" else text


def clock(seconds: float, digits: int = 1) -> str:
    """Return a time in the video.

    Examples
    --------
    >>> clock(65.26), clock(3725)
    ('1:05.3', '1:02:05.0')
    """
    steps = round(seconds * 10**digits)  # rounded first, so that 59.96 s is 1:00.0
    minutes, rest = divmod(steps, 60 * 10**digits)
    hours, minutes = divmod(minutes, 60)
    width = 2 + (digits + 1 if digits else 0)
    tail = f"{rest / 10**digits:0{width}.{digits}f}"
    text = f"{hours}:{minutes:02d}:{tail}" if hours else f"{minutes}:{tail}"
    return text.replace(".", ",") if language() == "nl" else text


def region_name(region: str) -> str:
    """Return what people call a player; left and right are said to be the subject's."""
    return {
        "mouth": _("mouth"),
        "left_eye": _("left eye (subject's)"),
        "right_eye": _("right eye (subject's)"),
        "nose": _("nose"),
        "forehead": _("forehead"),
        "left_cheek": _("left cheek (subject's)"),
        "right_cheek": _("right cheek (subject's)"),
        "chin_jaw": _("chin and jaw"),
        "contour": _("face boundary"),
        "background": _("background"),
    }[region]


def stage_name(stage: str) -> str:
    """Return what a stage of the analysis does."""
    return {
        "hash": _("reading the file"),
        "probe": _("checking the file"),
        "scan": _("looking for faces"),
        "faces": _("reading the faces"),
        "detect": _("running the detector"),
        "explain": _("explaining"),
        "display": _("preparing the player"),
        "intake": _("copying the file while it is hashed"),
        "provenance": _("reading where the file comes from"),
        "trust": _("checking the explanation"),
        "reshare_test": _("sharing it again and judging that"),
        "align": _("laying both on each other"),
        "cover": _("finding all faces to cover"),
        "redact": _("covering the faces"),
        "redact_check": _("checking that every face is covered"),
        "report": _("writing the report"),
        "verify": _("checking the case"),
        "quiz": _("making the clips and asking the detector"),
        "blend": _("blending faces"),
        "learn": _("learning"),
        "forge": _("forging"),
        "read": _("reading faces"),
        "swap": _("making the swap"),
        "reshare": _("sharing it again"),
        "chains": _("trying what happens on the way"),
    }.get(stage, stage)


LONG_S = 30.0
"""From here on it is said beforehand how long judging takes."""


def ahead_sentence(faces: int, seconds: float | None) -> str:
    """Return how long judging will take; empty where that is unknown, or short."""
    if seconds is None or seconds < LONG_S:
        return ""
    minutes = seconds / 60
    if minutes < 1.5:
        span = _("{n} s").format(n=5 * round(seconds / 5))
    elif minutes < 90:
        span = _("{n} min").format(n=round(minutes))
    else:
        span = _("{n} hours").format(n=round(minutes / 60))
    text = _(
        "Judging {n} faces takes about {time} on this processor. A GPU is used where there is one."
    )
    return text.format(n=faces, time=span)


def reference_name(kind: str) -> str:
    """Return what stands for 'nothing forged' in the sum."""
    return {
        "training_median": _("a typical genuine face of the training data"),
        "threshold": _("the threshold"),
    }.get(kind, kind)


def speaking(report: Report) -> TrackResult | None:
    """Return the track whose verdict is the clip's."""
    return next((r for r in report.tracks if r.track.person == report.decisive), None)


def _against(logit: float, threshold: float) -> str:
    gap = number(abs(logit - threshold))
    if logit >= threshold:
        return _("{gap} logit above the threshold").format(gap=gap)
    return _("{gap} logit below the threshold").format(gap=gap)


def track_sentence(result: TrackResult) -> str:
    """Return one person's verdict in a sentence, and when the person is on screen."""
    person, verdict = result.track.person, result.verdict
    if verdict.abstained or verdict.logit is None:
        text = _("Person {person}: no verdict. {reason}")
        return text.format(person=person, reason=text_of(verdict.reason or ""))
    where = _against(verdict.logit, verdict.threshold)
    if verdict.is_fake:
        text = _("Person {person}: called forged by this detector, with evidence {where}.")
    else:
        text = _("Person {person}: not called forged by this detector; the evidence is {where}.")
    return text.format(person=person, where=where)


def seen_sentence(result: TrackResult) -> str:
    """Return when a person is on screen and how many moments the detector saw."""
    seen = result.track.seen.tolist()
    stretches = ", ".join(f"{clock(a)}–{clock(b)}" for a, b in seen)
    n = len(result.track.pts)
    moments = ngettext("{n} moment was judged.", "{n} moments were judged.", n).format(n=n)
    if not stretches:
        return moments
    if len(seen) > _STRETCHES_NAMED:
        text = _("On screen in {n} stretches, {seconds} s in all.")
        seconds = number(sum(b - a for a, b in seen), 1)
        return text.format(n=len(seen), seconds=seconds) + " " + moments
    return _("On screen {stretches}.").format(stretches=stretches) + " " + moments


def top_region(result: TrackResult) -> str | None:
    """Return the player with the largest share, or None where no region may be named.

    None: no explanation, no verdict 'forged', a reference that failed its test, or no region that
    speaks for forged.
    """
    explanation = result.explanation
    if explanation is None or not result.verdict.is_fake or not explanation.reference_valid:
        return None
    shares = explanation.region_shares
    best = int(shares.argmax())
    return REGIONS[best] if shares[best] > 0 else None


def leading_regions(result: TrackResult) -> tuple[str, ...]:
    """Return the region that leads, or up to three that only together do; () as `top_region`.

    One alone is named where its share is half of all that speaks for forged, or one and a half
    times the next one's. Else the order of the first few says little: another minute of the same
    clip may turn it round.
    """
    explanation = result.explanation
    if explanation is None or top_region(result) is None:
        return ()
    shares = np.maximum(explanation.region_shares, 0)
    order = np.argsort(-shares, kind="stable")
    parts = shares[order] / shares.sum()
    if parts[0] >= LEADS_PART or parts[0] >= LEADS_TIMES * parts[1]:
        return (REGIONS[int(order[0])],)
    most = int(np.searchsorted(np.cumsum(parts), LEADS_PART)) + 1
    return tuple(REGIONS[i] for i in order[: min(max(most, 2), 3)].tolist())


def region_sentence(result: TrackResult) -> str:
    """Return which regions mattered to the detector, or why none is named."""
    explanation = result.explanation
    if explanation is None:
        return _("There is no explanation of this verdict.")
    if result.verdict.abstained:
        return _("There is no verdict, so no region is named.")
    if not explanation.reference_valid:
        return _("The explanation fails the reference test; no region is named.")
    if not result.verdict.is_fake:
        return _below_sentence(result)
    best = top_region(result)
    if best is None:
        return _("No region speaks for forged; the evidence could not be divided.")
    text = _("Most important to this detector: {regions}.").format(regions=_named(explanation))
    if best == "background":
        text += " " + _("That is not the face: this verdict is not driven by the face.")
    unsplit = abs(float(explanation.unsplit.sum()))
    if unsplit > float(np.abs(explanation.region_shares).sum()):
        text += " " + _("Most of the evidence could not be divided over regions.")
    return text


def _below_sentence(result: TrackResult) -> str:
    logits = result.evidence.logits
    above = int(np.sum(logits >= result.verdict.threshold))
    if not above:
        return _("The score stays below the threshold in every frame, so no region is named.")
    return ngettext(
        "The score of all frames together lies below the threshold, so no region is named; "
        "{n} of {of} frames lies above it.",
        "The score of all frames together lies below the threshold, so no region is named; "
        "{n} of {of} frames lie above it.",
        above,
    ).format(n=above, of=len(logits))


def _named(explanation: Explanation) -> str:
    shares = explanation.region_shares
    order = np.argsort(-shares, kind="stable")[:3].tolist()
    chosen = [i for i in order if shares[i] > 0 and shares[i] >= _SMALL_PART * shares[order[0]]]
    return ", ".join(
        _("{region} ({share} logit)").format(
            region=region_name(REGIONS[i]), share=number(shares[i], signed=True)
        )
        for i in chosen
    )


def interval_sentence(interval: Interval) -> str:
    """Return one stretch of time in words."""
    if interval.share >= _ALL:
        text = _("{start}–{end} ({seconds} s): all that lies above the line")
    else:
        text = _("{start}–{end} ({seconds} s): {part} of what lies above the line")
    return text.format(
        start=clock(interval.start_s),
        end=clock(interval.end_s),
        seconds=number(interval.end_s - interval.start_s, 1),
        part=number(100 * interval.share, 0) + " %",
    )


def frame_sentence(result: TrackResult, position: int) -> str:
    """Return a key frame's caption: its time and on which side of the line it lies."""
    time = clock(float(result.track.pts[position]))
    if result.logit_at(position) >= result.verdict.threshold:
        return _("{time}: above the line").format(time=time)
    return _("{time}: below the line, for comparison").format(time=time)


def strongest(result: TrackResult, *, count: int = 3) -> tuple[KeyFrame, ...]:
    """Return the key frames with the most evidence, in order of time."""
    frames = sorted(result.key_frames, key=lambda f: -result.logit_at(f.position))[:count]
    return tuple(sorted(frames, key=lambda f: f.position))


def not_judged(report: Report) -> list[str]:
    """Return what could not be judged and why, and what is odd about the file."""
    lines = [track_sentence(r) for r in report.tracks if r.verdict.abstained]
    if len(report.tracks) > 1:
        text = _("{n} persons were found; each is judged on their own.")
        lines.append(text.format(n=len(report.tracks)))
    cuts = [n.at_s for n in report.notices if n.code == "cut" and n.at_s is not None]
    every = [*report.notices, *(n for r in report.tracks for n in r.notices)]
    for notice in every:
        if notice.code in _SAID_ELSEWHERE or (notice.code == "cut" and notice.at_s is not None):
            continue
        line = notice.text()
        if notice.at_s is not None:
            line += " " + _("(At {time}.)").format(time=clock(notice.at_s))
        lines.append(line)
    if cuts:
        times = ", ".join(clock(t) for t in cuts[:_CUTS_NAMED])
        if len(cuts) > _CUTS_NAMED:
            times += " …"
        text = ngettext("{n} cut, at {times}.", "{n} cuts, at {times}.", len(cuts))
        lines.append(text.format(n=len(cuts), times=times))
    return list(dict.fromkeys(lines))


def limits(report: Report) -> list[str]:
    """Return what the result does not say."""
    lines = [
        _(
            "The evidence is a number on this detector's own scale (logit), not a probability. It "
            "counts against the threshold, not against zero."
        ),
        _(
            "A region that is important to this detector need not be a region that was changed, "
            "and a changed region need not be important to it."
        ),
        _(
            "No verdict 'forged' does not show that a video is genuine: a detector can be blind "
            "to a way of forging."
        ),
        _(
            "The shares come from the detector's own construction. That they add up proves the "
            "arithmetic, not the explanation."
        ),
    ]
    held_back = report.settings.get("detector", {}).get("held_back")
    if held_back:
        text = _(
            "Of {genuine} genuine clips that this detector had never seen, it called {wrong} "
            "forged. For other material the number may be quite different."
        )
        lines.append(text.format(genuine=held_back["genuine"], wrong=held_back["called_forged"]))
    if report.tracks:
        counts = ", ".join(f"{r.track.person}: {len(r.track.pts)}" for r in report.tracks)
        text = _("Only these moments were judged ({counts}); what lies between them was not.")
        lines.append(text.format(counts=counts))
    lines += [
        _("Left and right are the subject's own."),
        _("The letters tell persons apart within this video; they do not say who anyone is."),
    ]
    return lines


def verdict_mark(report: Report) -> tuple[str, str]:
    """Return the kind of verdict, a word for style sheets, and its sign: never colour alone."""
    if report.verdict.abstained:
        return "none", "○"
    return ("forged", "▲") if report.verdict.is_fake else ("not-forged", "●")


def title(report: Report) -> str:
    """Return the heading of a report; the name of the file is not escaped for HTML."""
    return _("Why the detector judged {name} as it did").format(name=show_name(report.video.path))
