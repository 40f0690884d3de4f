"""Charts, stills, the explanation and how far it can be trusted; copies and containers."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from toolkit import figures
from toolkit._i18n import _
from toolkit.figures.charts import FigureTable
from toolkit.report import charts_svg
from toolkit.report.neutral_head import line_head
from toolkit.report.sections.blocks import (
    Block,
    ExhibitFigures,
    Facts,
    Figure,
    Grid,
    Items,
    Section,
    Strip,
    Text,
    disclaimer,
    person_name,
    written,
)
from toolkit.types import TrackResult


def chart_figure(ident: str, svg: str, caption: str, alt: str) -> Figure:
    """Return a chart as a figure."""
    return Figure(f"{ident}.svg", svg.encode(), f"{caption}. {alt}", caption, is_styled=False)


def figure_blocks(
    e: Mapping[str, Any], shown: ExhibitFigures, facts: Mapping[str, Any]
) -> Iterator[Section]:
    """Return the charts and pictures of a person."""
    trust = e["attribution"]["trust"]
    for r in shown.report.tracks:
        person, where = r.track.person, f"{e['id']}-{r.track.person}"
        blocks: list[Block] = [Text(figures.region_sentence(r))]
        explanation, bars, matrix = r.explanation, figures.bars(r), figures.matrix(r)
        if explanation is None or bars is None or matrix is None:
            yield Section(f"figures-{where}", person_name(e, person, facts), tuple(blocks))
            continue
        sentence = f"{disclaimer()} {figures.region_sentence(r)}"
        head = line_head(
            explanation.region_shares.tolist(), unsplit=bars.unsplit, ident=f"head-{where}"
        )
        title = _("Share of each region, on a neutral head")
        blocks.append(
            Figure(f"head-{where}.svg", head.encode(), sentence, f"{title}. {disclaimer()}")
        )
        blocks += _stills(person, where, shown, r)
        caption = figures.table(r, "matrix").caption
        strokes = _("A stroke marks shares that speak against forged.")
        caption = f"{caption}. {strokes} {disclaimer()}"
        blocks.append(chart_figure(f"matrix-{where}", charts_svg.matrix(matrix), caption, sentence))
        blocks.append(Grid(figures.table(r, "regions")))
        blocks.append(Facts(tuple(_attribution(r))))
        if trust is not None and trust["person"] == person:
            blocks += _trust(trust, shown)
        yield Section(f"figures-{where}", person_name(e, person, facts), tuple(blocks))
    if trust is None:
        text = _(
            "Beyond the sum, the explanation was not tested: no faithfulness figures are known."
        )
        yield Section(f"trust-{e['id']}", _("Trust in the explanation"), (Text(text, "warning"),))


def _stills(person: str, where: str, shown: ExhibitFigures, r: TrackResult) -> Iterator[Block]:
    """Yield the key frames of a revealed person: the face, and the same with the evidence."""
    stills = []
    for still in shown.stills:
        if still.person == person:
            at = figures.frame_sentence(r, still.position)
            alt = _("{at}. Left the face, right the same with the detector's evidence over it.")
            caption = f"{at}. {disclaimer()}"
            name = f"face-{where}-{still.position}.png"
            stills.append(
                Figure(name, still.picture, f"{alt.format(at=at)} {disclaimer()}", caption)
            )
    if stills:
        yield Strip(tuple(stills))


def _attribution(r: TrackResult) -> Iterator[tuple[str, str]]:
    explanation = r.explanation
    assert explanation is not None
    yield _("method"), _("Shapley shares in closed form, over frames and regions")
    yield _("target"), _("the detector's logit for forged")
    kind = figures.reference_name(explanation.reference_kind)
    at = figures.number(explanation.reference_logit, 3, signed=True)
    yield _("compared with"), _("{kind} (logit {at})").format(kind=kind, at=at)
    valid = explanation.reference_valid
    yield _("that reference is judged genuine"), _("yes") if valid else _("no")
    yield (
        _("scale"),
        _("hatching to the right and orange: for forged; to the left and blue: against"),
    )
    yield _("left over when added up"), f"{explanation.residual:.1e}"


def _trust(trust: Mapping[str, Any], shown: ExhibitFigures) -> Iterator[Block]:
    at = _("Tested on the strongest frame, number {n} at {time}.").format(
        n=trust["frame"], time=figures.clock(trust["pts"], 2)
    )
    yield Text(at)
    if not trust["names_regions"]:
        text = _("No reference passed its tests, so no region is named by intervention.")
        yield Text(text, "warning")
    heads = (_("test"), _("figure"), _("what it says"))
    yield Grid(FigureTable(_("How far the explanation can be trusted"), heads, shown.trust))


def trust_name(name: str) -> str:
    """Return what a trust figure is about."""
    known = {
        "reference_v1": _("reference is judged genuine"),
        "reference_v2": _("reference leaves genuine frames alone"),
        "reference_v3": _("reference finds what was planted"),
        "seam": _("replacing leaves no seam"),
        "randomisation": _("random weights give another map"),
        "deletion": _("taking regions away in this order"),
        "insertion": _("putting regions back in this order"),
        "additivity": _("bars describe the detector"),
        "infidelity": _("infidelity"),
        "stability": _("other seeds"),
        "context": _("background"),
        "references_agree": _("a second reference"),
        "witnesses": _("both witnesses"),
        "key_frames": _("other key frames"),
    }
    if name.startswith("completeness_"):
        return _("a pixel method adds up")
    return known.get(name, name.replace("_", " "))


def container_blocks(e: Mapping[str, Any], shown: ExhibitFigures) -> list[Block]:
    """Return what the file's container says."""
    blocks: list[Block] = [
        Text(_("Facts of the container are listed, not judged; none of them feeds the verdict.")),
        Facts(tuple((label, written(value)) for label, value in shown.container)),
    ]
    if shown.signs:
        blocks += [Text(_("Signs that a reader should know of:")), Items(shown.signs)]
    blocks.append(Items(tuple(map(written, shown.credentials))))
    rows = tuple(
        (written(m["where"]), written(m["key"]), written(m["value"]))
        for m in e["container"]["metadata"]
    )
    if rows:
        heads = (_("where"), _("name"), _("value"))
        blocks.append(Grid(FigureTable(_("Texts in the file"), heads, rows), is_long=True))
    return blocks


