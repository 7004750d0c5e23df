# SPDX-License-Identifier: Apache-2.0
"""Compliance: what a report means under the rules of a jurisdiction, rule by rule.

    for result in check(labelkit.verify("cat.png"), Profile.GB45438):
        print(result.outcome, result.clause, result.asks, result.found)

Nothing is looked at but the report, and the record of a waiver if one is given. What they cannot answer is said to be
open, never passed: a label in a font that is not recognised, a watermark of another vendor, a name behind a code.
Rules that have nothing to judge (the height of a label that is not there) are left out. It is an engineering aid, no
legal opinion.
"""

from __future__ import annotations

import enum
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from labelkit.explicit.finding import PLACES
from labelkit.label import Kind
from labelkit.messages import Message
from labelkit.plan import MIN_HEIGHT_SHARE
from labelkit.report import LAYER_NAMES, Finding, Layer, Report, Status, Verdict

if TYPE_CHECKING:
    from labelkit.log import Record


class Profile(enum.Enum):
    """Whose rules: GB 45438-2025, the EU Code of Practice for Art. 50 (2026-06-10), or California's SB 942."""

    GB45438 = "gb45438"
    EU = "eu"
    CALIFORNIA = "california"


class Outcome(enum.Enum):
    """How a rule came out."""

    PASS = "pass"
    FAIL = "fail"
    CANNOT_TELL = "cannot tell"


@dataclass(frozen=True, slots=True)
class Result:
    """One rule: a stable name, its clause, what it asks, what was found, how it came out."""

    rule: str
    clause: Message
    asks: Message
    found: Message
    outcome: Outcome

    def to_dict(self, language: str = "en") -> dict[str, str]:
        """The result as JSON values."""
        return {"rule": self.rule, "clause": self.clause.text(language), "asks": self.asks.text(language),
                "found": self.found.text(language), "outcome": self.outcome.value}


def check(report: Report, profile: Profile = Profile.GB45438, *, waived: Record | None = None) -> list[Result]:
    """The rules of `profile` that the report has something to say about, in the order of the standard.

    waived  the record of the label log which says that the file went out without its explicit label (`LabelLog.waived`)
    """
    if Profile(profile) is Profile.GB45438:
        return list(_gb45438(report, waived))
    return list((_eu if Profile(profile) is Profile.EU else _california)(report))


PASS, FAIL, OPEN = Outcome.PASS, Outcome.FAIL, Outcome.CANNOT_TELL

Facts = Mapping[str, object]


# GB 45438-2025

_CLAUSES = {"image": Message("GB 45438-2025 5.2"), "audio": Message("GB 45438-2025 5.3"),
            "video": Message("GB 45438-2025 5.4"), "document": Message("GB 45438-2025 5.1")}
_GUIDES = {"image": Message("TC260-PG-20259A"), "audio": Message("TC260-PG-202510A"),
           "video": Message("TC260-PG-20257A"), "document": Message("TC260-PG-20258A")}
_ANNEX_E, _ELEMENTS = Message("GB 45438-2025 Annex E"), Message("GB 45438-2025 6.1 a)")
_ALSO_SHOWN = ("EXIF UserComment", "tEXt AIGC")  # in annex B of the image guide
_NOT_NAMED = ("svg", "html")  # by any guide
_CODE = re.compile(r"[0-9A-Z]{27}")


def _gb45438(report: Report, waived: Record | None) -> Iterator[Result]:
    family = str(report[Layer.METADATA].evidence.get("family") or "")
    if waived and waived.waiver and report[Layer.EXPLICIT].status in (Status.ABSENT, Status.UNCHECKED):
        yield _waiver(waived)
    else:
        yield from _explicit(report[Layer.EXPLICIT], family)
    yield from _metadata(report[Layer.METADATA], family)
    yield from _agreement(report)


def _waiver(record: Record) -> Result:
    found = Message("waived for {recipient} under {agreement}; record {number} of the log, {time}",
                    recipient=record.waiver.recipient, agreement=record.waiver.agreement, number=record.number,
                    time=f"{record.time:%Y-%m-%dT%H:%M:%SZ}")
    return Result("explicit-label", Message("Labeling Measures, Article 9"), Message("an explicit label, or a record "
                  "of the recipient and the agreement that waived it"), found, PASS)


