"""What a file does to the decoder stays in there: a child that was taken over is stopped."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from toolkit import media, runtime
from toolkit.analysis import pipeline
from toolkit.errors import VideoError
from toolkit.media import decoder

HERE = str(Path(decoder.__file__).parent)
START = (
    "import os, socket, subprocess, sys, threading\n"
    "sys.path.insert(0, sys.argv[1])\n"
    "import decoder\n"
    "decoder._limit(1500 << 20, 60)\n"
)
linux = pytest.mark.skipif(sys.platform != "linux", reason="the guards are those of Linux")


def attempt(code, *, limit=True, guard="_forbid_calls"):
    """Run code in a process that is guarded as the decoder is; return what it printed."""
    start = START if limit else START.replace("decoder._limit(1500 << 20, 60)\n", "")
    body = "".join(f"    {line}\n" for line in code.splitlines())
    text = (
        f"{start}if not decoder.{guard}():\n    print('unguarded')\n    sys.exit()\n"
        f"try:\n{body}    print('done')\n"
        "except Exception as error:\n    print(type(error).__name__)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", text, HERE], capture_output=True, text=True, timeout=60, check=False
    )
    said = done.stdout.split()
    if "unguarded" in said:
        pytest.skip("this kernel does not offer it")
    return said


@linux
@pytest.mark.parametrize("limit", [True, False])
@pytest.mark.parametrize(
    "code",
    [
        "socket.socket()",
        "socket.create_connection(('127.0.0.1', 9), 1)",
        "open('/etc/passwd')",
        "open('/tmp/written', 'w')",
        "os.unlink(sys.argv[1] + '/nothing')",
        "while True: os.fork()",
        "subprocess.run(['true'])",
        "os.execv('/bin/true', ['true'])",
        "os.kill(os.getppid(), 15)",
    ],
)
def test_a_child_that_was_taken_over_gets_nowhere(code, limit):
    """Also where the limits of resources mean nothing, as for root."""
    (said,) = attempt(code, limit=limit)
    assert said in {"PermissionError", "OSError"}


@linux
@pytest.mark.parametrize(
    "code",
    [
        "open('/etc/passwd')",
        "open('/tmp/written', 'w')",
        "os.listdir('/')",
        "os.mkdir('/tmp/made-by-a-decoder')",
        "os.unlink(sys.argv[1] + '/decoder.py')",
        "os.truncate(sys.argv[1] + '/decoder.py', 0)",
        "os.link(sys.argv[1] + '/decoder.py', '/tmp/linked')",
        "os.execv('/bin/true', ['true'])",
        "socket.create_connection(('127.0.0.1', 9), 1)",
    ],
)
def test_files_and_connections_are_refused_also_where_no_call_is(code):
    """Landlock alone, without the limits: each of the guards must hold by itself."""
    (said,) = attempt(code, limit=False, guard="_forbid_files")
    if said == "ConnectionRefusedError":
        pytest.skip("this version of Landlock knows no connections")
    assert said == "PermissionError"


@linux
def test_what_is_open_stays_open():
    code = "print(file.read(6))\nfile = None"
    first = "file = open(sys.argv[1] + '/decoder.py')\n"
    text = f"{START}{first}assert decoder._forbid_files() in (True, False)\n{code}"
    done = subprocess.run(
        [sys.executable, "-c", text.replace("decoder._limit(1500 << 20, 60)\n", ""), HERE],
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    assert done.stdout.split() == ['"""Chi']


@linux
def test_a_decoder_that_closes_its_pipe_and_stays_is_ended(tmp_path, monkeypatch):
    script, clip = tmp_path / "taken.py", tmp_path / "clip.mp4"
    script.write_text("import os, time\nos.close(1)\ntime.sleep(600)\n", encoding="utf-8")
    clip.write_bytes(b"\x00\x00\x00\x18ftypmp42" + bytes(3000))
    monkeypatch.setattr(media.video, "_DECODER", script)
    monkeypatch.setattr(media.video, "LEAVE_S", 0.2)
    with pytest.raises(VideoError, match="decoder stopped"):
        media.probe(clip)


def test_a_crowded_computer_is_no_hang(tmp_path, monkeypatch):
    script, clip = tmp_path / "silent.py", tmp_path / "clip.mp4"
    script.write_text("import time\ntime.sleep(600)\n", encoding="utf-8")
    clip.write_bytes(b"\x00\x00\x00\x18ftypmp42" + bytes(3000))
    monkeypatch.setattr(media.video, "_DECODER", script)
    monkeypatch.setattr(media.video, "SILENCE_S", 0.5)
    monkeypatch.setattr(runtime, "crowding", lambda: 4.0)
    with pytest.raises(VideoError, match="no sign of life for 2 s"):
        media.probe(clip)


def test_how_crowded_it_is_has_limits(monkeypatch):
    for load, wanted in ((0.0, 1.0), (3.0, 3.0), (1000.0, runtime.CROWDING_MAX)):
        monkeypatch.setattr(os, "getloadavg", lambda load=load: (load, 0, 0), raising=False)
        monkeypatch.setattr(os, "cpu_count", lambda: 1)
        assert runtime.crowding() == wanted


@linux
def test_ten_gigabytes_are_refused():
    assert attempt("bytearray(10 << 30)") == ["MemoryError"]


@linux
def test_what_decoding_needs_is_allowed():
    code = "t = threading.Thread(target=print, args=('thread',))\nt.start()\nt.join()"
    assert attempt(code) == ["thread", "done"]


def test_which_guards_are_active_is_told(sample):
    guards = media.guards()
    assert set(guards) <= {"limits", "landlock", "seccomp"}
    if sys.platform == "linux":
        assert "limits" in guards
    report = pipeline.analyse(sample("carphone_pristine"), explain=False, device="cpu")
    assert pipeline.run_facts(report)["decoder_guards"] == list(guards)
