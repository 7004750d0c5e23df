# SPDX-License-Identifier: Apache-2.0
"""Build and sign a C2PA manifest.

A manifest of labelkit holds, besides the hash of the file:

    c2pa.actions.v2      c2pa.created with the digital source type trainedAlgorithmicMedia, or c2pa.opened with the
                         parent if the file has a history; c2pa.edited.metadata with the latter; c2pa.edited where
                         the generator altered content that was there; c2pa.watermarked.bound if there is a watermark.
                         It does not claim to be complete
    c2pa.ai-disclosure   the model, if the generator names one (C2PA 2.4)
    cawg.metadata        the generator's properties of IPTC, those that XMP has
    c2pa.thumbnail       of the file and of its parent, if the signer is one `with_thumbnails`
    c2pa.soft-binding    the watermark's algorithm and its payload as 16 hexadecimal digits
    org.labelkit.signpost
                         {"detector", "resolver", "alg"}: where to ask about the mark, if the plan has a signpost
    org.labelkit.aigc    {"AIGC": the seven fields of GB 45438-2025 Annex E, "explicit": JSON text that describes the
                         explicit label: its text, box and more}

Other verifiers read the first three by the C2PA specification and the last as JSON. The explicit label is JSON text,
because c2pa-rs 0.91.3 shows a list of integers as base64 of their low bytes.
"""

from __future__ import annotations

import functools
import io
import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, BinaryIO, cast

from labelkit import container
from labelkit.container import Reader, Source, textblock, textwrapper, tiff
from labelkit.distribution import __version__
from labelkit.errors import InvalidArgument, LabelkitError, SigningFailed, UnsupportedFormat
from labelkit.evidence import Drawn, Json, to_json
from labelkit.label import Generator, Kind, Label
from labelkit.messages import Message
from labelkit.payload import Payload
from labelkit.provenance import heif, statements, text
from labelkit.provenance.assets import Asset, Discard, ValidationReport
from labelkit.provenance.bounds import refuse_over_bound
from labelkit.provenance.engine import (
    PURPOSES,
    RF64,
    context,
    is_of_time_stamp,
    is_remote,
    is_unsupported,
    reading_settings,
    reason,
    signing_settings,
)
from labelkit.provenance.signer import Signer
from labelkit.signpost import Signpost, soft_binding

if TYPE_CHECKING:
    from c2pa import Builder

AIGC_ASSERTION, SIGNPOST_ASSERTION = "org.labelkit.aigc", "org.labelkit.signpost"
SPEC_VERSION = "2.4.0"  # of C2PA, by which the manifests are made
WATERMARK_PREFIX = "org.labelkit.watermark."
SIDECAR_TYPE = "application/octet-stream"
_STORE_NAME = "parent.c2pa"
_AVI = "video/x-msvideo"
_USUAL_WRAPPER, _ATTEMPTS = 20_000, 4  # bytes; how often a text is signed until the size of its wrapper is right
_UPDATED = {"image/jpeg", "image/png"}  # in other formats the library's update manifests break the parent's hash
MAX_EXPLICIT = 4096  # characters of JSON


@dataclass(frozen=True, slots=True)
class Claim:
    """What the manifest says about the file.

    label      the label with all its fields
    payload    of the watermark in the samples, None without a watermark
    explicit   the explicit label as JSON values, such as its text and box, so that a verifier knows what to look for
    title      name of the work
    generator  the system that generated or altered the content; what it made is stated only if the content has no
               earlier manifest, what it altered always
    signpost   where to ask about the mark
    """

    label: Label
    payload: Payload | None = None
    explicit: Drawn | Mapping[str, Json] | None = None
    title: str | None = None
    generator: Generator | None = None
    signpost: Signpost | None = None


def watermark_algorithm(mime: str) -> str:
    """The soft-binding name of the watermark in files of this media type, such as org.labelkit.watermark.image.1.

    It is in labelkit's own name space until C2PA lists it among the soft-binding algorithms.
    """
    return soft_binding(mime)


def has_place(source: Source) -> bool:
    """Whether a manifest can be embedded in this file, by the C2PA library or in bare text; other files get a sidecar.

    Raises UnsupportedFormat for an unknown file format, and what opening the source raises.
    """
    with container.opened(source) as reader:
        mime = container.sniff(reader).mime
        return mime in _supported() and _unfit(reader, mime) is None or text.has_place(reader)


@functools.cache
def _supported() -> frozenset[str]:
    from c2pa import Builder

    return frozenset(Builder.get_supported_mime_types())


