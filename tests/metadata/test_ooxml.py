# SPDX-License-Identifier: Apache-2.0
"""The label in OOXML documents: one registered property, and the members of others as they were."""

import html.parser
import io
import struct
import xml.etree.ElementTree as ElementTree
import zipfile

import pytest

from labelkit import container, metadata
from labelkit.errors import LimitExceeded, MalformedFile, UnsupportedFormat
from tests import files
from tests.files import LABEL, OTHER, one_label

TYPES = ('<?xml version="1.0"?><Types xmlns="http://schemas.openxmlformats.org/package/2006/content-types">'
         '<Default Extension="xml" ContentType="application/xml"/></Types>')
RELATIONS = ('<Relationships xmlns="http://schemas.openxmlformats.org/package/2006/relationships">'
             '<Relationship Id="rId1" Type="x" Target="word/document.xml"/></Relationships>')
CUSTOM = ('<Properties xmlns="http://schemas.openxmlformats.org/officeDocument/2006/custom-properties" xmlns:vt="http://'
          'schemas.openxmlformats.org/officeDocument/2006/docPropsVTypes">{}</Properties>')
VT = "{http://schemas.openxmlformats.org/officeDocument/2006/docPropsVTypes}lpwstr"


def custom_property(name: str, value: str, pid: int = 2) -> str:
    return (f'<property fmtid="{{D5CDD505-2E9C-101B-9397-08002B2CF9AE}}" pid="{pid}" name="{name}">'
            f"<vt:lpwstr>{html.escape(value)}</vt:lpwstr></property>")


def document(custom: str | None = None, *, folder: str = "word", comment: bytes = b"",
             more: dict | None = None) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("[Content_Types].xml", TYPES)
        archive.writestr("_rels/.rels", RELATIONS)
        archive.writestr(f"{folder}/document.xml", "<a>" + "text " * 99 + "</a>")
        if custom is not None:
            archive.writestr("docProps/custom.xml", custom)
        for name, data in (more or {}).items():
            archive.writestr(name, data)
        archive.writestr("picture.png", files.picture("PNG"), zipfile.ZIP_STORED)
        archive.comment = comment
    return out.getvalue()


DOCUMENTS = {
    "plain": document(),
    "with comment": document(comment=b"made by hand"),
    "other property": document(CUSTOM.format(custom_property("Owner", "someone", 7))),
    "label": document(CUSTOM.format(custom_property("Owner", "someone") + custom_property("AIGC", OTHER.to_json(), 3))),
    "two labels": document(CUSTOM.format(custom_property("AIGC", OTHER.to_json()) + custom_property(
        "aigc", OTHER.to_json(wrapped=True), 3))),
    "empty properties": document(CUSTOM.format("").replace("></Properties>", "/>")),
}


def opened(data: bytes) -> zipfile.ZipFile:
    archive = zipfile.ZipFile(io.BytesIO(data))
    assert archive.testzip() is None
    return archive


@pytest.mark.parametrize("name", DOCUMENTS)
def test_the_property_is_there_once_and_registered(name):
    out = metadata.write(DOCUMENTS[name], LABEL)
    assert one_label(out) and metadata.write(out, LABEL) == out
    archive = opened(out)
    root = ElementTree.fromstring(archive.read("docProps/custom.xml"))
    properties = {element.get("name"): element for element in root}
    assert properties["AIGC"].find(VT).text == LABEL.to_json()
    assert properties["AIGC"].get("fmtid") == "{D5CDD505-2E9C-101B-9397-08002B2CF9AE}"
    numbers = [int(element.get("pid")) for element in root]
    assert len(set(numbers)) == len(numbers) and min(numbers) >= 2
    assert ("Owner" in properties) == (b"Owner" in opened(DOCUMENTS[name]).read("docProps/custom.xml")
                                       if "docProps/custom.xml" in opened(DOCUMENTS[name]).namelist() else False)
    assert b'PartName="/docProps/custom.xml"' in archive.read("[Content_Types].xml")
    rows = [element.get("Id") for element in ElementTree.fromstring(archive.read("_rels/.rels"))]
    assert len(rows) == len(set(rows)) == 2


