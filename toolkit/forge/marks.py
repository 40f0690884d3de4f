"""Mark what the forge makes, so that nobody takes it for a recording. There is no way round it.

Every swapped clip carries four marks and a truth:

* words burnt into a corner of every frame, outside the face crop where there is room;
* the same words as the container's comment and title;
* a file name that starts with ``synthetic_``;
* Content Credentials, signed with the user's own key or with a test certificate made on the spot;
* beside it a JSON file (sources, recipe, seed) and the mask of every frame.

The label changes no pixel of the face crop, so no score, before the clip is coded. Coding couples
all of a picture: in a clip of 4 s the label moved the logit by 0.03, through the coder alone.

A clip or picture of a case folder is refused: evidence is never the stuff of forgeries.
"""

from __future__ import annotations

import functools
import json
import os
import tempfile
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import av
import cv2
import numpy as np
from numpy.typing import NDArray

from toolkit import media, models
from toolkit.errors import UsageError
from toolkit.files import atomic_write, parse_json
from toolkit.media.credentials import Certificate, make_test_certificate, sign
from toolkit.messages import phrase

Picture = NDArray[np.uint8]
Box = tuple[int, int, int, int]

SCHEMA = "doorzicht.synthetic/1"
PREFIX = "synthetic_"
STATEMENT = "AI / SYNTHETIC - LESSON"
LINES = ("AI / SYNTHETIC", "LESSON")

KEY_VARIABLE, CHAIN_VARIABLE = "DOORZICHT_SIGNING_KEY", "DOORZICHT_SIGNING_CHAIN"
"""Environment variables that name the PEM files of one's own signing key and its certificates."""

LABEL_PART = 0.095  # of the picture's height, or of 3/4 of its width where that is less
LABEL_MIN = 26  # px; smaller letters do not survive re-sharing
LABEL_ASPECT = 3.5
FOUND_MIN = 0.55
"""Least normalised correlation at which `find_label` says that the words are there. Of clips
without them, 0.45 was the most (see tests); with them, after CRF 35 and 480 lines, at least 0.8."""
_DRAWN = 8  # letters are drawn this much larger and shrunk, so that their edges are smooth
_SEARCHED = np.linspace(0.85, 1.15, 13)


@dataclass(frozen=True)
class Place:
    """Where the label goes.

    Attributes
    ----------
    box
        x, y, width, height in pixels of the frame that is written.
    strip
        Rows added below the picture because no corner was free; 0 = none.
    is_clear
        Whether the label lies outside every area that was to be kept free.
    """

    box: Box
    strip: int
    is_clear: bool


def label_size(shape: tuple[int, ...]) -> tuple[int, int]:
    """Return width and height of the label for an (H, W, ...) frame."""
    height = max(LABEL_MIN, round(LABEL_PART * min(shape[0], 0.75 * shape[1])))
    return min(round(LABEL_ASPECT * height), shape[1]), min(height, shape[0])


@functools.lru_cache(maxsize=64)
def _label(width: int, height: int) -> Picture:
    big = np.zeros((height * _DRAWN, width * _DRAWN, 3), np.uint8)
    high, wide = big.shape[:2]
    edge = max(1, round(0.035 * high))
    cv2.rectangle(big, (0, 0), (wide - 1, high - 1), (255, 255, 255), 2 * edge)
    for number, line in enumerate(LINES):
        font, bold = cv2.FONT_HERSHEY_DUPLEX, max(1, round(high / 60))
        (w, h), _ = cv2.getTextSize(line, font, 1.0, 1)
        scale = min(0.33 * high / h, 0.9 * wide / w)
        x = round((wide - w * scale) / 2)
        y = round(high * (0.30 + 0.42 * number) + h * scale / 2)
        cv2.putText(big, line, (x, y), font, scale, (255, 255, 255), bold, cv2.LINE_AA)
    out = cv2.resize(big, (width, height), interpolation=cv2.INTER_AREA)
    out.setflags(write=False)
    return np.asarray(out, np.uint8)


