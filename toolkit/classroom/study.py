"""Let a class of browsers use one app: each gets its own verdict, and only its own, or not.

    python -m toolkit study class [--sessions 20] [--detector seamnet] [--out FILE.json]

The app is started as for a class of that many seats. Each session is a browser of its own with a
clip of its own: five seconds of a sample, with a number drawn into every frame that a page can read
again. All press *Analyse* before the first is done. One more browser comes, and must be refused.
Memory is that of the app with its kernels, workers and decoders, as the system counts it (private,
and its part of what is shared); the browsers are counted apart. Waiting is from the click until the
pupil's turn.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import secrets
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import psutil
from numpy.typing import NDArray

from toolkit import media, models, samples
from toolkit.batch.study_triage import find_browser
from toolkit.errors import UsageError
from toolkit.files import atomic_write
from toolkit.media.write import write_h264

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

SESSIONS, SECONDS = 20, 5.0
SOURCES = ("cap12_edit", "cap13_edit2", "planted_cap12", "franck")
"""Samples that show one person for longer than a clip lasts."""

BITS = 8
"""Of the number in a picture: fields in its first row, white is one."""

_FLAGS = ["--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking"]
_OPEN_MS = 600_000
_END_S = 3600.0
_LOOK_S = 0.25
_MEMORY_S = 2.0
_PLACE = re.compile(r"number (\d+) in the queue")

_READ_NUMBER = """(bits) => {
  const video = document.querySelector('.dz-player video');
  const canvas = document.createElement('canvas');
  canvas.width = video.videoWidth; canvas.height = video.videoHeight;
  const context = canvas.getContext('2d');
  context.drawImage(video, 0, 0);
  const side = video.videoWidth / (2 * bits);
  let number = 0;
  for (let bit = 0; bit < bits; bit += 1) {
    const x = Math.round((bit + 0.5) * side), y = Math.round(side / 2);
    const [red, green, blue] = context.getImageData(x, y, 1, 1).data;
    number = 2 * number + (red + green + blue > 384 ? 1 : 0);
  }
  return number;
}"""


@dataclass
class PupilOutcome:
    """What came of one session.

    Attributes
    ----------
    number
        Of the session, and in the pictures of its clip.
    verdict
        The first line of what it was told; empty where it got none.
    is_own
        Whether name and pictures on its page are those of its clip.
    others
        Numbers of sessions of which its page names the clip: none, if all is well.
    waited_s, seconds
        From the click until its turn, and until the player showed the result.
    longest_place
        The largest place in the queue that it was told; 0 where it never waited.
    """

    number: int
    verdict: str = ""
    is_own: bool = False
    others: list[int] = field(default_factory=list)
    waited_s: float = 0.0
    seconds: float = 0.0
    longest_place: int = 0
    problem: str = ""


def main(argv: Sequence[str] | None = None) -> int:
    """Run the study; exit 1 where a session has no verdict, or another's clip."""
    parser = argparse.ArgumentParser(prog="python -m toolkit study class", description=__doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("--sessions", type=int, default=SESSIONS)
    parser.add_argument("--detector", default="seamnet", help="default: seamnet")
    parser.add_argument("--workers", type=int, help="analyses at once; default: by the cores")
    parser.add_argument("--out", type=Path, help="JSON file")
    parser.add_argument("--pictures", type=Path, metavar="DIR", help="where to keep screenshots")
    options = parser.parse_args(argv)
    if not 1 <= options.sessions < 1 << BITS:
        raise UsageError("so many sessions cannot be told apart", str(options.sessions))
    result = run_class(
        options.sessions,
        detector=options.detector,
        workers=options.workers,
        pictures=options.pictures,
    )
    print_result(result)
    if options.out:
        atomic_write(options.out, json.dumps(result, indent=1) + "\n")
    return 0 if result["all_right"] else 1


def print_result(result: dict[str, Any]) -> None:
    """Print a line for each session, and what the whole took."""
    print("session  verdict  own clip only  waited  seconds  place  first line")
    for row in result["sessions"]:
        is_alone = row["is_own"] and not row["others"]
        print(
            f"{row['number']:7}  {'yes' if row['verdict'] else 'NO':7}  "
            f"{'yes' if is_alone else 'NO':13}  {row['waited_s']:6.1f}  {row['seconds']:7.1f}  "
            f"{row['longest_place']:5}  {row['problem'] or row['verdict']}"
        )
    memory = result["memory_mb"]
    print(
        f"{len(result['sessions'])} sessions, {result['detector']}, {result['workers']} analyses "
        f"at once, in {result['seconds']:.0f} s; longest queue {result['longest_queue']}; one more "
        f"browser was {'refused' if result['is_refused'] else 'NOT refused'}; memory of the app "
        f"{memory['open']:.0f} MB with all pages open, {memory['peak']:.0f} MB at its peak; "
        f"browsers {memory['browsers']:.0f} MB; left behind: {result['left'] or 'nothing'}"
    )


def run_class(
    sessions: int,
    *,
    detector: str = "seamnet",
    workers: int | None = None,
    pictures: Path | None = None,
) -> dict[str, Any]:
    """Let a class analyse at once, and return what came of it: see `main`."""
    try:
        from playwright.sync_api import sync_playwright
    except ImportError as error:
        remedy = "Install it: pip install 'doorzicht[dev]'."
        raise UsageError("Playwright is not installed", "playwright", remedy) from error
    executable = find_browser()
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        clips = [make_clip(home / f"pupil-{n:03d}.mp4", n) for n in range(1, sessions + 1)]
        runs = home / "runs"
        with running_app(runs, seats=sessions, workers=workers) as app, sync_playwright() as driver:
            memory = MemoryWatch(app.pid)
            browser = driver.chromium.launch(executable_path=executable, args=_FLAGS)
            pages = [_open(browser, app.address) for _ in clips]
            is_refused = _is_refused(browser, app.address)
            for page, clip in zip(pages, clips, strict=True):
                _choose(page, clip, detector)
            opened_mb = memory.now()
            began = time.monotonic()
            outcomes = _analyse_all(pages, clips, pictures)
            seconds = time.monotonic() - began
            peak_mb, browsers_mb = memory.stop()
            browser.close()
        left = sorted(p.name for p in runs.rglob("*") if p.is_file())
    is_right = all(o.verdict and o.is_own and not o.others for o in outcomes)
    return {
        "detector": detector,
        "workers": app.workers,
        "sessions": [asdict(o) for o in outcomes],
        "seconds": seconds,
        "longest_queue": max(o.longest_place for o in outcomes),
        "is_refused": is_refused,
        "memory_mb": {"open": opened_mb, "peak": peak_mb, "browsers": browsers_mb},
        "left": left,
        "all_right": is_right and is_refused and not left,
    }


# --- the app


@dataclass(frozen=True)
class RunningApp:
    """An app that serves a class."""

    address: str
    pid: int
    workers: int


@contextmanager
def running_app(runs: Path, *, seats: int, workers: int | None = None) -> Iterator[RunningApp]:
    """Start the app of a class, and stop it afterwards.

    Parameters
    ----------
    runs
        Folder for its sessions.
    seats, workers
        As for ``python start.py app``; no workers = by the cores.
    """
    from toolkit.batch.process import default_workers

    count = workers or default_workers()
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = int(probe.getsockname()[1])
    token, notebooks = secrets.token_hex(16), models.ROOT / "notebooks" / "app"
    environment = {
        **os.environ,
        "DOORZICHT_RUNS": os.fspath(runs),
        "DOORZICHT_LANGUAGE": "en",
        "JUPYTER_CONFIG_PATH": os.fspath(notebooks),
        "JUPYTER_TOKEN": token,
        "PYTHONPATH": os.fspath(models.ROOT),
    }
    command = [sys.executable, "-m", "toolkit.classroom", os.fspath(notebooks / "workbench.ipynb")]
    command += [f"--port={port}", f"--seats={seats}", f"--workers={count}"]
    process = subprocess.Popen(
        command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        until = time.monotonic() + _END_S
        while process.poll() is None and time.monotonic() < until:
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", port)) == 0:
                    break
            time.sleep(_LOOK_S)
        yield RunningApp(f"http://127.0.0.1:{port}/?token={token}", process.pid, count)
    finally:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(60)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


class MemoryWatch:
    """Watches what the app and the browsers hold, in MB.

    Parameters
    ----------
    app
        Number of the app's process; all other children of this one are browsers.
    """

    def __init__(self, app: int) -> None:
        self._app = psutil.Process(app)
        self._peak = self._browsers = 0.0
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self._thread.start()

    def now(self) -> float:
        """Return what the app holds now."""
        return _megabytes(_tree(self._app))

    def stop(self) -> tuple[float, float]:
        """Stop watching; return the most that the app, and that the browsers held."""
        self._stop.set()
        self._thread.join()
        return self._peak, self._browsers

    def _watch(self) -> None:
        while not self._stop.wait(_MEMORY_S):
            app = _tree(self._app)
            others = [p for p in _tree(psutil.Process())[1:] if p not in app]
            self._peak = max(self._peak, _megabytes(app))
            self._browsers = max(self._browsers, _megabytes(others))


def _tree(process: psutil.Process) -> list[psutil.Process]:
    try:
        return [process, *process.children(recursive=True)]
    except psutil.Error:
        return []


def _megabytes(processes: list[psutil.Process]) -> float:
    total = 0
    for process in processes:
        try:
            facts = process.memory_full_info()
        except psutil.Error:  # it ended just now
            continue
        total += getattr(facts, "pss", facts.uss)
    return float(total / 1e6)


# --- clips that tell whose they are


def make_clip(path: Path, number: int, *, seconds: float = SECONDS) -> Path:
    """Write a clip with a number in every frame; each number gives another clip.

    Parameters
    ----------
    path
        Where to write.
    number
        0 to 2 to the power of `BITS`.
    seconds
        How long.
    """
    names = [name for name in SOURCES if name in samples.names(present=True)]
    if not names:
        raise UsageError("no sample clip is here", "", "Run: python start.py setup")
    video = media.probe(samples.path(names[number % len(names)]))
    indices = np.flatnonzero(video.pts - video.pts[0] < seconds)
    frames = (mark(frame.rgb, number) for frame in media.read(video, indices))
    write_h264(path, frames, video.pts[indices] - video.pts[0], crf=20)
    return path


def mark(rgb: NDArray[np.uint8], number: int) -> NDArray[np.uint8]:
    """Return a picture with a number in its upper left corner.

    Parameters
    ----------
    rgb : (H, W, 3) uint8
    number
        In `BITS` fields along half the width.

    Examples
    --------
    >>> mark(np.full((8, 32, 3), 128, np.uint8), 5)[0, ::2, 0].tolist()
    [0, 0, 0, 0, 0, 255, 0, 255, 128, 128, 128, 128, 128, 128, 128, 128]
    """
    marked = rgb.copy()
    side = rgb.shape[1] / (2 * BITS)
    for bit in range(BITS):
        value = 255 * (number >> (BITS - 1 - bit) & 1)
        marked[: round(side), round(bit * side) : round((bit + 1) * side)] = value
    return marked


# --- in the browsers


def _open(browser: Browser, address: str) -> Page:
    context = browser.new_context(viewport={"width": 1200, "height": 900})
    context.set_default_timeout(_OPEN_MS)
    page = context.new_page()
    page.goto(address)
    page.locator(".dz-workbench.dz-state-idle").wait_for()
    return page


def _is_refused(browser: Browser, address: str) -> bool:
    context = browser.new_context()
    page = context.new_page()
    answer = page.goto(address)
    is_refused = (
        answer is not None and answer.status == 503 and page.locator(".dz-full").is_visible()
    )
    context.close()
    return is_refused


def _choose(page: Page, clip: Path, detector: str) -> None:
    page.locator(".dz-options").click()
    page.locator(".dz-detector select").wait_for()
    index = page.locator(".dz-detector select").evaluate(
        "(menu, name) => [...menu.options].findIndex("
        "(o) => o.text.replaceAll('\\u00a0', ' ').startsWith(name))",
        {"seamnet": "SeamNet", "seamnet-small": "Small SeamNet"}[detector],
    )
    page.locator(".dz-detector select").select_option(index=index)
    page.locator(".dz-class-upload input").set_input_files(clip)
    page.locator(".dz-uploaded", has_text=clip.stem).wait_for()


def _analyse_all(pages: list[Page], clips: list[Path], pictures: Path | None) -> list[PupilOutcome]:
    outcomes = [PupilOutcome(number) for number in range(1, len(pages) + 1)]
    began = time.monotonic()
    clicked = []
    for page in pages:
        page.locator(".dz-analyse").click()
        clicked.append(time.monotonic())
    waiting, is_pictured = dict(enumerate(pages)), pictures is None
    while waiting and time.monotonic() - began < _END_S:
        for n, page in list(waiting.items()):
            state = str(page.locator(".dz-workbench").get_attribute("class"))
            place = _PLACE.search(page.locator(".dz-status").inner_text())
            outcome = outcomes[n]
            if place:
                outcome.longest_place = max(outcome.longest_place, int(place.group(1)))
                outcome.waited_s = time.monotonic() - clicked[n]
                if not is_pictured and pictures is not None:
                    pictures.mkdir(parents=True, exist_ok=True)
                    page.screenshot(path=pictures / "waiting.png")
                    is_pictured = True
            if "dz-state-done" in state or "dz-state-error" in state:
                outcome.seconds = time.monotonic() - clicked[n]
                _judge(page, outcome, clips)
                if pictures is not None and n == 0:
                    page.screenshot(path=pictures / "result.png")
                del waiting[n]
        time.sleep(_LOOK_S)
    for n in waiting:
        outcomes[n].problem = "did not end"
    return outcomes


def _judge(page: Page, outcome: PupilOutcome, clips: list[Path]) -> None:
    """Look at what a page shows of which clip."""
    text = page.locator("body").inner_text()
    shown = {n for n, clip in enumerate(clips, 1) if clip.stem in text}
    outcome.others = sorted(shown - {outcome.number})
    if "dz-state-error" in str(page.locator(".dz-workbench").get_attribute("class")):
        outcome.problem = " ".join(page.locator(".dz-verdict").inner_text().split())
        return
    page.locator(".dz-player[data-ready='1']:visible").wait_for()
    outcome.verdict = page.locator(".dz-verdict").inner_text().strip().partition("\n")[0]
    number = int(page.evaluate(_READ_NUMBER, BITS))
    outcome.is_own = number == outcome.number and outcome.number in shown
