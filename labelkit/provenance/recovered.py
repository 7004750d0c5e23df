# SPDX-License-Identifier: Apache-2.0
"""A manifest that was found by its soft binding: whether it belongs to the content, and what it then states.

The file has lost it, so its hash rarely holds. What can be asked is whether the manifest is whole and signed, and
whether the mark that it names is the mark of the content. A mark can be copied to other content; the hash cannot.
"""

from __future__ import annotations

import datetime
from dataclasses import replace
from typing import NamedTuple

from labelkit.container import Source
from labelkit.evidence import ManifestEvidence
from labelkit.finding import Finding, Status
from labelkit.messages import Message
from labelkit.payload import Payload
from labelkit.provenance import validation
from labelkit.provenance.trust import TrustList


class Recovered(NamedTuple):
    """What a recovered manifest states.

    finding  as of an embedded one; INVALID where it is broken or does not fit, and then nothing of it is to be believed
    fits     by what it fits the content: "hash", "watermark" or None
    """

    finding: Finding
    fits: str | None


def recovered(source: Source, store: bytes, mark: Payload | None, *, trust: TrustList,
              now: datetime.datetime | None = None) -> Recovered:
    """Judge a manifest store that did not come with the file.

    store  as a service gave it out
    mark   payload of the watermark that was found in the content, None without one
    trust  the roots to trust
    now    aware datetime, for warnings about certificates
    Raises what opening the source raises.
    """
    found = validation.validate(source, trust=trust, now=now, sidecar=store)
    if found.status is Status.VALID:
        return Recovered(found, "hash")
    if found.status is not Status.INVALID or not isinstance(found.evidence, ManifestEvidence):
        return Recovered(found, None)
    apart = validation.validate(source, trust=trust, now=now, sidecar=store, is_detached=True)
    if apart.status is not Status.VALID:
        return Recovered(found, None)
    if mark is None or apart.payload is None or not _leads_to(mark, apart.payload):
        why = Message("whole and signed by {signer}, but nothing shows that it is of this content",
                      signer=found.evidence.signer)
        return Recovered(replace(found, summary=why), None)
    said = Message("{summary}; it is of this content by watermark {id}, which can be copied, and not by its hash",
                   summary=apart.summary, id=mark.hex)
    return Recovered(replace(apart, summary=said), "watermark")


def _leads_to(mark: Payload, named: Payload) -> bool:
    """Producer and content are the same; a propagator may have raised the kind since."""
    return (mark.producer, mark.content) == (named.producer, named.content)
