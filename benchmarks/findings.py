# SPDX-License-Identifier: Apache-2.0
"""What every fuzzer here asks of a file, and how it keeps what it finds: each place in the code once."""

from __future__ import annotations

import hashlib
import re
import resource
import time
import traceback
from collections.abc import Callable
from pathlib import Path

from labelkit import container, metadata
from labelkit.errors import LabelkitError
from tests.files import OTHER

SLOWEST_SECONDS, MOST_MEMORY = 2.0, 512 << 10
"""Bounds of one input: seconds of CPU, and KiB by which the largest memory may grow."""
_LABEL_LIKE = re.compile(rb"aigc|content_?pro|produce_?id|propagate_?id", re.IGNORECASE)


def a_file(data: bytes) -> None:
    """Read a file, label it, read it back: one label, everything else as it was, and no change at a second time."""
    metadata.inspect(data)
    out = metadata.write(data, OTHER, resign=True)
    assert metadata.read(out).label == OTHER
    assert metadata.write(out, OTHER, resign=True) == out, "writing the same label again changes the file"
    before, after = _others(data), _others(out)
    assert before <= after, f"lost: {before - after}"


def _others(data: bytes) -> set[tuple[str, str, bytes]]:
    """The texts of a file that have nothing to do with a label, and that there are packets."""
    found = set()
    with container.opened(data) as reader:
        for slot in container.slots(reader):
            try:
                body = slot.load()
            except LabelkitError:
                continue
            if slot.name == "EXIF" and slot.offset_bytes < 8:
                continue  # a text that a broken TIFF lays over its own head, which says where the directory is
            if slot.kind == container.XMP:
                found.add((slot.name, slot.key, b""))
            elif slot.kind == container.TEXT and not _LABEL_LIKE.search(slot.key.encode() + body.replace(b"\0", b"")):
                found.add((slot.name, slot.key, body))
    return found


class Watch:
    """Runs one input, and writes down what is found, each place in the code once."""

    def __init__(self, target: Callable[[bytes], object], folder: Path) -> None:
        self.target, self.folder, self.seen, self.runs = target, folder, set(), 0
        self.memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss

    def __call__(self, data: bytes) -> None:
        start = time.process_time()
        self.memory = max(self.memory, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)  # who made it has its own
        self.runs += 1
        try:
            self.target(data)
        except LabelkitError:
            pass
        except Exception as error:
            frames = traceback.extract_tb(error.__traceback__)
            place = f"{frames[-1].filename}:{frames[-1].lineno} from {frames[1].lineno}"
            said = str(error).partition(":")[0][:60]
            self.note(f"{type(error).__name__} {place} {said}", traceback.format_exc(), data)
        spent = time.process_time() - start
        if spent > SLOWEST_SECONDS:
            self.note(f"slow {len(data).bit_length()}", f"{spent:.1f} s of CPU\n", data)
        memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        if memory > self.memory + MOST_MEMORY:
            self.note(f"memory {memory >> 18}", f"{(memory - self.memory) >> 10} MB\n", data)
            self.memory = memory

    def note(self, kind: str, text: str, data: bytes) -> None:
        """Keep an input and what it did, if it is the first of its kind."""
        if kind not in self.seen:
            self.seen.add(kind)
            path = self.folder / hashlib.sha256(data).hexdigest()[:12]
            path.write_bytes(data)
            path.with_suffix(".txt").write_text(text)
            print(f"finding {path}: {kind}", flush=True)
