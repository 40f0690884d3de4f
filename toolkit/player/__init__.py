"""The player: video, overlay and charts in one hand-written ES module, and what it is given.

The same module is shown by `widgets.player` and embedded by `report.playable`. Its parts are plain
files without imports of each other; `source` joins them, so there is no build step.
"""

from pathlib import Path

from toolkit.player.scene import Scene

__all__ = ["PARTS", "STAND_IN", "Scene", "source", "style"]

PARTS = (
    "numbers",
    "clock",
    "colour",
    "scene",
    "charts",
    "tables",
    "stage",
    "panel",
    "listen",
    "player",
)
"""The parts of the module, in the order in which they are joined."""

_HERE = Path(__file__).parent


STAND_IN = """
function standIn(values) {
  const listeners = {};
  return {
    get: (key) => values[key],
    set: (key, value) => {
      if (values[key] === value) return;
      values[key] = value;
      for (const listener of listeners[`change:${key}`] ?? []) listener();
    },
    on: (event, listener) => (listeners[event] ??= []).push(listener),
    off() {}, save_changes() {}, send() {},
  };
}
"""
"""What takes the place of the widget's model in a page without a kernel."""


def source() -> str:
    """Return the ES module: its default export has ``render({model, el, signal})``."""
    return "\n".join((_HERE / f"{part}.js").read_text(encoding="utf-8") for part in PARTS)


def style() -> str:
    """Return the style sheet; every rule is under ``.dz-player``."""
    return (_HERE / "player.css").read_text(encoding="utf-8")
