# SPDX-License-Identifier: Apache-2.0
"""embed and verify: the only file that knows the order of the layers.

    embed    open > decode > explicit.draw > watermark.embed > encode > metadata.write > provenance.sign > out
    verify   open > provenance.validate > metadata.read > decode > watermark.detect > explicit.find > Report
"""

from __future__ import annotations

import functools
import importlib
import os
import shutil
import tempfile
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, BinaryIO

import numpy as np

from labelkit import codec, container, explicit, metadata, watermark
from labelkit.codec.samples import ImageSamples, Samples
from labelkit.container import C2PA, Reader, Source
from labelkit.errors import InvalidArgument, LabelkitError, OutputFailed
from labelkit.key import Key
from labelkit.label import Label
from labelkit.messages import Message
from labelkit.metadata import security_data
from labelkit.plan import Plan
from labelkit.recording import Recorder
from labelkit.report import Finding, Layer, Report, Status

if TYPE_CHECKING:
    import datetime

    from PIL import Image

    from labelkit.codec.transcode import Progress
    from labelkit.log import LabelLog, Waiver
    from labelkit.provenance import TrustList

    Picture = np.ndarray | Image.Image

SIDECAR = ".c2pa"
MAX_SIDECAR = 16 << 20  # bytes


def embed(source: Source | Picture, target: str | os.PathLike | BinaryIO | None = None, label: Label | None = None, *,
          plan: Plan | None = None, key: Key | None = None, replace: bool = False, in_place: bool = False,
          check: bool = True, max_pixels: int = codec.MAX_PIXELS, log: LabelLog | None = None,
          now: datetime.datetime | None = None, waiver: Waiver | None = None,
          report: Callable[[Progress], None] | None = None) -> bytes | Path | None | Picture:
    """Label a file, or samples in memory.

    source      a path, bytes or a seekable binary file; or a picture as an array (uint8 or uint16 [height, width],
                [height, width, 3] RGB or [height, width, 4] RGBA) or as a Pillow image: the signal layers only
    target      path or binary file to write to; None returns the labelled file as bytes
    label       what is said about the content
    plan        the layers and their settings; by default all but provenance, which needs a signer
    key         drives the watermark; None is the public key, which anybody can read and write
    replace     put this label in the place of another producer's or a contradictory one, which is otherwise refused
    in_place    allow `target` to be the source itself
    check       find watermark and spoken label in the decoded result; metadata are always read back
    max_pixels  bound of the pixels of all frames together; of a film, those of one frame
    log, now    the label log that gets a record, and the time that it states; no output without its record
    waiver      why a file goes out without the explicit label that it owes (Labeling Measures, Article 9): needs the
                log, a plan without the explicit label and with metadata. A plan without an explicit label alone says
                that none is owed here: it is in the content already, stands around it, or is drawn in another step
    report      called after each frame of a film with its `Progress`

    Returns bytes without a target, the path of a target that is one, None for a file object; samples come back as
    what they came as. A path is written beside itself and renamed: on any failure it is as it was before. A film of a
    format in which C2PA has no place, such as MKV, gets its manifest beside it as NAME.c2pa, where verify looks for it.
    Raises LabelkitError: InvalidArgument, InvalidLabel, UnsupportedFormat, MalformedFile, LimitExceeded, HostTooSmall,
    MissingGlyph, SigningFailed, OutputFailed.
    """
    plan = plan or Plan()
    _check_types(label=(label, Label), plan=(plan, Plan), key=(key or Key.public(), Key))
    _check_request(source, target, plan, in_place)
    if log is not None or waiver is not None:
        work = functools.partial(embed, label=label, plan=plan, key=key, replace=replace, check=check,
                                 max_pixels=max_pixels, report=report)
        return Recorder(log, now, label, plan, waiver).run(work, source, target, in_memory=_is_picture(source))
    if _is_picture(source):
        return _like(source, _signal_layers(_samples_of(source), label, plan, key)[0])
    with container.opened(source) as reader:
        _refuse_other_labels(reader, label, plan, replace)
        if codec.is_streamed(reader) or not plan.has_signal_layer and isinstance(target, str | os.PathLike):
            sidecar = _beside(source, reader) if plan.provenance else None
            return _through_files(reader, target, _Request(label, plan, key, check, max_pixels, report, sidecar))
        result: bytes | Reader = reader
        drawn: Mapping[str, object] | None = None
        if plan.has_signal_layer:
            samples, drawn = _signal_layers(codec.decode(reader, max_pixels=max_pixels), label, plan, key)
            result = codec.encode(samples)
        if plan.metadata:
            result = metadata.write(result, label, resign=plan.provenance is not None)
        if plan.provenance:
            result = provenance().sign(result, _claim(label, plan, drawn), plan.provenance, parent=reader)
        if check:
            _check(Reader.of(result, reader.name), _Request(label, plan, key, check, max_pixels, report, None), drawn)
    return _put(result, target)


