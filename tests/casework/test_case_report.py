"""A case's report: the 15 points, careful words, nobody's face, the same bytes again."""

from __future__ import annotations

import base64
import dataclasses
import hashlib
import html
import io
import json
import math
import re
import shutil
import socket
import zipfile
from html.parser import HTMLParser

import cv2
import numpy as np
import pytest

from tests.casework import casework
from tests.media.signed import remote
from toolkit import _i18n, media
from toolkit.analysis import robustness
from toolkit.casework import case as cases
from toolkit.casework import facts as casefile
from toolkit.casework import operations, publish, verify
from toolkit.casework.case import Case, CaseError
from toolkit.casework.facts import ReportRequest
from toolkit.cli.main import main
from toolkit.errors import UsageError
from toolkit.media import alignment, credentials
from toolkit.messages import Message
from toolkit.report import pdf, sections, wording
from toolkit.report.sections.log import _parameters
from toolkit.report.sections.result import not_analysed_sentence
from toolkit.types import Verdict
from toolkit.verdict import calibration
from toolkit.verdict.calibration import Calibration

HOSTILE = "<img src=x onerror=alert(1)>\"'&{x}\u202e #panic() *b* $x$ @ref ${jndi:x}"
VOID = {"meta", "img", "rect", "line", "circle", "path", "polyline", "br", "input"}


class Reader(HTMLParser):
    """Collects text by section id; fails when tags do not nest."""

    def __init__(self, page):
        super().__init__()
        self.open, self.ids, self.words, self.tags, self.attributes = [], {}, [], [], []
        self.feed(page)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.attributes += [(tag, *a) for a in attrs]
        ident = dict(attrs).get("id")
        if ident:
            assert ident not in self.ids, ident
            self.ids[ident] = []
        if tag not in VOID:
            self.open.append((tag, ident))

    def handle_startendtag(self, tag, attrs):
        self.tags.append(tag)
        self.attributes += [(tag, *a) for a in attrs]

    def handle_endtag(self, tag):
        assert self.open.pop()[0] == tag

    def handle_data(self, data):
        if self.open and self.open[-1][0] in {"script", "style"}:
            return
        self.words.append(data)
        for _tag, ident in self.open:
            if ident:
                self.ids[ident].append(data)

    def said(self, ident):
        return " ".join(" ".join(self.ids[ident]).split())


@pytest.fixture(scope="session")
def clip(tmp_path_factory):
    return casework.clip(tmp_path_factory.mktemp("clips") / "Anna's holiday.mp4")


@pytest.fixture(scope="session")
def made(tmp_path_factory, clip):
    case = casework.make(tmp_path_factory.mktemp("case") / "c", clip)
    publish.report(case, language="en", video=False)
    publish.report(case, language="nl", video=False)
    return case


@pytest.fixture
def case(made, tmp_path):
    return Case(shutil.copytree(made.folder, tmp_path / "c"))


def report_of(case, number=1):
    return case.read_json(f"report/R{number}/report.json")


def page_of(case, number=1):
    return case.path(f"report/R{number}/report.html").read_text(encoding="utf-8")


# -- the 15 points


def at(report, path):
    """Return every value that a field of the checklist names."""
    found = [report]
    for key in path.split("."):
        found = [w for v in found for w in (v if key == "*" else [v[key]])]
    return found


@pytest.mark.parametrize("number", [1, 2])
def test_all_15_points_are_there_in_json_and_html(made, number):
    report, reader = report_of(made, number), Reader(page_of(made, number))
    assert sorted(map(int, report["checklist"])) == list(range(1, 16))
    by_id = {s["id"]: s for s in report["sections"]}
    for point, found in report["checklist"].items():
        for field in found["fields"]:
            values = at(report, field)
            assert values, (point, field)  # "not known" is a value; leaving out is not
        section = by_id[found["section"]]
        assert int(point) in section["points"]
        assert f"point-{point}" in reader.ids
        assert len(reader.said(found["section"])) > 40, point


