"""The house keeps its floors: who may import whom, read from the source."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

from tests.sources import modules

PACKAGE = Path(__file__).resolve().parents[1] / "toolkit"

FLOORS = (
    ("messages", "errors", "types", "_i18n", "runtime", "files"),
    ("media", "models"),
    ("faces", "storage"),
    ("detectors", "forge"),
    ("verdict",),
    ("explain",),
    ("analysis", "jobs"),
    ("samples",),  # clips for who has none
    ("training", "evaluation", "figures"),
    ("player",),  # says what `figures` says
    ("lessons",),
    ("report",),
    ("casework",),
    ("batch",),
    ("classroom",),
    ("widgets",),
    ("api",),  # what guests use
    ("hardening",),  # tries all of it
    ("cli",),
    ("__main__",),
)
"""Ground floor first. A room uses only rooms on lower floors, or its own."""

FLOOR = {room: number for number, rooms in enumerate(FLOORS) for room in rooms}
NOTEBOOK_ONLY = {"ipywidgets", "anywidget", "IPython", "traitlets"}
MODULES = [p.relative_to(PACKAGE).as_posix() for p in modules(PACKAGE)]


def room_of(module: str) -> str:
    return module.split("/", maxsplit=1)[0].removesuffix(".py")


def imported(source: str, module: str) -> set[str]:
    """Return the dotted names that a module imports, relative ones resolved."""
    inside = ["toolkit", *module.split("/")[:-1]]
    found = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            start = inside[: len(inside) - node.level + 1] if node.level else []
            base = ".".join([*start, *([node.module] if node.module else [])])
            # `from toolkit import models` names a room; `from toolkit.models import fetch` does not
            found |= (
                {f"{base}.{alias.name}" for alias in node.names} if base == "toolkit" else {base}
            )
    return found


def offences(source: str, module: str) -> list[str]:
    """Return what a module may not import."""
    room, wrong = room_of(module), []
    for name in imported(source, module):
        top, _, rest = name.partition(".")
        if top in NOTEBOOK_ONLY and room != "widgets":
            wrong.append(f"{module} imports {name}: only widgets may")
        target = rest.split(".")[0]
        if top != "toolkit" or target not in FLOOR:
            continue
        if module == "media/decoder.py":
            wrong.append(f"{module} imports {name}: it runs isolated")
        elif room == "__init__":
            wrong.append(f"{module} imports {name}: public names are loaded lazily")
        elif target != room and (
            FLOOR[target] >= FLOOR[room] and not FLOOR[target] == FLOOR[room] == 0
        ):
            wrong.append(f"{module} (floor {FLOOR[room]}) imports {name} (floor {FLOOR[target]})")
    return wrong


@pytest.mark.parametrize("module", MODULES)
def test_a_room_uses_only_lower_floors(module):
    assert room_of(module) in {*FLOOR, "__init__"}, "a new room needs a floor"
    assert offences((PACKAGE / module).read_text(encoding="utf-8"), module) == []


@pytest.mark.parametrize(
    ("source", "module", "wrong"),
    [
        ("from toolkit import errors, models", "faces/mesh.py", 0),
        ("from toolkit.types import Video", "errors.py", 0),
        ("from . import crops\nfrom .mesh import read", "faces/tracks.py", 0),
        ("from toolkit import explain", "faces/mesh.py", 1),
        ("def f():\n    import toolkit.widgets.workbench.panel", "analysis/pipeline.py", 1),
        ("from toolkit.forge.plant import plant", "detectors/seamnet.py", 1),
        ("from ..explain import ledger", "verdict/aggregate.py", 1),
        ("from . import report", "figures.py", 1),
        ("import ipywidgets\nfrom IPython.display import display", "jobs.py", 2),
        ("import anywidget", "widgets/player.py", 0),
        ("from toolkit.errors import VideoError", "media/decoder.py", 1),
        ("from toolkit.types import Video", "__init__.py", 1),
    ],
)
def test_the_check_sees_what_it_should(source, module, wrong):
    assert len(offences(source, module)) == wrong


def test_the_list_of_detectors_is_read_without_loading_any():
    heavy = ["torch", "timm", "transformers", "onnxruntime", "huggingface_hub"]
    code = (
        "import sys; from toolkit.detectors import registry; registry.names(); "
        f"registry.available(); print([m for m in {heavy} if m in sys.modules])"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "[]"


def test_importing_the_package_and_its_set_up_modules_is_cheap():
    heavy = [
        "torch",
        "torchvision",
        "timm",
        "transformers",
        "onnxruntime",
        "huggingface_hub",
        "cv2",
        "captum",
        "plotly",
        "ipywidgets",
        "anywidget",
    ]
    code = f"import sys, toolkit, toolkit.models; print([m for m in {heavy} if m in sys.modules])"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "[]"