def _unfit(reader: Reader, mime: str) -> str | Message | None:
    """Why c2pa-rs 0.91.3 cannot embed a manifest in this file although it supports the format, or None.

    It cannot read RF64 and packed ZIP archives, and appends an empty page to a TIFF of several pages.
    """
    if mime.startswith(("application/vnd.openxmlformats-", "application/vnd.oasis.", "application/epub")):
        return Message("Office documents and books")
    if mime == "audio/wav" and reader.head(4) in RF64:
        return "RF64"
    if mime == "image/tiff" and tiff.has_more_pages(reader):
        return Message("a TIFF of several pages")
    return None


def sign(source: Source, claim: Claim, signer: Signer, *, parent: Source | None = None, mime: str | None = None,
         unsigned: bool = False) -> bytes:
    """The file with a signed manifest embedded; see `sign_into`."""
    target = io.BytesIO()
    sign_into(source, target, claim, signer, parent=parent, mime=mime, unsigned=unsigned)
    return target.getvalue()


def sign_into(source: Source, target: BinaryIO, claim: Claim, signer: Signer, *, parent: Source | None = None,
              mime: str | None = None, unsigned: bool = False) -> None:
    """Write the file with a signed manifest embedded to `target`, an empty binary file opened "w+b"; both are streamed.

    parent   the file that `source` was made from. Its manifest, else the manifest in `source`, becomes the
             parent of the new one; SigningFailed is raised if it cannot be kept
    mime     media type of `source`, by default recognised by its first bytes
    unsigned `source` was just made of samples: no manifest is looked for in it
    If only the label is new, a JPEG or a PNG gets an update manifest (C2PA 2.1), which leaves the parent's hash in
    force. The result is validated before the function returns. Raises UnsupportedFormat for a format that cannot embed
    a manifest, LimitExceeded for a file of more parts than the library can bear, SigningFailed, and what opening the
    source raises; the content of `target` is then undefined.
    """
    with container.opened(source) as reader:
        _refuse_same_file(reader, target)
        mime = mime or container.sniff(reader).mime
        if text.has_place(reader):
            target.write(_signed_text(reader, claim, signer, parent, mime))
            return
        unfit = _unfit(reader, mime)
        if unfit:
            raise UnsupportedFormat("{where}: the C2PA library cannot embed a manifest in {format}", where=reader.name,
                                    format=unfit, hint="write a sidecar with labelkit.provenance.sign_sidecar")
        refuse_over_bound(reader, mime)
        try:
            asset = Asset(reader, mime)
            with _opened_parent(claim, parent, asset, unsigned) as (ancestor, is_signed):
                unchanged = is_signed and ancestor is not None and ancestor.reader is reader
                altered = claim.payload is not None or bool(claim.generator and claim.generator.edit)
                builder = _builder(claim, mime, ancestor, update=unchanged and not altered and mime in _UPDATED,
                                   thumbnails=signer.has_thumbnails)
                store: bytes = builder.sign(signer.native(), mime, reader.file, target)
        except LabelkitError:
            raise
        except Exception as error:
            raise _failure(error, reader.name, mime, signer) from error
        heif.check_items(reader, mime, target)
        signer.keep_store(store)


def _signed_text(reader: Reader, claim: Claim, signer: Signer, parent: Source | None, mime: str) -> bytes:
    """A text with its manifest behind it. The size of the wrapper is in the manifest, which is therefore made twice."""
    plain, size = textblock.without(textwrapper.without(reader.whole())), _USUAL_WRAPPER
    with container.opened(reader if parent is None else parent) as before:
        old = text.store_in(before)
        ancestor = Asset(before, SIDECAR_TYPE, old)
        begins_here = old is None and claim.label.kind is Kind.GENERATED
        try:
            for _ in range(_ATTEMPTS):
                builder = _builder(claim, mime, None if begins_here else ancestor, written=False,
                                   bound=text.binding(plain, size))
                builder.set_no_embed()  # type: ignore[no-untyped-call]  # c2pa has no types here
                store: bytes = builder.sign(signer.native(), SIDECAR_TYPE, io.BytesIO(plain), Discard())
                if size == textwrapper.size_for(len(store)):
                    return plain + textwrapper.wrapped(store, size)
                size = textwrapper.size_for(len(store))
        except LabelkitError:
            raise
        except Exception as error:
            raise _failure(error, reader.name, SIDECAR_TYPE, signer) from error
    raise SigningFailed("{where}: the manifest has another size each time it is signed", where=reader.name,
                        hint="leave provenance out of the plan")


