# SPDX-License-Identifier: Apache-2.0
"""Label: what is said about the content. GB 45438-2025, clause 6 and Annex E (normative).

`Label` accepts only what the standard allows; `labelkit.metadata.aigc` reads the labels of others leniently.
"""

from __future__ import annotations

import enum
import functools
import json
import re
import warnings
from dataclasses import dataclass
from typing import TYPE_CHECKING

from labelkit.errors import InvalidArgument, InvalidLabel
from labelkit.messages import Message

if TYPE_CHECKING:
    import datetime

FIELDS = ("Label", "ContentProducer", "ProduceID", "ReservedCode1",
          "ContentPropagator", "PropagateID", "ReservedCode2")
"""The seven names of Annex E, in the order of the standard."""

# Annex E j): GB 18030 code positions 0x21, 0x23-0x5B, 0x5D-0x7E; a quotation mark only as \"
_FORBIDDEN = re.compile(r"[^\x21\x23-\x5b\x5d-\x7e]")
_FORBIDDEN_IN_RESERVED = re.compile(r"[^\x21-\x5b\x5d-\x7e]")
_ENCODER = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"))
PLACEHOLDER = re.compile(r"%!\w?\(.*\)|\$\{.*\}|\{\{.*\}\}|null|none|undefined|value\d", re.IGNORECASE | re.DOTALL)
"""What programs write where a value is missing; readers take it for an empty field."""
PROVIDER_CODE = re.compile(r"[0-9A-Z]{27}")
CODE_LIKE = re.compile(r"00[0-9A-Za-z]{18,32}")  # of a few characters more or less, or in small letters: no name

_USCC_ALPHABET = "0123456789ABCDEFGHJKLMNPQRTUWXY"
_USCC_WEIGHTS = [pow(3, i, 31) for i in range(17)]
_ORGANISATION_WEIGHTS = (3, 7, 9, 10, 5, 8, 4, 2)


class Kind(enum.Enum):
    """GB 45438 `Label`: how certain it is that the content was generated."""

    GENERATED = "1"
    POSSIBLE = "2"
    SUSPECTED = "3"


