"""Every text that the package says to people, read from its source; and the catalogue's files.

``python -m tests.catalogue`` brings ``toolkit/locale`` up to date: the template of the catalogue,
the Dutch (a text that is new comes without any, one that is gone goes), and its compiled form.
"""

from __future__ import annotations

import ast
import sys
import tomllib
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from string import Formatter

from babel.messages.catalog import Catalog
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po, write_po

from tests.sources import modules

ROOT = Path(__file__).resolve().parents[1]
PACKAGE = ROOT / "toolkit"
LOCALE = PACKAGE / "locale"
POT = LOCALE / "toolkit.pot"
PO = LOCALE / "nl" / "LC_MESSAGES" / "toolkit.po"
WIDTH = 76

MARKS = {"_", "N_", "ngettext"}
WHERE = {"Message": 1, "Notice": 1, "TrustFigure": 3, "phrase": 0}
"""Which argument of a call is the template."""


@dataclass
class Said:
    """One call that says something.

    Attributes
    ----------
    where
        File and line.
    name
        What is called.
    templates
        The English that it may say, as far as it stands in the source.
    values
        Names of the values that are given, or None where they are not written out.
    odd
        Arguments that no catalogue can know: f-strings, sums, texts that were translated already.
    value
        The value of an error: data, or a message.
    """

    where: str
    name: str
    templates: list[str] = field(default_factory=list)
    values: set[str] | None = None
    odd: list[str] = field(default_factory=list)
    value: ast.expr | None = None


@cache
def sources() -> tuple[tuple[str, ast.Module], ...]:
    """Return the modules of the package."""
    return tuple(
        (path.relative_to(ROOT).as_posix(), ast.parse(path.read_text(encoding="utf-8")))
        for path in modules(PACKAGE)
    )


@cache
def nodes(tree: ast.Module) -> tuple[ast.AST, ...]:
    """Return all nodes of a module."""
    return tuple(ast.walk(tree))


def error_classes() -> set[str]:
    """Return the names of all errors that are raised on purpose."""
    classes = {
        node.name: {ast.unparse(base) for base in node.bases}
        for _path, tree in sources()
        for node in nodes(tree)
        if isinstance(node, ast.ClassDef)
    }
    errors = {"ToolkitError"}
    while more := {n for n, bases in classes.items() if bases & errors} - errors:
        errors |= more
    return errors


def _called(node: ast.Call) -> str:
    return node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")


def _text(node: ast.expr, given: dict[str, list[ast.expr]], said: Said) -> None:
    """Follow an argument to the texts that it can be."""
    if isinstance(node, ast.Constant):
        if isinstance(node.value, str):
            said.templates.append(node.value)
    elif isinstance(node, ast.IfExp):
        _text(node.body, given, said)
        _text(node.orelse, given, said)
    elif isinstance(node, ast.BoolOp):
        for part in node.values:
            _text(part, given, said)
    elif isinstance(node, ast.Name):
        for value in given.pop(node.id, []):
            _text(value, given, said)
    elif isinstance(node, ast.Call):
        if _called(node) == "N_":
            _text(node.args[0], given, said)
        elif _called(node) in {"_", "ngettext", "format"}:
            said.odd.append(ast.unparse(node))
    elif isinstance(node, ast.JoinedStr | ast.BinOp):
        said.odd.append(ast.unparse(node))


@cache
def _assigned(tree: ast.AST) -> dict[str, list[ast.expr]]:
    """Return what each name is set to within a module or function."""
    given: dict[str, list[ast.expr]] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Assign):
            for target in node.targets:
                if isinstance(target, ast.Name):
                    given.setdefault(target.id, []).append(node.value)
        elif isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name) and node.value:
            given.setdefault(node.target.id, []).append(node.value)
    return given


def _names(node: ast.expr | None) -> set[str] | None:
    if node is None:
        return set()
    if isinstance(node, ast.Dict) and all(isinstance(k, ast.Constant) for k in node.keys):
        return {str(k.value) for k in node.keys if isinstance(k, ast.Constant)}
    return None


