"""Content Credentials: absent, intact, changed, elsewhere; and never a connection."""

from __future__ import annotations

import json
import shutil
import socket
import subprocess
import sys
import threading
from pathlib import Path

import numpy as np
import pytest

from tests.media.signed import remote
from toolkit import _i18n, media
from toolkit.errors import UsageError, VideoError
from toolkit.media import credentials
from toolkit.media.credentials import Credentials, make_test_certificate, read_credentials, sign

STATEMENT = "AI / SYNTHETIC – LESSON"


@pytest.fixture(scope="module")
def clip(tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("c2pa") / "clip.mp4"
    pictures = [np.full((48, 64, 3), 10 * n, np.uint8) for n in range(12)]
    media.write_h264(path, pictures, np.arange(12) / 25)
    return path


@pytest.fixture(scope="module")
def certificate():
    return make_test_certificate()


@pytest.fixture(scope="module")
def signed(clip, certificate) -> Path:
    out = clip.with_name("signed.mp4")
    sign(clip, out, certificate=certificate, statement=STATEMENT, title="synthetic_clip")
    return out


class Trap:
    """A server that counts who comes."""

    def __init__(self) -> None:
        self.visitors = 0
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._socket.getsockname()[1]}/manifest.c2pa"
        threading.Thread(target=self._wait, daemon=True).start()

    def _wait(self) -> None:
        while True:
            try:
                visitor, _address = self._socket.accept()
            except OSError:
                return
            self.visitors += 1
            visitor.close()

    def close(self) -> None:
        # shutdown wakes the thread that waits in accept
        self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()


@pytest.fixture
def trap():
    trap = Trap()
    yield trap
    trap.close()


def test_absent(clip):
    found = read_credentials(clip)
    assert (found.outcome, found.trust) == ("absent", "none")
    assert "says nothing" in found.integrity_line()
    assert found.tool.startswith("c2pa-python ")


def test_intact_and_untrusted(signed):
    found = read_credentials(signed)
    assert (found.outcome, found.trust) == ("intact", "untrusted")
    assert found.statuses == ("signingCredential.untrusted",)
    assert found.statement == STATEMENT
    assert found.generator.startswith("Doorzicht ")
    assert "Doorzicht test signer" in found.signer
    assert found.signed_at is None
    assert "unchanged" in found.integrity_line()
    assert "not checked against a trust list" in found.trust_line()
    assert media.probe(signed).pts == pytest.approx(np.arange(12) / 25)


def damage(data: bytes, how: str) -> bytes:
    middle = data.index(b"mdat") + 40
    if how == "flipped":
        return (
            data[:middle]
            + bytes(b ^ 0xFF for b in data[middle : middle + 20])
            + data[middle + 20 :]
        )
    if how == "one bit":
        return data[:middle] + bytes([data[middle] ^ 1]) + data[middle + 1 :]
    if how == "cut":
        return data[:-30]
    return data + b"x"


@pytest.mark.parametrize("how", ["flipped", "one bit", "cut", "one byte more"])
def test_changed(signed, tmp_path, how):
    path = tmp_path / "changed.mp4"
    path.write_bytes(damage(signed.read_bytes(), how))
    found = read_credentials(path)
    assert found.outcome == "changed"
    assert "assertion.bmffHash.mismatch" in found.statuses
    assert "changed after it was signed, or is damaged" in found.integrity_line()
    assert found.trust == "untrusted"


def test_a_remote_manifest_is_not_retrieved(clip, certificate, tmp_path, trap):
    path = remote(clip, certificate, tmp_path / "remote.mp4", trap.url)
    found = read_credentials(path)
    assert found.outcome == "remote"
    assert found.remote_url == trap.url
    assert "was not retrieved" in found.integrity_line()
    assert trap.visitors == 0


def test_the_trap_would_have_caught_it(clip, certificate, tmp_path, trap):
    """The library goes to the network by default: what the test above rests on."""
    path = remote(clip, certificate, tmp_path / "remote.mp4", trap.url)
    code = f"import c2pa\ntry: c2pa.Reader(None, open({str(path)!r}, 'rb'))\nexcept Exception: pass"
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)
    assert trap.visitors > 0


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no limit on open files")
def test_the_child_can_open_no_socket_even_if_it_wants_to(clip, certificate, tmp_path, trap):
    """With the library's own defaults the limits of the child still keep it offline."""
    path = remote(clip, certificate, tmp_path / "remote.mp4", trap.url)
    script = tmp_path / "inspector.py"
    original = Path(credentials.__file__).with_name("inspector.py")
    text = original.read_text(encoding="utf-8")
    for setting in ("remote_manifest_fetch", "ocsp_fetch"):
        assert f'"{setting}": False' in text
        text = text.replace(f'"{setting}": False', f'"{setting}": True')
    script.write_text(text, encoding="utf-8")
    shutil.copy(original.with_name("decoder.py"), tmp_path)
    request = {"pixels_max": 1, "memory_bytes": 1500 << 20, "cpu_s": 60}
    with path.open("rb") as file:
        # the library may not survive that; the file's sender learns nothing either way
        subprocess.run(
            [sys.executable, "-I", str(script), "credentials", f"fd:{file.fileno()}"],
            input=json.dumps(request).encode(),
            capture_output=True,
            pass_fds=[file.fileno()],
            check=False,
            timeout=60,
        )
    assert trap.visitors == 0