def test_point_1_exhibit_and_hashes(made, clip):
    report, reader = report_of(made), Reader(page_of(made))
    whole = report["exhibits"][0]["integrity"]
    assert whole["sha256_at_intake"] == whole["sha256_at_end"] == media.probe(clip).sha256
    assert whole["bytes_at_intake"] == whole["bytes_at_end"] == clip.stat().st_size
    said = reader.said("exhibits")
    assert said.count(whole["sha256_at_intake"]) == 2
    assert "never written to" in said
    assert "N. N." in said


def test_point_2_every_derived_file_with_frame_and_time(made):
    derived = report_of(made)["exhibits"][0]["derived"]
    files = made.files()
    assert derived["files"]
    assert all(files[name] == sha256 for name, sha256 in derived["files"].items())
    pictures = {p["file"]: p for p in derived["pictures"]}
    assert {n for n in derived["files"] if n.endswith(".png")} == set(pictures)
    assert all(type(p["frame"]) is int and type(p["pts"]) is float for p in pictures.values())
    said = Reader(page_of(made)).said("files")
    assert all(name in said and p["sha256"] in said for name, p in pictures.items())


def test_point_3_container_and_credentials(made):
    report, said = report_of(made), Reader(page_of(made)).said("container")
    assert report["exhibits"][0]["container"]["codec"] == "h264"
    assert report["exhibits"][0]["credentials"]["outcome"] == "absent"
    assert "none found" in said
    assert "none of them feeds the verdict" in said


def test_point_4_neither_proposition_is_empty(made, case):
    for number in (1, 2):
        found = report_of(made, number)["propositions"]
        assert found["h1"]
        assert found["h2"]
        assert not found["stated_by_examiner"]
    case.note("propositions", h1="It was altered by Z.", h2="It was not.")
    case.note("question", text="Is this Z's work?")
    publish.report(case, video=False)
    said = Reader(page_of(case, 3)).said("question")
    assert "It was altered by Z." in said
    assert "Is this Z's work?" in said


def test_point_5_method_equals_what_was_used(made):
    method = report_of(made)["exhibits"][0]["method"]
    used = report_of(made)["exhibits"][0]["analysis"]["settings"]
    said = Reader(page_of(made)).said("method")
    assert method["detector"]["weights_sha256"] == used["detector"]["weights_sha256"]
    for value in (used["detector"]["weights_sha256"], used["seed"], used["device"]):
        assert str(value) in said
    for library in ("av", "torch", "numpy"):
        assert f"{library} {method['software']['versions'][library]}" in said


def test_point_6_validation_with_numbers_and_interval(made):
    report, said = report_of(made), Reader(page_of(made)).said("validation")
    held = report["exhibits"][0]["validation"]["held_back"]
    assert (held["genuine"], held["called_forged"], held["abstained"]) == (34, 6, 3)
    assert 0 < held["called_forged_low"] < 6 / 34 < held["called_forged_high"] < 1
    assert "34" in said
    assert "No validation on material like this exhibit" in said


def test_point_7_no_ratio_is_said_to_be_none(made):
    assert report_of(made)["exhibits"][0]["result"]["verdict"]["log10_lr"] is None
    assert "No likelihood ratio is given" in Reader(page_of(made)).said("result")


def test_point_8_per_person_used_and_unused(made):
    report, reader = report_of(made), Reader(page_of(made))
    persons = report["exhibits"][0]["persons"]
    assert [p["id"] for p in persons] == ["A", "B"]
    for p in persons:
        assert [f["index"] for f in p["frames_unused"]] == [casework.UNUSED]
        assert len(p["frames_used"]) + len(p["frames_unused"]) == p["frames_sampled"]
        said = reader.said(f"person-E1-{p['id']}")
        assert f"{p['frames_sampled']} frames were sampled" in said
        for frame in p["frames_unused"]:
            assert str(frame["index"]) in said
    assert "0:01.0–0:02.5" in reader.said("person-E1-A")


