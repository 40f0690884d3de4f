"""The project's own files, as they are committed: neither copies nor what a user's work left.

JupyterLab keeps a copy of each file that it saves in ``.ipynb_checkpoints``, and saves a notebook
with its output. Neither may make a test fail.
"""

from __future__ import annotations

import json
import re
import subprocess
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
NOTEBOOKS = ROOT / "notebooks"

_NUMBERED = re.compile(r"\d\d_[a-z_]+\.ipynb")  # not 'Untitled.ipynb', nor '04_…-Copy1.ipynb'


def notebooks(folder: Path = NOTEBOOKS) -> list[Path]:
    """Return the notebooks for users, in order of their number."""
    return sorted(p for p in folder.glob("*.ipynb") if _NUMBERED.fullmatch(p.name))


def every_notebook(folder: Path = NOTEBOOKS) -> list[Path]:
    """Return all notebooks of the project, also the app's and those for developers."""
    parts = [*folder.glob("app/*.ipynb"), *folder.glob("dev/*.ipynb")]
    return [*notebooks(folder), *sorted(p for p in parts if re.fullmatch(r"[a-z_]+", p.stem))]


def modules(folder: Path) -> list[Path]:
    """Return the modules within a folder, without copies that an editor keeps."""
    return sorted(
        path
        for path in folder.rglob("*.py")
        if not any(part.startswith(".") for part in path.relative_to(folder).parts)
    )


def read_committed(path: Path) -> dict[str, Any]:
    """Return a notebook as it would be committed; outside a repository, as it lies there.

    A notebook that was used and saved holds its output; what counts is whether that was staged.
    """
    command = ["git", "-C", str(path.parent), "show", f":./{path.name}"]
    try:
        staged = subprocess.run(command, capture_output=True, check=False)
    except OSError:  # no git here
        staged = None
    if staged is None or staged.returncode:
        return json.loads(path.read_text(encoding="utf-8"))
    return json.loads(staged.stdout)
