"""Container and codec facts of a file: what it says about itself, and how it was put together.

Facts are listed, never judged, and none of them feeds a score: metadata would teach a detector the
habits of whoever collected the clips. The parsing of untrusted bytes happens in a child process
(`inspector.py`); here its answers are checked and put into words.
"""

from __future__ import annotations

import dataclasses
import datetime as dt
import json
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from toolkit._i18n import _
from toolkit.errors import VideoError
from toolkit.files import parse_json
from toolkit.media.video import PIXELS_MAX, PROBE_CPU_S, _Child, _open, probe, read
from toolkit.messages import phrase
from toolkit.types import Tick, Video, no_tick, spread

Rate = Literal["constant", "variable", "unknown"]

TEXT_MAX = 2000
"""Characters of a text from the file that are shown."""
BORDER_FRAMES = 8
BLACK = 24.0  # luma; a border that was coded is not quite 0

SEAM, SEAM_BRIGHT = 4, 0.5
"""Pixels beside a black bar, and the part of the picture's side along which they are brighter."""
DISTANCES_MAX = 200
SIDE_STEP = 8  # cameras and platforms write sides that are multiples of it, scalers often do not

_INSPECTOR = Path(__file__).with_name("inspector.py")
_BODY_MAX = 8 << 20
_EPOCH_1904 = 2_082_844_800  # seconds from 1904, where MP4 counts from, to 1970
_ENCODER_KEYS = {
    "encoder",
    "encoded_by",
    "writing_application",
    "writing_library",
    "software",
    "com.apple.quicktime.software",
    "com.android.version",
    "tool",
}
_CREATION_KEYS = {"creation_time", "encoded_date", "com.apple.quicktime.creationdate"}
_FFMPEG = {"lavf", "lavc", "libx264", "libx265", "x264", "x265"}


@dataclass(frozen=True)
class MetadataEntry:
    """One printable text from the file; `where` is for example ``"file"`` or ``"video 0"``."""

    where: str
    key: str
    value: str


@dataclass(frozen=True)
class Edit:
    """One line of an MP4 edit list; `start_s` is None where nothing is shown for that long."""

    track: int
    duration_s: float
    start_s: float | None


@dataclass(frozen=True)
class Gop:
    """Key frames and their distances, in frames.

    Attributes
    ----------
    distances
        From each key frame to the next, the first `DISTANCES_MAX` of them.
    is_constant
        Whether all are equal; None with fewer than two.
    shortest, longest
        Over all of the file; None with fewer than two key frames.
    has_b_frames
        Whether pictures are stored in another order than shown; None where times are unknown.
    """

    distances: tuple[int, ...]
    is_constant: bool | None
    shortest: int | None
    longest: int | None
    has_b_frames: bool | None


@dataclass(frozen=True)
class Sign:
    """Something that a reader should know of; none of it says that anything was forged.

    Attributes
    ----------
    code
        Stable word for programs.
    value
        What was met, printable and in no language.
    at_s
        Where in the video, when that is known.
    """

    code: str
    value: str
    at_s: float | None = None

    def line(self) -> str:
        """Return the sentence for it in the language in use."""
        return _sign_text(self.code).format(value=self.value)


def _sign_text(code: str) -> str:
    return {
        "several_encoders": _("Encoders of different makers are named: {value}."),
        "gop_varies": _("The distance between key frames varies: {value} frames."),
        "side_not_multiple": _("The stored size {value} is not a multiple of 8 on both sides."),
        "black_borders": _("There are black borders (left, top, right, bottom): {value} pixels."),
        "edit_list": _(
            "An edit list delays, cuts or repeats part of a track"
            " (track: duration / start): {value}."
        ),
        "no_audio": _("There is no sound track."),
        "trailing_bytes": _("{value} bytes follow the end of the container."),
        "creation_time_epoch": _("The creation time is the zero of the clock: {value}."),
        "variable_rate": _("The frame rate varies: {value} ms between frames."),
        "extra_streams": _("There are further streams: {value}."),
    }[code]


