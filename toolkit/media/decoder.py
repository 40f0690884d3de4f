"""Child process that opens and decodes media; run as ``python -I decoder.py COMMAND WHERE``.

It imports only the standard library, av and numpy. The parent (`video.py`) hands over an open
descriptor (``fd:7``; a path where descriptors cannot be passed) and a request on standard input,
and gets messages back on standard output. Whatever a hostile file does to the decoder stays in
here: memory, CPU time and file size are limited, and no further file or socket can be opened.

A message is two little-endian uint32 (length of header, length of body), a JSON header, and raw
bytes. The header says only numbers and fixed words; sentences are written by the parent, which
checks everything again because this process may have been taken over.
"""

from __future__ import annotations

import ctypes
import functools
import json
import math
import os
import re
import struct
import sys
import time
from bisect import bisect_right
from collections.abc import Iterator
from fractions import Fraction
from itertools import chain, pairwise
from typing import Any, BinaryIO

import av
import av.filter
import av.logging
import av.subtitles.codeccontext  # av loads these when first met; here nothing can be loaded
import av.subtitles.stream  # any more once the limits are set
import numpy as np
from av.stream import Disposition
from av.video.frame import PictureType
from av.video.reformatter import (
    ColorPrimaries,
    Colorspace,
    ColorTrc,
    Interpolation,
    VideoReformatter,
)
from numpy.typing import NDArray

try:
    import resource
except ImportError:  # Windows has none: there only the parent's watchdog limits this process
    resource = None  # type: ignore[assignment]

OPTIONS = {
    "protocol_whitelist": "file",
    "format_whitelist": "mov,matroska,webm,avi,mpegts,mpeg,mpegvideo,h264,hevc",
    "max_streams": "64",
}
NOT_A_VIDEO = Disposition.attached_pic | Disposition.still_image | Disposition.timed_thumbnails
ALIVE_S = 0.4  # pause between signs of life
TRY_PACKETS = 400  # packets that may pass until the first picture
TRY_FRAMES = 12  # pictures decoded by probe; more than any reordering delay
SEEK_GAP = 16  # frames decoded on rather than sought over: about what a seek costs
TINY = 1024  # bytes; below it no file can hold a picture and an index
MOVES_PACKETS = 250  # of a stream are decoded before it is said not to move
MOVES_LEVELS = 6  # of 255, in one cell of a thumbnail; coding a still changes less
THUMBNAIL = 16
ASPECT_MAX = 10.0
MOOV_MAX = 64 << 20
PARTS_READ = {"moov", "moof", "mfra", "sidx"}
HDR = {int(ColorTrc.SMPTE2084): "pq", int(ColorTrc.ARIB_STD_B67): "hlg"}
PQ_WHITE_NITS = 203.0  # diffuse white of HDR (ITU-R BT.2408)
PQ_KNEE = 0.7  # of diffuse white; brighter light is compressed towards 1
SUMMED = {"ffv1"}  # codecs with a check sum for each frame
COMB_STEP = 8  # grey levels between neighbouring lines, of 255, before it may be combing
COMB_PART = 0.01  # of the pixels; below it the picture counts as whole
UNSAID = (0, 2)  # RGB, and nothing said
MATRICES = (1, 4, 5, 6, 7, 9)  # those of which FFmpeg makes RGB: BT.709, 601 and kin, BT.2020
JOINS_TOLD = 100
JOIN_NEAR = 3  # packets round a join whose flags mean nothing: the parser holds some back
JOIN_BACK_S = 0.2  # a clock that goes back so far starts anew: packets come in decoding order
JOIN_AHEAD_S = 3600.0  # and so does one that leaps, where 33 bits of clock make that the same

FRAGMENT_MARKS = (b"moof", b"traf", b"trun", b"mdat")
TS_SYNC = 0x47  # begins each packet of a transport stream, behind a time of 4 bytes on Blu-ray
TS_PACKETS = ((188, 0), (192, 4), (204, 0))  # length of a packet, and where in it the sync stands
TS_TRIED = 60
TS_BLOCK = 16384  # packets looked at together
TRAF_IS_EMPTY = 0x10000  # flag of a fragment's track that has a length and no pictures
TRUN_HEAD, TRUN_FIELDS = 0x5, 0xF00  # flags of its list: fields said once, and for each picture

# Matroska: elements that may stand in a file, in its segment, and in a cluster of frames.
EBML_INSIDE = (
    {0x1A45DFA3, 0x18538067, 0xEC},
    {
        0x114D9B74,
        0x1549A966,
        0x1654AE6B,
        0x1F43B675,
        0x1C53BB6B,
        0x1941A469,
        0x1043A770,
        0x1254C367,
        0xEC,
        0xBF,
    },
    {0xE7, 0x5854, 0xA7, 0xAB, 0xA3, 0xA0, 0xAF, 0xEC, 0xBF},
)
EBML_PARENTS = {0x18538067, 0x1F43B675}
EBML_TRACKS, TRACK_ENTRY, TRACK_KIND, FRAME_DURATION = 0x1654AE6B, 0xAE, 0x83, 0x23E383
ELEMENTS_MAX = 4_000_000

# ISO/IEC 14496-12 and QuickTime: what may stand at the top level of a file.
TOP_BOXES = (
    "ftyp moov mdat free skip wide udta uuid moof mfra sidx ssix styp meta pdin prft emsg pnot "
    "PICT junk imda"
)


class Fail(Exception):  # noqa: N818 - an answer to the parent
    """A refusal: a fixed word and the numbers that belong to it."""

    def __init__(self, word: str, **facts: int) -> None:
        self.word, self.facts = word, facts
        super().__init__(word)


class Pipe:
    """Where messages go, and when the last one went."""

    def __init__(self) -> None:
        self._out = sys.stdout.buffer
        self._sent = time.monotonic()

    def send(self, header: dict[str, Any], body: bytes | memoryview = b"") -> None:
        """Write one message."""
        head = json.dumps(header).encode()
        self._out.write(struct.pack("<II", len(head), len(body)) + head)
        self._out.write(body)
        self._out.flush()
        self._sent = time.monotonic()

    def alive(self, done: int = 0) -> None:
        """Say that work goes on, when nothing was said for a while."""
        if time.monotonic() - self._sent > ALIVE_S:
            self.send({"alive": done})


