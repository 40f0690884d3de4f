"""The workbench in a real JupyterLab: what a user sees and presses."""

from __future__ import annotations

import importlib
import re

import pytest

from tests.e2e.lab import open_notebook, run_all, run_in_kernel
from toolkit import samples
from toolkit.errors import ToolkitError

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(600)]

CELLS = "() => jupyterapp.shell.currentWidget.content.widgets.length"

CHART_FITS = """() => {
  const width = (selector) => document.querySelector(selector).getBoundingClientRect().width;
  return Math.abs(width('.dz-charts .main-svg') - width('.dz-charts')) < 12;
}"""


def wait_for(page, state, *, timeout_ms=60_000):
    page.locator(f".dz-workbench.dz-state-{state}").wait_for(timeout=timeout_ms)


def say(page, part):
    return page.locator(f".dz-{part}").inner_text()


@pytest.fixture(scope="module")
def problems():
    return []


@pytest.fixture(scope="module")
def made_up(context, lab, problems):
    """Open the panel with an analysis that is made up."""
    page = open_notebook(context, lab, "made_up.ipynb")
    page.on("pageerror", lambda error: problems.append(str(error)))
    run_all(page)
    wait_for(page, "idle")
    yield page
    page.close()


@pytest.fixture
def done(made_up):
    """Bring the panel to a result in English."""
    made_up.locator(".dz-language button", has_text="English").click()
    if made_up.locator(".dz-state-done").count() == 0:
        made_up.locator(".dz-analyse").click()
        wait_for(made_up, "done")
    return made_up


def test_progress_names_the_stage_and_cancel_stops(made_up, output):
    made_up.locator(".dz-analyse").click()
    wait_for(made_up, "running")
    made_up.wait_for_function(
        "() => /looking for faces.*left/.test(document.querySelector('.dz-status').textContent)"
    )
    made_up.locator(".dz-workbench").screenshot(path=output / "running.png")
    made_up.locator(".dz-cancel").click()
    wait_for(made_up, "cancelled", timeout_ms=5_000)
    assert "Cancelled" in say(made_up, "status")
    assert made_up.locator(".dz-analyse").is_enabled()
    assert made_up.locator(".dz-cancel").is_disabled()


def test_result_is_shown_in_words_charts_and_pictures(done, output):
    assert "calls this video forged" in say(done, "verdict")
    assert "face is too small" in say(done, "notices")
    assert "Most important to this detector: mouth" in say(done, "person")
    assert re.search(r"0:25\.6–0:28\.2", say(done, "intervals"))
    done.locator(".dz-charts .js-plotly-plot .hm").wait_for(state="attached")
    assert done.locator(".dz-charts .js-plotly-plot").count() == 1
    done.wait_for_function(CHART_FITS)
    images = done.locator(".dz-strip img")
    assert images.count() == 8
    assert images.evaluate_all("all => all.every(i => i.naturalWidth === 224 && i.alt)")
    done.locator(".dz-workbench").screenshot(path=output / "result_en.png")


def test_language_switches_at_once(done, output):
    done.locator(".dz-language button", has_text="Nederlands").click()
    done.locator(".dz-workbench[lang=nl]").wait_for()
    done.locator(".dz-verdict", has_text="vervalst").wait_for()
    assert done.locator(".dz-analyse").inner_text() == "Analyseren"
    done.locator(".dz-workbench", has_text="mond").wait_for()
    done.locator(".dz-charts text", has_text="drempel").first.wait_for()
    done.locator(".dz-workbench").screenshot(path=output / "result_nl.png")


def test_another_person_is_shown_on_request(done, output):
    done.locator(".dz-persons button", has_text="B").click()
    done.locator(".dz-person", has_text="Person B: no verdict").wait_for()
    done.locator(".dz-strip").wait_for(state="detached")  # nothing to show of B
    done.locator(".dz-workbench").screenshot(path=output / "person_b.png")
    done.locator(".dz-persons button", has_text="A").click()
    done.locator(".dz-person", has_text="Person A").wait_for()


