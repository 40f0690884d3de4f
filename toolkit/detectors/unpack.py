"""Child process that reads a ``.pth`` and writes its tensors as safetensors; run with ``-I``.

    python -I unpack.py KEY

Such a file is a pickle: it is read with ``weights_only=True`` and never otherwise, and whatever it
does to the reader stays in here. The parent (`weights.py`) hands over two open descriptors, 3 to
read and 4 to write; before the file is read, memory, CPU time and the size of what is written are
limited, and no further file, socket or process can be opened. One line of JSON on standard output
says what came of it, in fixed words; the parent checks the result again.
"""

from __future__ import annotations

import importlib.util
import io
import json
import os
import sys
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save

try:
    import resource
except ImportError:  # Windows has none
    resource = None  # type: ignore[assignment]

CPU_S = 300
SPARE_BYTES = 1 << 30
TENSORS_MAX = 20_000
TIMES = 4  # the file, its tensors, the file to write, and what is copied between them


def main() -> int:
    """Read, choose, write; return 0, also after a refusal that was reported."""
    wanted = sys.argv[1] if len(sys.argv) > 1 else ""
    source, target = os.fdopen(3, "rb"), os.fdopen(4, "wb")
    size = os.fstat(3).st_size
    _warm_up()
    guards = _guard(size)
    try:
        with torch.inference_mode(mode=False):
            content = torch.load(source, map_location="cpu", weights_only=True)
        name, tensors, choices = choose(content, wanted)
        if tensors is None:
            return _tell(fail="choose", choices=choices)
        if len(tensors) > TENSORS_MAX:
            return _tell(fail="too_many")
        plain = {k: _plain(v) for k, v in tensors.items()}
        target.write(save(plain))
        target.flush()
        return _tell(ok=True, key=name, guards=guards, tensors=len(plain))
    except MemoryError:
        return _tell(fail="memory")
    except Exception as error:  # noqa: BLE001 - any class may come out of a hostile file
        word = "unsafe" if "weights_only" in str(error) or "Weights only" in str(error) else "read"
        return _tell(fail=word, kind=type(error).__name__)


def choose(content: Any, wanted: str) -> tuple[str, dict[str, torch.Tensor] | None, list[str]]:
    """Return the state dict in what a file held: its key, its tensors, or what to choose from.

    Training frameworks put it under a key of their own; where several hold tensors, one is named.
    """
    states = {"": content} if _is_state(content) else {}
    if isinstance(content, dict):
        states |= {str(k): v for k, v in content.items() if _is_state(v)}
    if wanted:
        state = states.get(wanted)
        return wanted, None if state is None else _tensors(state), sorted(states)
    if "" in states:
        return "", _tensors(content), []
    if len(states) == 1:
        name, state = states.popitem()
        return name, _tensors(state), []
    return "", None, sorted(states)


def _is_state(value: Any) -> bool:
    return (
        isinstance(value, dict)
        and bool(value)
        and all(isinstance(k, str) and isinstance(v, torch.Tensor) for k, v in value.items())
    )


def _tensors(state: Any) -> dict[str, torch.Tensor]:
    return {str(k): v for k, v in state.items() if isinstance(v, torch.Tensor)}


def _plain(value: torch.Tensor) -> torch.Tensor:
    return value.detach().clone().contiguous()  # shared memory is not a thing of the format


def _tell(**facts: Any) -> int:
    print(json.dumps(facts), flush=True)
    return 0


def _warm_up() -> None:
    """Have everything imported that reading needs: later nothing can be opened any more."""
    buffer = io.BytesIO()
    torch.save({"a": torch.zeros(2)}, buffer)
    for old in (False, True):
        buffer = io.BytesIO()
        torch.save({"a": torch.zeros(2)}, buffer, _use_new_zipfile_serialization=not old)
        buffer.seek(0)
        torch.load(buffer, map_location="cpu", weights_only=True)
    save({"a": torch.zeros(2)})


def _guard(size: int) -> list[str]:
    guards = []
    if resource is not None:
        used = 0
        status = Path("/proc/self/statm")
        if status.exists():
            used = int(status.read_text().split()[0]) * resource.getpagesize()
        for name, most in (
            ("AS", used + TIMES * size + SPARE_BYTES if used else None),
            ("CPU", CPU_S),
            ("FSIZE", 2 * size + (1 << 20)),
            ("CORE", 0),
            ("NOFILE", 0),
        ):
            limit = getattr(resource, f"RLIMIT_{name}", None)
            if limit is not None and most is not None:
                try:
                    resource.setrlimit(limit, (most, most))
                except (ValueError, OSError):  # macOS refuses some of these
                    continue
        guards.append("limits")
    if FORBID is not None and FORBID():
        guards.append("seccomp")
    return guards


def _forbid() -> Any:
    """Return what the decoder of media uses to have the kernel refuse calls; None without it."""
    path = Path(__file__).parents[1] / "media" / "decoder.py"
    spec = importlib.util.spec_from_file_location("decoder", path)
    if spec is None or spec.loader is None:
        return None
    module = importlib.util.module_from_spec(spec)
    try:
        spec.loader.exec_module(module)
    except ImportError:
        return None
    return module._forbid_calls  # noqa: SLF001 - it runs isolated, and so shows no names of its own


FORBID = _forbid() if __name__ == "__main__" else None

if __name__ == "__main__":
    raise SystemExit(main())
