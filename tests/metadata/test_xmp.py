# SPDX-License-Identifier: Apache-2.0
"""Putting the AIGC property into XMP packets without disturbing them."""

import xml.etree.ElementTree as ElementTree

import pytest

from labelkit.errors import LabelkitError, LimitExceeded, MalformedFile
from labelkit.metadata import xmp
from tests.files import LABEL, OTHER, XMP_PACKET

VALUE = LABEL.to_json()
RDF = 'xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#"'
TC260 = f'xmlns:TC260="{xmp.NAMESPACE}"'


def values(packet: bytes) -> list[str]:
    """The label as a full XML parser sees it, elements and attributes, in any namespace."""
    found = []
    for element in ElementTree.fromstring(packet.strip(b"\0")).iter():
        found += [text for name, text in element.attrib.items() if name.endswith("}AIGC")]
        if element.tag.endswith("}AIGC"):
            found.append("".join(element.itertext()))
    return found


def rdf(inside: str) -> bytes:
    return f'<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF {RDF}>{inside}</rdf:RDF></x:xmpmeta>'.encode()


OLD = OTHER.to_json()
QUOTED = OLD.replace('"', "&quot;")
PACKETS = {
    "fresh": xmp.fresh(OLD),
    "without label": XMP_PACKET,
    "element": rdf(f'<rdf:Description rdf:about="" {TC260}><TC260:AIGC>{OLD}</TC260:AIGC></rdf:Description>'),
    "entities": rdf(f'<rdf:Description rdf:about="" {TC260}><TC260:AIGC>{QUOTED}</TC260:AIGC></rdf:Description>'),
    "character data": rdf(f'<rdf:Description {TC260}><TC260:AIGC><![CDATA[{OLD}]]></TC260:AIGC></rdf:Description>'),
    "attribute": rdf(f'<rdf:Description rdf:about="" {TC260} TC260:AIGC="{QUOTED}" />'),
    "attribute in single quotes": rdf(f"<rdf:Description {TC260} TC260:AIGC='{OLD}'></rdf:Description>"),
    "other prefix": rdf(f'<rdf:Description xmlns:a="{xmp.NAMESPACE}"><a:AIGC>{OLD}</a:AIGC></rdf:Description>'),
    "prefix taken": rdf(f'<rdf:Description xmlns:TC260="urn:x" TC260:a="b"><q:AIGC xmlns:q="{xmp.NAMESPACE}">{OLD}'
                        '</q:AIGC></rdf:Description>'),
    "both forms": rdf(f'<rdf:Description {TC260} TC260:AIGC="{QUOTED}"/>'
                      f'<rdf:Description {TC260}><TC260:AIGC>{OLD}</TC260:AIGC></rdf:Description>'),
    "empty element": rdf(f'<rdf:Description {TC260}><TC260:AIGC/></rdf:Description>'),
    "alternatives": rdf(f'<rdf:Description {TC260}><TC260:AIGC><rdf:Alt><rdf:li xml:lang="x-default">{OLD}</rdf:li>'
                        '</rdf:Alt></TC260:AIGC></rdf:Description>'),
    "wrong namespace": rdf(f'<rdf:Description xmlns:t="urn:tc260"><t:AIGC>{OLD}</t:AIGC></rdf:Description>'),
    "empty RDF": f'<rdf:RDF {RDF}/>'.encode(),
    "no RDF": b'<x:xmpmeta xmlns:x="adobe:ns:meta/"></x:xmpmeta>',
    "greater-than in attribute": rdf(f'<rdf:Description a="x>y" {TC260}/>'.replace(' a="', ' rdf:about="')),
    "utf-16": XMP_PACKET.decode().encode("utf-16"),
    "utf-16 without mark": XMP_PACKET.decode().encode("utf-16-be"),
    "utf-8 mark": b"\xef\xbb\xbf" + XMP_PACKET,
    "zeros behind": XMP_PACKET + bytes(20),
    "nothing": b"",
    "blank": b" \n\0",
}
HAVE_OLD = [name for name in PACKETS if name not in (
    "without label", "empty element", "empty RDF", "no RDF", "utf-16", "utf-16 without mark", "utf-8 mark", "nothing",
    "zeros behind", "blank", "greater-than in attribute")]


def utf8(packet: bytes) -> bytes:
    """The packet in UTF-8, for the parser of the tests."""
    if b"\0<" in packet[:4] or packet[:2] == b"\xff\xfe":
        return packet.decode("utf-16" if packet[:1] == b"\xff" else "utf-16-be").encode()
    return packet


