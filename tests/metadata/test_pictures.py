# SPDX-License-Identifier: Apache-2.0
"""The label in GIF, TIFF, AVIF, HEIC and SVG: labels of others, and structures that encoders here do not write."""

import struct
import xml.etree.ElementTree as ElementTree

import pytest

from labelkit import container, metadata
from labelkit.errors import LimitExceeded, MalformedFile, UnsupportedFormat
from labelkit.metadata import xmp
from labelkit.report import Status
from tests import files
from tests.files import LABEL, OTHER

WRAPPED = OTHER.to_json(wrapped=True).encode()
PACKET = xmp.fresh(OTHER.to_json())
SHORT = (b"<r:RDF xmlns:r='http://www.w3.org/1999/02/22-rdf-syntax-ns#'><r:Description r:about=''><AIGC xmlns='"
         + xmp.NAMESPACE.encode() + b"""'>{"Label":"1","ContentProducer":"x","ProduceID":"cc75f5e99aae4210"}</AIGC>"""
         b"</r:Description></r:RDF>")


def one_label(data: bytes) -> bool:
    finding = metadata.read(data)
    return ((finding.status, finding.label) == (Status.VALID, LABEL) and len(finding.evidence.carriers) == 1
            and OTHER.produce_id.encode() not in data)


# GIF

MAGIC = bytes([1, *range(255, -1, -1), 0])


def gif_with(*extensions: bytes, version: bytes = b"89a") -> bytes:
    data = files.picture("GIF")
    cut = 13 + (3 << (data[10] & 7) + 1)
    return b"GIF" + version + data[6:cut] + b"".join(extensions) + data[cut:]


def sub_blocks(data: bytes) -> bytes:
    return b"".join(bytes([len(data[at:at + 255])]) + data[at:at + 255] for at in range(0, len(data), 255)) + b"\0"


XMP_HEAD = b"\x21\xff\x0bXMP DataXMP"
LOOP = b"\x21\xff\x0bNETSCAPE2.0\3\1\0\0\0"
GIFS = {
    "xmp": gif_with(XMP_HEAD + PACKET + MAGIC),
    "xmp behind loop": gif_with(LOOP, XMP_HEAD + PACKET + MAGIC),
    "xmp in sub-blocks": gif_with(XMP_HEAD + sub_blocks(PACKET)),
    "comment": gif_with(b"\x21\xfe" + sub_blocks(WRAPPED)),
    "both": gif_with(XMP_HEAD + PACKET + MAGIC, b"\x21\xfe" + sub_blocks(WRAPPED)),
}


@pytest.mark.parametrize("name", GIFS)
def test_a_label_of_others_in_gif_gives_way(name):
    data = GIFS[name]
    assert (metadata.read(data).status, metadata.read(data).label) == (Status.VALID, OTHER)
    out = metadata.write(data, LABEL)
    assert one_label(out) and (LOOP in out) == (LOOP in data)
    assert files.exiftool_label(out) == LABEL.to_json()
    assert (files.decoded(out) == files.decoded(data)).all()


def test_gif_87a_becomes_89a_which_has_extensions():
    out = metadata.write(gif_with(version=b"87a"), LABEL)
    assert out.startswith(b"GIF89a") and one_label(out)


def test_gif_label_stands_behind_the_loop_and_before_the_first_picture():
    data = gif_with(LOOP, b"\x21\xf9\4\0\5\0\0\0")
    out = metadata.write(data, LABEL)
    assert out.index(LOOP) < out.index(XMP_HEAD) < out.index(b"\x21\xf9\4\0\5\0\0\0")


@pytest.mark.parametrize("data", [gif_with()[:-1], gif_with()[:40], gif_with(b"\x55"), b"GIF89a"])
def test_broken_gifs_are_refused(data):
    with pytest.raises(MalformedFile):
        metadata.write(data, LABEL)


# TIFF

