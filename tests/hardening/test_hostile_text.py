"""Text of strangers is shown and never obeyed, wherever it can be shown.

Each output is made twice, with harmless words and with hostile ones of the same place. Its tags
must be the same ones: text that became a tag, an attribute or the end of a script would add some.
"""

from __future__ import annotations

import json
import re
import unicodedata
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import av
import ipywidgets
import pytest

from tests.casework import casework
from tests.player.made_up import made
from tests.widgets import made_up
from toolkit import figures
from toolkit.analysis import pipeline
from toolkit.api.result import Analysis
from toolkit.casework import case as cases
from toolkit.casework import operations, publish
from toolkit.cli import main as cli
from toolkit.errors import ToolkitError, UsageError
from toolkit.evaluation import lists
from toolkit.messages import Message, phrase, shown
from toolkit.player import Scene
from toolkit.report import html, playable
from toolkit.types import Notice, Settings
from toolkit.widgets.casework import Casework
from toolkit.widgets.workbench.chooser import Chooser

HARMLESS = "plain words\r\nin two lines"
PLAIN_NAME = "plain words"
HOSTILE = (
    "=HYPERLINK(1)<script>alert(1)</script><img src=x onerror=alert(1)>\"'&amp;</title></style>"
    "<!-- {0} {x} %s **b** [a](javascript:alert(1)) #panic() $x$ @ref ${jndi:x}"
    "\x1b[2J\x1b]0;x\x07\u202egpj\u2066\x08\r\n\x7f\ud800"
)
NAME = re.sub(r"[/\x00\ud800]", "", HOSTILE).encode()[:200].decode(errors="ignore")
WORDS = (HARMLESS, HOSTILE)


class Tags(HTMLParser):
    """Collects tags with the names of their attributes, and what a browser would run."""

    def __init__(self, page):
        super().__init__()
        self.found = []
        self.feed(page)
        self.close()

    def handle_starttag(self, tag, attrs):
        self.found.append((tag, tuple(name for name, _ in attrs)))

    handle_startendtag = handle_starttag


def same_tags(harmless, hostile):
    assert "HYPERLINK" in hostile, "the hostile words are not there: this shows nothing"
    assert Tags(hostile).found == Tags(harmless).found
    assert Tags(harmless).found


def steers(text):
    """Return the characters that steer a terminal or the direction of a line."""
    return {c for c in text if unicodedata.category(c) in {"Cc", "Cf", "Cs"}} - {"\n", "\t"}


def a_report(words, name):
    """Return a report in which everything that comes from elsewhere is made of some words."""
    notice = Notice("odd", "An odd {thing}.", 1.0, {"thing": words})
    whole = made_up.report(notices=(notice,), path=f"/tmp/{name}.mp4")
    first, *others = whole.tracks
    first = replace(first, track=replace(first.track, person=words))
    settings = whole.settings | {"toolkit": words}
    return replace(whole, tracks=(first, *others), settings=settings)


@pytest.fixture(scope="module")
def reports():
    return [a_report(HARMLESS, PLAIN_NAME), a_report(HOSTILE, NAME)]


def test_report_and_card(reports):
    same_tags(*(html.page(r, notes=w, asked=[w]) for r, w in zip(reports, WORDS, strict=True)))
    cards = [Analysis(r, {}, Settings()) for r in reports]
    same_tags(*(card._repr_html_() for card in cards))
    persons = [card.persons[0] for card in cards]
    same_tags(*(person._repr_html_() for person in persons))


def test_json_stays_json(reports, tmp_path):
    for report in reports:
        text = json.dumps(pipeline.to_dict(report), allow_nan=False)
        assert json.loads(text)["settings"]["toolkit"] == report.settings["toolkit"]
        page = html.write(report, tmp_path / "report.html").read_text(encoding="utf-8")
        assert "</html>" in page


def test_plotly_takes_what_it_is_given_for_html(reports):
    def strings(value):
        if isinstance(value, str):
            yield value
        elif isinstance(value, dict):
            for part in value.values():
                yield from strings(part)
        elif isinstance(value, list | tuple):
            for part in value:
                yield from strings(part)

    for draw in (
        figures.overview,
        figures.evidence_curve,
        figures.region_bars,
        figures.region_matrix,
    ):
        shapes = [draw(r.tracks[0]).to_plotly_json() for r in reports]
        tags = [[re.findall(r"<[a-z/!]\w*", s) for s in strings(shape)] for shape in shapes]
        assert tags[0] == tags[1]


def test_playable_page(face_models, tmp_path):
    clip = made(tmp_path, frames=10)
    pages = []
    for words, name in zip(WORDS, (PLAIN_NAME, NAME), strict=True):
        video = replace(clip.video, path=Path(f"/tmp/{name}.mp4"))
        report = replace(
            clip.report,
            video=video,
            settings=clip.report.settings | {"toolkit": words},
            notices=(Notice("odd", "An odd {thing}.", 0.1, {"thing": words}),),
        )
        pages.append(playable.page(Scene.of(report, clip.copy, label=words)))
    same_tags(*pages)


def tagged(source, path, words):
    """Write a copy of a clip whose tags are made of some words."""
    tags = {"title": words, "comment": words, "artist": words, "encoder": words}
    safe = {key: value.encode("utf-8", "ignore").decode() for key, value in tags.items()}
    with av.open(str(source)) as box, av.open(str(path), "w", format="matroska") as out:
        stream = out.add_stream_from_template(box.streams.video[0])
        out.metadata.update(safe)
        stream.metadata.update({"title": safe["title"]})
        for packet in box.demux(video=0):
            if packet.dts is not None:
                packet.stream = stream
                out.mux(packet)
    return path