def test_point_9_the_sentence_stands_beside_every_figure(made):
    for number, sentence in ((1, "it is not proof of manipulation"), (2, "het is geen bewijs")):
        reader = Reader(page_of(made, number))
        report = report_of(made, number)
        figures = [
            b
            for s in report["sections"]
            if s["id"] == "figures"
            for p in s["parts"]
            for b in p["blocks"]
            if b["type"] == "figure"
        ]
        assert figures
        assert all(report["sentence_beside_every_figure"] in f["caption"] for f in figures)
        assert sentence in reader.said("figures")
    attribution = report["exhibits"][0]["attribution"]
    for f in attribution["figures"]:
        assert {"reference", "residual", "on"} <= set(f)
    assert attribution["trust"] is None
    assert "no faithfulness figures are known" in Reader(page_of(made)).said("figures")


def test_point_10_alternatives(made, case):
    found = report_of(made)["alternatives"]
    assert [a["name"] for a in found] == list(cases.ALTERNATIVES)
    assert all(a["state"] in cases.STATES for a in found)
    case.note("alternative", alternative="make_up", state="tested", text="seen in person")
    case.note("alternative", alternative="A mask.", state="not_testable")
    publish.report(case, video=False)
    said = Reader(page_of(case, 3)).said("alternatives")
    assert "seen in person" in said
    assert "A mask." in said


def test_point_11_limits_stand_in_every_report(made):
    assert "does not show that a video is genuine" in Reader(page_of(made)).said("limits")
    assert "geluid" in Reader(page_of(made, 2)).said("limits").lower()


def test_point_12_log_and_head(made):
    report, said = report_of(made), Reader(page_of(made)).said("log")
    entries = made.entries()
    n = len(report["log"]["entries"])
    assert report["log"]["head"] == entries[n - 1].sha256
    assert report["log"]["head"] in said
    assert entries[n].event == "reported"
    assert [e["sha256"] for e in report["log"]["entries"]] == [e.sha256 for e in entries[:n]]


def test_point_13_opinion_is_typed_and_apart(made, case):
    assert "No opinion was written down" in Reader(page_of(made)).said("people")
    case.note("opinion", text="I think it was edited.", by="N. N.")
    case.note("review", text="Read and agreed.", by="M. M.")
    case.note("conflict", text="None.")
    publish.report(case, video=False)
    reader = Reader(page_of(case, 3))
    assert "I think it was edited." in reader.said("opinion")
    assert "I think it was edited." in reader.said("first-opinion")  # on the first page, in a box
    assert "I think it was edited." not in reader.said("result") + reader.said("summary")
    assert "Read and agreed. (M. M.)" in reader.said("people")


def test_point_14_privacy(made):
    said = Reader(page_of(made)).said("privacy")
    assert "consent" in said
    assert "E1: A, B" in said


def test_the_first_page_says_which_case_what_and_how_sure(made):
    html = page_of(made)
    said = Reader(html).said("summary")
    assert "A clip" in said
    assert "E1: The detector calls this video forged: mostly the mouth" in said
    assert "no proof of manipulation" in said
    assert "Explanation: " in said
    assert html.index('id="summary"') < html.index("<nav") < html.index('id="question"')


def test_long_tables_stand_at_the_end_on_paper(made):
    from toolkit.figures.charts import FigureTable
    from toolkit.report import pdf
    from toolkit.report.sections import Grid, Section, Text

    table = FigureTable("Frames", ("a",), (("1",),))
    sections = (
        Section("one", "One", (Grid(table, is_long=True), Grid(table))),
        Section("two", "Two"),
    )
    first, second, annex = pdf._with_annex(sections)
    assert isinstance(first.blocks[0], Text)
    assert "stands in the annex" in first.blocks[0].text
    assert first.blocks[1] == Grid(table)
    assert second == sections[1]
    assert annex.blocks[0].table.rows == table.rows
    assert annex.blocks[0].table.caption == "One: Frames"


def test_point_15_summary_and_glossary(made):
    report = report_of(made)
    assert len(report["summary"]) >= 4
    assert len(report["glossary"]) >= 8


# -- words

