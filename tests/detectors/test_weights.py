"""Foreign weights: what is read, what is converted once, and what is refused."""

from __future__ import annotations

import os
import pickle
import socket
import sys

import pytest
import torch
from safetensors.torch import save_file

from toolkit.detectors import weights
from toolkit.errors import ModelError

posix = pytest.mark.skipif(os.name != "posix", reason="the guarded reader needs descriptors")


def state(**more):
    return {"a.weight": torch.arange(6.0).reshape(2, 3), "a.bias": torch.zeros(2), **more}


@posix
@pytest.mark.parametrize("zipped", [True, False], ids=["zip", "old format"])
def test_a_pth_becomes_safetensors_with_the_same_numbers(tmp_path, zipped):
    path, target = tmp_path / "w.pth", tmp_path / "w.safetensors"
    torch.save(state(), path, _use_new_zipfile_serialization=zipped)
    assert weights.convert(path, target) == ""
    found = weights.read_safetensors(target, sha256=weights.sha256_of(target))
    assert found.keys() == state().keys()
    assert torch.equal(found["a.weight"], state()["a.weight"])


@posix
def test_a_nested_state_is_found_or_asked_for(tmp_path):
    path, target = tmp_path / "w.ckpt", tmp_path / "w.safetensors"
    torch.save({"epoch": 3, "model": state()}, path)
    assert weights.convert(path, target) == "model"
    torch.save({"model": state(), "ema": state()}, path)
    with pytest.raises(ModelError, match=r"several sets of weights.*--key: ema, model"):
        weights.convert(path, target)
    assert weights.convert(path, target, key="ema") == "ema"


class Evil:
    """A pickle that would write a file."""

    def __init__(self, path):
        self.path = str(path)

    def __reduce__(self):
        return os.system, (f"touch {self.path}",)


@posix
def test_a_pickle_that_runs_code_runs_none(tmp_path):
    path, target, trace = tmp_path / "w.pth", tmp_path / "w.safetensors", tmp_path / "ran"
    torch.save({"a": torch.zeros(1), "b": Evil(trace)}, path)
    with pytest.raises(ModelError, match="more than tensors"):
        weights.convert(path, target)
    path.write_bytes(pickle.dumps(Evil(trace)))
    with pytest.raises(ModelError):
        weights.convert(path, target)
    assert not trace.exists()
    assert not target.exists()
    assert list(tmp_path.glob(".*.part")) == []


@posix
def test_the_child_has_no_network_and_can_open_nothing(tmp_path, monkeypatch):
    """A reader that tries to reach out, in place of the real one, gets nowhere."""
    real = weights._UNPACK.read_text()
    probe = real.replace(
        "        with torch.inference_mode(mode=False):",
        "        import socket\n"
        "        for what in (lambda: socket.create_connection(('127.0.0.1', PORT), 1),\n"
        "                     lambda: open('/etc/hostname'), lambda: os.fork()):\n"
        "            try:\n"
        "                what()\n"
        "                return _tell(fail='read', kind='open')\n"
        "            except OSError:\n"
        "                pass\n"
        "        with torch.inference_mode(mode=False):",
    )
    assert probe != real
    with socket.create_server(("127.0.0.1", 0)) as server:
        inside = tmp_path / "toolkit" / "detectors" / "unpack.py"
        inside.parent.mkdir(parents=True)
        (tmp_path / "toolkit" / "media").mkdir()
        decoder = weights._UNPACK.parents[1] / "media" / "decoder.py"
        (tmp_path / "toolkit" / "media" / "decoder.py").write_text(decoder.read_text())
        port = str(server.getsockname()[1])
        inside.write_text(
            "import socket\n"
            + probe.replace("PORT", port).replace("from __future__ import annotations", "")
        )
        monkeypatch.setattr(weights, "_UNPACK", inside)
        path = tmp_path / "w.pth"
        torch.save(state(), path)
        if sys.platform == "linux":
            assert weights.convert(path, tmp_path / "w.safetensors") == ""


def test_what_is_no_file_of_weights_is_refused(tmp_path):
    target = tmp_path / "t.safetensors"
    for name in ("w.pkl", "w.h5", "w"):
        (tmp_path / name).write_bytes(b"x")
        with pytest.raises(ModelError, match="never read"):
            weights.convert(tmp_path / name, target)
    with pytest.raises(ModelError, match="missing"):
        weights.read_safetensors(tmp_path / "none.safetensors")
    for content, cause in ((b"", "empty"), (b"garbage" * 9, "cannot be read")):
        target.write_bytes(content)
        with pytest.raises(ModelError, match=cause):
            weights.read_safetensors(target)
    save_file(state(c=torch.tensor([float("nan")])), target)
    with pytest.raises(ModelError, match="not finite"):
        weights.read_safetensors(target)
    save_file(state(), target)
    with pytest.raises(ModelError, match="another one"):
        weights.read_safetensors(target, sha256="0" * 64)


@posix
def test_a_file_beyond_the_limit_is_refused(tmp_path, monkeypatch):
    path = tmp_path / "w.pth"
    torch.save(state(), path)
    monkeypatch.setattr(weights, "BYTES_MAX", 100)
    with pytest.raises(ModelError, match="too large"):
        weights.convert(path, tmp_path / "t.safetensors")


def test_prefixes_are_taken_off_all_names_or_none():
    names = ["a.weight", "a.bias"]
    wrapped = {f"module.model.{k}": v for k, v in state().items()}
    assert weights.strip(wrapped, names).keys() == set(names)
    mixed = {"module.a.weight": torch.zeros(1), "a.bias": torch.zeros(1)}
    assert weights.strip(mixed, names).keys() == mixed.keys()
    own = {"model.a.weight": torch.zeros(1)}
    assert weights.strip(own, ["model.a.weight"]).keys() == own.keys()


def test_a_network_takes_its_own_names_and_shapes_only():
    net = torch.nn.Sequential()
    net.add_module("a", torch.nn.Linear(3, 2))
    weights.fill(net, state())
    assert torch.equal(net.a.weight, state()["a.weight"])
    with pytest.raises(ModelError, match=r"unexpected more"):
        weights.fill(net, state(more=torch.zeros(1)))
    with pytest.raises(ModelError, match=r"expected a\.bias"):
        weights.fill(net, {"a.weight": torch.zeros(2, 3)})
    with pytest.raises(ModelError, match=r"a\.bias is \(5,\), expected \(2,\)"):
        weights.fill(net, {"a.weight": torch.zeros(2, 3), "a.bias": torch.zeros(5)})
