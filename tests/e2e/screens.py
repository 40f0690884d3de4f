"""Take pictures of every panel, to be looked at: `python -m tests.e2e.screens --out FOLDER`.

Each state is shown at two sizes, light and dark, in English and Dutch; beside the single pictures
stands a sheet with all eight of a state; a state whose sheet is there is not taken again. Nothing
is compared with anything: a person looks. With ``--only`` a part is done at a time, for all of it
takes minutes. The pictures show faces of the samples: they are not for the repository.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import shutil
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from playwright.sync_api import BrowserContext, Page

from tests.casework import casework
from tests.e2e import lab as harness
from tests.lessons import made_up as lessons_made_up
from tests.widgets import made_up
from toolkit import samples
from toolkit.casework import operations, publish
from toolkit.lessons import codes, quiz_page
from toolkit.lessons.codes import Given
from toolkit.lessons.text import stems
from toolkit.report import pdf

SIZES = ((1280, 800), (1920, 1080))
THEMES = {"light": "JupyterLab Light", "dark": "JupyterLab Dark"}
LANGUAGES = {"en": "English", "nl": "Nederlands"}
SHEET_WIDTH = 800  # of one picture in a sheet
WAIT_MS = 240_000

SET_THEME = """(name) => {
  jupyterapp.commands.execute('apputils:change-theme', { theme: name });
  return 1;
}"""
RUN_FIRST = """(count) => {
  const next = () => jupyterapp.commands.execute('notebook:run-cell-and-select-next');
  for (let i = 0; i < count; i += 1) next();
  return 1;
}"""
TO_TOP = "(element) => element.scrollIntoView({ block: 'start' })"

PANEL = """\
from pathlib import Path
from tests.widgets import made_up
from toolkit import Workbench
examine = made_up.examine(pause=0.01, gate=Path("gate"))
workbench = Workbench(examine=examine, runs=Path("made_up"))
workbench"""
REAL = """\
from pathlib import Path
from toolkit import Workbench
workbench = Workbench(runs=Path("real"))
workbench"""
CASE = """\
from pathlib import Path
from tests.widgets import made_up
from toolkit import Casework
casework = Casework(Path("the_case"))
casework"""
CLASS = """\
from pathlib import Path
from tests.lessons import made_up
from toolkit.lessons import quiz
from toolkit.widgets.lessons.lesson import Lesson
from toolkit.widgets.lessons.quiz import ClassLab, QuizLab
runs = Path("class_runs")
quiz.save(made_up.quiz(), runs)
lesson = Lesson("06_spot_the_fake", runs=runs)
from IPython.display import display
group = lesson.show(ClassLab(runs=runs, text=Path("codes.txt").read_text()))
lab = lesson.show(QuizLab(runs=runs))
display(lesson.opening(), group, lab)"""


class Album:
    """A folder of pictures, and a sheet per state."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)

    def take(self, page: Page, state: str, *, anchor: str = "", speak: Any = None) -> None:
        """Take the eight pictures of a state as JupyterLab shows it.

        Parameters
        ----------
        page
            A notebook.
        state
            What the pictures are called.
        anchor
            Selector of what is scrolled to the top; empty = nothing is scrolled.
        speak
            Turns the page into a language.
        """
        if self.has(state):
            return
        names = []
        for theme, title in THEMES.items():
            page.evaluate(SET_THEME, title)
            is_light = str(theme == "light").lower()
            page.locator(f"body[data-jp-theme-light='{is_light}']").wait_for(state="attached")
            for language in LANGUAGES:
                (speak or speak_workbench)(page, language)
                for width, height in SIZES:
                    page.set_viewport_size({"width": width, "height": height})
                    if anchor:
                        page.locator(anchor).first.evaluate(TO_TOP)
                    page.evaluate("() => new Promise((r) => setTimeout(r, 250))")  # charts redraw
                    names.append(self._shoot(page, state, f"{width}-{theme}-{language}"))
        self.lay_out(state, names)
        print(state, flush=True)

    def page(self, page: Page, state: str, address: Callable[[str], str]) -> None:
        """Take the eight pictures of a page that opens from disk; it follows the system's theme."""
        if self.has(state):
            return
        names = []
        for theme in THEMES:
            page.emulate_media(color_scheme=theme)  # type: ignore[arg-type]
            for language in LANGUAGES:
                page.goto(address(language))
                for width, height in SIZES:
                    page.set_viewport_size({"width": width, "height": height})
                    names.append(self._shoot(page, state, f"{width}-{theme}-{language}"))
        self.lay_out(state, names)
        print(state, flush=True)

    def has(self, state: str) -> bool:
        """Return whether a state was taken before."""
        return (self.folder / f"sheet-{state}.png").exists()

    def _shoot(self, page: Page, state: str, name: str) -> Path:
        path = self.folder / f"{state}-{name}.png"
        page.screenshot(path=path, timeout=120_000)
        return path

    def lay_out(self, state: str, paths: list[Path]) -> None:
        """Put pictures of one state on a sheet, two in a row."""
        cells = []
        for path in paths:
            rgb = cv2.imread(str(path))
            assert rgb is not None
            height = round(SHEET_WIDTH * rgb.shape[0] / rgb.shape[1])
            cells.append(cv2.resize(rgb, (SHEET_WIDTH, height), interpolation=cv2.INTER_AREA))
        tall = max(cell.shape[0] for cell in cells)
        padded = [np.pad(c, ((0, tall - c.shape[0] + 6), (0, 6), (0, 0))) for c in cells]
        rows = [np.concatenate(padded[i : i + 2], axis=1) for i in range(0, len(padded) - 1, 2)]
        cv2.imwrite(str(self.folder / f"sheet-{state}.png"), np.concatenate(rows))