def verify(source: Source | Picture, *, key: Key | None = None, trust: TrustList | None = None,
           effort: str = "normal", layers: Collection[Layer] = tuple(Layer), max_pixels: int = codec.MAX_PIXELS,
           now: datetime.datetime | None = None, pins: Collection[bytes] = ()) -> Report:
    """What a file, or samples in memory, say about being AI-generated. Never changes them, never uses the network.

    source      as for `embed`; samples in memory have only the signal layers
    key         of the watermark to look for; None is the public key
    trust       roots that are trusted to sign; without them a signature is checked, its owner is not
    effort      "fast", "normal" or "deep": how far the watermark is searched for
    layers      the layers to check; the others are reported as unchecked
    max_pixels  bound of the pixels of all frames together; of a film, those of one frame
    now         aware datetime, against which certificates that end soon are warned about
    pins        SM2 public keys known to be the producer's (`metadata.sm2.load_pins`), for signatures in ReservedCode1

    A layer that cannot be read is a finding, not an error. Raises UnsupportedFormat for bytes of no known format,
    InvalidArgument, and where not one layer could be checked the error that stood in the way.
    """
    _check_types(key=(key or Key.public(), Key))
    if trust is not None:
        _check_types(trust=(trust, provenance().TrustList))
    pins = security_data.points(pins)  # a wrong key is the caller's error, no finding
    answers = _Answers(layers)
    if _is_picture(source):
        samples = _samples_of(source)
        answers.add(Layer.WATERMARK, lambda: watermark.find(samples, key, effort=effort))
        answers.add(Layer.EXPLICIT, lambda: explicit.find(samples))
        return answers.report("samples")
    with container.opened(source) as reader:
        container.sniff(reader)
        answers.add(Layer.PROVENANCE, lambda: provenance().validate(reader, trust=trust, now=now,
                                                                    sidecar=_beside(source, reader)))
        answers.add(Layer.METADATA, lambda: metadata.read(reader, pinned=pins))
        decoded = _Once(lambda: codec.decode(reader, max_pixels=max_pixels))
        answers.add(Layer.WATERMARK, lambda: watermark.find(decoded(), key, effort=effort))
        answers.add(Layer.EXPLICIT, lambda: explicit.find(decoded(), answers.explicit_text()))
        return answers.report(reader.name)


def provenance() -> ModuleType:
    """The provenance room, imported when it is first asked for: c2pa takes a tenth of a second."""
    return importlib.import_module("labelkit.provenance")


def _signal_layers(samples: Samples, label: Label, plan: Plan,
                   key: Key | None) -> tuple[Samples, Mapping[str, object] | None]:
    drawn = None
    if plan.explicit:
        samples, drawn = explicit.draw(samples, plan.explicit)
    if plan.watermark:
        samples = watermark.embed(samples, watermark.payload_of(label, plan), key, plan.watermark)
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
    sidecar: bytes | None  # the manifest that lies beside the source


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
    except OSError as error:
        raise _cannot_write(target if path else "a temporary file", error) from error
    return path


def _stages(reader: Reader, folder: Path, request: _Request) -> Path:
    """The labelled file, made in `folder`."""
    label, plan = request.label, request.plan
    result: Source | Reader = reader
    drawn = None
    if plan.has_signal_layer:
        samples, drawn = _signal_layers(codec.decode(reader, max_pixels=request.max_pixels), label, plan, request.key)
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
            _check(marked, request, drawn)
    return result


def _signed(source: Path | Reader, before: Reader, folder: Path, claim: object, request: _Request) -> Path:
    """The file with its manifest in it, or as it is with the manifest in `folder` for what has no place for one."""
    room, signer = provenance(), request.plan.provenance
    if room.has_place(container.sniff(source).mime):
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
        if provenance().has_place(container.sniff(reader).mime):
            return None
        with open(os.fspath(source) + SIDECAR, "rb") as file:
            return file.read(MAX_SIDECAR)
    except (TypeError, OSError, ValueError):
        return None


def _handed_over(result: Path, target: BinaryIO | None) -> bytes | None:
    if target is None:
        return result.read_bytes()
    with open(result, "rb") as file:
        shutil.copyfileobj(file, target, 1 << 20)
    return None


def _claim(label: Label, plan: Plan, drawn: Mapping[str, object] | None) -> object:
    return provenance().Claim(label, watermark.payload_of(label, plan), explicit=drawn)


def _check_types(**arguments: tuple[object, type]) -> None:
    for name, (value, wanted) in arguments.items():
        if not isinstance(value, wanted):
            raise InvalidArgument("{name} must be a {wanted}, got {got}", name=name, wanted=wanted.__name__,
                                  got=type(value).__name__)


