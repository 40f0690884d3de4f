"""``python -m toolkit ...``: the same calls as the notebooks make.

Exit codes: 0 = done (a verdict or an abstention), 2 = usage, 3 = input refused, 4 = the
installation is not in order, 130 = cancelled.
"""

from __future__ import annotations

import argparse
import json
import signal
import sys
from collections.abc import Sequence
from contextlib import redirect_stdout, suppress
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Any, TextIO, cast

from toolkit import __version__, _i18n
from toolkit._i18n import N_, _
from toolkit.cli import batch, detector, study, weights
from toolkit.cli import case as cli_case
from toolkit.errors import (
    Cancelled,
    DetectorError,
    FetchError,
    ModelError,
    ToolkitError,
    UsageError,
    VideoError,
)
from toolkit.jobs import TerminalLine
from toolkit.messages import Message, Value, shown
from toolkit.runtime import DEVICES
from toolkit.types import Sampling

if TYPE_CHECKING:
    from toolkit.evaluation.resumable import UnitProgress as Units

EXIT_USAGE, EXIT_REFUSED, EXIT_INSTALLATION, EXIT_CANCELLED = 2, 3, 4, 130
FRAMES_MIN, FRAMES_MAX = 16, 400
DETECTOR_HELP = (
    "seamnet (the default), seamnet-small (faster, misses more), meso4, ..., or one that was "
    "added: see detector list"
)

_EXITS: tuple[tuple[type[ToolkitError], str, int], ...] = (
    (VideoError, N_("refused"), EXIT_REFUSED),
    (UsageError, N_("usage"), EXIT_USAGE),
    (DetectorError, N_("usage"), EXIT_USAGE),
    (ModelError, N_("installation"), EXIT_INSTALLATION),
    (FetchError, N_("installation"), EXIT_INSTALLATION),
    (ToolkitError, N_("error"), 1),
)


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; return its exit code. The language holds for this one command."""
    before = _i18n.language()
    try:
        return _main(sys.argv[1:] if argv is None else list(argv))
    finally:
        _i18n.set_language(before)


def _main(argv: list[str]) -> int:
    argv = _language_taken(argv)
    work = study.find(argv)
    if work is None:
        parser = _parser()
        options = parser.parse_args(argv)
        if options.command is None:
            parser.print_help(sys.stderr)
            return EXIT_USAGE
        _i18n.set_language(options.language)

        def work() -> int:
            return int(options.run(options) or 0)

    stop = _Stop()
    try:
        with redirect_stdout(cast("TextIO", _Shown(sys.stdout))):
            return work()
    except (Cancelled, KeyboardInterrupt):
        return _cancelled()
    except Exception as error:
        if stop.asked:
            return _cancelled()
        if isinstance(error, ToolkitError):
            word, code = next((w, c) for kind, w, c in _EXITS if isinstance(error, kind))
            print(f"{_(word)}: {shown(error.text())}", file=sys.stderr)
            return code
        if isinstance(error, OSError):  # a full disk, a folder that may not be written
            print(f"{_('error')}: {shown(str(error))}", file=sys.stderr)
            return 1
        raise


def _language_taken(argv: list[str]) -> list[str]:
    """Set the language that is named before or after a command that is handed on; return the rest.

    All other commands have a parser of their own for it, which also refuses what is no language.
    """
    plain = argparse.ArgumentParser(add_help=False, exit_on_error=False, allow_abbrev=False)
    plain.add_argument("--language", choices=_i18n.LANGUAGES, default=_i18n.language())
    try:
        options, rest = plain.parse_known_args(argv)
    except (argparse.ArgumentError, SystemExit):
        return argv
    if study.find(rest) is None:
        return argv
    _i18n.set_language(options.language)
    return rest


class _Shown:
    """Standard output on which names, cells and notes of strangers cannot steer the terminal."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def write(self, text: str) -> int:
        return self._stream.write(shown(text, but="\n\t"))

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


