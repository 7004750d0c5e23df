# SPDX-License-Identifier: Apache-2.0
"""The label log's part in `embed`: the output is made beside its place, recorded, and only then put there.

What is recorded and then not put there (the disk is full, the machine stops) leaves a record too many. That does no
harm; an output without its record would.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

import numpy as np

from labelkit import codec, container, memory, watermark
from labelkit.container import Source
from labelkit.errors import InvalidArgument, LabelkitError, cannot_write
from labelkit.label import Label
from labelkit.plan import Plan

if TYPE_CHECKING:
    import datetime

    from labelkit.log import LabelLog, Waiver

_CHUNK = 1 << 20


@dataclass(frozen=True, slots=True)
class Recorder:
    """Writes one record; refuses a waiver that Article 9 of the Labeling Measures does not give."""

    log: LabelLog | None
    now: datetime.datetime | None
    label: Label
    plan: Plan
    waiver: Waiver | None

    def __post_init__(self) -> None:
        if self.log is None:
            raise InvalidArgument("Labeling Measures, Article 9: the explicit label is waived only on record",
                                  hint="give a label log")
        if self.now is None:
            raise InvalidArgument("a record in the label log states its time", hint="give now, an aware datetime")
        self._record(check_only=True)  # what the log would refuse is refused before anything is made

    def run(self, work: Callable[..., object], source: object, target: object, *, samples_only: bool) -> object:
        """Do `work`, which labels `source` into the target given to it, with a record; returns what `work` returns."""
        if samples_only:
            return self._samples(work, source)
        if memory.is_held(source):
            return self._placed(work, source, target, None)
        with container.opened(source) as reader:
            return self._placed(work, reader, target, sha256(reader))

    def _placed(self, work: Callable[..., object], source: object, target: object, before: str | None) -> object:
        path = Path(target) if isinstance(target, str | os.PathLike) else None
        if path is None:
            return self._bytes(work, source, target, before)
        try:
            with tempfile.TemporaryDirectory(prefix=".labelkit-", dir=path.parent) as folder:
                made = Path(folder) / path.name  # the name tells some formats
                work(source, made)
                self._record(before, sha256(made), self._fingerprint(made))
                if path.exists():
                    shutil.copymode(path, made)
                if (beside := made.with_name(made.name + ".c2pa")).exists():  # a manifest with no place inside
                    os.replace(beside, path.with_name(beside.name))
                os.replace(made, path)
        except OSError as error:
            raise cannot_write(path, error) from error
        return path

    def _samples(self, work: Callable[..., object], picture: object) -> object:
        if self.waiver:
            raise InvalidArgument("Labeling Measures, Article 9: only the explicit label is waived, and samples in "
                                  "memory cannot carry the implicit one", hint="give a format to encode them to")
        made = work(picture)
        self._record(fingerprint=_fingerprint(np.asarray(made)))
        return made

    def _bytes(self, work: Callable[..., object], source: object, target: BinaryIO | None,
               before: str | None) -> bytes | None:
        made = work(source)
        self._record(before, hashlib.sha256(made).hexdigest(), self._fingerprint(made))
        if target is None:
            return made
        try:
            container.write_all(target, made)
        except OSError as error:
            raise cannot_write(getattr(target, "name", "stream"), error) from error
        return None

    def _record(self, before: str | None = None, after: str | None = None, fingerprint: int | None = None, *,
                check_only: bool = False) -> None:
        from labelkit.log import Entry

        payload = watermark.payload_of(self.label, self.plan)
        entry = Entry(self.now, self.label, payload, plan=self.plan, sha256_before=before, sha256_after=after,
                      fingerprint=fingerprint, waiver=self.waiver)
        if not check_only:
            self.log.record(entry)

    def _fingerprint(self, made: Source) -> int | None:
        """Of a picture whose pixels were worked on; a file whose metadata alone changed is not decoded for it."""
        return fingerprint_of(made) if self.plan.explicit or self.plan.watermark else None


def fingerprint_of(source: Source | container.Reader) -> int | None:
    """The fingerprint of a picture's first frame, None for other media and for what cannot be decoded."""
    with container.opened(source) as reader:
        try:
            picture = container.sniff(reader).family == "image"  # a film is not decoded for this
            return _fingerprint(codec.decode(reader).frames[0]) if picture else None
        except LabelkitError:
            return None


def _fingerprint(picture: np.ndarray) -> int | None:
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