PERCENT = re.compile(
    r"(?i)\b(fake|nep|real|echt|forged|vervalst|genuine|confidence|zekerheid|betrouwbaarheid)\b"
    r"\W{0,3}(\d+([.,]\d+)?\s?%|[01][.,]\d+)"
    r"|(\d+([.,]\d+)?\s?%|(?<![\d.,+−-])[01][.,]\d+)\W{0,3}"
    r"\b(fake|nep|real|echt|forged|vervalst|genuine|confidence|zekerheid|betrouwbaarheid)\b"
)
FORBIDDEN = re.compile(
    r"(?i)verified real|geverifieerd echt|\bauthentic\b|\bauthentiek\b|"
    r"probable that it is (fake|forged)|waarschijnlijk(er)? dat (het|de video) (nep|vervalst)|"
    r"(ISO|ENFSI|SWGDE)[ -]?(compliant|conform)"
)


@pytest.mark.parametrize("number", [1, 2])
def test_words_that_may_not_stand_in_a_report(made, number):
    words = Reader(page_of(made, number)).words
    for text in words:
        assert not PERCENT.search(text), text
        assert not FORBIDDEN.search(text), text


@pytest.mark.parametrize(
    "text",
    ["94 % fake", "confidence 0.94", "fake: 0,94", "vervalst 12%", "echt (3 %)", "0.5 real"],
)
def test_the_scan_sees_what_it_should(text):
    assert PERCENT.search(text)


@pytest.mark.parametrize("language", ["en", "nl"])
@pytest.mark.parametrize("log10_lr", [None, 0.0, 0.01, 0.5, -0.5, 1.0, 1.7, -2.3, 3.5, 6.0])
def test_ratio_in_words(language, log10_lr):
    _i18n.set_language(language)
    said = " ".join(wording.ratio_sentences(log10_lr, (-1.0, 1.0)))
    assert not PERCENT.search(said)
    assert not FORBIDDEN.search(said)
    if log10_lr is None:
        return
    first = "H1" if log10_lr >= 0 else "H2"
    if abs(log10_lr) > 0.1:
        assert f"for {first}" in said or f"voor {first}" in said
    assert "10" in said  # the bounds


@pytest.mark.parametrize(
    ("ratio", "words"),
    [
        (1, "limited (weak) support"),
        (10**calibration.CAP, "limited (weak) support"),
        (10.01, "moderate support"),
        (100, "moderate support"),
        (100.1, "moderately strong support"),
        (1000.1, "strong support"),
        (10_001, "very strong support"),
    ],
)
def test_bands(ratio, words):
    assert wording.band(ratio) == words


def test_a_ratio_is_printed_with_bounds_words_and_the_scale(tmp_path, clip, monkeypatch):
    """As it will be when a calibration ships."""
    bounds = (math.log10(0.4), 1.0)
    fitted = Calibration(1.0, 0.0, 40, 40, bounds, (), 0.4, population="clips of a talk show")
    monkeypatch.setattr(operations.calibration, "find", lambda *_, **_rule: fitted)

    def examine(*args, **how):
        found = casework.examine_two(*args, **how)
        first = found.report.tracks[0]
        verdict = dataclasses.replace(first.verdict, log10_lr=0.6, lr_bounds=bounds)
        tracks = (dataclasses.replace(first, verdict=verdict), *found.report.tracks[1:])
        report = dataclasses.replace(found.report, verdict=verdict, tracks=tracks)
        return dataclasses.replace(found, report=report)

    case = cases.create(tmp_path / "c")
    operations.add(case, clip, examine=examine)
    publish.report(case, video=False)
    said = Reader(page_of(case)).said("result")
    assert "about 4 times more probable if H1 is true than if H2 is true" in said
    assert "limited (weak) support for H1" in said
    assert "very strong support" in said  # the scale
    assert "no ratio outside of 2.5 in favour of H2 and 10 in favour of H1" in said
    assert "No likelihood ratio" not in said
    said = Reader(page_of(case)).said("validation")
    assert "fitted on 40 forged and 40 genuine clips: clips of a talk show" in said
    assert "assumed, not measured, that of 100 forgeries 40 look genuine" in said
    assert "no likelihood ratio is derived" not in said
    assert "only as far as the exhibit is like the clips it was fitted on" in said


# -- the same bytes


@pytest.mark.parametrize("language", ["en", "nl"])
def test_same_case_same_bytes(made, language):
    asked = ReportRequest(language, {}, video=False)
    once, twice = (dict(publish.contents(made, asked)) for _ in range(2))
    assert once == twice
    assert publish.packed(once) == publish.packed(twice)
    assert _i18n.language() == "en"


