# SPDX-License-Identifier: Apache-2.0
"""SM2 keys and signatures (GB/T 32918): signers, verification and key files.

SM2 is computed by gmalg (MIT, pure Python, no dependencies, maintained in 2026): 22 ms to verify, 12 ms to sign.
Rejected: cryptography has SM3 but no SM2; gmssl-pyx verifies in 0.7 ms, but its C library prints to stderr for every
wrong signature and has no ARM wheels; snowland-smx (6 ms) takes the nonce from the caller; gmssl, tongsuopy and
gmssl-python are unmaintained since 2023. gmalg does not run in constant time: whoever can time the signer may learn the
key. A key that needs protection from that belongs in an HSM, behind the callback of `Sm2Signer`.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import os
import re
import secrets
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from labelkit.distribution import install_hint
from labelkit.errors import InvalidArgument, SigningFailed
from labelkit.keyfiles import read, write_new

USER_ID = b"1234567812345678"  # the default of GB/T 35276 and GM/T 0009
MAX_PINS = 64
FORMS = ("der", "raw")
_MAX_FILE = 1 << 16
_PRIVATE, _PUBLIC = (re.compile(rb"-----BEGIN %b-----(.+?)-----END %b-----" % (name, name), re.DOTALL)
                     for name in (b"PRIVATE KEY", b"PUBLIC KEY"))

# the curve of GB/T 32918.5: y^2 = x^3 - 3x + b over p, base point of order ORDER
_P = 0xFFFFFFFEFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFF00000000FFFFFFFFFFFFFFFF
_B = 0x28E9FA9E9D9F5E344D5A9E4BCF6509A7F39789F515AB8F92DDBCBD414D940E93
ORDER = 0xFFFFFFFEFFFFFFFFFFFFFFFFFFFFFFFF7203DF6B21C6052B53BBF40939D54123
_CURVE_OID = bytes.fromhex("06082a811ccf5501822d")  # 1.2.156.10197.1.301
_EC_ALGORITHM = bytes.fromhex("301306072a8648ce3d0201") + _CURVE_OID


@dataclass(frozen=True, slots=True)
class Sm2Signer:
    """Signs labels: a public key, 65 bytes 04 || x || y, and a function from a message to its signature.

    The function may call an HSM. It returns r || s (64 bytes) or DER, over SM3(Z || message) with the default user id.
    `form` is how signature and key are written, whatever the function returns: "der", with the key as
    SubjectPublicKeyInfo, as StepFun does, or "raw", r || s and 04 || x || y, which simple verifiers read (MiniMax's
    form but for the key, which it compresses).
    """

    public_key: bytes
    sign: Callable[[bytes], bytes]
    form: str = "der"

    def __post_init__(self) -> None:
        if self.form not in FORMS:
            raise InvalidArgument("the form of an SM2 signature is {forms}, got {got}", forms=", ".join(FORMS),
                                  got=repr(self.form))
        if point(self.public_key) is None or not callable(self.sign):
            raise InvalidArgument("an SM2 signer needs a public key (65 bytes, 04 || x || y) and a signing function")

    @classmethod
    def from_secret(cls, secret: bytes, *, form: str = "der") -> Sm2Signer:
        """The signer of a private key: 32 bytes, a number from 1 to n - 2."""
        if not isinstance(secret, bytes) or len(secret) != 32 or not 1 <= int.from_bytes(secret, "big") <= ORDER - 2:
            raise InvalidArgument("an SM2 private key is 32 bytes, a number from 1 to n - 2")
        require_gmalg()
        from gmalg import SM2

        public = SM2(secret, USER_ID).generate_pk(secret)

        def sign(message: bytes) -> bytes:
            parts = SM2(secret, USER_ID, public).sign(message)
            return b"".join(part.rjust(32, b"\0") for part in parts)

        return cls(public, sign, form)

    @classmethod
    def load(cls, path: str | os.PathLike[str], *, form: str = "der") -> Sm2Signer:
        """The signer of an unencrypted PKCS#8 file, as `keygen` and `openssl genpkey -algorithm SM2` write it."""
        found = _PRIVATE.search(read(path, _MAX_FILE))
        secret = _pkcs8_secret(found.group(1)) if found else None
        if secret is None:
            raise InvalidArgument("{where} holds no unencrypted PKCS#8 SM2 key in PEM form", where=str(path),
                                  hint="openssl genpkey -algorithm SM2 -out sm2.pem")
        return cls.from_secret(secret, form=form)


def keygen(private: str | os.PathLike[str], public: str | os.PathLike[str]) -> Sm2Signer:
    """Write a new SM2 private key, mode 0600, and its public key for verifiers to pin, both as PEM.

    Existing files are never overwritten. Raises InvalidArgument, OutputFailed, and SigningFailed if gmalg is not
    installed.
    """
    secret = (1 + secrets.randbelow(ORDER - 2)).to_bytes(32, "big")
    signer = Sm2Signer.from_secret(secret)
    taken = [path for path in (private, public) if os.path.exists(path)]
    if taken:
        raise InvalidArgument("{where} exists; keys are never overwritten", where=str(taken[0]))
    key = der(0x30, der(2, b"\1") + der(4, secret) + der(0xA1, der(3, b"\0" + signer.public_key)))  # RFC 5915
    write_new(private, _pem("PRIVATE KEY", der(0x30, der(2, b"\0") + _EC_ALGORITHM + der(4, key))), 0o600)
    write_new(public, _pem("PUBLIC KEY", spki(signer.public_key)), 0o644)
    return signer