def main() -> int:
    """Obey one command; return 0, also after a refusal that was reported."""
    command, where = sys.argv[1:3]
    file = os.fdopen(int(where[3:]), "rb") if where.startswith("fd:") else open(where, "rb")  # noqa: PTH123, SIM115
    request = json.load(sys.stdin)
    pipe = Pipe()
    _limit(request["memory_bytes"], request["cpu_s"])
    guards = ["limits"] if sys.platform != "win32" else []
    guards += ["landlock"] if _forbid_files() else []
    guards += ["seccomp"] if _forbid_calls() else []
    try:
        if command == "guards":
            pipe.send({"guards": guards})
        elif command == "probe":
            _probe(file, request, pipe)
        else:
            Reader(file, request, pipe).run()
    except Fail as refusal:
        pipe.send({"fail": refusal.word, **refusal.facts})
    except MemoryError:
        pipe.send({"fail": "memory"})
    except Exception as error:  # noqa: BLE001 - the parent names what could not be handled
        pipe.send({"fail": "unhandled", "kind": type(error).__name__})
    return 0


def _limit(memory_bytes: int, cpu_s: int) -> None:
    if resource is None:
        return
    for name, most in (
        ("AS", memory_bytes),
        ("CPU", cpu_s),
        ("FSIZE", 0),
        ("CORE", 0),
        ("NOFILE", 0),  # what is open stays open; nothing else, not even a socket, can be
    ):
        limit = getattr(resource, f"RLIMIT_{name}", None)
        if limit is not None:
            try:
                resource.setrlimit(limit, (most, most))
            except (ValueError, OSError):
                # macOS refuses some of these limits; the watchdog remains
                continue


# Calls that decoding needs no more: to reach the network, a file, a process, the kernel's insides.
# Numbers of Linux's tables for x86_64 and aarch64; the second lacks the older ones.
FORBIDDEN: dict[str, tuple[int, int | None]] = {
    "socket": (41, 198),
    "connect": (42, 203),
    "socketpair": (53, 199),
    "open": (2, None),
    "creat": (85, None),
    "openat": (257, 56),
    "openat2": (437, 437),
    "truncate": (76, 45),
    "rename": (82, None),
    "renameat": (264, 38),
    "renameat2": (316, 276),
    "mkdir": (83, None),
    "mkdirat": (258, 34),
    "unlink": (87, None),
    "unlinkat": (263, 35),
    "link": (86, None),
    "linkat": (265, 37),
    "symlink": (88, None),
    "symlinkat": (266, 36),
    "chmod": (90, None),
    "fchmodat": (268, 53),
    "fork": (57, None),
    "vfork": (58, None),
    "execve": (59, 221),
    "execveat": (322, 281),
    "kill": (62, 129),
    "ptrace": (101, 117),
    "process_vm_readv": (310, 270),
    "process_vm_writev": (311, 271),
    "bpf": (321, 280),
    "io_uring_setup": (425, 425),
    "mount": (165, 40),
}
MACHINES = {"x86_64": (0, 0xC000003E, 56), "aarch64": (1, 0xC00000B7, 220)}
CLONE_THREAD, CLONE3, X32 = 0x10000, 435, 0x40000000
ALLOW, REFUSE, NO_SUCH_CALL = 0x7FFF0000, 0x50001, 0x50026  # EPERM and ENOSYS
NO_NEW_PRIVILEGES, SECCOMP, FILTER = 38, 22, 2


def _forbid_calls() -> bool:
    """Have the kernel refuse calls that decoding needs no more; say whether it does.

    A refused call fails with "not permitted". Threads may still be started, processes not.
    """
    machine = os.uname().machine if sys.platform == "linux" else ""
    if machine not in MACHINES:
        return False
    column, audit, clone = MACHINES[machine]
    calls = [n for numbers in FORBIDDEN.values() if (n := numbers[column]) is not None]
    load, equal, at_least, any_bit, answer = 0x20, 0x15, 0x35, 0x45, 0x06
    # One instruction: what, where to go if so and if not (instructions to leave out), and a number.
    # Of the call's description the number lies at 0, the machine at 4, the first argument at 16.
    program = [
        (load, 0, 0, 4),
        (equal, 1, 0, audit),
        (answer, 0, 0, REFUSE),  # numbered for another machine
        (load, 0, 0, 0),
        (at_least, 0, 1, X32),
        (answer, 0, 0, REFUSE),
        (equal, 0, 1, CLONE3),
        (answer, 0, 0, NO_SUCH_CALL),  # the C library then uses clone, which says what it wants
    ]
    for call in calls:
        program += [(equal, 0, 1, call), (answer, 0, 0, REFUSE)]
    program += [
        (equal, 0, 3, clone),
        (load, 0, 0, 16),
        (any_bit, 1, 0, CLONE_THREAD),
        (answer, 0, 0, REFUSE),
        (answer, 0, 0, ALLOW),
    ]
    code = ctypes.create_string_buffer(b"".join(struct.pack("HBBI", *step) for step in program))
    whole = ctypes.create_string_buffer(struct.pack("HP", len(program), ctypes.addressof(code)))
    try:
        control = ctypes.CDLL(None, use_errno=True).prctl
        control.argtypes = [ctypes.c_int] + [ctypes.c_ulong] * 4
        return bool(
            control(NO_NEW_PRIVILEGES, 1, 0, 0, 0) == 0
            and control(SECCOMP, FILTER, ctypes.addressof(whole), 0, 0) == 0
        )
    except (OSError, AttributeError):  # another C library, or a kernel without it
        return False


# Landlock: the numbers of its calls are the same on every machine.
CREATE_RULESET, RESTRICT_SELF, ASK_VERSION = 444, 446, 1
FILE_RIGHTS = ((5, 1 << 16), (3, 1 << 15), (2, 1 << 14), (1, 1 << 13))
"""Version of Landlock from which on, and one more than its rights to files, each a bit."""
TCP_FROM, TCP_RIGHTS = 4, 0b11  # to wait for and to make connections
SCOPES_FROM, SCOPES = 6, 0b11  # sockets without a file, and signals, of other processes


def _forbid_files() -> bool:
    """Have the kernel refuse every file and connection that is not open yet; say whether it does.

    Unlike a list of calls this holds for every way to a file, also for ways that are not yet known.
    """
    if sys.platform != "linux":
        return False
    try:
        library = ctypes.CDLL(None, use_errno=True)
        version = library.syscall(CREATE_RULESET, None, 0, ASK_VERSION)
        if version < 1:
            return False
        rights = next(bits for least, bits in FILE_RIGHTS if version >= least) - 1
        words = [rights]
        words += [TCP_RIGHTS] if version >= TCP_FROM else []
        words += [SCOPES] if version >= SCOPES_FROM else []
        handled = ctypes.create_string_buffer(struct.pack(f"{len(words)}Q", *words))
        rules = library.syscall(CREATE_RULESET, handled, ctypes.c_size_t(8 * len(words)), 0)
        if rules < 0:
            return False
        library.prctl.argtypes = [ctypes.c_int] + [ctypes.c_ulong] * 4
        try:  # no rule allows anything, so that all that is handled is refused
            return bool(
                library.prctl(NO_NEW_PRIVILEGES, 1, 0, 0, 0) == 0
                and library.syscall(RESTRICT_SELF, rules, 0) == 0
            )
        finally:
            os.close(rules)
    except (OSError, AttributeError):  # another C library
        return False