@pytest.mark.parametrize("name", DOCUMENTS)
def test_other_members_keep_their_bytes(name):
    before, after = opened(DOCUMENTS[name]), opened(metadata.write(DOCUMENTS[name], LABEL))
    changed = {"docProps/custom.xml", "[Content_Types].xml", "_rels/.rels"}
    for member in before.infolist():
        if member.filename not in changed:
            assert after.read(member.filename) == before.read(member.filename)
            assert after.getinfo(member.filename).compress_size == member.compress_size
    assert after.comment == before.comment
    assert [one for one in after.namelist() if one != "docProps/custom.xml"] == [
        one for one in before.namelist() if one != "docProps/custom.xml"]


@pytest.mark.parametrize("name", ["label", "two labels"])
def test_a_label_of_others_in_a_document_is_read(name):
    assert metadata.read(DOCUMENTS[name]).label == OTHER
    assert OTHER.produce_id not in opened(metadata.write(DOCUMENTS[name], LABEL)).read("docProps/custom.xml").decode()


@pytest.mark.parametrize(("folder", "name"), [("word", "docx"), ("xl", "xlsx"), ("ppt", "pptx")])
def test_documents_are_told_by_their_main_part(folder, name):
    assert container.sniff(document(folder=folder)).name == name


def test_exiftool_reads_the_property(tmp_path):
    (tmp_path / "a.docx").write_bytes(metadata.write(DOCUMENTS["plain"], LABEL))
    shown = files.tool("exiftool", "-b", "-AIGC", "-Warning", str(tmp_path / "a.docx"))
    if "Archive::Zip" in shown:
        pytest.skip("exiftool reads no archives without Archive::Zip")
    assert shown == LABEL.to_json()


def wide(data: bytes, *, rows: bool = True) -> bytes:
    """The archive in zip64 form: its end record, and the places and lengths in its directory where `rows`."""
    at = data.rindex(b"PK\5\6")
    count, length, start = struct.unpack("<10xHII", data[at:at + 20])
    directory, made = data[start:start + length], b""
    while directory:
        names, extras, comments = struct.unpack("<28xHHH", directory[:34])
        row, directory = directory[:46 + names + extras + comments], directory[46 + names + extras + comments:]
        if rows:
            packed, size, place = struct.unpack("<20xII14xI", row[:46])
            extra = struct.pack("<HHHHQQQ", 0x7855, 0, 1, 24, size, packed, place)
            row = (row[:20] + b"\xff" * 8 + row[28:30] + struct.pack("<H", len(extra)) + row[32:42] + b"\xff" * 4
                   + row[46:46 + names] + extra + row[46 + names + extras:])
        made += row
    end = struct.pack("<4sQHHIIQQQQ4sIQI", b"PK\6\6", 44, 45, 45, 0, 0, count, count, len(made), start, b"PK\6\7", 0,
                      start + len(made), 1)
    return data[:start] + made + end + b"PK\5\6" + bytes(4) + b"\xff" * 12 + data[at + 20:]


@pytest.mark.parametrize("rows", [True, False])
@pytest.mark.parametrize("name", DOCUMENTS)
def test_archives_in_zip64_form_keep_it(name, rows):
    host = wide(DOCUMENTS[name], rows=rows)
    assert [opened(host).read(one) for one in opened(host).namelist()]
    out = metadata.write(host, LABEL)
    assert one_label(out) and metadata.write(out, LABEL) == out
    assert b"PK\6\6" in out and out.endswith(opened(host).comment)
    before, after = opened(host), opened(out)
    assert after.testzip() is None
    for one in set(before.namelist()) - {"docProps/custom.xml", "[Content_Types].xml", "_rels/.rels"}:
        assert after.read(one) == before.read(one)
    assert ElementTree.fromstring(after.read("docProps/custom.xml")) is not None


@pytest.mark.parametrize("broken", [b"PK\6\6", b"PK\6\7"])
def test_a_broken_zip64_end_is_refused(broken):
    with pytest.raises(MalformedFile):
        metadata.write(wide(document()).replace(broken, b"PK\6\0"), LABEL)


