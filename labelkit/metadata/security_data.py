# SPDX-License-Identifier: Apache-2.0
"""SecurityData in ReservedCode1 and 2: the label signed with SM3withSM2 (TC260-PG-202511A).

    signed = sign(label, Sm2Signer.load("sm2.pem"))                 # the producer's signature in ReservedCode1
    outcome = verify(signed.fields(), pinned=[public_key])          # Outcome: state, reason, key

Vendors differ in the key's and the signature's encoding and hash the message once or twice; verify reads all that
were seen and says which. A key inside the file proves that nothing was changed, not who signed: that takes a pinned
key.

What a propagator signs in ReservedCode2 is not published. What `seal` writes there, on request alone, signs Label,
ContentPropagator and PropagateID, as the guide has the producer sign its own, and says so in a member Fields: other
verifiers may want something else. verify judges that, and a copy of the producer's signature, and never calls anything
else there a failure.
"""

from __future__ import annotations

import enum
import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace

from labelkit.errors import InvalidArgument, LabelkitError, SigningFailed
from labelkit.label import Label
from labelkit.messages import Message
from labelkit.metadata import sm2
from labelkit.metadata.sm2 import MAX_PINS, ORDER, Sm2Signer

SM3_WITH_SM2 = "1.2.156.10197.1.501"
MAX_TEXT = 1 << 16  # characters of a reserved code that are looked at; real ones have under 2,000
_MAX_ENTRIES = 16

_SIGNED = {"ReservedCode1": ("Label", "ContentProducer", "ProduceID"),  # annex A.1
           "ReservedCode2": ("Label", "ContentPropagator", "PropagateID")}  # by analogy
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

    def evidence(self) -> dict[str, str | None]:
        """The answer as JSON values."""
        return {"state": self.state.value, "reason": str(self.reason), "key": self.key, "form": self.form}


def sign(label: Label, signer: Sm2Signer) -> Label:
    """The label with the producer's SecurityData in ReservedCode1; raises SigningFailed as `seal` does."""
    return replace(label, reserved_code1=seal(label.fields(), signer))


def seal(fields: Mapping[str, str], signer: Sm2Signer, slot: str = "ReservedCode1") -> str:
    """The SecurityData for a slot of a label: SM3 once, signature and key in DER; the producer's, or a propagator's.

    Raises SigningFailed where the signer does not answer with a signature that verifies.
    """
    message = _message(fields, _SIGNED[_known(slot)])
    try:
        pair = _signature(signer.sign(message).hex())
    except LabelkitError:
        raise
    except Exception as error:
        raise SigningFailed("the SM2 signer failed: {reason}", reason=f"{type(error).__name__}: {error}") from error
    if pair is None or not sm2.holds(signer.public_key, message, pair[1]):
        raise SigningFailed("the SM2 signer returned what its public key does not verify")
    value = sm2.der(0x30, b"".join(sm2.der(2, number.to_bytes(number.bit_length() // 8 + 1, "big"))
                                   for number in pair[1]))
    covered = {"Type": "Md"} | ({"Fields": _SIGNED[slot]} if slot == "ReservedCode2" else {})
    entries = [{"Type": "DS", "AlgID": SM3_WITH_SM2, "TBSData": covered, "Signature": value.hex().upper()},
               {"Type": "PubKey", "AlgID": SM3_WITH_SM2, "KeyValue": sm2.spki(signer.public_key).hex().upper()}]
    data = {"SecurityData": {"Type": "TC260PG", "Version": 1, "PubSD": entries}}
    return json.dumps(data, separators=(",", ":"))


def verify(fields: Mapping[str, str], slot: str = "ReservedCode1", *, pinned: Collection[bytes] = ()) -> Outcome:
    """Judge the signature in a reserved code of a label, whatever its text.

    fields  the label's fields by their names, as in `Label.fields`
    slot    "ReservedCode1", or "ReservedCode2"
    pinned  public keys of 65 bytes that the caller knows to be the producer's, at most 64
    Raises InvalidArgument for a wrong slot or key, and nothing for any value of the fields.
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
        return Outcome(State.UNSUPPORTED, Message("{slot} signs something else than its party's fields, and what a "
                                                  "propagator signs is not published", slot=slot))
    return outcome


def points(pinned: Collection[bytes]) -> list[bytes]:
    """The keys in one form; raises InvalidArgument where one of them is none."""
    known = [point for point in map(sm2.point, pinned) if point]
    if len(known) != len(pinned) or len(known) > MAX_PINS:
        raise InvalidArgument("pinned holds SM2 public keys of 65 bytes, 04 || x || y, at most {most}", most=MAX_PINS)
    return known


def _known(slot: str) -> str:
    if slot not in _SIGNED:
        raise InvalidArgument("slot is ReservedCode1 or ReservedCode2, got {got}", got=repr(slot))
    return slot


def _message(fields: Mapping[str, str], names: tuple[str, ...]) -> bytes:
    """What is signed: three fields without braces and spaces."""
    parts = (f'"{name}":"{fields.get(name) or ""}"' for name in names)
    return ",".join(parts).encode("utf-8", "surrogatepass")


def _judge(message: bytes, entries: list[Tree], pinned: list[bytes]) -> Outcome:
    signatures = [entry for entry in entries if entry.get("Type") == "DS" and _scope(entry) in _LABEL_SCOPES]
    ours = [entry for entry in signatures if entry.get("AlgID") == SM3_WITH_SM2]
    if not ours:
        return Outcome(State.UNSUPPORTED, Message("no SM3withSM2 signature over the label") if not signatures else
                       Message("signature algorithm {algorithm}", algorithm=str(signatures[0].get("AlgID"))[:64]))
    for entry in ours[:2]:
        brought = _brought_key(entries, entry.get("KeyID"))
        # where the file brings no key, 2 signatures x 2 forms x 22 ms for each pinned one
        for point in [brought] if brought else pinned[:MAX_PINS]:
            form = _form(point, message, entry.get("Signature"))
            if form and point in pinned:
                return Outcome(State.VERIFIED_PINNED, Message("signed with a pinned key"), point.hex(), form)
            if form:
                return Outcome(State.VERIFIED_SELF, Message("unchanged under the key that the file brings; who holds "
                                                            "that key is not known"), point.hex(), form)
    if not any(_brought_key(entries, entry.get("KeyID")) for entry in ours[:2]):  # it may be somebody else's
        return Outcome(State.UNSUPPORTED, Message("the signature comes without a key that can be read, and no pinned "
                                                  "key fits"))
    return Outcome(State.FAILED, Message("the signature does not fit the label: one of them was changed"))


def _form(point: bytes, message: bytes, signature: object) -> str | None:
    """How the signature was made where it holds, else None."""
    found = _signature(signature)
    if found is None:
        return None
    for name, text in (("hashed once", message), ("hashed twice", sm2.sm3(message))):
        if sm2.holds(point, text, found[1]):
            return f"{found[0]}, {name}"
    return None


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
