# SPDX-License-Identifier: Apache-2.0
"""Texts inside chunks of a WAV in which no label belongs and some readers see one: bext (EBU Tech 3285), iXML, and the
notes of LIST adtl (RIFF 1991). One that goes is blanked in place, so that nothing moves.
"""

from __future__ import annotations

import functools
import html
import re
from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

from labelkit.container.base import TEXT, Layout, Patch, Reader, Slot
from labelkit.container.riff import Chunk, is_list, read_chunks
from labelkit.errors import LabelkitError
from labelkit.messages import Message

_BEXT = (("Description", 0, 256), ("Originator", 256, 288), ("OriginatorReference", 288, 320))
_HISTORY = 602  # bytes of bext before the coding history, which has any length
_NOTES = {b"labl": 4, b"note": 4, b"ltxt": 20}  # bytes before the text
_TOKEN = re.compile(rb"<(?:(!\[CDATA\[)|(/?)([A-Za-z_][\w:.-]*)[^<>]*>)")
_MAX_LEAVES = 1000  # elements with a text; recorders write some tens


class Span(NamedTuple):
    """The bytes of a text, and the byte that stands for nothing there."""

    start: int
    stop: int
    blank: bytes


def add(reader: Reader, layout: Layout[Any, Any], part: Chunk) -> None:
    """Add the texts of a chunk to a layout, if it is one of those that hold them."""
    try:
        if part.kind == b"bext":
            layout.slots += _bext(reader, part)
        elif part.kind == b"iXML":
            layout.slots += _xml(reader, layout, part)
        elif is_list(reader, part, b"adtl"):
            layout.slots += [_slot(reader, part, "adtl", one.kind.decode(), one.body + _NOTES[one.kind],
                                   one.body + one.length)
                             for one in read_chunks(reader, part.body + 4, part.body + part.length)
                             if one.kind in _NOTES and one.length > _NOTES[one.kind]]
    except LabelkitError as error:
        layout.skipped.append((part.kind.decode("latin-1"), part.start, error.message))


def patches(slots: Iterable[Slot[Any]]) -> Iterator[Patch]:
    """The patches that blank texts."""
    for slot in slots:
        span: Span = slot.state
        yield span.start, span.stop, span.blank * (span.stop - span.start)


def _slot(reader: Reader, part: Chunk, name: str, key: str, start: int, stop: int) -> Slot[Span]:
    def load() -> bytes:
        return reader.at(start, stop - start, name).split(b"\0")[0]
    return Slot(TEXT, name, start, stop - start, load, Span(start, stop, b"\0"), key, home=False)


def _bext(reader: Reader, part: Chunk) -> Iterator[Slot[Span]]:
    for key, start, stop in (*_BEXT, ("CodingHistory", _HISTORY, part.length)):
        if start < min(stop, part.length):
            yield _slot(reader, part, "bext", key, part.body + start, part.body + min(stop, part.length))


def _xml(reader: Reader, layout: Layout[Any, Any], part: Chunk) -> Iterator[Slot[Span]]:
    """The elements that hold a text alone; nothing else of the XML matters here."""
    body = reader.at(part.body, part.length, "iXML")
    for number, (name, start, stop, is_escaped) in enumerate(_leaves(body)):
        if number == _MAX_LEAVES:
            layout.skipped.append(("iXML", part.body + start, Message("more than {limit} texts", limit=_MAX_LEAVES)))
            return
        at, end = part.body + start, part.body + stop
        yield Slot(TEXT, "iXML", at, stop - start, functools.partial(_unescaped, body[start:stop], is_escaped),
                   Span(at, end, b" "), name.decode("utf-8", "replace"), home=False)


def _leaves(body: bytes) -> Iterator[tuple[bytes, int, int, bool]]:
    """(name, start and stop of the text, whether it is escaped) of each element; blank ones are left out.

    Every byte is passed once, whatever it is.
    """
    position, name, start, raw = 0, b"", 0, None
    while token := _TOKEN.search(body, position):
        position = token.end()
        if token[1]:
            stop = body.find(b"]]>", position)
            if stop < 0:
                return
            raw, position = (position, stop), stop + 3
        elif not token[2]:
            name, start, raw = token[3], position, None
        else:
            first, last = raw or (start, token.start())
            if token[3] == name and body[first:last].strip():
                yield name, first, last, raw is None
            name = b""


def _unescaped(text: bytes, is_escaped: bool) -> bytes:
    if not is_escaped:
        return text
    return html.unescape(text.decode("utf-8", "surrogateescape")).encode("utf-8", "replace")
