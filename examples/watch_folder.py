# SPDX-License-Identifier: Apache-2.0
"""Label each file that appears in a folder: python watch_folder.py INBOX OUTBOX PRODUCER

The folder is looked through once a second, which works on network drives too. A file is taken when it has not changed
since the last look. It appears in OUTBOX whole or not at all; one that cannot be labelled is said on stderr, and tried
again when it changes. What has a result that is newer is left alone, so that a new start goes on where the old one
stopped.
"""

from __future__ import annotations

import sys
import time
import uuid
from collections.abc import Iterator
from pathlib import Path

import labelkit as lk


def looks(inbox: Path, outbox: Path, producer: str) -> Iterator[list[Path]]:
    """What each look through the folder has labelled."""
    seen: dict[Path, tuple[int, int]] = {}
    failed: dict[Path, tuple[int, int]] = {}
    while True:
        now = {path: (path.stat().st_size, path.stat().st_mtime_ns) for path in sorted(inbox.iterdir())
               if path.is_file() and not path.is_symlink() and not path.name.startswith(".")}
        made = []
        for path, state in now.items():
            target = outbox / path.name
            is_done = target.exists() and target.stat().st_mtime_ns >= state[1]
            if is_done or seen.get(path) != state or failed.get(path) == state:
                continue
            try:
                lk.embed(path, target, lk.Label(lk.Kind.GENERATED, producer, produce_id=str(uuid.uuid4())))
                made.append(target)
            except lk.LabelkitError as error:
                failed[path] = state
                print(error, file=sys.stderr)
        seen = now
        yield made


if __name__ == "__main__":
    inbox, outbox = map(Path, sys.argv[1:3])
    for labelled in looks(inbox, outbox, sys.argv[3]):
        for path in labelled:
            print(path)
        time.sleep(1)
