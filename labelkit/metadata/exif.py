# SPDX-License-Identifier: Apache-2.0
"""EXIF as a home of labels: values of ImageDescription and UserComment, read and blanked in place (Exif 3.0, 4.6)."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass

from labelkit.container.base import Reader
from labelkit.container.tiff import ARTIST, CHARSETS, IMAGE_DESCRIPTION, SOFTWARE, USER_COMMENT, entries
from labelkit.errors import LabelkitError, LimitExceeded
from labelkit.metadata import aigc

_NAMES = {IMAGE_DESCRIPTION: "ImageDescription", USER_COMMENT: "UserComment", SOFTWARE: "Software", ARTIST: "Artist"}
_MAX_VALUE = 1 << 20
_LEAD = b"Exif\0\0"


@dataclass(slots=True)
class Value:
    """A text of the EXIF block: its tag's name, and where its characters lie in the block."""

    name: str
    text: bytes
    start: int


def values(block: bytes, passed: list[LabelkitError] | None = None) -> Iterator[Value]:
    """The texts that can hold a label or a generator's name; stops where the block breaks off.

    passed  gets an error for what is longer than is read
    Some writers keep JPEG's "Exif" in front of the block in other formats.
    """
    lead = len(_LEAD) if block.startswith(_LEAD) else 0
    reader = Reader.of(block[lead:], "EXIF")
    try:
        for entry in entries(reader):
            if entry.tag in _NAMES and entry.length_bytes > _MAX_VALUE:
                if passed is not None and entry.offset_bytes + entry.length_bytes <= reader.size:
                    passed.append(LimitExceeded("the {what} has {claimed} bytes, at most {limit} are read",
                                                what=_NAMES[entry.tag], claimed=entry.length_bytes, limit=_MAX_VALUE))
            elif entry.tag in _NAMES:
                raw = entry.value(reader)
                skip = 8 if entry.tag == USER_COMMENT and raw[:8] in CHARSETS else 0
                yield Value(_NAMES[entry.tag], raw[skip:], lead + entry.offset_bytes + skip)
    except LimitExceeded as error:
        if passed is not None:
            passed.append(error)
    except LabelkitError:
        return  # what was read before the break still counts


def blank(block: bytes) -> bytes:
    """The block with every label in it overwritten by zeros, of the same length, nothing moved.

    An empty ImageDescription or UserComment is what cameras write too. Members beside "AIGC" in a JSON text are kept.
    """
    out = bytearray(block)
    for value in values(block):
        try:
            aigc.read(value.text)
        except LabelkitError:
            continue
        out[value.start:value.start + len(value.text)] = _without_label(value.text).ljust(len(value.text), b"\0")
    return bytes(out)


def _without_label(text: bytes) -> bytes:
    """What stands beside the label in the same JSON object, or nothing."""
    try:
        members = json.loads(text.rstrip(b"\0 "))
    except (ValueError, RecursionError):
        return b""
    rest = {name: member for name, member in members.items() if name.lower() != "aigc"} if type(members) is dict else {}
    if not rest or len(rest) == len(members):
        return b""
    kept = json.dumps(rest, separators=(",", ":")).encode()
    return kept if len(kept) <= len(text) else b""
