"""``study pages``: train without each page of forgeries in turn, and judge it."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path

from toolkit.detectors.seamnet_clip import TOP_PART
from toolkit.errors import ToolkitError
from toolkit.evaluation.verdicts import pages as figures
from toolkit.evaluation.verdicts.benchmark import read_list
from toolkit.files import atomic_write
from toolkit.jobs import TerminalLine
from toolkit.training import pages
from toolkit.training.clip_head import HeadRecipe
from toolkit.training.data import parse_folder


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; return its exit code."""
    parser = argparse.ArgumentParser(prog="python -m toolkit study pages", description=__doc__)
    parser.add_argument("clips", type=Path, help="CSV: path, label, dataset, method, ...")
    parser.add_argument("--faces", action="append", required=True, metavar="DIR[:WEIGHT]")
    parser.add_argument(
        "--under", action="append", required=True, metavar="PREFIX", help="paths that may train"
    )
    parser.add_argument("--out", type=Path, required=True, help="JSON")
    parser.add_argument("--work", type=Path, default=Path("runs/train"), help="tokens; resumes")
    for name in ("blends", "steps", "tune-steps", "seed"):
        parser.add_argument(f"--{name}", type=int)
    parser.add_argument("--blocks", help="of the body, for example 4,6,8")
    options = parser.parse_args(argv)
    given = {n: getattr(options, n) for n in ("blends", "steps", "tune_steps", "seed")}
    changes: dict[str, object] = {n: v for n, v in given.items() if v is not None}
    try:
        if options.blocks:
            changes["blocks"] = tuple(int(b) for b in options.blocks.split(","))
        recipe = replace(HeadRecipe(), **changes)  # type: ignore[arg-type]  # names are those above
        clips = read_list(options.clips)
        options.out.parent.mkdir(parents=True, exist_ok=True)
        with TerminalLine() as tick:
            rows = pages.judge(
                [parse_folder(f) for f in options.faces],
                options.clips,
                options.work,
                recipe,
                under=options.under,
                tick=tick,
            )
        result = figures.summarise(rows, clips, part=TOP_PART)
        content = {"schema": figures.SCHEMA, "recipe": asdict(recipe), **result, "clips": rows}
        atomic_write(options.out, json.dumps(content, indent=1) + "\n")
    except (ToolkitError, OSError, ValueError) as error:
        print(error, file=sys.stderr)
        return 1
    print("\n".join(figures.lines(result)))
    return 0
