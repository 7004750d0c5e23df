# SPDX-License-Identifier: Apache-2.0
"""The manifest in bare text (C2PA 2.4, A.8): signed and bound here, because the C2PA library knows no text.

A hash of the text without the wrapper binds it (c2pa.hash.data). The library compares that hash, but not where the
wrapper lies, which is done here. Texts that are not in UTF-8 and in Unicode's form NFC, in which they are hashed, take
their manifest beside them.
"""

from __future__ import annotations

import base64
import hashlib
import json
import unicodedata
from collections.abc import Mapping
from typing import TypeAlias

from labelkit import container
from labelkit.container import Reader, textwrapper
from labelkit.container.textwrapper import Wrapper
from labelkit.errors import LabelkitError

HASH = "c2pa.hash.data"
MISMATCH, MATCH = "assertion.dataHash.mismatch", "assertion.dataHash.match"
_MAX_TEXT = 16 << 20
_FORMATS = ("txt",)
_ALGORITHMS = ("sha256", "sha384", "sha512")
Tree: TypeAlias = "dict[str, object]"


def is_bare(reader: Reader) -> bool:
    """Whether a file is a bare text that is looked through for a wrapper."""
    try:
        return container.sniff(reader).name in _FORMATS and reader.size <= _MAX_TEXT
    except LabelkitError:
        return False


def has_place(reader: Reader) -> bool:
    """Whether a file is a bare text in UTF-8 and NFC."""
    if not is_bare(reader):
        return False
    try:
        return unicodedata.is_normalized("NFC", textwrapper.without(reader.whole()).decode())
    except UnicodeDecodeError:
        return False


def wrappers(reader: Reader) -> list[Wrapper]:
    """The wrappers in a bare text, of which one is allowed."""
    return textwrapper.find(reader.whole()) if is_bare(reader) else []


def binding(text: bytes, length: int) -> dict[str, object]:
    """The assertion that binds a text to a wrapper of so many bytes behind it."""
    return {"label": HASH, "data": {"exclusions": [{"start": len(text), "length": length}], "name": "text wrapper",
                                    "alg": "sha256", "hash": list(hashlib.sha256(text).digest()), "pad": [0] * 8},
            "created": True}


def judge(report: Mapping[str, object], manifests: Mapping[str, object], data: bytes, found: Wrapper) -> Tree:
    """The library's report on a text, with what was found out here in the place of what it cannot know.

    manifests  every manifest of the store, as the library gives them
    A copy; as it is where the wrapper is not where the signer left it out of the hash, or the text has changed.
    """
    judged: Tree = json.loads(json.dumps(report))
    results = judged.get("validation_results")
    active = results.get("activeManifest") if isinstance(results, dict) else None
    if not isinstance(active, dict) or not _is_bound(judged, manifests, data, found):
        return judged
    failures = [one for one in active.get("failure", []) if one.get("code") != MISMATCH]
    active["failure"] = failures
    successes = active.setdefault("success", [])
    successes.append({"code": MATCH, "url": HASH})
    codes = {one.get("code") for one in failures}
    if not codes - {"signingCredential.untrusted"}:
        trusted = not codes and any(one.get("code") == "signingCredential.trusted" for one in successes)
        judged["validation_state"] = "Trusted" if trusted else "Valid"
    return judged


def _is_bound(report: Tree, manifests: Mapping[str, object], data: bytes, found: Wrapper) -> bool:
    listed = manifests.get("manifests")
    active = next((one for one in listed if one.get("label") == report.get("active_manifest")), None) if isinstance(
        listed, list) else None
    stated = active.get("assertions", {}).get(HASH) if isinstance(active, dict) else None
    if not isinstance(stated, dict) or stated.get("alg") not in _ALGORITHMS:
        return False
    digest = hashlib.new(str(stated["alg"]), data[:found.start] + data[found.stop:]).digest()
    return (stated.get("exclusions") == [{"start": found.start, "length": found.stop - found.start}]
            and stated.get("hash") == f"b64'{base64.b64encode(digest).decode()}'")
