# SPDX-License-Identifier: Apache-2.0
"""API keys: who may ask for what. A file holds the SHA-256 of each key, never the key.

A key is 32 random bytes, so that a plain hash of it cannot be guessed back and needs no salt and no slow function. The
file has a line of JSON for each key; a key whose line is taken out is refused from the next request on.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Collection
from dataclasses import dataclass

from labelkit import keyfiles
from labelkit.errors import InvalidArgument, cannot_write

SCOPES = ("label", "verify", "recover", "metrics")
"""What a key allows: label and propagate; verify and check; from a mark to its manifest; the figures for Prometheus."""
_PREFIX = "labelkit_"  # lets programs that search code for secrets know it
_NAME = re.compile(r"[A-Za-z0-9._-]{1,64}")
_MAX_FILE = 4 << 20


@dataclass(frozen=True, slots=True)
class Caller:
    """Who sends a request: the name of the API key, or the address where none is needed; and what they may ask for."""

    name: str
    scopes: frozenset[str]


def add(path: str | os.PathLike[str], name: str, scopes: Collection[str], created: str) -> str:
    """Make a key, append its hash to the file and return the key, which nothing keeps.

    path     file of hashes; made with mode 0600 if it does not exist
    name     for logs and to find the line again: letters, digits, ".", "_" and "-"; no two keys share one
    scopes   some of SCOPES
    created  date and time for the line, for people
    Raises InvalidArgument, OutputFailed.
    """
    if not _NAME.fullmatch(name):
        raise InvalidArgument("the name of an API key is 1 to 64 letters, digits, dots, dashes and underscores, got "
                              "{got}", got=repr(name))
    _check_scopes(scopes, "scopes")
    if os.path.exists(path) and any(caller.name == name for caller in read(path).values()):
        raise InvalidArgument("{where} has a key named {name} already", where=os.fspath(path), name=name,
                              hint="choose another name, or take its line out of the file")
    import secrets  # here: the help of every command reads SCOPES

    key = _PREFIX + secrets.token_urlsafe(32)
    line = json.dumps({"name": name, "scopes": sorted(scopes), "sha256": _hashed(key), "created": created}) + "\n"
    try:
        with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600), "ab") as file:
            file.write(line.encode())
    except OSError as error:
        raise cannot_write(path, error) from error
    return key


def read(path: str | os.PathLike[str]) -> dict[str, Caller]:
    """The callers in a file by the SHA-256 of their keys; raises InvalidArgument for a file that is none of keys."""
    where, found = os.fspath(path), dict[str, Caller]()
    raw = keyfiles.read(path, _MAX_FILE + 1)
    if len(raw) > _MAX_FILE:
        raise InvalidArgument("{where} is no file of API keys: it is too large", where=where)
    for number, line in enumerate(raw.splitlines(), 1):
        if not line.strip():
            continue
        try:
            entry = json.loads(line)
            name, scopes, digest = entry["name"], entry["scopes"], entry["sha256"]
            if not (_NAME.fullmatch(name) and re.fullmatch("[0-9a-f]{64}", digest) and isinstance(scopes, list)):
                raise ValueError
        except (ValueError, KeyError, TypeError, RecursionError) as error:
            raise InvalidArgument("{where}: line {number} is not that of an API key", where=where,
                                  number=number) from error
        _check_scopes(scopes, f"{where}:{number}")
        found[digest] = Caller(name, frozenset(scopes))
    return found


class Access:
    """Who may ask for what.

    path       file of API keys, None for none; it is read again when it has changed
    everybody  scopes that need no key
    """

    def __init__(self, path: str | os.PathLike[str] | None, everybody: Collection[str] = ()) -> None:
        _check_scopes(everybody, "everybody", least=0)
        self.everybody = frozenset(everybody)
        self._path = path
        self._state = None if path is None else _state(path)
        self._callers = {} if path is None else read(path)

    def caller(self, authorization: str | None, address: str) -> Caller | None:
        """Who sends a request with this header; None for a key that is not known, and for a header that holds none."""
        if authorization is None:
            return Caller(address, self.everybody)
        scheme, _, key = authorization.partition(" ")
        if scheme.lower() != "bearer" or not key.startswith(_PREFIX):
            return None
        found = self._current().get(_hashed(key.strip()))
        return found and Caller(found.name, found.scopes | self.everybody)

    def _current(self) -> dict[str, Caller]:
        """The callers in the file as it is now; none where it cannot be read: a key that was taken out is no key."""
        if self._path is not None and (state := _state(self._path)) != self._state:
            try:
                self._callers = read(self._path)
            except InvalidArgument:
                self._callers = {}
            self._state = state
        return self._callers


def _state(path: str | os.PathLike[str]) -> tuple[int, int, int] | None:
    try:
        found = os.stat(path)
    except (OSError, ValueError):
        return None
    return found.st_mtime_ns, found.st_size, found.st_ino


def _hashed(key: str) -> str:
    import hashlib

    return hashlib.sha256(key.encode("utf-8", "replace")).hexdigest()


def _check_scopes(scopes: Collection[str], what: str, least: int = 1) -> None:
    if isinstance(scopes, str) or len(scopes) < least or not set(scopes) <= set(SCOPES):
        raise InvalidArgument("{what}: scopes are some of {known}, got {got}", what=what, known=", ".join(SCOPES),
                              got=repr(scopes))
