"""Turns in the order of asking: a few at once, and everybody else knows their place."""

from __future__ import annotations

import threading
from collections import deque


class Ticket:
    """One who waits for a turn, or has one.

    Attributes
    ----------
    slot
        Number of the turn that this ticket has; None while it waits, and after it left.
    """

    __slots__ = ("slot",)

    def __init__(self) -> None:
        self.slot: int | None = None


class Turns:
    """Hands out a fixed number of turns; safe in any number of threads.

    Parameters
    ----------
    slots
        How many have a turn at once.

    Examples
    --------
    >>> turns = Turns(1)
    >>> first, second = turns.join(), turns.join()
    >>> turns.place(first), turns.place(second)
    (0, 1)
    >>> turns.leave(first)
    >>> turns.place(second)
    0
    """

    def __init__(self, slots: int) -> None:
        self._changed = threading.Condition()
        self._waiting: deque[Ticket] = deque()
        self._free = list(range(slots))[::-1]

    def join(self) -> Ticket:
        """Stand in the queue, last."""
        ticket = Ticket()
        with self._changed:
            self._waiting.append(ticket)
            self._hand_out()
        return ticket

    def leave(self, ticket: Ticket) -> None:
        """Give back a turn, or the place in the queue. Leaving twice does nothing."""
        with self._changed:
            if ticket.slot is not None:
                self._free.append(ticket.slot)
                ticket.slot = None
                self._hand_out()
            elif ticket in self._waiting:
                self._waiting.remove(ticket)
                self._changed.notify_all()

    def place(self, ticket: Ticket) -> int:
        """Return 0 for a turn, 1 for whoever is next, and so on; -1 for who left."""
        with self._changed:
            if ticket.slot is not None:
                return 0
            return self._waiting.index(ticket) + 1 if ticket in self._waiting else -1

    def wait(self, timeout_s: float) -> None:
        """Wait until the queue moves, or for so long."""
        with self._changed:
            self._changed.wait(timeout_s)

    @property
    def waiting(self) -> int:
        """How many have no turn yet."""
        with self._changed:
            return len(self._waiting)

    def _hand_out(self) -> None:
        while self._free and self._waiting:
            self._waiting.popleft().slot = self._free.pop()
        self._changed.notify_all()
