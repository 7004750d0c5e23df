# SPDX-License-Identifier: Apache-2.0
"""embed and verify: the only file that knows the order of the layers.

    embed    open > decode > explicit.draw > watermark.embed > encode > metadata.write > provenance.sign > out
    verify   open > provenance.validate > metadata.read > decode > watermark.detect > explicit.find > Report
"""

from __future__ import annotations

import dataclasses
import functools
import importlib
import io
import os
import tempfile
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, BinaryIO

from labelkit import codec, container, explicit, memory, metadata, watermark
from labelkit.answers import Answers, Once
from labelkit.codec.samples import Samples
from labelkit.container import C2PA, Reader, Source
from labelkit.errors import InvalidArgument, OutputFailed, cannot_write, check_types
from labelkit.key import Key
from labelkit.label import Label
from labelkit.messages import Message
from labelkit.metadata import security_data
from labelkit.plan import Plan
from labelkit.recording import Recorder
from labelkit.report import Layer, Report, Status

if TYPE_CHECKING:
    import datetime

    from labelkit.codec.transcode import Progress
    from labelkit.log import LabelLog, Waiver
    from labelkit.memory import Held
    from labelkit.provenance import TrustList

SIDECAR = ".c2pa"
MAX_SIDECAR = 16 << 20  # bytes


def embed(source: Source | Held, target: str | os.PathLike | BinaryIO | None = None, label: Label | None = None, *,
          plan: Plan | None = None, key: Key | None = None, rate: int | None = None, format: str | None = None,
          replace: bool = False, in_place: bool = False,
          check: bool = True, max_pixels: int = codec.MAX_PIXELS, log: LabelLog | None = None,
          now: datetime.datetime | None = None, waiver: Waiver | None = None,
          report: Callable[[Progress], None] | None = None) -> bytes | Path | None | Held:
    """Label a file, or samples in memory.

    source      a path, bytes or a seekable binary file; or samples in memory: a picture as an array (uint8, uint16 or
                float from 0 to 1, which is worked on as 8 bits; [height, width], [height, width, 3] RGB or
                [height, width, 4] RGBA) or as a Pillow image, or sound
    target      path or binary file to write to; None returns the labelled file as bytes
    label       what is said about the content
    plan        the layers and their settings; by default all but provenance, which needs a signer
    key         drives the watermark; None is the public key, which anybody can read and write
    rate        Hz, 8,000 to 192,000: the source is sound, float32 (full scale +-1) or int16, [frames] or
                [frames, channels]
    format      what samples are encoded to: "jpeg", "png", "webp", "avif", "tiff", "wav", "flac", "ogg", "opus" or
                "mp3"; by default what the ending of `target` says. With neither they come back with the signal layers.
                Opus and MP3 hold the usual rates only
    replace     put this label in the place of another producer's or a contradictory one, which is otherwise refused
    in_place    allow `target` to be the source itself
    check       find watermark and spoken label in the decoded result, and make a mark that is lost stronger, as far
                as the plan says; what is written as metadata is always read back
    max_pixels  bound of the pixels of all frames together; of a film, those of one frame
    log, now    the label log that gets a record, and the time that it states; no output without its record
    waiver      why a file goes out without the explicit label that it owes (Labeling Measures, Article 9): needs the
                log, a plan without the explicit label and with metadata. A plan without an explicit label alone says
                that none is owed here: it is in the content already, stands around it, or is drawn in another step
    report      called after each frame of a film with its `Progress`

    Returns bytes without a target, the path of a target that is one, None for a file object; samples without a format
    come back as what they came as. A path is written beside itself and renamed: on any failure it is as it was before.
    A film of a format in which C2PA has no place, such as MKV, gets its manifest beside it as NAME.c2pa, where verify
    looks for it.
    Raises LabelkitError: InvalidArgument, InvalidLabel, UnsupportedFormat, MalformedFile, LimitExceeded, HostTooSmall,
    MissingGlyph, SigningFailed, OutputFailed.
    """
    plan = Plan() if plan is None else plan
    check_types(label=(label, Label), plan=(plan, Plan))
    key = Key.of(key)
    held = memory.is_held(source)
    format = memory.format_of(source, rate, format, target)
    samples_only = held and format is None
    _check_request(source, target, plan, in_place, samples_only=samples_only)
    if log is not None or waiver is not None:
        work = functools.partial(embed, label=label, plan=plan, key=key, rate=rate, format=format, replace=replace,
                                 check=check, max_pixels=max_pixels, report=report)
        return Recorder(log, now, label, plan, waiver).run(work, source, target, samples_only=samples_only)
    request = _Request(label, plan, key, check, max_pixels, report)
    if samples_only:
        return memory.like(source, _signal_layers(memory.samples_of(source, rate), request)[0])
    if held:
        result, drawn = _encoded(lambda: memory.samples_of(source, rate),
                                 lambda samples: codec.encode_new(samples, format, plan.quality), request, "samples")
        return _put(_file_layers(result, drawn, request), target)
    with container.opened(source) as reader:
        _refuse_other_labels(reader, label, plan, replace)
        if codec.is_streamed(reader) or not plan.has_signal_layer and isinstance(target, str | os.PathLike):
            sidecar = _beside(source, reader) if plan.provenance else None
            return _through_files(reader, target, dataclasses.replace(request, sidecar=sidecar))
        result, drawn = reader, None
        if plan.has_signal_layer:
            result, drawn = _encoded(lambda: codec.decode(reader, max_pixels=max_pixels), codec.encode, request,
                                     reader.name)
        result = _file_layers(result, drawn, request, parent=reader)
    return _put(result, target)


