"""Child process that looks at a container and its credentials; `python -I inspector.py COMMAND FD`.

It lives under the limits of `decoder.py`, whose parts it uses: memory, CPU time and file size are
bounded, and no further file or socket can be opened. So what MediaInfo and the C2PA library do with
a hostile file stays in here, and neither can reach the network whatever a file tells it to fetch.

Commands: ``container``, ``mediainfo``, ``credentials``. Each answers with one message whose body is
JSON. All text in it comes from the file: the parent makes it printable.
"""

from __future__ import annotations

import json
import os
import re
import runpy
import struct
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO

_decoder = runpy.run_path(str(Path(__file__).with_name("decoder.py")))
# -I keeps the package out of reach: the neighbour's parts come from its file
Pipe, Fail = _decoder["Pipe"], _decoder["Fail"]
_limit, _open_video, _mp4_facts = _decoder["_limit"], _decoder["_open"], _decoder["_mp4_facts"]
MOOV_MAX: int = _decoder["MOOV_MAX"]

EDITS_MAX = 100
ENTRIES_MAX = 200
TEXT_MAX = 8000  # characters of one value on its way to the parent, which cuts again
LIBRARY_LINE = re.compile(rb"x26[45][ -~]{8,4000}")
OFFLINE = {"verify": {"remote_manifest_fetch": False, "ocsp_fetch": False}}
MEDIAINFO_KEYS = (
    "format", "format_profile", "writing_application", "writing_library", "encoding_settings",
    "encoded_date", "tagged_date", "frame_rate_mode", "rotation", "codec_id", "title", "comment",
)  # fmt: skip


def main() -> int:
    """Obey one command; return 0, also after a refusal that was reported."""
    command, where = sys.argv[1:3]
    file = os.fdopen(int(where[3:]), "rb") if where.startswith("fd:") else open(where, "rb")  # noqa: PTH123, SIM115
    request = json.load(sys.stdin)
    pipe = Pipe()
    try:
        work = {"container": _container, "mediainfo": _mediainfo, "credentials": _credentials}
        facts = work[command](file, request, pipe)
        pipe.send({"facts": command}, json.dumps(facts).encode())
    except Fail as refusal:
        pipe.send({"fail": refusal.word, **refusal.facts})
    except MemoryError:
        pipe.send({"fail": "memory"})
    return 0


# --- container ----------------------------------------------------------------------------


def _container(file: BinaryIO, request: dict[str, Any], pipe: Any) -> dict[str, Any]:
    """Return what FFmpeg says, what the packets show, and what stands in the MP4 index."""
    _limit(request["memory_bytes"], request["cpu_s"])
    import av

    box, stream, _ = _open_video(file, request["pixels_max"])
    context = stream.codec_context
    aspect = stream.sample_aspect_ratio or context.sample_aspect_ratio or 1
    facts: dict[str, Any] = {
        "format": box.format.name,
        "metadata": [["file", k, v[:TEXT_MAX]] for k, v in box.metadata.items()],
        "codec": context.name,
        "profile": context.profile,
        "pixel_format": context.pix_fmt,
        "stored": [context.width, context.height],
        "aspect": [aspect.numerator, aspect.denominator],
        "audio": [s.codec_context.name if s.codec_context else "?" for s in box.streams.audio],
        "other_streams": [s.type for s in box.streams if s.type not in {"video", "audio"}],
        "libraries": {"PyAV": av.__version__, "FFmpeg": av.ffmpeg_version_info}
        | {k: ".".join(map(str, av.library_versions[k])) for k in ("libavformat", "libavcodec")},
    }
    for s in box.streams:
        name = f"{s.type} {s.index}"
        facts["metadata"] += [[name, k, v[:TEXT_MAX]] for k, v in s.metadata.items()]
    facts["metadata"] = facts["metadata"][:ENTRIES_MAX]
    is_mp4 = "mp4" in box.format.name
    track = list(box.streams.video).index(stream)
    facts |= _packets(box, stream, pipe)
    if is_mp4:
        facts["trailing"] = _mp4_facts(file, track).get("trailing", 0)
        facts |= _index_facts(file)
    return facts


def _packets(box: Any, stream: Any, pipe: Any) -> dict[str, Any]:
    """Go through the packets once: their order, and the line an encoder left in the first."""
    count = reordered = 0
    highest, line = None, b""
    extradata = bytes(stream.codec_context.extradata or b"")
    packets = box.demux(stream)
    while True:
        try:
            packet = next(packets, None)
        except Exception:  # noqa: BLE001 - the rest of the file cannot be reached
            break
        if packet is None:
            break
        if not packet.size:
            continue
        if not count:
            found = LIBRARY_LINE.search(bytes(packet)) or LIBRARY_LINE.search(extradata)
            line = found.group() if found else b""
        count += 1
        if packet.pts is not None:
            reordered += highest is not None and packet.pts < highest
            highest = packet.pts if highest is None else max(highest, packet.pts)
        pipe.alive(max(packet.pos or 0, 0))
    return {"packets": count, "reordered": reordered, "library_line": line.decode("latin-1")}


