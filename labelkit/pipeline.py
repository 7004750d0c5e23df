# SPDX-License-Identifier: Apache-2.0
"""embed and verify: the only file that knows the order of the layers.

    embed    open > decode > explicit.draw > watermark.embed > encode > metadata.write > provenance.sign > out
    verify   open > provenance.validate > metadata.read > decode > watermark.detect > explicit.find > Report
"""

from __future__ import annotations

import dataclasses
import importlib
import os
from collections.abc import Callable, Collection
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any, BinaryIO, TypeAlias, TypeVar, Unpack, cast, overload

from labelkit import arrays, codec, confirmation, container, explicit, metadata, tensors, texts, watermark
from labelkit.codec.samples import Once, Samples
from labelkit.container import Reader, Source, Transaction
from labelkit.delivery import Made, deliver
from labelkit.errors import HostTooSmall, OutputFailed, check_types, checked
from labelkit.evidence import Drawn
from labelkit.key import Key
from labelkit.label import Label
from labelkit.log_recorder import Audit, Recorder, sha256
from labelkit.messages import Message
from labelkit.plan import Plan, Watermark
from labelkit.preconditions import (
    EmbedSettings,
    by_old_names,
    check_request,
    needs_path,
    refuse_other_labels,
    sidecar_of,
    validated,
    verify_settings,
)
from labelkit.report import Layer, Report
from labelkit.request import Request, signpost_of, with_or_without_watermark

if TYPE_CHECKING:
    import datetime

    from labelkit.arrays import Held
    from labelkit.codec.transcode import Progress
    from labelkit.confirmation import Check
    from labelkit.provenance import TrustList
    from labelkit.tensors import Array, Tensor

PathName: TypeAlias = str | os.PathLike[str]
H = TypeVar("H", bound="Held | Tensor")


@overload
def embed(source: H, target: None = None, label: Label | None = None, *, format: None = None,
          **options: Unpack[EmbedSettings]) -> H: ...
@overload
def embed(source: H, target: Array, label: Label | None = None, **options: Unpack[EmbedSettings]) -> H: ...
@overload
def embed(source: str, target: None = None, label: Label | None = None, *, format: str,
          **options: Unpack[EmbedSettings]) -> str: ...
@overload
def embed(source: Source, target: None = None, label: Label | None = None,
          **options: Unpack[EmbedSettings]) -> bytes: ...
@overload
def embed(source: Held | Tensor, target: None = None, label: Label | None = None, *, format: str,
          **options: Unpack[EmbedSettings]) -> bytes: ...
@overload
def embed(source: Source | Held | Tensor, target: PathName, label: Label | None = None, *, format: str | None = None,
          **options: Unpack[EmbedSettings]) -> Path: ...
@overload
def embed(source: Source | Held | Tensor, target: BinaryIO, label: Label | None = None, *, format: str | None = None,
          **options: Unpack[EmbedSettings]) -> None: ...
@overload
def embed(source: Source, target: PathName | BinaryIO, label: Label | None = None,
          **options: Unpack[EmbedSettings]) -> Path | None: ...
