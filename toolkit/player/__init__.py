"""The player: video, overlay and charts in one hand-written ES module, and what it is given.

The same module is shown by `widgets.player` and embedded by `report.playable`. Its parts are real
ES modules that import each other, for editors and checks; `source` joins them without these lines,
so there is no build step.
"""

import re
from pathlib import Path

from toolkit.player.scene import Scene

__all__ = ["PARTS", "STAND_IN", "Scene", "source", "style"]

PARTS = (
    "numbers",
    "dom",
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


_IMPORT = re.compile(r"^import \{[^}]*\} from '\./\w+\.js';\n", re.MULTILINE)
_EXPORT = re.compile(r"^export (?!default\b)", re.MULTILINE)


def source() -> str:
    """Return the ES module: its default export has ``render({model, el, signal})``."""
    whole = "\n".join((_HERE / f"{part}.js").read_text(encoding="utf-8") for part in PARTS)
    return _EXPORT.sub("", _IMPORT.sub("", whole))


def style() -> str:
    """Return the style sheet; every rule is under ``.dz-player``."""
    return (_HERE / "player.css").read_text(encoding="utf-8")
