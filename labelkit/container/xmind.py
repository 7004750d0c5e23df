# SPDX-License-Identifier: Apache-2.0
"""XMind: the label is AIGC in the metadata of the archive: a member of metadata.json, in files of XMind 8 an element of
meta.xml. The guide for texts names XMind, and no place in it (TC260-PG-20258A).
"""

from __future__ import annotations

import functools
import json
from dataclasses import dataclass

from labelkit.container import archive, jsontext, markup
from labelkit.container.base import TEXT, Changes, Format, Layout, Patch, Reader, Slot
from labelkit.container.jsontext import Object
from labelkit.container.markup import Element
from labelkit.errors import LabelkitError
from labelkit.messages import Message

FORMATS = (Format("xmind", "application/vnd.xmind.workbook", "document", TEXT),)

_METADATA, _SHEETS = "metadata.json", "content.json"
_OLD_METADATA, _OLD_SHEETS, _OLD_LIST = "meta.xml", "content.xml", "META-INF/manifest.xml"
_NEW_METADATA = (b'<?xml version="1.0" encoding="UTF-8"?><meta xmlns="urn:xmind:xmap:xmlns:meta:2.0" version="2.0">'
                 b"</meta>")


@dataclass(slots=True)
class _Map:
    """The archive, and its metadata as text and as an object."""

    archive: archive.Archive
    text: str
    metadata: Object


@dataclass(slots=True)
class _OldMap:
    """The archive of XMind 8, and its metadata and the root of these."""

    archive: archive.Archive
    data: bytes
    root: Element


def sniff(reader: Reader, head: bytes) -> Format | None:
    """An archive of sheets and metadata in JSON, or of sheets in XML that are a workbook's."""
    if head[:4] != b"PK\x03\x04":
        return None
    members = archive.read(reader)
    if _SHEETS in members.members:
        return FORMATS[0] if _METADATA in members.members else None
    if _OLD_SHEETS not in members.members or "mimetype" in members.members:
        return None
    try:
        return FORMATS[0] if b"<xmap-content" in archive.unpacked(reader, members, _OLD_SHEETS)[:512] else None
    except LabelkitError:
        return None


def sheets_of(held: archive.Archive) -> str:
    """The member that holds the sheets."""
    return _SHEETS if _SHEETS in held.members else _OLD_SHEETS


def scan(reader: Reader, found: Format) -> Layout[_Map | _OldMap, Element | None]:
    """The members of the metadata that are strings; raises MalformedFile and its children."""
    held = archive.read(reader)
    if _SHEETS not in held.members:
        return _scan_old(reader, found, held)
    try:
        text = archive.unpacked(reader, held, _METADATA).decode("utf-8")
        metadata = jsontext.object_at(text, 1 if text.startswith("\ufeff") else 0)
    except (UnicodeDecodeError, jsontext.NoObject) as error:
        problem = Message("{name} is no JSON object", name=_METADATA)
        raise reader.malformed("archive", held.directory, problem) from error
    layout: Layout[_Map | _OldMap, Element | None] = Layout(found, [], _Map(held, text, metadata))
    for name, one in metadata.members.items():
        body = one.value if isinstance(one.value, str) else json.dumps(one.value, ensure_ascii=False)
        layout.slots.append(_slot(held, _METADATA, body, name, None))
    return layout


def patches(reader: Reader, layout: Layout[_Map | _OldMap, Element | None], changes: Changes[Element | None],
            fresh: bytes | None) -> list[Patch]:
    """The patches for the metadata, with the directory that follows them."""
    held = layout.state
    if not changes and fresh is None:
        return []
    if isinstance(held, _OldMap):
        return archive.replaced(reader, held.archive, _old_members(reader, held, changes, fresh))
    text = held.metadata.edited(held.text, {slot.key: None if body is None else body.decode()
                                            for slot, body in changes.items()})
    if fresh is not None:
        start = 1 if text.startswith("\ufeff") else 0
        text = jsontext.changed(text, [jsontext.object_at(text, start).adding("AIGC", fresh.decode())])
    return archive.replaced(reader, held.archive, {_METADATA: text.encode()})


def _slot(held: archive.Archive, part: str, body: str, key: str, state: Element | None) -> Slot[Element | None]:
    member = held.members[part]
    return Slot(TEXT, part, member.start, member.stop - member.start,
                functools.partial(str.encode, body, "utf-8", "replace"), state, key)


def _scan_old(reader: Reader, found: Format, held: archive.Archive) -> Layout[_Map | _OldMap, Element | None]:
    """The elements under the root of meta.xml, which may be missing."""
    is_there = _OLD_METADATA in held.members
    data = archive.unpacked(reader, held, _OLD_METADATA) if is_there else _NEW_METADATA
    elements = markup.parse(data, _OLD_METADATA)
    root = elements[0]
    layout: Layout[_Map | _OldMap, Element | None] = Layout(found, [], _OldMap(held, data, root))
    layout.slots += [_slot(held, _OLD_METADATA, markup.text_of(elements, one), one.local, one)
                     for one in elements if one.parent is root]
    return layout


def _old_members(reader: Reader, held: _OldMap, changes: Changes[Element | None],
                 fresh: bytes | None) -> dict[str, bytes]:
    """The members of a file of XMind 8 that a change writes: meta.xml, and where it is new the list of members."""
    cuts = [(slot.state.start, slot.state.stop, b"" if body is None else _element(body))
            for slot, body in changes.items() if slot.state]
    if fresh is not None:
        cuts.append(markup.append_to(held.data, held.root, _element(fresh)))
    new = {_OLD_METADATA: markup.changed(held.data, cuts)}
    if _OLD_METADATA not in held.archive.members and _OLD_LIST in held.archive.members:
        listed = archive.unpacked(reader, held.archive, _OLD_LIST)
        row = b'<file-entry full-path="%b" media-type="text/xml"/>' % _OLD_METADATA.encode()
        new[_OLD_LIST] = markup.changed(listed, [markup.append_to(listed, markup.parse(listed, _OLD_LIST)[0], row)])
    return new


def _element(body: bytes) -> bytes:
    return b"<AIGC>" + markup.escaped(body.decode()).encode() + b"</AIGC>"
