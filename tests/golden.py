"""Golden files: what four short clips say, to the last bit, so that moving code changes nothing.

    python -m tests.golden

makes `tests/golden/*.json` again; say in the commit why they changed. The clips are made here from
the sample clips, by our own code; the golden files hold numbers and sentences, never a picture.
"""

from __future__ import annotations

import json
import os
import platform
import sys
import tempfile
from importlib.metadata import version
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).parent / "golden"
NAMES = ("planted", "genuine", "two_persons", "abstention")
FRAMES = 16
DETECTOR = "seamnet-small"
"""The small network: it is quick, and its weights are part of the repository."""
LIBRARIES = ("ai-edge-litert", "av", "numpy", "opencv-python-headless", "timm", "torch")


def processor() -> dict[str, Any]:
    """Return what decides the last bits of a float, and of a clip that is coded here.

    Kernels of torch, OpenCV and LiteRT are chosen by the processor and sum in another order on
    another one; the video encoder cuts its work by the number of cores.
    """
    model = platform.processor() or platform.machine()
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
        model = next(
            (x.split(":", 1)[1].strip() for x in lines if x.startswith("model name")), model
        )
    except OSError:
        pass
    return {
        "processor": model,
        "system": platform.system(),
        "cores": os.cpu_count(),
        "libraries": {name: version(name) for name in LIBRARIES},
    }


def make_clips(folder: Path) -> None:
    """Write the four clips, ``NAME.mp4``, about two seconds each."""
    import cv2
    import numpy as np

    from toolkit import media, samples
    from toolkit.forge.plant import plant

    def frames(path: Path, start_s: float, seconds: float) -> list[Any]:
        video = media.probe(path)
        inside = (video.pts >= start_s) & (video.pts < start_s + seconds)
        return [frame.rgb for frame in media.read(video, np.flatnonzero(inside))]

    def write(name: str, pictures: list[Any]) -> None:
        media.write_h264(folder / f"{name}.mp4", pictures, np.arange(len(pictures)) / 25)

    source = samples.path("cap12_edit")
    plant(
        source,
        folder / "planted.mp4",
        regions=["mouth"],
        start_s=0.8,
        end_s=1.8,
        strength=3.0,
        keep=(24.0, 26.4),
    )
    genuine = frames(source, 24.0, 2.0)
    write("genuine", genuine)
    write("abstention", [cv2.resize(p, None, fx=0.25, fy=0.25) for p in genuine])
    size = genuine[0].shape[1::-1]
    other = [cv2.resize(p, size) for p in frames(samples.path("franck"), 20.0, 2.0)]
    write("two_persons", [*other, *frames(folder / "planted.mp4", 0.8, 1.6)])


def describe(name: str) -> dict[str, Any]:
    """Return `report.json` and the English sentences of the clip ``NAME.mp4`` in this folder."""
    from toolkit import _i18n, figures, runtime
    from toolkit.analysis import pipeline
    from toolkit.types import Sampling

    _i18n.set_language("en")
    runtime.prepare()
    report = pipeline.analyse(
        f"{name}.mp4", detector=DETECTOR, device="cpu", sampling=Sampling(frames=FRAMES)
    )
    sentences = [figures.title(report), figures.verdict_sentence(report)]
    for track in report.tracks:
        sentences += [figures.track_sentence(track), figures.seen_sentence(track)]
        sentences += [figures.region_sentence(track)]
        sentences += [figures.frame_sentence(track, key.position) for key in track.key_frames]
        if track.explanation is not None:
            sentences += map(figures.interval_sentence, track.explanation.intervals)
    sentences += [*figures.not_judged(report), *figures.limits(report)]
    sentences += [str(notice) for notice in report.notices]
    return {"report": pipeline.to_dict(report), "sentences": sentences}


def as_text(content: Any) -> str:
    """Return the text of a golden file."""
    return json.dumps(content, indent=1, ensure_ascii=False, allow_nan=False) + "\n"


def main() -> int:
    """Make the golden files again."""
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)
        make_clips(Path())
        FOLDER.mkdir(exist_ok=True)
        for name in NAMES:
            (FOLDER / f"{name}.json").write_text(as_text(describe(name)), encoding="utf-8")
            print(FOLDER / f"{name}.json")
        (FOLDER / "made_on.json").write_text(as_text(processor()), encoding="utf-8")
        os.chdir(FOLDER)
    return 0


if __name__ == "__main__":
    os.environ["DOORZICHT_THREADS"] = "1"
    sys.exit(main())
