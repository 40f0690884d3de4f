"""Drive a real JupyterLab in a real Chromium, without a screen."""

from __future__ import annotations

import contextlib
import json
import os
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from playwright.sync_api import BrowserContext, Page, Playwright, sync_playwright

ROOT = Path(__file__).resolve().parents[2]

_NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")
_PLACES = (
    "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome",
    "/Applications/Chromium.app/Contents/MacOS/Chromium",
    r"C:\Program Files\Google\Chrome\Application\chrome.exe",
    r"C:\Program Files (x86)\Google\Chrome\Application\chrome.exe",
)
_CHROMIUM = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--use-fake-device-for-media-stream",  # a webcam that shows a test picture
    "--use-fake-ui-for-media-stream",
]

# The toolbar's "idle" comes too early, and then run-all does nothing without a word: ask the
# notebook's own connection.
_KERNEL_READY = """() => {
  const s = window.jupyterapp?.shell?.currentWidget?.sessionContext, k = s?.session?.kernel;
  return s?.isReady && k?.connectionStatus === 'connected'
    && ['idle', 'unknown'].includes(k.status);
}"""

# Finished means that every code cell has its number. Asked of the model: a cell whose source is
# hidden shows no prompt.
_ALL_CELLS_DONE = r"""() => {
  const cells = jupyterapp.shell.currentWidget.content.widgets
    .filter((cell) => cell.model.type === 'code');
  return cells.length > 0 && cells.every((cell) => cell.model.executionCount !== null);
}"""

_RUN_IN_KERNEL = """async (code) => {
  const k = window.jupyterapp.shell.currentWidget.sessionContext.session.kernel;
  const future = k.requestExecute({code}); let out = '';
  future.onIOPub = (m) => {
    if (m.header.msg_type === 'stream') out += m.content.text;
    if (m.header.msg_type === 'error') out += 'ERROR ' + m.content.evalue;
  };
  await future.done;
  return out;
}"""


class Lab(NamedTuple):
    """Address of a running server, and the folder it shows."""

    url: str
    token: str
    folder: Path


def find_browser() -> str | None:
    """Return an installed Chromium or Chrome, ``$CHROMIUM`` first."""
    named = os.environ.get("CHROMIUM")
    found = [named] if named else [shutil.which(name) for name in _NAMES]
    found += [place for place in _PLACES if Path(place).is_file()]
    return next((place for place in found if place), None)


@contextlib.contextmanager
def jupyter(folder: Path, *, timeout_s: float = 120) -> Iterator[Lab]:
    """Run a Lab server on `folder` with its own settings, and stop it afterwards."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    lab = Lab(f"http://127.0.0.1:{port}/", secrets.token_hex(8), folder)
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as private:
        home = Path(private)
        news = home / "lab/@jupyterlab/apputils-extension/notification.jupyterlab-settings"
        news.parent.mkdir(parents=True)
        quiet = {"fetchNews": "false", "checkForUpdates": False, "doNotDisturbMode": True}
        news.write_text(json.dumps(quiet))
        env = os.environ | {
            "JUPYTER_CONFIG_DIR": f"{home}/config",
            "JUPYTERLAB_SETTINGS_DIR": f"{home}/lab",
            "JUPYTERLAB_WORKSPACES_DIR": f"{home}/layouts",
            "IPYTHONDIR": f"{home}/ipython",
            "DOORZICHT_LANGUAGE": "en",
            "PYTHONPATH": str(ROOT),  # so that a cell can import the made-up analysis
        }
        command = [
            sys.executable,
            "-m",
            "jupyterlab",
            "--no-browser",
            "--allow-root",
            "--ServerApp.ip=127.0.0.1",
            f"--port={port}",
            "--ServerApp.port_retries=0",
            f"--IdentityProvider.token={lab.token}",
            f"--ServerApp.root_dir={folder}",
            "--LabApp.expose_app_in_browser=True",  # gives the tests window.jupyterapp
        ]
        log_path = home / "server.log"
        with log_path.open("w") as log:
            server = subprocess.Popen(command, stdout=log, stderr=log, env=env, cwd=folder)
            try:
                deadline = time.monotonic() + timeout_s
                while not _answers(f"{lab.url}api?token={lab.token}"):
                    if server.poll() is not None or time.monotonic() > deadline:
                        msg = f"JupyterLab did not start:\n{log_path.read_text()[-2000:]}"
                        raise RuntimeError(msg)
                    time.sleep(0.1)
                yield lab
            finally:
                server.send_signal(signal.SIGTERM)
                try:
                    server.wait(20)
                except subprocess.TimeoutExpired:
                    server.kill()
                    server.wait()


def _answers(url: str) -> bool:
    try:
        urllib.request.urlopen(url, timeout=1).close()
    except (urllib.error.URLError, OSError):
        return False
    return True


_drivers: list[Playwright] = []


@contextlib.contextmanager
def _driver() -> Iterator[Playwright]:
    """Start Playwright, or share the one that runs: there may be only one in a thread."""
    if _drivers:
        yield _drivers[-1]
        return
    with sync_playwright() as playwright:
        _drivers.append(playwright)
        try:
            yield playwright
        finally:
            _drivers.pop()


@contextlib.contextmanager
def browser(executable: str, *, width: int = 1280, height: int = 2400) -> Iterator[BrowserContext]:
    """Start headless Chromium. Tall by default: Lab does not render cells out of view."""
    with _driver() as playwright:
        chromium = playwright.chromium.launch(executable_path=executable, args=_CHROMIUM)
        context = chromium.new_context(viewport={"width": width, "height": height})
        context.set_default_timeout(30_000)
        yield context
        chromium.close()


def open_notebook(context: BrowserContext, lab: Lab, name: str) -> Page:
    """Open a notebook and wait until its kernel can be used."""
    page = context.new_page()
    page.goto(f"{lab.url}lab/tree/{name}?reset&token={lab.token}")
    page.wait_for_selector(".jp-Notebook .jp-Cell", timeout=90_000)
    page.wait_for_function(_KERNEL_READY, timeout=90_000)
    return page


def run_all(page: Page, *, timeout_ms: float = 120_000) -> None:
    """Run every cell, wait for the last one, and fail on an error or a warning in any."""
    # A number and not the promise: evaluate has no time-out and would wait on it.
    page.evaluate("() => { jupyterapp.commands.execute('notebook:run-all-cells'); return 1 }")
    page.wait_for_function(_ALL_CELLS_DONE, timeout=timeout_ms)
    wrong = page.locator(
        ".jp-OutputArea-output[data-mime-type*='error'],"
        " .jp-OutputArea-output[data-mime-type*='stderr']"
    )
    assert wrong.all_inner_texts() == []


def run_in_kernel(page: Page, code: str) -> str:
    """Run `code` in the open notebook's kernel and return what it printed."""
    return str(page.evaluate(_RUN_IN_KERNEL, code))
