"""Try thousands of spoilt files: nothing may crash, hang, leak, or go missing without a word.

Files are made from numbers: the same seed and number give the same file, so that every finding can
be made again. What was found is kept beside the log, and belongs into a test.
"""

from __future__ import annotations

import argparse
import gc
import json
import os
import random
import tempfile
import time
import traceback
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import psutil

from toolkit import media, runtime
from toolkit.analysis.pipeline import analyse
from toolkit.errors import ToolkitError, UsageError
from toolkit.hardening import mutations, sources
from toolkit.hardening.decoders import quick_decoders
from toolkit.types import Notice, Sampling

LIMIT_S = 45.0
"""Longest time for one file: the longest silence of a decoder, and the work itself. Where other
programs wait for the processors too, it is as many times longer."""
MEMORY_MAX_MB = 50.0
"""Most that the parent may grow after it has met every kind of file.

Measured once the C library has given back what it keeps for the next tensors (up to
`runtime.KEPT_BYTES`, by intent): what is held then is in use.
"""
WARM_FILES = 300
"""Files after which memory and descriptors are taken as what they should stay."""
REPORT_EVERY = 200
STORE_PART = 0.25
"""Part of the files that are the toolkit's own kinds."""
REAL_START_EVERY = 50
"""Every so many clips a decoder is started as users have it, not as a copy."""
JUDGE_EVERY = 400
"""Every so many clips one with a face is judged."""
LOST_PART = 0.1
"""Part of the frames that may be missing without a word: a cut may take the last ones."""

LOSS = frozenset(
    {
        "truncated",
        "damaged",
        "frame_count",
        "container",
        "timestamps",
        "incomplete_start",
        "late_start",
        "hidden_frames",
        "missing_frames",
        "clock_restarts",
        "unread_recordings",
        "no_timestamps",
        "several_streams",
        "variable_frame_rate",
    }
)
"""Notices that tell that not all may be there, or not at its time."""


@dataclass
class FuzzTally:
    """What came of the files so far."""

    outcomes: Counter[str] = field(default_factory=Counter)
    findings: list[dict[str, Any]] = field(default_factory=list)
    slowest_s: float = 0.0
    memory_mb: float = 0.0
    kept_mb: float = 0.0
    descriptors: int = 0


class Trial:
    """Makes files from numbers, reads them, and says what is wrong with how that went.

    Parameters
    ----------
    folder
        To work in.
    seed
        Which files.
    judge_every
        Every so many clips one is judged; 0 = never, and no file of the toolkit's own that needs
        an analysis is made.
    """

    def __init__(self, folder: Path, seed: int, *, judge_every: int = JUDGE_EVERY) -> None:
        self.folder, self.seed, self._judge_every = folder, seed, judge_every
        self._clips = sources.clips(folder)
        self._faces = sources.face_clips(folder) if judge_every else []
        self.last: mutations.Mutant | None = None
        self.source = ""

    def prepare(self) -> None:
        """Make all files beforehand, so that no trial waits for them."""
        _ = self._stores

    def run(self, number: int) -> str:
        """Try one file; return in a word how it went, or raise `Finding`."""
        rng = random.Random(f"{self.seed} {number}")  # noqa: S311 - it is to be had again
        start = time.monotonic()
        try:
            word = self._store(rng) if rng.random() < STORE_PART else self._clip(rng, number)
        except Finding:
            raise
        except Exception as error:
            where = traceback.extract_tb(error.__traceback__)[-1]
            place = f"{Path(where.filename).name}:{where.lineno}"
            raise Finding("crash", f"{type(error).__name__}: {error!s:.200} at {place}") from error
        if (took := time.monotonic() - start) > LIMIT_S * runtime.crowding():
            raise Finding("slow", f"{took:.0f} s")
        return word

    @cached_property
    def _stores(self) -> list[sources.FuzzStore]:
        """Files of the toolkit's own; making them takes a while, which a clip need not wait for."""
        return sources.stores(self.folder / "stores", analysed=bool(self._judge_every))

    def _store(self, rng: random.Random) -> str:
        store = rng.choice(self._stores)
        spoil = {
            "json": mutations.spoil_json,
            "table": mutations.spoil_table,
            "archive": mutations.spoil_archive,
        }.get(store.kind, mutations.spoil_bytes)
        sound = store.path.read_bytes()
        self.source, self.last = store.name, spoil(sound, rng)
        store.path.write_bytes(self.last.data)
        try:
            store.open()
        except ToolkitError:
            return "own: refused"
        finally:
            store.path.parent.mkdir(parents=True, exist_ok=True)
            store.path.write_bytes(sound)
        return "own: read"

    def _clip(self, rng: random.Random, number: int) -> str:
        judged = bool(self._faces) and number % self._judge_every == 0
        clip = rng.choice(self._faces if judged else self._clips)
        self.source, self.last = clip.name, mutations.spoil_media(clip.data, rng)
        path = self.folder / f"mutant{clip.suffix}"
        path.write_bytes(self.last.data)
        work = self._judge if judged else self._read
        with as_users_have_it(number % REAL_START_EVERY == 0):
            try:
                return work(path, clip)
            except ToolkitError:
                return "clip: refused"

    def _read(self, path: Path, clip: sources.FuzzClip) -> str:
        video = media.probe(path)
        notices: list[Notice] = []
        wanted = np.arange(min(len(video.pts), 4 * clip.frames))
        got = len([frame.index for frame in media.read(video, wanted, notices=notices)])
        every = [*video.notices, *notices]
        if got < len(wanted) and not {n.code for n in notices} & {"truncated", "damaged"}:
            raise Finding("silent", f"{got} of {len(wanted)} frames came, and nothing says so")
        return _told(got, clip.frames, every, "clip")

    def _judge(self, path: Path, clip: sources.FuzzClip) -> str:
        report = analyse(path, device="cpu", sampling=Sampling(frames=16), explain=False)
        if report.verdict.abstained:
            return "judged: abstained"
        return _told(len(report.video.pts), clip.frames, list(report.notices), "judged")


