# SPDX-License-Identifier: Apache-2.0
"""The implicit label in the file's metadata (GB 45438-2025 clause 6 and Annex E): one label per file, kept beside
whatever else the file holds.

    labelled = metadata.write(data, label)          # bytes; write_file(source, target, label) for paths
    finding = metadata.read("cat.png")              # Finding of Layer.METADATA
    everything = metadata.inspect("cat.png")        # every slot, carrier and AI trace, with offsets

Where the label goes (TC260-PG-20257A to 202510A):

    JPEG PNG WebP GIF TIFF AVIF HEIC SVG     XMP, property TC260:AIGC
    MP4 MOV M4V M4A                          moov/udta/meta, key AIGC
    MKV WebM                                 SimpleTag AIGC           AVI    LIST INFO, chunk AIGC
    FLV                                      onMetaData, string AIGC  WAV    chunk AIGC
    MP3                                      ID3v2, TXXX AIGC         FLAC and Ogg (Vorbis, Opus, FLAC)    comment AIGC
    DOCX XLSX PPTX                           custom property AIGC     PDF    Info dictionary, key AIGC
    Markdown                                 front matter, AIGC       HTML   meta AIGC

Writing takes out the labels that stand elsewhere in the file: 6.1 c) allows one. A text or chunk that holds
nothing but the label goes; a label inside EXIF is overwritten with zeros, because EXIF must not move.
"""

from __future__ import annotations

import os
import re
from collections.abc import Collection
from dataclasses import dataclass

from labelkit import container
from labelkit.container import C2PA, EXIF, TEXT, XMP, Layout, Reader, Slot, Source
from labelkit.errors import InvalidArgument, LabelkitError, OutputFailed, UnsupportedFormat
from labelkit.label import FIELDS, Kind, Label
from labelkit.messages import Message
from labelkit.metadata import aigc, exif, producers, security_data, traces, xmp
from labelkit.report import Finding, Layer, Status

__all__ = ["inspect", "read", "write", "write_file"]

_KINDS = {Kind.GENERATED: Message("generated"), Kind.POSSIBLE: Message("possibly generated"),
          Kind.SUSPECTED: Message("suspected generated")}
_HINT = re.compile(rb"AIGC|Content_?Pro(?:ducer|pagator)|(?:Produce|Propagate)_?ID", re.IGNORECASE)
_MAX_TEXT = 256 << 10  # texts under foreign keys are searched for a label only up to here


def write(source: Source, label: Label, *, resign: bool = False) -> bytes:
    """The file with `label` as its one label, everything else kept byte for byte.

    source  a path, bytes or a seekable binary file, in a format that `container.sniff` knows
    resign  the caller signs a new C2PA manifest afterwards; without it a file that holds a manifest is refused,
            because the change would break its signature
    Raises UnsupportedFormat, MalformedFile, LimitExceeded, InvalidArgument, OutputFailed.
    """
    with container.opened(source) as reader:
        data = container.join(reader, _edits(reader, label, resign))
    _check(data, label)
    return data


def write_file(source: Source, target: str | os.PathLike, label: Label, *, resign: bool = False) -> None:
    """`write` from file to file without loading it: beside `target`, read back, then renamed. Source may be target."""
    with container.opened(source) as reader:
        container.save(reader, _edits(reader, label, resign), target, lambda path: _check(path, label))


def read(source: Source | Reader, *, pinned: Collection[bytes] = ()) -> Finding:
    """What the file's metadata says; never changes it. `pinned` holds SM2 keys known to be the producer's.

    VALID: one consistent label, which has an attribute and names a producer or propagator with its number. Deviations
    from Annex E that leave this clear are listed. INVALID: a label that cannot be read or lacks these, or several
    that differ, or one whose signature fails. ABSENT: none. The label of the finding is exactly what was found.
    evidence: format, family, carriers (slot, home, offset_bytes, length_bytes, form, fields, deviations or problem),
    disagreements, duplicates, producer (its public name), signatures (of each reserved code: state, reason, key, form;
    see `security_data`), traces (see `traces`), unread (slots that do not load).
    """
    with container.opened(source) as reader:
        layout = container.scan(reader)
        return _finding(layout, _carriers(layout), pinned)


def inspect(source: Source | Reader) -> dict:
    """Everything label-like in a file, as JSON values: its format, every slot with offsets, and `read`'s evidence."""
    with container.opened(source) as reader:
        layout = container.scan(reader)
        finding = _finding(layout, _carriers(layout))
    slots = [{"kind": slot.kind, "slot": _place(slot), "offset_bytes": slot.offset_bytes,
              "length_bytes": slot.length_bytes} for slot in layout.slots]
    return {"mime": layout.format.mime, "status": finding.status.value, "slots": slots, **finding.evidence}


