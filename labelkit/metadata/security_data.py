# SPDX-License-Identifier: Apache-2.0
"""SecurityData in ReservedCode1 and 2: the label signed with SM3withSM2 (TC260-PG-202511A).

    signed = sign(label, Sm2Signer.load("sm2.pem"))                 # the producer's signature in ReservedCode1
    outcome = verify(signed.fields(), pinned=[public_key])          # Outcome: state, reason, key

SM2 comes from gmalg (MIT, pure Python, no dependencies, alive in 2026): 22 ms to verify, 12 ms to sign. Looked at and
not taken: cryptography has SM3 and no SM2; gmssl-pyx verifies in 0.7 ms but its C library writes to stderr whenever a
signature is wrong, and has no wheels for ARM; snowland-smx (6 ms) takes the nonce from the caller; gmssl, tongsuopy
and gmssl-python stand still since 2023. Being Python, gmalg does not hide the key from whoever can time the signer;
a key that must be hidden belongs into an HSM, behind `Sm2Signer`'s callback.

Vendors differ in the key's and the signature's encoding and hash the message once or twice; verify reads all that
were seen and says which. A key inside the file proves that nothing was changed, not who signed: that takes a pinned
key. What the propagator signs in ReservedCode2 is not published, so only a producer's signature is judged there.
"""

from __future__ import annotations

import base64
import binascii
import enum
import hashlib
import json
import re
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from labelkit.errors import InvalidArgument, LabelkitError, SigningFailed
from labelkit.label import Label
from labelkit.messages import Message

SM3_WITH_SM2 = "1.2.156.10197.1.501"
USER_ID = b"1234567812345678"  # the default of GB/T 35276 and GM/T 0009
MAX_TEXT = 1 << 16  # characters of a reserved code that are looked at; real ones have under 2,000
_MAX_ENTRIES = 16
_MAX_PINNED = 8  # tried where the file brings no key: 2 signatures x 2 forms x 22 ms for each

# the curve of GB/T 32918.5: y^2 = x^3 - 3x + b over p, base point of order n
_P = 0xFFFFFFFEFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFF00000000FFFFFFFFFFFFFFFF
_B = 0x28E9FA9E9D9F5E344D5A9E4BCF6509A7F39789F515AB8F92DDBCBD414D940E93
_N = 0xFFFFFFFEFFFFFFFFFFFFFFFFFFFFFFFF7203DF6B21C6052B53BBF40939D54123
_CURVE_OID = bytes.fromhex("06082a811ccf5501822d")  # 1.2.156.10197.1.301
_EC_ALGORITHM = bytes.fromhex("301306072a8648ce3d0201") + _CURVE_OID
_LABEL_SCOPES = ("Md", "LabelMataData", "LabelMetaData")  # the guide's, a vendor's (sic) and its correction

Tree = Mapping[str, object]


class State(enum.Enum):
    """What a reserved code proves."""

    VERIFIED_PINNED = "verified-pinned"
    VERIFIED_SELF = "verified-self"
    FAILED = "failed"
    UNSUPPORTED = "unsupported"
    ABSENT = "absent"


@dataclass(frozen=True, slots=True)
class Outcome:
    """The answer of `verify`.

    state   VERIFIED_PINNED under a key of the caller's, VERIFIED_SELF under the key that the file brings, or why not
    reason  one line for people
    key     the public key that verified, 65 bytes 04 || x || y as hex
    form    how the signature was made, such as "der, hashed once"
    """

    state: State
    reason: Message
    key: str | None = None
    form: str | None = None


@dataclass(frozen=True, slots=True)
class Sm2Signer:
    """Who signs labels: a public key, 65 bytes 04 || x || y, and a function from a message to its signature.

    The function may ask an HSM; it returns r || s (64 bytes) or DER, over SM3(Z || message) with the default user id.
    """

    public_key: bytes
    sign: Callable[[bytes], bytes]

    def __post_init__(self) -> None:
        if _point(self.public_key) is None or not callable(self.sign):
            raise InvalidArgument("an SM2 public key (65 bytes, 04 || x || y) and a signing function are wanted")

    @classmethod
    def from_secret(cls, secret: bytes) -> Sm2Signer:
        """The signer of a private key of 32 bytes, a number from 1 to n - 2."""
        if not isinstance(secret, bytes) or len(secret) != 32 or not 1 <= int.from_bytes(secret, "big") <= _N - 2:
            raise InvalidArgument("an SM2 private key is 32 bytes, a number from 1 to n - 2")
        public = _gmalg().SM2(secret, USER_ID).generate_pk(secret)

        def sign(message: bytes) -> bytes:
            parts = _gmalg().SM2(secret, USER_ID, public).sign(message)
            return b"".join(part.rjust(32, b"\0") for part in parts)

        return cls(public, sign)

    @classmethod
    def load(cls, path: str | Path) -> Sm2Signer:
        """The signer of an unencrypted PKCS#8 file, as `openssl genpkey -algorithm SM2` writes it."""
        try:
            with open(path, "rb") as file:
                pem = file.read(MAX_TEXT)
        except OSError as error:
            raise InvalidArgument("{where} cannot be opened: {reason}", where=str(path),
                                  reason=error.strerror or "it cannot be read") from error
        found = re.search(rb"-----BEGIN PRIVATE KEY-----(.+?)-----END PRIVATE KEY-----", pem, re.DOTALL)
        secret = _pkcs8_secret(found.group(1)) if found else None
        if secret is None:
            raise InvalidArgument("{where}: an unencrypted PKCS#8 SM2 key in PEM form is wanted", where=str(path),
                                  hint="openssl genpkey -algorithm SM2 -out sm2.pem")
        return cls.from_secret(secret)


