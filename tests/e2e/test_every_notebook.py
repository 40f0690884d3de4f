"""Every notebook, opened and run in a real browser: each panel is on the page, and nothing failed.

`test_notebooks` runs the same cells without a browser; a panel whose model never reached the page
is not seen there.
"""

from __future__ import annotations

import contextlib
import shutil

import pytest
from playwright.sync_api import TimeoutError as TimedOut

from tests.e2e.lab import ROOT, browser, jupyter, open_notebook, run_all
from tests.sources import every_notebook, notebooks

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(600)]

NOTEBOOKS = notebooks()

# Of each cell that holds a widget, as the notebook's own model says: how large what the page shows
# of it is, and what the page says where a model never came.
PANELS = """() => {
  const cells = jupyterapp.shell.currentWidget.content.widgets;
  return cells.filter(cell => cell.model.type === 'code').flatMap(cell => {
    const outputs = cell.model.outputs.toJSON();
    const shown = [...cell.node.querySelectorAll('.jp-OutputArea-output')];
    return outputs.map((output, i) => ({output, node: shown[i]})).filter(
      ({output}) => 'application/vnd.jupyter.widget-view+json' in (output.data ?? {})
    ).map(({node}) => {
      const box = node?.firstElementChild?.getBoundingClientRect();
      const said = /model not found|Error displaying widget|Loading widget/.exec(node?.innerText);
      return {width: box?.width ?? 0, height: box?.height ?? 0, problem: said?.[0] ?? ''};
    });
  });
}"""
KINDS = """() => jupyterapp.shell.currentWidget.content.widgets
  .filter((cell) => cell.model.type === 'code')
  .flatMap((cell) => cell.model.outputs.toJSON())
  .map((output) => output.output_type)"""
READY = f"() => ({PANELS})().every(p => p.height > 10 && p.problem !== 'Loading widget')"


@pytest.fixture(scope="module")
def kernels(tmp_path_factory, executable):
    """One server with all notebooks, and one browser that is tall enough to render every cell."""
    folder = tmp_path_factory.mktemp("notebooks")
    shutil.copytree(
        ROOT / "notebooks", folder, dirs_exist_ok=True, ignore=shutil.ignore_patterns(".*")
    )
    with jupyter(folder) as lab, browser(executable, height=16_000) as context:
        yield context, lab


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda p: p.stem)
def test_every_panel_of_a_notebook_is_on_the_page(kernels, path, output):
    context, lab = kernels
    page, problems = open_notebook(context, lab, path.name), []
    page.on("pageerror", lambda error: problems.append(str(error)))
    run_all(page, timeout_ms=500_000)
    with contextlib.suppress(TimedOut):  # what is amiss is told below
        page.wait_for_function(READY, timeout=30_000)
    panels, kinds = page.evaluate(PANELS), page.evaluate(KINDS)
    page.screenshot(path=output / f"notebook_{path.stem}.png")
    page.evaluate("jupyterapp.commands.execute('docmanager:save')")
    page.evaluate("jupyterapp.shell.currentWidget.sessionContext.shutdown()")
    page.close()
    assert panels != []
    for panel in panels:
        assert panel["problem"] == ""
        assert panel["width"] > 100
        assert panel["height"] > 10
    assert not {"error", "stream"} & set(kinds)  # nothing is printed beside what is shown
    assert problems == []
    # what JupyterLab saved is no further notebook of the project
    assert (lab.folder / ".ipynb_checkpoints").is_dir()
    names = [p.relative_to(lab.folder).as_posix() for p in every_notebook(lab.folder)]
    assert names == [p.relative_to(ROOT / "notebooks").as_posix() for p in every_notebook()]