def _explicit(finding: Finding, family: str) -> Iterator[Result]:
    clause, evidence = _CLAUSES.get(family, Message("GB 45438-2025 5")), finding.evidence
    asks = (Message("an audible label: spoken, with an AI element and a generation element, or the rhythm of AI")
            if family == "audio" else Message("an explicit label with an AI element and a generation element"))
    if finding.status in (Status.ABSENT, Status.UNCHECKED):
        yield Result("explicit-label", clause, asks, finding.summary, FAIL if _read_in_vain(finding) else OPEN)
        return
    if evidence.get("wording") == "english":
        yield Result("explicit-label", clause, asks, Message('"{text}": the standard names the characters 生成 and '
                     "合成, and does not say whether English will do", text=evidence["text"]), OPEN)
    else:
        yield Result("explicit-label", clause, asks, Message('"{text}"', text=evidence["text"]) if "text" in evidence
                     else finding.summary, PASS)
    if "position" in evidence:
        place = str(evidence["position"])
        yield Result("explicit-position", clause, Message("at an edge or corner"), PLACES.get(place, finding.summary),
                     PASS if place else FAIL)
    share = evidence.get("height_share")
    low = isinstance(share, float) and share < MIN_HEIGHT_SHARE and finding.status is Status.INVALID
    if isinstance(share, float):
        yield Result("explicit-height", clause, Message("text height at least 5 % of the shortest side"),
                     Message("{share} %", share=f"{100 * share:.1f}"), FAIL if low else PASS)
    if finding.status is Status.INVALID and not low:
        yield Result("explicit-form", clause, Message("present where and as long as it must be"), finding.summary, FAIL)


def _read_in_vain(finding: Finding) -> bool:
    """Whether all text along the edges was read and no label is among it; else one may be there unrecognised."""
    evidence = finding.evidence
    return finding.status is Status.ABSENT and evidence.get("seen_by") == "reading" and not (
        evidence.get("unread") or evidence.get("mention"))


def _metadata(finding: Finding, family: str) -> Iterator[Result]:
    carriers = [carrier for carrier in finding.evidence.get("carriers") or () if isinstance(carrier, Mapping)]
    asks = Message("an implicit label in the file's metadata")
    if finding.status is Status.UNCHECKED:
        yield Result("metadata-label", Message("GB 45438-2025 6.1"), asks, finding.summary, OPEN)
        return
    yield Result("metadata-label", Message("GB 45438-2025 6.1"), asks, finding.summary,
                 PASS if finding.status is Status.VALID else FAIL)
    if not carriers:
        return
    yield Result("metadata-unique", Message("GB 45438-2025 6.1 c)"), Message("one metadata label in the file"),
                 Message("{count}: {places}", count=len(carriers), places="; ".join(map(_place, carriers))),
                 PASS if len(carriers) == 1 else FAIL)
    yield _placement(carriers[0], family, str(finding.evidence.get("format")))
    readable = [carrier for carrier in carriers if "fields" in carrier]
    if readable:
        yield from _fields(readable[0])
        yield from _signatures(finding.evidence.get("signatures") or {})


def _place(carrier: Facts) -> str:
    return f"{carrier['slot']} @ {carrier['offset_bytes']}"


def _placement(carrier: Facts, family: str, format: str) -> Result:
    clause, asks = _GUIDES.get(family, _ANNEX_E), Message("where the guide for the format puts it")
    place = Message("{value}", value=_place(carrier))
    if format in _NOT_NAMED:
        return Result("metadata-placement", clause, asks,
                      Message("{place}; no guide names {format}", place=_place(carrier), format=format), OPEN)
    fits = carrier.get("home") or family == "image" and str(carrier["slot"]).endswith(_ALSO_SHOWN)
    return Result("metadata-placement", clause, asks, place, PASS if fits else FAIL)


