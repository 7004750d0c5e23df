# SPDX-License-Identifier: Apache-2.0
"""Signer: a certificate chain, and the private key or the callback that signs with it."""

from __future__ import annotations

import copy
import functools
import os
import re
import threading
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, TypeVar

from labelkit.errors import InvalidArgument
from labelkit.messages import Message
from labelkit.provenance.bundles import read_pem
from labelkit.provenance.engine import PURPOSES, reason, without_secrets

if TYPE_CHECKING:
    import c2pa
    from cryptography.hazmat.primitives.asymmetric.types import PrivateKeyTypes
    from cryptography.x509 import Certificate, ExtensionType
    ExtensionKind = TypeVar("ExtensionKind", bound=ExtensionType)

_KEY_BLOCK = re.compile(rb"-----BEGIN ([A-Z ]*)PRIVATE KEY-----.*?-----END \1PRIVATE KEY-----", re.DOTALL)
_CURVES = {"secp256r1": "es256", "secp384r1": "es384", "secp521r1": "es512"}
_MIN_RSA_BITS = 2048  # C2PA 2.1, 13.2 digital signatures


class Signer:
    """Signs manifests with one certificate. Create it with `load`, `from_pem`, `from_callback` or `from_pkcs11`.

    subject       the name that verifiers will show: the certificate's organisation, else its common name
    not_before, not_after
                  datetime, UTC: when the certificate starts and ends
    algorithm     "es256", "es384", "es512", "ps256" or "ed25519", given by the key
    has_time_stamp
                  whether signatures are time-stamped; without a time-stamp they expire with the certificate
    has_thumbnails
                  whether manifests hold small pictures: see `with_thumbnails`

    May be used by many threads and, pickled or forked, by many processes. Its repr does not show the key.
    """

    def __init__(self, chain: Sequence[Certificate], key: bytes | Callable[[bytes], bytes],
                 time_stamp_url: str | None) -> None:
        leaf = chain[0]
        _check_leaf(leaf)
        if time_stamp_url is not None and not re.match(r"https?://[\x21-\x7e]+\Z", str(time_stamp_url)):
            raise InvalidArgument("ta_url must be an http or https URL, got {got}",
                                  got=without_secrets(repr(time_stamp_url)))
        self._chain = b"".join(_pem(certificate) for certificate in chain)
        self._key = key
        self._time_stamp_url = time_stamp_url
        self._native: tuple[int, c2pa.Signer] | None = None
        self._last = threading.local()
        self.has_thumbnails = False
        self.subject = _name(leaf)
        self.not_before, self.not_after = leaf.not_valid_before_utc, leaf.not_valid_after_utc
        self.algorithm = _algorithm(leaf)

    @classmethod
    def load(cls, *paths: str | os.PathLike[str], password: bytes | None = None, ta_url: str | None = None) -> Signer:
        """Read chain and key from one or several PEM files.

        password    of an encrypted key
        ta_url      time-stamping authority (RFC 3161), called over the network for every signature
        Raises InvalidArgument, naming what the certificate lacks, if no verifier would accept it.
        """
        return cls.from_pem(b"\n".join(read_pem(path) for path in paths), password=password, ta_url=ta_url)

    @classmethod
    def from_pem(cls, pem: bytes, *, password: bytes | None = None, ta_url: str | None = None) -> Signer:
        """Read PEM text: certificates in any order, and one key (PKCS#8, SEC1 or PKCS#1; encrypted or not)."""
        from cryptography.hazmat.primitives import serialization

        key = _load_key(pem, password)
        spki = serialization.PublicFormat.SubjectPublicKeyInfo
        public = key.public_key().public_bytes(serialization.Encoding.DER, spki)
        chain = _ordered(_load_chain(pem), public)
        # c2pa reads only PKCS#8
        private = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8,
                                    serialization.NoEncryption())
        return cls(chain, private, ta_url)

    @classmethod
    def from_callback(cls, sign: Callable[[bytes], bytes], chain: bytes, *, ta_url: str | None = None) -> Signer:
        """A signer whose key stays in an HSM or a key management service.

        sign     takes the bytes to sign and returns the signature by the leaf's key: raw r||s or DER for ECDSA
                 (SHA-256 for P-256, SHA-384 for P-384, SHA-512 for P-521), PSS with SHA-256 for RSA, Ed25519
        chain    PEM, the leaf first
        """
        if not callable(sign):
            raise InvalidArgument("sign must be a function from bytes to a signature, got {got}",
                                  got=type(sign).__name__)
        return cls(_load_chain(chain), sign, ta_url)

    @classmethod
    def from_pkcs11(cls, uri: str, *, pin: str | None = None, ta_url: str | None = None) -> Signer:
        """A signer whose key and certificates are in a PKCS#11 token: an HSM or a smart card (the extra `pkcs11`).

        uri    pkcs11:token=NAME;object=NAME?module-path=FILE&pin-source=file:FILE, see `labelkit.provenance.pkcs11`
        pin    if the URI has no pin-source
        Raises InvalidArgument, naming what the URI, the token or the certificate lacks.
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

    def with_thumbnails(self) -> Signer:
        """A signer whose manifests hold a picture of at most 512 pixels of the file, and one of what it was made from.

        Of JPEG, PNG, WebP, TIFF and GIF; other formats get none. That of what it was made from shows it without the
        labels that it lacked. They are decoded by the C2PA library, 60 ms a megapixel.
        """
        other = copy.copy(self)
        other.has_thumbnails = True
        return other

    @property
    def has_time_stamp(self) -> bool:
        """Whether signatures are time-stamped."""
        return self._time_stamp_url is not None

    def native(self) -> c2pa.Signer:
        """The c2pa signer of this process. Raises c2pa's own errors."""
        # without a lock, which a fork could leave held: two threads may both create one, and the last is kept
        if self._native is None or self._native[0] != os.getpid():
            self._native = os.getpid(), self._make_native()
        return self._native[1]

    def _make_native(self) -> c2pa.Signer:
        import c2pa

        key = self._key
        if isinstance(key, bytes):
            return c2pa.Signer.from_info(c2pa.C2paSignerInfo(  # type: ignore[no-untyped-call]  # c2pa has no types here
                alg=self.algorithm, sign_cert=self._chain, private_key=key, ta_url=self._time_stamp_url))

        def call(message: bytes) -> bytes:
            try:
                return key(message)
            except Exception as error:
                self._last.error = error  # c2pa reports only that signing failed
                raise

        algorithm = c2pa.C2paSigningAlg[self.algorithm.upper()]
        return c2pa.Signer.from_callback(call, algorithm, self._chain.decode(), self._time_stamp_url)

    @property
    def time_stamp_server(self) -> str:
        """The address of the time-stamping authority, without user name, password and query; empty without one."""
        return without_secrets(self._time_stamp_url or "")

    def take_failure(self) -> str:
        """What the callback raised during the last signature of this thread, or an empty string."""
        error: Exception | None = getattr(self._last, "error", None)
        self._last.error = None
        return f"{type(error).__name__}: {reason(error)}" if error else ""

    def take_store(self) -> bytes | None:
        """The manifest store that this thread signed last, None where it has signed none since it was taken."""
        store: bytes | None = getattr(self._last, "store", None)
        self._last.store = None
        return store

    def keep_store(self, store: bytes) -> None:
        """Hold a store that was signed, for `take_store`."""
        self._last.store = store

    def __getstate__(self) -> dict[str, object]:
        return {name: value for name, value in vars(self).items() if name not in ("_native", "_last")}

    def __setstate__(self, state: dict[str, object]) -> None:
        vars(self).update(state, _native=None, _last=threading.local())

    def __repr__(self) -> str:
        return f"Signer({self.subject!r}, {self.algorithm}, ends {self.not_after:%Y-%m-%d})"


