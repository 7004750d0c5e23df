# SPDX-License-Identifier: Apache-2.0
"""XMP packets: find the AIGC property and put it there, leaving every other byte alone (ISO 16684-1).

Packets are parsed by expat only to learn where things lie; changes are cuts in the text. Declarations of entities are
refused. An SVG picture is a packet too: its label stands in its metadata element.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from xml.parsers import expat
from xml.sax.saxutils import escape

from labelkit.errors import LimitExceeded, MalformedFile

NAMESPACE = "http://www.tc260.org.cn/ns/AIGC/1.0/"  # TC260-PG-20259A
_RDF = "http://www.w3.org/1999/02/22-rdf-syntax-ns#"
_SVG = "http://www.w3.org/2000/svg"
_MAX_ELEMENTS = 200_000
_START_TAG = re.compile(rb"""<[^\s/>]+(?:\s+[^\s=>]+\s*=\s*(?:"[^"]*"|'[^']*'))*\s*/?>""")
_ATTRIBUTE = re.compile(rb"""\s+([^\s=>]+)\s*=\s*(?:"[^"]*"|'[^']*')""")
_ENCODINGS = ((b"\xef\xbb\xbf", "utf-8"), (b"\xff\xfe\0\0", "utf-32-le"), (b"\0\0\xfe\xff", "utf-32-be"),
              (b"\xff\xfe", "utf-16-le"), (b"\xfe\xff", "utf-16-be"))
_UNMARKED = ((b"<\0\0\0", "utf-32-le"), (b"\0\0\0<", "utf-32-be"), (b"<\0", "utf-16-le"), (b"\0<", "utf-16-be"))


@dataclass(slots=True)
class Property:
    """One AIGC property: its text, its namespace, and where it lies in the UTF-8 form of the packet.

    inner   where the text alone lies, for an element written as we write it
    """

    value: str
    namespace: str
    start: int
    stop: int
    inner: tuple[int, int] | None = None


@dataclass(slots=True)
class _Element:
    name: str
    start: int
    body: int
    plain: bool
    stop: int = 0
    end_tag: int = 0

    @property
    def empty(self) -> bool:
        return self.body == self.stop


@dataclass(slots=True)
class _Packet:
    mark: bytes
    encoding: str
    data: bytes
    properties: list[Property] = field(default_factory=list)
    root: _Element | None = None
    rdf: _Element | None = None
    metadata: _Element | None = None  # of an SVG picture
    description: _Element | None = None


def mentions_label(packet: bytes) -> bool:
    """Whether a packet in any encoding can hold an AIGC property: a cheap test before it is parsed."""
    return b"aigc" in packet.replace(b"\0", b"").lower()


def find(packet: bytes) -> list[Property]:
    """Every property called AIGC, in whatever namespace and form; raises MalformedFile for a packet that is not XML."""
    return _parse(packet).properties if mentions_label(packet) else []


def fresh(value: str) -> bytes:
    """A new packet with the label `value` as its one property."""
    return ('<?xpacket begin="\ufeff" id="W5M0MpCehiHzreSzNTczkc9d"?>\n'
            f'<x:xmpmeta xmlns:x="adobe:ns:meta/">\n<rdf:RDF xmlns:rdf="{_RDF}">\n'
            f'<rdf:Description rdf:about="" xmlns:TC260="{NAMESPACE}">\n'
            f'<TC260:AIGC>{escape(value)}</TC260:AIGC>\n'
            '</rdf:Description>\n</rdf:RDF>\n</x:xmpmeta>\n<?xpacket end="w"?>').encode()


def put(packet: bytes, value: str) -> bytes:
    """The packet with the label `value` as its only AIGC property; everything else stays."""
    if not packet.strip(b"\0 \t\r\n"):
        return fresh(value)
    parsed = _parse(packet)
    text = escape(value).encode()
    cuts = [(found.start, found.stop, b"") for found in parsed.properties]
    home = next((found for found in parsed.properties if found.inner and found.namespace == NAMESPACE), None)
    if home:
        cuts[parsed.properties.index(home)] = (*home.inner, text)
    else:
        cuts.append(_insertion(parsed, f'<TC260:AIGC xmlns:TC260="{NAMESPACE}">'.encode() + text + b"</TC260:AIGC>"))
    return _cut(parsed, cuts)


def remove(packet: bytes) -> bytes:
    """The packet without any AIGC property."""
    parsed = _parse(packet)
    return _cut(parsed, [(found.start, found.stop, b"") for found in parsed.properties])


def _insertion(parsed: _Packet, text: bytes) -> tuple[int, int, bytes]:
    if parsed.description is None:
        text = f'<rdf:Description xmlns:rdf="{_RDF}" rdf:about="">'.encode() + text + b"</rdf:Description>"
    if parsed.rdf is None:
        text = f'<rdf:RDF xmlns:rdf="{_RDF}">'.encode() + text + b"</rdf:RDF>"
    element = parsed.description or parsed.rdf or parsed.metadata or parsed.root
    name = re.match(rb"<([^\s/>]+)", parsed.data[element.start:element.stop]).group(1)
    if parsed.rdf is None and parsed.metadata is None and parsed.root.name == f"{_SVG}\nsvg":
        tag = name[:-len(b"svg")] + b"metadata"  # with the prefix of the picture, if it has one
        text = b"<" + tag + b">" + text + b"</" + tag + b">"
        if not element.empty:  # in front, where readers look first
            return element.body, element.body, text
    if not element.empty:
        return element.end_tag, element.end_tag, text
    slash = parsed.data.rindex(b"/", element.start, element.stop)
    return slash, element.stop, b">" + text + b"</" + name + b">"


