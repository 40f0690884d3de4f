"""What the style sheets hold on to."""

from __future__ import annotations

from typing import Any


def classed(widget: Any, name: str) -> Any:
    """Return a widget after giving it a CSS class."""
    widget.add_class(name)
    return widget
