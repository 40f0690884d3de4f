"""Kill a batch at random moments, and see that every file ends with exactly one row.

    python -m toolkit study batch-kills [--files 200] [--dask] [--seed 0] [--out FILE.json]

The files and their analysis are made up (`rehearsal`); processes, journal, cluster and everything
that is killed are the real ones. Workers, the client and, with ``--dask``, the scheduler and the
workers of Dask get SIGKILL. What was killed is started again, and the same command goes on.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import psutil

from toolkit.batch import rehearsal, table
from toolkit.batch.journal import CLIPS, ROWS, TABLE, Journal
from toolkit.errors import ToolkitError, UsageError
from toolkit.files import atomic_write
from toolkit.jobs import TerminalLine

WAIT_S = (0.0, 1.5)
"""Shortest and longest time between two kills, counted from the first row that is new."""

KILLS = 12
"""So many kills; then the batch is left alone to end."""

END_S, NEW_ROW_S = 300.0, 30.0
_WORKER = "toolkit.batch.worker"


def main(argv: Sequence[str] | None = None) -> int:
    """Run the study; exit 1 where a file has no row, or more than one."""
    parser = argparse.ArgumentParser(prog="python -m toolkit study batch-kills")
    parser.add_argument("--files", type=int, default=200)
    parser.add_argument("--kills", type=int, default=KILLS)
    parser.add_argument("--dask", action="store_true", help="on a Dask cluster of two workers")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, help="JSON file")
    options = parser.parse_args(argv)
    with TerminalLine() as line:
        result = study(
            options.files,
            kills=options.kills,
            dask=options.dask,
            seed=options.seed,
            on_result=line.write,
        )
    print(
        f"{result['files']} files, kill -9 of {_listed(result['killed'])}; the client was started "
        f"{result['starts']} times. Rows: {result['rows']} of {result['distinct']} files, "
        f"{_listed(result['statuses'])}; {result['half_written']} half-written files."
    )
    if options.out:
        atomic_write(options.out, json.dumps(result, indent=1) + "\n")
    return 0 if result["is_right"] else 1


def _listed(counts: dict[str, int]) -> str:
    return ", ".join(f"{n} {name}" for name, n in counts.items()) or "nothing"


def study(
    files: int,
    *,
    kills: int = KILLS,
    dask: bool = False,
    seed: int = 0,
    on_result: Any = print,
) -> dict[str, Any]:
    """Run a made-up batch to its end through `kills` kills, and look at what is there.

    Returns
    -------
    dict
        `files`, `killed` (how often each kind), `starts` of the client, `rows` and `distinct`
        files in the table, `statuses`, `half_written` files, `is_right`.

    Raises
    ------
    ToolkitError
        If the batch does not end.
    """
    if os.name != "posix":
        raise UsageError("this study needs SIGKILL", os.name, "Run it on Linux or macOS.")
    with tempfile.TemporaryDirectory() as home:
        folder, out = Path(home, "clips"), Path(home, "results")
        rehearsal.make_files(folder, files)
        stage = _Stage(folder, out, dask=dask, log=Path(home, "log"))
        killed: Counter[str] = Counter()
        rng = random.Random(seed)  # noqa: S311 - moments and victims, no secret
        try:
            stage.start()
            for _ in range(kills):
                stage.let_work(rng.uniform(*WAIT_S))
                if (kind := stage.kill_one(rng)) is not None:
                    killed[kind] += 1
                    on_result(f"kill -9 {kind}")
                if stage.start() == 0:  # through already: there is nothing left to disturb
                    break
            stage.finish()
        finally:
            stage.stop()
        if dask:  # its workers were killed after the client had ended, when nobody could tidy up
            _run_once_more(folder, out)
        return {**_look(folder, out), "killed": dict(killed), "starts": stage.starts}


class _Stage:
    """The processes of a batch: those that are missing are started again."""

    def __init__(self, folder: Path, out: Path, *, dask: bool, log: Path) -> None:
        self._folder, self._out, self._dask = folder, out, dask
        self._log = log.open("w", encoding="utf-8")
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self._address = f"tcp://127.0.0.1:{probe.getsockname()[1]}"
        self._client: subprocess.Popen[bytes] | None = None
        self._scheduler: subprocess.Popen[bytes] | None = None
        self._helpers: list[subprocess.Popen[bytes] | None] = [None, None] if dask else []
        self.starts = 0

    def start(self) -> int | None:
        """Start what does not run; return the client's exit code 0 if it is through."""
        if self._dask:
            if _is_gone(self._scheduler):
                port = self._address.rpartition(":")[2]
                scheduler = ["scheduler", "--host", "127.0.0.1", "--port", port, "--no-dashboard"]
                self._scheduler = self._run("distributed.cli.dask_scheduler", *scheduler[1:])
            for n, helper in enumerate(self._helpers):
                if _is_gone(helper):
                    how = ["--nthreads", "1", "--no-nanny", "--no-dashboard", "--local-directory"]
                    place = os.fspath(self._out.parent / f"dask{n}")
                    self._helpers[n] = self._run(
                        "distributed.cli.dask_worker", self._address, *how, place
                    )
        if self._client is not None and self._client.poll() == 0:
            return 0
        if _is_gone(self._client):
            self.starts += 1
            more = [self._address] if self._dask else []
            self._client = self._run(
                "toolkit.batch.rehearsal", os.fspath(self._folder), os.fspath(self._out), *more
            )
        return None

    def let_work(self, seconds: float) -> None:
        """Wait for a row that is new, or the end, and then a while."""
        before, until = _count(self._out), time.monotonic() + NEW_ROW_S
        while _count(self._out) == before and time.monotonic() < until:
            if self._client is None or self._client.poll() is not None:
                return
            time.sleep(0.02)
        time.sleep(seconds)

    def kill_one(self, rng: random.Random) -> str | None:
        """Kill a process of a kind that is drawn, and return the kind; None where none runs."""
        own = {"client": self._client, "scheduler": self._scheduler}
        own["dask worker"] = rng.choice(self._helpers) if self._helpers else None
        workers = [pid for p in (self._client, *self._helpers) if p for pid in _workers_of(p.pid)]
        running = {kind: p for kind, p in own.items() if p is not None and p.poll() is None}
        kind = rng.choice([*running, *(["worker"] if workers else [])] or [None])
        if kind == "worker":
            with suppress(OSError):
                os.kill(rng.choice(workers), signal.SIGKILL)
        elif kind is not None:
            running[kind].kill()
            running[kind].wait()
        return kind

    def finish(self) -> None:
        """Start what is missing until the client ends by itself."""
        until = time.monotonic() + END_S
        while self.start() != 0:
            if time.monotonic() > until:
                raise ToolkitError(
                    "the batch did not end", Path(self._log.name).read_text()[-2000:]
                )
            time.sleep(0.1)

    def stop(self) -> None:
        """End everything."""
        for process in (self._client, *self._helpers, self._scheduler):
            if process is not None:
                process.kill()
                process.wait()
        self._log.close()

    def _run(self, module: str, *arguments: str) -> subprocess.Popen[bytes]:
        command = [sys.executable, "-P", "-m", module, *arguments]
        return subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=self._log, stderr=self._log
        )


