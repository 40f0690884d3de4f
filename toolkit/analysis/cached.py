"""What the cache knows of a clip: the stretches of the road that need not be walked again.

Three layers, each under the key of everything it depends on: the scan for persons, the faces cut to
a detector's input, and the report. A second detector finds the scan done; a second run of the same
question finds all of it done. The code that computes a layer is itself part of its key, so an entry
made by other code, or other versions of the libraries underneath, is never found; weights and their
cards count for the report only.
"""

from __future__ import annotations

import dataclasses
import functools
import hashlib
import os
import stat
import tempfile
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from toolkit import media, models, runtime
from toolkit.detectors import registry
from toolkit.detectors.base import Detector, InputSpec
from toolkit.errors import DetectorError, ShapeError
from toolkit.faces.tracks import Scan
from toolkit.media import display, show_name
from toolkit.media.display import DisplayCopy
from toolkit.storage.cache import Cache, Entry, name_of
from toolkit.storage.serialise import pack, unpack
from toolkit.types import FaceCrops, FaceTrack, Notice, Report, Sampling, Tick, Video, no_tick

THUMBNAIL = 96
"""Side of the picture in the card of a report, pixels."""

LIBRARIES = (
    "ai-edge-litert",
    "av",
    "numpy",
    "onnxruntime",
    "opencv-python-headless",
    "timm",
    "torch",
)
"""Other versions of these may give other numbers."""

_PACKAGE = Path(__file__).parents[1]
_READING = ("types", "runtime", "models", "media", "faces")
"""Rooms that decide what is read from a clip: its scan and its face crops."""

_ROAD = (*_READING, "detectors", "verdict", "explain")
"""Rooms that decide a report; the cards of the weights count as well."""

_CHUNK = 1 << 20


@dataclass(frozen=True, eq=False)
class Faces:
    """The second layer: each person's track with its crops, and what was found while reading."""

    persons: tuple[tuple[FaceTrack, FaceCrops], ...]
    notices: tuple[Notice, ...]


@dataclass(frozen=True, eq=False)
class Kept:
    """The third layer: a report, and the name of the entry that holds its faces."""

    report: Report
    faces: str


@dataclass(frozen=True, eq=False, repr=False)
class CopyInMemory(DisplayCopy):
    """A display copy that needs no file: its `path` says where it was made and is gone."""

    data: bytes = b""

    def read_bytes(self) -> bytes:
        """Return the content of the MP4 file."""
        return self.data


@dataclass(frozen=True, eq=False)
class _Copy:
    """A display copy as it is kept: what is known of it, and its file."""

    facts: DisplayCopy
    file: NDArray[np.uint8]


def made_by() -> str:
    """Return a hash of the code, settings and library versions that a report depends on."""
    found = sorted(models.ROOT.glob("models/*.json"))  # cards of weights, calibrations
    cards = [p for p in found if not p.stem.endswith("-halves")]  # only comparisons read those
    return _hash_of(_ROAD, (_PACKAGE / "analysis" / "pipeline.py", *cards))


def read_by() -> str:
    """Return a hash of what scans and face crops depend on: other weights find them again."""
    return _hash_of(_READING, ())


@functools.cache
def _hash_of(rooms: tuple[str, ...], more: tuple[Path, ...]) -> str:
    total = hashlib.sha256()
    files = [*more, *models.ROOT.glob("models/*.toml")]
    for room in rooms:
        files += [_PACKAGE / f"{room}.py", *(_PACKAGE / room).rglob("*.py")]
    for path in sorted(f for f in files if f.is_file()):
        total.update(path.name.encode() + hashlib.sha256(path.read_bytes()).digest())
    for name in ("doorzicht", *LIBRARIES):
        total.update(f"{name} {version(name)}\n".encode())
    total.update(f"threads {runtime.threads()}".encode())
    return total.hexdigest()


def digest(path: Path, *, tick: Tick = no_tick) -> str | None:
    """Return the SHA-256 of an ordinary file; None for anything that `media.probe` should refuse.

    `tick` is called with the stage ``"hash"``, in bytes.
    """
    try:
        facts = path.lstat()
        if not stat.S_ISREG(facts.st_mode):
            return None
        with path.open("rb") as file:
            total, done = hashlib.sha256(), 0
            while block := file.read(_CHUNK):
                tick("hash", done, facts.st_size)
                total.update(block)
                done += len(block)
    except (OSError, ValueError):
        return None
    return total.hexdigest()


def identity(detector: str | Detector) -> dict[str, Any] | None:
    """Return what tells a detector from all others, without loading it; None if it is not here."""
    if not isinstance(detector, str):
        card = dataclasses.replace(detector.card, because=None)  # it names who judges, not why
        return {"card": asdict(card), "spec": asdict(detector.spec)}
    try:
        weights = registry.weights(detector).read_bytes()
    except (DetectorError, OSError):
        return None
    facts: dict[str, Any] = {"name": detector, "file_sha256": hashlib.sha256(weights).hexdigest()}
    if other := registry.substitute(detector):  # then it is not the one that will judge
        name, why = other
        facts["substitute"] = [name, str(why)]
    return facts


