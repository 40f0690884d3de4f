"""Commands that are handed on whole: studies, what training needs beside `train`, and swaps.

Each has its own `main` in the module that does the work; here is only where it stands in the tree.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from importlib import import_module
from typing import Any

Command = Callable[[str, Any, str], argparse.ArgumentParser]

COMMANDS: dict[tuple[str, ...], tuple[str, str]] = {
    ("study", "two-persons"): (
        "toolkit.evaluation.studies.two_persons",
        "a genuine and a forged person in one re-shared clip: are they kept apart?",
    ),
    ("study", "known-genuine"): (
        "toolkit.evaluation.studies.known_genuine",
        "what a recording that is known to be genuine adds to a verdict",
    ),
    ("study", "detector-check"): (
        "toolkit.evaluation.studies.detector_checks",
        "are mistakes in reading a foreign detector found, and right ones let through?",
    ),
    ("study", "clip-routes"): (
        "toolkit.evaluation.studies.clip_routes",
        "CLIP's real tower with a head, through three routes: the same logits?",
    ),
    ("study", "swaps"): (
        "toolkit.evaluation.studies.swaps",
        "how well swapped expressions fit, and whether the detector sees such swaps",
    ),
    ("study", "frame-rules"): (
        "toolkit.training.frame_rules",
        "ways to sum up frames, on clips forged in part, at equal false alarms",
    ),
    ("study", "batch-kills"): (
        "toolkit.batch.study_kills",
        "kill a batch of made-up files at random moments: exactly one row for each file?",
    ),
    ("study", "batch-speed"): (
        "toolkit.batch.study_speed",
        "two workers against one, and what the machine itself could give",
    ),
    ("study", "triage"): (
        "toolkit.batch.study_triage",
        "how fast a triage page of 100,000 rows opens, and in how much memory",
    ),
    ("study", "class"): (
        "toolkit.classroom.study",
        "twenty browsers on one app: does each get its own verdict, and only its own?",
    ),
    ("study", "fuzz"): (
        "toolkit.hardening.fuzz",
        "thousands of spoilt files: does anything crash, hang, leak or go missing without a word?",
    ),
    ("study", "waiting"): (
        "toolkit.widgets.study_waiting",
        "what the bar of each long job promised, against what happened",
    ),
    ("study", "pages"): (
        "toolkit.cli.pages",
        "what is found on each page of forgeries when it is left out of training",
    ),
    ("study", "hostile"): (
        "toolkit.hardening.hostile",
        "hostile and awkward files along every road: what is right for each, and what comes out",
    ),
    ("train", "average"): (
        "toolkit.training.average",
        "the mean of runs that went on from each other, with its own threshold",
    ),
    ("train", "frames"): (
        "toolkit.training.frames",
        "cut training pictures out of genuine videos",
    ),
    ("train", "calibrate"): (
        "toolkit.training.calibrate",
        "fit a likelihood ratio on faces kept from training",
    ),
    ("sbom",): (
        "toolkit.hardening.sbom",
        "list what is installed, with licences: a CycloneDX file and a text",
    ),
    ("swap",): ("toolkit.forge.swap", "make an expression-matched face swap that says it is one"),
}
"""Words of the command, the module whose `main` takes the rest, and its help."""


def find(argv: Sequence[str]) -> Callable[[], int] | None:
    """Return what runs a command that is handed on; None for any other."""
    for words, (module, _help) in COMMANDS.items():
        if tuple(argv[: len(words)]) == words:
            rest = list(argv[len(words) :])
            return lambda module=module, rest=rest: int(import_module(module).main(rest) or 0)  # type: ignore[misc]
    return None


def add_commands(command: Command) -> Any:
    """Add the commands to the parser, for its help and for a word that is none of them.

    Returns
    -------
    subparsers
        To which further studies may be added.
    """
    whole = command("study", None, "questions about the method itself; each tells its own --help")
    whole.set_defaults(run=lambda _options: whole.error("name the study"))
    verbs = whole.add_subparsers(dest="verb", metavar="STUDY")
    for words, (_module, text) in COMMANDS.items():
        if words[0] == "study":
            verbs.add_parser(words[1], help=text)
    for name in ("sbom", "swap"):
        command(name, None, COMMANDS[name,][1])
    return verbs


def help_of_train() -> str:
    """Return what stands below the help of `train`."""
    lines = [f"  train {w[1]:<12}{text}" for w, (_m, text) in COMMANDS.items() if w[0] == "train"]
    return "\n".join(["more, each with its own --help:", *lines])
