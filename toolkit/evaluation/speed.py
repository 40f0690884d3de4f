"""What an analysis costs: seconds per stage and memory of the whole process tree."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import Any

import psutil

from toolkit.errors import ToolkitError

PROBE_EVERY_S = 0.02


class Peak:
    """Highest resident memory of a process and its children, sampled from a thread."""

    def __init__(self, pid: int) -> None:
        self.bytes = 0
        self._process = psutil.Process(pid)
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self._thread.start()

    def _watch(self) -> None:
        while not self._stop.wait(PROBE_EVERY_S):
            total = 0
            try:
                family = [self._process, *self._process.children(recursive=True)]
            except psutil.NoSuchProcess:
                return
            for process in family:
                try:
                    total += process.memory_info().rss
                except psutil.NoSuchProcess:
                    continue
            self.bytes = max(self.bytes, total)

    def stop(self) -> int:
        """Stop watching; return the bytes."""
        self._stop.set()
        self._thread.join()
        return self.bytes


def measure(clip: Path, *, runs: int = 3, device: str = "auto") -> dict[str, Any]:
    """Analyse a clip from a cold start several times.

    Each run is a process of its own, as a user starts it: `total_s` includes loading Python and
    torch. Memory is the sum of resident sizes over the process tree, so shared pages count twice.

    Returns
    -------
    dict
        `runs` with `total_s`, `stages` (seconds) and `peak_mb` each; and `median_total_s`,
        `peak_mb` over all.

    Raises
    ------
    ToolkitError
        If an analysis fails; with its message.
    """
    rows = []
    for _ in range(runs):
        with tempfile.TemporaryDirectory() as folder:
            command = [sys.executable, "-m", "toolkit", "analyse", str(clip), "--out", folder]
            start = time.perf_counter()
            with subprocess.Popen(
                [*command, "--device", device], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE
            ) as process:
                peak = Peak(process.pid)
                _, complaint = process.communicate()
            seconds = time.perf_counter() - start
            memory = peak.stop()
            if process.returncode:
                raise ToolkitError(
                    "the analysis failed", complaint.decode(errors="replace").strip()
                )
            stages = json.loads((Path(folder) / "run.json").read_text(encoding="utf-8"))["seconds"]
        rows.append({"total_s": seconds, "stages": stages, "peak_mb": memory / 2**20})
    totals = sorted(r["total_s"] for r in rows)
    return {
        "clip": str(clip),
        "runs": rows,
        "median_total_s": totals[len(totals) // 2],
        "peak_mb": max(r["peak_mb"] for r in rows),
    }
