# SPDX-License-Identifier: Apache-2.0
"""The implicit label in the file's metadata (GB 45438-2025 clause 6 and Annex E): one label per file.

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
    ODT ODS ODP                              user-defined AIGC        EPUB   meta AIGC
    glTF GLB                                 asset.extras, AIGC       USDZ   customLayerData AIGC

Writing takes out the labels that stand elsewhere in the file: 6.1 c) allows one. A text or chunk that holds
nothing but the label goes; a label inside EXIF is overwritten with zeros, because EXIF must not move.
"""

from __future__ import annotations

import os
from collections.abc import Collection
from pathlib import Path

from labelkit import container
from labelkit.container import C2PA, EXIF, TEXT, XMP, Layout, Reader, Slot, Source
from labelkit.errors import InvalidArgument, LabelkitError, OutputFailed, UnsupportedFormat
from labelkit.evidence import Disagreement, Json, MetadataEvidence, UnreadSlot
from labelkit.label import Generator, Kind, Label, shortened
from labelkit.messages import Message
from labelkit.metadata import aigc, carriers, exif, producers, security_data, traces, xmp
from labelkit.metadata.beside import Beside, put_in, signpost_of, stated
from labelkit.metadata.carriers import Carrier, Unread
from labelkit.report import Finding, Layer, Status
from labelkit.signpost import Signpost

__all__ = ["inspect", "read", "write", "write_file", "write_stage"]

_KINDS = {Kind.GENERATED: Message("generated"), Kind.POSSIBLE: Message("possibly generated"),
          Kind.SUSPECTED: Message("suspected generated")}
_MAX_SHOWN = 8  # places that were not read and are named one by one


def write(source: Source | Reader, label: Label, *, resign: bool = False, generator: Generator | None = None,
          signpost: Signpost | None = None) -> bytes:
    """The file with `label` as its one label, everything else kept byte for byte.

    source  a path, bytes or a seekable binary file, in a format that `container.sniff` knows
    resign  the caller signs a new C2PA manifest afterwards; without it a file that holds a manifest is refused,
            because the change would break its signature
    generator  stated in XMP, as IPTC wants it: source type, system and version; in MP4, MOV and M4A beside the label
    signpost   stated in the same packet, and nowhere else
    Raises UnsupportedFormat, MalformedFile, LimitExceeded, InvalidArgument, OutputFailed.
    """
    with container.opened(source) as reader:
        data = container.join(reader, _edits(reader, label, resign, Beside(generator, signpost)))
        with container.opened(data) as written:
            written.name = reader.name
            _tell_format(written, reader)
            _check(written, label)
    return data


def write_file(source: Source | Reader, target: str | os.PathLike[str], label: Label, *, resign: bool = False) -> None:
    """`write` from file to file without loading it: beside `target`, read back, then renamed. Source may be target."""
    with container.Transaction(target, like=source.file if isinstance(source, Reader) else source) as new:
        new.commit(write_stage(source, new, label, resign=resign))


def write_stage(source: Source | Reader, new: container.Transaction, label: Label, *, resign: bool = False,
                generator: Generator | None = None, signpost: Signpost | None = None) -> Path:
    """`write` to a stage of a transaction, read back; returns its path."""
    with container.opened(source) as reader:
        labelled = new.write("labelled", reader, _edits(reader, label, resign, Beside(generator, signpost)))
    with container.opened(labelled) as written:
        written.name = reader.name  # what is refused is the file, not a stage in a folder that goes
        _tell_format(written, reader)
        _check(written, label)
    return labelled


def _tell_format(written: Reader, source: Reader) -> None:
    """The format that any reader would tell, or that of the source where the caller named it."""
    try:
        container.sniff(written)
    except UnsupportedFormat:
        written.format = source.format


def read(source: Source | Reader, *, pinned: Collection[bytes] = ()) -> Finding:
    """What the file's metadata says; never changes it. `pinned` holds SM2 keys known to be the producer's.

    VALID: one consistent label, which has an attribute and names a producer or propagator with its number. Deviations
    from Annex E that leave this clear are listed. INVALID: a label that cannot be read or lacks these, or several
    that differ, or one whose signature fails. ABSENT: none. UNCHECKED: none was found, but what could hold one is
    larger than is read, or something like one stands where the format has no place for it; what is broken, so that
    nobody reads it, is named in the summary of ABSENT. The label of the finding is exactly what was found. BMP, ICO,
    PNM and TGA have no place for a label: their texts are searched all the same. Raises UnsupportedFormat for other
    formats without one (CAF, WMA), which are not looked through.
    evidence: format, family, carriers (slot, home, offset_bytes, length_bytes, form, fields, deviations or problem),
    disagreements, duplicates, producer (its public name), signatures (of each reserved code: state, reason, key, form;
    see `security_data`), traces (see `traces`), unread (what could hold a label and was not read).
    """
    with container.opened(source) as reader:
        return _finding(reader, container.look(reader), pinned)


