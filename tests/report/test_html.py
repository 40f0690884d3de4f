"""The report is one safe file that says the same as report.json."""

from __future__ import annotations

import re
from dataclasses import replace
from html.parser import HTMLParser

import pytest

from tests.widgets import made_up
from toolkit import _i18n, figures
from toolkit.analysis.pipeline import to_dict
from toolkit.figures import page_parts
from toolkit.report import html
from toolkit.types import Notice

HOSTILE = "<img src=x onerror=alert(1)>\"'&{toolkit}\u202egpj.mp4"
VOID = {"meta", "img", "rect", "line", "circle", "path", "polyline"}


class Reader(HTMLParser):
    """Collects tags, attributes and text; fails when tags do not nest."""

    def __init__(self, page):
        super().__init__()
        self.tags, self.attributes, self.words, self.open = [], [], [], []
        self.feed(page)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.attributes += [(tag, *pair) for pair in attrs]
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.tags.append(tag)
        self.attributes += [(tag, *pair) for pair in attrs]

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.words.append(data)


@pytest.fixture
def report():
    return made_up.report(path="clip.mp4")


@pytest.fixture
def page(report):
    return html.page(report)


def test_it_is_written_whole_and_in_the_language_asked_for(report, tmp_path):
    out = html.write(report, tmp_path / "report.html", language="nl")
    text = out.read_text(encoding="utf-8")
    assert '<html lang="nl">' in text
    assert "vervalst" in text
    assert "forged:" not in text
    assert _i18n.language() == "en"
    assert [p.name for p in tmp_path.iterdir()] == ["report.html"]


def test_nothing_in_it_reaches_out_or_runs(page):
    assert "http" not in page.replace("http-equiv", "")
    reader = Reader(page)
    assert not {"script", "link", "iframe", "object", "embed", "form", "base"} & set(reader.tags)
    assert not [a for _tag, a, _v in reader.attributes if a.startswith("on")]
    sources = [v for _tag, a, v in reader.attributes if a in {"src", "href", "xlink:href"}]
    assert sources
    assert all(v.startswith("data:image/jpeg;base64,") for v in sources)
    assert "url(" not in page
    assert "@import" not in page
    policy = next(v for _tag, a, v in reader.attributes if a == "content" and "default-src" in v)
    assert "default-src 'none'" in policy
    assert "script-src" not in policy  # so the default holds: none


def test_hostile_text_stays_text(report):
    video = replace(report.video, path=report.video.path.with_name(HOSTILE.replace("/", "")))
    codec = replace(video, codec="<script>alert(2)</script>")
    notice = Notice("odd", "<b onclick=alert(3)>x</b>")
    settings = {**report.settings, "device": "</dd><script>alert(4)</script>"}
    page = html.page(
        replace(report, video=codec, notices=(*report.notices, notice), settings=settings)
    )
    reader = Reader(page)
    assert "script" not in reader.tags
    assert reader.tags.count("b") == 1  # the verdict
    assert reader.tags.count("img") == 8
    assert "<b onclick=alert(3)>x</b>" in "".join(reader.words)
    assert "\u202e" not in page


def test_numbers_are_those_of_report_json(report, page):
    said = "".join(Reader(page).words)
    track = to_dict(report)["tracks"][0]
    for value in (
        track["verdict"]["logit"],
        track["reference"]["logit"],
        sum(f["share"] for f in track["frames"]),
        sum(r["share"] for r in track["regions"]),
        sum(track["unsplit"]),
    ):
        assert figures.number(value, 6, signed=True) in said
    for region in track["regions"]:
        assert figures.number(region["share"], 4, signed=True) in said


def test_the_sum_is_made_again_and_a_false_one_shows(report):
    result = report.tracks[0]
    wrong = replace(result.explanation, frame_shares=result.explanation.frame_shares * 1.5)
    page = html.page(replace(report, tracks=(replace(result, explanation=wrong),)))
    left = re.search(r"added up again here</dt><dd>([^<]+)", page)
    assert abs(float(left[1])) > 1


def test_provenance_limits_and_abstention_are_there(report, page):
    said = "".join(Reader(page).words)
    assert report.video.sha256 in said
    assert report.settings["detector"]["weights_sha256"] in said
    for line in (*figures.limits(report), *figures.not_judged(report)):
        assert line in said
    assert figures.track_sentence(report.tracks[1]) in said


def test_every_chart_has_a_name_and_a_table_and_every_picture_words(report, page):
    reader = Reader(page)
    charts = reader.tags.count("svg")
    assert charts == 5  # the gauge, three of A, one of B
    assert reader.tags.count("table") == charts - 1  # the gauge's twin are the words beside it
    names = [v for tag, a, v in reader.attributes if tag == "svg" and a == "aria-label"]
    assert len(names) == charts
    alts = [v for tag, a, v in reader.attributes if tag == "img" and a == "alt"]
    assert len(alts) == reader.tags.count("img") == 8
    assert all(alts)


def test_same_report_same_bytes(report):
    assert html.page(report) == html.page(report)


def test_nobody_found(report):
    verdict = replace(
        report.verdict,
        logit=None,
        abstained=True,
        reason="There is no face in the 9 frames looked at.",
    )
    empty = replace(report, tracks=(), speaks=None, verdict=verdict)
    said = "".join(Reader(html.page(empty)).words)
    assert "No verdict." in said
    assert "There is no face in the 9 frames looked at." in said


def test_without_explanation(report):
    bare = replace(report.tracks[0], explanation=None, key_frames=())
    reader = Reader(html.page(replace(report, tracks=(bare,))))
    assert reader.tags.count("svg") == 2  # the gauge and the curve
    assert "There is no explanation of this verdict." in reader.words


def test_planted_truth_is_compared(report, tmp_path):
    truth = '{"regions": ["mouth"], "start_s": 25.6, "end_s": 28.2}'
    (tmp_path / "clip.truth.json").write_text(truth, encoding="utf-8")
    planted = replace(report, video=replace(report.video, path=tmp_path / "clip.mp4"))
    page = html.page(planted)
    assert "Region: correct, mouth." in page
    assert "overlap 1.00" in page


def luminance(colour):
    channels = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
    return sum(w * c for w, c in zip((0.2126, 0.7152, 0.0722), linear, strict=True))


def test_contrast_of_text_in_light_and_dark():
    blocks = re.findall(r":root \{([^}]*)\}", page_parts.STYLE)
    assert len(blocks) == 2
    for block in blocks:
        colours = dict(re.findall(r"--([\w-]+): (#\w{6})", block))
        for text in ("ink", "soft", "for", "against"):
            for ground in ("page", "panel"):
                a, b = sorted((luminance(colours[text]), luminance(colours[ground])))
                assert (b + 0.05) / (a + 0.05) >= 4.5, (text, ground)