def embed(source: Source | Held | Tensor, target: Any = None, label: Label | None = None, *,
          format: str | None = None, plan: Plan | None = None, key: Key | None = None, rate: int | None = None,
          replace: bool = False, in_place: bool = False, check: Check = True, max_pixels: int = codec.MAX_PIXELS,
          audit: Audit | None = None, on_progress: Callable[[Progress], None] | None = None,
          on_left_out: Callable[[Message], None] | None = None,
          on_stronger: Callable[[Watermark], None] | None = None,
          **renamed: Any) -> bytes | str | Path | None | Held | Tensor:
    """Label a file, samples in arrays, or a text.

    source      a path, bytes or a seekable binary file; with `format` a text in a string; or samples in memory: a
                picture as an array (uint8, uint16 or float from 0 to 1, which is worked on as 8 bits; [height, width],
                [height, width, 3] RGB or [height, width, 4] RGBA) or as a Pillow image, or sound; tensors, channels
                first and batches of one are taken as `tensors.taken` says
    target      path or binary file to write to; None returns the labelled file as bytes. Of a picture in an array also
                another array like it, which gets the labelled samples and is returned
    label       what is said about the content
    plan        the layers and their settings; by default all but provenance, which needs a signer
    key         drives the watermark; None is the public key, which anybody can read and write
    rate        Hz, 8,000 to 192,000: the source is sound, float (full scale +-1, worked on as float32) or int16,
                [frames] or [frames, channels]
    format      what samples are encoded to: "jpeg", "png", "webp", "avif", "tiff", "wav", "flac", "ogg", "opus" or
                "mp3"; by default what the ending of `target` says. With neither they come back with the signal layers.
                Opus and MP3 hold the usual rates only. Of a text in a string: "txt", "markdown", "html", "srt", "vtt",
                "ass", "json" or "jsonl"
    replace     put this label in the place of another producer's or a contradictory one, which is otherwise refused
    in_place    allow `target` to be the source itself
    check       find watermark and spoken label in the decoded result, and make a mark that is lost stronger, as far
                as the plan says; what is written as metadata is always read back. "sample" does so for one call in 20,
                a `SampledCheck` for as many as it says
    max_pixels  bound of the pixels of all frames together; of a film, those of one frame
    audit       the label log that gets a record before the output appears; see `Audit`, for a waiver too
    on_progress called after each frame of a film with its `Progress`
    on_left_out called with the reason where the watermark is left out because the plan does not require it; by default
                a `WatermarkLeftOut` warning says so
    on_stronger called with the settings of a watermark made stronger because the file's own encoding took it away

    Returns bytes without a target, the path of a target that is one, None for a file object; a text in a string, and
    samples without a format, come back as what they came as. A path is written beside itself and renamed: on any
    failure it is as it was before.
    A file of a format in which C2PA has no place, such as MKV, Ogg and DOCX, gets its manifest beside it as NAME.c2pa,
    where verify looks for it.
    Raises LabelkitError: InvalidArgument, InvalidLabel, UnsupportedFormat, MalformedFile, LimitExceeded, HostTooSmall,
    MissingGlyph, SigningFailed, OutputFailed.
    """
    audit, on_progress = by_old_names(audit, on_progress, renamed)
    plan = Plan() if plan is None else plan
    label = checked(label, Label, "label")
    check_types(plan=(plan, Plan))
    key = Key.of(key)
    text = texts.held(source, format) if rate is None else None
    if text:
        return _embedded_text(text, target, label,
                              EmbedSettings(plan=plan, key=key, replace=replace, check=check, audit=audit))
    source, back = tensors.taken(source, rate)
    target = tensors.taken(target, rate)[0]
    encoding = arrays.format_of(source, rate, format, target)
    samples_only = arrays.is_held(source) and encoding is None
    if plan.provenance is not None:
        check_types(provenance=(plan.provenance, provenance().Signer))
    is_checked = confirmation.is_due(check)

    def labelled(plan: Plan) -> bytes | Path | None | Held:
        check_request(source, target, plan, in_place, samples_only=samples_only)
        recorder = Recorder.of(audit, label, plan, samples_only=samples_only)
        request = Request(label, plan, key, is_checked, max_pixels, on_progress, recorder, on_stronger=on_stronger)
        return _labelled(source, target, rate, encoding, request, replace)

    made = with_or_without_watermark(labelled, plan, on_left_out)
    return cast("Held | Tensor", back(made)) if samples_only else made


def _labelled(source: Source | Held, target: PathName | BinaryIO | None, rate: int | None, encoding: str | None,
              request: Request, replace: bool) -> bytes | Path | None | Held:
    """What `embed` returns, for one plan."""
    if arrays.is_held(source) and encoding is None:
        return _embed_samples(source, rate, request, target)
    with Transaction(target if isinstance(target, str | os.PathLike) else None, like=source) as new:
        if arrays.is_held(source):
            made = Made(*_encoded_samples(source, rate, str(encoding), new, request))
        else:
            made = _labelled_file(source, new, request, replace)
        return deliver(made, new, None if isinstance(target, str | os.PathLike) else target, request.recorder)


