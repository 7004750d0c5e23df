# SPDX-License-Identifier: Apache-2.0
"""`labelkit keygen`: a signer, its root, a watermark key, and an SM2 key."""

from __future__ import annotations

import argparse
import datetime
from pathlib import Path

from labelkit import pipeline
from labelkit.cli.files import make_folder
from labelkit.cli.main import OK
from labelkit.errors import InvalidArgument
from labelkit.messages import Message
from labelkit.metadata.sm2 import keygen

KEY_FILE = "watermark.key"


def run(options: argparse.Namespace) -> int:
    """Write the files; returns the exit code."""
    room, folder = pipeline.provenance(), Path(options.folder)
    if (folder / KEY_FILE).exists():
        raise InvalidArgument("{where} exists; keys are never overwritten", where=str(folder / KEY_FILE))
    sm2 = folder / "sm2.pem", folder / "sm2.pub.pem"
    if options.sm2 and any(path.exists() for path in sm2):
        raise InvalidArgument("{where} exists; keys are never overwritten", where=str(sm2[0]))
    make_folder(folder)
    signer, anchors = room.keygen(folder, options.organisation, now=datetime.datetime.now(datetime.UTC),
                                  days=options.days)
    key = room.keygen_watermark(folder / KEY_FILE)
    print(Message("{path}: certificate chain and key that sign; keep it secret", path=str(signer)).text(options.lang))
    print(Message("{path}: the root that verifiers trust", path=str(anchors)).text(options.lang))
    print(Message("{path}: watermark key {id}; keep it secret, marks made with it are read with it alone",
                  path=str(folder / KEY_FILE), id=key.id).text(options.lang))
    if options.sm2:
        keygen(*sm2)
        print(Message("{path}: SM2 key that signs labels; keep it secret", path=str(sm2[0])).text(options.lang))
        print(Message("{path}: its public half, for verifiers to pin", path=str(sm2[1])).text(options.lang))
    return OK
