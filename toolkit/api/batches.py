"""Many videos in one call, and the results as guests hold them."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager, nullcontext
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any

from toolkit import _i18n, figures
from toolkit._i18n import _
from toolkit.api import cards
from toolkit.batch import inputs, journal, table, triage
from toolkit.batch.journal import Journal, KnownRow, Row
from toolkit.batch.local import LocalWorkers
from toolkit.batch.plan import RETRIES, TIMEOUT_S, BatchPlan
from toolkit.batch.process import default_workers
from toolkit.batch.run import OnProgress, Workers, run, to_nobody
from toolkit.errors import OutOfRangeError, UnknownNameError, UsageError
from toolkit.storage.cache import runs_folder
from toolkit.types import Settings

if TYPE_CHECKING:
    from distributed import Client
    from pandas import DataFrame

    from toolkit.api.result import Analysis

Clip = str | os.PathLike[str]

TOP = 10
"""Clips that a notebook shows of the results."""


def batch(
    paths: Clip | Iterable[Clip],
    *,
    out: Clip,
    client: Client | None = None,
    workers: int | None = None,
    timeout_seconds: float | None = TIMEOUT_S,
    retries: int = RETRIES,
    again: bool = False,
    keep: bool = False,
    settings: Settings | None = None,
    progress: bool = True,
    **overrides: Any,
) -> BatchResults:
    """Judge many videos, each exactly once; the same call goes on where an earlier one stopped.

    Parameters
    ----------
    paths
        A folder, a CSV file with a column ``path`` (and ``source``), or the videos themselves.
    out
        Folder for the results: `results.parquet`, `triage.html` and a report for each clip.
    client
        Of a Dask cluster whose workers see the same files; None = processes on this computer.
    workers
        How many processes; None = one for each core, as long as there is memory.
    timeout_seconds
        Longest time for one video; None = no limit.
    retries
        More attempts at a video whose process died.
    again
        Whether videos that failed or took too long are tried again.
    keep
        Whether to keep what is read (face pictures!) in the cache, while there is room. What the
        workbench kept is used in any case.
    settings, **overrides
        As for `toolkit.analyse`; the detector by its name.
    progress
        Whether to show how far it is.

    Returns
    -------
    BatchResults
        All that the folder holds, also from before.

    Raises
    ------
    UsageError
        If the folder holds results of other settings, or options do not fit together.
    KeyboardInterrupt
        If it is stopped; what is done is kept.

    Examples
    --------
    ::

        results = toolkit.batch("archive/", out="results/")
        results.to_dataframe().query("forged == True")
    """
    chosen = (settings or Settings()).but(**overrides)
    folder = Path(out).expanduser()
    if isinstance(paths, str | os.PathLike):
        clips = inputs.find(Path(paths).expanduser(), but=folder)
    else:
        clips = inputs.from_paths(paths)
    plan = make_plan(folder, chosen, keep=keep, retries=retries, timeout_seconds=timeout_seconds)
    with _progress(progress) as on_progress:
        run(
            clips.tasks,
            plan,
            make_workers(workers, client),
            again=again,
            on_progress=on_progress,
        )
    return BatchResults(folder)


def make_plan(
    out: Path,
    settings: Settings,
    *,
    keep: bool = False,
    retries: int = RETRIES,
    timeout_seconds: float | None = TIMEOUT_S,
) -> BatchPlan:
    """Return the plan of a batch.

    Raises
    ------
    UsageError
        If an option is out of range, or the detector is no name that another process knows.
    """
    if not isinstance(settings.detector, str):
        remedy = "Give the name of a detector: other processes load it by that."
        raise UsageError("a batch needs a detector by name", repr(settings.detector)[:60], remedy)
    if retries < 0 or retries > 20:
        raise OutOfRangeError("retries are out of range", str(retries), "Use 0 to 20.")
    if timeout_seconds is not None and not timeout_seconds > 0:
        remedy = "Use more than 0 seconds."
        raise OutOfRangeError("the time limit is out of range", str(timeout_seconds), remedy)
    return BatchPlan(
        out=os.path.abspath(out),  # noqa: PTH100 - 'resolve' follows links
        detector=settings.detector,
        device=settings.device,
        sampling=settings.sampling.to_dict(),
        seed=settings.seed,
        explain=settings.explain,
        language=_i18n.language(),
        cache=os.fspath((runs_folder() / "cache").absolute()),
        keeps=keep,
        retries=retries,
        timeout_s=timeout_seconds,
    )


def make_workers(workers: int | None, client: Client | None) -> Any:
    """Return what starts those who judge, once they are needed.

    Raises
    ------
    UsageError
        If both are given, or there would be no worker.
    """
    if client is not None and workers is not None:
        remedy = "A cluster has its own workers: leave one of the two out."
        raise UsageError("give workers or a cluster, not both", str(workers), remedy)
    if workers is not None and not 1 <= workers <= 256:
        raise OutOfRangeError("the workers are out of range", str(workers), "Use 1 to 256.")

    def make(plan: BatchPlan) -> Workers:
        if client is None:
            return LocalWorkers(plan, workers or default_workers())
        from toolkit.batch.cluster import ClusterWorkers

        return ClusterWorkers(plan, client)

    return make


def open_batch(folder: Clip) -> BatchResults:
    """Open the results of a batch, of the command line or of `toolkit.batch`.

    Raises
    ------
    UsageError
        If the folder holds no results.
    """
    return BatchResults(Path(folder).expanduser())


class BatchResults:
    """What a folder of results holds: a row per video, and a report for each that was judged.

    ``results["clip.mp4"]`` opens a clip as `toolkit.Analysis`. In a notebook it shows what was
    counted and the clips that stand highest above the detector's line.

    Attributes
    ----------
    folder
        The results.
    rows
        Plain values, by path.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        kept = Journal(folder)
        if kept.head() is None:
            remedy = "Name what a batch wrote."
            raise UsageError("this folder holds no results of a batch", str(folder), remedy)
        self.rows: list[Row] = table.ordered(KnownRow(kept.rows()).by_key.values())

    @property
    def page(self) -> Path:
        """The triage page."""
        return self.folder / journal.PAGE

    @property
    def counts(self) -> dict[str, int]:
        """Rows of each status."""
        total = dict.fromkeys(journal.STATUSES, 0)
        for row in self.rows:
            total[row["status"]] += 1
        return {str(name): count for name, count in total.items()}

    @property
    def first(self) -> list[Row]:
        """The judged clips, those highest above their line first."""
        judged = [r for r in self.rows if r["logit"] is not None and not r["abstained"]]
        return sorted(judged, key=lambda r: r["threshold"] - r["logit"])

    def to_dataframe(self) -> DataFrame:
        """Return a pandas table: what `results.parquet` holds."""
        import pandas as pd

        return pd.DataFrame(self.rows, columns=list(table.COLUMNS))

    def __getitem__(self, clip: Clip) -> Analysis:
        """Open the analysis of a clip, by its path or the end of it.

        Raises
        ------
        UnknownNameError
            If there is none, or more than one; the error lists some of them.
        UsageError
            If the clip has no report: it was refused, failed or took too long.
        """
        from toolkit.api.verbs import open_analysis

        row = self._row(os.fspath(clip))
        if row["report"] is None:
            raise UsageError("this clip has no report", row["path"], row["reason"] or "")
        return open_analysis(self.folder / row["report"], progress=False)

    def _row(self, name: str) -> Row:
        wanted = Path(name).parts
        absolute = os.path.abspath(name)  # noqa: PTH100 - 'resolve' follows links
        exact = [r for r in self.rows if r["path"] == absolute]
        fits = exact or [r for r in self.rows if Path(r["path"]).parts[-len(wanted) :] == wanted]
        if len(fits) == 1:
            return fits[0]
        known = [r["path"] for r in (fits or self.rows)][:TOP]
        cause = "there is no such clip" if not fits else "there are several such clips"
        raise UnknownNameError(cause, name[:200], "Known: {known}.", known=known)

    def __iter__(self) -> Iterator[Row]:
        return iter(self.rows)

    def __len__(self) -> int:
        """Return the number of rows."""
        return len(self.rows)

    def __repr__(self) -> str:
        counted = ", ".join(f"{n} {name}" for name, n in self.counts.items() if n)
        return f"BatchResults({os.fspath(self.folder)!r}: {counted or 'nothing yet'})"

    def _repr_html_(self) -> str:
        counted = ", ".join(f"{n} {name}" for name, n in triage.counts(self.rows) if n)
        listed = [
            (
                Path(row["path"]).name,
                _("called forged") if row["forged"] else _("not called forged"),
                figures.number(row["logit"]),
                figures.number(row["logit"] - row["threshold"], signed=True),
                row["source"],
            )
            for row in self.first[:TOP]
        ]
        names = (_("clip"), _("outcome"), _("score (logit)"), _("above the line"), _("source"))
        where = _("All of them, to sort and to open: {path}").format(path=self.page)
        return cards.wrap(
            cards.head("•", counted or _("No clip was judged yet.")),
            cards.table(names, listed) if listed else "",
            f'<p class="dz-small">{escape(where)}</p>',
        )


def _progress(wanted: bool) -> AbstractContextManager[OnProgress]:
    if not wanted:
        return nullcontext(to_nobody)
    if cards.notebook() is not None:
        from toolkit.widgets.progress import BatchProgress

        return BatchProgress()
    from toolkit.batch.telling import ProgressLine

    return ProgressLine()
