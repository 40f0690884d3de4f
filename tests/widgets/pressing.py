"""What tests do with a panel: press, wait and look."""

from __future__ import annotations

import time


def until(panel, *states, timeout_s=20):
    """Wait until the panel's state is one of those."""
    deadline = time.monotonic() + timeout_s
    while panel.state not in states:
        assert time.monotonic() < deadline, panel.state
        time.sleep(0.01)


def run(panel):
    """Analyse what is chosen and wait for the end."""
    part(panel, "analyse").click()
    until(panel, "done", "error")
    return panel


def shown(widget):
    return widget.layout.display != "none"


def look_at(panel, view):
    panel._result.views.value = view


def every(widget):
    """Return a widget and all that lies within it."""
    yield widget
    for child in getattr(widget, "children", ()):
        yield from every(child)


def part(panel, name):
    """Return the part of a panel that has the CSS class ``dz-NAME``, as a reader would find it."""
    (found,) = (w for w in every(panel) if f"dz-{name}" in w._dom_classes)
    return found


def text(panel, name):
    """Return what a part of a panel says, as HTML."""
    return part(panel, name).value
