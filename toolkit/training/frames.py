"""Cut training pictures out of genuine videos: evenly spaced frames, close round the face.

    python -m toolkit.training.frames --out FOLDER --each 64 CLIP [CLIP ...]

Only clips whose face is known to be genuine, and none that a false-positive figure is quoted on.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np

from toolkit import media
from toolkit.errors import ToolkitError
from toolkit.faces.crops import OVAL_INDEX
from toolkit.faces.detect import FaceDetector
from toolkit.faces.mesh import FaceMesh
from toolkit.files import atomic_path
from toolkit.types import Tick, no_tick

REACH = 1.3  # of the face's height, to each side of its middle: more than any crop needs


def cut_frames(clip: Path, out: Path, *, each: int = 64, tick: Tick = no_tick) -> list[Path]:
    """Write up to `each` PNG pictures of the largest face of a clip, named ``CLIP_0001.png``.

    The name up to the last underscore is the identity, so that a clip never lies on both sides of
    the validation split. Frames without a face are left out.

    Raises
    ------
    VideoError
        If the clip cannot be read.
    """
    video = media.probe(clip, tick=tick)
    count = min(each, len(video.pts))
    wanted = np.unique(np.linspace(0, len(video.pts) - 1, count).round().astype(np.int64))
    detector, mesh = FaceDetector(), FaceMesh()
    out.mkdir(parents=True, exist_ok=True)
    written = []
    for frame in media.read(video, wanted, tick=tick):
        faces = detector(frame.rgb)
        found = mesh(frame.rgb, max(faces, key=lambda f: f.box[2])) if faces else None
        if found is None:
            continue
        oval = found.points[OVAL_INDEX, :2]
        middle, reach = (
            (oval.min(axis=0) + oval.max(axis=0)) / 2,
            REACH * np.ptp(oval, axis=0).max(),
        )
        x0, y0 = np.maximum(middle - reach, 0).astype(int).tolist()
        x1, y1 = np.ceil(middle + reach).astype(int).tolist()
        picture = cv2.cvtColor(frame.rgb[y0:y1, x0:x1], cv2.COLOR_RGB2BGR)
        target = out / f"{clip.stem}_{frame.index:06d}.png"
        with atomic_path(target) as part:
            part.write_bytes(cv2.imencode(".png", picture)[1].tobytes())
        written.append(target)
    return written


def main(argv: Sequence[str] | None = None) -> int:
    """Cut the frames of the clips named on the command line."""
    parser = argparse.ArgumentParser(
        prog="python -m toolkit.training.frames",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("clips", type=Path, nargs="+", metavar="CLIP")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--each", type=int, default=64, help="frames per clip at most")
    options = parser.parse_args(argv)
    failed = 0
    for clip in options.clips:
        try:
            print(f"{clip.name}: {len(cut_frames(clip, options.out, each=options.each))} pictures")
        except ToolkitError as error:
            print(f"{clip.name}: {error}", file=sys.stderr)
            failed = 1
    return failed


if __name__ == "__main__":
    sys.exit(main())