def _check_request(source: object, target: object, plan: Plan, in_place: bool) -> None:
    if plan.provenance is not None:
        _check_types(provenance=(plan.provenance, provenance().Signer))
    if not (plan.has_signal_layer or plan.metadata or plan.provenance):
        raise InvalidArgument("the plan has no layer, so nothing would be labelled")
    if _is_picture(source):
        if target is not None:
            raise InvalidArgument("samples in memory are returned, they cannot be written to a target")
        if not plan.has_signal_layer:
            raise InvalidArgument("samples in memory can carry an explicit label and a watermark, the plan has neither")
    elif not in_place and isinstance(source, str | os.PathLike) and isinstance(target, str | os.PathLike):
        if os.path.exists(target) and os.path.exists(source) and os.path.samefile(source, target):
            raise InvalidArgument("{where}: source and target are the same file", where=os.fspath(source),
                                  hint="give another target, or ask for the change in place")


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
    decoded = _Once(lambda: codec.decode(result, max_pixels=request.max_pixels))
    explicit.confirm(decoded, request.plan.explicit, drawn)
    if request.plan.watermark:
        found = watermark.detect(decoded(), request.key, effort="fast")
        watermark.confirm(found, watermark.payload_of(request.label, request.plan), result.name)


def _put(result: bytes, target: str | os.PathLike | BinaryIO | None) -> bytes | Path | None:
    if target is None:
        return result
    if isinstance(target, str | os.PathLike):
        container.save(Reader.of(b""), [result], target)
        return Path(target)
    try:
        target.write(result)
    except OSError as error:
        raise _cannot_write(getattr(target, "name", "stream"), error) from error
    return None


def _cannot_write(target: object, error: OSError) -> OutputFailed:
    return OutputFailed("{where} cannot be written: {reason}", where=str(target),
                        reason=error.strerror or "the system refused")


def _is_picture(source: object) -> bool:
    return isinstance(source, np.ndarray) or hasattr(source, "getbands")


def _samples_of(picture: Picture) -> ImageSamples:
    if isinstance(picture, np.ndarray):
        shielded = picture.view()
        shielded.flags.writeable = False  # the layers may work in place on what is theirs
        return ImageSamples((shielded,))
    mode = "RGBA" if picture.has_transparency_data else "L" if picture.mode in ("L", "1") else "RGB"
    return ImageSamples((np.asarray(picture if picture.mode == mode else picture.convert(mode)),))


def _like(picture: Picture, samples: ImageSamples) -> Picture:
    if isinstance(picture, np.ndarray):
        return samples.frames[0]
    from PIL import Image
    image = Image.fromarray(samples.frames[0])
    image.info = dict(picture.info)
    return image


class _Once:
    """Calls a function at most once, whether it returns or raises."""

    def __init__(self, function: Callable[[], Samples]) -> None:
        self._function, self._value, self._error = function, None, None

    def __call__(self) -> Samples:
        if self._error:
            raise self._error
        if self._value is None:
            try:
                self._value = self._function()
            except LabelkitError as error:
                self._error = error
                raise
        return self._value


class _Answers:
    """Collects one finding for each layer; what kept a layer from being checked is its finding."""

    def __init__(self, layers: Collection[Layer]) -> None:
        try:
            self._wanted = {Layer(layer) for layer in layers}
        except (TypeError, ValueError) as error:
            raise InvalidArgument("layers are some of {layers}, got {got}", got=repr(layers),
                                  layers=", ".join(layer.value for layer in Layer)) from error
        self._errors: list[LabelkitError] = []
        self._findings = {layer: Finding(layer, Status.UNCHECKED, Message("samples in memory have no file side"))
                          if layer in self._wanted else Finding(layer, Status.UNCHECKED, Message("not asked for"))
                          for layer in Layer}

    def add(self, layer: Layer, look: Callable[[], Finding]) -> None:
        """Ask for a finding, if the layer is wanted."""
        if layer not in self._wanted:
            return
        try:
            self._findings[layer] = look()
        except InvalidArgument:
            raise  # the caller's mistake says nothing about the file
        except LabelkitError as error:
            self._errors.append(error)
            self._findings[layer] = Finding(layer, Status.UNCHECKED, Message("{reason}", reason=error.message),
                                            evidence={"error": type(error).__name__})

    def explicit_text(self) -> str | None:
        """The text of the explicit label that the manifest names."""
        stated = self._findings[Layer.PROVENANCE].evidence.get("explicit")
        return stated.get("text") if isinstance(stated, Mapping) else None

    def report(self, name: str) -> Report:
        """The report; raises the first error where no layer could be checked."""
        if self._errors and all(finding.status is Status.UNCHECKED for finding in self._findings.values()):
            raise self._errors[0]
        return Report.of(name, self._findings)
