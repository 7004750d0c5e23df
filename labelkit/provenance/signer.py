# SPDX-License-Identifier: Apache-2.0
"""Signer: a certificate chain and the key, or the callback, that signs with it."""

from __future__ import annotations

import functools
import os
import re
import threading
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from labelkit.errors import InvalidArgument
from labelkit.messages import Message
from labelkit.provenance.engine import PURPOSES, library, reason
from labelkit.provenance.trust import read_pem

if TYPE_CHECKING:
    from cryptography.x509 import Certificate

_KEY_BLOCK = re.compile(rb"-----BEGIN ([A-Z ]*)PRIVATE KEY-----.*?-----END \1PRIVATE KEY-----", re.DOTALL)
_CURVES = {"secp256r1": "es256", "secp384r1": "es384", "secp521r1": "es512"}
_MIN_RSA_BITS = 2048  # C2PA 2.1, 13.2 digital signatures


class Signer:
    """Signs manifests with one certificate. Make it with `load`, `from_pem`, `from_callback` or `from_pkcs11`.

    subject       the name that verifiers will show: the certificate's organisation, else its common name
    not_before, not_after
                  datetime, UTC: when the certificate starts and ends
    algorithm     "es256", "es384", "es512", "ps256" or "ed25519", as the key asks
    has_time_stamp
                  whether signatures are time-stamped; without, they end with the certificate

    Usable from many threads and, pickled or forked, in many processes; its repr shows no key.
    """

    def __init__(self, chain: Sequence[Certificate], key: bytes | Callable[[bytes], bytes],
                 time_stamp_url: str | None) -> None:
        leaf = chain[0]
        _check_leaf(leaf)
        if time_stamp_url is not None and not re.match(r"https?://[\x21-\x7e]+\Z", str(time_stamp_url)):
            raise InvalidArgument("ta_url is an http or https URL, got {got}", got=repr(time_stamp_url))
        self._chain = b"".join(_pem(certificate) for certificate in chain)
        self._key = key
        self._time_stamp_url = time_stamp_url
        self._native: tuple[int, object] | None = None
        self._failure = threading.local()
        self.subject = _name(leaf)
        self.not_before, self.not_after = leaf.not_valid_before_utc, leaf.not_valid_after_utc
        self.algorithm = _algorithm(leaf)

    @classmethod
    def load(cls, *paths: str | os.PathLike, password: bytes | None = None, ta_url: str | None = None) -> Signer:
        """Read chain and key from one PEM file or from several.

        password    of an encrypted key
        ta_url      time-stamping authority (RFC 3161), asked over the network at every signature
        Raises InvalidArgument, saying what the certificate lacks, for one that no verifier would accept.
        """
        return cls.from_pem(b"\n".join(read_pem(path) for path in paths), password=password, ta_url=ta_url)

    @classmethod
    def from_pem(cls, pem: bytes, *, password: bytes | None = None, ta_url: str | None = None) -> Signer:
        """The signer of a PEM text: certificates in any order, and one key (PKCS#8, SEC1, PKCS#1; encrypted or not)."""
        from cryptography.hazmat.primitives import serialization

        key = _load_key(pem, password)
        form = serialization.PublicFormat.SubjectPublicKeyInfo
        public = key.public_key().public_bytes(serialization.Encoding.DER, form)
        chain = _ordered(_load_chain(pem), public)
        # c2pa reads PKCS#8 alone
        private = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8,
                                    serialization.NoEncryption())
        return cls(chain, private, ta_url)

    @classmethod
    def from_callback(cls, sign: Callable[[bytes], bytes], chain: bytes, *, ta_url: str | None = None) -> Signer:
        """A signer whose key stays in an HSM or a key service.

        sign     gets the bytes to sign, returns the signature over them by the leaf's key: raw r||s or DER for
                 ECDSA (SHA-256 for P-256, 384 for P-384, 512 for P-521), PSS with SHA-256 for RSA, Ed25519
        chain    PEM, the leaf first
        """
        if not callable(sign):
            raise InvalidArgument("a function from bytes to a signature is wanted, got {got}", got=type(sign).__name__)
        return cls(_load_chain(chain), sign, ta_url)

    @classmethod
    def from_pkcs11(cls, uri: str, *, pin: str | None = None, ta_url: str | None = None) -> Signer:
        """A signer whose key and certificates lie in a token, an HSM or a smart card (`labelkit[pkcs11]`).

        uri    pkcs11:token=NAME;object=NAME?module-path=FILE&pin-source=file:FILE, see `labelkit.provenance.pkcs11`
        pin    where the URI names no source of it
        Raises InvalidArgument, saying what the URI, the token or the certificate lacks.
        """
        from cryptography import x509

        from labelkit.provenance.pkcs11 import Token

        token = Token(uri, pin)
        try:
            certificates = [x509.load_der_x509_certificate(raw) for raw in token.certificates]
        except ValueError as error:
            raise InvalidArgument("{uri}: a certificate in the token cannot be read: {reason}", uri=uri,
                                  reason=reason(error)) from error
        chain = _ordered(certificates, _public(certificates[0]))
        return cls(chain, functools.partial(token.sign, _algorithm(chain[0])), ta_url)

    @property
    def has_time_stamp(self) -> bool:
        """Whether each signature gets a time-stamp."""
        return self._time_stamp_url is not None

    def native(self) -> object:
        """The c2pa signer of this process. Raises c2pa's own errors."""
        # no lock, which a fork could leave held: two threads that come first both make one, and one is kept
        if self._native is None or self._native[0] != os.getpid():
            self._native = os.getpid(), self._make_native()
        return self._native[1]

    def _make_native(self) -> object:
        c2pa = library()
        if callable(self._key):
            algorithm = c2pa.C2paSigningAlg[self.algorithm.upper()]
            return c2pa.Signer.from_callback(self._call, algorithm, self._chain.decode(), self._time_stamp_url)
        return c2pa.Signer.from_info(c2pa.C2paSignerInfo(
            alg=self.algorithm, sign_cert=self._chain, private_key=self._key, ta_url=self._time_stamp_url))

    def _call(self, message: bytes) -> bytes:
        try:
            return self._key(message)
        except Exception as error:
            self._failure.error = error  # c2pa says only that signing failed
            raise

    def take_failure(self) -> str:
        """What the callback raised during the last signature of this thread, else an empty string."""
        error, self._failure.error = getattr(self._failure, "error", None), None
        return f"{type(error).__name__}: {reason(error)}" if error else ""

    def __getstate__(self) -> dict[str, object]:
        return {name: value for name, value in vars(self).items() if name not in ("_native", "_failure")}

    def __setstate__(self, state: dict[str, object]) -> None:
        vars(self).update(state, _native=None, _failure=threading.local())

    def __repr__(self) -> str:
        return f"Signer({self.subject!r}, {self.algorithm}, ends {self.not_after:%Y-%m-%d})"


