"""Measure the player: redraws per second on a 720p clip, and a 900-frame result into JupyterLab.

Not a test, because figures depend on the machine::

    python -m tests.e2e.speed
"""

from __future__ import annotations

import json
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path

from tests.e2e import lab as harness
from tests.player.made_up import Made, made
from toolkit import media
from toolkit.media.display import DisplayCopy, display_copy
from toolkit.player import Scene
from toolkit.report import playable

SECONDS = 5.0

# Redraws while it plays, counted by the player itself.
PLAY = """async (seconds) => {
  const figure = document.querySelector('figure.dz-player');
  figure.querySelector('.dzp-play').click();
  await new Promise((done) => setTimeout(done, 500));
  const [from, draws] = [performance.now(), Number(figure.dataset.draws)];
  await new Promise((done) => setTimeout(done, 1000 * seconds));
  const rate = 1000 * (Number(figure.dataset.draws) - draws) / (performance.now() - from);
  figure.querySelector('.dzp-play').click();
  return rate;
}"""

# From the moment the kernel is asked to show a scene until the figure says that it is ready.
SHOW = """async () => {
  const kernel = jupyterapp.shell.currentWidget.sessionContext.session.kernel;
  const from = performance.now();
  kernel.requestExecute({ code: 'player.show(scene)' });
  while (!document.querySelector("figure.dz-player[data-ready='1']"))
    await new Promise((done) => setTimeout(done, 5));
  return (performance.now() - from) / 1000;
}"""

CELLS = (
    (
        "import tempfile\nfrom pathlib import Path\nfrom tests.player.made_up import made\n"
        "from toolkit.player import Scene\nfrom toolkit.widgets.player import Player"
    ),
    (
        "clip = made(Path(tempfile.mkdtemp()), frames=900, every=1, is_variable=False,"
        " size=(1280, 720))\n"
        "scene = Scene.of(clip.report, clip.copy, crops=clip.crops)\nplayer = Player()\nplayer"
    ),
)


def redraws(executable: str, folder: Path) -> float:
    """Return redraws per second of a 720p clip with 50 frames per second."""
    clip = made(folder, frames=500, every=5, is_variable=False, size=(1280, 720))
    page = playable.page(Scene.of(clip.report, _twice_as_fast(clip, folder), crops=clip.crops))
    (folder / "page.html").write_text(page, encoding="utf-8")
    with harness.browser(executable, height=1000) as context:
        tab = context.new_page()
        tab.goto((folder / "page.html").as_uri())
        tab.locator("figure.dz-player[data-ready='1']").wait_for()
        return float(tab.evaluate(PLAY, SECONDS))


def _twice_as_fast(clip: Made, folder: Path) -> DisplayCopy:
    """Return a copy of the clip's copy at 50 frames per second: more than is asked for."""
    path, pts = folder / "fast.mp4", clip.copy.pts / 2
    frames = media.read(clip.video, clip.copy.indices)
    media.write_h264(path, (f.rgb for f in frames), pts)
    copy = display_copy(media.probe(path), folder / "fast_copy.mp4")
    return replace(copy, indices=clip.copy.indices)


def arrival(executable: str) -> tuple[float, str]:
    """Return seconds until a 900-frame result is on screen, and what was sent."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        cell = {"cell_type": "code", "metadata": {}, "outputs": [], "execution_count": None}
        cells = [{**cell, "id": f"c{i}", "source": source} for i, source in enumerate(CELLS)]
        notebook = {
            "cells": cells,
            "metadata": {"kernelspec": {"name": "python3", "display_name": "Python 3"}},
            "nbformat": 4,
            "nbformat_minor": 5,
        }
        (folder / "speed.ipynb").write_text(json.dumps(notebook), encoding="utf-8")
        with harness.jupyter(folder) as lab, harness.browser(executable) as context:
            page = harness.open_notebook(context, lab, "speed.ipynb")
            harness.run_all(page, timeout_ms=300_000)
            seconds = float(page.evaluate(SHOW))
            sent = harness.run_in_kernel(page, "print(scene.bytes, len(scene.data), scene)")
            return seconds, sent.strip()


def main() -> None:
    """Print both figures."""
    executable = harness.find_browser()
    if executable is None:
        sys.exit("no Chromium or Chrome found (name one with $CHROMIUM)")
    start = time.perf_counter()
    with tempfile.TemporaryDirectory() as folder:
        rate = redraws(executable, Path(folder))
        print(f"redraws per second, 1280x720 at 50 frames per second: {rate:.1f}")
    seconds, sent = arrival(executable)
    print(f"900 judged frames of two persons on screen in {seconds:.2f} s; bytes, arrays: {sent}")
    print(f"took {time.perf_counter() - start:.0f} s")


if __name__ == "__main__":
    main()
