"""Questions to a verdict in a real JupyterLab: ask, cancel, replace a region, switch language."""

from __future__ import annotations

import json

import pytest

from tests.e2e.lab import open_notebook, run_all, run_in_kernel

pytestmark = [pytest.mark.e2e, pytest.mark.usefixtures("face_models")]

CELL = """\
from tests.widgets.workbench import made_up_inquiry as made_up
from toolkit.widgets.workbench.explain import ExplainPanel
detector = made_up.Green()
panel = ExplainPanel(made_up.examination(), detector=detector, donors=(), switch=True)
panel"""


@pytest.fixture(scope="module")
def page(context, lab):
    cell = {"cell_type": "code", "id": "panel", "metadata": {}, "outputs": []}
    notebook = {
        "cells": [{**cell, "execution_count": None, "source": CELL}],
        "metadata": {"kernelspec": {"name": "python3", "display_name": "Python 3"}},
        "nbformat": 4,
        "nbformat_minor": 5,
    }
    (lab.folder / "inquiry.ipynb").write_text(json.dumps(notebook), encoding="utf-8")
    problems = []
    page = open_notebook(context, lab, "inquiry.ipynb")
    page.on("pageerror", lambda error: problems.append(str(error)))
    run_all(page)
    page.locator(".dz-inquiry-idle .dz-board tbody tr").first.wait_for()
    yield page
    page.close()
    assert problems == []


@pytest.fixture
def panel(page):
    """Start each test in English, in the first view, with nothing ticked."""
    page.locator(".dz-language button", has_text="English").click()
    page.locator(".dz-inquiry[lang=en]").wait_for()
    page.locator(".dz-inquiry-views button", has_text="What if").click()
    for box in page.locator(".dz-board input:checked").all():
        box.click()
    return page.locator(".dz-inquiry")


def ask(panel, name, state="done"):
    panel.locator(f".dz-ask-{name}").click()
    panel.page.locator(f".dz-inquiry-{state}").wait_for()


def test_the_sum_and_what_would_change_it_are_there_before_anything_is_asked(panel):
    assert "= 1.287 logit" in panel.locator(".dz-sum").text_content()  # folded
    assert "smallest set of frames" in panel.locator(".dz-changes").inner_text()
    assert panel.locator(".dz-board tbody tr").count() == 10
    panel.locator(".dz-inquiry-chart .hm").wait_for(state="attached")


def test_ticking_a_region_replaces_it_at_once(panel, output):
    panel.locator("tr[data-region=mouth] input").click()
    replaced = panel.locator(".dz-composite [data-replaced=mouth]")
    replaced.wait_for()
    assert float(replaced.get_attribute("data-logit")) < 0
    assert "below the threshold" in replaced.inner_text()
    panel.locator("tr[data-region=nose] input").click()
    panel.locator(".dz-composite [data-replaced='mouth nose']").wait_for()
    ask(panel, "check")
    panel.locator(".dz-checked", has_text="the verdict turns").wait_for()
    panel.screenshot(path=output / "inquiry_try_first.png")
    panel.locator(".dz-ask-untick").click()
    panel.locator(".dz-composite [data-replaced='']").wait_for()


def test_both_witnesses_and_the_exact_frame(panel, output):
    ask(panel, "witnesses")
    panel.locator(
        ".dz-witnesses", has_text="both witnesses put the same region first on 3"
    ).wait_for()
    ask(panel, "exact")
    panel.locator(".dz-witnesses", has_text="replacing mouth brings this frame below").wait_for()
    panel.screenshot(path=output / "inquiry_try_en.png")


def test_every_other_view_answers(panel, output):
    views = panel.locator(".dz-inquiry-views button")
    for name, pane, question, said in (
        ("Reference", "reference", "every_kind", "below the threshold"),
        ("Trust", "trust", "trust", "checks speak for this explanation"),
        ("Frequencies", "bands", "bands", "cycles per face width"),
        ("Other methods", "methods", "methods", "the network itself is not open here"),
    ):
        views.filter(has_text=name).click()
        ask(panel, question)
        panel.locator(f".dz-pane-{pane}", has_text=said).wait_for()
        panel.screenshot(path=output / f"inquiry_{question}_en.png")


def test_a_cell_of_the_chart_and_a_region_lead_there(panel):
    panel.locator("tr[data-region=chin_jaw] button").click()
    panel.locator("tr[data-region=chin_jaw][aria-current]").wait_for()
    assert run_in_kernel(panel.page, "print(panel.region)").strip() == "chin_jaw"
    chart = panel.locator(".dz-inquiry-chart .nsewdrag").first
    box = chart.bounding_box()
    # the second of eight frames, the first of eleven rows
    chart.click(position={"x": box["width"] * 1.5 / 8, "y": box["height"] * 0.5 / 11})
    panel.locator("tr[data-region=mouth][aria-current]").wait_for()
    assert run_in_kernel(panel.page, "print(panel.position)").strip() == "1"


def test_cancel_stops_and_keeps_what_was_answered(panel, output):
    run_in_kernel(panel.page, "detector.pause = 0.05; panel.position = 2")
    panel.locator(".dz-ask-exact").click()
    panel.page.locator(".dz-inquiry-running").wait_for()
    panel.locator(".dz-inquiry-line", has_text="all composites").wait_for()
    panel.screenshot(path=output / "inquiry_running.png")
    panel.locator(".dz-inquiry-cancel").click()
    panel.page.locator(".dz-inquiry-cancelled").wait_for(timeout=5_000)
    assert "Cancelled" in panel.locator(".dz-inquiry-line").inner_text()
    assert panel.locator(".dz-ask-exact").is_enabled()
    run_in_kernel(panel.page, "detector.pause = 0.0; panel.position = 5")


def test_dutch_at_once(panel, output):
    panel.locator(".dz-language button", has_text="Nederlands").click()
    panel.page.locator(".dz-inquiry[lang=nl]").wait_for()
    panel.locator(".dz-witnesses", has_text="Door vervanging").wait_for()
    panel.screenshot(path=output / "inquiry_try_nl.png")
    for name, file in (("Vertrouwen", "trust"), ("Referentie", "reference")):
        panel.locator(".dz-inquiry-views button", has_text=name).click()
        panel.screenshot(path=output / f"inquiry_{file}_nl.png")


def test_keys_do_not_reach_the_notebook(panel):
    before = panel.page.locator(".jp-Cell").count()
    panel.locator("tr[data-region=mouth] button").focus()
    panel.page.keyboard.press("a")
    panel.page.keyboard.press("b")
    assert panel.page.locator(".jp-Cell").count() == before
