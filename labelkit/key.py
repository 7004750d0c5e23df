# SPDX-License-Identifier: Apache-2.0
"""Key: the secret that drives every pseudo-random choice of a watermark."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np

from labelkit.errors import InvalidArgument, check_types

_PUBLIC_SECRET = b"labelkit public key 1: anybody can read this mark, and anybody could have written it"


class Key:
    """A secret and its named pseudo-random streams.

    `Key.public()` is the toolkit's own key: every copy of labelkit can read its marks, and anybody
    could write one. A private key is 16 to 1024 bytes of anything; 32 random bytes are best.
    Two keys with the same secret are equal. The secret never leaves the object; `id` is public.
    """

    __slots__ = ("_secret", "id", "is_public")

    def __init__(self, secret: bytes) -> None:
        if not isinstance(secret, bytes | bytearray) or not 16 <= len(secret) <= 1024:
            got = f"{len(secret)} bytes" if isinstance(secret, bytes | bytearray) else type(secret).__name__
            raise InvalidArgument("a key is 16 to 1024 bytes, got {got}", got=got)
        self._secret = hashlib.sha256(b"labelkit/key/1\0" + bytes(secret)).digest()
        self.id = hashlib.sha256(b"labelkit/key-id/1\0" + self._secret).hexdigest()[:16]
        self.is_public = bytes(secret) == _PUBLIC_SECRET

    @classmethod
    def public(cls) -> Key:
        """The key that every labelkit knows."""
        return _PUBLIC

    @classmethod
    def of(cls, key: Key | None) -> Key:
        """`key` itself, the public one for None; raises InvalidArgument for what is no key."""
        if key is None:
            return cls.public()
        check_types(key=(key, Key))
        return key

    @classmethod
    def load(cls, path: str | Path) -> Key:
        """Read a key from a file of 16 to 1024 bytes; every byte counts, a last newline too."""
        try:
            with open(path, "rb") as file:
                return cls(file.read(1025))
        except OSError as error:
            raise InvalidArgument("{path}: cannot read the key: {reason}",
                                  path=str(path), reason=error.strerror or str(error)) from error

    def stream(self, name: str, *numbers: int) -> Stream:
        """The pseudo-random stream called `name` (and `numbers`); the same call gives the same stream."""
        tag = "/".join((name, *map(str, numbers))).encode()
        return Stream(hashlib.sha256(self._secret + b"\0" + tag).digest())

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Key) and self._secret == other._secret

    def __hash__(self) -> int:
        return hash(self._secret)

    def __repr__(self) -> str:
        return f"Key(id={self.id!r}{', public' if self.is_public else ''})"


class Stream:
    """Pseudo-random numbers from SHAKE-256 of a seed: the same on every machine and every version."""

    __slots__ = ("_seed", "_calls")

    def __init__(self, seed: bytes) -> None:
        self._seed = seed
        self._calls = 0

    def bytes(self, count: int) -> bytes:
        """`count` fresh bytes."""
        self._calls += 1
        return hashlib.shake_256(self._seed + self._calls.to_bytes(8, "big")).digest(count)

    def words(self, count: int) -> np.ndarray:
        """uint64 [count], uniform."""
        return np.frombuffer(self.bytes(8 * count), "<u8").astype(np.uint64)

    def signs(self, count: int) -> np.ndarray:
        """int8 [count] of -1 and +1."""
        bits = np.unpackbits(np.frombuffer(self.bytes((count + 7) // 8), np.uint8))[:count]
        return (2 * bits.astype(np.int8) - 1).astype(np.int8)

    def uniform(self, count: int) -> np.ndarray:
        """float64 [count] in [0, 1)."""
        return (self.words(count) >> np.uint64(11)) * 2.0**-53

    def permutation(self, count: int) -> np.ndarray:
        """int64 [count], a uniform permutation of 0 .. count - 1."""
        return np.argsort(self.words(count), kind="stable")


_PUBLIC = Key(_PUBLIC_SECRET)