def load_pins(path: str | os.PathLike[str]) -> tuple[bytes, ...]:
    """The 1 to 64 public keys in a PEM file, 65 bytes each; raises InvalidArgument for a file without any."""
    found = [_decoded(text) for text in _PUBLIC.findall(read(path, _MAX_FILE))]
    keys = tuple(key for raw in found if (key := point(raw)) and spki(key) == raw)
    if not keys or len(keys) != len(found) or len(keys) > MAX_PINS:
        raise InvalidArgument("{where} must hold 1 to {limit} SM2 public keys in PEM form", where=str(path),
                              limit=MAX_PINS, hint="openssl pkey -in sm2.pem -pubout -out sm2.pub.pem")
    return keys


def verifies(public_key: bytes, message: bytes, signature: tuple[int, int]) -> bool:
    """Whether (r, s) is a signature of the message by a public key of 65 bytes, with the default user id."""
    require_gmalg()
    from gmalg import SM2

    r, s = (number.to_bytes(32, "big") for number in signature)
    try:
        return SM2(pk=public_key, uid=USER_ID).verify(message, r, s)
    except (TypeError, ValueError):  # raised by gmalg for the point at infinity
        return False


def require_gmalg() -> None:
    """Raise SigningFailed if gmalg is not installed."""
    try:
        import gmalg  # noqa: F401
    except ImportError as error:
        raise SigningFailed("SM2 needs the package gmalg", hint=install_hint("sm2")) from error


def sm3(data: bytes) -> bytes:
    """SM3 (GB/T 32905), computed by OpenSSL if it has SM3, else by gmalg."""
    if "sm3" in hashlib.algorithms_available:
        return hashlib.new("sm3", data).digest()
    require_gmalg()
    from gmalg import SM3

    digest = SM3()
    digest.update(data)
    return digest.value()


def point(raw: object) -> bytes | None:
    """A point as 04 || x || y, read from that, x || y, compressed, 00 || x (even y) or SPKI; None if it is not one."""
    if not isinstance(raw, bytes):
        return None
    if raw.startswith(b"\x30") and _CURVE_OID in raw[:40]:
        raw = raw[-65:]
    if len(raw) == 64:
        raw = b"\x04" + raw
    x = int.from_bytes(raw[1:33], "big")
    if len(raw) == 33 and raw[0] in (0, 2, 3):
        y = pow(_square(x), (_P + 1) // 4, _P)  # p = 3 mod 4
        y = _P - y if y and y % 2 != raw[0] % 2 else y
    elif len(raw) == 65 and raw[0] == 4:
        y = int.from_bytes(raw[33:], "big")
    else:
        return None
    if x >= _P or y >= _P or y * y % _P != _square(x):
        return None
    return b"\x04" + x.to_bytes(32, "big") + y.to_bytes(32, "big")


def _square(x: int) -> int:
    return (x * x * x - 3 * x + _B) % _P


def spki(public_key: bytes) -> bytes:
    """SubjectPublicKeyInfo in DER."""
    return der(0x30, _EC_ALGORITHM + der(3, b"\0" + public_key))


def tags(data: bytes) -> Iterator[tuple[int, bytes]]:
    """(tag, body) of each DER element up to the first malformed one."""
    while len(data) >= 2:
        tag, size, start = data[0], data[1], 2
        if size > 0x80:
            start = 2 + size - 0x80
            size = int.from_bytes(data[2:start], "big")
        if len(data) < start + size:
            return
        yield tag, data[start:start + size]
        data = data[start + size:]


def der(tag: int, body: bytes) -> bytes:
    """A DER element of at most 255 bytes."""
    return bytes((tag, len(body))) + body if len(body) < 0x80 else bytes((tag, 0x81, len(body))) + body


def _pkcs8_secret(encoded: bytes) -> bytes | None:
    data = _decoded(encoded)
    if data is None or _CURVE_OID not in data[:40]:
        return None
    octets = [body for _, whole in tags(data) for tag, body in tags(whole) if tag == 4]
    found = [body for octet in octets for _, key in tags(octet) for tag, body in tags(key) if tag == 4]
    return found[0] if len(found) == 1 else None


def _decoded(encoded: bytes) -> bytes | None:
    try:
        return base64.b64decode(b"".join(encoded.split()), validate=True)
    except binascii.Error:
        return None


def _pem(name: str, data: bytes) -> bytes:
    text = base64.b64encode(data).decode()
    lines = [text[at:at + 64] for at in range(0, len(text), 64)]
    return "\n".join([f"-----BEGIN {name}-----", *lines, f"-----END {name}-----", ""]).encode()
