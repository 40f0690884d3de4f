"""Hostile and awkward files along every road a user may take: what is right, and what comes out.

The corpus is a folder with ``cases/`` and ``expected.csv`` (file, row, expected, keyword, layer); a
script makes it from an ordinary clip. Rows about weights have tests of their own.
"""

from __future__ import annotations

import argparse
import contextlib
import csv
import hashlib
import io
import json
import os
import shutil
import subprocess
import tempfile
import time
import traceback
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path

from toolkit import media, samples
from toolkit.errors import ToolkitError, UsageError
from toolkit.evaluation.lists import read_table
from toolkit.files import atomic_write, parse_json
from toolkit.messages import phrase

FRAME_SIZE_LIE = "41d_frame_size_lie.mp4"
SCRIPT = Path("../shared/tools/make_bad_inputs.sh")
LIMIT_S = 30.0
"""Longest time of processor for a row; those of a video of hours may take longer."""
LONG_ROWS = frozenset({"26", "47", "48"})
CANARY = "CANARY-7f3a91"
"""A word in files of the corpus that nothing may read."""
REFUSED, CANNOT = 3, 2
_DETECTOR = "seamnet-small"
_SURE = {"refuse": {"refuse"}, "warn": {"warn"}, "ok": {"ok", "warn"}}


@dataclass(frozen=True)
class HostileCase:
    """One file: where, its row of the list, what is right, and a word that must be said."""

    path: Path
    row: str
    expected: str
    keyword: str
    layer: str


@dataclass(frozen=True)
class RoadOutcome:
    """What came of a file on one road.

    Attributes
    ----------
    got
        ``"refuse"``, ``"warn"``, ``"ok"``, or ``"crash"``.
    code
        Exit code; None where there is no command.
    text
        What was said.
    seconds
        How long it took, by the clock.
    wrong
        What is not as it should be; empty = all is.
    """

    got: str
    code: int | None
    text: str
    seconds: float
    wrong: str = ""


Road = Callable[[HostileCase, Path], tuple[str, int | None, str]]


def read_corpus(folder: Path) -> list[HostileCase]:
    """Return the cases of a corpus that are there, without those about weights."""
    columns = ("file", "row", "expected", "layer")
    rows = read_table(folder / "expected.csv", columns, what=phrase("list of cases"))
    cases = [
        HostileCase(folder / "cases" / r["file"], r["row"], r["expected"], r["keyword"], r["layer"])
        for r in rows
        if r["layer"] != "weights"
    ]
    return [c for c in cases if os.path.lexists(c.path) or c.expected == "refuse"]


# --- roads --------------------------------------------------------------------------------------


def _command(*words: str) -> tuple[int, str, str]:
    """Run a command in this process; return its exit code and what it printed."""
    run = import_module("toolkit.cli.main").main
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        code = run(list(words))
    return int(code), out.getvalue(), err.getvalue()


def _got(code: int, notices: bool) -> str:
    if code:
        return "refuse" if code in {REFUSED, CANNOT} else "crash"
    return "warn" if notices else "ok"


def _analyse(case: HostileCase, folder: Path) -> tuple[str, int | None, str]:
    out = folder / "out"
    words = ["--out", str(out), "--detector", _DETECTOR, "--frames", "16", "--no-explain"]
    code, said, err = _command("analyse", *words, "--", str(case.path))
    if code:
        return _got(code, notices=False), code, err
    report = parse_json((out / "report.json").read_bytes())
    told = [n["text"] for n in report["notices"]] + [report["verdict"]["reason"] or ""]
    told += [t["verdict"]["reason"] or "" for t in report["tracks"]]
    return _got(code, any(told)), code, " ".join([said, err, *told])


def _chooser(case: HostileCase, folder: Path) -> tuple[str, int | None, str]:
    chooser = import_module("toolkit.widgets.workbench.chooser").Chooser(
        folder, lambda: None, lambda: None
    )
    chooser.path.value = str(case.path)
    try:
        video = media.probe(chooser.asked().video)
    except ToolkitError as error:
        return "refuse", None, error.text()
    finally:
        chooser.close()
    told = [notice.text() for notice in video.notices]
    return "warn" if told else "ok", None, " ".join(told)


