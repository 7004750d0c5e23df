# SPDX-License-Identifier: Apache-2.0
"""The label in PDF: an update behind the file, in the form the file has; everything before it stays."""

import re
import struct
import zlib

import pytest

from labelkit import container, metadata
from labelkit.errors import LimitExceeded, MalformedFile, UnsupportedFormat
from labelkit.label import Kind, Label
from labelkit.metadata import xmp
from labelkit.report import Status
from tests import files
from tests.files import LABEL, OTHER

PAGES = {1: b"<< /Type /Catalog /Pages 2 0 R%s >>", 2: b"<< /Type /Pages /Kids [3 0 R] /Count 1 >>",
         3: b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 99 99] >>"}


def text(value: str) -> bytes:
    return b"(" + re.sub(rb"([\\()])", rb"\\\1", value.encode()) + b")"


def parts(info: bytes | None, packet: bytes | None) -> dict[int, bytes]:
    """The bodies of the objects: 4 is Info, 5 the XMP packet."""
    bodies = {**PAGES, 1: PAGES[1] % (b" /Metadata 5 0 R" if packet is not None else b"")}
    if info is not None:
        bodies[4] = info
    if packet is not None:
        bodies[5] = b"<< /Type /Metadata /Subtype /XML /Length %d >>\nstream\n%s\nendstream" % (len(packet), packet)
    return bodies


def plain(info: bytes | None = None, packet: bytes | None = None, *, trailer: bytes = b"") -> bytes:
    """A file with a cross-reference table."""
    out, places = bytearray(b"%PDF-1.7\n%\xe2\xe3\xcf\xd3\n"), {}
    for number, body in parts(info, packet).items():
        places[number] = len(out)
        out += b"%d 0 obj\n%s\nendobj\n" % (number, body)
    size = max(places) + 1
    start = len(out)
    out += b"xref\n0 %d\n0000000000 65535 f\r\n" % size
    out += b"".join(b"%010d 00000 %s\r\n" % (places.get(number, 0), b"n" if number in places else b"f")
                    for number in range(1, size))
    out += b"trailer\n<< /Size %d /Root 1 0 R %s %s >>\nstartxref\n%d\n%%%%EOF\n" % (
        size, b"/Info 4 0 R" if info is not None else b"", trailer, start)
    return bytes(out)


def packed(info: bytes | None = None, packet: bytes | None = None, *, predictor: bool = True) -> bytes:
    """A file whose objects lie in an object stream, with a cross-reference stream."""
    out, places = bytearray(b"%PDF-1.7\n"), {}
    bodies = parts(info, packet)
    inside = [number for number in bodies if number != 5]
    heads, data = b"", b""
    for number in inside:
        heads += b"%d %d " % (number, len(data))
        data += bodies[number] + b" "

    def add(number: int, entries: bytes, content: bytes) -> None:
        places[number] = len(out)
        packed_content = zlib.compress(content)
        out.extend(b"%d 0 obj\n<< %s /Filter /FlateDecode /Length %d >>\nstream\n%s\nendstream\nendobj\n" % (
            number, entries, len(packed_content), packed_content))
    add(6, b"/Type /ObjStm /N %d /First %d" % (len(inside), len(heads)), heads + data)
    if packet is not None:
        places[5] = len(out)
        out += b"5 0 obj\n%s\nendobj\n" % bodies[5]
    start = places[7] = len(out)
    rows = [struct.pack(">BHB", 2, 6, inside.index(number)) if number in inside
            else struct.pack(">BHB", number in places, places.get(number, 0), 0) for number in range(8)]
    table = b"".join(b"\2" + bytes(a - b & 255 for a, b in zip(row, above, strict=True)) if predictor else row
                     for row, above in zip(rows, [bytes(4), *rows], strict=False))
    add(7, b"/Type /XRef /Size 8 /W [1 2 1] /Root 1 0 R %s %s" % (
        b"/Info 4 0 R" if info is not None else b"",
        b"/DecodeParms << /Predictor 12 /Columns 4 >>" if predictor else b""), table)
    return bytes(out + b"startxref\n%d\n%%%%EOF\n" % start)


WRAPPED = OTHER.to_json(wrapped=True)
LABELLED_INFO = b"<< /Title (a \\(film\\) \\101) /AIGC " + text(OTHER.to_json()) + b" /Author <FEFF5C71> >>"
TITLE_INFO = b"<< /Title (a (nested) title)\n/Producer (a program) % comment >>\n /X [1 2.5 /N (s) << /A null >>] >>"
FILES = {
    "table": plain(), "table with info": plain(TITLE_INFO), "table with label": plain(LABELLED_INFO),
    "stream": packed(), "stream with info": packed(TITLE_INFO), "stream with label": packed(LABELLED_INFO),
    "stream without predictor": packed(TITLE_INFO, predictor=False),
    "packet": plain(TITLE_INFO, files.XMP_PACKET), "packet with label": plain(None, xmp.fresh(OTHER.to_json())),
    "stream and packet with label": packed(TITLE_INFO, xmp.fresh(OTHER.to_json())),
    "wrapped and wide": plain(b"<< /AIGC <FEFF" + WRAPPED.encode("utf-16-be").hex().encode() + b"> >>"),
    "Pillow": files.picture("PDF", title="a title", author="someone"),
}


def read(data: bytes) -> tuple:
    finding = metadata.read(data)
    return finding.status, finding.label, finding.evidence.duplicates