def _pem(certificate: Certificate) -> bytes:
    from cryptography.hazmat.primitives.serialization import Encoding

    return certificate.public_bytes(Encoding.PEM)


def _load_key(pem: bytes, password: bytes | None) -> object:
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives.serialization import load_pem_private_key

    blocks = [match.group() for match in _KEY_BLOCK.finditer(pem)]
    if len(blocks) != 1:
        raise InvalidArgument("one private key in PEM form is wanted, got {count}", count=len(blocks),
                              hint="labelkit keygen writes a signer.pem that holds chain and key")
    try:
        return load_pem_private_key(blocks[0], password)
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:
        raise InvalidArgument("the private key cannot be read: {reason}", reason=reason(error)) from error


def _load_chain(pem: bytes) -> list[Certificate]:
    from cryptography import x509

    try:
        return x509.load_pem_x509_certificates(pem)
    except (ValueError, TypeError) as error:
        raise InvalidArgument("a certificate chain in PEM form is wanted: {reason}", reason=reason(error)) from error


def _public(certificate: Certificate) -> bytes:
    from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

    return certificate.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)


def _ordered(certificates: list[Certificate], public: bytes) -> list[Certificate]:
    """The certificate of the key, then each one's issuer as far as they are there."""
    chain = [c for c in certificates if _public(c) == public][:1]
    if not chain:
        raise InvalidArgument("the private key belongs to none of the {count} certificates", count=len(certificates))
    while chain[-1].issuer != chain[-1].subject and len(chain) <= len(certificates):
        issuers = [c for c in certificates if c.subject == chain[-1].issuer]
        if not issuers:
            break
        chain.append(issuers[0])
    return chain


def _name(certificate: Certificate) -> str:
    from cryptography.x509.oid import NameOID

    for oid in (NameOID.ORGANIZATION_NAME, NameOID.COMMON_NAME):
        for attribute in certificate.subject.get_attributes_for_oid(oid):
            return str(attribute.value)
    return certificate.subject.rfc4514_string()


def _algorithm(leaf: Certificate) -> str:
    from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa

    key = leaf.public_key()
    if isinstance(key, ec.EllipticCurvePublicKey) and key.curve.name in _CURVES:
        return _CURVES[key.curve.name]
    if isinstance(key, rsa.RSAPublicKey) and key.key_size >= _MIN_RSA_BITS:
        return "ps256"
    if isinstance(key, ed25519.Ed25519PublicKey):
        return "ed25519"
    kind = f"{type(key).__name__} {getattr(key, 'key_size', '')}".strip()
    raise InvalidArgument("C2PA signs with P-256, P-384, P-521, Ed25519 or RSA from {bits} bits, got {got}",
                          bits=_MIN_RSA_BITS, got=kind)


def _purposes(leaf: Certificate) -> set[str]:
    return {oid.dotted_string for oid in _extension(leaf, "ExtendedKeyUsage") or ()}


def _and(first: Message, second: Message) -> Message:
    return Message("{first}; {second}", first=first, second=second)


def _extension(certificate: Certificate, name: str) -> object | None:
    from cryptography import x509

    try:
        return certificate.extensions.get_extension_for_class(getattr(x509, name)).value
    except (x509.ExtensionNotFound, x509.DuplicateExtension, ValueError):
        return None


def _check_leaf(leaf: Certificate) -> None:
    """Raise for what every C2PA verifier refuses; c2pa itself says only "the certificate is invalid"."""
    usage, constraints = _extension(leaf, "KeyUsage"), _extension(leaf, "BasicConstraints")
    lacks = [problem for wrong, problem in (
        (leaf.issuer == leaf.subject, Message("an issuer other than itself")),
        (constraints is not None and constraints.ca, Message("CA:FALSE")),
        (usage is None or not usage.digital_signature, Message("key usage digitalSignature")),
        (_extension(leaf, "AuthorityKeyIdentifier") is None, Message("an authority key identifier")),
        (not _purposes(leaf) & set(PURPOSES), Message("an extended key usage out of {oids}", oids=", ".join(PURPOSES))),
    ) if wrong]
    if lacks:
        raise InvalidArgument("the certificate of {subject} cannot sign C2PA manifests; it lacks {lacks}",
                              subject=_name(leaf), lacks=functools.reduce(_and, lacks),
                              hint="labelkit keygen makes a certificate that works")
