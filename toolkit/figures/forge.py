"""The forge lab in words, tables and charts: steps, matches, the curve, the mask. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from toolkit._i18n import _, language, ngettext
from toolkit.figures.charts import FigureTable
from toolkit.figures.pictures import BLUE, ORANGE
from toolkit.figures.sentences import number
from toolkit.forge.expression import (
    BLENDSHAPES,
    ExpressionFace,
    ExpressionGallery,
    ExpressionReading,
    Matches,
)
from toolkit.forge.marks import STATEMENT
from toolkit.forge.swap import Made, SwapStep

if TYPE_CHECKING:
    from plotly.graph_objects import Figure

_INK = "#1f2933"
_READABLE = ("jawOpen", "eyeBlink", "mouthSmile", "mouthPucker", "browInnerUp")


def step_title(name: str) -> str:
    """Return what a step of a swap is called."""
    return {
        "face": _("1. Find the face"),
        "search": _("2. Search the expression"),
        "warp": _("3. Warp"),
        "colour": _("4. Match the colours"),
        "mask": _("5. Mask"),
        "blend": _("6. Blend"),
        "back": _("7. Put it back"),
        "compress": _("8. Compress"),
    }[name]


def step_sentence(step: SwapStep) -> str:
    """Return what a step did, with what was measured."""
    n = step.numbers
    if step.name == "face":
        return _("478 points on a face that is {width} pixels wide.").format(
            width=round(n["face_width_px"])
        )
    if step.name == "search":
        text = _("The picture that is used: its face is {width} pixels wide.")
        if n["kept_width_px"] < n["gallery_width_px"] - 0.5:
            text = _("The picture that is used: its face is {width} pixels wide, shrunk to {kept}.")
        return text.format(width=round(n["gallery_width_px"]), kept=round(n["kept_width_px"]))
    if step.name == "warp":
        hidden = round(n["hidden"])
        text = ngettext(
            "898 triangles, each enlarged {stretch} times on average; {hidden} is not to be seen "
            "in the picture.",
            "898 triangles, each enlarged {stretch} times on average; {hidden} are not to be seen "
            "in the picture.",
            hidden,
        )
        return text.format(stretch=number(n["stretch"]), hidden=hidden)
    if step.name == "colour":
        return _(
            "Distance of the mean colours: {before} before, {after} after (2 is just visible)."
        ).format(before=number(n["before"], 1), after=number(n["after"], 1))
    if step.name == "mask":
        text = _("White is taken from the picture, black from the clip: {area} pixels.")
        if n["own_mouth"] > 0.01:
            text += " " + _("The inside of the mouth stays the clip's.")
        return text.format(area=round(n["area_px"]))
    if step.name == "blend":
        return _(
            "Brightness changes by {edge} levels per pixel across the edge of the mask."
        ).format(edge=number(n["edge"], 1))
    if step.name == "back":
        return _("The rest of the frame is untouched. The label is burnt in.")
    return _("H.264 at CRF {crf}: {error} levels of error.").format(
        crf=round(n["crf"]), error=number(n["error"], 1)
    )


def break_title(name: str) -> str:
    """Return what is spoiled on purpose."""
    return {
        "none": _("nothing"),
        "no_colour": _("colours are not matched"),
        "hard_mask": _("hard edge"),
        "wrong_expression": _("wrong expression"),
        "shifted": _("shifted"),
        "low_resolution": _("too few pixels"),
        "untouched": _("not forged at all"),
    }[name]


def choice_title(setting: str, value: str) -> str:
    """Return what a choice of a setting is called."""
    return {
        ("colour", "local"): _("light of the place"),
        ("colour", "mean"): _("mean colour only"),
        ("colour", "none"): _("not at all"),
        ("blend", "feather"): _("soft edge (feather)"),
        ("blend", "poisson"): _("gradients (Poisson)"),
        ("blend", "hard"): _("hard edge"),
        ("mouth", "auto"): _("from the clip, if the picture's is closed"),
        ("mouth", "gallery"): _("from the picture"),
        ("mouth", "target"): _("from the clip"),
    }[setting, value]


def gallery_sentence(gallery: ExpressionGallery) -> str:
    """Return how many faces a gallery has."""
    text = ngettext("{n} picture with a face.", "{n} pictures with a face.", len(gallery)).format(
        n=len(gallery)
    )
    if gallery.without_face:
        text += " " + ngettext(
            "{n} more could not be used: no face in it, or no picture.",
            "{n} more could not be used: no face in them, or no pictures.",
            gallery.without_face,
        ).format(n=gallery.without_face)
    return text


def match_caption(face: ExpressionFace, distance: float) -> str:
    """Return where a match comes from, and its distance."""
    return _("{label}: distance {distance}").format(label=_place(face), distance=number(distance))


def _place(face: ExpressionFace) -> str:
    """Return where a face comes from: a time as it is written here, a file name as it is."""
    is_time = re.fullmatch(r"\d+:\d\d\.\d", face.label) is not None
    return face.label.replace(".", ",") if is_time and language() == "nl" else face.label


def match_table(gallery: ExpressionGallery, matches: Matches) -> FigureTable:
    """Return the matches with the parts of their distances."""
    rows = []
    for k, index in enumerate(matches.indices.tolist()):
        parts = (matches.distances[k], matches.expression[k], matches.pose[k])
        cells = (number(float(p)) for p in parts)
        rows.append((str(k + 1), _place(gallery.faces[index]), *cells))
    heads = (_("place"), _("picture"), _("distance"), _("of expression"), _("of head pose"))
    return FigureTable(_("The best matches"), heads, tuple(rows))


def expression_name(name: str) -> str:
    """Return what a blendshape is called, left and right together."""
    return {
        "jawOpen": _("jaw open"),
        "eyeBlink": _("eyes closed"),
        "mouthSmile": _("smile"),
        "mouthPucker": _("pursed lips"),
        "browInnerUp": _("brows up"),
    }[name]


def expression_table(
    target: ExpressionReading | ExpressionFace, match: ExpressionFace
) -> FigureTable:
    """Return the readable expressions of two faces beside each other, 0 to 100, and the pose."""
    rows: list[tuple[str, ...]] = []
    for name in _READABLE:
        columns = [i for i, shape in enumerate(BLENDSHAPES) if shape.startswith(name)]
        both = [round(100 * float(f.coefficients[columns].mean())) for f in (target, match)]
        rows.append((expression_name(name), str(both[0]), str(both[1])))
    for position, name in enumerate((_("turned (degrees)"), _("raised (degrees)"))):
        rows.append((name, *(number(float(f.pose[position]), 0) for f in (target, match))))
    heads = (_("expression, 0 to 100"), _("clip"), _("best match"))
    return FigureTable(_("Expression of the clip and of the best match"), heads, tuple(rows))


def made_sentences(made: Made) -> list[str]:
    """Return what was made, and how it is marked."""
    lines = [
        _("{forged} of {frames} frames got the other face.").format(
            forged=made.forged, frames=made.frames
        ),
        _("Mean distance of the matches: {distance}; the picture jumps {jumps} times.").format(
            distance=number(float(np.nanmean(made.distances))), jumps=made.jumps
        ),
        _('Every frame carries the words "{words}".').format(words=STATEMENT),
        _("The file's comment, its name and its Content Credentials say the same."),
        _("Beside it lie how it was made, and the true mask of every frame."),
    ]
    if not made.place.is_clear:
        lines.append(
            _("The label reaches into the face crop: no other place was free. It may be evidence.")
        )
    return lines


def where_sentence(grade: Mapping[str, Mapping[str, float]]) -> str:
    """Return how much of a detector's evidence lies in the true mask, beside what knows nothing.

    Parameters
    ----------
    grade
        From `evaluation.swaps.grade`.
    """
    if "heat" not in grade or not grade["heat"]["mass"]:
        return _("This detector has no map to compare with the mask.")
    return _(
        "Where its evidence lies: {heat} of 100 parts inside the true mask. A spot in the middle "
        "would have {centre}, evidence spread evenly {area}."
    ).format(
        heat=round(100 * grade["heat"]["mass"]),
        centre=round(100 * grade["control.centre"]["mass"]),
        area=round(100 * grade["control.area"]["mass"]),
    )


def outlined(rgb: NDArray[np.uint8], mask: NDArray[np.floating]) -> NDArray[np.uint8]:
    """Return an (S, S, 3) crop with the outline of a true mask (S, S) drawn: white within black.

    Two lines instead of a colour, so that it is seen on any skin and by anybody.
    """
    import cv2

    lines, _order = cv2.findContours(
        (mask >= 0.5).astype(np.uint8), cv2.RETR_LIST, cv2.CHAIN_APPROX_NONE
    )
    out = rgb.copy()
    cv2.drawContours(out, lines, -1, (0, 0, 0), 4, cv2.LINE_AA)
    cv2.drawContours(out, lines, -1, (255, 255, 255), 2, cv2.LINE_AA)
    return out


# -- what a detector said of swaps


def verdicts_table(found: Mapping[str, Any]) -> FigureTable:
    """Return what a detector said of swaps made in each way, in counts of clips.

    Parameters
    ----------
    found
        From `evaluation.swaps.summary`.
    """
    heads = (
        _("spoiled"),
        *(
            _("{faces} on {target}: called forged").format(**direction)
            for direction in found["directions"]
        ),
        _("evidence inside the true mask, of 100"),
        _("a spot in the middle would have"),
        _("spread evenly"),
    )
    rows = []
    for one in found["ways"]:
        counts = {rate["target"]: rate for rate in one["rates"]}
        cells = [_counted(counts.get(d["target"])) for d in found["directions"]]
        inside = one["inside"] or {}
        parts = [inside.get(says) for says in ("heat", "control.centre", "control.area")]
        cells += ["–" if part is None else str(round(100 * part)) for part in parts]
        rows.append((break_title(one["way"]), *cells))
    return FigureTable(_("What the detector said of swaps made beforehand"), heads, tuple(rows))


def _counted(rate: Mapping[str, Any] | None) -> str:
    if rate is None:
        return "–"
    text = _("{n} of {of}").format(n=rate["called_forged"], of=rate["judged"])
    if silent := rate["clips"] - rate["judged"]:
        text += " " + _("({n} without a verdict)").format(n=silent)
    return text


def verdicts_sentences(found: Mapping[str, Any], *, weights_sha256: str | None) -> list[str]:
    """Return how the swaps were made, what came of the well-made ones, and what that is worth.

    Parameters
    ----------
    found
        From `evaluation.swaps.summary`.
    weights_sha256
        Of the detector that is here now: figures of another one are said to be.
    """
    lines = [
        _(
            "Each clip was cut into {windows} stretches of {seconds} seconds, and each stretch was "
            "made in every way. These are few clips of few people: with others the counts differ."
        ).format(windows=found["windows"], seconds=number(found["seconds"], 0))
    ]
    for way, text in (
        ("untouched", _("Stretches in which nothing was changed: {n} of {of} called forged.")),
        ("none", _("Swaps in which nothing was spoiled: {n} of {of} called forged.")),
    ):
        rates = [r for one in found["ways"] if one["way"] == way for r in one["rates"]]
        if rates:
            counts = (sum(r[k] for r in rates) for k in ("called_forged", "judged"))
            lines.append(text.format(**dict(zip(("n", "of"), counts, strict=True))))
    if weights_sha256 != found["detector"]["weights_sha256"]:
        lines.append(
            _("The detector that is here now has other weights than the one that was asked.")
        )
    return lines


# -- the curve


def curve_figure(*curves: Mapping[str, Any]) -> Figure:
    """Return how the match improves with more pictures, as a Plotly figure.

    Parameters
    ----------
    curves
        From `evaluation.swaps.match_curve`; each a line of its own.
    """
    import plotly.graph_objects as go

    figure = go.Figure()
    looks = (
        (BLUE, "circle", "solid"),
        (ORANGE, "diamond", "dash"),
        ((80, 80, 80), "square", "dot"),
    )
    for curve, (colour, symbol, dash) in zip(curves, looks, strict=False):
        rows = curve["sizes"]
        mean = [row["mean"] for row in rows]
        css = f"rgb{colour}"
        figure.add_trace(
            go.Scatter(
                x=[row["size"] for row in rows],
                y=mean,
                name=_curve_name(curve),
                mode="lines+markers",
                line={"color": css, "dash": dash, "width": 2},
                marker={"size": 9, "symbol": symbol, "color": css},
                error_y={
                    "type": "data",
                    "symmetric": False,
                    "array": [row["high"] - row["mean"] for row in rows],
                    "arrayminus": [row["mean"] - row["low"] for row in rows],
                },
                hovertemplate="%{x}: %{y:.2f}<extra></extra>",
            )
        )
    figure.update_layout(
        template="plotly_white",
        title={"text": _("The more pictures of you, the better the match"), "font": {"size": 15}},
        height=360,
        margin={"l": 60, "r": 20, "t": 50, "b": 50},
        paper_bgcolor="white",
        plot_bgcolor="white",
        font={"color": _INK, "size": 13},
        showlegend=len(curves) > 1,
        legend={"orientation": "h", "y": -0.25},
        separators=",." if language() == "nl" else ".,",
        autosize=True,
    )
    ticks = sorted({row["size"] for curve in curves for row in curve["sizes"]})
    figure.update_xaxes(
        type="log",
        title_text=_("number of pictures (each step is a multiplication)"),
        tickvals=ticks,
        ticktext=[str(t) for t in ticks],
    )
    figure.update_yaxes(title_text=_("distance of the best match"), rangemode="tozero")
    return figure


def curve_table(curve: Mapping[str, Any]) -> FigureTable:
    """Return the curve in numbers."""
    rows = tuple(
        (
            str(row["size"]),
            number(row["mean"]),
            _("{low} to {high}").format(low=number(row["low"]), high=number(row["high"])),
            str(row["draws"]),
        )
        for row in curve["sizes"]
    )
    heads = (_("pictures"), _("distance"), _("nine of ten draws"), _("draws"))
    return FigureTable(_curve_name(curve), heads, rows)


def _curve_name(curve: Mapping[str, Any]) -> str:
    return _("{moments} moments of {target}, searched in {count} pictures of {gallery}").format(
        moments=curve["targets"]["moments"],
        target=curve["targets"]["name"],
        count=curve["gallery"]["count"],
        gallery=curve["gallery"]["name"],
    )