def tiff(*entries: tuple[int, int, bytes], order: str = "<", big: bool = False, after: bytes = b"") -> bytes:
    """A grey picture of 4 x 4 with more entries, and a second directory."""
    entry, inline, number = (order + "HHQ", 8, order + "Q") if big else (order + "HHI", 4, order + "I")
    heap_at = 2000
    heap, places = b"", {}

    def row(tag: int, kind: int, value: bytes) -> bytes:
        nonlocal heap
        count = len(value) // {3: 2, 4: 4, 13: 4}.get(kind, 1)
        if len(value) <= inline:
            return struct.pack(entry, tag, kind, count) + value.ljust(inline, b"\0")
        places[tag] = heap_at + len(heap)
        heap += value + b"\0" * (len(value) % 2)
        return struct.pack(entry, tag, kind, count) + struct.pack(number, places[tag])

    def short(value: int) -> bytes:
        return struct.pack(order + "H", value)

    def directory(rows: list[bytes], following: int) -> bytes:
        return struct.pack(order + ("Q" if big else "H"), len(rows)) + b"".join(rows) + struct.pack(number, following)
    pixels = struct.pack(order + "I", 1900)
    base = [(256, 3, short(4)), (257, 3, short(4)), (258, 3, short(8)), (259, 3, short(1)), (262, 3, short(1)),
            (273, 4, pixels), (278, 3, short(4)), (279, 4, struct.pack(order + "I", 16))]
    first = directory([row(*one) for one in sorted([*base, *entries])], 1000)
    second = directory([row(*one) for one in base], 0)
    mark = (b"II" if order == "<" else b"MM") + struct.pack(order + "H", 43 if big else 42)
    head = mark + (struct.pack(order + "HHQ", 8, 0, 16) if big else struct.pack(order + "I", 8))
    data = (head + first).ljust(1000, b"\0") + second
    return data.ljust(1900, b"\0") + bytes(range(100, 116)).ljust(100, b"\0") + heap + after


def tags(data: bytes, order: str, big: bool) -> list[int]:
    """Tags of the first directory, in their order."""
    start = struct.unpack(order + ("Q" if big else "I"), data[8:16] if big else data[4:8])[0]
    count = struct.unpack(order + ("Q" if big else "H"), data[start:start + (8 if big else 2)])[0]
    at, step = start + (8 if big else 2), 20 if big else 12
    return [struct.unpack(order + "H", data[at + step * index:at + step * index + 2])[0] for index in range(count)]


SHAPES = [("<", False), (">", False), ("<", True), (">", True)]


@pytest.mark.parametrize(("order", "big"), SHAPES)
def test_a_new_tag_stands_in_order_and_nothing_moves(order, big):
    data = tiff((270, 2, b"a cat\0"), (33432, 2, b"someone\0"), order=order, big=big)
    out = metadata.write(data, LABEL)
    assert one_label(out)
    assert tags(out, order, big) == sorted([*tags(data, order, big), 700])
    first = 8 if big else 4
    assert out[:first] == data[:first] and out[first + (8 if big else 4):len(data)] == data[first + (8 if big else 4):]
    if (order, big) != (">", True):  # which Pillow does not read
        assert (files.decoded(out) == files.decoded(data)).all() and files.decoded(out).shape[0] == 2


@pytest.mark.parametrize(("order", "big"), SHAPES)
@pytest.mark.parametrize("packet", [PACKET, SHORT])
def test_an_old_packet_is_replaced_in_place_or_blanked(order, big, packet):
    data = tiff((700, 1, packet), order=order, big=big)
    assert metadata.read(data).status is Status.VALID
    out = metadata.write(data, LABEL)
    assert one_label(out)
    assert files.exiftool_label(out) == LABEL.to_json()
    again = metadata.write(out, LABEL)
    assert again == out


def test_texts_of_others_are_blanked_in_place():
    data = tiff((270, 2, WRAPPED + b"\0"), (305, 2, b"Program 1\0"))
    assert metadata.read(data).label == OTHER
    out = metadata.write(data, LABEL)
    assert one_label(out) and b"Program 1" in out
    start = data.index(WRAPPED)
    assert out[start:start + len(WRAPPED)] == bytes(len(WRAPPED))