class Finding(Exception):  # noqa: N818 - it is what is looked for
    """Something that must not happen: its kind, and what was seen."""

    def __init__(self, kind: str, what: str) -> None:
        self.kind, self.what = kind, what
        super().__init__(f"{kind}: {what}")


def _told(got: int, whole: int, notices: Sequence[Notice], word: str) -> str:
    codes = {notice.code for notice in notices}
    if got < (1 - LOST_PART) * whole and not codes & LOSS:
        told = ", ".join(sorted(codes)) or "nothing"
        raise Finding("silent", f"{got} of {whole} frames, and told was: {told}")
    return f"{word}: read with notices" if codes else f"{word}: read"


_AS_ONE = media.video.start_decoder


@contextmanager
def as_users_have_it(wanted: bool) -> Iterator[None]:
    """Start decoders as programs of their own for a while."""
    now = media.video.start_decoder
    media.video.start_decoder = _AS_ONE if wanted else now
    try:
        yield
    finally:
        media.video.start_decoder = now


def run(
    *,
    seed: int = 0,
    files: int | None = None,
    hours: float | None = None,
    first: int = 0,
    log: Path | None = None,
    judge_every: int = JUDGE_EVERY,
    on_result: Callable[[str], None] = lambda _: None,
) -> FuzzTally:
    """Try spoilt files until so many were tried, or so much time has passed.

    Parameters
    ----------
    seed, first
        Which files: those of this seed from this number on.
    files, hours
        When to stop; one of them at least.
    log
        A line of JSON for every `REPORT_EVERY` files and every finding goes there, with the file
        beside it.
    judge_every
        Every so many clips one is judged; 0 = never.
    on_result
        Gets a line now and then.
    """
    until = time.monotonic() + 3600 * hours if hours is not None else float("inf")
    last = first + files if files is not None else None
    tally, fresh, process = FuzzTally(), FuzzTally(), psutil.Process()
    base: tuple[float, int] | None = None
    with tempfile.TemporaryDirectory() as folder, quick_decoders():
        trial = Trial(Path(folder), seed, judge_every=judge_every)
        trial.prepare()
        number = begun = first
        while time.monotonic() < until and (last is None or number < last):
            start = time.monotonic()
            try:
                word = trial.run(number)
            except Finding as finding:
                word = f"FOUND {finding.kind}"
                fresh.findings.append(_kept(trial, number, finding, log))
                on_result(f"{number}: {trial.source}: {finding}")
            fresh.outcomes[word] += 1
            fresh.slowest_s = max(fresh.slowest_s, time.monotonic() - start)
            number += 1
            if number - first == WARM_FILES:
                base = _burden(process)
            if (number - begun) % REPORT_EVERY == 0 or number == last:
                before_mb = process.memory_info().rss / 1e6
                now = _burden(process)
                fresh.kept_mb = before_mb - now[0]
                if base is not None:
                    fresh.memory_mb = now[0] - base[0]
                    fresh.descriptors = now[1] - base[1]
                _write_log(log, _line(fresh, seed, begun, number))
                tally, fresh, begun = _added(tally, fresh), FuzzTally(), number
                on_result(f"{number}: {dict(tally.outcomes)}")
        if number > begun:
            _write_log(log, _line(fresh, seed, begun, number))
            tally = _added(tally, fresh)
    return tally