def choose_place(
    shape: tuple[int, ...],
    crops: Sequence[Sequence[float]],
    wider: Sequence[Sequence[float]] = (),
) -> Place:
    """Choose one place for the label of a whole clip.

    A corner that touches neither the crops nor what is looked at around them; else one that touches
    no crop; else the picture is extended by a strip below, and the label stands there. A face crop
    can reach into the strip too, when the face is at the lower edge: then `is_clear` is False, and
    whoever tells people about the clip must say so.

    Parameters
    ----------
    shape
        Height and width of the frames.
    crops
        Areas left, top, right, bottom that a detector is shown, of all frames.
    wider
        Areas that other networks look at on the way to the crop.
    """
    height, width = shape[:2]
    w, h = label_size(shape)
    gap = max(2, round(0.015 * height))
    inner = np.asarray(crops, np.float64).reshape(-1, 4)
    outer = np.concatenate([inner, np.asarray(wider, np.float64).reshape(-1, 4)])

    def is_clear(areas: NDArray[np.float64], x: int, y: int) -> bool:
        apart = (
            (areas[:, 0] >= x + w)
            | (areas[:, 2] <= x)
            | (areas[:, 1] >= y + h)
            | (areas[:, 3] <= y)
        )
        return bool(apart.all())

    across = (gap, width - gap - w)
    corners = [(x, y) for y in (height - gap - h, gap) for x in across]
    for areas in (outer, inner):
        for x, y in corners:
            if x >= 0 and y >= 0 and is_clear(areas, x, y):
                return Place((x, y, w, h), 0, True)
    strip = h + 2 * gap
    strip += (height + strip) % 2  # even sides need no padding by the encoder
    y = height + (strip - h) // 2
    spots = [max(0, x) for x in (*across, (width - w) // 2)]
    free = next((x for x in spots if is_clear(inner, x, y)), None)
    return Place((spots[0] if free is None else free, y, w, h), strip, free is not None)


def draw_label(rgb: Picture, place: Place) -> Picture:
    """Return the frame with the label (and the strip, where there is one)."""
    x, y, w, h = place.box
    out = rgb.copy()
    if place.strip:
        out = cv2.copyMakeBorder(rgb, 0, place.strip, 0, 0, cv2.BORDER_CONSTANT, value=(0, 0, 0))
    out[y : y + h, x : x + w] = _label(w, h)
    return np.asarray(out, np.uint8)


@dataclass(frozen=True)
class Found:
    """Where the label looks most like itself: normalised correlation -1..1, and x, y, w, h."""

    score: float
    box: Box

    @property
    def is_there(self) -> bool:
        """Whether it is the label."""
        return self.score >= FOUND_MIN


def find_label(rgb: Picture) -> Found:
    """Look for the label anywhere in a frame, in sizes around the one it would have there."""
    grey = cv2.cvtColor(rgb, cv2.COLOR_RGB2GRAY)
    nominal = label_size(rgb.shape)[1]
    best = Found(-1.0, (0, 0, 0, 0))
    for height in sorted({round(nominal * factor) for factor in _SEARCHED}):
        width = round(LABEL_ASPECT * height)
        if width > grey.shape[1] or height > grey.shape[0]:
            continue
        template = cv2.cvtColor(_label(width, height), cv2.COLOR_RGB2GRAY)
        scores = cv2.matchTemplate(grey, template, cv2.TM_CCOEFF_NORMED)
        _, top, _, (x, y) = cv2.minMaxLoc(scores)
        if np.isfinite(top) and top > best.score:
            best = Found(float(top), (int(x), int(y), width, height))
    return best


# -- files


def check_out(out: Path | str) -> Path:
    """Return the path that a swapped clip may be written to.

    Raises
    ------
    UsageError
        If the name does not start with ``synthetic_``, is no ``.mp4``, or lies in a case folder.
    """
    path = Path(out)
    if not path.name.startswith(PREFIX) or path.suffix.lower() != ".mp4":
        raise UsageError(
            "a synthetic clip must be named as one",
            media.show_name(path),
            "Use a name such as {name}.",
            name=f"{PREFIX}lesson.mp4",
        )
    refuse_case(path)
    return path


def refuse_case(path: Path | str) -> None:
    """Refuse a path that lies in a case folder.

    Raises
    ------
    UsageError
        If a folder above it looks like a case: a log, and a manifest, settings or the original.
    """
    where = Path(path).resolve()
    for folder in (where, *where.parents):
        others = ("manifest.json", "case.json", "original")
        if (folder / "log.jsonl").is_file() and any((folder / o).exists() for o in others):
            raise UsageError(
                "this lies in a case folder, and evidence is never forged",
                media.show_name(path),
                "Use a sample, or pictures of people who agreed.",
            )


@functools.cache
def _sample_files() -> dict[str, Path]:
    manifest = models.ROOT / "models" / "samples.toml"
    entries = models.read_manifest(manifest, table="sample").values()
    return {entry.sha256: models.ROOT / "samples" / entry.file for entry in entries}


def sample_path(name: str) -> Path | None:
    """Return the file of a sample by its name; None when no sample is called so."""
    found = [p for p in _sample_files().values() if name in (p.stem, p.name)]
    return found[0] if found else None


def need_consent(sources: Sequence[str]) -> bool:
    """Return whether any of these files (SHA-256) is not one of the samples."""
    return any(digest not in _sample_files() for digest in sources)


def check_consent(sources: Sequence[str], *, consent: bool) -> None:
    """Refuse faces of people nobody asked.

    Raises
    ------
    UsageError
        If a file is not a sample and `consent` is False.
    """
    if not consent and need_consent(sources):
        raise UsageError(
            "these pictures are not samples",
            "",
            "Forge only people who agreed to it, and say so (consent).",
        )


def configured_certificate() -> tuple[Certificate, str]:
    """Return the signing key to use, and ``"own"`` or ``"test"``.

    Raises
    ------
    UsageError
        If a key is configured and cannot be read.
    """
    key, chain = os.environ.get(KEY_VARIABLE), os.environ.get(CHAIN_VARIABLE)
    if not key and not chain:
        return make_test_certificate(), "test"
    try:
        return Certificate(Path(key or "").read_bytes(), Path(chain or "").read_bytes()), "own"
    except OSError as error:
        raise UsageError(
            "the signing key cannot be read",
            phrase("{key} and {chain}", key=KEY_VARIABLE, chain=CHAIN_VARIABLE),
            "Name both PEM files, or neither.",
        ) from error


def seal(coded: Path, out: Path) -> str:
    """Write a coded clip to its place, with comment, title and Content Credentials.

    Returns
    -------
    str
        Who signed: ``"own"`` or ``"test"``.

    Raises
    ------
    UsageError
        If it cannot be signed.
    OSError
        If a file cannot be written.
    """
    certificate, kind = configured_certificate()
    with tempfile.TemporaryDirectory(prefix="doorzicht-") as folder:
        labelled = Path(folder, "labelled.mp4")
        _write_comment(coded, labelled)
        sign(labelled, out, certificate=certificate, statement=STATEMENT, title=out.name)
    return kind


def _write_comment(source: Path, out: Path) -> None:
    """Copy a clip packet by packet, with the statement as the container's comment and title."""
    options = {"movflags": "+faststart", "fflags": "+bitexact", "video_track_timescale": "90000"}
    with (
        av.open(str(source)) as before,
        av.open(str(out), "w", format="mp4", options=options) as box,
    ):
        box.metadata["comment"] = box.metadata["title"] = STATEMENT
        stream = before.streams.video[0]
        copied = box.add_stream_from_template(stream)
        for packet in before.demux(stream):
            if packet.dts is not None:  # the last one is empty: it flushes
                packet.stream = copied
                box.mux(packet)


def read_comment(path: Path | str) -> str | None:
    """Return the container's comment, if any."""
    with av.open(str(path)) as box:
        return box.metadata.get("comment")


# -- the truth


def sidecar_path(clip: Path | str) -> Path:
    """Return where the facts about a synthetic clip lie."""
    return Path(clip).with_suffix(".json")


def masks_path(clip: Path | str) -> Path:
    """Return where its masks lie."""
    return Path(clip).with_suffix(".masks.zip")


class MaskWriter:
    """Writes one mask per frame into a ZIP of PNG files, as they come.

    `strip` rows are added below each, as they are to the frames.
    """

    def __init__(self, file: zipfile.ZipFile, *, strip: int = 0) -> None:
        self._file, self._strip = file, strip
        self.count = 0

    def add(self, mask: NDArray[np.float32]) -> None:
        """Append an (H, W) mask, 0..1."""
        grey = np.rint(np.pad(mask, ((0, self._strip), (0, 0))) * 255).astype(np.uint8)
        done, data = cv2.imencode(".png", grey)
        assert done
        member = zipfile.ZipInfo(_member(self.count), (1980, 1, 1, 0, 0, 0))
        self._file.writestr(member, data.tobytes())
        self.count += 1


def _member(number: int) -> str:
    return f"{number:06d}.png"


def read_mask(clip: Path | str, number: int) -> NDArray[np.float32]:
    """Return the mask of one frame of a synthetic clip: (H, W) float32, 0..1.

    Raises
    ------
    UsageError
        If there is none.
    """
    where = masks_path(clip)
    try:
        with zipfile.ZipFile(where) as file:
            data = np.frombuffer(file.read(_member(number)), np.uint8)
    except (OSError, KeyError, zipfile.BadZipFile) as error:
        value = phrase("{name}, frame {index}", name=media.show_name(where), index=number)
        raise UsageError(
            "there is no mask for this frame", value, "Make the clip again."
        ) from error
    grey = cv2.imdecode(data, cv2.IMREAD_GRAYSCALE)
    if grey is None:
        raise UsageError("a mask is damaged", media.show_name(where), "Make the clip again.")
    return np.asarray(grey.astype(np.float32) / 255, np.float32)


def write_sidecar(clip: Path, facts: dict[str, Any]) -> Path:
    """Write the facts about a synthetic clip beside it; return the path."""
    path = sidecar_path(clip)
    everything = {"schema": SCHEMA, "statement": STATEMENT, **facts}
    atomic_write(path, json.dumps(everything, indent=1, sort_keys=True, allow_nan=False) + "\n")
    return path


def read_sidecar(clip: Path | str) -> dict[str, Any]:
    """Return the facts about a synthetic clip.

    Raises
    ------
    UsageError
        If there are none.
    """
    path = sidecar_path(clip)
    try:
        facts = parse_json(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        value = media.show_name(path)
        raise UsageError("there is no truth beside this clip", value, "Make it again.") from error
    if not isinstance(facts, dict) or facts.get("schema") != SCHEMA:
        raise UsageError("this is not the truth of a synthetic clip", media.show_name(path))
    return facts
