# SPDX-License-Identifier: Apache-2.0
"""Generate keys: a certificate chain that C2PA verifiers accept, and a watermark key."""

from __future__ import annotations

import datetime
import os
import secrets
from pathlib import Path
from typing import TYPE_CHECKING

from labelkit.errors import InvalidArgument
from labelkit.key import Key
from labelkit.keyfiles import write_new

if TYPE_CHECKING:
    from cryptography import x509
    from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey

SIGNER_FILE, ANCHORS_FILE = "signer.pem", "anchors.pem"
MAX_DAYS = 7300
_ROOT_EXTRA_DAYS = 30  # a root must not expire before its leaf
_BACKDATED_HOURS = 1  # the clocks of signing and verifying machines differ
_USAGES = ("digital_signature", "content_commitment", "key_encipherment", "data_encipherment", "key_agreement",
           "key_cert_sign", "crl_sign", "encipher_only", "decipher_only")


def keygen(directory: str | os.PathLike[str], organisation: str, *, now: datetime.datetime,
           days: int = 1825) -> tuple[Path, Path]:
    """Write a new signer and its root: `signer.pem` (chain and key, mode 0600) and `anchors.pem` (for verifiers).

    organisation  the name that verifiers show, 1 to 64 characters
    now           aware datetime from which the certificate is valid
    days          validity, 1 to 7300 days. Signatures without a time-stamp expire with the certificate
    Returns the two paths. The keys are ECDSA P-256. The root's private key is discarded, so no second certificate can
    be issued under it: when the certificate expires, generate new keys and add the new root to the verifiers' anchors.
    Existing files are never overwritten. Raises InvalidArgument and OutputFailed.
    """
    signer, anchors = make_chain(organisation, now=now, days=days)
    paths = Path(directory) / SIGNER_FILE, Path(directory) / ANCHORS_FILE
    taken = [path for path in paths if path.exists()]
    if taken:
        raise InvalidArgument("{where} exists; keys are never overwritten", where=str(taken[0]))
    write_new(paths[0], signer, 0o600)
    write_new(paths[1], anchors, 0o644)
    return paths


def keygen_watermark(path: str | os.PathLike[str]) -> Key:
    """Write a new watermark key of 32 random bytes, mode 0600, and return it. Never overwrites a file.

    Raises InvalidArgument and OutputFailed.
    """
    secret = secrets.token_bytes(32)
    write_new(path, Key.file_of(secret), 0o600)
    return Key(secret)


def make_chain(organisation: str, *, now: datetime.datetime, days: int) -> tuple[bytes, bytes]:
    """(leaf, root and the leaf's PKCS#8 key; root) as PEM, by the rules of `keygen`."""
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    _check(organisation, now, days)
    root_key, leaf_key = (ec.generate_private_key(ec.SECP256R1()) for _ in range(2))
    start, end = now - datetime.timedelta(hours=_BACKDATED_HOURS), now + datetime.timedelta(days=days)
    root_name, leaf_name = _name(organisation, f"{organisation} root"), _name(organisation, f"{organisation} labelkit")
    root_end = end + datetime.timedelta(_ROOT_EXTRA_DAYS)
    root = _extended(_certificate(root_name, root_name, root_key, start, root_end), root_key, ca=True).sign(
        root_key, hashes.SHA256())
    leaf = _extended(_certificate(leaf_name, root_name, leaf_key, start, end), leaf_key, ca=False, issuer=root_key
                     ).sign(root_key, hashes.SHA256())
    pem = serialization.Encoding.PEM
    key = leaf_key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    anchors = root.public_bytes(pem)
    return leaf.public_bytes(pem) + anchors + key, anchors


def _check(organisation: str, now: datetime.datetime, days: int) -> None:
    if not isinstance(organisation, str) or not 1 <= len(organisation) <= 64 or not organisation.isprintable():
        # 64: ub-organization-name of RFC 5280
        raise InvalidArgument("organisation must be a name of 1 to 64 characters, got {got}", got=repr(organisation))
    if not isinstance(days, int) or not 1 <= days <= MAX_DAYS:
        raise InvalidArgument("days must be a number from {low} to {high}, got {value}",
                              low=1, high=MAX_DAYS, value=repr(days))
    if not isinstance(now, datetime.datetime) or now.tzinfo is None:
        raise InvalidArgument("now must be a datetime with a time zone, got {got}", got=repr(now))


def _name(organisation: str, common_name: str) -> x509.Name:
    from cryptography import x509
    from cryptography.x509.oid import NameOID

    return x509.Name([x509.NameAttribute(NameOID.ORGANIZATION_NAME, organisation),
                      x509.NameAttribute(NameOID.COMMON_NAME, common_name[:64])])


def _certificate(subject: x509.Name, issuer: x509.Name, key: EllipticCurvePrivateKey, start: datetime.datetime,
                 end: datetime.datetime) -> x509.CertificateBuilder:
    from cryptography import x509

    return (x509.CertificateBuilder().subject_name(subject).issuer_name(issuer).public_key(key.public_key())
            .serial_number(x509.random_serial_number()).not_valid_before(start).not_valid_after(end))


def _extended(builder: x509.CertificateBuilder, key: EllipticCurvePrivateKey, *, ca: bool,
              issuer: EllipticCurvePrivateKey | None = None) -> x509.CertificateBuilder:
    """Add the extensions that C2PA requires of a certificate (C2PA 2.1, 14.5 X.509 certificates)."""
    from cryptography import x509
    from cryptography.x509.oid import ExtendedKeyUsageOID

    usages = {"key_cert_sign", "crl_sign"} if ca else {"digital_signature"}
    builder = (builder.add_extension(x509.BasicConstraints(ca=ca, path_length=0 if ca else None), critical=True)
               .add_extension(x509.KeyUsage(**{name: name in usages for name in _USAGES}), critical=True)
               .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False))
    if issuer is not None:
        builder = builder.add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer.public_key()), critical=False).add_extension(
            x509.ExtendedKeyUsage([ExtendedKeyUsageOID.EMAIL_PROTECTION]), critical=False)
    return builder
