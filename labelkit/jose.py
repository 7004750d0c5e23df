# SPDX-License-Identifier: Apache-2.0
"""Keys and bounds of signed results, by joserfc: which keys sign them, each with its one algorithm."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from labelkit.distribution import install_hint
from labelkit.errors import InvalidArgument

if TYPE_CHECKING:
    from joserfc.jwk import ECKey, OKPKey

    PublicKey = ECKey | OKPKey

ALGORITHMS = {("EC", "P-256"): "ES256", ("EC", "P-384"): "ES384", ("OKP", "Ed25519"): "Ed25519"}  # RFC 7518, RFC 9864
STAMP = "adoTst"
"""The header of time-stamps of the payload, as JAdES has it (ETSI TS 119 182-1, 5.2.6)."""
MAX_RESULT = 16 << 20  # bytes; reports have a few kB, those of files of 10,000 slots 2 MB
_MAX_HEADER = 64 << 10  # bytes; a time-stamp has 2 to 7 kB


def jwk_module() -> Any:
    """joserfc's keys; raises InvalidArgument where the extra is missing."""
    try:
        from joserfc import jwk
    except ModuleNotFoundError as error:
        raise InvalidArgument("signed results need the package joserfc", hint=install_hint("service")) from error
    return jwk


def plain_pem(pem: bytes, password: bytes | None) -> bytes:
    """A private key in PEM as PKCS#8 without a password; raises InvalidArgument for what is none."""
    from cryptography.hazmat.primitives import serialization
    try:
        key = serialization.load_pem_private_key(pem, password)
    except (ValueError, TypeError, ArithmeticError) as error:
        raise InvalidArgument("a key that signs results is a private key in PEM that can be read: {reason}",
                              reason=str(error)[:200]) from error
    except Exception as error:  # cryptography's own, of keys that it does not know
        raise InvalidArgument("a key that signs results is of P-256, P-384 or Ed25519") from error
    return key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8,
                             serialization.NoEncryption())


def key_of(jwk: Any, pem: bytes) -> PublicKey:
    """The key in such PEM; raises InvalidArgument for one of another kind."""
    from joserfc.errors import JoseError

    for kind in (jwk.ECKey, jwk.OKPKey):
        try:
            key: PublicKey = kind.import_key(pem)
            algorithm_of(key.as_dict(private=False))
            return key
        except (JoseError, ValueError, TypeError, KeyError, AttributeError):
            continue
    raise InvalidArgument("a key that signs results is of P-256, P-384 or Ed25519")


def algorithm_of(public: Mapping[str, Any]) -> str:
    """The one algorithm of a key; raises KeyError for a key of another kind."""
    return ALGORITHMS[public["kty"], public["crv"]]


def keys_of(jwks: Mapping[str, Any]) -> dict[str, PublicKey]:
    """The keys of a set by their thumbprints, and by their names."""
    jwk = jwk_module()
    from joserfc.errors import JoseError

    given = jwks.get("keys")
    if not isinstance(given, list):
        raise InvalidArgument("a set of keys (JWKS) has a list of them under \"keys\"")
    found: dict[str, PublicKey] = {}
    for one in given:
        if not isinstance(one, dict) or one.get("use", "sig") != "sig":
            continue
        public = {name: one[name] for name in ("kty", "crv", "x", "y") if name in one}
        try:
            if one.get("alg", algorithm_of(public)) != algorithm_of(public):
                continue
            key = (jwk.ECKey if public["kty"] == "EC" else jwk.OKPKey).import_key(public)
            names = {key.thumbprint(), one.get("kid")}
        except (JoseError, KeyError, TypeError, ValueError, AttributeError):
            continue
        found.update({name: key for name in names if isinstance(name, str)})
    return found


def registry(*algorithms: str) -> Any:
    """What joserfc takes: these algorithms, our headers, and sizes up to MAX_RESULT."""
    from joserfc.jws import JWSRegistry
    from joserfc.registry import HeaderParameter

    found = JWSRegistry({STAMP: HeaderParameter("time-stamps of the payload", lambda value: None)}, list(algorithms))
    found.max_payload_length, found.max_header_length = MAX_RESULT, _MAX_HEADER
    return found
