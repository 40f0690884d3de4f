"""``python -m toolkit.classroom.worker``: analyses one clip after the other for a class.

Standard input brings a request a line, or the word `CANCEL`; each request is answered by lines with
what is known so far, and at last by one that ends it. The result itself goes into the cache of the
session that asked. When the input ends, the app is gone, and so is this process.
"""

from __future__ import annotations

import base64
import contextlib
import json
import os
import queue
import signal
import sys
import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, TypeVar

import numpy as np

from toolkit.batch.worker import end_process, own_output
from toolkit.errors import Cancelled, ToolkitError
from toolkit.storage.cache import Cache, CacheEntry, Key
from toolkit.storage.serialise import Packed, pack, unpack
from toolkit.types import Sampling

if TYPE_CHECKING:
    from toolkit.analysis.pipeline import Partial
    from toolkit.detectors.base import Detector

CANCEL = "cancel"
"""Line that stops the request under way."""

CACHE_BYTES = 300 << 20
"""What one session keeps: twenty of them must fit on a disk."""

DETECTORS_MAX = 2
"""Networks that stay loaded; a third one takes the place of the first."""

_TICK_S = 0.1

Send = Callable[[dict[str, Any]], None]

T = TypeVar("T")


class SharedCache(Cache):
    """A session's cache that shares what is known of a clip which anybody may open.

    An entry is the same file under two names, so it costs the disk nothing; where the disk cannot
    do that, nothing is shared.

    Parameters
    ----------
    folder
        The session's own.
    shared
        The folder of all.
    """

    def __init__(self, folder: Path, shared: Path) -> None:
        super().__init__(folder, limit_bytes=CACHE_BYTES)
        self._shared = shared

    def open(self, name: str) -> CacheEntry | None:
        """Return an entry by its name, from either folder, or None."""
        if not (self.folder / name).exists():
            self._link(self._shared / name, self.folder / name)
        return super().open(name)

    def put(
        self, kind: str, key: Key, packed: Packed, *, card: Mapping[str, Any] | None = None
    ) -> str | None:
        """Keep a result for the session and for all."""
        name = super().put(kind, key, packed, card=card)
        if name is not None:
            self._link(self.folder / name, self._shared / name)
        return name

    @staticmethod
    def _link(old: Path, new: Path) -> None:
        with contextlib.suppress(OSError):
            new.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            os.link(old, new)


def main() -> int:
    """Answer until the input ends."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl+C is for whoever started this process
    answers, lock = own_output(), threading.Lock()
    requests: queue.SimpleQueue[tuple[dict[str, Any], threading.Event]] = queue.SimpleQueue()
    threading.Thread(target=_read, args=(sys.stdin, requests), daemon=True).start()

    def send(answer: dict[str, Any]) -> None:
        with lock:
            answers.write(json.dumps(answer) + "\n")
            answers.flush()

    loaded: dict[str, Detector] = {}
    while True:
        send({"end": _answer(*requests.get(), send, loaded)})


def _read(
    source: IO[str], requests: queue.SimpleQueue[tuple[dict[str, Any], threading.Event]]
) -> None:
    stop = threading.Event()
    for line in source:
        if line.strip() == CANCEL:
            stop.set()
        else:
            stop = threading.Event()  # of its own: a late cancel must not stop the next request
            requests.put((json.loads(line), stop))
    end_process()


def _answer(
    request: dict[str, Any], stop: threading.Event, send: Send, loaded: dict[str, Detector]
) -> dict[str, Any]:
    """Return the name of the entry that holds the result, or what went wrong."""
    try:
        return {"entry": _analyse(request, _Teller(send, stop), loaded)}
    except ToolkitError as error:
        parts = [p if isinstance(p, str) else p.to_plain() for p in error.parts]
        return {"error": [type(error).__name__, parts]}
    except Exception as error:  # noqa: BLE001 - one odd clip must not end the others' work
        return {"error": ["OSError", [f"{type(error).__name__}: {error}"]]}


def _analyse(request: dict[str, Any], tell: _Teller, loaded: dict[str, Detector]) -> str | None:
    from toolkit.analysis import cached, pipeline

    folder, shared = Path(request["cache"]), request["shared"]
    cache = (
        Cache(folder, limit_bytes=CACHE_BYTES)
        if shared is None
        else SharedCache(folder, Path(shared))
    )
    name = str(request["detector"])
    detector = _detector(name, loaded)
    examination = pipeline.examine(
        request["video"],
        detector=detector if detector.card.weights_sha256 else name,
        sampling=Sampling(**request["sampling"]),
        cache=cache,
        on_partial=tell.partial,
        tick=tell.tick,
    )
    with contextlib.suppress(ToolkitError, OSError):  # whoever asked says why there is no player
        cached.display_copy(cache, examination.report.video, tick=tell.tick)
    tell.check()
    return examination.entry


def _detector(name: str, loaded: dict[str, Detector]) -> Detector:
    from toolkit.detectors import registry

    if name not in loaded:
        while len(loaded) >= DETECTORS_MAX:
            del loaded[next(iter(loaded))]
        loaded[name] = registry.load(name)
    return loaded[name]


class _Teller:
    """Passes on what is known so far, and stops the work when it is asked to."""

    def __init__(self, send: Send, stop: threading.Event) -> None:
        self._send, self._stop = send, stop
        self._stage, self._at = "", float("-inf")

    def check(self) -> None:
        """Raise `Cancelled` once nobody waits for the result any more."""
        if self._stop.is_set():
            raise Cancelled

    def tick(self, stage: str, done: int, total: int) -> None:
        """Pass on progress, at most ten times a second within a stage; a `Tick`."""
        self.check()
        now = time.monotonic()
        if stage != self._stage or now - self._at >= _TICK_S:
            self._stage, self._at = stage, now
            self._send({"tick": [stage, done, total]})

    def partial(self, partial: Partial) -> None:
        """Pass on who was found, and the evidence so far."""
        self._send({"partial": to_plain(partial)})


def to_plain(value: object) -> dict[str, Any]:
    """Return a dataclass as plain values, arrays as base64; `from_plain` makes it again.

    Examples
    --------
    >>> sent = to_plain(Sampling(frames=16))
    >>> from_plain(Sampling, sent).frames
    16
    """
    packed = pack(value)
    arrays = {
        name: [array.dtype.name, list(array.shape), base64.b64encode(array.tobytes()).decode()]
        for name, array in packed.arrays.items()
    }
    return {"plain": packed.plain, "arrays": arrays}


def from_plain(wanted: type[T], sent: dict[str, Any]) -> T:
    """Return what `to_plain` took apart.

    Raises
    ------
    ShapeError
        If it is something else than was wanted.
    """
    arrays = {
        name: np.frombuffer(base64.b64decode(data), dtype).reshape(shape)
        for name, (dtype, shape, data) in sent["arrays"].items()
    }
    return unpack(wanted, Packed(sent["plain"], arrays))


if __name__ == "__main__":
    sys.exit(main())
