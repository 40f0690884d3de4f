"""What is to be done: one plan for a whole batch, one task for each file. Plain values only.

Both travel to other processes and other computers as JSON.
"""

from __future__ import annotations

import hashlib
import os
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from toolkit.types import Sampling

RETRIES, TIMEOUT_S = 2, 3600.0
"""More attempts at a file whose process died; the longest that one attempt may take."""

JUDGE = "toolkit.batch.judging:judge"
"""What judges a file: module and function. Studies and tests put another in its place."""


@dataclass(frozen=True)
class FileTask:
    """One input file.

    Attributes
    ----------
    path
        Where the file is: absolute.
    given
        The path as the user wrote it, which is what the report names.
    source
        Where the file comes from, to compare sources with each other.
    """

    path: str
    given: str
    source: str = ""

    @property
    def name(self) -> str:
        """Name of the task: a hash of its path."""
        return key_of(self.path, None)


@dataclass(frozen=True)
class BatchPlan:
    """How every file of a batch is judged, and where the results go.

    Attributes
    ----------
    out
        The folder of results: absolute.
    detector, device, sampling, seed, explain
        As for `analysis.pipeline.examine`; `sampling` as plain values.
    language
        Of the reports.
    cache
        Folder of what was computed before; None = do not look.
    keeps
        Whether what is computed now (face pictures!) is kept there, as long as there is room.
    retries, timeout_s
        More attempts at a file whose process died; seconds of one attempt, None = no limit.
    judge
        ``module:function`` that is called with a task and this plan.
    options
        What that function wants to know besides: plain values.
    """

    out: str
    detector: str = "seamnet"
    device: str = "auto"
    sampling: dict[str, Any] = field(default_factory=lambda: Sampling().to_dict())
    seed: int = 0
    explain: bool = True
    language: str = "en"
    cache: str | None = None
    keeps: bool = False
    retries: int = RETRIES
    timeout_s: float | None = TIMEOUT_S
    judge: str = JUDGE
    options: dict[str, Any] = field(default_factory=dict)

    @property
    def folder(self) -> Path:
        """The folder of results."""
        return Path(self.out)

    def settings(self) -> dict[str, Any]:
        """Return what the figures of a result depend on, besides the software."""
        names = ("detector", "device", "sampling", "seed", "explain", "judge", "options")
        return {name: value for name, value in asdict(self).items() if name in names}


def key_of(path: str, sha256: str | None) -> str:
    """Return the key of an input: a hash of where it lies and what it holds.

    Parameters
    ----------
    path
        Absolute.
    sha256
        Hash of the content; None where it cannot be read.

    Examples
    --------
    >>> len(key_of("/clips/a.mp4", None))
    32
    >>> key_of("/clips/a.mp4", "00") == key_of("/clips/a.mp4", "01")
    False
    """
    text = os.fsencode(path) + b"\0" + (sha256 or "").encode()
    return hashlib.sha256(text).hexdigest()[:32]
