# SPDX-License-Identifier: Apache-2.0
"""Read the fields of a manifest, as the C2PA library gives them in JSON. Their content is untrusted: whatever is not of
the expected type counts as missing, and every text is truncated and made printable."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping

from labelkit.evidence import Json
from labelkit.label import FIELDS
from labelkit.provenance.engine import printable
from labelkit.provenance.manifest import AIGC_ASSERTION, MAX_EXPLICIT, SIGNPOST_ASSERTION
from labelkit.signpost import Signpost

MAX_TEXT = 256  # characters of any text from a file in a finding
MAX_LABEL = 1024  # characters of the label of a manifest

Tree = Mapping[str, object]


def assertions(manifest: Tree, name: str) -> Iterator[tuple[str, Tree]]:
    """The assertions with a label, of every version (.v2) and number (__1)."""
    forms = (f"{name}.", f"{name}__")
    for label, data in as_dict(manifest.get("assertions")).items():
        if label == name or label.startswith(forms):
            yield label, as_dict(data)


def actions(manifest: Tree) -> Iterator[Tree]:
    """The actions of a manifest, of all versions."""
    for _, data in assertions(manifest, "c2pa.actions"):
        yield from as_dicts(data.get("actions"))


def agent(action: Tree) -> str | None:
    """The software that did an action, with its version."""
    software = action.get("softwareAgent")
    return as_text(software) or with_version(as_dict(software))


def aigc(manifest: Tree) -> Iterator[tuple[dict[str, str | None], Json]]:
    """(label fields as found, explicit label) of labelkit's assertion, then of others with an AIGC member."""
    every = as_dict(manifest.get("assertions"))
    for name in sorted(every, key=lambda name: (name != AIGC_ASSERTION, name)):
        data = as_dict(every[name])
        stated = as_dict(data.get("AIGC"))
        if stated:
            found = {key: as_text(stated[key], 2048) for key in FIELDS if key in stated}
            yield found, _explicit(data.get("explicit")) if name == AIGC_ASSERTION else None


def _explicit(text: object) -> Json:
    if not isinstance(text, str) or len(text) > MAX_EXPLICIT:
        return None
    try:
        return _clean(json.loads(text, parse_constant=lambda _: None))  # NaN is not JSON
    except (ValueError, RecursionError):
        return None


def signpost(manifest: Tree) -> Signpost | None:
    """Where a manifest says to ask about the mark."""
    found = (Signpost.found({**data}) for _, data in assertions(manifest, SIGNPOST_ASSERTION))
    return next(filter(None, found), None)


def outcomes(report: Tree) -> dict[str, set[str]]:
    """Every code of the active manifest, by the name of the assertion that it is about."""
    found: dict[str, set[str]] = {}
    active = as_dict(as_dict(report.get("validation_results")).get("activeManifest"))
    for kind in ("success", "informational", "failure"):
        for entry in as_dicts(active.get(kind)):
            name = (as_text(entry.get("url"), 2 * MAX_LABEL) or "").rsplit("/", 1)[-1]
            found.setdefault(name, set()).add(as_text(entry.get("code")) or "unnamed")
    return found


def certificate(manifest: Tree) -> Tree:
    """Subject, issuer and validity of the signer's certificate."""
    return as_dict(as_dict(manifest.get("signature")).get("certificateInfo"))


def claim(manifest: Tree) -> Tree:
    """The claim, of either version."""
    return next((as_dict(manifest[key]) for key in ("claim.v2", "claim") if key in manifest), {})


def tool(manifest: Tree) -> str | None:
    """The program that wrote the claim, with its version."""
    info = claim(manifest).get("claim_generator_info")
    first = info[0] if isinstance(info, list) and info else info
    return with_version(as_dict(first)) or as_text(claim(manifest).get("claim_generator"))


def party(name: object) -> str | None:
    """The organisation or the common name of a certificate's subject or issuer."""
    parts = as_dict(name)
    return as_text(parts.get("O")) or as_text(parts.get("CN"))


def with_version(software: Tree) -> str | None:
    """Name and version of a software."""
    name, version = (as_text(software.get(key)) for key in ("name", "version"))
    return f"{name} {version}" if name and version else name


def as_text(value: object, limit: int = MAX_TEXT) -> str | None:
    """A text of at most `limit` characters, printable; None for any other value."""
    if not isinstance(value, str):
        return None
    return value if len(value) <= limit and value.isprintable() else printable(value, limit)


def _clean(value: object) -> Json:
    """JSON values with every text made printable."""
    if isinstance(value, dict):
        return {printable(key, MAX_TEXT): _clean(entry) for key, entry in value.items()}
    if isinstance(value, list):
        return [_clean(entry) for entry in value]
    if isinstance(value, str):
        return as_text(value)
    return value if isinstance(value, bool | int | float) else None


def as_dict(value: object) -> Tree:
    """A mapping; an empty one for any other value."""
    return value if isinstance(value, dict) else {}


def as_dicts(value: object) -> list[Tree]:
    """The mappings in a list; none for any other value."""
    return [entry for entry in value if isinstance(entry, dict)] if isinstance(value, list) else []