def _pem(certificate: Certificate) -> bytes:
    from cryptography.hazmat.primitives.serialization import Encoding

    return certificate.public_bytes(Encoding.PEM)


def _load_key(pem: bytes, password: bytes | None) -> PrivateKeyTypes:
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives.serialization import load_pem_private_key

    blocks = [match.group() for match in _KEY_BLOCK.finditer(pem)]
    if len(blocks) != 1:
        raise InvalidArgument("a signer needs exactly one private key in PEM form, got {count}", count=len(blocks),
                              hint="labelkit keygen writes a signer.pem with the chain and the key")
    try:
        return load_pem_private_key(blocks[0], password)
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:
        raise InvalidArgument("the private key cannot be read: {reason}", reason=reason(error)) from error


def _load_chain(pem: bytes) -> list[Certificate]:
    from cryptography import x509

    try:
        return x509.load_pem_x509_certificates(pem)
    except (ValueError, TypeError) as error:
        raise InvalidArgument("a signer needs a certificate chain in PEM form: {reason}",
                              reason=reason(error)) from error


def _public(certificate: Certificate) -> bytes:
    from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

    return certificate.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)


def _ordered(certificates: list[Certificate], public: bytes) -> list[Certificate]:
    """The certificate of the key, then the issuer of each as far as they are given."""
    chain = [c for c in certificates if _public(c) == public][:1]
    if not chain:
        raise InvalidArgument("the private key matches none of the {count} certificates", count=len(certificates))
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
    raise InvalidArgument("C2PA needs a P-256, P-384, P-521, Ed25519 or RSA key of at least {bits} bits, got {got}",
                          bits=_MIN_RSA_BITS, got=kind)


def _and(first: Message, second: Message) -> Message:
    return Message("{first}; {second}", first=first, second=second)


def _extension(certificate: Certificate, kind: type[ExtensionKind]) -> ExtensionKind | None:
    from cryptography import x509

    try:
        return certificate.extensions.get_extension_for_class(kind).value
    except (x509.ExtensionNotFound, x509.DuplicateExtension, ValueError):
        return None


def _check_leaf(leaf: Certificate) -> None:
    """Raise InvalidArgument if C2PA verifiers would refuse the certificate; c2pa says only that it is invalid."""
    from cryptography import x509

    usage, constraints = _extension(leaf, x509.KeyUsage), _extension(leaf, x509.BasicConstraints)
    purposes = {oid.dotted_string for oid in _extension(leaf, x509.ExtendedKeyUsage) or ()}
    lacks = [problem for wrong, problem in (
        (leaf.issuer == leaf.subject, Message("an issuer other than itself")),
        (constraints is not None and constraints.ca, Message("CA:FALSE")),
        (usage is None or not usage.digital_signature, Message("key usage digitalSignature")),
        (_extension(leaf, x509.AuthorityKeyIdentifier) is None, Message("an authority key identifier")),
        (not purposes & set(PURPOSES), Message("an extended key usage out of {oids}", oids=", ".join(PURPOSES))),
    ) if wrong]
    if lacks:
        raise InvalidArgument("the certificate of {subject} cannot sign C2PA manifests; it lacks {lacks}",
                              subject=_name(leaf), lacks=functools.reduce(_and, lacks),
                              hint="labelkit keygen makes a certificate that works")