def inspect(source: Source | Reader) -> dict[str, Json]:
    """Everything label-like in a file, as JSON values: its format, every slot with offsets, and `read`'s evidence."""
    with container.opened(source) as reader:
        layout = container.look(reader)
        finding = _finding(reader, layout)
    slots: list[Json] = [{"kind": slot.kind, "slot": carriers.place_of(slot), "offset_bytes": slot.offset_bytes,
              "length_bytes": slot.length_bytes} for slot in layout.slots]
    return {"mime": layout.format.mime, "status": finding.status.value, "slots": slots, **finding.evidence_dict()}


def _finding(reader: Reader, layout: Layout, pinned: Collection[bytes] = ()) -> Finding:
    found, unread = carriers.find(layout)
    if not found and not unread:
        unread = [*carriers.astray(layout), *(Unread(*text) for text in container.stray.find(reader, layout))]
    home = carriers.home_of(layout)
    for carrier in found:
        carrier.home = carrier.slot is home
    statements = [carrier.statement for carrier in found if carrier.statement]
    conflicts, disagreements = aigc.conflicts(statements), aigc.disagreements(statements)
    problem = _problem(found, conflicts, disagreements)
    label = statements[0] if found and problem is None else None
    signatures = _signatures(label, pinned) if label else {}
    evidence = MetadataEvidence(
        format=layout.format.name, family=layout.format.family, duplicates=max(len(found) - 1, 0),
        carriers=tuple([carrier.evidence() for carrier in found]), disagreements=conflicts + disagreements,
        producer=producers.name_of(label.fields["ContentProducer"]) if label else None,
        signatures={slot: found.evidence() for slot, found in signatures.items()}, traces=traces.find(layout),
        systems=traces.systems(layout), signpost=signpost_of(layout),
        unread=tuple([UnreadSlot(one.what, one.offset_bytes, str(one.why)) for one in unread]))
    if label:
        status, summary = _one_label(label, evidence, signatures.get("ReservedCode1"))
    elif problem:
        status, summary = Status.INVALID, problem
    else:
        status, summary = _no_label(layout, unread)
    return Finding(Layer.METADATA, status, summary, label.label if label else None, evidence=evidence,
                   missed=_missed(evidence.unread))


def _problem(found: list[Carrier], conflicts: tuple[Disagreement, ...],
             disagreements: tuple[Disagreement, ...]) -> Message | None:
    """Why what stands in the file is not one label, if anything stands there."""
    unreadable = next((carrier for carrier in found if not carrier.statement), None)
    if unreadable:
        return Message("the AIGC label in {slot} at byte {offset} cannot be read: {problem}", slot=unreadable.place,
                       offset=unreadable.slot.offset_bytes, problem=unreadable.problem)
    if conflicts:
        return Message("the AIGC label gives {fields} more than once, with different values: programs disagree on "
                       "which one counts", fields=", ".join(found.field for found in conflicts))
    if disagreements:
        return Message("{count} AIGC labels that differ in {fields}", count=len(found),
                       fields=", ".join(found.field for found in disagreements))
    return None


def _no_label(layout: Layout, unread: list[Unread]) -> tuple[Status, Message]:
    if unread:
        first = min(unread, key=lambda one: one.broken)
        return Status.ABSENT if first.broken else Status.UNCHECKED, Message(
            "no AIGC label in what was read, but {count} places could not be read, first {slot} at byte {offset}: "
            "{problem}", count=len(unread), slot=first.what, offset=first.offset_bytes, problem=first.why)
    return Status.ABSENT, (Message("no AIGC label in the metadata") if layout.format.writable else
                           Message("no AIGC label: the format has no place for one"))


def _missed(unread: tuple[UnreadSlot, ...]) -> tuple[Message, ...]:
    """What could hold a label and was not read, for people."""
    if not unread:
        return ()
    shown = [Message("{slot} at byte {offset} was not read: {problem}", slot=one.slot, offset=one.offset_bytes,
                     problem=one.problem) for one in unread[:_MAX_SHOWN]]
    if len(unread) > _MAX_SHOWN:
        shown.append(Message("and {count} other places were not read", count=len(unread) - _MAX_SHOWN))
    return tuple(shown)


def _signatures(label: aigc.Statement, pinned: Collection[bytes]) -> dict[str, security_data.Outcome]:
    """What the reserved codes of a label prove, where it says enough to be one."""
    return {slot: security_data.verify(label.fields, slot, pinned=pinned)
            for slot in ("ReservedCode1", "ReservedCode2")} if label.complete else {}


