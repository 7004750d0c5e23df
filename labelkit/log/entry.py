# SPDX-License-Identifier: Apache-2.0
"""What one record of the log says, and the chain that holds the records together."""

from __future__ import annotations

import datetime
import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

from labelkit.errors import InvalidArgument, LabelkitError, MalformedFile
from labelkit.label import Label
from labelkit.plan import Plan
from labelkit.watermark.payload import Payload

KEEP_DAYS = 184  # Labeling Measures, Article 9: at least six months; no six months are longer
GENESIS = hashlib.sha256(b"labelkit label log 1").hexdigest()
MAX_TEXT = 1024  # characters of a recipient or an agreement
MAX_BODY = 1 << 16
_SHA256 = re.compile(r"[0-9a-f]{64}")
_MARK_BITS = 59  # producer and content of a payload; kind and version may change while the content stays

EPOCH = datetime.datetime(1970, 1, 1, tzinfo=datetime.UTC)


@dataclass(frozen=True, slots=True)
class Waiver:
    """Why content went out without an explicit label (Measures, Article 9): who asked for it, under which agreement.

    recipient  who received the content, as the service identifies them
    agreement  the version of the user agreement that fixes the recipient's duty to label and their liability
    """

    recipient: str
    agreement: str

    def __post_init__(self) -> None:
        for name in ("recipient", "agreement"):
            value = getattr(self, name)
            if not isinstance(value, str) or not value.strip() or len(value) > MAX_TEXT:
                raise InvalidArgument("{name} is a text of 1 to {limit} characters, got {got}", name=name,
                                      limit=MAX_TEXT, got=repr(value)[:80])


@dataclass(frozen=True, slots=True)
class Entry:
    """One labelling.

    time           aware datetime
    label          the label that was put on
    payload        of the watermark, None without one
    plan           the layers that were put on
    sha256_before, sha256_after
                   64 hexadecimal digits over the file as it came and as it went
    fingerprint    of the picture (see `fingerprint`), None for other media
    waiver         needed where the explicit label is owed and left out; the implicit label is not waived by it
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
            raise InvalidArgument("time is a datetime with a time zone, got {got}", got=repr(self.time))
        if not isinstance(self.label, Label):
            raise InvalidArgument("label must be a Label, got {got}", got=type(self.label).__name__)
        for name in ("sha256_before", "sha256_after"):
            value = getattr(self, name)
            if value is not None and not (isinstance(value, str) and _SHA256.fullmatch(value)):
                raise InvalidArgument("{name} is 64 lower-case hexadecimal digits, got {got}",
                                      name=name, got=repr(value)[:80])
        if self.fingerprint is not None and not 0 <= self.fingerprint < 1 << 64:
            raise InvalidArgument("fingerprint is an integer of 64 bits, got {got}", got=repr(self.fingerprint))
        if self.waiver is not None:
            self._check_waiver()

    def _check_waiver(self) -> None:
        if self.plan is None or not self.plan.metadata:
            raise InvalidArgument("Labeling Measures, Article 9: only the explicit label is waived; the plan must "
                                  "write the implicit one")
        if self.plan.explicit is not None:
            raise InvalidArgument("the waiver says that there is no explicit label, the plan puts one on")

    def body(self) -> str:
        """The entry as canonical JSON, which the chain's hash covers."""
        facts = {"time": microseconds(self.time), "label": self.label.fields(),
                 "payload": self.payload.hex if self.payload else None, "plan": _plan_facts(self.plan),
                 "sha256_before": self.sha256_before, "sha256_after": self.sha256_after,
                 "fingerprint": f"{self.fingerprint:016x}" if self.fingerprint is not None else None,
                 "waiver": asdict(self.waiver) if self.waiver else None}
        return canonical(facts)


@dataclass(frozen=True, slots=True)
class Head:
    """Number and hash of the newest record; keep it elsewhere and `verify` against it."""

    number: int
    hash: str


@dataclass(frozen=True, slots=True)
class Record:
    """A record as it stands in the log.

    number  1, 2, 3 and so on
    hash    SHA-256 over the hash before, the number and the body, as 64 hexadecimal digits
    body    canonical JSON: an entry's facts, or {"expired": ...} where old records were removed
    """

    number: int
    hash: str
    body: str

    @property
    def facts(self) -> dict[str, object]:
        """The body as JSON values; raises MalformedFile for a body that is none."""
        try:
            facts = json.loads(self.body)
        except (ValueError, RecursionError):
            facts = None
        if not isinstance(facts, dict) or not isinstance(facts.get("time"), int):
            raise MalformedFile("record {number} of the log is not one", number=self.number)
        return facts

    @property
    def time(self) -> datetime.datetime:
        """When the content was labelled, UTC."""
        return EPOCH + datetime.timedelta(microseconds=self.facts["time"])

    @property
    def label(self) -> Label | None:
        """The label, None for a record of expiry."""
        fields = self.facts.get("label")
        return Label.from_fields(fields) if isinstance(fields, dict) else None

    @property
    def payload(self) -> Payload | None:
        """The watermark's payload, None without one."""
        text = self.facts.get("payload")
        return Payload.from_bytes(bytes.fromhex(text)) if text else None

    @property
    def waiver(self) -> Waiver | None:
        """Who received the content without an explicit label, None where it has one."""
        waiver = self.facts.get("waiver")
        return Waiver(**waiver) if waiver else None

    def columns(self) -> tuple[int, int | None, str | None, str | None, str | None, int | None]:
        """What the log is searched by: time, mark, produce id, both digests, fingerprint; raises MalformedFile."""
        facts = self.facts
        try:
            payload, label, print_ = self.payload, facts.get("label") or {}, facts.get("fingerprint")
            return (facts["time"], mark(payload) if payload else None, label.get("ProduceID"),
                    facts.get("sha256_before"), facts.get("sha256_after"), signed(int(print_, 16)) if print_ else None)
        except (LabelkitError, ValueError, TypeError, AttributeError) as error:
            raise MalformedFile("record {number} of the log is not one", number=self.number) from error


def chained(before: str, number: int, body: str) -> str:
    """The hash of a record: SHA-256 over the hash before it, its number and its body."""
    return hashlib.sha256(f"{before}\n{number}\n{body}".encode("utf-8", "surrogatepass")).hexdigest()


def mark(payload: Payload) -> int:
    """Producer and content of a payload as one number: what does not change when a propagator raises the kind."""
    return int(payload) & (1 << _MARK_BITS) - 1


def signed(number: int) -> int:
    """64 bits as databases keep them."""
    return number - (1 << 64) if number >> 63 else number


def microseconds(time: datetime.datetime) -> int:
    """Since 1970, UTC."""
    return (time - EPOCH) // datetime.timedelta(microseconds=1)


def canonical(facts: Mapping[str, object]) -> str:
    """JSON with sorted names and no spaces, ASCII, since databases differ in what else they keep; up to 64 kB."""
    text = json.dumps(facts, sort_keys=True, separators=(",", ":"))
    if len(text) > MAX_BODY:
        raise InvalidArgument("a record of the log is at most {limit} characters of JSON, got {size}",
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