def verify(source: Source | Held, *, key: Key | None = None, trust: TrustList | None = None, rate: int | None = None,
           effort: str = "normal", layers: Collection[Layer] = tuple(Layer), max_pixels: int = codec.MAX_PIXELS,
           now: datetime.datetime | None = None, pins: Collection[bytes] = (), ocr: bool = False) -> Report:
    """What a file, or samples in memory, say about being AI-generated. Never changes them, never uses the network.

    source      as for `embed`; samples in memory have only the signal layers
    key         of the watermark to look for; None is the public key
    rate        Hz, of sound in memory
    trust       roots that are trusted to sign; without them a signature is checked, its owner is not
    effort      "fast", "normal" or "deep": how far the watermark is searched for
    layers      the layers to check; the others are reported as unchecked
    max_pixels  bound of the pixels of all frames together; of a film, those of one frame
    now         aware datetime, against which certificates that end soon are warned about
    pins        SM2 public keys known to be the producer's (`metadata.sm2.load_pins`), for signatures in ReservedCode1
    ocr         read explicit labels in any font, where ours is not seen (labelkit[ocr]); a second or less a picture

    A layer that cannot be read is a finding, not an error. Raises UnsupportedFormat for bytes of no known format,
    InvalidArgument, and where not one layer could be checked the error that stood in the way.
    """
    key = Key.of(key)
    if trust is not None:
        check_types(trust=(trust, provenance().TrustList))
    pins = security_data.points(pins)  # a wrong key is the caller's error, no finding
    answers = Answers(layers)
    if memory.is_held(source):
        samples = memory.samples_of(source, rate)
        answers.add(Layer.WATERMARK, lambda: watermark.find(samples, key, effort=effort))
        answers.add(Layer.EXPLICIT, lambda: explicit.find(samples, read_text=ocr))
        return answers.report("samples")
    with container.opened(source) as reader:
        container.sniff(reader)
        answers.add(Layer.PROVENANCE, lambda: provenance().validate(reader, trust=trust, now=now,
                                                                    sidecar=_beside(source, reader)))
        answers.add(Layer.METADATA, lambda: metadata.read(reader, pinned=pins))
        decoded = Once(lambda: codec.decode(reader, max_pixels=max_pixels))
        answers.add(Layer.WATERMARK, lambda: watermark.find(decoded(), key, effort=effort))
        answers.add(Layer.EXPLICIT, lambda: explicit.find(decoded(), answers.explicit_text(), read_text=ocr))
        return answers.report(reader.name)


def provenance() -> ModuleType:
    """The provenance room, imported when it is first asked for: c2pa takes a tenth of a second."""
    return importlib.import_module("labelkit.provenance")


def _encoded(decode: Callable[[], Samples], encode: Callable[[Samples], bytes], request: _Request,
             name: str) -> tuple[bytes, Mapping[str, object] | None]:
    """The encoded file with its signal layers, and what was drawn. A watermark that the encoder takes away is made
    stronger, as far as the plan lets it: what codecs at low quality do to it, they do to the eye and the ear too."""
    for strength, is_last in request.strengths():
        samples, drawn = _signal_layers(decode(), request, strength)
        result = encode(samples)
        try:
            if request.check:
                _check(Reader.of(result, name), request, drawn)
            return result, drawn
        except OutputFailed:
            if is_last:
                raise
    raise AssertionError("there is a last strength")


