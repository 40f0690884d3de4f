"""Make a case's report: everything in it may leave the case, and can be checked without it.

`report/R1/` holds report.html, report.pdf and report.json, the log up to the report, settings, the
detector's card, the packages that were installed, covered pictures, and a manifest with the hash of
each; `report/R1.zip` is the same in one file. `contents` is a pure function of the case and of what
was asked, so `verify` can make the same bytes again.
"""

from __future__ import annotations

import dataclasses
import hashlib
import io
import zipfile
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from toolkit import _i18n
from toolkit.casework import facts as casefile
from toolkit.casework import log, operations
from toolkit.casework.case import LOG, MANIFEST, Case, Exhibit, dump
from toolkit.casework.facts import ReportRequest
from toolkit.explain.trust import TrustFigure
from toolkit.figures.page_parts import speaking
from toolkit.files import atomic_write
from toolkit.media.alignment import Alignment, Rect
from toolkit.media.credentials import Credentials
from toolkit.media.display import DisplayCopy
from toolkit.media.provenance import Edit, Gop, MetadataEntry, Provenance, Sign
from toolkit.player import Scene
from toolkit.report import case_page, pdf, sections
from toolkit.report.sections import ExhibitFigures, Still
from toolkit.report.stills import png
from toolkit.types import FaceCrops, KeyFrame, Report, Tick, no_tick

_TIME = (1980, 1, 1, 0, 0, 0)


def report(
    case: Case,
    *,
    language: str | None = None,
    reveal: Collection[str] = (),
    video: bool = True,
    name_source: bool = False,
    tick: Tick = no_tick,
) -> Path:
    """Make the report; return its folder within the case.

    Originals and working copies are hashed again first. Every face is covered except those of
    persons to reveal, and the log says who that is.

    Parameters
    ----------
    case
        With at least one exhibit that was analysed. Others are listed as received.
    language
        ``"en"`` or ``"nl"``; None = the one in use.
    reveal
        Persons who may be seen: ``"A"``, or ``"E1:A"`` where there are several exhibits.
    video
        Whether a covered copy of each video is put into the HTML.
    name_source
        Whether file names, senders and addresses are printed although persons are covered.
    tick
        Called with the stages cover, redact, redact_check, display and report.

    Raises
    ------
    UsageError
        If a person to reveal is not there.
    CaseError
        If no exhibit was analysed.
    IntegrityError
        If evidence changed.
    RedactionError
        If a face stays uncovered.
    Cancelled
        If `tick` raises it.
    """
    with case.working("report"):
        for exhibit in () if _analysed(case) else case.exhibits():
            operations.latest(case, exhibit)
        asked = ReportRequest(
            language or _i18n.language(), operations.parse_reveal(case, reveal), video, name_source
        )
        for exhibit in case.exhibits():
            case.record("checked", facts={"exhibit": exhibit.id, "check": case.check(exhibit)})
        for exhibit in _analysed(case):
            shown = asked.reveal.get(exhibit.id, frozenset())
            operations.cover(case, exhibit, shown, video=video, tick=tick)
        tick("report", 0, 1)
        target = case.free_name("report", "R")
        made = dict(contents(case, asked))
        with case.step(target) as folder:
            for name, data in made.items():
                path = folder / name
                path.parent.mkdir(exist_ok=True)
                path.write_bytes(data)
        zipped = f"{target}.zip"
        atomic_write(case.path(zipped), packed(made))
        facts = {"asked": asked.to_dict()}
        case.record_folder("reported", target, facts=facts, files=[zipped])
        tick("report", 1, 1)
        return case.path(target)


def again(case: Case, entry: log.LogEntry) -> Iterator[tuple[str, bytes]]:
    """Make the files of an earlier report again, from the case as it was then."""
    before = case.at(entry.prev)
    target = entry.facts["folder"]
    made = dict(contents(before, ReportRequest.from_dict(entry.facts["asked"])))
    for name, data in made.items():
        yield f"{target}/{name}", data


def packed(made: dict[str, bytes]) -> bytes:
    """Return files as a ZIP that is the same each time."""
    raw = io.BytesIO()
    with zipfile.ZipFile(raw, "w", zipfile.ZIP_DEFLATED) as box:
        for name, data in sorted(made.items()):
            box.writestr(zipfile.ZipInfo(name, _TIME), data, zipfile.ZIP_DEFLATED)
    return raw.getvalue()


def contents(case: Case, asked: ReportRequest) -> Iterator[tuple[str, bytes]]:
    """Yield the name and the bytes of each file of a report."""
    with speaking(asked.language):
        facts = casefile.collect(case, asked)
        shown = {e.id: _shown(case, e, asked) for e in _analysed(case)}
        told = sections.build(facts, shown, _compared(facts))
        scenes = {e.id: s for e in _analysed(case) if (s := _scene(case, e, asked)) is not None}
        made = {
            "report.json": dump({**facts, **told.fields, "sections": words(told)}).encode(),
            "report.html": case_page.page(told, scenes).encode(),
            "report.pdf": pdf.pdf(
                told, date=facts["date"], author=sections.written(facts["examiner"]["name"] or "–")
            ),
        }
    made |= _companions(case, facts)
    for exhibit in shown:
        for name in _stills(case, exhibit, asked):
            made[f"pictures/{exhibit}-{Path(name).name}"] = case.read(name)
    listed = {name: hashlib.sha256(data).hexdigest() for name, data in sorted(made.items())}
    made[MANIFEST] = dump({"schema": "doorzicht.bundle/1", "files": listed}).encode()
    yield from made.items()


