"""``analyse``: judge a video and show what drove the verdict."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from toolkit._i18n import _
from toolkit.cli.common import (
    DETECTOR_HELP,
    Command,
    TellAhead,
    check_writable,
    frames,
    stage_line,
    write_json,
)
from toolkit.errors import UsageError
from toolkit.messages import shown
from toolkit.runtime import DEVICES
from toolkit.types import Sampling

if TYPE_CHECKING:
    from toolkit.types import Examination


def add_commands(command: Command) -> None:
    """Add the command."""
    sub = command("analyse", _analyse, "judge a video and show what drove the verdict")
    sub.add_argument("video", type=Path)
    sub.add_argument(
        "--out", type=Path, required=True, help="folder for report.json and report.html"
    )
    sub.add_argument("--detector", default="seamnet", help=DETECTOR_HELP)
    sub.add_argument("--device", choices=DEVICES, default="auto")
    sub.add_argument("--frames", type=frames, help="moments per person; default: by length")
    sub.add_argument("--no-explain", action="store_true", help="verdict only")
    beside = sub.add_mutually_exclusive_group()
    beside.add_argument(
        "--known",
        type=Path,
        metavar="VIDEO",
        help="also compare with this recording of the same person, known to be genuine",
    )
    beside.add_argument(
        "--known-seconds",
        type=float,
        nargs=2,
        metavar=("FROM", "TO"),
        help="also compare with these seconds of the video, known to be genuine",
    )
    sub.add_argument("--person", metavar="LETTER", help="whom to compare; default: who speaks")
    sub.add_argument(
        "--beside",
        action="append",
        default=[],
        metavar="DETECTOR",
        help="also let this detector judge, and tell where the two differ; may be repeated",
    )
    sub.add_argument("--seed", type=int, default=0)


def _analyse(options: argparse.Namespace) -> int:
    from toolkit import media
    from toolkit.analysis import pipeline

    out: Path = options.out
    if out.exists() and not out.is_dir():
        raise UsageError("--out is not a folder", str(out), "Name a folder.")
    asked: dict[str, Any] = {
        "detector": options.detector,
        "device": options.device,
        "sampling": Sampling(frames=options.frames),
        "seed": options.seed,
    }
    if options.person and not (options.known or options.known_seconds or options.beside):
        remedy = "Give --known or --known-seconds too, or --beside, or leave it out."
        raise UsageError("--person says whom to compare", options.person, remedy)
    # what can be refused is refused before the work, not after it
    if options.known_seconds and not options.known_seconds[0] < options.known_seconds[1]:
        value = "--known-seconds {:g} {:g}".format(*options.known_seconds)
        raise UsageError("there are no such seconds", value, "Choose a start before the end.")
    if options.known:
        media.probe(options.known)
    check_beside(options)
    check_writable(out)
    with stage_line() as progress:
        seen = pipeline.examine(
            options.video,
            explain=not options.no_explain,
            on_partial=TellAhead(progress.write),
            tick=progress,
            **asked,
        )
    from toolkit import figures  # only now: a refusal should not wait for the chart library
    from toolkit.files import atomic_path
    from toolkit.report import html

    out.mkdir(parents=True, exist_ok=True)
    # all three are there, in full, before the first takes its name: never half a report
    with (
        atomic_path(out / "report.html") as page,
        atomic_path(out / "run.json") as run,
        atomic_path(out / "report.json") as result,
    ):
        html.write(seen.report, page)
        write_json(run, pipeline.run_facts(seen.report))
        write_json(result, pipeline.to_dict(seen.report))
    for about_another in ("comparison.json", "beside.json"):
        (out / about_another).unlink(missing_ok=True)
    for notice in seen.report.notices:
        print(shown(notice.text()), file=sys.stderr)
    verdict, *more = figures.answer_lines(seen.report)
    print(verdict)  # one line, for scripts; what people want to know besides is not on stdout
    where = _("Report: {path}").format(path=out / "report.html")
    print("\n".join([*more, where]), file=sys.stderr)
    if options.known or options.known_seconds:
        from toolkit.verdict import comparison

        known = None
        if options.known:
            with stage_line() as progress:
                known = pipeline.examine(options.known, explain=False, tick=progress, **asked)
        seconds = tuple(options.known_seconds) if options.known_seconds else None
        found = comparison.compare(seen, known, seconds=seconds, person=options.person)
        write_json(out / "comparison.json", comparison.to_dict(found, seen, known))
        print("\n".join(figures.comparison_sentences(found)))
    if options.beside:
        _tell_beside(options, seen, asked)
    return 0


def check_beside(options: argparse.Namespace) -> None:
    """Refuse what cannot be held side by side, before anything is read.

    Raises
    ------
    UsageError
        If a detector is named twice, or nothing would be explained.
    """
    names = [options.detector, *options.beside]
    if len(set(names)) < len(names):
        raise UsageError("detectors must differ", ", ".join(names), "Name each one once.")
    if options.beside and options.no_explain:
        raise UsageError("--beside compares explanations", "--no-explain", "Leave it out.")


def _tell_beside(options: argparse.Namespace, seen: Examination, asked: dict[str, Any]) -> None:
    """Let the other detectors judge the same clip; write and print where they differ."""
    from toolkit.analysis import pipeline
    from toolkit.api.result import Analysis

    others = []
    for name in options.beside:
        with stage_line() as progress:
            examination = pipeline.examine(
                options.video,
                on_partial=TellAhead(progress.write),
                tick=progress,
                **asked | {"detector": name},
            )
        others.append(Analysis.of(examination))
    found = Analysis.of(seen).beside(*others, person=options.person)
    write_json(options.out / "beside.json", found.to_dict())
    print("\n".join(found.sentences))
