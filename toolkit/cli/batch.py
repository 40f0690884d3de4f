"""``python -m toolkit batch``: many videos, on this computer or on a Dask cluster."""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from toolkit._i18n import _
from toolkit.batch.plan import RETRIES, TIMEOUT_S
from toolkit.errors import UsageError
from toolkit.runtime import DEVICES

Command = Callable[[str, Any, str], argparse.ArgumentParser]


def add_command(command: Command, frames: Callable[[str], int], detectors: str) -> None:
    """Add the command to the parser; `frames` reads a number of moments."""
    sub = command("batch", _batch, "judge many videos: a table, a triage page, a report for each")
    sub.add_argument("inputs", type=Path, metavar="FOLDER|LIST.csv")
    sub.add_argument("--out", type=Path, required=True, metavar="RESULTS", help="folder")
    add_workers(sub, default="one per core, as memory is")
    sub.add_argument("--watch", action="store_true", help="go on with files as they come")
    sub.add_argument("--again", action="store_true", help="try those that failed or took too long")
    sub.add_argument(
        "--retries", type=int, default=RETRIES, help="more attempts when a process died"
    )
    sub.add_argument(
        "--timeout",
        type=float,
        default=TIMEOUT_S,
        metavar="SECONDS",
        help=f"longest time for one video (default {TIMEOUT_S:.0f}); 0 = no limit",
    )
    sub.add_argument(
        "--keep",
        action="store_true",
        help="keep what is read (faces!) in the cache, while there is room",
    )
    sub.add_argument("--detector", default="seamnet", help=detectors)
    sub.add_argument("--device", choices=DEVICES, default="auto")
    sub.add_argument("--frames", type=frames, help="moments per person; default: by length")
    sub.add_argument("--no-explain", action="store_true", help="verdicts only")
    sub.add_argument("--seed", type=int, default=0)


def _batch(options: argparse.Namespace) -> int:
    from toolkit.api import batches
    from toolkit.batch import inputs, telling
    from toolkit.batch.journal import PAGE, TABLE
    from toolkit.batch.plan import FileTask
    from toolkit.batch.run import BatchPosition, Watch, run
    from toolkit.types import Sampling, Settings

    place, out = options.inputs, options.out
    settings = Settings(
        detector=options.detector,
        device=options.device,
        sampling=Sampling(frames=options.frames),
        seed=options.seed,
        explain=not options.no_explain,
    )
    plan = batches.make_plan(
        out,
        settings,
        keep=options.keep,
        retries=options.retries,
        timeout_seconds=options.timeout or None,
    )
    watch: Watch | None = None
    tasks: tuple[FileTask, ...] = ()
    if options.watch:
        if not place.is_dir():
            raise UsageError("there is no such folder to watch", str(place), "Name a folder.")
        watch = Watch(lambda: inputs.from_folder(place, but=out).tasks)
    else:
        clips = inputs.find(place, but=out)
        tasks = clips.tasks
        if clips.left_out:
            text = _("Left alone, because they are no videos by their names: {n} files.")
            print(text.format(n=clips.left_out), file=sys.stderr)
    client = _connect(options.scheduler)
    make_workers = batches.make_workers(options.workers, client)
    latest: list[BatchPosition] = []

    try:
        with telling.ProgressLine() as line:

            def on_result(progress: BatchPosition) -> None:
                latest[:] = [progress]
                line(progress)

            run(tasks, plan, make_workers, more=watch, again=options.again, on_progress=on_result)
    finally:
        if latest:
            print("\n".join(telling.closing(latest[0])))
            print(f"{out / TABLE}\n{out / PAGE}", file=sys.stderr)
        if client is not None:
            client.close()
    return 0


def _connect(address: str | None) -> Any:
    """Return a client of a scheduler; None without an address."""
    if address is None:
        return None
    from toolkit.batch.cluster import connect

    client = connect(address)
    print(_("Dask's dashboard: {url}").format(url=client.dashboard_link), file=sys.stderr)
    return client


def add_workers(sub: argparse.ArgumentParser, *, default: str = "none, one clip at a time") -> None:
    """Add the options that say who works."""
    sub.add_argument("--workers", type=int, help=f"processes; default: {default}")
    sub.add_argument(
        "--scheduler", metavar="tcp://HOST:PORT", help="of a Dask cluster, in place of processes"
    )


class Readers:
    """Workers that read the clips of a benchmark ahead of it; without any, it reads them itself.

    Attributes
    ----------
    cache_folder
        What is read goes there; None = it is not kept.
    """

    def __init__(self, make_workers: Any, cache_folder: Path | None) -> None:
        self._make_workers, self.cache_folder = make_workers, cache_folder

    def read(
        self, paths: Sequence[Path], options: argparse.Namespace, chain: str, limit_bytes: int
    ) -> None:
        """Read clips along a chain into the cache, as the options of a benchmark say."""
        if self._make_workers is None or self.cache_folder is None:
            return
        from toolkit.batch import reading, telling
        from toolkit.types import Sampling

        names = [n for n in options.detectors.split(",") if n and not n.startswith("control.")]
        with telling.ProgressLine() as line:
            reading.fill(
                paths,
                self._make_workers,
                detectors=names or ["seamnet-small"],
                chain=chain,
                device=options.device,
                sampling=Sampling(frames=options.frames),
                seed=options.seed,
                cache_folder=self.cache_folder,
                limit_bytes=limit_bytes,
                on_progress=line,
            )


@contextmanager
def workers_of(options: argparse.Namespace) -> Iterator[Readers]:
    """Give who reads the clips of a benchmark.

    Raises
    ------
    UsageError
        If a cluster is named but no cache that its computers share.
    """
    if options.workers is None and options.scheduler is None:
        yield Readers(None, options.cache)
        return
    from toolkit.api.batches import make_workers

    if options.scheduler is not None and options.cache is None:
        remedy = "Give --cache: a folder that every computer of the cluster sees."
        raise UsageError("the cluster has no cache to read into", "--scheduler", remedy)
    client = _connect(options.scheduler)
    try:
        with tempfile.TemporaryDirectory(prefix="doorzicht-") as folder:
            place = options.cache or Path(folder)
            yield Readers(make_workers(options.workers, client), place)
    finally:
        if client is not None:
            client.close()


def grade(options: argparse.Namespace, items: Sequence[str], settings: dict[str, Any]) -> bool:
    """Have the rows of ``explain-benchmark`` made by workers; return whether there are any.

    Parameters
    ----------
    options
        Of the command.
    items
        Pairs or clips, as `toolkit.batch.grading.fill` takes them.
    settings
        Arguments of the benchmark: plain values.
    """
    if options.workers is None and options.scheduler is None:
        return False
    from toolkit.api.batches import make_workers
    from toolkit.batch import grading, telling

    client = _connect(options.scheduler)
    try:
        with telling.ProgressLine() as line:
            grading.fill(
                "pairs" if options.planted is None else "planted",
                items,
                make_workers(options.workers, client),
                out=options.out,
                fresh=options.fresh,
                settings=settings,
                on_progress=line,
            )
    finally:
        if client is not None:
            client.close()
    return True
