# SPDX-License-Identifier: Apache-2.0
"""Signed results: what verify found in a file, signed by whoever ran it, as a JWS (RFC 7515; the extra `service`).

    signer = ResultSigner.load("result.pem", url="https://labels.example/v1/verify")
    signed = signer.sign(report, content, Checked("normal", layers, key.id), now)   # a text of three parts
    result = check(signed, signer.jwks(), now)                                      # Result, by public keys alone

A result holds the hash of the content, the detector with its version and address, how it searched, the bound on false
positives, the time, and the whole report (EU Code of Practice, measure 2.1.2). A checker takes neither the key nor the
algorithm from the JWS: the key is one of those that it was given, and each key has one algorithm. A header with
anything but `alg`, `kid`, `typ` and a time-stamp is refused, so that `jku`, `jwk`, `x5u` and `crit` are never followed.

A time-stamp (RFC 3161) stands in the header as JAdES has it: `adoTst`, over the payload in base64url, and signed with
it (ETSI TS 119 182-1, 5.2.6). An authority states by it that what is signed existed at that time; whoever gets hold of
the key later can date nothing back.
"""

from __future__ import annotations

import base64
import dataclasses
import datetime
import json
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from labelkit import container, jose, keyfiles, time_stamps
from labelkit.container import Source
from labelkit.distribution import DISTRIBUTION, __version__
from labelkit.errors import InvalidArgument, MalformedFile
from labelkit.evidence import Json
from labelkit.log_recorder import sha256
from labelkit.messages import Message
from labelkit.report import Layer, Report
from labelkit.time_stamps import TimeStamp
from labelkit.watermark.detection import MAX_FALSE_POSITIVE_RATE

if TYPE_CHECKING:
    from labelkit.jose import PublicKey

SCHEMA = "labelkit.result/1"
"""Name and version of the claims; a claim is never removed or renamed within a version."""
TYPE = "labelkit-result+jws"
"""`typ` of the header: a JWS that the same key signed for another purpose is no result."""

_HEADER = {"alg", "kid", "typ"}
_MAX_FILE = 1 << 20  # bytes of a key or a set of keys
SKEW = datetime.timedelta(minutes=5)  # that two clocks may differ by


@dataclass(frozen=True, slots=True)
class Content:
    """The bytes that were verified: their SHA-256, 64 hexadecimal digits, and how many there are."""

    sha256: str
    size: int

    @classmethod
    def of(cls, source: Source) -> Content:
        """That of a path, bytes or a binary file, of any size; raises InvalidArgument for what cannot be opened."""
        with container.opened(source) as reader:
            return cls(sha256(reader), reader.size)


@dataclass(frozen=True, slots=True)
class Checked:
    """How the detector searched.

    effort         "fast", "normal" or "deep"
    layers         the layers that were asked for
    watermark_key  id of the key that the watermark was looked for with
    """

    effort: str
    layers: tuple[Layer, ...]
    watermark_key: str


@dataclass(frozen=True, slots=True)
class Result:
    """A result whose signature holds.

    key_id    thumbprint of the key that signed it (RFC 7638)
    time      when it was signed, aware
    content   what was verified
    detector  name, version and, where it was stated, url of what verified it
    checked   effort, layers, watermark_key
    report    as `Report.to_dict` gave it
    stamp     the time-stamp, None without one
    """

    key_id: str
    time: datetime.datetime
    content: Content
    detector: Mapping[str, Json]
    checked: Mapping[str, Json]
    report: Mapping[str, Json]
    stamp: TimeStamp | None = None

    def to_dict(self) -> dict[str, Json]:
        """The result as JSON values."""
        return {"key_id": self.key_id, "time": self.time.isoformat(),
                "content": {"sha256": self.content.sha256, "bytes": self.content.size},
                "detector": dict(self.detector), "checked": dict(self.checked), "report": dict(self.report),
                "time_stamp": None if self.stamp is None else {
                    "time": self.stamp.time.isoformat(), "authority": self.stamp.authority,
                    "trusted": self.stamp.is_trusted}}


@dataclass(frozen=True, slots=True)
class NoResult:
    """What is not to be believed, and why; `is_open` where another set of keys may say otherwise."""

    reason: Message
    is_open: bool = False