def test_the_bundle_holds_what_its_manifest_says_and_no_more(made):
    with zipfile.ZipFile(io.BytesIO(made.read("report/R1.zip"))) as box:
        names = set(box.namelist())
        listed = json.loads(box.read("manifest.json"))["files"]
        assert {m.date_time for m in box.infolist()} == {(1980, 1, 1, 0, 0, 0)}
    assert names == {*listed, "manifest.json"}
    wanted = {"report.json", "report.html", "report.pdf", "log.jsonl", "settings.json"}
    assert wanted | {"run-E1.json", "environment-E1.txt", "detector-E1.json"} <= names


def test_numbers_are_complete_in_json(made):
    analysis = report_of(made)["exhibits"][0]["analysis"]
    found = operations.examination(made, made.exhibit()).report
    assert analysis["tracks"][0]["verdict"]["logit"] == found.tracks[0].verdict.logit


def test_sections_have_the_same_numbers_on_screen_and_on_paper(made):
    page = page_of(made)
    on_screen = [html.unescape(h) for h in re.findall(r"<h2>([^<]+)</h2>", page)]
    asked = ReportRequest("en", {}, video=False)
    facts = casefile.collect(made, asked)
    shown = {"E1": publish._shown(made, made.exhibit(), asked)}
    told = sections.build(facts, shown, [])
    on_paper = [s["title"] for s in pdf._flat(told.sections, 1) if s["level"] == 1]
    assert on_paper == on_screen
    assert on_paper[0].startswith("1. ")
    assert "numbering" not in pdf.TEMPLATE.read_text("utf-8").replace("numbering: none", "")


# -- people


def texts_of(case, number=1):
    for path in case.path(f"report/R{number}").rglob("*"):
        if path.is_file() and path.suffix not in {".png", ".pdf"}:
            yield path.name, path.read_text(encoding="utf-8")


def test_nothing_that_names_or_shows_a_covered_person_leaves(made):
    for name, text in texts_of(made):
        for private in ("Anna", "a sender", "example.org", "libx264", "Lavf"):
            assert private not in text, (name, private)
        if name == "environment-E1.txt":
            continue
        assert not re.search(r'"(mesh|boxes|box|pose|presence|embedding|vectors)"', text), name
    assert not list(made.path("report/R1").rglob("*.png"))
    reader = Reader(page_of(made))
    assert "img" not in reader.tags
    assert report_of(made)["exhibits"][0]["received"]["withheld"]


def test_the_source_is_named_on_request_and_that_is_logged(case):
    publish.report(case, video=False, name_source=True)
    assert "Anna's holiday.mp4" in Reader(page_of(case, 3)).said("exhibits")
    assert case.entries()[-1].facts["asked"]["name_source"] is True


def test_revealing_is_logged_and_shows_only_that_person(case):
    publish.report(case, video=False, reveal=["A"])
    assert case.entries()[-1].facts["asked"]["reveal"] == {"E1": ["A"]}
    reader, report = Reader(page_of(case, 3)), report_of(case, 3)
    assert [f["on"] for f in report["exhibits"][0]["attribution"]["figures"]] == [
        "face",
        "line_drawn_head",
    ]
    alts = [v for tag, a, v in reader.attributes if (tag, a) == ("img", "alt")]
    assert len(alts) == 4
    assert all("not proof" in alt for alt in alts)
    assert "A" in reader.said("privacy")
    assert report["exhibits"][0]["received"]["original_name"] is None  # B is still covered


@pytest.mark.parametrize("reveal", ["Z", "E1:Z", "E9:A", "", "A:E1"])
def test_nobody_else_can_be_revealed(case, reveal):
    before = case.head
    with pytest.raises(UsageError, match="Known: E1:A, E1:B"):
        publish.report(case, video=False, reveal=[reveal])
    assert case.head == before


