# SPDX-License-Identifier: Apache-2.0
"""The last step of embed: what was made is recorded, then put in its place or handed over."""

from __future__ import annotations

import os
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from labelkit import container
from labelkit.container import SIDECAR, Reader, Transaction
from labelkit.errors import ManifestLeft
from labelkit.messages import Message

if TYPE_CHECKING:
    from labelkit.log_recorder import Recorder


@dataclass(frozen=True, slots=True)
class Made:
    """A labelled file: in memory or as a stage, the stage of the manifest that goes beside it, the source's SHA-256."""

    file: bytes | Path
    manifest: Path | None = None
    before: str | None = None


def deliver(made: Made, new: Transaction, out: BinaryIO | None, recorder: Recorder | None) -> bytes | Path | None:
    """Record the labelled file, if there is a log, and put it in its place, or give it to `out` or the caller."""
    file = made.file
    stage = None
    if new.target is not None:  # written before it is recorded: a disk that is full leaves no record
        stage = file if isinstance(file, Path) else new.write("labelled", Reader.of(b""), [file])
    if recorder:
        recorder.record(made.before, file)
    if stage is not None:
        new.commit(stage, made.manifest)
        if made.manifest is None and os.path.lexists(old := f"{new.target}{SIDECAR}"):
            warnings.warn(ManifestLeft(Message("{where} is of the file that was there before, not of the new one, and "
                                               "stays as it is", where=old)), stacklevel=2)
        return new.target
    if out is None:
        return file if isinstance(file, bytes) else file.read_bytes()
    container.hand_over(file, out)
    return None