def _run_once_more(folder: Path, out: Path) -> None:
    """Give the command again, with nothing left to do: it removes what was left half written."""
    command = [
        sys.executable,
        "-P",
        "-m",
        "toolkit.batch.rehearsal",
        *map(os.fspath, (folder, out)),
    ]
    subprocess.run(command, check=True, capture_output=True, timeout=END_S)


def _count(out: Path) -> int:
    return sum(1 for _ in (out / ROWS).rglob("*.json"))


def _workers_of(pid: int) -> list[int]:
    with suppress(psutil.Error):
        return [c.pid for c in psutil.Process(pid).children() if _WORKER in c.cmdline()]
    return []


def _is_gone(process: subprocess.Popen[bytes] | None) -> bool:
    return process is None or process.poll() is not None


def _look(folder: Path, out: Path) -> dict[str, Any]:
    """Count rows, files without one, and what is half written."""
    wanted = {str(p.absolute()) for p in folder.rglob("*.mp4")}
    rows = table.read(out / TABLE)
    journal = list(Journal(out).rows())
    half = list(out.rglob(".*.part"))
    for path in [*(out / ROWS).rglob("*.json"), *(out / CLIPS).rglob("*.json")]:
        try:
            json.loads(path.read_text(encoding="utf-8"))
        except ValueError:
            half.append(path)
    without = [r for r in journal if r["report"] and not (out / r["report"]).is_dir()]
    is_right = (
        not half
        and not without
        and len(rows) == len(journal) == len(wanted)
        and set(rows["path"]) == wanted
    )
    return {
        "files": len(wanted),
        "rows": len(rows),
        "distinct": len(set(rows["path"])),
        "statuses": {str(k): int(v) for k, v in rows["status"].value_counts().items()},
        "half_written": len(half),
        "is_right": bool(is_right),
    }