def test_a_video_goes_in_covered_and_is_made_once(case):
    publish.report(case, language="en")
    publish.report(case, language="nl")
    assert [e.event for e in case.entries()].count("covered") == 1
    reader = Reader(page_of(case, 3))
    assert ("div", "data-scene", "E1") in reader.attributes
    page = page_of(case, 3)
    inside = re.search(r'id="video-E1">([^<]+)<', page)[1]
    assert base64.b64decode(inside) == case.read("derived/E1/A1-covered/display.mp4")
    state = json.loads(re.search(r'id="state-E1">([^<]+)<', page)[1])
    assert [p["person"] for p in state["scenes"][0]["persons"]] == ["A", "B"]
    assert "A.map" not in state["scenes"][0]["arrays"]
    assert "http" not in page.replace("http-equiv", "").replace("http://www.w3.org/2000/svg", "")
    assert verify.verify(case.folder, examine=casework.examine_two).is_intact


def test_the_analysis_is_not_marked_by_covering(case):
    before = case.read("derived/E1/A1/examination.npz")
    publish.report(case, reveal=["A"])
    assert case.read("derived/E1/A1/examination.npz") == before
    assert case.path("original/E1.mp4").read_bytes() == case.path("work/E1.mp4").read_bytes()


def test_no_network(case, monkeypatch):
    def refuse(*_):
        raise AssertionError("the network was touched")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    publish.report(case)
    assert verify.verify(case.folder, examine=casework.examine_two).is_intact


@pytest.mark.parametrize("kind", ["intact", "changed", "remote"])
def test_content_credentials_in_a_report_do_not_name_who_signed(tmp_path, clip, kind):
    """Integrity and trust stand apart; signer and address are kept in the case."""
    certificate = credentials.make_test_certificate(name="Anna Signer")
    source = tmp_path / "in.mp4"
    address = "http://manifests.invalid/anna.c2pa"
    if kind == "remote":
        remote(clip, certificate, source, address)
    else:
        credentials.sign(clip, source, certificate=certificate, statement="made by Anna")
    if kind == "changed":
        source.write_bytes(source.read_bytes() + b"x")
    case = cases.create(tmp_path / "c")
    operations.add(case, source, examine=casework.examine_two)
    stored = case.read_json("derived/E1/A1/credentials.json")
    assert stored["outcome"] == kind
    assert (address if kind == "remote" else "Anna Signer") in json.dumps(stored)
    publish.report(case, language="en", video=False)
    said = Reader(page_of(case)).said("container")
    words = {
        "intact": "unchanged since it was signed",
        "changed": "changed after it was signed, or is damaged",
        "remote": "it was not retrieved",
    }
    assert words[kind] in said
    trust = "no signature that could be checked" if kind == "remote" else "Anybody can sign"
    assert trust in said
    for name, text in texts_of(case):
        assert "Anna" not in text, name
        assert "manifests.invalid" not in text, name


# -- hostile and odd


def test_hostile_text_stays_text(tmp_path, clip):
    source = shutil.copy(clip, tmp_path / "<img src=x onerror=alert(1)>.mp4")
    case = cases.create(tmp_path / "c", title=HOSTILE, examiner=HOSTILE, legal_basis=HOSTILE)
    operations.add(
        case, source, received_from=HOSTILE, source=HOSTILE, examine=casework.examine_two
    )
    for kind in ("text", "question", "opinion", "review", "conflict"):
        case.note(kind, text=HOSTILE + "\nsecond line " + "x" * 5000)
    case.note("propositions", h1=HOSTILE, h2=HOSTILE)
    case.note("alternative", alternative=HOSTILE, state="tested", text=HOSTILE)
    publish.report(case, video=False, name_source=True)
    page = page_of(case)
    reader = Reader(page)
    assert not {"script", "img"} & set(reader.tags)
    assert not [a for _tag, a, _v in reader.attributes if a.startswith("on")]
    assert "\u202e" not in page
    assert "onerror=alert(1)>" in " ".join(reader.words)
    assert case.path("report/R1/report.pdf").read_bytes().startswith(b"%PDF")