@dataclass(slots=True)
class _Carrier:
    """A label found in a slot, or why what stands there is none."""

    slot: Slot
    place: str
    statement: aigc.Statement | None = None
    problem: Message | None = None
    home: bool = False  # it stands where the guide for its format wants it

    def evidence(self) -> dict:
        where = {"slot": self.place, "home": self.home, "offset_bytes": self.slot.offset_bytes,
                 "length_bytes": self.slot.length_bytes}
        if self.statement is None:
            return {**where, "problem": str(self.problem)}
        return {**where, "form": list(self.statement.form), "fields": self.statement.fields,
                "deviations": list(self.statement.deviations)}


def _place(slot: Slot) -> str:
    return f"{slot.name} {slot.key}".strip()


def _carriers(layout: Layout) -> list[_Carrier]:
    found: list[_Carrier] = []
    for slot in layout.slots:
        if slot.kind != C2PA:
            found += {XMP: _in_xmp, EXIF: _in_exif, TEXT: _in_text}[slot.kind](slot)
    return found


def _in_xmp(slot: Slot) -> list[_Carrier]:
    place = f"{_place(slot)} XMP" if slot.key != "XML:com.adobe.xmp" else _place(slot)
    try:
        packet = slot.load()
    except LabelkitError:
        return []  # too big or broken: it is listed as unread
    try:
        found = [_statement(slot, place, one.value, known=one.namespace == xmp.NAMESPACE) for one in xmp.find(packet)]
    except LabelkitError as error:
        return [_Carrier(slot, place, problem=error.message)]
    return [carrier for carrier in found if carrier.statement or carrier.problem]


def _in_exif(slot: Slot) -> list[_Carrier]:
    try:
        found = [_statement(slot, f"{_place(slot)} EXIF {value.name}", value.text, known=False)
                 for value in exif.values(slot.load()) if value.name != "Software"]
    except LabelkitError:
        return []
    return [carrier for carrier in found if carrier.statement]


def _in_text(slot: Slot) -> list[_Carrier]:
    named = "aigc" in slot.key.lower()  # Annex E a): the field name or keyword contains AIGC
    if not named and slot.length_bytes > _MAX_TEXT:
        return []
    try:
        body = slot.load()
    except LabelkitError as error:
        return [_Carrier(slot, _place(slot), problem=error.message)] if named else []
    if not named and not _HINT.search(body.translate(None, b"\0")):
        return []
    carrier = _statement(slot, _place(slot), body, known=named)
    return [carrier] if named or carrier.statement else []


def _statement(slot: Slot, place: str, value: bytes | str, *, known: bool) -> _Carrier:
    """The statement in a value; outside the known homes it must be wrapped as AIGC, or have two fields of Annex E."""
    try:
        statement = aigc.read(value)
    except LabelkitError as error:
        return _Carrier(slot, place, problem=error.message if known else None)
    if known or {"wrapped", "prefix"} & set(statement.form) or sum(map(bool, statement.fields.values())) > 1:
        return _Carrier(slot, place, statement)
    return _Carrier(slot, place)


def _finding(layout: Layout, carriers: list[_Carrier], pinned: Collection[bytes] = ()) -> Finding:
    home = _home(layout)
    for carrier in carriers:
        carrier.home = carrier.slot is home
    statements = [carrier.statement for carrier in carriers if carrier.statement]
    disagreements = _disagreements(statements)
    evidence = {"format": layout.format.name, "family": layout.format.family,
                "carriers": [carrier.evidence() for carrier in carriers], "duplicates": max(len(carriers) - 1, 0),
                "disagreements": disagreements, "producer": None, "signatures": {}, "traces": traces.find(layout),
                "unread": _unread(layout)}
    if not carriers:
        return Finding(Layer.METADATA, Status.ABSENT, Message("no AIGC label in the metadata"), evidence=evidence)
    unreadable = next((carrier for carrier in carriers if not carrier.statement), None)
    if unreadable:
        summary = Message("the AIGC label in {slot} at byte {offset} cannot be read: {problem}", slot=unreadable.place,
                          offset=unreadable.slot.offset_bytes, problem=unreadable.problem)
        return Finding(Layer.METADATA, Status.INVALID, summary, evidence=evidence)
    if disagreements:
        summary = Message("{count} AIGC labels that differ in {fields}", count=len(carriers),
                          fields=", ".join(found["field"] for found in disagreements))
        return Finding(Layer.METADATA, Status.INVALID, summary, evidence=evidence)
    return _one_label(statements[0], evidence, pinned)