def _file_layers(result: bytes | Reader, drawn: Mapping[str, object] | None, request: _Request,
                 parent: Reader | None = None) -> bytes:
    """The encoded file with its metadata and manifest."""
    label, plan = request.label, request.plan
    if plan.metadata:
        result = metadata.write(result, label, resign=plan.provenance is not None)
    if plan.provenance:
        result = provenance().sign(result, _claim(label, plan, drawn), plan.provenance, parent=parent)
    return result


def _signal_layers(samples: Samples, request: _Request,
                   strength: float | None = None) -> tuple[Samples, Mapping[str, object] | None]:
    plan, drawn = request.plan, None
    if plan.explicit:
        samples, drawn = explicit.draw(samples, plan.explicit)
    if plan.watermark:
        settings = plan.watermark if strength is None else dataclasses.replace(plan.watermark, strength=strength)
        samples = watermark.embed(samples, watermark.payload_of(request.label, plan), request.key, settings)
    return samples, drawn


@dataclass(frozen=True, slots=True)
class _Request:
    """What `embed` was asked for."""

    label: Label
    plan: Plan
    key: Key | None
    check: bool
    max_pixels: int
    report: Callable[[Progress], None] | None
    sidecar: bytes | None = None  # the manifest that lies beside the source

    def strengths(self) -> Iterator[tuple[float | None, bool]]:
        """The strengths to try, and whether each is the last."""
        steps = self.plan.watermark.strengths() if self.plan.watermark and self.check else [None]
        return ((step, index == len(steps)) for index, step in enumerate(steps, 1))


def _through_files(reader: Reader, target: str | os.PathLike | BinaryIO | None,
                   request: _Request) -> bytes | Path | None:
    """From file to file, whatever the size: nothing is loaded, and without signal layers nothing is decoded.

    The stages lie in a folder beside the target, which goes whatever happens; the last is renamed.
    """
    path = Path(target) if isinstance(target, str | os.PathLike) else None
    try:
        with tempfile.TemporaryDirectory(prefix=".labelkit-", dir=path.parent if path else None) as folder:
            result = _stages(reader, Path(folder), request)
            manifest = Path(folder) / f"manifest{SIDECAR}"
            if path is None and manifest.exists():
                raise InvalidArgument("{where}: its manifest lies beside the file, which therefore needs a path",
                                      where=reader.name)
            if path is None:
                return _handed_over(result, target)
            if path.exists():
                result.chmod(path.stat().st_mode & 0o777)
            if manifest.exists():
                os.replace(manifest, f"{path}{SIDECAR}")
            os.replace(result, path)
    except (OSError, OutputFailed) as error:
        cause = error if isinstance(error, OSError) else error.__cause__
        if not isinstance(cause, OSError):
            raise
        raise cannot_write(target if path else "a temporary file", cause) from error  # not a file in a folder that goes
    return path


def _stages(reader: Reader, folder: Path, request: _Request) -> Path:
    """The labelled file, made in `folder`."""
    label, plan = request.label, request.plan
    result: Source | Reader = reader
    drawn = None
    if plan.has_signal_layer:
        samples, drawn = _signal_layers(codec.decode(reader, max_pixels=request.max_pixels), request)
        result = folder / "encoded"
        codec.encode_file(samples, result, plan.quality, request.report)
    if plan.metadata:
        labelled = folder / "labelled"
        metadata.write_file(result, labelled, label, resign=plan.provenance is not None)
        result = labelled
    if plan.provenance:
        result = _signed(result, reader, folder, _claim(label, plan, drawn), request)
    if request.check:
        with container.opened(result) as marked:
            marked.name = reader.name  # what is refused is the film, not a file in a folder that goes
            _check(marked, request, drawn)
    return result


def _signed(source: Path | Reader, before: Reader, folder: Path, claim: object, request: _Request) -> Path:
    """The file with its manifest in it, or as it is with the manifest in `folder` for what has no place for one."""
    room, signer = provenance(), request.plan.provenance
    if room.has_place(source):
        with open(folder / "signed", "w+b") as out:
            room.sign_into(source, out, claim, signer, parent=before)
        return folder / "signed"
    if isinstance(source, Reader):
        with open(folder / "copied", "wb") as out:
            container.stream(source, [(0, source.size)], out)
        source = folder / "copied"
    parent = (before, request.sidecar) if request.sidecar else None
    (folder / f"manifest{SIDECAR}").write_bytes(room.sign_sidecar(source, claim, signer, parent=parent))
    return source