def sign_sidecar(source: Source, claim: Claim, signer: Signer, *, parent: tuple[Source, bytes | None] | None = None,
                 mime: str | None = None) -> bytes:
    """A signed manifest store for the sidecar of a file that cannot embed one, by convention NAME.c2pa.

    parent   the file that `source` was made from, and the manifest store of its sidecar; None: of what is in its text
    mime     media type of `source`, by default recognised by its first bytes
    Works for any bytes; the file is not changed. Raises SigningFailed, UnsupportedFormat for an unknown file format
    without `mime`, and what opening the sources raises.
    """
    with container.opened(source) as reader, container.opened(parent[0] if parent else reader) as before:
        mime = mime or container.sniff(reader).mime
        old = parent[1] or text.store_in(before) if parent else None
        ancestor = Asset(before if old else reader, SIDECAR_TYPE, old)
        try:
            begins_here = old is None and claim.label.kind is Kind.GENERATED
            builder = _builder(claim, mime, None if begins_here else ancestor, written=False,
                               thumbnails=signer.has_thumbnails)
            builder.set_no_embed()  # type: ignore[no-untyped-call]  # c2pa has no types here
            store: bytes = builder.sign(signer.native(), SIDECAR_TYPE, reader.file, Discard())
            state = _report(Asset(reader, SIDECAR_TYPE, store))["validation_state"]
        except LabelkitError:
            raise
        except Exception as error:
            raise _failure(error, reader.name, SIDECAR_TYPE, signer) from error
    if state == "Invalid":
        raise SigningFailed("{where}: the manifest does not match the file, which changed while it was signed",
                            where=reader.name)
    signer.keep_store(store)
    return store


def _toolkit() -> dict[str, str]:
    return {"name": "labelkit", "version": __version__}


def _claim_generator() -> dict[str, str]:
    """Who makes the claim, by which version of C2PA."""
    return {**_toolkit(), "specVersion": SPEC_VERSION}


def _builder(claim: Claim, mime: str, ancestor: Asset | None, *, written: bool = True, update: bool = False,
             thumbnails: bool = False, bound: dict[str, object] | None = None) -> Builder:
    from c2pa import Builder, C2paBuilderIntent

    definition = _definition(claim, mime, opened=ancestor is not None)
    if bound:
        definition["assertions"] = [*cast("list[object]", definition["assertions"]), bound]
    settings = context(signing_settings(PURPOSES, written=written, thumbnails=thumbnails))
    builder = Builder.from_json(json.dumps(definition), context=settings)
    if ancestor is not None:
        intent = C2paBuilderIntent.UPDATE if update else C2paBuilderIntent.EDIT
        builder.set_intent(intent)  # adds c2pa.opened with a reference to the parent
        facts = {"relationship": "parentOf"} | (_sidecar_facts(builder, ancestor, ancestor.store)
                                                if ancestor.store else {})
        builder.add_ingredient(facts, ancestor.mime, ancestor.reader.file)
    return builder


def _report(asset: Asset) -> ValidationReport:
    """The library's report on the sidecar of a file."""
    from c2pa import Reader as ManifestReader

    settings = context(reading_settings("", "", PURPOSES))
    with ManifestReader(asset.mime, asset.reader.file, asset.store, context=settings) as found:
        report = json.loads(found.json())
        held = next((one for one in text.manifests(asset.reader) if one.store == asset.store), None)
        if held:
            report = text.judge(report, json.loads(found.crjson()), asset.reader.whole(), held)
        return cast(ValidationReport, report)


def _sidecar_facts(builder: Builder, asset: Asset, store: bytes) -> dict[str, object]:
    """Add a sidecar as a resource; returns what makes it the manifest of an ingredient, its validation included."""
    report = _report(asset)
    builder.add_resource(_STORE_NAME, io.BytesIO(store))
    return {"active_manifest": report["active_manifest"], "validation_results": report["validation_results"],
            "manifest_data": {"format": "application/c2pa", "identifier": _STORE_NAME}}


