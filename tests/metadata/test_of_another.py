# SPDX-License-Identifier: Apache-2.0
"""What looks like a label and is none of this file's: an ingredient's, a part's, a text under a name of its own."""

from __future__ import annotations

import html
import io
import json

import pytest
from PIL import Image

import labelkit as lk
from labelkit import metadata
from labelkit.errors import LimitExceeded
from labelkit.metadata import xmp
from labelkit.report import Status
from tests import files
from tests.cost import within
from tests.explicit.test_office import epub, odt
from tests.files import LABEL, OTHER, movie, png_with, segment
from tests.media import photo
from tests.metadata.test_elsewhere import ebml, itxt, tagged
from tests.metadata.test_gltf import gltf
from tests.metadata.test_ooxml import CUSTOM, custom_property, document
from tests.metadata.test_pdf import plain
from tests.metadata.test_xmp import RDF, TC260

WRAPPED = OTHER.to_json(wrapped=True)
VALUE = f"<TC260:AIGC>{html.escape(OTHER.to_json())}</TC260:AIGC>"
NAMES = (f'{TC260} xmlns:xmpMM="http://ns.adobe.com/xap/1.0/mm/" xmlns:dc="http://purl.org/dc/elements/1.1/" '
         'xmlns:stRef="http://ns.adobe.com/xap/1.0/sType/ResourceRef#"')
SVG = f'<svg xmlns="http://www.w3.org/2000/svg" {RDF} {TC260} width="9" height="9">'


def described(inside: str, about: str = "") -> str:
    return f'<rdf:Description rdf:about="{about}" {NAMES}>{inside}</rdf:Description>'


def packet(*descriptions: str) -> bytes:
    return f'<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF {RDF}>{"".join(descriptions)}</rdf:RDF></x:xmpmeta>'.encode()


def jpeg(inside: bytes) -> bytes:
    return files.jpeg_with(segment(0xE1, b"http://ns.adobe.com/xap/1.0/\0" + inside))


def two_pictures(second: bool) -> bytes:
    """A HEIC with two pictures of which one, the primary one or the other, has a packet with a label."""
    pillow_heif = pytest.importorskip("pillow_heif")
    pictures = [Image.fromarray(photo(seed=seed)) for seed in (1, 2)]
    pictures[second].info["xmp"] = packet(described(VALUE))
    file = pillow_heif.HeifFile()
    for one in pictures:
        file.add_from_pillow(one)
    out = io.BytesIO()
    file.save(out, quality=80, primary_index=0)
    return out.getvalue()


def film(target: str, name: str = "AIGC") -> bytes:
    """A film with one more Tags element, whose tag is that of a track (63c5) or of an attachment (63c6)."""
    tag = (ebml("63c0", ebml(target, b"\7")) if target else b"") + ebml("67c8", ebml("45a3", name.encode()) + ebml(
        "4487", WRAPPED.encode()))
    head = ebml("1a45dfa3", ebml("4282", b"matroska"))
    return head + ebml("18538067", ebml("1254c367", ebml("7373", tag)))


def vorbis(name: str) -> bytes:
    return metadata.write(files.sound("FLAC"), OTHER).replace(b"AIGC=", name.encode().ljust(4, b"_") + b"=", 1)


def odf(element: str) -> bytes:
    fields = (f'<office:document-meta xmlns:office="urn:oasis:names:tc:opendocument:xmlns:office:1.0" '
              f'xmlns:meta="urn:oasis:names:tc:opendocument:xmlns:meta:1.0" xmlns:x="urn:x"><office:meta>{element}'
              "</office:meta></office:document-meta>")
    return odt("One", more={"meta.xml": fields})


def book(meta: str) -> bytes:
    from tests.explicit.test_office import members, packed

    parts = {name: body.decode() for name, body in members(epub("<p>One</p>")).items() if name != "mimetype"}
    parts["O/p.opf"] = parts["O/p.opf"].replace("<metadata></metadata>", f"<metadata>{meta}</metadata>")
    return packed(parts, "application/epub+zip")


def field(name: str, prefix: str = "meta") -> str:
    return f'<{prefix}:user-defined {prefix}:name="{name}">{html.escape(WRAPPED)}</{prefix}:user-defined>'


