# SPDX-License-Identifier: Apache-2.0
"""The label log's part in `embed`: a finished output is recorded before it is put in its place.

What is recorded and then not put there (the disk is full, the machine stops) leaves a record too many. That does no
harm; an output without its record would.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from labelkit import codec, container, watermark
from labelkit.codec.samples import ImageSamples
from labelkit.container import Source
from labelkit.errors import InvalidArgument, LabelkitError, check_types
from labelkit.label import Label
from labelkit.plan import Plan
from labelkit.signpost import soft_binding

if TYPE_CHECKING:
    import datetime

    from labelkit.arrays import Held
    from labelkit.log import Entry, LabelLog, Waiver

_CHUNK = 1 << 20


@dataclass(frozen=True, slots=True)
class Audit:
    """The label log's part in `embed`: no output appears without its record.

    log     the label log that gets the record
    now     aware datetime that the record states
    waiver  why a file goes out without the explicit label that it owes (Labeling Measures, Article 9): takes a plan
            without the explicit label and with metadata. A plan without an explicit label alone says that none is owed
            here: it is in the content already, stands around it, or is drawn in another step
    manifest whether the log keeps the manifest too, so that the watermark leads to it where the file has lost it
    """

    log: LabelLog | None
    now: datetime.datetime | None = None
    waiver: Waiver | None = None
    manifest: bool = False


@dataclass(frozen=True, slots=True)
class Recorder:
    """Writes the record of one output."""

    log: LabelLog
    now: datetime.datetime
    label: Label
    plan: Plan
    waiver: Waiver | None
    manifest: bool = False

    @classmethod
    def of(cls, audit: Audit | None, label: Label, plan: Plan, *, samples_only: bool) -> Recorder | None:
        """A recorder, None without an audit.

        samples_only  the output is samples in memory, which hold no implicit label
        Raises InvalidArgument for what the log would refuse, before anything is made, and for a waiver that Article 9
        of the Labeling Measures does not give.
        """
        if audit is None:
            return None
        check_types(audit=(audit, Audit))
        log, now, waiver = audit.log, audit.now, audit.waiver
        if log is None:
            raise InvalidArgument("Labeling Measures, Article 9: the explicit label is waived only on record",
                                  hint="give a label log")
        if now is None:
            raise InvalidArgument("a record in the label log states its time", hint="give now, an aware datetime")
        recorder = cls(log, now, label, plan, waiver, audit.manifest)
        recorder._entry()
        if waiver and samples_only:
            raise InvalidArgument("Labeling Measures, Article 9: only the explicit label is waived, and samples in "
                                  "memory cannot carry the implicit one", hint="give a format to encode them to")
        return recorder

    def record(self, before: str | None, made: bytes | Path) -> None:
        """Record a finished file; `before` is the SHA-256 of the file that it was made from, if it was one."""
        worked_on = self.plan.explicit or self.plan.watermark  # else the file is not decoded for its fingerprint
        store = self.plan.provenance.take_store() if self.plan.provenance and self.manifest else None
        if store is not None:
            from labelkit.log import Kept

            payload = watermark.payload_of(self.label, self.plan)
            self.log.keep(Kept.of(store, soft_binding(container.sniff(made).mime), payload, self.now))
        self.log.record(self._entry(before, sha256(made), fingerprint_of(made) if worked_on else None))

    def record_stream(self, after: str | None = None) -> None:
        """Record a stream before its first byte leaves, and again at its end with `after`, the SHA-256 of it all."""
        self.log.record(self._entry(after=after))

    def record_samples(self, made: Held) -> None:
        """Record labelled samples, of pictures by their fingerprint."""
        self.log.record(self._entry(fingerprint=_fingerprint(np.asarray(made))))

    def _entry(self, before: str | None = None, after: str | None = None, fingerprint: int | None = None) -> Entry:
        from labelkit.log import Entry

        payload = watermark.payload_of(self.label, self.plan)
        return Entry(self.now, self.label, payload, plan=self.plan, sha256_before=before, sha256_after=after,
                     fingerprint=fingerprint, waiver=self.waiver)


def fingerprint_of(source: Source | container.Reader) -> int | None:
    """The fingerprint of a picture's first frame, None for other media and for what cannot be decoded."""
    with container.opened(source) as reader:
        try:
            if container.sniff(reader).family != "image":  # a film is not decoded for this
                return None
            samples = codec.decode(reader)
            return _fingerprint(samples.frames[0]) if isinstance(samples, ImageSamples) else None
        except LabelkitError:
            return None


def _fingerprint(picture: npt.NDArray[Any]) -> int | None:
    from labelkit.log import fingerprint

    try:
        return fingerprint(picture)
    except LabelkitError:
        return None


def sha256(source: Source | container.Reader) -> str:
    """SHA-256 of a file of any size, as 64 hexadecimal digits."""
    digest = hashlib.sha256()
    with container.opened(source) as reader:
        for start in range(0, reader.size, _CHUNK):
            digest.update(reader.at(start, min(_CHUNK, reader.size - start)))
    return digest.hexdigest()