def _fields(carrier: Facts) -> Iterator[Result]:
    """The rules of Annex E, each from the deviations that its reader noted."""
    fields, form = carrier["fields"], list(carrier["form"])
    yield Result("json-form", Message("GB 45438-2025 Annex E b)"), Message("JSON text, bare or wrapped in AIGC"),
                 Message("{value}", value=", ".join(form)), PASS if form in (["bare"], ["wrapped"]) else FAIL)
    for rule, clause, asks, deviations, worst in _DEVIATIONS:
        noted = [f"{found['field']}: {found['deviation']} {found.get('got', '')}".rstrip()
                 for found in carrier["deviations"] if found["deviation"] in deviations]
        yield Result(rule, clause, asks, Message("{value}", value=", ".join(noted)) if noted else
                     Message("as asked"), worst if noted else PASS)
    empty = [name for name in ("ContentProducer", "ProduceID", "ContentPropagator", "PropagateID") if not fields[name]]
    # whom a platform names as the producer of what nobody labelled, the standard does not say
    unknown = fields["Label"] != Kind.GENERATED.value and empty == ["ContentProducer", "ProduceID"]
    yield Result("elements", _ELEMENTS, Message("producer, production number, propagator and its number are filled"),
                 Message("empty: {names}", names=", ".join(empty)) if empty else Message("all four"),
                 OPEN if unknown else FAIL if empty else PASS)
    for name in ("ContentProducer", "ContentPropagator"):
        if fields[name]:
            yield _party(name, fields[name], carrier["deviations"])


_DEVIATIONS = (
    ("seven-fields", _ANNEX_E, Message("the seven fields, each a string"),
     {"missing", "null", "number", "boolean", "nested", "placeholder"}, FAIL),
    ("field-names", _ANNEX_E, Message("the names of the standard, each once"),
     {"spelling", "repeated", "unknown field"}, FAIL),
    ("label-value", _ANNEX_E, Message('Label is "1", "2" or "3"'), {"not 1, 2 or 3"}, FAIL),
    # "shall mainly": other characters are not flatly forbidden
    ("characters", Message("GB 45438-2025 Annex E j)"), Message("mainly printable ASCII without space, quotation mark "
                                                                "and backslash"), {"character"}, OPEN))


def _party(name: str, value: str, deviations: list[Facts]) -> Result:
    clause, asks = Message("coding rules for service providers, 2025-03"), Message("{name}: a provider's name, or a "
                   "27-character code whose check digits fit", name=name)
    problem = next((found["problem"] for found in deviations
                    if found["field"] == name and found["deviation"] == "provider code"), None)
    if problem:
        return Result("provider-code", clause, asks, Message("{value}: {problem}", value=value, problem=problem), FAIL)
    found = (Message("{value}: a code that fits", value=value) if _CODE.fullmatch(value) else
             Message("{value}: a name", value=value))
    return Result("provider-code", clause, asks, found, PASS)


_STATES = {"verified-pinned": (Message("signed with a pinned key"), PASS),
           "verified-self": (Message("unchanged under the key that the file brings; who holds that key is not known"),
                             PASS),
           "failed": (Message("the signature does not fit the label: one of them was changed"), FAIL),
           "unsupported": (Message("not a signature that can be checked here"), OPEN),
           "absent": (Message("empty, which the standard allows"), PASS)}


def _signatures(signatures: Facts) -> Iterator[Result]:
    for slot, signature in signatures.items():
        found, outcome = _STATES[signature["state"]]
        yield Result("signature", Message("TC260-PG-202511A"), Message("{slot} is empty or protects the label",
                                                                       slot=slot), found, outcome)


def _agreement(report: Report) -> Iterator[Result]:
    """What two layers say of one thing is compared, and what was broken stays suspicious."""
    for compared in report.cross_checks:
        yield Result("layers-agree", Message("the layers compared"), Message("{first} and {second} say the same",
                     first=LAYER_NAMES[compared.layers[0]], second=LAYER_NAMES[compared.layers[1]]), compared.summary,
                     PASS if compared.agrees else FAIL)
    manifest = report[Layer.PROVENANCE]
    if manifest.status is Status.INVALID:
        yield Result("manifest-whole", Message("the layers compared"), Message("a signed manifest holds"),
                     manifest.summary, FAIL)


# EU Code of Practice on marking and labelling

_CODE_A, _CODE_B = Message("EU Code of Practice M1.1 (a)"), Message("EU Code of Practice M1.1 (b)")


