"""``plant``: forge a known region of a clip for a known time."""

from __future__ import annotations

import argparse
from pathlib import Path

from toolkit.cli.common import Command
from toolkit.errors import UsageError
from toolkit.jobs import TerminalLine
from toolkit.messages import Message, Value


def add_commands(command: Command) -> None:
    """Add the command."""
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
    message = Message("planted", text, values | {"start": truth.start_s, "end": truth.end_s})
    print(message.text())
    return 0
