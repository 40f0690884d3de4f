"""The quiz page on a phone and by keyboard alone, and a lesson in a real JupyterLab."""

from __future__ import annotations

import json

import pytest
from axe_playwright_python.sync_playwright import Axe

from tests.e2e.lab import open_notebook, run_all, run_in_kernel
from tests.lessons import made_up
from toolkit.lessons import codes
from toolkit.lessons import quiz_page as page_writer
from toolkit.lessons.codes import Given

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(300)]

QUESTIONS = len(made_up.ANSWERS)


def serious(page):
    """Return what axe-core finds that keeps somebody from using the page."""
    found = Axe().run(page).response["violations"]
    return [
        (v["id"], [n["target"] for n in v["nodes"]])
        for v in found
        if v["impact"] in ("serious", "critical")
    ]


@pytest.fixture(scope="module")
def made():
    return made_up.quiz()


@pytest.fixture
def open_page(context, made, tmp_path):
    """Open the page in a window of some width; fail on a request or an error."""
    out = page_writer.write(made, tmp_path / "quiz.html", language="en")
    pages, wrong = [], []

    def opened(*, width=900, height=1000):
        page = context.new_page()
        page.set_viewport_size({"width": width, "height": height})
        page.on("pageerror", lambda error: wrong.append(str(error)))
        page.on("console", lambda m: wrong.append(m.text) if m.type == "error" else None)
        page.on(
            "request",
            lambda r: (
                None if r.url.startswith(("file:", "blob:", "data:")) else wrong.append(r.url)
            ),
        )
        page.goto(out.as_uri())
        page.evaluate("() => localStorage.clear()")
        page.reload()
        pages.append(page)
        return page

    yield opened
    for page in pages:
        page.close()
    assert wrong == []


def answer(page, first, confidence, region, second):
    """Do one clip from the first answer to the truth, and go on."""
    page.locator(f"input[name$='first'][value='{int(first)}']").check()
    page.locator(f"input[name$='sure'][value='{confidence}']").check()
    if region:
        page.locator(f".dz-quiz-map path[data-region='{region}']").click()
    page.locator(".dz-quiz-main").click()  # my answer
    page.locator(".dz-quiz-main").click()  # why?
    page.locator(f"input[name$='second'][value='{int(second)}']").check()
    page.locator(".dz-quiz-main").click()  # final


def test_a_pupil_does_the_quiz_and_gets_a_code(open_page, made, output):
    page = open_page()
    assert serious(page) == []
    page.locator(".dz-quiz-main").click()
    given = [
        Given(i % 2 == 0, i % 3, i % 4 < 2, ("mouth", "nose", None)[i % 3])
        for i in range(QUESTIONS)
    ]
    for number, one in enumerate(given):
        answer(page, one.first, one.confidence, one.region, one.second)
        assert "genuine" in page.locator(".dz-quiz-truth").inner_text() or number in (2, 3, 4)
        if number == 1:
            assert serious(page) == []
            page.locator("main").screenshot(path=output / "quiz_truth.png")
            page.reload()  # a laptop that was closed goes on where it was
            assert page.locator(".dz-quiz-truth").count() == 1
        page.locator(".dz-quiz-main").click()
    found = codes.decode(page.locator(".dz-quiz-code").inner_text())
    assert found.quiz == made.number
    assert found.given == tuple(given)
    assert serious(page) == []


def test_by_keyboard_alone_on_a_phone_in_dutch(open_page, output):
    page = open_page(width=360, height=740)
    page.locator("header button[lang=nl]").focus()
    page.keyboard.press("Enter")
    assert page.evaluate("() => document.documentElement.lang") == "nl"

    def on_to(selector, *, steps=30):
        for _step in range(steps):
            page.keyboard.press("Tab")
            if page.evaluate(f"() => document.activeElement.matches({selector!r})"):
                return
        raise AssertionError(selector)

    on_to(".dz-quiz-main")
    page.keyboard.press("Enter")
    assert page.evaluate("() => document.activeElement.matches('h2')")  # the new step is told
    on_to("input[name$=first]")
    page.keyboard.press("ArrowDown")
    on_to("input[name$=sure]")
    page.keyboard.press("Space")
    on_to("select")
    page.keyboard.press("ArrowDown")
    page.screenshot(path=output / "quiz_phone.png", full_page=True)
    on_to(".dz-quiz-main")
    page.keyboard.press("Enter")
    assert "Je zei: vervalst, ik gok maar." in page.locator("main").inner_text()
    assert "Je verdacht: mond." in page.locator("main").inner_text()
    assert page.evaluate("() => document.activeElement.matches('h3')")
    width = page.evaluate("() => document.documentElement.scrollWidth")
    assert width <= 360
    assert serious(page) == []


def test_an_answer_that_is_not_complete_is_asked_for(open_page):
    page = open_page()
    page.locator(".dz-quiz-main").click()
    page.locator(".dz-quiz-main").click()
    assert "how sure you are" in page.locator(".dz-quiz [role=status]").inner_text()
    assert page.locator(".dz-quiz").get_attribute("data-step") == "0"


