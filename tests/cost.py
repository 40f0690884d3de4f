"""What a test costs: processor time, so that a crowded machine blames nobody."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence

import pytest

LIMIT_S = 10.0
"""Processor time a test, or what is set up for it, may take without one of `MARKERS`."""

SPREAD = 3.0
"""How far the processor time of the same test varies between machines, and on a crowded one."""

MARKERS = ("slow", "e2e", "gpu")

_SUFFIX = "_cpu_s"


def cpu_s() -> float:
    """Return the processor time of this process and of the children it has waited for."""
    times = os.times()
    return times.user + times.system + times.children_user + times.children_system


def charge(item: pytest.Item, phase: str, took_s: float) -> None:
    """Note what a phase of a test took, and fail it when that is too much for no marker.

    Between the limit and `SPREAD` times it the list of `dearest` tells: a slower machine alone
    does not fail a test.
    """
    item.user_properties.append((phase + _SUFFIX, round(took_s, 2)))
    is_marked = any(item.get_closest_marker(name) for name in MARKERS)
    if took_s > SPREAD * LIMIT_S and not is_marked:
        pytest.fail(
            f"the {phase} took {took_s:.1f} s of processor time, more than {LIMIT_S:.0f} s: make "
            "it cheaper, or mark the test `slow` where that cannot be",
            pytrace=False,
        )


def slow_files_first(items: Sequence[pytest.Item]) -> list[pytest.Item]:
    """Return the tests with those of files that hold a slow one in front, else in their order."""
    slow = {item.path for item in items if item.get_closest_marker("slow")}
    return sorted(items, key=lambda item: item.path not in slow)


def dearest(reports: Iterable[pytest.TestReport], most: int) -> list[str]:
    """Return a title and a line for each of the `most` dearest phases, dearest first."""
    took = {
        (seconds, phase.removesuffix(_SUFFIX), report.nodeid)
        for report in reports
        for phase, seconds in report.user_properties
        if phase.endswith(_SUFFIX)
    }
    if not took or not most:
        return []
    whole = sum(seconds for seconds, _phase, _name in took)
    lines = [f"{seconds:.2f}s {phase:5} {name}" for seconds, phase, name in sorted(took)[::-1]]
    return [f"processor time: {whole:.0f} s, most of it for", *lines[:most]]