def test_a_text_that_two_directories_share_is_blanked():
    data = bytearray(tiff((270, 2, WRAPPED + b"\0")))
    at = next(at for at in range(10, 300, 12) if data[at:at + 2] == b"\x0e\x01")
    data[1000:1002] = struct.pack("<H", 9)  # one entry more in the second
    data[1002 + 8 * 12:1002 + 9 * 12 + 4] = data[at:at + 12] + bytes(4)
    assert metadata.read(bytes(data)).evidence.duplicates == 1
    out = metadata.write(bytes(data), LABEL)
    assert one_label(out) and WRAPPED not in out


def test_a_generator_named_in_tiff_is_a_trace():
    assert metadata.read(tiff((305, 2, b"Midjourney\0"))).evidence.traces[0].value == "Midjourney"
    assert metadata.read(tiff((305, 2, b"Scanner 2.0\0"))).evidence.traces == ()


def test_a_packet_of_a_later_page_is_no_home():
    data = bytearray(tiff())
    second = 1000 + 2 + 12 * 7  # its StripByteCounts becomes a tag 700 of the second directory
    data[second:second + 12] = struct.pack("<HHII", 700, 1, len(PACKET), len(data))
    out = metadata.write(bytes(data) + PACKET, LABEL)
    assert one_label(out) and 700 in tags(out, "<", False)


@pytest.mark.parametrize("data", [b"II*\0" + b"\xff" * 4, b"II*\0\x08\0\0\0", b"MM\0*\0\0\0\x08\xff\xff" + bytes(40)])
def test_broken_tiffs_are_refused(data):
    with pytest.raises((MalformedFile, LimitExceeded)):
        metadata.write(data, LABEL)


def test_canon_raw_is_left_alone():
    with pytest.raises(UnsupportedFormat):
        metadata.write(b"II*\0\x10\0\0\0CR\2\0" + bytes(60), LABEL)


# HEIF

def box(kind: bytes, *parts: bytes) -> bytes:
    body = b"".join(parts)
    return struct.pack(">I", len(body) + 8) + kind + body


def infe(item: int, kind: bytes, rest: bytes = b"\0", version: int = 2) -> bytes:
    return box(b"infe", struct.pack(">B3xHH4s" if version == 2 else ">B3xIH4s", version, item, 0, kind), rest)


MEDIA = bytes(range(256)) * 4
XMP_NAMES = b"XMP\0application/rdf+xml\0"


def heif(version: int = 1, sizes: tuple[int, int, int, int] = (4, 4, 0, 0), *, packet: bytes = b"", idat: bool = False,
         meta_last: bool = False, open_mdat: bool = False, reference: bool = True, free: int = 0,
         absolute: bool = False, exif: bytes = b"") -> bytes:
    """Item 1 is the picture: MEDIA in two extents. Item 2, if any, is XMP, item 3 is EXIF."""
    offset, length, base_width, index = sizes

    def number(value: int, width: int) -> bytes:
        return value.to_bytes(width, "big") if width else b""

    def row(item: int, method: int, base: int, extents: list[tuple[int, int]]) -> bytes:
        wide = 4 if version == 2 else 2
        if not base_width or absolute:
            extents, base = [(base + at, size) for at, size in extents], 0
        head = number(item, wide) + (number(method, 2) if version else b"") + number(0, 2) + number(base, base_width)
        return head + number(len(extents), 2) + b"".join(
            number(0, index if version else 0) + number(at, offset) + number(size, length) for at, size in extents)

    def build(start: int) -> bytes:
        items = [infe(1, b"av01")] + ([infe(2, b"mime", XMP_NAMES)] if packet else []) + (
            [infe(3, b"Exif")] if exif else [])
        rows = [row(1, 0, start, [(0, 512), (512, 512)])]
        if packet:
            rows.append(row(2, 1, 0, [(0, len(packet))]) if idat else row(2, 0, start, [(1024, len(packet))]))
        if exif:
            rows.append(row(3, 0, start, [(1024 + (0 if idat else len(packet)), len(exif))]))
        iloc = box(b"iloc", struct.pack(">B3xBB", version, offset << 4 | length, base_width << 4 | index),
                   number(len(rows), 4 if version == 2 else 2), *rows)
        meta = box(b"meta", bytes(4), box(b"hdlr", bytes(8), b"pict", bytes(13)), box(b"pitm", bytes(4), b"\0\1"), iloc,
                   *([box(b"iref", bytes(4), box(b"dimg", struct.pack(">HHH", 1, 1, 1)))] if reference else []),
                   box(b"iinf", bytes(4), struct.pack(">H", len(items)), *items),
                   *([box(b"idat", packet)] if packet and idat else []))
        media = MEDIA + (b"" if idat else packet) + exif
        mdat = b"\0\0\0\0mdat" + media if open_mdat else box(b"mdat", media)
        space = box(b"free", bytes(free)) if free else b""
        head = box(b"ftyp", b"avif", bytes(4), b"avifmif1")
        return head + mdat + meta if meta_last else head + meta + space + mdat
    return build(build(0).index(MEDIA))


