"""Turns: never more than there are, in the order of asking, and nobody keeps one by leaving."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from toolkit.classroom.turns import Turns


def test_everybody_knows_their_place_and_moves_up():
    turns = Turns(2)
    tickets = [turns.join() for _ in range(5)]
    assert [turns.place(t) for t in tickets] == [0, 0, 1, 2, 3]
    assert turns.waiting == 3
    turns.leave(tickets[3])  # who waits gives up
    assert [turns.place(t) for t in tickets] == [0, 0, 1, -1, 2]
    turns.leave(tickets[0])
    assert [turns.place(t) for t in tickets] == [-1, 0, 0, -1, 1]


@given(slots=st.integers(1, 4), steps=st.lists(st.integers(-1, 9), max_size=60))
def test_no_order_of_coming_and_going_makes_more_turns_or_loses_one(slots, steps):
    turns, here = Turns(slots), []
    for step in steps:
        if step < 0 or not here:
            here.append(turns.join())
        else:
            leaves = here.pop(step % len(here))
            turns.leave(leaves)
            turns.leave(leaves)  # once more does nothing
        places = [turns.place(t) for t in here]
        expected = [max(0, n - slots + 1) for n in range(len(here))]
        assert places == expected
        held = [t.slot for t in here if t.slot is not None]
        assert len(set(held)) == len(held) == min(slots, len(here))
