"""What was saved opens, shows its folder and downloads; where it cannot, the path is said."""

from __future__ import annotations

import base64
import re

import pytest

from toolkit import _i18n
from toolkit.widgets.saved import DOWNLOAD_MAX, Saved, pages


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "report.html").write_text("<p>a & b</p>")
    (tmp_path / "big.html").write_bytes(b"x" * (DOWNLOAD_MAX + 1))
    return tmp_path


def made(folder, *, works):
    opened = []

    def note(path):
        opened.append(path)
        return works

    panel = Saved((note, note))
    panel.show(folder, pages(folder, "report.html", "none.html", "big.html"))
    return panel, opened


def test_buttons_open_the_page_and_the_folder(folder):
    panel, opened = made(folder, works=True)
    assert panel.layout.display is None
    assert str(folder) in panel.value
    panel._page.click()
    panel._show.click()
    assert opened == [folder / "report.html", folder]
    assert panel._told.value == ""


def test_a_download_holds_the_file_and_a_large_one_is_left_to_its_folder(folder):
    panel, _opened = made(folder, works=True)
    links = re.findall(
        r'download="([^"]+)" href="data:text/html;base64,([^"]+)"', panel._links.value
    )
    assert [(name, base64.b64decode(data)) for name, data in links] == [
        ("report.html", b"<p>a & b</p>")
    ]


def test_what_cannot_be_opened_is_told_with_its_path(folder):
    panel, _opened = made(folder, works=False)
    panel._page.click()
    assert 'role="alert"' in panel._told.value
    assert str(folder / "report.html") in panel._told.value
    _i18n.set_language("nl")
    panel.retranslate()
    assert panel._show.description == "Map tonen"
    panel.hide()
    assert panel.layout.display == "none"
