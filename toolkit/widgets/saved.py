"""What was saved: where it lies, and buttons that open it, show its folder or download it.

The kernel runs on the reader's own computer, so it can open a file there; where it cannot, the
path is said, and the download still works.
"""

from __future__ import annotations

import base64
import os
import shutil
import subprocess
import sys
import webbrowser
from collections.abc import Callable, Sequence
from html import escape
from pathlib import Path

import ipywidgets

from toolkit import _i18n
from toolkit._i18n import _
from toolkit.classroom import session as classroom
from toolkit.media import show_name
from toolkit.widgets.styling import classed

DOWNLOAD_MAX = 12_000_000
"""Bytes. A download travels through the page; a larger file is opened from its folder."""

_KINDS = {".html": "text/html", ".pdf": "application/pdf", ".json": "application/json"}


def open_page(path: Path) -> bool:
    """Open a file in the browser of this computer; return whether that was possible."""
    try:
        return webbrowser.open(path.resolve().as_uri())
    except (webbrowser.Error, OSError):
        return False


def open_folder(path: Path) -> bool:
    """Show a folder in the file manager of this computer; return whether that was possible."""
    if sys.platform == "win32":
        os.startfile(path)  # noqa: S606 - a folder of our own, and Windows' own way
        return True
    program = shutil.which("open" if sys.platform == "darwin" else "xdg-open")
    if program is None:
        return False
    try:
        subprocess.Popen([program, str(path)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    except OSError:
        return False
    return True


class Saved(ipywidgets.VBox):  # type: ignore[misc]  # ipywidgets ships no types
    """Where something was saved, with ways to it.

    Parameters
    ----------
    opens
        What opens a page and what shows a folder; other ones for tests.
    """

    def __init__(
        self,
        opens: tuple[Callable[[Path], bool], Callable[[Path], bool]] = (open_page, open_folder),
    ) -> None:
        self._open_page, self._open_folder = opens
        self._folder: Path | None = None
        self._files: tuple[Path, ...] = ()
        self._where = ipywidgets.HTML()
        self._page = classed(ipywidgets.Button(layout={"width": "auto"}), "dz-open-page")
        self._page.on_click(
            lambda _button: self._try(self._open_page, next(iter(self._files), None))
        )
        self._show = classed(ipywidgets.Button(layout={"width": "auto"}), "dz-open-folder")
        self._show.on_click(lambda _button: self._try(self._open_folder, self._folder))
        self._links, self._told = ipywidgets.HTML(), ipywidgets.HTML()
        row = [self._page, self._show, self._links]
        super().__init__(
            [self._where, ipywidgets.HBox(row, layout={"flex_flow": "row wrap"}), self._told]
        )
        self.add_class("dz-saved-files")
        self.hide()

    def __repr__(self) -> str:
        return f"Saved({self._folder})"

    @property
    def value(self) -> str:
        """What is said, as HTML."""
        return str(self._where.value)

    def hide(self) -> None:
        """Show nothing."""
        self._folder, self._files = None, ()
        self.layout.display = "none"

    def show(self, folder: Path, files: Sequence[Path]) -> None:
        """Show where files were saved; the first one is what *Open* opens."""
        self._folder, self._files = folder, tuple(files)
        self._told.value = ""
        self.layout.display = None
        self.retranslate()

    def retranslate(self) -> None:
        """Say everything in the language in use."""
        if self._folder is None:
            return
        text = _("Saved in {folder}").format(folder=self._folder)
        if classroom.current() is not None:  # the browser is on another computer
            text = _("Saved. It stays on the computer of the class; download a copy of your own.")
            self._page.layout.display = self._show.layout.display = "none"
        text = escape(text)
        self._where.value = f'<span role="status" lang="{_i18n.language()}">{text}</span>'
        self._page.description = _("Open {file}").format(file=show_name(self._files[0]))
        self._show.description = _("Show the folder")
        links = [_download(f) for f in self._files if f.stat().st_size <= DOWNLOAD_MAX]
        self._links.value = " ".join(links)

    def _try(self, act: Callable[[Path], bool], path: Path | None) -> None:
        if classroom.current() is not None:
            return  # nobody opens windows on the teacher's screen
        if path is None or act(path):
            self._told.value = ""
            return
        text = _("This could not be opened here. It lies at {path}").format(path=path)
        self._told.value = f'<p class="dz-note" role="alert">{escape(text)}</p>'


def _download(path: Path) -> str:
    data = base64.b64encode(path.read_bytes()).decode()
    kind = _KINDS.get(path.suffix, "application/octet-stream")
    name = escape(show_name(path), quote=True)
    text = escape(_("Download {file}").format(file=show_name(path)))
    return f'<a class="dz-download" download="{name}" href="data:{kind};base64,{data}">{text}</a>'


def pages(folder: Path, *names: str) -> list[Path]:
    """Return those of some files that are in a folder, in this order."""
    return [folder / name for name in names if (folder / name).is_file()]