def speak_workbench(page: Page, language: str) -> None:
    """Turn the workbench, or the case, into a language."""
    page.locator(".dz-language button:visible", has_text=LANGUAGES[language]).first.click()
    page.wait_for_function(
        "(text) => [...document.querySelectorAll('.dz-language button.mod-active')]"
        ".some((b) => b.textContent.includes(text))",
        arg=LANGUAGES[language],
    )
    page.evaluate("() => new Promise((r) => setTimeout(r, 300))")


def speak_lesson(page: Page, language: str) -> None:
    """Turn a lesson into a language."""
    page.locator(".dz-lesson-language button", has_text=LANGUAGES[language]).first.click()
    page.locator(f".dz-lesson-opening [lang={language}] h2").wait_for()


def wait_for(page: Page, state: str) -> None:
    """Wait until the workbench is in a state."""
    page.locator(f".dz-workbench.dz-state-{state}").wait_for(timeout=WAIT_MS)


def view(page: Page, at: int) -> None:
    """Show a view of the result by its place, whatever the language."""
    page.locator(".dz-views button").nth(at).click()


def notebook(folder: Path, name: str, source: str) -> None:
    """Write a notebook of one cell, whose source is hidden."""
    cell = {
        "cell_type": "code",
        "id": "panel",
        "metadata": {"jupyter": {"source_hidden": True}},
        "outputs": [],
        "execution_count": None,
        "source": source,
    }
    kernel = {"kernelspec": {"name": "python3", "display_name": "Python 3"}}
    content = {"cells": [cell], "metadata": kernel, "nbformat": 4, "nbformat_minor": 5}
    (folder / name).write_text(json.dumps(content), encoding="utf-8")


@contextlib.contextmanager
def opened(context: BrowserContext, lab: harness.Lab, name: str, source: str) -> Iterator[Page]:
    """Open a notebook with one panel in it, and run it."""
    notebook(lab.folder, name, source)
    page = harness.open_notebook(context, lab, name)
    page.set_default_timeout(WAIT_MS)
    page.set_viewport_size({"width": 1280, "height": 800})
    page.evaluate("() => { jupyterapp.shell.collapseLeft(); return 1 }")
    harness.run_all(page, timeout_ms=WAIT_MS)
    yield page
    page.evaluate("jupyterapp.shell.currentWidget.sessionContext.shutdown()")
    page.close()


