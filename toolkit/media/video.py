"""Read video: probe a file without trusting it, then fetch the frames that are wanted.

Decoding happens in a child process (`decoder.py`) with limits on memory and time; here its
answers are checked and put into words. Only ordinary local files are opened.
"""

from __future__ import annotations

import functools
import hashlib
import json
import os
import re
import stat
import struct
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import IO, Any, NoReturn, Protocol

import numpy as np
from numpy.typing import NDArray

from toolkit import runtime
from toolkit._i18n import N_
from toolkit.errors import ShapeError, VideoError
from toolkit.files import parse_json
from toolkit.media.notices import Probed, note_change, notices_of, whole
from toolkit.messages import Message, phrase
from toolkit.types import Frame, Notice, Tick, Video, no_tick

PIXELS_MAX = 8192 * 4352
"""Most pixels of a frame, stored or shown."""
BYTES_MAX = 4 << 30
"""Largest file."""
FRAMES_MAX = 2_000_000
"""Most frames of a file: 22 hours at 25 per second."""
MEMORY_MAX = 3000 << 20
"""Address space of the child process, bytes."""
PROBE_CPU_S = 60
"""CPU seconds of a probe. A read gets as many again, and one more per frame of the file."""
SILENCE_S = 20.0
"""Longest wait for a sign of life from the child process, longer where the computer is crowded."""
LEAVE_S = 5.0
"""Longest wait for the end of a child process that has closed its pipe."""
COMBED_PART = 0.1
"""From this part of the frames on a video that shows combing is told to be interlaced."""

_DECODER = Path(__file__).with_name("decoder.py")
_HEADER_MAX = 4096
_CHUNK = 1 << 20
_MAKE_MP4 = N_("Convert it, for example with: ffmpeg -i INPUT -c:v libx264 -crf 16 OUTPUT.mp4")

_COPY_AGAIN = N_("Download or copy it again.")
_MOVING = N_("Choose a file with moving pictures.")

_REFUSALS: dict[str, tuple[Message, str]] = {
    "not_a_video": (
        phrase("this is not a video that can be read"),
        N_(
            "MP4, MOV, MKV, WebM, AVI, MPEG, TS and raw H.264 or HEVC can be. Convert it, for "
            "example with: ffmpeg -i INPUT -c:v libx264 -crf 16 OUTPUT.mp4"
        ),
    ),
    "index_missing": (
        phrase("the file is truncated: its index, at the end, is missing"),
        _COPY_AGAIN,
    ),
    "index_damaged": (phrase("the index of the file is damaged"), _COPY_AGAIN),
    "attached_picture": (phrase("there is only an attached picture, not a video"), _MOVING),
    "no_video_stream": (phrase("there is no video stream"), _MOVING),
    "codec_unknown": (phrase("the video codec is unknown"), _MAKE_MP4),
    "nothing_decodes": (
        phrase("the video is damaged: none of its first frames can be decoded"),
        _COPY_AGAIN,
    ),
    "too_many_frames": (
        phrase("there are more than {n} frames", n=FRAMES_MAX),
        N_("Cut the file into parts."),
    ),
    "memory": (phrase("decoding needs too much memory"), _MAKE_MP4),
}

_CHOOSE = N_("Choose a video file.")
_MAGIC = (
    (b"PK\x03\x04", N_("this is not a video but a ZIP archive"), N_("Unpack it first.")),
    (b"\xff\xd8\xff", N_("this is an image (JPEG), not a video"), _CHOOSE),
    (b"\x89PNG", N_("this is an image (PNG), not a video"), _CHOOSE),
    (b"GIF8", N_("this is an image (GIF), not a video"), _MAKE_MP4),
    (b"BM", N_("this is an image (BMP), not a video"), _CHOOSE),
)


# --- public -------------------------------------------------------------------------------


