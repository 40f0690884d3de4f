from __future__ import annotations

import json
import re

import pandas as pd
import pytest

from toolkit import _i18n
from toolkit.batch import study_triage, table, triage
from toolkit.batch.journal import STATUSES, empty_row
from toolkit.batch.plan import FileTask


@pytest.fixture(scope="module")
def rows():
    return study_triage.made_up_rows(300)


def data(page, name):
    return json.loads(re.search(rf'id="{name}">(.*?)</script>', page).group(1))


def test_the_page_holds_every_row_highest_above_the_line_first(rows, tmp_path):
    page = triage.page(rows, tmp_path)
    held = data(page, "rows")
    assert held["n"] == len(rows) == len(held["name"])
    over = [a - b for a, b in zip(held["logit"], held["threshold"], strict=True) if a is not None]
    assert over == sorted(over, reverse=True)
    assert sum(held["forged"]) == sum(bool(r["forged"]) for r in rows)
    paths = {held["folders"][f] + n for f, n in zip(held["folder"], held["name"], strict=True)}
    assert paths == {r["path"] for r in rows}
    assert set(held["status"]) == set(range(len(STATUSES)))


def test_the_page_asks_the_network_for_nothing_and_runs_only_its_own_scripts(rows, tmp_path):
    page = triage.page(rows[:3], tmp_path)
    policy = re.search(r'Content-Security-Policy" content="([^"]*)"', page).group(1)
    assert "default-src &#x27;none&#x27;" in policy
    assert "unsafe-eval" not in policy
    assert policy.count("sha256-") == page.count("<script>") == 2
    assert not re.search(r'(src|href)="?https?:', page.split("<script>")[0])


def test_names_cannot_break_out_of_the_page(tmp_path):
    evil = '/x/</script><img src=x onerror=alert(1)>"\u202egpj.mp4'
    row = empty_row(FileTask(evil, evil, "<b>source</b>"), "00") | {"status": "refused"}
    row |= {"reason": "<i>", "message": {"code": "", "template": "{a}", "values": {"a": "<i>"}}}
    page = triage.page([row], tmp_path)
    assert "<img src=x" not in page
    assert "<b>source" not in page
    assert page.count("</script") == 4  # words, rows, our script, Plotly
    held = data(page, "rows")
    assert held["sources"] == ["<b>source</b>"]
    assert held["reasons"] == ["<i>"]
    assert "\u202e" not in held["name"][0]


def test_reasons_and_words_are_in_the_language_of_the_page(tmp_path):
    message = {
        "code": "timed_out",
        "template": "It took longer than {n:.0f} s.",
        "values": {"n": 9},
    }
    row = empty_row(FileTask("/a.mp4", "a.mp4", ""), "00") | {
        "status": "timed_out",
        "reason": "It took longer than 9 s.",
        "message": message,
    }
    triage.write([row], tmp_path / "t.html", language="nl")
    page = (tmp_path / "t.html").read_text(encoding="utf-8")
    assert '<html lang="nl">' in page
    assert data(page, "rows")["reasons"] == ["Het duurde langer dan 9 s."]
    assert _i18n.language() == "en"


def test_a_page_of_nothing_says_so(tmp_path):
    assert "No clip was judged yet." in triage.page([], tmp_path)


def test_the_table_has_its_columns_and_types_also_without_rows(rows, tmp_path):
    for some in ([], table.ordered(rows)):
        table.write(some, tmp_path / "t.parquet")
        held = pd.read_parquet(tmp_path / "t.parquet")
        assert list(held.columns) == list(table.COLUMNS)
        assert len(held) == len(some)
        assert held["logit"].dtype == "float64"
    logits = [r["logit"] for r in table.ordered(rows)]
    assert held["logit"].isna().tolist() == [v is None for v in logits]
    assert held["logit"].dropna().tolist() == [v for v in logits if v is not None]


def test_file_names_that_are_no_utf8_can_be_in_the_table(tmp_path):
    path = "/caf\udce9.mp4"
    row = empty_row(FileTask(path, path, ""), None) | {"status": "refused"}
    table.write([row], tmp_path / "t.parquet")
    assert pd.read_parquet(tmp_path / "t.parquet")["path"][0] == "/caf\\udce9.mp4"
    triage.write([row], tmp_path / "t.html")
