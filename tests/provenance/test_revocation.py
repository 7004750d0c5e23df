# SPDX-License-Identifier: Apache-2.0
"""Certificates that were revoked: a status that is stapled to the manifest (OCSP) counts; none is asked for."""

from __future__ import annotations

import datetime
import socket
from pathlib import Path
from typing import NamedTuple

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.x509 import ocsp
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from labelkit.provenance import Claim, Signer, TrustList, sign, validate
from labelkit.report import Finding, Status
from tests.files import LABEL, picture
from tests.provenance import certificates

HOUR = datetime.timedelta(hours=1)


class Works(NamedTuple):
    """A signed picture, and who issued the certificate of its signer."""

    signed: bytes
    trust: TrustList
    certificate: x509.Certificate
    root: x509.Certificate
    responder: x509.Certificate
    responder_key: object


def _name(role: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.ORGANIZATION_NAME, "Works"),
                      x509.NameAttribute(NameOID.COMMON_NAME, role)])


@pytest.fixture(scope="module")
def works(tmp_path_factory: pytest.TempPathFactory) -> Works:
    root_key, key, responder_key = (certificates.new_key() for _ in range(3))
    root = certificates._extend(certificates._start(_name("root"), _name("root"), root_key, (-900, 4000)), root_key,
                                {"key_cert_sign", "crl_sign"}, ca=True).sign(root_key, hashes.SHA256())

    def issued(role: str, own: object, usage: x509.ObjectIdentifier) -> x509.Certificate:
        start = certificates._start(_name(role), _name("root"), own, (-1, 365))
        issuer = x509.AuthorityKeyIdentifier.from_issuer_public_key(root_key.public_key())
        return (certificates._extend(start, own, {"digital_signature"}, ca=False)
                .add_extension(issuer, critical=False)
                .add_extension(x509.ExtendedKeyUsage([usage]), critical=False).sign(root_key, hashes.SHA256()))
    certificate = issued("signer", key, ExtendedKeyUsageOID.EMAIL_PROTECTION)
    responder = issued("responder", responder_key, ExtendedKeyUsageOID.OCSP_SIGNING)
    folder: Path = tmp_path_factory.mktemp("works")
    form = serialization.Encoding.PEM
    (folder / "signer.pem").write_bytes(certificate.public_bytes(form) + certificates.key_pem(key))
    (folder / "root.pem").write_bytes(root.public_bytes(form))
    signed = sign(picture("JPEG"), Claim(LABEL), Signer.load(folder / "signer.pem"))
    return Works(signed, TrustList.load(folder / "root.pem"), certificate, root, responder, responder_key)


def status_of(works: Works, status: ocsp.OCSPCertStatus, certificate: x509.Certificate | None = None) -> bytes:
    """A response as DER."""
    now, is_revoked = datetime.datetime.now(datetime.UTC), status is ocsp.OCSPCertStatus.REVOKED
    made = ocsp.OCSPResponseBuilder().add_response(
        cert=certificate or works.certificate, issuer=works.root, algorithm=hashes.SHA1(), cert_status=status,
        this_update=now - HOUR, next_update=now + 99 * HOUR, revocation_time=now - 2 * HOUR if is_revoked else None,
        revocation_reason=x509.ReasonFlags.key_compromise if is_revoked else None)
    made = made.responder_id(ocsp.OCSPResponderEncoding.HASH, works.responder).certificates([works.responder])
    return made.sign(works.responder_key, hashes.SHA256()).public_bytes(serialization.Encoding.DER)


def stapled(signed: bytes, status: bytes) -> bytes:
    """The picture with a status in the unprotected header of its signature (C2PA 2.4, 14.6), in place of padding."""
    def text(size: int) -> bytes:
        return b"\x59" + size.to_bytes(2, "big")
    at = signed.index(b"\xa1\x63pad\x59")
    room = int.from_bytes(signed[at + 6:at + 8], "big")
    header = b"\xa2\x65rVals\xa1\x68ocspVals\x81" + text(len(status)) + status + b"\x63pad"
    left = room + 8 - len(header) - 3
    return signed[:at] + header + text(left) + bytes(left) + signed[at + 8 + room:]


def judged(works: Works, status: ocsp.OCSPCertStatus, certificate: x509.Certificate | None = None) -> Finding:
    return validate(stapled(works.signed, status_of(works, status, certificate)), trust=works.trust)


def test_a_stapled_revocation_ends_the_manifest(works: Works) -> None:
    found = judged(works, ocsp.OCSPCertStatus.REVOKED)
    assert found.status is Status.INVALID and not found.evidence.trusted and found.label is None
    assert "says that it was revoked" in str(found.summary)


@pytest.mark.parametrize("status", [None, ocsp.OCSPCertStatus.GOOD])
def test_a_certificate_that_was_not_revoked_holds(works: Works, status: ocsp.OCSPCertStatus | None,
                                                  monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(socket, "socket", lambda *_: pytest.fail("a status was asked for"))
    found = judged(works, status) if status else validate(works.signed, trust=works.trust)
    assert found.status is Status.VALID and found.evidence.trusted and found.label == LABEL


def test_the_revocation_of_another_certificate_says_nothing(works: Works) -> None:
    found = judged(works, ocsp.OCSPCertStatus.REVOKED, works.responder)
    assert found.status is Status.VALID and found.evidence.trusted
