"""Small sound files to be spoilt: containers, and what the toolkit itself writes and reads."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
from numpy.typing import NDArray

from toolkit import media, samples
from toolkit.errors import ToolkitError
from toolkit.storage.cache import Cache, name_of
from toolkit.storage.serialise import Packed
from toolkit.types import Sampling

FRAMES = 40
WIDTH, HEIGHT = 96, 64
FACE_FRAMES = 75
FACE_SAMPLE = "carphone_pristine"
_SOURCE = "clip.mp4"

CODES: dict[str, tuple[str, str, dict[str, str]]] = {
    "mp4": ("libx264", "mp4", {"movflags": "+faststart"}),
    "mp4-late-index": ("libx264", "mp4", {}),
    "mp4-fragments": ("libx264", "mp4", {"movflags": "+frag_keyframe+empty_moov"}),
    "mp4-mpeg4": ("mpeg4", "mp4", {}),
    "mp4-hevc": ("libx265", "mp4", {}),
    "mkv": ("libx264", "matroska", {}),
    "mkv-vp8": ("libvpx", "matroska", {}),
    "mkv-ffv1": ("ffv1", "matroska", {}),
    "avi": ("mpeg4", "avi", {}),
    "avi-mjpeg": ("mjpeg", "avi", {}),
    "ts": ("libx264", "mpegts", {}),
    "ts-mpeg2": ("mpeg2video", "mpegts", {}),
}
"""Codec, container and its options, by name; before the dash stands the file's extension."""

_CODEC_OPTIONS = {
    # its adaptive quantisation reads memory that nobody wrote, at the edges of so small a picture
    "libx264": {"g": "12", "bf": "2", "crf": "30", "aq-mode": "0", "mbtree": "0"},
    "libx265": {"crf": "34", "preset": "ultrafast", "x265-params": "log-level=none:keyint=12"},
    # in "realtime" the encoder looks at the clock, and no two clips are the same
    "libvpx": {"g": "12", "deadline": "good", "cpu-used": "4"},
    "mpeg4": {"g": "12"},
    "mpeg2video": {"g": "12"},
}


@dataclass(frozen=True)
class FuzzClip:
    """A sound clip: its name among `CODES`, its bytes, and how many frames it shows."""

    name: str
    data: bytes
    frames: int

    @property
    def suffix(self) -> str:
        """Extension of the file."""
        return f".{self.name.split('-')[0].removeprefix('face ')}"


def encode(path: Path, pictures: list[NDArray[np.uint8]], name: str) -> None:
    """Write pictures, 25 per second; the same pictures give the same bytes.

    Parameters
    ----------
    path
        Where to.
    pictures : list of (h, w, 3) uint8
        RGB, all of one even size.
    name
        One of `CODES`.
    """
    codec, container, options = CODES[name]
    options = options | {"fflags": "+bitexact"}  # no random numbers for names
    with av.open(str(path), "w", format=container, options=options) as box:
        stream: Any = box.add_stream(codec, rate=25)
        stream.height, stream.width = pictures[0].shape[:2]
        stream.pix_fmt = "yuvj420p" if codec == "mjpeg" else "yuv420p"
        stream.codec_context.options = _CODEC_OPTIONS.get(codec, {})
        stream.codec_context.thread_count = 1  # rate control depends on their number
        for number, picture in enumerate(pictures):
            frame = av.VideoFrame.from_ndarray(picture, format="rgb24")
            frame.pts, frame.time_base = number, Fraction(1, 25)
            box.mux(stream.encode(frame))
        box.mux(stream.encode())


def clips(folder: Path) -> list[FuzzClip]:
    """Make one clip of each of `CODES`; those that this FFmpeg cannot make are left out."""
    y, x = np.mgrid[:HEIGHT, :WIDTH]
    pictures = [
        np.stack([2 * x + 3 * n, 3 * y, x + y + 5 * n], -1).astype(np.uint8) for n in range(FRAMES)
    ]
    return _encoded(folder, pictures, list(CODES), "")


