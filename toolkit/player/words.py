"""The words of the player, in the language in use. `player.js` holds none of its own."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from toolkit import figures
from toolkit._i18n import _, language
from toolkit.media.display import DisplayCopy
from toolkit.types import REGIONS, Report


def words(
    report: Report, copy: DisplayCopy, *, label: str, persons: Sequence[str]
) -> dict[str, Any]:
    """Return every text of the player: text by key, some with named places to fill in."""
    return {
        "lang": language(),
        "decimal": "," if language() == "nl" else ".",
        "label": label,
        "note": _note(report, copy),
        "regions": {player: figures.region_name(player) for player in REGIONS},
        "verdicts": {
            r.track.person: figures.track_sentence(r)
            for r in report.tracks
            if r.track.person in persons
        },
        **_controls(),
        **_readout(),
        **_charts(),
        "keys_list": _keys(),
    }


def _note(report: Report, copy: DisplayCopy) -> str:
    """Return how the copy differs from the original, or nothing."""
    sentences = []
    pts = report.video.pts
    first, last = copy.start_s, copy.start_s + float(copy.pts[-1])
    if len(pts) and (first > pts[0] + 0.001 or last < pts[-1] - 0.001):
        text = _("The player holds {start} to {end} of this video of {length}.")
        sentences.append(
            text.format(
                start=figures.clock(first),
                end=figures.clock(last),
                length=figures.clock(report.video.duration_s),
            )
        )
    if (copy.width, copy.height) != (report.video.width, report.video.height):
        text = _("Shown smaller than the original, which is what was analysed.")
        sentences.append(text)
    return " ".join(sentences)


def _controls() -> dict[str, str]:
    return {
        "figure": _("Player: the video with faces, evidence and regions"),
        "play": _("Play"),
        "pause": _("Pause"),
        "first": _("To the start"),
        "back": _("One frame back"),
        "next": _("One frame on"),
        "last": _("To the end"),
        "speed": _("Speed"),
        "times": _("{rate} ×"),
        "scrub": _("Moment in the video"),
        "heat": _("Heat map"),
        "opacity": _("Opacity"),
        "map": _("Colours"),
        "map_signed": _("for and against (orange, blue)"),
        "map_cividis": _("only for (cividis)"),
        "map_viridis": _("only for (viridis)"),
        "outlines": _("Regions"),
        "stretch": _("Scale each frame to itself"),
        "more": _("More"),
        "keys": _("Keys"),
        "persons": _("Person"),
        "person": _("Person {person}"),
        "hold": _("Hold the right picture"),
        "save_picture": _("Save this picture (PNG)"),
        "cannot_play": _(
            "This browser cannot play the copy of the video, so there is no picture. The charts and"
            " numbers below still hold. A browser with H.264, such as Chromium, Edge or Firefox, "
            "shows it."
        ),
        "inexact": _(
            "This browser does not say which frame it shows: the overlay may be a frame off."
        ),
        "hint": _("Click a part of the face to choose that region."),
    }


def _readout() -> dict[str, str]:
    return {
        "where": _("frame {n} of {last}, {time}"),
        "this_picture": _("This picture, {time}: {side}"),
        "evidence": _("score {logit} logit, {gap}"),
        "above": _("{gap} above the line"),
        "below": _("{gap} below the line"),
        "is_above": _("above the line"),
        "is_below": _("below the line"),
        "judged": _("judged at this frame"),
        "near": _("judged at {time}"),
        "unjudged": _("not judged at this moment"),
        "unseen": _("not on screen"),
        "share_moment": _("{region}: {share} logit in the score of this frame"),
        "share_whole": _("{region}: {whole} logit in the score of the video"),
        "share_both": _(
            "{region}: {moment} logit in the score of this frame, {whole} in that of the video"
        ),
        "no_shares": _("There is no explanation of this verdict."),
        "outside": _("There is no such moment in this video."),
    }


def _charts() -> dict[str, str]:
    return {
        "lanes": _("Evidence over time"),
        "matrix": _("What each part of the face adds, over time"),
        "bars": _("How the score comes about"),
        "whole": _("Whole video"),
        "moment": _("This moment"),
        "unsplit": _("not divided"),
        "time": _("time"),
        "logit": _("evidence (logit)"),
        "against": _("against the threshold"),
        "share": _("share (logit)"),
        "region": _("region"),
        "above_word": _("above"),
        "below_word": _("below"),
        "numbers": _("The same in numbers"),
        "twin": _("{chart}; the same numbers are in the table below"),
        "threshold": _("line {value}"),
        "start": _("start: typical face"),
        "start_other": _("start"),
        "total_whole": _("= this video"),
        "total_moment": _("= this frame"),
        "sides": _("Left and right are the person's own. Dashed: the line, {value}."),
        "legend": _("Signs"),
        "sign_curve": _("score of a frame; a diamond lies above the line"),
        "sign_threshold": _("the line: from there on, called forged"),
        "sign_key": _("key frame"),
        "sign_forged": _("stretch that speaks for forged"),
        "sign_cut": _("cut"),
        "sign_unseen": _("not on screen"),
        "sign_abstained": _("no verdict"),
        "matrix_hint": _(
            "Orange speaks for forged; blue, with a stroke, against. Pale where the frame lies "
            "below the line. A column adds up, with the start, to the score of its frame."
        ),
        "mark_hint": _(
            "Drag over the lane what is known to be genuine. By keyboard: [ marks its start and ] "
            "its end at the moment on screen."
        ),
        "marked": _("known to be genuine: {start} to {end}"),
        "get": _("Download"),
        "get_as": _("{chart}: download as {kind}"),
    }


def _keys() -> list[list[str]]:
    return [
        [_("Space"), _("play, pause")],
        ["← →", _("one frame back or on")],
        [", .", _("one frame back or on")],
        ["⇧ ← →", _("previous or next judged moment")],
        ["Home End", _("start, end")],
        ["↑ ↓", _("previous or next region")],
        ["P", _("next person")],
        ["H", _("heat map on or off")],
        ["R", _("outlines of the regions on or off")],
        ["?", _("show or hide these keys")],
        ["Esc", _("leave the player")],
    ]