def _one_label(label: aigc.Statement, evidence: MetadataEvidence,
               signature: security_data.Outcome | None) -> tuple[Status, Message]:
    """The judgement of a file's one label; `signature` is what ReservedCode1 proves, None where it says too little."""
    fields = label.fields
    if signature is None:
        return Status.INVALID, Message(
            "the AIGC label lacks what GB 45438-2025 6.1 a) asks for: Label is {kind}, ContentProducer is {producer}, "
            "ProduceID is {produce_id}", kind=repr(shortened(fields["Label"])),
            producer=repr(shortened(fields["ContentProducer"])), produce_id=repr(shortened(fields["ProduceID"])))
    if signature.state is security_data.State.FAILED:
        return Status.INVALID, signature.reason
    summary = Message("AIGC: {kind}, producer {producer}, id {produce_id}", kind=_KINDS[Kind(fields["Label"])],
                      producer=shortened(fields["ContentProducer"]) or "-",
                      produce_id=shortened(fields["ProduceID"]) or "-")
    if evidence.duplicates:
        summary = Message("{label}; it stands {count} times in the file", label=summary,
                          count=evidence.duplicates + 1)
    if evidence.unread:
        summary = Message("{label}; {count} other places could not be read", label=summary, count=len(evidence.unread))
    if signature.key:
        summary = Message("{label}; the signature covers the label and not the content, so it can be copied to "
                          "another file; {signature}", label=summary, signature=signature.reason)
    return Status.VALID, summary


def _edits(reader: Reader, label: Label, resign: bool, beside: Beside) -> list[container.Segment]:
    if not isinstance(label, Label):
        raise InvalidArgument("a Label is wanted, got {got}", got=type(label).__name__)
    layout = container.scan(reader)
    store = next((slot for slot in layout.slots if slot.kind == C2PA), None)
    if store and not resign:
        raise UnsupportedFormat("{where}: a C2PA manifest at byte {offset} signs this file; writing a label would "
                                "break the signature", where=reader.name, offset=store.offset_bytes,
                                hint="embed with a signer, so that the old manifest becomes an ingredient of a new one")
    if beside.generator and layout.format.home != XMP and not (layout.packet or resign):
        raise UnsupportedFormat("{where}: {format} has no XMP in which the generator could be stated",
                                where=reader.name, format=layout.format.name,
                                hint="embed with a signer: the manifest states the generator")
    value = label.to_json()
    changes: dict[Slot, bytes | None] = {}
    home = carriers.home_of(layout)
    for slot in layout.slots:
        new = _rewritten(slot, value, beside, is_home=slot is home)
        if not isinstance(new, Slot):
            changes[slot] = new
    put_in(layout.packet, changes, beside, resign)
    fresh = None
    if home is None:
        fresh = stated(xmp.fresh(value), beside) if layout.format.home == XMP else value.encode()
    return container.edit(reader, layout, changes, fresh)


def _rewritten(slot: Slot, value: str, beside: Beside, *, is_home: bool) -> bytes | Slot | None:
    """The body that the slot gets, None where it goes, the slot itself where it stays as it is."""
    if is_home:
        old = slot.load()
        new = stated(xmp.put(old, value), beside) if slot.kind == XMP else value.encode()
        return slot if new == old else new
    try:
        labelled = bool(carriers.labels_in(slot))
    except LabelkitError:  # what cannot be read cannot be taken out
        return slot
    if not labelled:
        return slot
    return {XMP: xmp.remove, EXIF: exif.blank}[slot.kind](slot.load()) if slot.kind != TEXT else None


def _check(reader: Reader, label: Label) -> None:
    """Read back what was written, as any verifier would."""
    layout = container.scan(reader)
    if _holds_nothing_but(layout, label):
        return
    found, _ = carriers.find(layout)
    if len(found) != 1 or found[0].statement is None or found[0].statement.label != label:
        raise OutputFailed("{where}: the label reads back otherwise than it was written", where=reader.name)


def _holds_nothing_but(layout: Layout, label: Label) -> bool:
    """Whether the only slot holds the packet that `xmp.fresh` makes of the label, byte for byte. It need not be parsed:
    of graphic ASCII without a backslash every such packet is read as its label."""
    if len(layout.slots) != 1 or layout.skipped or carriers.home_of(layout) is None or layout.format.home != XMP:
        return False
    value = label.to_json()
    return (value.isascii() and value.isprintable() and not {" ", "\\"} & set(value)
            and layout.slots[0].load() == xmp.fresh(value))
