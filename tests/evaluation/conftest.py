"""A detector that knows the answer, and clips of which the answer is known."""

from __future__ import annotations

import pytest

from tests.fakes import RedDetector


@pytest.fixture(scope="session")
def knowing():
    """Return the class of the detector that knows."""
    return RedDetector


@pytest.fixture
def blocks():
    """Return a detector that knows, and has seen nothing yet."""
    return RedDetector()


def _without_seconds(value):
    """Return a result without what depends on the clock."""
    if isinstance(value, dict):
        drop = ("seconds", "wall_seconds")
        return {k: _without_seconds(v) for k, v in value.items() if k not in drop}
    return [_without_seconds(v) for v in value] if isinstance(value, list) else value


@pytest.fixture
def without_seconds():
    """Return a function that takes out of a result what depends on the clock."""
    return _without_seconds
