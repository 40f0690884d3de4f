"""The table of hostile files: what it holds against what is right, and how it is printed."""

from __future__ import annotations

import pytest

from tests.casework import casework
from toolkit.cli import main as cli
from toolkit.errors import UsageError
from toolkit.hardening import hostile


@pytest.fixture
def corpus(tmp_path):
    cases = tmp_path / "corpus" / "cases"
    cases.mkdir(parents=True)
    (cases / "01_empty.mp4").write_bytes(b"")
    (cases / "11_<img src=x>|list.mp4").write_bytes(b"#EXTM3U\n")
    lines = [
        "file,row,expected,keyword,layer",
        "01_empty.mp4,1,refuse,empty,path",
        "11_<img src=x>|list.mp4,11,refuse,playlist,path",
        "50a.safetensors,50,refuse,empty,weights",
    ]
    (tmp_path / "corpus" / "expected.csv").write_text("\n".join(lines), encoding="utf-8")
    return tmp_path / "corpus"


def test_refusals_on_every_road(corpus, face_models, tmp_path, capsys):
    out = tmp_path / "table.md"
    code = cli.main(["study", "hostile", "--corpus", str(corpus), "--table", str(out)])
    said = capsys.readouterr().out
    assert code == 0, said
    assert "refuse, exit 3" in said
    table = out.read_text(encoding="utf-8")
    assert "2 files along 4 roads, 0 not as expected." in table
    assert table.count("\n| ") == 3
    assert "<img" not in table
    assert "&#60;img" in table


def test_what_is_not_as_it_should_be_is_said(corpus, monkeypatch):
    empty = hostile.read_corpus(corpus)[0]
    roads = {
        "lets in": lambda *_: ("ok", 0, ""),
        "crashes": lambda *_: 1 / 0,
        "chats": lambda *_: ("refuse", 3, "empty\nand so on\n"),
        "writes": lambda case, _: (case.path.write_bytes(b"x"), ("refuse", 3, "empty\n"))[1],
        "is right": lambda *_: ("refuse", 3, "empty\n"),
    }
    monkeypatch.setattr(hostile, "ROADS", roads)
    wrong = {road: hostile.try_road(empty, road).wrong for road in roads}
    assert wrong["lets in"] == "ok, not refuse"
    assert "crash, not refuse" in wrong["crashes"]
    assert "not one line" in wrong["chats"]
    assert wrong["writes"] == "the file was changed"
    assert wrong["is right"] == ""
    with pytest.raises(UsageError, match="no such road"):
        hostile.main(["--corpus", str(corpus), "--roads", "river"])


def test_a_keyword_that_is_not_said_is_missed(tmp_path, monkeypatch):
    path = casework.clip(tmp_path / "clip.mp4")
    case = hostile.HostileCase(path, "4", "warn", "truncated", "reader")
    monkeypatch.setattr(hostile, "ROADS", {"analyse": lambda *_: ("warn", 0, "damaged")})
    assert hostile.try_road(case, "analyse").wrong == "does not say: truncated"
