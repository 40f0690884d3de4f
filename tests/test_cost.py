"""A test that costs too much says so itself."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import pytest

from tests import cost


def item(path="a.py", *markers):
    return SimpleNamespace(
        path=Path(path), user_properties=[], get_closest_marker=lambda n: n in markers or None
    )


@pytest.mark.parametrize("marker", cost.MARKERS)
def test_more_than_the_limit_needs_a_marker(marker):
    cheap, dear = item(), item()
    cost.charge(cheap, "call", cost.SPREAD * cost.LIMIT_S)
    with pytest.raises(pytest.fail.Exception, match=r"took 30\.1 s of processor time"):
        cost.charge(dear, "call", cost.SPREAD * cost.LIMIT_S + 0.1)
    cost.charge(item("a.py", marker), "call", 10 * cost.LIMIT_S)
    assert dear.user_properties == [("call_cpu_s", 30.1)]


def test_processor_time_is_what_is_counted():
    began = cost.cpu_s()
    while cost.cpu_s() - began < 0.02:
        sum(range(1000))
    assert cost.cpu_s() - began >= 0.02


def test_this_test_is_charged_too(request):
    (phase, seconds), *_more = request.node.user_properties
    assert phase == "setup_cpu_s"
    assert seconds < cost.LIMIT_S


def test_files_with_slow_tests_come_first_and_stay_whole():
    tests = [item("a.py"), item("b.py"), item("b.py", "slow"), item("c.py"), item("d.py", "slow")]
    order = cost.slow_files_first(tests)
    assert [t.path.name for t in order] == ["b.py", "b.py", "d.py", "a.py", "c.py"]
    assert order[:2] == tests[1:3]


def test_the_dearest_are_listed_once_each():
    report = SimpleNamespace(
        nodeid="t", user_properties=[("setup_cpu_s", 1.0), ("call_cpu_s", 2.5), ("other", 9)]
    )
    lines = cost.dearest([report, report], 1)
    assert lines == ["processor time: 4 s, most of it for", "2.50s call  t"]
    assert cost.dearest([report], 0) == []
    assert cost.dearest([], 5) == []
