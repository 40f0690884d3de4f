"""Kill work on a case at random moments, and look at what is left.

    python -m tests.report.kill CLIP [--moments 20] [--seed 0]

does it with the real commands, in processes of their own.
"""

from __future__ import annotations

import argparse
import hashlib
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from toolkit.report import case as cases
from toolkit.report import log
from toolkit.report.case import Case
from toolkit.report.log import Entry

ROOT = Path(__file__).parents[2]
DONE = {"added": "received", "noted": "noted", "analysed": "analysed", "reported": "reported"}

# Quick: everything is imported and the clip looked at once, and each piece of work is a fork.
_WORKER = """
import os, signal, sys, time
from tests.report import casework
from toolkit.media import credentials, provenance
from toolkit.report import bundle, steps
from toolkit.report.case import Case

clip = sys.argv[1]
found, facts, signed = (
    look(clip) for look in (casework.examine_two, provenance.inspect, credentials.read_credentials)
)
provenance.inspect = lambda *_, **__: facts
credentials.read_credentials = lambda *_, **__: signed
steps.environment = lambda: "the same"

def examine(*_, tick, **__):
    for stage in ("scan", "faces", "detect", "explain"):
        tick(stage, 0, 1)
    return found

def work(folder, source):
    case = Case(folder)
    steps.add(case, source, trust=False, examine=examine)
    print("added", flush=True)
    case.note(text="a note")
    print("noted", flush=True)
    steps.analyse(case, "E1", trust=False, examine=examine)
    print("analysed", flush=True)
    bundle.report(case, video=False)
    print("reported", flush=True)

for line in sys.stdin:
    folder, wait_s = line.rstrip("\\n").split("\\t")
    child = os.fork()
    if not child:
        try:
            work(folder, clip)
        finally:
            os._exit(0)
    if wait_s:
        time.sleep(float(wait_s))
        os.kill(child, signal.SIGKILL)  # it is not reaped yet: nobody else has its number
    os.waitpid(child, 0)
    print("end", flush=True)
"""


class Worker:
    """A process that works on cases with one clip and the quick analysis of the tests."""

    def __init__(self, clip: Path) -> None:
        self._clip = clip

    def __enter__(self) -> Worker:
        self._process = subprocess.Popen(
            [sys.executable, "-c", _WORKER, str(self._clip)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            cwd=ROOT,
        )
        return self

    def __exit__(self, *_error: object) -> None:
        self._process.stdin.close()
        self._process.wait()
        self._process.stdout.close()

    def run(self, folder: Path, *, kill_after_s: float | None) -> tuple[list[str], float]:
        """Work on a case; return what was said to be done, and how long it took."""
        start = time.monotonic()
        wait_s = "" if kill_after_s is None else f"{kill_after_s:.4f}"
        self._process.stdin.write(f"{folder}\t{wait_s}\n")
        self._process.stdin.flush()
        said = []
        while (line := self._process.stdout.readline().strip()) != "end":
            said.append(line)
        return said, time.monotonic() - start


def check(case: Case, before: Sequence[Entry], said: Sequence[str]) -> None:
    """Assert that a case opens, that nothing saved is lost, and that the work goes on."""
    after = case.entries()
    assert after[: len(before)] == tuple(before)
    events = [e.event for e in after[len(before) :]]
    assert [DONE[word] for word in said if DONE[word] not in events] == []
    for name, wanted in case.files().items():
        assert hashlib.sha256(case.path(name).read_bytes()).hexdigest() == wanted, name
    case.note(text="after")
    assert set(cases.walk(case.folder)) == set(case.files())
    assert not log.read(case.path(cases.LOG)).problems


def main() -> None:
    """Kill real commands."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("clip", type=Path)
    parser.add_argument("--moments", type=int, default=20)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    rng = random.Random(options.seed)
    took: dict[str, float] = {}
    killed = 0
    with tempfile.TemporaryDirectory() as folder:
        case = cases.create(Path(folder, "case"))
        while killed < options.moments:
            before = case.entries()
            exhibits = case.exhibits()
            verb = "add"
            if exhibits and exhibits[0].analyses:
                verb = ("analyse", "report")[killed % 2]
            command = [sys.executable, "-m", "toolkit", "case", verb, str(case.folder)]
            command += [str(options.clip)] if verb == "add" else []
            command += ["--no-trust", "--frames", "16"] if verb != "report" else []
            with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.DEVNULL) as work:
                start = time.monotonic()
                try:
                    work.wait(rng.uniform(0, took[verb]) if verb in took else None)
                except subprocess.TimeoutExpired:
                    work.kill()
                    killed += 1
                else:
                    took[verb] = time.monotonic() - start
            check(case, before, [])
            last = case.entries()[-1]
            print(
                f"{killed} killed, {verb}, {len(case.entries())} entries, {last.event}", flush=True
            )
    print("The case opened each time, and nothing saved was lost.")


if __name__ == "__main__":
    main()
