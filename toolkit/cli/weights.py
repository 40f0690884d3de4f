"""``python -m toolkit weights``: published weights that the user has, checked and put in place."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path
from typing import Any

Command = Callable[[str, Any, str], argparse.ArgumentParser]


def add_commands(command: Command) -> None:
    """Add the command to the parser; `command` takes its name, what runs it, and its help."""
    sub = command(
        "weights", _weights, "verify published MesoNet (.h5) or LRNet (.pth) files, convert once"
    )
    sub.add_argument("files", type=Path, nargs="+", metavar="FILE")


def _weights(options: argparse.Namespace) -> int:
    from toolkit.detectors import registry

    for path in options.files:
        name, where = registry.add_weights(path)
        print(f"  {name}: verified, written to {where}")
    return 0
