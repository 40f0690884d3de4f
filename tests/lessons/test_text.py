"""The lessons' texts: complete in both languages, honest in their wording, refused when not."""

from __future__ import annotations

import json
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from toolkit import _i18n
from toolkit.errors import UsageError
from toolkit.lessons import read_lesson
from toolkit.lessons.text import FOLDER, Words, stems, to_html

NOTEBOOKS = FOLDER.parent

# a percentage or bare decimal near a word of truth, in either language
WORDS = r"(?:fake|real|forged|genuine|authentic|confidence|echt|nep|vervalst|authentiek|zekerheid)"
NUMBER = r"(?:\d+\s?%|\b[01][.,]\d+)"
FORBIDDEN = re.compile(
    rf"{NUMBER}[^.;:|]{{0,30}}\b{WORDS}|\b{WORDS}\w*[^.;:|]{{0,30}}{NUMBER}", re.IGNORECASE
)

MINIMAL = """
minutes = 5
title = { en = "T", nl = "T" }
[[goals]]
en = "g"
nl = "g"
[[plan]]
minutes = 5
en = "p"
nl = "p"
[[glossary]]
term = { en = "t", nl = "t" }
meaning = { en = "m", nl = "m" }
[[teacher]]
en = "t"
nl = "t"
[text.a]
en = "a"
nl = "a"
[[exercises]]
id = "one"
kind = "choice"
question = { en = "q", nl = "q" }
why = { en = "w", nl = "w" }
[[exercises.options]]
en = "x"
nl = "x"
right = true
[[exercises.options]]
en = "y"
nl = "y"
"""


def pieces(value, path=""):
    """Every Words of a lesson with its place."""
    if isinstance(value, Words):
        yield path, value
    elif isinstance(value, dict):
        for key, inner in value.items():
            yield from pieces(inner, f"{path}.{key}")
    elif isinstance(value, tuple):
        for number, inner in enumerate(value):
            yield from pieces(inner, f"{path}[{number}]")
    elif hasattr(value, "__dataclass_fields__"):
        for name in value.__dataclass_fields__:
            yield from pieces(getattr(value, name), f"{path}.{name}")


@pytest.mark.parametrize("stem", stems())
def test_a_lesson_is_complete_and_fits_its_notebook(stem):
    lesson = read_lesson(stem)
    assert lesson.goals
    assert lesson.teacher
    assert lesson.minutes == sum(item.minutes for item in lesson.plan)
    for place, words in pieces(lesson):
        longer, shorter = sorted((len(words.en), len(words.nl)), reverse=True)
        assert longer < 2.2 * shorter + 20, f"{place}: one language says much less"
    notebook = json.loads((NOTEBOOKS / f"{stem}.ipynb").read_text(encoding="utf-8"))
    code = "\n".join("".join(c["source"]) for c in notebook["cells"] if c["cell_type"] == "code")
    shown = set(re.findall(r"lesson\.(?:text|exercise)\(\s*\"(\w+)\"", code))
    assert set(lesson.text) | set(lesson.exercises) == shown


@pytest.mark.parametrize("stem", stems())
def test_no_percentage_stands_beside_a_word_of_truth(stem):
    for place, words in pieces(read_lesson(stem)):
        for text in (words.en, words.nl):
            assert not FORBIDDEN.search(text), place


@pytest.mark.parametrize("stem", stems())
def test_no_place_holder_is_left(stem):
    for place, words in pieces(read_lesson(stem)):
        for text in (words.en, words.nl):
            assert not re.search(r"[A-Z]{3,}_[A-Z]|TODO|XXX|\{\w+\}", text), place


def test_the_scan_bites():
    assert FORBIDDEN.search("it is 94 % fake")
    assert FORBIDDEN.search("nep met 0,94")
    assert not FORBIDDEN.search("90 of 100 forged clips")


def test_language_is_that_in_use(tmp_path):
    words = Words("seam", "naad")
    _i18n.set_language("nl")
    assert str(words) == "naad"
    _i18n.set_language("en")
    assert str(words) == "seam"


def read(tmp_path, text):
    (tmp_path / "lesson.toml").write_text(text, encoding="utf-8")
    return read_lesson("lesson", folder=tmp_path)


def test_a_minimal_lesson_is_read(tmp_path):
    lesson = read(tmp_path, MINIMAL)
    assert lesson.exercises["one"].options[0].is_right


@pytest.mark.parametrize(
    ("change", "place"),
    [
        (('nl = "g"', ""), "goals[0].nl"),
        (('nl = "a"', 'nl = " "'), "text.a.nl"),
        (("minutes = 5\nen", "minutes = 4\nen"), "plan"),
        (
            ("right = true", "right = 1"),
            "",
        ),  # not a boolean: then nothing is right, which is allowed
        (('kind = "choice"', 'kind = "guess"'), "exercises.one.kind"),
        (('id = "one"', 'id = "One two"'), "exercises[0].id"),
        (('en = "y"\nnl = "y"', 'en = "y"\nnl = "y"\nright = true'), "exercises.one.options"),
        (("[text.a]", "[extra]\nx = 1\n[text.a]"), "extra"),
        (("title = {", "title = ["), "title"),
        (('term = { en = "t", nl = "t" }', 'term = "t"'), "glossary[0].term"),
    ],
)
def test_what_is_not_complete_is_refused_with_its_place(tmp_path, change, place):
    text = MINIMAL.replace(*change)
    assert text != MINIMAL
    if not place:
        assert not any(o.is_right for o in read(tmp_path, text).exercises["one"].options)
        return
    with pytest.raises(UsageError, match=re.escape(place) if "[" not in change[1] else "lesson"):
        read(tmp_path, text)


@pytest.mark.parametrize("name", ["../secrets", "", "no_such_lesson", "a/b"])
def test_a_wrong_name_is_refused(name):
    with pytest.raises(UsageError):
        read_lesson(name)


def test_running_text_becomes_html():
    html = to_html("## Head\nA **b** `c`\n\nIntro:\n- one\n- two\n  more")
    assert html == (
        "<h3>Head</h3><p>A <strong>b</strong> <code>c</code></p>"
        "<p>Intro:</p><ul><li>one</li><li>two more</li></ul>"
    )


@given(st.text(min_size=1).filter(str.strip))
def test_no_tag_gets_through(text):
    html = re.sub(r"</?(?:p|ul|li|h3|strong|code)>", "", to_html(text))
    assert "<" not in html
