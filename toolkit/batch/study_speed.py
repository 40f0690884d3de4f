"""Measure two workers against one, and beside it what the machine gives two processes at all.

    python -m toolkit study batch-speed [CLIP ...] [--clips 12] [--rounds 2] [--out FILE.json]

The clips (default: a sample) are judged again and again by real workers, without the cache, by one
and by two in turn. The pace counts from when every worker has finished its first clip: what came
before was loading. Beside each round plain arithmetic runs in one process and in two: its ratio is
2 on two idle cores, and less where others work or the cores share what they need.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import shutil
import statistics
import tempfile
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import psutil

from toolkit.batch import inputs
from toolkit.batch.local import LocalWorkers
from toolkit.batch.plan import BatchPlan
from toolkit.batch.run import BatchPosition, run
from toolkit.errors import UsageError
from toolkit.files import atomic_write

_SPIN = 6_000_000  # steps of plain arithmetic: about half a second


def main(argv: Sequence[str] | None = None) -> int:
    """Run the study."""
    parser = argparse.ArgumentParser(prog="python -m toolkit study batch-speed")
    parser.add_argument("clip", type=Path, nargs="*", help="default: the sample carphone_pristine")
    parser.add_argument("--clips", type=int, default=12, help="files to judge in each run")
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--detector", default="seamnet-small")
    parser.add_argument("--out", type=Path, help="JSON file")
    options = parser.parse_args(argv)
    if options.clips < 6:
        raise UsageError("too few clips to find a pace", str(options.clips), "Use 6 or more.")
    result = measure(
        options.clip, clips=options.clips, rounds=options.rounds, detector=options.detector
    )
    for row in result["rounds"]:
        print(
            f"1 worker {row['pace_1']:.1f} clips a minute, 2 workers {row['pace_2']:.1f}: "
            f"{row['ratio']:.2f} times; plain arithmetic {row['machine']:.2f} times; processor "
            f"{row['cpu_s_1']:.1f} s a clip with one, {row['cpu_s_2']:.1f} s with two; "
            f"load of the machine {row['load']:.1f}"
        )
    print(f"median: {result['ratio']:.2f} times, of {result['machine']:.2f} the machine gave")
    if options.out:
        atomic_write(options.out, json.dumps(result, indent=1) + "\n")
    return 0


def measure(
    clips_given: Sequence[Path], *, clips: int, rounds: int, detector: str
) -> dict[str, Any]:
    """Judge clips by one and by two workers in turn.

    Returns
    -------
    dict
        `rounds` with `pace_1`, `pace_2` (clips a minute), `ratio`, `machine` (the same ratio of
        plain arithmetic), `cpu_s_1`, `cpu_s_2` (processor seconds a clip) and `load`; medians.
    """
    from toolkit import samples

    sources = list(clips_given) or [samples.path("carphone_pristine")]
    rows = []
    with tempfile.TemporaryDirectory() as home:
        folder = Path(home, "clips")
        folder.mkdir()
        for number in range(clips):
            source = sources[number % len(sources)]
            shutil.copy(source, folder / f"{number:04d}{source.suffix}")
        plan = BatchPlan(out=str(Path(home, "results")), detector=detector)
        for number in range(rounds):
            machine = _machine_ratio()
            one = _pace(folder, replace(plan, out=f"{plan.out}-{number}-1"), 1)
            two = _pace(folder, replace(plan, out=f"{plan.out}-{number}-2"), 2)
            rows.append(
                {
                    "pace_1": one[0],
                    "pace_2": two[0],
                    "ratio": two[0] / one[0],
                    "machine": (machine + _machine_ratio()) / 2,
                    "cpu_s_1": one[1],
                    "cpu_s_2": two[1],
                    "load": psutil.getloadavg()[0],
                }
            )
    medians = {n: statistics.median(r[n] for r in rows) for n in ("ratio", "machine")}
    return {"clips": clips, "detector": detector, "rounds": rows, **medians}


def _pace(folder: Path, plan: BatchPlan, count: int) -> tuple[float, float]:
    """Return clips a minute and processor seconds a clip, once every worker is warm."""
    ended: list[tuple[float, float]] = []
    pool: list[LocalWorkers] = []

    def make_workers(plan: BatchPlan) -> LocalWorkers:
        pool.append(LocalWorkers(plan, count))
        return pool[0]

    def note(progress: BatchPosition) -> None:
        if progress.last is not None:
            ended.append((time.monotonic(), _cpu_seconds(pool[0].pids)))

    run(inputs.from_folder(folder).tasks, plan, make_workers, on_progress=note)
    first, last = ended[count - 1], ended[-1 - (count - 1)]  # the last ones work with idle others
    clips = len(ended) - 1 - 2 * (count - 1)
    return 60 * clips / (last[0] - first[0]), (last[1] - first[1]) / clips


def _cpu_seconds(pids: Sequence[int]) -> float:
    """Return the processor time of the workers, with that of their decoders that ended."""
    total = 0.0
    for pid in pids:
        try:
            times = psutil.Process(pid).cpu_times()
        except psutil.Error:
            continue
        total += times.user + times.system
        total += getattr(times, "children_user", 0.0) + getattr(times, "children_system", 0.0)
    return total


def _machine_ratio() -> float:
    """Return how many times as much plain arithmetic two processes do as one."""
    context = multiprocessing.get_context("spawn")
    with context.Pool(2) as pool:
        pool.map(_spin, [1, 1])  # both have started
        alone = pool.map(_spin, [_SPIN])[0]
        together = pool.map(_spin, [_SPIN, _SPIN], chunksize=1)
    return 2 * alone / max(together)


def _spin(steps: int) -> float:
    start = time.perf_counter()
    total = 0
    for step in range(steps):
        total += step & 7
    return time.perf_counter() - start