def words(told: sections.ReportTree) -> list[dict[str, Any]]:
    """Return the tree as plain values; a figure is its name, its hash and its words."""

    def block(found: sections.Block) -> dict[str, Any]:
        plain: dict[str, Any] = {"type": type(found).__name__.lower()}
        if isinstance(found, sections.Strip):
            return plain | {"figures": [block(f) for f in found.figures]}
        if isinstance(found, sections.Figure):
            return plain | {
                "name": found.name,
                "sha256": hashlib.sha256(found.data).hexdigest(),
                "alt": found.alt,
                "caption": found.caption,
            }
        return plain | dataclasses.asdict(found)

    def section(found: sections.Section) -> dict[str, Any]:
        return {
            "id": found.ident,
            "title": found.title,
            "points": list(found.points),
            "blocks": [block(b) for b in found.blocks],
            "parts": [section(s) for s in found.parts],
        }

    return [section(s) for s in told.sections]


def _analysed(case: Case) -> list[Exhibit]:
    """Return the exhibits that something was found out about."""
    return [e for e in case.exhibits() if e.analyses]


def _companions(case: Case, facts: dict[str, Any]) -> dict[str, bytes]:
    """Return what a second examiner needs besides the report."""
    lines = case.path(LOG).read_bytes().split(b"\n")[: len(case.entries())]
    made = {LOG: b"\n".join(lines) + b"\n"}
    settings = {e["id"]: e["method"]["settings"] for e in facts["exhibits"]}
    made["settings.json"] = dump(settings).encode()
    for exhibit in facts["exhibits"]:
        name = exhibit["id"]
        made[f"environment-{name}.txt"] = case.read(f"{exhibit['folder']}/environment.txt")
        made[f"run-{name}.json"] = case.read(f"{exhibit['folder']}/run.json")
        made[f"detector-{name}.json"] = case.read(f"{exhibit['folder']}/detector.json")
    return made


# -- what is shown of an exhibit


def _cover_folder(case: Case, exhibit: str, asked: ReportRequest) -> str | None:
    """Return the folder of covered pictures, if there is one for what was asked."""
    found = case.exhibit(exhibit)
    reveal = asked.reveal.get(exhibit, frozenset())
    if not asked.video and not reveal:
        return None
    name = operations.covered_name(operations.latest(case, found), reveal)
    return name + ("" if asked.video else "-stills")


def _stills(case: Case, exhibit: str, asked: ReportRequest) -> list[str]:
    folder = _cover_folder(case, exhibit, asked)
    if folder is None:
        return []
    return [f"{folder}/{p['file']}" for p in case.read_json(f"{folder}/pictures.json")]


def _redacted(
    case: Case, exhibit: Exhibit, asked: ReportRequest
) -> tuple[Report, dict[str, FaceCrops], list[Still]]:
    """Return the report without anything of a covered person's face, and crops of the others."""
    found = operations.examination(case, exhibit)
    reveal = asked.reveal.get(exhibit.id, frozenset())
    folder = _cover_folder(case, exhibit.id, asked)
    listed = case.read_json(f"{folder}/pictures.json") if folder else []
    pictures: dict[tuple[str, int], dict[str, bytes]] = {}
    for p in listed:
        kinds = pictures.setdefault((p["person"], p["position"]), {})
        kinds[p["kind"]] = case.read(f"{folder}/{p['file']}")
    tracks = []
    for r in found.report.tracks:
        if r.track.person in reveal:
            keys = tuple(
                dataclasses.replace(k, rgb=_decoded(pictures[r.track.person, k.position]["crop"]))
                for k in r.key_frames
                if (r.track.person, k.position) in pictures
            )
            tracks.append(dataclasses.replace(r, key_frames=keys))
            continue
        bare = dataclasses.replace(
            r.track,
            boxes=np.zeros_like(r.track.boxes),
            mesh=np.zeros_like(r.track.mesh),
            pose=np.zeros_like(r.track.pose),
        )
        blank = tuple(KeyFrame(k.position, np.zeros_like(k.rgb), None) for k in r.key_frames)
        tracks.append(dataclasses.replace(r, track=bare, key_frames=blank))
    video = dataclasses.replace(found.report.video, path=Path(exhibit.id))
    report_ = dataclasses.replace(found.report, video=video, tracks=tuple(tracks))
    crops = {p: c for p, c in found.crops.items() if p in reveal}
    stills = [
        Still(person, at, png(np.hstack([_decoded(kinds["crop"]), _decoded(kinds["evidence"])])))
        for (person, at), kinds in sorted(pictures.items())
    ]
    return report_, crops, stills