def a_case(folder, words, name):
    folder.mkdir()
    source = tagged(casework.clip(folder / "source.mp4"), folder / f"{name}.mkv", words)
    case = cases.create(
        folder / "case",
        title=words,
        examiner=words,
        role=words,
        legal_basis=words,
        retention=words,
    )
    told = {"received_from": words, "received_by": words, "received_at": words}
    operations.add(
        case, source, **told, how=words, source=words, trust=False, examine=casework.examine_two
    )
    case.note(text=words, by=words)
    return case


@pytest.fixture(scope="module")
def two_cases(tmp_path_factory):
    folder = tmp_path_factory.mktemp("cases")
    pairs = zip(WORDS, (PLAIN_NAME, NAME), strict=True)
    return [a_case(folder / str(n), words, name) for n, (words, name) in enumerate(pairs)]


def test_case_report_as_page_pdf_and_json(two_cases):
    made = [publish.report(case, video=False, name_source=True) for case in two_cases]
    pairs = zip(two_cases, made, strict=True)
    folders = [case.folder / out if isinstance(out, str) else Path(out) for case, out in pairs]
    same_tags(*((folder / "report.html").read_text(encoding="utf-8") for folder in folders))
    for folder in folders:
        pdf = (folder / "report.pdf").read_bytes()
        assert not re.search(rb"/(JS|JavaScript|URI|Launch|OpenAction|EmbeddedFile)\b", pdf)
        json.loads((folder / "report.json").read_bytes())


def test_panel_of_the_investigation(two_cases, tmp_path):
    shapes = []
    for case in two_cases:
        panel = Casework(case.folder, examine=casework.examine_two)
        shapes.append([Tags(w.value).found for w in walk(panel) if isinstance(w, ipywidgets.HTML)])
        panel.close()
    assert shapes[0] == shapes[1]


def walk(widget):
    yield widget
    for child in getattr(widget, "children", ()):
        yield from walk(child)


def test_panel_that_chooses(tmp_path):
    shapes = []
    for name in (PLAIN_NAME, NAME):
        chooser = Chooser(tmp_path, lambda: None, lambda: None)
        chooser.path.value = str(tmp_path / f"{name}.mp4")
        with pytest.raises(ToolkitError) as refused:
            pipeline.examine(chooser.path.value)
        chooser._problem = refused.value
        chooser.retranslate()
        shapes.append(
            [Tags(w.value).found for w in walk(chooser) if isinstance(w, ipywidgets.HTML)]
        )
        chooser.close()
    assert shapes[0] == shapes[1]


def commands(tmp_path, case):
    bad = tmp_path / f"{NAME}.csv"
    bad.write_bytes(f'path,"{NAME}"\na.mp4,x\n'.encode("utf-8", "ignore"))
    label = tmp_path / "label.csv"
    label.write_text('path,label\n"\x1b[2Ja\u202e.mp4",\x1b[31mreal\n', encoding="utf-8")
    clip = tmp_path / f"{NAME}.mp4"
    yield ["analyse", str(clip), "--out", str(tmp_path / "out")]
    clip.write_bytes(b"#EXTM3U")
    yield ["analyse", str(clip), "--out", str(tmp_path / "out")]
    yield ["benchmark", str(bad), "--out", str(tmp_path / "b.json")]
    yield ["benchmark", str(label), "--out", str(tmp_path / "b.json")]
    yield ["benchmark", str(tmp_path / NAME), "--out", str(tmp_path / "b.json")]
    yield ["case", "show", str(case.folder)]
    yield ["case", "show", str(tmp_path / NAME)]
    yield ["verify", str(case.folder), "--hashes-only"]
    (case.folder / f"{NAME}.txt").write_text("x", encoding="utf-8")
    yield ["verify", str(case.folder), "--hashes-only"]
    yield ["case", "add", str(case.folder), str(clip)]


def test_nothing_steers_the_terminal(two_cases, tmp_path, capsys):
    for words in commands(tmp_path, two_cases[1]):
        code = cli.main(words)
        out = capsys.readouterr()
        assert code in {0, 2, 3, 4, 1}, words
        assert not steers(out.out + out.err), words
        assert "Traceback" not in out.err
        if code in {2, 3}:
            assert out.err.count("\n") == 1, "an error is one line"


def test_messages_show_values_and_stored_templates_safely():
    message = Message("", "It is {x}.", {"x": HOSTILE})
    assert not steers(str(message)) | steers(message.text())
    assert "\n" not in str(message)
    stored = Message.from_plain({"code": "", "template": f"a{HOSTILE}", "values": {}})
    assert not steers(str(stored))
    assert not steers(str(Message.from_plain(HOSTILE)))
    assert str(phrase("{a}", a="10\u00a0%")) == "10\u00a0%"  # a space that holds is no harm
    assert shown("één 日本 😀") == "één 日本 😀"
    with pytest.raises(UsageError) as refused:
        lists.read_table(Path(f"/nowhere/{NAME}"), ("path",), what=phrase("list of clips"))
    assert not steers(str(refused.value)) | steers(refused.value.text())


def test_what_a_command_prints_cannot_steer_the_terminal(monkeypatch, capsys):
    monkeypatch.setattr(cli, "_doctor", lambda _options: print(f"a table\n\t{HOSTILE}"))
    assert cli.main(["doctor"]) == 0
    out = capsys.readouterr().out
    assert not steers(out)
    assert out.startswith("a table\n\t=HYPERLINK")
