# SPDX-License-Identifier: Apache-2.0
"""XMP packets: find the AIGC property and put it there, leaving every other byte alone (ISO 16684-1).

Packets are parsed only to learn where things lie; changes are cuts in the text. An SVG picture is a packet too: its
label stands in its metadata element.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from labelkit.container import markup
from labelkit.container.markup import Element
from labelkit.errors import LimitExceeded, MalformedFile
from labelkit.label import IPTC, Generator

NAMESPACE = "http://www.tc260.org.cn/ns/AIGC/1.0/"  # TC260-PG-20259A
RDF = "http://www.w3.org/1999/02/22-rdf-syntax-ns#"
_SVG = "http://www.w3.org/2000/svg"
_MAX_PROPERTIES = 1000
_MAX_OWN = 16  # properties that are compared with each element; labelkit writes up to three
_SOURCE, _SYSTEM, _VERSION = "DigitalSourceType", "AISystemUsed", "AISystemVersionUsed"
_OURS, _OURS_END = b"<TC260:AIGC>", b"</TC260:AIGC>"
_DECLARATION = f'xmlns:TC260="{NAMESPACE}"'.encode()
_BEFORE = ('<?xpacket begin="\ufeff" id="W5M0MpCehiHzreSzNTczkc9d"?>\n'
           f'<x:xmpmeta xmlns:x="adobe:ns:meta/">\n<rdf:RDF xmlns:rdf="{RDF}">\n'
           f'<rdf:Description rdf:about="" xmlns:TC260="{NAMESPACE}">\n').encode() + _OURS
_BEHIND = _OURS_END + b'\n</rdf:Description>\n</rdf:RDF>\n</x:xmpmeta>\n<?xpacket end="w"?>'
_EMPTY = _BEFORE[:_BEFORE.index(b"<rdf:Description")] + b"</rdf:RDF>" + _BEHIND[_BEHIND.index(b"\n</x:xmpmeta>"):]
_NO_MARKUP = re.compile(rb"[ -%'-;=?-~]*")  # printable ASCII but for & < >
_ENCODINGS = ((b"\xef\xbb\xbf", "utf-8"), (b"\xff\xfe\0\0", "utf-32-le"), (b"\0\0\xfe\xff", "utf-32-be"),
              (b"\xff\xfe", "utf-16-le"), (b"\xfe\xff", "utf-16-be"))
_UNMARKED = ((b"<\0\0\0", "utf-32-le"), (b"\0\0\0<", "utf-32-be"), (b"<\0", "utf-16-le"), (b"\0<", "utf-16-be"))


@dataclass(frozen=True, slots=True)
class Property:
    """One AIGC property: its text, its namespace, and where it lies in the UTF-8 form of the packet.

    inner   where the text alone lies, for an element written as we write it
    astray  it describes something else than the file: a part of a picture, an ingredient, a qualifier of a property
    """

    value: str
    namespace: str
    start: int
    stop: int
    inner: tuple[int, int] | None = None
    astray: bool = False


@dataclass(frozen=True, slots=True)
class Packet:
    """A packet in UTF-8, with the byte order mark and encoding that it goes back into.

    described  what the first description of an RDF element names, by its index, where that was asked for
    """

    mark: bytes
    encoding: str
    data: bytes
    elements: list[Element]
    described: dict[int, str] = field(default_factory=dict)

    def first(self, name: str, parent: Element | None = None) -> Element | None:
        """The first element of a name, anywhere or right in `parent`."""
        return next((one for one in self.elements if one.name == name and parent in (None, one.parent)), None)


def mentions_label(packet: bytes) -> bool:
    """Whether a packet in any encoding can hold an AIGC property: a cheap test before it is parsed."""
    return b"aigc" in packet.translate(None, b"\0").lower()


def find(packet: bytes) -> list[Property]:
    """Every property of the file that is called AIGC, in whatever namespace and form; raises as `everywhere`."""
    return [one for one in everywhere(packet) if not one.astray]


def everywhere(packet: bytes) -> list[Property]:
    """The properties called AIGC, those astray too; raises MalformedFile for a packet that is not XML."""
    if packet.startswith(_BEFORE) and packet.endswith(_BEHIND):  # as `fresh` makes it: what no markup is in is the text
        start, stop = len(_BEFORE), len(packet) - len(_BEHIND)
        if _NO_MARKUP.fullmatch(packet, start, stop):
            return [Property(packet[start:stop].decode(), NAMESPACE, start - len(_OURS), stop + len(_OURS_END),
                             (start, stop))]
    return _properties(parse(packet)) if mentions_label(packet) else []


def fresh(value: str) -> bytes:
    """A new packet with the label `value` as its one property."""
    return _BEFORE + markup.escaped(value).encode() + _BEHIND


def put(packet: bytes, value: str) -> bytes:
    """The packet with the label `value` as its only AIGC property; everything else stays."""
    if not packet.strip(b"\0 \t\r\n"):
        return fresh(value)
    parsed = parse(packet)
    text = markup.escaped(value).encode()
    found = _own(parsed)
    cuts = [(one.start, one.stop, b"") for one in found]
    home = next((index for index, one in enumerate(found) if one.inner and one.namespace == NAMESPACE), None)
    inner = None if home is None else found[home].inner
    if home is None or inner is None:
        cuts += _insertions(parsed, text)
    else:
        cuts[home] = (*inner, text)
    return joined(parsed, cuts)


def remove(packet: bytes) -> bytes:
    """The packet without any AIGC property, and without a declaration of our prefix that nothing uses any more."""
    parsed = parse(packet)
    cuts = [(found.start, found.stop, b"") for found in _own(parsed)]
    if b"TC260:" not in markup.changed(parsed.data, cuts):
        cuts += [(start, stop, b"") for element in parsed.elements
                 for name, start, stop in element.raw_attributes(parsed.data)
                 if name == b"xmlns:TC260" and not any(a <= start < b for a, b, _ in cuts)]
    return joined(parsed, cuts)


def begun(packet: bytes) -> bytes:
    """The packet, or where there is none one without a property."""
    return packet if packet.strip(b"\0 \t\r\n") else _EMPTY


def state_generator(packet: bytes, generator: Generator) -> bytes:
    """A packet with the IPTC properties of the generating system in place of any others."""
    parsed = parse(packet)
    cuts = cut(parsed, _iptc(parsed))
    stated = "".join(f"<Iptc4xmpExt:{name}>{markup.escaped(value)}</Iptc4xmpExt:{name}>"
                     for name, value in generator.iptc().items())
    text = f'<rdf:Description xmlns:rdf="{RDF}" rdf:about="" xmlns:Iptc4xmpExt="{IPTC}">{stated}</rdf:Description>'
    return joined(parsed, [*cuts, appended(parsed, text.encode())])


def cut(parsed: Packet, properties: Iterable[tuple[str, str, int, int]]) -> list[tuple[int, int, bytes]]:
    """The changes that take out properties, each by (name, value, start, stop), and descriptions of nothing else."""
    cuts = [(start, stop, b"") for _, _, start, stop in properties]
    for one in parsed.elements if 0 < len(cuts) <= _MAX_OWN else ():
        inside = [(start, stop, text) for start, stop, text in cuts if one.body <= start and stop <= one.end_tag]
        if one.name == f"{RDF}\nDescription" and inside and set(one.attributes) <= {f"{RDF}\nabout"}:
            left = markup.changed(parsed.data[one.body:one.end_tag],
                                  [(start - one.body, stop - one.body, text) for start, stop, text in inside])
            if not left.strip():
                cuts = [*(change for change in cuts if change not in inside), (one.start, one.stop, b"")]
    return cuts


def appended(parsed: Packet, description: bytes) -> tuple[int, int, bytes]:
    """The change that adds a description, which declares its prefixes, with what must be around it."""
    rdf = _rdf_of(parsed)
    if rdf is not None:
        return markup.append_to(parsed.data, rdf, description)
    text = f'<rdf:RDF xmlns:rdf="{RDF}">'.encode() + description + b"</rdf:RDF>"
    return markup.append_to(parsed.data, parsed.elements[0], text)


def systems(packet: bytes) -> tuple[str, ...]:
    """The AI systems that a packet names (IPTC), each with its version; raises MalformedFile for what is no XML."""
    if _SYSTEM.encode() not in packet.translate(None, b"\0"):
        return ()
    stated = [(name, value.strip()) for name, value, _, _ in _iptc(parse(packet))]
    versions = [value for name, value in stated if name == _VERSION and value]
    names = [value for name, value in stated if name == _SYSTEM and value]
    versions += [""] * len(names)
    return tuple(f"{name} {version}".strip() for name, version in zip(names, versions, strict=False))


def _iptc(parsed: Packet) -> Iterator[tuple[str, str, int, int]]:
    """(local name, value, start, stop) of each IPTC property on the generating system, as element or as attribute."""
    done = 0
    for element in parsed.elements:
        if element.start < done:
            continue  # inside the property before
        if element.namespace == IPTC and element.local in (_SOURCE, _SYSTEM, _VERSION):
            done = element.stop
            yield element.local, markup.text_of(parsed.elements, element), element.start, element.stop
            continue
        places = [(start, stop) for name, start, stop in element.raw_attributes(parsed.data)
                  if name != b"xmlns" and not name.startswith(b"xmlns:")]
        for (name, value), (start, stop) in zip(element.attributes.items(), places, strict=False):
            if name in (f"{IPTC}\n{_SOURCE}", f"{IPTC}\n{_SYSTEM}", f"{IPTC}\n{_VERSION}"):
                yield name.rpartition("\n")[2], value, start, stop


def _own(parsed: Packet) -> list[Property]:
    """The properties called AIGC that describe the file."""
    return [one for one in _properties(parsed) if not one.astray]


def _properties(parsed: Packet) -> list[Property]:
    found: list[Property] = []
    for element in parsed.elements:
        if found and element.start < found[-1].stop:
            continue  # inside the property before
        if any(name[-4:].lower() == "aigc" for name in element.attributes):
            found += _attributes(parsed, element)
        if element.name[-4:].lower() == "aigc" and element.local.lower() == "aigc":
            ours = parsed.data[element.start:element.body] == _OURS
            found.append(Property(markup.text_of(parsed.elements, element), element.namespace, element.start,
                                  element.stop, (element.body, element.end_tag) if ours else None,
                                  _is_astray(parsed, element.parent)))
        if len(found) > _MAX_PROPERTIES:
            raise LimitExceeded("the XMP packet has more than {limit} AIGC properties", limit=_MAX_PROPERTIES)
    return found


def _attributes(parsed: Packet, element: Element) -> list[Property]:
    """The properties among the attributes of an element: the parser keeps them in the order in which they stand."""
    places = [(start, stop) for name, start, stop in element.raw_attributes(parsed.data)
              if name != b"xmlns" and not name.startswith(b"xmlns:")]
    astray = _is_astray(parsed, element)
    return [Property(value, name.rpartition("\n")[0], *place, astray=astray)
            for (name, value), place in zip(element.attributes.items(), places, strict=False)
            if name.rpartition("\n")[2].lower() == "aigc"]


def _is_astray(parsed: Packet, holder: Element | None) -> bool:
    """Whether an element describes something else than the file: only a description right in RDF is the file's.

    Of several descriptions that name what they describe, the first counts, as in Adobe's toolkit (XMP part 1, 7.4).
    In an SVG picture only the metadata of the root are the picture's.
    """
    chain: list[Element] = []
    while holder is not None:
        chain.append(holder)
        holder = holder.parent
    chain.reverse()
    at = next((index for index, one in enumerate(chain) if one.name == f"{RDF}\nRDF"), None)
    outer = chain if at is None else chain[:at]
    if outer and outer[0].name == f"{_SVG}\nsvg" and any(
            one.namespace == _SVG and (index or one.local != "metadata") for index, one in enumerate(outer[1:])):
        return True
    if at is None or len(chain) < at + 2:
        return False
    about = chain[at + 1].attributes.get(f"{RDF}\nabout", "")
    return len(chain) > at + 2 or bool(about) and about != _described(chain[at], parsed)


def _rdf_of(parsed: Packet) -> Element | None:
    """The first RDF that describes the file."""
    return next((one for one in parsed.elements
                 if one.name == f"{RDF}\nRDF" and not _is_astray(parsed, one)), None)


def _described(rdf: Element, parsed: Packet) -> str:
    """What the first description of RDF that says so describes."""
    if rdf.index not in parsed.described:
        named = (one.attributes.get(f"{RDF}\nabout", "") for one in parsed.elements if one.parent is rdf)
        parsed.described[rdf.index] = next(filter(None, named), "")
    return parsed.described[rdf.index]


def _insertions(parsed: Packet, text: bytes) -> list[tuple[int, int, bytes]]:
    """The changes that add the property to the first description, or to a new one.

    The prefix is declared on the description, so that readers that look for "<TC260:AIGC>" find it.
    """
    rdf = _rdf_of(parsed)
    description = parsed.first(f"{RDF}\nDescription", rdf) if rdf else None
    if description is None:
        return [_new_description(parsed, rdf, _OURS + text + _OURS_END)]
    bound = _namespace_of_prefix(parsed, description)
    if bound not in (None, NAMESPACE.encode()):
        element = b"<TC260:AIGC " + _DECLARATION + b">" + text + _OURS_END
        return [markup.append_to(parsed.data, description, element)]
    changes = [markup.append_to(parsed.data, description, _OURS + text + _OURS_END)]
    if bound is None:
        at = description.start + 1 + len(description.raw_name(parsed.data))
        changes.append((at, at, b" " + _DECLARATION))
    return changes


def _namespace_of_prefix(parsed: Packet, element: Element | None) -> bytes | None:
    """What the prefix TC260 stands for inside an element, None where it stands for nothing."""
    while element:
        for name, start, stop in element.raw_attributes(parsed.data):
            if name == b"xmlns:TC260":
                return parsed.data[start:stop].partition(b"=")[2].strip()[1:-1]
        element = element.parent
    return None


def _new_description(parsed: Packet, rdf: Element | None, text: bytes) -> tuple[int, int, bytes]:
    """The change that adds a description, with what must be around it."""
    root = parsed.elements[0]
    text = b'<rdf:Description rdf:about="" ' + _DECLARATION + f' xmlns:rdf="{RDF}">'.encode() + text
    text += b"</rdf:Description>"
    if rdf is not None or root.name != f"{_SVG}\nsvg":
        return appended(parsed, text)
    text = f'<rdf:RDF xmlns:rdf="{RDF}">'.encode() + text + b"</rdf:RDF>"
    metadata = parsed.first(f"{_SVG}\nmetadata", root)
    if metadata is not None:
        return markup.append_to(parsed.data, metadata, text)
    tag = root.raw_name(parsed.data)[:-len(b"svg")] + b"metadata"  # with the prefix of the picture, if any
    text = b"<" + tag + b">" + text + b"</" + tag + b">"
    # in front, where readers look first
    return markup.append_to(parsed.data, root, text) if root.empty else (root.body, root.body, text)


def joined(parsed: Packet, cuts: list[tuple[int, int, bytes]]) -> bytes:
    """The packet with what is cut out and put in, in the encoding that it came in."""
    data = markup.changed(parsed.data, cuts)
    return parsed.mark + (data if parsed.encoding == "utf-8" else data.decode().encode(parsed.encoding))


def parse(packet: bytes) -> Packet:
    """A packet in any encoding; raises MalformedFile for what is no XML."""
    mark, encoding = b"", "utf-8"
    if packet[:2] != b"<?":  # as nearly all start, in UTF-8
        mark, encoding = next((known for known in _ENCODINGS if packet.startswith(known[0])), (mark, encoding))
    if not mark and packet[:2] != b"<?":
        encoding = next((name for start, name in _UNMARKED if packet.lstrip(b"\n\r\t ").startswith(start)), "utf-8")
    data = packet[len(mark):]
    try:
        data = data if encoding == "utf-8" else data.decode(encoding).encode()
    except UnicodeError as error:
        raise MalformedFile("the XMP packet is not {encoding}: {problem}", encoding=encoding.upper(),
                            problem=getattr(error, "reason", str(error))) from error
    return Packet(mark, encoding, data, markup.parse(data, "XMP packet"))