@dataclass(frozen=True, slots=True)
class Label:
    """The seven fields of Annex E. Raises InvalidLabel, naming the clause, for a label that the standard forbids.

    content_producer    name or 27-character code of the service that generated the content
    produce_id          that service's unique number for this content
    reserved_code1      the producer's integrity data, may be empty
    content_propagator, propagate_id
                        the service that distributes the content and its number; by default those of the producer
    reserved_code2      the propagator's integrity data, may be empty

    A propagator that labels unlabelled content (kind POSSIBLE or SUSPECTED) leaves the producer's fields empty.
    """

    kind: Kind
    content_producer: str
    produce_id: str
    reserved_code1: str = ""
    content_propagator: str = ""
    propagate_id: str = ""
    reserved_code2: str = ""

    def __post_init__(self) -> None:
        if not isinstance(self.kind, Kind):
            raise InvalidLabel('GB 45438-2025 Annex E: Label is Kind "1", "2" or "3", got {got}', got=repr(self.kind))
        if not self.content_propagator and not self.propagate_id:  # Annex E, note 1: first write
            object.__setattr__(self, "content_propagator", self.content_producer)
            object.__setattr__(self, "propagate_id", self.produce_id)
        for name, value in self.fields().items():
            _check_characters(name, value, quotes=name.startswith("Reserved"))
        self._check_parties()

    def _check_parties(self) -> None:
        if self.kind is Kind.GENERATED and not (self.content_producer and self.produce_id):
            raise InvalidLabel("GB 45438-2025 6.1 a): generated content names its producer and production "
                               "number; ContentProducer is {producer}, ProduceID is {produce_id}",
                               producer=repr(self.content_producer), produce_id=repr(self.produce_id))
        if not (self.content_propagator and self.propagate_id):
            raise InvalidLabel("GB 45438-2025 6.1 a): ContentPropagator is {propagator}, PropagateID is "
                               "{propagate_id}; both or neither must be given",
                               propagator=repr(self.content_propagator), propagate_id=repr(self.propagate_id))
        for name, code in (("ContentProducer", self.content_producer), ("ContentPropagator", self.content_propagator)):
            if CODE_LIKE.fullmatch(code):
                problem = provider_code_problem(code)
                if problem:
                    raise InvalidLabel("{name} {code} is not a provider code (coding rules for service "
                                       "providers, 2025-03): {problem}", name=name, code=code, problem=problem)

    def fields(self) -> dict[str, str]:
        """The seven fields by their names in the standard, in its order."""
        return dict(zip(FIELDS, (self.kind.value, self.content_producer, self.produce_id, self.reserved_code1,
                                 self.content_propagator, self.propagate_id, self.reserved_code2), strict=True))

    def to_json(self, *, wrapped: bool = False) -> str:
        """The value of Annex E b): the plain object for slots named AIGC, else wrapped as {"AIGC": ...}."""
        bare = _ENCODER.encode(self.fields())
        return '{"AIGC": ' + bare + "}" if wrapped else bare

    @classmethod
    def from_fields(cls, fields: dict[str, str]) -> Label:
        """A label from exactly the seven fields; raises InvalidLabel for other names or types."""
        if set(fields) != set(FIELDS) or not all(isinstance(value, str) for value in fields.values()):
            raise InvalidLabel("GB 45438-2025 Annex E: a label has the seven string fields {wanted}, got {got}",
                               wanted=", ".join(FIELDS), got=", ".join(sorted(map(str, fields))))
        if fields["Label"] not in {kind.value for kind in Kind}:
            raise InvalidLabel('GB 45438-2025 Annex E: Label is Kind "1", "2" or "3", got {got}',
                               got=repr(fields["Label"]))
        return cls(Kind(fields["Label"]), *(fields[name] for name in FIELDS[1:]))

    @classmethod
    def as_found(cls, kind: Kind, fields: dict[str, str]) -> Label:
        """A label as found in a file, without any of the checks. Readers return it.

        `fields` holds at least the six names after Label, as strings. Such a label is written only where a propagator
        must keep the producer's fields unchanged; every other label made from it is checked again.
        """
        label = object.__new__(cls)
        values = (kind, *(fields[name] for name in FIELDS[1:]))
        for name, value in zip(cls.__slots__, values, strict=True):
            object.__setattr__(label, name, value)
        return label

    def propagated_by(self, propagator: str, propagate_id: str, *, reserved_code2: str = "",
                      kind: Kind | None = None) -> Label:
        """This label with a propagator's fields; the producer's stay as they are, whatever they are (Measures, 6).

        kind    the new kind, where evidence changes it
        Raises InvalidLabel if the propagator's own fields violate the standard.
        """
        ours = Label(Kind.SUSPECTED, "", "", "", propagator, propagate_id, reserved_code2).fields()
        kept = {name: self.fields()[name] for name in ("ContentProducer", "ProduceID", "ReservedCode1")}
        return Label.as_found(kind or self.kind, {**ours, **kept})

    def spread_by(self, propagator: str, propagate_id: str, *, reserved_code2: str = "",
                  kind: Kind | None = None) -> Label:
        """Deprecated name of `propagated_by`."""
        warnings.warn("Label.spread_by is now Label.propagated_by", DeprecationWarning, stacklevel=2)
        return self.propagated_by(propagator, propagate_id, reserved_code2=reserved_code2, kind=kind)


def _check_characters(name: str, value: object, *, quotes: bool) -> None:
    if not isinstance(value, str):
        raise InvalidLabel("GB 45438-2025 Annex E: {name} is a string, got {got}", name=name, got=type(value).__name__)
    found = (_FORBIDDEN_IN_RESERVED if quotes else _FORBIDDEN).search(value)
    if found:
        raise InvalidLabel("GB 45438-2025 Annex E j): {name} holds {character} at position {position}; only printable "
                           "ASCII without space, quotation mark and backslash may be written",
                           name=name, character=repr(found.group()), position=found.start(),
                           hint="give the 27-character provider code, or the name in Latin letters without spaces")
    if PLACEHOLDER.fullmatch(value):
        raise InvalidLabel("{name} is {value}, which stands for a value that is missing, and is read as an empty field",
                           name=name, value=repr(shortened(value)))


def shortened(value: str, length: int = 80) -> str:
    """A value as it is shown to people: strangers write numbers of ten thousand characters."""
    return value if len(value) <= length else f"{value[:length]}… ({len(value)})"


