"""What the toolkit is made of, as a list that other tools read."""

from __future__ import annotations

import json
import re
import tomllib
from pathlib import Path

from toolkit import models
from toolkit.cli import main as cli
from toolkit.hardening import sbom

ROOT = Path(__file__).parents[2]


def test_it_names_every_package_that_is_asked_for_and_every_model(tmp_path, capsys):
    assert cli.main(["sbom", "--out", str(tmp_path)]) == 0
    bom, text = (tmp_path / name for name in (sbom.BOM, sbom.LICENCES))
    assert capsys.readouterr().out.split() == [str(bom), str(text)]
    content = json.loads(bom.read_bytes())
    assert (content["bomFormat"], content["specVersion"]) == ("CycloneDX", "1.6")
    versions = {c["name"]: c["version"] for c in content["components"]}
    asked = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    for line in asked["project"]["dependencies"]:
        name, version = line.split("==")
        assert versions[name.lower()] == version
    hashes = {c["hashes"][0]["content"] for c in content["components"] if "hashes" in c}
    assert hashes == {m.sha256 for m in models.read_manifest().values()}
    refs = [c["bom-ref"] for c in content["components"]]
    assert len(set(refs)) == len(refs)
    known = {*refs, content["metadata"]["component"]["bom-ref"]}
    for entry in content["dependencies"]:
        assert {entry["ref"], *entry["dependsOn"]} <= known
    assert all(c["licenses"][0]["license"]["name"] for c in content["components"])
    assert re.fullmatch(r"urn:uuid:[0-9a-f-]{36}", content["serialNumber"])
    assert len(text.read_text(encoding="utf-8").splitlines()) == len(refs)


def test_the_same_installation_gives_the_same_bytes(tmp_path):
    for name in ("a", "b"):
        sbom.write(tmp_path / name)
    first, second = (tmp_path / name / sbom.BOM for name in ("a", "b"))
    assert first.read_bytes() == second.read_bytes()


def test_what_is_not_installed_has_no_parts():
    assert [p for p in sbom.components("no-such-package-at-all") if p.kind == "library"] == []
