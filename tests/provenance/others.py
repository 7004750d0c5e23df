# SPDX-License-Identifier: Apache-2.0
"""Files as other makers sign them, with the C2PA library alone."""

from __future__ import annotations

import io
import json
from collections.abc import Sequence

import c2pa

from labelkit.provenance import Signer

IPTC = "http://cv.iptc.org/newscodes/digitalsourcetype/"


def created(source: str, **more: object) -> dict[str, object]:
    """The action of content that came to be so."""
    return {"action": "c2pa.created", "digitalSourceType": IPTC + source, **more}


def signed_by(signer: Signer, host: bytes, actions: Sequence[dict[str, object]] = (), *,
              made_from: Sequence[tuple[bytes, str]] = (), mime: str = "image/jpeg",
              assertions: Sequence[dict[str, object]] = ()) -> bytes:
    """The file with a manifest of these actions; `made_from` are files with their relationship (parentOf, ...)."""
    definition = {"claim_generator_info": [{"name": "Other Tool", "version": "2"}],
                  "assertions": [{"label": "c2pa.actions.v2", "data": {"actions": list(actions)}}, *assertions]}
    if not actions:
        definition["assertions"] = list(assertions)
    builder = c2pa.Builder.from_json(json.dumps(definition))
    if any(relation == "parentOf" for _, relation in made_from):
        builder.set_intent(c2pa.C2paBuilderIntent.EDIT)
    for data, relation in made_from:
        builder.add_ingredient({"relationship": relation, "title": relation}, mime, io.BytesIO(data))
    out = io.BytesIO()
    builder.sign(signer.native(), mime, io.BytesIO(host), out)
    return out.getvalue()