def _beside(source: Source, reader: Reader) -> bytes | None:
    """The manifest beside a file that is given by its path and has no place for one inside."""
    try:
        if provenance().has_place(reader):
            return None
        with open(os.fspath(source) + SIDECAR, "rb") as file:
            return file.read(MAX_SIDECAR)
    except (TypeError, OSError, ValueError):
        return None


def _handed_over(result: Path, target: BinaryIO | None) -> bytes | None:
    if target is None:
        return result.read_bytes()
    with open(result, "rb") as file:
        while piece := file.read(1 << 20):
            container.write_all(target, piece)
    return None


def _claim(label: Label, plan: Plan, drawn: Mapping[str, object] | None) -> object:
    payload = watermark.payload_of(label, plan)
    return provenance().Claim(label, payload, explicit=drawn, generator=plan.generator)


def _check_request(source: object, target: object, plan: Plan, in_place: bool, *, samples_only: bool) -> None:
    if plan.provenance is not None:
        check_types(provenance=(plan.provenance, provenance().Signer))
    if not (plan.has_signal_layer or plan.metadata or plan.provenance):
        raise InvalidArgument("the plan has no layer, so nothing would be labelled")
    if samples_only and not plan.has_signal_layer:
        raise InvalidArgument("samples in memory can carry an explicit label and a watermark, the plan has neither")
    if not isinstance(target, str | os.PathLike | None) and not _takes_bytes(target):
        raise InvalidArgument("target must be a path or a binary file, got {got}", got=type(target).__name__)
    if isinstance(target, str | os.PathLike) and os.path.exists(target) and not os.path.isfile(target):
        reason = Message("it is no plain file")  # to rename over a device, such as /dev/null, would replace it
        raise OutputFailed("{where} cannot be written: {reason}", where=os.fspath(target), reason=reason)
    if memory.is_held(source):
        return
    if not in_place and isinstance(source, str | os.PathLike) and isinstance(target, str | os.PathLike):
        if os.path.exists(target) and os.path.exists(source) and os.path.samefile(source, target):
            raise InvalidArgument("{where}: source and target are the same file", where=os.fspath(source),
                                  hint="give another target, or ask for the change in place")


def _takes_bytes(target: object) -> bool:
    return hasattr(target, "write") and not isinstance(target, io.TextIOBase) and not getattr(target, "closed", False)


def _refuse_other_labels(reader: Reader, label: Label, plan: Plan, replace: bool) -> None:
    """Labels of others are not covered up unasked (Labeling Measures, Article 10)."""
    if replace:
        return
    found = metadata.read(reader)
    if found.status is Status.INVALID or found.label and found.label.content_producer != label.content_producer:
        raise InvalidArgument("{where}: the file is labelled already: {summary}", where=reader.name,
                              summary=found.summary, hint="ask for the old label to be replaced")
    if not plan.provenance and any(slot.kind == C2PA for slot in container.scan(reader).slots):
        raise InvalidArgument("{where}: the file carries a C2PA manifest, which labelling would break",
                              where=reader.name, hint="give a signer, so that the old manifest becomes the parent of "
                              "a new one, or ask for it to be replaced")


def _check(result: Reader, request: _Request, drawn: Mapping[str, object] | None) -> None:
    plan, payload = request.plan, watermark.payload_of(request.label, request.plan)
    decoded = Once(lambda: codec.decode(result, max_pixels=request.max_pixels))
    explicit.confirm(decoded, plan.explicit, drawn)
    if not plan.watermark:
        return
    watermark.confirm(watermark.detect(decoded(), request.key, effort="fast"), payload, result.name)
    heard = watermark.listen(decoded(), request.key) if plan.watermark.soundtrack else None
    if heard and heard.payload != payload:
        raise OutputFailed("{where}: the watermark does not read back from the sound track, which is too short or too "
                           "quiet", where=result.name, hint="raise the strength, or leave the sound track out of it")


def _put(result: bytes, target: str | os.PathLike | BinaryIO | None) -> bytes | Path | None:
    if target is None:
        return result
    if isinstance(target, str | os.PathLike):
        container.save(Reader.of(b""), [result], target)
        return Path(target)
    try:
        container.write_all(target, result)
    except OSError as error:
        raise cannot_write(getattr(target, "name", "stream"), error) from error
    return None
