"""Take a file in: read it once, hash it while it is copied, and never write to it.

Names within the case come from the exhibit id and from the content; the name that the file came
with is kept as text only.
"""

from __future__ import annotations

import hashlib
import os
import stat
import time
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Literal

from toolkit.casework.log import IntegrityError
from toolkit.errors import VideoError
from toolkit.files import atomic_path
from toolkit.media import show_name
from toolkit.media.video import BYTES_MAX
from toolkit.messages import phrase
from toolkit.types import Tick, no_tick

_CHUNK = 1 << 20
_READ_ONLY = 0o444


@dataclass(frozen=True)
class Hashed:
    """What was read: SHA-256, number of bytes, and the suffix that the content calls for."""

    sha256: str
    bytes: int
    suffix: str


End = Literal["same", "gone"]


class Original:
    """The file as it was received, held open for reading from intake to the end of a run.

    So its hash can be taken again at the end even where its name is gone by then.

    Parameters
    ----------
    path
        A regular local file: links, folders, pipes and devices are refused.

    Raises
    ------
    VideoError
        If it cannot be opened, is empty or too large.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._file = _open(path)
        self._facts = os.fstat(self._file)

    def __enter__(self) -> Original:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        os.close(self._file)

    @property
    def changed_at(self) -> str:
        """When the file system says that it was last written to, UTC."""
        return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(self._facts.st_mtime))

    def copy_to(self, names: Sequence[Path], *, tick: Tick = no_tick) -> Hashed:
        """Copy the file under each name plus the suffix, hashing what is read.

        The copies are synced, read back, compared and set read-only.

        Parameters
        ----------
        names
            Paths without suffix; their folders must exist. May be empty: then it is only hashed.
        tick
            Called with the stage ``"intake"``, in bytes.

        Raises
        ------
        IntegrityError
            If a copy does not read back as it was written, or the file changed while it was read.
        """
        os.lseek(self._file, 0, os.SEEK_SET)
        head = os.read(self._file, 64)
        suffix = suffix_of(head)
        targets = [name.with_name(name.name + suffix) for name in names]
        digest, size = hashlib.sha256(), 0
        with ExitStack() as stack:
            parts = [stack.enter_context(atomic_path(target)) for target in targets]
            files = [stack.enter_context(part.open("wb")) for part in parts]
            os.lseek(self._file, 0, os.SEEK_SET)
            while block := os.read(self._file, _CHUNK):
                tick("intake", min(size, self._facts.st_size), self._facts.st_size)
                digest.update(block)
                size += len(block)
                for file in files:
                    file.write(block)
            for file, part in zip(files, parts, strict=True):
                file.flush()
                os.fsync(file.fileno())
                if file_sha256(part) != digest.hexdigest():
                    raise IntegrityError("a copy does not read back as it was written", part.name)
        for target in targets:
            target.chmod(_READ_ONLY)
        if size != self._facts.st_size or self.check(digest.hexdigest()) == "gone":
            raise IntegrityError(
                "the file changed while it was taken in", show_name(self.path), "Try again."
            )
        tick("intake", size, size)
        return Hashed(digest.hexdigest(), size, suffix)

    def check(self, sha256: str) -> End:
        """Hash the file again; ``"gone"`` where its name no longer leads to it.

        Raises
        ------
        IntegrityError
            If its content, or what stands under its name, is no longer what was taken in.
        """
        os.lseek(self._file, 0, os.SEEK_SET)
        if _digest(self._file) != sha256:
            raise IntegrityError(
                "the original changed during the run", show_name(self.path), "Take it in again."
            )
        try:
            now = self.path.stat(follow_symlinks=False)
        except OSError:
            return "gone"
        is_same = (now.st_dev, now.st_ino) == (self._facts.st_dev, self._facts.st_ino)
        if not is_same and file_sha256(self.path) != sha256:
            raise IntegrityError(
                "another file stands in place of the original", show_name(self.path)
            )
        return "same"


def file_sha256(path: Path) -> str:
    """Return the SHA-256 of a regular file.

    Raises
    ------
    OSError
        If it cannot be read.
    """
    file = os.open(path, _flags())
    try:
        if not stat.S_ISREG(os.fstat(file).st_mode):
            raise OSError(f"{show_name(path)} is not a regular file")
        return _digest(file)
    finally:
        os.close(file)


def suffix_of(head: bytes) -> str:
    r"""Return the suffix that the first bytes of a file call for.

    Examples
    --------
    >>> suffix_of(b"\0\0\0\x18ftypisom"), suffix_of(b"GIF89a")
    ('.mp4', '.bin')
    """
    if head[4:8] in {b"ftyp", b"moov", b"mdat", b"wide", b"free"}:
        return ".mov" if head[8:10] == b"qt" else ".mp4"
    signs: tuple[tuple[bytes, str], ...] = (
        (b"\x1a\x45\xdf\xa3", ".mkv"),
        (b"RIFF", ".avi"),
        (b"\x00\x00\x01\xba", ".mpg"),
        (b"\x00\x00\x01\xb3", ".mpg"),
        (b"GIF8", ".bin"),
        (b"\x47", ".ts"),
    )
    return next((suffix for sign, suffix in signs if head.startswith(sign)), ".bin")


def _digest(file: int) -> str:
    digest = hashlib.sha256()
    while block := os.read(file, _CHUNK):
        digest.update(block)
    return digest.hexdigest()


def _flags() -> int:
    names = ("O_NONBLOCK", "O_NOFOLLOW", "O_CLOEXEC", "O_BINARY")
    flags = os.O_RDONLY
    for name in names:
        flags |= getattr(os, name, 0)
    return flags


def _open(path: Path) -> int:
    name, choose = show_name(path), "Give the path of the video file itself."
    try:
        if path.is_symlink() or path.is_dir():
            raise VideoError("this is a link or a folder, not a file", name, choose)
        file = os.open(path, _flags())
    except FileNotFoundError as error:
        raise VideoError("there is no such file", name, "Check the path.") from error
    except VideoError:
        raise
    except (OSError, ValueError) as error:
        raise VideoError("the file cannot be opened", name, choose) from error
    facts: Any = os.fstat(file)
    problem = None
    if not stat.S_ISREG(facts.st_mode):
        problem = VideoError("this is not a regular file", name, choose)
    elif facts.st_size == 0:
        problem = VideoError("the file is empty", name, "Download or copy it again.")
    elif facts.st_size > BYTES_MAX:
        problem = VideoError(
            "the file is too large", phrase("{name}, {n} bytes", name=name, n=facts.st_size)
        )
    if problem is not None:
        os.close(file)
        raise problem
    return file
