# SPDX-License-Identifier: Apache-2.0
"""What is installed is stated: ranges, the lock file, the licences and the bill of materials."""

from __future__ import annotations

import importlib.util
import json
import re
import sys
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

import labelkit

ROOT = Path(labelkit.__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
EXTRAS = PROJECT["optional-dependencies"]
UNBOUNDED = {"cryptography"}  # its major versions come with security fixes


def _used() -> dict[str, Requirement]:
    """The dependencies of the package and of its extras for users, by name."""
    lines = [*PROJECT["dependencies"], *(line for extra in _user_extras() for line in EXTRAS[extra])]
    return {canonicalize_name(wanted.name): wanted for wanted in map(Requirement, lines)}


def _user_extras() -> list[str]:
    return re.search(r"\[(.*)\]", EXTRAS["all"][0])[1].split(",")


def _locked() -> dict[str, list[str]]:
    """By name: the versions in the lock file (more than one where they depend on the Python)."""
    found: dict[str, list[str]] = {}
    for name, version in re.findall(r"^([\w.-]+)(?:\[[\w,-]+\])?==([^\s;\\]+)",
                                    (ROOT / "requirements" / "ci.txt").read_text("utf-8"), re.MULTILINE):
        found.setdefault(canonicalize_name(name), []).append(version)
    return found


@pytest.fixture(scope="module")
def sbom():
    spec = importlib.util.spec_from_file_location("sbom", ROOT / ".ci" / "sbom.py")
    module = sys.modules["sbom"] = importlib.util.module_from_spec(spec)  # dataclasses look it up there
    spec.loader.exec_module(module)
    return module


def test_every_dependency_has_both_bounds():
    bounds = {name: {one.operator for one in wanted.specifier} for name, wanted in _used().items()}
    assert {name for name, operators in bounds.items() if "<" not in operators} == UNBOUNDED
    assert all(">=" in operators for operators in bounds.values())


def test_the_lock_file_holds_every_dependency_in_its_range_with_hashes():
    locked = _locked()
    wanted = {**_used(), **{canonicalize_name(one.name): one for extra in ("test", "lint")
                            for one in map(Requirement, EXTRAS[extra]) if one.name != PROJECT["name"]}}
    missing = {name: locked.get(name) for name, one in wanted.items()
               if not locked.get(name) or not all(one.specifier.contains(version) for version in locked[name])}
    assert not missing, "run make lock"
    text = (ROOT / "requirements" / "ci.txt").read_text("utf-8")
    entries = re.split(r"\n(?=[a-zA-Z0-9])", text)
    assert all("--hash=sha256:" in entry for entry in entries) and len(entries) >= len(locked)
    assert "://" not in text, "no index and no address is part of it"


def test_the_licences_of_all_that_is_used_are_listed(sbom):
    listed = dict(re.findall(r"^\| (.+?) \| (.+?) \|", (ROOT / "THIRD_PARTY.md").read_text("utf-8"), re.MULTILINE))
    used = {name for name in sbom.parts() if name != PROJECT["name"]}
    assert used <= set(listed), "run make licences"
    assert not [name for name, licence in listed.items() if re.search(r"(?<!L)GPL|not stated", licence)]


def test_the_bill_of_materials_is_complete_and_reproducible(sbom, monkeypatch):
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "1700000000")
    made = json.loads(sbom.sbom())
    assert sbom.sbom() == sbom.sbom() and made["metadata"]["timestamp"] == "2023-11-14T22:13:20Z"
    assert (made["bomFormat"], made["specVersion"]) == ("CycloneDX", "1.6")
    assert set(sbom.EXTRAS) == set(_user_extras())
    assert set(_used()) <= {one["name"] for one in made["components"]}
    refs = {one["bom-ref"] for one in [*made["components"], made["metadata"]["component"]]}
    edges = [(one["ref"], to) for one in made["dependencies"] for to in one["dependsOn"]]
    assert all(start in refs and to in refs for start, to in edges)
    scopes = {one["name"]: one.get("scope") for one in made["components"]}
    assert (scopes["numpy"], scopes["obstore"]) == ("required", "optional")
    assert all((ROOT / path).is_file() for _, _, path in sbom.BUNDLED)


def test_a_package_that_is_not_installed_is_named(sbom):
    with pytest.raises(SystemExit, match="no-such-package is not installed"):
        sbom._collect("no-such-package", {""}, "always", {})
