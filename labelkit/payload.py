# SPDX-License-Identifier: Apache-2.0
"""Payload: the 64 bits that a watermark carries, the same in pictures, sound and films."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

from labelkit.errors import InvalidArgument
from labelkit.label import Kind, Label

VERSION = 1
_WIDTHS = {"version": 3, "kind": 2, "producer": 24, "content": 35}


@dataclass(frozen=True, slots=True)
class Payload:
    """Four unsigned numbers in 64 bits, most significant first.

    version   3 bits   layout of the rest, 1 today
    kind      2 bits   GB 45438 `Label`: 1 is, 2 may be, 3 is suspected AI-generated
    producer  24 bits  the first bits of SHA-256 of the content producer, or an assigned number
    content   35 bits  the first bits of SHA-256 of the produce id, or a counter

    A short number is not the label: many labels share one. `matches` says whether a label is a candidate; the label log
    finds the one that was written. Raises InvalidArgument for numbers out of range.
    """

    kind: int
    producer: int
    content: int
    version: int = VERSION

    def __post_init__(self) -> None:
        for name, width in _WIDTHS.items():
            value = getattr(self, name)
            if not isinstance(value, int) or not 0 <= value < 1 << width:
                raise InvalidArgument("payload {name} must be an integer of {width} bits, got {value}",
                                      name=name, width=width, value=repr(value))

    @classmethod
    def of(cls, label: Label) -> Payload:
        """The payload that stands for `label`."""
        return cls(int(label.kind.value), short_number(label.content_producer, _WIDTHS["producer"]),
                   short_number(label.produce_id, _WIDTHS["content"]))

    @classmethod
    def from_int(cls, value: int) -> Payload:
        """The payload whose 64 bits are `value`, 0 to 2^64 - 1; raises InvalidArgument for other values."""
        if not isinstance(value, int) or not 0 <= value < 1 << 64:
            raise InvalidArgument("a payload is an integer of 64 bits, got {value}", value=repr(value))
        return cls(version=value >> 61, kind=value >> 59 & 3, producer=value >> 35 & 0xFFFFFF,
                   content=value & 0x7FFFFFFFF)

    @classmethod
    def from_bytes(cls, raw: bytes) -> Payload:
        """The payload in 8 bytes, big-endian; raises InvalidArgument for other lengths."""
        if not isinstance(raw, bytes | bytearray) or len(raw) != 8:
            raise InvalidArgument("a payload is 8 bytes, got {got}", got=repr(raw))
        return cls.from_int(int.from_bytes(raw, "big"))

    def __int__(self) -> int:
        return self.version << 61 | self.kind << 59 | self.producer << 35 | self.content

    def to_bytes(self) -> bytes:
        """8 bytes, big-endian."""
        return int(self).to_bytes(8, "big")

    @property
    def hex(self) -> str:
        """The 64 bits as 16 hexadecimal digits."""
        return self.to_bytes().hex()

    @property
    def is_known(self) -> bool:
        """Whether this labelkit writes this version and kind."""
        return self.version == VERSION and self.kind in {int(kind.value) for kind in Kind}

    def matches(self, label: Label) -> bool:
        """Whether producer and content number are those of `label`; the kind may have been raised since."""
        meant = Payload.of(label)
        return (self.producer, self.content) == (meant.producer, meant.content)


def short_number(text: str, bits: int) -> int:
    """The first `bits` bits, 1 to 64, of SHA-256 of the UTF-8 text."""
    return int.from_bytes(hashlib.sha256(text.encode("utf-8")).digest()[:8], "big") >> (64 - bits)
