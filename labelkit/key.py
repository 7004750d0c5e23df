# SPDX-License-Identifier: Apache-2.0
"""Key: the secret that seeds every pseudo-random choice of a watermark."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import TYPE_CHECKING

from labelkit.errors import InvalidArgument, check_types

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

_HEADER = b"labelkit watermark key 1\n"
_MAX_FILE = len(_HEADER) + 2 * 1024 + 2  # bytes of a key file
_PUBLIC_SECRET = b"labelkit public key 1: anybody can read this mark, and anybody could have written it"


class Key:
    """A secret and its named pseudo-random streams.

    `Key.public()` is built into labelkit: anybody can read watermarks made with it, and anybody can make one.
    A private key is any 16 to 1024 bytes; use 32 random bytes. Keys with the same secret are equal.
    The secret is never shown; `id` may be published.
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
        """The key that is built into labelkit."""
        return _PUBLIC

    @classmethod
    def of(cls, key: Key | None) -> Key:
        """`key`, or the public key for None; raises InvalidArgument for any other type."""
        if key is None:
            return cls.public()
        check_types(key=(key, Key))
        return key

    @classmethod
    def load(cls, path: str | Path) -> Key:
        """Read a key file: a line that says what it is, then the secret in hexadecimal digits, as `file_of` makes it.

        A file of 16 to 1024 other bytes is a key too: every byte is part of it, a final newline included. Certificates
        and other PEM or DER files are refused: they may be public. Raises InvalidArgument.
        """
        try:
            with open(path, "rb") as file:
                data = file.read(_MAX_FILE + 1)
        except (OSError, ValueError) as error:
            raise InvalidArgument("{path}: cannot read the key: {reason}", path=str(path),
                                  reason=getattr(error, "strerror", None) or str(error)) from error
        if data.startswith(_HEADER):
            return cls(_secret_of(data[len(_HEADER):], str(path)))
        if b"-----BEGIN " in data or _is_der(data):
            raise InvalidArgument("{path} is a certificate or another kind of key, not a watermark key", path=str(path),
                                  hint="labelkit keygen writes a watermark.key")
        return cls(data)

    @staticmethod
    def file_of(secret: bytes) -> bytes:
        """The content of a key file for a secret."""
        Key(secret)  # refuses a wrong one
        return _HEADER + secret.hex().encode() + b"\n"

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


def _secret_of(text: bytes, path: str) -> bytes:
    """The secret in the digits of a key file."""
    try:
        secret = bytes.fromhex(text.decode("ascii").strip())
    except ValueError as error:
        raise InvalidArgument("{path}: the watermark key is not in hexadecimal digits", path=path) from error
    return secret


def _is_der(data: bytes) -> bool:
    """Whether the bytes are one ASN.1 sequence, as certificates are."""
    return len(data) > 4 and data[:2] == b"\x30\x82" and int.from_bytes(data[2:4], "big") == len(data) - 4


class Stream:
    """Pseudo-random numbers from SHAKE-256: the same on every machine and in every version."""

    __slots__ = ("_seed", "_calls")

    def __init__(self, seed: bytes) -> None:
        self._seed = seed
        self._calls = 0

    def bytes(self, count: int) -> bytes:
        """The next `count` bytes."""
        self._calls += 1
        return hashlib.shake_256(self._seed + self._calls.to_bytes(8, "big")).digest(count)

    def words(self, count: int) -> npt.NDArray[np.uint64]:
        """uint64 [count], uniform."""
        import numpy as np  # here: who holds a key alone, as the command line does, needs no numbers

        return np.frombuffer(self.bytes(8 * count), "<u8").astype(np.uint64)

    def signs(self, count: int) -> npt.NDArray[np.int8]:
        """int8 [count] of -1 and +1."""
        import numpy as np

        bits = np.unpackbits(np.frombuffer(self.bytes((count + 7) // 8), np.uint8))[:count]
        return (2 * bits.astype(np.int8) - 1).astype(np.int8)

    def uniform(self, count: int) -> npt.NDArray[np.float64]:
        """float64 [count] in [0, 1)."""
        import numpy as np

        numbers: npt.NDArray[np.float64] = np.multiply(self.words(count) >> np.uint64(11), 2.0**-53)
        return numbers

    def permutation(self, count: int) -> npt.NDArray[np.int64]:
        """int64 [count], a uniform permutation of 0 .. count - 1."""
        import numpy as np

        return np.argsort(self.words(count), kind="stable")


_PUBLIC = Key(_PUBLIC_SECRET)