@dataclass(frozen=True)
class Provenance:
    """What can be known of a file's container and codec.

    Attributes
    ----------
    sha256, bytes
        The file.
    container, brand
        FFmpeg's name of the container, and an MP4's major brand.
    codec, profile, pixel_format
        Of the video stream that is analysed.
    stored_size, shown_size
        Width and height in pixels, before and after rotation and pixel aspect.
    rotation
        Clockwise degrees that display needs.
    pixel_aspect
        Width and height of a pixel as whole numbers.
    frames, duration_s
        Counted, not declared.
    rate, frames_per_second
        Whether frames are evenly spaced, and their usual number per second.
    gop
        Key frames.
    encoders
        Every text that names an encoder, and where it stands.
    encoder_settings
        The settings line of x264 or x265, or None.
    creation_time
        As the file states it, or None.
    audio
        Codecs of the sound tracks; empty = no sound.
    edit_list
        Of an MP4 file; at most 100 lines.
    trailing_bytes
        Behind the end of an MP4 file.
    borders
        Black columns and rows at the left, top, right and bottom of the shown picture, or None
        where they were not examined.
    signs
        Listed without judging.
    metadata
        All texts of the file, each printable and at most `TEXT_MAX` characters.
    tools
        Which programs read it, with versions.
    not_examined
        Parts that were not examined, as words for programs: mediainfo, borders,
        double_compression.
    """

    sha256: str
    bytes: int
    container: str
    brand: str | None
    codec: str
    profile: str | None
    pixel_format: str | None
    stored_size: tuple[int, int]
    shown_size: tuple[int, int]
    rotation: int
    pixel_aspect: tuple[int, int]
    frames: int
    duration_s: float
    rate: Rate
    frames_per_second: float | None
    gop: Gop
    encoders: tuple[MetadataEntry, ...]
    encoder_settings: str | None
    creation_time: str | None
    audio: tuple[str, ...]
    edit_list: tuple[Edit, ...]
    trailing_bytes: int
    borders: tuple[int, int, int, int] | None
    signs: tuple[Sign, ...]
    metadata: tuple[MetadataEntry, ...]
    tools: dict[str, str]
    not_examined: tuple[str, ...]

    def to_dict(self, *, private: bool = True) -> dict[str, Any]:
        """Return plain values.

        Parameters
        ----------
        private
            False leaves out what may tell who filmed it, when or with what: metadata, encoder
            texts, settings and creation time.
        """
        kept = self if private else self.without_private()
        plain: dict[str, Any] = json.loads(json.dumps(dataclasses.asdict(kept)))
        plain["private_left_out"] = not private
        return plain

    def without_private(self) -> Provenance:
        """Return a copy without metadata, encoder texts, settings and creation time."""
        told = {"several_encoders", "creation_time_epoch"}
        return dataclasses.replace(
            self,
            encoders=(),
            encoder_settings=None,
            creation_time=None,
            metadata=(),
            signs=tuple(s for s in self.signs if s.code not in told),
        )

    def lines(self, *, private: bool = True) -> list[tuple[str, str]]:
        """Return label and value of each fact, in the language in use; for `private` see above."""
        return list(_lines(self if private else self.without_private(), private=private))


def inspect(path: Path | str, *, tick: Tick = no_tick) -> Provenance:
    """Find out how a file was put together.

    Parameters
    ----------
    path
        A local video file, as for `media.probe`.
    tick
        Called with the stages hash, probe and provenance.

    Raises
    ------
    VideoError
        If the file cannot be read as video.
    Cancelled
        If `tick` raises it.
    """
    video = probe(path, tick=tick)
    container = ask("container", video.path, tick=tick)
    if "error" in container:
        raise VideoError("decoder stopped", container.get("why", container["error"]))
    media_info = ask("mediainfo", video.path, tick=tick)
    borders = _borders(video, tick)
    try:
        return _provenance(video, container, media_info, borders)
    except (KeyError, TypeError, ValueError, ArithmeticError) as error:
        raise VideoError("decoder stopped", phrase("it sent facts that make no sense")) from error


def ask(command: str, path: Path, *, tick: Tick = no_tick) -> dict[str, Any]:
    """Let the child process look at a file; return its answer, or ``{"error": why}``.

    Where the child itself broke off, ``"why"`` is that in a form that can be translated.

    An answer of the child is never trusted: whoever asks checks the types.

    Raises
    ------
    VideoError
        If the file cannot be opened.
    Cancelled
        If `tick` raises it.
    """
    fd = _open(path)
    try:
        size = os.fstat(fd).st_size
        request = {"pixels_max": PIXELS_MAX}
        with _Child(command, path, fd, request, cpu_s=PROBE_CPU_S, script=_INSPECTOR) as child:
            while True:
                try:
                    header, length = child.receive()
                    if "alive" not in header:
                        body = child.body(length) if length <= _BODY_MAX else bytearray()
                        break
                except VideoError as error:
                    return {"error": error.value, "why": error.parts[1]}
                tick("provenance", min(int(header["alive"]), size), size)
    finally:
        os.close(fd)
    if "facts" not in header:
        return {"error": printable(str(header.get("fail", "no answer")))}
    try:
        facts = parse_json(body)
    except ValueError:
        facts = None
    return facts if isinstance(facts, dict) else {"error": "it sent something that makes no sense"}


