"""What an analysis costs: seconds per stage and memory of the whole process tree."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import psutil

from toolkit.errors import ToolkitError, UsageError
from toolkit.types import Sampling, Tick, no_tick

PROBE_EVERY_S = 0.02
CROP_RUNS = 20


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
        `runs` with `total_s`, `stages` (seconds) and `peak_mb` each; `median_total_s`, `peak_mb`
        over all; `crop_ms` of `per_crop`; `import_s` of `import_seconds`.

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
        "crop_ms": per_crop(device=device),
        "import_s": import_seconds(),
    }


def import_seconds(*, runs: int = 3) -> float:
    """Return the median seconds that ``import toolkit`` takes in a Python that has just started."""
    code = "import time; t = time.perf_counter(); import toolkit; print(time.perf_counter() - t)"
    command = [sys.executable, "-c", code]
    seconds = [
        float(subprocess.run(command, capture_output=True, text=True, check=True).stdout)
        for _ in range(runs)
    ]
    return float(np.median(seconds))


def per_crop(*, device: str = "auto", runs: int = CROP_RUNS) -> dict[str, Any]:
    """Time the bundled detectors on face crops, as many at once as an analysis judges.

    Returns
    -------
    dict
        By detector: `batch`, and the median milliseconds per crop: `analysis` of the detector as it
        is loaded, `explanation` of the one that explanations ask, which may be a faster form of
        the same (`explain.folded`), and `cpu`, processor time per crop, all threads together. Also
        `network`, of the float32 network that gradients are taken of, one crop at a time, where
        that is not the one that judges.
    """
    from toolkit import runtime
    from toolkit.detectors import registry
    from toolkit.detectors.base import network_of
    from toolkit.explain.fused import JudgesWithNetwork, fuse_batch_norm

    runtime.prepare()
    milliseconds: dict[str, Any] = {}
    default = registry.substitute(registry.DEFAULT) is None
    for name in (registry.DEFAULT, registry.SMALL) if default else (registry.SMALL,):
        judge = registry.load(name, device=device, stand_in=False)
        batch, size = judge.batch or 1, judge.spec.size
        noise = np.random.default_rng(0).integers(0, 256, (batch, size, size, 3), np.uint8)
        wall, cpu = _milliseconds(lambda: judge.logits(noise), batch, runs)  # noqa: B023 - at once
        quick = fuse_batch_norm(judge)
        milliseconds[name] = {
            "batch": batch,
            "analysis": wall,
            "cpu": cpu,
            "explanation": _milliseconds(lambda: quick.logits(noise), batch, runs)[0],  # noqa: B023
        }
        if not isinstance(judge, JudgesWithNetwork):
            milliseconds[name]["network"] = _network_milliseconds(
                network_of(judge), noise[:1], runs
            )
    return milliseconds


def paths(clip: Path, *, crops: int = 200, tick: Tick = no_tick) -> dict[str, Any]:
    """Hold the two arithmetics of SeamNet against each other on the faces of a clip.

    Returns
    -------
    dict
        As `detectors.seamnet2.paths`.

    Raises
    ------
    UsageError
        If there is no face in the clip.
    """
    from toolkit.analysis.pipeline import examine
    from toolkit.detectors import seamnet_clip

    judge = seamnet_clip.SeamNet2Detector(device="cpu")
    seen = examine(clip, detector=judge, sampling=Sampling(frames=crops), explain=False, tick=tick)
    faces = [person.rgb for person in seen.crops.values()]
    if not faces:
        raise UsageError("there is no face in this clip", clip.name, "Give another one.")
    return seamnet_clip.paths(judge, np.concatenate(faces)[:crops], tick=tick)


def _milliseconds(work: Callable[[], object], crops: int, runs: int) -> tuple[float, float]:
    """Return the median wall and processor time of a call, per crop."""
    laps = []
    for _ in range(runs + 1):  # the first one warms up
        start, cpu = time.perf_counter(), time.process_time()
        work()
        laps.append((time.perf_counter() - start, time.process_time() - cpu))
    wall, cpu_s = np.median(np.array(laps[1:]), axis=0).tolist()
    return 1000 * wall / crops, 1000 * cpu_s / crops


def _network_milliseconds(net: Any, rgb: Any, runs: int) -> float:
    import torch

    device = next(net.parameters()).device
    x = torch.from_numpy(rgb.transpose(0, 3, 1, 2).astype(np.float32)).to(device)
    with torch.inference_mode():

        def once() -> None:
            net(x)[0].cpu()  # to the processor: waits until a GPU is done

        return _milliseconds(once, len(rgb), max(1, runs // 4))[0]
