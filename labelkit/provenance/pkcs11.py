# SPDX-License-Identifier: Apache-2.0
"""Keys that stay in an HSM or a smart card: PKCS#11, by python-pkcs11 (MIT, wheels, kept: five releases in a year).

    pkcs11:token=works;object=signer?module-path=/usr/lib/softhsm/libsofthsm2.so&pin-source=file:/run/secrets/pin

The token holds the key, and the certificate chain beside it. Of a URI (RFC 7512) are read token, object and id, and
module-path, for which PKCS11_MODULE in the environment stands in, and pin-source. A pin-value is refused: command lines
are seen by others.
"""

from __future__ import annotations

import functools
import hashlib
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import ModuleType
from urllib.parse import unquote, unquote_to_bytes

from labelkit.errors import InvalidArgument, LabelkitError
from labelkit.provenance.engine import reason

SCHEME = "pkcs11:"
_HASHES = {"es256": "sha256", "es384": "sha384", "es512": "sha512", "ps256": "sha256"}
_MAX_PIN = 1024  # bytes of a file


class Token:
    """One key of one token; threads take turns.

    certificates    DER, that of the key first
    Raises InvalidArgument for a wrong URI, and where the token, the key, its certificate or the PIN is wrong.
    """

    def __init__(self, uri: str, pin: str | None) -> None:
        path, query = _parsed(uri)
        self._module = query.get("module-path") or os.environ.get("PKCS11_MODULE")
        if not self._module:
            raise InvalidArgument("{uri}: which PKCS#11 module drives the token is not said", uri=uri,
                                  hint="add ?module-path=FILE, or set PKCS11_MODULE")
        self._where = {"token_label": path["token"]} if "token" in path else {}
        self._what = {"label": path["object"]} if "object" in path else {}
        if "id" in path:
            self._what["id"] = unquote_to_bytes(path["id"])
        self._pin = _pin_in(query["pin-source"]) if "pin-source" in query else pin
        try:
            self.certificates = self._certificates()
        except LabelkitError:
            raise
        except Exception as error:  # the module's, of any kind
            raise InvalidArgument("{uri}: the token cannot be used: {reason}", uri=uri,
                                  reason=f"{type(error).__name__} {reason(error)}".strip()) from error
        if not self.certificates:
            raise InvalidArgument("{uri}: the token holds no certificate with the id of the key", uri=uri)

    def sign(self, algorithm: str, message: bytes) -> bytes:
        """The signature over a message; for ECDSA r || s. Raises what the module raises."""
        pkcs11 = library()
        if algorithm in _HASHES:
            message = hashlib.new(_HASHES[algorithm], message).digest()
        if algorithm == "ps256":
            how = {"mechanism": pkcs11.Mechanism.RSA_PKCS_PSS,
                   "mechanism_param": (pkcs11.Mechanism.SHA256, pkcs11.MGF.SHA256, 32)}
        else:
            how = {"mechanism": pkcs11.Mechanism.EDDSA if algorithm == "ed25519" else pkcs11.Mechanism.ECDSA}
        with self._key() as (_, key):
            return key.sign(message, **how)

    def _certificates(self) -> list[bytes]:
        kind, value, name = library().ObjectClass.CERTIFICATE, library().Attribute.VALUE, library().Attribute.ID
        with self._key() as (session, key):
            found = list(session.get_objects({library().Attribute.CLASS: kind}))
            ours = [one for one in found if one[name] == key[name]]
            return [one[value] for one in [*ours[:1], *(one for one in found if one not in ours)]] if ours else []

    @contextmanager
    def _key(self) -> Iterator[tuple[object, object]]:
        """(session, private key), logged in for as long as it takes: a login counts for the whole process."""
        pkcs11 = library()
        with _turn(os.getpid()):
            token = _started(self._module, os.getpid()).get_token(**self._where)
            try:
                session = token.open(user_pin=self._pin)
            except pkcs11.UserAlreadyLoggedIn:  # by somebody else in this process, who logs out too
                session = token.open()
            with session:
                yield session, session.get_key(pkcs11.ObjectClass.PRIVATE_KEY, **self._what)


@functools.lru_cache(maxsize=8)
def _started(path: str, process: int) -> object:
    """The module, started in this process: one that was forked inherits it loaded and unusable."""
    module = library().lib(path)
    if _loader(path) != process:
        module.reinitialize()
    return module


@functools.lru_cache(maxsize=8)
def _loader(path: str) -> int:
    return os.getpid()


@functools.lru_cache(maxsize=1)
def _turn(process: int) -> threading.Lock:
    """One for each process: a fork may leave that of its parent held for ever."""
    return threading.Lock()


def library() -> ModuleType:
    """python-pkcs11; raises InvalidArgument where it is not installed."""
    try:
        import pkcs11
    except ImportError as error:
        raise InvalidArgument("a signer in a token needs the package python-pkcs11",
                              hint='pip install "labelkit[pkcs11]"') from error
    return pkcs11


def _parsed(uri: str) -> tuple[dict[str, str], dict[str, str]]:
    """The attributes of the path and of the query of a URI; the id stays percent-encoded, for it is bytes."""
    path, _, query = uri.removeprefix(SCHEME).partition("?")
    parts = [{name: value if name == "id" else unquote(value) for name, _, value in
              (part.partition("=") for part in text.split(mark) if part)} for text, mark in ((path, ";"), (query, "&"))]
    if "pin-value" in parts[1]:
        raise InvalidArgument("a PIN in the URI is seen by others",
                              hint="put it into a file and say pin-source=file:/FILE, or set LABELKIT_SIGNER_PASSWORD")
    if not {"object", "id"} & set(parts[0]):
        raise InvalidArgument("{uri}: the key is not named", uri=uri, hint="add object=NAME or id=%01")
    return parts[0], parts[1]


def _pin_in(source: str) -> str:
    path = source.removeprefix("file:").replace("///", "/", 1)
    try:
        with open(path, "rb") as file:
            return file.read(_MAX_PIN).decode().rstrip("\r\n")
    except (OSError, ValueError) as error:
        raise InvalidArgument("{where} cannot be opened: {reason}", where=path,
                              reason=getattr(error, "strerror", None) or "it is no text") from error