def _case_add(case: HostileCase, folder: Path) -> tuple[str, int | None, str]:
    place = folder / "case"
    _command("case", "new", str(place), "--examiner", "N. N.")
    words = ["--detector", _DETECTOR, "--frames", "16", "--no-trust"]
    code, said, err = _command("case", "add", *words, "--", str(place), str(case.path))
    if code:
        return _got(code, notices=False), code, err
    reports = sorted(place.rglob("report.json")) + sorted(place.rglob("analysis.json"))
    text = " ".join(p.read_text(encoding="utf-8") for p in reports)
    return _got(code, "notices" in text or "abstained" in said), code, f"{said} {err} {text}"


def _benchmark(case: HostileCase, folder: Path) -> tuple[str, int | None, str]:
    table, out = folder / "list.csv", folder / "benchmark.json"
    with table.open("w", encoding="utf-8", newline="", errors="surrogateescape") as file:
        csv.writer(file).writerows([["path", "label"], [str(case.path), "real"]])
    words = ["--out", str(out), "--detectors", _DETECTOR, "--frames", "16"]
    code, said, err = _command("benchmark", *words, "--", str(table))
    if code:
        return _got(code, notices=False), code, err
    (row,) = parse_json(out.read_bytes())["clips"]
    reason = str(row.get("reason") or "")
    got = "refuse" if row.get("logit") is None and reason else "warn" if reason else "ok"
    return got, code, f"{said} {err} {reason} {json.dumps(row)}"


ROADS: dict[str, Road] = {
    "analyse": _analyse,
    "workbench": _chooser,
    "case add": _case_add,
    "benchmark": _benchmark,
}
"""Ways on which a file comes in, by name."""


def try_road(case: HostileCase, road: str) -> RoadOutcome:
    """Send a file along a road, and say what is wrong with what came of it."""
    before = _content(case.path)
    clock, processor = time.monotonic(), _processor_s()
    with tempfile.TemporaryDirectory() as folder:
        try:
            got, code, text = ROADS[road](case, Path(folder))
        except Exception as error:  # noqa: BLE001 - this is what is looked for
            got, code, text = "crash", None, "".join(traceback.format_exception(error)[-2:])
    seconds, processor = time.monotonic() - clock, _processor_s() - processor
    wrong = []
    if got not in _right(case, road):
        wrong.append(f"{got}, not {case.expected}")
    if road == "analyse" and case.keyword.lower() not in text.lower():
        wrong.append(f"does not say: {case.keyword}")
    if got == "refuse" and code and text.count("\n") != 1:
        wrong.append("not one line")
    if "Traceback" in text or CANARY in text:
        wrong.append("a traceback" if "Traceback" in text else "read what it must not")
    if _content(case.path) != before:
        wrong.append("the file was changed")
    if processor > LIMIT_S and case.row not in LONG_ROWS:
        wrong.append(f"{processor:.0f} s")
    return RoadOutcome(got, code, text, seconds, ", ".join(wrong))


def _right(case: HostileCase, road: str) -> set[str]:
    """Return what may come of a file: whoever only lists a file is told less of it."""
    if case.expected == "refuse" or road == "analyse":
        return _SURE[case.expected]
    if road == "benchmark":  # a clip without a verdict has a reason there, and no logit
        return {"ok", "warn", "refuse"}
    return {"ok", "warn"}


def _processor_s() -> float:
    times = os.times()
    return times.user + times.system + times.children_user + times.children_system


def _content(path: Path) -> str:
    if path.is_symlink() or not path.is_file():
        return ""
    return hashlib.sha256(path.read_bytes()).hexdigest()


# --- the table ----------------------------------------------------------------------------------


def run(
    cases: Iterable[HostileCase], roads: Sequence[str]
) -> Iterator[tuple[HostileCase, dict[str, RoadOutcome]]]:
    """Yield each case with what came of it on each road."""
    for case in cases:
        yield case, {road: try_road(case, road) for road in roads}


