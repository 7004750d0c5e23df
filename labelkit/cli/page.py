# SPDX-License-Identifier: Apache-2.0
"""`labelkit page`: the page that verifies files in a browser."""

from __future__ import annotations

import argparse
from pathlib import Path

from labelkit.cli.outcome import OK, note
from labelkit.messages import Message


def run(options: argparse.Namespace) -> int:
    """Write the page; returns the exit code."""
    from labelkit.page import site

    kernels, anchors, cache, keys = (Path(given) if given else None for given in (
        options.kernels, options.trust, options.cache, options.result_keys))
    if kernels is None:
        note(Message("the page is built without compiled kernels, so NumPy does their work; --kernels gives it some"),
             options)
    site.build(Path(options.out), kernels=kernels, anchors=anchors, cache=cache, language=options.lang,
               fetch_from=options.fetch_from, result_keys=keys)
    print(Path(options.out) / "index.html")
    return OK
