# SPDX-License-Identifier: Apache-2.0
"""Make and sign a C2PA manifest: what is claimed about a file, and the file that it is bound to.

What a manifest of ours holds, beside the hash of the file:

    c2pa.actions.v2      c2pa.created with the digital source type trainedAlgorithmicMedia, or c2pa.opened with the
                         parent where the file has a history; c2pa.watermarked.bound where there is a watermark
    c2pa.soft-binding    the watermark's algorithm and its payload as 16 hexadecimal digits
    org.labelkit.aigc    {"AIGC": the seven fields of GB 45438-2025 Annex E, "explicit": JSON text with the text, box
                         and more of the label that people see or hear}

A verifier without labelkit reads the first two by the C2PA specification and the third as JSON. The explicit label is
text because c2pa-rs 0.91.3 shows a list of integers as base64 of their low bytes.
"""

from __future__ import annotations

import functools
import importlib.metadata
import io
import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import BinaryIO, NamedTuple

from labelkit import container
from labelkit.container import Reader, Source, tiff
from labelkit.errors import InvalidArgument, LabelkitError, SigningFailed, UnsupportedFormat
from labelkit.label import Kind, Label
from labelkit.messages import Message
from labelkit.plan import Generator
from labelkit.provenance import heif
from labelkit.provenance.engine import (
    PURPOSES,
    RF64,
    context,
    is_remote,
    library,
    reading_settings,
    reason,
    signing_settings,
)
from labelkit.provenance.signer import Signer
from labelkit.watermark.payload import Payload

AIGC_ASSERTION = "org.labelkit.aigc"
TRAINED_MEDIA = "http://cv.iptc.org/newscodes/digitalsourcetype/trainedAlgorithmicMedia"
WATERMARK_PREFIX = "org.labelkit.watermark."
SIDECAR_TYPE = "application/octet-stream"
_STORE_NAME = "parent.c2pa"
_UPDATED = {"image/jpeg", "image/png"}  # in other formats the library's update manifests break their parent's hash
MAX_EXPLICIT = 4096  # characters of JSON


class _Asset(NamedTuple):
    """A file, its media type, and the manifest store that lies beside it, if one does."""

    reader: Reader
    mime: str
    store: bytes | None = None


class _Nowhere(io.RawIOBase):
    """Where c2pa writes the copy of a file that gets a sidecar: nobody wants it, and it may be large."""

    def __init__(self) -> None:
        self._place = self._size = 0

    def write(self, data: bytes) -> int:
        self._place += len(data)
        self._size = max(self._size, self._place)
        return len(data)

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        self._place = offset + (0, self._place, self._size)[whence]
        return self._place

    def tell(self) -> int:
        return self._place

    def readinto(self, buffer: bytearray) -> int:
        return 0


@dataclass(frozen=True, slots=True)
class Claim:
    """What the manifest says about the file.

    label      the label, all its fields
    payload    what the watermark in the samples carries, None where there is no watermark
    explicit   the explicit label as JSON values, such as its text and box, so that a verifier knows what to look for
    title      name of the work
    generator  the system that generated the content; stated where the content begins with this manifest
    """

    label: Label
    payload: Payload | None = None
    explicit: Mapping[str, object] | None = None
    title: str | None = None
    generator: Generator | None = None


def watermark_algorithm(mime: str) -> str:
    """The soft-binding name of our watermark in files of this media type: org.labelkit.watermark.image.1.

    Ours by its domain until it is registered in C2PA's list of soft-binding algorithms.
    """
    return f"{WATERMARK_PREFIX}{mime.split('/')[0]}.1"


def has_place(source: Source) -> bool:
    """Whether the C2PA library keeps a manifest inside this file; beside all others it takes a sidecar.

    Raises UnsupportedFormat for bytes of no known format, and what opening the source raises.
    """
    with container.opened(source) as reader:
        mime = container.sniff(reader).mime
        return mime in _supported() and _unfit(reader, mime) is None


@functools.cache
def _supported() -> frozenset[str]:
    return frozenset(library().Builder.get_supported_mime_types())


def _unfit(reader: Reader, mime: str) -> str | Message | None:
    """What c2pa-rs 0.91.3 cannot take of a format that it knows, or None.

    It does not read RF64, and makes a page without a picture behind the last page of a TIFF that has several.
    """
    if mime == "audio/wav" and reader.head(4) in RF64:
        return "RF64"
    if mime == "image/tiff" and tiff.has_more_pages(reader):
        return Message("a TIFF of several pages")
    return None


