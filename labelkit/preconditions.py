# SPDX-License-Identifier: Apache-2.0
"""The settings of `embed` and `verify`, and what they refuse before they do anything: requests without sense, and
covering another producer's label."""

from __future__ import annotations

import dataclasses
import importlib
import io
import os
import warnings
from collections.abc import Callable, Collection
from typing import TYPE_CHECKING, Any, TypedDict, cast

from labelkit import arrays, codec, container, metadata
from labelkit.container import C2PA, SIDECAR, Reader, Source, Transaction
from labelkit.errors import InvalidArgument, OutputFailed, UnsupportedFormat, check_types
from labelkit.key import Key
from labelkit.label import Label
from labelkit.log_recorder import Audit
from labelkit.messages import Message
from labelkit.metadata import security_data
from labelkit.plan import Plan, Watermark, check_effort, check_languages
from labelkit.report import Collector, Layer, Status

if TYPE_CHECKING:
    import datetime

    from labelkit.codec.transcode import Progress
    from labelkit.confirmation import Check
    from labelkit.finding import Finding
    from labelkit.provenance import TrustList
    from labelkit.watermark import AnyCandidates


class EmbedSettings(TypedDict, total=False):
    """The settings of `embed`, whatever it is given; see there."""

    plan: Plan | None
    key: Key | None
    rate: int | None
    replace: bool
    in_place: bool
    check: Check
    max_pixels: int
    audit: Audit | None
    on_progress: Callable[[Progress], None] | None
    on_left_out: Callable[[Message], None] | None
    on_stronger: Callable[[Watermark], None] | None


class VerifySettings(TypedDict, total=False):
    """The settings of `verify` for a file; see there."""

    key: Key | None
    trust: TrustList | None
    effort: str
    layers: Collection[Layer]
    max_pixels: int
    now: datetime.datetime | None
    pins: Collection[bytes]
    ocr: bool
    candidates: AnyCandidates | None
    languages: Collection[str]


def check_request(source: object, target: object, plan: Plan, in_place: bool, *, samples_only: bool) -> None:
    """Raise InvalidArgument for a request that would label nothing, or whose target cannot be written."""
    if not (plan.has_signal_layer or plan.metadata or plan.provenance):
        raise InvalidArgument("the plan has no layer, so nothing would be labelled")
    if samples_only and not plan.has_signal_layer:
        raise InvalidArgument("samples in memory can carry an explicit label and a watermark, the plan has neither")
    if not samples_only and not isinstance(target, str | os.PathLike | None) and not _takes_bytes(target):
        raise InvalidArgument("target must be a path or a binary file, got {got}", got=type(target).__name__)
    if isinstance(target, str | os.PathLike) and os.path.exists(target) and not os.path.isfile(target):
        reason = Message("it is no plain file")  # to rename over a device, such as /dev/null, would replace it
        raise OutputFailed("{where} cannot be written: {reason}", where=os.fspath(target), reason=reason)
    if arrays.is_held(source):
        arrays.refuse_loss(source)
        return
    if not in_place and isinstance(source, str | os.PathLike) and isinstance(target, str | os.PathLike):
        refuse_same_file(source, target)


def refuse_same_file(source: str | os.PathLike[str], target: str | os.PathLike[str]) -> None:
    """Raise InvalidArgument for a target that is the source itself, by whatever name."""
    if os.path.exists(target) and os.path.exists(source) and os.path.samefile(source, target):
        raise InvalidArgument("{where}: source and target are the same file", where=os.fspath(source),
                              hint="give another target, or ask for the change in place")


def by_old_names(audit: Audit | None, on_progress: Callable[[Progress], None] | None,
                 renamed: dict[str, Any]) -> tuple[Audit | None, Callable[[Progress], None] | None]:
    """The arguments of 0.1 under their names of now; raises TypeError for what never was an argument."""
    for name in renamed:
        if name not in ("log", "now", "waiver", "report"):
            raise TypeError(f"embed() got an unexpected keyword argument {name!r}")
        new = "on_progress" if name == "report" else "audit"
        warnings.warn(f"embed({name}=...) is deprecated, use {new}=", DeprecationWarning, stacklevel=3)
    if renamed.get("log") is not None or renamed.get("waiver") is not None:
        audit = Audit(renamed.get("log"), renamed.get("now"), renamed.get("waiver"))
    return audit, on_progress or renamed.get("report")


def _takes_bytes(target: object) -> bool:
    return hasattr(target, "write") and not isinstance(target, io.TextIOBase) and not getattr(target, "closed", False)


def refuse_other_labels(reader: Reader, label: Label, plan: Plan, replace: bool) -> None:
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


def fitting(plan: Plan, reader: Reader) -> Plan:
    """The plan without the layers for which a format has no place, if that leaves any: a document has no samples for a
    watermark, and bare text no metadata. Raises UnsupportedFormat where it leaves none."""
    found = container.sniff(reader)
    if codec.has_signal(found) and found.home:
        return plan
    fits = dataclasses.replace(plan, watermark=plan.watermark if codec.has_signal(found) else None,
                               metadata=plan.metadata and bool(found.home))
    if not (fits.has_signal_layer or fits.metadata or fits.provenance):
        raise UnsupportedFormat("{where}: {format} has no place for the layers that are asked for", where=reader.name,
                                format=found.name, hint="ask for the explicit label")
    return fits


def verify_settings(key: Key | None, trust: TrustList | None, effort: str, layers: Collection[Layer],
                    pins: Collection[bytes],
                    languages: Collection[str] = ()) -> tuple[Key, Collection[bytes], Collector]:
    """What `verify` makes of its settings. Raises InvalidArgument for those with which no source can be verified."""
    check_effort(effort)
    check_languages(languages)
    if trust is not None:
        check_types(trust=(trust, importlib.import_module("labelkit.provenance").TrustList))
    return Key.of(key), security_data.points(pins), Collector(layers)  # a wrong pin is the caller's error, no finding


def needs_path(name: str, new: Transaction) -> None:
    """Raise InvalidArgument where there is no target for a manifest to lie beside; `name` is the file's."""
    if new.target is None:
        raise InvalidArgument("{where}: its manifest lies beside the file, which therefore needs a path", where=name)


_MAX_SIDECAR = 16 << 20  # bytes


def sidecar_of(source: Source, reader: Reader) -> bytes | None:
    """The manifest beside a file that is given by its path, if it is of this file."""
    store = _beside(source)
    return store if store is not None and importlib.import_module("labelkit.provenance").fits(reader, store) else None


def validated(source: Source, reader: Reader, trust: TrustList | None, now: datetime.datetime | None) -> Finding:
    """The manifest in a file, or where there is none that beside it, such as of sound that was signed at the end of its
    stream; as `labelkit.provenance.validate` finds it."""
    room = importlib.import_module("labelkit.provenance")
    trust = room.TrustList.c2pa() if trust is None else trust
    found: Finding = room.validate(reader, trust=trust, now=now)
    store = _beside(source) if found.status is Status.ABSENT else None
    return found if store is None else cast("Finding", room.beside(reader, store, found, trust=trust, now=now))


def _beside(source: Source) -> bytes | None:
    if not isinstance(source, str | os.PathLike):
        return None
    path = os.fspath(source) + SIDECAR
    try:
        if not os.path.isfile(path):  # to open a pipe would wait for ever
            return None
        with open(path, "rb") as file:
            return file.read(_MAX_SIDECAR)
    except (OSError, ValueError):
        return None