def probe(path: Path | str, *, tick: Tick = no_tick) -> Video:
    """Find out what a file holds, without trusting what it says about itself.

    All packets are counted, the first frames are decoded, nothing else is.

    Parameters
    ----------
    path
        A regular local file of at most 4 GiB. Symbolic links, folders, pipes and addresses are
        refused.
    tick
        Called with the stages ``"hash"`` and ``"probe"``, in bytes.

    Returns
    -------
    Video
        Its `notices` tell what is odd: truncated, damaged, variable_frame_rate, rotation,
        pixel_aspect, interlaced, alpha, hdr, several_streams, no_timestamps, timestamps,
        clock_restarts, unread_recordings, late_start, hidden_frames, missing_frames, frame_count,
        frame_size, container, trailing_bytes, incomplete_start, long_video.

    Raises
    ------
    VideoError
        If the file is refused; the message names cause, value and remedy.
    Cancelled
        If `tick` raises it.
    """
    path = Path(path) if not _is_address(path) else _refuse_address(path)
    fd = _open(path)
    try:
        size = os.fstat(fd).st_size
        _sniff(path, fd, size)
        digest = _hash(fd, size, tick)
        request = {"pixels_max": PIXELS_MAX, "frames_max": FRAMES_MAX}
        with _Child("probe", path, fd, request, cpu_s=PROBE_CPU_S) as child:
            while True:
                header, body_bytes = child.receive()
                if "alive" in header:
                    tick("probe", min(whole(header["alive"]), size), size)
                    continue
                if "fail" in header:
                    _refuse(path, header)
                if "probe" not in header or body_bytes > 9 * FRAMES_MAX or body_bytes % 9:
                    child.distrust()
                body = child.body(body_bytes)
                break
        try:
            return _video(path, digest, size, header["probe"], body)
        except (KeyError, TypeError, ValueError, ArithmeticError) as error:
            if isinstance(error, VideoError):
                raise
            raise VideoError(
                "decoder stopped", phrase("it sent facts that make no sense")
            ) from error
    finally:
        os.close(fd)


def read(
    video: Video,
    indices: NDArray[np.int64],
    *,
    tick: Tick = no_tick,
    stage: str = "read",
    notices: list[Notice] | None = None,
    shapes: set[tuple[int, int]] | None = None,
) -> Iterator[Frame]:
    """Decode the wanted frames, in order, in one child process and in constant memory.

    Frames that cannot be decoded, or only with parts that the decoder had to invent, are left
    out and reported in `notices`. Closing the iterator ends the child process.

    Parameters
    ----------
    video
        From `probe`.
    indices : (N,) int64
        Frame indices, strictly increasing, 0 to ``len(video.pts) - 1``.
    tick, stage
        Called before each frame, and while waiting, with the number of frames yielded of N.
    notices
        Gets what was found while reading: truncated, damaged, combed, size_changes,
        pixel_format_changes.
    shapes
        Gets the width and height in which each frame is shown, in pixels. Where there are several,
        see `widen`.

    Yields
    ------
    Frame
        Upright, in the size of `video`, with square pixels, opaque (on black). A frame of another
        shape keeps it and lies in the middle, on black.

    Raises
    ------
    ShapeError
        If `indices` are not increasing or out of range.
    VideoError
        If the file changed size, the decoder stopped (frames yielded before stay usable), or
        no frame could be decoded.
    Cancelled
        If `tick` raises it.
    """
    wanted = np.asarray(indices, np.int64)
    if len(wanted) and (
        wanted[0] < 0 or wanted[-1] >= len(video.pts) or (np.diff(wanted) <= 0).any()
    ):
        raise ShapeError(
            "frame indices do not fit the video",
            phrase("{n} indices", n=len(wanted)),
            "Give increasing numbers from 0 to {last}.",
            last=len(video.pts) - 1,
        )
    return _read(
        video,
        wanted,
        tick,
        stage,
        [] if notices is None else notices,
        shapes=set() if shapes is None else shapes,
    )


def widen(video: Video, shapes: set[tuple[int, int]]) -> Video:
    """Return the video with a picture in which frames of all these shapes have room.

    Where that would be larger than is decoded, the video stays as it is, and what is larger than
    its picture is shrunk.

    Parameters
    ----------
    video
        From `probe`.
    shapes
        Width and height of frames as shown, from `read`.
    """
    width = max([video.width, *(w for w, _ in shapes)])
    height = max([video.height, *(h for _, h in shapes)])
    if (width, height) == (video.width, video.height) or width * height > PIXELS_MAX:
        return video
    return replace(video, width=width, height=height)


@functools.cache
def guards() -> tuple[str, ...]:
    """Return what keeps the decoder in: some of limits, landlock and seccomp.

    The first limits memory, time and open files; the second refuses files and connections, the
    third calls of the system.

    Asked of a decoder of its own, once per process. Empty where the system offers neither.

    Raises
    ------
    VideoError
        If the decoder cannot be started.
    """
    with tempfile.TemporaryFile() as file:
        path = Path(str(file.name))
        with _Child("guards", path, file.fileno(), {}, cpu_s=PROBE_CPU_S) as child:
            header, _ = child.receive()
    return tuple(g for g in ("limits", "landlock", "seccomp") if g in header.get("guards", ()))


