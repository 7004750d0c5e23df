# SPDX-License-Identifier: Apache-2.0
"""What of an AVIF Pillow neither tells nor writes: depth, colour description, gain map (AV1-ISOBMFF 2.3; H.273).

Pillow reads and writes 8 bits a sample and describes every picture as sRGB. Primaries and transfer of 8 bits are put
back; more bits, HDR and gain maps are refused.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from labelkit.container import Reader, bmff, mp4tracks
from labelkit.errors import UnsupportedFormat

_HDR = {16: "PQ", 18: "HLG"}
_UNSAID = 2  # H.273: unspecified
_GAIN_MAP = b"tmap"
_COLOUR = 11  # bytes of a colr box of type nclx: type, primaries, transfer, matrix, range


@dataclass(frozen=True, slots=True)
class Depiction:
    """Bits of a sample; primaries and transfer as H.273 numbers them, 2 where unsaid; whether there is a gain map."""

    bits: int = 8
    primaries: int = _UNSAID
    transfer: int = _UNSAID
    has_gain_map: bool = False


def depiction(data: bytes) -> Depiction:
    """What an AVIF, still or moving, says of its samples."""
    reader = Reader.of(data)
    bits, primaries, transfer = 8, _UNSAID, _UNSAID
    for kind, body in _properties(reader):
        if kind == b"av1C" and len(body) >= 3 and body[2] & 0x40:
            bits = max(bits, 12 if body[2] & 0x20 else 10)
        elif kind == b"colr" and body[:4] == b"nclx" and len(body) >= _COLOUR and primaries == _UNSAID:
            primaries, transfer = int.from_bytes(body[4:6], "big"), int.from_bytes(body[6:8], "big")
    size = int.from_bytes(data[:4], "big")
    return Depiction(bits, primaries, transfer, _GAIN_MAP in data[8:min(size, 1024)])


def check(source: bytes) -> Depiction:
    """The depiction of an AVIF whose pixels are written anew; raises UnsupportedFormat where they would suffer."""
    found = depiction(source)
    if found.bits > 8 or found.transfer in _HDR:
        raise UnsupportedFormat("an AVIF of {bits} bits a sample, {transfer}, cannot be written again without loss",
                                bits=found.bits, transfer=_HDR.get(found.transfer, "SDR"),
                                hint="write the metadata alone, or convert it to PNG")
    if found.has_gain_map:
        raise UnsupportedFormat("an AVIF with a gain map cannot be written again without losing it",
                                hint="write the metadata alone, or convert it to a picture without one")
    return found


def described(encoded: bytes, found: Depiction) -> bytes:
    """An AVIF as Pillow wrote it, with the primaries and transfer of `found`, where that tells them."""
    if _UNSAID in (found.primaries, found.transfer):
        return encoded
    made, at = bytearray(encoded), encoded.find(b"colrnclx")
    while at >= 0 and at < len(encoded) - 16:
        made[at + 8:at + 12] = found.primaries.to_bytes(2, "big") + found.transfer.to_bytes(2, "big")
        at = encoded.find(b"colrnclx", at + 8)
    return bytes(made)


def _properties(reader: Reader) -> Iterator[tuple[bytes, bytes]]:
    """Type and body of what describes the items of a still and the frames of a moving picture."""
    for box in bmff.boxes(reader, 0, reader.size):
        if box.kind == b"meta":
            for level in _inside(reader, bmff.meta_children(reader, box), b"iprp", b"ipco"):
                yield level.kind, reader.at(level.body, min(level.end - level.body, 64), "box ipco")
    for entry in mp4tracks.sample_entries(reader):
        for kind in (b"av1C", b"colr"):
            at = entry.find(kind, mp4tracks.VISUAL_ENTRY)
            if at >= 0:
                yield kind, entry[at + 4:at + 68]


def _inside(reader: Reader, level: list[bmff.Box], *path: bytes) -> list[bmff.Box]:
    for kind in path:
        level = [child for box in level if box.kind == kind for child in bmff.children(reader, box)]
    return level
