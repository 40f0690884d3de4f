"""The table of odd files: its rows, and what is said when one cannot be made."""

from __future__ import annotations

import pytest

from toolkit.cli import main as cli
from toolkit.errors import UsageError
from toolkit.evaluation.studies import files as study_files


def test_a_row_is_made_and_held_against_what_is_right(sample, capsys, tmp_path):
    assert cli.main(["study", "files", "--rows", "F10", "--device", "cpu"]) == 0
    first, last = capsys.readouterr().out.splitlines()
    assert first == (
        "F10   right    | a list as Excel writes it | right: zoë.mp4, real | got: zoë.mp4, real"
    )
    assert last == "1 of 1 rows are right"


def test_what_cannot_be_made_is_left_out_and_said(sample, tmp_path):
    (row,) = study_files.run(["F1a"], clips=tmp_path, device="cpu")
    assert row["ok"] is None
    assert "liveportrait_d3.mp4" in row["got"]
    assert study_files.summary([row]) == "0 of 0 rows are right, 1 left out"
    with pytest.raises(UsageError, match="F99"):
        list(study_files.run(["F99"]))


def test_a_wrong_outcome_is_not_hidden(sample, monkeypatch, capsys):
    wrong = study_files.Outcome("this", "that", ok=False)
    monkeypatch.setitem(study_files.ROWS, "F10", ("a list", lambda _: wrong))
    assert cli.main(["study", "files", "--rows", "F10", "--device", "cpu"]) == 1
    assert "WRONG" in capsys.readouterr().out
