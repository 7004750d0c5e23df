# SPDX-License-Identifier: Apache-2.0
"""Signed results: checked by the keys at hand, whatever the JWS says of itself."""

from __future__ import annotations

import base64
import datetime
import hashlib
import hmac
import json

import pytest
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature, encode_dss_signature

import labelkit as lk
from labelkit import results
from labelkit.errors import InvalidArgument, MalformedFile
from labelkit.results import Checked, Content, NoResult, Result, ResultSigner, check
from tests.media import LABEL, photo, saved

NOW = datetime.datetime(2026, 11, 28, 12, 0, tzinfo=datetime.UTC)
URL = "https://labels.example/v1/verify"
CHECKED = Checked("normal", tuple(lk.Layer), "0123456789abcdef")
PEM = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()


def encoded(value: object) -> str:
    raw = value if isinstance(value, bytes) else json.dumps(value).encode()
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def decoded(part: str) -> bytes:
    return base64.urlsafe_b64decode(part + "=" * (-len(part) % 4))


@pytest.fixture(scope="module")
def key() -> ec.EllipticCurvePrivateKey:
    return ec.generate_private_key(ec.SECP256R1())


@pytest.fixture(scope="module")
def signer(key) -> ResultSigner:
    return ResultSigner(key.private_bytes(*PEM), url=URL)


@pytest.fixture(scope="module")
def content() -> bytes:
    return lk.embed(saved(photo(), "PNG"), label=LABEL)


@pytest.fixture(scope="module")
def signed(signer, content) -> str:
    return signer.sign(lk.verify(content), Content.of(content), CHECKED, NOW)


def resigned(key: ec.EllipticCurvePrivateKey, header: object, claims: object) -> str:
    """A JWS that is made by hand, by the same key."""
    text = f"{encoded(header)}.{encoded(claims)}"
    r, s = decode_dss_signature(key.sign(text.encode(), ec.ECDSA(hashes.SHA256())))
    return f"{text}.{encoded(r.to_bytes(32, 'big') + s.to_bytes(32, 'big'))}"


def test_a_result_says_what_was_verified_how_by_what_and_when(signed, signer, content):
    found = check(signed, signer.jwks(), NOW)
    assert isinstance(found, Result) and found.time == NOW and found.key_id == signer.key_id
    assert found.content == Content(hashlib.sha256(content).hexdigest(), len(content))
    assert (found.detector["version"], found.detector["url"]) == (lk.__version__, URL)
    assert found.checked == {"effort": "normal", "layers": [layer.value for layer in lk.Layer],
                             "watermark_key": "0123456789abcdef"}
    assert found.report == lk.verify(content).to_dict()
    claims = json.loads(decoded(signed.split(".")[1]))
    assert claims["iss"] == URL and claims["rates"] == {"max_false_positive_rate": 1e-9}


def test_another_implementation_accepts_the_signature(signed, key):
    head, body, signature = signed.split(".")
    raw = decoded(signature)
    key.public_key().verify(encode_dss_signature(int.from_bytes(raw[:32], "big"), int.from_bytes(raw[32:], "big")),
                            f"{head}.{body}".encode(), ec.ECDSA(hashes.SHA256()))
    assert json.loads(decoded(head)) == {"alg": "ES256", "kid": json.loads(decoded(head))["kid"],
                                         "typ": "labelkit-result+jws"}


@pytest.mark.parametrize("make", [lambda: ec.generate_private_key(ec.SECP384R1()), ed25519.Ed25519PrivateKey.generate])
def test_keys_of_other_kinds_sign_by_their_own_algorithm(make, content):
    other = ResultSigner(make().private_bytes(*PEM))
    made = other.sign(lk.verify(content, layers=[lk.Layer.METADATA]), Content.of(content), CHECKED, NOW)
    assert isinstance(check(made, other.jwks(), NOW), Result)
    assert json.loads(decoded(made.split(".")[0]))["alg"] == other.algorithm in ("ES384", "Ed25519")


def test_what_is_changed_or_signed_by_another_is_no_result(signed, signer):
    head, body, signature = signed.split(".")
    claims = json.loads(decoded(body))
    claims["report"]["verdict"] = "none"
    forged = f"{head}.{encoded(claims)}.{signature}"
    assert isinstance(check(signed, signer.jwks(), NOW), Result)
    for wrong in (forged, f"{head}.{body}.{encoded(bytes(64))}", f"{head}.{body}.", f"{head}.{body}", "", "a.b.c",
                  "é" * 9, f"{signed}.x"):
        found = check(wrong, signer.jwks(), NOW)
        assert isinstance(found, NoResult) and not found.is_open
    stranger = ResultSigner(results.keygen()[0])
    found = check(signed, stranger.jwks(), NOW)
    assert isinstance(found, NoResult) and found.is_open, "another set of keys may have it"
    mixed = {"keys": [{**stranger.jwks()["keys"][0], "kid": signer.key_id}]}
    found = check(signed, mixed, NOW)
    assert isinstance(found, NoResult) and not found.is_open


