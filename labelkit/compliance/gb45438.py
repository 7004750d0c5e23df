# SPDX-License-Identifier: Apache-2.0
"""The rules of GB 45438-2025 and of the guides to it (TC260-PG-2025xA)."""

from __future__ import annotations

import functools
from collections.abc import Iterator, Mapping, Sequence

from labelkit.compliance import records
from labelkit.compliance.rules import FAIL, FREE_TEXT, OPEN, PASS, Given, Outcome, Result, read_in_vain, seen
from labelkit.evidence import Deviation, ExplicitEvidence, LabelCarrier, MetadataEvidence, SignatureEvidence
from labelkit.explicit.image.finding import PLACES
from labelkit.explicit.text.finding import PLACES as TEXT_PLACES
from labelkit.label import CODE_LIKE, PROVIDER_CODE, Kind, provider_code_problem, shortened
from labelkit.messages import Message
from labelkit.plan import MIN_HEIGHT_SHARE
from labelkit.report import LAYER_NAMES, Finding, Layer, Report, Status

_CLAUSES = {"image": Message("GB 45438-2025 5.2"), "audio": Message("GB 45438-2025 5.3"),
            "video": Message("GB 45438-2025 5.4"), "document": Message("GB 45438-2025 5.1")}
_GUIDES = {"image": Message("TC260-PG-20259A"), "audio": Message("TC260-PG-202510A"),
           "video": Message("TC260-PG-20257A"), "document": Message("TC260-PG-20258A")}
_ANNEX_E, _ELEMENTS = Message("GB 45438-2025 Annex E"), Message("GB 45438-2025 6.1 a)")
_ALSO_SHOWN = ("EXIF UserComment", "tEXt AIGC")  # in annex B of the image guide
# no guide that is known names a place in them
_NOT_NAMED = ("svg", "html", "odt", "ods", "odp", "epub", "ofd", "xmind", "glb", "gltf", "usdz")
_LONG_VALUE = 255  # characters: what a column of a database or a field of a log commonly takes


def rules(report: Report, given: Given) -> Iterator[Result]:
    """The rules that the report has something to say about, in the order of the standard."""
    family = report.metadata.family if report.metadata else ""
    waiver = records.waiver(report, given.waived)
    if waiver:
        yield waiver
    else:
        yield from _explicit(report[Layer.EXPLICIT], report.explicit or ExplicitEvidence(), family)
    yield from _metadata(report[Layer.METADATA], report.metadata)
    yield from _agreement(report)
    yield from records.kept(given)


def _explicit(finding: Finding, evidence: ExplicitEvidence, family: str) -> Iterator[Result]:
    clause = _CLAUSES.get(family, Message("GB 45438-2025 5"))
    asks = (Message("an audible label: spoken, with an AI element and a generation element, or the rhythm of AI")
            if family == "audio" else
            Message("an explicit label: words with an AI element and a generation element, or the corner mark AI")
            if family == "document" else Message("an explicit label with an AI element and a generation element"))
    if finding.status in (Status.ABSENT, Status.UNCHECKED):
        yield Result("explicit-label", clause, asks, finding.summary,
                     FAIL if read_in_vain(finding, evidence) else OPEN)
        return
    if evidence.wording == "english":
        yield Result("explicit-label", clause, asks, Message('"{text}": the standard names the characters 生成 and '
                     "合成, and does not say whether English will do", text=evidence.text), OPEN)
    elif evidence.wording == "other":
        yield Result("explicit-label", clause, asks, Message('"{text}": neither 生成 nor 合成', text=evidence.text),
                     FAIL)
    else:
        yield Result("explicit-label", clause, asks, Message('"{text}"', text=evidence.text)
                     if evidence.text is not None else finding.summary, PASS)
    if evidence.place in TEXT_PLACES:
        yield Result("explicit-position", clause, Message("at the start, at the end or at a suitable place between"),
                     TEXT_PLACES[evidence.place], PASS)
    place = evidence.position
    if place is not None:
        yield Result("explicit-position", clause, Message("at an edge or corner"), PLACES.get(place, finding.summary),
                     PASS if place else FAIL)
    share = evidence.height_share
    low = share is not None and share < MIN_HEIGHT_SHARE and finding.status is Status.INVALID
    if share is not None:
        yield Result("explicit-height", clause, Message("text height at least 5 % of the shortest side"),
                     Message("{share} %", share=f"{100 * share:.1f}"), FAIL if low else PASS)
    yield from _legible(evidence, clause, family)
    if finding.status is Status.INVALID and not low:
        yield Result("explicit-form", clause, Message("present where and as long as it must be"), finding.summary, FAIL)


