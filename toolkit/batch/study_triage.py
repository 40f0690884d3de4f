"""Open a triage page of made-up rows in a real browser, and measure seconds and memory.

    python -m toolkit study triage [--rows 100000] [--out FILE.json] [--keep FILE.html]

Seconds are from the start of the navigation until table and chart are drawn. Memory is what the
page's own process holds at its peak and afterwards, as the system counts it (private and its part
of what is shared), and the heap of the script alone. On a busy computer the seconds of processor
time of that process say more than those of the clock.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import shutil
import tempfile
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import psutil

from toolkit.batch import rehearsal, triage
from toolkit.batch.journal import Row, empty_row
from toolkit.batch.plan import FileTask
from toolkit.errors import UsageError
from toolkit.files import atomic_write

ROWS, RUNS = 100_000, 3
SECONDS_MAX, BYTES_MAX = 3.0, 300 << 20
"""What is promised."""

_NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")
_FLAGS = ["--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking"]
_READY = "() => document.documentElement.dataset.ready === 'true'"
_PROBE_S = 0.02


def main(argv: Sequence[str] | None = None) -> int:
    """Run the study; exit 1 where the promise is not kept."""
    parser = argparse.ArgumentParser(prog="python -m toolkit study triage")
    parser.add_argument("--rows", type=int, default=ROWS)
    parser.add_argument("--runs", type=int, default=RUNS)
    parser.add_argument("--out", type=Path, help="JSON file")
    parser.add_argument("--keep", type=Path, metavar="HTML", help="where to keep the page")
    options = parser.parse_args(argv)
    result = measure(options.rows, runs=options.runs, keep=options.keep)
    for run in result["runs"]:
        print(
            f"opened in {run['seconds']:.2f} s (table {run['table_s']:.2f} s; processor "
            f"{run['cpu_s']:.2f} s), sorted in {run['sort_s']:.2f} s; "
            f"memory {run['peak_mb']:.0f} MB at its peak, {run['after_mb']:.0f} MB "
            f"afterwards, heap {run['heap_mb']:.0f} MB"
        )
    print(
        f"{result['rows']} rows, {result['page_mb']:.1f} MB, written in {result['write_s']:.1f} s: "
        f"median {result['seconds']:.2f} s, processor {result['cpu_s']:.2f} s, "
        f"{result['peak_mb']:.0f} MB; an empty page takes {result['empty_mb']:.0f} MB"
    )
    if options.out:
        atomic_write(options.out, json.dumps(result, indent=1) + "\n")
    is_kept = result["seconds"] <= SECONDS_MAX and result["peak_mb"] <= BYTES_MAX / 2**20
    return 0 if is_kept else 1


def made_up_rows(count: int, *, seed: int = 0) -> list[Row]:
    """Return rows as a large archive would give them, a few of them refused, failed or too slow."""
    rows = []
    for number in range(count):
        source = f"programme-{number % 23:02d}"
        path = f"/archive/{source}/2026/{number // 1000:03d}/broadcast-{number:06d}.mp4"
        digest = hashlib.sha256(f"{seed} {number}".encode()).hexdigest()
        row = empty_row(FileTask(path, path, source), digest)
        odd = number % 97
        if odd < 3:
            status = ("refused", "failed", "timed_out")[odd]
            message = {"code": status, "template": "It could not be judged.", "values": {}}
            row |= {"status": status, "reason": message["template"], "message": message}
        else:
            report = f"clips/broadcast-{number:06d}-{row['key'][:12]}"
            row |= rehearsal.made_up(seed + number) | {"report": report}
        rows.append(row)
    return rows


def measure(count: int, *, runs: int = RUNS, keep: Path | None = None) -> dict[str, Any]:
    """Write a page of made-up rows and open it in a fresh browser several times.

    Raises
    ------
    UsageError
        If there is no Chromium, or Playwright is not installed.
    """
    executable = find_browser()
    with tempfile.TemporaryDirectory() as folder:
        path = keep.absolute() if keep else Path(folder, "triage.html")
        rows = made_up_rows(count)
        start = time.perf_counter()
        triage.write(rows, path)
        seconds = time.perf_counter() - start
        del rows
        empty = _open(executable, "data:text/html,<p>empty", None)
        results = [_open(executable, path.as_uri(), _READY) for _ in range(runs)]
        page_mb = path.stat().st_size / 2**20
    middle = {n: sorted(r[n] for r in results)[len(results) // 2] for n in ("seconds", "cpu_s")}
    return {
        "rows": count,
        "page_mb": page_mb,
        "write_s": seconds,
        "runs": results,
        **middle,
        "peak_mb": max(r["peak_mb"] for r in results),
        "empty_mb": empty["after_mb"],
    }


def find_browser() -> str:
    """Return an installed Chromium or Chrome, ``$CHROMIUM`` first.

    Raises
    ------
    UsageError
        If none is found.
    """
    named = os.environ.get("CHROMIUM")
    browser = named or next((p for name in _NAMES if (p := shutil.which(name))), None)
    if browser is None:
        raise UsageError("no Chromium or Chrome was found", "", "Name one with $CHROMIUM.")
    return browser


def _open(executable: str, address: str, ready: str | None) -> dict[str, float]:
    try:
        from playwright.sync_api import sync_playwright
    except ImportError as error:
        remedy = "Install it: pip install 'doorzicht[dev]'."
        raise UsageError("Playwright is not installed", "playwright", remedy) from error
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=executable, args=_FLAGS)
        page = browser.new_page(viewport={"width": 1280, "height": 900})
        memory = _Memory()
        start = time.perf_counter()
        page.goto(address, wait_until="commit")
        table_s = 0.0
        if ready:
            page.wait_for_function("() => document.querySelector('#body td button')")
            table_s = time.perf_counter() - start
            page.wait_for_function(ready)
        seconds, cpu_s = time.perf_counter() - start, memory.cpu_seconds()
        sort_s = 0.0
        if ready:
            start = time.perf_counter()
            page.evaluate("document.querySelector('th[data-column=name] button').click()")
            sort_s = time.perf_counter() - start
        session = page.context.new_cdp_session(page)
        session.send("Performance.enable")
        metrics = {m["name"]: m["value"] for m in session.send("Performance.getMetrics")["metrics"]}
        peak, after = memory.stop()
        browser.close()
    return {
        "seconds": seconds,
        "cpu_s": cpu_s,
        "table_s": table_s,
        "sort_s": sort_s,
        "peak_mb": peak / 2**20,
        "after_mb": after / 2**20,
        "heap_mb": metrics["JSHeapUsedSize"] / 2**20,
    }


class _Memory:
    """Watches the process that renders the page: the largest of the renderers of our browsers."""

    def __init__(self) -> None:
        self._peak = self._now = 0
        self._largest: psutil.Process | None = None
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self._thread.start()

    def stop(self) -> tuple[int, int]:
        """Stop watching; return the bytes at the peak and at the end."""
        self._stop.set()
        self._thread.join()
        self._look()
        return self._peak, self._now

    def cpu_seconds(self) -> float:
        """Return the processor time of the page's process so far."""
        self._look()
        if self._largest is None:
            return 0.0
        times = self._largest.cpu_times()
        return float(times.user + times.system)

    def _watch(self) -> None:
        while not self._stop.wait(_PROBE_S):
            self._look()

    def _look(self) -> None:
        largest = 0
        for process in psutil.Process().children(recursive=True):
            try:
                if "--type=renderer" in process.cmdline():
                    facts = process.memory_full_info()
                    size = getattr(facts, "pss", facts.uss)
                    if size > largest:
                        largest, self._largest = size, process
            except psutil.Error:
                continue
        self._now = largest
        self._peak = max(self._peak, largest)
