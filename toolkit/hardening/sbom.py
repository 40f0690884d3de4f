"""List what the toolkit is made of: software, bundled libraries, model files, and their licences.

The bill of materials is CycloneDX 1.6 in JSON. The same installation gives the same bytes: it holds
no time, and its number is made of its content.
"""

from __future__ import annotations

import argparse
import json
import re
import uuid
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from importlib.metadata import Distribution, PackageNotFoundError, distribution
from pathlib import Path
from typing import Any

from toolkit import __version__, models
from toolkit.files import atomic_write

ROOT = "doorzicht"
BOM, LICENCES = "sbom.cdx.json", "licences.txt"
UNKNOWN = "not stated"

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
_LONGEST = 120


@dataclass(frozen=True)
class Component:
    """One part: what it is called, which version, under which licence.

    Attributes
    ----------
    kind
        ``"library"``, or ``"machine-learning-model"`` for a file of weights.
    needs
        Names of the components that it needs.
    sha256
        Of a model file.
    """

    kind: str
    name: str
    version: str
    licence: str
    needs: tuple[str, ...] = ()
    sha256: str = ""

    @property
    def ref(self) -> str:
        """Its address: a package of the Python index, or a file of the project's manifest."""
        if self.kind == "library":
            return f"pkg:pypi/{self.name}@{self.version}"
        return f"model:{self.name}"


def components(root: str = ROOT) -> list[Component]:
    """Return all parts that are installed because of `root`, by name, then the model files."""
    found: dict[str, Component] = {}
    waiting = [root]
    while waiting:
        name = _normal(waiting.pop())
        if name in found:
            continue
        try:
            package = distribution(name)
        except PackageNotFoundError:
            continue  # for another system, or for an extra that is not installed
        needs = tuple(sorted({_normal(n) for n in _needs(package)}))
        found[name] = Component("library", name, package.version, _licence(package), needs)
        waiting += needs
    parts = [
        Component(c.kind, c.name, c.version, c.licence, tuple(n for n in c.needs if n in found))
        for c in sorted(found.values(), key=lambda c: c.name)
        if c.name != root
    ]
    weights = [
        Component("machine-learning-model", m.file, m.sha256[:12], m.licence, (), m.sha256)
        for m in sorted(models.read_manifest().values(), key=lambda m: m.file)
    ]
    return [*parts, *weights]


def bill(parts: Sequence[Component], root: str = ROOT) -> dict[str, Any]:
    """Return the bill of materials, ready for JSON."""
    refs = {part.name: part.ref for part in parts}
    main = f"pkg:pypi/{root}@{__version__}"
    try:
        wanted = {_normal(n) for n in _needs(distribution(root))}
    except PackageNotFoundError:  # it runs from its source
        wanted = set()
    content: dict[str, Any] = {
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "version": 1,
        "metadata": {
            "component": {
                "type": "application",
                "bom-ref": main,
                "name": root,
                "version": __version__,
                "licenses": [{"expression": "Apache-2.0"}],
            }
        },
        "components": [_plain(part) for part in parts],
        "dependencies": [
            {"ref": main, "dependsOn": sorted(refs[n] for n in wanted if n in refs)},
            *({"ref": part.ref, "dependsOn": [refs[n] for n in part.needs]} for part in parts),
        ],
    }
    number = uuid.uuid5(uuid.NAMESPACE_URL, json.dumps(content, sort_keys=True))
    return {"serialNumber": f"urn:uuid:{number}", **content}


def licence_list(parts: Iterable[Component]) -> str:
    """Return one line for each part: name, version, licence."""
    rows = [(part.name, part.version, part.licence) for part in parts]
    widths = [max(len(row[n]) for row in rows) for n in (0, 1)]
    lines = [f"{n:{widths[0]}}  {v:{widths[1]}}  {licence}" for n, v, licence in rows]
    return "\n".join([*lines, ""])


def write(folder: Path) -> tuple[Path, Path]:
    """Write both lists into a folder; return where they are."""
    parts = components()
    folder.mkdir(parents=True, exist_ok=True)
    places = folder / BOM, folder / LICENCES
    atomic_write(places[0], json.dumps(bill(parts), indent=1) + "\n")
    atomic_write(places[1], licence_list(parts))
    return places


def _plain(part: Component) -> dict[str, Any]:
    plain: dict[str, Any] = {
        "type": part.kind,
        "bom-ref": part.ref,
        "name": part.name,
        "version": part.version,
        "licenses": [{"license": {"name": part.licence}}],
    }
    if part.kind == "library":
        plain["purl"] = part.ref
    if part.sha256:
        plain["hashes"] = [{"alg": "SHA-256", "content": part.sha256}]
    return plain


def _needs(package: Distribution) -> list[str]:
    """Return the names that a package needs, without those of its extras."""
    found = []
    for line in package.requires or ():
        wanted, _, marker = line.partition(";")
        name = _NAME.match(wanted.strip())
        if name and "extra" not in marker:
            found.append(name.group())
    return found


def _normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def _licence(package: Distribution) -> str:
    """Return the licence as the package states it: an expression, its classifiers, or its text."""
    facts = package.metadata
    if expressions := facts.get_all("License-Expression"):
        return str(expressions[0])
    kinds = [str(c) for c in facts.get_all("Classifier") or () if c.startswith("License ::")]
    names = [kind.rsplit(" :: ", 1)[-1] for kind in kinds]
    if names := [name for name in names if name != "OSI Approved"]:
        return ", ".join(names)
    first = "".join(facts.get_all("License") or ()).strip().splitlines()
    return first[0][:_LONGEST] if first else UNKNOWN


def main(argv: Sequence[str] | None = None) -> int:
    """Write both lists from the command line."""
    parser = argparse.ArgumentParser(
        prog="python -m toolkit sbom", description="Write what the toolkit is made of."
    )
    parser.add_argument("--out", type=Path, required=True, help=f"folder for {BOM} and {LICENCES}")
    for place in write(parser.parse_args(argv).out):
        print(place)
    return 0