def printable(text: object, *, most: int = TEXT_MAX) -> str:
    r"""Return a text of a file on one line, with what cannot be printed as its ``\u`` escape.

    Escaping for HTML is up to whoever writes HTML.

    Examples
    --------
    >>> printable("a\nb\u202ec"), printable("x" * 9, most=4)
    ('a\\u000ab\\u202ec', 'xxxx…')
    """
    shown = "".join(
        c if c.isprintable() else f"\\u{ord(c):04x}" if ord(c) < 0x10000 else f"\\U{ord(c):08x}"
        for c in str(text)[: most + 1]
    )
    return shown if len(shown) <= most else shown[:most] + "…"


# --- putting it together ------------------------------------------------------------------


def _provenance(
    video: Video,
    found: dict[str, Any],
    media_info: dict[str, Any],
    borders: tuple[int, int, int, int] | None,
) -> Provenance:
    codes = {notice.code for notice in video.notices}
    metadata = [MetadataEntry(*(printable(text) for text in row)) for row in found["metadata"]]
    not_examined = ["double_compression"]
    tools = {printable(k, most=40): printable(v, most=40) for k, v in found["libraries"].items()}
    if "rows" in media_info:
        metadata += [
            MetadataEntry(
                f"MediaInfo {printable(where, most=40)}", printable(key), printable(value)
            )
            for where, key, value in media_info["rows"]
        ]
        tools["MediaInfo"] = printable(media_info["version"], most=40)
    else:
        not_examined.append("mediainfo")
    if borders is None:
        not_examined.append("borders")
    encoders, settings = _encoders(metadata, printable(found["library_line"], most=4200))
    gaps_ms = 1000 * np.diff(video.pts)
    middle = float(np.median(gaps_ms)) if len(gaps_ms) else 0.0
    rate: Rate = "constant"
    if "no_timestamps" in codes or not middle:
        rate = "unknown"
    elif "variable_frame_rate" in codes:
        rate = "variable"
    stored = (_whole(found["stored"][0]), _whole(found["stored"][1]))
    edits = tuple(
        Edit(_whole(track), float(lasts), None if begins is None else float(begins))
        for track, lasts, begins in found.get("edits", [])
    )
    facts = Provenance(
        sha256=video.sha256,
        bytes=video.bytes,
        container=printable(found["format"], most=60),
        brand=printable(found["brand"], most=8) if "brand" in found else None,
        codec=video.codec,
        profile=None if found["profile"] is None else printable(found["profile"], most=60),
        pixel_format=None if not found["pixel_format"] else printable(found["pixel_format"]),
        stored_size=stored,
        shown_size=(video.width, video.height),
        rotation=90 * video.rotation,
        pixel_aspect=(_whole(found["aspect"][0]), _whole(found["aspect"][1])),
        frames=len(video.pts),
        duration_s=video.duration_s,
        rate=rate,
        frames_per_second=1000 / middle if middle and rate != "unknown" else None,
        gop=_gop(video, found, is_timed="no_timestamps" not in codes),
        encoders=encoders,
        encoder_settings=settings,
        creation_time=_creation_time(metadata, found.get("created")),
        audio=tuple(printable(codec, most=40) for codec in found["audio"]),
        edit_list=edits,
        trailing_bytes=_whole(found.get("trailing", 0)),
        borders=borders,
        signs=(),
        metadata=tuple(metadata),
        tools=dict(sorted(tools.items())),
        not_examined=tuple(sorted(not_examined)),
    )
    others = ", ".join(printable(kind, most=20) for kind in found["other_streams"][:20])
    return dataclasses.replace(facts, signs=tuple(_signs(facts, gaps_ms, others)))


def _whole(value: object) -> int:
    if not isinstance(value, int) or isinstance(value, bool):
        raise TypeError("not a whole number")
    return value


def _gop(video: Video, found: dict[str, Any], *, is_timed: bool) -> Gop:
    if not is_timed:  # then only the first frame is known to be a key frame
        return Gop((), None, None, None, None)
    distances = tuple(np.diff(video.keyframes).tolist())
    return Gop(
        distances=distances[:DISTANCES_MAX],
        is_constant=len(set(distances)) == 1 if len(distances) > 1 else None,
        shortest=min(distances, default=None),
        longest=max(distances, default=None),
        has_b_frames=_whole(found["reordered"]) > 0,
    )