# GB 45438-2025 asks for text that is clearly legible and for a rhythm that is clearly distinguishable, and gives no
# number. WCAG 2.2 does: large text needs a contrast of 3 : 1 (1.4.3), and what is 20 dB softer than the speech is
# background, not to be listened to (1.4.7). As far below a bar as a measurement may be off, nothing is said.
MIN_CONTRAST, _CONTRAST_ERROR = 3.0, 0.5
MIN_LEVEL_DB, _LEVEL_ERROR_DB = -20.0, 3.0


def _legible(evidence: ExplicitEvidence, clause: Message, family: str) -> Iterator[Result]:
    """Whether what is there can be read and heard."""
    if evidence.contrast is not None:
        yield Result("explicit-contrast", clause, Message("clearly legible: a contrast of 3 : 1 to the ground, which "
                     "WCAG 2.2 asks of large text"), Message("{contrast} : 1", contrast=f"{evidence.contrast:.1f}"),
                     _at_least(evidence.contrast, MIN_CONTRAST, _CONTRAST_ERROR))
    rhythms = [one for one in evidence.heard or () if one.sound == "rhythm"]
    if not rhythms or family != "audio":
        return
    asks = Message("clearly distinguishable: less than 20 dB softer than the programme, which WCAG 2.2 takes for the "
                   "background")
    levels = [one.level_db for one in rhythms if one.level_db is not None]
    if levels:
        yield Result("explicit-level", clause, asks, Message("{level} dB", level=f"{max(levels):+.1f}"),
                     _at_least(max(levels), MIN_LEVEL_DB, _LEVEL_ERROR_DB))
    else:
        loudness = max((one.loudness_lufs for one in rhythms if one.loudness_lufs is not None), default=None)
        yield Result("explicit-level", clause, asks, Message("{loudness} LUFS in a silent programme",
                     loudness="-" if loudness is None else f"{loudness:.1f}"), OPEN)


def _at_least(measured: float, bar: float, error: float) -> Outcome:
    return PASS if measured >= bar else OPEN if measured >= bar - error else FAIL


def _metadata(finding: Finding, evidence: MetadataEvidence | None) -> Iterator[Result]:
    asks = Message("an implicit label in the file's metadata")
    if finding.is_open:
        yield Result("metadata-label", Message("GB 45438-2025 6.1"), asks, seen(finding), OPEN)
        return
    if evidence and evidence.format in FREE_TEXT and finding.status is Status.ABSENT:
        yield Result("metadata-label", Message("GB 45438-2025 6.1"), asks,
                     Message("{format} has no place for metadata, and no guide names one", format=evidence.format),
                     OPEN)
        return
    yield Result("metadata-label", Message("GB 45438-2025 6.1"), asks, finding.summary,
                 PASS if finding.status is Status.VALID else FAIL)
    if evidence is None or not evidence.carriers:
        return
    carriers = evidence.carriers
    yield Result("metadata-unique", Message("GB 45438-2025 6.1 c)"), Message("one metadata label in the file"),
                 seen(finding, Message("{count}: {places}", count=len(carriers),
                                        places="; ".join(map(_place, carriers)))),
                 FAIL if len(carriers) > 1 else OPEN if finding.missed else PASS)
    yield _placement(carriers[0], evidence.family, evidence.format)
    readable = [carrier for carrier in carriers if carrier.fields is not None]
    if readable:
        yield from _fields(readable[0])
        yield from _signatures(evidence.signatures)


def _place(carrier: LabelCarrier) -> str:
    return f"{carrier.slot} @ {carrier.offset_bytes}"


def _placement(carrier: LabelCarrier, family: str, format: str) -> Result:
    clause, asks = _GUIDES.get(family, _ANNEX_E), Message("where the guide for the format puts it")
    place = Message("{value}", value=_place(carrier))
    if format in _NOT_NAMED:
        return Result("metadata-placement", clause, asks,
                      Message("{place}; no guide names a place in {format}", place=_place(carrier), format=format),
                      OPEN)
    fits = carrier.home or family == "image" and carrier.slot.endswith(_ALSO_SHOWN)
    return Result("metadata-placement", clause, asks, place, PASS if fits else FAIL)


_FORMS = {"bare": Message("bare"), "wrapped": Message("wrapped"), "quoted": Message("quoted"),
          "prefix": Message("prefix"), "base64": Message("base64"), "entities": Message("entities")}