# --- opening ------------------------------------------------------------------------------


def _open(
    file: BinaryIO, pixels_max: int, index: int | None = None
) -> tuple[av.container.InputContainer, Any, int]:
    """Return the container, the video stream to analyse, and how many video streams there are.

    Of several the one at `index` is taken, else the one that moves.
    """
    file.seek(0)
    try:
        box = av.open(file, "r", options=OPTIONS, metadata_errors="replace")
    except Exception as error:  # any class may come out of a broken file
        raise Fail(_why_unopened(file)) from error
    videos = list(box.streams.video)
    real = [s for s in videos if not s.disposition & NOT_A_VIDEO]
    if not real:
        if videos:
            raise Fail("attached_picture")
        raise Fail("no_video_stream" if box.streams.audio else "index_damaged")
    if index is not None:
        stream: Any = box.streams[index]
    elif len(real) == 1:
        stream = real[0]
    else:
        # The file has one position, so that a container is opened anew after others have read.
        facts = [
            (s.index, bool(s.disposition & Disposition.default), s.width * s.height) for s in real
        ]
        box.close()
        return _open(file, pixels_max, _moving_stream(file, facts, pixels_max))
    if stream.codec_context is None:
        raise Fail("codec_unknown")
    _check_size(stream.width, stream.height, pixels_max)
    stream.codec_context.thread_count = 1
    stream.codec_context.options = {"max_pixels": str(pixels_max)}
    return box, stream, len(real)


def _moving_stream(file: BinaryIO, streams: list[tuple[int, bool, int]], pixels_max: int) -> int:
    """Return the index of the stream that shows most: one that moves before one that does not.

    A cover or a card may be larger than the film, and be marked as what to show. Among streams
    that move the mark decides, then the size. Each is given as index, mark and pixels.
    """
    ranks = []
    for index, default, pixels in streams:
        try:
            moves = _moves(file, index, pixels_max)
        except Fail:
            moves = False
        ranks.append((moves, default, pixels, -index))
    return -max(ranks)[-1]


def _moves(file: BinaryIO, index: int, pixels_max: int) -> bool:
    """Say whether a stream holds several pictures that differ."""
    box, stream, _ = _open(file, pixels_max, index)
    first: NDArray[np.int16] | None = None
    packets = frames = 0
    try:
        for packet in box.demux(stream):
            packets += 1
            if packets > MOVES_PACKETS:
                return False
            for frame in stream.codec_context.decode(packet if packet.size else None):
                frames += 1
                small = frame.reformat(THUMBNAIL, THUMBNAIL, "gray").to_ndarray().astype(np.int16)
                if first is None:
                    first = small
                elif frames > 2 and np.abs(small - first).max() > MOVES_LEVELS:
                    return True
    except MemoryError:
        raise
    except Exception:  # noqa: BLE001 - any class may come out of a broken stream
        return False
    finally:
        box.close()
    return False


def _check_size(width: int, height: int, pixels_max: int) -> None:
    if width * height > pixels_max:
        raise Fail("too_large", width=width, height=height)


def _why_unopened(file: BinaryIO) -> str:
    """Tell a broken MP4 from something that never was a video."""
    size = file.seek(0, os.SEEK_END)
    found = {name: start + claimed > size for name, start, claimed in _top_boxes(file, size)}
    if "ftyp" not in found or "mdat" not in found or size < TINY:
        return "not_a_video"
    return "index_damaged" if "moov" in found else "index_missing"


def _top_boxes(file: BinaryIO, size: int) -> Iterator[tuple[str, int, int]]:
    """Yield name, start and claimed size of the known boxes at the top level of an MP4."""
    start = 0
    for _ in range(100_000):
        file.seek(start)
        head = file.read(16)
        if len(head) < 8:
            return
        claimed, name = int.from_bytes(head[:4]), head[4:8].decode("latin-1")
        if claimed == 1 and len(head) == 16:
            claimed = int.from_bytes(head[8:])
        elif claimed == 0:
            claimed = size - start
        if name not in TOP_BOXES.split() or claimed < 8:
            return
        yield name, start, claimed
        start += claimed


def _mp4_facts(file: BinaryIO, track: int, number: int = 0) -> dict[str, int]:
    """Find what FFmpeg overlooks: bytes behind the last box, boxes that claim too much, lost parts.

    `track` counts video tracks, `number` is what the file itself calls the track.
    """
    size = file.seek(0, os.SEEK_END)
    facts, end, indices, listed = {"fragments": 0}, 0, 0, 0
    tracks: set[int] = set()
    fragments: set[int] = set()
    places: list[int] = []
    for name, start, claimed in _top_boxes(file, size):
        end = start + claimed
        indices += name == "moov"
        file.seek(start)
        box = file.read(min(claimed, MOOV_MAX)) if name in PARTS_READ else b""
        inside = box[16 if int.from_bytes(box[:4]) == 1 else 8 :]
        if name == "moof":
            facts["fragments"] += 1
            fragments.add(start)
            try:
                listed += _fragment(inside, tracks).get(number, 0)
            except ValueError:
                facts["lost_parts"] = 1  # its list of pictures cannot be read
        elif name == "mfra":
            places += _fragment_places(inside)
        elif name == "sidx" and (more := end + _segment_bytes(inside) - size) > 0:
            facts["cut"] = more
        elif name == "moov":
            if indices == 1:
                facts |= _declared_size(box, track)
            facts["fragments"] += b"mvex" in box
            tracks |= _track_numbers(inside)
        if end > size:
            facts["cut" if name in {"mdat", "moof"} else "overlong"] = end - size
    if end < size:
        file.seek(end)
        # behind a part that cannot be read there may be more of the film: then it is no trailer
        rest = file.read(MOOV_MAX) if facts["fragments"] else b""
        lost = "lost_parts" in facts or any(mark in rest for mark in FRAGMENT_MARKS)
        facts["lost_parts" if lost else "trailing"] = size - end
    if not fragments.issuperset(places):
        facts["lost_parts"] = 1  # the list of fragments knows one that is not there
    if indices > 1:
        facts["unread_recordings"] = indices - 1
    return facts | {"listed": listed}