def reshare_blocks(_e: Mapping[str, Any], shown: ExhibitFigures) -> list[Block]:
    """Return how the verdict fared after further re-shares."""
    if not shown.reshares:
        text = _("It was not tried whether the verdict holds after cropping and coding again.")
        return [Text(text, "note")]
    return [Text(_("The same analysis after further re-shares:")), Items(shown.reshares)]


def compared(number: int, pair: Mapping[str, Any], line: str, sizes: Any) -> list[Block]:
    """Return what is known of an exhibit that was laid on its presumed source.

    Parameters
    ----------
    number
        Of the comparison, from 1.
    pair
        ``source``, ``reshare`` and ``alignment`` as stored.
    line
        The alignment in words.
    sizes
        Width and height of both pictures, or None.
    """
    source, share, alignment = pair["source"], pair["reshare"], pair["alignment"]
    names = _("source {id}").format(id=source), _("re-share {id}").format(id=share)
    said = f"{names[1]} – {names[0]}: {line}"
    blocks: list[Block] = [Text(said)]
    if alignment["aligned"] and sizes is not None:
        ident = f"aligned-{source}-{share}-{number}"
        boxes = [
            tuple(alignment[key][side] for side in ("x", "y", "width", "height"))
            for key in ("kept", "shown")
        ]
        svg = charts_svg.aligned(boxes[0], boxes[1], sizes=sizes, names=names, ident=ident)
        caption = _(
            "The frame that stays, in both. Hatched on the left: what was cut away of the source; "
            "on the right: what was added. The faces are left out."
        )
        alt = f"{caption} {said}"
        blocks.append(Figure(f"{ident}.svg", svg.encode(), alt, caption, is_styled=False))
    return blocks