def sign(source: Source, claim: Claim, signer: Signer, *, parent: Source | None = None,
         mime: str | None = None) -> bytes:
    """The file with a signed manifest in it; see `sign_into`."""
    target = io.BytesIO()
    sign_into(source, target, claim, signer, parent=parent, mime=mime)
    return target.getvalue()


def sign_into(source: Source, target: BinaryIO, claim: Claim, signer: Signer, *, parent: Source | None = None,
              mime: str | None = None) -> None:
    """Write the file with a signed manifest in it to `target`, an empty binary file opened "w+b"; both are streamed.

    parent   the file that `source` was made from. Its manifest, else the manifest in `source`, becomes the
             parent of the new one. It is never dropped: where it cannot be kept, SigningFailed is raised
    mime     media type of `source`, by default told by its first bytes
    Where nothing but the label is new, a JPEG or a PNG gets an update manifest (C2PA 2.1), which leaves the parent's
    hash in force. The result is validated before the function returns. Raises UnsupportedFormat for a format without a
    place for a manifest, SigningFailed, and what opening the source raises; `target` then holds nothing of use.
    """
    with container.opened(source) as reader:
        _refuse_same_file(reader, target)
        mime = mime or container.sniff(reader).mime
        unfit = _unfit(reader, mime)
        if unfit:
            raise UnsupportedFormat("{where}: the C2PA library keeps no manifest in {format}", where=reader.name,
                                    format=unfit,
                                    hint="write the manifest beside the file: labelkit.provenance.sign_sidecar")
        try:
            asset = _Asset(reader, mime)
            with _opened_parent(claim, parent, asset) as (ancestor, is_signed):
                unchanged = is_signed and ancestor.reader is reader
                builder = _builder(claim, mime, ancestor,
                                   update=unchanged and claim.payload is None and mime in _UPDATED)
                builder.sign(signer.native(), mime, reader.file, target)
        except LabelkitError:
            raise
        except Exception as error:
            raise _failure(error, reader.name, mime, signer) from error
        heif.check_items(reader, mime, target)


def sign_sidecar(source: Source, claim: Claim, signer: Signer, *, parent: tuple[Source, bytes] | None = None,
                 mime: str | None = None) -> bytes:
    """A signed manifest store to keep beside a file that has no place for one, by custom as NAME.c2pa.

    parent   the file that `source` was made from, and the manifest store that lies beside it
    mime     media type of `source`, by default told by its first bytes
    Works for any bytes; the file stays as it is. Raises SigningFailed, UnsupportedFormat for unknown bytes without
    `mime`, and what opening the sources raises.
    """
    with container.opened(source) as reader, container.opened(parent[0] if parent else reader) as before:
        mime = mime or container.sniff(reader).mime
        ancestor = _Asset(before, SIDECAR_TYPE, parent[1] if parent else None)
        try:
            begins_here = parent is None and claim.label.kind is Kind.GENERATED
            builder = _builder(claim, mime, None if begins_here else ancestor, written=False)
            builder.set_no_embed()
            store = builder.sign(signer.native(), SIDECAR_TYPE, reader.file, _Nowhere())
            state = _report(_Asset(reader, SIDECAR_TYPE, store))["validation_state"]
        except LabelkitError:
            raise
        except Exception as error:
            raise _failure(error, reader.name, SIDECAR_TYPE, signer) from error
    if state == "Invalid":
        raise SigningFailed("{where}: the manifest does not fit the file, which changed while it was signed",
                            where=reader.name)
    return store


@functools.cache
def _toolkit() -> dict[str, str]:
    try:
        return {"name": "labelkit", "version": importlib.metadata.version("labelkit")}
    except importlib.metadata.PackageNotFoundError:
        return {"name": "labelkit"}


def _builder(claim: Claim, mime: str, ancestor: _Asset | None, *, written: bool = True, update: bool = False) -> object:
    definition = _definition(claim, mime, opened=ancestor is not None)
    settings = context(signing_settings(PURPOSES, written=written))
    builder = library().Builder.from_json(json.dumps(definition), context=settings)
    if ancestor is not None:
        intents = library().C2paBuilderIntent
        builder.set_intent(intents.UPDATE if update else intents.EDIT)  # adds c2pa.opened and ties it to the parent
        facts = {"relationship": "parentOf"} | (_beside(builder, ancestor) if ancestor.store else {})
        builder.add_ingredient(facts, ancestor.mime, ancestor.reader.file)
    return builder


def _report(asset: _Asset) -> dict[str, object]:
    """The library's report on the manifest store beside a file."""
    settings = context(reading_settings("", "", PURPOSES))
    with library().Reader(asset.mime, asset.reader.file, asset.store, context=settings) as found:
        return json.loads(found.json())


