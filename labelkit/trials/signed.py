# SPDX-License-Identifier: Apache-2.0
"""The signature over a report of evidence: a JWS, by the keys of signed results (`labelkit.results`)."""

from __future__ import annotations

import datetime
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from labelkit import results
from labelkit.evidence import Json
from labelkit.log_recorder import sha256
from labelkit.messages import Message
from labelkit.results import NoResult

if TYPE_CHECKING:
    from labelkit.results import ResultSigner

SCHEMA = "labelkit.evidence/1"
"""Name and version of the JSON and of the claims; a field is never removed or renamed within a version."""
TYPE = "labelkit-evidence+jws"
JSON_FILE, HTML_FILE, SIGNED_FILE = "evidence.json", "evidence.html", "evidence.jws"


@dataclass(frozen=True, slots=True)
class Evidence:
    """What a signature over a report says, if it holds.

    key_id    thumbprint of the key that signed it (RFC 7638)
    files     SHA-256 of each file of the report
    """

    key_id: str
    time: datetime.datetime
    detector: Mapping[str, Json]
    files: Mapping[str, str]

    def to_dict(self) -> dict[str, Json]:
        """As JSON values."""
        return {"key_id": self.key_id, "time": self.time.isoformat(), "detector": dict(self.detector),
                "files": dict(self.files)}


def sign(signer: ResultSigner, folder: Path, now: datetime.datetime) -> str:
    """A JWS over the two files of a report in a folder; `now` is the aware datetime that it states."""
    files: Json = {name: sha256(folder / name) for name in (JSON_FILE, HTML_FILE)}
    return signer.sign_claims({"files": files}, SCHEMA, TYPE, now)


def check(signed: str, jwks: Mapping[str, Any], now: datetime.datetime) -> Evidence | NoResult:
    """Who signed a report, and which, if one of these keys did; as `results.check` does for results."""
    found = results.claims_of(signed, jwks, TYPE)
    if isinstance(found, NoResult):
        return found
    payload, key_id = found
    try:
        claims = json.loads(payload)
        files, detector = claims["files"], claims["detector"]
        if claims["schema"] != SCHEMA or not isinstance(files, dict) or not isinstance(detector, dict):
            return NoResult(Message("what was signed is no report of evidence"))
        time = datetime.datetime.fromtimestamp(claims["iat"], datetime.UTC)
        if not all(re.fullmatch(r"[\w.-]{1,80}", name) and re.fullmatch(r"[0-9a-f]{64}", value)
                   for name, value in files.items()):
            return NoResult(Message("what was signed is no report of evidence"))
        named: dict[str, str] = dict(files)
    except (KeyError, TypeError, ValueError, OverflowError, OSError, RecursionError):
        return NoResult(Message("what was signed is no report of evidence"))
    if time > now + results.SKEW:
        return NoResult(Message("it is dated in the future: {time}", time=time.isoformat()))
    return Evidence(key_id, time, detector, named)
