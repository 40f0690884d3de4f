"""Class statistics against counts made by hand."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from toolkit.errors import UsageError
from toolkit.lessons.codes import CodeResult, Given
from toolkit.lessons.tally import FACE, Key, Tally, tally, tally_one

GENUINE_WRONG = Key(forged=False, regions=frozenset(), model=True)
FORGED_RIGHT = Key(forged=True, regions=frozenset({"mouth"}), model=True)
FORGED_SILENT = Key(forged=True, regions=FACE, model=None)
KEYS = (GENUINE_WRONG, FORGED_RIGHT, FORGED_SILENT)

MISLED = Given(False, 2, True)
STOOD = Given(False, 1, False)
HELPED = Given(False, 2, True)
RIGHT = Given(True, 0, True, "mouth")
NOSE = Given(True, 2, False, "nose")


def test_a_class_by_hand():
    found = tally(
        KEYS,
        [
            CodeResult(1, 1, (MISLED, HELPED, RIGHT)),
            CodeResult(1, 2, (STOOD, RIGHT, NOSE)),
            CodeResult(1, 3, (None, NOSE, None)),
        ],
    )
    first, second, third = found.questions
    assert found.pupils == 3
    assert (first.answers, first.alone, first.together) == (2, 2, 1)
    assert (first.misled, first.could_mislead, first.model, first.model_of) == (1, 2, 0, 2)
    assert (second.answers, second.alone, second.together) == (3, 2, 2)
    assert (second.helped, second.could_help, second.model) == (1, 1, 3)
    assert (second.pointed, second.pointed_right) == (2, 1)
    assert (third.model, third.model_of, third.misled, third.helped) == (0, 0, 0, 0)
    assert (third.pointed, third.pointed_right) == (2, 2)  # a nose is part of a swapped face
    assert (found.total.sure, found.total.sure_wrong) == (4, 1)
    assert found.regions[1] == (("mouth", 1), ("nose", 1))


def test_nobody():
    found = tally(KEYS, [])
    assert (found.pupils, found.total) == (0, Tally())


def test_another_number_of_questions_is_refused():
    with pytest.raises(UsageError):
        tally(KEYS, [CodeResult(1, 1, (None,))])


@given(
    st.booleans(),
    st.sampled_from([None, True, False]),
    st.builds(
        Given,
        first=st.booleans(),
        confidence=st.integers(0, 2),
        second=st.booleans(),
        region=st.sampled_from([None, "mouth", "background"]),
    ),
)
def test_counts_hold_together(forged, model, answer):
    one = tally_one(Key(forged, frozenset({"mouth"} if forged else ()), model), answer)
    assert one.misled <= one.could_mislead <= one.alone
    assert one.helped <= one.could_help <= one.answers - one.alone
    assert one.model <= one.model_of <= one.answers == 1
    assert one.pointed_right <= one.pointed
    # who changed from right to wrong without a wrong detector was not misled by it
    assert one.together - one.alone <= 1 - one.misled