def check_unchanged(video: Video, *, tick: Tick = no_tick) -> None:
    """Hash the file again and compare.

    Raises
    ------
    VideoError
        If the file is gone or differs from what was probed.
    """
    fd = _open(video.path)
    try:
        digest = _hash(fd, os.fstat(fd).st_size, tick)
    finally:
        os.close(fd)
    if digest != video.sha256:
        _refuse_changed(video)


def show_name(path: Path | str) -> str:
    r"""Return the file name, safe to print: one line, no control or direction characters.

    What cannot be printed becomes its ``\u`` escape, and then the true extension is named.
    Escaping for HTML is up to whoever writes HTML.

    Examples
    --------
    >>> show_name("clips/anna.mp4")
    'anna.mp4'
    >>> show_name("a\u202egpj.mp4")
    'a\\u202egpj.mp4 (extension .mp4)'
    """
    name = Path(path).name or str(path)
    shown = "".join(c if c.isprintable() else _escape(c) for c in name)
    if shown != name:
        suffix = "".join(c if c.isprintable() else _escape(c) for c in Path(path).suffix)
        shown += f" (extension {suffix})" if suffix else ""
    return shown if len(shown) <= 200 else f"{shown[:90]}…{shown[-90:]}"


def _escape(character: str) -> str:
    code = ord(character)
    return f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"


# --- the file -----------------------------------------------------------------------------


def _is_address(path: Path | str) -> bool:
    # Two letters at least: C: is a drive. Path() turns // into /, so one slash is enough.
    return re.match(r"[A-Za-z][A-Za-z0-9+.-]+:/", str(path)) is not None


def _refuse_address(path: Path | str) -> NoReturn:
    raise VideoError(
        "this is an address; only local files are read",
        show_name(path),
        "Download the video first, then give its path.",
    )


def _open(path: Path) -> int:
    """Open a regular file for reading; a link, folder, pipe or device is refused at once."""
    name = show_name(path)
    choose = "Choose a video file."
    flags = os.O_RDONLY
    for flag in ("O_NONBLOCK", "O_NOFOLLOW", "O_CLOEXEC", "O_BINARY"):
        flags |= getattr(os, flag, 0)
    try:
        if path.is_symlink():  # said before opening because the error for it differs by system
            raise VideoError("this is a symbolic link", name, "Give the path of the file itself.")
        if path.is_dir():
            raise VideoError("this is not a file but a folder", name, choose)
        fd = os.open(path, flags)
    except FileNotFoundError as error:
        raise VideoError("there is no such file", name, "Check the path.") from error
    except PermissionError as error:
        raise VideoError("the file may not be read", name, "Check its permissions.") from error
    except VideoError:
        raise
    except (OSError, ValueError) as error:
        raise VideoError("the file cannot be opened", name, choose) from error
    facts = os.fstat(fd)
    problem = None
    if not stat.S_ISREG(facts.st_mode):
        problem = VideoError("this is not a regular file", name, choose)
    elif facts.st_size == 0:
        problem = VideoError("the file is empty", name, "Download or copy it again.")
    elif facts.st_size > BYTES_MAX:
        problem = VideoError(
            "the file is too large",
            f"{name}, {facts.st_size / 2**30:.1f} GiB",
            "At most {n} GiB are read: cut out the part that matters.",
            n=BYTES_MAX >> 30,
        )
    if problem is not None:
        os.close(fd)
        raise problem
    return fd


def _sniff(path: Path, fd: int, size: int) -> None:
    """Refuse what is plainly something else, with a message that helps."""
    os.lseek(fd, 0, os.SEEK_SET)
    head = os.read(fd, 4096)
    name = show_name(path)
    text = head.lstrip(b"\xef\xbb\xbf \t\r\n").lower()
    if text.startswith((b"<!doctype", b"<html", b"<?xml", b"<head", b"<script")):
        raise VideoError(
            "this is an HTML page, not a video", name, "The download failed: try again."
        )
    if text.startswith((b"#extm3u", b"ffconcat", b"[playlist]")):
        raise VideoError(
            "this is a playlist, not a video", name, "Download the video it points to."
        )
    for magic, cause, remedy in _MAGIC:
        if head.startswith(magic):
            raise VideoError(cause, name, remedy)
    if head[:4] == b"RIFF" and head[8:12] == b"WEBP":
        raise VideoError("this is an image (WebP), not a video", name, "Choose a video file.")
    if head[4:12] in {b"ftypheic", b"ftypheix", b"ftypmif1", b"ftypavif"}:
        raise VideoError(
            "this is an image (HEIF or AVIF), not a video", name, "Choose a video file."
        )
    if _is_text(head, whole=size <= len(head)):
        raise VideoError("this is not a video but text", name, "Choose a video file.")


