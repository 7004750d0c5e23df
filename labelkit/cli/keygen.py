# SPDX-License-Identifier: Apache-2.0
"""`labelkit keygen`: a signer, its root, and a watermark key."""

from __future__ import annotations

import argparse
import datetime
from pathlib import Path

from labelkit import pipeline
from labelkit.cli.embed import _make_folder
from labelkit.cli.main import OK
from labelkit.errors import InvalidArgument
from labelkit.messages import Message

KEY_FILE = "watermark.key"


def run(options: argparse.Namespace) -> int:
    """Write the three files; returns the exit code."""
    room, folder = pipeline.provenance(), Path(options.folder)
    if (folder / KEY_FILE).exists():
        raise InvalidArgument("{where} exists; keys are never overwritten", where=str(folder / KEY_FILE))
    _make_folder(folder)
    signer, anchors = room.keygen(folder, options.organisation, now=datetime.datetime.now(datetime.UTC),
                                  days=options.days)
    key = room.keygen_watermark(folder / KEY_FILE)
    print(Message("{path}: certificate chain and key that sign; keep it secret", path=str(signer)).text(options.lang))
    print(Message("{path}: the root that verifiers trust", path=str(anchors)).text(options.lang))
    print(Message("{path}: watermark key {id}; keep it secret, marks made with it are read with it alone",
                  path=str(folder / KEY_FILE), id=key.id).text(options.lang))
    return OK