class Recall:
    """What the cache knows of one clip, asked in one way.

    Parameters
    ----------
    cache
        Where to look and keep.
    sha256
        Hash of the clip.
    detector, device, sampling, explain, seed
        As for `analysis.examine`. ``"auto"`` counts as it was asked: which device it stands for is
        known only after seconds of loading.
    """

    def __init__(
        self,
        cache: Cache,
        sha256: str,
        *,
        detector: str | Detector,
        device: str,
        sampling: Sampling,
        explain: bool,
        seed: int,
    ) -> None:
        self._cache = cache
        has_identity = (models.CACHE / models.find("face_identity").file).is_file()
        self._scan = {
            "read_by": read_by(),
            "sha256": sha256,
            "per_second": sampling.scan_per_second,
            "limit": sampling.scan_limit,
            "groups_persons": has_identity,
        }
        self._faces = {**self._scan, "sampling": sampling.to_dict()}
        who = identity(detector)
        asked = {"detector": who, "device": device, "seed": seed, "explain": explain}
        self._report = {**self._faces, **asked, "made_by": made_by()} if who else None

    @property
    def report_name(self) -> str | None:
        """Name of the report's entry; None where the detector is not here."""
        return name_of("report", self._report) if self._report else None

    def scan(self, path: Path) -> Scan | None:
        """Return the scan, for the clip at `path`."""
        found = _open(self._cache.get("scan", self._scan), Scan)
        return None if found is None else dataclasses.replace(found, video=_at(found.video, path))

    def keep_scan(self, scan: Scan) -> None:
        """Keep a scan; the face embeddings and pictures in it are left out."""
        left_out = {"vectors", "vector_at", "signature"}
        self._cache.put("scan", self._scan, pack(scan, leave_out=left_out))

    def faces(self, spec: InputSpec) -> Faces | None:
        """Return the faces as a detector with that input wants them."""
        found: Faces | None = _open(self._cache.get("faces", self._faces | asdict(spec)), Faces)
        return found

    def keep_faces(self, spec: InputSpec, faces: Faces) -> None:
        """Keep the faces as a detector with that input wants them."""
        self._cache.put("faces", self._faces | asdict(spec), pack(faces))

    def report(self, path: Path) -> tuple[Report, dict[str, FaceCrops]] | None:
        """Return the report, for the clip at `path`, and the crops of its persons."""
        if self.report_name is None:
            return None
        found = reopen(self._cache, self.report_name)
        if found is None:
            return None
        report, crops = found
        return dataclasses.replace(report, video=_at(report.video, path)), crops

    def keep_report(self, report: Report, faces: Faces, spec: InputSpec) -> str | None:
        """Keep a report, with a card for lists and a small face; return the entry's name.

        None where it could not be kept.
        """
        if self._report is None:
            return None
        packed = pack(Kept(report, name_of("faces", self._faces | asdict(spec))))
        if (small := _thumbnail(report, faces)) is not None:
            packed.arrays["thumbnail"] = small
        return self._cache.put("report", self._report, packed, card=_card(report))


def reopen(cache: Cache, name: str) -> tuple[Report, dict[str, FaceCrops]] | None:
    """Return a kept report by its entry's name, and the crops of its persons.

    None where the report, or the faces that belong to it, are no longer there.
    """
    kept = _open(cache.open(name), Kept)
    if kept is None:
        return None
    if not kept.report.tracks:
        return kept.report, {}
    faces = _open(cache.open(kept.faces), Faces)
    if faces is None:
        return None
    return kept.report, {track.person: crops for track, crops in faces.persons}


def display_copy(cache: Cache, video: Video, *, tick: Tick = no_tick) -> DisplayCopy:
    """Return a copy of a video that browsers play: the kept one, or a new one that is then kept.

    Raises
    ------
    VideoError
        If the copy is not kept and the video is gone, changed, or too large to be copied.
    Cancelled
        If `tick` raises it; its stage is ``"display"``.
    """
    key = {"read_by": read_by(), "sha256": video.sha256, "rotation": video.rotation}
    kept: _Copy | None = _open(cache.get("copy", key), _Copy)
    if kept is None:
        media.check_unchanged(video)
        with tempfile.TemporaryDirectory() as folder:
            made = display.display_copy(video, Path(folder, "copy.mp4"), tick=tick)
            kept = _Copy(made, np.frombuffer(made.read_bytes(), np.uint8))
        cache.put("copy", key, pack(kept))
    facts = {f.name: getattr(kept.facts, f.name) for f in dataclasses.fields(DisplayCopy)}
    return CopyInMemory(**facts, data=kept.file.tobytes())


def _thumbnail(report: Report, faces: Faces) -> NDArray[np.uint8] | None:
    """Return a small face of whoever speaks, or of the first person: (96, 96, 3) uint8."""
    found = {track.person: crops for track, crops in faces.persons}
    shown = found.get(report.speaks or "") or next(iter(found.values()), None)
    if shown is None:
        return None
    middle = shown.rgb[len(shown.rgb) // 2]
    small = cv2.resize(middle, (THUMBNAIL, THUMBNAIL), interpolation=cv2.INTER_AREA)
    return np.asarray(small, np.uint8)


def _card(report: Report) -> dict[str, Any]:
    return {
        "name": show_name(report.video.path),
        "path": os.fspath(report.video.path),
        "sha256": report.video.sha256,
        "duration_s": report.video.duration_s,
        "detector": report.settings["detector"]["name"],
        "abstained": report.verdict.abstained or report.verdict.logit is None,
        "is_fake": report.verdict.is_fake,
    }


def _at(video: Any, path: Path) -> Any:
    """Return the same content under the path that was given this time."""
    return dataclasses.replace(video, path=path)


def _open(entry: Entry | None, wanted: Any) -> Any:
    """Put an entry together; one that does not fit is as good as missing."""
    if entry is None:
        return None
    try:
        return unpack(wanted, entry.packed)
    except ShapeError:
        return None
