"""A benchmark whose clips were read side by side says the same as one that read them itself."""

from __future__ import annotations

import json

import pytest

from toolkit.cli.main import main


@pytest.fixture(scope="module")
def clips(sample, planted_piece, tmp_path_factory):
    path = tmp_path_factory.mktemp("list") / "clips.csv"
    lines = ["path,label,method,dataset,scene"]
    lines += [f"{sample('carphone_pristine')},real,none,samples,1"]
    lines += [f"{planted_piece},fake,planted,samples,2", "missing.mp4,fake,x,samples,3"]
    path.write_text("\n".join(lines), encoding="utf-8")
    return path


def bench(clips, out, *more):
    command = ["benchmark", str(clips), "--out", str(out), "--frames", "16"]
    assert main([*command, "--detectors", "seamnet-small,control.size", *more]) == 0
    result = json.loads(out.read_text())
    for row in result["clips"]:
        row.pop("seconds")
    for summary in result["summary"].values():
        summary.pop("seconds_per_clip", None)
    return result


@pytest.mark.slow
def test_workers_change_the_time_and_nothing_else(clips, tmp_path, monkeypatch):
    alone = bench(clips, tmp_path / "alone.json")
    read = []
    from toolkit.analysis import pipeline

    scan = pipeline._scan
    monkeypatch.setattr(pipeline, "_scan", lambda *a, **k: read.append(1) or scan(*a, **k))
    assert bench(clips, tmp_path / "side.json", "--workers", "2") == alone
    assert read == []  # all of it was there


def test_a_cluster_needs_a_cache_that_its_computers_share(clips, tmp_path, capsys):
    command = ["benchmark", str(clips), "--out", str(tmp_path / "x.json")]
    assert main([*command, "--scheduler", "tcp://127.0.0.1:9"]) == 2
    assert "no cache to read into" in capsys.readouterr().err
