"""Spoil bytes as accidents and enemies do, each time the same for the same random numbers."""

from __future__ import annotations

import io
import json
import random
import re
import struct
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

FLIPS_MAX = 64
RUN_MAX = 512
"""Most bytes of a stretch that is overwritten, and a fifth of those that are moved about."""
DEEP = 100_000
"""Brackets within brackets: more than any parser follows."""
NUMBERS = (0, 1, -1, 2, 7, 255, 2**15, 2**16 - 1, 2**24, 2**31 - 1, -(2**31), 2**32 - 1, 2**63 - 1)
_WORDS = (
    "",
    "a" * 70_000,
    "\ud800",
    "\0",
    "\u202e",
    "../../../etc/passwd",
    "<script>alert(1)</script>",
    "=HYPERLINK(1)",
    "{0.__class__}",
    "%s%n",
    "NaN",
    "\x1b[2J",
)
_VALUES: tuple[Any, ...] = (None, True, False, [], {}, [[]], 1e308, float("nan"), -0.0, 10**400)
_BOXES = re.compile(rb"ftyp|moov|mvhd|trak|tkhd|mdia|mdhd|hdlr|minf|stbl|stsd|stts|ctts|stss|stsc")
_BOXES_TOO = re.compile(rb"stsz|stco|co64|elst|edts|avc1|avcC|hvcC|mdat|moof|traf|tfhd|trun|free")


@dataclass(frozen=True)
class Mutant:
    """Spoilt bytes, and what was done to them."""

    data: bytes
    how: str


def spoil_bytes(data: bytes, rng: random.Random) -> Mutant:
    """Flip bits, cut, move, repeat or overwrite, one to three times over."""
    names = []
    for _ in range(rng.choice((1, 1, 1, 2, 3))):
        name, work = rng.choice(_BLIND)
        data = work(data, rng)
        names.append(name)
    return Mutant(data, "+".join(names))


def spoil_media(data: bytes, rng: random.Random) -> Mutant:
    """Spoil a container: half of the time where its headers are, else anywhere."""
    if rng.random() < 0.5:
        return spoil_bytes(data, rng)
    names = []
    for _ in range(rng.choice((1, 1, 2, 4))):
        data = _edit_field(data, rng)
        names.append("header")
    if rng.random() < 0.2:
        blind = spoil_bytes(data, rng)
        return Mutant(blind.data, "+".join([*names, blind.how]))
    return Mutant(data, "+".join(names))


def spoil_json(data: bytes, rng: random.Random) -> Mutant:
    """Spoil a JSON text: half of the time its values, so that it still is JSON."""
    if rng.random() < 0.3:
        return spoil_bytes(data, rng)
    if rng.random() < 0.05:
        return Mutant(b"[" * DEEP + b"]" * DEEP, "deep")
    content, names = json.loads(data), []
    for _ in range(rng.choice((1, 1, 2, 3))):
        content, name = _edit_value(content, rng)
        names.append(name)
    return Mutant(json.dumps(content).encode(), "+".join(names))


def spoil_table(data: bytes, rng: random.Random) -> Mutant:
    """Spoil a CSV text."""
    if rng.random() < 0.4:
        return spoil_bytes(data, rng)
    lines = data.split(b"\n")
    at = rng.randrange(len(lines))
    name, piece = rng.choice(
        (
            ("quote", b'"'),
            ("separator", b",;\t"),
            ("nul", b"\0"),
            ("bom", b"\xff\xfe"),
            ("long", b"x" * 200_000),
            ("return", b"\r"),
            ("formula", b"=cmd|' /C calc'!A0"),
            ("not UTF-8", b"\xe9\x81"),
        )
    )
    where = rng.randrange(len(lines[at]) + 1)
    lines[at] = lines[at][:where] + piece + lines[at][where:]
    return Mutant(b"\n".join(lines), name)


def spoil_archive(data: bytes, rng: random.Random) -> Mutant:
    """Spoil a ZIP of arrays and JSON: its bytes, or one member before it is packed again."""
    if rng.random() < 0.5:
        return spoil_bytes(data, rng)
    with zipfile.ZipFile(io.BytesIO(data)) as box:
        members = {name: box.read(name) for name in box.namelist()}
    name = rng.choice(sorted(members))
    if name.endswith(".json"):
        spoilt = spoil_json(members[name], rng)
    else:
        spoilt = _spoil_array(members[name], rng)
    members[name] = spoilt.data
    raw = io.BytesIO()
    method = rng.choice((zipfile.ZIP_DEFLATED, zipfile.ZIP_STORED, zipfile.ZIP_BZIP2))
    with zipfile.ZipFile(raw, "w", method, compresslevel=1) as box:
        for key, content in members.items():
            box.writestr(key, content)
    return Mutant(raw.getvalue(), f"{name}: {spoilt.how}")


