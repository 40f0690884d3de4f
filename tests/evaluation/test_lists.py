"""Lists as office programs write them: read, or refused in one line that helps."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from toolkit.cli import main as cli
from toolkit.errors import UsageError
from toolkit.evaluation import lists
from toolkit.evaluation.lists import read_table
from toolkit.evaluation.verdicts import benchmark as verdicts

ROWS = [["path", "label", "note"], ["zoë.mp4", "real", "drie; vier"], ["b.mp4", "fake", "a,b"]]


def written(separator, *, end="\r\n"):
    def cell(text):
        return f'"{text}"' if any(mark in text for mark in lists.SEPARATORS) else text

    return end.join(separator.join(cell(c) for c in row) for row in ROWS) + end


@pytest.mark.parametrize("separator", lists.SEPARATORS)
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "cp1252"])
def test_every_office_program_is_understood(tmp_path, separator, encoding):
    path = tmp_path / "list.csv"
    path.write_bytes(written(separator).encode(encoding))
    rows = read_table(path, ("path", "label"), what="list of clips")
    assert [list(row.values()) for row in rows] == ROWS[1:]
    clips = verdicts.read_list(path)
    assert [c.path.name for c in clips] == ["zoë.mp4", "b.mp4"]


def test_excel_may_name_the_separator_and_leave_rows_empty(tmp_path):
    path = tmp_path / "list.csv"
    path.write_text("sep=;\npath;label\na.mp4;real\n;\n\nb.mp4;fake\n", encoding="utf-8")
    rows = read_table(path, ("path", "label"), what="list of clips")
    assert [row["path"] for row in rows] == ["a.mp4", "b.mp4"]


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"", "is empty"),
        (b"path,label\n", "is empty"),
        (b"PK\x03\x04\0\0\0", "encoding"),
        (b"\xff\xfea", "encoding"),
        (b"path|label\na.mp4|real\n", "separated by a comma, semicolon or tab"),
        (b"path,label\na.mp4\n", "label in line 2"),
        (b'path,label\n"a.mp4,real\n', "is no table"),
        (b"path,label\na.mp4,echt\n", "'echt' of a.mp4"),
    ],
)
def test_a_bad_list_is_one_line(tmp_path, capsys, data, words):
    path = tmp_path / "list.csv"
    path.write_bytes(data)
    code = cli.main(["benchmark", str(path), "--out", str(tmp_path / "out.json")])
    said = capsys.readouterr().err
    assert code == 2
    assert words in said
    assert said.startswith("usage: ")
    assert said.count("\n") == 1
    assert not (tmp_path / "out.json").exists()


def test_a_folder_or_nothing_is_told(tmp_path):
    for path in (tmp_path, tmp_path / "none.csv"):
        with pytest.raises(UsageError, match="cannot be read"):
            read_table(path, (), what="list of clips")


@settings(suppress_health_check=list(HealthCheck), max_examples=60, deadline=None)
@given(data=st.binary(max_size=200))
def test_any_bytes_are_a_table_or_refused(tmp_path, data):
    path = tmp_path / "any.csv"
    path.write_bytes(b"path,label\n" + data)
    try:
        rows = read_table(path, ("path", "label"), what="list of clips")
    except UsageError:
        return
    assert rows
    assert all(isinstance(cell, str) for row in rows for cell in row.values())
