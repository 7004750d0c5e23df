# SPDX-License-Identifier: Apache-2.0
"""Entries and records of the log, and the hash that chains the records."""

from __future__ import annotations

import datetime
import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import NamedTuple, TypeVar

from labelkit.errors import InvalidArgument, LabelkitError, MalformedFile
from labelkit.label import Label
from labelkit.payload import Payload
from labelkit.plan import Plan

KEEP_DAYS = 184  # Labeling Measures, Article 9: at least six months; no six months are longer
GENESIS = hashlib.sha256(b"labelkit label log 1").hexdigest()
MAX_TEXT = 1024  # characters of a recipient or an agreement
MAX_BODY = 1 << 16
EXPIRED = '{"expired":'  # how the body of a record of removed records begins: `canonical` sorts the names
_SHA256 = re.compile(r"[0-9a-f]{64}")
_LOOKUP_BITS = 59  # producer and content of a payload; kind and version may change while the content stays
_Value = TypeVar("_Value", int, str)

EPOCH = datetime.datetime(1970, 1, 1, tzinfo=datetime.UTC)


@dataclass(frozen=True, slots=True)
class Waiver:
    """Why content was delivered without an explicit label (Labeling Measures, Article 9).

    recipient  who asked for it and received the content, as the service identifies them
    agreement  version of the user agreement that states the recipient's duty to label and their liability
    """

    recipient: str
    agreement: str

    def __post_init__(self) -> None:
        for name in ("recipient", "agreement"):
            value = getattr(self, name)
            if not isinstance(value, str) or not value.strip() or len(value) > MAX_TEXT:
                raise InvalidArgument("{name} must be a text of 1 to {limit} characters, got {got}", name=name,
                                      limit=MAX_TEXT, got=repr(value)[:80])


@dataclass(frozen=True, slots=True)
class Entry:
    """One labelling.

    time           aware datetime
    label          the label that was written
    payload        of the watermark, None without a watermark
    plan           the layers that were written
    sha256_before, sha256_after
                   SHA-256 of the file before and after, 64 hexadecimal digits
    fingerprint    of the picture (see `fingerprint`), None for other media
    waiver         required if the explicit label is owed but left out; it does not waive the implicit label
    """

    time: datetime.datetime
    label: Label
    payload: Payload | None = None
    plan: Plan | None = None
    sha256_before: str | None = None
    sha256_after: str | None = None
    fingerprint: int | None = None
    waiver: Waiver | None = None

    def __post_init__(self) -> None:
        if not isinstance(self.time, datetime.datetime) or self.time.tzinfo is None:
            raise InvalidArgument("time must be a datetime with a time zone, got {got}", got=repr(self.time))
        if not isinstance(self.label, Label):
            raise InvalidArgument("label must be a Label, got {got}", got=type(self.label).__name__)
        for name in ("sha256_before", "sha256_after"):
            value = getattr(self, name)
            if value is not None and not (isinstance(value, str) and _SHA256.fullmatch(value)):
                raise InvalidArgument("{name} must be 64 lower-case hexadecimal digits, got {got}",
                                      name=name, got=repr(value)[:80])
        if self.fingerprint is not None and not 0 <= self.fingerprint < 1 << 64:
            raise InvalidArgument("fingerprint must be a 64-bit integer, got {got}", got=repr(self.fingerprint))
        if self.waiver is not None:
            self._check_waiver()

    def _check_waiver(self) -> None:
        if self.plan is None or not self.plan.metadata:
            raise InvalidArgument("Labeling Measures, Article 9: only the explicit label can be waived; the plan must "
                                  "write the implicit one")
        if self.plan.explicit is not None:
            raise InvalidArgument("the waiver says that there is no explicit label, but the plan draws one")

    def body(self) -> str:
        """The entry as canonical JSON, which the hash of the record covers."""
        facts = {"time": microseconds(self.time), "label": self.label.fields(),
                 "payload": self.payload.hex if self.payload else None, "plan": _plan_facts(self.plan),
                 "sha256_before": self.sha256_before, "sha256_after": self.sha256_after,
                 "fingerprint": f"{self.fingerprint:016x}" if self.fingerprint is not None else None,
                 "waiver": asdict(self.waiver) if self.waiver else None}
        return canonical(facts)


@dataclass(frozen=True, slots=True)
class Head:
    """Number and hash of the newest record. Store it elsewhere and `verify` against it later.

    time  of that record, in microseconds since 1970; with it, an early removal of the record is detected
    """

    number: int
    hash: str
    time: int | None = field(default=None, compare=False)


class Expiry(NamedTuple):
    """Which records were removed, as a record of the log states it.

    number, hash  of the newest record that was removed
    time          of the youngest one, in microseconds since 1970
    first         the number of the oldest record that was removed
    removed       how many were removed
    proof         the newest record of a labelling at that time: it shows that the removed ones were old enough

    Records of labelkit 0.1 state none of the last three.
    """

    number: int
    hash: str
    time: int
    first: int | None = None
    removed: int | None = None
    proof: Head | None = None


class SearchColumns(NamedTuple):
    """The columns that the log is searched by; numbers are signed, as databases store them."""

    time: int
    mark: int | None
    produce_id: str | None
    sha256_before: str | None
    sha256_after: str | None
    fingerprint: int | None