def places(data: bytes) -> dict[int, tuple[int, list[tuple[int, int]], int]]:
    """Method, extents and base offset of every item by iloc, read here anew."""
    at = data.index(b"iloc") + 4
    version, sizes, more = data[at], data[at + 4], data[at + 5]
    offset, length, base, index = sizes >> 4, sizes & 15, more >> 4, more & 15 if version else 0
    at += 6
    wide = 4 if version == 2 else 2

    def number(width: int) -> int:
        nonlocal at
        at += width
        return int.from_bytes(data[at - width:at], "big")
    found = {}
    for _ in range(number(wide)):
        item, method, _ = number(wide), number(2) if version else 0, number(2)
        start = number(base)
        parts = []
        for _ in range(number(2)):
            number(index)
            place = start + number(offset)
            parts.append((place, number(length)))
        found[item] = (method, parts, start)
    return found


def picture_bytes(data: bytes) -> bytes:
    """Item 1's bytes."""
    method, parts, _ = places(data)[1]
    assert method == 0
    return b"".join(data[place:place + size] for place, size in parts)


HEIFS = {
    "version 0": heif(0), "version 1": heif(1), "version 2": heif(2), "with bases": heif(1, (4, 4, 4, 0)),
    "bases of zero": heif(1, (4, 4, 4, 0), absolute=True), "wide": heif(1, (8, 8, 8, 0)),
    "index": heif(1, (4, 4, 0, 4)),
    "meta last": heif(meta_last=True), "open media data": heif(open_mdat=True), "no references": heif(reference=False),
    "free space": heif(free=600), "little free space": heif(free=20),
}
LABELLED = {
    "packet": heif(packet=PACKET), "packet with bases": heif(1, (4, 4, 4, 0), packet=PACKET),
    "packet in idat": heif(packet=PACKET, idat=True), "packet and exif": heif(packet=PACKET, exif=b"\0\0\0\6Exif\0\0"
                                                                              + files.exif(b"a cat\0")),
    "exif": heif(exif=b"\0\0\0\6Exif\0\0" + files.exif(b"a cat\0", b"ASCII\0\0\0" + WRAPPED)),
    "short packet": heif(packet=SHORT), "short packet with bases": heif(1, (4, 4, 4, 0), packet=SHORT),
    "short packet in idat": heif(1, (4, 4, 4, 0), idat=True, packet=SHORT),
}


@pytest.mark.parametrize("name", HEIFS)
def test_heif_items_lie_where_iloc_says(name):
    assert picture_bytes(HEIFS[name]) == MEDIA
    out = metadata.write(HEIFS[name], LABEL)
    assert picture_bytes(out) == MEDIA and one_label(out)
    assert files.exiftool_label(out) == LABEL.to_json()
    assert metadata.write(out, LABEL) == out


@pytest.mark.parametrize("name", LABELLED)
def test_a_label_of_others_in_heif_gives_way(name):
    assert metadata.read(LABELLED[name]).status is Status.VALID
    out = metadata.write(LABELLED[name], LABEL)
    assert picture_bytes(out) == MEDIA and one_label(out)
    assert (b"a cat" in out) == (b"a cat" in LABELLED[name])


