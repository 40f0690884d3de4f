"""One thread at a time in a panel: a job may fill it in while the user switches its language."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any, ParamSpec, TypeVar, cast

P = ParamSpec("P")
R = TypeVar("R")


def synchronized(method: Callable[P, R]) -> Callable[P, R]:
    """Return a method that waits for the panel's lock, ``self.turns``: a `threading.RLock`."""

    @functools.wraps(method)
    def inside(*args: P.args, **kwargs: P.kwargs) -> R:
        with cast("Any", args[0]).turns:
            return method(*args, **kwargs)

    return inside
