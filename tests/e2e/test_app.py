"""The classroom app: workbench and lessons as pages without code, served to this computer only."""

from __future__ import annotations

import contextlib
import os
import re
import subprocess
import sys
import urllib.error
import urllib.request

import pytest
from axe_playwright_python.sync_playwright import Axe

from tests.e2e.lab import ROOT
from toolkit.lessons import read_lesson

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(300)]

START = """
import pathlib, sys, start
start.PYTHON = pathlib.Path(sys.executable)
sys.exit(start.open_app(["--no-browser", *sys.argv[1:]]))
"""
LESSONS = sorted((ROOT / "notebooks" / "lessons").glob("*.toml"))


@contextlib.contextmanager
def running(runs, *arguments):
    """Start the app; give its address, and see that nothing is left when it stops."""
    command = [sys.executable, "-c", START, *arguments]
    env = os.environ | {"DOORZICHT_LANGUAGE": "en", "DOORZICHT_RUNS": str(runs)}
    process = subprocess.Popen(
        command, cwd=ROOT, env=env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    try:
        said = process.stdout.readline()
        found = re.search(r"http://127\.0\.0\.1:\d+/\?token=\S+", said)
        assert found, said
        yield found.group()
    finally:
        process.terminate()
        code = process.wait(30)
        process.stdout.close()
    assert code == 0
    with pytest.raises(OSError):
        urllib.request.urlopen(found.group(), timeout=5)


@pytest.fixture(scope="module")
def app(executable, tmp_path_factory):
    with running(tmp_path_factory.mktemp("runs")) as address:
        yield address


def test_without_the_token_nothing_is_served(app):
    base = app.partition("?")[0]
    with urllib.request.urlopen(base, timeout=20) as answer:
        assert "/login" in answer.url
    kernel = f"{base}api/kernels/00000000-0000-0000-0000-000000000000/channels"
    with pytest.raises(urllib.error.HTTPError) as refused:
        urllib.request.urlopen(kernel, timeout=20)
    assert refused.value.code == 403
    refused.value.close()


def test_the_workbench_fills_the_page_and_shows_no_code(app, context, output):
    page, asked, stopped, problems = context.new_page(), set(), set(), []
    page.on("request", lambda request: asked.add(request.url))
    page.on("requestfailed", lambda r: stopped.add(r.url) if r.failure == "csp" else None)
    page.on("pageerror", lambda error: problems.append(str(error)))
    page.set_viewport_size({"width": 1280, "height": 900})
    page.goto(app, timeout=60_000)
    panel = page.locator(".dz-workbench.dz-state-idle")
    panel.wait_for(timeout=60_000)
    assert panel.bounding_box()["width"] > 0.95 * 1280
    text = page.locator("body").inner_text()
    assert "import" not in text
    assert "Workbench(" not in text
    page.locator(".dz-language button", has_text="Nederlands").click()
    page.locator(".dz-workbench[lang=nl]").wait_for()  # the kernel answers
    page.locator(".dz-language button", has_text="English").click()
    page.locator(".dz-workbench[lang=en]").wait_for()
    page.screenshot(path=output / "app.png")
    page.locator(".dz-options").click()
    page.locator(".dz-frames select").select_option(index=1)
    page.locator(".dz-analyse").click()
    page.locator(".dz-workbench.dz-state-done").wait_for(timeout=120_000)
    page.locator(".dz-player[data-ready='1']:visible").wait_for()
    page.locator(".dzp-scrub").fill("150")
    page.locator("figure.dz-player[data-frame='150']").wait_for()
    page.screenshot(path=output / "app_done.png", full_page=True)
    found = Axe().run(page, context=".dz-workbench").response["violations"]
    page.close()
    assert [v["id"] for v in found if v["impact"] in {"serious", "critical"}] == []
    own = app.partition("?")[0]
    here = (own, own.replace("http", "ws"), "data:", "blob:")
    # Voila's page names a font on the web: our policy stops it before anything is sent
    assert {url for url in asked if not url.startswith(here)} - stopped == set()
    assert problems == []


# What of the answer does not lie within the window.
OUT_OF_SIGHT = """() => ['.dz-answer-says b', '.dz-answer-gauge svg', '.dz-answer-gauge p',
  '.dz-player .dzp-overlay', '.dz-player .dzp-lanes'].filter((part) => {
    const box = document.querySelector(part)?.getBoundingClientRect();
    return !box?.height || box.top < 0 || box.bottom > innerHeight || box.right > innerWidth;
  })"""


def test_one_click_leads_to_the_answer(context, output, tmp_path):
    """Two with the one that opened the app: where, when and how far, on a laptop's first screen."""
    with running(tmp_path) as address:
        page = context.new_page()
        page.set_viewport_size({"width": 1280, "height": 800})
        page.goto(address, timeout=60_000)
        page.locator(".dz-workbench.dz-state-idle").wait_for(timeout=60_000)
        page.locator(".dz-example").click()
        page.locator(".dz-workbench.dz-state-done").wait_for(timeout=240_000)
        page.locator(".dz-player[data-ready='1']:visible").wait_for()
        page.locator(".dz-player .dzp-lanes").wait_for()
        hidden = page.evaluate(OUT_OF_SIGHT)
        said = page.locator(".dz-answer").inner_text()
        page.screenshot(path=output / "app_first_screen.png")
        page.close()
    assert hidden == []
    assert "mostly the mouth, from 0:0" in said
    assert "above the line" in said


@pytest.mark.parametrize("path", LESSONS, ids=lambda p: p.stem)
def test_a_lesson_is_a_page_without_code(path, context, output, tmp_path):
    lesson = read_lesson(path.stem)
    number = str(int(path.stem[:2]))
    with running(tmp_path, "--lesson", number) as address:
        page, problems = context.new_page(), []
        page.on("pageerror", lambda error: problems.append(str(error)))
        page.set_viewport_size({"width": 1280, "height": 800})
        page.goto(address, timeout=120_000)
        page.locator(".dz-lesson-closing").wait_for(timeout=120_000)
        text = page.locator("body").inner_text()
        assert "Error displaying widget" not in text
        for code in ("from toolkit", "lesson.text(", "lesson.show(", "Traceback", "Run All Cells"):
            assert code not in text
        assert page.locator(".dz-exercise").count() == len(lesson.exercises)
        assert page.locator(".dz-lesson-text").count() == len(lesson.text)
        pictures = page.locator(".dz-lesson-strip figure")
        assert pictures.count() == 3
        for picture in pictures.all():  # on the first screen of a small laptop, beside the words
            box = picture.bounding_box()
            assert 0 <= box["y"] < box["y"] + box["height"] <= 800
        for panel in page.locator(".dz-lesson").all():
            assert panel.bounding_box()["height"] > 10
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
        page.set_viewport_size({"width": 1280, "height": 5000})  # the page scrolls inside itself
        page.locator(".dz-lesson-language button", has_text="Nederlands").click()
        page.locator(".dz-lesson-opening h2", has_text=lesson.title.nl).wait_for()
        page.screenshot(path=output / f"app_lesson_{number}_nl.png", full_page=True)
        page.locator(".dz-lesson-language button", has_text="English").click()
        page.locator(".dz-lesson-opening h2", has_text=lesson.title.en).wait_for()
        page.screenshot(path=output / f"app_lesson_{number}.png", full_page=True)
        page.close()
    assert problems == []
