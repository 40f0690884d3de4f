"""``python -m toolkit case ...`` and ``verify``: casework from the command line."""

from __future__ import annotations

import argparse
import re
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from toolkit import _i18n
from toolkit._i18n import _
from toolkit.cli.common import Command, frames
from toolkit.errors import UsageError
from toolkit.runtime import DEVICES
from toolkit.types import Sampling

if TYPE_CHECKING:
    from toolkit.casework.case import Case, Exhibit

EXIT_DIFFERS = 4

Progress = Callable[[], AbstractContextManager[Any]]


def add_commands(command: Command, progress: Progress) -> None:
    """Add the commands to the parser.

    Parameters
    ----------
    command
        Adds one command: name, what runs it, help.
    progress
        Gives a `Tick` that shows progress within a ``with`` block.
    """
    whole = command("case", None, "work on a case: take in, analyse, note, report")
    whole.set_defaults(run=lambda _options: whole.error("name what to do"))
    verbs = whole.add_subparsers(dest="verb", metavar="VERB")

    def verb(name: str, run: Any, text: str) -> argparse.ArgumentParser:
        sub = verbs.add_parser(name, help=text, description=text)
        sub.set_defaults(run=lambda options: run(options, progress))
        add_language(sub)
        return sub

    _add_new(verb)
    _add_add(verb)
    _add_analyse(verb)
    _add_note(verb)
    _add_reshare(verb)
    _add_compare(verb)
    _add_report(verb)
    _add_show(verb)
    _add_sign(verb)
    _add_key(verb)
    _add_verify(command, progress)


def _add_new(verb: Command) -> None:
    sub = verb("new", _new, "make a case in a new folder")
    _folder(sub)
    for name, text in (
        ("title", "what the case is about"),
        ("examiner", "who examines it"),
        ("role", "as what"),
        ("legal-basis", "why these faces may be processed"),
        ("retention", "how long the case is kept"),
    ):
        sub.add_argument(f"--{name}", default="", help=text)


def _add_add(verb: Command) -> None:
    sub = verb("add", _add, "take a file in and analyse it")
    _folder(sub)
    sub.add_argument("file", type=Path)
    sub.add_argument("--exhibit", help="what to call it; default: the next of E1, E2, ...")
    for name, text in (
        ("received-from", "who handed it over"),
        ("received-by", "who received it; default: the examiner"),
        ("received-at", "when, in your words"),
        ("how", "how it came, for example by e-mail"),
        ("source", "address it was published at; kept as text"),
    ):
        sub.add_argument(f"--{name}", default="", help=text)
    sub.add_argument(
        "--by-reference",
        action="store_true",
        help="keep the original where it is; the case holds its hash and a working copy",
    )
    _how(sub)


def _add_analyse(verb: Command) -> None:
    sub = verb("analyse", _analyse, "analyse an exhibit, perhaps again with other settings")
    _folder(sub)
    sub.add_argument("--exhibit")
    _how(sub)


def _add_note(verb: Command) -> None:
    sub = verb("note", _note, "write down what a person thinks")
    _folder(sub)
    sub.add_argument("--exhibit")
    sub.add_argument("--by", default="", help="who says so; default: the examiner")
    sub.add_argument("--text", default="", help="in your own words")
    sub.add_argument("--frames", type=_spans, default=(), metavar="120,130-140")
    sub.add_argument("--region", action="append", default=[], help="may be repeated")
    sub.add_argument("--from", dest="start", type=float, metavar="SECONDS")
    sub.add_argument("--to", dest="end", type=float, metavar="SECONDS")
    sub.add_argument("--question", default="", help="what the report should answer")
    sub.add_argument("--h1", default="", help="first proposition; give --h2 too")
    sub.add_argument("--h2", default="", help="its counterpart")
    sub.add_argument(
        "--alternative",
        default="",
        metavar="NAME=STATE",
        help="another explanation, and tested, not_tested or not_testable; how in --text",
    )
    sub.add_argument("--opinion", default="", help="what you make of the findings")
    sub.add_argument("--review", default="", help="by a colleague; name them with --by")
    sub.add_argument("--conflict", default="", help="conflict of interest, or that there is none")


def _add_reshare(verb: Command) -> None:
    sub = verb("reshare", _reshare, "try whether the verdict holds after further re-shares")
    _folder(sub)
    sub.add_argument("--exhibit")
    sub.add_argument(
        "--chain", action="append", default=[], help="e.g. crop10,scale480,crf28; may be repeated"
    )
    sub.add_argument("--device", choices=DEVICES, default="auto")


