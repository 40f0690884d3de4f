"""Doorzicht: see why a detector calls a video a deepfake.

Public names are loaded on first use, so importing the package loads no torch, OpenCV, captum,
plotly or ipywidgets.
"""

from __future__ import annotations

import importlib
from typing import Any

__version__ = "0.1.0"

_PUBLIC = {
    "analyse": "toolkit.analysis",
    "Report": "toolkit.types",
    "Video": "toolkit.types",
    "PLAYERS": "toolkit.types",
    "Job": "toolkit.jobs",
    "Workbench": "toolkit.widgets.workbench",
    "samples": "toolkit.samples",
    "set_language": "toolkit._i18n",
}

__all__ = ["__version__", *_PUBLIC]  # noqa: PLE0604 - the names are strings


def __getattr__(name: str) -> Any:
    """Load a public name on first use."""
    if name not in _PUBLIC:
        msg = f"module 'toolkit' has no attribute {name!r}"
        raise AttributeError(msg)
    module = importlib.import_module(_PUBLIC[name])
    return module if name == "samples" else getattr(module, name)


def __dir__() -> list[str]:
    return sorted([*globals(), *_PUBLIC])
