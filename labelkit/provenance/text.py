# SPDX-License-Identifier: Apache-2.0
"""The manifest in text (C2PA 2.4, A.8 and A.9): bound here, because the C2PA library knows no text. A.8 is written.

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
from labelkit.container import Reader, textblock, textwrapper
from labelkit.container.textblock import Block
from labelkit.container.textwrapper import Wrapper
from labelkit.errors import LabelkitError

HASH = "c2pa.hash.data"
MISMATCH, MATCH = "assertion.dataHash.mismatch", "assertion.dataHash.match"
_MAX_TEXT = 16 << 20
_ALGORITHMS = ("sha256", "sha384", "sha512")
Tree: TypeAlias = "dict[str, object]"


def is_bare(reader: Reader) -> bool:
    """Whether a file is a bare text that is looked through for a wrapper."""
    return _format(reader) in textwrapper.FORMATS


def _format(reader: Reader) -> str:
    """The name of a file's format; "" where it is none that is known, or longer than texts are."""
    try:
        return container.sniff(reader).name if reader.size <= _MAX_TEXT else ""
    except LabelkitError:
        return ""


def has_place(reader: Reader) -> bool:
    """Whether a file is a bare text in UTF-8 and NFC."""
    if not is_bare(reader):
        return False
    try:
        return unicodedata.is_normalized("NFC", textwrapper.without(reader.whole()).decode())
    except UnicodeDecodeError:
        return False


def manifests(reader: Reader) -> list[Wrapper | Block]:
    """The manifests in a text, of which one is allowed."""
    name = _format(reader)
    is_text = name in (*textwrapper.FORMATS, *textblock.FORMATS)
    return textblock.held(reader.whole(), name) if is_text else []


def store_in(reader: Reader) -> bytes | None:
    """The manifest store in a text, or None."""
    return next((one.store for one in manifests(reader) if one.store), None)


def binding(text: bytes, length: int) -> dict[str, object]:
    """The assertion that binds a text to a wrapper of so many bytes behind it."""
    return {"label": HASH, "data": {"exclusions": [{"start": len(text), "length": length}], "name": "text wrapper",
                                    "alg": "sha256", "hash": list(hashlib.sha256(text).digest()), "pad": [0] * 8},
            "created": True}


def judge(report: Mapping[str, object], manifests: Mapping[str, object], data: bytes,
          found: Wrapper | Block) -> Tree:
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


def _is_bound(report: Tree, manifests: Mapping[str, object], data: bytes, found: Wrapper | Block) -> bool:
    listed = manifests.get("manifests")
    active = next((one for one in listed if one.get("label") == report.get("active_manifest")), None) if isinstance(
        listed, list) else None
    stated = active.get("assertions", {}).get(HASH) if isinstance(active, dict) else None
    if not isinstance(stated, dict) or stated.get("alg") not in _ALGORITHMS:
        return False
    match stated.get("exclusions"):
        case [{"start": int(start), "length": int(length)}] if found.may_leave_out(data, start, start + length):
            digest = hashlib.new(str(stated["alg"]), data[:start] + data[start + length:]).digest()
            return bool(stated.get("hash") == f"b64'{base64.b64encode(digest).decode()}'")
    return False