def verify(source: Source | Held | Tensor, *, key: Key | None = None, trust: TrustList | None = None,
           rate: int | None = None, effort: str = "normal", layers: Collection[Layer] = tuple(Layer),
           max_pixels: int = codec.MAX_PIXELS, now: datetime.datetime | None = None, pins: Collection[bytes] = (),
           ocr: bool = False, format: str | None = None, candidates: watermark.AnyCandidates | None = None,
           decode: Callable[[Reader], Samples] | None = None, languages: Collection[str] = ()) -> Report:
    """What a file, or samples in memory, say about being AI-generated. Never changes them, never uses the network.

    source      as for `embed`; samples in memory have only the signal layers
    key         of the watermark to look for; None is the public key
    rate        Hz, of sound in memory
    trust       roots that are trusted to sign; None is C2PA's trust list (`TrustList.c2pa()`), `TrustList.none()`
                checks signatures and judges no signer
    effort      "fast", "normal" or "deep": how far the watermark is searched for
    layers      the layers to check; the others are reported as unchecked
    max_pixels  bound of the pixels of all frames together; of a film, those of one frame
    now         aware datetime, against which certificates that end soon are warned about
    pins        SM2 public keys known to be the producer's (`metadata.sm2.load_pins`), for signatures in ReservedCode1
    candidates  payloads of which one is expected, such as `LabelLog.payloads()`: where no mark can be read, these are
                looked for; by default those that the file's own label and manifest name
    ocr         read explicit labels in any font, where ours is not seen (the extra `ocr`); a second or less a picture
    languages   keys of `labelkit.languages.LANGUAGES`: labels in these are searched for along all edges of pictures
    decode      gives the file's samples in the place of `codec.decode`, where a host such as a browser decodes itself
    format      `source` is a text in a string, in this format, as for `embed`

    A layer that cannot be read is a finding, not an error. Raises UnsupportedFormat for bytes of no known format,
    InvalidArgument, and where not one layer could be checked the error that stood in the way.
    """
    key, pins, found = verify_settings(key, trust, effort, layers, pins, languages)
    among = watermark.Candidates.of(candidates)
    source, _ = tensors.taken(source, rate)
    if arrays.is_held(source):
        samples = arrays.samples_of(source, rate, max_pixels)
        found.add(Layer.WATERMARK, lambda: watermark.find(samples, key, effort=effort, candidates=among))
        found.add(Layer.EXPLICIT, lambda: explicit.find(samples, read_text=ocr, languages=languages))
        return found.report("samples")
    with container.opened(texts.held(source, format) or source) as reader:
        container.sniff(reader)
        found.add(Layer.PROVENANCE, lambda: validated(source, reader, trust, now))
        found.add(Layer.METADATA, lambda: metadata.read(reader, pinned=pins))
        decoded = Once(lambda: decode(reader) if decode and codec.has_signal(container.sniff(reader)) else
                       codec.decode(reader, max_pixels=max_pixels, luma=not ocr))  # reading text wants colour
        found.add(Layer.WATERMARK, lambda: watermark.find(decoded(), key, effort=effort, candidates=(
            among or watermark.Candidates.named_by_file(found.named_payloads(), key_is_public=key.is_public)))
            if codec.has_samples(reader) else
            watermark.nowhere(container.holds_media(reader, container.sniff(reader).name)))
        found.add(Layer.EXPLICIT, lambda: explicit.find(decoded(), found.explicit_text(), read_text=ocr,
                                                       stated_place=found.explicit_place(), languages=languages))
        return found.report(reader.name)


def provenance() -> ModuleType:
    """The provenance room, imported when it is first asked for: c2pa takes a tenth of a second."""
    return importlib.import_module("labelkit.provenance")


def _embedded_text(text: Reader, target: PathName | BinaryIO | None, label: Label,
                   options: EmbedSettings) -> str | Path | None:
    """A text in a string, labelled: as a string, or as a file in UTF-8."""
    made = embed(cast(BinaryIO, text), target, label, **options)  # a Reader is opened as it is
    return made.decode() if isinstance(made, bytes) else made


def _embed_samples(source: Held, rate: int | None, request: Request, target: Any) -> Held:
    """Samples with their signal layers, as what they came as; in `target` where that is an array."""
    marked = arrays.labelled(source, rate, request.max_pixels, lambda one: _signal_layers(one, request)[0], target)
    if request.recorder:
        request.recorder.record_samples(marked)
    return marked


