"""What a kernel does in the class app instead of working at once: it waits for its turn.

Outside of the class app both functions are as if they were not there.
"""

from __future__ import annotations

import json
import socket
import sys
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from toolkit.batch.process import error_from
from toolkit.classroom.session import ClassSession, current
from toolkit.errors import UsageError
from toolkit.storage.cache import Cache
from toolkit.types import Sampling, Tick, no_tick

if TYPE_CHECKING:
    from toolkit.analysis.pipeline import OnPartial
    from toolkit.types import Examination

QUEUE = "queue"
"""Stage of waiting: `done` is the place in the queue, 1 for whoever is next."""

_LOOK_S = 0.3  # how often it is looked whether the user cancelled


def examine(
    video: Path,
    *,
    detector: str = "seamnet",
    sampling: Sampling | None = None,
    cache: Cache,
    on_partial: OnPartial | None = None,
    tick: Tick = no_tick,
) -> Examination:
    """Analyse a clip: here, or in the class app by one of the processes that all share.

    Parameters and errors are those of `analysis.pipeline.examine`.
    """
    session = current()
    if session is None:
        from toolkit.analysis import pipeline

        return pipeline.examine(
            video,
            detector=detector,
            sampling=sampling,
            cache=cache,
            on_partial=on_partial,
            tick=tick,
        )
    session.check(video)
    request = {
        "do": "analyse",
        "video": str(video.absolute()),
        "detector": detector,
        "sampling": (sampling or Sampling()).to_dict(),
    }
    return _result(_answers(session, request, tick), cache, on_partial, tick)


@contextmanager
def turn(tick: Tick) -> Iterator[None]:
    """Wait for a turn to work in this kernel, and hold it; nothing outside of the class app.

    Raises
    ------
    Cancelled
        If `tick` raises it while this waits.
    UsageError
        If there is no memory for that now.
    """
    session = current()
    if session is None:
        yield
        return
    request = {"do": "turn", "is_loaded": "torch" in sys.modules}
    answers = _answers(session, request, tick)
    try:
        for answer in answers:
            if "go" in answer:
                break
            _check(answer)
        yield
    finally:
        answers.close()


def _result(
    answers: Iterator[dict[str, Any]], cache: Cache, on_partial: OnPartial | None, tick: Tick
) -> Examination:
    """Follow an analysis to its end, and take the result out of the cache."""
    from toolkit.analysis import pipeline
    from toolkit.classroom.worker import from_plain

    for answer in answers:
        if "tick" in answer:
            tick(*answer["tick"])
        elif "partial" in answer and on_partial is not None:
            on_partial(from_plain(pipeline.Partial, answer["partial"]))
        elif "end" in answer:
            _check(answer)
            entry = answer["end"]["entry"]
            examination = pipeline.reopen(cache, entry) if entry else None
            if examination is not None:
                return examination
            raise UsageError(
                "the result could not be kept", "", "There may be no room on the disk of the class."
            )
    raise UsageError("the app of the class has stopped", "", "Ask your teacher to start it again.")


def _check(answer: dict[str, Any]) -> None:
    """Raise what went wrong, if that is what an answer says."""
    error = answer.get("end", {}).get("error")
    if error is not None:
        raise error_from(*error)


def _answers(
    session: ClassSession, request: dict[str, Any], tick: Tick
) -> Generator[dict[str, Any]]:
    """Ask the pool; yield what it answers, and meanwhile tell the place in the queue.

    Closing this closes the connection, and so gives the place back.
    """
    last: tuple[str, int, int] = (QUEUE, 0, 0)
    try:
        connection = socket.create_connection(("127.0.0.1", session.port), timeout=10)
    except OSError:
        return
    with connection:
        connection.sendall(json.dumps(request | {"secret": session.secret}).encode() + b"\n")
        connection.settimeout(_LOOK_S)
        rest = b""
        while True:
            try:
                part = connection.recv(1 << 16)
            except TimeoutError:
                tick(*last)  # raises when the user cancelled
                continue
            except OSError:
                return
            if not part:
                return
            *lines, rest = (rest + part).split(b"\n")
            for line in lines:
                answer = json.loads(line)
                if "place" in answer:
                    place, of = answer["place"]
                    last = (QUEUE, int(place), int(of))
                    tick(*last)
                    continue
                if "tick" in answer:
                    stage, done, total = answer["tick"]
                    last = (str(stage), int(done), int(total))
                yield answer
