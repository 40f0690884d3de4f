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
    panel._analyse.click()
    until(panel, "done", "error")
    return panel


def shown(widget):
    return widget.layout.display != "none"


def look_at(panel, view):
    panel._result.views.value = view
