"""Fit the likelihood ratio on faces that were kept from training.

    python -m toolkit train calibrate --faces DIR[:WEIGHT] [--faces ...] --out FILE.json

No forged clip is needed: clips of known truth are put together as `toolkit.training.stills` says,
and judged as the product judges a clip. What they lack is what real ones have: other cameras, and
forgeries that leave nothing of what the detector looks for. For the latter a share of all forgeries
is set aside that looks genuine to it (`--traceless`); it is an assumption, not a measurement. So
the map must be judged on real clips of other footage before it is shipped; `benchmark` does that
(Cllr, and Cllr less Cllr_min).
"""

from __future__ import annotations

import argparse
import dataclasses
import datetime as dt
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from toolkit.detectors import registry
from toolkit.detectors.base import PatchDetector
from toolkit.errors import OutOfRangeError, ToolkitError, UsageError
from toolkit.jobs import TerminalLine
from toolkit.training.data import Folder, index_folder, parse_folder
from toolkit.training.stills import FACES_HELP, divide, levels, put_together, ups_and_downs
from toolkit.types import Tick, no_tick
from toolkit.verdict import calibration
from toolkit.verdict.aggregate import aggregate, rule_of, rule_text
from toolkit.verdict.calibration import CAP, Calibration

CLIPS = 400  # of each label
TRACELESS = 0.5  # nobody knows; a half says that neither kind of forgery is the rule


def calibrate(
    detector: PatchDetector,
    folders: Sequence[Folder],
    *,
    count: int = CLIPS,
    traceless: float = TRACELESS,
    seed: int = 4,
    date: str = "",
    tick: Tick = no_tick,
) -> Calibration:
    """Fit the map of a detector on `count` genuine and `count` forged clips.

    Parameters
    ----------
    detector
        Whose logits are mapped.
    folders
        Pictures of people, some of them filmed; see `stills.divide`.
    count
        Clips of each label.
    traceless
        Share of forgeries that are reckoned to look genuine to the detector, 0 to below 1.
    seed, date
        Of the draw; when it was fitted.

    Raises
    ------
    UsageError
        If nobody was filmed, nobody or only one person was kept from training, or a number is out
        of range.
    """
    if count < 1:
        raise OutOfRangeError("at least one clip is needed", str(count), "Check --clips.")
    calibration.check_traceless(traceless)
    photographed, videos = divide(folders)
    wander = ups_and_downs(detector, videos, tick=tick)
    table = levels(detector, photographed, count, seed=seed, tick=tick)
    clips = put_together(table, wander, np.random.default_rng(seed))
    fitted = calibration.fit(
        [aggregate(x, rule_of(detector)(len(x))) for pair in clips for x in pair],
        [False, True] * count,
        [group for group in table.groups for _label in range(2)],
        # photographs, however many, are no videos: "limited support" at most
        cap=CAP,
        traceless=traceless,
        weights_sha256=detector.card.weights_sha256,
        rule=rule_text(detector.card.top_part),
        population=(
            f"{count} genuine and {count} self-blended clips, put together of photographs of "
            f"{len(set(table.groups))} people who were kept from training and of the ups and downs "
            f"of {len(videos)} genuine videos"
        ),
        date=date,
    )
    if fitted.bounds[1] <= 0:
        raise UsageError(
            "clips of one person support no likelihood ratio",
            table.groups[0],
            "Give pictures of more people, or raise --clips.",
        )
    filmed = {photos[0].identity for photos in videos}
    return dataclasses.replace(fitted, groups=tuple(sorted({*fitted.groups, *filmed})))


def main(argv: Sequence[str] | None = None) -> int:
    """Fit and write the map that lies beside the weights."""
    parser = argparse.ArgumentParser(
        prog="python -m toolkit train calibrate",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "--faces", action="append", required=True, metavar="DIR[:WEIGHT]", help=FACES_HELP
    )
    parser.add_argument("--weights", type=Path, help="default: the bundled ones")
    parser.add_argument(
        "--out",
        type=Path,
        required=True,
        help=f"JSON; as {calibration.path_for('seamnet').name} beside the weights, every verdict "
        "carries its ratio",
    )
    parser.add_argument("--work", type=Path, default=Path("runs/train"), help="face index")
    parser.add_argument("--clips", type=int, default=CLIPS, help="of each label")
    parser.add_argument(
        "--traceless",
        type=float,
        default=TRACELESS,
        metavar="PART",
        help=f"share of forgeries that look genuine to the detector (default {TRACELESS})",
    )
    options = parser.parse_args(argv)

    try:
        detector = registry.load_weights(options.weights)
        options.out.parent.mkdir(parents=True, exist_ok=True)
        today = dt.datetime.now(dt.UTC).date().isoformat()
        with TerminalLine() as tick:
            folders = [
                index_folder(path, options.work, weight=weight, tick=tick)
                for path, weight in map(parse_folder, options.faces)
            ]
            ratio = calibrate(
                detector,
                folders,
                count=options.clips,
                traceless=options.traceless,
                date=today,
                tick=tick,
            )
        calibration.save(ratio, options.out)
    except (ToolkitError, OSError) as error:
        print(error, file=sys.stderr)
        return 1
    low, high = ratio.bounds
    print(
        f"log odds = {ratio.alpha:.3f} z {ratio.beta:+.3f}, {ratio.traceless:.0%} of forgeries "
        f"reckoned to look genuine; L from {low:+.2f} to {high:+.2f}"
    )
    print(options.out)
    return 0