def _is_text(head: bytes, *, whole: bool) -> bool:
    try:
        text = head.decode("utf-8", errors="strict")
    except UnicodeDecodeError as error:
        if whole or error.start < len(head) - 4:  # else a character was cut in two
            return False
        text = head[: error.start].decode("utf-8")
    return all(c.isprintable() or c in "\t\r\n\f" for c in text)


def _hash(fd: int, size: int, tick: Tick) -> str:
    os.lseek(fd, 0, os.SEEK_SET)
    digest, done = hashlib.sha256(), 0
    while block := os.read(fd, _CHUNK):
        tick("hash", done, size)
        digest.update(block)
        done += len(block)
    return digest.hexdigest()


def _refuse(path: Path, header: dict[str, Any]) -> NoReturn:
    """Put the child's refusal into words."""
    name, word = show_name(path), str(header["fail"])
    if word == "too_large":
        value = phrase(
            "{name}, {width}×{height} pixels",
            name=name,
            width=whole(header["width"]),
            height=whole(header["height"]),
        )
        raise VideoError(
            "the frames are too large",
            value,
            "At most {n} pixels are decoded: scale it down.",
            n=PIXELS_MAX,
        )
    if word == "unhandled":
        kind = re.sub(r"[^A-Za-z0-9_.]", "", str(header.get("kind")))[:40]
        raise VideoError(
            "the decoder met something that it does not handle", f"{name}, {kind}", _MAKE_MP4
        )
    cause, remedy = _REFUSALS.get(word, (phrase("decoder stopped"), _MAKE_MP4))
    raise VideoError(cause, name, remedy)


def _refuse_changed(video: Video) -> NoReturn:
    raise VideoError(
        "the file has changed since it was probed",
        show_name(video.path),
        "Keep the original as it is and start again.",
    )


# --- the child process --------------------------------------------------------------------


class Process(Protocol):
    """What is asked of a decoder's process; `subprocess.Popen` has more."""

    stdin: IO[bytes] | None
    stdout: IO[bytes] | None

    def kill(self) -> None:
        """End it at once; nothing happens where it has ended."""

    def wait(self, timeout: float | None = None) -> int:
        """Wait for its end; return its status, negative after a signal.

        Raises
        ------
        subprocess.TimeoutExpired
            If it has not ended after so many seconds.
        """


def start_decoder(script: Path, command: str, path: Path, fd: int) -> Process:
    """Start a decoder on an open file, as a program of its own that knows nothing of this one."""
    posix = os.name == "posix"
    environment = {"OPENBLAS_NUM_THREADS": "1"}
    if not posix:  # without these Windows finds no system libraries
        environment |= {k: os.environ[k] for k in ("SYSTEMROOT", "PATH") if k in os.environ}
    where = f"fd:{fd}" if posix else str(path.resolve())
    return subprocess.Popen(
        [sys.executable, "-I", str(script), command, where],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        pass_fds=[fd] if posix else (),
        env=environment,
    )


