"""Results on disk, found again by what they were made from.

An entry is one file: plain values and arrays under a name that is the hash of its key. The key says
everything the result depends on, so an entry is never out of date; it is only ever missing. What
is damaged, foreign or half written is missing too: a cache never stops the work.

The entries hold pictures of faces. They stay on this computer, in a folder that only its owner may
read, until they are pushed out by newer ones or `Cache.clear` is called. Face embeddings, which
could be compared with those of other videos, are never stored.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import re
import time
import zipfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from toolkit import models
from toolkit.files import atomic_path, parse_json
from toolkit.storage.serialise import Packed

RUNS_VARIABLE = "DOORZICHT_RUNS"
"""Environment variable that names another folder than ``runs`` for what is kept."""

LIMIT_BYTES = 2 << 30
SCHEMA = 1
PART_MAX_S = 24 * 3600.0  # what is still half written after a day belongs to nobody

_NAME = re.compile(r"[a-z]+-[0-9a-f]{32}\.npz")
_PART = re.compile(r"\.[0-9a-f]{16}\.part")
_HEAD = "head.json"
_HEAD_MAX = 64 << 20
Keeps = Literal["all", "room", "nothing"]
Key = Mapping[str, Any]
"""What a result was made from: plain values, ready for JSON."""


@dataclass(frozen=True, eq=False)
class CacheEntry:
    """What was kept.

    Attributes
    ----------
    name
        Its file name, by which `Cache.open` and `Cache.remove` find it.
    key
        What it was made from.
    card
        A few plain values for lists of entries.
    kept_at
        When it was kept, seconds since 1970.
    packed
        The content; in a list of entries only the arrays that were asked for.
    """

    name: str
    key: dict[str, Any]
    card: dict[str, Any]
    kept_at: float
    packed: Packed = field(repr=False)


def runs_folder() -> Path:
    """Return the folder for what is kept and saved: `$DOORZICHT_RUNS`, else the project's own."""
    named = os.environ.get(RUNS_VARIABLE)
    return Path(named) if named else models.ROOT / "runs"


def name_of(kind: str, key: Key) -> str:
    """Return the file name of an entry.

    Examples
    --------
    >>> name_of("scan", {"sha256": "ab"}) == name_of("scan", {"sha256": "cd"})
    False
    """
    text = json.dumps(key, sort_keys=True, allow_nan=False)
    return f"{kind}-{hashlib.sha256(text.encode()).hexdigest()[:32]}.npz"


