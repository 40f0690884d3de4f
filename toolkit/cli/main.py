"""``python -m toolkit ...``: the same calls as the notebooks make.

Exit codes: 0 = done (a verdict or an abstention), 2 = usage, 3 = input refused, 4 = the
installation is not in order, 130 = cancelled.
"""

from __future__ import annotations

import argparse
import signal
import sys
from collections.abc import Sequence
from contextlib import redirect_stdout
from types import FrameType
from typing import Any, TextIO, cast

from toolkit import __version__, _i18n
from toolkit._i18n import N_, _
from toolkit.cli import analyse, batch, detector, evaluate, plant, study, train, weights
from toolkit.cli import case as cli_case
from toolkit.cli.common import DETECTOR_HELP, frames, stage_line
from toolkit.errors import (
    Cancelled,
    DetectorError,
    FetchError,
    ModelError,
    ToolkitError,
    UsageError,
    VideoError,
)
from toolkit.messages import shown

EXIT_USAGE, EXIT_REFUSED, EXIT_INSTALLATION, EXIT_CANCELLED = 2, 3, 4, 130

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

    analyse.add_commands(command)
    batch.add_command(command, frames, DETECTOR_HELP)
    evaluate.add_benchmark(command)
    evaluate.add_explain_benchmark(command)
    plant.add_commands(command)
    train.add_commands(command)
    evaluate.add_speed(command)
    cli_case.add_commands(command, stage_line)
    weights.add_commands(command)
    detector.add_commands(command)
    evaluate.add_files(study.add_commands(command))
    command("doctor", _doctor, "tell what is installed and whether it is in order")
    return parser


def _doctor(_options: argparse.Namespace) -> int:
    from toolkit.cli import doctor

    lines, healthy = doctor.examine()
    print("\n".join(lines))
    return 0 if healthy else EXIT_INSTALLATION
