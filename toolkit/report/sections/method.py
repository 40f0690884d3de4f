"""How it was done, and how well the detector does that in general."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from toolkit import figures
from toolkit._i18n import _
from toolkit.figures.charts import FigureTable
from toolkit.report.sections.blocks import (
    Block,
    ExhibitFigures,
    Facts,
    Grid,
    Text,
    or_unknown,
    signed_number,
    unknown,
)


def method_blocks(e: Mapping[str, Any], _shown: ExhibitFigures) -> list[Block]:
    """Return how an exhibit was examined."""
    method = e["method"]
    detector, used, software = method["detector"], method["used"], method["software"]
    seen = detector.get("input") or {}
    training = method["training"] or {}
    normal = seen.get("normalisation")
    pairs = [
        (_("detector"), or_unknown(detector.get("title") or detector.get("name"))),
        (_("SHA-256 of its weights"), or_unknown(detector.get("weights_sha256"))),
        (_("terms of the weights"), or_unknown(detector.get("licence"))),
        (
            _("training pictures"),
            or_unknown(", ".join(map(str, training.get("pictures", ()))) or None),
        ),
        (_("training"), _recipe(training)),
        (
            _("clips trained on"),
            or_unknown(", ".join(training.get("training_clips", ())) or None),
        ),
        (
            _("what it looks at"),
            _crop_text(seen) if seen else unknown(),
        ),
        (
            _("normalisation (mean, deviation)"),
            "; ".join(", ".join(f"{v:g}" for v in row) for row in normal) if normal else unknown(),
        ),
        (_("frame sampling"), _flat(used["sampling"])),
        (_("rule over frames"), _flat(used["aggregate"])),
        (_("threshold (logit)"), signed_number(detector.get("threshold"), 6)),
        (_("seed"), str(used["seed"])),
        (_("device"), str(used["device"])),
        (_("version of the regions"), str(used["players"])),
        ("Doorzicht", str(used["toolkit"])),
        ("Python", or_unknown(software.get("python"))),
        (_("system"), or_unknown(software.get("system"))),
        (_("threads"), or_unknown(software.get("threads"))),
        (_("libraries"), _flat(software.get("versions", {}))),
        (_("decoder"), _flat(e["container"]["tools"])),
    ]
    return [Facts(tuple(pairs))]


def _crop_text(seen: Mapping[str, Any]) -> str:
    """Return which crops a detector looks at; files of earlier versions know one kind."""
    text = _("face crop of {size} px, {margin} % margin")
    whole = text.format(size=seen["size"], margin=figures.number(100 * seen["margin"], 1))
    kinds = {"box": _("the face detector's box"), "five_points": _("five points, turned upright")}
    kind = kinds.get(seen.get("crop", "oval"))
    return whole if kind is None else f"{whole} ({kind})"


def _recipe(training: Mapping[str, Any]) -> str:
    if not training.get("recipe"):
        return unknown()
    return _flat({**training["recipe"], "steps_done": training.get("steps_done")})


def _flat(values: Mapping[str, Any]) -> str:
    return ", ".join(f"{k} {'–' if v is None else v}" for k, v in values.items()) or unknown()


def validation_blocks(e: Mapping[str, Any], _shown: ExhibitFigures) -> list[Block]:
    """Return how well the detector does on clips whose truth is known."""
    validation = e["validation"]
    held, ratio = validation["held_back"], validation["calibration"]
    blocks: list[Block] = []
    if held:
        blocks.append(
            Text(
                _(
                    "Of {n} genuine clips that the detector had never seen it called {wrong} "
                    "forged; on {none} more it gave no verdict. The 95 % interval of that part "
                    "runs from {low} to {high} in 100."
                ).format(
                    n=held["genuine"],
                    wrong=held["called_forged"],
                    none=held["abstained"],
                    low=figures.number(100 * held["called_forged_low"], 0),
                    high=figures.number(100 * held["called_forged_high"], 0),
                )
            )
        )
    else:
        blocks.append(Text(_("No figures on clips that the detector never saw are at hand.")))
    if ratio:
        blocks.append(
            Text(
                _(
                    "The likelihood ratio was fitted on {fake} forged and {real} genuine clips: "
                    "{what}."
                ).format(fake=ratio["n_fake"], real=ratio["n_real"], what=ratio["population"])
            )
        )
        if ratio.get("traceless"):  # maps of before had none
            blocks.append(
                Text(
                    _(
                        "It was assumed, not measured, that of 100 forgeries {n} look genuine to "
                        "the detector; a low logit therefore says little for H2."
                    ).format(n=figures.number(100 * ratio["traceless"], 0))
                )
            )
    unlike = (
        _(
            "No validation on material like this exhibit (its compression, face size, pose, "
            "skin tone) is at hand, so error rates on such material are not known, and the "
            "likelihood ratio holds only as far as the exhibit is like the clips it was fitted on."
        )
        if ratio
        else _(
            "No validation on material like this exhibit (its compression, face size, pose, "
            "skin tone) is at hand, so no likelihood ratio is derived from these figures, and "
            "error rates on such material are not known."
        )
    )
    blocks.append(Text(unlike, "warning"))
    when_ = validation["date"] or unknown()
    blocks.append(Facts(((_("date of validation"), str(when_)),)))
    rows = tuple(
        (
            c["person"],
            figures.number(c["face_width_px"], 0),
            figures.number(c["sharpness"], 0),
            figures.number(c["yaw_degrees"], 0),
            figures.number(100 * c["outside_picture"], 0),
        )
        for c in validation["exhibit"]
    )
    if rows:
        heads = (
            _("person"),
            _("face width (px)"),
            _("sharpness"),
            _("turned (degrees)"),
            _("outside the picture (in 100)"),
        )
        blocks.append(
            Grid(FigureTable(_("How the persons of this exhibit can be seen"), heads, rows))
        )
    return blocks