def _encoded_samples(source: Held, rate: int | None, format: str, new: Transaction,
                     request: Request) -> tuple[bytes | Path, Path | None]:
    """Samples as a labelled file, and its manifest where it lies beside it."""
    with arrays.lent(source, rate, request.max_pixels) as samples:
        if arrays.is_long(source, rate):
            made, drawn, _ = _encoded_stage(samples, lambda marked, stage: codec.encode_new_file(marked, stage, format),
                                            "samples", new, request)
            return _stage_layers(made, drawn, None, new, request)
        encoded, drawn = _encoded(samples, lambda marked: codec.encode_new(marked, format, request.plan.quality),
                                  request, "samples", None)
    if request.plan.provenance and not provenance().has_place(encoded):
        needs_path(encoded.name, new)
    return _file_layers(encoded, drawn, request, new)


def _labelled_file(source: Source, new: Transaction, request: Request, replace: bool) -> Made:
    """The labelled file. The source is closed when this returns: Windows replaces no open file."""
    with container.opened(source) as reader:
        container.refuse_unsupported(reader)
        request = request.fitting(reader)
        plan = request.plan
        refuse_other_labels(reader, request.label, plan, replace)
        before = sha256(reader) if request.recorder else None
        if plan.provenance and not provenance().has_place(reader):
            needs_path(reader.name, new)
            request = dataclasses.replace(request, sidecar=sidecar_of(source, reader))
        if codec.is_streamed(reader) or not plan.has_signal_layer and new.target is not None:
            return Made(*_stages(reader, new, request), before)
        encoded, drawn = reader, None
        if plan.has_signal_layer:
            encoded, drawn = _encoded(lambda: codec.decode(reader, max_pixels=request.max_pixels), codec.encode,
                                      request, reader.name, reader.format)
        return Made(*_file_layers(encoded, drawn, request, new, parent=reader), before)


def _encoded(decode: Callable[[], Samples], encode: Callable[[Samples], bytes], request: Request, name: str,
             format: container.Format | None) -> tuple[Reader, Drawn | None]:
    """The encoded file with its signal layers, and what was drawn. A watermark that the encoder takes away is made
    stronger, as far as the plan lets it: what codecs at low quality do to it, they do to the eye and the ear too.

    format  of the file that is encoded anew; None for one that is made of samples
    """
    for number, (settings, is_last) in enumerate(request.attempts()):
        samples, drawn = _signal_layers(decode(), request, settings)
        encoded = Reader.of(encode(samples), name)
        del samples  # an hour of stereo takes 1.3 GB, and the check decodes the result
        encoded.format, encoded.is_new = format, True
        if format is None:
            container.assume_made(encoded)
        try:
            if request.check:
                request.confirm(encoded, drawn)
            request.tell_stronger(number, settings)
            return encoded, drawn
        except OutputFailed:
            if is_last:
                raise
    raise AssertionError("there is a last strength")


def _file_layers(encoded: Reader, drawn: Drawn | None, request: Request, new: Transaction,
                 parent: Reader | None = None) -> tuple[bytes, Path | None]:
    """The encoded file with its metadata and manifest, which is a stage where the file has no place for it."""
    label, plan = request.label, request.plan
    made: Reader | bytes = encoded
    if plan.metadata:
        made = metadata.write(encoded, label, resign=plan.provenance is not None, generator=plan.generator,
                              signpost=signpost_of(plan, encoded))
    whole = made.whole() if isinstance(made, Reader) else made
    if plan.provenance is None:
        return whole, None
    claim = request.claim(drawn, encoded)
    named = made if isinstance(made, Reader) else Reader.of(made, encoded.name)  # for what may go wrong
    named.format = named.format or encoded.format  # of a text its name may be all that tells it
    if provenance().has_place(named):
        return provenance().sign(named, claim, plan.provenance, parent=parent, unsigned=parent is None), None
    return whole, _beside_it(named, parent, new, claim, request)