def _add_compare(verb: Command) -> None:
    sub = verb("compare", _compare, "lay a re-share on its presumed source")
    _folder(sub)
    sub.add_argument("--source", required=True, metavar="EXHIBIT")
    sub.add_argument("--reshare", required=True, metavar="EXHIBIT")


def _add_report(verb: Command) -> None:
    sub = verb("report", _report, "make HTML, PDF and JSON that may leave the case")
    _folder(sub)
    sub.add_argument(
        "--reveal",
        action="append",
        default=[],
        metavar="PERSON",
        help="show this person's face: A, or E1:A; logged; may be repeated",
    )
    sub.add_argument("--no-video", action="store_true", help="put no video into the HTML")
    sub.add_argument(
        "--name-source",
        action="store_true",
        help="print file names, senders and addresses although persons are covered; logged",
    )


def _add_show(verb: Command) -> None:
    sub = verb("show", _show, "list exhibits and steps, and print the head of the log")
    _folder(sub)


def _add_sign(verb: Command) -> None:
    sub = verb("sign", _sign, "sign the head of the log")
    _folder(sub)
    sub.add_argument("--key", type=Path, required=True, help="Ed25519 private key, PEM")


def _add_key(verb: Command) -> None:
    sub = verb("key", _key, "make an Ed25519 key to sign with")
    sub.add_argument("file", type=Path)


def _add_verify(command: Command, progress: Progress) -> None:
    sub = command("verify", None, "check a case or a report: hashes, log, and the analysis again")
    sub.set_defaults(run=lambda options: _verify(options, progress))
    sub.add_argument("case", type=Path, help="folder of a case, or of a report, or its ZIP")
    sub.add_argument("--hashes-only", action="store_true", help="do not analyse again")
    sub.add_argument("--head", help="the head that a report prints")
    sub.add_argument("--key", help="public key of a signature, 64 hexadecimal digits")
    sub.add_argument("--original", type=Path, help="with a report: its exhibit, to analyse again")


def add_language(sub: argparse.ArgumentParser) -> None:
    """Let the language stand after the command as well; not given there, that before it holds."""
    sub.add_argument("--language", choices=_i18n.LANGUAGES, default=argparse.SUPPRESS)


def _folder(sub: argparse.ArgumentParser) -> None:
    sub.add_argument("case", type=Path, metavar="DIR")


def _how(sub: argparse.ArgumentParser) -> None:
    sub.add_argument("--detector", default="seamnet")
    sub.add_argument("--device", choices=DEVICES, default="auto")
    sub.add_argument("--frames", type=frames, help="moments per person; default: by length")
    sub.add_argument("--seed", type=int, default=0)
    sub.add_argument(
        "--no-trust", action="store_true", help="do not test the explanation: a minute less"
    )


def _spans(text: str) -> tuple[tuple[int, int], ...]:
    spans = []
    for part in text.split(","):
        span = re.fullmatch(r"\s*(\d+)(?:\s*-\s*(\d+))?\s*", part)
        if span is None:
            msg = f"{part!r} is neither a frame nor a range of frames"
            raise argparse.ArgumentTypeError(msg)
        first = int(span[1])
        spans.append((first, int(span[2] or first)))
    return tuple(spans)


def _open(options: argparse.Namespace) -> Case:
    from toolkit.casework.case import Case

    return Case(options.case)


def _new(options: argparse.Namespace, _progress: Progress) -> int:
    from toolkit.casework import case

    opened = case.create(
        options.case,
        title=options.title,
        examiner=options.examiner,
        role=options.role,
        legal_basis=options.legal_basis,
        retention=options.retention,
    )
    print(f"{opened.folder}: case opened")
    return 0


def _analysis_options(options: argparse.Namespace) -> dict[str, Any]:
    return {
        "detector": options.detector,
        "device": options.device,
        "sampling": Sampling(frames=options.frames),
        "seed": options.seed,
        "trust": not options.no_trust,
    }


def _say_result(case: Case, exhibit: Exhibit) -> None:
    from toolkit import figures
    from toolkit.casework import operations

    report = operations.examination(case, exhibit).report
    print(f"{exhibit.id}: {figures.verdict_sentence(report)}")


def _add(options: argparse.Namespace, progress: Progress) -> int:
    from toolkit.casework import operations

    case = _open(options)
    with progress() as tick:
        taken = operations.add(
            case,
            options.file,
            exhibit=options.exhibit,
            received_from=options.received_from,
            received_by=options.received_by,
            received_at=options.received_at,
            how=options.how,
            source=options.source,
            keep=not options.by_reference,
            tick=tick,
            **_analysis_options(options),
        )
    _say_result(case, taken)
    return 0


