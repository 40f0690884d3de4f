"""Fetch a model from the Hugging Face hub: on an explicit request only, pinned to a commit.

First `look` says what would be fetched: licence, size, revision. Then `fetch` does it, verifies
what arrives against the hub's own hashes, and from then on the model works offline.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from toolkit.detectors import weights
from toolkit.errors import DetectorError, FetchError, UsageError
from toolkit.messages import phrase
from toolkit.types import Tick, no_tick

ENDPOINT = "https://huggingface.co"
WANTED = ("config.json", "preprocessor_config.json")
BYTES_MAX = weights.BYTES_MAX

_REPO = re.compile(r"[A-Za-z0-9][\w.-]{0,95}/[A-Za-z0-9][\w.-]{0,95}")
_COMMIT = re.compile(r"[0-9a-f]{40}")


@dataclass(frozen=True)
class Offered:
    """What would be fetched.

    Attributes
    ----------
    repo, revision
        Its name, and the commit.
    licence
        As its page states it; empty = not stated.
    files
        Name, bytes and SHA-256 (empty where the hub states none) of each file.
    """

    repo: str
    revision: str
    licence: str
    files: tuple[tuple[str, int, str], ...]

    @property
    def bytes(self) -> int:
        """How much is fetched."""
        return sum(size for _name, size, _sha in self.files)


def check_repo(repo: str) -> str:
    """Return the name of a repository, or refuse it.

    Raises
    ------
    UsageError
        If it is not of the form OWNER/NAME.
    """
    if not _REPO.fullmatch(repo) or ".." in repo:
        raise UsageError("this is no name on the hub", repo[:80], "Give it as OWNER/NAME.")
    return repo


def look(repo: str, *, revision: str = "main", endpoint: str = ENDPOINT) -> Offered:
    """Ask the hub what a model consists of; nothing is fetched.

    Raises
    ------
    DetectorError
        If the package that talks to the hub is missing.
    FetchError
        If the hub cannot be reached, or has no such model, or none that can be read.
    """
    check_repo(repo)
    if find_spec("huggingface_hub") is None:
        raise DetectorError(
            "this detector needs a package that is not installed",
            "huggingface_hub",
            "Run: python start.py --with hub, or pip install -e .[hub]",
        )
    from huggingface_hub import HfApi

    try:
        info: Any = HfApi(endpoint=endpoint, token=False).model_info(
            repo, revision=revision, files_metadata=True, timeout=20
        )
    except Exception as error:  # its errors, and those of the network below it
        raise _unreachable(repo, error) from error
    commit = str(info.sha or "")
    if not _COMMIT.fullmatch(commit):
        raise FetchError("the hub names no revision", repo, "Try again later.")
    every = {str(s.rfilename): s for s in info.siblings or ()}
    chosen = _choose(list(every))
    files = tuple((name, int(every[name].size or 0), _sha256(every[name])) for name in chosen)
    card = getattr(info, "card_data", None)
    licence = str((card.get("license") if card else None) or "")
    offered = Offered(repo, commit, licence, files)
    if offered.bytes > BYTES_MAX:
        raise FetchError(
            "the model is too large",
            f"{offered.bytes / 1e9:.1f} GB",
            "At most {n} GiB are read.",
            n=BYTES_MAX >> 30,
        )
    return offered


def _choose(names: list[str]) -> list[str]:
    """Return the files that are needed: configurations, and the weights in one piece."""
    top = [n for n in names if "/" not in n]
    safe = [n for n in top if n.endswith(".safetensors")]
    weights_ = "model.safetensors" if "model.safetensors" in safe else None
    if weights_ is None and len(safe) == 1:
        weights_ = safe[0]
    if weights_ is None and "pytorch_model.bin" in top:
        weights_ = "pytorch_model.bin"
    if weights_ is None or "config.json" not in top:
        raise FetchError(
            "the model has no weights in one piece that can be read",
            ", ".join(top[:5])[:120],
            "Fetch it yourself and give the folder.",
        )
    return [*(n for n in WANTED if n in top), weights_]


def _sha256(sibling: Any) -> str:
    lfs = getattr(sibling, "lfs", None)
    value = lfs.get("sha256") if isinstance(lfs, dict) else getattr(lfs, "sha256", None)
    return str(value or "")


def fetch(
    offered: Offered, folder: Path, *, endpoint: str = ENDPOINT, tick: Tick = no_tick
) -> Path:
    """Fetch what was offered into a folder; return it.

    Parameters
    ----------
    offered
        From `look`: the user has seen it.
    folder
        Must exist.
    tick
        Stage ``"fetch"``, in bytes.

    Raises
    ------
    FetchError
        If a file cannot be fetched, or is not the one that was offered.
    Cancelled
        Between two files.
    """
    from huggingface_hub import hf_hub_download

    done = 0
    for name, size, sha256 in offered.files:
        tick("fetch", done, offered.bytes)
        try:
            where = Path(
                hf_hub_download(
                    offered.repo,
                    name,
                    revision=offered.revision,
                    local_dir=folder,
                    endpoint=endpoint,
                    token=False,
                )
            )
        except Exception as error:
            raise _unreachable(offered.repo, error) from error
        if where.stat().st_size != size or (sha256 and weights.sha256_of(where) != sha256):
            where.unlink()
            raise FetchError("what arrived is not what was offered", name[:80], "Try again later.")
        done += size
    tick("fetch", offered.bytes, offered.bytes)
    return folder


def _unreachable(repo: str, error: Exception) -> FetchError:
    return FetchError(
        "the model could not be fetched from the hub",
        phrase("{name}: {why}", name=repo, why=f"{type(error).__name__}: {error}"[:160]),
        "Check name and network; or fetch it elsewhere and give the folder.",
    )


Confirm = Callable[[Offered], bool]
"""Shows what would be fetched, and returns whether to go on."""