class ResultSigner:
    """Signs results with a private key: of P-256 (ES256), P-384 (ES384) or Ed25519. Its repr does not show the key.

    key_id     thumbprint of the public key (RFC 7638)
    algorithm  given by the key
    url        where the detector is, for the results; None for none
    has_time_stamp
               whether results are time-stamped: an authority is asked over the network for each
    """

    def __init__(self, pem: bytes, *, url: str | None = None, password: bytes | None = None,
                 ta_url: str | None = None) -> None:
        """Raises InvalidArgument for what is no such key, and where the extra is missing."""
        jwk = jose.jwk_module()
        if url is not None and not re.match(r"https?://[\x21-\x7e]+\Z", url):
            raise InvalidArgument("the address of a detector must be an http or https URL, got {got}", got=repr(url))
        if ta_url is not None:
            time_stamps.check_url(ta_url)
        self._ta_url, self.has_time_stamp = ta_url, ta_url is not None
        self._key: PublicKey = jose.key_of(jwk, jose.plain_pem(pem, password))
        self.url, self.key_id = url, self._key.thumbprint()
        self.algorithm = jose.algorithm_of(self._key.as_dict(private=False))

    @classmethod
    def load(cls, path: str | os.PathLike[str], *, url: str | None = None,
             password: bytes | None = None, ta_url: str | None = None) -> ResultSigner:
        """Read the key from a PEM file (PKCS#8 or SEC1, encrypted or not).

        ta_url  time-stamping authority (RFC 3161), asked over the network for every result
        """
        return cls(keyfiles.read(path, _MAX_FILE), url=url, password=password, ta_url=ta_url)

    def jwks(self) -> dict[str, Json]:
        """The public key as a set (RFC 7517), for those who check results."""
        public: dict[str, Any] = dict(self._key.as_dict(private=False))
        return {"keys": [{**public, "kid": self.key_id, "alg": self.algorithm, "use": "sig"}]}

    def sign(self, report: Report, content: Content, checked: Checked, now: datetime.datetime,
             language: str = "en") -> str:
        """A result as a JWS in the compact form.

        now       aware datetime that it states
        language  of the texts in the report
        Raises FetchFailed where the time-stamping authority gives no time-stamp.
        """
        claims: dict[str, Json] = {
            "content": {"sha256": content.sha256, "bytes": content.size},
            "checked": {"effort": checked.effort, "layers": [layer.value for layer in checked.layers],
                        "watermark_key": checked.watermark_key},
            "rates": {"max_false_positive_rate": MAX_FALSE_POSITIVE_RATE}, "report": report.to_dict(language)}
        return self.sign_claims(claims, SCHEMA, TYPE, now)

    def sign_claims(self, claims: Mapping[str, Json], schema: str, type: str, now: datetime.datetime) -> str:
        """Claims of another kind as a JWS: with `schema`, the time and the detector, and `type` in the header.

        A JWS of one type is never taken for one of another: see `claims_of`.
        """
        from joserfc import jws

        detector: dict[str, Json] = {"name": DISTRIBUTION, "version": __version__, "url": self.url}
        whole = {"schema": schema, "iat": int(now.timestamp()), **({"iss": self.url} if self.url else {}),
                 "detector": detector, **claims}
        payload = json.dumps(whole)
        header: dict[str, Any] = {"alg": self.algorithm, "kid": self.key_id, "typ": type}
        if self._ta_url is not None:
            token = time_stamps.stamp(base64.urlsafe_b64encode(payload.encode()).rstrip(b"="), self._ta_url)
            header[jose.STAMP] = {"tstTokens": [{"val": base64.b64encode(token).decode()}]}
        return jws.serialize_compact(header, payload, self._key, registry=jose.registry(self.algorithm))


def keygen() -> tuple[bytes, dict[str, Json]]:
    """A new key of P-256: its PEM, which is secret, and the set that checks its results."""
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    pem = ec.generate_private_key(ec.SECP256R1()).private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    return pem, ResultSigner(pem).jwks()


def check(signed: str, jwks: Mapping[str, Any], now: datetime.datetime, *,
          authorities: str = "") -> Result | NoResult:
    """The result in a JWS, if one of these keys signed it.

    signed  the compact form
    jwks    public keys as a set (RFC 7517); those of other kinds, and those for other uses, are passed over
    now     aware datetime: a result of the future is none
    authorities
            PEM of the roots of time-stamping authorities that are believed; "" for none
    Raises InvalidArgument for a set that is none, and where the extra is missing.
    """
    found = claims_of(signed, jwks, TYPE)
    if isinstance(found, NoResult):
        return found
    result = _result(*found, now)
    if isinstance(result, NoResult):
        return result
    stamp = stamp_of(signed, authorities)
    return NoResult(stamp) if isinstance(stamp, Message) else dataclasses.replace(result, stamp=stamp)


def stamp_of(signed: str, authorities: str) -> TimeStamp | Message | None:
    """The time-stamp of a JWS whose signature holds, None without one; or why what stands there is none.

    Raises InvalidArgument where the extra is missing.
    """
    held = (_header(signed) or {}).get(jose.STAMP)
    if held is None:
        return None
    try:
        token, = held["tstTokens"]
        der = base64.b64decode(token["val"], validate=True)
    except (KeyError, TypeError, ValueError):
        return Message("its time-stamp cannot be read")
    return time_stamps.check(der, signed.split(".")[1].encode("ascii"), authorities)


