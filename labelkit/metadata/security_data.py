# SPDX-License-Identifier: Apache-2.0
"""SecurityData in ReservedCode1 and ReservedCode2: the label signed with SM3withSM2 (TC260-PG-202511A).

    signed = sign(label, Sm2Signer.load("sm2.pem"))                 # the producer's signature in ReservedCode1
    outcome = verify(signed.fields(), pinned=[public_key])          # Outcome: state, reason, key

Vendors encode key and signature differently, and hash the message once or twice. `verify` accepts every variant found
in practice and reports which it was. A key from the file proves only that the label is unchanged; who signed it is
proved by a pinned key.

What a propagator signs in ReservedCode2 is not published. `seal` writes there only on request: it signs Label,
ContentPropagator and PropagateID, by analogy to the producer's fields, and lists them in a member Fields. Other
verifiers may expect something else. `verify` accepts that, and a copy of the producer's signature, and reports
anything else as unsupported, never as failed.
"""

from __future__ import annotations

import enum
import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace

from labelkit.errors import InvalidArgument, LabelkitError, SigningFailed
from labelkit.evidence import SignatureEvidence
from labelkit.label import Label
from labelkit.messages import Message
from labelkit.metadata import sm2
from labelkit.metadata.sm2 import MAX_PINS, ORDER, Sm2Signer

SM3_WITH_SM2 = "1.2.156.10197.1.501"
MAX_TEXT = 1 << 16  # characters of a reserved code that are parsed; codes found in practice have under 2,000
_MAX_ENTRIES = 16

_SIGNED = {"ReservedCode1": ("Label", "ContentProducer", "ProduceID"),  # annex A.1
           "ReservedCode2": ("Label", "ContentPropagator", "PropagateID")}  # by analogy
_LABEL_SCOPES = ("Md", "LabelMataData", "LabelMetaData")  # of the guide; of a vendor (sic), and its correction

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
    """The result of `verify`.

    state   VERIFIED_PINNED with a key of the caller, VERIFIED_SELF with the key in the file, or why it is not verified
    reason  one line for people
    key     the public key that verified, 65 bytes 04 || x || y as hexadecimal digits
    form    encoding and hashing of the signature, such as "der, hashed once"
    """

    state: State
    reason: Message
    key: str | None = None
    form: str | None = None

    def evidence(self) -> SignatureEvidence:
        """The answer as evidence."""
        return SignatureEvidence(self.state.value, str(self.reason), self.key, self.form)


def sign(label: Label, signer: Sm2Signer) -> Label:
    """The label with the producer's SecurityData in ReservedCode1; raises SigningFailed like `seal`."""
    return replace(label, reserved_code1=seal(label.fields(), signer))


def seal(fields: Mapping[str, str], signer: Sm2Signer, slot: str = "ReservedCode1") -> str:
    """The SecurityData for ReservedCode1 (producer) or ReservedCode2 (propagator): SM3 once, in the signer's form.

    Raises SigningFailed if the signer fails or returns a signature that does not verify.
    """
    message = _message(fields, _SIGNED[_known(slot)])
    try:
        pair = _signature(signer.sign(message).hex())
    except LabelkitError:
        raise
    except Exception as error:
        raise SigningFailed("the SM2 signer failed: {reason}", reason=f"{type(error).__name__}: {error}") from error
    if pair is None or not sm2.verifies(signer.public_key, message, pair[1]):
        raise SigningFailed("the SM2 signer returned a signature that its public key does not verify")
    value, key = _encoded(pair[1], signer)
    covered = {"Type": "Md"} | ({"Fields": _SIGNED[slot]} if slot == "ReservedCode2" else {})
    entries = [{"Type": "DS", "AlgID": SM3_WITH_SM2, "TBSData": covered, "Signature": value.hex().upper()},
               {"Type": "PubKey", "AlgID": SM3_WITH_SM2, "KeyValue": key.hex().upper()}]
    data = {"SecurityData": {"Type": "TC260PG", "Version": 1, "PubSD": entries}}
    return json.dumps(data, separators=(",", ":"))


