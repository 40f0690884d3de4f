"""A small drawn clip, and panels whose analysis is made up."""

from __future__ import annotations

import pytest

from tests.widgets import made_up
from toolkit.detectors import registry
from toolkit.widgets.workbench.panel import Workbench


@pytest.fixture(scope="session")
def clip(tmp_path_factory):
    return made_up.clip(tmp_path_factory.mktemp("clips") / "clip.mp4")


@pytest.fixture
def all_weights(tmp_path, monkeypatch):
    """Let every detector's weights lie here, also those that only the user can give."""
    for name in registry.NAMES:
        (tmp_path / name).touch()
    monkeypatch.setattr(registry, "weights", tmp_path.joinpath)


@pytest.fixture
def make(tmp_path, clip):
    """Return a function that makes a panel; its options are those of `made_up.examine`."""

    def panel(**options):
        made = Workbench(examine=made_up.examine(**options), runs=tmp_path / "runs")
        made._choose.path.value = str(clip)
        return made

    return panel


@pytest.fixture
def panel(make):
    return make()
