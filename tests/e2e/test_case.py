"""A case's report opens from disk in a real browser, offline, and plays."""

from __future__ import annotations

import pytest

from tests.casework import casework
from toolkit.casework import publish


@pytest.fixture(scope="module")
def pages(tmp_path_factory):
    folder = tmp_path_factory.mktemp("case")
    case = casework.make(folder / "c", casework.clip(folder / "clip.mp4"))
    return {
        language: publish.report(case, language=language) / "report.html"
        for language in ("en", "nl")
    }


@pytest.mark.e2e
@pytest.mark.parametrize("language", ["en", "nl"])
def test_the_report_is_read_and_played_without_a_network(context, pages, output, language):
    page = context.new_page()
    asked, problems = [], []
    page.on("request", lambda request: asked.append(request.url))
    page.on("console", lambda m: problems.append(m.text) if m.type == "error" else None)
    page.on("pageerror", lambda error: problems.append(str(error)))
    page.goto(pages[language].as_uri())
    page.locator('.dz-player[data-ready="1"]').wait_for()
    assert page.locator("h1").inner_text() == "A clip"
    assert page.locator("section section").count() > 5
    for number in range(1, 16):
        assert page.locator(f"#point-{number}").count() == 1
    remote = [url for url in asked if not url.startswith(("file:", "data:", "blob:"))]
    assert remote == []
    assert problems == []
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    page.screenshot(path=output / f"case-{language}.png", full_page=True)
    page.close()
