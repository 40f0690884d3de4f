"""``python -m toolkit swap``: make an expression-matched face swap that says it is one."""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from toolkit.errors import (
    ToolkitError,
    UsageError,
)
from toolkit.forge import expression, marks
from toolkit.forge.swap.clip import SECONDS_MAX, Made, read_performance, swap
from toolkit.forge.swap.recipe import BLENDINGS, BREAKS, COLOURS, MOUTHS, USUAL, SwapRecipe, broken
from toolkit.messages import text_of


def main(argv: Sequence[str] | None = None) -> int:
    """Put one person's face on another's performance; see the module's text."""
    parser = argparse.ArgumentParser(prog="python -m toolkit swap", description=main.__doc__)
    parser.add_argument("target", metavar="TARGET", help="sample or video: its expression is kept")
    parser.add_argument(
        "--faces", required=True, metavar="SOURCE", help="sample, video or folder: its face is used"
    )
    parser.add_argument("--out", required=True, metavar="synthetic_NAME.mp4")
    parser.add_argument("--from", type=float, default=0.0, dest="start", metavar="S")
    parser.add_argument("--to", type=float, default=None, dest="end", metavar="S")
    parser.add_argument("--per-second", type=float, default=5.0, help="gallery frames per second")
    parser.add_argument("--break", choices=BREAKS, default="none", dest="step", help="spoil a step")
    parser.add_argument("--blend", choices=BLENDINGS, default=USUAL.blend)
    parser.add_argument("--colour", choices=COLOURS, default=USUAL.colour)
    parser.add_argument("--mouth", choices=MOUTHS, default=USUAL.mouth)
    parser.add_argument("--jump", type=float, default=USUAL.jump, help="cost of changing picture")
    parser.add_argument("--crf", type=int, default=USUAL.crf)
    parser.add_argument(
        "--consent",
        action="store_true",
        help="everybody who can be seen agreed to it (not needed for the samples)",
    )
    options = parser.parse_args(argv)
    try:
        recipe = SwapRecipe(
            blend=options.blend,
            colour=options.colour,
            mouth=options.mouth,
            jump=options.jump,
            crf=options.crf,
        )
        made, seconds = _command(options, broken(recipe, options.step))
    except UsageError as error:
        print(f"swap: {text_of(error)}", file=sys.stderr)
        return 2
    except (ToolkitError, OSError) as error:
        print(f"swap: {text_of(error)}", file=sys.stderr)
        return 3
    print(
        f"{made.path}: {made.forged} of {made.frames} frames forged, {made.jumps} jumps, "
        f"mean distance {np.nanmean(made.distances):.2f}, "
        f"{made.frames / seconds:.1f} frames per second"
    )
    if not made.place.is_clear:
        print("the label lies inside a face crop: no other place was free")
    return 0


def _command(options: argparse.Namespace, recipe: SwapRecipe) -> tuple[Made, float]:
    marks.check_out(options.out)
    target, source = (marks.sample_path(t) or Path(t) for t in (options.target, options.faces))
    for path in (target, source):
        marks.refuse_case(path)
    gallery = (
        expression.read_folder(source)
        if source.is_dir()
        else expression.read_clip(source, per_second=options.per_second)
    )
    start = time.perf_counter()
    end = options.start + SECONDS_MAX if options.end is None else options.end
    performance = read_performance(target, start_s=options.start, end_s=end)
    made = swap(performance, gallery, options.out, recipe=recipe, consent=options.consent)
    return made, time.perf_counter() - start