class _Child:
    """The decoder process: started on entry, always dead on exit."""

    def __init__(
        self,
        command: str,
        path: Path,
        fd: int,
        request: dict[str, Any],
        *,
        cpu_s: int,
        script: Path | None = None,
    ) -> None:
        self._last = "before it said anything"
        self._waiting_since: float | None = None
        self._timed_out = False
        self._patience_s = SILENCE_S
        self._over = threading.Event()
        os.lseek(fd, 0, os.SEEK_SET)
        self._process = start_decoder(script or _DECODER, command, path, fd)
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._out: IO[bytes] = self._process.stdout
        threading.Thread(target=self._watch, daemon=True).start()
        request = request | {"memory_bytes": MEMORY_MAX, "cpu_s": cpu_s}
        try:
            with self._process.stdin as pipe:
                pipe.write(json.dumps(request).encode())
        except OSError:  # it died already: receive() will say so
            return

    def __enter__(self) -> _Child:
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._process.kill()
        self._out.close()
        self._process.wait()

    def receive(self) -> tuple[dict[str, Any], int]:
        """Return the next header and the length of the body that follows it."""
        head_bytes, body_bytes = struct.unpack("<II", self.body(8))
        if head_bytes > _HEADER_MAX:
            self.distrust()
        try:
            header = parse_json(self.body(head_bytes))
        except ValueError:
            self.distrust()
        if not isinstance(header, dict):
            self.distrust()
        return header, body_bytes

    def body(self, size: int) -> bytearray:
        """Return exactly `size` bytes."""
        data = bytearray(size)
        self.fill(memoryview(data))
        return data

    def fill(self, view: memoryview) -> None:
        """Read exactly as many bytes as `view` has."""
        done = 0
        while done < len(view):
            # Only waiting counts: a consumer that takes its time must not look like a hang.
            self._waiting_since = time.monotonic()
            got = self._out.readinto(view[done:])  # type: ignore[attr-defined]
            self._waiting_since = None
            if not got:
                self._explain_end()
            done += got

    def distrust(self) -> NoReturn:
        """Refuse an answer that no sound decoder gives."""
        why = phrase("it sent something that makes no sense")
        raise VideoError("decoder stopped", why, _MAKE_MP4)

    def _explain_end(self) -> NoReturn:
        try:
            code = self._process.wait(LEAVE_S)
        except subprocess.TimeoutExpired:  # one that was taken over may close its end and stay
            self._process.kill()
            self.distrust()
        if self._timed_out:
            why = phrase("no sign of life for {seconds:.0f} s", seconds=self._patience_s)
        elif code < 0:
            why = phrase("ended by signal {number}", number=-code)
        else:
            why = phrase("ended with status {number}", number=code)
        remedy = "The file may be damaged. {more}"
        raise VideoError("decoder stopped", why, remedy, more=phrase(_MAKE_MP4))

    def _watch(self) -> None:
        while not self._over.wait(0.5):
            since = self._waiting_since
            if since is None or time.monotonic() - since < SILENCE_S:
                continue
            # one that gets no processor is silent too; one that spins is ended by its own limit
            self._patience_s = SILENCE_S * runtime.crowding()
            if time.monotonic() - since > self._patience_s:
                self._timed_out = True
                self._process.kill()
                return


# --- probing ------------------------------------------------------------------------------


def _video(path: Path, digest: str, size: int, facts: dict[str, Any], body: bytearray) -> Video:
    """Check the facts, turn them into a `Video`, and say what is odd."""
    count = len(body) // 9
    ticks = np.frombuffer(body, "<i8", count).astype(np.int64)
    keys = np.frombuffer(body, np.uint8, count, 8 * count) != 0
    if not count:
        raise VideoError(*_with_name(path, "nothing_decodes"))
    numerator, denominator = (whole(n) for n in facts["time_base"])
    ordinal = "untimed" in facts or bool(facts["disordered"])
    if "untimed" in facts:  # 25 per second by convention, so that there is an axis at all
        numerator, denominator = 1, 25
    if numerator < 1 or denominator < 1:
        raise VideoError("decoder stopped", phrase("its clock does not run"))
    pts = ticks.astype(np.float64) * numerator / denominator
    if (np.diff(pts) <= 0).any() or not np.isfinite(pts).all():
        raise VideoError("decoder stopped", phrase("timestamps do not increase"))
    keys[0] = True
    keyframes = np.flatnonzero(keys) if not ordinal else np.zeros(1, np.int64)
    stored = whole(facts["width"]), whole(facts["height"])
    turns = round(-whole(facts["rotation"]) / 90) % 4
    aspect = _aspect(facts["aspect"])
    shown = max(1, round(stored[0] * aspect)), stored[1]
    if min(stored) < 1 or shown[0] * shown[1] > PIXELS_MAX:
        _refuse(path, {"fail": "too_large", "width": shown[0], "height": shown[1]})
    gaps = np.diff(pts)
    video = Video(
        path=path,
        sha256=digest,
        bytes=size,
        width=shown[turns % 2],
        height=shown[1 - turns % 2],
        codec=re.sub(r"[^a-z0-9_]", "", str(facts["codec"]).lower())[:40],
        duration_s=float(pts[-1] - pts[0] + (np.median(gaps) if len(gaps) else 0.04)),
        frames_declared=None
        if facts["frames_declared"] is None
        else whole(facts["frames_declared"]),
        pts=pts,
        keyframes=keyframes.astype(np.int64),
        rotation=turns,
    )
    return replace(video, notices=notices_of(Probed(video, facts, stored, aspect)))


