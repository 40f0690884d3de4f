"""Counts of rare forgeries against sums done by hand."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from toolkit.errors import UsageError
from toolkit.lessons.odds import expect, likelihood_ratio


def test_the_sum_of_the_lesson():
    found = expect(clips=1000, one_in=1000, found_of_100=90, alarms_of_100=5)
    assert (found.forged, found.found, found.alarms, found.called) == (1, 1, 50, 51)


@given(st.integers(1, 5000), st.integers(1, 5000), st.integers(0, 100), st.integers(0, 100))
def test_every_clip_is_counted_once(clips, one_in, found_of, alarms_of):
    found = expect(clips=clips, one_in=one_in, found_of_100=found_of, alarms_of_100=alarms_of)
    assert found.found + found.missed == found.forged
    assert found.forged + found.genuine == clips
    assert 0 <= found.alarms <= found.genuine
    assert found.found >= 0


@pytest.mark.parametrize("wrong", [{"clips": 0}, {"one_in": 0}, {"found_of_100": 101}])
def test_numbers_out_of_range_are_refused(wrong):
    usual = {"clips": 10, "one_in": 2, "found_of_100": 50, "alarms_of_100": 50}
    with pytest.raises(UsageError):
        expect(**usual | wrong)


def test_without_alarms_there_is_no_ratio():
    assert likelihood_ratio(found_of_100=90, alarms_of_100=0) is None
    assert likelihood_ratio(found_of_100=90, alarms_of_100=5) == 18
