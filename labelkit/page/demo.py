# SPDX-License-Identifier: Apache-2.0
"""The demo page of two folders: the files before they were labelled, and after.

    python -m labelkit.page SOURCES LABELLED PAGE.html [--trust ANCHORS.pem] [--key KEY] [--lang en|zh-CN]
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from labelkit import pipeline
from labelkit.errors import LabelkitError, cannot_write
from labelkit.key import Key
from labelkit.messages import LANGUAGES
from labelkit.page.render import Exhibit, page

if TYPE_CHECKING:
    from labelkit.provenance.trust import TrustList


def exhibits(sources: Path, labelled: Path, *, key: Key | None = None,
             trust: TrustList | None = None) -> Iterator[Exhibit]:
    """The files of `labelled` that verify can read, each with the file of the same name in `sources`.

    key, trust  as for `labelkit.verify`
    """
    for path in sorted(path for path in labelled.rglob("*") if path.is_file()):
        relative = path.relative_to(labelled)
        source = sources / relative
        try:
            report = pipeline.verify(path, key=key, trust=trust)
        except LabelkitError:
            continue  # not a format that labelkit knows
        yield Exhibit(str(relative), report, source.read_bytes() if source.is_file() else None, path.read_bytes())


def main(arguments: Sequence[str] | None = None) -> int:
    """Write the demo page; returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m labelkit.page", description=(__doc__ or "").split("\n")[0])
    for name in ("sources", "labelled", "page"):
        parser.add_argument(name, type=Path)
    parser.add_argument("--trust", type=Path)
    parser.add_argument("--key", type=Path)
    parser.add_argument("--lang", choices=LANGUAGES, default="en")
    options = parser.parse_args(arguments)
    try:
        trust = pipeline.provenance().TrustList.load(options.trust) if options.trust else None
        key = Key.load(options.key) if options.key else None
        shown = list(exhibits(options.sources, options.labelled, key=key, trust=trust))
        _write(options.page, page(shown, language=options.lang))
    except LabelkitError as error:
        print(error.text(options.lang), file=sys.stderr)
        return 2
    print(options.page)
    return 0


def _write(path: Path, text: str) -> None:
    try:
        path.write_text(text, "utf-8")
    except OSError as error:
        raise cannot_write(path, error) from error