def _eu(report: Report) -> Iterator[Result]:
    manifest = report[Layer.PROVENANCE]
    yield Result("machine-readable", Message("AI Act Art. 50(2)"), Message("marked as AI-generated in a form that "
                 "machines read"), report.reasons[0], PASS if _is_marked(report) else FAIL)
    yield _signed(_CODE_A, manifest)
    if manifest.status is Status.VALID:
        says = bool(manifest.label or manifest.evidence.get("ai_generated"))
        yield Result("signed-statement", _CODE_A, Message("the signed metadata say that the content is AI-generated"),
                     Message("they do") if says else Message("they do not"), PASS if says else FAIL)
        yield _time_stamp(_CODE_A, manifest.evidence)
        trusted = manifest.evidence.get("trusted") is True
        yield Result("signer-trusted", Message("EU Code of Practice M3"), Message("the signer is one that verifiers "
                     "trust"), manifest.summary, PASS if trusted else OPEN)
    yield _marked(_CODE_B, report[Layer.WATERMARK])


def _is_marked(report: Report) -> bool:
    manifest = report[Layer.PROVENANCE]
    signed = manifest.status is Status.VALID and manifest.evidence.get("ai_generated")
    return bool(report.label or signed or report[Layer.WATERMARK].status is Status.VALID)


def _signed(clause: Message, manifest: Finding) -> Result:
    return Result("signed-metadata", clause, Message("digitally signed metadata"), manifest.summary,
                  {Status.VALID: PASS, Status.UNCHECKED: OPEN}.get(manifest.status, FAIL))


def _time_stamp(clause: Message, evidence: Facts) -> Result:
    stamp = evidence.get("time_stamp")
    asks = Message("a trusted time-stamp in the signed metadata")
    if not isinstance(stamp, Mapping):
        return Result("time-stamp", clause, asks, Message("none"), FAIL)
    return Result("time-stamp", clause, asks, Message("{value}", value=stamp.get("time")),
                  PASS if stamp.get("trusted") else OPEN)


def _marked(clause: Message, mark: Finding) -> Result:
    """Only our own watermark is looked for, so one that is not found leaves the rule open."""
    return Result("watermark", clause, Message("an imperceptible watermark in the content"), mark.summary,
                  PASS if mark.status is Status.VALID else OPEN)


# California SB 942, latent disclosure

_SB942 = Message("SB 942 latent disclosure")


def _california(report: Report) -> Iterator[Result]:
    manifest, label = report[Layer.PROVENANCE], report.label
    facts = manifest.evidence if manifest.status is Status.VALID else {}
    yield _provider(report, facts)
    yield _system(report, facts)
    stamp, created = _time_stamp(_SB942, facts), facts.get("created")
    yield Result("time", _SB942, Message("time and date of the creation"),
                 Message("{value}", value=created) if created else stamp.found, PASS if created else stamp.outcome)
    number = label.produce_id if label else ""
    yield Result("unique-identifier", _SB942, Message("a unique identifier"),
                 Message("{value}", value=number) if number else Message("none"), PASS if number else FAIL)
    seen = report.verdict is not Verdict.NONE
    yield Result("detectable", _SB942, Message("detectable by the provider's own tool"), report.reasons[0],
                 PASS if seen else FAIL)
    yield _signed(Message("SB 942 industry standards"), manifest)
    yield _marked(Message("SB 942 hard to remove"), report[Layer.WATERMARK])


def _provider(report: Report, manifest: Facts) -> Result:
    asks, label = Message("the provider's name"), report.label
    public = report[Layer.METADATA].evidence.get("producer")
    code = label.content_producer if label else ""
    name = manifest.get("signer") or public or ("" if _CODE.fullmatch(code) else code)
    if name:
        return Result("provider-name", _SB942, asks, Message("{value}", value=name), PASS)
    if code:
        return Result("provider-name", _SB942, asks, Message("{code}: a code, whose name is not known here", code=code),
                      OPEN)
    return Result("provider-name", _SB942, asks, Message("none"), FAIL)


def _system(report: Report, manifest: Facts) -> Result:
    asks, generator = Message("name and version of the generating system"), manifest.get("generator")
    code = report.label.content_producer[22:] if report.label and _CODE.fullmatch(report.label.content_producer) else ""
    if generator:  # whether a name without a number has a version in it, a person can tell
        versioned = any(character.isdigit() for character in str(generator))
        return Result("system", _SB942, asks, Message("{value}", value=generator), PASS if versioned else OPEN)
    if code.strip("0"):
        return Result("system", _SB942, asks, Message("{code}: the provider's private number of a service", code=code),
                      OPEN)
    return Result("system", _SB942, asks, Message("none"), FAIL)
