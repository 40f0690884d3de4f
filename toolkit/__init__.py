"""Doorzicht: see why a detector calls a video a deepfake.

In five lines::

    import toolkit
    analysis = toolkit.analyse("clip.mp4")
    analysis["A"].regions
    toolkit.explain(analysis, "A").replace("mouth", at_seconds=4.2)
    analysis.save("out/")

What there is:

- `analyse`: judge everybody in a video; the result shows itself as a card.
- `open_analysis`: open what was saved.
- `explain`: question a verdict: replace regions, hear both witnesses, test the explanation.
- `compare`: hold a person against material that is known to be genuine.
- `batch`: judge many videos, on one computer or a cluster; `batch.open` opens the results.
- `robustness`: does the verdict hold after cropping and coding again?
- `Analysis`: what `analyse` returns: persons by letter, figures, sentences, `save`.
- `Settings`: detector, device, sampling, seed, explanation.
- `Sampling`: which moments of a video are read.
- `Workbench`: the panel of the notebooks, empty or with an analysis.
- `Casework`: the panel for cases that must stand up to others.
- `samples`: clips to start with.
- `REGIONS`: the names of the ten facial regions.
- `set_language`: ``"en"`` or ``"nl"``, for all that is shown from then on.
- `ToolkitError`: what everything raises on purpose: cause, value, remedy.

The rooms behind them: `media` and `faces` read, `detectors` judge, `verdict` and `explain` add up,
`report` and `widgets` show. Names are loaded on first use, so importing the package loads no torch,
OpenCV, captum, plotly or ipywidgets.
"""

from __future__ import annotations

import importlib
from typing import Any

__version__ = "0.1.0"

_PUBLIC = {
    "analyse": ("toolkit.api.verbs", "analyse"),
    "open_analysis": ("toolkit.api.verbs", "open_analysis"),
    "explain": ("toolkit.explain", ""),
    "compare": ("toolkit.api.verbs", "compare"),
    "robustness": ("toolkit.api.verbs", "robustness"),
    "batch": ("toolkit.batch", ""),
    "Analysis": ("toolkit.api.result", "Analysis"),
    "Settings": ("toolkit.types", "Settings"),
    "Sampling": ("toolkit.types", "Sampling"),
    "Workbench": ("toolkit.widgets.workbench.panel", "Workbench"),
    "Casework": ("toolkit.widgets.casework", "Casework"),
    "samples": ("toolkit.samples", ""),
    "REGIONS": ("toolkit.types", "REGIONS"),
    "set_language": ("toolkit._i18n", "set_language"),
    "ToolkitError": ("toolkit.errors", "ToolkitError"),
}
"""Name, module, and name within it; empty = the module itself."""

__all__ = ["__version__", *_PUBLIC]  # noqa: PLE0604 - the names are strings


def __getattr__(name: str) -> Any:
    """Load a public name on first use."""
    if name not in _PUBLIC:
        msg = f"module 'toolkit' has no attribute {name!r}"
        raise AttributeError(msg)
    module, inner = _PUBLIC[name]
    loaded = importlib.import_module(module)
    return getattr(loaded, inner) if inner else loaded


def __dir__() -> list[str]:
    return sorted([*globals(), *_PUBLIC])