class _Stop:
    """Makes SIGTERM clean up as Ctrl+C does, and remembers that either was asked for.

    A library whose import is interrupted may swallow the interrupt and complain of something
    else; what is raised after a stop was asked for is part of the stop.
    """

    def __init__(self) -> None:
        self.asked = False
        signal.signal(signal.SIGTERM, self._interrupt)
        if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
            signal.signal(signal.SIGINT, self._interrupt)

    def _interrupt(self, _number: int, _frame: FrameType | None) -> None:
        self.asked = True
        raise KeyboardInterrupt


def _cancelled() -> int:
    print(_("cancelled"), file=sys.stderr)
    return EXIT_CANCELLED


def _finished(unit: Units) -> str:
    facts = [f"{unit.seconds:.0f} s" if unit.seconds else _("kept")]
    if unit.left_s is not None:
        minutes = round(unit.left_s / 60)
        text = _("about {n} min to go") if minutes else _("less than a minute to go")
        facts.append(text.format(n=minutes))
    return _("{done} of {total}: {name} ({facts})").format(
        done=unit.done, total=unit.total, name=unit.name, facts=", ".join(facts)
    )


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m toolkit", description="Doorzicht")
    parser.add_argument("--version", action="version", version=__version__)
    parser.add_argument(
        "--language",
        choices=_i18n.LANGUAGES,
        default=_i18n.language(),
        help="of what is said and written; may also stand after the command. Default: en, or "
        "what DOORZICHT_LANGUAGE names",
    )
    commands = parser.add_subparsers(dest="command", metavar="COMMAND")

    def command(name: str, run: Any, text: str) -> argparse.ArgumentParser:
        sub = commands.add_parser(name, help=text, description=text)
        sub.set_defaults(run=run)
        cli_case.add_language(sub)
        return sub

    sub = command("analyse", _analyse, "judge a video and show what drove the verdict")
    sub.add_argument("video", type=Path)
    sub.add_argument(
        "--out", type=Path, required=True, help="folder for report.json and report.html"
    )
    sub.add_argument("--detector", default="seamnet", help=DETECTOR_HELP)
    sub.add_argument("--device", choices=DEVICES, default="auto")
    sub.add_argument("--frames", type=_frames, help="moments per person; default: by length")
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
    sub.add_argument("--seed", type=int, default=0)

    batch.add_command(command, _frames, DETECTOR_HELP)

    sub = command("benchmark", _benchmark, "run detectors over labelled clips")
    sub.add_argument("clips", type=Path, help="CSV: path, label, method, dataset, scene, ...")
    sub.add_argument("--out", type=Path, required=True, help="JSON file; a page is put beside it")
    sub.add_argument(
        "--detectors",
        default="seamnet",
        help="names, separated by commas; also control.size, control.blur, control.imagenet",
    )
    sub.add_argument(
        "--reshare", default="", metavar="CHAIN", help="first do this, e.g. crop10,scale480,crf28"
    )
    sub.add_argument(
        "--compare",
        type=Path,
        action="append",
        default=[],
        metavar="JSON",
        help="result along another chain, for curves in the page; may be repeated",
    )
    sub.add_argument(
        "--robustness",
        action="store_true",
        help="also along ten re-share chains, one JSON file for each, with curves in the page",
    )
    sub.add_argument(
        "--cache",
        type=Path,
        metavar="DIR",
        help="keep what was read of each clip (faces!) here, for other weights or to go on later",
    )
    batch.add_workers(sub)
    sub.add_argument(
        "--card",
        type=Path,
        metavar="JSON",
        help="write into SeamNet's card how genuine clips fared",
    )
    sub.add_argument("--device", choices=DEVICES, default="auto")
    sub.add_argument("--frames", type=_frames)
    sub.add_argument("--seed", type=int, default=0)

    sub = command(
        "explain-benchmark",
        _explain_benchmark,
        "grade explanations on forgeries whose original is known",
    )
    sub.add_argument(
        "pairs", type=Path, nargs="?", help="CSV: original, fake, method, scene, crop_x, ..."
    )
    sub.add_argument(
        "--planted",
        type=Path,
        nargs="*",
        metavar="CLIP",
        help="instead of pairs: plant into these genuine clips; none named: the samples",
    )
    sub.add_argument(
        "--out", type=Path, required=True, help="JSON file; if it is unfinished, goes on with it"
    )
    sub.add_argument("--methods", default="", help="keys, separated by commas; default: all")
    sub.add_argument("--faces", type=int, help="faces explained per pair (3) or planted clip (1)")
    sub.add_argument(
        "--parts",
        default="where,when,transplants",
        help="of the work on pairs: where, when, transplants, attack",
    )
    sub.add_argument("--attack", choices=("quick", "full"), default="quick", help="its budget")
    sub.add_argument("--fresh", action="store_true", help="do again what the file already has")
    sub.add_argument(
        "--gallery",
        type=Path,
        action="append",
        help="genuine clip of other people, for references; default: the samples",
    )
    sub.add_argument(
        "--known-originals",
        action="store_true",
        help="take other seconds of each original as known to be genuine: the best case",
    )
    batch.add_workers(sub)
    sub.add_argument("--detector", default="seamnet", help=DETECTOR_HELP)
    sub.add_argument("--device", choices=DEVICES, default="auto")
    sub.add_argument("--seed", type=int, default=0)

    sub = command("plant", _plant, "forge a known region of a clip for a known time")
    sub.add_argument("clip", type=Path)
    sub.add_argument("--out", type=Path, required=True, help="H.264 file to write")
    sub.add_argument("--regions", default="", help="forged parts: names, separated by commas")
    sub.add_argument("--from", dest="start", type=float, required=True, metavar="SECONDS")
    sub.add_argument("--to", dest="end", type=float, required=True, metavar="SECONDS")
    sub.add_argument("--kind", default="blend")
    sub.add_argument("--strength", type=float, default=1.0)
    sub.add_argument("--decoys", default="", help="parts that get a harmless edit")
    sub.add_argument("--decoy", default="light", metavar="KIND", help="light, freckles or mark")
    sub.add_argument(
        "--paste", type=Path, metavar="FAKE", help="take the parts from this forgery of the clip"
    )
    sub.add_argument("--crop-x", type=int, default=0, help="columns left of the forgery's first")
    sub.add_argument("--seed", type=int, default=0)

    sub = command("train", _train, "train SeamNet from folders of genuine faces")
    sub.epilog, sub.formatter_class = study.help_of_train(), argparse.RawTextHelpFormatter
    sub.add_argument(
        "--network",
        choices=("small", "clip-head"),
        default="small",
        help="the small network, or the heads of the large one on its frozen body",
    )
    sub.add_argument(
        "--faces",
        action="append",
        required=True,
        metavar="DIR[:WEIGHT]",
        help="folder of pictures with one face each, and how often it is drawn; may be repeated",
    )
    sub.add_argument("--out", type=Path, help="default: runs/seamnet[-small].safetensors")
    sub.add_argument("--work", type=Path, default=Path("runs/train"), help="checkpoints; resumes")
    sub.add_argument("--start", type=Path, help="weights to go on from (default: ImageNet body)")
    sub.add_argument("--steps", type=int)
    sub.add_argument("--rate", type=float, help="highest learning rate")
    sub.add_argument("--pairs", type=int, help="training pairs per step")
    sub.add_argument("--patch-weight", type=float, help="of the patches' loss; 0 = without")
    sub.add_argument("--order-weight", type=float, help="of the order within a pair; 0 = without")
    sub.add_argument("--seed", type=int)
    sub.add_argument("--workers", type=int)
    sub.add_argument("--threshold", type=float, help="default: from genuine validation faces")
    sub.add_argument("--device", choices=DEVICES, default="auto")
    head = sub.add_argument_group("with --network clip-head")
    head.add_argument(
        "--clips",
        action="append",
        default=[],
        metavar="CSV[:WEIGHT]",
        help="published clips to train on as well: path, label, dataset, method; may be repeated",
    )
    head.add_argument(
        "--under",
        action="append",
        default=[],
        metavar="PREFIX",
        help="of the lists, only clips whose path begins so; may be repeated",
    )
    head.add_argument(
        "--leave-out",
        action="append",
        default=[],
        metavar="PAGE",
        help="a dataset of the lists that is not trained on, to test on it; may be repeated",
    )
    head.add_argument("--clip-weight", type=float, help="of genuine clips, in the first head")
    head.add_argument("--tune-weight", type=float, help="of all clips, in the second head")
    head.add_argument("--tune-steps", type=int, help="of the second head, on forged clips as well")
    head.add_argument("--blends", type=int, help="pairs of self-blends")
    head.add_argument("--blocks", help="of the body that are read, for example 4,6,8,10")
    head.add_argument("--small-weight", type=float, help="part of the small network; 0 = none")
    head.add_argument("--hidden", type=int, help="units of each head")
    head.add_argument("--tau", type=float, help="sharpness of the pooling over patches")

    sub = command("speed", _speed, "measure seconds per stage and memory of the process tree")
    sub.add_argument("clip", type=Path, nargs="?", help="default: the sample cap12_edit")
    sub.add_argument("--runs", type=int, default=3)
    sub.add_argument(
        "--paths", action="store_true", help="how far SeamNet in INT8 and in float32 lie apart"
    )
    sub.add_argument(
        "--explain", action="store_true", help="what an explanation costs, beside Captum's sampling"
    )
    sub.add_argument("--device", choices=DEVICES, default="auto")
    sub.add_argument("--out", type=Path, help="JSON file")

    cli_case.add_commands(command, TerminalLine, _frames)
    weights.add_commands(command)
    detector.add_commands(command)
    studies = study.add_commands(command)
    text = "files as people have them: what is right for each, and what comes out"
    sub = studies.add_parser("files", help=text, description=text)
    sub.set_defaults(run=_study)
    sub.add_argument("--rows", default="", help="of the table, separated by commas; default: all")
    sub.add_argument(
        "--clips",
        type=Path,
        metavar="DIR",
        help="folder of genuine clips, for rows that need one; default: ../shared/data/clips/real",
    )
    sub.add_argument("--device", choices=DEVICES, default="auto")
    sub.add_argument("--out", type=Path, help="JSON file")
    command("doctor", _doctor, "tell what is installed and whether it is in order")
    return parser