def test_no_algorithm_and_no_key_is_taken_from_the_jws(signed, signer, key):
    head, body, _ = signed.split(".")
    header, claims, jwks = json.loads(decoded(head)), json.loads(decoded(body)), signer.jwks()
    assert isinstance(check(resigned(key, header, claims), jwks, NOW), Result)
    own = ec.generate_private_key(ec.SECP256R1())
    public = ResultSigner(own.private_bytes(*PEM)).jwks()["keys"][0]
    pem = key.public_key().public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    mac = f"{encoded({**header, 'alg': 'HS256'})}.{body}"
    attacks = [f"{encoded({**header, 'alg': 'none'})}.{body}.",
               f"{mac}.{encoded(hmac.digest(pem, mac.encode(), 'sha256'))}",
               resigned(own, {**header, "jwk": public}, claims),
               resigned(own, {"alg": "ES256", "typ": header["typ"], "jwk": public}, claims),
               resigned(own, {**header, "kid": public["kid"], "jku": "https://evil.example/jwks.json"}, claims),
               resigned(own, {**header, "kid": public["kid"]}, claims)]
    attacks += [resigned(key, {**header, **more}, claims) for more in (
        {"jku": "https://x.example/"}, {"jwk": public}, {"x5u": "https://x.example/"}, {"crit": ["exp"], "exp": 1},
        {"b64": False, "crit": ["b64"]}, {"typ": "JWT"}, {"alg": "ES384"}, {"kid": 7}, {"kid": None})]
    attacks += [resigned(key, ["ES256"], claims), resigned(key, {}, claims)]
    for attack in attacks:
        assert isinstance(check(attack, jwks, NOW), NoResult), attack[:80]


def test_what_the_right_key_signed_is_not_always_a_result(signed, signer, key):
    head, body, _ = signed.split(".")
    header, claims = json.loads(decoded(head)), json.loads(decoded(body))
    for change in ({"schema": "labelkit.result/9"}, {"schema": None}, {"content": None}, {"iat": "now"}, {"iat": True},
                   {"iat": 1e300}, {"iat": 1 << 70}, {"report": []}, {"content": {"sha256": 1, "bytes": 2}}):
        assert isinstance(check(resigned(key, header, {**claims, **change}), signer.jwks(), NOW), NoResult)
    for payload in (b"no JSON", b"[]", b"[" * 100_000):
        assert isinstance(check(resigned(key, header, payload), signer.jwks(), NOW), NoResult)
    assert isinstance(check(signed, signer.jwks(), NOW - datetime.timedelta(minutes=4)), Result)
    assert isinstance(check(signed, signer.jwks(), NOW - datetime.timedelta(minutes=6)), NoResult)


def test_keys_in_a_set_are_used_as_they_say(signed, signer):
    public = signer.jwks()["keys"][0]
    assert isinstance(check(signed, {"keys": [None, {}, {"kty": "oct", "k": "AA"}, public]}, NOW), Result)
    for wrong in ({**public, "use": "enc"}, {**public, "alg": "ES384"}, {**public, "alg": "HS256"},
                  {**public, "x": "AA"}, {**public, "kty": "RSA"}):
        assert isinstance(check(signed, {"keys": [wrong]}, NOW), NoResult)
    for wrong in ({}, {"keys": {}}):
        with pytest.raises(InvalidArgument, match="set of keys"):
            check(signed, wrong, NOW)


def test_other_keys_cannot_sign(tmp_path):
    for other in (rsa.generate_private_key(65537, 2048), ec.generate_private_key(ec.SECP521R1())):
        with pytest.raises(InvalidArgument, match="P-256"):
            ResultSigner(other.private_bytes(*PEM))
    path = tmp_path / "result.pem"
    for text in (b"", b"no key", b"-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n"):
        path.write_bytes(text)
        with pytest.raises(InvalidArgument):
            ResultSigner.load(path)
    with pytest.raises(InvalidArgument, match="http"):
        ResultSigner(results.keygen()[0], url="file:///etc/passwd")


def test_an_encrypted_key_wants_its_password(key, tmp_path):
    path = tmp_path / "result.pem"
    path.write_bytes(key.private_bytes(*PEM[:2], serialization.BestAvailableEncryption(b"secret")))
    assert ResultSigner.load(path, password=b"secret").jwks() == ResultSigner(key.private_bytes(*PEM)).jwks()
    for password in (None, b"wrong"):
        with pytest.raises(InvalidArgument):
            ResultSigner.load(path, password=password)


def test_results_are_found_in_what_verify_prints(tmp_path, signed):
    path = tmp_path / "results"
    line = json.dumps({"file": "a", "signed_result": signed})
    for text, count in ((signed + "\n", 1), (f"{line}\n{line}\n", 2), (json.dumps({"file": "b"}) + "\n" + line, 1)):
        path.write_text(text)
        assert results.read_results(path) == [signed] * count
    for text in ('{"file": "b"}', "{no JSON", "{}"):
        path.write_text(text)
        with pytest.raises(MalformedFile):
            results.read_results(path)
    for text in ("no JSON", "[]"):
        path.write_text(text)
        with pytest.raises(InvalidArgument):
            results.read_jwks(path)
