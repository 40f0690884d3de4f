"""Explanations that were graded side by side: the same figures, from rows that were kept."""

from __future__ import annotations

import json

import pytest

from toolkit.cli.main import main

TIMES = ("seconds", "wall_seconds")


def without_times(value):
    if isinstance(value, dict):
        return {k: without_times(v) for k, v in value.items() if k not in TIMES}
    return [without_times(v) for v in value] if isinstance(value, list) else value


@pytest.mark.slow
def test_workers_make_the_rows_that_the_benchmark_would(pair_list, tmp_path, capsys):
    pairs = tmp_path / "pairs.csv"
    clips = f"{pair_list.with_name('original.mp4')},{pair_list.with_name('fake.mp4')}"
    pairs.write_text(f"original,fake,method,scene\n{clips},one,1\n{clips},two,2\n")
    command = ["explain-benchmark", str(pairs), "--methods", "ledger", "--faces", "1"]
    command += ["--parts", "where", "--detector", "seamnet-small"]
    assert main([*command, "--out", str(tmp_path / "alone.json")]) == 0
    capsys.readouterr()
    assert main([*command, "--out", str(tmp_path / "side.json"), "--workers", "2"]) == 0
    assert capsys.readouterr().err.count("(kept") == 2
    alone, side = (json.loads((tmp_path / f"{n}.json").read_text()) for n in ("alone", "side"))
    assert side["complete"]
    assert without_times(side) == without_times(alone)


def test_options_that_do_not_fit_are_told_by_the_worker(pair_list, tmp_path, capsys):
    pairs = tmp_path / "pairs.csv"
    clips = f"{pair_list.with_name('original.mp4')},{pair_list.with_name('fake.mp4')}"
    pairs.write_text(f"original,fake,method,scene\n{clips},one,1\n")
    command = ["explain-benchmark", str(pairs), "--parts", "who", "--out", str(tmp_path / "o.json")]
    assert main([*command, "--workers", "1"]) == 2
    assert "unknown part: who" in capsys.readouterr().err
    assert not (tmp_path / "o.json").exists()
