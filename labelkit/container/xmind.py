# SPDX-License-Identifier: Apache-2.0
"""XMind of 2020 and later: the label is AIGC in metadata.json of the archive. The guide for texts names XMind, and no
place in it (TC260-PG-20258A). Files of XMind 8, whose sheets are XML, are not written.
"""

from __future__ import annotations

import functools
import json
from dataclasses import dataclass

from labelkit.container import archive, jsontext
from labelkit.container.base import TEXT, Changes, Format, Layout, Patch, Reader, Slot
from labelkit.container.jsontext import Object
from labelkit.messages import Message

FORMATS = (Format("xmind", "application/vnd.xmind.workbook", "document", TEXT),)

_METADATA, _SHEETS = "metadata.json", "content.json"


@dataclass(slots=True)
class _Map:
    """The archive, and its metadata as text and as an object."""

    archive: archive.Archive
    text: str
    metadata: Object


def sniff(reader: Reader, head: bytes) -> Format | None:
    """An archive of sheets and metadata in JSON."""
    if head[:4] != b"PK\x03\x04":
        return None
    members = archive.read(reader).members
    return FORMATS[0] if _METADATA in members and _SHEETS in members else None


def scan(reader: Reader, found: Format) -> Layout[_Map, None]:
    """The members of the metadata that are strings; raises MalformedFile and its children."""
    held = archive.read(reader)
    try:
        text = archive.unpacked(reader, held, _METADATA).decode("utf-8")
        metadata = jsontext.object_at(text, 1 if text.startswith("\ufeff") else 0)
    except (UnicodeDecodeError, jsontext.NoObject) as error:
        problem = Message("{name} is no JSON object", name=_METADATA)
        raise reader.malformed("archive", held.directory, problem) from error
    layout: Layout[_Map, None] = Layout(found, [], _Map(held, text, metadata))
    member = held.members[_METADATA]
    for name, one in metadata.members.items():
        body = one.value if isinstance(one.value, str) else json.dumps(one.value, ensure_ascii=False)
        layout.slots.append(Slot(TEXT, _METADATA, member.start, member.stop - member.start,
                                 functools.partial(str.encode, body, "utf-8", "replace"), None, name))
    return layout


def patches(reader: Reader, layout: Layout[_Map, None], changes: Changes[None], fresh: bytes | None) -> list[Patch]:
    """The patches for the metadata, with the directory that follows them."""
    held = layout.state
    if not changes and fresh is None:
        return []
    text = held.metadata.edited(held.text, {slot.key: None if body is None else body.decode()
                                            for slot, body in changes.items()})
    if fresh is not None:
        start = 1 if text.startswith("\ufeff") else 0
        text = jsontext.changed(text, [jsontext.object_at(text, start).adding("AIGC", fresh.decode())])
    return archive.replaced(reader, held.archive, {_METADATA: text.encode()})
