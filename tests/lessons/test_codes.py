"""Result codes: every answer survives, no typing mistake passes, junk is only junk."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from toolkit.errors import UsageError
from toolkit.lessons import codes
from toolkit.lessons.codes import ALPHABET, CodeResult, Given
from toolkit.types import REGIONS

answers = st.none() | st.builds(
    Given,
    first=st.booleans(),
    confidence=st.integers(0, 2),
    second=st.booleans(),
    region=st.none() | st.sampled_from(REGIONS),
)
results = st.builds(
    CodeResult,
    quiz=st.integers(0, codes.QUIZZES - 1),
    draw=st.integers(0, codes.DRAWS - 1),
    given=st.lists(answers, min_size=1, max_size=codes.QUESTIONS_MAX).map(tuple),
)


@given(results)
def test_what_is_encoded_is_decoded(result):
    assert codes.decode(codes.encode(result)) == result


@given(results)
def test_a_code_survives_handwriting(result):
    """Small letters, blanks for dashes, O for 0 and l for 1."""
    text = codes.encode(result).lower().replace("-", " ").replace("0", "o").replace("1", "l")
    assert codes.decode(text) == result


@settings(max_examples=40)
@given(results, st.data())
def test_any_one_wrong_character_is_noticed(result, data):
    code = codes.encode(result).replace("-", "")
    at = data.draw(st.integers(0, len(code) - 1))
    for other in ALPHABET.replace(code[at], ""):
        with pytest.raises(UsageError):
            codes.decode(code[:at] + other + code[at + 1 :])


@settings(max_examples=60)
@given(results)
def test_any_two_neighbours_that_changed_places_are_noticed(result):
    code = codes.encode(result).replace("-", "")
    for at in range(len(code) - 1):
        if code[at] != code[at + 1]:
            swapped = code[:at] + code[at + 1] + code[at] + code[at + 2 :]
            with pytest.raises(UsageError):
                codes.decode(swapped)


def test_every_number_of_questions_has_its_own_length():
    lengths = [codes.length(n) for n in range(1, codes.QUESTIONS_MAX + 1)]
    assert lengths == sorted(set(lengths))


def test_largest_values_fit():
    most = Given(True, 2, True, REGIONS[-1])
    result = CodeResult(codes.QUIZZES - 1, codes.DRAWS - 1, (most,) * codes.QUESTIONS_MAX)
    assert codes.decode(codes.encode(result)) == result


@pytest.mark.parametrize(
    "result",
    [
        CodeResult(-1, 0, (None,)),
        CodeResult(0, codes.DRAWS, (None,)),
        CodeResult(0, 0, ()),
        CodeResult(0, 0, (Given(True, 3, True),)),
        CodeResult(0, 0, (Given(True, 0, True, "ear"),)),
    ],
)
def test_what_cannot_be_a_code_is_refused(result):
    with pytest.raises(UsageError):
        codes.encode(result)


@given(st.text(max_size=400))
def test_junk_never_raises(text):
    found, misfits = codes.find(text)
    assert len(misfits) <= len(text.splitlines())
    assert all(isinstance(r, CodeResult) for r in found)


@given(st.lists(results, min_size=1, max_size=5, unique=True))
def test_codes_are_found_among_names_and_junk(pupils):
    lines = [f"Maria {codes.encode(r)} (3B)" for r in pupils]
    found, misfits = codes.find("\n".join(["Class 3B 12345", *lines, lines[0], "no code here"]))
    assert found == pupils
    assert [m.why for m in misfits] == ["no_code", "repeated", "no_code"]


def test_a_mistyped_code_is_told_apart_from_no_code():
    code = codes.encode(CodeResult(7, 1, (Given(True, 1, True),) * 8))
    wrong = ("1" if code[0] != "1" else "2") + code[1:]
    assert [m.why for m in codes.find(wrong)[1]] == ["wrong_character"]


def test_a_very_long_text_takes_no_time():
    found, misfits = codes.find("ABCDE " * 100_000)
    assert found == []
    assert len(misfits) == 1
