# SPDX-License-Identifier: Apache-2.0
"""Bundles of certificates: PEM files, read up to a limit and checked."""

from __future__ import annotations

import os

from labelkit.errors import InvalidArgument
from labelkit.keyfiles import read

MAX_PEM = 16 << 20  # bytes of one bundle; all public web roots together take 0.5 MB


def read_pem(path: str | os.PathLike[str]) -> bytes:
    """The bytes of a PEM file of at most 16 MB; raises InvalidArgument."""
    data = read(path, MAX_PEM + 1)
    if len(data) > MAX_PEM:
        raise InvalidArgument("{where}: a PEM file has at most {limit} bytes", where=os.fspath(path), limit=MAX_PEM)
    return data


def check_bundle(pem: str, name: str) -> None:
    """Raise InvalidArgument for a text that holds no certificates, or a private key."""
    if "PRIVATE KEY" in pem:
        raise InvalidArgument("{name}: a trust list holds certificates, this one holds a private key", name=name,
                              hint="give only the root certificates, such as the anchors.pem that labelkit keygen "
                              "writes")
    try:
        from cryptography import x509
    except ModuleNotFoundError:  # in a browser, where the C2PA library alone reads them
        return
    try:
        x509.load_pem_x509_certificates(pem.encode())
    except ValueError as error:
        raise InvalidArgument("{name} holds no certificates in PEM form: {reason}", name=name,
                              reason=str(error).split("\n")[0].split(". See ")[0]) from error
