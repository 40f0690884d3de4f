"""The quiz page: self-contained, its policy strict, its answers not readable at a glance."""

from __future__ import annotations

import base64
import json
import re

import pytest

from tests.lessons import made_up
from toolkit import _i18n
from toolkit.lessons import quiz_page as page


@pytest.fixture(scope="module")
def made():
    return made_up.quiz()


def unscramble(text: str, number: int):
    data = bytearray(base64.b64decode(text))
    state = (number * 2_654_435_761 + 12_345) & 0xFFFFFFFF
    for i in range(len(data)):
        state = (state * 1_664_525 + 1_013_904_223) & 0xFFFFFFFF
        data[i] ^= state >> 24
    return json.loads(bytes(data))


def test_a_secret_comes_back(made):
    secret = unscramble(page.data(made)["questions"][2]["secret"], made.number)
    assert (secret["kind"], secret["regions"], secret["verdict"]) == (
        "planted",
        ["mouth"],
        "forged",
    )
    assert base64.b64decode(secret["mask"]) == made.questions[2].mask


def test_the_source_gives_nothing_away(made):
    html = page.page(made, language="en")
    embedded = re.search(r'id="quiz-data">(.*?)</script>', html, re.DOTALL).group(1)
    questions = json.loads(embedded)["quiz"]["questions"]
    for question in questions:
        assert set(question) == {"clip", "face", "outlines", "secret"}
        for word in ("planted", "genuine", "swapped", "forged"):
            assert word not in question["secret"]
            assert base64.b64encode(f'"{word}'.encode()).decode()[:8] not in question["secret"]
    sizes = [len(q["secret"]) for q in questions]
    assert sizes  # a page says nothing by what is missing: a mask lies inside the scrambled part


def test_the_page_asks_nobody_for_anything(made):
    html = page.page(made, language="nl")
    assert "default-src 'none'" in html
    assert not re.search(r"https?://(?!www\.w3\.org/2000/svg)", html)
    assert "<script src" not in html
    assert "import " not in page.source()
    assert html.count("</script>") == 2
    assert '<html lang="nl">' in html


def test_words_are_there_in_both_languages(made):
    strings = page.data(made)["strings"]
    assert set(strings) == {"en", "nl"}
    assert set(strings["en"]) == set(strings["nl"])
    same = {k for k, v in strings["en"].items() if v == strings["nl"][k]}
    assert same <= {"clip_number"}, f"not translated: {sorted(same)}"
    for key, text in strings["en"].items():
        assert set(re.findall(r"{\w+}", text)) == set(re.findall(r"{\w+}", strings["nl"][key])), key


def test_every_word_the_module_asks_for_is_there(made):
    strings = page.strings()
    source = page.source()
    asked = set(re.findall(r"\bt\('(\w+)'", source))
    assert asked <= set(strings)
    outcomes = set(re.findall(r"return '(\w+)'", source)) | set(
        re.findall(r"\? '(\w+)' : '(\w+)'", source.split("function outcome")[1].split("}")[0])[0]
    )
    assert {f"outcome_{o}" for o in outcomes} <= set(strings)
    for key in ("misled", "stood", "helped", "all_wrong", "own_way", "all_right", "not_followed"):
        assert f"outcome_{key}" in strings


def test_writing_leaves_the_language_alone(made, tmp_path):
    _i18n.set_language("nl")
    out = page.write(made, tmp_path / "quiz.html", language="en")
    assert _i18n.language() == "nl"
    assert '<html lang="en">' in out.read_text(encoding="utf-8")


def test_a_hostile_value_cannot_leave_its_place(made):
    html = page.page(made)
    start = html.index('id="quiz-data">')
    embedded = html[start : html.index("</script>", start)]
    assert "<" not in embedded.split(">", 1)[1]
