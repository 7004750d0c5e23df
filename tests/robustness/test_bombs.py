# SPDX-License-Identifier: Apache-2.0
"""Small files, or files without content, that would keep a reader busy or fill its memory: refused, or read at once."""

import resource
import struct
import sys
import zlib
from collections.abc import Callable
from types import FrameType

import pytest

from labelkit import container, metadata
from labelkit.container import Reader
from labelkit.container.base import MAX_BODY, MAX_UNPACKED
from labelkit.container.pdfobjects import Objects
from labelkit.errors import LabelkitError, LimitExceeded, MalformedFile
from labelkit.report import Status
from tests import files
from tests.files import LABEL, OTHER
from tests.metadata.test_matroska import element
from tests.metadata.test_mp4 import FTYP, box, film
from tests.metadata.test_ooxml import CUSTOM, custom_property, document

MOST_CALLS, MOST_MEMORY = 16_000_000, 512 << 20  # calls: 7 million at most, and those of what measures coverage
START = b"startxref\n%d\n%%%%EOF\n"
RDF = ('<x:xmpmeta xmlns:x="adobe:ns:meta/" {}><r:RDF xmlns:r="http://www.w3.org/1999/02/22-rdf-syntax-ns#">{}'
       '</r:RDF></x:xmpmeta>')


def pdf(info: bytes) -> bytes:
    """A document whose Info dictionary is `info`."""
    out, places = bytearray(b"%PDF-1.7\n"), []
    for number, body in enumerate((b"<< /Type /Catalog >>", info), 1):
        places.append(len(out))
        out += b"%d 0 obj\n%s\nendobj\n" % (number, body)
    rows = b"0000000000 65535 f\r\n" + b"".join(b"%010d 00000 n\r\n" % place for place in places)
    end = b"trailer\n<< /Size 3 /Root 1 0 R /Info 2 0 R >>\n" + START % len(out)
    return bytes(out + b"xref\n0 3\n" + rows + end)


def pdf_of_tables(count: int, data: bytes, parameters: bytes = b"") -> bytes:
    """Cross-reference streams of one content, each naming the one before."""
    out, last, packed = b"%PDF-1.7\n", 0, zlib.compress(data, 9)
    for _ in range(count):
        previous, last = b"/Prev %d" % last if last else b"", len(out)
        out += (b"9 0 obj\n<< /Type /XRef /Size 9 /W [1 3 1] /Root 1 0 R /Filter /FlateDecode /Length %d %s %s >>\n"
                b"stream\n%s\nendstream\nendobj\n" % (len(packed), parameters, previous, packed))
    return out + START % last


def subsections() -> bytes:
    out, last = b"%PDF-1.7\n", 3
    for _ in range(20):
        previous, last = last, len(out)
        out += b"xref\n" + b"0 0\n" * 5000 + b"trailer\n<< /Size 5 /Root 1 0 R /Prev %d >>\n" % previous
    return out + START % last


def png(*chunks: bytes) -> bytes:
    return files.png_with(*chunks)


def packet(body: str, names: str = "") -> bytes:
    return png(files.chunk(b"iTXt", b"XML:com.adobe.xmp\0\0\0\0\0" + RDF.format(names, body).encode()))


def attributes(count: int) -> bytes:
    return packet("<r:Description " + " ".join(f"a{one}:AIGC='{{}}'" for one in range(count)) + "/>",
                  " ".join(f"xmlns:a{one}='u{one}'" for one in range(count)))


def table(count: int, size: int) -> bytes:
    chunks = box(b"stco", bytes(4), struct.pack(">I", count), b"\0\0\0\1" * size)
    return FTYP + box(b"moov", box(b"mvhd", bytes(100)), box(b"trak", box(b"mdia", box(b"minf", box(
        b"stbl", chunks))))) + box(b"mdat", b"x")


def script(values: bytes) -> bytes:
    data = b"\2\0\nonMetaData\x08\0\0\0\1\0\1a" + values + b"\0\0\x09"
    tag = b"\x12" + len(data).to_bytes(3, "big") + bytes(7) + data + struct.pack(">I", len(data) + 11)
    return b"FLV\1\1\0\0\0\x09\0\0\0\0" + tag


def avif(*rows: bytes, sizes: int = 0) -> bytes:
    """A picture of one XMP item; the rows of its item table have fields of `sizes` bytes."""
    infe = box(b"infe", b"\2\0\0\0\0\1\0\0mime\0application/rdf+xml\0")
    iloc = box(b"iloc", bytes(4), bytes([sizes << 4 | sizes, 0]), struct.pack(">H", len(rows)), *rows)
    meta = box(b"meta", bytes(4), box(b"hdlr", bytes(8), b"pict", bytes(13)), box(b"pitm", bytes(4), b"\0\1"),
               box(b"iinf", bytes(4), b"\0\1", infe), iloc)
    return box(b"ftyp", b"avif", bytes(4), b"avif") + meta + box(b"mdat", b"<a aigc='x'/>" * 90_000)


