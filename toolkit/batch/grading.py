"""Grade explanations side by side: each pair or planted clip by a worker, into rows that are kept.

The benchmark goes on from rows that are there. So workers make them, each with the benchmark itself
on one pair; the result file takes them in, also after an interrupt; and the benchmark then finds
its rows made, and makes those that are missing.
"""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Literal

from toolkit.batch.journal import Journal, empty_row
from toolkit.batch.judging import FileOutcome
from toolkit.batch.plan import BatchPlan, FileTask
from toolkit.batch.run import OnProgress, Workers, run, to_nobody
from toolkit.evaluation.explanations import benchmark as explanations
from toolkit.evaluation.resumable import read_rows
from toolkit.files import atomic_write

JUDGE = "toolkit.batch.grading:judge"
Kind = Literal["pairs", "planted"]
_SCHEMAS: dict[Kind, str] = {
    "pairs": explanations.SCHEMA,
    "planted": explanations.PLANTED_SCHEMA,
}


def fill(
    kind: Kind,
    items: Sequence[str],
    make_workers: Callable[[BatchPlan], Workers],
    *,
    out: Path,
    fresh: bool,
    settings: dict[str, Any],
    on_progress: OnProgress = to_nobody,
) -> None:
    """Have rows made by workers, and put them where the benchmark finds them.

    Parameters
    ----------
    kind
        ``"pairs"`` or ``"planted"``.
    items
        For pairs, the list and the number of each pair in it, as ``"LIST:NUMBER"``; else clips.
    make_workers, on_progress
        As for `run.run`.
    out
        The result file of the benchmark; rows that it holds stay.
    fresh
        Whether rows that it holds are made again.
    settings
        Further arguments of the benchmark: plain values.

    Raises
    ------
    UsageError
        If the file holds something else.
    """
    kept = {} if fresh else read_rows(out, (_SCHEMAS[kind],))
    with tempfile.TemporaryDirectory(prefix="doorzicht-") as home:
        options: dict[str, Any] = {"kind": kind, "settings": settings, "kept": os.path.abspath(out)}  # noqa: PTH100
        options["fresh"] = fresh
        plan = BatchPlan(out=os.fspath(Path(home, "rows")), judge=JUDGE, options=options)
        tasks = [FileTask(item, item) for item in items]
        try:
            run(tasks, plan, make_workers, on_progress=on_progress)
        finally:
            for part in sorted(Path(home).rglob("part-*.json")):
                kept |= read_rows(part, (_SCHEMAS[kind],))
            if kept:
                head = {"schema": _SCHEMAS[kind], "complete": False, "kept": list(kept.values())}
                out.parent.mkdir(parents=True, exist_ok=True)
                atomic_write(out, json.dumps(head, indent=1, allow_nan=False) + "\n")


def judge(task: FileTask, plan: BatchPlan) -> FileOutcome:
    """Grade one pair, or plant into one clip."""
    kind, settings = plan.options["kind"], dict(plan.options["settings"])
    settings["gallery"] = [Path(path) for path in settings["gallery"]]
    row = empty_row(task, None) | {"status": "analysed"}
    part = plan.folder / f"part-{row['key']}.json"
    if not plan.options["fresh"] and not part.exists():
        kept = read_rows(Path(plan.options["kept"]), (_SCHEMAS[kind],))
        head = {"schema": _SCHEMAS[kind], "complete": False, "kept": list(kept.values())}
        atomic_write(part, json.dumps(head, allow_nan=False))
    if kind == "pairs":
        place, _, number = task.path.rpartition(":")
        pair = explanations.read_pairs(Path(place))[int(number)]
        explanations.benchmark([pair], out=part, **settings)
    else:
        explanations.planted([Path(task.path)], out=part, **settings)
    Journal(plan.folder).write(row)
    return FileOutcome(row)
