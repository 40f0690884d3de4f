"""Time what a user waits for, and hold it against what the bar promised.

    python -m toolkit study waiting [--runs 10] [--only NAME …] [--out FILE.jsonl]

Each long job of the panels runs on the planted sample, with nothing kept from before, as a click
starts it. What its bar promised first, at a fifth of the work or just after, is compared with what
happened. The jobs take turns, so that a computer that is busy for a while hits all of them; with
``--out`` each run is written down at once, and a second call goes on from there.

On a computer that others use as well no promise can be kept: with ``--clock cpu`` the bars and the
study count processor time, of this process and its children, instead of the time on the wall.
"""

# ruff: noqa: SLF001 - it watches the bars inside the panels, which nobody else has to know

from __future__ import annotations

import argparse
import contextlib
import dataclasses
import json
import statistics
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import psutil

from toolkit import samples
from toolkit.errors import ToolkitError
from toolkit.jobs import Job, JobRecord

SAMPLE = "planted_cap12"
LONG_S = 5.0
"""Shorter jobs need no promise."""
FACTOR, SHARE = 1.5, 0.9
"""A promise is kept within this factor; so large a part of the runs must keep it."""
TOO_LONG_S = 900.0

Run = Callable[["Ground"], Any]
"""Runs one job to its end and returns the bar or the task that ran it."""


class Ground:
    """What the runs stand on: an empty folder each, and one analysis of the sample.

    Parameters
    ----------
    folder
        An empty folder for this run.
    """

    _analysis: Any = None

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.clip = samples.path(SAMPLE)

    @property
    def examination(self) -> Any:
        """The analysis of the sample, made once."""
        if Ground._analysis is None:
            from toolkit.analysis.pipeline import examine

            Ground._analysis = examine(self.clip)
        return Ground._analysis


# -- the jobs


def analyse(ground: Ground) -> Any:
    """Analyse the sample in the workbench and prepare the player."""
    from toolkit.widgets.workbench.panel import Workbench

    workbench = Workbench(runs=ground.folder)
    workbench.show_example()
    return _ended(workbench._run)


def ask(question: str) -> Run:
    """Return what asks one question about the sample's verdict, with nothing answered before."""

    def run(ground: Ground) -> Any:
        from toolkit.widgets.workbench.explain import ExplainPanel

        panel = ExplainPanel(ground.examination)
        if question == "check":
            panel._questions.check(("mouth",))
        elif question == "every_kind":
            panel.compare_references()
        elif question == "lookalikes":
            panel.look_alike()
        else:
            panel.ask(question)
        return _ended(panel._questions.bar)

    return run


def take_in(ground: Ground) -> Any:
    """Take the sample into a new case, with its analysis and the test of the explanation."""
    return _ended(_intake(ground, trust=True).adding._run)


def try_reshare(ground: Ground) -> Any:
    """Send an exhibit through the combined re-share and judge it again."""
    panel = _case(ground)
    panel.copies.trying.start()
    return _ended(panel.copies.trying._run)


def report_case(ground: Ground) -> Any:
    """Make the report of a case, with the covered video in it."""
    panel = _case(ground)
    panel.outcome.reporting.start()
    return _ended(panel.outcome.reporting._run)


def check_case(ground: Ground) -> Any:
    """Check a case, its analysis included."""
    panel = _case(ground)
    panel.check.checking.start()
    return _ended(panel.check.checking._run)


def learn_faces(ground: Ground) -> Any:
    """Lesson 4: the shortest training of the machine that learns two faces."""
    from toolkit.widgets.lessons import learning

    lab = learning.FaceLearningLab(keep_in=ground.folder)
    lab._length.value = learning.SHORT
    lab.task.start()
    return _ended(lab.task._run)


def forge_clip(ground: Ground) -> Any:
    """Lesson 4: make the swapped clip of the forge lab."""
    from toolkit.widgets.lessons.forge_lab import ForgeLab

    lab = ForgeLab(runs=ground.folder, switch=False)
    lab.read()
    _ended(lab._run)
    lab.make()
    return _ended(lab._run)


def learn_detector(ground: Ground) -> Any:
    """Lesson 5: train the tiny detector."""
    del ground
    from toolkit.lessons import tiny_detector
    from toolkit.widgets.lessons.detecting import TinyLab

    lab = TinyLab(tiny_detector.ten_lines())
    lab.task.start()
    return _ended(lab.task._run)