def test_the_clip_plays(open_page):
    page = open_page()
    page.locator(".dz-quiz-main").click()
    page.wait_for_function("() => document.querySelector('video').readyState >= 2")
    page.evaluate("() => document.querySelector('video').play().then(() => 1)")
    page.wait_for_function("() => document.querySelector('video').currentTime > 0.1")


SETUP = """\
from pathlib import Path
from tests.lessons import made_up
from toolkit.lessons import quiz
from toolkit.widgets.lessons.lesson import Lesson
from toolkit.widgets.lessons.quiz import ClassLab, QuizLab
from toolkit.widgets.lessons.failures import OddsLab
runs = Path("lesson_runs")
quiz.save(made_up.quiz(), runs)
lesson = Lesson("06_spot_the_fake", runs=runs)
"""
SHOWN = """\
from IPython.display import display
display(lesson.opening(), lesson.exercise("together"))
lab = lesson.show(QuizLab(runs=runs, on_state=lambda s: lesson.keep("quiz", s)))
group = lesson.show(ClassLab(runs=runs))
display(lab, group, lesson.show(OddsLab(found_of_100=90, alarms_of_100=5)), lesson.closing())"""


@pytest.fixture(scope="module")
def lesson_page(context, lab):
    cells = [
        {
            "cell_type": "code",
            "id": f"cell{number}",
            "metadata": {},
            "outputs": [],
            "execution_count": None,
            "source": source,
        }
        for number, source in enumerate((SETUP, SHOWN))
    ]
    notebook = {
        "cells": cells,
        "metadata": {"kernelspec": {"name": "python3", "display_name": "Python 3"}},
        "nbformat": 4,
        "nbformat_minor": 5,
    }
    (lab.folder / "lesson.ipynb").write_text(json.dumps(notebook), encoding="utf-8")
    page = open_notebook(context, lab, "lesson.ipynb")
    page.set_viewport_size({"width": 1280, "height": 4400})
    run_all(page)
    page.locator(".dz-lesson-closing").wait_for(timeout=60_000)
    yield page
    page.close()


def test_a_lesson_in_the_notebook(lesson_page, output):
    page = lesson_page
    exercise = page.locator(".dz-exercise-together")
    exercise.locator("input[type=radio]").nth(1).check()
    exercise.locator("button").click()
    page.locator(".dz-exercise-together.dz-not-yet").wait_for()
    exercise.locator("input[type=radio]").nth(0).check()
    exercise.locator("button").click()
    page.locator(".dz-exercise-together.dz-right").wait_for()
    quiz = page.locator(".dz-quiz")
    quiz.locator(".dz-quiz-main").click()
    quiz.locator("input[name$='first'][value='1']").check()
    quiz.locator("input[name$='sure'][value='2']").check()
    quiz.locator(".dz-quiz-main").click()
    page.locator(".dz-quiz[data-step='1']").wait_for()
    page.locator(".dz-lesson-language button", has_text="Nederlands").click()
    page.locator(".dz-quiz", has_text="Je zei: vervalst, zeker.").wait_for()
    page.locator(".dz-exercise-together", has_text="Opdracht").wait_for()
    page.locator(".dz-odds", has_text="Vervalst: één clip op de").wait_for()
    page.screenshot(path=output / "lesson_nl.png", full_page=True)
    page.locator(".dz-lesson-language button", has_text="English").click()
    page.locator(".dz-exercise-together", has_text="Exercise").wait_for()
    kept = run_in_kernel(page, "print(lesson.kept('quiz')['step'], group.misled)")
    assert kept.strip() == "1 None"


def test_a_choice_does_not_lie_on_its_words(lesson_page):
    overlaps = lesson_page.locator(".dz-exercise-together .widget-radio-box label").evaluate_all(
        """labels => labels.filter(label => {
          const words = document.createRange();
          words.selectNodeContents([...label.childNodes].find(n => n.textContent.trim()));
          const dot = label.querySelector('input').getBoundingClientRect();
          return words.getBoundingClientRect().left < dot.right;
        }).map(label => label.textContent)"""
    )
    assert overlaps == []


def test_a_letter_on_a_control_is_no_command_of_the_notebook(lesson_page):
    page = lesson_page
    cells = page.locator(".jp-Notebook .jp-Cell").count()
    page.keyboard.press("Escape")
    page.locator(".dz-exercise-together input[type=radio]").first.focus()
    for key in ("b", "a", "x", "d", "d"):
        page.keyboard.press(key)
    assert page.locator(".jp-Notebook .jp-Cell").count() == cells
    assert page.locator(".dz-exercise-together").count() == 1


def test_the_class_pastes_its_codes(lesson_page, made):
    given = (None, Given(False, 2, True), None, None, None, None)
    code = codes.encode(codes.Result(made.number, 9, given))
    page = lesson_page
    page.locator(".dz-class textarea").fill(f"{code}\nnonsense")
    page.locator(".dz-class button").click()
    page.locator(".dz-class", has_text="1 pupil").wait_for()
    page.locator(".dz-class", has_text="nonsense").wait_for()
    assert run_in_kernel(page, "print(group.misled)").strip() == "1"