def test_no_internet_address_is_spoken_to(clip, certificate, tmp_path, trap):
    """The system calls of a whole reading, where they can be watched."""
    strace = shutil.which("strace")
    if strace is None:
        pytest.skip("strace is needed to watch system calls")
    path = remote(clip, certificate, tmp_path / "remote.mp4", trap.url)
    log = tmp_path / "calls.txt"
    code = (
        "from toolkit.media.credentials import read_credentials\n"
        f"print(read_credentials({str(path)!r}).outcome)"
    )
    run = subprocess.run(
        [strace, "-f", "-qq", "-e", "trace=network", "-o", str(log), sys.executable, "-c", code],
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
    if not log.is_file() or "ptrace" in run.stderr:
        pytest.skip("system calls may not be watched here")
    assert run.stdout.strip() == "remote"
    assert "AF_INET" not in log.read_text(encoding="utf-8")


def test_what_cannot_carry_credentials_is_not_examined(clip, tmp_path):
    path = tmp_path / "a.h264"
    path.write_bytes(b"\0\0\0\1\x67" + bytes(range(256)) * 4)
    found = read_credentials(path)
    assert found.outcome in {"not_examined", "unreadable"}
    assert found.trust == "none"


def test_without_the_library_it_is_not_examined(clip, monkeypatch):
    monkeypatch.setattr(credentials, "ask", lambda *_a, **_k: {"missing": True})
    assert read_credentials(clip) == Credentials("not_examined")
    assert "not examined" in read_credentials(clip).integrity_line()


@pytest.mark.parametrize(
    "manifest", [{}, {"active_manifest": "x", "manifests": {}}, {"manifests": []}, [], "text"]
)
def test_an_odd_answer_is_unreadable(clip, monkeypatch, manifest):
    answer = {"version": "v", "json": manifest}
    monkeypatch.setattr(credentials, "ask", lambda *_a, **_k: answer)
    assert read_credentials(clip).outcome == "unreadable"


def test_texts_of_the_file_are_printable(clip, certificate, tmp_path):
    out = tmp_path / "a.mp4"
    sign(clip, out, certificate=certificate, statement="a\nb\x1b<script>\u202e")
    assert read_credentials(out).statement == "a\\u000ab\\u001b<script>\\u202e"


def test_missing_files_and_folders_are_refused(tmp_path):
    for path in (tmp_path, tmp_path / "missing.mp4"):
        with pytest.raises(VideoError):
            read_credentials(path)


def test_lines_in_dutch(signed, clip):
    english = [read_credentials(p).integrity_line() for p in (signed, clip)]
    _i18n.set_language("nl")
    assert [read_credentials(p).integrity_line() for p in (signed, clip)] != english


def test_a_trust_list_is_a_line_of_its_own():
    found = Credentials("changed", trust="trusted", signer="Somebody")
    assert "changed" in found.integrity_line()
    assert "Somebody, on the trust list" in found.trust_line()


# --- signing ------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["a.mkv", "a.txt", "a"])
def test_other_files_are_not_signed(tmp_path, certificate, name):
    with pytest.raises(UsageError, match="cannot be signed"):
        sign(tmp_path / name, tmp_path / "out.mp4", certificate=certificate, statement="x")


def test_a_failure_leaves_nothing_behind(tmp_path, certificate):
    (tmp_path / "a.mp4").write_bytes(b"no video at all")
    with pytest.raises(UsageError, match="could not be signed"):
        sign(tmp_path / "a.mp4", tmp_path / "out.mp4", certificate=certificate, statement="x")
    assert [p.name for p in tmp_path.iterdir()] == ["a.mp4"]


def test_a_certificate_without_its_root_is_refused_or_read(clip, certificate, tmp_path):
    """A key that does not fit its certificate cannot make an intact file."""
    other = make_test_certificate()
    mixed = credentials.Certificate(other.key_pem, certificate.chain_pem)
    out = tmp_path / "out.mp4"
    try:
        sign(clip, out, certificate=mixed, statement="x")
    except UsageError:
        assert not out.exists()
    else:
        assert read_credentials(out).outcome == "changed"


def test_a_key_is_never_printed(certificate):
    assert "PRIVATE" not in repr(certificate)


def test_pictures_can_be_signed(tmp_path, certificate):
    import cv2

    path = tmp_path / "a.png"
    cv2.imwrite(str(path), np.zeros((32, 32, 3), np.uint8))
    sign(path, tmp_path / "b.png", certificate=certificate, statement=STATEMENT)
    assert read_credentials(tmp_path / "b.png").statement == STATEMENT


def test_the_settings_of_reader_and_child_are_the_same():
    text = Path(credentials.__file__).with_name("inspector.py").read_text(encoding="utf-8")
    line = next(line for line in text.splitlines() if line.startswith("OFFLINE = "))
    assert eval(line.removeprefix("OFFLINE = ")) == credentials.OFFLINE