_SOURCE_TYPES = "http://cv.iptc.org/newscodes/digitalsourcetype/"
TRAINED_MEDIA = f"{_SOURCE_TYPES}trainedAlgorithmicMedia"
COMPOSITE_MEDIA = f"{_SOURCE_TYPES}compositeWithTrainedAlgorithmicMedia"
IPTC = "http://iptc.org/std/Iptc4xmpExt/2008-02-29/"
"""IPTC Photo Metadata 2025.1, Extension schema."""


@dataclass(frozen=True, slots=True)
class Generator:
    """The system that generated or altered the content, as manifest and XMP state it.

    California's SB 942 wants the first three, the EU Code of Practice encourages all (M1.3).

    created  aware datetime of the creation, or None: not stated
    model    identifier of the model, such as a package URL; stated in the manifest (C2PA 2.4, c2pa.ai-disclosure)
    edit     the kind of edit, such as "object removal", where AI altered content that was there; "" where it made it
    """

    name: str
    version: str = ""
    created: datetime.datetime | None = None
    model: str = ""
    edit: str = ""

    def __post_init__(self) -> None:
        for name, least in (("name", 1), ("version", 0), ("model", 0), ("edit", 0)):
            value = getattr(self, name)
            if not isinstance(value, str) or not least <= len(value) <= 128 or not value.isprintable():
                raise InvalidArgument("{name} of the generator is a text of {least} to 128 printable characters, got "
                                      "{value}", name=name, least=least, value=repr(value)[:160])
        if self.created is not None and getattr(self.created, "tzinfo", None) is None:
            raise InvalidArgument("created is a datetime with a time zone, got {got}", got=repr(self.created))

    @property
    def source_type(self) -> str:
        """The IPTC digital source type: made by a model, or altered by one."""
        return COMPOSITE_MEDIA if self.edit else TRAINED_MEDIA

    def iptc(self) -> dict[str, str]:
        """What is stated of it, by the names of the schema `IPTC`."""
        facts = {"DigitalSourceType": self.source_type, "AISystemUsed": self.name, "AISystemVersionUsed": self.version}
        return {name: value for name, value in facts.items() if value}


@functools.lru_cache(maxsize=256)  # a service writes its own code into every label, twice
def provider_code_problem(code: str) -> Message | None:
    """Why `code` is not a 27-character provider code, or None if it is one.

    Layout and checks: TC260 coding rules for service providers (2025-03-14). The subject code of
    an organisation is a Unified Social Credit Code (GB 32100-2015, GB 11714).
    """
    if not PROVIDER_CODE.fullmatch(code):
        return Message("a provider code has 27 digits and capital letters, got {count} characters", count=len(code))
    if code[:2] != "00":
        return Message("positions 1-2 must be the format code 00, got {got}", got=code[:2])
    if code[2] not in "12":
        return Message("position 3 must be the subject type 1 or 2, got {got}", got=code[2])
    if code[22] not in "012":
        return Message("position 23 must be the service type 0, 1 or 2, got {got}", got=code[22])
    return social_credit_code_problem(code[4:22]) if code[2:4] == "11" else None


def social_credit_code_problem(code: str) -> Message | None:
    """Why `code` is not an 18-character Unified Social Credit Code, or None if it is (GB 32100-2015, GB 11714)."""
    if len(code) != 18 or any(c not in _USCC_ALPHABET for c in code):
        return Message("a Unified Social Credit Code has 18 characters without I, O, S, V, Z")
    total = sum(_USCC_ALPHABET.index(c) * w for c, w in zip(code[:17], _USCC_WEIGHTS, strict=True))
    check = _USCC_ALPHABET[-total % 31]
    if code[17] != check:
        return Message("the last character of {code} must be the check character {check} (GB 32100-2015), got {got}",
                       code=code, check=check, got=code[17])
    value = 11 - sum(int(c, 36) * w for c, w in zip(code[8:16], _ORGANISATION_WEIGHTS, strict=True)) % 11
    check = {10: "X", 11: "0"}.get(value, str(value))
    if code[16] != check:
        return Message("position 17 of {code} must be the check character {check} (GB 11714), got {got}", code=code,
                       check=check, got=code[16])
    return None