"""How `metadata.aigc` found the JSON text to be packed."""


def _form_of(form: list[str]) -> Message:
    return functools.reduce(lambda outer, inner: Message("{outer}, {inner}", outer=outer, inner=inner),
                            [_FORMS[name] for name in form])


def _fields(carrier: LabelCarrier) -> Iterator[Result]:
    """The rules of Annex E, each from the deviations that its reader noted."""
    fields, form, deviations = carrier.fields or {}, list(carrier.form or ()), carrier.deviations or ()
    yield Result("json-form", Message("GB 45438-2025 Annex E b)"), Message("JSON text, bare or wrapped in AIGC"),
                 _form_of(form), PASS if form in (["bare"], ["wrapped"]) else FAIL)
    for rule, clause, asks, kinds, worst in _DEVIATIONS:
        noted = [f"{found.field}: {found.deviation} {found.got or ''}".rstrip()
                 for found in deviations if found.deviation in kinds]
        yield Result(rule, clause, asks, Message("{value}", value=", ".join(noted)) if noted else
                     Message("as asked"), worst if noted else PASS)
    empty = [name for name in ("ContentProducer", "ProduceID", "ContentPropagator", "PropagateID") if not fields[name]]
    # whom a platform names as the producer of what nobody labelled, the standard does not say
    unknown = fields["Label"] != Kind.GENERATED.value and empty == ["ContentProducer", "ProduceID"]
    yield Result("elements", _ELEMENTS, Message("producer, production number, propagator and its number are filled"),
                 Message("empty: {names}", names=", ".join(empty)) if empty else Message("all four"),
                 OPEN if unknown else FAIL if empty else PASS)
    yield from _lengths(fields)
    for name in ("ContentProducer", "ContentPropagator"):
        if fields[name]:
            yield _party(name, fields[name], deviations)


_DEVIATIONS = (
    ("seven-fields", _ANNEX_E, Message("the seven fields, each a string"),
     {"missing", "null", "number", "boolean", "nested", "placeholder"}, FAIL),
    ("field-names", _ANNEX_E, Message("the names of the standard, each once"),
     {"spelling", "repeated", "unknown field"}, FAIL),
    ("label-value", _ANNEX_E, Message('Label is "1", "2" or "3"'), {"not 1, 2 or 3"}, FAIL),
    # "shall mainly": other characters are not flatly forbidden
    ("characters", Message("GB 45438-2025 Annex E j)"), Message("mainly printable ASCII without space, quotation mark "
                                                                "and backslash"), {"character"}, OPEN))


def _party(name: str, value: str, deviations: Sequence[Deviation]) -> Result:
    clause, asks = Message("coding rules for service providers, 2025-03"), Message("{name}: a provider's name, or a "
                   "27-character code whose check digits fit", name=name)
    problem: str | Message | None = next((found.problem for found in deviations if found.field == name
                                          and found.deviation == "provider code"), None)
    if problem is None and CODE_LIKE.fullmatch(value):
        problem = provider_code_problem(value)
    if problem:
        return Result("provider-code", clause, asks, Message("{value}: {problem}", value=value, problem=problem), FAIL)
    found = (Message("{value}: a code that fits", value=value) if PROVIDER_CODE.fullmatch(value) else
             Message("{value}: a name", value=shortened(value)))
    return Result("provider-code", clause, asks, found, PASS)


def _lengths(fields: Mapping[str, str]) -> Iterator[Result]:
    """Said only of values that are too long to be a name or a number; the standard sets no bound."""
    long = [f"{name}: {len(value)}" for name, value in fields.items()
            if len(value) > _LONG_VALUE and not name.startswith("Reserved")]
    if long:
        yield Result("value-length", _ANNEX_E, Message("names and numbers that readers can store: at most {most} "
                     "characters", most=_LONG_VALUE), Message("{value}", value=", ".join(long)), OPEN)


_STATES = {"verified-pinned": (Message("signed with a pinned key"), PASS),
           "verified-self": (Message("unchanged since it was signed with the key in the file; the owner of that key is "
                                    "unknown"), PASS),
           "failed": (Message("the signature does not match the label: one of them was changed"), FAIL),
           "unsupported": (Message("not a signature that can be checked here"), OPEN),
           "absent": (Message("empty, which the standard allows"), PASS)}


def _signatures(signatures: Mapping[str, SignatureEvidence]) -> Iterator[Result]:
    for slot, signature in signatures.items():
        found, outcome = _STATES[signature.state]
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