def _analyse(options: argparse.Namespace, progress: Progress) -> int:
    from toolkit.casework import operations

    case = _open(options)
    with progress() as tick:
        done = operations.analyse(case, options.exhibit, tick=tick, **_analysis_options(options))
    _say_result(case, done)
    return 0


def _note(options: argparse.Namespace, _progress: Progress) -> int:
    case = _open(options)
    ends = (options.start, options.end)
    if (options.start is None) != (options.end is None):
        raise UsageError("an interval has two ends", "", "Give --from and --to.")
    name, _equals, state = options.alternative.partition("=")
    notes: list[tuple[str, dict[str, Any]]] = []
    if options.alternative:
        alternative = {"alternative": name, "state": state or "not_tested", "text": options.text}
        notes.append(("alternative", alternative))
    elif options.text:
        notes.append(("text", {"text": options.text}))
    if options.h1 or options.h2:
        notes.append(("propositions", {"h1": options.h1, "h2": options.h2}))
    simple = ("question", "opinion", "review", "conflict")
    notes += [(k, {"text": getattr(options, k)}) for k in simple if getattr(options, k)]
    if not notes:
        raise UsageError("there is nothing to write down", "", "Give --text, or another part.")
    about = {
        "exhibit": options.exhibit,
        "by": options.by,
        "frames": options.frames,
        "regions": options.region,
        "interval_s": None if options.start is None else ends,
    }
    for kind, content in notes:
        print(case.note(kind, **about, **content))
    return 0


def _reshare(options: argparse.Namespace, progress: Progress) -> int:
    from toolkit.casework import operations

    with progress() as tick:
        tried = operations.try_reshares(
            _open(options), options.exhibit, chains=options.chain, device=options.device, tick=tick
        )
    print("\n".join(tried.lines()))
    return 0


def _compare(options: argparse.Namespace, progress: Progress) -> int:
    from toolkit.casework import operations

    case = _open(options)
    with progress() as tick:
        alignment = operations.compare(case, options.source, options.reshare, tick=tick)
    print(alignment.line())
    if picture := operations.compared(case)[-1].get("picture"):
        print(case.path(picture["file"]))
    return 0


def _report(options: argparse.Namespace, progress: Progress) -> int:
    from toolkit.casework import publish

    case = _open(options)
    with progress() as tick:
        out = publish.report(
            case,
            language=options.language,
            reveal=options.reveal,
            video=not options.no_video,
            name_source=options.name_source,
            tick=tick,
        )
    print(out)
    print(f"head printed in it: {case.read_json(f'report/{out.name}/report.json')['log']['head']}")
    return 0


def _show(options: argparse.Namespace, _progress: Progress) -> int:
    case = _open(options)
    entries = case.entries()
    for exhibit in case.exhibits():
        state = f"{len(exhibit.analyses)} analyses" if exhibit.analyses else "not analysed"
        print(f"{exhibit.id}  {exhibit.facts['sha256']}  {exhibit.facts['bytes']} bytes  {state}")
    for entry in entries:
        print(f"{entry.n:4d}  {entry.utc}  {entry.event}  {entry.facts.get('exhibit') or ''}")
    print(f"head {case.head}")
    return 0


def _sign(options: argparse.Namespace, _progress: Progress) -> int:
    from toolkit.casework import operations

    print(operations.sign(_open(options), options.key))
    return 0


def _key(options: argparse.Namespace, _progress: Progress) -> int:
    from toolkit.casework import operations

    print(f"public key {operations.new_key(options.file)}")
    return 0


def _verify(options: argparse.Namespace, progress: Progress) -> int:
    from toolkit.casework import verify

    _i18n.set_language(options.language)
    with progress() as tick:
        if options.case.is_dir() and verify.is_case(options.case):
            result = verify.verify(
                options.case,
                hashes_only=options.hashes_only,
                head=options.head,
                public_key=options.key,
                tick=tick,
            )
        else:
            result = verify.verify_bundle(
                options.case, original=options.original, head=options.head, tick=tick
            )
    say(result.differences, result.notes)
    print(_("head of the log: {head}").format(head=result.head))
    return 0 if result.is_intact else EXIT_DIFFERS


def say(differences: Sequence[object], notes: Sequence[str]) -> None:
    """Print what `verify` found."""
    for difference in differences:
        print(difference)
    for note in notes:
        print(f"({note})")
    if not differences:
        print(_("Intact: nothing differs."))