@pytest.mark.parametrize("data", [HEIFS["with bases"], HEIFS["bases of zero"], LABELLED["short packet with bases"],
                                  LABELLED["short packet in idat"]])
def test_a_new_place_is_all_base_where_there_are_bases(data):
    out = metadata.write(data, LABEL)
    method, [(place, size)], base = places(out)[2]
    assert (method, base) == (0, place)
    assert LABEL.to_json().encode() in out[place:place + size]


def test_free_space_takes_the_growth_in():
    out = metadata.write(HEIFS["free space"], LABEL)
    assert out.index(MEDIA) == HEIFS["free space"].index(MEDIA)


@pytest.mark.parametrize("cut", [b"iloc", b"iinf", b"pitm", b"meta"])
def test_heif_without_a_box_that_it_needs_is_refused(cut):
    with pytest.raises(MalformedFile):
        metadata.write(HEIFS["version 1"].replace(cut, b"free"), LABEL)


@pytest.mark.parametrize(("brands", "name"), [(b"mif1\0\0\0\0mif1avif", "avif"), (b"mif1\0\0\0\0mif1heic", "heic"),
                                              (b"heic\0\0\0\0", "heic"), (b"avis\0\0\0\0", "avif")])
def test_heif_brands(brands, name):
    assert container.sniff(box(b"ftyp", brands) + bytes(40)).name == name


# SVG

def svg(inside: str, attributes: str = "") -> bytes:
    return f'<svg xmlns="http://www.w3.org/2000/svg" {attributes}>{inside}</svg>'.encode()


RDF = 'xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#"'
SVGS = {
    "plain": svg("<path/>"),
    "empty": b'<svg xmlns="http://www.w3.org/2000/svg"/>',
    "prefixed": b'<s:svg xmlns:s="http://www.w3.org/2000/svg"><s:path/></s:svg>',
    "prefixed and empty": b'<s:svg xmlns:s="http://www.w3.org/2000/svg"/>',
    "metadata": svg("<metadata>made by hand</metadata><path/>"),
    "prefixes of the root": svg('<metadata><rdf:RDF><rdf:Description rdf:about=""/></rdf:RDF></metadata>', RDF),
    "mark and comment": b"\xef\xbb\xbf<!-- a > b -->\n" + svg("<path/>"),
    "labelled": svg(f'<metadata><rdf:RDF {RDF}><rdf:Description xmlns:q="{xmp.NAMESPACE}"><q:AIGC>{OTHER.to_json()}'
                    "</q:AIGC></rdf:Description></rdf:RDF></metadata>"),
}


@pytest.mark.parametrize("name", SVGS)
def test_svg_gets_one_label_in_its_metadata(name):
    out = metadata.write(SVGS[name], LABEL)
    assert one_label(out) and metadata.write(out, LABEL) == out
    path = f".//{{http://www.w3.org/2000/svg}}metadata//{{{xmp.NAMESPACE}}}AIGC"
    assert [found.text for found in ElementTree.fromstring(out).findall(path)] == [LABEL.to_json()]
    assert out.count(b"metadata>") == 2


def test_an_svg_about_aigc_has_no_label():
    assert metadata.read(svg("<text>AIGC</text>")).status is Status.ABSENT


@pytest.mark.parametrize("data", [svg("<path>"), b'<!DOCTYPE svg [<!ENTITY a "b">]>' + svg("&a;")])
def test_broken_svgs_are_refused(data):
    with pytest.raises(MalformedFile):
        metadata.write(data, LABEL)


def test_a_page_with_a_drawing_is_a_page():
    assert container.sniff(b"<html><svg></svg></html>").name == "html"


@pytest.mark.parametrize("data", [b"<svgx/>", b"<?xml version='1.0'?><rdf/>", b"<!---->" * 2000, b"<!--" * 2000])
def test_other_markup_is_no_svg(data):
    with pytest.raises(UnsupportedFormat):
        container.sniff(data)
