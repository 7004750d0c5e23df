# SPDX-License-Identifier: Apache-2.0
"""Keys in an HSM or a smart card: PKCS#11, through python-pkcs11 (MIT, has wheels, maintained).

    pkcs11:token=works;object=signer?module-path=/usr/lib/softhsm/libsofthsm2.so&pin-source=file:/run/secrets/pin

The token holds the key and its certificate chain. These attributes of the URI (RFC 7512) are used: token, object, id,
pin-source and module-path, which defaults to PKCS11_MODULE in the environment. A pin-value is refused, because other
users of a machine can see command lines.
"""

from __future__ import annotations

import functools
import hashlib
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Protocol
from urllib.parse import unquote, unquote_to_bytes

from labelkit.distribution import install_hint
from labelkit.errors import InvalidArgument, LabelkitError
from labelkit.keyfiles import read
from labelkit.provenance.engine import reason
from labelkit.threads import OneAProcess

if TYPE_CHECKING:
    from pkcs11 import Session, Token as OpenToken
    from pkcs11.types import SignMixin

SCHEME = "pkcs11:"
_HASHES = {"es256": "sha256", "es384": "sha384", "es512": "sha512", "ps256": "sha256"}
_MAX_PIN = 1024  # bytes of a PIN file


class _Module(Protocol):
    """An initialised PKCS#11 module."""

    def get_token(self, *, token_label: str | None) -> OpenToken: ...

    def reinitialize(self) -> None: ...


class Token:
    """One key of one token. Threads use it one at a time.

    certificates    DER, the key's own first
    Raises InvalidArgument if the URI, the token, the key, its certificate or the PIN is wrong.
    """

    def __init__(self, uri: str, pin: str | None) -> None:
        _load_library()
        path, query = _parsed(uri)
        module = query.get("module-path") or os.environ.get("PKCS11_MODULE")
        if not module:
            raise InvalidArgument("{uri}: the URI names no PKCS#11 module", uri=uri,
                                  hint="add ?module-path=FILE, or set PKCS11_MODULE")
        self._module, self._token_label, self._label = module, path.get("token"), path.get("object")
        self._id = unquote_to_bytes(path["id"]) if "id" in path else None
        self._pin = _pin_in(query["pin-source"]) if "pin-source" in query else pin
        try:
            self.certificates = self._certificates()
        except LabelkitError:
            raise
        except Exception as error:  # the module raises exceptions of many kinds
            raise InvalidArgument("{uri}: the token cannot be used: {reason}", uri=uri,
                                  reason=f"{type(error).__name__} {reason(error)}".strip()) from error
        if not self.certificates:
            raise InvalidArgument("{uri}: the token holds no certificate with the id of the key", uri=uri)

    def sign(self, algorithm: str, message: bytes) -> bytes:
        """The signature over a message; r || s for ECDSA. Raises what the module raises."""
        from pkcs11 import MGF, Mechanism

        if algorithm in _HASHES:
            message = hashlib.new(_HASHES[algorithm], message).digest()
        mechanism, parameters = Mechanism.ECDSA, None
        if algorithm == "ps256":
            mechanism, parameters = Mechanism.RSA_PKCS_PSS, (Mechanism.SHA256, MGF.SHA256, 32)
        elif algorithm == "ed25519":
            mechanism = Mechanism.EDDSA
        with self._key() as (_, key):
            return bytes(key.sign(message, mechanism=mechanism, mechanism_param=parameters))

    def _certificates(self) -> list[bytes]:
        from pkcs11 import Attribute, ObjectClass

        with self._key() as (session, key):
            found = list(session.get_objects({Attribute.CLASS: ObjectClass.CERTIFICATE}))
            ours = [one for one in found if one[Attribute.ID] == key[Attribute.ID]]
            ordered = [*ours[:1], *(one for one in found if one not in ours)] if ours else []
            return [bytes(one[Attribute.VALUE]) for one in ordered]

    @contextmanager
    def _key(self) -> Iterator[tuple[Session, SignMixin]]:
        """(session, private key), logged in only while in use: a login counts for the whole process."""
        from pkcs11 import ObjectClass, UserAlreadyLoggedIn
        from pkcs11.types import SignMixin

        with _lock():
            token = _initialised(self._module, os.getpid()).get_token(token_label=self._token_label)
            try:
                session = token.open(user_pin=self._pin)
            except UserAlreadyLoggedIn:  # other code of this process logged in, and will log out
                session = token.open()
            with session:
                key = session.get_key(ObjectClass.PRIVATE_KEY, label=self._label, id=self._id)
                if not isinstance(key, SignMixin):
                    raise InvalidArgument("the key in the token is not allowed to sign")
                yield session, key


@functools.lru_cache(maxsize=8)
def _initialised(path: str, process: int) -> _Module:
    """The module, initialised in this process: a forked process inherits it loaded but unusable."""
    from pkcs11 import lib

    module = lib(path)
    if _loading_process(path) != process:
        module.reinitialize()
    return module


@functools.lru_cache(maxsize=8)
def _loading_process(path: str) -> int:
    return os.getpid()


@OneAProcess
def _lock() -> threading.Lock:
    """What only one thread at a time has: a session in a token."""
    return threading.Lock()


def _load_library() -> None:
    """Import python-pkcs11; raises InvalidArgument if it is not installed."""
    try:
        import pkcs11  # noqa: F401
    except ImportError as error:
        raise InvalidArgument("a signer in a token needs the package python-pkcs11",
                              hint=install_hint("pkcs11")) from error


def _parsed(uri: str) -> tuple[dict[str, str], dict[str, str]]:
    """The attributes of the path and of the query of a URI; the id stays percent-encoded, because it is bytes."""
    path, _, query = uri.removeprefix(SCHEME).partition("?")
    parts = [{name: value if name == "id" else unquote(value) for name, _, value in
              (part.partition("=") for part in text.split(mark) if part)} for text, mark in ((path, ";"), (query, "&"))]
    if "pin-value" in parts[1]:
        raise InvalidArgument("other users of the machine can see a PIN in the URI",
                              hint="write it to a file and give pin-source=file:/FILE, or pass pin")
    if not {"object", "id"} & set(parts[0]):
        raise InvalidArgument("{uri}: the URI names no key", uri=uri, hint="add object=NAME or id=%01")
    return parts[0], parts[1]


def _pin_in(source: str) -> str:
    path = source.removeprefix("file:").replace("///", "/", 1)
    try:
        return read(path, _MAX_PIN).decode().rstrip("\r\n")
    except UnicodeDecodeError as error:
        raise InvalidArgument("{where}: a PIN is UTF-8 text", where=path) from error