def test_nobody_in_the_picture(tmp_path, clip):
    def examine(*args, **how):
        found = casework.examine_two(*args, **how)
        reason = "There is no face in the 9 frames looked at."
        verdict = Verdict(None, 0.5, abstained=True, reason=reason, reason_code="no_face")
        report = dataclasses.replace(found.report, tracks=(), decisive=None, verdict=verdict)
        return dataclasses.replace(found, report=report, crops={})

    case = cases.create(tmp_path / "c")
    operations.add(case, clip, examine=examine)
    publish.report(case)
    said = Reader(page_of(case)).said("result")
    assert "No verdict. There is no face" in said
    assert report_of(case)["exhibits"][0]["received"]["original_name"] is None
    assert verify.verify(case.folder, examine=examine).is_intact


def test_two_exhibits(case, clip):
    other = casework.clip(clip.with_name("second.mp4"), shade=130)
    operations.add(case, other, examine=casework.examine_two)
    with pytest.raises(UsageError):
        publish.report(case, video=False, reveal=["A"])
    publish.report(case, video=False, reveal=["E2:B"])
    reader = Reader(page_of(case, 3))
    for ident in ("exhibit-E1", "exhibit-E2", "person-E2-B", "method-E2", "files-E1"):
        assert reader.said(ident)


def test_a_re_share_laid_on_its_source(case, clip, monkeypatch, capsys):
    """The picture of both stays in the case; the report draws how they lie, without it."""
    other = casework.clip(clip.with_name("third.mp4"), shade=150)
    operations.add(case, other, examine=casework.examine_two)
    with pytest.raises(UsageError, match="its own source"):
        operations.compare(case, "E1", "E1")
    monkeypatch.setattr(alignment, "align", casework.lies)
    assert main(["case", "compare", str(case.folder), "--source", "E1", "--reshare", "E2"]) == 0
    printed = capsys.readouterr().out.splitlines()
    assert printed[0].startswith("Aligned: ")
    assert printed[1].endswith("derived/E2/aligned1/side_by_side.png")
    picture = operations.compared(case)[0]["picture"]
    assert hashlib.sha256(case.read(picture["file"])).hexdigest() == picture["sha256"]
    assert picture["pts"] == media.probe(other).pts[picture["frame"]]
    for language in ("en", "nl"):
        publish.report(case, video=False, language=language)
    reader = Reader(page_of(case, 3))
    assert "re-share E2 – source E1: Aligned: " in reader.said("reshare")
    assert "25 % of the picture's area was cut away" in reader.said("reshare")
    assert "aligned-E1-E2-1" in reader.ids
    assert "img" not in reader.tags
    assert not list(case.path("report/R3").rglob("*.png"))
    assert verify.verify(case.folder, examine=casework.examine_two).is_intact


def test_what_re_shares_did_to_the_verdict(case, monkeypatch, capsys):
    monkeypatch.setattr(robustness, "try_chains", casework.tried)
    chains = ["--chain", "crf40", "--chain", "crop10"]
    assert main(["case", "reshare", str(case.folder), *chains]) == 0
    assert "the same after 1 of 2 re-shares" in capsys.readouterr().out
    publish.report(case, video=False, language="en")
    said = Reader(page_of(case, 3)).said("reshare")
    assert "After “crf40” (coded as H.264 at CRF 40): abstains." in said
    report = report_of(case, 3)
    found = next(a for a in report["alternatives"] if a["name"] == "recompression")
    assert (found["state"], found["why"]) == ("tested", "reshares")


def test_what_was_not_analysed_gives_no_report(tmp_path, clip):
    case = cases.create(tmp_path / "c")
    (tmp_path / "x.mp4").write_text("no video")
    with pytest.raises(ValueError, match="not a video"):
        operations.add(case, tmp_path / "x.mp4", examine=casework.examine_two)
    with pytest.raises(CaseError, match="was not analysed"):
        publish.report(case)


