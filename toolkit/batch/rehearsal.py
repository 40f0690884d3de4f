"""A batch without detectors: made-up files and a made-up analysis, to try out everything else.

The first word of a file says what becomes of it: ``die``, ``hang``, ``raise``, ``refuse``; any
other file is judged in a moment. ``python -m toolkit.batch.rehearsal FOLDER OUT [ADDRESS]`` runs
such a batch, for studies and tests that kill it.
"""

from __future__ import annotations

import json
import os
import sys
import time
from pathlib import Path

import numpy as np

from toolkit.batch import judging
from toolkit.batch.journal import Row
from toolkit.batch.judging import FileOutcome
from toolkit.batch.plan import BatchPlan, FileTask
from toolkit.errors import VideoError
from toolkit.files import atomic_write

JUDGE = "toolkit.batch.rehearsal:judge"
PAUSE_VARIABLE = "DOORZICHT_REHEARSAL_S"
"""Environment variable: seconds that the made-up analysis of a file takes (0.02)."""

THRESHOLD = 1.5
_LINES = 200  # of a made-up report: enough to be found half written


def make_files(folder: Path, count: int, *, sources: int = 4) -> list[Path]:
    """Write made-up files, each with a content of its own, into folders that are the sources."""
    paths = []
    for number in range(count):
        path = folder / f"source{number % sources}" / f"clip{number:05d}.mp4"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"made up {number}\n", encoding="ascii")
        paths.append(path)
    return paths


def judge(task: FileTask, plan: BatchPlan) -> FileOutcome:
    """Judge a made-up file, in the way that real ones are."""
    return judging.judge(task, plan, analyse=_analyse)


def _analyse(task: FileTask, plan: BatchPlan, row: Row) -> Row:
    time.sleep(float(os.environ.get(PAUSE_VARIABLE, "0.02")))
    word = Path(task.path).read_text(encoding="utf-8").split()[0]
    if word == "die":
        os._exit(9)
    if word == "hang":
        time.sleep(3600)
    if word == "raise":
        raise ZeroDivisionError(word)
    if word == "refuse":
        raise VideoError("this is not a video that can be read", Path(task.path).name)
    facts = made_up(int(row["sha256"][:8], 16))
    folder = judging.folder_of(task, plan, row)
    report = {"sha256": row["sha256"], "lines": [facts["logit"]] * _LINES}
    atomic_write(folder / judging.REPORT, json.dumps(report, indent=1) + "\n")
    return facts | {"report": folder.relative_to(plan.folder).as_posix()}


def made_up(seed: int) -> Row:
    """Return made-up facts of a clip; the same for the same seed."""
    rng = np.random.default_rng(seed)
    face = float(rng.gamma(4.0, 40.0)) + 20
    logit = float(rng.normal(-1.0, 1.2) + (3.5 if rng.random() < 0.1 else 0.0))
    abstained = face < 64
    return {
        "status": "analysed",
        "reason": "The face is too small." if abstained else None,
        "reason_code": "face_too_small" if abstained else None,
        "message": {"code": "", "template": "The face is too small.", "values": {}}
        if abstained
        else None,
        "person": None if abstained else "A",
        "persons": int(rng.integers(1, 4)),
        "logit": logit,
        "threshold": THRESHOLD,
        "forged": None if abstained else logit >= THRESHOLD,
        "abstained": abstained,
        "duration_s": float(rng.gamma(2.0, 15.0)) + 1,
        "width": 1280,
        "height": int(rng.choice([360, 480, 720, 1080])),
        "codec": "h264",
        "moments": 48,
        "face_px": face,
        "sharpness": float(rng.gamma(3.0, 40.0)),
        "seconds": 4.0,
    }


def main(arguments: list[str]) -> int:
    """Run a made-up batch: folder, results, and the address of a scheduler if there is one."""
    from toolkit.batch import inputs
    from toolkit.batch.cluster import ClusterWorkers, connect
    from toolkit.batch.local import LocalWorkers
    from toolkit.batch.run import Workers, run

    folder, out, *address = arguments
    plan = BatchPlan(out=os.path.abspath(out), judge=JUDGE)  # noqa: PTH100 - 'resolve' follows links

    def make_workers(plan: BatchPlan) -> Workers:
        return ClusterWorkers(plan, connect(address[0])) if address else LocalWorkers(plan, 2)

    run(inputs.find(Path(folder), but=Path(out)).tasks, plan, make_workers)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