def _encoders(
    metadata: list[MetadataEntry], line: str
) -> tuple[tuple[MetadataEntry, ...], str | None]:
    """Return who is named as encoder, each text once, and the settings line of the library."""
    named = [e for e in metadata if e.key.lower() in _ENCODER_KEYS and e.value.strip()]
    settings = next((e.value for e in metadata if e.key == "encoding_settings"), None)
    if line:
        name, _sep, options = line.partition("options: ")
        named.append(MetadataEntry("stream", "library", " - ".join(name.split(" - ")[:2])))
        settings = printable(options) if options else settings
    seen: dict[str, MetadataEntry] = {}
    for entry in named:
        if not any(entry.value in other or other in entry.value for other in seen):
            seen[entry.value] = entry
    return tuple(seen.values()), settings


def _family(encoder: str) -> str:
    """Return the first word in lower case; FFmpeg and the libraries it brings count as one."""
    words = re.findall(r"[A-Za-z][A-Za-z0-9]*[A-Za-z]|x26[45]|[A-Za-z]", encoder)
    found = [w.lower() for w in words]
    if any(re.sub(r"\d+$", "", w) in _FFMPEG or w in _FFMPEG for w in found):
        return "ffmpeg"
    return found[0] if found else encoder.lower()


def _creation_time(metadata: list[MetadataEntry], raw: object) -> str | None:
    """Return the creation time the file states; MP4's own clock where there is no tag."""
    for entry in metadata:
        if entry.key.lower() in {
            "creation_time",
            "encoded_date",
            "com.apple.quicktime.creationdate",
        }:
            return entry.value
    if not isinstance(raw, int) or raw < 0 or raw > 2 * _EPOCH_1904 + (1 << 31):
        return None
    start = dt.datetime(1904, 1, 1, tzinfo=dt.UTC)
    return (start + dt.timedelta(seconds=raw)).strftime("%Y-%m-%dT%H:%M:%SZ")


def _signs(facts: Provenance, gaps_ms: NDArray[np.float64], others: str) -> Iterator[Sign]:
    families = {_family(e.value) for e in facts.encoders}
    if len(families) > 1:
        yield Sign("several_encoders", "; ".join(e.value for e in facts.encoders))
    if facts.gop.is_constant is False:
        yield Sign("gop_varies", f"{facts.gop.shortest}-{facts.gop.longest}")
    if any(side % SIDE_STEP for side in facts.stored_size):
        yield Sign("side_not_multiple", "×".join(map(str, facts.stored_size)))
    if facts.borders and any(facts.borders):
        yield Sign("black_borders", ", ".join(map(str, facts.borders)))
    if edits := _telling_edits(facts):
        yield Sign("edit_list", "; ".join(edits))
    if not facts.audio:
        yield Sign("no_audio", "")
    if facts.trailing_bytes:
        yield Sign("trailing_bytes", str(facts.trailing_bytes))
    if facts.creation_time and re.match(r"(1904|1970)-01-01.00:00:00", facts.creation_time):
        yield Sign("creation_time_epoch", facts.creation_time)
    if facts.rate == "variable":
        yield Sign("variable_rate", f"{gaps_ms.min():.0f}-{gaps_ms.max():.0f}")
    if others:
        yield Sign("extra_streams", others)


def _telling_edits(facts: Provenance) -> list[str]:
    """Return the edits beyond the one that every encoder with a start-up delay writes."""
    frame_s = 1 / (facts.frames_per_second or 25)
    per_track: dict[int, list[Edit]] = {}
    for edit in facts.edit_list:
        per_track.setdefault(edit.track, []).append(edit)
    told = []
    for track, edits in per_track.items():
        plain = len(edits) == 1 and edits[0].start_s is not None and edits[0].start_s < 4 * frame_s
        if not plain:
            starts = ["-" if e.start_s is None else f"{e.start_s:.3f} s" for e in edits[:5]]
            told += [
                f"{track}: {e.duration_s:.3f} s / {start}"
                for e, start in zip(edits, starts, strict=False)
            ]
    return told


