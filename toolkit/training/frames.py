"""Cut training pictures out of genuine videos: evenly spaced frames, close round the face.

    python -m toolkit train frames --out FOLDER --each 64 CLIP [CLIP ...]

Only clips whose face is known to be genuine, and none that a false-positive figure is quoted on.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

import cv2

from toolkit import media
from toolkit.errors import OutOfRangeError, ToolkitError
from toolkit.faces.mesh import LargestFace
from toolkit.files import atomic_path
from toolkit.jobs import TerminalLine
from toolkit.training.data import surroundings
from toolkit.types import Tick, no_tick, spread

REACH = 1.3  # more than any training crop needs


def cut_frames(clip: Path, out: Path, *, each: int = 64, tick: Tick = no_tick) -> list[Path]:
    """Write up to `each` PNG pictures of the largest face of a clip, named ``CLIP_000001.png``.

    The name up to the last underscore is the identity, so that a clip never lies on both sides of
    the validation split. Frames without a face are left out.

    Raises
    ------
    UsageError
        If `each` is below one.
    VideoError
        If the clip cannot be read.
    """
    if each < 1:
        raise OutOfRangeError("too few frames per clip", str(each), "Give 1 or more.")
    video = media.probe(clip, tick=tick)
    wanted = spread(len(video.pts), each)
    find = LargestFace()
    out.mkdir(parents=True, exist_ok=True)
    written = []
    for frame in media.read(video, wanted, tick=tick):
        mesh = find(frame.rgb)
        if mesh is None:
            continue
        near, _corner = surroundings(frame.rgb, mesh, reach=REACH)
        picture = cv2.cvtColor(near, cv2.COLOR_RGB2BGR)
        target = out / f"{clip.stem}_{frame.index:06d}.png"
        with atomic_path(target) as part:
            part.write_bytes(cv2.imencode(".png", picture)[1].tobytes())
        written.append(target)
    return written


def main(argv: Sequence[str] | None = None) -> int:
    """Cut the frames of the clips named on the command line."""
    parser = argparse.ArgumentParser(
        prog="python -m toolkit train frames",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("clips", type=Path, nargs="+", metavar="CLIP")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--each", type=int, default=64, help="frames per clip at most")
    options = parser.parse_args(argv)
    stems = [clip.stem for clip in options.clips]
    if len(set(stems)) < len(stems):  # the pictures of one would replace those of the other
        parser.error("two clips have the same name; rename one, or give each its own --out")
    failed = 0
    for clip in options.clips:
        name = media.show_name(clip)
        try:
            with TerminalLine() as tick:
                written = cut_frames(clip, options.out, each=options.each, tick=tick)
            print(f"{name}: {len(written)} pictures")
        except ToolkitError as error:
            print(f"{name}: {error.text()}", file=sys.stderr)
            failed = 1
    return failed
