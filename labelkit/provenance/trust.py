# SPDX-License-Identifier: Apache-2.0
"""TrustList: the roots whose signatures a verifier accepts."""

from __future__ import annotations

import os
from dataclasses import dataclass

from labelkit.errors import InvalidArgument
from labelkit.provenance.engine import PURPOSES, reading_settings

MAX_PEM = 16 << 20  # bytes of one bundle; all of the world's public roots are 0.5 MB


@dataclass(frozen=True, slots=True)
class TrustList:
    """Certificates, as PEM text, from which a trusted signature must descend.

    anchors             roots (or intermediates) of claim signers
    time_stamp_anchors  roots of time-stamping authorities; without them a time-stamp is shown, not trusted
    purposes            extended key usages (OIDs) that a signing certificate may have
    """

    anchors: str
    time_stamp_anchors: str = ""
    purposes: tuple[str, ...] = PURPOSES

    def __post_init__(self) -> None:
        _check_bundle(self.anchors, "anchors")
        if self.time_stamp_anchors:
            _check_bundle(self.time_stamp_anchors, "time_stamp_anchors")
        if not self.purposes or not all(_is_oid(purpose) for purpose in self.purposes):
            raise InvalidArgument("purposes are object identifiers such as {example}, got {got}",
                                  example=PURPOSES[0], got=repr(self.purposes))

    @classmethod
    def load(cls, path: str | os.PathLike, *, time_stamps: str | os.PathLike | None = None,
             purposes: tuple[str, ...] = PURPOSES) -> TrustList:
        """Read PEM bundles: roots of signers, and roots of time-stamping authorities; raises InvalidArgument."""
        bundles = []
        for each in (path, time_stamps):
            bundles.append(read_pem(each).decode("ascii", "replace") if each is not None else "")
            if each is not None:
                _check_bundle(bundles[-1], os.fspath(each))  # an error names the file
        return cls(*bundles, purposes)

    def settings(self) -> dict[str, object]:
        """What the engine is told."""
        return reading_settings(self.anchors, self.time_stamp_anchors, self.purposes)


def read_pem(path: str | os.PathLike) -> bytes:
    """The bytes of a PEM file of at most 16 MB; raises InvalidArgument."""
    try:
        with open(path, "rb") as file:
            data = file.read(MAX_PEM + 1)
    except OSError as error:
        raise InvalidArgument("{where} cannot be opened: {reason}", where=os.fspath(path),
                              reason=error.strerror or "it cannot be read") from error
    if len(data) > MAX_PEM:
        raise InvalidArgument("{where}: a PEM file of at most {limit} bytes is wanted",
                              where=os.fspath(path), limit=MAX_PEM)
    return data


def _check_bundle(pem: str, name: str) -> None:
    from cryptography import x509

    if "PRIVATE KEY" in pem:
        raise InvalidArgument("{name}: a trust list holds certificates, this one holds a private key", name=name,
                              hint="give the roots alone, such as the anchors.pem that labelkit keygen writes")
    try:
        x509.load_pem_x509_certificates(pem.encode())
    except ValueError as error:
        raise InvalidArgument("{name}: certificates in PEM form are wanted: {reason}",
                              name=name, reason=str(error).split("\n")[0].split(". See ")[0]) from error


def _is_oid(text: object) -> bool:
    parts = text.split(".") if isinstance(text, str) else []
    return len(parts) > 2 and all(part.isascii() and part.isdigit() for part in parts)