EBML = element(0x1A45DFA3, element(0x4282, b"webm"))


def live(blocks: int) -> bytes:
    """A stream whose one cluster, of unknown size, holds void elements."""
    return EBML + b"\x18\x53\x80\x67\xff\x1f\x43\xb6\x75\xff" + b"\xec\x80" * blocks


def nested_cues(depth: int) -> bytes:
    cues = b""
    for _ in range(depth):
        cues = element(0xBB, cues)
    return EBML + element(0x18538067, element(0x1C53BB6B, cues), element(0x1F43B675, element(0xE7, b"\0")))


def names(characters: int, count: int) -> str:
    """Elements with different names in one name space, which stands in each of them."""
    return f'<x xmlns:a="{"u" * characters}">' + "".join(f"<a:b{one}/>" for one in range(count)) + "</x>"


REFUSED = {  # by what makes them large
    "pdf array": lambda: pdf(b"<< /A [" + b"1 " * 2_000_000 + b"] >>"),
    "pdf dictionary": lambda: pdf(b"<< " + b"/A 1 " * 800_000 + b" >>"),
    "pdf parentheses": lambda: pdf(b"<< /T (" + b"(" * 3_000_000 + b")" * 3_000_000 + b") >>"),
    "pdf escapes": lambda: pdf(b"<< /T (" + b"\\n" * 3_000_000 + b") >>"),
    "pdf tables": lambda: pdf_of_tables(30, bytes(16_000_000)),
    "pdf subsections": subsections,
    "properties": lambda: document(CUSTOM.format('<property name="a"/>' * 30_000)),
    "names": lambda: document(CUSTOM.format(names(200_000, 3000))),
    "texts": lambda: png(*[files.chunk(b"tEXt", b"k\0v")] * 20_000),
    "labels": lambda: png(*[files.chunk(b"tEXt", b"AIGC\0" + OTHER.to_json().encode())] * 20_000),
    "packets": lambda: png(*[files.chunk(b"iTXt", b"XML:com.adobe.xmp\0\0\0\0\0<a aigc='x'/>")] * 20_000),
    "extents of no bytes": lambda: avif(*[struct.pack(">HHH", one, 0, 65_535) for one in range(1, 1000)]),
    "user data boxes": lambda: film((box(b"udta", box(b"AIGC", b"{}")),) * 2000),
    "blocks": lambda: live(1_100_000),
    "script values": lambda: script(b"\x0a" + struct.pack(">I", 1_000_000) + b"\5" * 1_000_000),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_claims_too_much_is_refused(name):
    with pytest.raises((LimitExceeded, MalformedFile)):
        metadata.write(REFUSED[name](), LABEL)


def keys(labels: int, others: int) -> bytes:
    """Items of labels, and items without data, which hold no text."""
    count = labels + others
    names = box(b"keys", struct.pack(">II", 0, count), box(b"mdta", b"AIGC") * labels, box(b"mdta", b"k") * others)
    items = [box(struct.pack(">I", one + 1), box(b"data", bytes(8), b"{}") if one < labels else b"")
             for one in range(count)]
    handler = box(b"hdlr", bytes(8), b"mdta", bytes(13))
    return film((box(b"udta", box(b"meta", bytes(4), handler, names, box(b"ilst", *items))),))


READ = {
    "keys": lambda: keys(8000, 90_000),
    "pdf predictor": lambda: pdf_of_tables(1, (b"\2" + bytes(5)) * 2_700_000,
                                           b"/DecodeParms << /Predictor 12 /Columns 5 >>"),
    "pdf predictor of short rows": lambda: pdf_of_tables(1, b"\0\1\2\1" * 4_000_000,
                                                         b"/DecodeParms << /Predictor 12 /Columns 1 >>"),
    "names": lambda: document(CUSTOM.format(names(60, 30_000))),
    "nested properties": lambda: document(CUSTOM.format('<property name="a">' * 30_000 + "</property>" * 30_000)),
    "attributes of one element": lambda: attributes(30_000),
    "texts that unpack": lambda: png(*[files.chunk(b"zTXt", b"k\0\0" + zlib.compress(bytes(250 << 10)))] * 5000),
    "chunk table": lambda: table(8_000_000, 8_000_000),
    "one long word": lambda: b"---\n" + b"AIGC" * 60_000 + b"\n---\n",
    "elements": lambda: packet("<a aigc='1'/>" * 100_000),
}


def calls_of(action: Callable[[], object]) -> int:
    """How many functions, of Python and of C, `action` calls until it returns or refuses."""
    count = 0

    def profile(frame: FrameType, event: str, argument: object) -> None:
        nonlocal count
        count += event in ("call", "c_call")
        if count > MOST_CALLS:
            raise AssertionError("too many calls")

    sys.setprofile(profile)
    try:
        action()
    except LabelkitError:
        pass
    finally:
        sys.setprofile(None)
    return count


@pytest.mark.parametrize("name", READ)
def test_what_looks_large_takes_little(name):
    data = READ[name]()
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    assert 0 < calls_of(lambda: metadata.inspect(data)) <= MOST_CALLS
    assert 0 < calls_of(lambda: metadata.write(data, LABEL)) <= MOST_CALLS
    assert (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - memory) << 10 < MOST_MEMORY


def test_work_without_end_is_counted():
    with pytest.raises(AssertionError, match="too many calls"):
        calls_of(lambda: [len("a") for _ in range(MOST_CALLS + 1)])


@pytest.mark.parametrize("size", [250 << 10, MAX_BODY + 1], ids=["read", "each refused"])
def test_what_a_file_unpacks_to_is_bounded(size):
    """All texts together, also where each is too long by itself."""
    reader = Reader.of(png(*[files.chunk(b"zTXt", b"k\0\0" + zlib.compress(bytes(size), 9))] * 1000))
    refused = 0
    for slot in container.slots(reader):
        try:
            slot.load()
        except LimitExceeded:
            refused += 1
    assert refused == (1000 if size > MAX_BODY else 1000 - MAX_UNPACKED // size)
    assert MAX_UNPACKED - size < reader.unpacked <= MAX_UNPACKED + 1000  # one byte more each shows that there is more


def test_extents_over_the_same_bytes_are_bounded():
    data = avif(struct.pack(">HHH", 1, 0, 60_000) + struct.pack(">II", 300, 1_000_000) * 60_000, sizes=4)
    slot, = container.slots(data)
    with pytest.raises(LimitExceeded):
        slot.load()
    assert [one.slot for one in metadata.read(data).evidence.unread] == ["item"]


@pytest.mark.parametrize("depth", [1, 8, 9, 3000])
def test_indexes_nested_without_end_stay_as_they_are(depth):
    assert metadata.read(metadata.write(nested_cues(depth), LABEL)).label == LABEL


def test_bounds_leave_room_for_real_files():
    texts = png(*[files.chunk(b"zTXt", b"k%d\0\0" % one + zlib.compress(b"v" * 9000)) for one in range(500)])
    assert metadata.read(metadata.write(texts, LABEL)).label == LABEL
    assert len(container.slots(texts)) == 500
    properties = document(CUSTOM.format("".join(custom_property(f"p{one}", "v", one + 2) for one in range(2000))))
    assert metadata.read(metadata.write(properties, LABEL)).label == LABEL
    assert metadata.read(metadata.write(pdf(b"<< /A [" + b"1 " * 90_000 + b"] >>"), LABEL)).label == LABEL
    assert metadata.read(metadata.write(live(50_000), LABEL)).label == LABEL
    positions = b"\x0a" + struct.pack(">I", 20_000) + (b"\0" + bytes(8)) * 20_000
    assert metadata.read(metadata.write(script(positions), LABEL)).status is Status.VALID


def test_rows_of_a_predictor_build_on_the_one_above():
    """Kinds None and Up, mixed; the first row has none above."""
    rows = [(2, b"\1\0\0\1\0"), (2, b"\0\0\x0f\0\0"), (0, b"\1\0\0\x20\0"), (2, b"\0\0\1\xff\0")]
    data = pdf_of_tables(1, b"".join(bytes([kind]) + row for kind, row in rows),
                         b"/DecodeParms << /Predictor 12 /Columns 5 >>")
    wanted = [b"\1\0\0\1\0", b"\1\0\x0f\1\0", b"\1\0\0\x20\0", b"\1\0\1\x1f\0"]
    assert Objects(Reader.of(data)).sections[0].rows == b"".join(wanted)


def test_numbers_without_end_in_an_object_stream_are_no_numbers():
    stream = b"1" * 9000 + b" 0 << >>"
    holder = b"8 0 obj\n<< /Type /ObjStm /N 1 /First 9003 /Length %d >>\nstream\n%s\nendstream\nendobj\n" % (
        len(stream), stream)
    start = len(b"%PDF-1.7\n")
    rows = b"".join(struct.pack(">B", kind) + place.to_bytes(3, "big") + bytes([index]) for kind, place, index in (
        (0, 0, 0), (2, 8, 0), (2, 8, 0), *[(0, 0, 0)] * 5, (1, start, 0)))
    packed = zlib.compress(rows)
    head = b"9 0 obj\n<< /Type /XRef /Size 9 /W [1 3 1] /Root 1 0 R /Info 2 0 R /Filter /FlateDecode /Length %d >>\n"
    data = b"%PDF-1.7\n" + holder + head % len(packed) + b"stream\n" + packed + b"\nendstream\nendobj\n"
    data += START % (start + len(holder))
    with pytest.raises(MalformedFile):
        metadata.write(data, LABEL)
