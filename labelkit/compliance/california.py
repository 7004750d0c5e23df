# SPDX-License-Identifier: Apache-2.0
"""The rules of the California AI Transparency Act: SB 942 as AB 853 amended it, or as SB 1000 would (enrolled on
2026-08-30; whether it became law is not known here)."""

from __future__ import annotations

from collections.abc import Iterator

from labelkit.compliance.rules import (
    FAIL,
    OPEN,
    PASS,
    Given,
    Result,
    detectable,
    detector,
    if_seen,
    marked,
    provider_name,
    shown,
    shown_text,
    signed,
    time_stamp,
    valid_manifest,
)
from labelkit.label import PROVIDER_CODE
from labelkit.messages import Message
from labelkit.report import Layer, Report

_LATENT = {"provider": "(1)(A)", "system": "(1)(B)", "time": "(1)(C)", "identifier": "(1)(D)", "kind": "(1)(E)"}
_NOW = {**_LATENT, "detectable": "(2)", "standards": "(3)", "lasting": "(4)"}
_THEN = {**_LATENT, "lasting": "(2)", "detectable": "(3)", "standards": "(4)"}


def rules(report: Report, given: Given) -> Iterator[Result]:
    """The rules that the report has something to say about; the Act asks nothing of texts."""
    if report.metadata and report.metadata.family == "document":
        yield Result("scope", Message("Cal. Bus. & Prof. Code § 22757.3"), Message("pictures, sound and films are to "
                     "be disclosed"), Message("a text, of which nothing is asked"), PASS)
        return
    if not given.sb1000:
        yield _manifest_disclosure(report)
    yield from _latent(report, given)
    yield detector(Message("Cal. Bus. & Prof. Code § 22757.2"), Message("a tool that shows what the marks say, free of "
                   "charge, for files and for URLs"), given)


def _clause(of: str, given: Given) -> Message:
    """The paragraph on the latent disclosure, which SB 1000 moves from (b) to (a)."""
    if given.sb1000:
        return Message("Cal. Bus. & Prof. Code § 22757.3(a){paragraph} as in SB 1000", paragraph=_THEN[of])
    return Message("Cal. Bus. & Prof. Code § 22757.3(b){paragraph}", paragraph=_NOW[of])


def _manifest_disclosure(report: Report) -> Result:
    """The user may choose it, so that its absence breaks nothing."""
    seen = shown(report)
    return Result("manifest-disclosure", Message("Cal. Bus. & Prof. Code § 22757.3(a)"), Message("the user is offered "
                  "a label that people see or hear"), shown_text(report) if seen is PASS else
                  Message("none in this file; whether it was offered, no file shows"), PASS if seen is PASS else OPEN)


def _latent(report: Report, given: Given) -> Iterator[Result]:
    facts = valid_manifest(report)
    name, known = provider_name(report)
    yield Result("provider-name", _clause("provider", given), Message("the provider's name"), name,
                 PASS if known else OPEN if known is None else if_seen(report, False))
    yield _system(report, given)
    stamp, created = time_stamp(_clause("time", given), facts), facts.created if facts else None
    yield Result("time", stamp.clause, Message("time and date of the creation"),
                 Message("{value}", value=created) if created else stamp.found, PASS if created else stamp.outcome)
    number = report.label.produce_id if report.label else ""
    yield Result("unique-identifier", _clause("identifier", given), Message("a unique identifier"),
                 Message("{value}", value=number) if number else Message("none"), if_seen(report, bool(number)))
    if given.sb1000:
        source = facts.digital_source_type if facts else None
        yield Result("created-or-altered", _clause("kind", given), Message("whether the system created or altered the "
                     "content"), Message("{value}", value=source.rsplit("/", 1)[-1]) if source else Message("none"),
                     if_seen(report, bool(source)))
    yield Result("detectable", _clause("detectable", given), Message("detectable by the provider's own tool"),
                 report.reasons[0], if_seen(report, detectable(report)))
    yield signed(_clause("standards", given), report[Layer.PROVENANCE])
    yield marked(_clause("lasting", given), report)


def _system(report: Report, given: Given) -> Result:
    clause, manifest = _clause("system", given), valid_manifest(report)
    asks, generator = Message("name and version of the generating system"), manifest.generator if manifest else None
    generator = generator or next(iter(report.metadata.systems), None) if report.metadata else generator
    producer = report.label.content_producer if report.label else ""
    code = producer[22:] if PROVIDER_CODE.fullmatch(producer) else ""
    if generator:  # whether a name without a number has a version in it, a person can tell
        versioned = any(character.isdigit() for character in generator)
        return Result("system", clause, asks, Message("{value}", value=generator), PASS if versioned else OPEN)
    if code.strip("0"):
        return Result("system", clause, asks, Message("{code}: the provider's private number of a service", code=code),
                      OPEN)
    return Result("system", clause, asks, Message("none"), FAIL if not report.unseen else OPEN)
