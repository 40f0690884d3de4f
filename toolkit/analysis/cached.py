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
from toolkit.errors import ShapeError
from toolkit.faces.tracks import Scan
from toolkit.media import display, show_name
from toolkit.media.display import DisplayCopy
from toolkit.storage.cache import Cache, CacheEntry, name_of
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
    card_files = sorted(models.ROOT.glob("models/*.json"))  # cards of weights, calibrations
    cards = [
        p for p in card_files if not p.stem.endswith("-known-genuine")
    ]  # only comparisons read those
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
        if not detector.card.weights_sha256:  # an object of one's own: nothing tells its versions
            return None
        card = dataclasses.replace(detector.card, because=None)  # it names who judges, not why
        return {"card": asdict(card), "spec": asdict(detector.spec)}
    facts = registry.identity(detector)
    if facts is None:
        return None
    if other := registry.substitute(detector):  # then it is not the one that will judge
        name, why = other
        facts["substitute"] = [name, str(why)]
    return facts


class StageCache:
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

    Attributes
    ----------
    saved
        Seconds that each layer took when it was made, of those that were found.
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
        self.saved: dict[str, float] = {}
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
        scan = self._found("scan", self._scan, Scan)
        return None if scan is None else dataclasses.replace(scan, video=_at(scan.video, path))

    def keep_scan(self, scan: Scan, *, seconds: float = 0.0) -> None:
        """Keep a scan and what it took; the face embeddings and pictures in it are left out."""
        left_out = {"vectors", "vector_at", "signature"}
        packed = pack(scan, leave_out=left_out)
        self._cache.put("scan", self._scan, packed, card={"seconds": seconds})

    def faces(self, spec: InputSpec) -> Faces | None:
        """Return the faces as a detector with that input wants them."""
        faces: Faces | None = self._found("faces", self._faces | asdict(spec), Faces)
        return faces

    def keep_faces(self, spec: InputSpec, faces: Faces, *, seconds: float = 0.0) -> None:
        """Keep the faces as a detector with that input wants them, and what they took."""
        card = {"seconds": seconds}
        self._cache.put("faces", self._faces | asdict(spec), pack(faces), card=card)

    def report(self, path: Path) -> tuple[Report, dict[str, FaceCrops]] | None:
        """Return the report, for the clip at `path`, and the crops of its persons."""
        if self.report_name is None:
            return None
        pair = reopen(self._cache, self.report_name)
        if pair is None:
            return None
        report, crops = pair
        self.saved["report"] = sum(report.timings.values())
        return dataclasses.replace(report, video=_at(report.video, path)), crops

    def _found(self, layer: str, key: dict[str, Any], wanted: Any) -> Any:
        entry = self._cache.get(layer, key)
        stage = _open(entry, wanted)
        if entry is not None and stage is not None:
            self.saved[layer] = float(entry.card.get("seconds", 0.0))
        return stage

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
            copy = display.display_copy(video, Path(folder, "copy.mp4"), tick=tick)
            kept = _Copy(copy, np.frombuffer(copy.read_bytes(), np.uint8))
        cache.put("copy", key, pack(kept))
    facts = {f.name: getattr(kept.facts, f.name) for f in dataclasses.fields(DisplayCopy)}
    return CopyInMemory(**facts, data=kept.file.tobytes())


def _thumbnail(report: Report, faces: Faces) -> NDArray[np.uint8] | None:
    """Return a small face of whoever speaks, or of the first person: (96, 96, 3) uint8."""
    by_person = {track.person: crops for track, crops in faces.persons}
    shown = by_person.get(report.decisive or "") or next(iter(by_person.values()), None)
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


def _open(entry: CacheEntry | None, wanted: Any) -> Any:
    """Put an entry together; one that does not fit is as good as missing."""
    if entry is None:
        return None
    try:
        return unpack(wanted, entry.packed)
    except ShapeError:
        return None