def _boxes(data: bytes, start: int, end: int) -> Iterator[tuple[bytes, int, int]]:
    """Yield name, start and end of what boxes hold that must fill a stretch; else ValueError."""
    while start < end:
        size, name = int.from_bytes(data[start : start + 4]), data[start + 4 : start + 8]
        if not 8 <= size <= end - start:
            raise ValueError("a box does not fit into its parent")
        yield name, start + 8, start + size
        start += size


def _fragment(moof: bytes, tracks: set[int]) -> dict[int, int]:
    """Return how many pictures, or pieces of sound, a fragment lists for each track.

    Raises
    ------
    ValueError
        If a part of it cannot be read, or belongs to no track of the file.
    """
    listed: dict[int, int] = {}
    for name, start, end in _boxes(moof, 0, len(moof)):
        if name != b"traf":
            continue
        track, count, empty = 0, None, False
        for kind, at, stop in _boxes(moof, start, end):
            flags = int.from_bytes(moof[at + 1 : at + 4])
            if kind == b"tfhd":
                track = int.from_bytes(moof[at + 4 : at + 8])
                empty = bool(flags & TRAF_IS_EMPTY)
            elif kind == b"trun":
                several = int.from_bytes(moof[at + 4 : at + 8])
                fields = 4 * (flags & TRUN_FIELDS).bit_count()
                head = 8 + 4 * (flags & TRUN_HEAD).bit_count()
                if head + several * fields != stop - at:
                    raise ValueError("a list of pictures has another length than it says")
                count = several + (count or 0)
        if (tracks and track not in tracks) or (count is None and not empty):
            raise ValueError("a part belongs to no track, or lists nothing")
        listed[track] = listed.get(track, 0) + (count or 0)
    if not listed:
        raise ValueError("it lists nothing")
    return listed


def _track_numbers(moov: bytes) -> set[int]:
    """Return what a file calls its tracks; nothing where that cannot be read."""
    numbers = set()
    try:
        for name, start, end in _boxes(moov, 0, len(moov)):
            for kind, at, _ in _boxes(moov, start, end) if name == b"trak" else ():
                if kind == b"tkhd":
                    here = at + (20 if moov[at] else 12)
                    numbers.add(int.from_bytes(moov[here : here + 4]))
    except ValueError:
        return set()
    return numbers


def _fragment_places(mfra: bytes) -> list[int]:
    """Return where the list at the end of a file says that fragments begin."""
    places: list[int] = []
    try:
        for name, at, end in _boxes(mfra, 0, len(mfra)):
            if name != b"tfra":
                continue
            wide = 8 if mfra[at] else 4
            lengths = int.from_bytes(mfra[at + 8 : at + 12])
            each = 2 * wide + sum(1 + (lengths >> shift & 3) for shift in (0, 2, 4))
            places += [
                int.from_bytes(mfra[entry + wide : entry + 2 * wide])
                for entry in range(at + 16, end - each + 1, each)
            ]
    except ValueError:
        return []
    return places


def _segment_bytes(sidx: bytes) -> int:
    """Return how many bytes the parts have that follow a list of parts, or 0."""
    wide = 8 if sidx[:1] == b"\1" else 4
    first = 12 + wide
    at = first + wide + 2
    count = int.from_bytes(sidx[at : at + 2])
    at += 2
    if at + 12 * count != len(sidx):
        return 0
    sizes = (int.from_bytes(sidx[n : n + 4]) & 0x7FFFFFFF for n in range(at, len(sidx), 12))
    return int.from_bytes(sidx[first : first + wide]) + sum(sizes)