def make_quiz(ground: Ground) -> Any:
    """Lesson 6: make a quiz."""
    from toolkit.widgets.lessons.quiz import QuizLab

    lab = QuizLab(runs=ground.folder)
    lab.task.start()
    return _ended(lab.task._run)


def fail(ground: Ground) -> Any:
    """Lesson 7: ask the detector about a treated clip."""
    del ground
    from toolkit.widgets.lessons.failures import FailureLab

    lab = FailureLab()
    lab.task.start()
    return _ended(lab.task._run)


def receive(ground: Ground) -> Any:
    """Lesson 8: the clip of the case is made and received."""
    from toolkit.widgets.lessons.case_study import Dossier, Investigation

    step = Investigation(Dossier(runs=ground.folder), "receive")
    step.task.start()
    return _ended(step.task._run)


JOBS: dict[str, Run] = {
    "analyse": analyse,
    "witnesses": ask("witnesses"),
    "exact": ask("exact"),
    "references": ask("every_kind"),
    "trust": ask("trust"),
    "captum": ask("methods"),
    "check": ask("check"),
    "case intake": take_in,
    "re-share": try_reshare,
    "case report": report_case,
    "case check": check_case,
    "lesson 4 faces": learn_faces,
    "lesson 4 forge": forge_clip,
    "lesson 5 detector": learn_detector,
    "lesson 6 quiz": make_quiz,
    "lesson 7 failure": fail,
    "lesson 8 receive": receive,
}


def _ended(bar: Any) -> Any:
    bar.wait(TOO_LONG_S)
    if bar.error is not None:
        raise bar.error
    return bar


def _intake(ground: Ground, *, trust: bool) -> Any:
    from toolkit.widgets.casework.panel import Casework

    panel = Casework(ground.folder / "case")
    panel.intake.path.value = str(ground.clip)
    panel.intake.trust.value = trust
    panel.intake.adding.start()
    _ended(panel.intake.adding._run)
    panel.intake.showing.wait(TOO_LONG_S)
    return panel.intake if trust else panel


def _case(ground: Ground) -> Any:
    return _intake(ground, trust=False)


class ProcessorTime:
    """Seconds of processor time of this process and of its children, also those that ended."""

    EVERY_S = 0.02

    def __init__(self) -> None:
        self._process = psutil.Process()
        self._children: dict[int, float] = {}
        self._looked = float("-inf")
        self._lock = threading.Lock()

    def __call__(self) -> float:
        """Return the seconds; never less than before."""
        with self._lock:
            if time.monotonic() - self._looked > self.EVERY_S:
                self._looked = time.monotonic()
                for child in self._process.children(recursive=True):
                    with contextlib.suppress(psutil.Error):
                        spent = child.cpu_times()
                        self._children[child.pid] = spent.user + spent.system
            return time.process_time() + sum(self._children.values())


# -- what is measured


def measure(name: str) -> dict[str, Any]:
    """Run one job once; return its record as plain values."""
    with tempfile.TemporaryDirectory(prefix="doorzicht-", ignore_cleanup_errors=True) as folder:
        record = JOBS[name](Ground(Path(folder))).record
    assert record is not None
    return {"job": name, **{k: v for k, v in dataclasses.asdict(record).items() if k[0] != "_"}}


