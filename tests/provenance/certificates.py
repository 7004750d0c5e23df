# SPDX-License-Identifier: Apache-2.0
"""Certificates for the tests, right and wrong ones, and a time-stamping authority; built apart from the library."""

from __future__ import annotations

import contextlib
import datetime
import http.server
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

NOW = datetime.datetime.now(datetime.UTC)
EMAIL = ExtendedKeyUsageOID.EMAIL_PROTECTION
PEM = serialization.Encoding.PEM
_USAGES = ("digital_signature", "content_commitment", "key_encipherment", "data_encipherment", "key_agreement",
           "key_cert_sign", "crl_sign", "encipher_only", "decipher_only")


def new_key() -> ec.EllipticCurvePrivateKey:
    return ec.generate_private_key(ec.SECP256R1())


def key_pem(key: object, form: serialization.PrivateFormat = serialization.PrivateFormat.PKCS8,
            password: bytes | None = None) -> bytes:
    sealed = serialization.BestAvailableEncryption(password) if password else serialization.NoEncryption()
    return key.private_bytes(PEM, form, sealed)


def make_chain(key: object, *, usage: x509.ObjectIdentifier | None = EMAIL, days: tuple[float, float] = (-1, 365),
               organisation: str = "Test Works", critical_usage: bool = False) -> tuple[bytes, bytes]:
    """(leaf, root) as PEM for a leaf key."""
    root_key = new_key()
    names = [x509.Name([x509.NameAttribute(NameOID.ORGANIZATION_NAME, organisation),
                        x509.NameAttribute(NameOID.COMMON_NAME, role)]) for role in ("root", "signer")]
    root = _extend(_start(names[0], names[0], root_key, (-900, 4000)), root_key, {"key_cert_sign", "crl_sign"}, ca=True)
    leaf = _extend(_start(names[1], names[0], key, days), key, {"digital_signature"}, ca=False).add_extension(
        x509.AuthorityKeyIdentifier.from_issuer_public_key(root_key.public_key()), critical=False)
    if usage:
        leaf = leaf.add_extension(x509.ExtendedKeyUsage([usage]), critical=critical_usage)
    return tuple(c.sign(root_key, hashes.SHA256()).public_bytes(PEM) for c in (leaf, root))


def self_signed(key: object) -> bytes:
    name = x509.Name([x509.NameAttribute(NameOID.ORGANIZATION_NAME, "Alone")])
    leaf = _extend(_start(name, name, key, (-1, 365)), key, {"digital_signature"}, ca=False)
    leaf = leaf.add_extension(x509.ExtendedKeyUsage([EMAIL]), critical=False)
    return leaf.sign(key, hashes.SHA256()).public_bytes(PEM)


def _start(subject: x509.Name, issuer: x509.Name, key: object, days: tuple[float, float]) -> x509.CertificateBuilder:
    start, end = (NOW + datetime.timedelta(days=day) for day in days)
    return (x509.CertificateBuilder().subject_name(subject).issuer_name(issuer).public_key(key.public_key())
            .serial_number(x509.random_serial_number()).not_valid_before(start).not_valid_after(end))


def _extend(builder: x509.CertificateBuilder, key: object, usages: set[str], *, ca: bool) -> x509.CertificateBuilder:
    return (builder.add_extension(x509.BasicConstraints(ca, None), critical=True)
            .add_extension(x509.KeyUsage(**{name: name in usages for name in _USAGES}), critical=True)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False))


_TSA_CONFIG = """[tsa]
default_tsa = stamps
[stamps]
serial = {folder}/serial
signer_cert = {folder}/tsa.pem
certs = {folder}/tsa_root.pem
signer_key = {folder}/tsa.key
signer_digest = sha256
default_policy = 1.2.3.4.1
digests = sha256, sha384, sha512
ess_cert_id_alg = sha256
"""


@contextlib.contextmanager
def time_stamping_authority(folder: Path) -> Iterator[tuple[str, Path]]:
    """(URL on the loopback, file of its root) of an RFC 3161 authority that openssl answers for."""
    key = new_key()
    leaf, root = make_chain(key, usage=ExtendedKeyUsageOID.TIME_STAMPING, critical_usage=True, organisation="Stamps")
    for name, data in (("tsa.pem", leaf), ("tsa_root.pem", root), ("tsa.key", key_pem(key)),
                       ("tsa.cnf", _TSA_CONFIG.format(folder=folder).encode())):
        (folder / name).write_bytes(data)

    def answer(handler: http.server.BaseHTTPRequestHandler) -> bytes:
        (folder / "query").write_bytes(handler.rfile.read(int(handler.headers["Content-Length"])))
        subprocess.run(["openssl", "ts", "-reply", "-config", folder / "tsa.cnf", "-queryfile", folder / "query",
                        "-out", folder / "reply"], check=True, capture_output=True, timeout=600)
        return (folder / "reply").read_bytes()

    with server(answer) as (url, _):
        yield url, folder / "tsa_root.pem"


@contextlib.contextmanager
def server(answer: object = lambda _: b"") -> Iterator[tuple[str, list[str]]]:
    """(URL, paths asked for so far) of a web server on the loopback."""
    asked: list[str] = []

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            asked.append(self.path)
            body = answer(self)
            self.send_response(200)
            self.send_header("Content-Type", "application/timestamp-reply")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        do_GET = do_POST

        def log_message(self, *_: object) -> None:
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as web:
        threading.Thread(target=web.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{web.server_port}/", asked
        web.shutdown()
