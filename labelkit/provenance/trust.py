# SPDX-License-Identifier: Apache-2.0
"""TrustList: the root certificates that a verifier trusts."""

from __future__ import annotations

import functools
import os
from dataclasses import dataclass

from labelkit.errors import InvalidArgument
from labelkit.provenance import official
from labelkit.provenance.bundles import check_bundle, read_pem
from labelkit.provenance.engine import PURPOSES, Settings, reading_settings


@dataclass(frozen=True, slots=True)
class TrustList:
    """Certificates, as PEM text, that a trusted signature must chain to.

    anchors             roots (or intermediates) of claim signers
    time_stamp_anchors  roots of time-stamping authorities; without them time-stamps are reported but not trusted
    purposes            accepted extended key usages (OIDs) of signing certificates
    name                what a report calls the list
    `TrustList.c2pa()` is C2PA's own, `TrustList.none()` trusts nobody and judges nobody.
    """

    anchors: str
    time_stamp_anchors: str = ""
    purposes: tuple[str, ...] = PURPOSES
    name: str = "anchors"

    def __post_init__(self) -> None:
        if not self.judges and not self.name:
            return
        _check(self.anchors, "anchors")
        if self.time_stamp_anchors:
            _check(self.time_stamp_anchors, "time_stamp_anchors")
        if not self.purposes or not all(_is_oid(purpose) for purpose in self.purposes):
            raise InvalidArgument("purposes must be object identifiers such as {example}, got {got}",
                                  example=PURPOSES[0], got=repr(self.purposes))

    @classmethod
    def load(cls, path: str | os.PathLike[str], *, time_stamps: str | os.PathLike[str] | None = None,
             purposes: tuple[str, ...] = PURPOSES) -> TrustList:
        """Read PEM bundles: roots of signers, and roots of time-stamping authorities; raises InvalidArgument."""
        return cls(_read_bundle(path), "" if time_stamps is None else _read_bundle(time_stamps), purposes,
                   os.path.basename(os.fspath(path)))

    @classmethod
    def c2pa(cls) -> TrustList:
        """C2PA's trust lists of signers and time-stamping authorities: as shipped, or as the user has replaced them.

        Raises InvalidArgument where the user's list is broken.
        """
        found = official.current()
        return _of_official(found)

    @classmethod
    def none(cls) -> TrustList:
        """No list: signatures and hashes are checked, and nobody says whose word counts."""
        return cls("", name="")

    @property
    def judges(self) -> bool:
        """Whether there is anybody on the list."""
        return bool(self.anchors)

    def settings(self) -> Settings:
        """The settings of c2pa that apply this list."""
        return reading_settings(self.anchors, self.time_stamp_anchors, self.purposes)


@functools.lru_cache(maxsize=4)
def _of_official(found: official.OfficialList) -> TrustList:
    return TrustList(found.signers, found.time_stamps, name=found.name)


def _check(pem: str, name: str) -> None:
    """`check_bundle`, which loads a library of certificates: not for what is shipped."""
    known = official.shipped()
    if pem not in (known.signers, known.time_stamps):
        check_bundle(pem, name)


def _read_bundle(path: str | os.PathLike[str]) -> str:
    pem = read_pem(path).decode("ascii", "replace")
    check_bundle(pem, os.fspath(path))  # so that an error names the file
    return pem


def _is_oid(text: object) -> bool:
    parts = text.split(".") if isinstance(text, str) else []
    return len(parts) > 2 and all(part.isascii() and part.isdigit() for part in parts)