def _definition(claim: Claim, mime: str, *, opened: bool) -> dict[str, object]:
    # the library puts c2pa.opened before what was done to a file with a history: its label is new
    relabelled: dict[str, object] = {"action": "c2pa.edited.metadata", "softwareAgent": _toolkit()}
    actions = [relabelled if opened else statements.created(claim.generator)]
    assertions: list[dict[str, object]] = [{"label": AIGC_ASSERTION, "data": _aigc(claim)}]
    if claim.generator and claim.generator.edit:
        actions.append(statements.edited(claim.generator))
    if claim.generator and (not opened or claim.generator.edit):
        assertions += statements.assertions(claim.generator)
    if claim.signpost:
        assertions.append({"label": SIGNPOST_ASSERTION, "data": claim.signpost.facts()})
    if claim.payload is not None:
        # C2PA requires a soft binding with a watermark action
        actions.append({"action": "c2pa.watermarked.bound", "softwareAgent": _toolkit()})
        assertions.append({"label": "c2pa.soft-binding", "data": {
            "alg": watermark_algorithm(mime), "blocks": [{"scope": {}, "value": claim.payload.hex}]}})
    # what else was done, such as encoding, is not recorded (18.15.3)
    assertions.insert(0, {"label": "c2pa.actions.v2", "data": {"actions": actions, "allActionsIncluded": False}})
    definition: dict[str, object] = {
        "claim_generator_info": [_claim_generator()],
        "assertions": [{**assertion, "created": True} for assertion in assertions]}
    if mime == _AVI:  # FFmpeg looks for packets in it too, and takes a UUID that ends in 01dc3 for the head of one
        definition["vendor"] = "labelkit"  # behind the UUID
    return {**definition, "title": claim.title} if claim.title else definition


def _aigc(claim: Claim) -> dict[str, object]:
    data: dict[str, object] = {"AIGC": claim.label.fields()}
    if claim.explicit is not None:
        text = json.dumps(to_json(claim.explicit), ensure_ascii=False)
        if len(text) > MAX_EXPLICIT:
            raise InvalidArgument("explicit has at most {limit} characters of JSON, got {size}",
                                  limit=MAX_EXPLICIT, size=len(text))
        data["explicit"] = text
    return data


@contextmanager
def _opened_parent(claim: Claim, parent: Source | None, asset: Asset,
                   unsigned: bool) -> Iterator[tuple[Asset | None, bool]]:
    """The parent of the new manifest, or None if the content has no history, and whether the parent has a manifest."""
    with container.opened(asset.reader if parent is None else parent) as reader:
        ancestor = asset if parent is None else Asset(reader, container.sniff(reader).mime)
        if not unsigned and _has_manifest(ancestor):
            yield ancestor, True
        elif parent is not None and _has_manifest(asset):
            yield asset, True
        else:
            # a propagator did not create the content: its parent is the file as received
            yield None if claim.label.kind is Kind.GENERATED else ancestor, False


def _has_manifest(asset: Asset) -> bool:
    from c2pa import C2paError, Reader as ManifestReader

    settings = context(reading_settings("", "", PURPOSES))
    refuse_over_bound(asset.reader, asset.mime)
    try:
        return ManifestReader.try_create(asset.mime, asset.reader.file, None, context=settings) is not None
    except C2paError as error:
        if is_unsupported(error):
            return False
        if is_remote(error):
            return True
        raise SigningFailed("{where}: the manifest in the file cannot be read, so it cannot become the parent of the "
                            "new one: {reason}", where=asset.reader.name, reason=reason(error),
                            hint="encode the file again, or leave provenance out of the plan") from error
    finally:
        asset.reader.lose_position()


def _refuse_same_file(reader: Reader, target: BinaryIO) -> None:
    try:
        same = os.path.sameopenfile(reader.file.fileno(), target.fileno())
    except (OSError, AttributeError):  # a file in memory
        same = reader.file is target
    if same:
        raise InvalidArgument("{where}: source and target are the same file", where=reader.name)


def _failure(error: Exception, where: str, mime: str, signer: Signer) -> LabelkitError:
    if is_unsupported(error):
        return UnsupportedFormat("{where}: C2PA cannot embed a manifest in {mime}", where=where, mime=mime,
                                 hint="write a sidecar with labelkit.provenance.sign_sidecar")
    failure = signer.take_failure()
    if signer.has_time_stamp and not failure and is_of_time_stamp(error):
        return SigningFailed("{where}: the time-stamping authority {server} gave no valid time-stamp: {reason}",
                             where=where, server=signer.time_stamp_server, reason=reason(error),
                             hint="try again later, or sign without a time-stamp")
    return SigningFailed("{where}: {subject} (certificate {start} to {end}) could not sign the manifest: {reason}",
                         where=where, subject=signer.subject, start=f"{signer.not_before:%Y-%m-%d}",
                         end=f"{signer.not_after:%Y-%m-%d}", reason=failure or reason(error))
