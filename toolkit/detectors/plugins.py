"""Detectors that come with other packages: entry points in the group ``doorzicht.detectors``.

A package says in its ``pyproject.toml``

    [project.entry-points."doorzicht.detectors"]
    mine = "my_package:load"

where `load` takes a device and returns a detector, or any object that `own.adapt` takes. Only its
name is read before it is asked for; whoever installs a package runs its code.
"""

from __future__ import annotations

from importlib.metadata import EntryPoint, entry_points

from toolkit.detectors.base import Detector
from toolkit.errors import DetectorError, ToolkitError
from toolkit.messages import phrase

GROUP = "doorzicht.detectors"


def find() -> dict[str, EntryPoint]:
    """Return the entry points by name; of two of one name, the first by package."""
    plugins: dict[str, EntryPoint] = {}
    for entry in sorted(entry_points(group=GROUP), key=lambda e: (e.name, e.value)):
        plugins.setdefault(entry.name, entry)
    return plugins


def load(name: str, *, device: str = "auto") -> Detector:
    """Return a plug-in's detector.

    Raises
    ------
    DetectorError
        If the package cannot be loaded, or gives no detector.
    """
    from toolkit.detectors.own import adapt

    entry = find()[name]
    try:
        factory = entry.load()
        thing = factory(device) if not hasattr(factory, "size") else factory
        return adapt(thing, device=device)
    except ToolkitError:
        raise
    except Exception as error:  # anything may come out of somebody else's package
        raise DetectorError(
            "a plug-in cannot be loaded",
            phrase(
                "{name} ({value}): {kind}: {why}",
                name=name,
                value=entry.value[:80],
                kind=type(error).__name__,
                why=str(error)[:160],
            ),
            "Ask whoever made the package, or uninstall it.",
        ) from error