def table(rows: Sequence[tuple[HostileCase, dict[str, RoadOutcome]]], roads: Sequence[str]) -> str:
    """Return the rows as a page in Markdown."""
    wrong = sum(bool(outcome.wrong) for _, found in rows for outcome in found.values())
    lines = [
        "# Hostile and awkward files",
        "",
        "Made by `python -m toolkit study hostile --table FILE`. *Expected* is what is right; each",
        "road tells what came out, the exit code of a command, and the seconds it took.",
        f"{len(rows)} files along {len(roads)} roads, {wrong} not as expected.",
        "",
        f"| row | file | expected | {' | '.join(roads)} |",
        f"|---|---|---|{'---|' * len(roads)}",
    ]
    for case, found in rows:
        word = f" ({case.keyword})" if case.keyword else ""
        cells = [_cell(found[road]) for road in roads]
        name = _safe(media.show_name(case.path))
        lines.append(f"| {case.row} | {name} | {case.expected}{word} | {' | '.join(cells)} |")
    return "\n".join([*lines, ""])


def _cell(outcome: RoadOutcome) -> str:
    code = "" if outcome.code is None else f", exit {outcome.code}"
    wrong = f" **{_safe(outcome.wrong)}**" if outcome.wrong else ""
    return f"{outcome.got}{code}, {outcome.seconds:.1f} s{wrong}"


def _safe(text: str) -> str:
    """Return text of strangers for a cell of Markdown."""
    kept = "".join(c if c.isalnum() or c in " ._-:,()%" else f"&#{ord(c)};" for c in text)
    return kept or " "


def plant_frame_size(path: Path) -> None:
    """Have the index of an MP4 claim pictures of 65535 x 65535 pixels.

    The corpus has a row for this lie, whose file lacks it where the mark that its script looks for
    also stands among the brands.
    """
    data = bytearray(path.read_bytes())
    at = data.index(b"avc1", data.index(b"stsd"))
    data[at + 28 : at + 32] = b"\xff\xff\xff\xff"
    path.write_bytes(data)


def _make_corpus(folder: Path) -> Path:
    if not SCRIPT.is_file() or not shutil.which("bash") or not shutil.which("ffmpeg"):
        raise UsageError("there is no corpus", str(SCRIPT), "Give its folder with --corpus.")
    clips = [str(samples.path("cap12_edit")), str(samples.path("franck"))]
    command = ["bash", str(SCRIPT), str(folder), *clips]
    subprocess.run(command, check=True, capture_output=True)
    plant_frame_size(folder / "cases" / FRAME_SIZE_LIE)
    return folder


def main(argv: Sequence[str] | None = None) -> int:
    """Print the table row by row; exit code 1 where something is not as expected."""
    parser = argparse.ArgumentParser(
        prog="python -m toolkit study hostile", description="Hostile files along every road."
    )
    parser.add_argument("--corpus", type=Path, help="folder of the files; default: make it")
    parser.add_argument("--rows", default="", help="numbers, separated by commas; default: all")
    parser.add_argument("--roads", default=",".join(ROADS), help="separated by commas")
    parser.add_argument("--table", type=Path, help="Markdown file to write")
    options = parser.parse_args(argv)
    roads = [name for name in options.roads.split(",") if name]
    if unknown := [name for name in roads if name not in ROADS]:
        known = ", ".join(ROADS)
        raise UsageError(
            "there is no such road", ", ".join(unknown), "Known: {known}.", known=known
        )
    wanted = {name for name in options.rows.split(",") if name}
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        corpus = options.corpus or _make_corpus(Path(folder) / "corpus")
        cases = [c for c in read_corpus(corpus) if not wanted or c.row in wanted]
        for case, found in run(cases, roads):
            rows.append((case, found))
            told = "; ".join(f"{road}: {_cell(found[road])}" for road in roads)
            print(f"{case.row} {media.show_name(case.path)}: {case.expected}: {told}", flush=True)
            if options.table:
                atomic_write(options.table, table(rows, roads))
    return int(any(outcome.wrong for _, found in rows for outcome in found.values()))
