"""What every test shares: one thread, fixed seeds, and where the test data lies."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

os.environ.setdefault("DOORZICHT_THREADS", "1")
# tests of everything else than the large body run with the small network, also in subprocesses
os.environ.setdefault("DOORZICHT_SMALL", "1")

import cv2
import numpy as np
import pytest

from tests import cost
from tests.assets import genuine_piece, pair_list, piece, planted_piece, story
from toolkit import _i18n, models
from toolkit.errors import ModelError

ROOT = Path(__file__).resolve().parents[1]

__all__ = ["genuine_piece", "pair_list", "piece", "planted_piece", "story"]


@pytest.hookimpl(wrapper=True)
def pytest_runtest_setup(item: pytest.Item) -> Iterator[None]:
    """Hold what is set up for a test to its limit of processor time."""
    began = cost.cpu_s()
    yield
    cost.charge(item, "setup", cost.cpu_s() - began)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Iterator[None]:
    """Hold a test to its limit of processor time."""
    began = cost.cpu_s()
    yield
    cost.charge(item, "call", cost.cpu_s() - began)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put files with slow tests first: what comes last ends beside an idle core."""
    items[:] = cost.slow_files_first(items)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Print which tests took most processor time, as many as `--durations` asks for."""
    most = terminalreporter.config.getoption("durations") or 0
    reports = [r for kind in ("passed", "failed") for r in terminalreporter.getreports(kind)]
    lines = cost.dearest(reports, most)
    if lines:
        terminalreporter.section(lines[0])
        for line in lines[1:]:
            terminalreporter.write_line(line)


@pytest.fixture(scope="session", autouse=True)
def _own_runs(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Keep tests, and the kernels they start, away from what the user's own panel remembers."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DOORZICHT_RUNS", str(tmp_path_factory.mktemp("runs")))
        yield


@pytest.fixture(autouse=True)
def _quiet() -> Iterator[None]:
    """Give every test the same seeds, one thread and English."""
    cv2.setNumThreads(1)
    np.random.seed(0)  # noqa: NPY002 - for libraries that still use it
    _i18n.set_language("en")
    yield
    _i18n.set_language("en")  # the examples in docstrings know no fixtures


@pytest.fixture(scope="session")
def shared() -> Path:
    """Return the folder with clips for tests, or skip: it is not part of the project."""
    folder = Path(os.environ.get("DOORZICHT_SHARED", ROOT.parent / "shared"))
    if not (folder / "data" / "clips.csv").is_file():
        pytest.skip(f"test data is not here: {folder} (set DOORZICHT_SHARED)")
    return folder


@pytest.fixture(scope="session")
def face_models() -> None:
    """Skip when the face models were not fetched."""
    for name in ("face_detector", "face_mesh"):
        try:
            models.path(name)
        except ModelError as error:
            pytest.skip(str(error))


@pytest.fixture(scope="session")
def sample(face_models):
    """Return a function that gives the path of a sample clip, or skips when it is not here."""
    from toolkit import samples
    from toolkit.errors import ToolkitError

    def find(name: str) -> Path:
        try:
            return samples.path(name)
        except ToolkitError as error:
            pytest.skip(str(error))

    return find