@pytest.mark.parametrize("name", FILES)
def test_the_label_stands_in_an_update_and_the_file_before_it_stays(name):
    out = metadata.write(FILES[name], LABEL)
    assert out.startswith(FILES[name]) and read(out) == (Status.VALID, LABEL, 0)
    assert metadata.write(out, LABEL) == out
    assert read(metadata.write(out, OTHER)) == (Status.VALID, OTHER, 0)


@pytest.mark.parametrize("name", FILES)
def test_exiftool_reads_the_label_and_the_other_entries(name, tmp_path):
    def shown(data: bytes) -> dict[str, str]:
        (tmp_path / "a.pdf").write_bytes(data)
        lines = files.tool("exiftool", "-s", "-PDF:all", "-XMP-dc:all", str(tmp_path / "a.pdf")).splitlines()
        return dict(re.split(r"\s*: ", line, maxsplit=1) for line in lines)
    before, after = shown(FILES[name]), shown(metadata.write(FILES[name], LABEL))
    assert after.pop("AIGC") == LABEL.to_json()
    before.pop("AIGC", None)
    assert after == before


@pytest.mark.parametrize("name", [name for name in FILES if "label" in name or "wide" in name])
def test_a_label_of_others_in_pdf_is_read(name):
    assert read(FILES[name])[:2] == (Status.VALID, OTHER)


@pytest.mark.parametrize("name", [name for name in FILES if "label" not in name and "wide" not in name])
def test_a_pdf_without_label_has_none(name):
    assert read(FILES[name]) == (Status.ABSENT, None, 0)


def test_a_name_outside_ascii_is_written_wide():
    label = Label.as_found(Kind.GENERATED, {**LABEL.fields(), "ContentProducer": "某公司"})
    assert metadata.read(metadata.write(FILES["table with info"], label)).label == label


def test_an_encrypted_document_is_refused():
    with pytest.raises(UnsupportedFormat, match="encrypted, and its texts"):
        metadata.write(plain(trailer=b"/Encrypt 4 0 R"), LABEL)


def test_an_info_dictionary_that_is_a_stream_is_refused():
    """Writing it anew would lose the stream; found by fuzzing."""
    data = plain(TITLE_INFO, files.XMP_PACKET).replace(b"/Info 4 0 R", b"/Info 5 0 R")
    with pytest.raises(MalformedFile):
        metadata.write(data, LABEL)
    assert metadata.read(data).status is Status.ABSENT


def test_a_manifest_is_not_broken():
    data = plain(b"<< /AFRelationship /C2PA_Manifest >>")
    with pytest.raises(UnsupportedFormat, match="C2PA"):
        metadata.write(data, LABEL)
    assert read(metadata.write(data, LABEL, resign=True))[1] == LABEL


@pytest.mark.parametrize("data", [
    plain()[:-30], plain().replace(b"startxref\n", b"startxref\n9"), plain().replace(b"trailer", b"trailor"),
    plain().replace(b"xref\n0", b"xref\nx"), packed().replace(b"/W [1 2 1]", b"/W [1 2 9]"),
    packed().replace(b"/FlateDecode", b"/FooooDecode"), plain().replace(b"/Size", b"/Sise"), b"%PDF-1.7\n" + bytes(99),
    plain(b"<< /AIGC " + b"[" * 500 + b" >>")])
def test_broken_documents_are_refused(data):
    with pytest.raises(MalformedFile):
        metadata.write(data, LABEL)


def test_sections_that_name_each_other_end():
    data = plain(trailer=b"/Prev 9999999999")
    data = data.replace(b"9999999999", b"%010d" % data.index(b"xref\n0"))
    assert read(metadata.write(data, LABEL)) == (Status.VALID, LABEL, 0)


def test_a_stream_that_unpacks_without_end_is_bounded():
    bomb = zlib.compress(bytes(40 << 20), 9)
    data = plain(packet=b"x").replace(b"/Length 1 >>\nstream\nx", b"/Filter /FlateDecode /Length %d >>\nstream\n" % len(
        bomb) + bomb)
    start = data.rindex(b"\nxref") + 1
    data = re.sub(rb"startxref\n\d+", b"startxref\n%d" % start, data)
    finding = metadata.read(data)
    assert finding.status is Status.UNCHECKED and "unpacks to more than" in finding.evidence.unread[0].problem
    with pytest.raises(LimitExceeded):
        with container.opened(data) as reader:
            next(slot for slot in container.slots(reader) if slot.kind == "xmp").load()


def length_elsewhere(data: bytes, before: bytes) -> bytes:
    """The file with the length of a stream in object 4, which lies in the object stream; nothing moves."""
    found = re.search(before + rb" (/\w+) /Length (\d\d\d) ", data)
    return data.replace(found[0], found[0].replace(b" /", b"/").replace(found[2], b"4 0 R"))


def test_an_object_stream_whose_length_lies_in_itself_is_refused():
    """Found by the fuzzer: it was followed until Python ran out of stack."""
    data = packed(TITLE_INFO)
    assert len(length_elsewhere(data, b"/Filter")) == len(data)
    with pytest.raises(MalformedFile):
        metadata.read(length_elsewhere(data, b"/Filter"))


def test_the_length_of_another_stream_may_lie_in_an_object_stream():
    packet = xmp.fresh(OTHER.to_json())
    data = length_elsewhere(packed(b"%d" % len(packet), packet).replace(b"/Info 4 0 R", b"/Imfo 4 0 R"), b"/Subtype")
    assert b"/Length 4 0 R" in data and read(data) == (Status.VALID, OTHER, 0)
