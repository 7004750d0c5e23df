# SPDX-License-Identifier: Apache-2.0
"""What the package is made of: a CycloneDX bill of materials, or a table of licences.

    python .ci/sbom.py sbom  > dist/aigc_labelkit.cdx.json
    python .ci/sbom.py table > THIRD_PARTY.md

Run it where the package is installed with the extra `all`: names, versions and licences are those of the installed
distributions. The time is SOURCE_DATE_EPOCH, so that the same packages give the same bytes.
"""

from __future__ import annotations

import datetime
import json
import os
import re
import sys
import uuid
from dataclasses import dataclass, field
from importlib.metadata import Distribution, PackageNotFoundError, distribution

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = "aigc-labelkit"
EXTRAS = ("sm2", "postgresql", "redis", "store", "video", "ocr", "service", "mcp", "pkcs11", "pdf", "jxl", "heif", "datasets")
BUNDLED = [("Noto Sans CJK (subset), as LabelKitCJK", "OFL-1.1", "labelkit/explicit/fonts/LabelKitCJK-Regular.otf"),
           ("Noto Sans CJK JP (subset), as LabelKitJP", "OFL-1.1", "labelkit/explicit/fonts/LabelKitJP-Regular.otf"),
           ("Noto Sans CJK KR (subset), as LabelKitKR", "OFL-1.1", "labelkit/explicit/fonts/LabelKitKR-Regular.otf"),
           ("Noto Sans, Arabic, Hebrew, Devanagari, Thai (subsets), as LabelKitWorld", "OFL-1.1",
            "labelkit/explicit/fonts/LabelKitWorld-Regular.ttf"),
           ("Noto Sans CJK (subset), as LabelKitPages", "OFL-1.1", "labelkit/page/LabelKitPages.woff"),
           ("C2PA Trust List", "CC-BY-4.0", "labelkit/provenance/c2pa_trust/C2PA-TRUST-LIST.pem"),
           ("C2PA TSA Trust List", "CC-BY-4.0", "labelkit/provenance/c2pa_trust/C2PA-TSA-TRUST-LIST.pem")]
_CLASSIFIERS = {"BSD License": "BSD", "MIT License": "MIT", "Apache Software License": "Apache-2.0",
                "Mozilla Public License 2.0 (MPL 2.0)": "MPL-2.0", "Python Software Foundation License": "PSF-2.0"}
_IN_FILES = {"huey": "MIT"}  # these state it in their file LICENSE alone
_LICENCE_LENGTH = 60  # a longer "License" is the whole text


@dataclass
class Part:
    """An installed distribution: what needs it, and what it needs."""

    name: str
    version: str
    licence: str
    needed_by: set[str] = field(default_factory=set)
    needs: set[str] = field(default_factory=set)

    @property
    def purl(self) -> str:
        """Its package URL."""
        return f"pkg:pypi/{self.name}@{self.version}"


def licence_of(found: Distribution) -> str:
    """The SPDX expression that a distribution states, else the name of its licence."""
    meta = found.metadata
    text = (meta.get("License-Expression") or meta.get("License") or "").strip()
    if text and len(text) <= _LICENCE_LENGTH and "\n" not in text:
        return text
    names = [line.rpartition(" :: ")[2] for line in meta.get_all("Classifier") or () if line.startswith("License ::")]
    return " or ".join(_CLASSIFIERS.get(name, name) for name in names) or _IN_FILES.get(
        canonicalize_name(meta["Name"]), "not stated")


def parts() -> dict[str, Part]:
    """All distributions that the package needs with any of its extras, by name."""
    found: dict[str, Part] = {}
    for extra in ("", *EXTRAS):
        _collect(ROOT, {extra}, extra or "always", found)
    return found


def _collect(name: str, extras: set[str], needed_by: str, found: dict[str, Part]) -> None:
    try:
        installed = distribution(name)
    except PackageNotFoundError:
        raise SystemExit(f"{name} is not installed: make .venv/test") from None
    part = found.setdefault(canonicalize_name(name), Part(canonicalize_name(name), installed.version,
                                                          licence_of(installed)))
    if needed_by in part.needed_by and name != ROOT:
        return
    part.needed_by.add(needed_by)
    for line in installed.requires or ():
        wanted = Requirement(line)
        if wanted.marker and not any(wanted.marker.evaluate({"extra": extra}) for extra in extras | {""}):
            continue
        if canonicalize_name(wanted.name) == ROOT:
            continue
        part.needs.add(canonicalize_name(wanted.name))
        _collect(wanted.name, set(wanted.extras), needed_by, found)


def sbom() -> str:
    """The bill of materials as CycloneDX 1.6 JSON."""
    found = parts()
    root = found.pop(ROOT)
    components = [_component(part, "required" if "always" in part.needed_by else "optional")
                  for _, part in sorted(found.items())]
    components += [{"type": "file", "bom-ref": path, "name": name, "licenses": [{"license": {"id": licence}}],
                    "properties": [{"name": "labelkit:path", "value": path}]} for name, licence, path in BUNDLED]
    made = datetime.datetime.fromtimestamp(int(os.environ.get("SOURCE_DATE_EPOCH", "0")), datetime.UTC)
    content = json.dumps(components, sort_keys=True)
    return json.dumps({
        "bomFormat": "CycloneDX", "specVersion": "1.6", "version": 1,
        "serialNumber": f"urn:uuid:{uuid.uuid5(uuid.NAMESPACE_URL, root.purl + content)}",
        "metadata": {"timestamp": made.strftime("%Y-%m-%dT%H:%M:%SZ"), "component": _component(root, "required")},
        "components": components,
        "dependencies": [{"ref": part.purl, "dependsOn": sorted(found[name].purl for name in part.needs)}
                         for part in (root, *(part for _, part in sorted(found.items())))],
    }, indent=1)


def _component(part: Part, scope: str) -> dict[str, object]:
    named = {"id": part.licence} if part.licence in _KNOWN else {"name": part.licence}
    stated = {"expression": part.licence} if re.search(r" (AND|OR|WITH) ", part.licence) else {"license": named}
    return {"type": "library", "bom-ref": part.purl, "name": part.name, "version": part.version, "scope": scope,
            "purl": part.purl, "licenses": [stated]}


_KNOWN = {"Apache-2.0", "BSD-2-Clause", "BSD-3-Clause", "MIT", "MIT-CMU", "MPL-2.0", "PSF-2.0", "ISC", "Zlib",
          "LGPL-3.0-only", "Unlicense"}


def table() -> str:
    """The licences as a page of Markdown."""
    found = parts()
    found.pop(ROOT)
    rows = [f"| {part.name} | {part.licence} | {_needed(part)} |" for _, part in sorted(found.items())]
    rows += [f"| {name} | {licence} | in the wheel |" for name, licence, _ in BUNDLED]
    return "\n".join(["# Licences of what labelkit uses", "",
                      "Made by `make licences` from what the installed distributions state. The packages are installed "
                      "beside labelkit",
                      "and are not part of its wheel. PyAV's wheels link x264 and x265, which are GPL;",
                      "those of pi-heif hold libheif and libde265, which are LGPL.", "",
                      "| package | licence | needed by |", "| --- | --- | --- |", *rows])


def _needed(part: Part) -> str:
    return "always" if "always" in part.needed_by else ", ".join(f"[{extra}]" for extra in sorted(part.needed_by))


if __name__ == "__main__":
    print({"sbom": sbom, "table": table}[sys.argv[1]]())