def _signal_layers(samples: Samples, request: Request,
                   settings: Watermark | None = None) -> tuple[Samples, Drawn | None]:
    plan, drawn = request.plan, None
    if plan.explicit:
        samples, drawn = explicit.draw(samples, plan.explicit, in_place=True)
    if plan.watermark:
        samples = watermark.embed(samples, watermark.payload_of(request.label, plan), request.key,
                                  settings or plan.watermark)
    return samples, drawn


def _stages(reader: Reader, new: Transaction, request: Request) -> tuple[Path, Path | None]:
    """The labelled file as a stage, and its manifest as another, where it has no place for one.

    From file to file, whatever the size: nothing is loaded, and without signal layers nothing is decoded.
    """
    if not request.plan.has_signal_layer:
        return _stage_layers(reader, None, reader, new, request)
    encoded, drawn, film = _encoded_stage(
        lambda: codec.decode(reader, max_pixels=request.max_pixels),
        lambda samples, stage: codec.encode_file(samples, stage, request.plan.quality, request.on_progress),
        reader.name, new, request)
    made, manifest = _stage_layers(encoded, drawn, reader, new, request)
    if request.check and film:
        request.confirm_stage(made, reader.name, drawn, film)
    return made, manifest


def _stage_layers(made: Path | Reader, drawn: Drawn | None, before: Reader | None, new: Transaction,
                  request: Request) -> tuple[Path, Path | None]:
    """A file, or an encoded stage, with its metadata and manifest; `before` is the file that it was made from."""
    label, plan, manifest = request.label, request.plan, None
    if plan.metadata:
        with container.opened(made) as encoded:
            encoded.name, encoded.is_new = before.name if before else "samples", made is not before
            made = metadata.write_stage(encoded, new, label, resign=plan.provenance is not None,
                                        generator=plan.generator, signpost=signpost_of(plan, encoded))
    if plan.provenance:
        made, manifest = _signed(made, before, new, request.claim(drawn, made), request)
    if isinstance(made, Reader):
        raise AssertionError("there is a layer")
    return made, manifest


def _encoded_stage(decode: Callable[[], Samples], encode: Callable[[Samples, Path], None], name: str, new: Transaction,
                   request: Request) -> tuple[Path, Drawn | None, Samples | None]:
    """The encoded file with its signal layers, what was drawn, and samples to confirm when it is whole: a film's.

    Sound is confirmed here: a mark that the encoder takes away is made stronger, as in `_encoded`.
    """
    for number, (settings, is_last) in enumerate(request.attempts()):
        samples, drawn = _signal_layers(decode(), request, settings)
        made, once = new.stage(f"encoded-{number}"), codec.is_encoded_once(samples)
        try:
            encode(samples, made)
            if once:
                return made, drawn, samples
            if request.check:
                request.confirm_stage(made, name, drawn)
            request.tell_stronger(number, settings)
            return made, drawn, None
        except (OutputFailed, HostTooSmall) as error:  # a mark of the class "hard" may still be read
            if is_last or once or isinstance(error, HostTooSmall) and (settings or Watermark()).robustness == "hard":
                raise
        made.unlink(missing_ok=True)
    raise AssertionError("there is a last strength")


def _signed(source: Path | Reader, before: Reader | None, new: Transaction, claim: object,
            request: Request) -> tuple[Path, Path | None]:
    """The file with its manifest in it; or as it is, and its manifest, for what has no place for one."""
    room, signer = provenance(), request.plan.provenance
    if room.has_place(source):
        with open(new.stage("signed"), "w+b") as out:
            room.sign_into(source, out, claim, signer, parent=before, unsigned=before is None)
        return new.stage("signed"), None
    if before is None:
        needs_path("samples", new)
    if isinstance(source, Reader):
        source = new.write("copied", source, [(0, source.size)])
    return source, _beside_it(source, before, new, claim, request)


def _beside_it(made: Path | Reader, before: Reader | None, new: Transaction, claim: object, request: Request) -> Path:
    """The stage of the manifest of a file that has no place for it; `before` is what it was made from."""
    parent = (before, request.sidecar) if before else None
    manifest = new.stage("manifest")
    manifest.write_bytes(provenance().sign_sidecar(made, claim, request.plan.provenance, parent=parent))
    return manifest