def _frames(text: str) -> int:
    number = int(text)
    if not FRAMES_MIN <= number <= FRAMES_MAX:
        msg = f"{number} is not between {FRAMES_MIN} and {FRAMES_MAX}"
        raise argparse.ArgumentTypeError(msg)
    return number


def _write_json(path: Path, content: Any) -> None:
    from toolkit.files import atomic_write

    path.parent.mkdir(parents=True, exist_ok=True)
    atomic_write(path, json.dumps(content, indent=1, allow_nan=False) + "\n")


def _check_writable(folder: Path) -> None:
    """Write a file in a folder to come, and undo it all: what is wrong there can be said now."""
    from toolkit.files import atomic_path

    new = [place for place in (folder, *folder.parents) if not place.exists()]
    folder.mkdir(parents=True, exist_ok=True)
    try:
        with suppress(_Checked), atomic_path(folder / "report.json") as temporary:
            temporary.write_bytes(b"0")
            raise _Checked
    finally:
        for place in new:
            place.rmdir()


class _Checked(Exception):  # noqa: N818 - ends a trial without leaving a file
    pass


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
    if options.person and not (options.known or options.known_seconds):
        remedy = "Give --known or --known-seconds too, or leave it out."
        raise UsageError("--person says whom to compare", options.person, remedy)
    # what can be refused is refused before the work, not after it
    if options.known_seconds and not options.known_seconds[0] < options.known_seconds[1]:
        value = "--known-seconds {:g} {:g}".format(*options.known_seconds)
        raise UsageError("there are no such seconds", value, "Choose a start before the end.")
    if options.known:
        media.probe(options.known)
    _check_writable(out)
    with TerminalLine() as progress:
        seen = pipeline.examine(
            options.video, explain=not options.no_explain, tick=progress, **asked
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
        _write_json(run, pipeline.run_facts(seen.report))
        _write_json(result, pipeline.to_dict(seen.report))
    (out / "comparison.json").unlink(missing_ok=True)  # it would be about another report
    for notice in seen.report.notices:
        if notice.code.startswith("stand_in"):
            print(notice.text(), file=sys.stderr)
    verdict, *more = figures.answer_lines(seen.report)
    print(verdict)  # one line, for scripts; what people want to know besides is not on stdout
    print("\n".join([*more, f"Report: {out / 'report.html'}"]), file=sys.stderr)
    if options.known or options.known_seconds:
        from toolkit.verdict import comparison

        known = None
        if options.known:
            with TerminalLine() as progress:
                known = pipeline.examine(options.known, explain=False, tick=progress, **asked)
        seconds = tuple(options.known_seconds) if options.known_seconds else None
        found = comparison.compare(seen, known, seconds=seconds, person=options.person)
        _write_json(out / "comparison.json", comparison.to_dict(found, seen, known))
        print("\n".join(figures.comparison_sentences(found)))
    return 0


def _benchmark(options: argparse.Namespace) -> int:
    from toolkit.evaluation.verdicts import benchmark as verdicts
    from toolkit.evaluation.verdicts import model_card, page, risk_coverage
    from toolkit.storage.cache import Cache
    from toolkit.training import train

    others = [page.read(path) for path in options.compare]
    if options.robustness and (options.reshare or others):
        raise UsageError("--robustness goes along its own chains", "", "Leave the others out.")
    clips = verdicts.read_list(options.clips)
    chains = ["", *verdicts.ROBUSTNESS] if options.robustness else [options.reshare]
    results = []
    with batch.workers_of(options) as workers, TerminalLine() as progress:
        folder = workers.cache_folder
        keep = Cache(folder, limit_bytes=verdicts.CACHE_BYTES) if folder else None
        for chain in chains:
            workers.read([clip.path for clip in clips], options, chain, verdicts.CACHE_BYTES)
            result = verdicts.benchmark(
                clips,
                detectors=[n for n in options.detectors.split(",") if n],
                chain=chain,
                imagenet=train.new_network,
                device=options.device,
                sampling=Sampling(frames=options.frames),
                seed=options.seed,
                cache=keep,
                tick=progress,
            )
            results.append(result)
            name = f"-{chain.replace(',', '-')}" if options.robustness and chain else ""
            _write_json(options.out.with_name(f"{options.out.stem}{name}.json"), result)
            if options.robustness:
                text = _("{n} of {total}: {chain}")
                shown = chain or _("as it is")
                progress.write(text.format(n=len(results), total=len(chains), chain=shown))
    first, *further = results
    everything = [first, *others, *further]
    judges = [n for n, s in first["summary"].items() if s["threshold"] is not None]
    first["coverage"] = {n: risk_coverage.curves(everything, n) for n in judges}
    _write_json(options.out, first)
    page.write(first, options.out.with_suffix(".html"), others=[*others, *further])
    print(verdicts.table(first))
    if further:
        print(verdicts.chains_table(results))
    for name in judges:
        print(f"{name}: errors of forced decisions on the clips that a limit leaves")
        print(risk_coverage.table(first["coverage"][name]))
    if options.card:
        found = model_card.record(options.card, first)
        text = _("held back: {n} of {total} genuine clips called forged")
        print(text.format(n=found.called_forged, total=found.genuine))
    return 0


def _explain_benchmark(options: argparse.Namespace) -> int:
    from toolkit import samples
    from toolkit.evaluation.explanations import benchmark as explanations
    from toolkit.evaluation.explanations import tables

    if (options.pairs is None) == (options.planted is None):
        raise UsageError("give a list of pairs, or --planted", "", "One of the two.")
    if options.planted is not None and options.known_originals:
        raise UsageError("planted clips have no originals", "--known-originals", "Leave it out.")
    shipped = [samples.path(n) for n in samples.names(present=True) if n != samples.planted().id]
    methods = [n for n in options.methods.split(",") if n]
    gallery = shipped if options.gallery is None else options.gallery
    settings: dict[str, Any] = {
        "detector": options.detector,
        "device": options.device,
        "seed": options.seed,
    }
    if options.planted is not None:
        clips = options.planted or shipped
        settings["methods"] = methods or list(explanations.PLANTED_METHODS)
        settings["faces"] = 1 if options.faces is None else options.faces
        items = [str(clip) for clip in clips]
    else:
        pairs = explanations.read_pairs(options.pairs)
        settings["methods"] = methods
        settings["faces"] = explanations.FACES if options.faces is None else options.faces
        settings["parts"] = [p for p in options.parts.split(",") if p]
        settings["budget"] = options.attack
        settings["known"] = options.known_originals
        items = [f"{options.pairs}:{number}" for number in range(len(pairs))]
    is_graded = batch.grade(options, items, settings | {"gallery": [str(p) for p in gallery]})
    with TerminalLine() as progress:
        common: dict[str, Any] = settings | {
            "gallery": gallery,
            "out": options.out,
            "fresh": options.fresh and not is_graded,
            "on_result": lambda unit: progress.write(_finished(unit)),
            "tick": progress,
        }
        if options.planted is not None:
            result = explanations.planted(clips, **common)
        else:
            result = explanations.benchmark(pairs, **common)
    show = tables.table if options.planted is None else tables.planted_table
    print(show(result))
    return 0


def _plant(options: argparse.Namespace) -> int:
    from toolkit.forge import plant, transplant

    regions = [r for r in options.regions.split(",") if r]
    span = {"start_s": options.start, "end_s": options.end}
    with TerminalLine() as progress:
        if options.paste is not None:
            pair = transplant.align(
                options.clip, options.paste, crop_x=options.crop_x, tick=progress
            )
            truth = transplant.transplant(pair, options.out, regions=regions, **span, tick=progress)
        else:
            if not regions and not options.decoys:
                raise UsageError("nothing to plant", "", "Name --regions or --decoys.")
            truth = plant.plant(
                options.clip,
                options.out,
                regions=regions,
                **span,
                kind=options.kind,
                strength=options.strength,
                seed=options.seed,
                decoys=[r for r in options.decoys.split(",") if r],
                decoy_kind=options.decoy,
                tick=progress,
            )
    text = (
        "{name}: {n} frames forged, {start:.2f} to {end:.2f} s"
        if truth.regions
        else "{name}: {n} frames edited harmlessly, {start:.2f} to {end:.2f} s"
    )
    values: dict[str, Value] = {"name": str(options.out), "n": truth.frames}
    said = Message("planted", text, values | {"start": truth.start_s, "end": truth.end_s})
    print(said.text())
    return 0


def _train(options: argparse.Namespace) -> int:
    from dataclasses import replace

    from toolkit.training import train
    from toolkit.training.data import parse_folder

    train.with_allocator()
    if options.network == "clip-head":
        return _train_heads(options)
    options.out = options.out or Path("runs/seamnet-small.safetensors")
    faces = [parse_folder(text) for text in options.faces]
    names = ("steps", "rate", "pairs", "patch_weight", "order_weight", "seed")
    given = {name: getattr(options, name) for name in names}
    recipe = replace(train.TrainingRecipe(), **{k: v for k, v in given.items() if v is not None})
    train.train(
        faces,
        options.out,
        options.work,
        recipe,
        start=options.start,
        device=options.device,
        workers=options.workers,
        threshold=options.threshold,
    )
    print(options.out)
    return 0


def _train_heads(options: argparse.Namespace) -> int:
    from dataclasses import replace

    from toolkit.training import clip_head
    from toolkit.training.data import parse_folder
    from toolkit.training.tokens import read_clips

    foreign = ("start", "workers")
    if given := [name for name in foreign if getattr(options, name) is not None]:
        raise UsageError("this is for the small network", f"--{given[0]}", "Leave it out.")
    of_both = ("steps", "rate", "pairs", "patch_weight", "order_weight", "seed")
    own = ("clip_weight", "tune_weight", "tune_steps", "blends", "small_weight", "hidden", "tau")
    names = (*of_both, *own)
    changes = {n: getattr(options, n) for n in names if getattr(options, n) is not None}
    if options.blocks:
        changes["blocks"] = _blocks(options.blocks)
    out = options.out or Path("runs/seamnet.safetensors")
    with TerminalLine() as progress:
        lists = [parse_folder(text) for text in options.clips]
        clips = read_clips(lists, under=options.under, leave_out=options.leave_out)
        facts = clip_head.train(
            [parse_folder(text) for text in options.faces],
            clips,
            out,
            options.work,
            replace(clip_head.HeadRecipe(), **changes),
            threshold=options.threshold,
            tick=progress,
        )
    fresh = facts["validation"]
    print(
        f"{out}: on {fresh['pairs']} self-blends of other people, AUC {fresh['auc']:.3f}, "
        f"{fresh['in_order']:.0%} of pairs in order; threshold {facts['threshold']:+.2f}"
    )
    return 0


def _blocks(text: str) -> tuple[int, ...]:
    parts = text.split(",")
    if not all(p.strip().isdigit() for p in parts):
        raise UsageError("these are no blocks", text, "For example 4,6,8,10.")
    return tuple(sorted({int(p) for p in parts}))


def _speed(options: argparse.Namespace) -> int:
    from toolkit import samples
    from toolkit.evaluation.studies import speed

    if options.explain:
        from toolkit.evaluation.explanations import cost

        clip = options.clip or samples.path(samples.planted().id)
        result = cost.measure(clip, device=options.device)
        print("\n".join(cost.lines(result)))
        if options.out:
            _write_json(options.out, result)
        return 0
    clip = options.clip or samples.path("cap12_edit")
    if options.paths:
        with TerminalLine() as progress:
            gap = speed.paths(clip, tick=progress)
        print(
            f"{gap['crops']} crops: logits {gap['median']:.2f} apart in the median, "
            f"{gap['q95']:.2f} in 95 %, {gap['largest']:.2f} at most; the same verdict on "
            f"{gap['same_verdict']:.1%}"
        )
        if options.out:
            _write_json(options.out, gap)
        return 0
    result = speed.measure(clip, runs=options.runs, device=options.device)
    for row in result["runs"]:
        stages = ", ".join(f"{k} {v:.2f}" for k, v in row["stages"].items())
        print(f"{row['total_s']:.2f} s, {row['peak_mb']:.0f} MB ({stages})")
    print(f"median {result['median_total_s']:.2f} s, peak {result['peak_mb']:.0f} MB")
    for name, crop in result["crop_ms"].items():
        print(
            f"{name}: {crop['analysis']:.1f} ms per face crop ({crop['cpu']:.1f} ms of processor "
            f"time), {crop['explanation']:.1f} ms while explaining, {crop['batch']} at a time"
        )
    print(f"import toolkit: {result['import_s']:.3f} s")
    if options.out:
        _write_json(options.out, result)
    return 0


def _study(options: argparse.Namespace) -> int:
    from toolkit.evaluation.studies import files as study_files

    wanted = [name for name in options.rows.split(",") if name]
    rows = []
    for row in study_files.run(wanted, clips=options.clips, device=options.device):
        print(study_files.line(row), flush=True)
        rows.append(row)
    print(study_files.summary(rows))
    if options.out:
        _write_json(options.out, {"rows": rows})
    return 0 if all(row["ok"] is not False for row in rows) else 1


def _doctor(_options: argparse.Namespace) -> int:
    from toolkit.cli import doctor

    lines, healthy = doctor.examine()
    print("\n".join(lines))
    return 0 if healthy else EXIT_INSTALLATION