def _spoil_array(data: bytes, rng: random.Random) -> Mutant:
    """Spoil a .npy: its header says another type or shape, or its numbers are odd."""
    kind = rng.choice(("dtype", "shape", "order", "numbers", "bytes"))
    if kind == "bytes":
        return spoil_bytes(data, rng)
    if kind == "numbers":
        start = struct.unpack("<H", data[8:10])[0] + 10
        odd = rng.choice((b"\xff", b"\x7f\x80\x00\x00", b"\x00\x00\xc0\x7f"))
        body = odd * ((len(data) - start) // len(odd) + 1)
        return Mutant(data[:start] + body[: len(data) - start], kind)
    edits = {
        "dtype": (rb"'descr': '[^']*'", b"'descr': '" + rng.choice((b"|O", b"<f2", b"<U9")) + b"'"),
        "shape": (
            rb"'shape': \([^)]*\)",
            b"'shape': " + rng.choice((b"(9,)", b"(-1,)", b"(99999999999,)", b"()")),
        ),
        "order": (rb"'fortran_order': \w+", b"'fortran_order': True"),
    }
    pattern, piece = edits[kind]
    size = struct.unpack("<H", data[8:10])[0]
    head = re.sub(pattern, lambda _: piece, data[10 : 10 + size])
    return Mutant(data[:8] + struct.pack("<H", len(head)) + head + data[10 + size :], kind)


# --- blind --------------------------------------------------------------------------------------


def _stretch(data: bytes, rng: random.Random) -> tuple[int, int]:
    start = rng.randrange(len(data)) if data else 0
    return start, min(len(data), start + rng.randint(1, max(1, len(data) // 5)))


def _flip(data: bytes, rng: random.Random) -> bytes:
    spoilt = bytearray(data)
    for _ in range(rng.randint(1, FLIPS_MAX) if data else 0):
        spoilt[rng.randrange(len(spoilt))] ^= 1 << rng.randrange(8)
    return bytes(spoilt)


def _cut(data: bytes, rng: random.Random) -> bytes:
    return data[: rng.randint(0, len(data))]


def _drop(data: bytes, rng: random.Random) -> bytes:
    start, end = _stretch(data, rng)
    return data[:start] + data[end:]


def _repeat(data: bytes, rng: random.Random) -> bytes:
    start, end = _stretch(data, rng)
    return data[:end] + data[start:end] * rng.randint(1, 3) + data[end:]


def _swap(data: bytes, rng: random.Random) -> bytes:
    (a, b), (c, d) = sorted((_stretch(data, rng), _stretch(data, rng)))
    b = min(b, c)
    return data[:a] + data[c:d] + data[b:c] + data[a:b] + data[d:]


def _overwrite(data: bytes, rng: random.Random) -> bytes:
    start, end = _stretch(data, rng)
    end = min(end, start + RUN_MAX)
    return data[:start] + rng.choice((bytes, rng.randbytes))(end - start) + data[end:]


_BLIND: tuple[tuple[str, Callable[[bytes, random.Random], bytes]], ...] = (
    ("flip", _flip),
    ("flip", _flip),
    ("cut", _cut),
    ("drop", _drop),
    ("repeat", _repeat),
    ("swap", _swap),
    ("overwrite", _overwrite),
)


# --- with knowledge of the format ---------------------------------------------------------------


def _edit_field(data: bytes, rng: random.Random) -> bytes:
    """Put a number that is seldom seen where a container has a size, a count or a name."""
    if len(data) < 16:
        return data
    spots = _header_spots(data)
    at = min(rng.choice(spots) + rng.randint(-4, 40), len(data) - 9)
    at = max(0, at)
    width = rng.choice((1, 2, 4, 4, 4, 8))
    number = rng.choice((*NUMBERS, rng.getrandbits(64))) & ((1 << 8 * width) - 1)
    piece = number.to_bytes(width, rng.choice(("big", "big", "little")))
    return data[:at] + piece + data[at + width :]


def _header_spots(data: bytes) -> list[int]:
    """Return places where the header fields of some container begin."""
    if data[4:8] == b"ftyp":
        found = [m.start() for p in (_BOXES, _BOXES_TOO) for m in p.finditer(data)]
        return found or [0]
    if data[:4] == b"RIFF":
        marks = re.finditer(rb"RIFF|LIST|avih|strh|strf|idx1|00dc|movi", data)
        return [m.start() for m in marks]
    if data[:1] == b"\x47":  # a transport stream: packets of 188 bytes
        return [*range(0, len(data) - 188, 188), *([0, 188, 376] * 20)]
    return [*range(0, min(len(data), 600), 8), max(0, len(data) - 200)]


def _edit_value(content: Any, rng: random.Random) -> tuple[Any, str]:
    """Put something else at a random place of nested values."""
    places: list[tuple[Any, Any]] = []

    def walk(item: Any) -> None:
        if isinstance(item, dict):
            keys: list[Any] = list(item)
        elif isinstance(item, list):
            keys = list(range(min(len(item), 50)))
        else:
            return
        for key in keys:
            places.append((item, key))
            walk(item[key])

    walk(content)
    if not places:
        return rng.choice(_VALUES), "value"
    parent, key = rng.choice(places)
    how = rng.choice(("value", "word", "number", "remove", "exchange"))
    if how == "remove":
        del parent[key]
    elif how == "exchange":
        other, at = rng.choice(places)
        parent[key] = json.loads(json.dumps(other[at])) if _has(other, at) else None
    else:
        parent[key] = rng.choice({"value": _VALUES, "word": _WORDS, "number": NUMBERS}[how])
    return content, how


def _has(parent: Any, key: Any) -> bool:
    return key in parent if isinstance(parent, dict) else key < len(parent)
