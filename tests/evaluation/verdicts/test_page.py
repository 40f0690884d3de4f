"""The benchmark's page: says what the JSON says, escapes, and asks the network for nothing."""

from __future__ import annotations

import json
from html.parser import HTMLParser

import numpy as np
import pytest

from toolkit.cli import main as cli
from toolkit.detectors.base import Card
from toolkit.errors import UsageError
from toolkit.evaluation.verdicts import baselines, page
from toolkit.evaluation.verdicts import benchmark as verdicts


class Judge:
    card = Card("net", "", "ab" * 32, 0.5, "", ())


def result(chain="", *, shift=0.0):
    rng = np.random.default_rng(2)
    clips = [
        verdicts.Clip(
            None,
            {
                "path": f"{n}{method}.mp4",
                "label": "fake" if method else "real",
                "method": method,
                "dataset": "<studio> & co",
                "scene": f"s{n}",
                "usable": "marginal" if n == 5 else "yes",
            },
        )
        for n in range(6)
        for method in ("", "swap<script>")
    ]
    rows = {
        name: [
            {
                "detector": name,
                **c.row,
                "logit": shift + 1.5 * c.is_fake + rng.normal(),
                "abstained": i == 3,
                "seconds": 1.0,
            }
            for i, c in enumerate(clips)
        ]
        for name in ("net", baselines.BLUR)
    }
    return {
        "schema": verdicts.SCHEMA,
        "clips": [r for mine in rows.values() for r in mine],
        "summary": verdicts.summarise(clips, rows, {"net": Judge()}),
        "settings": {
            "reshare": chain,
            "resamples": 2000,
            "detectors": {"net": "ab" * 32, baselines.BLUR: ""},
        },
    }


class Balanced(HTMLParser):
    def __init__(self, text):
        super().__init__()
        self.open, self.seen = [], []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.seen.append(tag)
        if tag != "meta":
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_startendtag(self, tag, attrs):
        self.seen.append(tag)


def test_the_page_says_what_the_json_says():
    made = result()
    text = page.render(made)
    parsed = Balanced(text)
    assert parsed.open == []
    assert not {"script", "img", "link", "iframe"} & set(parsed.seen)
    assert "swap&lt;script&gt;" in text
    assert "&lt;studio&gt; &amp; co" in text
    assert "http" not in text.replace("http-equiv", "")
    s = made["summary"]["net"]
    area = s["per_source"]["<studio> & co"]
    assert verdicts.between(area["auc_interval"]) in text
    assert f"{s['forced_fpr']:.2f}" in text
    assert "marginal: " in text
    assert "Along re-share chains" not in text


def test_curves_along_chains(tmp_path):
    earlier = tmp_path / "plain.json"
    earlier.write_text(json.dumps(result()))
    text = page.render(result("scale480,crf33", shift=0.7), others=[page.read(earlier)])
    assert Balanced(text).open == []
    assert "Along re-share chains" in text
    assert text.count("<polyline") == 4
    assert "as it is" in text
    assert text.count("scale480,crf33") >= 3


@pytest.mark.parametrize("fake", [-9.0, 9.0])
def test_a_curve_at_the_floor_is_drawn_too(fake):
    made = result()
    for row in made["clips"]:
        row["logit"] = fake if row["label"] == "fake" else 0.0
    clips = [verdicts.Clip(None, r) for r in made["clips"][:12]]
    made["summary"] = verdicts.summarise(clips, {"net": made["clips"][:12]}, {"net": Judge()})
    assert page.render(made, others=[made]).count("<polyline") == 4


def test_the_command_puts_the_page_beside_the_json(genuine_piece, tmp_path, capsys):
    listed = tmp_path / "clips.csv"
    listed.write_text(f"path,label,method,dataset,scene\n{genuine_piece},real,,a,b\n")
    out = tmp_path / "made" / "result.json"
    command = ["benchmark", str(listed), "--out", str(out), "--frames", "16"]
    assert cli.main([*command, "--detectors", "control.size"]) == 0
    assert "control.size" in out.with_suffix(".html").read_text()
    assert page.read(out)["summary"]["control.size"]["threshold"] is None
    assert "control.size" in capsys.readouterr().out
    assert cli.main([*command, "--compare", str(listed)]) == 2
    assert cli.main([*command, "--reshare", "zoom3"]) == 2


def test_robustness_goes_along_its_chains_and_other_weights_read_nothing_again(
    pair_list, tmp_path, capsys, monkeypatch
):
    monkeypatch.setattr(verdicts, "ROBUSTNESS", ("crop10", "crf40"))
    listed = tmp_path / "clips.csv"
    clip = pair_list.with_name("original.mp4")
    listed.write_text(f"path,label,method,dataset,scene\n{clip},real,,a,b\n")
    out, kept = tmp_path / "result.json", tmp_path / "kept"
    command = ["benchmark", str(listed), "--out", str(out), "--frames", "16", "--robustness"]
    command += ["--cache", str(kept), "--device", "cpu", "--detectors", "seamnet-small"]
    assert cli.main(command) == 0
    table = capsys.readouterr().out
    results = [page.read(tmp_path / f"result{n}.json") for n in ("", "-crop10", "-crf40")]
    assert [r["settings"]["reshare"] for r in results] == ["", "crop10", "crf40"]
    assert all(chain in table for chain in ("as it is", "crop10", "crf40"))
    shown = out.with_suffix(".html").read_text()
    assert Balanced(shown).open == []
    assert "as it is" in shown
    assert "What abstaining would buy" in shown
    assert "abstain on" in table
    assert "coverage" not in results[1]
    rule = results[0]["coverage"]["seamnet-small"]["low_quality"]
    assert rule["curve"][0]["real"] == 3  # the clip as it is, and along each chain
    assert rule["why"] == "too few scenes"
    measured = [r["clips"][0]["conditions"]["low_quality"] for r in results]
    assert min(measured) == rule["curve"][0]["limit"]
    assert measured[2] < measured[0]  # strong coding blurs

    def read_again(*_args, **_options):
        raise AssertionError("a clip was read again")

    monkeypatch.setattr("toolkit.faces.tracks.FaceReader.scan", read_again)
    monkeypatch.setattr("toolkit.faces.tracks.FaceReader.read_faces", read_again)
    monkeypatch.setattr("toolkit.analysis.cached.made_by", lambda: "other weights")
    assert cli.main([*command, "--detectors", "seamnet-small,control.blur"]) == 0
    again = page.read(out)["clips"]
    assert again[0]["logit"] == results[0]["clips"][0]["logit"]
    assert cli.main([*command, "--reshare", "crf40"]) == 2


def test_what_is_no_result_is_refused(tmp_path):
    path = tmp_path / "x.json"
    for content in ("{}", "no json", json.dumps(result() | {"schema": "other/1"})):
        path.write_text(content)
        with pytest.raises(UsageError, match="result"):
            page.read(path)


def test_a_list_without_pairs_has_a_page_too():
    made = result()
    for row in made["clips"]:
        row["logit"] = None
    clips = [verdicts.Clip(None, r) for r in made["clips"][:12:2]]
    rows = {"net": made["clips"][:12:2]}
    made["summary"] = verdicts.summarise(clips, rows, {"net": Judge()})
    text = page.render(made)
    assert "No source has clips of both labels." in text
    assert "No clip was scored." in text