@pytest.mark.parametrize("grows", [False, True])
def test_a_document_past_4_gb_is_written_by_seeking(grows, tmp_path):
    """Its media are a hole; where it `grows`, it has no zip64 form before."""
    plain, path = document(more={"word/media/film.bin": b"x"}), tmp_path / "a.docx"
    cut = opened(plain).getinfo("picture.png").header_offset
    at = plain.rindex(b"PK\5\6")
    count, length, start = struct.unpack("<10xHII", plain[at:at + 20])
    hole = (1 << 32) - 300 - start if grows else 5 << 30
    directory = plain[start:start + length]
    row = directory.rindex(b"PK\1\2")
    if grows:
        directory = directory[:row + 42] + struct.pack("<I", cut + hole) + directory[row + 46:]
        end = plain[at:at + 16] + struct.pack("<I", start + hole) + plain[at + 20:]
    else:
        extra = struct.pack("<HHQ", 1, 8, cut + hole)
        names = len("picture.png")
        directory = (directory[:row + 30] + struct.pack("<H", 12) + directory[row + 32:row + 42] + b"\xff" * 4
                     + directory[row + 46:row + 46 + names] + extra)
        end = struct.pack("<4sQHHIIQQQQ4sIQI", b"PK\6\6", 44, 45, 45, 0, 0, count, count, len(directory), start + hole,
                          b"PK\6\7", 0, start + hole + len(directory), 1) + plain[at:at + 12] + b"\xff" * 8 + b"\0\0"
    with open(path, "wb") as file:
        file.write(plain[:cut])
        file.seek(hole, io.SEEK_CUR)
        file.write(plain[cut:start] + directory + end)
    metadata.write_file(path, path, LABEL)
    assert metadata.read(path).label == LABEL and path.stat().st_size > 1 << 32
    with zipfile.ZipFile(path) as archive:
        assert archive.read("picture.png") == files.picture("PNG")
        assert LABEL.produce_id in archive.read("docProps/custom.xml").decode()
        assert archive.getinfo("docProps/custom.xml").header_offset > (1 << 32 if not grows else 0)
    metadata.write_file(path, path, OTHER)
    assert metadata.read(path).label == OTHER


def test_another_archive_is_no_document():
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        archive.writestr("a.txt", "x")
    with pytest.raises(UnsupportedFormat):
        container.sniff(out.getvalue())


def test_a_signed_document_is_not_broken():
    with pytest.raises(UnsupportedFormat, match="signed"):
        metadata.write(document(more={"_xmlsignatures/sig1.xml": "<a/>"}), LABEL)


def test_a_member_that_unpacks_without_end_is_bounded():
    with pytest.raises(LimitExceeded):
        metadata.read(document("<a>" + " " * (20 << 20) + "</a>"))


def test_entities_in_a_document_are_refused():
    with pytest.raises(MalformedFile):
        metadata.read(document('<!DOCTYPE a [<!ENTITY b "c">]><a>&b;</a>'))


def test_a_row_that_the_directory_cuts_off_is_refused():
    """Found by fuzzing."""
    data = document()
    end = data.rindex(b"PK\5\6")
    count, length = struct.unpack("<10xHI", data[end:end + 16])
    counted = data[end:end + 8] + struct.pack("<HHI", count + 1, count + 1, length + 6) + data[end + 16:]
    for cut in (b"PK\1\2\0\0", b"PK\1\2" + bytes(40)):
        longer = counted[:12] + struct.pack("<I", length + len(cut)) + counted[16:]
        with pytest.raises(MalformedFile, match="a row of it is broken"):
            metadata.inspect(data[:end] + cut + longer)
    assert metadata.read(data).label is None


@pytest.mark.parametrize("data", [document()[:-30], document()[:200], document().replace(b"PK\1\2", b"PK\1\3", 1),
                                  document(CUSTOM.format("")).replace(b"docProps/custom.xml", b"[Content_Types].xml")])
def test_broken_archives_are_refused(data):
    with pytest.raises((MalformedFile, UnsupportedFormat)):
        metadata.write(data, LABEL)