@pytest.mark.parametrize("name", PACKETS)
def test_one_label_is_there_afterwards(name):
    out = xmp.put(PACKETS[name], VALUE)
    assert values(utf8(out)) == [VALUE]
    assert [(found.value, found.namespace) for found in xmp.find(out)] == [(VALUE, xmp.NAMESPACE)]


@pytest.mark.parametrize("name", PACKETS)
def test_putting_twice_changes_nothing(name):
    once = xmp.put(PACKETS[name], VALUE)
    assert xmp.put(once, VALUE) == once


@pytest.mark.parametrize("name", HAVE_OLD)
def test_an_old_label_is_found(name):
    assert {found.value for found in xmp.find(PACKETS[name])} == {OLD}


@pytest.mark.parametrize("name", sorted(set(PACKETS) - {"nothing", "blank"}))
def test_removing_leaves_none(name):
    out = xmp.remove(PACKETS[name])
    assert values(utf8(out)) == [] and xmp.find(out) == []


@pytest.mark.parametrize("name", ["without label", "utf-16", "utf-8 mark", "zeros behind"])
def test_everything_else_stays_byte_for_byte(name):
    packet = PACKETS[name]
    out = xmp.put(packet, VALUE)
    assert out != packet
    assert xmp.remove(out) == packet


@pytest.mark.parametrize("name", [name for name in PACKETS if name != "prefix taken"])
def test_the_property_is_written_as_the_guide_shows_it(name):
    assert f"<TC260:AIGC>{VALUE}</TC260:AIGC>" in utf8(xmp.put(PACKETS[name], VALUE)).decode()


def test_a_packet_without_label_mentions_none():
    assert not xmp.mentions_label(XMP_PACKET)
    assert xmp.mentions_label(xmp.fresh(VALUE).decode().encode("utf-16"))


@pytest.mark.parametrize("packet", [
    b"<AIGC", b"AIGC", b"<a>AIGC</b>", b"<p:AIGC/>", b"\xff\xfe<AIGC", b"<AIGC>\xff</AIGC>", b"<AIGC/><AIGC/>",
    b'<!DOCTYPE a [<!ENTITY b "c">]><AIGC>&b;</AIGC>', b"<AIGC>&undefined;</AIGC>",
])
def test_what_is_not_xml_is_refused(packet):
    for act in (xmp.find, xmp.remove, lambda broken: xmp.put(broken, VALUE)):
        with pytest.raises(MalformedFile):
            act(packet)


def test_nested_entities_are_not_expanded():
    laughs = "".join(f'<!ENTITY e{n} "{f"&e{n - 1};" * 10}">' for n in range(1, 12))
    packet = f'<!DOCTYPE a [<!ENTITY e0 "AIGC">{laughs}]><a>&e11;</a>'.encode()
    with pytest.raises(MalformedFile):
        xmp.find(packet)


def test_too_many_elements_are_refused():
    with pytest.raises(LimitExceeded):
        xmp.find(b"<AIGC>" + b"<a/>" * 300_000 + b"</AIGC>")


@pytest.mark.parametrize("many", [b"<AIGC/>" * 150_000, b"<AIGC>" * 150_000 + b"</AIGC>" * 150_000])
def test_a_crowd_of_labels_is_refused_or_read_in_time(many):
    try:
        assert len(xmp.find(b"<a>" + many + b"</a>")) == 1
    except LimitExceeded as error:
        assert "AIGC properties" in str(error) or "1000 deep" in str(error)


def test_deep_nesting_does_not_overflow():
    packet = b"<AIGC>" + b"<a>" * 100_000 + b"</a>" * 100_000 + b"</AIGC>"
    try:
        xmp.find(packet)
    except LabelkitError:
        pass


@pytest.mark.parametrize("value", [VALUE, "", "{}", "plain words", "a &amp; b", "a &gt; b", "<b>x</b>", "</TC260:AIGC>",
                                   "]]>", "&", "\u751f\u6210", "a\rb", "a\nb", "x<!-- y -->"])
def test_a_packet_of_ours_is_read_as_a_parser_reads_it(value):
    before, behind = xmp.fresh("|").split(b"|")
    packet = before + value.encode() + behind
    try:
        parsed = xmp._properties(xmp.parse(packet))
    except MalformedFile:
        with pytest.raises(MalformedFile):
            xmp.find(packet)
    else:
        assert xmp.find(packet) == parsed


@pytest.mark.parametrize("value", [VALUE, ""])
def test_a_packet_of_ours_is_read_without_a_parser(value, monkeypatch):
    monkeypatch.delattr(xmp, "parse")
    assert [one.value for one in xmp.find(xmp.fresh(value))] == [value]
    with pytest.raises(NameError):
        xmp.find(xmp.fresh(value) + b" ")