def _cut(parsed: _Packet, cuts: list[tuple[int, int, bytes]]) -> bytes:
    pieces, done = [], 0
    for start, stop, text in sorted(cuts):
        pieces += [parsed.data[done:start], text]
        done = stop
    data = b"".join([*pieces, parsed.data[done:]])
    return parsed.mark + (data if parsed.encoding == "utf-8" else data.decode().encode(parsed.encoding))


def _parse(packet: bytes) -> _Packet:
    mark, encoding = next((known for known in _ENCODINGS if packet.startswith(known[0])), (b"", "utf-8"))
    if not mark:
        encoding = next((name for start, name in _UNMARKED if packet.lstrip(b"\n\r\t ").startswith(start)), "utf-8")
    try:
        data = packet[len(mark):]
        data = data if encoding == "utf-8" else data.decode(encoding).encode()
    except UnicodeError as error:
        raise MalformedFile("the XMP packet is not {encoding}: {problem}", encoding=encoding.upper(),
                            problem=error.reason) from error
    parsed = _Packet(mark, encoding, data)
    try:
        _Walk(parsed).run()
    except expat.ExpatError as error:
        raise MalformedFile("the XMP packet is not well-formed XML: {problem}", problem=str(error)) from error
    return parsed


class _Walk:
    """One pass of expat over a packet, noting where the elements of interest start and stop."""

    def __init__(self, parsed: _Packet) -> None:
        self.parsed, self.stack, self.count = parsed, [], 0
        self.open_property: tuple[_Element, list[str]] | None = None
        self.parser = parser = expat.ParserCreate("UTF-8", "\n")
        parser.buffer_text = parser.ordered_attributes = True
        parser.StartElementHandler, parser.EndElementHandler = self.start, self.end
        parser.EntityDeclHandler = _refuse_entities

    def run(self) -> None:
        self.parser.Parse(self.parsed.data.rstrip(b"\0"), True)

    def start(self, name: str, attributes: list[str]) -> None:
        self.count += 1
        if self.count > _MAX_ELEMENTS:
            raise LimitExceeded("the XMP packet has more than {limit} elements", limit=_MAX_ELEMENTS)
        parsed, start = self.parsed, self.parser.CurrentByteIndex
        tag = _START_TAG.match(parsed.data, start)
        if tag is None:
            raise MalformedFile("the XMP packet is not well-formed XML: {problem}", problem=f"tag at byte {start}")
        plain = tag.group() == b"<TC260:AIGC>"
        element = _Element(name, start, tag.end(), plain, tag.end() if tag.group().endswith(b"/>") else 0)
        self._note(element)
        if not self.open_property:
            for index in range(0, len(attributes), 2):
                if _is_label(attributes[index]):
                    self._note_attribute(attributes[index], attributes[index + 1], tag)
            if _is_label(name):
                self.open_property = element, []
                self.parser.CharacterDataHandler = self.open_property[1].append
        self.stack.append(element)

    def _note(self, element: _Element) -> None:
        parsed = self.parsed
        if not self.stack:
            parsed.root = element
        if element.name == f"{_RDF}\nRDF" and parsed.rdf is None:
            parsed.rdf = element
        elif element.name == f"{_SVG}\nmetadata" and parsed.metadata is None and self.stack == [parsed.root]:
            parsed.metadata = element
        elif (element.name == f"{_RDF}\nDescription" and parsed.description is None and self.stack
              and self.stack[-1] is parsed.rdf):
            parsed.description = element

    def _note_attribute(self, name: str, value: str, tag: re.Match) -> None:
        namespace, _, local = name.rpartition("\n")
        for raw in _ATTRIBUTE.finditer(tag.group()):
            prefix, _, raw_local = raw.group(1).decode().rpartition(":")
            if raw_local == local and (bool(prefix) == bool(namespace)) and prefix != "xmlns":
                start = tag.start() + raw.start()
                self.parsed.properties.append(Property(value, namespace, start, tag.start() + raw.end()))

    def end(self, _name: str) -> None:
        element = self.stack.pop()
        if not element.stop:
            element.end_tag = self.parser.CurrentByteIndex
            element.stop = self.parsed.data.index(b">", element.end_tag) + 1
        if self.open_property and self.open_property[0] is element:
            text, self.open_property = "".join(self.open_property[1]), None
            self.parser.CharacterDataHandler = None
            namespace = element.name.rpartition("\n")[0]
            inner = (element.body, element.end_tag) if element.end_tag and element.plain else None
            self.parsed.properties.append(Property(text, namespace, element.start, element.stop, inner))


def _is_label(name: str) -> bool:
    return name.rpartition("\n")[2].lower() == "aigc"


def _refuse_entities(*_: object) -> None:
    raise MalformedFile("the XMP packet declares entities, which are not expanded")
