"""What tests do with a panel: press, wait and look."""

from __future__ import annotations

import time

from toolkit.widgets.choices import LanguageSwitch


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
    part(panel, "views").value = view


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


def one(panel, kind):
    """Return the part of a panel that is of a class of widgets."""
    (only,) = (w for w in every(panel) if isinstance(w, kind))
    return only


def holder(panel, name):
    """Return what holds the part of a panel that has the CSS class ``dz-NAME``."""
    inner = part(panel, name)
    (outer,) = (w for w in every(panel) if inner in getattr(w, "children", ()))
    return outer


def said(panel, name):
    """Return all that a part of a panel says, its own parts' words included."""
    return " ".join(str(w.value) for w in every(part(panel, name)) if hasattr(w, "value"))


def classes(widget):
    """Return the CSS classes that a browser sees."""
    return set(widget._dom_classes)


def send(widget, message):
    """Give a widget a message as its script in the browser would."""
    widget._handle_custom_msg(message, [])


def press(panel, description):
    """Press the button of a panel that says so."""
    (button,) = (w for w in every(panel) if getattr(w, "description", None) == description)
    button.click()


def speak(panel, language):
    """Choose a language in a panel."""
    one(panel, LanguageSwitch).value = language


def clips(panel):
    """Return the gallery's clips: ``items`` as shown, and messages go to it."""
    (shelf,) = (w for w in every(part(panel, "gallery")) if hasattr(w, "items"))
    return shelf


def analyse_with(panel, examine):
    """Let a panel analyse in another way from now on, as another file would make it do."""
    panel._do_examine = examine
