"""Many videos: each judged once, by processes that may die, into one table and one triage page.

``toolkit.batch(["a.mp4", ...], out="results/")`` judges; see `toolkit.api.batches.batch`. The same
name is that of this room of the toolkit. In the order of the work:

`inputs` lists the files, `journal` keeps one small file for each result and never half a one,
`judging` makes the result of one file, `worker` does so in a process of its own, which `process`
starts, times and replaces; `local` and `cluster` put many of them to work, on this computer or on
a Dask cluster; `run` leads; `table` and `triage` make `results.parquet` and `triage.html`.
"""

from __future__ import annotations

import sys
from importlib import import_module
from types import ModuleType
from typing import Any


class _Room(ModuleType):
    """A module that can be called: importing it puts it where the verb stood."""

    def __call__(self, *args: Any, **options: Any) -> Any:
        """Judge many videos."""
        # by name: the verbs live on a higher floor
        return import_module("toolkit.api.batches").batch(*args, **options)

    def open(self, folder: Any) -> Any:
        """Open the results of a batch."""
        return import_module("toolkit.api.batches").open_batch(folder)


sys.modules[__name__].__class__ = _Room