def _encoded(pair: tuple[int, int], signer: Sm2Signer) -> tuple[bytes, bytes]:
    """Signature and public key in the signer's form."""
    if signer.form == "raw":
        key = sm2.point(signer.public_key) or signer.public_key
        return b"".join(number.to_bytes(32, "big") for number in pair), key
    numbers = (sm2.der(2, number.to_bytes(number.bit_length() // 8 + 1, "big")) for number in pair)
    return sm2.der(0x30, b"".join(numbers)), sm2.spki(signer.public_key)


def verify(fields: Mapping[str, str], slot: str = "ReservedCode1", *, pinned: Collection[bytes] = ()) -> Outcome:
    """Verify the signature in a reserved code of a label.

    fields  the label's fields by name, as in `Label.fields`
    slot    "ReservedCode1" or "ReservedCode2"
    pinned  up to 64 public keys of 65 bytes that the caller knows to be the producer's
    Raises InvalidArgument for a wrong slot or key; no value of the fields raises an error.
    """
    _known(slot)
    known = points(pinned)
    text = fields.get(slot)
    if not text:
        return Outcome(State.ABSENT, Message("{slot} is empty", slot=slot))
    entries = _entries(text)
    if entries is None:
        return Outcome(State.UNSUPPORTED, Message("{slot} holds something other than SecurityData", slot=slot))
    try:
        outcome = _judge(_message(fields, _SIGNED[slot]), entries, known)
        if slot == "ReservedCode2" and outcome.state is State.FAILED:
            outcome = _judge(_message(fields, _SIGNED["ReservedCode1"]), entries, known)
    except SigningFailed as error:  # gmalg is not installed
        return Outcome(State.UNSUPPORTED, error.message)
    if slot == "ReservedCode2" and outcome.state is State.FAILED:
        return Outcome(State.UNSUPPORTED, Message("{slot} does not sign the fields of its party; what a propagator "
                                                  "signs is not published", slot=slot))
    return outcome


def points(pinned: Collection[bytes]) -> list[bytes]:
    """The keys as 04 || x || y; raises InvalidArgument for a value that is not a key."""
    known = [point for point in map(sm2.point, pinned) if point]
    if len(known) != len(pinned) or len(known) > MAX_PINS:
        raise InvalidArgument("pinned must hold at most {limit} SM2 public keys of 65 bytes, 04 || x || y",
                              limit=MAX_PINS)
    return known


def _known(slot: str) -> str:
    if slot not in _SIGNED:
        raise InvalidArgument("slot must be ReservedCode1 or ReservedCode2, got {got}", got=repr(slot))
    return slot


def _message(fields: Mapping[str, str], names: tuple[str, ...]) -> bytes:
    """The signed message: three fields as JSON members, without braces and spaces."""
    parts = (f'"{name}":"{fields.get(name) or ""}"' for name in names)
    return ",".join(parts).encode("utf-8", "surrogatepass")


def _judge(message: bytes, entries: list[Tree], pinned: list[bytes]) -> Outcome:
    signatures = [entry for entry in entries if entry.get("Type") == "DS" and _scope(entry) in _LABEL_SCOPES]
    ours = [entry for entry in signatures if entry.get("AlgID") == SM3_WITH_SM2]
    if not ours:
        return Outcome(State.UNSUPPORTED, Message("no SM3withSM2 signature over the label") if not signatures else
                       Message("signature algorithm {algorithm}", algorithm=str(signatures[0].get("AlgID"))[:64]))
    for entry in ours[:2]:
        enclosed = _key_in_file(entries, entry.get("KeyID"))
        # without a key in the file: 2 signatures x 2 forms x 22 ms for each pinned key
        for point in [enclosed] if enclosed else pinned[:MAX_PINS]:
            form = _form(point, message, entry.get("Signature"))
            if form and point in pinned:
                return Outcome(State.VERIFIED_PINNED, Message("signed with a pinned key"), point.hex(), form)
            if form:
                return Outcome(State.VERIFIED_SELF, Message("unchanged since it was signed with the key in the file; "
                                                            "the owner of that key is unknown"), point.hex(), form)
    if not any(_key_in_file(entries, entry.get("KeyID")) for entry in ours[:2]):  # the signer may be anybody
        return Outcome(State.UNSUPPORTED, Message("the file holds no readable key for the signature, and no pinned key "
                                                  "matches"))
    return Outcome(State.FAILED, Message("the signature does not match the label: one of them was changed"))


def _form(point: bytes, message: bytes, signature: object) -> str | None:
    """Encoding and hashing of a signature that verifies, else None."""
    found = _signature(signature)
    if found is None:
        return None
    for name, text in (("hashed once", message), ("hashed twice", sm2.sm3(message))):
        if sm2.verifies(point, text, found[1]):
            return f"{found[0]}, {name}"
    return None


def _entries(text: object) -> list[Tree] | None:
    """The public entries of SecurityData; None for any other text, and where a name is given two values."""
    try:
        data = _DECODER.decode(text) if isinstance(text, str) and len(text) <= MAX_TEXT else None
    except (ValueError, RecursionError):
        return None
    data = data.get("SecurityData") if isinstance(data, dict) else None
    public = data.get("PubSD", data.get("PubSd", [])) if isinstance(data, dict) else None
    public = [public] if isinstance(public, dict) else public
    if not isinstance(public, list):
        return None
    return [entry for entry in public[:_MAX_ENTRIES] if isinstance(entry, dict)]


def _unambiguous(pairs: list[tuple[str, object]]) -> dict[str, object]:
    """The object of these members; raises ValueError for a name with two values, of which parsers choose one."""
    members = dict(pairs)
    if any(members[name] != value for name, value in pairs):
        raise ValueError("a name is given two values")
    return members


_DECODER = json.JSONDecoder(object_pairs_hook=_unambiguous)


def _scope(entry: Tree) -> object:
    covered = entry.get("TBSData")
    return covered.get("Type") if isinstance(covered, dict) else None


def _key_in_file(entries: list[Tree], key_id: object) -> bytes | None:
    keys = [entry for entry in entries if entry.get("Type") == "PubKey"]
    named = [entry for entry in keys if entry.get("KeyID") == key_id] or (keys if len(keys) == 1 else [])
    raw = _hex(named[0].get("KeyValue")) if named else None
    return sm2.point(raw) if raw else None


def _hex(text: object) -> bytes | None:
    try:
        return bytes.fromhex(text) if isinstance(text, str) and len(text) <= 1024 else None
    except ValueError:
        return None


def _signature(text: object) -> tuple[str, tuple[int, int]] | None:
    """("raw" or "der", (r, s)) of a signature in hexadecimal digits."""
    raw = _hex(text)
    if raw is None:
        return None
    if len(raw) == 64:
        return "raw", (int.from_bytes(raw[:32], "big"), int.from_bytes(raw[32:], "big"))
    outer = list(sm2.tags(raw))
    inner = list(sm2.tags(outer[0][1])) if len(outer) == 1 and outer[0][0] == 0x30 else []
    if len(inner) != 2 or any(tag != 2 or len(body) > 33 for tag, body in inner):
        return None
    r, s = (int.from_bytes(body, "big") for _, body in inner)
    return ("der", (r, s)) if max(r, s) < ORDER else None
