"""Measure what a user waits for: `python -m tests.e2e.measure` prints three figures.

The first paint of the panel with a warm kernel, and how much of a result of 900 frames (two
persons, 160 moments each, 640 x 480 px) goes to the browser, and when it is ready to play there.
"""

from __future__ import annotations

import json
import statistics
import tempfile
from pathlib import Path

from playwright.sync_api import Page

from tests.e2e import lab as harness

RUNS = 3

WARM = "from toolkit import Workbench"
PANEL = "workbench = Workbench(runs=Path('runs'))\nworkbench"
PREPARE = """\
from pathlib import Path
import cv2, numpy as np
from tests.widgets import made_up
from toolkit import media
from toolkit.player import Scene
face = np.pad(made_up.face(), ((128, 128), (208, 208), (0, 0)), mode="edge")
pictures = (np.roll(face, i % 40, axis=1) for i in range(900))
media.write_h264(Path("long.mp4"), pictures, np.arange(900) / 25)
video = media.probe(Path("long.mp4"))
track = lambda p, forged: made_up.result(p, forged=forged, moments=160, video=video,
    start_s=10, end_s=14)
report = made_up.report(track("A", True), track("B", False))
from dataclasses import replace
report = replace(report, video=video)
crops = {r.track.person: made_up.crops(r.track, size=224) for r in report.tracks}
from toolkit.media.display import display_copy
copy = display_copy(video, Path("copy.mp4"))"""
PLAYER = """\
from toolkit.widgets.player import Player
player = Player()
player"""
SHOW = "player.show(Scene.of(report, copy, crops=crops)); print(player.shown[0].bytes)"

# Seconds from the run of the cell that is selected to the element on screen.
TIME_CELL = """async (selector) => {
  const started = performance.now();
  jupyterapp.commands.execute('notebook:run-cell-and-select-next');
  await new Promise((resolve) => {
    const check = () => {
      if (document.querySelector(selector)) resolve(); else requestAnimationFrame(check);
    };
    check();
  });
  await new Promise((resolve) => requestAnimationFrame(() => requestAnimationFrame(resolve)));
  return (performance.now() - started) / 1000;
}"""
TIME_SHOW = """async (code) => {
  const kernel = jupyterapp.shell.currentWidget.sessionContext.session.kernel;
  const started = performance.now();
  const future = kernel.requestExecute({ code }); let out = '';
  future.onIOPub = (m) => { if (m.header.msg_type === 'stream') out += m.content.text; };
  await new Promise((resolve) => {
    const check = () => {
      const figure = document.querySelector('figure.dz-player[data-ready="1"]');
      if (figure && out) resolve(); else requestAnimationFrame(check);
    };
    check();
  });
  return [(performance.now() - started) / 1000, Number(out)];
}"""


def notebook(folder: Path, name: str, cells: list[str]) -> None:
    """Write a notebook of code cells."""
    content = {
        "cells": [
            {
                "cell_type": "code",
                "id": f"c{i}",
                "metadata": {},
                "outputs": [],
                "execution_count": None,
                "source": source,
            }
            for i, source in enumerate(cells)
        ],
        "metadata": {"kernelspec": {"name": "python3", "display_name": "Python 3"}},
        "nbformat": 4,
        "nbformat_minor": 5,
    }
    (folder / name).write_text(json.dumps(content), encoding="utf-8")


def first_paint(page: Page) -> float:
    """Return seconds from running the cell to the panel on screen; the kernel has the import."""
    harness.run_in_kernel(page, f"from pathlib import Path\n{WARM}")
    return float(page.evaluate(TIME_CELL, ".dz-workbench .dz-analyse"))


def result(page: Page) -> tuple[float, int]:
    """Return seconds until a result of 900 frames can be played, and its bytes."""
    harness.run_all(page)
    seconds, size = page.evaluate(TIME_SHOW, SHOW)
    return float(seconds), int(size)


def main() -> None:
    """Print the median of three runs."""
    executable = harness.find_browser()
    assert executable, "no Chromium or Chrome found"
    paints, results = [], []
    with tempfile.TemporaryDirectory() as folder:
        notebook(Path(folder), "panel.ipynb", [PANEL])
        notebook(Path(folder), "result.ipynb", [PREPARE, PLAYER])
        with harness.jupyter(Path(folder)) as lab, harness.browser(executable) as context:
            for name, measure, into in (
                ("panel.ipynb", first_paint, paints),
                ("result.ipynb", result, results),
            ):
                for _ in range(RUNS):
                    page = harness.open_notebook(context, lab, name)
                    into.append(measure(page))
                    page.close()
    print(f"first paint: {statistics.median(paints):.2f} s of {[f'{p:.2f}' for p in paints]}")
    seconds = [s for s, _ in results]
    print(f"900 frames: {statistics.median(seconds):.2f} s of {[f'{s:.2f}' for s in seconds]}")
    print(f"900 frames: {results[0][1] / 1e6:.2f} MB")


if __name__ == "__main__":
    main()
