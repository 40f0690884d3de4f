"""The triage page in a real browser: opened from disk, and served by Jupyter."""

from __future__ import annotations

import shutil

import cv2
import numpy as np
import pytest
from axe_playwright_python.sync_playwright import Axe

from toolkit.batch import study_triage, triage

pytestmark = pytest.mark.e2e

READY = "() => document.documentElement.dataset.ready === 'true'"
NAMES = (
    "[...document.querySelectorAll('#body tr:not(.space) td:nth-child(2)')].map(c => c.innerText)"
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    out = tmp_path_factory.mktemp("results")
    rows = study_triage.made_up_rows(2000)
    triage.write(rows, out / "triage.html")
    first = triage.first_to_look_at(rows)[0]
    clip = out / first["report"]
    clip.mkdir(parents=True)
    cv2.imwrite(str(clip / "face.jpg"), np.full((96, 96, 3), 90, np.uint8))
    return out


@pytest.fixture
def page(context, folder):
    problems = []
    page = context.new_page()
    page.set_viewport_size({"width": 1280, "height": 1100})
    page.on("pageerror", lambda error: problems.append(str(error)))
    page.on("console", lambda m: m.type == "error" and problems.append(m.text))
    page.goto((folder / "triage.html").as_uri())
    page.wait_for_function(READY)
    yield page
    page.close()
    assert problems == []


def scores(page):
    cells = page.evaluate(NAMES.replace("(2)", "(4)"))
    return [float(c.replace("−", "-")) for c in cells if c]


def test_the_table_sorts_filters_and_scrolls_through_all_rows(page, output):
    assert page.inner_text("#shown") == "2,000 of 2,000 clips"
    assert page.locator("#body tr").count() < 120  # only what is in view exists
    assert scores(page) == sorted(scores(page), reverse=True)
    page.click("th[data-column=score] button")
    page.click("th[data-column=score] button")
    assert scores(page) == sorted(scores(page))
    page.click("th[data-column=name] button")
    assert page.evaluate(NAMES)[:2] == ["broadcast-000000.mp4", "broadcast-000001.mp4"]
    page.evaluate(
        "() => { scroll.scrollTop = 0; document.getElementById('scroll').scrollTop = 1e7 }"
    )
    page.wait_for_function(
        "() => document.querySelector('#body').innerText.includes('broadcast-001999')"
    )
    page.select_option("#outcome", "2")
    assert page.inner_text("#shown").startswith("21 of")
    page.select_option("#outcome", "")
    page.fill("#search", "broadcast-00012")
    page.wait_for_function("() => document.getElementById('shown').innerText.startsWith('10 of')")
    page.screenshot(path=output / "triage.png")


def test_faces_are_covered_until_somebody_asks(page):
    assert page.locator("img").count() == 0
    page.click("#body td button >> nth=0")
    assert page.locator("#detail img").count() == 0
    page.get_by_role("button", name="Show the face").click()
    page.wait_for_function("() => document.querySelector('#detail img').naturalWidth === 96")
    assert page.locator("#body img").count() == 0


def test_a_clip_leads_to_its_report_and_to_the_workbench(page, folder):
    page.click("#body td button >> nth=0")
    links = page.locator("#detail a")
    clip = next((folder / "clips").iterdir())
    assert links.nth(0).evaluate("a => a.href") == (clip / "report.html").as_uri()
    assert links.nth(1).evaluate("a => a.href") == (clip / "workbench.ipynb").as_uri()
    assert f'toolkit.open_analysis("{clip}")' in page.inner_text("#detail code")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_nothing_keeps_anybody_from_using_the_page(page, scheme):
    page.emulate_media(color_scheme=scheme)
    page.click("#body td button >> nth=0")
    found = Axe().run(page).response["violations"]
    assert [(v["id"], [n["html"] for n in v["nodes"]]) for v in found] == []


def test_the_chart_follows_the_filter_and_a_point_chooses_its_clip(page):
    count = "document.getElementById('chart').data.reduce((n, t) => n + t.x.length, 0)"
    before = page.evaluate(count)
    page.select_option("#source", "1")
    assert 0 < page.evaluate(count) < before / 10
    page.evaluate(
        "document.getElementById('chart').emit('plotly_click', {points: [{customdata: 5}]})"
    )
    assert page.locator("#detail h2").inner_text().startswith("broadcast-")


def test_the_page_served_by_jupyter_links_into_the_lab(context, lab, folder):
    shutil.copytree(folder, lab.folder / "results", dirs_exist_ok=True)
    page = context.new_page()
    page.goto(f"{lab.url}files/results/triage.html?token={lab.token}")
    try:
        page.wait_for_function(READY)
        page.click("#body td button >> nth=0")
        href = page.locator("#detail a").nth(1).evaluate("a => a.href")
        clip = next((folder / "clips").iterdir()).name
        assert href == f"{lab.url}lab/tree/results/clips/{clip}/workbench.ipynb"
    finally:
        page.close()
        shutil.rmtree(lab.folder / "results")