def _ts_facts(file: BinaryIO, pipe: Pipe) -> dict[str, int]:
    """Find out whether packets of a transport stream follow each other to the end."""
    size = file.seek(0, os.SEEK_END)
    file.seek(0)
    head = np.frombuffer(file.read(TS_TRIED * max(length for length, _ in TS_PACKETS)), np.uint8)
    marks = head == TS_SYNC
    pairs = {  # places that begin a packet if the next one begins a packet's length behind
        (length, sync): np.flatnonzero(marks[:-length] & marks[length:]) % length
        for length, sync in TS_PACKETS
    }
    length, sync = max(pairs, key=lambda kind: len(pairs[kind]))
    if not len(pairs[length, sync]):
        return {}
    # A recording may begin within a packet.
    start = (int(np.bincount(pairs[length, sync]).argmax()) - sync) % length
    file.seek(start)
    while len(block := file.read(length * TS_BLOCK)) >= length:
        firsts = np.frombuffer(block, np.uint8, len(block) // length * length)[sync::length]
        if (firsts != TS_SYNC).any():
            at = int((firsts != TS_SYNC).argmax()) * length
            rest = block[at:] + file.read(TS_BLOCK * length)
            return {"lost_parts": 1} if any(rest) else {}  # a recorder may reserve room
        pipe.alive()
    return {"cut": length - (size - start) % length} if (size - start) % length else {}


def _matroska_facts(file: BinaryIO, pipe: Pipe) -> dict[str, Any]:
    """Find out whether the elements of a Matroska file follow each other without a break.

    FFmpeg looks for the next one that it knows where they do not, and says nothing.
    """
    size = file.seek(0, os.SEEK_END)
    facts: dict[str, Any] = {}
    at, segments = 0, 0
    parents: list[int | None] = []  # where the segment and the cluster end, if they say it
    for _ in range(ELEMENTS_MAX):
        while parents and parents[-1] is not None and at >= parents[-1]:
            parents.pop()
        if at >= size:
            break
        file.seek(at)
        name, start, length = _element(file.read(12))
        levels = [level for level, names in enumerate(EBML_INSIDE) if name in names]
        while parents and parents[-1] is None and levels and len(parents) > max(levels):
            parents.pop()  # one that did not say its length ends with what cannot be in it
        known = len(parents) in levels
        if not known and not parents and segments:
            facts["trailing"] = size - at  # behind a whole segment
            break
        end = None if length is None else at + start + length
        most = next((e for e in reversed(parents) if e is not None), None)
        if not known or (end is None and name not in EBML_PARENTS) or _is_past(end, most):
            facts["lost_parts"] = 1
            break
        if end is not None and end > size:
            facts["cut"] = end - size
        if name == EBML_TRACKS and length is not None:
            file.seek(at + start)
            facts |= _frame_duration(file.read(min(length, MOOV_MAX)))
        if name in EBML_PARENTS:
            segments += not parents
            parents.append(end)
            end = at + start
        at = size if end is None else end
        pipe.alive(min(at, size))
    return facts


def _is_past(end: int | None, most: int | None) -> bool:
    return end is not None and most is not None and end > most


def _element(head: bytes) -> tuple[int, int, int | None]:
    """Return name of an EBML element, where its content begins, and how long that is.

    A name of 0 where there is none; no length where it is not said.
    """
    wide = 9 - head[0].bit_length() if head else 9
    size = head[wide : wide + 1]
    longer = 9 - size[0].bit_length() if size else 9
    field = head[wide : wide + longer]
    if wide > 4 or longer > 8 or len(field) < longer:
        return 0, 0, 0
    unsaid = (1 << 7 * longer) - 1
    length = int.from_bytes(field) & unsaid
    return int.from_bytes(head[:wide]), wide + longer, None if length == unsaid else length


def _elements(data: bytes) -> dict[int, list[bytes]]:
    """Return what the elements within another hold, by name; those that can be read."""
    inside: dict[int, list[bytes]] = {}
    at = 0
    while at < len(data):
        name, start, length = _element(data[at : at + 12])
        if not name or length is None:
            break
        inside.setdefault(name, []).append(data[at + start : at + start + length])
        at += start + length
    return inside


def _frame_duration(tracks: bytes) -> dict[str, float]:
    """Return how many seconds a frame of the only video track is said to last."""
    found = []
    for entry in _elements(tracks).get(TRACK_ENTRY, []):
        facts = _elements(entry)
        if facts.get(TRACK_KIND, [b""])[0] == b"\1":
            found.append(int.from_bytes(facts.get(FRAME_DURATION, [b""])[0][:8]) / 1e9)
    return {"frame_s": found[0]} if len(found) == 1 else {}


def _declared_size(moov: bytes, track: int) -> dict[str, int]:
    """Read the size that the index claims for video track number `track`."""
    handlers = list(re.finditer(rb"hdlr.{8}vide", moov, re.DOTALL))
    at = moov.find(b"stsd", handlers[track].end()) if track < len(handlers) else -1
    sides = moov[at + 44 : at + 48] if at >= 0 else b""
    if len(sides) < 4:
        return {}
    width, height = struct.unpack(">HH", sides)
    return {"declared_width": width, "declared_height": height}


# --- probe --------------------------------------------------------------------------------


def _probe(file: BinaryIO, request: dict[str, Any], pipe: Pipe) -> None:
    pixels_max = request["pixels_max"]
    facts = _first_frames(file, pixels_max, pipe)
    box, stream, streams = _open(file, pixels_max, facts["stream"])
    base, aspect = stream.time_base, stream.sample_aspect_ratio or 1
    # AVI cannot store the display order of H.264: FFmpeg then gives times in decoding order.
    avi = box.format.name == "avi" and stream.codec_context.name in {"h264", "hevc"}
    facts["disordered"] |= avi
    table = _table(
        box,
        stream,
        request["frames_max"],
        pipe,
        disordered=facts["disordered"],
        untimed=facts["pictures_untimed"],
    )
    facts |= table.facts
    if "joins" in facts:
        facts |= {"recordings": len(facts["joins"]) + 1, "joins": facts["joins"][:JOINS_TOLD]}
    facts |= {
        "codec": stream.codec_context.name,
        "time_base": [base.numerator, base.denominator],
        "frames_declared": stream.frames or None,
        "aspect": [aspect.numerator, aspect.denominator],
        "streams": streams,
        "unfilled_s": max(0.0, _tagged_duration(box, stream) - float(table.last_end * base)),
    }
    late = box.format.name.startswith("matroska")
    if late:
        facts |= _matroska_facts(file, pipe)
    elif box.format.name.startswith("mov"):
        facts |= _mp4_facts(file, list(box.streams.video).index(stream), stream.id)
        listed = facts.pop("listed")
        if late := bool(facts.pop("fragments")):  # each says its time, and FFmpeg the last one's
            end = stream.duration or 0
            facts["unfilled_s"] = float(max(0, end - table.last_end) * base)
            facts["frames_declared"] = stream.frames + listed or None
    elif box.format.name == "mpegts":
        facts |= _ts_facts(file, pipe)
    if late and len(table.pts):
        # their clock begins at zero, so that what was before the first picture did not come
        facts["late_s"] = float(max(0, int(table.pts[0])) * base)
    body = table.pts.astype("<i8").tobytes() + table.keys.astype(np.uint8).tobytes()
    pipe.send({"probe": facts}, body)


def _aspect(stream: Any) -> float:
    """Return width by height of a pixel; beyond 1:10 it is a broken header."""
    aspect = float(stream.sample_aspect_ratio or 1)
    return aspect if ASPECT_MAX >= aspect >= 1 / ASPECT_MAX else 1.0


def _tagged_duration(box: Any, stream: Any) -> float:
    """Read how many seconds Matroska says there are, or 0.

    A tag such as 00:00:04.040000000 is about this stream; the duration of the whole file is only
    where there is no other stream.
    """
    if not box.format.name.startswith("matroska"):
        return 0.0
    whole = float(box.duration or 0) / 1e6 if len(box.streams) == 1 else 0.0
    clock = str(stream.metadata.get("DURATION", "")).split(":")
    try:
        hours, minutes, seconds = (float(part) for part in clock)
    except ValueError:
        return whole
    return max(whole, 3600 * hours + 60 * minutes + seconds)


class Table:
    """Timestamps in presentation order: `pts` int64 [T], `keys` bool [T].

    `shifts` says what was added to the timestamps of each recording of a joined file.
    """

    def __init__(self, pts: NDArray[np.int64], keys: NDArray[np.bool_], last_end: int) -> None:
        self.pts, self.keys, self.last_end = pts, keys, last_end
        self.shifts: list[int] = [0]
        self.facts: dict[str, Any] = {}


class Joins:
    """Tells where, in a file of recordings that were joined, the clock starts anew."""

    def __init__(self, box: Any, stream: Any) -> None:
        self._back = JOIN_BACK_S / stream.time_base
        wraps = box.format.name in {"mpegts", "mpeg"}
        self._ahead = JOIN_AHEAD_S / stream.time_base if wraps else math.inf
        self._last: int | None = None

    def begin_with(self, packet: Any) -> bool:
        """Say whether a packet, the next in the file, is the first of another recording."""
        at = packet.pts if packet.dts is None else packet.dts
        last, self._last = self._last, self._last if at is None else at
        if last is None or at is None:
            return False
        return bool(at < last - self._back or at > last + self._ahead)


def _table(
    box: Any,
    stream: Any,
    frames_max: int,
    pipe: Pipe,
    *,
    disordered: bool,
    untimed: bool = False,
) -> Table:
    """Go through all packets without decoding them."""
    times: list[int | None] = []
    flags: list[tuple[bool, bool]] = []  # key frame, shown
    recordings: list[int] = []  # which one each packet belongs to
    joins = Joins(box, stream)
    starts: list[int] = []  # packets with which the clock starts anew
    corrupt: list[int] = []
    hidden = 0
    broken, last_end, recording = False, -(2**62), 0
    vp8 = stream.codec_context.name == "vp8"
    packets = box.demux(stream)
    while True:
        try:
            packet = next(packets, None)
        except Exception:  # noqa: BLE001 - the rest of the file cannot be reached
            broken = True
            break
        if packet is None:
            break
        if not packet.size:
            continue
        # VP8 stores hidden reference pictures as packets of their own; bit 4 means 'show'.
        shown = not packet.is_discard and not (vp8 and not bytes(packet)[0] & 16)
        at = packet.dts if disordered else packet.pts
        if not disordered and joins.begin_with(packet):
            recording += 1
            starts.append(len(times))
        times.append(at)
        recordings.append(recording)
        hidden += packet.is_discard
        flags.append((packet.is_keyframe, shown))
        if at is not None:
            last_end = max(last_end, at + (packet.duration or 0))
        if packet.is_corrupt:
            corrupt.append(len(times) - 1)
        if len(times) > frames_max:
            raise Fail("too_many_frames")
        pipe.alive(max(packet.pos or 0, 0))
    # Where recordings meet, counters leap, which looks like loss; both sides are whole.
    broken |= any(all(abs(i - start) > JOIN_NEAR for start in starts) for i in corrupt)
    key, shown_mask = np.array(flags, bool).reshape(-1, 2).T
    timed = np.array([t is not None for t in times], bool)
    if untimed or not timed.any():
        table = Table(np.arange(shown_mask.sum(), dtype=np.int64), key[shown_mask], 0)
        table.facts |= {"untimed": len(table.pts)}
    else:
        # Among timed packets an untimed one is the second field of its picture.
        pts = np.array([t for t in times if t is not None], np.int64)
        of = np.array(recordings, np.int64)[timed]
        key, shown_mask = key[timed], shown_mask[timed]
        parts = [
            _in_order(pts[of == n], key[of == n], shown_mask[of == n], last_end)
            for n in range(recording + 1)
            if (of == n).any()
        ]
        table = parts[0] if len(parts) == 1 else _one_after_the_other(parts)
    table.facts |= {"broken": broken, "packets": len(times), "hidden": hidden}
    return table


def _one_after_the_other(parts: list[Table]) -> Table:
    """Count the timestamps of joined recordings on from the first, a frame's length between."""
    end = 0
    shifts: list[int] = []
    for part in parts:
        # A recording without one frame that can be shown still has its place in the list.
        shifts.append(0 if not shifts or not len(part.pts) else end - int(part.pts[0]))
        if len(part.pts):
            gap = int(np.median(np.diff(part.pts))) if len(part.pts) > 1 else 1
            end = int(part.pts[-1]) + shifts[-1] + max(1, gap)
    pts = [part.pts + shift for part, shift in zip(parts, shifts, strict=True)]
    table = Table(np.concatenate(pts), np.concatenate([p.keys for p in parts]), end)
    table.shifts = shifts
    starts = [int(p[0]) for p in pts[1:] if len(p)]
    table.facts = {
        name: sum(part.facts[name] for part in parts) for name in ("doubles", "before_key")
    }
    table.facts["joins"] = starts
    return table


def _in_order(
    pts: NDArray[np.int64], key: NDArray[np.bool_], shown: NDArray[np.bool_], last_end: int
) -> Table:
    # Without the first key frame, what is shown before it cannot be decoded.
    decodable = pts >= (pts[key].min() if key.any() else pts.min())
    keep = shown & decodable
    unique, first = np.unique(pts[keep], return_index=True)
    table = Table(unique, key[keep][first], last_end)
    table.facts |= {
        "doubles": int(keep.sum()) - len(unique),
        "before_key": int((shown & ~decodable).sum()),
    }
    return table


def _first_frames(file: BinaryIO, pixels_max: int, pipe: Pipe) -> dict[str, Any]:
    """Decode the first frames: what a picture really is like, and whether there is one."""
    box, stream, _ = _open(file, pixels_max)
    facts: dict[str, Any] = {}
    times: list[int | None] = []
    for frame in _decode(box, stream, pipe, packets_max=TRY_PACKETS):
        if frame is None:
            continue
        _check_size(frame.width, frame.height, pixels_max)
        if not facts:
            facts = {
                "stream": stream.index,
                "width": frame.width,
                "height": frame.height,
                "rotation": int(frame.rotation),
                "alpha": _has_alpha(frame),
                # VP8 and VP9 have their alpha beside the picture, where FFmpeg leaves it
                "alpha_apart": str(stream.metadata.get("alpha_mode", "")) == "1"
                and not _has_alpha(frame),
                "interlaced": False,
                "odd_matrix": 0 if _tag_is_followed(frame) else int(frame.colorspace),
                "hdr": HDR.get(int(frame.color_trc), ""),
            }
        facts["interlaced"] |= bool(frame.interlaced_frame)
        times.append(frame.pts)
        if len(times) == TRY_FRAMES:
            break
    if not facts:
        raise Fail("nothing_decodes")
    known = [t for t in times if t is not None]
    # Several pictures share one timestamp, as in a program stream: then none is of use.
    facts["pictures_untimed"] = len(known) < len(times) - 1
    # Times in decoding order: then the decoder's own order is the only truth.
    facts["disordered"] = any(later <= earlier for earlier, later in pairwise(known))
    return facts


def _has_alpha(frame: av.VideoFrame) -> bool:
    return any(component.is_alpha for component in frame.format.components)


def _decode(
    box: Any, stream: Any, pipe: Pipe, *, packets_max: int | None = None
) -> Iterator[av.VideoFrame | None]:
    """Yield decoded frames, and None for every error; go on after errors."""
    packets, seen = box.demux(stream), 0
    decode = stream.codec_context.decode
    if stream.codec_context.name in SUMMED:
        decode = functools.partial(_decode_summed, decode)
    while packets_max is None or seen < packets_max:
        seen += 1
        try:
            packet = next(packets, None)
            if packet is None:
                return
            frames = decode(packet if packet.size else None)
        except (MemoryError, Overshot):
            raise
        except Exception:  # noqa: BLE001 - a packet is lost; if demuxing failed, all that follow
            yield None
            continue
        yield from frames
        pipe.alive()


def _decode_summed(decode: Any, packet: Any) -> list[av.VideoFrame]:
    """Decode a packet; raise ValueError where its check sum does not fit.

    FFmpeg shows such a frame all the same, and only its log tells.
    """
    av.logging.set_level(av.logging.ERROR)
    with av.logging.Capture() as complaints:
        frames: list[av.VideoFrame] = decode(packet)
    if any("CRC" in text for _level, _name, text in complaints):
        raise ValueError("the check sum of a frame does not fit")
    return frames


# --- read ---------------------------------------------------------------------------------


NOTHING: tuple[Any, Any] = (None, None)


class Reader:
    """Sends the wanted frames, in order, seeking where that saves decoding."""

    box: Any = None
    stream: Any = None
    frames: Iterator[tuple[int, Any]]

    def __init__(self, file: BinaryIO, request: dict[str, Any], pipe: Pipe) -> None:
        self.file, self.pipe = file, pipe
        self.pixels_max: int = request["pixels_max"]
        self.size: tuple[int, int] = (request["width"], request["height"])
        self.turns: int = request["turns"]
        self.deinterlace: bool = request["deinterlace"]
        self.combed = 0
        self.aspect = 1.0
        self.index: int | None = None  # of the stream, once it is chosen
        self.ordinal: bool = request["ordinal"]
        self.indices: list[int] = request["indices"]
        self.key_indices: list[int] = request["key_indices"]
        self.joined: bool = request["joined"]
        self.shifts = [0]
        self.seekable = not self.ordinal and not self.joined
        self.reformatter = VideoReformatter()
        self.errors = self.corrupt = 0
        self.shape: tuple[int, int, str] | None = None
        if self.joined:
            box, stream, _ = _open(file, self.pixels_max)
            frames_max = request["frames_max"]
            self.shifts = _table(box, stream, frames_max, pipe, disordered=False).shifts
            box.close()
        self._restart()
        base = self.stream.time_base

        def ticks(seconds: list[float]) -> list[int]:
            # The inverse of the parent's pts * numerator / denominator: exact below 2**50.
            return [round(s * base.denominator / base.numerator) for s in seconds]

        self.wanted = self.indices if self.ordinal else ticks(request["pts"])
        self.keys = ticks(request["key_pts"])

    def run(self) -> None:
        """Send every wanted frame that can be decoded, then a summary."""
        j = 0
        self._approach(j)
        while j < len(self.wanted):
            number, frame = next(self.frames, NOTHING)
            if number is None:
                break
            if number < self.wanted[j]:
                continue
            while j < len(self.wanted) and self.wanted[j] < number:
                j += 1  # it did not come: the parent sees the gap
            if j < len(self.wanted) and self.wanted[j] == number:
                self._send(j, frame)
                j += 1
            self._approach(j)
        self.pipe.send({"end": self.errors, "corrupt": self.corrupt, "combed": self.combed})

    def _approach(self, j: int) -> None:
        """Seek towards wanted frame `j` if a key frame lies far enough ahead."""
        if not self.seekable or j >= len(self.wanted):
            return
        key = bisect_right(self.key_indices, self.indices[j]) - 1
        here = self.indices[j - 1] if j else 0
        if self.key_indices[key] - here > SEEK_GAP:
            self._seek(key)

    def _seek(self, key: int) -> None:
        """Go to key frame number `key` or, where that does not work, an earlier one."""
        step = 1
        while key > 0:
            packets = _FromKey(self.box, self.keys[key])
            frames = self._numbered(packets)
            try:
                self.box.seek(self.keys[key], stream=self.stream, backward=True)
                first = next((f for f in frames if f[0] >= packets.begun), NOTHING)
            except (Overshot, av.FFmpegError):
                first = NOTHING
            # Some encoders refresh the picture bit by bit and call the beginning of that a key
            # frame; FFmpeg then shows half a picture. Only a whole intra picture is a start.
            if first[0] == packets.begun and first[1].pict_type == PictureType.I:
                self.frames = chain([first], frames)
                return
            key, step = key - step, step * 2
        self._restart()
        self.seekable = False

    def _restart(self) -> None:
        if self.box is not None:
            self.box.close()
        self.box, self.stream, _ = _open(self.file, self.pixels_max, self.index)
        self.index = self.stream.index
        self.aspect = _aspect(self.stream)
        packets = self.box
        if self.joined:
            packets = _Shifted(self.box, Joins(self.box, self.stream), self.shifts)
        self.frames = self._numbered(packets)

    def _numbered(self, box: Any) -> Iterator[tuple[int, av.VideoFrame]]:
        """Yield sound frames with their timestamp, or their ordinal where there are none."""
        ordinal = -1
        for frame in _decode(box, self.stream, self.pipe):
            if frame is None:
                self.errors += 1
                continue
            ordinal += 1
            if frame.is_corrupt:  # concealed: partly invented by the decoder
                self.corrupt += 1
                continue
            number = ordinal if self.ordinal else frame.pts
            if number is not None:
                yield number, frame

    def _send(self, j: int, frame: av.VideoFrame) -> None:
        _check_size(frame.width, frame.height, self.pixels_max)
        shape = (frame.width, frame.height, frame.format.name)
        header: dict[str, Any] = {"frame": self.indices[j], "shown": self._shown(frame)}
        if self.shape is not None and shape != self.shape:
            header["was"] = self.shape
            header["is"] = shape
        self.shape = shape
        if self.deinterlace:
            frame = _one_field(frame)
        else:
            self.combed += _is_combed(frame)
        rgb = np.rot90(self._fitted(frame), -self.turns)
        self.pipe.send(header, np.ascontiguousarray(rgb).data.cast("B"))

    def _shown(self, frame: av.VideoFrame) -> tuple[int, int]:
        """Return the size in which a frame is shown, with square pixels, before it is turned."""
        return max(1, round(frame.width * self.aspect)), frame.height

    def _fitted(self, frame: av.VideoFrame) -> NDArray[np.uint8]:
        """Return a frame in its own shape, on black where it does not fill the picture."""
        width, height = self._shown(frame)
        if (width, height) == self.size:
            return self._rgb(frame, self.size)
        # shrunk if need be, never enlarged: enlarging would hide how little there is to see
        scale = min(1.0, self.size[0] / width, self.size[1] / height)
        width, height = max(1, round(width * scale)), max(1, round(height * scale))
        whole = np.zeros((self.size[1], self.size[0], 3), np.uint8)
        top, left = (self.size[1] - height) // 2, (self.size[0] - width) // 2
        whole[top : top + height, left : left + width] = self._rgb(frame, (width, height))
        return whole

    def _rgb(self, frame: av.VideoFrame, size: tuple[int, int]) -> NDArray[np.uint8]:
        if frame.color_trc == ColorTrc.SMPTE2084:
            return self._tone_mapped(frame, size)
        alpha = _has_alpha(frame)
        scaled = (frame.width, frame.height) != size
        picture = self.reformatter.reformat(
            frame,
            *size,
            "rgba" if alpha else "rgb24",
            src_colorspace=_matrix(frame),
            interpolation=Interpolation.BICUBIC if scaled else Interpolation.BILINEAR,
            threads=1,
        ).to_ndarray()
        if not alpha:
            return np.asarray(picture, np.uint8)
        opacity = picture[..., 3:].astype(np.uint16)
        return ((picture[..., :3] * opacity + 127) // 255).astype(np.uint8)

    def _tone_mapped(self, frame: av.VideoFrame, size: tuple[int, int]) -> NDArray[np.uint8]:
        """Return a frame whose values are light in nits (PQ) as an ordinary screen shows it."""
        values = self.reformatter.reformat(
            frame,
            *size,
            "rgb48le",
            src_colorspace=_matrix(frame),
            interpolation=Interpolation.BICUBIC,
            threads=1,
        ).to_ndarray()
        light = _pq_light()[values]
        if frame.color_primaries == ColorPrimaries.BT2020:
            light = light @ BT2020_TO_BT709.T
        light = np.clip(light, 0.0, None)
        brighter = light > PQ_KNEE
        rest = 1 - PQ_KNEE
        light[brighter] = 1 - rest * np.exp((PQ_KNEE - light[brighter]) / rest)
        return np.asarray(np.rint(255 * light ** (1 / 2.4)), np.uint8)


BT2020_TO_BT709 = np.array(
    [[1.6605, -0.5876, -0.0728], [-0.1246, 1.1329, -0.0083], [-0.0182, -0.1006, 1.1187]],
    np.float32,
)  # ITU-R BT.2087


@functools.cache
def _pq_light() -> NDArray[np.float32]:
    """Return the light of each 16-bit PQ value (SMPTE ST 2084); diffuse white is 1."""
    root = np.linspace(0, 1, 1 << 16) ** (32 / 2523)
    nits = 10_000 * (np.maximum(root - 0.8359375, 0) / (18.8515625 - 18.6875 * root)) ** (
        16384 / 2610
    )
    return (nits / PQ_WHITE_NITS).astype(np.float32)


def _one_field(frame: av.VideoFrame) -> av.VideoFrame:
    """Return a frame of one moment: every second line, the others drawn along edges.

    Only the frame itself is looked at, so that it does not matter from where it was reached.
    """
    graph = av.filter.Graph()
    source = graph.add_buffer(
        width=frame.width,
        height=frame.height,
        format=frame.format,
        time_base=frame.time_base or Fraction(1, 1000),
    )
    field = graph.add("estdif", "mode=frame:deint=all")
    sink = graph.add("buffersink")
    source.link_to(field)
    field.link_to(sink)
    graph.configure()
    source.push(frame)
    source.push(None)
    whole = sink.pull()
    assert isinstance(whole, av.VideoFrame)  # it is a graph of pictures
    return whole


def _is_combed(frame: av.VideoFrame) -> bool:
    """Say whether two moments seem woven into a frame, line by line, whatever its flags say.

    Where something moves, five lines in a row then go up and down in turn; that is rare otherwise.
    """
    plane, kind = frame.planes[0], frame.format.components[0]
    if frame.format.is_rgb or kind.bits != 8 or plane.height < 64:
        return False
    lines = np.frombuffer(memoryview(plane), np.uint8).reshape(plane.height, plane.line_size)
    step = max(1, plane.width // 256)
    grey = lines[:, : plane.width : step].astype(np.int16)
    apart = np.diff(grey, axis=0)
    up, down = apart > COMB_STEP, apart < -COMB_STEP
    woven = up[:-3] & down[1:-2] & up[2:-1] & down[3:]
    woven |= down[:-3] & up[1:-2] & down[2:-1] & up[3:]
    return bool(woven.mean() > COMB_PART)


def _matrix(frame: av.VideoFrame) -> int:
    """Return the matrix that makes RGB of a frame, as FFmpeg numbers it.

    RGB or unsaid: players take BT.709 for HD and BT.601 below. The same holds for a tag that does
    not fit the picture, or of which FFmpeg makes no RGB (`_tag_is_followed`).
    """
    space = int(frame.colorspace)
    if space in UNSAID or not _tag_is_followed(frame):
        return int(Colorspace.ITU709 if frame.height > 576 else Colorspace.ITU601)
    return space


def _tag_is_followed(frame: av.VideoFrame) -> bool:
    """Say whether the colour matrix that a frame names is one that pictures are made with."""
    return int(frame.colorspace) in {*UNSAID, *MATRICES}


class Overshot(Exception):  # noqa: N818
    """A seek went past the key frame that was asked for."""


class _FromKey:
    """A container whose packets begin with a key frame at or before a timestamp."""

    def __init__(self, box: Any, at: int) -> None:
        self._box, self._at = box, at
        self.begun = at

    def demux(self, stream: Any) -> Iterator[Any]:
        begun = False
        for packet in self._box.demux(stream):
            if not begun and packet.size:
                if not packet.is_keyframe:
                    continue
                if packet.pts is None or packet.pts > self._at:
                    raise Overshot
                self.begun, begun = packet.pts, True
            yield packet


class _Shifted:
    """A container of joined recordings whose packets carry one clock."""

    def __init__(self, box: Any, joins: Joins, shifts: list[int]) -> None:
        self._box, self._joins, self._shifts = box, joins, shifts

    def demux(self, stream: Any) -> Iterator[Any]:
        recording = 0
        for packet in self._box.demux(stream):
            recording += bool(packet.size) and self._joins.begin_with(packet)
            shift = self._shifts[min(recording, len(self._shifts) - 1)]
            if packet.pts is not None:
                packet.pts += shift
            if packet.dts is not None:
                packet.dts += shift
            yield packet


if __name__ == "__main__":
    sys.exit(main())
