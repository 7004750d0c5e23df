# SPDX-License-Identifier: Apache-2.0
"""OFD: the label is a custom datum called AIGC of the document's information (GB/T 33190-2016, 7.4). The guide for
texts names OFD, and no place in it (TC260-PG-20258A).
"""

from __future__ import annotations

import functools
from dataclasses import dataclass

from labelkit.container import archive, markup
from labelkit.container.base import TEXT, Changes, Format, Layout, Patch, Reader, Slot
from labelkit.container.markup import Element
from labelkit.messages import Message

FORMATS = (Format("ofd", "application/ofd", "document", TEXT),)

_ROOT = "OFD.xml"


@dataclass(slots=True)
class _Package:
    """The archive, its main member, the information of its first document, and what holds its custom data."""

    archive: archive.Archive
    data: bytes
    info: Element
    customs: Element | None
    is_signed: bool


def sniff(reader: Reader, head: bytes) -> Format | None:
    """An archive with the main member of OFD."""
    return FORMATS[0] if head[:4] == b"PK\x03\x04" and _ROOT in archive.read(reader).members else None


def scan(reader: Reader, found: Format) -> Layout[_Package, Element]:
    """The custom data of the documents; raises MalformedFile and its children."""
    members = archive.read(reader)
    data = archive.unpacked(reader, members, _ROOT)
    elements = markup.parse(data, _ROOT)
    info = next((one for one in elements if one.local == "DocInfo"), None)
    if info is None:
        raise reader.malformed("archive", members.directory, Message("there is no metadata in {name}", name=_ROOT))
    customs = next((one for one in elements if one.local == "CustomDatas" and one.parent is info), None)
    is_signed = any(one.local == "Signatures" for one in elements)
    layout: Layout[_Package, Element] = Layout(found, [], _Package(members, data, info, customs, is_signed))
    member = members.members[_ROOT]
    for one in elements:
        name = one.attributes.get("Name") if one.local == "CustomData" else None
        if name:
            text = markup.text_of(elements, one).encode("utf-8", "replace")
            layout.slots.append(Slot(TEXT, _ROOT, member.start, member.stop - member.start,
                                     functools.partial(bytes, text), one, name))
    return layout


def patches(reader: Reader, layout: Layout[_Package, Element], changes: Changes[Element],
            fresh: bytes | None) -> list[Patch]:
    """The patches for new custom data, with the directory that follows them; raises UnsupportedFormat if signed."""
    package = layout.state
    if not changes and fresh is None:
        return []
    if package.is_signed:
        raise archive.signed(reader)
    cuts = [(slot.state.start, slot.state.stop, b"" if body is None else _datum(package, body))
            for slot, body in changes.items()]
    if fresh is not None:
        datum = _datum(package, fresh)
        if package.customs:
            cuts.append(markup.append_to(package.data, package.customs, datum))
        else:
            cuts.append(markup.append_to(package.data, package.info, _element(package, "CustomDatas", "", datum)))
    return archive.replaced(reader, package.archive, {_ROOT: markup.changed(package.data, cuts)})


def _datum(package: _Package, body: bytes) -> bytes:
    return _element(package, "CustomData", ' Name="AIGC"', markup.escaped(body.decode()).encode())


def _element(package: _Package, name: str, attributes: str, content: bytes) -> bytes:
    """An element with the prefix of the information: some readers know the usual one alone, whatever is declared."""
    prefix = package.info.raw_name(package.data)[:-len(package.info.local)]
    return b"<%b%b%b>" % (prefix, name.encode(), attributes.encode()) + content + b"</%b%b>" % (prefix, name.encode())