def test_a_file_that_is_no_video_does_not_stand_in_the_way(case, tmp_path):
    """It is evidence as it was received: the report lists it, with its hashes, and why not."""
    (tmp_path / "x.mp4").write_text("no video")
    with pytest.raises(ValueError, match="not a video"):
        operations.add(case, tmp_path / "x.mp4", how="on a stick", examine=casework.examine_two)
    publish.report(case, language="en", video=False)
    report, reader = report_of(case, 3), Reader(page_of(case, 3))
    assert [e["id"] for e in report["exhibits"]] == ["E1"]
    (other,) = report["not_analysed"]
    whole = other["integrity"]
    assert whole["sha256_at_intake"] == whole["sha256_at_end"]
    assert whole["sha256_at_intake"] in reader.said("exhibit-E2")
    assert "on a stick" in reader.said("exhibit-E2")
    assert "x.mp4" not in page_of(case, 3)
    for ident in ("summary", "exhibit-E2"):
        assert "E2 was received but could not be analysed" in reader.said(ident)
    assert verify.verify(case.folder, examine=casework.examine_two).is_intact


def test_why_a_file_was_not_analysed_is_said_in_the_language_of_the_report():
    message = Message("", "there are more than {n} frames", {"n": 9})
    told = {"event": "refused", "what": str(message), "message": message.to_plain()}
    before = {"event": "refused", "what": "there are more than 9 frames"}  # earlier versions
    damaged = told | {"message": ["?"]}
    _i18n.set_language("nl")
    for why, said in (
        (told, "er zijn meer dan 9 beelden"),
        (before, "there are more than 9 frames"),
        (damaged, "there are more than 9 frames"),
    ):
        assert f"“{said}”" in not_analysed_sentence({"id": "E2", "why": why})
    assert "message" not in _parameters(told)


def test_an_altered_original_gives_no_report(case):
    path = case.path("original/E1.mp4")
    path.chmod(0o644)
    path.write_bytes(path.read_bytes() + b"x")
    with pytest.raises(RuntimeError, match="not what was taken in"):
        publish.report(case, video=False)
    assert case.entries()[-1].event == "integrity_error"


def test_the_tree_is_the_same_in_both_languages(made):
    def shape(parts):
        return [(s["id"], [b["type"] for b in s["blocks"]], shape(s["parts"])) for s in parts]

    one, two = report_of(made, 1)["sections"], report_of(made, 2)["sections"]
    assert shape(one)[:-5] == shape(two)[:-5]
    assert [s["title"] for s in one] != [s["title"] for s in two]


def test_wilson_agrees_with_published_values():
    low, high = casefile.wilson(0, 10)
    assert (round(low, 3), round(high, 3)) == (0.0, 0.278)
    assert casefile.wilson(0, 0) == (0.0, 1.0)


def test_points_and_sections_agree():
    assert set(casefile.POINTS) == set(range(1, 16))
    assert all(sections.point_title(n) for n in casefile.POINTS)


# -- from the command line, on a real face


def faces_in(picture):
    from toolkit.casework.redaction import check_picture

    check_picture(picture)


@pytest.mark.slow
def test_a_real_case_from_the_command_line(planted_piece, tmp_path, capsys):
    """Take in, analyse, report: no face of anybody in any picture or frame that left."""
    folder = str(tmp_path / "c")
    assert main(["case", "new", folder, "--examiner", "N. N."]) == 0
    added = ["case", "add", folder, str(planted_piece), "--no-trust", "--frames", "16"]
    assert main(added) == 0
    assert "forged" in capsys.readouterr().out
    assert main(["case", "note", folder, "--text", "x", "--frames", "3,5-7"]) == 0
    assert main(["case", "report", folder, "--language", "nl"]) == 0
    printed = capsys.readouterr().out.split()[-1]
    case = Case(folder)
    copy = media.probe(case.path("derived/E1/A1-covered/display.mp4"))
    for frame in media.read(copy, np.arange(0, len(copy.pts), 25)):
        faces_in(frame.rgb)
    page = page_of(case)
    for data in re.findall(r"data:image/\w+;base64,([A-Za-z0-9+/=]+)", page):
        raw = np.frombuffer(base64.b64decode(data), np.uint8)
        faces_in(np.ascontiguousarray(cv2.imdecode(raw, cv2.IMREAD_COLOR)[..., ::-1]))
    assert main(["case", "show", folder]) == 0
    assert main(["--language", "en", "verify", folder, "--head", printed]) == 0
    assert "Intact" in capsys.readouterr().out
    usage = (["case", "note", folder], ["case", "report", folder, "--reveal", "Q"])
    assert [main(u) for u in usage] == [2, 2]
