"""No panel of ours gives another meaning to a name that ipywidgets itself calls.

`Widget.__init__` calls `open` to tell the browser of the widget: a panel with an `open` of its own
is never shown, and does what its method does each time that one is made.
"""

from __future__ import annotations

import ast
import importlib
import inspect
import pkgutil
import textwrap

import ipywidgets
import pytest

from toolkit import widgets

ALLOWED = {
    ("ExplainPanel", "close"): "stops what runs, then closes as ipywidgets does",
    ("_Playing", "_repr_mimebundle_"): "adds a picture for where no widget can be shown",
}
BOOKKEEPING = {name for name in vars(ipywidgets.VBox) if name.startswith("_")}  # by traitlets

CLASSES = {
    (module.__name__, name): kind
    for info in pkgutil.walk_packages(widgets.__path__, f"{widgets.__name__}.")
    for module in [importlib.import_module(info.name)]
    for name, kind in vars(module).items()
    if inspect.isclass(kind)
    and issubclass(kind, ipywidgets.Widget)
    and kind.__module__ == module.__name__
}


def assigned(kind: type) -> set[str]:
    """Return the names that the methods of a class give to `self`."""
    tree = ast.parse(textwrap.dedent(inspect.getsource(kind)))
    return {
        node.attr
        for node in ast.walk(tree)
        if isinstance(node, ast.Attribute)
        and isinstance(node.ctx, ast.Store)
        and isinstance(node.value, ast.Name)
        and node.value.id == "self"
    }


def overridden(kind: type) -> set[str]:
    """Return the names of ipywidgets' own classes that a class gives another meaning."""
    theirs = {
        name
        for base in kind.__mro__
        if not base.__module__.startswith("toolkit.")
        for name in vars(base)
        if not (name.startswith("__") and name.endswith("__")) or name == "__del__"
    }
    traits = set(kind.class_trait_names())  # to set a trait is what it is for
    mine = set(vars(kind)) - {n for n in vars(kind) if n in BOOKKEEPING}
    return (mine & theirs) | ((assigned(kind) & theirs) - traits)


@pytest.mark.parametrize(("module", "name"), CLASSES, ids=lambda v: v.rpartition(".")[2])
def test_no_name_of_ipywidgets_is_overridden(module, name):
    odd = {n for n in overridden(CLASSES[module, name]) if (name, n) not in ALLOWED}
    assert odd == set()


def test_what_is_allowed_is_there():
    there = {(kind.__name__, name) for kind in CLASSES.values() for name in overridden(kind)}
    assert set(ALLOWED) <= there


def test_the_check_bites():
    class Method(ipywidgets.VBox):
        def open(self):
            """Hide the panel."""

    class Attribute(ipywidgets.VBox):
        def __init__(self):
            self.send = None
            super().__init__()

    assert overridden(Method) == {"open"}
    assert overridden(Attribute) == {"send"}
