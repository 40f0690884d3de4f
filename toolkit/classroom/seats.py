"""Who sits in the class: a seat and a folder for each browser, and what becomes of them.

A seat belongs to a browser, not to a page: whoever loads the page again finds everything as it was.
A browser without any page keeps its seat for a while, unless somebody else waits for one.
"""

from __future__ import annotations

import contextlib
import secrets
import shutil
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from toolkit._i18n import N_
from toolkit.casework.lock import Lock
from toolkit.classroom.session import ClassSession

AWAY_S = 60.0
"""How long a browser without a page keeps its seat while somebody else wants one."""

AWAY_MAX_S = 600.0
"""How long it keeps it in any case."""

PAGES_MAX = 3
"""Pages of one browser: each is a kernel of its own."""

IN_USE = N_("another app of a class uses this folder")
_OPEN, _SAVED = "open-", "saved"
_REMOVED = ("cache", "uploads", "workbench/state.json")
"""What a session leaves that nobody made on purpose."""


@dataclass(eq=False)
class Seat:
    """A browser in the class.

    Attributes
    ----------
    id
        What its cookie says.
    session
        What its kernels know.
    pages
        The kernels of its pages.
    away_since
        When it was last seen without a page, in the seconds of the clock; None while it has one.
    """

    id: str
    session: ClassSession
    pages: set[str] = field(default_factory=set)
    away_since: float | None = None


class Seats:
    """The seats of a class.

    Parameters
    ----------
    count
        How many there are.
    home
        Where folders of sessions are made, and where what was saved is kept.
    open_session
        Makes the session of a new folder.
    close_session
        Called with a session that has ended, before its folder is tidied.
    clock
        Monotonic seconds.
    """

    def __init__(
        self,
        count: int,
        home: ClassFolder,
        *,
        open_session: Callable[[Path], ClassSession],
        close_session: Callable[[ClassSession], None],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.count, self._home, self._clock = count, home, clock
        self._open_session, self._close_session = open_session, close_session
        self._seats: dict[str, Seat] = {}

    def __len__(self) -> int:
        return len(self._seats)

    def take(self, known: str | None) -> Seat | None:
        """Return the seat of a browser, or a free one; None where all are taken.

        Parameters
        ----------
        known
            What the browser's cookie says.
        """
        if known in self._seats:
            return self._seats[known]
        if len(self._seats) >= self.count:
            self._free_longest_away()
        if len(self._seats) >= self.count:
            return None
        session = self._open_session(self._home.new())
        seat = Seat(secrets.token_hex(16), session, away_since=self._clock())
        self._seats[seat.id] = seat
        return seat

    def look(self, kernels: set[str]) -> None:
        """Take note of which kernels still run; free the seats of who has long been away."""
        for seat in list(self._seats.values()):
            seat.pages &= kernels
            if seat.pages:
                seat.away_since = None
            elif seat.away_since is None:
                seat.away_since = self._clock()
            elif self._clock() - seat.away_since > AWAY_MAX_S:
                self.free(seat)

    def free(self, seat: Seat) -> None:
        """Give a seat back, and tidy its folder."""
        if self._seats.pop(seat.id, None) is not None:
            self._close_session(seat.session)
            self._home.tidy(seat.session.folder)

    def close(self) -> None:
        """Give all seats back."""
        for seat in list(self._seats.values()):
            self.free(seat)

    def _free_longest_away(self) -> None:
        limit = self._clock() - AWAY_S
        away = [s for s in self._seats.values() if s.away_since is not None]
        longest = min(away, key=lambda s: s.away_since or 0.0, default=None)
        if longest is not None and (longest.away_since or 0.0) < limit:
            self.free(longest)


class ClassFolder:
    """Where an app keeps the folders of its sessions; it tidies up after apps that were killed.

    Use it in a ``with`` block: as long as it lasts the system holds a lock for this process, and no
    other app touches the folders.

    Parameters
    ----------
    base
        Folder of all apps: what users saved is kept in ``saved`` in it.
    """

    def __init__(self, base: Path) -> None:
        self._base = base
        self._own = base / f"{_OPEN}{secrets.token_hex(6)}"
        self._lock = Lock(self._own, "app", cause=IN_USE)
        self._tidying = threading.Lock()

    def __enter__(self) -> ClassFolder:
        self._own.mkdir(mode=0o700, parents=True)
        self._lock.__enter__()
        for other in self._base.glob(f"{_OPEN}*"):
            if other != self._own and not other.is_symlink():
                with contextlib.suppress(OSError), Lock(other, "app", cause=IN_USE):
                    self._remove(other)
        return self

    def __exit__(self, *error: object) -> None:
        self._remove(self._own)
        self._lock.__exit__(None, None, None)
        shutil.rmtree(self._own, ignore_errors=True)  # its lock file too, now that it is closed

    @property
    def shared(self) -> Path:
        """Folder for what all sessions may see."""
        return self._own / "shared"

    def new(self) -> Path:
        """Return a new folder for a session."""
        folder = self._own / f"session-{secrets.token_hex(8)}"
        folder.mkdir(mode=0o700)
        return folder

    def tidy(self, folder: Path) -> None:
        """Remove a session's folder; what its user saved or wrote is moved to ``saved``."""
        with self._tidying:
            for name in _REMOVED:
                path = folder / name
                with contextlib.suppress(OSError):
                    shutil.rmtree(path) if path.is_dir() else path.unlink()
            files = [p for p in folder.rglob("*") if p.is_file() and p.stat().st_size]
            if files:
                kept = self._base / _SAVED / f"{time.strftime('%Y%m%d-%H%M%S')}-{folder.name[-6:]}"
                kept.parent.mkdir(mode=0o700, exist_ok=True)
                folder.replace(kept)  # in the same folder tree: one step, nothing is copied
            else:
                shutil.rmtree(folder, ignore_errors=True)

    def _remove(self, own: Path) -> None:
        """Tidy all sessions of an app; its folder itself stays for as long as it is locked."""
        for folder in own.glob("session-*"):
            with contextlib.suppress(OSError):
                self.tidy(folder)
        shutil.rmtree(own / "shared", ignore_errors=True)
        if own != self._own and not any(own.glob("session-*")):
            shutil.rmtree(own, ignore_errors=True)
