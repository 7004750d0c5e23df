# SPDX-License-Identifier: Apache-2.0
"""Formats in which no standard or guide gives a label a place: told by their first bytes; many can still be decoded.

A watermark and an explicit label survive the conversion into one of these; what the file says of itself is not read.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from labelkit.container.base import Format, Reader
from labelkit.errors import UnsupportedFormat

_ASF_VIDEO = bytes.fromhex("c0ef19bc4d5bcf11a8fd00805f5c442b")  # type of a stream of pictures (ASF 1.20, 10.2)
_ASF_HEAD = 1 << 16  # bytes in which its streams are described
_TGA_FOOTER = b"TRUEVISION-XFILE.\0"
_EAC3 = range(11, 17)  # bsid (ETSI TS 102 366, E.1.3.1.6)


@dataclass(frozen=True, slots=True)
class Unsupported:
    """A format that cannot be labelled.

    start   pattern of its first bytes
    name    for people
    others  the formats that hold the same and a label, for people
    format  where it can be decoded
    """

    start: re.Pattern[bytes]
    name: str
    others: str
    format: Format | None = None


def _known(start: bytes, name: str, others: str, short: str = "", mime: str = "") -> Unsupported:
    family = mime.partition("/")[0]
    format = Format(short, mime, family, "", writable=False) if short else None
    return Unsupported(re.compile(start, re.DOTALL), name, others, format)


_TGA = _known(rb"(?!)", "TGA", "PNG", "tga", "image/x-tga")  # has no first bytes of its own
_WMV = _known(rb"\x30\x26\xb2\x75\x8e\x66\xcf\x11", "ASF (WMA, WMV)", "M4A, MP4", "wmv", "video/x-ms-wmv")
_WMA = _known(rb"(?!)", "ASF (WMA, WMV)", "M4A, MP4", "wma", "audio/x-ms-wma")
_AC3 = _known(rb"\x0b\x77", "AC-3", "M4A", "ac3", "audio/ac3")
_EAC3_SOUND = _known(rb"(?!)", "E-AC-3", "M4A", "eac3", "audio/eac3")
_ALL = (
    _known(rb"BM.{4}\x00{4}", "BMP", "PNG", "bmp", "image/bmp"),
    _known(rb"\x00\x00\x01\x00", "ICO", "PNG", "ico", "image/x-icon"),
    _known(rb"P[1-6]\s+(?:#[^\n]*\n\s*)*\d+\s+(?:#[^\n]*\n\s*)*\d+\s", "PBM, PGM, PPM", "PNG", "ppm",
           "image/x-portable-anymap"),
    _known(rb"8BPS", "PSD", "TIFF"),
    _known(rb"\xff\x4f\xff\x51", "JPEG 2000 without boxes", "JPEG, PNG", "jp2", "image/jp2"),
    _known(rb"\xff[\xf0\xf1\xf8\xf9]", "AAC (ADTS) that does not go on", "M4A", "aac", "audio/aac"),
    _known(rb"#!AMR", "AMR", "M4A", "amr", "audio/amr"),
    _known(rb"\.snd.{4}", "AU", "WAV, FLAC", "au", "audio/basic"),
    _known(rb"riff\x2e\x91\xcf\x11", "Wave64", "RF64", "w64", "audio/x-w64"),
    _AC3, _EAC3_SOUND, _WMV, _WMA,
    _known(rb"\x00\x00\x01\xba", "MPEG-PS", "MP4", "mpg", "video/mpeg"),
    _known(rb"G.{187}G|.{4}G.{191}G.{191}G", "MPEG-TS", "MP4", "ts", "video/mp2t"),
    _known(rb"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "DOC, XLS, PPT", "DOCX, XLSX, PPTX"),
    _TGA,
)
HEAD = 4 + 2 * 192 + 1  # first bytes that are read: three packets of M2TS
FORMATS = tuple(one.format for one in _ALL if one.format)


def sniff(reader: Reader) -> Unsupported | None:
    """The format of a file that no module of this room knows; None where it is none of these either."""
    head = reader.head(HEAD)
    found = next((one for one in _ALL if one.start.match(head)), None)
    if found is _WMV and _ASF_VIDEO not in reader.head(_ASF_HEAD):
        return _WMA
    if found is _AC3 and len(head) > 5 and head[5] >> 3 in _EAC3:
        return _EAC3_SOUND
    return found or (_TGA if _is_tga(reader, head) else None)


def refusal(reader: Reader, one: Unsupported) -> UnsupportedFormat:
    """The error for a label that such a file cannot be given."""
    return UnsupportedFormat("{where}: {format} has no place that a standard or guide gives to a label",
                             where=reader.name, format=one.name, other=one.others,
                             hint="convert the file to {other}, then label it")


def of_format(format: Format) -> Unsupported:
    """The entry of a format that can be decoded."""
    return next(one for one in _ALL if one.format == format)


def _is_tga(reader: Reader, head: bytes) -> bool:
    """By the footer of version 2, else by a header in which everything is possible and the size is right."""
    if len(head) < 18:
        return False
    kind, depth, size = head[2], head[16], int.from_bytes(head[12:14], "little") * int.from_bytes(head[14:16], "little")
    possible = head[1] < 2 and not head[17] & 0xC0 and size > 0 and (kind, head[1]) != (1, 0) and (
        depth in {1: (8,), 2: (15, 16, 24, 32), 3: (8, 16)}.get(kind & ~8, ()))
    if not possible or kind & ~11:
        return False
    if reader.size >= 26 and reader.at(reader.size - 18, 18) == _TGA_FOOTER:
        return True
    return head[1] == 0 and not any(head[3:8]) and (kind >= 8 or reader.size >= 18 + size * ((depth + 7) // 8))
