"""Weights that somebody else made: safetensors first, a ``.pth`` only through a guarded child.

What is read is a mapping of names to finite float32 tensors; no file of weights ever runs code.
"""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import torch
from torch import nn

from toolkit.errors import ModelError
from toolkit.files import atomic_path
from toolkit.media import show_name
from toolkit.messages import Message, joined, phrase

BYTES_MAX = 4 << 30
"""Largest file of foreign weights."""

TENSORS_MAX = 20_000
PICKLES = frozenset({".pth", ".pt", ".ckpt", ".bin", ".tar"})
"""Suffixes of files that the guarded child may convert."""

PREFIXES = ("module.", "backbone.", "model.", "net.", "_orig_mod.")
"""Taken off every name where every name begins with it; never off some of them."""

DROPPED = ("num_batches_tracked", "position_ids")
"""Ends of names that hold no weights and that versions of libraries write or leave out."""

_UNPACK = Path(__file__).with_name("unpack.py")
_SECONDS = 600

_REFUSALS: Mapping[str, Message] = {
    "unsafe": phrase("the file holds more than tensors, and could run code"),
    "read": phrase("the file cannot be read as weights"),
    "memory": phrase("reading the file needs too much memory"),
    "too_many": phrase("the file holds too many tensors"),
}


def sha256_of(path: Path) -> str:
    """Return the SHA-256 of a file, in hexadecimal.

    Raises
    ------
    ModelError
        If it cannot be read.
    """
    digest = hashlib.sha256()
    try:
        with path.open("rb") as file:
            while block := file.read(1 << 20):
                digest.update(block)
    except OSError as error:
        raise ModelError("a file cannot be read", f"{show_name(path)}: {error.strerror}") from error
    return digest.hexdigest()


def read_safetensors(path: Path, *, sha256: str | None = None) -> dict[str, torch.Tensor]:
    """Return the tensors of a safetensors file, floating ones as float32.

    Parameters
    ----------
    path
        The file.
    sha256
        What its bytes must hash to, where that is known; they are hashed before they are parsed.

    Raises
    ------
    ModelError
        If it is missing, too large, damaged, another file, or holds numbers that are not finite.
    """
    file_name = show_name(path)
    _check_size(path)
    try:
        data = path.read_bytes()
    except OSError as error:
        raise ModelError("a file cannot be read", f"{file_name}: {error.strerror}") from error
    if sha256 is not None and hashlib.sha256(data).hexdigest() != sha256:
        raise ModelError(
            "a weight file is damaged or another one", file_name, "Add the detector again."
        )
    from safetensors.torch import load

    try:
        tensors = load(data)
    except Exception as error:  # the parser's own errors
        raise ModelError(
            "the file cannot be read as weights",
            phrase("{name}: {why}", name=file_name, why=str(error)[:120]),
            "Give a .safetensors file, or the .pth that its authors published.",
        ) from error
    if not 0 < len(tensors) <= TENSORS_MAX:
        raise ModelError(
            "the file holds no usable number of tensors", f"{file_name}: {len(tensors)}"
        )
    whole = {}
    for name, value in tensors.items():
        if value.is_floating_point():
            value = value.float()  # noqa: PLW2901
            if not bool(torch.isfinite(value).all()):
                raise ModelError(
                    "a tensor is not finite", phrase("{name} holds NaN or infinity", name=name[:60])
                )
        whole[name] = value
    return whole


def convert(path: Path, target: Path, *, key: str = "") -> str:
    """Write the tensors of a ``.pth`` as safetensors, read by a guarded child; return their key.

    Parameters
    ----------
    path
        A file of `PICKLES`.
    target
        The safetensors file to write, complete or not at all.
    key
        Under which the state dict lies, where the file holds several.

    Raises
    ------
    ModelError
        If the file is refused, or holds several state dicts and no key was given.
    """
    name = show_name(path)
    if path.suffix.lower() not in PICKLES:
        raise ModelError(
            "this kind of weight file is never read",
            name,
            "Give .safetensors, or one of {known}.",
            known=", ".join(sorted(PICKLES)),
        )
    if os.name != "posix":
        raise ModelError(
            "a .pth is only read where its reader can be locked in",
            name,
            "Convert it to .safetensors on Linux or macOS.",
        )
    _check_size(path)
    target.parent.mkdir(parents=True, exist_ok=True)
    with atomic_path(target) as temporary:
        answer = _ask_child(path, temporary, key)
        if answer.get("ok") is not True:
            raise _refusal(answer, name)
        read_safetensors(temporary)  # what came out is checked as any other file is
    return str(answer.get("key", ""))


