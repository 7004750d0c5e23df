# SPDX-License-Identifier: Apache-2.0
"""A manifest that lies beside a file, as NAME.c2pa. Whoever can write into the folder may have put it there.

It is of the file only if its hash is the file's; any other one is named, and counts for nothing. One that holds changes
a verdict by the word of a signer whom the trust list vouches for, and else not: see `labelkit.verdict.counted`.
"""

from __future__ import annotations

import datetime
from dataclasses import replace

from labelkit.container import Source
from labelkit.evidence import ManifestEvidence, UnreadableManifest
from labelkit.finding import Finding, Status
from labelkit.messages import Message
from labelkit.provenance import validation
from labelkit.provenance.trust import TrustList


def beside(source: Source, store: bytes, inside: Finding, *, trust: TrustList,
           now: datetime.datetime | None = None) -> Finding:
    """What a file without a manifest inside states by the one that lies beside it.

    store   the manifest store that lies there
    inside  the finding on the file alone, which is ABSENT
    trust   the roots to trust
    now     aware datetime, for warnings about certificates
    VALID where it holds for this file, INVALID where only its certificate ended; `beside` is then set in the evidence.
    UNCHECKED where the file may not be given to the library. Else ABSENT: it is named in the summary and, with state
    "Beside", in the evidence. Raises what opening the source raises.
    """
    found = validation.validate(source, trust=trust, now=now, sidecar=store)
    evidence = found.evidence
    if isinstance(evidence, ManifestEvidence) and (found.status is Status.VALID or evidence.intact):
        said = Message("{summary}; it lies beside the file", summary=found.summary) if evidence.trusted else Message(
            "{summary}; it lies beside the file and nobody vouches for its signer, so it does not change the verdict",
            summary=found.summary)
        return replace(found, summary=said, evidence=replace(evidence, beside=True))
    if found.status is Status.UNCHECKED and isinstance(evidence, UnreadableManifest) and evidence.state == "OverBound":
        return found
    return _of_another(found, inside)


def _of_another(found: Finding, inside: Finding) -> Finding:
    evidence = found.evidence
    if isinstance(evidence, ManifestEvidence) and any(map(validation.is_of_content, evidence.codes)):
        why = Message("it is of another file, or of this one before it was changed; {signer} signed it",
                      signer=evidence.signer)
    else:
        why = found.summary
    said = Message("{summary}; what lies beside the file as NAME.c2pa is no manifest of it and counts for nothing: "
                   "{reason}", summary=inside.summary, reason=why)
    return replace(inside, summary=said, evidence=UnreadableManifest(state="Beside", reason=str(why), trusted=False,
                                                                     intact=False))


def fits(source: Source, store: bytes) -> bool:
    """Whether a manifest store is of this file, whoever signed it, so that it can be the parent of the next.

    Raises what opening the source raises.
    """
    found = validation.validate(source, trust=TrustList.none(), sidecar=store)
    return isinstance(found.evidence, ManifestEvidence) and found.evidence.intact
