"""Why: shares of frames and regions that add up to the verdict, and how far to trust them.

``toolkit.explain(analysis, "A")`` questions a verdict; see `toolkit.api.verbs.explain`. The same
name is that of this room of the toolkit, whose modules hold the methods.
"""

from __future__ import annotations

import sys
from importlib import import_module
from types import ModuleType
from typing import Any


class _Room(ModuleType):
    """A module that can be called: importing it puts it where the verb stood."""

    def __call__(self, *args: Any, **options: Any) -> Any:
        """Question the verdict of an analysis."""
        # by name: the verbs live on a higher floor
        return import_module("toolkit.api.verbs").explain(*args, **options)


sys.modules[__name__].__class__ = _Room
