# SPDX-License-Identifier: Apache-2.0
"""Label: what is said about the content. GB 45438-2025, clause 6 and Annex E (normative).

The writer is strict; the liberal reader of other people's labels is `labelkit.metadata.aigc`.
"""

from __future__ import annotations

import enum
import json
import re
from dataclasses import dataclass

from labelkit.errors import InvalidLabel

FIELDS = ("Label", "ContentProducer", "ProduceID", "ReservedCode1",
          "ContentPropagator", "PropagateID", "ReservedCode2")
"""The seven names of Annex E, in the order of the standard."""

# Annex E j): GB 18030 code positions 0x21, 0x23-0x5B, 0x5D-0x7E; a quotation mark only as \"
_PLAIN = re.compile(r"[\x21\x23-\x5b\x5d-\x7e]*")
_WITH_QUOTES = re.compile(r"[\x21-\x5b\x5d-\x7e]*")
_ENCODER = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"))
_LOOKS_LIKE_CODE = re.compile(r"00[0-9A-Z]{18,30}")

_USCC_ALPHABET = "0123456789ABCDEFGHJKLMNPQRTUWXY"
_USCC_WEIGHTS = [pow(3, i, 31) for i in range(17)]
_ORGANISATION_WEIGHTS = (3, 7, 9, 10, 5, 8, 4, 2)


class Kind(enum.Enum):
    """GB 45438 `Label`: how sure the statement is."""

    GENERATED = "1"
    POSSIBLE = "2"
    SUSPECTED = "3"


@dataclass(frozen=True, slots=True)
class Label:
    """The seven fields of Annex E. Raises InvalidLabel, naming the clause, for a label it forbids.

    content_producer    name or 27-character code of the service that generated the content
    produce_id          that service's unique number for this content
    reserved_code1      the producer's integrity data, may be empty
    content_propagator, propagate_id
                        the service that spreads it and its number; on first write the producer's own
    reserved_code2      the propagator's integrity data, may be empty

    A propagator that labels content nobody labelled (kind POSSIBLE or SUSPECTED) leaves the
    producer's two fields empty and fills its own.
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
            if _LOOKS_LIKE_CODE.fullmatch(code):
                problem = provider_code_problem(code)
                if problem:
                    raise InvalidLabel("{name} {code} is not a provider code (coding rules for service "
                                       "providers, 2025-03): {problem}", name=name, code=code, problem=problem)

    def fields(self) -> dict[str, str]:
        """The seven fields by their names in the standard, in its order."""
        return dict(zip(FIELDS, (self.kind.value, self.content_producer, self.produce_id, self.reserved_code1,
                                 self.content_propagator, self.propagate_id, self.reserved_code2), strict=True))

    def to_json(self, *, wrapped: bool = False) -> str:
        """The value of Annex E b): bare for slots that are themselves called AIGC, else wrapped in {"AIGC": ...}."""
        bare = _ENCODER.encode(self.fields())
        return '{"AIGC": ' + bare + "}" if wrapped else bare

    @classmethod
    def from_fields(cls, fields: dict[str, str]) -> Label:
        """A label from exactly the seven names; raises InvalidLabel for any other set or type."""
        if set(fields) != set(FIELDS) or not all(isinstance(value, str) for value in fields.values()):
            raise InvalidLabel("GB 45438-2025 Annex E: a label has the seven string fields {wanted}, got {got}",
                               wanted=", ".join(FIELDS), got=", ".join(sorted(map(str, fields))))
        if fields["Label"] not in {kind.value for kind in Kind}:
            raise InvalidLabel('GB 45438-2025 Annex E: Label is Kind "1", "2" or "3", got {got}',
                               got=repr(fields["Label"]))
        return cls(Kind(fields["Label"]), *(fields[name] for name in FIELDS[1:]))

    @classmethod
    def as_found(cls, kind: Kind, fields: dict[str, str]) -> Label:
        """A label exactly as somebody else wrote it, none of its checks made: what readers report.

        `fields` holds at least the six names after Label, as strings. It is written only where a propagator must keep
        the producer's fields as they are; any other label made from it is checked again.
        """
        label = object.__new__(cls)
        values = (kind, *(fields[name] for name in FIELDS[1:]))
        for name, value in zip(cls.__slots__, values, strict=True):
            object.__setattr__(label, name, value)
        return label

    def spread_by(self, propagator: str, propagate_id: str, *, reserved_code2: str = "",
                  kind: Kind | None = None) -> Label:
        """This label with a propagator's fields; the producer's stay as they are, whatever they are (Measures, 6).

        kind    where evidence changes it
        Raises InvalidLabel where the propagator's own fields break the standard.
        """
        ours = Label(Kind.SUSPECTED, "", "", "", propagator, propagate_id, reserved_code2).fields()
        kept = {name: self.fields()[name] for name in ("ContentProducer", "ProduceID", "ReservedCode1")}
        return Label.as_found(kind or self.kind, {**ours, **kept})


def _check_characters(name: str, value: object, *, quotes: bool) -> None:
    if not isinstance(value, str):
        raise InvalidLabel("GB 45438-2025 Annex E: {name} is a string, got {got}", name=name, got=type(value).__name__)
    allowed = _WITH_QUOTES if quotes else _PLAIN
    end = allowed.match(value).end()
    if end < len(value):
        raise InvalidLabel("GB 45438-2025 Annex E j): {name} holds {character} at position {position}; only printable "
                           "ASCII without space, quotation mark and backslash may be written",
                           name=name, character=repr(value[end]), position=end,
                           hint="give the 27-character provider code, or the name in Latin letters without spaces")


def provider_code_problem(code: str) -> str | None:
    """Why `code` is not a 27-character provider code, or None where it is one.

    Layout and checks: TC260 coding rules for service providers (2025-03-14); the subject code of
    an organisation is a Unified Social Credit Code (GB 32100-2015, GB 11714).
    """
    if not re.fullmatch("[0-9A-Z]{27}", code):
        return f"27 digits and capital letters wanted, got {len(code)} characters"
    if code[:2] != "00":
        return f"format code 00 wanted in positions 1-2, got {code[:2]}"
    if code[2] not in "12":
        return f"subject type 1 or 2 wanted in position 3, got {code[2]}"
    if code[22] not in "012":
        return f"service type 0, 1 or 2 wanted in position 23, got {code[22]}"
    return social_credit_code_problem(code[4:22]) if code[2:4] == "11" else None


def social_credit_code_problem(code: str) -> str | None:
    """Why `code` is not an 18-character Unified Social Credit Code, or None (GB 32100-2015, GB 11714)."""
    if len(code) != 18 or any(c not in _USCC_ALPHABET for c in code):
        return "a Unified Social Credit Code has 18 characters without I, O, S, V, Z"
    total = sum(_USCC_ALPHABET.index(c) * w for c, w in zip(code[:17], _USCC_WEIGHTS, strict=True))
    check = _USCC_ALPHABET[-total % 31]
    if code[17] != check:
        return f"check character {check} wanted at the end of {code} (GB 32100-2015), got {code[17]}"
    value = 11 - sum(int(c, 36) * w for c, w in zip(code[8:16], _ORGANISATION_WEIGHTS, strict=True)) % 11
    check = {10: "X", 11: "0"}.get(value, str(value))
    if code[16] != check:
        return f"check character {check} wanted at position 17 of {code} (GB 11714), got {code[16]}"
    return None
