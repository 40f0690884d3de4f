"""The house stays readable: nothing outgrows its limit, and each noun names one class."""

from __future__ import annotations

import ast
from collections import defaultdict
from pathlib import Path

import pytest

from tests.sources import modules

PACKAGE = Path(__file__).resolve().parents[1] / "toolkit"

MODULE_MAX, WIDGET_MAX, FUNCTION_MAX = 900, 300, 80
"""Lines: of a module, of a class in `widgets`, and of a function without its docstring."""

ALLOWED = {
    "media/decoder.py": "runs isolated in a child process, which may import nothing of ours",
    "lessons/quiz_page.py: strings": "a table of the page's words, in two languages",
}
"""What may be longer, and why."""


def name_of(path: Path) -> str:
    return path.relative_to(PACKAGE).as_posix()


def lines_of(node: ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    return (node.end_lineno or 0) - node.lineno + 1


def lines_without_docstring(node: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    first = node.body[0]
    has = isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant)
    has = has and isinstance(first.value.value, str)
    return lines_of(node) - (((first.end_lineno or 0) - first.lineno + 1) if has else 0)


def too_long(source: str, name: str) -> list[str]:
    """Return what in a module is longer than it may be, each with its lines."""
    found, lines = [], len(source.splitlines())
    if lines > MODULE_MAX:
        found.append((name, lines))
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.ClassDef) and name.startswith("widgets/"):
            if lines_of(node) > WIDGET_MAX:
                found.append((f"{name}: {node.name}", lines_of(node)))
        elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            count = lines_without_docstring(node)
            if count > FUNCTION_MAX:
                found.append((f"{name}: {node.name}", count))
    return [f"{what} has {count} lines" for what, count in found if what not in ALLOWED]


@pytest.mark.parametrize("path", modules(PACKAGE), ids=name_of)
def test_nothing_outgrows_its_limit(path):
    assert too_long(path.read_text(encoding="utf-8"), name_of(path)) == []


def test_what_is_allowed_to_be_longer_is_longer():
    """An exception that is not needed any more goes."""
    for what in ALLOWED:
        name, _, function = what.partition(": ")
        source = (PACKAGE / name).read_text(encoding="utf-8")
        if not function:
            assert len(source.splitlines()) > MODULE_MAX, what
            continue
        nodes = [n for n in ast.walk(ast.parse(source)) if isinstance(n, ast.FunctionDef)]
        assert any(
            n.name == function and lines_without_docstring(n) > FUNCTION_MAX for n in nodes
        ), what


def test_a_noun_names_one_class():
    where = defaultdict(list)
    for path in modules(PACKAGE):
        for node in ast.parse(path.read_text(encoding="utf-8")).body:
            if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
                where[node.name].append(name_of(path))
    assert {noun: paths for noun, paths in where.items() if len(paths) > 1} == {}


@pytest.mark.parametrize(
    ("source", "name", "count"),
    [
        ("x = 1\n" * 901, "media/a.py", 1),
        ("class A:\n" + "    x = 1\n" * 300, "widgets/a.py", 1),
        ("class A:\n" + "    x = 1\n" * 300, "explain/a.py", 0),
        ("def f():\n" + "    x = 1\n" * 80, "explain/a.py", 1),
        ('def f():\n    """' + "a\n" * 60 + '    """\n' + "    x = 1\n" * 79, "a.py", 0),
    ],
)
def test_the_check_bites(source, name, count):
    assert len(too_long(source, name)) == count