def table(rows: Sequence[dict[str, Any]]) -> str:
    """Return what was promised and what happened, a line per job; those that are long count."""
    head = f"{'job':<18}{'runs':>5}{'took s':>9}{'promised at':>13}{'took/promised':>24}{'kept':>8}"
    lines = [f"{head}{'longest silence':>18}"]
    for name in dict.fromkeys(row["job"] for row in rows):
        mine = [_record(row) for row in rows if row["job"] == name]
        seconds = [r.seconds or 0.0 for r in mine]
        ratios = sorted(r.ratio for r in mine if r.ratio is not None)
        at = [r.promised_at for r in mine if r.promised_at is not None]
        told = f"{ratios[0]:.2f} {statistics.median(ratios):.2f} {ratios[-1]:.2f}" if at else "-"
        when = f"{100 * statistics.median(at):.0f} %" if at else "-"
        worst = max(mine, key=lambda r: r.silence_s)
        is_long = statistics.median(seconds) >= LONG_S
        kept = f"{sum(map(is_kept, mine))} of {len(mine)}" if is_long else "short"
        lines.append(
            f"{name:<18}{len(mine):>5}{statistics.median(seconds):>9.1f}{when:>13}{told:>24}"
            f"{kept:>8}{f'{worst.silence_s:.1f} s':>10} {worst.silence_in}"
        )
    long = [r for r in map(_record, rows) if (r.seconds or 0.0) >= LONG_S]
    if long:
        kept_all = sum(map(is_kept, long))
        lines.append(
            f"Of {len(long)} runs of {LONG_S:.0f} s or more, {kept_all} took between 1/{FACTOR} and"
            f" {FACTOR} times what was promised: {100 * kept_all / len(long):.0f} %."
        )
    return "\n".join(lines)


def is_kept(record: JobRecord) -> bool:
    """Return whether a job took about as long as was promised; no promise is not kept."""
    return record.ratio is not None and 1 / FACTOR <= record.ratio <= FACTOR


def _record(row: dict[str, Any]) -> JobRecord:
    return JobRecord(**{k: v for k, v in row.items() if k != "job"})


def main(argv: Sequence[str] | None = None) -> int:
    """Run the study; exit 1 where fewer than nine in ten runs kept their promise."""
    parser = argparse.ArgumentParser(prog="python -m toolkit study waiting")
    parser.add_argument("--runs", type=int, default=10)
    parser.add_argument("--only", nargs="+", choices=list(JOBS), default=list(JOBS))
    parser.add_argument(
        "--clicks", action="store_true", help="only: how soon a click into the face is answered"
    )
    parser.add_argument("--clock", choices=("wall", "cpu"), default="wall")
    parser.add_argument("--out", type=Path, help="file of JSON lines, to go on from")
    options = parser.parse_args(argv)
    if options.clock == "cpu":
        Job.clock = staticmethod(ProcessorTime())
    if options.clicks:
        with tempfile.TemporaryDirectory() as folder:
            first, *later = clicks(Ground(Path(folder)))
        print(f"first click ({first[0]}, makes and tests a reference): {first[1]:.1f} s")
        print("\n".join(f"{region}: {seconds:.2f} s" for region, seconds in later))
        return 0
    rows = _read(options.out)
    for name in _in_turn(options.only, options.runs, rows):
        try:
            row = measure(name)
        except ToolkitError as error:
            print(f"{name}: {error}", file=sys.stderr)
            return 1
        rows.append(row)
        if options.out is not None:
            with options.out.open("a", encoding="utf-8") as file:
                file.write(json.dumps(row) + "\n")
        ratio = _record(row).ratio
        told = "no promise" if ratio is None else f"{ratio:.2f} times what was promised"
        print(f"{time.strftime('%H:%M:%S')} {name}: {row['seconds']:.1f} s, {told}", flush=True)
    print(table(rows))
    long = [r for r in map(_record, rows) if (r.seconds or 0.0) >= LONG_S]
    return 0 if sum(map(is_kept, long)) >= SHARE * len(long) else 1


def clicks(ground: Ground) -> list[tuple[str, float]]:
    """Click one region of the face after the other; return each with seconds to its answer."""
    from toolkit.types import REGIONS
    from toolkit.widgets.workbench.explain import ExplainPanel

    panel = ExplainPanel(ground.examination)
    seconds = []
    for region in REGIONS[:-1]:
        began = time.perf_counter()
        panel.replace(region)
        panel.wait(TOO_LONG_S)
        seconds.append((region, time.perf_counter() - began))
    return seconds


def _in_turn(names: Sequence[str], runs: int, rows: Sequence[dict[str, Any]]) -> Iterator[str]:
    """Yield what is still to be run, one of each before the next of any."""
    done = {name: sum(row["job"] == name for row in rows) for name in names}
    for turn in range(runs):
        yield from (name for name in names if done[name] <= turn)


def _read(path: Path | None) -> list[dict[str, Any]]:
    if path is None or not path.exists():
        return []
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


if __name__ == "__main__":
    sys.exit(main())
