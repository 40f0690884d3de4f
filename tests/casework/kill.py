"""Kill work on a case at random moments, and look at what is left.

    python -m tests.casework.kill CLIP [--verbs add analyse report] [--moments 20] [--seed 0]

does it with the real commands, in processes of their own: so many moments of each.
"""

from __future__ import annotations

import argparse
import hashlib
import itertools
import random
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from toolkit.casework import case as cases
from toolkit.casework import log, verify
from toolkit.casework.case import Case
from toolkit.casework.log import Entry

ROOT = Path(__file__).parents[2]
DONE = {"added": "received", "noted": "noted", "analysed": "analysed", "reported": "reported"}

# Quick: everything is imported and the clip looked at once, and each piece of work is a fork.
_WORKER = """
import os, signal, sys, time
from tests.report import casework
from toolkit.media import credentials, provenance
from toolkit.report import bundle, steps
from toolkit.casework.case import Case

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

def say(word):
    # in one write: whoever is killed after the word and before the end of the line spoils the next
    os.write(sys.stdout.fileno(), f"{word}\\n".encode())

def work(folder, source):
    case = Case(folder)
    steps.add(case, source, trust=False, examine=examine)
    say("added")
    case.note(text="a note")
    say("noted")
    steps.analyse(case, "E1", trust=False, examine=examine)
    say("analysed")
    bundle.report(case, video=False)
    say("reported")

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
    say("end")
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
        while (line := self._process.stdout.readline()) != "end\n":
            assert line, f"the worker ended with status {self._process.wait()}"
            said.append(line.strip())
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


VERBS = {"add": "received", "analyse": "analysed", "report": "reported"}


def command(verb: str, case: Case, clip: Path) -> list[str]:
    """Return a real command on a case."""
    line = [sys.executable, "-m", "toolkit", "case", verb, str(case.folder)]
    line += [str(clip)] if verb == "add" else []
    return line + (["--no-trust", "--frames", "16"] if verb != "report" else [])


def kill_often(verb: str, base: Case, clip: Path, folder: Path, *, moments: int, seed: int) -> None:
    """Kill a command at random moments of its whole run, each time on a fresh copy of a case."""
    rng = random.Random(f"{verb} {seed}")
    start = time.monotonic()
    case = Case(shutil.copytree(base.folder, folder / "whole"))
    subprocess.run(command(verb, case, clip), cwd=ROOT, check=True, stdout=subprocess.DEVNULL)
    took = time.monotonic() - start
    check(case, base.entries(), [])
    killed, left = 0, dict.fromkeys(("whole", "untouched", "between"), 0)
    for number in itertools.count():
        case = Case(shutil.copytree(base.folder, folder / str(number)))
        before, wait_s = case.entries(), rng.uniform(0, took)
        with subprocess.Popen(
            command(verb, case, clip),
            cwd=ROOT,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        ) as work:
            try:
                work.wait(wait_s)
            except subprocess.TimeoutExpired:
                work.kill()
                killed += 1
        events = {e.event for e in case.entries()[len(before) :]}
        files = len(list(cases.walk(case.folder)))
        done = VERBS[verb] in events and (verb != "add" or "analysed" in events)
        state = "whole" if done else "untouched" if files == len(case.files()) else "between"
        left[state] += 1
        check(case, before, [])
        assert verify.verify(case.folder, hashes_only=True).is_intact
        print(f"{verb} killed after {wait_s:.1f} of {took:.1f} s: {state}", flush=True)
        if killed >= moments and not (verb == "add" and done):
            break
    subprocess.run(command(verb, case, clip), cwd=ROOT, check=True, stdout=subprocess.DEVNULL)
    assert any(e.event == VERBS[verb] for e in case.entries())
    print(f"{verb}: {killed} killed, {left}; after the last the same command ran to its end")


def main() -> None:
    """Kill real commands."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("clip", type=Path)
    parser.add_argument("--verbs", nargs="+", choices=VERBS, default=list(VERBS))
    parser.add_argument("--moments", type=int, default=20)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        empty = cases.create(Path(folder, "empty"))
        empty.note(text="before")
        added = Case(shutil.copytree(empty.folder, Path(folder, "added")))
        if {"analyse", "report"} & set(options.verbs):
            line = command("add", added, options.clip)
            subprocess.run(line, cwd=ROOT, check=True, stdout=subprocess.DEVNULL)
        for verb in options.verbs:
            base = empty if verb == "add" else added
            with tempfile.TemporaryDirectory() as place:
                kill_often(
                    verb,
                    base,
                    options.clip,
                    Path(place),
                    moments=options.moments,
                    seed=options.seed,
                )
    print("The case opened each time, and nothing saved was lost.")


if __name__ == "__main__":
    main()