def type_of(signed: str) -> str | None:
    """The `typ` that the header of a JWS states, which says nothing about who signed it; None for what is no JWS."""
    stated = (_header(signed) or {}).get("typ")
    return stated if isinstance(stated, str) else None


def claims_of(signed: str, jwks: Mapping[str, Any], type: str) -> tuple[bytes, str] | NoResult:
    """What a JWS of this type claims, as JSON that is not yet read, and the id of the key that signed it.

    Raises InvalidArgument as `check` does.
    """
    keys = jose.keys_of(jwks)
    header = _header(signed)
    if header is None:
        return NoResult(Message("it is no JWS in the compact form"))
    if set(header) - {jose.STAMP} != _HEADER or header["typ"] != type:
        return NoResult(Message("its header is not that of a result: {names}", names=", ".join(
            sorted(str(name)[:40] for name in header))[:200]))
    key = keys.get(header["kid"]) if isinstance(header["kid"], str) else None
    if key is None:
        return NoResult(Message("none of the keys is the one that it names, {key}", key=str(header["kid"])[:80]), True)
    payload = _verified(signed, key)
    if payload is None:
        return NoResult(Message("the signature does not hold"))
    return payload, str(header["kid"])


def read_jwks(path: str | os.PathLike[str]) -> dict[str, Any]:
    """A set of keys in a file; raises InvalidArgument for a file that holds none."""
    raw = keyfiles.read(path, _MAX_FILE)
    try:
        found = json.loads(raw)
    except (ValueError, RecursionError) as error:
        raise InvalidArgument("{where} holds no set of keys (JWKS)", where=os.fspath(path)) from error
    if not isinstance(found, dict) or not isinstance(found.get("keys"), list):
        raise InvalidArgument("{where} holds no set of keys (JWKS)", where=os.fspath(path))
    return found


def read_results(path: str | os.PathLike[str]) -> list[str]:
    """The results in a file: one alone, or `signed_result` in each line of JSON, as `labelkit verify --json` prints.

    Raises InvalidArgument where it cannot be opened, MalformedFile where it holds none.
    """
    raw = keyfiles.read(path, 4 * jose.MAX_RESULT)
    text = raw.decode("utf-8", "replace").strip()
    if not text.startswith("{"):
        return [text]
    try:
        found = [json.loads(line).get("signed_result") for line in text.splitlines() if line.strip()]
    except (ValueError, AttributeError, RecursionError):
        found = []
    results = [one for one in found if isinstance(one, str)]
    if not results:
        raise MalformedFile("{where} holds no signed result", where=os.fspath(path))
    return results


def _header(signed: str) -> dict[str, Any] | None:
    """The header of a JWS, which is believed in nothing."""
    from joserfc import jws
    from joserfc.errors import JoseError
    try:
        found = jws.extract_compact(signed.encode("ascii"), registry=jose.registry(*jose.ALGORITHMS.values()))
        header = found.headers()
    except (JoseError, ValueError, TypeError, KeyError, AttributeError, RecursionError):
        return None
    return header if isinstance(header, dict) else None


def _verified(signed: str, key: PublicKey) -> bytes | None:
    """The payload, if this key signed it by the algorithm that it has."""
    from joserfc import jws
    from joserfc.errors import JoseError

    algorithm = jose.algorithm_of(key.as_dict(private=False))
    try:
        return jws.deserialize_compact(signed, key, registry=jose.registry(algorithm)).payload
    except (JoseError, ValueError, TypeError, KeyError):
        return None


def _result(payload: bytes, key_id: str, now: datetime.datetime) -> Result | NoResult:
    """The claims, which the signer stands for."""
    try:
        claims = json.loads(payload)
        if claims["schema"] != SCHEMA:
            return NoResult(Message("it is of another version: {schema}", schema=str(claims["schema"])[:80]))
        content = Content(_of(claims["content"]["sha256"], str), _of(claims["content"]["bytes"], int))
        time = datetime.datetime.fromtimestamp(_of(claims["iat"], int), datetime.UTC)
        found = Result(key_id, time, content, _of(claims["detector"], dict), _of(claims["checked"], dict),
                       _of(claims["report"], dict))
    except (KeyError, TypeError, ValueError, OverflowError, OSError, RecursionError):
        return NoResult(Message("what was signed is no result"))
    if found.time > now + SKEW:
        return NoResult(Message("it is dated in the future: {time}", time=found.time.isoformat()))
    return found


def _of(value: Any, kind: type[Any]) -> Any:
    if not isinstance(value, kind) or isinstance(value, bool):
        raise TypeError
    return value
