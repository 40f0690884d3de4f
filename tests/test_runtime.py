"""Memory: kept where the C library can, and left alone where somebody set it."""

from __future__ import annotations

import ctypes
import os
import subprocess
import sys

import pytest

from toolkit import runtime


def glibc():
    return sys.platform.startswith("linux") and hasattr(ctypes.CDLL(None), "gnu_get_libc_version")


@pytest.mark.skipif(not glibc(), reason="only glibc can be told to keep memory")
def test_memory_is_kept_unless_the_environment_says_otherwise(monkeypatch):
    for name in ("MALLOC_MMAP_THRESHOLD_", "MALLOC_TRIM_THRESHOLD_"):
        monkeypatch.delenv(name, raising=False)
    assert runtime.keep_memory()
    monkeypatch.setenv("MALLOC_TRIM_THRESHOLD_", "1000000")
    assert not runtime.keep_memory()


def test_another_c_library_is_left_alone(monkeypatch):
    monkeypatch.setattr(ctypes, "CDLL", lambda _name: object())
    assert not runtime.keep_memory()
    monkeypatch.setattr(sys, "platform", "darwin")
    assert not runtime.keep_memory()


def test_freed_tensors_are_not_handed_out_anew():
    """The point of it: page faults while 20 MB are taken and freed again and again."""
    import resource

    import torch

    runtime.prepare()
    if not glibc() or not runtime.keep_memory():
        pytest.skip("only glibc can be told to keep memory")

    def faults():
        return resource.getrusage(resource.RUSAGE_SELF).ru_minflt

    torch.ones(5 << 20)
    before = faults()
    for _ in range(20):
        torch.ones(5 << 20)
    assert faults() - before < 20 * 5120 / 4  # 5,120 pages each


def test_a_library_is_silent_only_meanwhile(capfd):
    def announce():
        with runtime.silent_library():
            os.write(2, b"an announcement\n")
            return 1 / 0

    with pytest.raises(ZeroDivisionError):
        announce()
    os.write(2, b"an error\n")
    assert capfd.readouterr().err == "an error\n"


@pytest.mark.skipif(sys.platform != "linux", reason="how much is held is read from /proc")
def test_what_was_freed_is_kept_and_can_be_given_back():
    code = (
        "from toolkit import runtime\n"
        "def held():\n"
        "    return int(open('/proc/self/statm').read().split()[1]) * 4096\n"
        "if not runtime.keep_memory() or not runtime.release_memory():\n"
        "    print('unkept')\n"
        "    raise SystemExit\n"
        "before = held()\n"
        "parts = [bytearray(b'x') * (8 << 20) for _ in range(16)]\n"
        "del parts\n"
        "kept = held()\n"
        "runtime.release_memory()\n"
        "print(kept - before, held() - before)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    if done.stdout.split() == ["unkept"]:
        pytest.skip("this C library keeps nothing")
    kept, left = map(int, done.stdout.split())
    assert kept > 100 << 20
    assert left < 16 << 20
