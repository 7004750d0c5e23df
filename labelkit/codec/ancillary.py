# SPDX-License-Identifier: Apache-2.0
"""Copies what is not pixels from the source file into the re-encoded one, byte for byte.

Copied: colour profiles, EXIF, XMP, resolution, texts, times, comments, unknown application data.
Changed: the EXIF and XMP orientation becomes 1, the EXIF size that of the picture.
Left out, because the new pixels make them wrong: thumbnails, palettes and single transparent colours,
and C2PA manifests, which the provenance layer answers for. What cannot be read of a broken file is left out too.
Of the pictures behind the first of a JPEG, `mpf` keeps the gain maps.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress

from labelkit.codec import exif, mpf, png
from labelkit.container import Reader, jpeg as container_jpeg
from labelkit.container.jpeg import APP0, APP1, APP15, COM, EXIF_HEADER
from labelkit.container.jpegxmp import HEADER as XMP_HEADER
from labelkit.container.png import SIGNATURE, XMP_KEY, chunk
from labelkit.errors import LabelkitError

_DHT = 0xC4
_ICC = b"ICC_PROFILE\0"
_DROPPED = {0xE2: b"MPF\0", 0xEB: b"JP", 0xEE: b"Adobe"}
# chunks whose upper-case fourth letter warns that they may depend on the pixels, and that do not
_PNG_UNSAFE_KEPT = {b"gAMA", b"cHRM", b"sRGB", b"iCCP", b"cICP", b"mDCV", b"cLLI", b"tIME"}
_PNG_COLOUR = {b"iCCP", b"cICP"}  # profiles of grey do not fit colour


def jpeg(source: bytes, encoded: bytes, width: int, height: int, *, same_colour: bool) -> bytes:
    """`encoded` with the segments of `source`; `same_colour` is False where grey became colour."""
    ours = list(_segments(encoded))
    kept = [_segment(source, marker, start, stop, width, height) for marker, start, stop in _segments(source)
            if _is_kept(source, marker, start, stop, same_colour)]
    start, stop = next(((start, stop) for marker, start, stop in ours if marker == APP0), (2, 2))
    density = _density(source) or encoded[start:stop]
    behind = mpf.behind(source)
    head, table = b"".join((encoded[:start], density, *kept)), mpf.table(source, behind)
    made = head + table + encoded[stop:]
    return (mpf.placed(made, table, len(head)) if table else made) + behind


def has_own_codes(data: bytes) -> bool:
    """Whether a JPEG's Huffman tables were made for it: the common AC tables of ITU-T T.81 K.3 have 162 codes each."""
    for marker, start, stop in _segments(data):
        at = start + 4
        while marker == _DHT and at + 17 <= stop:
            codes = sum(data[at + 1:at + 17])
            if data[at] >= 16 and codes != 162:
                return True
            at += 17 + codes
    return False


def _density(data: bytes) -> bytes:
    """The JFIF segment without its thumbnail, which shows the unlabelled picture."""
    for marker, start, stop in _segments(data):
        if marker == APP0 and data[start + 4:start + 9] == b"JFIF\0" and stop - start >= 18:
            return b"\xff\xe0\0\x10" + data[start + 4:start + 16] + b"\0\0"
    return b""


def _segments(data: bytes) -> Iterator[tuple[int, int, int]]:
    """(marker, start, stop) of each segment before the first scan, as far as they can be read."""
    with suppress(LabelkitError):
        for marker, start, body, length in container_jpeg.segments(Reader.of(data)):
            yield marker, start, body + length


def _is_kept(data: bytes, marker: int, start: int, stop: int, same_colour: bool) -> bool:
    body = data[start + 4:min(stop, start + 16)]
    if marker == COM:
        return True
    if not APP1 <= marker <= APP15 or body.startswith(_DROPPED.get(marker, b"\0never")):
        return False
    return same_colour or not body.startswith(_ICC)


def _segment(data: bytes, marker: int, start: int, stop: int, width: int, height: int) -> bytes:
    segment = data[start:stop]
    body = segment[4:]
    if marker == APP1 and body.startswith(EXIF_HEADER):
        return segment[:4] + exif.describe_upright(body, width, height)
    if marker == APP1 and body.startswith(XMP_HEADER):
        return segment[:4] + exif.xmp_upright(body)
    return segment


def png_chunks(source: bytes, encoded: bytes, width: int, height: int, *, same_colour: bool) -> bytes:
    """`encoded` with the ancillary chunks of `source`, before or after the pixels as they were."""
    before: list[bytes] = []
    after: list[bytes] = []
    side = before
    for kind, start, stop in png.chunks(source):
        if kind == b"IDAT":
            side = after
        elif _is_kept_chunk(kind, same_colour):
            side.append(_upright_chunk(source, kind, start, stop, width, height))
    head = len(SIGNATURE) + 25
    return b"".join((encoded[:head], *before, encoded[head:-12], *after, encoded[-12:]))


def _is_kept_chunk(kind: bytes, same_colour: bool) -> bool:
    if kind in _PNG_COLOUR:
        return same_colour
    ancillary, safe = bool(kind[0] & 32), bool(kind[3] & 32)
    return ancillary and (safe or kind in _PNG_UNSAFE_KEPT)


def _upright_chunk(data: bytes, kind: bytes, start: int, stop: int, width: int, height: int) -> bytes:
    body = data[start + 8:stop - 4]
    if kind == b"eXIf":
        return chunk(kind, exif.describe_upright(body, width, height))
    if kind == b"iTXt" and body.startswith(XMP_KEY.encode() + b"\0\0"):
        return chunk(kind, exif.xmp_upright(body))
    return data[start:stop]
