# SPDX-License-Identifier: Apache-2.0
"""ODT, ODS, ODP and EPUB: archives that begin with their media type. No guide names a place for the label in them.

In OpenDocument it is a user-defined field called AIGC of the metadata (ODF 1.3, 4.3.3.9), which is what a custom
property is in Office; in EPUB a meta element of that name in the package document (EPUB 3.3, 5.5.6; EPUB 2 readers know
no other).
"""

from __future__ import annotations

import functools
from dataclasses import dataclass

from labelkit.container import archive, markup
from labelkit.container.base import TEXT, Changes, Format, Layout, Patch, Reader, Slot
from labelkit.container.markup import Element
from labelkit.messages import Message

_ODF = "application/vnd.oasis.opendocument."
FORMATS = (Format("odt", _ODF + "text", "document", TEXT), Format("ods", _ODF + "spreadsheet", "document", TEXT),
           Format("odp", _ODF + "presentation", "document", TEXT),
           Format("epub", "application/epub+zip", "document", TEXT))

_META, _CONTAINER = "meta.xml", "META-INF/container.xml"
_META_NAMESPACE = "urn:oasis:names:tc:opendocument:xmlns:meta:1.0"
_SIGNATURES = ("META-INF/documentsignatures.xml", "META-INF/signatures.xml")


@dataclass(slots=True)
class _Package:
    """The archive, the member that holds the fields, that member, and the element in it that holds them."""

    archive: archive.Archive
    name: str
    data: bytes
    holder: Element


def sniff(reader: Reader, head: bytes) -> Format | None:
    """An archive whose first member is called mimetype and says one of these."""
    if head[:4] != b"PK\x03\x04" or head[30:38] != b"mimetype":
        return None
    body = head[38:].lstrip(b"\0")
    found = [one for one in FORMATS if body.startswith(one.mime.encode())]
    return found[0] if found else None


def scan(reader: Reader, found: Format) -> Layout[_Package, Element]:
    """The fields of the metadata; raises MalformedFile and its children."""
    members = archive.read(reader)
    is_epub = found.name == "epub"
    name = package_document(reader, members) if is_epub else _META
    if name not in members.members:
        raise reader.malformed("archive", members.directory, Message("there is no member {name}", name=name))
    data = archive.unpacked(reader, members, name)
    elements = markup.parse(data, name)
    holder = next((one for one in elements if one.local == ("metadata" if is_epub else "meta")), None)
    if holder is None:
        raise reader.malformed("archive", members.directory, Message("there is no metadata in {name}", name=name))
    layout: Layout[_Package, Element] = Layout(found, [], _Package(members, name, data, holder))
    member = members.members[name]
    wanted = f"{holder.namespace}\nmeta".lstrip("\n") if is_epub else f"{_META_NAMESPACE}\nuser-defined"
    keyed = "name" if is_epub else f"{_META_NAMESPACE}\nname"
    for one in elements:
        if one.local != ("meta" if is_epub else "user-defined"):
            continue
        # other readers show those of other namespaces too; in EPUB `refines` makes it one of another element
        own = (one.name == wanted and one.parent is holder and "refines" not in one.attributes
               and (not is_epub or "content" in one.attributes))
        key = one.attributes.get(keyed, "") if own else _attribute(one, "name")
        if key:
            text = (markup.text_of(elements, one) if not is_epub else
                    one.attributes["content"] if own else _attribute(one, "content"))
            layout.slots.append(Slot(TEXT, name, member.start, member.stop - member.start,
                                     functools.partial(bytes, text.encode("utf-8", "replace")), one, key,
                                     home=own, another=not own))
    return layout


def package_document(reader: Reader, members: archive.Archive) -> str:
    """The path of an EPUB's package document, as its container says."""
    if _CONTAINER not in members.members:
        raise reader.malformed("archive", members.directory, Message("there is no member {name}", name=_CONTAINER))
    elements = markup.parse(archive.unpacked(reader, members, _CONTAINER), _CONTAINER)
    return next((_attribute(one, "full-path") for one in elements if one.local == "rootfile"), "")


def patches(reader: Reader, layout: Layout[_Package, Element], changes: Changes[Element],
            fresh: bytes | None) -> list[Patch]:
    """The patches for new fields, with the directory that follows them."""
    package = layout.state
    if not changes and fresh is None:
        return []
    refuse_signed(reader, package.archive)
    is_epub = layout.format.name == "epub"
    cuts = [(slot.state.start, slot.state.stop, b"" if body is None else _field(body, package, is_epub))
            for slot, body in changes.items()]
    if fresh is not None:
        cuts.append(markup.append_to(package.data, package.holder, _field(fresh, package, is_epub)))
    return archive.replaced(reader, package.archive, {package.name: markup.changed(package.data, cuts)})


def refuse_signed(reader: Reader, members: archive.Archive) -> None:
    """Raise UnsupportedFormat for a document with a signature, which any change would break."""
    if any(name in members.members for name in _SIGNATURES):
        raise archive.signed(reader)


def _field(body: bytes, package: _Package, is_epub: bool) -> bytes:
    if is_epub:
        from xml.sax.saxutils import quoteattr  # here: it loads HTTP and TLS
        namespace = package.holder.namespace
        return f'<meta xmlns={quoteattr(namespace)} name="AIGC" content={quoteattr(body.decode())}/>'.encode()
    return (f'<meta:user-defined xmlns:meta="{_META_NAMESPACE}" meta:name="AIGC" meta:value-type="string">'
            f'{markup.escaped(body.decode())}</meta:user-defined>').encode()


def _attribute(element: Element, local: str) -> str:
    return next((value for name, value in element.attributes.items() if name.rpartition("\n")[2] == local), "")
