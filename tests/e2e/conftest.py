"""One server and one browser for all end-to-end tests."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path

import pytest

from tests.e2e import lab as harness
from tests.widgets import made_up as made_up_widgets

OUTPUT = Path(__file__).with_name("output")

MADE_UP = """\
from pathlib import Path
from tests.widgets import made_up
from toolkit import Workbench
examine = made_up.examine(pause=0.01, gate=Path("gate"))
workbench = Workbench(examine=examine, runs=Path("saved"))
workbench"""


@pytest.fixture(scope="session")
def executable():
    found = harness.find_browser()
    if found is None:
        pytest.skip("no Chromium or Chrome found (name one with $CHROMIUM)")
    return found


@pytest.fixture(scope="session")
def lab(tmp_path_factory, executable):
    folder = tmp_path_factory.mktemp("lab")
    for name in ("01_workbench.ipynb", "dev/components.ipynb"):
        shutil.copy(harness.ROOT / "notebooks" / name, folder)
    cell = {"cell_type": "code", "id": "panel", "metadata": {}, "outputs": []}
    made_up = {
        "cells": [{**cell, "execution_count": None, "source": MADE_UP}],
        "metadata": {"kernelspec": {"name": "python3", "display_name": "Python 3"}},
        "nbformat": 4,
        "nbformat_minor": 5,
    }
    (folder / "made_up.ipynb").write_text(json.dumps(made_up), encoding="utf-8")
    made_up_widgets.clip(folder / "clip.mp4")
    made_up_widgets.clip(folder / "reshare.mp4", frames=40)
    with harness.jupyter(folder) as running:
        yield running


@pytest.fixture(scope="session")
def context(executable, output):
    """Open one browser, and keep a trace of each test that fails."""
    with harness.browser(executable) as opened:
        opened.tracing.start(snapshots=True)
        yield opened


@pytest.fixture(autouse=True)
def _trace(request):
    """Keep what the browser did during a test that failed: ``playwright show-trace FILE``."""
    if "context" not in request.fixturenames:
        yield
        return
    tracing = request.getfixturevalue("context").tracing
    tracing.start_chunk(title=request.node.nodeid)
    yield
    report = getattr(request.node, "called", None)
    name = re.sub(r"\W+", "_", request.node.name)
    failed = report is not None and report.failed
    tracing.stop_chunk(path=OUTPUT / f"trace_{name}.zip" if failed else None)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item, call):
    report = yield
    if report.when == "call":
        item.called = report
    return report


@pytest.fixture(scope="session")
def output():
    OUTPUT.mkdir(exist_ok=True)
    return OUTPUT
