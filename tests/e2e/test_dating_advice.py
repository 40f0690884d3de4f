"""Lesson 8 as a class does it: the notebook itself, from the clip's receipt to its report."""

from __future__ import annotations

import shutil

import pytest

from tests.e2e.lab import ROOT, open_notebook, run_all, run_in_kernel
from tests.lessons.test_text import FORBIDDEN
from toolkit.errors import ToolkitError
from toolkit.lessons import story

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(600)]

NAME = "08_the_dating_advice_case.ipynb"


@pytest.fixture(scope="module")
def page(context, lab):
    try:
        story.cast()
    except ToolkitError as error:
        pytest.skip(str(error))
    shutil.copy(ROOT / "notebooks" / NAME, lab.folder)
    page = open_notebook(context, lab, NAME)
    page.set_viewport_size({"width": 1280, "height": 9000})  # Lab cuts what is out of view
    run_all(page)
    page.locator(".dz-lesson-closing").wait_for(timeout=60_000)
    yield page
    page.close()


def do(page, step, *, timeout_s=240):
    """Press a step's button and wait until it is done; return what it shows."""
    panel = page.locator(f".dz-case-{step}")
    panel.locator(".dz-task button").first.click()
    ended = panel.locator(".dz-task-done, .dz-task-error")
    ended.wait_for(timeout=1000 * timeout_s)
    assert panel.locator(".dz-task-error").count() == 0, panel.inner_text()
    return panel


def answer(page, exercise, value):
    panel = page.locator(f".dz-exercise-{exercise}")
    panel.locator("input[type=text]").fill(str(value))
    panel.locator("input[type=text]").blur()
    panel.locator("button").click()
    return panel


def test_a_step_before_its_turn_says_what_to_do_first(page):
    panel = page.locator(".dz-case-report")
    panel.locator(".dz-task button").first.click()
    panel.locator(".dz-task-error").wait_for()
    assert "Do the step before first" in panel.inner_text()
    answer(page, "persons", 1)
    page.locator(".dz-exercise-persons", has_text="First do the step above").wait_for()


def test_the_clip_is_received_and_judged(page):
    received = do(page, "receive").inner_text()
    sha = run_in_kernel(page, "print(dossier.case.exhibit('E1').facts['sha256'])").strip()
    assert len(sha) == 64
    assert sha in received
    judged = do(page, "judge")
    text = judged.inner_text()
    assert judged.locator(".widget-html h4").all_inner_texts() == [
        "Who",
        "When",
        "Where in the face",
    ]
    assert not FORBIDDEN.search(text)
    assert judged.locator("img").evaluate_all("all => all.every(i => i.naturalWidth > 0)")
    judged.locator(".dz-player[data-ready='1']:visible").wait_for()  # and it can be played
    captions = " ".join(judged.locator("figcaption").all_inner_texts())
    assert captions
    if "calls this video forged" in text:  # then the frames that made it do so are shown
        assert "above the line" in captions


def test_what_the_class_counts_is_checked_against_the_case(page):
    persons = int(run_in_kernel(page, "print(dossier.persons)"))
    answer(page, "persons", persons + 1)
    page.locator(".dz-exercise-persons.dz-not-yet").wait_for()
    answer(page, "persons", persons)
    page.locator(".dz-exercise-persons.dz-right").wait_for()


def test_the_recording_is_found_and_the_faces_are_covered(page, output):
    compared = do(page, "compare")
    assert compared.locator("img").count() == 1
    protected = do(page, "protect")
    assert protected.locator("img").count() == 2
    page.locator(".jp-Notebook").screenshot(path=output / "dating_advice_en.png")


def test_the_whole_case_turns_dutch_and_is_reported_in_dutch(page, context, lab, output):
    page.locator(".dz-lesson-language button", has_text="Nederlands").click()
    page.locator(".dz-case-judge h4", has_text="Waar in het gezicht").wait_for()
    report = do(page, "report", timeout_s=400)
    assert "report.html" in report.inner_text()
    page.locator(".jp-Notebook").screenshot(path=output / "dating_advice_nl.png")
    path = run_in_kernel(page, "print(dossier._written.resolve())").strip()
    read = context.new_page()
    asked = []
    read.on("request", lambda request: asked.append(request.url))
    read.goto(f"file://{path}/report.html")
    assert read.locator("html").get_attribute("lang") == "nl"
    assert read.locator("#point-15").count() == 1
    assert [url for url in asked if not url.startswith(("file:", "data:", "blob:"))] == []
    read.close()
