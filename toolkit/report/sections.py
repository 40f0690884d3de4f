"""A case's report as one tree of sections and blocks, in the language in use.

HTML, PDF and the words in `report.json` are all rendered from this tree, so they say the same.
Texts are plain: whoever renders escapes them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from toolkit import figures
from toolkit._i18n import _, ngettext
from toolkit.figures.charts import Table
from toolkit.media import show_name
from toolkit.media.provenance import printable
from toolkit.messages import Message
from toolkit.report import charts_svg, wording
from toolkit.report.neutral_head import line_head
from toolkit.types import Report, TrackResult

FILES_LISTED = 400
TEXT_MAX = 4000
"""Characters of a text by a person that are printed."""


@dataclass(frozen=True)
class Text:
    """A paragraph. `mark` is a sign beside a verdict, and `kind` how it looks."""

    text: str
    kind: Literal["plain", "note", "verdict", "warning"] = "plain"
    mark: str = ""


@dataclass(frozen=True)
class Items:
    """A list of sentences."""

    lines: tuple[str, ...]


@dataclass(frozen=True)
class Facts:
    """Labels and values."""

    pairs: tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class Grid:
    """A table; `is_long` ones are folded away on screen, and set small on paper."""

    table: Table
    is_long: bool = False


@dataclass(frozen=True, repr=False)
class Figure:
    """A drawing or a picture.

    Attributes
    ----------
    name
        File name without folder: letters, digits, - and the suffix ``.svg`` or ``.png``.
    data
        Its bytes.
    alt, caption
        For those who cannot see it, and what stands below.
    is_styled
        Whether an SVG brings its own colours, or takes those of the page.
    """

    name: str
    data: bytes
    alt: str
    caption: str
    is_styled: bool = True


@dataclass(frozen=True)
class Play:
    """Where the player stands: the exhibit, and what is said where there is no player."""

    exhibit: str
    instead: str


@dataclass(frozen=True)
class Strip:
    """Pictures side by side."""

    figures: tuple[Figure, ...]


Block = Text | Items | Facts | Grid | Figure | Strip | Play


@dataclass(frozen=True)
class Section:
    """A heading with what stands below it.

    Attributes
    ----------
    ident
        Its id within a page: letters, digits and -.
    points
        Which of the 15 points stand here.
    """

    ident: str
    title: str
    blocks: tuple[Block, ...] = ()
    parts: tuple[Section, ...] = ()
    points: tuple[int, ...] = ()


FIRST_OPINION = "first-opinion"


@dataclass(frozen=True)
class Told:
    """The tree, and those of its words that are also fields of `report.json`."""

    title: str
    sections: tuple[Section, ...]
    fields: dict[str, Any]

    @property
    def opening(self) -> int:
        """How many sections stand before the contents: the answer, and what the examiner thinks."""
        return sum(s.ident in ("summary", FIRST_OPINION) for s in self.sections)


@dataclass(frozen=True)
class Still:
    """A PNG of a revealed person: the face and its evidence side by side, and the moment."""

    person: str
    position: int
    picture: bytes


@dataclass(frozen=True)
class Shown:
    """What belongs to an exhibit besides its facts: the report for figures, and covered stills."""

    report: Report
    stills: Sequence[Still] = ()
    has_video: bool = False
    container: tuple[tuple[str, str], ...] = ()
    signs: tuple[str, ...] = ()
    credentials: tuple[str, ...] = ()
    trust: tuple[tuple[str, str, str], ...] = ()
    reshares: tuple[str, ...] = ()
    extra: dict[str, Any] = field(default_factory=dict)


def build(facts: Mapping[str, Any], shown: Mapping[str, Shown], compared: Sequence[Block]) -> Told:
    """Put the facts of a case into words.

    Parameters
    ----------
    facts
        From `casefile.collect`.
    shown
        By exhibit.
    compared
        What is said and drawn of source and re-share.
    """
    h1 = facts["propositions"]["h1"] or default_h1()
    h2 = facts["propositions"]["h2"] or default_h2()
    summary = _summary(facts, shown)
    limits = _limits(facts, shown)
    glossary = _glossary()
    sections = (
        Section(
            "summary",
            _("Summary in plain words"),
            (*_first_page(facts, shown), Items(tuple(summary))),
            points=(15,),
        ),
        *_first_opinion(facts),
        _question(facts, h1, h2),
        Section(
            "exhibits",
            _("What was received"),
            parts=tuple(_exhibit(e) for e in (*facts["exhibits"], *facts["not_analysed"])),
            points=(1,),
        ),
        Section(
            "result",
            _("Result"),
            (Text(_("Findings, not opinion. H1 and H2 are the propositions above."), "note"),),
            tuple(_result(e, shown[e["id"]]) for e in facts["exhibits"]),
            points=(7,),
        ),
        Section(
            "persons",
            _("Who and when"),
            (Text(_("The letters tell persons apart; they do not say who anyone is."), "note"),),
            tuple(p for e in facts["exhibits"] for p in _persons(e, shown[e["id"]], facts)),
            points=(8,),
        ),
        Section(
            "figures",
            _("What the detector used"),
            (Text(disclaimer(), "warning"), Text(_how_to_read())),
            tuple(p for e in facts["exhibits"] for p in _figures(e, shown[e["id"]], facts)),
            points=(9,),
        ),
        _many(facts, "container", _("The file itself"), _container, shown, points=(3,)),
        _many(facts, "reshare", _("Copies and re-shares"), _reshares, shown, more=compared),
        _many(facts, "method", _("Method"), _method, shown, points=(5,)),
        _many(facts, "validation", _("How good the method is"), _validation, shown, points=(6,)),
        _alternatives(facts),
        Section("limits", _("Limits"), (Items(tuple(limits)),), points=(11,)),
        _notes(facts),
        _people(facts),
        _privacy(facts),
        _many(facts, "files", _("Files made from the exhibits"), _files, shown, points=(2,)),
        _log(facts),
        Section("glossary", _("Words used"), (Facts(tuple(glossary)),)),
        _checklist(facts),
    )
    return Told(
        title=written(facts["title"] or _("Report of a video examination")),
        sections=sections,
        fields={
            "summary": summary,
            "limits": limits,
            "glossary": [list(pair) for pair in glossary],
            "propositions": {**facts["propositions"], "h1": h1, "h2": h2},
            "question": {
                **facts["question"],
                "text": facts["question"]["text"] or default_question(),
            },
            "sentence_beside_every_figure": disclaimer(),
        },
    )


# -- sentences that stand in every report


def default_question() -> str:
    """Return the question that is answered unless the examiner states another."""
    return _("Was the face of a person in this video altered by blending another face into it?")


def default_h1() -> str:
    """Return the first proposition."""
    return _("The face region was altered by a synthesis of the blending type.")


def default_h2() -> str:
    """Return its counterpart."""
    return _("The face region is unaltered camera video with this history of compression.")


def disclaimer() -> str:
    """Return the sentence beside every attribution figure."""
    return _("Shows what the model used; it is not proof of manipulation.")


def _how_to_read() -> str:
    return _(
        "Shares are on the scale of the detector's logit and add up to the evidence. A region that "
        "is important to the detector need not have been altered."
    )


def unknown() -> str:
    """Return what is printed where nothing is known."""
    return _("not known")


def _or_unknown(value: Any) -> str:
    return unknown() if value in {None, ""} else written(value)


def written(value: object) -> str:
    """Return a text by a person or from a file on one line, cut where it is too long."""
    return printable(value, most=TEXT_MAX)


def _lines_of(text: str) -> str:
    return "\n".join(written(line) for line in str(text).splitlines()[:200])


def when(utc: str | None) -> str:
    """Return a time as it is printed."""
    return unknown() if not utc else written(utc.replace("T", " ").replace("Z", " UTC"))


# -- sections


def _first_page(facts: Mapping[str, Any], shown: Mapping[str, Shown]) -> Iterator[Block]:
    """Say what a reader without time needs: which case, by whom, when, what, and how sure."""
    examiner = facts["examiner"]
    who = ", ".join(filter(None, (examiner["name"], examiner["role"])))
    exhibits = [*facts["exhibits"], *facts["not_analysed"]]
    yield Facts(
        (
            (_("case"), _or_unknown(facts["title"])),
            (_("examiner"), _or_unknown(who)),
            (_("date of this report"), when(facts["date"])),
            (_("exhibits"), ", ".join(e["id"] for e in exhibits) or _("none")),
        )
    )
    for e in facts["exhibits"]:
        report = shown[e["id"]].report
        _kind, mark = figures.verdict_mark(report)
        said = f"{e['id']}: {figures.verdict_sentence(report)} {figures.distance_sentence(report)}"
        yield Text(said.strip(), "verdict", mark)
        if report.verdict.is_fake:
            yield Text(figures.caution(report))
            yield Text(_explanation_holds(e))
        if known := figures.known_sentence(report):
            yield Text(known)


def _first_opinion(facts: Mapping[str, Any]) -> tuple[Section, ...]:
    """Put what the examiner thinks on the first page too: in a box, apart from the findings."""
    if not facts["opinions"]:
        return ()
    boxes = tuple(Text(_lines_of(n["text"]), "warning") for n in facts["opinions"])
    title = _("Opinion of the examiner, not of the program")
    return (Section(FIRST_OPINION, title, boxes),)


def _explanation_holds(e: Mapping[str, Any]) -> str:
    """Return how far the explanation was checked; where the witnesses differ it says so here."""
    trust = e["attribution"]["trust"]
    figure = next((f for f in (trust or {}).get("figures", ()) if f["name"] == "witnesses"), None)
    if figure is None or figure.get("reads_well") is None:
        return figures.check_sentence(None)
    return figures.check_sentence("agrees" if figure["reads_well"] else "contested")


def _summary(facts: Mapping[str, Any], shown: Mapping[str, Shown]) -> list[str]:
    lines = []
    for e in facts["exhibits"]:
        report = shown[e["id"]].report
        people = ngettext("{n} person was found", "{n} persons were found", len(report.tracks))
        found = people.format(n=len(report.tracks)) if report.tracks else _("nobody was found")
        lines.append(
            _("Exhibit {id}: a video of {length}; {found}.").format(
                id=e["id"], length=figures.clock(report.video.duration_s), found=found
            )
        )
        lines.append(figures.verdict_sentence(report))
        lines += wording.ratio_sentences(report.verdict.log10_lr, report.verdict.lr_bounds)
    lines += [_not_analysed(e) for e in facts["not_analysed"]]
    if not facts["exhibits"] and not facts["not_analysed"]:
        lines.append(_("Nothing was taken in yet."))
    lines += [
        _(
            "A detector's verdict is a lead for further enquiry. By itself it neither shows that a "
            "person forged anything nor that a video is genuine."
        ),
        _("What an examiner makes of it stands apart, under “Opinion”, in a person's own words."),
    ]
    return lines


def _question(facts: Mapping[str, Any], h1: str, h2: str) -> Section:
    text = facts["question"]["text"] or default_question()
    own = facts["propositions"]["stated_by_examiner"]
    by = _("Stated by the examiner.") if own else _("The toolkit's standard propositions.")
    return Section(
        "question",
        _("Question and propositions"),
        (
            Text(_lines_of(text)),
            Facts((("H1", _lines_of(h1)), ("H2", _lines_of(h2)))),
            Text(by, "note"),
        ),
        points=(4,),
    )


def _exhibit(e: Mapping[str, Any]) -> Section:
    got, whole = e["received"], e["integrity"]
    labels = {
        "original_name": _("name of the file"),
        "received_from": _("received from"),
        "source": _("address it came from"),
        "original_changed_at": _("last written to, as the file system says"),
    }
    told = [
        (
            label,
            _("withheld: persons are covered; it is kept in the case")
            if key in got["withheld"]
            else _told(key, got[key]),
        )
        for key, label in labels.items()
    ]
    bytes_ = _("{n} bytes")
    same = whole["sha256_at_end"] == whole["sha256_at_intake"]
    pairs = [
        (_("received by"), _or_unknown(got["by"])),
        (_("received on"), _or_unknown(got["at"])),
        (_("how"), _or_unknown(got["how"])),
        *told,
        (_("taken in"), when(whole["taken_in_at"])),
        (_("SHA-256 at intake"), whole["sha256_at_intake"]),
        (_("size at intake"), bytes_.format(n=whole["bytes_at_intake"])),
        (_("checked last"), when(whole["checked_at"])),
        (_("SHA-256 at the end"), _or_unknown(whole["sha256_at_end"])),
        (
            _("size at the end"),
            bytes_.format(n=whole["bytes_at_end"]) if whole["bytes_at_end"] else unknown(),
        ),
        (_("intake and end agree"), _("yes") if same else _("no")),
    ]
    kept = (
        _("The original is kept in the case, unchanged.")
        if whole["original_kept_in_case"]
        else _("The original is kept outside of the case; its hash is kept.")
    )
    said = kept + " " + _("It was opened for reading only and never written to.")
    title = _("Exhibit {id}").format(id=e["id"])
    blocks: list[Block] = [Facts(tuple(pairs)), Text(said)]
    if "why" in e:
        blocks.append(Text(_not_analysed(e), "warning"))
    return Section(f"exhibit-{e['id']}", title, tuple(blocks))


def _not_analysed(e: Mapping[str, Any]) -> str:
    why = e["why"]
    if why is None or why["event"] == "cancelled":
        return _("Exhibit {id} was received but not analysed.").format(id=e["id"])
    text = _("Exhibit {id} was received but could not be analysed: “{why}”.")
    try:  # earlier versions wrote the English words only
        what = Message.from_plain(why["message"]).text()
    except (LookupError, ValueError):
        what = _or_unknown(why.get("what"))
    return text.format(id=e["id"], why=what)


def _told(key: str, value: str | None) -> str:
    if key == "original_changed_at":
        return when(value)
    return show_name(value) if key == "original_name" and value else _or_unknown(value)


def _result(e: Mapping[str, Any], shown: Shown) -> Section:
    report = shown.report
    _kind, mark = figures.verdict_mark(report)
    blocks: list[Block] = [Text(figures.verdict_sentence(report), "verdict", mark)]
    blocks += [
        Text(s) for s in wording.ratio_sentences(report.verdict.log10_lr, report.verdict.lr_bounds)
    ]
    verdict = report.verdict
    rows = [
        (_("evidence of the clip (logit)"), _number(verdict.logit, 6)),
        (_("threshold of the detector (logit)"), _number(verdict.threshold, 6)),
        (_("log10 of the likelihood ratio"), _number(verdict.log10_lr, 3)),
        (
            _("bounds of the calibration"),
            " … ".join(figures.number(b, 2, signed=True) for b in verdict.lr_bounds)
            if verdict.lr_bounds
            else _("none: not calibrated"),
        ),
    ]
    blocks.append(Facts(tuple(rows)))
    if verdict.log10_lr is not None:
        heads = (_("ratio for H1 over H2"), _("words"))
        caption = _("The scale of words; for ratios below 1 the same with H2")
        table = Table(caption, heads, tuple(wording.scale_rows()))
        blocks += [Grid(table), Text(_("Published scales differ at both ends."), "note")]
    lines = figures.not_judged(report)
    if lines:
        blocks.append(Items(tuple(lines)))
    if e["is_marked_synthetic"]:
        text = _("The file says of itself that it is synthetic teaching material.")
        blocks.append(Text(text, "warning"))
    if shown.has_video:
        instead = _("The covered video can be played in the HTML form of this report.")
        blocks.append(Play(e["id"], instead))
    return Section(f"result-{e['id']}", _("Exhibit {id}").format(id=e["id"]), tuple(blocks))


def _number(value: float | None, digits: int) -> str:
    return "–" if value is None else figures.number(value, digits, signed=True)


def _name(e: Mapping[str, Any], person: str, facts: Mapping[str, Any]) -> str:
    text = _("Person {person}").format(person=person)
    return f"{e['id']}, {text}" if len(facts["exhibits"]) > 1 else text


def _persons(e: Mapping[str, Any], shown: Shown, facts: Mapping[str, Any]) -> Iterator[Section]:
    by_person = {r.track.person: r for r in shown.report.tracks}
    for p in e["persons"]:
        r = by_person[p["id"]]
        blocks: list[Block] = [Text(figures.track_sentence(r)), Text(figures.seen_sentence(r))]
        if len(e["persons"]) > 1:
            ratio = wording.ratio_sentences(r.verdict.log10_lr, r.verdict.lr_bounds)
            blocks += [Text(s) for s in ratio[:1]]
        if r.explanation is not None and r.explanation.intervals:
            blocks.append(Text(_("Stretches of time that speak for forged:")))
            blocks.append(Items(tuple(map(figures.interval_sentence, r.explanation.intervals))))
        else:
            blocks.append(Text(_("No stretch of time is named."), "note"))
        used, unused = len(p["frames_used"]), len(p["frames_unused"])
        counts = _("{sampled} frames were sampled: {used} used, {unused} not used.")
        blocks.append(Text(counts.format(sampled=p["frames_sampled"], used=used, unused=unused)))
        if unused:
            rows = tuple(
                (str(f["index"]), figures.clock(f["pts"], 2), why_unused(f["why"]))
                for f in p["frames_unused"]
            )
            heads = (_("frame"), _("time"), _("why not"))
            blocks.append(Grid(Table(_("Frames not used"), heads, rows), is_long=len(rows) > 8))
        ident = f"curve-{e['id']}-{p['id']}"
        table = figures.table(r, "curve")
        svg = charts_svg.curve(figures.curve(r))
        blocks.append(_chart(ident, svg, table.caption, figures.track_sentence(r)))
        blocks.append(Grid(_with_frames(table, r), is_long=True))
        yield Section(f"person-{e['id']}-{p['id']}", _name(e, p["id"], facts), tuple(blocks))
    if not e["persons"]:
        text = figures.verdict_sentence(shown.report)
        title = _("Exhibit {id}").format(id=e["id"])
        yield Section(f"person-{e['id']}-none", title, (Text(text),))


def why_unused(code: str) -> str:
    """Return why a sampled frame was not used."""
    return {
        "no_usable_face": _(
            "no usable face where the person was expected: hidden, blurred, turned away or gone"
        )
    }.get(code, code)


def _with_frames(table: Table, r: TrackResult) -> Table:
    """Add the frame number to the table of the curve."""
    index = r.track.indices[r.evidence.spans[:, 0]].tolist()
    rows = tuple((str(i), *row) for i, row in zip(index, table.rows, strict=True))
    return Table(_("Every frame that was used"), (_("frame"), *table.heads), rows)


def _chart(ident: str, svg: str, caption: str, alt: str) -> Figure:
    return Figure(f"{ident}.svg", svg.encode(), f"{caption}. {alt}", caption, is_styled=False)


def _figures(e: Mapping[str, Any], shown: Shown, facts: Mapping[str, Any]) -> Iterator[Section]:
    trust = e["attribution"]["trust"]
    for r in shown.report.tracks:
        person, where = r.track.person, f"{e['id']}-{r.track.person}"
        blocks: list[Block] = [Text(figures.region_sentence(r))]
        explanation, bars, matrix = r.explanation, figures.bars(r), figures.matrix(r)
        if explanation is None or bars is None or matrix is None:
            yield Section(f"figures-{where}", _name(e, person, facts), tuple(blocks))
            continue
        said = f"{disclaimer()} {figures.region_sentence(r)}"
        head = line_head(
            explanation.region_shares.tolist(), unsplit=bars.unsplit, ident=f"head-{where}"
        )
        title = _("Share of each region, on a neutral head")
        blocks.append(Figure(f"head-{where}.svg", head.encode(), said, f"{title}. {disclaimer()}"))
        blocks += _stills(person, where, shown, r)
        caption = figures.table(r, "matrix").caption
        strokes = _("A stroke marks shares that speak against forged.")
        caption = f"{caption}. {strokes} {disclaimer()}"
        blocks.append(_chart(f"matrix-{where}", charts_svg.matrix(matrix), caption, said))
        blocks.append(Grid(figures.table(r, "regions")))
        blocks.append(Facts(tuple(_attribution(r))))
        if trust is not None and trust["person"] == person:
            blocks += _trust(trust, shown)
        yield Section(f"figures-{where}", _name(e, person, facts), tuple(blocks))
    if trust is None:
        text = _(
            "Beyond the sum, the explanation was not tested: no faithfulness figures are known."
        )
        yield Section(f"trust-{e['id']}", _("Trust in the explanation"), (Text(text, "warning"),))


def _stills(person: str, where: str, shown: Shown, r: TrackResult) -> Iterator[Block]:
    """Yield the key frames of a revealed person: the face, and the same with the evidence."""
    found = []
    for still in shown.stills:
        if still.person == person:
            at = figures.frame_sentence(r, still.position)
            alt = _("{at}. Left the face, right the same with the detector's evidence over it.")
            caption = f"{at}. {disclaimer()}"
            name = f"face-{where}-{still.position}.png"
            found.append(
                Figure(name, still.picture, f"{alt.format(at=at)} {disclaimer()}", caption)
            )
    if found:
        yield Strip(tuple(found))


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


def _trust(trust: Mapping[str, Any], shown: Shown) -> Iterator[Block]:
    at = _("Tested on the strongest frame, number {n} at {time}.").format(
        n=trust["frame"], time=figures.clock(trust["pts"], 2)
    )
    yield Text(at)
    if not trust["names_regions"]:
        text = _("No reference passed its tests, so no region is named by intervention.")
        yield Text(text, "warning")
    heads = (_("test"), _("figure"), _("what it says"))
    yield Grid(Table(_("How far the explanation can be trusted"), heads, shown.trust))


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


def _container(e: Mapping[str, Any], shown: Shown) -> list[Block]:
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
        blocks.append(Grid(Table(_("Texts in the file"), heads, rows), is_long=True))
    return blocks


def _reshares(_e: Mapping[str, Any], shown: Shown) -> list[Block]:
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
    source, share, found = pair["source"], pair["reshare"], pair["alignment"]
    names = _("source {id}").format(id=source), _("re-share {id}").format(id=share)
    said = f"{names[1]} – {names[0]}: {line}"
    blocks: list[Block] = [Text(said)]
    if found["aligned"] and sizes is not None:
        ident = f"aligned-{source}-{share}-{number}"
        boxes = [
            tuple(found[key][side] for side in ("x", "y", "width", "height"))
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


def _method(e: Mapping[str, Any], _shown: Shown) -> list[Block]:
    method = e["method"]
    detector, used, software = method["detector"], method["used"], method["software"]
    seen = detector.get("input") or {}
    training = method["training"] or {}
    normal = seen.get("normalisation")
    pairs = [
        (_("detector"), _or_unknown(detector.get("title") or detector.get("name"))),
        (_("SHA-256 of its weights"), _or_unknown(detector.get("weights_sha256"))),
        (_("terms of the weights"), _or_unknown(detector.get("licence"))),
        (
            _("training pictures"),
            _or_unknown(", ".join(map(str, training.get("pictures", ()))) or None),
        ),
        (_("training"), _recipe(training)),
        (
            _("clips trained on"),
            _or_unknown(", ".join(training.get("training_clips", ())) or None),
        ),
        (
            _("what it looks at"),
            _("face crop of {size} px, {margin} % margin").format(
                size=seen["size"], margin=figures.number(100 * seen["margin"], 1)
            )
            if seen
            else unknown(),
        ),
        (
            _("normalisation (mean, deviation)"),
            "; ".join(", ".join(f"{v:g}" for v in row) for row in normal) if normal else unknown(),
        ),
        (_("frame sampling"), _flat(used["sampling"])),
        (_("rule over frames"), _flat(used["aggregate"])),
        (_("threshold (logit)"), _number(detector.get("threshold"), 6)),
        (_("seed"), str(used["seed"])),
        (_("device"), str(used["device"])),
        (_("version of the regions"), str(used["players"])),
        ("Doorzicht", str(used["toolkit"])),
        ("Python", _or_unknown(software.get("python"))),
        (_("system"), _or_unknown(software.get("system"))),
        (_("threads"), _or_unknown(software.get("threads"))),
        (_("libraries"), _flat(software.get("versions", {}))),
        (_("decoder"), _flat(e["container"]["tools"])),
    ]
    return [Facts(tuple(pairs))]


def _recipe(training: Mapping[str, Any]) -> str:
    if not training.get("recipe"):
        return unknown()
    return _flat({**training["recipe"], "steps_done": training.get("steps_done")})


def _flat(values: Mapping[str, Any]) -> str:
    return ", ".join(f"{k} {'–' if v is None else v}" for k, v in values.items()) or unknown()


def _validation(e: Mapping[str, Any], _shown: Shown) -> list[Block]:
    found = e["validation"]
    held, ratio = found["held_back"], found["calibration"]
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
    when_ = found["date"] or unknown()
    blocks.append(Facts(((_("date of validation"), str(when_)),)))
    rows = tuple(
        (
            c["person"],
            figures.number(c["face_width_px"], 0),
            figures.number(c["sharpness"], 0),
            figures.number(c["yaw_degrees"], 0),
            figures.number(100 * c["outside_picture"], 0),
        )
        for c in found["exhibit"]
    )
    if rows:
        heads = (
            _("person"),
            _("face width (px)"),
            _("sharpness"),
            _("turned (degrees)"),
            _("outside the picture (in 100)"),
        )
        blocks.append(Grid(Table(_("How the persons of this exhibit can be seen"), heads, rows)))
    return blocks


def alternative_name(name: str) -> str:
    """Return another explanation in words; one that a person named stays as it is."""
    return {
        "recompression": _("The traces come from compressing again."),
        "beauty_filter": _("A beauty filter was on."),
        "upscaling": _("The picture was enlarged or sharpened by software."),
        "make_up": _("Make-up, lighting or something worn explains the traces."),
        "dubbing": _("The picture is genuine, the sound was replaced."),
        "cut_edit": _("The footage is genuine, but cut or slowed."),
    }.get(name, written(name))


def state_name(state: str) -> str:
    """Return whether another explanation was tested."""
    return {
        "tested": _("tested"),
        "not_tested": _("not tested"),
        "not_testable": _("not testable"),
    }[state]


def _why(text: str | None) -> str:
    return {
        None: "–",
        "reshares": _("see “Copies and re-shares”"),
        "sound_not_examined": _("sound is not examined"),
    }.get(text, written(text))


def _alternatives(facts: Mapping[str, Any]) -> Section:
    heads = (_("other explanation"), _("state"), _("how, or why not"), _("by"))
    rows = tuple(
        (
            alternative_name(a["name"]),
            state_name(a["state"]),
            _why(a["why"]),
            written(a["by"] or "–"),
        )
        for a in facts["alternatives"]
    )
    table = Table(_("Other explanations considered"), heads, rows)
    return Section("alternatives", table.caption, (Grid(table),), points=(10,))


def _limits(facts: Mapping[str, Any], shown: Mapping[str, Shown]) -> list[str]:
    lines = []
    for e in facts["exhibits"]:
        blind = e["method"]["detector"].get("blind_to") or ()
        if blind:
            names = ", ".join(_(b) for b in blind)
            lines.append(_("The detector cannot see, or hardly: {names}.").format(names=names))
        lines += figures.limits(shown[e["id"]].report)
    lines += [
        _("Sound was not examined."),
        _("Pictures that were made to deceive this very detector are not covered."),
        _(
            "A cover hides faces. Clothes, hair, surroundings and movements may still tell who "
            "it is."
        ),
    ]
    return list(dict.fromkeys(lines))


def _about(note: Mapping[str, Any]) -> str:
    parts = [note["exhibit"]] if note["exhibit"] else []
    if note["frames"]:
        spans = [str(a) if a == b else f"{a}–{b}" for a, b in note["frames"]]
        parts.append(_("frames {list}").format(list=", ".join(spans)))
    if note["interval_s"]:
        a, b = note["interval_s"]
        parts.append(f"{figures.clock(a)}–{figures.clock(b)}")
    parts += [figures.region_name(r) for r in note["regions"]]
    return ", ".join(parts) or "–"


def _notes(facts: Mapping[str, Any]) -> Section:
    heads = (_("when"), _("by"), _("about"), _("note"))
    rows = tuple(
        (when(n["utc"]), written(n["by"] or "–"), _about(n), _lines_of(n["text"]))
        for n in facts["notes"]
    )
    title = _("Notes")
    blocks: tuple[Block, ...] = (Text(_("There are no notes."), "note"),)
    if rows:
        blocks = (Grid(Table(title, heads, rows)),)
    return Section("notes", title, blocks)


def _people(facts: Mapping[str, Any]) -> Section:
    who = facts["examiner"]
    blocks: list[Block] = [
        Facts(
            (
                (_("examiner"), _or_unknown(who["name"])),
                (_("role"), _or_unknown(who["role"])),
                (_("conflict of interest"), _said(facts["conflict_of_interest"])),
                (_("checked by a colleague"), _said(facts["review"])),
            )
        )
    ]
    opinions: list[Block] = [
        Text(f"{_lines_of(n['text'])}\n({written(n['by'] or '–')}, {when(n['utc'])})")
        for n in facts["opinions"]
    ]
    opinions = opinions or [Text(_("No opinion was written down."), "note")]
    note = Text(_("Typed by a person; nothing here is made by the toolkit."), "note")
    opinion = Section("opinion", _("Opinion"), (note, *opinions))
    return Section("people", _("Who examined"), tuple(blocks), (opinion,), points=(13,))


def _said(notes: Sequence[Mapping[str, Any]]) -> str:
    told = [f"{_lines_of(n['text'])} ({written(n['by'] or '–')})" for n in notes]
    return "; ".join(told) or _("not stated")


def _privacy(facts: Mapping[str, Any]) -> Section:
    about = facts["privacy"]
    asked = about["asked"]
    covered = [f"{e}: {', '.join(p)}" for e, p in about["covered"].items() if p]
    revealed = [f"{e}: {', '.join(p)}" for e, p in asked["reveal"].items()]
    synthetic = ", ".join(about["synthetic_material"])
    pairs = (
        (_("legal basis"), _or_unknown(about["legal_basis"])),
        (_("kept until"), _or_unknown(about["retention"])),
        (_("covered in this report"), "; ".join(covered) or _("nobody")),
        (_("revealed on purpose"), "; ".join(revealed) or _("nobody")),
        (_("marked as synthetic teaching material"), synthetic or _("none")),
    )
    text = _(
        "Faces are biometric data (GDPR, article 9). This report holds no face of a covered "
        "person, no face mesh, no embedding and no sound. The uncovered evidence stays in the "
        "case. For synthetic media see also article 50 of the EU's AI Act."
    )
    return Section("privacy", _("Privacy"), (Text(text), Facts(pairs)), points=(14,))


def _files(e: Mapping[str, Any], _shown: Shown) -> list[Block]:
    made = e["derived"]
    intro = _("Everything was made from a working copy with the same hash as the original.")
    heads = (_("file within the case"), "SHA-256")
    listed = list(made["files"].items())
    rows = tuple((name, sha256) for name, sha256 in listed[:FILES_LISTED])
    pictures = tuple(
        (p["file"], str(p["frame"]), figures.clock(p["pts"], 3), p["sha256"])
        for p in made["pictures"]
    )
    frames = (_("file within the case"), _("frame"), _("time"), "SHA-256")
    blocks: list[Block] = [
        Text(intro),
        Facts(((_("SHA-256 of the working copy"), made["working_copy_sha256"]),)),
        Grid(Table(_("Files"), heads, rows), is_long=True),
    ]
    if pictures:
        caption = _("Pictures and the frames they come from")
        blocks.append(Grid(Table(caption, frames, pictures), is_long=True))
    return blocks


def event_name(event: str) -> str:
    """Return what was done, in words."""
    return {
        "opened": _("case opened"),
        "received": _("file taken in"),
        "analysed": _("analysed"),
        "refused": _("refused"),
        "cancelled": _("cancelled"),
        "checked": _("hashes checked"),
        "noted": _("note written"),
        "covered": _("faces covered"),
        "reported": _("report made"),
        "reshares_tried": _("re-shares tried"),
        "compared": _("source and re-share compared"),
        "signed": _("head signed"),
        "interrupted": _("an earlier step had not ended well"),
        "set_aside": _("leftovers set aside"),
        "integrity_error": _("STOPPED: evidence had changed"),
    }.get(event, event)


def _log(facts: Mapping[str, Any]) -> Section:
    heads = ("#", _("when"), _("what"), _("parameters"), _("hash"))
    rows = tuple(
        (
            str(n["n"]),
            when(n["utc"]),
            event_name(n["event"]),
            _parameters(n["facts"]),
            n["sha256"][:16],
        )
        for n in facts["log"]["entries"]
    )
    text = _(
        "Each line of the log carries the hash of the line before. The head below is the hash of "
        "the last line: keep it elsewhere, and give it to `python -m toolkit verify CASE --head`."
    )
    return Section(
        "log",
        _("Log"),
        (
            Text(text),
            Facts(((_("head of the log"), facts["log"]["head"]),)),
            Grid(Table(_("Steps"), heads, rows), is_long=len(rows) > 40),
        ),
        points=(12,),
    )


def _parameters(facts: Mapping[str, Any]) -> str:
    def flat(values: Mapping[str, Any], prefix: str = "") -> Iterator[str]:
        for key, value in sorted(values.items()):
            if isinstance(value, dict):
                yield from flat(value, f"{prefix}{key}.")
            elif isinstance(value, list):
                yield f"{prefix}{key}={','.join(map(str, value)) or '–'}"
            else:
                text = "–" if value is None else str(value)
                is_hash = len(text) == 64 and key.endswith(("sha256", "head", "key"))
                yield f"{prefix}{key}={text[:12] + '…' if is_hash else text}"

    # settings stand under “Method”; the log says which of them were changed
    # `message` is `what` once more, in the parts that a translation needs
    untold = {"settings", "schema", "message"}
    told = {key: value for key, value in facts.items() if key not in untold}
    return written("; ".join(flat(told)) or "–")


def _glossary() -> list[tuple[str, str]]:
    return [
        (
            _("evidence, logit"),
            _("the detector's own scale; what counts is its place against the threshold"),
        ),
        (_("threshold"), _("from there on the detector calls a person's track forged")),
        (
            _("likelihood ratio"),
            _("how much more probable the findings are under one proposition than under the other"),
        ),
        (_("H1, H2"), _("the two propositions that are compared")),
        (_("abstains"), _("gives no verdict, and says why")),
        (
            _("share"),
            _("the part of the evidence that comes from a frame or region; shares add up"),
        ),
        (_("reference"), _("what stands for “nothing forged” when shares are computed")),
        (_("exhibit"), _("a file as it was received")),
        (_("hash, SHA-256"), _("a fingerprint of a file: any change gives another one")),
        (
            _("Content Credentials"),
            _("a signed statement inside a file about its making; it can be stripped"),
        ),
        (_("re-share"), _("a copy that was cropped, scaled or coded again on its way")),
    ]


def point_title(number: int) -> str:
    """Return what one of the 15 points asks for."""
    return {
        1: _("Exhibit, who received it, hashes at intake and at the end"),
        2: _("Working copy; every derived file hashed and traceable to a frame"),
        3: _("Container facts and Content Credentials"),
        4: _("The question and a pair of propositions"),
        5: _("Method, settings and versions"),
        6: _("Validation on material like the exhibit"),
        7: _("Result as a likelihood ratio, or that there is none"),
        8: _("Result per person and frame; frames not used"),
        9: _("Attribution figures and how far they can be trusted"),
        10: _("Other explanations"),
        11: _("Limits and scope"),
        12: _("Tamper-evident log"),
        13: _("Examiner, review, conflict of interest; opinion apart"),
        14: _("Privacy and marking"),
        15: _("Summary in plain words, glossary"),
    }[number]


def _checklist(facts: Mapping[str, Any]) -> Section:
    heads = ("#", _("point"), _("section"), "report.json")
    rows = tuple(
        (number, point_title(int(number)), found["section"], ", ".join(found["fields"]))
        for number, found in facts["checklist"].items()
    )
    title = _("Where each point of the checklist stands")
    purpose = _(
        "Structured after habits of ENFSI, SWGDE and ISO/IEC; this is not a statement of "
        "compliance."
    )
    return Section("checklist", title, (Text(purpose, "note"), Grid(Table(title, heads, rows))))


def _many(
    facts: Mapping[str, Any],
    ident: str,
    title: str,
    blocks: Any,
    shown: Mapping[str, Shown],
    *,
    points: tuple[int, ...] = (),
    more: Sequence[Block] = (),
) -> Section:
    """Return a section with a part for each exhibit; one exhibit needs no heading of its own."""
    parts = [
        Section(
            f"{ident}-{e['id']}",
            _("Exhibit {id}").format(id=e["id"]),
            tuple(blocks(e, shown[e["id"]])),
        )
        for e in facts["exhibits"]
    ]
    own = tuple(more)
    if len(parts) == 1:
        return Section(ident, title, (*parts[0].blocks, *own), points=points)
    return Section(ident, title, own, tuple(parts), points)
