# SPDX-License-Identifier: Apache-2.0
"""The rules of California's SB 942 on the latent disclosure."""

from __future__ import annotations

from collections.abc import Iterator

from labelkit.compliance.rules import OPEN, PASS, Result, if_seen, marked, signed, time_stamp, valid_manifest
from labelkit.evidence import ManifestEvidence
from labelkit.label import PROVIDER_CODE
from labelkit.messages import Message
from labelkit.report import Layer, Report, Verdict

_SB942 = Message("SB 942 latent disclosure")


def rules(report: Report) -> Iterator[Result]:
    """The rules that the report has something to say about."""
    manifest, label = report[Layer.PROVENANCE], report.label
    facts = valid_manifest(report)
    yield _provider(report, facts)
    yield _system(report, facts)
    stamp, created = time_stamp(_SB942, facts), facts.created if facts else None
    yield Result("time", _SB942, Message("time and date of the creation"),
                 Message("{value}", value=created) if created else stamp.found, PASS if created else stamp.outcome)
    number = label.produce_id if label else ""
    yield Result("unique-identifier", _SB942, Message("a unique identifier"),
                 Message("{value}", value=number) if number else Message("none"), if_seen(report, bool(number)))
    seen = report.verdict not in (Verdict.NONE, Verdict.UNDETERMINED)
    yield Result("detectable", _SB942, Message("detectable by the provider's own tool"), report.reasons[0],
                 if_seen(report, seen))
    yield signed(Message("SB 942 industry standards"), manifest)
    yield marked(Message("SB 942 hard to remove"), report[Layer.WATERMARK])


def _provider(report: Report, manifest: ManifestEvidence | None) -> Result:
    asks, label = Message("the provider's name"), report.label
    public = report.metadata.producer if report.metadata else None
    code = label.content_producer if label else ""
    name = (manifest.signer if manifest else None) or public or ("" if PROVIDER_CODE.fullmatch(code) else code)
    if name:
        return Result("provider-name", _SB942, asks, Message("{value}", value=name), PASS)
    if code:
        return Result("provider-name", _SB942, asks, Message("{code}: a code, whose name is not known here", code=code),
                      OPEN)
    return Result("provider-name", _SB942, asks, Message("none"), if_seen(report, False))


def _system(report: Report, manifest: ManifestEvidence | None) -> Result:
    asks, generator = Message("name and version of the generating system"), manifest.generator if manifest else None
    producer = report.label.content_producer if report.label else ""
    code = producer[22:] if PROVIDER_CODE.fullmatch(producer) else ""
    if generator:  # whether a name without a number has a version in it, a person can tell
        versioned = any(character.isdigit() for character in generator)
        return Result("system", _SB942, asks, Message("{value}", value=generator), PASS if versioned else OPEN)
    if code.strip("0"):
        return Result("system", _SB942, asks, Message("{code}: the provider's private number of a service", code=code),
                      OPEN)
    return Result("system", _SB942, asks, Message("none"), if_seen(report, False))