def _ask_child(path: Path, target: Path, key: str) -> dict[str, Any]:
    # descriptors are handed over by number: the child cannot open anything once it reads
    code = (
        "import os, sys; os.dup2(int(sys.argv[1]), 3); os.dup2(int(sys.argv[2]), 4); "
        "os.execv(sys.executable, [sys.executable, '-I', *sys.argv[3:]])"
    )
    with path.open("rb") as source, target.open("wb") as sink:
        descriptors = [os.dup(f.fileno()) for f in (source, sink)]
    high = []
    try:
        import fcntl

        high = [fcntl.fcntl(d, fcntl.F_DUPFD, 10) for d in descriptors]  # not 3 or 4 themselves
        run = subprocess.run(
            [sys.executable, "-I", "-c", code, *map(str, high), str(_UNPACK), key],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            pass_fds=high,
            timeout=_SECONDS,
            check=False,
            env={k: v for k, v in os.environ.items() if k in {"PATH", "LD_LIBRARY_PATH", "HOME"}},
        )
    except subprocess.TimeoutExpired:
        return {"fail": "read", "kind": "timeout"}
    finally:
        for descriptor in (*descriptors, *high):
            os.close(descriptor)
    try:
        answer = json.loads(run.stdout.splitlines()[-1])
    except (ValueError, IndexError):  # the system ended it: too much memory, or time
        return {"fail": "memory" if run.returncode < 0 else "read", "kind": str(run.returncode)}
    return answer if isinstance(answer, dict) else {"fail": "read"}


def _refusal(answer: Mapping[str, Any], shown: str) -> ModelError:
    if answer.get("fail") == "choose":
        names = [str(n)[:40] for n in answer.get("choices", [])][:8]
        if names:
            return ModelError(
                "the file holds several sets of weights",
                shown,
                "Name one with --key: {known}.",
                known=", ".join(names),
            )
        return ModelError("the file holds no weights by name", shown)
    cause = _REFUSALS.get(str(answer.get("fail")), _REFUSALS["read"])
    met = phrase("{name}: {why}", name=shown, why=str(answer.get("kind", ""))[:40])
    return ModelError(cause, met, "Ask its authors for .safetensors.")


def _check_size(path: Path) -> None:
    name = show_name(path)
    if not path.is_file():
        raise ModelError("a weight file is missing", name)
    size = path.stat().st_size
    if not size:
        raise ModelError("a weight file is empty", name)
    if size > BYTES_MAX:
        raise ModelError(
            "a weight file is too large", name, "At most {n} GiB are read.", n=BYTES_MAX >> 30
        )


def strip(tensors: Mapping[str, torch.Tensor], wanted: Iterable[str]) -> dict[str, torch.Tensor]:
    """Return tensors under the names that a network has, prefixes taken off by rule.

    A prefix is taken off only where every name begins with it and the network's names do not.
    """
    names = [n for n in wanted if not n.endswith(DROPPED)]
    kept = {k: v for k, v in tensors.items() if not k.endswith(DROPPED)}
    while kept:
        prefix = next((p for p in PREFIXES if all(k.startswith(p) for k in kept)), None)
        if prefix is None or all(n.startswith(prefix) for n in names):
            return kept
        kept = {k.removeprefix(prefix): v for k, v in kept.items()}
    return kept


def fill(net: nn.Module, tensors: Mapping[str, torch.Tensor]) -> None:
    """Put tensors into a network: the very names and shapes it has, no more and no fewer.

    Raises
    ------
    ModelError
        If names or shapes differ; it lists the first of them.
    """
    own = {k: v for k, v in net.state_dict().items() if not k.endswith(DROPPED)}
    stripped = strip(tensors, own)
    if odd := sorted(own.keys() ^ stripped.keys()):
        raise ModelError(
            "the weights do not belong to this network",
            joined(
                [
                    phrase("{n} names differ", n=len(odd)),
                    *(
                        phrase("unexpected {name}", name=k[:60])
                        if k in stripped
                        else phrase("expected {name}", name=k[:60])
                        for k in odd[:3]
                    ),
                ]
            ),
            "Check the name of the network, and how many classes it has.",
        )
    for name, value in own.items():
        if value.shape != stripped[name].shape:
            raise ModelError(
                "the weights do not belong to this network",
                phrase(
                    "{name} is {shape}, expected {wanted}",
                    name=name[:60],
                    shape=str(tuple(stripped[name].shape)),
                    wanted=str(tuple(value.shape)),
                ),
                "Check the name of the network, and how many classes it has.",
            )
    # what is left out on purpose holds no weights: `own` and `given` are the same names
    net.load_state_dict(dict(stripped), strict=False)