class Cache:
    """A folder of results with a size limit; the least recently used go first.

    Any number of processes may use one folder at once: entries appear complete or not at all.

    Parameters
    ----------
    folder
        None = ``cache`` in `runs_folder`. Made when the first entry is kept. Files that are no
        entries are left alone.
    limit_bytes
        All entries together. A single entry larger than that is not kept.
    keeps
        ``"all"`` pushes out the least recently used; ``"room"`` keeps a result only while there is
        room, so that long work pushes nobody's clips out; ``"nothing"`` only looks.
    """

    def __init__(
        self, folder: Path | None = None, *, limit_bytes: int = LIMIT_BYTES, keeps: Keeps = "all"
    ) -> None:
        self.folder = folder or runs_folder() / "cache"
        self.limit_bytes = limit_bytes
        self.keeps = keeps

    def __repr__(self) -> str:
        return f"Cache({str(self.folder)!r}, limit_bytes={self.limit_bytes})"

    def get(self, kind: str, key: Key) -> CacheEntry | None:
        """Return what was kept under a key, or None."""
        entry = self.open(name_of(kind, key))
        return entry if entry is not None and entry.key == json.loads(json.dumps(key)) else None

    def open(self, name: str) -> CacheEntry | None:
        """Return an entry by its name, or None; a damaged one is removed."""
        if not _NAME.fullmatch(name):
            return None
        path = self.folder / name
        try:
            entry = _read(path, only=None)
        except FileNotFoundError:
            return None
        except Exception:  # noqa: BLE001 - damaged bytes make the parsers raise almost anything
            self.remove(name)
            return None
        with contextlib.suppress(OSError):
            os.utime(path)  # used just now: it goes last
        return entry

    def put(
        self, kind: str, key: Key, packed: Packed, *, card: Mapping[str, Any] | None = None
    ) -> str | None:
        """Keep a result, and remove the least recently used ones above the limit.

        Returns
        -------
        str or None
            The entry's name; None where it could not be kept: no space, no permission, too large;
            or where this cache does not keep it.
        """
        if self.keeps == "nothing":
            return None
        name = name_of(kind, key)
        head = {
            "schema": SCHEMA,
            "key": dict(key),
            "card": dict(card or {}),
            "kept_at": time.time(),
            "plain": packed.plain,
        }
        try:
            self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            with atomic_path(self.folder / name) as part:
                _write(part, head, packed.arrays)
                size = part.stat().st_size
                room = self.limit_bytes - (self.bytes() if self.keeps == "room" else 0)
                if size > room:
                    raise _TooLarge
        except (OSError, _TooLarge):
            return None
        if self.keeps == "all":
            self._make_room(keep=name)
        return name

    def entries(self, kind: str, *, arrays: tuple[str, ...] = ()) -> list[CacheEntry]:
        """Return all entries of a kind, newest first, with only the named arrays of their card.

        Damaged entries are left out. Looking does not count as use.
        """
        entries = []
        for path in self._paths():
            if path.name.startswith(f"{kind}-"):
                with contextlib.suppress(Exception):  # damaged, or just removed
                    entries.append(_read(path, only=arrays))
        return sorted(entries, key=lambda e: (-e.kept_at, e.name))

    def bytes(self) -> int:
        """Return the size of all entries together."""
        return sum(size for _, size, _ in self._facts())

    def remove(self, name: str) -> None:
        """Remove one entry; one that is not there, or is in use on Windows, is no error."""
        if _NAME.fullmatch(name):
            with contextlib.suppress(OSError):
                (self.folder / name).unlink()

    def clear(self) -> None:
        """Remove all entries; other files in the folder stay."""
        for path in list(self._paths()):
            self.remove(path.name)

    def _paths(self) -> Iterator[Path]:
        with contextlib.suppress(OSError):
            for path in self.folder.iterdir():
                if _NAME.fullmatch(path.name):
                    yield path

    def _facts(self) -> list[tuple[float, int, str]]:
        """Return last use, size and name of every entry."""
        facts = []
        for path in self._paths():
            with contextlib.suppress(OSError):  # another process may just have removed it
                stat = path.stat()
                facts.append((stat.st_mtime, stat.st_size, path.name))
        return facts

    def _make_room(self, *, keep: str) -> None:
        facts = sorted(self._facts())
        total = sum(size for _, size, _ in facts)
        for _, size, name in facts:
            if total <= self.limit_bytes:
                break
            if name != keep:
                self.remove(name)
                total -= size
        with contextlib.suppress(OSError):
            for path in self.folder.iterdir():
                old = time.time() - PART_MAX_S
                if _PART.fullmatch(path.name) and path.stat().st_mtime < old:
                    path.unlink()


class _TooLarge(Exception):  # noqa: N818 - an answer of `put`, never seen outside
    """There is no room for the entry."""


def _write(path: Path, head: dict[str, Any], arrays: Mapping[str, NDArray[Any]]) -> None:
    # An .npz file that numpy can read, with the plain values beside the arrays. The fastest level:
    # maps of regions shrink to a fiftieth, and pictures would not shrink much at any level.
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        archive.writestr(_HEAD, json.dumps(head))
        for name, array in arrays.items():
            with archive.open(f"{name}.npy", "w", force_zip64=True) as file:
                np.lib.format.write_array(file, np.ascontiguousarray(array), allow_pickle=False)


def _read(path: Path, *, only: tuple[str, ...] | None) -> CacheEntry:
    with zipfile.ZipFile(path) as archive:
        if archive.getinfo(_HEAD).file_size > _HEAD_MAX:
            raise ValueError(_HEAD)
        head = parse_json(archive.read(_HEAD))
        if head["schema"] != SCHEMA:
            raise ValueError(head["schema"])
        wanted = [i for i in archive.infolist() if i.filename.endswith(".npy")]
        if only is not None:
            wanted = [i for i in wanted if i.filename.removesuffix(".npy") in only]
        arrays = {}
        for info in wanted:
            with archive.open(info) as file:
                array = np.lib.format.read_array(file, allow_pickle=False)
                file.read()  # to the end: only there the checksum is compared
            arrays[info.filename.removesuffix(".npy")] = array
    packed = Packed(head["plain"] if only is None else None, arrays)
    return CacheEntry(
        path.name, dict(head["key"]), dict(head["card"]), float(head["kept_at"]), packed
    )
