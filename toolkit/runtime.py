"""Threads, memory, device and seeds: the one place where they are set."""

from __future__ import annotations

import ctypes
import os
import random
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any, Literal

from toolkit.errors import UnknownNameError, UsageError

if TYPE_CHECKING:
    import torch
    from numpy.typing import NDArray

    Array = NDArray[Any]

Device = Literal["auto", "cpu", "cuda", "mps"]
DEVICES: tuple[Device, ...] = ("auto", "cpu", "cuda", "mps")

THREADS_VARIABLE = "DOORZICHT_THREADS"
"""Environment variable that sets the number of torch threads (default 1)."""


def threads() -> int:
    """Return the number of torch threads to use: `DOORZICHT_THREADS`, else 1.

    One is the default because two threads win little on two quiet cores and run small networks
    several times slower on busy ones.
    """
    text = os.environ.get(THREADS_VARIABLE, "1")
    if not text.isascii() or not text.isdigit() or int(text) < 1:
        raise UsageError(
            "{variable} is not a positive number", text, "Use 1 or 2.", variable=THREADS_VARIABLE
        )
    return int(text)


SIDE_BY_SIDE_MAX = 8


def side_by_side() -> int:
    """Return how many crops to judge at once, each on a thread of its own.

    `DOORZICHT_THREADS` where it is set, else the cores that this process may use, at most
    `SIDE_BY_SIDE_MAX`. Unlike threads within one crop these share nothing and wait for nobody, so
    a busy computer slows them down no more than its load, and the answers are the same bits.
    """
    if THREADS_VARIABLE in os.environ:
        return threads()
    try:
        cores = len(os.sched_getaffinity(0))
    except AttributeError:  # not on macOS and Windows
        cores = os.cpu_count() or 1
    return max(1, min(cores, SIDE_BY_SIDE_MAX))


@contextmanager
def all_cores() -> Iterator[None]:
    """Let torch use `side_by_side()` threads for a while: worth it in large networks only."""
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(max(before, side_by_side()))
    try:
        yield
    finally:
        torch.set_num_threads(before)


CROWDING_MAX = 6.0


def crowding() -> float:
    """Return how many programs share a processor, 1 to `CROWDING_MAX`.

    Whoever waits for something that works should wait so many times longer: a slow computer is no
    hang. 1 where the system does not tell.
    """
    load = os.getloadavg()[0] if hasattr(os, "getloadavg") else 1.0
    return min(CROWDING_MAX, max(1.0, load / (os.cpu_count() or 1)))


KEPT_BYTES = 256 << 20
"""How much freed memory the C library keeps for the next tensors."""

_TRIM_THRESHOLD, _MMAP_THRESHOLD = -1, -3  # of mallopt, in glibc's malloc.h
_MMAP_MOST = 32 << 20  # glibc accepts no more


BATCH = {"cpu": 4, "mps": 32, "cuda": 128}
"""Face crops in the network at once. On a CPU few stay in its cache, and the tensors of more are
too large for `keep_memory`."""


def run_in_parts(
    run: Callable[[Array], tuple[Array, ...]], pictures: Array, move_to_cpu: Callable[[], None]
) -> tuple[Array, ...]:
    """Run a network on pictures: on fewer at once where memory runs out, at last on the CPU.

    Parameters
    ----------
    run
        Takes pictures (N, ...) and returns arrays (N, ...).
    pictures : (N, ...)
    move_to_cpu
        Takes the network off its device.

    Returns
    -------
    tuple of (N, ...) ndarray
        What `run` returns for all of them.
    """
    import numpy as np
    import torch

    with suppress(torch.OutOfMemoryError):
        return run(pictures)
    if torch.cuda.is_available():  # after the error, whose traceback held the tensors
        torch.cuda.empty_cache()
    if len(pictures) == 1:
        move_to_cpu()
        return run(pictures)
    half = len(pictures) // 2
    parts = [run_in_parts(run, part, move_to_cpu) for part in (pictures[:half], pictures[half:])]
    return tuple(np.concatenate(both) for both in zip(*parts, strict=True))


def keep_memory() -> bool:
    """Let the C library keep what is freed, instead of asking the kernel for it again.

    A network frees and takes tens of megabytes per layer. By default they go back to the kernel,
    which hands them out anew page by page, zeroed: a third of the time of a network on a CPU.

    Returns
    -------
    bool
        Whether it was done: with glibc, unless the environment sets its own thresholds.
    """
    own = [name for name in os.environ if name.startswith(("MALLOC_MMAP", "MALLOC_TRIM"))]
    if own or not sys.platform.startswith("linux"):
        return False
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (OSError, AttributeError):  # another C library
        return False
    return bool(mallopt(_MMAP_THRESHOLD, _MMAP_MOST) and mallopt(_TRIM_THRESHOLD, KEPT_BYTES))


def release_memory() -> bool:
    """Give back to the system what was freed and `keep_memory` keeps.

    What a process still holds afterwards it uses, so that growth can be told from what is kept.

    Returns
    -------
    bool
        Whether it could be asked: with glibc only.
    """
    try:
        trim = ctypes.CDLL(None).malloc_trim
    except (OSError, AttributeError, TypeError):  # another C library
        return False
    trim.argtypes = [ctypes.c_size_t]
    trim(0)
    return True


@contextmanager
def silent_library() -> Iterator[None]:
    """Keep a library written in C from writing to the standard error of the process.

    LiteRT announces its delegate there, in the middle of a notebook or of a progress line, and
    offers no switch. What Python raises is not touched.
    """
    try:
        before = os.dup(2)
    except OSError:  # no standard error at all, as under some services
        yield
        return
    try:
        with open(os.devnull, "wb") as nowhere:  # noqa: PTH123 - a device, not a path
            os.dup2(nowhere.fileno(), 2)
        yield
    finally:
        os.dup2(before, 2)
        os.close(before)


def prepare() -> None:
    """Limit the thread pools of torch and OpenCV to `threads()`, and keep freed memory.

    Safe to call again.
    """
    import cv2
    import torch

    keep_memory()
    cv2.setNumThreads(1)
    if torch.get_num_threads() != threads():
        torch.set_num_threads(threads())


def pick_device(wanted: str = "auto") -> torch.device:
    """Return the torch device to compute on: CUDA, then MPS, then CPU for ``"auto"``.

    Raises
    ------
    UsageError
        If the name is unknown, or the device is not there.
    """
    import torch

    if wanted not in DEVICES:
        raise UnknownNameError("unknown device", wanted, "Choose one of {known}.", known=DEVICES)
    present = {"cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available()}
    if wanted == "auto":
        wanted = next((name for name, there in present.items() if there), "cpu")
    elif not present.get(wanted, True):
        raise UsageError("this device is not available", wanted, "Use --device auto or cpu.")
    return torch.device(wanted)


def seed_all(seed: int) -> None:
    """Seed Python, NumPy's legacy generator and torch, for code that cannot take a generator."""
    import numpy as np
    import torch

    random.seed(seed)
    np.random.seed(seed % 2**32)  # noqa: NPY002 - libraries we call may still use it
    torch.manual_seed(seed)
