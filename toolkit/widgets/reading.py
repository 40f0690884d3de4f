"""Sentences as a list, for notebooks that read an explanation: a Python list shows its quotes."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from html import escape

import ipywidgets


def listed(lines: Iterable[str] | Mapping[str, str]) -> ipywidgets.HTML:
    """Return sentences as a list; a mapping gives each its name in front.

    Examples
    --------
    >>> listed(["one", "two"]).value
    '<ul><li>one</li><li>two</li></ul>'
    """
    if isinstance(lines, Mapping):
        rows = [f"<b>{escape(name)}</b>: {escape(text)}" for name, text in lines.items()]
    else:
        rows = [escape(text) for text in lines]
    return ipywidgets.HTML("<ul>" + "".join(f"<li>{row}</li>" for row in rows) + "</ul>")