def _with_name(path: Path, word: str) -> tuple[Message, str, str]:
    cause, remedy = _REFUSALS[word]
    return cause, show_name(path), remedy


def _aspect(pair: Any) -> float:
    width, height = (whole(n) for n in pair)
    aspect = width / height if width > 0 and height > 0 else 1.0
    return aspect if 0.1 <= aspect <= 10 else 1.0  # beyond that it is a broken header


# --- reading ------------------------------------------------------------------------------


def _read(
    video: Video,
    wanted: NDArray[np.int64],
    tick: Tick,
    stage: str,
    notices: list[Notice],
    *,
    shapes: set[tuple[int, int]],
) -> Iterator[Frame]:
    total = len(wanted)
    if not total:
        return
    codes = {notice.code for notice in video.notices}
    upright = (video.width, video.height)
    request = {
        "pixels_max": PIXELS_MAX,
        "width": upright[video.rotation % 2],
        "height": upright[1 - video.rotation % 2],
        "turns": video.rotation,
        "ordinal": "no_timestamps" in codes,
        "joined": "clock_restarts" in codes,
        "deinterlace": bool(codes & {"interlaced", "combed"}),
        "frames_max": FRAMES_MAX,
        "indices": wanted.tolist(),
        "pts": video.pts[wanted].tolist(),
        "key_indices": video.keyframes.tolist(),
        "key_pts": video.pts[video.keyframes].tolist(),
    }
    fd = _open(video.path)
    try:
        if os.fstat(fd).st_size != video.bytes:
            _refuse_changed(video)
        cpu_s = PROBE_CPU_S + len(video.pts)
        got = np.zeros(total, bool)
        with _Child("read", video.path, fd, request, cpu_s=cpu_s) as child:
            while True:
                tick(stage, int(got.sum()), total)
                header, body_bytes = child.receive()
                if "alive" in header:
                    continue
                if "fail" in header:
                    _refuse(video.path, header)
                if "end" in header:
                    faults = whole(header["end"]) + whole(header.get("corrupt"))
                    combed = whole(header.get("combed"))
                    break
                position = int(np.searchsorted(wanted, whole(header.get("frame"))))
                if body_bytes != video.width * video.height * 3 or got[position:].any():
                    child.distrust()
                rgb = np.empty((video.height, video.width, 3), np.uint8)
                child.fill(rgb.data.cast("B"))
                got[position] = True
                index = int(wanted[position])
                note_change(header, video, index, notices)
                shown = [whole(n) for n in header.get("shown") or upright]
                if min(shown) < 1 or len(shown) != 2 or shown[0] * shown[1] > 10 * PIXELS_MAX:
                    child.distrust()
                shapes.add((shown[video.rotation % 2], shown[1 - video.rotation % 2]))
                yield Frame(index, float(video.pts[index]), rgb)
    finally:
        os.close(fd)
    if combed >= max(2, COMBED_PART * total):
        notices.append(
            Notice(
                "combed",
                "{n} of {total} frames show two moments, line by line, as of interlaced video that"
                " is not marked so.",
                values={"n": combed, "total": total},
            )
        )
    _note_missing(video, wanted, got, faults, notices)


def _note_missing(
    video: Video,
    wanted: NDArray[np.int64],
    got: NDArray[np.bool_],
    faults: int,
    notices: list[Notice],
) -> None:
    """Report the frames that did not come; refuse when none did."""
    have, total = int(got.sum()), len(got)
    if have == total:
        return
    if not have:
        raise VideoError(
            "the video is damaged",
            phrase(
                "{name}, none of {total} frames could be decoded",
                name=show_name(video.path),
                total=total,
            ),
            "Download or copy it again.",
        )
    first = float(video.pts[wanted[int(got.argmin())]])
    values = {"n": have, "total": total, "percent": 100 * have / total}
    # A cut file may end within a frame; more faults than that are damage.
    cut = "truncated" in {n.code for n in video.notices} or faults <= 1
    if cut and got[:have].all():
        text = "The video is truncated: {n} of {total} frames ({percent:.0f} %) could be decoded."
        notices.append(Notice("truncated", text, first, values))
    else:
        text = "The video is damaged: {n} of {total} frames ({percent:.0f} %) could be decoded."
        notices.append(Notice("damaged", text, first, values))