def _unread(layout: Layout) -> list[dict]:
    """The slots that could hold a label and do not load, each with the reason."""
    found = []
    for slot in layout.slots:
        if slot.kind in (XMP, EXIF):
            try:
                slot.load()
            except LabelkitError as error:
                found.append({"slot": _place(slot), "offset_bytes": slot.offset_bytes, "problem": str(error)})
    return found


def _one_label(statement: aigc.Statement, evidence: dict, pinned: Collection[bytes]) -> Finding:
    fields = statement.fields
    evidence["producer"] = producers.name_of(fields["ContentProducer"])
    if not statement.complete:
        summary = Message("the AIGC label lacks what GB 45438-2025 6.1 a) asks for: Label is {kind}, ContentProducer "
                          "is {producer}, ProduceID is {produce_id}", kind=repr(fields["Label"]),
                          producer=repr(fields["ContentProducer"]), produce_id=repr(fields["ProduceID"]))
        return Finding(Layer.METADATA, Status.INVALID, summary, statement.label, evidence=evidence)
    signatures = {slot: security_data.verify(fields, slot, pinned=pinned)
                  for slot in ("ReservedCode1", "ReservedCode2")}
    evidence["signatures"] = {slot: found.evidence() for slot, found in signatures.items()}
    ours = signatures["ReservedCode1"]
    if ours.state is security_data.State.FAILED:
        return Finding(Layer.METADATA, Status.INVALID, ours.reason, statement.label, evidence=evidence)
    summary = Message("AIGC: {kind}, producer {producer}, id {produce_id}", kind=_KINDS[statement.kind],
                      producer=fields["ContentProducer"] or "-", produce_id=fields["ProduceID"] or "-")
    if evidence["duplicates"]:
        summary = Message("{label}; it stands {count} times in the file", label=summary,
                          count=evidence["duplicates"] + 1)
    if ours.key:
        summary = Message("{label}; {signature}", label=summary, signature=ours.reason)
    return Finding(Layer.METADATA, Status.VALID, summary, statement.label, evidence=evidence)


def _disagreements(statements: list[aigc.Statement]) -> list[dict]:
    """Fields in which two labels state different things; an empty field states nothing."""
    found = []
    for name in FIELDS:
        values = sorted({statement.fields[name] for statement in statements if statement.fields[name]})
        if len(values) > 1:
            found.append({"field": name, "values": values})
    return found


def _edits(reader: Reader, label: Label, resign: bool) -> list[container.Segment]:
    if not isinstance(label, Label):
        raise InvalidArgument("a Label is wanted, got {got}", got=type(label).__name__)
    layout = container.scan(reader)
    store = next((slot for slot in layout.slots if slot.kind == C2PA), None)
    if store and not resign:
        raise UnsupportedFormat("{where}: a C2PA manifest at byte {offset} signs this file; writing a label would "
                                "break the signature", where=reader.name, offset=store.offset_bytes,
                                hint="embed with a signer, so that the old manifest becomes an ingredient of a new one")
    value = label.to_json()
    changes: dict[Slot, bytes | None] = {}
    home = _home(layout)
    for slot in layout.slots:
        new = _rewritten(slot, value, is_home=slot is home)
        if new is not slot:
            changes[slot] = new
    fresh = None
    if home is None:
        fresh = xmp.fresh(value) if layout.format.home == XMP else value.encode()
    return container.edit(reader, layout, changes, fresh)


def _home(layout: Layout) -> Slot | None:
    """The slot that the label belongs in, where the file has it already."""
    for slot in layout.slots:
        if slot.kind == layout.format.home and slot.home and (slot.kind == XMP or slot.key == "AIGC"):
            return slot
    return None


def _rewritten(slot: Slot, value: str, *, is_home: bool) -> bytes | Slot | None:
    """The body that the slot gets, None where it goes, the slot itself where it stays as it is."""
    if is_home:
        old = slot.load()
        new = xmp.put(old, value) if slot.kind == XMP else value.encode()
        return slot if new == old else new
    if slot.kind == XMP and _in_xmp(slot):
        return xmp.remove(slot.load())
    if slot.kind == EXIF and _in_exif(slot):
        return exif.blank(slot.load())
    if slot.kind == TEXT and _in_text(slot):
        return None
    return slot


def _check(source: Source, label: Label) -> None:
    """Read back what was written, as any verifier would."""
    with container.opened(source) as reader:
        layout = container.scan(reader)
        carriers = _carriers(layout)
        if len(carriers) != 1 or carriers[0].statement is None or carriers[0].statement.label != label:
            raise OutputFailed("{where}: the label reads back otherwise than it was written", where=reader.name)