def opf(name: str, more: str = "") -> str:
    return f'<meta name="{name}" content="{html.escape(WRAPPED)}"{more}/>'


def custom(name: str, space: str = "") -> bytes:
    text = CUSTOM.format(custom_property(name, WRAPPED))
    return document(text.replace("<property ", f'<property xmlns="{space}" ') if space else text)


def page(name: str) -> bytes:
    return f'<!DOCTYPE html><meta name="{name}" content="{html.escape(WRAPPED)}"><p>a'.encode()


def info(name: str) -> bytes:
    return plain(f"<< /{name} <FEFF{WRAPPED.encode('utf-16-be').hex()}> >>".encode())


def scene(name: str) -> bytes:
    return gltf(json.dumps({"version": "2.0", "extras": {name: json.loads(WRAPPED)}}))


def matter(*lines: str) -> bytes:
    return "\n".join(["---", "title: x", *lines, "---", "a"]).encode()


INGREDIENT = ('<xmpMM:Ingredients><rdf:Bag><rdf:li rdf:parseType="Resource"><stRef:filePath>a.png</stRef:filePath>'
              f"{VALUE}</rdf:li></rdf:Bag></xmpMM:Ingredients>")
IN_BRACES = f"AIGC: {OTHER.to_json()}"
CASES = {  # what is another's, and beside it the file whose own it is
    "ingredient": (lambda: jpeg(packet(described(INGREDIENT))), lambda: jpeg(packet(described(VALUE + INGREDIENT)))),
    "source": (lambda: jpeg(packet(described(f"<xmpMM:DerivedFrom>{described(VALUE)}</xmpMM:DerivedFrom>"))),
               lambda: jpeg(packet(described(VALUE)))),
    "pantry": (lambda: png_with(itxt(b"XML:com.adobe.xmp", packet(described(
        f"<xmpMM:Pantry><rdf:Bag><rdf:li>{described(VALUE)}</rdf:li></rdf:Bag></xmpMM:Pantry>")))),
        lambda: png_with(itxt(b"XML:com.adobe.xmp", packet(described("<dc:format>a</dc:format>"), described(VALUE))))),
    "qualifier": (lambda: jpeg(packet(described(
        f'<dc:title TC260:AIGC="{html.escape(OTHER.to_json())}">a</dc:title>'))),
        lambda: jpeg(packet(f'<rdf:Description {NAMES} TC260:AIGC="{html.escape(OTHER.to_json())}"/>'))),
    "subject": (lambda: jpeg(packet(described("<dc:format>a</dc:format>", "uuid:1"), described(VALUE, "uuid:2"))),
                lambda: jpeg(packet(described("<dc:format>a</dc:format>", "uuid:1"), described(VALUE, "uuid:1")))),
    "group of SVG": (lambda: f"{SVG}<g><metadata>{packet(described(VALUE)).decode()}</metadata></g></svg>".encode(),
                     lambda: f"{SVG}<metadata>{packet(described(VALUE)).decode()}</metadata><g/></svg>".encode()),
    "picture in SVG": (lambda: f'{SVG}<image TC260:AIGC="{html.escape(OTHER.to_json())}"/></svg>'.encode(),
                       lambda: f"{SVG}<metadata>{VALUE}</metadata></svg>".encode()),
    "second picture": (lambda: two_pictures(True), lambda: two_pictures(False)),
    "attachment": (lambda: film("63c6"), lambda: film("63c5")),
    "tag": (lambda: film("", "PROMPT"), lambda: film("", "COMMENT")),
    "property": (lambda: custom("Prompt"), lambda: custom("Comments")),
    "property of others": (lambda: custom("AIGC", "urn:x"), lambda: custom(
        "AIGC", "http://purl.oclc.org/ooxml/officeDocument/customProperties")),
    "field": (lambda: odf(field("Prompt")), lambda: odf(field("Description"))),
    "field of others": (lambda: odf(field("AIGC", "x")), lambda: odf(field("AIGC"))),
    "meta of a book": (lambda: book(opf("prompt")), lambda: book(opf("description"))),
    "meta of others": (lambda: book(opf("AIGC", ' xmlns="urn:x"')), lambda: book(opf("AIGC"))),
    "content of others": (lambda: book(opf("AIGC", ' xmlns:x="urn:x"').replace(" content=", " x:content=")),
                          lambda: book(opf("AIGC", ' xmlns:x="urn:x" x:content="a"'))),
    "meta within others": (lambda: book(f'<x>{opf("AIGC")}</x>'), lambda: book(f'<x/>{opf("AIGC")}')),
    "meta of an item": (lambda: book(opf("AIGC", ' refines="#cover"')), lambda: book(opf("AIGC"))),
    "keyword of PNG": (lambda: png_with(itxt(b"Prompt", WRAPPED.encode())),
                       lambda: png_with(itxt(b"Description", WRAPPED.encode()))),
    "frame": (lambda: tagged(b"TXXX", b"\0Prompt\0" + WRAPPED.encode()),
              lambda: tagged(b"TXXX", b"\0Comment\0" + WRAPPED.encode())),
    "key of a film": (lambda: movie("mp4", (("movflags", "use_metadata_tags"),), metadata=(("prompt", WRAPPED),)),
                      lambda: movie("mp4", metadata=(("comment", WRAPPED),))),
    "asset of a scene": (lambda: gltf(json.dumps({"version": "2.0", **json.loads(WRAPPED)})), lambda: scene("AIGC")),
    "name of a page": (lambda: page("prompt"), lambda: page("description")),
    "extras of a scene": (lambda: scene("prompt"), lambda: scene("aigc")),
    "PDF": (lambda: info("Prompt"), lambda: info("AIGC")),
    "flow mapping": (lambda: matter("example: {", IN_BRACES, "}"),
                     lambda: matter("example: {", "a: b", "}", IN_BRACES)),
    "quoted text": (lambda: matter('example: "x', IN_BRACES, '"'), lambda: matter('example: "x', '"', IN_BRACES)),
}
PASSED_OVER = ("flow mapping", "quoted text")