def _one(node: ast.Call, name: str, where: str, given: dict[str, list[ast.expr]]) -> Said:
    said = Said(f"{where}:{node.lineno}", name)
    args, keywords = node.args, {k.arg: k.value for k in node.keywords}
    if name in WHERE:
        if len(args) > WHERE[name]:
            _text(args[WHERE[name]], dict(given), said)
        if name == "phrase":
            said.values = set(keywords) if None not in keywords else None
        else:
            place = {"Message": 2, "Notice": 3, "TrustFigure": 4}[name]
            said.values = _names(args[place] if len(args) > place else keywords.get("values"))
        return said
    for argument in (*args[:1], *args[2:3]):
        _text(argument, dict(given), said)
    said.values = set(keywords) - {"known"} if None not in keywords else None
    said.value = args[1] if len(args) > 1 else None
    return said


@cache
def calls() -> tuple[Said, ...]:
    """Return every message, phrase, notice, trust figure and error of the package."""
    errors, found = error_classes() - {"Cancelled"}, []
    for path, tree in sources():
        if path.endswith("toolkit/messages.py"):
            continue
        outer = {
            n.targets[0].id: [n.value]
            for n in tree.body
            if isinstance(n, ast.Assign) and isinstance(n.targets[0], ast.Name)
        }
        functions = [n for n in nodes(tree) if isinstance(n, ast.FunctionDef)]
        inside: dict[int, ast.AST] = {}
        for function in functions:  # inner functions come later, and win
            inside |= {id(n): function for n in ast.walk(function)}
        for node in nodes(tree):
            if isinstance(node, ast.Call) and (name := _called(node)) in {*WHERE, *errors}:
                around = inside.get(id(node))
                given = outer | (_assigned(around) if around else {})
                found.append(_one(node, name, path, given))
    return tuple(found)


def marked() -> dict[str, str]:
    """Return the texts that are translated or marked on the spot, with their plurals."""
    found = {}
    for _path, tree in sources():
        for node in nodes(tree):
            if isinstance(node, ast.Call) and _called(node) in MARKS:
                first, *rest = node.args
                if isinstance(first, ast.Constant):
                    more = rest[0] if _called(node) == "ngettext" else None
                    found[first.value] = more.value if isinstance(more, ast.Constant) else ""
    return found


def titles() -> set[str]:
    """Return the titles of the samples: the manifest holds them."""
    with (ROOT / "models" / "samples.toml").open("rb") as file:
        manifest = tomllib.load(file)
    return {manifest["planted"]["title"], *(sample["title"] for sample in manifest["sample"])}


def has_words(template: str) -> bool:
    """Tell whether there is anything to translate in a template."""
    plain = "".join(text for text, *_rest in Formatter().parse(template))
    return any(c.isalpha() for c in plain.replace("px", "").replace("MiB", ""))


@cache
def texts() -> dict[str, str]:
    """Return everything that people may read in the package: English, and its plural or ''."""
    found = marked() | dict.fromkeys(titles(), "")
    for said in calls():
        found |= {t: found.get(t, "") for t in said.templates if has_words(t)}
    return found


def catalogue(path: Path) -> Catalog:
    """Read a file of the catalogue."""
    with path.open("rb") as file:
        return read_po(file)


def _updated(path: Path) -> Catalog:
    old, new = catalogue(path), Catalog(locale=None)
    new.mime_headers, new.header_comment = old.mime_headers, old.header_comment
    for text, plural in texts().items():
        known = old.get(text)
        string = known.string if known else (("", "") if plural else "")
        new.add((text, plural) if plural else text, string)
    return new


def main() -> int:
    """Bring the files up to date; return 1 while a text has no Dutch."""
    for path in (POT, PO):
        new, head = _updated(path), ""
        if path is PO:
            head = path.read_text(encoding="utf-8").split("\n\n", 1)[0] + "\n\n"
        with path.open("wb") as file:
            file.write(head.encode())
            write_po(file, new, width=WIDTH, sort_output=True, omit_header=True)
    dutch = catalogue(PO)
    with PO.with_suffix(".mo").open("wb") as file:
        write_mo(file, dutch)
    missing = [m.id for m in dutch if m.id and not all((m.string,) if m.string == "" else m.string)]
    print(f"{len(texts())} texts, {len(missing)} without Dutch")
    for text in missing:
        print(" ", text)
    return 1 if missing else 0


if __name__ == "__main__":
    sys.exit(main())
