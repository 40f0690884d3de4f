"""A case: a folder with the evidence, what was found in it, and a log of every step.

    case.json            what the case is about, who examines it
    log.jsonl            every step, chained; names each file with its hash
    manifest.json        the same hashes in one list, for other tools; made again from the log
    original/ work/      each exhibit as received (unless it is kept elsewhere), and to work on
    exhibits/            who received it, when, from where
    derived/             analyses: numbers, provenance, face pictures
    notes/ signatures/   what people wrote and signed
    report/              what may leave the case
    set_aside/           what an interrupted step left behind

A step first writes its files, then its line in the log: what the log names is saved, and what it
does not name was never part of the case. Nothing in the log is ever changed.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import re
import secrets
import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from toolkit._i18n import N_
from toolkit.casework import log
from toolkit.casework.intake import Original, file_sha256
from toolkit.casework.lock import NAME as LOCK
from toolkit.casework.lock import Lock
from toolkit.casework.log import IntegrityError, LogEntry, LogReading, utc_now
from toolkit.errors import OutOfRangeError, ToolkitError, UnknownNameError, UsageError
from toolkit.files import atomic_write, parse_json, sync_folder
from toolkit.media import show_name
from toolkit.messages import phrase
from toolkit.types import REGIONS, Tick, no_tick

SCHEMA = "doorzicht.case/1"
LOG, MANIFEST, CASE = "log.jsonl", "manifest.json", "case.json"
NOT_EVIDENCE = frozenset({LOCK, MANIFEST, LOG, ".DS_Store", "Thumbs.db", "desktop.ini"})
"""Files that the log does not vouch for."""

ALTERNATIVES = ("recompression", "beauty_filter", "upscaling", "make_up", "dubbing", "cut_edit")
"""Other explanations that every report considers."""
STATES = ("tested", "not_tested", "not_testable")

_STEP = ".step-"
_PART = re.compile(r"\.[0-9a-f]{16}\.part")
_SET_ASIDE = re.compile(r"set_aside/(torn-[0-9a-f]{8}\.txt|[0-9a-f]{16}(\.json)?)")
_EXHIBIT = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,31}")
_RESERVED = re.compile(r"(?i)(con|prn|aux|nul|com\d|lpt\d)")


class CaseError(ToolkitError, ValueError):
    """The folder is no case, or a step does not fit its state."""


@dataclass(frozen=True)
class Exhibit:
    """A file that was taken in.

    Attributes
    ----------
    id
        What it is called in this case.
    facts
        Content of ``exhibits/ID.json``: hash, size, who received it, when, from whom, where.
    analyses
        Folders of its analyses, oldest first.
    """

    id: str
    facts: dict[str, Any]
    analyses: tuple[str, ...]

    @property
    def working_copy(self) -> str:
        """Path within the case of the copy that is analysed."""
        return f"work/{self.id}{self.facts['suffix']}"

    @property
    def original(self) -> str | None:
        """Path within the case of the original, or None where it is kept elsewhere."""
        return f"original/{self.id}{self.facts['suffix']}" if self.facts["is_kept"] else None


def create(
    folder: Path | str,
    *,
    title: str = "",
    examiner: str = "",
    role: str = "",
    legal_basis: str = "",
    retention: str = "",
) -> Case:
    """Make a case in a new or empty folder.

    Parameters
    ----------
    folder
        Made if it is not there; only its owner may read it, for faces are in it.
    title, examiner, role
        What it is about, who examines it, and as what.
    legal_basis, retention
        Why these faces may be processed, and how long the case is kept.

    Raises
    ------
    CaseError
        If there is something in the folder.
    OSError
        If it cannot be written.
    """
    root = Path(folder)
    if root.exists() and (not root.is_dir() or (root / LOG).exists()):
        what = N_("there is a case in this folder") if root.is_dir() else N_("this is not a folder")
        raise CaseError(what, show_name(root), "Name a new folder, or go on with this case.")
    if root.is_dir() and any(not _is_leftover(p.name) for p in root.iterdir()):
        raise CaseError(
            "the folder is not empty", show_name(root), "A case is made next to nothing else."
        )
    root.mkdir(mode=0o700, parents=True, exist_ok=True)
    case = Case(root)
    facts = {
        "schema": SCHEMA,
        "title": title,
        "examiner": examiner,
        "role": role,
        "legal_basis": legal_basis,
        "retention": retention,
        "created": utc_now(),
    }
    with Lock(root, "new"):
        atomic_write(root / CASE, dump(facts))
        case.record("opened", facts={"schema": SCHEMA}, files=[CASE])
    return case


def _is_leftover(name: str) -> bool:
    """Tell whether a file can stem from a case that was killed while it was made."""
    return name in {CASE, *NOT_EVIDENCE} or _PART.fullmatch(name) is not None


def dump(content: Any) -> str:
    """Return plain values as the JSON of a case: sorted, one way to write them."""
    return json.dumps(content, indent=1, sort_keys=True, allow_nan=False) + "\n"


class Case:
    """A case folder.

    Every method that changes something holds the lock while it works, and first puts in order what
    an interrupted step left behind.

    Parameters
    ----------
    folder
        The case.
    until
        Hash of a log line: the case as it was after that step. For reading only.

    Raises
    ------
    CaseError
        From the methods, if there is no case in the folder.
    """

    def __init__(self, folder: Path | str, *, until: str | None = None) -> None:
        self.folder, self.until = Path(folder), until

    def __repr__(self) -> str:
        return f"Case({str(self.folder)!r})"

    # -- reading

    def path(self, name: str) -> Path:
        """Return the path of a file that the log names."""
        return self.folder / name

    def reading(self) -> LogReading:
        """Read the log as it is, in order or not."""
        try:
            return log.read(self.folder / LOG)
        except FileNotFoundError as error:
            raise CaseError(
                "there is no case in this folder",
                show_name(self.folder),
                "Make one with: python -m toolkit case new DIR",
            ) from error

    def entries(self) -> tuple[LogEntry, ...]:
        """Return the steps up to `until`.

        Raises
        ------
        IntegrityError
            If the chain is broken, or `until` is not in it.
        """
        reading = self.reading()
        if reading.problems:
            raise IntegrityError(
                "the log has been altered",
                str(reading.problems[0]),
                "Run `python -m toolkit verify` to see everything that differs.",
            )
        if self.until in {None, reading.head}:
            return reading.entries
        for number, entry in enumerate(reading.entries, 1):
            if entry.sha256 == self.until:
                return reading.entries[:number]
        raise IntegrityError("the log has no such entry", str(self.until))

    @property
    def head(self) -> str:
        """Hash of the last step."""
        entries = self.entries()
        return entries[-1].sha256 if entries else log.ZERO

    def at(self, head: str) -> Case:
        """Return the case as it was after the step with that hash."""
        return Case(self.folder, until=head)

    def files(self) -> dict[str, str]:
        """Return the hash of every file that the log names, by path."""
        return files_of(self.entries())

    def read(self, name: str) -> bytes:
        """Return the content of a file of the case.

        Raises
        ------
        IntegrityError
            If it is missing, or is not what the log says.
        """
        wanted = self.files().get(name)
        try:
            data = self.path(name).read_bytes()
        except OSError as error:
            raise IntegrityError("a file of the case is missing", name) from error
        if hashlib.sha256(data).hexdigest() != wanted:
            raise IntegrityError("a file of the case has been altered", name)
        return data

    def read_json(self, name: str) -> Any:
        """Return the content of a JSON file of the case; errors as for `read`."""
        return parse_json(self.read(name))

    @property
    def facts(self) -> dict[str, Any]:
        """Content of ``case.json``."""
        facts = self.read_json(CASE)
        assert isinstance(facts, dict)
        return facts

    def exhibits(self) -> tuple[Exhibit, ...]:
        """Return what was taken in, in that order."""
        entries = self.entries()
        return tuple(
            Exhibit(
                e.facts["exhibit"],
                self.read_json(f"exhibits/{e.facts['exhibit']}.json"),
                tuple(
                    a.facts["folder"]
                    for a in entries
                    if a.event == "analysed" and a.facts["exhibit"] == e.facts["exhibit"]
                ),
            )
            for e in entries
            if e.event == "received"
        )

    def exhibit(self, name: str | None = None) -> Exhibit:
        """Return one exhibit; without a name, the only one.

        Raises
        ------
        CaseError
            If there is none of that name, or several to choose from.
        """
        exhibits = self.exhibits()
        known = ", ".join(e.id for e in exhibits) or phrase("none")
        chosen = [e for e in exhibits if e.id == name] if name else list(exhibits)
        if len(chosen) == 1:
            return chosen[0]
        what = N_("there is no such exhibit") if name else N_("which exhibit is meant")
        raise CaseError(what, name or "", "In this case: {known}.", known=known)

    def notes(self) -> list[dict[str, Any]]:
        """Return what people wrote, oldest first."""
        return [
            self.read_json(name) for e in self.entries() if e.event == "noted" for name in e.files
        ]

    # -- changing

    @contextmanager
    def working(self, command: str) -> Iterator[None]:
        """Hold the lock, with the case put in order.

        Raises
        ------
        BusyError
            If another process works on the case.
        CaseError, IntegrityError
            If there is no case, or its log has been altered.
        """
        self.reading()  # before a lock file is made in a folder that is no case
        with Lock(self.folder, command) as lock:
            self._tidy(lock.left_by)
            yield

    def record(
        self, event: str, *, facts: Mapping[str, Any] | None = None, files: Sequence[str] = ()
    ) -> LogEntry:
        """Add a step to the log, with the hash of each file that it made. Needs the lock."""
        hashes = {name: file_sha256(self.path(name)) for name in sorted(files)}
        entry = log.append(self.folder / LOG, event, facts=facts, files=hashes)
        self._write_manifest()
        return entry

    @contextmanager
    def step(self, target: str) -> Iterator[Path]:
        """Give a folder to write into, which becomes ``target`` in one go. Needs the lock."""
        folder = self.folder / f"{_STEP}{secrets.token_hex(8)}"
        folder.mkdir(mode=0o700)
        try:
            yield folder
            for path in (folder, *folder.rglob("*")):
                if path.is_dir():
                    sync_folder(path)
                elif path.is_file():
                    with path.open("rb+") as file:
                        os.fsync(file.fileno())
            out = self.path(target)
            out.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            folder.rename(out)
            sync_folder(out.parent)  # before the log names what is in it
        except BaseException:
            shutil.rmtree(folder, ignore_errors=True)
            raise

    def record_folder(
        self, event: str, target: str, *, facts: Mapping[str, Any], files: Sequence[str] = ()
    ) -> LogEntry:
        """Add a step whose files are those of a folder, and others. Needs the lock."""
        inside = [p for p in self.path(target).rglob("*") if p.is_file()]
        names = [*(p.relative_to(self.folder).as_posix() for p in inside), *files]
        return self.record(event, facts={**facts, "folder": target}, files=names)

    def free_name(self, folder: str, letter: str, *, width: int = 1) -> str:
        """Return the next numbered name within a folder, such as ``report/R2``."""
        names = {
            "/".join(n.split("/")[: folder.count("/") + 2]).split(".")[0] for n in self.files()
        }
        number = 1
        while f"{folder}/{letter}{number:0{width}d}" in names:
            number += 1
        return f"{folder}/{letter}{number:0{width}d}"

    def take_in(
        self,
        original: Original,
        *,
        exhibit: str | None = None,
        received_from: str = "",
        received_by: str = "",
        received_at: str = "",
        how: str = "",
        source: str = "",
        keep: bool = True,
        tick: Tick = no_tick,
    ) -> Exhibit:
        """Take a file in: copy it while it is hashed, and write down where it came from.

        A file that is in the case already is not copied again.

        Parameters
        ----------
        original
            The file, open for reading.
        exhibit
            What to call it: letters, digits, - and _; None = the next free ``E1``, ``E2``, ...
        received_from, received_by, received_at, how, source
            As the examiner states them. `source` may be an address; it is kept as text.
        keep
            Whether the original is copied into the case, or only its path and hash are kept.
        tick
            Called with the stage ``"intake"``.

        Raises
        ------
        CaseError
            If the name is taken, or cannot be a name.
        IntegrityError
            If the file changes while it is read.
        """
        known = self.exhibits()
        if exhibit is not None:
            _check_name(exhibit, known)
        sha256 = original.copy_to([], tick=tick).sha256
        if again := next((e for e in known if e.facts["sha256"] == sha256), None):
            return again
        number = 1
        while exhibit is None:
            free = f"E{number}"
            exhibit = free if free.lower() not in {e.id.lower() for e in known} else None
            number += 1
        places = ["original", "work"] if keep else ["work"]
        for place in (*places, "exhibits"):
            self.path(place).mkdir(mode=0o700, exist_ok=True)
        hashed = original.copy_to([self.path(p) / exhibit for p in places], tick=tick)
        facts = {
            "exhibit": exhibit,
            "sha256": hashed.sha256,
            "bytes": hashed.bytes,
            "suffix": hashed.suffix,
            "is_kept": keep,
            "original_name": original.path.name,
            "original_path": str(original.path.absolute()),
            "original_changed_at": original.changed_at,
            "received_from": received_from,
            "received_by": received_by or self.facts["examiner"],
            "received_at": received_at,
            "how": how,
            "source": source,
            "taken_in_at": utc_now(),
        }
        atomic_write(self.path(f"exhibits/{exhibit}.json"), dump(facts))
        names = [f"{place}/{exhibit}{hashed.suffix}" for place in places]
        self.record(
            "received",
            facts={"exhibit": exhibit, "sha256": hashed.sha256, "bytes": hashed.bytes},
            files=[*names, f"exhibits/{exhibit}.json"],
        )
        return self.exhibit(exhibit)

    def check(self, exhibit: Exhibit, *, original: Original | None = None) -> dict[str, Any]:
        """Hash the original and the working copy again; log a difference and stop.

        Parameters
        ----------
        exhibit
            What to check.
        original
            The file it was taken in from, where that is still open.

        Returns
        -------
        dict
            ``sha256`` and ``bytes`` at the end, and ``received_file``: same, gone or not_checked.

        Raises
        ------
        IntegrityError
            If something differs.
        """
        wanted = exhibit.facts["sha256"]
        received: str
        try:
            if original is not None:
                received = original.check(wanted)
            elif exhibit.facts["is_kept"]:
                received = "not_checked"
            else:
                with Original(Path(exhibit.facts["original_path"])) as there:
                    received = there.check(wanted)
            for name in filter(None, (exhibit.original, exhibit.working_copy)):
                if not self.path(name).is_file() or file_sha256(self.path(name)) != wanted:
                    raise IntegrityError("a copy in the case is not what was taken in", name)
        except IntegrityError as error:
            self.record("integrity_error", facts={"exhibit": exhibit.id, "what": error.cause})
            raise
        return {"sha256": wanted, "bytes": exhibit.facts["bytes"], "received_file": received}

    def note(
        self,
        kind: str = "text",
        *,
        text: str = "",
        exhibit: str | None = None,
        by: str = "",
        frames: Sequence[tuple[int, int]] = (),
        regions: Sequence[str] = (),
        interval_s: tuple[float, float] | None = None,
        h1: str = "",
        h2: str = "",
        alternative: str = "",
        state: str = "",
    ) -> str:
        """Write down what a person thinks; return the path of the note.

        Parameters
        ----------
        kind
            ``"text"``, ``"question"``, ``"propositions"`` (`h1` and `h2`), ``"alternative"``
            (`alternative`, `state`, and how in `text`), ``"opinion"``, ``"review"`` or
            ``"conflict"``.
        text
            In the person's own words.
        exhibit, frames, regions, interval_s
            What it is about: an exhibit, frame ranges, players of the face, seconds.
        by
            Who wrote it; empty = the examiner.

        Raises
        ------
        UsageError
            If parts are missing or do not fit.
        """
        content = {
            "kind": kind,
            "text": text,
            "exhibit": exhibit,
            "frames": [list(f) for f in frames],
            "regions": list(regions),
            "interval_s": list(interval_s) if interval_s else None,
            "h1": h1,
            "h2": h2,
            "alternative": alternative,
            "state": state,
        }
        _check_note(content)
        with self.working("note"):
            if exhibit is not None:
                self.exhibit(exhibit)
            content |= {"by": by or self.facts["examiner"], "utc": utc_now()}
            name = self.free_name("notes", "N", width=3) + ".json"
            self.path("notes").mkdir(mode=0o700, exist_ok=True)
            atomic_write(self.path(name), dump(content))
            self.record("noted", facts={"kind": kind, "exhibit": exhibit}, files=[name])
        return name

    # -- order

    def _write_manifest(self) -> None:
        atomic_write(self.folder / MANIFEST, dump(manifest_of(self.reading().entries)))

    def _tidy(self, left_by: dict[str, Any] | None) -> None:
        """Finish or set aside what an interrupted step left behind, and log it."""
        torn = log.read(self.folder / LOG).torn
        if torn:
            aside = self.folder / "set_aside"
            aside.mkdir(mode=0o700, exist_ok=True)
            atomic_write(aside / f"torn-{secrets.token_hex(4)}.txt", torn)
            log.without_torn_line(self.folder / LOG)
        self.entries()  # a log that was altered stops here
        if left_by is not None:
            set_aside: dict[str, Any] = {
                k: left_by[k] for k in ("pid", "command", "utc") if k in left_by
            }
            self.record("interrupted", facts=set_aside)
        for path in self.folder.rglob("*"):
            if _PART.fullmatch(path.name) and path.is_file():
                path.unlink()
        for path in self.folder.glob(f"{_STEP}*"):
            shutil.rmtree(path, ignore_errors=True)
        self._set_aside_unknown()
        with contextlib.suppress(OSError, ValueError):
            if parse_json((self.folder / MANIFEST).read_bytes())["head"] == self.head:
                return
        self._write_manifest()

    def _set_aside_unknown(self) -> None:
        known = self.files()
        unknown = [name for name in walk(self.folder) if name not in known]
        if not unknown:
            return
        moved: dict[str, str] = {}  # names that somebody else gave stay out of the log
        self.path("set_aside").mkdir(mode=0o700, exist_ok=True)
        for name in sorted(unknown):
            target = name
            if not self.path(name).is_file() or self.path(name).is_symlink():
                self.path(name).unlink()  # a link or a pipe: nothing that could be kept is in it
                continue
            if _SET_ASIDE.fullmatch(name) is None:  # a name of our own may stay
                target = f"set_aside/{secrets.token_hex(8)}"
                self.path(name).rename(self.path(target))
            moved[target] = name
        listed = f"set_aside/{secrets.token_hex(8)}.json"
        atomic_write(self.path(listed), dump(moved))
        self.record("set_aside", facts={"n": len(moved)}, files=[*moved, listed])
        for folder in sorted(self.folder.rglob("*"), reverse=True):
            if folder.is_dir() and not folder.is_symlink():
                with contextlib.suppress(OSError):  # only empty ones go
                    folder.rmdir()


def files_of(entries: Sequence[LogEntry]) -> dict[str, str]:
    """Return the hash of every file that log entries name, by path."""
    return {name: sha256 for entry in entries for name, sha256 in entry.files.items()}


def manifest_of(entries: Sequence[LogEntry]) -> dict[str, Any]:
    """Return the content of ``manifest.json`` after these steps."""
    return {
        "schema": "doorzicht.manifest/1",
        "head": entries[-1].sha256 if entries else log.ZERO,
        "entries": len(entries),
        "files": files_of(entries),
    }


def walk(folder: Path) -> Iterator[str]:
    """Yield the path of every file in a case that should be evidence; links are files too."""
    for path in sorted(folder.rglob("*")):
        name = path.relative_to(folder).as_posix()
        if path.is_dir() and not path.is_symlink():
            continue
        if name not in NOT_EVIDENCE and path.name not in NOT_EVIDENCE - {LOG, MANIFEST, LOCK}:
            yield name


def _check_name(exhibit: str, known: Sequence[Exhibit]) -> None:
    if _EXHIBIT.fullmatch(exhibit) is None or _RESERVED.fullmatch(exhibit):
        raise CaseError(
            "this cannot be the name of an exhibit",
            show_name(exhibit),
            "Use letters, digits, - and _, at most 32.",
        )
    if exhibit.lower() in {e.id.lower() for e in known}:
        raise CaseError("there is an exhibit of that name", exhibit, "Choose another.")


_NEEDS = {
    "text": ("text",),
    "question": ("text",),
    "propositions": ("h1", "h2"),
    "alternative": ("alternative", "state"),
    "opinion": ("text",),
    "review": ("text",),
    "conflict": ("text",),
}


def _check_note(note: Mapping[str, Any]) -> None:
    if note["kind"] not in _NEEDS:
        raise UnknownNameError(
            "unknown kind of note", note["kind"], "Known: {known}.", known=_NEEDS
        )
    for field in _NEEDS[note["kind"]]:
        if not str(note[field]).strip():
            raise UsageError("a part of the note is empty", field, "Write it down.")
    if note["state"] and note["state"] not in STATES:
        raise UnknownNameError("unknown state", note["state"], "Known: {known}.", known=STATES)
    if wrong := [r for r in note["regions"] if r not in REGIONS]:
        raise UnknownNameError("unknown region", ", ".join(wrong), "Known: {known}.", known=REGIONS)
    for first, last in note["frames"]:
        if not 0 <= first <= last:
            raise OutOfRangeError("these are no frames", f"{first}-{last}", "Give 120 or 120-130.")
    span = note["interval_s"]
    if span is not None and not 0 <= span[0] <= span[1] < float("inf"):
        raise OutOfRangeError(
            "this is no interval",
            phrase("{start} to {end} s", start=span[0], end=span[1]),
            "Give start, end.",
        )