def _beside(builder: object, asset: _Asset) -> dict[str, object]:
    """What makes a sidecar the manifest of an ingredient: the store itself, and what validating it gave."""
    report = _report(asset)
    builder.add_resource(_STORE_NAME, io.BytesIO(asset.store))
    return {"active_manifest": report["active_manifest"], "validation_results": report["validation_results"],
            "manifest_data": {"format": "application/c2pa", "identifier": _STORE_NAME}}


def _definition(claim: Claim, mime: str, *, opened: bool) -> dict[str, object]:
    actions = [] if opened else [_created(claim)]
    assertions = [{"label": AIGC_ASSERTION, "data": _aigc(claim)}]
    if claim.payload is not None:
        # C2PA refuses a watermark action that no soft binding stands beside
        actions.append({"action": "c2pa.watermarked.bound", "softwareAgent": _toolkit()})
        assertions.append({"label": "c2pa.soft-binding", "data": {
            "alg": watermark_algorithm(mime), "blocks": [{"scope": {}, "value": claim.payload.hex}]}})
    if actions:
        assertions.insert(0, {"label": "c2pa.actions.v2", "data": {"actions": actions}})
    definition = {"claim_generator_info": [_toolkit()],
                  "assertions": [{**assertion, "created": True} for assertion in assertions]}
    return {**definition, "title": claim.title} if claim.title else definition


def _created(claim: Claim) -> dict[str, object]:
    action: dict[str, object] = {"action": "c2pa.created", "digitalSourceType": TRAINED_MEDIA}
    if claim.generator:
        agent = {"name": claim.generator.name, "version": claim.generator.version}
        action["softwareAgent"] = {key: value for key, value in agent.items() if value}
        if claim.generator.created:
            action["when"] = claim.generator.created.isoformat()
    return action


def _aigc(claim: Claim) -> dict[str, object]:
    data: dict[str, object] = {"AIGC": claim.label.fields()}
    if claim.explicit is not None:
        data["explicit"] = json.dumps(dict(claim.explicit), ensure_ascii=False)
        if len(data["explicit"]) > MAX_EXPLICIT:
            raise InvalidArgument("explicit is at most {limit} characters of JSON, got {size}",
                                  limit=MAX_EXPLICIT, size=len(data["explicit"]))
    return data


@contextmanager
def _opened_parent(claim: Claim, parent: Source | None, asset: _Asset) -> Iterator[tuple[_Asset | None, bool]]:
    """The file that the new manifest descends from, or None where the content begins with this one; and whether that
    file has a manifest itself."""
    with container.opened(asset.reader if parent is None else parent) as reader:
        ancestor = asset if parent is None else _Asset(reader, container.sniff(reader).mime)
        if _has_manifest(ancestor):
            yield ancestor, True
        elif parent is not None and _has_manifest(asset):
            yield asset, True
        else:
            # who only spreads a file did not create it: the file as it came is then the parent
            yield None if claim.label.kind is Kind.GENERATED else ancestor, False


def _has_manifest(asset: _Asset) -> bool:
    c2pa = library()
    settings = context(reading_settings("", "", PURPOSES))
    try:
        return c2pa.Reader.try_create(asset.mime, asset.reader.file, context=settings) is not None
    except c2pa.C2paError.NotSupported:
        return False
    except c2pa.C2paError as error:
        if is_remote(error):
            return True
        raise SigningFailed("{where}: the file has a manifest that cannot be read, and so cannot be kept as the parent "
                            "of a new one: {reason}", where=asset.reader.name, reason=reason(error),
                            hint="encode the file anew, or leave provenance out of the plan") from error


def _refuse_same_file(reader: Reader, target: BinaryIO) -> None:
    try:
        same = os.path.sameopenfile(reader.file.fileno(), target.fileno())
    except (OSError, AttributeError):  # in memory
        same = reader.file is target
    if same:
        raise InvalidArgument("{where}: source and target are the same file", where=reader.name)


def _failure(error: Exception, where: str, mime: str, signer: Signer) -> LabelkitError:
    if isinstance(error, library().C2paError.NotSupported):
        return UnsupportedFormat("{where}: C2PA has no place for a manifest in {mime}", where=where, mime=mime,
                                 hint="write the manifest beside the file: labelkit.provenance.sign_sidecar")
    return SigningFailed("{where}: no manifest by {subject} (certificate {start} to {end}): {reason}", where=where,
                         subject=signer.subject, start=f"{signer.not_before:%Y-%m-%d}",
                         end=f"{signer.not_after:%Y-%m-%d}", reason=signer.take_failure() or reason(error))
