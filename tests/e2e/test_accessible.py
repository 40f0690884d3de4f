"""The newer panels by keyboard alone and as axe-core sees them, in one notebook."""

from __future__ import annotations

import json

import pytest
from axe_playwright_python.sync_playwright import Axe

from tests.casework import casework
from tests.e2e.lab import open_notebook, run_all

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(600)]

CELLS = (
    """\
from pathlib import Path
from IPython.display import HTML, display
from tests.casework import casework as made_up_case
from tests.widgets.lessons.test_learning import FACES
from toolkit.widgets.casework import Casework
from toolkit.widgets.lessons.learning import FaceLearningLab
from toolkit.widgets.lessons.lesson import Lesson
from toolkit.widgets.progress import bar
from toolkit.widgets.workbench.detectors import Detectors
from toolkit.widgets.status import StatusLine
import ipywidgets
lesson = Lesson("04_how_deepfakes_are_made", runs=Path("accessible"))""",
    "lesson.opening()",
    """\
learning = lesson.show(FaceLearningLab(FACES, keep_in=Path("accessible")))
learning._length.options = [("3 steps", 3)]
learning.task.start(); learning.task.wait(120)
learning""",
    """\
detectors = ipywidgets.VBox([StatusLine(), Detectors()])
detectors.add_class("dz-workbench"); detectors.add_class("t-detectors")
detectors""",
    """\
case = Casework(Path("accessible_case"), examine=made_up_case.examine_two)
case.intake.path.value = "accessible.mp4"; case.intake.trust.value = False
case.intake.adding.start(); case.intake.adding.wait(120); case.intake.showing.wait(120)
case""",
    "display(HTML(bar(0.4, '12 of 30 videos')))",
)
PANELS = {
    "opening": ".dz-lesson-opening",
    "learning": ".dz-learning",
    "detectors": ".t-detectors",
    "case": ".dz-casework",
    "batch": ".dz-bar",
}

# Every control of a panel that can be seen and used, marked with a number.
MARK = """(selector) => {
  const panel = document.querySelector(selector);
  const all = 'button, input, select, textarea, summary, a[href], [tabindex="0"]';
  const radios = new Set();
  const usable = [...panel.querySelectorAll(all)].filter((e) => {
    if (e.disabled || !e.checkVisibility() || e.tabIndex < 0) return false;
    const box = e.getBoundingClientRect();
    if (e.type === 'file' || box.width < 2 || box.height < 2) return false;
    if (e.type !== 'radio') return true;
    const is_first = !radios.has(e.name); radios.add(e.name); return is_first;
  });
  usable.forEach((e, i) => { e.dataset.tab = `${selector}${i}`; });
  return usable.length;
}"""
HERE = "() => document.activeElement?.dataset?.tab ?? ''"
NAMED = "(tab) => document.querySelector(`[data-tab='${CSS.escape(tab)}']`)?.outerHTML"


@pytest.fixture(scope="module")
def page(context, lab):
    casework.clip(lab.folder / "accessible.mp4")
    cells = [
        {
            "cell_type": "code",
            "id": f"cell{number}",
            "metadata": {},
            "outputs": [],
            "execution_count": None,
            "source": source,
        }
        for number, source in enumerate(CELLS)
    ]
    kernel = {"kernelspec": {"name": "python3", "display_name": "Python 3"}}
    content = {"cells": cells, "metadata": kernel, "nbformat": 4, "nbformat_minor": 5}
    (lab.folder / "accessible.ipynb").write_text(json.dumps(content), encoding="utf-8")
    opened = open_notebook(context, lab, "accessible.ipynb")
    opened.set_viewport_size({"width": 1280, "height": 7000})
    run_all(opened, timeout_ms=300_000)
    opened.locator(".dz-casework .dz-player[data-ready='1']").wait_for(timeout=120_000)
    yield opened
    opened.close()


@pytest.mark.parametrize("name", PANELS)
def test_axe_finds_nothing_serious(page, output, name):
    page.locator(PANELS[name]).first.screenshot(path=output / f"accessible_{name}.png")
    found = Axe().run(page, context=PANELS[name]).response["violations"]
    assert [
        f"{v['id']}: {node['html'][:160]}"
        for v in found
        if v["impact"] in {"serious", "critical"}
        for node in v["nodes"]
    ] == []


@pytest.mark.parametrize("name", [n for n in PANELS if n != "batch"])
def test_tab_reaches_every_control_of_a_panel(page, name):
    selector = PANELS[name]
    count = page.evaluate(MARK, selector)
    assert count > 1
    first = page.locator(f"[data-tab='{selector}0']")
    first.focus()
    reached = {page.evaluate(HERE)}
    for _step in range(3 * count):
        page.keyboard.press("Tab")
        reached.add(page.evaluate(HERE))
        if len(reached & {f"{selector}{i}" for i in range(count)}) == count:
            break
    missed = {f"{selector}{i}" for i in range(count)} - reached
    assert [page.evaluate(NAMED, tab) for tab in sorted(missed)] == []


def test_a_step_of_a_case_opens_by_keyboard_and_no_key_reaches_the_notebook(page):
    cells = page.locator(".jp-Notebook .jp-Cell").count()
    fold = page.locator(".dz-casework .dz-fold").last
    assert fold.inner_text() == "Open"
    fold.focus()
    for key in ("a", "b", "x"):  # Lab would insert, insert, cut
        page.keyboard.press(key)
    page.keyboard.press("Enter")
    page.locator(".dz-casework .dz-fold", has_text="Fold").last.wait_for()
    page.wait_for_function(
        "() => [...document.querySelectorAll('.dz-casework .dz-fold')].at(-1).innerText === 'Fold'"
    )
    assert page.locator(".jp-Notebook .jp-Cell").count() == cells