@dataclass(frozen=True, slots=True)
class Record:
    """A record of the log. Its properties raise MalformedFile where the body does not hold what they return.

    number  1, 2, 3 and so on
    hash    SHA-256 of the previous hash, the number and the body, as 64 hexadecimal digits
    body    canonical JSON: the facts of an entry, or {"expired": ...} where old records were removed
    """

    number: int
    hash: str
    body: str

    @property
    def facts(self) -> dict[str, object]:
        """The body as JSON values."""
        try:
            facts = json.loads(self.body)
        except (ValueError, RecursionError):
            facts = None
        if not isinstance(facts, dict) or not isinstance(facts.get("time"), int):
            raise self._malformed()
        return facts

    @property
    def microseconds(self) -> int:
        """When the content was labelled, in microseconds since 1970, UTC."""
        time = _value(self.facts, "time", int)
        assert time is not None  # `facts` has checked it
        return time

    @property
    def time(self) -> datetime.datetime:
        """When the content was labelled, UTC."""
        try:
            return EPOCH + datetime.timedelta(microseconds=self.microseconds)
        except OverflowError as error:
            raise self._malformed() from error

    @property
    def label(self) -> Label | None:
        """The label, None for a record of expiry."""
        fields = self.facts.get("label")
        return Label.from_fields(fields) if isinstance(fields, dict) else None

    @property
    def payload(self) -> Payload | None:
        """The payload of the watermark, None without a watermark."""
        try:
            text = _value(self.facts, "payload", str)
            return Payload.from_bytes(bytes.fromhex(text)) if text else None
        except (LabelkitError, TypeError, ValueError) as error:
            raise self._malformed() from error

    @property
    def waiver(self) -> Waiver | None:
        """Who received the content without an explicit label, None if it has one."""
        waiver = self.facts.get("waiver")
        if not waiver:
            return None
        try:
            return Waiver(**waiver)  # type: ignore[arg-type]  # TypeError says that it is no object of two texts
        except (LabelkitError, TypeError) as error:
            raise self._malformed() from error

    @property
    def is_labelling(self) -> bool:
        """Whether the record is of a labelling, by the start of its body, as the database can tell it too."""
        return not self.body.startswith(EXPIRED)

    @property
    def expiry(self) -> Expiry | None:
        """Which records this one states as removed, None for the record of a labelling."""
        expired = self.facts.get("expired")
        if not isinstance(expired, dict):
            return None
        try:
            number, hash_, time = (_value(expired, "number", int), _value(expired, "hash", str),
                                   _value(expired, "time", int))
            first, count, proof = (_value(expired, "first", int), _value(expired, "count", int), expired.get("proof"))
            known = Head(**proof) if isinstance(proof, dict) else None
            if known and [type(value) for value in (known.number, known.hash, known.time)] != [int, str, int]:
                raise TypeError("a proof has a number, a hash and a time")
        except TypeError as error:
            raise self._malformed() from error
        if number is None or not hash_ or time is None:
            raise self._malformed()
        return Expiry(number, hash_, time, first, count, known)

    def columns(self) -> SearchColumns:
        """The columns that the log is searched by."""
        facts = self.facts
        try:
            payload, print_ = self.payload, _value(facts, "fingerprint", str)
            label = facts.get("label") or {}
            if not isinstance(label, dict):
                raise TypeError("a label is an object")
            return SearchColumns(self.microseconds, lookup_number(payload) if payload else None,
                                 _value(label, "ProduceID", str), _value(facts, "sha256_before", str),
                                 _value(facts, "sha256_after", str), as_int64(int(print_, 16)) if print_ else None)
        except (ValueError, TypeError) as error:
            raise self._malformed() from error

    def _malformed(self) -> MalformedFile:
        return MalformedFile("record {number} of the log is malformed", number=self.number)


def _value(facts: Mapping[str, object], name: str, kind: type[_Value]) -> _Value | None:
    """A member of the type, or None where there is none; raises TypeError for another type."""
    value = facts.get(name)
    if value is not None and not isinstance(value, kind):
        raise TypeError(f"{name} is no {kind.__name__}")
    return value


def record_hash(before: str, number: int, body: str) -> str:
    """The hash of a record: SHA-256 of the previous hash, its number and its body."""
    return hashlib.sha256(f"{before}\n{number}\n{body}".encode("utf-8", "surrogatepass")).hexdigest()


def lookup_number(payload: Payload) -> int:
    """Producer and content of a payload as one number, which stays the same when a propagator raises the kind."""
    return int(payload) & (1 << _LOOKUP_BITS) - 1


def as_int64(number: int) -> int:
    """64 bits as the signed integer that databases store."""
    return number - (1 << 64) if number >> 63 else number


def microseconds(time: datetime.datetime) -> int:
    """Microseconds since 1970, UTC."""
    return (time - EPOCH) // datetime.timedelta(microseconds=1)


def canonical(facts: Mapping[str, object]) -> str:
    """JSON with sorted names, without spaces, in ASCII, because databases store other characters differently.

    Raises InvalidArgument beyond 64 kB.
    """
    text = json.dumps(facts, sort_keys=True, separators=(",", ":"))
    if len(text) > MAX_BODY:
        raise InvalidArgument("a record of the log has at most {limit} characters of JSON, got {size}",
                              limit=MAX_BODY, size=len(text))
    return text


def _plan_facts(plan: Plan | None) -> dict[str, object] | None:
    if plan is None:
        return None
    explicit = asdict(plan.explicit) if plan.explicit else None
    if explicit:
        explicit = {name: str(value) if isinstance(value, Path) else value for name, value in explicit.items()}
    return {"explicit": explicit, "watermark": asdict(plan.watermark) if plan.watermark else None,
            "metadata": plan.metadata, "provenance": plan.provenance.subject if plan.provenance else None}
