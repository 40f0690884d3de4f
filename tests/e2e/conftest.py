"""One server and one browser for all end-to-end tests."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from tests.e2e import lab as harness

OUTPUT = Path(__file__).with_name("output")

MADE_UP = """\
from pathlib import Path
from tests.widgets import made_up
from toolkit import Workbench
workbench = Workbench(analyse=made_up.analysis(pause=0.02), runs=Path("saved"))
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
    shutil.copy(harness.ROOT / "notebooks" / "01_workbench.ipynb", folder)
    cell = {"cell_type": "code", "id": "panel", "metadata": {}, "outputs": []}
    made_up = {
        "cells": [{**cell, "execution_count": None, "source": MADE_UP}],
        "metadata": {"kernelspec": {"name": "python3", "display_name": "Python 3"}},
        "nbformat": 4,
        "nbformat_minor": 5,
    }
    (folder / "made_up.ipynb").write_text(json.dumps(made_up), encoding="utf-8")
    with harness.jupyter(folder) as running:
        yield running


@pytest.fixture(scope="session")
def context(executable):
    with harness.browser(executable) as opened:
        yield opened


@pytest.fixture(scope="session")
def output():
    OUTPUT.mkdir(exist_ok=True)
    return OUTPUT
