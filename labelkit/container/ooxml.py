# SPDX-License-Identifier: Apache-2.0
"""DOCX, XLSX, PPTX and their templates: the label is the custom property AIGC (TC260-PG-20258A, 6.1; ECMA-376-2).

Members of the archive that do not change keep their compressed bytes (`archive`).
"""

from __future__ import annotations

import functools
from dataclasses import dataclass

from labelkit.container import archive, markup
from labelkit.container.base import TEXT, Changes, Format, Layout, Patch, Reader, Slot
from labelkit.container.markup import Element
from labelkit.messages import Message

_MIME = "application/vnd.openxmlformats-officedocument."
FORMATS = (Format("docx", _MIME + "wordprocessingml.document", "document", TEXT),
           Format("xlsx", _MIME + "spreadsheetml.sheet", "document", TEXT),
           Format("pptx", _MIME + "presentationml.presentation", "document", TEXT))

_CUSTOM, _TYPES, _RELATIONS = "docProps/custom.xml", "[Content_Types].xml", "_rels/.rels"
_PROPERTIES = "http://schemas.openxmlformats.org/officeDocument/2006/custom-properties"
_STRICT = "http://purl.oclc.org/ooxml/officeDocument/customProperties"  # ISO/IEC 29500-1, strict
_RELATION_TYPE = b"http://schemas.openxmlformats.org/officeDocument/2006/relationships/custom-properties"
_CONTENT_TYPE = b"application/vnd.openxmlformats-officedocument.custom-properties+xml"
_FORMAT_ID = "{D5CDD505-2E9C-101B-9397-08002B2CF9AE}"
_VALUES = "http://schemas.openxmlformats.org/officeDocument/2006/docPropsVTypes"
_EMPTY = (f'<?xml version="1.0" encoding="UTF-8" standalone="yes"?>\n<Properties xmlns="{_PROPERTIES}" '
          f'xmlns:vt="{_VALUES}"></Properties>').encode()


@dataclass(slots=True)
class _Package:
    """The archive, and its custom properties as they stand."""

    archive: archive.Archive
    custom: bytes = b""


def sniff(reader: Reader, head: bytes) -> Format | None:
    """An OOXML document, by the folder of its main part."""
    if head[:4] != b"PK\x03\x04":
        return None
    members = archive.read(reader).members
    if _TYPES not in members:
        return None
    for folder, found in (("word/", FORMATS[0]), ("xl/", FORMATS[1]), ("ppt/", FORMATS[2])):
        if any(name.startswith(folder) for name in members):
            return found
    return None


def scan(reader: Reader, found: Format) -> Layout[_Package, Element]:
    """The custom properties; raises MalformedFile and its children."""
    package = _Package(archive.read(reader))
    layout: Layout[_Package, Element] = Layout(found, [], package)
    member = package.archive.members.get(_CUSTOM)
    if member:
        package.custom = archive.unpacked(reader, package.archive, _CUSTOM)
        elements = markup.parse(package.custom, _CUSTOM)
        for element in elements:
            own = element.namespace in (_PROPERTIES, _STRICT)  # others are read by other readers, and named
            if element.local == "property" and "name" in element.attributes and element.parent is elements[0]:
                text = markup.text_of(elements, element).encode("utf-8", "replace")
                layout.slots.append(Slot(TEXT, "custom.xml", member.start, member.stop - member.start,
                                         functools.partial(bytes, text), element, element.attributes["name"],
                                         home=own, another=not own))
    return layout


def patches(reader: Reader, layout: Layout[_Package, Element], changes: Changes[Element],
            fresh: bytes | None) -> list[Patch]:
    """The patches for new properties, with the directory that follows them."""
    package = layout.state
    if not changes and fresh is None:
        return []
    refuse_signed(reader, package.archive)
    new = {_CUSTOM: _properties(package.custom or _EMPTY, changes, fresh)}
    for name, make in ((_TYPES, _with_type), (_RELATIONS, _with_relation)):
        if name not in package.archive.members:
            raise reader.malformed("archive", package.archive.directory,
                                   Message("there is no member {name}", name=name))
        old = archive.unpacked(reader, package.archive, name)
        text = make(old)
        if text != old:
            new[name] = text
    return archive.replaced(reader, package.archive, new)


def refuse_signed(reader: Reader, found: archive.Archive) -> None:
    """Raise UnsupportedFormat for a document with a signature, which any change would break."""
    if any(name.startswith("_xmlsignatures/") for name in found.members):
        raise archive.signed(reader)


def _properties(data: bytes, changes: Changes[Element], fresh: bytes | None) -> bytes:
    """The custom properties with new values; a fresh one gets the next free number, 2 or more."""
    cuts = []
    for slot, body in changes.items():
        element = slot.state
        number = element.attributes.get("pid", "2")
        cuts.append((element.start, element.stop, b"" if body is None else _property(body, number)))
    elements = markup.parse(data, _CUSTOM)
    if fresh is not None:
        numbers = [int(number) for one in elements if (number := one.attributes.get("pid", "")).isdecimal()]
        cuts.append(markup.append_to(data, elements[0], _property(fresh, str(max([1, *numbers]) + 1))))
    return markup.changed(data, cuts)


def _property(body: bytes, number: str) -> bytes:
    return (f'<property xmlns="{_PROPERTIES}" fmtid="{_FORMAT_ID}" pid="{markup.escaped(number)}" name="AIGC">'
            f'<vt:lpwstr xmlns:vt="{_VALUES}">{markup.escaped(body.decode())}</vt:lpwstr></property>').encode()


def _with_type(data: bytes) -> bytes:
    """The list of content types, with that of the custom properties."""
    elements = markup.parse(data, _TYPES)
    if any(one.attributes.get("PartName") == "/" + _CUSTOM for one in elements):
        return data
    row = b'<Override xmlns="%s" PartName="/%s" ContentType="%s"/>' % (
        elements[0].namespace.encode(), _CUSTOM.encode(), _CONTENT_TYPE)
    return markup.changed(data, [markup.append_to(data, elements[0], row)])


def _with_relation(data: bytes) -> bytes:
    """The package's relationships, with that of the custom properties."""
    elements = markup.parse(data, _RELATIONS)
    if any(one.attributes.get("Type", "").endswith("/custom-properties") for one in elements):
        return data
    used = {one.attributes.get("Id") for one in elements}
    name = next(name for number in range(1, len(elements) + 2) if (name := f"rId{number}") not in used)
    row = b'<Relationship xmlns="%s" Id="%s" Type="%s" Target="%s"/>' % (
        elements[0].namespace.encode(), name.encode(), _RELATION_TYPE, _CUSTOM.encode())
    return markup.changed(data, [markup.append_to(data, elements[0], row)])


