# SPDX-License-Identifier: Apache-2.0
"""The manifest of a file that has lost it: asked for by the file's watermark, and checked against the file."""

from __future__ import annotations

import datetime
import importlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

from labelkit import container
from labelkit.container import Source
from labelkit.errors import FetchFailed
from labelkit.evidence import Json
from labelkit.finding import Finding, Layer, Status
from labelkit.messages import Message
from labelkit.report import Report
from labelkit.resolve.asking import Client
from labelkit.signpost import soft_binding

if TYPE_CHECKING:
    from labelkit.provenance import TrustList

_MOST = 5  # manifests that are fetched for a file


@dataclass(frozen=True, slots=True)
class Recovery:
    """What a service gave out for a file. It is beside the report: the verdict stays that of the file itself.

    resolver  the service that was asked
    summary   what came of it, in one line
    manifest  name of the manifest that is shown, None where there is none
    fits      by what it fits the content: "hash" or "watermark"; None where it does not, and is not to be believed
    finding   what the manifest states, as for an embedded one; None where there is none
    """

    resolver: str
    summary: Message
    manifest: str | None = None
    fits: str | None = None
    finding: Finding | None = None

    def to_dict(self, language: str = "en") -> dict[str, Json]:
        """JSON values; texts in `language`."""
        return {"resolver": self.resolver, "summary": self.summary.text(language), "manifest": self.manifest,
                "fits": self.fits, "finding": self.finding.to_dict(language) if self.finding else None}


def recover(source: Source, report: Report, client: Client, *, trust: TrustList,
            now: datetime.datetime | None = None) -> Recovery | None:
    """The manifest that the watermark of a file leads to; None where nothing is asked.

    report  of the file, with the layer of the watermark. A file that has a manifest of its own, or no watermark with a
            number, is not asked about
    client  the service
    trust   the roots to trust
    now     aware datetime, for warnings about certificates
    Of several manifests the first that fits is taken, by hash before by watermark. What the service does wrong is in
    the summary. Raises what opening the source raises.
    """
    mark = report[Layer.WATERMARK]
    if mark.status is not Status.VALID or mark.payload is None or report[Layer.PROVENANCE].status in (
            Status.VALID, Status.INVALID):
        return None
    room = importlib.import_module("labelkit.provenance")
    alg = soft_binding(container.sniff(source).mime)
    try:
        matches = client.by_binding(alg, mark.payload, most=_MOST)
        best: Recovery | None = None
        for match in matches:
            if match.endpoint is not None:
                best = best or Recovery(client.url, Message("the manifest is at another service, which was not asked: "
                                                            "{endpoint}", endpoint=match.endpoint), match.id)
                continue
            found = room.recovered(source, client.manifest(match.id), mark.payload, trust=trust, now=now)
            this = Recovery(client.url, found.finding.summary, match.id, found.fits, found.finding)
            if found.fits == "hash":
                return this
            best = this if best is None or found.fits and not best.fits else best
    except FetchFailed as error:
        return Recovery(client.url, Message("{reason}", reason=error.message))
    return best or Recovery(client.url, Message("no manifest is known there for this watermark"))