@pytest.mark.parametrize("name", CASES)
def test_a_label_that_is_not_the_files_does_not_count_and_stays(name):
    data = CASES[name][0]()
    found = metadata.read(data)
    assert found.label is None and found.status is (Status.ABSENT if name in PASSED_OVER else Status.UNCHECKED)
    assert name in PASSED_OVER or "looks like a label, but" in str(found.missed[0])
    assert lk.verify(data, effort="fast").verdict in (lk.Verdict.NONE, lk.Verdict.UNDETERMINED)
    if name != "attachment":  # this one is no film
        out = metadata.write(data, LABEL)
        found = metadata.read(out)
        assert found.label == LABEL and len(found.evidence.carriers) == 1 and not found.missed


@pytest.mark.parametrize("name", CASES)
def test_the_files_own_label_beside_it_counts(name):
    found = metadata.read(CASES[name][1]())
    assert found.status is Status.VALID and found.label == OTHER and len(found.evidence.carriers) == 1


def test_what_is_of_another_is_written_back_as_it_was():
    data = jpeg(packet(described(VALUE.replace(OTHER.produce_id, "own") + INGREDIENT)))
    out = metadata.write(data, LABEL)
    assert INGREDIENT.encode() in out and b"own" not in out


def test_the_time_for_many_of_another_does_not_grow_with_their_square():
    about = [f'<rdf:Description rdf:about="u{one}" TC260:AIGC="x" {TC260}/>' for one in range(900)]
    whole, text = packet("<rdf:Description/>" * 100_000, *about), matter(*['AIGC: {"a": 1}'] * 4000)
    assert len(xmp.everywhere(whole)) == 900 and len(xmp.find(whole)) == 1
    assert within(lambda: xmp.find(whole), 5) and within(lambda: metadata.read(text), 5)


@pytest.mark.parametrize("depth,is_read", [(900, True), (1000, False)])
def test_elements_inside_each_other_are_bounded(depth, is_read):
    deep = packet(described("<a>" * depth + VALUE + "</a>" * depth))
    if is_read:
        assert [one.astray for one in xmp.everywhere(deep)] == [True]
    else:
        with pytest.raises(LimitExceeded, match="1000 deep"):
            xmp.everywhere(deep)
