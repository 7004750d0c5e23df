# SPDX-License-Identifier: Apache-2.0
"""With --resume, the finished chunks of a film are kept beside its result until that is whole: OUT.chunks.

The folder names the number that the film was given, so that the next run writes the same mark, and holds one folder for
each film, label and setting.
"""

from __future__ import annotations

import argparse
import hashlib
import shutil
from dataclasses import replace
from pathlib import Path

from labelkit import __version__, container, store
from labelkit.cli.files import STANDARD
from labelkit.cli.targets import CHUNKS, CHUNKS_NUMBER, make_folder
from labelkit.errors import LabelkitError, cannot_write
from labelkit.key import Key
from labelkit.label import Label
from labelkit.log_recorder import sha256
from labelkit.payload import Payload
from labelkit.plan import Plan

_LONGEST = 1024  # characters of a number that is read


class KeptChunks:
    """The chunks of one film of a run; nothing is kept of other files, and without --resume.

    number  of the film, unless the run or an earlier one gave it another
    """

    def __init__(self, source: object, where: str, options: argparse.Namespace, number: str) -> None:
        is_kept = options.resume and isinstance(source, str) and where != STANDARD and not store.is_url(where) \
            and _is_film(source)
        self._source, self._jobs = source, options.jobs
        self._folder = Path(f"{where}{CHUNKS}") if is_kept else None
        self.produce_id: str = options.produce_id or self._number() or number

    def _number(self) -> str:
        """The number that an earlier run gave the film, "" where there was none."""
        if self._folder is None:
            return ""
        try:
            with open(self._folder / CHUNKS_NUMBER, encoding="utf-8") as file:
                return file.read(_LONGEST).strip()
        except (OSError, ValueError):
            return ""

    def plan(self, plan: Plan, label: Label, key: Key | None, *, is_alone: bool) -> Plan:
        """The plan with the chunks to work on at a time, where the film is alone in the run, and their folder."""
        jobs = min(self._jobs or 1, 64) if is_alone else 1
        quality = replace(plan.quality, jobs=jobs)
        if self._folder is None or not plan.has_signal_layer:
            return replace(plan, quality=quality)
        facts = (__version__, plan.explicit, plan.watermark, plan.quality, Payload.of(label).hex, Key.of(key).id,
                 sha256(str(self._source)))
        folder = self._folder / hashlib.blake2b(repr(facts).encode(), digest_size=16).hexdigest()
        make_folder(folder)
        try:
            (self._folder / CHUNKS_NUMBER).write_text(self.produce_id, "utf-8")
        except OSError as error:
            raise cannot_write(self._folder, error) from error
        return replace(plan, quality=replace(quality, chunks=folder))

    def remove(self) -> None:
        """Remove them, when the result is whole."""
        if self._folder is not None:
            shutil.rmtree(self._folder, ignore_errors=True)


def _is_film(source: str) -> bool:
    try:
        return container.sniff(source).family == "video"
    except LabelkitError:
        return False
