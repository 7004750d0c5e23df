# SPDX-License-Identifier: Apache-2.0
"""A time-stamping authority on the loopback: OpenSSL answers the requests that come by HTTP (RFC 3161, 3.4)."""

from __future__ import annotations

import datetime
import http.server
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

_PEM = serialization.Encoding.PEM
_CONFIG = """[tsa]
serial = {folder}/serial
signer_digest = sha256
default_policy = 1.2.3.4.1
digests = sha256, sha384, sha512
ess_cert_id_alg = sha256
"""


@dataclass
class Authority:
    """A folder with its keys; `url` while it answers.

    anchors  PEM file of its root
    asked    requests that came
    answer   bytes or a status that it gives instead, None for what is right
    """

    folder: Path
    url: str = ""
    asked: list[bytes] = field(default_factory=list)
    answer: bytes | int | None = None

    @property
    def anchors(self) -> Path:
        return self.folder / "root.pem"

    def reply(self, request: bytes) -> bytes:
        """OpenSSL's answer."""
        (self.folder / "request").write_bytes(request)
        subprocess.run(["openssl", "ts", "-reply", "-config", "config", "-section", "tsa", "-queryfile", "request",
                        "-signer", "tsa.pem", "-inkey", "tsa.key", "-out", "reply"],
                       cwd=self.folder, check=True, capture_output=True, timeout=600)
        return (self.folder / "reply").read_bytes()


def made(folder: Path) -> Authority:
    """An authority with new keys in a folder."""
    now = datetime.datetime.now(datetime.UTC)
    keys = {name: ec.generate_private_key(ec.SECP256R1()) for name in ("root", "tsa")}
    names = {name: x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, f"test {name}")]) for name in keys}
    for name, key in keys.items():
        is_root = name == "root"
        builder = (x509.CertificateBuilder().subject_name(names[name]).issuer_name(names["root"])
                   .public_key(key.public_key()).serial_number(x509.random_serial_number())
                   .not_valid_before(now - datetime.timedelta(days=1)).not_valid_after(now + datetime.timedelta(days=9))
                   .add_extension(x509.BasicConstraints(is_root, None), critical=True))
        if not is_root:
            builder = builder.add_extension(x509.ExtendedKeyUsage([x509.ExtendedKeyUsageOID.TIME_STAMPING]), True)
        (folder / f"{name}.pem").write_bytes(builder.sign(keys["root"], hashes.SHA256()).public_bytes(_PEM))
        (folder / f"{name}.key").write_bytes(key.private_bytes(
            _PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()))
    (folder / "serial").write_text("01\n")
    (folder / "config").write_text(_CONFIG.format(folder=folder))
    return Authority(folder)


@contextmanager
def answering(authority: Authority) -> Iterator[Authority]:
    """The authority, at its URL until the block ends."""
    class Handler(http.server.BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            authority.asked.append(self.rfile.read(int(self.headers["content-length"])))
            given = authority.answer
            body = b"" if isinstance(given, int) else authority.reply(authority.asked[-1]) if given is None else given
            self.send_response(given if isinstance(given, int) else 200)
            self.send_header("Content-Type", "application/timestamp-reply")
            self.send_header("Content-Length", str(len(body)))
            self.send_header("Location", "/elsewhere")
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    with http.server.HTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        authority.url = f"http://127.0.0.1:{server.server_port}/tsa"
        try:
            yield authority
        finally:
            server.shutdown()
            thread.join()