def face_clips(folder: Path) -> list[FuzzClip]:
    """Make clips of a sample with a face, to be judged; none where the sample is not there."""
    try:
        video = media.probe(samples.path(FACE_SAMPLE))
    except ToolkitError:
        return []
    wanted = np.arange(min(FACE_FRAMES, len(video.pts)))
    pictures = [np.asarray(frame.rgb) for frame in media.read(video, wanted)]
    even = [picture[: len(picture) // 2 * 2, : picture.shape[1] // 2 * 2] for picture in pictures]
    return _encoded(folder, even, ["mp4", "mkv", "avi", "ts"], "face ")


def _encoded(
    folder: Path, pictures: list[NDArray[np.uint8]], names: list[str], prefix: str
) -> list[FuzzClip]:
    made = []
    for name in names:
        path = folder / f"source.{name}"
        try:
            encode(path, pictures, name)
        except (av.FFmpegError, ValueError):
            continue
        made.append(FuzzClip(prefix + name, path.read_bytes(), len(pictures)))
    return made


# --- what the toolkit writes --------------------------------------------------------------------


@dataclass(frozen=True)
class FuzzStore:
    """A kind of file that the toolkit reads.

    Attributes
    ----------
    name
        What it is.
    kind
        How to spoil it: ``"json"``, ``"table"``, ``"archive"`` or ``"bytes"``.
    path
        Where it lies; it is spoilt there, and put back.
    open
        Reads it as a user would have it read. What is refused raises a `ToolkitError`.
    """

    name: str
    kind: str
    path: Path
    open: Callable[[], object]


def stores(folder: Path, *, analysed: bool = True) -> list[FuzzStore]:
    """Make one file of each kind that the toolkit reads.

    Parameters
    ----------
    folder
        Where.
    analysed
        Whether a saved analysis and a case are among them, which takes two analyses.
    """
    folder.mkdir(parents=True, exist_ok=True)
    quick = [*_lists(folder), *_results(folder)]
    return [*quick, *_analysis(folder), *_case(folder / "case")] if analysed else quick


def _lists(folder: Path) -> list[FuzzStore]:
    from toolkit.evaluation.explanations import pairs
    from toolkit.evaluation.verdicts import benchmark as verdicts

    clips_csv, pairs_csv = folder / "clips.csv", folder / "pairs.csv"
    clips_csv.write_text(
        "path,label,method,dataset,scene\na.mp4,real,,d,s\nb.mp4,fake,m,d,s\n", encoding="utf-8"
    )
    pairs_csv.write_text(
        "original;fake;method;crop_x\na.mp4;b.mp4;m;12\nc.mp4;d.mp4;m;\n", encoding="utf-8"
    )
    return [
        FuzzStore("list of clips", "table", clips_csv, lambda: verdicts.read_list(clips_csv)),
        FuzzStore("list of pairs", "table", pairs_csv, lambda: pairs.read_pairs(pairs_csv)),
    ]


def _results(folder: Path) -> list[FuzzStore]:
    from toolkit.evaluation.resumable import read_rows
    from toolkit.evaluation.verdicts import page
    from toolkit.lessons.answers import PupilAnswers
    from toolkit.verdict import calibration

    def json_file(name: str, content: Any) -> Path:
        path = folder / name
        path.write_text(json.dumps(content), encoding="utf-8")
        return path

    benchmark = {"schema": "doorzicht.benchmark/1", "summary": {}, "settings": {"reshare": ""}}
    result = json_file("benchmark.json", benchmark | {"clips": []})
    rows = json_file("rows.json", {"schema": "a", "rows": [{"key": "k", "value": 1}]})
    answers = json_file("answers.json", {"schema": "doorzicht.answers/1", "values": {"q": [1]}})
    odds = json_file(
        "odds.json",
        {"schema": "doorzicht.calibration/1", "bounds": [-1, 1], "groups": [], "rule": "r"},
    )
    cache, key = Cache(folder / "cache"), {"sha256": "ab"}
    packed = Packed({"a": [1, 2.5, "x"]}, {"a0": np.arange(300, dtype=np.float32)})
    cache.put("scan", key, packed)
    entry = cache.folder / name_of("scan", key)
    return [
        FuzzStore("benchmark", "json", result, lambda: page.read(result)),
        FuzzStore("unfinished result", "json", rows, lambda: read_rows(rows, ("a",))),
        FuzzStore("answers", "json", answers, lambda: PupilAnswers(answers)),
        FuzzStore("calibration", "json", odds, lambda: calibration.load(odds)),
        FuzzStore(
            "cache", "archive", entry, lambda: (cache.get("scan", key), cache.entries("scan"))
        ),
    ]


def _source(folder: Path) -> Path:
    """Return a clip with a face where there is a sample, else one of moving stripes."""
    made = face_clips(folder) or clips(folder)
    path = folder / _SOURCE
    path.write_bytes(made[0].data)
    return path


def _analysis(folder: Path) -> list[FuzzStore]:
    from toolkit.api import verbs

    source, out = _source(folder), folder / "analysis"
    made = verbs.analyse(source, sampling=Sampling(frames=16), progress=False)
    made.save(out)

    def reopen() -> object:
        return verbs.open_analysis(out, progress=False).report

    return [
        FuzzStore("saved report.json", "json", out / "report.json", reopen),
        FuzzStore("saved run.json", "json", out / "run.json", reopen),
        FuzzStore("saved faces.npz", "archive", out / "faces.npz", reopen),
    ]


def _case(folder: Path) -> list[FuzzStore]:
    from toolkit.casework import case as cases
    from toolkit.casework import operations, verify

    case = cases.create(folder, title="A clip", examiner="N. N.")
    source = folder.parent / _SOURCE
    operations.add(case, source, trust=False, sampling=Sampling(frames=16))
    case.note(text="a note")
    files = sorted(name for name in cases.walk(folder) if not name.startswith(("original", "work")))

    def look() -> object:
        again = cases.Case(folder)
        findings = verify.verify(folder, hashes_only=True)
        seen = [operations.examination(again, exhibit) for exhibit in again.exhibits()]
        return findings, again.facts, again.notes(), seen

    kinds = {".json": "json", ".npz": "archive", ".csv": "table"}
    named = [*files, "manifest.json", "log.jsonl"]
    return [
        FuzzStore(f"case: {name}", kinds.get(Path(name).suffix, "bytes"), folder / name, look)
        for name in named
    ]