def _burden(process: psutil.Process) -> tuple[float, int]:
    """Return memory in use, in MB, and open descriptors."""
    gc.collect()
    runtime.release_memory()
    count = process.num_handles() if os.name == "nt" else process.num_fds()
    return process.memory_info().rss / 1e6, count


def _added(one: FuzzTally, other: FuzzTally) -> FuzzTally:
    return FuzzTally(
        one.outcomes + other.outcomes,
        one.findings + other.findings,
        max(one.slowest_s, other.slowest_s),
        max(one.memory_mb, other.memory_mb),
        max(one.kept_mb, other.kept_mb),
        max(one.descriptors, other.descriptors),
    )


def _kept(trial: Trial, number: int, finding: Finding, log: Path | None) -> dict[str, Any]:
    """Keep the file of a finding, and return its line for the log."""
    assert trial.last is not None
    line = {
        "finding": finding.kind,
        "seed": trial.seed,
        "number": number,
        "source": trial.source,
        "how": trial.last.how,
        "what": finding.what,
    }
    if log is not None:
        path = log.with_suffix("") / f"{trial.seed}-{number}.bin"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(trial.last.data)
        line["file"] = path.name
        _write_log(log, line)
    return line


def _line(tally: FuzzTally, seed: int, first: int, end: int) -> dict[str, Any]:
    return {
        "seed": seed,
        "from": first,
        "to": end,
        "outcomes": dict(tally.outcomes),
        "slowest_s": round(tally.slowest_s, 1),
        "memory_mb": round(tally.memory_mb, 1),
        "kept_mb": round(tally.kept_mb, 1),
        "descriptors": tally.descriptors,
    }


def _write_log(log: Path | None, line: dict[str, Any]) -> None:
    if log is None:
        return
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("a", encoding="utf-8") as file:
        file.write(json.dumps(line) + "\n")


def read_log(log: Path, seed: int) -> tuple[int, FuzzTally]:
    """Return the number to go on with, and what came of the files of a seed so far.

    A last line that was torn is left out.
    """
    tally, end = FuzzTally(), 0
    for text in log.read_text(encoding="utf-8").splitlines() if log.is_file() else ():
        try:
            line = json.loads(text)
        except ValueError:
            continue
        if line.get("seed") != seed:
            continue
        if "finding" in line:
            tally.findings.append(line)
        else:
            part = FuzzTally(Counter(line["outcomes"]), [], line["slowest_s"])
            part.memory_mb, part.descriptors = line["memory_mb"], line["descriptors"]
            part.kept_mb = line.get("kept_mb", 0.0)
            tally, end = _added(tally, part), max(end, line["to"])
    return end, tally


def summary(tally: FuzzTally) -> str:
    """Return what came of all files, in lines."""
    total = sum(tally.outcomes.values())
    lines = [f"{total} files, {len(tally.findings)} findings"]
    lines += [f"  {count:6} {word}" for word, count in sorted(tally.outcomes.items())]
    lines.append(
        f"slowest {tally.slowest_s:.1f} s; the parent grew by {tally.memory_mb:.0f} MB in use and "
        f"{tally.descriptors} descriptors; freed and kept were at most {tally.kept_mb:.0f} MB"
    )
    return "\n".join(lines)


def main(argv: Sequence[str] | None = None) -> int:
    """Run from the command line; exit code 1 where something was found."""
    parser = argparse.ArgumentParser(
        prog="python -m toolkit study fuzz", description="Thousands of spoilt files."
    )
    parser.add_argument("--files", type=int, help="how many")
    parser.add_argument("--hours", type=float, help="how long; may be given with --files")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, help="log; if there is one, goes on with it")
    parser.add_argument("--only", type=int, metavar="N", help="this file again, with its traceback")
    options = parser.parse_args(argv)
    if options.only is not None:
        return _again(options.seed, options.only)
    if options.files is None and options.hours is None:
        raise UsageError("when to stop?", "", "Give --files or --hours.")
    first, before = read_log(options.out, options.seed) if options.out else (0, FuzzTally())
    tally = run(
        seed=options.seed,
        files=options.files,
        hours=options.hours,
        first=first,
        log=options.out,
        on_result=lambda line: print(line, flush=True),
    )
    whole = _added(before, tally)
    print(summary(whole))
    sound = not whole.findings and whole.memory_mb <= MEMORY_MAX_MB and whole.descriptors <= 0
    return 0 if sound else 1


def _again(seed: int, number: int) -> int:
    with tempfile.TemporaryDirectory() as folder, quick_decoders():
        trial = Trial(Path(folder), seed)
        try:
            print(trial.run(number))
        except Finding as finding:
            print(f"{trial.source} ({trial.last.how if trial.last else ''}): {finding}")
            if finding.__cause__ is not None:
                traceback.print_exception(finding.__cause__)
            return 1
    return 0