# -- the parts


def take_made_up(context: BrowserContext, lab: harness.Lab, album: Album) -> None:
    """Empty, running, no verdict, two side by side, and seconds known to be genuine."""
    made_up.clip(lab.folder / "clip.mp4")
    (lab.folder / "gate").touch()
    with opened(context, lab, "made_up.ipynb", PANEL) as page:
        page.locator(".dz-path input").wait_for()
        album.take(page, "empty")
        page.locator(".dz-path input").fill(str(lab.folder / "clip.mp4"))
        page.locator(".dz-path input").press("Tab")
        page.locator(".dz-analyse").click()
        wait_for(page, "running")
        page.locator(".dz-so-far").first.wait_for()
        album.take(page, "running")
        (lab.folder / "gate").unlink()
        wait_for(page, "done")
        page.locator(".dz-player[data-ready='1']:visible").wait_for()
        view(page, 2)
        page.locator(".dz-go").click()
        page.locator(".dz-compare .dz-player[data-sides='2'][data-ready='1']").wait_for()
        album.take(page, "compare-pair", anchor=".dz-views")
        harness.run_in_kernel(page, "workbench._cache.clear()")
        harness.run_in_kernel(
            page, "workbench._do_examine = made_up.examine(change=made_up.nobody)"
        )
        page.locator(".dz-change").click()
        page.locator(".dz-analyse").click()
        page.locator(".dz-verdict", has_text="erdict").wait_for()
        wait_for(page, "done")
        album.take(page, "abstention")


def take_real(context: BrowserContext, lab: harness.Lab, album: Album) -> None:
    """Forged, contested, ask, known seconds, and not called forged: the samples."""
    with opened(context, lab, "real.ipynb", REAL) as page:
        page.locator(".dz-example, .dz-analyse").first.click()
        wait_for(page, "done")
        page.locator(".dz-player[data-ready='1']:visible").wait_for()
        album.take(page, "forged")
        said = "workbench._result._on_check(workbench._result.person, {!r})"
        harness.run_in_kernel(page, said.format("contested"))
        page.locator(".dz-contested").first.wait_for()
        album.take(page, "contested")
        harness.run_in_kernel(page, said.format("agrees"))
        view(page, 2)
        pick = "from toolkit.widgets.workbench.compare_fields import Other; "
        fields = "workbench._result.compare.fields.other"
        harness.run_in_kernel(page, f"{pick}{fields}.value = Other('seconds')")
        page.locator(".dz-player[data-marking='1']").wait_for()
        harness.run_in_kernel(page, "workbench._result.player.marked = [0.2, 3.6]")
        page.locator(".dz-comparison p").first.wait_for()
        album.take(page, "compare-known")
        harness.run_in_kernel(page, "workbench._result.choose(view='why')")
        view(page, 1)
        page.locator(".dz-inquiry").wait_for(timeout=WAIT_MS)
        harness.run_in_kernel(page, "workbench._result.selection.region = 'mouth'")
        album.take(page, "ask", anchor=".dz-views")
        page.locator(".dz-change").click()
        choose = "workbench._choose.choose({!r}, is_path=False, detector='seamnet', frames=0)"
        harness.run_in_kernel(page, choose.format("carphone_pristine"))
        page.locator(".dz-analyse").click()
        wait_for(page, "running")
        wait_for(page, "done")
        page.locator(".dz-player[data-ready='1']:visible").wait_for()
        album.take(page, "not-called-forged")


def take_lessons(context: BrowserContext, lab: harness.Lab, album: Album) -> None:
    """Take the first screen of each lesson, from its own notebook."""
    for stem in (s for s in stems() if not album.has(f"lesson-{s[:2]}")):
        shutil.copy(harness.ROOT / "notebooks" / f"{stem}.ipynb", lab.folder)
        page = harness.open_notebook(context, lab, f"{stem}.ipynb")
        page.set_default_timeout(WAIT_MS)
        page.evaluate("() => { jupyterapp.shell.collapseLeft(); return 1 }")
        page.evaluate(RUN_FIRST, 4)  # the title, what is imported, the opening, the first text
        page.locator(".dz-lesson-opening").wait_for()
        album.take(page, f"lesson-{stem[:2]}", anchor=".jp-Cell", speak=speak_lesson)
        page.evaluate("jupyterapp.shell.currentWidget.sessionContext.shutdown()")
        page.close()