def sign(label: Label, signer: Sm2Signer) -> Label:
    """The label with the producer's SecurityData in ReservedCode1: SM3 once, signature and key in DER.

    Raises SigningFailed where the signer does not answer with a signature that verifies.
    """
    message = _message(label.fields())
    try:
        pair = _signature(signer.sign(message).hex())
    except LabelkitError:
        raise
    except Exception as error:
        raise SigningFailed("the SM2 signer failed: {reason}", reason=f"{type(error).__name__}: {error}") from error
    if pair is None or not _holds(signer.public_key, message, pair[1]):
        raise SigningFailed("the SM2 signer returned what its public key does not verify")
    subject = b"\x03\x42\0" + signer.public_key
    key = _der(0x30, _EC_ALGORITHM + subject)
    value = _der(0x30, b"".join(_der(2, number.to_bytes(number.bit_length() // 8 + 1, "big")) for number in pair[1]))
    entries = [{"Type": "DS", "AlgID": SM3_WITH_SM2, "TBSData": {"Type": "Md"}, "Signature": value.hex().upper()},
               {"Type": "PubKey", "AlgID": SM3_WITH_SM2, "KeyValue": key.hex().upper()}]
    data = {"SecurityData": {"Type": "TC260PG", "Version": 1, "PubSD": entries}}
    return replace(label, reserved_code1=json.dumps(data, separators=(",", ":")))


def verify(fields: Mapping[str, str], slot: str = "ReservedCode1", *, pinned: Collection[bytes] = ()) -> Outcome:
    """Judge the signature in a reserved code of a label, whatever its text.

    fields  the label's fields by their names, as in `Label.fields`
    slot    "ReservedCode1", or "ReservedCode2"
    pinned  public keys of 65 bytes that the caller knows to be the producer's
    Raises InvalidArgument for a wrong slot or key, and nothing for any value of the fields.
    """
    if slot not in ("ReservedCode1", "ReservedCode2"):
        raise InvalidArgument("slot is ReservedCode1 or ReservedCode2, got {got}", got=repr(slot))
    known = [point for point in map(_point, pinned) if point]
    if len(known) != len(pinned):
        raise InvalidArgument("pinned holds SM2 public keys of 65 bytes, 04 || x || y")
    text = fields.get(slot)
    if not text:
        return Outcome(State.ABSENT, Message("{slot} is empty", slot=slot))
    entries = _entries(text)
    if entries is None:
        return Outcome(State.UNSUPPORTED, Message("{slot} holds something other than SecurityData", slot=slot))
    try:
        outcome = _judge(_message(fields), entries, known)
    except SigningFailed as error:  # gmalg is not installed
        return Outcome(State.UNSUPPORTED, error.message)
    if slot == "ReservedCode2" and outcome.state is State.FAILED:
        return Outcome(State.UNSUPPORTED, Message("{slot} is not the producer's signature, and what a propagator signs "
                                                  "is not published", slot=slot))
    return outcome


def _message(fields: Mapping[str, str]) -> bytes:
    """What the producer signs (annex A.1): three fields without braces and spaces."""
    parts = (f'"{name}":"{fields.get(name) or ""}"' for name in ("Label", "ContentProducer", "ProduceID"))
    return ",".join(parts).encode("utf-8", "surrogatepass")


def _judge(message: bytes, entries: list[Tree], pinned: list[bytes]) -> Outcome:
    signatures = [entry for entry in entries if entry.get("Type") == "DS" and _scope(entry) in _LABEL_SCOPES]
    ours = [entry for entry in signatures if entry.get("AlgID") == SM3_WITH_SM2]
    if not ours:
        return Outcome(State.UNSUPPORTED, Message("no SM3withSM2 signature over the label") if not signatures else
                       Message("signature algorithm {algorithm}", algorithm=str(signatures[0].get("AlgID"))[:64]))
    for entry in ours[:2]:
        brought = _brought_key(entries, entry.get("KeyID"))
        for point in [brought] if brought else pinned[:_MAX_PINNED]:
            form = _form(point, message, entry.get("Signature"))
            if form and point in pinned:
                return Outcome(State.VERIFIED_PINNED, Message("signed with a pinned key"), point.hex(), form)
            if form:
                return Outcome(State.VERIFIED_SELF, Message("unchanged under the key that the file brings; who holds "
                                                            "that key is not known"), point.hex(), form)
    if not pinned and not any(_brought_key(entries, entry.get("KeyID")) for entry in ours):
        return Outcome(State.UNSUPPORTED, Message("the signature comes without a key that can be read"))
    return Outcome(State.FAILED, Message("the signature does not fit the label: one of them was changed"))


def _form(point: bytes, message: bytes, signature: object) -> str | None:
    """How the signature was made where it holds, else None."""
    found = _signature(signature)
    if found is None:
        return None
    for name, text in (("hashed once", message), ("hashed twice", _sm3(message))):
        if _holds(point, text, found[1]):
            return f"{found[0]}, {name}"
    return None


def _holds(point: bytes, message: bytes, pair: tuple[int, int]) -> bool:
    r, s = (number.to_bytes(32, "big") for number in pair)
    try:
        return bool(_gmalg().SM2(pk=point, uid=USER_ID).verify(message, r, s))
    except (TypeError, ValueError):  # gmalg meets the point at infinity
        return False


def _gmalg() -> object:
    try:
        import gmalg
    except ImportError as error:
        raise SigningFailed("SM2 needs the package gmalg", hint='pip install "labelkit[sm2]"') from error
    return gmalg


def _sm3(data: bytes) -> bytes:
    """SM3 (GB/T 32905), by OpenSSL where it has it, else by gmalg."""
    if "sm3" in hashlib.algorithms_available:
        return hashlib.new("sm3", data).digest()
    digest = _gmalg().SM3()
    digest.update(data)
    return digest.value()


def _entries(text: object) -> list[Tree] | None:
    """The public entries of SecurityData, or None where the text is something else."""
    try:
        data = json.loads(text) if isinstance(text, str) and len(text) <= MAX_TEXT else None
    except (ValueError, RecursionError):
        return None
    data = data.get("SecurityData") if isinstance(data, dict) else None
    public = data.get("PubSD", data.get("PubSd", [])) if isinstance(data, dict) else None
    public = [public] if isinstance(public, dict) else public
    if not isinstance(public, list):
        return None
    return [entry for entry in public[:_MAX_ENTRIES] if isinstance(entry, dict)]


def _scope(entry: Tree) -> object:
    covered = entry.get("TBSData")
    return covered.get("Type") if isinstance(covered, dict) else None


def _brought_key(entries: list[Tree], key_id: object) -> bytes | None:
    keys = [entry for entry in entries if entry.get("Type") == "PubKey"]
    named = [entry for entry in keys if entry.get("KeyID") == key_id] or (keys if len(keys) == 1 else [])
    raw = _hex(named[0].get("KeyValue")) if named else None
    return _point(raw) if raw else None


def _hex(text: object) -> bytes | None:
    try:
        return bytes.fromhex(text) if isinstance(text, str) and len(text) <= 1024 else None
    except ValueError:
        return None


def _point(raw: object) -> bytes | None:
    """04 || x || y of a point on the curve, from any form seen: that, x || y, compressed, 00 || x (even y), SPKI."""
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


def _signature(text: object) -> tuple[str, tuple[int, int]] | None:
    """("raw" or "der", (r, s)) of a signature in hexadecimal digits."""
    raw = _hex(text)
    if raw is None:
        return None
    if len(raw) == 64:
        return "raw", (int.from_bytes(raw[:32], "big"), int.from_bytes(raw[32:], "big"))
    outer = list(_tags(raw))
    inner = list(_tags(outer[0][1])) if len(outer) == 1 and outer[0][0] == 0x30 else []
    if len(inner) != 2 or any(tag != 2 or len(body) > 33 for tag, body in inner):
        return None
    r, s = (int.from_bytes(body, "big") for _, body in inner)
    return ("der", (r, s)) if max(r, s) < _N else None


def _tags(data: bytes) -> Iterator[tuple[int, bytes]]:
    """(tag, body) of each DER element; stops at the first that is broken."""
    while len(data) >= 2:
        tag, size, start = data[0], data[1], 2
        if size > 0x80:
            start = 2 + size - 0x80
            size = int.from_bytes(data[2:start], "big")
        if len(data) < start + size:
            return
        yield tag, data[start:start + size]
        data = data[start + size:]


def _der(tag: int, body: bytes) -> bytes:
    return bytes((tag, len(body))) + body if len(body) < 0x80 else bytes((tag, 0x81, len(body))) + body


def _pkcs8_secret(encoded: bytes) -> bytes | None:
    try:
        data = base64.b64decode(b"".join(encoded.split()), validate=True)
    except binascii.Error:
        return None
    if _CURVE_OID not in data[:40]:
        return None
    octets = [body for _, whole in _tags(data) for tag, body in _tags(whole) if tag == 4]
    secrets = [body for octet in octets for _, key in _tags(octet) for tag, body in _tags(key) if tag == 4]
    return secrets[0] if len(secrets) == 1 else None