def _decoded(data: bytes) -> Any:
    bgr = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)
    assert bgr is not None
    return np.ascontiguousarray(bgr[..., ::-1])


def _shown(case: Case, exhibit: Exhibit, asked: ReportRequest) -> ExhibitFigures:
    report_, _crops, stills = _redacted(case, exhibit, asked)
    folder = operations.latest(case, exhibit)
    reveal = asked.reveal.get(exhibit.id, frozenset())
    persons = {r.track.person for r in report_.tracks}
    is_open = bool(persons) and persons <= reveal
    container = provenance_of(case.read_json(f"{folder}/provenance.json"))
    told = container if is_open else container.without_private()
    facts = case.read_json(f"{folder}/credentials.json")
    if not is_open:
        facts = casefile.unnamed(facts)
    signed = credentials_of(facts)
    return ExhibitFigures(
        report=report_,
        stills=stills,
        has_video=asked.video,
        container=tuple(container.lines(private=is_open)),
        signs=tuple(sign.line() for sign in told.signs),
        credentials=(signed.integrity_line(), signed.trust_line()),
        trust=_trust(case.read_json(f"{folder}/trust.json")),
        reshares=reshare_lines(casefile.reshares(case, exhibit)),
        key=_key(case, exhibit, asked),
    )


def _key(case: Case, exhibit: Exhibit, asked: ReportRequest) -> Still | None:
    """Return the covered key frame of the first page, where a covered video was made."""
    folder = _cover_folder(case, exhibit.id, asked)
    key = None if folder is None else operations.covered_key(case, folder)
    return None if key is None else Still(key.person, key.frame, key.picture, key.pts)


def _scene(case: Case, exhibit: Exhibit, asked: ReportRequest) -> Scene | None:
    folder = _cover_folder(case, exhibit.id, asked)
    if folder is None or not asked.video:
        return None
    report_, crops, _ignored = _redacted(case, exhibit, asked)
    case.read(f"{folder}/display.mp4")  # its hash is checked
    copy = DisplayCopy.from_dict(
        case.path(f"{folder}/display.mp4"), case.read_json(f"{folder}/display.json")
    )
    return Scene.of(report_, copy, crops=crops)


def _trust(found: dict[str, Any] | None) -> tuple[tuple[str, str, str], ...]:
    signs = {True: "✓", False: "✗", None: "–"}
    rows = []
    for f in found["figures"] if found else ():
        figure = TrustFigure(f["name"], f["value"], f["reads_well"], f["text"], f["values"])
        name = sections.trust_name(figure.name)
        rows.append((name, signs[figure.reads_well], figure.sentence))
    return tuple(rows)


def reshare_lines(found: dict[str, Any] | None) -> tuple[str, ...]:
    """Return the outcomes of re-shares, as `Robustness.to_dict` wrote them, in words."""
    from toolkit.analysis.robustness import ChainOutcome, Robustness

    if found is None:
        return ()
    tried = Robustness(
        tuple((p, w) for p, w in found["first"]),
        tuple(ChainOutcome(**o) for o in found["outcomes"]),
        tuple((c, w) for c, w in found["failed"]),
    )
    return tuple(tried.lines())


def _compared(facts: dict[str, Any]) -> list[sections.Block]:
    known = {e["id"]: tuple(e["container"]["shown_size"]) for e in facts["exhibits"]}
    blocks = []
    for number, c in enumerate(facts["compared"], 1):
        pair = (c["source"], c["reshare"])
        sizes = (known[pair[0]], known[pair[1]]) if known.keys() >= set(pair) else None
        line = alignment_of(c["alignment"]).line()
        blocks += sections.compared(number, c, line, sizes)
    return blocks


def alignment_of(facts: dict[str, Any]) -> Alignment:
    """Return the alignment that `Alignment.to_dict` wrote."""
    found = dict(facts)
    for key in ("kept", "shown"):
        found[key] = Rect(**found[key]) if found[key] else None
    found["scale"] = tuple(found["scale"]) if found["scale"] else None
    return Alignment(**found)


def provenance_of(facts: dict[str, Any]) -> Provenance:
    """Return the container facts that `Provenance.to_dict` wrote."""
    found = {k: v for k, v in facts.items() if k != "private_left_out"}
    gop = found["gop"]
    found |= {
        "gop": Gop(**{**gop, "distances": tuple(gop["distances"])}),
        "encoders": tuple(MetadataEntry(**e) for e in found["encoders"]),
        "metadata": tuple(MetadataEntry(**e) for e in found["metadata"]),
        "edit_list": tuple(Edit(**e) for e in found["edit_list"]),
        "signs": tuple(Sign(**s) for s in found["signs"]),
    }
    for key in ("stored_size", "shown_size", "pixel_aspect", "audio", "not_examined", "borders"):
        found[key] = tuple(found[key]) if found[key] is not None else None
    return Provenance(**found)


def credentials_of(facts: dict[str, Any]) -> Credentials:
    """Return the Content Credentials that `Credentials.to_dict` wrote."""
    return Credentials(**{**facts, "statuses": tuple(facts["statuses"])})