def _borders(video: Video, tick: Tick) -> tuple[int, int, int, int] | None:
    """Return the black columns and rows at left, top, right, bottom, or None if all is black.

    A bar ends along a line: most of the picture beside it is brighter. A dark room does not.
    """
    wanted = spread(len(video.pts), BORDER_FRAMES)
    brightest: NDArray[np.float32] | None = None
    try:
        for frame in read(video, wanted, tick=tick, stage="provenance"):
            luma = frame.rgb.astype(np.float32).max(axis=2)
            brightest = luma if brightest is None else np.maximum(brightest, luma)
    except VideoError:
        return None
    if brightest is None:
        return None
    # a hot pixel or ringing at the seam must not hide a border
    columns = np.flatnonzero(np.quantile(brightest, 0.98, axis=0) > BLACK)
    rows = np.flatnonzero(np.quantile(brightest, 0.98, axis=1) > BLACK)
    if not len(columns) or not len(rows):
        return None
    height, width = brightest.shape
    left_end, right_end, top_end, bottom_end = columns[0], columns[-1] + 1, rows[0], rows[-1] + 1
    bars = (left_end, top_end, width - right_end, height - bottom_end)
    seams = (
        brightest[:, left_end : left_end + SEAM],
        brightest[top_end : top_end + SEAM],
        brightest[:, max(right_end - SEAM, 0) : right_end],
        brightest[max(bottom_end - SEAM, 0) : bottom_end],
    )
    along = (1, 0, 1, 0)
    left, top, right, bottom = (
        int(bar) if np.mean(seam.max(axis=axis) > BLACK) >= SEAM_BRIGHT else 0
        for bar, seam, axis in zip(bars, seams, along, strict=True)
    )
    return left, top, right, bottom


# --- words --------------------------------------------------------------------------------


def _lines(facts: Provenance, *, private: bool) -> Iterator[tuple[str, str]]:
    unknown, absent = _("not known"), _("none")
    examined = facts.not_examined
    yield _("Container"), f"{facts.container} ({facts.brand})" if facts.brand else facts.container
    codec = ", ".join(part for part in (facts.codec, facts.profile, facts.pixel_format) if part)
    yield _("Video codec"), codec
    yield _("Stored size"), "{} × {}".format(*facts.stored_size)
    yield _("Shown size"), "{} × {}".format(*facts.shown_size)
    yield _("Rotation"), f"{facts.rotation}°"
    yield _("Pixel aspect"), "{}:{}".format(*facts.pixel_aspect)
    yield _("Frames"), str(facts.frames)
    yield _("Duration"), f"{facts.duration_s:.2f} s"
    yield _("Frame rate"), _rate_text(facts)
    yield _("Key frames"), _gop_text(facts.gop)
    b_frames = {None: unknown, True: _("yes"), False: _("no")}[facts.gop.has_b_frames]
    yield _("Pictures stored out of order (B-frames)"), b_frames
    if private:
        named = "; ".join(f"{e.value} ({e.where}, {e.key})" for e in facts.encoders)
        yield _("Encoder named in the file"), named or absent
        yield _("Encoder settings"), facts.encoder_settings or unknown
        yield _("Creation time, as the file states it"), facts.creation_time or absent
    else:
        yield _("Encoder, settings, creation time and metadata"), _("left out to protect people")
    yield _("Sound"), ", ".join(facts.audio) or absent
    yield _("Edit list"), _edits_text(facts.edit_list) or absent
    yield _("Bytes behind the end"), str(facts.trailing_bytes)
    border = ", ".join(map(str, facts.borders or ()))
    yield (
        _("Black borders (left, top, right, bottom)"),
        _("not examined") if facts.borders is None else f"{border} px",
    )
    if "mediainfo" in examined:
        yield _("MediaInfo"), _("not examined")
    if "double_compression" in examined:
        yield _("Traces of compression before the last one"), _("not examined")
    yield _("Read with"), ", ".join(f"{k} {v}" for k, v in facts.tools.items())


def _edits_text(edits: tuple[Edit, ...]) -> str:
    return "; ".join(_edit_text(edit) for edit in edits[:6]) + ("; …" if len(edits) > 6 else "")


def _edit_text(edit: Edit) -> str:
    numbers = {"track": edit.track, "lasts": f"{edit.duration_s:.3f}"}
    if edit.start_s is None:
        return _("track {track}: nothing for {lasts} s").format(**numbers)
    begins = f"{edit.start_s:.3f}"
    return _("track {track}: {lasts} s from {begins} s").format(begins=begins, **numbers)


def _rate_text(facts: Provenance) -> str:
    if facts.frames_per_second is None:
        return _("not known")
    number = f"{facts.frames_per_second:.3f}".rstrip("0").rstrip(".")
    if facts.rate == "variable":
        return _("variable, most often {number} per second").format(number=number)
    return _("constant, {number} per second").format(number=number)


def _gop_text(gop: Gop) -> str:
    if gop.shortest is None:
        return _("not known") if gop.has_b_frames is None else _("only at the start")
    if gop.shortest == gop.longest:
        return _("every {n} frames").format(n=gop.shortest)
    return _("{shortest} to {longest} frames apart").format(
        shortest=gop.shortest, longest=gop.longest
    )