def _index_facts(file: BinaryIO) -> dict[str, Any]:
    """Return brand, raw creation time and edit lists of an MP4 file."""
    size = file.seek(0, os.SEEK_END)
    facts: dict[str, Any] = {}
    for name, start, claimed in _decoder["_top_boxes"](file, size):
        file.seek(start)
        if name == "ftyp" and "brand" not in facts:
            facts["brand"] = file.read(12)[8:12].decode("latin-1")
        elif name == "moov" and "edits" not in facts:
            facts |= _moov_facts(file.read(min(claimed, MOOV_MAX)))
    return facts


def _moov_facts(moov: bytes) -> dict[str, Any]:
    movie = next((b for n, b in _boxes(moov[8:]) if n == b"mvhd"), b"")
    version = movie[:1] == b"\1"
    created = _number(movie, 4, 8 if version else 4)
    scale = _number(movie, 20 if version else 12, 4) or 1
    edits: list[list[Any]] = []
    for number, track in enumerate(b for n, b in _boxes(moov[8:]) if n == b"trak"):
        inside = dict(_boxes(track))
        clock = dict(_boxes(inside.get(b"mdia", b""))).get(b"mdhd", b"")
        ticks = _number(clock, 20 if clock[:1] == b"\1" else 12, 4) or 1
        table = dict(_boxes(inside.get(b"edts", b""))).get(b"elst", b"")
        wide = table[:1] == b"\1"
        row = 20 if wide else 12
        for at in range(8, 8 + row * min(_number(table, 4, 4), EDITS_MAX), row):
            entry = table[at : at + row]
            if len(entry) < row or len(edits) >= EDITS_MAX:
                break
            lasts, begins = struct.unpack(">Qq" if wide else ">Ii", entry[: 16 if wide else 8])
            edits.append([number, lasts / scale, None if begins < 0 else begins / ticks])
    return {"created": created if movie else None, "edits": edits}


def _number(data: bytes, at: int, length: int) -> int:
    return int.from_bytes(data[at : at + length])


def _boxes(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Yield name and content of the boxes inside a box; a lie about a length ends it."""
    at = 0
    while at + 8 <= len(data):
        size = _number(data, at, 4)
        if size < 8 or at + size > len(data):
            return
        yield data[at + 4 : at + 8], data[at + 8 : at + size]
        at += size


# --- the two libraries that are loaded before the limits ----------------------------------


def _mediainfo(file: BinaryIO, request: dict[str, Any], _pipe: Any) -> dict[str, Any]:
    """Return what MediaInfo reads; ``{"missing": true}`` where it is not installed."""
    try:
        import pymediainfo

        version = _mediainfo_version(pymediainfo)
    except (ImportError, OSError):
        return {"missing": True}
    _limit(request["memory_bytes"], request["cpu_s"])
    try:
        tracks = pymediainfo.MediaInfo.parse(file).tracks
    except Exception as error:  # noqa: BLE001 - any class may come out of a broken file
        return {"error": type(error).__name__, "version": version}
    rows = [
        [track.track_type, key, str(value)[:TEXT_MAX]]
        for track in tracks
        for key in MEDIAINFO_KEYS
        if (value := getattr(track, key)) is not None
    ]
    return {"version": version, "rows": rows[:ENTRIES_MAX]}


def _mediainfo_version(pymediainfo: Any) -> str:
    """Load the library, so that the limits find it loaded, and return its version."""
    return str(pymediainfo.MediaInfo._get_library()[2])  # noqa: SLF001 - no public way exists


def _credentials(file: BinaryIO, request: dict[str, Any], _pipe: Any) -> dict[str, Any]:
    """Return what the C2PA library reads, or the text of its refusal."""
    try:
        import c2pa  # type: ignore[import-untyped]

        version = f"c2pa-python {_version('c2pa-python')} (c2pa-rs {c2pa.sdk_version()})"
    except (ImportError, OSError):
        return {"missing": True}
    _limit(request["memory_bytes"], request["cpu_s"])
    context = c2pa.Context(c2pa.Settings.from_dict(OFFLINE))
    try:
        reader = c2pa.Reader(None, file, context=context)
        return {"version": version, "json": json.loads(reader.json())}
    except Exception as error:  # noqa: BLE001 - any class may come out of a broken file
        return {"version": version, "error": str(error)[:TEXT_MAX]}


def _version(package: str) -> str:
    from importlib.metadata import version

    return version(package)


if __name__ == "__main__":
    sys.exit(main())
