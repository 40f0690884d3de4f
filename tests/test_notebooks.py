"""Every notebook runs from top to bottom without an error."""

from __future__ import annotations

import os

import nbformat
import pytest
from nbclient import NotebookClient

from tests.e2e.lab import find_browser
from tests.sources import notebooks

pytestmark = pytest.mark.skipif(
    "DOORZICHT_NOTEBOOKS_IN_BROWSER" in os.environ and find_browser() is not None,
    reason="tests/e2e/test_every_notebook.py opens every notebook in a browser",
)


@pytest.mark.slow
@pytest.mark.parametrize("path", notebooks(), ids=lambda p: p.stem)
def test_notebook_runs(path):
    notebook = nbformat.read(path, as_version=4)
    client = NotebookClient(
        notebook, timeout=120, resources={"metadata": {"path": str(path.parent)}}
    )
    client.execute()
    shown = [o for cell in notebook.cells for o in cell.get("outputs", ())]
    assert any("application/vnd.jupyter.widget-view+json" in o.get("data", {}) for o in shown)
    assert not [o for o in shown if o["output_type"] in ("error", "stream")]