def test_report_is_saved_and_opens_from_disk(done, lab, context, output):
    done.locator(".dz-save").click()
    done.locator(".dz-saved", has_text="Saved in").wait_for()
    (folder,) = (lab.folder / "saved").iterdir()
    assert sorted(p.name for p in folder.iterdir()) == ["report.html", "report.json", "run.json"]
    page, wrong, asked = context.new_page(), [], []
    page.on("console", lambda message: wrong.append(message.text))
    page.on("request", lambda request: asked.append(request.url))
    page.goto((folder / "report.html").as_uri())
    assert "calls this video forged" in page.locator(".verdict").inner_text()
    page.screenshot(path=output / "report.png", full_page=True)
    page.set_viewport_size({"width": 360, "height": 800})
    fits = page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    page.screenshot(path=output / "report_narrow.png", full_page=True)
    page.close()
    assert fits
    assert wrong == []
    assert [url for url in asked if not url.startswith(("file:", "data:"))] == []


def test_keys_stay_in_the_panel(done):
    before = done.evaluate(CELLS)
    done.locator(".dz-sample select").focus()
    for key in ("a", "b", "x"):  # Lab would insert, insert, cut
        done.keyboard.press(key)
    done.locator(".dz-analyse").focus()
    done.keyboard.press("a")
    assert done.evaluate(CELLS) == before


def test_nothing_went_wrong_in_the_browser(done, problems):
    assert problems == []


@pytest.fixture(scope="module")
def real(context, lab, output):
    """Open the notebook that users open, and analyse the sample that is chosen in it."""
    try:
        importlib.import_module("toolkit.analysis")
        samples.path("planted_cap12")
    except (ImportError, ToolkitError) as error:
        pytest.skip(f"no analysis of the planted sample: {error}")
    page = open_notebook(context, lab, "01_workbench.ipynb")
    run_all(page)
    wait_for(page, "idle")
    chosen = page.locator(".dz-sample select").evaluate("s => s.options[s.selectedIndex].text")
    assert chosen.split()[0] == "Planted"  # Lab shows no-break spaces
    page.locator(".dz-analyse").click()
    wait_for(page, "running")
    page.locator(".dz-workbench.dz-state-done, .dz-workbench.dz-state-error").wait_for(
        timeout=300_000
    )
    page.locator(".dz-charts .js-plotly-plot .hm").wait_for(state="attached")
    page.locator(".dz-workbench").screenshot(path=output / "planted_en.png")
    assert page.locator(".dz-state-done").count() == 1, say(page, "verdict")
    yield page
    page.close()


def test_planted_sample_is_explained(real):
    assert "calls this video forged" in say(real, "verdict")
    truth = real.locator(".dz-truth [data-region]")
    assert truth.get_attribute("data-region") == "right"
    assert float(truth.get_attribute("data-iou")) >= 0.7
    assert real.locator(".dz-strip img").count() >= 2


def test_planted_sample_in_dutch(real, output):
    real.locator(".dz-language button", has_text="Nederlands").click()
    real.locator(".dz-verdict", has_text="vervalst").wait_for()
    real.locator(".dz-charts text", has_text="drempel").first.wait_for()
    real.locator(".dz-workbench").screenshot(path=output / "planted_nl.png")
    real.locator(".dz-language button", has_text="English").click()
    real.locator(".dz-verdict", has_text="forged").wait_for()


def test_a_second_run_is_cancelled_and_the_kernel_lives(real):
    real.locator(".dz-analyse").click()
    wait_for(real, "running")
    real.wait_for_function(
        "() => document.querySelector('.dz-status').textContent.startsWith('Now ')",
        timeout=60_000,
    )
    real.locator(".dz-cancel").click()
    wait_for(real, "cancelled", timeout_ms=30_000)
    said = run_in_kernel(real, "print(workbench.state, workbench.report)")
    assert said.split() == ["cancelled", "None"]


def test_a_refused_path_is_told_and_the_kernel_lives(real, lab, output):
    (lab.folder / "empty.mp4").touch()
    real.locator(".dz-path input").fill(str(lab.folder / "empty.mp4"))
    real.locator(".dz-analyse").click()
    wait_for(real, "error")
    assert "The file is empty: empty.mp4." in say(real, "verdict")
    real.locator(".dz-workbench").screenshot(path=output / "refused.png")
    assert run_in_kernel(real, "print(1 + 1)").strip() == "2"
