"""Read the clips of a benchmark side by side, into the cache that the benchmark then finds filled.

The benchmark itself stays one process that asks the cache: its rows are the same, to the last bit,
as without. A clip that fails here is left to it, and told there.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from functools import cache
from pathlib import Path
from typing import Any

from toolkit.batch import inputs
from toolkit.batch.journal import Journal, empty_row
from toolkit.batch.judging import FileOutcome
from toolkit.batch.plan import BatchPlan, FileTask
from toolkit.batch.run import OnProgress, Workers, run, to_nobody
from toolkit.detectors import registry
from toolkit.errors import VideoError
from toolkit.types import Sampling

JUDGE = "toolkit.batch.reading:judge"


def fill(
    paths: Sequence[Path],
    make_workers: Callable[[BatchPlan], Workers],
    *,
    detectors: Sequence[str],
    chain: str,
    device: str,
    sampling: Sampling,
    seed: int,
    cache_folder: Path,
    limit_bytes: int,
    on_progress: OnProgress = to_nobody,
) -> None:
    """Have clips read and judged by workers, into a cache.

    Parameters
    ----------
    paths
        The clips.
    make_workers
        As for `run.run`.
    detectors, chain, device, sampling, seed
        As for `evaluation.verdicts.benchmark.benchmark`.
    cache_folder, limit_bytes
        The cache; workers on other computers must see the folder too.
    on_progress
        As for `run.run`.
    """
    with tempfile.TemporaryDirectory(prefix="doorzicht-") as home:
        options = {
            "detectors": list(detectors),
            "chain": chain,
            "cache": os.path.abspath(cache_folder),  # noqa: PTH100 - 'resolve' follows links
            "limit_bytes": limit_bytes,
        }
        plan = BatchPlan(
            out=os.fspath(Path(home, "read")),
            device=device,
            sampling=sampling.to_dict(),
            seed=seed,
            explain=False,
            judge=JUDGE,
            options=options,
        )
        run(inputs.from_paths(paths).tasks, plan, make_workers, on_progress=on_progress)


def judge(task: FileTask, plan: BatchPlan) -> FileOutcome:
    """Read one clip as the benchmark will, with every detector."""
    from toolkit.analysis import pipeline
    from toolkit.media import reshare
    from toolkit.storage.cache import Cache

    options = plan.options
    kept = Cache(Path(options["cache"]), limit_bytes=options["limit_bytes"])
    row = empty_row(task, None) | {"status": "analysed"}
    with ExitStack() as stack:
        path = Path(task.path)
        try:
            if options["chain"]:
                folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="doorzicht-"))
                path = Path(folder, "shared.mp4")
                reshare.reshare(task.path, path, reshare.parse(options["chain"]))
            for name in options["detectors"]:
                pipeline.examine(
                    path,
                    detector=_detector(name, plan.device),
                    sampling=Sampling(**plan.sampling),
                    explain=False,
                    seed=plan.seed,
                    cache=kept,
                )
        except VideoError as error:  # the benchmark meets it too, and tells
            row |= {"status": "refused", "reason": str(error)}
    Journal(plan.folder).write(row)
    return FileOutcome(row)


@cache
def _detector(name: str, device: str) -> Any:
    return registry.load(name, device=device, stand_in=False)