def take_class(context: BrowserContext, lab: harness.Lab, album: Album) -> None:
    """Take the quiz as a page and what a class made of it."""
    asked = lessons_made_up.quiz()
    rng = np.random.default_rng(0)
    lines = []
    for pupil in range(12):
        given = tuple(
            Given(bool(rng.integers(2)), int(rng.integers(3)), bool(rng.integers(2)), "mouth")
            for _question in asked.questions
        )
        lines.append(codes.encode(codes.CodeResult(asked.number, pupil, given)))
    (lab.folder / "codes.txt").write_text("\n".join(lines))
    with opened(context, lab, "class.ipynb", CLASS) as page:
        page.locator(".dz-class svg").wait_for()
        album.take(page, "class-result", anchor=".dz-class", speak=speak_lesson)
        album.take(page, "quiz-lab", anchor=".dz-quiz-lab", speak=speak_lesson)
    pages = {
        language: quiz_page.write(asked, lab.folder / f"quiz-{language}.html", language=language)
        for language in LANGUAGES
    }
    page = context.new_page()
    album.page(page, "quiz-page", lambda language: pages[language].as_uri())
    page.close()


def take_case(context: BrowserContext, lab: harness.Lab, album: Album) -> None:
    """Take a case with its player, and the first page of its report as HTML and as PDF."""
    case = casework.make(lab.folder / "the_case", samples.path("planted_cap12"))
    operations_note = "What the detector points at was looked at, frame by frame: the mouth."
    case.note(kind="opinion", text=operations_note, exhibit="E1")
    assert operations.latest(case, case.exhibit("E1"))
    first_pages: dict[str, bytes] = {}
    set_pdf = pdf.pdf

    def keep_first(told: Any, *, date: str, author: str = "") -> bytes:
        from toolkit import _i18n

        first_pages[_i18n.language()] = pdf.pictures(told, date=date, ppi=80)[0]
        return set_pdf(told, date=date, author=author)

    publish.pdf.pdf = keep_first  # type: ignore[attr-defined]
    try:
        made = {lang: publish.report(case, language=lang) / "report.html" for lang in LANGUAGES}
    finally:
        publish.pdf.pdf = set_pdf  # type: ignore[attr-defined]
    paths = []
    for language, picture in first_pages.items():
        path = album.folder / f"report-pdf-{language}.png"
        path.write_bytes(picture)
        paths.append(path)
    album.lay_out("report-pdf", paths)
    page = context.new_page()
    album.page(page, "report-html", lambda language: made[language].as_uri())
    page.close()
    with opened(context, lab, "case.ipynb", CASE) as page:
        page.locator(".dz-casework").wait_for()
        album.take(page, "case-form")
        harness.run_in_kernel(page, "casework.intake.showing.start()")
        page.locator(".dz-casework .dz-player[data-ready='1']:visible").wait_for(timeout=WAIT_MS)
        album.take(page, "case-player", anchor=".dz-exhibit")


PARTS = {
    "made-up": take_made_up,
    "real": take_real,
    "lessons": take_lessons,
    "class": take_class,
    "case": take_case,
}


def main() -> None:
    """Take the pictures."""
    parser = argparse.ArgumentParser(prog="python -m tests.e2e.screens")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--only", nargs="+", choices=list(PARTS), default=list(PARTS))
    options = parser.parse_args()
    executable = harness.find_browser()
    assert executable, "no Chromium or Chrome found"
    album = Album(options.out)
    with tempfile.TemporaryDirectory() as folder, harness.jupyter(Path(folder)) as lab:
        for name in options.only:
            with harness.browser(executable, width=1280, height=800) as context:
                PARTS[name](context, lab, album)


if __name__ == "__main__":
    main()
