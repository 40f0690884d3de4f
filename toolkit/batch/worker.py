"""``python -m toolkit.batch.worker``: judges one file after the other in a process of its own.

Standard input brings the plan, then a task a line; each is answered by a line, the plan too. When
the input ends, whoever asked is gone, and so is this process: at once, in the middle of the work
as well.
"""

from __future__ import annotations

import json
import os
import queue
import signal
import sys
import threading
from dataclasses import asdict
from importlib import import_module
from typing import IO, Any

from toolkit.batch.plan import BatchPlan, FileTask
from toolkit.errors import DetectorError, FetchError, ModelError, UsageError

Answer = dict[str, Any]

READY: Answer = {"ready": True}
"""The first answer, before there was any task: the time of a task counts from then."""

STOPS = (DetectorError, FetchError, ModelError, UsageError)
"""What would be raised for every file: the installation or the options are not in order."""


def main() -> int:
    """Answer until the input ends."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl+C is for whoever started this process
    answers = own_output()
    lines: queue.SimpleQueue[str] = queue.SimpleQueue()
    threading.Thread(target=_read, args=(sys.stdin, lines), daemon=True).start()
    plan = BatchPlan(**json.loads(lines.get()))
    module, _, name = plan.judge.partition(":")
    judge = getattr(import_module(module), name)
    answer: Answer = READY
    while True:
        answers.write(json.dumps(answer) + "\n")
        answers.flush()
        task = FileTask(**json.loads(lines.get()))
        answer = _answer(judge, task, plan)


def _answer(judge: Any, task: FileTask, plan: BatchPlan) -> Answer:
    """Return the row; or why no file can be judged; or what went wrong with this one."""
    try:
        outcome = judge(task, plan)
    except STOPS as error:
        parts = [p if isinstance(p, str) else p.to_plain() for p in error.parts]
        return {"stop": [type(error).__name__, parts]}
    except OSError as error:
        if error.filename and str(error.filename).startswith(plan.out):
            return {"stop": ["OSError", [str(error)]]}
        return {"failed": f"{type(error).__name__}: {error}"}
    except Exception as error:  # noqa: BLE001 - one odd file must not end the others' work
        return {"failed": f"{type(error).__name__}: {error}"}
    return asdict(outcome)


def own_output() -> IO[str]:
    """Return the output for answers; what libraries print goes where errors go."""
    own = os.dup(1)
    os.dup2(2, 1)
    return open(own, "w", encoding="ascii")  # noqa: PTH123 - a descriptor; open to the end


def _read(source: IO[str], lines: queue.SimpleQueue[str]) -> None:
    for line in source:
        lines.put(line)
    end_process()


def end_process() -> None:
    """End this process and the decoder it may have started: nobody waits for the answer."""
    if hasattr(os, "killpg") and os.getpgid(0) == os.getpid():
        os.killpg(0, signal.SIGKILL)
    os._exit(1)


if __name__ == "__main__":
    sys.exit(main())
