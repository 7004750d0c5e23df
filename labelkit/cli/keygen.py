# SPDX-License-Identifier: Apache-2.0
"""`labelkit keygen`: a signer, its root, a watermark key, an SM2 key, and a key that signs results."""

from __future__ import annotations

import argparse
import datetime
import json
from pathlib import Path

from labelkit.cli.outcome import OK
from labelkit.cli.targets import make_folder
from labelkit.errors import InvalidArgument
from labelkit.messages import Message

KEY_FILE = "watermark.key"


def run(options: argparse.Namespace) -> int:
    """Write the files; returns the exit code."""
    from labelkit import keyfiles, provenance, results
    from labelkit.metadata import sm2

    folder = Path(options.folder)
    key_path, sm2_paths = folder / KEY_FILE, (folder / "sm2.pem", folder / "sm2.pub.pem")
    result_paths = folder / "result.pem", folder / "result.jwks.json"
    for path in (key_path, *(sm2_paths if options.sm2 else ()), *(result_paths if options.results else ())):
        if path.exists():
            raise InvalidArgument("{where} exists; keys are never overwritten", where=str(path))
    if options.sm2:
        sm2.require_gmalg()  # before anything is written: a second try would find keys that are never overwritten
    result_key = results.keygen() if options.results else None
    make_folder(folder)
    signer, anchors = provenance.keygen(folder, options.organisation, now=datetime.datetime.now(datetime.UTC),
                                        days=options.days)
    key = provenance.keygen_watermark(key_path)
    said = [Message("{path}: certificate chain and key of the signer; keep it secret", path=str(signer)),
            Message("{path}: the root that verifiers trust", path=str(anchors)),
            Message("{path}: watermark key {id}; keep it secret; only this key detects watermarks made with it",
                    path=str(key_path), id=key.id)]
    if options.sm2:
        sm2.keygen(*sm2_paths)
        said += [Message("{path}: SM2 key that signs labels; keep it secret", path=str(sm2_paths[0])),
                 Message("{path}: its public key, for verifiers to pin", path=str(sm2_paths[1]))]
    if result_key:
        pem, jwks = result_key
        keyfiles.write_new(result_paths[0], pem, 0o600)
        keyfiles.write_new(result_paths[1], json.dumps(jwks).encode() + b"\n", 0o644)
        said += [Message("{path}: key that signs results; keep it secret", path=str(result_paths[0])),
                 Message("{path}: its public key, for those who check results", path=str(result_paths[1]))]
    for message in said:
        print(message.text(options.lang))
    return OK
