"""What an explanation costs, and how exact its sampling is beside Captum's, in one run.

``python -m toolkit speed --explain CLIP`` runs `measure`: a process of its own analyses the clip,
asks the second witness about the key frames, and opens the trust panel on the frame with the
largest share, each timed apart. Then the antithetic sampling and Captum's Shapley Value Sampling
are held against the exact table of the same game on a few frames.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from toolkit.analysis import pipeline
from toolkit.errors import ToolkitError
from toolkit.evaluation.studies.speed import Peak
from toolkit.explain import perturbation, session
from toolkit.explain.perturbation import RegionGame
from toolkit.types import Sampling

FRAMES, KEY_FRAMES = 32, 8
COMPARED = 2  # frames on which sampling is held against the exact table
SEEDS = 5  # of the antithetic sampling; from a known table they cost nothing
PERMUTATIONS = 100  # of Captum's: 1,001 passes for ten regions


def measure(clip: Path, *, device: str = "auto") -> dict[str, Any]:
    """Run `cost` in a process of its own and watch its memory.

    Returns
    -------
    dict
        That of `cost`, with `peak_mb`: the sum of resident sizes over the process tree.

    Raises
    ------
    ToolkitError
        If it fails; with its message.
    """
    command = [sys.executable, "-m", "toolkit.evaluation.explanations.cost", str(clip)]
    with subprocess.Popen(
        [*command, "--device", device], stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as process:
        peak = Peak(process.pid)
        output, complaint = process.communicate()
    memory = peak.stop()
    if process.returncode:
        text = complaint.decode(errors="replace").strip().splitlines()
        raise ToolkitError("the measurement failed", text[-1] if text else str(clip))
    result: dict[str, Any] = json.loads(output)
    return result | {"clip": str(clip), "peak_mb": memory / 2**20}


def cost(clip: Path, *, device: str = "auto", compared: int = COMPARED) -> dict[str, Any]:
    """Analyse a clip, explain it, and compare the two ways of sampling.

    Seconds are wall time; `cpu_s` beside them is the processor time of this process, which a busy
    machine changes less.

    Returns
    -------
    dict
        `analysis`, `intervention`, `trust` with `seconds`, `cpu_s` and `passes` (the analysis
        without); `sampling`: see `compare`.
    """
    clock = _LapClock()
    examination = pipeline.examine(clip, device=device, sampling=Sampling(frames=FRAMES))
    out: dict[str, Any] = {"analysis": clock.lap()}
    subject = session.PersonExplainer(examination)
    position = session.strongest(subject.result)
    heard = session.ask(subject, ["witnesses"], position, key_frames=KEY_FRAMES)
    passes = sum(a.perturbation.passes for a in heard.frames if a.perturbation)
    out["intervention"] = clock.lap() | {"key_frames": len(heard.frames), "passes": passes}
    panel = subject.trust(position)
    out["trust"] = clock.lap() | {"passes": panel.passes, "figures": len(panel.figures)}
    if panel.intervention is not None and subject.network is not None:
        spoken = [a.position for a in heard.frames if a.may_name]
        spoken.sort(key=lambda p: -float(subject.logits[p]))
        out["sampling"] = compare(subject, spoken[:compared])
    return out


def compare(subject: session.PersonExplainer, positions: Sequence[int]) -> dict[str, Any]:
    """Hold antithetic sampling and Captum's against the exact shares of the same game.

    The game has hard borders, because Captum's masks have. The error of a frame is the largest
    difference of a region's share over ``|v[all] - v[none]|``; for the antithetic sampling it is
    the mean over `SEEDS` seeds, read from the exact table. Both are timed from nothing.

    Returns
    -------
    dict
        `antithetic` and `captum`, each with mean `error`, `passes` and `seconds` per frame, and
        `rows` per frame; `times_faster`.
    """
    from toolkit.explain import pixels

    net = pixels.DetectorModule(subject.detector)
    rows = []
    for position in positions:
        reference = subject.choice(position).reference
        assert reference is not None
        game = RegionGame(subject.detector, subject.crops, position, reference.rgb, feather=0)
        clock = _LapClock()
        perturbation.antithetic(game)
        own, passes = clock.lap(), game.passes
        truth = perturbation.exact(game)
        total = abs(truth.logit - truth.reference_logit)
        errors = [
            float(np.abs(perturbation.antithetic(game, seed=s).shares - truth.shares).max()) / total
            for s in range(SEEDS)
        ]
        clock.lap()
        attribution = pixels.attribute(
            net,
            subject.crops.rgb[position],
            "shapley_value_sampling",
            region_map=subject.crops.region_map[position],
            reference=reference.rgb,
            settings={"permutations": PERMUTATIONS},
        )
        theirs = clock.lap()
        rows.append(
            {
                "position": position,
                "antithetic": own | {"error": float(np.mean(errors)), "passes": passes},
                "captum": theirs
                | {
                    "error": float(np.abs(attribution.regions - truth.shares).max()) / total,
                    "passes": attribution.passes,
                },
            }
        )

    def mean(who: str) -> dict[str, float]:
        keys = ("error", "passes", "seconds", "cpu_s")
        return {k: float(np.mean([row[who][k] for row in rows])) for k in keys}  # type: ignore[index]

    both = {who: mean(who) for who in ("antithetic", "captum")}
    faster = both["captum"]["cpu_s"] / both["antithetic"]["cpu_s"]
    return {**both, "times_faster": faster, "rows": rows}


class _LapClock:
    def __init__(self) -> None:
        self._wall, self._cpu = time.perf_counter(), time.process_time()

    def lap(self) -> dict[str, float]:
        """Return the time since the last lap."""
        wall, cpu = time.perf_counter(), time.process_time()
        out = {"seconds": wall - self._wall, "cpu_s": cpu - self._cpu}
        self._wall, self._cpu = wall, cpu
        return out


def lines(result: dict[str, Any]) -> list[str]:
    """Return what was measured, a line each."""
    told = [
        f"{part}: {row['seconds']:.1f} s ({row['cpu_s']:.1f} s of processor time)"
        + (f", {row['passes']} passes" if "passes" in row else "")
        for part in ("analysis", "intervention", "trust")
        if (row := result.get(part))
    ]
    told.append(f"peak of the process tree: {result['peak_mb']:.0f} MB")
    sampling = result.get("sampling")
    if sampling is None:
        told.append("sampling: not compared, no reference is valid here")
        return told
    told += [
        f"{who}: error {row['error']:.4f} of the total, {row['passes']:.0f} passes, "
        f"{row['seconds']:.1f} s"
        for who, row in ((w, sampling[w]) for w in ("antithetic", "captum"))
    ]
    told.append(f"antithetic is {sampling['times_faster']:.1f} times faster in processor time")
    return told


def main(argv: Sequence[str] | None = None) -> int:
    """Print what `cost` measures as JSON: the child of `measure`."""
    parser = argparse.ArgumentParser(prog="python -m toolkit.evaluation.explanations.cost")
    parser.add_argument("clip", type=Path)
    parser.add_argument("--device", default="auto")
    options = parser.parse_args(argv)
    print(json.dumps(cost(options.clip, device=options.device)))
    return 0


if __name__ == "__main__":
    sys.exit(main())
